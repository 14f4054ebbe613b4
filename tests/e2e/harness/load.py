# SPDX-License-Identifier: MIT
"""Load like that of a mail host on a bad day: clients of every kind at once, backends that misbehave now and then, processes that are
killed. What each client does is drawn from a generator of its own, so a seed repeats the load (not its timing).

Load is run in epochs. At the end of each everything comes to rest and is compared: what clients were told, what backends have, what postern holds, its log.
"""
import hashlib
import os
import signal
import threading
import time
from collections import defaultdict

from . import mail, resources
from .backend import Drop, Raw, Reply, Silence, Trickle
from .client import Client, ConnectionEnded, dot_stuffed
from .places import Timeout, until

CLEAN, INFECTED, UNKNOWN = "clean", "infected", "unknown"

# Kinds of sessions and how often each is.
SESSIONS = {"clean": 40, "several": 15, "infected": 15, "broken": 5, "huge": 8, "slow": 6, "vanishing": 10, "rude": 3, "deaf": 2}
ORDERS = ("error engine", "exit 7", "delay 30", "hang", "garbage", "wrong-id", "silent-close")
BROKEN_ENDS = (b"a\nb\r\n", b"a\rb\r\n", b"a\0b\r\n", b"a\n.\nb\r\n", b"a\r\n.\nb\r\n")


def two_engines(database, timeout):
    """libclamav, and the test engine behind it."""
    return (f'antivirus "antivirus1" {{\n  clamav "clamav1" {{ database = "{database}" action = reject error_code = 451 timeout = {timeout} }}\n'
            f'  fake "fake1" {{ action = reject error_code = 451 timeout = {timeout} }}\n}}\n')


def digest_of(content):
    return hashlib.sha256(content).digest()


class Entry:
    """One message that a client sent. CODE: of its final reply; GONE: nobody waits for that any more, the client left or was cut off."""

    def __init__(self, content, kind):
        self.digest, self.size, self.kind = digest_of(content), len(content), kind
        self.code, self.gone = None, False


class Tally:
    """What clients sent and were told, for many thousand messages: L1 to L3 in one pass over them."""

    def __init__(self):
        self.entries = []
        self.lock = threading.Lock()

    def attempt(self, content, kind=CLEAN):
        entry = Entry(content, kind)
        with self.lock:
            self.entries.append(entry)
        return entry

    def send(self, deliver, content, kind=CLEAN):
        """DELIVER(content) → Reply; the reply, written down."""
        entry = self.attempt(content, kind)
        reply = deliver(content)
        entry.code = reply.code
        return reply

    def count(self, test):
        with self.lock:
            return sum(1 for entry in self.entries if test(entry))

    def check(self, mails, explained):
        """MAILS that backends completed; EXPLAINED: how many of them the client may not know of."""
        held, faults, unknown = defaultdict(list), [], 0
        for completed in mails:
            held[digest_of(completed.content)].append(completed)
        for number, entry in enumerate(self.entries):
            copies = held.pop(entry.digest, [])
            told_ok = entry.code is not None and entry.code // 100 == 2
            if told_ok and not any(copy.accepted for copy in copies):
                faults.append(f"L1: message {number} was told {entry.code}, and no backend holds its octets")
            if entry.kind != CLEAN and copies:
                faults.append(f"L2: message {number} is {entry.kind}, and a backend completed it")
            if len(copies) > 1:
                faults.append(f"L3: message {number} is {len(copies)} times at the backends")
            if not told_ok and not entry.gone:
                unknown += any(copy.accepted or copy.code is None for copy in copies)
        if held:
            faults.append(f"L1: {len(held)} mails at the backends that no client sent")
        if unknown > explained:
            faults.append(f"L3: {unknown} mails may stand at the backends without a 2xx to the client; {explained} are explained")
        assert not faults, "\n".join(faults[:20])


