# SPDX-License-Identifier: MIT
"""Readers as judges (B33): whatever Python's parsers, in either policy, or GMime extract from a mail must be among the parts that the splitter hands out, and no mail from which any
of the four extracts a payload may get through postern. The mails are one for each class of evasion, and mails that a generator puts together by chance (harness/mime.py)."""
import itertools
import re

import pytest
from harness import mail, mime, oracle
from harness.client import Client
from harness.emulators.clamd import Clamd
from harness.oracle import AT_ITS_BEGIN, NOTHING, SOMEWHERE
from harness.postern import clamd_stanza

EPOCH = 400  # mails after which books are closed and what got through is judged


@pytest.mark.parametrize("name", sorted(mime.classes(mail.PAYLOAD)))
def test_each_class_of_evasion_yields_its_payload(tmp_path, name):
    payload = mail.test_virus()
    octets = mime.classes(payload)[name]
    answer = oracle.split(tmp_path, {name: octets}, payload)[name]
    assert oracle.splitter_holds(answer, octets, payload) == AT_ITS_BEGIN, answer
    assert not answer["cut"] and answer["precheck"] == ("field" if name == "boundary-65536" else "none")


def test_what_readers_extract_is_what_makes_these_mails_dangerous(tmp_path):
    """The classes are not invented: of a good part of them Python and GMime themselves extract the payload."""
    payload = mail.test_virus()
    classes = mime.classes(payload)
    held = oracle.extracted(tmp_path, classes, payload)
    for reader, least in (("Python", 35), ("GMime", 30)):
        names = [name for name in classes if held[name][reader] == AT_ITS_BEGIN]
        assert len(names) >= least, (reader, names)


@pytest.mark.soak("mime-oracle", "whatever Python's parsers or GMime extract from mails with faults put together by chance, the splitter extracts", mails=(400, 20000))
def test_what_a_reader_extracts_the_splitter_extracts(tmp_path, scale):
    """A mail of which the splitter says itself that it did not read all is called clean by nobody. Few may be of that kind: a splitter that gives up at once would miss nothing."""
    payload = mail.test_virus()
    missed, limited, dangerous = [], set(), 0
    numbers = itertools.count()
    for batch in mime.batches(f"oracle/{scale.seed}", scale.mails, payload, EPOCH):
        mails = {f"{next(numbers):06d}": octets for octets in batch}
        for name, held in oracle.extracted(tmp_path, mails, payload, limited).items():
            theirs = max(held["Python"], held["GMime"])
            dangerous += theirs != NOTHING
            scale.count("mails")
            for reader, how in held.items():
                scale.count(f"from which {reader} extracts the payload", how != NOTHING)
            scale.count("of which the splitter says that a limit was reached", name in limited)
            if held["the splitter"] < theirs and name not in limited:
                missed.append((name, held, mails[name]))
    assert not missed, f"{len(missed)} of {scale.mails}, first: {missed[0]}"
    assert len(limited) <= 4 + scale.mails // 200, sorted(limited)
    assert dangerous > scale.mails // 5, "a generator that hides everything from everybody tests nothing"


# --- the whole program ---

# Nothing that the ledger knows: it would judge by octets alone, and the judges here are readers.
PAYLOAD = b"Octets that a virus consists of, and nothing else (42)."


def as_a_client_may_send_it(octets):
    """With CRLF for every line end and without NUL: any other mail is refused for that alone."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", octets).replace(b"\0", b" ")


def with_line_end(octets):
    """As SMTP ends it."""
    return octets + (b"" if octets.endswith(b"\r\n") or not octets else b"\r\n")


@pytest.fixture
def clamd():
    """Before postern, which asks it to the end."""
    daemon = Clamd().start()
    yield daemon
    daemon.stop()


def through(pair, mails, scale):
    """Sends {name: octets} in one session and judges the answers; the names that got through."""
    relayed = []
    with Client(pair.port, timeout=120) as client:
        client.ehlo()
        for name, octets in mails.items():
            reply = client.message(octets)
            assert reply.code in (250, 550), (name, reply, octets)
            relayed += [name] if reply.code == 250 else []
            scale.count("for their line ends" if reply.enhanced == "5.6.0" else "relayed" if reply.code == 250 else "refused")
        client.quit()
    return relayed


@pytest.mark.soak("mime-relay", "no mail from which any of four readers (Python's two, GMime, the splitter) extracts the payload gets through", mails=(90, 12000))
@pytest.mark.parametrize("engine,least", [("finds it anywhere", SOMEWHERE), ("finds it only where it begins a file", AT_ITS_BEGIN)])
def test_no_mail_gets_through_from_which_a_reader_extracts_the_payload(tmp_path, clamd, start_pair, scale, engine, least):
    """An engine that knows files by how they begin depends on the parts alone: the mail as a whole never begins with the payload."""
    clamd.payload, clamd.at_begin = PAYLOAD, least == AT_ITS_BEGIN
    pair = start_pair(engines=clamd_stanza(clamd.address, mime_decompose="true", breaker_failures=0, cache_size=0, timeout="60s"))
    numbers = itertools.count()
    dangerous = 0
    for batch in mime.batches(f"relay/{scale.seed}", scale.mails, PAYLOAD, EPOCH):
        mails = {}
        for octets in batch:
            name, legal = f"{next(numbers):06d}", as_a_client_may_send_it(octets)
            mails[name] = legal
            if legal != octets and len(mails) % 8 == 0:
                mails[name + "-raw"] = octets
        relayed = through(pair, mails, scale)
        dangerous += sum(max(of.values()) >= least for of in oracle.extracted(tmp_path, mails, PAYLOAD).values())
        # What counts is what the backend has; its order is that of the answers.
        got = {name: arrived.content for name, arrived in zip(relayed, pair.backend.mails, strict=True)}
        assert got == {name: with_line_end(mails[name]) for name in relayed}
        missed = [(name, of, got[name]) for name, of in oracle.extracted(tmp_path, got, PAYLOAD).items() if max(of.values()) >= least]
        assert not missed, f"{len(missed)} of {len(mails)}, first: {missed[0]}"
        pair.postern.book.forget()  # with what the backend holds
        clamd.scans.clear()
    scale.count(f"from which a reader extracts it ({engine})", dangerous)
    assert dangerous > scale.mails // 5, "a generator that hides everything from everybody tests nothing"


def test_the_generator_draws_the_same_mails_for_the_same_seed():
    payload = mail.test_virus()
    assert list(mime.mails("x", 5, payload)) == list(mime.mails("x", 5, payload))
    assert list(mime.mails("x", 5, payload)) != list(mime.mails("y", 5, payload))
