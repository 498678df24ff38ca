"""What a drawing says in words: of a box, of an edge, of the whole graph, and of what is folded away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..graph.numbers import short

__all__ = [
    "closed_groups",
    "edge_facts",
    "group_facts",
    "items",
    "node_facts",
    "number",
    "shape_of",
    "statistics",
    "summary",
    "whole",
]

CATEGORIES = {
    "linear": "linear algebra",
    "arithmetic": "arithmetic",
    "activation": "activation",
    "reduction": "reduction",
    "shape": "shape",
    "loss": "loss",
    "custom": "custom rule",
    "other": "other operation",
}

ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}

LISTED = 60
"""So many operations are named in the description of a drawing, and six groups in its summary."""


def number(x: float | str | None, digits: int = 4) -> str:
    """A number of the description, which writes NaN and infinities as words."""
    return "none" if x is None else short(float(x), digits)


def shape_of(shape: list[int] | None) -> str:
    """A shape as NumPy writes it; a scalar's has a word."""
    return "" if shape is None else str(tuple(shape)) if shape else "scalar"


def statistics(stats: Mapping[str, Any]) -> str:
    """One line for an array's numbers."""
    spoilt = [f"{stats[key]} {name}" for key, name in (("nan", "NaN"), ("inf", "infinite")) if stats[key]]
    if stats["size"] == 0:
        return "empty"
    if stats["size"] == 1:
        return "NaN" if stats["nan"] else "infinite" if stats["inf"] else number(stats["mean"])
    known = [f"{name} {number(stats[key])}" for key, name in (("min", "min"), ("max", "max"), ("mean", "mean"), ("rms", "RMS"))]
    zeros = [f"{stats['zeros']} of {stats['size']} are 0"] if stats["zeros"] else []
    return ", ".join(spoilt + (known if stats["rms"] is not None else []) + zeros)


def node_facts(node: Mapping[str, Any]) -> list[str]:
    """All that is known of a box, line by line."""
    kind = CATEGORIES.get(node["category"], "operation") if node["kind"] == "op" else node["kind"]
    facts = [f"{node['name'] or node['title']} ({kind}{', output' if node['output'] else ''})"]
    facts.append(f"shape {shape_of(node['shape'])}, {node['dtype']}")
    facts += [node["formula"]] if node["formula"] else []
    facts += [node["numbers"]] if node["numbers"] else []
    for line in node["derivatives"]:
        facts += [*line["before"], line["text"]] + ([line["numbers"]] if line["numbers"] else [])
    facts.append(f"value: {statistics(node['value'])}")
    if node["gradient"] is not None:
        facts.append(f"gradient: {statistics(node['gradient'])}")
    elif not node["tracked"]:
        facts.append("no gradient flows here")
    facts += [f"used {node['users']} times"] if node["users"] > 1 else []
    return facts + ([node["source"]] if node["source"] else [])


def group_facts(group: Mapping[str, Any]) -> list[str]:
    """All that is known of a group."""
    facts = [f"{group['title']} {group['subtitle']}".strip()]
    facts += [group["path"]] if group["path"] and group["path"] != group["title"] else []
    facts.append(counted(group))
    return facts + ([WARNINGS[group["warn"]]] if group["warn"] else [])


WARNINGS = {"nan": "NaN or ∞ inside", "zero": "all gradients inside are 0"}


def counted(group: Mapping[str, Any]) -> str:
    """What a group holds, in numbers."""
    text = plural(group["operations"], "operation")
    return text + (
        f", {plural(group['numbers'], 'number')} in {plural(group['parameters'], 'parameter')}" if group["parameters"] else ""
    )


