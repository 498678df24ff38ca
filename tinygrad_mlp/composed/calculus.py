"""Composed functions: differences, integrals, interpolation and polynomials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..errors import SettingError, ShapeError
from ..kernels.shapes import floating, narrow
from ..primitive import composed
from ..rules import astype, broadcast_to, concat, where
from .picking import take
from .shapes import alone_or_all, along, numbers, operand, ravel, real_operand


def common(value: Any, x: Any) -> Any:
    """The common dtype of value and x, where a Python number counts as one of the dtype of x."""
    return np.result_type(x.dtype, value if isinstance(value, (int, float, complex)) else operand(value).dtype)


# --- differences ------------------------------------------------------------------------------------------------------


@composed(np.diff)
def diff(x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Any:
    """xᵢ₊₁ − xᵢ along axis, n times; ``prepend`` and ``append`` are put before and behind x first. Booleans differ or not."""
    x = operand(x)
    if n < 0:
        raise SettingError(f"the order of a difference is 0 or larger, not {n}")
    if n == 0:
        return x  # as in NumPy, without what is put before and behind it
    axis = normalize_axis_index(axis, x.ndim)
    ends = [None if end is None else astype(end, dtype=common(end, x)) for end in (prepend, append)]
    slim = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    before, after = (end if end is None or end.ndim else broadcast_to(end, shape=slim) for end in ends)
    x = concat([part for part in (before, x, after) if part is not None], axis=axis)
    minus = np.not_equal if x.dtype == bool else np.subtract
    for _ in range(n):
        x = minus(x[along(axis, slice(1, None))], x[along(axis, slice(None, -1))])
    return x


@composed(np.ediff1d)
def ediff1d(x: Any, /, to_end: Any = None, to_begin: Any = None) -> Any:
    """The differences of neighbours in index order, with other numbers before and behind them."""
    x = operand(x)
    parts = [to_begin, diff(ravel(x)), to_end]
    return concat([astype(ravel(part), dtype=x.dtype) for part in parts if part is not None], axis=0)


@composed(np.gradient)
def gradient(f: Any, /, *spacing: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """The slopes of f along each axis, by central differences inside, and by ``edge_order`` + 1 values at the ends.

    ``spacing`` is nothing (1), one number, or for each axis a number or the coordinates. For unequal steps h before a point and k
    behind it the slope is −k f₋ / h(h + k) + (k − h) f₀ / hk + h f₊ / k(h + k), which is exact for parabolas.
    """
    f = operand(f)
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    steps = list(spacing) * len(axes) if len(spacing) == 1 and np.ndim(spacing[0]) == 0 else list(spacing) or [1.0] * len(axes)
    if len(steps) != len(axes):
        raise ShapeError(f"gradient along {len(axes)} axes takes one spacing, or one for each, not {len(spacing)}")
    if edge_order not in (1, 2):
        raise SettingError(f"edge_order is 1 or 2, not {edge_order}")
    return alone_or_all([slopes(f, a, floating(operand(step)), edge_order) for a, step in zip(axes, steps, strict=True)])


def slopes(f: Any, axis: int, step: Any, edge_order: int) -> Any:
    """The slopes of f along one axis; step is a number or the coordinates."""
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ShapeError(f"gradient with edge_order={edge_order} takes {edge_order + 1} entries along axis {axis}, not {n}")
    if step.ndim and step.shape != (n,):
        raise ShapeError(f"coordinates of shape {step.shape} do not fit axis {axis} of shape {f.shape}")
    f = floating(f)
    y = np.moveaxis(f, axis, -1)
    steps = diff(step) if step.ndim else broadcast_to(step, shape=(n - 1,))
    d = (y[..., 1:] - y[..., :-1]) / steps  # the slopes between neighbours, of which all others are means
    h, k = steps[:-1], steps[1:]
    inside = (k * d[..., :-1] + h * d[..., 1:]) / (h + k) if step.ndim else (y[..., 2:] - y[..., :-2]) / (2 * step)
    first, last = d[..., :1], d[..., -1:]
    if edge_order == 2:  # half a step further along the straight line through the two nearest slopes
        first = first + (d[..., :1] - d[..., 1:2]) * (h[:1] / (h[:1] + k[:1]))
        last = last + (d[..., -1:] - d[..., -2:-1]) * (k[-1:] / (h[-1:] + k[-1:]))
    return np.moveaxis(astype(concat([first, inside, last], axis=-1), dtype=f.dtype), -1, axis)


@composed(np.unwrap)
def unwrap(p: Any, /, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Any:
    """Angles without jumps: multiples of the period are added, so that neighbours differ by half a period at most."""
    p = real_operand(p, "unwrap")
    dtype = np.result_type(p.dtype, period) if p.dtype.kind in "biu" else p.dtype
    p = floating(p)
    axis = normalize_axis_index(axis, p.ndim)
    step = diff(p, axis=axis)
    turns = np.sign(step) * np.ceil(np.abs(step) / period - 0.5)
    turns = np.where(np.abs(step) < (period / 2 if discont is None else discont), 0, turns)
    start, rest = p[along(axis, slice(0, 1))], p[along(axis, slice(1, None))]
    return narrow(concat([start, rest - period * np.cumulative_sum(turns, axis=axis)], axis=axis), dtype)


# --- integrals and interpolation ----------------------------------------------------------------------------------------


@composed(np.trapezoid)
def trapezoid(y: Any, /, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The area under y by the trapezoidal rule: Σ (yᵢ + yᵢ₊₁)(xᵢ₊₁ − xᵢ) / 2."""
    y = operand(y)
    dtype, y = common(dx if x is None else x, y), floating(y)
    axis = normalize_axis_index(axis, y.ndim)
    if x is not None:
        x = floating(operand(x))
        dx = diff(x, axis=axis) if x.ndim > 1 else np.reshape(diff(x), [-1 if a == axis else 1 for a in range(y.ndim)])
    area = np.sum(dx * (y[along(axis, slice(1, None))] + y[along(axis, slice(None, -1))]) / 2, axis=axis)
    return narrow(area, dtype) if dtype.kind in "fc" else area


