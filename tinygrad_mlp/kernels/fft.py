"""Norms and bins of Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from .shapes import Array

OPPOSITE = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}
"""The norm of the inverse transform under the name that it has for the transform itself: where 1/n goes."""


def multiplicity(n: int, ndim: int, axis: int, dtype: Any) -> Array:
    """How often each bin of a half spectrum occurs in the full one of length n: 1 at frequency 0 and n/2, 2 between."""
    bins = np.arange(n // 2 + 1)
    count = np.where((bins == 0) | (2 * bins == n), 1, 2).astype(np.finfo(dtype).dtype)
    shape = [1] * ndim
    shape[axis] = -1
    return count.reshape(shape)
