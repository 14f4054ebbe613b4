# SPDX-License-Identifier: MIT
"""What engines remember about messages and their parts: known viruses are refused without a scan, and nothing outlives the signatures it was found by
(threat B40)."""
import hashlib

import pytest
from harness import evasion, mail
from harness.console import Console, listener
from harness.emulators.clamd import Clamd
from harness.places import until
from harness.postern import clamav_stanza, clamd_stanza, fake_stanza
from harness.signatures import ALPHA, LOADED, Database, signature, signed_by_nobody
from harness.verdicts import deliver_at_once, is_cached, send, virus


@pytest.fixture
def daemon():
    emulated = Clamd().start()
    yield emulated
    emulated.stop()


# --- what is remembered ---

def test_known_virus_is_refused_without_a_scan(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    content = mail.with_attachment(mail.test_virus())
    first, second = send(pair, content, 550), send(pair, content, 550)
    assert (is_cached(first), is_cached(second)) == (False, True)
    for field in ("verdict", "virus", "engine", "database", "generation", "action", "sha256"):
        assert first[field] == second[field], field
    assert not is_cached(send(pair, mail.with_attachment(mail.test_virus()), 550)), "another message with the same virus in it"


def test_one_engine_remembers_what_the_other_scans(daemon, start_pair, database):
    more = f'clamav "clamav1" {{ database = "{database}" timeout = 20s action = pass }} '
    pair = start_pair(engines=clamd_stanza(daemon.address).replace('clamav "clamd1"', more + 'clamav "clamd1"'))
    daemon.payload = b"nothing that any message holds"
    content = virus()
    pair.postern.book.truth.vouch(content, because="the daemon calls it clean, and the other engine's action lets it pass")
    events = [send(pair, content, 250) for _ in range(2)]
    assert [event["engines"] for event in events] == [f"clamav1=infected:Test.Payload.UNOFFICIAL{word}; clamd1=clean" for word in ("", " (cached)")]


def test_all_loops_know_what_one_has_found(daemon, start_pair):
    pair = start_pair(engines=clamd_stanza(daemon.address), top={"event_loops": 3})
    content = virus()
    send(pair, content, 550)

    def many_at_once():
        assert deliver_at_once(pair, 12, content) == [550] * 12
        return len({event["session"].split("-")[1] for event in pair.log.find("message")}) > 1
    until(many_at_once, "messages have come to several loops", LOADED)
    assert len(daemon.scans) == 1


def test_clean_messages_are_scanned_each_time_unless_the_configuration_says_otherwise(daemon, start_pair):
    for number, (options, scans) in enumerate((({}, 2), ({"cache_clean": "true"}, 1), ({"cache_clean": "true", "cache_size": 0}, 2))):
        daemon.scans.clear()
        pair = start_pair(engines=clamd_stanza(daemon.address, **options))
        content = mail.plain()
        assert not is_cached(send(pair, content, 250))
        assert is_cached(send(pair, content, 250)) == (scans == 1), number
        assert len(daemon.scans) == scans
        pair.backend.wait_mails(2)
        assert [m.content for m in pair.backend.mails] == [content] * 2
        pair.postern.finish()
        pair.forget()


@pytest.mark.parametrize("order, code", [("unscannable limit", 550), ("unscannable encrypted", 550), ("error engine", 451), ("exit 3", 451)])
def test_what_could_not_be_looked_at_is_looked_at_again(start_pair, order, code):
    pair = start_pair(engines=fake_stanza(cache_clean="true"))
    content = mail.fake_order(order)
    for _ in range(2):
        assert not is_cached(send(pair, content, code))


def test_a_limit_that_was_reached_is_forgotten_with_the_limit(start_pair, directory, monkeypatch):
    """B40: the same message, before and after a start with a larger limit, which alone changes it."""
    monkeypatch.setenv("LSAN_OPTIONS", "detect_leaks=0")  # libclamav 1.4 keeps some objects of OpenSSL for each such container it loads
    signatures = Database(directory)
    signatures.put_bytes(signed_by_nobody(100, signature("Test.Alpha", ALPHA)), "daily.cud")
    virus_inside, clean_inside = (mail.with_attachment(mail.in_zip(b"x" * 300000 + octets)) for octets in (ALPHA, b"nothing"))
    options = {"cache_clean": "true", "max_scansize": "100K"}
    pair = start_pair(engines=clamav_stanza(signatures.path, **options))
    for content in (virus_inside, clean_inside, virus_inside, clean_inside):
        event = send(pair, content, 550)
        assert (event["reason"], is_cached(event)) == ("limit", False), event
    pair.postern.finish()
    larger = start_pair(engines=clamav_stanza(signatures.path, **{**options, "max_scansize": "10M"}))
    for cached in (False, True):
        event = send(larger, virus_inside, 550)
        assert (event["verdict"], is_cached(event)) == ("infected", cached), event
        assert is_cached(send(larger, clean_inside, 250)) == cached


def test_false_alarm_by_name_is_clean_each_time_by_a_scan_of_its_own(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, ignore_signatures="( Eicar-Test* )", cache_clean="true"))
    content = mail.with_attachment(mail.test_virus())
    for _ in range(2):
        event = send(pair, content, 250)
        assert (is_cached(event), event["detail"]) == (False, "Eicar-Test.UNOFFICIAL: the name is in ignore_signatures")


