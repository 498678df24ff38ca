"""The explanation of NaN and infinity: which operation made the first one, on which line, out of which numbers, and why.

``with detect_anomaly():`` looks at the result of every operation and at every gradient. What it looks for is an operation that
*makes* a NaN out of numbers, or an infinity out of finite ones; an infinity that was put in on purpose (a mask of −∞) and is handed
on is none. The causes are a table, :data:`CAUSES`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from .errors import AnomalyError
from .graph import PACKAGE, Node, line_of, origin, place
from .kernels.shapes import Array, count
from .modes import MODES
from .primitive import TABLE, Primitive

__all__ = ["detect_anomaly"]


class detect_anomaly:  # noqa: N801  # used like a function, as in PyTorch
    """Stop at the first NaN or infinity that an operation or a gradient makes, with an explanation. A context manager.

    Holds for this thread or task, forward and backward; costs about as much again as the computation. NumPy's warnings of the
    same events are silenced inside, the error says more.

    Raises
    ------
    AnomalyError
        Names the operation, the line of the user's code, statistics of its inputs, the probable cause and the fix; it has them
        as attributes ``operation``, ``line``, ``cause`` and ``fix``.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> x = tg.Tensor([4.0, 0.0], requires_grad=True)
    >>> with tg.detect_anomaly():
    ...     try:
    ...         np.sqrt(x).sum().backward()
    ...     except tg.errors.AnomalyError as error:
    ...         print(error.operation, "|", error.cause, "|", error.fix)
    sqrt | the slope of a root at 0 is infinite | write np.sqrt(x + eps), or keep the zeros out: np.sqrt(np.where(x > 0, x, 1.0))
    """

    def __init__(self) -> None:
        self.open: list[tuple[Any, Any]] = []  # it may be entered again while it is open

    def __enter__(self) -> None:
        modes = MODES.get()
        quiet = np.errstate(all="ignore")
        self.open.append((MODES.set(modes.but(anomaly=True)), quiet))
        quiet.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        token, quiet = self.open.pop()
        quiet.__exit__(kind, error, trace)
        MODES.reset(token)


class Case(NamedTuple):
    """What is known about an anomaly: the operation, its inputs and parameters, where it is bad; backward, what arrived."""

    op: str
    inputs: Sequence[Array]
    params: dict[str, Any]
    bad: Array
    g: Array | None
    node: Node | None

    def at(self, i: int) -> Array:
        """The entries of input i where the result is bad; all of them where the shapes do not match."""
        x = self.inputs[i] if i < len(self.inputs) else np.zeros(0)
        try:
            return np.broadcast_to(x, self.bad.shape)[self.bad]
        except ValueError:
            return x.ravel()

    def any(self, i: int, test: Callable[[Array], Array]) -> bool:
        """Whether a bad entry of input i passes the test."""
        return bool(np.any(test(self.at(i))))


def zero(x: Array) -> Array:
    return np.asarray(x == 0)


def negative(x: Array) -> Array:
    return np.asarray(x < 0)


class Cause(NamedTuple):
    """A known cause: the operations it concerns, when it is the one, and what to say."""

    ops: str
    holds: Callable[[Case], bool]
    cause: str
    fix: str


DOUBLE_WHERE = (
    "keep the unused entries away from the edge before the operation: safe = np.where(mask, x, 1.0), then "
    "np.where(mask, f(safe), 0.0)"
)
FORWARD = (
    Cause("sqrt", lambda c: c.any(0, negative), "the square root of a negative number",
          "find out why it is negative (a variance as E[x²] − E[x]² rounds below 0: use np.var), or write np.sqrt(np.maximum(x, 0))"),
    Cause("log log2 log10", lambda c: c.any(0, zero), "the logarithm of 0",
          "take log_softmax, log_sigmoid or logsumexp where the argument is a probability; else np.log(x + eps), or np.log(np.where(x > 0, x, 1.0)) where a where() drops the entry"),
    Cause("log log2 log10 log1p", lambda c: True, "the logarithm of a number that is not positive",
          "find out why it is not positive, or keep the entries out: np.log(np.where(x > 0, x, 1.0))"),
    Cause("exp exp2 expm1 sinh cosh", lambda c: True, "overflow of an exponential: e^x leaves the range above 709.8 in float64, 88.7 in float32",
          "subtract the largest entry first, or use softmax, logsumexp, log_softmax, softplus or a loss on logits, which do so"),
    Cause("divide floor_divide remainder reciprocal fmod", lambda c: bool(np.any((c.at(0) == 0) & (c.at(min(1, len(c.inputs) - 1)) == 0))) and len(c.inputs) > 1,
          "0/0", "add a small number to the denominator, or choose before dividing: np.where(y == 0, 0.0, x / np.where(y == 0, 1.0, y))"),
    Cause("divide floor_divide remainder reciprocal fmod", lambda c: c.any(len(c.inputs) - 1, zero), "division by 0",
          "add a small number to the denominator, or choose before dividing: np.where(y == 0, 0.0, x / np.where(y == 0, 1.0, y))"),
    Cause("pow float_power", lambda c: bool(np.any((c.at(0) == 0) & (c.at(1) < 0))), "0 to a negative power", "keep the base away from 0: x + eps"),
    Cause("pow float_power", lambda c: c.any(0, negative), "a negative base with a power that is no whole number", "write np.abs(x) ** p, or use a whole number"),
    Cause("mean var std", lambda c: empty_axis(c), "the mean of an empty axis is 0/0",
          "check the length before: x.shape[axis] > 0 (an empty batch, a mask that selects nothing)"),
    Cause("var std", lambda c: True, "no degrees of freedom: the number of entries equals the correction", "use correction=0, or more entries"),
    Cause("asin acos atanh acosh", lambda c: True, "an argument outside the domain of the function", "limit it with np.clip just inside the domain"),
    Cause("softmax log_softmax logsumexp", lambda c: bool(np.any(np.isinf(c.inputs[0]))), "all entries of a row are −∞: there is nothing to choose from",
          "leave at least one entry of each row unmasked, or select afterwards: np.where(any_valid, result, 0.0)"),
    Cause("multiply matmul linear", lambda c: any(bool(np.any(np.isinf(x))) for x in c.inputs), "0 · ∞ or ∞ − ∞: one factor is infinite",
          "select with np.where instead of multiplying with a mask; look where the infinity comes from"),
    Cause("add subtract sum mean", lambda c: any(bool(np.any(np.isinf(x))) for x in c.inputs), "∞ − ∞", "look where the infinities come from; in a softmax subtract the largest finite entry"),
    Cause("", lambda c: any(bool(np.any(np.isnan(x))) for x in c.inputs), "an input holds NaN already: the data, or an operation outside detect_anomaly()",
          "look at the data: np.isnan(x).any(); np.nanmean and its like leave NaN out"),
    Cause("", lambda c: True, "overflow: the result is out of the range of its dtype",
          "scale the numbers down (the learning rate, the initial weights), or use float64"),
)  # fmt: skip
"""Causes in a forward pass, the first that holds is told."""

BACKWARD = (
    Cause("sqrt pow float_power log divide cbrt reciprocal log2 log10 log1p asin acos acosh atanh", lambda c: arrived_zero(c) and c.any(0, lambda x: ~np.isnan(x)),
          "0 · ∞: the slope is infinite here, and the gradient that arrives is 0, as it is behind a where() or a mask that does not use these entries", DOUBLE_WHERE),
    Cause("sqrt", lambda c: c.any(0, zero) and comes_from(c, "sum"), "the slope of a square root at 0 is infinite; this one takes the root of a sum, as a norm of a zero vector",
          "write np.linalg.norm(x, axis=…) or tg.linalg.vector_norm, whose gradient is 0 at the zero vector; or np.sqrt(s + eps)"),
    Cause("sqrt cbrt", lambda c: c.any(0, zero), "the slope of a root at 0 is infinite", "write np.sqrt(x + eps), or keep the zeros out: np.sqrt(np.where(x > 0, x, 1.0))"),
    Cause("pow float_power", lambda c: c.any(0, zero), "the slope of a power below 1 is infinite at 0", "write (x + eps) ** p"),
    Cause("pow float_power", lambda c: c.any(0, negative), "a power of a negative number has no derivative in its exponent", "make the exponent a constant (a number, t.detach()), or the base positive"),
    Cause("log log2 log10 log1p", lambda c: True, "the slope of a logarithm is infinite at the edge of its domain", "log_softmax, log_sigmoid or logsumexp for probabilities; else np.log(x + eps)"),
    Cause("asin acos acosh atanh", lambda c: True, "the slope is infinite at the end of the domain", "keep away from it: np.clip(x, -1 + eps, 1 - eps)"),
    Cause("divide reciprocal", lambda c: c.any(len(c.inputs) - 1, zero), "division by 0", "add a small number to the denominator"),
    Cause("std var mean", lambda c: True, "0/0: too few entries", "check the length of the axis, and correction="),
    Cause("", lambda c: True, "overflow, or a slope that is infinite here", "look at the numbers above; scale them down, or use float64"),
)  # fmt: skip
"""Causes in a backward pass."""


def empty_axis(case: Case) -> bool:
    """Whether the reduction is over no entries at all."""
    axis, shape = case.params.get("axis"), case.inputs[0].shape
    axes = range(len(shape)) if axis is None else (axis if isinstance(axis, tuple) else (axis,))
    return any(shape[a] == 0 for a in axes)


def arrived_zero(case: Case) -> bool:
    """Whether nothing arrives where the gradient is NaN."""
    return case.g is not None and case.g.shape == case.bad.shape and bool(np.all(case.g[case.bad] == 0))


def comes_from(case: Case, name: str) -> bool:
    """Whether the input was computed by the operation of that name."""
    edges = case.node.edges if case.node is not None else ()
    return bool(edges) and edges[0][1].op is not None and edges[0][1].op.name == name


def bad_entries(x: Any) -> Array:
    """Where x is NaN or infinite."""
    return np.asarray(~np.isfinite(x)) if x.dtype.kind in "fc" else np.zeros(x.shape, bool)


def makes_worse(result: Array, inputs: Sequence[Array]) -> bool:
    """Whether result has NaN, or infinities that no input has. (NaN that was there before is told too: the mode came too late.)"""
    if bool(np.any(np.isnan(result))):
        return True
    return bool(np.any(np.isinf(result))) and not any(bool(np.any(np.isinf(x))) for x in inputs if x.dtype.kind in "fc")


def inspect_inputs(op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> None:
    """Raise if a mean is to be taken over nothing: of this NumPy warns in a way that cannot be held back."""
    if op.name in ("mean", "var", "std"):
        x = np.asarray(inputs[0])
        case = Case(op.name, [x], params, np.ones((), bool), None, None)
        if empty_axis(case) or count(x, params["axis"]) <= params.get("correction", 0):
            tell(op.name, FORWARD, case, np.asarray(np.nan), place(origin()))


def inspect_value(op: Primitive, inputs: Sequence[Any], params: dict[str, Any], result: Array) -> None:
    """Raise if a forward pass has made NaN or infinity."""
    if result.dtype.kind not in "fc" or bool(np.all(np.isfinite(result))) or op.name in ("getitem", "where"):
        return  # a selection makes nothing
    arrays = [np.asarray(x) for x in inputs if x is not None]
    if any(x.dtype.kind in "fc" and bool(np.any(np.isnan(x))) for x in arrays) and within_composed():
        return  # nanstd and its like compute with NaN and leave it out in the end
    if makes_worse(result, arrays):
        bad = np.isnan(result) if bool(np.any(np.isnan(result))) else bad_entries(result)
        tell(f"{op.name}", FORWARD, Case(op.name, arrays, params, bad, None, None), result, place(origin()))


def within_composed() -> bool:
    """Whether a composed function of the library computes."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        if frame.f_code.co_filename.startswith(PACKAGE + "composed"):
            return True
        frame = frame.f_back
    return False


