"""The lines of text in each box, and with them its size."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from . import measure
from .formulas import shown
from .ir import Group, Line, LocalLine, Statistics
from .numbers import short

__all__ = [
    "FONTS",
    "box_size",
    "group_lines",
    "label_width",
    "leaf_lines",
    "number_word",
    "operation_lines",
    "shape_text",
    "title_width",
]

width, shorten = functools.lru_cache(8192)(measure.width), functools.lru_cache(8192)(measure.shorten)  # of equal boxes, once

FONTS = {
    "title": (14.0, True, 19.0), "class": (12.5, False, 17.0), "formula": (12.5, False, 17.0), "derivative": (12.5, False, 17.0),
    "muted": (12.0, False, 17.0), "value": (12.0, False, 17.0), "gradient": (12.0, False, 17.0), "warn": (12.0, True, 17.0),
}  # fmt: skip
"""Of each style of a line: the size of its letters, whether they are bold, the height of the line."""

PADDING, MARGIN = 12.0, 8.0
"""Left and right, and above and below the text in a box."""

DERIVATIVES = 4
"""More lines of local derivatives do not help in a box; the panel and the tooltip have all."""
LONG, SMALL = 46, 3


def box_size(lines: Sequence[Line]) -> tuple[float, float]:
    """The width and the height of a box with these lines."""
    widest = max((width(text, FONTS[style][0], FONTS[style][1]) for style, text in lines), default=0.0)
    return round(max(widest + 2 * PADDING, 44.0), 1), round(sum(FONTS[style][2] for style, _ in lines) + 2 * MARGIN, 1)


def label_width(label: str) -> float:
    """The width of the number beside an edge; 0 without one."""
    return round(width(label, 11) + 6, 1) if label else 0.0


def title_width(title: str, subtitle: str) -> float:
    """What the title bar of an open group needs."""
    return round(width(f"▾ {title}", 14, True) + (width(f" {subtitle}", 12.5) if subtitle else 0) + 2 * PADDING + 8, 1)


def shape_text(shape: Sequence[int], dtype: str = "") -> str:
    """(16, 4) float64; a scalar has no shape to tell."""
    text = f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})" if shape else "scalar"
    return f"{text} {dtype}" if dtype else text


def number_word(n: int, word: str) -> str:
    """1 operation, 1,200 operations."""
    return f"{n:,} {word}{'s' * (n != 1)}"


WORDS = {"nan": "NaN", "inf": "∞", "-inf": "−∞"}


def values_line(values: Statistics, name: str) -> str:
    """The entries of a small array: "e = -6", "[1, 2]"."""
    digits = 4 if values["size"] == 1 else 2
    entries = [WORDS[v] if isinstance(v, str) else short(v, digits) for v in values["preview"]]
    text = entries[0] if values["size"] == 1 else f"[{', '.join(entries)}]"
    return f"{name} = {text}" if name else text


def is_small(values: Statistics | None) -> bool:
    """Whether the entries of an array fit in a box."""
    return values is not None and 0 < len(values["preview"]) == values["size"] <= SMALL


def number_lines(values: Statistics, gradient: Statistics | None, name: str, arrivals: int = 0) -> list[Line]:
    """Value and gradient of a small array, the size of a gradient that is a sum, and what is not finite."""
    lines: list[Line] = []
    if is_small(values):
        lines.append(("value", values_line(values, name)))
    if gradient is not None and is_small(gradient):
        lines.append(("gradient", values_line(gradient, "grad")))
    elif gradient is not None and arrivals > 1 and gradient["rms"] is not None:  # the arrows have only its parts
        lines.append(("gradient", f"grad RMS {short(gradient['rms'])}, a sum of {arrivals}"))
    if values["inf"] and not values["nan"]:  # no alarm: a mask may be −∞
        lines.append(("muted", f"{values['inf']:,} of {values['size']:,} infinite"))
    for what, found in (("value", values), ("gradient", gradient)):
        if found is not None and (found["nan"] or (found["inf"] and what == "gradient")):
            bad = [f"{n:,} {word}" for n, word in ((found["nan"], "NaN"), (found["inf"], "∞")) if n]
            lines.append(("warn", f"⚠ {what}: {', '.join(bad)}" + (f" of {found['size']:,}" if found["size"] > 1 else "")))
    return lines


def leaf_lines(
    title: str, shape: Sequence[int], dtype: str, values: Statistics, gradient: Statistics | None, arrivals: int = 0
) -> list[Line]:
    """An input, a parameter, a constant, or a result's own box."""
    size = f"|{shorten(title, 20)}|" if dtype.startswith("complex") else ""  # of complex numbers the absolute value is shown
    return [("title", shorten(title, 28)), ("muted", shape_text(shape, dtype)), *number_lines(values, gradient, size, arrivals)]


def operation_lines(
    title: str,
    name: str,
    formula: str,
    derivatives: Sequence[LocalLine],
    shape: Sequence[int],
    values: Statistics,
    gradient: Statistics | None,
    arrivals: int = 0,
) -> list[Line]:
    """An operation: its name, formula, local derivatives, and its result."""
    lines: list[Line] = [("title", shorten(title, 28))]
    if formula:
        lines.append(("formula", shorten(shown(formula), LONG)))
    told = [([*map(shown, d["before"])], d["shown"]) for d in derivatives]
    for before, text in told[:DERIVATIVES] if len(told) <= DERIVATIVES else told[: DERIVATIVES - 1]:
        lines += [("derivative", shorten(line, LONG)) for line in (*before, text)]
    if len(told) > DERIVATIVES:
        lines.append(("derivative", f"… {len(told) - DERIVATIVES + 1:,} more"))
    small = is_small(values)
    if not small or shape:
        lines.append(("muted", f"{shorten(name, 20)}: {shape_text(shape)}" if name and not small else shape_text(shape)))
    return [*lines, *number_lines(values, gradient, shorten(name, 20) or "z", arrivals)]


def group_lines(group: Group) -> list[Line]:
    """A closed group."""
    lines: list[Line] = [("title", f"▸ {shorten(group['title'], 40)}")]
    if group["subtitle"]:
        lines.append(("class", shorten(group["subtitle"], 48)))
    told = [number_word(group["operations"], "operation")] if group["operations"] else []
    if group["numbers"]:
        told.append(number_word(group["numbers"], "parameter"))
    if told:
        lines.append(("muted", ", ".join(told)))
    if group["shape"] is not None:
        lines.append(("muted", f"→ {shape_text(group['shape'])}"))
    if group["warn"]:
        lines.append(("warn", {"nan": "⚠ NaN or ∞ inside", "zero": "⚠ all gradients inside are 0"}[group["warn"]]))
    return lines