def test_false_alarm_by_digest_is_clean_from_the_cache_too(start_pair, database):
    content = mail.with_attachment(mail.test_virus())
    pair = start_pair(engines=clamav_stanza(database, ignore_signatures=f"( sha256:{hashlib.sha256(content).hexdigest()} )"))
    events = [send(pair, content, 250) for _ in range(2)]
    assert [is_cached(event) for event in events] == [False, True]
    assert all("ignore_signatures" in event["detail"] for event in events), events


def test_the_virus_that_was_seen_least_recently_gives_way(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, cache_size=2))
    one, two, three = virus(), virus(), virus()
    assert [is_cached(send(pair, m, 550)) for m in (one, two, one, three, one, two)] == [False, False, True, False, True, False]


def test_cache_can_be_switched_off(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, cache_size=0))
    content = virus()
    assert [is_cached(send(pair, content, 550)) for _ in range(2)] == [False, False]


def test_known_viruses_are_refused_while_the_daemon_is_away(daemon, start_pair):
    pair = start_pair(engines=clamd_stanza(daemon.address))
    content = virus()
    send(pair, content, 550)
    pair.log.wait_for("engine-trial")  # nobody connects while it stops
    daemon.stop()
    assert send(pair, mail.plain(), 451)["reason"] == "down"
    assert is_cached(send(pair, content, 550))
    daemon.start()


# --- the same part in another message ---

WORM = b"MZ" + b"\0a worm\r\n" * 40
WORM_INFECTED = WORM + mail.PAYLOAD


def worm_to(name, payload=WORM_INFECTED):
    """A mail of its own, whose last part is always the same; in base64, which no emulator decodes."""
    return mail.with_attachment(payload, filename=f"{name}.exe", text=f"Dear {name}, see the attachment.".encode())


def taking_apart(daemon, **options):
    return clamd_stanza(daemon.address, mime_decompose="true", breaker_failures=0, **options)


def assert_known_by_part(event, first):
    assert is_cached(event) and event["sha256"] != first["sha256"], event
    for field in ("verdict", "virus", "engine", "part", "database", "generation", "action"):
        assert event[field] == first[field], field


def test_known_part_is_refused_in_another_message_without_a_scan(daemon, start_pair, directory):
    """B40."""
    control = directory / "control"
    pair = start_pair(engines=taking_apart(daemon) + listener(control))
    console = Console(control)
    first = send(pair, worm_to("one"), 550)
    assert (first["part"], is_cached(first)) == ("2", False), first
    scans = len(daemon.scans)
    for name in ("two", "three"):
        assert_known_by_part(send(pair, worm_to(name), 550), first)
    assert len(daemon.scans) == scans, "the daemon was asked"
    assert not is_cached(send(pair, worm_to("one", WORM), 250)), "of the same shape, without the virus"

    stats = next(entry for entry in console.json("cache", "stats")["caches"])
    assert (stats["elements"], stats["hits"]) == (2, 2), stats
    engine = console.json("antivirus", "stats")["engines"][0]
    assert (engine["viruses_detected"], engine["known_from_cache"]) == (3, 2), engine
    digest = hashlib.sha256(WORM_INFECTED).hexdigest()
    entries = {entry["part"]: entry for entry in console.json("cache", "list")["entries"]}
    assert (entries[True]["sha256"], entries[True]["name"], entries[True]["hits"]) == (digest, first["virus"], 2), entries
    assert entries[False]["sha256"] == first["sha256"], entries
    assert f"{first['virus']} (a part)\n" in console.ask("cache", "list")

    for command in (("digest", digest), ("name", "Test.*"), ("engine", "clamd1"), ("all",)):
        assert console.json("cache", "purge", *command)["deleted"] >= 1, command
        asked = len(daemon.scans)
        again = send(pair, worm_to("again after " + command[0]), 550)
        assert (is_cached(again), again["part"]) == (False, "2") and len(daemon.scans) > asked, (command, again)
        assert_known_by_part(send(pair, worm_to("known after " + command[0]), 550), first)


@pytest.fixture
def second_daemon():
    emulated = Clamd().start()
    emulated.payload = b"nothing that any message holds"
    yield emulated
    emulated.stop()


