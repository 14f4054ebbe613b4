# SPDX-License-Identifier: MIT
"""Where things are: programs under test, free ports, directories that every user can reach. And waiting, always with a deadline."""
import functools
import itertools
import os
import random
import shlex
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# The programs under test: those of the preset that ctest runs for, and a release with the test engine for what sanitizers rule out.
BUILD = Path(os.environ.get("POSTERN_BUILD", ROOT / "build/dev"))
RELEASE_BUILD = Path(os.environ.get("POSTERN_RELEASE_BUILD", ROOT / "build/release-test"))
PEERS = ROOT / "build/peers"

# Deadline for anything that should happen at once; generous, as two busy processors and sanitizers are slow. valgrind is slower still.
PATIENCE = float(os.environ.get("POSTERN_PATIENCE", "1"))
SOON = 30.0 * PATIENCE
# What every program under test is started by: a checker and its options.
WRAP = shlex.split(os.environ.get("POSTERN_WRAP", ""))


def is_root():
    return os.geteuid() == 0


class Timeout(AssertionError):
    """Something that should have happened did not, before its deadline."""


def until(condition, what, timeout=SOON, interval=0.02):
    """Polls CONDITION, for what gives no event to wait for (such as /proc); its value when true. WHAT is for the failure's text."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Timeout(f"not after {timeout} s: {what}")
        time.sleep(interval)


# Processes that run tests side by side each choose ports from a block of their own.
_USUAL, _BLOCK = range(15000, 32000), 1000
_choice = threading.Lock()


def _blocks():
    """First ports of blocks. Those come first from which Linux takes no ports for outgoing connections, so that nobody gets one by chance
    between choice and use, or while its server is stopped."""
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split())
    firsts = random.sample(range(2000, 65000, _BLOCK), 63)
    return sorted(firsts, key=lambda first: (first <= high and first + _BLOCK > low, first not in _USUAL))


@functools.cache
def _own_ports():
    """The socket that holds the name of this process's block as long as the process lives, and the block's ports, round and round."""
    for first in _blocks():
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0postern-test-ports-{first}")
        except OSError:  # another process has it
            holder.close()
            continue
        return holder, itertools.cycle(random.sample(range(first, first + _BLOCK), _BLOCK))
    return None, itertools.cycle(random.sample(_USUAL, len(_USUAL)))


def free_port():
    """A port that nobody listens at. It comes again only after all others of the block."""
    with _choice:
        _, ports = _own_ports()
        for port in itertools.islice(ports, len(_USUAL)):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            return port
    raise Timeout("no port is free")


def make_directory():
    """A new directory that other users can enter (pytest's own are 0700): postern's unprivileged processes work below it."""
    path = Path(tempfile.mkdtemp(prefix="postern-e2e-"))
    path.chmod(0o755)
    return path


def remove_directory(path):
    shutil.rmtree(path, ignore_errors=True)
