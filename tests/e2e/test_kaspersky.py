# SPDX-License-Identifier: MIT
"""Scanning with Kaspersky's daemons, emulated: aveserver by file and over the connection, Kaspersky Scan Engine by HTTP; the ways to misbehave;
the original's own stanza, unchanged."""
import fcntl
import os
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from conftest import failed
from harness import mail, places, processes
from harness.emulators.base import Fault
from harness.emulators.kaspersky import Aveserver, ScanEngine

DETECTED = "EICAR-Test-File"
CLEANMSG = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhello\r\n"
BADMSG = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nTEST-VIRUS-PAYLOAD\r\n"


def bad():
    return mail.plain(mail.PAYLOAD + b"\r\n")


def engine(addresses, name="kaspersky1", **options):
    values = {"timeout": "20s", **options}
    listed = "( " + " ".join(f'"{a}"' for a in addresses) + " )" if isinstance(addresses, (list, tuple)) else f'"{addresses}"'
    return f'kaspersky "{name}" {{ daemon = {listed} ' + " ".join(f"{k} = {v}" for k, v in values.items()) + " }\n"


def stanza(addresses, workers=1, pool="", **options):
    return f'ThreadPool "IO" {{ Concurrency = {workers} {pool} }}\nantivirus {{ {engine(addresses, **options)} }}\n'


def by_file(daemon, files, **options):
    return stanza(getattr(daemon, "address", daemon), file_base=files, **options)


def over_connection(daemon, **options):
    return stanza(getattr(daemon, "address", daemon), daemon_is_remote="true", **options)


# Daemons and directories must outlive postern: their fixtures stand before start_pair.

@pytest.fixture
def files(request, directory):
    """file_base; in the end nothing may be left in it."""
    path = directory / "files"
    path.mkdir()
    path.chmod(0o1777)
    yield path
    assert failed(request) or list(path.iterdir()) == [], "something is left in file_base"


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


@pytest.fixture(params=WAYS)
def way(request, files):
    """A daemon, and the stanza that asks it in one of the ways."""
    daemon = (Aveserver() if request.param.isupper() else ScanEngine()).start()
    protocol = {} if request.param.isupper() else {"protocol": request.param.split()[0]}
    local = request.param == "SCAN" or request.param.endswith("file")

    def make(**options):
        return by_file(daemon, files, **protocol, **options) if local else over_connection(daemon, **protocol, **options)
    daemon.stanza, daemon.kept, daemon.way = make, request.param.isupper(), request.param
    yield daemon
    daemon.stop()


def send(pair, content, code):
    """The log line of CONTENT, which must have been answered with CODE."""
    mark = pair.log.mark()
    reply = pair.deliver(content)
    assert reply.code == code, reply
    return pair.log.wait_for("message", since=mark)


def assert_error(pair, *reasons, content=None):
    event = send(pair, content or mail.plain(), 451)
    assert (event["verdict"], event["reason"] in reasons) == ("error", True), event
    return event


def assert_passes(pair, content=None):
    return send(pair, content or mail.plain(), 250)


def assert_infected(pair, content=None, name=DETECTED):
    event = send(pair, content or bad(), 550)
    assert event["virus"] == name, event
    return event


def messages_in(files):
    return list(files.glob("postern-message-*/*"))


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


# --- good days ---

def test_clean_passes_and_a_virus_is_refused(way, start_pair):
    pair = start_pair(engines=way.stanza())
    content = mail.plain(b"..dots\r\n.\xe4\r\n")
    assert assert_passes(pair, content)["engine"] == "kaspersky1"
    assert_infected(pair)
    assert_passes(pair)
    assert [octets for _, octets in way.wait_scans(3)][0] == content, "what is scanned is what the client sent"
    assert way.connections == (1 if way.kept else 3)
    assert {how.rsplit("/", 1)[-1] for how, _ in way.scans} == {
        "SCAN": {"SCAN"}, "NETSCAN": {"NETSCAN"}, "http": {"scanmemory"}, "rest": {"scanmemory"}}.get(way.way, {"scanfile"})


def test_a_large_message_arrives_whole(way, start_pair):
    pair = start_pair(engines=way.stanza(timeout="60s"))
    content = mail.of_size(3 << 20)
    assert_passes(pair, content)
    assert way.wait_scans()[0][1] == content


