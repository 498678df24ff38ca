"""The forward functions that NumPy lacks, on arrays, and the small shape arithmetic that rules share.

Every function here is an ordinary NumPy function; its derivative stands in the table, :mod:`tinygrad_mlp.rules`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.typing import NDArray

from .errors import DataError, ShapeError, did_you_mean

Array: TypeAlias = NDArray[Any]
Axis: TypeAlias = int | tuple[int, ...] | None

# np.sum and np.max are Python functions around these two, and cost more
total = np.add.reduce
largest = np.maximum.reduce


def floating(x: Array) -> Array:
    """Integers and booleans as float64: small ones would overflow, and booleans cannot be subtracted."""
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


# --- activations ------------------------------------------------------------------------------------------------------


def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + e⁻ˣ), as eˣ / (1 + eˣ) for negative x: exp never sees a positive number, so nothing overflows."""
    x = floating(np.asarray(x))
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def relu(x: Array) -> Array:
    """max(x, 0); NaN stays NaN."""
    return np.maximum(x, 0)


def leaky_relu(x: Array, *, negative_slope: float) -> Array:
    """x where x > 0, else negative_slope · x."""
    return np.where(x > 0, x, float(negative_slope) * x)


def softplus(x: Array) -> Array:
    """log(1 + eˣ), through logaddexp, which does not overflow."""
    return np.logaddexp(x, 0)


def softmax(x: Array, *, axis: Axis) -> Array:
    """exp(xᵢ) / Σⱼ exp(xⱼ), the maximum of each row subtracted first (the quotient is the same, the range is safe)."""
    x = floating(x)
    e = np.exp(x - largest(x, axis=axis, keepdims=True))
    return e / total(e, axis=axis, keepdims=True)


def log_softmax(x: Array, *, axis: Axis) -> Array:
    """(x − m) − log Σ exp(x − m), m the row's maximum; never x − logsumexp(x), which cancels for large x."""
    x = floating(x)
    shifted = x - largest(x, axis=axis, keepdims=True)
    return shifted - np.log(total(np.exp(shifted), axis=axis, keepdims=True))


def logsumexp(x: Array, *, axis: Axis, keepdims: bool) -> Array:
    """log Σ exp(x), shifted by the row's maximum where that is finite (a row of −inf gives −inf)."""
    x = floating(x)
    m = largest(x, axis=axis, keepdims=True)
    m = np.where(np.isfinite(m), m, np.zeros_like(m))
    with np.errstate(divide="ignore"):  # log 0 = −inf is the answer for a row of −inf
        z = np.log(total(np.exp(x - m), axis=axis, keepdims=True)) + m
    return z if keepdims else np.squeeze(z, axis=axis)


# --- products ---------------------------------------------------------------------------------------------------------


def linear(x: Array, w: Array, b: Array) -> Array:
    """x @ w + b; the sum is done in the product's own memory."""
    z = x @ w
    return np.add(z, b, out=z) if type(z) is np.ndarray and np.result_type(z, b) == z.dtype else z + b


# --- losses: one number from predictions and targets ----------------------------------------------------------------


def divisor(reduction: str, n: int) -> int:
    """What the sum over n terms is divided by: n for ``"mean"``, 1 for ``"sum"``."""
    if reduction not in ("mean", "sum"):
        raise did_you_mean("reduction", reduction, ("mean", "sum"))
    return n if reduction == "mean" else 1


def check_labels(y: Array, shape: tuple[int, ...]) -> None:
    """Labels y index the last axis of predictions of the given shape; refuse every other thing by name."""
    if not hasattr(y, "dtype") or y.dtype.kind not in "iu":
        raise DataError(
            f"class labels must be integers, one a row, but they are {getattr(y, 'dtype', type(y).__name__)}: "
            f"write y.argmax(-1) for one-hot rows, y.astype(int) for whole numbers"
        )
    if not shape or y.shape != shape[:-1]:
        raise ShapeError(
            f"labels of shape {y.shape} do not fit predictions of shape {shape}: expected one integer a row, "
            f"shape {shape[:-1]} (write y.reshape(-1) for a column, y.argmax(-1) for one-hot rows)"
        )
    if y.size and (np.minimum.reduce(y, axis=None) < 0 or largest(y, axis=None) >= shape[-1]):
        bad = y[(y < 0) | (y >= shape[-1])].flat[0]
        raise DataError(f"label {bad} is out of range: {shape[-1]} classes are numbered 0 to {shape[-1] - 1}")


def check_targets(x: Array, y: Array) -> None:
    """Predictions and targets must have one shape: (m,) against (m, 1) would broadcast to (m, m) without a word."""
    if np.shape(x) != np.shape(y):
        raise ShapeError(
            f"predictions of shape {np.shape(x)} and targets of shape {np.shape(y)} differ: "
            f"write y.reshape({np.shape(x)}) for a column, np.eye(k)[y] for class labels"
        )


def one_hot(y: Any, classes: int) -> Any:
    """Row i is the unit vector of label yᵢ, as booleans: (m,) → (m, classes)."""
    return y[..., None] == np.arange(classes)


def cross_entropy(x: Array, y: Array, *, reduction: str) -> Array:
    """−Σᵢ log softmax(xᵢ)[yᵢ], divided by the number of rows for the mean."""
    check_labels(y, x.shape)
    x = floating(x)
    shifted = x - largest(x, axis=-1, keepdims=True)
    picked = shifted[(*np.indices(y.shape, sparse=True), y)] if y.ndim != 1 else shifted[np.arange(y.size), y]
    losses = np.log(total(np.exp(shifted), axis=-1)) - picked
    return total(losses, axis=None) / divisor(reduction, y.size)


def binary_cross_entropy_with_logits(x: Array, y: Array, *, reduction: str) -> Array:
    """Σ log(1 + eˣ) − x y, in the form max(x, 0) − x y + log(1 + e^−|x|), which does not overflow."""
    check_targets(x, y)
    x = floating(x)
    losses = np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))
    return total(losses, axis=None) / divisor(reduction, losses.size)


def mse_loss(x: Array, y: Array, *, reduction: str) -> Array:
    """Σ (x − y)², divided by the number of entries for the mean."""
    check_targets(x, y)
    return total(np.square(x - y), axis=None) / divisor(reduction, x.size)


# --- shapes and indices -----------------------------------------------------------------------------------------------


def astype(x: Array, *, dtype: Any) -> Array:
    """x converted to dtype."""
    return np.asarray(x).astype(dtype)


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
    return np.expand_dims(g, normalize_axis_tuple(axis, x.ndim))


def count(x: Any, axis: Axis) -> int:
    """How many entries of x one entry of a reduction over axis is made of."""
    return x.size if axis is None or not x.ndim else math.prod(x.shape[a] for a in normalize_axis_tuple(axis, x.ndim))


def over(g: Any, n: float) -> Any:
    """g / n; float16 ends at 65504, so larger counts are multiplied by their inverse there."""
    return g * (1 / n) if n > 65504 and g.dtype == np.float16 else g / n


def inverse(axes: Sequence[int] | None) -> tuple[int, ...] | None:
    """The permutation that undoes axes."""
    return None if axes is None else tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


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
