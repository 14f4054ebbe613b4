# SPDX-License-Identifier: MIT
"""Scanning with Kaspersky's daemons, emulated: aveserver by file and over the connection, Kaspersky Scan Engine by HTTP; the ways to misbehave;
the original's own stanza, unchanged."""
import base64
import concurrent.futures
import fcntl
import functools
import json
import os
import re
import signal
import socket
import tempfile
from pathlib import Path

import pytest
from conftest import lend_to_a_test, make_file_base, messages_in, one_for_a_module
from harness import mail, places, processes, verdicts
from harness.console import Console, listener
from harness.emulators.base import Fault
from harness.emulators.kaspersky import Aveserver, ScanEngine
from harness.original import KASPERSKY
from harness.postern import asking_daemons, engine
from harness.verdicts import assert_error, assert_passes, assert_unscannable, case, deliver_in_background, send, virus

DETECTED = "EICAR-Test-File"
CLEANMSG = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhello\r\n"
BADMSG = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nTEST-VIRUS-PAYLOAD\r\n"


assert_infected = functools.partial(verdicts.assert_infected, name=DETECTED)


def stanza(daemon, workers=1, pool="", **options):
    return asking_daemons(engine("kaspersky", "kaspersky1", getattr(daemon, "address", daemon), **{"test_string": "ignored", **options}), workers=workers, pool=pool)


def by_file(daemon, files, **options):
    return stanza(daemon, file_base=files, **options)


def over_connection(daemon, **options):
    return stanza(daemon, daemon_is_remote="true", **options)


# Daemons and directories must outlive postern: their fixtures stand before start_pair.

@pytest.fixture(params=["tcp", "unix"])
def aveserver(request, directory):
    daemon = Aveserver(directory / "aveserver" if request.param == "unix" else None).start()
    yield daemon
    daemon.stop()


@pytest.fixture
def by_tcp():
    daemon = Aveserver().start()
    yield daemon
    daemon.stop()


@pytest.fixture
def scan_engine():
    daemon = ScanEngine().start()
    yield daemon
    daemon.stop()


WAYS = ["SCAN", "NETSCAN", "http", "http by file", "rest", "rest by file"]
ROOM = 4 << 20


class Way:
    """A daemon, and a postern that asks it in one of the ways."""

    def __init__(self, name):
        self.name = name
        self.aveserver = name.isupper()  # it is that one
        self.local = name == "SCAN" or name.endswith("file")
        self.daemon = (Aveserver() if self.aveserver else ScanEngine()).start()
        self.pair = None

    def engines(self, home, **options):
        options = {"timeout": "60s", "breaker_failures": 0, "max_filesize": ROOM, **options}
        if not self.aveserver:
            options["protocol"] = self.name.split()[0]
        return by_file(self.daemon, make_file_base(home), **options) if self.local else over_connection(self.daemon, **options)


@pytest.fixture(scope="module", params=WAYS)
def shared_way(request):
    way = Way(request.param)
    for way.pair in one_for_a_module(request, way.engines):
        yield way
    way.daemon.stop()


@pytest.fixture
def way(request, shared_way):
    shared_way.daemon.forget()
    for _ in lend_to_a_test(request, shared_way.pair):
        yield shared_way


# --- the emulators say what is known of the real ones ---

