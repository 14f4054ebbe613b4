# SPDX-License-Identifier: MIT
"""An engine that fails again and again: its messages are told at once, it is tried by messages of postern's own, and mail flows again by
itself. Real clamd and an emulated one; the test engine for what hostile messages can and cannot bring about (threats C13, C14)."""
import pytest
from harness import mail, places
from harness.clamd import Clamd as RealClamd
from harness.emulators.base import Fault
from harness.emulators.clamd import Clamd
from harness.postern import asking_daemons, clamav_stanza, clamd_stanza, engine, fake_stanza, make_database
from harness.verdicts import assert_passes, deliver_at_once, deliver_in_background, send, virus

SIGNATURE = "Test.Payload:0:*:" + mail.PAYLOAD.hex() + "\n"
# Probes are frequent, so that no test waits for one; that they come less often than messages is not relied on.
BREAKER = {"breaker_failures": 3, "probe_interval": "200ms"}
# None within the test, unless something asks for it.
NEVER = {"breaker_failures": 3, "probe_interval": "1h"}


@pytest.fixture
def daemon():
    emulated = Clamd().start()
    yield emulated
    emulated.stop()


def fail_until_it_rests(pair, engine="clamd1"):
    """Mail until the breaker is open."""
    for _ in range(3):
        assert send(pair, mail.plain(), 451)["verdict"] == "error"
    return pair.log.wait_for("engine-rests", engine=engine)


def assert_told_at_once(pair):
    """Neither a worker nor a daemon had the message."""
    event = send(pair, mail.plain(), 451)
    assert event["reason"] == "down" and event["detail"].startswith("the engine is resting after "), event
    assert (float(event["queue_ms"]), float(event["engine_ms"])) == (0, 0), event


def test_dead_daemons_messages_are_told_at_once_and_mail_flows_by_itself_when_it_is_back(daemon, start_pair):
    pair = start_pair(engines=clamd_stanza(daemon.address, **BREAKER))
    assert_passes(pair)
    daemon.stop()
    rests = fail_until_it_rests(pair)
    assert (rests["from"], rests["to"], rests["failures"], rests["level"]) == ("closed", "open", 3, "error"), rests
    assert "probe: down" in rests["reason"], rests
    assert_told_at_once(pair)
    mark = pair.log.mark()
    daemon.start()
    tried = pair.log.wait_for("engine-tried", since=mark)  # no mail is sent meanwhile
    recovered = pair.log.wait_for("engine-recovered", since=mark)
    assert (tried["from"], tried["to"], recovered["from"], recovered["to"]) == ("open", "half-open", "half-open", "closed")
    assert_passes(pair)
    send(pair, virus(), 550)


def test_silent_daemon_costs_the_timeout_of_few_messages(daemon, start_pair):
    """C14: a hang."""
    pair = start_pair(engines=clamd_stanza(daemon.address, workers=8, **{**NEVER, "timeout": "2s"}))
    daemon.always = Fault(stall=0)
    several = [deliver_in_background(pair, mail.plain()) for _ in range(3)]
    rests = pair.log.wait_for("engine-rests")
    assert "timeout" in rests["reason"], rests
    for thread, _ in several:
        thread.join(60)
    scans = len(daemon.scans)
    for _ in range(5):
        assert_told_at_once(pair)
    assert len(daemon.scans) == scans
    daemon.always = None
    pair.postern.book.excuse("L6", because="the next probe is an hour away")


def test_all_loops_hear_of_it(daemon, start_pair):
    pair = start_pair(engines=clamd_stanza(daemon.address, **NEVER), top={"event_loops": 3})
    daemon.stop()
    fail_until_it_rests(pair)

    def told_on_several_loops():
        deliver_at_once(pair, 6)
        told = [event for event in pair.log.find("message") if "the engine is resting" in event.get("detail", "")]
        return len({event["session"].split("-")[1] for event in told}) > 1
    places.until(told_on_several_loops, "messages have come to several loops", 90)
    assert_told_at_once(pair)
    assert len(pair.log.find("engine-rests")) == 1
    daemon.start()
    pair.postern.book.excuse("L6", because="the next probe is an hour away")


