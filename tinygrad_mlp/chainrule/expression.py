"""The text of one operation as NumPy: operators where Python has them, methods and attributes where they read better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dispatch import is_numpys, name_of
from ..primitive import Primitive
from ..symbols import Symbol

__all__ = ["ATOM", "Writer", "is_own"]

ATOM, POSTFIX, POWER, UNARY, PRODUCT, SUM, AND, XOR, OR, COMPARE = 20, 19, 16, 15, 14, 13, 12, 11, 10, 9

OPERATORS = {
    "add": ("+", SUM), "subtract": ("-", SUM), "multiply": ("*", PRODUCT), "divide": ("/", PRODUCT), "matmul": ("@", PRODUCT),
    "floor_divide": ("//", PRODUCT), "remainder": ("%", PRODUCT), "pow": ("**", POWER),
    "np.equal": ("==", COMPARE), "np.not_equal": ("!=", COMPARE), "np.less": ("<", COMPARE), "np.less_equal": ("<=", COMPARE),
    "np.greater": (">", COMPARE), "np.greater_equal": (">=", COMPARE), "np.bitwise_and": ("&", AND), "np.bitwise_or": ("|", OR),
    "np.bitwise_xor": ("^", XOR),
}  # fmt: skip
METHODS = {"sum": "sum", "mean": "mean", "max": "max", "min": "min", "prod": "prod", "var": "var", "std": "std"}

Text = tuple[str, int]
"""A text and how tightly it holds together."""


def is_own(op: Primitive) -> bool:
    """Whether the forward function is one of ours (or of the user's), which NumPy has not."""
    return op.name not in TEMPLATES and op.name not in METHODS and not is_numpys(op.forward)


class Writer:
    """Writes operations as NumPy expressions.

    Parameters
    ----------
    name : what a Symbol that has a line of its own is called; None for one that is written where it is used
    array : the text of an array that is a parameter (an index)
    sizes : lengths and counts that occur, for which 1/n is written as a fraction
    """

    def __init__(self, name: Callable[[Symbol], str | None], array: Callable[[Any], str], sizes: Sequence[int] = ()) -> None:
        self.name, self.array, self.sizes = name, array, frozenset(sizes)

    def operand(self, x: Any, user: Symbol | None = None) -> Text:
        """An operand: a name, a number or an expression."""
        if not isinstance(x, Symbol):
            return self.number(x)
        name = self.name(x)
        if name is not None:
            return name, ATOM
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
        if op.variadic:
            inputs = [f"[{', '.join(inputs)}]"]
        function = name_of(op.forward) if is_numpys(op.forward) else op.forward.__name__
        if function == "np.concat":
            function = "np.concatenate"
        return f"{function}({', '.join([*inputs, *filter(None, [self.params(symbol)])])})", POSTFIX

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
        others = [y for y in user.inputs if isinstance(y, Symbol) and y is not x] if user is not None else []
        fits = user is not None and user.op is not None and (user.op.elementwise or user.op.name in OPERATORS)
        if fits and user is not None and user.op is not None and user.op.name != "matmul":
            shape = np.broadcast_shapes(*[y.shape for y in others]) if others else ()
            if others and shape == user.shape:
                kinds = {y.dtype for y in others}
                return self.number(x.fill if x.dtype in kinds and kinds == {x.dtype} else x.fill, weak=kinds == {x.dtype})
        if x.fill == 0:
            return f"np.zeros({x.shape}, {dtype_text(x.dtype)})", POSTFIX
        if x.fill == 1:
            return f"np.ones({x.shape}, {dtype_text(x.dtype)})", POSTFIX
        return f"np.full({x.shape}, {self.number(x.fill, weak=True)[0]}, {dtype_text(x.dtype)})", POSTFIX

    def number(self, x: Any, weak: bool = False) -> Text:
        """A number; NumPy's own scalars with their type unless ``weak``, for they decide about the result's."""
        if isinstance(x, np.generic) and not weak:
            return f"{dtype_text(x.dtype)}({self.number(x, weak=True)[0]})", POSTFIX
        if isinstance(x, np.generic):
            fraction = self.fraction(x)
            if fraction:
                return fraction, PRODUCT
            x = x.item()
            x = int(x) if isinstance(x, float) and x.is_integer() and abs(x) < 1e6 else x
        if isinstance(x, float) and x != x:
            return "np.nan", POSTFIX
        if x in (float("inf"), float("-inf")):
            return ("np.inf", POSTFIX) if x > 0 else ("-np.inf", UNARY)
        if isinstance(x, complex):
            return repr(x), ATOM
        return repr(x), ATOM if x is None or isinstance(x, bool) or x >= 0 else UNARY

    def fraction(self, x: Any) -> str:
        """k / n for a number that is one, n a size that occurs: 1 / 32 says more than 0.03125."""
        if x.dtype.kind != "f" or x == 0 or not np.isfinite(x):
            return ""
        for k in (1, -1, 2, -2):
            n = round(k / float(x))
            if n in self.sizes and n > 2 and x.dtype.type(k / n) == x:
                return f"{k} / {n}"
        return ""

    # --- parameters ---------------------------------------------------------------------------------------------------------

    def params(self, symbol: Symbol) -> str:
        """The parameters that are not at their defaults, as keyword arguments."""
        op = symbol.op
        assert op is not None
        if is_own(op):
            shown = symbol.params
        else:
            shown = {name: value for name, value in symbol.params.items() if not is_default(value, op.params.get(name, ...))}
        return ", ".join(f"{name}={self.param(value, name)}" for name, value in shown.items())

    def param(self, value: Any, name: str = "") -> str:
        """A parameter's value."""
        if isinstance(value, np.dtype):
            return dtype_text(value)
        if isinstance(value, tuple) and len(value) == 1 and name == "axis":
            return self.param(value[0])
        if isinstance(value, tuple):
            return f"({', '.join(self.param(v) for v in value)}{',' * (len(value) == 1)})"
        if isinstance(value, np.ndarray):
            return self.array(value)
        return f"np.{value.__name__}" if isinstance(value, type) and issubclass(value, np.generic) else repr(value)

    def index(self, index: Any) -> str:
        """What stands in the brackets of x[…]."""
        if isinstance(index, tuple) and index:
            return ", ".join(self.index(part) for part in index) + "," * (len(index) == 1)
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


def is_default(value: Any, default: Any) -> bool:
    """Whether a parameter need not be written."""
    return value is default or (type(value) is type(default) and not isinstance(value, np.ndarray) and bool(value == default))


def dtype_text(dtype: Any) -> str:
    """np.float32 …"""
    return f"np.{np.dtype(dtype).name}" if np.dtype(dtype).kind != "b" else "bool"


# --- operations that are written in a way of their own ---------------------------------------------------------------------


def linear(w: Writer, s: Symbol) -> Text:
    x, weight, b = s.inputs
    return f"{w.at(x, PRODUCT)} @ {w.at(weight, PRODUCT + 1)} + {w.at(b, SUM + 1)}", SUM


def relu(w: Writer, s: Symbol) -> Text:
    return f"np.maximum({w.operand(s.inputs[0])[0]}, 0)", POSTFIX


def leaky_relu(w: Writer, s: Symbol) -> Text:
    x = w.operand(s.inputs[0])
    inner = x[0] if x[1] >= PRODUCT else f"({x[0]})"
    return f"np.where({inner} > 0, {x[0]}, {float(s.params['negative_slope'])!r} * {inner})", POSTFIX


def softplus(w: Writer, s: Symbol) -> Text:
    return f"np.logaddexp({w.operand(s.inputs[0])[0]}, 0)", POSTFIX


def hardtanh(w: Writer, s: Symbol) -> Text:
    low, high = float(s.params["min_val"]), float(s.params["max_val"])
    return f"np.clip({w.operand(s.inputs[0])[0]}, {low!r}, {high!r})", POSTFIX


def clip(w: Writer, s: Symbol) -> Text:
    return f"np.clip({', '.join(w.operand(x, s)[0] if x is not None else 'None' for x in s.inputs)})", POSTFIX


def negative(w: Writer, s: Symbol) -> Text:
    return f"-{w.at(s.inputs[0], UNARY)}", UNARY


def invert(w: Writer, s: Symbol) -> Text:
    return f"~{w.at(s.inputs[0], UNARY)}", UNARY


def positive(w: Writer, s: Symbol) -> Text:
    return w.operand(s.inputs[0])


def transpose(w: Writer, s: Symbol) -> Text:
    axes, n = s.params["axes"], len(s.shape)
    x = w.at(s.inputs[0], POSTFIX)
    if axes is None:
        return f"{x}.T", POSTFIX
    if [a % n for a in axes] == [*range(n - 2), n - 1, n - 2]:
        return f"{x}.mT", POSTFIX
    return f"{x}.transpose({', '.join(map(str, axes))})", POSTFIX


def reshape(w: Writer, s: Symbol) -> Text:
    return f"{w.at(s.inputs[0], POSTFIX)}.reshape({', '.join(map(str, s.shape)) or '()'})", POSTFIX


def getitem(w: Writer, s: Symbol) -> Text:
    index = s.params["index"]
    return f"{w.at(s.inputs[0], POSTFIX)}[{w.index(index) if index != () else '()'}]", POSTFIX


def astype(w: Writer, s: Symbol) -> Text:
    return f"{w.at(s.inputs[0], POSTFIX)}.astype({dtype_text(s.dtype)})", POSTFIX


def broadcast_to(w: Writer, s: Symbol) -> Text:
    return f"np.broadcast_to({w.operand(s.inputs[0])[0]}, {w.param(s.shape)})", POSTFIX


def real(w: Writer, s: Symbol) -> Text:
    return f"{w.at(s.inputs[0], POSTFIX)}.real", POSTFIX


def einsum(w: Writer, s: Symbol) -> Text:
    inputs = ", ".join(w.operand(x)[0] for x in s.inputs)
    return f"np.einsum({s.params['subscripts']!r}, {inputs}{', optimize=True' * (len(s.inputs) > 1)})", POSTFIX


def convolve(w: Writer, s: Symbol) -> Text:
    return f"np.convolve({', '.join(w.operand(x)[0] for x in s.inputs)}, {s.params['mode']!r})", POSTFIX


def triangle(w: Writer, s: Symbol) -> Text:
    assert s.op is not None
    k = s.params["k"]
    return f"np.{s.op.name}({w.operand(s.inputs[0])[0]}{f', {k}' if k else ''})", POSTFIX


TEMPLATES: dict[str, Callable[[Writer, Symbol], Text]] = {
    "linear": linear, "relu": relu, "leaky_relu": leaky_relu, "softplus": softplus, "hardtanh": hardtanh, "clip": clip,
    "negative": negative, "np.bitwise_invert": invert, "np.invert": invert, "positive": positive, "permute_dims": transpose,
    "reshape": reshape, "getitem": getitem, "astype": astype, "broadcast_to": broadcast_to, "real": real, "contract": einsum,
    "convolve": convolve, "tril": triangle, "triu": triangle,
}  # fmt: skip
