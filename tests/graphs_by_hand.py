"""Descriptions of graphs, written by hand in the schema of viz/graph/ir.py, for the tests of what is drawn from them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from tinygrad_mlp.viz.arrange.layout import layout
from tinygrad_mlp.viz.arrange.view import visible
from tinygrad_mlp.viz.forms.svg import svg
from tinygrad_mlp.viz.graph.measure import width

SIZES = {"title": 14.0, "formula": 12.5, "derivative": 12.5, "class": 12.5}
RULES = {
    "matmul": ("z = x W", ["dx = g Wᵀ", "dW = xᵀ g"], "linear"),
    "add": ("z = x + y", ["dx = g", "dy = Σ₀ g"], "arithmetic"),
    "multiply": ("z = x ⊙ y", ["dx = g ⊙ y", "dy = g ⊙ x"], "arithmetic"),
    "relu": ("z = max(0, x)", ["dx = g ⊙ [x > 0]"], "activation"),
    "mean": ("z = mean x", ["dx = g / n"], "reduction"),
    "reshape": ("z = x", ["dx = g"], "shape"),
    "swish": ("z = x σ(x)", ["dx: custom rule"], "custom"),
    "sort": ("z = sort x", ["dx = g at the places"], "other"),
    "log": ("z = log x", ["dx = g / x"], "arithmetic"),
    "cross_entropy": ("z = −mean log softmax(x)[y]", ["dx = g (softmax(x) − 1ᵧ) / n"], "loss"),
}


def stats(mean: float | None = 0.5, size: int = 64, **more: Any) -> dict[str, Any]:
    """Statistics of an array."""
    return {
        "size": size, "min": mean, "max": mean, "mean": mean, "rms": mean and abs(mean), "norm": mean, "zeros": 0, "nan": 0, "inf": 0,
        "rows": 1, "columns": 1, "preview": [mean], "truncated": size > 1, "histogram": None, **more,
    }  # fmt: skip


def sized(lines: list[list[str]]) -> tuple[float, float]:
    """The size of a box around lines."""
    wide = max(width(text, SIZES.get(style, 12.0), style == "title") for style, text in lines)
    return wide + 24, sum(19 if style == "title" else 17 for style, _ in lines) + 16


def node(number: int, kind: str, title: str, shape: list[int], **more: Any) -> dict[str, Any]:
    """A node; an operation's title is its name."""
    formula, derivatives, category = RULES[title] if kind == "op" else ("", [], "")
    where = f"{tuple(shape)}" if shape else "scalar"
    lines = [["title", title], ["formula", formula], *(["derivative", d] for d in derivatives), ["muted", where]]
    if kind != "op":
        lines = [["title", title], ["muted", f"{where} {more.get('dtype', 'float64')}"]]
    lines += more.pop("extra", [])
    wide, high = sized(lines)
    return {
        "id": f"n{number}", "kind": kind, "category": category, "title": title, "name": title, "op": title if kind == "op" else "",
        "shape": shape, "dtype": "float64", "group": None, "lines": lines, "width": wide, "height": high, "formula": formula,
        "numbers": "", "derivatives": [{"argument": i, "of": d[1], "before": [], "text": d, "numbers": ""} for i, d in enumerate(derivatives)],
        "value": stats(), "gradient": stats(0.01), "source": "net.py:12" if kind == "op" else "", "users": 1, "tracked": True,
        "output": False, **more,
    }  # fmt: skip


def edge(number: int, source: int, target: int, rms: float | None = None, level: int = 2, **more: Any) -> dict[str, Any]:
    """An edge with the gradient that flows back along it."""
    text = "" if rms is None else f"{rms:.1e}".replace("e-0", "e-")
    brief = (
        None
        if rms is None
        else {
            "rms": rms,
            "max": 3 * rms,
            "nan": 0,
            "zero": rms == 0,
            "text": more.get("label", text),
            "rows": 0,
            "columns": 0,
            "preview": [],
        }
    )
    return {
        "id": f"e{number}", "source": f"n{source}", "target": f"n{target}", "argument": 0, "label": text, "level": level,
        "state": "flow" if rms else "none", "sign": "", "gradient": brief, "order": 1, "of": 1, "running": None, "label_width": width(more.get("label", text), 11) + 2 if more.get("label", text) else 0.0, **more,
    }  # fmt: skip


