# SPDX-License-Identifier: MIT
"""A scripted client: sends exactly the bytes it is told to, reads replies with a deadline."""
import re
import socket
import struct

from .book import send_bystanders, talk_with
from .places import SOON, Timeout


class Reply:
    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")[:-1]
        self.code = int(lines[0][:3])
        self.lines = [line[4:] for line in lines]
        self.text = "\n".join(self.lines)
        match = re.match(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)", self.lines[0])
        self.enhanced = match.group(1) if match else None

    def __repr__(self):
        return repr(self.raw.decode("latin-1"))


class ConnectionEnded(AssertionError):
    """The server closed where a reply was expected."""


def dot_stuffed(content):
    """CONTENT (with CRLF line ends) as it goes over the wire, with the final dot."""
    stuffed = re.sub(rb"(^|\n)\.", rb"\1..", content)
    return stuffed + (b"" if stuffed.endswith(b"\r\n") or not stuffed else b"\r\n") + b".\r\n"


class Client:
    """SOURCE: the address it comes from. What it says and hears stands in the book of the postern at PORT."""

    def __init__(self, port, timeout=SOON, greet=True, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout, (source, 0))
        self.port, self.talk = port, talk_with(port, "%s:%d" % self.socket.getsockname())
        self.talk.connection = self
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.half_closed = False
        self.input = bytearray()
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- bytes ---

    def send(self, data):
        self.talk.sent(data)
        self.socket.sendall(data)

    def _fill(self):
        if self.talk.asks_for_a_bystander():
            send_bystanders(port=self.port, during="a client waits for its final reply")
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise Timeout(f"no reply within {self.timeout} s; unread: {bytes(self.input)!r}") from None
        except ConnectionResetError:  # which may have destroyed a reply on its way
            return self._heard(b"")
        if not data and not self.half_closed:
            self.talk.hung_up()
        return self._heard(data)

    def _heard(self, data):
        self.talk.received(data)
        self.input += data
        return bool(data)

    def reply(self):
        """The next whole reply. A reply that breaks the grammar is a failure."""
        lines = bytearray()
        while True:
            end = self.input.find(b"\n")
            if end < 0:
                if not self._fill():
                    raise ConnectionEnded(f"the server closed; unread: {bytes(lines + self.input)!r}")
                continue
            line = bytes(self.input[:end + 1])
            del self.input[:end + 1]
            assert re.fullmatch(rb"[2-5]\d\d[ -][^\r\n\0]*\r\n|[2-5]\d\d\r\n", line), f"not a reply line: {line!r}"
            assert len(line) <= 512, f"reply line of {len(line)} octets: {line!r}"
            assert not lines or lines[:3] == line[:3], f"reply with two codes: {bytes(lines)!r} {line!r}"
            lines += line
            if line[3:4] != b"-":
                return Reply(bytes(lines))

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def expect(self, code, enhanced=None):
        reply = self.reply()
        assert reply.code == code, f"{reply}, expected {code}"
        if enhanced:
            assert reply.enhanced == enhanced, f"{reply}, expected {code} {enhanced}"
        return reply

    def command(self, line, code=None, enhanced=None):
        self.send((line.encode("latin-1") if isinstance(line, str) else line) + b"\r\n")
        return self.expect(code, enhanced) if code else self.reply()

    def at_end(self):
        """Whether the server closes, with nothing more to read; waits for it."""
        while not self.input:
            if not self._fill():
                return True
        return False

    def rest(self):
        """Everything until the server closes."""
        while self._fill():
            pass
        rest, self.input = bytes(self.input), bytearray()
        return rest

    def half_close(self):
        self.half_closed = True
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    # --- SMTP ---

    def ehlo(self, name="client.test"):
        return self.command(f"EHLO {name}", 250)

    def keywords(self, name="client.test"):
        return [line.upper() for line in self.ehlo(name).lines[1:]]

    def envelope(self, sender="a@client.test", recipients=("b@y.test",), parameters=""):
        self.command(f"MAIL FROM:<{sender}>{parameters}", 250)
        for recipient in recipients:
            self.command(f"RCPT TO:<{recipient}>", 250)

    def start_data(self, **envelope):
        self.envelope(**envelope)
        self.command("DATA", 354)

    def message(self, content, **envelope):
        """One whole transaction; the reply to the final dot, or to DATA where that is refused."""
        self.envelope(**envelope)
        reply = self.command("DATA")
        if reply.code != 354:
            return reply
        self.send(dot_stuffed(content))
        return self.reply()

    def quit(self):
        reply = self.command("QUIT", 221)
        assert self.at_end(), "the server said something after 221"
        return reply


def deliver(port, content, timeout=SOON, **envelope):
    """A session with one message; the reply to its final dot."""
    with Client(port, timeout) as client:
        client.ehlo()
        reply = client.message(content, **envelope)
        if reply.code != 421:
            client.quit()
        return reply
