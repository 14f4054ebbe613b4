# SPDX-License-Identifier: MIT
"""Programs of other people as Debian ships them, unpacked into build/peers and never installed. Run as a program: unpacks them all."""
import fcntl
import subprocess
import sys
import tempfile
from pathlib import Path

if __package__:
    from .places import PEERS
else:
    PEERS = Path(__file__).resolve().parents[3] / "build/peers"

PACKAGES = ("postfix", "clamav", "clamav-daemon", "clamav-freshclam", "c-icap", "libc-icap-mod-virus-scan", "libicapapi5")


class PeerMissing(Exception):
    """The package could not be fetched."""


def unpack(package):
    """The root directory of the unpacked PACKAGE; fetched from the Debian archive at the first call, then kept."""
    PEERS.mkdir(parents=True, exist_ok=True)
    root = PEERS / package
    with open(PEERS / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (root / ".complete").exists():
            return root
        with tempfile.TemporaryDirectory() as fetched:
            # apt's own download user must be able to write there; where it cannot, apt falls back with a warning
            Path(fetched).chmod(0o777)
            done = subprocess.run(["apt-get", "-q", "download", package], cwd=fetched, capture_output=True, text=True, check=False)
            files = list(Path(fetched).glob("*.deb"))
            if done.returncode != 0 or len(files) != 1:
                raise PeerMissing(f"apt-get download {package}: {done.stderr.strip() or done.stdout.strip()}")
            subprocess.run(["dpkg-deb", "-x", files[0], root], check=True)
        (root / ".complete").touch()
    return root


if __name__ == "__main__":
    for name in PACKAGES:
        try:
            print(unpack(name))
        except PeerMissing as missing:
            sys.exit(f"peers: {missing}")
