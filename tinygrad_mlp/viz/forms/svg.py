"""The drawing: one SVG text that needs nothing else, in a browser, in a notebook, on paper, light and dark."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..arrange.layout import path
from ..graph.labels import FONTS
from ..graph.measure import shorten, visible, width
from .legend import Legend, legend_of
from .palette import FAMILY, INK, css, paint
from .words import WARNINGS, edge_facts, group_facts, items, node_facts, summary, whole

__all__ = ["escape", "prefix_of", "svg"]

WIDTHS = (1.4, 2.0, 2.8, 3.7, 4.6)
"""Widths of an edge's line by its level."""

MARGIN = 16.0
BAR, INDENT = 26.0, 12.0
"""The title bar of an open group, and where its text begins."""

LEAST = 460.0
"""A legend needs this width; a smaller picture stands in its middle."""


def svg(
    graph: Mapping[str, Any],
    view: Mapping[str, Any],
    placed: Mapping[str, Any],
    *,
    theme: str = "auto",
    legend: bool = True,
) -> str:
    """The drawing of a view of a graph, with boxes and edges where the layout has placed them.

    Colours stand in the drawing itself; with theme "auto" a style sheet, scoped to this drawing, lets the reader's setting choose.
    The same graph, view and theme give the same text; two different drawings share no identifier.
    """
    return Drawing(graph, view, placed, theme, legend).text()


