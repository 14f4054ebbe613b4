# SPDX-License-Identifier: MIT
"""Backends that are broken in ways beyond test_backend_faults: unasked 421, answers in wrong places, a change of heart, endless words."""
import threading

import pytest

from harness import mail, processes
from harness.backend import Action, Drop, Raw, Reply, Trickle
from harness.client import Client, deliver, dot_stuffed
from harness.places import until
from harness.postern import clamav_stanza
from test_backend_faults import BOUNDED, assert_mail_flows, converse


@pytest.fixture
def bounded_pair(start_pair, database):
    return start_pair(engines=clamav_stanza(database), backend=BOUNDED)


def test_unasked_421_between_commands_is_a_lost_connection_not_a_broken_protocol(bounded_pair):
    with Client(bounded_pair.port) as c:
        c.ehlo()
        c.command("MAIL FROM:<a@client.test>", 250)
        session = next(s for s in bounded_pair.backend.sessions if any(x.startswith(b"MAIL") for x in s.commands))
        mark = bounded_pair.log.mark()
        session.send(b"421 4.3.2 going down\r\n")
        bounded_pair.log.wait_for("backend-down", since=mark)
        reply = c.command("RCPT TO:<b@y.test>")
        assert (reply.code, reply.enhanced) == (451, "4.4.2"), reply
        c.command("RSET", 250)
        assert c.message(mail.plain()).code == 250
    assert_mail_flows(bounded_pair)


@pytest.mark.parametrize("then", ["close", "stay"])
def test_421_while_the_body_comes_in_costs_nothing(bounded_pair, then):
    content = mail.plain()
    with Client(bounded_pair.port) as c:
        c.ehlo()
        c.start_data()
        c.send(dot_stuffed(content)[:20])
        session = next(s for s in bounded_pair.backend.sessions if any(x.startswith(b"MAIL") for x in s.commands))
        session.send(b"421 4.3.2 going down\r\n")
        if then == "close":
            bounded_pair.backend.break_connections()
        bounded_pair.log.wait_for("backend-hold")
        c.send(dot_stuffed(content)[20:])
        reply = c.reply()
        assert reply.code == 250, reply


FINAL = [(b"250 2.0.0 ok\r\n550 5.0.0 haha\r\n", 250), (b"250 2.0.0 ok\r\n250 2.0.0 ok\r\n", 250), (b"421 4.3.2 bye\r\n", 451),
         (b"250-a\r\n250-b\r\n250 c\r\n", 250), (b"250\r\n", 250), (b"250-\r\n250 \r\n", 250), (b"221 2.0.0 bye\r\n", None),
         (b"250 ok\n", 451), (b"200 fine\r\n", 250), (b"450-4.2.0 x\r\n450 4.2.0 y\r\n", 450), (b"550 4.2.0 class clash\r\n", 550),
         (b"250 " + b"z" * 3000 + b"\r\n", 250), (b"554 5.7.1 \xff\x00\x1b[2J\r\n", None), (b"252 2.5.0 hm\r\n", 250), (b"100 go\r\n", 451),
         (b"600 what\r\n", 451), (b"250 5.7.1 lying\r\n", 250)]


@pytest.mark.parametrize("raw,code", FINAL, ids=[repr(r[:24]) for r, _ in FINAL])
def test_odd_final_replies(bounded_pair, raw, code):
    bounded_pair.backend.on("dot", Raw(raw), times=1)
    content = mail.plain()
    ended, reply = converse(bounded_pair.port, content)
    print(raw[:60], "->", reply)
    assert ended == "dot"
    if code:
        assert reply.code // 100 == code // 100, reply
    for line in reply.lines:
        assert all(0x20 <= ord(ch) < 0x7f for ch in line), reply
    if reply.enhanced:
        assert int(reply.enhanced[0]) == reply.code // 100, reply
    bounded_pair.backend.forget()
    stage, again = converse(bounded_pair.port, mail.plain())
    assert (stage, again.code) == ("dot", 250), again


def test_final_reply_ahead_of_the_dot_is_never_believed(bounded_pair):
    bounded_pair.backend.on("data", Raw(b"354 go\r\n250 2.0.0 queued already\r\n"), times=1)
    ended, reply = converse(bounded_pair.port, mail.plain())
    assert (ended, reply.code) == ("dot", 451), reply
    assert_mail_flows(bounded_pair)


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt", "data", "dot"])
def test_endless_multi_line_reply_is_bounded(bounded_pair, stage):
    class Endless(Action):
        def act(self, session):
            session.answer(None)
            while not session.backend.stopping:
                session.send((b"354-" if session.stage == "data" else b"250-") + b"x" * 60 + b"\r\n")
            return False
    edge = bounded_pair.postern.edge_pid()
    bounded_pair.backend.on(stage, Endless(), times=1 if stage not in ("greeting", "ehlo") else None)
    ended, reply = converse(bounded_pair.port, mail.plain())
    assert reply.code == 451, (ended, reply)
    assert processes.state(edge) != "gone"
    assert_mail_flows(bounded_pair)


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt", "data", "dot"])
def test_octet_by_octet_replies_work(start_pair, database, stage):
    pair = start_pair(engines=clamav_stanza(database))
    raw = {"greeting": b"220 b ESMTP\r\n", "ehlo": b"250-b\r\n250-PIPELINING\r\n250 8BITMIME\r\n", "data": b"354 go\r\n"}.get(stage, b"250-2.0.0 a\r\n250 2.0.0 b\r\n")
    pair.backend.on(stage, Trickle(raw, 0.01))
    assert converse(pair.port, mail.plain())[1].code == 250


