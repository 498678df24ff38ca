"""One number of a gradient taken apart: the terms add up to it, and are the ones that the mathematics says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from checking import arrays_of, call, weights
from hypothesis import given
from hypothesis import strategies as st
from samples import SAMPLES

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients, nn
from tinygrad_mlp.check import explain
from tinygrad_mlp.check.witnesses import loss_of, manual_backprop, manual_names
from tinygrad_mlp.errors import GraphError, ShapeError, TensorTypeError, UnsupportedError

RNG = np.random.default_rng(0)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, str, np.ndarray, np.ndarray, Any]:
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    activation = draw(st.sampled_from(["relu", "tanh", "sigmoid", "leaky_relu", "softplus"]))
    loss = draw(st.sampled_from(["cross_entropy", "mse"]))
    batch, seed = draw(st.integers(1, 40)), draw(st.integers(0, 2**32 - 1))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    rng = np.random.default_rng(seed)
    model = nn.MLP(sizes, activation=activation, rng=rng, dtype=dtype)
    X = rng.standard_normal((batch, sizes[0])).astype(dtype)
    y = rng.integers(0, sizes[-1], batch) if loss == "cross_entropy" else rng.standard_normal((batch, sizes[-1])).astype(dtype)
    return model, loss, X, y, rng


@given(cases())
def test_the_terms_of_an_mlp_are_the_products_of_the_manual_backprop(case: Any) -> None:
    model, loss, X, y, rng = case
    named = manual_names(model)
    by_hand = manual_backprop(model, loss, X, y)
    for name, p in named.items():
        index = tuple(int(rng.integers(n)) for n in p.shape)
        found = explain(loss_of(model, loss, X, y), p, index)
        assert found.ok, found
        assert found.index == index
        assert found.number == float(by_hand.gradients[name][index])
        assert len(found.terms) == len(X)
        assert len(found.paths) == 1
        if name == "W1" and len(X) > 1:
            assert [t.factors[0][1] for t in found.terms] == X[:, index[0]].tolist()
            assert [t.factors[0][0] for t in found.terms] == [f"x[{i}, {index[0]}]" for i in range(len(X))]
            assert [t.factors[1][0] for t in found.terms] == [f"g[{i}, {index[1]}]" for i in range(len(X))]
        for t in found.terms:
            assert t.value == pytest.approx(t.scale * np.prod([v for _, v in t.factors]), rel=1e-12)


@given(cases())
def test_the_graph_of_a_gradient_tells_the_same(case: Any) -> None:
    model, loss, X, y, _ = case
    p = next(iter(manual_names(model).values()))
    value = loss_of(model, loss, X, y)
    g = gradients(value, p, create_graph=True)
    index = (0,) * p.ndim
    first, second = explain(value, p, index), explain(g, index)
    assert second.ok
    assert second.number == pytest.approx(first.number, rel=1e-5, abs=1e-9)
    assert sorted(t.value for t in second.terms) == pytest.approx(sorted(t.value for t in first.terms), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("name", list(SAMPLES))
@pytest.mark.filterwarnings("ignore")
def test_the_terms_of_every_function_add_up(name: str) -> None:
    for sample in SAMPLES[name][:3]:
        arrays = arrays_of(sample)
        if not arrays or any(a.size == 0 or a.dtype.kind == "c" or not np.isfinite(a).all() for a in arrays):
            continue
        xs = [Tensor(a, requires_grad=True) for a in arrays]
        z = call(name, sample, xs)
        if not isinstance(z, Tensor) or not z.requires_grad or z.dtype.kind == "c" or not z.size:
            continue
        loss = (z * weights(z.shape, 1)).sum()
        for x in xs:
            if not any(x is node for node in tg.derivative.topological(loss)):
                continue
            whole = gradients(loss, x)
            for index in (None, (0,) * x.ndim):
                found = explain(loss, x, index)
                assert found.ok, f"{sample.params} {[a.shape for a in arrays]}: {found}"
                assert found.number == whole[found.index]
                assert sum(p.value for p in found.paths) == pytest.approx(found.number, rel=1e-12, abs=1e-12)
                assert str(found)


def test_paths_are_the_users_of_the_tensor() -> None:
    w = Tensor(RNG.standard_normal((3, 3)), requires_grad=True)
    x = RNG.standard_normal((4, 3))
    found = explain(np.sum(np.tanh(x @ w) @ w + np.sum(w * w)), w, (1, 2))
    assert [(p.operation, p.argument) for p in found.paths] == [
        ("matmul", "y"), ("matmul", "y"), ("multiply", "x"), ("multiply", "y"),
    ]  # fmt: skip
    assert [sum(t.path == n for t in found.terms) for n in range(4)] == [4, 4, 1, 1]
    assert all(p.line.startswith(f"{__file__}:") for p in found.paths)
    assert found.ok


FORMS: dict[str, tuple[Any, tuple[int, ...], tuple[int, ...], int]] = {
    "a batch of products": (lambda w: np.ones((5, 4, 3)) @ w, (3, 2), (0, 1), 20),
    "products of batches": (lambda w: np.ones((5, 4, 3)) @ w, (5, 3, 2), (2, 0, 1), 4),
    "a vector": (lambda w: np.ones((4, 3)) @ w, (3,), (1,), 4),
    "a vector on the left": (lambda w: w @ np.ones((3, 4)), (3,), (1,), 4),
    "two vectors": (lambda w: w @ np.ones(3), (3,), (1,), 1),
    "einsum": (lambda w: np.einsum("bij,jk->bik", np.ones((5, 4, 3)), w), (3, 2), (0, 0), 20),
    "a broadcast factor": (lambda w: np.ones((6, 3)) * w, (3,), (2,), 6),
    "a broadcast column": (lambda w: np.ones((6, 3)) + w, (6, 1), (2, 0), 3),
    "rows that are looked up": (lambda w: w[np.array([0, 1, 1, 4, 1])], (5, 2), (1, 1), 3),
    "joined": (lambda w: np.concatenate([w, 2 * w]), (3,), (0,), 2),
    "a slice": (lambda w: w[1:] * w[:-1], (4,), (2,), 2),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    f, shape, index, terms = FORMS[form]
    w = Tensor(RNG.standard_normal(shape), requires_grad=True)
    found = explain(np.sum(np.sin(f(w))), w, index)
    assert found.ok
    assert len(found.terms) == terms, found


def test_large_batches_show_the_largest() -> None:
    X = RNG.standard_normal((500, 2))
    w = Tensor(RNG.standard_normal((2, 1)), requires_grad=True)
    found = explain(np.sum((X @ w) ** 2), w, (0, 0), limit=3)
    lines = str(found).splitlines()
    assert len(found.terms) == 500
    assert lines[6].startswith("  … 497 others")
    shown = [float(line.split()[-3]) for line in lines[3:7]]
    assert sum(shown) == pytest.approx(found.number, rel=2e-3)
    largest = sorted((t.value for t in found.terms), key=abs, reverse=True)[:3]
    assert shown[:3] == pytest.approx(largest, rel=1e-3)
    assert str(found).endswith("500 terms add up to it, to rounding.")


def test_cancelling_is_told() -> None:
    w = Tensor([1.0], requires_grad=True)
    found = explain((w * np.array([1e6, -1e6, 1.0])).sum(), w)
    assert found.ok
    assert "They cancel: their sizes add up to 2e+06" in str(found)


def test_a_sum_that_is_wrong_is_told() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    found = explain((w * w).sum(), w, 0)
    found.sum += 1e-9
    assert not found.ok
    assert "not to 2" in found.verdict()


def test_a_computed_tensor_and_default_index() -> None:
    x = Tensor([[1.0, 2.0]], requires_grad=True)
    y = x @ np.array([[3.0], [4.0]]) + 1.0
    found = explain(y)
    assert (found.number, [t.value for t in found.terms]) == (12.0, [3.0, 8.0, 1.0])
    assert explain(y, (-1, 0)).index == (0, 0)
    assert explain((x * np.array([1.0, -5.0])).sum(), x).index == (0, 1)
    assert found.markdown().startswith("| term | factors | value | share |")
    assert found._repr_markdown_().endswith(found.verdict())


def test_a_rule_for_arrays_only() -> None:
    op = tg.primitive(
        lambda g, z, x: g * np.array([3 * float(v) ** 2 for v in x]) * np.frombuffer(np.ones(1).tobytes()), example=(np.ones(2),), name="arrays_only", order=1
    )(lambda x: x**3)  # fmt: skip
    x = Tensor([1.0, 2.0], requires_grad=True)
    found = explain(op(x).sum(), x, 1)
    assert (found.ok, found.number) == (True, 12.0)


def test_errors() -> None:
    w = Tensor(np.ones((2, 3)), requires_grad=True)
    loss = (w * w).sum()
    with pytest.raises(GraphError, match=r"given, not computed.*explain\(loss, tensor, index\)"):
        explain(w, (0, 1))
    with pytest.raises(GraphError, match=r"write explain\(loss, tensor, index\)"):
        explain(w, loss, (0, 1))
    with pytest.raises(GraphError, match="not computed from this tensor"):
        explain(loss, Tensor(1.0, requires_grad=True))
    with pytest.raises(GraphError, match="itself"):
        explain(loss, loss)
    with pytest.raises(IndexError, match=r"\(0, 3\) is no entry of a tensor of shape \(2, 3\)"):
        explain(loss, w, (0, 3))
    with pytest.raises(IndexError, match="no entry"):
        explain(loss, w, 0)
    with pytest.raises(TensorTypeError, match="whole numbers"):
        explain(loss, w, (0, slice(None)))  # type: ignore[arg-type]
    with pytest.raises(TensorTypeError, match="a loss, a tensor and an index"):
        explain(loss, 0, 1)  # type: ignore[call-overload]
    with pytest.raises(TensorTypeError, match="not a float"):
        explain(3.0, w, (0, 0))  # type: ignore[call-overload]
    with pytest.raises(ShapeError, match="needs the gradient that arrives"):
        explain(w * w, w, (0, 0))
    with pytest.raises(ShapeError, match="no entries"):
        explain(Tensor(np.ones((0, 2)), requires_grad=True) * 2)
    z = Tensor(1j, requires_grad=True)
    with pytest.raises(UnsupportedError, match="complex"):
        explain(tg.abs(z), z)
    loss.backward()
    with pytest.raises(GraphError, match="freed"):
        explain(loss, w, (0, 0))


def test_nothing_is_changed() -> None:
    w = Tensor(np.ones((2, 3)), requires_grad=True)
    h = np.tanh(w)
    loss = (h * h).sum()
    explain(loss, w, (0, 0))
    explain(loss, h, (0, 0))
    assert w.grad is None
    assert h.grad is None
    loss.backward()
    assert w.grad is not None