def converse(daemon, sent):
    """What comes back for SENT, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", daemon.port), 5) as connection:
        connection.settimeout(places.SOON)
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        came = b""
        while octets := connection.recv(65536):
            came += octets
        return came


def test_vectors_of_aveserver(by_tcp, directory):
    clean, infected = directory / "m1", directory / "m2"
    clean.write_bytes(CLEANMSG)
    infected.write_bytes(BADMSG)
    assert converse(by_tcp, b"SCAN bPQRSTUW %s\r\nQUIT\r\n" % bytes(clean)) == b"201 KAV emulator ready\r\n220 File is clean\r\n201 Bye\r\n"
    assert converse(by_tcp, b"SCAN bPQRSTUW %s\r\nquit\r\n" % bytes(infected)) == (
        b"201 KAV emulator ready\r\n322-EICAR-Test-File %s/part1\r\n230 File is infected\r\n201 Bye\r\n" % bytes(infected))
    assert converse(by_tcp, b"SCAN bPQRSTUW /nowhere/m\r\nQUIT\r\n").split(b"\r\n")[1] == b"525 File not found"
    assert converse(by_tcp, b"NETSCAN bPQRSTUW 75\r\n" + BADMSG + b"NETSCAN bPQRSTUW 62\r\n" + CLEANMSG + b"QUIT\r\n") == (
        b"201 KAV emulator ready\r\n322-EICAR-Test-File /stream/part1\r\n230 File is infected\r\n220 File is clean\r\n201 Bye\r\n")
    by_tcp.licensed = False
    assert converse(by_tcp, b"NETSCAN bPQRSTUW 62\r\n") == b"201 KAV emulator ready\r\n502 NETSCAN not licensed\r\n"
    by_tcp.greeting = b"501 bases are being loaded"
    assert converse(by_tcp, b"") == b"501 bases are being loaded\r\n"


def test_vectors_of_kaspersky_scan_engine(scan_engine):
    assert converse(scan_engine, b"POST /scanmemory HTTP/1.0\r\nHost: 127.0.0.1:9999\r\nX-KAV-ProtocolVersion: 1\r\nX-KAV-Timeout: 5000\r\n"
                    b"X-KAV-ObjectURL: [from:a@example.org]\r\nContent-Length: 75\r\n\r\n" + BADMSG) == (
        b"HTTP/1.0 200 OK\r\nServer: KAVHTTPD/1.0\r\nX-KAV-ProtocolVersion: 1\r\nContent-Type: text/plain\r\nContent-Length: 24\r\n"
        b"Connection: close\r\n\r\nDETECT EICAR-Test-File\r\n")
    assert converse(scan_engine, b"POST /api/v3.0/scanmemory HTTP/1.0\r\nHost: 127.0.0.1:9999\r\nContent-Type: application/json\r\n"
                    b'Content-Length: 55\r\n\r\n{"timeout":"10000","object":"VEVTVC1WSVJVUy1QQVlMT0FE"}') == (
        b"HTTP/1.0 200 OK\r\nServer: KAVHTTPD/1.0\r\nX-KAV-ProtocolVersion: 3\r\nContent-Type: application/json\r\nContent-Length: 75\r\n"
        b'Connection: close\r\n\r\n{"object":"memory","scanResult":"DETECT","detectionName":"EICAR-Test-File"}')


# What postern itself says, octet by octet. Not among it: X-KAV-ObjectURL, which names a mail's sender, as no engine learns of the envelope.

POST = (r"POST /scan{0} HTTP/1\.0\r\nHost: 127\.0\.0\.1:{1}\r\nX-KAV-ProtocolVersion: 1\r\nX-KAV-Timeout: \d+\r\nContent-Length: {2}\r\n\r\n{3}")
POST_REST = (r"POST /api/v3\.0/scan{0} HTTP/1\.0\r\nHost: 127\.0\.0\.1:{1}\r\nContent-Type: application/json\r\nContent-Length: {2}\r\n\r\n"
             r'\{{"timeout":"\d+","object":"{3}"\}}')
WORDS = {"SCAN": r"SCAN bPQRSTUW {3}\r\n", "NETSCAN": r"NETSCAN bPQRSTUW {2}\r\n{3}", "http": POST, "http by file": POST, "rest": POST_REST,
         "rest by file": POST_REST}


def test_postern_says_what_the_vectors_say(way):
    content = mail.plain(b".dots\r\n\x01\xff\r\n")
    assert_passes(way.pair, content)
    heard = bytes(way.daemon.heard[0])
    if way.local:
        told = re.escape(way.daemon.files[-1]["path"].encode()).decode()
        size = len(way.daemon.files[-1]["path"])
    else:
        said = base64.b64encode(content) if way.name == "rest" else content
        told, size = re.escape(said).decode("latin-1"), len(said)
    if way.name.startswith("rest"):
        size = len(heard.split(b"\r\n\r\n", 1)[1])
        json.loads(heard.split(b"\r\n\r\n", 1)[1])
    pattern = WORDS[way.name].format("file" if way.local else "memory", way.daemon.port, size, told)
    assert re.fullmatch(pattern.encode("latin-1"), heard), heard


# --- good days ---

def test_clean_passes_and_a_virus_is_refused(way):
    content = mail.plain(b"..dots\r\n.\xe4\r\n")
    assert assert_passes(way.pair, content)["engine"] == "kaspersky1"
    assert_infected(way.pair)
    assert_passes(way.pair)
    assert [octets for _, octets in way.daemon.wait_scans(3)][0] == content, "what is scanned is what the client sent"
    assert way.daemon.connections == 3
    assert {how.rsplit("/", 1)[-1] for how, _ in way.daemon.scans} == {
        "SCAN": {"SCAN"}, "NETSCAN": {"NETSCAN"}, "http": {"scanmemory"}, "rest": {"scanmemory"}}.get(way.name, {"scanfile"})


def test_a_large_message_arrives_whole_and_one_beyond_max_filesize_not_at_all(way):
    content = mail.of_size(ROOM - 1000)
    assert_passes(way.pair, content)
    assert way.daemon.wait_scans()[0][1] == content
    connections = way.daemon.connections
    assert_unscannable(way.pair, mail.of_size(ROOM + 1000), "too-large")
    assert (len(way.daemon.scans), way.daemon.connections) == (1, connections)


def test_over_a_unix_socket_too(aveserver, files, start_pair):
    pair = start_pair(engines=by_file(aveserver, files))
    assert_passes(pair)
    assert_infected(pair)
    pair.log.wait_for("engine-ready", version="aveserver: KAV emulator ready")
    assert pair.log.wait_for("sandbox", pool="IO")["profile"] == "net"


# --- files in file_base ---

def test_B42_the_daemon_finds_a_file_of_our_own_making_and_it_is_gone_after_the_answer(by_tcp, files, start_pair):
    pair = start_pair(engines=by_file(by_tcp, files))
    assert_passes(pair, mail.plain(headers=["X-Name: ../../etc/passwd"]))
    assert messages_in(files) == []
    seen = by_tcp.files[0]
    assert Path(seen["path"]).parent.parent == files
    assert (seen["mode"], seen["directory"]) == (0o640, 0o710), "its group may read it, nobody else"
    assert Path(seen["path"]).name == "1.eml"


@pytest.mark.root
def test_the_group_of_file_base_is_the_files_group(by_tcp, files, start_pair):
    os.chown(files, 65534, 12321)
    files.chmod(0o2750)
    pair = start_pair(engines=by_file(by_tcp, files), top={"scan_user": "nobody"})
    assert_passes(pair)
    assert (by_tcp.files[0]["group"], by_tcp.files[0]["mode"], by_tcp.files[0]["directory"]) == (12321, 0o640, 0o2710)


@pytest.mark.parametrize("end", ["killed", "deadline", "client gone"])
def test_a_file_does_not_outlive_its_worker(by_tcp, files, start_pair, end):
    pair = start_pair(engines=by_file(by_tcp, files, timeout="2s" if end == "deadline" else "60s"))
    by_tcp.misbehave(Fault(stall=5))
    if end == "client gone":
        with pair.client() as client:
            client.ehlo()
            client.start_data()
            client.send(mail.plain() + b".\r\n")
            by_tcp.wait_scans()
            assert len(messages_in(files)) == 1
    else:
        thread, replies = deliver_in_background(pair, mail.plain())
        by_tcp.wait_scans()
        assert len(messages_in(files)) == 1
        if end == "killed":
            pair.postern.book.killed.update(["worker"])
            os.kill(pair.postern.worker_pids("IO")[0], signal.SIGKILL)
        thread.join(60)
        assert replies and replies[0].code == 451, replies
    places.until(lambda: messages_in(files) == [], "the file is gone")
    assert_passes(pair)


def test_what_a_killed_host_left_is_swept_at_the_next_start_and_nothing_else(by_tcp, files, start_pair):
    pair = start_pair(engines=by_file(by_tcp, files, timeout="60s"))
    other = files / "postern-message-of-somebody-else"
    if places.is_root():  # otherwise it would be our own
        other.mkdir()
    (files / "kept").write_text("not ours")
    by_tcp.misbehave(Fault(stall=5))
    thread, _ = deliver_in_background(pair, mail.plain())
    by_tcp.wait_scans()
    workers = [processes.Watched(pid) for pid in pair.postern.worker_pids("IO")]
    pair.postern.book.killed.update(["scan", "worker"])
    os.kill(pair.postern.scan_host_pid("IO"), signal.SIGKILL)
    for worker in workers:
        worker.wait_gone(places.SOON)
    thread.join(60)
    pair.postern.stop()
    second = start_pair(engines=by_file(by_tcp, files))
    assert_passes(second)
    assert messages_in(files) == []
    assert len(list(files.glob("postern-message-*-*-*"))) <= 2, "beside somebody else's only that of the worker"
    assert other.exists() == places.is_root() and (files / "kept").exists()
    second.postern.stop()
    if places.is_root():
        other.rmdir()
    (files / "kept").unlink()


def test_two_posterns_share_a_file_base(by_tcp, files, start_pair):
    first = start_pair(engines=by_file(by_tcp, files, timeout="60s"))
    by_tcp.misbehave(Fault(delay=0.1))
    assert_passes(first)
    second = start_pair(engines=by_file(by_tcp, files))
    assert_passes(second)
    assert_passes(first)
    used = [Path(seen["path"]).parent for seen in by_tcp.files]
    assert used[0] == used[2] != used[1], "the first one's worker and its directory live"


def test_a_file_base_that_cannot_be_used_is_named_and_mail_flows_when_it_is_mended(by_tcp, files, start_pair):
    missing = files / "missing"
    pair = start_pair(engines=by_file(by_tcp, missing))
    assert "No such file" in pair.log.wait_for("engine-down")["reason"]
    event = assert_error(pair, "down")
    assert str(missing) in event["detail"] and "No such file" in event["detail"], event
    missing.mkdir()
    missing.chmod(0o777)
    event = assert_error(pair, "down")
    assert "sticky" in event["detail"], event
    missing.chmod(0o1777)
    assert_passes(pair)
    pair.postern.stop()
    missing.rmdir()


def test_a_file_base_swept_away_under_a_running_worker_is_made_again(by_tcp, files, start_pair):
    pair = start_pair(engines=by_file(by_tcp, files))
    assert_passes(pair)
    for path in files.iterdir():
        path.rmdir()
    assert_error(pair, "down")
    assert_passes(pair)


@pytest.mark.root
def test_a_full_disk_is_an_error_that_says_so_and_mail_flows_when_there_is_room(by_tcp, small_disk, start_pair):
    pair = start_pair(engines=by_file(by_tcp, small_disk))
    event = assert_error(pair, "engine", content=mail.of_size(2 << 20))
    assert "file_base" in event["detail"] and "No space left on device" in event["detail"], event
    assert messages_in(small_disk) == []
    assert_passes(pair)
    pair.postern.stop()
    assert list(small_disk.iterdir()) == []


def test_no_message_takes_more_room_than_temp_size(by_tcp, files, start_pair):
    pair = start_pair(engines=stanza(by_tcp, pool="temp_size = 1M", file_base=files))
    event = assert_error(pair, "engine", content=mail.of_size(2 << 20))
    assert "file_base" in event["detail"] and "cannot be written" in event["detail"], event
    assert messages_in(files) == []
    assert_passes(pair)


# --- bad days ---

FAULTS = {
    # fault: reasons that may stand in the log
    "garbage": (Fault(raw=b"\x00\xff\xfe garbage\r\n"), ("protocol",)),
    "a code without sense": (Fault(raw=b"299 fine\r\n"), ("protocol",)),
    "an endless line": (Fault(raw=b"A" * 100000), ("protocol",)),
    "endless lines": (Fault(raw=b"310-still busy\r\n" * 100000), ("protocol",)),
    "an answer too many": (Fault(raw=b"220 clean\r\n220 clean\r\n"), ("protocol",)),
    "another file's virus": (Fault(wrong_id=True), ("protocol",)),
    "a scan error": (Fault(raw=b"241 Scan error\r\n"), ("engine",)),
    "loading in the middle of a session": (Fault(raw=b"501 bases are being loaded\r\n"), ("engine",)),
    "a missing file": (Fault(raw=b"525 File not found\r\n"), ("engine",)),
    "no answer": (Fault(close=True), ("down",)),
    "a reset": (Fault(reset=True), ("down",)),
    "silence": (Fault(stall=0), ("timeout",)),
    "silence in the middle of a line": (Fault(stall=5), ("timeout",)),
    "a word longer than a line may be": (Fault(raw=b"310-" + b"N" * 20000), ("protocol",)),
}


HTTP_FAULTS = {
    "garbage": (Fault(raw=b"\x00\xff\xfe garbage\r\n"), ("protocol",)),
    "an endless line": (Fault(raw=b"A" * 100000), ("protocol",)),
    "an endless head": (Fault(raw=b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 30000), ("protocol",)),
    "an endless body": (Fault(raw=b"HTTP/1.0 200 OK\r\n\r\n" + b"C" * 200000), ("protocol",)),
    "more than announced": (Fault(raw=b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nCLEAN\r\nDETECT x\r\n"), ("protocol",)),
    "less than announced": (Fault(raw=b"HTTP/1.0 200 OK\r\nContent-Length: 50\r\n\r\nCLEAN\r\n", close_after=True), ("protocol",)),
    "a word without sense": (Fault(raw=b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nFINE\r\n"), ("protocol",)),
    "trouble of the server": (Fault(raw=b"HTTP/1.0 500 Internal Server Error\r\n\r\n"), ("engine",)),
    "no answer": (Fault(close=True), ("down",)),
    "a reset": (Fault(reset=True), ("down",)),
    "silence": (Fault(stall=0), ("timeout",)),
    "silence in the middle": (Fault(stall=30), ("timeout",)),
}


def faults_of(way):
    """What can go wrong in this way. Not in NETSCAN: "another file's virus", as nobody knows what the real one calls the object, so that any name
    will do; nor over HTTP, where a connection has one request and an answer that names none."""
    faults = FAULTS if way.aveserver else HTTP_FAULTS
    return {what: row for what, row in faults.items() if way.name == "SCAN" or not row[0].wrong_id}


# C16
def test_a_misbehaving_daemon_costs_one_message_a_451(way):
    faults, _ = verdicts.of_one_kind(faults_of(way), silent=False)
    verdicts.assert_each_costs_one_message(way.pair, way.daemon, faults, DETECTED)


# C16
def test_a_silent_daemon_costs_one_message_a_451(directory, start_pair):
    """All ways at the same time, each with a postern of its own: there is much to wait for."""
    def fall_silent(way, home):
        faults, timeout = verdicts.of_one_kind(faults_of(way), silent=True)
        home.mkdir()
        pair = start_pair(engines=way.engines(home, timeout=timeout))
        return lambda: verdicts.assert_each_costs_one_message(pair, way.daemon, faults, DETECTED)
    homes = [directory / name.replace(" ", "-") for name in WAYS]
    tries = [fall_silent(Way(name), home) for name, home in zip(WAYS, homes)]
    with concurrent.futures.ThreadPoolExecutor(len(tries)) as threads:
        for name, done in zip(WAYS, [threads.submit(one) for one in tries]):
            with case(name):
                done.result()
    assert [messages_in(home / "files") for home in homes] == [[]] * len(homes)


DETECT_JSON = b'{"object":"memory","scanResult":"DETECT","detectionName":"Named.Virus"'
HEAD = b"HTTP/1.0 200 OK\r\nContent-Length: 500\r\n\r\n"
NO_LENGTH = b"HTTP/1.0 200 OK\r\n\r\n"
TOLD = {
    # what it says before the connection ends: the virus
    "aveserver": {**{b"322-Named.Virus\r\n" + rest: "Named.Virus" for rest in (b"", b"525 cannot read it\r\n", b"999 what\r\n")},
                  b"322-Named.Vir": "Named.Vir", b"322-": "Unknown", b"230 Fi": "Unknown"},
    "http": {HEAD + b"DETECT Named.Virus": "Named.Virus", HEAD + b"DETECT": "Unknown", HEAD + b"DELETED\r\n": "Unknown",
             NO_LENGTH + b"DETECT Named.Vir": "Named.Vir"},
    "rest": {HEAD + DETECT_JSON: "Named.Virus", HEAD + DETECT_JSON[:40]: "Unknown", HEAD + DETECT_JSON + b"}": "Named.Virus",
             NO_LENGTH + DETECT_JSON + b",,": "Named.Virus"},
}


@pytest.mark.parametrize("name", ["SCAN", "NETSCAN", "http", "rest"])
def test_a_virus_that_was_told_counts_whatever_comes_behind_it(name, directory, start_pair):
    """Not even on_error = pass lets it through."""
    way = Way(name)
    pair = start_pair(engines=way.engines(directory, on_error="pass"))
    verdicts.assert_told_virus_counts(pair, way.daemon, TOLD["aveserver" if way.aveserver else name.split()[0]])
    assert messages_in(directory / "files") == []


def test_an_answer_that_is_cut_is_never_clean(way):
    """A few cuts, of HTTP also in the body; the unit tests of the answers' grammar cut behind every octet."""
    cuts = (0, 1, 3, 18)
    if not way.aveserver:
        answer = way.daemon.answer_to_clean(rest=way.name.startswith("rest"))
        body = answer.index(b"\r\n\r\n") + 4
        cuts += (*range(body - 2, min(body + 8, len(answer))), len(answer) - 1)
    verdicts.assert_cut_is_never_clean(way.pair, way.daemon, sorted(set(cuts)))


