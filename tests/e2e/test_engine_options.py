# SPDX-License-Identifier: MIT
"""What the stanza of an engine says follows from its verdicts: action, code, text, one reason by another, and several engines on one message."""
import hashlib

import pytest
from harness import mail
from harness.console import Console, full_queue, listener
from harness.postern import clamav_stanza, fake_stanza


def both(database, *, fake="", antivirus="", order="fake clamav"):
    """The test engine and libclamav on the same message, in this order."""
    scopes = {"fake": f'  fake "fake1" {{ timeout = 20s {fake} }}\n',
              "clamav": f'  clamav "clamav1" {{ database = "{database}" timeout = 20s }}\n'}
    return f'antivirus "antivirus1" {{\n  {antivirus}\n' + "".join(scopes[name] for name in order.split()) + "}\n"


def virus_and(order):
    """The standard test virus, with an order for the test engine in front."""
    return mail.with_attachment(mail.test_virus()).replace(b"\r\n", b"\r\nX-Fake: " + order.encode() + b"\r\n", 1)


def message_event(pair, mark):
    return pair.log.wait_for("message", since=mark)


def delivered(pair):
    pair.backend.wait_mails(1)
    return pair.backend.mails[-1].content


# --- reasons ---

REASONS = [
    # options, order, code, text in the reply, header of the delivered copy
    ({}, "unscannable encrypted", 550, "locked by a password", None),
    ({"on_encrypted": "pass"}, "unscannable encrypted", 250, None, b"X-Virus-Status: unscannable; reason=encrypted; engine=fake1"),
    ({"on_encrypted": "pass"}, "unscannable limit", 550, "a limit of the engine", None),
    ({"action": "pass"}, "unscannable limit", 250, None, b"X-Virus-Status: unscannable; reason=limit; engine=fake1"),
    ({"action": "pass", "on_limit": "reject"}, "unscannable limit", 550, "a limit of the engine", None),
    ({"on_unscannable": "pass"}, "unscannable limit", 250, None, b"X-Virus-Status: unscannable; reason=limit; engine=fake1"),
    ({"on_unscannable": "pass"}, "infected Some.Virus", 550, "Some.Virus", None),
    ({"on_unscannable": "pass", "on_limit": "action"}, "unscannable limit", 550, "a limit of the engine", None),
    ({"on_unscannable": "error_code", "on_limit": "reject"}, "unscannable partial", 451, "one piece of a message", None),
    ({"action": "pass", "on_unscannable": "reject"}, "unscannable suspicious", 550, "suspected by the engine", None),
    ({"on_malformed": "error_code"}, "unscannable malformed", 451, "too broken", None),
    ({"reason_codes": "[ too_large = 552 ]", "reason_texts": '[ too_large = "Over the limit (%i)" ]'}, "unscannable too-large", 552, "Over the limit", None),
    ({"reason_codes": "[ too_large = 552 ]"}, "unscannable partial", 550, "one piece of a message", None),
    ({"unscannable_code": 554}, "unscannable unsupported", 554, "cannot open", None),
    ({}, "error engine", 451, "reported a failure", None),
    ({"error_code": 421}, "error engine", 421, "reported a failure", None),
    ({"reason_codes": "[ engine = 452 ]"}, "error engine", 452, "reported a failure", None),
    ({"on_error": "pass"}, "error engine", 250, None, b"X-Virus-Status: error; reason=engine; engine=fake1"),
    ({"on_error": "pass", "on_engine": "error_code"}, "error engine", 451, "reported a failure", None),
    ({"on_engine": "pass"}, "error engine", 250, None, b"X-Virus-Status: error; reason=engine; engine=fake1"),
    ({"on_crash": "pass"}, "exit 3", 250, None, b"X-Virus-Status: error; reason=crash; engine=fake1"),
    ({"on_error": "next"}, "error engine", 451, "reported a failure", None),  # nobody else had a look
    ({"infected_code": 554, "infected_text": '"No %v here"'}, "infected Some.Virus", 554, "No Some.Virus here", None),
    ({"action": "pass"}, "infected Some.Virus", 250, None, b'X-Virus-Status: infected; name="Some.Virus"; engine=fake1'),
]


