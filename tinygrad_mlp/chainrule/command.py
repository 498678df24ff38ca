"""What the command ``tinygrad-mlp derive`` does: the derivation of a network by its sizes, or of a function in a user's file."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import DataError, GraphError, ShapeError, TensorTypeError, TraceError, UnsupportedError, is_interrupt
from .derivation import Derivation, derive
from .examples import function_in, network

__all__ = ["of_file", "of_network", "text_of"]


def of_network(sizes: Sequence[int], activation: str, loss_name: str, batch_size: int, dtype: str) -> Derivation:
    """The derivation of an MLP's loss on a batch of random numbers.

    Raises
    ------
    SettingError, UnknownNameError
        If the sizes make no network, or a name is not known.
    """
    found = network(sizes, activation, loss_name, batch_size, dtype)
    return derive(found.loss, found.X, found.y)


def of_file(target: str) -> Derivation:
    """The derivation of FILE:FUNCTION, at the example inputs that the file gives.

    Raises
    ------
    DataError
        If there is no such file or function, if the file fails, or has no example inputs.
    """
    found = function_in(target)
    try:
        return derive(found.function, *found.inputs)
    except (GraphError, TraceError, ShapeError, TensorTypeError, UnsupportedError):
        raise  # they say what to write instead
    except BaseException as error:
        if is_interrupt(error):
            raise
        raise DataError(f"{found.place} fails: {type(error).__name__}: {error}") from error


def text_of(derivation: Derivation, style: str, with_numbers: bool) -> str:
    """The derivation as source, latex or markdown."""
    if style == "markdown":
        return derivation.markdown(with_numbers=with_numbers)
    return derivation.latex() if style == "latex" else derivation.source()
