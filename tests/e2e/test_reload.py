# SPDX-License-Identifier: MIT
"""New signatures without a restart: what starts a reload, what a message sees of it, what is not let in."""
import contextlib
import os
import pathlib
import signal
import threading

import pytest
from harness import client, mail, processes
from harness.places import until
from harness.postern import clamav_stanza, fake_stanza
from harness.signatures import ALPHA, BETA, FILLER, FORGETFUL, LOADED, QUICK, RETRY, Database, Load, signature, verdict, wait_loaded


@pytest.fixture
def signatures(directory):
    made = Database(directory)
    made.put(signature("Test.Alpha", ALPHA))
    return made


@pytest.fixture
def start(start_pair, signatures):
    def start_one(pool=None, top=None, **options):
        return start_pair(engines=clamav_stanza(signatures.path, **{**QUICK, **options}), pool={**RETRY, **(pool or {})}, top=top)
    return start_one


def hosts(pair):
    return [pid for pid in processes.children(pair.postern.process.pid) if "--pool" in processes.command_line(pid)]


def kill_host(pair, pid):
    pair.postern.book.killed["scan"] += 1
    os.kill(pid, signal.SIGKILL)


def wait_one_host(pair):
    """The old generation is gone, with its workers."""
    until(lambda: len(hosts(pair)) == 1, "one generation is left", LOADED)


def temporary_files(pair):
    return [path for path in pair.postern.temporary.rglob("*") if not path.is_dir()]


# --- what starts a reload ---

def test_signature_added_to_the_database_is_found_without_a_restart(start, signatures):
    pair = start()
    assert verdict(pair, BETA) == "clean"
    before = hosts(pair)
    signatures.put(signature("Test.Alpha", ALPHA), signature("Test.Beta", BETA))
    done = wait_loaded(pair, generation=2, engine="clamav1")
    assert (done["old_signatures"], done["signatures"]) == (9, 10)
    assert done["memory_kib"] > 0 and done["old_memory_kib"] > 0
    assert pair.log.find("reload-start", reason="the database changed", generation=2)
    assert verdict(pair, BETA) == "infected"
    assert pair.log.wait_for("message", virus="Test.Beta.UNOFFICIAL", generation=2)
    wait_one_host(pair)
    assert hosts(pair) != before


def test_a_new_generation_has_its_full_share_of_the_processors(start, signatures):
    pair = start()
    signatures.put(signature("Test.Alpha", ALPHA), signature("Test.Beta", BETA))
    wait_loaded(pair, generation=2)
    wait_one_host(pair)
    try:
        group = pathlib.Path(f"/proc/{hosts(pair)[0]}/autogroup").read_text(encoding="ascii")
    except FileNotFoundError:
        group = ""
    if not group:
        pytest.skip("this kernel has no groups of processes by session")
    assert group.endswith(" nice 0\n"), group  # it gave way while it loaded


def test_sighup_loads_the_signatures_again_and_without_the_watch_only_sighup_does(start, signatures):
    pair = start(database_watch="false")
    signatures.put(signature("Test.Beta", BETA))
    pair.postern.process.send_signal(signal.SIGHUP)
    wait_loaded(pair, generation=2)
    assert verdict(pair, BETA) == "infected"
    assert [e["reason"] for e in pair.log.find("reload-start")] == ["signal HUP"]


def test_sighup_does_nothing_where_no_engine_has_a_database(start_pair):
    pair = start_pair(engines=fake_stanza())
    pair.postern.process.send_signal(signal.SIGHUP)
    assert pair.deliver(mail.fake_order("clean")).code == 250
    assert not pair.log.find("reload-start")


def test_files_written_beside_as_freshclam_does_start_one_reload_when_they_get_their_name(start, signatures):
    pair = start()
    temporary = signatures.path / "tmp.0123456789"
    temporary.mkdir()
    for part in (b"Cl", b"amAV-VDB:half a file"):
        with open(temporary / "clamav-0.tmp-test.ndb", "ab") as half:
            half.write(part)
    (signatures.path / "freshclam.dat").write_bytes(b"what freshclam remembers")
    signatures.put(signature("Test.Beta", BETA))
    wait_loaded(pair, generation=2)
    assert verdict(pair, BETA) == "infected"
    assert len(pair.log.find("reload-start")) == 1 and not pair.log.find("reload-failed")


