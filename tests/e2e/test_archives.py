# SPDX-License-Identifier: MIT
"""Containers that this libclamav cannot open are never taken for clean: RAR 4, RAR 5, self-extracting, bare and nested."""
import itertools
import zlib

import pytest
import rar
from harness import mail

INNOCENT = b"Nothing but words, in an archive that cannot be opened.\r\n"
# The virus where its octets do not show in a stored archive: an engine that does not open the archive cannot see it.
HIDDEN = zlib.compress(mail.test_virus(), 9)

MAKERS = {
    "rar4": lambda content: rar.rar4([("a.txt", content)]),
    "rar5": lambda content: rar.rar5([("a.txt", content)]),
    "sfx4": lambda content: rar.sfx(rar.rar4([("a.txt", content)])),
    "sfx5": lambda content: rar.sfx(rar.rar5([("a.txt", content)])),
}
WRAPPINGS = {
    "bare": lambda archive: mail.with_attachment(archive, "a.rar"),
    "under another name and type": lambda archive: mail.with_attachment(archive, "photo.jpg", "image/jpeg"),
    "in zip": lambda archive: mail.with_attachment(mail.in_zip(archive, "a.rar")),
    "in zip in zip": lambda archive: mail.with_attachment(mail.in_zip(mail.in_zip(archive, "a.rar"), "b.zip")),
    "in a mail in a mail": lambda archive: mail.with_attachment(mail.with_attachment(archive, "a.rar"), "m.eml", "message/rfc822"),
}


@pytest.mark.parametrize("content", [INNOCENT, HIDDEN], ids=["innocent", "hidden"])
@pytest.mark.parametrize("maker,wrapping", itertools.product(MAKERS, WRAPPINGS))
def test_rar_is_never_clean(pair, maker, wrapping, content):
    mark = pair.log.mark()

    reply = pair.deliver(WRAPPINGS[wrapping](MAKERS[maker](content)))

    assert (reply.code, reply.enhanced) == (550, "5.7.1"), reply
    event = pair.log.wait_for("message", since=mark)
    assert (event["verdict"], event["reason"]) == ("unscannable", "unsupported"), event


@pytest.mark.parametrize("maker", MAKERS)
def test_rar_inside_rar_is_never_clean(pair, maker):
    inner = MAKERS[maker](INNOCENT)
    assert pair.deliver(WRAPPINGS["bare"](MAKERS["rar5"](inner))).code == 550
    assert pair.backend.mails == []


def test_zip_with_innocent_content_is_clean(pair):
    # The control: the tests above would pass with an engine that refuses every archive.
    content = mail.with_attachment(mail.in_zip(INNOCENT, "a.txt"))
    assert pair.deliver(content).code == 250
    assert pair.backend.mails[0].content == content


def test_program_without_an_archive_is_clean(pair):
    content = mail.with_attachment(rar.sfx(b""), "a.exe")
    assert pair.deliver(content).code == 250


def test_zip_nested_beyond_the_limit_is_unscannable(pair):
    archive = INNOCENT
    for depth in range(40):
        archive = mail.in_zip(archive, f"{depth}.zip")
    mark = pair.log.mark()
    assert pair.deliver(mail.with_attachment(archive)).code == 550
    event = pair.log.wait_for("message", since=mark)
    assert (event["verdict"], event["reason"]) == ("unscannable", "limit"), event
    assert pair.backend.mails == []
