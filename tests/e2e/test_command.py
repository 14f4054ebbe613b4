# SPDX-License-Identifier: MIT
"""The engine command: a scanner program run once for each message, one that misbehaves in every way (C14), and the real clamscan."""
import hashlib
import os
import shutil
import signal
import threading

import pytest
from harness import mail, processes
from harness.peers import unpack
from harness.places import BUILD, until
from harness.postern import make_database

HOSTILE = BUILD / "tests/hostile_command"
DETECTED = "Test.Payload"
SIGNATURE = "Test.Payload:0:*:" + mail.PAYLOAD.hex() + "\n"


def bad():
    return mail.plain(mail.PAYLOAD + b"\r\n")


def listed(values):
    return "( " + " ".join(f'"{value}"' for value in values) + " )"


def stanza(argv, pool="Concurrency = 3", **options):
    values = {"argv": listed(argv), "virus_pattern": '"*: %v FOUND"', "timeout": "20s", "max_concurrency": 1, "breaker_failures": 0, "test_string": "ignored", **options}
    inner = " ".join(f"{key} = {value}" for key, value in values.items() if value is not None)
    return f'ThreadPool "IO" {{ {pool} }}\nantivirus {{ command "cmd1" {{ {inner} }} }}\n'


def order(text):
    return mail.plain(headers=[b"X-Command: " + text.encode()])


@pytest.fixture
def scanner(directory):
    """The hostile program, where every user may execute it."""
    (directory / "bin").mkdir()
    return shutil.copy(HOSTILE, directory / "bin/scanner")


@pytest.fixture
def start(start_pair, scanner):
    return lambda *arguments, **options: start_pair(engines=stanza([scanner, *(arguments or ("--quiet", "%s"))], **options))


def send(pair, content, code):
    """The log line of CONTENT, which must have been answered with CODE."""
    mark = pair.log.mark()
    reply = pair.deliver(content)
    assert reply.code == code, (reply, pair.log.tail(10))
    return pair.log.wait_for("message", since=mark, sha256=hashlib.sha256(content).hexdigest())


def assert_passes(pair, content=None):
    return send(pair, content or mail.plain(), 250)


def assert_infected(pair, content=None, name=DETECTED):
    event = send(pair, content or bad(), 550)
    assert (event["verdict"], event["virus"]) == ("infected", name), event
    return event


def assert_error(pair, content, *reasons):
    event = send(pair, content, 451)
    assert (event["verdict"], event["reason"] in reasons) == ("error", True), event
    return event


def group_of_runner(pair):
    """Processes that the runners have started and that are still there."""
    return [child for runner in pair.postern.scanner_pids("IO") for child in processes.children(runner)]


# --- good days ---

@pytest.mark.parametrize("arguments", [("--quiet", "%s"), ("--quiet",)], ids=["path", "standard input"])
def test_clean_passes_and_a_virus_is_refused(start, arguments):
    pair = start(*arguments)
    content = mail.plain(b"..dots\r\n.\xe4\r\n")
    assert_passes(pair, content)
    event = assert_infected(pair)
    assert event["engine"] == "cmd1", event
    assert_infected(pair, mail.of_size(500_000) + mail.PAYLOAD + b"\r\n")
    assert_passes(pair, mail.of_size(3 << 20))
    assert group_of_runner(pair) == []
    ready = pair.log.wait_for("engine-ready", engine="cmd1", type="command", pool="IO")
    assert "scanner" in ready["version"], ready


def test_a_program_that_looks_at_nothing_is_doubted_from_the_beginning(start_pair):
    pair = start_pair(engines=stanza(["/bin/true", "%s"], test_string="remembered"))
    assert "looks at nothing" in pair.log.wait_for("engine-doubt", engine="cmd1", doubt="test-string")["reason"]
    assert_passes(pair)  # as before


