# SPDX-License-Identifier: MIT
"""Plays tests/scenario/*.smtp over sockets against the real programs. The language is described in tests/scenario/README.md; the other
player, in memory and with a virtual clock, is tests/player.

One thread: a step that sends just sends; a step that expects reads from every socket until what it expects is there, or too late.
"""
import json
import re
import select
import socket
import struct
import time
from pathlib import Path

from . import book, console
from .backend import Backend
from .ledger import Delivery
from .places import SOON, Timeout, free_port
from .postern import HOSTNAME, Postern, READY, fake_stanza
from .talk import Talk, digests_of

FOLDER = Path(__file__).resolve().parents[2] / "scenario"
KEYWORDS = "PIPELINING, SIZE 209715200, ENHANCEDSTATUSCODES, 8BITMIME"
ACTIONS = {"C": {"finish", "close", "reset", "stops reading", "reads"}, "S": {"closed", "nothing"}, "P": {"drain", "ended"},
           "B": {"connect", "connect silently", "message", "unfinished", "closed", "finish", "drop", "reset", "stops reading", "down", "up"}}
ESCAPES = {"r": b"\r", "n": b"\n", "0": b"\0", "\\": b"\\"}
SWITCH = re.compile(r"P(enable|disable) (\S+)")  # an engine
END_OF_DATA = b"\r\n.\r\n"
EXCUSABLE = ("L5", "L6", "L7")


class Failed(AssertionError):
    """A step that did not go as written."""


def unescape(text):
    return re.sub(rb"\\(x([0-9a-fA-F]{2})|.)",
                  lambda m: bytes([int(m[2], 16)]) if m[2] else ESCAPES[m[1].decode()], text.encode("latin-1"))


