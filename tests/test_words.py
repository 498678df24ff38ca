"""What people write by habit from elsewhere: taken where it can be, else answered with a sentence that says what to write here."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, nn, optim
from tinygrad_mlp.errors import GraphError, TensorTypeError, TraceError


def cubed(w: Any) -> Any:
    return np.sum(w**3)


def repickled(x: Any) -> Any:
    return pickle.loads(pickle.dumps(x))  # noqa: S301  # our own


class Gated(nn.Module):
    def __init__(self) -> None:
        self.weight = nn.Parameter([[2.0]])

    def forward(self, x: Any, *, scale: float = 1.0, residual: Any = None) -> Any:
        y = x @ self.weight * scale
        return y if residual is None else y + residual


# --- copies and pickles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tg.grad, tg.value_and_grad, tg.jacobian, tg.hessian])
def test_transforms_are_copied_and_pickled(make: Any) -> None:
    x = np.array([1.0, 2.0])
    for argnums in (0, (0,)):
        f = make(cubed, argnums=argnums)
        for again in (repickled(f), copy.deepcopy(f), copy.copy(f)):
            assert (again.name, again.function, again.argnums) == (make.__name__, cubed, argnums)
            assert repr(again(x)) == repr(f(x))
    assert (f.__name__, f.__wrapped__, repr(f)) == ("cubed", cubed, f"<tg.{make.__name__} of cubed>")


def test_a_transform_in_a_class_is_a_method() -> None:
    class Model:
        power = 3

        def loss(self, w: Any) -> Any:
            return w**self.power

        slope = tg.grad(loss, argnums=1)

    assert Model().slope(2.0) == 12
    assert Model.slope(Model(), 2.0) == 12


def test_compiled_functions_are_copied_and_pickled_and_written_anew() -> None:
    x = np.array([1.0, 2.0])
    c = tg.compile(tg.grad(cubed), exact=True, cache=3)
    c(x)
    for again in (repickled(c), copy.deepcopy(c)):
        assert (len(again.programs), again.exact, again.programs.size) == (0, True, 3)
        np.testing.assert_array_equal(again(x), c(x))
    model = nn.MLP([2, 3, 1], rng=0)
    c = tg.compile(model)
    again = copy.deepcopy(c)  # of the copied model
    model.parameters()[-1].data[:] = 5
    X = np.ones((1, 2), np.float32)
    assert not np.array_equal(again(X), c(X))


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_cannot_be_copied_says_why(way: Any) -> None:
    model = nn.MLP([2, 3, 1], rng=0)
    step = tg.compile(lambda X, y: nn.mse_loss(model(X), y), optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(
        TensorTypeError, match=r"neither pickled nor copied: .* copy\.deepcopy\(\(model, optimizer\)\), and compile"
    ):
        way(step)
    with pytest.raises(TensorTypeError, match=r"neither pickled nor copied, .* keep what it writes, d\.source\(\)"):
        way(tg.derive(cubed, np.ones(2)))


# --- transforms, modules ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hessian", "jacobian"])
def test_other_transforms_in_compile_say_their_name(name: str) -> None:
    with pytest.raises(TraceError, match=rf"tg\.{name} cannot be compiled.*call it as it is.*tg\.compile\(tg\.grad\(f\)\)"):
        tg.compile(getattr(tg, name)(cubed))(np.ones(2))
    with pytest.raises(TraceError, match=r"tg\.jvp cannot be compiled"):
        tg.derive(lambda x: tg.jvp(cubed, (x,), (x,))[1], np.ones(2))


def test_the_gradient_of_what_is_linear_is_a_constant() -> None:
    x = Tensor(1.0, requires_grad=True)
    with pytest.raises(GraphError, match="the gradient of what is linear, a constant, whose derivative is 0"):
        tg.gradients(tg.gradients(3 * x, x, create_graph=True), x)


def test_modules_pass_settings_on_to_forward() -> None:
    model, x = Gated(), np.ones((1, 1))
    assert model(x, scale=2).item() == 4
    assert nn.Sequential(model)(x).item() == 2
    with tg.watch(model):
        y = model(x, scale=3, residual=model(x))
    assert y.item() == 8
    y.sum().backward()
    assert model.weight.grad == 4
    np.testing.assert_array_equal(tg.compile(lambda x: model(x, scale=0.5))(x), [[1.0]])
    assert "Gated" in tg.draw(model(x, scale=2)).text
    with pytest.raises(TypeError, match=r"Linear\.forward\(\) got an unexpected keyword argument 'scale'"):
        nn.Linear(2, 2, rng=0)(np.ones((1, 2)), scale=2)
