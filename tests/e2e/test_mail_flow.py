# SPDX-License-Identifier: MIT
"""The main job: what is clean arrives unchanged, what is infected is refused, and the backend's own words reach the client."""
import base64
import re

import pytest
from harness import mail, swaks
from harness.backend import Reply
from harness.client import Client, deliver, dot_stuffed
from harness.postern import HOSTNAME, clamav_stanza
from harness.postfix import content_of

AWKWARD_BODIES = {
    "words": b"Nothing but words.\r\n",
    "dots": b".\r\n..\r\n.one\r\n..two\r\n...\r\n",
    "only a dot line": b".\r\n",
    "eight bit without BODY=": "Grüße\r\n".encode("latin-1") + bytes(range(128, 256)) + b"\r\n",
    "every octet but NUL CR LF": bytes(i for i in range(1, 256) if i not in (10, 13)) + b"\r\n",
    "empty lines": b"\r\n" * 50,
    "one long line": b"x" * 100_000 + b"\r\n",
    "empty": b"",
}


# --- clean ---

@pytest.mark.root
def test_clean_mail_by_swaks_arrives_at_postfix_byte_for_byte(start_pair, database, postfix):
    pair = start_pair(engines=clamav_stanza(database), backend_port=postfix.port)
    before = len(postfix.stored())
    content = mail.plain(b".dots\r\n..more\r\n" + "Grüße\r\n".encode("latin-1"))

    dialogue = swaks.send(pair.port, content)

    assert dialogue.status == swaks.EXIT_OK, dialogue
    assert dialogue.final_reply.startswith("250 2.0.0 Ok: queued as "), "the final reply is Postfix's own"
    assert content_of(postfix.wait_stored(before + 1)[before]) == content


@pytest.mark.root
def test_test_virus_by_swaks_never_reaches_postfix(start_pair, database, postfix):
    pair = start_pair(engines=clamav_stanza(database), backend_port=postfix.port)
    before = postfix.accepted_count()

    for payload in (mail.test_virus(), mail.in_zip(mail.test_virus())):
        dialogue = swaks.send(pair.port, mail.with_attachment(payload))
        assert dialogue.status == swaks.EXIT_DATA_REFUSED, dialogue
        assert dialogue.final_reply.startswith("550 5.7.1 "), dialogue
        assert mail.TEST_VIRUS_NAME in dialogue.final_reply

    assert postfix.accepted_count() == before


@pytest.mark.parametrize("name", AWKWARD_BODIES)
def test_clean_content_arrives_unchanged(pair, name):
    content = mail.plain(AWKWARD_BODIES[name])
    reply = pair.deliver(content)
    assert reply.code == 250, reply
    assert [m.content for m in pair.backend.mails] == [content]


def test_content_without_any_header_arrives_unchanged(pair):
    assert pair.deliver(b"\r\nonly a body\r\n").code == 250
    assert pair.backend.mails[0].content == b"\r\nonly a body\r\n"


@pytest.mark.parametrize("octets", [131_000, 131_071, 131_072, 131_073, 200_000, 3_000_000])
def test_content_around_the_threshold_of_the_spill_file_arrives_unchanged(pair, octets):
    content = mail.of_size(octets - 2)
    content += b"y" * (octets - len(content) - 2) + b"\r\n"
    assert len(content) == octets
    assert pair.deliver(content).code == 250
    assert pair.backend.mails[0].content == content


def test_several_mails_and_recipients_in_one_session(pair):
    contents = [mail.plain(b"number %d\r\n" % i) for i in range(5)]
    with pair.client() as client:
        client.ehlo()
        for i, content in enumerate(contents):
            assert client.message(content, recipients=[f"r{n}@y.test" for n in range(i + 1)]).code == 250
        client.quit()
    assert [m.content for m in pair.backend.mails] == contents
    assert [len(m.recipients) for m in pair.backend.mails] == [1, 2, 3, 4, 5]


def test_null_reverse_path_is_relayed_as_it_is(pair):
    assert pair.deliver(mail.plain(), sender="").code == 250
    assert pair.backend.mails[0].sender.startswith(b"FROM:<>")


def test_infected_mail_does_not_spoil_the_session(pair):
    with pair.client() as client:
        client.ehlo()
        assert client.message(mail.with_attachment(mail.test_virus())).code == 550
        assert client.message(mail.plain()).code == 250
        assert client.message(mail.plain(mail.PAYLOAD)).code == 550
        assert client.message(mail.plain()).code == 250
        client.quit()


# --- infected ---

INFECTED_MAILS = {
    "virus as the whole body": lambda: (mail.plain(mail.test_virus() + b"\r\n"), mail.TEST_VIRUS_NAME),
    "virus in base64": lambda: (mail.with_attachment(mail.test_virus()), mail.TEST_VIRUS_NAME),
    "virus in zip in base64": lambda: (mail.with_attachment(mail.in_zip(mail.test_virus())), mail.TEST_VIRUS_NAME),
    "virus in zip in zip": lambda: (mail.with_attachment(mail.in_zip(mail.in_zip(mail.test_virus()), "a.zip")), mail.TEST_VIRUS_NAME),
    "virus in a mail in a mail": lambda: (mail.with_attachment(
        mail.with_attachment(mail.test_virus()), "m.eml", "message/rfc822"), mail.TEST_VIRUS_NAME),
    "payload behind a megabyte": lambda: (mail.of_size(1_200_000) + mail.PAYLOAD + b"\r\n", mail.PAYLOAD_NAME),
    "payload in a header": lambda: (mail.plain(headers=[b"X-Note: " + mail.PAYLOAD]), mail.PAYLOAD_NAME),
}


