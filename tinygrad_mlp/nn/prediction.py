"""A model as it is used: in evaluation mode, without a graph, a chunk of rows at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..modes import no_grad
from ..values import unwrap
from .module import Module

__all__ = ["mode", "outputs_of"]


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
    ShapeError
        If the outputs are no array with a row for each of X.
    """
    outputs: NDArray[Any] | None = None
    with mode(model, training=False), no_grad():
        for start in range(0, max(len(X), 1), batch_size):
            chunk = X[start : start + batch_size]
            z = unwrap(model(chunk))
            if not isinstance(z, np.ndarray) or not z.ndim or len(z) != len(chunk):
                what = f"shape {z.shape}" if isinstance(z, np.ndarray) else type(z).__name__
                raise ShapeError(f"the model must give an array with a row for each row of X: {what} for {len(chunk)} rows")
            if outputs is None:
                outputs = np.empty((len(X), *z.shape[1:]), z.dtype)
            outputs[start : start + batch_size] = z
    assert outputs is not None  # noqa: S101  # the loop runs once at least
    return outputs
