# SPDX-License-Identifier: MIT
"""What is measured, each program as its makers ship it, in front of the same smtp-sink and with the same signatures.

The peers get what makes them fast where it changes no promise: no DNS, no ident, no flow delay, enough processes for every session, clamd by a
local socket and its temporary files in memory. What would make the comparison unfair to either side is the same for all: libclamav's cache of
clean files is off (every message is the same here, unlike real mail), heuristics that guess are off, limits are alerts.
"""
import os
import re
import signal
import smtplib
import socket
import subprocess
from pathlib import Path

from harness import clamd as private_clamd, processes
from harness.peers import unpack
from harness.places import free_port, until
from harness.postfix import Postfix

from . import account

HOST = "127.0.0.1"
WORKERS = 4
READY = 60.0
LIBRARIES = ("libmilter1.0.1", "libmariadb3", "libidn12", "libspf2-2")


class Trouble(Exception):
    """Something that makes a measurement impossible; the text says what."""


def environment(*more):
    """For programs that were unpacked: libraries of unpacked packages."""
    paths = [*more]
    for package in LIBRARIES:
        root = unpack(package)
        paths += [root / "usr/lib/x86_64-linux-gnu", root / "usr/lib"]
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "LD_LIBRARY_PATH": ":".join(map(str, paths))}


def greets(port):
    try:
        with socket.create_connection((HOST, port), 1) as probe:
            greeted = probe.recv(100).startswith(b"220")
            probe.sendall(b"QUIT\r\n")
            return greeted
    except OSError:
        return False


class Program:
    """A process with all its descendants, its output in a file."""

    def __init__(self, work, name):
        self.name = name
        self.work = work / name
        self.work.mkdir()
        self.work.chmod(0o1777)
        self.process = None

    def launch(self, arguments, **options):
        self.output = self.work / "output"
        with open(self.output, "wb") as out:
            # nobody needs a terminal or input; a session of its own, so that Ctrl-C reaches only the benchmark, which then stops it
            self.process = subprocess.Popen([str(a) for a in arguments], stdout=out, stderr=subprocess.STDOUT, start_new_session=True, cwd="/",
                                            **{"stdin": subprocess.DEVNULL, "env": environment(), **options})

    def wait(self, condition, what):
        def alive():
            if self.process.poll() is not None:
                raise Trouble(f"{self.name} ended with status {self.process.returncode}; it said:\n{self.said()}")
            return condition()
        until(alive, f"{self.name}: {what}; it said:\n{self.said()}", READY)

    def said(self):
        return self.output.read_text(errors="replace")[-3000:]

    def pid(self):
        return self.process.pid

    def stop(self):
        if self.process is None:
            return
        family = account.family(self.process.pid)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        watched = [processes.Watched(pid) for pid in family[1:]]
        for member in watched:
            try:
                member.wait_gone(0.5)
            except AssertionError:
                os.kill(member.pid, signal.SIGKILL)


def postfix_tool(name):
    return unpack("postfix") / "usr/sbin" / name


def postfix_environment():
    return environment(unpack("postfix") / "usr/lib/postfix")


# Of smtp-sink -c; written again for each session, so a number that stands without its end is another one's begin.
COUNTER = re.compile(rb"mesg=(\d+)\r")


class Sink(Program):
    """smtp-sink, which also counts what reached it."""

    def __init__(self, work):
        super().__init__(work, "smtp-sink")
        self.port = free_port()

    def start(self):
        self.launch([postfix_tool("smtp-sink"), "-4", "-c", "-m", "2000", "-u", "nobody", f"{HOST}:{self.port}", "1000"], env=postfix_environment())
        self.wait(lambda: greets(self.port), "greets")
        return self

    def count(self):
        """Messages received since the start: the last of the running counters, however many warnings stand behind it."""
        with open(self.output, "rb") as file:
            size, look = file.seek(0, os.SEEK_END), 400
            while True:
                file.seek(max(0, size - look))
                counters = COUNTER.findall(file.read(look))
                if counters or look >= size:
                    return int(counters[-1]) if counters else 0
                look *= 8


