# SPDX-License-Identifier: MIT
"""A minimal RAR writer (method "store"), because Debian has no free one. For tests that show what happens with archives
that this libclamav cannot open.

As a module: rar4(files), rar5(files), sfx(archive), where files is a list of (name, bytes).
As a program: rar.py {rar4|rar5|sfx4|sfx5} OUTPUT FILE...   (the files are stored under their base names)
"""
import os
import struct
import sys
import zlib


def _rar4_block(kind, flags, fields, data=b""):
    body = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
    return struct.pack("<H", zlib.crc32(body) & 0xFFFF) + body + data


def rar4(files):
    out = b"Rar!\x1a\x07\x00" + _rar4_block(0x73, 0, b"\0" * 6)
    for name, data in files:
        encoded = name.encode("ascii")
        # packed size, size, host (Unix), crc, time, version 2.0, store, name length, mode
        fields = struct.pack("<IIBIIBBHI", len(data), len(data), 3, zlib.crc32(data), 0x5A210000, 20, 0x30, len(encoded), 0o100644)
        out += _rar4_block(0x74, 0x8000, fields + encoded, data)
    return out + _rar4_block(0x7B, 0x4000, b"")


def _vint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def _rar5_block(kind, fields, data=None):
    body = _vint(kind) + (_vint(0) if data is None else _vint(2) + _vint(len(data))) + fields
    body = _vint(len(body)) + body
    return struct.pack("<I", zlib.crc32(body)) + body + (data or b"")


def rar5(files):
    out = b"Rar!\x1a\x07\x01\x00" + _rar5_block(1, _vint(0))
    for name, data in files:
        encoded = name.encode("utf-8")
        # flags (a CRC follows), size, mode, crc, store, host (Unix), name
        fields = _vint(4) + _vint(len(data)) + _vint(0o100644) + struct.pack("<I", zlib.crc32(data))
        fields += _vint(0) + _vint(1) + _vint(len(encoded)) + encoded
        out += _rar5_block(2, fields, data)
    return out + _rar5_block(5, _vint(0))


def sfx(archive):
    """A DOS program header with a PE header behind it, one empty code section, then the archive as the overlay."""
    dos = b"MZ" + b"\0" * 58 + struct.pack("<I", 64)
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x14C, 1, 0, 0, 0, 224, 0x0102)
    optional = struct.pack("<HBBIIIIIIIII", 0x10B, 6, 0, 512, 0, 0, 0x1000, 0x1000, 0x2000, 0x400000, 0x1000, 512)
    optional += struct.pack("<HHHHHHIIIIHHIIIIII", 4, 0, 0, 0, 4, 0, 0, 0x2000, 512, 0, 3, 0, 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    optional += b"\0" * 128
    section = b".text\0\0\0" + struct.pack("<IIIIIIHHI", 512, 0x1000, 512, 512, 0, 0, 0, 0, 0x60000020)
    head = dos + coff + optional + section
    return head.ljust(512, b"\0") + b"\xc3".ljust(512, b"\0") + archive


def main(argv):
    makers = {"rar4": rar4, "rar5": rar5, "sfx4": lambda f: sfx(rar4(f)), "sfx5": lambda f: sfx(rar5(f))}
    if len(argv) < 4 or argv[1] not in makers:
        sys.exit(__doc__)
    files = []
    for path in argv[3:]:
        with open(path, "rb") as f:
            files.append((os.path.basename(path), f.read()))
    with open(argv[2], "wb") as f:
        f.write(makers[argv[1]](files))


if __name__ == "__main__":
    main(sys.argv)
