"""``t[i] = v`` and ``t += v``: recorded, with value semantics, for every kind of index."""

from __future__ import annotations

import gc
import operator
import sys
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients, no_grad
from tinygrad_mlp.errors import GraphError, ShapeError, TensorTypeError

rng = np.random.default_rng(0)
IN_PLACE = [getattr(operator, name) for name in "iadd isub imul itruediv ipow imod ifloordiv".split()]


def differences(f: Any, arrays: list[np.ndarray], i: int, h: float = 1e-6) -> np.ndarray:
    """The gradient of a number by central differences."""
    g = np.zeros(arrays[i].shape)
    for place in np.ndindex(*arrays[i].shape):
        ends = []
        for step in (h, -h):
            moved = [a.copy() for a in arrays]
            moved[i][place] += step
            ends.append(float(f(*moved)))
        g[place] = (ends[0] - ends[1]) / (2 * h)
    return g


MASK = np.array([[True, False, True], [False, True, False]])
INDICES: list[tuple[Any, tuple[int, ...]]] = [
    (0, (3,)), (0, ()), (-1, (1,)), ((1, 2), ()), (slice(None), (2, 3)), ((slice(None), 1), (2,)), ((slice(None), slice(None, None, -2)), (2, 1)),
    (..., ()), ((..., 0), ()), ((None, 0), (1, 3)), (MASK, ()), (MASK, (3,)), ((MASK[:, 0], 1), (1,)), ([0, 1], (2, 3)), (([0, 1], [2, 0]), (2,)), ((np.array([1, 0]), slice(1, 3)), (2, 2)),
    (([0, 0, 1], [1, 1, 2]), (3,)), ([0, 0], (2, 3)), ([0, -2], (2, 3)), ((), ()), ((slice(None), np.newaxis, 1), (2, 1)), (0, (1, 1, 3)), (np.array(1), (3,)), (([], []), (0,)),
]  # fmt: skip


@pytest.mark.parametrize(("index", "shape"), INDICES, ids=str)
def test_every_kind_of_index(index: Any, shape: tuple[int, ...]) -> None:
    x, v, w = rng.normal(size=(2, 3)), rng.normal(size=shape), rng.normal(size=(2, 3))

    def f(x: Any, v: Any) -> Any:
        y = x * 1.0
        y[index] = v**2
        return np.sum(w * y * y)

    xs = [Tensor(x, requires_grad=True), Tensor(v, requires_grad=True)]
    out = f(*xs)
    np.testing.assert_allclose(out.data, f(x, v), rtol=1e-14)
    found = gradients(out, xs)
    recorded = gradients(out, xs, create_graph=True)
    for i in range(2):
        np.testing.assert_allclose(found[i], differences(f, [x, v], i), rtol=1e-6, atol=1e-8)
        np.testing.assert_array_equal(recorded[i].data, found[i])
    if recorded[1].requires_grad and v.size:
        second = gradients(recorded[1].sum(), xs[1])
        slope = lambda x, v: np.sum(gradients(f(Tensor(x, True), t := Tensor(v, True)), t))  # noqa: E731
        np.testing.assert_allclose(second, differences(slope, [x, v], 1), rtol=1e-6, atol=1e-8)


def test_earlier_uses_keep_the_old_value() -> None:
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    before = y * y
    view = y[1:]
    y[0] = x[2] * 10
    y[1:] = y[1:] * x[0]
    after = y * y
    np.testing.assert_array_equal(view.data, [4, 6])
    total = before.sum() + view.sum() + after.sum()
    np.testing.assert_array_equal(y.data, [30, 4, 6])
    # before: 8 x; view: 2 each; after: (10 x₂)² + (2 x₁ x₀)² + (2 x₂ x₀)²
    np.testing.assert_array_equal(gradients(total, x), [8 + 8 * 4 + 8 * 9, 16 + 2 + 8 * 2, 24 + 2 + 200 * 3 + 8 * 3])
    total.backward()
    np.testing.assert_array_equal(x.grad, [112, 34, 650])


def test_a_loop_that_fills_an_array() -> None:
    x = Tensor(0.5, requires_grad=True)
    y = tg.zeros(6)
    y[0] = x
    for i in range(1, 6):
        y[i] = y[i - 1] * x + 1.0
    assert y.requires_grad
    y.backward([0.0, 0, 0, 0, 0, 1.0])
    # y₅ = x⁶ + x⁴ + x³ + x² + x + 1
    np.testing.assert_allclose(x.grad, 6 * 0.5**5 + 4 * 0.5**3 + 3 * 0.5**2 + 2 * 0.5 + 1)


