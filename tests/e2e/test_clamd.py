# SPDX-License-Identifier: MIT
"""Scanning with clamd: an emulated one that misbehaves in every way, and the real one."""
import functools

import pytest
from harness import mail, places, verdicts
from harness.clamd import Clamd as RealClamd
from harness.console import Console, listener
from harness.emulators.base import Fault
from harness.emulators.clamd import Clamd
from harness.places import until
from harness.postern import asking_daemons, clamav_stanza, clamd_stanza, engine, make_database
from harness.verdicts import assert_error, assert_passes, assert_unscannable, deliver_in_background, send

DETECTED = "Test.Payload.UNOFFICIAL"
SIGNATURE = "Test.Payload:0:*:" + mail.PAYLOAD.hex() + "\n"


assert_infected = functools.partial(verdicts.assert_infected, name=DETECTED)


@pytest.fixture(params=["tcp", "unix"])
def emulated(request, directory):
    daemon = Clamd(directory / "clamd.socket" if request.param == "unix" else None).start()
    yield daemon
    daemon.stop()


@pytest.fixture
def by_tcp():
    daemon = Clamd().start()
    yield daemon
    daemon.stop()


# Daemons must outlive postern, whose last mail after each test must pass: their fixtures stand before start_pair.

def forget_trial(pair, daemon):
    """The first mail finds no connection that a trial has left; for one that was kept, a daemon that goes without a word is asked again."""
    pair.log.wait_for("engine-trial")
    daemon.drop_connections()


# --- good days ---

def test_clean_passes_and_a_virus_is_refused_over_one_connection(emulated, start_pair):
    pair = start_pair(engines=clamd_stanza(emulated.address))
    content = mail.plain(b"..dots\r\n.\xe4\r\n")
    event = assert_passes(pair, content)
    assert (event["engine"], event["database"]) == ("clamd1", 27500), event
    assert_infected(pair)
    assert_passes(pair)
    assert emulated.connections == 1
    how, octets = emulated.wait_scans(3)[0]
    assert octets == content, "what is scanned is what the client sent"
    assert how == ("fd[10]" if emulated.path else "stream")
    pair.log.wait_for("engine-ready", version=emulated.version.decode(), database_version=27500)


def test_postern_says_what_the_vectors_say(emulated, start_pair):
    """Every octet of a session. Of clamd's other commands (SCAN with a path and its kin, STATS, PING) postern uses none, so that the emulator knows
    none with a path."""
    pair = start_pair(engines=clamd_stanza(emulated.address))
    forget_trial(pair, emulated)
    contents = [mail.plain(b".dots\r\n\x01\xff\r\n"), mail.plain()]
    for content in contents:
        assert_passes(pair, content)
    requests = [b"zFILDES\0\0" if emulated.path else b"zINSTREAM\0" + len(content).to_bytes(4, "big") + content + bytes(4) for content in contents]
    assert bytes(emulated.heard[-1]) == b"zIDSESSION\0zVERSION\0" + b"".join(requests)


def test_workers_of_a_daemon_may_connect_and_those_of_libclamav_may_not(by_tcp, database, start_pair):
    both = clamav_stanza(database) + clamd_stanza(by_tcp.address)
    pair = start_pair(engines=both)
    assert_passes(pair)
    assert pair.log.wait_for("sandbox", pool="IO")["profile"] == "net"
    assert pair.log.wait_for("sandbox", pool="CPU")["profile"] == "strict"


def test_a_large_message_arrives_whole(emulated, start_pair):
    pair = start_pair(engines=clamd_stanza(emulated.address, timeout="60s"))
    content = mail.of_size(3 << 20)
    assert_passes(pair, content)
    assert emulated.wait_scans()[0][1] == content


def test_a_daemon_s_second_answer_is_never_that_to_the_next_message(emulated, start_pair):
    """Answers have the numbers of their requests: one that comes late, in front of another, is no answer."""
    pair = start_pair(engines=clamd_stanza(emulated.address))
    forget_trial(pair, emulated)
    emulated.misbehave(Fault(again=True))
    assert_passes(pair)
    assert_error(pair, "protocol", content=mail.plain(mail.PAYLOAD + b"\r\n"))
    assert_infected(pair)


def test_each_worker_keeps_its_connection(emulated, start_pair):
    pair = start_pair(engines=clamd_stanza(emulated.address, workers=3))
    assert verdicts.deliver_at_once(pair, 12) == [250] * 12
    assert emulated.connections <= 3


