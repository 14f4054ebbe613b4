#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lint of sizes on small made-up tables."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sizes

TABLE = ["## Other\n", "| `elsewhere` | a |\n", "## Two sizes\n", "| name | what |\n", "|---|---|\n", "| `large` | a |\n", "| `player` | b |\n",
         "## Next\n", "| `later` | a |\n"]


class Sizes(unittest.TestCase):
    def test_a_table_with_every_form_is_fine(self):
        self.assertEqual(sizes.check(TABLE, ["large   text (n 1 / 2)", "player  text"]), [])

    def test_a_form_without_a_row_is_a_breach(self):
        self.assertEqual(sizes.check(TABLE, ["large x", "player x", "reload x"]), [f"{sizes.TABLE}: no row for reload under '## Two sizes'"])

    def test_a_row_without_a_form_is_a_breach(self):
        self.assertEqual(sizes.check(TABLE, ["player x"]), [f"{sizes.TABLE}:6: tests/soak/run knows no large"])

    def test_a_table_or_a_list_that_is_empty_is_a_breach(self):
        self.assertEqual(len(sizes.check([], ["large x"])), 1)
        self.assertEqual(len(sizes.check(TABLE, [])), 1)


if __name__ == "__main__":
    unittest.main()