def test_database_that_is_written_in_place_is_in_use_when_it_is_whole(start, signatures):
    pair = start(pool={"reload_retry": "1s"})
    path = signatures.path / "more.ndb"
    for line in (signature("Test.Beta", BETA)[:12], signature("Test.Beta", BETA)[12:]):
        with open(path, "a", encoding="ascii") as slow:
            slow.write(line)
        path.chmod(0o644)
        assert pair.deliver(mail.plain()).code == 250
    until(lambda: verdict(pair, BETA) == "infected", "the whole file is loaded", LOADED, interval=0.2)


def test_directory_that_is_exchanged_as_a_whole_is_noticed(start_pair, directory, signatures):
    (directory / "second").mkdir()
    second = Database(directory / "second")
    second.put(signature("Test.Beta", BETA))
    pair = start_pair(engines=clamav_stanza(signatures.path, **QUICK), pool=RETRY)
    signatures.path.rename(directory / "old")
    second.path.rename(signatures.path)
    wait_loaded(pair, generation=2)
    assert verdict(pair, BETA) == "infected"


# --- what is not let in ---

CVD_HEAD = b"ClamAV-VDB:21 Nov 2026 12-00 -0000:27500:2:90:" + b"0" * 32 + b":x:builder:1795262400"


def break_with(content, name="test.ndb"):
    return lambda signatures: signatures.put_bytes(content, name)


BROKEN = {
    "garbage": break_with(os.urandom(4000), "daily.cvd"),
    "malformed": break_with(FILLER.encode() + b"Test.Alpha:0:*:nonsense\n"),
    "cut": break_with(CVD_HEAD.ljust(512) + b"\x1f\x8b\x08", "main.cvd"),
    "empty": break_with(b""),
    "missing": lambda signatures: (signatures.path / "test.ndb").unlink(),
    "shrunk": break_with(signature("Test.Alpha", ALPHA).encode()),
    "forgot-test-string": break_with((FORGETFUL + signature("Test.Alpha", ALPHA)).encode()),
    "clean-is-infected": break_with((FILLER + signature("Test.Canary", b"quick brown fox jumps")).encode()),
}


def mend(signatures):
    """The last step makes it whole: nothing in between could be loaded."""
    signatures.put(signature("Test.Alpha", ALPHA), signature("Test.Beta", BETA))
    for path in signatures.path.iterdir():
        if path.name != "test.ndb":
            path.unlink()


# C19
@pytest.mark.parametrize("kind", BROKEN)
def test_broken_database_keeps_the_old_one_with_an_alarm_until_it_is_mended(start, signatures, kind):
    pair = start()
    host = hosts(pair)
    BROKEN[kind](signatures)
    failed = pair.log.wait_for("reload-failed", timeout=LOADED)
    assert failed["level"] == "error" and failed["serving"] == 1 and "clamav1: " in failed["reason"]
    wait_one_host(pair)
    assert hosts(pair) == host
    assert (verdict(pair, ALPHA), verdict(pair, BETA)) == ("infected", "clean")
    assert not pair.log.find("engine-down") and not pair.log.find("child-exit")
    if kind == "clean-is-infected":
        assert "canary" in failed["reason"] and "Test.Canary" in failed["reason"]
    if kind == "shrunk":
        assert "max_signature_loss" in failed["reason"]
    if kind == "forgot-test-string":
        assert "the standard anti-virus test string is no longer found" in failed["reason"]

    mend(signatures)
    wait_loaded(pair)
    assert (verdict(pair, ALPHA), verdict(pair, BETA)) == ("infected", "infected")


@pytest.mark.root
def test_unreadable_database_keeps_the_old_one_until_it_is_readable(start, signatures):
    pair = start()
    mark = pair.log.mark()
    signatures.path.chmod(0)
    pair.log.wait_for("reload-failed", timeout=LOADED)
    assert verdict(pair, ALPHA) == "infected"
    signatures.path.chmod(0o755)
    wait_loaded(pair, since=mark)


