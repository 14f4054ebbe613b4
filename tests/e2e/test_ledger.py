# SPDX-License-Identifier: MIT
"""The ledger against forged evidence: for every promise, runs that it must find guilty, and honest ones that it must not; then against real
runs that were tampered with."""
import hashlib
import os
import signal
import socket
import struct

import pytest
from harness import mail
from harness.client import Client, deliver, dot_stuffed
from harness.ledger import CLEAN, HARMLESS, INFECTED, PROMISES, SUSPECT, TROUBLE, Delivery, Evidence, faults
from harness.load import two_engines
from harness.places import free_port
from harness.postern import asking_daemons, clamav_stanza, engine, fake_stanza
from harness.scenario import deliveries_of
from harness.talk import Attempt, Body, Refused, Talk, digests_of
from harness.truth import Truth

CONTENT = b"Subject: forged\r\n\r\nwords\r\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
CLIENT = "127.0.0.1:4711"
CONNECT = {"event": "connect", "session": "s", "client": CLIENT}
STARTED = {"event": "child-start", "process": "edge", "pid": 7}
EDGE_EXIT = {"event": "child-exit", "process": "edge", "pid": 7, "status": "killed by signal 9"}
CLOSE = {"event": "close", "session": "s", "client": CLIENT, "reason": "quit"}


def line(**fields):
    """A message's line in the log: of a clean delivered one, but for FIELDS (None: not there)."""
    full = {"event": "message", "session": "s", "id": "s.1", "client": CLIENT, "outcome": "delivered", "verdict": "clean", "action": "pass",
            "reply": "250 2.0.0 queued", "backend_reply": "250 2.0.0 queued", "sha256": DIGEST, **fields}
    return {key: value for key, value in full.items() if value is not None}


def attempt(code=250, content=CONTENT, **fields):
    return Attempt(hashlib.sha256(content).hexdigest(), content, code, length=len(content), client=CLIENT, **fields)


def run(*, attempts=None, refused=(), held=1, held_code=250, content=CONTENT, events=None, to=None, sender=None, close=CLOSE, **fields):
    """Evidence of an honest run of one message, but for what is given. SENDER, TO: recipients, of the copies at the backend."""
    talk = Talk(CLIENT)
    talk.attempts, talk.refused = [attempt()] if attempts is None else attempts, list(refused)
    return Evidence([talk], deliveries=[Delivery(digests_of(content), held_code, to, sender) for _ in range(held)],
                    events=[CONNECT, *([line()] if events is None else events), close], **fields)


def abandoned():
    """An attempt whose client waited for the final reply until the session was closed."""
    forged = attempt(None)
    forged.abandoned = True
    return forged


REJECTED = {"outcome": "refused", "verdict": "infected", "action": "reject", "virus": "V", "reply": "550 5.7.1 no", "backend_reply": None}
FAILED = {"outcome": "deferred", "verdict": "error", "reason": "timeout", "action": "reject", "reply": "451 4.7.1 later", "backend_reply": None}
UNKNOWN = {"outcome": "unknown", "reply": "451 4.4.2 lost", "backend_reply": "the connection was lost"}
UNKNOWN_LINE = {"event": "outcome-unknown", "session": "s", "id": "s.1", "detail": "the connection was lost"}
MARKED = b"X-Virus-Status: Yes, V; host=gw\r\n" + CONTENT

KEPT = {"outcome": "quarantined", "verdict": "infected", "action": "quarantine", "virus": "V", "quarantine": "q1", "backend_reply": None,
        "reply": "250 2.0.0 Message kept in quarantine, id q1"}
KEPT_AND_REFUSED = {**KEPT, "reply": "550 5.7.1 no"}
NOT_KEPT = {**KEPT, "outcome": "deferred", "quarantine": None, "reply": "451 4.3.0 later"}
RELEASED_LINE = {"event": "quarantine", "quarantine": "q1", "action": "release", "detail": "250 2.0.0 queued"}
RELEASED = b"X-Postern-Released: q1; host=gw\r\n" + MARKED


ONE, TWO = ("c@d",), ("c@d", "e@f")
BOUNCED = {"outcome": "refused", "reply": "550 5.7.1 no", "backend_reply": "550 5.7.1 no"}
OVER = {"outcome": "refused", "verdict": None, "action": None, "reason": "too-large", "reply": "552 5.3.4 larger", "backend_reply": None}


def closed(reason):
    return {**CLOSE, "reason": reason}


def turned_away(client):
    """A client that was told that there are too many, and the line about the client CLIENT."""
    talk = Talk(CLIENT)
    talk.refused = [Refused("greeting", 421, "421 4.7.0 Too many connections, try again later", client=CLIENT)]
    return Evidence([talk], events=[{"event": "refuse", "client": client, "limit": "max_connections"}])


def refused_twice(lines=2, replies=("550 5.1.1 no",) * 2, said=(550, 550), **fields):
    """Evidence of a run in which two recipients were refused by the backend."""
    told = [{"event": "reject", "session": "s", "command": "RCPT", "reply": reply} for reply in replies[:lines]]
    return run(refused=[Refused("RCPT", 550, client=CLIENT) for _ in range(2)], said=said, events=[line(), *told], **fields)


def kept(code=250, *, lines=(), **fields):
    """Evidence of a run whose message is in quarantine."""
    return run(**{"attempts": [attempt(code)], "held": 0, "events": [line(**(KEPT if code == 250 else KEPT_AND_REFUSED)), *lines],
                  "truth": lambda a: INFECTED, "quarantine": {"q1": DIGEST}, **fields})


