# SPDX-License-Identifier: MIT
"""Where limits are: bombs of structure (B.5) end in time and in memory that follows from their size, and a virus about where a limit ends (B39), be it an engine's, postern's, or a number
that somebody's integers cannot hold, is never cut off and let through."""
import functools
import io
import struct
import zipfile
import zlib

import pytest
from harness import evasion, mail, mime, processes, verdicts
from harness.client import Client
from harness.emulators.clamd import Clamd
from harness.places import RELEASE_BUILD
from harness.postern import clamav_stanza, clamd_stanza

MIB = 1 << 20
NUMBERS = [(1 << 31) + 1, (1 << 32) - 1, (1 << 32) + 1]  # what is claimed where a size stands: 2 GiB + 1, and about 4 GiB


@pytest.fixture
def clamd(directory):
    """At a unix socket, so that messages go there as descriptors."""
    daemon = Clamd(directory / "clamd.socket").start()
    yield daemon
    daemon.stop()


send = functools.partial(verdicts.send, timeout=580)


# --- B.5: bombs of structure ---

# What a worker may need for a message of S octets beside what it has at rest:
#   2 S  the message is mapped twice: by the splitter and by GMime (pages of one file, but counted for each mapping)
#   2 D  what is decoded at one time (D octets) and the buffer that it grows out of; nothing where nothing is encoded
#   24 MiB for tables, whatever the message: rows and digests of 8,192 parts of the splitter and as many of GMime (LIMIT_PARTS; 16 Ki × (a content of 112 and a row of 97
#        octets in memory, and a row of some 60), each in a buffer that has doubled: 9 MiB), extents that were done (65,536 × 24, in a table half full that has doubled: 5 MiB), one pass's
#        frames and parameters, GMime's objects for at most 1,024 headers and 8,192 parts, values of the header (0.3 MiB).
TABLES = 24 * MIB


def growth_allowed(size, decoded=0):
    return 2 * size + 2 * decoded + TABLES


