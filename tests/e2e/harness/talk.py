# SPDX-License-Identifier: MIT
"""What was said on one SMTP connection, read from its octets as they pass: messages with their digests and final replies, refused commands.

It knows no test and no verdict. Replies come in the order of the commands, so both streams together say which reply belongs to what,
however the octets were cut, pipelined or broken off.
"""
import hashlib
import re

END_OF_DATA = b"\r\n.\r\n"
KEEP = 4 << 20  # octets of one message that are kept; of a larger one there are its digest and length
REPLY = re.compile(rb"(?:\d{3}-[^\r\n]*\r\n)*(\d{3})(?: [^\r\n]*)?\r\n")
FAULTY = re.compile(rb"\0|(?<!\r)\n|\r(?!\n)")
ADDRESS = re.compile(rb'<(?:@[^:<>"]*:)?((?:"(?:\\.|[^"\\])*"|[^">])*)>')  # without its source route, which nobody relays
MARK = re.compile(rb"(?:X-Postern-Released: [^\r\n]*\r\n)?(?:X-Virus-Status: [^\r\n]*\r\n)?")  # what postern may put in front


class Body:
    """A message on the wire up to its final dot. LENGTH and DIGEST (SHA-256) are of the content, that is without dot-stuffing."""

    def __init__(self, keep=KEEP):
        self.keep, self.length, self.ended = keep, 0, False
        self._hash, self._wire = hashlib.sha256(), bytearray()
        self._window = b"\r\n"  # two octets that were taken, then those that may belong to the end; an empty message ends too

    def feed(self, data):
        """What stands behind the final dot; None: it has not come."""
        window = self._window + data
        end = window.find(END_OF_DATA)
        cut = end + 2 if end >= 0 else max(2, len(window) - 4)
        taken = window[:cut].replace(b"\r\n.", b"\r\n")[2:]
        self._hash.update(taken)
        self.length += len(taken)
        self._wire += window[2:cut]
        if self.keep is not None and len(self._wire) > self.keep:
            self.keep, self._wire = 0, bytearray()
        self._window = window[cut - 2:]
        self.ended = end >= 0
        return window[end + len(END_OF_DATA):] if self.ended else None

    @property
    def wire(self):
        """Without the line of the final dot; None: it was not kept."""
        return None if self.keep == 0 and self.length else bytes(self._wire)

    @property
    def content(self):
        return None if self.wire is None else re.sub(rb"(^|\r\n)\.", rb"\1", self.wire)

    @property
    def digest(self):
        return self._hash.hexdigest()


def digests_of(content):
    """Those that a message at a backend may go by: as it is, then without postern's mark in front, if it has one."""
    found = MARK.match(content)
    return [hashlib.sha256(part).hexdigest() for part in (content, *([content[found.end():]] if found.end() else []))]


def address_in(command):
    """The address of a MAIL or RCPT, its parameters left out."""
    path = command.partition(b":")[2].strip()
    found = ADDRESS.match(path)
    return (found[1] if found else path).decode("latin-1")


class Attempt:
    """A client's attempt to send one message. CODE: what it was told in the end, None: it heard nothing. GRANTED: it was told 354; False:
    it sent the message without having read whether it may. COMPLETE: its final dot was sent. SENDER and RECIPIENTS (sorted) that were
    accepted; None: they are not known. ABANDONED: whoever took it closed the connection in order, and its client, which was waiting, heard nothing."""

    def __init__(self, digest=None, content=None, code=None, text="", complete=True, granted=True, length=None, client=None, recipients=None,
                 sender=None):
        self.digest, self.content, self.code, self.text, self.complete, self.granted = digest, content, code, text, complete, granted
        self.length, self.client, self.sender, self.recipients = length, client, sender, recipients
        self.abandoned = False
        self.faulty = content is not None and FAULTY.search(content) is not None  # line ends or NUL that must not be relayed
        self.truth, self.may_pass = None, False  # what is known of it by its octets alone; whether the configuration lets that pass
        self.event = self.session = None  # its line in the log and its session there, found by the ledger

    @property
    def told_ok(self):
        return self.code is not None and self.code // 100 == 2

    def take(self, body, judge):
        """BODY has come to its end. JUDGE(content) says the truth (truth.py), and the content is not kept; None: it is kept."""
        content = body.content
        self.digest, self.length, self.complete = body.digest, body.length, True
        self.faulty = content is not None and FAULTY.search(content) is not None
        if judge:
            self.truth, self.may_pass = judge(content)
        else:
            self.content = content

    def __repr__(self):
        length = "many" if self.length is None else self.length
        return f"message {(self.digest or 'without end')[:12]} of {length} octets from {self.client} (told {self.code or 'nothing'})"