def test_what_is_merely_awkward_costs_nothing(way):
    verdicts.assert_awkward_costs_nothing(way.pair, way.daemon, DETECTED)


def test_names_are_made_harmless(way):
    verdicts.assert_names_are_made_harmless(way.pair, way.daemon, b"Evil\r\x1b[31m\x80%n;")


@pytest.mark.parametrize("protocol", ["aveserver", "http", "rest"])
def test_an_early_clean_is_no_clean(protocol, start_pair):
    daemon = (Aveserver() if protocol == "aveserver" else ScanEngine()).start()
    pair = start_pair(engines=over_connection(daemon, protocol=protocol))
    daemon.misbehave(Fault(early=True))
    assert_error(pair, "protocol", "down", content=mail.of_size(16 << 20))  # more than the sockets hold
    assert_passes(pair)


def test_a_daemon_s_second_answer_is_never_that_to_the_next_message(way):
    """Nothing in "220" says to which request it belongs: what comes late must find the connection closed."""
    way.daemon.always = Fault(again=True)
    for _ in range(2):
        assert_passes(way.pair)
        assert_infected(way.pair)


def test_a_daemon_that_is_not_ready_gets_no_message(by_tcp, files, start_pair):
    by_tcp.greeting = b"501 bases are being loaded"
    pair = start_pair(engines=by_file(by_tcp, files))
    event = assert_error(pair, "down")
    assert "bases are being loaded" in event["detail"], event
    assert by_tcp.commands == []
    by_tcp.greeting = b"201 ready"
    assert_passes(pair)


