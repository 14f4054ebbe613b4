# SPDX-License-Identifier: MIT
"""A private c-icap with its service virus_scan: Debian's, unpacked below build/peers, asking a clamd of ours."""
import os
import shutil
import socket
import subprocess

from .peers import unpack
from .places import SOON, until

LIBRARIES = "usr/lib/x86_64-linux-gnu"


def configuration(directory, port, clamd, **options):
    """Text of c-icap.conf. OPTIONS are virus_scan's own."""
    server, scanner = unpack("c-icap"), unpack("libc-icap-mod-virus-scan")
    values = {"ScanFileTypes": "TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE", "MaxObjectSize": "5M", "DefaultEngine": "clamd",
              "SendPercentData": 5, "StartSendPercentDataAfter": "100M", **options}
    user = "User nobody\nGroup nogroup\n" if os.geteuid() == 0 else ""
    return f"""PidFile {directory}/pid
CommandsSocket {directory}/control
TmpDir {directory}/tmp
ServerLog {directory}/server.log
AccessLog {directory}/access.log
Port 127.0.0.1:{port}
{user}ModulesDir {scanner}/{LIBRARIES}/c_icap
ServicesDir {scanner}/{LIBRARIES}/c_icap
LoadMagicFile {server}/etc/c-icap/c-icap.magic
TemplateDir {directory}/templates/
StartServers 1
MaxServers 2
ThreadsPerChild 8
KeepAliveTimeout 60
Module common clamd_mod.so
clamd_mod.ClamdSocket {clamd}
Service virus_scan virus_scan.so
""" + "".join(f"virus_scan.{key} {value}\n" for key, value in values.items())


class Cicap:
    def __init__(self, directory, port, clamd, **options):
        """CLAMD: path of its unix socket."""
        self.directory, self.port, self.address = directory, port, f"127.0.0.1:{port}"
        directory.mkdir()
        directory.chmod(0o777)
        (directory / "tmp").mkdir()
        (directory / "tmp").chmod(0o1777)
        # Read as nobody, who may not look into every checkout; without its page c-icap answers 20 seconds late.
        shutil.copytree(unpack("libc-icap-mod-virus-scan") / "usr/share/c_icap/templates", directory / "templates")
        self.file = directory / "c-icap.conf"
        self.file.write_text(configuration(directory, port, clamd, **options))
        self.process = None

    def start(self):
        root = unpack("c-icap")
        with open(self.directory / "output", "ab") as out:
            self.process = subprocess.Popen([root / "usr/bin/c-icap", "-N", "-f", self.file], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True, cwd="/",
                                            env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(unpack("libicapapi5") / LIBRARIES)})
        until(self._ready, "c-icap answers")
        return self

    def _ready(self):
        assert self.process.poll() is None, "c-icap ended: " + self.log()
        try:
            return self.ask(b"OPTIONS icap://%s/virus_scan ICAP/1.0\r\nHost: %s\r\n\r\n" % ((self.address.encode(),) * 2)).startswith(b"ICAP/1.0 200")
        except OSError:
            return False

    def ask(self, request):
        """What comes back to REQUEST, up to the end of its head."""
        with socket.create_connection(("127.0.0.1", self.port), SOON) as connection:
            connection.sendall(request)
            came = b""
            while b"\r\n\r\n" not in came and (octets := connection.recv(65536)):
                came += octets
            return came

    def log(self):
        return "".join(f.read_text(errors="replace")[-2000:] for f in (self.directory / "output", self.directory / "server.log") if f.exists())

    def kill(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait(SOON)
