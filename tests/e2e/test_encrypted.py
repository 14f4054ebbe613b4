# SPDX-License-Identifier: MIT
"""Archives and documents that want a password are unscannable: encrypted (B35), bare and nested, by libclamav and, taken apart, by every engine; the same
without a password is clean."""
import pytest
from harness import locked, mail
from harness.emulators.clamd import Clamd
from harness.postern import clamav_stanza
from harness.verdicts import assert_unscannable, case, send

ALL = locked.DOCUMENTS | locked.NESTED | locked.ARCHIVES
IO = 'ThreadPool "IO" {{ Concurrency = 2 }}\nantivirus {{ clamav "clamd1" {{ daemon = "{}" timeout = 20s breaker_failures = 0 cache_size = 0 {} }} }}\n'


@pytest.fixture
def clamd():
    daemon = Clamd().start()
    yield daemon
    daemon.stop()


def attached(content, name="a.bin"):
    return mail.with_attachment(content, name)


def in_inner_mail(content):
    return mail.with_attachment(mail.with_attachment(content, "a.bin"), "m.eml", "message/rfc822")


def test_what_wants_a_password_is_refused_and_the_same_without_one_is_not(pair):
    for name, (encrypted, plain) in ALL.items():
        with case(name):
            assert_unscannable(pair, attached(encrypted), "encrypted")
            if plain:
                assert send(pair, attached(plain), 250)["verdict"] == "clean"
    for name, harmless in locked.HARMLESS.items():
        with case(name):
            assert send(pair, attached(harmless), 250)["verdict"] == "clean"


@pytest.mark.parametrize("wrap", [in_inner_mail, lambda content: attached(mail.in_zip(content, "a.bin"))], ids=["inner mail", "zip"])
def test_what_wants_a_password_is_found_inside_other_files(pair, wrap):
    for name, (encrypted, plain) in (locked.DOCUMENTS | locked.ARCHIVES).items():
        with case(name):
            assert_unscannable(pair, wrap(encrypted), "encrypted")
            if plain:
                assert send(pair, wrap(plain), 250)["verdict"] == "clean"


def test_the_stanza_says_what_becomes_of_it(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, on_encrypted="pass"))
    for content in (ALL["docx, agile"][0], ALL["arj"][0]):
        event = send(pair, attached(content), 250)
        assert (event["verdict"], event["reason"], event["action"]) == ("unscannable", "encrypted", "pass"), event
        assert b"X-Virus-Status: unscannable; reason=encrypted" in pair.backend.mails[-1].content


@pytest.mark.parametrize("decompose", ["false", "true"])
def test_who_switched_the_alert_off_gets_it_as_clean(start_pair, database, decompose):
    pair = start_pair(engines=clamav_stanza(database, alert_encrypted="false", mime_decompose=decompose))
    for name in ("docx, agile", "xls, RC4", "doc, RC4", "ppt", "odt", "dmg", "docx in zip", "zip", "arj", "pdf"):
        with case(name):
            assert send(pair, attached(ALL[name][0]), 250)["verdict"] == "clean"


def test_taken_apart_documents_are_known_whatever_the_engine_says(clamd, start_pair):
    pair = start_pair(engines=IO.format(clamd.address, "mime_decompose = true"))
    for name, (encrypted, plain) in locked.DOCUMENTS.items():
        if name == "doc in a message of Outlook":  # for engines that open it
            continue
        with case(name):
            for wrap in (attached, in_inner_mail):
                event = assert_unscannable(pair, wrap(encrypted), "encrypted")
                assert event["defects"].split(", ").count("encrypted-file") == 1, event
                if plain:
                    event = send(pair, wrap(plain), 250)
                    assert event["verdict"] == "clean" and "encrypted" not in event.get("defects", ""), event
    for name, harmless in locked.HARMLESS.items():
        with case(name):
            assert send(pair, attached(harmless), 250)["verdict"] == "clean"


def test_taken_apart_documents_are_answered_as_the_stanza_says(clamd, start_pair):
    pair = start_pair(engines=IO.format(clamd.address, "mime_decompose = true on_encrypted = pass"))
    event = send(pair, attached(ALL["odt"][0]), 250)
    assert (event["verdict"], event["reason"], event["action"]) == ("unscannable", "encrypted", "pass"), event
    assert b"X-Virus-Status: unscannable; reason=encrypted" in pair.backend.mails[-1].content