HONEST = {
    "kept and accepted": lambda: kept(),
    "kept and refused": lambda: kept(550),
    "could not be kept": lambda: run(attempts=[attempt(451)], held=0, events=[line(**NOT_KEPT)], truth=lambda a: INFECTED),
    "kept and released": lambda: kept(lines=[RELEASED_LINE], held=1, content=RELEASED),
    "kept, refused and released": lambda: kept(550, lines=[RELEASED_LINE], held=1, content=RELEASED),
    "kept and deleted by somebody": lambda: kept(lines=[{"event": "quarantine", "quarantine": "q1", "action": "delete"}], quarantine={}),
    "kept until it was too old": lambda: kept(lines=[{"event": "quarantine", "quarantine": "q1", "detail": "deleted: it is older"}], quarantine={}),
    "kept, and its line lost with the edge": lambda: Evidence([_talk(attempt(250))], events=[CONNECT], killed={"edge"},
                                                              truth=lambda a: INFECTED, quarantine={"q9": DIGEST}),
    "delivered": lambda: run(),
    "infected": lambda: run(attempts=[attempt(550)], held=0, events=[line(**REJECTED)], truth=lambda a: INFECTED),
    "deferred": lambda: run(attempts=[attempt(451)], held=0, events=[line(**FAILED)], truth=lambda a: TROUBLE),
    "outcome unknown": lambda: run(attempts=[attempt(451)], held_code=None, events=[line(**UNKNOWN), UNKNOWN_LINE]),
    "left before it heard": lambda: run(attempts=[attempt(None)]),
    "the edge was killed before it answered": lambda: run(attempts=[abandoned()], killed={"edge"}),
    "the edge was killed, and nothing is logged of its session": lambda: Evidence([_talk(abandoned())], events=[CONNECT], killed={"edge"}),
    "the time was over before it answered": lambda: run(attempts=[abandoned()], close=closed("timeout")),
    "the drain was over before it answered": lambda: run(
        attempts=[abandoned()], events=[line(**UNKNOWN), UNKNOWN_LINE], close=closed("drain_timeout has passed")),
    "no memory for the answer": lambda: run(attempts=[abandoned()], close=closed("out of memory for a reply")),
    "not scanned and passed, where the configuration lets such messages pass": lambda: run(events=[line(verdict="error", reason="timeout")], lenient=True),
    "harmless, and delivered": lambda: run(truth=lambda a: HARMLESS),
    "harmless, and deferred": lambda: run(attempts=[attempt(451)], held=0, events=[line(**FAILED)], truth=lambda a: HARMLESS),
    "infected as one engine of several says": lambda: run(attempts=[attempt(550)], held=0, events=[line(**REJECTED)], truth=lambda a: CLEAN),
    "marked and passed": lambda: run(content=MARKED, events=[line(verdict="infected", virus="V")], truth=lambda a: INFECTED, may_pass=lambda a: True,
                                     lenient=True),
    "the client's own mark": lambda: run(attempts=[attempt(content=MARKED)], content=MARKED, events=[line(sha256=hashlib.sha256(MARKED).hexdigest())]),
    "one marked and passed, another clean": lambda: Evidence(
        [_talk(attempt(), attempt())], deliveries=[Delivery(digests_of(content), 250) for content in (CONTENT, MARKED)],
        events=[CONNECT, line(), line(id="s.2", verdict="error", reason="timeout"), CLOSE], lenient=True),
    "infected and refused, and there is no log": lambda: Evidence([_talk(attempt(550))], truth=lambda a: INFECTED, killed={"edge"}),
    "not clean, and deferred": lambda: run(attempts=[attempt(451)], held=0, events=[line(**FAILED)], truth=lambda a: SUSPECT),
    "not clean, and refused": lambda: run(attempts=[attempt(550)], held=0, events=[line(**REJECTED)], truth=lambda a: SUSPECT),
    "refused by the backend": lambda: run(attempts=[attempt(554)], held_code=554, said=[554],
                                          events=[line(outcome="refused", reply="554 5.6.0 no", backend_reply="554 5.6.0 no")]),
    "trouble that the administrator wants bounced": lambda: run(attempts=[attempt(554)], held=0, events=[line(**{**FAILED, "reply": "554 x"})],
                                                                demanded={554}),
    "edge killed in the body": lambda: Evidence([_talk(attempt(None, complete=False))], events=[CONNECT], killed={"edge"}),
    "a client that the killed edge did not greet, and its address used again":
        lambda: Evidence([Talk(CLIENT), _talk(attempt())], deliveries=[Delivery(digests_of(CONTENT), 250)], events=[CONNECT, line(), CLOSE],
                         killed={"edge"}),
    "the edge started once": lambda: run(events=[STARTED, line()]),
    "the edge killed by the test and started again": lambda: run(events=[STARTED, line(), EDGE_EXIT, STARTED], killed={"edge"}),
    "the edge killed by the test, in a later part of a long run": lambda: run(events=[line(), EDGE_EXIT, STARTED], killed={"edge"}, edge_runs=True),
    "a scan host replaced, as a reload does it": lambda: run(events=[STARTED, {**STARTED, "process": "scan CPU"}, line(), {**STARTED, "process": "scan CPU"}]),
    "edge killed by the test": lambda: run(events=[line(), {"event": "child-exit", "process": "edge", "status": "killed"}], killed={"edge"}),
    "same message twice": lambda: run(attempts=[attempt(), attempt()], held=2, events=[line(), line(id="s.2")]),
    "at a backend that others use too": lambda: run(attempts=[], events=[], others=[DIGEST]),
    "broken off": lambda: run(attempts=[attempt(None, complete=False)], held=0, events=[line(outcome="client-gone", sha256=None, reply=None)]),
    "refused recipient": lambda: run(refused=[Refused("RCPT", 550, client=CLIENT)], said=[550],
                                     events=[line(), {"event": "reject", "session": "s", "reply": "550 5.1.1 no"}]),
    "two refused recipients": lambda: refused_twice(),
    "a transaction that broke, for each of its commands": lambda: run(
        refused=[Refused("RCPT", 451, client=CLIENT), Refused("RCPT", 451, client=CLIENT), Refused("DATA", 451, client=CLIENT)],
        events=[line(), {"event": "reject", "session": "s", "command": "backend", "reply": "451 4.4.2 lost"}]),
    "two refused recipients, where nobody counts what the backend says": lambda: refused_twice(said=[550], counted=False),
    "a backend that says 554 instead of a greeting, to all commands": lambda: run(
        refused=[Refused("MAIL", 554, client=CLIENT), Refused("RCPT", 554, client=CLIENT)], said=[554],
        events=[line(), {"event": "reject", "session": "s", "command": "backend", "reply": "554 no"}]),
    "a backend that takes no mail at all": lambda: run(refused=[Refused("MAIL", 554, "5.3.2 no mail here", client=CLIENT)], said=[521],
                                                       events=[line(), {"event": "reject", "session": "s", "reply": "554 5.3.2 no mail here"}]),
    "refused for want of memory": lambda: run(refused=[Refused("MAIL", 451, client=CLIENT)],
                                              events=[line(), {"event": "shortage", "session": "s", "detail": "no memory for a transaction"}]),
    "for several recipients": lambda: run(attempts=[attempt(recipients=TWO)], to=TWO),
    "from nobody, as a bounce is": lambda: run(attempts=[attempt(recipients=ONE, sender="")], to=ONE, sender=""),
    "from a sender that the backend's ledger does not have": lambda: run(attempts=[attempt(recipients=ONE, sender="a@b")], to=ONE),
    "the same message from one, then from another": lambda: Evidence(
        [_talk(*[attempt(recipients=ONE, sender=sender) for sender in ("a@b", "")])],
        deliveries=[Delivery(digests_of(CONTENT), 250, ONE, sender) for sender in ("", "a@b")], events=[CONNECT, line(), line(id="s.2"), CLOSE]),
    "for recipients that the backend's ledger does not have": lambda: run(attempts=[attempt(recipients=TWO)]),
    "for recipients that the client's ledger does not have": lambda: run(to=TWO),
    "the same message for one, then for another": lambda: Evidence(
        [_talk(attempt(recipients=ONE), attempt(recipients=TWO))], deliveries=[Delivery(digests_of(CONTENT), 250, to) for to in (TWO, ONE)],
        events=[CONNECT, line(), line(id="s.2"), CLOSE]),
    "kept, for more recipients than a later one of the same octets": lambda: kept(attempts=[attempt(recipients=TWO), attempt(recipients=ONE)], to=ONE, held=1,
                                                                                  lines=[line(id="s.2")], may_pass=lambda a: True),
    "bounced by the backend": lambda: run(attempts=[attempt(550)], held_code=550, said=[550], events=[line(**BOUNCED)]),
    "the backend takes no mail, and said so of the message": lambda: run(attempts=[attempt(554)], held_code=521, said=[521], events=[
        line(**{**BOUNCED, "reply": "554 5.3.2 no", "backend_reply": "521 5.3.2 no"})]),
    "larger than may be": lambda: run(attempts=[attempt(552)], held=0, events=[line(**OVER)], most=len(CONTENT) - 1),
    "too large for the backend": lambda: run(attempts=[attempt(552)], held_code=552, said=[552],
                                             events=[line(**{**BOUNCED, "reply": "552 5.2.2 full", "backend_reply": "552 5.2.2 full"})]),
    "told of a timeout": lambda: run(refused=[Refused("MAIL", 421, "421 4.4.2 Timeout, closing connection", client=CLIENT)], close=closed("timeout")),
    "told of the end": lambda: run(refused=[Refused("MAIL", 421, "421 4.3.2 Service shutting down, try again later", client=CLIENT)],
                                   close=closed("drain_timeout has passed")),
    "told 421 by the backend": lambda: run(refused=[Refused("RCPT", 421, "421 4.3.2 going down", client=CLIENT)], close=closed("421 was answered"),
                                           events=[line(), {"event": "reject", "session": "s", "reply": "421 4.3.2 going down"}]),
    "one too many": lambda: turned_away(CLIENT),
    "a command that is no command": lambda: run(refused=[Refused("MAIL", 501, client=CLIENT)],
                                                events=[line(), {"event": "reject", "session": "s", "reply": "501 5.5.4 no"}]),
}

