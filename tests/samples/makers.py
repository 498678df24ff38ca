"""Makers of sample inputs: numbers of a kind, in all the shapes that matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray


class Sample(NamedTuple):
    """One call: the differentiable inputs, the parameters, the whole argument list (by default the inputs).

    ``numpy_names`` are those parameters whose names in NumPy's function are others, such as correction and ddof.
    """

    inputs: tuple[Array, ...]
    params: dict[str, Any] = {}
    call: Callable[..., tuple[Any, ...]] = lambda *xs: xs
    numpy_names: dict[str, str] = {}


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def positive(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).uniform(0.5, 2.0, shape)


def distinct(*shape: int, seed: int = 0) -> Array:
    """No ties: numbers at least 1/4 apart, in random order and of both signs, none within 1/8 of a whole number."""
    size = int(np.prod(shape))
    return (np.random.default_rng([seed, *shape]).permutation(size).reshape(shape) - size // 2) * 0.25 + 0.125


SHAPES = ((), (1,), (0,), (3,), (2, 3), (3, 1, 2))
PAIRS = (
    ((), ()),
    ((3,), ()),
    ((), (2, 3)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((4, 0), (4, 1)),
    ((1,), (1, 1)),
    ((2, 3), (2, 3)),
    ((5, 1, 2), (3, 1)),
)


def unary(make: Callable[..., Array], **params: Any) -> list[Sample]:
    return [Sample((make(*shape),), params) for shape in SHAPES]


def binary(make: Callable[..., Array], other: Callable[..., Array] | None = None) -> list[Sample]:
    return [Sample((make(*a), (other or make)(*b, seed=1))) for a, b in PAIRS]


def reducing(make: Callable[..., Array], **params: Any) -> list[Sample]:
    axes = [
        ((), None),
        ((4,), 0),
        ((2, 3), None),
        ((2, 3), 1),
        ((2, 3, 4), -2),
        ((2, 3, 4), (0, 2)),
        ((2, 3, 4), (-1, 0)),
        ((1, 3), 0),
        ((2, 1), (0, 1)),
    ]
    return [Sample((make(*shape),), {"axis": axis, "keepdims": keep, **params}) for shape, axis in axes for keep in (False, True)]


def rowwise(**params: Any) -> list[Sample]:
    axes = [((4,), 0), ((2, 3), -1), ((2, 3), 0), ((1, 1), 1), ((2, 3, 2), (0, 2)), ((3, 2), None)]
    return [Sample((normal(*shape),), {"axis": axis, **params}) for shape, axis in axes]


def complex_normal(*shape: int, seed: int = 0) -> Array:
    return normal(*shape, seed=seed) + 1j * normal(*shape, seed=seed + 100)