def test_over_a_unix_socket_too(aveserver, files, start_pair):
    pair = start_pair(engines=by_file(aveserver, files))
    assert_passes(pair)
    assert_infected(pair)
    pair.log.wait_for("engine-ready", version="aveserver: KAV emulator ready")
    assert pair.log.wait_for("sandbox", pool="IO")["profile"] == "net"


def test_each_worker_keeps_its_connection(by_tcp, files, start_pair):
    pair = start_pair(engines=by_file(by_tcp, files, workers=3))
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(pair.deliver(mail.plain()).code)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert codes == [250] * 12
    assert by_tcp.connections <= 3


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


def deliver_in_background(pair, content):
    replies = []
    thread = threading.Thread(target=lambda: replies.append(pair.deliver(content)))
    thread.start()
    return thread, replies


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


@pytest.fixture
def small_disk(directory):
    path = directory / "small"
    path.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=1777", "tmpfs", path], check=False).returncode:
        pytest.skip("this container forbids mounts")
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.mark.root
def test_a_full_disk_is_an_error_that_says_so_and_mail_flows_when_there_is_room(by_tcp, small_disk, start_pair):
    pair = start_pair(engines=by_file(by_tcp, small_disk))
    event = assert_error(pair, "engine", content=mail.of_size(1 << 20))
    assert "file_base" in event["detail"] and "No space left on device" in event["detail"], event
    assert messages_in(small_disk) == []
    assert_passes(pair)
    pair.postern.stop()
    assert list(small_disk.iterdir()) == []


def test_no_message_takes_more_room_than_temp_size(by_tcp, files, start_pair):
    pair = start_pair(engines=stanza(by_tcp.address, pool="temp_size = 1M", file_base=files))
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
    "a missing file": (Fault(raw=b"525 File not found\r\n"), ("engine",)),
    "no answer": (Fault(close=True), ("down",)),
    "a reset": (Fault(reset=True), ("down",)),
    "silence": (Fault(stall=0), ("timeout",)),
    "silence in the middle of a line": (Fault(stall=5), ("timeout",)),
    "a name longer than a line may be": (Fault(name=b"N" * 20000), ("protocol",)),
}


def patience(fault):
    """A timeout that passes soon where it must, and never where another end is expected."""
    return "60s" if fault.stall is None else "3s"


# C16
@pytest.mark.parametrize("fault", FAULTS)
def test_a_misbehaving_aveserver_costs_one_message_a_451(by_tcp, files, fault, start_pair):
    what, reasons = FAULTS[fault]
    pair = start_pair(engines=by_file(by_tcp, files, timeout=patience(what)))
    by_tcp.misbehave(what)
    assert_error(pair, *reasons)
    assert_passes(pair)
    assert_infected(pair)
    assert messages_in(files) == []


@pytest.mark.parametrize("rest", [b"", b"525 cannot read it\r\n", b"999 what\r\n"], ids=["an end", "an error", "nonsense"])
def test_a_virus_that_was_named_counts_whatever_comes_behind_it(by_tcp, files, rest, start_pair):
    """Not even on_error = pass lets it through."""
    pair = start_pair(engines=by_file(by_tcp, files, on_error="pass"))
    by_tcp.misbehave(Fault(raw=b"322-Named.Virus\r\n" + rest, close_after=True))
    assert_infected(pair, mail.plain(), name="Named.Virus")
    assert_passes(pair)
    assert messages_in(files) == []


@pytest.mark.parametrize("cut", [0, 1, 3, 18])
def test_an_answer_that_is_cut_is_never_clean(way, cut, start_pair):
    pair = start_pair(engines=way.stanza())
    way.misbehave(Fault(cut=cut))
    assert_error(pair, "down" if cut == 0 else "protocol")
    assert_passes(pair)


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
    "silence": (Fault(stall=0), ("timeout",)),
    "silence in the middle": (Fault(stall=30), ("timeout",)),
}


