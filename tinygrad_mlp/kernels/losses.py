"""The losses: one number from predictions and targets, fused with the output activation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DataError, ShapeError, did_you_mean
from .shapes import Array, floating, largest, narrow, total, wide


def divisor(reduction: str, n: int) -> int:
    """What the sum over n terms is divided by: n for ``"mean"``, 1 for ``"sum"``."""
    if reduction not in ("mean", "sum"):
        raise did_you_mean("reduction", reduction, ("mean", "sum"))
    return n if reduction == "mean" else 1


def check_labels(y: Any, shape: tuple[int, ...]) -> None:
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
    if isinstance(y, np.ndarray):
        check_range(y, shape[-1])
    else:
        y.require(check_range, shape[-1])  # a symbol has no numbers yet


def check_range(y: Array, classes: int) -> None:
    """Labels are numbers of classes, from 0 to classes − 1."""
    if y.size and (np.minimum.reduce(y, axis=None) < 0 or largest(y, axis=None) >= classes):
        bad = y[(y < 0) | (y >= classes)].flat[0]
        raise DataError(f"label {bad} is out of range: {classes} classes are numbered 0 to {classes - 1}")


def check_targets(x: Array, y: Array) -> None:
    """Predictions and targets must have one shape: (m,) against (m, 1) would broadcast to (m, m) without a word."""
    if np.shape(x) != np.shape(y):
        predicted, given = np.shape(x), np.shape(y)
        cure = "each prediction needs its own target"
        if math.prod(predicted) == math.prod(given):
            cure = f"write y.reshape({predicted})"
        elif predicted and predicted[:-1] == given:
            cure = f"for class labels write np.eye({predicted[-1]})[y]; for one target a row the model must have one output"
        raise ShapeError(f"predictions of shape {predicted} and targets of shape {given} differ: {cure}")


def one_hot(y: Any, classes: int) -> Any:
    """Row i is the unit vector of label yᵢ, as booleans: (m,) → (m, classes)."""
    return y[..., None] == np.arange(classes)


def cross_entropy(x: Array, y: Array, *, reduction: str) -> Array:
    """−Σᵢ log softmax(xᵢ)[yᵢ], divided by the number of rows for the mean."""
    check_labels(y, x.shape)
    given, x = floating(x), wide(x)
    shifted = x - largest(x, axis=-1, keepdims=True)
    picked = shifted[(*np.indices(y.shape, sparse=True), y)] if y.ndim != 1 else shifted[np.arange(y.size), y]
    losses = np.log(total(np.exp(shifted), axis=-1)) - picked
    return narrow(total(losses, axis=None) / divisor(reduction, y.size), given.dtype)


def binary_cross_entropy_with_logits(x: Array, y: Array, *, reduction: str) -> Array:
    """Σ log(1 + eˣ) − x y, in the form max(x, 0) − x y + log(1 + e^−|x|), which does not overflow."""
    check_targets(x, y)
    x = floating(x)
    losses = np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))
    return narrow(total(wide(losses), axis=None) / divisor(reduction, losses.size), losses.dtype)


def mse_loss(x: Array, y: Array, *, reduction: str) -> Array:
    """Σ (x − y)², divided by the number of entries for the mean."""
    check_targets(x, y)
    difference = floating(x) - y
    return narrow(total(np.square(wide(difference)), axis=None) / divisor(reduction, difference.size), difference.dtype)
