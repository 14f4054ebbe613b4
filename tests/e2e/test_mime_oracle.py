# SPDX-License-Identifier: MIT
"""Readers as judges of the splitter: whatever Python's parsers extract from a mail, in either policy, must be among its parts (B33). The mails are one for each class of
evasion, and mails that a generator puts together by chance (harness/mime.py)."""
import json
import subprocess

import pytest

from harness import mail, mime, places

PROGRAM = places.BUILD / "tests" / "mime_parts"
NOTHING, SOMEWHERE, AT_ITS_BEGIN = range(3)


def split(directory, mails, payload):
    """What the splitter says of each of {name: octets}, in their order."""
    for name, octets in mails.items():
        (directory / name).write_bytes(octets)
    names = "".join(f"{directory / name}\n" for name in mails)
    out = subprocess.run([PROGRAM, "--find", payload.hex(), "-"], input=names.encode(), capture_output=True, check=False)
    assert out.returncode == 0, out.stderr.decode(errors="replace")[-2000:]
    decoder, text, at = json.JSONDecoder(), out.stdout.decode(), 0
    answers = []
    while at < len(text):
        answer, at = decoder.raw_decode(text, at)
        answers.append(answer)
        at += 1  # its line end
    assert len(answers) == len(mails)
    return dict(zip(mails, answers))


def splitter_holds(answer):
    found = [part["found"] for part in answer["parts"]]
    return AT_ITS_BEGIN if 0 in found else SOMEWHERE if any(at is not None for at in found) else NOTHING


def reader_holds(octets, payload):
    """The best that one of Python's policies extracts."""
    best = NOTHING
    for policy in mime.POLICIES.values():
        for content in mime.read_by_python(octets, policy):
            held = AT_ITS_BEGIN if content.startswith(payload) else SOMEWHERE if payload in content else NOTHING
            best = max(best, held)
    return best


@pytest.mark.parametrize("name", sorted(mime.classes(mail.PAYLOAD)))
def test_each_class_of_evasion_yields_its_payload(tmp_path, name):
    payload = mail.test_virus()
    octets = mime.classes(payload)[name]
    answer = split(tmp_path, {name: octets}, payload)[name]
    assert splitter_holds(answer) == AT_ITS_BEGIN, answer
    assert not answer["cut"] and answer["precheck"] == ("field" if name == "boundary-65536" else "none")


def test_what_python_extracts_is_what_makes_these_mails_dangerous():
    """The classes are not invented: of a good part of them Python itself extracts the payload."""
    payload = mail.test_virus()
    held = [name for name, octets in mime.classes(payload).items() if reader_holds(octets, payload) == AT_ITS_BEGIN]
    assert len(held) >= 35, held


@pytest.mark.soak("mime-oracle", "whatever Python's parsers extract from mails with faults put together by chance, the splitter extracts", mails=(400, 20000))
def test_what_a_reader_extracts_the_splitter_extracts(tmp_path, scale):
    payload = mail.test_virus()
    mails = {f"{number:06d}": octets for number, octets in enumerate(mime.mails(f"oracle/{scale.seed}", scale.mails, payload))}
    judged = dangerous = 0
    missed = []
    for name, answer in split(tmp_path, mails, payload).items():
        theirs = reader_holds(mails[name], payload)
        judged += 1
        dangerous += theirs != NOTHING
        if splitter_holds(answer) < theirs:
            missed.append((name, theirs, answer["cut"], mails[name]))
    scale.count("mails", judged)
    scale.count("whose payload Python extracts", dangerous)
    assert not missed, f"{len(missed)} of {judged}, first: {missed[0]}"
    assert dangerous > judged // 5, "a generator that hides everything from everybody tests nothing"


def test_the_generator_draws_the_same_mails_for_the_same_seed():
    payload = mail.test_virus()
    assert list(mime.mails("x", 5, payload)) == list(mime.mails("x", 5, payload))
    assert list(mime.mails("x", 5, payload)) != list(mime.mails("y", 5, payload))