class Refused:
    """A command of a transaction, or the connection (GREETING), that was answered 4xx or 5xx."""

    def __init__(self, verb, code, text="", client=None):
        self.verb, self.code, self.text, self.client = verb, code, text, client
        self.session = None

    def __repr__(self):
        return f"{self.verb} from {self.client}, answered {self.code} {self.text}"


class Talk:
    """JUDGE: see Attempt.take."""

    def __init__(self, client=None, judge=None):
        self.client, self.judge = client, judge  # client: its address as the log writes it
        self.attempts, self.refused, self.codes = [], [], []
        self.greeted, self.connection = False, None
        self._sender, self._recipients, self._sure = None, [], True  # of the transaction; whether commands and replies surely belong together
        self._lines, self._input = bytearray(), bytearray()  # sent and not answered; received and not a whole reply
        self._body = self._awaiting = self._asked = None                   # (Attempt, Body) that is sent; Attempt whose final reply has not come

    def sent(self, data):
        if self._body:
            data = self._feed(data)
        self._lines += data

    def received(self, data):
        self._input += data
        while True:
            found = REPLY.match(bytes(self._input))
            if not found:
                return
            code, text = int(found[1]), found[0].decode("latin-1").rstrip()
            del self._input[:found.end()]
            self._reply(code, text)

    def asks_for_a_bystander(self):
        """Once for each message: its final reply is waited for."""
        asked, self._asked = self._asked, self._awaiting
        return self._awaiting is not None and asked is not self._awaiting

    def hung_up(self):
        """The other side has closed, after everything it had to say, while we were listening."""
        if self._awaiting:
            self._awaiting.abandoned = True

    def finish(self):
        """The connection is over. What was sent without having heard whether it may, may have been taken as a message."""
        self._close_body()
        while True:
            found = re.search(rb"(?im)^DATA[ \t]*\r?$\n", self._lines)
            if not found:
                return
            del self._lines[:found.end()]
            self._open_body(granted=False)
            self._awaiting = None
            if self._body:
                self._close_body()

    # --- inside ---

    def _open_body(self, granted):
        sender, recipients = (self._sender, tuple(sorted(self._recipients))) if granted and self._sure else (None, None)
        attempt, body = Attempt(complete=False, granted=granted, client=self.client, recipients=recipients, sender=sender), Body()
        self.attempts.append(attempt)
        self._body, waiting = (attempt, body), bytes(self._lines)
        self._lines.clear()
        self._lines += self._feed(waiting)

    def _feed(self, data):
        attempt, body = self._body
        rest = body.feed(data)
        if rest is None:
            return b""
        attempt.take(body, self.judge)
        self._body, self._awaiting = None, attempt
        return rest

    def _close_body(self):
        if self._body:
            self._body[0].length = self._body[1].length
            self._body = None

    def _reply(self, code, text):
        self.codes.append(code)
        if not self.greeted:
            self.greeted = True
            if code >= 400:
                self.refused.append(Refused("greeting", code, text, self.client))
        elif self._awaiting or self._body:  # inside a body: an end that was not waited for
            attempt = self._awaiting or self._body[0]
            attempt.code, attempt.text = code, text
            self._close_body()
            self._awaiting = None
        else:
            self._answered(code, text)

    def _answered(self, code, text):
        line, end, rest = bytes(self._lines).partition(b"\n")
        if code == 354:
            while end and line.strip().upper() != b"DATA":
                line, end, rest = rest.partition(b"\n")
        elif not end:
            return  # nobody asked: a timeout, a shutdown
        self._lines = bytearray(rest)
        self._sure = self._sure and line.endswith(b"\r")
        verb = line[:4].upper().decode("latin-1")
        if code // 100 == 2 and verb == "RCPT":
            self._recipients.append(address_in(line))
        elif code // 100 == 2 and verb in ("MAIL", "RSET", "EHLO", "HELO"):
            self._sender, self._recipients = address_in(line) if verb == "MAIL" else None, []
        if code == 354:
            self._open_body(granted=True)
        elif code >= 400 and verb in ("MAIL", "RCPT", "DATA"):
            self.refused.append(Refused(verb, code, text, self.client))
