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
    unpack_all([package])
    return PEERS / package


def unpack_all(packages):
    """Fetches in one go what is missing: apt reads its lists anew at each call."""
    PEERS.mkdir(parents=True, exist_ok=True)
    with open(PEERS / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [package for package in packages if not (PEERS / package / ".complete").exists()]
        if not missing:
            return
        with tempfile.TemporaryDirectory() as fetched:
            # apt's own download user must be able to write there; where it cannot, apt falls back with a warning
            Path(fetched).chmod(0o777)
            done = subprocess.run(["apt-get", "-q", "download", *missing], cwd=fetched, capture_output=True, text=True, check=False)
            for package in missing:
                files = list(Path(fetched).glob(f"{package}_*.deb"))
                if done.returncode != 0 or len(files) != 1:
                    raise PeerMissing(f"apt-get download {' '.join(missing)}: {done.stderr.strip() or done.stdout.strip()}")
                subprocess.run(["dpkg-deb", "-x", files[0], PEERS / package], check=True)
                (PEERS / package / ".complete").touch()


if __name__ == "__main__":
    try:
        unpack_all(PACKAGES)
    except PeerMissing as missing:
        sys.exit(f"peers: {missing}")
    print(*(PEERS / package for package in PACKAGES), sep="\n")
