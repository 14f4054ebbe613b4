# SPDX-License-Identifier: MIT
"""Messages are taken apart: what hides from an engine that is given the whole mail is found in its parts (B33), by every kind of
engine; mail that was built to evade is infected where paranoid (B34), so are files of two kinds (B37); what nobody can look at has its reason (B35, B36); faults and figures."""
import email
import io
import re
import shutil
import signal
import zipfile

import pytest
from conftest import failed
from harness import evasion, mail, mime, processes
from harness.console import Console, listener
from harness.emulators.base import Fault
from harness.emulators.clamd import Clamd
from harness.emulators.fsecure import Fsavd
from harness.emulators.icap import Icap
from harness.emulators.kaspersky import Aveserver
from harness.places import BUILD, ROOT, until
from harness.postern import clamav_stanza, fake_stanza
from harness.verdicts import send

IO = 'ThreadPool "IO" {{ Concurrency = 2 }}\nantivirus {{ {} }}\n'


def clamd_stanza(daemon, **options):
    values = {"timeout": "20s", "mime_decompose": "true", "breaker_failures": 0, "cache_size": 0, **options}
    return IO.format(f'clamav "clamd1" {{ daemon = "{daemon.address}" ' + " ".join(f"{k} = {v}" for k, v in values.items()) + " }")


@pytest.fixture
def clamd():
    daemon = Clamd().start()
    yield daemon
    daemon.stop()


@pytest.fixture
def files(request, directory):
    """file_base; in the end nothing may be left in it."""
    path = directory / "files"
    path.mkdir()
    path.chmod(0o1777)
    yield path
    assert failed(request) or list(path.iterdir()) == [], "something is left in file_base"


@pytest.fixture
def fsavd(directory):
    daemon = Fsavd(directory / ".fsav-65534").start()
    yield daemon
    daemon.stop()


def find_all(pair, virus):
    """Every hiding place is found, by its engine, which is asked each time (cache_size = 0): the part is always the same. Says which ones are
    not."""
    missed = []
    for name, content in evasion.hidden(mail.PAYLOAD).items():
        event = send(pair, content, 550, 250)
        if not event.get("virus", "").startswith(virus):
            missed.append((name, event["verdict"], event.get("detail"), event.get("defects")))
    assert not missed, f"{len(missed)} of {len(evasion.hidden(mail.PAYLOAD))} were missed: {missed}"
    assert pair.backend.mails == []


def pass_all(pair):
    for name, content in evasion.harmless().items():
        event = send(pair, content, 250)
        assert event["verdict"] == "clean", (name, event)
        assert pair.backend.mails[-1].content == content, name


# --- what hides is found, by every kind of engine ---

def test_what_hides_from_libclamav_in_a_whole_mail_is_found_in_its_parts(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, mime_decompose="true", cache_size=0))
    find_all(pair, "Test.Payload")
    pass_all(pair)


def test_without_taking_apart_libclamav_misses_some_of_them(start_pair, database):
    # The control: the test above says something.
    pair = start_pair(engines=clamav_stanza(database))
    missed = [name for name, content in evasion.hidden(b"x" + mail.PAYLOAD).items() if "virus" not in send(pair, content, 550, 250)]
    assert len(missed) >= 4, missed
    pair.postern.book.turn_page()


def test_a_daemon_that_takes_no_mail_apart_finds_them_too(clamd, start_pair):
    pair = start_pair(engines=clamd_stanza(clamd))
    find_all(pair, "Test.Payload")
    for name, content in mime.classes(mail.PAYLOAD).items():
        assert pair.deliver(content).code == 550, name  # infected, or its line ends are nobody's
    assert pair.backend.mails == []


def test_texts_are_found_as_readers_of_their_charset_see_them(clamd, start_pair):
    """A caged worker loads no converter: those that it needs were there before."""
    pair = start_pair(engines=clamd_stanza(clamd))
    for name, (charset, octets) in mime.charsets(mail.PAYLOAD).items():
        text = mime.part(mime.b64(octets), b"Content-Type: text/plain; charset=" + charset, mime.BASE64)
        event = send(pair, mime.multipart([mime.TEXT, text]), 550)
        assert (event["virus"], event["part"].split(".")[0]) == ("Test.Payload.UNOFFICIAL", "2"), (name, event)
        if mail.PAYLOAD in octets:  # behind a byte order mark: whatever the charset, the octets have it
            continue
        harmless = mime.part(mime.b64(octets), b"Content-Type: text/plain; charset=iso-8859-1", mime.BASE64)
        assert send(pair, mime.multipart([mime.TEXT, harmless]), 250)["verdict"] == "clean", name


