"""The description of a graph that every drawing is made from: plain data, written as strict JSON, with a version.

Sizes are in CSS pixels at a zoom of 1. Identifiers number the nodes in execution order, so the same program gives the same text.
"""

from __future__ import annotations

import json
from typing import Any, TypedDict

from ...errors import DataError

__all__ = ["VERSION", "Brief", "Edge", "Graph", "Group", "LocalLine", "Node", "Statistics", "dumps", "loads"]

VERSION = 1

Line = tuple[str, str]
"""A line in a box: its style (title, class, muted, formula, derivative, value, gradient) and its text."""

Number = float | str
"""A number of strict JSON: NaN and infinities are the words nan, inf and -inf."""


class Statistics(TypedDict):
    """What is told of an array. Of an empty one, and where no entry is finite, the numbers are None."""

    size: int
    min: float | None
    max: float | None
    mean: float | None
    rms: float | None
    norm: float | None
    zeros: int
    nan: int
    inf: int
    rows: int
    columns: int
    preview: list[Number]
    truncated: bool
    histogram: dict[str, Any] | None


class Brief(TypedDict):
    """What is told of the gradient on an edge."""

    rms: float
    max: float
    nan: int
    zero: bool
    text: str
    rows: int
    columns: int
    preview: list[Number]


class LocalLine(TypedDict):
    """A local derivative: the gradient of one input, with g for the one that arrives at the result z.

    ``text`` and ``before`` are exact, as on the page of rules; ``shown`` is ``text`` as a person would write it.
    """

    argument: int
    of: str
    before: list[str]
    text: str
    shown: str
    numbers: str


class Node(TypedDict):
    """A value: an input, a parameter, a constant, the result of an operation; with detail "full" also each result's own box."""

    id: str
    kind: str
    category: str
    title: str
    name: str
    op: str
    shape: list[int]
    dtype: str
    group: str | None
    lines: list[Line]
    width: float
    height: float
    formula: str
    numbers: str
    derivatives: list[LocalLine]
    value: Statistics
    gradient: Statistics | None
    source: str
    users: int
    tracked: bool
    output: bool


class Edge(TypedDict):
    """A use of a value by an operation; ``gradient`` is what flows back along it, the ``order``-th of ``of`` contributions."""

    id: str
    source: str
    target: str
    argument: int
    label: str
    label_width: float
    state: str
    level: int
    sign: str
    gradient: Brief | None
    order: int
    of: int
    running: Brief | None


class Group(TypedDict):
    """Boxes that belong together: a call of a module, equal units one after the other, a stretch of a long sequence, a phase."""

    id: str
    parent: str | None
    kind: str
    title: str
    subtitle: str
    path: str
    lines: list[Line]
    width: float
    height: float
    title_width: float
    operations: int
    parameters: int
    numbers: int
    shape: list[int] | None
    warn: str
    open: bool


class Graph(TypedDict):
    """The whole drawing."""

    version: int
    title: str
    detail: str
    direction: str
    gradients: bool
    why: str
    counts: dict[str, int]
    ramp: dict[str, float] | None
    loss: Number | None
    bad: dict[str, str] | None
    nodes: list[Node]
    edges: list[Edge]
    groups: list[Group]
    steps: dict[str, list[str]]
    naive: dict[str, Any] | None
    compare: dict[str, Any] | None


def dumps(graph: Graph) -> str:
    """The description as strict JSON."""
    text = json.dumps(graph, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode("utf-8")  # names may hold half a surrogate pair, which no file can


def loads(text: str) -> Graph:
    """The description again.

    Raises
    ------
    DataError
        If it is no description of a graph, or of another version.
    """
    try:
        graph = json.loads(text)
    except ValueError as error:
        raise DataError(f"this is no JSON: {error}") from error
    if not isinstance(graph, dict) or not {"version", "nodes", "edges", "groups"} <= graph.keys():
        raise DataError("this is no description of a graph: write it with drawing.save('graph.json')")
    if graph["version"] != VERSION:
        raise DataError(f"this description has version {graph['version']}, but version {VERSION} is read here: draw it again")
    for kind, fields in (("nodes", Node), ("edges", Edge), ("groups", Group)):
        for part in graph[kind]:
            if not isinstance(part, dict) or not fields.__annotations__.keys() <= part.keys():
                raise DataError(f"this is no whole description: one of its {kind} lacks something (got {str(part)[:60]})")
    if not Graph.__annotations__.keys() <= graph.keys():
        raise DataError(
            f"this is no whole description: {', '.join(sorted(Graph.__annotations__.keys() - graph.keys()))} is missing"
        )
    return graph  # type: ignore[return-value]  # written by dumps
