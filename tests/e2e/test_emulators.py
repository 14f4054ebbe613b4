# SPDX-License-Identifier: MIT
"""The emulated clamd says what the real one says, octet by octet, and the emulated ICAP server what c-icap says; where they do not, tests with them
prove nothing."""
import array
import os
import socket

import pytest
from harness import places
from harness.cicap import Cicap
from harness.clamd import Clamd as RealClamd, connect
from harness.emulators.clamd import Clamd
from harness.emulators.icap import Icap
from harness.emulators.symantec import Symantec
from harness.postern import make_database

CLEAN = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhello\r\n"
BAD = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nTEST-VIRUS-PAYLOAD\r\n"
SIGNATURE = "Test.Payload:0:*:" + b"TEST-VIRUS-PAYLOAD".hex() + "\n"
STREAM_MAX = 1 << 20


def chunk(octets):
    return len(octets).to_bytes(4, "big") + octets


END = bytes(4)

# What is sent, what comes back up to the end of the connection.
VECTORS = {
    "ping": (b"zPING\0", b"PONG\0"),
    "ping with LF": (b"nPING\r\n", b"PONG\n"),
    "ping, old": (b"PING\n", b"PONG\n"),
    "clean": (b"zINSTREAM\0" + chunk(CLEAN) + END, b"stream: OK\0"),
    "infected in two chunks": (b"nINSTREAM\n" + chunk(BAD[:10]) + chunk(BAD[10:]) + END, b"stream: Test.Payload.UNOFFICIAL FOUND\n"),
    "nothing": (b"zINSTREAM\0" + END, b"stream: OK\0"),
    "too large": (b"zINSTREAM\0" + (STREAM_MAX + 1).to_bytes(4, "big"), b"INSTREAM size limit exceeded. ERROR\0"),
    "unknown": (b"zNONSENSE\0", b"UNKNOWN COMMAND\0"),
    "trailing garbage": (b"zPINGx\0", b"UNKNOWN COMMAND\0"),
    "end outside a session": (b"zEND\0", b"UNKNOWN COMMAND\0"),
    "session with one scan": (b"zIDSESSION\0zINSTREAM\0" + chunk(CLEAN) + END + b"zEND\0", b"1: stream: OK\0"),
    "session, too large": (b"zIDSESSION\0zINSTREAM\0" + (STREAM_MAX + 1).to_bytes(4, "big"), b"1: INSTREAM size limit exceeded. ERROR\0"),
}


@pytest.fixture(scope="module")
def real():
    home = places.make_directory()
    database = make_database(home / "db", {"test.ndb": SIGNATURE})
    daemon = RealClamd(home / "clamd", database, places.free_port(), StreamMaxLength=STREAM_MAX).start()
    yield daemon.path
    daemon.kill()
    places.remove_directory(home)


@pytest.fixture
def emulated(directory):
    daemon = Clamd(directory / "socket", stream_max=STREAM_MAX).start()
    yield daemon.path
    daemon.stop()


@pytest.fixture(params=["real", "emulated"])
def clamd(request):
    return request.getfixturevalue(request.param)


def converse(path, sent, descriptor=None):
    with connect(path) as connection:
        connection.settimeout(places.SOON)
        if descriptor is None:
            connection.sendall(sent)
        else:
            connection.sendmsg([sent], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))])
        came = b""
        while True:
            try:
                octets = connection.recv(65536)
            except ConnectionResetError:
                octets = b""
            if not octets:
                return came
            came += octets


@pytest.mark.parametrize("vector", VECTORS)
def test_vector(clamd, vector):
    sent, expected = VECTORS[vector]
    assert converse(clamd, sent) == expected


def test_session_answers_every_request_once_in_any_order(clamd):
    sent = (b"zIDSESSION\0zINSTREAM\0" + chunk(CLEAN) + END + b"zINSTREAM\0" + chunk(BAD) + END + b"zPING\0zEND\0")
    answers = sorted(converse(clamd, sent).split(b"\0"))
    assert answers == [b"", b"1: stream: OK", b"2: stream: Test.Payload.UNOFFICIAL FOUND", b"3: PONG"]


@pytest.mark.parametrize("content, result", [(CLEAN, b"OK"), (BAD, b"Test.Payload.UNOFFICIAL FOUND")])
def test_descriptor_of_a_memory_file_in_one_message_with_its_command(clamd, content, result):
    descriptor = os.memfd_create("message")
    os.write(descriptor, content)
    came = converse(clamd, b"zFILDES\0\0", descriptor)
    os.close(descriptor)
    assert came.startswith(b"fd[") and came.endswith(b"]: " + result + b"\0"), came


def test_version_begins_alike_and_names_no_database_where_there_is_none(real, emulated):
    assert converse(real, b"zVERSION\0").startswith(b"ClamAV 1.")
    assert b"/" not in converse(real, b"zVERSION\0")
    assert converse(emulated, b"zVERSION\0").startswith(b"ClamAV 1.4.6/27500/")