def matches(pattern, text):
    """PATTERN with * for anything, against the whole of TEXT."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.DOTALL) is not None


def message_end(data):
    """Where the message in DATA ends, behind its final dot; 0: it does not."""
    if data.startswith(b".\r\n"):
        return 3
    at = data.find(END_OF_DATA)
    return at + len(END_OF_DATA) if at >= 0 else 0


def unstuffed(wire):
    return re.sub(rb"(^|\n)\.", rb"\1", wire)


class Counter:
    """A line `counter OF NAME = VALUE`. OF: an engine's name, or a pool's behind the word pool, or quarantine."""

    def __init__(self, place, line):
        found = re.fullmatch(r"counter (?:(pool) )?(\S+) (\S+) = (\d+)", line)
        assert found, f"{place}: expected `counter ENGINE NAME = NUMBER`, `counter pool …` or `counter quarantine …`"
        kind = found[1] or ("quarantine" if found[2] == "quarantine" else "engine")
        self.place, self.of, self.name, self.value = place, (kind, found[2]), found[3], int(found[4])


class Step:
    def __init__(self, place, who, mark, party, text):
        self.place, self.who, self.mark, self.party, self.text = place, who, mark, party, text
        self.data, self.body_at = b"", 0
        self.server = 0  # of B! connect, down, up


class Scenario:
    def __init__(self, path):
        self.name = path.stem
        self.config, self.keywords = [], [KEYWORDS]  # keywords: of each server
        self.only, self.only_because = None, ""
        self.down = set()                            # servers, from the start
        self.steps, self.counters = [], []
        self.excuses = {}                            # promise → why it cannot be asked for
        self._read(path)
        expected = {step.text for step in self.steps if step.who == "B" and step.mark == "<"}
        self.scripted = {verb for verb in ("RSET", "QUIT") if verb in expected}
        self.drains = any(step.who == "P" and step.text in ACTIONS["P"] for step in self.steps)

    def __repr__(self):
        return self.name

    @property
    def key(self):
        """Scenarios with equal keys can share a postern; what wears it out is in the key by name."""
        worn = self.down or any(step.who == "P" for step in self.steps) or len(self.keywords) > 1  # of several servers one may be resting
        return (tuple(self.config), tuple(self.keywords), self.name if worn else "")

    def _read(self, path):
        for number, line in enumerate(path.read_text("latin-1").split("\n"), 1):
            place = f"{path.name}:{number}"
            head, _, value = line.partition(": ")
            if not line or line.startswith("#") or head in ("writes", "runs"):
                continue
            if line.startswith("include "):
                self._read(path.parent / line[8:].strip())
            elif line.startswith("counter "):
                self.counters.append(Counter(place, line))
            elif head == "config":
                self.config.append(value)
            elif head == "keywords":
                self.keywords[0] = value
            elif line.startswith("server:"):
                self.keywords.append(line[7:].strip() or KEYWORDS)
            elif head == "backend":
                word, _, number = value.partition(" ")
                assert word == "down", f"{place}: expected down"
                self.down |= {int(number) - 1} if number else set(range(len(self.keywords)))
            elif head == "excuse":
                promise, _, why = value.partition(" ")
                assert promise in EXCUSABLE and why, f"{place}: expected {' or '.join(EXCUSABLE)}, and a reason"
                self.excuses[promise] = why
            elif head == "only":
                self.only, _, self.only_because = value.partition(" ")
                assert self.only in ("memory", "sockets") and self.only_because, f"{place}: expected memory or sockets, and a reason"
            else:
                self._step(place, line)

    def _step(self, place, line):
        found = re.fullmatch(r"([CSBTLP])(\d?)([:!<>+*]) ?(.*)", line, re.DOTALL)
        assert found, f"{place}: not a step"
        who, party, mark, text = found.groups()
        step = Step(place, who, mark, int(party or (1 if who in "CS" else 0)), text)
        if (who, mark, text) == ("C", "!", "body"):  # no step: it says what the octets behind it are
            before = self.steps[-1]
            assert before.who == "C" and before.party == step.party and not before.body_at, f"{place}: expected behind what it sends"
            before.body_at = len(before.data)
            return
        numbered = re.fullmatch(r"(connect|connect silently|down|up) ([1-9])", text) if (who, mark) == ("B", "!") else None
        if numbered:
            step.text = text = numbered[1]
            step.server = int(numbered[2]) - 1
            assert step.server < len(self.keywords), f"{place}: there is no such server"
        if mark == "!" and who != "L" and not SWITCH.fullmatch(who + text):
            assert text in ACTIONS[who], f"{place}: no such action"
        if (who, mark) == ("S", "*"):
            count, text = text.split(" ", 1)
            self.steps.extend(Step(place, "S", ":", step.party, text) for _ in range(int(count)))
            return
        if who in "CB" and mark in ":>+*":
            count, text = text.split(" ", 1) if mark == "*" else (1, text)
            step.data = unescape(text) if mark == "+" else (unescape(text) + b"\r\n") * int(count)
            before = self.steps[-1] if self.steps else None
            if before and before.data and (before.who, before.party) == (who, step.party):
                before.data += step.data
                return
        self.steps.append(step)


class Configuration:
    """As harness.postern.Configuration, but with the defaults of the program, as in the other player."""

    def __init__(self, scenario, spool, control, listen_port, backend_ports):
        self.control = control
        self.lines = "\n".join(scenario.config)
        if "event_loops = " not in self.lines:
            self.lines += "\nevent_loops = 1"
        self.spool, self.listen_port, self.backend_ports = spool, listen_port, backend_ports

    def text(self):
        return (f'hostname = "{HOSTNAME}"\nspoolbase = "{self.spool}"\nquarantine_directory = "{self.spool}-quarantine"\nlog = "stderr"\nlog_format = json\nlog_level = debug\n'
                f"drain_timeout = 20s\n{self.lines}\n"
                f'ESMTP_Listener {{ Listen "127.0.0.1:{self.listen_port}" {{ }} }}\n'
                + console.listener(self.control) + "Backend {\n" + "".join(f'  Server "127.0.0.1:{port}" {{ }}\n' for port in self.backend_ports) + "}\n"
                'ThreadPool "CPU" { Concurrency = 1 }\nantivirus "antivirus1" { fake "fake1" { } }\n')


class End:
    """Our end of a connection. HEAR and SAY: where what passes is written down."""

    def __init__(self, connection, hear, say):
        self.socket, self.hear, self.say = connection, hear, say
        self.input = bytearray()
        self.ended = self.closed = False
        self.stopped = False  # does not read

    def fill(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        self.hear(data)
        self.input += data
        self.ended = self.ended or not data

    def send(self, data):
        self.say(data)
        try:
            self.socket.sendall(data)
        except ConnectionError:
            pass  # what became of it is for the steps that follow to say

    def close(self, reset=False):
        if self.closed:
            return
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.closed = True
        self.socket.close()

    def line(self):
        at = self.input.find(b"\r\n")
        if at < 0:
            return None
        line = bytes(self.input[:at])
        del self.input[:at + 2]
        return line


class Client(End):
    def __init__(self, port):
        connection = socket.create_connection(("127.0.0.1", port), SOON)
        self.talk = book.talk_with(port, "%s:%d" % connection.getsockname())
        super().__init__(connection, self.talk.received, self.talk.sent)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.body, self.in_body = b"", False
        self.rude = False  # its message did not wait for the 354
        self.enhanced = False  # it was offered ENHANCEDSTATUSCODES
        self.greets = False    # what it sent last is EHLO or HELO, whose answer has no such code

    def reply(self):
        found = re.match(rb"(?:\d{3}-[^\r\n]*\r\n)*\d{3}(?: [^\r\n]*)?\r\n", bytes(self.input))
        if not found:
            return None
        del self.input[:found.end()]
        return found[0].decode("latin-1")


class Link(End):
    """A connection that postern made."""

    def __init__(self, connection, number, server):
        self.talk = Talk()  # here postern is the client
        super().__init__(connection, self.talk.sent, self.talk.received)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number, self.server = number, server
        self.accepted = self.greeted = self.in_body = self.message_done = False
        self.seen = b""  # of a message: lines that the script expected one by one


def deliveries_of(talk):
    """Of a connection, or of a Backend that stood in for a scenario's server."""
    if isinstance(talk, Backend):
        return talk.completed
    return [Delivery(digests_of(attempt.content), attempt.code, attempt.recipients, attempt.sender) for attempt in talk.attempts if attempt.complete]


