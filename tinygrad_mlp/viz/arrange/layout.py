"""Places for boxes inside boxes, and paths for the edges between them: a layered layout for nested groups.

Each group is laid out on its own, innermost first, and is a box to the group around it: so equal modules look equal. Within a
group: layers by longest paths (:mod:`.layered.rows`), few crossings (:mod:`.layered.order`), straight spines
(:mod:`.layered.place`), gaps that leave room for curves and labels (:mod:`.layered.route`). An edge that enters or leaves a
group passes a port, a place on the group's border. Nothing here knows of graphs or styles. page/layout.js is the same in
JavaScript, to the last digit: change both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from .layered.model import BORDER, PADDING, TITLE, Child, Link, Tick
from .layered.order import arrange
from .layered.place import place
from .layered.route import STRAIGHT, Arranged, Point, route
from .layered.rows import build, sweep_order

__all__ = ["layout", "path"]


@dataclass(slots=True)
class Branch:
    """An open group, or the root: its children's numbers, and the links between them."""

    id: str
    parent: int
    number: int  # among its parent's children
    title: float
    depth: int
    children: list[Mapping[str, Any]] = field(default_factory=list)
    branches: dict[int, int] = field(default_factory=dict)  # which children are open groups
    links: list[Link] = field(default_factory=list)
    result: Arranged | None = None
    corner: Point = (0.0, 0.0)


def layout(
    root: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], direction: str = "TB", deadline: Tick | None = None
) -> dict[str, Any]:
    """Places for boxes inside boxes, and paths for edges.

    Parameters
    ----------
    root : boxes ``{"id", "width", "height"}`` and open groups ``{"id", "title_width", "children"}``
    edges : ``{"id", "source", "target", "label_width"}``, between boxes; a label is 14 high, and as wide as said if that is > 0
    direction : where the data flow: ``"TB"``, down, or ``"LR"``, to the right
    deadline : called now and then; it may raise to stop the layout

    Returns
    -------
    ``{"width", "height", "boxes": {id: [x, y, width, height]}, "edges": {id: {"points", "label", "flipped"}}}``: the boxes and open
    groups by their upper left corners, the points of the edges for :func:`path`, the labels by their middles or ``None``, and
    whether an edge goes back because it closes a cycle of groups. There is no margin around: add one for the lines' widths.
    """
    down = direction != "LR"
    tick = deadline or _never
    branches, home = _branches(root)
    ends = [(home[edge["source"]], home[edge["target"]]) for edge in edges]
    flipped = [False] * len(edges)
    meeting = _lift(branches, home, edges, ends)
    for branch in reversed(branches):  # innermost first
        children = [_child(branches, branch, number, down) for number in range(len(branch.children))]
        ported = branch.parent >= 0
        problem = build(children, branch.links, down, ported)
        arrange(problem, tick)
        place(problem, tick)
        margins = (PADDING + (0.0 if down else TITLE), PADDING) if ported else (0.0, 0.0)
        branch.result = route(problem, branch.title, margins)
        for link, back in zip(branch.links, problem.flipped, strict=True):
            flipped[link.edge] = flipped[link.edge] or back
    return _assemble(branches, edges, ends, meeting, flipped, down)


def path(points: Sequence[Sequence[float]], direction: str = "TB") -> str:
    """The ``d`` of an SVG path through the points of an edge.

    From point to point (for ``"TB"``; for ``"LR"`` swap x and y): at equal x a straight line; at equal y, which is only
    where an edge of a cycle turns, an arc that bulges 12 px in the direction the edge had; else an S-curve, a cubic with vertical
    tangents and both control points at half the height.
    """
    down = direction != "LR"
    parts = ["M" + _pair(points[0][0], points[0][1])] if points else []
    heading = 1.0
    for before, point in pairwise(points):
        across, along = (before[0], before[1]) if down else (before[1], before[0])
        x, y = (point[0], point[1]) if down else (point[1], point[0])
        if x == across:
            parts.append("L" + _pair(point[0], point[1]))
            heading = 1.0 if y >= along else -1.0
            continue
        if y == along:
            first = second = y + 16.0 * heading
            heading = -heading
        else:
            first = second = (along + y) / 2
        controls = (across, first, x, second) if down else (first, across, second, x)
        parts.append(
            "C" + _pair(controls[0], controls[1]) + " " + _pair(controls[2], controls[3]) + " " + _pair(point[0], point[1])
        )
    return "".join(parts)


def _pair(x: float, y: float) -> str:
    return f"{_number(x)} {_number(y)}"


def _number(value: float) -> str:
    hundredths = int(value * 100 + 0.5) if value >= 0 else -int(-value * 100 + 0.5)
    sign, digits = ("-" if hundredths < 0 else ""), abs(hundredths)
    text = f"{sign}{digits // 100}.{digits % 100:02d}"
    return text.rstrip("0").rstrip(".")


def _never() -> None:
    """No deadline."""


def _branches(root: Sequence[Mapping[str, Any]]) -> tuple[list[Branch], dict[str, tuple[int, int]]]:
    """The groups, each before those in it, and for each box its group and its number there."""
    branches = [Branch("", -1, -1, 0.0, 0, list(root))]
    home: dict[str, tuple[int, int]] = {}
    for number, branch in enumerate(branches):  # grows while it is read
        for place_, item in enumerate(branch.children):
            if "children" in item:
                branch.branches[place_] = len(branches)
                branches.append(
                    Branch(item["id"], number, place_, float(item["title_width"]), branch.depth + 1, list(item["children"]))
                )
            else:
                home[item["id"]] = (number, place_)
    return branches, home


