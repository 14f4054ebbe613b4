# SPDX-License-Identifier: MIT
"""What a running postern holds, to be compared between two moments at which it does nothing."""
from . import processes
from .places import until


class Resources:
    """Descriptors, processes, temporary directories, files of the spool."""

    def __init__(self, postern):
        edge, host = postern.edge_pid(), postern.scan_host_pid()
        self.counts = {
            "descriptors of the supervisor": processes.descriptor_count(postern.supervisor_pid()),
            "descriptors of the edge": processes.descriptor_count(edge),
            "descriptors of the scan host": processes.descriptor_count(host),
            "processes": len(processes.descendants(postern.supervisor_pid())),
            "temporary directories": sum(1 for path in postern.temporary.rglob("*") if path.is_dir()),
            "files in the spool": len(postern.spool_files()),
        }

    def beyond(self, before):
        """What is more than in BEFORE, as text; empty: nothing."""
        return ", ".join(f"{name}: {count}, before {before.counts[name]}" for name, count in self.counts.items()
                         if count > before.counts[name])


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