# C16
@pytest.mark.parametrize("fault", HTTP_FAULTS)
@pytest.mark.parametrize("protocol", ["http", "rest"])
def test_a_misbehaving_scan_engine_costs_one_message_a_451(scan_engine, protocol, fault, start_pair):
    what, reasons = HTTP_FAULTS[fault]
    pair = start_pair(engines=over_connection(scan_engine, protocol=protocol, timeout=patience(what)))
    scan_engine.misbehave(what)
    assert_error(pair, *reasons)
    assert_passes(pair)
    assert_infected(pair)


@pytest.mark.parametrize("fault", [Fault(delay=0.5), Fault(each_octet=True), Fault(close_after=True)], ids=["slow", "octets", "closing"])
def test_what_is_merely_awkward_costs_nothing(way, fault, start_pair):
    pair = start_pair(engines=way.stanza())
    way.always = fault
    for _ in range(2):
        assert_passes(pair)
        assert_infected(pair)


def test_names_are_made_harmless(way, start_pair):
    pair = start_pair(engines=way.stanza())
    for name in (b"Evil\r\x1b[31m\x80%n;", b"N" * 1000):
        way.misbehave(Fault(name=name))
        reply = pair.deliver(mail.plain())
        assert reply.code == 550 and len(reply.text) < 512, reply
        assert all(0x20 <= ord(c) < 0x7F for c in reply.text), reply


@pytest.mark.parametrize("protocol", ["aveserver", "http", "rest"])
def test_an_early_clean_is_no_clean(protocol, start_pair):
    daemon = (Aveserver() if protocol == "aveserver" else ScanEngine()).start()
    pair = start_pair(engines=over_connection(daemon, protocol=protocol))
    daemon.misbehave(Fault(early=True))
    assert_error(pair, "protocol", "down", content=mail.of_size(16 << 20))  # more than the sockets hold
    assert_passes(pair)


def test_a_connection_closed_while_idle_is_renewed_without_a_451(aveserver, files, start_pair):
    pair = start_pair(engines=by_file(aveserver, files))
    for _ in range(3):
        assert_passes(pair)
        aveserver.drop_connections()
    assert aveserver.connections == 3


def test_a_daemon_that_is_not_ready_gets_no_message(by_tcp, files, start_pair):
    by_tcp.greeting = b"501 bases are being loaded"
    pair = start_pair(engines=by_file(by_tcp, files))
    event = assert_error(pair, "down")
    assert "bases are being loaded" in event["detail"], event
    assert by_tcp.commands == []
    by_tcp.greeting = b"201 ready"
    assert_passes(pair)


def test_mail_flows_again_by_itself_when_the_daemon_is_back(way, start_pair):
    pair = start_pair(engines=way.stanza())
    way.stop()
    assert_error(pair, "down")
    way.start()
    assert_passes(pair)
    way.stop()
    assert_error(pair, "down")
    way.start()
    assert_infected(pair)


def test_the_next_server_answers_when_the_first_is_gone(by_tcp, directory, files, start_pair):
    second = Aveserver(directory / "second").start()
    pair = start_pair(engines=by_file([by_tcp.address, "/nowhere/aveserver", second.address], files))
    assert_passes(pair)
    assert (len(by_tcp.scans), len(second.scans)) == (1, 0)
    by_tcp.stop()
    assert_infected(pair)
    assert_passes(pair)
    assert (len(by_tcp.scans), len(second.scans)) == (1, 2)


# --- options ---

def test_daemon_connect_timeout_bounds_the_greeting(by_tcp, directory, files, start_pair):
    silent = Aveserver(directory / "silent")
    silent.greeting_delay = 60
    silent.start()
    pair = start_pair(engines=by_file([silent.address, by_tcp.address], files, daemon_connect_timeout="500ms"))
    assert_passes(pair)


def test_max_filesize_makes_larger_messages_unscannable_and_nothing_is_sent(way, start_pair):
    pair = start_pair(engines=way.stanza(max_filesize="10K"))
    event = send(pair, mail.of_size(20000), 550)
    assert (event["verdict"], event["reason"]) == ("unscannable", "too-large"), event
    assert way.connections == 0
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