def test_a_daemon_that_reads_files_gets_the_parts_as_files(fsavd, files, start_pair):
    pair = start_pair(engines=IO.format(
        f'fsecure "fsecure1" {{ daemon = "{fsavd.address}" file_base = "{files}" timeout = 20s mime_decompose = true breaker_failures = 0 test_string = ignored cache_size = 0 }}'))
    find_all(pair, "EICAR_Test_File")
    pass_all(pair)
    assert len(list(files.glob("postern-message-*/*"))) == 0


@pytest.fixture
def aveserver():
    daemon = Aveserver().start()
    yield daemon
    daemon.stop()


@pytest.fixture
def icap_server():
    daemon = Icap().start()
    yield daemon
    daemon.stop()


def test_kaspersky_gets_the_parts_as_files(aveserver, files, start_pair):
    pair = start_pair(engines=IO.format(
        f'kaspersky {{ daemon = "{aveserver.address}" file_base = "{files}" timeout = 20s mime_decompose = true breaker_failures = 0 test_string = ignored cache_size = 0 }}'))
    find_all(pair, "EICAR-Test-File")
    pass_all(pair)


def test_an_icap_server_gets_the_parts(icap_server, start_pair):
    pair = start_pair(engines=IO.format(f'icap "icap1" {{ daemon = "{icap_server.address}" timeout = 20s mime_decompose = true breaker_failures = 0 test_string = ignored cache_size = 0 }}'))
    find_all(pair, "Test.Payload")
    pass_all(pair)


def test_csapis_scanner_gets_the_parts(database, start_pair):
    pair = start_pair(engines=f'antivirus {{ csapi "csapi1" {{ database = "{database}" timeout = 20s mime_decompose = true max_concurrency = 1 cache_size = 0 }} }}\n')
    find_all(pair, "Test.Payload")
    pass_all(pair)


def test_a_command_is_run_for_each_part(directory, start_pair):
    (directory / "bin").mkdir()
    scanner = shutil.copy(BUILD / "tests/hostile_command", directory / "bin/scanner")
    pair = start_pair(engines=IO.format(f'command "cmd1" {{ argv = ( "{scanner}" "--quiet" "%s" ) virus_pattern = "*: %v FOUND" timeout = 20s test_string = ignored '
                                        'mime_decompose = true max_concurrency = 1 breaker_failures = 0 cache_size = 0 }'))
    find_all(pair, "Test.Payload")
    pass_all(pair)


def test_clean_mail_of_many_shapes_passes_unchanged(clamd, start_pair):
    pass_all(start_pair(engines=clamd_stanza(clamd, paranoid="true")))


# --- each part once, and how it is said ---

def test_the_message_and_each_distinct_part_are_scanned_once(clamd, start_pair):
    pair = start_pair(engines=clamd_stanza(clamd))
    content = mail.with_attachment(b"An attachment.\r\n")
    event = send(pair, content, 250)
    scanned = [octets for _, octets in clamd.scans]
    assert scanned[0] == content
    assert sorted(scanned[1:]) == sorted([b"See the attachment.", b"An attachment.\r\n"])
    assert (event["parts"], event["parts_checked"]) == (2, 2), event
    assert "part" not in event and "defects" not in event
    assert event["inspect_ms"] >= 0


def test_the_log_says_which_part(clamd, start_pair):
    pair = start_pair(engines=clamd_stanza(clamd))
    event = send(pair, mail.with_attachment(b"An attachment with " + mail.PAYLOAD), 550)
    assert (event["part"], event["parts_checked"]) == ("2", 2), event