class Clamd(Program):
    def __init__(self, work, database, temporary):
        super().__init__(work, "clamd")
        self.socket = self.work / "socket"
        self.port = free_port()
        self.configuration = self.work / "clamd.conf"
        self.configuration.write_text(private_clamd.configuration(
            database, temporary, self.socket, self.port, MaxConnectionQueueLength=500, MaxThreads=10, MaxQueue=200, DisableCache="yes",
            HeuristicAlerts="no", PhishingSignatures="no", PhishingScanURLs="no", AlertExceedsMax="yes"))

    def start(self):
        self.launch([private_clamd.program(), "-c", self.configuration])
        self.wait(lambda: private_clamd.answers(self.socket), "answers")
        return self


class Way:
    """A way for mail from source to sink: a port, the programs on it, and whether it scans."""

    scans = True

    def __init__(self, name, port, programs, remark=""):
        self.name, self.port, self.programs, self.remark = name, port, programs, remark

    def groups(self):
        return {program.name: program.pid() for program in self.programs}

    def send(self, content):
        """True when the message was accepted; for the check before the measurement."""
        with smtplib.SMTP(HOST, self.port, timeout=60) as client:
            try:
                client.sendmail("a@x.test", ["b@y.test"], content)
                return True
            except smtplib.SMTPResponseException:
                return False


class Postern(Program):
    def __init__(self, work, build, database, sink, *, name="postern", scan=True, daemon=None, engine=""):
        super().__init__(work, name)
        self.port = free_port()
        self.build = Path(build)
        spool = self.work / "spool"
        spool.mkdir()
        spool.chmod(0o1777)
        temporary = self.work / "tmp"
        temporary.mkdir()
        temporary.chmod(0o1777)
        self.environment = {**environment(), "TMPDIR": str(temporary)}
        self.configuration = self.work / "postern.conf"
        source = f'daemon = "{daemon}"' if daemon else f'database = "{database}"'
        engine = f'antivirus "antivirus1" {{ clamav "clamav1" {{ {source} action = reject error_code = 451 timeout = 120 {engine} }} }}'
        self.configuration.write_text(f"""\
hostname = "gw.y.test"
spoolbase = "{spool}"
max_connections_per_host = 5000
max_outbound_connections = 2000
{'' if scan else 'scan = off'}
ESMTP_Listener {{ Listen "{HOST}:{self.port}" {{ }} }}
Backend {{ Server "{HOST}:{sink.port}" {{ }} }}
ThreadPool "{'IO' if daemon else 'CPU'}" {{ Concurrency = {WORKERS} }}
{engine if scan else ''}
""")

    def start(self):
        self.launch([self.build / "bin/postern", "--config", self.configuration], env=self.environment)
        self.wait(lambda: b" ready" in self.output.read_bytes(), "is ready")
        return self

    def edge_pid(self):
        found = [pid for pid in processes.children(self.pid()) if "--role" in processes.command_line(pid)]
        if len(found) != 1:
            raise Trouble(f"{self.name}: {len(found)} edge processes, expected 1")
        return found[0]

    def scan_host_pid(self):
        for pid in processes.children(self.pid()):
            if "--pool" in processes.command_line(pid):
                return pid
        raise Trouble(f"{self.name}: no scan host")


class Clamsmtp(Program):
    def __init__(self, work, clamd, sink):
        super().__init__(work, "clamsmtp")
        self.port = free_port()
        self.configuration = self.work / "clamsmtpd.conf"
        self.configuration.write_text(f"""\
OutAddress: {HOST}:{sink.port}
Listen: {HOST}:{self.port}
ClamAddress: {clamd.socket}
TempDirectory: {self.work}
MaxConnections: 256
User: nobody
""")

    def start(self):
        self.launch([unpack("clamsmtp") / "usr/sbin/clamsmtpd", "-d", "1", "-f", self.configuration])
        self.wait(lambda: greets(self.port), "greets")
        return self


class Milter(Program):
    def __init__(self, work, clamd):
        super().__init__(work, "clamav-milter")
        self.socket = self.work / "socket"
        self.configuration = self.work / "milter.conf"
        self.configuration.write_text(f"""\
MilterSocket {self.socket}
MilterSocketMode 666
User nobody
Foreground yes
ClamdSocket unix:{clamd.socket}
OnInfected Reject
OnFail Defer
MaxFileSize 100M
TemporaryDirectory {self.work}
""")

    def start(self):
        self.launch([unpack("clamav-milter") / "usr/sbin/clamav-milter", "-c", self.configuration])
        self.wait(self.socket.exists, "opens its socket")
        return self


