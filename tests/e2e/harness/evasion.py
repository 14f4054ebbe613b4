# SPDX-License-Identifier: MIT
"""Mails that hide a payload where some reader finds it and others do not, a class of evasion each, and mails that are only unusual.
Every one of the first kind is extracted by a mail program or library somewhere; none is what a person's program would write."""
import base64
import binascii
import quopri

from . import containers
from .mail import plain

B = b"=_b"


def _lines(*lines):
    return b"\r\n".join(lines) + b"\r\n"


def _coded(payload):
    return base64.encodebytes(payload).replace(b"\n", b"\r\n").rstrip(b"\r\n")


def _junk(payload):
    """With a character in each line that decoders pass over."""
    return b"\r\n".join(b"!" + line for line in _coded(payload).split(b"\r\n"))


def _mixed(*parts, head=(), close=True, kind=b"multipart/mixed"):
    """PARTS are whole, headers included."""
    body = b"".join(b"--" + B + b"\r\n" + part + b"\r\n" for part in parts) + (b"--" + B + b"--\r\n" if close else b"")
    return plain(body, [b"MIME-Version: 1.0", b"Content-Type: " + kind + b'; boundary="' + B + b'"', *head])


def _text():
    return _lines(b"Content-Type: text/plain", b"", b"See the attachment.")[:-2]


def _part(payload, kind=b"application/octet-stream", encoding=b"base64", coded=None, blank=b""):
    return _lines(b"Content-Type: " + kind, b"Content-Transfer-Encoding: " + encoding, blank) + (_coded(payload) if coded is None else coded)


def _yenc(payload):
    coded = bytearray()
    for octet in payload:
        value = (octet + 42) % 256
        coded += bytes([61, (value + 64) % 256]) if value in (0, 10, 13, 61) else bytes([value])
    return _lines(b"=ybegin line=128 size=%d name=a.bin" % len(payload), bytes(coded), b"=yend size=%d" % len(payload))


def _uu(payload):
    rows = [binascii.b2a_uu(payload[i:i + 45]).rstrip(b"\n") for i in range(0, len(payload), 45)]
    return _lines(b"begin 644 a.bin", *rows, b"`", b"end")


def _padded_in_the_middle(payload):
    """Two streams, of which the first ends in padding."""
    cut = 10  # not a multiple of three
    return base64.b64encode(payload[:cut]) + base64.b64encode(payload[cut:])


def _with_headers(payload, *headers):
    return plain(_coded(payload) + b"\r\n", [b"MIME-Version: 1.0", *headers])


