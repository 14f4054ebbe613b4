# SPDX-License-Identifier: MIT
"""Clients that mean harm or are broken: each costs itself at most, never another session, never the process."""
import datetime
import socket
import threading
import time

import pytest

from harness import client, mail, processes
from harness.client import Client
from harness.places import RELEASE_BUILD, SOON, until

EICAR = mail.test_virus


def healthy(pair):
    """A bystander gets its mail through, and its bytes arrive."""
    content = mail.plain(b"bystander\r\n")
    assert client.deliver(pair.port, content).code == 250
    pair.backend.wait_until(lambda: any(m.content == content and m.accepted for m in pair.backend.mails), "bystander's mail")


def test_words_before_the_greeting_do_no_harm(pair):
    with Client(pair.port, greet=False) as c:
        c.send(b"EHLO early.test\r\nMAIL FROM:<a@client.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n")
        codes = [c.reply().code for _ in range(5)]
        assert codes == [220, 250, 250, 250, 354]
        c.send(mail.plain() + b".\r\nQUIT\r\n")
        assert c.reply().code == 250 and c.reply().code == 221
    healthy(pair)


@pytest.mark.parametrize("junk", [b"\0" * 70000, b"A" * 70000, b"\r" * 70000, b"\n" * 3000, b"\xff" * 70000 + b"\r\n",
                                  b"MAIL FROM:<" + b"a" * 100000 + b">\r\n", b"\r\n" * 30, b"EHLO " + b"x." * 3000 + b"\r\n",
                                  bytes(range(256)) * 300, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x99" * 500],
                         ids=["nul", "letters", "cr", "lf", "8bit", "long-mail", "empty-lines", "long-ehlo", "all-octets", "tls-hello"])
def test_junk_is_answered_or_ended_and_never_reaches_the_backend(pair, junk):
    before = len(pair.backend.commands())
    with Client(pair.port) as c:
        c.send(b"EHLO client.test\r\n")
        c.expect(250)
        try:
            c.send(junk)
            c.half_close()
        except OSError:
            pass
        rest = c.rest()
    for line in rest.split(b"\r\n")[:-1]:
        assert line[:1] in b"2345" and line[3:4] in b" -", line
    assert not [x for x in pair.backend.commands()[before:] if x.startswith(b"MAIL")]
    healthy(pair)


def test_a_flood_of_one_command_ends_with_421_and_little_output(pair):
    for command in (b"NOOP\r\n", b"RSET\r\n", b"VRFY x\r\n", b"HELP\r\n", b"EHLO x\r\n", b"XYZZY\r\n", b"MAIL\r\n", b"QUIT x\r\n"):
        with Client(pair.port) as c:
            c.ehlo()
            try:
                c.send(command * 20000)
            except OSError:
                pass
            rest = c.rest()
            assert b"421 " in rest.split(b"\r\n")[-2] or rest == b"", rest[-200:]
    healthy(pair)


@pytest.mark.release
@pytest.mark.soak("never-reads", "clients that ask and never read: held back, not in memory, and dropped when their time is over", dropped=(0, 20))
def test_a_client_that_never_reads_is_held_back_and_dropped(start_pair, database, scale):
    from harness.postern import clamav_stanza
    pair = start_pair(build=RELEASE_BUILD, engines=clamav_stanza(database), listener={"client_timeout": "2s", "max_junk_commands": 100000})
    edge = pair.postern.edge_pid()
    before = processes.resident_kib(edge)
    clients = [flood(pair.port) for _ in range(max(1, scale.dropped))]
    assert processes.resident_kib(edge) - before < 20000
    healthy(pair)
    # After client_timeout each has ten seconds for its last reply; in memory that is played by tests/scenario/client-does-not-read.smtp.
    if scale.dropped:
        pair.log.wait_for("close", timeout=60, count=scale.dropped, reason="timeout")
    for client in clients:
        client.close()


def flood(port):
    """A client that has said more than postern and the kernel take from one that does not read."""
    s = socket.socket()
    for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        s.setsockopt(socket.SOL_SOCKET, buffer, 1 << 18)
    s.settimeout(1)
    sent = 0
    try:
        s.connect(("127.0.0.1", port))
        while sent < 40_000_000:
            sent += s.send(b"EHLO client.test\r\nHELP\r\n" * 500)
    except OSError:
        return s  # it was not taken within a second, or the connection has ended
    raise AssertionError(f"{sent} octets were taken from a client that reads nothing")


@pytest.mark.release
@pytest.mark.soak("endless-line", "a command line that does not end (A11): one error, no memory, and the next command works",
                  octets=(5_000_000, 2_000_000_000))
def test_a_line_without_end_costs_one_error_and_no_memory(start_pair, scale):
    pair = start_pair(build=RELEASE_BUILD, engines="scan = off\n", listener={"client_timeout": "1h"})
    edge = pair.postern.edge_pid()
    with Client(pair.port, timeout=120) as c:
        c.ehlo()
        before = processes.peak_resident_kib(edge)
        for _ in range(scale.octets // 100_000):
            c.send(b"x" * 100_000)
        c.send(b"\r\nNOOP\r\n")
        c.expect(500)
        c.expect(250)
        scale.facts["KiB more"] = processes.peak_resident_kib(edge) - before
        assert scale.facts["KiB more"] < 256
    healthy(pair)


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "mail-unread", "rcpt", "data", "body", "virus-dot", "dot", "quit"])
@pytest.mark.parametrize("how", ["reset", "close", "half"])
def test_leaving_at_every_stage_leaves_nothing(pair, stage, how):
    edge = pair.postern.edge_pid()
    content = mail.plain(b"leaving at " + stage.encode() + b"\r\n")
    c = Client(pair.port, greet=stage != "connect")
    if stage != "connect":
        c.ehlo()
    if stage == "mail-unread":
        c.send(b"MAIL FROM:<a@client.test>\r\n")
    if stage in ("mail", "rcpt"):
        c.command("MAIL FROM:<a@client.test>", 250)
    if stage == "rcpt":
        c.command("RCPT TO:<b@y.test>", 250)
    if stage in ("data", "body", "dot", "virus-dot"):
        c.start_data()
    if stage == "body":
        c.send(content[:30])
    if stage == "virus-dot":
        content = mail.with_attachment(EICAR())
    if stage in ("dot", "virus-dot"):
        c.send(client.dot_stuffed(content))
    if stage == "quit":
        c.send(b"QUIT\r\n")
    if how == "reset":
        c.reset()
    elif how == "half":
        c.half_close()
        c.rest()
    c.close()
    healthy(pair)
    assert processes.state(edge) != "gone"


