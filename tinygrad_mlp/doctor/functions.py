"""Well-known activations: recognised by their values, with their derivatives in the forms that people write."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..kernels import activations as kernels
from ..kernels.shapes import Array

__all__ = ["SLOPES", "Function", "recognised"]


class Function(NamedTuple):
    """A well-known activation: itself, its derivative from z, and from a = f(z)."""

    value: Callable[[Array], Array]
    from_z: Callable[[Array], Array]
    from_a: Callable[[Array], Array]
    of_z: str
    of_a: str


def sigmoid(z: Array) -> Array:
    return kernels.sigmoid(z)


SLOPES: dict[str, Function] = {
    "relu": Function(lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0), lambda a: 1.0 * (a > 0), "(Z > 0)", "(A > 0)"),
    "tanh": Function(np.tanh, lambda z: 1 - np.tanh(z) ** 2, lambda a: 1 - a * a, "1 - np.tanh(Z)**2", "1 - A**2"),
    "sigmoid": Function(
        sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z)), lambda a: a * (1 - a), "sigmoid(Z) * (1 - sigmoid(Z))", "A * (1 - A)"
    ),
    "leaky_relu": Function(
        lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01), lambda a: np.where(a > 0, 1, 0.01),
        "np.where(Z > 0, 1, 0.01)", "np.where(A > 0, 1, 0.01)",
    ),
    "softplus": Function(
        lambda z: np.logaddexp(0, z), lambda z: sigmoid(z), lambda a: 1 - np.exp(-a), "sigmoid(Z)", "1 - np.exp(-A)"
    ),
}  # fmt: skip


def leaky(k: float) -> Function:
    """Leaky ReLU with a slope k."""
    text = f"np.where({{}} > 0, 1, {k:g})"
    return Function(
        lambda z: np.where(z > 0, z, k * z),
        lambda z: np.where(z > 0, 1, k),
        lambda a: np.where(a > 0, 1, k),
        text.format("Z"),
        text.format("A"),
    )


def recognised(z: Array, a: Array) -> tuple[str, Function] | None:
    """The well-known function that a is of z, by its values."""
    scale = float(np.max(np.abs(a), initial=0))
    if not np.isfinite(scale) or z.dtype.kind != "f":
        return None
    with np.errstate(all="ignore"):
        for name, function in SLOPES.items():
            if np.allclose(function.value(z), a, rtol=1e-12, atol=1e-14 * scale):
                return name, function
        below = z < 0
        if below.any() and (z > 0).any() and np.array_equal(a[z > 0], z[z > 0]):
            k = float(np.median(a[below] / z[below]))
            if 0 < k < 1 and np.allclose(a[below], k * z[below], rtol=1e-12):
                return "leaky_relu", leaky(k)
    return None
