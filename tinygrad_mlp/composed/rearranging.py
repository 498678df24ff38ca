"""Composed functions: picking, sorting, repeating, joining and splitting.

Picking by index arrays, ``x[index]``, is the one primitive behind most of them: where the index comes from the numbers of an
array, as in sorting, it is a constant, and the gradient goes where the entries came from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..errors import ShapeError, did_you_mean
from ..primitive import composed
from ..rules import astype, broadcast_to, concat, reshape, scatter, setitem, where
from .shapes import operand, ravel


def along(axis: int, index: Any) -> tuple[Any, ...]:
    """The index that applies to one axis, counted from the first, and leaves the others as they are."""
    return (*(slice(None),) * axis, index)


def flat_or(x: Any, axis: int | None) -> tuple[Any, int]:
    """x and an axis of it, counted from the first; for the axis None x in one axis."""
    x = operand(x)
    return (ravel(x), 0) if axis is None else (x, normalize_axis_index(axis, x.ndim))


# --- picking ----------------------------------------------------------------------------------------------------------


@composed(np.take)
def take(x: Any, indices: Any, /, *, axis: int | None = None, mode: str = "raise") -> Any:
    """The entries at indices along axis; indices beyond the ends are refused, counted on from the start, or the ends."""
    x, axis = flat_or(x, axis)
    index = np.asarray(indices)
    index = index.astype(np.intp, casting="same_kind")
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
    index = np.asarray(indices)
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
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = where(condition, choice, result)
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
        result = setitem(result, f(x[condition], *args, **kw) if callable(f) else f, index=condition)
    return result


@composed(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """How often each whole number occurs in x, or the sum of the weights of its occurrences."""
    numbers = np.asarray(x)
    counts = np.bincount(numbers, minlength=minlength)
    if weights is None:
        return counts
    values = operand(weights)
    if values.shape != numbers.shape:
        raise ShapeError(f"bincount takes a weight for each number, not shapes {values.shape} and {numbers.shape}")
    return scatter(values, shape=counts.shape, index=numbers)


# --- sorting ----------------------------------------------------------------------------------------------------------


@composed(np.sort)
def sort(x: Any, /, *, axis: int | None = -1, descending: bool = False, stable: bool | None = True, kind: Any = None) -> Any:
    """The entries in order; always stable, so that of equal ones each keeps its own gradient."""
    x, axis = flat_or(x, axis)
    order = np.asarray(np.argsort(np.flip(x, axis=axis) if descending else x, axis=axis, kind="stable"))
    order = np.flip(x.shape[axis] - 1 - order, axis=axis) if descending else order
    return take_along_axis(x, order, axis=axis)


@composed(np.partition)
def partition(x: Any, /, kth: Any, axis: int | None = -1, kind: Any = "introselect") -> Any:
    """The kth entries in their places of the sorted order, no larger ones before and no smaller ones behind them.

    In which order those come NumPy leaves open; here it is that of np.argpartition.
    """
    x, axis = flat_or(x, axis)
    return take_along_axis(x, np.asarray(np.argpartition(x, kth, axis=axis, kind=kind)), axis=axis)


def first_places(x: Any, equal_nan: bool) -> tuple[Any, Any, Any]:
    """For the rows of x: where each different one occurs first, which of those each row is, and how often each occurs.

    The rows are sorted, and one that differs from its predecessor is new.
    """
    n = x.shape[0]
    order = np.asarray(np.argsort(x, kind="stable") if x.ndim == 1 else np.lexsort(np.flip(x, axis=1).T))
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
    rows = y if axis is None else np.reshape(np.moveaxis(y, axis_, 0), (y.shape[axis_], -1))
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
    x, axis = flat_or(x, axis)
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
    index = np.arange(n + 1)[obj] if isinstance(obj, slice) else np.asarray(obj)
    index = np.flatnonzero(index) if index.dtype == bool else index
    new = operand(values)
    if index.size == 1:  # one place, any number of entries
        new = reshape(new, shape=(1,) * (x.ndim - new.ndim) + new.shape)
        new = np.moveaxis(new, 0, axis) if index.ndim == 0 else new
        count = new.shape[axis]
        index = np.repeat(index.reshape(1), count)
    else:
        index = index.astype(np.intp) if not index.size else index
        count = index.size
    new = broadcast_to(new, shape=(*x.shape[:axis], count, *x.shape[axis + 1 :]))
    order = np.insert(np.arange(n), index, np.arange(n, n + count))
    return take(concat([x, astype(new, dtype=x.dtype)], axis=axis), order, axis=axis)


@composed(np.append)
def append(x: Any, values: Any, /, axis: int | None = None) -> Any:
    """The values behind x along axis; both flattened without one."""
    return concat([operand(x), operand(values)], axis=axis)


# --- joining ----------------------------------------------------------------------------------------------------------


def listed(arrays: Any, function: str) -> list[Any]:
    """The arrays of a list, at least one."""
    found = [operand(x) for x in arrays]
    if not found:
        raise ShapeError(f"{function} takes a list of arrays, at least one")
    return found


@composed(np.hstack)
def hstack(arrays: Any, /) -> Any:
    """The arrays side by side: joined along axis 1, vectors along their only one."""
    parts = [np.atleast_1d(x) for x in listed(arrays, "hstack")]
    return concat(parts, axis=0 if parts[0].ndim == 1 else 1)


@composed(np.vstack)
def vstack(arrays: Any, /) -> Any:
    """The arrays below each other: joined along axis 0, vectors as rows."""
    return concat([np.atleast_2d(x) for x in listed(arrays, "vstack")], axis=0)


@composed(np.dstack)
def dstack(arrays: Any, /) -> Any:
    """The arrays behind each other: joined along axis 2."""
    return concat([np.atleast_3d(x) for x in listed(arrays, "dstack")], axis=2)


@composed(np.column_stack)
def column_stack(arrays: Any, /) -> Any:
    """The arrays side by side, vectors as columns."""
    return concat([x if x.ndim > 1 else reshape(x, shape=(-1, 1)) for x in listed(arrays, "column_stack")], axis=1)


@composed(np.block)
def block(arrays: Any, /) -> Any:
    """A matrix of blocks: the innermost lists are joined along the last axis, those around them along the one before, …"""

    def depths(part: Any) -> set[int]:
        return {1 + d for p in part for d in depths(p)} if isinstance(part, list) else {0}

    def leaves(part: Any) -> list[Any]:
        return [leaf for p in part for leaf in leaves(p)] if isinstance(part, list) else [operand(part)]

    def join(part: Any, axis: int) -> Any:
        if isinstance(part, list):
            return concat([join(p, axis + 1) for p in part], axis=axis)
        x = operand(part)
        return reshape(x, shape=(1,) * (ndim - x.ndim) + x.shape)

    found = depths(arrays)
    if len(found) != 1:
        raise ShapeError("block takes lists of one depth, none of them empty")
    depth = found.pop()
    ndim = max(depth, *[x.ndim for x in leaves(arrays)])
    return join(arrays, -depth)


# --- splitting --------------------------------------------------------------------------------------------------------


@composed(np.split)
def split(x: Any, /, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """x in so many equal parts along axis, or cut at the given indices."""
    if np.ndim(indices_or_sections) == 0 and x.shape[axis] % int(indices_or_sections):
        raise ShapeError(f"{x.shape[axis]} entries cannot be split into {indices_or_sections} equal parts: array_split can")
    return array_split(x, indices_or_sections, axis)


@composed(np.array_split)
def array_split(x: Any, /, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As split; where the parts cannot be equal, the first ones are longer by one."""
    axis = normalize_axis_index(axis, x.ndim)
    if np.ndim(indices_or_sections):
        cuts = [int(i) for i in indices_or_sections]
    else:
        sections = int(indices_or_sections)
        if sections < 1:
            raise ShapeError(f"x is split into 1 part or more, not {sections}")
        size, longer = np.divmod(x.shape[axis], sections)
        cuts = [int(i * size + min(i, longer)) for i in range(1, sections)]
    return [x[along(axis, slice(start, stop))] for start, stop in zip([0, *cuts], [*cuts, None], strict=True)]


