"""A model as it is used: in evaluation mode, without a graph, a chunk of rows at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError, TensorTypeError
from ..modes import no_grad
from ..values import unwrap
from .module import Module, without_return

__all__ = ["called", "mode", "outputs_of"]


@contextlib.contextmanager
def mode(model: Any, training: bool) -> Iterator[None]:
    """Training or evaluation for the block; afterwards each module is as it was. A function that is no module has no mode."""
    modules = [module for _, module in model.named_modules()] if isinstance(model, Module) else []
    before = [(vars(module), vars(module).get("training")) for module in modules]
    try:
        for module in modules:
            module.training = training
        yield
    finally:
        for attributes, was in before:
            if was is None:
                attributes.pop("training", None)
            else:
                attributes["training"] = was


def outputs_of(model: Callable[[Any], Any], X: NDArray[Any], batch_size: int) -> NDArray[Any]:
    """The outputs for all rows of X, ``batch_size`` at a time: a new array in the dtype of the outputs.

    Raises
    ------
    ShapeError, TensorTypeError
        If the outputs are no array with a row for each of X.
    """
    outputs: NDArray[Any] | None = None
    with mode(model, training=False), no_grad():
        for start in range(0, max(len(X), 1), batch_size):
            chunk = X[start : start + batch_size]
            z = unwrap(called(model, chunk))
            if not isinstance(z, np.ndarray) or not z.ndim or len(z) != len(chunk):
                what = f"shape {z.shape}" if isinstance(z, np.ndarray) else type(z).__name__
                raise ShapeError(
                    f"the model must give an array with a row for each row of X: {what} for {len(chunk)} rows{row_by_row(X)}"
                )
            if outputs is None:
                outputs = np.empty((len(X), *z.shape[1:]), z.dtype)
            if z.shape[1:] != outputs.shape[1:]:
                raise ShapeError(f"the model gives rows of shape {outputs.shape[1:]}, then, for later rows of X, of {z.shape[1:]}")
            outputs = outputs.astype(np.result_type(outputs, z), copy=False)
            outputs[start : start + batch_size] = z
    assert outputs is not None  # noqa: S101  # the loop runs once at least
    return outputs


def called(model: Callable[[Any], Any], X: Any) -> Any:
    """model(X), with what to write where X is no table, or the model gives nothing."""
    try:
        z = model(X)
    except ShapeError as error:
        if not (cure := row_by_row(X)):
            raise
        raise ShapeError(f"{error}{cure}") from error
    if z is None:
        raise TensorTypeError(f"the model gives no outputs: {without_return(model)}")
    return z


def row_by_row(X: Any) -> str:
    """What to write for an X of one axis: whether it holds many samples of one feature, or one sample, only its owner knows."""
    if X.ndim != 1:
        return ""
    return f". X has shape {X.shape}, and needs a row for each sample: X[:, None]; for one sample write X[None]"
