# SPDX-License-Identifier: MIT
"""Signatures are exchanged under load: what 20 sessions notice of it. Latencies of single messages, so this has a client of its own; it sends at half
the rate that postern passes at most, as a machine that is busy all the time has no room for loading signatures either."""
import threading
import time

from harness.client import Client, dot_stuffed

from . import account
from .measure import median
from .programs import Trouble

SESSIONS = 20
NORMAL_SECONDS = 15.0
RELOADS = 5
RELOAD_TIMEOUT = 60.0


class Load:
    """SESSIONS sessions that each send a message every INTERVAL seconds; (start, seconds, code) of each."""

    def __init__(self, port, content, interval):
        self.port, self.wire, self.interval = port, dot_stuffed(content), interval
        self.sent, self.over, self.trouble = [], threading.Event(), []
        self.threads = [threading.Thread(target=self._session, args=(n,), daemon=True) for n in range(SESSIONS)]

    def _session(self, number):
        try:
            with Client(self.port, timeout=60) as client:
                client.ehlo()
                due = time.monotonic() + self.interval * number / SESSIONS
                while not self.over.wait(max(0.0, due - time.monotonic())):
                    start = time.monotonic()
                    client.start_data()
                    client.send(self.wire)
                    code = client.reply().code
                    self.sent.append((start, time.monotonic() - start, code))
                    due = max(due + self.interval, time.monotonic())
        except (OSError, AssertionError) as failure:
            self.trouble.append(repr(failure))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


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


def measure(postern, database, mail, rate):
    """RATE: messages a second that POSTERN passes at most. Returns what report() prints."""
    windows, alone = [], account.proportional_kib(account.family(postern.pid()))

    def exchange(number):
        (database / f"reload{number}.ndb").write_text(f"Bench.Reload{number}:0:*:{('reload %d' % number).encode().hex()}\n")
        return wait_for(postern, "reload-start", number), wait_for(postern, "reload-done", number)
    with Load(postern.port, mail.wire.read_bytes(), SESSIONS / (rate / 2)) as load:
        time.sleep(NORMAL_SECONDS)
        normal_until = time.monotonic()
        for number in range(RELOADS):
            windows.append(exchange(number + 1))
        looked_at = time.monotonic()
        with account.MemorySampler({"postern": postern.pid()}) as sampler:  # which costs time itself: this reload's does not count
            exchange(RELOADS + 1)
    if load.trouble:
        raise Trouble(f"reload: {load.trouble[0]}")
    normal = [seconds for start, seconds, _ in load.sent if start < normal_until]
    during = [seconds for start, seconds, _ in load.sent
              if start < looked_at and any(begin <= start + seconds and start <= end for begin, end in windows)]
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
