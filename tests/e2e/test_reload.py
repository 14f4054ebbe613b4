# SPDX-License-Identifier: MIT
"""New signatures without a restart: what starts a reload, what a message sees of it, what is not let in."""
import contextlib
import os
import signal
import threading

import pytest
from harness import client, mail, places, processes
from harness.ledger import CLEAN, INFECTED, Ledger
from harness.places import until
from harness.postern import clamav_stanza

# Each pattern is what a mail carries, and what a signature of that name finds.
ALPHA, BETA = b"-".join([b"PATTERN", b"ALPHA"]), b"-".join([b"PATTERN", b"BETA"])
BOTH = "Test.Alpha:0:*:" + ALPHA.hex() + "\nTest.Beta:0:*:" + BETA.hex() + "\n"
FILLER = "".join(f"Test.Filler{i}:0:*:{os.urandom(12).hex()}\n" for i in range(8))
# Loading the small databases of these tests, twice over, on a busy machine with sanitizers.
LOADED = 90.0
QUICK = {"database_settle": "100ms"}
RETRY = {"reload_retry": "24h"}  # never, unless a test asks for it


def signature(name, pattern):
    return f"{name}:0:*:{pattern.hex()}\n"


class Database:
    """A directory that postern loads; replaced as freshclam does: written beside, then renamed."""

    def __init__(self, directory):
        self.path = directory / "database"
        self.path.mkdir()
        self.path.chmod(0o755)

    def put(self, *signatures, name="test.ndb"):
        self.put_bytes((FILLER + "".join(signatures)).encode(), name)

    def put_bytes(self, content, name="test.ndb"):
        beside = self.path / "tmp.new"
        beside.write_bytes(content)
        beside.chmod(0o644)
        beside.rename(self.path / name)


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


def verdict(pair, pattern):
    reply = pair.deliver(mail.plain(b"x " + pattern + b"\r\n"))
    return {250: "clean", 550: "infected"}.get(reply.code, reply.code)


def wait_loaded(pair, since=0, **fields):
    return pair.log.wait_for("reload-done", timeout=LOADED, since=since, **fields)


def hosts(pair):
    return [pid for pid in processes.children(pair.postern.process.pid) if "--pool" in processes.command_line(pid)]


def wait_one_host(pair):
    """The old generation is gone, with its workers."""
    until(lambda: len(hosts(pair)) == 1, "one generation is left", LOADED)


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