def test_a_descriptor_that_does_not_arrive_is_made_up_for_by_the_octets(directory, start_pair):
    daemon = Clamd(directory / "clamd.socket", take_descriptors=False).start()
    pair = start_pair(engines=clamd_stanza(daemon.address))
    assert_passes(pair)
    assert_infected(pair)
    assert {how for how, _ in daemon.wait_scans(2)} == {"stream"}


# --- bad days ---

def what(daemon):
    """What it calls the message."""
    return b"fd[10]" if daemon.path else b"stream"


def faults_of(daemon):
    answer = b"2: " + what(daemon) + b": "
    return {
        # fault: reasons that may stand in the log
        "garbage": (Fault(raw=b"\x00\xff\xfe garbage"), ("protocol",)),
        "text without sense": (Fault(raw=answer + b"FINE\0"), ("protocol",)),
        "an endless line": (Fault(raw=b"A" * 100000), ("protocol",)),
        "an answer of HTTP": (Fault(raw=b"HTTP/1.1 400 Bad Request\r\n\r\n"), ("protocol",)),
        "a wrong number": (Fault(wrong_id=True), ("protocol",)),
        "an answer too many": (Fault(raw=answer + b"OK\0" + answer + b"OK\0"), ("protocol",)),
        "an answer about something else": (Fault(raw=b"2: /var/tmp/a: b: OK\0"), ("protocol",)),
        "LF where NUL is due": (Fault(raw=answer + b"OK\n"), ("protocol",)),
        "no answer": (Fault(close=True), ("down",)),
        "a reset": (Fault(reset=True), ("down",)),
        "silence": (Fault(stall=0), ("timeout",)),
        "silence in the middle": (Fault(stall=5), ("timeout",)),
        "a name longer than an answer may be": (Fault(name=b"N" * 20000), ("protocol",)),
        "a name with NUL": (Fault(name=b"Na\0me"), ("protocol",)),
    }


# C16
@pytest.mark.parametrize("silent", [False, True])
def test_a_misbehaving_daemon_costs_one_message_a_451(emulated, silent, start_pair):
    faults, timeout = verdicts.of_one_kind(faults_of(emulated), silent)
    pair = start_pair(engines=clamd_stanza(emulated.address, timeout=timeout, breaker_failures=0))
    forget_trial(pair, emulated)
    verdicts.assert_each_costs_one_message(pair, emulated, faults, DETECTED)
    assert {how for how, _ in emulated.scans} == {what(emulated).decode()}


ERRORS = {"an error": b"Broken ERROR\0", "no descriptor": b"No file descriptor received. ERROR\0", "a time-out of the daemon": b"COMMAND READ TIMED OUT\n"}


@pytest.mark.parametrize("error", ERRORS)
def test_trouble_that_the_daemon_reports_is_an_error_of_the_stream_and_of_the_descriptor_a_reason_to_send_the_octets(emulated, error, start_pair):
    pair = start_pair(engines=clamd_stanza(emulated.address, breaker_failures=0))
    forget_trial(pair, emulated)
    text = ERRORS[error] if error.startswith("a time-out") else b"2: " + ERRORS[error]
    if emulated.path:
        emulated.misbehave(Fault(raw=text, close_after=True))
        assert_passes(pair)
    verdicts.misbehave(emulated, Fault(raw=text))
    event = assert_error(pair, "engine")
    assert ERRORS[error].strip(b"\0\n").decode() in event["detail"], event
    assert_passes(pair)
    assert_infected(pair)
    assert [how for how, _ in emulated.scans][-3:] == ["stream"] * 3


def test_an_answer_cut_at_any_octet_is_never_clean(emulated, start_pair):
    pair = start_pair(engines=clamd_stanza(emulated.address, breaker_failures=0))
    forget_trial(pair, emulated)
    verdicts.assert_cut_is_never_clean(pair, emulated, range(len(b"2: " + what(emulated) + b": OK\0")))


def test_a_virus_that_was_told_counts_whatever_comes_behind_it(emulated, start_pair):
    """Not even on_error = pass lets it through."""
    pair = start_pair(engines=clamd_stanza(emulated.address, on_error="pass", breaker_failures=0))
    forget_trial(pair, emulated)
    found = b"2: " + what(emulated) + b": Named.Virus FOUND"
    verdicts.assert_told_virus_counts(pair, emulated, {found + rest: "Named.Virus" for rest in (b"", b"\n", b"\0garbage")})


def test_what_is_merely_awkward_costs_nothing(emulated, start_pair):
    verdicts.assert_awkward_costs_nothing(start_pair(engines=clamd_stanza(emulated.address)), emulated, DETECTED)


def test_names_are_made_harmless(by_tcp, start_pair):
    verdicts.assert_names_are_made_harmless(start_pair(engines=clamd_stanza(by_tcp.address)), by_tcp, b"Evil\r\x01X-Header: \x1b[31m\x80%n;")


