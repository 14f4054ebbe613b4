# SPDX-License-Identifier: MIT
"""Bombs of archives and structure (B.5), each with a virus behind what is too much: a verdict within the deadline, infected or not scanned in full, never clean; the worker lives, nothing stays in its
directory, and the next mail passes. Limits are small here, so that bombs are."""
import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib

import pytest
from harness import evasion, mail, mime, quine
from harness.places import until
from harness.postern import clamav_stanza

MIB = 1 << 20
FILE, ALL, FILES, LEVELS = 4 * MIB, 12 * MIB, 500, 10
RUN = b"\0" * (FILE + MIB) + mail.PAYLOAD  # beyond what the engine takes of one file


def zip_of(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def nested_zips(levels, content=mail.PAYLOAD):
    for level in range(levels):
        content = zip_of([(f"{level}.zip" if level else "test.com", content)])
    return content


def forty_two():
    """As 42.zip: archives of the same archives, in the end of runs; 1 GiB of them."""
    content = zip_of([("0.dll", b"\0" * (4 * MIB))])
    for level in range(4):
        content = zip_of([(f"lib {level}{i}.zip", content) for i in range(4)])
    return zip_of([("a.zip", content), ("test.com", mail.PAYLOAD)])


def overlapping_zip():
    """Many entries of the directory are one and the same member (CVE-2019-13232)."""
    whole = zip_of([("a", RUN)])
    directory = whole.index(b"PK\1\2")
    end = whole.index(b"PK\5\6")
    entry, count = whole[directory:end], 400
    return whole[:directory] + entry * count + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(entry) * count, directory, 0)


def pdf_with_streams():
    """Objects in compressed streams, each longer than it looks."""
    out, places = bytearray(b"%PDF-1.5\n"), []
    for number in range(1, 6):
        packed = zlib.compress(RUN if number == 5 else b"\0" * (3 * MIB))
        places.append(len(out))
        out += b"%d 0 obj\n<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\nstream\n" % (number, len(packed)) + packed + b"\nendstream\nendobj\n"
    begin = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % at for at in places)
    return bytes(out) + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % begin


def ole2_with_loops():
    """A file system whose chains of sectors come back to where they were."""
    free, fat, names = 0xffffffff, 0xfffffffd, ("Root Entry", "loop", "test.com")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3e, 3, 0xfffe, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIIII", 0, 1, 1, 0, 4096, 2, 1, 0xfffffffe, 0, 0) + struct.pack("<I", free) * 108
    table = struct.pack("<5I", fat, 1, 3, 2, 4).ljust(512, b"\xff")  # directory, small ones and streams: each chain is a ring
    directory = b""
    for number, name in enumerate(names):
        directory += (name.encode("utf-16-le").ljust(64, b"\0") + struct.pack("<HBBIII", 2 * len(name) + 2, 5 if number == 0 else 2, 1, 1, 2, 1) + bytes(36) +
                      struct.pack("<IQ", 2 + number, 1 << 20))[:128]
    sector = mail.PAYLOAD.ljust(512, b"\0")
    return header[:512].ljust(512, b"\0") + table + directory.ljust(512, b"\0") + sector * 3


def installshield(files):
    """A program with a setup archive behind it, as InstallShield makes them for MSI: each file becomes one on the disk before it is looked at (CVE-2026-20216)."""
    name = b"setup.bin"
    key = bytes(c ^ b"\xec\xca\x79\xf8"[i % 4] for i, c in enumerate(name))
    out = b"MZ".ljust(512, b"\0") + b"InstallShield\0" + struct.pack("<I", len(files)).ljust(32, b"\0")
    for content in files:
        packed = bytes((c << 4 | c >> 4) & 0xff for c in (c ^ key[(i & 0x3ff) % len(key)] for i, c in enumerate(zlib.compress(content))))
        out += name.ljust(260, b"\0") + struct.pack("<IIQII", 6, 0, len(packed), 0, 1) + bytes(28) + packed
    return out


def boundary_per_part():
    """Multiparts beside each other, each with a boundary of its own; the last one holds something."""
    parts = []
    for number in range(1500):
        name = b"own%d" % number
        inner = b"Content-Type: text/plain\r\n\r\n%d" % number if number < 1499 else mime.part(mime.b64(mail.PAYLOAD), mime.OCTETS, mime.BASE64)
        parts.append(b"Content-Type: multipart/mixed; boundary=" + name + b"\r\n\r\n--" + name + b"\r\n" + inner + b"\r\n--" + name + b"--\r\n")
    return mime.multipart(parts)


