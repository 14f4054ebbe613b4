# SPDX-License-Identifier: MIT
"""Messages that readers take apart differently: one for every known class of evasion, and a generator that combines them by chance. Each carries a payload (the test virus,
put together at run time) for some reader; what Python's two parsers extract is the judge of that."""
import base64
import binascii
import email
import email.policy
import itertools
import quopri
import random

from . import containers

CRLF = b"\r\n"


def b64(data, width=76):
    text = base64.b64encode(data)
    return CRLF.join(text[i:i + width] for i in range(0, len(text), width)) + CRLF


def uu(data, name=b"test.com"):
    lines = [binascii.b2a_uu(data[i:i + 45]).rstrip(b"\n") for i in range(0, len(data), 45)]
    return CRLF.join([b"begin 644 " + name] + lines + [b"`", b"end", b""])


def yenc(data, name=b"test.com"):
    out = bytearray()
    for octet in data:
        value = (octet + 42) % 256
        if value in (0, 10, 13, 61):
            out += b"=" + bytes([(value + 64) % 256])
        else:
            out.append(value)
    size = str(len(data)).encode()
    return b"=ybegin line=128 size=" + size + b" name=" + name + CRLF + bytes(out) + CRLF + b"=yend size=" + size + CRLF


def tnef(data, name=b"test.com"):
    def attribute(level, identity, content):
        return (bytes([level]) + identity.to_bytes(4, "little") + len(content).to_bytes(4, "little") + content +
                (sum(content) & 0xffff).to_bytes(2, "little"))
    return ((0x223e9f78).to_bytes(4, "little") + b"\1\0" + attribute(1, 0x00089006, b"\0\0\1\0") +
            attribute(2, 0x00069002, b"\1\0" + b"\0" * 12) + attribute(2, 0x00018010, name + b"\0") + attribute(2, 0x0006800f, data))


def der(tag, content):
    length = len(content)
    return bytes([tag]) + (bytes([length]) if length < 128 else b"\x82" + length.to_bytes(2, "big")) + content


def cms(entity, piece=0):
    """ENTITY as a signed message wraps it (RFC 5652), without certificates and signers; PIECE: in octet strings of so many octets."""
    kind = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
    octets = b"\x24\x80" + b"".join(der(4, entity[i:i + piece]) for i in range(0, len(entity), piece)) + b"\0\0" if piece else der(4, entity)
    return der(0x30, kind + b"\x02" + der(0xa0, der(0x30, b"\x02\x01\x01" + der(0x31, b"") + der(0x30, kind + b"\x01" + der(0xa0, octets)) + der(0x31, b""))))


def escaped(data):
    """Quoted-printable of escapes only."""
    return b"=\r\n".join(b"".join(b"=%02X" % octet for octet in data[i:i + 25]) for i in range(0, len(data), 25)) + CRLF


def qp(data):
    return quopri.encodestring(data).replace(b"\n", CRLF) + CRLF


TOP = [b"From: <a@client.test>", b"To: <b@y.test>", b"Subject: a test", b"Date: Sat, 21 Nov 2026 20:00:00 +0000", b"MIME-Version: 1.0"]


def message(headers, body):
    return CRLF.join(TOP + list(headers)) + CRLF + CRLF + body


def multipart(parts, boundary=b"b1", content_type=b"Content-Type: multipart/mixed; boundary=b1", close=True, top=()):
    body = b"".join(b"--" + boundary + CRLF + part + CRLF for part in parts)
    return message([content_type, *top], body + (b"--" + boundary + b"--" + CRLF if close else b""))


def part(payload_text, *headers):
    return CRLF.join(headers) + CRLF + CRLF + payload_text


TEXT = part(b"Nothing but words.", b"Content-Type: text/plain")
OCTETS = b"Content-Type: application/octet-stream"
BASE64 = b"Content-Transfer-Encoding: base64"


