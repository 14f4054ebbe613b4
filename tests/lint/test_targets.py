#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lint of fuzz targets on small made-up tables."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import targets

TABLE = ["## Other", "| `elsewhere` | a |", "## Fuzzing", "| target | promises |", "|---|---|", "| `smtp_body` | a |", "| `conf_load`, `mime_split` | b |",
         "## Next", "| `later` | a |"]
NAMES = ["conf_load", "mime_split", "smtp_body"]
CORPORA = {"conf_load": ["seed-one", "found-two"], "mime_split": ["regression-three"], "smtp_body": ["seed-four"]}


class Targets(unittest.TestCase):
    def check(self, table=TABLE, names=NAMES, **corpora):
        return targets.check(table, names, {name: inputs for name, inputs in {**CORPORA, **corpora}.items() if inputs is not None})

    def test_a_table_and_corpora_with_every_target_are_fine(self):
        self.assertEqual(self.check(), [])

    def test_a_target_without_a_row_is_a_breach(self):
        self.assertEqual(self.check(names=[*NAMES, "mime_decode"], mime_decode=["seed-x"]), [f"{targets.TABLE}: no row for mime_decode under '## Fuzzing'"])

    def test_a_row_without_promises_is_none(self):
        self.assertEqual(self.check(table=[line.replace("| b |", "| |") for line in TABLE]),
                         [f"{targets.TABLE}: no row for {name} under '## Fuzzing'" for name in ("conf_load", "mime_split")])

    def test_a_row_or_a_corpus_without_a_target_is_a_breach(self):
        self.assertEqual(self.check(names=["conf_load", "mime_split"]),
                         [f"{targets.TABLE}:6: there is no target smtp_body", f"{targets.CORPUS}/smtp_body: there is no such target"])

    def test_a_target_without_an_input_is_a_breach(self):
        for inputs in ([], None):
            self.assertEqual(self.check(smtp_body=inputs), [f"{targets.CORPUS}/smtp_body: no input"])

    def test_an_input_that_does_not_say_where_it_comes_from_is_a_breach(self):
        for name in ("gap", "seed-", "xseed-a"):
            self.assertEqual(self.check(smtp_body=[name]),
                             [f"{targets.CORPUS}/smtp_body/{name}: expected a name that begins with seed-, found- or regression-"])

    def test_a_table_or_a_list_that_is_empty_is_a_breach(self):
        self.assertEqual(len(targets.check([], NAMES, CORPORA)), 1)
        self.assertEqual(len(targets.check(TABLE, [], CORPORA)), 1)


if __name__ == "__main__":
    unittest.main()
