# SPDX-License-Identifier: MIT
"""The book of one run of a postern: who talked to it, what its backends hold, what the test killed. Clients and backends are found by
their ports, so that no test has to write anything down. It is checked when the run ends (ledger.faults).
"""
import hashlib
import re
import threading
import time
import weakref
from collections import Counter
from pathlib import Path

from . import mail, processes
from .ledger import Evidence, edge_runs_after, faults
from .places import SOON, Timeout, is_root, until
from .talk import Talk
from .truth import Truth

BYSTANDER = "127.0.0.9"  # its lines in the log are put aside, so that no test sees them
BYSTANDERS = 3           # for each run
books, backends = weakref.WeakValueDictionary(), weakref.WeakValueDictionary()  # by port
_lock = threading.Lock()


def talk_with(port, client=None):
    """A record for a client that talks to PORT from the address CLIENT (None: not known)."""
    with _lock:
        book = books.get(port)
    talk = Talk(client, book and book.truth.judge)
    if book:
        book.begin()
        book.talks.append(talk)
    return talk


def send_bystanders(port=None, backend=None, during=""):
    """Somebody else turns to the posterns at PORT, or in front of BACKEND, while something is going on."""
    with _lock:
        concerned = [book for at, book in list(books.items()) if port == at or backend in book.backends]
    for book in concerned:
        book.send_bystander(during)


def octets_of(text):
    """Those that a message may have by the configuration TEXT: more of them may be refused."""
    found = re.findall(r"(?i)\bmax_message_size = (\d+)([KMGT]?)", text)
    return min((int(number) << " KMGT".index(unit.upper() or " ") * 10 for number, unit in found), default=100 << 20)


