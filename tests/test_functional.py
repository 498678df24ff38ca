"""The transforms: against differences, against each other, at any order, on trees, and what they cost."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor
from tinygrad_mlp.errors import GraphError, SettingError, ShapeError, TensorTypeError
from tinygrad_mlp.primitive import TABLE

A = np.random.default_rng(0).normal(size=(3, 3))


def smooth(x: Any) -> Any:
    return np.sum(np.tanh(A @ x) * x**2)


def vector(x: Any) -> Any:
    return np.stack([np.sin(x[0]) * x[1], x[1] ** 3, np.exp(x[0] - x[2]), np.sum(x * x)])


X = np.array([0.3, -0.2, 0.5])


def differences(f: Any, x: np.ndarray, h: float = 6e-6) -> np.ndarray:
    """∂f/∂x by central differences: the axes of f first."""
    columns = [
        (np.asarray(f(x + h * e.reshape(x.shape))) - np.asarray(f(x - h * e.reshape(x.shape)))) / (2 * h) for e in np.eye(x.size)
    ]
    return np.stack(columns, axis=-1).reshape((*np.shape(f(x)), *x.shape))


def test_grad_and_value() -> None:
    value, gradient = tg.value_and_grad(smooth)(X)
    assert type(value) is type(gradient) is np.ndarray
    np.testing.assert_array_equal(value, smooth(X))
    np.testing.assert_allclose(gradient, differences(smooth, X), rtol=1e-8)
    np.testing.assert_array_equal(tg.grad(smooth)(X), gradient)


def test_jacobian_by_rows_and_by_columns() -> None:
    np.testing.assert_allclose(tg.jacobian(vector)(X), differences(vector, X), rtol=1e-7, atol=1e-9)  # 4 outputs, 3 inputs
    wide = tg.jacobian(lambda x: vector(x)[:2])  # 2 outputs
    np.testing.assert_allclose(wide(X), differences(vector, X)[:2], rtol=1e-7, atol=1e-9)
    m = np.arange(6.0).reshape(2, 3)
    assert tg.jacobian(lambda x: np.outer(x[0], x[1]))(m).shape == (3, 3, 2, 3)
    np.testing.assert_allclose(
        tg.jacobian(lambda x: np.outer(x[0], x[1]))(m), differences(lambda x: np.outer(x[0], x[1]), m), atol=1e-8
    )


def test_products_are_those_with_the_jacobian() -> None:
    J, H = tg.jacobian(vector)(X), tg.hessian(smooth)(X)
    v, u = np.array([1.0, -2.0, 0.5]), np.array([0.5, 1.0, -1.0, 2.0])
    y, change = tg.jvp(vector, (X,), (v,))
    np.testing.assert_array_equal(y, vector(X))
    np.testing.assert_allclose(change, J @ v, rtol=1e-13)
    y, pull_back = tg.vjp(vector, X)
    np.testing.assert_allclose(pull_back(u)[0], u @ J, rtol=1e-13)
    np.testing.assert_allclose(tg.hvp(smooth, (X,), (v,))[0], H @ v, rtol=1e-12)
    np.testing.assert_allclose(H, H.T, atol=1e-15)
    np.testing.assert_allclose(H, differences(tg.grad(smooth), X), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(tg.jacobian(tg.grad(smooth))(X), H, atol=1e-15)


def test_any_order() -> None:
    f, x = np.sin, 0.3
    expected = [np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x)]
    for order in range(8):
        np.testing.assert_allclose(f(x), expected[order % 4](x), rtol=1e-12)
        f = tg.grad(f)
    third = tg.jacobian(tg.hessian(smooth))(X)
    np.testing.assert_allclose(third, differences(tg.hessian(smooth), X), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(third, np.swapaxes(third, 0, 2), atol=1e-13)
    pushed_twice = tg.jvp(lambda x: tg.jvp(smooth, (x,), (X,))[1], (X,), (X,))[1]
    np.testing.assert_allclose(pushed_twice, X @ tg.hessian(smooth)(X) @ X, rtol=1e-12)


def test_nested_derivatives_are_not_confused() -> None:
    assert float(tg.grad(lambda x: x * tg.grad(lambda y: x + y)(1.0))(5.0)) == 1.0  # Siskind and Pearlmutter's example
    assert float(tg.grad(lambda x: tg.grad(lambda y: x * y)(x))(3.0)) == 1.0
    assert float(tg.grad(lambda x: x * tg.grad(lambda y: x * y * y)(x))(3.0)) == 54.0
    assert float(tg.grad(lambda x: tg.hessian(lambda y: x * y**3)(2.0))(5.0)) == 12.0


def test_a_gradient_can_be_part_of_a_loss() -> None:
    W = Tensor(A, requires_grad=True)
    slope = tg.grad(lambda x: np.sum(np.tanh(W @ x)))(X)
    assert isinstance(slope, Tensor)
    np.sum(slope**2).backward()
    with tg.no_grad():
        plain = tg.grad(lambda x: np.sum(np.tanh(W @ x)))(X)
    assert type(plain) is np.ndarray

    def penalty(w: np.ndarray) -> float:
        return float(np.sum(((1 - np.tanh(w @ X) ** 2) @ w) ** 2))

    np.testing.assert_allclose(W.grad, differences(penalty, A), rtol=1e-6, atol=1e-9)


def test_trees_and_several_arguments() -> None:
    def model(p: Any, x: Any, scale: float = 1.0) -> Any:
        return scale * np.sum(np.tanh(x @ p["layers"][0] + p["b"]) @ p["layers"][1])

    p = {"layers": [A, A[:, :1]], "b": X}
    g = tg.grad(model)(p, X, scale=2.0)
    assert g.keys() == p.keys()
    np.testing.assert_allclose(g["b"], differences(lambda b: model({**p, "b": b}, X, 2.0), X), rtol=1e-7)
    both = tg.grad(model, argnums=(0, -1))(p, X)
    np.testing.assert_allclose(both[1], differences(lambda x: model(p, x), X), rtol=1e-7)
    assert isinstance(both[0]["layers"], list)
    nested = tg.hessian(lambda q: q["a"] ** 2 * q["b"])({"a": 2.0, "b": 3.0})
    assert {k: {i: float(v) for i, v in row.items()} for k, row in nested.items()} == {"a": {"a": 6, "b": 4}, "b": {"a": 4, "b": 0}}
    out = tg.jacobian(lambda x: (x[0] * x, {"s": np.sum(x)}))(X)
    np.testing.assert_allclose(out[0], differences(lambda x: x[0] * x, X), atol=1e-9)
    np.testing.assert_array_equal(out[1]["s"], np.ones(3))


def test_what_does_not_depend_on_the_argument_has_gradient_zero() -> None:
    np.testing.assert_array_equal(tg.grad(lambda x: 3.0)(X), np.zeros(3))
    np.testing.assert_array_equal(tg.grad(lambda x, y: np.sum(y * y), argnums=0)(X, X), np.zeros(3))
    np.testing.assert_array_equal(tg.jacobian(lambda x: np.ones(2))(X), np.zeros((2, 3)))
    np.testing.assert_array_equal(tg.hessian(lambda x: np.sum(x))(X), np.zeros((3, 3)))
    np.testing.assert_array_equal(tg.jvp(lambda x: np.ones(2), (X,), (X,))[1], np.zeros(2))
    np.testing.assert_array_equal(tg.hvp(np.sum, (X,), (X,))[0], np.zeros(3))


def test_complex_arguments() -> None:
    z = np.array([1 + 2j, 0.5 - 1j])
    g = tg.grad(lambda z: np.sum(np.abs(z * z) ** 2))(z)
    np.testing.assert_allclose(g, 4 * np.abs(z) ** 2 * z, rtol=1e-12)  # |z|⁴: ∂/∂a + i ∂/∂b = 4 |z|² z
    v = np.array([1j, 1.0])
    np.testing.assert_allclose(tg.jvp(lambda z: z**3, (z,), (v,))[1], 3 * z**2 * v, rtol=1e-12)
    np.testing.assert_allclose(tg.vjp(lambda z: z**3, z)[1](v)[0], np.conj(3 * z**2) * v, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: tg.grad(vector)(X), ShapeError, "jacobian"),
        (lambda: tg.grad(3), TensorTypeError, None),
        (lambda: tg.grad(smooth, argnums=2)(X), SettingError, "argnums=2"),
        (lambda: tg.grad(smooth, argnums="k"), SettingError, r"argnums are the positions of arguments, 0 or \(0, 1\) \(got 'k'\)"),
        (lambda: tg.hessian(smooth, argnums=(0, 1.5)), SettingError, r"got \(0, 1\.5\).*by position, tg\.grad\(lambda k: "),
        (lambda: tg.grad(smooth)("a"), TensorTypeError, "argnums"),
        (lambda: tg.grad(np.sum)(np.arange(3)), TensorTypeError, r"int64.*astype\(float\)"),
        (lambda: tg.jvp(np.sin, 1.0, 1.0), ShapeError, r"tg\.jvp\(f, \(x,\), \(v,\)\)"),
        (lambda: tg.hvp(np.sum, np.ones(2), np.ones(2)), ShapeError, r"tg\.hvp\(f, \(x,\), \(v,\)\)"),
        (lambda: tg.grad(lambda x: x * math.exp(x))(1.0), GraphError, r"np\.exp\(t\) in place of math\.exp"),
        (lambda: tg.jacobian(lambda x: complex(x[0], 1) * x)(X), GraphError, r"t\.item\(\)"),
        (lambda: tg.grad(lambda x: x * 1j)(1.0), TensorTypeError, "complex"),
        (lambda: tg.vjp(vector, X)[1](np.ones(3)), ShapeError, r"\(3,\).*\(4,\)"),
        (lambda: tg.jvp(vector, (X,), (np.ones(2),)), ShapeError, r"\(2,\).*\(3,\)"),
        (lambda: tg.grad(lambda x: "text")(1.0), TensorTypeError, "text"),
    ],
)
def test_wrong_use_is_refused(call: Any, error: type[Exception], text: str | None) -> None:
    if text is None:
        with pytest.raises(error, match="function"):
            call()(1.0)
    else:
        with pytest.raises(error, match=text):
            call()


def count_calls(monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    """Count how often a primitive is computed."""
    calls = [0]
    forward = TABLE[name].forward

    def counting(*args: Any, **params: Any) -> Any:
        calls[0] += 1
        return forward(*args, **params)

    monkeypatch.setattr(TABLE[name], "forward", counting)
    return calls


@pytest.mark.parametrize("n", [3, 12])
def test_costs(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function is evaluated once; a Hessian of n inputs is n products, each as long as one backward pass."""
    calls = count_calls(monkeypatch, "tanh")
    x = np.linspace(0.1, 1, n)

    def f(x: Any) -> Any:
        return np.sum(np.tanh(x) * x)

    for transform in (tg.grad(f), tg.hessian(f), tg.jacobian(f), lambda x: tg.hvp(f, (x,), (x,)), lambda x: tg.jvp(f, (x,), (x,))):
        calls[0] = 0
        transform(x)
        assert calls[0] == 1
    sweeps = [0]
    original = tg.functional.gradients

    def counting(*args: Any, **kwargs: Any) -> Any:
        sweeps[0] += 1
        return original(*args, **kwargs)

    monkeypatch.setattr(tg.functional, "gradients", counting)
    for transform, expected in (
        (tg.hessian(f), n + 1),
        (lambda x: tg.jvp(f, (x,), (x,)), 2),
        (lambda x: tg.hvp(f, (x,), (x,)), 2),
        (tg.jacobian(np.tanh), n),
    ):
        sweeps[0] = 0
        transform(x)
        assert sweeps[0] == expected


