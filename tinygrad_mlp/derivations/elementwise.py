"""Rules of elementwise functions that need more than a line."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.shapes import floating
from ..primitive import TABLE


def conjugate(x: Any) -> Any:
    """The complex conjugate; a real x itself, not a copy."""
    return np.conj(x) if x.dtype.kind == "c" else x


def ratio(x: Any, z: Any) -> Any:
    """x / z, and 0 where z is 0: the direction of a vector x of length z, of which 0 has none."""
    return np.where(z == 0, 0, x / np.where(z == 0, 1, z))


def length_dx(g: Any, z: Any, x: Any) -> Any:
    """z is the length of a vector with the entry x  ⇒  x̄ = g x / z, and 0 at z = 0, which is a subgradient.

    Its own derivative at 0 is infinite, unless g goes to 0 as z does, which its value alone does not tell. In ‖x‖², for which
    g = 2 z, the graph of g shows the factor z, and what is left, 2 x, is smooth.
    """
    rest = without(g, z)
    return radial(g, x, z) if rest is None else rest * x


def radial(g: Any, x: Any, z: Any) -> Any:
    """g x / z, in the recorded graph of which a g that is constant and 0, of a row that is masked, keeps everything away."""
    gx = TABLE["radial"](g, x, z)
    constant = not getattr(g, "tracked", True) and not getattr(g, "_valueless", False)
    return np.where(g == 0, 0, gx) if constant else gx


def without(g: Any, z: Any, depth: int = 8) -> Any:
    """g / z where the recorded graph of g shows the factor z, else None; not for Symbols, which give the same bits as arrays."""
    op = getattr(g, "op", None)
    if op is None or getattr(g, "_valueless", False) or not depth:
        return None
    if g is z or (op is z.op and g.params == z.params and all(a is b for a, b in zip(g.inputs, z.inputs, strict=True))):
        return np.ones_like(z)
    a, b = (*g.inputs, None)[:2]
    rest = without(a, z, depth - 1)
    if op.name == "multiply":
        other = without(b, z, depth - 1) if rest is None else None
        return rest * b if rest is not None else None if other is None else a * other
    if op.name == "add":
        other = without(b, z, depth - 1)
        return None if rest is None or other is None else rest + other
    if rest is None:
        return None
    if op.name == "pow" and isinstance(b, (int, float)) and b >= 1:
        return rest * a ** (b - 1) if b > 1 else rest
    return rest / b if op.name == "divide" else -rest if op.name == "negative" else None


def radial_dx(g: Any, z: Any, h: Any, x: Any, length: Any) -> Any:
    """r = h x / l  ⇒  x̄ = g h / l. At l = 0 that is ∞, or 0/0 whose limit is not known here: NaN, and 0 where nothing arrives."""
    return np.where(length == 0, unknown(g), g * h / np.where(length == 0, 1, length))


def radial_dlength(g: Any, z: Any, h: Any, x: Any, length: Any) -> Any:
    """r = h x / l  ⇒  l̄ = −g r / l; at l = 0 as for x."""
    return np.where(length == 0, unknown(g), -TABLE["radial"](g, z, length))


def unknown(g: Any) -> Any:
    """NaN, and 0 where nothing arrives."""
    return np.where(g == 0, 0, g * np.nan)


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
    return g * (z * np.log(floating(np.where(x == 0, 1, x))))


def sign_dx(g: Any, z: Any, x: Any) -> Any:
    """z = x / |x|. For real x constant almost everywhere; for complex x = r e^(iφ) only φ counts: dz = i z dφ.

    dφ = Im(x* dx) / r², so that L changes by Re(g i z dφ) = Re(i g z) dφ, and x̄ = Re(i g z) · (−i x*) / r²; 0 at 0.
    """
    if x.dtype.kind != "c":
        return np.zeros_like(g)
    return np.real(1j * g * z) * (-1j * ratio(np.conj(z), np.abs(x)))


def abs_dx(g: Any, z: Any, x: Any) -> Any:
    """z = |x|  ⇒  x̄ = g sign(x)*, and 0 at 0. Of a complex x it is the length."""
    if x.dtype.kind == "c":
        return length_dx(g, z, np.conj(x))
    rest = without(g, z)
    return g * np.sign(x) if rest is None else rest * x


def angle_dx(g: Any, z: Any, x: Any) -> Any:
    """φ = atan2(b, a), x = a + ib  ⇒  ∂φ/∂a − i ∂φ/∂b = −i (a − ib) / |x|² = −i / x. A real number's angle is constant."""
    return np.real(g) * (-1j * ratio(np.ones_like(x), x)) if x.dtype.kind == "c" else np.zeros_like(g)


def nan_to_num_dx(g: Any, x: Any) -> Any:
    """Where x is finite, g; of a complex x = a + ib each part by itself, g being ∂L/∂a − i ∂L/∂b."""
    if x.dtype.kind != "c":
        return np.where(np.isfinite(x), g, 0)
    return np.where(np.isfinite(np.real(x)), np.real(g), 0) + 1j * np.where(np.isfinite(np.imag(x)), np.imag(g), 0)


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
