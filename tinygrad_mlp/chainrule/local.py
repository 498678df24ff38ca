"""The formulas of a single operation: what it computes, and what its rules send to each of its inputs, read with Symbols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..primitive import Primitive
from ..sweep import unbroadcast
from ..symbols import Symbol, Trace
from .mathematics import Formula, sizes_of, steps
from .notation import LATEX, Notation, Text

__all__ = ["Input", "Local", "LocalDerivative", "local"]


class Input(NamedTuple):
    """An input of the operation: an array, of which shape and dtype count, with a letter; or a number, printed as it is."""

    letter: str
    shape: tuple[int, ...]
    dtype: Any
    number: Any = ...


class LocalDerivative(NamedTuple):
    """What the rule of one input says.

    Attributes
    ----------
    place, letter : which input
    before : values that the formula uses, as (left, right): T₁ = …
    text : the gradient of the input, with g for the gradient that arrives
    """

    place: int
    letter: str
    before: list[tuple[str, str]]
    text: str


class Local(NamedTuple):
    """An operation in formulas: ``forward`` is z, ``derivatives`` has one entry for each input with a rule.

    ``arrays`` are the arrays of numbers that occur in them, by the name they are printed with.
    """

    forward: str
    derivatives: list[LocalDerivative]
    arrays: dict[str, Any]


def local(
    op: Primitive,
    inputs: Sequence[Input],
    params: dict[str, Any],
    notation: Notation = LATEX,
    texts: dict[str, Text] | None = None,
    places: Sequence[int] | None = None,
    summed: bool = False,
) -> Local:
    """The formulas of an operation at given shapes and parameters.

    Parameters
    ----------
    op, inputs, params : the operation, with its inputs' letters, shapes and dtypes
    notation : LaTeX or plain text
    texts : what to print in place of the letters z, g and those of the inputs
    places : the inputs whose derivatives are wanted; by default all
    summed : whether to write out the sums over axes along which an input was broadcast, which the sweep does for all rules
    """
    arrays: dict[str, Any] = {}

    def array(x: Any) -> str:
        name = next((name for name, known in arrays.items() if np.array_equal(known, x)), f"C{len(arrays) + 1}")
        arrays[name] = x
        return notation.name(name).text

    def read(place: int | None) -> tuple[list[tuple[str, str]], list[str]]:
        trace, names = Trace(), dict[Symbol, Text]()

        def leaf(name: str, shape: tuple[int, ...], dtype: Any) -> Symbol:
            symbol = trace.leaf(shape, dtype, "input", name=name)
            names[symbol] = (texts or {}).get(name) or notation.name(name)
            return symbol

        given = [x.number if x.number is not ... else leaf(x.letter, x.shape, x.dtype) for x in inputs]
        result = trace.apply(op, given, params)
        if place is None:
            sizes = sizes_of([s for s in (*given, result) if isinstance(s, Symbol)])
            write = Formula(names.get, array, notation, sizes)
            return [], [(write.expression(result) if result.op is not None else write.operand(result)).text]
        rule = op.rules[0 if op.variadic else place]
        if rule is None:
            raise ValueError(f"{op.name} has no derivative by input {place}")
        z, g = leaf("z", result.shape, result.dtype), leaf("g", result.shape, result.dtype)
        found: Any = rule(g, z, *given, **params)
        several = list(found) if op.variadic else [found]
        if summed:
            several = [
                unbroadcast(s, x.shape) if isinstance(s, Symbol) and s.shape != x.shape else s
                for s, x in zip(several, inputs if op.variadic else [inputs[place]], strict=True)
            ]
        return steps(several, names, array, notation)

    forward = read(None)[1][0]
    wanted = range(len(inputs)) if places is None else places
    derivatives: list[LocalDerivative] = []
    if op.variadic:
        before, values = read(0) if wanted else ([], [])
        derivatives = [LocalDerivative(i, inputs[i].letter, before if k == 0 else [], values[i]) for k, i in enumerate(wanted)]
    else:
        for i in wanted:
            if op.rules[i] is not None:
                before, (value,) = read(i)
                derivatives.append(LocalDerivative(i, inputs[i].letter, before, value))
    return Local(forward, derivatives, arrays)