def test_part_that_one_engine_has_found_is_looked_at_by_the_other(daemon, second_daemon, start_pair):
    """B40."""
    more = f'clamav "clamd2" {{ daemon = "{second_daemon.address}" timeout = 20s breaker_failures = 0 mime_decompose = true }} '
    pair = start_pair(engines=taking_apart(daemon).replace('clamav "clamd1"', more + 'clamav "clamd1"'))
    for name, cached in (("one", ""), ("two", " (cached)")):
        event = send(pair, worm_to(name), 550)
        assert event["engines"] == f"clamd2=clean; clamd1=infected:Test.Payload.UNOFFICIAL{cached}", event
    assert [octets for _, octets in second_daemon.scans].count(WORM_INFECTED) == 2
    assert [octets for _, octets in daemon.scans].count(WORM_INFECTED) == 1


def test_virus_that_was_found_in_the_whole_message_is_known_by_that_message_only(daemon, start_pair):
    """B40: a daemon that sees the virus in the mail itself has said nothing of any part."""
    pair = start_pair(engines=taking_apart(daemon))
    daemon.payload = b"Dear one"
    assert "part" not in send(pair, worm_to("one"), 550)
    daemon.payload = b"nothing that any message holds"
    content = worm_to("two")
    pair.postern.book.truth.vouch(content, because="the daemon calls it clean")
    assert not is_cached(send(pair, content, 250))


def test_false_alarm_in_a_part_is_clean_for_the_message_that_is_declared_and_only_for_it(daemon, start_pair):
    content = worm_to("one")
    pair = start_pair(engines=taking_apart(daemon, ignore_signatures=f"( sha256:{hashlib.sha256(content).hexdigest()} )"))
    first = send(pair, worm_to("two"), 550)
    pair.postern.book.truth.vouch(content, because="it is declared a false alarm")
    event = send(pair, content, 250)
    assert "ignore_signatures" in event["detail"], event
    assert_known_by_part(send(pair, worm_to("three"), 550), first)


def test_known_part_is_refused_while_the_daemon_is_away(daemon, start_pair):
    pair = start_pair(engines=taking_apart(daemon))
    first = send(pair, worm_to("one"), 550)
    pair.log.wait_for("engine-trial")  # nobody connects while it stops
    daemon.stop()
    assert send(pair, worm_to("two", WORM), 451)["reason"] == "down"
    assert_known_by_part(send(pair, worm_to("two"), 550), first)
    daemon.start()


def test_known_part_is_forgotten_with_the_daemons_signatures(daemon, start_pair):
    """B40."""
    pair = start_pair(engines=taking_apart(daemon))
    first = send(pair, worm_to("one"), 550)
    assert_known_by_part(send(pair, worm_to("two"), 550), first)
    pair.log.wait_for("engine-trial")
    daemon.version, daemon.payload = daemon.version.replace(b"27500", b"27501"), b"nothing that any message holds"
    daemon.drop_connections()
    assert send(pair, mail.plain(), 250)["database"] == 27501
    content = worm_to("three")
    pair.postern.book.truth.vouch(content, because="the daemon's new signatures call it clean")
    assert not is_cached(send(pair, content, 250))


def test_known_part_is_forgotten_with_the_signatures(start_pair, directory, monkeypatch):
    """B40: of libclamav, in a mail that it does not take apart by itself."""
    monkeypatch.setenv("LSAN_OPTIONS", "detect_leaks=0")  # libclamav 1.4 keeps some objects of OpenSSL for each such container it loads
    signatures = Database(directory)
    signatures.put_bytes(signed_by_nobody(100, signature("Test.Alpha", ALPHA)), "daily.cud")
    pair = start_pair(engines=clamav_stanza(signatures.path, database_settle="100ms", mime_decompose="true"))
    first, second = (send(pair, evasion.hidden(ALPHA)["yEnc"], 550) for _ in range(2))
    assert not is_cached(first) and first["part"] == "2.1", first
    assert_known_by_part(second, first)
    signatures.put_bytes(signed_by_nobody(101), "daily.cud")
    pair.log.wait_for("reload-done", timeout=LOADED, generation=2)
    assert not is_cached(send(pair, evasion.hidden(ALPHA)["yEnc"], 250))


def test_known_part_is_forgotten_with_the_scan_host(start_pair):
    """B40: another generation, as after each exchange of signatures."""
    pair = start_pair(engines=fake_stanza(mime_decompose="true"))
    order = b"X-Fake: infected In.Part\r\n"
    first = send(pair, worm_to("one", order), 550)
    assert (first["virus"], first["part"]) == ("In.Part", "2"), first
    assert_known_by_part(send(pair, worm_to("two", order), 550), first)
    mark = pair.log.mark()
    pair.postern.hurt("scan")
    pair.log.wait_for("engine-ready", timeout=LOADED, since=mark)
    until(lambda: pair.deliver(mail.plain()).code == 250, "mail flows again", LOADED)
    again = send(pair, worm_to("three", order), 550)
    assert (is_cached(again), again["part"]) == (False, "2"), again


