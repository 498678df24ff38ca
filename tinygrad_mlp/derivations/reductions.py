"""Rules of reductions and scans."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.shapes import count, over, reduced, unreduce, wide
from ..primitive import TABLE
from .elementwise import conjugate, radial, ratio, without


def extremum_dx(g: Any, z: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """z = max or min of x  ⇒  g goes to the entries equal to z, in equal parts at a tie.

    The parts add up to g, so the result is a subgradient; giving all of g to every tied entry would not be. NaN, which
    equals nothing, is the extremum wherever it occurs: x != x finds it.
    """
    hit = (x == unreduce(z, x, axis, keepdims)) | (x != x)
    return np.where(hit, unreduce(g, x, axis, keepdims) / np.sum(hit, axis=axis, keepdims=True), 0)


def var_slope(x: Any, axis: Any, correction: float) -> Any:
    """v = Σ |xᵢ − μ|² / (n − c)  ⇒  ∂v/∂xᵢ = 2 (xᵢ − μ)* / (n − c); the path through μ adds Σ (xᵢ − μ) = 0."""
    x = wide(x)  # the slopes are small numbers
    deviation = x - np.mean(x, axis=axis, keepdims=True)
    return over(2 * conjugate(deviation), count(x, axis) - correction)


def std_dx(g: Any, z: Any, x: Any, axis: Any, correction: float, keepdims: bool) -> Any:
    """s = √v  ⇒  ∂s/∂xᵢ = ∂v/∂xᵢ / 2s: s is the length of the vector of the deviations, 0 where all entries are equal."""
    slope, rest = var_slope(x, axis, correction), without(g, z)
    if rest is None:
        return radial(unreduce(wide(g), x, axis, keepdims), slope, unreduce(2 * wide(z), x, axis, keepdims))
    return unreduce(np.broadcast_to(rest / 2, z.shape), x, axis, keepdims) * slope


def norm_dx(g: Any, z: Any, x: Any, axis: Any, keepdims: bool, ord: float) -> Any:
    """z = (Σ |xᵢ|ᵖ)^(1/p)  ⇒  ∂z/∂xᵢ = sign(xᵢ)* (|xᵢ| / z)ᵖ⁻¹: for p = 2 the unit vector x / z, 0 at the zero vector.

    p = ∞ and −∞ select the largest and the smallest |xᵢ|, in equal parts at a tie; p = 0 counts, with slope 0. For
    1 < p < ∞ it has no second derivative at 0, as for p = 2.
    """
    rest = without(g, z) if ord == 2 else None
    if rest is not None:
        return unreduce(np.broadcast_to(rest, z.shape), x, axis, keepdims) * conjugate(x)
    g, z = unreduce(g, x, axis, keepdims), unreduce(z, x, axis, keepdims)
    if ord == 2:
        return radial(g, conjugate(x), z)
    gx = g * norm_slope(z, x, axis, ord)
    return np.where(z == 0, radial(g, conjugate(x), z), gx) if 1 < ord < float("inf") else gx


def norm_slope(z: Any, x: Any, axis: Any, ord: float) -> Any:
    """∂z/∂xᵢ for p ≠ 2."""
    direction = conjugate(np.sign(x))
    if ord == 1:
        return direction
    if ord == 0:
        return np.zeros_like(x)
    if abs(ord) == float("inf"):
        hit = np.abs(x) == z
        return np.where(hit, direction, 0) / np.sum(hit, axis=axis, keepdims=True)
    share = ratio(np.abs(x), z)
    return direction * np.where(share == 0, 0, np.where(share == 0, 1, share) ** (ord - 1))


def product_of_others(x: Any, axis: Any) -> Any:
    """z = Π xⱼ  ⇒  ∂z/∂xᵢ = Πⱼ≠ᵢ xⱼ: the product of those before times that of those behind. Zeros do not disturb; z / xᵢ would."""
    axes = reduced(axis, x.ndim)
    if not x.size or not axes:
        return np.ones_like(x)
    rest = tuple(n for n in range(x.ndim) if n not in axes)
    moved = np.permute_dims(x, rest + axes)
    y = np.reshape(moved, (*moved.shape[: len(rest)], -1))
    others = before(y) * np.flip(before(np.flip(y, -1)), -1)
    back = sorted(range(x.ndim), key=(rest + axes).__getitem__)
    return np.permute_dims(np.reshape(others, moved.shape), tuple(back))


def before(y: Any) -> Any:
    """Along the last axis, the product of the entries before each one: 1, y₀, y₀y₁, …"""
    products = np.cumulative_prod(y[..., :-1], axis=-1)
    return np.concatenate([np.ones_like(y[..., :1]), products], axis=-1)


def from_the_end(g: Any, a: Any) -> Any:
    """Along the last axis, λᵢ = gᵢ + aᵢ₊₁ λᵢ₊₁: a recurrence run from the end."""
    reverse = np.flip(a, -1)
    shifted = np.concatenate([np.zeros_like(reverse[..., :1]), reverse[..., :-1]], axis=-1)
    return np.flip(TABLE["recurrence"](shifted, np.flip(g, -1), axis=-1), -1)


def cumulative_sum_dx(g: Any, x: Any, axis: Any, include_initial: bool) -> Any:
    """zᵢ = Σⱼ≤ᵢ xⱼ  ⇒  x̄ⱼ = Σᵢ≥ⱼ gᵢ: the sum from the other end."""
    last = np.moveaxis(g, 0 if axis is None else axis, -1)
    last = last[..., 1:] if include_initial else last
    sums = np.flip(np.cumulative_sum(np.flip(last, -1), axis=-1), -1)
    return np.moveaxis(sums, -1, 0 if axis is None else axis)


def cumulative_prod_dx(g: Any, x: Any, axis: Any, include_initial: bool) -> Any:
    """zᵢ = Πⱼ≤ᵢ xⱼ  ⇒  x̄ⱼ = Σᵢ≥ⱼ gᵢ Πₖ≤ᵢ,ₖ≠ⱼ xₖ = (Πₖ<ⱼ xₖ) λⱼ with λⱼ = gⱼ + xⱼ₊₁ λⱼ₊₁: no division, zeros do not disturb."""
    axis = 0 if axis is None else axis
    x = x if x.ndim else np.reshape(x, (1,))  # NumPy takes a number as one entry
    y, last = np.moveaxis(x, axis, -1), np.moveaxis(g, axis, -1)
    last = last[..., 1:] if include_initial else last
    return np.moveaxis(before(y) * from_the_end(last, y), -1, axis) if x.size else np.zeros_like(x)


def recurrence_db(g: Any, a: Any, axis: int) -> Any:
    """tᵢ = bᵢ + aᵢ tᵢ₋₁  ⇒  b̄ᵢ = λᵢ = gᵢ + aᵢ₊₁ λᵢ₊₁, everything that depends on tᵢ."""
    a = np.broadcast_to(a, g.shape)  # the shift by one place is that of all entries, also where one a stands for many
    return np.moveaxis(from_the_end(np.moveaxis(g, axis, -1), np.moveaxis(a, axis, -1)), -1, axis) if g.size else g


def recurrence_da(g: Any, z: Any, a: Any, axis: int) -> Any:
    """tᵢ = bᵢ + aᵢ tᵢ₋₁  ⇒  āᵢ = λᵢ tᵢ₋₁, and 0 for i = 0, which has no predecessor."""
    t = np.moveaxis(z, axis, -1)
    previous = np.moveaxis(np.concatenate([np.zeros_like(t[..., :1]), t[..., :-1]], axis=-1), -1, axis)
    return recurrence_db(g, a, axis) * previous
