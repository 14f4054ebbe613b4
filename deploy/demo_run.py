# SPDX-License-Identifier: MIT
"""The running part of deploy/demo: mail store, postern, and what is said to the person in front of it.

Knows postern only from outside: its command line, its configuration, its log. Everything lives in one temporary directory.
"""
import contextlib
import glob
import os
import pwd
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
POSTERN = os.path.join(ROOT, "build/release/bin/postern")
BUNDLED_SIGNATURES = os.path.join(ROOT, "deploy/demo-signatures")
SYSTEM_SIGNATURES = "/var/lib/clamav"
HOST = "127.0.0.1"
PORT = int(os.environ.get("POSTERN_DEMO_PORT", "2525"))
STORE_PORT = int(os.environ.get("POSTERN_DEMO_STORE_PORT", "10025"))
READY_SECONDS = 300  # a full signature database takes about a minute on a slow machine
STOP_SECONDS = 30


class DemoError(Exception):
    """Something that the person in front of the demo has to know; the text says what."""


def check_port_is_free(port, variable):
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise DemoError(f"{HOST}:{port} cannot be used ({error.strerror}); "
                            f"stop what uses it, or choose another port with {variable}=PORT") from error


def choose_signatures(directory):
    """The machine's own database where there is one; else the bundled test signatures, copied to where any user may read them."""
    if glob.glob(SYSTEM_SIGNATURES + "/*.c[vl]d"):
        return SYSTEM_SIGNATURES
    copy = os.path.join(directory, "signatures")
    shutil.copytree(BUNDLED_SIGNATURES, copy)
    os.chmod(copy, 0o755)
    for name in os.listdir(copy):
        os.chmod(os.path.join(copy, name), 0o644)
    return copy


def write_configuration(directory, signatures):
    spool = os.path.join(directory, "spool")
    os.mkdir(spool)
    os.chmod(spool, 0o1777)  # sticky: postern makes a directory of its own in it, whichever user it runs as
    path = os.path.join(directory, "postern.conf")
    with open(path, "w", encoding="ascii") as out:
        out.write(f'''hostname = "demo.postern.example"
spoolbase = "{spool}"
ESMTP_Listener {{ Listen "{HOST}:{PORT}" {{ }} }}
Backend {{ Server "{HOST}:{STORE_PORT}" {{ }} }}
ThreadPool "CPU" {{ Concurrency = 2 }}
antivirus "antivirus1" {{
  clamav "clamav1" {{
    database = "{signatures}"
    action = reject
    error_code = 451
    timeout = 20
  }}
}}
''')
    return path


class Program:
    """A child with its output in a pipe that is read line by line."""

    def __init__(self, name, arguments, **options):
        self.name = name
        self.lines = []
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True, **options)
        self.pending = b""
        os.set_blocking(self.process.stdout.fileno(), False)

    def read(self):
        """New whole lines; None at the end of the output."""
        data = self.process.stdout.read()
        if data == b"":
            return None
        *lines, self.pending = (self.pending + (data or b"")).split(b"\n")
        found = [line.decode("ascii", "backslashreplace") for line in lines]
        self.lines += found
        return found

    def wait_for(self, accept, seconds):
        """Until a line is accepted. The end of the program or the deadline is an error that shows what it said."""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise DemoError(f"{self.name} was not ready after {seconds} s; it said:\n" + self.said())
                if not selector.select(left):
                    continue
                lines = self.read()
                if lines is None:
                    raise DemoError(f"{self.name} ended with status {self.process.wait()}; it said:\n" + self.said())
                for line in lines:
                    if accept(line):
                        return line

    def said(self):
        return "\n".join("  " + line for line in self.lines[-30:])

    def stop(self):
        """SIGTERM and wait; True if it ended by itself in time. Harmless when it has ended."""
        if self.process.returncode is not None:
            return True
        self.process.send_signal(signal.SIGTERM)
        clean = True
        try:
            output, _ = self.process.communicate(timeout=STOP_SECONDS)
            self.lines += output.decode("ascii", "backslashreplace").splitlines()
        except subprocess.TimeoutExpired:
            clean = False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return clean


def start_store(directory, stack):
    """A mail store of Debian's own: every message becomes one file in a Maildir."""
    maildir = os.path.join(directory, "maildir")
    os.mkdir(maildir)
    options = {}
    if os.getuid() == 0:  # it need not be root, and so it is not
        nobody = pwd.getpwnam("nobody")
        os.chown(maildir, nobody.pw_uid, nobody.pw_gid)
        options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    box = os.path.join(maildir, "box")
    store = Program("the mail store", ["/usr/bin/python3", "-B", "-u", "-m", "aiosmtpd", "-n", "-d", "-l", f"{HOST}:{STORE_PORT}",
                                       "-c", "aiosmtpd.handlers.Mailbox", box], cwd=directory, **options)
    stack.callback(store.stop)
    store.wait_for(lambda line: "Server is listening" in line, 30)
    return store, box


def start_postern(configuration, directory, stack):
    postern = Program("postern", [POSTERN, "--config", configuration], cwd=directory)
    stack.callback(postern.stop)
    postern.wait_for(lambda line: re.match(r"\S+ notice ready\b", line), READY_SECONDS)
    return postern


