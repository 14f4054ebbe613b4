# SPDX-License-Identifier: MIT
"""One running postern: a generated configuration, its log as events, its processes, and the checks of a clean end."""
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from . import processes
from .book import BYSTANDER, Book
from .places import BUILD, PATIENCE, SOON, WRAP, Timeout, free_port, until

HOSTNAME = "gw.example.org"
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|LeakSanitizer|runtime error:|AddressSanitizer:DEADLYSIGNAL|^==\d+== \S")
SCANNERS = (["postern-avscan"], ["postern-runner"])  # how scanner programs are called (argv[0]), whatever they are
FAMILY = ("supervisor", "edge", "scan")  # what ends with the supervisor
# Loading the small test database and starting the workers, with sanitizers on two busy processors.
READY = 60.0 * PATIENCE


def clamav_stanza(database, **options):
    values = {"database": f'"{database}"', "action": "reject", "error_code": 451, "timeout": "20s", **options}
    inner = "\n".join(f"    {key} = {value}" for key, value in values.items())
    return f'antivirus "antivirus1" {{\n  clamav "clamav1" {{\n{inner}\n  }}\n}}\n'


def fake_stanza(**options):
    """The test engine, which does what a line of the message says: mail.fake_order."""
    values = {"action": "reject", "error_code": 451, "timeout": "20s", **options}
    inner = "\n".join(f"    {key} = {value}" for key, value in values.items())
    return f'antivirus "antivirus1" {{\n  fake "fake1" {{\n{inner}\n  }}\n}}\n'


def csapi_stanza(**options):
    values = {"max_concurrency": 1, "timeout": "20s", **options}
    inner = " ".join(f"{key} = {value}" if isinstance(value, int) else f'{key} = "{value}"' for key, value in values.items())
    return f'antivirus {{ csapi "csapi1" {{ {inner} }} }}\n'


def engine(kind, name, addresses=(), **options):
    """An engine's scope; ADDRESSES of its daemons, one or a list."""
    if addresses:
        several = isinstance(addresses, (list, tuple))
        options["daemon"] = "( " + " ".join(f'"{a}"' for a in addresses) + " )" if several else f'"{addresses}"'
    return f'{kind} "{name}" {{ ' + " ".join(f"{key} = {value}" for key, value in {"timeout": "20s", **options}.items()) + " }\n"


def asking_daemons(*engines, workers=1, pool=""):
    """These engines, and so many workers that ask for them."""
    return f'ThreadPool "IO" {{ Concurrency = {workers} {pool} }}\nantivirus {{ {"".join(engines)} }}\n'


def clamd_stanza(addresses, workers=1, name="clamd1", **options):
    return asking_daemons(engine("clamav", name, addresses, **options), workers=workers)


class Configuration:
    """Text of a configuration. Options of every level are keyword dictionaries, so that a test states only what it is about."""

    def __init__(self, *, backend_port, listen_port, spool, quarantine, engines, top=None, listener=None, backend=None, pool=None,
                 backend_host="127.0.0.1"):
        self.top = {"hostname": f'"{HOSTNAME}"', "spoolbase": f'"{spool}"', "quarantine_directory": f'"{quarantine}"', "log": '"stderr"', "log_format": "json",
                    "log_level": "debug", "event_loops": 1, "drain_timeout": "10s", **(top or {})}
        self.listener = {"client_timeout": "30s", "data_timeout": "30s", **(listener or {})}
        self.backend = {"connect_timeout": "5s", "greeting_timeout": "5s", "command_timeout": "5s", "data_init_timeout": "5s",
                        "data_block_timeout": "5s", "data_done_timeout": "10s", **(backend or {})}
        self.pool = {"Concurrency": 2, **(pool or {})}
        self.backend_port, self.listen_port, self.engines = backend_port, listen_port, engines
        self.backend_host = backend_host

    def text(self):
        def lines(options):
            return "".join(f"  {key} = {value}\n" for key, value in options.items())
        return (lines(self.top)
                + f'ESMTP_Listener {{\n{lines(self.listener)}  Listen "127.0.0.1:{self.listen_port}" {{ }}\n}}\n'
                + f'Backend {{\n{lines(self.backend)}  Server "{self.backend_host}:{self.backend_port}" {{ }}\n}}\n'
                + f'ThreadPool "CPU" {{\n{lines(self.pool)}}}\n' + self.engines)


