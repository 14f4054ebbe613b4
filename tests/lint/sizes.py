#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds docs/TESTING.md's table "Two sizes" to the tests that have two: each form that tests/soak/run knows has its row, and each row its form.

    sizes.py ROOT      prints what does not fit, as docs/TESTING.md:line: text, and exits 1 if anything does
"""
import os
import re
import subprocess
import sys

import tables

TABLE = "docs/TESTING.md"
SECTION = "## Two sizes"
ROW = re.compile(r"\| `([\w-]+)` \|")


def rows_of(lines):
    """name → line number, of the section's table."""
    found = ((ROW.match(line), number) for number, line in tables.lines_of(SECTION, lines))
    return {row[1]: number for row, number in found if row}


def check(lines, forms):
    """What does not fit, one line each. FORMS: the lines of `tests/soak/run --list`."""
    rows = rows_of(lines)
    names = [form.split()[0] for form in forms if form.strip()]
    if not rows or not names:
        return [f"{TABLE}: {len(rows)} rows under {SECTION!r} and {len(names)} forms: expected some of both"]
    return ([f"{TABLE}:{line}: tests/soak/run knows no {name}" for name, line in rows.items() if name not in names]
            + [f"{TABLE}: no row for {name} under {SECTION!r}" for name in names if name not in rows])


def main(root):
    with open(os.path.join(root, TABLE), encoding="utf-8") as table:
        lines = table.readlines()
    listed = subprocess.run([os.path.join(root, "tests/soak/run"), "--list"], capture_output=True, text=True, check=True)
    found = check(lines, listed.stdout.splitlines())
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
