#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lint of ids on small made-up trees."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ids

HEAD = "| id | attack or fault | tests |\n|---|---|---|\n"


class Tree(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.write("tests/unit/spool/test_one.c", "/* B41 */")
        self.write("tests/unit/spool/test_two.c", "/* of B42, and B43 */")
        self.write("tests/unit/spool/host/test_three.c", "/* (B41) */")
        self.write("tests/e2e/test_four.py", "def test_b41_holds(): ...")
        self.write("tests/fuzz/scan/fuzz_ipc.c", "/* B41 */")
        self.write("tests/fuzz/scan/engine/fuzz_reply.c", "/* B41 */")

    def write(self, path, text):
        path = os.path.join(self.directory.name, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def expect(self, cell, *breaches):
        self.write(ids.TABLE, HEAD + f"| B41 | something | {cell} |\n")
        found = ids.check(self.directory.name)
        self.assertEqual(len(found), len(breaches), found)
        for line, text in zip(found, breaches):
            self.assertIn(text, line)
            self.assertTrue(line.startswith(ids.TABLE + ":3: B41"), line)

    def test_files_that_name_the_id_are_fine(self):
        self.expect("`unit/spool/test_one.c` (a file), `e2e/test_four.py`, the emulators")
        self.expect("`unit/spool/test_one.c`, `host/test_three.c`, `test_one.c`")
        self.expect("fuzz targets `scan_ipc`, `engine_reply`, the emulators in `e2e/test_four.py`")

    def test_a_file_that_does_not_name_the_id_is_a_breach(self):
        self.expect("`unit/spool/test_one.c`, `test_two.c`", "does not occur in tests/unit/spool/test_two.c")
        self.expect("`unit/spool/test_*.c`", "does not occur in tests/unit/spool/test_two.c")

    def test_a_file_that_is_not_there_is_a_breach(self):
        self.expect("`unit/spool/test_five.c`", "there is no unit/spool/test_five.c")
        self.expect("fuzz target `scan_other`", "there is no scan_other")

    def test_a_row_without_files_is_a_breach(self):
        self.expect("`tests/soak/run --minutes`", "names no file")

    def test_a_longer_id_is_another(self):
        self.write("tests/unit/spool/test_one.c", "/* B410, AB41 */")
        self.expect("`unit/spool/test_one.c`", "does not occur")

    def test_a_table_that_is_not_there_is_a_breach(self):
        self.write(ids.TABLE, "nothing\n")
        self.assertEqual(len(ids.check(self.directory.name)), 1)


if __name__ == "__main__":
    unittest.main()
