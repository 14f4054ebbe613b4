# SPDX-License-Identifier: MIT
"""The console of a running postern: the program postern-console, and its protocol spoken by hand."""
import contextlib
import json
import re
import socket
import subprocess
import threading

from . import mail
from .places import BUILD, SOON, WRAP, until

HEAD = re.compile(rb"([012]) (0|[1-9][0-9]*)\n")


def listener(path, **options):
    """A Control_Listener scope."""
    inner = "".join(f" {key} = {value}" for key, value in options.items())
    return f'Control_Listener {{ Listen "{path}" {{{inner} }} }}\n'


class Console:
    """The socket of POSTERN's console; commands are words, as on a command line."""

    def __init__(self, path, build=BUILD):
        self.path, self.program = str(path), build / "bin/postern-console"

    def run(self, *words, **options):
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": SOON, "check": False, **options}
        return subprocess.run([*WRAP, self.program, self.path, *words], **options)

    def ask(self, *words):
        """The answer of a command that succeeds."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), (words, done)
        return done.stdout

    def json(self, *words):
        return json.loads(self.ask("json", *words))

    def session(self):
        return Session(self.path)


class Session:
    """One connection."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SOON)
        self.socket.connect(str(path))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, octets):
        self.socket.sendall(octets)

    def fill(self):
        """False: the connection has ended."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return data != b""

    def answer(self):
        """Status and octets of the next answer; None: the connection ended before one began."""
        while b"\n" not in self.buffer:
            if not self.fill():
                assert self.buffer == b"", f"the connection ended inside a head: {self.buffer!r}"
                return None
        head = HEAD.match(self.buffer)
        assert head, f"no head of an answer: {self.buffer[:40]!r}"
        end = head.end() + int(head[2])
        while len(self.buffer) < end:
            assert self.fill(), "the connection ended inside an answer"
        text, self.buffer = self.buffer[head.end():end], self.buffer[end:]
        return int(head[1]), text

    def ask(self, line):
        self.send(line.encode() + b"\n")
        return self.answer()

    def at_end(self):
        return self.buffer == b"" and not self.fill()


@contextlib.contextmanager
def full_queue(pair, console):
    """Inside, one message hangs with the only worker of PAIR's only pool (Concurrency = 1) and another one waits in its queue (Backlog = 1); in the end an
    operator ends both."""
    threads = []

    def waiting():
        (pool,) = console.json("threads", "stats")["pools"]
        return pool["busy"], pool["queued"]
    for queued in (0, 1):
        threads.append(threading.Thread(target=pair.deliver, args=(mail.fake_order("hang"),)))
        threads[-1].start()
        until(lambda q=queued: waiting() == (1, q), f"{queued} messages wait")
    yield
    for number in (1, 0):
        until(lambda: waiting()[0] == 1, "the engine hangs")
        pair.postern.hurt("worker")
        until(lambda n=number: sum(thread.is_alive() for thread in threads) == n, "the answer")
