# SPDX-License-Identifier: MIT
"""The engine csapi: postern-avscan behind it with every option, a scanner program that misbehaves in every way, and Symantec's daemon."""
import datetime
import functools
import io
import os
import re
import shutil
import signal
import subprocess
import threading
import zipfile

import pytest
from harness import mail, processes, verdicts
from harness.console import Console, listener as control_listener
from harness.emulators.base import Fault
from harness.emulators.symantec import Symantec, infected
from harness.places import BUILD, until
from harness.postern import asking_daemons, engine, make_database
from harness.verdicts import assert_error, assert_passes, send

AVSCAN = BUILD / "bin/postern-avscan"
HOSTILE = BUILD / "tests/hostile_scanner"
SIGNATURE = "Test.Payload:0:*:" + mail.PAYLOAD.hex() + "\n"
DETECTED = "Test.Payload.UNOFFICIAL"


def csapi_stanza(**options):
    values = {"max_concurrency": 1, "timeout": "20s", **options}
    inner = " ".join(f"{key} = {value}" if isinstance(value, int) else f'{key} = "{value}"' for key, value in values.items())
    return f'antivirus {{ csapi "csapi1" {{ {inner} }} }}\n'


assert_infected = functools.partial(verdicts.assert_infected, name=DETECTED)


def assert_unscannable(pair, content, reason, code):
    event = verdicts.assert_unscannable(pair, content, reason)
    assert code in event["detail"], event


# --- postern-avscan behind it ---

@pytest.fixture
def signatures(directory):
    return make_database(directory / "definitions", {"test.ndb": SIGNATURE})


@pytest.fixture
def start_avscan(start_pair, signatures):
    return lambda pool=None, **options: start_pair(engines=csapi_stanza(database=signatures, **options), pool=pool)


def zips(depth, content=b"words " * 100):
    for i in range(depth):
        content = mail.in_zip(content, f"{i}.zip")
    return content


def test_the_default_scanner_scans_and_says_what_it_is(start_avscan):
    pair = start_avscan()
    ready = pair.log.wait_for("engine-ready", engine="csapi1")
    assert ready["version"].startswith("postern-avscan ") and "libclamav 1." in ready["version"], ready
    assert (ready["type"], ready["pool"], ready["signatures"]) == ("csapi", "CPU", 1), ready
    content = mail.plain(b"..dots\r\n.\xe4\r\n")
    assert_passes(pair, content)
    assert pair.backend.mails[0].content == content
    assert_infected(pair)
    assert_infected(pair, mail.with_attachment(zips(3, mail.PAYLOAD)))
    assert_unscannable(pair, mail.with_attachment(b"Rar!\x1a\x07\x01\x00" + bytes(40)), "unsupported", "DEC_RESULT_CONTAINER_UNKNOWN_ALGORITHM")
    assert_passes(pair)


def test_the_stanza_of_the_original(start_pair, signatures):
    pair = start_pair(engines=f'''Validate validate/antivirus antivirus {{
}}
Validate validate/csapi csapi {{
  max_concurrency = 1
  database = "{signatures}"
  max_extract_depth = 10
  max_extract_time = 180
  prefer_mem = false
  context_variable = "virus"
  timeout = 20
}}
''')
    assert_passes(pair)
    event = assert_infected(pair)
    assert event["engine"] == "csapi", event


def test_scanners_run_in_a_cage_and_apart_from_the_workers(start_avscan):
    pair = start_avscan()
    assert_passes(pair)
    assert pair.log.wait_for("sandbox", pool="CPU")["profile"] == "strict"
    (scanner,) = pair.postern.scanner_pids()
    assert int(processes.status(scanner)["PPid"]) == pair.postern.scan_host_pid()
    if os.environ.get("POSTERN_NO_SECCOMP") != "1":
        assert processes.status(scanner)["Seccomp"] == "2"
    assert processes.status(scanner)["NoNewPrivs"] == "1"


