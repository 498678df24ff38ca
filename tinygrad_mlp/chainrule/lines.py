"""Which values of a derivation get a line of their own, what they are called, and in which order the lines stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..symbols import Symbol
from .expression import Writer, is_number
from .forms import operation

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["Line", "Lines", "ahead", "describe_uses"]

WIDE = 88
"""Characters from which on an expression is taken apart into lines."""

TERMS = 24
"""So many terms of a sum are written as one."""

FREE = {"permute_dims", "positive", "broadcast_to"}
"""Operations that are written where they are used, however often: they cost nothing and say little."""

ARITHMETIC = {"add", "subtract", "multiply"}
CHEAP_USES = 3
"""How often an operation of a number and a name, such as 1 - p, is written before it gets a name."""


@dataclass
class Line:
    """One line of a derivation.

    Attributes
    ----------
    symbol, name : the value and what it is called
    backward : whether it belongs to the way back
    of : the value whose gradient it is, if it is one
    users : the operations of the forward pass that use that value: where the gradient comes from
    also : further values with names that have the same gradient
    uses : of a line of the way back that is no gradient, the names of the lines that use it
    """

    symbol: Symbol
    name: str
    backward: bool = False
    of: Symbol | None = None
    users: list[Symbol] = field(default_factory=list)
    also: list[Symbol] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)


class Lines:
    """Which values get a line: what has a name, is used more than once, is returned, or would be too long in one piece."""

    def __init__(
        self,
        result: Plan,
        final: Sequence[Symbol],
        returned: set[Symbol],
        forward: set[Symbol],
        wishes: Mapping[Symbol, str],
        gradients: Mapping[Symbol, list[Symbol]],
    ) -> None:
        self.result, self.final, self.returned, self.forward, self.wishes = result, final, returned, forward, dict(wishes)
        self.gradients = gradients
        self.chosen: set[Symbol] = set()
        self.occurs: dict[Symbol, int] = {}
        self.back = {new: old for old, new in reversed(result.moved.items())}

    def gradient(self, symbol: Symbol) -> Symbol | None:
        """The value whose gradient a symbol of the way back is; of a value inside a line only if that has a line of its own."""
        values = self.gradients.get(symbol, ()) if symbol not in self.forward else ()
        return next((v for v in values if self.has_name(self.result.moved[v])), None)

    def has_name(self, symbol: Symbol) -> bool:
        """Whether a value of the forward pass has a name."""
        return symbol.op is None or symbol in self.wishes or symbol in self.chosen

    def choose(self) -> None:
        """Fill ``chosen``, users before what they use."""
        computed = [s for s in self.final if s.op is not None]
        must = {s for s in computed if s in self.returned or s in self.wishes or s.name or self.gradient(s) is not None}
        self.chosen = set(must)
        self.count(must)
        named = {s for s in self.chosen if s not in self.forward and self.gradient(s) is None}
        for symbol in self.final:  # the gradient of a value inside a line: that value gets a line too, and with it a name
            if symbol in named or self.is_before_activation(symbol):
                inner = next((v for v in self.gradients.get(symbol, ()) if v.op is not None and self.can_stand_alone(v)), None)
                if inner is not None:
                    must |= {self.result.moved[inner], symbol}
        self.count(must)
        writer = Writer(self.preliminary, lambda a: "index", self.result.sizes)
        terms: dict[Symbol, int] = {}
        for symbol in self.final:
            if symbol.op is None or symbol in self.chosen or self.is_free(symbol):
                continue
            if self.continues(symbol):
                terms[symbol] = terms.get(symbol.inputs[0], 1) + 1
                if terms[symbol] == TERMS:
                    self.chosen.add(symbol)
                    terms[symbol] = 1
            elif len(writer.expression(symbol)[0]) > WIDE:
                self.chosen.add(symbol)

    def is_before_activation(self, symbol: Symbol) -> bool:
        """Whether it is the gradient of a sum of products with parameters: textbooks write a line for it."""
        if symbol in self.forward or symbol.op is None or self.gradient(symbol) is not None:
            return False
        first = next(iter(self.gradients.get(symbol, ())), None)
        return first is not None and has_product(self.result.moved[first], self.chosen)

    def can_stand_alone(self, value: Symbol) -> bool:
        """Whether a value inside of a forward line may have a line of its own."""
        new = self.result.moved[value]
        return new in self.forward and new.op is not None and not self.is_free(new) and not self.is_cheap(new)

    def preliminary(self, symbol: Symbol) -> str | None:
        """A name of a usual length, to measure with."""
        found = self.result.names.get(symbol) or self.wishes.get(symbol)
        return found or ("x" * 9 if symbol in self.chosen else None)

    def count(self, must: set[Symbol]) -> None:
        """Choose ``must`` and what is used more than once, if it is not free of cost."""
        self.chosen = set(must)
        self.occurs = dict.fromkeys(self.final, 0)
        self.users: dict[Symbol, list[Symbol]] = {}
        for symbol in reversed(self.final):
            times = self.occurs[symbol]
            if symbol.op is None:
                continue
            if symbol not in must and times > 1 and not self.is_free(symbol) and times > self.allowed(symbol):
                self.chosen.add(symbol)
            for x in symbol.operands():
                self.occurs[x] += 1 if symbol in self.chosen else max(times, 1)
                self.users.setdefault(x, []).append(symbol)

    def is_free(self, symbol: Symbol) -> bool:
        """Whether it is a view that is written as shortly as a name."""
        op = symbol.op
        if op is None or symbol in self.wishes:
            return False
        if op.name == "getitem":
            index = symbol.params["index"]
            parts = index if isinstance(index, tuple) else (index,)
            return len(parts) <= 3 and not any(isinstance(p, (np.ndarray, Symbol)) for p in parts)
        return op.name in FREE

    def allowed(self, symbol: Symbol) -> float:
        """How often an operation is written before it gets a name."""
        return 1 if not self.is_cheap(symbol) else np.inf if operation(symbol).name == "negative" else CHEAP_USES

    def is_cheap(self, symbol: Symbol) -> bool:
        """Whether it is one operation of a number and a value with a name: 1 - p."""
        op = symbol.op
        if op is None or symbol in self.wishes or symbol.name:
            return False
        parts = [x for x in symbol.inputs if isinstance(x, Symbol) and x.fill is None and not is_number(x, {})]
        if op.name == "negative" or (op.name in ARITHMETIC and len(parts) == 1 and len(symbol.inputs) == 2):
            (x,) = parts or (None,)
            return x is not None and (x.op is None or x in self.chosen or x in self.wishes or self.occurs.get(x, 0) > 1)
        return False

    def continues(self, symbol: Symbol) -> bool:
        """Whether it is the beginning of a longer sum, which is written over several lines."""
        users = self.users.get(symbol, ())
        return (
            symbol.op is not None
            and symbol.op.name in SUMS
            and any(u.op.name in SUMS and u.inputs[0] is symbol for u in users if u.op)
        )

    def write(self) -> None:
        """Name the chosen ones and make their lines."""
        result = self.result
        users: dict[Symbol, list[Symbol]] = {}
        for symbol in result.recorded:
            for x in symbol.operands():
                users.setdefault(x, []).append(symbol)
        for symbol in self.final:
            if symbol not in self.chosen:
                continue
            back = symbol not in self.forward
            of = self.gradient(symbol) if back else None
            also = [v for v in self.gradients.get(symbol, ()) if v is not of and result.moved[v] in result.names] if back else []
            if of is not None:
                wish = f"d{result.names[result.moved[of]]}"
            else:
                wish = self.wishes.get(symbol, "") or symbol.name or self.describe(symbol)
            name = result.titles.give(symbol, wish)
            result.names[symbol] = name
            result.lines.append(Line(symbol, name, back, of, users.get(of, []) if of is not None else [], also))

    def describe(self, symbol: Symbol) -> str:
        """A name for a value that nobody has named: after the operation, or after the line that it stands in."""
        title = operation(symbol).name.rpartition(".")[2].rstrip("_")
        operands = [x for x in symbol.inputs if isinstance(x, Symbol)]
        name = self.result.names.get(operands[0], "") if len(operands) == 1 else ""
        if title == "equal":
            zero = any(value_of(x) == 0 for x in symbol.inputs if value_of(x) is not None)
            return (
                "is_zero" if zero else "Y" if any(isinstance(x, Symbol) and x.role == "constant" for x in symbol.inputs) else "same"
            )
        if title == "not_equal" and symbol.inputs[0] is symbol.inputs[1]:
            return "is_nan"
        if title == "setitem" and (base := self.result.names.get(symbol.inputs[0])):
            return f"{base.removesuffix('_set')}_set"
        if title in TITLES:
            return TITLES[title] if title != "exp" or not name or name == "shifted" else f"exp_{name}"
        place = self.place(symbol) if symbol in self.forward else ""
        if title in ("add", "linear", "matmul") and place and has_product(symbol, self.chosen):
            number = place[len(place.rstrip("0123456789")) :]
            z = f"{'Z' if place[0].isupper() else 'z'}{number}"
            if z not in self.result.titles.taken:
                return z
        if name.isidentifier() and len(name) < 12 and len(symbol.inputs) == 1 and title not in WORDS:
            return f"{title}_{name}"
        return f"{place}_inner" if place and place != "loss" and title in WORDS else WORDS.get(title, title)

    def place(self, symbol: Symbol) -> str:
        """The name of the forward line that a value is used in."""
        while symbol not in self.wishes:
            users = [u for u in self.users.get(symbol, ()) if u in self.forward]
            if not users:
                return ""
            symbol = users[-1]
        return self.wishes[symbol]


def value_of(x: Any) -> Any:
    """The number that an operand is; None for an array."""
    return x.fill if isinstance(x, Symbol) else x


SUMS = ("add", "subtract")
TITLES = {"softmax": "P", "exp": "E", "keep_mask": "mask"}
WORDS = {"sum": "total", "multiply": "product", "add": "sum", "subtract": "difference", "divide": "quotient", "getitem": "part",
         "matmul": "product", "pow": "power", "reshape": "reshaped", "scatter": "scattered", "bitwise_or": "either",
         "bitwise_and": "both", "where": "chosen", "expand_dims": "expanded"}  # fmt: skip


def has_product(symbol: Symbol, chosen: set[Symbol]) -> bool:
    """Whether a value is a sum of matrix products and other things: what goes into an activation."""
    if symbol.op is None:
        return False
    if symbol.op.name in ("linear", "matmul"):
        return any(isinstance(x, Symbol) and x.role == "parameter" for x in symbol.inputs)
    return symbol.op.name == "add" and any(
        has_product(x, chosen) for x in symbol.inputs if isinstance(x, Symbol) and x not in chosen
    )


def describe_uses(result: Plan) -> None:
    """Note for each line of the way back which lines use it."""
    lines = {line.symbol: line for line in result.lines}
    for line in result.lines:
        for symbol in dict.fromkeys(lines_of(line.symbol, lines)):
            lines[symbol].uses.append(line.name)


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


def lines_of(symbol: Symbol, position: Mapping[Symbol, Any]) -> list[Symbol]:
    """The values with lines that an expression refers to."""
    found, stack = [], list(symbol.operands())
    while stack:
        x = stack.pop()
        if x in position:
            found.append(x)
        else:
            stack.extend(x.operands())
    return found
