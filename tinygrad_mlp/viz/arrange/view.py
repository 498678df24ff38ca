"""What is to be seen of a graph, given the groups that are open: a tree of boxes, and the edges between them.

page/view.js is the same in JavaScript; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..graph.ir import Edge, Graph
from .outline import Outline

__all__ = ["visible"]

STATES = ("none", "unknown", "zero", "flow", "nan")
"""Of edges that are merged the last of these is shown."""


def visible(graph: Graph, open_groups: Collection[str] | None = None) -> dict[str, Any]:
    """The boxes and edges of a graph.

    Edges inside a closed group are not seen; edges between the same two boxes, one of them a closed group, are one ("× n").

    Parameters
    ----------
    graph : the description
    open_groups : the identifiers of the open groups; by default those that the description opens

    Returns
    -------
    ``{"root": items, "edges": edges}``, see the fields in the code.
    """
    outline = Outline(graph)
    shown = {g["id"] for g in graph["groups"] if g["open"]} if open_groups is None else set(open_groups)
    box_of: dict[str, str] = {}
    for node in graph["nodes"]:
        box = node["id"]
        for item in outline.lineage(node["id"]):
            if item != node["id"] and item not in shown:
                box = item
        box_of[node["id"]] = box
    merged: dict[Any, list[Edge]] = {}
    for edge in graph["edges"]:
        source, target = box_of[edge["source"]], box_of[edge["target"]]
        if source != target:
            single = source == edge["source"] and target == edge["target"]
            merged.setdefault(edge["id"] if single else (source, target), []).append(edge)
    edges = [seen_edge(members, box_of) for members in merged.values()]
    return {"root": items(outline, shown), "edges": edges}


def seen_edge(members: list[Edge], box_of: dict[str, str]) -> dict[str, Any]:
    """One edge for those that it stands for: the state that matters most, and the largest gradient."""
    first = members[0]
    state = max((e["state"] for e in members), key=STATES.index)
    shown = [e for e in members if e["state"] == state]
    best = max(shown, key=lambda e: e["gradient"]["rms"] if e["gradient"] is not None else 0.0)
    several = len(members) > 1
    label = f"{best['label']} × {len(members)}".strip() if several else best["label"]
    return {
        "id": first["id"] if not several else f"{first['id']}+{len(members) - 1}", "source": box_of[first["source"]],
        "target": box_of[first["target"]], "members": [e["id"] for e in members], "label": label,
        "label_width": round(best["label_width"] + (0.0 if not several else 7.5 * (3 + len(str(len(members))))), 1),
        "state": state, "level": best["level"],
        "sign": first["sign"] if not several and box_of[first["target"]] == first["target"] else "",
    }  # fmt: skip


def items(outline: Outline, shown: set[str]) -> list[dict[str, Any]]:
    """The tree of boxes and open groups."""
    root: list[dict[str, Any]] = []
    stack: list[tuple[str | None, list[dict[str, Any]]]] = [(None, root)]
    while stack:
        parent, found = stack.pop()
        for item in outline.children[parent]:
            if item in outline.groups and item in shown:
                inside: list[dict[str, Any]] = []
                found.append({"id": item, "title_width": outline.groups[item]["title_width"], "children": inside})
                stack.append((item, inside))
            else:
                box = outline.nodes.get(item) or outline.groups[item]
                found.append({"id": item, "width": box["width"], "height": box["height"]})
    return root
