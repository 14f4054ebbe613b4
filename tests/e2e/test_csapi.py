# SPDX-License-Identifier: MIT
"""The engine csapi with postern-avscan behind it, every option, and postern-avscan by hand. Other programs: test_csapi_stranger.py; Symantec's
daemon: test_symantec.py."""
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
from harness.places import BUILD, until
from harness.postern import csapi_stanza, make_database
from harness.verdicts import assert_error, assert_passes

AVSCAN = BUILD / "bin/postern-avscan"
HOSTILE = BUILD / "tests/hostile_scanner"
SIGNATURE = "Test.Payload:0:*:" + mail.PAYLOAD.hex() + "\n"
DETECTED = "Test.Payload.UNOFFICIAL"


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
    until(lambda: pair.deliver(mail.plain()).code == 250, "what takes no time passes")


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
    ({"daemon": "127.0.0.1:7777", "official_only": "true"}, "official_only = true: has no effect with a daemon"),
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


def test_definitions_that_clamav_has_not_signed_are_passed_over_where_only_official_ones_count(start_avscan, signatures):
    pair = start_avscan(official_only="true")
    pair.postern.book.excuse("L6", because="nobody but ClamAV can sign a database")
    event = assert_error(pair, "down")
    assert f"database {signatures}: no official signatures found" in event["detail"], event


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


# --- beside workers that a command adds ---

def directories(pid, base):
    """The temporary directories below BASE that a process holds or was told of."""
    told = [word[7:].decode() for word in open(f"/proc/{pid}/environ", "rb").read().split(b"\0") if word.startswith(b"TMPDIR=")]
    return {path for path in [*processes.links(pid).values(), *told] if re.search(r"/p\d+/\d+$", path)}


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
