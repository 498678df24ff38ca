"""How each operation is written as mathematics: those for which a reader does not expect the function's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..kernels.shapes import reduced
from ..symbols import Symbol
from .factors import Factors, whole
from .notation import (
    AND,
    ATOM,
    BIG,
    HADAMARD,
    LETTERS,
    NEGATIVE,
    NOT,
    OR,
    POWER,
    PRODUCT,
    RATIO,
    SCALED,
    SUM,
    Text,
)  # fmt: skip

if TYPE_CHECKING:
    from .mathematics import Formula

__all__ = ["TEMPLATES", "transposed"]


# --- products ---------------------------------------------------------------------------------------------------------------


def multiply(f: Formula, s: Symbol) -> Text:
    factors = Factors(f)
    for x in s.inputs:
        factors.take(x, s)
    return factors.text()


def divide(f: Formula, s: Symbol) -> Text:
    x, y = s.inputs
    factors = Factors(f)
    factors.take(x, s)
    if n := whole(y):
        factors.below *= n
        if factors.below == n and factors.above == 1 and not factors.texts and len(factors.powers) == 1:
            (base,) = factors.powers
            if factors.power(base).holds >= POWER and factors.power(base).holds != RATIO:
                factors.below = 1
                return factors.text(Text(str(n), ATOM))
        return factors.text()
    return factors.text(f.operand(y, s))


def negative(f: Formula, s: Symbol) -> Text:
    factors = Factors(f)
    factors.take(s.inputs[0], s)
    factors.negative = not factors.negative
    return factors.text()


def matmul(f: Formula, s: Symbol) -> Text:
    x, y = s.inputs
    return Text(f"{f.at(x, PRODUCT)}{f.n.by}{f.at(y, POWER)}", PRODUCT)


def linear(f: Formula, s: Symbol) -> Text:
    x, w, b = s.inputs
    return Text(f"{f.at(x, PRODUCT)}{f.n.by}{f.at(w, POWER)}{f.n.plus}{f.at(b, SUM + 1)}", SUM)


def conv(f: Formula, s: Symbol) -> Text:
    return f.call(s, 3 if s.inputs[2] is not None else 2)


# --- sums -------------------------------------------------------------------------------------------------------------------


def add(f: Formula, s: Symbol) -> Text:
    x, y = s.inputs
    left, right = f.operand(x, s), f.operand(y, s)
    if x is y and left.holds >= RATIO:
        return Text(f"2{f.n.by}{left.text}", SCALED)
    start = left.text if left.holds in (SUM, NEGATIVE) else f.n.at(left, SUM + 1)
    if right.holds == NEGATIVE and right.text.startswith(f.n.minus):
        return Text(f"{start} {f.n.minus} {right.text.removeprefix(f.n.minus)}", SUM)
    return Text(f"{start}{f.n.plus}{f.n.at(right, SUM + 1)}", SUM)


def subtract(f: Formula, s: Symbol) -> Text:
    x, y = s.inputs
    left, right = f.operand(x, s), f.operand(y, s)
    start = left.text if left.holds in (SUM, NEGATIVE) else f.n.at(left, SUM + 1)
    return Text(f"{start} {f.n.minus} {f.n.at(right, SUM + 1)}", SUM)


def over_axes(f: Formula, s: Symbol, kind: str) -> Text | None:
    """A sum, product, maximum or minimum over axes."""
    (x,) = s.inputs
    axis = s.params["axis"]
    if s.params.get("dtype") is not None or not x.shape or (axis is not None and not np.size(axis)):
        return None
    letters = [LETTERS[a] for a in reduced(axis, len(x.shape))]
    return f.n.over(kind, letters, f.operand(x), bool(s.params["keepdims"]))


def big(kind: str) -> Callable[[Formula, Symbol], Text | None]:
    """The template of a sum, product, maximum or minimum."""
    return lambda f, s: over_axes(f, s, kind)


def mean(f: Formula, s: Symbol) -> Text | None:
    (x,) = s.inputs
    n = x.size // s.size if s.size else 0
    total = over_axes(f, s, "sum") if n else None
    if total is None:
        return None
    return total if n == 1 else Text(f.n.fraction(Text("1", ATOM), Text(str(n), ATOM)).text + f.n.by + total.text, BIG)


# --- powers and functions ---------------------------------------------------------------------------------------------------


def power(f: Formula, s: Symbol) -> Text:
    x, y = s.inputs
    if not isinstance(y, Symbol) and y == -1:
        return f.n.fraction(Text("1", ATOM), f.operand(x, s))
    return f.n.power(f.operand(x, s), f.operand(y, s))


def square(f: Formula, s: Symbol) -> Text:
    return f.n.power(f.operand(s.inputs[0]), Text("2", ATOM))


def reciprocal(f: Formula, s: Symbol) -> Text:
    return f.n.fraction(Text("1", ATOM), f.operand(s.inputs[0]))


def root(f: Formula, s: Symbol) -> Text:
    return f.n.root(f.operand(s.inputs[0]))


def relu(f: Formula, s: Symbol) -> Text:
    return f.n.call("max", [f.operand(s.inputs[0]).text, "0"])


def enclosed(kind: str) -> Callable[[Formula, Symbol], Text]:
    return lambda f, s: f.n.enclosed(kind, f.operand(s.inputs[0]))


def titled(name: str) -> Callable[[Formula, Symbol], Text]:
    return lambda f, s: f.n.call(name, [f.operand(x, s).text for x in s.inputs])


def inverse(f: Formula, s: Symbol) -> Text:
    return f.n.raised(f.operand(s.inputs[0]), "-1")


def solve(f: Formula, s: Symbol) -> Text:
    a, b = s.inputs
    if a.op is not None and f.name(a) is None and transposed(a):
        left = f.n.raised(f.operand(a.inputs[0]), "-T")
    else:
        left = f.n.raised(f.operand(a), "-1")
    return Text(f"{left.text}{f.n.by}{f.at(b, POWER)}", PRODUCT)


def where(f: Formula, s: Symbol) -> Text:
    """Cases. In a branch the condition is known: another choice by the same condition need not be written there."""
    c, x, y = s.inputs
    if c in f.decided:
        return f.operand(x if f.decided[c] else y, s)
    condition = f.operand(c, s)
    if not isinstance(c, Symbol):
        return f.n.cases(condition, f.operand(x, s), f.operand(y, s))
    before = f.decided
    f.decided = {**before, c: True}
    left = f.operand(x, s)
    f.decided = {**before, c: False}
    right = f.operand(y, s)
    f.decided = before
    return f.n.cases(condition, left, right)


def logical(sign: str, holds: int) -> Callable[[Formula, Symbol], Text]:
    return lambda f, s: Text(f" {f.n.signs[sign]} ".join(f.at(x, holds, s) for x in s.inputs), holds)


def invert(f: Formula, s: Symbol) -> Text:
    return Text(f.n.signs["~"] + f.n.group(f.operand(s.inputs[0])).text, NOT)


# --- shapes -----------------------------------------------------------------------------------------------------------------


def transposed(s: Symbol) -> bool:
    """Whether the operation swaps the last two axes only."""
    n = len(s.shape)
    if s.op is None or s.op.name != "permute_dims" or n < 2:
        return False
    axes = s.params["axes"]
    full = [a % n for a in axes] if axes is not None else [*range(n)][::-1]
    return full == [*range(n - 2), n - 1, n - 2]


def permute(f: Formula, s: Symbol) -> Text | None:
    (x,) = s.inputs
    if not transposed(s):
        return None
    if x.op is not None and x.op.name == "linalg.inv" and f.name(x) is None:
        return f.n.raised(f.operand(x.inputs[0]), "-T")
    return f.n.raised(f.operand(x), "T")


def reshape(f: Formula, s: Symbol) -> Text:
    (x,) = s.inputs
    axes = put_in(x.shape, s.shape)
    if axes is not None:
        return f.n.axes(f.operand(x), [(LETTERS[i], i in axes) for i in range(len(s.shape))])
    return f.n.call("reshape", [f.operand(x).text], f.n.shape(s.shape))


def put_in(small: tuple[int, ...], large: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes of length 1 that make a shape of a smaller one, if they are all that makes the difference."""
    if len(large) <= len(small) or not large:
        return None
    rest, new = list(small), []
    for i, length in enumerate(large):
        if rest and rest[0] == length and not (length == 1 and len(large) - i > len(rest)):
            rest.pop(0)
        elif length == 1:
            new.append(i)
        else:
            return None
    return tuple(new) if not rest else None