def hidden(payload):
    """Name of the class → mail."""
    inner = plain(payload + b"\r\n")
    two_types = [b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="' + B + b'"', b"Content-Type: application/octet-stream"]
    body = b"--" + B + b"\r\n" + _part(payload) + b"\r\n--" + B + b"--\r\n"
    junk_body = b"--" + B + b"\r\n" + _part(payload, coded=_junk(payload)) + b"\r\n--" + B + b"--\r\n"
    middle = len(payload) // 2
    qp = payload[:middle] + b"=20\r\n".replace(b"20", b" ") + payload[middle:]
    return {
        "base64": _mixed(_text(), _part(payload)),
        "quoted-printable": _mixed(_text(), _part(payload, encoding=b"quoted-printable", coded=b"".join(b"=%02X" % o for o in payload)[:60]
                                                  + b"=\r\n" + b"".join(b"=%02X" % o for o in payload)[60:])),
        "two types, multipart first": plain(body, two_types),
        "two types, multipart last": plain(body, [two_types[0], two_types[2], two_types[1]]),
        "two types in one": plain(body, [two_types[0], b'Content-Type: multipart/mixed, application/octet-stream; boundary="' + B + b'"']),
        "two boundaries": plain(body, [two_types[0], b'Content-Type: multipart/mixed; boundary="other"; boundary="' + B + b'"']),
        "two encodings": _with_headers(payload, b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: 7bit",
                                       b"Content-Transfer-Encoding: base64"),
        "blank before the first header of a part": _mixed(_text(), b" " + _part(payload)),
        "no empty line in a part": _mixed(_text(), _lines(b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: base64")
                                          + _coded(payload)),
        "garbage instead of the empty line": _mixed(_text(), _part(payload, blank=b"<")),
        "padding in the middle": _mixed(_text(), _part(payload, coded=_padded_in_the_middle(payload))),
        "junk in base64": _mixed(_text(), _part(payload, coded=_coded(payload)[:7] + b"!*_" + _coded(payload)[7:])),
        "blank behind a soft break": _mixed(_text(), _part(payload, encoding=b"quoted-printable", coded=qp)),
        "unknown encoding": _mixed(_text(), _part(payload, encoding=b"x-base-64")),
        "wrong encoding": _mixed(_text(), _part(payload, encoding=b"quoted-printable", coded=_coded(payload))),
        "not closed": _mixed(_text(), _part(payload), close=False),
        "after the end": _mixed(_text())[:-2] + b"\r\n--" + B + b"\r\n" + _part(payload) + b"\r\n--" + B + b"--\r\n",
        "boundary in segments": plain(body, [two_types[0], b'Content-Type: multipart/mixed; boundary*0="=_"; boundary*1="b"']),
        "encoded mail in a mail": _mixed(_text(), _part(inner, b"message/rfc822")),
        "mail in a mail with bare carriage returns": _mixed(_text(), _part(_mixed(_text(), _part(payload)).replace(b"\r\n", b"\r"), b"message/rfc822")),
        "mail in a mail with bare line feeds": _mixed(_text(), _part(_mixed(_text(), _part(payload)).replace(b"\r\n", b"\n"), b"message/rfc822")),
        "mail in UTF-16": _mixed(_text(), _part(_mixed(_text(), _part(payload)).decode("ascii").encode("utf-16"), b"message/rfc822")),
        "text in UTF-16": _mixed(_text(), _part(payload.decode("ascii").encode("utf-16"), b'text/plain; charset="utf-16"')),
        "uuencode": plain(_uu(payload)),
        "yEnc": _mixed(_text(), _part(_yenc(payload))),
        "boundary in brackets and quotes": plain(junk_body, [two_types[0], b'Content-Type: multipart/mixed; boundary="<' + B + b'>"']),
        "boundary behind a quote in a token": plain(junk_body, [two_types[0], b'Content-Type: multipart/mixed; name=a"b; boundary=' + B]),
        "boundary missing": plain(junk_body, [two_types[0], b"Content-Type: multipart/mixed"]),
        "multipart in the middle of three types": plain(junk_body, [two_types[0], two_types[2], two_types[1], two_types[2]]),
        "mailbox line among headers": _mixed(_text(), _lines(b"Content-Transfer-Encoding: base64", b"From !!!!", b"") + _junk(payload)),
        "encoding with a comment inside": _mixed(_text(), _part(payload, encoding=b"b(c)ase64", coded=_junk(payload))),
        "unknown encoding, with junk": _mixed(_text(), _part(payload, encoding=b"x-base-64", coded=_junk(payload))),
        "third block of a status report": _mixed(_text(), _lines(b"Content-Type: message/delivery-status", b"", b"A: b", b"", b"C: d", b"",
                                                                 b"Content-Transfer-Encoding: base64") + b"!" + _junk(payload)),
        "encoded multipart": plain(_coded(body) + b"\r\n", [*two_types[:2], b"Content-Transfer-Encoding: base64"]),
        **_inside_containers(payload),
    }


def built_to_evade():
    """Name of the class → the reason against it, and a mail. There is nothing in them to be found."""
    words = b"harmless words in a part"
    mails = hidden(words)
    program = containers.program()
    late = b"--" + B + b"\r\n" + _part(program) + b"\r\n--" + B + b"--\r\n"
    two_names = b'Content-Disposition: attachment; filename="a.exe"\r\n' + _part(words, kind=b'application/octet-stream; name="a.txt"')
    named = {
        "two types, multipart first": "DuplicateHeader",
        "two encodings": "DuplicateHeader",
        "two boundaries": "DuplicateParameter",
        "two types in one": "AmbiguousType",
        "blank before the first header of a part": "HiddenHeader",
        "padding in the middle": "Base64",
        "boundary in segments": "Boundary",
        "PDF that is a zip": "Polyglot",
    }
    return {
        **{name: (reason, mails[name]) for name, reason in named.items()},
        "control character in a type": ("ControlCharacter", _mixed(_text(), _part(words, kind=b"application/oct\x01et-stream"))),
        "two encodings in one": ("Encoding", _mixed(_text(), _part(words, encoding=b"7bit, base64"))),
        "program behind a document's name": ("HiddenName", _mixed(_text(), _part(words, kind=b'application/octet-stream; name="invoice.pdf.exe"'))),
        "two names": ("NameConflict", _mixed(_text(), two_names)),
        "program called an image": ("TypeMismatch", _mixed(_text(), _part(program, kind=b"image/png"))),
        "program after the end": ("Readings", _mixed(_text())[:-2] + b"\r\n" + late),
        "too many levels": ("Limit", many_levels(200)),
        "too many messages in messages": ("Limit", many_messages(200)),
    }


def _inside_containers(payload):
    smime = b"application/pkcs7-mime; smime-type=signed-data; name=smime.p7m"
    entity = _part(payload)
    eml = _mixed(_text(), entity)
    return {
        "signed mail": _mixed(_text(), _part(containers.signed(entity), smime)),
        "signed mail as it is streamed": _mixed(_text(), _part(containers.signed(entity, endless=True), smime)),
        "signed mail under another name": _mixed(_text(), _part(containers.signed(eml))),
        "TNEF, content in properties": _mixed(_text(), _part(containers.tnef_in_properties(payload), b"application/ms-tnef")),
        "TNEF, TNEF in an object": _mixed(_text(), _part(containers.tnef_in_properties(payload, embedded=True), b"application/ms-tnef")),
        "AppleSingle": _mixed(_text(), _part(containers.applesingle(payload), b"application/applefile")),
        "AppleSingle under another name": _mixed(_text(), _part(containers.applesingle(payload), b"text/plain")),
        "AppleDouble": _mixed(_text(), _mixed(_part(containers.applesingle(payload, double=True), b"application/applefile"), _text(),
                                              kind=b"multipart/appledouble").replace(B, b"appledouble")),
        "PDF that is a zip": _mixed(_text(), _part(containers.pdf_and_zip(payload), b"application/pdf; name=a.pdf")),
        "uuencode without a mode": plain(containers.uuencoded(payload, b"begin  a.bin")),
        "uuencode over a line that begins as its end": plain(containers.uuencoded(payload, between=b"endless")),
        "uuencode over a line that begins as its begin": plain(containers.uuencoded(payload, between=b"begin the work")),
        "message by its name, after junk": _mixed(_text(), _part(b"junk\r\n" + eml, b"application/octet-stream; name=a.eml")),
        "message by its name, 300 headers": _mixed(_text(), _part(b"X: y\r\n" * 300 + eml, b"application/octet-stream; name=a.eml")),
        "message by its name, disposition without a type": _mixed(_text(), b"Content-Disposition: filename=a.eml\r\n" + _part(b"junk\r\n" + eml)),
        "message by its name, no disposition and no type": _mixed(_text(), _part(b"junk\r\n" + eml, b"name=a.eml")),
        "mail in a mail, after an empty line": _mixed(_text(), _lines(b"Content-Type: message/rfc822", b"", b"") + eml),
        "mail in a mail, after empty lines of two kinds": _mixed(_text(), _part(b"\n\r\n" + eml, b"message/rfc822")),
        "message by its name, after empty lines": _mixed(_text(), _part(b"\r\n\r\n" + eml, b"application/octet-stream; name=a.eml")),
    }


def twice(payload):
    """The same part in two encodings."""
    return _mixed(_text(), _part(payload), _part(payload, encoding=b"7bit", coded=payload))


def harmless():
    """Mails of many shapes that are clean, and are delivered as they came."""
    text = b"Nothing but words, of which some are long: " + b"word " * 30 + b"\r\n"
    inner = plain(text)
    return {
        "plain": plain(text),
        "empty": plain(b""),
        "8bit": plain("Grüße\r\n".encode("latin-1"), [b"MIME-Version: 1.0", b"Content-Type: text/plain; charset=iso-8859-1", b"Content-Transfer-Encoding: 8bit"]),
        "mixed": _mixed(_text(), _part(text)),
        "alternative": _mixed(_text(), _lines(b"Content-Type: text/html", b"", b"<p>See the attachment.</p>")[:-2], kind=b"multipart/alternative"),
        "quoted-printable": _mixed(_text(), _part(b"", b"text/plain; charset=utf-8", b"quoted-printable",
                                                  quopri.encodestring("Grüße, " .encode() * 20).replace(b"\n", b"\r\n"))),
        "mail in a mail": _mixed(_text(), _lines(b"Content-Type: message/rfc822", b"") + inner),
        "report": _mixed(_text(), _lines(b"Content-Type: message/delivery-status", b"", b"Reporting-MTA: dns; a.test", b"", b"Action: failed")[:-2],
                         kind=b"multipart/report; report-type=delivery-status"),
        "signed": _mixed(_text(), _part(b"\x30\x80" + text, b"application/pkcs7-signature; name=smime.p7s"), kind=b"multipart/signed"),
        "attachment with a name in RFC 2231": _mixed(_text(), _lines(b"Content-Type: application/pdf", b"Content-Disposition: attachment;",
                                                                     b" filename*0*=utf-8''Gr%C3%BC;", b" filename*1=sse.pdf",
                                                                     b"Content-Transfer-Encoding: base64", b"") + _coded(b"%PDF-1.4 none")),
        "many parts": _mixed(*(_part(b"%d" % i + text) for i in range(60))),
    }


def encrypted_pgp():
    return _mixed(_lines(b"Content-Type: application/pgp-encrypted", b"", b"Version: 1")[:-2],
                  _lines(b"Content-Type: application/octet-stream; name=encrypted.asc", b"", b"-----BEGIN PGP MESSAGE-----", b"", _coded(b"x" * 90),
                         b"-----END PGP MESSAGE-----")[:-2], kind=b'multipart/encrypted; protocol="application/pgp-encrypted"')


def encrypted_pgp_in_words():
    return plain(_lines(b"See below.", b"", b"-----BEGIN PGP MESSAGE-----", b"", _coded(b"x" * 90), b"-----END PGP MESSAGE-----"))


def encrypted_smime_called_signed():
    return plain(_coded(b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03" + bytes(200)) + b"\r\n",
                 [b"MIME-Version: 1.0", b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", b"Content-Transfer-Encoding: base64"])


def encrypted_smime():
    return plain(_coded(b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03" + bytes(200)) + b"\r\n",
                 [b"MIME-Version: 1.0", b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", b"Content-Transfer-Encoding: base64"])


def polyglots(payload):
    return {name: _mixed(_text(), _part(content)) for name, content in containers.polyglots(payload).items()}


def wide():
    """A whole message in UTF-16."""
    return b"\xff\xfe" + plain(b"words\r\n").decode("ascii").encode("utf-16-le")


def partial():
    return plain(b"second piece\r\n", [b"MIME-Version: 1.0", b'Content-Type: message/partial; id="abc@client.test"; number=2; total=3'])


def external_body():
    return plain(_lines(b"Content-Type: application/octet-stream", b"Content-ID: <a@client.test>", b""),
                 [b"MIME-Version: 1.0", b'Content-Type: message/external-body; access-type=URL; URL="http://www.test/a.exe"'])


def partial_to_who_takes_the_last_type():
    return plain(b"second piece\r\n", [b"MIME-Version: 1.0", b"Content-Type: text/plain", b"Content-Type: message/partial; id=a; number=2; total=3"])


def partial_to_who_decodes_words():
    return plain(b"second piece\r\n", [b"MIME-Version: 1.0", b"Content-Type: =?us-ascii?q?message/partial?=; id=a; number=2; total=3"])


def external_body_to_who_takes_the_last_type():
    return _mixed(_text(), _lines(b"Content-Type: text/plain", b'Content-Type: message/external-body; access-type=URL; URL="http://www.test/a.exe"', b"",
                                  b"Content-Type: application/octet-stream", b""))


def many_parts(count):
    return _mixed(*(b"Content-Type: text/plain\r\n\r\n%d" % i for i in range(count)))


def many_levels(count):
    head, end = b"", b""
    for i in range(count):
        head += b'Content-Type: multipart/mixed; boundary="l%d"\r\n\r\n--l%d\r\n' % (i, i)
        end = b"\r\n--l%d--" % i + end
    return plain(b"", [b"MIME-Version: 1.0"])[:-2] + head + b"Content-Type: text/plain\r\n\r\nhello" + end + b"\r\n"


def many_messages(count):
    """Each the whole content of the one before."""
    return plain(b"", [b"MIME-Version: 1.0"])[:-2] + b"Content-Type: message/rfc822\r\n\r\n" * count + b"Content-Type: text/plain\r\n\r\nhello\r\n"


def large_header(octets):
    return plain(b"words\r\n", [b"MIME-Version: 1.0", b"Content-Type: multipart/mixed;" + b"".join(b"\r\n p%d=%s;" % (i, b"v" * 60) for i in range(octets // 70))
                                + b'\r\n boundary="b"'])