def deep(wrap, levels):
    """The virus below so many levels."""
    content = mime.part(mime.b64(mail.PAYLOAD), mime.OCTETS, mime.BASE64)
    for level in range(levels):
        content = wrap(content, b"level%d" % level)
    return mail.plain(b"", [b"MIME-Version: 1.0"])[:-2] + content + b"\r\n"


def in_multipart(content, name):
    return b"Content-Type: multipart/mixed; boundary=" + name + b"\r\n\r\n--" + name + b"\r\n" + content + b"\r\n--" + name + b"--\r\n"


def attached(content, name):
    return mail.with_attachment(content, name)


BOMBS = {
    "42.zip": lambda: attached(forty_two(), "42.zip"),
    "overlapping members": lambda: attached(overlapping_zip(), "a.zip"),
    "26 zips in zips": lambda: attached(nested_zips(26), "a.zip"),
    "many members": lambda: attached(zip_of([(f"{i}.txt", b"words") for i in range(FILES + 100)] + [("test.com", mail.PAYLOAD)]), "a.zip"),
    "run in zip": lambda: attached(zip_of([("a", RUN)]), "a.zip"),
    "run in gzip": lambda: attached(gzip.compress(RUN), "a.gz"),
    "run in bzip2": lambda: attached(bz2.compress(RUN), "a.bz2"),
    "run in xz": lambda: attached(lzma.compress(RUN), "a.xz"),
    "a zip that holds itself": lambda: attached(quine.zip_quine(), "a.zip"),
    "files of InstallShield": lambda: attached(installshield([b"\0" * (3 * MIB)] * 40 + [mail.PAYLOAD]), "setup.exe"),
    "run in InstallShield": lambda: attached(installshield([RUN]), "setup.exe"),
    "PDF streams": lambda: attached(pdf_with_streams(), "a.pdf"),
    "OLE2 loops": lambda: attached(ole2_with_loops(), "a.doc"),
    "50,000 parts": lambda: evasion.many_parts(50_000),
    "parts in front": lambda: mime.multipart([b"Content-Type: text/plain\r\n\r\n%d" % i for i in range(9000)] + [mime.part(mime.b64(mail.PAYLOAD), mime.OCTETS, mime.BASE64)]),
    "2,000 multiparts in each other": lambda: deep(in_multipart, 2000),
    "2,000 messages in each other": lambda: deep(lambda content, name: b"Content-Type: message/rfc822\r\n\r\n" + content, 2000),
    "a boundary of 64 KiB": lambda: mime.classes(mail.PAYLOAD)["boundary-65536"],
    "a boundary for each part": boundary_per_part,
    "soft line breaks": lambda: mail.plain(b"=\r\n" * 300_000 + b"".join(b"=%02X" % c for c in mail.PAYLOAD) + b"\r\n",
                                           [b"MIME-Version: 1.0", b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: quoted-printable"]),
    "300,000 folds": lambda: mail.plain(mime.b64(mail.PAYLOAD), [b"MIME-Version: 1.0", b"X-Folds: a" + b"\r\n b" * 300_000, mime.OCTETS, mime.BASE64]),
}


def test_the_bombs_of_odd_formats_are_what_they_say(start_pair, database):
    content = quine.zip_quine()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert [archive.read(name) for name in archive.namelist()] == [content]
    pair = start_pair(engines=clamav_stanza(database))
    mark = pair.log.mark()
    assert pair.deliver(attached(installshield([b"words", mail.PAYLOAD]), "setup.exe")).code == 550, "the engine opens what InstallShield makes"
    assert pair.log.wait_for("message", since=mark)["verdict"] == "infected"


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_infected_or_not_scanned_in_full(start_pair, database, name):
    pair = start_pair(engines=clamav_stanza(database, mime_decompose="true", timeout="120s", max_filesize=FILE, max_scansize=ALL, max_files=FILES, max_recursion=LEVELS))
    content = BOMBS[name]()
    mark = pair.log.mark()

    with pair.client(timeout=150) as client:
        client.ehlo()
        reply = client.message(content)

    event = pair.log.wait_for("message", since=mark)
    assert reply.code == 550 and event["verdict"] in ("infected", "unscannable"), event
    assert event.get("reason", "limit") in ("limit", "malformed", "encrypted"), event
    assert pair.backend.mails == []
    assert pair.deliver(mail.plain()).code == 250
    assert not pair.log.find("worker-exit")
    until(lambda: not any(path.is_file() for path in pair.postern.temporary.rglob("*")), "nothing left in the directories of the workers")
