# SPDX-License-Identifier: MIT
"""The hurried administrator: full disks, wrong places, signals to whoever is there. What he is told, and that nothing is lost or left."""
import contextlib
import os
import shutil
import signal
import subprocess
import threading

import pytest

from harness import client, mail, processes
from harness.client import Client, dot_stuffed
from harness.places import BUILD, SOON, is_root, until
from harness.postern import clamav_stanza, fake_stanza

pytestmark = pytest.mark.root


def test_no_room_on_disk_is_452_and_room_again_needs_no_restart(start_pair, database, small_disk):
    pair = start_pair(engines=clamav_stanza(database), spool=small_disk)
    reply = pair.deliver(mail.of_size(3_000_000))
    assert (reply.code, reply.enhanced) == (452, "4.3.1"), reply
    assert pair.log.find("spool"), "the reason is logged"
    for size in (1000, 200_000, 500_000):
        assert pair.deliver(mail.of_size(size)).code == 250
    # two large ones at once: one of them does not fit; the other does, afterwards at the latest
    with Client(pair.port) as one, Client(pair.port) as two:
        for c in (one, two):
            c.ehlo()
            c.start_data()
        a, b = mail.of_size(700_000), mail.of_size(700_000)
        one.send(dot_stuffed(a)[:-3])
        two.send(dot_stuffed(b))
        second = two.reply().code
        one.send(dot_stuffed(a)[-3:])
        first = one.reply().code
        assert {first, second} <= {250, 452}
    assert pair.deliver(mail.of_size(700_000)).code == 250


def test_spool_that_goes_away_is_4xx_for_large_mails_and_small_ones_pass(start_pair, database, directory):
    spool = directory / "spool"
    spool.mkdir()
    spool.chmod(0o1777)
    pair = start_pair(engines=clamav_stanza(database), spool=spool)
    shutil.rmtree(spool)
    reply = pair.deliver(mail.of_size(500_000))
    assert reply.code in (250, 451, 452), reply
    assert pair.deliver(mail.plain()).code == 250
    spool.mkdir()
    print(reply)


@pytest.mark.parametrize("name", ["SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGPIPE", "SIGCHLD", "SIGWINCH", "SIGHUP", "SIGCONT", "SIGABRT",
                                  "SIGSEGV", "SIGKILL", "SIGVTALRM", "SIGXCPU", "SIGIO"])
@pytest.mark.parametrize("who", ["supervisor", "edge", "scan", "worker"])
def test_any_signal_to_anybody_while_busy(start_pair, directory, monkeypatch, who, name):
    """Whoever it hits: a bystander's mail passes afterwards, or everything has ended and left nothing."""
    number = getattr(signal, name)
    pair = start_pair(engines=fake_stanza())
    pair.postern.reports_expected = True
    pair.postern.wait_workers(2)
    replies = []

    def send():
        try:
            replies.append(client.deliver(pair.port, mail.fake_order("delay 300")).code)
        except (OSError, AssertionError):
            pass
    sender = threading.Thread(target=send)
    sender.start()
    pair.log.wait_for("connect")
    family = [processes.Watched(p) for p in processes.descendants(pair.postern.supervisor_pid())]
    pair.postern.hurt(who, number)
    sender.join(60)
    print(who, name, "->", replies)
    assert set(replies) <= {250, 421, 451}
    if who == "supervisor":
        with contextlib.suppress(subprocess.TimeoutExpired):
            pair.postern.process.wait(SOON if name in ("SIGABRT", "SIGSEGV", "SIGKILL") else 1)

    def has_ended():
        return pair.postern.process.poll() is not None

    def passes():
        try:
            return pair.deliver(mail.plain()).code == 250
        except (OSError, AssertionError):
            return False
    until(lambda: has_ended() or passes(), "mail flows again, or all has ended", SOON, 0.2)
    if has_ended():
        for member in family:
            member.wait_gone(SOON)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_storm_of_signals_still_ends_in_order(start_pair, number):
    """Not only the second: whichever falls into the last moments must not kill the supervisor before it has tidied up."""
    for _ in range(5):
        pair = start_pair(engines=fake_stanza())
        while pair.postern.process.poll() is None:
            pair.postern.process.send_signal(number)
        pair.postern.ends_with(0)
        assert pair.log.find("stop", role="supervisor", status=0)
        assert list(pair.postern.temporary.iterdir()) == []


