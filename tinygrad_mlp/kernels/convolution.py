"""Convolution as products of matrices, and the two maps that are its transposes.

With the windows of x as the columns of a matrix C, a convolution is W C; its transpose in x is Wᵀ g, folded back, its transpose
in W is g Cᵀ. C has as many numbers as all windows together, so it is made for some samples at a time, while they are in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import SettingError, ShapeError, TensorTypeError
from .shapes import Array, alike
from .windows import Lengths, between, per_axis, window_counts, window_places, window_settings

COLUMNS = 1 << 18
"""So many entries of windows are copied at a time: measured."""

FEW = 64
"""Where a sample has fewer windows, those of several samples are the columns of one matrix: a product for each would be small."""


def window_columns(x: Array, size: Lengths, stride: Lengths, padding: Lengths, dilation: Lengths) -> Iterator[tuple[slice, Array]]:
    """The windows of some samples after the other, (n, channels, *size, *counts).

    In memory, n comes first, or behind the size where there are few windows: see :func:`as_matrices`.
    """
    m, c, *spatial = x.shape
    shape, axes = tuple(spatial), len(size)
    counts = window_counts(shape, size, stride, padding, dilation)
    n = max(1, min(m, COLUMNS // max(1, c * math.prod(size) * math.prod(counts))))
    if math.prod(counts) >= FEW:
        columns = np.zeros((n, c, *size, *counts), x.dtype)  # what is beyond the border stays zero
    else:
        columns = np.moveaxis(np.zeros((c, *size, n, *counts), x.dtype), axes + 1, 0)
    places = window_places(shape, size, stride, padding, dilation)
    for start in range(0, m, n):
        part = slice(start, min(m, start + n))
        some = columns[: part.stop - start]
        for k, at, where in places:
            some[between(k, where)] = x[part][at]
        yield part, some


def as_matrices(windows: Array, groups: int, axes: int) -> Array:
    """(n, channels, …, *counts) as matrices with the windows as columns, (n or 1, groups, rows of a group, columns).

    Of few windows, counted along the last axes, those of all n samples are the columns of one matrix.
    """
    counts, rows = math.prod(windows.shape[-axes:]), math.prod(windows.shape[1:-axes])
    if counts >= FEW:
        return windows.reshape(len(windows), groups, rows // groups, counts)
    return np.moveaxis(windows, 0, -1 - axes).reshape(1, groups, rows // groups, len(windows) * counts)


def as_windows(matrices: Array, n: int, rows: Lengths, counts: Lengths) -> Array:
    """The other way round: (n, *rows, *counts), a view."""
    if math.prod(counts) >= FEW:
        return matrices.reshape(n, *rows, *counts)
    return np.moveaxis(matrices.reshape(*rows, n, *counts), len(rows), 0)


def check_groups(groups: Any) -> None:
    """Refuse what is no number of groups."""
    if isinstance(groups, (tuple, list)):
        raise SettingError(f"groups is one whole number from 1 up (got {groups!r})")
    per_axis("groups", groups, 1, 1)


def check_channels(name: str, x: Array, w: Array, groups: Any, taken: int) -> None:
    """Refuse x (samples, channels, *spatial) and weights that do not fit together; ``taken`` is the axis of w for channels of x."""
    if x.ndim < 3 or w.ndim != x.ndim:
        raise ShapeError(
            f"{name} takes x of shape (samples, channels, *spatial) and weights with as many axes: shapes {x.shape} and {w.shape} "
            f"do not fit; add the missing axes with reshape, x.reshape(-1, 1, 28, 28) for a batch of images of 28 x 28"
        )
    check_groups(groups)
    if min(x.shape[2:]) < 1 or min(w.shape[2:]) < 1:
        raise ShapeError(
            f"{name}: shapes {x.shape} and {w.shape} have an empty spatial axis: there is nothing to slide over, or with"
        )
    for what, a in (("x", x), ("weights", w)):
        if a.dtype.kind not in "biufc":
            raise TensorTypeError(f"{name} takes numbers, not {what} of {a.dtype}: write {what}.astype(float)")
    wanted = w.shape[1] * groups if taken == 1 else w.shape[0]
    if x.shape[1] != wanted:
        raise ShapeError(
            f"{name}: x of shape {x.shape} has {x.shape[1]} channels, but weights of shape {w.shape} in {groups} "
            f"group{'s' * (groups > 1)} take {wanted}"
        )
    if w.shape[0] % groups:
        raise SettingError(
            f"{name}: weights of shape {w.shape} cannot be split into {groups} groups: write a divisor of {w.shape[0]}"
        )


def with_bias(z: Array, b: Array | None) -> Array:
    """z + b, a number for each channel."""
    if b is None:
        return z
    b = np.asarray(b)
    if b.shape != z.shape[1:2]:
        raise ShapeError(f"a bias of shape {b.shape} does not fit {z.shape[1]} channels: it needs shape {z.shape[1:2]}")
    b = b.reshape(-1, *(1,) * (z.ndim - 2))
    return np.add(z, b, out=z) if np.result_type(z, b) == z.dtype else z + b


def conv(x: Array, w: Array, b: Array | None = None, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Array:
    """z_not = b_o + Σ_c,k w_ock x_n,c,(t · stride + k · dilation − padding), what neural networks call convolution."""
    x, w, *_ = alike([np.asarray(v) for v in (x, w, b) if v is not None])
    check_channels("conv", x, w, groups, 1)
    axes = x.ndim - 2
    settings = window_settings(axes, stride, padding, dilation)
    counts = window_counts(x.shape[2:], w.shape[2:], *settings)
    z = np.empty((len(x), len(w), *counts), np.result_type(x, w))
    weights = w.reshape(groups, len(w) // groups, math.prod(w.shape[1:]))
    for part, columns in window_columns(x, w.shape[2:], *settings):
        matrices = as_matrices(columns, groups, axes)
        if math.prod(counts) >= FEW:
            np.matmul(weights, matrices, out=as_matrices(z[part], groups, axes))
        else:
            z[part] = as_windows(np.matmul(weights, matrices), len(columns), (len(w),), counts)
    return with_bias(z, b)


def conv_transpose(
    x: Array, w: Array, b: Array | None = None, *, stride: Any, padding: Any, output_padding: Any, dilation: Any, groups: int
) -> Array:
    """The transpose of conv: each entry of x adds w, times itself, to a window of the result; b is added at the end."""
    x, w, *_ = alike([np.asarray(v) for v in (x, w, b) if v is not None])
    check_channels("conv_transpose", x, w, groups, 0)
    axes, counts, size = x.ndim - 2, x.shape[2:], w.shape[2:]
    channels = w.shape[1] * groups
    settings = window_settings(axes, stride, padding, dilation)
    shape = transposed_shape(counts, size, *settings, per_axis("output_padding", output_padding, axes, 0))
    border = tuple(d * (k - 1) - p for k, p, d in zip(size, *settings[1:], strict=True))
    small = math.prod(shape) * w.shape[0] <= 2 * math.prod(counts) * channels  # measured
    if small and set(settings[0]) == {1} and min(border) >= 0:
        return conv(x, turned(w, groups), b, stride=1, padding=border, dilation=settings[2], groups=groups)
    z = np.zeros((len(x), channels, *shape), np.result_type(x, w))
    weights = w.reshape(groups, len(w) // groups, math.prod(w.shape[1:])).swapaxes(1, 2)
    places = window_places(shape, size, *settings)
    n = max(1, COLUMNS // max(1, channels * math.prod(size) * math.prod(counts)))
    for start in range(0, len(x), n):
        some, part = x[start : start + n], z[start : start + n]
        columns = as_windows(np.matmul(weights, as_matrices(some, groups, axes)), len(some), (channels, *size), counts)
        for k, at, where in places:
            part[at] += columns[between(k, where)]
    return with_bias(z, b)


def turned(w: Array, groups: int) -> Array:
    """The weights with which a convolution is the transpose of the one with w at stride 1: channels exchanged, kernels reversed."""
    split = w.reshape(groups, len(w) // groups, *w.shape[1:]).swapaxes(1, 2)
    reverse = np.flip(split, tuple(range(3, split.ndim)))
    return reverse.reshape(groups * w.shape[1], len(w) // groups, *w.shape[2:])


def transposed_shape(
    counts: Lengths, size: Lengths, stride: Lengths, padding: Lengths, dilation: Lengths, output_padding: Lengths
) -> Lengths:
    """Of which lengths a convolution makes counts: (count − 1) stride − 2 padding + dilation (size − 1) + 1 + output_padding."""
    if any(extra >= s for extra, s in zip(output_padding, stride, strict=True)):
        raise SettingError(
            f"output_padding={output_padding} must be less than stride={stride}: it says which of the lengths is meant of which a "
            f"convolution with this stride makes {counts}"
        )
    each = zip(counts, size, stride, padding, dilation, output_padding, strict=True)
    shape = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 + extra for n, k, s, p, d, extra in each)
    if min(shape) < 1 or min(counts) < 1:
        raise ShapeError(
            f"the transposed convolution of {counts} by {size} with padding={padding} would have the lengths {shape}: "
            f"write a smaller padding"
        )
    return shape


def conv_weight(x: Array, y: Array, *, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Array:
    """Σ over samples and windows of y times the window of x, (o, channels of a group, *size): conv transposed in its weights."""
    x, y = np.asarray(x), np.asarray(y)
    check_groups(groups)
    if x.ndim < 3 or y.ndim != x.ndim or len(y) != len(x) or x.shape[1] % groups or y.shape[1] % groups:
        raise ShapeError(
            f"conv_weight takes x and y of shape (samples, channels, *spatial) with the same samples, and channels that can be "
            f"split into groups={groups}: not the shapes {x.shape} and {y.shape}"
        )
    axes, c, o = x.ndim - 2, x.shape[1], y.shape[1]
    size, settings = per_axis("size", size, axes, 1), window_settings(axes, stride, padding, dilation)
    counts = window_counts(x.shape[2:], size, *settings)
    if y.shape[2:] != counts:
        raise ShapeError(f"conv_weight: x of shape {x.shape} has {counts} windows of {size}, but y has shape {y.shape}")
    w = np.zeros((groups, c // groups * math.prod(size), o // groups), np.result_type(x, y))
    for part, columns in window_columns(x, size, *settings):
        w += np.matmul(as_matrices(columns, groups, axes), as_matrices(y[part], groups, axes).swapaxes(2, 3)).sum(0, dtype=w.dtype)
    # in C's order, as a program has it: sums over all entries (of clip_grad_norm) add in the order of the memory
    return np.ascontiguousarray(w.swapaxes(1, 2).reshape(o, c // groups, *size))