def test_mail_flows_again_by_itself_when_the_daemon_is_back(way):
    verdicts.assert_flows_again_by_itself(way.pair, way.daemon, DETECTED)


def test_the_next_server_answers_when_the_first_is_gone(by_tcp, directory, files, start_pair):
    second = Aveserver(directory / "second").start()
    pair = start_pair(engines=by_file([by_tcp.address, "/nowhere/aveserver", second.address], files))
    verdicts.assert_next_server_answers(pair, by_tcp, second, DETECTED)


# --- options ---

def test_daemon_connect_timeout_bounds_the_greeting(by_tcp, directory, files, start_pair):
    silent = Aveserver(directory / "silent")
    silent.greeting_delay = 60
    silent.start()
    pair = start_pair(engines=by_file([silent.address, by_tcp.address], files, daemon_connect_timeout="2s"))
    assert_passes(pair)


@pytest.mark.parametrize("options, code, verdict", [({}, 550, "infected"), ({"suspicious": "unscannable"}, 550, "unscannable"),
                                                    ({"suspicious": "unscannable", "on_suspicious": "pass"}, 250, "unscannable")])
def test_suspicious_says_what_a_suspect_is(by_tcp, files, start_pair, options, code, verdict):
    pair = start_pair(engines=by_file(by_tcp, files, **options))
    by_tcp.misbehave(Fault(raw=b"232 Suspicious object\r\n"))
    event = send(pair, mail.plain(), code)
    assert event["verdict"] == verdict, event
    assert event.get("virus") == ("Suspicious" if verdict == "infected" else None)


