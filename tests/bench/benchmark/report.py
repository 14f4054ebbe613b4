# SPDX-License-Identifier: MIT
"""What was measured as Markdown and as a plot. Only medians and ratios with their spread; a ratio is made within a round, then its median is taken."""
import os
import platform
import subprocess
from dataclasses import dataclass

from . import corpus, svg
from .measure import median
from .programs import WORKERS

PATHS = ("direct", "postern", "postern (scan off)", "clamsmtp", "postfix + milter", "exim")
# With --engines: the same program with libclamav in its workers, and asking clamd in the two ways that it has.
ENGINES = ("postern", "postern (clamd, FILDES)", "postern (clamd, INSTREAM)")
PEERS = ("clamsmtp", "postfix + milter", "exim")
ALONE = "libclamav alone"


@dataclass
class Result:
    cells: list
    rounds: int
    results: dict
    memory: dict
    failures: list
    load: list
    paths: list
    seconds: float

    def values(self, cell, path):
        """Seconds a message, one value a round; None where the run failed."""
        return [run.seconds / run.count if run else None for run in self.results.get((cell.key(), path), [])]

    def plain(self):
        runs = [{"size": key[0], "sessions": key[1], "reuse": key[2], "path": path, "runs": [vars(r) if r else None for r in rounds]}
                for (key, path), rounds in self.results.items()]
        return {"runs": runs, "counts": {cell.text(): cell.count for cell in self.cells}, "rounds": self.rounds, "failures": self.failures,
                "memory": {str(key): str(value) for key, value in self.memory.items()}, "load": self.load}


def spread(values, form="{:.2f}"):
    """Median (least–largest)."""
    known = [v for v in values if v is not None]
    if not known:
        return "–"
    text = form.format(median(known))
    return text if len(known) == 1 else f"{text} ({form.format(min(known))}–{form.format(max(known))})"


def together(function, *columns):
    """FUNCTION of the values of each round; None where one is missing."""
    return [None if None in values else function(*values) for values in zip(*columns)]


def efficiency(result, cell):
    return together(lambda d, a, p: (d + a) / p, *(result.values(cell, name) for name in ("direct", ALONE, "postern")))


def best_peer(peers):
    """The least value of each round."""
    present = [values for values in peers if values]
    return [min((v for v in values if v is not None), default=None) for values in zip(*present)] if present else []


def peer_factor(result, cell):
    """How many times faster than the fastest peer of each round."""
    return together(lambda b, p: b / p, best_peer([result.values(cell, name) for name in PEERS]), result.values(cell, "postern"))


def cpu_values(result, cell, path):
    """CPU seconds a message of everything on the way, source and sink included: what limits a busy machine, and hardly moved by its other work."""
    return [sum(run.cpu.values()) / run.count if run else None for run in result.results.get((cell.key(), path), [])]


def cpu_efficiency(result, cell):
    return together(lambda d, a, p: (d + a) / p, *(cpu_values(result, cell, name) for name in ("direct", ALONE, "postern")))


def cpu_peer_factor(result, cell):
    return together(lambda b, p: b / p, best_peer([cpu_values(result, cell, name) for name in PEERS]), cpu_values(result, cell, "postern"))


def off_ratio(result, cell):
    return together(lambda d, o: d / o, result.values(cell, "direct"), result.values(cell, "postern (scan off)"))


def extra_ms(result, cell):
    """Milliseconds a message beyond direct + scan."""
    return together(lambda d, a, p: (p - d - a) * 1000, *(result.values(cell, name) for name in ("direct", ALONE, "postern")))


def rate_row(result, cell):
    columns = [spread(together(lambda t: 1 / t, result.values(cell, path)), "{:.0f}" if cell.size != "5 MB" else "{:.1f}")
               for path in result.paths]
    counts = [run.count for path in result.paths for run in result.results.get((cell.key(), path), []) if run]
    sent = f"{min(counts)}–{max(counts)}" if counts else "none"
    return f"| {cell.size} | {cell.sessions} | {'reused' if cell.reuse else 'new'} | {sent} | " + " | ".join(columns) + " |"


