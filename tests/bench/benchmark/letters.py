# SPDX-License-Identifier: MIT
"""Generated mail in the shapes of real mail: what people and programs write, send on and attach. Seeded, as everything of the benchmark.

No traffic was measured for it. Shares and sizes are an assumption, put together from what is known in general of mail to organisations: most
messages are HTML with its text beside it, written by programs, of 10 to 80 KB; short texts come next; one in four carries a file, and those are
nearly all of the octets. The middle message has about 20 KB, none less than 2 KB or more than 1 MB. Figures are also told by kind, so that who knows
his own traffic can weigh them himself."""
import base64
import io
import quopri
import random
import zipfile
import zlib
from dataclasses import dataclass

from .corpus import _word

COUNT = 240
SMALLEST, LARGEST = 2_000, 1_000_000
FOLD = 76


def crlf(text):
    return text.replace("\n", "\r\n").encode("utf-8")


def words(rng, count):
    return " ".join(_word(rng) for _ in range(count))


def prose(rng, octets):
    """Paragraphs, lines of at most 72 characters; some letters that are not ASCII."""
    lines, have = [], 0
    while have < octets:
        for _ in range(rng.randint(2, 7)):
            line = ""
            while len(line) < 60:
                line += (_word(rng) if rng.random() > 0.03 else rng.choice(("größe", "façade", "naïf", "Łódź"))) + " "
            lines.append(line.rstrip() + rng.choice((".", ",", "", "")))
            have += len(lines[-1]) + 2
        lines.append("")
        have += 2
    return "\n".join(lines) + "\n"


def html(rng, octets):
    """A newsletter: nested tables, styles at every element, links with long queries, a little script of old times."""
    out = ['<!DOCTYPE html>\n<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8">\n<style type="text/css">\n']
    out += [f".c{n} {{ font-family: Arial, sans-serif; font-size: {rng.randint(9, 24)}px; color: #{rng.randrange(1 << 24):06x}; }}\n" for n in range(20)]
    out.append("</style></head><body>\n")
    have = sum(map(len, out))
    while have < octets:
        row = (f'<table width="600" cellpadding="0" cellspacing="0" border="0" style="border-collapse:collapse"><tr><td class="c{rng.randint(0, 19)}" '
               f'style="padding:{rng.randint(1, 30)}px; background-color:#{rng.randrange(1 << 24):06x};">'
               f'<a href="https://click.{_word(rng)}.test/t/{rng.randbytes(24).hex()}?utm_source={_word(rng)}&amp;id={rng.randrange(1 << 40)}" target="_blank">'
               f"{words(rng, 6)}</a><br>{words(rng, rng.randint(10, 60))}&nbsp;größer &copy;</td></tr></table>\n")
        out.append(row)
        have += len(row)
    return "".join(out) + "</body></html>\n"


def jpeg(rng, octets):
    return b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + rng.randbytes(octets).replace(b"\xff", b"\xfe") + b"\xff\xd9"