class Log:
    """postern's stderr: JSON lines become events, everything else is kept as noise (where sanitizers report). EVENTS is without those of
    bystanders, which come and go as the harness likes; EVERYTHING is with them."""

    def __init__(self, stream):
        self.condition = threading.Condition()
        self.events, self.everything, self.noise, self.lines = [], [], [], []
        self.ended = False
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        for raw in stream:
            line = raw.decode("utf-8", "backslashreplace").rstrip("\n")
            event = self.parse(line)
            with self.condition:
                self.lines.append(line)
                self.everything += event
                self.events += [e for e in event if not e.get("client", "").startswith(BYSTANDER + ":")]
                self.noise += [] if event else [line]
                self.condition.notify_all()
        with self.condition:
            self.ended = True
            self.condition.notify_all()

    @staticmethod
    def parse(text):
        """The events in lines of JSON; other lines are none. A sanitizer writes its report in pieces on the same pipe, so an event may stand behind one."""
        events = []
        for line in text.splitlines():
            try:
                event = json.loads(line[max(line.find('{"time":'), 0):])
            except ValueError:
                continue
            events += [event] if isinstance(event, dict) and "event" in event else []
        return events

    @staticmethod
    def _matches(event, name, fields):
        return event["event"] == name and all(event.get(key) == value for key, value in fields.items())

    def find(self, name, **fields):
        with self.condition:
            return [e for e in self.events if self._matches(e, name, fields)]

    def mark(self):
        """A place in the log; wait_for(…, since=mark) looks only behind it."""
        with self.condition:
            return len(self.events)

    def wait_for(self, name, timeout=SOON, count=1, since=0, **fields):
        """The COUNT-th event NAME with these FIELDS, now or within TIMEOUT."""
        deadline = time.monotonic() + timeout
        with self.condition:
            while True:
                found = [e for e in self.events[since:] if self._matches(e, name, fields)]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    why = "the log ended" if self.ended else f"not after {timeout} s"
                    raise Timeout(f"{why}: event {name} {fields or ''} number {count}; the log:\n" + self.tail())
                self.condition.wait(left)

    def forget(self):
        """For Book.forget: drops the events so far, and with them the meaning of earlier marks; what was no event is kept."""
        with self.condition:
            self.events.clear()
            self.everything.clear()
            self.lines.clear()

    def tail(self, count=60):
        return "\n".join(self.lines[-count:])


