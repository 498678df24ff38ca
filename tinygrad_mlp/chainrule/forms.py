"""How single operations are written as NumPy: which have an operator, a method, or a form of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..graph import Node
from ..primitive import Primitive
from ..symbols import Symbol

if TYPE_CHECKING:
    from .expression import Writer

__all__ = ["METHODS", "OPERATORS", "TEMPLATES", "Text", "dtype_text", "operation"]

ATOM, POSTFIX, POWER, UNARY, PRODUCT, SUM, AND, XOR, OR, COMPARE = 20, 19, 16, 15, 14, 13, 12, 11, 10, 9

OPERATORS = {
    "add": ("+", SUM), "subtract": ("-", SUM), "multiply": ("*", PRODUCT), "divide": ("/", PRODUCT), "matmul": ("@", PRODUCT),
    "floor_divide": ("//", PRODUCT), "remainder": ("%", PRODUCT), "pow": ("**", POWER),
    "np.equal": ("==", COMPARE), "np.not_equal": ("!=", COMPARE), "np.less": ("<", COMPARE), "np.less_equal": ("<=", COMPARE),
    "np.greater": (">", COMPARE), "np.greater_equal": (">=", COMPARE), "np.bitwise_and": ("&", AND), "np.bitwise_or": ("|", OR),
    "np.bitwise_xor": ("^", XOR),
}  # fmt: skip
METHODS = {"sum": "sum", "mean": "mean", "max": "max", "min": "min", "prod": "prod", "var": "var", "std": "std"}

Text: TypeAlias = tuple[str, int]
"""A text and how tightly it holds together."""


def operation(value: Symbol | Node) -> Primitive:
    """The operation of a value that has one."""
    if value.op is None:
        raise ValueError("an input has a name, and no operation")
    return value.op


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
    return f"{w.at(s.inputs[0], POSTFIX)}[{'()' if isinstance(index, tuple) and not index else w.index(index)}]", POSTFIX


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
    k = s.params["k"]
    return f"np.{operation(s).name}({w.operand(s.inputs[0])[0]}{f', {k}' if k else ''})", POSTFIX


def concat(w: Writer, s: Symbol) -> Text:
    axis = s.params["axis"]
    return f"np.concatenate([{', '.join(w.operand(x)[0] for x in s.inputs)}]{f', axis={axis}' if axis != 0 else ''})", POSTFIX


def stack(w: Writer, s: Symbol) -> Text:
    axis = s.params["axis"]
    return f"np.stack([{', '.join(w.operand(x)[0] for x in s.inputs)}]{f', axis={axis}' if axis != 0 else ''})", POSTFIX


def expand_dims(w: Writer, s: Symbol) -> Text:
    axis, n = s.params["axis"], len(s.shape)
    if isinstance(axis, int) and axis % n in (0, n - 1):
        return f"{w.at(s.inputs[0], POSTFIX)}[{'None' if axis % n == 0 else '..., None'}]", POSTFIX
    return f"np.expand_dims({w.operand(s.inputs[0])[0]}, {w.param(axis)})", POSTFIX


def scan(w: Writer, s: Symbol) -> Text:
    shown = [f"{n}={w.param(p)}" for n, p in s.params.items() if p is not None and p is not False]
    return f"np.{operation(s).name}({', '.join([w.operand(s.inputs[0])[0], *shown])})", POSTFIX


TEMPLATES: dict[str, Callable[[Writer, Symbol], Text]] = {
    "linear": linear, "relu": relu, "leaky_relu": leaky_relu, "hardtanh": hardtanh, "clip": clip,
    "negative": negative, "np.bitwise_invert": invert, "np.invert": invert, "positive": positive, "permute_dims": transpose,
    "reshape": reshape, "getitem": getitem, "astype": astype, "broadcast_to": broadcast_to, "real": real, "contract": einsum,
    "convolve": convolve, "tril": triangle, "triu": triangle,
    "expand_dims": expand_dims, "concat": concat, "stack": stack, "cumulative_sum": scan, "cumulative_prod": scan,
}  # fmt: skip
