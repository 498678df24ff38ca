"""The guard: what a gradient needs cannot be changed behind its back.

Between a computation and ``backward()`` somebody may write into an array that a rule will read. Three cases:

- *The array of a Tensor* is never writable from outside while a graph refers to it: ``t.data`` of a leaf gives up an array that
  a graph holds and hands out a copy; what is computed while that is in somebody's hands is computed from a copy. See
  :meth:`tinygrad_mlp.Tensor.data`. Nothing can go wrong here, and the gradient is that of the old values.
- *An array of the user's* (a batch, a mask) that is small is copied when it is used: the gradient is that of the old values.
- *A large one* is not copied; of its entries 512, spread over the whole of it, are noted and compared in ``backward()``, which
  refuses if one has changed. An edit that misses all of them is not seen: of one entry, say, in an array of a million.
  ``with guard("full"):`` copies large arrays too.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .errors import did_you_mean
from .kernels.shapes import Array
from .modes import MODES

__all__ = ["guard"]

SMALL = 1 << 17
"""Bytes up to which a user's array is copied: that takes about as long as noting some of its entries."""

SAMPLES = 512


@contextlib.contextmanager
def guard(level: str) -> Iterator[None]:
    """How well the arrays that a graph needs are protected from writes, for operations recorded in the block.

    Parameters
    ----------
    level : "default" or "full"
        ``"default"``: Tensors and small arrays completely, large arrays of the user's by 512 of their entries. ``"full"``:
        everything, by copying large arrays as well.

    Raises
    ------
    UnknownNameError
        For another level.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> x, w = np.ones(100_000), tg.Tensor(2.0, requires_grad=True)
    >>> with tg.guard("full"):
    ...     y = (w * x).sum()
    >>> x[7] = 1e9
    >>> y.backward()
    >>> float(w.grad)
    100000.0
    """
    if level not in ("default", "full"):
        raise did_you_mean("level of guard", level, ("default", "full"))
    token = MODES.set(MODES.get().but(full_guard=level == "full"))
    try:
        yield
    finally:
        MODES.reset(token)


def entries(array: Array) -> bytes | None:
    """Some entries of a large array, spread over all of it; None for an array that does not lie in one piece."""
    if array.flags.c_contiguous:
        return array.reshape(-1).take(places(array.size)).tobytes()
    return array.T.reshape(-1).take(places(array.size)).tobytes() if array.flags.f_contiguous else None


@functools.lru_cache(maxsize=64)
def places(size: int) -> Array:
    """One place in each of 512 equal parts; not at equal distances, which could be one column of a matrix."""
    part = np.arange(SAMPLES)
    places: Array = ((part + (part * 0.6180339887498949) % 1) * (size / SAMPLES)).astype(np.intp)
    return places


def changed(arrays: Sequence[Any], samples: Sequence[tuple[int, bytes]]) -> bool:
    """Whether a large array has other entries now."""
    return any(entries(arrays[i]) != noted for i, noted in samples)
