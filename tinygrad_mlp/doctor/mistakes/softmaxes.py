"""Mistakes in the derivative of softmax as a step of its own: its Jacobian left out, by its diagonal, along another axis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...graph import Node
from ...kernels.shapes import Array
from ..edit import Edit, Scene
from ..tape import Change, Jump, Run
from .head import softmax

__all__ = ["softmaxes"]

SOFTMAXES = {"softmax", "divide", "exp", "multiply"}
"""The operations that a softmax ends with."""


def softmaxes(scene: Scene) -> Iterator[Edit]:
    """Softmax as a step of its own, in the output or inside: its Jacobian left out, by its diagonal, along another axis."""
    tape, marks = scene.tape, scene.marks
    for last in tape.forward:
        first = softmax_source(scene, last)
        if first is None:
            continue
        layer = marks.layer_of.get(first)
        output = layer is not None and layer.output
        p, Z, P = last.array, marks.name(first), marks.name(last)
        where = layer.title if layer is not None else f"softmax, {P}"
        place = tape.index[first], tape.index[last]
        right = f"d{Z} = {P} * (d{P} - (d{P} * {P}).sum(axis=-1, keepdims=True)): every output depends on every logit of its row"
        missing = "output_derivative_missing" if output else "act_derivative_missing"

        def whole(g: Array, run: Run) -> Array:
            return g

        def diagonal(g: Array, run: Run, p: Array = p) -> Array:
            sent: Array = g * p * (1 - p)
            return sent

        def one(g: Array, run: Run, p: Array = p) -> Array:
            return g * p

        def unweighted(g: Array, run: Run, p: Array = p) -> Array:
            sent: Array = p * (g - np.sum(g, axis=-1, keepdims=True))
            return sent

        for variant, label, words, change, weight in (
            ("missing", missing, "the derivative of softmax left out", whole, 3.0),
            ("diagonal", "softmax_jacobian_diagonal", "only the diagonal p(1 − p) of the softmax Jacobian", diagonal, 3.0),
            (
                "one term",
                "softmax_jacobian_diagonal",
                "only the first term of the softmax Jacobian: the sum over the row left out",
                one,
                2.0,
            ),
            (
                "sum",
                "softmax_jacobian_diagonal",
                f"the sum in the softmax Jacobian over d{P} in place of d{P} * {P}",
                unweighted,
                1.0,
            ),
        ):
            yield Edit(("softmax", variant, *place), label, where, words, {Jump(last): (first, change)}, right, weight=weight)
        changes = {Jump(last): (first, along(first.array, -1))}
        words = f"{Z} put for {P} in the softmax Jacobian"
        yield Edit(("softmax", "z for p", *place), "act_derivative_wrong_argument", where, words, changes, right, weight=2)
        for axis in range(p.ndim - 1):
            words = f"the sum in the softmax Jacobian taken along axis={axis}"
            changes = {Jump(last): (first, along(p, axis))}
            yield Edit(("softmax", f"axis {axis}", *place), "softmax_wrong_axis", where, words, changes, right, weight=3)


def along(p: Array, axis: int) -> Change:
    """The softmax Jacobian with its sum along another axis."""

    def change(g: Array, run: Run) -> Array:
        sent: Array = p * (g - np.sum(g * p, axis=axis, keepdims=True))
        return sent

    return change


def softmax_source(scene: Scene, last: Node) -> Node | None:
    """The value of which another one is the softmax along its last axis: the one before its largest was subtracted."""
    p, name = last.array, last.op.name if last.op is not None else ""
    if name not in SOFTMAXES or p.ndim < 1 or p.shape[-1] < 2 or not np.allclose(p.sum(axis=-1), 1, rtol=1e-9):
        return None

    def fits(node: Node) -> bool:
        return node.array.shape == p.shape and bool(np.allclose(softmax(node.array), p, rtol=1e-9, atol=1e-14))

    before = scene.tape.below([last]) - {last}
    found = next((node for node in reversed(scene.tape.forward) if node in before and fits(node)), None)
    if found is not None and found.op is not None and found.op.name == "subtract":
        return next((x for _, x in found.edges if fits(x)), found)
    return found