def test_pipelining_past_data_is_not_part_of_the_message(pair):
    """Commands written behind DATA before 354 are content, as RFC 2920 says; the final dot in them ends it."""
    content = mail.plain()
    with Client(pair.port) as c:
        c.ehlo()
        c.send(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n" + client.dot_stuffed(content) +
               b"MAIL FROM:<c@client.test>\r\nRCPT TO:<d@y.test>\r\nDATA\r\n" + client.dot_stuffed(mail.with_attachment(EICAR())) + b"QUIT\r\n")
        assert [r.code for r in c.replies(8)] == [250, 250, 354, 250, 250, 250, 354, 550]
        assert c.reply().code == 221
    assert [m.content for m in pair.backend.mails] == [content]


def test_a_thousand_recipients_pipelined_in_one_write(pair):
    content = mail.plain()
    with Client(pair.port) as c:
        c.ehlo()
        c.send(b"MAIL FROM:<a@client.test>\r\n" + b"".join(b"RCPT TO:<u%d@y.test>\r\n" % i for i in range(1200)) + b"DATA\r\n")
        codes = [c.reply().code for _ in range(1201)]
        assert codes[:1001] == [250] * 1001 and codes[1001:] == [452] * 200
        c.expect(354)
        c.send(client.dot_stuffed(content))
        c.expect(250)
    assert len(pair.backend.mails[0].recipients) == 1000


ODD = ["MAIL FROM:<a@b> SIZE=-1", "MAIL FROM:<a@b> SIZE=99999999999999999999999", "MAIL FROM:<a@b> SIZE=", "MAIL FROM:<a@b> SIZE=0x10",
       "MAIL FROM:<a@b> SIZE=1 SIZE=2", "MAIL FROM:<a@b> BODY=BINARYMIME", "MAIL FROM:<a@b> BODY=", "MAIL FROM:<a@b> AUTH=<>", "MAIL FROM:<a@b> RET=FULL",
       "MAIL FROM:<a@b>SIZE=1", "MAIL FROM:<a@b", "MAIL FROM:a@b>", "MAIL FROM:<<a@b>>", "MAIL FROM:<a@b><c@d>", "MAIL FROM: <a@b>, <c@d>", "MAIL FROM:<a b@c>",
       "MAIL FROM:<a@b> SMTPUTF8", "MAIL FROM:<\xe4@b>", "MAIL TO:<a@b>", "MAIL  FROM:<a@b\x00>", "MAIL FROM:<a@b> X=" + "y" * 600,
       "MAIL FROM:<" + "a" * 300 + "@b>", "MAIL FROM:<@a,@b:c@d>", 'MAIL FROM:<"a\\">" @b>', "MAIL FROM:<a@[999.1.1.1]>", "mail from:<a@b>\t"]


