"""Mistakes in the gradient of a bias: dZ summed over the wrong axis, to one number, not at all, or its mean taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ...graph import Node
from ...kernels.shapes import Array
from ..edit import Edit, Scene
from ..tape import Change, Edge, Run

__all__ = ["biases"]


def biases(scene: Scene) -> Iterator[Edit]:
    """At each parameter that is broadcast: a bias, or the scale of a normalisation."""
    tape = scene.tape
    of_layers = {node: layer.axis for layer in scene.marks.layers for node, _, _ in layer.bias_edges}
    for name, p in tape.parameters.items():
        for node, i in tape.users.get(p, ()):
            own = spread(node, i)
            same = p.array.size == node.array.size and node not in of_layers
            if own is None or node.array.ndim < 1 or same or node not in scene.marks.data:
                continue
            axis = of_layers.get(node, scene.case.axis)
            Z, over = f"d{scene.marks.name(node)}", 0 if axis == 0 else 1
            keep = "" if p.array.ndim < 2 else ", keepdims=True"
            line = f"d{name} = {Z}.sum(axis={over}{keep}), shape {p.array.shape}"
            right = f"{line}: every sample uses {name}, so it gets the sum over them"
            if node not in of_layers:
                for value in scene.marks.deltas():
                    if value.array.shape == node.array.shape and value.key != tape.index[node]:
                        words = f"d{name} built from {value.name} in place of {Z}"
                        changes = {Edge(node, i): from_another(scene, node, i, value.array)}
                        key = ("bias delta", value.key, tape.index[node], i)
                        yield Edit(key, "wrong_layer_cache", name, words, changes, right, weight=1, local=True)
            for variant, label, words, reduce in reductions(name, Z, p.array.shape, axis):
                key = ("bias", variant, tape.index[node], i)
                changes = {Edge(node, i): reduced(reduce, own)}
                yield Edit(key, label, name, words, changes, right, family=key[:2], weight=9, local=True)


def from_another(scene: Scene, node: Node, i: int, other: Array) -> Change:
    """What is sent, from another gradient."""

    def change(g: Array, run: Run) -> Array:
        return scene.tape.pull(node, i, other)

    return change


def spread(node: Node, i: int) -> float | Array | None:
    """What a gradient is multiplied by on its way to a broadcast operand; None at other operations."""
    name = node.op.name if node.op is not None else ""
    if name == "add" or (name == "linear" and i == 2):
        return 1.0
    if name == "subtract":
        return 1.0 if i == 0 else -1.0
    return np.asarray((node.arrays or ())[1 - i]) if name == "multiply" else None


def reduced(reduce: Callable[[Array], Array], own: float | Array) -> Change:
    """Another reduction of what arrives."""

    def change(g: Array, run: Run) -> Array:
        return np.asarray(reduce(g * own))

    return change


def reductions(b: str, Z: str, shape: tuple[int, ...], axis: int) -> Iterator[tuple[str, str, str, Callable[[Array], Array]]]:
    """Other ways to reduce dZ: (variant, label, words, function)."""
    over, along = (0, 1) if axis == 0 else (1, 0)
    n = int(np.prod(shape))

    def fitting(a: Array) -> Array:
        return a.reshape(shape) if a.size == n else a

    batch = f"d{b} = {Z}.mean(axis={over}), a mean over the batch where the sum belongs"
    yield "mean", "double_batch_mean", batch, lambda g: fitting(g.mean(axis=over))
    if n == 1 and axis == 0:
        yield "not summed", "bias_axis", f"{Z} itself, not summed over the batch, in place of d{b}", lambda g: g
        return
    wrong = "bias_axis"
    one = f"{Z} summed over both axes, to one number, in place of d{b}"
    yield "number", wrong, one, lambda g: np.asarray(g.sum())
    yield "number repeated", wrong, one, lambda g: np.full(shape, g.sum())
    mean = f"the mean of all entries of {Z} in place of d{b}"
    yield "mean of all", wrong, mean, lambda g: np.asarray(g.mean())
    yield "mean of all repeated", wrong, mean, lambda g: np.full(shape, g.mean())
    flat = f"{Z} summed over axis={over} without keepdims=True: shape ({n},) beside {shape}"
    if shape != (n,):
        yield "no keepdims", wrong, flat, lambda g: g.sum(axis=over).reshape(n) if g.sum(axis=over).size == n else g
    column = f"{Z} summed over axis={over} as a column, shape ({n}, 1), beside {shape}"
    if shape == (n,) and n > 1:
        yield "as a column", wrong, column, lambda g: g.sum(axis=over).reshape(-1, 1)
    other = f"{Z} summed along axis={along} in place of axis={over}"
    yield "other axis", wrong, other, lambda g: fitting(g.sum(axis=along))
    yield "other axis kept", wrong, other, lambda g: g.sum(axis=along, keepdims=True)
    averaged = f"the mean of {Z} along axis={along} in place of its sum over axis={over}"
    yield "mean of other axis", wrong, averaged, lambda g: fitting(g.mean(axis=along))
    yield "mean of other axis kept", wrong, averaged, lambda g: g.mean(axis=along, keepdims=True)
    yield "not summed", wrong, f"{Z} itself, not summed over the batch, in place of d{b}", lambda g: g
    yield "first axis", wrong, f"{Z} summed over axis=0 alone, in place of d{b}", lambda g: g.sum(axis=0)
    yield "second axis", wrong, f"{Z} summed over axis=1 alone, in place of d{b}", lambda g: g.sum(axis=1)
