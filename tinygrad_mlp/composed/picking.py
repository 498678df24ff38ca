"""Composed functions: picking, sorting, repeating, inserting and deleting.

Picking by index arrays, ``x[index]``, is the one primitive behind most of them: where the index comes from the numbers of an
array, as in sorting, it is a constant, and the gradient goes where the entries came from.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError, did_you_mean
from ..kernels.shapes import floating
from ..primitive import composed, is_valueless
from ..rules import astype, broadcast_to, concat, reshape, scatter, setitem, where
from .shapes import along, flat_or, numbers, operand

# --- picking ----------------------------------------------------------------------------------------------------------


@composed(np.take)
def take(x: Any, indices: Any, /, *, axis: int | None = None, mode: str = "raise") -> Any:
    """The entries at indices along axis; indices beyond the ends are refused, counted on from the start, or the ends."""
    x, axis = flat_or(x, axis, ndmin=1)
    index = numbers(indices)
    index = index if is_valueless(index) else index.astype(np.intp, casting="same_kind" if index.size else "unsafe")
    if mode == "wrap":
        index = index % x.shape[axis]
    elif mode == "clip":
        index = np.clip(index, 0, x.shape[axis] - 1)
    elif mode != "raise":
        raise did_you_mean("mode of take", mode, ("raise", "wrap", "clip"))
    return x[along(axis, index)]


@composed(np.take_along_axis)
def take_along_axis(x: Any, indices: Any, /, *, axis: int | None = -1) -> Any:
    """x[i, j, indices[i, j, k]]: along axis the entries that indices name, in every row its own."""
    x, axis = flat_or(x, axis)
    index = numbers(indices)
    if index.ndim != x.ndim:
        raise ShapeError(f"take_along_axis of shape {x.shape} takes indices with as many axes, not of shape {index.shape}")
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in x.shape)])
    grid[axis] = index
    return x[tuple(grid)]


@composed(np.compress)
def compress(condition: Any, x: Any, /, *, axis: int | None = None) -> Any:
    """The slices along axis for which condition is true."""
    return take(x, np.flatnonzero(np.asarray(condition)), axis=axis)


@composed(np.extract)
def extract(condition: Any, x: Any, /) -> Any:
    """The entries for which condition is true, in one axis."""
    return take(x, np.flatnonzero(np.asarray(condition)))


@composed(np.choose)
def choose(index: Any, choices: Any, /, mode: str = "raise") -> Any:
    """For each entry the array of choices that index names."""
    numbers, *arrays = np.broadcast_arrays(np.asarray(index), *[operand(c) for c in choices])
    numbers = np.ravel_multi_index((numbers,), (len(arrays),), mode=mode)  # type: ignore[call-overload]  # the modes' words
    return np.stack(arrays)[(numbers, *np.indices(numbers.shape, sparse=True))]


@composed(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """For each entry the first choice whose condition is true, or the default."""
    if len(condlist) != len(choicelist):
        raise ShapeError(f"select takes as many choices as conditions, not {len(choicelist)} and {len(condlist)}")
    choices = [operand(c) for c in choicelist]
    number = isinstance(default, (int, float, complex))
    dtype = np.result_type(*[c.dtype for c in choices], default if number else operand(default).dtype)
    result: Any = default if number and not choices else astype(default, dtype=dtype)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        result = where(condition, astype(choice, dtype=dtype), result)
    return result


@composed(np.piecewise)
def piecewise(x: Any, /, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """f(x) with the f that belongs to the condition; one f more is that of all other entries, which else are zero."""
    x = operand(x)
    given = condlist if isinstance(condlist, (list, tuple)) and np.ndim(condlist[0]) == x.ndim else [condlist]
    conditions = [np.asarray(c, bool) for c in given]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.logical_or.reduce(conditions))
    if len(funclist) != len(conditions):
        raise ShapeError(f"piecewise with {len(conditions)} conditions takes as many functions or one more, not {len(funclist)}")
    result = np.zeros_like(x)
    for condition, f in zip(conditions, funclist, strict=True):
        if not condition.any():
            continue
        result = setitem(result, f(x[condition], *args, **kw) if callable(f) else f, index=condition)
    return result


@composed(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """How often each whole number occurs in x, or the sum of the weights of its occurrences."""
    numbers = np.asarray(x)
    counts = np.bincount(numbers, minlength=minlength)
    if weights is None:
        return counts
    values = floating(operand(weights))
    if values.shape != numbers.shape:
        raise ShapeError(f"bincount takes a weight for each number, not shapes {values.shape} and {numbers.shape}")
    return scatter(values, shape=counts.shape, index=numbers)


# --- sorting ----------------------------------------------------------------------------------------------------------


@composed(np.sort)
def sort(x: Any, /, *, axis: int | None = -1, descending: bool = False, stable: bool | None = True, kind: Any = None) -> Any:
    """The entries in order; always stable, so that of equal ones each keeps its own gradient."""
    x, axis = flat_or(x, axis)
    order = numbers(np.argsort(np.flip(x, axis=axis) if descending else x, axis=axis, kind="stable"))
    order = np.flip(x.shape[axis] - 1 - order, axis=axis) if descending else order
    return take_along_axis(x, order, axis=axis)


@composed(np.partition)
def partition(x: Any, /, kth: Any, axis: int | None = -1, kind: Any = "introselect") -> Any:
    """The kth entries in their places of the sorted order, no larger ones before and no smaller ones behind them.

    In which order those come NumPy leaves open; here it is that of np.argpartition.
    """
    x, axis = flat_or(x, axis)
    return take_along_axis(x, numbers(np.argpartition(x, kth, axis=axis, kind=kind)), axis=axis)


def first_places(x: Any, equal_nan: bool) -> tuple[Any, Any, Any]:
    """For the rows of x: where each different one occurs first, which of those each row is, and how often each occurs.

    The rows are sorted, and one that differs from its predecessor is new.
    """
    n = x.shape[0]
    keyed = x.ndim > 1 and x.shape[1] > 0  # rows without entries are equal
    order = np.asarray(np.lexsort(np.flip(x, axis=1).T) if keyed else np.argsort(x if x.ndim == 1 else np.zeros(n), kind="stable"))
    y = x[order]
    differs = np.asarray(np.not_equal(y[1:], y[:-1]))
    if x.ndim > 1:
        differs = np.any(differs, axis=1)
    elif equal_nan:
        differs = differs & ~np.asarray(np.isnan(y[1:]) & np.isnan(y[:-1]))
    new = np.concatenate([np.ones(min(n, 1), bool), differs])
    inverse = np.empty(n, np.intp)
    inverse[order] = np.cumsum(new) - 1
    return order[new], inverse, np.diff(np.append(np.flatnonzero(new), n))


@composed(np.unique)
def unique(
    x: Any,
    /,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """The different entries (or slices along axis) in order; the gradient goes to the first of equal ones."""
    given = operand(x)
    y, axis_ = flat_or(given, axis)
    n = y.shape[axis_]
    rows = y if axis is None else np.reshape(np.moveaxis(y, axis_, 0), (n, y.size // max(n, 1)))
    index, inverse, counts = first_places(rows, equal_nan)
    values = take(y, index, axis=axis_)
    inverse = np.reshape(inverse, given.shape) if axis is None else inverse
    wanted = [part for part, yes in ((index, return_index), (inverse, return_inverse), (counts, return_counts)) if yes]
    return (values, *wanted) if wanted else values


# NumPy's own named tuples, which have no public name
ALL, COUNTS, INVERSE = (type(f(np.zeros(1))) for f in (np.unique_all, np.unique_counts, np.unique_inverse))


@composed(np.unique_all)
def unique_all(x: Any, /) -> Any:
    """The different entries, where each occurs first, which of them each entry is, and how often each occurs."""
    return ALL(*unique(x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False))


@composed(np.unique_counts)
def unique_counts(x: Any, /) -> Any:
    """The different entries, and how often each occurs."""
    return COUNTS(*unique(x, return_counts=True, equal_nan=False))


@composed(np.unique_inverse)
def unique_inverse(x: Any, /) -> Any:
    """The different entries, and which of them each entry is."""
    return INVERSE(*unique(x, return_inverse=True, equal_nan=False))


@composed(np.unique_values)
def unique_values(x: Any, /) -> Any:
    """The different entries, in order (NumPy promises none here)."""
    return unique(x, equal_nan=False)


# --- repeating, inserting, deleting -----------------------------------------------------------------------------------


@composed(np.tile)
def tile(x: Any, repetitions: Any, /) -> Any:
    """Copies of x side by side, so many along each axis; the numbers belong to the last axes if they are fewer than those of x."""
    x = operand(x)
    counts = tuple(int(n) for n in np.atleast_1d(repetitions))
    ndim = max(len(counts), x.ndim)
    counts, shape = (1,) * (ndim - len(counts)) + counts, (1,) * (ndim - x.ndim) + x.shape
    apart = reshape(x, shape=tuple(n for length in shape for n in (1, length)))
    copies = broadcast_to(apart, shape=tuple(n for pair in zip(counts, shape, strict=True) for n in pair))
    return reshape(copies, shape=tuple(m * n for m, n in zip(counts, shape, strict=True)))


@composed(np.repeat)
def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Any:
    """Each entry along axis so many times, one number for all or one for each."""
    x, axis = flat_or(x, axis, ndmin=1)
    return take(x, np.repeat(np.arange(x.shape[axis]), np.asarray(repeats)), axis=axis)


@composed(np.delete)
def delete(x: Any, /, obj: Any, axis: int | None = None) -> Any:
    """x without the entries along axis that obj names, an index, a slice, several indices or a mask."""
    x, axis = flat_or(x, axis)
    return take(x, np.delete(np.arange(x.shape[axis]), obj), axis=axis)


@composed(np.insert)
def insert(x: Any, /, obj: Any, values: Any, axis: int | None = None) -> Any:
    """x with values in front of the entries along axis that obj names.

    Old and new entries are joined and then picked in their order, which NumPy's insert finds by doing the same with numbers.
    """
    x, axis = flat_or(x, axis)
    n = x.shape[axis]
    index = np.arange(*obj.indices(n)) if isinstance(obj, slice) else np.asarray(obj)
    index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.intp, casting="same_kind" if index.size else "unsafe")
    new = operand(values)
    if index.size == 1:  # one place, any number of entries
        if not -n <= index.item() <= n:
            raise IndexError(f"insert in front of the entry {index.item()} of axis {axis}, which has {n}")
        new = reshape(new, shape=(1,) * (x.ndim - new.ndim) + new.shape)
        new = np.moveaxis(new, 0, axis) if index.ndim == 0 else new
        count = new.shape[axis]
        index = np.repeat(index.reshape(1), count)
    else:
        count = index.size
    new = broadcast_to(new, shape=(*x.shape[:axis], count, *x.shape[axis + 1 :]))
    order = np.insert(np.arange(n), index, np.arange(n, n + count))
    return take(concat([x, astype(new, dtype=x.dtype)], axis=axis), order, axis=axis)


@composed(np.append)
def append(x: Any, values: Any, /, axis: int | None = None) -> Any:
    """The values behind x along axis; both flattened without one."""
    return concat([operand(x), operand(values)], axis=axis)
