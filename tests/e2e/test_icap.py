# SPDX-License-Identifier: MIT
"""Scanning with an ICAP server: an emulated one that speaks as several vendors' do and misbehaves in every way (C16), and the real
c-icap."""
import threading

import pytest
from harness import mail, places
from harness.cicap import Cicap
from harness.clamd import Clamd as RealClamd
from harness.console import Console, listener
from harness.emulators.base import Fault
from harness.emulators.icap import VENDORS, Icap
from harness.postern import make_database

DETECTED = "Test.Payload"
SIGNATURE = "Test.Payload:0:*:" + mail.PAYLOAD.hex() + "\n"


def bad():
    return mail.plain(mail.PAYLOAD + b"\r\n")


def stanza(addresses, workers=1, **options):
    values = {"timeout": "20s", "breaker_failures": 0, "test_string": "ignored", **options}
    listed = "( " + " ".join(f'"{a}"' for a in addresses) + " )" if isinstance(addresses, (list, tuple)) else f'"{addresses}"'
    return (f'ThreadPool "IO" {{ Concurrency = {workers} }}\nantivirus {{ icap "icap1" {{ daemon = {listed} '
            + " ".join(f'{k} = "{v}"' if isinstance(v, str) and not v.isalnum() else f"{k} = {v}" for k, v in values.items()) + " } }\n")


# The server must outlive postern: its fixture stands before start_pair.

@pytest.fixture
def server():
    daemon = Icap().start()
    yield daemon
    daemon.stop()


@pytest.fixture
def start_server():
    started = []

    def start(*arguments, **options):
        started.append(Icap(*arguments, **options).start())
        return started[-1]

    yield start
    for daemon in started:
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
    assert (event["verdict"], event["virus"]) == ("infected", name), event
    return event


def assert_unscannable(pair, content, reason):
    event = send(pair, content, 550)
    assert (event["verdict"], event["reason"]) == ("unscannable", reason), event
    return event


# --- good days ---

@pytest.mark.parametrize("way", ["tcp", "unix"])
@pytest.mark.parametrize("keep_alive", ["false", "true"])
def test_clean_passes_and_a_virus_is_refused(directory, way, keep_alive, start_server, start_pair):
    server = start_server(directory / "icap.socket" if way == "unix" else None)
    pair = start_pair(engines=stanza(server.address, keep_alive=keep_alive))
    content = mail.plain(b"..dots\r\n.\xe4\r\n")
    event = assert_passes(pair, content)
    assert event["engine"] == "icap1" and event["database"] > 0, event
    assert_infected(pair)
    assert_passes(pair)
    wanted = 1 if keep_alive == "true" else 3
    places.until(lambda: server.connections == wanted, "the connections, beside the one that only looks whether somebody is there")
    assert [line.split(b" ")[0] for line, _ in server.requests] == [b"OPTIONS", b"RESPMOD", b"RESPMOD", b"RESPMOD"]
    assert server.wait_scans(3)[0][1] == content, "what is scanned is what the client sent"
    pair.log.wait_for("engine-ready", version="Emu AV 1.0, ISTag emu-0001")


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_vendor_s_words_for_a_virus(vendor, start_server, start_pair):
    pair = start_pair(engines=stanza(start_server(vendor=vendor).address))
    assert_passes(pair)
    assert_infected(pair)
    assert_passes(pair)