def ratio_row(result, cell):
    # Ticks of 10 ms: a run that takes little CPU time says nothing here.
    enough = cell.sessions > 1
    cpu = [spread(cpu_efficiency(result, cell)), spread(cpu_peer_factor(result, cell))] if enough else ["", ""]
    columns = [spread(efficiency(result, cell)), spread(peer_factor(result, cell)), spread(off_ratio(result, cell)),
               spread(extra_ms(result, cell)) if cell.sessions == 1 else "", *cpu]
    return f"| {cell.size} | {cell.sessions} | {'reused' if cell.reuse else 'new'} | " + " | ".join(columns) + " |"


def verdict(values, limit, at_least):
    known = [v for v in values if v is not None]
    if not known:
        return "not measured"
    good = [v >= limit if at_least else v <= limit for v in known]
    reached = median(known) >= limit if at_least else median(known) <= limit
    word = "reached" if reached else "**not reached**"
    if all(good) or not any(good):
        return word
    return word + " by the median, not in every round" if reached else word + " by the median, in some rounds"


def targets(result):
    """The figures that this project has set itself, each with what was found."""
    rows = []
    for cell in result.cells:
        how = "reused" if cell.reuse else "new"
        if cell.size == "20 KB" and cell.sessions == 20:
            rows.append((f"(direct + libclamav alone) / postern, 20 KB, 20 sessions, {how}", "≥ 0.7", efficiency(result, cell), 0.7, True, "{:.2f}"))
            rows.append((f"× the best peer, 20 KB, 20 sessions, {how}", "≥ 3", peer_factor(result, cell), 3, True, "{:.2f}"))
            rows.append((f"direct / scanning off, 20 KB, 20 sessions, {how}", "≥ 0.7", off_ratio(result, cell), 0.7, True, "{:.2f}"))
        if cell.size in ("2 KB", "20 KB") and cell.sessions == 1:
            rows.append((f"beyond direct + scan, {cell.size}, one at a time, {how}", "≤ 1 ms", extra_ms(result, cell), 1, False, "{:.2f} ms"))
    idle, shared = result.memory.get("idle"), result.memory.get("shared")
    if idle:
        rows.append((f"idle session ({idle['sessions']} after EHLO)", "≤ 12 KiB", [idle["greeted"]], 12, False, "{:.1f} KiB"))
        rows.append((f"idle session ({idle['sessions']}, each after a message)", "≤ 12 KiB", [idle["mailed"]], 12, False, "{:.1f} KiB"))
    if shared and shared["host_rss"]:
        rows.append((f"memory of host and {shared['workers']} workers together / host's resident size", "≤ 1.2",
                     [shared["pss_together"] / shared["host_rss"]], 1.2, False, "{:.2f}"))
    lines = ["| figure | wanted | found: median (least–largest) | |", "|---|---|---|---|"]
    return lines + [f"| {name} | {wanted} | {spread(values, form)} | {verdict(values, limit, at_least)} |" for name, wanted, values, limit, at_least, form
                    in rows]


def engines_table(result):
    """Which way to libclamav, where they were measured: a message by clamd takes so many times as long as one by the workers."""
    lines = ["| size | sessions | " + " | ".join(f"{name} / postern" for name in ENGINES[1:]) + " |", "|---|---|---|---|"]
    for cell in result.cells:
        ratios = [spread(together(lambda d, p: d / p, result.values(cell, name), result.values(cell, "postern"))) for name in ENGINES[1:]]
        lines.append(f"| {cell.size} | {cell.sessions} | " + " | ".join(ratios) + " |")
    return ["## libclamav in the workers against clamd", "", "Time a message, kept connections: above 1 the workers are faster.", "", *lines, ""]


def cpu_table(result):
    """CPU milliseconds a message of every program, for the cells with 20 sessions."""
    lines = ["| size | path | program: CPU ms a message |", "|---|---|---|"]
    for cell in result.cells:
        if cell.sessions != 20 and not (cell.size == "5 MB" and cell.sessions == 5):
            continue
        for path in result.paths:
            runs = [run for run in result.results.get((cell.key(), path), []) if run]
            names = list(runs[0].cpu) if runs else []
            parts = [f"{name} {median([run.cpu[name] / run.count for run in runs]) * 1000:.2f}" for name in names]
            lines.append(f"| {cell.size}, {cell.sessions} {'reused' if cell.reuse else 'new'} | {path} | {', '.join(parts)} |")
    return lines


