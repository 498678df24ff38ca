"""Gradients made smaller, in their place."""

from __future__ import annotations

import math

import numpy as np

from ..errors import SettingError
from ..kernels.shapes import Array

__all__ = ["clip", "clip_exactly"]


def clip_exactly(gradients: list[Array], max_norm: float) -> None:
    """The same in the operations of optim.clip_grad_norm, bit for bit."""
    if not all(np.isfinite(g).all() for g in gradients):
        raise SettingError("clip_norm: a gradient is NaN or infinite, and cannot be scaled")
    largest = max(float(np.max(np.abs(g), initial=0)) for g in gradients)
    if largest == 0:
        return
    scaled = [g / largest for g in gradients]
    root = math.sqrt(math.fsum(float(np.sum(np.square(g, dtype=np.float64))) for g in scaled))
    if largest * root > max_norm:
        for g, part in zip(gradients, scaled, strict=True):
            np.multiply(part, float(max_norm) / root, out=g)


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
