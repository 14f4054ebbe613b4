# SPDX-License-Identifier: MIT
"""Start, end, users, restarts, the spool directory, the command line."""
import os
import re
import signal
import socket
import stat
import subprocess
import threading

import pytest
from harness import mail, processes
from harness.backend import Wait
from harness.client import Client, dot_stuffed
from harness.places import ROOT, until
from harness.postern import Postern, clamav_stanza, fake_stanza

# --- end ---

def test_sigterm_ends_idle_sessions_with_421_and_refuses_new_ones(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    with Client(pair.port) as idle, Client(pair.port) as greeted:
        greeted.ehlo()
        pair.postern.terminate()
        idle.expect(421)
        assert idle.at_end()
        greeted.expect(421, "4.3.2")
        assert greeted.at_end()
    pair.postern.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", pair.port), 5)


@pytest.mark.parametrize("where", ["envelope", "body", "scan", "dot"])
def test_sigterm_lets_an_open_transaction_finish(start_pair, where):
    pair = start_pair(engines=fake_stanza())
    waiting = pair.backend.on("dot", Wait(), times=1) if where == "dot" else None
    content = mail.fake_order("delay 1500") if where == "scan" else mail.fake_order("clean")
    wire = dot_stuffed(content)
    with Client(pair.port) as client, Client(pair.port) as idle:
        client.ehlo()
        client.envelope()
        if where != "envelope":
            client.command("DATA", 354)
            client.send(wire[:20])
        if where in ("scan", "dot"):
            client.send(wire[20:])
        if waiting:
            assert waiting.entered.wait(30)

        pair.postern.terminate()
        idle.expect(421)  # the drain has begun

        if where == "envelope":
            client.command("DATA", 354)
            client.send(wire)
        if where == "body":
            client.send(wire[20:])
        if waiting:
            waiting.release.set()
        client.expect(250)
        client.expect(421)
        assert client.at_end()
    pair.postern.stop()


def test_drain_timeout_ends_what_does_not_finish(start_postern, database):
    postern = start_postern(engines=clamav_stanza(database), top={"drain_timeout": "500ms"})
    with Client(postern.port) as client:
        client.ehlo()
        client.start_data()
        client.send(b"Subject: never ends\r\n")
        postern.terminate()
        client.rest()  # until the connection ends; whether a 421 still comes is not promised
    postern.stop()


def test_sigint_ends_like_sigterm(start_postern, database):
    postern = start_postern(engines=clamav_stanza(database))
    postern.process.send_signal(signal.SIGINT)
    assert postern.process.wait(30) == 0
    postern.stop()


# --- restarts ---

def test_killed_edge_is_started_again_and_mail_flows(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    with Client(pair.port) as client:
        client.ehlo()
        client.start_data()
        client.send(dot_stuffed(mail.plain())[:30])
        mark = pair.log.mark()
        edge = pair.postern.hurt("edge")
        assert client.rest() == b""
    pair.log.wait_for("child-exit", since=mark)

    def passes():
        try:
            return pair.deliver(mail.plain()).code == 250
        except OSError:
            return False
    # The listening sockets live on in the supervisor: a client waits in the queue of the kernel instead of being refused.
    until(passes, "mail flows again", 30, interval=0.1)
    assert pair.postern.edge_pid() != edge


def test_killed_supervisor_takes_everybody_with_it(start_postern, database):
    postern = start_postern(engines=clamav_stanza(database))
    postern.wait_workers(2)  # they start after the engine is ready, which is when postern is
    family = [processes.Watched(pid) for pid in processes.descendants(postern.process.pid)]
    postern.hurt("supervisor")
    postern.process.wait()
    for member in family:
        member.wait_gone(10)


@pytest.mark.root
@pytest.mark.soak("many-sessions", "one session after the other, some broken off: descriptors and processes as before", sessions=(50, 20_000))
def test_descriptors_and_processes_stay_the_same_over_many_sessions(start_pair, database, scale):
    pair = start_pair(engines=clamav_stanza(database))

    def rounds(count):
        for i in range(count):
            if i % 5 == 4:
                client = Client(pair.port)
                client.ehlo()
                client.start_data()
                client.send(b"x" * 1000)
                client.reset()
            else:
                assert pair.deliver(mail.plain()).code == 250
        pair.log.wait_for("close", count=count)
        pair.postern.book.forget()

    rounds(5)
    edge, host = pair.postern.edge_pid(), pair.postern.scan_host_pid()
    before = processes.descriptor_count(edge), processes.descriptor_count(host), len(processes.descendants(pair.postern.process.pid))
    for _ in range(scale.sessions // 50):
        rounds(50)
    after = processes.descriptor_count(edge), processes.descriptor_count(host), len(processes.descendants(pair.postern.process.pid))
    # One more or less: an idle connection to the backend may be open at either time.
    assert all(b - a <= 1 for a, b in zip(before, after)), (before, after)


# --- users and cages ---

@pytest.fixture
def running(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    assert pair.deliver(mail.plain()).code == 250
    pair.postern.wait_workers(2)
    return pair.postern


@pytest.mark.root
def test_started_as_root_nobody_who_reads_mail_is_root(running):
    served = [running.edge_pid(), running.scan_host_pid(), *running.worker_pids()]
    assert len(served) >= 4
    for pid in served:
        status = processes.status(pid)
        name = " ".join(processes.command_line(pid))
        assert "0" not in status["Uid"].split(), name
        assert "0" not in status["Gid"].split(), name
        assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0, name
        assert status["NoNewPrivs"] == "1", name
        assert "0" not in status["Groups"].split(), name
    assert running.log.find("privilege")


@pytest.mark.seccomp
def test_workers_are_under_seccomp(running):
    for pid in running.worker_pids():
        assert processes.status(pid)["Seccomp"] == "2", "a filter, not nothing"
    assert running.log.find("sandbox")


@pytest.mark.root
def test_workers_keep_only_their_channel_and_their_temporary_directory(running):
    for pid in running.worker_pids():
        targets = sorted(link for number, link in processes.links(pid).items() if number > 2)
        assert len([t for t in targets if t.startswith("socket:")]) == 1, targets
        assert len([t for t in targets if re.search(r"/postern-\w+/p0/\d+$", t)]) <= 1, targets
        assert len(targets) <= 2, targets


def test_nobody_dumps_core(running):
    for pid in processes.descendants(running.process.pid):
        limits = open(f"/proc/{pid}/limits", encoding="ascii").read()
        line = next(entry for entry in limits.splitlines() if entry.startswith("Max core file size"))
        assert line.split()[4] == "0", processes.command_line(pid)


# --- the spool directory ---

def user_of_edge(postern):
    return int(processes.status(postern.edge_pid())["Uid"].split()[1])


def test_sticky_spoolbase_gets_a_private_directory(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    assert pair.deliver(mail.of_size(300_000)).code == 250
    (own,) = list(pair.postern.spool.iterdir())
    status = own.lstat()
    assert stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o700
    assert status.st_uid == user_of_edge(pair.postern)
    assert not pair.postern.spool_files()


@pytest.mark.root
def test_missing_spoolbase_is_created_for_the_edge_alone(start_pair, database, directory):
    pair = start_pair(engines=clamav_stanza(database), spool=directory / "made")
    assert pair.deliver(mail.of_size(300_000)).code == 250
    status = (directory / "made").lstat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o700, user_of_edge(pair.postern))


def assert_does_not_serve(postern, word):
    """It ends with an error and says why."""
    postern.ends_with(78)
    assert word in "\n".join(postern.log.lines), postern.log.tail()


# B42
def test_spoolbase_that_others_can_write_and_that_is_not_sticky_is_refused(start_postern, database, directory):
    spool = directory / "open"
    spool.mkdir()
    spool.chmod(0o777)
    postern = start_postern(wait_ready=False, engines=clamav_stanza(database), spool=spool)
    postern.book.excuse("L6", because="the edge refuses its spool")
    assert_does_not_serve(postern, "spoolbase")
    postern.kill()


# B42
def test_link_in_the_place_of_the_private_directory_is_not_followed(start_pair, start_postern, database, directory):
    first = start_pair(engines=clamav_stanza(database))
    assert first.deliver(mail.plain()).code == 250
    name = next(first.postern.spool.iterdir()).name
    first.postern.stop()
    trap, spool = directory / "trap", directory / "trapped-spool"
    trap.mkdir()
    trap.chmod(0o777)
    spool.mkdir()
    spool.chmod(0o1777)
    (spool / name).symlink_to(trap)

    postern = start_postern(wait_ready=False, engines=clamav_stanza(database), spool=spool)
    postern.book.excuse("L6", because="the edge may refuse its spool")
    until(lambda: postern.process.poll() is not None or postern.log.find("ready"), "it ends or is ready", 60)
    if postern.process.poll() is None:
        # Another name of its own is as good as ending, as long as nothing goes through the link.
        with Client(postern.port) as client:
            client.ehlo()
            assert client.message(mail.of_size(300_000)).code == 250
    else:
        postern.ends_with(78)
    assert list(trap.iterdir()) == []
    postern.kill()


@pytest.mark.root
def test_spool_is_empty_after_the_edge_was_killed_in_a_large_message(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    with Client(pair.port) as client:
        client.ehlo()
        client.start_data()
        client.send(mail.of_size(2_000_000))
        edge = pair.postern.edge_pid()
        until(lambda: any("(deleted)" in link for link in processes.links(edge).values()), "the message is in an unnamed file")
        pair.postern.hurt("edge")
        client.rest()
    pair.log.wait_for("child-exit")
    pair.postern.check_nothing_in_spool()
    assert pair.backend.mails == []


# --- command line ---

def test_port_in_use_is_said_and_ends_with_an_error(start_postern, database):
    first = start_postern(engines=clamav_stanza(database))
    home = first.directory / "second"
    home.mkdir()
    second = Postern(home, backend_port=1, engines=clamav_stanza(database))
    second.configuration.listen_port = first.port
    second.start(wait_ready=False)
    try:
        second.ends_with(71)
        assert f"127.0.0.1:{first.port}" in "\n".join(second.log.lines)
    finally:
        second.kill()


def test_check_of_a_good_configuration_is_0_and_connects_nowhere(make_postern, database, backend):
    done = make_postern(engines=clamav_stanza(database)).check()
    assert done.returncode == 0, done.stderr
    assert backend.sessions == []


def test_check_reports_every_error_with_its_place(make_postern, database):
    broken = make_postern(engines=clamav_stanza(database, timeout=0, nonsense=1, action="purge"))
    done = broken.check()
    assert done.returncode == 1
    for word in ("timeout", "nonsense", "purge"):
        assert any(word in line and str(broken.path) + ":" in line for line in done.stderr.splitlines()), (word, done.stderr)
    assert broken.run("--config", broken.path).returncode == 78


def test_check_warns_of_a_configuration_without_engines(make_postern):
    done = make_postern(engines="").check()
    assert done.returncode == 0
    assert "warning" in done.stderr
    assert "warning" not in make_postern(engines="scan = off\n").check().stderr


def test_check_names_the_missing_rar_module(make_postern, database):
    query = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status} ", "libclamunrar*"], capture_output=True, text=True, check=False)
    done = make_postern(engines=clamav_stanza(database)).check()
    assert ("libclamunrar" in done.stderr) == ("installed" not in query.stdout.split())


def test_dumped_configuration_loads_again_and_dumps_the_same(make_postern, database, directory):
    postern = make_postern(engines=clamav_stanza(database))
    postern.check()
    first = postern.run("--dump-config", "--config", postern.path)
    assert first.returncode == 0, first.stderr
    again = directory / "again.conf"
    again.write_text(first.stdout)
    second = postern.run("--dump-config", "--config", again)
    assert second.stdout == first.stdout
    assert str(database) in first.stdout


def test_version_reference_and_usage(make_postern):
    postern = make_postern(engines="")
    assert postern.run("--version").stdout.startswith("postern ")
    reference = postern.run("--dump-reference")
    assert reference.returncode == 0 and "max_message_size" in reference.stdout
    assert postern.run("--nonsense").returncode == 64
    assert postern.run("--check", "--config", "/nonexistent/postern.conf").returncode == 1


def test_started_without_root_everything_runs_as_that_user(directory, database, backend):
    if os.geteuid() != 0:
        pytest.skip("the other tests run without root already")
    home = directory / "user"
    home.mkdir()
    home.chmod(0o777)
    # The clone may stand where nobody else can go: the programs are copied to where everybody can.
    for name in ("postern", "postern-scan"):
        (directory / "bin").mkdir(exist_ok=True)
        subprocess.run(["cp", Postern(home, backend_port=1, engines="").build / "bin" / name, directory / "bin" / name], check=True)
    postern = Postern(home, backend_port=backend.port, build=directory, engines=clamav_stanza(database))

    def become_nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    postern.limits = become_nobody
    try:
        postern.start()
        with Client(postern.port) as client:
            client.ehlo()
            assert client.message(mail.of_size(300_000)).code == 250
            assert client.message(mail.with_attachment(mail.test_virus())).code == 550
        for pid in processes.descendants(postern.process.pid):
            assert set(processes.status(pid)["Uid"].split()) == {"65534"}
        postern.stop()
    finally:
        postern.kill()


def test_events_of_two_posterns_do_not_mix(start_postern, database):
    one, two = start_postern(engines=clamav_stanza(database)), start_postern(engines=clamav_stanza(database))
    results = []
    threads = [threading.Thread(target=lambda p=p: results.append(Client(p.port).greeting.code)) for p in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [220, 220]
    assert (ROOT / "deploy/demo").exists()


def test_drain_timeout_says_421_to_what_is_left_and_logs_its_message(start_postern, database, backend):
    postern = start_postern(engines=clamav_stanza(database), top={"drain_timeout": "300ms"})
    with Client(postern.port) as client:
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        client.send(b"Subject: never finished\r\n")
        postern.terminate()
        client.expect(421)
        assert client.at_end()
    postern.stop()
    postern.log.wait_for("message", outcome="shutdown")
    assert not postern.log.find("child-exit")
    assert backend.mails == []


def test_signals_without_a_meaning_do_not_end_the_service(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        os.kill(pair.postern.supervisor_pid(), number)
    assert pair.deliver(mail.plain()).code == 250


def test_loss_of_the_scan_host_and_its_return_are_logged(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    mark = pair.log.mark()
    pair.postern.hurt("scan")
    pair.log.wait_for("engine-down", since=mark, engine="clamav1")
    pair.log.wait_for("engine-ready", since=mark, engine="clamav1", count=2)  # the new host's own line, and the edge's
    assert pair.deliver(mail.plain()).code == 250
