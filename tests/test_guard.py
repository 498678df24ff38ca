"""Writes into arrays that a gradient needs: the gradient of the old values, or an error that names the operation; never a wrong number."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients, nn, optim
from tinygrad_mlp.errors import GraphError, UnknownNameError
from tinygrad_mlp.guard import SMALL, places

LARGE = SMALL // 8 + 1000


def leaf(*values: float) -> Tensor:
    return Tensor(list(values), requires_grad=True)


def stepped(t: Tensor) -> None:
    t.grad = np.ones(3)
    optim.SGD([t], lr=10.0).step()
    t.zero_grad()


def in_place(t: Tensor) -> None:
    t.data -= 100.0


def by_another_library(t: Tensor) -> None:
    memoryview(t.data).cast("B").cast("d")[0] = 100.0


WRITES: dict[str, Callable[[Tensor], None]] = {
    "an entry": lambda t: t.data.__setitem__(0, 100.0),
    "all": lambda t: t.data.fill(100.0),
    "in place": in_place,
    "a view": lambda t: t.data[1:].fill(100.0),
    "a view of a view": lambda t: t.data.reshape(3, 1).T[0].fill(1.0),
    "a buffer": by_another_library,
    "out=": lambda t: np.copyto(t.data, 7.0),
    "an optimiser": stepped,
    "new data": lambda t: setattr(t, "data", [9.0, 9.0, 9.0]),
}
REPLACED = ("an optimiser", "new data")


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("held", [False, True])
def test_a_leaf_may_be_written_into_at_any_time(name: str, held: bool) -> None:
    """The gradient is that of the values that were used; what is computed afterwards uses the new ones."""
    t = leaf(1.0, 2.0, 3.0)
    view = t.data if held else None  # somebody has got hold of the data before
    y = (t * t * t).sum()
    old = t.numpy().copy()
    WRITES[name](t)
    y.backward()
    np.testing.assert_array_equal(t.grad, 3 * old**2)
    if held and name not in REPLACED:
        np.testing.assert_array_equal(view, t.numpy())  # it is still the tensor's data
    t.zero_grad()
    (t * t).sum().backward()
    np.testing.assert_array_equal(t.grad, 2 * t.numpy())


def test_a_view_taken_before_the_operation() -> None:
    t = leaf(1.0, 2.0, 3.0)
    view = t.data[:2]
    y = (t * t).sum()
    view[0] = 50.0
    assert t.numpy().tolist() == [50, 2, 3]
    z = (t * t).sum()
    view[1] = 60.0
    (y + z).backward()
    assert t.grad is not None
    assert t.grad.tolist() == [2 + 100, 4 + 4, 6 + 6]


def test_nobody_is_locked_out_and_nothing_is_copied_without_need() -> None:
    t = leaf(1.0, 2.0)
    place = t.array.ctypes.data
    t.data[0] = 5.0
    assert t.array.ctypes.data == place  # no graph: written in place
    y = t * t
    t.data[0] = 6.0
    assert t.array.ctypes.data != place
    assert float(y[0]) == 25.0
    a = np.ones(2)
    _ = t * a
    assert a.flags.writeable
    assert t.data.flags.writeable


def test_read_only_views() -> None:
    t = leaf(1.0, 2.0)
    for view in (t.numpy(), (t * 2).data, np.asarray(Tensor([1.0, 2.0]))):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 3.0
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.flags.writeable = True


def test_other_tensors_are_values() -> None:
    c = Tensor([1.0, 2.0, 3.0])
    row = c.reshape(1, 3)
    part, same = c[1:], tg.real(c)
    c.data[:] = 9.0
    row.data[0, 0] = 7.0
    assert row.numpy().tolist() == [[7, 2, 3]]
    assert part.numpy().tolist() == [2, 3]
    assert same.numpy().tolist() == [1, 2, 3]
    assert c.numpy().tolist() == [9, 9, 9]
    other = np.from_dlpack(c)
    x = leaf(1.0, 1.0, 1.0)
    y = (x * c).sum()
    other[:] = 0.0
    y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [9, 9, 9]


@pytest.mark.parametrize("dtype", [float, np.float32, int, bool, complex])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,)])
def test_small_arrays_are_copied(shape: tuple[int, ...], dtype: Any) -> None:
    a = np.ones(shape, dtype)
    x = Tensor(np.full(shape, 2.0), requires_grad=True)
    y = tg.real(x * a).sum()
    a[...] = 0
    y.backward()
    np.testing.assert_array_equal(x.grad, np.ones(shape))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("edit", ["all", "a row", "a column", "scaled"])
def test_large_arrays_are_watched(order: Any, edit: str) -> None:
    a = np.array(np.random.default_rng(0).normal(size=(100, LARGE // 100)), order=order)
    a[:, 0] = 0  # as the border of an image
    x = Tensor(2.0, requires_grad=True)
    y = (x * a).sum()
    match edit:
        case "all":
            a[...] = 1.0
        case "a row":
            a[37] = 0.5
        case "a column":
            a[:, 40:44] = 0.5
        case "scaled":
            a *= 2
    with pytest.raises(GraphError, match=r"multiply \(created at .*test_guard\.py:\d+\) was given has been written into"):
        y.backward()
    assert x.grad is None


def test_large_arrays_that_are_left_alone() -> None:
    for a in (
        np.ones(LARGE),
        np.full(LARGE, np.nan),
        np.ones((LARGE, 2))[:, 0],
        np.ones((LARGE, 2)).T[:, ::-1],
        np.arange(LARGE) % 2 == 0,
    ):
        x = Tensor(2.0, requires_grad=True)
        y = (x * a).sum()
        y.backward()
        np.testing.assert_array_equal(x.grad, np.sum(a * 1.0))


def test_what_the_default_does_not_see_full_does() -> None:
    a = np.ones(LARGE)
    hidden = next(i for i in range(LARGE) if i not in set(places(LARGE).tolist()))
    x = Tensor(2.0, requires_grad=True)
    with tg.guard("full"):
        y = (x * a).sum()
    z = (x * a).sum()
    a[hidden] = 1000.0
    y.backward()
    assert float(x.grad) == LARGE
    x.zero_grad()
    z.backward()  # documented: one entry of a large array is not seen
    assert float(x.grad) == LARGE + 999
    with pytest.raises(UnknownNameError, match="did you mean 'full'"), tg.guard("ful"):
        pass


def test_places_are_spread() -> None:
    for size in (SMALL // 8, 100_000, 1024 * 3072):
        found = places(size)
        assert found.min() >= 0
        assert found.max() < size
        assert np.max(np.diff(found)) <= 2 * size / 512 + 2  # every longer stretch is hit
        assert len(set((found % 3072).tolist())) > 200  # not always the same column


def test_second_order_after_a_write() -> None:
    t = leaf(1.0, 2.0)
    y = (t**3).sum()
    _ = t.data  # somebody looks
    np.testing.assert_array_equal(gradients(gradients(y, t, create_graph=True).sum(), t), [6, 12])
    y = (t**3).sum()
    t.data[0] = 5.0
    with pytest.raises(GraphError, match="given new data"):
        gradients(y, t, create_graph=True)
    np.testing.assert_array_equal(gradients(y, t), [3, 12])


def test_labels_and_indices() -> None:
    x = Tensor(np.random.default_rng(0).normal(size=(4, 3)), requires_grad=True)
    labels, index = np.array([0, 1, 2, 0]), np.array([0, 0, 1, 2])
    expected = gradients(nn.cross_entropy(x, labels.copy()) + x[index.copy()].sum(), x)
    y = nn.cross_entropy(x, labels) + x[index].sum()
    labels[:], index[:] = 0, 3
    np.testing.assert_array_equal(gradients(y, x), expected)


def test_a_view_does_not_keep_the_tensor_alive() -> None:
    gc.disable()
    try:
        t = leaf(1.0)
        seen, view = weakref.ref(t), t.data
        del t
        assert seen() is None
        view[0] = 3.0
    finally:
        gc.enable()


def test_copies_and_pickles_of_tensors_whose_data_is_out() -> None:
    t = leaf(1.0, 2.0)
    view = t.data
    again = pickle.loads(pickle.dumps(t))  # noqa: S301  # our own bytes
    view[0] = 9.0
    assert again.numpy().tolist() == [1, 2]
    assert again.requires_grad


OPERATIONS: list[Callable[[Any, Any], Any]] = [
    lambda x, a: x * a, lambda x, a: a / (2 + x * x), lambda x, a: np.maximum(x, a), lambda x, a: tg.where(a > 0, x, a), lambda x, a: x.reshape(-1) * a,
    lambda x, a: np.stack([x, a])[0] * a, lambda x, a: x[::-1] + a, lambda x, a: np.outer(x, a).sum(0), lambda x, a: np.exp(x * 0.1) * a,
]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, len(OPERATIONS) - 1), st.integers(0, 3)), min_size=1, max_size=8))
def test_random_programs_with_writes_in_between(steps: list[tuple[int, int]]) -> None:
    """Whatever is written wherever and whenever, the gradient is the one of the program without the later writes."""
    rng = np.random.default_rng(0)
    x0, a0 = rng.normal(size=4), rng.normal(size=4)

    def program(write: bool) -> np.ndarray:
        x, a = Tensor(x0, requires_grad=True), a0.copy()
        views = [x.data] if write and steps[0][1] == 1 else []
        y: Any = x
        for operation, kind in steps:
            y = OPERATIONS[operation](y, a if kind < 3 else Tensor(a))
            if write:
                a[:] = 1e3
                a = a0.copy()
                if kind == 2:
                    views.append(x.data)
                for view in views:
                    view[0] = 1e3
                    view[0] = x0[0]
        if write:
            a[:] = -1.0
            x.data[:] = 77.0
        return gradients(tg.sum(y), x)

    np.testing.assert_array_equal(program(write=True), program(write=False))


VIEWS: dict[str, Callable[[Any], Any]] = {
    "reshape": lambda t: t.reshape(2, 2), "slice": lambda t: t[1:], "flip": lambda t: np.flip(t), "transpose": lambda t: t.reshape(2, 2).T,
    "broadcast": lambda t: np.broadcast_to(t, (2, 4)), "real": lambda t: t.real, "expand": lambda t: t[None], "split": lambda t: np.split(t, 2)[0],
    "maximum of one row": lambda t: np.max(t[None], axis=0), "einsum": lambda t: np.einsum("i->i", t), "itself": lambda t: tg.asarray(t),
}  # fmt: skip


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("level", ["default", "full"])
def test_results_are_no_views_of_data_that_is_out(name: str, level: str) -> None:
    """A result must not share memory with a writable view that was handed out before."""
    for requires_grad in (True, False):
        t = Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=requires_grad)
        view = t.data
        with tg.guard(level):
            y = VIEWS[name](t)
        if y is t:
            continue
        before = y.numpy().copy()
        x = leaf(2.0)
        z = (y * y * x).sum()
        view[:] = 100.0
        np.testing.assert_array_equal(y.data, before)
        z.backward()
        np.testing.assert_array_equal(x.grad, [np.sum(before**2)])
        if requires_grad:
            assert t.grad is not None
            assert np.max(np.abs(t.grad)) <= 4 * 8 * 2


def test_shared_data_and_a_custom_function_that_returns_what_it_is_given() -> None:
    a = np.array([1.0, 2.0, 3.0, 4.0])
    shared, x = tg.from_dlpack(a, copy=False), leaf(1.0)
    y = shared.reshape(2, 2)
    z = (y * x).sum()
    a[:] = 50.0
    np.testing.assert_array_equal(gradients(z, x), [10])
    second = tg.primitive(lambda g, z, x, y: g * 0, lambda g, z, x, y: g, example=(np.ones(2), np.ones(2)), name="second_of")(
        lambda x, y: y
    )
    for size in (2, LARGE):
        w, data = Tensor(np.ones(size), requires_grad=True), np.full(size, 3.0)
        out = second(w, data)
        y = (out * out * w).sum()
        data[:] = 7.0
        if size == LARGE:
            with pytest.raises(GraphError, match="written into"):
                gradients(y, w)
        else:
            np.testing.assert_array_equal(gradients(y, w), np.full(size, 9.0))


def test_parameters_given_as_lists_and_arrays() -> None:
    x = Tensor(np.arange(27.0).reshape(3, 3, 3), requires_grad=True)
    w = np.arange(27.0).reshape(3, 3, 3)
    axes, shift, index = [1, 2, 0], np.array([1]), [0, 2]
    results = [
        np.transpose(x, axes=axes),
        np.roll(x, shift),
        tg.getitem(x, index=index),
        np.linalg.vector_norm(x, ord=(order := np.array(3.0))),
    ]
    expected = [gradients(r, x, seed=w[: len(r)] if r.ndim else 1.0) for r in results]
    axes[:], shift[:], index[:], order[...] = [0, 1, 2], 2, [1, 1], 1.0
    for r, e in zip(results, expected, strict=True):
        np.testing.assert_array_equal(gradients(r, x, seed=w[: len(r)] if r.ndim else 1.0), e)


def test_numpy_does_not_write_into_a_tensor() -> None:
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    for write in (
        lambda: np.any(np.ones((2, 3)), axis=0, out=x),
        lambda: np.isneginf(np.ones((2, 3)), x),
        lambda: np.exp(np.ones((2, 3)), out=x),
        lambda: np.copyto(x, 3.0),
    ):
        with pytest.raises(TypeError):
            write()
    assert x.tolist() == np.ones((2, 3)).tolist()


def test_a_plain_array_does_not_take_the_number_of_a_tensor_in_silence() -> None:
    a, x = np.zeros(3), leaf(2.0)
    with pytest.raises((GraphError, ValueError)) as caught:
        a[0] = x[0]
    assert "np.zeros_like(t)" in str(caught.value) + str(caught.value.__cause__)
    a[0] = float(x[0])
    numbers = [0.0]
    numbers[0] = float(x[0])
    a[1] = Tensor(3.0)
    assert a.tolist() == [2, 3, 0]


def test_a_rule_that_reuses_its_buffer() -> None:
    buffer = np.zeros(2)
    double = tg.primitive(lambda g, z, x: np.multiply(g, 2, out=buffer), example=(np.ones(2),), name="reusing", order=1)(
        lambda x: 2 * x
    )
    x, y = leaf(1.0, 2.0), leaf(1.0, 2.0)
    double(x).sum().backward()
    double(y * 3).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2, 2]


def test_data_is_the_value_of_now_also_while_an_older_view_is_held() -> None:
    p = Tensor([1.0, 2.0], requires_grad=True)
    held = p.data
    p.grad = np.ones(2)
    tg.optim.SGD([p], lr=0.5).step()
    np.testing.assert_array_equal(p.data, [0.5, 1.5])
    np.testing.assert_array_equal(held, [1.0, 2.0])
    p.data -= 1
    np.testing.assert_array_equal(p.array, [-0.5, 0.5])
    p.data = held
    np.testing.assert_array_equal(p.array, [1.0, 2.0])
