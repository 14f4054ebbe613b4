# SPDX-License-Identifier: MIT
"""What taking messages apart costs: generated mail in the shapes of real mail (letters.py), sent by 20 sessions in turns through two posterns that differ
in mime_decompose alone; then one at a time, for the time of the inspection itself. Each run sends every message once."""
import multiprocessing
import re
import time

from harness.client import dot_stuffed

from . import account, letters, programs
from .measure import RECIPIENT, SENDER, Session, median
from .programs import Trouble
from .report import spread

SESSIONS = 20
ROUNDS = 9
LIMIT = 0.15  # of the throughput
INSPECTION = 0.3  # ms, for a mail of about 20 KB
ABOUT_20_KB = (15_000, 25_000)
ENVELOPE = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()


def session(port, wires, begin, turn):
    """A process of its own, so that sessions do not wait for one interpreter; the next message is whoever's is free."""
    client = Session(port)
    client.socket.settimeout(60)
    begin.wait()
    while True:
        with turn.get_lock():
            number = turn.value
            turn.value += 1
        if number >= len(wires):
            break
        client.socket.sendall(ENVELOPE)
        for _ in range(3):
            client.reply()
        client.socket.sendall(wires[number])
        client.reply()
    client.close()


def run(program, wires, sessions):
    """Messages a second, and CPU milliseconds of PROGRAM for each."""
    begin, turn = multiprocessing.Barrier(sessions + 1), multiprocessing.Value("L", 0)
    processes = [multiprocessing.Process(target=session, args=(program.port, wires, begin, turn), daemon=True) for _ in range(sessions)]
    for process in processes:
        process.start()
    begin.wait()
    family = account.family(program.pid())
    start, used = time.monotonic(), account.cpu_seconds(family)
    for process in processes:
        process.join(120)
    seconds, used = time.monotonic() - start, account.cpu_seconds(account.family(program.pid())) - used
    if any(process.exitcode != 0 for process in processes):
        raise Trouble(f"decompose: {program.name} did not accept a message, or a session failed:\n{program.said()}")
    return len(wires) / seconds, 1000 * used / len(wires)


def field(line, key):
    found = re.search(rf" {key}=([0-9.]+)", line)
    return float(found.group(1)) if found else None


def logged(program, count):
    """The last COUNT messages that PROGRAM wrote into its log; a client is answered before the line is written."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        lines = [line for line in program.output.read_text(errors="replace").splitlines() if " message " in line and " outcome=delivered" in line]
        if len(lines) >= count:
            return lines
        time.sleep(0.02)
    raise Trouble(f"decompose: {program.name} logged {len(lines)} delivered messages, expected {count}")


def one_at_a_time(program, mails, wires):
    """By message: milliseconds of the inspection and of the engine."""
    before = len(logged(program, 0))
    run(program, wires, 1)
    lines = logged(program, before + len(wires))[before:]
    return [(mail, field(line, "inspect_ms"), field(line, "engine_ms"), field(line, "parts")) for mail, line in zip(mails, lines)]


def measure(without, having, rounds=ROUNDS):
    mails = letters.make_letters()
    wires = [dot_stuffed(mail.octets) for mail in mails]
    ways = (("without", without), ("with", having))
    found = {name: {"rates": [], "cpu": []} for name, _ in ways}
    for _, program in ways:
        run(program, wires, SESSIONS)  # not counted: processes get warm
    for number in range(rounds):
        for name, program in ways if number % 2 == 0 else reversed(ways):
            rate, cpu = run(program, wires, SESSIONS)
            found[name]["rates"].append(rate)
            found[name]["cpu"].append(cpu)
    for name, program in ways:
        found[name]["alone"] = one_at_a_time(program, mails, wires)
    if any(inspected is None for _, inspected, _, _ in found["with"]["alone"]) or any(i is not None for _, i, _, _ in found["without"]["alone"]):
        raise Trouble("decompose: not every message was taken apart where it should be, or one where it should not")
    found["throughput"] = [h / w for h, w in zip(found["with"]["rates"], found["without"]["rates"])]
    found["cpu"] = [h / w for h, w in zip(found["with"]["cpu"], found["without"]["cpu"])]
    found["sizes"] = sorted(len(mail.octets) for mail in mails)
    return found


def kinds_table(found):
    lines = ["| kind | messages | median KB | parts | inspection, ms | engine without, ms | engine with, ms |", "|---|---|---|---|---|---|---|"]
    pairs = list(zip(found["with"]["alone"], found["without"]["alone"]))
    for kind in dict.fromkeys(name for name, _, _ in letters.KINDS):
        of_kind = [pair for pair in pairs if pair[0][0].kind == kind]
        if of_kind:
            size = median([len(h[0].octets) for h, _ in of_kind]) / 1000
            mean = [sum(values) / len(values) for values in zip(*[(h[3], h[1], w[2], h[2]) for h, w in of_kind])]
            lines.append(f"| {kind} | {len(of_kind)} | {size:.0f} | {mean[0]:.1f} | {mean[1]:.2f} | {mean[2]:.2f} | {mean[3]:.2f} |")
    return lines


def report(found, title=""):
    sizes = found["sizes"]
    near = [inspected for mail, inspected, _, _ in found["with"]["alone"] if ABOUT_20_KB[0] <= len(mail.octets) <= ABOUT_20_KB[1]]
    cost = [1 - ratio for ratio in found["throughput"]]
    return "\n".join([
        f"# Messages taken apart{title}", "",
        f"{len(sizes)} messages, median {median(sizes) / 1000:.0f} KB, mean {sum(sizes) / len(sizes) / 1000:.0f} KB, {sizes[0]} to {sizes[-1]} octets; "
        f"{SESSIONS} sessions, kept connections; {len(found['throughput'])} rounds, each sends every message once through both.", "",
        "| mime_decompose | messages/s | CPU ms of postern a message |", "|---|---|---|",
        f"| 0 | {spread(found['without']['rates'], '{:.0f}')} | {spread(found['without']['cpu'])} |",
        f"| 1 | {spread(found['with']['rates'], '{:.0f}')} | {spread(found['with']['cpu'])} |",
        f"| share of the throughput that it costs (wanted: ≤ {LIMIT}) | {spread(cost)} | {spread([r - 1 for r in found['cpu']])} more CPU |", "",
        f"Inspection of {len(near)} messages of {ABOUT_20_KB[0] // 1000} to {ABOUT_20_KB[1] // 1000} KB, one at a time (wanted: ≤ {INSPECTION} ms): "
        f"{spread(near)} ms.", "",
        "By kind, one at a time, mean ms in the worker:", "", *kinds_table(found), ""])


def start(bench, options):
    """The second postern; the first is the benchmark's own."""
    return bench.start(programs.Postern(bench.work, options.build, bench.database, bench.sink, name="postern-apart", engine="mime_decompose = 1"))