def test_other_engine_goes_on_alone_where_the_configuration_lets_it(daemon, start_pair, database):
    more = f'clamav "clamav1" {{ database = "{database}" timeout = 20s }}'
    pair = start_pair(engines=asking_daemons(engine("clamav", "clamd1", daemon.address, on_error="next", **NEVER), more))
    daemon.stop()
    for _ in range(3):
        assert_passes(pair)
    pair.log.wait_for("engine-rests", engine="clamd1")
    event = assert_passes(pair)
    assert event["engines"] == "clamd1=error:down; clamav1=clean", event
    assert send(pair, virus(), 550)["engine"] == "clamav1"
    daemon.start()


@pytest.mark.parametrize("order", ["crash", "exit 3", "error engine", "error down"])
def test_hostile_messages_do_not_take_the_engine_from_others(order, start_pair):
    """C13: our own message goes well, so it is theirs that are to blame."""
    pair = start_pair(engines=fake_stanza(**NEVER))
    pair.postern.reports_expected = True
    for count in (1, 2):
        for _ in range(3):
            assert send(pair, mail.fake_order(order), 451)["verdict"] == "error"
        probe = pair.log.wait_for("engine-probe", count=count)
        assert (probe["result"], probe["reason"]) == ("good", "it failed several times"), probe
    assert pair.deliver(mail.fake_order("clean")).code == 250
    assert not pair.log.find("engine-rests")


def test_switched_off_every_message_asks(daemon, start_pair):
    pair = start_pair(engines=clamd_stanza(daemon.address, breaker_failures=0))
    daemon.stop()
    for _ in range(7):
        assert "resting" not in send(pair, mail.plain(), 451)["detail"]
    daemon.start()
    assert_passes(pair)
    assert not pair.log.find("engine-probe")


def test_idle_engines_end_is_noticed_before_mail_comes(daemon, start_pair):
    pair = start_pair(engines=clamd_stanza(daemon.address, probe_idle="200ms", **BREAKER))
    probe = pair.log.wait_for("engine-probe")
    assert (probe["result"], probe["reason"]) == ("good", "nobody has asked it for a while"), probe
    # A probe is these two, one after the other; other texts are those of trials.
    texts = [octets for octets in daemon.wait_trials(5) if octets.startswith((b"Subject: canary", mail.test_virus()))]
    assert any(b"nothing in here is a virus" in octets.lower() for octets in texts) and mail.test_virus() in texts
    assert not daemon.scans
    daemon.stop()
    pair.log.wait_for("engine-rests")
    assert_told_at_once(pair)
    mark = pair.log.mark()
    daemon.start()
    pair.log.wait_for("engine-recovered", since=mark)
    assert_passes(pair)


def test_daemon_that_lost_its_signatures_is_not_trusted(daemon, start_pair):
    """It calls everything clean; the test string, which it has found before, tells."""
    daemon.payload = mail.test_virus()
    pair = start_pair(engines=clamd_stanza(daemon.address, probe_idle="200ms", **BREAKER))
    assert pair.log.wait_for("engine-probe")["detail"] == "scans, and finds the test string"
    daemon.payload = b"nothing that any message holds"
    assert_blind(pair)
    mark = pair.log.mark()
    daemon.payload = mail.test_virus()
    pair.log.wait_for("engine-recovered", since=mark)


def assert_blind(pair):
    rests = pair.log.wait_for("engine-rests")
    assert "the test string is not found any more" in rests["reason"] and rests["level"] == "error", rests
    event = send(pair, mail.plain(), 451)
    assert event["reason"] == "down" and "the engine is resting" in event["detail"], event


LOST = (b"ClamAV 1.4.6", b"nothing that any message holds")