@pytest.mark.parametrize("line", ODD, ids=[x[:40].encode("unicode_escape").decode() for x in ODD])
def test_odd_mail_commands_reach_the_backend_clean_or_not_at_all(pair, line):
    mark = len(pair.backend.commands())
    with Client(pair.port) as c:
        c.ehlo()
        reply = c.command(line)
        assert reply.code in (250, 500, 501, 503, 552, 555), reply
        c.quit()
    for sent in pair.backend.commands()[mark:]:
        assert all(32 <= octet < 127 for octet in sent), sent
        assert sent.count(b"<") == 1 or not sent.startswith(b"MAIL"), sent
    print(line, "->", reply, pair.backend.commands()[mark:])


def test_slow_octets_of_one_do_not_slow_others(pair):
    with Client(pair.port) as slow:
        slow.ehlo()
        slow.envelope()
        slow.command("DATA", 354)
        for octet in mail.plain()[:40]:
            slow.send(bytes([octet]))
        begin = time.monotonic()
        healthy(pair)
        assert time.monotonic() - begin < SOON / 2
        slow.send(b"\r\n.\r\n")
        assert slow.reply().code == 250


@pytest.mark.soak("connections", "more connections than allowed: bounded, told so, and everything given back", allowed=(600, 6000))
def test_thousands_of_connections_are_bounded_and_the_process_goes_on(start_pair, database, scale):
    from harness.postern import clamav_stanza
    pair = start_pair(engines=clamav_stanza(database), top={"max_connections": scale.allowed, "max_connections_per_host": scale.allowed})
    edge = pair.postern.edge_pid()
    base = processes.descriptor_count(edge)
    rss = processes.resident_kib(edge)
    sockets, refused = [], 0
    for _ in range(scale.allowed * 3 // 2):
        s = socket.create_connection(("127.0.0.1", pair.port), 10)
        first = s.recv(200)
        if first.startswith(b"220"):
            sockets.append(s)
        else:
            assert first.startswith(b"421 4.7.0"), first
            refused += 1
            s.close()
    assert len(sockets) == scale.allowed and refused == scale.allowed // 2
    scale.facts["KiB per session"] = round((processes.resident_kib(edge) - rss) / scale.allowed, 1)
    for s in sockets[::2]:
        s.close()
    for s in sockets[1::2]:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    until(lambda: processes.descriptor_count(edge) <= base + 1, "descriptors back", 20)
    healthy(pair)


def test_descriptors_running_out_refuses_and_recovers(start_pair, database):
    import resource
    from harness.postern import clamav_stanza
    pair = start_pair(engines=clamav_stanza(database), top={"max_connections_per_host": 1000},
                      limits=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)))
    edge = pair.postern.edge_pid()
    sockets = []
    for _ in range(200):
        s = socket.create_connection(("127.0.0.1", pair.port), 10)
        sockets.append(s)
    # Accepting pauses after each failure: a loop that spins would fail again at once.
    reason = f"accepting on 127.0.0.1:{pair.port} pauses: Too many open files"
    first, last = (pair.log.wait_for("shortage", detail=reason, count=count)["time"] for count in (1, 6))
    stamp = datetime.datetime.fromisoformat
    assert stamp(last) - stamp(first) >= datetime.timedelta(seconds=0.4), (first, last)
    for s in sockets:
        s.close()
    until(lambda: processes.descriptor_count(edge) < 60, "descriptors back", 20)
    healthy(pair)


def test_many_at_once_mixed_each_gets_its_own(start_pair, database):
    from harness.postern import clamav_stanza
    pair = start_pair(engines=clamav_stanza(database), top={"event_loops": 2, "max_connections_per_host": 400})
    faults = []

    def one(n):
        try:
            infected = n % 3 == 0
            content = mail.with_attachment(EICAR(), filename=f"f{n}") if infected else mail.plain(b"number %d\r\n" % n)
            if n % 7 == 0:
                with Client(pair.port) as c:
                    c.ehlo()
                    c.start_data()
                    c.send(client.dot_stuffed(content))
                    c.reset()
                return
            code = client.deliver(pair.port, content).code
            if code != (550 if infected else 250):
                faults.append((n, code))
        except Exception as error:  # noqa: BLE001
            faults.append((n, repr(error)))
    threads = [threading.Thread(target=one, args=(n,)) for n in range(150)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert not faults, faults[:5]