# --- ICAP: held against c-icap with virus_scan ---

GET = b"GET http://127.0.0.1/mail HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def respmod(content, preview=b"", end=b"0\r\n\r\n", allow=b"Allow: 204\r\n"):
    """A request whose server's name is to be filled in."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % len(content)
    return (b"RESPMOD icap://HOST/virus_scan ICAP/1.0\r\nHost: HOST\r\n" + allow + preview
            + b"Encapsulated: req-hdr=0, res-hdr=%d, res-body=%d\r\n\r\n" % (len(GET), len(GET) + len(answer)) + GET + answer + b"%x\r\n" % len(content) + content
            + b"\r\n" + end)


OPTIONS = b"OPTIONS icap://HOST/virus_scan ICAP/1.0\r\nHost: HOST\r\nEncapsulated: null-body=0\r\n\r\n"
FOUND = {b"X-Infection-Found": b"Type=0; Resolution=2; Threat=Test.Payload.UNOFFICIAL;"}
ICAP_VECTORS = {
    # request: status, headers that must be there alike
    "options": (OPTIONS, b"200", {b"Preview": b"1024", b"Allow": b"204", b"Transfer-Preview": b"*", b"Options-TTL": b"3600", b"Methods": b"RESPMOD, REQMOD"}),
    "clean": (respmod(CLEAN), b"204", {b"Connection": b"keep-alive"}),
    "infected": (respmod(BAD), b"200", FOUND),
    "clean in a preview": (respmod(CLEAN, b"Preview: 1024\r\n", b"0; ieof\r\n\r\n"), b"204", {}),
    "infected in a preview": (respmod(BAD, b"Preview: 1024\r\n", b"0; ieof\r\n\r\n"), b"200", FOUND),
    "a preview that is a part": (respmod(CLEAN[:16], b"Preview: 16\r\n"), b"100", {}),
    "clean without 204": (respmod(CLEAN, allow=b""), b"200", {}),
    "no such service": (OPTIONS.replace(b"virus_scan", b"nonsense"), b"404", {b"Connection": b"close"}),
}


@pytest.fixture(scope="module")
def real_icap(real):
    home = places.make_directory()
    daemon = Cicap(home / "c-icap", places.free_port(), real).start()
    yield daemon.address
    daemon.kill()
    places.remove_directory(home)


@pytest.fixture
def emulated_icap():
    daemon = Icap(service="virus_scan", methods=b"RESPMOD, REQMOD", detected=b"Test.Payload.UNOFFICIAL").start()
    yield daemon.address
    daemon.stop()


@pytest.mark.parametrize("vector", ICAP_VECTORS)
@pytest.mark.parametrize("kind", ["real_icap", "emulated_icap"])
def test_icap_vector(request, kind, vector):
    address = request.getfixturevalue(kind)
    sent, status, headers = ICAP_VECTORS[vector]
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), places.SOON) as connection:
        connection.sendall(sent.replace(b"HOST", address.encode()))
        came = b""
        while b"\r\n\r\n" not in came:
            octets = connection.recv(65536)
            assert octets, came
            came += octets
    first, *rest = came.split(b"\r\n\r\n")[0].split(b"\r\n")
    assert first.split(b" ")[:2] == [b"ICAP/1.0", status], came
    found = dict(line.split(b": ", 1) for line in rest if b": " in line)
    assert {key: found.get(key) for key in headers} == headers, came


# --- Symantec Scan Engine: vectors of its manual; there is no real one to hold it against ---

GREETING = b"220 Symantec AntiVirus Scan Engine ready.\r\n2\r\n"
SYMANTEC_VECTORS = {
    "infected": (b"Version 2\nAVSCAN\nmessage.eml\n75\n" + BAD,
                 b"230 File scanned.\r\n1\r\n20240105\r\n2\r\n1\r\nmessage.eml\r\nTest.Payload\r\n11101\r\n0\r\n"),
    "clean": (b"Version 2\nAVSCAN\nmessage.eml\n62\n" + CLEAN, b"230 File scanned.\r\n0\r\n20240105\r\n2\r\n0\r\n"),
    "another version": (b"Version 9\n", b"504 Unsupported protocol version.\r\n"),
}


@pytest.mark.parametrize("vector", SYMANTEC_VECTORS)
def test_symantec_vector(vector):
    sent, expected = SYMANTEC_VECTORS[vector]
    daemon = Symantec().start()
    try:
        with socket.create_connection(("127.0.0.1", daemon.port), places.SOON) as connection:
            connection.sendall(sent)
            came = b""
            while octets := connection.recv(65536):
                came += octets
        assert came == GREETING + expected
    finally:
        daemon.stop()
