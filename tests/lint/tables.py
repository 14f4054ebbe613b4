# SPDX-License-Identifier: MIT
"""Tables of a Markdown page."""


def lines_of(section, lines):
    """Number and text of each line of LINES that stands under SECTION, a heading such as "## Two sizes"."""
    inside = False
    for number, line in enumerate(lines, 1):
        if line.startswith("## "):
            inside = line.strip() == section
        if inside:
            yield number, line
