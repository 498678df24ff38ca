"""The interactive page: one HTML file that plays a computation forward and backward, without a network or a server."""

from __future__ import annotations

import functools
import html
import re
from importlib.resources import files

from ..forms.palette import EDGES, FAMILY, INK, KINDS, paint
from ..graph.ir import Graph, dumps

__all__ = ["frame", "page"]

SCRIPTS = tuple("element words view layout timeline draw camera charts story panel finder legend app start".split())
"""The parts of the script, in order: what a part uses when it is read comes before it."""

COMMENTS = re.compile(r"^[ \t]*//[^\n]*\n|[ \t]*/\*\*.*?\*/", re.MULTILINE | re.DOTALL)


def page(graph: Graph, theme: str = "auto") -> str:
    """The page of a graph, as one HTML text that needs nothing else.

    Whatever comes from the graph is data: the page writes it as text, never as markup, and its policy lets nothing be loaded.

    Parameters
    ----------
    graph : the description, see :mod:`tinygrad_mlp.viz.graph.ir`
    theme : "auto" follows the reader's system; "light" and "dark" are what the page begins with
    """
    paint(theme)  # refuses unknown themes
    parts = {
        "theme": theme,
        "title": html.escape(graph["title"] or "computation graph"),
        "style": style(),
        "data": harmless(dumps(graph)),
        "script": script(),
    }
    return re.sub(r"{{(\w+)}}", lambda match: parts[match[1]], resource("page.html"))


def frame(text: str, height: int = 760) -> str:
    """A page inside another one, as for a notebook: in a frame of its own, so that no name and no style gets in or out."""
    return (
        f'<iframe srcdoc="{html.escape(text)}" title="computation graph, step by step" sandbox="allow-scripts" '
        f'style="width:100%;height:{height}px;border:1px solid #818b98;border-radius:6px" loading="lazy"></iframe>'
    )


def harmless(data: str) -> str:
    """JSON that cannot end the script element that it stands in, nor a line of it."""
    return data.translate({ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


@functools.cache
def script() -> str:
    """The whole script, without its comments and indentation: they are for those who read the files."""
    return '"use strict";\n' + "\n".join(bare(resource(f"{name}.js")) for name in SCRIPTS)


def bare(source: str) -> str:
    """A script without comments, indentation and empty lines."""
    return "\n".join(line.strip() for line in COMMENTS.sub("", source).splitlines() if line.strip())


@functools.cache
def style() -> str:
    """The style sheet, without spaces that mean nothing: the colours of the drawing, light and dark, and the rules of the page."""
    light, dark = paint("light"), paint("dark")
    colours = " ".join(f"--{name}: light-dark({colour}, {dark[name]});" for name, colour in light.items())
    rules = [
        f":root {{ color-scheme: light dark; --family: {FAMILY}; {colours} }}",
        ':root[data-theme="light"] { color-scheme: light; }',
        ':root[data-theme="dark"] { color-scheme: dark; }',
        "@media print { :root:root:root { color-scheme: light; } }",
    ]
    rules += [f".{kind} > .box {{ fill: var(--{kind}-fill); stroke: var(--{kind}-line); }}" for kind in KINDS]
    rules += [f"#graph .{style} {{ fill: var(--{ink}); }}" for style, ink in INK.items()]
    rules += [f".{edge} > .line {{ stroke: var(--{edge}); }} .{edge} > .head {{ fill: var(--{edge}); }}" for edge in EDGES]
    return re.sub(r"\s*([{};,])\s*|(?<=:)\s+", r"\1", "\n".join(rules) + "\n" + resource("style.css"))


@functools.cache
def resource(name: str) -> str:
    """A file of this folder."""
    return (files(__name__) / name).read_text(encoding="utf-8")