GUILTY = {
    # L1
    "lost": ("L1", lambda: run(held=0)),
    "promised, and refused by the backend": ("L1", lambda: run(held_code=451)),
    "promised twice, held once": ("L1", lambda: run(attempts=[attempt(), attempt()], events=[line(), line(id="s.2")])),
    "a changed octet": ("L1", lambda: run(content=CONTENT.replace(b"w", b"W"))),
    "an added header": ("L1", lambda: run(content=b"Received: by me\r\n" + CONTENT)),
    "out of nowhere": ("L1", lambda: run(attempts=[], events=[])),
    "accepted and not kept": ("L1", lambda: kept(quarantine={})),
    "refused and not kept, although the log says so": ("L1", lambda: kept(550, quarantine={})),
    "clean, and marked": ("L1", lambda: run(content=MARKED, lenient=True)),
    "one marked and passed, another clean and marked": ("L1", lambda: run(
        attempts=[attempt(), attempt()], held=2, content=MARKED, lenient=True, events=[line(), line(id="s.2", verdict="error", reason="timeout")])),
    "not looked at, and marked": ("L1", lambda: run(content=MARKED, lenient=True, events=[line(verdict="skipped", reason="scan-off")])),
    "kept with another octet": ("L1", lambda: kept(quarantine={"q1": "0" * 64})),
    "kept as another entry": ("L1", lambda: kept(quarantine={"q2": DIGEST})),
    "accepted twice and kept once": ("L1", lambda: kept(attempts=[attempt(), attempt()], events=[line(**KEPT), line(id="s.2")])),
    "a recipient lost": ("L1", lambda: run(attempts=[attempt(recipients=TWO)], to=ONE)),
    "a recipient added": ("L1", lambda: run(attempts=[attempt(recipients=ONE)], to=TWO)),
    "for somebody else": ("L1", lambda: run(attempts=[attempt(recipients=ONE)], to=("e@f",))),
    "from somebody else": ("L1", lambda: run(attempts=[attempt(recipients=ONE, sender="a@b")], to=ONE, sender="lost@nowhere.test")),
    "a sender lost": ("L1", lambda: run(attempts=[attempt(recipients=ONE, sender="a@b")], to=ONE, sender="")),
    "the senders of two messages exchanged": ("L1", lambda: Evidence(
        [_talk(attempt(recipients=ONE, sender="a@b"), attempt(recipients=TWO, sender="b@a"))],
        deliveries=[Delivery(digests_of(CONTENT), 250, ONE, "b@a"), Delivery(digests_of(CONTENT), 250, TWO, "a@b")],
        events=[CONNECT, line(), line(id="s.2"), CLOSE])),
    "twice for one instead of for one and for another": ("L1", lambda: Evidence(
        [_talk(attempt(recipients=ONE), attempt(recipients=TWO))], deliveries=[Delivery(digests_of(CONTENT), 250, ONE)] * 2,
        events=[CONNECT, line(), line(id="s.2"), CLOSE])),
    "promised before its end": ("L1", lambda: run(attempts=[Attempt(code=250, complete=False, client=CLIENT)], held=0, events=[line(sha256=None)])),
    # L2
    "kept and delivered all the same": ("L2", lambda: kept(held=1)),
    "released twice and asked for once": ("L2", lambda: kept(lines=[RELEASED_LINE], held=2, content=RELEASED)),
    "infected by the log": ("L2", lambda: run(attempts=[attempt(550)], events=[line(**REJECTED)])),
    "infected by the log, and its action is pass": ("L2", lambda: run(events=[line(verdict="infected", virus="V")])),
    "an error by the log, and its action is pass": ("L2", lambda: run(events=[line(verdict="error", reason="timeout")])),
    "skipped by the log, where nothing may be skipped": ("L2", lambda: run(events=[line(verdict="skipped", reason="scan-off")])),
    "without a verdict": ("L2", lambda: run(events=[line(verdict=None)])),
    "one clean, and another delivered that was not scanned": ("L2", lambda: run(
        attempts=[attempt(), attempt()], held=2, events=[line(), line(id="s.2", verdict="error", reason="timeout")])),
    "infected by its octets": ("L2", lambda: run(truth=lambda a: INFECTED)),
    "not scanned": ("L2", lambda: run(truth=lambda a: TROUBLE)),
    "not clean": ("L2", lambda: run(truth=lambda a: SUSPECT)),
    "another mail may pass, this one may not": ("L2", lambda: run(lenient=True, truth=lambda a: INFECTED, may_pass=lambda a: a.digest != DIGEST)),
    "refused by the backend after it leaked": ("L2", lambda: run(attempts=[attempt(550)], held_code=550, events=[line(**REJECTED)], said=[550])),
    "bare LF": ("L2", lambda: run(attempts=[attempt(content=b"a\nb\r\n")], content=b"a\nb\r\n",
                                  events=[line(sha256=hashlib.sha256(b"a\nb\r\n").hexdigest())])),
    # L3
    "two copies": ("L3", lambda: run(held=2)),
    "a copy that the client does not know of": ("L3", lambda: run(attempts=[attempt(451)], events=[line(**UNKNOWN)])),
    "a copy of a message that counts as deferred": ("L3", lambda: run(attempts=[attempt(451)], events=[line(outcome="deferred", reply="451 x")])),
    "delivered, and the session closed without an answer": ("L3", lambda: run(attempts=[abandoned()])),
    # L4
    "trouble bounced": ("L4", lambda: run(attempts=[attempt(550)], held=0, events=[line(**{**FAILED, "reply": "550 5.7.1 x"})])),
    "a virus found where there is none": ("L4", lambda: run(attempts=[attempt(550)], held=0, events=[line(**REJECTED)], truth=lambda a: HARMLESS)),
    "kept, refused, and there is no virus in it": ("L4", lambda: kept(550, truth=lambda a: HARMLESS)),
    "trouble taken for a virus": ("L4", lambda: run(attempts=[attempt(550)], held=0, events=[line(**REJECTED)], truth=lambda a: TROUBLE)),
    "bounced without a reason": ("L4", lambda: run(attempts=[attempt(554)], held=0, events=[line(outcome="refused", reply="554 x", reason="r")])),
    "bounced with what a backend said of another message": ("L4", lambda: run(attempts=[attempt(550)], held=0, said=[550],
                                                                              events=[line(**{**BOUNCED, "backend_reply": "451 4.3.0 later"})])),
    "bounced with what a backend said of a recipient": ("L4", lambda: run(attempts=[attempt(550)], held=0, said=[550],
                                                                          events=[line(**{**BOUNCED, "backend_reply": None})])),
    "bounced with a reply that its line invents": ("L4", lambda: run(attempts=[attempt(550)], held=0, events=[line(**BOUNCED)])),
    "too large, and it is not": ("L4", lambda: run(attempts=[attempt(552)], held=0, events=[line(**OVER)], most=len(CONTENT))),
    "recipient bounced by nobody": ("L4", lambda: run(refused=[Refused("RCPT", 550, client=CLIENT)],
                                                      events=[line(), {"event": "reject", "session": "s", "reply": "550 5.1.1 no"}])),
    "two recipients bounced, and the backend refused one": ("L4", lambda: refused_twice(said=[550])),
    "a recipient bounced where the backend refused another with another code": ("L4", lambda: refused_twice(said=[550, 554])),
    "greeting with 554 of our own": ("L4", lambda: run(refused=[Refused("greeting", 554, client=CLIENT)],
                                                       events=[line(), {"event": "reject", "session": "s", "reply": "554 no"}])),
    # L5
    "bystander not served": ("L5", lambda: run(bystanders=[("a client waits", "no reply within 30 s")])),
    # L6
    "no mail afterwards": ("L6", lambda: run(recovered="no mail passes after the fault: 451")),
    "edge ended by itself": ("L6", lambda: run(events=[line(), {"event": "child-exit", "process": "edge", "status": "killed by SIGSEGV"}])),
    "edge replaced without a line": ("L6", lambda: run(events=[STARTED, line(), STARTED])),
    "edge replaced without a line, in a later part of a long run": ("L6", lambda: run(events=[line(), STARTED], edge_runs=True)),
    "edge replaced twice, and one line": ("L6", lambda: run(events=[STARTED, line(), EDGE_EXIT, STARTED, STARTED], killed={"edge": 2})),
    "another one ended than was killed": ("L6", lambda: run(events=[line(), {"event": "child-exit", "process": "scan CPU", "status": "x"}],
                                                            killed={"edge"})),
    "ended more often than it was killed": ("L6", lambda: run(events=[line(), *[{"event": "child-exit", "process": "edge", "status": "x"}] * 2],
                                                              killed={"edge": 1})),
    # L7
    "something left": ("L7", lambda: run(left=["files in the spool: ['x']"])),
    # L8
    "no line": ("L8", lambda: run(events=[])),
    "no line of a broken off message": ("L8", lambda: run(attempts=[attempt(None, complete=False)], held=0, events=[])),
    "delivered, and closed without an answer": ("L8", lambda: run(attempts=[abandoned()])),
    "deferred with a reply that nobody was told": ("L8", lambda: run(attempts=[abandoned()], held=0, events=[line(**FAILED)])),
    "two lines": ("L8", lambda: run(events=[line(), line(id="s.2")])),
    "a line without ids": ("L8", lambda: run(events=[line(id=None)])),
    "a line with another reply": ("L8", lambda: run(events=[line(reply="451 4.3.0 later")])),
    "a line with another digest": ("L8", lambda: run(events=[line(sha256="0" * 64)])),
    "delivered, and a line without a digest": ("L8", lambda: run(events=[line(sha256=None)])),
    "a line without a reason": ("L8", lambda: run(attempts=[attempt(451)], held=0, events=[line(**{**FAILED, "reason": None})])),
    "told of a timeout, and the session ended otherwise": ("L8", lambda: run(
        refused=[Refused("MAIL", 421, "421 4.4.2 Timeout, closing connection", client=CLIENT)])),
    "told 421 that no line has": ("L8", lambda: run(refused=[Refused("MAIL", 421, "421 4.3.2 going down", client=CLIENT)], close=closed("timeout"))),
    "told 421, and the line has another reply": ("L8", lambda: run(refused=[Refused("MAIL", 421, "421 4.3.2 going down", client=CLIENT)], events=[
        line(), {"event": "reject", "session": "s", "reply": "451 4.3.2 later"}])),
    "one too many, and the line is about another": ("L8", lambda: turned_away("127.0.0.1:1")),
    "two refused recipients, and one line": ("L8", lambda: refused_twice(lines=1)),
    "two refused recipients, and two lines of which one is about another code": ("L8", lambda: refused_twice(replies=("550 5.1.1 no", "450 4.1.1 later"))),
    "a refused command without a line": ("L8", lambda: run(refused=[Refused("MAIL", 451, client=CLIENT)])),
    "a session that ended properly and has no line, whoever was killed": ("L8", lambda: run(events=[], killed={"edge"})),
}