@composed(np.hsplit)
def hsplit(x: Any, /, indices_or_sections: Any) -> list[Any]:
    """Split along axis 1, a vector along its only one."""
    return split(x, indices_or_sections, axis=1 if x.ndim > 1 else 0)


@composed(np.vsplit)
def vsplit(x: Any, /, indices_or_sections: Any) -> list[Any]:
    """Split along axis 0 of two and more."""
    if x.ndim < 2:
        raise ShapeError(f"vsplit takes two axes or more, not shape {x.shape}")
    return split(x, indices_or_sections, axis=0)


@composed(np.dsplit)
def dsplit(x: Any, /, indices_or_sections: Any) -> list[Any]:
    """Split along axis 2."""
    if x.ndim < 3:
        raise ShapeError(f"dsplit takes three axes or more, not shape {x.shape}")
    return split(x, indices_or_sections, axis=2)


@composed(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The slices along axis, one by one."""
    axis = normalize_axis_index(axis, x.ndim)
    return tuple(x[along(axis, i)] for i in range(x.shape[axis]))


# --- diagonals --------------------------------------------------------------------------------------------------------


def diagonal_index(rows: int, columns: int, offset: int) -> tuple[Any, Any]:
    """Where the diagonal of a matrix lies that is offset to the right."""
    i = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    return i + max(-offset, 0), i + max(offset, 0)


@composed(np.diagonal)
def diagonal(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonals of the matrices in the plane of two axes, along a new last axis."""
    x = operand(x)
    axis1, axis2 = normalize_axis_tuple((axis1, axis2), x.ndim)
    moved = np.moveaxis(x, (axis1, axis2), (-2, -1))
    return moved[(..., *diagonal_index(x.shape[axis1], x.shape[axis2], offset))]


@composed(np.trace)
def trace(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    """The sum of the diagonal."""
    return np.sum(diagonal(x, offset, axis1, axis2), axis=-1, dtype=dtype)


@composed(np.linalg.diagonal, name="linalg.diagonal")
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonal of a matrix, or of each one of a stack."""
    return diagonal(x, offset, -2, -1)


@composed(np.linalg.trace, name="linalg.trace")
def linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The sum of the diagonal of a matrix, or of each one of a stack."""
    return trace(x, offset, -2, -1, dtype)


@composed(np.diag)
def diag(x: Any, /, k: int = 0) -> Any:
    """The matrix with the vector x on its k-th diagonal, or the k-th diagonal of the matrix x."""
    x = operand(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ShapeError(f"diag takes a vector or a matrix, not shape {x.shape}: np.diagonal takes more axes")
    n = x.shape[0] + abs(k)
    return scatter(x, shape=(n, n), index=diagonal_index(n, n, k))


@composed(np.diagflat)
def diagflat(x: Any, /, k: int = 0) -> Any:
    """The matrix with all entries of x on its k-th diagonal."""
    return diag(ravel(x), k)


@composed(np.vander)
def vander(x: Any, /, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of each entry in a row: x^(N−1) … x, 1, or 1, x … with ``increasing``."""
    x = operand(x)
    if x.ndim != 1:
        raise ShapeError(f"vander takes a vector, not shape {x.shape}")
    n = x.shape[0] if N is None else N
    factors = broadcast_to(x[:, None], shape=(x.shape[0], max(n - 1, 0)))
    powers = np.cumulative_prod(factors, axis=1, include_initial=True)[:, :n]
    return powers if increasing else np.flip(powers, axis=1)


# --- padding ----------------------------------------------------------------------------------------------------------


def stacked(value: Any) -> Any:
    """Nested lists of numbers, arrays and operands as one array or operand."""
    return np.stack([stacked(v) for v in value]) if isinstance(value, (list, tuple)) else operand(value)


def pairs(value: Any, ndim: int) -> Any:
    """A number for all sides, a pair for all axes, or a pair for each axis, in the last form."""
    return np.broadcast_to(stacked(value), (ndim, 2))


PAD_MODES = ("constant", "edge", "linear_ramp", "maximum", "mean", "median", "minimum", "reflect", "symmetric", "wrap", "empty")
STATISTICS: dict[str, Any] = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}


@composed(np.pad)
def pad(
    x: Any,
    /,
    pad_width: Any,
    mode: Any = "constant",
    *,
    constant_values: Any = 0,
    end_values: Any = 0,
    stat_length: Any = None,
    reflect_type: str = "even",
) -> Any:
    """x with a border of so many entries on each side, made from the numbers given or from its own. One axis after the other,
    so that the corners are made from the borders.
    """
    x = operand(x)
    if mode not in PAD_MODES:
        raise did_you_mean("mode of pad", mode, PAD_MODES)
    if isinstance(pad_width, dict):
        given = {normalize_axis_index(axis, x.ndim): width for axis, width in pad_width.items()}
        pad_width = [np.broadcast_to(given.get(axis, 0), 2) for axis in range(x.ndim)]
    widths = np.asarray(pairs(pad_width, x.ndim) if x.ndim else np.zeros((0, 2), int))
    if widths.dtype.kind not in "iu" or np.any(widths < 0):
        raise ShapeError(f"the widths of pad are whole numbers, 0 or larger, not {pad_width!r}")
    values = astype(pairs({"constant": constant_values, "linear_ramp": end_values}.get(mode, 0), x.ndim), dtype=x.dtype)
    lengths = None if stat_length is None else np.asarray(pairs(stat_length, x.ndim))
    for axis in range(x.ndim):
        before, after = (int(n) for n in widths[axis])
        n = x.shape[axis]
        if not n and before + after and mode not in ("constant", "empty"):
            raise ShapeError(f"axis {axis} of shape {x.shape} is empty: only the modes 'constant' and 'empty' can extend it")
        if mode in STATISTICS:
            count = (n, n) if lengths is None else tuple(min(int(m), n) for m in lengths[axis])
            borders = statistic_borders(x, axis, (before, after), count, mode)
        elif mode == "linear_ramp":
            borders = ramps(x, axis, (before, after), values[axis])
        elif mode in ("constant", "empty"):
            borders = [np.broadcast_to(values[axis, k], side(x, axis, (before, after)[k])) for k in (0, 1)]
        else:
            outside = np.arange(-before, 0), np.arange(n, n + after)
            borders = [continued(x, axis, places, mode, reflect_type) for places in outside]
        x = concat([astype(borders[0], dtype=x.dtype), x, astype(borders[1], dtype=x.dtype)], axis=axis)
    return x


def side(x: Any, axis: int, length: int) -> tuple[int, ...]:
    """The shape of x with another length along axis."""
    return (*x.shape[:axis], length, *x.shape[axis + 1 :])


def row(numbers: Any, x: Any, axis: int) -> Any:
    """A vector of numbers along an axis of x."""
    return np.reshape(numbers, [-1 if n == axis else 1 for n in range(x.ndim)])


def statistic_borders(x: Any, axis: int, widths: tuple[int, int], counts: Any, mode: str) -> list[Any]:
    """The borders that repeat the maximum, mean, … of the so many entries next to them; whole numbers are rounded."""
    borders = []
    for width, part in zip(widths, (slice(0, counts[0]), slice(x.shape[axis] - counts[1], None)), strict=True):
        value = STATISTICS[mode](x[along(axis, part)], axis=axis, keepdims=True)
        value = np.round(value) if x.dtype.kind in "iu" else value
        borders.append(np.broadcast_to(value, side(x, axis, width)))
    return borders


def ramps(x: Any, axis: int, widths: tuple[int, int], ends: Any) -> list[Any]:
    """The borders that go in equal steps from the edges of x to the values at the ends."""
    borders = []
    for n, edge in enumerate((slice(0, 1), slice(-1, None))):
        steps = row(np.arange(widths[n]) / max(widths[n], 1), x, axis).astype(x.dtype if x.dtype.kind in "fc" else float)
        ramp = ends[n] + (x[along(axis, edge)] - ends[n]) * steps
        ramp = np.floor(ramp) if x.dtype.kind in "iu" else ramp
        borders.append(ramp if n == 0 else np.flip(ramp, axis=axis))
    return borders


def continued(x: Any, axis: int, places: Any, mode: str, reflect_type: str) -> Any:
    """x at places beyond its ends: the edge, or x as a function that is periodic (wrap) or mirrored at its ends.

    An even mirror at both ends makes a function of period p. An odd one, which turns it about the point at the end, makes one
    that grows by twice the difference of both ends in each period: in the copies that are turned, it is the sum of twice an end
    and of minus x.
    """
    n = x.shape[axis]
    if mode == "edge" or (mode == "reflect" and n == 1):
        return x[along(axis, np.clip(places, 0, n - 1))]
    if mode == "wrap":
        return x[along(axis, places % n)]
    period, last = (2 * n, 2 * n - 1) if mode == "symmetric" else (2 * n - 2, 2 * n - 2)
    turn, place = np.divmod(places, period)
    turned = place >= n
    picked = x[along(axis, np.where(turned, last - place, place))]
    if reflect_type == "even":
        return picked
    if reflect_type != "odd":
        raise did_you_mean("reflect_type of pad", reflect_type, ("even", "odd"))
    signs, ends, growth = (row(v, x, axis) for v in (np.where(turned, -1, 1), np.where(turned, 2, 0), 2 * turn))
    first, final = x[along(axis, slice(0, 1))], x[along(axis, slice(-1, None))]
    return signs * picked + ends * final + growth * (final - first)