class RelayingPostfix(Postfix):
    """The private Postfix of the end-to-end tests as a gateway: milter before the queue, everything relayed to the sink."""

    name = "postfix"

    def __init__(self, work, milter, sink):
        directory = work / self.name
        directory.mkdir()
        super().__init__(directory, virtual_mailbox_domains="", relay_domains="y.test", relay_recipient_maps="",
                         smtpd_milters=f"unix:{milter.socket}", milter_default_action="tempfail",
                         default_transport=f"smtp:[{HOST}]:{sink.port}", relay_transport=f"smtp:[{HOST}]:{sink.port}",
                         disable_dns_lookups="yes", smtpd_peername_lookup="no", in_flow_delay="0", default_process_limit="200",
                         default_destination_concurrency_limit="50", smtpd_client_connection_count_limit="0")
        with open(directory / "etc/master.cf", "a", encoding="ascii") as file:
            file.write("smtp unix - - n - - smtp\nrelay unix - - n - - smtp\n")

    def pid(self):
        return self.process.pid


class Exim(Program):
    def __init__(self, work, clamd, sink):
        super().__init__(work, "exim")
        self.port = free_port()
        self.program = unpack("exim4-daemon-heavy") / "usr/sbin/exim4"
        nobody = 65534
        for name in ("spool", "log"):
            (self.work / name).mkdir()
            os.chown(self.work / name, nobody, nobody)
        self.work.chmod(0o755)
        os.chown(self.work, nobody, nobody)
        self.configuration = self.work / "exim.conf"
        self.configuration.write_text(f"""\
primary_hostname = exim.y.test
exim_path = {self.program}
keep_environment = LD_LIBRARY_PATH
exim_user = nobody
exim_group = nogroup
never_users =
spool_directory = {self.work}/spool
log_file_path = {self.work}/log/%slog
pid_file_path = {self.work}/pid
local_interfaces = {HOST}
daemon_smtp_ports = {self.port}
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 500
smtp_accept_queue = 0
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
smtp_connect_backlog = 500
av_scanner = clamd:{clamd.socket}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  accept control = cutthrough_delivery/defer=pass
data:
  deny malware = *
       message = virus $malware_name
  accept
begin routers
all:
  driver = manualroute
  route_list = * {HOST}
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = {sink.port}
  allow_localhost
  hosts_avoid_tls = *
""")

    def start(self):
        # Debian's Exim looks up the account that it was built for. It exists only in this mount namespace.
        for name, account_line in (("passwd", "Debian-exim:x:64992:64992::/nonexistent:/usr/sbin/nologin"), ("group", "Debian-exim:x:64992:")):
            kept = [line for line in Path("/etc", name).read_text().splitlines() if not line.startswith("Debian-exim:")]
            (self.work / name).write_text("\n".join([*kept, account_line]) + "\n")
        script = 'set -e; mount --bind "$1/passwd" /etc/passwd; mount --bind "$1/group" /etc/group; exec "$2" -C "$1/exim.conf" -bdf'
        self.launch(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", self.work, self.program])
        self.wait(lambda: greets(self.port), "greets")
        return self


class Alone(Program):
    """libclamav alone: see alone.c. Not a way for mail, but a time on the same messages."""

    def __init__(self, work, program, database, temporary):
        super().__init__(work, "libclamav alone")
        self.program, self.database, self.temporary = program, database, temporary

    def start(self):
        self.launch([self.program, self.database, self.temporary], stdin=subprocess.PIPE)
        self.wait(lambda: b"ready\n" in self.output.read_bytes(), "has loaded its signatures")
        return self

    def answers(self):
        """One a request; libclamav's warnings stand between them, in a line of their own or before a half."""
        return re.findall(r"(-?\d+\.\d{6}) (\d+\.\d{6})\n", self.output.read_text(errors="replace"))

    def scan(self, mail, count, concurrency, timeout, pause=0.0):
        """Elapsed and CPU seconds of COUNT scans by CONCURRENCY processes that sleep PAUSE seconds before each, which do not count."""
        before = len(self.answers())
        self.process.stdin.write(f"{concurrency} {count} {round(pause * 1e6)} {mail.wire}\n".encode())
        self.process.stdin.flush()

        def answered():
            if self.process.poll() is not None:
                raise Trouble(f"{self.name} ended: {self.said()}")
            return len(self.answers()) > before
        until(answered, f"{self.name}: {count} scans", timeout, interval=0.005)
        elapsed, cpu = self.answers()[before]
        return float(elapsed), float(cpu)
