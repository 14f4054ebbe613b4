# SPDX-License-Identifier: MIT
"""What only shows under long or large load. Each has a scaled form, which runs here, and a full one: tests/soak/run."""
import os
import subprocess
import threading
import time

import pytest

from harness import load, mail, processes, resources
from harness.backend import Backend, Wait
from harness.client import Client, dot_stuffed
from harness.places import RELEASE_BUILD, until
from harness.postern import clamav_stanza, fake_stanza

# Backends and engines are given up soon, so that a fault costs the load little time.
IMPATIENT = {"connect_timeout": "2s", "greeting_timeout": "2s", "command_timeout": "2s", "data_init_timeout": "2s",
             "data_block_timeout": "2s", "data_done_timeout": "2s", "idle_timeout": "500ms"}
PATIENT = {name: "120s" for name in IMPATIENT} | {"idle_timeout": "500ms"}
ROOM = {"max_connections_per_host": 9000, "log_level": "info"}


@pytest.fixture
def backends():
    """Three more servers."""
    servers = [Backend() for _ in range(3)]
    yield servers
    for server in servers:
        server.stop()


def servers(backends):
    """For backend_host: the scopes of all but the last, whose port is backend_port."""
    return "".join(f'127.0.0.1:{server.port}" {{ }}\n  Server "' for server in backends[:-1]) + "127.0.0.1"


# --- mixed load ---

@pytest.mark.root
@pytest.mark.soak("mixed-load", "clients of every kind, a backend that misbehaves, workers, scan host and edge killed: L1 to L8",
                  seconds=(3, None), epoch=(3, 20), clients=(6, 12))
def test_promises_hold_under_mixed_load_with_faults_and_kills(start_pair, database, scale):
    pair = start_pair(engines=load.two_engines(database, "3s"), backend=IMPATIENT,
                      top={**ROOM, "event_loops": 2, "backend_hold": "1s", "log_level": "debug"},
                      listener={"max_errors": 1000, "max_junk_commands": 1000})
    load.run(load.Load(pair.postern, [pair.backend], scale, scale.clients, faults=True), scale, scale.epoch, kills=True)


@pytest.mark.root
@pytest.mark.release
@pytest.mark.soak("steady-load", "the same clients without any fault: each reply exact, memory and descriptors constant",
                  seconds=(3, None), epoch=(1, 15), clients=(6, 12))
