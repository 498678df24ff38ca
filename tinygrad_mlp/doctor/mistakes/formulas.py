"""A derivative that no list knows: a sum of a few simple functions of Z and A, found from the user's numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...kernels.shapes import Array
from ..edit import Edit, Scene
from ..parts import Piece
from ..tape import Jump
from .activations import by
from .constants import name_constant

__all__ = ["formulas"]

ENOUGH = 2000
"""So many equations are taken at most."""

FEW = 3
"""A formula of more terms than this is no formula."""


def basis(piece: Piece, Z: str, A: str) -> list[tuple[str, Array]]:
    """The simple functions."""
    z, a = piece.first.array, piece.last.array
    found = [("1", np.ones_like(z)), (A, a), (f"{A}**2", a * a), (Z, z), (f"{Z}**2", z * z), (f"{Z} * {A}", z * a)]
    found += [
        (f"{A}**3", a**3),
        (f"({Z} > 0)", 1.0 * (z > 0)),
        (f"np.exp(-{Z})", np.exp(-z)),
        (f"np.tanh({Z})**2", np.tanh(z) ** 2),
    ]
    kept: list[tuple[str, Array]] = []
    for text, f in found:
        if np.isfinite(f).all() and not any(np.allclose(f, g) for _, g in kept) and f.any():
            kept.append((text, f))
    return kept


def formulas(scene: Scene) -> Iterator[Edit]:
    """At each hidden layer, from the gradients of its own parameters; and the same formula in all layers."""
    tape, marks = scene.tape, scene.marks
    pieces = [piece for piece in marks.pieces if piece.layer is not None and not piece.layer.output and not piece.wider]
    for piece in pieces:
        Z, A = marks.name(piece.first), marks.name(piece.last)
        with np.errstate(all="ignore"):
            terms = basis(piece, Z, A)
            chosen = fitted(scene, piece, [f for _, f in terms])
        if not chosen:
            continue
        text = " + ".join(f"{c:.6g} * {terms[k][0]}".replace(" * 1", "") for k, c in chosen).replace("+ -", "- ")
        words = f"{text} in place of the derivative of {piece.name}"
        right = f"d{Z} = d{A} * {piece.name}'({Z}), entry by entry"
        label = "act_derivative_wrong_formula"
        made = np.sum([c * terms[k][1] for k, c in chosen], axis=0)
        times = float(np.vdot(piece.slope, made)) / float(np.vdot(piece.slope, piece.slope) or 1.0)
        if np.allclose(made, times * piece.slope, rtol=1e-6):  # the right formula, times a number
            label, words = name_constant(times, scene, f"the derivative of {piece.name}")
        same = [other for other in pieces if other.name == piece.name]
        for which, places in (("one", [piece]), ("all", same)):
            changes = {}
            for other in places:
                functions = dict(enumerate(f for _, f in basis(other, "Z", "A")))
                if all(k in functions for k, _ in chosen):
                    slope = np.sum([c * functions[k] for k, c in chosen], axis=0)
                    changes[Jump(other.last)] = (other.first, by(slope))
            if which == "one" or len(changes) > 1:
                key = ("formula", which, tape.index[piece.first])
                where = piece.layer.title if piece.layer is not None else ""
                yield Edit(key, label, where, words, changes, right, weight=1)


def fitted(scene: Scene, piece: Piece, functions: Sequence[Array]) -> list[tuple[int, float]]:
    """The few functions, with factors, that give the user's gradients of the layer's parameters; none if there are none."""
    if piece.layer is None:
        return []
    true = scene.tape.gradients
    names = [n for n in dict.fromkeys((*piece.layer.weights, *piece.layer.biases)) if scene.user[n].shape == true[n].shape]
    if not names or all(np.array_equal(scene.user[n], true[n]) for n in names):
        return []

    def numbers(gradients: dict[str, Array]) -> Array:
        return np.concatenate([np.asarray(gradients[n], np.float64).ravel()[:ENOUGH] for n in names])

    given = numbers({n: scene.user[n] for n in names})
    zero = numbers(scene.tape.run({Jump(piece.last): (piece.first, by(np.zeros_like(piece.slope)))}))
    columns = [numbers(scene.tape.run({Jump(piece.last): (piece.first, by(f))})) - zero for f in functions]
    size = float(np.linalg.norm(given - zero))
    if not np.isfinite(size) or size == 0 or given.size < 2 * FEW or not all(np.isfinite(c).all() for c in columns):
        return []
    chosen: list[int] = []
    for _ in range(FEW):  # the function that leaves least, one after the other
        rests = {}
        for k in set(range(len(columns))) - set(chosen):
            matrix = np.stack([columns[i] for i in (*chosen, k)], axis=1)
            factors = np.linalg.lstsq(matrix, given - zero, rcond=None)[0]
            rests[k] = float(np.linalg.norm(matrix @ factors - (given - zero))) / size, factors
        best = min(rests, key=lambda k: rests[k][0])
        chosen.append(best)
        if rests[best][0] < 1e-6:
            found = zip(chosen, map(float, rests[best][1]), strict=True)
            return [(k, c) for k, c in found if abs(c) * float(np.linalg.norm(columns[k])) > 1e-9 * size]
    return []
