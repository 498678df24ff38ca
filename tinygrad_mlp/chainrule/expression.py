"""The text of one operation as NumPy: operators where Python has them, methods and attributes where they read better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..dispatch import is_numpys, name_of, signature
from ..errors import UnsupportedError
from ..graph import Node
from ..primitive import Primitive
from ..symbols import Symbol
from .forms import ATOM, COMPARE, METHODS, OPERATORS, POSTFIX, PRODUCT, SUM, TEMPLATES, UNARY, Text, dtype_text, operation
from .names import identifier

__all__ = ["ATOM", "OPERATORS", "Writer", "is_number", "is_own"]


def is_own(op: Primitive) -> bool:
    """Whether the forward function is one of ours (or of the user's), which NumPy has not."""
    return op.name not in TEMPLATES and op.name not in METHODS and not is_numpys(op.forward)


def helper_name(op: Primitive) -> str:
    """What a forward function is called in the module."""
    name = op.forward.__name__
    return name if name.isidentifier() else identifier(op.name)


class Writer:
    """Writes operations as NumPy expressions.

    Parameters
    ----------
    name : what a Symbol that has a line of its own is called; None for one that is written where it is used
    array : the text of an array that is a parameter (an index)
    sizes : lengths and counts that occur, for which 1/n is written as a fraction
    function : what a forward function that NumPy has not is called
    """

    def __init__(
        self,
        name: Callable[[Symbol], str | None],
        array: Callable[[Any], str],
        sizes: Sequence[int] = (),
        function: Callable[[Primitive], str] = helper_name,
    ) -> None:
        self.name, self.array, self.sizes, self.function = name, array, frozenset(sizes), function

    def operand(self, x: Any, user: Symbol | None = None) -> Text:
        """An operand: a name, a number or an expression."""
        if not isinstance(x, Symbol):
            return self.number(x, user)
        name = self.name(x)
        if name is not None:
            return name, ATOM
        if x.op is None and x.fill is None and not x.shape and x.value is not None:
            return self.number(scalar_of(x), user)
        return self.constant(x, user) if x.fill is not None else self.expression(x)

    def expression(self, symbol: Symbol) -> Text:
        """The operation that makes a Symbol."""
        op = symbol.op
        if op is None:
            raise ValueError("an input has a name, and no expression")
        if op.name in OPERATORS:
            return self.infix(symbol, *OPERATORS[op.name])
        template = TEMPLATES.get(op.name)
        if template is not None:
            return template(self, symbol)
        if op.name in METHODS:
            return f"{self.at(symbol.inputs[0], POSTFIX)}.{METHODS[op.name]}({self.params(symbol)})", POSTFIX
        inputs = [self.operand(x, symbol)[0] for x in symbol.inputs]
        function = name_of(op.forward) if is_numpys(op.forward) else self.function(op)
        return f"{function}({', '.join([*inputs, *filter(None, [self.params(symbol)])])})", POSTFIX

    def terms(self, symbol: Symbol) -> list[str]:
        """The terms of a sum, each but the first with its sign; a single one if it is no sum."""
        found: list[str] = []
        while symbol.op is not None and symbol.op.name in ("add", "subtract"):
            x, y = symbol.inputs
            sign = OPERATORS[symbol.op.name][0]
            found.append(f"{sign} {self.at(y, SUM + 1, symbol)}")
            if not isinstance(x, Symbol) or self.name(x) is not None or x.op is None:
                return [self.at(x, SUM, symbol), *reversed(found)]
            symbol = x
        return [self.expression(symbol)[0], *reversed(found)]

    def at(self, x: Any, strength: int, user: Symbol | None = None) -> str:
        """An operand, in brackets if it would fall apart."""
        text, holds = self.operand(x, user)
        return text if holds >= strength else f"({text})"

    def infix(self, symbol: Symbol, sign: str, strength: int) -> Text:
        """x sign y. What is grouped to the right stays so: floating-point sums depend on it."""
        x, y = symbol.inputs
        left = self.at(x, strength + (sign == "**" or strength == COMPARE), symbol)
        return f"{left} {sign} {self.at(y, strength + (sign != '**'), symbol)}".replace(" ** ", "**"), strength

    # --- numbers ----------------------------------------------------------------------------------------------------------

    def constant(self, x: Symbol, user: Symbol | None) -> Text:
        """An array of equal entries: a number where NumPy broadcasts it to the same result."""
        if (
            user is not None
            and user.op is not None
            and (user.op.elementwise or user.op.name in OPERATORS)
            and user.op.name != "matmul"
        ):
            others = [y for y in user.inputs if isinstance(y, Symbol) and y is not x]
            if others and np.broadcast_shapes(*[y.shape for y in others]) == user.shape:
                return self.number(x.fill, user)
        if x.shape:
            return filled_text(x.shape, x.fill), POSTFIX
        return self.number(x.fill)

    def number(self, x: Any, user: Symbol | None = None) -> Text:
        """A number. NumPy's scalars decide about the result's dtype: plain ones stand for them beside arrays of the same one."""
        if isinstance(x, np.float64) and not is_weak(x, user) and beside_integers(user):
            x = float(x)
        if isinstance(x, np.generic) and not is_weak(x, user):
            text = self.number(x.item())[0] if x.dtype.kind in "biu" or x.dtype == np.float64 else str(x)
            return (text, ATOM) if x.dtype.kind == "b" else (f"{dtype_text(x.dtype)}({text})", POSTFIX)
        if isinstance(x, np.generic):
            fraction = self.fraction(x)
            if fraction:
                return fraction, PRODUCT
            if x.dtype.kind == "f" and np.isfinite(x):
                text = f"{int(x)}" if x == np.trunc(x) and abs(float(x)) < 1e6 and not (x == 0 and np.signbit(x)) else str(x)
                return text, UNARY if text.startswith("-") else ATOM
            x = x.item()
        if isinstance(x, float) and x != x:
            return "np.nan", POSTFIX
        if isinstance(x, float) and abs(x) == float("inf"):
            return ("np.inf", POSTFIX) if x > 0 else ("-np.inf", UNARY)
        if isinstance(x, complex):
            return (repr(x), ATOM) if x.real or x.imag >= 0 else (f"-{-x!r}", UNARY)
        return repr(x), ATOM if x is None or isinstance(x, bool) or not repr(x).startswith("-") else UNARY

    def fraction(self, x: Any) -> str:
        """k / n for a number that is one, n a size that occurs: 1 / 32 says more than 0.03125."""
        if x.dtype.kind != "f" or x == 0 or abs(x) == 0.5 or not np.isfinite(x):
            return ""
        for k in (1, -1, 2, -2):
            n = round(k / float(x))
            if n in self.sizes and n > 2 and x.dtype.type(k / n) == x and not (k == 2 and n % 2 == 0 and n // 2 in self.sizes):
                return f"{k} / {n}"
        return ""

    # --- parameters ---------------------------------------------------------------------------------------------------------

    def params(self, symbol: Symbol) -> str:
        """The parameters that are not at their defaults, as keyword arguments."""
        op = operation(symbol)
        if is_own(op):
            shown = dict(symbol.params)
        else:
            defaults = op.params if op.name in METHODS else {**op.params, **signature(op.forward)}
            shown = {name: value for name, value in symbol.params.items() if not is_default(value, defaults.get(name, ...))}
        if (
            "axis" in shown
            and op.name in METHODS
            and not is_own(op)
            and covers(shown["axis"], symbol.inputs[0])
            and not shown.get("keepdims")
        ):
            del shown["axis"]
        if op.name in ("var", "std") and "correction" in shown:
            shown["ddof"] = shown.pop("correction")
        return ", ".join(f"{name}={self.param(value, name)}" for name, value in shown.items())

    def param(self, value: Any, name: str = "") -> str:
        """A parameter's value."""
        if isinstance(value, np.dtype):
            return dtype_text(value)
        if callable(value) and not isinstance(value, type):
            raise UnsupportedError(
                f"a function of yours, the argument {name}=, cannot be written down: for linalg.funm write expm, sqrtm or logm"
            )
        if isinstance(value, tuple) and len(value) == 1 and name == "axis":
            return self.param(value[0])
        if name == "index" and not isinstance(value, np.ndarray):
            return f"np.s_[{'()' if isinstance(value, tuple) and not value else self.index(value)}]"
        if isinstance(value, tuple):
            return f"({', '.join(self.param(v) for v in value)}{',' * (len(value) == 1)})"
        if isinstance(value, (np.ndarray, np.random.Generator)):
            return self.array(value)
        if isinstance(value, float):
            return self.number(value)[0]
        return f"np.{value.__name__}" if isinstance(value, type) and issubclass(value, np.generic) else repr(value)

    def index(self, index: Any) -> str:
        """What stands in the brackets of x[…]."""
        if isinstance(index, tuple) and index:
            lone = len(index) == 1 and isinstance(index[0], (np.ndarray, Symbol))
            return ", ".join(self.index(part) for part in index) + "," * lone
        if isinstance(index, slice):
            ends = ["" if end is None else str(end) for end in (index.start, index.stop)]
            return ":".join(ends) + (f":{index.step}" if index.step is not None else "")
        if index is Ellipsis:
            return "..."
        if isinstance(index, Symbol):
            return self.operand(index)[0]
        if isinstance(index, np.ndarray):
            return self.array(index)
        return repr(index)


def covers(axis: Any, x: Symbol) -> bool:
    """Whether the axes of a reduction are all that there are."""
    return isinstance(axis, tuple) and len(x.shape) > 0 and {a % len(x.shape) for a in axis} == set(range(len(x.shape)))


def is_weak(x: np.generic, user: Symbol | None) -> bool:
    """Whether a plain number does the same in the user's operation: all others have its dtype, or one that it does not change."""
    if user is None or user.op is None or not (user.op.elementwise or user.op.name in OPERATORS) or user.op.name == "matmul":
        return False
    others = [y for y in user.inputs if isinstance(y, Symbol) and not (y.op is None and not y.shape and y.role == "constant")]
    if not others or x.dtype.kind not in "fc":
        return False
    return all(y.dtype == x.dtype and y.fill is None for y in others)


def beside_integers(user: Symbol | None) -> bool:
    """Whether a plain float beside the arrays of an operation makes float64 of them."""
    if user is None or user.op is None or not user.op.elementwise or user.dtype != np.float64:
        return False
    arrays = [y for y in user.inputs if isinstance(y, Symbol) and y.fill is None]
    return bool(arrays) and all(y.dtype.kind in "biu" for y in arrays)


def scalar_of(x: Symbol) -> Any:
    """The number that a constant of shape () is."""
    array = x.value.array if isinstance(x.value, Node) else x.value
    return array[()] if isinstance(array, np.ndarray) else array


def filled_text(shape: tuple[int, ...], fill: Any) -> str:
    """np.zeros((2, 3)), np.ones, np.full."""
    size = str(shape[0]) if len(shape) == 1 else str(shape)
    if fill == 0 and not np.signbit(fill if np.asarray(fill).dtype.kind == "f" else 0):
        return f"np.zeros({size}{dtype_argument(fill.dtype)})"
    if fill == 1:
        return f"np.ones({size}{dtype_argument(fill.dtype)})"
    writer = Writer(lambda s: None, lambda a: "")
    number = writer.number(float(fill) if isinstance(fill, np.float64) else fill)[0]
    return f"np.full({size}, {number})"


def dtype_argument(dtype: Any) -> str:
    """The argument that makes an array of a dtype; nothing for float64."""
    return "" if np.dtype(dtype) == np.float64 else f", dtype={dtype_text(dtype)}"


def is_default(value: Any, default: Any) -> bool:
    """Whether a parameter need not be written."""
    return value is default or (type(value) is type(default) and not isinstance(value, np.ndarray) and bool(value == default))


def is_number(symbol: Symbol, objects: Mapping[int, str]) -> bool:
    """Whether a constant is one number that nobody has named: it is written as one."""
    return symbol.role == "constant" and not symbol.shape and not symbol.name and id(symbol.value) not in objects
