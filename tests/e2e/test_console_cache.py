# SPDX-License-Identifier: MIT
"""The console's commands about what engines remember and how they are: cache stats, list, purge; engine health, probe."""
import pytest
from harness import mail
from harness.console import Console, listener
from harness.emulators.clamd import Clamd
from harness.postern import asking_daemons, clamav_stanza, engine
from harness.verdicts import is_cached, send, virus

NEVER = {"breaker_failures": 3, "probe_interval": "1h"}


@pytest.fixture
def daemon():
    emulated = Clamd().start()
    yield emulated
    emulated.stop()


def two_engines(database, address):
    """The clamd that is emulated comes second, so that it sees only what libclamav lets pass."""
    return asking_daemons(engine("clamav", "clamav1", database=f'"{database}"'), engine("clamav", "clamd1", address, cache_clean="true", **NEVER))


@pytest.fixture
def pair_and_console(daemon, start_pair, directory, database):
    """DAEMON stands before start_pair, so it outlives postern."""
    control = directory / "control"
    pair = start_pair(engines=two_engines(database, daemon.address) + listener(control))
    return pair, Console(control)


def cache(console, engine):
    return next(entry for entry in console.json("cache", "stats")["caches"] if entry["engine"] == engine)


def test_stats_count_what_happened(pair_and_console):
    pair, console = pair_and_console
    content, clean = virus(), mail.plain()
    for _ in range(3):
        send(pair, content, 550)
    for _ in range(2):
        send(pair, clean, 250)
    first, second = cache(console, "clamav1"), cache(console, "clamd1")
    assert (first["elements"], first["hits"], first["misses"], first["inserts"]) == (1, 2, 3, 1), first
    assert (second["elements"], second["hits"], second["misses"], second["inserts"]) == (1, 1, 1, 1), second
    stats = {engine["name"]: engine for engine in console.json("antivirus", "stats")["engines"]}
    assert (stats["clamav1"]["messages_checked"], stats["clamav1"]["viruses_detected"], stats["clamav1"]["known_from_cache"]) == (5, 3, 2), stats
    assert (stats["clamd1"]["messages_checked"], stats["clamd1"]["known_from_cache"]) == (2, 1), stats
    text = console.ask("cache", "stats", "clamav1")
    assert "Elements:  1 of 1000\n" in text and "hit 2 (40.0%), miss 3 (60.0%), total 5\n" in text, text
    assert "clamd1" not in text
    assert console.run("cache", "stats", "clamav9").returncode == 1


def test_list_shows_who_said_what(pair_and_console):
    pair, console = pair_and_console
    event = send(pair, virus(), 550)
    clean = send(pair, mail.plain(), 250)
    listed = console.json("cache", "list")
    assert listed["complete"] is True
    by_engine = {entry["engine"]: entry for entry in listed["entries"]}
    assert by_engine["clamav1"]["sha256"] == event["sha256"] and by_engine["clamav1"]["name"] == event["virus"]
    assert by_engine["clamd1"]["sha256"] == clean["sha256"] and by_engine["clamd1"]["verdict"] == "clean"
    assert (by_engine["clamd1"]["definitions_version"], by_engine["clamd1"]["hits"]) == (27500, 0)
    for _ in range(2):
        send(pair, virus(), 550)
    assert console.ask("cache", "list", "clamav1", "2").endswith("2 entries listed; there may be more: give a higher LIMIT\n")
    assert console.ask("cache", "list", "3").count(event["virus"]) >= 2
    assert console.ask("cache", "list", "clamav1").count("clamav1") == 3
    assert console.run("cache", "list", "clamav1", "many").returncode == 2


def test_purge_by_digest_name_engine_and_all(pair_and_console):
    pair, console = pair_and_console
    one, two, clean = virus(), mail.with_attachment(mail.test_virus()), mail.plain()

    def fill():
        digest = send(pair, one, 550)["sha256"]
        send(pair, two, 550)
        send(pair, clean, 250)
        return digest

    def known():
        return [is_cached(send(pair, one, 550)), is_cached(send(pair, two, 550)), is_cached(send(pair, clean, 250)) or
                "clamd1=clean (cached)" in pair.log.find("message")[-1]["engines"]]
    digest = fill()
    assert known() == [True, True, True]
    for command, left in ((("digest", digest), [False, True, True]), (("digest", "sha256:" + digest.upper()), [False, True, True]),
                          (("name", "Eicar*"), [True, False, True]), (("engine", "clamd1"), [True, True, False]), (("all",), [False] * 3)):
        fill()
        answer = console.json("cache", "purge", *command)
        assert answer["deleted"] == left.count(False), (command, answer)
        assert known() == left, command
    assert console.json("cache", "purge", "name", "Nothing*")["deleted"] == 0
    assert console.run("cache", "purge", "digest", "12ab").returncode == 2
    assert console.run("cache", "purge", "engine", "clamav9").returncode == 1
    assert console.run("cache", "purge").returncode == 2


def test_probe_says_what_the_engine_makes_of_it(pair_and_console, daemon):
    pair, console = pair_and_console
    answer = console.json("engine", "probe", "clamav1")
    assert (answer["good"], answer["clean"]["verdict"], answer["pattern"]["verdict"]) == (True, "clean", "infected"), answer
    assert console.ask("engine", "probe", "clamd1").startswith("good: scans; its database does not know the test string (")
    assert cache(console, "clamd1")["inserts"] == 0, "probes are not remembered"
    assert pair.log.wait_for("engine-probe", engine="clamav1", reason="it was asked for")["result"] == "good"
    daemon.stop()
    answer = console.json("engine", "probe", "clamd1")
    assert answer["good"] is False and answer["clean"]["reason"] == "down", answer
    assert console.run("engine", "probe", "clamav9").returncode == 1
    daemon.start()


def test_resting_engine_is_shown_and_a_probe_by_hand_ends_it(pair_and_console, daemon):
    pair, console = pair_and_console
    daemon.stop()
    for _ in range(3):
        send(pair, mail.plain(), 451)
    pair.log.wait_for("engine-rests", engine="clamd1")
    health = {engine["name"]: engine for engine in console.json("engine", "health")["engines"]}
    assert (health["clamav1"]["state"], health["clamd1"]["state"]) == ("closed", "open"), health
    assert (health["clamd1"]["failures"], health["clamd1"]["opened"]) == (3, 1) and "down" in health["clamd1"]["last_trouble"]
    assert console.ask("engine", "health", "clamd1").startswith("clamd1: open (not asked) for ")
    daemon.start()  # the next probe by itself would be in an hour
    assert console.json("engine", "probe", "clamd1")["good"] is True
    assert console.json("engine", "health", "clamd1")["engines"][0]["state"] == "half-open"
    send(pair, mail.plain(), 250)
    assert console.json("engine", "health", "clamd1")["engines"][0]["state"] == "closed"


def test_engine_without_a_cache_says_so(start_pair, directory, database):
    control = directory / "control"
    start_pair(engines=clamav_stanza(database, cache_size=0) + listener(control))
    console = Console(control)
    assert console.ask("cache", "stats") == "clamav1\n  switched off (cache_size = 0)\n"
    assert console.json("cache", "list") == {"entries": [], "complete": True}
    assert console.json("cache", "purge", "all") == {"deleted": 0}
