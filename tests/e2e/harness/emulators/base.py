# SPDX-License-Identifier: MIT
"""A daemon on a TCP port or a unix socket, a thread per connection. A daemon's own file says how it talks (Emulator.talk); the ways to
misbehave are here: a test queues a Fault, and the next answer to a scan is given that way."""
import array
import os
import socket
import struct
import threading
import time
from dataclasses import dataclass

from ..places import SOON, Timeout, free_port

PAYLOAD = b"TEST-VIRUS-PAYLOAD"
PATIENCE = 60.0
LEAD = 0.5  # of a late answer over the one that is due: so long a client could take it for that one


class Ended(Exception):
    """The conversation is over: the client closed, or the fault demands it."""


@dataclass
class Fault:
    """One way to give an answer. Fields combine."""
    delay: float = 0             # before the answer
    each_octet: bool = False     # one segment for each octet
    cut: int | None = None       # so many octets of it, then the connection is closed
    stall: int | None = None     # so many octets of it, then silence until the client goes
    close: bool = False          # no answer: closed at once
    reset: bool = False          # no answer: reset
    raw: bytes | None = None     # these octets instead
    name: bytes | None = None    # a detection of that name
    wrong_id: bool = False       # the number of another request, where the protocol has numbers
    early: bool = False          # answered as soon as the request has begun, and nothing more is read
    close_after: bool = False    # a good answer, then closed: the next request finds a stale connection
    again: bool = False          # a good answer, and once more, late: while the next request of the connection waits for its own


class Conversation:
    """One connection: bounded reading, and answers as the fault wants them."""

    def __init__(self, connection):
        self.connection = connection
        self.connection.settimeout(PATIENCE)
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.heard = bytearray()
        self.descriptors = []
        self.late = b""

    def fill(self):
        try:
            data, ancillary, _, _ = self.connection.recvmsg(65536, socket.CMSG_SPACE(16 * 4))
        except OSError as error:
            raise Ended from error
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(payload[:len(payload) - len(payload) % numbers.itemsize])
                self.descriptors += numbers
        if not data:
            raise Ended
        self.buffer += data
        self.heard += data

    def take(self, count):
        while len(self.buffer) < count:
            self.fill()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def take_until(self, end):
        while end not in self.buffer:
            self.fill()
        taken, self.buffer = self.buffer.split(end, 1)
        return taken

    def send(self, octets):
        try:
            self.connection.sendall(octets)
        except OSError as error:
            raise Ended from error

    def wait_gone(self):
        while True:
            self.fill()

    def answer(self, octets, fault=None):
        """OCTETS, as FAULT has it."""
        if fault and self.late:
            self.send(self.late)
            time.sleep(LEAD)
        fault = fault or Fault()
        self.late = octets if fault.again else b""
        time.sleep(fault.delay)
        if fault.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Ended
        if fault.close:
            raise Ended
        octets = fault.raw if fault.raw is not None else octets
        if fault.stall is not None:
            self.send(octets[:fault.stall])
            self.wait_gone()
        if fault.cut is not None:
            self.send(octets[:fault.cut])
            raise Ended
        if fault.each_octet:
            for octet in octets:
                self.send(bytes([octet]))
        else:
            self.send(octets)
        if fault.close_after:
            raise Ended


class Emulator:
    def __init__(self, path=None, port=0):
        """At PATH, a unix socket that everybody may use, or at a TCP port of 127.0.0.1."""
        self.path, self.port = path, port or (0 if path else free_port())
        self.condition = threading.Condition()
        self.faults = []       # for the answers to come, one each
        self.always = None     # and after those
        self.greeting_delay = 0
        self.scans = []        # (how, octets) of every scan
        self.heard = []        # every octet of each connection
        self.connections = 0
        self.open = set()
        self.listener = None

    @property
    def address(self):
        """As the option `daemon` wants it."""
        return str(self.path) if self.path else f"127.0.0.1:{self.port}"

    def start(self):
        if self.path:
            self.path.unlink(missing_ok=True)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(self.path))
            os.chmod(self.path, 0o666)
        else:
            self.listener = socket.create_server(("127.0.0.1", self.port))
        self.listener.listen(100)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        """The port closes and every connection ends, as when the daemon is killed."""
        with self.condition:
            listener, self.listener = self.listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.drop_connections()

    def drop_connections(self):
        with self.condition:
            connections = list(self.open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self.condition:
                if self.listener is not listener:  # stopped meanwhile: who was just let in must not outlive the daemon
                    connection.close()
                    return
                self.connections += 1
                self.open.add(connection)
                self.condition.notify_all()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        conversation = Conversation(connection)
        with self.condition:
            self.heard.append(conversation.heard)
        try:
            time.sleep(self.greeting_delay)
            self.talk(conversation)
        except Ended:
            pass
        finally:
            with self.condition:
                self.open.discard(connection)
                self.condition.notify_all()
            for descriptor in conversation.descriptors:
                os.close(descriptor)
            connection.close()

    def talk(self, conversation):
        raise NotImplementedError

    # --- for tests ---

    def misbehave(self, *faults):
        with self.condition:
            self.faults += faults

    def forget(self):
        """As new, for the next test: nothing was scanned, nobody is connected."""
        self.drop_connections()
        with self.condition:
            self.condition.wait_for(lambda: not self.open, SOON)
            self.faults, self.always, self.scans, self.heard, self.connections = [], None, [], [], 0

    def next_fault(self):
        with self.condition:
            return self.faults.pop(0) if self.faults else self.always or Fault()

    def note_scan(self, how, octets):
        with self.condition:
            self.scans.append((how, octets))
            self.condition.notify_all()

    def wait_scans(self, count=1, timeout=SOON):
        with self.condition:
            if not self.condition.wait_for(lambda: len(self.scans) >= count, timeout):
                raise Timeout(f"{len(self.scans)} scans reached the daemon, expected {count}")
            return list(self.scans)