def test_keywords_that_change_between_connections(start_pair, database):
    """The offer was made with what was known; a mail sent by it still arrives when the backend has changed since."""
    pair = start_pair(engines=clamav_stanza(database), backend={"idle_timeout": "10ms"})
    for keywords in (("SIZE 1000", "8BITMIME"), (), ("PIPELINING",), ("PIPELINING", "SIZE 0", "8BITMIME", "SMTPUTF8", "CHUNKING", "STARTTLS"),
                     ("SIZE",), ("SIZE x", "8BITMIME=x"), ("size 5000000", "pipelining", "8bitmime")):
        with Client(pair.port) as c:
            offered = c.keywords()
            pair.backend.keywords = keywords
            assert not {"STARTTLS", "CHUNKING", "SMTPUTF8"} & set(offered)
            content = mail.plain(b"8bit \xe4\xf6\xfc\r\n")
            parameters = " BODY=8BITMIME" if "8BITMIME" in offered else ""
            c.command("MAIL FROM:<a@client.test>" + parameters, 250)
            c.command("RCPT TO:<b@y.test>", 250)
            c.command("DATA", 354)
            c.send(dot_stuffed(content))
            c.expect(250)
            c.quit()
        until(lambda: all(s.over.is_set() for s in pair.backend.sessions), "idle connection ended")


def test_idle_connections_closed_just_when_reused(start_pair, database):
    """C9: whatever the moment, nothing is lost, nothing is doubled, and hardly anybody notices."""
    pair = start_pair(engines=clamav_stanza(database))
    codes = []
    for n in range(60):
        content = mail.plain()
        killer = threading.Timer(0.001 * (n % 30), pair.backend.break_connections)
        with Client(pair.port) as c:
            c.ehlo()
            code = None
            killer.start()
            reply = c.command("MAIL FROM:<a@client.test>")
            if reply.code == 250 and c.command("RCPT TO:<b@y.test>").code == 250 and c.command("DATA").code == 354:
                c.send(dot_stuffed(content))
                code = c.reply().code
            codes.append(code)
        killer.join()
    print(codes)
    assert codes.count(250) > 10, codes


def test_drop_at_random_octets_of_a_large_body(bounded_pair):
    for octets in (0, 1, 1000, 70_000, 400_000):
        class DropAfter(Action):
            def act(self, session, octets=octets):
                got = 0
                while got < octets:
                    data = session.socket.recv(min(65536, octets - got))
                    if not data:
                        return False
                    got += len(data)
                return False
        bounded_pair.backend.on("body", DropAfter(), times=1)
        ended, reply = converse(bounded_pair.port, mail.of_size(600_000))
        assert (ended, reply.code) == ("dot", 451), (octets, reply)
    assert_mail_flows(bounded_pair)


def test_backend_that_half_closes_after_its_reply(bounded_pair):
    class HalfClose(Reply):
        def act(self, session):
            super().act(session)
            import socket
            session.socket.shutdown(socket.SHUT_WR)
            return True
    bounded_pair.backend.on("dot", HalfClose(250, "2.0.0 taken"), times=1)
    assert converse(bounded_pair.port, mail.plain())[1].code == 250
    assert_mail_flows(bounded_pair)


def test_multi_line_refusals_keep_their_words(bounded_pair):
    bounded_pair.backend.on("rcpt", Reply(550, "5.1.1 no such user", "5.1.1 see https://example.net/x", "5.1.1 bye"), times=1)
    with Client(bounded_pair.port) as c:
        c.ehlo()
        c.command("MAIL FROM:<a@client.test>", 250)
        reply = c.command("RCPT TO:<b@y.test>", 550)
        assert len(reply.lines) == 3 and "example.net" in reply.text, reply


def test_refused_greeting_554_is_told_with_its_words(bounded_pair):
    bounded_pair.backend.on("greeting", Reply(554, "5.7.1 go away you"))
    with Client(bounded_pair.port) as c:
        c.ehlo()
        reply = c.command("MAIL FROM:<a@client.test>")
        print(reply)
        assert reply.code in (451, 554)


def test_infected_during_backend_trouble_is_still_never_delivered(bounded_pair):
    for stage in ("rset", "quit"):
        for action in (Drop(), Drop(reset=True), Reply(502, "no"), Raw(b"garbage\r\n")):
            bounded_pair.backend.on(stage, action, times=1)
            assert deliver(bounded_pair.port, mail.with_attachment(mail.test_virus())).code == 550
    assert_mail_flows(bounded_pair)


def test_connections_to_the_backend_are_bounded_and_waited_for(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database), top={"max_connections_per_host": 200}, backend={"max_outbound_connections": 3})
    codes, lock, open_now, peak = [], threading.Lock(), [0], [0]

    class Counted(Action):
        """A transaction, as the server sees it: it begins before MAIL is answered, and is over before its final reply is sent."""

        def __init__(self, more):
            self.more = more

        def act(self, session):
            with lock:
                open_now[0] += self.more
                peak[0] = max(peak[0], open_now[0])
            return session.default(session.stage).act(session)
    pair.backend.on("mail", Counted(1))
    pair.backend.on("dot", Counted(-1))

    def one():
        code = deliver(pair.port, mail.plain()).code
        with lock:
            codes.append(code)
    threads = [threading.Thread(target=one) for _ in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert codes == [250] * 40, codes
    assert 1 <= peak[0] <= 3, peak
    until(lambda: sum(not s.over.is_set() for s in list(pair.backend.sessions)) <= 3, "connections that are closing are closed")
    assert len(pair.backend.mails) == 40
