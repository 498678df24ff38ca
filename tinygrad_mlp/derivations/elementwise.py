"""Rules of elementwise functions that need more than a line."""

from __future__ import annotations

from typing import Any

import numpy as np


def conjugate(x: Any) -> Any:
    """The complex conjugate; a real x itself, not a copy."""
    return np.conj(x) if x.dtype.kind == "c" else x


def ratio(x: Any, z: Any) -> Any:
    """x / z, and 0 where z is 0: the direction of a vector x of length z, of which 0 has none."""
    return np.where(z == 0, 0, x / np.where(z == 0, 1, z))


def gap(x: Any, y: Any) -> Any:
    """x − y, and 0 where both are the same infinity."""
    same = (x == y) & np.isinf(x)
    return np.where(same, 0, x - np.where(same, 0, y))


def power_dx(g: Any, z: Any, x: Any, y: Any) -> Any:
    """z = xʸ  ⇒  x̄ = g · y xʸ⁻¹, and 0 where y = 0: x⁰ is 1 everywhere, while 0 · 0⁻¹ would be NaN at x = 0.

    A plain number y stays one, so that float32 stays float32; the exponent of 0 is then 0 instead of −1.
    """
    if isinstance(y, (int, float, complex)):
        return g * (y * x ** (y - 1 if y else 0))
    return g * (y * x ** np.where(y == 0, 0, y - 1.0))


def power_dy(g: Any, z: Any, x: Any, y: Any) -> Any:
    """z = xʸ  ⇒  ȳ = g · xʸ log x, and 0 at x = 0 for y ≥ 0 (the limit for y > 0). NaN for x < 0: no real derivative."""
    return g * (z * np.log(np.where(x == 0, 1, x)))


def sign_dx(g: Any, z: Any, x: Any) -> Any:
    """z = x / |x|. For real x constant almost everywhere; for complex x = r e^(iφ) only φ counts: dz = i z dφ.

    dφ = Im(x* dx) / r², so that L changes by Re(g i z dφ) = Re(i g z) dφ, and x̄ = Re(i g z) · (−i x*) / r²; 0 at 0.
    """
    if x.dtype.kind != "c":
        return np.zeros_like(g)
    return np.real(1j * g * z) * (-1j * ratio(np.conj(z), np.abs(x)))


def angle_dx(g: Any, z: Any, x: Any) -> Any:
    """φ = atan2(b, a), x = a + ib  ⇒  ∂φ/∂a − i ∂φ/∂b = −i (a − ib) / |x|² = −i / x. A real number's angle is constant."""
    return np.real(g) * (-1j * ratio(np.ones_like(x), x)) if x.dtype.kind == "c" else np.zeros_like(g)


def maximum_share(g: Any, x: Any, y: Any) -> Any:
    """The share of g for x in max(x, y): all where x is larger, half at a tie; NaN counts as larger. Both shares add up to g."""
    tie = (x == y) | ((x != x) & (y != y))
    return np.where(tie, g / 2, np.where((x > y) | (x != x), g, 0))


def minimum_share(g: Any, x: Any, y: Any) -> Any:
    """The share of g for x in min(x, y): all where x is smaller, half at a tie, all to a NaN, which is the result then."""
    tie = (x == y) | ((x != x) & (y != y))
    return np.where(tie, g / 2, np.where((x < y) | (x != x), g, 0))


def fmax_share(g: Any, x: Any, y: Any) -> Any:
    """The share of g for x in fmax(x, y), which takes the number where the other is NaN."""
    tie = (x == y) | ((x != x) & (y != y))
    return np.where(tie, g / 2, np.where((x > y) | (y != y), g, 0))


def fmin_share(g: Any, x: Any, y: Any) -> Any:
    """The share of g for x in fmin(x, y), which takes the number where the other is NaN."""
    tie = (x == y) | ((x != x) & (y != y))
    return np.where(tie, g / 2, np.where((x < y) | (y != y), g, 0))


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