def _talk(*attempts):
    talk = Talk(CLIENT)
    talk.codes, talk.attempts = [220], list(attempts)
    return talk


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_run_is_found_innocent(name):
    assert faults(HONEST[name]()) == []


@pytest.mark.parametrize("name", GUILTY)
def test_a_forged_run_is_found_guilty_of_the_promise_that_it_breaks(name):
    promise, forge = GUILTY[name]
    found = faults(forge())
    assert promise in {fault.split()[0] for fault in found}, found
    assert promise not in {fault.split()[0] for fault in faults(forge(), excused=[promise])}


def test_every_promise_has_a_forgery():
    assert {promise for promise, _ in GUILTY.values()} == set(PROMISES)


# --- what is read from the octets ---

def play(talk, steps):
    for who, data in steps:
        (talk.sent if who == "C" else talk.received)(data)
    talk.finish()
    return [(a.code, a.complete, a.granted, a.content) for a in talk.attempts]


WIRE = dot_stuffed(CONTENT)
ENVELOPE = b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
GRANTED = b"220 x\r\n250-x\r\n250 y\r\n250 ok\r\n250 ok\r\n354 go\r\n"


@pytest.mark.parametrize("steps, recipients", [
    ([("C", ENVELOPE), ("S", GRANTED)], ONE),
    ([("C", ENVELOPE.replace(b"DATA", b"RCPT TO:<x@y>\r\nRCPT TO:<e@f> NOTIFY=NEVER\r\nDATA")), ("S", GRANTED.replace(b"354", b"550 no\r\n251 ok\r\n354"))], TWO),
    ([("C", ENVELOPE.replace(b"MAIL", b"MAIL FROM:<a@b>\r\nRCPT TO:<x@y>\r\nRSET\r\nMAIL")), ("S", GRANTED.replace(b"354", b"250 ok\r\n" * 3 + b"354"))], ONE),
    ([("C", ENVELOPE.replace(b"<c@d>", b" <@x,@y:c@d>")), ("S", GRANTED)], ONE),
    ([("C", ENVELOPE.replace(b"c@d", b'"c>"@d')), ("S", GRANTED)], ('"c>"@d',)),
    ([("C", ENVELOPE.replace(b"MAIL", b"NOOP\nNOOP\r\nMAIL")), ("S", GRANTED.replace(b"354", b"500 what\r\n354"))], None),
], ids=["one", "some refused", "reset", "routed", "quoted", "in doubt"])
@pytest.mark.parametrize("octets", [1, 10_000])
def test_the_recipients_of_a_message_are_those_that_were_accepted(steps, recipients, octets):
    talk = Talk()
    play(talk, [(who, data[i:i + octets]) for who, data in [*steps, ("C", WIRE)] for i in range(0, len(data), octets)])
    assert [a.recipients for a in talk.attempts] == [recipients]


