"""Windows that slide over the last axes of an array: where they stand, what is in them, and the sum over them."""

from __future__ import annotations

import itertools
from typing import Any, TypeAlias

import numpy as np

from ..errors import SettingError, ShapeError
from .shapes import Array

Lengths: TypeAlias = "tuple[int, ...]"
Index: TypeAlias = "tuple[Any, ...]"
Place: TypeAlias = "tuple[Lengths, Index, Index]"


def per_axis(name: str, value: Any, n: int, least: int) -> Lengths:
    """A whole number for each of n axes, from one for all or from a tuple."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
    if len(values) != n or any(not isinstance(v, (int, np.integer)) or isinstance(v, bool) or v < least for v in values):
        several = f", or a tuple of {n}, one for each spatial axis" if n > 1 else ""
        raise SettingError(f"{name} is a whole number from {least} up{several} (got {value!r})")
    return tuple(int(v) for v in values)


def window_counts(shape: Lengths, size: Lengths, stride: Lengths, padding: Lengths, dilation: Lengths) -> Lengths:
    """How many windows there are along each axis: ⌊(n + 2 padding − dilation (size − 1) − 1) / stride⌋ + 1."""
    padded = tuple(n + 2 * p for n, p in zip(shape, padding, strict=True))
    reach = tuple(d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True))
    if any(r > n for r, n in zip(reach, padded, strict=True)):
        dilated = f", which dilation {dilation} spreads over {reach}," if reach != size else ""
        with_padding = f" with padding {padding}, which makes it {padded}" if any(padding) else ""
        enough = tuple(max(0, -((n - r) // 2)) for n, r in zip(shape, reach, strict=True))
        raise ShapeError(
            f"a window of {size}{dilated} does not fit into {shape}{with_padding}: write a smaller window, or "
            f"padding={enough} or more"
        )
    return tuple((n - r) // s + 1 for n, r, s in zip(padded, reach, stride, strict=True))


def window_places(shape: Lengths, size: Lengths, stride: Lengths, padding: Lengths, dilation: Lengths) -> list[Place]:
    """For each place in a window: its index k, the entries of the array that stand there, and the windows that these are of.

    Both are indices of the last axes. Window t has at place k the entry t · stride + k · dilation − padding. Those outside of the
    array are left out, so that a border is never made.
    """
    counts = window_counts(shape, size, stride, padding, dilation)
    axes = []
    for n, count, k, s, p, d in zip(shape, counts, size, stride, padding, dilation, strict=True):
        line = []
        for i in range(k):
            start = i * d - p  # the entry of window 0
            first, end = max(0, -(start // s)), min(count, (n - 1 - start) // s + 1)
            if first < end:
                line.append((i, slice(start + first * s, start + (end - 1) * s + 1, s), slice(first, end)))
        axes.append(line)
    return [
        (tuple(i for i, _, _ in place), (..., *(at for _, at, _ in place)), (..., *(where for _, _, where in place)))
        for place in itertools.product(*axes)
    ]


def between(k: Lengths, where: Index) -> Index:
    """The index of the windows ``where`` at place k, in an array (…, *size, *counts)."""
    return (..., *k, *where[1:])


def window_settings(n: int, stride: Any, padding: Any, dilation: Any) -> tuple[Lengths, Lengths, Lengths]:
    """Stride, padding and dilation along each of n axes."""
    return per_axis("stride", stride, n, 1), per_axis("padding", padding, n, 0), per_axis("dilation", dilation, n, 1)


def windows(x: Array, *, size: Any, stride: Any, padding: Any, dilation: Any) -> Array:
    """All windows of that size over the last axes, in new last axes: (…, *spatial) → (…, *counts, *size); zeros beyond the border.

    In memory the counts come last, so that each place of a window is copied in one go, and sums over windows are fast.
    """
    x, n = np.asarray(x), len(size) if isinstance(size, (tuple, list)) else 1
    if n > x.ndim:
        raise ShapeError(f"a window of {size} has {n} axes, but the array has shape {x.shape}")
    size = per_axis("size", size, n, 1)
    shape, settings = x.shape[x.ndim - n :], window_settings(n, stride, padding, dilation)
    counts = window_counts(shape, size, *settings)
    out = np.zeros((*x.shape[: x.ndim - n], *size, *counts), x.dtype)
    for k, at, where in window_places(shape, size, *settings):
        out[between(k, where)] = x[at]
    return np.moveaxis(out, range(x.ndim - n, x.ndim), range(x.ndim, x.ndim + n))


def fold(x: Array, *, shape: Any, stride: Any, padding: Any, dilation: Any) -> Array:
    """The sum over the windows that an entry is in, the transpose of :func:`windows`: (…, *counts, *size) → (…, *shape)."""
    x, n = np.asarray(x), len(shape) if isinstance(shape, (tuple, list)) else 1
    if 2 * n > x.ndim:
        raise ShapeError(f"fold to {shape} takes windows of {n} axes, shape (…, *counts, *size): {x.shape} has too few axes")
    shape, settings = per_axis("shape", shape, n, 0), window_settings(n, stride, padding, dilation)
    size, counts = x.shape[x.ndim - n :], x.shape[x.ndim - 2 * n : x.ndim - n]
    expected = window_counts(shape, size, *settings)
    if counts != expected:
        raise ShapeError(f"an array of {shape} has {expected} windows of {size}, but {counts} are given: write another shape")
    out = np.zeros((*x.shape[: x.ndim - 2 * n], *shape), x.dtype)
    for k, at, where in window_places(shape, size, *settings):
        out[at] += x[(*where, *k)]
    return out
