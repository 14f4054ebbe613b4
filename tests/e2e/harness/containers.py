# SPDX-License-Identifier: MIT
"""Payloads inside what mail programs open beside MIME: signed S/MIME, TNEF, uuencoded files, attached messages. Each is a body or part
for evasion.py."""
import binascii
import io
import struct
import zipfile


def _ber(tag, *content, endless=False):
    """A value with a definite length, or an endless one."""
    octets = b"".join(content)
    if endless:
        return bytes([tag, 0x80]) + octets + b"\0\0"
    size = len(octets)
    length = bytes([size]) if size < 128 else (lambda n: bytes([0x80 + len(n)]) + n)(size.to_bytes((size.bit_length() + 7) // 8, "big"))
    return bytes([tag]) + length + octets


def _oid(last):
    return b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07" + bytes([last])


def signed(content, endless=False):
    """CMS SignedData (RFC 5652) without signers, which say nothing of what is shown; ENDLESS: as a program that streams writes it."""
    if endless:
        pieces = b"".join(_ber(0x04, content[i:i + 20]) for i in range(0, len(content), 20))
        string = _ber(0x24, pieces, endless=True)
    else:
        string = _ber(0x04, content)
    inner = _ber(0x30, _oid(1), _ber(0xa0, string, endless=endless), endless=endless)
    data = _ber(0x30, b"\x02\x01\x01", _ber(0x31), inner, _ber(0x31), endless=endless)
    return _ber(0x30, _oid(2), _ber(0xa0, data, endless=endless), endless=endless)


def _attribute(level, identifier, data):
    return bytes([level]) + struct.pack("<II", identifier, len(data)) + data + struct.pack("<H", sum(data) & 0xffff)


def _property(kind, identifier, data):
    return struct.pack("<HHII", kind, identifier, 1, len(data)) + data + bytes(-len(data) % 4)


def tnef(*attributes):
    return struct.pack("<IH", 0x223e9f78, 1) + b"".join(attributes)


def tnef_in_properties(payload, embedded=False):
    """The content stands in the property of an attachment; EMBEDDED: in an object that is TNEF again."""
    data = b"I" * 16 + tnef(_attribute(2, 0x00069002, bytes(14)), _attribute(2, 0x0006800f, payload)) if embedded else payload
    properties = struct.pack("<I", 2) + _property(0x1f, 0x3707, "a.bin".encode("utf-16-le")) + _property(0x0d if embedded else 0x102, 0x3701, data)
    return tnef(_attribute(2, 0x00069002, bytes(14)), _attribute(2, 0x00069005, properties))


def uuencoded(payload, begin=b"begin 644 a.bin", between=b""):
    rows = [binascii.b2a_uu(payload[i:i + 30]).rstrip(b"\n") for i in range(0, len(payload), 30)]
    return b"\r\n".join([begin, rows[0], *([between] if between else []), *rows[1:], b"`", b"end", b""])


def applesingle(payload, double=False):
    """A Macintosh file (RFC 1740) whose data fork, the payload, stands behind its name and resource fork."""
    entries, content = b"", b""
    for kind, octets in ((3, b"a.bin"), (2, b"resources"), (1, payload)):
        entries += struct.pack(">III", kind, 26 + 3 * 12 + len(content), len(octets))
        content += octets
    return struct.pack(">II16sH", 0x00051607 if double else 0x00051600, 0x00020000, bytes(16), 3) + entries + content


def pdf_and_zip(payload):
    """A document to programs that go by how a file begins, an archive to those that go by its end, which pass over what is behind that."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr(zipfile.ZipInfo("a.bin"), payload)
    return b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n" + archive.getvalue() + b"\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"


def program():
    """As much of a Windows program as tells one from anything else."""
    return b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0\x4c\x01" + bytes(300)


def _archive(name, content):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr(name, content)
    return archive.getvalue()


def polyglots(payload):
    """Name → a file of two kinds: to who goes by its begin what its name says, to readers of zip archives one with the payload in it."""
    hidden, other = _archive("v.com", payload), _archive("a.txt", b"hello " * 3)
    heads = {
        "gif": b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;",
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\3\1\1\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82",
        "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xdb\0C\0" + b"\x10" * 64 + b"\xff\xd9",
        "pdf": b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n",
        "html": b"<html><body>hello</body></html>",
        "rtf": b"{\\rtf1 hello}",
        "text": b"hello\r\n" * 2000,
        "another archive": other,
    }
    files = {f"{name} before": head + hidden for name, head in heads.items()}
    files["pdf around"] = pdf_and_zip(payload)
    files["pdf's comment"] = b"%PDF-1.4\n%" + hidden + b"\n%%EOF\n"
    return files