@given(st.lists(st.sampled_from(["tanh", "sin", "exp", "square", "sum", "dot"]), min_size=1, max_size=5), st.integers(0, 99))
def test_jvp_and_vjp_are_transposes(steps: list[str], seed: int) -> None:
    """⟨u, J v⟩ = ⟨Jᵀ u, v⟩ for random functions."""
    rng = np.random.default_rng(seed)
    x, v = rng.normal(size=3), rng.normal(size=3)

    def f(x: Any) -> Any:
        for step in steps:
            x = {"sum": lambda x: x / (1 + np.sum(x * x)), "dot": lambda x: A @ x}.get(step, getattr(np, step, None))(x)
            x = np.clip(x, -3, 3) * 0.5
        return x

    u = rng.normal(size=3)
    change = tg.jvp(f, (x,), (v,))[1]
    np.testing.assert_allclose(u @ change, tg.vjp(f, x)[1](u)[0] @ v, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(change, differences(f, x) @ v, rtol=1e-5, atol=1e-7)


def test_the_vector_of_a_product_can_be_differentiated_too() -> None:
    x, v = np.array([3.0, 4.0]), np.array([1.0, 2.0])
    pulled = tg.grad(lambda v: np.sum(tg.vjp(lambda x: x**2, x)[1](v)[0] ** 2))(v)
    np.testing.assert_allclose(pulled, 8 * x**2 * v)
    curved = tg.grad(lambda v: np.sum(tg.hvp(lambda x: np.sum(x**3), (x,), (v,))[0] ** 2))(v)
    np.testing.assert_allclose(curved, 72 * x**2 * v)
    pushed = tg.grad(lambda v: np.sum(tg.jvp(lambda x: x**2, (x,), (v,))[1] ** 2))(v)
    np.testing.assert_allclose(pushed, 8 * x**2 * v)


def test_a_function_may_assign_to_its_arguments() -> None:
    def f(x: Any) -> Any:
        x[1] = x[0] * 2
        return np.sum(x**3)

    for x in (np.array([1.0, 2.0]), Tensor([1.0, 2.0], requires_grad=True)):
        g, h = tg.grad(f)(x), tg.hessian(f)(x)
        np.testing.assert_allclose(getattr(g, "data", g) if isinstance(g, Tensor) else g, [27, 0])
        np.testing.assert_allclose(h.data if isinstance(h, Tensor) else h, [[54, 0], [0, 0]])
    assert np.array([1.0, 2.0]).tolist() == [1, 2]


def test_dicts_are_matched_by_their_keys() -> None:
    f = lambda p: p["a"] * 2 + p["b"] * 3  # noqa: E731
    assert float(tg.jvp(f, ({"a": 1.0, "b": 1.0},), ({"b": 10.0, "a": 1.0},))[1]) == 32.0
    product = tg.hvp(lambda p: p["a"] ** 2 * p["b"], ({"a": 1.0, "b": 2.0},), ({"b": 0.0, "a": 1.0},))[0]
    assert {k: float(v) for k, v in product.items()} == {"a": 4.0, "b": 2.0}
    pull_back = tg.vjp(lambda x: {"u": 2 * x, "v": 3 * x}, 1.0)[1]
    assert float(pull_back({"v": 10.0, "u": 1.0})[0]) == 32.0
    with pytest.raises(ShapeError, match="keys"):
        tg.jvp(f, ({"a": 1.0, "b": 1.0},), ({"a": 10.0, "c": 1.0},))


def test_jacobian_of_a_complex_result() -> None:
    def f(x: Any) -> Any:
        return np.exp(1j * x) * np.sum(x)

    x = np.array([1.0, 0.5])
    np.testing.assert_allclose(tg.jacobian(f)(x), differences(f, x), atol=1e-8)
    np.testing.assert_allclose(
        tg.jacobian(lambda x: np.concatenate([f(x), f(2 * x)]))(x),
        differences(lambda x: np.concatenate([f(x), f(2 * x)]), x),
        atol=1e-7,
    )
    mixed = tg.jacobian(lambda x: (f(x), x * x))(x)
    np.testing.assert_allclose(mixed[0], differences(f, x), atol=1e-8)
    assert mixed[1].dtype == np.float64
    for transform in (tg.jacobian, tg.hessian):
        with pytest.raises(TensorTypeError, match="real and the imaginary part"):
            transform(lambda z: np.real(z * np.conj(z)))(np.array(1 + 2j))


def test_numbers_may_be_taken_on_purpose() -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.append(x.item())
        return x * x if x > 0 else -x

    assert float(tg.grad(f)(3.0)) == 6.0
    assert seen == [3.0]
    assert float(Tensor(2.0, requires_grad=True) * 2) == 4.0  # outside of a transform