def test_statistics_count_parts_and_defects(start_pair, directory):
    path = directory / "control" / "socket"
    pair = start_pair(engines=fake_stanza(mime_decompose="true") + listener(path))
    console = Console(path)
    for _ in range(3):
        send(pair, mail.with_attachment(b"An attachment.\r\n"), 250)
    send(pair, mail.plain(), 250)  # a message that is its only part counts as one
    send(pair, evasion.hidden(b"harmless words")["two encodings"], 250)
    figures = console.json("antivirus", "stats")
    assert figures["engines"][0]["messages_checked"] == 5
    assert figures["engines"][0]["mime_parts_checked"] >= 3 * 2 + 1 + 1
    assert figures["inspection"]["messages"] == 5 and figures["inspection"]["failed"] == 0
    assert figures["inspection"]["defects"]["duplicate-encoding"] == 1
    (engine,) = figures["engines"]
    page = console.ask("antivirus", "stats")
    parts = engine["mime_parts_checked"]
    assert f"MIME parts checked: {parts}\n" in page
    assert f"Avg. time/message   {engine['average_scan_ms']:.3f}ms\n" in page
    per_part = float(re.search(r"Avg\. time/MIME part (\S+)ms\n", page)[1])
    assert per_part == pytest.approx(engine["scan_ms"] / parts, abs=0.002) and per_part < engine["average_scan_ms"], (page, engine)


def test_parts_in_log_and_statistics_are_what_the_engine_was_given(clamd, start_pair, directory):
    path = directory / "control" / "socket"
    pair = start_pair(engines=clamd_stanza(clamd) + listener(path))
    parts = messages = 0
    for payload in (b"harmless words, enough of them to be a part", mail.PAYLOAD):
        for name, content in {**evasion.hidden(payload), **evasion.harmless(), "the same part twice": evasion.twice(payload)}.items():
            before = len(clamd.scans)
            event = send(pair, content, 250, 550)
            given = [octets for _, octets in clamd.scans[before:]]
            if event.get("cached"):
                given = [content] + [b""] * event.get("parts_checked", 0)  # as the engine was then
            assert event["verdict"] in ("clean", "infected") and given[0] == content, (name, event)
            assert event.get("parts_checked", 0) == len(given) - 1, (name, event, given)
            assert event["parts"] >= event.get("parts_checked", 0), (name, event)
            assert event.get("cached") or len(set(given)) == len(given), f"{name}: the same octets twice"
            parts += max(len(given) - 1, 1)
            messages += 1
    figures = Console(path).json("antivirus", "stats")["engines"][0]
    assert (figures["messages_checked"], figures["mime_parts_checked"]) == (messages, parts)


def test_what_paranoid_refuses_is_given_to_nobody_and_no_part_of_it_counts(clamd, start_pair, directory):
    path = directory / "control" / "socket"
    pair = start_pair(engines=clamd_stanza(clamd, paranoid="true") + listener(path))
    event = send(pair, evasion.hidden(b"harmless words")["two encodings"], 550)
    assert event["virus"] == "Paranoid.DuplicateHeader" and "parts_checked" not in event, event
    figures = Console(path).json("antivirus", "stats")["engines"][0]
    assert (figures["messages_checked"], figures["viruses_detected"], figures["mime_parts_checked"], clamd.scans) == (1, 1, 0, [])


# --- built to evade ---

def test_mail_that_was_built_to_evade_is_infected_where_paranoid(start_pair):
    pair = start_pair(engines=fake_stanza(paranoid="true"))
    for name, (reason, content) in evasion.built_to_evade().items():
        event = send(pair, content, 550)
        assert (event["verdict"], event["virus"], event["engine"]) == ("infected", "Paranoid." + reason, "fake1"), (name, event)
        assert event["defects"], name
    assert pair.backend.mails == []


def test_every_reason_of_paranoid_has_its_mail():
    """But for Charset: see below."""
    table = (ROOT / "src/mime/defect.def").read_text()
    reasons = set(re.findall(r'^MIME_DEFECT\(\w+, "[^"]+", "(\w+)",', table, re.MULTILINE))
    assert {reason for reason, _ in evasion.built_to_evade().values()} == reasons - {"Charset"}


def test_no_message_that_is_wide_as_a_whole_comes_as_far_as_an_inspection(start_pair):
    """Its line ends are no mail's: it is refused before anybody looks at it, with or without an engine that is paranoid."""
    pair = start_pair(engines=fake_stanza())
    assert pair.deliver(evasion.wide()).code == 550
    assert pair.backend.mails == []
    assert send(pair, mail.plain(), 250)["verdict"] == "clean"


