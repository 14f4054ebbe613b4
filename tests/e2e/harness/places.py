# SPDX-License-Identifier: MIT
"""Where things are: programs under test, free ports, directories that every user can reach. And waiting, always with a deadline."""
import os
import random
import shlex
import shutil
import socket
import tempfile
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


# Below the range from which Linux takes ports of outgoing connections, so that nobody gets one by chance between choice and use.
_PORTS = range(15000, 32000)
_handed_out = set()


def free_port():
    while True:
        port = random.choice(_PORTS)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _handed_out.add(port)
        return port


def make_directory():
    """A new directory that other users can enter (pytest's own are 0700): postern's unprivileged processes work below it."""
    path = Path(tempfile.mkdtemp(prefix="postern-e2e-"))
    path.chmod(0o755)
    return path


def remove_directory(path):
    shutil.rmtree(path, ignore_errors=True)
