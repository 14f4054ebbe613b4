# SPDX-License-Identifier: MIT
"""swaks as client: a program that others wrote, so that postern is not only tested with our own idea of SMTP."""
import hashlib
import re
import subprocess

from .book import talk_with
from .client import dot_stuffed
from .talk import Attempt

EXIT_OK = 0
EXIT_DATA_REFUSED = 26


class Dialogue:
    def __init__(self, status, text):
        self.status, self.text = status, text

    @property
    def final_reply(self):
        """The first reply after the final dot, without swaks' marks."""
        after = re.split(r"\n -> \.\r?\n", self.text, maxsplit=1)
        match = re.match(r"<(?:- |\*\*) (.*)", after[1]) if len(after) == 2 else None
        return match.group(1).rstrip("\r") if match else None

    def __repr__(self):
        return self.text


def send(port, content, sender="a@client.test", recipient="b@y.test", extra=(), timeout=120):
    """Sends CONTENT (bytes with CRLF) as it is: without fixing up, so that dot-stuffing and the final dot are ours to add."""
    done = subprocess.run(["swaks", "--server", f"127.0.0.1:{port}", "--from", sender, "--to", recipient, "--helo", "swaks.test",
                           "--data", "-", "--no-data-fixup", *extra],
                          input=dot_stuffed(content).removesuffix(b"\r\n"),  # swaks ends the last line itself
                          capture_output=True, timeout=timeout, check=False)
    dialogue = Dialogue(done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace"))
    if dialogue.final_reply:
        attempt = Attempt(hashlib.sha256(content).hexdigest(), content, int(dialogue.final_reply[:3]), dialogue.final_reply, length=len(content))
        talk_with(port).attempts.append(attempt)
    return dialogue

