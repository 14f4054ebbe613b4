#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The linter on small made-up trees: each rule is broken once, and kept once."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import includes

SPDX = "/* SPDX-License-Identifier: MIT */\n"


class Tree(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def write(self, path, text):
        path = os.path.join(self.directory.name, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def breaches(self):
        return includes.check(self.directory.name)

    def expect(self, path, line, *words):
        """PATH is the only file that breaks a rule, once, in LINE, with WORDS in the text."""
        found = self.breaches()
        self.assertEqual([(path, line)], [(name, number) for name, number, _ in found], found)
        for word in words:
            self.assertIn(word, found[0][2])

    def test_accepts_what_the_table_allows(self):
        for folder, headers in {
            "base": ["base/buf.h"], "conf": ["base/buf.h", "conf/tree.h"],
            "smtp": ["conf/directive.h", "smtp/ext.def"],
            "policy": ["smtp/path.h", "scan/verdict.h"], "spool": ["digest/sha256.h", "io/iopool.h", "sys/memfd.h"],
            "scan": ["io/loop.h", "conf/directive.h", "scan/verdict.def"],
            "scan/engine": ["scan/framework.h", "conf/conf.h", "digest/sha256.h"],
            "scan/host": ["scan/engine/engine.h", "io/loop.h", "io/deadline.h", "scan/scan_ipc.h"],
            "proxy": ["smtp/server.h", "scan/scan_run.h", "conf/conf.h"],
            "daemon": ["scan/host/host.h", "proxy/proxy_conf.h"],
        }.items():
            self.write(f"src/{folder}/a.c", SPDX + "".join(f'#include "{header}"\n' for header in headers))
        self.assertEqual([], self.breaches())

    def test_finds_includes_against_the_table(self):
        for folder, header in [
                ("base", "conf/conf.h"), ("conf", "io/loop.h"), ("smtp", "io/stream.h"), ("smtp", "conf/conf.h"),
                ("policy", "smtp/server.h"), ("policy", "scan/framework.h"), ("sys", "io/loop.h"),
                ("io", "conf/conf.h"), ("digest", "io/loop.h"), ("spool", "smtp/smtp.h"),
                ("scan", "scan/engine/engine.h"),
                ("scan", "scan/host/host.h"), ("scan/engine", "scan/host/host.h"), ("scan/engine", "smtp/smtp.h"),
                ("scan/host", "io/stream.h"), ("scan/host", "proxy/session.h"), ("proxy", "scan/engine/engine.h"),
                ("proxy", "daemon/role.h")]:
            with self.subTest(folder=folder, header=header):
                self.write(f"src/{folder}/a.c", f'{SPDX}\n# include  "{header}"\n')
                self.expect(f"src/{folder}/a.c", 3, header, f"src/{folder}")
                os.remove(os.path.join(self.directory.name, f"src/{folder}/a.c"))

    def test_finds_includes_that_are_not_from_src(self):
        self.write("src/io/a.c", SPDX + '#include "loop.h"\n')
        self.expect("src/io/a.c", 2, "folder/file.h")
        self.write("src/io/a.c", SPDX + '#include "io/../smtp/smtp.h"\n')
        self.expect("src/io/a.c", 2, "folder/file.h")

    def test_finds_a_folder_without_a_row(self):
        self.write("src/extra/a.c", SPDX)
        self.expect("src/extra/a.c", 1, "src/extra has no row")

    def test_libraries_have_one_home(self):
        homes = {
            "ev.h": "io/a.c", "openssl/evp.h": "digest/a.c", "openssl/ssl.h": "tls/a.c",
            "clamav.h": "scan/engine/clamav_limits.c", "ldns/ldns.h": "dns/a.c", "seccomp.h": "sys/a.c",
            "linux/landlock.h": "sys/b.c", "gmime/gmime.h": "scan/host/a.c"}
        for header, home in homes.items():
            self.write("src/" + home, f"{SPDX}#include <{header}>\n")
        self.assertEqual([], self.breaches())
        for header in homes:
            for path in ["proxy/x.c", "scan/engine/fake.c", "scan/x.h"]:
                with self.subTest(header=header, path=path):
                    self.write("src/" + path, f"{SPDX}#include <{header}>\n")
                    self.expect("src/" + path, 2, header, "only home")
                    os.remove(os.path.join(self.directory.name, "src", path))

    def test_base_uses_the_c_standard_only(self):
        self.write("src/base/a.c", SPDX + "#include <stdarg.h>\n#include <time.h>\n#include <stdalign.h>\n")
        self.assertEqual([], self.breaches())
        for header in ["unistd.h", "sys/types.h", "pthread.h"]:
            self.write("src/base/a.c", SPDX + f"#include <{header}>\n")
            self.expect("src/base/a.c", 2, header, "C standard")

    def test_every_source_says_its_licence_first(self):
        self.write("src/io/a.h", "/* Purpose. */\n" + SPDX)
        self.expect("src/io/a.h", 1, "SPDX")
        self.write("src/io/a.h", "")
        self.expect("src/io/a.h", 1, "SPDX")

    def test_paths_of_the_machine_are_found_anywhere(self):
        self.write("src/io/a.c", SPDX)
        for top in ["wo" + "rk", "ho" + "me", "ro" + "ot"]:
            for text in [f'"/{top}/x"', f"see /{top}/shared", f"a=/{top}"]:
                with self.subTest(text=text):
                    self.write("docs/a.md", "one\n" + text + "\n")
                    self.expect("docs/a.md", 2, "/" + top)
        for text in ["src/" + "work/x", "$dir/" + "home", "/" + "workers", "/" + "root-ca", "~/" + "x", "//" + "home"]:
            with self.subTest(text=text):
                self.write("docs/a.md", text)
                self.assertEqual([], self.breaches())

    def test_the_test_virus_is_found_in_clear(self):
        self.write("src/io/a.c", SPDX)
        virus = includes.test_virus()
        self.assertEqual(68, len(virus))
        for text in [virus, b"\0\1" + virus, b'"' + virus.replace(b"\\", b"\\\\") + b'"']:
            self.write("tests/data/x.bin", b"first\n" + text)
            self.expect("tests/data/x.bin", 2, "test string")
        self.write("tests/data/x.bin", virus.hex())
        self.assertEqual([], self.breaches())

    def test_an_empty_tree_is_no_success(self):
        self.expect("src", 1, "no source files")

    def test_the_program_prints_breaches_and_fails(self):
        program = [sys.executable, includes.__file__, self.directory.name]
        self.write("src/io/a.c", SPDX)
        clean = subprocess.run(program, capture_output=True, text=True, check=False)
        self.assertEqual((0, ""), (clean.returncode, clean.stdout))
        self.write("src/sys/a.c", SPDX + "#include <ev.h>\n")
        broken = subprocess.run(program, capture_output=True, text=True, check=False)
        self.assertEqual(1, broken.returncode)
        self.assertEqual("src/sys/a.c:2: #include <ev.h>: its only home is src/io\n", broken.stdout)


if __name__ == "__main__":
    unittest.main()
