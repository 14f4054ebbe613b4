# SPDX-License-Identifier: MIT
"""One event is one line, with the fields that the documentation names; hostile bytes stay inside their field."""
import hashlib
import json
import re

import pytest
from harness import mail
from harness.backend import Reply
from harness.client import Client
from harness.postern import clamav_stanza

TIMES = {"queue_ms", "engine_ms", "envelope_ms", "receive_ms", "scan_ms", "total_ms"}
COMMON = {"time", "level", "event", "session", "id", "client", "outcome", "from", "to", "recipients", "size", "verdict", "action",
          "engine", "database", "reply", "sha256", "helo"} | TIMES


def last_message(pair, since):
    return pair.log.wait_for("message", since=since)


def test_delivered_message_has_one_line_with_every_field(pair):
    since = pair.log.mark()
    content = mail.plain()
    with pair.client() as client:
        client.ehlo("mx.client.test")
        final = client.message(content, sender="a@client.test", recipients=["b@y.test", "c@y.test"])
        client.quit()
    pair.log.wait_for("close", since=since)
    (event,) = [e for e in pair.log.find("message") if e["helo"] == "mx.client.test"]

    missing = (COMMON | {"deliver_ms", "backend", "backend_reply"}) - set(event)
    assert not missing
    assert (event["outcome"], event["verdict"], event["engine"]) == ("delivered", "clean", "clamav1")
    assert (event["size"], event["recipients"]) == (len(content), 2)
    assert event["from"] == "<a@client.test>" and event["to"] == "<b@y.test>"
    assert event["sha256"] == hashlib.sha256(content).hexdigest()
    assert "4711" in event["backend_reply"] and event["reply"].startswith("250 ")
    assert final.text.replace("2.0.0 ", "") in event["reply"]
    assert all(float(event[key]) >= 0 for key in TIMES)


def test_infected_message_has_one_line_with_the_name_of_the_virus(pair):
    since = pair.log.mark()
    pair.deliver(mail.with_attachment(mail.test_virus()))
    event = last_message(pair, since)
    assert COMMON <= set(event), COMMON - set(event)
    assert (event["outcome"], event["verdict"], event["action"]) == ("refused", "infected", "reject")
    assert mail.TEST_VIRUS_NAME in event["virus"]
    assert event["reply"].startswith("550 5.7.1 ")
    assert "backend_reply" not in event or not event["backend_reply"].startswith("250")


def test_message_without_its_end_has_a_line_too(pair):
    since = pair.log.mark()
    with pair.client() as client:
        client.ehlo()
        client.start_data()
        client.send(b"Subject: half\r\n")
    event = last_message(pair, since)
    assert event["outcome"] == "client-gone"
    assert "verdict" not in event


def test_session_has_a_line_at_its_begin_and_its_end(pair):
    since = pair.log.mark()
    pair.deliver(mail.plain())
    connect = pair.log.wait_for("connect", since=since)
    close = pair.log.wait_for("close", session=connect["session"])
    assert re.fullmatch(r"127\.0\.0\.1:\d+", connect["client"]) and connect["client"] == close["client"]
    assert {"reason", "step"} <= set(close)


def test_ids_are_unique(pair):
    since = pair.log.mark()
    for _ in range(5):
        pair.deliver(mail.plain())
    pair.log.wait_for("message", since=since, count=5)
    events = pair.log.events[since:]
    ids = [e["id"] for e in events if e["event"] == "message"]
    sessions = [e["session"] for e in events if e["event"] == "connect"]
    assert len(set(ids)) == 5 and len(set(sessions)) == 5


def test_refused_recipient_has_a_line(pair):
    since = pair.log.mark()
    pair.backend.on("rcpt", Reply(550, "5.1.1 no such user"), times=1)
    with pair.client() as client:
        client.ehlo()
        client.command("MAIL FROM:<a@client.test>", 250)
        client.command("RCPT TO:<nobody@y.test>", 550)
    event = pair.log.wait_for("reject", since=since)
    assert "nobody@y.test" in event["argument"] and event["reply"].startswith("550 5.1.1")


HOSTILE = ["\x1b[31mred", "a\tb", 'quo"te', "back\\slash", "\xe9\xff", "%n%s%x", "\x7f", "time=1 event=message level=error"]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_hostile_bytes_stay_inside_their_field(start_pair, database, directory, log_format):
    path = directory / "log"
    path.touch()
    path.chmod(0o666)
    pair = start_pair(engines=clamav_stanza(database), wait_ready=False, top={"log_format": log_format, "log": f'"{path}"'})
    from harness.places import until
    if log_format == "text":
        pair.postern.book.excuse("L8", because="the ledger reads JSON only")
    until(lambda: "ready" in path.read_text(errors="replace"), "ready in the log file", 60)
    for text in HOSTILE:
        pair.backend.on("rcpt", Reply(550, "5.1.1 no " + text), times=1)
        with Client(pair.port) as client:
            client.command(f"EHLO {text}")
            client.command("EHLO client.test", 250)
            client.command(f'MAIL FROM:<"{text}"@client.test>')
            client.command("RSET")
            client.command("MAIL FROM:<a@client.test>", 250)
            client.command(f"RCPT TO:<b@y.test> {text}")
            client.command("RCPT TO:<b@y.test>")
    pair.postern.stop()

    raw = path.read_bytes()
    assert raw.endswith(b"\n")
    assert set(raw) <= {10, *range(0x20, 0x7F)}, "only printable ASCII and line ends"
    for line in raw.decode("ascii").splitlines():
        if log_format == "json":
            assert "event" in json.loads(line)
        else:
            assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|notice|warning|error) [a-z-]+( [a-z_0-9]+=|$)", line), line


def test_long_fields_are_cut(pair):
    since = pair.log.mark()
    with pair.client() as client:
        client.ehlo()
        client.command("MAIL FROM:<a@client.test>", 250)
        pair.backend.on("rcpt", Reply(550, "5.1.1 " + "x" * 480), times=1)
        client.command("RCPT TO:<" + "y" * 60 + "@" + "z" * 60 + ".test>", 550)
    event = pair.log.wait_for("reject", since=since)
    assert len(json.dumps(event)) < 8192
