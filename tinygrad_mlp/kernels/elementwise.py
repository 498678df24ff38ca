"""Elementwise functions that NumPy has not, or not with the array API's arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .shapes import Array, floating, wide

LN2, LN10, DEGREE = math.log(2), math.log(10), math.pi / 180


def astype(x: Array, *, dtype: Any, copy: bool, device: str | None) -> Array:
    """x converted to dtype."""
    return np.asarray(x).astype(dtype)


def clip(x: Array, min: Any, max: Any) -> Array:
    """x limited to [min, max], in the dtype of all three; either bound may be None."""
    x = np.asarray(x)
    if min is None and max is None:
        return x.copy()
    return np.clip(x, min, max)


def radial(h: Array, x: Array, length: Array) -> Array:
    """h x / length, and 0 where the length is 0."""
    return h * np.where(length == 0, 0, x / np.where(length == 0, 1, length))


def angle(x: Array) -> Array:
    """The argument of a complex number in (−π, π]; for a real one 0 or π."""
    return np.angle(x)


def nan_to_num(x: Array, *, nan: float, posinf: float | None, neginf: float | None) -> Array:
    """x with numbers in place of NaN and ±∞ (by default the largest ones)."""
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


def sinc_slope(x: Array, *, order: int) -> Array:
    """The derivative of sinc(x) = sin(πx) / (πx) of the given order, from 0 up.

    With y = πx and sₙ the n-th derivative of sin(y) / y: y sₙ = sin(y + nπ/2) − n sₙ₋₁, which cancels for small y; there the
    power series sₙ = Σₖ (−1)ᵏ (2k)! / ((2k − n)! (2k + 1)!) y²ᵏ⁻ⁿ is summed (14 terms reach 1e-16 for |y| ≤ n + 2 and n ≤ 4).
    """
    y = np.pi * wide(x)
    near = np.abs(y) < order + 1.5
    small, large = np.where(near, y, 0), np.where(near, 1, y)
    s = np.sin(large) / large
    for n in range(1, order + 1):
        s = (np.sin(large + n * (np.pi / 2)) - n * s) / large
    series = np.zeros_like(y)
    for m in range((order + 1) // 2, (order + 1) // 2 + 16 + 2 * order):
        factor = (-1) ** m * math.factorial(2 * m) / (math.factorial(2 * m - order) * math.factorial(2 * m + 1))
        series = series + factor * small ** (2 * m - order)
    return np.asarray(np.where(near, series, s) * math.pi**order, floating(x).dtype)