@pytest.mark.parametrize("name", INFECTED_MAILS)
def test_infected_mail_is_refused_with_the_name_of_the_virus(pair, name):
    content, virus = INFECTED_MAILS[name]()
    reply = pair.deliver(content)
    assert (reply.code, reply.enhanced) == (550, "5.7.1"), reply
    assert virus in reply.text


def test_payload_hidden_by_dot_stuffing_is_found(pair):
    # On the wire the payload is broken by a doubled dot; what is scanned must be what is delivered.
    first, rest = mail.PAYLOAD[:4], mail.PAYLOAD[4:]
    content = mail.plain(b"." + mail.PAYLOAD + b"\r\n")
    assert b".." + first + rest in dot_stuffed(content)
    assert pair.deliver(content).code == 550
    assert pair.backend.mails == []


# --- the backend's own words ---

@pytest.mark.parametrize("stage,code,text", [
    ("mail", 450, "4.1.8 sender's domain not found"), ("mail", 550, "5.1.8 bad sender"),
    ("rcpt", 450, "4.2.0 greylisted"), ("rcpt", 550, "5.1.1 no such user"), ("rcpt", 452, "4.5.3 too many"),
])
def test_refusal_of_the_envelope_is_the_backends_own(pair, stage, code, text):
    pair.backend.on(stage, Reply(code, text), times=1)
    with pair.client() as client:
        client.ehlo()
        if stage == "rcpt":
            client.command("MAIL FROM:<a@client.test>", 250)
        command = {"mail": "MAIL FROM:<a@client.test>", "rcpt": "RCPT TO:<b@y.test>"}[stage]
        reply = client.command(command, code, text.split()[0])
        assert text in reply.text
        if stage == "mail":
            client.command("MAIL FROM:<a@client.test>", 250)
        client.command("RCPT TO:<c@y.test>", 250)
        client.command("DATA", 354)
        client.send(dot_stuffed(mail.plain()))
        client.expect(250)
        client.quit()
    assert len(pair.backend.mails) == 1


def test_one_refused_recipient_does_not_take_the_others_with_it(pair):
    pair.backend.on("rcpt", Reply(250, "2.1.5 ok"), times=1)
    pair.backend.on("rcpt", Reply(550, "5.1.1 no such user"), times=1)
    with pair.client() as client:
        client.ehlo()
        client.command("MAIL FROM:<a@client.test>", 250)
        client.command("RCPT TO:<one@y.test>", 250)
        client.command("RCPT TO:<two@y.test>", 550)
        client.command("RCPT TO:<three@y.test>", 250)
        client.command("DATA", 354)
        client.send(dot_stuffed(mail.plain()))
        client.expect(250)
    assert pair.backend.wait_mails()[0].recipients == [b"TO:<one@y.test>", b"TO:<three@y.test>"]


@pytest.mark.parametrize("stage", ["data", "dot"])
@pytest.mark.parametrize("code,text", [(452, "4.3.1 no room"), (451, "4.7.0 later"), (552, "5.2.2 mailbox full"), (554, "5.6.0 no")])
def test_refusal_of_the_content_is_the_backends_own(pair, stage, code, text):
    pair.backend.on(stage, Reply(code, text), times=1)
    reply = pair.deliver(mail.plain())
    assert (reply.code, reply.enhanced) == (code, text.split()[0]), reply
    assert text in reply.text


def test_final_reply_of_several_lines_is_relayed(pair):
    pair.backend.on("dot", Reply(250, "2.0.0 queued", "as 4711"), times=1)
    reply = pair.deliver(mail.plain())
    assert reply.code == 250
    assert "4711" in reply.text


# --- EHLO ---

def test_ehlo_offers_hop_keywords_and_those_of_the_backend(pair):
    pair.deliver(mail.plain())  # now the backend's keywords are known
    with pair.client() as client:
        keywords = client.keywords()
        names = {k.split()[0] for k in keywords}
        assert names == {"PIPELINING", "SIZE", "ENHANCEDSTATUSCODES", "8BITMIME"}
        assert f"SIZE {100 * 1024 * 1024}" in keywords, "the smaller of our limit and the backend's"
        assert client.greeting.lines[0].startswith(HOSTNAME + " ")


def test_end_to_end_keywords_are_not_invented(start_pair, database, backend):
    backend.keywords = ("SIZE 5000",)
    pair = start_pair(engines=clamav_stanza(database))
    content = mail.plain()
    assert pair.deliver(content).code == 250
    with pair.client() as client:
        keywords = client.keywords()
    (size,) = [int(k.split()[1]) for k in keywords if k.startswith("SIZE ")]
    assert 0 < size <= 5000, "the backend's limit, less what postern may add in front"
    assert "8BITMIME" not in keywords
    assert "PIPELINING" in keywords
    assert backend.mails[0].content == content


