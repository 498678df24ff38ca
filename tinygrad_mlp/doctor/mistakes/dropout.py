"""Mistakes in the gradient of dropout: its mask, or its 1/keep, not applied on the way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...graph import Node
from ...kernels.shapes import Array
from ..edit import Edit, Scene
from ..tape import Change, Changes, Edge, Run
from .constants import times

__all__ = ["dropout", "is_mask", "is_scalar_factor"]


def is_mask(x: Any) -> bool:
    """Whether a constant looks like dropout's: zeros and one other number, or booleans."""
    if not isinstance(x, np.ndarray) or x.size < 2:
        return False
    kinds = np.unique(x)
    return x.dtype.kind == "b" or (len(kinds) == 2 and bool(kinds[0] == 0) and bool(kinds[1] > 0))


def by(mask: Array) -> Change:
    """Multiply by a mask."""

    def change(g: Array, run: Run) -> Array:
        return g * mask

    return change


def is_scalar_factor(node: Node) -> bool:
    """Whether an operation multiplies or divides by a number."""
    others = [a for j, a in enumerate(node.arrays or ()) if j not in dict(node.edges)]
    known = node.op is not None and node.op.name in ("multiply", "divide") and len(node.edges) == 1
    return known and all(np.size(a) == 1 for a in others)


def dropout(scene: Scene) -> Iterator[Edit]:
    """At each product with a mask."""
    tape, marks = scene.tape, scene.marks
    for node in tape.forward:
        if node.op is None or node.op.name not in ("multiply", "where") or len(node.edges) != 1 or node in marks.known:
            continue
        i, x = node.edges[0]
        mask = next((np.asarray(a) for j, a in enumerate(node.arrays or ()) if j != i and is_mask(a)), None)
        if mask is None or x not in marks.data:
            continue
        title = marks.name(x)
        right = f"the gradient of {title} is multiplied by the same mask and the same 1/keep as {title} was"
        for variant, words, changes in variants(scene, node, i, x, mask):
            key = ("dropout", variant, tape.index[node])
            yield Edit(key, "dropout_mask", f"dropout after {title}", words, changes, right, family=key[:2], weight=6)


def variants(scene: Scene, node: Node, i: int, x: Node, mask: Array) -> Iterator[tuple[str, str, Changes]]:
    """What can be forgotten: the mask, the 1/keep inside it or beside it, both."""
    no_mask, no_keep = "the dropout mask not applied in the backward pass", "dropout's 1/keep left out of the backward pass"
    unmasked = {Edge(node, i): times(1.0)}
    level = float(mask.max())
    if level == 1:
        yield "mask", no_mask, unmasked
    else:
        yield "mask", "the dropout mask, with its 1/keep, not applied in the backward pass", unmasked
        yield "keep", no_keep, {Edge(node, i): by(1.0 * (mask != 0))}
        yield "scale", f"{no_mask}, its 1/keep applied", {Edge(node, i): times(level)}
    users = scene.tape.users[node]
    after = [edge for edge in users if len(users) == 1 and is_scalar_factor(edge[0])]
    before = [(x, x.edges[0][0])] if x.op is not None and len(scene.tape.users[x]) == 1 and is_scalar_factor(x) else []
    for user, k in after + before:
        unscaled = {Edge(user, k): times(1.0)}
        yield f"keep {k}", no_keep, unscaled
        yield f"both {k}", "the dropout mask and its 1/keep not applied in the backward pass", unscaled | unmasked