def prefix_of(*parts: Any) -> str:
    """A name for a drawing by what it shows, fit for identifiers and CSS classes."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"tg-{digest[:10]}"


def escape(text: str) -> str:
    """Any text as part of a drawing: harmless characters, marked up for XML."""
    return html.escape(visible(text))


def num(x: float) -> str:
    """A coordinate, short.

    >>> num(12.0), num(0.254), num(-0.001)
    ('12', '0.25', '0')
    """
    text = f"{x:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


class Drawing:
    """One drawing in the making."""

    def __init__(
        self, graph: Mapping[str, Any], view: Mapping[str, Any], placed: Mapping[str, Any], theme: str, legend: bool
    ) -> None:
        self.graph, self.view, self.placed, self.theme, self.legend = graph, view, placed, theme, legend
        self.colours = paint(theme)
        self.prefix = prefix_of(graph, view, placed["boxes"], theme, legend)
        self.nodes = {node["id"]: node for node in graph["nodes"]}
        self.edges = {edge["id"]: edge for edge in graph["edges"]}
        self.groups = {group["id"]: group for group in graph["groups"]}
        self.names = {node["id"]: node["name"] or node["title"] for node in graph["nodes"]}
        self.some_tracked = any(node["tracked"] for node in graph["nodes"])
        self.left_right = graph["direction"] == "LR"

    def text(self) -> str:
        """The whole file."""
        below = legend_of(self.graph, self.view, self.placed["width"]) if self.legend else Legend([], 0.0, 0.0)
        wide = max(self.placed["width"], below.width, LEAST if self.legend else 0.0) + 2 * MARGIN
        high = self.placed["height"] + 2 * MARGIN + (below.height + MARGIN if below.height else 0.0)
        left = (wide - self.placed["width"]) / 2
        c = self.colours
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {num(wide)} {num(high)}" width="{num(wide)}" '
            f'height="{num(high)}" role="img" class="tg {self.prefix}" style="max-width:100%;height:auto" '
            f'font-family="{html.escape(FAMILY)}">',
            f"<title>{escape(self.graph['title'])}</title>",
            f"<desc>{escape(' '.join(filter(None, (whole(self.graph), summary(self.graph, self.view)))))}</desc>",
            f"<style>\n{css(self.prefix)}\n</style>" if self.theme == "auto" else "",
            f'<rect class="paper" width="{num(wide)}" height="{num(high)}" fill="{c["background"]}"/>',
            f'<g transform="translate({num(left)} {num(MARGIN)})">',
        ]
        boxes = []
        for item, depth in items(self.view["root"]):
            if "children" in item:
                parts.append(self.frame(self.groups[item["id"]], depth))
            else:
                boxes.append(self.box(item["id"]))
        parts += [self.edge(edge) for edge in self.view["edges"] if edge["id"] in self.placed["edges"]]
        parts += boxes
        parts.append("</g>")
        if below.height:
            parts.append(self.below(below, MARGIN, self.placed["height"] + 2 * MARGIN))
        return "\n".join(part for part in parts if part) + "\n</svg>\n"

    # --- boxes ---------------------------------------------------------------------------------------------------------

    def frame(self, group: Mapping[str, Any], depth: int) -> str:
        """An open group: a frame with a title bar."""
        x, y, w, h = self.placed["boxes"][group["id"]]
        c, parity = self.colours, "even" if depth % 2 == 0 else "odd"
        room = w - 2 * INDENT
        title = fitted(group["title"], room, 14.0, True)
        rest = room - width(title, 14.0, True) - 6
        subtitle = fitted(group["subtitle"], rest, 12.5) if rest > 24 else ""
        rest -= width(subtitle, 12.5) + 6
        warning = f"⚠ {WARNINGS[group['warn']]}" if group["warn"] else ""
        warning = warning if width(warning, 12.0, True) < rest else ""
        fill, line = c["group-a" if parity == "even" else "group-b"], c["group-line"]
        return (
            f'<g class="group open {parity}" id="{self.prefix}-{group["id"]}">{titled(group_facts(group))}'
            f'<rect class="frame" x="{num(x)}" y="{num(y)}" width="{num(w)}" height="{num(h)}" rx="8" fill="{fill}" '
            f'stroke="{line}"/>'
            f'<text x="{num(x + INDENT)}" y="{num(y + 18)}"><tspan {self.style("title")}>{escape(title)}</tspan>'
            + (f" <tspan {self.style('class')}>{escape(subtitle)}</tspan>" if subtitle else "")
            + (f" <tspan {self.style('warn')}>{escape(warning)}</tspan>" if warning else "")
            + "</text>"
            + (self.badge(x + w, y) if group["warn"] else "")
            + "</g>"
        )

    def box(self, identifier: str) -> str:
        """A node, or a closed group."""
        x, y, w, h = self.placed["boxes"][identifier]
        if identifier in self.groups:
            group = self.groups[identifier]
            facts, lines = group_facts(group), group["lines"]
            classes, paint_as = f"group closed {group['kind']} module", "module"
            shape = self.closed(group["kind"] in ("fold", "run"), x, y, w, h)
            alarm = bool(group["warn"])
        else:
            node = self.nodes[identifier]
            facts, lines = node_facts(node), node["lines"]
            paint_as = node["category"] if node["kind"] == "op" else node["kind"]
            classes = f"node {node['kind']} {node['category']}".rstrip()
            shape = self.rectangle(x, y, w, h, paint_as, **self.look(node, h))
            alarm = bool(self.graph["bad"]) and self.graph["bad"]["node"] == identifier
            facts = [*facts, self.graph["bad"]["words"]] if alarm else facts
        return (
            f'<g class="{classes}" id="{self.prefix}-{identifier}">{titled(facts)}{shape}{self.lines(lines, x, y, w, h)}'
            + (self.badge(x + w, y) if alarm else "")
            + "</g>"
        )

    def look(self, node: Mapping[str, Any], h: float) -> dict[str, Any]:
        """The form of a node's box by its kind: round ends for inputs, sharp corners for parameters, thick for results."""
        dashed = self.some_tracked and not node["tracked"]
        if node["kind"] == "op":
            thick = node["output"] or node["category"] == "loss"
            return {"rx": 6.0, "line": 2.8 if thick else 1.0 if node["category"] == "shape" else 1.6, "dashed": dashed}
        rx = {"parameter": 0.0, "tensor": 3.0}.get(node["kind"], min(h / 2, 18.0))
        return {"rx": rx, "line": 1.6, "dashed": dashed}

    def rectangle(
        self, x: float, y: float, w: float, h: float, paint_as: str, *, rx: float, line: float = 1.6, dashed: bool = False
    ) -> str:
        """A filled box with a border."""
        fill, stroke = self.colours[f"{paint_as}-fill"], self.colours[f"{paint_as}-line"]
        return (
            f'<rect class="box" x="{num(x)}" y="{num(y)}" width="{num(w)}" height="{num(h)}"'
            + (f' rx="{num(rx)}"' if rx else "")
            + f' fill="{fill}" stroke="{stroke}" stroke-width="{num(line)}"'
            + (' stroke-dasharray="5 4"/>' if dashed else "/>")
        )

    def closed(self, stacked: bool, x: float, y: float, w: float, h: float) -> str:
        """A closed group: a double border; of a folded run, sheets that lie behind."""
        if stacked:
            return "".join(self.rectangle(x + d, y + d, w, h, "module", rx=6.0, line=1.3) for d in (6.0, 3.0, 0.0))
        return self.rectangle(x, y, w, h, "module", rx=8.0, line=1.6) + self.rectangle(
            x + 3, y + 3, w - 6, h - 6, "module", rx=5.0, line=1.0
        )

    def lines(self, lines: Sequence[Sequence[str]], x: float, y: float, w: float, h: float) -> str:
        """The text of a box, centred."""
        top = y + (h - sum(FONTS[style][2] for style, _ in lines)) / 2
        out = []
        for style, text in lines:
            size, _, high = FONTS[style]
            base = top + high / 2 + size * 0.35
            out.append(f'<text x="{num(x + w / 2)}" y="{num(base)}" text-anchor="middle" {self.style(style)}>{escape(text)}</text>')
            top += high
        return "".join(out)

    def style(self, style: str) -> str:
        """The attributes of a style of text."""
        size, bold, _ = FONTS[style]
        extra = ' font-weight="bold"' if bold else ' font-style="italic"' if style == "derivative" else ""
        return f'class="{style}" fill="{self.colours[INK[style]]}" font-size="{num(size)}"{extra}'

    def badge(self, right: float, y: float) -> str:
        """A sign on the upper right corner of a box: something is wrong there. The box and the tooltip say what."""
        alarm, paper = self.colours["edge-nan"], self.colours["background"]
        at = f'x="{num(right - 2)}" y="{num(y + 6)}"'
        return (
            f'<circle class="badge" cx="{num(right - 2)}" cy="{num(y + 2)}" r="10" fill="{paper}" '
            f'stroke="{alarm}" stroke-width="1.6"/>'
            f'<text class="warn" {at} text-anchor="middle" fill="{alarm}" font-size="12" font-weight="bold">⚠</text>'
        )

    # --- edges ---------------------------------------------------------------------------------------------------------

    def edge(self, seen: Mapping[str, Any]) -> str:
        """An edge, or several drawn as one."""
        members = [self.edges[i] for i in seen["members"]]
        place = self.placed["edges"][seen["id"]]
        state, level = seen["state"], seen["level"]
        name, line, dashes = strokes(state, level)
        colour = self.colours[name]
        points, arrow = headed([tuple(p) for p in place["points"]], 5.0 + 1.9 * line, self.left_right, place.get("spline", False))
        way = bezier(points) if place.get("spline") else path(points, self.graph["direction"])
        label = self.label(seen["label"], place["label"], state) if seen["label"] and place["label"] else ""
        sign = self.sign(seen["sign"], place["points"], place.get("spline", False)) if seen["sign"] else ""
        return (
            f'<g class="edge {state} {name}" id="{self.prefix}-{escape(seen["id"])}">{titled(edge_facts(members, self.names))}'
            f'<path class="line" d="{way}" fill="none" stroke="{colour}" stroke-width="{num(line)}"'
            + (f' stroke-dasharray="{dashes}"' if dashes else "")
            + f'/><polygon class="head" points="{arrow}" fill="{colour}"/>{label}{sign}</g>'
        )

    def label(self, text: str, at: Sequence[float], state: str) -> str:
        """The number beside an edge, with a halo that keeps it readable over a line."""
        c = self.colours
        fill, weight = (c["edge-nan"], ' font-weight="bold"') if state == "nan" else (c["muted"], "")
        return (
            f'<text class="label" x="{num(at[0])}" y="{num(at[1] + 3.9)}" text-anchor="middle" font-size="11"{weight} '
            f'fill="{fill}" stroke="{c["background"]}" stroke-width="3" stroke-linejoin="round" '
            f'paint-order="stroke">{escape(text)}</text>'
        )

    def sign(self, text: str, points: Sequence[Sequence[float]], spline: bool) -> str:
        """At the head of an edge: which argument it is, where that matters."""
        x, y = points[-1]
        dx, dy = heading(points, self.left_right, spline)
        if spline:  # beside a line that slants
            at = f'x="{num(x - 13 * dx - 10 * dy)}" y="{num(y - 13 * dy + 10 * dx + 3)}" text-anchor="middle"'
        elif self.left_right:
            at = f'x="{num(x - 14 * dx)}" y="{num(y - 8)}" text-anchor="middle"'
        else:
            at = f'x="{num(x - 7)}" y="{num(y - 6 * dy)}" text-anchor="end"'
        return f'<text class="muted" {at} font-size="10" fill="{self.colours["muted"]}">{escape(text)}</text>'

    # --- legend --------------------------------------------------------------------------------------------------------

    def below(self, legend: Legend, left: float, top: float) -> str:
        """The legend under the picture."""
        out = [f'<g class="legend" transform="translate({num(left)} {num(top)})">']
        for entry in legend.entries:
            x, y = entry.x, entry.y
            if entry.kind in ("box", "dashed"):
                rx = {"parameter": 0.0, "tensor": 2.0, "input": 7.0, "constant": 7.0}.get(entry.name, 3.5)
                inner = self.rectangle(x, y + 1, 22, 14, entry.name, rx=rx, line=entry.line, dashed=entry.kind == "dashed")
                out.append(f'<g class="{entry.name}">{inner}</g>')
            elif entry.kind == "double":
                out.append(f'<g class="module">{self.closed(False, x, y, 22, 16)}</g>')
            elif entry.kind == "stacked":
                out.append(f'<g class="module">{self.closed(True, x, y, 18, 10)}</g>')
            elif entry.kind == "line":
                name, line, dashes = strokes(*entry.stroke)
                out.append(
                    f'<g class="{name}"><path class="line" d="M{num(x)} {num(y + 8)}H{num(x + entry.wide)}" fill="none" '
                    f'stroke="{self.colours[name]}" stroke-width="{num(line)}"'
                    + (f' stroke-dasharray="{dashes}"' if dashes else "")
                    + "/></g>"
                )
            else:
                ink, name = ("edge-nan", "warn") if entry.kind == "alarm" else ("muted", "note")
                place = f'class="{name}" x="{num(x)}" y="{num(y + 12)}" font-size="12"'
                out.append(f'<text {place} fill="{self.colours[ink]}">{escape(entry.text)}</text>')
        return "".join(out) + "</g>"


