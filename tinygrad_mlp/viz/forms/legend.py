"""What stands under a drawing: only the kinds that are in it, the scale of the gradients, how to read it, what is folded away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..graph.measure import width
from .words import CATEGORIES, closed_groups, is_scalar, items, number, summary

__all__ = ["Entry", "Legend", "legend_of"]

LEAST = 460.0
ROW = 21.0
SIZE = 12.0

NAMES = {"input": "input", "constant": "constant", "parameter": "parameter", "tensor": "value", **CATEGORIES}
"""The words for each kind of box, in the order of the legend."""


SPECIAL = {"zero": "gradient exactly 0", "nan": "NaN or infinite", "none": "no gradient flows", "unknown": "no gradients yet"}
"""The words for the states of an edge without a size."""

STEP = 32.0
"""Each colour of the scale is so long."""


@dataclass(frozen=True)
class Entry:
    """Something at a place in the legend: a small box, a line, a text."""

    kind: str
    x: float
    y: float
    name: str = ""
    text: str = ""
    stroke: tuple[str, int] = ("flow", 0)
    wide: float = 0.0
    line: float = 1.6


@dataclass(frozen=True)
class Legend:
    """The legend with its size."""

    entries: list[Entry]
    width: float
    height: float


def legend_of(graph: Mapping[str, Any], view: Mapping[str, Any], wide: float) -> Legend:
    """The legend of a view, wrapped to the width of its picture."""
    setter = Setter(max(wide, LEAST))
    setter.kinds(graph, view)
    setter.lines(graph, view)
    ways = "arrows point forward"
    if graph["gradients"]:
        ways += "; gradients flow back along them; g = the gradient that arrives at an operation's output, dx = what it sends to x"
    if any(edge["sign"] for edge in view["edges"]):
        ways += "; the sign at an arrow's head names the argument"
    if any(len(edge["members"]) > 1 for edge in view["edges"]):
        ways += "; × n: so many arrows in one, with the largest gradient"
    setter.paragraph(ways)
    setter.paragraph(summary(graph, view))
    setter.paragraph(graph["why"])
    setter.paragraph(f"⚠ {graph['bad']['words']}" if graph["bad"] else "", "alarm")
    return setter.result()


class Setter:
    """Sets small things from left to right, and goes on in the next row where there is no room."""

    def __init__(self, room: float) -> None:
        self.room, self.x, self.y = room, 0.0, 0.0
        self.entries: list[Entry] = []

    def place(self, needed: float) -> None:
        """Make room in this row or begin another."""
        if self.x and self.x + needed > self.room:
            self.next_row()

    def next_row(self) -> None:
        """Begin a row, unless this one is still empty."""
        if self.x:
            self.x, self.y = 0.0, self.y + ROW

    def sample(self, entry_kind: str, text: str, **more: Any) -> None:
        """A small picture and its name."""
        drawn = more.pop("drawn", 22.0)
        self.place(drawn + 8 + width(text, SIZE))
        self.entries.append(Entry(entry_kind, self.x, self.y, **more))
        self.entries.append(Entry("text", self.x + drawn + 8, self.y, text=text))
        self.x += drawn + 8 + width(text, SIZE) + 18

    def paragraph(self, text: str, kind: str = "text") -> None:
        """A sentence in rows of its own."""
        self.next_row()
        line = ""
        for word in text.split():
            longer = f"{line} {word}" if line else word
            if line and width(longer, SIZE) > self.room:
                self.entries.append(Entry(kind, 0.0, self.y, text=line))
                self.y += ROW
                line = word
            else:
                line = longer
        if line:
            self.entries.append(Entry(kind, 0.0, self.y, text=line))
            self.y += ROW

    def kinds(self, graph: Mapping[str, Any], view: Mapping[str, Any]) -> None:
        """The kinds of boxes that are seen."""
        nodes = {node["id"]: node for node in graph["nodes"]}
        seen = [nodes[item["id"]] for item, _ in items(view["root"]) if item["id"] in nodes]
        present = {node["category"] if node["kind"] == "op" else node["kind"] for node in seen}
        dashed = any(node["tracked"] for node in graph["nodes"]) and not all(node["tracked"] for node in seen)
        for name, text in NAMES.items():
            if name in present and not (name == "constant" and dashed):
                alike = [n["tracked"] for n in seen if name in (n["kind"], n["category"])]
                form = "dashed" if dashed and not any(alike) else "box"
                if form == "dashed" and name == "input":
                    continue  # the same as the last one
                self.sample(form, text, name=name, line={"loss": 2.8, "shape": 1.0}.get(name, 1.6))
        if dashed:
            self.sample("dashed", "input without gradient", name="constant")
        closed = {group["kind"] for group in closed_groups(graph, view)}
        if closed & {"module", "phase"}:
            self.sample("double", "closed module", name="module")
        if closed & {"fold", "run"}:
            self.sample("stacked", "folded", name="module", drawn=24.0)

    def lines(self, graph: Mapping[str, Any], view: Mapping[str, Any]) -> None:
        """The lines that are seen: the scale of gradients, and those that are special."""
        shown = [(edge["state"], edge["level"]) for edge in view["edges"]]
        levels = sorted({level for state, level in shown if state == "flow"})
        self.next_row()
        if graph["ramp"] is not None and levels:
            self.scale(graph, levels)
            self.next_row()
        states = {state for state, _ in shown}
        for state, text in SPECIAL.items():
            if state in states:
                self.sample("line", text, stroke=(state, 0), wide=38.0, drawn=38.0)

    def scale(self, graph: Mapping[str, Any], levels: list[int]) -> None:
        """The scale of gradients between its two ends; one line where all are alike."""
        low, high = (number(graph["ramp"][end], 2) for end in ("low", "high"))
        strip = levels if low == high or len(levels) == 1 else [0, 1, 2, 3, 4]
        numbers = all(is_scalar(edge["gradient"]) for edge in graph["edges"] if edge["state"] == "flow")
        title = f"{'size of the gradient' if numbers else 'gradient RMS'}{' (log scale)' if len(strip) > 1 else ''}:"
        ends = low if low == high else f"{low} … {high}"
        self.entries.append(Entry("text", self.x, self.y, text=title))
        self.x += width(title, SIZE) + 12
        self.place(STEP * len(strip) + 6 + width(ends, SIZE))
        for level in strip:
            self.entries.append(Entry("line", self.x, self.y, stroke=("flow", level), wide=STEP - 4))
            self.x += STEP
        self.entries.append(Entry("text", self.x + 6, self.y, text=ends))

    def result(self) -> Legend:
        """All that was set."""
        self.next_row()
        return Legend(self.entries, self.room if self.entries else 0.0, self.y)