def png(rng, octets):
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    side = max(8, int((octets / 3) ** 0.5))
    rows = b"".join(b"\0" + rng.randbytes(side * 3) for _ in range(side))
    head = side.to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def pdf(rng, octets):
    """Pages of compressed text, a font and an image, as office programs export them."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>"]
    have = 0
    while have < octets:
        if rng.random() < 0.6:
            text = "".join(f"BT /F1 {rng.randint(8, 14)} Tf 72 {y} Td ({words(rng, 9)}) Tj ET\n" for y in range(760, 60, -14)).encode()
            data, kind = zlib.compress(text), b"/Filter /FlateDecode"
        else:
            data = jpeg(rng, rng.randint(5_000, 60_000))
            kind = b"/Type /XObject /Subtype /Image /Width 400 /Height 300 /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode"
        objects.append(b"<< " + kind + b" /Length %d >>\nstream\n" % len(data) + data + b"\nendstream")
        have += len(data)
    out, offsets = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % at for at in offsets)
    return bytes(out) + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def archive(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(zipfile.ZipInfo(name, (2025, 11, 21, 12, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def docx(rng, octets):
    text = "".join(f"<w:p><w:r><w:rPr><w:sz w:val=\"22\"/></w:rPr><w:t>{words(rng, 20)}</w:t></w:r></w:p>" for _ in range(max(20, octets // 400)))
    return archive([("[Content_Types].xml", "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>"),
                    ("_rels/.rels", "<Relationships/>"), ("word/document.xml", f"<w:document><w:body>{text}</w:body></w:document>"),
                    ("word/styles.xml", f"<w:styles>{words(rng, 1500)}</w:styles>"), ("word/media/image1.jpeg", jpeg(rng, octets // 2))])


def spreadsheets(rng, octets):
    rows = max(50, octets // 20)
    return archive([(f"{_word(rng)}.csv", "".join(f"{rng.randrange(10 ** 6)};{_word(rng)};{rng.random():.4f}\r\n" for _ in range(rows))) for _ in range(2)])


@dataclass
class Part:
    head: list
    body: bytes  # with CRLF

    def octets(self):
        return "".join(line + "\r\n" for line in self.head).encode() + b"\r\n" + self.body


def folded(data):
    encoded = base64.b64encode(data)
    return b"".join(encoded[i:i + FOLD] + b"\r\n" for i in range(0, len(encoded), FOLD))


def text_part(rng, kind, text):
    """As mail programs choose: quoted-printable mostly, then 8bit, then base64; 7bit where it is enough."""
    data = crlf(text)
    choice = rng.random()
    if choice < 0.55:
        lines = quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        encoding, data = "quoted-printable", lines
    elif choice < 0.8:
        ascii_only = all(octet < 128 for octet in data)
        encoding = "7bit" if ascii_only else "8bit"
    else:
        encoding, data = "base64", folded(data)
    return Part([f"Content-Type: text/{kind}; charset=utf-8", f"Content-Transfer-Encoding: {encoding}"], data)


def file_part(kind, name, data, inline=None):
    head = [f'Content-Type: {kind}; name="{name}"', "Content-Transfer-Encoding: base64",
            f'Content-Disposition: {"inline" if inline else "attachment"}; filename="{name}"']
    return Part(head + ([f"Content-ID: <{inline}>"] if inline else []), folded(data))


def multipart(rng, kind, parts):
    boundary = f"----=_Part_{rng.randrange(1 << 32):08x}.{rng.randrange(1 << 48):012x}"
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part.octets() + b"\r\n" for part in parts)
    return Part([f'Content-Type: multipart/{kind}; boundary="{boundary}"'], body + b"--" + boundary.encode() + b"--\r\n")


def alternative(rng, octets):
    return multipart(rng, "alternative", [text_part(rng, "plain", prose(rng, max(300, octets // 5))), text_part(rng, "html", html(rng, octets))])


def size(rng, middle, spread):
    """Log-normal, as sizes of files and messages are."""
    return int(rng.lognormvariate(0, spread) * middle)


def plain(rng):
    return text_part(rng, "plain", prose(rng, size(rng, 3_000, 0.7)))


def newsletter(rng):
    return alternative(rng, size(rng, 16_000, 0.7))


def pictures(rng):
    images = [file_part("image/png" if n % 2 else "image/jpeg", f"image00{n}.{'png' if n % 2 else 'jpg'}",
                        (png if n % 2 else jpeg)(rng, size(rng, 9_000, 0.8)), f"image00{n}@{_word(rng)}.test") for n in range(rng.randint(1, 4))]
    return multipart(rng, "related", [alternative(rng, size(rng, 8_000, 0.6)), *images])


def attachment(make, kind, suffix, middle, spread):
    def letter(rng):
        body = alternative(rng, size(rng, 3_000, 0.5)) if rng.random() < 0.7 else text_part(rng, "plain", prose(rng, size(rng, 1_000, 0.5)))
        return multipart(rng, "mixed", [body, file_part(kind, f"{_word(rng)}.{suffix}", make(rng, min(700_000, size(rng, middle, spread))))])
    return letter


with_pdf = attachment(pdf, "application/pdf", "pdf", 90_000, 1.0)
with_docx = attachment(docx, "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx", 50_000, 0.8)
with_zip = attachment(spreadsheets, "application/zip", "zip", 80_000, 1.0)
with_photo = attachment(jpeg, "image/jpeg", "jpg", 200_000, 0.6)


def forwarded(rng):
    inner = headed(rng, rng.choice((plain, newsletter, newsletter, pictures, with_pdf))(rng))
    message = Part(["Content-Type: message/rfc822", "Content-Disposition: attachment"], inner)
    return multipart(rng, "mixed", [text_part(rng, "plain", prose(rng, 500)), message])


# Kind, its share of messages in hundredths.
KINDS = (("plain", plain, 28), ("newsletter", newsletter, 34), ("pictures", pictures, 12), ("pdf", with_pdf, 9), ("docx", with_docx, 5), ("zip", with_zip, 2),
         ("photo", with_photo, 3), ("forwarded", forwarded, 7))


def headed(rng, part):
    """A message with as many lines above the writer's as two or three relays leave."""
    day = "Fri, 21 Nov 2025 12:00:00 +0000"
    head = [f"Received: from mx{n}.{_word(rng)}.test (mx{n}.{_word(rng)}.test [192.0.2.{rng.randint(1, 254)}])\r\n\tby gw{n}.{_word(rng)}.test (Postfix) with "
            f"ESMTPS id {rng.randbytes(6).hex().upper()}\r\n\tfor <b@y.test>; {day}" for n in range(rng.randint(1, 4))]
    signature = base64.b64encode(rng.randbytes(256)).decode()
    head.append(f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={_word(rng)}.test; s=s1;\r\n\th=from:to:subject:date:message-id:mime-version;\r\n\tbh="
                f"{base64.b64encode(rng.randbytes(32)).decode()};\r\n\tb=" + "\r\n\t ".join(signature[i:i + 70] for i in range(0, len(signature), 70)))
    subject = words(rng, rng.randint(3, 8)) if rng.random() < 0.7 else "=?utf-8?B?" + base64.b64encode("Größe und façade".encode()).decode() + "?="
    head += [f'From: "{_word(rng).title()} {_word(rng).title()}" <{_word(rng)}@x.test>', "To: <b@y.test>", f"Subject: {subject}", f"Date: {day}",
             f"Message-ID: <{rng.randbytes(12).hex()}@x.test>", "MIME-Version: 1.0"]
    return Part(head + part.head, part.body).octets()


@dataclass
class Letter:
    kind: str
    octets: bytes


def make_letters(count=COUNT, seed=20_261):
    """COUNT messages, kinds by their shares; the same ones on every machine."""
    rng = random.Random(seed)
    kinds = [(name, make) for name, make, share in KINDS for _ in range(round(count * share / 100))]
    kinds += [("plain", plain)] * (count - len(kinds))
    rng.shuffle(kinds)
    letters = []
    for name, make in kinds[:count]:
        octets = headed(rng, make(rng))
        while not SMALLEST <= len(octets) <= LARGEST:
            octets = headed(rng, make(rng))
        letters.append(Letter(name, octets))
    return letters