LIMITS = {
    # option, a value, what is below it, what is above it, the code
    "max_extract_depth": (2, lambda: zips(2), lambda: zips(3), "DEC_RESULT_MAXIMUM_DEPTH_REACHED"),
    "max_extract_size": ("100K", lambda: zips(1, bytes(20000)), lambda: zips(1, bytes(200000)), "DEC_RESULT_MAXIMUM_EXTRACT_SIZE_EXCEEDED"),
    "max_cumulative_extract_size": ("300K", lambda: files(2), lambda: files(20), "DEC_RESULT_MAXIMUM_CUMULATIVE_EXTRACT_SIZE_EXCEEDED"),
    "max_file_count": (20, lambda: files(3), lambda: files(60, 100), "DEC_RESULT_MAXIMUM_FILES_EXTRACTED"),
}


def files(count, size=50000):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for i in range(count):
            out.writestr(f"{i}.txt", bytes([65 + i % 26]) * size)
    return archive.getvalue()


@pytest.mark.parametrize("option", LIMITS)
def test_each_limit_makes_what_exceeds_it_unscannable(start_avscan, option):
    value, below, above, code = LIMITS[option]
    pair = start_avscan(**{option: value})
    assert_passes(pair, mail.with_attachment(below()))
    assert_unscannable(pair, mail.with_attachment(above()), "limit", code)


@pytest.mark.parametrize("option, unlimited", [("max_file_count", lambda: files(5200, 20)), ("max_cumulative_extract_size", lambda: files(20)),
                                               ("max_extract_size", lambda: zips(1, bytes(200000))), ("max_extract_time", lambda: zips(3))])
def test_zero_is_no_limit_or_the_default(start_avscan, option, unlimited):
    pair = start_avscan(**{option: 0, "timeout": "60s"})
    assert_passes(pair, mail.with_attachment(unlimited()))


def test_the_default_number_of_files_is_a_limit(start_avscan):
    assert_unscannable(start_avscan(timeout="60s"), mail.with_attachment(files(5200, 20)), "limit", "DEC_RESULT_MAXIMUM_FILES_EXTRACTED")


def test_a_message_larger_than_a_file_may_be_is_too_large(start_avscan):
    pair = start_avscan(max_extract_size="100K")
    assert_unscannable(pair, mail.of_size(200_000), "too-large", "DEC_RESULT_FILE_SIZE_TOO_LARGE")


def test_the_time_to_take_a_message_apart_is_a_limit(start_avscan):
    pair = start_avscan(max_extract_time="1s", max_cumulative_extract_size="4000M", timeout="60s")
    inner = zips(1, bytes(90 << 20))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:  # 2.7 GB: no machine does that in a second
        for i in range(30):
            out.writestr(f"{i}.zip", inner)
    assert_unscannable(pair, mail.with_attachment(archive.getvalue()), "limit", "DEC_RESULT_MAXIMUM_EXTRACT_TIME_EXCEEDED")
    assert_passes(pair)


def test_the_log_of_the_scanner(start_avscan, directory):
    log = directory / "csapi.log"
    pair = start_avscan(scanner_log=log)
    assert_infected(pair)
    until(lambda: "infected AVS_RESULT_VIRUS_FOUND: " + DETECTED in log.read_text(), "the scanner's line is in its log")
    assert log.read_text().startswith("postern-avscan ")
    assert log.stat().st_mode & 0o777 == 0o640


@pytest.mark.root
def test_program_and_log_may_lie_where_only_root_can_go(start_pair, directory, signatures):
    closed = directory / "closed"
    shutil.copytree(BUILD / "bin", closed / "bin")
    closed.chmod(0o700)
    pair = start_pair(build=closed, engines=csapi_stanza(database=signatures, scanner_log=closed / "csapi.log"))
    assert_infected(pair)
    assert_passes(pair)
    until(lambda: DETECTED in (closed / "csapi.log").read_text(), "the scanner's line is in its log")
    os.kill(pair.postern.supervisor_pid(), signal.SIGHUP)
    pair.log.wait_for("reload-done")
    assert_infected(pair)
    assert_passes(pair)


