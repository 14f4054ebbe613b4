# SPDX-License-Identifier: MIT
"""The engine csapi with a scanner program that is not ours and misbehaves in every way."""
import functools
import os
import shutil
import signal

import pytest
from harness import mail, processes, verdicts
from harness.places import BUILD, until
from harness.postern import csapi_stanza
from harness.verdicts import assert_error, assert_passes, send

HOSTILE = BUILD / "tests/hostile_scanner"
assert_infected = functools.partial(verdicts.assert_infected, name="Test.Payload.UNOFFICIAL")


@pytest.fixture
def hostile(directory):
    """Where every user can execute it."""
    program = directory / "scanner"
    shutil.copy(HOSTILE, program)
    program.chmod(0o755)
    return program


@pytest.fixture
def start_hostile(start_pair, directory, hostile):
    def start(begin="ready", **options):
        (directory / "orders").mkdir(exist_ok=True)
        (directory / "orders/start").write_text(begin + "\n")
        pair = start_pair(engines=csapi_stanza(**{"scanner_path": hostile, "database": directory / "orders", "timeout": "30s", **options}))
        pair.postern.reports_expected = True
        return pair
    return start


def order(text):
    return mail.plain(b"For the scanner.\r\n", ["X-Scanner: " + text])


def test_a_strangers_scanner_scans(start_hostile):
    pair = start_hostile()
    ready = pair.log.wait_for("engine-ready", engine="csapi1")
    assert (ready["version"], ready["database_version"]) == ("a stranger's scanner", 7), ready
    event = assert_passes(pair)
    assert event["database"] == 7
    assert_infected(pair, order("result infected virus Some.Name"), name="Some.Name")


RESULTS = {
    "clean code DEC_RESULT_OUTER_CONTAINER_IS_MIME": (250, "clean", None),
    "clean info some remark": (250, "clean", None),
    "clean code AVS_RESULT_VIRUS_FOUND": (550, "infected", None),
    "error code AVS_RESULT_VIRUS_FOUND;code GEN_RESULT_OUT_OF_MEMORY;virus V": (550, "infected", None),
    "unscannable code DEC_RESULT_ENCRYPTED_CONTAINER_DETECTED": (550, "unscannable", "encrypted"),
    "unscannable code DEC_RESULT_PARTIAL_MESSAGE_DETECTED": (550, "unscannable", "partial"),
    "clean code DEC_RESULT_MAXIMUM_DEPTH_REACHED": (550, "unscannable", "limit"),
    "unscannable code DEC_RESULT_MALFORMED_CONTAINER_DETECTED;code GEN_RESULT_OUT_OF_MEMORY": (550, "unscannable", "malformed"),
    "unscannable code DEC_RESULT_MALFORMED_CONTAINER_DETECTED;code AVS_RESULT_DEFINITIONS_MISSING": (451, "error", "down"),
    "error code GEN_RESULT_OUT_OF_MEMORY": (451, "error", "memory"),
    "error code LIC_RESULT_LICENSE_NOT_INSTALLED": (451, "error", "down"),
    "error": (451, "error", "engine"),
    "unscannable": (451, "error", "protocol"),
    "clean code NEW_RESULT_NEVER_HEARD_OF": (451, "error", "protocol"),
    "fine": (451, "error", "protocol"),
    "clean nonsense x": (451, "error", "protocol"),
}


@pytest.mark.parametrize("result", RESULTS)
def test_what_a_result_means(start_hostile, result):
    code, verdict, reason = RESULTS[result]
    pair = start_hostile()
    event = send(pair, order("result " + result), code)
    assert (event["verdict"], event.get("reason")) == (verdict, reason), event
    assert_passes(pair)


ORDERS = {
    # order: reasons that may stand in the log
    "crash": ("crash",), "abort": ("crash",), "exit 0": ("crash",), "exit 7": ("crash",),
    "hang": ("timeout",), "spin": ("timeout",), "delay 60000": ("timeout",),
    "garbage": ("protocol",), "wrong-id": ("protocol",), "long": ("protocol",), "descriptor": ("protocol",), "close": ("protocol", "timeout"),
    "nonsense": ("timeout",),
}


# C13, C14, C16
@pytest.mark.parametrize("what", ORDERS)
def test_a_failing_scanner_costs_one_message_a_451_and_the_next_passes(start_hostile, what):
    late = "timeout" in ORDERS[what]
    pair = start_hostile(timeout="2s" if late else "30s")
    assert_error(pair, *ORDERS[what], content=order(what))
    if late:  # those that come while the next one starts wait no longer than that either
        until(lambda: pair.deliver(mail.plain()).code == 250, "it was started again")
    else:
        assert_passes(pair)
    assert pair.log.wait_for("scanner-exit", engine="csapi1")


def test_a_word_too_many_ends_the_scanner_and_counts_for_no_other_message(start_hostile):
    pair = start_hostile()
    assert_passes(pair, order("twice"))
    pair.log.wait_for("scanner-exit", reason="the scanner spoke out of turn")
    assert_infected(pair, order("result infected virus Some.Name"), name="Some.Name")


@pytest.mark.parametrize("what", [*(pytest.param(what, marks=pytest.mark.seccomp) for what in ("fork", "exec", "socket", "kill")),
                                  "open /etc/passwd", "open /proc/1/environ", "write /tmp/escaped", "open /var/lib/dpkg/status"])
def test_a_scanner_cannot_leave_its_cage(start_hostile, what):
    pair = start_hostile()
    event = send(pair, order(what), 451)
    assert "Escaped" not in event.get("virus", ""), event
    assert event["reason"] in ("crash", "engine"), event
    assert_passes(pair)


