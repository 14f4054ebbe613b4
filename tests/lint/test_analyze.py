#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What tests/lint/analyze makes of the tools' output and of the list of exceptions; the tools themselves are not started."""
import importlib.machinery
import importlib.util
import json
import os
import unittest
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent / "analyze"
loader = importlib.machinery.SourceFileLoader("analyze", str(PROGRAM))
analyze = importlib.util.module_from_spec(importlib.util.spec_from_loader("analyze", loader))
loader.exec_module(analyze)

SOURCES = {"src/a/x.c": ["int f(void)", "    leak(malloc(1));", "    return *p;"]}


def source_line(path, number):
    return SOURCES[path][number - 1]


def finding(**fields):
    return analyze.Finding(**{"tool": "cppcheck", "check": "leak", "path": "src/a/x.c", "line": 2, "text": "t", "detail": (), **fields})


def exceptions(*lines):
    return analyze.read_exceptions("# comment\n\n" + "\n".join(lines))


class Exceptions(unittest.TestCase):
    LINE = "cppcheck leak src/a/x.c: leak(malloc -- it is the one who frees"

    def judge(self, findings, *lines):
        counted, stale = analyze.judge(findings, exceptions(*lines), source_line)
        return counted, [exempt.number for exempt in stale]

    def test_a_finding_that_is_not_listed_counts(self):
        self.assertEqual(([finding()], []), self.judge([finding()]))

    def test_a_listed_finding_does_not(self):
        self.assertEqual(([], []), self.judge([finding()], self.LINE))
        self.assertEqual(([], []), self.judge([finding()], self.LINE.replace("src/a/x.c", "*")))

    def test_another_tool_check_file_or_line_counts_and_the_exception_is_stale(self):
        for other in [finding(tool="gcc-fanalyzer"), finding(check="null"), finding(line=3)]:
            with self.subTest(other=other):
                self.assertEqual(([other], [3]), self.judge([other], self.LINE))
        self.assertEqual(([finding()], [3]), self.judge([finding()], self.LINE.replace("x.c", "y.c")))

    def test_an_exception_without_a_finding_is_stale(self):
        self.assertEqual(([], [4]), self.judge([finding()], self.LINE, self.LINE.replace("leak(malloc", "calloc")))

    def test_an_unreadable_exception_is_an_error(self):
        for line in ["cppcheck leak src/a/x.c: text", "cppcheck leak src/a/x.c: text -- because", "gcc leak src/a/x.c: text -- " + "why " * 5,
                     "cppcheck leak src/a/x.c:  -- it is the one who frees"]:
            with self.subTest(line=line), self.assertRaises(analyze.Trouble):
                exceptions(line)

    def test_the_committed_list_is_readable(self):
        self.assertTrue(analyze.read_exceptions(analyze.LIST.read_text()))

    def test_suppressions_in_sources_count(self):
        name = os.path.relpath(__file__, analyze.ROOT)
        found = analyze.suppressions_in_sources([name])
        self.assertEqual(["suppression"], [f.check for f in found])  # that of the next line
        self.assertIn("NOLINT", found[0].text)

    def test_headers_are_sources_too(self):
        self.assertIn("src/base/list.h", analyze.headers())
        self.assertIn("include/postern/engine.h", analyze.headers())


class Output(unittest.TestCase):
    def test_clang_tidy(self):
        text = (f"{analyze.ROOT}/src/a/x.c:7:3: error: bad thing [bugprone-x,-warnings-as-errors]\n  code;\n  ^~~\n"
                f"{analyze.ROOT}/src/a/x.c:5:1: note: assuming 'p' is NULL\n"
                f"{analyze.ROOT}/src/a/x.h:9:1: error: wide \nfirst, \nsecond [clang-analyzer-y,-warnings-as-errors]\nstruct x {{\n")
        first, second = analyze.parse_text("clang-tidy", text)
        self.assertEqual(("bugprone-x", "src/a/x.c", 7, "bad thing"), (first.check, first.path, first.line, first.text))
        self.assertEqual(3, len(first.detail))
        self.assertEqual(("clang-analyzer-y", "src/a/x.h", 9), (second.check, second.path, second.line))

    def test_cppcheck(self):
        found = analyze.parse_text("cppcheck", "src/a/x.c:7:3: warning: Null pointer [nullPointer]\nnofile:0:0: information: odd [odd]\n")
        self.assertEqual([("src/a/x.c", 7, "nullPointer"), ("nofile", 0, "odd")], [(f.path, f.line, f.check) for f in found])

    def test_gcc(self):
        caret = {"file": "../../src/a/x.c", "line": 4, "column": 2}
        item = {"kind": "warning", "option": "-Wanalyzer-malloc-leak", "message": "leak of p", "locations": [{"caret": caret}],
                "path": [{"location": caret, "function": "f", "description": "allocated here"}]}
        found, = analyze.parse_gcc("some line\n" + json.dumps([item]) + "\n", analyze.ROOT / "build/analyze")
        self.assertEqual(("analyzer-malloc-leak", "src/a/x.c", 4, "leak of p"), (found.check, found.path, found.line, found.text))
        self.assertEqual(("  src/a/x.c:4: f: allocated here",), found.detail)
        self.assertEqual([], analyze.parse_gcc("[]\n"))


if __name__ == "__main__":
    unittest.main()