def fitted(text: str, room: float, size: float, bold: bool = False) -> str:
    """The text, shortened until it fits in so many px."""
    most = len(text)
    short = shorten(text, most)
    while most > 1 and width(short, size, bold) > room:
        most = min(most - 1, max(1, int(most * room / width(short, size, bold))))
        short = shorten(text, most)
    return short


def titled(facts: Sequence[str]) -> str:
    """A tooltip, which is also what a screen reader says."""
    return "<title>" + "\n".join(map(escape, facts)) + "</title>"


def strokes(state: str, level: int) -> tuple[str, float, str]:
    """The colour's name, width and dashes of an edge."""
    if state == "flow":
        return f"edge-{level}", WIDTHS[level], ""
    return {
        "zero": ("edge-zero", 1.6, "9 5"),
        "nan": ("edge-nan", 4.6, ""),
        "none": ("edge-none", 1.4, "1.5 4"),
    }.get(state, ("edge-unknown", 1.4, ""))


def heading(points: Sequence[Sequence[float]], left_right: bool, spline: bool) -> tuple[float, float]:
    """The direction in which an edge arrives."""
    (x0, y0), (x1, y1) = points[-2], points[-1]
    if not spline:  # these paths end along the direction of the drawing
        return (1.0 if x1 >= x0 else -1.0, 0.0) if left_right else (0.0, 1.0 if y1 >= y0 else -1.0)
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    return ((x1 - x0) / length, (y1 - y0) / length) if length else (0.0, 1.0)


def headed(points: list[Any], size: float, left_right: bool, spline: bool) -> tuple[list[Any], str]:
    """The line shortened by its arrow head, and the three corners of the head."""
    (x, y), (dx, dy) = points[-1], heading(points, left_right, spline)
    half, cut = size * 0.42, size * 0.8
    bx, by = x - dx * size, y - dy * size
    corners = ((x, y), (bx - dy * half, by + dx * half), (bx + dy * half, by - dx * half))
    return [*points[:-1], (x - dx * cut, y - dy * cut)], " ".join(f"{num(a)},{num(b)}" for a, b in corners)


def bezier(points: Sequence[Sequence[float]]) -> str:
    """A path through cubic Bézier control points."""
    x, y = points[0]
    return f"M{num(x)} {num(y)}C" + " ".join(f"{num(x)} {num(y)}" for x, y in points[1:])
