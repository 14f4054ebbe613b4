# SPDX-License-Identifier: MIT
"""CPU seconds and memory of families of processes, from /proc."""
import os
import threading

TICK = os.sysconf("SC_CLK_TCK")


def _parents():
    """Process → parent, of all processes, in one pass."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                    stat = file.read()
            except OSError:
                continue
            parents[int(entry)] = int(stat[stat.rindex(")") + 2:].split()[1])
    return parents


def family(pid):
    """PID and all its descendants."""
    children = {}
    for child, parent in _parents().items():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def cpu_seconds(pids):
    """User and system time of processes and of the children that they have waited for."""
    ticks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                stat = file.read()
        except OSError:
            continue
        ticks += sum(int(field) for field in stat[stat.rindex(")") + 2:].split()[11:15])
    return ticks / TICK


def rollup(pid):
    """/proc/PID/smaps_rollup in KiB; empty when the process is gone."""
    found = {}
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                if value.endswith("kB\n"):
                    found[key] = int(value.split()[0])
    except OSError:
        pass
    return found


def proportional_kib(pids):
    """Memory of processes that share pages, each page counted once among its users."""
    return sum(rollup(pid).get("Pss", 0) for pid in pids)


def machine_busy_seconds():
    """CPU time of the whole machine that was not idle."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = (int(n) for n in file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


class MemorySampler:
    """Largest proportional size of named families while it runs. It costs CPU time itself: never used in a run whose time counts."""

    def __init__(self, groups, interval=0.1):
        self.groups, self.interval = groups, interval
        self.peaks = dict.fromkeys(groups, 0)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self):
        while True:
            for name, pid in self.groups.items():
                self.peaks[name] = max(self.peaks[name], proportional_kib(family(pid)))
            if self.over.wait(self.interval):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
