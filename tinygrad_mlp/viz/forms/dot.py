"""The drawing for Graphviz: an ordinary ``graphviz.Digraph``; and places for our own drawing, found by the ``dot`` program."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import DataError, MissingExtraError, require
from ..graph.measure import visible
from .palette import PALETTE
from .words import items

__all__ = ["digraph", "placed_by_dot"]

SECONDS = 60
"""The program may take so long; on some graphs of a few thousand nodes it takes hours."""

MISSING = (
    "layout='dot' needs the program dot of Graphviz, which was not found. Any one of these helps: install the program "
    "(apt install graphviz, brew install graphviz, conda install -c conda-forge graphviz, choco install graphviz; the PyPI package "
    "graphviz does not hold it); or pip install 'pygraphviz>=2', which does; or leave layout= out: our own layout needs nothing"
)


def plain(*lines: str) -> Any:
    """Any lines of text as a label: never HTML, and with nothing that Graphviz reads as an escape or an entity."""
    import graphviz

    return graphviz.nohtml("\\n".join(visible(line).replace("&", "&amp;").replace("\\", "\\\\") for line in lines))


def label_of(lines: Sequence[Sequence[str]]) -> Any:
    """The lines of a box as a plain label."""
    return plain(*(text for _, text in lines))


def digraph(graph: Mapping[str, Any], view: Mapping[str, Any]) -> Any:
    """What is seen of a graph as a ``graphviz.Digraph`` with plain labels; open groups are clusters.

    Every node, edge and cluster carries the identifier of the description as its ``id``.
    """
    graphviz = require("graphviz", "", "a graphviz.Digraph")
    nodes = {node["id"]: node for node in graph["nodes"]}
    groups = {group["id"]: group for group in graph["groups"]}
    top = graphviz.Digraph(
        comment=plain(graph["title"]),
        graph_attr={"rankdir": graph["direction"], "fontname": "Helvetica", "bgcolor": "white"},
        node_attr={"fontname": "Helvetica", "fontsize": "12", "style": "filled", "shape": "box"},
        edge_attr={"fontname": "Helvetica", "fontsize": "10"},
    )
    opened = [item for item, _ in items(view["root"]) if "children" in item]
    done: dict[str, Any] = {}
    for item in [*reversed(opened), {"id": "", "children": view["root"]}]:  # inner clusters are ready before they are put in
        found = groups.get(item["id"])
        here = top if found is None else cluster(graphviz, found)
        for child in item["children"]:
            if "children" in child:
                here.subgraph(done[child["id"]])
            elif child["id"] in groups:
                here.node(child["id"], label_of(groups[child["id"]]["lines"]), **closed_look(groups[child["id"]]))
            else:
                here.node(child["id"], label_of(nodes[child["id"]]["lines"]), **look(nodes[child["id"]]))
        done[item["id"]] = here
    for seen in view["edges"]:
        text = {"label": plain(seen["label"])} if seen["label"] else {}
        top.edge(seen["source"], seen["target"], id=seen["id"], **text, **edge_look(seen["state"], seen["level"]))
    return top


def cluster(graphviz: Any, group: Mapping[str, Any]) -> Any:
    """An open group, empty as yet."""
    title = plain(f"{group['title']} {group['subtitle']}".strip())
    attributes = {"label": title, "id": group["id"], "style": "rounded", "color": PALETTE["light"]["group-line"], "labeljust": "l"}
    return graphviz.Digraph(name=f"cluster_{group['id']}", graph_attr=attributes)


def look(node: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of a node by its kind."""
    name = node["category"] if node["kind"] == "op" else node["kind"]
    style = "filled" if node["kind"] == "parameter" else "filled,rounded"
    c = PALETTE["light"]
    return {
        "id": node["id"],
        "tooltip": plain(node["name"] or node["title"]),
        "style": style + ("" if node["tracked"] else ",dashed"),
        "fillcolor": c[f"{name}-fill"],
        "color": c[f"{name}-line"],
        "penwidth": "2.5" if node["output"] or node["category"] == "loss" else "1.2",
    }