@pytest.mark.parametrize("breaker_failures", [3, 0])
def test_daemon_that_lost_its_official_database_changes_its_version_too_and_is_not_trusted(daemon, start_pair, breaker_failures):
    """Nobody asks for a probe: that it tells of other signatures is reason enough to try it."""
    daemon.payload = mail.test_virus()
    pair = start_pair(engines=clamd_stanza(daemon.address, breaker_failures=breaker_failures, probe_interval="200ms"))
    assert pair.log.wait_for("engine-trial")["result"] == "good"
    assert_passes(pair)
    good = daemon.version
    daemon.version, daemon.payload = LOST
    daemon.drop_connections()  # as when it loads its database anew: VERSION is asked at the beginning of a connection
    pair.deliver(mail.plain())
    assert pair.log.wait_for("engine-trial", result="bad")["engine"] == "clamd1"
    assert_blind(pair)
    mark = pair.log.mark()
    daemon.version, daemon.payload = good, mail.test_virus()
    pair.log.wait_for("engine-recovered", since=mark)
    assert_passes(pair)


def test_idle_daemon_that_lost_its_official_database_is_noticed_by_a_probe(daemon, start_pair):
    daemon.payload = mail.test_virus()
    pair = start_pair(engines=clamd_stanza(daemon.address, probe_idle="200ms", **BREAKER))
    assert pair.log.wait_for("engine-probe")["detail"] == "scans, and finds the test string"
    pair.log.wait_for("engine-trial")
    daemon.version, daemon.payload = LOST
    daemon.drop_connections()
    assert_blind(pair)
    mark = pair.log.mark()
    daemon.payload = mail.test_virus()
    pair.log.wait_for("engine-recovered", since=mark)


def test_signatures_that_lack_the_test_string_on_purpose_are_possible(daemon, start_pair):
    daemon.payload = mail.test_virus()
    pair = start_pair(engines=clamd_stanza(daemon.address, probe_idle="200ms", test_string="ignored", **BREAKER))
    assert pair.log.wait_for("engine-probe")["detail"] == "scans, and finds the test string"
    pair.log.wait_for("engine-trial")
    daemon.version, daemon.payload = LOST
    daemon.drop_connections()
    pair.log.wait_for("engine-probe", detail="scans; its database does not know the test string")
    assert_passes(pair)
    assert not pair.log.find("engine-rests") and not pair.log.find("engine-doubt")


def test_daemon_that_must_find_the_test_string_is_asked_nothing_before(daemon, start_pair):
    pair = start_pair(engines=clamd_stanza(daemon.address, test_string="required", **BREAKER))
    for _ in range(2):
        assert "the engine is resting" in send(pair, mail.plain(), 451)["detail"]
    pair.log.wait_for("engine-probe", result="bad")
    assert not daemon.scans
    daemon.payload = mail.test_virus()
    pair.log.wait_for("engine-recovered")
    assert_passes(pair)


# --- the real one ---

@pytest.fixture
def clamd(directory):
    signatures = make_database(directory / "db", {"test.ndb": SIGNATURE})
    real = RealClamd(directory / "clamd", signatures, places.free_port())
    yield real.start()
    real.kill()


def test_real_clamd_killed_and_back(clamd, start_pair):
    pair = start_pair(engines=clamd_stanza(clamd.path, **BREAKER))
    assert_passes(pair)
    clamd.kill()
    fail_until_it_rests(pair)
    assert_told_at_once(pair)
    mark = pair.log.mark()
    clamd.start()
    pair.log.wait_for("engine-recovered", since=mark)
    assert_passes(pair)
    send(pair, virus(), 550)


def test_scan_host_that_dies_does_not_make_its_engine_rest(start_pair, database):
    """Its end shows at once and passes by itself; a breaker would only add to it."""
    pair = start_pair(engines=clamav_stanza(database, **NEVER))
    for _ in range(2):
        mark = pair.log.mark()
        pair.postern.hurt("scan")
        pair.log.wait_for("engine-ready", timeout=90, since=mark)
        assert_passes(pair)
    assert not pair.log.find("engine-rests") and not pair.log.find("engine-probe")