def test_scan_flags_go_to_the_daemon(by_tcp, files, start_pair):
    pair = start_pair(engines=by_file(by_tcp, files, scan_flags="xmQPRSTUWabcdefghi"))
    assert_passes(pair)
    assert by_tcp.commands[0].startswith(b"SCAN xmQPRSTUWabcdefghi /")


def test_the_reconstruction_of_netscan_can_be_fitted(start_pair):
    """Every framing with every word to go ahead: an engine each, all asked about the same messages."""
    daemons = [Aveserver(framing=framing, goahead=goahead, command=b"STREAM").start()
               for framing in ("length", "dot", "chunk") for goahead in (None, b"354 go", b"150 go")]
    engines = [engine("kaspersky", f"kaspersky{i}", daemon.address, daemon_is_remote="true", netscan_command="STREAM", test_string="ignored",
                      netscan_framing=daemon.framing, **({"netscan_goahead": "yes"} if daemon.goahead else {}))
               for i, daemon in enumerate(daemons)]
    pair = start_pair(engines=asking_daemons("all = true\n", *engines))
    content = mail.plain(b".\r\n..\r\nx\r\n.")
    clean, infected = assert_passes(pair, content), assert_infected(pair)
    assert clean["engines"] == "; ".join(f"kaspersky{i}=clean" for i in range(len(daemons)))
    assert infected["engines"] == "; ".join(f"kaspersky{i}=infected:{DETECTED}" for i in range(len(daemons)))
    for daemon in daemons:
        assert daemon.scans[0][1] == content + b"\r\n", (daemon.framing, daemon.goahead)


