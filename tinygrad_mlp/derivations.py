"""The rules that need more than a line, each with its derivation.

Like the one-line rules of the table they are written in plain NumPy calls and operators, ask only for shapes, and work
for arrays, Tensors and every other reading alike. ``g`` is the gradient that arrives at the output ``z``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .kernels import count, over, unreduce


def power_dx(g: Any, z: Any, x: Any, y: Any) -> Any:
    """z = xʸ  ⇒  x̄ = g · y xʸ⁻¹, and 0 where y = 0: x⁰ is 1 everywhere, while 0 · 0⁻¹ would be NaN at x = 0.

    A plain number y stays one, so that float32 stays float32; the exponent of 0 is then 0 instead of −1.
    """
    if isinstance(y, (int, float)):
        return g * (y * x ** (y - 1 if y else 0))
    return g * (y * x ** np.where(y == 0, 0, y - 1.0))


def power_dy(g: Any, z: Any, x: Any, y: Any) -> Any:
    """z = xʸ  ⇒  ȳ = g · xʸ log x, and 0 at x = 0 for y ≥ 0 (the limit for y > 0). NaN for x < 0: no real derivative."""
    return g * (z * np.log(np.where(x == 0, 1, x)))


def maximum_share(g: Any, x: Any, y: Any) -> Any:
    """The share of g for x in max(x, y): all where x is larger, half at a tie; NaN counts as larger. Both shares add up to g."""
    tie = (x == y) | ((x != x) & (y != y))
    return np.where(tie, g / 2, np.where((x > y) | (x != x), g, 0))


def extremum_dx(g: Any, z: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """z = max or min of x  ⇒  g goes to the entries equal to z, in equal parts at a tie.

    The parts add up to g, so the result is a subgradient; giving all of g to every tied entry would not be. NaN, which
    equals nothing, is the extremum wherever it occurs: x != x finds it.
    """
    hit = (x == unreduce(z, x, axis, keepdims)) | (x != x)
    return np.where(hit, unreduce(g, x, axis, keepdims) / np.sum(hit, axis=axis, keepdims=True), 0)


def var_dx(g: Any, z: Any, x: Any, axis: Any, keepdims: bool, correction: float) -> Any:
    """v = Σ (xᵢ − μ)² / (n − c)  ⇒  x̄ᵢ = g · 2 (xᵢ − μ) / (n − c); the path through μ adds Σ (xᵢ − μ) = 0."""
    deviation = x - np.mean(x, axis=axis, keepdims=True)
    return unreduce(g, x, axis, keepdims) * over(2 * deviation, count(x, axis) - correction)


def matmul_dx(g: Any, z: Any, x: Any, y: Any) -> Any:
    """Z = X Y, Zᵢⱼ = Σₖ Xᵢₖ Yₖⱼ  ⇒  X̄ᵢₖ = Σⱼ gᵢⱼ Yₖⱼ: X̄ = g Yᵀ. Leading axes are a batch of such products.

    A 1-D x is a row, a 1-D y a column: the missing axis is put in, and taken out of the result.
    """
    if y.ndim == 1:
        return np.expand_dims(g, -1) * y
    if x.ndim == 1:
        return np.squeeze(np.expand_dims(g, -2) @ y.mT, -2)
    return g @ y.mT


def matmul_dy(g: Any, z: Any, x: Any, y: Any) -> Any:
    """Z = X Y  ⇒  Ȳₖⱼ = Σᵢ Xᵢₖ gᵢⱼ: Ȳ = Xᵀ g.

    A single row i leaves one outer product, for which np.dot is faster than @ (and slower for anything else).
    """
    if x.ndim == 2 and x.shape[0] == 1 and y.ndim == 2:
        return np.dot(x.T, g)
    if x.ndim == 1:
        return x * g if y.ndim == 1 else np.expand_dims(x, -1) * np.expand_dims(g, -2)
    if y.ndim == 1:
        return np.squeeze(x.mT @ np.expand_dims(g, -1), -1)
    return x.mT @ g


def clip_inside(x: Any, min: Any, max: Any) -> Any:
    """Where clip(x, min, max) hands x on unchanged; the bounds themselves count as inside."""
    inside = x == x
    inside = inside if min is None else inside & (x >= min)
    return inside if max is None else inside & (x <= max)


def clip_below(x: Any, min: Any, max: Any) -> Any:
    """Where clip(x, min, max) returns its lower bound (an upper bound below it wins, as in NumPy)."""
    return (x < min) if max is None else (x < min) & (min <= max)


def clip_above(x: Any, min: Any, max: Any) -> Any:
    """Where clip(x, min, max) returns its upper bound."""
    return (x > max) if min is None else (x > max) | (min > max)
