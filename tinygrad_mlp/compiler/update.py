"""The update of an optimiser as a program on flat arrays: its formulas, read with Symbols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..optim import Optimizer
from ..symbols import Symbol, Trace, ancestors
from .builder import Builder
from .program import Program

__all__ = ["BLOCK", "Update", "update_of"]

BLOCK = 1 << 16
"""Entries that are updated at a time: the arrays of a block fit into a processor core's own cache."""

Factor = Callable[[Trace, dict[str, Symbol]], Symbol]
"""A number that is computed from the optimiser's numbers: in a trace, from their Symbols."""


class Update(NamedTuple):
    """How the parameters change."""

    program: Program | None
    """From (w, g or the change, the state, the numbers), in place; None if the change has only to be added to w."""

    factor: Factor | None
    """What the gradient is multiplied with to become the change, if that is all that happens to it.

    An update that is linear in the gradient, W − η g, uses it in one product with a number only. Then the loss can be
    differentiated with that number as its seed, and the gradient arrives as the change.
    """


def update_of(optimizer: Optimizer, size: int, dtype: np.dtype[Any], scale: bool, keep: bool) -> Update:
    """The update of arrays with so many entries.

    Parameters
    ----------
    optimizer : whose update
    size, dtype : of the flat arrays
    scale : whether the gradient may arrive multiplied
    keep : whether the gradient is to be left as it is
    """
    trace = Trace()
    shape = (min(size, 2 * BLOCK),)
    w, g = (trace.leaf(shape, dtype, "parameter", name=name) for name in "wg")
    state = {slot: trace.leaf(shape, dtype, "parameter", name=slot) for slot in optimizer.slots}
    numbers = {name: trace.scalar(name, dtype) for name in optimizer.scalars()}
    new, after = optimizer.update(w, g, state, **numbers)
    factor = only_factor([new, *after.values()], g) if scale else None
    if factor is not None:
        old = ancestors([new, *after.values(), w, g, *state.values(), *numbers.values()])
        change = next(s for s in old if s.op is not None and any(x is g for x in s.inputs))
        found = Trace().replayed([s for s in old if s is not change and s is not g], {change: (shape, dtype, "change")})
        w, g, new = found[w], found[change], found[new]
        state, after = {k: found[v] for k, v in state.items()}, {k: found[v] for k, v in after.items()}
        numbers = {k: found[v] for k, v in numbers.items()}
        if new.op is not None and new.op.name == "add" and {*new.inputs} == {w, g} and not state:
            return Update(None, factor)
    builder = Builder(
        [w, g, *state.values(), *numbers.values()], {}, [],
        prefer={new: w, **{after[slot]: state[slot] for slot in state}}, owned=[w, *([] if keep else [g]), *state.values()],
    )  # fmt: skip
    return Update(builder.build([new, *after.values()], lambda b: "None"), factor)


def only_factor(outputs: Sequence[Symbol], g: Symbol) -> Factor | None:
    """The number by which the gradient is multiplied, if that is all that happens to it."""
    users = [s for s in ancestors(outputs) if any(x is g for x in s.operands())]
    if any(x is g for x in outputs) or len(users) != 1 or users[0].op is None or users[0].op.name != "multiply":
        return None
    (number,) = [x for x in users[0].inputs if x is not g] or [None]
    if not isinstance(number, Symbol) or not number.weak:
        return None

    def again(trace: Trace, numbers: dict[str, Symbol]) -> Symbol:
        found: dict[Symbol, Symbol] = {}
        for s in ancestors([number]):
            inputs = [found[x] if isinstance(x, Symbol) else x for x in s.inputs]
            found[s] = numbers[s.name] if s.op is None else trace.apply(s.op, inputs, s.params)
        return found[number]

    return again
