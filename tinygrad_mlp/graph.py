"""The graph of a computation: what a node is, where it came from, and the topological order of the nodes.

A node is data: the primitive that made it, its inputs, the arrays that it was computed from, and its own array.
"""

from __future__ import annotations

import itertools
import os
import sys
from _thread import get_ident
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from .errors import GraphError
from .kernels.shapes import Array
from .primitive import Primitive

__all__ = ["Call", "Extras", "Node", "between", "calls_of", "line_of", "mark_call", "origin", "place", "topological"]

CLOCK = itertools.count(1)  # when a node was made: what is computed from a value is younger than it
ndarray = np.ndarray
PACKAGE = os.path.dirname(__file__) + os.sep
INTERNAL: dict[str, bool] = {}  # a memo: is this source file part of the package?


class Node:
    """A value in a computation, and how it came about.

    Attributes
    ----------
    array : the value, an ndarray
    tracked : whether gradients flow to it (a Tensor's ``requires_grad``)
    op : the primitive that computed it, or ``None`` for a leaf
    inputs : what the primitive was called with: nodes, and plain arrays and numbers for constants
    arrays : the inputs' arrays at that moment, ``None`` once the graph is freed; a parameter that is given new data
        afterwards does not change them, so the gradient stays that of the computation that was run
    edges : the inputs to which gradients flow, each with its position: (0, x), (1, y)
    params : the primitive's parameters
    stamp : when it was made, a time of one clock
    grad : for leaves, the accumulated gradient, a plain ndarray
    extras : what few nodes have, else ``None``
    call : the calls that returned this node, or what was computed from it; else ``None``. Read with :func:`calls_of`
    """

    __slots__ = (
        "__weakref__",
        "array",
        "arrays",
        "call",
        "edges",
        "extras",
        "grad",
        "inputs",
        "op",
        "origin",
        "params",
        "stamp",
        "tracked",
    )

    array: Array
    tracked: bool
    op: Primitive | None
    inputs: tuple[Any, ...]
    arrays: tuple[Any, ...] | None
    edges: tuple[tuple[int, Node], ...]
    params: dict[str, Any]
    grad: Array | None
    stamp: int
    origin: tuple[CodeType, int] | None
    extras: Extras | None
    call: tuple[Any, ...] | None


class Call(NamedTuple):
    """A stretch of a computation that belongs together: everything that a thread recorded between two moments.

    Attributes
    ----------
    owner : the module that was called, or what else the stretch is: "backward"
    thread : the number of the thread
    start, stop : the moments, of the clock that gives nodes their stamps
    """

    owner: Any
    thread: int
    start: int
    stop: int


def mark_call(result: Any, owner: Any, start: int) -> None:
    """Note on the nodes that a call returned, and on their inputs, that owner was called, and when.

    It is for drawing: nothing is computed with it. The note is let go with the graph, by ``backward()``.
    """
    parts = [result] if isinstance(result, Node) else list(nodes_in(result))  # tuples of tuple() fill CPython's free lists
    if parts:
        call = (owner, get_ident(), start, next(CLOCK))
        for node in parts:
            if node.stamp > start and node.op is not None:
                node.call = (call, node.call)
                for _, x in node.edges:  # the graph of a gradient may do without the result itself
                    if x.stamp > start and x.op is not None and (x.call is None or x.call[0] is not call):
                        x.call = (call, x.call)


def nodes_in(result: Any) -> Iterator[Node]:
    """The nodes in a result: in tuples, lists and dicts, at any depth."""
    stack, seen = [result], 0
    while stack and seen < 10_000:  # a list that holds itself has no end
        part = stack.pop()
        seen += 1
        if isinstance(part, Node):
            yield part
        elif isinstance(part, (tuple, list)):
            stack.extend(reversed(part))
        elif isinstance(part, dict):
            stack.extend(reversed(part.values()))


def calls_of(node: Node) -> Iterator[Call]:
    """The calls that a node knows of, the outermost first."""
    noted = node.call
    while noted is not None:
        call, noted = noted
        yield Call(*call)


