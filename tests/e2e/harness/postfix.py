# SPDX-License-Identifier: MIT
"""A private Postfix: Debian's package unpacked, with its own queue, log and mailbox, on one loopback port. Needs root.

The accounts postfix and postdrop exist only inside its own mount namespace, as lines added to copies of /etc/passwd and /etc/group.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from . import book, processes
from .peers import unpack
from .ledger import Delivery
from .places import SOON, Timeout, free_port, until
from .talk import digests_of

POSTFIX_ID, POSTDROP_ID, MAILBOX_ID = 64990, 64991, 65534

MAIN_CF = """\
compatibility_level = 3.6
myhostname = backend.y.test
queue_directory = {work}/queue
data_directory = {work}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {root}/etc/postfix
sendmail_path = {root}/usr/sbin/sendmail
newaliases_path = {root}/usr/bin/newaliases
mailq_path = {root}/usr/bin/mailq
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH={root}/usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = y.test
virtual_mailbox_base = {work}/mail
virtual_mailbox_maps = static:box/
virtual_mailbox_limit = 0
virtual_minimum_uid = 1
virtual_uid_maps = static:{mailbox_id}
virtual_gid_maps = static:{mailbox_id}
message_size_limit = 300000000
maillog_file = {work}/mail.log
maillog_file_prefixes = {work}
smtputf8_enable = no
{extra}
"""

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
showq     unix n - n - - showq
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix:
    def __init__(self, directory, **settings):
        """SETTINGS: further lines of main.cf."""
        self.work = Path(directory)
        self.port = free_port()
        self.process = None
        self.books = []
        book.backends[self.port] = self
        self._lay_out(settings)

    def _lay_out(self, settings):
        work = self.work
        # A copy: the clone may stand where Postfix's own users cannot go.
        root = work / "root"
        shutil.copytree(unpack("postfix"), root, symlinks=True)
        for name in ("etc", "queue", "data", "mail"):
            (work / name).mkdir()
        os.chown(work / "data", POSTFIX_ID, POSTFIX_ID)
        (work / "mail").chmod(0o777)
        extra = "\n".join(f"{key} = {value}" for key, value in settings.items())
        (work / "etc/main.cf").write_text(MAIN_CF.format(work=work, root=root, mailbox_id=MAILBOX_ID, extra=extra))
        (work / "etc/master.cf").write_text(MASTER_CF.format(port=self.port))
        self._add_accounts("passwd", [f"postfix:x:{POSTFIX_ID}:{POSTFIX_ID}::/nonexistent:/usr/sbin/nologin"])
        self._add_accounts("group", [f"postfix:x:{POSTFIX_ID}:", f"postdrop:x:{POSTDROP_ID}:"])
        shutil.copy(root / "usr/share/postfix/dynamicmaps.cf", root / "etc/postfix/dynamicmaps.cf")

    def _add_accounts(self, file, accounts):
        names = {line.split(":")[0] for line in accounts}
        kept = [line for line in Path("/etc", file).read_text().splitlines() if line.split(":")[0] not in names]
        (self.work / file).write_text("\n".join(kept + accounts) + "\n")

    def start(self):
        root, work = self.work / "root", self.work
        script = ('set -e; mount --bind "$1/passwd" /etc/passwd; mount --bind "$1/group" /etc/group; '
                  'exec "$2/usr/sbin/postfix" -c "$1/etc" start-fg')
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "LD_LIBRARY_PATH": str(root / "usr/lib/postfix")}
        # A process namespace of its own: whatever Postfix starts ends with the first process in it.
        self.process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "sh",
                                         "-c", script, "sh", str(work), str(root)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
                                        start_new_session=True, cwd="/")
        until(self._greets, "Postfix greets", SOON, interval=0.1)
        return self

    def _greets(self):
        if self.process.poll() is not None:
            raise AssertionError(f"Postfix ended with status {self.process.returncode}: "
                                 f"{self.process.stdout.read().decode(errors='replace')}\n{self.log()}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                return probe.recv(100).startswith(b"220 ")
        except OSError:
            return False

    def stop(self):
        """At once: nothing of it is needed afterwards, and killing the namespace leaves nobody behind."""
        if self.process is not None:
            # The first process of the namespace, not unshare: Postfix changes users, so the kernel would not tell it of unshare's end.
            for first in processes.children(self.process.pid):
                os.kill(first, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def log(self):
        path = self.work / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # --- what arrived ---

    def stored(self):
        """Bytes of every delivered mail, in the order of delivery."""
        new = self.work / "mail/box/new"
        files = sorted(new.iterdir(), key=lambda p: p.stat().st_mtime_ns) if new.exists() else []
        return [path.read_bytes() for path in files]

    def wait_stored(self, count, timeout=SOON):
        try:
            return until(lambda: len(self.stored()) >= count and self.stored(), f"{count} mails delivered", timeout, interval=0.05)
        except Timeout as error:
            raise Timeout(f"{error}; Postfix's log:\n{self.log()[-4000:]}") from None

    # --- for the books of the posterns in front of it ---

    @property
    def completed(self):
        self.wait_queue_empty()
        return [Delivery(digests_of(content_of(stored)), 250) for stored in self.stored()]

    counts = False  # its log comes when it comes

    @property
    def said(self):
        return [int(code) for code in re.findall(r"postfix/smtpd\[\d+\]: .*: (\d{3}) \d\.\d\.\d", self.log())]

    def resume(self):
        pass

    def recover(self):
        return True

    def accepted_count(self):
        """Messages that smtpd took responsibility for, delivered or not yet: the honest count where nothing should arrive."""
        return len(re.findall(r"postfix/cleanup\[\d+\]: [0-9A-F]+: message-id=", self.log()))

    def queue_is_empty(self):
        return not any(path.is_file() for name in ("maildrop", "incoming", "active", "deferred", "hold")
                       for path in (self.work / "queue" / name).rglob("*"))

    def wait_queue_empty(self, timeout=SOON):
        until(self.queue_is_empty, "Postfix's queue is empty", timeout)


def content_of(stored):
    """A stored mail without the lines that Postfix puts in front, with CRLF as they were sent."""
    lines = stored.split(b"\n")
    index = 0
    while re.match(rb"(Return-Path|X-Original-To|Delivered-To|Received): |[ \t]", lines[index]):
        index += 1
    return b"\n".join(lines[index:]).replace(b"\n", b"\r\n")
