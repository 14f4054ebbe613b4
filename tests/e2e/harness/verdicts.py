# SPDX-License-Identifier: MIT
"""What tests of engines have in common: a mail and what became of it, and what every engine behind a daemon must stand. PAIR is a postern with
its backend, DAEMON an emulator, NAME what it calls mail.PAYLOAD."""
import hashlib
import threading
from contextlib import contextmanager

from . import mail
from .emulators.base import Fault
from .places import SOON

AWKWARD = {"slow": Fault(delay=0.5), "octets": Fault(each_octet=True), "closing": Fault(close_after=True)}


def virus():
    return mail.plain(mail.PAYLOAD + b"\r\n")


# --- one mail ---

def send(pair, content, *codes, timeout=SOON):
    """The log line of CONTENT, which must have been answered with one of CODES."""
    mark = pair.log.mark()
    reply = pair.deliver(content, timeout=timeout)
    assert reply.code in codes, f"{reply}, expected {codes}\n{pair.log.tail(15)}"
    # A client adds what is missing of the last line.
    sealed = content if content.endswith(b"\r\n") else content + b"\r\n"
    return pair.log.wait_for("message", since=mark, sha256=hashlib.sha256(sealed).hexdigest())


def assert_passes(pair, content=None):
    return send(pair, content or mail.plain(), 250)


def assert_error(pair, *reasons, content=None):
    event = send(pair, content or mail.plain(), 451)
    assert (event["verdict"], event["reason"] in reasons) == ("error", True), event
    return event


def assert_infected(pair, content=None, name=None):
    event = send(pair, content or virus(), 550)
    assert (event["verdict"], event["virus"]) == ("infected", name), event
    return event


def assert_unscannable(pair, content, reason):
    event = send(pair, content, 550)
    assert (event["verdict"], event["reason"]) == ("unscannable", reason), event
    return event


def is_cached(event):
    cached = event.get("cached") == "true"
    assert not cached or (float(event["queue_ms"]), float(event["engine_ms"])) == (0, 0), event
    return cached


# --- several ---

def deliver_in_background(pair, content):
    """A thread, and the list where the reply will be."""
    replies = []
    thread = threading.Thread(target=lambda: replies.append(pair.deliver(content)))
    thread.start()
    return thread, replies


def deliver_at_once(pair, count, content=None):
    """Codes of COUNT mails; CONTENT: of equal ones."""
    several = [deliver_in_background(pair, content or mail.plain()) for _ in range(count)]
    for thread, _ in several:
        thread.join(2 * SOON)
    return [reply.code for _, replies in several for reply in replies]


# --- a daemon's bad days ---

@contextmanager
def case(name):
    """Says which row of a table has failed."""
    try:
        yield
    except AssertionError as fault:
        raise AssertionError(f"{name}: {fault}") from fault


def of_one_kind(faults, silent):
    """Of FAULTS, name → (fault, reasons …), those that end by a timeout, or the others; and the timeout for them: it passes soon where it must,
    and never where another end is expected."""
    return {name: row for name, row in faults.items() if (row[0].stall is not None) == silent}, "3s" if silent else "60s"


def misbehave(daemon, fault):
    """On a new connection: one that ends where it was used before is renewed, which costs nothing."""
    daemon.drop_connections()
    daemon.misbehave(fault)


def assert_each_costs_one_message(pair, daemon, faults, name):
    """The engine has breaker_failures = 0: no probe shall get an answer that is meant for a message. Rows of FAULTS may end with a code, 451."""
    for what, (fault, reasons, *code) in faults.items():
        with case(what):
            misbehave(daemon, fault)
            event = send(pair, mail.plain(), *(code or [451]))
            assert (event["verdict"] in ("error", "unscannable"), event["reason"] in reasons) == (True, True), event
            assert_passes(pair)
            assert_infected(pair, name=name)


def assert_cut_is_never_clean(pair, daemon, cuts):
    for cut in cuts:
        with case(f"cut behind {cut} octets"):
            misbehave(daemon, Fault(cut=cut))
            assert_error(pair, "down" if cut == 0 else "protocol")
            assert_passes(pair)


def assert_told_virus_counts(pair, daemon, answers):
    """ANSWERS: octets that tell of a virus and after which the connection ends, to the virus's name. The engine has on_error = pass."""
    for octets, name in answers.items():
        with case(octets):
            misbehave(daemon, Fault(raw=octets, close_after=True))
            assert_infected(pair, mail.plain(), name=name)
            assert_passes(pair)


def assert_awkward_costs_nothing(pair, daemon, name):
    for what, fault in AWKWARD.items():
        with case(what):
            daemon.always = fault
            for _ in range(2):
                assert_passes(pair)
                assert_infected(pair, name=name)
    daemon.always = None


def assert_names_are_made_harmless(pair, daemon, evil):
    for name in (evil, b"N" * 1000):
        daemon.misbehave(Fault(name=name))
        reply = pair.deliver(mail.plain())
        assert reply.code == 550 and len(reply.text) < 512, reply
        assert all(0x20 <= ord(c) < 0x7F for c in reply.text), reply


def assert_flows_again_by_itself(pair, daemon, name):
    daemon.stop()
    assert_error(pair, "down")
    daemon.start()
    assert_passes(pair)
    daemon.stop()
    assert_error(pair, "down")
    daemon.start()
    assert_infected(pair, name=name)


def assert_idle_end_costs_nothing(pair, daemon):
    """A connection that the daemon closed between two messages is renewed."""
    before = daemon.connections
    for _ in range(3):
        assert_passes(pair)
        daemon.drop_connections()
    assert daemon.connections == before + 3


def assert_next_server_answers(pair, first, second, name):
    assert_passes(pair)
    assert (len(first.scans), len(second.scans)) == (1, 0)
    first.stop()
    assert_infected(pair, name=name)
    assert_passes(pair)
    assert (len(first.scans), len(second.scans)) == (1, 2)
