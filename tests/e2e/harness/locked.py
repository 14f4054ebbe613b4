# SPDX-License-Identifier: MIT
"""Archives and documents that want a password, and the same without one: as small as the headers that say so allow. What is encrypted in them are octets
of no meaning."""
import hashlib
import io
import struct
import zipfile
from binascii import crc32

FREE, END, TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def noise(size):
    return b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(size // 32 + 1))[:size]


# --- compound files ---

def _chained(data, unit, first):
    """DATA in whole units, and the table's entries for them."""
    count = -(-len(data) // unit)
    return data.ljust(count * unit, b"\0"), [first + n + 1 for n in range(count - 1)] + [END] * (count > 0)


def compound(streams):
    """STREAMS: (path, octets); one "/" in a path makes a storage. Streams below 4096 octets are in small sectors."""
    sectors, table, small, small_table, entries = b"", [], b"", [], []

    def entry(name, kind, start=0, size=0, left=FREE, right=FREE, child=FREE):
        written = name.encode("utf-16-le")
        return (written.ljust(64, b"\0") + struct.pack("<HBBIII", len(written) + 2 if name else 0, kind, 1, left, right, child) + bytes(36)
                + struct.pack("<IQ", start, size))

    def put(data):
        nonlocal sectors
        padded, chain = _chained(data, 512, len(table))
        start = len(table) if chain else END
        sectors += padded
        table.extend(chain)
        return start

    def row(names, of):
        """Siblings in one long branch: entries in OF by name, in the order that the format wants."""
        names = sorted(names, key=lambda name: (len(name), name.upper()))
        for this, following in zip(names, names[1:]):
            entries[of[this]]["right"] = of[following]
        return of[names[0]] if names else FREE

    top, inner = {}, {}
    for path, data in streams:
        *storage, name = path.split("/")
        for folder in storage:
            if folder not in top:
                top[folder] = len(entries) + 1
                inner[folder] = {}
                entries.append(None)
                entries[-1] = {"name": folder, "kind": 1}
        if 0 < len(data) < 4096:
            start = len(small_table)
            padded, chain = _chained(data, 64, start)
            small += padded
            small_table.extend(chain)
        else:
            start = put(data)
        (inner[storage[0]] if storage else top)[name] = len(entries) + 1
        entries.append({"name": name, "kind": 2, "start": start, "size": len(data)})
    small_start, small_table_start = put(small), put(struct.pack(f"<{len(small_table)}I", *small_table).ljust(-(-len(small_table) // 128) * 512, b"\xff"))
    entries.insert(0, {"name": "Root Entry", "kind": 5, "start": small_start, "size": len(small)})
    for folder, members in inner.items():
        entries[top[folder]]["child"] = row(members, members)
    entries[0]["child"] = row(top, top)
    directory = b"".join(entry(**each) for each in entries)
    directory += entry("", 0) * (-len(entries) % 4)
    directory_start = put(directory)
    tables = 1
    while (len(table) + tables) > tables * 128:
        tables += 1
    tables_start = len(table)
    table.extend([TABLE] * tables)
    head = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(10)
            + struct.pack("<IIIIIIIII", tables, directory_start, 0, 4096, small_table_start, -(-len(small_table) // 128), END, 0, tables_start)
            + b"".join(struct.pack("<I", tables_start + n if n < tables else FREE) for n in range(1, 109)))
    return head + sectors + struct.pack(f"<{len(table)}I", *table).ljust(tables * 512, b"\xff")


PROPERTIES = ("\x05SummaryInformation", b"\xfe\xff\0\0" + bytes(100))
AGILE = (b"\4\0\4\0\x40\0\0\0" + b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
         b'<encryption xmlns="http://schemas.microsoft.com/office/2006/encryption"><keyData saltSize="16" blockSize="16" keyBits="256"/></encryption>')
PROVIDER = "Microsoft Enhanced RSA and AES Cryptographic Provider\0".encode("utf-16-le")
STANDARD = struct.pack("<HHI", 4, 2, 0x24) + struct.pack("<I", 32 + len(PROVIDER)) + struct.pack("<8I", 0x24, 0, 0x660E, 0x8004, 128, 0x18, 0, 0) + PROVIDER + noise(72)


def ooxml(info):
    return compound([("EncryptionInfo", info), ("EncryptedPackage", struct.pack("<Q", 5000) + noise(5008))])


def ooxml_rights():
    return compound([("EncryptedPackage", struct.pack("<Q", 5000) + noise(5008)), ("\x06DataSpaces/Version", noise(76)), ("\x06DataSpaces/DataSpaceMap", noise(112))])


def _record(kind, data=b""):
    return struct.pack("<HH", kind, len(data)) + data


def book(*records, stream="Workbook", version=0x600):
    """An Excel book that begins with RECORDS; one sheet follows."""
    begin = struct.pack("<HHHHII", version, 5, 0x0DBB, 0x07CC, 0, 6)
    sheet = _record(0x809, struct.pack("<HHHHII", version, 0x10, 0x0DBB, 0x07CC, 0, 6)) + _record(0x12, b"\1\0") + _record(0x0A)
    rest = _record(0x42, b"\xb0\4") + _record(0xFC, bytes(5000)) + _record(0x0A)
    return compound([PROPERTIES, (stream, _record(0x809, begin) + b"".join(records) + rest + sheet)])


WRITE_PROTECT = _record(0x86)
PASS_XOR = _record(0x2F, struct.pack("<HHH", 0, 0x1234, 0x5678))
PASS_RC4 = _record(0x2F, struct.pack("<HHH", 1, 1, 1) + noise(48))
PASS_CRYPTOAPI = _record(0x2F, struct.pack("<HHH", 1, 4, 2) + noise(190))
PROTECT = _record(0x12, b"\1\0") + _record(0x13, b"\x34\x12")  # against changes: nothing is encrypted


def word(flags):
    begin = struct.pack("<HHHHHH", 0xA5EC, 0xC1, 0, 0x409, 0, 0x1200 | flags)
    return compound([PROPERTIES, ("WordDocument", begin + bytes(900) + b"Nothing but words. " * 200), ("1Table", noise(4500))])


def slides(token, edit):
    """TOKEN: what the stream of the current user says; EDIT: length of the record of the last edit."""
    stream = _record_with_version(0x3E8, noise(4200)) + struct.pack("<HHI", 0, 0x0FF5, edit) + bytes(edit)
    user = struct.pack("<HHIIIIHHBBH", 0, 0x0FF6, 0x18, 0x14, token, 4208, 4, 0x3F4, 3, 0, 0) + b"user" + struct.pack("<I", 8)
    return compound([PROPERTIES, ("Current User", user), ("PowerPoint Document", stream)])


def _record_with_version(kind, data):
    return struct.pack("<HHI", 0, kind, len(data)) + data


def outlook(attached):
    """A message of Outlook's with a file."""
    return compound([("__properties_version1.0", bytes(64)), ("__nameid_version1.0/__substg1.0_00020102", bytes(160)),
                     ("__attach_version1.0_#00000000/__substg1.0_37010102", attached)])


MODULES = compound([("dir", b"\1\x16\xb0" + noise(200)), ("VBA/EncryptionInfo", b"\1\x16\1\0" + noise(900)), ("VBA/WordDocument", b"\1\x16\1\0" + noise(900)),
                    ("VBA/Workbook", b"\1\x16\1\0" + noise(900)), ("VBA/EncryptedSummary", b"\1\x16\1\0" + noise(900))])
THUMBNAILS = compound([("Catalog", bytes(200)), ("1", b"\x0c\0\0\0\1\0\0\0" + noise(5000)), ("2", noise(900))])


# --- OpenDocument ---

def _zipped(*members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data, method in members:
            archive.writestr(name, data, compress_type=method)
    return file.getvalue()


def odf(encryption="", text=b"<office:document-content/>" * 50, method=zipfile.ZIP_DEFLATED, encoding="UTF-8"):
    manifest = (f'<?xml version="1.0" encoding="{encoding}"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
                '<manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.text"/>'
                '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml" manifest:size="900">' + encryption + "</manifest:file-entry>"
                '<manifest:file-entry manifest:full-path="Pictures/encryption-data.png" manifest:media-type="image/png"/></manifest:manifest>')
    return _zipped(("mimetype", b"application/vnd.oasis.opendocument.text", zipfile.ZIP_STORED), ("content.xml", text, zipfile.ZIP_STORED),
                   ("META-INF/manifest.xml", manifest.encode(encoding), method))


ODF_ENCRYPTION = ('<manifest:encryption-data manifest:checksum-type="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0#sha256-1k" manifest:checksum="AAAA">'
                  "</manifest:encryption-data>")


def odf_whole(encryption=ODF_ENCRYPTION):
    """The newer form: one member is the whole document."""
    manifest = ('<?xml version="1.0" encoding="UTF-8"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.3">'
                '<manifest:file-entry manifest:full-path="encrypted-package" manifest:size="6000">' + encryption + "</manifest:file-entry></manifest:manifest>")
    return _zipped(("mimetype", b"application/vnd.oasis.opendocument.text", zipfile.ZIP_STORED), ("encrypted-package", noise(6000), zipfile.ZIP_STORED),
                   ("META-INF/manifest.xml", manifest, zipfile.ZIP_DEFLATED))


def docx(member=b""):
    return _zipped(("[Content_Types].xml", b'<?xml version="1.0"?><Types/>', zipfile.ZIP_DEFLATED), ("word/document.xml", b"<w:document/>" * 90, zipfile.ZIP_DEFLATED),
                   *([("word/embeddings/oleObject1.bin", member, zipfile.ZIP_DEFLATED)] if member else []))


# --- PDF ---

def pdf(encrypted):
    encryption = f"<< /Filter /Standard /V 2 /R 3 /Length 128 /P -3904 /O <{noise(32).hex()}> /U <{noise(32)[::-1].hex()}> >>".encode()
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>",
               b"<< /Length 64 >>\nstream\n" + noise(64).hex().encode()[:64] + b"\nendstream"] + [encryption] * encrypted
    out, places = b"%PDF-1.6\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % place for place in places)
    mark = noise(16).hex().encode()
    return (out + table + b"trailer\n<< /Size %d /Root 1 0 R " % (len(objects) + 1) + b"/Encrypt 5 0 R " * encrypted + b"/ID [<" + mark + b"><" + mark + b">] >>\n"
            + b"startxref\n%d\n%%%%EOF\n" % len(out))


# --- archives ---

def zip_file(encrypted, method=8):
    """METHOD 99: AES, where the real one stands in an extra field."""
    name, data = b"a.txt", b"Nothing but words.\r\n" * 5
    extra = struct.pack("<HHHHBH", 0x9901, 7, 2, 0x4541, 3, 8) if method == 99 else b""
    packed = noise(100) if encrypted else data
    fields = struct.pack("<HHHHIIIHH", int(encrypted), method if encrypted else 0, 0, 0x5A21, crc32(data), len(packed), len(data), len(name), len(extra))
    local = b"PK\3\4" + struct.pack("<H", 20) + fields + name + extra + packed
    central = b"PK\1\2" + struct.pack("<HH", 20, 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name + extra
    return local + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


AES, COPY = b"\x24\x06\xf1\x07\x01\x0a\x53\x07" + noise(8), b"\x01\0"


def sevenzip(encrypted, names=True):
    """One stored member; NAMES: what is in it is listed in the clear."""
    data = b"Nothing but words.\r\n".ljust(112)
    packed = noise(112) if encrypted else data
    coders, sizes = (b"\x02" + AES + COPY + b"\x01\0", b"\x70\x70") if encrypted else (b"\x01" + COPY, b"\x70")
    folder = b"\x06\0\x01\x09\x70\0" + b"\x07\x0b\x01\0" + coders + b"\x0c" + sizes + b"\0"
    written = "a.txt\0".encode("utf-16-le")
    members = b"\x08\x0a\x01" + struct.pack("<I", crc32(data)) + b"\0\0" + b"\x05\x01\x11" + bytes([len(written) + 1]) + b"\0" + written + b"\0\0"
    head = b"\x01\x04" + folder + members if names else b"\x17" + folder + b"\0"
    start = struct.pack("<QQI", len(packed), len(head), crc32(head))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", crc32(start)) + start + packed + head


def arj(encrypted):
    data = b"Nothing but words.\r\n" * 5

    def header(kind, flags, name, size=0, checksum=0):
        body = struct.pack("<BBBBBBBBIIIIHHH", 30, 11, 1, 2, flags, 0, kind, 0, 0x47EBCFE8, size, size, checksum, 0, 0, 0) + name + b"\0\0"
        return b"\x60\xea" + struct.pack("<H", len(body)) + body + struct.pack("<IH", crc32(body), 0)
    packed = noise(len(data)) if encrypted else data
    return header(2, 0, b"a.arj") + header(0, int(encrypted), b"a.txt", len(data), crc32(data)) + packed + b"\x60\xea\0\0"


def disk_image():
    return b"encrcdsa" + struct.pack(">IIII", 2, 16, 5, 0x80000001) + noise(2000)


# Known by their octets, whatever the engine is: name → (with a password, without one or None).
DOCUMENTS = {
    "docx, agile": (ooxml(AGILE), docx()),
    "docx, standard": (ooxml(STANDARD), docx()),
    "docx, extensible": (ooxml(struct.pack("<HHI", 3, 3, 0x10) + noise(200)), docx()),
    "docx, rights": (ooxml_rights(), docx()),
    "xls, XOR": (book(PASS_XOR), book(PROTECT)),
    "xls, RC4": (book(WRITE_PROTECT, PASS_RC4), book(WRITE_PROTECT)),
    "xls, CryptoAPI": (book(PASS_CRYPTOAPI), book()),
    "xls of Excel 95": (book(PASS_XOR, stream="Book", version=0x500), book(stream="Book", version=0x500)),
    "doc, RC4": (word(0x0100), word(0)),
    "doc, XOR": (word(0x8100), word(0x8000)),
    "ppt": (slides(0xF3D1C4DF, 0x20), slides(0xE391C05F, 0x1C)),
    "ppt whose token is the usual one": (slides(0xE391C05F, 0x20), slides(0xE391C05F, 0x1C)),
    "doc in a message of Outlook": (outlook(word(0x0100)), outlook(word(0))),
    "odt": (odf(ODF_ENCRYPTION, noise(900)), odf()),
    "odt, not compressed": (odf(ODF_ENCRYPTION, noise(900), zipfile.ZIP_STORED), odf(method=zipfile.ZIP_STORED)),
    "odt, UTF-16": (odf(ODF_ENCRYPTION, noise(900), encoding="UTF-16"), odf(encoding="UTF-16")),
    "odt, whole": (odf_whole(), odf_whole("")),
    "dmg": (disk_image(), None),
}
# What is in these an engine has to find.
NESTED = {
    "xls inside docx": (docx(book(PASS_RC4)), docx(book())),
    "docx in zip": (_zipped(("a.docx", ooxml(AGILE), zipfile.ZIP_DEFLATED)), _zipped(("a.docx", docx(), zipfile.ZIP_DEFLATED))),
    "odt in zip in zip": (_zipped(("b.zip", _zipped(("a.odt", odf(ODF_ENCRYPTION), zipfile.ZIP_DEFLATED)), zipfile.ZIP_DEFLATED)),
                          _zipped(("b.zip", _zipped(("a.odt", odf(), zipfile.ZIP_DEFLATED)), zipfile.ZIP_DEFLATED))),
}
ARCHIVES = {
    "zip": (zip_file(True), zip_file(False)),
    "zip, AES": (zip_file(True, 99), zip_file(False)),
    "7z": (sevenzip(True), sevenzip(False)),
    "7z, names too": (sevenzip(True, names=False), None),
    "arj": (arj(True), arj(False)),
    "pdf": (pdf(True), pdf(False)),
}
HARMLESS = {"names of modules in a project of macros": MODULES, "Thumbs.db": THUMBNAILS}
