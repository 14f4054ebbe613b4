#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the source tree to its layout: who may include whom, one home for each library, and what no file may contain.

    includes.py ROOT        prints what breaks, as file:line: text, and exits 1 if anything does

The table is that of the design: a folder may include itself, whole folders, and single headers of others. A folder
without a row is an error, so that nobody adds one without deciding where it stands.
"""
import os
import re
import subprocess
import sys

# Entries that end in "/" are whole folders without their subfolders, the others single headers.
MAY_INCLUDE = {
    "base": [],
    "conf": ["base/"],
    "smtp": ["base/", "conf/directive.h"],
    "mime": ["base/"],
    "policy": ["base/", "conf/directive.h", "smtp/path.h", "smtp/reply.h", "scan/verdict.h"],
    "sys": ["base/"],
    "io": ["base/", "sys/", "conf/directive.h"],
    "digest": ["base/"],
    "tls": ["base/", "sys/", "io/", "digest/", "conf/directive.h"],
    "dns": ["base/", "sys/", "io/", "digest/", "conf/directive.h"],
    "spool": ["base/", "sys/", "io/", "digest/", "conf/directive.h"],
    "scan": ["base/", "sys/", "io/", "conf/directive.h", "mime/mime.h"],
    "scan/engine": ["base/", "sys/", "conf/", "digest/", "io/loop.h", "io/deadline.h", "mime/locked.h", "scan/"],
    "scan/host": ["base/", "sys/", "conf/", "digest/", "io/loop.h", "io/deadline.h", "mime/", "scan/", "scan/engine/"],
    "plugin": ["base/", "scan/engine/", "scan/host/inspect.h"],
    "runner": ["base/", "sys/", "scan/", "scan/engine/", "scan/host/"],
    "avscan": ["base/", "sys/", "conf/", "scan/", "scan/engine/", "scan/host/"],
    "proxy": ["base/", "conf/", "smtp/", "policy/", "sys/", "io/", "digest/", "tls/", "dns/", "spool/", "scan/"],
    "daemon": ["base/", "conf/", "smtp/", "policy/", "sys/", "io/", "digest/", "tls/", "dns/", "spool/", "scan/",
               "scan/engine/", "scan/host/", "proxy/"],
}

# Library headers and the only places, below src/, that may include them.
HOMES = [
    (re.compile(r"(libev/)?ev(\+\+)?\.h$"), re.compile(r"io/"), "src/io"),
    (re.compile(r"openssl/"), re.compile(r"(tls|digest)/"), "src/tls and src/digest"),
    (re.compile(r"clamav(-types)?\.h$"), re.compile(r"scan/engine/clamav[^/]*\.c$"), "src/scan/engine/clamav*.c"),
    (re.compile(r"postern/"), re.compile(r"scan/engine/plugin[^/]*\.c$"), "src/scan/engine/plugin*.c"),
    (re.compile(r"ldns/"), re.compile(r"dns/"), "src/dns"),
    (re.compile(r"(seccomp|linux/(landlock|seccomp))\.h$"), re.compile(r"sys/"), "src/sys"),
    (re.compile(r"(gmime(-[\d.]+)?/|glib)"), re.compile(r"scan/host/"), "src/scan/host"),
    (re.compile(r"zlib\.h$"), re.compile(r"mime/"), "src/mime"),
    (re.compile(r"(histedit\.h$|editline/)"), re.compile(r"daemon/console_main\.c$"), "src/daemon/console_main.c"),
]

# The C standard's own headers: all that src/base may use.
STANDARD = set("""assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg
stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype""".split())

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# Directories of the machine that a file was written on. Put together here, so that this file passes itself.
MACHINE_TOPS = ["wo" + "rk", "ho" + "me", "ro" + "ot"]
MACHINE_PATH = re.compile(r"(?<![\w.\-/})$*])/(?:" + "|".join(MACHINE_TOPS) + r")(?![\w-])")
SKIPPED = {".git", "build", "__pycache__", ".pytest_cache"}


def test_virus():
    """The standard anti-virus test string, which no file may contain in clear: scanners would remove it."""
    return b"X5O!P%@AP[4" + b"\\PZX54(P^)7CC)7}" + b"$EICAR-" + b"STANDARD-" + b"ANTIVIRUS-" + b"TEST-FILE!" + b"$H+H*"


def folder_of(path, known):
    """The longest known folder that PATH, relative to src/, lies in; its own directory when none is."""
    directory = os.path.dirname(path)
    while directory and directory not in known:
        directory = os.path.dirname(directory)
    return directory or os.path.dirname(path)


def may_include(folder, header):
    allowed = MAY_INCLUDE[folder] + [folder + "/"]
    return header in allowed or os.path.dirname(header) + "/" in allowed


def check_own(path, number, header):
    folder = folder_of(path, MAY_INCLUDE)
    if folder not in MAY_INCLUDE:
        return []  # reported once for the file
    if "/" not in header or ".." in header.split("/"):
        return [(number, f'#include "{header}": expected "folder/file.h", from src/')]
    if may_include(folder, header):
        return []
    row = ", ".join(MAY_INCLUDE[folder]) or "nothing of ours"
    return [(number, f'#include "{header}": src/{folder} may include only itself and {row}')]


def check_library(path, number, header):
    found = []
    for pattern, home, name in HOMES:
        if pattern.match(header) and not home.match(path):
            found.append((number, f"#include <{header}>: its only home is {name}"))
    if path.startswith("base/") and not (header.endswith(".h") and header[:-2] in STANDARD):
        found.append((number, f"#include <{header}>: src/base may use headers of the C standard only"))
    return found


def check_source(path, text):
    """PATH is relative to src/."""
    found = []
    lines = text.split("\n")
    if "SPDX-License-Identifier: MIT" not in lines[0]:
        found.append((1, "expected SPDX-License-Identifier: MIT in the first line"))
    if folder_of(path, MAY_INCLUDE) not in MAY_INCLUDE and path.endswith((".c", ".h", ".def")):
        found.append((1, f"src/{os.path.dirname(path)} has no row in the table of who may include whom"))
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            found += check_own(path, number, match[2]) if match[1] == '"' else check_library(path, number, match[2])
    return found


def check_content(data):
    found = []
    virus = test_virus()
    plain = data.replace(b"\\\\", b"\\")
    for needle in (virus, virus.replace(b"$", b"\\$")):
        for haystack in (data, plain):
            at = haystack.find(needle)
            if at >= 0:
                found.append((haystack.count(b"\n", 0, at) + 1, "the anti-virus test string in clear"))
    found = found[:1]
    if b"\0" in data[:8192]:
        return found
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        match = MACHINE_PATH.search(line)
        if match:
            found.append((number, f"an absolute path of the machine it was written on: {match[0]}"))
    return found


def files_of(root):
    """The files of the repository, or of the directory where it is none."""
    try:
        listing = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        names = [os.fsdecode(name) for name in listing.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = []
    if not names:
        for directory, folders, files in os.walk(root):
            folders[:] = [folder for folder in folders if folder not in SKIPPED]
            names += [os.path.relpath(os.path.join(directory, name), root) for name in files]
    return sorted(name for name in set(names)
                  if os.path.isfile(os.path.join(root, name)) and not os.path.islink(os.path.join(root, name)))


def check(root):
    """Every breach below ROOT as (file, line, text)."""
    found = []
    names = files_of(root)
    for name in names:
        with open(os.path.join(root, name), "rb") as file:
            data = file.read()
        breaches = check_content(data)
        if name.startswith("src/"):
            breaches += check_source(name[len("src/"):], data.decode("utf-8", "replace"))
        found += [(name, number, text) for number, text in sorted(breaches)]
    if not any(name.startswith("src/") for name in names):
        found.append(("src", 1, "no source files: is this the root of the repository?"))
    return found


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = check(arguments[1])
    for name, number, text in found:
        print(f"{name}:{number}: {text}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
