"""The fourth reading of a rule: the text of an operation as mathematics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..symbols import Symbol, ancestors
from .expression import OPERATORS, is_default
from .factors import CONSTANTS, fits
from .notation import ATOM, COMPARE, LATEX, NEGATIVE, PLAIN, POWER, SCALED, SUM, Notation, Text
from .templates import TEMPLATES

__all__ = ["Formula", "sizes_of", "steps"]

FUNCTIONS = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arsinh",
    "acosh": "arcosh",
    "atanh": "artanh",
    "contract": "einsum",
}
"""Functions that are written otherwise than they are called."""


class Formula:
    """Writes operations as mathematics.

    Parameters
    ----------
    name : the text of a Symbol that has a name; None for one that is written where it is used
    array : the text of an array of numbers that is a parameter or a constant
    notation : how the parts are written
    sizes : lengths and counts that occur, of which fractions are written
    """

    def __init__(
        self,
        name: Callable[[Symbol], Text | None],
        array: Callable[[Any], str],
        notation: Notation = LATEX,
        sizes: Sequence[int] = (),
    ) -> None:
        self.name, self.array, self.n, self.sizes = name, array, notation, frozenset(sizes)
        self.decided: dict[Any, bool] = {}

    # --- operands -----------------------------------------------------------------------------------------------------

    def operand(self, x: Any, user: Symbol | None = None) -> Text:
        """An operand: a name, a number or an expression."""
        if not isinstance(x, Symbol):
            return Text(self.n.word("None"), ATOM) if x is None else self.number(x)
        named = self.name(x)
        if named is not None:
            return named
        if x.fill is not None:
            return self.uniform(x, user)
        if x.op is None:
            return self.constant(x)
        if x.op.name == "broadcast_to" and fits(x, user):
            return self.operand(x.inputs[0])
        return self.expression(x)

    def at(self, x: Any, holds: int, user: Symbol | None = None) -> str:
        """An operand, in brackets if it would fall apart."""
        return self.n.at(self.operand(x, user), holds)

    def uniform(self, x: Symbol, user: Symbol | None) -> Text:
        """An array of equal entries: a number where it is broadcast to the same result, else a multiple of the array of ones."""
        if not x.shape or fits(x, user):
            return self.number(x.fill)
        if x.fill == 0:
            return self.n.filled("0", x.shape)
        ones = self.n.filled("1", x.shape)
        return ones if x.fill == 1 else Text(f"{self.n.at(self.number(x.fill), POWER)}{self.n.by}{ones.text}", SCALED)

    def constant(self, x: Symbol) -> Text:
        """A constant array: the unit matrix, 0, 1, …, n − 1, or a name."""
        value = getattr(x.value, "array", x.value)
        if not x.shape and value is not None:
            return self.number(np.asarray(value)[()])
        if isinstance(value, np.ndarray):
            if value.ndim == 1 and value.size > 1 and np.array_equal(value, np.arange(value.size)):
                return self.n.numbered(value.size)
            if value.ndim == 2 and value.size and np.array_equal(value, np.eye(*value.shape)):
                return self.n.unit(value.shape)
        return Text(self.array(value), ATOM)

    # --- numbers ------------------------------------------------------------------------------------------------------

    def number(self, x: Any) -> Text:
        """A number: whole, a fraction that says more than its digits, a known constant, or digits."""
        n = self.n
        x = x.item() if isinstance(x, np.generic) else x
        if isinstance(x, complex):
            if not x.real:
                part = self.number(x.imag)
                return Text(n.signs["i"] if x.imag == 1 else f"{n.minus}{n.signs['i']}" if x.imag == -1 else
                            f"{part.text}{n.by}{n.signs['i']}", ATOM if x.imag == 1 else min(part.holds, SCALED))  # fmt: skip
            size = "" if abs(x.imag) == 1 else f"{self.n.at(self.number(abs(x.imag)), POWER)}{n.by}"
            return Text(f"{self.number(x.real).text} {'+' if x.imag >= 0 else n.minus} {size}{n.signs['i']}", SUM)
        if isinstance(x, (bool, int)):
            return Text(f"{int(x)}" if x >= 0 else f"{n.minus}{-x}", ATOM if x >= 0 else NEGATIVE)
        if x != x:
            return Text(n.signs["nan"], ATOM)
        if x in CONSTANTS:
            return CONSTANTS[x](n)
        if x < 0:
            return Text(n.minus + self.number(-x).text, NEGATIVE)
        if x == math.inf:
            return Text(n.signs["inf"], ATOM)
        if x.is_integer() and x < 1e15:
            return Text(str(int(x)), ATOM)
        above, below = self.ratio(x)
        if below > 1:
            return n.fraction(Text(str(above), ATOM), Text(str(below), ATOM))
        digits, _, exponent = repr(x).partition("e")
        return n.scientific(digits, int(exponent)) if exponent else Text(digits, ATOM)

    def ratio(self, x: float) -> tuple[int, int]:
        """p / q for a number that is one, q small or a size that occurs; else (0, 0)."""
        if not math.isfinite(x):
            return 0, 0
        near = Fraction(x).limit_denominator(100_000)
        simple = near.denominator in self.sizes or near.denominator <= 12
        is_near = float(near) == x or np.float32(float(near)) == np.float32(x) != x
        return (near.numerator, near.denominator) if simple and is_near and abs(near.numerator) < 100 else (0, 0)

    # --- operations ---------------------------------------------------------------------------------------------------

    def expression(self, s: Symbol) -> Text:
        """The operation that makes a Symbol."""
        op = s.op
        if op is None:
            raise ValueError("an input has a name, and no expression")
        template = TEMPLATES.get(op.name)
        found = template(self, s) if template is not None else None
        if found is not None:
            return found
        sign, _ = OPERATORS.get(op.name, ("", 0))
        if sign in ("==", "!=", "<", "<=", ">", ">="):
            x, y = s.inputs
            return Text(f"{self.at(x, SUM - 1, s)} {self.n.signs[sign]} {self.at(y, SUM - 1, s)}", COMPARE)
        return self.call(s)

    def call(self, s: Symbol, count: int | None = None) -> Text:
        """The function by name, of all its inputs or the first ``count``, its parameters behind a semicolon."""
        if s.op is None:
            raise ValueError("an input has no function")
        name = s.op.name
        arguments = [self.operand(x, s).text for x in s.inputs[:count]]
        shown = {k: v for k, v in s.params.items() if v is not np._NoValue and not is_default(v, s.op.params.get(k, ...))}
        settings = ", ".join(self.n.setting(k, self.param(v)) for k, v in shown.items())
        found = self.n.call(FUNCTIONS.get(name, name.removeprefix("np.")), arguments)
        return (
            found
            if not settings
            else self.n.call(FUNCTIONS.get(name, name.removeprefix("np.")), [", ".join(arguments) + f"; {settings}"])
        )

    def param(self, value: Any) -> str:
        """A parameter's value."""
        if isinstance(value, np.dtype):
            return self.n.quoted(value.name)
        if isinstance(value, str):
            return self.n.quoted(value)
        if isinstance(value, tuple) and any(isinstance(v, (slice, Symbol, np.ndarray, type(None), type(Ellipsis))) for v in value):
            return f"[{self.index(value)}]"
        if isinstance(value, (slice, Symbol, np.ndarray)) or value is Ellipsis:
            return f"[{self.index(value)}]"
        if isinstance(value, tuple):
            return f"({', '.join(map(self.param, value))})"
        if isinstance(value, (bool, type(None))):
            return self.n.quoted(str(value))
        return self.number(value).text if isinstance(value, (int, float, complex, np.generic)) else self.n.quoted(str(value))

    def index(self, index: Any) -> str:
        """What stands in the brackets of x[…]."""
        if isinstance(index, tuple):
            return ", ".join(map(self.index, index))
        if isinstance(index, slice):
            ends = [self.number(end).text if end is not None else "" for end in (index.start, index.stop)]
            return ":".join(ends) + (f":{self.number(index.step).text}" if index.step is not None else "")
        if index is Ellipsis:
            return self.n.signs["..."]
        if index is None:
            return self.n.signs["None"]
        if isinstance(index, Symbol):
            return self.operand(index).text
        return self.array(index) if isinstance(index, np.ndarray) else self.number(index).text


