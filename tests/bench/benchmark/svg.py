# SPDX-License-Identifier: MIT
"""Line plots with spread as SVG, by hand: no plotting library is worth forty packages here. Both axes are logarithmic."""
import math
from xml.sax.saxutils import escape

# Readable in print and for those who do not tell red from green (Okabe and Ito).
COLOURS = ("#000000", "#d55e00", "#e69f00", "#0072b2", "#009e73", "#cc79a7", "#999999")
WIDTH, HEIGHT, COLUMNS = 340, 250, 4
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 28, 40


def _text(x, y, text, **attributes):
    extra = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{extra}>{escape(text)}</text>'


def _scale(low, high, start, end):
    low, high = math.log10(low), math.log10(high)
    span = high - low or 1.0
    return lambda value: start + (math.log10(value) - low) / span * (end - start)


def _decades(low, high):
    for exponent in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for factor in (1, 2, 5):
            value = factor * 10.0 ** exponent
            if low <= value <= high:
                yield value


def _panel(left, top, title, series, colours):
    points = [point for line in series.values() for point in line]
    steps = sorted({p[0] for p in points})
    low, high = min(p[2] for p in points) * 0.8, max(p[3] for p in points) * 1.25
    x = _scale(steps[0], steps[-1] if len(steps) > 1 else steps[0] * 10, left + LEFT + 10, left + WIDTH - RIGHT - 10)
    y = _scale(low, high, top + HEIGHT - BOTTOM, top + TOP)
    out = [_text(left + LEFT, top + 18, title, font_weight="bold"),
           f'<rect x="{left + LEFT}" y="{top + TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}" fill="none" stroke="#888"/>']
    for value in _decades(low, high):
        out.append(f'<line x1="{left + LEFT}" x2="{left + WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>')
        out.append(_text(left + LEFT - 5, y(value) + 4, f"{value:g}", text_anchor="end"))
    for step in steps:
        out.append(_text(x(step), top + HEIGHT - BOTTOM + 15, str(step), text_anchor="middle"))
    for name, line in series.items():
        colour = colours[name]
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="' + " ".join(f"{x(p[0]):.1f},{y(p[1]):.1f}" for p in line) + '"/>')
        for sessions, middle, least, largest in line:
            out.append(f'<line x1="{x(sessions):.1f}" x2="{x(sessions):.1f}" y1="{y(least):.1f}" y2="{y(largest):.1f}" stroke="{colour}"/>')
            out.append(f'<circle cx="{x(sessions):.1f}" cy="{y(middle):.1f}" r="2.6" fill="{colour}"/>')
    return out


def draw(panels, names, x_label, y_label):
    """PANELS: (title, {name: [(x, median, least, largest)]}). NAMES: order of the legend."""
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    columns = min(COLUMNS, max(1, len(panels)))
    rows = (len(panels) + columns - 1) // columns
    width, height = columns * WIDTH, rows * HEIGHT + 34
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
           f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for index, (title, series) in enumerate(panels):
        out += _panel(index % columns * WIDTH, index // columns * HEIGHT, title, series, colours)
    at = 12
    for name in names:
        out.append(f'<line x1="{at}" x2="{at + 22}" y1="{height - 16}" y2="{height - 16}" stroke="{colours[name]}" stroke-width="3"/>')
        out.append(_text(at + 27, height - 12, name))
        at += 46 + 6.2 * len(name)
    out.append(_text(at, height - 12, f"across: {x_label}; up: {y_label}, median with least and largest"))
    return "\n".join(out + ["</svg>", ""])