def test_netscan_without_a_licence_is_an_error_from_afar_and_a_file_for_a_local_daemon(files, start_pair):
    daemon = Aveserver(licensed=False).start()
    alone = start_pair(engines=over_connection(daemon))
    alone.postern.book.excuse("L6", because="its daemon has no licence for what it is asked to do")
    event = assert_error(alone, "engine", "protocol", "down")
    pair = start_pair(engines=over_connection(daemon, file_base=files))
    assert_passes(pair)
    assert_infected(pair)
    assert [how for how, _ in daemon.scans] == ["SCAN", "SCAN"], event


RESULTS = {
    # what it says: verdict, reason
    "NON_SCANNED (PASSWORD PROTECTED)": ("unscannable", "encrypted"), "NON_SCANNED (CORRUPTED)": ("unscannable", "malformed"),
    "SERVER_ERROR": ("error", "engine"), "CLEAN AND CONTAINS OFFICE MACRO": ("clean", None)}


@pytest.mark.parametrize("protocol", ["http", "rest"])
def test_what_the_scan_engine_cured_is_infected_and_counted(scan_engine, protocol, directory, start_pair):
    path = directory / "control" / "socket"
    pair = start_pair(engines=over_connection(scan_engine, protocol=protocol) + listener(path))
    for scan_engine.result in ("DISINFECTED", "DELETED"):
        assert_infected(pair, mail.plain(), name="Unknown")
    scan_engine.result = None
    assert_infected(pair)
    assert_passes(pair)
    assert "  Viruses detected:   3\n  Viruses cured:      2\n" in Console(path).ask("antivirus", "stats")