def test_steady_load_leaves_memory_and_descriptors_as_they_were(start_pair, database, scale):
    pair = start_pair(build=RELEASE_BUILD, engines=load.two_engines(database, "120s"), backend=PATIENT, top={**ROOM, "event_loops": 2},
                      listener={"max_errors": 1000, "max_junk_commands": 1000})
    memory = load.run(load.Load(pair.postern, [pair.backend], scale, scale.clients, faults=False), scale, scale.epoch)
    # The first epochs fill what allocators keep; from then on nothing may grow with the number of mails.
    begin, end = memory[len(memory) // 3], memory[-1]
    for part, room in (("edge", 4096), ("scan host", 1024), ("workers", 16384)):
        scale.facts[f"KiB {part}"] = f"{begin[part]}→{end[part]}"
        assert end[part] - begin[part] < room, f"{part}: {[m[part] for m in memory]} KiB"


# --- servers that come and go ---

@pytest.mark.root
@pytest.mark.soak("failover", "three servers that go, come back and misbehave, four loops: mail flows as long as one is up, once",
                  seconds=(3, None), epoch=(3, 20), clients=(6, 12))
def test_several_servers_that_come_and_go_under_several_loops(start_pair, database, backends, scale):
    pair = start_pair(engines=load.two_engines(database, "3s"), backend=IMPATIENT, backend_host=servers(backends), backend_port=backends[-1].port,
                      top={**ROOM, "event_loops": 4, "backend_hold": "1s"}, listener={"max_errors": 1000, "max_junk_commands": 1000})
    the_load = load.Load(pair.postern, backends, scale, scale.clients, faults=True)
    load.run(the_load, scale, scale.epoch)
    # All but one are down: whichever is left serves, after at most one refusal of what it had to try first.
    for alone in backends:
        for other in backends:
            if other is not alone:
                other.stop()
        the_load.come_to_rest()
        assert alone.mails
        the_load.check()
        for other in backends:
            if other is not alone:
                other.start()


# --- very many sessions ---

def greeted(port):
    client = Client(port, timeout=120)
    client.ehlo()
    return client


def drip(clients, seconds):
    """Every client sends an octet in turn until the time is over; how many octets that were."""
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for client in clients:
            client.send(b"x")
            sent += 1
        time.sleep(0.05)  # a slow client; nothing is waited for
    return sent


@pytest.mark.release
@pytest.mark.soak("idle-and-slow", "very many idle sessions and many that send an octet now and then; others are served at once",
                  seconds=(1, None), idle=(150, 5000), slow=(30, 500))
def test_very_many_idle_and_slow_sessions_disturb_nobody(start_pair, database, scale):
    pair = start_pair(build=RELEASE_BUILD, engines=clamav_stanza(database, timeout="120s"),
                      backend={**PATIENT, "max_outbound_connections": 2000}, top={**ROOM, "event_loops": 2, "backend_hold": "500ms"},
                      listener={"client_timeout": "1h", "data_timeout": "1h"})
    edge = pair.postern.edge_pid()
    assert pair.deliver(mail.plain()).code == 250
    before, empty = resources.at_rest(pair.postern), processes.resident_kib(edge)
    idle = [greeted(pair.port) for _ in range(scale.idle)]
    scale.facts["KiB per idle session"] = round((processes.resident_kib(edge) - empty) / scale.idle, 1)
    slow = [greeted(pair.port) for _ in range(scale.slow)]
    for client in slow:
        client.start_data()
        client.send(mail.plain())
    pair.log.wait_for("backend-hold", count=scale.slow)  # the backend is not theirs meanwhile

    octets = [0]
    dripping = threading.Thread(target=lambda: octets.append(drip(slow, scale.seconds)))
    dripping.start()
    times = []
    while dripping.is_alive():
        begin = time.monotonic()
        assert pair.deliver(mail.plain()).code == 250
        times.append(time.monotonic() - begin)
    dripping.join()
    full = processes.resident_kib(edge)
    scale.facts.update({"octets dripped": octets[-1], "mails of others": len(times), "ms median": round(sorted(times)[len(times) // 2] * 1000)})

    for client in slow:
        client.send(b"\r\n.\r\n")
        client.expect(250)
        client.close()
    for number, client in enumerate(idle):
        client.quit() if number % 2 else client.close()
    pair.log.wait_for("close", count=scale.idle + scale.slow, timeout=120)
    resources.assert_back(pair.postern, before)
    assert full - empty < 16 * scale.idle + 64 * scale.slow + 8192, f"the edge grew from {empty} to {full} KiB"


STATES = ["greeting", "ehlo", "mail", "rcpt", "data", "body", "scan", "dot"]


def steps(content):
    """What brings a client into each state from the one before, and the reply to it; None: none yet."""
    wire = dot_stuffed(content)
    return {"greeting": (b"", None), "ehlo": (b"EHLO client.test\r\n", 250), "mail": (b"MAIL FROM:<a@client.test>\r\n", 250),
            "rcpt": (b"RCPT TO:<b@y.test>\r\n", 250), "data": (b"DATA\r\n", 354), "body": (wire[:30], None), "dot": (wire[30:], None)}


def go(client, content, states):
    for state in states:
        data, code = steps(content)[state]
        client.send(data)
        if code:
            client.expect(code)


@pytest.mark.soak("drain", "SIGTERM with sessions in every state: open mails finish, then 421; nothing is lost", sessions=(40, 800))
def test_sigterm_with_sessions_in_every_state_loses_nothing(start_pair, scale):
    pair = start_pair(engines=fake_stanza(timeout="120s"), backend={**PATIENT, "max_outbound_connections": 2000},
                      top={**ROOM, "event_loops": 3, "drain_timeout": "10m"}, pool={"Concurrency": 4, "Backlog": 2000})
    gate, open_sessions = pair.backend.on("dot", Wait()), []
    order = list(steps(b""))
    for number in range(scale.sessions):
        state = STATES[number % len(STATES)]
        content = mail.fake_order("delay 300") if state == "scan" and number < 200 else mail.plain()
        reached = order[:order.index("dot" if state == "scan" else state) + 1]
        client = Client(pair.port, timeout=300)
        go(client, content, reached)
        open_sessions.append((client, state, content, order[len(reached):]))
        scale.count(f"in {state}")
    assert gate.entered.wait(60)

    pair.postern.terminate()
    for client, state, _, _ in open_sessions:
        if state in ("greeting", "ehlo"):
            client.expect(421)
    gate.release.set()
    for client, state, content, missing in open_sessions:
        if state not in ("greeting", "ehlo"):
            go(client, content, missing)
            client.expect(250)
            client.expect(421)
        assert client.at_end(), state
        client.close()
    pair.postern.stop(120)


@pytest.mark.soak("many-mails", "one session, mail after mail: nothing grows with their number", mails=(40, 10_000))
@pytest.mark.release
def test_many_mails_in_one_session_cost_no_memory(start_pair, database, scale):
    pair = start_pair(build=RELEASE_BUILD, engines=clamav_stanza(database), top=ROOM)
    edge, sizes = pair.postern.edge_pid(), []
    with Client(pair.port, timeout=120) as client:
        client.ehlo()
        for number in range(scale.mails):
            infected = number % 10 == 9
            content = mail.with_attachment(mail.test_virus()) if infected else mail.plain()
            assert client.message(content).code == (550 if infected else 250)
            if infected:
                assert pair.backend.mails[-1].content != content
            elif number % 100 < 90:
                assert pair.backend.mails[-1].content == content
            if number in (scale.mails // 4, scale.mails - 1):
                sizes.append(processes.resident_kib(edge))
            if number % 1000 == 999:
                pair.forget()
        client.quit()
    scale.facts["KiB edge"] = "→".join(map(str, sizes))
    assert sizes[1] - sizes[0] < 512, f"the edge grew from {sizes[0]} to {sizes[1]} KiB"


@pytest.mark.soak("idle-backend-race", "the backend closes an idle connection just when it is used again (C9): unseen, and nothing twice",
                  rounds=(60, 5000))
def test_idle_connection_that_the_backend_closes_just_now_costs_nothing(start_pair, scale):
    pair = start_pair(engines="scan = off\n", top=ROOM)
    rng = scale.random()
    with Client(pair.port, timeout=120) as client:
        client.ehlo()
        for number in range(scale.rounds):
            breaker = threading.Timer(rng.uniform(0, 0.002), pair.backend.break_connections)
            breaker.start()
            # Anything answered by the backend before the break is a transaction that broke: 451. Before it, nobody notices.
            for line in ("MAIL FROM:<a@client.test>", "RCPT TO:<b@y.test>", "DATA"):
                code = client.command(line).code
                if code not in (250, 354):
                    break
            if code == 354:
                client.send(dot_stuffed(mail.plain()))
                code = client.reply().code
            else:
                client.command("RSET", 250)
            breaker.join()
            assert code in (250, 451), code
            scale.count("delivered" if code == 250 else "451")
            if number % 500 == 499:
                pair.forget()
        client.quit()


# --- the edge is killed ---

def begin(client, step, content, gate):
    """Brings a mail to STEP."""
    client.ehlo()
    client.send(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n")
    if step not in ("mail", "rcpt"):
        assert [reply.code for reply in client.replies(3)] == [250, 250, 354]
        client.send(content[:40] if step == "body" else dot_stuffed(content))
    if gate:
        assert gate.entered.wait(60)


@pytest.mark.soak("edge-killed", "SIGKILL to the edge at each step of a mail (A59, A60): no 250, at most the copy that the backend has already",
                  rounds=(1, 8))
@pytest.mark.parametrize("step", ["mail", "rcpt", "body", "scan", "data", "dot"])
def test_mail_whose_edge_is_killed_is_not_promised_and_not_doubled(start_pair, scale, step):
    pair = start_pair(engines=fake_stanza(timeout="60s"), backend={"idle_timeout": "500ms"}, top=ROOM)
    before = resources.at_rest(pair.postern)
    for _ in range(scale.rounds):
        gate = pair.backend.on(step, Wait(), times=1) if step not in ("body", "scan") else None
        content = mail.fake_order("delay 300") if step == "scan" else mail.plain()
        with Client(pair.port) as client:
            begin(client, step, content, gate)
            pair.postern.hurt("edge")
            assert b"queued" not in client.rest()
        if gate:
            gate.release.set()
        until(lambda: flows(pair), "mail flows again", 60, interval=0.1)
        if step != "dot":
            assert not [m for m in pair.backend.mails if m.content == content]
        pair.postern.check_nothing_in_spool()
    resources.assert_back(pair.postern, before)


def flows(pair):
    """Whether a mail passes."""
    try:
        return pair.deliver(mail.plain()).code == 250
    except (OSError, AssertionError):
        return False  # it was cut off


# --- large messages ---

def send_large(port, octets, infected, found):
    """A message made while it is sent; with the test virus in its last part."""
    boundary = b"=-large-="
    head = mail.plain(b"", [b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="' + boundary + b'"'])
    end = mail.with_attachment(mail.test_virus()) if infected else b""
    virus = end[end.index(b"Content-Type: application"):end.rindex(b"\r\n--")] if infected else b"Content-Type: text/plain\r\n\r\nend"
    length = 0
    try:
        with Client(port, timeout=580) as client:
            client.ehlo()
            client.start_data()
            pieces = [head, b"--" + boundary + b"\r\nContent-Type: text/plain\r\n\r\n"]
            for piece in pieces:
                client.send(piece)
                length += len(piece)
            for piece in mail.chunks_of_size(octets):
                client.send(piece)
                length += len(piece)
            piece = b"\r\n--" + boundary + b"\r\n" + virus + b"\r\n--" + boundary + b"--\r\n"
            client.send(piece + b".\r\n")
            length += len(piece)
            found.append((client.reply().code, infected, length))
    except (OSError, AssertionError) as error:
        found.append((repr(error), infected, length))


@pytest.mark.release
@pytest.mark.soak("large", "very large messages in parallel, some infected at their end: octets counted, memory of the edge bounded",
                  messages=(4, 20), octets=(8_000_000, 100_000_000))
def test_large_messages_in_parallel_are_whole_and_not_in_memory(start_postern, database, scale):
    backend = Backend(keywords=("PIPELINING", "SIZE 0", "8BITMIME"), keep=False)
    try:
        postern = start_postern(build=RELEASE_BUILD, backend_port=backend.port, backend={**PATIENT, "data_done_timeout": "500s"},
                                engines=clamav_stanza(database, timeout="500s", max_scansize="1G", max_filesize="1G"),
                                top={**ROOM, "event_loops": 2, "backend_hold": "1s"}, listener={"max_message_size": "400M", "data_timeout": "500s"})
        edge, warm = postern.edge_pid(), []
        send_large(postern.port, 1_000_000, False, warm)
        assert warm[0][0] == 250, warm
        before, empty = resources.at_rest(postern), processes.peak_resident_kib(edge)
        found = []
        threads = [threading.Thread(target=send_large, args=(postern.port, scale.octets, number % 4 == 3, found), daemon=True)
                   for number in range(scale.messages)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(590)
        assert len(found) == scale.messages, f"{len(found)} of {scale.messages} were answered"
        assert all(code == (550 if infected else 250) for code, infected, _ in found), found
        arrived = sorted(m.length for m in backend.mails[1:])
        assert arrived == sorted(length for _, infected, length in found if not infected)
        grown = processes.peak_resident_kib(edge) - empty
        scale.facts.update({"KiB more at the edge": grown, "MB delivered": sum(arrived) // 1_000_000})
        assert grown < 1024 * scale.messages + 4096, f"the edge grew by {grown} KiB"
        resources.assert_back(postern, before)
    finally:
        backend.stop()


# --- a spool without room ---

@pytest.fixture
def small_spool(directory):
    """4 MiB and 40 inodes."""
    path = directory / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=40,mode=1777", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def take_room(path):
    """All that is free now; what is given back later is taken by another call."""
    try:
        with open(path / "filler", "ab") as file:
            while True:
                file.write(bytes(65536))
                file.flush()
    except OSError:
        pass


def take_inodes(path):
    try:
        while True:
            (path / f"inode{len(os.listdir(path))}").touch(exist_ok=False)
    except OSError:
        pass


def give_back(path):
    for file in path.iterdir():
        if file.is_file():
            file.unlink()


@pytest.mark.root
@pytest.mark.soak("full-spool", "the spool's disk fills and empties, its inodes run out and come back, while mails large and small come in",
                  seconds=(1, None), clients=(4, 8))
def test_spool_without_room_is_452_and_recovers_by_itself_each_time(start_pair, database, small_spool, scale):
    pair = start_pair(engines=clamav_stanza(database), spool=small_spool, backend={"idle_timeout": "500ms"}, top={**ROOM, "event_loops": 2})
    refused, passed, faults, over = [], [], [], threading.Event()

    def client(number):
        rng = scale.random(number)
        try:
            while not over.is_set():
                # Small ones need no file: they pass whatever the disk does.
                small = rng.random() < 0.5
                code = pair.deliver(mail.of_size(rng.randrange(400, 50_000) if small else rng.randrange(200_000, 900_000))).code
                scale.count(f"{code}")
                if not small:
                    (passed if code == 250 else refused).append(code)
                if code != 250 and (small or code not in (451, 452)):
                    faults.append(f"a {'small' if small else 'large'} mail was answered {code}")
        except (OSError, AssertionError) as error:
            faults.append(repr(error))

    assert pair.deliver(mail.of_size(500_000)).code == 250
    before = resources.at_rest(pair.postern)
    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(scale.clients)]
    for thread in threads:
        thread.start()
    scale.restart()
    cycles = 0
    while not faults and (scale.left() > 0 or cycles < 2):
        take, before_it = take_inodes if cycles % 2 else take_room, len(refused)
        until(lambda: take(small_spool) or faults or len(refused) > before_it, "a mail is refused", 60)
        give_back(small_spool)
        before_it = len(passed)
        until(lambda: faults or len(passed) > before_it, "a large mail passes again", 60)
        cycles += 1
        if cycles % 20 == 0:
            scale.count("cycles", 20)
    scale.count("cycles", cycles % 20)
    over.set()
    for thread in threads:
        thread.join(120)
    assert not faults, faults[:5]
    resources.assert_back(pair.postern, before)