def memory_table(result):
    lines = ["| cell | path | program: peak MiB |", "|---|---|---|"]
    for (size, path), peaks in result.memory["peaks"].items():
        parts = [f"{name} {kib / 1024:.1f}" for name, kib in peaks.items()]
        lines.append(f"| {size}, 20 sessions, new | {path} | {', '.join(parts)} |")
    return lines


def foreign_share(result):
    """CPU time that others used during the runs, as a share of the machine."""
    runs = [run for rounds in result.results.values() for run in rounds if run]
    return sum(r.foreign for r in runs) / max(0.001, sum(r.delivered for r in runs) * (os.cpu_count() or 1))


def version(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "?"
    except (OSError, subprocess.TimeoutExpired):
        return "?"


def machine(root):
    """Facts beside the figures."""
    model = "?"
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    with open("/proc/meminfo", encoding="ascii") as file:
        total = int(file.readline().split()[1]) // 1024
    commit = version("git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    return [f"postern {commit}; libclamav {version('pkg-config', '--modversion', 'libclamav')}; gcc {version('gcc', '-dumpfullversion')}",
            f"{os.cpu_count()} × {model}; {total} MiB; Linux {platform.release()}"]


def markdown(result, facts):
    lines = ["# Benchmark", "", *(f"- {fact}" for fact in facts),
             f"- {result.rounds} rounds in {result.seconds:.0f} s; load before each round {', '.join(f'{load:.1f}' for load in result.load)}; "
             f"others used {foreign_share(result) * 100:.0f} % of the machine during the runs",
             f"- {corpus.BODY_SIGNATURES} body and {corpus.HASH_SIGNATURES} hash signatures; {WORKERS} scan workers, as many processes of libclamav alone "
             "(never more than sessions)", "",
             "## Figures", "", *targets(result), "", "## Messages a second", "",
             "Median (least–largest). postfix + milter: until accepted; its queue delivers later.", "",
             "| size | sessions | connections | messages a run | " + " | ".join(result.paths) + " |", "|---|---|---|---|" + "---|" * len(result.paths),
             *(rate_row(result, cell) for cell in result.cells), "",
             "## Ratios", "", "| size | sessions | connections | (direct + libclamav alone) / postern | best peer / postern | direct / scanning off | "
             "ms beyond direct + scan | CPU: (direct + libclamav alone) / postern | CPU: best peer / postern |", "|---|---|---|" + "---|" * 6, *(ratio_row(result, cell) for cell in result.cells), "",
             *(engines_table(result) if ENGINES[1] in result.paths else []),
             "## CPU time", "", *cpu_table(result), "", "## Memory", "",
             "Proportional size (a shared page is counted once), largest sample of a run of its own.", "", *memory_table(result)]
    idle = result.memory.get("idle")
    for key, when in (("shared", "200 messages of 20 KB, fresh"), ("shared after load", "everything above")):
        shared = result.memory.get(key)
        if shared:
            lines += ["", f"After {when}: scan host {shared['host_rss'] / 1024:.1f} MiB resident; its {shared['workers']} workers hold "
                      + ", ".join(f"{kib / 1024:.1f}" for kib in shared["private"])
                      + f" MiB each for themselves; all together {shared['pss_together'] / 1024:.1f} MiB."]
    if idle:
        lines += ["", f"{idle['sessions']} idle sessions: {idle['greeted']:.1f} KiB of the edge each after EHLO, {idle['mailed']:.1f} KiB after each has sent a message."]
    if result.failures:
        lines += ["", "## Failed runs", "", *(f"- {failure}" for failure in result.failures)]
    return "\n".join(lines) + "\n"


def plot(result):
    """Messages a second by sessions, one panel a size, new connections and reused side by side."""
    panels = []
    for reuse in (False, True):
        for size in corpus.SIZES:
            series = {}
            for path in result.paths:
                points = []
                for cell in result.cells:
                    if cell.size == size and cell.reuse == reuse:
                        rates = [1 / v for v in result.values(cell, path) if v is not None]
                        if rates:
                            points.append((cell.sessions, median(rates), min(rates), max(rates)))
                if points:
                    series[path] = sorted(points)
            if series:
                panels.append((f"{size}, {'connections reused' if reuse else 'a connection per message'}", series))
    return svg.draw(panels, result.paths, "sessions", "messages a second")
