# SPDX-License-Identifier: MIT
"""Descriptors run out, in a scan host or in the edge, and are there again: that costs the messages of that time at most, and nothing is restarted (C24)."""
import contextlib
import signal

import pytest
from harness import mail, processes
from harness.places import until
from harness.postern import clamav_stanza, fake_stanza
from harness.signatures import ALPHA, LOADED, RETRY, Database, signature, verdict, wait_loaded
from harness.verdicts import send

LOOPS = 2


@contextlib.contextmanager
def no_descriptors(pid):
    """PID keeps what it has open, and gets nothing more."""
    soft, hard = processes.limit(pid, "Max open files")
    processes.set_limit(pid, "nofile", 0, hard)
    yield
    processes.set_limit(pid, "nofile", soft, hard)


def hosts(pair):
    return [pid for pid in processes.children(pair.postern.process.pid) if "--pool" in processes.command_line(pid)]


def lost(pair):
    return [event for event in pair.log.find("shortage") if "its channel to generation 2 of the scan host" in event.get("reason", "")]


@pytest.mark.parametrize("loops", [1, LOOPS])
def test_a_scan_host_without_descriptors_refuses_each_message_and_scans_the_next_ones(start_pair, loops):
    pair = start_pair(engines=fake_stanza(breaker_failures=0, timeout="60s"), top={"event_loops": loops})
    assert pair.deliver(mail.plain()).code == 250
    pair.log.wait_for("message")
    before = hosts(pair)
    with no_descriptors(pair.postern.scan_host_pid()):
        for _ in range(4):
            mark = pair.log.mark()
            assert pair.deliver(mail.plain()).code == 451
            event = pair.log.wait_for("message", since=mark)
            assert (event["reason"], event["detail"]) == ("down", "the scan host has no descriptor left for it"), event
    assert len(pair.log.find("shortage", reason="pool CPU: no descriptor is left for a message: it is not scanned")) == 4
    for _ in range(4):
        assert pair.deliver(mail.plain()).code == 250
    assert hosts(pair) == before and not pair.log.find("protocol")


def test_a_worker_without_descriptors_says_so_and_is_replaced_and_the_message_is_no_poison(start_pair):
    """A worker that ended instead would be a crash on this message, and the third one poison; one that stayed would get every message."""
    pair = start_pair(engines=fake_stanza(breaker_failures=0, timeout="60s"), pool={"Concurrency": 1})
    content = mail.plain()
    for _ in range(3):
        assert send(pair, mail.plain(b"Another one.\r\n"), 250)["verdict"] == "clean"
        pid = pair.postern.worker_pids()[0]
        processes.set_limit(pid, "nofile", 0, processes.limit(pid, "Max open files")[1])
        event = send(pair, content, 451)
        assert (event["reason"], event["detail"]) == ("down", "the worker has no descriptor left for it"), event
    assert send(pair, content, 250)["verdict"] == "clean"
    assert [event["how"] for event in pair.log.find("worker-exit")] == ["it has no descriptor left"] * 3


def test_an_edge_without_descriptors_during_a_reload_gets_its_channels_afterwards(start_pair, directory):
    """Every loop loses the channel to the new generation, asks for another one, and the old generation ends by itself."""
    signatures = Database(directory)
    signatures.put(signature("Test.Alpha", ALPHA))
    pair = start_pair(engines=clamav_stanza(signatures.path, database_watch="false", cache_size=0, timeout="120s"), pool=RETRY, top={"event_loops": LOOPS})
    assert verdict(pair, ALPHA) == "infected"
    edge = pair.postern.edge_pid()
    with no_descriptors(edge):
        pair.postern.process.send_signal(signal.SIGHUP)
        wait_loaded(pair, generation=2)
        until(lambda: len(lost(pair)) >= LOOPS, "every loop has lost its channel", LOADED)
    until(lambda: len(hosts(pair)) == 1, "the old generation has drained", LOADED)
    mark = pair.log.mark()
    assert verdict(pair, ALPHA) == "infected"
    assert pair.log.wait_for("message", since=mark)["generation"] == 2
    given = [event for event in pair.log.find("channel") if "gets another one" in event["reason"]]
    assert len(given) >= LOOPS, given
    assert pair.postern.edge_pid() == edge
    assert not pair.log.find("child-exit") and not [event for event in pair.log.find("stop") if "did not drain" in event.get("reason", "")]
