"""Algebra for speed: the same mathematics in another order of operations; docs/compile.md lists every step with its bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import losses as k
from ..kernels.losses import divisor
from ..primitive import TABLE, Primitive
from ..symbols import Symbol, Trace, ancestors

__all__ = ["FUSED", "SWAP", "rewritten"]


def same_shape(x: Any, y: Any, scale: Any) -> Any:
    """The shape of the gradient of a loss."""
    return np.empty_like(x)


FUSED_DX = Primitive("cross_entropy_dx", same_shape, (None, None, None), {})
"""scale · (softmax(x) − one_hot(y)): what the fused loss leaves behind."""

FUSED = Primitive(
    "fused_cross_entropy",
    k.cross_entropy,
    (lambda g, z, x, y, *, reduction: fused_dx(g, x, y, reduction), None),
    {"reduction": "mean"},
    real=True,
)
"""The cross-entropy with its gradient computed on the way, in the place of the logits."""

SWAP = {TABLE["cross_entropy"]: FUSED}


def fused_dx(g: Any, x: Any, y: Any, reduction: str) -> Any:
    """The gradient of the fused loss; for other shapes than rows of logits the rule of the table."""
    # what arrives must be known when the loss is computed: a number, not something made of the loss itself
    early = not isinstance(g, Symbol) or all(s.op is None or (s.op.elementwise and not s.shape) for s in ancestors([g]))
    if len(x.shape) != 2 or x.dtype not in (np.float32, np.float64) or x.shape[0] < 1 or x.shape[1] < 2 or not early:
        return TABLE["cross_entropy"].rules[0](g, None, x, y, reduction=reduction)  # type: ignore[misc]  # it has a rule
    return FUSED_DX(x, y, g / divisor(reduction, y.size))


def rewritten(
    trace: Trace, op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Symbol | None:
    """A faster form of an operation."""
    if op.name in ("multiply", "divide"):
        return scaled(trace, op, inputs)
    if op.name == "np.greater" and not isinstance(inputs[1], Symbol) and inputs[1] == 0:
        return positive_part(trace, inputs[0])
    if op.name == "pow" and not isinstance(inputs[1], Symbol) and inputs[1] == 2:
        return trace.apply(TABLE["multiply"], (inputs[0], inputs[0]), {})
    return None


def is_number(x: Any) -> bool:
    """Whether x is a number, and no argument of the user's: products of those may leave the range."""
    if isinstance(x, Symbol):
        return x.weak and all(s.op is not None or s.role == "scalar" for s in ancestors([x]))
    return isinstance(x, (int, float))


def scaled(trace: Trace, op: Primitive, inputs: tuple[Any, ...]) -> Symbol | None:
    """a · (b · x) = (a b) · x and (a · x) / b = (a / b) · x for numbers a, b: arithmetic of numbers costs nothing."""
    x, y = inputs
    if op.name == "divide":
        factor = factors(x)
        if not isinstance(y, Symbol) and y == 0:
            return None  # an empty batch: NumPy's 0 / 0, not Python's
        if factor is None or not is_number(y) or not any(isinstance(v, Symbol) for v in (factor[0], y)):
            return None
        return trace.apply(TABLE["multiply"], (factor[1], trace.apply(TABLE["divide"], (factor[0], y), {})), {})
    for a, b in ((x, y), (y, x)):
        factor = factors(b) if isinstance(b, Symbol) and not b.weak else None
        if factor is not None and is_number(a) and any(isinstance(v, Symbol) for v in (a, factor[0])):
            return trace.apply(TABLE["multiply"], (factor[1], trace.apply(TABLE["multiply"], (a, factor[0]), {})), {})
    return None


def factors(x: Any) -> tuple[Any, Symbol] | None:
    """(a, y) for x = a · y with a number a."""
    if isinstance(x, Symbol) and x.op is not None and x.op.name == "multiply" and not x.weak:
        for a, b in (x.inputs, x.inputs[::-1]):
            if is_number(a) and isinstance(b, Symbol):
                return a, b
    return None


def positive_part(trace: Trace, x: Any) -> Symbol | None:
    """x > 0 where z = max(x, 0) is known: z > 0, so that z can take the place of x."""
    if not isinstance(x, Symbol):
        return None
    known = len(trace.symbols)
    z = trace.apply(TABLE["maximum"], (x, 0), {})
    if len(trace.symbols) > known or z is x:
        return None
    return trace.constant(np.greater, (z, 0), {}, True)  # type: ignore[no-any-return]  # a Symbol