FORMS = {
    "respmod": {},
    "reqmod": {"mode": "reqmod"},
    "respmod alone": {"http_headers": "false"},
    "reqmod alone": {"mode": "reqmod", "http_headers": "false"},
    "no preview": {"preview": 0},
    "a small preview": {"preview": 100},
    "another service": {"service": "SYMCScan-AV?x=y"},
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_request(form, start_server, start_pair):
    options = FORMS[form]
    server = start_server(service=options.get("service", "avscan").split("?")[0])
    pair = start_pair(engines=stanza(server.address, **options))
    for content in (mail.plain(), mail.of_size(200_000)):
        assert_passes(pair, content)
        assert server.scans[-1] == ("REQMOD" if "mode" in options else "RESPMOD", content)
    assert_infected(pair, mail.of_size(200_000) + mail.PAYLOAD + b"\r\n")
    previews = [headers.get(b"preview") for line, headers in server.requests if not line.startswith(b"OPTIONS")]
    most = {"no preview": None, "a small preview": 100}.get(form, 1024)
    if most is None:
        assert set(previews) == {None}, previews
    else:  # never all of a message
        assert [int(p) for p in previews] == [min(most, len(mail.plain()) - 1), most, most], previews


def test_a_large_message_arrives_whole(server, start_pair):
    pair = start_pair(engines=stanza(server.address, timeout="60s"))
    content = mail.of_size(3 << 20)
    assert_passes(pair, content)
    assert server.wait_scans()[0][1] == content


def test_with_keep_alive_each_worker_keeps_its_connection(server, start_pair):
    pair = start_pair(engines=stanza(server.address, workers=3, keep_alive="true"))
    deliver_many(pair, 12)
    places.until(lambda: server.connections <= 3, "a connection for each worker")


def deliver_many(pair, count):
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(pair.deliver(mail.plain()).code)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert codes == [250] * count


def test_no_more_connections_than_the_server_allows(start_server, start_pair):
    server = start_server(max_connections=2)
    pair = start_pair(engines=stanza(server.address, workers=6, daemon_connect_timeout="30s"))
    assert_passes(pair)  # now it is known
    server.think = 0.05
    deliver_many(pair, 24)
    assert len(server.scans) == 25 and server.most_busy <= 2, server.most_busy
    places.until(lambda: not server.open, "connections end with their message")


# --- what an answer is worth ---

def test_what_a_server_sends_back_unscanned_is_never_clean(start_server, start_pair):
    """c-icap does that with what is larger than MaxObjectSize, while the client is still sending."""
    server = start_server(max_object=100_000, preview=None)
    pair = start_pair(engines=stanza(server.address))
    assert_passes(pair)
    assert_unscannable(pair, mail.of_size(5 << 20), "limit")
    assert_unscannable(pair, mail.of_size(150_000), "limit")
    assert_passes(pair)


@pytest.mark.parametrize("preview", [None, 16], ids=["at the head", "after it asked for the rest"])
def test_a_server_that_answers_without_the_end_of_a_message_has_not_scanned_it(preview, start_server, start_pair):
    """Whatever the end is held back for: such a server, which knows what it will say by the head, says it meanwhile."""
    server = start_server(preview=preview)
    server.always = Fault(early=True)
    pair = start_pair(engines=stanza(server.address, end_delay="10s", timeout="60s"))
    contents = bad(), mail.of_size(300_000) + mail.PAYLOAD + b"\r\n"
    for content in contents:
        assert_unscannable(pair, content, "limit")
    pair.postern.stop()  # the mail that the harness sends at the end would wait for end_delay
    server.always = None
    pair = start_pair(engines=stanza(server.address))
    for content in contents:
        assert_infected(pair, content)


@pytest.mark.parametrize("preview", [0, 1024])
def test_a_server_s_second_answer_is_never_that_to_the_next_message(preview, server, start_pair):
    """Nothing in an answer says to which request it belongs: what comes late must find the connection closed."""
    pair = start_pair(engines=stanza(server.address, preview=preview))
    server.always = Fault(again=True)
    for _ in range(2):
        assert_passes(pair)
        assert_infected(pair)


def test_a_service_that_finds_nothing_is_doubted_from_the_beginning(server, start_pair):
    """The emulator knows its own payload alone, as a service that only passes messages on knows none."""
    pair = start_pair(engines=stanza(server.address, test_string="remembered"))
    assert "looks at nothing" in pair.log.wait_for("engine-doubt", engine="icap1", doubt="test-string")["reason"]
    assert_passes(pair)  # as before


def test_a_service_that_must_find_the_test_string_scans_nothing_without(server, start_pair):
    pair = start_pair(engines=stanza(server.address, test_string="required"))
    pair.postern.book.excuse("L6", because="nothing is scanned")
    pair.log.wait_for("engine-probe", engine="icap1", result="bad", detail="the test string is not found")
    assert_error(pair, "down")


@pytest.mark.parametrize("echo_is_clean", ["true", "false"])
def test_a_server_without_204_needs_a_word_of_the_administrator(echo_is_clean, start_server, start_pair, make_postern):
    server = start_server(allow_204=False, preview=None)
    engines = stanza(server.address, echo_is_clean=echo_is_clean)
    pair = start_pair(engines=engines)
    if echo_is_clean == "true":
        assert_passes(pair, mail.of_size(300_000))
        assert "echo_is_clean" in make_postern(engines=engines).check().stderr
    else:
        pair.postern.book.excuse("L6", because="nothing that this server says is clean")
        assert_unscannable(pair, mail.plain(), "limit")
    assert_infected(pair)


SAYINGS = [
    # status, headers; code, verdict, reason or name
    (b"200 OK", [b"X-Infection-Found: Type=2; Resolution=2; Threat=Encrypted container violation;"], 550, "unscannable", "encrypted"),
    (b"200 OK", [b"X-Infection-Found: Type=1; Resolution=2; Threat=no mail;"], 550, "infected", "policy: no mail"),
    (b"200 OK", [b"X-Response-Info: Blocked"], 550, "infected", "Blocked"),
    (b"200 OK", [b"X-Blocked-Reason: Ransom.FileEncryptor.A"], 550, "infected", "Blocked"),
    (b"200 OK", [b"X-Violations-Found: 1", b"a.doc", b"W97M.EncryptedDoc.Trojan", b"11101", b"0"], 550, "infected", "W97M.EncryptedDoc.Trojan"),
    (b"500 Server error", [b"X-Error-Code: password_protected"], 550, "unscannable", "encrypted"),
    (b"500 Server error", [], 451, "error", "engine"),
    (b"539 Aborted - No AV scanning license", [], 451, "error", "engine"),
    (b"503 Service overloaded", [], 451, "error", "down"),
    (b"200 OK", [], 451, "error", "protocol"),
    (b"206 Partial", [], 451, "error", "protocol"),
    (b"204 No Content", [b"X-Infection-Found: Type=0; Resolution=0; Threat=Monitored;"], 550, "infected", "Monitored"),
    (b"204 No Content", [b"X-Error-Code: scan_failed"], 451, "error", "protocol"),
    (b"204 No Content", [b"X-Virus-ID: no threats", b"X-Error-Code: timeout"], 451, "error", "protocol"),
    (b"204 No Content", [b"X-Response-Info: Not scanned"], 451, "error", "protocol"),
]


@pytest.mark.parametrize("status, headers, code, verdict, word", SAYINGS, ids=[(row[0] + b" " + b"".join(row[1])).decode()[:48] for row in SAYINGS])
def test_what_the_server_says(server, status, headers, code, verdict, word, start_pair):
    pair = start_pair(engines=stanza(server.address))
    server.without_headers = (status, headers)
    event = send(pair, mail.plain(), code)
    assert (event["verdict"], event.get("virus") or event.get("reason")) == (verdict, word), event
    server.without_headers = None
    assert_passes(pair)


def test_what_the_server_repaired_is_infected_and_counted(server, directory, start_pair):
    path = directory / "control" / "socket"
    pair = start_pair(engines=stanza(server.address) + listener(path))
    for resolution in (b"0", b"1", b"2"):
        server.without_headers = (b"200 OK", [b"X-Infection-Found: Type=0; Resolution=" + resolution + b"; Threat=Some.Virus;"])
        event = send(pair, mail.plain(), 550)
        assert (event["verdict"], event["virus"]) == ("infected", "Some.Virus"), event
    server.without_headers = None
    assert_passes(pair)
    assert "  Viruses detected:   3\n  Viruses cured:      1\n" in Console(path).ask("antivirus", "stats")


def test_what_is_blocked_without_a_name_may_be_unscannable(server, start_pair):
    pair = start_pair(engines=stanza(server.address, suspicious="unscannable"))
    server.without_headers = (b"200 OK", [b"X-Response-Info: Blocked"])
    assert_unscannable(pair, mail.plain(), "suspicious")
    server.without_headers = None


# --- bad days ---

CONTINUE = b"ICAP/1.0 100 Continue\r\n\r\n"
HEAD = b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
FAULTS = {
    # fault: reasons that may stand in the log
    "garbage": (Fault(raw=b"\x00\xff\xfe garbage\r\n\r\n"), ("protocol",)),
    "an answer of HTTP": (Fault(raw=b"HTTP/1.1 204 No Content\r\n\r\n"), ("protocol",)),
    "an endless line": (Fault(raw=b"ICAP/1.0 204 " + b"A" * 100000), ("protocol",)),
    "a flood of headers": (Fault(raw=b"ICAP/1.0 204 No\r\n" + b"X: y\r\n" * 300000), ("protocol",)),
    "an endless header": (Fault(raw=b"ICAP/1.0 204 No\r\nX: y\r\n" + b" folded\r\n" * 300000), ("protocol",)),
    "an ISTag that is too long": (Fault(wrong_id=True), ("protocol",)),
    "an answer too many": (Fault(raw=b"ICAP/1.0 204 No Content\r\n\r\n" * 2), ("protocol",)),
    "a continuation too many": (Fault(raw=CONTINUE), ("protocol",)),
    "a wrong offset": (Fault(raw=HEAD.replace(b"19", b"18") + b"0\r\n\r\n"), ("protocol",)),
    "an offset beyond all bounds": (Fault(raw=HEAD.replace(b"19", b"999999")), ("protocol",)),
    "no size of a chunk": (Fault(raw=HEAD + b"zz\r\n"), ("protocol",)),
    "a size beyond all bounds": (Fault(raw=HEAD + b"ffffffffffffffff\r\nx"), ("protocol",)),
    "a chunk longer than its size": (Fault(raw=HEAD + b"1\r\nxx\r\n0\r\n\r\n"), ("protocol",)),
    "another body": (Fault(raw=HEAD + b"5\r\nhello\r\n0\r\n\r\n"), ("protocol",)),
    "a body without end": (Fault(raw=HEAD + b"10000\r\n" + b"x" * 65536 + b"\r\n" + b"10000\r\n" + b"x" * 500000), ("protocol",)),
    "violations without end": (Fault(raw=b"ICAP/1.0 200 OK\r\nX-Violations-Found: 0\r\n" + b"line\r\n" * 10), ("protocol",)),
    "no answer": (Fault(close=True), ("down", "protocol")),  # after a preview something came
    "a reset": (Fault(reset=True), ("down", "protocol")),
    "silence": (Fault(stall=0), ("timeout",)),
    "silence in the middle of a line": (Fault(stall=30), ("timeout",)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_misbehaving_server_costs_one_message_a_451(server, fault, start_pair):
    what, reasons = FAULTS[fault]
    pair = start_pair(engines=stanza(server.address, timeout="60s" if what.stall is None else "3s"))
    server.misbehave(what)
    assert_error(pair, *reasons)
    assert_passes(pair)
    assert_infected(pair)


@pytest.mark.parametrize("cut", [0, 1, 12, 40, 120])
def test_an_answer_that_is_cut_is_never_clean(server, cut, start_pair):
    pair = start_pair(engines=stanza(server.address))
    server.misbehave(Fault(raw=b"ICAP/1.0 204 Unmodified\r\nServer: Emu\r\nX: " + b"y" * 76 + b"\r\n\r\n", cut=cut))
    assert_error(pair, "protocol")
    assert_passes(pair)


@pytest.mark.parametrize("fault", [Fault(delay=0.5), Fault(each_octet=True), Fault(close_after=True)], ids=["slow", "octets", "closing"])
def test_what_is_merely_awkward_costs_nothing(server, fault, start_pair):
    pair = start_pair(engines=stanza(server.address, preview=0))
    server.always = fault
    for _ in range(2):
        assert_passes(pair)
        assert_infected(pair)


def test_names_are_made_harmless(server, start_pair):
    pair = start_pair(engines=stanza(server.address))
    for name in (b"Evil\x1b[31m\x80%n", b"N" * 1000):
        server.misbehave(Fault(name=name))
        reply = pair.deliver(mail.plain())
        assert reply.code == 550 and len(reply.text) < 512, reply
        assert all(0x20 <= ord(c) < 0x7F for c in reply.text), reply


def test_a_connection_closed_while_idle_is_renewed_without_a_451(server, start_pair):
    pair = start_pair(engines=stanza(server.address, keep_alive="true"))
    for _ in range(3):
        assert_passes(pair)
        server.drop_connections()
    places.until(lambda: server.connections == 3, "three connections")


def test_another_istag_is_told_and_asked_about(server, start_pair):
    pair = start_pair(engines=stanza(server.address))
    first = assert_passes(pair)
    server.istag = b"emu-0002"
    second = assert_passes(pair)
    pair.log.wait_for("engine-ready", version="Emu AV 1.0, ISTag emu-0002")
    assert first["database"] != second["database"], second
    assert_passes(pair)
    assert [line.split(b" ")[0] for line, _ in server.requests] == [b"OPTIONS", b"RESPMOD", b"RESPMOD", b"OPTIONS", b"RESPMOD"]


def test_mail_flows_again_by_itself_when_the_server_is_back(server, start_pair):
    pair = start_pair(engines=stanza(server.address))
    server.stop()
    assert_error(pair, "down")
    server.start()
    assert_passes(pair)


def test_a_server_that_is_down_at_the_start_is_named_before_mail_comes(server, directory, start_pair):
    server.stop()
    pair = start_pair(engines=stanza([server.address, directory / "no.socket"]))
    pair.postern.book.excuse("L6", because="nobody was there")
    reason = pair.log.wait_for("engine-down")["reason"]
    assert reason.startswith("engine icap1: nobody is there to be asked: ") and server.address in reason and "no.socket: cannot connect: " in reason, reason
    assert_error(pair, "down")
    server.start()
    assert_passes(pair)
    there = start_pair(engines=stanza([directory / "no.socket", server.address]))
    assert_passes(there)
    assert not there.log.find("engine-down")


def test_the_next_server_answers_when_the_first_is_gone_or_overloaded(server, start_server, start_pair):
    second = start_server()
    pair = start_pair(engines=stanza([server.address, second.address]))
    assert_passes(pair)
    assert (len(server.scans), len(second.scans)) == (1, 0)
    server.without_headers = (b"503 Service overloaded", [])
    assert_passes(pair)
    assert len(second.scans) == 1
    server.stop()
    assert_infected(pair)
    assert len(second.scans) == 2


# --- options ---

@pytest.mark.parametrize("wrong, word", [({"service": "other"}, "404"), ({"methods": b"REQMOD"}, "does not know RESPMOD, only REQMOD: set mode")])
def test_a_service_that_is_not_there_is_down_and_says_so(wrong, word, start_server, start_pair):
    pair = start_pair(engines=stanza(start_server(**wrong).address))
    pair.postern.book.excuse("L6", because="the service does not exist")
    event = assert_error(pair, "down")
    assert word in event["detail"], event


def test_max_filesize_makes_larger_messages_unscannable(server, start_pair):
    pair = start_pair(engines=stanza(server.address, max_filesize="10K"))
    assert_unscannable(pair, mail.of_size(20000), "too-large")
    places.until(lambda: server.connections == 0, "none with a request")
    assert_passes(pair)


def test_daemon_connect_timeout_bounds_the_first_word(server, start_pair):
    silent = Icap()
    silent.greeting_delay = 60
    silent.start()
    pair = start_pair(engines=stanza([silent.address, server.address], daemon_connect_timeout="2s"))
    assert_passes(pair)


# --- the real one ---

@pytest.fixture(scope="module")
def home():
    path = places.make_directory()
    yield path
    places.remove_directory(path)


@pytest.fixture(scope="module")
def clamd(home):
    daemon = RealClamd(home / "clamd", make_database(home / "db", {"test.ndb": SIGNATURE}), places.free_port()).start()
    yield daemon.path
    daemon.kill()


@pytest.fixture(scope="module")
def real(home, clamd):
    daemon = Cicap(home / "c-icap", places.free_port(), clamd, MaxObjectSize="1M")
    yield daemon.start()
    daemon.kill()


@pytest.fixture(scope="module")
def trickling(home, clamd):
    """It begins to send an object back before it has looked at all of it, and breaks off where it finds a virus."""
    daemon = Cicap(home / "trickling", places.free_port(), clamd, StartSendPercentDataAfter=0)
    yield daemon.start()
    daemon.kill()


REAL_FORMS = {key: value for key, value in FORMS.items() if key != "another service"}


@pytest.mark.parametrize("form", REAL_FORMS)
def test_the_real_c_icap(real, form, start_pair):
    pair = start_pair(engines=stanza(real.address, service="virus_scan", **REAL_FORMS[form]))
    assert_passes(pair)
    assert_passes(pair, mail.of_size(300_000))
    name = "Test.Payload.UNOFFICIAL"
    assert_infected(pair, name=name)
    assert_infected(pair, mail.of_size(300_000) + mail.PAYLOAD + b"\r\n", name=name)
    assert_passes(pair)
    places.until(lambda: any("C-ICAP/0.5" in event["version"] for event in pair.log.find("engine-ready")), "its version is told")


def test_what_the_real_c_icap_does_not_scan_is_unscannable(real, start_pair):
    pair = start_pair(engines=stanza(real.address, service="virus_scan", timeout="60s"))
    for content in (mail.of_size(1_200_000), mail.of_size(4 << 20)):
        assert_unscannable(pair, content + mail.PAYLOAD + b"\r\n", "limit")
    assert_passes(pair)
    unlimited = start_pair(engines=stanza(real.address, service="virus_scan?sizelimit=off", timeout="60s"))
    assert_infected(unlimited, mail.of_size(1_200_000) + mail.PAYLOAD + b"\r\n", name="Test.Payload.UNOFFICIAL")


def test_a_c_icap_that_trickles_says_nothing_that_would_be_clean(trickling, start_pair):
    pair = start_pair(engines=stanza(trickling.address, service="virus_scan", timeout="3s", preview=0))
    assert_unscannable(pair, mail.of_size(100_000), "limit")
    reply = pair.deliver(mail.of_size(100_000) + mail.PAYLOAD + b"\r\n")
    assert reply.code in (451, 550), reply
    assert pair.backend.mails == []
    assert_passes(pair)


@pytest.mark.parametrize("size", [40, 1000, 1100, 20_000])
def test_what_c_icap_takes_by_its_first_octets_for_no_virus_is_not_clean(real, size, start_pair):
    """It looks for types that it is told to scan at the begin of what it gets, which is a mail's first header, and answers 204 to all others."""
    pair = start_pair(engines=stanza(real.address, service="virus_scan"))
    pair.postern.book.excuse("L6", because="mail that begins like this is refused each time")
    for head in (b"ID3: x\r\n", b"%PDF-1.4: x\r\n"):
        reply = pair.deliver(head + b"Subject: x\r\n\r\n" + b"filled up to size\r\n" * (size // 19) + mail.PAYLOAD + b"\r\n")
        assert reply.code == 550, reply
