# SPDX-License-Identifier: MIT
"""The console: who may use it, and clients that misbehave."""
import json
import os
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from harness import mail, processes
from harness.console import Console, listener
from harness.places import SOON, until
from harness.postern import fake_stanza

POSTERN_USER = 65534  # there is no account "postern" on a test machine, so it is nobody's


# --- who may use it ---

def run_as(console, user, *words, groups=()):
    copy = Path(console.path).parent / "postern-console"  # where everybody may execute it, wherever the build tree is
    if not copy.exists():
        shutil.copy(console.program, copy)
        copy.chmod(0o755)
    console.program = copy
    return console.run(*words, user=user, group=user, extra_groups=list(groups), cwd="/")


@pytest.mark.root
def test_the_socket_belongs_to_posterns_user_and_lets_root_and_him_in(start_console):
    pair, console = start_console()
    state = os.lstat(console.path)
    assert stat.S_ISSOCK(state.st_mode) and stat.S_IMODE(state.st_mode) == 0o660
    assert state.st_uid == POSTERN_USER == int(processes.status(pair.postern.edge_pid())["Uid"].split()[0])
    assert run_as(console, POSTERN_USER, "threads", "stats").returncode == 0
    stranger = run_as(console, 1, "threads", "stats")
    assert stranger.returncode == 2 and "Permission denied" in stranger.stderr


# B44
@pytest.mark.root
def test_the_kernel_is_asked_who_connects(start_console):
    """file_mode lets everybody connect; that alone is not enough."""
    pair, console = start_console(control={"file_mode": "0666", "allow": "( bin @games )"})
    for user, groups, permitted in ((0, (), True), (POSTERN_USER, (), True), (2, (), True), (1, (), False), (1, (60,), True), (60, (), True)):
        answer = run_as(console, user, "engine", "disable", "fake1", groups=groups)
        if permitted:
            assert answer.returncode == 0, (user, groups, answer)
            pair.log.wait_for("console", by="root" if user == 0 else f"uid {user}")
        else:
            assert (answer.returncode, answer.stderr) == (2, "uid 1: not permitted\n")
    assert pair.log.wait_for("refuse", client="uid 1")["reason"] == "not permitted"
    console.ask("engine", "enable", "fake1")


@pytest.mark.root
def test_the_file_has_the_owner_and_mode_of_the_options(start_console):
    _, console = start_console(control={"file_mode": "0600", "file_owner": "daemon", "file_group": "games"})
    state = os.lstat(console.path)
    assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (1, 60, 0o600)


@pytest.mark.root
@pytest.mark.parametrize("option", ["file_owner", "file_group"])
def test_an_owner_that_does_not_exist_is_no_start(make_postern, directory, option):
    postern = make_postern(engines=fake_stanza() + listener(directory / "control", **{option: "postern-nobody-of-that-name"}))
    postern.start(wait_ready=False)
    postern.ends_with(78)
    assert "postern-nobody-of-that-name" in postern.log.wait_for("config")["reason"]


@pytest.mark.parametrize("scope,finding", [
    ('Listen "127.0.0.1:2025" { }', "Listen \"127.0.0.1:2025\": expected the absolute path of a unix socket: a console over TCP is not built"),
    ('Listen "control" { }', "expected the absolute path of a unix socket"),
    ('Listen "/' + "x" * 120 + '" { }', "the path of a socket has at most 107 characters"),
    ('Listen "/run/x" { file_mode = 0888 }', "expected octal digits"),
    ('Listen "/run/x" { allow = ( "@" ) }', "expected names of users"),
    ('Listen "/run/x" { backlog = 3 }', "backlog"),
])
def test_findings_about_the_listener(make_postern, scope, finding):
    checked = make_postern(engines=fake_stanza() + f"Control_Listener {{ {scope} }}\n").check()
    assert checked.returncode != 0 and finding in checked.stderr + checked.stdout, checked


def test_options_are_inherited_and_a_useless_one_is_warned_about(make_postern):
    checked = make_postern(engines=fake_stanza() + 'Control_Listener "Local" { file_mode = 0660 allow = ( games ) Listen "/run/a" { } Listen "/run/b" '
                           '{ file_mode = 0666 } Listen "/run/c" { Enable = false } }\n').check()
    assert checked.returncode == 0, checked
    warnings = [line for line in checked.stderr.splitlines() if "file_owner" in line]
    assert len(warnings) == 2, checked  # of the two that have 0660


def test_each_socket_answers_and_all_are_removed_at_the_end(start_pair, directory):
    paths = [directory / name / "control" for name in ("one", "two")]
    scopes = " ".join(f'Listen "{path}" {{ }}' for path in paths)
    pair = start_pair(engines=fake_stanza() + f"Control_Listener {{ {scopes} Listen \"{directory}/off\" {{ enable = false }} }}\n")
    for path in paths:
        assert Console(path).ask("engine", "list")
    assert not (directory / "off").exists()
    pair.postern.stop()
    assert not any(path.exists() for path in paths)
    assert all(path.parent.is_dir() for path in paths)


