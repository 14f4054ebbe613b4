# SPDX-License-Identifier: MIT
"""Clients that are hasty, slow, cut off, or attackers: at most one mail per accepted message, and nothing that was not meant."""
import re
import threading
import time

import pytest
from harness import mail
from harness.backend import Reply, Wait
from harness.client import Client, ConnectionEnded, dot_stuffed
from harness.places import until
from harness.postern import clamav_stanza, fake_stanza

# --- line ends and smuggling (threats B1–B5) ---

FAULTY = {
    "bare LF": b"one\ntwo\r\n", "bare CR": b"one\rtwo\r\n", "NUL": b"one\0two\r\n", "CR at the end of the line": b"one\r\r\n",
    "LF CR": b"one\n\rtwo\r\n", "NUL at the end": b"one\0\r\n",
}


@pytest.mark.parametrize("name", FAULTY)
def test_faulty_line_ends_are_refused_550(pair, name):
    reply = pair.deliver(mail.plain(FAULTY[name]))
    assert (reply.code, reply.enhanced) == (550, "5.6.0"), reply


LEFT = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0\r\n", b"\r\0\n", b"\r\n\0", b"\v", b"\f", b"\x85", b"\xe2\x80\xa8"]
DOTS = [b".", b"\0.", b".\0", b". ", b".\t", b" ."]
VARIANTS = [left + dot + right for left in LEFT for dot in DOTS for right in LEFT if (left, dot, right) != (b"\r\n", b".", b"\r\n")]

SMUGGLED = (b"MAIL FROM:<evil@client.test>\r\nRCPT TO:<victim@y.test>\r\nDATA\r\n"
            b"From: <boss@y.test>\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\n")

# How lenient readers see the end of data. Each maps what postern sent to what such a reader takes for it.
TOLERANT = {
    "strict": lambda wire: wire,
    "LF": lambda wire: re.sub(rb"\r?\n", b"\r\n", wire),
    "CR and LF": lambda wire: re.sub(rb"\r\n|\r|\n", b"\r\n", wire),
    "drops NUL": lambda wire: re.sub(rb"\r?\n", b"\r\n", wire.replace(b"\0", b"")),
    "strips blanks": lambda wire: re.sub(rb"[ \t]*\r?\n", b"\r\n", wire),
}


def ends_of_data(wire, reader):
    return (b"\r\n" + TOLERANT[reader](wire)).count(b"\r\n.\r\n")


def smuggle(pair, variant):
    """A message with VARIANT and a second envelope inside, in one write; the replies that came."""
    with Client(pair.port) as client:
        client.ehlo()
        client.start_data()
        client.send(mail.plain(b"harmless" + variant + SMUGGLED) + b"QUIT\r\n")
        replies = []
        try:
            while not replies or replies[-1].code not in (221, 421):
                replies.append(client.reply())
        except ConnectionEnded:
            pass
        return replies


def test_set_of_variants_is_complete():
    assert len(VARIANTS) == 12 * 6 * 12 - 1


@pytest.mark.parametrize("part", range(9))
def test_no_variant_of_the_final_dot_smuggles_a_second_mail(pair, part):
    for variant in VARIANTS[part::9]:
        pair.forget()
        smuggle(pair, variant)
        delivered = pair.backend.mails
        assert len(delivered) <= 1, variant
        if b"\r\n.\r\n" not in variant:  # else the client itself ended its message and began another: that is no smuggling
            assert not pair.backend.commands("MAIL FROM:<evil"), variant
        for received in delivered:
            wire = received.wire + b".\r\n"
            for reader in TOLERANT:
                assert ends_of_data(wire, reader) == 1, (variant, reader)


@pytest.mark.parametrize("variant", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r", b"\r.\r\n", b"\r\n\0.\r\n"])
def test_known_variants_are_refused_550_and_the_session_goes_on(pair, variant):
    replies = smuggle(pair, variant)
    assert [r.code for r in replies] == [550, 221], replies
    assert replies[0].enhanced == "5.6.0"
    assert pair.backend.mails == []


@pytest.mark.root
def test_known_variants_deliver_at_most_one_mail_to_a_lenient_postfix(start_pair, database, postfix_factory):
    lenient = postfix_factory(smtpd_forbid_bare_newline="no")
    pair = start_pair(engines=clamav_stanza(database), backend_port=lenient.port)
    for variant in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n.\0\r\n", b"\r\n\0.\r\n", b"\r\n. \r\n"):
        before = lenient.accepted_count()
        smuggle(pair, variant)
        assert lenient.accepted_count() - before <= 1, variant
    assert "victim@y.test" not in lenient.log()


def test_commands_behind_an_oversized_mail_are_not_executed(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database), listener={"max_message_size": 70000})
    with Client(pair.port) as client:
        client.ehlo()
        client.start_data()
        client.send(mail.plain(b"x" * 70 + b"\r\n") + b"0123456789\r\n" * 8000 + b"\n.\n" + SMUGGLED)
        client.expect(552)
        client.quit()
    assert pair.backend.mails == []
    assert len(pair.backend.transactions()) == 1


