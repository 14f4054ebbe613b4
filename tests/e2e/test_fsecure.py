# SPDX-License-Identifier: MIT
"""Scanning with F-Secure's fsavd, emulated: vectors, good days, every way to misbehave, options."""
import functools
import os
import signal
import socket

import pytest
from conftest import messages_in
from harness import mail, places, verdicts
from harness.emulators.base import Ended, Fault
from harness.emulators.fsecure import Fsavd
from harness.postern import asking_daemons, engine
from harness.verdicts import assert_error, assert_passes, assert_unscannable, deliver_in_background, send, virus

DETECTED = "EICAR_Test_File"
CLEANMSG = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhello\r\n"
BADMSG = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nTEST-VIRUS-PAYLOAD\r\n"


assert_infected = functools.partial(verdicts.assert_infected, name=DETECTED)


def stanza(addresses, files, workers=1, **options):
    return asking_daemons(engine("fsecure", "fsecure1", addresses, file_base=files, **{"test_string": "ignored", **options}), workers=workers)


# Daemons must outlive postern: their fixtures stand before start_pair.

@pytest.fixture
def fsavd(directory):
    daemon = Fsavd(directory / ".fsav-65534").start()
    yield daemon
    daemon.stop()


def report(*lines):
    """An answer of these report lines; %s stands for the path in them."""
    return b"".join(line + b"\n" for line in lines) + b"OK\tScan ok.\n"


