"""What is drawn from a generator. No function here has a state of its own: the generator is an argument."""

from __future__ import annotations

from typing import Any

import numpy as np

from .shapes import Array


def keep_mask(shape: tuple[int, ...], dtype: Any, p: float, rng: np.random.Generator) -> Array:
    """The factors of inverted dropout: each is 0 with probability p, else 1 / (1 − p), so that their mean is 1."""
    # float32 numbers, in steps of 2⁻²⁴, for every dtype: half the time, and one seed gives float32 and float64 the same mask
    kept = np.asarray(rng.random(shape, dtype=np.float32) >= p)
    return np.multiply(kept, np.dtype(dtype).type(1 / (1 - p)), dtype=dtype, out=np.empty(shape, dtype))