SWAKS = f"swaks --server {HOST}:{PORT} --from sender@example.org --to box@example.net"
CLEAN = SWAKS + " --header 'Subject: a clean mail' --body 'Nothing but words.'"
# The standard anti-virus test file, put together by printf, so that this file does not contain it.
INFECTED = (r"printf 'X5O!P%%@AP[4\\PZX54(P^)7CC)7}$%s-STANDARD-%s!$H+H*' EICAR ANTIVIRUS-TEST-FILE | " + SWAKS +
            " --header 'Subject: an infected mail' --body 'See the attachment.' --attach -")


def explain(signatures, box):
    own = "the machine's own database" if signatures == SYSTEM_SIGNATURES else "the bundled test signatures"
    print(f"""
postern listens on {HOST}:{PORT}, scans with libclamav and {own} ({signatures}),
and relays to a small mail store, which writes each mail to {box}/new.

A clean mail; the answer after the final dot is the mail store's own: 250 2.0.0 OK
  {CLEAN}

An infected mail; postern answers after the final dot: 550 5.7.1 and the name of the virus
  {INFECTED}
""", flush=True)


def run_dialogue(title, command):
    """Runs COMMAND as it was printed, shows what was said, returns it."""
    print(f"== {title}\n$ {command}", flush=True)
    done = subprocess.run(["/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False,
                          stdin=subprocess.DEVNULL)
    dialogue = done.stdout.decode("utf-8", "replace")
    print(dialogue, flush=True)
    return dialogue


def final_reply(dialogue):
    """The server's lines after the client's final dot."""
    lines = dialogue.split("\n")
    if " -> ." not in lines:
        raise DemoError("the dialogue ended before the final dot")
    after = lines[lines.index(" -> .") + 1:]
    return " ".join(line[3:].strip() for line in after[:1]) if after and after[0][:2] in ("<-", "<*") else "(no reply)"


def sent_text(dialogue):
    """The message as the client sent it, with LF for CRLF, dot-stuffing undone."""
    lines = dialogue.split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("<-  354"))
    body = [line[4:].removesuffix("\r") for line in lines[start + 1:lines.index(" -> .")]]
    return "".join((line[1:] if line.startswith(".") else line) + "\n" for line in body)


def stored_text(path):
    """A stored message without the three headers that the mail store adds."""
    with open(path, encoding="utf-8") as stored:
        return re.sub(r"^X-(Peer|MailFrom|RcptTo): .*\n", "", stored.read(), flags=re.MULTILINE)


def run_once(box):
    """Both commands; raises DemoError unless the clean mail arrived unchanged and the infected one was refused."""
    dialogue = run_dialogue("a clean mail", CLEAN)
    reply = final_reply(dialogue)
    if not reply.startswith("250 "):
        raise DemoError(f"the clean mail was answered {reply!r}, expected 250")
    stored = glob.glob(box + "/new/*")
    if len(stored) != 1:
        raise DemoError(f"{len(stored)} mails in {box}/new after the clean mail, expected 1")
    sent, arrived = sent_text(dialogue), stored_text(stored[0])
    if sent != arrived:
        raise DemoError(f"the clean mail arrived changed:\n{arrived!r}\nexpected:\n{sent!r}")

    reply = final_reply(run_dialogue("an infected mail", INFECTED))
    if not reply.startswith("550 5.7.1 "):
        raise DemoError(f"the infected mail was answered {reply!r}, expected 550 5.7.1")
    if len(glob.glob(box + "/new/*")) != 1:
        raise DemoError(f"the infected mail was refused and yet stands in {box}/new")
    print("demo: the clean mail arrived unchanged, the infected one was refused", flush=True)


def serve_until_interrupted(postern, store):
    print("Ctrl-C stops everything. The log of postern:", flush=True)
    with selectors.DefaultSelector() as selector:
        for program in (postern, store):
            selector.register(program.process.stdout, selectors.EVENT_READ, program)
        while True:
            for key, _ in selector.select():
                lines = key.data.read()
                if lines is None:
                    raise DemoError(f"{key.data.name} ended with status {key.data.process.wait()}; it said:\n" + key.data.said())
                if key.data is postern and lines:
                    print("\n".join(lines), flush=True)


def interrupt(_number, _frame):
    raise KeyboardInterrupt


def run(directory, once):
    os.chmod(directory, 0o755)
    check_port_is_free(PORT, "POSTERN_DEMO_PORT")
    check_port_is_free(STORE_PORT, "POSTERN_DEMO_STORE_PORT")
    signatures = choose_signatures(directory)
    with contextlib.ExitStack() as stack:
        store, box = start_store(directory, stack)
        print("demo: postern starts; it is ready once its signatures are loaded", flush=True)
        postern = start_postern(write_configuration(directory, signatures), directory, stack)
        explain(signatures, box)
        try:
            if once:
                run_once(box)
            else:
                serve_until_interrupted(postern, store)
        except KeyboardInterrupt:
            print("\ndemo: stopping", flush=True)
            if once:
                raise
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not postern.stop() or postern.process.returncode != 0:
            raise DemoError(f"postern did not stop cleanly: status {postern.process.returncode}; it said:\n" + postern.said())


def main():
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="postern-demo-") as directory:
            run(directory, "--once" in sys.argv[1:])
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