def classes(payload):
    """One message for every class of evasion: {name: octets}. Each is extracted by some reader that people use."""
    p, e = payload, b64(payload)
    plain = part(e, OCTETS, BASE64)
    inner = message([OCTETS, BASE64], e)
    mixed = b"Content-Type: multipart/mixed; boundary=b1"
    hidden = part(b"".join(b"=%02X" % c for c in p), OCTETS, b"Content-Transfer-Encoding: quoted-printable")  # no net finds it that knows no structure
    half = len(base64.b64encode(p)) // 2 // 4 * 4
    text = base64.b64encode(p)
    wide = multipart([TEXT, plain]).decode("ascii")
    third = len(p) // 3 * 3 // 2 // 3 * 3
    streams = base64.b64encode(p[:10]) + CRLF + base64.b64encode(p[10:]) + CRLF
    return {
        "plain": multipart([TEXT, plain]),
        "two-types-multipart-first": multipart([TEXT, plain], top=[OCTETS]),
        "two-types-multipart-last": message([OCTETS, mixed], b"--b1\r\n" + plain + b"\r\n--b1--\r\n"),
        "two-encodings-base64-first": multipart([part(e, OCTETS, BASE64, b"Content-Transfer-Encoding: 7bit")]),
        "two-encodings-base64-last": multipart([part(e, OCTETS, b"Content-Transfer-Encoding: 7bit", BASE64)]),
        "several-types-in-one": multipart([TEXT, plain], content_type=b"Content-Type: multipart/mixed, application/octet-stream; boundary=b1"),
        "two-boundaries-first": multipart([TEXT, plain], content_type=b"Content-Type: multipart/mixed; boundary=b1; boundary=b2"),
        "two-boundaries-last": multipart([TEXT, plain], content_type=b"Content-Type: multipart/mixed; boundary=b2; boundary=b1"),
        "boundary-in-other-field": message([b"Content-Type: multipart/mixed", b"Content-Type: text/plain; boundary=b1"], b"--b1\r\n" + plain + b"\r\n--b1--\r\n"),
        "blank-before-encoding": multipart([part(e, OCTETS, b" " + BASE64)]),
        "blank-before-first-encoding": multipart([b" " + BASE64 + CRLF + OCTETS + CRLF + CRLF + e]),
        "blank-before-type": message([b" Content-Type: multipart/mixed; boundary=b1"], b"--b1\r\n" + plain + b"\r\n--b1--\r\n"),
        "no-blank-line": multipart([OCTETS + CRLF + BASE64 + CRLF + e]),
        "garbage-for-blank-line": multipart([OCTETS + CRLF + BASE64 + CRLF + b"<" + CRLF + e]),
        "lf-cr-for-blank-line": multipart([OCTETS + CRLF + BASE64 + b"\n\r" + e]),
        "blanks-for-blank-line": multipart([OCTETS + CRLF + BASE64 + CRLF + b" \t" + CRLF + e]),
        "junk-between-headers": multipart([OCTETS + CRLF + b"junk" + CRLF + BASE64 + CRLF + CRLF + e]),
        "blank-before-colon": multipart([part(e, OCTETS, b"Content-Transfer-Encoding : base64")]),
        "leading-blank-line": CRLF + multipart([TEXT, plain]),
        "mailbox-line": b"From someone Sat Nov 21 20:00:00 2026\r\n" + multipart([TEXT, plain]),
        "byte-order-mark": b"\xef\xbb\xbf" + multipart([TEXT, plain]),
        "no-mime-version": multipart([TEXT, plain]).replace(b"MIME-Version: 1.0\r\n", b""),
        "no-close": multipart([TEXT, plain], close=False),
        "part-after-close": multipart([TEXT]) + b"--b1\r\n" + plain + CRLF + b"--b1--\r\n",
        "delimiter-with-junk": multipart([TEXT, plain]).replace(b"--b1\r\n", b"--b1 junk\r\n"),
        "delimiter-with-blanks": multipart([TEXT, plain]).replace(b"--b1\r\n", b"--b1 \t\r\n"),
        "false-delimiter-inside": multipart([part(e[:half] + CRLF + b"--_." + CRLF + e[half:], OCTETS, BASE64)], b"_", b"Content-Type: multipart/mixed; boundary=_"),
        "boundary-prefix-of-inner": message([b"Content-Type: multipart/mixed; boundary=b1"], b"--b1\r\nContent-Type: multipart/mixed; boundary=b1x\r\n\r\n--b1x\r\n" +
                                            plain + b"\r\n--b1x--\r\n--b1--\r\n"),
        "boundary-segments": multipart([TEXT, plain], b"b1long", b'Content-Type: multipart/mixed; boundary*0=b1; boundary*1="long"'),
        "boundary-percent": multipart([TEXT, plain], b"b1", b"Content-Type: multipart/mixed; boundary*=us-ascii''%62%31"),
        "boundary-escaped": multipart([TEXT, plain], b"b1", b'Content-Type: multipart/mixed; boundary="b\\1"'),
        "boundary-with-blank": multipart([TEXT, plain], b"b1 b2", b"Content-Type: multipart/mixed; boundary=b1 b2"),
        "boundary-in-brackets": multipart([TEXT, plain], b"b1", b"Content-Type: multipart/mixed; boundary=<b1>"),
        "boundary-900": multipart([TEXT, plain], b"b" * 900, b"Content-Type: multipart/mixed; boundary=" + b"b" * 900),
        "boundary-65536": multipart([TEXT, plain], b"b" * 65536, b"Content-Type: multipart/mixed; boundary=" + b"b" * 65536),
        "boundary-never-seen": message([mixed, BASE64], e),
        "no-boundary": message([b"Content-Type: multipart/mixed", BASE64], e),
        "digest-default": multipart([b"\r\n" + inner], content_type=b"Content-Type: multipart/digest; boundary=b1"),
        "nested-message": multipart([part(inner, b"Content-Type: message/rfc822")]),
        "nested-message-base64": multipart([part(b64(inner), b"Content-Type: message/rfc822", BASE64)]),
        "nested-message-qp": multipart([part(qp(inner), b"Content-Type: message/rfc822", b"Content-Transfer-Encoding: quoted-printable")]),
        "nested-message-lies": multipart([part(inner, b"Content-Type: message/rfc822", BASE64)]),
        "attached-eml": multipart([part(b64(inner), OCTETS + b"; name=x.eml", BASE64)]),
        "encoded-multipart": message([mixed, BASE64], b64(b"--b1\r\n" + plain + b"\r\n--b1--\r\n")),
        "cr-only": multipart([TEXT, plain]).replace(CRLF, b"\r"),
        "lf-only": multipart([TEXT, plain]).replace(CRLF, b"\n"),
        "mixed-line-ends": multipart([TEXT, plain]).replace(CRLF, b"\n", 6),
        "padding-inside": multipart([part(streams, OCTETS, BASE64)]),
        "padding-at-every-piece": multipart([part(CRLF.join(base64.b64encode(p[i:i + 1]) for i in range(len(p))), OCTETS, BASE64)]),
        "equals-in-the-middle": multipart([part(text[:7] + b"=" + text[7:] + CRLF, OCTETS, BASE64)]),
        "equals-in-the-first-group": multipart([part(text[:1] + b"=" + text[1:] + CRLF, OCTETS, BASE64)]),
        "junk-in-base64": multipart([part(b"*".join(text[i:i + 5] for i in range(0, len(text), 5)) + CRLF, OCTETS, BASE64)]),
        "base64-in-short-lines": multipart([part(b64(p, 3), OCTETS, BASE64)]),
        "base64-with-footer": multipart([part(text.rstrip(b"=") + b"=" + CRLF + b"A footer in words." + CRLF, OCTETS, BASE64)]),
        "qp": multipart([part(qp(p), OCTETS, b"Content-Transfer-Encoding: quoted-printable")]),
        "qp-all-escaped": multipart([part(b"".join(b"=%02X" % c for c in p), OCTETS, b"Content-Transfer-Encoding: quoted-printable")]),
        "qp-lower-case": multipart([part(b"".join(b"=%02x" % c for c in p), OCTETS, b"Content-Transfer-Encoding: quoted-printable")]),
        "qp-soft-break-blank": multipart([part(p[:third] + b"= \r\n" + p[third:], OCTETS, b"Content-Transfer-Encoding: quoted-printable")]),
        "qp-soft-break-tab": multipart([part(p[:third] + b"=\t\r\n" + p[third:], OCTETS, b"Content-Transfer-Encoding: quoted-printable")]),
        "qp-soft-break-crcrlf": multipart([part(p[:third] + b"=\r\r\n" + p[third:], OCTETS, b"Content-Transfer-Encoding: quoted-printable")]),
        "qp-soft-break-lf": multipart([part(p[:third] + b"=\n" + p[third:], OCTETS, b"Content-Transfer-Encoding: quoted-printable")]),
        "qp-soft-break-junk": multipart([part(p[:third] + b"=\rjunk\n" + p[third:], OCTETS, b"Content-Transfer-Encoding: quoted-printable")]),
        "encoding-unknown": multipart([part(e, OCTETS, b"Content-Transfer-Encoding: x-unheard-of")]),
        "encoding-doubled": multipart([part(e, OCTETS, b"Content-Transfer-Encoding: 7bit base64")]),
        "encoding-comment": multipart([part(e, OCTETS, b"Content-Transfer-Encoding: base64 (really)")]),
        "encoding-undeclared": multipart([part(e, OCTETS)]),
        "encoding-lies": multipart([part(e, OCTETS, b"Content-Transfer-Encoding: quoted-printable")]),
        "identity-declared-base64": multipart([part(p, OCTETS, BASE64)]),
        "uuencode-inline": multipart([part(b"See below.\r\n\r\n" + uu(p), b"Content-Type: text/plain")]),
        "uuencode-declared": multipart([part(uu(p), OCTETS, b"Content-Transfer-Encoding: x-uuencode")]),
        "uuencode-without-mime": CRLF.join(TOP[:4]) + CRLF + CRLF + b"Hello\r\n" + uu(p),
        "yenc-inline": multipart([part(b"See below.\r\n" + yenc(p), b"Content-Type: text/plain")]),
        "yenc-declared": multipart([part(yenc(p), OCTETS, b"Content-Transfer-Encoding: x-yenc")]),
        "tnef": multipart([part(b64(tnef(p)), b"Content-Type: application/ms-tnef; name=winmail.dat", BASE64)]),
        "utf16-message": b"\xff\xfe" + wide.encode("utf-16-le"),
        "utf16-message-be-no-mark": wide.encode("utf-16-be"),
        "utf32-message": b"\xff\xfe\0\0" + wide.encode("utf-32-le"),
        "utf16-part": multipart([part(b64(p.decode("ascii").encode("utf-16-le")), b"Content-Type: text/plain; charset=utf-16le", BASE64)]),
        "nul-in-header": multipart([part(e, b"Content-Type: application/octet-stream", b"Content-Transfer-Encod\0ing: base64")]),
        "header-in-pieces": multipart([part(e, OCTETS, b"Content-Transfer-Encoding:\r\n base64")]),
        "after-preamble": message([mixed], b"words before\r\n\r\n--b1\r\n" + plain + b"\r\n--b1--\r\n"),
        "type-in-quotes": multipart([TEXT, plain], content_type=b'Content-Type: "multipart/mixed"; boundary=b1'),
        "type-without-subtype": multipart([TEXT, plain], content_type=b"Content-Type: multipart; boundary=b1"),
        "type-is-text-with-boundary": multipart([TEXT, plain], content_type=b"Content-Type: text/plain; boundary=b1"),
        "type-misspelt": multipart([TEXT, plain], content_type=b"Content-Type: mulitpart/mixed; boundary=b1"),
        "five-levels": five_levels(plain),
        **_odd_boundaries(part(junk(p), OCTETS, BASE64)),
        **_cut_boundaries(p),
        **_coded_boundaries(p),
        **_types_in_words(p),
        **_odd_encodings(p),
        "type-in-the-middle": message([OCTETS, mixed, OCTETS], b"--b1\r\n" + part(junk(p), OCTETS, BASE64) + b"\r\n--b1--\r\n"),
        "encoding-in-the-middle": multipart([part(junk(p), OCTETS, b"Content-Transfer-Encoding: 7bit", BASE64, b"Content-Transfer-Encoding: 7bit")]),
        "mailbox-line-begins-the-body": multipart([OCTETS + CRLF + BASE64 + CRLF + b"From !!!!\r\n\r\n" + junk(p)]),
        "form-feed-before-a-header": multipart([part(junk(p), OCTETS, b"\f" + BASE64)]),
        "status-report-of-three-blocks": multipart([part(b"A: b\r\n\r\nC: d\r\n\r\n" + BASE64 + b"\r\n!" + junk(p), b"Content-Type: message/delivery-status")]),
        "status-report-with-an-empty-block": multipart([part(b"A: b\r\n\r\n\r\n" + p, b"Content-Type: message/delivery-status")]),
        "status-report-with-words": multipart([part(b"A: b\r\n\r\nC: d\r\n" + p, b"Content-Type: message/delivery-status")]),
        "header-folded-before-its-colon": multipart([part(junk(p), OCTETS, b"Content-Transfer-Encoding\r\n : base64")]),
        "type-folded-before-its-colon": message([mixed.replace(b":", b"\r\n\t:")], b"--b1\r\n" + p + b"\r\n--b1--\r\n"),
        "calendar-folded-in-a-name": multipart([part(b"BEGIN:VCALENDAR\r\nATT\r\n ACH;ENCODING=BASE64;VALUE=BINARY:" + text + b"\r\nEND:VCALENDAR", b"Content-Type: text/calendar")]),
        "calendar-folded-in-a-parameter": multipart([part(b"BEGIN:VCALENDAR\r\nATTACH;VALUE=BINARY;ENC\r\n ODING=BASE64:" + text + b"\r\nEND:VCALENDAR", b"Content-Type: text/calendar")]),
        "calendar-encoding-in-quotes": multipart([part(b'BEGIN:VCALENDAR\r\nATTACH;ENCODING="BASE64";VALUE=BINARY:' + text + b"\r\nEND:VCALENDAR", b"Content-Type: text/calendar")]),
        "named-eml-and-a-dot": multipart([part(b64(b"junk\r\n" + hidden), OCTETS + b'; name="x.eml."', BASE64)]),
        "named-eml-and-a-no-break-space": multipart([part(b64(b"junk\r\n" + hidden), OCTETS + b'; name="x.eml\xc2\xa0"', BASE64)]),
        "qp-soft-break-no-break-space": multipart([part(b"".join(b"=%02X" % c for c in p[:third]) + b"=\xa0\r\n" + b"".join(b"=%02X" % c for c in p[third:]), OCTETS,
                                                        b"Content-Transfer-Encoding: quoted-printable")]),
        "nul-in-an-encoded-mail": multipart([part(b64(multipart([part(junk(p), OCTETS, BASE64)]).replace(b"boundary", b"bou\0ndary")),
                                                  b"Content-Type: message/rfc822", BASE64)]),
        "boundary-empty": message([b'Content-Type: multipart/mixed; boundary=""'], b"--\r\n" + hidden + b"\r\n----\r\n"),
        "boundary-empty-unquoted": message([b"Content-Type: multipart/mixed; boundary="], b"--\r\n" + hidden + b"\r\n----\r\n"),
        "boundary-word": multipart([hidden], content_type=b'Content-Type: multipart/mixed; boundary="=?us-ascii?Q?b1?="'),
        "boundary-segment-gap": multipart([hidden], content_type=b"Content-Type: multipart/mixed; boundary*5=b1"),
        "boundary-comment-before": multipart([hidden], content_type=b"Content-Type: multipart/mixed; boundary=(c)b1"),
        "boundary-comment-behind": multipart([hidden], content_type=b"Content-Type: multipart/mixed; boundary=b1(c)"),
        "boundary-name-comment": multipart([hidden], content_type=b"Content-Type: multipart/mixed; (c)boundary=b1"),
        "boundary-folded": multipart([hidden], b"b 1", b'Content-Type: multipart/mixed; boundary="b\r\n 1"'),
        "boundary-folded-at-end": multipart([hidden], content_type=b'Content-Type: multipart/mixed; boundary="b1\r\n "'),
        "boundary-up-to-special": multipart([hidden], content_type=b"Content-Type: multipart/mixed; boundary=b1/x"),
        "boundary-up-to-quote": multipart([hidden], content_type=b'Content-Type: multipart/mixed; boundary=b1"x"'),
        "boundary-behind-odd-quote": multipart([hidden], content_type=b'Content-Type: multipart/mixed; x=a"; boundary=b1'),
        "boundary-charset": multipart([hidden], b"b\xc3\xa9", b"Content-Type: multipart/mixed; boundary*=iso-8859-1''b%E9"),
        "boundary-of-others-among-parts": message([b"Content-Type: multipart/mixed; boundary=b1(c)"], b"--b1(c)\r\n" + TEXT + b"\r\n--b1\r\n" + hidden + b"\r\n--b1--\r\n--b1(c)--\r\n"),
        "named-eml": multipart([part(b64(b"junk\r\n" + hidden), OCTETS + b"; name=x.eml", BASE64)]),
        "applesingle": multipart([part(b64(containers.applesingle(p)), b"Content-Type: application/applefile; name=test.com", BASE64)]),
        "applesingle-of-another-type": multipart([part(b64(containers.applesingle(p)), OCTETS, BASE64)]),
        "appledouble": multipart([part(b64(containers.applesingle(p, double=True)), b"Content-Type: application/applefile", BASE64), TEXT],
                                 content_type=b"Content-Type: multipart/appledouble; boundary=b1"),
        **_behind_empty_lines(hidden),
        **_odd_files(p),
        "named-eml-without-disposition": multipart([part(b64(b"junk\r\n" + hidden), OCTETS, b"Content-Disposition: filename=x.eml", BASE64)]),
        "named-eml-behind-disposition": multipart([part(b64(b"junk\r\n" + hidden), OCTETS, b"Content-Disposition: attachment filename=x.eml", BASE64)]),
        "named-eml-without-type": multipart([part(b64(b"junk\r\n" + hidden), b"Content-Type: name=x.eml", BASE64)]),
        "begin-base64": multipart([part(b"See below.\r\n\r\nbegin-base64 644 test.com\r\n" + e + b"====\r\n", b"Content-Type: text/plain")]),
        **_odd_charsets(p),
        "signed-by-smime": message([b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", BASE64], b64(cms(hidden))),
        "signed-by-smime-in-pieces": multipart([part(b64(cms(hidden, 50)), OCTETS + b"; name=smime.p7m", BASE64)]),
    }


def junk(data):
    """Base64 with a character in each line that decoders pass over, and that no line of base64 has for who looks for such lines."""
    return b"".join(b"!" + line + CRLF for line in b64(data).split(CRLF)[:-1])


def _odd_files(payload):
    """Files in texts, written as no program writes them; some decoder takes each, or nobody does and it costs nothing."""
    usual, declared = uu(payload), b"Content-Transfer-Encoding: x-uuencode"
    rows = usual.split(CRLF)
    lengths = CRLF.join([rows[0], *(bytes([row[0] + 64]) + row[1:] for row in rows[1:-3]), *rows[-3:]])  # decoders take six bits
    files = {
        "lengths-of-seven-bits": lengths,
        "indented": b"  " + CRLF.join(rows).replace(CRLF, b"\r\n  "),
        "in-capitals": usual.replace(b"begin", b"BEGIN").replace(b"\r\nend", b"\r\nEND"),
        "of-mode-0o644": usual.replace(b" 644 ", b" 0o644 "),
        "of-mode-6_44": usual.replace(b" 644 ", b" 6_44 "),
        "of-mode-999": usual.replace(b" 644 ", b" 999 "),
        "without-end": usual.replace(b"`\r\nend\r\n", b""),
        "with-checksums": CRLF.join([rows[0], *(row + b"X" for row in rows[1:-3]), *rows[-3:]]),
    }
    made = {}
    for name, octets in files.items():
        made[f"uuencode-{name}"] = multipart([part(b"See below.\r\n" + octets, b"Content-Type: text/plain")])
        made[f"uuencode-{name}-declared"] = multipart([part(octets, OCTETS, declared)])
    usual = yenc(payload)
    made["yenc-indented"] = multipart([part(b"  " + usual.replace(CRLF, b"\r\n  "), b"Content-Type: text/plain")])
    made["yenc-in-capitals"] = multipart([part(usual.replace(b"ybegin", b"YBEGIN").replace(b"yend", b"YEND").replace(b"name=", b"NAME="), b"Content-Type: text/plain")])
    return made


def in_utf7(payload, mark=b"+"):
    return mark + base64.b64encode(payload.decode("ascii").encode("utf-16-be")).rstrip(b"=").replace(b"/", b"," if mark == b"&" else b"/") + b"-"


def charsets(payload):
    """{name: (charset, octets)}: texts whose ASCII does not stand in their octets."""
    ascii_set, third = b"\x1b(B", len(payload) // 3
    split = payload[:5] + ascii_set + payload[5:third] + ascii_set + payload[third:]
    return {
        "utf-7": (b"utf-7", in_utf7(payload)),
        "unicode-1-1-utf-7": (b"unicode-1-1-utf-7", in_utf7(payload)),
        "utf-7-imap": (b"utf-7-imap", in_utf7(payload, b"&")),
        "hz": (b"hz", payload[:5] + b"~{~}" + payload[5:]),
        "iso-2022-jp": (b"iso-2022-jp", split),
        "iso-2022-jp-3": (b"iso-2022-jp-3", split),
        "iso-2022-kr": (b"iso-2022-kr", b"\x1b$)C" + payload[:5] + b"\x0e\x0f" + payload[5:]),
        # some readers leave out what is no character, and these are none
        "utf-8": (b"utf-8", payload[:5] + b"\xff" + payload[5:third] + b"\xe2\x82" + payload[third:]),
        "us-ascii": (b"us-ascii", payload[:5] + b"\xe9" + payload[5:]),
        "windows-1252": (b"windows-1252", payload[:5] + b"\x81" + payload[5:]),
        "utf-8-sig": (b"utf-8-sig", b"\xef\xbb\xbf" + payload),
        "unicode-escape": (b"unicode_escape", b"".join(b"\\x%02x" % octet for octet in payload)),
        "utf-16-of-another-order": (b"utf-16be", ("\u4100" * 300 + payload.decode("ascii")).encode("utf-16-be")),
        **{name: (name.encode(), payload.decode("ascii").encode(name)) for name in ("cp037", "cp500", "cp875", "cp1026", "cp1140", "cp273")},
    }


# How the parameter may be written so that some reader takes it for that charset.
NAMED = {
    "behind-apostrophes": b"charset=us-ascii''%s",
    "with-a-language": b"charset=%s*en",
    "before-a-comment": b"charset=%s(c)",
    "behind-a-comment": b"charset=(c)%s",
    "after-a-comment": b"(c)charset=%s",
    "before-a-comma": b"charset=%s,x",
    "before-words": b'charset="%s"x',
    "with-a-control": b"charset\x0b=%s",
    "with-a-blank": b"charset *=us-ascii''%s",
    "in-a-segment": b"charset*0=%s",
    "in-a-segment-with-a-language": b"charset*0=%s*en",
    "in-an-extended-segment": b"charset*0*=us-ascii''%s",
    "between-signs": b'charset="--- %s ---"',
    "in-a-word": b'charset="=?utf-8?q?%s?="',
}


def in_words(text, charset="us-ascii"):
    """As one encoded word."""
    return b"=?" + charset.encode() + b"?b?" + base64.b64encode(text.decode("ascii").encode(charset)) + b"?="


def percent(text, charset):
    """As RFC 2231 writes it in this charset."""
    return charset.encode() + b"''" + b"".join(b"%%%02X" % octet for octet in text.decode("ascii").encode(charset))


def _odd_charset_names(payload):
    made = {"charset-named-" + name: b"text/plain; " + form % b"utf-7" for name, form in NAMED.items()}
    made["charset-named-with-many-signs"] = b'text/plain; charset="utf' + b"-" * 60 + b'7"'
    made["charset-named-in-another"] = b"text/plain; charset*=" + percent(b"utf-7", "cp037")
    made["charset-named-in-a-word-of-another"] = b'text/plain; charset="' + in_words(b"utf-7", "utf-16-le") + b'"'
    made["charset-in-a-type-of-one-word"] = in_words(b"text/plain; charset=utf-7")
    return {name: multipart([TEXT, part(b64(in_utf7(payload)), b"Content-Type: " + value, BASE64)]) for name, value in made.items()}


def _odd_charsets(payload):
    made = _odd_charset_names(payload)
    for name, (charset, octets) in charsets(payload).items():
        if name == "utf-16-of-another-order":  # the payload begins no file
            continue
        text = part(b64(octets), b"Content-Type: text/plain; charset=" + charset, BASE64)
        made["charset-" + name] = multipart([TEXT, text])
        made["charset-" + name + "-in-a-mail"] = multipart([part(b64(message([text[:text.index(CRLF)], BASE64], b64(octets))), b"Content-Type: message/rfc822", BASE64)])
    return made


def _behind_empty_lines(entity):
    """Messages whose headers begin behind empty lines, which many mail programs pass over."""
    rfc822 = b"Content-Type: message/rfc822"
    made = {}
    for name, lines in {"one": b"\r\n", "two": b"\r\n\r\n", "mixed": b"\n\r\n\r", "blanks": b" \t\r\n\r\n"}.items():
        inner = lines + CRLF.join(TOP) + CRLF + entity
        made[f"nested-message-behind-empty-lines-{name}"] = multipart([part(inner, rfc822)])
        made[f"nested-message-behind-empty-lines-{name}-base64"] = multipart([part(b64(inner), rfc822, BASE64)])
        made[f"nested-message-behind-empty-lines-{name}-qp"] = multipart([part(escaped(inner), rfc822, b"Content-Transfer-Encoding: quoted-printable")])
        made[f"attached-eml-behind-empty-lines-{name}"] = multipart([part(b64(lines + b"junk\r\n" + entity), OCTETS + b"; name=x.eml", BASE64)])
    return made


def _odd_boundaries(inner):
    """A multipart whose boundary no two readers give the same."""
    forms = {
        "in-brackets-and-quotes": b'multipart/mixed; boundary="<b1>"',
        "in-quotes-twice": b'multipart/mixed; boundary="\\"b1\\""',
        "with-quotes-inside": b'multipart/mixed; boundary=b"1"',
        "before-a-comment": b"multipart/mixed; boundary=b1(c)",
        "behind-a-comment": b"multipart/mixed; boundary=(c)b1",
        "parameter-behind-a-comment": b"multipart/mixed; (c) boundary=b1",
        "in-utf-7": b"multipart/mixed; boundary*=utf-7''+AGI-1",
        "in-utf-16": b"multipart/mixed; boundary*=utf-16le''b%001%00",
        "of-two-first-segments": b"multipart/mixed; boundary*0=x; boundary*0=b; boundary*1=1",
        "of-late-segments": b"multipart/mixed; boundary*5=1; boundary*3=b",
        "behind-an-escaped-quote": b'multipart/mixed; name=a\\"; boundary=b1',
        "behind-a-quote-in-a-token": b'multipart/mixed; name=a"b; boundary=b1',
        "behind-a-quote-at-the-type": b'multipart/mixed\\"; name="a;b"; boundary="b1"',
        "as-an-encoded-word": b'multipart/mixed; boundary="=?utf-8?q?=621?="',
        "in-an-encoded-type": b"=?utf-8?b?" + base64.b64encode(b"multipart/mixed; boundary=b1") + b"?=",
        "in-the-middle-of-three": b"multipart/mixed; boundary=x; boundary=b1; boundary=x",
        "missing": b"multipart/mixed",
        "another": b"multipart/mixed; boundary=b2",
    }
    made = {"boundary-" + name: multipart([TEXT, inner], b"b1", b"Content-Type: " + form) for name, form in forms.items()}
    made["boundary-empty"] = multipart([TEXT, inner], b"", b'Content-Type: multipart/mixed; boundary=""')
    made["boundary-blank"] = multipart([TEXT, inner], b"", b'Content-Type: multipart/mixed; boundary=" "')
    made["boundary-missing-lines-of-dashes-inside"] = multipart([TEXT, inner.replace(b"\r\n!", b"\r\n--!!\r\n!")], b"b1", b"Content-Type: multipart/mixed")
    return made


# What a Content-Type says of a boundary, as it begins with "b1" for readers that take no more than a token of it, end it at blanks of any kind, or decode all there is.
CUT = {
    "at-a-colon": b"boundary=%s:y",
    "at-an-equals-sign": b"boundary=%s=_Part_1",
    "at-a-comma": b"boundary=%s,y",
    "at-a-slash": b"boundary=%s/y",
    "at-a-question-mark": b"boundary=%s?y",
    "at-an-at-sign": b"boundary=%s@y",
    "at-a-bracket": b"boundary=%s[y]",
    "at-an-angle-bracket": b"boundary=%s<y",
    "at-a-backslash": b"boundary=%s\\y",
    "at-a-star": b"boundary=%s*y",
    "at-a-quote": b'boundary=%s"y"',
    "behind-a-comment": b"boundary=(c)%s:y",
    "at-a-control": b"boundary=%s\x1f",
    "at-a-control-in-quotes": b'boundary="%s\x0b"',
    "at-a-no-break-space": b"boundary=%s\xc2\xa0",
    "at-a-missing-segment": b"boundary*0=%s; boundary*2=c",
    "beside-another-form": b"boundary*=q; boundary*0=%s",
    "in-a-late-segment": b"boundary*1=<%s>",
    "in-a-segment": b"boundary*0=%s,y",
    "in-an-extended-segment": b"boundary*0*=us-ascii''%s:y",
    "behind-apostrophes": b"boundary=us-ascii''%s",
}


def _cut_boundaries(payload):
    """Parts without headers, whose content follows a delimiter that is what some readers leave of the boundary."""
    def body(boundary):
        return b"--" + boundary + CRLF + payload + b"\r\n--" + boundary + b"--\r\n"
    made = {"boundary-cut-" + name: message([b"Content-Type: multipart/mixed; " + form % b"b1"], body(b"b1")) for name, form in CUT.items()}
    made["boundary-cut-dashes"] = message([b"Content-Type: multipart/mixed; boundary=----=_Part_1"], body(b"----"))
    made["boundary-cut-beside-the-whole-one"] = message([b"Content-Type: multipart/mixed; boundary=b1:y"], b"--b1:y\r\n" + TEXT + CRLF + body(b"b1") + b"--b1:y--\r\n")
    made["boundary-cut-inside-another"] = message([b"Content-Type: multipart/mixed; boundary=a:y"],
                                                  b"--a:y\r\nContent-Type: multipart/mixed; boundary=<b1>\r\n\r\n" + body(b"b1") + b"\r\n--a:y--\r\n--a\r\nwords\r\n--a--\r\n")
    words = b"multipart/mixed; boundary=b1"
    made["boundary-in-a-type-of-one-word-q"] = message([b"Content-Type: =?us-ascii?q?" + words.replace(b"=", b"=3D").replace(b" ", b"_") + b"?="], body(b"b1"))
    made["boundary-in-a-type-of-one-word-b"] = message([b"Content-Type: =?us-ascii?b?" + base64.b64encode(words) + b"?="], body(b"b1"))
    return made


# "b1" as a boundary in charsets that few readers know: (name, its octets).
CODED = {
    "utf-7": (b"utf-7", b"+AGI-1"),
    "utf-16-le": (b"utf-16-le", "b1".encode("utf-16-le")),
    "cp037": (b"cp037", "b1".encode("cp037")),
    "hz": (b"hz", b"b~{~}1"),
    "iso-2022-jp": (b"iso-2022-jp", b"b\x1b(B1"),
    "unicode-escape": (b"unicode_escape", b"\\x621"),
    "utf-8-sig": (b"utf-8-sig", b"\xef\xbb\xbfb1"),
}
# Names of the parameter that some readers take for it.
PARAMETER = {"with-a-blank": b"boundary *=us-ascii''%s", "in-a-late-segment": b"boundary*99999999999=%s", "with-a-word": b"boundary*foo=%s", "in-quotes": b'"boundary"=%s',
             "with-a-comment-inside": b"boun(c)dary=%s", "in-a-negative-segment": b"boundary*-1=%s"}


def coded(charset, octets):
    """The parameter in the forms that Python reads with such a charset."""
    escapes = b"".join(b"%%%02X" % octet for octet in octets)
    return [b"boundary*=" + charset + b"''" + escapes, b"boundary*0*=" + charset + b"''" + escapes, b'boundary="=?' + charset + b"?b?" + base64.b64encode(octets) + b'?="']


def _coded_boundaries(payload):
    """Parts without headers behind boundaries that are encoded, with and without another for other readers."""
    made, parts = {}, b"--b1\r\n" + payload + b"\r\n--b1--\r\n"
    decoy = b"--decoy\r\n" + TEXT + b"\r\n--decoy--\r\n"
    for name, of in CODED.items():
        for kind, parameter in zip(("extended", "segment", "word"), coded(*of), strict=True):
            made[f"boundary-in-{name}-{kind}"] = message([b"Content-Type: multipart/mixed; " + parameter], parts)
            made[f"boundary-in-{name}-{kind}-beside-another"] = message([b"Content-Type: multipart/mixed; " + parameter + b"; boundary=decoy"], decoy + parts)
    for name, parameter in PARAMETER.items():
        made["boundary-named-" + name] = message([b"Content-Type: multipart/mixed; " + parameter % b"b1"], parts)
    return made


def _types_in_words(payload):
    """Messages, and what has messages, that are called so in encoded words alone."""
    made, inner = {}, b"Subject: x\r\n\r\n" + payload + CRLF
    for charset in ("us-ascii", "utf-16", "cp037"):
        def of(text, charset=charset):
            return b"Content-Type: " + in_words(text, charset)
        made["message-in-words-of-" + charset] = multipart([part(inner, of(b"message/rfc822"))])
        made["mail-in-words-of-" + charset] = message([of(b"message/rfc822")], inner)
        made["status-report-in-words-of-" + charset] = multipart([part(b"A: b\r\n\r\nC: d\r\n\r\n\r\n" + payload, of(b"message/delivery-status"))])
        made["digest-in-words-of-" + charset] = message([of(b"multipart/digest; boundary=b1")], b"--b1\r\n\r\n" + inner + b"\r\n--b1--\r\n")
        made["digest-half-in-words-of-" + charset] = message([of(b"multipart/digest") + b"; boundary=b1"], b"--b1\r\n\r\n" + inner + b"\r\n--b1--\r\n")
        made["multipart-in-words-of-" + charset] = message([of(b"multipart/mixed; boundary=b1")], b"--b1\r\n" + payload + b"\r\n--b1--\r\n")
    for name, kind in {"word": b"x", "comment": b"(c)"}.items():
        made["digest-of-no-type-but-a-" + name] = message([b"Content-Type: multipart/digest; boundary=b1"],
                                                          b"--b1\r\nContent-Type: " + kind + b"\r\n\r\n" + inner + b"\r\n--b1--\r\n")
    return made


def _odd_encodings(payload):
    """base64 under a name that only some readers take for it."""
    words = {
        "comment-inside": b"b(c)ase64",
        "long-comment": b"(" + b"c" * 1100 + b") base64",
        "underscore": b"_base64",
        "begin-of-a-word": b"base64abc",
        "encoded-word": b"=?utf-8?q?b=61se64?=",
        "folded": b"base\r\n 64",
        "unknown": b"x-unheard-of",
    }
    return {"encoding-named-with-" + name: multipart([TEXT, part(junk(payload), OCTETS, b"Content-Transfer-Encoding: " + word)]) for name, word in words.items()}


def five_levels(inner):
    for level in range(5):
        name = b"level%d" % level
        inner = part(b"--" + name + CRLF + inner + CRLF + b"--" + name + b"--" + CRLF, b"Content-Type: multipart/mixed; boundary=" + name)
    return message([inner[:inner.index(CRLF)]], inner[inner.index(CRLF) + 4:])


class Mutator:
    """Mails by chance: a structure that is drawn, then one to five faults in it."""

    def __init__(self, rng, payload):
        self.rng, self.payload = rng, payload

    def mail(self):
        rng = self.rng
        self.number = 0
        headers, body = self.entity(rng.choice([1, 1, 2, 2, 3, 4]), True)
        octets = CRLF.join(TOP + headers) + self.gap() + body
        for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3, 5])):
            octets = rng.choice(MUTATIONS)(rng, octets)
        return octets

    def gap(self):
        return self.rng.choices([CRLF + CRLF, CRLF + b" " + CRLF, CRLF, CRLF + b"<" + CRLF, b"\n\r", CRLF + CRLF + CRLF, CRLF + b"x y" + CRLF + CRLF, b"\n\n"],
                                [60, 2, 2, 2, 2, 2, 2, 2])[0]

    def entity(self, depth, holds):
        """(header lines, body) of an entity; HOLDS: the payload is inside."""
        rng = self.rng
        if depth > 0 and rng.random() < 0.85:
            if rng.random() < 0.2:
                return self.wrapped(depth, holds)
            return self.multipart(depth, holds)
        return self.leaf(holds)

    def multipart(self, depth, holds):
        rng = self.rng
        self.number += 1
        boundary = rng.choice([b"b%d" % self.number, b"b", b"b1", b"=_x%d" % self.number, b"b%d x" % self.number, b"B" * rng.choice([70, 300]), b"bb" * self.number])
        count = rng.choice([1, 1, 2, 2, 3])
        chosen = rng.randrange(count)
        body = rng.choice([b"", b"", b"words before\r\n", b"--\r\n", b"--" + boundary + b"x\r\n"])
        for index in range(count):
            body += b"--" + boundary + CRLF
            if rng.random() < 0.1:  # what some take for a part: no header, no empty line
                body += (self.payload if holds and index == chosen else b"Nothing but words.") + CRLF
                continue
            headers, inner = self.entity(depth - 1, holds and index == chosen)
            body += CRLF.join(headers) + self.gap() + inner + CRLF
        body += rng.choices([b"--" + boundary + b"--\r\n", b"", b"--" + boundary + b"--junk\r\n", b"--" + boundary + b"\r\n"], [20, 3, 1, 1])[0]
        body += rng.choices([b"", b"words after\r\n", b"--" + boundary + CRLF + CRLF.join(self.leaf(holds)[0]) + CRLF + CRLF + b"late\r\n"], [10, 2, 1])[0]
        return self.type_lines(boundary), body

    def type_lines(self, boundary):
        rng = self.rng
        kind = rng.choices([b"multipart/mixed", b"multipart/related", b"multipart/digest", b"Multipart/Alternative", b"multipart/mixed, application/octet-stream",
                            b"multipart", b"multipart/", b"text/plain"], [20, 4, 1, 4, 1, 1, 1, 1])[0]
        quoted = b'"' + boundary + b'"'
        token = rng.choices([quoted, boundary, b"<" + boundary + b">", quoted + b" x", b'"' + boundary, quoted + b";boundary=other", b"other; boundary=" + quoted,
                             b"(c)" + boundary, boundary + b"(c)", boundary + b"/x", boundary + b'"x"', b'"=?us-ascii?Q?' + boundary + b'?="', b'"' + boundary[:1] + b"\r\n" + boundary[1:] + b'"'],
                            [20, 4, 1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1])[0]
        parameter = rng.choices([b"boundary=" + token, b"BOUNDARY=" + token, b"boundary = " + token, b"boundary*=us-ascii''" + boundary.replace(b" ", b"%20"),
                                 b"boundary*0=" + boundary[:1] + b'; boundary*1="' + boundary[1:] + b'"'], [20, 3, 2, 1, 1])[0]
        if rng.random() < 0.1:
            parameter = rng.choice(list(CUT.values())) % boundary
        line = b"Content-Type: " + kind + rng.choice([b"; ", b";", b";\r\n\t", b" ; "]) + parameter
        if rng.random() < 0.03:
            charset, octets = rng.choice(list(CODED.values()))
            parameter = rng.choice([rng.choice(list(PARAMETER.values())) % boundary, rng.choice(coded(charset, octets)) if boundary == b"b1" else b"boundary*=" + percent(boundary, "cp037")])
            line = b"Content-Type: " + kind + b"; " + parameter + rng.choice([b"", b"; boundary=b"])
        elif rng.random() < 0.02:
            line = b"Content-Type: " + in_words(kind + b"; boundary=" + token, rng.choice(["us-ascii", "utf-16", "cp037"]))
        extra = rng.choices([None, OCTETS, b"Content-Type: text/plain", b"Content-Transfer-Encoding: base64", b"Content-Type: multipart/mixed; boundary=other"],
                            [30, 1, 1, 1, 1])[0]
        lines = [line] + ([extra] if extra else [])
        rng.shuffle(lines)
        return lines

    def wrapped(self, depth, holds):
        """A message within the message."""
        rng = self.rng
        headers, body = self.entity(depth - 1, holds)
        inner = CRLF.join(rng.choice([TOP, TOP[:1], []]) + headers) + self.gap() + body
        kind = rng.choices([b"message/rfc822", b"message/global", b"message/x-other", b"application/octet-stream; name=x.eml"], [10, 1, 1, 2])[0]
        if rng.random() < 0.1:
            kind = in_words(kind, rng.choice(["us-ascii", "utf-16", "cp037"]))
        lines, how = [b"Content-Type: " + kind], rng.random()
        if how < 0.2:
            return lines + [BASE64], b64(inner)
        if how < 0.3:
            return lines + [b"Content-Transfer-Encoding: quoted-printable"], qp(inner)
        if how < 0.35:
            return lines + [BASE64], inner
        return lines, inner

    def leaf(self, holds):
        rng = self.rng
        if not holds:
            return [b"Content-Type: text/plain"], rng.choice([b"Nothing but words.", b"", b"--", b"A: b\r\n\r\nc"])
        p = self.payload
        encoding, text = rng.choices([(b"base64", b64(p, rng.choice([76, 76, 60, 4, 5, 200]))), (b"BASE64", b64(p)), (b"quoted-printable", qp(p)),
                                      (b"quoted-printable", self.odd_qp(p)), (b"base64", self.odd_base64(p)), (b"7bit", p), (b"x-uuencode", uu(p)),
                                      (rng.choice([b"x-uuencode", b"uuencode", b"X-UUE", b"uue", b"=?us-ascii?q?x-uuencode?="]), self.odd_uu(p))],
                                     [8, 1, 3, 4, 4, 1, 1, 2])[0]
        if rng.random() < 0.1:
            charset, octets = rng.choice(list(charsets(p).values()))
            named = b"charset=" + rng.choice([charset, charset.upper(), b'"' + charset + b'"', charset + b"; charset=utf-8"])
            if rng.random() < 0.3:
                named = rng.choice(list(NAMED.values())) % charset
            lines = [b"Content-Type: text/" + rng.choice([b"plain", b"html"]) + rng.choice([b"; ", b";", b" ; "]) + named, BASE64]
            rng.shuffle(lines)
            return lines, b64(octets)
        lines = [rng.choice([OCTETS, OCTETS + b'; name="test.com"', b"Content-Type: text/plain", b"Content-Type: image/png"]),
                 b"Content-Transfer-Encoding: " + encoding]
        extra = rng.choices([None, b"Content-Transfer-Encoding: 7bit", b"Content-Type: text/html", b"X-Other: 1", b"Content-Disposition: attachment; filename=a.txt"],
                            [10, 1, 1, 1, 2])[0]
        lines += [extra] if extra else []
        rng.shuffle(lines)
        return lines, text

    def odd_qp(self, p):
        out = bytearray()
        for octet in p:
            draw = self.rng.random()
            if draw < 0.08:
                out += self.rng.choice([b"=\r\n", b"=\n", b"= \r\n", b"=\t\r\n", b"=\r\r\n", b"=\rx\n"])
            out += b"=%02X" % octet if draw > 0.8 or octet == 61 else b"=%02x" % octet if draw > 0.7 else bytes([octet])
        return bytes(out)

    def odd_uu(self, p):
        """What Python decodes, and not everybody: strange modes, decoys in front, lengths that are no length, anything behind the data."""
        rng = self.rng
        most, tail, bits = rng.choice([45, 30, 20, 3]), rng.choice([b"", b"", b"XX", b"XXXXXXX", b"xyz", b" "]), rng.choice([0, 0, 64, 128])
        lines = [rng.choice([b"begin 644 decoy", b"BEGIN HERE", b"begin 8x a", b"begin", b"Begin 644 x", b" begin 644 x", b"words", b"Words and more.", b""])
                 for _ in range(rng.choice([0, 0, 1, 2]))]
        if lines and rng.random() < 0.3:
            lines.append(b"end")
        mode = rng.choice([b"644", b"7", b"0o644", b"6_4_4", b"-644", b"+644", b"0", b"0" * 12 + b"644", b"\t644"])
        lines.append(b"begin " + mode + rng.choice([b" a.bin", b" ", b"", b" a b.bin", b"  a.bin"]))
        for i in range(0, len(p), most):
            line = binascii.b2a_uu(p[i:i + most]).rstrip(b"\n")
            lines.append(bytes([line[0] + bits]) + line[1:] + tail)
        lines.append(rng.choice([b"`", b" "]))
        lines += rng.choice([[b"end"], [b" end"], [b"end "], [b"words", b"end"], []])
        return rng.choice([CRLF, CRLF, b"\n", b"\r"]).join(lines) + CRLF

    def odd_base64(self, p):
        rng = self.rng
        kind = rng.randrange(4)
        if kind == 0: # several padded streams
            cut = rng.randrange(1, len(p))
            return base64.b64encode(p[:cut]) + rng.choice([b"", CRLF]) + base64.b64encode(p[cut:]) + CRLF
        text = bytearray(base64.b64encode(p))
        for _ in range(rng.randrange(1, 4)):
            text[(at := rng.randrange(len(text))):at] = {1: b"=", 2: rng.choice([b"*", b"-", b"\0", b"\x80", b".", b" "]), 3: rng.choice([b"\r", b"\n", b"\r\n\r\n"])}[kind]
        return bytes(text) + CRLF