def odd_base64(octets):
    """An attachment of so many octets of base64 that decoders read in several ways, so that it is decoded in each of them."""
    line = (b"QUJD" * 18 + b"*" + b"\r\n")
    return mail.plain(line * (octets // len(line)), [b"MIME-Version: 1.0", b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: base64"])


BOMBS = {
    "parts": (lambda scale: evasion.many_parts(scale.parts), 0, {"unscannable"}),
    "levels": (lambda scale: evasion.many_levels(scale.levels), 0, {"unscannable"}),
    "messages in messages": (lambda scale: evasion.many_messages(scale.levels), 0, {"unscannable"}),
    "parameters": (lambda scale: evasion.large_header(scale.headers), 0, {"unscannable"}),
    "header fields": (lambda scale: mail.plain(b"words\r\n", [b"X-Header: a b c"] * (scale.headers // 17)), 0, {"unscannable"}),
    "one folded field": (lambda scale: mail.plain(b"words\r\n", [b"X-Header: a" + b"\r\n b" * (scale.headers // 4)]), 0, {"unscannable"}),
    "encoded words": (lambda scale: mail.plain(b"words\r\n", [b"Subject:" + b"\r\n =?utf-8?Q?=41?=" * (scale.headers // 18)]), 0, {"unscannable"}),
    "odd base64": (lambda scale: odd_base64(scale.headers), 1, {"clean", "unscannable"}),
}


@pytest.mark.release
@pytest.mark.soak("structure-bombs", "50,000 parts, 2,000 levels, 64 MiB of headers end within the deadline, in memory that follows from their size", parts=(50_000, 50_000),
                  levels=(2_000, 2_000), headers=(4 << 20, 64 << 20))
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_of_structure_ends_in_time_and_in_memory_that_follows_from_its_size(clamd, start_pair, scale, name):
    make, encoded, verdicts = BOMBS[name]
    pair = start_pair(build=RELEASE_BUILD, pool={"Concurrency": 1}, listener={"max_message_size": "200M"}, backend={"data_block_timeout": "60s", "data_done_timeout": "60s"},
                      engines=clamd_stanza(clamd.address, mime_decompose="true", timeout="120s"))
    assert send(pair, mail.with_attachment(b"An attachment.\r\n"), 250)["verdict"] == "clean"
    worker, = pair.postern.wait_workers(1)
    before = processes.peak_resident_kib(worker)
    content = make(scale)

    event = send(pair, content, 250, 550)

    assert event["verdict"] in verdicts and event.get("reason", "limit") == "limit", event
    assert pair.postern.worker_pids() == [worker] and not pair.log.find("worker-exit")
    grown, allowed = processes.peak_resident_kib(worker) - before, growth_allowed(len(content), encoded * len(content)) // 1024
    scale.facts[f"KiB {name} ({len(content) // 1024} KiB; allowed {allowed})"] = grown
    assert grown <= allowed, f"{len(content) // 1024} KiB of mail made the worker grow by {grown} KiB, expected at most {allowed}"
    assert send(pair, mail.plain(), 250)["verdict"] == "clean"


def test_mail_beyond_every_limit_is_unscannable_and_others_go_on(start_pair, database):
    """The same with libclamav and sanitizers."""
    pair = start_pair(engines=clamav_stanza(database, mime_decompose="true", timeout="60s"))
    for content in (evasion.many_parts(50_000), evasion.many_levels(2_000)):
        event = send(pair, content, 550)
        assert (event["verdict"], event["reason"]) == ("unscannable", "limit"), event
        assert send(pair, mail.plain(), 250)["verdict"] == "clean"
    event = send(pair, evasion.large_header(8 << 20), 550, 250)
    assert event["verdict"] in ("clean", "unscannable"), event
    assert not pair.log.find("worker-exit")


# --- B39: about where a limit ends ---

def ends_with_the_virus(octets):
    """A mail of exactly so many octets."""
    head = mail.plain(b"", [b"MIME-Version: 1.0", b"Content-Type: application/octet-stream"])
    body = b"w" * 70 + b"\r\n"
    left = octets - len(head) - len(mail.PAYLOAD) - 2
    return head + body * (left // 72) + b"w" * (left % 72) + mail.PAYLOAD + b"\r\n"


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_message_at_the_limit_of_an_engine_is_never_cut(start_pair, database, extra):
    """The virus stands at the end of a part of exactly, or about, the size that the engine takes."""
    pair = start_pair(engines=clamav_stanza(database, mime_decompose="true", max_filesize=MIB))
    content = mail.with_attachment(b"w" * (MIB + extra - len(mail.PAYLOAD)) + mail.PAYLOAD)
    event = send(pair, content, 550)
    assert event["verdict"] in ("infected", "unscannable"), event
    assert pair.backend.mails == []


@pytest.mark.parametrize("decompose", ["true", "false"])
@pytest.mark.parametrize("extra,code", [(-1, 550), (0, 550), (1, 552)])
def test_a_message_at_the_limit_of_postern_is_scanned_whole_or_refused(start_pair, database, extra, code, decompose):
    pair = start_pair(engines=clamav_stanza(database, mime_decompose=decompose), listener={"max_message_size": MIB})
    content = ends_with_the_virus(MIB + extra)
    assert len(content) == MIB + extra
    with Client(pair.port) as client:
        client.ehlo()
        reply = client.message(content)
        assert reply.code == code, reply
        if extra > 0: # and by its announcement
            assert client.command(f"MAIL FROM:<a@client.test> SIZE={len(content)}").code == 552
    assert pair.backend.mails == []


@pytest.mark.parametrize("octets", NUMBERS + [(1 << 63) + 1, (1 << 64) + 1])
def test_an_announced_size_that_integers_cannot_hold_is_too_large(start_pair, database, octets):
    pair = start_pair(engines=clamav_stanza(database))
    with Client(pair.port) as client:
        client.ehlo()
        assert client.command(f"MAIL FROM:<a@client.test> SIZE={octets}").code in (501, 552)
        assert client.message(mail.plain()).code == 250


def tnef_with_length(length, identity=0x0006800f):
    """The last attribute claims LENGTH octets."""
    whole = mime.tnef(mail.PAYLOAD)
    at = whole.rindex(mail.PAYLOAD)
    assert whole[at - 8:at - 4] == identity.to_bytes(4, "little")
    return whole[:at - 4] + (length & 0xffffffff).to_bytes(4, "little") + whole[at:]


def zip_with_length(length, field=22):
    """A deflated member whose size when it is unpacked is said to be LENGTH, in both of its headers."""
    archive = bytearray(mail.in_zip(mail.PAYLOAD * 3))
    directory = archive.index(b"PK\1\2")
    for at in (field, directory + field + 2):
        struct.pack_into("<I", archive, at, length & 0xffffffff)
    return bytes(archive)


CLAIMS = {
    "yEnc": lambda n: mail.with_attachment(mime.yenc(mail.PAYLOAD).replace(b"size=%d" % len(mail.PAYLOAD), b"size=%d" % n), content_type="text/plain"),
    "yEnc part": lambda n: mail.with_attachment(mime.yenc(mail.PAYLOAD).replace(b"name=test.com\r\n", b"name=test.com\r\n=ypart begin=%d end=%d\r\n" % (n - 1, n)), content_type="text/plain"),
    "TNEF": lambda n: mail.with_attachment(tnef_with_length(n), content_type="application/ms-tnef"),
    "uuencode": lambda n: mail.plain(mime.uu(mail.PAYLOAD).replace(b"begin 644", b"begin 644 ", 1).replace(b"begin 644  ", b"begin 644 %d " % n)),
    "Content-Length": lambda n: mail.plain(evasion.hidden(mail.PAYLOAD)["base64"].split(b"\r\n\r\n", 1)[1],
                                           [b"Content-Length: %d" % n, b"Lines: %d" % n, b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="' + evasion.B + b'"']),
    "message/partial": lambda n: mail.plain(mail.PAYLOAD + b"\r\n", [b"MIME-Version: 1.0", b'Content-Type: message/partial; id=a; number=%d; total=%d' % (n, n)]),
    "section of a parameter": lambda n: mail.plain(b"--b\r\n" + evasion.hidden(mail.PAYLOAD)["base64"].split(b"--" + evasion.B + b"\r\n", 2)[2].split(b"--" + evasion.B)[0] + b"--b--\r\n",
                                                   [b"MIME-Version: 1.0", b"Content-Type: multipart/mixed; boundary=b; boundary*%d=c" % n]),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claimed_size_that_integers_cannot_hold_hides_nothing(clamd, start_pair, name):
    """The engine is a daemon that takes nothing apart: what it finds was in the parts."""
    pair = start_pair(engines=clamd_stanza(clamd.address, mime_decompose="true"))
    for number in NUMBERS + [0, (1 << 64) - 1]:
        event = send(pair, CLAIMS[name](number), 550)
        assert event["verdict"] == "infected" or (event["verdict"], event["reason"]) == ("unscannable", "partial"), (number, event)
    assert pair.backend.mails == []


@pytest.mark.parametrize("decompose", ["true", "false"])
@pytest.mark.parametrize("field", [18, 22])
def test_an_archive_whose_member_claims_gigabytes_is_never_clean(start_pair, database, field, decompose):
    pair = start_pair(engines=clamav_stanza(database, mime_decompose=decompose))
    for number in [*NUMBERS[:2], len(zip_with_length(0))] + ([NUMBERS[2]] if field == 22 else []):
        event = send(pair, mail.with_attachment(zip_with_length(number, field), "a.zip"), 550)
        assert event["verdict"] in ("infected", "unscannable"), (number, event)
    assert pair.backend.mails == []


class Stream(io.RawIOBase):
    """Where nobody can seek: sizes stand behind the members."""

    def __init__(self):
        super().__init__()
        self.content = b""

    def writable(self):
        return True

    def write(self, octets):
        self.content += bytes(octets)
        return len(octets)


def archive(payload, method=zipfile.ZIP_DEFLATED, names=("test.com",)):
    """A zip that was written to a stream."""
    stream = Stream()
    with zipfile.ZipFile(stream, "w", method) as out:
        for name in names:
            with out.open(name, "w") as member:
                member.write(payload)
    return stream.content


def zip64(payload):
    """The member's header has its sizes in 64 bits, as where a program does not know before how large they will be."""
    plain = mail.in_zip(payload)
    packed, size, name = struct.unpack_from("<IIH", plain, 18)
    head = plain[:18] + struct.pack("<IIHH", NUMBERS[1], NUMBERS[1], name, 20) + plain[30:30 + name] + struct.pack("<HHQQ", 1, 16, size, packed)
    end = plain.index(b"PK\5\6") + 16
    return head + plain[30 + name:end] + struct.pack("<I", struct.unpack_from("<I", plain, end)[0] + 20) + plain[end + 4:]


def changed(content, local=(), central=()):
    """LOCAL, CENTRAL: (offset, format, value) in the headers of the last member."""
    content = bytearray(content)
    for at, changes in ((content.rindex(b"PK\3\4"), local), (content.rindex(b"PK\1\2"), central)):
        for offset, form, value in changes:
            struct.pack_into(form, content, at + offset, value)
    return bytes(content)


def with_method(content, number):
    return changed(content, [(8, "<H", number)], [(10, "<H", number)])


def broken_stream():
    """Deflated octets, the payload first, that end in nonsense: what unpackers leave behind is the payload."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(mail.PAYLOAD * 3) + packer.flush(zlib.Z_FULL_FLUSH) + b"\x07" + b"\xff" * 20
    stored = archive(packed, zipfile.ZIP_STORED)
    return with_method(changed(stored, central=[(24, "<I", 5000)]), 8)


PLAIN, STREAMED = mail.in_zip(mail.PAYLOAD * 3), archive(mail.PAYLOAD * 3)
DIRECTORY = STREAMED.index(b"PK\1\2")
# Members that libclamav passes over, and that at least one unpacker takes out.
HIDDEN_MEMBERS = {
    "packed size 2 GiB + 1 in the member's header": changed(PLAIN, [(18, "<I", NUMBERS[0])]),
    "packed size 0 in the member's header": changed(PLAIN, [(18, "<I", 0)]),
    "packed size 1 in the member's header": changed(PLAIN, [(18, "<I", 1)]),
    "packed size 1 in both headers": changed(PLAIN, [(18, "<I", 1)], [(20, "<I", 1)]),
    "packed size 0 in both headers": changed(PLAIN, [(18, "<I", 0)], [(20, "<I", 0)]),
    "packed size 2 GiB + 1 in the directory": changed(STREAMED, central=[(20, "<I", NUMBERS[0])]),
    "packed size 0 in the directory": changed(STREAMED, central=[(20, "<I", 0)]),
    "packed size 1 in the directory": changed(STREAMED, central=[(20, "<I", 1)]),
    "zip64": zip64(mail.PAYLOAD * 3),
    "place 2 GiB + 1": changed(PLAIN, central=[(42, "<I", NUMBERS[0])]),
    "place 4 GiB - 1": changed(STREAMED, central=[(42, "<I", NUMBERS[1])]),
    "no directory": STREAMED[:DIRECTORY],
    "no directory, sizes known": PLAIN[:PLAIN.index(b"PK\1\2")],
    "directory elsewhere": STREAMED[:-6] + b"\xff\xff\xff\xff" + STREAMED[-2:],
    "one archive behind another": mail.in_zip(b"words", "a.txt") + STREAMED,
    "end record in the comment": STREAMED[:-2] + struct.pack("<H", 22) + b"PK\5\6" + bytes(18),
    "masked": changed(PLAIN, [(6, "<H", 0x2000)], [(8, "<H", 0x2000)]),
    "signature of the member's header": changed(PLAIN, [(0, "<I", 0)]),
    "long name": changed(PLAIN, [(26, "<H", 0xfff0)]),
    "short name": changed(PLAIN, [(26, "<H", 3)]),
    "long extra field": changed(PLAIN, [(28, "<H", 0xfff0)]),
    "broken stream": broken_stream(),
    "behind a program": b"MZ" + bytes(500) + STREAMED,
    "behind an image": b"GIF89a" + bytes(200) + STREAMED,
    "behind text": b"Nothing but words.\n" * 9 + STREAMED,
    "behind one octet": b"x" + STREAMED,
    "a piece of several": b"PK00" + STREAMED,
    "bzip2 that is none": with_method(PLAIN, 12),
    "bzip2 by the member's header": changed(PLAIN, [(8, "<H", 12)]),
    "imploded by the member's header": changed(PLAIN, [(8, "<H", 6)]),
    **{f"method {number}": with_method(PLAIN, number) for number in (1, 14, 20, 93, 95, 98, 99)},
}


@pytest.mark.parametrize("decompose", ["true", "false"])
def test_a_member_that_libclamav_passes_over_is_never_clean(start_pair, database, decompose):
    pair = start_pair(engines=clamav_stanza(database, mime_decompose=decompose))
    for name, content in HIDDEN_MEMBERS.items():
        for attachment in (content, mail.in_zip(content, "inner.zip")):
            event = send(pair, mail.with_attachment(attachment, "a.zip"), 550, 250)
            assert event["verdict"] == "unscannable", (name, event)
    assert pair.backend.mails == []


WORDS = b"Nothing but words.\r\n" * 20
ORDINARY = {
    "deflated": mail.in_zip(WORDS), "streamed": archive(WORDS), "stored": archive(WORDS, zipfile.ZIP_STORED), "bzip2": archive(WORDS, zipfile.ZIP_BZIP2),
    "directories and empty files": archive(b"", names=("d/", "d/empty")), "tiny": archive(b"abc"), "six octets": archive(b"sixsix"), "no members": archive(b"", names=()),
    "many": archive(WORDS, names=[f"{i}.txt" for i in range(500)]), "the same twice": archive(WORDS, names=("a.txt", "b.txt")),
    "a zip in it": archive(archive(WORDS), zipfile.ZIP_STORED, ("a.zip", "b.zip")), "small zips in it": archive(mail.in_zip(WORDS), zipfile.ZIP_STORED, [f"{i}.zip" for i in range(200)]),
    "behind a program": b"MZ" + bytes(500) + mail.in_zip(WORDS), "octets behind it": archive(WORDS) + b"\r\n",
}


@pytest.mark.parametrize("decompose", ["true", "false"])
def test_ordinary_archives_are_clean(start_pair, database, decompose):
    """The control."""
    pair = start_pair(engines=clamav_stanza(database, mime_decompose=decompose))
    for name, content in ORDINARY.items():
        event = send(pair, mail.with_attachment(content, "a.zip"), 250, 550)
        assert event["verdict"] == "clean", (name, event)


@pytest.mark.release
@pytest.mark.soak("beyond-numbers", "a mail whose end, with a virus, lies past what 31 or 32 bits count: refused by its size, or not called clean", octets=(MIB + 1, (2 << 30) + 1))
@pytest.mark.parametrize("limit", ["postern's", "the engine's"])
@pytest.mark.parametrize("decompose", ["true", "false"])
def test_a_virus_at_the_end_of_a_mail_beyond_all_limits_is_not_relayed(start_pair, database, scale, limit, decompose):
    """The scaled form has the same limits as much smaller numbers."""
    most = 2147483647 if scale.octets > (1 << 31) else MIB - 1
    pair = start_pair(build=RELEASE_BUILD, engines=clamav_stanza(database, mime_decompose=decompose, timeout="550s", max_filesize=most, max_scansize=4294967295),
                      listener={"max_message_size": "4G" if limit == "the engine's" else most, "data_timeout": "300s"}, top={"backend_hold": "300s"})
    head = ends_with_the_virus(1000)
    filler = b"w" * 70 + b"\r\n"
    left, block = scale.octets - len(head), filler * 14563 # about 1 MiB
    with Client(pair.port, timeout=580) as client:
        client.ehlo()
        client.start_data()
        head, end = head[:-len(mail.PAYLOAD) - 2], head[-len(mail.PAYLOAD) - 2:]
        client.send(head + b"\r\n")
        left -= 2
        while left > len(block):
            client.send(block)
            left -= len(block)
        client.send(filler * (left // 72) + b"w" * (left % 72) + end + b".\r\n")
        reply = client.reply()
    if limit == "postern's":
        assert (reply.code, reply.enhanced) == (552, "5.3.4"), reply
    else:
        event = pair.log.wait_for("message")
        assert reply.code == 550 and event["verdict"] in ("infected", "unscannable"), event
        assert event.get("reason", "limit") in ("limit", "too-large"), event
    assert pair.backend.mails == []
