"""The algebra that a person does without noticing: x · 1, x + 0, a transpose of a transpose, arithmetic of plain numbers.

Every step keeps the value to the last bit (but for the sign of a zero), so that the written program computes what the engine does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels.shapes import reduced
from ..primitive import TABLE, Primitive
from .symbol import Symbol

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["simplified"]


def simplified(
    trace: Trace, op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Symbol | None:
    """A Symbol that has the value of op(*inputs, **params), if there is a simpler one than the operation."""
    if op.elementwise and all(is_uniform(x) for x in inputs if x is not None) and dtype.kind in "fciub":
        with np.errstate(all="ignore"):
            value = op.forward(*[np.full(1, x.fill) if isinstance(x, Symbol) else x for x in inputs], **params)
        return trace.full(shape, np.asarray(value)[0], dtype)
    if op.name in SHAPING and len(inputs) == 1 and inputs[0].fill is not None and not any(s.fill is None for s in inputs):
        fill = inputs[0].fill
        return trace.full(shape, fill if dtype.kind == "c" else fill.real, dtype)
    if op.elementwise and (slim := without_broadcasts(inputs, shape)) is not None:
        return trace.apply(op, slim, params)
    rule = RULES.get(op.name)
    return rule(trace, inputs, params, shape, dtype) if rule is not None else None


def without_broadcasts(inputs: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[Any, ...] | None:
    """The operands with what was broadcast in its own shape, if NumPy then broadcasts to the same result; None if none was."""
    slim = tuple(x.inputs[0] if isinstance(x, Symbol) and x.op is TABLE["broadcast_to"] else x for x in inputs)
    if all(a is b for a, b in zip(slim, inputs, strict=True)) or len(slim) == 1:
        return None
    return slim if np.broadcast_shapes(*[np.shape(x) for x in slim if x is not None]) == shape else None


def is_uniform(x: Any) -> bool:
    """Whether all entries of an operand are known to be one number."""
    return not isinstance(x, Symbol) or x.fill is not None


def value_of(x: Any) -> Any:
    """The number that all entries of an operand are, or None."""
    return x.fill if isinstance(x, Symbol) else x


def same(x: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether x has the shape and dtype already."""
    return isinstance(x, Symbol) and x.shape == shape and x.dtype == dtype


