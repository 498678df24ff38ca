"""The picture of a derivation: its lines as operations, forward and backward, without numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...chainrule import Derivation
from ...chainrule.letters import Letters
from ...chainrule.notation import PLAIN
from ...primitive import Primitive
from ...symbols import Symbol
from .formulas import category
from .ir import VERSION, Edge, Graph, Group, Node, Statistics
from .labels import box_size, leaf_lines, shape_text, shorten

__all__ = ["of_derivation"]

PHASES = (("forward", "the loss"), ("backward", "the chain rule"))


def of_derivation(derivation: Derivation, title: str = "") -> Graph:
    """The description of a derivation: a box for each line, an edge for each value that a line uses."""
    plan = derivation.plan
    letters = Letters(plan, PLAIN)
    nodes: list[Node] = []
    edges: list[Edge] = []
    ids: dict[Symbol, str] = {}
    boxes: dict[Symbol, Node] = {}
    phases = {line.backward for line in plan.lines}

    def box(symbol: Symbol, kind: str, name: str, group: str | None, op: Primitive | None = None) -> Node:
        node: Node = {
            "id": f"n{len(nodes)}", "kind": kind, "category": category(op) if op is not None else "", "title": name, "name": name,
            "op": op.name if op is not None else "", "shape": list(symbol.shape), "dtype": symbol.dtype.name, "group": group,
            "lines": [], "width": 0.0, "height": 0.0, "formula": "", "numbers": "", "derivatives": [], "value": unknown(symbol),
            "gradient": None, "source": "", "users": 0, "tracked": kind != "input", "output": symbol is plan.loss,
        }  # fmt: skip
        nodes.append(node)
        ids[symbol], boxes[symbol] = node["id"], node
        return node

    parameters = set(plan.parameters)
    given = {*plan.inputs, *plan.parameters}
    for line in plan.lines:
        group = f"g{int(line.backward)}" if len(phases) > 1 else None
        used = list(dict.fromkeys(named_operands(line.symbol, ids.keys() | given)))
        for x in used:
            if x not in ids:
                leaf = box(x, "parameter" if x in parameters else "input", letters.texts[x].text, None)
                leaf["lines"] = leaf_lines(leaf["title"], x.shape, x.dtype.name, leaf["value"], None)
                leaf["width"], leaf["height"] = box_size(leaf["lines"])
        left = letters.texts[line.symbol].text
        step = box(line.symbol, "op", left, group, line.symbol.op)
        step["formula"] = f"{left} = {''.join(letters.rows(line.symbol))}"
        style = "derivative" if line.of is not None else "formula"
        step["lines"] = [
            ("title", shorten(left, 28)),
            (style, shorten(step["formula"], 60)),
            ("muted", shape_text(line.symbol.shape)),
        ]
        step["width"], step["height"] = box_size(step["lines"])
        for i, x in enumerate(used):
            boxes[x]["users"] += 1
            edges.append({
                "id": f"e{len(edges)}", "source": ids[x], "target": step["id"], "argument": i, "label": "", "label_width": 0.0,
                "state": "unknown", "level": 0, "sign": "", "gradient": None, "order": 0, "of": 0, "running": None,
            })  # fmt: skip
    groups = [new_phase(f"g{i}", *words) for i, words in enumerate(PHASES)] if len(phases) > 1 else []
    steps = [ids[line.symbol] for line in plan.lines]
    leaves = [n for n in nodes if n["kind"] == "parameter"]
    return {
        "version": VERSION, "title": title or derivation.function.removesuffix("_and_gradients"), "detail": "op", "direction": "TB",
        "gradients": False, "why": "a derivation has formulas, no numbers: the boxes of its backward part are the gradients",
        "counts": {
            "operations": len(steps), "parameters": len(leaves), "numbers": sum(n["value"]["size"] for n in leaves),
            "nodes": len(nodes), "edges": len(edges),
        },
        "ramp": None, "loss": None, "bad": None, "nodes": nodes, "edges": edges, "groups": groups,
        "steps": {"forward": steps, "backward": []}, "naive": None, "compare": None,
    }  # fmt: skip


def named_operands(symbol: Symbol, named: Any) -> Iterator[Symbol]:
    """The values with boxes of their own that an expression is made of."""
    stack = list(reversed(list(symbol.operands())))
    while stack:
        x = stack.pop()
        if x in named:
            yield x
        else:
            stack.extend(reversed(list(x.operands())))


def unknown(symbol: Symbol) -> Statistics:
    """Nothing is known of a value without numbers but how many entries it has."""
    return {
        "size": symbol.size, "min": None, "max": None, "mean": None, "rms": None, "norm": None, "zeros": 0, "nan": 0, "inf": 0,
        "rows": 0, "columns": 0, "preview": [], "truncated": False, "histogram": None,
    }  # fmt: skip


def new_phase(name: str, title: str, subtitle: str) -> Group:
    """A half of the derivation."""
    return {
        "id": name, "parent": None, "kind": "phase", "title": title, "subtitle": subtitle, "path": title, "lines": [], "width": 0.0,
        "height": 0.0, "title_width": 0.0, "operations": 0, "parameters": 0, "numbers": 0, "shape": None, "warn": "", "open": True,
    }  # fmt: skip
