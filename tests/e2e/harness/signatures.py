# SPDX-License-Identifier: MIT
"""Signature databases that change under a running postern, and mails that one or the other of them finds."""
import os
import threading

from . import client, mail

# Each pattern is what a mail carries, and what a signature of that name finds.
ALPHA, BETA = b"-".join([b"PATTERN", b"ALPHA"]), b"-".join([b"PATTERN", b"BETA"])
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


def verdict(pair, pattern):
    reply = pair.deliver(mail.plain(b"x " + pattern + b"\r\n"))
    return {250: "clean", 550: "infected"}.get(reply.code, reply.code)


def wait_loaded(pair, since=0, **fields):
    return pair.log.wait_for("reload-done", timeout=LOADED, since=since, **fields)


class Load:
    """Clients that send mails with ALPHA, BETA, both and neither, one after the other, until they are stopped."""

    def __init__(self, pair, clients):
        self.pair, self.ended = pair, threading.Event()
        self.lock, self.codes, self.faults = threading.Lock(), {}, []
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        kinds = [("alpha", ALPHA), ("beta", BETA), ("both", ALPHA + b" " + BETA), ("neither", b"")]
        try:
            with client.Client(self.pair.port, timeout=LOADED) as session:
                session.ehlo()
                for i in range(number, 1 << 30):
                    if self.ended.is_set():
                        return
                    kind, pattern = kinds[i % len(kinds)]
                    code = session.message(mail.plain(b"x " + pattern + b"\r\n"), sender=f"{kind}@client.test").code
                    with self.lock:
                        self.codes[code] = self.codes.get(code, 0) + 1
        except (OSError, AssertionError) as fault:
            self.faults.append(fault)

    def count(self):
        with self.lock:
            return sum(self.codes.values())

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(LOADED)
        assert not self.faults, self.faults