def test_carriage_return_in_an_address_never_reaches_the_backend(pair):
    with pair.client() as client:
        client.ehlo()
        client.send(b"MAIL FROM:<a@b\rRCPT TO:<x@y>>\r\n")
        assert client.reply().code in (500, 501)
        client.send(b"MAIL FROM:<a\n@b>\r\n")
        assert client.reply().code in (500, 501)
    assert not pair.backend.transactions()


# --- SIZE ---

def test_declared_size_over_the_limit_is_refused_at_mail(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database), listener={"max_message_size": 70000})
    with Client(pair.port) as client:
        assert "SIZE 70000" in client.keywords()
        client.command("MAIL FROM:<a@client.test> SIZE=70001", 552, "5.3.4")
        assert client.message(mail.plain(), parameters=" SIZE=70000").code == 250
        client.quit()


@pytest.mark.parametrize("extra,code", [(0, 250), (1, 552)])
def test_size_counts_octets_without_dot_stuffing(start_pair, database, extra, code):
    limit = 70000
    pair = start_pair(engines=clamav_stanza(database), listener={"max_message_size": limit})
    head = mail.plain(b"")
    content = head + b".\r\n" * ((limit - len(head)) // 3)
    content = content[:-2] + b"x" * (limit - len(content) + extra) + b"\r\n"
    assert len(content) == limit + extra
    assert pair.deliver(content).code == code
    assert len(pair.backend.mails) == (1 if code == 250 else 0)


# --- gone ---

@pytest.mark.parametrize("where", ["after greeting", "after MAIL", "after RCPT", "after DATA", "inside the body", "before the dot's CRLF"])
@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
def test_client_gone_before_the_dot_means_nothing_delivered(pair, where, reset):
    since = pair.log.mark()
    client = pair.client()
    if where != "after greeting":
        client.ehlo()
        client.command("MAIL FROM:<a@client.test>", 250)
    if where not in ("after greeting", "after MAIL"):
        client.command("RCPT TO:<b@y.test>", 250)
    if where in ("after DATA", "inside the body", "before the dot's CRLF"):
        client.command("DATA", 354)
    if where == "inside the body":
        client.send(mail.of_size(200_000))
    if where == "before the dot's CRLF":
        client.send(dot_stuffed(mail.plain())[:-2])

    client.reset() if reset else client.close()

    pair.log.wait_for("close", since=since)
    assert pair.backend.mails == []
    assert pair.deliver(mail.plain()).code == 250


def test_client_gone_during_the_scan_means_nothing_delivered(start_pair):
    pair = start_pair(engines=fake_stanza(timeout="20s"), pool={"Concurrency": 1})
    client = pair.client()
    client.ehlo()
    client.start_data()
    client.send(dot_stuffed(mail.fake_order("delay 3000")))
    client.close()
    pair.log.wait_for("close")
    # The pool has one worker: this one is answered only after the first job is over or was cancelled.
    assert pair.deliver(mail.fake_order("clean")).code == 250
    assert len(pair.backend.mails) == 1


def test_client_gone_after_our_dot_is_still_delivered_once(pair):
    waiting = pair.backend.on("dot", Wait(), times=1)
    since = pair.log.mark()
    content = mail.plain()
    client = pair.client()
    client.ehlo()
    client.start_data()
    client.send(dot_stuffed(content))
    assert waiting.entered.wait(30)
    client.reset()
    waiting.release.set()
    event = pair.log.wait_for("message", since=since)
    assert [m.content for m in pair.backend.mails] == [content]
    assert event["verdict"] == "clean"


def test_half_close_after_pipelined_quit_still_delivers(pair):
    content = mail.plain()
    with pair.client() as client:
        client.ehlo()
        client.start_data()
        client.send(dot_stuffed(content) + b"QUIT\r\n")
        client.half_close()
        client.expect(250)
        client.expect(221)
        assert client.at_end()
    assert [m.content for m in pair.backend.mails] == [content]


def test_half_close_before_the_dot_delivers_nothing(pair):
    since = pair.log.mark()
    with pair.client() as client:
        client.ehlo()
        client.start_data()
        client.send(dot_stuffed(mail.plain())[:-3])
        client.half_close()
        client.rest()
    pair.log.wait_for("close", since=since)
    assert pair.backend.mails == []


# --- pipelining ---

def whole_session(content):
    return (b"EHLO client.test\r\nMAIL FROM:<a@client.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n",
            dot_stuffed(content) + b"RSET\r\nNOOP\r\nQUIT\r\n")


def pieces(data, cuts):
    edges = [0, *cuts, len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:]) if a < b]


def run_in_pieces(pair, content, cuts_of_commands=(), cuts_of_body=()):
    """A session whose bytes come in pieces. The pause between them only makes it likely that each is read by itself."""
    commands, body = whole_session(content)
    with pair.client() as client:
        for piece in pieces(commands, cuts_of_commands):
            client.send(piece)
            time.sleep(0.001)
        assert [r.code for r in client.replies(5)] == [250, 250, 250, 250, 354]
        for piece in pieces(body, cuts_of_body):
            client.send(piece)
            time.sleep(0.001)
        assert [r.code for r in client.replies(4)] == [250, 250, 250, 221]
        assert client.at_end()


