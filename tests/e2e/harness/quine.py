# SPDX-License-Identifier: MIT
"""Archives without an end: a ZIP that holds itself."""
import struct
import zlib


class Bits:
    """DEFLATE's bits, the lowest of each octet first."""
    def __init__(self):
        self.value = self.count = 0

    def put(self, value, width, reverse=False):
        if reverse:
            value = int(f"{value:0{width}b}"[::-1], 2)
        self.value |= value << self.count
        self.count += width

    def octets(self):
        return self.value.to_bytes((self.count + 7) // 8, "little")


def copies(distance, lengths, final=False, empty=0):
    """A block with fixed codes that repeats what stands DISTANCE back; then EMPTY blocks without anything."""
    bases = [(257 + i, 3 + i, 0) for i in range(8)] + [(265 + 4 * (e - 1) + i, (4 + i << e) + 3, e) for e in range(1, 6) for i in range(4)]
    places = [(i, 1 + i, 0) for i in range(4)] + [(2 * e + 2 + i, (2 + i << e) + 1, e) for e in range(1, 14) for i in range(2)]
    bits = Bits()
    bits.put(int(final), 1)
    bits.put(1, 2)
    for length in lengths:
        code, base, extra = max(row for row in bases if row[1] <= length)
        bits.put(code - 256 if code < 280 else code - 280 + 0xc0, 7 if code < 280 else 8, reverse=True)
        bits.put(length - base, extra)
        code, base, extra = max(row for row in places if row[1] <= distance)
        bits.put(code, 5, reverse=True)
        bits.put(distance - base, extra)
    bits.put(0, 7)
    for _ in range(empty):
        bits.put(0b010, 3)
        bits.put(0, 7)
    return bits.octets()


def zip_quine():
    """A ZIP whose only member is that ZIP. As in R. Cox's "Zip Files All The Way Down", its DEFLATE is a program of two instructions, print what follows and repeat what was printed last, each
    of five octets, that prints itself with what stands around it. A CRC of itself is the solution of 32 linear equations."""
    name = b"this file within this file.zip"

    def literal(octets):
        return struct.pack("<BHH", 0, octets, octets ^ 0xffff)

    def build(crc):
        fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, crc, packed, size, len(name), 0)
        head = b"PK\3\4" + fields + name
        tail = b"PK\1\2" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
        tail += b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(tail), len(head) + packed, 0)
        rest = len(tail)
        while len(last := copies(rest, [100] * (rest // 100 - 1) + [100 + rest % 100], final=True)) + len(tail) != rest:
            rest = len(last) + len(tail)
        head_again, four = copies(len(head) + 5, [len(head) + 5], empty=1), copies(20, [10, 10])
        to_head, one, fourth, none, to_tail = literal(len(head) + 5), literal(5), literal(20), literal(0), literal(rest)
        assert len(head_again) == len(four) == 5
        code = to_head + head + to_head + head_again + one + head_again + one + one + fourth + head_again + one + one + fourth + four
        code += fourth + four + fourth + four + fourth + four + fourth + four + none + none + to_tail + four + none + none + to_tail + last + tail + last
        return head, code, tail

    packed = size = 0
    head, code, tail = build(0)
    packed, size = len(code), len(head + code + tail)

    def check(crc):
        return zlib.crc32(b"".join(build(crc)))

    start, rows = check(0), []
    # Of x ^ check(x) ^ start, which is linear in x: what it is for each bit of x, as a basis.
    for bit in range(32):
        value, chosen = (1 << bit) ^ check(1 << bit) ^ start, 1 << bit
        for other, others in rows:
            if value ^ other < value:
                value, chosen = value ^ other, chosen ^ others
        if value:
            rows.append((value, chosen))
    crc, left = 0, start
    for value, chosen in sorted(rows, reverse=True):
        if left ^ value < left:
            left, crc = left ^ value, crc ^ chosen
    assert left == 0
    return b"".join(build(crc))
