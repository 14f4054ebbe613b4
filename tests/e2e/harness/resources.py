# SPDX-License-Identifier: MIT
"""What a running postern holds, to be compared between two moments at which it does nothing."""
import collections
import re

from . import processes
from .places import until


class Resources:
    """Descriptors, processes, temporary directories, files of the spool."""

    def __init__(self, postern):
        pids = {"supervisor": postern.supervisor_pid(), "edge": postern.edge_pid(), "scan host": postern.scan_host_pid()}
        self.open = {f"descriptors of the {part}": kinds_of_descriptors(pid) for part, pid in pids.items()}
        self.counts = {name: kinds.total() for name, kinds in self.open.items()} | {
            "processes": len(processes.descendants(postern.supervisor_pid())),
            "temporary directories": sum(1 for path in postern.temporary.rglob("*") if path.is_dir()),
            "files in the spool": len(postern.spool_files()),
        }

    def beyond(self, before):
        """What is more than in BEFORE, as text; empty: nothing."""
        return ", ".join(f"{name}: {count}, before {before.counts[name]}{self.new_kinds(name, before)}" for name, count in self.counts.items()
                         if count > before.counts[name])

    def new_kinds(self, name, before):
        return f" (more: {dict(self.open[name] - before.open[name])})" if name in self.open else ""


def kinds_of_descriptors(pid):
    """How many of each kind: the names of what is open, without their numbers."""
    return collections.Counter(re.sub(r"\d+", "N", target) for target in processes.links(pid).values())


def resident(postern):
    """Resident size of each process by its part, in KiB; of the workers together."""
    return {"edge": processes.resident_kib(postern.edge_pid()), "scan host": processes.resident_kib(postern.scan_host_pid()),
            "workers": sum(processes.resident_kib(pid) for pid in postern.worker_pids())}


def at_rest(postern, timeout=30):
    """Waits until no session is left, idle connections to the backend included, and every worker is there; what is held then."""
    seen = []

    def settled():
        try:
            seen.append(Resources(postern))
        except (OSError, AssertionError, KeyError):
            return False  # somebody is being started again
        return len(seen) > 10 and all(r.counts == seen[-1].counts for r in seen[-10:]) and seen[-1]
    return until(settled, "nothing changes any more", timeout, interval=0.05)


def assert_back(postern, before, timeout=60):
    """Nothing more is held than BEFORE; waits for what takes its time."""
    last = [""]

    def back():
        try:
            last[0] = Resources(postern).beyond(before)
        except (OSError, AssertionError, KeyError) as error:
            last[0] = str(error)
        return not last[0]
    try:
        until(back, "everything is given back", timeout, interval=0.1)
    except AssertionError:
        raise AssertionError(f"more is held than before: {last[0]}") from None
