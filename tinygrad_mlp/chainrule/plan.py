"""The lines of a derivation: which values get a line, in which order, and which gradient each line of the way back is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..primitive import Primitive
from ..symbols import Symbol, Trace, ancestors
from .expression import Writer
from .names import Names, name_values

__all__ = ["Line", "Plan", "plan"]

WIDE = 88
"""Characters from which on an expression is taken apart into lines."""

INLINED = {
    "cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "softmax", "log_softmax", "sigmoid", "log_sigmoid", "softsign",
    "silu", "elu", "gelu",
}  # fmt: skip
"""Own functions that are written out line by line; the others become functions of the module."""

FREE = {"permute_dims", "positive", "broadcast_to"}
"""Operations that are written where they are used, however often: they cost nothing and say little."""


@dataclass
class Line:
    """One line of a derivation.

    Attributes
    ----------
    symbol, name : the value and what it is called
    backward : whether it belongs to the way back
    of : the value whose gradient it is, if it is one
    users : the operations of the forward pass that use that value: where the gradient comes from
    """

    symbol: Symbol
    name: str
    backward: bool = False
    of: Symbol | None = None
    users: list[Symbol] = field(default_factory=list)


@dataclass
class Plan:
    """A derivation, ready to be written.

    Attributes
    ----------
    inputs, parameters : what the program is given, with names; ``constants`` are arrays that were found in the graph
    lines : the program
    loss, gradients : what it returns, the gradients by the name of what they belong to
    names : of all values that have one
    forward : the forward pass as it was recorded, losses in one piece, with its names
    """

    inputs: list[Symbol]
    parameters: list[Symbol]
    lines: list[Line]
    loss: Symbol
    gradients: dict[str, Symbol]
    names: dict[Symbol, str]
    arrays: dict[str, Any]
    sizes: list[int]
    forward_names: dict[Symbol, str]
    adjoints: dict[Symbol, Symbol]
    moved: dict[Symbol, Symbol]
    recorded: list[Symbol]

    def writer(self) -> Writer:
        """Writes expressions with the names of this plan."""
        return Writer(self.names.get, self.array_name, self.sizes)

    def array_name(self, array: Any) -> str:
        """The text of an array of numbers in an index: np.arange(n), or a constant of the module."""
        if array.ndim == 1 and array.dtype.kind == "i" and array.size > 1 and np.array_equal(array, np.arange(array.size)):
            return f"np.arange({array.size})"
        for name, known in self.arrays.items():
            if known is array or (known.dtype == array.dtype and np.array_equal(known, array)):
                return name
        name = f"index{len(self.arrays) + 1}"
        self.arrays[name] = array
        return name


def plan(trace: Trace, loss: Symbol, wrt: Sequence[Symbol], objects: Mapping[int, str]) -> Plan:
    """Differentiate, take the losses apart, name the values and choose the lines."""
    recorded = ancestors([loss])
    adjoints = trace.adjoints(loss, wrt) if wrt else {}
    wishes = name_values(recorded, loss, objects)
    outputs = [loss, *(adjoints[x] for x in wrt)]
    whole = ancestors([*outputs, *wrt])
    target = Trace(inline=lambda op: op.name in INLINED)
    moved = target.replayed(whole)
    final = ancestors([moved[s] for s in (*outputs, *wrt)])
    gradient_of: dict[Symbol, Symbol] = {}
    for value, gradient in adjoints.items():
        if gradient in moved and moved[gradient].fill is None:
            gradient_of.setdefault(moved[gradient], value)
    for x in wrt:  # a parameter's name goes before that of a value on the way
        if moved[adjoints[x]].fill is None:
            gradient_of[moved[adjoints[x]]] = x
    names = Names()
    leaves = [s for s in final if s.op is None and s.fill is None]
    recognised = {s: text for s in leaves if (text := known_array(s))}
    for old in recorded:
        if old.op is None and old.fill is None:
            names.give(moved[old], wishes[old])
    for symbol in leaves:
        if symbol not in names.of and symbol not in recognised:
            names.give(symbol, symbol.name or "c")
    result = Plan(
        [s for s in leaves if s.role != "parameter" and s not in recognised], [moved[x] for x in wrt], [], moved[loss], {},
        {**names.of, **recognised}, {}, sizes_of(final), {}, adjoints, moved, recorded,
    )  # fmt: skip
    differentiated = set(result.parameters)
    result.inputs += [s for s in leaves if s.role == "parameter" and s not in differentiated]
    forward = {moved[s] for s in ancestors([loss])} | set(ancestors([moved[loss]]))
    forward_wishes = {moved[s]: name for s, name in wishes.items() if s.op is not None}
    choose_lines(result, final, [moved[o] for o in outputs], forward, forward_wishes, gradient_of, names)
    result.gradients = {result.names[moved[x]]: moved[adjoints[x]] for x in wrt}
    result.forward_names = {s: result.names[moved[s]] for s in recorded if moved[s] in result.names}
    return result


def known_array(symbol: Symbol) -> str:
    """np.arange(n) and the like for a constant that is one."""
    x = symbol.value
    if symbol.role != "constant" or not isinstance(x, np.ndarray) or x.size < 2:
        return ""
    if x.ndim == 1 and x.dtype == np.arange(1).dtype and np.array_equal(x, np.arange(x.size)):
        return f"np.arange({x.size})"
    if x.ndim == 2 and np.array_equal(x, np.eye(*x.shape, dtype=x.dtype)):
        size = f"{x.shape[0]}" if x.shape[0] == x.shape[1] else f"{x.shape[0]}, {x.shape[1]}"
        return f"np.eye({size}, dtype={'bool' if x.dtype.kind == 'b' else 'np.' + x.dtype.name})"
    return ""


def sizes_of(symbols: Sequence[Symbol]) -> list[int]:
    """The lengths and counts that occur."""
    return sorted({n for s in symbols for n in (*s.shape, s.size)})


def choose_lines(
    result: Plan,
    final: Sequence[Symbol],
    outputs: Sequence[Symbol],
    forward: set[Symbol],
    wishes: Mapping[Symbol, str],
    gradient_of: Mapping[Symbol, Symbol],
    names: Names,
) -> None:
    """Give a line to what has a name, is used more than once, is returned, or would be too long in one piece."""
    uses: dict[Symbol, int] = dict.fromkeys(final, 0)
    for symbol in final:
        for x in symbol.operands():
            uses[x] += 1
    users: dict[Symbol, list[Symbol]] = {}
    for symbol in result.recorded:
        for x in symbol.operands():
            users.setdefault(x, []).append(symbol)
    returned = set(outputs)
    writer = result.writer()
    for symbol in final:
        op = symbol.op
        if op is None:
            continue
        back = symbol not in forward
        of = gradient_of.get(symbol) if back else None
        named = (
            symbol in wishes or bool(symbol.name) or (of is not None and (of in result.moved and result.moved[of] in result.names))
        )
        free = op.name in FREE and not named
        line = symbol in returned or named or (uses[symbol] > 1 and not free)
        if not line and not free:
            line = len(writer.expression(symbol)[0]) > WIDE
        if not line:
            continue
        wish = wishes.get(symbol, "") or (
            f"d{result.names[result.moved[of]]}" if of is not None and result.moved[of] in result.names else ""
        )
        name = names.give(symbol, wish or symbol.name or by_operation(op))
        result.names[symbol] = name
        result.lines.append(
            Line(symbol, name, back, of if wish.startswith("d") else None, users.get(of, []) if of is not None else [])
        )
    ahead(result)


TITLES = {"softmax": "P", "np.equal": "Y", "exp": "E", "sum": "total", "multiply": "product", "add": "sum", "subtract": "difference",
          "divide": "quotient", "getitem": "part"}  # fmt: skip


def by_operation(op: Primitive) -> str:
    """A name for a value that nobody has named."""
    return TITLES.get(op.name, op.name.rpartition(".")[2].rstrip("_"))


def ahead(result: Plan) -> None:
    """Move the gradients that are returned up to the line after the last one that they need: as one writes them by hand."""
    returned = set(result.gradients.values()) | {result.moved[g] for x, g in result.adjoints.items() if x.role == "parameter"}
    position: dict[Symbol, int] = {}
    ordered: list[Line] = []
    for line in result.lines:
        needed = [position[s] for s in lines_of(line.symbol, position)]
        if line.backward and line.symbol in returned and needed and max(needed) + 1 < len(ordered):
            place = max(needed) + 1
            while place < len(ordered) and ordered[place].symbol in returned:
                place += 1
            ordered.insert(place, line)
            position = {other.symbol: i for i, other in enumerate(ordered)}
        else:
            position[line.symbol] = len(ordered)
            ordered.append(line)
    result.lines = ordered


def lines_of(symbol: Symbol, position: Mapping[Symbol, int]) -> list[Symbol]:
    """The values with lines that an expression refers to."""
    found, stack = [], list(symbol.operands())
    while stack:
        x = stack.pop()
        if x in position:
            found.append(x)
        else:
            stack.extend(x.operands())
    return found