def group(number: int, title: str, subtitle: str, **more: Any) -> dict[str, Any]:
    """A group; open if nothing else is said."""
    lines = [["title", f"▸ {title}"], ["class", subtitle], ["muted", "2 ops, 40 numbers"]]
    wide, high = sized(lines)
    return {
        "id": f"g{number}", "parent": None, "kind": "module", "title": title, "subtitle": subtitle, "path": f"model.{title}",
        "lines": lines, "width": wide, "height": high, "operations": 2, "parameters": 2, "numbers": 40, "shape": [16, 8], "warn": "",
        "title_width": width(title, 14, True) + 10 + width(subtitle, 12.5) + 24, "open": True, **more,
    }  # fmt: skip


def graph(nodes: list[Any], edges: list[Any], groups: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    """A whole description."""
    forward = [n["id"] for n in nodes if n["kind"] == "op"]
    flows = [e["gradient"]["rms"] for e in edges if e["state"] == "flow" and e["gradient"]]
    return {
        "version": 1, "title": "loss of an MLP", "detail": "op", "direction": "TB", "gradients": bool(flows), "why": "",
        "counts": {
            "operations": len(forward), "parameters": sum(n["kind"] == "parameter" for n in nodes), "numbers": 67,
            "nodes": len(nodes), "edges": len(edges),
        },
        "ramp": {"low": min(flows), "high": max(flows)} if flows else None, "loss": 1.2668, "bad": None, "nodes": nodes,
        "edges": edges, "groups": groups or [], "steps": {"forward": forward, "backward": forward[::-1]}, "naive": None,
        "compare": None, **more,
    }  # fmt: skip


def mlp() -> dict[str, Any]:
    """Two layers and a loss: the picture of the design study."""
    nodes = [
        node(0, "input", "x", [16, 4]),
        node(1, "parameter", "linear1.weight", [4, 8], group="g1"),
        node(2, "op", "matmul", [16, 8], group="g1"),
        node(3, "parameter", "linear1.bias", [8], group="g1"),
        node(4, "op", "add", [16, 8], group="g1"),
        node(5, "op", "relu", [16, 8], group="g0"),
        node(6, "parameter", "linear2.weight", [8, 3], group="g2"),
        node(7, "op", "matmul", [16, 3], group="g2"),
        node(8, "parameter", "linear2.bias", [3], group="g2"),
        node(9, "op", "add", [16, 3], group="g2"),
        node(10, "constant", "y", [16], tracked=False, gradient=None, dtype="int64"),
        node(11, "op", "cross_entropy", [], output=True, value=stats(1.2668, 1), extra=[["value", "= 1.2668"]]),
    ]
    edges = [
        edge(0, 0, 2, 0.012, 0), edge(1, 1, 2, 0.039, 2, argument=1), edge(2, 2, 4, 0.010, 0), edge(3, 3, 4, 0.030, 2, argument=1),
        edge(4, 4, 5, 0.010, 0), edge(5, 5, 7, 0.016, 1), edge(6, 6, 7, 0.090, 4, argument=1), edge(7, 7, 9, 0.031, 2),
        edge(8, 8, 9, 0.13, 4, argument=1), edge(9, 9, 11, 0.031, 2), edge(10, 10, 11, argument=1),
    ]  # fmt: skip
    groups = [
        group(0, "model", "MLP", path="model"), group(1, "linear1", "Linear(4, 8)", parent="g0"),
        group(2, "linear2", "Linear(8, 3)", parent="g0"),
    ]  # fmt: skip
    return graph(nodes, edges, groups)


def square() -> dict[str, Any]:
    """A scalar graph, z = x · x − x: two edges between the same boxes, values and gradients in the boxes, signs at the heads."""
    nodes = [
        node(0, "input", "x", [], extra=[["value", "value 3"], ["gradient", "gradient 5"]], value=stats(3.0, 1), users=3),
        node(
            1,
            "op",
            "multiply",
            [],
            extra=[["value", "value 9"], ["gradient", "gradient 1"]],
            value=stats(9.0, 1),
            numbers="z = 3 · 3",
        ),
        node(2, "op", "add", [], extra=[["value", "value 6"]], value=stats(6.0, 1), output=True),
    ]
    edges = [
        edge(0, 0, 1, 3.0, sign="1", label="3", order=2, of=3), edge(1, 0, 1, 3.0, sign="2", label="3", order=3, of=3, argument=1),
        edge(2, 1, 2, 1.0, label="1"), edge(3, 0, 2, 1.0, label="−1", argument=1, order=1, of=3),
    ]  # fmt: skip
    for e in edges:
        e["gradient"].update(rows=1, columns=1)
    return graph(nodes, edges, title="x * x - x", loss=6.0)


def ailing() -> dict[str, Any]:
    """All that can be wrong or special: zero gradients, NaN, none; all categories."""
    titles = ["matmul", "relu", "reshape", "swish", "sort", "log", "mean", "cross_entropy"]
    nodes = [node(0, "input", "x", [16, 4]), node(1, "constant", "mask", [16, 4], tracked=False, gradient=None, dtype="bool")]
    nodes += [node(i + 2, "op", title, [16, 4], value=stats(0.5, nan=3 if i > 4 else 0)) for i, title in enumerate(titles)]
    nan = {"rms": 0.1, "max": 0.2, "nan": 7, "zero": False, "text": "1e-1", "rows": 0, "columns": 0, "preview": []}
    edges = [
        edge(0, 1, 2, argument=1),
        edge(1, 0, 2, 0.0, 0, state="zero", label="0"),
        edge(2, 2, 3, 0.0, 0, state="zero", label="0"),
    ]
    edges += [edge(i, i, i + 1, 10.0 ** (i - 7), i - 3) for i in range(3, 6)]
    edges += [edge(i, i, i + 1, 0.1, 4, state="nan", label="NaN!", gradient=nan) for i in range(6, 9)]
    bad = {"node": "n7", "phase": "forward", "words": "NaN first in log, forward"}
    return graph(nodes, edges, title="a run that went wrong", bad=bad, loss="nan")


def folded() -> dict[str, Any]:
    """A deep network whose middle is one closed box, and a closed module with a warning."""
    nodes = [node(0, "input", "x", [16, 64])]
    edges = []
    for i in range(1, 8):
        where = "g1" if 2 <= i <= 6 else "g2" if i == 7 else "g0"
        nodes.append(node(i, "op", "relu", [16, 64], group=where))
        edges.append(edge(i - 1, i - 1, i, 0.001 * i, i % 5))
    groups = [
        group(0, "model", "MLP", path="model"),
        group(1, "relu2 … relu6", "(Linear → relu) × 5", parent="g0", kind="fold", open=False),
        group(2, "head", "Sequential", parent="g0", open=False, warn="nan"),
    ]  # fmt: skip
    return graph(nodes, edges, groups, title="deep")


def unknown() -> dict[str, Any]:
    """Before the backward pass: no gradients, and why."""
    description = mlp()
    for e in description["edges"]:
        e.update(gradient=None, state="unknown", label="", level=0)
    for n in description["nodes"]:
        n["gradient"] = None
    return {
        **description,
        "gradients": False,
        "ramp": None,
        "why": "no gradients: call loss.backward() before drawing, or draw(…, gradients=True)",
    }


HOSTILE = (
    "</script><b>", "\"quoted\" & 'single'", "]]>", "a\u2028b\u2029c", "two\nlines\r\n\ttab", "emoji 👩‍🚀🇩🇪 e\u0301", "n" * 300, "\ud800\udfff lone \ud83d",
    "\x00\x01\x1b[31m", "\u202eright to left\u202c", "<!--", "${7*7}", "\\N\\l\\\"", "%", "# ; \" ] ) }", "\ufffe\uffff", "",
)  # fmt: skip


def hostile() -> dict[str, Any]:
    """Names that try to break out."""
    nodes = [node(i, "parameter", name, [2], extra=[["class", name]], group=f"g{i}") for i, name in enumerate(HOSTILE)]
    nodes.append(node(len(HOSTILE), "op", "mean", [], source="</title>:1"))
    edges = [edge(i, i, len(HOSTILE), 0.1, label=name) for i, name in enumerate(HOSTILE)]
    groups = [group(i, name, name, path=name) for i, name in enumerate(HOSTILE)]
    return graph(nodes, edges, groups, title="</title><script>alert(1)</script>\ud800", why="<&>")


ALL = {f.__name__: f for f in (mlp, square, ailing, folded, unknown, hostile)}


def picture(description: dict[str, Any], **how: Any) -> str:
    """The drawing of a description by the built-in layout."""
    seen = visible(description)
    return svg(description, seen, layout(seen["root"], seen["edges"], description["direction"]), **how)


def parsed(text: str) -> ET.Element:
    """A drawing as a tree; an error if it is not well formed."""
    return ET.fromstring(text.encode("utf-8"))  # noqa: S314 - a drawing of our own