def test_without_paranoid_the_same_defects_are_logged(start_pair):
    pair = start_pair(engines=fake_stanza(mime_decompose="true", on_limit="pass"))
    for name, (reason, content) in evasion.built_to_evade().items():
        event = send(pair, content, 250)
        assert event["verdict"] == ("unscannable" if reason == "Limit" else "clean") and event["defects"], (name, event)


def extracted_by_python(content):
    """What Python's zipfile finds in an attachment, which it reads from its end, as most readers do."""
    files = []
    for part in email.message_from_bytes(content).walk():
        octets = part.get_payload(decode=True) or b""
        if zipfile.is_zipfile(io.BytesIO(octets)):
            archive = zipfile.ZipFile(io.BytesIO(octets))
            files += [archive.read(name) for name in archive.namelist()]
    return files


def test_files_of_two_kinds_at_once_are_looked_at_as_both(start_pair, database):
    payload = b"first line\n" + 3 * mail.PAYLOAD
    mails = evasion.polyglots(payload)
    for name, content in mails.items():
        assert payload in extracted_by_python(content), f"{name}: nobody would find anything in it"
    pair = start_pair(engines=clamav_stanza(database, mime_decompose="true", cache_size=0))
    for name, content in mails.items():
        event = send(pair, content, 550)
        if name == "another archive before":  # libclamav reads one of them, and postern knows that
            assert event["verdict"] in ("infected", "unscannable"), event
        else:
            assert event.get("virus") == "Test.Payload.UNOFFICIAL", (name, event)
        assert "polyglot" in event["defects"], (name, event)
    paranoid = start_pair(engines=clamav_stanza(database, paranoid="true", cache_size=0))
    for name, content in evasion.polyglots(b"harmless words").items():
        assert send(paranoid, content, 550)["virus"] == "Paranoid.Polyglot", name
    assert pair.backend.mails == []


def test_a_false_alarm_can_be_declared(start_pair):
    pair = start_pair(engines=fake_stanza(paranoid="true", ignore_signatures="( Paranoid.DuplicateHeader Paranoid.Readings )"))
    assert send(pair, evasion.hidden(b"harmless words")["two encodings"], 250)["verdict"] == "clean"


# --- what nobody can look at ---

@pytest.mark.parametrize("make,reason", [(evasion.encrypted_pgp, "encrypted"), (evasion.encrypted_smime, "encrypted"),
                                         (evasion.encrypted_pgp_in_words, "encrypted"), (evasion.encrypted_smime_called_signed, "encrypted"), (evasion.partial, "partial"),
                                         (evasion.external_body, "external"), (evasion.partial_to_who_takes_the_last_type, "partial"),
                                         (evasion.partial_to_who_decodes_words, "partial"), (evasion.external_body_to_who_takes_the_last_type, "external")])
def test_what_nobody_can_look_at_has_its_reason_and_action(start_pair, make, reason):
    pair = start_pair(engines=fake_stanza(mime_decompose="true"))
    event = send(pair, make(), 550)
    assert (event["verdict"], event["reason"], event["engine"]) == ("unscannable", reason, "fake1"), event
    assert pair.backend.mails == []


def test_actions_of_reasons_are_the_engines(start_pair):
    pair = start_pair(engines=fake_stanza(mime_decompose="true", on_partial="pass", on_external="error_code"))
    send(pair, evasion.partial(), 250)
    assert b"X-Virus-Status: " in pair.backend.mails[-1].content and b"reason=partial" in pair.backend.mails[-1].content
    send(pair, evasion.external_body(), 451)


def test_engines_that_are_given_whole_mails_have_nothing_against_them(start_pair):
    pair = start_pair(engines=fake_stanza())
    for make in (evasion.encrypted_pgp, evasion.partial, evasion.external_body):
        assert "parts" not in send(pair, make(), 250)


# --- faults ---

def stop_workers(pair, count=2):
    """No worker of the pool that takes messages apart goes on."""
    until(lambda: len(pair.postern.worker_pids()) == count, "the workers that take messages apart")
    pids = pair.postern.worker_pids()
    for pid in pids:
        pair.postern.hurt("worker", signal.SIGSTOP, choose=lambda workers, pid=pid: pid)
    return pids