def test_a_socket_that_a_killed_postern_left_is_replaced_and_a_live_one_is_not(start_console, make_postern):
    pair, console = start_console()
    scope = listener(console.path)
    other = make_postern(engines=fake_stanza() + scope).start(wait_ready=False)
    other.ends_with(71)
    assert "in use" in other.log.wait_for("config")["reason"]
    assert console.ask("engine", "list")  # its socket was not touched
    pair.postern.hurt("supervisor")
    pair.postern.process.wait()
    until(lambda: console.run("engine", "list").returncode == 2, "nobody answers any more")
    assert os.path.exists(console.path)
    third = make_postern(engines=fake_stanza() + scope)
    try:
        third.start()
        assert console.ask("engine", "list")
        third.stop()
    finally:
        third.kill()


# --- clients that misbehave ---

FLOOD = 1 << 13  # octets of a flood that wait in the kernel: hundreds of requests, whose answers are several times what a session may have waiting


# B44
def test_hostile_clients_harm_nobody(start_console):
    pair, console = start_console(control={"idle_timeout": "2s"})
    hostile = [console.session() for _ in range(24)]
    chance = __import__("random").Random(7)
    for number, session in enumerate(hostile):
        session.socket.setblocking(False)
        session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, FLOOD)
        try:
            if number % 4 == 0:
                session.send(chance.randbytes(4096))  # garbage
            elif number % 4 == 1:
                session.send(b"antivirus sta")  # half a line
            elif number % 4 == 2:
                while True:
                    session.send(b"json help\n" * 1000)  # a flood whose answers nobody reads
            else:
                session.send(b"\n" * 4096)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
    for _ in range(5):
        assert pair.deliver(mail.plain()).code == 250
        assert console.ask("antivirus", "stats")
    until(lambda: all(not is_open(session) for session in hostile), "all were closed at last")
    for session in hostile:
        session.socket.close()
    assert console.json("antivirus", "stats")["engines"][0]["messages_checked"] == 5


def is_open(session):
    """Reads on; false once the connection has ended."""
    session.socket.setblocking(False)
    try:
        while True:
            if not session.socket.recv(1 << 16):
                return False
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def test_an_idle_session_is_told_and_ended(start_console):
    _, console = start_console(control={"idle_timeout": "1s"})
    with console.session() as session:
        assert session.answer() == (2, b"no command for 1 seconds\n")
        assert session.at_end()


def test_many_sessions_are_served_and_too_many_are_not(start_console):
    pair, console = start_console(control={"max_sessions": 10})
    room = 12 if os.geteuid() == 0 else 10  # two are kept free for root
    sessions = [console.session() for _ in range(room)]
    for session in sessions:
        assert session.ask("threads CPU queue") == (0, b"Jobs in the CPU pool\n0 jobs\n")
    with console.session() as late:
        status, text = late.answer()
        assert status == 2 and text.endswith(b": too many sessions\n")
        assert late.at_end()
    assert pair.log.wait_for("refuse")["reason"] == "too many sessions"
    for session in sessions:
        session.socket.close()
    until(lambda: console.run("engine", "list").returncode == 0, "there is room again")
    for _ in range(3):
        clients = [subprocess.Popen([console.program, console.path, "threads", "stats"], stdout=subprocess.PIPE) for _ in range(8)]
        assert [client.communicate(timeout=SOON)[0] for client in clients] == [b"CPU thread pool: concurrency 2\n"] * 8


def test_requests_are_answered_in_order_over_one_connection(start_console):
    _, console = start_console()
    with console.session() as session:
        session.send(b"threads CPU queue\nnonsense\r\njson threads CPU queue\nengine enable nobody\n")
        assert session.answer()[0] == 0
        assert session.answer()[0] == 2
        status, text = session.answer()
        assert status == 0 and json.loads(text)["pools"][0]["queued"] == 0
        assert session.answer()[0] == 1


def test_after_a_restart_of_the_edge_the_console_is_back_with_new_figures(start_console):
    pair, console = start_console()
    assert pair.deliver(mail.plain()).code == 250
    with console.session() as session:
        assert session.ask("engine list")[0] == 0
        before = pair.postern.hurt("edge")
        assert session.at_end()
    # Whoever connects meanwhile waits for the next edge.
    figures = until(lambda: console.run("json", "antivirus", "stats").stdout, "an answer")
    assert json.loads(figures)["engines"][0]["messages_checked"] == 0
    assert pair.postern.edge_pid() != before
    until(lambda: pair.deliver(mail.plain()).code == 250, "mail passes")


def test_the_console_answers_until_the_end_and_a_drain_does_not_wait_for_it(start_console):
    pair, console = start_console()
    with console.session() as session:
        assert session.ask("engine list")[0] == 0
        pair.postern.terminate()
        pair.postern.stop()
        assert session.at_end()