@pytest.mark.parametrize("name, reason", [("Heuristics.Encrypted.Zip", "encrypted"), ("Heuristics.Limits.Exceeded.MaxFileSize", "limit")])
def test_names_that_mean_not_looked_at_are_unscannable(emulated, name, reason, start_pair):
    pair = start_pair(engines=clamd_stanza(emulated.address))
    emulated.misbehave(Fault(name=name.encode()))
    assert_unscannable(pair, mail.plain(), reason)


def test_an_early_ok_is_no_ok_and_an_early_limit_is_too_large(by_tcp, start_pair):
    pair = start_pair(engines=clamd_stanza(by_tcp.address))
    content = mail.of_size(12 << 20)  # more than the sockets hold
    by_tcp.misbehave(Fault(early=True))
    assert_error(pair, "protocol", "down", content=content)
    by_tcp.stream_max = 1 << 20
    assert_unscannable(pair, content, "too-large")


def test_a_session_closed_while_idle_is_renewed_without_a_451(emulated, start_pair):
    pair = start_pair(engines=clamd_stanza(emulated.address))
    forget_trial(pair, emulated)
    verdicts.assert_idle_end_costs_nothing(pair, emulated)


def test_a_daemon_that_never_greets_is_down_and_the_next_server_is_asked(emulated, directory, start_pair):
    silent = Clamd(directory / "silent.socket")
    silent.greeting_delay = 60
    silent.start()
    pair = start_pair(engines=clamd_stanza([silent.address, emulated.address], daemon_connect_timeout="2s"))
    assert_passes(pair)
    alone = start_pair(engines=clamd_stanza(silent.address, daemon_connect_timeout="2s"))
    alone.postern.book.excuse("L6", because="its only daemon never says a word")
    assert_error(alone, "down")


def test_mail_flows_by_itself_when_the_daemon_comes_late(emulated, start_pair):
    emulated.stop()
    pair = start_pair(engines=clamd_stanza(emulated.address))
    assert_error(pair, "down")
    emulated.start()
    assert_passes(pair)


def test_mail_flows_again_by_itself_when_the_daemon_is_back(emulated, start_pair):
    pair = start_pair(engines=clamd_stanza(emulated.address))
    forget_trial(pair, emulated)
    verdicts.assert_flows_again_by_itself(pair, emulated, DETECTED)


def test_the_next_server_answers_when_the_first_is_gone(emulated, directory, start_pair):
    second = Clamd(directory / "second.socket").start()
    pair = start_pair(engines=clamd_stanza([emulated.address, "/nowhere/clamd", second.address]))
    verdicts.assert_next_server_answers(pair, emulated, second, DETECTED)


def test_a_name_is_looked_up_and_an_unknown_one_is_down(by_tcp, start_pair):
    pair = start_pair(engines=clamd_stanza(f"localhost:{by_tcp.port}"))
    assert_passes(pair)
    unknown = start_pair(engines=clamd_stanza("no-such-host.invalid:3310", timeout="60s"))
    unknown.postern.book.excuse("L6", because="there is no such host")
    assert_error(unknown, "down")


def test_check_connects_nowhere(make_postern, by_tcp):
    checked = make_postern(engines=clamd_stanza([by_tcp.address, "no-such-host.invalid:3310"])).check()
    assert checked.returncode == 0, checked.stderr
    assert by_tcp.connections == 0
    wrong = make_postern(engines=clamd_stanza("no port:x")).check()
    assert wrong.returncode == 1 and "expected host:port" in wrong.stderr, wrong.stderr


# --- libclamav and clamd on one message ---

def test_two_engines_in_their_order(by_tcp, database, start_pair):
    pair = start_pair(engines=asking_daemons(engine("clamav", "clamav1", database=f'"{database}"'), engine("clamav", "clamd1", by_tcp.address)))
    assert_passes(pair)
    assert len(by_tcp.scans) == 1
    event = assert_infected(pair)  # libclamav finds it, and nobody else is asked
    assert (event["engine"], len(by_tcp.scans)) == ("clamav1", 1), event
    by_tcp.misbehave(Fault(name=b"Only.Clamd"))
    event = send(pair, mail.plain(), 550)
    assert (event["engine"], event["virus"]) == ("clamd1", "Only.Clamd"), event
    by_tcp.stop()
    assert_error(pair, "down")  # never clean on one engine's word
    assert_infected(pair)
    by_tcp.start()


# --- the real one ---