def test_loss_of_signatures_is_accepted_where_the_configuration_says_so(start, signatures):
    pair = start(max_signature_loss=100, test_string="ignored")
    BROKEN["shrunk"](signatures)
    assert wait_loaded(pair)["signatures"] == 1


def test_database_that_cannot_be_used_is_tried_again_after_a_while(start, signatures):
    pair = start(pool={"reload_retry": "300ms"}, database_watch="false")
    BROKEN["malformed"](signatures)
    pair.postern.process.send_signal(signal.SIGHUP)
    pair.log.wait_for("reload-failed", timeout=LOADED, count=2)
    mend(signatures)
    wait_loaded(pair)
    assert verdict(pair, BETA) == "infected"
    assert "another try" in [e["reason"] for e in pair.log.find("reload-start")]


@pytest.mark.parametrize("kind", ["garbage", "malformed", "cut", "empty", "missing", "clean-is-infected", "no-directory"])
def test_database_that_is_broken_at_start_is_451_until_it_is_mended(start, signatures, kind, directory):
    if kind == "no-directory":
        signatures.path.rename(directory / "elsewhere")
    else:
        BROKEN[kind](signatures)
    pair = start()
    down = pair.log.wait_for("engine-down", engine="clamav1")
    assert ("canary" in down["reason"]) == (kind == "clean-is-infected")
    assert (verdict(pair, ALPHA), verdict(pair, BETA)) == (451, 451)
    if kind == "no-directory":
        (directory / "elsewhere").rename(directory / "mended")
        home, signatures.path = signatures.path, directory / "mended"
        mend(signatures)
        signatures.path.rename(home)
    else:
        mend(signatures)
    wait_loaded(pair)
    assert (verdict(pair, ALPHA), verdict(pair, BETA)) == ("infected", "infected")


def test_the_canary_knows_whether_the_test_string_is_found(start, signatures):
    pair = start()
    assert pair.log.find("engine-ready", test_string="found") and not pair.log.find("engine-doubt")
    pair.postern.finish()
    BROKEN["forgot-test-string"](signatures)
    pair = start()
    assert pair.log.find("engine-ready", test_string="unknown to this database")
    assert pair.log.wait_for("engine-doubt", engine="clamav1")["level"] == "warning"


# --- while something happens to the processes ---

class SlowLoading:
    """A database with a pipe in it: whoever loads it waits at its end."""

    def __init__(self, signatures):
        self.signatures, self.path = signatures, signatures.path / "slow.ndb"

    def begin(self):
        os.mkfifo(self.path)
        self.path.chmod(0o644)

    def finish(self):
        """Whoever waits reads a file to its end; whoever comes later, and that is libclamav again, finds an ordinary one."""
        content = signature("Test.Beta", BETA).encode()
        with open(self.path, "wb") as pipe:
            self.signatures.put_bytes(content, self.path.name)
            pipe.write(content)


@pytest.fixture
def slow(signatures):
    return SlowLoading(signatures)


def wait_coming(pair):
    """The process that loads beside the one that serves."""
    pair.log.wait_for("reload-start", timeout=LOADED)
    found = until(lambda: [pid for pid in hosts(pair) if "--replaces" in processes.command_line(pid)], "it was started", LOADED)
    return found[0]


def test_mail_flows_while_signatures_are_loaded(start, slow):
    pair = start()
    slow.begin()
    wait_coming(pair)
    assert (verdict(pair, ALPHA), verdict(pair, BETA)) == ("infected", "clean")
    slow.finish()
    wait_loaded(pair)
    assert verdict(pair, BETA) == "infected"


def test_new_generation_that_is_killed_while_it_loads_is_an_alarm_and_another_try(start, slow):
    pair = start(pool={"reload_retry": "300ms"})
    slow.begin()
    kill_host(pair, wait_coming(pair))
    failed = pair.log.wait_for("reload-failed", timeout=LOADED)
    assert "SIGKILL" in failed["reason"]
    assert verdict(pair, ALPHA) == "infected"
    slow.finish()  # for the next try
    wait_loaded(pair)
    assert verdict(pair, BETA) == "infected"


