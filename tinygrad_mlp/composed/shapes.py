"""Composed functions: axes and shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..errors import ShapeError, did_you_mean, not_complex
from ..primitive import composed, is_valueless, joined
from ..rules import astype, broadcast_to, permute_dims, reshape, scatter


def operand(x: Any) -> Any:
    """x itself if it is a Tensor or another reading, or they joined if it is a list of such, else x as an array."""
    x = joined(x)
    return x if hasattr(type(x), "_apply") else np.asarray(x)


def real_operand(x: Any, function: str) -> Any:
    """The same, refused for complex numbers."""
    x = operand(x)
    if x.dtype.kind == "c":
        raise not_complex(function)
    return x


def numbers(x: Any) -> Any:
    """A constant result as an array; one of a traced function, which has no numbers, as it is."""
    return x if is_valueless(x) else np.asarray(x)


def along(axis: int, index: Any) -> tuple[Any, ...]:
    """The index that applies to one axis, counted from the first, and leaves the others as they are."""
    return (*(slice(None),) * axis, index)


def flat_or(x: Any, axis: int | None, ndmin: int = 0) -> tuple[Any, int]:
    """x and an axis of it, counted from the first; for the axis None x in one axis. With ``ndmin=1`` a number has one too."""
    x = operand(x)
    place = 0 if axis is None else normalize_axis_index(axis, max(x.ndim, ndmin))
    return (ravel(x) if axis is None or x.ndim < ndmin else x), place


@composed(np.swapaxes)
def swapaxes(x: Any, /, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    order = list(range(x.ndim))
    i, j = normalize_axis_index(axis1, x.ndim), normalize_axis_index(axis2, x.ndim)
    order[i], order[j] = order[j], order[i]
    return permute_dims(x, axes=tuple(order))


@composed(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """The last two axes exchanged."""
    return swapaxes(x, -1, -2)


@composed(np.moveaxis)
def moveaxis(x: Any, /, source: Any, destination: Any) -> Any:
    """Axes moved to other places, the rest in order."""
    start, end = normalize_axis_tuple(source, x.ndim), normalize_axis_tuple(destination, x.ndim)
    order = [n for n in range(x.ndim) if n not in start]
    for place, axis in sorted(zip(end, start, strict=True)):
        order.insert(place, axis)
    return permute_dims(x, axes=tuple(order))


@composed(np.ravel)
def ravel(x: Any, /) -> Any:
    """The entries in one axis, in index order."""
    x = operand(x)
    return reshape(x, shape=(math.prod(x.shape),))


@composed(np.full_like)
def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: str | None = None) -> Any:
    """The number fill_value in the shape and dtype of x; its gradient is the sum of what arrives."""
    if hasattr(type(fill_value), "_apply"):
        return broadcast_to(astype(fill_value, dtype=x.dtype if dtype is None else dtype), shape=np.shape(x))
    if hasattr(type(x), "_apply"):
        return np.ones_like(x, dtype=dtype) * np.asarray(fill_value, x.dtype if dtype is None else dtype)
    result = np.empty_like(x, dtype=dtype)
    result[...] = fill_value
    return result


@composed(np.flip)
def flip(x: Any, /, *, axis: Any = None) -> Any:
    """The entries in the opposite order along one axis, several, or all."""
    x = operand(x)
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    return x[tuple(slice(None, None, -1) if n in axes else slice(None) for n in range(x.ndim))]


@composed(np.fliplr)
def fliplr(x: Any, /) -> Any:
    """The entries in the opposite order along axis 1."""
    return flip(x, axis=1)


@composed(np.flipud)
def flipud(x: Any, /) -> Any:
    """The entries in the opposite order along axis 0."""
    return flip(x, axis=0)


@composed(np.rot90)
def rot90(x: Any, /, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """k quarter turns in the plane of two axes, from the first towards the second: each is a transpose and a flip."""
    i, j = normalize_axis_tuple(axes, x.ndim)
    if k % 4 == 0:
        return np.copy(x)
    if k % 4 == 2:
        return flip(x, axis=(i, j))
    return flip(swapaxes(x, i, j), axis=i if k % 4 == 1 else j)


@composed(np.rollaxis)
def rollaxis(x: Any, /, axis: int, start: int = 0) -> Any:
    """An axis moved in front of the one that is at start."""
    axis, start = normalize_axis_index(axis, x.ndim), normalize_axis_index(start, x.ndim + (start >= 0))
    return moveaxis(x, axis, start - 1 if axis < start else start)


@composed(np.copy)
def copy(x: Any, /) -> Any:
    """The same numbers in memory of their own."""
    return astype(x, dtype=operand(x).dtype)


@composed(np.resize)
def resize(x: Any, /, new_shape: Any) -> Any:
    """The entries in another shape, repeated from the start as often as it takes; zeros where there is nothing to repeat."""
    shape = tuple(int(n) for n in np.atleast_1d(new_shape))
    if min(shape, default=0) < 0:
        raise ShapeError(f"the lengths of a shape are 0 or larger, not {new_shape}")
    flat, size = ravel(x), math.prod(shape)
    n = flat.shape[0]
    filled = flat[np.arange(size) % n] if n else scatter(flat, shape=(size,), index=slice(0, 0))
    return reshape(filled, shape=shape)


def alone_or_all(arrays: list[Any]) -> Any:
    """One result as it is, several as a tuple."""
    return arrays[0] if len(arrays) == 1 else tuple(arrays)


@composed(np.atleast_1d)
def atleast_1d(*arrays: Any) -> Any:
    """Numbers as arrays of one entry; arrays as they are."""
    return alone_or_all([reshape(x, shape=np.shape(x) or (1,)) for x in arrays])


@composed(np.atleast_2d)
def atleast_2d(*arrays: Any) -> Any:
    """Vectors as matrices of one row; everything with more axes as it is."""
    return alone_or_all([reshape(x, shape=(1,) * (2 - np.ndim(x)) + np.shape(x)) for x in arrays])


@composed(np.atleast_3d)
def atleast_3d(*arrays: Any) -> Any:
    """Vectors of n entries in the shape (1, n, 1), matrices in (m, n, 1); everything with more axes as it is."""
    return alone_or_all([reshape(x, shape=((1,) * (2 - np.ndim(x)) + np.shape(x) + (1,))[: max(3, np.ndim(x))]) for x in arrays])


@composed(np.broadcast_arrays)
def broadcast_arrays(*arrays: Any, subok: bool = False) -> tuple[Any, ...]:
    """The arrays in their common shape."""
    shape = np.broadcast_shapes(*map(np.shape, arrays))
    return tuple(broadcast_to(x, shape=shape) for x in arrays)


@composed(np.meshgrid)
def meshgrid(*arrays: Any, indexing: str = "xy", sparse: bool = False, copy: bool = True) -> tuple[Any, ...]:
    """Coordinates of the points of a grid: the i-th result varies along the i-th axis ("xy": the first two exchanged)."""
    if indexing not in ("xy", "ij"):
        raise did_you_mean("indexing of meshgrid", indexing, ("xy", "ij"))
    order = list(range(len(arrays)))
    if indexing == "xy":
        order[:2] = order[:2][::-1]
    lines = [reshape(x, shape=tuple(-1 if n == i else 1 for n in range(len(arrays)))) for i, x in zip(order, arrays, strict=True)]
    results = tuple(lines) if sparse else broadcast_arrays(*lines)
    return tuple(np.copy(x) for x in results) if copy else results