# --- how long ---

def test_new_signatures_are_asked_about_a_message_that_was_clean_and_withdrawn_ones_forgotten(start_pair, directory, monkeypatch):
    """B40: the same mail, before and after a reload, in both directions."""
    monkeypatch.setenv("LSAN_OPTIONS", "detect_leaks=0")  # libclamav 1.4 keeps some objects of OpenSSL for each such container it loads
    signatures = Database(directory)
    signatures.put_bytes(signed_by_nobody(100), "daily.cud")
    pair = start_pair(engines=clamav_stanza(signatures.path, database_settle="100ms", cache_clean="true"))
    content = mail.plain(b"x " + ALPHA + b"\r\n")
    before = [send(pair, content, 250) for _ in range(2)]
    assert [is_cached(event) for event in before] == [False, True] and before[1]["database"] == 100
    signatures.put_bytes(signed_by_nobody(101, signature("Test.Alpha", ALPHA)), "daily.cud")
    pair.log.wait_for("reload-done", timeout=LOADED, generation=2)
    after = [send(pair, content, 550) for _ in range(2)]
    assert [is_cached(event) for event in after] == [False, True], after
    assert [(e["generation"], e["database"]) for e in after] == [(2, 101)] * 2
    signatures.put_bytes(signed_by_nobody(102), "daily.cud")
    pair.log.wait_for("reload-done", timeout=LOADED, generation=3)
    withdrawn = [send(pair, content, 250) for _ in range(2)]
    assert [is_cached(event) for event in withdrawn] == [False, True], withdrawn


def test_database_without_a_version_has_its_viruses_remembered_and_nothing_clean(start_pair, directory):
    signatures = Database(directory)
    signatures.put(signature("Test.Alpha", ALPHA))
    pair = start_pair(engines=clamav_stanza(signatures.path, database_settle="100ms", cache_clean="true"))
    infected, clean = mail.plain(ALPHA + b"\r\n"), mail.plain()
    assert [is_cached(send(pair, infected, 550)) for _ in range(2)] == [False, True]
    assert [is_cached(send(pair, clean, 250)) for _ in range(2)] == [False, False]
    signatures.put()
    pair.log.wait_for("reload-done", timeout=LOADED, generation=2)
    assert not is_cached(send(pair, infected, 250))


def test_daemons_new_signatures_count_as_soon_as_its_version_is_seen(daemon, start_pair):
    pair = start_pair(engines=clamd_stanza(daemon.address, cache_clean="true"))
    content = mail.plain(ALPHA + b"\r\n")
    assert [is_cached(send(pair, content, 250)) for _ in range(2)] == [False, True]
    pair.log.wait_for("engine-trial")
    daemon.version, daemon.payload = daemon.version.replace(b"27500", b"27501"), ALPHA
    daemon.drop_connections()
    assert send(pair, mail.plain(), 250)["database"] == 27501
    assert not is_cached(send(pair, content, 550))


def test_restarted_scan_host_begins_with_nothing(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    content = virus()
    send(pair, content, 550)
    mark = pair.log.mark()
    pair.postern.hurt("scan")
    pair.log.wait_for("engine-ready", timeout=LOADED, since=mark)
    until(lambda: pair.deliver(mail.plain()).code == 250, "mail flows again", LOADED)
    assert not is_cached(send(pair, content, 550))


# --- B40: twins ---

def twins():
    """Two messages with one MD5, whatever follows: a collision in printable ASCII, made with M. Stevens's HashClash and published as free of
    copyright (corkami/collisions, examples/free, lisp-1 and lisp-2), as the name of the first header field."""
    names = [b"TEXTCOLLBYfGiJUETHQ4h%ccKSMd5zYpgqf1YRDhkmxHkhPWptrkoyz28wnI9V0aHmSZaAAAA"
             b"()(()()(()((((((()((()((()())))()(()))))())(())))))()(()" % letter for letter in b"AE"]
    end = b": x\r\n" + mail.plain()
    return [name + end for name in names]


def test_clean_twin_does_not_vouch_for_the_other_one(daemon, start_pair):
    clean, dirty = twins()
    assert hashlib.md5(clean).digest() == hashlib.md5(dirty).digest() and clean != dirty
    daemon.payload = b"ETHQ4hEcKSMd5"
    pair = start_pair(engines=clamd_stanza(daemon.address, cache_clean="true"))
    assert [is_cached(send(pair, clean, 250)) for _ in range(2)] == [False, True]
    assert not is_cached(send(pair, dirty, 550))
    assert is_cached(send(pair, clean, 250))
    assert len(daemon.scans) == 2
