"""Gradients made smaller, in their place."""

from __future__ import annotations

import math

import numpy as np

from ..errors import SettingError
from ..kernels.shapes import Array

__all__ = ["clip"]


def clip(gradient: Array, max_norm: float) -> None:
    """Scale a flat gradient so that its Euclidean norm is at most max_norm."""
    with np.errstate(over="ignore", under="ignore"):
        squares = float(np.dot(gradient, gradient))
    if not 1e-30 < squares < 1e30:
        largest = float(np.max(np.abs(gradient), initial=0))
        if not math.isfinite(largest):
            raise SettingError("clip_norm: a gradient is NaN or infinite, and cannot be scaled")
        squares = 0.0 if largest == 0 else float(np.sum(np.square(gradient / largest, dtype=np.float64))) * largest**2
    norm = math.sqrt(squares)
    if norm > max_norm:
        np.multiply(gradient, max_norm / norm, out=gradient)
