# SPDX-License-Identifier: MIT
"""The engine csapi with a daemon: Symantec's, emulated."""
import datetime
import functools
import re

import pytest
from harness import mail, verdicts
from harness.console import Console, listener as control_listener
from harness.emulators.base import Fault
from harness.emulators.symantec import Symantec, infected
from harness.places import until
from harness.postern import asking_daemons, engine
from harness.verdicts import assert_error, assert_passes, send

assert_infected = functools.partial(verdicts.assert_infected, name="Test.Payload.UNOFFICIAL")


@pytest.fixture
def symantec():
    daemon = Symantec().start()
    yield daemon
    daemon.stop()


def daemon_stanza(addresses, **options):
    return asking_daemons(engine("csapi", "csapi1", addresses, **{"test_string": "ignored", **options}))


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
