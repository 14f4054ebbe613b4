# SPDX-License-Identifier: MIT
"""A scripted backend: a small SMTP server that answers as a script says, misbehaves where it says, and keeps every byte it received.

    backend.on("mail", Reply(450, "later"), times=1)     the first MAIL gets 450, later ones the default
    backend.on("dot", Drop())                            closes when the final dot has come, without an answer

Stages: connect, greeting, ehlo, helo, mail, rcpt, data, body (after the first bytes of content), dot, rset, noop, quit.
It is strict: only CRLF ends a line and only CRLF.CRLF ends a message.
"""
import re
import socket
import struct
import threading
import time
from collections import Counter

from . import book
from .ledger import Delivery
from .places import SOON, Timeout, free_port
from .talk import Body, address_in, digests_of

EHLO_KEYWORDS = ("PIPELINING", "SIZE 209715200", "ENHANCEDSTATUSCODES", "8BITMIME")


class Action:
    """What the backend does at a stage. True: go on with the session; False: the connection is over."""

    def act(self, session):
        raise NotImplementedError


class Raw(Action):
    """Exactly these bytes, whatever they are. CODE: what they say, when they say something; MORE: what further replies in them say."""

    def __init__(self, data):
        self.data = data
        self.code = int(data[:3]) if re.match(rb"[2-5]\d\d(?:[ -]|\r\n)", data) else None
        self.more = [int(code) for code in re.findall(rb"(?m)^([2-5]\d\d)(?: |\r\n)", data)]
        if self.code in self.more:
            self.more.remove(self.code)

    def act(self, session):
        session.answer(self.code)
        session.backend.count(*self.more)
        session.send(self.data)
        return True


class Reply(Raw):
    def __init__(self, code, *lines):
        lines = lines or ("ok",)
        marks = ["-"] * (len(lines) - 1) + [" "]
        super().__init__("".join(f"{code}{mark}{line}\r\n" for mark, line in zip(marks, lines)).encode("latin-1"))


class Drop(Action):
    """Closes the connection, after SAYING something or nothing; RESET sends RST."""

    def __init__(self, saying=b"", reset=False):
        self.saying, self.reset = saying, reset

    def act(self, session):
        if self.saying:
            session.backend.count(int(self.saying[:3]))
            session.send(self.saying)
        if self.reset:
            session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False


class Silence(Action):
    """Never answers and never reads; over when the other side closes, or the backend stops."""

    def act(self, session):
        session.send_bystanders()
        session.wait_closed()
        return False


class Wait(Action):
    """Does nothing until the test sets RELEASE (a threading.Event), then goes on with THEN. ENTERED tells the test that it waits."""

    def __init__(self, then=None):
        self.entered, self.release = threading.Event(), threading.Event()
        self.then = then

    def act(self, session):
        session.send_bystanders()
        self.entered.set()
        while not self.release.wait(0.05):
            if session.backend.stopping:
                return False
        return (self.then or session.default(session.stage)).act(session)


class Trickle(Raw):
    """DATA one octet at a time with PAUSE seconds between them."""

    def __init__(self, data, pause):
        super().__init__(data)
        self.pause = pause

    def act(self, session):
        session.answer(self.code)
        session.backend.count(*self.more)
        for octet in self.data:
            if session.backend.stopping:
                return False
            session.send(bytes([octet]))
            time.sleep(self.pause)
        return True


class Mail:
    """One message whose final dot came. WIRE as received, without the line of the final dot; CONTENT without dot-stuffing, both empty
    where the backend does not keep the bytes. LENGTH and DIGESTS (talk.digests_of) are of the content, also there."""

    def __init__(self, session, sender, recipients, body):
        self.session, self.sender, self.recipients, self.length = session, sender, list(recipients), body.length
        self.wire, self.content = body.wire or b"", body.content or b""
        digests = [body.digest] if body.wire is None else digests_of(self.content)
        self.delivery = Delivery(digests, None, tuple(sorted(map(address_in, recipients))) if session.sure else None,
                                 address_in(sender) if session.sure and sender else None)

    @property
    def digests(self):
        return self.delivery.digests

    @property
    def code(self):
        """Of the answer; None: none was given."""
        return self.delivery.code

    @property
    def accepted(self):
        return self.delivery.accepted


