"""Composed functions: averages, quantiles, covariances, and reductions that skip NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..derivations.elementwise import conjugate
from ..errors import SettingError, ShapeError, did_you_mean
from ..kernels.shapes import floating, narrow, wide
from ..primitive import TABLE, composed
from ..rules import astype, broadcast_to, permute_dims, reshape, where
from .picking import sort, take_along_axis
from .shapes import numbers, operand, ravel, real_operand


@composed(np.ptp)
def ptp(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The range of the entries, maximum − minimum."""
    return np.max(x, axis=axis, keepdims=keepdims) - np.min(x, axis=axis, keepdims=keepdims)


@composed(np.average)
def average(x: Any, /, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    """Σ wᵢ xᵢ / Σ wᵢ over axis; with ``returned`` the sum of the weights too."""
    x = operand(x)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    if weights is None:
        mean = np.mean(x, axis=axes, keepdims=keepdims)
        return (mean, np.full_like(mean, math.prod(x.shape[a] for a in axes))) if returned else mean
    w = operand(weights)
    dtype = np.result_type(floating(x).dtype, w.dtype)
    x, w = wide(x), wide(w)
    if w.shape != x.shape:
        if axis is None or w.shape != tuple(x.shape[a] for a in (axis if isinstance(axis, tuple) else (axis,))):
            raise ShapeError(f"weights of shape {w.shape} do not fit an average over axis {axis} of shape {x.shape}")
        w = permute_dims(w, axes=tuple(sorted(range(len(axes)), key=axes.__getitem__)))
        w = reshape(w, shape=tuple(n if a in axes else 1 for a, n in enumerate(x.shape)))
    total = np.sum(w, axis=axes, keepdims=keepdims)
    if np.any(total == 0):
        raise ZeroDivisionError("the weights of an average sum to zero")
    mean = narrow(np.sum(x * w, axis=axes, keepdims=keepdims) / total, dtype)
    return (mean, np.broadcast_to(astype(total, dtype=mean.dtype), mean.shape)) if returned else mean


# --- running sums -----------------------------------------------------------------------------------------------------


@composed(np.cumsum)
def cumsum(x: Any, /, axis: int | None = None, dtype: Any = None) -> Any:
    """The sums of the entries up to each one, along axis or of all in index order."""
    return np.cumulative_sum(ravel(x) if axis is None else x, axis=0 if axis is None else axis, dtype=dtype)


@composed(np.cumprod)
def cumprod(x: Any, /, axis: int | None = None, dtype: Any = None) -> Any:
    """The products of the entries up to each one, along axis or of all in index order."""
    return np.cumulative_prod(ravel(x) if axis is None else x, axis=0 if axis is None else axis, dtype=dtype)


# --- quantiles --------------------------------------------------------------------------------------------------------


def together(x: Any, axis: Any) -> tuple[Any, tuple[int, ...], tuple[int, ...]]:
    """x with the axes of a reduction made one and put last, and the shapes of the result without and with keepdims."""
    x = operand(x)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    rest = tuple(n for n in range(x.ndim) if n not in axes)
    shape = tuple(x.shape[n] for n in rest)
    y = reshape(permute_dims(x, axes=rest + axes), shape=(*shape, math.prod(x.shape[n] for n in axes)))
    return y, shape, tuple(1 if n in axes else length for n, length in enumerate(x.shape))


def without_nan(y: Any) -> tuple[Any, Any]:
    """y sorted along its last axis, with NaN, to which no gradient goes, behind the numbers; and how many numbers there are."""
    missing = np.asarray(np.isnan(y))
    return sort(where(missing, np.nan, y)), np.sum(~missing, axis=-1, keepdims=True)


def middle(s: Any, count: Any) -> Any:
    """The median of the first count entries of each sorted row: the middle one, or the mean of both."""
    low, high = (take_along_axis(s, np.maximum(place, 0)) for place in ((count - 1) // 2, count // 2))
    return (low + high)[..., 0] / 2


@composed(np.median)
def median(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The entry in the middle of the sorted ones, half the sum of both for an even number of them; NaN if there is one."""
    y, shape, kept = together(x, axis)
    if not y.shape[-1]:
        return np.mean(x, axis=axis, keepdims=keepdims)  # NaN, with NumPy's warning
    s = sort(wide(y))
    value = middle(s, np.full((*shape, 1), s.shape[-1]))
    value = np.where(np.isnan(s[..., -1]), s[..., -1], value)
    return reshape(narrow(value, floating(y).dtype), shape=kept if keepdims else shape)


@composed(np.nanmedian)
def nanmedian(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The median of the entries that are not NaN; NaN if there is none."""
    y, shape, kept = together(x, axis)
    if not y.shape[-1]:
        return np.mean(x, axis=axis, keepdims=keepdims)  # NaN, with NumPy's warning
    return reshape(narrow(middle(*without_nan(wide(y))), floating(y).dtype), shape=kept if keepdims else shape)


INTERPOLATING = {
    "linear": (1.0, 1.0),
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
"""α and β of the methods that interpolate (Hyndman and Fan, 1996)."""

PICKING = ("lower", "higher", "midpoint", "nearest")
"""The methods that pick one of the two neighbours, or the middle between them."""


def quantiles(s: Any, count: Any, q: Any, method: str) -> Any:
    """The quantiles q of the first count entries of each sorted row, along the last axis.

    The place (n − 1) q lies between two entries, and its fraction says how much of each: the gradient goes to both. The
    fraction depends on q, which may be an operand too; the places themselves are found by counting whole numbers below.
    """
    n = s.shape[-1]
    place: Any = (count - 1) * q
    if method in INTERPOLATING and method != "linear":
        alpha, beta = INTERPOLATING[method]
        place = np.clip(count * q + (alpha + q * (1 - alpha - beta)) - 1, 0, np.maximum(count - 1, 0))
    below = np.asarray(np.searchsorted(np.arange(1, n), place, side="right"))
    above = np.asarray(np.searchsorted(np.arange(n - 1), place, side="left"))
    if method in PICKING:
        halves = np.asarray(np.searchsorted(np.arange(n - 1) + 0.5, place, side="left"))
        nearest = halves + (np.asarray(place == halves + 0.5) & (halves % 2 == 1))  # halves go to even numbers
        low, high = {"lower": (below, below), "higher": (above, above), "nearest": (nearest, nearest)}.get(method, (below, above))
        if low is high:
            return take_along_axis(s, low)
        return narrow((take_along_axis(wide(s), low) + take_along_axis(wide(s), high)) / 2, floating(s).dtype)
    dtype, s = floating(s).dtype, wide(s)
    low, high = take_along_axis(s, below), take_along_axis(s, np.minimum(below + 1, np.maximum(count - 1, 0)))
    return narrow(low + (high - low) * astype(place - below, dtype=s.dtype), dtype)


def arranged(x: Any, q: Any, axis: Any, method: str, keepdims: bool, skip_nan: bool) -> Any:
    """The quantiles of x over axis, in the shape of q and what is left of that of x."""
    if method not in (*INTERPOLATING, *PICKING):
        raise did_you_mean("method of quantile", method, (*INTERPOLATING, *PICKING))
    if not np.all((q >= 0) & (q <= 1)):
        raise SettingError("quantiles lie between 0 and 1, percentiles between 0 and 100")
    y, shape, kept = together(real_operand(x, "quantile"), axis)
    if not y.shape[-1] and skip_nan:
        nothing = np.mean(x, axis=axis, keepdims=keepdims)  # NaN, with NumPy's warning
        return broadcast_to(nothing, shape=(*q.shape, *nothing.shape))
    if not y.shape[-1]:
        raise ShapeError(f"the quantiles of no entries are not defined: axis {axis} of shape {np.shape(x)} is empty")
    skip_nan = skip_nan and y.dtype.kind == "f"
    s, count = without_nan(y) if skip_nan else (sort(y), np.full((*shape, 1), y.shape[-1]))
    value = quantiles(s, count, ravel(q), method)
    value = value if skip_nan else np.where(np.isnan(s[..., -1:]), s[..., -1:], value)
    return reshape(np.moveaxis(value, -1, 0), shape=(*q.shape, *(kept if keepdims else shape)))


@composed(np.quantile)
def quantile(x: Any, q: Any, /, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """The value below which the fraction q of the entries lies; NaN if there is one."""
    return arranged(x, operand(q), axis, method, keepdims, skip_nan=False)


@composed(np.percentile)
def percentile(x: Any, q: Any, /, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """The value below which q percent of the entries lie; NaN if there is one."""
    return arranged(x, operand(q) / 100, axis, method, keepdims, skip_nan=False)


@composed(np.nanquantile)
def nanquantile(x: Any, q: Any, /, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """The quantile of the entries that are not NaN."""
    return arranged(x, operand(q), axis, method, keepdims, skip_nan=True)


@composed(np.nanpercentile)
def nanpercentile(x: Any, q: Any, /, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """The percentile of the entries that are not NaN."""
    return arranged(x, operand(q) / 100, axis, method, keepdims, skip_nan=True)


# --- reductions that skip NaN: a constant stands in its place, so that no gradient goes there -----------------------------


def instead_of_nan(x: Any, number: float) -> Any:
    """x with number in place of NaN; whole numbers have none."""
    x = operand(x)
    return where(np.isnan(x), number, x) if x.dtype.kind in "fc" else x


def counted(x: Any, axis: Any, keepdims: bool = False) -> Any:
    """How many entries are not NaN."""
    return np.sum(~numbers(np.isnan(x)), axis=axis, keepdims=keepdims)


def divided(x: Any, n: Any) -> Any:
    """x / n, and NaN where n is not positive: where there is nothing to divide."""
    size = np.where(n > 0, n, 1).astype(x.dtype)
    return where(n > 0, x / size, np.nan)


@composed(np.nansum)
def nansum(x: Any, /, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Any:
    """The sum of the entries that are not NaN."""
    return np.sum(instead_of_nan(x, 0), axis=axis, dtype=dtype, keepdims=keepdims)


@composed(np.nanprod)
def nanprod(x: Any, /, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Any:
    """The product of the entries that are not NaN."""
    return np.prod(instead_of_nan(x, 1), axis=axis, dtype=dtype, keepdims=keepdims)


@composed(np.nancumsum)
def nancumsum(x: Any, /, axis: int | None = None, dtype: Any = None) -> Any:
    """The running sum of the entries that are not NaN."""
    return cumsum(instead_of_nan(x, 0), axis, dtype)


@composed(np.nancumprod)
def nancumprod(x: Any, /, axis: int | None = None, dtype: Any = None) -> Any:
    """The running product of the entries that are not NaN."""
    return cumprod(instead_of_nan(x, 1), axis, dtype)


@composed(np.nanmean)
def nanmean(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The mean of the entries that are not NaN."""
    x = operand(x)
    return narrow(divided(nansum(wide(x), axis=axis, keepdims=keepdims), counted(x, axis, keepdims)), floating(x).dtype)


def size_dtype(x: Any) -> Any:
    """The dtype of |x|, as a floating number."""
    return np.finfo(floating(x).dtype).dtype


def deviations(x: Any, axis: Any) -> Any:
    """The distances from the mean of the entries that are not NaN, 0 for NaN."""
    return where(np.isnan(x), 0, x - nanmean(x, axis, keepdims=True))


@composed(np.nanvar)
def nanvar(x: Any, /, axis: Any = None, *, correction: float = 0, keepdims: bool = False) -> Any:
    """Σ |xᵢ − μ|² / (n − correction) of the entries that are not NaN."""
    x = operand(x)
    d = deviations(wide(x), axis)
    squares = np.real(conjugate(d) * d)
    variance = divided(np.sum(squares, axis=axis, keepdims=keepdims), counted(x, axis, keepdims) - correction)
    return narrow(variance, size_dtype(x))


@composed(np.nanstd)
def nanstd(x: Any, /, axis: Any = None, *, correction: float = 0, keepdims: bool = False) -> Any:
    """The square root of the variance, as a norm, which has the slope 0 where all entries are equal."""
    x = operand(x)
    d = deviations(wide(x), axis)
    norm = TABLE["linalg.vector_norm"](d, axis=axis if d.ndim else None, keepdims=keepdims)
    n = counted(x, axis, keepdims) - correction
    return narrow(divided(norm, np.sqrt(np.maximum(n, 0))), size_dtype(x))


@composed(np.nanmax)
def nanmax(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The largest entry that is not NaN; NaN if there is none."""
    largest = np.max(instead_of_nan(x, -np.inf), axis=axis, keepdims=keepdims)
    return largest if largest.dtype.kind in "biu" else np.where(counted(x, axis, keepdims) == 0, np.nan, largest)


@composed(np.nanmin)
def nanmin(x: Any, /, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The smallest entry that is not NaN; NaN if there is none."""
    smallest = np.min(instead_of_nan(x, np.inf), axis=axis, keepdims=keepdims)
    return smallest if smallest.dtype.kind in "biu" else np.where(counted(x, axis, keepdims) == 0, np.nan, smallest)


# --- covariance -------------------------------------------------------------------------------------------------------


@composed(np.cov)
def cov(
    x: Any,
    y: Any = None,
    /,
    rowvar: bool = True,
    bias: bool = False,
    correction: float | None = None,
    fweights: Any = None,
    aweights: Any = None,
) -> Any:
    """Σₖ wₖ (xᵢₖ − μᵢ)(xⱼₖ − μⱼ)* / n: a variable in each row, an observation in each column.

    n is the number of observations less 1 (``bias``: less 0; ``correction`` says how much). ``fweights`` say how often each was
    made, ``aweights`` how much each counts.
    """
    rows = []
    for given in (x,) if y is None else (x, y):
        v = operand(given)
        if v.ndim > 2:
            raise ShapeError(f"cov takes one or two axes, not shape {v.shape}")
        v = np.atleast_2d(v)
        rows.append(np.permute_dims(v) if not rowvar and (np.ndim(x) > 1 if given is x else v.shape[0] != 1) else v)
    v = np.concatenate(rows, axis=0)
    less = (0 if bias else 1) if correction is None else correction
    dtype, v = floating(v).dtype, wide(v)
    weights = [astype(operand(w), dtype=v.dtype) for w in (fweights, aweights) if w is not None]
    if not weights:
        deviation = v - np.mean(v, axis=1, keepdims=True)
        return narrow(np.squeeze(deviation @ conjugate(deviation).mT / max(v.shape[1] - less, 0)), dtype)
    w = weights[0] if len(weights) == 1 else weights[0] * weights[1]
    mean, total = average(v, axis=1, weights=w, returned=True)
    deviation = v - mean[:, None]
    n = total[0] - less if aweights is None else total[0] - less * np.sum(w * weights[-1]) / total[0]
    return narrow(np.squeeze((deviation * w) @ conjugate(deviation).mT / np.maximum(np.real(n), 0)), dtype)


@composed(np.corrcoef)
def corrcoef(x: Any, y: Any = None, /, rowvar: bool = True) -> Any:
    """The covariances divided by both standard deviations, between −1 and 1."""
    dtype = np.result_type(*[floating(operand(v)).dtype for v in (x, y) if v is not None])
    c = cov(wide(x), None if y is None else wide(y), rowvar)
    if c.ndim == 0:
        return narrow(c / c, dtype)
    deviation = np.sqrt(np.real(np.diagonal(c)))
    r = c / deviation[:, None] / deviation
    if r.dtype.kind == "c":
        return np.clip(np.real(r), -1, 1) + 1j * np.clip(np.imag(r), -1, 1)
    return narrow(np.clip(r, -1, 1), dtype)