def test_several_at_a_time(start):
    pair = start(max_concurrency=3)
    codes = []
    threads = [threading.Thread(target=lambda i=i: codes.append((i % 2, pair.deliver(bad() if i % 2 else mail.plain()).code))) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(codes) == [(0, 250)] * 6 + [(1, 550)] * 6
    assert len(pair.postern.scanner_pids("IO")) == 3


CODES = [
    # order, options; code, verdict, reason or virus
    ("exit 0", {}, 250, "clean", None),
    ("exit 1", {}, 550, "infected", "Unknown"),
    ("exit 2 broken database", {}, 451, "error", "engine"),
    ("exit 255", {}, 451, "error", "engine"),
    ("exit 3", {"infected_codes": "( 3 4 )"}, 550, "infected", "Unknown"),
    ("exit 1", {"infected_codes": "( 3 4 )"}, 451, "error", "engine"),
    ("exit 9", {"unscannable_codes": "( 9 10 )"}, 550, "unscannable", "unsupported"),
    ("exit 7", {"clean_codes": "( 0 7 )"}, 250, "clean", None),
    ("exit 0", {"clean_codes": "( )"}, 451, "error", "engine"),
    ("say 0 x: Some.Virus FOUND", {}, 550, "infected", "Some.Virus"),
    ("say 2 x: Some.Virus FOUND", {}, 550, "infected", "Some.Virus"),
    ("say 1 found the virus <A B>", {"virus_pattern": '( "x %v" "found the virus <%v>" )'}, 550, "infected", "A B"),
    ("say 0 x: Some.Virus FOUND", {"virus_pattern": None}, 250, "clean", None),
]


@pytest.mark.parametrize("text, options, code, verdict, word", CODES, ids=[f"{row[0]} {row[1]}" for row in CODES])
def test_what_exit_code_and_output_mean(start, text, options, code, verdict, word):
    pair = start(**options)
    if options.get("clean_codes") == "( )":
        pair.postern.book.excuse("L6", because="no exit code is clean")
    event = send(pair, order(text), code)
    assert (event["verdict"], event.get("virus") or event.get("reason")) == (verdict, word), event
    if "broken" in text:
        assert "exit code 2" in event["detail"], event


# --- bad days ---

TROUBLE = {
    "abort": ("crash",),
    "hang": ("timeout",),
    "spin": ("timeout", "crash"),
    # what tries to leave its cage is killed, or told no
    "forks": ("crash", "engine"),
    "daemonize": ("crash", "engine"),
    "exec": ("crash", "engine"),
    "shell": ("crash", "engine"),
    "socket": ("crash", "engine"),
    "kill-parent": ("crash", "engine"),
    "open /etc/passwd": ("engine",),
    "open /proc/1/cmdline": ("engine",),
    "write /var/tmp/escaped": ("engine",),
}


@pytest.mark.parametrize("text", TROUBLE)
def test_a_misbehaving_program_costs_one_message_a_451(start, text):
    if os.environ.get("POSTERN_NO_SECCOMP") == "1" and text in ("forks", "daemonize", "socket", "kill-parent"):
        pytest.skip("seccomp is lifted")
    pair = start(timeout="3s" if "timeout" in TROUBLE[text] else "30s")
    assert_error(pair, order(text), *TROUBLE[text])
    assert group_of_runner(pair) == [], "nothing is left of it"
    assert_passes(pair)
    assert_infected(pair)


def test_what_is_printed_beyond_a_bound_is_never_taken_for_clean(start):
    pair = start(timeout="60s")
    assert send(pair, order("print 20"), 550)["reason"] == "limit", "a line that names a virus may be in the rest"
    by_output = order("print 2").replace(b"Nothing but words", mail.PAYLOAD)
    event = send(pair, by_output, 550)
    assert event["virus"] == "Unknown", "the name comes behind what is kept; the exit code counts"
    assert_passes(pair)


def test_a_find_behind_the_bound_is_not_clean_where_only_output_tells(start):
    pair = start(timeout="60s", clean_codes="( 0 1 )", infected_codes="( 99 )")
    assert_infected(pair)
    event = send(pair, order("print 2").replace(b"Nothing but words", mail.PAYLOAD), 550)
    assert (event["verdict"], event["reason"]) == ("unscannable", "limit"), event


def test_what_is_printed_does_not_matter_where_only_the_exit_code_tells(start):
    pair = start(timeout="60s", virus_pattern="( )")
    assert_passes(pair, order("print 20"))


def test_a_find_counts_though_the_program_then_hangs(start):
    pair = start(timeout="3s")
    assert_infected(pair, order("silent-hang"), name="Found.Before")
    assert group_of_runner(pair) == []
    assert_passes(pair)


def test_names_are_made_harmless(start):
    pair = start()
    for name in ("\x1b[31mEvil\x7f%n", "N" * 900):
        reply = pair.deliver(order(f"say 1 x: {name} FOUND"))
        assert reply.code == 550 and len(reply.text) < 512, reply
        assert all(0x20 <= ord(c) < 0x7F for c in reply.text), reply


def test_a_message_leaves_nothing_for_the_next(start):
    pair = start()
    assert_passes(pair, order("leave"))
    assert_passes(pair, order("leave"))  # it would fail if there were something: the file is not new then


def test_the_disk_of_a_run_is_limited(start):
    pair = start(pool="Concurrency = 1 Temp_Size = 8M", timeout="60s")
    assert_error(pair, order("disk 64"), "engine", "crash")
    assert_passes(pair)


def test_what_it_sees_of_us(start):
    event = send(start(), order("report"), 550)
    environment, *descriptors = event["virus"].split(" ")
    assert environment.split(":") == ["env", "PATH", "LANG", "TMPDIR"], event
    assert descriptors == ["0", "1", "2"] or descriptors == ["0", "1", "2", "3"], event  # 3: the message that it has open


def test_it_runs_in_a_cage(start):
    pair = start(timeout="60s")
    done = []
    thread = threading.Thread(target=lambda: done.append(pair.deliver(order("hang"))))
    thread.start()
    child = until(lambda: group_of_runner(pair), "the program runs")[0]
    until(lambda: "scanner" in os.readlink(f"/proc/{child}/exe"), "it is executed")
    status = processes.status(child)
    assert status["NoNewPrivs"] == "1"
    if os.environ.get("POSTERN_NO_SECCOMP") != "1":
        assert status["Seccomp"] == "2" and int(status["Seccomp_filters"]) >= 2, status
    assert os.getpgid(child) == child, "its own group"
    # its runner is killed: it goes too, and the message gets its answer at once
    pair.postern.book.killed.update(["worker"])
    (runner,) = pair.postern.scanner_pids("IO")
    os.kill(runner, signal.SIGKILL)
    thread.join(60)
    assert done and done[0].code == 451, done
    until(lambda: not os.path.exists(f"/proc/{child}") or processes.state(child) == "Z", "it ended with its runner")
    assert_passes(pair)


def test_max_filesize_makes_larger_messages_unscannable(start):
    pair = start(max_filesize="10K")
    event = send(pair, mail.of_size(20000), 550)
    assert (event["verdict"], event["reason"]) == ("unscannable", "too-large"), event
    assert_passes(pair)


# --- configuration ---

def test_a_program_that_is_not_there_is_named_and_mail_waits(start_pair, make_postern, directory):
    engines = stanza([directory / "nowhere", "%s"])
    checked = make_postern(engines=engines).check()
    assert checked.returncode == 0 and f"{directory}/nowhere: there is no such program" in checked.stderr, checked.stderr
    pair = start_pair(engines=engines)
    pair.postern.book.excuse("L6", because="its program is missing")
    event = assert_error(pair, mail.plain(), "down")
    assert "nowhere" in event["detail"], event


CHECKS = {
    "a directory": (lambda d, scanner: [d, "%s"], {}, "expected a regular file"),
    "not executable": (lambda d, scanner: [d / "plain", "%s"], {}, "expected a program that user "),
    "a script": (lambda d, scanner: [d / "script", "%s"], {}, "expected a program, not a script"),
    "a readable path that is missing": (lambda d, scanner: [scanner, "%s"], {"readable": '( "/nonexistent/signatures" )'},
                                        "cannot read /nonexistent/signatures: No such file or directory"),
    "the temporary directory": (lambda d, scanner: [scanner, "%s"], {"readable": '( "/tmp/" )'}, "covers /tmp, where other messages lie"),
    "what lies around it": (lambda d, scanner: [scanner, "%s"], {"readable": '( "{d}/around" )'}, "covers /tmp, where other messages lie"),
}


@pytest.mark.parametrize("row", CHECKS)
def test_check_looks_at_its_files(make_postern, directory, scanner, row, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/tmp")
    (directory / "plain").write_bytes(b"\x7fELF")
    (directory / "script").write_text("#!/bin/sh\n")
    (directory / "plain").chmod(0o644)
    (directory / "script").chmod(0o755)
    (directory / "around").symlink_to("/")
    argv, options, text = CHECKS[row]
    options = {key: value.format(d=directory) for key, value in options.items()}
    checked = make_postern(engines=stanza(argv(directory, scanner), **options)).check()
    assert checked.returncode == 0 and text in checked.stderr, checked.stderr
    good = make_postern(engines=stanza([scanner, "%s"], readable=listed([directory / "bin"]))).check()
    assert good.returncode == 0 and "argv" not in good.stderr and "readable" not in good.stderr, good.stderr


def test_a_program_that_was_replaced_is_the_next_that_runs(start, scanner, directory):
    pair = start(max_concurrency=2)
    assert_passes(pair)
    (runner, other) = until(lambda: len(pids := pair.postern.scanner_pids("IO")) == 2 and pids, "both run")
    shutil.copy(HOSTILE, directory / "bin/scanner.new")  # as a package's upgrade does it: another file, then its name
    os.rename(directory / "bin/scanner.new", scanner)
    for _ in range(3):
        assert_infected(pair)
        assert_passes(pair)
    ended = pair.log.wait_for("scanner-exit", engine="cmd1")
    assert ended["reason"] == "its program was replaced by another file: it is started again with that", ended
    until(lambda: not {runner, other} & set(pair.postern.scanner_pids("IO")), "both are replaced")
    assert not pair.log.find("scanner-exit", reason="the scanner ended: SIGKILL")
    # and what the name stands for is what runs
    shutil.copy("/bin/false", directory / "bin/scanner.new")
    os.rename(directory / "bin/scanner.new", scanner)
    event = send(pair, mail.plain(), 550)
    assert event["virus"] == "Unknown", "its exit code is 1"
    pair.postern.book.excuse("L6", because="what runs now finds everything infected")


@pytest.mark.seccomp
def test_one_that_its_cage_ends_is_told_from_one_that_ends_itself(start):
    pair = start()
    event = assert_error(pair, order("socket"), "crash")
    assert "ended by signal 31 (SIGSYS): a system call that its cage (profile exec) forbids" in event["detail"], event
    event = assert_error(pair, order("abort"), "crash")
    assert event["detail"].endswith("ended by signal 6"), event


def test_a_script_is_refused_by_name(start_pair, directory):
    script = directory / "scan.sh"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    pair = start_pair(engines=stanza([script, "%s"]))
    pair.postern.book.excuse("L6", because="its program is a script")
    event = assert_error(pair, mail.plain(), "down")
    assert "not a script" in event["detail"], event


# --- the real one ---

@pytest.fixture
def clamscan(directory):
    return shutil.copy(unpack("clamav") / "usr/bin/clamscan", directory / "clamscan")


def test_the_real_clamscan(start_pair, clamscan, directory):
    database = make_database(directory / "definitions", {"test.ndb": SIGNATURE})
    for last in (["%s"], ["-"]):
        pair = start_pair(engines=stanza([clamscan, "--no-summary", f"--database={database}", *last], timeout="60s", readable=listed([database])))
        assert_passes(pair)
        assert_infected(pair, name="Test.Payload.UNOFFICIAL")
        assert_infected(pair, mail.with_attachment(mail.in_zip(mail.PAYLOAD)), name="Test.Payload.UNOFFICIAL")
        assert_passes(pair)
    closed = start_pair(engines=stanza([clamscan, "--no-summary", f"--database={database}", "%s"], timeout="60s"))
    closed.postern.book.excuse("L6", because="it may not read its signatures")
    assert_error(closed, mail.plain(), "engine")