class Session(threading.Thread):
    def __init__(self, backend, connection):
        super().__init__(daemon=True)
        self.backend, self.socket = backend, connection
        self.received = bytearray()  # everything the other side sent
        self.commands = []           # command lines, without CRLF
        self.pending = bytearray()
        self.sender, self.recipients = None, []
        self.sure = True      # what it answered to each MAIL and RCPT is known
        self.stage, self.in_body = None, False
        self.answered = None  # code of the last reply
        self.mail = None      # the message whose final dot is being answered
        self.closed_by_peer = False
        self.over = threading.Event()

    # --- transport ---

    def send(self, data):
        self.socket.sendall(data)

    def fill(self):
        """More input; False at its end."""
        data = self.socket.recv(65536)
        if not data:
            self.closed_by_peer = True
            return False
        if self.backend.keep or not self.in_body:
            self.backend.note(lambda: self.received.extend(data))
        self.pending += data
        return True

    def send_bystanders(self):
        book.send_bystanders(backend=self.backend, during=f"the backend does not answer at {self.stage}")

    def wait_closed(self):
        self.socket.settimeout(0.1)
        while not self.backend.stopping:
            try:
                if not self.fill():
                    return
            except TimeoutError:
                continue

    # --- SMTP ---

    def default(self, stage):
        if stage == "ehlo":
            return Reply(250, "backend.test", *self.backend.keywords)
        return {"greeting": Reply(220, "backend.test ESMTP"), "helo": Reply(250, "backend.test"), "mail": Reply(250, "2.1.0 sender ok"),
                "rcpt": Reply(250, "2.1.5 recipient ok"), "data": Reply(354, "go ahead"), "dot": Reply(250, "2.0.0 queued as 4711"),
                "rset": Reply(250, "2.0.0 flushed"), "noop": Reply(250, "2.0.0 ok"), "quit": Reply(221, "2.0.0 bye")}.get(stage, Raw(b""))

    def at(self, stage):
        """Acts as the script says at STAGE; the action, or None when the connection is over."""
        self.stage, self.answered = stage, None
        action = self.backend.take(stage) or self.default(stage)
        return action if action.act(self) else None

    def answer(self, code):
        """Called before a reply is sent, so that who has read the reply also finds it written down."""
        self.answered = code
        self.backend.count(code)
        if self.stage == "dot":
            self.backend.note(lambda: setattr(self.mail.delivery, "code", code))

    def positive(self, expected_class):
        return self.answered is not None and self.answered // 100 == expected_class

    def run(self):
        try:
            self.serve()
        except OSError:
            pass
        finally:
            self.socket.close()
            self.backend.note(self.over.set)

    def serve(self):
        if not self.at("connect") or not self.at("greeting"):
            return
        while True:
            end = self.pending.find(b"\r\n")
            if end < 0:
                if not self.fill():
                    return
                continue
            line = bytes(self.pending[:end])
            del self.pending[:end + 2]
            self.backend.note(lambda line=line: self.commands.append(line))
            if not self.command(line):
                return

    def command(self, line):
        verb = line.split(b" ")[0].upper().decode("latin-1").lower()
        if verb not in ("ehlo", "helo", "mail", "rcpt", "data", "rset", "noop", "quit"):
            self.answer(500)
            self.send(b"500 5.5.2 what?\r\n")
            return True
        if verb == "data" and not self.recipients and self.backend.take_peek("data") is None:
            self.answer(554)
            self.send(b"554 5.5.1 no valid recipients\r\n")
            return True
        action = self.at(verb)
        if action is None:
            return False
        if verb in ("ehlo", "helo", "rset"):
            self.sender, self.recipients = None, []
        elif verb == "mail" and self.positive(2):
            self.sender, self.recipients = line[5:], []
        elif verb == "rcpt" and self.positive(2):
            self.recipients.append(line[5:])
        elif verb in ("mail", "rcpt") and self.answered is None:
            self.sure = False
        elif verb == "data" and self.positive(3):
            return self.body()
        return verb != "quit"

    def body(self):
        body = Body(keep=None if self.backend.keep else 0)
        self.in_body = True
        if not self.pending and not self.fill():
            return False
        if self.at("body") is None:
            return False
        while True:
            rest = body.feed(bytes(self.pending))
            self.pending.clear()
            if body.ended:
                self.pending += rest
                break
            if not self.fill():
                return False
        self.in_body = False
        self.mail = Mail(self, self.sender, self.recipients, body)
        self.backend.note(lambda: (self.backend.mails.append(self.mail), self.backend.completed.append(self.mail.delivery)))
        self.sender, self.recipients = None, []
        return self.at("dot") is not None


