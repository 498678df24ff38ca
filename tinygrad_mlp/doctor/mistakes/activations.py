"""Mistakes in the derivative of an activation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...kernels.shapes import Array
from ..edit import Edit, Scene
from ..landmarks import SLOPES, Piece
from ..tape import Change, Edge, Jump

__all__ = ["activations", "slope_changes"]


def by(slope: Array) -> Change:
    """Multiply by another derivative."""

    def change(g: Array, run: Any) -> Array:
        return g * slope

    return change


def instead(slope: Array) -> Change:
    """The derivative alone: what arrived is overwritten."""

    def change(g: Array, run: Any) -> Array:
        return np.broadcast_to(slope, g.shape) * 1.0

    return change


def slope_changes(scene: Scene, piece: Piece) -> Iterator[tuple[str, str, str, Change, float]]:
    """(variant, label, words, change, weight) for one piece."""
    marks = scene.marks
    z, a, d = piece.first.array, piece.last.array, piece.slope
    Z, A, f = marks.name(piece.first), marks.name(piece.last), piece.name
    output = piece.layer is not None and piece.layer.output
    missing = "output_derivative_missing" if output else "act_derivative_missing"
    yield "missing", missing, f"the derivative of {f} at {Z} left out", by(np.ones_like(d)), 3
    if piece.function is not None:
        own = piece.function
        if f != "relu":
            wrong = "act_derivative_wrong_argument"
            yield "z for a", wrong, f"{Z} put for {A} in {f}' = {own.of_a.replace('A', A)}", by(own.from_a(z)), 5
            yield (
                "a for z",
                wrong,
                f"{A} put for {Z} in {f}' = {own.of_z.replace('Z', Z)}, so that {f} is applied twice",
                by(own.from_z(a)),
                5,
            )
            yield (
                "twice",
                wrong,
                f"{f} applied to {A} before {f}' = {own.of_a.replace('A', A)} is taken",
                by(own.from_a(own.value(a))),
                4,
            )
        for layer in marks.layers:
            other = layer.pre
            if other is not piece.first and other.array.shape == z.shape:
                yield (
                    f"layer {marks.tape.index[other]}",
                    "wrong_layer_cache",
                    f"{f}' taken at {marks.name(other)} in place of {Z}",
                    by(own.from_z(other.array)),
                    3,
                )
                yield (
                    f"layer {marks.tape.index[other]} from a",
                    "wrong_layer_cache",
                    f"{f}' = {own.of_a} taken of {marks.name(other)} in place of {A}",
                    by(own.from_a(other.array)),
                    1,
                )
    formula = "act_derivative_wrong_formula"
    if f == "relu":
        yield "kink", "relu_kink", f"the derivative of relu taken as 1 where {Z} is exactly 0", by(1.0 * (z >= 0)), 1
        yield "mask written", formula, f"the gradient overwritten with 1 where {Z} > 0", overwritten(d), 2
        yield "zero mask", formula, f"the gradient overwritten with 1 where {Z} ≤ 0", overwritten(1 - d), 1
    else:
        yield "square", formula, f"the square of {f}'", by(d * d), 2
    inverted = {"relu": f"the mask inverted, {Z} ≤ 0", "tanh": f"{A}**2 in place of 1 - {A}**2"}
    yield "inverted", formula, inverted.get(f, f"1 − {f}' in place of {f}'"), by(1 - d), 4
    yield "alone", formula, f"what arrived overwritten with the derivative of {f} at {Z}", instead(d), 4
    for text, slope, weight in shapes_of(z, a, d, Z, A):
        yield text, formula, f"{text.replace('Z', Z).replace('A', A)} in place of the derivative of {f}", by(slope), weight
    for name, function in SLOPES.items():
        if name == f or (name == "leaky_relu" and f == "relu"):
            continue
        for text, slope in (
            (function.of_z.replace("Z", Z), function.from_z(z)),
            (function.of_a.replace("A", A), function.from_a(a)),
        ):
            yield text, formula, f"the derivative of {name}, {text}, in place of that of {f}", by(slope), 3
    if f == "relu":
        yield "leaky", formula, f"the derivative of leaky_relu in place of that of relu at {Z}", by(np.where(z > 0, 1, 0.01)), 2


def overwritten(where: Array) -> Change:
    """1 where a mask is, what arrived elsewhere."""

    def change(g: Array, run: Any) -> Array:
        return np.where(where != 0, 1.0, g)

    return change


def shapes_of(z: Array, a: Array, d: Array, Z: str, A: str) -> Iterator[tuple[str, Array, float]]:
    """Formulas that are near to a derivative."""
    yield "A", a, 2
    yield "1 - A", 1 - a, 2
    yield "A**2", a * a, 2
    yield "1 + A**2", 1 + a * a, 1
    yield "1 - A", 1 - a, 2
    yield "A * (1 + A)", a * (1 + a), 1
    yield "A * (A - 1)", a * (a - 1), 1
    yield "(1 - A)**2", (1 - a) ** 2, 1
    yield "1 - A**3", 1 - a**3, 0.5
    yield "2 * A", 2 * a, 0.5
    yield "Z", z, 2
    yield "1 - Z", 1 - z, 0.5
    yield "Z**2", z * z, 0.5
    yield "abs(A)", np.abs(a), 0.5
    yield "sqrt(1 - A**2)", np.sqrt(np.maximum(1 - a * a, 0)), 0.5
    yield "np.sign(Z)", np.sign(z), 0.5


def activations(scene: Scene) -> Iterator[Edit]:
    """All of them, at each activation."""
    tape, marks = scene.tape, scene.marks
    for piece in marks.pieces:
        if piece.last is tape.loss:
            continue
        where = piece.layer.title if piece.layer is not None else f"{piece.name} after {marks.name(piece.first)}"
        Z, A = marks.name(piece.first), marks.name(piece.last)
        formula = f" = {(piece.function.of_z).replace('Z', Z)}" if piece.function is not None else ""
        right = f"d{Z} = d{A} * {piece.name}'({Z}), entry by entry, where {piece.name}'({Z}){formula}"
        place = tape.index[piece.first], tape.index[piece.last]
        with np.errstate(all="ignore"):
            variants = list(slope_changes(scene, piece))
        for variant, label, words, change, weight in variants:
            yield Edit(
                ("slope", variant, *place),
                label,
                where,
                words,
                {Jump(piece.last): (piece.first, change)},
                right,
                family=("slope", variant, piece.name) if "layer" not in variant else (),
                weight=weight,
            )
    yield from single_operations(scene)


def single_operations(scene: Scene) -> Iterator[Edit]:
    """Elementwise operations that belong to no layer: their derivative left out, inverted, alone, taken elsewhere."""
    tape, marks = scene.tape, scene.marks
    last_products = tape.below([layer.product for layer in marks.layers])
    for node in tape.forward:
        if node.op is None or not node.op.elementwise or node in marks.known or node not in last_products:
            continue
        for i, x in node.edges:
            if (
                x.array.shape != node.array.shape
                or x not in marks.data
                or node.op.name in ("add", "subtract", "positive", "negative")
            ):
                continue
            name, place = node.op.name, (tape.index[node], i)
            where, title = f"{name}, {marks.name(node)}", marks.name(x)
            right = f"d{title} is d{marks.name(node)} times the derivative of {name} with respect to {title}"
            ones = np.ones_like(node.array)
            slope = tape.pull(node, i, ones)
            two = len(node.edges) > 1
            label = "act_derivative_missing"
            yield Edit(
                ("op", "missing", *place),
                label,
                where,
                f"the factor of {name} at {title} left out",
                {Edge(node, i): by(ones)},
                right,
                weight=2,
            )
            if not two:
                formula = "act_derivative_wrong_formula"
                yield Edit(
                    ("op", "inverted", *place),
                    formula,
                    where,
                    f"1 − the derivative of {name} at {title}",
                    {Edge(node, i): by(1 - slope)},
                    right,
                )
                yield Edit(
                    ("op", "alone", *place),
                    formula,
                    where,
                    f"what arrived overwritten with the derivative of {name}",
                    {Edge(node, i): instead(slope)},
                    right,
                )
                yield from elsewhere(scene, node, i, where, right)


def elsewhere(scene: Scene, node: Any, i: int, where: str, right: str) -> Iterator[Edit]:
    """The derivative of an operation, with its value or its input taken for the other."""
    tape, marks = scene.tape, scene.marks
    x = dict(node.edges)[i].array
    arrays = list(node.arrays)
    swapped = [*arrays[:i], node.array, *arrays[i + 1 :]]
    title, name = marks.name(dict(node.edges)[i]), node.op.name

    def result_for_input(g: Array, run: Any) -> Array:
        return tape.pull(node, i, g, arrays=swapped)

    def input_for_result(g: Array, run: Any) -> Array:
        return tape.pull(node, i, g, array=x)

    label = "act_derivative_wrong_argument"
    place = (tape.index[node], i)
    yield Edit(
        ("op", "result for input", *place),
        label,
        where,
        f"the result of {name} put for {title} in its derivative",
        {Edge(node, i): result_for_input},
        right,
        weight=2,
    )
    yield Edit(
        ("op", "input for result", *place),
        label,
        where,
        f"{title} put for the result of {name} in its derivative",
        {Edge(node, i): input_for_result},
        right,
        weight=2,
    )
