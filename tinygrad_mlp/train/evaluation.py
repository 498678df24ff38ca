"""A model as it is used: outputs, loss and metrics in evaluation mode, without a graph, a chunk of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, SettingError, ShapeError, TensorTypeError, in_short
from ..modes import no_grad
from ..nn import Module, binary_cross_entropy
from ..nn.losses import Loss, loss_named
from ..nn.prediction import mode, outputs_of
from ..tensor import Tensor
from ..values import unwrap
from .metrics import Metric, metrics_named

__all__ = ["evaluate", "predict"]

Array = NDArray[Any]
LossFunction: TypeAlias = Callable[[Any, Any], Any]

CHUNK = 256
"""Rows at a time: enough for the products to be fast, few enough for the values between the layers to be small."""


def predict(model: Module, X: ArrayLike, batch_size: int = CHUNK) -> Array:
    """The outputs of a model: in evaluation mode, without a graph, ``batch_size`` rows at a time.

    Afterwards each module is in the mode in which it was.

    Shapes: X ``(m, …)`` → ``(m, …)``, a new array in the dtype of the outputs.

    Raises
    ------
    TensorTypeError, ShapeError, SettingError
        If model is no Module, X has no rows, the outputs are no array with a row for each of X; for a batch_size below 1.

    Examples
    --------
    >>> from tinygrad_mlp import nn
    >>> predict(nn.MLP([2, 8, 3], rng=0), np.ones((5, 2), np.float32)).shape
    (5, 3)
    """
    check_model(model)
    check_batch_size(batch_size)
    return outputs_of(model, rows("X", X), batch_size)


def evaluate(
    model: Module,
    X: ArrayLike,
    y: ArrayLike,
    loss: LossFunction | str,
    metrics: Iterable[str] | Mapping[str, Metric] = (),
    batch_size: int = CHUNK,
) -> dict[str, float]:
    """The loss and the metrics of a model on given data, in evaluation mode: ``{"loss": …, "accuracy": …}``.

    The outputs are computed ``batch_size`` rows at a time, loss and metrics then once from all of them: both are exact also where
    they are no means over rows.

    Parameters
    ----------
    model, X, y : a Module, and its data with a sample in each row
    loss : function of outputs and y, a loss module, or its name
    metrics : names, or a dict of functions of outputs and y (arrays), as in :func:`tinygrad_mlp.fit`
    batch_size : int

    Raises
    ------
    TensorTypeError, ShapeError, DataError, SettingError, UnknownNameError
        For what does not fit together, and unknown names.

    Examples
    --------
    >>> from tinygrad_mlp import nn
    >>> model = nn.Linear(2, 2, init="zeros")
    >>> found = evaluate(model, np.ones((4, 2), np.float32), np.array([0, 0, 0, 1]), nn.cross_entropy, ["accuracy"])
    >>> {name: round(value, 4) for name, value in found.items()}
    {'loss': 0.6931, 'accuracy': 0.75}
    """
    return measured(model, part("", X, y), loss_function(loss), metrics_named(metrics, threshold_for(loss)), batch_size)


class Part(NamedTuple):
    """Samples and their true answers."""

    X: Array
    y: Array


def measured(
    model: Module, data: Part, loss: LossFunction, metrics: Mapping[str, Metric], batch_size: int = CHUNK
) -> dict[str, float]:
    """Loss and metrics of a model on a part of the data."""
    outputs = predict(model, data.X, batch_size)
    y = data.y.view()
    y.flags.writeable = False  # it is the caller's
    with mode(model, training=False), no_grad():  # a loss or a metric may call the model's parts
        found = {"loss": one_number("the loss", unwrap(loss(Tensor(outputs), y)))}
        return found | {name: one_number(f"metric {name!r}", metric(outputs, y)) for name, metric in metrics.items()}


# --- checks -------------------------------------------------------------------------------------------------------------


def check_model(model: Any) -> None:
    """Refuse what is no Module."""
    if not isinstance(model, Module):
        first = "the model comes first, before X and y" if hasattr(model, "shape") or isinstance(model, (list, tuple)) else ""
        cure = first or "write nn.MLP([…]), or a class with a forward"
        raise TensorTypeError(f"a model is an nn.Module (got {in_short(model)}): {cure}")


def check_batch_size(batch_size: Any) -> None:
    """Refuse what is no number of rows."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise SettingError(f"batch_size must be a whole number of rows from 1 up (got {batch_size!r})")


def rows(name: str, value: Any) -> Array:
    """Data as an array of numbers with a sample in each row."""
    try:
        array = np.asarray(unwrap(value))
    except ValueError as error:  # a list of lists of different lengths
        raise ShapeError(f"{name} must be an array of numbers, with rows of one length: {error}") from error
    if array.dtype.kind not in "biufc":
        cure = f"write {name.split()[-1]}.astype(float)" if array.dtype.kind in "OSU" else "make numbers of them"
        labels = ", or, for labels, np.unique(y, return_inverse=True)[1]" if name.endswith("y") else ""
        raise TensorTypeError(f"{name} must be an array of numbers (got {array.dtype}, shape {array.shape}): {cure}{labels}")
    if not array.ndim:
        raise ShapeError(f"{name} must have a row for each sample (got the number {array})")
    return array


def part(name: str, X: Any, y: Any) -> Part:
    """X and y as arrays, which must have the same number of rows, one at least."""
    data = Part(rows(f"{name}X", X), rows(f"{name}y", y))
    if len(data.X) != len(data.y):
        raise ShapeError(f"{name}X has {len(data.X)} rows and {name}y has {len(data.y)}: each sample needs its true answer")
    if not len(data.X):
        raise DataError(f"{name}X has no rows")
    return data


def loss_function(loss: Any) -> LossFunction:
    """The loss by its name, or as it is."""
    if isinstance(loss, str):
        return loss_named(loss)
    if isinstance(loss, type) or not callable(loss):
        raise TensorTypeError(
            f"the loss is a function of outputs and y, a loss module or a name (got {in_short(loss)}): nn.cross_entropy"
        )
    function: LossFunction = loss
    return function


def threshold_for(loss: Any) -> float:
    """Above which single output a sample is of class 1: 0.5 where the loss takes probabilities, 0 for logits."""
    criterion = loss_named(loss) if isinstance(loss, str) else loss
    return 0.5 if criterion is binary_cross_entropy or (isinstance(criterion, Loss) and criterion.output == "sigmoid") else 0.0


def one_number(what: str, value: Any) -> float:
    """A result as a float; refused if it is no single real number."""
    if value is None:
        raise TensorTypeError(f"{what} is None: end its function with return …")
    array = np.asarray(unwrap(value))
    if array.shape or array.dtype.kind not in "biuf":
        raise ShapeError(f"{what} must be one number (got {array.dtype} of shape {array.shape})")
    return float(array)