class Backend:
    """KEEP: whether bodies are kept, or only their lengths and digests."""

    def __init__(self, port=0, keywords=EHLO_KEYWORDS, keep=True):
        self.keywords, self.keep = keywords, keep
        self.condition = threading.Condition()
        self.script = {}    # stage → list of [action, times or None]
        self.sessions, self.mails = [], []
        self.completed, self.said, self.books = [], Counter(), []  # for the books of the posterns in front of it
        self.stopping = False
        self.listener = self.thread = None
        self.port = port or free_port()
        self.start()

    def start(self):
        """Listens; again after stop() on the same port."""
        self.stopping = False
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        book.backends[self.port] = self
        self.listener.listen(64)
        self.thread = threading.Thread(target=self._accept, args=(self.listener,), daemon=True)
        self.thread.start()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, connection)
            self.note(lambda session=session: self.sessions.append(session))
            session.start()

    def stop(self):
        """Refuses connections from now on and breaks those that are open. Harmless twice."""
        if self.stopping:
            return
        self.stopping = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        self.break_connections()
        for session in list(self.sessions):
            session.join(5)

    def break_connections(self):
        for session in list(self.sessions):
            try:
                session.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was over already

    # --- script ---

    def on(self, stage, *actions, times=None):
        """Each of ACTIONS is taken TIMES times (None: for ever), one after the other, before the default."""
        with self.condition:
            self.script.setdefault(stage, []).extend([action, times] for action in actions)
        return actions[0]

    def recover(self):
        """The fault is over. False: there is no more than the script."""
        self.forget()
        if self.stopping:
            self.start()
        return True

    def resume(self):
        """Behind recover() and what followed from it: the test goes on."""

    def forget(self, stage=None):
        with self.condition:
            if stage:
                self.script.pop(stage, None)
            else:
                self.script.clear()

    def take_peek(self, stage):
        with self.condition:
            return self.script[stage][0][0] if self.script.get(stage) else None

    def take(self, stage):
        with self.condition:
            steps = self.script.get(stage)
            if not steps:
                return None
            step = steps[0]
            if step[1] is not None:
                step[1] -= 1
                if step[1] == 0:
                    steps.pop(0)
            return step[0]

    def forget_mails(self):
        """What was received so far is looked at no more; the book keeps its digests."""
        with self.condition:
            self.mails.clear()
            self.sessions = [session for session in self.sessions if not session.over.is_set()]
            for session in self.sessions:
                session.commands.clear()
                session.received.clear()

    # --- what happened ---

    def count(self, *codes):
        with self.condition:  # sessions are threads, and += is two steps
            self.said.update(codes)

    def note(self, change):
        with self.condition:
            change()
            self.condition.notify_all()

    def wait_until(self, predicate, what, timeout=SOON):
        with self.condition:
            if not self.condition.wait_for(predicate, timeout):
                raise Timeout(f"backend: not after {timeout} s: {what}; commands: {self.commands()}")
            return predicate()

    def wait_command(self, verb, count=1, timeout=SOON):
        return self.wait_until(lambda: len(self.commands(verb)) >= count, f"{count} × {verb}", timeout)

    def wait_mails(self, count=1, timeout=SOON):
        self.wait_until(lambda: len(self.mails) >= count, f"{count} mails", timeout)
        return self.mails[:count]

    def wait_idle(self, timeout=SOON):
        """Every session is over."""
        self.wait_until(lambda: all(s.over.is_set() for s in self.sessions), "every session closed", timeout)

    def commands(self, verb=None):
        found = [line for session in self.sessions for line in session.commands]
        return [c for c in found if c.upper().startswith(verb.upper().encode())] if verb else found

    def transactions(self):
        """MAIL commands seen: sessions that only probe for keywords are not transactions."""
        return self.commands("MAIL")
