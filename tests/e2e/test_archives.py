# SPDX-License-Identifier: MIT
"""Containers that this libclamav cannot open are never taken for clean: RAR 4, RAR 5, self-extracting, bare and nested; archives whose table it cannot read; tars that it reads otherwise
than tar. What it opens in part only, or with help, is scanned in whole: bzip2 in several streams, `ar`."""
import binascii
import bz2
import gzip
import io
import itertools
import lzma
import struct
import tarfile
import zlib

import pytest
import rar
from harness import locked, mail, mime
from harness.postern import clamav_stanza

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


# --- tables that libclamav cannot read, archives that it knows in part ---

# In no archive below do the payload's octets show: who does not open it cannot see them.
PACKED = gzip.compress(b"first line\n" + mail.PAYLOAD, mtime=0)
CONTENT = mail.PAYLOAD * 3


def tar(*members, kind=tarfile.USTAR_FORMAT):
    """MEMBERS: name, octets and what else is to be set."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for name, octets, *attributes in members:
            info = tarfile.TarInfo(name)
            info.size = len(octets)
            for attribute, value in dict(*attributes).items():
                setattr(info, attribute, value)
            archive.addfile(info, io.BytesIO(octets))
    return out.getvalue()


def changed(archive, at, octets, header=0):
    """With OCTETS in a header, and its sum right again."""
    out = bytearray(archive)
    out[header + at:header + at + len(octets)] = octets
    out[header + 148:header + 156] = b" " * 8
    out[header + 148:header + 156] = b"%06o\0 " % sum(out[header:header + 512])
    return bytes(out)


def number(n):
    return bytes([n]) if n < 128 else bytes([0x80 | n >> 8, n & 255])


def seven_zip(*, listed_substreams, coder=b"\x23\x03\x01\x01\x05\x5d\x00\x00\x10\x00"):
    """One file packed by LZMA. Its sum may stand with the folder, as any reader but libclamav's takes it, or among the folder's substreams."""
    packed = lzma.compress(CONTENT, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 2}])
    crc = b"\x0a\x01" + struct.pack("<I", binascii.crc32(CONTENT))
    name = "a.exe\0".encode("utf-16-le")
    streams = b"\x06\x00\x01\x09" + number(len(packed)) + b"\x00\x07\x0b\x01\x00\x01" + coder + b"\x0c" + number(len(CONTENT))
    streams += b"\x00\x08" + crc + b"\x00\x00" if listed_substreams else crc + b"\x00\x00"
    header = b"\x01\x04" + streams + b"\x05\x01\x11" + number(len(name) + 1) + b"\x00" + name + b"\x00\x00"
    start = struct.pack("<QQI", len(packed), len(header), binascii.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<I", binascii.crc32(start)) + start + packed + header


def empty_seven_zip():
    start = struct.pack("<QQI", 0, 0, 0)
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<I", binascii.crc32(start)) + start


def ar(*members):
    out = b"!<arch>\n"
    for name, octets in members:
        out += b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name, 0, 0, 0, b"100644", len(octets)) + octets + b"\n" * (len(octets) % 2)
    return out


def cut_into_streams(octets, size):
    """As pbzip2 writes it."""
    return b"".join(bz2.compress(octets[at:at + size]) for at in range(0, len(octets), size))


PLAIN_TAR = tar(("test.com", PACKED))
PAX_TAR = tar(("test.com", PACKED, {"pax_headers": {"size": str(len(PACKED)), "comment": "x"}}), kind=tarfile.PAX_FORMAT)

NOT_OPENED = {
    "7z without substreams": seven_zip(listed_substreams=False),
    "7z without substreams behind a text": b"Extract this. " * 100 + seven_zip(listed_substreams=False),
    "7z that is the first volume": seven_zip(listed_substreams=True)[:100],
    "7z in tar": tar(("a.7z", seven_zip(listed_substreams=False))),
    "tar with a size in base 256": changed(PLAIN_TAR, 124, b"\x80" + len(PACKED).to_bytes(11, "big")),
    "tar with a size behind a NUL": changed(PLAIN_TAR, 124, b"\0%011o" % len(PACKED)),
    "tar with a size in a pax header": changed(PAX_TAR, 124, b"00000000000\0", 1024),
    "tar with an unknown type": changed(PLAIN_TAR, 156, b"A"),
    "tar with names of the old form": changed(PLAIN_TAR, 156, b"N"),
    "tar with a member without a name": changed(PLAIN_TAR, 0, bytes(100)),
    "tar that begins as a picture does": tar(("GIF89a.com", PACKED)),
    "tar with an empty description": changed(tar(("x", b"")), 156, b"x")[:512] + PLAIN_TAR,
    "ar that is broken": ar((b"test.com/", PACKED))[:-10],
    "bzip2 with a second stream that is broken": bz2.compress(b"harmless") + bz2.compress(CONTENT)[:10] + bytes(40),
    "image of a file system": b"\xeb\x52\x90NTFS    " + bytes(501) + PACKED,
}
OPENED = {
    "7z with substreams": seven_zip(listed_substreams=True),
    "7z with substreams behind a text": b"Extract this. " * 100 + seven_zip(listed_substreams=True),
    "tar": PLAIN_TAR,
    "tar with pax headers": PAX_TAR,
    "bzip2": bz2.compress(CONTENT),
    "bzip2 in two streams": bz2.compress(b"harmless") + bz2.compress(CONTENT),
    "bzip2 behind an empty stream": bz2.compress(b"") + bz2.compress(CONTENT),
    "tar in bzip2 that is cut anywhere": cut_into_streams(PLAIN_TAR, 530),
    "bzip2 in two streams, twice": cut_into_streams(cut_into_streams(PLAIN_TAR, 530), 100),
    "bzip2 in two streams in zip": mail.in_zip(cut_into_streams(PLAIN_TAR, 530), "a.tar.bz2"),
    "ar": ar((b"a.txt/", b"harmless"), (b"test.com/", PACKED)),
    "ar with names in front": ar((b"#1/12", b"test.com\0\0\0\0" + PACKED)),
    "Debian package": ar((b"debian-binary", b"2.0\n"), (b"control.tar.xz", lzma.compress(tar(("control", b"Package: a")))), (b"data.tar.xz", lzma.compress(PLAIN_TAR))),
    "ar in bzip2 in two streams in ar": ar((b"a.bz2", cut_into_streams(ar((b"test.com/", PACKED)), 50))),
}
HARMLESS = {
    "7z that is empty": empty_seven_zip(),
    "tar that is empty": tar(),
    "tar with GNU's long names": tar(("d/" * 150 + "a.txt", INNOCENT), kind=tarfile.GNU_FORMAT),
    "tar with pax headers": tar(("d/" * 150 + "a.txt", INNOCENT, {"mtime": 1.5, "pax_headers": {"size": str(len(INNOCENT)), "comment": "words"}}), kind=tarfile.PAX_FORMAT),
    "tar with a directory and links": tar(("d", b"", {"type": tarfile.DIRTYPE}), ("d/l", b"", {"type": tarfile.SYMTYPE, "linkname": "a"}), ("d/h", b"", {"type": tarfile.LNKTYPE, "linkname": "a"}),
                                          ("a.txt", INNOCENT)),
    "tar of large owners": tar(("a.txt", INNOCENT, {"uid": 1 << 31, "gid": 1 << 31}), kind=tarfile.GNU_FORMAT),
    "bzip2 in two streams": bz2.compress(b"harmless") + bz2.compress(INNOCENT * 100),
    "bzip2 with something behind": bz2.compress(INNOCENT * 100) + b"BZh9, as it were",
    "ar": ar((b"a.txt/", INNOCENT), (b"b.txt/", INNOCENT)),
    "ar that is empty": ar(),
}


def verdict_on(pair, archive):
    mark = pair.log.mark()
    reply = pair.deliver(mail.with_attachment(archive, "a.bin"))
    return reply, pair.log.wait_for("message", since=mark)


@pytest.mark.parametrize("kind", NOT_OPENED)
def test_what_libclamav_passes_over_in_silence_is_never_clean(pair, kind):
    reply, event = verdict_on(pair, NOT_OPENED[kind])
    assert (reply.code, event["verdict"], event.get("reason")) == (550, "unscannable", "unsupported"), (reply, event)
    assert pair.backend.mails == []


@pytest.mark.parametrize("kind", OPENED)
def test_what_is_in_an_archive_is_found(pair, kind):
    reply, event = verdict_on(pair, OPENED[kind])
    assert (reply.code, event["verdict"], event.get("virus")) == (550, "infected", "Test.Payload.UNOFFICIAL"), (reply, event)


@pytest.mark.parametrize("kind", HARMLESS)
def test_archives_that_people_make_are_clean(pair, kind):
    reply, event = verdict_on(pair, HARMLESS[kind])
    assert (reply.code, event["verdict"]) == (250, "clean"), (reply, event)


def test_a_7z_behind_a_password_is_encrypted_even_if_nothing_of_it_can_be_read(pair):
    aes = b"\x24\x06\xf1\x07\x01\x0a\x53\x07" + bytes(8)  # 7zAES, in the place of the only coder
    reply, event = verdict_on(pair, seven_zip(listed_substreams=False, coder=aes))
    assert (reply.code, event["verdict"], event.get("reason")) == (550, "unscannable", "encrypted"), (reply, event)


LIMITED = {"max_filesize": b"\0" * (3 << 20), "max_scansize": b"\0" * (1 << 20)}


@pytest.mark.parametrize("limit", LIMITED)
def test_bzip2_in_several_streams_keeps_to_the_limits(start_pair, database, limit):
    pair = start_pair(engines=clamav_stanza(database, **{limit: "2M"}))
    archive = b"".join(bz2.compress(LIMITED[limit]) for _ in range(4)) + bz2.compress(mail.PAYLOAD)
    reply, event = verdict_on(pair, archive)
    assert (reply.code, event["verdict"], event.get("reason")) == (550, "unscannable", "limit"), (reply, event)
    assert verdict_on(pair, HARMLESS["bzip2 in two streams"])[0].code == 250


def test_bzip2_in_several_streams_again_and_again_ends_at_the_depth_limit(start_pair, database):
    pair = start_pair(engines=clamav_stanza(database, max_recursion="5"))
    archive = mail.PAYLOAD
    for _ in range(8):
        archive = bz2.compress(b"") + bz2.compress(archive)
    reply, event = verdict_on(pair, archive)
    assert (reply.code, event["verdict"], event.get("reason")) == (550, "unscannable", "limit"), (reply, event)


BESIDE_WHAT_NOBODY_CAN_OPEN = {
    "bzip2 in two streams": bz2.compress(b"harmless") + bz2.compress(CONTENT),
    "Debian package": OPENED["Debian package"],
}


@pytest.mark.parametrize("kind", BESIDE_WHAT_NOBODY_CAN_OPEN)
def test_a_virus_is_found_beside_what_is_encrypted_and_may_pass(start_pair, database, kind):
    pair = start_pair(engines=clamav_stanza(database, on_encrypted="pass"))
    secret, found = locked.zip_file(True), BESIDE_WHAT_NOBODY_CAN_OPEN[kind]
    reply, event = verdict_on(pair, secret)
    assert (reply.code, event["verdict"], event.get("reason")) == (250, "unscannable", "encrypted"), (reply, event)
    both = [mime.part(mime.b64(octets), mime.OCTETS, mime.BASE64) for octets in (secret, found)]
    for content in (mime.multipart(both), mail.with_attachment(ar((b"a.zip/", secret), (b"b/", found)))):
        mark = pair.log.mark()
        reply = pair.deliver(content)
        event = pair.log.wait_for("message", since=mark)
        assert (reply.code, event["verdict"], event.get("virus")) == (550, "infected", "Test.Payload.UNOFFICIAL"), (reply, event)
