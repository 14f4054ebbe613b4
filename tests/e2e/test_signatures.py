# SPDX-License-Identifier: MIT
"""What is asked of signatures before mail is called clean by them: at the first start, where nothing is known to compare them with, and from one load to the
next (threat C19)."""
import hashlib
import signal

import pytest
from harness import mail
from harness.postern import clamav_stanza, make_database
from harness.signatures import ALPHA, LOADED, signed_by_nobody

NO_SCAN = "its signatures do not suffice: that does not pass by itself"


def lines(count, test_string=True):
    """COUNT signatures: ALPHA, maybe the standard anti-virus test string, and others."""
    known = [f"Test.Alpha:0:*:{ALPHA.hex()}\n"] + [f"Test.String:0:*:{mail.test_virus().hex()}\n"] * test_string
    return "".join(known + [f"Test.Filler{i}:0:*:{hashlib.sha256(b'%d' % i).hexdigest()}\n" for i in range(count - len(known))])


def put(directory, content, name="test.ndb"):
    """As freshclam does."""
    beside = directory / "tmp.new"
    beside.write_bytes(content if isinstance(content, bytes) else content.encode())
    beside.chmod(0o644)
    beside.rename(directory / name)


def verdict(pair, content=ALPHA):
    return {250: "clean", 550: "infected"}.get(code := pair.deliver(mail.plain(b"x " + content + b"\r\n")).code, code)


@pytest.fixture
def start(start_pair):
    def start_one(database, pool=None, **options):
        return start_pair(engines=clamav_stanza(database, **{"database_settle": "100ms", **options}), pool={"reload_retry": "24h", **(pool or {})})
    return start_one


# --- at the first start ---

FLOORS = {
    # the database: signatures, with the test string; options; why it does not scan (None: it does), and whether there is a warning
    "a remnant": ((1, False), {}, None, True),
    "a remnant that is meant so": ((1, False), {"test_string": "ignored"}, None, False),
    "a whole one": ((9, True), {"test_string": "required", "min_signatures": 9}, None, False),
    "too few": ((8, True), {"min_signatures": 9}, "8 signatures, expected at least 9 (min_signatures)", False),
    "no test string": ((9, False), {"test_string": "required"}, "the test string is not found, and test_string = required", False),
    "none that is official": ((9, True), {"official_only": "true"}, "no official signatures found", False),
}


@pytest.mark.parametrize("kind", FLOORS)
def test_first_start_with_a_remnant_of_a_database(start, directory, kind):
    """main.cvd is gone, and one file of somebody's own is left."""
    made, options, refusal, warns = FLOORS[kind]
    pair = start(make_database(directory / "db", {"test.ndb": lines(*made)}), **options)
    assert [event["level"] for event in pair.log.find("engine-doubt")] == ["warning"] * warns
    if refusal:
        pair.postern.book.excuse("L6", because=NO_SCAN)
        assert refusal in pair.log.wait_for("engine-down", engine="clamav1")["reason"]
        assert (verdict(pair, b"nothing"), verdict(pair)) == (451, 451)
    else:
        assert (verdict(pair, b"nothing"), verdict(pair)) == ("clean", "infected")


@pytest.mark.parametrize("kind", ["too few", "no test string"])
def test_what_did_not_suffice_at_start_scans_when_it_is_whole(start, directory, kind):
    made, options, _, _ = FLOORS[kind]
    database = make_database(directory / "db", {"test.ndb": lines(*made)})
    pair = start(database, **options)
    pair.log.wait_for("engine-down", engine="clamav1")
    put(database, lines(9))
    pair.log.wait_for("reload-done", timeout=LOADED)
    assert (verdict(pair, b"nothing"), verdict(pair)) == ("clean", "infected")


# --- from one load to the next ---

def test_small_losses_do_not_add_up(start, directory):
    """Half of what is in use may be lost, but of what was in use once: 40, 24, and not 16."""
    database = make_database(directory / "db", {"test.ndb": lines(40)})
    pair = start(database)
    put(database, lines(24))
    assert pair.log.wait_for("reload-done", timeout=LOADED)["signatures"] == 24
    put(database, lines(16))
    assert "16 signatures instead of 40" in pair.log.wait_for("reload-failed", timeout=LOADED)["reason"]
    assert verdict(pair) == "infected"


@pytest.mark.parametrize("how", ["stop_first", "crash"])
def test_without_an_older_generation_what_has_lost_the_test_string_does_not_scan(start, directory, how):
    database = make_database(directory / "db", {"test.ndb": lines(9)})
    pair = start(database, pool={"reload_mode": "stop_first"} if how == "stop_first" else None, database_watch="false", probe_interval="200ms")
    assert verdict(pair, b"nothing") == "clean"
    put(database, lines(9, test_string=False))
    if how == "stop_first":
        pair.postern.process.send_signal(signal.SIGHUP)
    else:
        pair.postern.hurt("scan")
    failed = pair.log.wait_for("reload-failed", timeout=LOADED)
    assert "the standard anti-virus test string is no longer found" in failed["reason"] and "serving" not in failed, failed
    assert "the test string is not found any more" in pair.log.wait_for("engine-rests")["reason"]
    assert (verdict(pair, b"nothing"), verdict(pair)) == (451, 451)
    put(database, lines(9))
    pair.postern.process.send_signal(signal.SIGHUP)
    pair.log.wait_for("engine-recovered", timeout=LOADED)
    assert (verdict(pair, b"nothing"), verdict(pair)) == ("clean", "infected")


@pytest.fixture
def container():
    """A good daily.cud of several thousand octets, most of them behind its header of 512."""
    return signed_by_nobody(100, lines(400))


def cut(octets, percent):
    return octets[:len(octets) * percent // 100]


def noise(octets, percent):
    at = len(octets) * percent // 100
    return octets[:at] + bytes(octet ^ 0x5a for octet in octets[at:at + 16]) + octets[at + 16:]


@pytest.mark.parametrize("damage", [cut, noise])
def test_container_that_is_damaged_anywhere_is_not_used(start, directory, container, damage, monkeypatch):
    monkeypatch.setenv("LSAN_OPTIONS", "detect_leaks=0")  # libclamav 1.4 keeps some objects of OpenSSL for each such container it loads
    assert len(container) // 10 > 512
    database = make_database(directory / "db", {"daily.cud": container})
    pair = start(database)
    for percent in range(10, 100, 10):
        mark = pair.log.mark()
        put(database, damage(container, percent), "daily.cud")
        failed = pair.log.wait_for("reload-failed", timeout=LOADED, since=mark)
        assert failed["serving"] == 1 and "clamav1: database " in failed["reason"], (percent, failed)
        assert (verdict(pair, b"nothing"), verdict(pair)) == ("clean", "infected"), percent
    put(database, container, "daily.cud")
    pair.log.wait_for("reload-done", timeout=LOADED)
    assert verdict(pair) == "infected"
    assert not pair.log.find("engine-down")
