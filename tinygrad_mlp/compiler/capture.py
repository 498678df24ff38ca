"""A function as a program of Symbols: traced once for one combination of shapes and dtypes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..chainrule.derivation import argument_names, inside
from ..errors import GraphError, TensorTypeError, TraceError
from ..graph import Node, place
from ..nn import Module
from ..primitive import is_valueless
from ..symbols import Symbol, Trace, Traced, symbol_of, tracing
from ..trees import leaves, like

__all__ = ["Captured", "by_position", "capture", "plain", "signature"]


class Captured(NamedTuple):
    """A traced function."""

    trace: Trace
    arguments: list[Symbol]
    result: Any  # Symbols in the form of what the function returned
    variables: list[Symbol]  # the arguments to differentiate with respect to
    tree: Any  # these arguments: one, or a tuple of them
    modes: list[tuple[Module, bool]]


def argument(trace: Trace, x: Any, name: str) -> Symbol:
    """The Symbol of an argument: an array, or a Python number."""
    if type(x) in (int, float):
        return trace.scalar(name, np.int64 if type(x) is int else np.float64, "input")
    if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "biufc":
        return trace.leaf(x.shape, x.dtype, "input", None, name)
    raise TensorTypeError(f"a compiled function takes arrays and numbers, also in tuples, lists and dicts, but {name} is {x!r}")


def plain(x: Any) -> Any:
    """An argument as an array, or a Python number."""
    if type(x) is np.ndarray or type(x) in (int, float):
        return x
    if is_valueless(x):
        raise TraceError("compiled functions cannot be called in traced ones: call the function that compile() was given")
    if isinstance(x, Node):
        if x.tracked:
            raise GraphError(
                "a compiled function has no graph: no gradient would flow through it to this tensor; pass t.numpy(), or compile "
                "the whole, tg.compile(tg.value_and_grad(f))"
            )
        return x.array
    if isinstance(x, np.ma.MaskedArray):
        raise TensorTypeError("a compiled function takes no masked arrays: pass a.filled(0), and the mask as an argument")
    return np.asarray(x)


def by_position(named: dict[str, Any]) -> None:
    """Arguments are given by position."""
    if named:
        raise TensorTypeError(f"what is compiled takes its arguments by position, not by name ({', '.join(named)})")


def signature(args: Sequence[Any]) -> Any:
    """What a program is made for: shapes and dtypes."""
    return tuple([(x.shape, x.dtype) if type(x) is np.ndarray else type(x) for x in args])


def capture(
    f: Callable[..., Any], args: Sequence[Any], new: Callable[[], Trace], wrt: Sequence[int] = (), many: bool = False
) -> Captured:
    """Call f with Symbols like the arguments; ``wrt`` numbers those to differentiate with respect to.

    f is called twice: numbers that it makes anew in each call (noise from a generator, the time) would become constants.

    Raises
    ------
    TraceError
        If f asks for a number, or is another computation the second time.
    """
    captured, again = traced(f, args, new(), wrt, many), traced(f, args, new(), wrt, many)
    for a, b in itertools.zip_longest(captured.trace.symbols, again.trace.symbols):
        if a is None or b is None or not alike(a, b):
            where = next((place(s.origin) for s in (a, b) if s is not None and s.origin is not None), "")
            raise TraceError(
                f"{where}{': ' * bool(where)}the function is another computation in each call, and the first one would be compiled "
                f"for all of them: pass random numbers and what changes as arguments, and use nn.Dropout, which draws in each step"
            )
    again.trace.forget()
    return captured


def alike(a: Symbol, b: Symbol) -> bool:
    """Whether two Symbols of two calls are the same operation on the same numbers."""
    if a.op is not b.op and (a.op is None or b.op is None or a.op.name != b.op.name):
        return False
    if isinstance(a.value, np.ndarray) and a.value is not b.value:
        return isinstance(b.value, np.ndarray) and np.array_equal(a.value, b.value, equal_nan=a.value.dtype.kind in "fc")
    numbers = [[x for x in s.inputs if not isinstance(x, Symbol)] for s in (a, b)]
    return a.shape == b.shape and a.dtype == b.dtype and repr(numbers[0]) == repr(numbers[1])


def traced(f: Callable[..., Any], args: Sequence[Any], trace: Trace, wrt: Sequence[int], many: bool) -> Captured:
    """One call of f with Symbols."""
    symbols: list[Symbol] = []
    given = []
    variables: dict[int, list[Symbol]] = {}
    for n, (title, x) in enumerate(zip(argument_names(f, len(args)), args, strict=True)):
        ends = list(leaves(x))
        mine = [argument(trace, end, title if len(ends) == 1 else f"{title}{i}") for i, end in enumerate(ends)]
        symbols += mine
        if n in wrt:
            variables[n] = mine
            for s in mine:
                s.tracked = True
                if s.weak:  # a gradient has a dtype
                    s.weak, s.dtype = False, np.dtype(np.float64)
        given.append(like(x, iter([Traced(s) for s in mine])))
    with tracing(trace):
        result = f(*given)
    ends = [end_of(trace, end) for end in leaves(result)]
    wanted = [s for n in wrt for s in variables[n]]
    tree = tuple(args[n] for n in wrt) if many else args[wrt[0]] if wrt else None
    return Captured(trace, symbols, like(result, iter(ends)), wanted, tree, modes_of(f, args, dict(trace.modes)))


def modes_of(f: Callable[..., Any], args: Sequence[Any], called: dict[Module, bool]) -> list[tuple[Module, bool]]:
    """The modules that f calls or refers to and that may depend on whether they train: all but the library's own, and Dropout."""
    roots = [x for x in (*inside(f).values(), *args) if isinstance(x, Module)]
    found = called | {module: module.training for root in roots for _, module in root.named_modules()}
    ours = ("tinygrad_mlp.nn.activations", "tinygrad_mlp.nn.layers", "tinygrad_mlp.nn.losses")
    return [(m, mode) for m, mode in found.items() if type(m).__module__ not in ours]


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
