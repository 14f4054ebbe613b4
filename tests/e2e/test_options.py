# SPDX-License-Identifier: MIT
"""Options of an engine's stanza that the original has, and what each does to a message. Action, error_code, codes and texts are in test_engine_options.py,
context variables in test_contexts.py, the cache in test_cache.py, daemons in the files of their engines."""
import pytest
from harness import mail
from harness.client import dot_stuffed
from harness.emulators.clamd import Clamd
from harness.postern import clamd_stanza, fake_stanza
from harness.verdicts import assert_passes


@pytest.fixture
def clamd():
    daemon = Clamd().start()
    yield daemon
    daemon.stop()


def hand_in(client, *orders):
    """Sends a message whole and waits for nothing: one loop and one queue, so who hands in later is scanned later."""
    client.ehlo()
    client.start_data()
    client.send(dot_stuffed(mail.plain(headers=[f"X-Fake: {order}" for order in orders])))


@pytest.mark.parametrize("option", ["max_concurrency", "num_workers"])
def test_no_more_scans_at_once_than_the_engine_may_have(start_pair, option):
    pair = start_pair(engines=fake_stanza(**{option: 1}), pool={"Concurrency": 2})
    with pair.client() as first:
        hand_in(first, "delay 700", "infected First")
        assert pair.deliver(mail.fake_order("infected Second")).code == 550
        assert first.reply().code == 550
    # A refusal is logged when the verdict comes: no backend takes part.
    assert [pair.log.wait_for("message", count=n)["virus"] for n in (1, 2)] == ["First", "Second"]


@pytest.mark.parametrize("option", ["max_concurrency = 0", "num_workers = 0", "max_concurrency = 2"])
def test_otherwise_as_many_as_the_pool_has(start_pair, option):
    name, _, value = option.split()
    pair = start_pair(engines=fake_stanza(**{name: value}, timeout="60s"), pool={"Concurrency": 2})
    with pair.client() as first:
        hand_in(first, "hang")
        assert pair.deliver(mail.fake_order("clean")).code == 250  # while the first one still hangs
        assert not pair.log.find("message", outcome="client-gone")
    pair.log.wait_for("message", outcome="client-gone")


def test_the_old_name_is_a_warning(make_postern):
    result = make_postern(engines=fake_stanza(num_workers=2)).check()
    assert result.returncode == 0
    assert "num_workers" in result.stderr and "max_concurrency" in result.stderr, result.stderr


def test_an_engine_runs_in_the_pool_that_its_stanza_names(start_pair):
    pair = start_pair(engines='ThreadPool "slow" { Concurrency = 1 }\n' + fake_stanza(pool='"slow"'))
    assert pair.deliver(mail.fake_order("infected Some.Virus")).code == 550
    assert pair.log.wait_for("engine-ready")["pool"] == "slow"
    assert len(pair.postern.wait_workers(1, "slow")) == 1


def test_a_message_waits_for_its_engine_no_longer_than_timeout(start_pair):
    pair = start_pair(engines=fake_stanza(timeout="300ms"))
    assert pair.deliver(mail.fake_order("hang")).code == 451
    event = pair.log.wait_for("message")
    assert (event["reason"], event["engine"]) == ("timeout", "fake1")


FORMS = {
    "nested": 'antivirus "antivirus1" {{ clamav "clamav1" {{ {options} }} }}\n',
    "nested, without names": "antivirus {{ clamav {{ {options} }} }}\n",
    "switches at the top": "clamav {{ enabled = true }}\nantivirus a {{ clamav c {{ {options} }} }}\n",
    "2.x": "Validate validate/antivirus antivirus {{ }}\nValidate validate/av_clamav clamav {{ {options} }}\n",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_a_stanza_scans(start_pair, database, form):
    pair = start_pair(engines=form.format(options=f'database = "{database}"\n timeout = 20'))
    assert pair.deliver(mail.with_attachment(mail.test_virus())).code == 550
    assert pair.deliver(mail.plain()).code == 250


@pytest.mark.parametrize("off", ["Validate validate/av_clamav clamav passive {{ {options} }}", "antivirus {{ clamav {{ {options} enabled = false }} }}"])
def test_an_engine_that_is_switched_off_does_not_scan_and_no_message_goes_unscanned(start_pair, database, off):
    fake = 'antivirus "others" { fake "fake1" { timeout = 20s } }\n'
    pair = start_pair(engines=off.format(options=f'database = "{database}"\n') + "\n" + fake)
    assert pair.deliver(mail.fake_order("infected Some.Virus")).code == 550
    assert pair.log.wait_for("message")["engine"] == "fake1"
    assert not pair.log.find("engine-ready", engine="clamav")


@pytest.mark.parametrize("option", ["use_wire_rep = true", "debug_level = DEBUG"])
def test_what_has_no_effect_yet_is_accepted_and_said(make_postern, database, option):
    name, _, value = option.split()
    result = make_postern(engines=fake_stanza(**{name: value})).check()
    assert result.returncode == 0
    assert name in result.stderr and "no effect" in result.stderr, result.stderr


@pytest.mark.parametrize("value", ["true", "false"])
def test_the_form_that_is_delivered_is_scanned_not_that_of_the_wire(clamd, start_pair, value):
    """use_wire_rep of the original: here a line that begins with a dot is looked at without the dot that SMTP adds, whatever is written."""
    pair = start_pair(engines=clamd_stanza(clamd.address, use_wire_rep=value))
    content = mail.plain(b"first\r\n.dot\r\n..\r\nlast\r\n")
    assert b"\r\n..dot\r\n...\r\n" in dot_stuffed(content)
    assert_passes(pair, content)
    assert [octets for _, octets in clamd.wait_scans()] == [content]
    assert [m.content for m in pair.backend.mails] == [content]