@pytest.mark.parametrize("protocol", ["http", "rest"])
def test_results_of_the_scan_engine(scan_engine, protocol, start_pair):
    pair = start_pair(engines=over_connection(scan_engine, protocol=protocol))
    for scan_engine.result, (verdict, reason) in RESULTS.items():
        event = send(pair, mail.plain(), {"unscannable": 550, "error": 451, "clean": 250}[verdict])
        assert (event["verdict"], event.get("reason")) == (verdict, reason), (scan_engine.result, event)
    scan_engine.result = None


def test_paranoid_makes_macros_infected(scan_engine, start_pair):
    pair = start_pair(engines=over_connection(scan_engine, protocol="http", paranoid="true"))
    scan_engine.result = "CLEAN AND CONTAINS OFFICE MACRO"
    assert_infected(pair, mail.plain(), name="Office macro")
    scan_engine.result = None


# --- the original's own stanza ---

SEED_PORT = 9001


@pytest.fixture
def port_of_the_seed():
    """The one fixed port of all tests: whoever runs at the same time waits for it."""
    path = Path(tempfile.gettempdir()) / f"postern-test-port-{SEED_PORT}"
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if path.exists() else os.O_CREAT), 0o644)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield SEED_PORT
    os.close(fd)


@pytest.fixture(params=[True, False], ids=["licensed for NETSCAN", "SCAN only"])
def daemon_of_the_seed(request, port_of_the_seed):
    daemon = Aveserver(port=port_of_the_seed, licensed=request.param).start()
    yield daemon
    daemon.stop()


