"""The largest entry of each window, and the two maps that go between windows and the places of their largest entries."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import SettingError, ShapeError, TensorTypeError
from .shapes import Array
from .windows import Lengths, Place, per_axis, window_counts, window_places, window_settings


def pool_settings(x: Any, size: Any, stride: Any, padding: Any) -> tuple[Lengths, Lengths, Lengths, Lengths]:
    """Size, stride (by default the size), padding and dilation along the spatial axes of x (samples, channels, *spatial)."""
    n = x.ndim - 2
    if n < 1:
        raise ShapeError(
            f"pooling takes x of shape (samples, channels, *spatial), not {x.shape}: add the missing axes with reshape, "
            f"x.reshape(-1, 1, 28, 28) for a batch of images of 28 x 28"
        )
    size = per_axis("size", size, n, 1)
    stride, padding, dilation = window_settings(n, size if stride is None else stride, padding, 1)
    if any(2 * p > k for p, k in zip(padding, size, strict=True)):
        raise SettingError(
            f"padding {padding} must be at most half of the window {size}: else there are windows outside of the array"
        )
    return size, stride, padding, dilation


def pool_places(x: Array, size: Any, stride: Any, padding: Any) -> list[Place]:
    """As window_places: for each place in a window the entries of x that stand there, and the windows they are of."""
    return window_places(x.shape[2:], *pool_settings(x, size, stride, padding))


def max_pool(x: Array, *, size: Any, stride: Any, padding: Any) -> Array:
    """The largest entry of each window: (m, c, *spatial) → (m, c, *counts). What is beyond the border counts as −∞."""
    x = np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise TensorTypeError(
            f"max_pool needs numbers with an order, not {x.dtype}: write tg.real(x), tg.abs(x), x.astype(float) …"
        )
    counts = window_counts(x.shape[2:], *pool_settings(x, size, stride, padding))
    lowest = -np.inf if x.dtype.kind == "f" else False if x.dtype.kind == "b" else np.iinfo(x.dtype).min
    z = np.full((*x.shape[:2], *counts), lowest, x.dtype)
    for _, at, where in pool_places(x, size, stride, padding):
        np.maximum(z[where], x[at], out=z[where])
    return z


def hits(m: Array, x: Array, places: list[Place]) -> list[Array]:
    """For each place in a window, whether the entry of x there is the maximum m of the window.

    NaN, which equals nothing, is the maximum wherever it occurs; it is looked for only where a maximum is one.
    """
    if np.any(m != m):
        return [(x[at] == m[where]) | (x[at] != x[at]) for _, at, where in places]
    return [x[at] == m[where] for _, at, where in places]


def over_ties(y: Array, found: list[Array], places: list[Place]) -> Array:
    """y divided by how many entries of each window are its maximum."""
    n = np.zeros(y.shape, np.uint8 if len(places) < 256 else np.intp)
    for hit, (_, _, where) in zip(found, places, strict=True):
        n[where] += hit
    if not np.any(n > 1):
        return y
    return (y / n.astype(np.result_type(y, np.float32))).astype(y.dtype, copy=False)  # float16 counts to 65,504 only


def masked(y: Array, hit: Array, finite: bool) -> Array:
    """y where hit, else 0. The product is several times as fast as np.where, but ∞ · 0 is NaN."""
    return np.asarray(y * hit if finite else np.where(hit, y, 0))


def max_spread(y: Array, m: Array, x: Array, *, size: Any, stride: Any, padding: Any) -> Array:
    """y, a number for each window of x, at the places of its maxima m: equal parts at a tie, summed over windows."""
    places = pool_places(x, size, stride, padding)
    found = hits(m, x, places)
    share, finite = over_ties(y, found, places), bool(np.all(np.isfinite(y)))
    out = np.zeros(x.shape, y.dtype)
    size, stride, _, _ = pool_settings(x, size, stride, padding)
    apart = all(s >= k for s, k in zip(stride, size, strict=True))  # each entry is in one window at most: nothing to add up
    for hit, (_, at, where) in zip(found, places, strict=True):
        if apart and finite:
            np.multiply(share[where], hit, out=out[at])
        else:
            out[at] += masked(share[where], hit, finite)
    return out


def max_pick(y: Array, m: Array, x: Array, *, size: Any, stride: Any, padding: Any) -> Array:
    """The mean of y, shaped like x, over the places of the maxima m of windows of x: the transpose of max_spread."""
    places = pool_places(x, size, stride, padding)
    found = hits(m, x, places)
    out, finite = np.zeros(m.shape, y.dtype), bool(np.all(np.isfinite(y)))
    for hit, (_, at, where) in zip(found, places, strict=True):
        out[where] += masked(y[at], hit, finite)
    return over_ties(out, found, places)
