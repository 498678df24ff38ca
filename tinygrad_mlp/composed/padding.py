"""Composed functions: borders around an array, and windows that slide over it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..errors import ShapeError, did_you_mean
from ..kernels.shapes import floating
from ..primitive import composed
from ..rules import astype, concat, windows
from .shapes import along, operand


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
        pad_width = [np.broadcast_to(given.get(axis, 0), 2) for axis in range(x.ndim)] or np.zeros((0, 2), int)
    widths = np.asarray(stacked(pad_width))
    if widths.dtype.kind not in "iu" or np.any(widths < 0):
        raise ShapeError(f"the widths of pad are whole numbers, 0 or larger, not {pad_width!r}")
    widths = pairs(widths, x.ndim)
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
    y, end = floating(x), floating(ends)
    borders = []
    for n, edge in enumerate((slice(0, 1), slice(-1, None))):
        steps = row(np.arange(widths[n]) / max(widths[n], 1), x, axis).astype(y.dtype)
        ramp = end[n] + (y[along(axis, edge)] - end[n]) * steps
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
    x = x.astype(int) if x.dtype == bool else x
    factors = np.where(turned, -1, 1), np.where(turned, 2, 0), 2 * turn
    signs, ends, growth = (row(v if x.dtype.kind in "fc" else v.astype(x.dtype), x, axis) for v in factors)
    first, final = x[along(axis, slice(0, 1))], x[along(axis, slice(-1, None))]
    return signs * picked + ends * final + growth * (final - first)


@composed(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(x: Any, /, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False) -> Any:
    """All windows of that shape, in new last axes; the gradient of an entry is the sum over the windows that it is in."""
    x = operand(x)
    sizes = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    if len(sizes) != len(axes):
        raise ShapeError(f"window_shape {window_shape!r} has {len(sizes)} axes, axis={axis!r} names {len(axes)} of shape {x.shape}")
    if len(set(axes)) < len(axes):  # an axis twice: one after the other
        for size, a in zip(sizes, axes, strict=True):
            x = sliding_window_view(x, size, a)
        return x
    last = range(x.ndim - len(axes), x.ndim)
    return np.moveaxis(windows(np.moveaxis(x, axes, last), size=sizes), last, axes)