class About(Fsavd):
    """One that says of the next files what a test wants; %s is the path."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.reports = []

    def _scan(self, conversation, path):
        if not self.reports:
            super()._scan(conversation, path)
            return
        self.note_scan("SCAN", b"")
        said = self.reports.pop(0).replace(b"%s", path)
        conversation.answer(said)
        if not said.endswith(b"\n"):
            raise Ended


@pytest.fixture
def about(directory):
    daemon = About(directory / ".fsav-65534").start()
    yield daemon
    daemon.stop()


# --- the emulator says what is known of the real one ---

def test_vectors_of_fsavd(fsavd, directory):
    clean, infected = directory / "m1", directory / "m2"
    clean.write_bytes(CLEANMSG)
    infected.write_bytes(BADMSG)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(places.SOON)
        connection.connect(str(fsavd.path))
        lines = connection.makefile("rb")
        assert lines.readline() == b"DBVERSION\t2009-03-17_05\n"
        for request, answer in (
                (b"PROTOCOL\t5\n", b"OK\tProtocol version set.\n"), (b"CONFIGURE\tARCHIVE\t1\n", b"OK\tConfiguration changed.\n"),
                (b"CONFIGURE\tMAXARCH\t5\n", b"OK\tConfiguration changed.\n"),
                (b"SCAN\t%s\n" % bytes(clean), b"CLEAN\t%s\nOK\tScan ok.\n" % bytes(clean)),
                (b"SCAN\t%s\n" % bytes(infected), b"INFECTED\t%s\tEICAR_Test_File\tAquarius\nOK\tScan ok.\n" % bytes(infected)),
                (b"PING\n", b"ERROR\tUnknown command.\n")):
            connection.sendall(request)
            assert lines.read(len(answer)) == answer


def test_postern_says_what_the_vectors_say(fsavd, files, start_pair):
    pair = start_pair(engines=stanza(fsavd.address, files))
    for _ in range(2):
        assert_passes(pair)
    assert bytes(fsavd.heard[0]) == (
        b"PROTOCOL\t5\nCONFIGURE\tARCHIVE\t1\nCONFIGURE\tTIMEOUT\t20\nCONFIGURE\tMAXARCH\t5\nCONFIGURE\tMIME\t1\nCONFIGURE\tRISKWARE\t0\n"
        + b"".join(b"SCAN\t" + seen["path"].encode() + b"\n" for seen in fsavd.files))


# --- good days ---

def test_clean_passes_and_a_virus_is_refused_over_one_session(fsavd, files, start_pair):
    pair = start_pair(engines=stanza(fsavd.address, files))
    content = mail.plain(b"..dots\r\n.\xe4\r\n")
    event = assert_passes(pair, content)
    assert (event["engine"], event["database"]) == ("fsecure1", 2009031705), event
    assert_infected(pair)
    assert_passes(pair)
    assert fsavd.connections == 1
    assert fsavd.wait_scans(3)[0][1] == content, "what is scanned is what the client sent"
    assert messages_in(files) == []
    assert (fsavd.files[0]["mode"], fsavd.files[0]["directory"]) == (0o640, 0o710)
    pair.log.wait_for("engine-ready", version="fsavd, DBVERSION 2009-03-17_05", database_version=2009031705)


def test_each_worker_keeps_its_session(fsavd, files, start_pair):
    pair = start_pair(engines=stanza(fsavd.address, files, workers=3))
    assert verdicts.deliver_at_once(pair, 12) == [250] * 12
    assert fsavd.connections <= 3


def test_a_daemon_s_second_answer_is_never_that_to_the_next_message(fsavd, files, start_pair):
    """Each answer has the path of the file that it is about: one that comes late, in front of another, is no answer."""
    pair = start_pair(engines=stanza(fsavd.address, files))
    fsavd.misbehave(Fault(again=True))
    assert_passes(pair)
    assert_error(pair, "protocol", content=mail.plain(mail.PAYLOAD + b"\r\n"))
    assert_infected(pair)


REPORTS = [
    # what is said of the file, code, verdict, reason, name
    ([b"OPEN_ARCHIVE\t%s", b"ARCHIVE_INFECTED\t%s:eicar.com\tEICAR_Test_File\tLibra\t0\t0\t0\t0", b"CLOSE_ARCHIVE\t%s"], 550, "infected", None, DETECTED),
    ([b"SCAN_FAILURE\t%s\t0x1c0000\tPassword protected file [Aquarius]"], 550, "unscannable", "encrypted", None),
    ([b"SCAN_FAILURE\t%s\t0x2\tOut of memory [Libra]"], 451, "error", "engine", None),
    ([b"SUSPECTED\t%s\tHeur\tx"], 550, "unscannable", "suspicious", "Heur"),
    ([b"CLEAN\t/elsewhere/1.eml"], 451, "error", "protocol", None),
    ([], 451, "error", "protocol", None),
    ([b"PING", b"CLEAN\t%s"], 250, "clean", None, None),
]


@pytest.mark.parametrize("lines, code, verdict, reason, name", REPORTS, ids=[b" ".join(row[0])[:24].decode() or "nothing" for row in REPORTS])
def test_what_the_daemon_says_of_a_file(about, files, lines, code, verdict, reason, name, start_pair):
    pair = start_pair(engines=stanza(about.address, files))
    about.reports.append(report(*lines))
    event = send(pair, mail.plain(), code)
    assert (event["verdict"], event.get("reason"), event.get("virus")) == (verdict, reason, name), event
    assert_passes(pair)


# --- bad days ---

FAULTS = {
    # fault: reasons that may stand in the log
    "garbage": (Fault(raw=b"\x00\xff\xfe garbage\nOK\n"), ("protocol",)),
    "an endless line": (Fault(raw=b"A" * 100000), ("protocol",)),
    "endless lines": (Fault(raw=b"PING\n" * 300000), ("protocol",)),
    "an answer too many": (Fault(raw=b"OK\tScan ok.\nOK\tScan ok.\n"), ("protocol",)),
    "another file's report": (Fault(wrong_id=True), ("protocol",)),
    "a refusal": (Fault(raw=b"ERROR\tno\n"), ("engine",)),
    "no answer": (Fault(close=True), ("down",)),
    "a reset": (Fault(reset=True), ("down",)),
    "silence": (Fault(stall=0), ("timeout",)),
    "silence in the middle of a line": (Fault(stall=5), ("timeout",)),
    "an answer of HTTP": (Fault(raw=b"HTTP/1.0 200 OK\r\n\r\n", close_after=True), ("protocol",)),
    "a word longer than a line may be": (Fault(raw=b"N" * 20000 + b"\tx"), ("protocol",)),
}


# C16
@pytest.mark.parametrize("silent", [False, True])
def test_a_misbehaving_daemon_costs_one_message_a_451(fsavd, files, silent, start_pair):
    faults, timeout = verdicts.of_one_kind(FAULTS, silent)
    pair = start_pair(engines=stanza(fsavd.address, files, timeout=timeout, breaker_failures=0))
    verdicts.assert_each_costs_one_message(pair, fsavd, faults, DETECTED)
    assert messages_in(files) == []


def test_an_answer_cut_at_any_octet_is_never_clean(fsavd, files, start_pair):
    pair = start_pair(engines=stanza(fsavd.address, files, breaker_failures=0))
    assert_passes(pair)
    answer = report(b"CLEAN\t" + fsavd.files[0]["path"].encode())  # later paths are not shorter
    verdicts.assert_cut_is_never_clean(pair, fsavd, range(len(answer)))


def test_a_virus_that_was_told_counts_whatever_comes_behind_it(about, files, start_pair):
    """Not even on_error = pass lets it through."""
    pair = start_pair(engines=stanza(about.address, files, on_error="pass", breaker_failures=0))
    for rest in (b"OK", b"ERROR\tno\n", b"what?\nx"):
        with verdicts.case(rest):
            about.reports.append(b"INFECTED\t%s\tNamed.Virus\tAquarius\n" + rest)
            assert_infected(pair, mail.plain(), name="Named.Virus")
            assert_passes(pair)
    about.reports.append(b"INFECTED\t%s\tNamed.Vir")
    assert_infected(pair, mail.plain(), name="Named.Vir")
    assert messages_in(files) == []


def test_what_is_merely_awkward_costs_nothing(fsavd, files, start_pair):
    verdicts.assert_awkward_costs_nothing(start_pair(engines=stanza(fsavd.address, files)), fsavd, DETECTED)


def test_names_are_made_harmless(fsavd, files, start_pair):
    verdicts.assert_names_are_made_harmless(start_pair(engines=stanza(fsavd.address, files)), fsavd, b"Evil\r\x1b[31m\x80%n;")


def test_a_file_does_not_outlive_its_worker(fsavd, files, start_pair):
    pair = start_pair(engines=stanza(fsavd.address, files, timeout="60s"))
    fsavd.misbehave(Fault(stall=5))
    thread, replies = deliver_in_background(pair, mail.plain())
    fsavd.wait_scans()
    assert len(messages_in(files)) == 1
    pair.postern.book.killed.update(["worker"])
    os.kill(pair.postern.worker_pids("IO")[0], signal.SIGKILL)
    thread.join(60)
    assert replies and replies[0].code == 451, replies
    places.until(lambda: messages_in(files) == [], "the file is gone")
    assert_passes(pair)


def test_a_session_closed_while_idle_is_renewed_without_a_451(fsavd, files, start_pair):
    verdicts.assert_idle_end_costs_nothing(start_pair(engines=stanza(fsavd.address, files)), fsavd)


def test_mail_flows_again_by_itself_when_the_daemon_is_back(fsavd, files, start_pair):
    verdicts.assert_flows_again_by_itself(start_pair(engines=stanza(fsavd.address, files)), fsavd, DETECTED)


def test_the_next_server_answers_when_the_first_is_gone(fsavd, directory, files, start_pair):
    second = Fsavd(directory / "second").start()
    pair = start_pair(engines=stanza([fsavd.address, "/nowhere/fsavd", second.address], files))
    verdicts.assert_next_server_answers(pair, fsavd, second, DETECTED)


# --- options ---

def test_options_are_told_to_the_daemon(fsavd, files, start_pair):
    pair = start_pair(engines=stanza(fsavd.address, files, timeout="25s"))
    assert_passes(pair)
    assert fsavd.settings == {"ARCHIVE": "1", "MAXARCH": "5", "MIME": "1", "TIMEOUT": "25", "RISKWARE": "0"}
    pair = start_pair(engines=stanza(fsavd.address, files, max_recursion=9, riskware="true"))
    assert_passes(pair)
    assert (fsavd.settings["MAXARCH"], fsavd.settings["RISKWARE"]) == ("9", "1")


def test_a_daemon_that_does_not_know_what_is_wanted_is_an_error_unless_it_can_be_done_without(directory, files, start_pair):
    daemon = Fsavd(directory / "old", unknown=(b"PROTOCOL", b"RISKWARE")).start()
    assert_passes(start_pair(engines=stanza(daemon.address, files)))
    wanting = start_pair(engines=stanza(daemon.address, files, riskware="true"))
    wanting.postern.book.excuse("L6", because="its daemon does not know riskware")
    event = assert_error(wanting, "protocol")
    assert "RISKWARE" in event["detail"], event


@pytest.mark.parametrize("options, word, verdict", [
    ({}, b"RISKWARE", "unscannable"), ({"riskware": "true"}, b"RISKWARE", "infected"),
    ({"suspicious": "infected"}, b"MIME_SUSPECTED", "infected"), ({"paranoid": "true"}, b"SUSPECTED", "infected"), ({}, b"SUSPECTED", "unscannable")])
def test_riskware_suspicious_and_paranoid_say_what_a_find_is(about, files, options, word, verdict, start_pair):
    pair = start_pair(engines=stanza(about.address, files, **options))
    about.reports.append(report(word + b"\t%s\tSome.Tool\tx", b"CLEAN\t%s"))
    event = send(pair, mail.plain(), 550)
    assert (event["verdict"], event["virus"]) == (verdict, "Some.Tool"), event


def test_max_filesize_makes_larger_messages_unscannable_and_no_file_is_made(fsavd, files, start_pair):
    pair = start_pair(engines=stanza(fsavd.address, files, max_filesize="10K"))
    assert_unscannable(pair, mail.of_size(20000), "too-large")
    assert fsavd.connections == 0
    assert_passes(pair)


def test_daemon_connect_timeout_bounds_the_greeting(fsavd, directory, files, start_pair):
    silent = Fsavd(directory / "silent")
    silent.greeting_delay = 60
    silent.start()
    pair = start_pair(engines=stanza([silent.address, fsavd.address], files, daemon_connect_timeout="2s"))
    assert_passes(pair)


def test_the_stanza_of_the_original_works(fsavd, files, start_pair):
    pair = start_pair(engines=f'''Validate validate/antivirus antivirus {{
}}
Validate validate/av_fsecure fsecure {{
  daemon = "{fsavd.address}"
  timeout = 60
  action = pass
  file_base = "{files}"
}}
''')
    assert_passes(pair)
    event = send(pair, virus(), 250)
    assert (event["verdict"], event["virus"], event["action"]) == ("infected", DETECTED, "pass"), event
    assert b'X-Virus-Status: infected; name="EICAR_Test_File"; engine=fsecure' in pair.backend.mails[-1].content
