"""Products that NumPy has not, or not as one call."""

from __future__ import annotations

import numpy as np

from .shapes import Array, alike


def linear(x: Array, w: Array, b: Array) -> Array:
    """x @ w + b; the sum is done in the product's own memory."""
    z = x @ w
    if type(z) is np.ndarray and np.result_type(z, b) == z.dtype:
        return np.add(z, b, out=z)
    if z.dtype.kind not in "fc":
        x, w, b = alike([x, w, b])
        z = x @ w
    return z + b


def vecdot(x: Array, y: Array, *, axis: int) -> Array:
    """Σᵢ xᵢ* yᵢ along axis."""
    return np.asarray(np.vecdot(x, y, axis=axis))  # type: ignore[call-overload]  # NumPy's stubs lack axis


def einsum(*xs: Array, subscripts: str) -> Array:
    """Σ Π X over the labels that are not in the result; two and more factors in the best order, through the BLAS."""
    return np.einsum(subscripts, *alike(xs), optimize=len(xs) > 1)


def convolve(x: Array, y: Array, *, mode: str) -> Array:
    """zₖ = Σᵢ xᵢ yₖ₋ᵢ; ``mode`` is full, same or valid."""
    return np.convolve(x, y, mode)  # type: ignore[call-overload]  # the modes are checked by NumPy