def test_stop_while_signatures_are_loaded_is_clean(start, slow):
    pair = start()
    slow.begin()
    wait_coming(pair)
    pair.postern.terminate()
    pair.postern.stop()
    assert not pair.log.find("reload-failed") and not pair.log.find("child-exit")


def test_edge_that_is_killed_while_signatures_are_loaded_finds_the_new_ones(start, slow):
    pair = start()
    slow.begin()
    wait_coming(pair)
    pair.postern.hurt("edge")
    pair.log.wait_for("child-exit", process="edge")
    slow.finish()
    wait_loaded(pair)

    def found():
        with contextlib.suppress(OSError):
            return verdict(pair, BETA) == "infected"
    until(found, "the new edge uses the new generation", LOADED, interval=0.1)
    wait_one_host(pair)


def hold(start, **pool):
    """A postern with one worker that is stopped, and two mails at its scan host: one with the worker, one in the queue."""
    pair = start(pool={"Concurrency": 1, **pool}, database_watch="false", timeout="120s")
    (host,) = hosts(pair)
    (worker,) = pair.postern.wait_workers(1)
    until(lambda: pair.log.find("sandbox"), "the worker is born")
    os.kill(worker, signal.SIGSTOP)
    senders = [Sender(pair), Sender(pair)]
    until(lambda: any("memfd:" in link for link in processes.links(host).values()), "a mail waits there")
    return pair, host, worker, senders


@pytest.fixture
def held(start):
    """The same, with a second generation that has taken over."""
    pair, host, worker, senders = hold(start)
    pair.postern.process.send_signal(signal.SIGHUP)
    wait_loaded(pair)
    assert host in hosts(pair) and all(sender.reply is None for sender in senders)
    assert pair.log.wait_for("reload-done")["generation"] == 2
    return pair, host, worker, senders


class Sender:
    """A mail that is sent by a thread, because its answer takes its time."""

    def __init__(self, pair):
        self.reply = None
        self.thread = threading.Thread(target=self._send, args=(pair,), daemon=True)
        self.thread.start()

    def _send(self, pair):
        with client.Client(pair.port, timeout=LOADED) as session:
            session.ehlo()
            self.reply = session.message(mail.plain())

    def join(self):
        self.thread.join(LOADED)
        return self.reply.code


@pytest.mark.root
def test_old_generation_scans_what_it_has_and_ends(held):
    pair, host, worker, senders = held
    assert verdict(pair, ALPHA) == "infected"  # by the new one, meanwhile
    old = processes.Watched(host)
    os.kill(worker, signal.SIGCONT)
    assert [sender.join() for sender in senders] == [250, 250]
    old.wait_gone(LOADED)
    pair.log.wait_for("message", verdict="clean", generation=1, count=2)
    pair.log.wait_for("message", verdict="infected", generation=2)
    assert not pair.log.find("child-exit")
    assert temporary_files(pair) == []


@pytest.mark.root
def test_old_generation_that_is_killed_while_it_drains_costs_no_mail(held):
    pair, host, _, senders = held
    assert verdict(pair, ALPHA) == "infected"  # by the new one: the edge knows it now
    kill_host(pair, host)
    assert [sender.join() for sender in senders] == [250, 250]
    pair.log.wait_for("message", verdict="clean", generation=2, count=2)
    wait_one_host(pair)


@pytest.mark.root
def test_old_generation_that_is_killed_before_the_edge_has_heard_of_the_new_one_costs_no_mail(start):
    pair, host, _, senders = hold(start)
    old, edge = processes.Watched(host), pair.postern.edge_pid()
    os.kill(edge, signal.SIGSTOP)
    pair.postern.process.send_signal(signal.SIGHUP)
    wait_loaded(pair, generation=2)
    kill_host(pair, host)
    old.wait_gone(LOADED)
    os.kill(edge, signal.SIGCONT)  # now it hears of both
    assert [sender.join() for sender in senders] == [250, 250]
    pair.log.wait_for("message", verdict="clean", generation=2, count=2)
    wait_one_host(pair)