class Postern:
    def __init__(self, directory, *, backend_port, engines, build=BUILD, spool=None, limits=None, streams=True, **options):
        """STREAMS False: it starts without standard input, output and error, so that there is no log where that is the last."""
        self.directory = Path(directory)
        self.build = Path(build)
        self.program = self.build / "bin/postern"
        self.port = free_port()
        if spool is None:
            spool = self.directory / "spool"
            spool.mkdir(exist_ok=True)
            spool.chmod(0o1777)
        self.spool = Path(spool)
        self.quarantine = Path(f"{self.spool}-quarantine")  # made by the program, where it is used
        self.temporary = self.directory / "tmp"  # as TMPDIR, so that a killed postern leaves nothing behind in /tmp
        self.temporary.mkdir(exist_ok=True)
        self.temporary.chmod(0o1777)
        self.configuration = Configuration(backend_port=backend_port, listen_port=self.port, spool=self.spool,
                                           quarantine=self.quarantine, engines=engines, **options)
        self.path = self.directory / "postern.conf"
        self.process = self.log = self.book = None
        self.terminated = self.end_wanted = False
        self.limits, self.streams = limits, streams
        self.reports_expected = False  # True: workers crash on purpose, and their sanitizer says so

    # --- life ---

    def start(self, wait_ready=True):
        if self.process:
            self.finish()  # what was before is over, and its log and its book are about to go
        self.terminated = self.end_wanted = False
        self.path.write_text(self.configuration.text())
        without = [] if self.streams else ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
        self.process = subprocess.Popen([*without, *WRAP, self.program, "--config", self.path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, start_new_session=True, preexec_fn=self.limits, cwd="/",
                                        env={"TMPDIR": str(self.temporary), **os.environ})
        # What a reader does not take in time is lost, and ours shares one interpreter with all clients and backends of the test.
        fcntl.fcntl(self.process.stderr, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.log = Log(self.process.stderr)
        self.book = Book(self)
        if wait_ready:
            self.wait_ready()
        return self

    def wait_ready(self):
        self.log.wait_for("ready", timeout=READY)
        self.book.begin()

    def terminate(self):
        """A second time: everything ends at once."""
        if self.terminated:
            self.book.killed.update(FAMILY)
        self.terminated = True
        self.process.send_signal(signal.SIGTERM)

    def stop(self, timeout=SOON):
        """SIGTERM unless it was told to end before, then everything a clean end consists of: status 0, nobody left, no sanitizer
        report, empty spool, no temporary files, no broken promise."""
        self.book.look_before_the_end()
        family = [processes.Watched(pid) for pid in processes.descendants(self.process.pid)]
        if not self.terminated:  # a second signal would mean: at once
            self.terminate()
        try:
            status = processes.ended(self.process, timeout)
        except Timeout:
            raise Timeout(f"postern still runs {timeout} s after SIGTERM; the log:\n" + self.log.tail()) from None
        for member in family:
            member.wait_gone(5)
        self.log.thread.join(5)
        assert status == 0, f"postern ended with status {status}, expected 0; the log:\n{self.log.tail()}"
        self.check_end()
        assert list(self.temporary.iterdir()) == [], "a temporary directory is left"
        self.book.check()

    def ends_with(self, status, timeout=READY):
        """It ends by itself with STATUS, as the test wants: waits for that, and for the last of its log."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Timeout(f"postern still runs, and was to end with status {status} within {timeout} s; the log:\n" + self.log.tail()) from None
        self.end_wanted = True
        self.log.thread.join(5)
        assert self.process.returncode == status, f"postern ended with status {self.process.returncode}, expected {status}; the log:\n{self.log.tail()}"
        self.check_end()

    def check_end(self):
        """It has ended. However that came: the test wanted it, no sanitizer reports anything, the spool is empty."""
        self.log.thread.join(5)
        status, killed = self.process.wait(SOON), "supervisor" in self.book.killed
        assert self.terminated or killed or self.end_wanted, f"postern ended by itself, with status {status}; the log:\n{self.log.tail()}"
        assert status == 0 or killed or self.end_wanted, f"postern ended with status {status}, expected 0; the log:\n{self.log.tail()}"
        if not self.reports_expected:
            self.check_no_sanitizer_report()
        self.check_nothing_in_spool()

    def finish(self):
        """For fixtures, at the end of a test that passed: mail passes, nothing is left, no promise is broken. Where it has ended before, that
        must have been the test's doing: stop(), terminate(), hurt("supervisor"), kill() or ends_with()."""
        if self.process.poll() is None:
            self.book.recover()
            self.stop()
        else:
            self.check_end()
        self.book.check()

    def hurt(self, who, number=signal.SIGKILL, choose=lambda workers: workers[0]):
        """Sends a signal to the supervisor, the edge, the scan host ("scan") or a worker; the book knows that the test did it."""
        find = {"supervisor": self.supervisor_pid, "edge": self.edge_pid, "scan": self.scan_host_pid, "worker": lambda: choose(self.wait_workers(1))}
        pid = find[who]()
        self.book.killed.update(FAMILY if who == "supervisor" else [who])
        os.kill(pid, number)
        return pid

    def kill(self):
        """For fixtures: whatever happened before, nothing is left running."""
        if self.process is None:
            return
        family = processes.descendants(self.process.pid)
        if self.process.poll() is None:
            self.book.killed.update(FAMILY)
            self.process.kill()
        self.process.wait()
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.log.thread.join(5)
        if self.log.thread.is_alive():  # closing would wait for the reader, and he for whoever holds the other end
            for pid in processes.holders(self.process.stderr.fileno()):
                print(f"killed: {pid}, which postern left: {processes.command_line(pid)}")
                os.kill(pid, signal.SIGKILL)
            self.log.thread.join(SOON)
        self.process.stderr.close()

    def check_no_sanitizer_report(self):
        reports = [line for line in self.log.noise if SANITIZER.search(line)]
        assert not reports, "sanitizer report:\n" + "\n".join(self.log.noise[-80:])

    def spool_files(self):
        return [path for path in self.spool.rglob("*") if not path.is_dir()]

    def check_nothing_in_spool(self):
        assert self.spool_files() == [], "files are left in the spool"

    # --- processes ---

    def supervisor_pid(self):
        return self.process.pid

    def edge_pid(self):
        """The process with the sockets; fails when there is not exactly one."""
        found = [pid for pid in processes.children(self.process.pid) if "--role" in processes.command_line(pid)]
        assert len(found) == 1, f"{len(found)} edge processes, expected 1"
        return found[0]

    def scan_host_pid(self, pool="CPU"):
        for pid in processes.children(self.process.pid):
            arguments = processes.command_line(pid)
            if "--pool" in arguments and arguments[arguments.index("--pool") + 1] == pool:
                return pid
        raise AssertionError(f"no scan host of pool {pool}")

    def worker_pids(self, pool="CPU"):
        return [pid for pid in processes.children(self.scan_host_pid(pool)) if processes.command_line(pid)[:1] not in SCANNERS]

    def scanner_pids(self, pool="CPU"):
        """Programs behind an engine csapi or command."""
        return [pid for pid in processes.children(self.scan_host_pid(pool)) if processes.command_line(pid)[:1] in SCANNERS]

    def wait_workers(self, count, pool="CPU"):
        return until(lambda: len(self.worker_pids(pool)) >= count and self.worker_pids(pool), f"{count} workers in pool {pool}")

    # --- one-shot commands ---

    def run(self, *arguments, timeout=SOON):
        """The program with ARGUMENTS, to its end."""
        return subprocess.run([*WRAP, self.program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                              check=False)

    def check(self):
        self.path.write_text(self.configuration.text())
        return self.run("--check", "--config", self.path)


def message_event(postern, **fields):
    """The one log line of a message."""
    return postern.log.wait_for("message", **fields)


def make_database(directory, signatures):
    """A signature directory that every user can read; SIGNATURES: file name → text."""
    path = Path(directory)
    path.mkdir(exist_ok=True)
    path.chmod(0o755)
    for name, text in signatures.items():
        (path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        (path / name).chmod(0o644)
    return path


def copy_test_database(directory, root):
    path = Path(directory)
    shutil.copytree(root / "deploy/demo-signatures", path)
    path.chmod(0o755)
    for entry in path.iterdir():
        entry.chmod(0o644)
    return path
