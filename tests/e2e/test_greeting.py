# SPDX-License-Identifier: MIT
"""greet_after_backend: what the backend says first is what the client hears first (smtp.md A1)."""
import pytest
from harness import mail
from harness.backend import Reply, Silence
from harness.client import Client
from harness.postern import clamav_stanza


@pytest.fixture
def start_careful(start_postern, database):
    def start(**options):
        return start_postern(engines=clamav_stanza(database), backend=options, listener={"greet_after_backend": "true"})
    return start


def test_backend_that_is_there_changes_nothing(start_careful, backend):
    postern = start_careful()
    with Client(postern.port) as client:
        assert client.greeting.code == 220
        client.ehlo()
        assert client.message(mail.plain()).code == 250
        client.quit()
    assert len(backend.wait_mails()) == 1


def test_backend_that_is_down_is_421_at_the_greeting(start_careful, backend):
    backend.stop()
    postern = start_careful()
    with Client(postern.port) as client:
        assert client.greeting.code == 421
        assert client.at_end()
    postern.log.wait_for("reject", command="greeting")


@pytest.mark.parametrize("stage", ["greeting", "ehlo"])
def test_backend_that_says_nothing_is_421_at_its_deadline(start_careful, backend, stage):
    backend.on(stage, Silence())
    postern = start_careful(greeting_timeout="500ms")
    with Client(postern.port) as client:
        assert client.greeting.code == 421


def test_backend_that_refuses_is_554_with_its_own_words(start_careful, backend):
    backend.on("greeting", Reply(554, "no service for you"))
    postern = start_careful()
    with Client(postern.port) as client:
        assert client.greeting.code == 554
        assert "no service for you" in client.greeting.text


def test_backend_that_comes_back_is_greeted_for(start_careful, backend):
    backend.stop()
    postern = start_careful()
    with Client(postern.port) as client:
        assert client.greeting.code == 421
    backend.start()
    with Client(postern.port) as client:
        assert client.greeting.code == 220
