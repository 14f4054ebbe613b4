#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds docs/TESTING.md's table of attacks and faults to the tests: each file that a row names is there, and names the row's id.

    ids.py ROOT        prints what does not fit, as docs/TESTING.md:line: text, and exits 1 if anything does

In a row `| ID | attack | tests |`, words in backquotes that end in .c or .py are files below tests/, or beside the file named before; `*` is
any name. Words behind "fuzz target" are targets, FOLDER_NAME of tests/fuzz/…/FOLDER/fuzz_NAME.c.
"""
import os
import re
import sys
from glob import glob

TABLE = "docs/TESTING.md"
ROW = re.compile(r"\| ([A-Z]\d{2}) \|.*\| ([^|]*) \|$")


def files_of(tests, word, before):
    """The files that WORD means; BEFORE: the folder of the file before it."""
    for folder in ("", before, os.path.dirname(before)):
        found = glob(os.path.join(tests, folder, word))
        if found:
            return sorted(found)
    return []


def target_of(tests, name):
    for path in glob(os.path.join(tests, "fuzz/**/fuzz_*.c"), recursive=True):
        folder, base = os.path.basename(os.path.dirname(path)), os.path.basename(path)[len("fuzz_"):-2]
        if f"{folder}_{base}" == name:
            return [path]
    return []


def named(tests, cell):
    """(word, files) of everything in CELL that means files."""
    before, fuzz = "", False
    for text, word in re.findall(r"([^`]*)`([^`]*)`", cell):
        fuzz = "fuzz target" in text or (fuzz and re.fullmatch(r",? ?(and )?", text) is not None)
        if fuzz:
            yield word, target_of(tests, word)
        elif word.endswith((".c", ".py")):
            files = files_of(tests, word, before)
            if files:
                before = os.path.relpath(os.path.dirname(files[0]), tests)
            yield word, files


def check(root):
    """What does not fit, one line each."""
    breaches, rows = [], 0
    tests = os.path.join(root, "tests")
    with open(os.path.join(root, TABLE), encoding="utf-8") as table:
        for number, line in enumerate(table, 1):
            row = ROW.match(line.rstrip("\n"))
            if not row:
                continue
            rows += 1
            identity = re.compile(rf"(?<![A-Za-z0-9]){row[1]}(?![0-9])", re.IGNORECASE)
            words = list(named(tests, row[2]))
            if not words:
                breaches.append(f"{TABLE}:{number}: {row[1]} names no file of tests")
            for word, files in words:
                if not files:
                    breaches.append(f"{TABLE}:{number}: {row[1]}: there is no {word} below tests")
                for path in files:
                    with open(path, encoding="utf-8") as file:
                        if not identity.search(file.read()):
                            breaches.append(f"{TABLE}:{number}: {row[1]} does not occur in {os.path.relpath(path, root)}")
    if rows == 0:
        breaches.append(f"{TABLE}: there is no row `| ID | attack | tests |` in it")
    return breaches


if __name__ == "__main__":
    found = check(sys.argv[1])
    print("\n".join(found))
    sys.exit(1 if found else 0)
