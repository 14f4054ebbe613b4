# SPDX-License-Identifier: MIT
"""Load like that of a mail host on a bad day: clients of every kind at once, backends that misbehave now and then, processes that are
killed. What each client does is drawn from a generator of its own, so a seed repeats the load (not its timing).

Load is run in epochs. At the end of each everything comes to rest, and the book is checked (harness/book.py: L1 to L8) and begun anew. Here is only
what a load knows beyond that: what each kind of client must be told, and that all is given back.
"""
import os
import signal
import statistics
import threading
import time

from . import mail, resources
from .backend import Drop, Raw, Reply, Silence, Trickle
from .client import Client, ConnectionEnded, deliver, dot_stuffed
from .places import Timeout, until

# Kinds of sessions and how often each is.
SESSIONS = {"clean": 40, "several": 15, "infected": 15, "broken": 5, "huge": 8, "slow": 6, "vanishing": 10, "rude": 3, "deaf": 2}
# So long may anything take that mends itself (L6).
RECOVERY_S = 60
ORDERS = ("error engine", "exit 7", "delay 30", "hang", "garbage", "wrong-id", "silent-close")
BROKEN_ENDS = (b"a\nb\r\n", b"a\rb\r\n", b"a\0b\r\n", b"a\n.\nb\r\n", b"a\r\n.\nb\r\n")


def two_engines(database, timeout):
    """libclamav, and the test engine behind it."""
    return (f'antivirus "antivirus1" {{\n  clamav "clamav1" {{ database = "{database}" action = reject error_code = 451 timeout = {timeout} }}\n'
            f'  fake "fake1" {{ action = reject error_code = 451 timeout = {timeout} }}\n}}\n')


class Load:
    """CLIENTS threads against POSTERN. FAULTS: whether anything but the client itself may go wrong; else each reply must be exact."""

    def __init__(self, postern, backends, scale, clients, faults):
        self.postern, self.backends, self.scale, self.clients, self.faults = postern, backends, scale, clients, faults
        self.lock = threading.Lock()
        self.epochs = 0
        self.found = []  # what was not as promised
        self.vacant = []  # ms for which places of workers were empty that had ended
        self._begin_epoch()

    def _begin_epoch(self):
        self.kills = {}
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
                    self.found_fault(f"{line} was answered {code}")
                break
        return code

    def count(self, name, more=1):
        with self.lock:
            self.scale.count(name, more)

    def transaction(self, client, rng, content, expected, pieces=1):
        """One mail up to its reply; false: the session is over."""
        code = self.envelope(client, rng)
        if code != 354:
            return code != 421 and client.command("RSET").code == 250
        self.count("mails")
        wire = dot_stuffed(content)
        for at in range(pieces):
            client.send(wire[len(wire) * at // pieces:len(wire) * (at + 1) // pieces])
            if pieces > 1:
                self.over.wait(0.01)  # the client is slow
        reply = client.reply()
        if not self.allowed(reply.code, expected):
            self.found_fault(f"a mail of {len(content)} octets was answered {reply}, expected {expected}")
        return reply.code != 421

    def clean(self, client, rng):
        return self.transaction(client, rng, mail.of_size(rng.randrange(400, 40_000)), 250)

    def several(self, client, rng):
        return all(self.clean(client, rng) for _ in range(rng.randrange(2, 6)))

    def infected(self, client, rng):
        payload = rng.choice([mail.test_virus(), mail.in_zip(mail.test_virus()), mail.PAYLOAD])
        return self.transaction(client, rng, mail.with_attachment(payload), 550)

    def broken(self, client, rng):
        """Line ends that are none; or, with faults, an order to the test engine to fail."""
        if self.faults and rng.random() < 0.5:
            order = rng.choice(ORDERS)
            return self.transaction(client, rng, mail.fake_order(order), 250 if order.startswith("delay") else 451)
        return self.transaction(client, rng, mail.plain(rng.choice(BROKEN_ENDS)), 550)

    def huge(self, client, rng):
        return self.transaction(client, rng, mail.of_size(rng.randrange(200_000, 3_000_000)), 250)

    def slow(self, client, rng):
        return self.transaction(client, rng, mail.of_size(rng.randrange(400, 4000)), 250, pieces=rng.randrange(10, 40))

    def vanishing(self, client, rng):
        """Leaves at some octet of its message, or right behind it."""
        content = mail.with_attachment(mail.test_virus()) if rng.random() < 0.5 else mail.of_size(rng.randrange(400, 300_000))
        if self.envelope(client, rng) == 354:
            wire = dot_stuffed(content)
            self.count("mails")
            client.send(wire[:rng.choice([rng.randrange(len(wire)), len(wire)])])
        client.reset() if rng.random() < 0.5 else client.close()
        return False

    def rude(self, client, rng):
        """Waits for nothing: the whole session in one write."""
        content = mail.plain()
        self.count("mails")
        client.send(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n" + dot_stuffed(content) + b"QUIT\r\n")
        codes = [client.reply().code for _ in range(3)]
        if codes == [250, 250, 354]:
            codes.append(client.reply().code)
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
            elif who == "stopped worker":
                self.postern.hurt("worker", signal.SIGSTOP, choose=rng.choice)
            else:
                self.postern.hurt("scan" if who == "scan host" else who, choose=rng.choice)
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
            try:
                return deliver(self.postern.port, mail.plain()).code == 250
            except (OSError, AssertionError):
                return False
        until(flows, "L6: mail flows again", RECOVERY_S, interval=0.1)
        recovery = time.monotonic() - begin
        self.scale.facts["s longest recovery"] = round(max(recovery, self.scale.facts.get("s longest recovery", 0)), 1)
        for backend in self.backends:
            backend.wait_until(lambda b=backend: all(s.over.is_set() or not s.in_body for s in b.sessions), "no message under way", 60)

    def note_vacancies(self):
        """C13: the pool CPU replaces each worker that ended at once, whatever there is to scan. (log_level = debug tells of it.)"""
        born = self.postern.log.find("worker-born", pool="CPU")
        self.vacant += [float(event["vacant_ms"]) for event in born if "vacant_ms" in event]
        if not self.vacant:
            return
        self.scale.facts.update({"workers replaced": len(self.vacant), "ms a place was empty (median)": round(statistics.median(self.vacant), 1),
                                 "ms a place was empty (longest)": round(max(self.vacant), 1)})
        assert max(self.vacant) < RECOVERY_S * 1000, f"the place of a worker was empty for {max(self.vacant)} ms"

    def check(self):
        """And forgets what was checked: a long load must not fill our own memory."""
        self.note_vacancies()
        assert not self.found, "\n".join(self.found[:10])
        assert self.kills.get("edge") or not self.cut_off, f"{self.cut_off} clients were cut off, but the edge was not killed"
        self.postern.check_no_sanitizer_report()
        self.postern.book.forget()
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