class Instance:
    """A postern and the ports of its servers, for all scenarios with the same key."""

    def __init__(self, directory, scenario):
        self.keywords = [[word.strip() for word in keywords.split(",")] for keywords in scenario.keywords]
        self.ports = [free_port() for _ in self.keywords]
        self.listeners = {}  # server → socket
        self.substitutes, self.were_up = [], set()  # while the promises are looked at
        self.links, self.clients = [], {}
        self.talks, self.books = [], []
        for port in self.ports:
            book.backends[port] = self
        self.probing, self.scripted = True, set()
        self.postern = Postern(directory, backend_port=self.ports[0], engines=fake_stanza())
        self.control = self.postern.directory / "control" / "socket"
        self.postern.configuration = Configuration(scenario, self.postern.spool, self.control, self.postern.port, self.ports)
        for server in range(len(self.ports)):
            if server not in scenario.down:
                self.up(server)
        self.postern.start(wait_ready=False)
        log = self.postern.log
        self.wait(lambda: (log.find("ready") and self.all_known(log) and all(link.ended for link in self.links)) or log.ended,
                  "postern is ready and knows its backend", READY)
        assert not log.ended, "postern ended at its start:\n" + log.tail()
        self.probing = False
        self.forget()  # connections are numbered from the first that a scenario causes

    def ask(self, *commands):
        """The console's answers."""
        with console.Session(self.control) as session:
            answers = [(command, *session.ask("json " + command)) for command in commands]
        for command, status, text in answers:
            assert status == 0, f"{command}: {text.decode()}"
        return [json.loads(text) for _, _, text in answers]

    def figures(self):
        """What has been counted so far: (kind, of) → name → number, for class Counter; ENGINE's words beside its totals."""
        engines, pools, kept = self.ask("antivirus stats", "threads stats", "quarantine list 1")
        found = {("engine", e["name"]): {**e, **e["classes"], **e["reasons"]} for e in engines["engines"]}
        found.update({("pool", p["pool"]): p for p in pools["pools"]})
        found["quarantine", "quarantine"] = {"all_entries": kept["all_entries"]}
        return found

    def all_known(self, log):
        """Every loop has asked every server."""
        loops = int((re.findall(r"event_loops = (\d+)", self.postern.configuration.lines))[-1])
        return all(len([e for e in log.find("backend-up") + log.find("backend-down") if e.get("backend", "").endswith(f":{port}")]) >= loops
                   for port in self.ports)

    def up(self, server):
        listener = self.listeners[server] = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.ports[server]))
        listener.listen(64)

    def down(self, server):
        if server in self.listeners:
            self.listeners.pop(server).close()

    # --- for the book of the postern in front ---

    @property
    def completed(self):
        return [delivery for talk in self.talks for delivery in deliveries_of(talk)]

    @property
    def said(self):
        return [code for talk in self.talks for code in (talk.said.elements() if isinstance(talk, Backend) else talk.codes)]

    def recover(self):
        """In the place of the scenario's servers ordinary ones stand, which answer by themselves, until resume()."""
        self.were_up = set(self.listeners)
        for server, port in enumerate(self.ports):
            self.down(server)
            self.substitutes.append(Backend(port, keywords=self.keywords[server]))
        return True

    def resume(self):
        for substitute in self.substitutes:
            substitute.stop()
            self.talks.append(substitute)
            book.backends[substitute.port] = self
        if self.substitutes:
            for server in self.were_up:
                self.up(server)
        self.substitutes = []

    def forget(self):
        for end in [*self.links, *self.clients.values()]:
            end.close()
        self.links, self.clients = [], {}

    def wait(self, condition, what, timeout=SOON):
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise Timeout(f"not after {timeout} s: {what}")
            self.pump(0.05)

    def pump(self, timeout):
        """Takes what has come, from anybody; waits up to TIMEOUT for something."""
        ends = {end.socket: end for end in [*self.links, *self.clients.values()] if not end.closed and not end.ended and not end.stopped}
        listeners = {listener: server for server, listener in self.listeners.items()}
        ready, _, _ = select.select([*ends, *listeners], [], [], timeout)
        for item in ready:
            if item in listeners:
                link = Link(item.accept()[0], len(self.links) + 1, listeners[item])
                self.links.append(link)
                self.talks.append(link.talk)
                if self.probing:
                    self.greet(link)
            else:
                ends[item].fill()
        for link in self.links:
            while not link.closed and self.automatic(link):
                pass

    def greet(self, link):
        link.accepted = link.greeted = True
        link.send(b"220 backend.test ESMTP\r\n")

    def automatic(self, link):
        """What a backend answers unless the script speaks of it; True: it did."""
        if not link.accepted or link.in_body or link.message_done or b"\r\n" not in link.input:
            return False
        verb = bytes(link.input[:5]).upper()
        if verb == b"EHLO " and link.greeted:
            link.line()
            words = ["backend.test", *self.keywords[link.server]]
            link.send("".join(f"250-{word}\r\n" for word in words).encode() + b"250 HELP\r\n")
        elif verb.startswith(b"RSET") and "RSET" not in self.scripted:
            link.line()
            link.send(b"250 2.0.0 flushed\r\n")
        elif verb.startswith(b"QUIT") and "QUIT" not in self.scripted:
            link.line()
            link.send(b"221 2.0.0 bye\r\n")
            link.ended = True
            link.close()
        else:
            return False
        return True


