# SPDX-License-Identifier: MIT
"""Context variables: what engines say is set and logged under the configured names; a variable of the listener keeps engines from scanning."""
import pytest
from harness import mail
from harness.postern import fake_stanza


def two_fakes(first="", second=""):
    return f'antivirus "antivirus1" {{\n  fake "fake1" {{ timeout = 20s {first} }}\n  fake "fake2" {{ timeout = 20s {second} }}\n}}\n'


MARKS = [
    # options, order, what is set
    ({}, "infected Some.Virus", "fake_status=infected; fake_status_info=Some.Virus"),
    ({"context_variable": '"virus"'}, "infected Some.Virus", "virus=infected; virus_info=Some.Virus; fake_status_info=Some.Virus"),
    ({"context_variable": '"virus"', "action": "pass"}, "infected Some.Virus", "virus=infected; virus_info=Some.Virus; fake_status_info=Some.Virus"),
    ({}, "unscannable encrypted", "fake_status=unscannable; fake_status_info=encrypted"),
    ({"context_variable": '"virus"'}, "error engine", "virus=error; virus_info=engine; fake_status_info=engine"),
    ({}, "clean", None),
    ({"context_variable": '"virus"'}, "clean", None),
]


@pytest.mark.parametrize("options,order,words", MARKS, ids=[f"{row[0].get('context_variable', 'default')} {row[1]} {row[0].get('action', '')}".strip() for row in MARKS])
def test_an_engine_marks_the_message_context_unless_it_is_clean(start_pair, options, order, words):
    pair = start_pair(engines=fake_stanza(**options))
    pair.deliver(mail.fake_order(order))
    assert pair.log.wait_for("message").get("context") == words


def test_marks_do_not_outlive_their_message(start_pair):
    pair = start_pair(engines=fake_stanza())
    with pair.client() as client:
        client.ehlo()
        assert client.message(mail.fake_order("infected Some.Virus")).code == 550
        assert client.message(mail.fake_order("clean")).code == 250
    events = [pair.log.wait_for("message", verdict=verdict) for verdict in ("infected", "clean")]
    assert [event.get("context") for event in events] == ["fake_status=infected; fake_status_info=Some.Virus", None]


SKIPS = [
    # listener's context, engine's options, reply to an infected mail
    ('[ skip_virus_check = yes ]', {}, 250),
    ('[ skip_virus_check = "" ]', {}, 250),
    ('[ other = yes ]', {}, 550),
    ('[ other = yes ]', {"skip_context_variable": '"other"'}, 250),
    ('[ skip_virus_check = yes ]', {"skip_context_variable": '"other"'}, 550),
    ('[ __bypass_fake1 = 1 ]', {}, 250),
    ('[ __bypass_fake = 1 ]', {}, 250),
    ('[ __bypass_clamav = 1 ]', {}, 550),
    ('[ other = yes ]', {"skip_context_variable": '"mailfrom_domain"'}, 550),  # predefined ones are the client's words
    ('[ mailfrom_domain = yes ]', {"skip_context_variable": '"mailfrom_domain"'}, 250),
]


@pytest.mark.parametrize("context,options,code", SKIPS, ids=[f"{row[0]} {' '.join(row[1].values())}".strip() for row in SKIPS])
def test_a_variable_keeps_the_engine_from_scanning(start_pair, context, options, code):
    pair = start_pair(engines=fake_stanza(**options), listener={"context": context})
    assert pair.deliver(mail.fake_order("infected Some.Virus")).code == code
    event = pair.log.wait_for("message")
    if code == 250:
        assert (event["verdict"], event["reason"]) == ("skipped", "skip-variable"), event
        assert event["detail"].endswith(" is set"), event
    else:
        assert event["verdict"] == "infected", event


@pytest.mark.parametrize("context, warned", [("[ skip_virus_check = no ]", True), ("[ __bypass_fake1 = 0 ]", True), ("[ other = yes ]", False)])
def test_a_listener_whose_mail_is_not_scanned_is_a_warning(make_postern, context, warned):
    result = make_postern(engines=fake_stanza(), listener={"context": context}).check()
    assert result.returncode == 0
    assert ("does not scan mail of this listener" in result.stderr) == warned, result.stderr


def test_an_engine_that_may_not_look_leaves_it_to_the_others(start_pair):
    pair = start_pair(engines=two_fakes(), listener={"context": "[ __bypass_fake1 = 1 ]"})
    assert pair.deliver(mail.fake_order("infected Some.Virus")).code == 550
    assert pair.log.wait_for("message")["engines"] == "fake2=infected:Some.Virus"


def test_a_client_cannot_set_a_variable(start_pair):
    pair = start_pair(engines=fake_stanza())
    with pair.client() as client:
        client.ehlo()
        client.command("XSETCONTEXT skip_virus_check=yes", 500)
        assert client.message(mail.plain(b"Text.\r\n", ["X-Fake: infected Some.Virus", "skip_virus_check: yes"])).code == 550
    assert pair.log.wait_for("message")["verdict"] == "infected"