@pytest.mark.parametrize("options,order,code,text,header", REASONS, ids=[f"{' '.join(f'{k}={v}' for k, v in row[0].items())} {row[1]}" for row in REASONS])
def test_each_reason_is_answered_as_the_stanza_says(start_pair, options, order, code, text, header):
    pair = start_pair(engines=fake_stanza(**options))
    mark = pair.log.mark()
    reply = pair.deliver(mail.fake_order(order))
    assert reply.code == code, reply
    event = message_event(pair, mark)
    assert event["action"] == ("pass" if code == 250 else "reject")
    if header:
        assert header in delivered(pair).split(b"\r\n\r\n")[0], delivered(pair)[:400]
    else:
        assert text in reply.text, reply
        assert reply.enhanced == f"{code // 100}.7.1"
        assert pair.backend.mails == []


# Trouble of each kind, where a test engine says so, and with an option for another kind beside it. Below the same as it comes about.
KINDS = {"down": "not running", "timeout": "no result", "crash": "ended by a fault", "memory": "memory limit", "protocol": "makes no sense", "overload": "queue of scans is full",
         "poison": "ended several workers", "engine": "reported a failure", "sandbox": "lock itself in"}


@pytest.mark.parametrize("passed", [("down", "overload", "poison", "sandbox"), ("timeout", "crash", "memory", "protocol", "engine")], ids=["written", "on_error"])
def test_each_kind_of_trouble_has_an_option_and_a_code_of_its_own(start_pair, passed):
    """What is PASSED says so in an option of its own, or on_error does and the others' options say error_code."""
    if "down" in passed:
        options = {f"on_{reason}": "pass" for reason in passed}
    else:
        options = {"on_error": "pass", **{f"on_{reason}": "error_code" for reason in KINDS if reason not in passed}}
    codes = {reason: 450 + number for number, reason in enumerate(KINDS)}
    pair = start_pair(engines=fake_stanza(**options, breaker_failures=0, reason_codes=f"[ {' '.join(f'{reason} = {code}' for reason, code in codes.items())} ]"))
    for reason, text in KINDS.items():
        mark = pair.log.mark()
        reply = pair.deliver(mail.fake_order(f"error {reason}"))
        event = message_event(pair, mark)
        assert (event["reason"], event["action"]) == (reason, "pass" if reason in passed else "reject"), event
        if reason in passed:
            assert reply.code == 250, reply
            assert f"X-Virus-Status: error; reason={reason}; engine=fake1".encode() in delivered(pair)
        else:
            assert reply.code == codes[reason] and text in reply.text, reply
            assert pair.backend.mails == []
        pair.backend.forget_mails()


def test_on_down_is_for_an_engine_that_cannot_scan(start_pair):
    pair = start_pair(engines='antivirus { brightmail "b1" { on_down = pass } }\n')
    assert pair.deliver(mail.plain()).code == 250
    assert b"X-Virus-Status: error; reason=down; engine=b1" in delivered(pair)


def test_on_poison_is_for_what_has_ended_three_workers(start_pair):
    pair = start_pair(engines=fake_stanza(on_poison="pass", breaker_failures=0, timeout="20s"))
    pair.postern.reports_expected = True
    content = mail.fake_order("exit 7")
    assert [pair.deliver(content).code for _ in range(3)] == [451] * 3
    assert pair.deliver(content).code == 250
    assert b"X-Virus-Status: error; reason=poison; engine=fake1" in delivered(pair)