class Play:
    """One scenario on one instance."""
    patience = SOON  # with counters of pools

    def __init__(self, scenario, instance):
        self.scenario, self.instance = scenario, instance
        self.log, self.newest = instance.postern.log, None
        self.before = None  # what was counted before; None: the scenario ends the program, which takes its counters along
        if not scenario.drains:
            instance.ask("cache purge all")  # what other scenarios have taught it
            self.before = instance.figures()
        self.mark, self.matched = self.log.mark(), set()
        instance.scripted = scenario.scripted
        self.done = {("C", ":"): self.client_send, ("C", "+"): self.client_send, ("C", "*"): self.client_send, ("S", ":"): self.reply,
                     ("B", "<"): self.line, ("B", ">"): self.backend_send, ("B", "+"): self.backend_send, ("B", "*"): self.backend_send,
                     ("L", ":"): self.logged, ("C", "!"): self.client_act, ("S", "!"): self.server_is, ("B", "!"): self.backend_act,
                     ("P", "!"): self.program, ("L", "!"): lambda step: None,
                     ("T", ":"): lambda step: None}  # what time brings is waited for by the step behind it

    def run(self):
        step = None
        try:
            for step in self.scenario.steps:
                self.done[step.who, step.mark](step)
            self.check_unread()
            self.end()
            step = None
            self.check_counters()
        except AssertionError as fault:
            place = f"{step.place}: {step.who}{step.mark} {step.text}" if step else self.scenario.name
            raise Failed(f"{place}: {fault}\n{self.log.tail(40)}") from None

    def wait(self, condition, what, timeout=SOON):
        return self.instance.wait(condition, what, timeout)

    # --- the client's side ---

    def client(self, number):
        if number not in self.instance.clients:
            self.instance.clients[number] = Client(self.instance.postern.port)
        return self.instance.clients[number]

    def client_send(self, step):
        client = self.client(step.party)
        client.greets = step.data.rstrip().rpartition(b"\n")[2][:4].upper() in (b"EHLO", b"HELO")
        if step.body_at:
            client.body, client.in_body, client.rude = b"", True, True
        if client.in_body:
            client.body += step.data[step.body_at:]
            end = message_end(client.body)
            if end:
                client.body, client.in_body = client.body[:end], False
        client.send(step.data)

    def client_act(self, step):
        client = self.client(step.party)
        if step.text == "finish":
            client.socket.shutdown(socket.SHUT_WR)
        elif step.text in ("stops reading", "reads"):
            client.stopped = step.text == "stops reading"
        else:
            client.close(reset=step.text == "reset")

    def reply(self, step):
        client, found = self.client(step.party), []
        if client.talk.asks_for_a_bystander():
            self.instance.postern.book.send_bystander("a client waits for its final reply")

        def come():
            found.append(client.reply())
            return found[-1] or client.ended

        self.wait(come, "no reply")
        reply = found[-1]
        assert reply, f"the server closed; unread: {bytes(client.input)!r}"
        if reply.startswith("354") and client.rude:
            client.rude = False
        elif reply.startswith("354"):
            client.body, client.in_body = b"", True
        code, words, text = step.text[:3], step.text[4:], reply[4:-2]
        if text.startswith(HOSTNAME):  # greeting, or answer to EHLO or HELO
            client.enhanced = "ENHANCEDSTATUSCODES" in text
        elif client.enhanced and reply[0] in "245" and not client.greets:  # RFC 2034 section 4 (A45)
            assert re.match(rf"{reply[0]}\.\d{{1,3}}\.\d{{1,3}}( |$|\r)", text), f"no enhanced code of its class: {reply!r}"
        fits = matches(words, text) if "*" in words else text.startswith(words)
        assert reply.startswith(code) and fits, f"found {reply!r}"

    def server_is(self, step):
        client = self.client(step.party)
        if step.text == "closed":
            self.wait(lambda: client.ended, "the server did not close")
        assert not client.input, f"found {bytes(client.input)!r}"

    # --- the backend's side ---

    def link(self, step):
        link = self.newest if step.party == 0 else next((x for x in self.instance.links if x.number == step.party), None)
        assert link, "there is no such connection to the backend"
        return link

    def connect(self, server, greet):
        def waiting():
            return next((x for x in self.instance.links if x.server == server and not x.accepted and not x.ended), None)

        self.newest = self.wait(waiting, f"no connection to server {server + 1}")
        self.newest.accepted = True
        if greet:
            self.instance.greet(self.newest)

    def line(self, step):
        link, found = self.link(step), []

        def come():
            found.append(link.line())
            return found[-1] is not None or link.ended

        self.wait(come, "nothing came")
        assert found[-1] is not None, f"the connection was closed; unread: {bytes(link.input)!r}"
        assert matches(unescape(step.text).decode("latin-1"), found[-1].decode("latin-1")), f"found {found[-1]!r}"
        if link.in_body:
            link.seen += found[-1] + b"\r\n"

    def backend_send(self, step):
        link = self.link(step)
        if link.message_done:
            link.message_done = False
        elif step.data.startswith(b"354"):
            link.in_body, link.seen = True, b""
        link.send(step.data)

    def backend_act(self, step):
        if step.text in ("connect", "connect silently"):
            self.connect(step.server, step.text == "connect")
            return
        if step.text in ("down", "up"):
            getattr(self.instance, step.text)(step.server)
            return
        link = self.link(step)
        if step.text == "message":
            self.message(link)
        elif step.text in ("closed", "unfinished"):
            self.wait(lambda: link.ended, "the connection to the backend was not closed")
            if step.text == "closed":
                assert not link.input, f"found {bytes(link.input)!r}"
            else:
                assert not message_end(bytes(link.input)), f"found {bytes(link.input)!r}"
            link.input.clear()
        elif step.text == "finish":
            link.socket.shutdown(socket.SHUT_WR)
        else:
            link.close(reset=step.text == "reset")

    def message(self, link):
        assert link.in_body, "no message was begun"
        self.wait(lambda: message_end(bytes(link.input)) or link.ended, "no message")
        end = message_end(bytes(link.input))
        assert end, f"the connection was closed inside the message: {bytes(link.input)!r}"
        wire = link.seen + bytes(link.input[:end])
        del link.input[:end]
        link.in_body, link.message_done = False, True
        got = unstuffed(wire)
        sent = [unstuffed(client.body) for client in self.instance.clients.values()]
        assert any(body and got.endswith(body) and len(got) - len(body) <= len(link.seen) for body in sent), \
            f"not what a client sent: {wire[:1000]!r}"

    # --- log and program ---

    @staticmethod
    def fields(text):
        name, _, rest = text.partition(" ")
        return name, {key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|(\S*))', rest)}

    def fits(self, event, text):
        name, fields = self.fields(text)
        return event["event"] == name and all(key in event and matches(value, str(event[key])) for key, value in fields.items())

    def events(self):
        with self.log.condition:
            return self.log.events[self.mark:]

    def logged(self, step):
        def find():
            for number, event in enumerate(self.events()):
                if number not in self.matched and self.fits(event, step.text):
                    return number + 1
            return None

        number = self.wait(find, "the log has no such line") - 1
        events = self.events()
        session = events[number].get("session")
        later = [n for n in self.matched if n > number and session and events[n].get("session") == session]
        assert not later, "the log has it too early"
        self.matched.add(number)

    def program(self, step):
        switch = SWITCH.fullmatch(step.who + step.text)
        if switch:
            self.instance.ask(f"engine {switch[1]} {switch[2]}")
        elif step.text == "drain":
            self.instance.postern.terminate()
        else:
            self.instance.postern.stop()

    # --- the end ---

    def check_unread(self):
        for number, client in self.instance.clients.items():
            assert not client.input, f"client {number} got more than the script has: {bytes(client.input)!r}"
        for link in self.instance.links:
            assert link.accepted or link.ended, "a connection to the backend that the script does not have"

    def end(self):
        """Clients leave; every session ends, and nobody has said what is not in the script."""
        for client in self.instance.clients.values():
            client.close()
        self.wait(lambda: self.log.ended or len(self.log.find("connect")) == len(self.log.find("close")), "a session is left")
        self.instance.pump(0)
        for link in self.instance.links:
            assert link.closed or not link.input, f"the backend got more than the script has: {bytes(link.input)!r}"
        for step in self.scenario.steps:
            if step.who == "L" and step.mark == "!":
                unwanted = [event for event in self.events() if self.fits(event, step.text)]
                assert not unwanted, f"{step.place}: the log has {unwanted[0]}"

    # --- counters ---

    def check_counters(self):
        """What is counted is what the scenario says; of an engine's words and of quarantine also that there is no more."""
        if self.before is None:
            return
        try:  # pools are processes, and tell in their own time
            self.wait(lambda: not self.wrong_counters(self.instance.figures(), ["pool"]), "counters of pools", self.patience)
        except Timeout:
            pass  # the next line says what is wrong
        wrong = self.wrong_counters(self.instance.figures(), ["pool", "engine", "quarantine"])
        assert not wrong, "; ".join(wrong)

    def wrong_counters(self, now, kinds):
        lines = [line for line in self.scenario.counters if line.of[0] in kinds]
        wrong = []
        for line in lines:
            name = " ".join(dict.fromkeys(line.of)).removeprefix("engine ") + " " + line.name
            if line.of not in now:
                wrong.append(f"{line.place}: counter {name}: there is no such {line.of[0]}")
            elif not isinstance(now[line.of].get(line.name), int):
                wrong.append(f"{line.place}: counter {name}: there is no such counter")
            elif self.counted(now, line.of, line.name) != line.value:
                wrong.append(f"{line.place}: counter {name} is {self.counted(now, line.of, line.name)}, expected {line.value}")
        named = {(line.of, line.name) for line in lines}
        for of, figures in now.items():
            words = {"engine": [*figures.get("classes", ()), *figures.get("reasons", ())], "quarantine": figures}.get(of[0], ())
            if of[0] in kinds:
                wrong += [f"counter {of[1]} {word} is {self.counted(now, of, word)}, and no line `counter` expects it"
                          for word in words if (of, word) not in named and self.counted(now, of, word) != 0]
        return wrong

    def counted(self, now, of, name):
        return now[of][name] - self.before[of][name]