def expand_dims(f: Formula, s: Symbol) -> Text:
    axes = normalize_axis_tuple(s.params["axis"], len(s.shape))
    x = f.operand(s.inputs[0])
    return f.n.axes(x, [(LETTERS[i], i in axes) for i in range(len(s.shape))]) if axes else x


def getitem(f: Formula, s: Symbol) -> Text:
    (x,) = s.inputs
    index = s.params["index"]
    parts = index if isinstance(index, tuple) else (index,)
    if parts and all(p is None or p is Ellipsis for p in parts) and None in parts:
        place = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
        front, back = place, len(parts) - place - (Ellipsis in parts)
        n = len(s.shape)
        return f.n.axes(f.operand(x), [(LETTERS[i], i < front or i >= n - back) for i in range(n)])
    if len(parts) == len(x.shape) == 2 and isinstance(parts[0], np.ndarray) and np.array_equal(parts[0], np.arange(x.shape[0])):
        column = f.name(parts[1]) if isinstance(parts[1], Symbol) else None
        if column is not None and column.holds == ATOM and "_" not in column.text:
            return f.n.row_by_row(f.operand(x), column.text)
    return f.n.picked(f.operand(x), f.index(index))


def broadcast_to(f: Formula, s: Symbol) -> Text:
    x = f.operand(s.inputs[0])
    sign = f.n.times if s.inputs[0].shape else f.n.by
    return Text(f"{f.n.at(x, POWER)}{sign}{f.n.filled('1', s.shape).text}", HADAMARD if s.inputs[0].shape else SCALED)


