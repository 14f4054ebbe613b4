# SPDX-License-Identifier: MIT
"""A private freshclam: Debian's, unpacked below build/peers. It fetches one file of signatures from a mirror of our own on 127.0.0.1 and asks nobody else."""
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .peers import unpack
from .places import SOON

NAME = "test.ndb"
# Who owns the database as root: freshclam becomes that user, as it becomes clamav on a Debian host. Neither postern's nor ours.
OWNER = "daemon"


class Mirror:
    """Answers every request with what was offered last; 304 where that has been fetched."""

    def __init__(self):
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *_):
                pass
        self.paths = []
        self.offer(b"")
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def offer(self, content, status=200, cut=0):
        """CUT: the connection ends so many octets before the content does."""
        self.content, self.status, self.cut, self.fetched = content, status, cut, False

    def answer(self, request):
        self.paths.append(request.path)
        if self.fetched and "If-Modified-Since" in request.headers:
            request.send_response(304)
            request.end_headers()
            return
        request.send_response(self.status)
        request.send_header("Content-Length", str(len(self.content)))
        request.end_headers()
        request.wfile.write(self.content[:len(self.content) - self.cut])
        self.fetched = self.cut == 0 and self.status == 200

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(SOON)


class Freshclam:
    """Its database directory (.path) as the Debian packages make it: 0755, of the user that freshclam becomes."""

    def __init__(self, directory, mirror, **options):
        self.path = directory / "clamav"
        self.path.mkdir()
        self.path.chmod(0o755)
        values = {"DatabaseDirectory": self.path, "DatabaseCustomURL": f"{mirror.url}/{NAME}", "PrivateMirror": mirror.url, "DNSDatabaseInfo": "no",
                  "MaxAttempts": 1, "ConnectTimeout": 10, "ReceiveTimeout": 10, **options}
        if os.geteuid() == 0:
            values["DatabaseOwner"] = OWNER
            shutil.chown(self.path, OWNER)
        self.configuration = directory / "freshclam.conf"
        self.configuration.write_text("".join(f"{key} {value}\n" for key, value in values.items()))

    def update(self):
        """One update, as its service makes it from time to time; what it said and how it ended."""
        return subprocess.run([unpack("clamav-freshclam") / "usr/bin/freshclam", f"--config-file={self.configuration}", "--stdout", "--update-db=custom"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SOON, check=False, cwd="/")

    def update_succeeds(self):
        done = self.update()
        assert done.returncode == 0 and f"{NAME} updated" in done.stdout, done.stdout
