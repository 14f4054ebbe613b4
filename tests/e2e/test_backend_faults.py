# SPDX-License-Identifier: MIT
"""A backend that is down, slow, rude or mad: the client is told to try again, nothing is lost, nothing is doubled (threats C1–C11)."""
import threading
import time

import pytest
from harness import mail
from harness.backend import Backend, Drop, Raw, Reply, Silence, Trickle, Wait
from harness.client import Client, dot_stuffed
from harness.places import SOON, free_port, until
from harness.postern import clamav_stanza

# What the client is told where the backend breaks; "mail" stands for the reply to MAIL, "dot" for the one to the final dot.
BOUNDED = dict.fromkeys(("connect_timeout", "greeting_timeout", "command_timeout", "data_init_timeout", "data_block_timeout", "data_done_timeout"), "30s")
# Where the backend is silent: the option that bounds it. Only that one is short, as everything else must succeed at the first attempt.
SILENT = {"connect": "greeting_timeout", "ehlo": "greeting_timeout", "mail": "command_timeout", "rcpt": "command_timeout", "data": "data_init_timeout",
          "body": "data_done_timeout", "dot": "data_done_timeout"}
BEFORE_MAIL = ["connect", "greeting", "ehlo", "mail"]


@pytest.fixture
def bounded_pair(start_pair, database):
    """A pair whose postern waits for its backend as long as a test may."""
    return start_pair(engines=clamav_stanza(database), backend=BOUNDED)


@pytest.fixture
def impatient_pair(start_pair, database, stage):
    """A pair whose postern has no patience with a backend that is silent at STAGE."""
    return start_pair(engines=clamav_stanza(database), backend={**BOUNDED, SILENT[stage]: "800ms"})


def converse(port, content):
    """A whole conversation that goes on as far as it is let; (stage, reply) where it ended."""
    with Client(port) as client:
        if client.greeting.code != 220:
            return "greeting", client.greeting
        client.ehlo()
        for stage, line, expected in (("mail", "MAIL FROM:<a@client.test>", 250), ("rcpt", "RCPT TO:<b@y.test>", 250),
                                      ("data", "DATA", 354)):
            reply = client.command(line)
            if reply.code != expected:
                return stage, reply
        client.send(dot_stuffed(content))
        return "dot", client.reply()


def assert_mail_flows(pair):
    """The fault is over: the next mail passes without a restart."""
    pair.backend.forget()
    stage, reply = converse(pair.port, mail.plain())
    assert (stage, reply.code) == ("dot", 250), (stage, reply)


def test_backend_down_greets_and_answers_mail_451(start_postern, database, backend):
    backend.stop()
    postern = start_postern(engines=clamav_stanza(database), backend=BOUNDED)
    with Client(postern.port) as client:
        assert client.greeting.code == 220
        client.ehlo()
        client.command("MAIL FROM:<a@client.test>", 451, "4.4.1")
        client.command("RSET", 250)
        client.command("MAIL FROM:<a@client.test>", 451, "4.4.1")
        client.quit()
    assert postern.log.find("backend-down")


def test_backend_that_comes_up_later_is_used(start_postern, database, backend):
    backend.stop()
    postern = start_postern(engines=clamav_stanza(database), backend=BOUNDED)
    with Client(postern.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<a@client.test>", 451, "4.4.1")
        backend.start()
        assert client.message(mail.plain()).code == 250
        client.quit()
    assert len(backend.mails) == 1


@pytest.mark.parametrize("stage", BEFORE_MAIL + ["rcpt", "data", "body", "dot"])
@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
def test_backend_dropping_is_451_and_the_next_mail_passes(bounded_pair, stage, reset):
    bounded_pair.backend.on(stage, Drop(reset=reset))
    # In the middle of the body means: more than the sockets between the two hold, or the final dot would be sent already.
    size = 16_000_000 if stage == "body" else 300_000

    where, reply = converse(bounded_pair.port, mail.of_size(size))

    assert (reply.code, reply.enhanced[:4]) == (451, "4.4."), (where, reply)
    assert where == ("mail" if stage in BEFORE_MAIL else "rcpt" if stage == "rcpt" else "dot")
    if stage == "dot":
        # The backend may have it: nobody knows, and the log says so.
        assert bounded_pair.log.wait_for("outcome-unknown")
    else:
        assert not bounded_pair.log.find("outcome-unknown")
        assert bounded_pair.backend.mails == []
    assert_mail_flows(bounded_pair)


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "rcpt", "data", "dot"])
def test_silent_backend_is_451_at_the_deadline(impatient_pair, stage):
    impatient_pair.backend.on(stage, Silence())
    begin = time.monotonic()

    where, reply = converse(impatient_pair.port, mail.plain())

    assert reply.code == 451, (where, reply)
    assert reply.enhanced.startswith("4.4."), reply
    assert 0.7 < time.monotonic() - begin < SOON
    if stage == "dot":
        impatient_pair.log.wait_for("outcome-unknown")
    else:
        assert not impatient_pair.log.find("outcome-unknown")
    impatient_pair.backend.forget()
    until(lambda: converse(impatient_pair.port, mail.plain())[1].code == 250, "mail flows again")