class Book:
    """POSTERN has .port, .process, .log, .configuration, .terminated and edge_pid(); backends have recover() and resume(). What is written down are digests: a book has room for
    the messages of a long load."""

    def __init__(self, postern):
        self.postern = postern
        text = postern.configuration.text()
        self.servers = {int(port) for port in re.findall(r'Server "[^"]*:(\d+)"', text)}
        found = dict.fromkeys(backends.get(port) for port in self.servers)  # one may be behind several ports
        self.backends = [backend for backend in found if backend]
        self.truth = Truth(text)
        self.demanded = {int(code) for part in re.findall(r"\berror_code = \d+|\breason_codes\b[^]]*", text) for code in re.findall(r"= (\d+)", part)}
        self.most = octets_of(text)
        self.greets_late = "greet_after_backend = true" in text
        self.quarantine = next(iter(re.findall(r'\bquarantine_directory = "(/[^"]+)"', text)), None)
        self.log_file = next(iter(re.findall(r'\blog = "(/[^"]+)"', text)), None)
        self.excuses, self.killed = {}, Counter()
        self.was_ready = False  # and the line that says so is forgotten
        self.edge_runs = False  # by the lines before this page
        self.edge = self.baseline = None
        # One edge; a scan host for each pool that has engines, and its workers; the scanner programs of csapi and command.
        self.family = 1 + sum(1 + int(count) for count in re.findall(r"\bConcurrency = (\d+)", text))
        self.family += len(re.findall(r'\bcsapi "', text)) + sum(map(int, re.findall(r"\bmax_concurrency = (\d+)", text)))
        for backend in self.backends:
            backend.books.append(self)
        with _lock:
            books[postern.port] = self
        self.turn_page()
        self.edge_runs = False  # a log file may have lines of runs before this one

    def turn_page(self):
        """Everything so far is checked; from here on anew."""
        self.talks, self.bystanders, self.recovered, self.left = [], [], None, []
        self.looked = False  # for what is left
        self.held_before = [len(backend.completed) for backend in self.backends]
        self.said_before = [Counter(backend.said) for backend in self.backends]
        before = self.all_events() if self.postern.log else []
        self.log_before, self.edge_runs = len(before), edge_runs_after(before, self.edge_runs)
        self.checked = False

    def forget(self):
        """For long loads, when no session is open: checks what was so far, then drops it, with the log and what scripted backends hold."""
        self.settle()
        self.check()
        for backend in self.backends:
            backend.forget_mails()
            if backend.books == [self]:
                backend.completed.clear()
        self.was_ready = self.is_serving()
        self.edge_runs = edge_runs_after(self.page(), self.edge_runs)
        self.postern.log.forget()
        self.killed.clear()
        self.turn_page()

    def excuse(self, *promises, because):
        """The test breaks these promises by its nature. Loss and leaks have no excuse."""
        assert because and not {"L1", "L2"} & set(promises), "loss and leaks have no excuse, and every other has a reason"
        self.excuses.update(dict.fromkeys(promises, because))

    # --- a run ---

    def is_serving(self):
        postern = self.postern
        return postern.process.poll() is None and not postern.terminated and (self.was_ready or bool(self.events("ready")))

    def all_events(self):
        log = self.postern.log
        if not self.log_file:
            with log.condition:
                return log.everything[:]
        path = Path(self.log_file)
        return log.parse(path.read_text("utf-8", "backslashreplace")) if path.exists() else []

    def events(self, name=None):
        return [event for event in self.all_events() if name in (None, event["event"])]

    def page(self):
        return self.all_events()[self.log_before:]

    def begin(self):
        """It is ready, or was so before: what is open now is what shall be open in the end."""
        if not self.edge and self.is_serving():
            self.edge = self.postern.edge_pid()
            self.baseline = self.descriptors()

    def send_bystander(self, during):
        """A session from another address, without mail: greeting, EHLO, NOOP, QUIT."""
        if "L5" in self.excuses or self.greets_late or len(self.bystanders) >= BYSTANDERS or not self.is_serving():
            return
        note = [during, "it was not served to its end"]
        self.bystanders.append(note)
        edge = self.killed.copy()
        try:
            visit(self.postern.port)
            note[1] = None
        except (OSError, AssertionError) as failure:
            note[1] = repr(failure)
            # What was told to die is not always gone at once.
            if not self.is_serving() or edge != self.killed or "supervisor" in self.killed or self.events("stop"):
                self.bystanders.remove(note)  # it met the end of the program, which is another matter

    # --- its end ---

    def settle(self):
        """Every client leaves, every session has ended and is logged."""
        for talk in self.talks:
            if talk.connection:
                talk.connection.close()
        log = self.postern.log
        try:
            until(lambda: log.ended or not (self.open_sessions() or self.unread_sessions()), "every session has ended and is logged")
        except Timeout as late:
            raise Timeout(f"{late}; open: {self.open_sessions()}; greeted and not logged: {self.unread_sessions()}; the log:\n{log.tail()}") from None

    def open_sessions(self):
        opened = {}
        for event in self.all_events():
            if event["event"] == "connect":
                opened[event["session"]] = event["client"]
            elif event["event"] == "close":
                opened.pop(event["session"], None)
            elif event["event"] == "child-exit" and event.get("process") == "edge":
                opened.clear()
        return opened

    def unread_sessions(self):
        """Clients that were greeted and whose lines are still on their way to us."""
        if "L8" in self.excuses:
            return []
        greeted = Counter(talk.client for talk in self.talks if talk.client and talk.codes[:1] == [220])
        return list((greeted - Counter(event["client"] for event in self.page() if event["event"] == "connect")).elements())

    def recover(self):
        """The fault is over: scripts are forgotten, backends are back. A mail passes, and nothing is left of what was before."""
        if not self.is_serving():
            return
        self.settle()
        stopped = [backend for backend in self.backends if getattr(backend, "stopping", False)]
        try:
            recovered = all(backend.recover() for backend in self.backends)
            if not self.backends and "L6" not in self.excuses:
                self.recovered = "no backend is known to the harness, so nobody can tell whether mail passes: excuse L6"
            elif recovered and "L6" not in self.excuses:
                self.recovered = self.mail_passes()
            if "L7" not in self.excuses:
                self.left = self.leftovers()
            self.looked = True
        finally:
            for backend in stopped:
                backend.stop()
            for backend in self.backends:
                backend.resume()

    def look_before_the_end(self):
        """The test itself ends it, with nobody in it: what is left of what was before? No mail is sent, as the test counts what it has sent."""
        visited = any(talk.connection and talk.connection.socket.fileno() >= 0 for talk in self.talks)
        if self.is_serving() and not self.looked and not visited and "L7" not in self.excuses:
            self.left = self.leftovers()

    def mail_passes(self):
        deadline, said = time.monotonic() + 2 * SOON, "nothing"
        while time.monotonic() < deadline:
            try:
                reply = visit(self.postern.port, mail.plain(subject="after the fault"))
                if reply.code == 250:
                    return None
                said = repr(reply)
                if reply.code // 100 == 5:
                    break
            except (OSError, AssertionError) as failure:
                said = repr(failure)
            if not self.is_serving():
                return "it has ended"
            time.sleep(0.1)
        return f"no mail passes after the fault: {said}"

    def leftovers(self, patience=SOON):
        left = []

        def nothing(find, what):
            try:
                until(lambda: not find(), what, patience)
            except Timeout:
                left.append(f"{what}: {find()}")

        self.settle()
        nothing(self.postern.spool_files, "files in the spool")
        nothing(lambda: processes.zombies(self.postern.process.pid), "processes that nobody reaped")
        nothing(lambda: processes.descendants(self.postern.process.pid)[self.family:], "more processes than edge, scan hosts and workers")
        if self.edge and self.postern.edge_pid() == self.edge and self.baseline is not None:
            nothing(lambda: sorted((self.descriptors() - self.baseline).elements()), "descriptors of the edge beyond those at the beginning")
        return left

    def descriptors(self):
        """What the edge has open, by kind, without connections to backends: idle ones are kept for the next mail."""
        if not is_root():
            return None
        return processes.descriptors(self.postern.edge_pid(), self.servers)

    def entries(self):
        """Of quarantine: id → SHA-256 of the octets."""
        found = {}
        for meta in Path(self.quarantine).glob("*/*.json") if self.quarantine else ():
            content = meta.with_suffix(".eml")
            if content.exists():
                found[meta.stem] = hashlib.sha256(content.read_bytes()).hexdigest()
        return found

    def evidence(self):
        for talk in self.talks:
            talk.finish()
        held, said = [], Counter()
        for backend, held_before, said_before in zip(self.backends, self.held_before, self.said_before):
            held += backend.completed[held_before:]
            said += Counter(backend.said) - said_before
        others = {attempt.digest for backend in self.backends for book in backend.books if book is not self
                  for talk in book.talks for attempt in talk.attempts}
        text = self.postern.path.read_text()
        return Evidence(self.talks, others, held, said, self.page(), lambda attempt: attempt.truth,
                        lambda attempt: attempt.may_pass, self.demanded, self.bystanders, self.recovered, self.left, self.killed, self.entries(),
                        min(self.most, octets_of(text)), self.truth.lenient or Truth(text).lenient,
                        all(getattr(backend, "counts", True) for backend in self.backends), self.edge_runs)

    def check(self):
        """Raises AssertionError with every promise that was broken and has no excuse."""
        if self.checked:
            return
        self.checked = True
        found = faults(self.evidence(), self.excuses)
        assert not found, "broken promises:\n" + "\n".join(found) + "\nthe log:\n" + self.postern.log.tail()


def visit(port, content=None):
    """A bystander's session, with CONTENT as its mail; the reply to that."""
    from .client import Client  # which writes into this book, as everybody
    with Client(port, source=BYSTANDER) as client:
        if client.greeting.code != 220:
            raise AssertionError(f"greeted with {client.greeting}")
        client.ehlo("bystander.test")
        reply = client.message(content) if content else client.command("NOOP", 250)
        if reply.code != 421:
            client.quit()
        return reply