def test_a_scanner_gets_nothing_of_ours(start_hostile):
    event = send(start_hostile(), order("report"), 550)
    assert event["virus"] == "env:PATH:LANG:TMPDIR fds", event


def test_what_a_scanner_leaves_in_its_directory_is_gone_with_it(start_hostile):
    pair = start_hostile()
    for what, code in (("leave", 250), ("crash", 451), ("leave", 250)):
        send(pair, order(what), code)
    assert_passes(pair)  # and the end of the test finds nothing left


def test_a_scanner_meets_the_quota_of_its_directory(start_pair, directory, hostile):
    pair = start_pair(engines=csapi_stanza(scanner_path=hostile, database=directory), pool={"Concurrency": 1, "temp_size": "4M"})
    pair.postern.reports_expected = True
    assert_error(pair, "engine", "crash", content=order("disk 20"))
    assert_passes(pair)


def test_a_scanner_that_prints_without_end_fills_no_disk_and_holds_nothing_up(start_hostile, directory):
    log = directory / "csapi.log"
    pair = start_hostile(scanner_log=log, timeout="60s")
    assert_passes(pair, order("print 24"))
    until(lambda: b"scanner_log is full" in log.read_bytes()[-4096:], "the log says that it is full")
    assert log.stat().st_size <= 16 << 20
    assert b"\x1b" not in log.read_bytes()[:4096]
    os.truncate(log, 0)  # as logrotate does with copytruncate
    assert_passes(pair, order("print 1"))
    until(lambda: log.stat().st_size >= 1 << 19, "there is room again")


STARTS = {
    "crash": "the scanner ended: ", "exit 3": "the scanner ended: exit status 3", "garbage": "the scanner's first message makes no sense",
    "refuse no licence": "the scanner cannot work: no licence", "close": "closed its channel",
}


@pytest.mark.parametrize("begin", STARTS)
def test_a_scanner_that_does_not_become_ready_is_down_with_its_reason_and_is_tried_again(start_hostile, directory, begin):
    pair = start_hostile(begin)
    event = assert_error(pair, "down", "timeout")
    if event["reason"] == "down":
        assert STARTS[begin] in event["detail"], event
    assert pair.log.wait_for("scanner-exit")["reason"].startswith(STARTS[begin][:20]) or begin == "close"
    starts = len(pair.log.find("scanner-start"))
    assert starts < 40, "there are pauses between the starts"
    (directory / "orders/start").write_text("ready\n")
    until(lambda: pair.deliver(mail.plain()).code == 250, "it was tried again")


def test_a_scanner_that_never_becomes_ready_costs_timeouts(start_hostile, directory):
    (directory / "orders").mkdir()
    pair = start_hostile("ready", timeout="1s")
    (directory / "orders/start").write_text("hang\n")
    assert_error(pair, "crash", "timeout", content=order("crash"))
    assert_error(pair, "timeout", "crash")
    (directory / "orders/start").write_text("ready\n")
    (scanner,) = until(pair.postern.scanner_pids, "the one that hangs")
    os.kill(scanner, signal.SIGKILL)
    until(lambda: pair.deliver(mail.plain()).code == 250, "it was started again")


def test_programs_that_cannot_be_used(start_pair, directory, hostile, database):
    script = directory / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    unsafe = directory / "unsafe"
    shutil.copy(hostile, unsafe)
    unsafe.chmod(0o777)
    plain = directory / "plain"
    shutil.copy(hostile, plain)
    plain.chmod(0o644)
    for path, text in ((directory / "nowhere", "No such file"), (script, "not a script"), (unsafe, "everybody may write it"),
                       (plain, "may execute"), (directory, "may execute")):
        engines = (f'antivirus {{ csapi "csapi1" {{ max_concurrency = 1 scanner_path = "{path}" on_error = next }} '
                   f'clamav "clamav1" {{ database = "{database}" }} }}\n')
        pair = start_pair(engines=engines)
        down = pair.log.wait_for("engine-down", engine="csapi1")
        assert text in down["reason"], down
        event = assert_passes(pair)  # by the other engine, in the same pool
        assert event["engines"] == "csapi1=error:down; clamav1=clean", event


# C13
def test_a_message_that_ends_three_scanners_is_poison(start_hostile):
    pair = start_hostile()
    content = order("crash")
    for _ in range(3):
        assert_error(pair, "crash", content=content)
    assert_error(pair, "poison", content=content)
    assert_passes(pair)


@pytest.mark.root  # to look into processes
def test_a_client_that_leaves_does_not_end_the_scanner(start_hostile):
    pair = start_hostile(timeout="60s")
    assert_passes(pair)
    before = pair.postern.scanner_pids()
    idle = until(lambda: processes.system_call(before[0]) not in ("running", "gone") and processes.system_call(before[0]), "the scanner waits")
    client = pair.client()
    client.ehlo()
    client.start_data()
    client.send(order("delay 1500") + b".\r\n")
    until(lambda: processes.system_call(before[0]) not in (idle, "running"), "the scanner works on it")
    client.reset()
    assert_passes(pair)
    assert pair.postern.scanner_pids() == before


@pytest.mark.root
def test_scanners_end_with_their_host(start_hostile):
    pair = start_hostile()
    assert_passes(pair)
    scanners = [processes.Watched(pid) for pid in pair.postern.scanner_pids()]
    pair.postern.hurt("scan")
    for scanner in scanners:
        scanner.wait_gone(10)
    until(lambda: pair.deliver(mail.plain()).code == 250, "mail flows again")