def same(f: Formula, s: Symbol) -> Text | None:
    if s.op is not None and s.op.name == "astype" and s.dtype.kind in "iu" and s.inputs[0].dtype.kind not in "iub":
        return None
    return f.operand(s.inputs[0], s)


TEMPLATES: dict[str, Callable[[Formula, Symbol], Text | None]] = {
    "multiply": multiply, "divide": divide, "negative": negative, "matmul": matmul, "linear": linear,
    "conv": conv, "conv_transpose": conv,
    "add": add,
    "subtract": subtract, "mean": mean, "pow": power, "float_power": power, "square": square, "reciprocal": reciprocal,
    "sqrt": root,
    "relu": relu, "maximum": titled("max"), "minimum": titled("min"), "abs": enclosed("abs"), "fabs": enclosed("abs"),
    "floor": enclosed("floor"), "ceil": enclosed("ceil"), "conj": enclosed("conj"), "real": titled("Re"), "imag": titled("Im"),
    "linalg.inv": inverse, "linalg.solve": solve, "linalg.det": titled("det"), "where": where,
    "np.bitwise_and": logical("&", AND), "np.bitwise_or": logical("|", OR), "np.logical_and": logical("&", AND),
    "np.logical_or": logical("|", OR), "np.bitwise_invert": invert, "np.invert": invert, "np.logical_not": invert,
    "permute_dims": permute, "reshape": reshape, "squeeze": reshape, "expand_dims": expand_dims, "getitem": getitem,
    "broadcast_to": broadcast_to,
    "positive": same, "astype": same,
    "sum": big("sum"), "prod": big("prod"), "max": big("max"), "min": big("min"),
}  # fmt: skip
