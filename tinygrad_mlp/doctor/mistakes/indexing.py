"""Mistakes where entries are picked by an index: repeated ones assigned in place of added up, some of them left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...graph import Node
from ...kernels.shapes import Array
from ..edit import Edit, Scene
from ..tape import Change, Edge, Run
from .batch import weightings

__all__ = ["indexing"]

PICKING = {"getitem", "take", "take_along_axis"}


def indexing(scene: Scene) -> Iterator[Edit]:
    """At each pick by an array of indices, an embedding for one."""
    tape, marks = scene.tape, scene.marks
    for node in tape.forward:
        if node.op is None or node.op.name not in PICKING or node.array.ndim < 1:
            continue
        for i, x in node.edges:
            title, place = marks.name(x), tape.index[node]
            right = f"d{title}[index] += d{marks.name(node)}, with np.add.at: an entry that was picked twice gets both gradients"
            words = f"repeated entries of d{title} assigned in place of added up: the last one stays"
            changes = {Edge(node, i): assigned(scene, node, i)}
            yield Edit(("index", "assigned", place), "partial_batch", f"d{title}", words, changes, right, weight=4)
            for axis, n in enumerate(node.array.shape[:2]):
                for variant, label, text, weights, weight in weightings(n) if n > 1 else ():
                    change = {Edge(node, i): weighted(scene, node, i, axis, weights)}
                    said = f"in d{title}, along axis {axis} of what was picked, {text}"
                    key = ("index", variant, axis, place)
                    yield Edit(key, label, f"d{title}", said, change, right, weight=weight / 2)


def assigned(scene: Scene, node: Node, i: int) -> Change:
    """Each entry gets the gradient of its last use only."""
    forward = node.op.forward if node.op is not None else np.asarray
    use = np.arange(1, node.array.size + 1).reshape(node.array.shape)

    def change(g: Array, run: Run) -> Array:
        arrays = list(node.arrays or ())
        x = np.asarray(arrays[i])
        arrays[i] = np.arange(x.size).reshape(x.shape)
        entry = np.asarray(forward(*arrays, **node.params))  # which entry of x each picked one is
        last = np.zeros(x.size, int)
        np.maximum.at(last, entry.ravel(), use.ravel())
        return scene.tape.pull(node, i, np.where(last[entry] == use, g, 0.0))

    return change


def weighted(scene: Scene, node: Node, i: int, axis: int, weights: Array) -> Change:
    """What is sent, with weights along one axis."""
    shape = [1] * node.array.ndim
    shape[axis] = -1

    def change(g: Array, run: Run) -> Array:
        return scene.tape.pull(node, i, g * weights.reshape(shape))

    return change
