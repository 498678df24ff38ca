"""Kinks: relu and abs have no derivative at an exact 0, and every slope between those of the two sides is a right one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np

from ..graph import Node
from ..kernels.shapes import Array
from .naming import Naming
from .tape import Tape

__all__ = ["Slopes", "conventions", "derivatives", "slopes_in_words"]

Slopes = Mapping[str, float]
"""The slope at the kink of each function that has one: {"relu": 0.0}."""

RIGHT: dict[str, tuple[float, ...]] = {"relu": (0.0, 0.5), "abs": (-1.0, 1.0)}
"""The slopes that are nobody's mistake: relu's from the left, that of a central difference; those of abs. Not 1 for relu, which
means ``Z >= 0`` for ``Z > 0``."""


class Kink(NamedTuple):
    """An operation at its kink.

    Attributes
    ----------
    function : what it computes, a key of ``RIGHT``
    edge : the operation, and the position of its input
    x : the input, of which some entries are exactly 0
    own : the derivative that the loss itself has, entry by entry
    """

    function: str
    edge: tuple[Node, int]
    x: Node
    own: Array


def kinks(tape: Tape) -> Iterator[Kink]:
    """Those of a recorded loss."""
    for node in tape.forward:
        if node.op is None or len(node.edges) != 1:
            continue
        i, x = node.edges[0]
        if x.array.shape != node.array.shape or x.array.all():
            continue
        function = "abs" if node.op.name == "abs" else "relu" if is_relu(node, x) else ""
        if function:
            yield Kink(function, (node, i), x, tape.pull(node, i, np.ones_like(node.array)))


def is_relu(node: Node, x: Node) -> bool:
    """Whether an operation is relu of its input; a product of ones with what is not negative is none."""
    name = node.op.name if node.op is not None else ""
    masked = name in ("where", "multiply") and bool((x.array < 0).any())
    return (masked or name in ("relu", "maximum")) and np.array_equal(node.array, np.maximum(x.array, 0))


def conventions(tape: Tape) -> list[Slopes]:
    """The ways to choose the slopes, besides the loss's own: one slope a function, wherever it is at its kink."""
    there = {kink.function for kink in kinks(tape)}
    functions = [function for function in RIGHT if function in there]
    choices = product(*[(None, *RIGHT[function]) for function in functions])
    found = [{f: slope for f, slope in zip(functions, chosen, strict=True) if slope is not None} for chosen in choices]
    return [slopes for slopes in found if slopes]


def derivatives(tape: Tape, slopes: Slopes) -> dict[tuple[Node, int], Array]:
    """The derivatives of the operations at their kinks, entry by entry, with these slopes there."""
    chosen = [kink for kink in kinks(tape) if kink.function in slopes]
    return {kink.edge: np.where(kink.x.array == 0, slopes[kink.function], kink.own) for kink in chosen}


def slopes_in_words(tape: Tape, slopes: Slopes, names: Naming) -> Iterator[str]:
    """What differs from the loss's own slopes, a clause a function."""
    for function, slope in slopes.items():
        others = [kink for kink in kinks(tape) if kink.function == function and np.any(kink.own[kink.x.array == 0] != slope)]
        if others:
            where = " or ".join(dict.fromkeys(names.name(kink.x) for kink in others))
            yield f"the derivative of {function} taken as {slope:g} where {where} is exactly 0"