@pytest.fixture
def clamd(directory):
    database = make_database(directory / "db", {"test.ndb": SIGNATURE})
    daemon = RealClamd(directory / "clamd", database, places.free_port(), StreamMaxLength=1 << 20, MaxFileSize=1 << 20, AlertExceedsMax="yes")
    yield daemon.start()
    daemon.kill()


@pytest.fixture(params=["stream", "descriptor"])
def real_address(request, clamd):
    return clamd.tcp if request.param == "stream" else clamd.path


def test_real_clamd_scans(clamd, real_address, start_pair):
    pair = start_pair(engines=clamd_stanza(real_address))
    for _ in range(2):
        assert_passes(pair)
        assert_infected(pair)
        assert_infected(pair, mail.with_attachment(mail.in_zip(mail.PAYLOAD)))
    until(lambda: any(event["version"].startswith("ClamAV 1.") for event in pair.log.find("engine-ready", engine="clamd1")), "its version is logged")


def test_real_clamd_and_its_size_limit(clamd, real_address, start_pair):
    pair = start_pair(engines=clamd_stanza(real_address))
    assert_unscannable(pair, mail.of_size(3 << 20), "limit" if real_address == clamd.path else "too-large")
    assert_passes(pair)


def test_real_clamd_killed_in_the_middle_of_a_scan_gives_the_configured_code_and_mail_flows_when_it_is_back(clamd, real_address, directory, start_pair):
    path = directory / "control/socket"
    pair = start_pair(engines=clamd_stanza(real_address, error_code=452, timeout="60s", daemon_connect_timeout="60s") + listener(path))
    console = Console(path)
    assert_passes(pair)
    pair.log.wait_for("engine-trial")

    def busy():
        (pool,) = console.json("threads", "stats")["pools"]
        return pool["busy"]
    until(lambda: busy() == 0, "the only worker is free")
    clamd.freeze()
    mark = pair.log.mark()
    thread, replies = deliver_in_background(pair, mail.plain())
    until(lambda: busy() == 1, "the worker asks the daemon, which says nothing")
    clamd.kill()
    thread.join(60)
    assert replies and (replies[0].code, replies[0].enhanced) == (452, "4.7.1"), replies
    event = pair.log.wait_for("message", since=mark)
    assert (event["verdict"], event["reason"]) == ("error", "down"), event
    assert send(pair, mail.plain(), 452)["reason"] == "down"
    clamd.start()
    assert_passes(pair)
    assert_infected(pair)


# --- what clamd decides by itself ---

STOCK = {}  # of clamd.conf: its defaults
ALERTS = {"AlertExceedsMax": "yes", "AlertEncrypted": "yes"}
ROWS = {
    # clamd.conf, what stands in the stanza, and what is doubtful then
    "stock": (STOCK, {}, ["limits", "encrypted"]),
    "one alert": ({"AlertExceedsMax": "yes"}, {}, ["encrypted"]),
    "both alerts": (ALERTS, {}, []),
    "what the stanza lets pass anyway": (STOCK, {"on_limit": "pass", "on_encrypted": "pass"}, []),
    "with signatures that do not find the test string": ({**ALERTS, "test_string": False}, {}, ["test-string"]),
    "on purpose": ({**ALERTS, "test_string": False}, {"test_string": "ignored"}, []),
}


@pytest.mark.parametrize("row", ROWS)
def test_real_clamd_that_calls_clean_what_it_has_not_looked_at_is_a_warning(directory, row, start_pair):
    """Nobody has to send such a mail first: texts of postern's own tell."""
    settings, options, doubts = ROWS[row]
    settings = dict(settings)
    known = settings.pop("test_string", True)
    signatures = SIGNATURE + (f"Test.String:0:*:{mail.test_virus().hex()}\n" if known else "")
    daemon = RealClamd(directory / "clamd", make_database(directory / "db", {"test.ndb": signatures}), places.free_port(), **settings).start()
    try:
        socket = directory / "control/socket"
        pair = start_pair(engines=clamd_stanza(daemon.path, **options) + listener(socket))
        trial = pair.log.wait_for("engine-trial")
        assert trial["result"] == ("doubtful" if doubts else "good"), trial
        warnings = pair.log.find("engine-doubt", engine="clamd1")
        assert [(event["doubt"], event["level"]) for event in warnings] == [(word, "warning") for word in doubts], warnings
        (health,) = Console(socket).json("engine", "health")["engines"]
        assert (health["state"], health["doubts"]) == ("closed", doubts), health
        shown = Console(socket).ask("engine", "health", "clamd1")
        assert shown.count("doubtful: ") == len(doubts) and ("AlertExceedsMax yes" in shown) == ("limits" in doubts), shown
        assert_passes(pair)
        assert_infected(pair)
        pair.postern.finish()
    finally:
        daemon.kill()
