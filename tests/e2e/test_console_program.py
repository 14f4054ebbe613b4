# SPDX-License-Identifier: MIT
"""The program postern-console: its words, its standard input, terminals, and sockets behind which nobody trustworthy sits."""
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest
from harness.places import BUILD, SOON


def test_the_programs_own_answers(tmp_path):
    def run(*words, **options):
        return subprocess.run([BUILD / "bin/postern-console", *words], capture_output=True, text=True, timeout=SOON, check=False, **options)
    assert run("--version").stdout.startswith("postern-console ")
    assert run("--help").stdout.startswith("usage: postern-console [--timeout SECONDS] SOCKET [COMMAND...]\n")
    for words in ((), ("--nonsense",), ("--timeout", "x", "/s"), ("/" + "x" * 200, "help")):
        wrong = run(*words)
        assert wrong.returncode == 2 and wrong.stdout == "" and "usage:" in wrong.stderr, words


WORDS = [("stats",), ("json", "antivirus", "stats"), ()]  # the last: commands from standard input, which is empty


@pytest.mark.parametrize("words", WORDS, ids=["a command", "in JSON", "no command"])
def test_where_nobody_can_be_asked_the_program_says_why_and_what_to_look_at(directory, words):
    def run(path, **options):
        done = subprocess.run([BUILD / "bin/postern-console", path, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=SOON, check=False, **options)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert done.stderr.startswith(f"postern-console: {path}: ") and done.stderr.count("\n") == 1, done
        return done.stderr
    missing = run(directory / "none")
    assert "No such file or directory" in missing and "is postern running" in missing and "Control_Listener" in missing
    (directory / "file").write_text("words")
    assert "this is no socket" in run(directory / "file") and "this is no socket" in run(directory)
    assert "Not a directory" in run(directory / "file" / "socket")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / "dead"))
    refused = run(directory / "dead")
    assert "Connection refused" in refused and "its log says which" in refused


@pytest.mark.root
@pytest.mark.parametrize("words", WORDS, ids=["a command", "in JSON", "no command"])
def test_who_may_not_connect_is_told_which_options_say_so(start_console, directory, words):
    _, console = start_console()
    program = shutil.copy(console.program, directory)  # a checkout may be closed to others
    done = subprocess.run([program, console.path, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, user=12345, group=12345,
                          extra_groups=[], timeout=SOON, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert f"{console.path}: Permission denied" in done.stderr and "file_mode, file_owner and file_group" in done.stderr


def test_half_a_command_is_answered_with_the_whole_one(start_console):
    _, console = start_console()
    for words, says in ((["stats"], "antivirus[:NAME] stats  |  cache stats [ENGINE]  |  threads stats"), (["version"], "antivirus[:NAME] version"), (["engine", "stop", "fake1"], "engine disable NAME"),
                        (["quarantine", "release"], "quarantine release ID"), (["enginge", "list"], 'did you mean "engine"?')):
        refused = console.run(*words)
        assert (refused.returncode, refused.stdout) == (2, "") and says in refused.stderr, refused
    assert console.ask("engine list") == console.ask("engine", "list"), "quoted as a whole"
    assert {line.split()[0] for line in console.ask("help", "list").splitlines()} == {"engine", "cache", "quarantine"}


def test_answers_that_nobody_can_take_are_an_error_and_no_hang(start_console):
    _, console = start_console()
    with open("/dev/full", "w") as full:
        done = subprocess.run([console.program, console.path, "help"], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=SOON, check=False)
    assert done.returncode == 2 and "standard output: No space left on device" in done.stderr, done
    # As `| head -1` does.
    head = subprocess.run(["sh", "-c", '"$0" "$1" help | head -1', console.program, console.path], capture_output=True, text=True, timeout=SOON, check=False)
    assert head.stdout.count("\n") == 1 and head.stderr == "", head
    many = "help\n" * 200
    closed = subprocess.run(["sh", "-c", '"$0" "$1" | head -1', console.program, console.path], input=many, capture_output=True, text=True, timeout=SOON,
                            check=False)
    assert closed.stdout.count("\n") == 1 and closed.stderr == "", closed


@pytest.mark.parametrize("said,complaint", [(b"220 mail.example.org ESMTP\r\n", "no console of postern"), (b"0 10\nhalf", "before the answer was complete"),
                                            (b"", "before the answer was complete"), (None, "no answer within 1 seconds")])
def test_the_program_does_not_trust_who_answers(directory, said, complaint):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(directory / "socket"))
        server.listen()
        client = subprocess.Popen([BUILD / "bin/postern-console", "--timeout", "1" if said is None else "60", directory / "socket", "help"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        connection, _ = server.accept()
        with connection:
            if said is not None:
                assert connection.recv(100) == b"help\n"
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
            out, err = client.communicate(timeout=SOON)
        assert (client.returncode, out) == (2, "") and complaint in err


def test_commands_from_standard_input(start_console):
    _, console = start_console()
    done = console.run(stdin=None, input="threads CPU queue\n\nengine enable nobody\nthreads CPU queue\nquit\nengine list\n")
    assert done.returncode == 1 and done.stdout == "Jobs in the CPU pool\n0 jobs\n" * 2 and "nobody" in done.stderr
    assert console.run(stdin=None, input="threads CPU queue").stdout == "Jobs in the CPU pool\n0 jobs\n"
    assert console.run(stdin=None, input="").returncode == 0
    assert console.run(stdin=None, input="nonsense\nengine list\n").returncode == 2


def test_words_with_blanks_and_quotes_arrive_as_they_are(start_console):
    _, console = start_console()
    failed = console.run("engine", "enable", 'two words and a " and a \\')
    assert failed.returncode == 1 and '"two words and a " and a \\"' in failed.stderr
    assert console.run("engine", "enable", "caf\u00e9").returncode == 2


def test_on_a_terminal_there_is_a_prompt_with_the_time(start_console):
    _, console = start_console()
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="dumb", HOME="/nonexistent")
        os.execv(console.program, [str(console.program), console.path])
    seen = b""

    def wait_for(pattern, count=1):
        nonlocal seen
        deadline = time.monotonic() + SOON
        while len(re.findall(pattern, seen)) < count:
            ready, _, _ = select.select([terminal], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{pattern} {count} times in {seen}"
            seen += os.read(terminal, 4096)

    prompt = rb"\d\d:\d\d:\d\d " + re.escape(console.path.encode()) + rb"> "
    try:
        wait_for(prompt)
        os.write(terminal, b"threads CPU queue\n")
        wait_for(rb"Jobs in the CPU pool\r\n0 jobs\r\n")
        wait_for(prompt, 2)
        os.write(terminal, b"nonsense\n")
        wait_for(rb"unknown command")
        os.write(terminal, b"quit\n")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        child = 0
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(terminal)