def test_an_accepted_option_without_effect_is_named(start_avscan, make_postern, signatures):
    checked = make_postern(engines=csapi_stanza(database=signatures, prefer_mem="true")).check()
    assert checked.returncode == 0 and "prefer_mem = true: never had an effect" in checked.stderr, checked.stderr
    assert_passes(start_avscan(prefer_mem="true"))


@pytest.mark.parametrize("options, text", [
    ({"max_concurrency": 0}, "max_concurrency is not given: one scanner process"),
    ({"max_concurrency": 2}, "expected more scanner processes than its pool has workers (2)"),
    ({"scanner_path": "avscan"}, "expected an absolute path"),
    ({"scanner_log": "csapi.log"}, "expected an absolute path"),
    ({"daemon": "127.0.0.1:7777", "max_extract_depth": 5}, "has no effect with a daemon"),
    ({"max_filesize": "5M"}, "has no effect without a daemon"),
    ({"max_extract_size": "1M"}, 'the engine "csapi1" looks at messages up to 1048576 octets only (max_extract_size)'),
    ({"max_extract_depth": 51}, "between 1 and 50"),
    ({"ignore_signatures": "X.*"}, "a virus behind X.* would pass"),
])
def test_check_names_what_makes_no_sense(make_postern, options, text):
    checked = make_postern(engines=csapi_stanza(**options)).check()
    assert text in checked.stderr, checked.stderr


def test_max_concurrency_is_the_number_of_scanners(start_avscan):
    pair = start_avscan(pool={"Concurrency": 4}, max_concurrency=2)
    until(lambda: len(pair.postern.scanner_pids()) == 2, "two scanners run")
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(pair.deliver(mail.with_attachment(zips(5))).code)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert codes == [250] * 12
    assert len(pair.postern.scanner_pids()) == 2


def add_signature(signatures, payload=b"SECOND-PAYLOAD"):
    """As freshclam does it: complete under another name, then renamed."""
    new = signatures / "second.tmp"
    new.write_text("Test.Second:0:*:" + payload.hex() + "\n")
    new.chmod(0o644)
    new.rename(signatures / "second.ndb")
    return mail.plain(payload + b"\r\n")


def test_new_definitions_are_loaded_at_the_update_interval_without_a_pause(start_avscan, signatures):
    pair = start_avscan(update_interval="1s")
    second = add_signature(signatures)
    codes = set()

    def refused():
        codes.add(pair.deliver(mail.plain()).code)
        return pair.log.find("reload-done")
    until(refused, "the new definitions are in use")
    assert codes == {250}
    assert_infected(pair, second, name="Test.Second.UNOFFICIAL")
    assert pair.log.wait_for("message", virus="Test.Second.UNOFFICIAL")["generation"] == 2


def test_definitions_wait_for_the_update_interval_or_a_signal(start_avscan, signatures):
    pair = start_avscan()
    second = add_signature(signatures)
    assert_passes(pair, second)
    os.kill(pair.postern.supervisor_pid(), signal.SIGHUP)
    pair.log.wait_for("reload-done")
    assert_infected(pair, second, name="Test.Second.UNOFFICIAL")


def test_broken_definitions_keep_the_old_ones_in_use(start_avscan, signatures):
    pair = start_avscan(update_interval="1s")
    (signatures / "test.ndb").write_text("nonsense\n")
    failed = pair.log.wait_for("reload-failed")
    assert "the scanner cannot work" in failed["reason"], failed
    assert_infected(pair)
    assert_passes(pair)


def test_missing_definitions_are_451_with_the_reason_and_mended_ones_are_loaded(start_pair, directory):
    pair = start_pair(engines=csapi_stanza(database=directory / "later"))
    event = assert_error(pair, "down")
    assert "the scanner cannot work: database" in event["detail"], event
    make_database(directory / "later", {"test.ndb": SIGNATURE})
    until(lambda: pair.deliver(mail.plain()).code == 250, "it was tried again")
    assert_infected(pair)


# --- a stranger's program behind it ---

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


# --- by hand ---

