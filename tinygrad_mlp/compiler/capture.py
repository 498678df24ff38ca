"""A function as a program of Symbols: traced once for one combination of shapes and dtypes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..chainrule.derivation import argument_names
from ..errors import TensorTypeError, TraceError
from ..graph import Node
from ..kernels.shapes import count
from ..primitive import Primitive
from ..symbols import Symbol, Trace, Traced, symbol_of, tracing
from ..trees import leaves, like

__all__ = ["FORMS", "Captured", "argument", "capture", "inlined"]

INLINED = {
    "relu", "leaky_relu", "elu", "hardtanh", "sigmoid", "log_sigmoid", "softplus", "softsign", "silu", "gelu", "softmax", "log_softmax",
    "cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "mean",
}  # fmt: skip
"""Functions that are taken apart, so that their parts have buffers and share what they have in common."""


def mean(x: Any, *, axis: Any, keepdims: bool) -> Any:
    """Σ x / n, as np.mean computes it."""
    return np.sum(x, axis=axis, keepdims=keepdims) / count(x, axis)


FORMS: dict[str, Callable[..., Any]] = {"mean": mean}


def inlined(op: Primitive) -> bool:
    """Whether a primitive is taken apart."""
    return op.name in INLINED


class Captured(NamedTuple):
    """A traced function."""

    trace: Trace
    arguments: list[Symbol]
    result: Any  # Symbols in the form of what the function returned
    modes: list[tuple[Any, bool]]


def argument(trace: Trace, x: Any, name: str) -> Symbol:
    """The Symbol of an argument: an array, or a Python number."""
    if type(x) in (int, float):
        return trace.scalar(name, np.float64)
    if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "biufc":
        return trace.leaf(x.shape, x.dtype, "input", None, name)
    raise TensorTypeError(f"a compiled function takes arrays and numbers, also in tuples, lists and dicts, but {name} is {x!r}")


def capture(f: Callable[..., Any], args: Sequence[Any], trace: Trace | None = None) -> Captured:
    """Call f with Symbols like the arguments.

    Raises
    ------
    TraceError
        If f asks for a number.
    """
    trace = trace or Trace()
    symbols: list[Symbol] = []
    given = []
    for title, x in zip(argument_names(f, len(args)), args, strict=True):
        ends = list(leaves(x))
        mine = [argument(trace, end, title if len(ends) == 1 else f"{title}{i}") for i, end in enumerate(ends)]
        symbols += mine
        given.append(like(x, iter([Traced(s) for s in mine])))
    with tracing(trace):
        result = f(*given)
    return Captured(trace, symbols, like(result, iter([end_of(trace, end) for end in leaves(result)])), [])


def end_of(trace: Trace, end: Any) -> Any:
    """One result of a function: a Symbol."""
    end = symbol_of(end)
    if isinstance(end, Symbol):
        return end
    if isinstance(end, Node):
        return trace.tensor(end)
    if isinstance(end, (int, float, complex, np.generic, np.ndarray)) and not isinstance(end, bool):
        return trace.array(np.asarray(end))
    raise TraceError(f"a compiled function returns arrays and numbers, but it returned {end!r}")


def moved(tree: Any, found: Mapping[Symbol, Symbol]) -> Any:
    """A tree of Symbols after a replay."""
    return like(tree, iter([found[end] for end in leaves(tree)]))
