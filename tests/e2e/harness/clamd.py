# SPDX-License-Identifier: MIT
"""A private clamd: Debian's, unpacked below build/peers, with a configuration of its own."""
import os
import signal
import socket
import subprocess

from . import processes
from .peers import unpack
from .places import SOON, until

# Reading even the largest database, on a busy machine.
READY = 120.0


def program():
    return unpack("clamav-daemon") / "usr/sbin/clamd"


def configuration(database, temporary, path=None, port=None, **options):
    """Text of clamd.conf. OPTIONS are clamd's own."""
    values = {"Foreground": "yes", "LogTime": "yes", "DatabaseDirectory": database, "TemporaryDirectory": temporary, "SelfCheck": 0, **options}
    if os.geteuid() == 0:
        values.setdefault("User", "nobody")
    if path:
        values |= {"LocalSocket": path, "LocalSocketMode": 666}
    if port:
        values |= {"TCPSocket": port, "TCPAddr": "127.0.0.1"}
    return "".join(f"{key} {value}\n" for key, value in values.items())


def connect(address):
    """ADDRESS: the path of a unix socket, or host and port."""
    if isinstance(address, tuple):
        return socket.create_connection(address, 5)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(5)
    connection.connect(str(address))
    return connection


def answers(address):
    try:
        with connect(address) as probe:
            probe.sendall(b"zPING\0")
            return probe.recv(10).startswith(b"PONG")
    except OSError:
        return False


class Clamd:
    """One that runs. Addresses as the option `daemon` wants them: .path and .tcp."""

    def __init__(self, directory, database, port, **options):
        self.directory = directory
        directory.mkdir()
        directory.chmod(0o1777)
        self.path, self.port = directory / "socket", port
        self.tcp = f"127.0.0.1:{port}"
        self.configuration = directory / "clamd.conf"
        self.configuration.write_text(configuration(database, directory, self.path, port, **options))
        self.process = None

    def start(self):
        self.path.unlink(missing_ok=True)
        with open(self.directory / "output", "ab") as out:
            self.process = subprocess.Popen([program(), "-c", self.configuration], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True, cwd="/")
        until(self._ready, "clamd answers", READY)
        return self

    def _ready(self):
        assert self.process.poll() is None, "clamd ended: " + (self.directory / "output").read_text(errors="replace")[-2000:]
        return answers(self.path) and answers(("127.0.0.1", self.port))

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(SOON)

    def freeze(self):
        """From now on it answers nothing, while its kernel still accepts."""
        self.process.send_signal(signal.SIGSTOP)
        until(lambda: processes.state(self.process.pid) == "T", "clamd stands still")
