"""The backward pass of a recorded graph, edge by edge, with every number kept: in the engine's order, and in a naive one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...graph import Node
from ...kernels.shapes import Array
from ...rules import where
from ...sweep import note_unused, pull_back

__all__ = ["Naive", "Rehearsal", "Visit", "naive", "rehearse"]

Edge = tuple[Node, int]
"""An edge is its user and the place among the user's inputs."""


@dataclass
class Rehearsal:
    """What flows in a backward pass.

    Attributes
    ----------
    order : the operations in the order in which the sweep visits them
    arrived : the whole gradient of each node that one arrives at
    sent : what flows back along each edge
    arrivals : the edges that contribute to a node's gradient, in the order in which they are added up
    running : the sum after each edge, for nodes with several
    """

    order: list[Node] = field(default_factory=list)
    arrived: dict[Node, Array] = field(default_factory=dict)
    sent: dict[Edge, Array] = field(default_factory=dict)
    arrivals: dict[Node, list[Edge]] = field(default_factory=dict)
    running: dict[Edge, Array] = field(default_factory=dict)


def rehearse(order: Sequence[Node], seeds: Mapping[Node, Array]) -> Rehearsal:
    """Run the backward pass without touching any ``.grad`` and without freeing the graph.

    Parameters
    ----------
    order : the nodes, each after all of its users
    seeds : the gradients that arrive from outside
    """
    found = Rehearsal(arrived={node: conjugated(np.array(g, node.array.dtype)) for node, g in seeds.items()})
    unused: dict[Node, Any] = {}
    for node in order:
        op, g = node.op, found.arrived.get(node)
        if op is None or g is None:
            continue
        found.order.append(node)
        dead = unused.pop(node, None)
        with np.errstate(all="ignore"):
            sent = pull_back(node, op, g, None, False, False, dead)
        places = [i for i, _ in node.edges if op.rules[0 if op.variadic else i] is not None]
        for place, (x, gx, _) in zip(places, sent, strict=True):
            before = found.arrived.get(x)
            if unused or op is where or dead is not None:
                note_unused(unused, node, x, dead, first=before is None)
            edge = (node, place)
            found.sent[edge] = gx
            found.arrivals.setdefault(x, []).append(edge)
            with np.errstate(all="ignore"):
                found.arrived[x] = np.asarray(gx if before is None else before + gx)
            found.running[edge] = found.arrived[x]
    for table in (found.arrived, found.sent, found.running):
        for key, g in table.items():
            table[key] = conjugated(g)  # type: ignore[index]  # each table has its own kind of key
    return found


def conjugated(g: Array) -> Array:
    """Of complex numbers, what users see for what the sweep hands on, and the other way round; see :mod:`tinygrad_mlp.sweep`."""
    return np.conjugate(g) if g.dtype.kind == "c" else g


class Visit(NamedTuple):
    """A step of the naive order.

    Attributes
    ----------
    node : the operation
    arrived, of : how many of its contributions had come by then, and how many there are
    gradient : their sum
    sent : what it hands on, with the place among its inputs
    """

    node: Node
    arrived: int
    of: int
    gradient: Array
    sent: list[tuple[int, Array]]


class Naive(NamedTuple):
    """The naive order: its steps, and the leaves that end with another gradient, as (leaf, what they get)."""

    steps: list[Visit]
    wrong: list[tuple[Node, Array]]


def naive(order: Sequence[Node], seeds: Mapping[Node, Array], truth: Rehearsal) -> Naive | None:
    """The pass in the order of plain recursion: each operation hands on at once what has arrived at it, and is visited once.

    That is what ``def visit(node): node.pass_on(); for x in node.inputs: visit(x)`` does. An operation with several users then
    passes on a gradient of which parts are still to come. None if every operation had all of its parts, so that nothing differs.
    """
    arrived: dict[Node, Array] = {node: conjugated(np.array(g, node.array.dtype)) for node, g in seeds.items()}
    count: dict[Node, int] = {}
    visited: dict[Node, None] = {}
    steps: list[Visit] = []
    stack = list(seeds)[::-1]
    while stack:
        node = stack.pop()
        if node.op is None or node in visited:
            continue
        visited[node] = None
        of = len(truth.arrivals.get(node, ()))
        with np.errstate(all="ignore"):
            sent = pull_back(node, node.op, arrived[node], None, False, False, None)
            places = [i for i, _ in node.edges if node.op.rules[0 if node.op.variadic else i] is not None]
            handed = [(i, conjugated(gx)) for i, (_, gx, _) in zip(places, sent, strict=True)]
            steps.append(Visit(node, count.get(node, 0), of, conjugated(arrived[node]), handed))
            for x, gx, _ in sent:
                arrived[x] = np.asarray(arrived[x] + gx) if x in arrived else gx
                count[x] = count.get(x, 0) + 1
        stack.extend(x for x, _, _ in reversed(sent))
    if all(step.arrived == step.of for step in steps):
        return None
    leaves = [node for node in order if node.op is None and node in truth.arrived]
    scale = max((float(np.max(np.abs(g), initial=0.0)) for g in truth.sent.values()), default=0.0)
    wrong = [(x, conjugated(arrived[x])) for x in leaves if not alike(conjugated(arrived[x]), truth.arrived[x], scale)]
    return Naive(steps, wrong)


def alike(a: Array, b: Array, scale: float) -> bool:
    """Whether two gradients are the same but for the order in which numbers of this size were added up."""
    room = 100 * float(np.finfo(b.dtype).eps) * scale if np.isfinite(scale) else 0.0
    return np.allclose(a, b, rtol=1e3 * float(np.finfo(b.dtype).eps), atol=room, equal_nan=True)
