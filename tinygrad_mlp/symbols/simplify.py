"""The algebra that a person does without noticing: x · 1, x + 0, a transpose of a transpose, arithmetic of plain numbers.

Every step keeps the value to the last bit (but for the sign of a zero), so that the written program computes what the engine does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

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
        return trace.full(shape, inputs[0].fill, dtype)
    rule = RULES.get(op.name)
    return rule(trace, inputs, params, shape, dtype) if rule is not None else None


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
    return as_number(trace, "multiply", inputs, shape)


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
    return as_number(trace, "add", inputs, shape)


def subtract(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """x − 0 = x, 0 − x = −x."""
    x, y = inputs
    if value_of(y) is not None and value_of(y) == 0:
        return stretched(trace, x, shape, dtype)
    if value_of(x) is not None and value_of(x) == 0 and same(y, shape, dtype):
        return trace.apply(TABLE["negative"], (y,), {})
    return as_number(trace, "subtract", inputs, shape)


def power(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """x¹ = x."""
    value = inputs[1]
    return inputs[0] if not isinstance(value, Symbol) and value == 1 and same(inputs[0], shape, dtype) else None


def negative(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """−(−x) = x."""
    (x,) = inputs
    return x.inputs[0] if x.op is TABLE["negative"] else None


def unchanged(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """x in a shape or dtype that it has already, the real part of a real x, a copy."""
    return inputs[0] if same(inputs[0], shape, dtype) else None


def reshape(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """Only the last shape counts."""
    (x,) = inputs
    if x.shape == shape:
        return x
    if x.op is TABLE["reshape"]:
        return trace.apply(TABLE["reshape"], (x.inputs[0],), {"shape": shape, "copy": None})
    return None


def permute(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """Two permutations are one; the one that changes nothing is none."""
    (x,) = inputs
    axes = permutation(params["axes"], len(shape))
    if axes == tuple(range(len(shape))):
        return x
    if x.op is TABLE["permute_dims"]:
        before = permutation(x.params["axes"], len(shape))
        both = tuple(before[a] for a in axes)
        return trace.apply(TABLE["permute_dims"], (x.inputs[0],), {"axes": both})
    if params["axes"] is not None and axes == tuple(reversed(range(len(shape)))):
        return trace.apply(TABLE["permute_dims"], (x,), {"axes": None})
    return None


def permutation(axes: Any, n: int) -> tuple[int, ...]:
    """All axes, none of them negative."""
    return tuple(reversed(range(n))) if axes is None else tuple(int(a) % n for a in axes)


def total(trace: Trace, inputs: tuple[Any, ...], params: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol | None:
    """A sum over axes of length 1 only."""
    (x,) = inputs
    if x.size and x.dtype == dtype and int(np.prod(shape, dtype=int)) == x.size:
        return trace.apply(TABLE["reshape"], (x,), {"shape": shape, "copy": None})
    return None


SHAPING = ("reshape", "broadcast_to", "permute_dims", "expand_dims", "squeeze", "getitem", "real")
RULES: dict[str, Callable[..., Symbol | None]] = {
    "multiply": multiply, "divide": divide, "add": add, "subtract": subtract, "pow": power, "negative": negative,
    "positive": unchanged, "real": unchanged, "conj": unchanged, "astype": unchanged, "broadcast_to": unchanged,
    "squeeze": unchanged, "reshape": reshape, "permute_dims": permute, "sum": total,
}  # fmt: skip
