"""Mistakes in the derivative of an activation: left out, taken of the wrong quantity, by a wrong formula, from another layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...kernels.shapes import Array
from ..edit import Edit, Scene
from ..functions import SLOPES
from ..parts import Piece
from ..tape import Change, Jump, Run
from .head import output_line

__all__ = ["activations", "by", "instead"]

WRONG, FORMULA, CACHE = "act_derivative_wrong_argument", "act_derivative_wrong_formula", "wrong_layer_cache"


class Variant(NamedTuple):
    """One wrong derivative: what it is, its label, its words, what is done with it, and how often it is seen."""

    key: str
    label: str
    words: str
    change: Change
    weight: float


def by(slope: Array) -> Change:
    """Multiply what arrives by another derivative."""

    def change(g: Array, run: Run) -> Array:
        return g * slope

    return change


def instead(slope: Array) -> Change:
    """The derivative alone: what arrived is overwritten."""

    def change(g: Array, run: Run) -> Array:
        return np.broadcast_to(slope, g.shape) * 1.0

    return change


def overwritten(where: Array) -> Change:
    """1 where a mask is, what arrived elsewhere."""

    def change(g: Array, run: Run) -> Array:
        return np.where(where != 0, 1.0, g)

    return change


def activations(scene: Scene) -> Iterator[Edit]:
    """All of them, at each activation."""
    tape, marks = scene.tape, scene.marks
    for piece in marks.pieces:
        if piece.last is tape.loss:
            continue
        where = piece.layer.title if piece.layer is not None else f"{piece.name} after {marks.name(piece.first)}"
        Z, A = marks.name(piece.first), marks.name(piece.last)
        formula = f" = {piece.function.of_z.replace('Z', Z)}" if piece.function is not None else ""
        right = f"d{Z} = d{A} * {piece.name}'({Z}), entry by entry, where {piece.name}'({Z}){formula}"
        if piece.layer is not None and piece.layer.output:
            right = output_line(scene)
        elif piece.function is None:
            right = f"d{Z} = d{A} times the derivative of {A} with respect to {Z}, entry by entry"
        place = tape.index[piece.first], tape.index[piece.last]
        with np.errstate(all="ignore"):
            variants = [*missing(piece, Z)]
            if not piece.wider:  # of an activation and dropout together, nobody takes a derivative
                variants += [*wrong_arguments(scene, piece, Z, A), *other_layers(scene, piece, Z)]
                variants += [*kinks(piece, Z), *wrong_formulas(piece, Z, A)]
        for v in variants:
            family = ("slope", v.key, piece.name) if v.label != CACHE else ()
            weight = v.weight * (0.25 if piece.wider else 1.0)
            changes = {Jump(piece.last): (piece.first, v.change)}
            yield Edit(("slope", v.key, *place), v.label, where, v.words, changes, right, family=family, weight=weight)
    yield from shifted(scene)


def missing(piece: Piece, Z: str) -> Iterator[Variant]:
    """The derivative left out."""
    label = "output_derivative_missing" if piece.layer is not None and piece.layer.output else "act_derivative_missing"
    words = f"the derivative of {piece.name} at {Z} left out"
    yield Variant("missing", label, words, by(np.ones_like(piece.slope)), 4)


def wrong_arguments(scene: Scene, piece: Piece, Z: str, A: str) -> Iterator[Variant]:
    """Z for A, A for Z, activated twice."""
    z, a, f, own = piece.first.array, piece.last.array, piece.name, piece.function
    if f == "relu":
        return
    if own is None:
        words = f"{A} put for {Z} in the derivative of {f}"
        yield Variant("a for z", WRONG, words, by(scene.marks.replayed(piece, a)[1]), 5)
        return
    twice = f"{A} put for {Z} in {f}' = {own.of_z.replace('Z', Z)}, so that {f} is applied twice"
    yield Variant("z for a", WRONG, f"{Z} put for {A} in {f}' = {own.of_a.replace('A', A)}", by(own.from_a(z)), 5)
    yield Variant("a for z", WRONG, twice, by(own.from_z(a)), 5)


def other_layers(scene: Scene, piece: Piece, Z: str) -> Iterator[Variant]:
    """The derivative taken at another layer's values."""
    marks, shape, f = scene.marks, piece.slope.shape, piece.name
    for value in marks.values():
        same = value.layer == marks.layer_number(piece) and value.layer
        if value.kind not in ("pre", "act", "value") or value.array.shape != shape or same or value.array is piece.first.array:
            continue
        own = piece.function
        if value.kind != "act":
            slope = own.from_z(value.array) if own is not None else marks.replayed(piece, value.array)[1]
        elif own is not None:
            slope = own.from_a(value.array)
        else:
            continue
        if value.kind == "value" and own is not None:
            words = f"{value.name} put for the result of {f} in {f}' = {own.of_a}"
            yield Variant(f"from {value.key}", WRONG, words, by(own.from_a(value.array)), 1)
        weight = 3 if value.kind != "value" else 1
        yield Variant(f"at {value.key}", CACHE, f"{f}' taken at {value.name} in place of {Z}", by(slope), weight)


