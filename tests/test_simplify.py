"""What a trace writes in place of an operation: each identity once, and the cases beside it that must stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinygrad_mlp.primitive import TABLE
from tinygrad_mlp.symbols.symbol import Symbol
from tinygrad_mlp.symbols.trace import Trace, constant_primitive


class Letters:
    """A trace with inputs: X and Y (2, 3), r (3,), c (2, 1), s (), z complex, b boolean; and the numbers that a rule writes."""

    def __init__(self) -> None:
        self.trace = Trace()
        shapes = {"X": (2, 3), "Y": (2, 3), "r": (3,), "c": (2, 1), "s": (), "z": (3,), "b": (3,), "T": (2, 3, 4)}
        for name, shape in shapes.items():
            dtype = {"z": np.complex128, "b": np.bool_}.get(name, np.float64)
            setattr(self, name, self.trace.leaf(shape, dtype, "input", name=name))

    def full(self, fill: Any, *shape: int, dtype: Any = np.float64) -> Symbol:
        return self.trace.full(shape, fill, dtype)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*inputs: Any, **params: Any) -> Symbol:
            op = TABLE[name]
            return self.trace.apply(op, inputs, op.complete(params))

        return call


def written(x: Any) -> str:
    """An expression, innermost first; a constant of equal entries as number:shape."""
    if not isinstance(x, Symbol):
        return repr(x)
    if x.fill is not None:
        return f"{x.fill.item():g}:{'x'.join(map(str, x.shape))}"
    if x.op is None:
        return x.name
    defaults = x.op.params
    params = [f", {k}={v}" for k, v in x.params.items() if v != defaults.get(k, ...)]
    return f"{x.op.name}({', '.join(map(written, x.inputs))}{''.join(params)})"


CASES: list[tuple[Callable[[Any], Any], str]] = [
    # x · 1, 0 · x of a rule's 0, −1 · x; a user's number 0 may meet an infinity
    (lambda t: t.multiply(t.X, 1.0), "X"),
    (lambda t: t.multiply(t.full(1), t.X), "X"),
    (lambda t: t.multiply(t.r, t.full(1, 2, 3)), "broadcast_to(r, shape=(2, 3))"),
    (lambda t: t.multiply(t.X, t.full(0)), "0:2x3"),
    (lambda t: t.multiply(t.X, 0.0), "multiply(X, 0.0)"),
    (lambda t: t.multiply(t.X, -1.0), "negative(X)"),
    (lambda t: t.multiply(t.X, t.full(2, 2, 3)), "multiply(X, 2:)"),
    (lambda t: t.multiply(t.full(3, 2, 3), t.X), "multiply(3:, X)"),
    (lambda t: t.multiply(t.full(3, 2, 3), t.r), "broadcast_to(multiply(3:, r), shape=(2, 3))"),
    (lambda t: t.multiply(t.r, t.full(3, 2, 3)), "broadcast_to(multiply(r, 3:), shape=(2, 3))"),
    (lambda t: t.multiply(t.full(2), t.multiply(t.X, 3.0)), "multiply(6:, X)"),
    (lambda t: t.multiply(t.full(3), t.multiply(t.X, 4.0)), "multiply(12:, X)"),
    (lambda t: t.multiply(t.full(3), t.multiply(t.X, 5.0)), "multiply(3:, multiply(X, 5.0))"),
    (lambda t: t.multiply(t.full(3), t.multiply(t.X, 4096.0)), "multiply(3:, multiply(X, 4096.0))"),
    (lambda t: t.multiply(t.full(3), t.multiply(t.X, 1024.0)), "multiply(3072:, X)"),
    (lambda t: t.multiply(t.full(2), t.multiply(t.X, np.inf)), "multiply(2:, multiply(X, inf))"),
    (lambda t: t.multiply(3.0, t.multiply(t.X, 4.0)), "multiply(3.0, multiply(X, 4.0))"),
    (lambda t: t.multiply(t.full(2), t.multiply(t.X, t.r)), "multiply(2:, multiply(X, r))"),
    # x / 1, 0 / x
    (lambda t: t.divide(t.X, 1.0), "X"),
    (lambda t: t.divide(t.r, t.full(1, 2, 3)), "broadcast_to(r, shape=(2, 3))"),
    (lambda t: t.divide(t.full(0), t.X), "0:2x3"),
    (lambda t: t.divide(t.full(1), t.X), "divide(1:, X)"),
    (lambda t: t.divide(t.X, t.full(3, 2, 3)), "divide(X, 3:)"),
    (lambda t: t.divide(t.full(3, 2, 3), t.r), "broadcast_to(divide(3:, r), shape=(2, 3))"),
    # x + 0, x + (−y), x − 0, 0 − x, x − (−y)
    (lambda t: t.add(t.X, 0.0), "X"),
    (lambda t: t.add(t.full(0, 2, 3), t.X), "X"),
    (lambda t: t.add(t.full(0, 2, 3), t.r), "broadcast_to(r, shape=(2, 3))"),
    (lambda t: t.add(t.X, t.full(2, 2, 3)), "add(X, 2:)"),
    (lambda t: t.add(t.full(2, 2, 3), t.r), "add(2:2x3, r)"),
    (lambda t: t.add(t.X, t.negative(t.Y)), "subtract(X, Y)"),
    (lambda t: t.add(t.negative(t.Y), t.X), "subtract(X, Y)"),
    (lambda t: t.add(t.X, t.multiply(t.full(-2), t.Y)), "subtract(X, multiply(2:, Y))"),
    (lambda t: t.add(t.X, t.multiply(t.full(2), t.Y)), "add(X, multiply(2:, Y))"),
    (lambda t: t.add(t.X, t.multiply(t.negative(t.Y), t.r)), "subtract(X, multiply(Y, r))"),
    (lambda t: t.add(t.X, t.divide(t.negative(t.Y), t.r)), "subtract(X, divide(Y, r))"),
    (lambda t: t.subtract(t.X, 0.0), "X"),
    (lambda t: t.subtract(t.r, t.full(0, 2, 3)), "broadcast_to(r, shape=(2, 3))"),
    (lambda t: t.subtract(t.full(0), t.X), "negative(X)"),
    (lambda t: t.subtract(t.full(0, 2, 3), t.r), "subtract(0:2x3, r)"),
    (lambda t: t.subtract(t.full(1), t.X), "subtract(1:, X)"),
    (lambda t: t.subtract(t.X, t.negative(t.Y)), "add(X, Y)"),
    (lambda t: t.negative(t.negative(t.X)), "X"),
    (lambda t: t.negative(t.multiply(t.full(-2), t.X)), "multiply(2:, X)"),
    (lambda t: t.negative(t.multiply(t.full(2), t.X)), "negative(multiply(2:, X))"),
    # x¹, conjugates, real parts, dtypes, copies
    (lambda t: t.pow(t.X, 1), "X"),
    (lambda t: t.pow(t.X, 2), "pow(X, 2)"),
    (lambda t: t.conj(t.conj(t.z)), "z"),
    (lambda t: t.conj(t.z), "conj(z)"),
    (lambda t: t.conj(t.X), "X"),
    (lambda t: t.real(t.X), "X"),
    (lambda t: t.real(t.z), "real(z)"),
    (lambda t: t.astype(t.X, dtype=np.dtype(np.float64)), "X"),
    (lambda t: t.astype(t.X, dtype=np.dtype(np.float32)), "astype(X, dtype=float32)"),
    # shapes
    (lambda t: t.reshape(t.X, shape=(2, 3)), "X"),
    (lambda t: t.reshape(t.reshape(t.X, shape=(6,)), shape=(3, 2)), "reshape(X, shape=(3, 2))"),
    (lambda t: t.reshape(t.reshape(t.X, shape=(6,)), shape=(2, 3)), "X"),
    (lambda t: t.reshape(t.negative(t.X), shape=(6,)), "negative(reshape(X, shape=(6,)))"),
    (lambda t: t.reshape(t.sum(t.X, axis=1), shape=(2, 1)), "sum(X, axis=1, keepdims=True)"),
    (lambda t: t.reshape(t.max(t.X, axis=(-2,)), shape=(1, 3)), "max(X, axis=(-2,), keepdims=True)"),
    (lambda t: t.reshape(t.min(t.X, axis=0), shape=(1, 3)), "min(X, axis=0, keepdims=True)"),
    (lambda t: t.reshape(t.sum(t.X, axis=1), shape=(1, 2)), "reshape(sum(X, axis=1), shape=(1, 2))"),
    (lambda t: t.reshape(t.sum(t.X), shape=(1, 1)), "reshape(sum(X), shape=(1, 1))"),
    (lambda t: t.reshape(t.mean(t.X, axis=1), shape=(2, 1)), "reshape(mean(X, axis=1), shape=(2, 1))"),
    (lambda t: t.reshape(t.sum(t.X, axis=1, keepdims=True), shape=(2,)), "reshape(sum(X, axis=1, keepdims=True), shape=(2,))"),
    (lambda t: t.permute_dims(t.X, axes=(0, 1)), "X"),
    (lambda t: t.permute_dims(t.X, axes=(1, 0)), "permute_dims(X)"),
    (lambda t: t.permute_dims(t.T, axes=(2, 1, 0)), "permute_dims(T)"),
    (lambda t: t.permute_dims(t.permute_dims(t.X, axes=(1, -2)), axes=None), "X"),
    (lambda t: t.permute_dims(t.permute_dims(t.T, axes=(1, 2, 0)), axes=(0, 2, 1)), "permute_dims(T, axes=(1, 0, 2))"),
    (lambda t: t.permute_dims(t.T, axes=(1, 2, 0)), "permute_dims(T, axes=(1, 2, 0))"),
    (lambda t: t.permute_dims(t.broadcast_to(t.s, shape=(2, 3)), axes=(1, 0)), "broadcast_to(s, shape=(3, 2))"),
    (lambda t: t.permute_dims(t.full(2, 2, 3), axes=(1, 0)), "2:3x2"),
    (lambda t: t.reshape(t.full(2, 2, 3), shape=(6,)), "2:6"),
    (lambda t: t.broadcast_to(t.X, shape=(2, 3)), "X"),
    (lambda t: t.add(t.broadcast_to(t.r, shape=(2, 3)), t.X), "add(r, X)"),
    (lambda t: t.add(t.broadcast_to(t.r, shape=(2, 3)), t.r), "add(broadcast_to(r, shape=(2, 3)), r)"),
    (lambda t: t.exp(t.broadcast_to(t.r, shape=(2, 3))), "exp(broadcast_to(r, shape=(2, 3)))"),
    # sums
    (lambda t: t.sum(t.X, axis=()), "X"),
    (lambda t: t.sum(t.full(1, 2, 3)), "6:"),
    (lambda t: t.sum(t.full(1, 2, 3), axis=0), "2:3"),
    (lambda t: t.sum(t.full(-2, 2, 3), axis=1), "-6:2"),
    (lambda t: t.sum(t.full(3, 2, 3)), "sum(3:2x3)"),
    (lambda t: t.sum(t.full(1, 2048)), "2048:"),
    (lambda t: t.sum(t.full(1, 2049)), "sum(1:2049)"),
    (lambda t: t.sum(t.negative(t.X), axis=0), "negative(sum(X, axis=0))"),
    (lambda t: t.sum(t.X, axis=0), "sum(X, axis=0)"),
    # arithmetic of numbers
    (lambda t: t.add(t.full(1, 3), t.full(2, 2, 1)), "3:2x3"),
    (lambda t: t.exp(t.full(0, 3)), "1:3"),
    (lambda t: t.divide(t.full(1), t.full(0)), "inf:"),
]


@pytest.mark.parametrize(("make", "expected"), CASES, ids=[f"{i}: {expected}" for i, (_, expected) in enumerate(CASES)])
def test_what_is_written(make: Callable[[Any], Any], expected: str) -> None:
    assert written(make(Letters())) == expected


def test_an_operation_is_written_once() -> None:
    t = Letters()
    assert t.add(t.X, t.r) is t.add(t.X, t.r)
    assert t.full(1, 2) is t.full(1, 2)
    assert t.full(0.0) is not t.full(-0.0)


def test_conditions() -> None:
    t = Letters()
    for function, neutral in ((np.bitwise_and, True), (np.bitwise_or, False)):
        yes, no = t.full(neutral, dtype=bool), t.full(not neutral, dtype=bool)
        op = constant_primitive(function, 2, ())
        for pair in ((t.b, yes), (yes, t.b), (t.b, neutral), (neutral, t.b)):
            assert t.trace.apply(op, pair, {}) is t.b
        for pair in ((t.b, no), (no, t.b)):
            assert written(t.trace.apply(op, pair, {})) == f"{int(not neutral)}:3"
        assert t.trace.apply(op, (t.b, t.b), {}).op is op
    whole = t.trace.leaf((3,), np.int64, "input", name="n")
    assert t.trace.apply(constant_primitive(np.bitwise_and, 2, ()), (whole, True), {}).op is not None


def test_what_is_taken_apart_leaves_the_trace_as_it_was() -> None:
    trace = Trace(inline=lambda op: op.name == "softmax")
    X = trace.leaf((2, 3), np.float64, "input", name="X")
    result = trace.apply(TABLE["softmax"], (X,), {"axis": -1})
    assert result.op is TABLE["divide"]
    assert trace.inlining == 0