def closed_look(group: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of a closed group: a double border."""
    c = PALETTE["light"]
    return {
        "id": group["id"],
        "tooltip": plain(group["path"] or group["title"]),
        "peripheries": "2",
        "fillcolor": c["module-fill"],
        "color": c["module-line"],
    }


def edge_look(state: str, level: int) -> dict[str, str]:
    """The attributes of an edge by the gradient that flows back along it."""
    c = PALETTE["light"]
    if state == "flow":
        return {"color": c[f"edge-{level}"], "penwidth": str((1.0, 1.5, 2.1, 2.8, 3.5)[level])}
    return {
        "zero": {"color": c["edge-zero"], "style": "dashed"},
        "nan": {"color": c["edge-nan"], "penwidth": "3.5"},
        "none": {"color": c["edge-none"], "style": "dotted"},
    }.get(state, {"color": c["edge-unknown"]})


# --- places ------------------------------------------------------------------------------------------------------------


def placed_by_dot(view: Mapping[str, Any], direction: str) -> dict[str, Any]:
    """Places for the boxes and edges of a view, found by Graphviz, in the form that the built-in layout gives.

    Graphviz draws nothing: it is told of empty boxes of our sizes. Paths are cubic Bézier control points (``"spline": True``).

    Raises
    ------
    MissingExtraError
        If Graphviz is not there; the message names the cures.
    DataError
        If it fails, or takes longer than a minute.
    """
    found = json.loads(run(skeleton(view, direction)))
    height = float(found["bb"].split(",")[3])
    boxes: dict[str, list[float]] = {}
    for thing in found.get("objects", ()):
        if "bb" in thing:
            left, low, right, high = map(float, thing["bb"].split(","))
            boxes[thing["id"]] = [left, height - high, right - left, high - low]
        else:
            x, y = map(float, thing["pos"].split(","))
            w, h = float(thing["width"]) * 72, float(thing["height"]) * 72
            boxes[thing["id"]] = [x - w / 2, height - y - h / 2, w, h]
    edges = {}
    for edge in found.get("edges", ()):  # in an order of its own: the id tells which is which
        points = [[float(x), height - float(y)] for x, y in (pair.split(",") for pair in edge["pos"].split())]
        at = [float(v) for v in edge["lp"].split(",")] if "lp" in edge else None
        label = None if at is None else [at[0], height - at[1]]
        edges[edge["id"]] = {"points": points, "label": label, "flipped": False, "spline": True}
    return {"width": float(found["bb"].split(",")[2]), "height": height, "boxes": boxes, "edges": edges}


def skeleton(view: Mapping[str, Any], direction: str) -> str:
    """The DOT text of empty boxes; titles and labels are rows of x that are as wide as ours."""
    lines = [
        f"digraph {{ rankdir={direction} nodesep=0.4 ranksep=0.45",
        'node [shape=box fixedsize=true label=""] edge [arrowhead=none fontsize=11 fontname="Times"]',
    ]
    depth = 0
    for item, level in items([dict(item) for item in view["root"]]):
        lines += ["}"] * (depth - level)
        depth = level
        if "children" in item:
            row = "x" * max(1, round(item["title_width"] / 9))
            lines.append(
                f'subgraph "cluster_{item["id"]}" {{ id="{item["id"]}" margin=14 fontsize=18 fontname="Times" label="{row}"'
            )
            depth += 1
        else:
            w, h = (math.ceil(item[side]) / 72 for side in ("width", "height"))  # dot rounds to points
            lines.append(f'"{item["id"]}" [id="{item["id"]}" width={w:.5f} height={h:.5f}]')
    lines += ["}"] * depth
    for edge in view["edges"]:
        row = f' label="{"x" * max(1, round(edge["label_width"] / 5))}"' if edge["label_width"] else ""
        lines.append(f'"{edge["source"]}" -> "{edge["target"]}" [id="{edge["id"]}"{row}]')
    return "\n".join([*lines, "}\n"])


def run(text: str) -> str:
    """What ``dot -Tjson0`` says; the program first, then pygraphviz, which holds Graphviz as a library."""
    try:
        done = subprocess.run(
            ["dot", "-Tjson0"],  # noqa: S607 - found as the user's shell finds it
            input=text, capture_output=True, check=False, timeout=SECONDS, encoding="utf-8",
        )  # fmt: skip
    except FileNotFoundError:
        return in_process(text)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"dot took longer than {SECONDS} seconds: close some groups, or leave layout= out") from error
    if done.returncode:
        raise DataError(f"dot failed with code {done.returncode}: {done.stderr.strip() or 'no message'}")
    return done.stdout


def in_process(text: str) -> str:
    """The same by pygraphviz."""
    try:
        import pygraphviz
    except ImportError as error:
        raise MissingExtraError(MISSING) from error
    drawn: bytes = pygraphviz.AGraph(string=text).draw(format="json0", prog="dot")
    return drawn.decode("utf-8")