@pytest.mark.parametrize("command, replies, sender", [
    (b"MAIL FROM:<a@b>", b"250 ok", "a@b"),
    (b"mail from: <@x:a@b> SIZE=7", b"250 ok", "a@b"),
    (b"MAIL FROM:<> BODY=8BITMIME", b"250 ok", ""),
    (b"MAIL FROM:<x@y>\r\nRSET\r\nMAIL FROM:<a@b>", b"250 ok\r\n250 ok\r\n250 ok", "a@b"),
    (b"MAIL FROM:<a@b>\r\nMAIL FROM:<x@y>", b"250 ok\r\n503 no", "a@b"),
    (b"NOOP\nNOOP\r\nMAIL FROM:<a@b>", b"500 what\r\n250 ok", None),
], ids=["one", "routed", "nobody", "reset", "a second is refused", "in doubt"])
@pytest.mark.parametrize("octets", [1, 10_000])
def test_the_sender_of_a_message_is_the_one_that_was_accepted(command, replies, sender, octets):
    steps = [("C", ENVELOPE.replace(b"MAIL FROM:<a@b>", command)), ("S", GRANTED.replace(b"250 ok", replies, 1)), ("C", WIRE)]
    talk = Talk()
    play(talk, [(who, data[i:i + octets]) for who, data in steps for i in range(0, len(data), octets)])
    assert [a.sender for a in talk.attempts] == [sender]


@pytest.mark.parametrize("sender", ["a@b", ""])
def test_a_scenario_s_connection_to_the_backend_shows_whole_envelopes(sender):
    """There postern is the client."""
    talk = Talk()
    play(talk, [("C", ENVELOPE.replace(b"a@b", sender.encode())), ("S", GRANTED), ("C", WIRE), ("S", b"250 ok\r\n")])
    assert [(one.digests[0], one.code, one.recipients, one.sender) for one in deliveries_of(talk)] == [(DIGEST, 250, ONE, sender)]