class Extras:
    """What few nodes have.

    Attributes
    ----------
    past : what this node was before ``t[i] = v`` made it the result of an assignment
    exposed : the writable view that ``.data`` has handed out, as a weak reference: None when nobody holds it any more
    samples : for large constants that were not copied, their position and some of their entries
    internal : whether this is the variable of a transform whose function has returned, which nobody else can know
    retains_grad : whether ``backward()`` is to leave a gradient here although this is no leaf
    """

    __slots__ = ("exposed", "internal", "past", "retains_grad", "samples")

    def __init__(self) -> None:
        self.past: Node | None = None
        self.exposed: Callable[[], Array | None] | None = None
        self.samples: list[tuple[int, bytes]] = []
        self.retains_grad = False
        self.internal = False


def origin() -> tuple[CodeType, int] | None:
    """The innermost place in the caller's own code, as (code, instruction): cheap to take, decoded only for an error."""
    frame = sys._getframe(3)  # origin, record, the reading's _apply: ours anyhow
    while True:
        name = frame.f_code.co_filename
        internal = INTERNAL.get(name)
        if internal is None:
            internal = INTERNAL[name] = name.startswith(PACKAGE)
        if not internal or frame.f_back is None:
            return frame.f_code, frame.f_lasti
        frame = frame.f_back


def line_of(node: Node) -> str:
    """The user's line that created the node, ``file:line``."""
    return place(node.origin)


def place(taken: tuple[CodeType, int] | None) -> str:
    """What :func:`origin` has taken, as ``file:line``."""
    if taken is None:
        return "an unknown line"
    code, instruction = taken
    for start, stop, line in code.co_lines():
        if start <= instruction < stop and line is not None:
            return f"{code.co_filename}:{line}"
    return code.co_filename


def topological(root: Node) -> Iterator[Node]:
    """The nodes that root was computed from by tracked operations, each after all of its users: root first, leaves last.

    Iterative (any depth), linear in the number of edges, in an order fixed by the program alone.
    """
    users = {root: 0}
    stack = [root]
    while stack:
        node = stack.pop()
        if node.arrays is None:
            raise GraphError(
                f"the graph of this {node.op.name if node.op else 'tensor'} (from {line_of(node)}) has been freed by an earlier "
                f"backward() (or by one that failed): write backward(retain_graph=True) there, or compute the value again"
            )
        for _, x in node.edges:
            if x.stamp > node.stamp:  # it has been assigned to since, and was another value then
                stack.append(settled(node))
                break
        else:
            for _, x in node.edges:
                if x in users:
                    users[x] += 1
                else:
                    users[x] = 1
                    stack.append(x)
    ready = [root]
    while ready:
        node = ready.pop()
        del users[node]
        edges = node.edges  # the sweep may free the node
        yield node
        for _, x in edges:
            users[x] -= 1
            if not users[x]:
                ready.append(x)


def settled(node: Node) -> Node:
    """The node, with those versions of its inputs that it was computed from in place of what ``t[i] = v`` has made of them."""
    versions = {}
    for x in node.inputs:
        if isinstance(x, Node):
            versions[id(x)] = x
    for _, x in node.edges:
        if x.stamp > node.stamp:
            version: Node | None = x
            while version is not None and version.stamp > node.stamp:
                version = version.extras.past if version.extras is not None else None
            if version is None:
                raise GraphError(
                    f"an input of {node.op} (created at {line_of(node)}) was assigned to afterwards, and a backward() has freed "
                    f"its old value: write backward(retain_graph=True) there"
                )
            versions[id(x)] = version
    node.inputs = tuple(versions[id(x)] if isinstance(x, Node) else x for x in node.inputs)
    node.edges = tuple((i, versions[id(x)]) for i, x in node.edges)
    return node


def between(root: Node, wanted: Sequence[Node]) -> dict[Node, bool]:
    """The nodes that a gradient must pass on its way from root to the wanted ones; True for the wanted ones themselves."""
    passed = dict.fromkeys(wanted, True)
    for node in reversed(list(topological(root))):
        if node not in passed and any(x in passed for _, x in node.edges):
            passed[node] = False
    return passed
