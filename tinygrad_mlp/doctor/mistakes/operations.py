"""Mistakes in the derivative of a single operation: left out, inverted, alone, taken of the wrong quantity; its factor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...graph import Node
from ...kernels.shapes import Array
from ..edit import Constant, Edit, Scene
from ..tape import At, Edge, Run
from .activations import by, instead
from .constants import name_constant, scaled
from .dropout import is_mask, is_scalar_factor

__all__ = ["operations"]

LINEAR = {"add", "subtract", "positive", "negative"}
MANY = 60
"""Up to here every value of a small expression is given a factor of its own."""


def operations(scene: Scene) -> Iterator[Edit]:
    """At each elementwise operation that belongs to no well-known function, before the last layer."""
    tape, marks = scene.tape, scene.marks
    before = tape.below([layer.product for layer in marks.layers]) if marks.layers else set(tape.forward)
    for node in tape.forward:
        if node in marks.data and node in before and node.op is not None and node.op.elementwise and node not in marks.known:
            for i, x in node.edges:
                if x.array.shape == node.array.shape and node.op.name not in LINEAR:
                    yield from at(scene, node, i, x)
    if len(tape.forward) <= MANY:
        inner = set().union(*(marks.inside(piece) - {piece.last} for piece in marks.pieces))
        for node in tape.forward:
            if node in marks.data and node is not tape.loss and node not in marks.layer_of and node not in inner:
                yield factor(scene, node)


def at(scene: Scene, node: Node, i: int, x: Node) -> Iterator[Edit]:
    """The derivative of one operation with respect to one input."""
    tape, marks = scene.tape, scene.marks
    name, title, place = marks.operation(node), marks.name(x), (tape.index[node], i)
    where = f"{name}, {marks.name(node)}"
    right = f"d{title} is d{marks.name(node)} times the derivative of {name} with respect to {title}"
    slope = tape.pull(node, i, np.ones_like(node.array))
    formula = "act_derivative_wrong_formula"
    label = formula if any(node in marks.inside(piece) for piece in marks.pieces) else "act_derivative_missing"
    if is_scalar_factor(node):
        label = "constant_factor"
    if any(is_mask(a) for j, a in enumerate(node.arrays or ()) if j != i):
        label = formula = "dropout_mask"
    left_out = f"the factor of {name} at {title} left out"
    yield Edit(
        ("op", "missing", *place),
        label,
        where,
        left_out,
        {Edge(node, i): by(np.ones_like(slope))},
        right,
        weight=2,
    )
    if len(node.edges) > 1:
        return
    inverted = f"1 − the derivative of {name} at {title}"
    yield Edit(("op", "inverted", *place), formula, where, inverted, {Edge(node, i): by(1 - slope)}, right)
    alone = f"what arrived overwritten with the derivative of {name}"
    yield Edit(("op", "alone", *place), formula, where, alone, {Edge(node, i): instead(slope)}, right)
    arrays = list(node.arrays or ())
    swapped = [*arrays[:i], node.array, *arrays[i + 1 :]]

    def result_for_input(g: Array, run: Run) -> Array:
        return tape.pull(node, i, g, arrays=swapped)

    def input_for_result(g: Array, run: Run) -> Array:
        return tape.pull(node, i, g, array=x.array)

    for variant, words, change in (
        ("result for input", f"the result of {name} put for {title} in its derivative", result_for_input),
        ("input for result", f"{title} put for the result of {name} in its derivative", input_for_result),
    ):
        label = "act_derivative_wrong_argument"
        yield Edit(("op", variant, *place), label, where, words, {Edge(node, i): change}, right, weight=2)


def factor(scene: Scene, node: Node) -> Edit:
    """The gradient of one value times an unknown constant."""
    title, tape = f"d{scene.marks.name(node)}", scene.tape
    shared = any(len(tape.users[p]) > 1 for p in tape.below([node]) if p in scene.marks.title)

    def named(c: float) -> tuple[str, str]:
        if abs(c) < 1e-9 and shared:
            return "partial_batch", f"{title} left at zero: not all uses of the parameters counted, as by = for +="
        return name_constant(c, scene, title)

    constant = Constant(2.0, 1.0, named)
    key = ("times at", scene.tape.index[node])
    words = f"{title}, the gradient of what {scene.marks.operation(node)} gives"
    return Edit(key, "constant_factor", title, words, scaled([At(node)]), f"{title} takes no further factor", constant, weight=0.5)