def inspect_gradient(node: Node, op: Primitive, i: int, g: Any, gx: Any) -> None:
    """Raise if a rule has made NaN or infinity."""
    g, gx = np.asarray(getattr(g, "array", g)), np.asarray(getattr(gx, "array", gx))
    if g.dtype.kind in "fc" and bool(np.any(np.isnan(g))):
        raise AnomalyError(f"the gradient that was passed in to backward() holds NaN (it arrives at {op.name}, {line_of(node)})")
    if gx.dtype.kind in "fc" and not bool(np.all(np.isfinite(gx))) and (bool(np.all(np.isfinite(g))) or makes_worse(gx, [g])):
        arrays = [np.asarray(x) for x in node.arrays or () if x is not None]
        arrays = arrays[i:] + arrays[:i] if op.name == "multiply" else arrays
        tell(
            f"backward through {op.name}", BACKWARD, Case(op.name, arrays, node.params, bad_entries(gx), g, node), gx, line_of(node)
        )


def tell(what: str, causes: Sequence[Cause], case: Case, result: Array, line: str) -> None:
    """Raise the error."""
    singular = TABLE[case.op].singular if case.op in TABLE and case.g is not None else None
    found = (
        Cause("", lambda c: True, *singular[1:])
        if singular
        else next(c for c in causes if (not c.ops or case.op in c.ops.split()) and c.holds(case))
    )
    kind = "NaN" if bool(np.any(np.isnan(result))) else "an infinity"
    first = tuple(int(i[0]) for i in np.nonzero(case.bad)) if case.bad.ndim else ()
    lines = [f"{what} gave {kind} ({np.sum(case.bad)} of {case.bad.size} entries, the first at {first}), created at {line}"]
    lines += [f"  input {i + 1}: {statistics(x, case.bad)}" for i, x in enumerate(case.inputs)]
    if case.g is not None:
        lines.append(f"  arriving gradient: {statistics(case.g, case.bad)}")
    lines += [f"  cause: {found.cause}", f"  fix: {found.fix}"]
    error = AnomalyError("\n".join(lines))
    error.operation, error.line, error.cause, error.fix = case.op, line, found.cause, found.fix
    raise error


def statistics(x: Array, bad: Array) -> str:
    """The shape and dtype of an array, its range, and how many of its entries are zero, negative, NaN or infinite."""
    told = f"{x.dtype}{list(x.shape)}"
    if x.dtype.kind == "c" or not x.size:
        return told
    finite = x[np.isfinite(x)] if x.dtype.kind == "f" else x.ravel()
    told += f" from {finite.min():.6g} to {finite.max():.6g}" if finite.size else " without a finite entry"
    counts = {"zero": np.sum(x == 0), "negative": np.sum(x < 0), "NaN": np.sum(np.isnan(x)), "infinite": np.sum(np.isinf(x))}
    told += "".join(f", {n} {name}" for name, n in counts.items() if n)
    if x.shape == bad.shape and x.ndim and bool(np.any(bad)):
        told += f"; {x[bad][0]:.6g} there"
    return told
