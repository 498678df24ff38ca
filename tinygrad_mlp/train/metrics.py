"""Metrics: what is measured beside the loss, each one number from all outputs of a model and the true answers.

A metric sees the outputs of the whole data set at once, so that one that is no mean over samples (R²) is right too. Sums are
taken in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, SettingError, ShapeError, TensorTypeError, did_you_mean, in_short
from ..values import unwrap

__all__ = ["METRICS", "accuracy", "mean_absolute_error", "r2_score", "top_k_accuracy"]

Array = NDArray[Any]
Metric: TypeAlias = Callable[[Any, Any], Any]


def accuracy(outputs: ArrayLike, y: ArrayLike, *, threshold: float = 0.0) -> float:
    """The share of samples whose class is predicted rightly.

    With several outputs a sample the predicted class is that of the largest, argmaxⱼ zⱼ, the first of equal ones. With one output a
    sample it is 1 where z > threshold, else 0. NaN is wrong: z = z fails for it alone.

    Shapes: outputs ``(m, …, k)``, y ``(m, …)`` integers in 0 … k − 1, or ``(m, …, k)`` one-hot; or outputs ``(m,)`` or ``(m, 1)``,
    and y ``(m,)`` or ``(m, 1)`` of zeros and ones.

    Parameters
    ----------
    outputs, y : arrays
    threshold : float
        For one output a sample: 0 for logits, whose sigmoid is then above 1/2; 0.5 for probabilities.

    Raises
    ------
    ShapeError, TensorTypeError, DataError
        For shapes that do not fit, y that are no classes, no samples at all.

    Examples
    --------
    >>> accuracy([[2.0, 1.0], [0.5, 3.0]], [0, 0])
    0.5
    >>> accuracy([[-1.0], [2.0], [3.0]], [0, 1, 0]) == 2 / 3
    True
    >>> accuracy([0.4, 0.9], [0, 1], threshold=0.5)
    1.0
    """
    z, labels = pair("accuracy", outputs, y)
    if z.ndim == 1 or z.shape[-1] == 1:
        if z.size != labels.size or len(z) != len(labels):
            raise ShapeError(f"accuracy: outputs {z.shape} are one number a sample, y {labels.shape} must have as many")
        if not np.isin(labels, (0, 1)).all():
            raise DataError(f"accuracy: with one output a sample y must be 0 or 1 (got {np.setdiff1d(labels, (0, 1))[:3]} …)")
        z = z.reshape(-1)
        return float(np.mean(((z > threshold) == (labels.reshape(-1) == 1)) & (z == z)))
    return float(np.mean((z.argmax(axis=-1) == classes("accuracy", z, labels)) & np.all(z == z, axis=-1)))


def top_k_accuracy(outputs: ArrayLike, y: ArrayLike, *, k: int = 5) -> float:
    """The share of samples whose class is among the k largest outputs; of equal outputs the first counts as larger, as in argmax.

    Shapes: outputs ``(m, …, c)``, y ``(m, …)`` integers in 0 … c − 1, or ``(m, …, c)`` one-hot. k from 1 to c; for another k
    than 5 in :func:`tinygrad_mlp.fit` write ``metrics={"top2": lambda outputs, y: top_k_accuracy(outputs, y, k=2)}``.

    Raises
    ------
    ShapeError, TensorTypeError, DataError, SettingError
        For shapes that do not fit, y that are no classes, no samples, k out of range.

    Examples
    --------
    >>> top_k_accuracy([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [1, 2], k=2)
    0.5
    """
    z, labels = pair("top_k_accuracy", outputs, y)
    if not isinstance(k, (int, np.integer)) or not 1 <= k <= z.shape[-1]:
        raise SettingError(f"top_k_accuracy: k must be a whole number from 1 to {z.shape[-1]}, the outputs a sample (got {k!r})")
    labels = classes("top_k_accuracy", z, labels)[..., None]
    score = np.take_along_axis(z, labels, axis=-1)
    before = (z > score) | ((z == score) & (np.arange(z.shape[-1]) < labels))
    return float(np.mean((before.sum(axis=-1) < k) & np.all(z == z, axis=-1)))


def mean_absolute_error(outputs: ArrayLike, y: ArrayLike) -> float:
    """The mean of |z − y| over all n entries, (1/n) Σ |z − y|.

    Shapes: outputs and y of one shape; y of shape (m,) against outputs (m, 1) is refused, since it would broadcast to (m, m).

    >>> mean_absolute_error([1.0, 4.0], [2.0, 2.0])
    1.5
    """
    z, y = same_shape("mean_absolute_error", outputs, y)
    return float(np.mean(np.abs(z - y)))


def r2_score(outputs: ArrayLike, y: ArrayLike) -> float:
    """The coefficient of determination, R² = 1 − Σ (y − z)² / Σ (y − ȳ)², the mean of it over the columns of y.

    1 is a perfect fit, 0 that of the constant ȳ. Where a column of y is constant it is 1 if all z are right, else 0, as in
    scikit-learn. It is no mean over samples: R² of all is not the mean of the R² of two halves.

    Shapes: outputs and y of one shape, ``(m,)`` or ``(m, n)``.

    >>> r2_score([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
    0.5
    """
    z, y = same_shape("r2_score", outputs, y)
    z, y = z.reshape(len(z), -1), y.reshape(len(y), -1)
    wrong, spread = np.sum(np.square(y - z), axis=0), np.sum(np.square(y - y.mean(axis=0)), axis=0)
    constant = y.max(axis=0) == y.min(axis=0)  # the computed spread of a constant column need not be exactly 0
    return float(np.mean(np.where(constant, wrong == 0, 1 - wrong / np.where(constant, 1, spread))))


METRICS: dict[str, Metric] = {f.__name__: f for f in (accuracy, top_k_accuracy, mean_absolute_error, r2_score)}
"""What ``metrics=["accuracy"]`` names."""

RISING = ("accuracy", "r2_score")
FALLING = ("loss", "error")
"""How the names of quantities end of which more, or less, is better."""


def metrics_named(metrics: Iterable[str] | Mapping[str, Metric], threshold: float = 0.0) -> dict[str, Metric]:
    """The metrics by name, all checked; the threshold is that of accuracy, where there is one output a sample."""
    if isinstance(metrics, str):
        raise TensorTypeError(f"metrics is a list of names, or a dict of functions: write metrics=[{metrics!r}]")
    if isinstance(metrics, Mapping):
        found = dict(metrics)
    else:
        found = {}
        for name in metrics:
            if not isinstance(name, str):
                raise TensorTypeError(f"metrics is a list of names, or a dict of functions: {as_dict(name)}")
            if name not in METRICS:
                raise did_you_mean("metric", name, METRICS)
            found[name] = partial(accuracy, threshold=threshold) if name == "accuracy" else METRICS[name]
    for name, metric in found.items():
        if not isinstance(name, str) or not name or name == "loss":
            raise SettingError(f"a metric needs a name of its own, which is text and not 'loss' (got {name!r})")
        if not callable(metric):
            raise TensorTypeError(f"metric {name!r} must be a function of outputs and y (got {in_short(metric)})")
    return found


def as_dict(metric: Any) -> str:
    """What to write for a metric that was given without its name."""
    name = getattr(metric, "__name__", "")
    if not name.isidentifier():  # a lambda, a partial function, or no function at all
        return "write metrics={'name': f}, f a function of outputs and y"
    if METRICS.get(name) is metric:
        return f"write metrics=[{name!r}], or metrics={{{name!r}: {name}}}"
    return f"write metrics={{{name!r}: {name}}}"


# --- checks -------------------------------------------------------------------------------------------------------------


def pair(name: str, outputs: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Both as arrays with a sample in each row."""
    z, labels = np.asarray(unwrap(outputs)), np.asarray(unwrap(y))
    if not z.ndim or not labels.ndim or len(z) != len(labels):
        raise ShapeError(f"{name}: outputs {z.shape} and y {labels.shape} must have a row for each sample")
    if not z.size:
        raise DataError(f"{name}: there are no samples (outputs of shape {z.shape})")
    return z, labels


def same_shape(name: str, outputs: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Both in float64, of one shape."""
    z, true = pair(name, outputs, y)
    if z.shape != true.shape:
        cure = f": write y.reshape({z.shape})" if z.size == true.size else ""
        raise ShapeError(f"{name}: outputs {z.shape} and y {true.shape} must have one shape{cure}")
    return z.astype(np.float64), true.astype(np.float64)


def classes(name: str, z: Array, y: Array) -> Array:
    """The class of each sample, from integers or from one-hot rows."""
    if y.shape == z.shape:
        if not (np.isin(y, (0, 1)).all() and (y.sum(axis=-1) == 1).all()):
            raise DataError(f"{name}: y of shape {y.shape}, that of the outputs, must be one-hot: a single 1 in each row")
        return np.asarray(y.argmax(axis=-1))
    if y.shape != z.shape[:-1]:
        raise ShapeError(
            f"{name}: outputs {z.shape} need y of shape {z.shape[:-1]} (classes) or {z.shape} (one-hot), not {y.shape}"
        )
    if y.dtype.kind not in "iu":
        raise TensorTypeError(f"{name}: classes are integers, not {y.dtype}: write y.astype(int)")
    if y.min() < 0 or y.max() >= z.shape[-1]:
        raise DataError(f"{name}: classes are 0 … {z.shape[-1] - 1}, these go from {y.min()} to {y.max()}")
    return y