def test_constants_stay_constants() -> None:
    c = Tensor([1.0, 2.0, 3.0])
    x = Tensor([1.0, 1.0, 1.0], requires_grad=True)
    y = (x * c).sum()
    c[0] = 100.0
    c[1:] += 1.0
    assert not c.requires_grad
    np.testing.assert_array_equal(c.data, [100, 3, 4])
    np.testing.assert_array_equal(gradients(y, x), [1, 2, 3])
    np.testing.assert_array_equal(gradients(gradients((x * x * c).sum(), x, create_graph=True).sum(), x), [200, 6, 8])
    ints = tg.zeros(3, dtype=tg.int64)
    ints[1] = 7
    assert ints.tolist() == [0, 7, 0]


def test_a_leaf_says_what_to_write() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GraphError, match=r"t\.data\[i\] = v .* u = t\.copy\(\); u\[i\] = v"):
        x[0] = 5.0
    for change in IN_PLACE:
        with pytest.raises(GraphError, match=r"t\.data -= step"):
            change(x, 1.0)
    np.testing.assert_array_equal(x.data, [1, 2])
    y = x * 2
    with pytest.raises(GraphError, match="detach"), no_grad():
        y[0] = 1.0
    with no_grad():  # as in PyTorch: a change of the parameter itself
        same = x
        x[0] = 5.0
        x -= 1.0
    assert x is same
    assert x.requires_grad
    np.testing.assert_array_equal(x.data, [4, 1])
    np.testing.assert_array_equal(gradients(y.sum(), same), [2, 2])


def test_a_failed_assignment_changes_nothing() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    whole = tg.zeros(2, dtype=tg.int64)
    for index, value, error in (
        (5, 1.0, IndexError),
        (slice(None), [1.0, 2.0, 3.0], ShapeError),
        (0, x, ShapeError),
        (0, 1j * x[0], TensorTypeError),
        (0, "a", TensorTypeError),
    ):
        with pytest.raises(error):
            y[index] = value
    with pytest.raises(TensorTypeError, match="int64"):
        whole[0] = x[0]
    np.testing.assert_array_equal(y.data, [2, 4])
    assert y.op is not None
    assert y.op.name == "multiply"
    np.testing.assert_array_equal(gradients(y.sum(), x), [2, 2])


@pytest.mark.parametrize("change", [*IN_PLACE, operator.imatmul])
def test_in_place_operators(change: Any) -> None:
    x0, v0 = rng.uniform(1, 2, (3, 3)), rng.uniform(1, 2, (3, 3))

    def f(x: Any, v: Any) -> Any:
        y = change(x * 1.0, v)
        return np.sum(y * y)

    xs = [Tensor(x0, requires_grad=True), Tensor(v0, requires_grad=True)]
    out = f(*xs)
    np.testing.assert_allclose(out.data, f(x0, v0))
    for g, e in zip(gradients(out, xs), [differences(f, [x0, v0], i) for i in range(2)], strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-5, atol=1e-7)


def test_in_place_keeps_shape_and_dtype() -> None:
    y = Tensor(np.ones(3, np.float32), requires_grad=True) * 1
    keep = y
    y += np.ones(3)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(keep.data, [1, 1, 1])  # a Tensor is a value
    with pytest.raises(ShapeError, match=r"\(3,\) to \(2, 3\)"):
        y += np.ones((2, 3))
    with pytest.raises(TensorTypeError, match="int64"):
        Tensor([1, 2]).__itruediv__(2)
    a = Tensor([1.0, 2.0], requires_grad=True) * 1
    a[0] += 5.0
    a[1] *= a[0]
    np.testing.assert_array_equal(a.data, [6, 12])


@given(st.data())
def test_random_indices(data: st.DataObject) -> None:
    shape = data.draw(hn.array_shapes(max_dims=3, max_side=4))
    index = data.draw(
        st.one_of(hn.basic_indices(shape, allow_newaxis=True), hn.integer_array_indices(shape), hn.arrays(bool, shape))
    )
    x0 = np.arange(np.prod(shape), dtype=float).reshape(shape)
    target = np.shape(x0[index])
    v0 = np.random.default_rng(1).normal(size=data.draw(st.sampled_from([(), target])))
    w = np.random.default_rng(2).normal(size=shape)
    expected = x0.copy()
    expected[index] = v0
    x, v = Tensor(x0, requires_grad=True), Tensor(v0, requires_grad=True)
    y = x * 1
    y[index] = v
    np.testing.assert_array_equal(y.data, expected)
    gx, gv = gradients(y, [x, v], seed=w)
    written = np.zeros(shape, bool)
    written[index] = True
    np.testing.assert_array_equal(gx, np.where(written, 0, w))
    last = np.full(shape, -1)  # which of the written values is still there
    last[index] = np.broadcast_to(np.arange(v0.size).reshape(v0.shape), target)
    np.testing.assert_allclose(gv, np.bincount(last[last >= 0], w[last >= 0], v0.size).reshape(v0.shape), atol=1e-12)


def test_second_backward_and_freed_versions() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    u = y * y
    y[0] = 0.0
    y.sum().backward()
    with pytest.raises(GraphError, match="freed"):
        u.sum().backward()
    y = x * 2
    u = y * y
    y[0] = 0.0
    y.sum().backward(retain_graph=True)
    x.zero_grad()
    u.sum().backward()
    np.testing.assert_array_equal(x.grad, [8, 16])