def _lift(
    branches: list[Branch],
    home: Mapping[str, tuple[int, int]],
    edges: Sequence[Mapping[str, Any]],
    ends: list[tuple[tuple[int, int], tuple[int, int]]],
) -> list[int]:
    """Cut each edge into links, one for each group it is in; returns for each edge the group where its two sides meet."""
    numbers = {end: number for number, end in enumerate(home.values())}
    pairs = [(numbers[source], numbers[target]) for source, target in ends]
    order, back = sweep_order(len(numbers), pairs)
    depth, reach = [0] * len(numbers), [0] * len(numbers)
    outs: list[list[int]] = [[] for _ in numbers]
    for (source, target), is_back in zip(pairs, back, strict=True):
        if not is_back:
            outs[source].append(target)
    for number in order:
        for target in outs[number]:
            depth[target] = max(depth[target], depth[number] + 1)
    for number in reversed(order):
        for target in outs[number]:
            reach[number] = max(reach[number], reach[target] + 1)
    meeting = []
    for number, edge in enumerate(edges):
        (group, child), (other, target) = ends[number]
        ranks = (float(depth[pairs[number][0]]), float(reach[pairs[number][1]]))
        while group != other:
            if branches[group].depth >= branches[other].depth:
                branches[group].links.append(Link(number, child, BORDER, 0.0, *ranks))
                group, child = branches[group].parent, branches[group].number
            else:
                branches[other].links.append(Link(number, BORDER, target, 0.0, *ranks))
                other, target = branches[other].parent, branches[other].number
        branches[group].links.append(Link(number, child, target, float(edge["label_width"]), *ranks))
        meeting.append(group)
    return meeting


def _child(branches: list[Branch], branch: Branch, number: int, down: bool) -> Child:
    """A child as a box for its group's layout, with the ports of one that is an open group."""
    item = branch.children[number]
    if number not in branch.branches:
        width, height = float(item["width"]), float(item["height"])
        return Child(width, height) if down else Child(height, width)
    inner = branches[branch.branches[number]]
    assert inner.result is not None  # noqa: S101  innermost first
    entries: dict[int, float] = {}
    exits: dict[int, float] = {}
    for link, points in zip(inner.links, inner.result.paths, strict=True):
        if link.source == BORDER:
            entries[link.edge] = points[0][0]
        elif link.target == BORDER:
            exits[link.edge] = points[-1][0]
    return Child(inner.result.across, inner.result.along, entries, exits)


def _assemble(
    branches: list[Branch],
    edges: Sequence[Mapping[str, Any]],
    ends: list[tuple[tuple[int, int], tuple[int, int]]],
    meeting: list[int],
    flipped: list[bool],
    down: bool,
) -> dict[str, Any]:
    """Everything in the coordinates of the whole, x and y."""
    boxes: dict[str, list[float]] = {}
    before: list[list[list[Point]]] = [[] for _ in edges]  # the parts of each edge, from inside out
    after: list[list[list[Point]]] = [[] for _ in edges]  # from outside in
    labels: list[Point | None] = [None] * len(edges)
    for group, branch in enumerate(branches):
        result = branch.result
        assert result is not None  # noqa: S101
        x, y = branch.corner
        for number, item in enumerate(branch.children):
            corner = (x + result.places[number][0], y + result.places[number][1])
            if number in branch.branches:
                inner = branches[branch.branches[number]]
                inner.corner = corner
                assert inner.result is not None  # noqa: S101
                size = (inner.result.across, inner.result.along) if down else (inner.result.along, inner.result.across)
            else:
                size = (float(item["width"]), float(item["height"]))
            boxes[item["id"]] = [*(corner if down else corner[::-1]), *size]
        for number, link in enumerate(branch.links):
            part = [(x + point[0], y + point[1]) for point in result.paths[number]]
            if group == meeting[link.edge] or link.source == BORDER:
                after[link.edge].append(part)
            else:
                before[link.edge].append(part)
            middle = result.labels[number]
            if middle is not None:
                labels[link.edge] = (x + middle[0], y + middle[1])
    whole = branches[0].result
    assert whole is not None  # noqa: S101
    drawn: dict[str, Any] = {}
    for number, edge in enumerate(edges):
        points = _join([*reversed(before[number]), *after[number]])
        label = labels[number]
        drawn[edge["id"]] = {
            "points": [[point[0], point[1]] if down else [point[1], point[0]] for point in points],
            "label": None if label is None else [label[0], label[1]] if down else [label[1], label[0]],
            "flipped": flipped[number],
        }
    size = (whole.across, whole.along) if down else (whole.along, whole.across)
    return {"width": size[0], "height": size[1], "boxes": boxes, "edges": drawn}


def _join(parts: list[list[Point]]) -> list[Point]:
    """One list of points, without those on a straight line between others."""
    points: list[Point] = []
    for part in parts:
        for x, y in part:
            if points and abs(points[-1][0] - x) < STRAIGHT:
                x = points[-1][0]
                if abs(points[-1][1] - y) < 1e-9:
                    continue
                if len(points) > 1 and points[-2][0] == x:
                    points.pop()
            points.append((x, y))
    return points
