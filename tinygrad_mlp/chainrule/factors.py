"""The factors of an elementwise product, collected: numbers in front, equal ones as powers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..symbols import Symbol
from .expression import OPERATORS
from .notation import ATOM, BIG, HADAMARD, NEGATIVE, POWER, PRODUCT, RATIO, SCALED, Notation, Text

if TYPE_CHECKING:
    from .mathematics import Formula

__all__ = ["CONSTANTS", "Factors", "fits", "whole"]

CONSTANTS: dict[float, Callable[[Notation], Text]] = {
    math.log(2): lambda n: n.call("ln", ["2"]),
    math.log(10): lambda n: n.call("ln", ["10"]),
    math.pi / 180: lambda n: n.fraction(Text(n.signs["pi"], ATOM), Text("180", ATOM)),
    math.sqrt(0.5): lambda n: n.fraction(Text("1", ATOM), n.root(Text("2", ATOM))),
    -math.sqrt(0.5): lambda n: Text("-" + n.fraction(Text("1", ATOM), n.root(Text("2", ATOM))).text, NEGATIVE),
    math.sqrt(2 / math.pi): lambda n: n.root(n.fraction(Text("2", ATOM), Text(n.signs["pi"], ATOM))),
    math.sqrt(2 / math.pi) / 2: lambda n: n.fraction(Text("1", ATOM), n.root(Text(f"2{n.by}{n.signs['pi']}", SCALED))),
    2 / math.sqrt(math.pi): lambda n: n.fraction(Text("2", ATOM), n.root(Text(n.signs["pi"], ATOM))),
}
"""Numbers that have a name."""


def fits(x: Symbol, user: Symbol | None) -> bool:
    """Whether an operand of an elementwise operation need not have the result's shape, since another one has it."""
    if user is None or user.op is None or not (user.op.elementwise or user.op.name in OPERATORS) or user.op.name == "matmul":
        return False
    inner = x.inputs[0].shape if x.op is not None and x.op.name == "broadcast_to" else ()
    others = [y.shape for y in user.inputs if isinstance(y, Symbol) and y is not x]
    if any(
        isinstance(y, Symbol) and (y.fill is not None or (y.op is not None and y.op.name == "broadcast_to"))
        for y in user.inputs
        if y is not x
    ):
        return False  # of two such operands one must show the shape
    return bool(others) and np.broadcast_shapes(*others, inner) == user.shape


class Factors:
    """The factors of an elementwise product: a sign, a fraction of whole numbers, numbers, and powers of arrays."""

    def __init__(self, f: Formula) -> None:
        self.f, self.negative, self.above, self.below = f, False, 1, 1
        self.texts: list[Text] = []
        self.powers: dict[Symbol, int] = {}
        self.users: dict[Symbol, Symbol] = {}

    def take(self, x: Any, user: Symbol) -> None:
        """Add a factor; a product's own factors one by one."""
        if not isinstance(x, Symbol) or (x.fill is not None and (not x.shape or fits(x, user))):
            self.take_number(x.fill if isinstance(x, Symbol) else x)
            return
        name = x.op.name if x.op is not None and self.f.name(x) is None else ""
        if name == "multiply":
            for y in x.inputs:
                self.take(y, x)
        elif name == "negative":
            self.negative = not self.negative
            self.take(x.inputs[0], x)
        elif name == "broadcast_to" and fits(x, user):
            self.take(x.inputs[0], user)
        elif name == "divide" and whole(x.inputs[1]):
            self.take(x.inputs[0], x)
            self.below *= whole(x.inputs[1])
        else:
            self.powers[x] = self.powers.get(x, 0) + 1
            self.users.setdefault(x, user)

    def take_number(self, x: Any) -> None:
        """Add a number."""
        value = complex(x)
        if value.imag or value != value:
            self.texts.append(self.f.number(x))
            return
        if value.real < 0:
            self.negative, value = not self.negative, -value
        above, below = self.f.ratio(value.real) if value.real not in CONSTANTS else (0, 0)
        if below:
            self.above, self.below = self.above * above, self.below * below
        else:
            self.texts.append(self.f.number(value.real))

    def text(self, divided_by: Text | None = None) -> Text:
        """The product; over a denominator if one is given."""
        n = self.f.n
        numbers = [n.at(t, POWER) for t in self.texts]
        if self.below > 1:
            numbers.insert(0, n.fraction(Text(str(self.above), ATOM), Text(str(self.below), ATOM)).text)
        elif self.above != 1:
            numbers.insert(0, str(self.above))
        scalars = [self.power(x) for x in self.powers if not x.shape]
        arrays = [self.power(x) for x in self.powers if x.shape]
        if divided_by is not None and self.below > 1:
            fraction = numbers.pop(0)
            self.above = self.below = 1
            rest = self.text(divided_by)
            text = fraction + n.by + rest.text.removeprefix(n.minus)
            return Text((n.minus if self.negative else "") + text, NEGATIVE if self.negative else SCALED)
        alone = len(arrays) + len(scalars) + len(numbers) == 1
        if alone and not self.negative and divided_by is None:
            return (arrays or scalars or [Text(numbers[0], RATIO if self.below > 1 else ATOM)])[0]
        if alone and not numbers and divided_by is not None:
            text, holds = n.fraction((arrays or scalars)[0], divided_by)
            return Text(n.minus + text, NEGATIVE) if self.negative else Text(text, holds)
        big = len(arrays) + len(scalars) == 1 and (arrays or scalars)[0].holds == BIG
        numbers += [n.at(t, BIG if big else POWER) for t in scalars]
        parts = [n.at(t, BIG if big else PRODUCT if len(arrays) == 1 else POWER) for t in arrays]
        array = n.times.join(parts)
        text = n.by.join([*numbers, *([array] if array else [])]) or "1"
        holds = BIG if big else HADAMARD if len(parts) > 1 else PRODUCT if arrays and arrays[0].holds == PRODUCT else SCALED
        if len(numbers) + len(parts) <= 1:
            holds = max([t.holds for t in (*arrays, *scalars)], default=ATOM)
            holds = min(holds, POWER) if not big else BIG
        if divided_by is not None:
            text, holds = n.fraction(Text(text, holds), divided_by)
        return Text(n.minus + text, NEGATIVE) if self.negative else Text(text, holds)

    def power(self, x: Symbol) -> Text:
        """A factor, with an exponent if it occurs more than once."""
        text = self.f.operand(x, self.users[x])
        return text if self.powers[x] == 1 else self.f.n.power(text, Text(str(self.powers[x]), ATOM))


def whole(x: Any) -> int:
    """A positive whole number that an operand is, else 0."""
    value = x.fill if isinstance(x, Symbol) else x
    if isinstance(x, Symbol) and (x.fill is None or x.shape):
        return 0
    if value is None or isinstance(value, (complex, np.complexfloating)):
        return 0
    return int(value) if math.isfinite(value) and 0 < value < 1e9 and float(value).is_integer() else 0
