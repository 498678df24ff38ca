"""Reductions and scans that NumPy has not, or not with the array API's arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from .shapes import Array, floating, narrow, wide


def vector_norm(x: Array, *, axis: Any, keepdims: bool, ord: float) -> Array:
    """(Σ |x|ᵖ)^(1/p). Where the squares over- or underflow, the entries are divided by the largest first."""
    given, x = floating(x), wide(x)
    with np.errstate(over="ignore", under="ignore"):  # then it is done again
        z = np.asarray(np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord))
    if ord != 2 or not x.size or bool(np.all(np.isfinite(z) & (z > 1e-100))):
        return narrow(z, given.real.dtype)
    largest = np.max(np.abs(x), axis=axis, keepdims=True)
    scale = np.where(np.isfinite(largest) & (largest > 0), largest, 1)
    again = np.linalg.vector_norm(x / scale, axis=axis, keepdims=True, ord=ord) * scale
    return np.reshape(again, z.shape).astype(given.real.dtype)


def cumulative_sum(x: Array, *, axis: int | None, dtype: Any, include_initial: bool) -> Array:
    """The sums of the entries up to each one."""
    return np.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)


def cumulative_prod(x: Array, *, axis: int | None, dtype: Any, include_initial: bool) -> Array:
    """The products of the entries up to each one."""
    return np.cumulative_prod(x, axis=axis, dtype=dtype, include_initial=include_initial)


def recurrence(a: Array, b: Array, *, axis: int) -> Array:
    """tᵢ = bᵢ + aᵢ tᵢ₋₁ along axis, t₀ = b₀: a first-order linear recurrence (a₀ has no effect)."""
    a, b = (np.moveaxis(v, axis, 0) for v in np.broadcast_arrays(a, b))
    t = b.astype(np.result_type(a, b))
    for i in range(1, len(t)):
        t[i] += a[i] * t[i - 1]
    return np.moveaxis(t, 0, axis)
