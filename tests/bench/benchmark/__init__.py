# SPDX-License-Identifier: MIT
"""The benchmark: the same messages through every program, in turns, on one machine.

corpus     generated signature database and messages, always the same
programs   what is measured: postern, the peers with their configurations, libclamav alone; source and sink
account    CPU time and memory of families of processes, from /proc
measure    one run of one cell, rounds of cells, idle sessions, shared pages
report     medians, spreads and ratios as Markdown; svg draws the plot
reload, cache, decompose   one thing each, with clients of their own; letters makes the mail for decompose
"""
import sys
from pathlib import Path

# Unpacked peers, the private Postfix, waiting, /proc: as in the end-to-end tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "e2e"))
