"""NumPy's functions that are made of primitives: each is a few lines of plain NumPy, and its derivative follows from the table.

A function here is written as one would write it with arrays. Called with arrays it computes, called with Tensors it
records. ``@composed(np.f)`` makes it what ``np.f`` means for a Tensor, and a function of the package by its own name.
"""

from __future__ import annotations

from . import calculus, elementwise, fft, joining, linalg, padding, picking, pooling, products, shapes, statistics

__all__ = [
    "calculus",
    "elementwise",
    "fft",
    "joining",
    "linalg",
    "padding",
    "picking",
    "pooling",
    "products",
    "shapes",
    "statistics",
]