class Load:
    """CLIENTS threads against POSTERN. FAULTS: whether anything but the client itself may go wrong; else each reply must be exact."""

    def __init__(self, postern, backends, scale, clients, faults):
        self.postern, self.backends, self.scale, self.clients, self.faults = postern, backends, scale, clients, faults
        self.lock = threading.Lock()
        self.epochs = 0
        self.found = []  # what was not as promised
        self._begin_epoch()

    def _begin_epoch(self):
        self.tally, self.kills = Tally(), {}
        self.cut_off = 0  # clients whose connection ended without a word
        self.over = threading.Event()

    # --- what clients do ---

    def found_fault(self, text):
        with self.lock:
            self.found.append(text)

    def allowed(self, code, expected):
        """Trouble is temporary, and only where there was some."""
        return code == expected or (self.faults and code // 100 == 4)

    def envelope(self, client, rng):
        """354 when the body may be sent, else the code that stood in the way."""
        sender = f"sender{rng.randrange(1000)}@client.test"
        for line, expected in ((f"MAIL FROM:<{sender}>", 250), ("RCPT TO:<b@y.test>", 250), ("DATA", 354)):
            code = client.command(line).code
            if code != expected:
                if not self.allowed(code, expected):
                    self.found_fault(f"L4: {line} was answered {code}")
                break
        return code

    def attempt(self, content, kind):
        with self.lock:
            self.scale.count("mails")
        return self.tally.attempt(content, kind)

    def transaction(self, client, rng, content, kind, expected, pieces=1):
        """One mail up to its reply; false: the session is over."""
        code = self.envelope(client, rng)
        if code != 354:
            return code != 421 and client.command("RSET").code == 250
        entry, wire = self.attempt(content, kind), dot_stuffed(content)
        try:
            for at in range(pieces):
                client.send(wire[len(wire) * at // pieces:len(wire) * (at + 1) // pieces])
                if pieces > 1:
                    self.over.wait(0.01)  # the client is slow
            reply = client.reply()
        except (ConnectionEnded, OSError):
            entry.gone = True
            raise
        entry.code = reply.code
        if not self.allowed(reply.code, expected):
            self.found_fault(f"L4: {kind} mail was answered {reply}, expected {expected}")
        return reply.code != 421

    def clean(self, client, rng):
        return self.transaction(client, rng, mail.of_size(rng.randrange(400, 40_000)), CLEAN, 250)

    def several(self, client, rng):
        return all(self.clean(client, rng) for _ in range(rng.randrange(2, 6)))

    def infected(self, client, rng):
        payload = rng.choice([mail.test_virus(), mail.in_zip(mail.test_virus()), mail.PAYLOAD])
        return self.transaction(client, rng, mail.with_attachment(payload), INFECTED, 550)

    def broken(self, client, rng):
        """Line ends that are none; or, with faults, an order to the test engine to fail."""
        if self.faults and rng.random() < 0.5:
            order = rng.choice(ORDERS)
            kind, expected = (CLEAN, 250) if order.startswith("delay") else (UNKNOWN, 451)
            return self.transaction(client, rng, mail.fake_order(order), kind, expected)
        return self.transaction(client, rng, mail.plain(rng.choice(BROKEN_ENDS)), UNKNOWN, 550)

    def huge(self, client, rng):
        return self.transaction(client, rng, mail.of_size(rng.randrange(200_000, 3_000_000)), CLEAN, 250)

    def slow(self, client, rng):
        return self.transaction(client, rng, mail.of_size(rng.randrange(400, 4000)), CLEAN, 250, pieces=rng.randrange(10, 40))

    def vanishing(self, client, rng):
        """Leaves at some octet of its message, or right behind it."""
        kind = rng.choice([CLEAN, INFECTED])
        content = mail.with_attachment(mail.test_virus()) if kind == INFECTED else mail.of_size(rng.randrange(400, 300_000))
        if self.envelope(client, rng) == 354:
            wire = dot_stuffed(content)
            self.attempt(content, kind).gone = True
            client.send(wire[:rng.choice([rng.randrange(len(wire)), len(wire)])])
        client.reset() if rng.random() < 0.5 else client.close()
        return False

    def rude(self, client, rng):
        """Waits for nothing: the whole session in one write."""
        content = mail.plain()
        entry = self.attempt(content, CLEAN)
        client.send(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n" + dot_stuffed(content) + b"QUIT\r\n")
        codes = []
        try:
            codes += [client.reply().code for _ in range(3)]
            if codes == [250, 250, 354]:
                codes.append(client.reply().code)
                entry.code = codes[3]
        except (ConnectionEnded, OSError):
            entry.gone = True
            raise
        # Where DATA was refused, the message was read as commands: nobody took it, and what came of them does not matter.
        for code, expected in zip(codes, (250, 250, 354, 250)):
            if not self.allowed(code, expected) and not (self.faults and code in (500, 503, 554)):
                self.found_fault(f"a client that waits for nothing was answered {codes}")
        return False

    @staticmethod
    def deaf(client, rng):
        """Asks and never reads an answer."""
        client.send(b"HELP\r\n" * rng.randrange(1, 90))
        client.reset()
        return False

    def session(self, kind, rng):
        ended = False
        try:
            with Client(self.postern.port, timeout=120, greet=False) as client:
                greeting = client.reply()
                if greeting.code == 220 and client.command("EHLO client.test").code == 250:
                    if getattr(self, kind)(client, rng):
                        client.command("QUIT", 221)
                elif not self.allowed(greeting.code, 220):
                    self.found_fault(f"greeted with {greeting}")
            ended = True
        except Timeout as error:
            self.found_fault(f"a {kind} client: {error}")
        except (ConnectionEnded, OSError):
            with self.lock:
                self.cut_off += 1
        with self.lock:
            self.scale.count("sessions")
            self.scale.count("sessions cut off", 0 if ended else 1)

    def client_thread(self, number):
        rng = self.scale.random("client", self.epochs, number)
        try:
            while not self.over.is_set():
                self.session(rng.choices(list(SESSIONS), list(SESSIONS.values()))[0], rng)
        except Exception as error:  # pylint: disable=broad-except
            self.found_fault(f"the load itself: {error!r}")

    # --- what goes wrong meanwhile ---

    def misbehave(self, rng):
        """A backend does something it should not, once or a few times."""
        stage = rng.choice(["connect", "greeting", "ehlo", "mail", "rcpt", "data", "body", "dot", "rset"])
        actions = [Drop(), Drop(reset=True)]
        if stage in ("mail", "rcpt", "data", "dot"):
            actions += [Reply(451, "4.3.0 not now"), Reply(421, "4.3.2 not today"), Raw(b"\xff\0 what\r\n"), Silence()]
        if stage in ("mail", "rcpt", "dot"):
            actions.append(Trickle(b"250 2.0.0 slowly\r\n", 0.01))
        rng.choice(self.backends).on(stage, rng.choice(actions), times=rng.randrange(1, 4))

    def kill(self, rng):
        """A process of postern ends; what the supervisor or the scan host makes of it is theirs."""
        who = rng.choices(["worker", "stopped worker", "scan host", "edge", "hang up"], [6, 1, 2, 1, 2])[0]
        if who in ("edge", "scan host") and self.kills.get(who, 0) >= 3:
            return  # each one makes the pause before the next start longer
        try:
            if who == "hang up":
                os.kill(self.postern.supervisor_pid(), signal.SIGHUP)
            elif who in ("edge", "scan host"):
                os.kill(self.postern.edge_pid() if who == "edge" else self.postern.scan_host_pid(), signal.SIGKILL)
            else:
                workers = self.postern.worker_pids()
                if not workers:
                    return
                os.kill(rng.choice(workers), signal.SIGSTOP if who == "stopped worker" else signal.SIGKILL)
        except (AssertionError, OSError):
            return  # it is just being started again
        self.kills[who] = self.kills.get(who, 0) + 1
        self.scale.count(f"times {who} killed" if who != "hang up" else "SIGHUP")

    def wound(self, rng, kills):
        """Until the epoch is over."""
        while not self.over.wait(rng.uniform(0.05, 1.0)):
            draw = rng.random()
            if draw < 0.6:
                self.misbehave(rng)
                self.scale.count("faults of the backend")
            elif draw < 0.7:
                rng.choice(self.backends).break_connections()
            elif draw < 0.8:
                down = rng.choice(self.backends)
                down.stop()
                self.over.wait(rng.uniform(0.05, 1.0))
                down.start()
                self.scale.count("times a backend was down")
            elif kills:
                self.kill(rng)

    # --- epochs ---

    def run_epoch(self, seconds, kills=False):
        """SECONDS of load, then rest and all checks."""
        self._begin_epoch()
        threads = [threading.Thread(target=self.client_thread, args=(number,), daemon=True) for number in range(self.clients)]
        if self.faults:
            threads.append(threading.Thread(target=self.wound, args=(self.scale.random("faults", self.epochs), kills), daemon=True))
        for thread in threads:
            thread.start()
        time.sleep(seconds)  # this is how long the load lasts; nothing is waited for
        self.over.set()
        for thread in threads:
            thread.join(180)
            assert not thread.is_alive(), "a client is stuck"
        self.epochs += 1
        self.scale.count("epochs")
        self.come_to_rest()
        self.check()

    def come_to_rest(self):
        for backend in self.backends:
            backend.forget()
        begin = time.monotonic()

        def flows():
            content = mail.plain()
            entry = self.tally.attempt(content)
            try:
                with Client(self.postern.port) as client:
                    client.ehlo()
                    entry.code = client.message(content).code
                    return entry.code == 250
            except (OSError, AssertionError):
                entry.gone = True
                return False
        until(flows, "L6: mail flows again", 60, interval=0.1)
        recovery = time.monotonic() - begin
        self.scale.facts["s longest recovery"] = round(max(recovery, self.scale.facts.get("s longest recovery", 0)), 1)
        log = self.postern.log
        if not self.kills.get("edge"):
            until(lambda: len(log.find("connect")) == len(log.find("close")), "every session has its line", 60)
        for backend in self.backends:
            backend.wait_until(lambda b=backend: all(s.over.is_set() or not s.in_body for s in b.sessions), "no message under way", 60)

    def check(self):
        assert not self.found, "\n".join(self.found[:10])
        edge_kills = self.kills.get("edge", 0)
        assert self.faults or not self.cut_off, f"{self.cut_off} clients were cut off"
        assert edge_kills or not self.cut_off, f"{self.cut_off} clients were cut off, but the edge was not killed"
        log = self.postern.log
        # A client has its 451, and the edge is killed before it wrote the line: at most once for each loop.
        self.tally.check([m for backend in self.backends for m in backend.mails], len(log.find("outcome-unknown")) + edge_kills * self.loops())
        if not edge_kills:
            lines, answered = len(log.find("message")), self.tally.count(lambda entry: entry.code)
            assert lines >= answered, f"L8: {answered} mails were answered, the log has {lines} lines of messages"
        ends = len(log.find("child-exit"))
        assert ends <= edge_kills + self.kills.get("scan host", 0), f"{ends} processes ended, killed were {self.kills}"
        self.postern.check_no_sanitizer_report()
        self.forget()

    def loops(self):
        return int(self.postern.configuration.top.get("event_loops", 1)) or os.cpu_count()

    def forget(self):
        """What was checked is not kept: a long load must not fill our own memory."""
        for backend in self.backends:
            with backend.condition:
                backend.mails.clear()
                backend.sessions = [s for s in backend.sessions if not s.over.is_set()]
                for session in backend.sessions:
                    session.commands.clear()
                    session.received.clear()
        self.postern.log.forget()
        self._begin_epoch()


def run(load, scale, epoch, kills=False):
    """Epochs until the time is over, with nothing more held at their ends than before the first; the memory behind each."""
    load.come_to_rest()
    load.check()
    before = resources.at_rest(load.postern)
    memory = []
    scale.restart()
    while not memory or scale.left() > 0:
        load.run_epoch(min(epoch, max(1, scale.left())), kills)
        resources.assert_back(load.postern, before)
        memory.append(resources.resident(load.postern))
    return memory