def plural(n: int, word: str) -> str:
    """A count with its noun.

    >>> plural(1, "node"), plural(2500, "node")
    ('1 node', '2,500 nodes')
    """
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def edge_facts(edges: list[Mapping[str, Any]], names: Mapping[str, str]) -> list[str]:
    """What an edge tells: where it leads, and the gradient that flows back along it; of merged ones the first few."""
    facts = []
    for edge in edges[:6]:
        source = names.get(edge["source"], edge["source"])
        way = f"{source} → {names.get(edge['target'], edge['target'])}, argument {edge['argument'] + 1}"
        facts.append(f"{way}: {flow(edge, source)}")
    return facts + ([f"and {len(edges) - 6} more"] if len(edges) > 6 else [])


def flow(edge: Mapping[str, Any], source: str) -> str:
    """The gradient on an edge, in words."""
    gradient = edge["gradient"]
    if edge["state"] == "none":
        return "no gradient flows here"
    if gradient is None:
        return "no gradients yet"
    size = gradient["text"] if is_scalar(gradient) else f"RMS {number(gradient['rms'])}, largest {number(gradient['max'])}"
    told = "exactly 0" if gradient["zero"] else size
    told = f"{gradient['nan']} entries are NaN or infinite" if gradient["nan"] else told
    part = f"; {ORDINALS.get(edge['order'], str(edge['order']) + 'th')} of {edge['of']} contributions to {source}"
    return f"gradient that flows back: {told}{part if edge['of'] > 1 else ''}"


def is_scalar(gradient: Mapping[str, Any] | None) -> bool:
    """Whether a gradient is one number, which is shown itself; of others the RMS is shown."""
    return gradient is not None and gradient["rows"] * gradient["columns"] == 1


def whole(graph: Mapping[str, Any]) -> str:
    """The graph in a paragraph: how much there is, the loss, the operations in order."""
    counts = graph["counts"]
    kinds = plural(counts["operations"], "operation")
    if counts["parameters"]:
        kinds += f", {plural(counts['parameters'], 'parameter')} with {plural(counts['numbers'], 'number')}"
    parts = [f"{kinds}, {plural(counts['nodes'], 'node')} and {plural(counts['edges'], 'edge')}."]
    parts += [f"Loss {number(graph['loss'])}."] if graph["loss"] is not None else []
    parts += [graph["bad"]["words"] + "."] if graph["bad"] else []
    parts += [graph["why"].rstrip(".") + "."] if not graph["gradients"] and graph["why"] else []
    titles = {node["id"]: node["op"] or node["title"] for node in graph["nodes"]}
    order = graph["steps"]["forward"]
    if order:
        named = ", ".join(titles[i] for i in order[:LISTED]) + (f" and {len(order) - LISTED} more" if len(order) > LISTED else "")
        parts.append(f"In order of execution: {named}.")
    return " ".join(parts)


def items(root: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], int]]:
    """Every item of a view with its depth, groups before what they hold. No recursion: groups may be deep."""
    stack = [(item, 0) for item in reversed(root)]
    while stack:
        item, depth = stack.pop()
        yield item, depth
        stack.extend((child, depth + 1) for child in reversed(item.get("children", ())))


def closed_groups(graph: Mapping[str, Any], view: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups that are seen as one box."""
    groups = {group["id"]: group for group in graph["groups"]}
    return [groups[item["id"]] for item, _ in items(view["root"]) if "children" not in item and item["id"] in groups]


def summary(graph: Mapping[str, Any], view: Mapping[str, Any]) -> str:
    """What is hidden, so that nothing is hidden silently; empty if all is seen."""
    closed = closed_groups(graph, view)
    if not closed:
        return ""
    nodes = {node["id"] for node in graph["nodes"]}
    seen = sum(item["id"] in nodes for item, _ in items(view["root"]))
    told = []
    for group in closed[:6]:
        if group["kind"] in ("module", "phase"):
            told.append(group["title"] + (f" ({group['subtitle']})" if group["subtitle"] else "") + " closed")
        else:
            told.append(f"{group['subtitle'] or group['title']} folded")
    more = f" and {len(closed) - 6} more groups" if len(closed) > 6 else ""
    return f"showing {seen:,} of {plural(graph['counts']['nodes'], 'node')}: {', '.join(told)}{more}"