def test_pipelined_session_in_one_write(pair):
    content = mail.plain()
    run_in_pieces(pair, content)
    assert [m.content for m in pair.backend.mails] == [content]
    assert len(pair.backend.mails[0].recipients) == 2


@pytest.mark.parametrize("step", range(4))
def test_commands_cut_at_every_place(pair, step):
    commands, _ = whole_session(b"")
    for cut in range(1 + step, len(commands), 4):
        pair.forget()
        run_in_pieces(pair, mail.plain(), cuts_of_commands=[cut])
        assert len(pair.backend.mails) == 1, cut


def test_body_cut_around_its_end(pair):
    content = mail.plain(b".\r\n..\r\n")
    _, body = whole_session(content)
    for cut in range(len(dot_stuffed(content)) - 14, len(body)):
        pair.forget()
        run_in_pieces(pair, content, cuts_of_body=[cut])
        assert [m.content for m in pair.backend.mails] == [content], cut


def test_session_octet_by_octet(pair):
    content = mail.plain(b".x\r\n")
    commands, body = whole_session(content)
    run_in_pieces(pair, content, range(1, len(commands)), range(1, len(body)))
    assert [m.content for m in pair.backend.mails] == [content]


def test_replies_of_a_pipelined_group_come_in_order(pair):
    pair.backend.on("rcpt", Reply(250, "2.1.5 first"), Reply(550, "5.1.1 second"), Reply(450, "4.2.0 third"), times=1)
    with pair.client() as client:
        client.ehlo()
        client.send(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<1@y.test>\r\nRCPT TO:<2@y.test>\r\nRCPT TO:<3@y.test>\r\nDATA\r\n")
        assert [r.code for r in client.replies(5)] == [250, 250, 550, 450, 354]
        client.send(dot_stuffed(mail.plain()))
        client.expect(250)


def test_data_with_every_recipient_refused_is_not_354(pair):
    pair.backend.on("rcpt", Reply(550, "5.1.1 no"), times=2)
    with pair.client() as client:
        client.ehlo()
        client.send(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<1@y.test>\r\nRCPT TO:<2@y.test>\r\nDATA\r\n")
        codes = [r.code for r in client.replies(4)]
        assert codes[:3] == [250, 550, 550] and codes[3] in (503, 554), codes


# --- limits and patience ---

def test_recipients_over_the_limit_get_452_and_the_others_the_mail(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database), listener={"max_recipients": 100})
    with Client(pair.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<a@client.test>", 250)
        for i in range(100):
            client.command(f"RCPT TO:<{i}@y.test>", 250)
        client.command("RCPT TO:<100@y.test>", 452, "4.5.3")
        client.command("DATA", 354)
        client.send(dot_stuffed(mail.plain()))
        client.expect(250)
    assert len(pair.backend.mails[0].recipients) == 100


def test_too_many_errors_end_the_session_with_421(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database), listener={"max_errors": 5})
    with Client(pair.port) as client:
        codes = []
        for _ in range(10):
            try:
                codes.append(client.command("NONSENSE").code)
            except (ConnectionEnded, ConnectionError):
                break
        assert codes[-1] == 421 and len(codes) <= 6, codes


def test_idle_client_is_told_421(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database), listener={"client_timeout": "500ms"})
    with Client(pair.port) as client:
        client.expect(421)
        assert client.at_end()


def test_client_that_stalls_in_the_body_is_told_421_and_nothing_is_delivered(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database), listener={"data_timeout": "500ms"})
    with Client(pair.port) as client:
        client.ehlo()
        client.start_data()
        client.send(b"Subject: stalled\r\n")
        client.expect(421)
        assert client.at_end()
    assert pair.backend.mails == []


def test_too_long_a_command_is_refused_and_the_session_goes_on(pair):
    with pair.client() as client:
        client.ehlo()
        client.send(b"NOOP " + b"x" * 20_000 + b"\r\n")
        assert client.reply().code in (500, 501)
        client.command("NOOP", 250)


def test_connections_over_the_limit_are_told_421(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database), top={"max_connections_per_host": 2})
    held = [Client(pair.port) for _ in range(2)]
    with Client(pair.port) as third:
        assert third.greeting.code == 421, third.greeting
        assert third.at_end()
    for client in held:
        client.quit()
        client.close()
    until(lambda: len(pair.log.find("close")) >= 2, "both sessions closed")
    assert pair.deliver(mail.plain()).code == 250


def test_many_clients_at_once_get_each_their_own_answer(pair):
    faults = []

    def one(number):
        content = mail.plain(b"number %d\r\n" % number) if number % 3 else mail.with_attachment(mail.test_virus())
        try:
            code = pair.deliver(content).code
            if code != (250 if number % 3 else 550):
                faults.append((number, code))
        except Exception as error:  # pylint: disable=broad-except
            faults.append((number, error))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
