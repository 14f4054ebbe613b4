#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds docs/TESTING.md's table of fuzz targets to the targets: each has its row with promises and its corpus, and each row and corpus its
target; an input of a corpus says by its name where it comes from.

    targets.py ROOT    prints what does not fit, as path:line: text or path: text, and exits 1 if anything does
"""
import re
import sys
from pathlib import Path

import tables

TABLE = "docs/TESTING.md"
SECTION = "## Fuzzing"
CORPUS = "tests/fuzz/corpus"
ROW = re.compile(r"\| (`[\w]+`(?:, `[\w]+`)*) \| +[^| ]")
INPUT = re.compile(r"(?:seed|found|regression)-.")


def rows_of(lines):
    """name → line number, of the section's table; a row may be about several targets."""
    found = ((ROW.match(line), number) for number, line in tables.lines_of(SECTION, lines))
    return {name: number for row, number in found if row for name in re.findall(r"`(\w+)`", row[1])}


def check(lines, targets, corpora):
    """What does not fit, one line each. TARGETS: their names; CORPORA: name → names of its inputs."""
    rows = rows_of(lines)
    if not rows or not targets:
        return [f"{TABLE}: {len(rows)} rows under {SECTION!r} and {len(targets)} targets: expected some of both"]
    return ([f"{TABLE}:{line}: there is no target {name}" for name, line in rows.items() if name not in targets]
            + [f"{TABLE}: no row for {name} under {SECTION!r}" for name in targets if name not in rows]
            + [f"{CORPUS}/{name}: there is no such target" for name in corpora if name not in targets]
            + [f"{CORPUS}/{name}: no input" for name in targets if not corpora.get(name)]
            + [f"{CORPUS}/{name}/{one}: expected a name that begins with seed-, found- or regression-"
               for name, inputs in corpora.items() for one in inputs if not INPUT.match(one)])


def main(root):
    fuzz = Path(root) / "tests/fuzz"
    targets = sorted(f"{path.parent.name}_{path.stem[len('fuzz_'):]}" for path in fuzz.rglob("fuzz_*.c"))
    corpora = {path.name: sorted(one.name for one in path.iterdir()) for path in sorted((fuzz / "corpus").iterdir()) if path.is_dir()}
    found = check((Path(root) / TABLE).read_text(encoding="utf-8").splitlines(), targets, corpora)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