def stretched(trace: Trace, x: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """x itself, broadcast where the result has a larger shape; not if its dtype changes."""
    if not isinstance(x, Symbol) or x.dtype != dtype:
        return None
    return x if x.shape == shape else trace.apply(TABLE["broadcast_to"], (x,), {"shape": shape})


def as_number(trace: Trace, name: str, inputs: tuple[Any, ...], shape: tuple[int, ...]) -> Symbol | None:
    """With an array of equal entries beside one that has the result's shape: the operation with the number alone."""
    for i, x in enumerate(inputs):
        other = inputs[1 - i]
        if isinstance(x, Symbol) and x.fill is not None and x.shape and isinstance(other, Symbol):
            if other.shape == shape:
                small = trace.full((), x.fill, x.dtype)
                return trace.apply(TABLE[name], (small, other) if i == 0 else (other, small), {})
            if x.shape == shape and name in ("multiply", "divide"):  # the other one is broadcast: afterwards
                small = trace.full((), x.fill, x.dtype)
                less = trace.apply(TABLE[name], (small, other) if i == 0 else (other, small), {})
                return trace.apply(TABLE["broadcast_to"], (less,), {"shape": shape})
    return None


def multiply(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """1 · x = x, 0 · x = 0, −1 · x = −x."""
    for x, other in (inputs, inputs[::-1]):
        value = value_of(x)
        if value is None:
            continue
        if value == 1 and (found := stretched(trace, other, shape, dtype)) is not None:
            return found
        if value == 0 and isinstance(x, Symbol):  # a gradient that is zero; a user's 0 · x stays, it may be 0 · ∞
            return trace.full(shape, 0, dtype)
        if value == -1 and same(other, shape, dtype):
            return trace.apply(TABLE["negative"], (other,), {})
        if (folded := scaled(trace, x, other, shape, dtype)) is not None:
            return folded
    return as_number(trace, "multiply", inputs, shape)


def scaled(trace: Trace, x: Any, other: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """c · (k · y) = (c k) · y for a c that a rule has written, where k or c is ±1, 2, 4, 8 …: then nothing is rounded twice."""
    if not isinstance(x, Symbol) or not same(other, shape, dtype) or other.op is not TABLE["multiply"] or dtype.kind != "f":
        return None
    for k, y in (other.inputs, other.inputs[::-1]):
        number = value_of(k)
        if number is None or not same(y, shape, dtype) or (isinstance(k, np.generic) and k.dtype != dtype):
            continue
        if any(np.isreal(n) and float(n) in POWERS_OF_TWO for n in (number, x.fill)) and np.isfinite(number):
            return trace.apply(TABLE["multiply"], (trace.full((), dtype.type(x.fill) * dtype.type(number), dtype), y), {})
    return None


POWERS_OF_TWO = frozenset(sign * 2.0**n for n in range(11) for sign in (1, -1))


def negated(trace: Trace, x: Any) -> Symbol | None:
    """−x for an x that carries its sign visibly: −y, −2 · y, −y · z, −y / z. A sign is exact wherever it stands."""
    if not isinstance(x, Symbol) or x.op is None or x.dtype.kind not in "fc":
        return None
    if x.op is TABLE["negative"]:
        return x.inputs[0] if isinstance(x.inputs[0], Symbol) else None
    if x.op is TABLE["multiply"] or x.op is TABLE["divide"]:
        first, second = x.inputs
        if isinstance(first, Symbol) and first.fill is not None and first.dtype.kind == "f" and first.fill < 0:
            return trace.apply(x.op, (trace.full(first.shape, -first.fill, first.dtype), second), {})
        other = negated(trace, first)
        return trace.apply(x.op, (other, second), {}) if other is not None else None
    return None


def divide(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """x / 1 = x."""
    x, y = inputs
    if value_of(y) is not None and value_of(y) == 1:
        return stretched(trace, x, shape, dtype)
    if isinstance(x, Symbol) and x.fill is not None and x.fill == 0:
        return trace.full(shape, 0, dtype)
    return as_number(trace, "divide", inputs, shape)


def add(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """x + 0 = x."""
    for x, other in (inputs, inputs[::-1]):
        value = value_of(x)
        if value is not None and value == 0 and (found := stretched(trace, other, shape, dtype)) is not None:
            return found
    for x, other in (inputs, inputs[::-1]):
        if (less := negated(trace, other)) is not None:
            return trace.apply(TABLE["subtract"], (x, less), {})
    return as_number(trace, "add", inputs, shape)


def subtract(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """x − 0 = x, 0 − x = −x."""
    x, y = inputs
    if value_of(y) is not None and value_of(y) == 0:
        return stretched(trace, x, shape, dtype)
    if value_of(x) is not None and value_of(x) == 0 and same(y, shape, dtype):
        return trace.apply(TABLE["negative"], (y,), {})
    if (more := negated(trace, y)) is not None:
        return trace.apply(TABLE["add"], (x, more), {})
    return as_number(trace, "subtract", inputs, shape)


def power(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """x¹ = x."""
    value = inputs[1]
    return inputs[0] if not isinstance(value, Symbol) and value == 1 and same(inputs[0], shape, dtype) else None


def negative(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """−(−x) = x, −(−2 · x) = 2 · x."""
    return negated(trace, inputs[0])


def unchanged(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """x in a shape or dtype that it has already, the real part of a real x, a copy."""
    return inputs[0] if same(inputs[0], shape, dtype) else None


def conj(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """A real x is its own conjugate; so is the conjugate of a conjugate."""
    x: Symbol = inputs[0]
    if x.op is TABLE["conj"]:
        return x.inputs[0] if isinstance(x.inputs[0], Symbol) else None
    return x if x.dtype.kind != "c" else None


def reshape(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """Only the last shape counts; a sum that is given back its axes keeps them."""
    x: Symbol = inputs[0]
    if x.shape == shape:
        return x
    if x.op is TABLE["reshape"]:
        return trace.apply(TABLE["reshape"], (x.inputs[0],), {"shape": shape, "copy": None})
    if x.op is TABLE["negative"]:
        return trace.apply(x.op, (trace.apply(TABLE["reshape"], x.inputs, {"shape": shape, "copy": None}),), {})
    if x.op in (TABLE["sum"], TABLE["max"], TABLE["min"]) and not x.params["keepdims"] and x.params["axis"] is not None:
        before = x.inputs[0].shape
        axes = reduced(x.params["axis"], len(before))
        if shape == tuple(1 if i in axes else n for i, n in enumerate(before)):
            return trace.apply(x.op, x.inputs, {**x.params, "keepdims": True})
    return None


def permute(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """Two permutations are one; the one that changes nothing is none."""
    x: Symbol = inputs[0]
    axes = permutation(params["axes"], len(shape))
    if axes == tuple(range(len(shape))):
        return x
    if x.op is TABLE["broadcast_to"] and not x.inputs[0].shape:
        return trace.apply(TABLE["broadcast_to"], x.inputs, {"shape": shape})
    if x.op is TABLE["permute_dims"]:
        before = permutation(x.params["axes"], len(shape))
        both = tuple(before[a] for a in axes)
        return trace.apply(TABLE["permute_dims"], (x.inputs[0],), {"axes": both})
    if params["axes"] is not None and axes == tuple(reversed(range(len(shape)))):
        return trace.apply(TABLE["permute_dims"], (x,), {"axes": None})
    return None


def permutation(axes: Any, n: int) -> tuple[int, ...]:
    """All axes, none of them negative."""
    return tuple(reversed(range(n))) if axes is None else tuple(int(a) % n for a in np.atleast_1d(axes))


def total(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """A sum over no axes; of equal entries that are powers of two; of −x."""
    x: Symbol = inputs[0]
    n = int(np.prod(shape, dtype=int))
    if x.dtype == dtype and params["axis"] == ():
        return x
    if x.fill is not None and n and dtype.kind == "f" and float(x.fill) in POWERS_OF_TWO and x.size // n * abs(x.fill) <= 2048:
        return trace.full(shape, x.fill * (x.size // n), dtype)
    if x.dtype.kind == "f" and (less := negated(trace, x)) is not None:
        return trace.apply(TABLE["negative"], (trace.apply(TABLE["sum"], (less,), params),), {})
    return None


def logical(trace: Trace, inputs: tuple[Any, ...], shape: tuple[int, ...], neutral: bool) -> Symbol | None:
    """A condition and True is itself, and False is False; likewise for or."""
    for x, other in (inputs, inputs[::-1]):
        value = value_of(x)
        if isinstance(value, (bool, np.bool_)) and isinstance(other, Symbol) and other.dtype.kind == "b":
            return stretched(trace, other, shape, other.dtype) if bool(value) is neutral else trace.full(shape, value, bool)
    return None


def both(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """c & True = c."""
    return logical(trace, inputs, shape, neutral=True)


def either(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """c | False = c."""
    return logical(trace, inputs, shape, neutral=False)


SHAPING = ("reshape", "broadcast_to", "permute_dims", "expand_dims", "squeeze", "getitem", "real")
RULES: dict[str, Callable[..., Symbol | None]] = {
    "multiply": multiply, "divide": divide, "add": add, "subtract": subtract, "pow": power, "negative": negative,
    "positive": unchanged, "real": unchanged, "conj": conj, "astype": unchanged, "broadcast_to": unchanged,
    "np.bitwise_and": both, "np.bitwise_or": either, "expand_dims": unchanged,
    "squeeze": unchanged, "reshape": reshape, "permute_dims": permute, "sum": total,
}  # fmt: skip