@pytest.mark.root
def test_an_inspection_that_hangs_or_crashes_costs_the_message_an_error(clamd, start_pair):
    pair = start_pair(engines=clamd_stanza(clamd, timeout="2s"))
    pair.postern.reports_expected = True
    until(lambda: pair.deliver(mail.plain()).code == 250, "mail passes")
    pids = stop_workers(pair)
    event = send(pair, mail.plain(), 451)
    assert (event["verdict"], event["reason"]) == ("error", "timeout"), event
    for pid in pids:
        if processes.state(pid) == "T":
            pair.postern.hurt("worker", signal.SIGCONT, choose=lambda workers, pid=pid: pid)
    until(lambda: pair.deliver(mail.plain()).code == 250, "mail to pass again")


@pytest.mark.parametrize("order,reason", [("crash", "crash"), ("abort", "crash"), ("hang", "timeout"), ("garbage", "protocol"), ("wrong-id", "protocol"),
                                          ("truncated-answer", "protocol")])
def test_an_engine_that_fails_inside_a_part_costs_the_message_an_error(start_pair, order, reason):
    pair = start_pair(engines=fake_stanza(mime_decompose="true", timeout="5s" if reason == "timeout" else "60s", breaker_failures=0))
    pair.postern.reports_expected = True
    event = send(pair, mail.with_attachment(b"X-Fake: " + order.encode() + b"\r\n"), 451)
    assert (event["verdict"], event["reason"]) == ("error", reason), event
    assert pair.deliver(mail.plain()).code == 250


def in_trouble_as_a_whole(reason, part):
    """A mail that gives the test engine trouble, with a part that the engine knows."""
    content = mail.with_attachment(part)
    return content.replace(b"MIME-Version:", b"X-Fake: error " + reason.encode() + b"\r\nMIME-Version:", 1)


def test_trouble_with_the_whole_message_hides_no_part_of_it(start_pair):
    """Not even where on_error = pass."""
    pair = start_pair(engines=fake_stanza(mime_decompose="true", on_error="pass", breaker_failures=0, cache_size=0))
    pair.postern.book.excuse("L4", because="what has trouble as a whole is refused for its part")
    for reason in ("engine", "protocol", "down", "memory"):
        event = send(pair, in_trouble_as_a_whole(reason, b"X-Fake: infected In.Part\r\n"), 550)
        assert (event["virus"], event["part"]) == ("In.Part", "2"), (reason, event)
        event = send(pair, in_trouble_as_a_whole(reason, b"nothing\r\n"), 250)
        assert (event["verdict"], event["reason"], event["action"], event["parts_checked"]) == ("error", reason, "pass", 2), event
    event = send(pair, in_trouble_as_a_whole("timeout", b"X-Fake: infected In.Part\r\n"), 250)
    assert event["reason"] == "timeout" and not event.get("parts_checked"), "there was no time left for the parts"
    strict = start_pair(engines=fake_stanza(mime_decompose="true", breaker_failures=0))
    assert send(strict, in_trouble_as_a_whole("engine", b"nothing\r\n"), 451)["reason"] == "engine"


def test_a_daemon_that_fails_at_a_part_costs_the_message_an_error(clamd, start_pair):
    pair = start_pair(engines=clamd_stanza(clamd, timeout="5s"))
    clamd.always = None
    clamd.faults += [Fault(), Fault(raw=b"what?\0")]
    event = send(pair, mail.with_attachment(b"An attachment.\r\n"), 451)
    assert event["verdict"] == "error", event
    assert send(pair, mail.with_attachment(b"An attachment.\r\n"), 250)["verdict"] == "clean"


def test_a_known_virus_needs_no_second_look(clamd, start_pair):
    pair = start_pair(engines=clamd_stanza(clamd, cache_size=1000))
    content = mail.with_attachment(b"An attachment with " + mail.PAYLOAD)
    assert "cached" not in send(pair, content, 550)
    scans = len(clamd.scans)
    assert send(pair, content, 550)["cached"] == "true"
    assert len(clamd.scans) == scans
