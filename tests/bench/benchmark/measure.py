# SPDX-License-Identifier: MIT
"""One run of one cell; rounds; idle sessions; shared pages. A cell is a size, a number of sessions, and whether connections are kept."""
import resource
import socket
import subprocess
import time
from dataclasses import dataclass, field, replace

from harness import processes
from harness.places import until

from . import account, programs
from .programs import HOST, WORKERS, Trouble

SENDER, RECIPIENT = "a@x.test", "b@y.test"


@dataclass(frozen=True)
class Cell:
    size: str
    sessions: int
    reuse: bool
    count: int

    def key(self):
        return (self.size, self.sessions, self.reuse)

    def with_count(self, count):
        return replace(self, count=count)

    def text(self):
        return f"{self.size}, {self.sessions} session{'s' if self.sessions > 1 else ''}, {'reused' if self.reuse else 'new'} connections"


@dataclass
class Run:
    """What one run of one path gave."""
    seconds: float  # until smtp-source had the last reply
    delivered: float  # until the sink had the last message
    cpu: dict = field(default_factory=dict)  # program → seconds
    foreign: float = 0.0  # CPU seconds of the machine that none of ours used
    count: int = 0  # messages, as many as the path takes in RUN_SECONDS of the run


def smtp_source(path, mail, cell):
    arguments = [programs.postfix_tool("smtp-source"), "-4", "-s", cell.sessions, "-m", cell.count, "-f", SENDER, "-t", RECIPIENT, "-M", "client.test",
                 "-F", mail.source]
    if cell.reuse:
        arguments.append("-d")
    return [str(a) for a in arguments] + [f"{HOST}:{path.port}"]


def run_path(path, sink, mail, cell, timeout):
    """Sends CELL.count messages through PATH. All must arrive at the sink, else it is not a measurement but an error."""
    groups = {"smtp-sink": sink.pid(), **path.groups()}
    before = {name: account.cpu_seconds(account.family(pid)) for name, pid in groups.items()}
    arrived = sink.count()
    busy = account.machine_busy_seconds()
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    try:
        done = subprocess.run(smtp_source(path, mail, cell), env=programs.postfix_environment(), capture_output=True, text=True, timeout=timeout,
                              check=False)
    except subprocess.TimeoutExpired:
        raise Trouble(f"{path.name}, {cell.text()}: not done after {timeout} s") from None
    seconds = time.monotonic() - start
    if done.returncode != 0:
        raise Trouble(f"{path.name}, {cell.text()}: smtp-source ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
    until(lambda: sink.count() - arrived >= cell.count, f"{path.name}, {cell.text()}: {cell.count} messages at the sink", timeout, interval=0.002)
    delivered = time.monotonic() - start
    if sink.count() - arrived != cell.count:
        raise Trouble(f"{path.name}, {cell.text()}: the sink has {sink.count() - arrived} messages, expected {cell.count}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = {name: account.cpu_seconds(account.family(pid)) - before[name] for name, pid in groups.items()}
    cpu["smtp-source"] = used.ru_utime + used.ru_stime - children.ru_utime - children.ru_stime
    self_now = resource.getrusage(resource.RUSAGE_SELF)
    self_used = self_now.ru_utime + self_now.ru_stime - own.ru_utime - own.ru_stime
    foreign = max(0.0, account.machine_busy_seconds() - busy - sum(cpu.values()) - self_used)
    return Run(seconds, max(seconds, delivered) if delivered - seconds > 0.01 else seconds, cpu, foreign, cell.count)


# What one message at a time leaves the scanner between two of them: the way of the next one to it.
PAUSE = 0.0015


def run_alone(alone, mail, cell, timeout, pause=0.0):
    busy = account.machine_busy_seconds()
    elapsed, cpu = alone.scan(mail, cell.count, min(cell.sessions, WORKERS), timeout, pause)
    return Run(elapsed, elapsed, {alone.name: cpu}, max(0.0, account.machine_busy_seconds() - busy - cpu), cell.count)


def check_path(path, sink, clean, infected):
    """Before anything counts: a clean message arrives, the test virus does not."""
    before = sink.count()
    if not path.send(clean):
        raise Trouble(f"{path.name} refused a clean message")
    until(lambda: sink.count() == before + 1, f"{path.name}: the clean message at the sink")
    path.send(infected)
    # A program that accepts and drops, or queues, would deliver late: a second clean message comes after it.
    path.send(clean)
    until(lambda: sink.count() >= before + 2, f"{path.name}: the second clean message at the sink")
    arrived = sink.count() - before
    if arrived != (2 if path.scans else 3):
        raise Trouble(f"{path.name}: {arrived} of a clean message, the test virus and a clean message arrived, expected {2 if path.scans else 3}")


class Session:
    """A client that greets and stays."""

    def __init__(self, port):
        self.socket = socket.create_connection((HOST, port), 10)
        self.file = self.socket.makefile("rb")
        self.reply()
        self.command(b"EHLO client.test")

    def reply(self):
        while True:
            line = self.file.readline()
            if len(line) < 4 or not line[:1] in b"23":
                raise Trouble(f"idle session: {line!r}")
            if line[3:4] == b" ":
                return

    def command(self, text):
        self.socket.sendall(text + b"\r\n")
        self.reply()

    def close(self):
        self.file.close()
        self.socket.close()

    def deliver(self, content):
        self.command(b"MAIL FROM:<a@x.test>")
        self.command(b"RCPT TO:<b@y.test>")
        self.command(b"DATA")
        self.socket.sendall(content + b".\r\n")
        self.reply()


def idle_memory(postern, mail, count):
    """KiB of the edge for each of COUNT sessions: after EHLO, and after each has sent a message. POSTERN must be fresh: memory that earlier sessions
    gave back to the allocator would serve the new ones and hide what they need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count * 2 + 200)), hard))
    edge = postern.edge_pid()
    sessions = []

    def size():
        return account.rollup(edge)["Rss"]
    try:
        for _ in range(20):  # so that the loops have made what they make once
            sessions.append(Session(postern.port))
        content = mail.wire.read_bytes()
        for session in sessions:
            session.deliver(content)
        base = size()
        for _ in range(count):
            sessions.append(Session(postern.port))
        greeted = (size() - base) / count
        for session in sessions:
            session.deliver(content)
        mailed = (size() - base) / count
    finally:
        for session in sessions:
            session.close()
    return {"sessions": count, "greeted": greeted, "mailed": mailed}


def shared_pages(postern):
    """The scan host and its workers: how much of the engine's memory each holds for itself."""
    host = postern.scan_host_pid()
    workers = processes.children(host)
    sums = [account.rollup(pid) for pid in workers]
    return {"workers": len(workers), "host_rss": account.rollup(host).get("Rss", 0),
            "pss_together": account.proportional_kib([host, *workers]),
            "private": [s.get("Private_Dirty", 0) + s.get("Private_Clean", 0) for s in sums], "rss": [s.get("Rss", 0) for s in sums]}


def peak_memory(path, sink, mail, cell, timeout):
    """Largest memory of every program of PATH in a run whose time does not count."""
    with account.MemorySampler({"smtp-sink": sink.pid(), **path.groups()}) as sampler:
        run_path(path, sink, mail, cell, timeout)
    return sampler.peaks


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
