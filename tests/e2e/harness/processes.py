# SPDX-License-Identifier: MIT
"""What /proc says about processes: families, state, memory, descriptors, users."""
import collections
import contextlib
import os
import re
import select
import subprocess
from pathlib import Path
from stat import S_ISDIR

from .places import Timeout


def _stat(pid):
    """State and parent of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            stat = file.read(4096)
    except OSError:
        return None
    state_of, parent = stat[stat.rindex(b")") + 2:].split(None, 2)[:2]  # pid (comm) state ppid …; comm may contain blanks and brackets
    return state_of.decode(), int(parent)


def _everybody():
    """pid → (state, parent) of all processes, in one pass: the harness looks often, and a machine may have hundreds."""
    found = ((int(entry), _stat(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return {pid: stat for pid, stat in found if stat}


def _children(everybody, pid):
    return sorted(child for child, (state_of, parent) in everybody.items() if parent == pid and state_of != "Z")


def _descendants(everybody, pid):
    found = []
    for child in _children(everybody, pid):
        found += [child, *_descendants(everybody, child)]
    return found


def children(pid):
    return _children(_everybody(), pid)


def descendants(pid):
    return _descendants(_everybody(), pid)


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def status(pid):
    """/proc/PID/status as a dictionary of strings."""
    lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def resident_kib(pid):
    return int(status(pid)["VmRSS"].split()[0])


def peak_resident_kib(pid):
    """The largest resident size so far; reset_peak starts it anew."""
    return int(status(pid)["VmHWM"].split()[0])


def reset_peak(pid):
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def descriptor_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def links(pid):
    """What the process has open: number → what /proc says that it is. A descriptor that it closes meanwhile is passed over."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
    return found


def holders(descriptor):
    """Who else has the file, pipe or socket of this process's DESCRIPTOR open."""
    wanted = os.readlink(f"/proc/self/fd/{descriptor}")
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and int(entry) != os.getpid() and wanted in links(entry).values():
                found.append(int(entry))
    return found


def limit(pid, name):
    """Soft and hard, as words, of a line of /proc/PID/limits."""
    return re.search(rf"^{name} +(\S+) +(\S+)", Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE).groups()


def set_limit(pid, option, soft, hard):
    """A limit of PID by its option of prlimit(1), and by its own user: others may lack the right, root too where a container keeps it from its root."""
    owner = os.stat(f"/proc/{pid}")
    options = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(["prlimit", f"--pid={pid}", f"--{option}={soft}:{hard}"], check=True, timeout=60, **options)


def system_call(pid):
    """The system call that the process sits in, its number and first argument, as text; 'running' when it is in none."""
    try:
        return " ".join(Path(f"/proc/{pid}/syscall").read_text().split()[:2])
    except OSError:
        return "gone"


def state(pid):
    found = _stat(pid)
    return found[0] if found else "gone"


class Watched:
    """A process that is not our child, held by a pidfd: waiting for its end needs no polling, and its number cannot be reused meanwhile."""

    def __init__(self, pid):
        self.pid = pid
        try:
            self.fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self.fd = None  # gone already

    def wait_gone(self, timeout):
        if self.fd is None:
            return
        ready, _, _ = select.select([self.fd], [], [], timeout)
        os.close(self.fd)
        if not ready:
            raise Timeout(f"process {self.pid} ({' '.join(command_line(self.pid))}) still lives after {timeout} s")


def ended(process, timeout):
    """The status of PROCESS (subprocess.Popen), whose own wait with a timeout polls and so sleeps too long."""
    if process.poll() is None:
        Watched(process.pid).wait_gone(timeout)
    return process.wait()


def zombies(pid):
    """Ended processes of the family of PID that their parents have not reaped."""
    everybody = _everybody()
    family = {pid, *_descendants(everybody, pid)}
    return sorted(entry for entry, (state_of, parent) in everybody.items() if state_of == "Z" and parent in family)


def descriptors(pid, without_ports=()):
    """What the process has open, as a Counter of kinds; not its TCP connections to WITHOUT_PORTS."""
    ignored = set()
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].split(":")[1], 16) in without_ports:
            ignored.add(f"socket:[{fields[9]}]")
    kinds = collections.Counter()
    for entry in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{entry}"
        try:
            target, mode = os.readlink(path), os.stat(path).st_mode
        except OSError:
            continue
        if target not in ignored:  # a directory keeps its descriptor when it is removed or unmounted, but not its name
            kinds["directory" if S_ISDIR(mode) else re.sub(r":\[\d+\]$|\d+", "", target)] += 1
    return kinds