def test_programs_that_the_users_may_not_execute_are_said_at_once(make_postern, database, directory):
    """As a build under umask 077 leaves them."""
    copy = directory / "build"
    shutil.copytree(BUILD / "bin", copy / "bin")
    for program in (copy / "bin").iterdir():
        program.chmod(0o700)
    instance = make_postern(engines=clamav_stanza(database), build=copy)
    instance.path.write_text(instance.configuration.text())
    done = instance.run("--config", instance.path)
    assert done.returncode == 71, done.stderr
    assert "may not execute" in done.stderr and "0700" in done.stderr


def test_second_instance_on_the_same_port_harms_nobody(start_pair, start_postern, make_postern, database):
    pair = start_pair(engines=clamav_stanza(database))
    second = make_postern(engines=clamav_stanza(database), spool=pair.postern.spool)
    second.configuration.listen_port = pair.port
    second.path.write_text(second.configuration.text())
    done = second.run("--config", second.path)
    assert done.returncode == 71, done.stderr
    assert "in use" in done.stderr
    assert pair.deliver(mail.plain()).code == 250


def test_two_instances_on_one_spool_get_along(start_postern, database, directory, backend):
    spool = directory / "spool"
    spool.mkdir()
    spool.chmod(0o1777)
    one = start_postern(engines=clamav_stanza(database), spool=spool)
    two = start_postern(engines=clamav_stanza(database), spool=spool)
    for instance in (one, two, one, two):
        assert client.deliver(instance.port, mail.of_size(300_000)).code == 250
    two.stop()
    assert client.deliver(one.port, mail.of_size(300_000)).code == 250


def test_log_file_on_a_full_disk_does_not_stop_the_mail(start_pair, database, small_disk):
    log = small_disk / "postern.log"
    pair = start_pair(wait_ready=False, engines=clamav_stanza(database), top={"log": f'"{log}"'})
    until(lambda: log.exists() and b'"ready"' in log.read_bytes(), "ready in the file")
    pair.postern.book.excuse("L8", because="lines that do not fit on the disk are lost")
    assert pair.deliver(mail.plain()).code == 250
    fill = small_disk / "fill"
    out = os.open(fill, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(out, b"x" * 4096) > 0:
            pass
    except OSError:
        os.close(out)
    for _ in range(5):
        assert pair.deliver(mail.plain()).code == 250
    fill.unlink()
    for _ in range(3):
        assert pair.deliver(mail.plain()).code == 250
    until(lambda: log.read_bytes().count(b'"event":"message"') >= 4, "log goes on")
    lines = log.read_bytes().split(b"\n")
    print(b"\n".join(line[:200] for line in lines[-12:]).decode())


def test_log_file_removed_or_renamed_under_it(start_pair, database, directory):
    log = directory / "logs"
    log.mkdir()
    path = log / "p.log"
    pair = start_pair(wait_ready=False, engines=clamav_stanza(database), top={"log": f'"{path}"'})
    until(lambda: path.exists() and b'"ready"' in path.read_bytes(), "ready in the file")
    path.rename(log / "p.log.1")
    pair.postern.book.log_file = log / "p.log.1"
    os.kill(pair.postern.supervisor_pid(), signal.SIGHUP)
    assert pair.deliver(mail.plain()).code == 250
    print("after rotate:", path.exists(), (log / "p.log.1").read_bytes().count(b"\n"))


def test_stdout_and_stderr_closed(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database), wait_ready=False, streams=False)
    pair.postern.book.excuse("L8", because="its log is the standard error that nobody gave it")

    def up():
        try:
            return pair.deliver(mail.plain()).code == 250
        except (OSError, AssertionError):
            return False
    until(up, "serves", interval=0.2)
    pair.postern.book.was_ready = True  # no line says so
    assert pair.deliver(mail.with_attachment(mail.test_virus())).code == 550


def test_children_never_outlive_a_kill(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    family = [processes.Watched(p) for p in processes.descendants(pair.postern.supervisor_pid())]
    with Client(pair.port) as c:
        c.ehlo()
        c.start_data()
        pair.postern.hurt("supervisor")
        pair.postern.process.wait()
        for member in family:
            member.wait_gone(10)
    assert is_root()
    assert pair.backend.mails == []
