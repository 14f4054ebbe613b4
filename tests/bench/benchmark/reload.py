# SPDX-License-Identifier: MIT
"""Signatures are exchanged under load: what 20 sessions notice of it. Latencies of single messages, so this has a client of its own; it sends at half
the rate that postern passes at most, as a machine that is busy all the time has no room for loading signatures either."""
import multiprocessing
import queue
import time

from harness.client import dot_stuffed

from . import account
from .measure import RECIPIENT, SENDER, Session, median
from .programs import Trouble

SESSIONS = 20
NORMAL_SECONDS = 5.0  # before each reload, and not in the first second after one
RELOADS = 5
RELOAD_TIMEOUT = 60.0
ENVELOPE = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()


def session(port, wire, due, interval, over, results):
    """A process of its own, so that sessions do not wait for one interpreter. (start, seconds, code) of each message."""
    sent, trouble = [], None
    try:
        client = Session(port)
        client.socket.settimeout(60)
        while not over.wait(max(0.0, due - time.monotonic())):
            start = time.monotonic()
            client.socket.sendall(ENVELOPE)
            for _ in range(3):
                client.reply()
            client.socket.sendall(wire)
            code = int(client.file.readline()[:3] or b"0")
            sent.append((start, time.monotonic() - start, code))
            due = max(due + interval, time.monotonic())
        client.close()
    except (OSError, Trouble) as failure:
        trouble = repr(failure)
    results.put((sent, trouble))


class Load:
    """SESSIONS sessions that each send a message every INTERVAL seconds."""

    def __init__(self, port, content, interval):
        self.sent, self.trouble = [], []
        self.over, self.results = multiprocessing.Event(), multiprocessing.Queue()
        begin = time.monotonic() + 1.0
        self.processes = [multiprocessing.Process(target=session, daemon=True, args=(
            port, dot_stuffed(content), begin + interval * n / SESSIONS, interval, self.over, self.results)) for n in range(SESSIONS)]

    def __enter__(self):
        for process in self.processes:
            process.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for _ in self.processes:
            try:
                sent, trouble = self.results.get(timeout=90)
            except queue.Empty:
                sent, trouble = [], "a session ended without a word"
            self.sent += sent
            self.trouble += [trouble] if trouble else []
        for process in self.processes:
            process.join()


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def wait_for(postern, event, count):
    """The moment at which EVENT stands in the log for the COUNT-th time."""
    deadline = time.monotonic() + RELOAD_TIMEOUT
    while time.monotonic() < deadline:
        with open(postern.output, "rb") as file:
            text = file.read()
        if b" reload-failed " in text:
            raise Trouble(f"reload: it failed:\n{postern.said()}")
        if text.count(f" {event} ".encode()) >= count:
            return time.monotonic()
        time.sleep(0.05)
    raise Trouble(f"reload: no {event} after {RELOAD_TIMEOUT} s:\n{postern.said()}")


def overlaps(start, seconds, windows, margin=0.0):
    return any(begin <= start + seconds and start <= end + margin for begin, end in windows)


def measure(postern, database, mail, rate):
    """RATE: messages a second that POSTERN passes at most. Returns what report() prints."""
    windows, alone = [], account.proportional_kib(account.family(postern.pid()))

    def exchange(number):
        (database / f"reload{number}.ndb").write_text(f"Bench.Reload{number}:0:*:{('reload %d' % number).encode().hex()}\n")
        return wait_for(postern, "reload-start", number), wait_for(postern, "reload-done", number)
    with Load(postern.port, mail.wire.read_bytes(), SESSIONS / (rate / 2)) as load:
        time.sleep(1.0)
        begun = time.monotonic()
        for number in range(RELOADS):
            time.sleep(NORMAL_SECONDS)
            windows.append(exchange(number + 1))
        time.sleep(1.0)
        looked_at = time.monotonic()
        with account.MemorySampler({"postern": postern.pid()}) as sampler:  # which costs time itself: this reload's does not count
            exchange(RELOADS + 1)
    if load.trouble:
        raise Trouble(f"reload: {load.trouble[0]}")
    counted = [(start, seconds) for start, seconds, _ in load.sent if begun <= start and start + seconds < looked_at]
    normal = [seconds for start, seconds in counted if not overlaps(start, seconds, windows, 1.0)]
    during = [seconds for start, seconds in counted if overlaps(start, seconds, windows)]
    return {"rate": rate / 2, "messages": len(load.sent), "refused": sum(code != 250 for _, _, code in load.sent),
            "normal": [1000 * percentile(normal, share) for share in (0.5, 0.99)], "during": [1000 * percentile(during, share) for share in (0.5, 0.99)],
            "count": (len(normal), len(during)), "seconds": median([end - begin for begin, end in windows]),
            "memory": (alone / 1024, sampler.peaks["postern"] / 1024)}


def report(found):
    normal, during = found["normal"], found["during"]
    return "\n".join([
        "# Signatures exchanged under load", "",
        f"20 KB, {SESSIONS} sessions, {found['rate']:.0f} messages a second (half of what passes at most), {RELOADS} reloads; {found['messages']} messages, "
        f"{found['refused']} not accepted.", "",
        "| | messages | median ms | p99 ms |", "|---|---|---|---|",
        f"| without a reload | {found['count'][0]} | {normal[0]:.1f} | {normal[1]:.1f} |",
        f"| during one | {found['count'][1]} | {during[0]:.1f} | {during[1]:.1f} |",
        f"| ratio (wanted: p99 ≤ 1.5) | | {during[0] / normal[0]:.2f} | {during[1] / normal[1]:.2f} |", "",
        f"A reload took {found['seconds']:.1f} s (median). Memory of all of postern: "
        f"{found['memory'][0]:.0f} MiB before, {found['memory'][1]:.0f} MiB at most with both generations.", ""])
