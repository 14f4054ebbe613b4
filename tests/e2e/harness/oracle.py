# SPDX-License-Identifier: MIT
"""Four readers of one mail: the two policies of Python's parser, GMime by itself (tests/mime/gmime.c), and our splitter (tests/mime/parts.c). Each says how much of a payload it
extracts: NOTHING, the payload SOMEWHERE inside a part, or a part that begins with it, as a file that is the payload does."""
import json
import subprocess

from . import mime, places

PROGRAMS = places.BUILD / "tests"
NOTHING, SOMEWHERE, AT_ITS_BEGIN = range(3)


def level(places_found):
    """Of where the payload begins in each part, None where it is not in it."""
    found = [at for at in places_found if at is not None]
    return AT_ITS_BEGIN if 0 in found else SOMEWHERE if found else NOTHING


def _print(program, directory, mails, payload, *arguments):
    """What PROGRAM prints of each of {name: octets}, in their order."""
    for name, octets in mails.items():
        (directory / name).write_bytes(octets)
    names = "".join(f"{directory / name}\n" for name in mails)
    out = subprocess.run([PROGRAMS / program, "--find", payload.hex(), *arguments], input=names.encode(), capture_output=True, check=False)
    for name in mails:
        (directory / name).unlink()
    assert out.returncode == 0, out.stderr.decode(errors="replace")[-2000:]
    decoder, text, at, answers = json.JSONDecoder(), out.stdout.decode(), 0, []
    while at < len(text):
        answer, at = decoder.raw_decode(text, at)
        answers.append(answer)
        at += 1  # its line end
    assert len(answers) == len(mails)
    return dict(zip(mails, answers))


def split(directory, mails, payload):
    """The splitter's answer for each of {name: octets}."""
    return _print("mime_parts", directory, mails, payload, "-")


def splitter_holds(answer, octets, payload):
    """What engines are given: the parts, and the message as it stands."""
    return level([part["found"] for part in answer["parts"]] + [1 if payload in octets else None])


def by_gmime(directory, mails, payload):
    """{name: how much GMime extracts}."""
    answers = _print("mime_gmime", directory, mails, payload)
    return {name: level(part["found"] for part in answer["parts"]) for name, answer in answers.items()}


def by_python(octets, payload):
    """The best that one of Python's policies extracts."""
    contents = [content for policy in mime.POLICIES.values() for content in mime.read_by_python(octets, policy)]
    return level(found if (found := content.find(payload)) >= 0 else None for content in contents)


def extracted(directory, mails, payload, limited=None):
    """{name: {reader: how much}} for all four. The set LIMITED gains the names of those mails of which the splitter says that it did not read all."""
    ours = split(directory, mails, payload)
    if limited is not None:
        limited.update(name for name, answer in ours.items() if answer["cut"])
    gmime = by_gmime(directory, mails, payload)
    return {name: {"Python": by_python(octets, payload), "GMime": gmime[name], "the splitter": splitter_holds(ours[name], octets, payload)}
            for name, octets in mails.items()}
