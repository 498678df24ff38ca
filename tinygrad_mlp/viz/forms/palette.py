"""The colours of a drawing, light and dark, as numbers and as CSS that touches nothing outside the drawing."""

from __future__ import annotations

from ...errors import did_you_mean

__all__ = ["EDGES", "FAMILY", "INK", "KINDS", "PALETTE", "THEMES", "css", "css_variables", "paint"]

THEMES = ("auto", "light", "dark")

FAMILY = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

KINDS: tuple[str, ...] = (
    "input",
    "constant",
    "parameter",
    "tensor",
    "linear",
    "arithmetic",
    "activation",
    "reduction",
    "shape",
    "loss",
    "custom",
)
KINDS += ("other", "module")
"""What a box can be: each has a fill and a line. "module" is a closed group of any kind."""

LEVELS = tuple(f"edge-{i}" for i in range(5))
EDGES = (*LEVELS, "edge-none", "edge-zero", "edge-nan", "edge-unknown")


def table(text: str) -> dict[str, str]:
    """Names and colours, two words an entry."""
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


# Text has a contrast of at least 4.5 : 1 with every fill it can stand on, lines and edges of 3 : 1; the tests compute them all.
PALETTE = {
    "light": table(
        """
        background #ffffff       group-a #f6f8fa          group-b #eef1f4          group-line #818b98
        text #1b1f24             muted #57606a            formula #1b1f24          derivative #a5300f
        input-fill #eceff2       input-line #57606a       constant-fill #eceff2    constant-line #57606a
        parameter-fill #d9f2df   parameter-line #1f7a3d   tensor-fill #ffffff      tensor-line #57606a
        linear-fill #dbe4ff      linear-line #3b5bdb      arithmetic-fill #d3f0f7  arithmetic-line #0b7285
        activation-fill #ffe8cc  activation-line #c65d00  reduction-fill #eadcff   reduction-line #6f42c1
        shape-fill #e4e7eb       shape-line #57606a       loss-fill #ffdede        loss-line #c92a2a
        custom-fill #ffd9ec      custom-line #b02a72      other-fill #f0ecd6       other-line #6b6220
        module-fill #e6ebf1      module-line #4a5563
        edge-0 #8d7f66  edge-1 #a06d14  edge-2 #b8530e  edge-3 #a5300f  edge-4 #5f0a0a
        edge-none #6e7781  edge-zero #57606a  edge-nan #b81f54  edge-unknown #6e7781
        """
    ),
    "dark": table(
        """
        background #0d1117       group-a #151b23          group-b #1c242e          group-line #6b7580
        text #e6edf3             muted #9aa4af            formula #e6edf3          derivative #ffae5a
        input-fill #262d36       input-line #9aa4af       constant-fill #262d36    constant-line #9aa4af
        parameter-fill #12391f   parameter-line #7ddc98   tensor-fill #0d1117      tensor-line #9aa4af
        linear-fill #1c2a5e      linear-line #91a7ff      arithmetic-fill #0d3a44  arithmetic-line #66d9e8
        activation-fill #4a2c08  activation-line #ffb56b  reduction-fill #33205c   reduction-line #c4a7ff
        shape-fill #2b323b       shape-line #9aa4af       loss-fill #521822        loss-line #ff8f9e
        custom-fill #4a1445      custom-line #f79cf0      other-fill #38341a       other-line #d6c97a
        module-fill #232b36      module-line #a8b3bf
        edge-0 #8a7a60  edge-1 #b07d35  edge-2 #dd8a2b  edge-3 #ffb86b  edge-4 #ffe0b0
        edge-none #8b949e  edge-zero #9aa4af  edge-nan #ff6fa5  edge-unknown #8b949e
        """
    ),
}

INK = {"title": "text", "muted": "muted", "formula": "formula", "derivative": "derivative", "value": "text"}
INK |= {"gradient": "derivative", "class": "muted", "label": "muted", "note": "muted", "warn": "edge-nan"}
"""Which colour each style of text has."""


def paint(theme: str) -> dict[str, str]:
    """The colours that are written into the drawing itself: of the theme; of the light one where the reader's choice decides."""
    if theme not in THEMES:
        raise did_you_mean("theme", theme, THEMES)
    return PALETTE["dark" if theme == "dark" else "light"]


def css_variables(theme: str) -> str:
    """The declarations of one theme's colours: ``--input-fill: #eceff2; …``."""
    return " ".join(f"--{name}: {colour};" for name, colour in paint(theme).items())


def css(prefix: str, theme: str = "auto") -> str:
    """The style sheet of one drawing: every rule begins with its class, ``.prefix``.

    With "auto" the reader's setting chooses between light and dark, and paper is light; "light" and "dark" force one. Where the
    system forces its own colours, boxes keep their borders.
    """
    me = f".{prefix}"
    rules = [f"{me} {{ {css_variables(theme)} }}"]
    if theme == "auto":
        rules.append(f"@media (prefers-color-scheme: dark) {{ {me} {{ {css_variables('dark')} }} }}")
        rules.append(f"@media print {{ {me} {{ {css_variables('light')} }} }}")
    rules += [f"{me} .{kind} > .box {{ fill: var(--{kind}-fill); stroke: var(--{kind}-line); }}" for kind in KINDS]
    rules += [f"{me} .{style} {{ fill: var(--{ink}); }}" for style, ink in INK.items()]
    rules += [
        f"{me} .{edge} > .line {{ stroke: var(--{edge}); }} {me} .{edge} > .head {{ fill: var(--{edge}); }}" for edge in EDGES
    ]
    rules += [
        f"{me} .paper {{ fill: var(--background); }}",
        f"{me} .frame {{ stroke: var(--group-line); }}",
        f"{me} .even > .frame {{ fill: var(--group-a); }} {me} .odd > .frame {{ fill: var(--group-b); }}",
        f"{me} .label {{ stroke: var(--background); }}",
        f"{me} .edge-nan > .label {{ fill: var(--edge-nan); }}",
        f"{me} .badge {{ fill: var(--background); stroke: var(--edge-nan); }}",
        forced(me),
    ]
    return "\n".join(rules)


def forced(me: str) -> str:
    """What holds where the system has colours of its own (Windows' high contrast)."""
    ink = ", ".join(f"{me} {part}" for part in (".box", ".frame", ".badge"))
    return (
        f"@media (forced-colors: active) {{ {ink} {{ fill: Canvas; stroke: CanvasText; }} {me} text {{ fill: CanvasText; }} "
        f"{me} .label {{ stroke: Canvas; }} {me} .paper {{ fill: Canvas; }} {me} .line {{ stroke: CanvasText; }} "
        f"{me} .head {{ fill: CanvasText; }} }}"
    )
