# SPDX-License-Identifier: MIT
"""The same message again and again: what the cache of verdicts is worth. An infected one, as clean ones are kept on request only, and of 200 KB, so
that there is something to scan; the virus is at its end. Two posterns that differ in cache_size alone are measured in turns."""
import multiprocessing
import time

from harness.client import dot_stuffed

from . import account, corpus, programs
from .measure import RECIPIENT, SENDER, Session, median
from .programs import Trouble

SESSIONS = 4
SECONDS = 4.0
ROUNDS = 5
WANTED = 5.0


def infected(mail):
    """MAIL with one part more, before its end."""
    virus = corpus.test_virus_message().split("\r\n\r\n", 1)[1].encode()
    head, end = mail.wire.read_bytes().rsplit(b"--=bench=--", 1)
    return head + b"--=bench=\r\nContent-Type: text/plain\r\n\r\n" + virus + b"--=bench=--" + end


def session(port, wire, begin, counts, number):
    """A process of its own, so that sessions do not wait for one interpreter. One write for the envelope, one for the message."""
    client = Session(port)
    client.socket.settimeout(60)
    envelope = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()
    begin.wait()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        client.socket.sendall(envelope)
        for _ in range(3):
            client.reply()
        client.socket.sendall(wire)
        if not client.file.readline().startswith(b"550"):
            raise Trouble("cache: the message was not refused")
        counts[number] += 1
    client.close()


def run(postern, wire):
    """Messages a second, and CPU milliseconds of postern for each."""
    counts, begin = multiprocessing.Array("L", SESSIONS, lock=False), multiprocessing.Barrier(SESSIONS + 1)
    sessions = [multiprocessing.Process(target=session, args=(postern.port, wire, begin, counts, n), daemon=True) for n in range(SESSIONS)]
    for process in sessions:
        process.start()
    begin.wait()
    family = account.family(postern.pid())
    start, used = time.monotonic(), account.cpu_seconds(family)
    for process in sessions:
        process.join(60 + SECONDS)
    seconds, used = time.monotonic() - start, account.cpu_seconds(family) - used
    total = sum(counts)
    if total == 0 or any(process.exitcode != 0 for process in sessions):
        raise Trouble(f"cache: {postern.name} did not refuse the message, or a session failed:\n{postern.said()}")
    return total / seconds, 1000 * used / total


def lines(postern):
    return [line for line in postern.output.read_text(errors="replace").splitlines() if " message " in line]


def field(line, key):
    return line.split(f" {key}=", 1)[1].split(" ", 1)[0]


def measure(postern, without, mail):
    wire = dot_stuffed(infected(mail))
    found = {name: {"rates": [], "cpu": []} for name in ("cached", "scanned")}
    for program in (postern, without):
        run(program, wire)  # not counted: processes get warm, and the virus is known
    for number in range(ROUNDS):
        turns = [("cached", postern), ("scanned", without)]
        for name, program in turns if number % 2 == 0 else reversed(turns):
            rate, cpu = run(program, wire)
            found[name]["rates"].append(rate)
            found[name]["cpu"].append(cpu)
    for name, program, hits in (("cached", postern, True), ("scanned", without, False)):
        logged = lines(program)
        known = [line for line in logged if " cached=true" in line]
        if len(known) < len(logged) - SESSIONS if hits else known:  # the first ones came at the same time
            raise Trouble(f"cache: {len(known)} of {len(logged)} messages were known to {program.name}")
        found[name]["scan_ms"] = median([float(field(line, "scan_ms")) for line in (known or logged)])
    found["ratio"] = [cached / scanned for cached, scanned in zip(found["cached"]["rates"], found["scanned"]["rates"])]
    return found


def report(found):
    rows = [f"| {text} | {median(found[name]['rates']):.0f} | {found[name]['scan_ms']:.3f} | {median(found[name]['cpu']):.2f} |"
            for name, text in (("cached", "known from the cache"), ("scanned", "scanned each time (`cache_size = 0`)"))]
    return "\n".join([
        "# The same message again", "",
        f"200 KB, infected, {SESSIONS} sessions, kept connections; {ROUNDS} rounds of {SECONDS:.0f} s each.", "",
        "| | refused messages/s | ms from the end of data to the verdict | CPU ms of postern a message |", "|---|---|---|---|", *rows, "",
        f"Ratio of the rates (wanted: ≥ {WANTED:.0f}): {median(found['ratio']):.1f} ({min(found['ratio']):.1f} to {max(found['ratio']):.1f}).", ""])


def start(bench, options):
    """The second postern; the first is the benchmark's own."""
    return bench.start(programs.Postern(bench.work, options.build, bench.database, bench.sink, name="postern-uncached", engine="cache_size = 0"))