@pytest.mark.parametrize("stage", ["body"])
def test_backend_that_does_not_read_the_body_is_451(impatient_pair, stage):
    impatient_pair.backend.on(stage, Silence())
    impatient_pair.backend.keep = False
    where, reply = converse(impatient_pair.port, mail.of_size(200_000))
    assert where == "dot"
    # Silence reads on and never answers: either the body or the reply to the dot meets its deadline.
    assert reply.code == 451
    impatient_pair.backend.keep = True


def test_slow_replies_are_waited_for(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    for stage, reply in (("greeting", b"220 slow\r\n"), ("mail", b"250 ok\r\n"), ("dot", b"250 2.0.0 done at last\r\n")):
        pair.backend.on(stage, Trickle(reply, 0.02))
    where, reply = converse(pair.port, mail.plain())
    assert (where, reply.code) == ("dot", 250), (where, reply)
    assert "done at last" in reply.text
    assert len(pair.backend.wait_mails()) == 1


CODES = [
    # stage, backend's reply, where the client learns of it, class and enhanced class that the client sees
    ("greeting", Reply(421, "4.3.2 not now"), "mail", "4"),
    ("greeting", Reply(554, "5.3.2 go away"), "mail", "5"),
    ("ehlo", Reply(421, "4.3.2 not now"), "mail", "4"),
    ("mail", Reply(421, "4.3.2 not now"), "mail", "4"),
    ("mail", Reply(452, "4.3.1 full"), "mail", "4"),
    ("mail", Reply(553, "5.1.7 bad"), "mail", "5"),
    ("rcpt", Reply(421, "4.3.2 not now"), "rcpt", "4"),
    ("rcpt", Reply(450, "4.2.1 later"), "rcpt", "4"),
    ("rcpt", Reply(551, "5.1.6 moved"), "rcpt", "5"),
    ("data", Reply(421, "4.3.2 not now"), "dot", "4"),
    ("data", Reply(451, "4.3.0 later"), "dot", "4"),
    ("data", Reply(554, "5.7.1 never"), "dot", "5"),
    ("dot", Reply(421, "4.3.2 not now"), "dot", "4"),
    ("dot", Reply(452, "4.3.1 full"), "dot", "4"),
    ("dot", Reply(550, "5.7.1 spam"), "dot", "5"),
]


@pytest.mark.parametrize("stage,answer,where,class_", CODES, ids=[f"{s}-{a.code}" for s, a, _, _ in CODES])
def test_class_of_the_backends_reply_is_the_clients(bounded_pair, stage, answer, where, class_):
    bounded_pair.backend.on(stage, answer)
    ended, reply = converse(bounded_pair.port, mail.plain())
    assert (ended, str(reply.code)[0]) == (where, class_), reply
    assert reply.enhanced and reply.enhanced[0] == class_
    assert_mail_flows(bounded_pair)


GARBAGE = [
    ("greeting", Raw(b"\xff\xfe\x00 what\r\n"), "mail"),
    ("greeting", Raw(b"220 " + b"x" * 1_000_000 + b"\r\n"), "mail"),
    ("ehlo", Raw(b"250-one\r\n" * 20_000), "mail"),
    ("mail", Raw(b"hello\r\n"), "mail"),
    ("mail", Raw(b"354 go ahead\r\n"), "mail"),
    ("mail", Raw(b"250-ok\r\n550 not ok\r\n"), "mail"),
    ("mail", Raw(b"999 ok\r\n"), "mail"),
    ("mail", Raw(b"25\r\n"), "mail"),
    ("rcpt", Raw(b"\r\n\r\n"), "rcpt"),
    ("rcpt", Raw(b"354 go ahead\r\n"), "rcpt"),
    ("data", Raw(b"250 ok\r\n"), "dot"),
    ("data", Raw(b"garbage\r\n"), "dot"),
    ("dot", Raw(b"354 go ahead\r\n"), "dot"),
    ("dot", Raw(b"\x00\x01\x02\r\n"), "dot"),
]


@pytest.mark.parametrize("stage,answer,where", GARBAGE, ids=[f"{s}-{a.data[:8]!r}" for s, a, _ in GARBAGE])
def test_garbage_of_the_backend_is_451_and_ends_its_connection(bounded_pair, stage, answer, where):
    bounded_pair.backend.on(stage, answer)
    ended, reply = converse(bounded_pair.port, mail.plain())
    assert (ended, reply.code) == (where, 451), reply
    if stage != "dot":
        assert bounded_pair.backend.mails == []
    bounded_pair.backend.wait_idle()
    assert_mail_flows(bounded_pair)


def test_replies_ahead_of_time_are_not_taken_for_answers(bounded_pair):
    # A backend that answers RCPT before it was asked would let the wrong reply reach the client.
    bounded_pair.backend.on("mail", Raw(b"250 ok\r\n250 unasked\r\n250 unasked\r\n"), times=1)
    ended, reply = converse(bounded_pair.port, mail.plain())
    assert ended in ("mail", "rcpt") and reply.code == 451, (ended, reply)
    assert_mail_flows(bounded_pair)


def test_reply_text_of_the_backend_cannot_inject_a_reply(bounded_pair):
    bounded_pair.backend.on("rcpt", Raw(b"550 5.1.1 bad\r250 2.0.0 injected \x1b[31m \xff\r\n"), times=1)
    with Client(bounded_pair.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<a@client.test>", 250)
        reply = client.command("RCPT TO:<b@y.test>")  # the client's own grammar check refuses CR, LF and NUL inside a line
        assert reply.code in (451, 550), reply
        assert all(0x20 <= octet < 0x7F for line in reply.lines for octet in line.encode("latin-1")), reply
        assert client.command("NOOP").code in (250, 421)


def test_connection_to_the_backend_is_kept_for_the_next_mail(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    for _ in range(3):
        assert pair.deliver(mail.plain()).code == 250
    used = [s for s in pair.backend.sessions if any(c.upper().startswith(b"MAIL") for c in s.commands)]
    assert len(used) == 1, "three mails, one connection"


def test_idle_connection_that_the_backend_closed_costs_nothing(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    assert pair.deliver(mail.plain()).code == 250
    pair.backend.break_connections()
    pair.backend.wait_idle()
    assert pair.deliver(mail.plain()).code == 250


def test_backend_that_vanishes_between_mail_and_dot_is_451(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database), backend=BOUNDED)
    content = mail.plain()
    with Client(pair.port) as client:
        client.ehlo()
        client.start_data()
        client.send(dot_stuffed(content)[:20])
        pair.backend.stop()
        client.send(dot_stuffed(content)[20:])
        reply = client.reply()
        assert (reply.code, reply.enhanced[:4]) == (451, "4.4."), reply
    pair.backend.start()
    assert_mail_flows(pair)


class TestHold:
    """The backend is not held hostage by a slow client: RSET, and the envelope again after the verdict."""

    HOLD = {"backend_hold": "200ms"}

    def slow_client(self, pair, content, before_the_end=lambda: None, recipients=("b@y.test",)):
        """Stops in the middle of the body until the backend was given back, then ends the message; the final reply."""
        with Client(pair.port) as client:
            client.ehlo()
            client.start_data(recipients=recipients)
            wire = dot_stuffed(content)
            client.send(wire[:-3])
            pair.log.wait_for("backend-hold")
            before_the_end()
            client.send(wire[-3:])
            return client.reply()

    def test_envelope_is_replayed_after_the_verdict(self, start_pair, database):
        pair = start_pair(engines=clamav_stanza(database), top=self.HOLD)
        reply = self.slow_client(pair, mail.plain(), recipients=("b@y.test", "c@y.test"))
        assert reply.code == 250, reply
        assert len(pair.backend.transactions()) == 2
        assert pair.backend.commands("RSET") or len([s for s in pair.backend.sessions if s.commands]) > 1
        assert pair.backend.mails[0].recipients == [b"TO:<b@y.test>", b"TO:<c@y.test>"]

    @pytest.mark.parametrize("stage,answer", [("mail", Reply(450, "4.7.1 no")), ("mail", Reply(550, "5.7.1 no")),
                                              ("rcpt", Reply(450, "4.2.0 no")), ("rcpt", Reply(550, "5.1.1 no"))])
    def test_other_class_of_reply_at_the_replay_is_451_and_nothing_is_delivered(self, start_pair, database, stage, answer):
        pair = start_pair(engines=clamav_stanza(database), top=self.HOLD)
        reply = self.slow_client(pair, mail.plain(), before_the_end=lambda: pair.backend.on(stage, answer, times=1))
        assert reply.code == 451, reply
        assert pair.backend.mails == []

    def test_refused_recipient_stays_refused_at_the_replay(self, start_pair, database):
        pair = start_pair(engines=clamav_stanza(database), top=self.HOLD)
        pair.backend.on("rcpt", Reply(550, "5.1.1 no"), times=1)
        content = mail.plain()
        with Client(pair.port) as client:
            client.ehlo()
            client.command("MAIL FROM:<a@client.test>", 250)
            client.command("RCPT TO:<no@y.test>", 550)
            client.command("RCPT TO:<b@y.test>", 250)
            client.command("DATA", 354)
            client.send(dot_stuffed(content)[:-3])
            pair.log.wait_for("backend-hold")
            client.send(dot_stuffed(content)[-3:])
            client.expect(250)
        assert pair.backend.mails[0].recipients == [b"TO:<b@y.test>"]

    def test_infected_mail_after_the_hold_never_reaches_the_backend(self, start_pair, database):
        pair = start_pair(engines=clamav_stanza(database), top=self.HOLD)
        reply = self.slow_client(pair, mail.with_attachment(mail.test_virus()))
        assert reply.code == 550, reply
        assert len(pair.backend.transactions()) == 1, "no replay for what is not delivered"
        assert pair.backend.mails == []


def test_sessions_of_others_go_on_while_the_backend_is_silent_to_one(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database))
    waiting = pair.backend.on("dot", Wait(), times=1)
    first = threading.Thread(target=lambda: pair.deliver(mail.plain()))
    first.start()
    assert waiting.entered.wait(30)
    for _ in range(3):
        assert pair.deliver(mail.plain()).code == 250
    waiting.release.set()
    first.join(30)


def test_two_backends_on_different_ports_do_not_mix(start_postern, database):
    # The harness itself: each postern of a test speaks to its own backend.
    other = Backend()
    postern = start_postern(engines=clamav_stanza(database), backend_port=other.port)
    with Client(postern.port) as client:
        client.ehlo()
        assert client.message(mail.plain()).code == 250
    assert len(other.mails) == 1
    other.stop()
    assert free_port() != other.port


def test_backend_whose_name_is_not_known_is_451_and_the_client_is_greeted(start_postern, database):
    postern = start_postern(engines=clamav_stanza(database), backend=BOUNDED, backend_host="no-such-host.invalid")
    postern.book.excuse("L6", because="the backend has no address, then as now")
    with Client(postern.port) as client:
        assert client.greeting.code == 220
        client.ehlo()
        client.command("MAIL FROM:<a@client.test>", 451, "4.4.1")
        client.quit()
    assert [event for event in postern.log.find("backend-down") if "no-such-host.invalid" in event["detail"]]


def test_server_that_was_down_is_tried_after_the_others_for_a_while(start_postern, database, backend):
    dead = free_port()
    postern = start_postern(engines=clamav_stanza(database), backend=BOUNDED,
                            backend_host=f'127.0.0.1:{dead}" {{ }} Server "127.0.0.1')
    postern.log.wait_for("backend-down")  # the probe at the start
    before = len(postern.log.find("backend-down"))
    for number in range(3):
        with Client(postern.port) as client:
            client.ehlo()
            assert client.message(mail.plain()).code == 250
            client.quit()
        postern.log.wait_for("message", count=number + 1)
    assert len(postern.log.find("backend-down")) == before  # nobody has asked it since
    assert len(backend.wait_mails(3)) == 3


def test_refusal_of_one_server_is_not_for_good_while_the_other_is_only_busy(start_postern, database, backend):
    refusing = Backend()
    try:
        refusing.on("greeting", Reply(554, "no service"))
        postern = start_postern(engines=clamav_stanza(database), backend={"max_outbound_connections": 1},
                                backend_host=f'127.0.0.1:{refusing.port}" {{ }} Server "127.0.0.1')
        with Client(postern.port) as holder, Client(postern.port) as other:
            holder.ehlo()
            holder.command("MAIL FROM:<a@client.test>", 250)
            other.ehlo()
            other.command("MAIL FROM:<b@client.test>", 451)
            holder.command("RSET", 250)
        postern.stop()
    finally:
        refusing.stop()
