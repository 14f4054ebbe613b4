# SPDX-License-Identifier: MIT
"""The end of a drain that takes too long, and processes that are lost meanwhile: what was not answered is never 250, what may have been
delivered is logged as unknown."""
import socket

import pytest

from harness import mail
from harness.backend import Silence, Wait
from harness.client import Client, dot_stuffed
from harness.postern import fake_stanza

SHORT = {"drain_timeout": "400ms"}


def begin(client, where, backend):
    """Brings a session to the step WHERE and leaves it there."""
    client.ehlo()
    if where == "mail":
        waiting = backend.on("mail", Wait(), times=1)
        client.send(b"MAIL FROM:<a@client.test>\r\n")
        assert waiting.entered.wait(30)
        return
    waiting = None
    if where == "before the dot":
        waiting = backend.on("body", Wait(), times=1)
    elif where in ("data", "dot"):
        waiting = backend.on(where, Wait(), times=1)
    client.envelope()
    if where == "envelope":
        return
    client.command("DATA", 354)
    content = {"scan": mail.fake_order("delay 15000"), "before the dot": mail.of_size(12_000_000)}.get(where, mail.plain())
    if where == "body":
        client.send(b"Subject: half\r\n\r\n")
        return
    client.send(dot_stuffed(content))
    if waiting:
        assert waiting.entered.wait(30)


@pytest.mark.parametrize("where, outcome", [("mail", None), ("envelope", None), ("body", "shutdown"), ("scan", "shutdown"), ("data", "shutdown"),
                                            ("before the dot", "shutdown"), ("dot", "unknown")])
@pytest.mark.parametrize("loops", [1, 3])
def test_drain_timeout_in_each_step_is_421_and_logged(start_postern, backend, where, outcome, loops):
    postern = start_postern(engines=fake_stanza(), top={**SHORT, "event_loops": loops})
    with Client(postern.port) as client:
        begin(client, where, backend)
        postern.terminate()
        client.expect(421)
        assert client.at_end()
    postern.stop()
    messages = postern.log.find("message")
    assert [m["outcome"] for m in messages] == ([outcome] if outcome else []), messages
    assert len(postern.log.find("outcome-unknown")) == (outcome == "unknown")
    assert not postern.log.find("child-exit"), "the edge ended by itself"
    assert [m for m in backend.mails if m.accepted] == []


@pytest.mark.parametrize("stage", ["connect", "greeting"])
def test_drain_of_a_session_that_awaits_the_backend_before_its_greeting(start_postern, backend, stage):
    """Its backend is asked for in vain, so the end of the drain is its greeting."""
    backend.on(stage, Silence())
    postern = start_postern(engines=fake_stanza(), top=SHORT, listener={"greet_after_backend": "true"})
    with Client(postern.port, greet=False) as client:
        postern.log.wait_for("connect")
        postern.terminate()
        client.expect(421)
        assert client.at_end()
    postern.stop()
    assert not postern.log.find("child-exit")


def test_edge_that_is_killed_while_draining_ends_the_service(start_postern, backend):
    postern = start_postern(engines=fake_stanza(), top={"drain_timeout": "1h"})
    with Client(postern.port) as client:
        begin(client, "body", backend)
        with Client(postern.port) as idle:
            postern.terminate()
            idle.expect(421)
        postern.hurt("edge")
        assert client.rest() == b""
    postern.stop()
    assert backend.mails == []


@pytest.mark.parametrize("first", ["refuses", "drops"])
def test_second_server_serves_through_trouble_of_the_first_and_a_drain(start_postern, backend, first):
    trouble = socket.socket()
    trouble.bind(("127.0.0.1", 0))
    if first == "drops":
        trouble.listen(0)  # takes connections, never greets
    port = trouble.getsockname()[1]
    postern = start_postern(engines=fake_stanza(), backend={"connect_timeout": "2s", "greeting_timeout": "2s"},
                            backend_host=f'127.0.0.1:{port}" {{ }} Server "127.0.0.1')
    with trouble, Client(postern.port) as client, Client(postern.port) as idle:
        client.ehlo()
        for _ in range(3):
            assert client.message(mail.plain()).code == 250
        client.start_data()
        postern.terminate()
        idle.expect(421)
        client.send(dot_stuffed(mail.plain()))
        client.expect(250)
        client.expect(421)
    postern.stop()
    assert len(backend.mails) == 4


@pytest.mark.parametrize("name", ["no-such-host.invalid", "localhost"])
def test_name_of_a_server_and_an_end_at_once(start_postern, name):
    postern = start_postern(engines=fake_stanza(), backend_host=name)
    with Client(postern.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<a@client.test>", 451 if "invalid" in name else 250)
    postern.stop()