@pytest.mark.parametrize("steps, expected", [
    ([("C", ENVELOPE), ("S", GRANTED), ("C", WIRE), ("S", b"250 ok\r\n")], [(250, True, True, CONTENT)]),
    ([("C", ENVELOPE + WIRE + b"QUIT\r\n"), ("S", GRANTED + b"250 ok\r\n221 bye\r\n")], [(250, True, True, CONTENT)]),
    ([("C", ENVELOPE), ("S", GRANTED), ("C", WIRE[:-3]), ("S", b"421 timeout\r\n")], [(421, False, True, None)]),
    ([("C", ENVELOPE + WIRE), ("S", GRANTED)], [(None, True, True, CONTENT)]),
    ([("C", ENVELOPE + WIRE)], [(None, True, False, CONTENT)]),
    ([("C", ENVELOPE + WIRE), ("S", b"220 x\r\n250 x\r\n451 no\r\n503 no\r\n503 no\r\n")], []),
    ([("C", ENVELOPE), ("S", GRANTED), ("C", WIRE + ENVELOPE[8:] + WIRE), ("S", b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n550 e\r\n")],
     [(250, True, True, CONTENT), (550, True, True, CONTENT)]),
], ids=["step by step", "pipelined", "timeout", "reply not read", "nothing read", "refused", "two messages"])
@pytest.mark.parametrize("octets", [1, 7, 10_000])
def test_messages_and_their_replies_are_found_however_the_octets_come(steps, expected, octets):
    pieces = [(who, data[i:i + octets]) for who, data in steps for i in range(0, len(data), octets)]
    assert play(Talk(), pieces) == expected


@pytest.mark.parametrize("after, abandoned", [(b"", True), (b"451 4.3.0 later\r\n", False), (b"250 ok\r\n", False)])
def test_a_connection_that_ends_before_the_final_reply_is_noted_with_its_message(after, abandoned):
    talk = Talk()
    play(talk, [("C", ENVELOPE), ("S", GRANTED), ("C", WIRE), ("S", after)])
    talk.hung_up()
    assert [a.abandoned for a in talk.attempts] == [abandoned]


def closes(connection, client):
    connection.close()
    client.at_end()


def closes_after_the_client(connection, client):
    client.half_close()
    closes(connection, client)


def resets(connection, client):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    closes(connection, client)


@pytest.mark.parametrize("end, abandoned", [(closes, True), (closes_after_the_client, False), (resets, False), (lambda _, client: client.close(), False),
                                            (lambda _, client: client.reset(), False)],
                         ids=["closed", "closed after the client", "reset", "closed by the client", "reset by the client"])
def test_only_a_client_that_was_waiting_when_the_other_side_closed_was_abandoned(end, abandoned):
    with socket.create_server(("127.0.0.1", 0)) as server, Client(server.getsockname()[1], greet=False) as client:
        connection = server.accept()[0]
        with connection:
            connection.sendall(GRANTED)
            client.send(ENVELOPE)
            assert [reply.code for reply in client.replies(5)] == [220, 250, 250, 250, 354]
            client.send(WIRE)
            received = b""
            while len(received) < len(ENVELOPE + WIRE):
                received += connection.recv(65536)
            end(connection, client)
        assert [a.abandoned for a in client.talk.attempts] == [abandoned]


@pytest.mark.parametrize("content", [b"", b".\r\n", b"..\r\n.x\r\n\r\n.\r\n", b"a\r\n", b"\r\n", b"x\n.\r\r\n.\n\r\n"])
@pytest.mark.parametrize("octets", [1, 2, 3, 5, 100])
def test_a_body_is_the_content_without_dot_stuffing_wherever_it_is_cut(content, octets):
    wire = content.replace(b"\r\n.", b"\r\n..")
    wire = (b"." if content.startswith(b".") else b"") + wire + b".\r\nQUIT\r\n"
    body, rest, at = Body(), None, 0
    while rest is None:
        rest = body.feed(wire[at:at + octets])
        at += octets
    assert (rest + wire[at:], body.content, body.length) == (b"QUIT\r\n", content, len(content))
    assert body.digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("wrap", [lambda v: mail.plain(v), mail.with_attachment, lambda v: mail.with_attachment(mail.in_zip(mail.in_zip(v))),
                                  lambda v: mail.with_attachment(mail.with_attachment(v), "m.eml", "message/rfc822")])
def test_the_virus_is_known_by_the_octets_of_a_message(wrap):
    assert mail.contains(wrap(mail.test_virus()), [mail.test_virus()])
    assert not mail.contains(wrap(b"innocent"), [mail.test_virus()])


HIDDEN = mail.with_attachment(mail.in_zip(mail.PAYLOAD))
DAEMON = "127.0.0.1:9"


def asking(kind, **options):
    return asking_daemons(engine(kind, kind + "1", DAEMON, **options))


def order(mark, text):
    return mail.plain(headers=[f"{mark}: {text}"])


def one(kind, own):
    return f'antivirus {{ {kind} "{kind}1" {{ {own} }} }}\n'


HOSTILE_SCANNER, HOSTILE_COMMAND, HOSTILE_PLUGIN = (one("csapi", 'scanner_path = "/x"'), one("command", "argv = ( /x %s )"), one("plugin", 'library = "/x.so"'))
TRUTHS = [
    # configuration, message: what is known of it
    (fake_stanza(), mail.plain(), HARMLESS),
    (fake_stanza(), mail.plain(subject="long", body=b"words and words\r\n" * 20_000), CLEAN),
    (fake_stanza(), mail.with_attachment(b"words"), CLEAN),
    (fake_stanza(), mail.plain(mail.PAYLOAD), CLEAN),
    (fake_stanza(), mail.fake_order("clean"), CLEAN),
    (fake_stanza(paranoid="true"), mail.plain(), CLEAN),
    (asking_daemons(engine("icap", "i", DAEMON), engine("fake", "f")), mail.plain(), CLEAN),
    (fake_stanza(), mail.fake_order("delay 10"), None),
    (fake_stanza(), mail.plain(headers=["X-Fake: delay 10", "X-Fake: infected V"]), INFECTED),
    (fake_stanza(), mail.fake_order("crash"), TROUBLE),
    (fake_stanza(), mail.fake_order("unscannable limit"), SUSPECT),
    (clamav_stanza("/db"), mail.with_attachment(mail.test_virus()), INFECTED),
    *[(asking(kind), HIDDEN, INFECTED) for kind in ("clamav", "kaspersky", "fsecure", "icap", "csapi")],
    *[(asking(kind), mail.plain(), None) for kind in ("clamav", "kaspersky", "fsecure", "icap", "csapi")],
    (one("csapi", 'database = "/db"'), HIDDEN, INFECTED),
    (one("command", "argv = ( /usr/bin/clamscan %s )"), HIDDEN, INFECTED),
    (HOSTILE_SCANNER, HIDDEN, None),
    (HOSTILE_SCANNER, order("X-Scanner", "hang"), TROUBLE),
    (HOSTILE_SCANNER, order("X-Scanner", "socket"), SUSPECT),
    (HOSTILE_SCANNER, order("X-Scanner", "report"), INFECTED),
    (HOSTILE_SCANNER, order("X-Scanner", "delay 10"), None),
    (HOSTILE_SCANNER, order("X-Scanner", "result clean info some remark"), CLEAN),
    (HOSTILE_SCANNER, order("X-Scanner", "result clean code AVS_RESULT_VIRUS_FOUND"), INFECTED),
    (HOSTILE_SCANNER, order("X-Scanner", "result clean code DEC_RESULT_MAXIMUM_DEPTH_REACHED"), SUSPECT),
    (HOSTILE_COMMAND, order("X-Command", "abort"), TROUBLE),
    (HOSTILE_COMMAND, order("X-Command", "forks"), SUSPECT),
    (HOSTILE_COMMAND, order("X-Command", "exit 7"), None),
    (HOSTILE_PLUGIN, order("X-Plugin", "reasoned-clean"), TROUBLE),
    (HOSTILE_PLUGIN, order("X-Plugin", "unix /x"), SUSPECT),
    (HOSTILE_PLUGIN, mail.plain(headers=["X-Plugin: leak 3", "X-Plugin: infected V"]), INFECTED),
    (one("plugin", 'library = "/x.so" options [ Pattern = "evil words" ]'), mail.plain(b"some evil words\r\n"), INFECTED),
    ("Validate validate/av_acme acme {\n  library = /x.so\n}\n", order("X-Plugin", "crash"), TROUBLE),
    (asking_daemons(engine("icap", "i", DAEMON), engine("fake", "f")), mail.fake_order("infected V"), INFECTED),
    (one("fake", "enabled = false"), mail.fake_order("infected V"), None),
]
IDS = [f"{number} {row[-1]}" for number, row in enumerate(TRUTHS)]


@pytest.mark.parametrize("text, content, truth", TRUTHS, ids=IDS)
def test_what_is_known_of_a_message_by_its_octets(text, content, truth):
    assert Truth(text).judge(content)[0] == truth


PASSING = [
    # configuration; what it lets pass, what it does not
    (fake_stanza(on_error="next"), ["crash", "error engine"], ["infected V"]),
    (fake_stanza(action="pass"), ["infected V", "unscannable limit"], ["crash"]),
    (fake_stanza(on_unscannable="pass"), ["unscannable partial"], ["infected V", "crash"]),
    (fake_stanza(on_partial="pass"), ["unscannable partial"], ["infected V", "crash"]),
    (fake_stanza(ignore_signatures="( Some.* )"), ["infected Some.Virus"], ["infected Other.Virus", "crash"]),
    ("scan = off\n" + fake_stanza(), ["infected V", "crash"], []),
    ('ESMTP_Listener { context = [ skip_virus_check = yes ] }\n' + fake_stanza(), ["infected V", "crash"], []),
    ('ESMTP_Listener { context = [ __bypass_fake1 = 1 ] }\n' + fake_stanza(), ["infected V", "crash"], []),
    ('ESMTP_Listener { context = [ __bypass_other = 1 ] }\n' + fake_stanza(), [], ["infected V", "crash"]),
    (asking_daemons(engine("fake", "f", on_error="next"), engine("icap", "i", DAEMON)), ["crash"], ["infected V"]),
]


STRICT = [fake_stanza(), clamav_stanza("/db"), fake_stanza(enabled="true"), asking("icap"), asking_daemons(engine("fake", "f"), engine("kaspersky", "k", DAEMON))]


@pytest.mark.parametrize("text", STRICT, ids=[str(number) for number in range(len(STRICT))])
def test_a_configuration_is_strict_that_lets_nothing_pass(text):
    assert not Truth(text).lenient


@pytest.mark.parametrize("text", ["", one("fake", "enabled = false"), *[text for text, _, _ in PASSING]], ids=lambda text: None)
def test_a_configuration_is_lenient_that_lets_anything_pass(text):
    assert Truth(text).lenient


@pytest.mark.parametrize("text, passes, not_passes", PASSING, ids=[str(number) for number in range(len(PASSING))])
def test_the_configuration_lets_pass_what_its_options_touch_and_nothing_else(text, passes, not_passes):
    judge = Truth(text).judge
    assert [order for order in [*passes, *not_passes] if judge(mail.fake_order(order))[1]] == passes


def test_a_digest_lets_one_message_pass_whatever_its_case():
    digest = hashlib.sha256(HIDDEN).hexdigest()
    for written in (digest, digest.upper()):
        judge = Truth(clamav_stanza("/db", ignore_signatures=f"( sha256:{written} )")).judge
        assert judge(HIDDEN) == (INFECTED, True) and judge(HIDDEN + b"more\r\n") == (INFECTED, False)


def test_an_option_of_one_engine_lets_nothing_pass_that_another_finds():
    both = asking_daemons(engine("fake", "f", action="pass"), engine("kaspersky", "k", DAEMON))
    assert Truth(both).judge(HIDDEN) == (INFECTED, False)


def test_a_message_that_the_test_vouches_for_is_not_judged_and_others_are():
    truth = Truth(asking("icap"))
    truth.vouch(HIDDEN, because="its server says that it is clean")
    assert truth.judge(HIDDEN)[0] is None
    assert truth.judge(mail.plain(mail.PAYLOAD))[0] == INFECTED


# --- the book of a real run ---

def lose_the_mail(pair, book):
    pair.backend.completed.pop()


def lose_a_recipient(pair, book):
    assert pair.backend.completed[-1].recipients, "both ledgers have recipients"
    pair.backend.completed[-1].recipients = ()


def forge_the_sender(pair, book):
    assert pair.backend.completed[-1].sender == book.talks[0].attempts[0].sender == "a@client.test", "both ledgers have the sender"
    pair.backend.completed[-1].sender = "lost@nowhere.test"


def leak_a_virus(pair, book):
    assert pair.deliver(mail.fake_order("infected Some.Virus")).code == 550
    pair.backend.completed.append(Delivery({[attempt for talk in book.talks for attempt in talk.attempts][-1].digest}, 250))


def pass_what_was_not_scanned(pair, book):
    book.settle()
    for event in book.events("message"):
        event.update(verdict="error", reason="timeout")


def find_a_virus_in_nothing(pair, book):
    book.settle()
    book.talks[0].attempts[0].code = 550
    for event in book.events("message"):
        event.update(verdict="infected", virus="V", action="reject", reply="550 5.7.1 no", backend_reply=None)


def hang_up(pair, book):
    attempt = book.talks[0].attempts[0]
    attempt.code, attempt.abandoned = None, True


def double_the_mail(pair, book):
    pair.backend.completed.append(pair.backend.completed[-1])


def bounce_the_mail(pair, book):
    book.talks[0].attempts[0].code = 554


def turn_a_bystander_away(pair, book):
    assert book.bystanders and book.bystanders[0][1] is None, "there was one, and it was served"
    book.bystanders[0][1] = "told 421"


def kill_the_edge(pair, book):
    os.kill(pair.postern.edge_pid(), signal.SIGKILL)
    pair.log.wait_for("child-exit")


def replace_the_edge(pair, book):
    book.turn_page()  # the line of its first start stands before
    pair.postern.hurt("edge")
    pair.log.wait_for("child-start", process="edge", count=2)
    with pair.log.condition:
        pair.log.everything = [event for event in pair.log.everything if event["event"] != "child-exit"]


def leave_a_file(pair, book):
    book.settle()
    (pair.postern.spool / "left").touch()
    book.left = book.leftovers(patience=0.1)
    (pair.postern.spool / "left").unlink()


def lose_a_line(pair, book):
    book.settle()
    with pair.log.condition:
        pair.log.everything = [event for event in pair.log.everything if event["event"] != "message"]


SABOTAGE = {"L1": lose_the_mail, "L1 for a recipient": lose_a_recipient, "L1 for a sender": forge_the_sender, "L2": leak_a_virus,
            "L2 by its line": pass_what_was_not_scanned, "L3": double_the_mail, "L3 without an answer": hang_up, "L4": bounce_the_mail,
            "L4 for no virus": find_a_virus_in_nothing, "L5": turn_a_bystander_away, "L6": kill_the_edge, "L6 without a line": replace_the_edge, "L7": leave_a_file, "L8": lose_a_line,
            "L8 without an answer": hang_up}


@pytest.mark.parametrize("promise", SABOTAGE)
def test_sabotage_of_a_real_run_is_found(start_pair, promise):
    pair = start_pair(engines=fake_stanza())
    book = pair.postern.book
    assert pair.deliver(mail.plain()).code == 250
    SABOTAGE[promise](pair, book)
    book.settle()
    with pytest.raises(AssertionError, match=f"\n{promise.split()[0]} "):
        book.check()
    book.turn_page()


def test_a_long_load_is_checked_before_it_is_forgotten_and_leaves_nothing(start_pair, database):
    pair = start_pair(engines=two_engines(database, "20s"))
    book = pair.postern.book
    for _ in range(2):
        assert pair.deliver(mail.plain()).code == 250
        assert pair.deliver(mail.with_attachment(mail.test_virus())).code == 550
        assert pair.deliver(mail.fake_order("error engine")).code == 451
        attempts = [attempt for talk in book.talks for attempt in talk.attempts]
        assert [attempt.truth for attempt in attempts] == [CLEAN, INFECTED, TROUBLE] and not any(attempt.content for attempt in attempts)
        book.forget()
        assert not (book.talks or pair.log.everything or pair.backend.completed or pair.backend.mails)
    assert pair.deliver(mail.plain()).code == 250
    pair.backend.completed.pop()
    with pytest.raises(AssertionError, match="\nL1 "):
        book.forget()
    book.turn_page()


def test_without_a_backend_that_the_harness_knows_recovery_is_not_taken_for_granted(make_postern):
    for excused in (False, True):
        postern = make_postern(backend_port=free_port(), engines=fake_stanza())
        try:
            postern.start()
            if excused:
                postern.book.excuse("L6", because="nobody listens where its backend should be")
                postern.finish()
            else:
                postern.book.recover()
                with pytest.raises(AssertionError, match="\nL6 no backend is known"):
                    postern.book.check()
        finally:
            postern.kill()


# --- a program that has ended before its test is over ---

def end_by_itself(postern):
    os.kill(postern.supervisor_pid(), signal.SIGSEGV)


def end_and_report(postern):
    postern.hurt("supervisor")
    postern.process.wait()
    postern.log.thread.join(5)
    postern.log.noise.append("==1==ERROR: AddressSanitizer: forged")


def end_and_leave_a_file(postern):
    postern.hurt("supervisor")
    (postern.spool / "left").touch()


def end_with_a_status(postern):
    postern.terminate()
    postern.process.wait()
    postern.process.returncode = 1


DEAD_ENDS = {"ended by itself, with status": end_by_itself, "sanitizer report": end_and_report, "left in the spool": end_and_leave_a_file,
             "ended with status 1, expected 0": end_with_a_status}


@pytest.mark.parametrize("found", DEAD_ENDS)
def test_an_end_that_the_test_did_not_want_is_found(make_postern, found):
    postern = make_postern(engines=fake_stanza())
    try:
        postern.start()
        assert deliver(postern.port, mail.plain()).code == 250
        DEAD_ENDS[found](postern)
        postern.process.wait()
        with pytest.raises(AssertionError, match=found):
            postern.finish()
    finally:
        postern.kill()


@pytest.mark.parametrize("end", [lambda p: p.hurt("supervisor"), lambda p: p.terminate(), lambda p: p.kill(), lambda p: p.stop()],
                         ids=["killed", "terminated", "killed by the fixture", "stopped"])
def test_an_end_that_the_test_did_want_is_none_of_the_faults(make_postern, end):
    postern = make_postern(engines=fake_stanza())
    try:
        postern.start()
        assert deliver(postern.port, mail.plain()).code == 250
        end(postern)
        postern.process.wait()
        postern.finish()
    finally:
        postern.kill()


def test_an_end_with_another_status_than_the_one_that_is_wanted_is_found(make_postern, directory):
    everybody = directory / "everybody"
    everybody.mkdir()
    everybody.chmod(0o777)  # others may write, and it is not sticky
    postern = make_postern(engines=fake_stanza(), spool=everybody)
    try:
        postern.start(wait_ready=False)
        postern.book.excuse("L6", because="the edge refuses its spool")
        with pytest.raises(AssertionError, match="expected 71"):
            postern.ends_with(71)
        postern.ends_with(78)
        postern.finish()
    finally:
        postern.kill()
