"""What a traced function is given: a name for a Symbol, which ``x[i] = v`` makes a name of another one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import GraphError
from ..graph import Node
from ..modes import MODES
from ..primitive import TABLE, Primitive
from .symbol import Symbol, Valueless
from .trace import Trace

__all__ = ["Traced", "symbol_of", "tracing"]

PARTS = ("getitem", "reshape", "permute_dims", "expand_dims", "squeeze", "broadcast_to")
"""What NumPy gives a view of: writing into it would change the whole."""


class Traced(Valueless):
    """A value of a function that is being traced. It behaves as a Tensor does; there are no numbers in it."""

    __slots__ = ("copied", "symbol")
    requires_grad = True

    def __init__(self, symbol: Symbol, copied: bool = False) -> None:
        self.symbol, self.copied = symbol, copied  # a copy of a part has the part's Symbol where that has the same value

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.symbol.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the entries."""
        return self.symbol.dtype

    @classmethod
    def _apply(cls, op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Traced:
        trace = trace_here(inputs)
        if "index" in params:
            params = {**params, "index": trace.index(symbol_of(params["index"]), written=op.name == "setitem")}
        return cls(trace.apply(op, [symbol_of(x) for x in inputs], params), copied=op is TABLE["positive"])

    @classmethod
    def _constant(cls, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], wrap: bool = True) -> Any:
        trace = trace_here((*args, *kwargs.values()))
        result = trace.constant(function, symbol_of(args), symbol_of(kwargs), wrap)
        return cls(result) if isinstance(result, Symbol) else result

    @classmethod
    def _random(cls, function: Callable[..., Any], like: Traced, params: dict[str, Any]) -> Traced:
        return cls(like.symbol.within.random(function, like.symbol, params))

    def __getitem__(self, index: Any) -> Traced:
        return Traced(self.symbol[symbol_of(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        """``x[index] = v``: the name x is the result of the assignment from now on, as for a Tensor."""
        if not self.copied and self.symbol.op is not None and self.symbol.op.name in PARTS:
            raise GraphError(
                "this value is a part of another one (a slice, a reshape, a transpose), which in NumPy would be written into as "
                "well: assign to that one, u[0, 1] = v for u[0][1] = v, or write t = t.copy() first"
            )
        trace = self.symbol.within
        self.symbol = trace.apply(
            TABLE["setitem"], (self.symbol, symbol_of(value)), {"index": trace.index(symbol_of(index), written=True)}
        )

    def astype(self, dtype: Any) -> Traced:
        """The value in another dtype."""
        return Traced(self.symbol.astype(dtype))

    def require(self, check: Callable[..., None], *args: Any) -> None:
        """What is checked of the value whenever the program runs."""
        self.symbol.require(check, *args)

    def detach(self) -> Traced:
        """The same value as a constant: no gradient flows through."""
        return Traced(self.symbol.within.detached(self.symbol))


def symbol_of(x: Any) -> Any:
    """The Symbols in place of handles, in lists, tuples and dicts too."""
    if isinstance(x, Traced):
        return x.symbol
    if type(x) in (list, tuple):
        return type(x)(symbol_of(part) for part in x)
    return {name: symbol_of(part) for name, part in x.items()} if type(x) is dict else x


def trace_here(inputs: Sequence[Any]) -> Trace:
    """The trace of the first traced operand, or else the one in force."""
    for x in inputs:
        if isinstance(x, Traced):
            return x.symbol.within
    trace: Trace = MODES.get().tracer.trace
    return trace


class Tracer:
    """What Tensors hand their operations to while a function is traced: a parameter's value is not known either."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def apply(self, op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Traced:
        """An operation on Tensors, traced."""
        return Traced._apply(op, inputs, params)

    def constant(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], wrap: bool) -> Any:
        """A function without derivative on Tensors, traced."""
        return Traced._constant(function, args, kwargs, wrap)

    def unknown(self, x: Any) -> Traced:
        """The handle of a Tensor or an array: it is read anew at each call, and refuses what only numbers can answer."""
        return Traced(self.trace.tensor(x) if isinstance(x, Node) else self.trace.array(x))


@contextlib.contextmanager
def tracing(trace: Trace) -> Iterator[None]:
    """While the block runs, in this thread or task, every operation on Tensors is traced."""
    token = MODES.set(MODES.get().but(tracer=Tracer(trace), paused=0))
    try:
        yield
    finally:
        MODES.reset(token)