@pytest.mark.root
def test_scan_host_that_is_killed_costs_no_mail(start):
    pair, host, _, senders = hold(start)
    kill_host(pair, host)
    assert [sender.join() for sender in senders] == [250, 250]
    pair.log.wait_for("message", verdict="clean", generation=2, count=2)


@pytest.mark.root
def test_old_generation_that_dies_while_the_new_one_loads_costs_no_mail(start, slow):
    """What loads serves as soon as it can; nothing is loaded a second time."""
    pair, host, _, senders = hold(start)
    slow.begin()
    pair.postern.process.send_signal(signal.SIGHUP)
    coming = wait_coming(pair)
    old = processes.Watched(host)
    kill_host(pair, host)
    old.wait_gone(LOADED)
    pair.log.wait_for("child-exit", process="scan CPU")
    late = Sender(pair)  # comes when nobody can scan it
    pair.log.wait_for("connect", count=3)
    slow.finish()
    assert [sender.join() for sender in (*senders, late)] == [250] * 3
    pair.log.wait_for("message", verdict="clean", generation=2, count=3)
    assert hosts(pair) == [coming]
    assert wait_loaded(pair)["generation"] == 2 and verdict(pair, BETA) == "infected"


@pytest.mark.root
def test_stop_while_the_old_generation_drains_lets_its_mails_finish(held):
    pair, _, worker, senders = held
    pair.postern.terminate()
    pair.log.wait_for("stop", reason="signal TERM: open transactions may finish")
    os.kill(worker, signal.SIGCONT)
    assert [sender.join() for sender in senders] == [250, 250]
    pair.postern.stop()


@pytest.mark.root
def test_trigger_waits_until_the_old_generation_is_gone(held):
    pair, _, worker, senders = held
    for _ in range(5):
        pair.postern.process.send_signal(signal.SIGHUP)
        assert verdict(pair, ALPHA) == "infected"
    assert len(hosts(pair)) == 2 and len(pair.log.find("reload-start")) == 1
    os.kill(worker, signal.SIGCONT)
    assert [sender.join() for sender in senders] == [250, 250]
    wait_loaded(pair, generation=3)
    wait_one_host(pair)
    assert len(pair.log.find("reload-start")) == 2


# --- stop_first ---

def test_stop_first_lets_mails_wait_until_the_signatures_are_loaded(start, signatures, slow):
    pair = start(pool={"reload_mode": "stop_first"}, timeout="120s")
    old = processes.Watched(hosts(pair)[0])
    slow.begin()
    old.wait_gone(LOADED)
    until(lambda: len(hosts(pair)) == 1, "the new one was started", LOADED)
    sender = Sender(pair)
    pair.log.wait_for("connect")
    slow.finish()
    assert sender.join() == 250
    wait_loaded(pair, generation=2)
    assert pair.log.wait_for("message", generation=2)
    assert verdict(pair, BETA) == "infected"


@pytest.mark.root
def test_stop_first_whose_old_generation_is_killed_while_it_drains_costs_no_mail(start):
    pair, host, _, senders = hold(start, reload_mode="stop_first")
    pair.postern.process.send_signal(signal.SIGHUP)
    pair.log.wait_for("reload-start")
    kill_host(pair, host)
    assert [sender.join() for sender in senders] == [250, 250]
    pair.log.wait_for("message", verdict="clean", generation=2, count=2)
    wait_one_host(pair)


def test_stop_first_with_a_broken_database_is_451_until_it_is_mended(start, signatures):
    pair = start(pool={"reload_mode": "stop_first"})
    BROKEN["malformed"](signatures)
    failed = pair.log.wait_for("reload-failed", timeout=LOADED)
    assert "serving" not in failed
    assert verdict(pair, ALPHA) == 451
    mend(signatures)
    wait_loaded(pair)
    assert verdict(pair, BETA) == "infected"


# --- under load (C18) ---