# --- formulas of several lines ------------------------------------------------------------------------------------------------


def steps(
    results: Sequence[Any], names: dict[Symbol, Text], array: Callable[[Any], str], notation: Notation, wide: int = 100
) -> tuple[list[tuple[str, str]], list[str]]:
    """The texts of the results, and before them the lines T₁ = …, T₂ = … of what is used twice or would be too long.

    ``names`` are those of the inputs.
    """
    known = dict(names)
    plain = {s: Text(t.text, ATOM) for s, t in names.items()}
    roots = dict.fromkeys(r for r in results if isinstance(r, Symbol))
    symbols = ancestors(roots)
    uses: dict[Symbol, int] = dict.fromkeys(symbols, 0)
    for s in symbols:
        for x in s.operands():
            uses[x] += 1
    sizes = sizes_of(symbols)
    write, measure = Formula(known.get, array, notation, sizes), Formula(plain.get, lambda a: "C", PLAIN, sizes)
    lines: list[tuple[str, str]] = []
    for s in symbols:
        if s.op is None or s in known or s in roots:
            continue
        length = len(measure.expression(s).text)
        if (uses[s] > 1 and length > 24 and s.op.name not in ("multiply", "negative", "where")) or length > wide:
            text = notation.side(write.expression(s))
            title = f"T{len(lines) + 1}"
            known[s], plain[s] = notation.name(title), PLAIN.name(title)
            lines.append((known[s].text, text))
    return lines, [notation.side(write.operand(r)) for r in results]


def sizes_of(symbols: Iterable[Symbol]) -> list[int]:
    """The lengths and counts that occur."""
    return sorted({n for s in symbols for n in (*s.shape, s.size)})
