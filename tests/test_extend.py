"""Primitives of one's own: the contract is enforced where they are defined, and they get what the library's own have."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients
from tinygrad_mlp.errors import GradientError, SettingError, TensorTypeError

X = np.array([1.0, -2.0, 0.5])


@tg.primitive(lambda g, z, x: g * (3 * x**2), example=(X,), elementwise=True)
def cube(x: Any) -> Any:
    return x**3


@tg.primitive(
    lambda g, z, x, y, *, scale: scale * g * y,
    lambda g, z, x, y, *, scale: scale * g * x,
    example=(np.ones((2, 3)), np.arange(1.0, 4.0)),
    example_params={"scale": 2.0},
    scale=...,
)
def product(x: Any, y: Any, *, scale: float) -> Any:
    return scale * x * y


@tg.primitive(
    lambda g, z, x, n: np.expand_dims(g, -1) * (np.arange(x.shape[-1]) == n[..., None]),
    None,
    example=(np.ones((2, 3)), np.array([0, 2])),
)
def pick(x: Any, n: Any) -> Any:
    return np.take_along_axis(x, n[..., None], -1)[..., 0]


def test_it_is_a_primitive_like_any_other() -> None:
    np.testing.assert_allclose(cube(X), X**3)
    assert isinstance(cube(X), np.ndarray)

    def slope(f: Any) -> Any:
        return tg.grad(lambda x: np.sum(f(x)))

    np.testing.assert_allclose(slope(cube)(X), 3 * X**2)
    np.testing.assert_allclose(slope(slope(cube))(X), 6 * X)
    np.testing.assert_allclose(slope(slope(slope(cube)))(X), 6 * np.ones(3))
    x = Tensor(np.float32([1, 2]), requires_grad=True)
    cube(x).sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == np.float32
    assert cube(x).op is cube
    np.testing.assert_allclose(tg.jvp(cube, (X,), (X,))[1], 3 * X**3)
    np.testing.assert_array_equal(
        gradients(np.where(Tensor(X) > 0, cube(t := Tensor(X, True)), 0.0).sum(), t), np.where(X > 0, 3 * X**2, 0)
    )


def test_broadcasting_and_parameters() -> None:
    x, y = Tensor(np.ones((2, 3)), requires_grad=True), Tensor([1.0, 2.0, 3.0], requires_grad=True)
    gx, gy = gradients(product(x, y, scale=3.0).sum(), [x, y])
    np.testing.assert_array_equal(gx, [[3, 6, 9]] * 2)
    np.testing.assert_array_equal(gy, [6, 6, 6])
    with pytest.raises(TensorTypeError, match="scale"):
        product(x, y)


def test_arguments_without_derivative() -> None:
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    np.testing.assert_array_equal(gradients(pick(x, np.array([2, 0])).sum(), x), [[0, 0, 1], [1, 0, 0]])


def test_another_packages_ufunc_is_recognised() -> None:
    special = pytest.importorskip("scipy.special")
    tg.primitive(lambda g, z, x: g * special.digamma(x), example=(np.array([0.5, 3.0]),), name="gammaln", order=1)(special.gammaln)
    np.testing.assert_allclose(tg.grad(lambda x: np.sum(special.gammaln(x)))(np.array([2.0])), special.digamma([2.0]))


def softmax(x: Any) -> Any:
    return np.exp(x) / np.sum(np.exp(x))


WRONG: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "shape": ((lambda g, z, x: np.ones(7),), {}, GradientError, r"gave a gradient of shape \(7,\) for an input of shape \(3,\)"),
    "transposed": ((lambda g, z, x: g[None].mT,), {}, GradientError, r"shape \(3, 1\) for an input of shape \(3,\)"),
    "factor": ((lambda g, z, x: g * x**2,), {}, GradientError, r"differences give .* \(ratio 0\.333\)"),
    "sign": ((lambda g, z, x: -g * 3 * x**2,), {}, GradientError, r"ratio -1"),
    "forgets g": ((lambda g, z, x: 3 * x**2,), {}, GradientError, "differences"),
    "arity": ((lambda g, z: g,), {}, GradientError, "failed on the example: TypeError"),
    "raises": ((lambda g, z, x: 1 / 0,), {}, GradientError, "ZeroDivisionError"),
    "too many rules": ((lambda g, z, x: g, None), {}, SettingError, "2 rules for 1 arrays"),
    "whole numbers": ((lambda g, z, x: np.arange(3),), {}, GradientError, "dtype int64"),
    "NaN": ((lambda g, z, x: g * np.nan,), {}, GradientError, "nan"),
    "not a function": ((3,), {}, TensorTypeError, "lambda g, z, x"),
    "a library's name": ((lambda g, z, x: g,), {"name": "exp"}, SettingError, "another name"),
    "no name": ((lambda g, z, x: g,), {"name": "my name"}, SettingError, "needs a name"),
    "second order": ((lambda g, z, x: g * np.array([3 * float(v) ** 2 for v in np.asarray(x)]),), {}, GradientError, "order=1"),
    "not elementwise": ((lambda g, z, x: z * (g - np.sum(g * z)),), {"elementwise": True}, SettingError, "elementwise=True, but entry"),
    "a parameter is missing": ((lambda g, z, x, *, a: g,), {"a": ...}, SettingError, "example_params"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_rule_is_refused_at_its_definition(kind: str) -> None:
    rules, options, error, text = WRONG[kind]
    with pytest.raises(error, match=text):
        tg.primitive(*rules, example=(X,), **{"name": "wrong", **options})(softmax if kind == "not elementwise" else lambda x: x**3)
    assert "wrong" not in tg.primitive.__globals__["OWN"]


def test_a_second_derivative_that_is_wrong_is_refused() -> None:
    with pytest.raises(GradientError, match="has a derivative that gives"):
        tg.primitive(lambda g, z, x: g * (3 * (x.data if isinstance(x, Tensor) else x) ** 2), example=(X,), name="half")(
            lambda x: x**3
        )
    half = tg.primitive(
        lambda g, z, x: g * (3 * (x.data if isinstance(x, Tensor) else x) ** 2), example=(X,), name="half", order=1
    )(lambda x: x**3)
    np.testing.assert_allclose(tg.grad(lambda x: np.sum(half(x)))(X), 3 * X**2)


def test_it_can_be_defined_again_copied_and_pickled() -> None:
    def make(factor: float) -> Any:
        return tg.primitive(lambda g, z, x: g * factor, example=(X,), name="linear_again")(lambda x: factor * x)

    first, second = make(2.0), make(3.0)
    assert float(tg.grad(first)(1.0)) == 2.0
    assert float(tg.grad(second)(1.0)) == 3.0
    assert copy.deepcopy(second) is second
    assert pickle.loads(pickle.dumps(second)) is second  # noqa: S301  # our own bytes


def test_complex_numbers() -> None:
    z = np.array([1 + 2j, -0.5j])
    square = tg.primitive(lambda g, z, x: g * (2 * x), example=(z,), name="complex_square")(lambda x: x * x)
    np.testing.assert_allclose(tg.grad(lambda x: np.sum(np.abs(square(x))))(z), 2 * z)
    with pytest.raises(GradientError, match="differences"):
        tg.primitive(lambda g, z, x: g * np.sign(x), example=(z,), name="size")(np.abs)


def test_an_example_of_another_form_or_outside_the_domain() -> None:
    with pytest.raises(SettingError, match=r"example=\(x,\)"):
        tg.primitive(lambda g, z, x: g, example=X, name="form")(lambda x: x)
    with pytest.raises(GradientError, match="inside its domain"), np.errstate(all="ignore"):
        tg.primitive(lambda g, z, x: g / x, example=(np.array([-1.0]),), name="outside")(np.log)