def test_ten_thousand_assignments() -> None:
    x = Tensor(1.0, requires_grad=True)
    y = tg.zeros(3)
    for i in range(10_000):
        y[i % 3] = y[(i + 1) % 3] * 0.5 + x
    y.sum().backward()
    assert x.grad is not None
    assert abs(float(x.grad) - 6.0) < 1e-9


def test_parts_of_other_tensors_are_not_assigned_to_in_silence() -> None:
    """In NumPy u[0][1] = v writes into u; here a Tensor is a value, so it is refused rather than lost."""
    u = Tensor(np.ones((2, 2)), requires_grad=True) * 1
    for part in (u[0], u.T, u.reshape(4), u[0][:1], u[:, None][0], u.squeeze()):
        with pytest.raises(GraphError, match=r"u\[0, 1\] = v for u\[0\]\[1\] = v"):
            part[0] = 5.0
    with pytest.raises(GraphError, match="part of another"):
        u[0][1] = 5.0
    constant = Tensor(np.ones((2, 2)))
    with pytest.raises(GraphError, match="part of another"):
        constant[0][1] = 5.0
    row = constant[0]
    row[:] = 7.0
    np.testing.assert_array_equal(row.data, [7, 7])
    np.testing.assert_array_equal(constant.data, np.ones((2, 2)))
    # what nobody else holds, and what shares no numbers, may be assigned to
    alone = (u * 2)[0]
    alone[1] = 5.0
    for own in (u[0].copy(), u[[0, 1]], u + 0, np.reshape(u * 3, (4,)), u[u.data > 0]):
        own[0] = 5.0
    np.testing.assert_array_equal(u.data, np.ones((2, 2)))


def test_assigned_to_itself() -> None:
    for assign in (
        lambda u: u.__setitem__(slice(None), u),
        lambda u: u.__setitem__(slice(None), u[:]),
        lambda u: u.__setitem__(..., u * 1),
    ):
        x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        u = x * 2
        assign(u)
        np.testing.assert_array_equal(gradients((u * u).sum(), x), [8, 16, 24])


def test_many_assignments_take_linear_time_and_leave_no_cycles() -> None:
    def sweep(n: int) -> tuple[Tensor, Tensor]:
        x = Tensor(1.0, requires_grad=True)
        u = tg.zeros(10)
        for i in range(n):
            u[i % 10] = u[(i + 1) % 10] * 0.999 + x
        return x, u

    steps = [0]

    def count(*_: Any) -> None:
        steps[0] += 1

    sizes = []
    for n in (400, 1600):
        steps[0] = 0
        sys.setprofile(count)
        try:
            sweep(n)[1].sum().backward()
        finally:
            sys.setprofile(None)
        sizes.append(steps[0])
    assert sizes[1] < 5 * sizes[0]

    gc.collect()
    gc.disable()
    try:
        u = sweep(100)[1]
        gone = weakref.ref(u)
        del u
        assert gone() is None
    finally:
        gc.enable()


def test_what_was_wanted_of_a_name_is_wanted_of_its_new_value() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    u = x * 2
    u.retain_grad()
    u[0] = 5.0
    (u * u).sum().backward()
    np.testing.assert_array_equal(u.grad, [10, 8])


def test_results_of_numpys_functions_may_be_assigned_to() -> None:
    x = Tensor([1.0, 2.0, 4.0, 3.0], requires_grad=True)
    s = x.reshape(2, 2) @ x.reshape(2, 2).T
    w, v = np.linalg.eigh(s)
    w[w.data < 0] = 0.0
    X, Y = np.meshgrid(x, x)
    X[0] = 1.0
    a, b = np.split(x * 2, 2)
    a[0] = 1.0
    for row in (x * 2).reshape(2, 2):
        row[0] = 3.0
    total = w.sum() + v.sum() + X.sum() + Y.sum() + a.sum() + b.sum()
    assert gradients(total, x).shape == (4,)


def test_a_constant_that_was_assigned_to_and_freed() -> None:
    a, u = Tensor(2.0, requires_grad=True), Tensor([1.0, 2.0], requires_grad=True) * 1
    c = tg.zeros(2)
    y = (u * c).sum() + (u * u).sum()
    u[0] = a
    c[0] = a
    (c * 1).sum().backward()
    y.backward()


def test_gradients_with_respect_to_what_has_been_replaced() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    u = x * 2
    y = (u * u).sum()
    u[0] = 5.0
    with pytest.raises(GraphError, match="assigned to after y was computed"):
        gradients(y, u)
    np.testing.assert_array_equal(gradients(y, x), [8, 16])
    np.testing.assert_array_equal(gradients((u * u).sum(), u), [10, 8])
    np.testing.assert_array_equal(gradients((x * x).sum(), u), [0, 0])
