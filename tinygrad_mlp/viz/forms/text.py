"""The drawing as plain text: a list of the operations in execution order, for a terminal and for a screen reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..graph.measure import shorten, visible
from .words import number, plural, shape_of, statistics

__all__ = ["text"]

NAME = 44
"""Longer names are shortened."""


def text(graph: Mapping[str, Any]) -> str:
    """All operations and parameters of a graph with their shapes, values and gradients, a line each, indented by module."""
    counts = graph["counts"]
    head = [visible(graph["title"]) or "graph"]
    told = plural(counts["operations"], "operation")
    if counts["parameters"]:
        told += f", {plural(counts['parameters'], 'parameter')} with {plural(counts['numbers'], 'number')}"
    head.append(f"{told}; {plural(counts['nodes'], 'node')}, {plural(counts['edges'], 'edge')}")
    if graph["loss"] is not None:
        head.append(f"loss {number(graph['loss'])}")
    if graph["bad"]:
        head.append(f"⚠ {visible(graph['bad']['words'])}")
    if not graph["gradients"] and graph["why"]:
        head.append(visible(graph["why"]))
    lines = [*head, "", "operations in execution order"]
    groups = {group["id"]: group for group in graph["groups"]}
    path: list[str] = []
    steps = {identifier: i + 1 for i, identifier in enumerate(graph["steps"]["forward"])}
    digits = len(str(len(steps)))
    for node in (n for n in graph["nodes"] if n["kind"] == "op"):
        inside = chain(groups, node["group"])
        common = next((i for i, (a, b) in enumerate(zip(path, inside, strict=False)) if a != b), min(len(path), len(inside)))
        lines += [f"{'  ' * (i + 1)}{named(groups[inside[i]])}" for i in range(common, len(inside))]
        path = inside
        lines.append(f"{'  ' * (len(inside) + 1)}{steps.get(node['id'], 0):>{digits}}  {operation(node)}")
    leaves = [n for n in graph["nodes"] if n["kind"] in ("input", "constant", "parameter")]
    if leaves:
        lines += ["", "inputs and parameters", *(f"  {leaf(node)}" for node in leaves)]
    return "\n".join(lines) + "\n"


def chain(groups: Mapping[str, Mapping[str, Any]], at: str | None) -> list[str]:
    """The modules around a node, from outside; folds are no places."""
    inside: list[str] = []
    while at is not None:
        if groups[at]["kind"] in ("module", "phase"):
            inside.append(at)
        at = groups[at]["parent"]
    return inside[::-1]


def named(group: Mapping[str, Any]) -> str:
    """A module in the list."""
    return (
        f"{shorten(group['title'], NAME)}: {shorten(group['subtitle'], NAME)}"
        if group["subtitle"]
        else shorten(group["title"], NAME)
    )


def operation(node: Mapping[str, Any]) -> str:
    """An operation: title, formula, shape, value, gradient."""
    parts = [shorten(node["title"], NAME)]
    parts += [shorten(node["numbers"] or node["formula"], 2 * NAME)] if node["formula"] else []
    return "   ".join([*parts, *facts(node)])


def leaf(node: Mapping[str, Any]) -> str:
    """An input or a parameter."""
    return "   ".join([shorten(node["name"] or node["title"], NAME), node["kind"], *facts(node)])


def facts(node: Mapping[str, Any]) -> list[str]:
    """Shape, the value of a scalar, the size of the gradient, and what is not finite."""
    value, gradient = node["value"], node["gradient"]
    parts = [shape_of(node["shape"])]
    if (value["size"] == 1 and not node["numbers"]) or value["nan"] or value["inf"]:
        parts.append(f"= {statistics(value)}" if value["size"] == 1 else f"⚠ value: {bad(value)}")
    if gradient is None:
        parts += [] if node["tracked"] else ["no gradient"]
    elif gradient["nan"] or gradient["inf"]:
        parts.append(f"⚠ gradient: {bad(gradient)}")
    elif gradient["size"]:
        parts.append(f"gradient {statistics(gradient)}" if gradient["size"] == 1 else f"gradient RMS {number(gradient['rms'])}")
    return parts


def bad(stats: Mapping[str, Any]) -> str:
    """How many entries are NaN or infinite."""
    return (
        ", ".join(f"{stats[key]:,} {word}" for key, word in (("nan", "NaN"), ("inf", "infinite")) if stats[key])
        + f" of {stats['size']:,}"
    )