def line_starts(octets):
    return [0] + [i + 1 for i, c in enumerate(octets) if c == 10 and i + 1 < len(octets)]


def insert_line(rng, octets):
    at = rng.choice(line_starts(octets))
    line = rng.choice([b"", b" ", b"junk", b"<", b" Content-Type: text/plain", BASE64, b"Content-Transfer-Encoding: quoted-printable", OCTETS, b"--b1", b"--b", b"--b1--", b"--b2",
                       b"X: y", b"X : y", b": y", b"From x", b"=", b"--", b"\t" + BASE64, b"Content-Type: multipart/mixed; boundary=b1"])
    return octets[:at] + line + rng.choice([CRLF, CRLF, b"\n", b"\r"]) + octets[at:]


def drop_line(rng, octets):
    lines = octets.splitlines(keepends=True)
    if len(lines) > 1:
        del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def double_line(rng, octets):
    lines = octets.splitlines(keepends=True)
    if lines:
        lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return b"".join(lines)


def change_line_end(rng, octets):
    at = rng.choice(line_starts(octets))
    if at < 2:
        return octets
    return octets[:at].removesuffix(b"\n").removesuffix(b"\r") + rng.choice([b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n "]) + octets[at:]


def all_line_ends(rng, octets):
    return octets.replace(CRLF, rng.choice([b"\n", b"\n", b"\r"]))


def indent_line(rng, octets):
    at = rng.choice(line_starts(octets))
    return octets[:at] + rng.choice([b" ", b"\t", b"\x0b", b"."]) + octets[at:]


def extend_delimiter(rng, octets):
    places = [at for at in line_starts(octets) if octets[at:at + 2] == b"--"]
    if not places:
        return octets
    end = octets.find(b"\n", rng.choice(places))
    end = len(octets) if end < 0 else end - (octets[end - 1:end] == b"\r")
    return octets[:end] + rng.choice([b" ", b"x", b"--", b"-", b" junk", b"\t"]) + octets[end:]


def cut_short(rng, octets):
    return octets[:rng.randrange(len(octets) * 3 // 4, len(octets) + 1)]


def insert_octet(rng, octets):
    at = rng.randrange(len(octets) + 1)
    return octets[:at] + rng.choice([b"\0", b" ", b"\r", b"\n", b"\x80", b"=", b"-", b";", b":", b'"']) + octets[at:]


MUTATIONS = [insert_line, insert_line, drop_line, double_line, change_line_end, change_line_end, all_line_ends, indent_line, extend_delimiter, extend_delimiter, cut_short,
             insert_octet]


def mails(seed, count, payload):
    """COUNT mails, the same for the same SEED."""
    for number in range(count):
        yield Mutator(random.Random(f"{seed}/{number}"), payload).mail()


def batches(seed, count, payload, size):
    """The same in lists of at most SIZE."""
    drawn = mails(seed, count, payload)
    while batch := list(itertools.islice(drawn, size)):
        yield batch


def _as_text(octets, charset):
    """As EmailMessage.get_content makes text of it, in UTF-8."""
    try:
        return octets.decode(charset, errors="replace").encode("utf-8", errors="replace")
    except (LookupError, UnicodeError, ValueError):  # a charset that it does not know
        return b""


def read_by_python(octets, policy):
    """All that Python's parser extracts with this policy. Where it fails on a mail, it extracts nothing."""
    found = []
    try:
        for one in email.message_from_bytes(octets, policy=policy).walk():
            if one.is_multipart():
                continue
            content = one.get_payload(decode=True)
            if content is None:
                continue
            found.append(content)
            if one.get_content_maintype() == "text":
                found.append(_as_text(content, one.get_content_charset("us-ascii")))
    except Exception:  # pylint: disable=broad-except # a reader that crashes shows nothing
        pass
    return found


POLICIES = {"compat32": email.policy.compat32, "default": email.policy.default}