def test_helo_works_without_extensions(pair):
    with pair.client() as client:
        assert len(client.command("HELO client.test", 250).lines) == 1
        assert client.message(mail.plain()).code == 250


def test_backend_without_ehlo_is_spoken_to_with_helo(start_pair, database, backend):
    backend.on("ehlo", Reply(502, "5.5.1 what?"))
    pair = start_pair(engines=clamav_stanza(database))
    assert pair.deliver(mail.plain()).code == 250
    assert backend.commands("HELO")


# --- actions ---

def test_action_pass_relays_an_infected_mail_with_a_mark(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, action="pass"))
    content = mail.with_attachment(mail.test_virus())

    assert pair.deliver(content).code == 250

    received = pair.backend.wait_mails()[0].content
    assert received.endswith(content), "what was scanned is what is delivered"
    added = received[:-len(content)]
    assert re.fullmatch(rb"X-Virus-Status: [ -~]+(\r\n[ \t][ -~]+)*\r\n", added), added
    assert HOSTNAME.encode() in added and mail.TEST_VIRUS_NAME.encode() in added


def test_action_pass_does_not_touch_a_clean_mail_of_others_marks(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, action="pass"))
    content = mail.plain(headers=["X-Virus-Status: No"])
    assert pair.deliver(content).code == 250
    assert pair.backend.wait_mails()[0].content.endswith(content)


def test_reply_code_and_text_are_configurable(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, infected_code=554, infected_text='"no %v here, ask %e"'))
    reply = pair.deliver(mail.with_attachment(mail.test_virus()))
    assert (reply.code, reply.enhanced) == (554, "5.7.1")
    assert f"no {mail.TEST_VIRUS_NAME}" in reply.text and "ask clamav1" in reply.text


def test_scan_off_relays_what_would_be_infected(start_pair):
    pair = start_pair(engines="scan = off\n")
    content = mail.with_attachment(mail.test_virus())
    assert pair.deliver(content).code == 250
    assert pair.backend.wait_mails()[0].content == content
    assert pair.log.wait_for("message")["verdict"] == "skipped"


def test_no_engine_is_never_clean(start_pair):
    pair = start_pair(engines="")
    pair.postern.book.excuse("L6", because="there is no engine, then as now")
    reply = pair.deliver(mail.plain())
    assert (reply.code, reply.enhanced) == (451, "4.7.1"), reply


def test_base64_of_the_virus_is_what_the_mail_carries():
    # Guards the builder: a mail without the virus in it would make every test above worthless.
    encoded = base64.b64encode(mail.test_virus())[:60]
    assert encoded in mail.with_attachment(mail.test_virus())


def test_direct_delivery_without_postern_would_let_the_virus_through(backend):
    assert deliver(backend.port, mail.with_attachment(mail.test_virus())).code == 250


def test_vrfy_help_noop_and_unknown_verbs_are_answered_and_never_relayed(pair):
    with pair.client() as client:
        client.ehlo()
        client.command("NOOP", 250)
        assert client.command("VRFY b@y.test").code == 252
        assert client.command("HELP").code == 214
        assert client.command("XCLIENT ADDR=1.2.3.4").code in (500, 502)
        assert client.command("BDAT 5 LAST").code in (500, 502)
        assert client.command("STARTTLS").code in (500, 502)
        client.quit()
    seen = pair.backend.commands()
    assert not [c for c in seen if c.split()[0].upper() in (b"VRFY", b"HELP", b"XCLIENT", b"BDAT", b"STARTTLS")]


def test_order_of_commands_is_kept(pair):
    with Client(pair.port) as client:
        assert client.command("MAIL FROM:<a@client.test>").code == 503
        client.ehlo()
        assert client.command("RCPT TO:<b@y.test>").code == 503
        assert client.command("DATA").code == 503
        client.command("MAIL FROM:<a@client.test>", 250)
        assert client.command("MAIL FROM:<a@client.test>").code == 503
        client.command("RSET", 250)
        assert client.command("RCPT TO:<b@y.test>").code == 503


@pytest.mark.root
def test_the_postfix_of_the_readme_is_no_open_relay_and_does_not_count_the_gateway(start_pair, database, postfix_factory):
    mta = postfix_factory(mynetworks="", smtpd_client_event_limit_exceptions="127.0.0.0/8", smtpd_client_connection_count_limit="1")
    pair = start_pair(engines=clamav_stanza(database), backend_port=mta.port)
    sessions = [Client(pair.port) for _ in range(4)]  # at once: each has a connection of its own to Postfix
    for session in sessions:
        session.ehlo()
        session.command("MAIL FROM:<a@client.test>", 250)
        assert session.command("RCPT TO:<b@elsewhere.test>").code in (454, 554)
        session.command("RCPT TO:<b@y.test>", 250)
    for session in sessions:
        session.command("DATA", 354)
        session.send(dot_stuffed(mail.plain()))
        session.expect(250)
        session.quit()