def piece(x: Any, start: Any, end: Any, low: Any, high: Any) -> Any:
    """The value at x of the line from (start, low) to (end, high).

    Where an end is infinite, the line is level with the other one. Where a value is not finite, low + (high − low) share would be
    NaN too often: it is (1 − share) low + share high, and at an end the value there.
    """
    single = start == end
    width = where(single, 0, end - where(single, 0, start))
    endless = np.isinf(width)
    share = where(single, 1, (x - where(endless, 0, start)) / where(endless | single, 1, width))
    share = where(endless & (x == x), (np.isinf(start) & (x != start)) | (x == end), share)
    odd = ~(np.isfinite(low) & np.isfinite(high))
    ends = (share == 0) | (share == 1)
    inside = where(ends & endless & (low != high), np.nan, where(ends, 0.5, share))
    mixed = where(x == end, high, where(x == start, low, (1 - inside) * low + inside * high))
    base = where(odd, 0, low)
    return where(odd, mixed, base + (where(odd, 0, high) - base) * share)


@composed(np.interp)
def interp(x: Any, xp: Any, fp: Any, /, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """The values at x of the line through the points (xp, fp); the end values, or left and right, outside.

    At a point of xp the slope in x is that of the piece on its right (at the last point: on its left).
    """
    x, xp, fp = floating(real_operand(x, "interp")), floating(real_operand(xp, "interp")), floating(operand(fp))
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.shape[0]:
        raise ShapeError(f"interp takes points as two vectors of one length, not empty, not shapes {xp.shape} and {fp.shape}")
    if period is not None:
        period = abs(period)  # not NumPy's, which would make a Python number a float64
        x, xp = x % period, xp % period
        order = numbers(np.argsort(xp, kind="stable"))
        xp, fp = xp[order], fp[order]
        xp = concat([xp[-1:] - period, xp, xp[:1] + period], axis=0)
        fp = concat([fp[-1:], fp, fp[:1]], axis=0)
        left = right = None
    below, above = x < xp[0], x > xp[-1]
    n = xp.shape[0]
    i = np.clip(numbers(np.searchsorted(xp, x, side="right")) - 1, 0, max(n - 2, 0))
    j = np.minimum(i + 1, n - 1)
    inner = where(below | above, xp[0], x)  # outside nothing is computed that could overflow: its gradient is 0, not 0 · ∞
    value = piece(inner, take(xp, i), take(xp, j), take(fp, i), take(fp, j))
    value = where(below, fp[0] if left is None else left, value)
    return where(above, fp[-1] if right is None else right, value)


# --- polynomials ------------------------------------------------------------------------------------------------------


@composed(np.polyval)
def polyval(p: Any, x: Any, /) -> Any:
    """p₀ xⁿ⁻¹ + … + pₙ₋₁, by Horner's rule."""
    p, x = operand(p), operand(x)
    value = np.zeros_like(x)
    for i in range(p.shape[0]):
        value = value * x + p[i]
    return value


def powers(p: Any, n: int) -> Any:
    """n … 1, as numbers beside p: in its dtype if that is no whole number."""
    return np.arange(n, 0, -1).astype(p.dtype if p.dtype.kind in "fc" else int)


@composed(np.polyder)
def polyder(p: Any, /, m: int = 1) -> Any:
    """The coefficients of the m-th derivative of a polynomial."""
    p = operand(p)
    for _ in range(m):
        p = p[:-1] * powers(p, p.shape[0] - 1)
    return p


@composed(np.polyint)
def polyint(p: Any, /, m: int = 1, k: Any = None) -> Any:
    """The coefficients of the m-th integral of a polynomial, with the constants k, by default 0."""
    p = operand(p)
    constants = np.zeros(m) if k is None else broadcast_to(operand(k), shape=(m,))
    for i in range(m):
        p = p / powers(p, p.shape[0])
        p = concat([p, astype(constants[i : i + 1], dtype=p.dtype)], axis=0)
    return p