def check_verdicts(pair, found):
    """Each mail was judged by one database as a whole: FOUND: generation → what its database finds."""
    expected = {("alpha", "alpha"): "Test.Alpha", ("both", "alpha"): "Test.Alpha", ("beta", "beta"): "Test.Beta", ("both", "beta"): "Test.Beta"}
    messages = pair.log.find("message")
    for event in messages:
        virus = expected.get((event["from"].strip("<>").split("@")[0], found[event["generation"]]))
        assert event["verdict"] == ("infected" if virus else "clean"), event
        assert event.get("virus", "").removesuffix(".UNOFFICIAL") == (virus or ""), event
    return messages


def exchange_under_load(pair, signatures, load, scale):
    """Databases that find the one or the other, in turn; each exchange waits for the one before and for some mails."""
    found, mark = {1: "alpha"}, 0
    while scale.left() > 0 or len(found) < 4:
        kind, name, pattern = [("alpha", "Test.Alpha", ALPHA), ("beta", "Test.Beta", BETA)][len(found) % 2]
        signatures.put(signature(name, pattern))
        done = wait_loaded(pair, since=mark)
        mark = pair.log.mark()
        found[done["generation"]] = kind
        assert len(hosts(pair)) <= 2
        seen = load.count()
        until(lambda seen=seen: load.count() >= seen + 10 or load.faults, "mails pass", LOADED)
    return found


@pytest.mark.soak("reload", "signatures exchanged again and again under load (C18): no mail refused for it, no verdict mixed",
                  seconds=(3, None), clients=(4, 20))
@pytest.mark.parametrize("mode", ["overlap", "stop_first"])
def test_c18_reloads_under_load_cost_no_mail_and_mix_no_verdict(start, signatures, scale, mode):
    pair = start(top={"event_loops": 2}, pool={"reload_mode": mode}, timeout="120s")
    scale.restart()
    load = Load(pair, scale.clients)
    try:
        found = exchange_under_load(pair, signatures, load, scale)
    finally:
        load.stop()
    assert set(load.codes) == {250, 550}, f"replies that a reload must not cause: {load.codes}"
    check_verdicts(pair, found)
    wait_one_host(pair)
    assert not pair.log.find("child-exit") and not pair.log.find("reload-failed")
    scale.count("mails", load.count())
    scale.count("generations", len(found))


def test_c31_storm_of_sighup_keeps_the_budget_and_costs_no_mail(start, signatures):
    pair = start()
    load, largest = Load(pair, 2), 0
    try:
        for i in range(200):
            pair.postern.process.send_signal(signal.SIGHUP)
            if i % 10 == 0:
                largest = max(largest, len(hosts(pair)))
        wait_loaded(pair)
        seen = load.count()
        until(lambda: load.count() >= seen + 10 or load.faults, "mails pass", LOADED)
    finally:
        load.stop()
    assert set(load.codes) == {250, 550} and largest <= 2
    check_verdicts(pair, dict.fromkeys(range(1, 300), "alpha"))
    wait_one_host(pair)
    until(lambda: len(pair.log.find("reload-done")) == len(pair.log.find("reload-start")), "the last reload is over", LOADED)
    assert len(pair.log.find("reload-start")) <= 100


@pytest.mark.root
def test_reloads_leave_nothing_behind(start):
    pair = start(database_watch="false")

    def reload_and_count(generation):
        pair.postern.process.send_signal(signal.SIGHUP)
        wait_loaded(pair, generation=generation)
        assert verdict(pair, ALPHA) == "infected"
        wait_one_host(pair)
        until(lambda: len(pair.log.find("close")) >= generation - 1, "the session is over")
        pair.postern.wait_workers(2)
        return [processes.descriptor_count(pid) for pid in (pair.postern.supervisor_pid(), pair.postern.edge_pid(), *hosts(pair))]

    before = reload_and_count(2)
    for generation in range(3, 7):
        after = reload_and_count(generation)
    assert all(b <= a + 1 for a, b in zip(before, after)), (before, after)  # an idle connection to the backend, maybe
    assert temporary_files(pair) == []
