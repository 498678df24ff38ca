"""Shape arithmetic that rules share, and the types of arrays and axes.

Every function here is an ordinary function of arrays and shapes; some work on every reading of an operand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[Any]"
Axis: TypeAlias = int | tuple[int, ...] | None

# np.sum and np.max are Python functions around these two, and cost more
total = np.add.reduce
largest = np.maximum.reduce


def floating(x: Array) -> Array:
    """Integers and booleans as float64: small ones would overflow, and booleans cannot be subtracted."""
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def wide(x: Any) -> Any:
    """x as it is summed and averaged: floating, and float16, which ends at 65504, as float32."""
    x = floating(x)
    return x.astype(np.float32) if x.dtype == np.float16 else x


def narrow(z: Any, dtype: Any) -> Any:
    """z, computed from wide(x), in the dtype that the result has."""
    return z if z.dtype == dtype else z.astype(dtype)


def alike(xs: Sequence[Any]) -> Sequence[Any]:
    """The factors of a product, whole numbers in its dtype: two small ones might be multiplied first, and wrap."""
    dtype = np.result_type(*[x.dtype for x in xs])
    return [x if x.dtype.kind in "fc" else narrow(x, dtype) for x in xs]


def getitem(x: Array, *, index: Any) -> Array:
    """x[index], every kind of index that NumPy knows."""
    return x[index]


def is_unique(index: Any) -> bool:
    """Whether no element can be picked twice: slices, integers, masks can not, arrays of integers can."""
    parts = index if isinstance(index, tuple) else (index,)
    simple = (slice, int, np.integer, np.bool_, type(None), type(Ellipsis))
    return all(isinstance(p, simple) or (isinstance(p, np.ndarray) and p.dtype == np.bool_) for p in parts)


def scatter(g: Array, *, shape: tuple[int, ...], index: Any) -> Array:
    """Zeros of the given shape with g added at index: what picking x[index] sends back, repeated picks added up."""
    out = np.zeros(shape, g.dtype)
    if is_unique(index):
        out[index] = g
    else:
        np.add.at(out, index, g)
    return out


def concat(*xs: Array, axis: int | None) -> Array:
    """The arrays joined along an existing axis (``None``: flattened first)."""
    return np.concatenate(xs, axis=axis)


def stack(*xs: Array, axis: int) -> Array:
    """The arrays joined along a new axis."""
    return np.stack(xs, axis=axis)


def unreduce(g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """g, the gradient of a reduction of x over axis, given back the reduced axes with length 1, so that it fits x."""
    if keepdims or axis is None or not x.ndim:
        return g  # over all axes g is 0-d, which fits everything
    return np.expand_dims(g, reduced(axis, x.ndim))


def reduced(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes of a reduction, counted from the first: all for ``None``, and of a number none, where NumPy takes 0 and −1 too."""
    return tuple(range(ndim)) if axis is None or not ndim else normalize_axis_tuple(axis, ndim)


def count(x: Any, axis: Axis) -> int:
    """How many entries of x one entry of a reduction over axis is made of."""
    return x.size if axis is None else math.prod(x.shape[a] for a in reduced(axis, x.ndim))


def over(g: Any, n: float) -> Any:
    """g / n, also for an n that float16 cannot hold."""
    return narrow(wide(g) / n, g.dtype) if n > 65504 else g / n


def inverse(axes: Sequence[int] | int | None) -> tuple[int, ...] | int | None:
    """The permutation that undoes axes; the axis of a vector may be given as a number."""
    return axes if axes is None or isinstance(axes, int) else tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


def parts(g: Any, xs: Sequence[Any], axis: int | None) -> list[Any]:
    """The parts of g, shaped like concat(xs), that belong to each of xs."""
    before = () if axis is None else (slice(None),) * (axis % g.ndim)
    found, start = [], 0
    for x in xs:
        stop = start + (np.size(x) if axis is None else x.shape[axis])
        part = g[(*before, slice(start, stop))]
        found.append(np.reshape(part, np.shape(x)) if axis is None else part)
        start = stop
    return found


def layers(g: Any, xs: Sequence[Any], axis: int) -> list[Any]:
    """The layers of g, shaped like stack(xs), that belong to each of xs."""
    return [g[(slice(None),) * (axis % g.ndim) + (i,)] for i in range(len(xs))]


def reshape(x: Array, *, shape: Any, copy: bool | None) -> Array:
    """The same entries in another shape."""
    return np.reshape(x, shape, copy=copy)


def tril(x: Array, *, k: int) -> Array:
    """x with zeros above the k-th diagonal."""
    return np.tril(x, k)


def triu(x: Array, *, k: int) -> Array:
    """x with zeros below the k-th diagonal."""
    return np.triu(x, k)


def opposite(shift: Any) -> Any:
    """The shift that undoes shift, a number or one for each axis."""
    return -int(shift) if np.ndim(shift) == 0 else tuple(-int(s) for s in shift)


def setitem(x: Array, y: Array, *, index: Any) -> Array:
    """A copy of x with y at index."""
    out = np.array(x)
    out[index] = y
    return out


def last_writes(shape: tuple[int, ...], index: Any) -> Array | None:
    """For an assignment at index, which of the written values are still there afterwards; None if all are."""
    if is_unique(index):
        return None
    writer = np.full(shape, -1)
    order = np.arange(writer[index].size).reshape(writer[index].shape)
    writer[index] = order
    return np.asarray(writer[index] == order)
