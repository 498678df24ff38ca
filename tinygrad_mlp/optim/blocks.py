"""An update carried out with few temporary arrays, block by block.

``w + g * -lr`` on large arrays makes an array for ``g * -lr``, which has left the processor's cache when w is added. So the
update is read once with a :class:`Value` in place of each array, which notes the ufuncs that are called; these are then called
with ``out=``, on blocks that stay in the cache. They are the same ufuncs on the same entries: the bits are the same. Small
arrays gain as well: numbers have become arrays of shape (), which ufuncs take in half of the time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..operand import Operand
from ..primitive import Primitive

__all__ = ["Plan", "UnplannedError"]

BLOCK = 1 << 16
"""Entries that are updated at a time: a few arrays of that length fit into a processor core's own cache."""

SMALL = 1 << 11
"""Up to so many entries, an array that NumPy makes is as good as one that was made before."""

Array = NDArray[Any]
Update = Callable[..., tuple[Any, dict[str, Any]]]


class UnplannedError(Exception):
    """An update that is not made of ufuncs from floats to floats alone. It is computed on whole arrays instead."""


class Value(Operand):
    """What stands for an array while an update is read: its number in the plan."""

    __slots__ = ("number", "plan")

    def __init__(self, number: int, plan: Plan) -> None:
        self.number, self.plan = number, plan

    @property
    def shape(self) -> tuple[int, ...]:
        """Not known: one plan serves parameters of every shape."""
        raise UnplannedError

    @classmethod
    def _apply(cls, op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Value:
        function = op.forward
        if params or not isinstance(function, np.ufunc) or f"{'f' * function.nin}->f" not in function.types:
            raise UnplannedError
        if not all(type(x) in (Value, Moving, int, float) for x in inputs):
            raise UnplannedError
        return next(x for x in inputs if type(x) is Value).plan.note(function, inputs)

    @classmethod
    def _constant(cls, function: Callable[..., Any], args: Any, kwargs: Any, wrap: bool = True) -> NoReturn:
        raise UnplannedError


class Moving:
    """What stands for a number that changes from step to step. It can meet arrays only: a number made of it would be fixed."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __bool__(self) -> bool:
        raise UnplannedError

    def __eq__(self, other: object) -> bool:
        raise UnplannedError

    __hash__ = None  # type: ignore[assignment]  # as Python does where == is defined


class Plan:
    """The ufuncs of an update in turn, as three Python functions: for small parameters, for whole ones, for blocks.

    Values x0, x1, … are w, g, the state, and the results of the ufuncs f0, f1, …; c0, c1, … are the numbers. For
    small parameters ufuncs make new arrays; else results go to registers r0, r1, …, as few as possible: a result takes the place
    of a value that is not needed any more. The first registers are the new w and the new state, or blocks of them.
    """

    def __init__(
        self, update: Update, slots: Sequence[str], scalars: Mapping[str, float], moving: Sequence[str], dtype: np.dtype[Any]
    ) -> None:
        self.scalars, self.fixed = scalars, {name: x for name, x in scalars.items() if name not in moving}
        self.slots, self.calls = slots, list[tuple[np.ufunc, Sequence[Any]]]()
        self.given = 2 + len(slots)
        w, g, *state = (Value(number, self) for number in range(self.given))
        new, after = update(w, g, dict(zip(slots, state, strict=True)), **self.fixed, **{name: Moving(name) for name in moving})
        results = [new, *(after[slot] for slot in slots)]
        if not all(type(x) is Value and x.number >= self.given for x in results):
            raise UnplannedError
        numbers = [x.number for x in results]
        if len(dict.fromkeys(numbers)) < len(numbers):
            raise UnplannedError  # one value is two results, which must not become one array
        numbers_met = [x for _, inputs in self.calls for x in inputs if type(x) is not Value]
        constants = [np.array(scalars[x.name] if type(x) is Moving else x, dtype) for x in numbers_met]
        self.moving = [(x.name, c) for x, c in zip(numbers_met, constants, strict=True) if type(x) is Moving]
        functions = [function for function, _ in self.calls]
        self.small, self.whole, self.block = definition(self.source(numbers))(np.empty_like, *functions, *constants)

    def fit(self, scalars: Mapping[str, float]) -> bool:
        """Take over the numbers that change from step to step; False if others have changed."""
        if any(scalars[name] != x for name, x in self.fixed.items()):
            return False
        for name, constant in self.moving:
            constant[...] = scalars[name]
        self.scalars = scalars
        return True

    def note(self, function: np.ufunc, inputs: Sequence[Any]) -> Value:
        """The result of one more ufunc."""
        self.calls.append((function, inputs))
        return Value(self.given + len(self.calls) - 1, self)

    def registers(self, results: Sequence[int]) -> dict[int, int]:
        """The register of every value that a ufunc makes."""
        last = {x.number: i for i, (_, inputs) in enumerate(self.calls) for x in inputs if type(x) is Value}
        last |= dict.fromkeys(results, len(self.calls))
        register: dict[int, int] = {}
        free: list[int] = []
        used = 0
        for i, (_, inputs) in enumerate(self.calls):
            over = dict.fromkeys(x.number for x in inputs if type(x) is Value and x.number >= self.given and last[x.number] == i)
            free += [register[number] for number in over]
            if not free:
                free, used = [used], used + 1
            register[self.given + i] = free.pop()
        kept = [register[number] for number in results]
        order = [*kept, *(r for r in range(used) if r not in kept)]
        self.outputs, self.spare = len(kept), used - len(kept)
        return {number: order.index(r) for number, r in register.items()}

    def source(self, results: Sequence[int]) -> str:
        """The functions in Python."""
        register = self.registers(results)
        constants = 0
        fresh, into = [], []
        for i, (_, inputs) in enumerate(self.calls):
            values, places = [], []
            for x in inputs:
                if type(x) is Value:
                    values.append(f"x{x.number}")
                    places.append(f"r{register[x.number]}" if x.number in register else f"x{x.number}")
                else:
                    values.append(f"c{constants}")
                    places.append(f"c{constants}")
                    constants += 1
            fresh.append(f"x{self.given + i} = f{i}({', '.join(values)})")
            into.append(f"f{i}({', '.join(places)}, out=r{register[self.given + i]})")
        unpacked = [f"x{i + 2} = state[{slot!r}]" for i, slot in enumerate(self.slots)]
        state = ", ".join(f"{slot!r}: x{number}" for slot, number in zip(self.slots, results[1:], strict=True))
        arrays = ", ".join(f"{slot!r}: r{i + 1}" for i, slot in enumerate(self.slots))
        places = [f"r{i}" for i in range(self.outputs + self.spare)]
        functions = {
            "small(x0, x1, state)": [*unpacked, *fresh, f"return x{results[0]}, {{{state}}}"],
            "whole(x0, x1, state)": [
                *unpacked,
                *(f"{r} = empty(x0, order='C')" for r in places),
                *into,
                f"return r0, {{{arrays}}}",
            ],
            f"block({', '.join([*(f'x{i}' for i in range(self.given)), *places])})": into,
        }
        names = [*(f"f{i}" for i in range(len(self.calls))), *(f"c{i}" for i in range(constants))]
        text = [f" def {head}:\n  " + "\n  ".join(lines) for head, lines in functions.items()]
        return "\n".join([f"def make({', '.join(['empty', *names])}):", *text, " return small, whole, block"])

    def __call__(self, w: Array, g: Array, state: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
        """The new w and the new state, as new arrays in C's order."""
        if w.size <= SMALL and w.shape and w.flags.c_contiguous:  # of shape () NumPy would make scalars
            return self.small(w, g, state)
        if w.size <= 2 * BLOCK:
            return self.whole(w, g, state)
        inputs = [w, g, *[state[slot] for slot in self.slots]]
        if not all(x.flags.c_contiguous for x in inputs):
            return self.whole(w, g, state)
        out = [np.empty_like(w) for _ in range(self.outputs)]
        flat = [x.reshape(-1) for x in (*inputs, *out)]
        spare = [np.empty(BLOCK, w.dtype) for _ in range(self.spare)]
        for start in range(0, w.size, BLOCK):
            part, length = slice(start, start + BLOCK), w.size - start
            self.block(*[x[part] for x in flat], *(spare if length >= BLOCK else [x[:length] for x in spare]))
        return out[0], dict(zip(self.slots, out[1:], strict=True))


@functools.lru_cache(maxsize=64)
def definition(source: str) -> Callable[..., tuple[Update, Update, Update]]:
    """What a source defines. The numbers of an update change from step to step, but its text does not."""
    found: dict[str, Any] = {}
    exec(source, found)  # noqa: S102  # written above: names of our own, and those of slots as literals
    make: Callable[..., tuple[Update, Update, Update]] = found["make"]
    return make
