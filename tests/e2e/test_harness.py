# SPDX-License-Identifier: MIT
"""The harness against itself, without postern: a checker that cannot fail proves nothing."""
import pytest
from harness import backend as backends
from harness import mail, swaks
from harness.backend import Drop, Reply, Wait
from harness.client import Client, ConnectionEnded, deliver, dot_stuffed
from harness.postfix import content_of

DOTTED = b".one\r\n..two\r\n.\xe4\r\n\r\n"


def test_client_and_backend_agree_on_every_byte(backend):
    content = mail.plain(DOTTED)
    reply = deliver(backend.port, content)
    assert reply.code == 250
    (received,) = backend.wait_mails()
    assert received.content == content
    assert (received.sender, received.recipients) == (b"FROM:<a@client.test>", [b"TO:<b@y.test>"])


def test_an_empty_body_is_a_message_too(backend):
    assert deliver(backend.port, b"").code == 250
    assert backend.wait_mails()[0].content == b""


@pytest.mark.parametrize("cut", range(1, 12))
def test_backend_finds_the_end_wherever_the_bytes_are_cut(backend, cut):
    wire = dot_stuffed(b"x\r\n.\r\n") + b"QUIT\r\n"
    with Client(backend.port) as client:
        client.ehlo()
        client.start_data()
        client.send(wire[:cut])
        client.send(wire[cut:])
        client.expect(250)
        client.expect(221)
    assert backend.mails[0].content == b"x\r\n.\r\n"


def test_backend_without_keeping_counts_and_digests():
    server = backends.Backend(keep=False)
    content = mail.of_size(3_000_000)
    assert deliver(server.port, content).code == 250
    assert server.mails[0].length == len(content)
    server.stop()


@pytest.mark.parametrize("stage", ["connect", "greeting", "ehlo", "mail", "rcpt", "data", "body", "dot"])
def test_backend_drops_where_it_is_told(backend, stage):
    backend.on(stage, Drop())
    with pytest.raises((ConnectionEnded, ConnectionError)):
        deliver(backend.port, mail.plain())
    assert len(backend.mails) == (1 if stage == "dot" else 0)
    assert not any(m.accepted for m in backend.mails)


def test_backend_waits_until_released_and_counts_times(backend):
    backend.on("mail", Reply(450, "4.2.0 later"), times=1)
    wait = backend.on("dot", Wait())
    with Client(backend.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<a@b>", 450, "4.2.0")
        client.start_data()
        client.send(dot_stuffed(mail.plain()))
        assert wait.entered.wait(5)
        wait.release.set()
        client.expect(250)


def test_swaks_sends_the_bytes_as_they_are(backend):
    content = mail.plain(DOTTED)
    dialogue = swaks.send(backend.port, content)
    assert (dialogue.status, dialogue.final_reply) == (swaks.EXIT_OK, "250 2.0.0 queued as 4711")
    assert backend.mails[0].content == content


def test_swaks_shows_a_refusal(backend):
    backend.on("dot", Reply(550, "5.7.1 no"))
    dialogue = swaks.send(backend.port, mail.plain())
    assert (dialogue.status, dialogue.final_reply) == (swaks.EXIT_DATA_REFUSED, "550 5.7.1 no")


def test_postfix_stores_the_bytes_as_they_are(postfix):
    content = mail.plain(DOTTED)
    assert swaks.send(postfix.port, content).status == swaks.EXIT_OK
    (stored,) = postfix.wait_stored(1)
    assert content_of(stored) == content
    assert postfix.accepted_count() == 1


def test_virus_and_payload_are_the_ones_of_the_signatures():
    from harness.places import ROOT
    lines = dict(line.split(":0:*:") for line in (ROOT / "deploy/demo-signatures/test.ndb").read_text().split())
    assert lines == {mail.TEST_VIRUS_NAME: mail.test_virus().hex(), mail.PAYLOAD_NAME: mail.PAYLOAD.hex()}