def shifted(scene: Scene) -> Iterator[Edit]:
    """One activation used again and again, as over time: its derivative taken one step earlier or later."""
    groups: dict[tuple[str, tuple[int, ...]], list[Piece]] = {}
    for piece in scene.marks.pieces:
        if piece.function is not None:
            groups.setdefault((piece.name, piece.slope.shape), []).append(piece)
    for (f, _), pieces in groups.items():
        own = pieces[0].function
        if len(pieces) < 2 or own is None:
            continue
        slopes = [piece.slope for piece in pieces]
        start = own.from_z(np.zeros_like(slopes[0]))
        for which, others in (("before", [start, *slopes[:-1]]), ("after", [*slopes[1:], start])):
            changes = {Jump(p.last): (p.first, by(other)) for p, other in zip(pieces, others, strict=True)}
            words = f"{f}' taken at the value of the step {which} it, each time"
            right = f"the derivative of {f} in a step is taken at that step's own value"
            yield Edit(("slope", which, f), CACHE, f"every {f}", words, changes, right, weight=2)


def kinks(piece: Piece, Z: str) -> Iterator[Variant]:
    """ReLU's derivative taken as 1 where it has none, and its mask assigned."""
    z, d = piece.first.array, piece.slope
    if piece.name != "relu":
        return
    yield Variant("kink", "relu_kink", f"the derivative of relu taken as 1 where {Z} is exactly 0", by(1.0 * (z >= 0)), 1)
    upstream = f"the gradient that arrives set to 0 where it is negative itself, not where {Z} is"
    yield Variant("upstream", FORMULA, upstream, lambda g, run: np.where(g > 0, g, 0.0), 2)
    yield Variant("mask written", FORMULA, f"the gradient overwritten with 1 where {Z} > 0", overwritten(d), 2)
    yield Variant("zero mask", FORMULA, f"the gradient overwritten with 1 where {Z} ≤ 0", overwritten(1 - d), 1)
    leaky = f"the derivative of leaky_relu in place of that of relu at {Z}"
    yield Variant("leaky", FORMULA, leaky, by(np.where(z > 0, 1, 0.01)), 2)


def wrong_formulas(piece: Piece, Z: str, A: str) -> Iterator[Variant]:
    """A formula that is near to the derivative, or the derivative of another activation."""
    z, a, d, f = piece.first.array, piece.last.array, piece.slope, piece.name
    if piece.layer is not None and piece.layer.output and piece.function is not None:
        words = f"the derivative of {f} applied twice: once more to a gradient of {Z} that contains it already"
        yield Variant("square", "output_derivative_extra", words, by(d * d), 3)
    elif f != "relu":
        yield Variant("square", FORMULA, f"the square of {f}'", by(d * d), 2)
    inverted = {"relu": f"the mask inverted, {Z} ≤ 0", "tanh": f"{A}**2 in place of 1 - {A}**2"}
    yield Variant("inverted", FORMULA, inverted.get(f, f"1 − {f}' in place of {f}'"), by(1 - d), 4)
    yield Variant("alone", FORMULA, f"what arrived overwritten with the derivative of {f} at {Z}", instead(d), 4)
    for text, slope, weight in near(z, a):
        words = f"{text.replace('Z', Z).replace('A', A)} in place of the derivative of {f}"
        yield Variant(text, FORMULA, words, by(slope), weight)
    for name, other in SLOPES.items():
        if name != f and (name, f) != ("leaky_relu", "relu"):
            of_z, of_a = other.of_z.replace("Z", Z), other.of_a.replace("A", A)
            for key, text, slope in (("from z", of_z, other.from_z(z)), ("from a", of_a, other.from_a(a))):
                words = f"the derivative of {name}, {text}, in place of that of {f}"
                yield Variant(f"{name} {key}", FORMULA, words, by(slope), 3)


def near(z: Array, a: Array) -> Iterator[tuple[str, Array, float]]:
    """Formulas that are near to a derivative."""
    yield "A", a, 2
    yield "1 - A", 1 - a, 2
    yield "A**2", a * a, 2
    yield "1 + A**2", 1 + a * a, 1
    yield "A * (1 + A)", a * (1 + a), 1
    yield "A * (A - 1)", a * (a - 1), 0.5
    yield "(1 - A)**2", (1 - a) ** 2, 1
    yield "1 - A**3", 1 - a**3, 0.5
    yield "2 * A", 2 * a, 0.5
    yield "Z", z, 2
    yield "1 - Z", 1 - z, 0.5
    yield "Z**2", z * z, 0.5
    yield "abs(A)", np.abs(a), 0.5
    yield "sqrt(1 - A**2)", np.sqrt(np.maximum(1 - a * a, 0)), 0.5
    yield "np.sign(Z)", np.sign(z), 0.5