def run_avscan(*arguments):
    return subprocess.run([AVSCAN, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


def test_by_hand(directory, signatures):
    clean, bad, deep = directory / "clean", directory / "bad", directory / "deep"
    clean.write_bytes(b"words\n")
    bad.write_bytes(mail.PAYLOAD)
    deep.write_bytes(zips(14))
    result = run_avscan("--database", signatures, clean)
    assert (result.returncode, result.stdout) == (0, f"{clean}: OK\n"), result
    assert "libclamav 1." in result.stderr and "1 signatures" in result.stderr
    result = run_avscan("--database", signatures, clean, bad, deep, directory / "nowhere")
    lines = result.stdout.splitlines()
    assert result.returncode == 1 and lines[:2] == [f"{clean}: OK", f"{bad}: {DETECTED} FOUND"], result
    assert lines[2].startswith(f"{deep}: NOT SCANNED AS A WHOLE: ") and "DEC_RESULT_MAXIMUM_DEPTH_REACHED" in lines[2]
    assert lines[3] == f"{directory / 'nowhere'}: ERROR: No such file or directory"
    assert run_avscan("--database", signatures, clean, deep).returncode == 2
    assert run_avscan("--database", signatures, "--max-extract-depth", "20", deep).returncode == 0
    assert run_avscan("--database", directory / "nowhere", clean).returncode == 2
    assert list(directory.glob("postern-avscan-*")) == []


@pytest.mark.parametrize("arguments", [(), ("--nonsense",), ("--max-extract-depth", "0", "x"), ("--max-file-count", "many", "x"), ("--serve",), ("--serve", "x")])
def test_by_hand_wrong_arguments_are_status_2(arguments):
    result = run_avscan(*arguments)
    assert result.returncode == 2 and result.stderr, result


# --- Symantec's daemon ---

@pytest.fixture
def symantec():
    daemon = Symantec().start()
    yield daemon
    daemon.stop()


def daemon_stanza(addresses, **options):
    return asking_daemons(engine("csapi", "csapi1", addresses, **options))


def test_symantec_clean_and_infected(symantec, start_pair):
    pair = start_pair(engines=daemon_stanza([symantec.address]))
    content = mail.plain(b"..dots\r\n.\xe4\r\n")
    event = assert_passes(pair, content)
    assert event["database"] == 20240105002, event
    assert symantec.wait_scans(1) == [("stream", content)]
    assert symantec.requests == [(b"Version 2", b"AVSCAN", b"message.eml")]
    assert_infected(pair, name="Test.Payload")
    assert_passes(pair, mail.of_size(3 << 20))
    assert len(symantec.wait_scans(3)[2][1]) > 3_000_000
    pair.log.wait_for("engine-ready", version="Symantec Scan Engine, definitions 20240105.002")
    assert pair.log.wait_for("sandbox", pool="IO")["profile"] == "net"


CLEAN_REPLY = b"230 File scanned.\r\n0\r\n20240105\r\n2\r\n0\r\n"
DAEMON_FAULTS = {
    "garbage": (Fault(raw=b"\x00\xff\xfe garbage\r\n"), ("protocol",)),
    "an endless line": (Fault(raw=b"2" * 100000), ("protocol",)),
    "a status that does not exist": (Fault(raw=b"230 ok\r\n4\r\n"), ("protocol",)),
    "no date": (Fault(raw=b"230 ok\r\n0\r\n\r\n2\r\n0\r\n"), ("protocol",)),
    "more than its answer": (Fault(raw=CLEAN_REPLY + CLEAN_REPLY), ("protocol",)),
    "a code that does not exist": (Fault(raw=b"299 Fine.\r\n"), ("protocol",)),
    "a scan error": (Fault(raw=b"533 Error.\r\n"), ("engine",)),
    "no licence": (Fault(raw=b"539 No AV scanning license.\r\n"), ("down",)),
    "not now": (Fault(raw=b"430 Not now.\r\n"), ("overload",)),
    "too deep": (Fault(raw=b"536 Depth.\r\n"), ("limit",), 550),
    "malformed": (Fault(raw=b"538 Malformed.\r\n"), ("malformed",), 550),
    "unscannable": (Fault(raw=b"531 Unscannable.\r\n"), ("unsupported",), 550),
    "no answer": (Fault(close=True), ("down",)),
    "a reset": (Fault(reset=True), ("down",)),
    "silence": (Fault(stall=0), ("timeout",)),
    "silence in the middle": (Fault(stall=25), ("timeout",)),
}


# C16
@pytest.mark.parametrize("silent", [False, True])
def test_symantec_misbehaving_costs_one_message(symantec, silent, start_pair):
    faults, timeout = verdicts.of_one_kind(DAEMON_FAULTS, silent)
    pair = start_pair(engines=daemon_stanza([symantec.address], timeout=timeout, breaker_failures=0))
    verdicts.assert_each_costs_one_message(pair, symantec, faults, "Test.Payload")


def test_symantec_an_answer_cut_at_any_octet_is_never_clean(symantec, start_pair):
    pair = start_pair(engines=daemon_stanza([symantec.address], breaker_failures=0))
    verdicts.assert_cut_is_never_clean(pair, symantec, range(len(CLEAN_REPLY)))


def test_symantec_a_virus_that_was_told_counts_whatever_comes_behind_it(symantec, start_pair):
    """Not even on_error = pass lets it through."""
    pair = start_pair(engines=daemon_stanza([symantec.address], on_error="pass", breaker_failures=0))
    head, clean = b"230 File scanned.\r\n", b"0\r\n20240105\r\n2\r\n"
    verdicts.assert_told_virus_counts(pair, symantec, {
        head + b"1\r\n": "unnamed", head + b"3\r\nwhat?\r\n": "unnamed", head + clean + b"1\r\n": "unnamed",
        head + clean + b"1\r\nmessage.eml\r\nNamed.Virus\r\n": "Named.Virus"})


def test_symantec_cured_is_infected_and_counted_and_definitions_have_their_form_and_age(symantec, directory, start_pair):
    path = directory / "control" / "socket"
    pair = start_pair(engines=daemon_stanza([symantec.address]) + control_listener(path))
    console = Console(path)
    assert "AV definitions version: unknown\nNot known whether up to date: " in console.ask("antivirus", "version")
    for status in (1, 2, 3):
        symantec.misbehave(Fault(raw=infected(b"message.eml", b"Some.Virus", status)))
        assert_infected(pair, mail.plain(), name="Some.Virus")
    assert "  Viruses detected:   3\n  Viruses cured:      2\n" in console.ask("antivirus", "stats")
    pair.log.wait_for("engine-ready", version="Symantec Scan Engine, definitions 20240105.002")
    days = (datetime.datetime.now(datetime.timezone.utc) - datetime.datetime(2024, 1, 5, tzinfo=datetime.timezone.utc)).days
    text = console.ask("antivirus", "version")
    said = re.search(r"\nAV definitions version: 20240105\.002\nOut of date: the definitions are of 2024-01-05, (\d+) days old\n", text)
    assert said and int(said[1]) - days in (0, 1), text
    (version,) = console.json("antivirus", "version")["engines"]
    assert version["definitions_version"] == 20240105002 and version["definitions_age_days"] - days in (0, 1), version
    fresh = datetime.date.today() - datetime.timedelta(days=1)
    symantec.misbehave(Fault(raw=CLEAN_REPLY.replace(b"20240105", fresh.strftime("%Y%m%d").encode())))
    assert_passes(pair)
    until(lambda: re.search(rf"\nUp to date: the definitions are of {fresh}, [012] days old\n", console.ask("antivirus", "version")), "its new definitions are fresh")


def test_symantec_postern_says_what_the_vectors_say(symantec, start_pair):
    """AVSCANLOCAL, which gives a path, postern never says: what it sends whole needs no directory that both can see."""
    pair = start_pair(engines=daemon_stanza([symantec.address]))
    content = mail.plain(b".dots\r\n\x01\xff\r\n")
    assert_passes(pair, content)
    assert bytes(symantec.heard[0]) == b"Version 2\nAVSCAN\nmessage.eml\n%d\n" % len(content) + content


def test_symantec_what_is_merely_awkward_costs_nothing(symantec, start_pair):
    verdicts.assert_awkward_costs_nothing(start_pair(engines=daemon_stanza([symantec.address])), symantec, "Test.Payload")


def test_symantec_an_early_clean_is_no_clean(symantec, start_pair):
    pair = start_pair(engines=daemon_stanza([symantec.address]))
    symantec.misbehave(Fault(early=True))
    assert_error(pair, "protocol", "down", content=mail.of_size(12 << 20))
    assert_passes(pair)


def test_symantec_size_limit_names_and_greetings(symantec, start_pair):
    pair = start_pair(engines=daemon_stanza([symantec.address], max_filesize="100K"))
    event = send(pair, mail.of_size(200_000), 550)
    assert event["reason"] == "too-large" and not symantec.scans, event
    verdicts.assert_names_are_made_harmless(pair, symantec, b"Evil\x1b[31m\x80%n;" + b"N" * 300)
    for greeting in (b"421 no\r\n", b"220 hello\r\n1\r\n", b"\xff\r\n"):
        symantec.greeting = greeting
        assert_error(pair, "down", "protocol")
    symantec.greeting = Symantec().greeting
    assert_passes(pair)


def test_symantec_the_next_server_answers_when_the_first_is_gone(symantec, start_pair):
    second = Symantec().start()
    pair = start_pair(engines=daemon_stanza([symantec.address, second.address]))
    assert_passes(pair)
    symantec.stop()
    assert_passes(pair)
    assert (len(symantec.scans), len(second.scans)) == (1, 1)
    second.stop()
    assert_error(pair, "down")
    symantec.start()
    assert_passes(pair)


REFUSALS = {b"420 Closing.": "down", b"430 Not now.": "overload", b"539 No AV scanning license.": "down"}


@pytest.mark.parametrize("refusal", REFUSALS, ids=bytes.decode)
def test_symantec_the_next_server_answers_when_the_first_serves_nobody_now(symantec, refusal, start_pair):
    second = Symantec().start()
    pair = start_pair(engines=daemon_stanza([symantec.address, second.address], breaker_failures=0))
    content = mail.plain()
    symantec.always = Fault(raw=refusal + b"\r\n")
    assert_passes(pair, content)
    assert (len(symantec.scans), second.wait_scans()[0][1]) == (1, content)
    second.always = Fault(raw=refusal + b"\r\n")  # nobody is left: its own reason, as with one server
    event = assert_error(pair, REFUSALS[refusal])
    assert event["detail"] == refusal.decode(), event
    second.stop()  # the last word counts: the first one's, which is asked after the second now, or the second's that is gone
    assert_error(pair, REFUSALS[refusal], "down")
    symantec.always = None
    assert_passes(pair)


# --- beside workers that a command adds ---

def directories(pid, base):
    """The temporary directories below BASE that a process holds or was told of."""
    links = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
    told = [word[7:].decode() for word in open(f"/proc/{pid}/environ", "rb").read().split(b"\0") if word.startswith(b"TMPDIR=")]
    return {path for path in links + told if re.search(r"/p\d+/\d+$", path)}


@pytest.mark.root
def test_no_worker_ever_shares_a_directory_with_a_scanner(start_pair, signatures, directory):
    """Each empties its own: a scanner that finds its files gone would find nothing in them."""
    socket = directory / "control"
    pair = start_pair(engines=csapi_stanza(database=signatures, max_concurrency=2) + control_listener(socket), pool={"Concurrency": 2})
    assert_passes(pair)
    console = Console(socket)
    for concurrency in (5, 3, 6, 2):
        console.ask("threads", "CPU", "concurrency", str(concurrency))
        until(lambda: len(pair.postern.worker_pids()) == concurrency, f"{concurrency} workers")
        until(lambda: all(directories(pid, directory) for pid in pair.postern.worker_pids()), "every worker has its directory")
        held = [directories(pid, directory) for pid in [*pair.postern.worker_pids(), *pair.postern.scanner_pids()]]
        assert len(held) == concurrency + 2 and all(len(paths) == 1 for paths in held), held
        assert len(set().union(*held)) == concurrency + 2, held