# The original's page, for the engine of its own stanza.
PAGE = """kaspersky
  Messages checked:   2
  MIME parts checked: 2
  Viruses detected:   1
  Viruses cured:      0
  Avg. time/message   {0:.3f}ms
  Avg. time/MIME part {0:.3f}ms
"""


def test_the_stanza_of_the_original_works_unchanged(daemon_of_the_seed, directory, start_pair):
    path = directory / "control" / "socket"
    pair = start_pair(engines=KASPERSKY + listener(path))
    console = Console(path)
    assert console.ask("antivirus:antivirus", "stats") == re.sub(r"\S+ms|[12]$", lambda found: "nanms" if "ms" in found[0] else "0",
                                                                  PAGE.format(0), flags=re.MULTILINE)
    assert_passes(pair)
    assert b"X-Virus-Status" not in pair.backend.mails[-1].content
    event = send(pair, virus(), 250)  # action = pass: delivered and marked
    assert (event["verdict"], event["virus"], event["action"], event["engine"]) == ("infected", DETECTED, "pass", "kaspersky"), event
    assert b'X-Virus-Status: infected; name="EICAR-Test-File"; engine=kaspersky' in pair.backend.mails[-1].content
    assert {how for how, _ in daemon_of_the_seed.scans} == {"NETSCAN" if daemon_of_the_seed.licensed else "SCAN"}
    times = [float(event["engine_ms"]) for event in pair.log.find("message")]
    (figures,) = console.json("antivirus:antivirus", "stats")["engines"]
    assert console.ask("antivirus:antivirus", "stats") == console.ask("antivirus", "stats") == PAGE.format(figures["average_scan_ms"])
    assert figures["average_scan_ms"] == pytest.approx(sum(times) / 2, abs=0.01), (figures, times)
    pair.log.wait_for("engine-trial")  # which would meet the fault
    daemon_of_the_seed.misbehave(Fault(raw=b"241 Scan error\r\n"))
    assert_error(pair, "engine")  # trouble is error_code, whatever action says
    daemon_of_the_seed.misbehave(Fault(raw=b"nonsense\r\n"))
    assert_error(pair, "protocol")
    daemon_of_the_seed.stop()
    assert_error(pair, "down")
    daemon_of_the_seed.start()
    assert_passes(pair)


def test_a_daemon_that_is_not_named_is_on_this_host_at_the_port_of_its_protocol(port_of_the_seed, start_pair):
    daemon = Aveserver(port=port_of_the_seed).start()
    pair = start_pair(engines=over_connection(()))
    assert_passes(pair)
    assert len(daemon.scans) == 1
    daemon.stop()
    for protocol in ("http", "rest"):
        other = start_pair(engines=over_connection((), protocol=protocol))
        other.postern.book.excuse("L6", because="nobody listens at Scan Engine's own port here")
        assert assert_error(other, "down")["detail"].startswith("127.0.0.1:9999: "), protocol
    pair.postern.book.excuse("L6", because="its daemon is gone")


def test_the_stanza_of_the_original_with_less_time(daemon_of_the_seed, start_pair):
    pair = start_pair(engines=KASPERSKY.replace("timeout = 180", "timeout = 2 test_string = ignored"))
    daemon_of_the_seed.misbehave(Fault(stall=3))
    assert_error(pair, "timeout")
    assert_passes(pair)