@pytest.mark.parametrize("framing", ["length", "dot", "chunk"])
@pytest.mark.parametrize("goahead", [None, b"354 go", b"150 go"])
def test_the_reconstruction_of_netscan_can_be_fitted(start_pair, framing, goahead):
    daemon = Aveserver(framing=framing, goahead=goahead, command=b"STREAM").start()
    pair = start_pair(engines=over_connection(daemon, netscan_command="STREAM", netscan_framing=framing,
                                              **({"netscan_goahead": "yes"} if goahead else {})))
    content = mail.plain(b".\r\n..\r\nx\r\n.")
    assert_passes(pair, content)
    assert_infected(pair)
    assert daemon.scans[0][1] == content + (b"" if content.endswith(b"\r\n") else b"\r\n")


def test_netscan_without_a_licence_is_an_error_from_afar_and_a_file_for_a_local_daemon(files, start_pair):
    daemon = Aveserver(licensed=False).start()
    alone = start_pair(engines=over_connection(daemon))
    alone.postern.book.excuse("L6", because="its daemon has no licence for what it is asked to do")
    event = assert_error(alone, "engine", "protocol", "down")
    pair = start_pair(engines=over_connection(daemon, file_base=files))
    assert_passes(pair)
    assert_infected(pair)
    assert [how for how, _ in daemon.scans] == ["SCAN", "SCAN"], event


@pytest.mark.parametrize("protocol", ["http", "rest"])
@pytest.mark.parametrize("result, verdict, reason", [
    ("NON_SCANNED (PASSWORD PROTECTED)", "unscannable", "encrypted"), ("NON_SCANNED (CORRUPTED)", "unscannable", "malformed"),
    ("SERVER_ERROR", "error", "engine"), ("CLEAN AND CONTAINS OFFICE MACRO", "clean", None)])
def test_results_of_the_scan_engine(scan_engine, protocol, result, verdict, reason, start_pair):
    pair = start_pair(engines=over_connection(scan_engine, protocol=protocol))
    scan_engine.result = result
    event = send(pair, mail.plain(), {"unscannable": 550, "error": 451, "clean": 250}[verdict])
    assert (event["verdict"], event.get("reason")) == (verdict, reason), event
    scan_engine.result = None


def test_paranoid_makes_macros_infected(scan_engine, start_pair):
    pair = start_pair(engines=over_connection(scan_engine, protocol="http", paranoid="true"))
    scan_engine.result = "CLEAN AND CONTAINS OFFICE MACRO"
    assert_infected(pair, mail.plain(), name="Office macro")
    scan_engine.result = None


# --- the original's own stanza ---

SEED = '''
Validate validate/antivirus antivirus {
}

Validate validate/av_kaspersky kaspersky  {
  daemon = "127.0.0.1:9001"
  daemon_is_remote = true
  timeout = 180
  action = pass
  paranoid = false
  context_variable = "virus"
  skip_context_variable = "skip_virus_check"
  file_base = "/var/tmp"
}
'''
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


def test_the_stanza_of_the_original_works_unchanged(daemon_of_the_seed, start_pair):
    pair = start_pair(engines=SEED)
    assert_passes(pair)
    assert b"X-Virus-Status" not in pair.backend.mails[-1].content
    event = send(pair, bad(), 250)  # action = pass: delivered and marked
    assert (event["verdict"], event["virus"], event["action"], event["engine"]) == ("infected", DETECTED, "pass", "kaspersky"), event
    assert b'X-Virus-Status: infected; name="EICAR-Test-File"; engine=kaspersky' in pair.backend.mails[-1].content
    assert {how for how, _ in daemon_of_the_seed.scans} == {"NETSCAN" if daemon_of_the_seed.licensed else "SCAN"}
    daemon_of_the_seed.misbehave(Fault(raw=b"241 Scan error\r\n"))
    assert_error(pair, "engine")  # trouble is error_code, whatever action says
    daemon_of_the_seed.misbehave(Fault(raw=b"nonsense\r\n"))
    assert_error(pair, "protocol")
    daemon_of_the_seed.stop()
    assert_error(pair, "down")
    daemon_of_the_seed.start()
    assert_passes(pair)


def test_the_stanza_of_the_original_with_less_time(daemon_of_the_seed, start_pair):
    pair = start_pair(engines=SEED.replace("timeout = 180", "timeout = 2"))
    daemon_of_the_seed.misbehave(Fault(stall=3))
    assert_error(pair, "timeout")
    assert_passes(pair)