def test_on_overload_is_for_what_finds_the_queue_full(start_pair, directory):
    """Nobody is refused at DATA then, as no answer is known before the message is there."""
    path = directory / "control" / "socket"
    pair = start_pair(engines=fake_stanza(on_overload="pass", timeout="600s", breaker_failures=0) + listener(path), pool={"Concurrency": 1, "Backlog": 1})
    with full_queue(pair, Console(path)):
        for _ in range(2):
            assert pair.deliver(mail.plain()).code == 250
            assert b"X-Virus-Status: error; reason=overload; engine=fake1" in delivered(pair)
            pair.backend.forget_mails()


# --- several engines ---

def test_the_first_virus_stops_the_rest_unless_all_are_to_look(start_pair, database):
    for antivirus, engines in (("", "fake1=infected:First"), ("all = true", "fake1=infected:First; clamav1=infected:Eicar-Test.UNOFFICIAL")):
        pair = start_pair(engines=both(database, antivirus=antivirus))
        mark = pair.log.mark()
        reply = pair.deliver(virus_and("infected First"))
        assert reply.code == 550 and "First" in reply.text, reply
        event = message_event(pair, mark)
        assert event["engines"] == engines


def test_trouble_of_one_engine_is_the_messages_trouble_unless_it_leaves_it_to_the_next(start_pair, database):
    for fake, code in (("", 451), ("on_error = next", 250), ("on_crash = next", 250), ("on_timeout = next", 451)):
        pair = start_pair(engines=both(database, fake=fake))
        mark = pair.log.mark()
        assert pair.deliver(mail.fake_order("exit 3")).code == code, fake
        event = message_event(pair, mark)
        assert event["engines"] == "fake1=error:crash; clamav1=clean", event
        assert (event["verdict"], event["engine"]) == (("clean", "clamav1") if code == 250 else ("error", "fake1")), event
        if code == 250:
            assert b"X-Virus-Status" not in delivered(pair)


@pytest.mark.parametrize("order", ["fake clamav", "clamav fake"])
@pytest.mark.parametrize("fake", ["on_error = next", "on_error = pass", "action = pass", ""])
def test_no_option_of_one_engine_lets_pass_what_another_refuses(start_pair, database, order, fake):
    pair = start_pair(engines=both(database, fake=fake, order=order))
    for said in ("error engine", "infected Fake.Name", "unscannable encrypted"):
        reply = pair.deliver(virus_and(said))
        assert reply.code == 550, (said, reply)
    assert pair.backend.mails == []


def test_an_engine_that_passes_its_trouble_marks_what_the_other_found_clean(start_pair, database):
    pair = start_pair(engines=both(database, fake="on_error = pass"))
    assert pair.deliver(mail.fake_order("error engine")).code == 250
    assert b"X-Virus-Status: error; reason=engine; engine=fake1" in delivered(pair)


# --- false alarms ---

def test_a_false_alarm_is_delivered_by_its_name_and_the_virus_behind_it_is_not(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, ignore_signatures="( Eicar-Test* )"))
    mark = pair.log.mark()
    assert pair.deliver(mail.with_attachment(mail.test_virus())).code == 250
    event = message_event(pair, mark)
    assert (event["verdict"], event["detail"]) == ("clean", "Eicar-Test.UNOFFICIAL: the name is in ignore_signatures")
    assert b"X-Virus-Status" not in delivered(pair)
    reply = pair.deliver(mail.with_attachment(mail.test_virus() + b"\r\n" + mail.PAYLOAD))
    assert reply.code == 550 and "Test.Payload" in reply.text, reply
    reply = pair.deliver(mail.with_attachment(mail.in_zip(mail.PAYLOAD), text=mail.test_virus()))
    assert reply.code == 550 and "Test.Payload" in reply.text, reply


def test_a_false_alarm_is_delivered_by_its_digest_and_no_other_message_with_it(start_pair, database):
    content = mail.with_attachment(mail.test_virus())
    digest = hashlib.sha256(content).hexdigest().upper()
    pair = start_pair(engines=clamav_stanza(database, ignore_signatures=f"( sha256:{digest} )"))
    assert pair.deliver(content).code == 250
    assert delivered(pair) == content
    assert pair.deliver(mail.with_attachment(mail.test_virus())).code == 550
