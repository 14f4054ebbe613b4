# SPDX-License-Identifier: MIT
"""Messages as bytes with CRLF line ends. The test virus is put together at run time and stands in no file of ours."""
import base64
import io
import itertools
import os
import re
import zipfile
import zlib

_number = itertools.count(1)

# Known to deploy/demo-signatures by its octets.
PAYLOAD = b"-".join([b"TEST", b"VIRUS", b"PAYLOAD"])
PAYLOAD_NAME = "Test.Payload"
TEST_VIRUS_NAME = "Eicar-Test"


def test_virus():
    """The 68 octets of the standard anti-virus test file."""
    return bytes.fromhex("58354f2150254041505b345c505a58353428505e2937434329377d24") + b"-".join(
        [b"EICAR", b"STANDARD", b"ANTIVIRUS", b"TEST"]) + b"-FILE" + bytes.fromhex("2124482b482a")


test_virus.__test__ = False  # not a test, whatever pytest thinks of its name


def unique_id():
    return f"{os.getpid()}.{next(_number)}@client.test"


def plain(body=b"Nothing but words.\r\n", headers=(), subject="a test"):
    """A message without MIME. BODY and HEADERS (lines without CRLF) as they are."""
    head = [b"From: <a@client.test>", b"To: <b@y.test>", b"Subject: " + subject.encode(), b"Message-ID: <" + unique_id().encode() + b">",
            b"Date: Sat, 21 Nov 2026 20:00:00 +0000"]
    head += [line.encode("latin-1") if isinstance(line, str) else line for line in headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def with_attachment(payload, filename="file.bin", content_type="application/octet-stream", text=b"See the attachment."):
    """multipart/mixed with PAYLOAD in base64."""
    boundary = b"=-" + unique_id().split("@")[0].encode() + b"-="
    encoded = base64.encodebytes(payload).replace(b"\n", b"\r\n")
    body = b"\r\n".join([
        b"--" + boundary, b"Content-Type: text/plain", b"", text,
        b"--" + boundary, b"Content-Type: " + content_type.encode(), b"Content-Transfer-Encoding: base64",
        b'Content-Disposition: attachment; filename="' + filename.encode() + b'"', b"", encoded + b"--" + boundary + b"--", b""])
    return plain(body, [b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="' + boundary + b'"'])


def in_zip(payload, name="test.com"):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr(name, payload)
    return archive.getvalue()


def of_size(octets, line=b"0123456789" * 7 + b"\r\n"):
    """A clean message of about OCTETS octets in lines."""
    head = plain(b"")
    return head + line * max(0, (octets - len(head)) // len(line))


def chunks_of_size(octets, slice_size=1 << 20):
    """The same as an iterator of slices, for messages that should not stand in memory."""
    line = b"0123456789" * 7 + b"\r\n"
    block = line * (slice_size // len(line))
    head = plain(b"")
    yield head
    left = octets - len(head)
    while left >= len(block):
        yield block
        left -= len(block)
    yield line * (left // len(line))


def fake_order(order, body=b"For the test engine.\r\n"):
    """A message that tells the test engine what to do: a line `X-Fake: ORDER`."""
    return plain(body, ["X-Fake: " + order])


# --- what stands in a message, without an engine ---

ROOM = 32 << 20  # octets that are unpacked of one message: bombs are not for us


def contains(content, needles, depth=8, room=None):
    """Whether one of NEEDLES (octets) is in CONTENT or in what it wraps: base64, zip, mails, to any mixture of them; ROOM: what may still be
    unpacked, in a list."""
    if any(needle in content for needle in needles):
        return True
    room = [ROOM] if room is None else room
    for inner in (*_base64_parts(content), *_zip_members(content, room)) if depth > 0 else ():
        if contains(inner, needles, depth - 1, room):
            return True
    return False


def _base64_parts(content):
    for found in re.finditer(rb"(?i)Content-Transfer-Encoding:[ \t]*base64.*?\r?\n\r?\n([A-Za-z0-9+/=\r\n]+)", content, re.DOTALL):
        text = re.sub(rb"[\r\n]", b"", found[1])
        try:
            yield base64.b64decode(text[:len(text) // 4 * 4])
        except ValueError:
            continue


def _zip_members(content, room):
    """Members of every zip in CONTENT, found by their local headers."""
    for found in re.finditer(rb"PK\x03\x04.{4}(\x00\x00|\x08\x00).{8}(....)(....)(..)(..)", content, re.DOTALL):
        packed, _, name, extra = (int.from_bytes(field, "little") for field in found.groups()[1:])
        start = found.end() + name + extra
        data = content[start:start + packed]
        if room[0] <= 0:
            return
        try:
            member = data if found[1] == b"\x00\x00" else zlib.decompressobj(-15).decompress(data, room[0])
        except zlib.error:
            continue
        room[0] -= len(member)
        yield member
