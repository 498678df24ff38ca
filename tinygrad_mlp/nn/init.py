"""Initial weights: each initialiser draws an array of a given shape from an explicit generator.

| name | distribution of an entry | for |
| --- | --- | --- |
| he_normal (kaiming_normal) | N(0, 2 / fan_in) | ReLU and its kind: half of the variance is cut off (He et al. 2015) |
| he_uniform (kaiming_uniform) | U(−a, a), a = √(6 / fan_in) | the same variance |
| glorot_normal (xavier_normal) | N(0, 2 / (fan_in + fan_out)) | tanh, sigmoid: forward and backward variance (Glorot and Bengio 2010) |
| glorot_uniform (xavier_uniform) | U(−a, a), a = √(6 / (fan_in + fan_out)) | the same variance |
| lecun_normal | N(0, 1 / fan_in) | linear units (LeCun et al. 1998); seed documents call it Xavier too |
| normal | N(0, std²), std = 0.01 | shallow networks only: in deep ones the signal dies out |
| zeros | 0 | biases; as weights it leaves all units of a layer equal for ever |

The weights of a linear layer have shape (fan_in, fan_out). Those of a convolution have shape (out, in, *kernel), and there fan_in = in · size
of the kernel, fan_out = out · size of the kernel, as in PyTorch: see :func:`fans`.

The second argument of N is a variance. Numbers are drawn in float64 and then rounded, so that float32 and float64 models
of one seed start from the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ShapeError, did_you_mean

__all__ = [
    "by_name",
    "fans",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "normal",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

Shape: TypeAlias = tuple[int, ...]
RNG: TypeAlias = "np.random.Generator | int | None"  # as text: evaluated, it would import numpy.random
Initialiser: TypeAlias = Callable[..., NDArray[Any]]


def fans(shape: Shape) -> tuple[int, int]:
    """How many numbers one output is made of, and how many outputs one input goes into.

    >>> fans((784, 128))  # a linear layer: (fan_in, fan_out)
    (784, 128)
    >>> fans((32, 16, 3, 3))  # a convolution of 16 channels into 32 with a kernel of 3 x 3: (16 · 9, 32 · 9)
    (144, 288)

    Raises
    ------
    ShapeError
        For fewer than two axes, or empty ones.
    """
    if len(shape) < 2:
        raise ShapeError(f"weights of shape {shape} have no fan_in and fan_out: two axes at least; write init.normal or init.zeros")
    if min(shape) < 1:
        raise ShapeError(f"weights of shape {shape} have no entries: each axis needs a length from 1 up")
    if len(shape) == 2:
        return shape[0], shape[1]
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def _normal(shape: Shape, variance: float, rng: RNG, dtype: DTypeLike) -> NDArray[Any]:
    return (np.random.default_rng(rng).standard_normal(shape) * math.sqrt(variance)).astype(dtype)


def _uniform(shape: Shape, variance: float, rng: RNG, dtype: DTypeLike) -> NDArray[Any]:
    bound = math.sqrt(3 * variance)  # U(−a, a) has the variance a² / 3
    return np.random.default_rng(rng).uniform(-bound, bound, shape).astype(dtype)


def he_normal(shape: Shape, rng: RNG = None, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """N(0, 2 / fan_in), He et al. 2015, "Delving deep into rectifiers", eq. 10.

    >>> round(float(he_normal((1000, 50), rng=0).std()), 3)  # √(2 / 1000) = 0.0447
    0.045
    """
    return _normal(shape, 2 / fans(shape)[0], rng, dtype)


def he_uniform(shape: Shape, rng: RNG = None, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """U(−a, a) with a = √(6 / fan_in): the variance of :func:`he_normal`."""
    return _uniform(shape, 2 / fans(shape)[0], rng, dtype)


def glorot_normal(shape: Shape, rng: RNG = None, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """N(0, 2 / (fan_in + fan_out)), Glorot and Bengio 2010, eq. 12."""
    return _normal(shape, 2 / sum(fans(shape)), rng, dtype)


def glorot_uniform(shape: Shape, rng: RNG = None, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """U(−a, a) with a = √(6 / (fan_in + fan_out)), Glorot and Bengio 2010, eq. 16."""
    return _uniform(shape, 2 / sum(fans(shape)), rng, dtype)


def lecun_normal(shape: Shape, rng: RNG = None, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """N(0, 1 / fan_in), LeCun et al. 1998, "Efficient BackProp", section 4.6."""
    return _normal(shape, 1 / fans(shape)[0], rng, dtype)


def normal(shape: Shape, rng: RNG = None, dtype: DTypeLike = np.float32, *, std: float = 0.01) -> NDArray[Any]:
    """N(0, std²)."""
    return _normal(shape, std * std, rng, dtype)


def zeros(shape: Shape, rng: RNG = None, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """All zero; takes a generator like the others and draws nothing from it."""
    return np.zeros(shape, dtype)


kaiming_normal = he_normal
kaiming_uniform = he_uniform
xavier_normal = glorot_normal
xavier_uniform = glorot_uniform

INITIALISERS: dict[str, Initialiser] = {
    "he_normal": he_normal,
    "he_uniform": he_uniform,
    "glorot_normal": glorot_normal,
    "glorot_uniform": glorot_uniform,
    "lecun_normal": lecun_normal,
    "normal": normal,
    "zeros": zeros,
    "kaiming_normal": he_normal,
    "kaiming_uniform": he_uniform,
    "xavier_normal": glorot_normal,
    "xavier_uniform": glorot_uniform,
}


def by_name(init: str | Initialiser) -> Initialiser:
    """The initialiser of that name (a function is returned as it is).

    Raises
    ------
    UnknownNameError
        With the nearest names.
    """
    if callable(init):
        return init
    if init not in INITIALISERS:
        raise did_you_mean("initialiser", init, INITIALISERS)
    return INITIALISERS[init]
