"""The backprop by hand against differences of its own loss, and its loss against the textbook's sum: no engine in between."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tinygrad_mlp import manual

ACTIVATIONS = {
    "relu": lambda z: np.where(z > 0, z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.3 * z),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
    "identity": lambda z: z,
}
LOSSES = ["cross_entropy", "bce", "mse", "cross_entropy_probabilities", "bce_probabilities"]


def terms(loss: str, z: np.ndarray, y: np.ndarray, eps: float) -> np.ndarray:
    """What a loss is the sum or the mean of, as in a textbook."""
    softmax, a = ACTIVATIONS["softmax"](z), ACTIVATIONS["sigmoid"](z)
    if loss.startswith("cross_entropy"):
        return -np.log(softmax[np.arange(len(y)), y] + (eps if loss != "cross_entropy" else 0))
    if loss == "mse":
        return (z - y) ** 2
    if loss == "bce":
        eps = 0
    return -(y * np.log(a + eps) + (1 - y) * np.log(1 - a + eps))


def network(loss: str, sizes: tuple[int, ...] = (4, 5, 3, 3), m: int = 6) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    parameters = {}
    for l, (n, k) in enumerate(itertools.pairwise(sizes), start=1):
        parameters[f"W{l}"], parameters[f"b{l}"] = rng.uniform(-0.7, 0.7, (n, k)), rng.uniform(-0.7, 0.7, k)
    X, k = rng.standard_normal((m, sizes[0])), sizes[-1]
    return parameters, X, rng.integers(0, k, m) if loss.startswith("cross") else rng.random((m, k))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("settings", [{}, {"mean": False}, {"l2": 0.7}, {"eps": 0.2}, {"bias": False}, {"m": 1}], ids=str)
def test_the_loss_is_the_textbooks_and_the_gradients_its_slopes(activation: str, loss: str, settings: dict[str, Any]) -> None:
    options = dict(settings)
    parameters, X, y = network(loss, m=options.pop("m", 6))
    if not options.pop("bias", True):
        parameters = {name: p for name, p in parameters.items() if name[0] == "W"}

    def textbook(p: dict[str, Any]) -> float:
        a = X
        for l in (1, 2, 3):
            z = a @ p[f"W{l}"] + p.get(f"b{l}", 0)
            a = ACTIVATIONS[activation](z)
        parts = terms(loss, z, y, options.get("eps", 1e-7))
        penalty = options.get("l2", 0) / 2 * sum((p[f"W{l}"] ** 2).sum() for l in (1, 2, 3))
        return float((parts.mean() if options.get("mean", True) else parts.sum()) + penalty)

    result = manual.backprop(parameters, X, y, activation, loss, slope=0.3, **options)
    assert result.loss == pytest.approx(textbook(parameters), rel=1e-12)
    assert result.gradients.keys() == parameters.keys()
    for name, p in parameters.items():
        assert result.gradients[name].shape == p.shape
        v = np.random.default_rng(4).standard_normal(p.shape)
        ends = [textbook(parameters | {name: p + s * v}) for s in (1e-6, -1e-6)]
        assert np.sum(result.gradients[name] * v) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
def test_each_value_on_the_way_is_handed_out_under_its_name(loss: str) -> None:
    parameters, X, y = network(loss)
    values = manual.backprop(parameters, X, y, "tanh", loss).values
    ends = {"cross_entropy": {"P"}, "bce": {"A_out"}, "mse": set(), "cross_entropy_probabilities": {"P", "dP"}}
    assert values.keys() - ends.get(loss, {"A_out", "dA_out"}) == {*"A0 A1 A2 Z1 Z2 Z3 dA1 dA2 dZ1 dZ2 dZ3".split()}
    assert values["A0"] is X
    np.testing.assert_array_equal(values["A1"], np.tanh(X @ parameters["W1"] + parameters["b1"]))
    np.testing.assert_array_equal(values["dA2"], values["dZ3"] @ parameters["W3"].T)
    Z, A = manual.forward(parameters, X, "tanh")
    assert (list(Z), list(A)) == ([1, 2, 3], [0, 1, 2])
    np.testing.assert_array_equal(Z[3], values["Z3"])


def test_what_is_not_said() -> None:
    parameters, X, y = network("cross_entropy")
    usual = {"activation": "relu", "loss": "cross_entropy", "mean": True, "l2": 0.0, "eps": 1e-7, "slope": 0.01}
    assert manual.backprop(parameters, X, y).loss == manual.backprop(parameters, X, y, **usual).loss
    assert manual.forward(parameters, X, "leaky_relu")[1][1].min() == manual.forward(parameters, X, "leaky_relu", 0.01)[1][1].min()
    np.testing.assert_array_equal(manual.forward(parameters, X)[1][1], np.maximum(X @ parameters["W1"] + parameters["b1"], 0))


def test_kinks_and_large_numbers() -> None:
    z, one = np.array([[-1000.0, -0.0, 0.0, 1000.0]]), np.ones((1, 4))
    np.testing.assert_array_equal(manual.sigmoid(z), [[0, 0.5, 0.5, 1]])
    np.testing.assert_array_equal(manual.through_activation("relu", one, z, z, 0.1), [[0, 0, 0, 1]])
    np.testing.assert_array_equal(manual.through_activation("leaky_relu", one, z, z, 0.1), [[0.1, 0.1, 0.1, 1]])
    np.testing.assert_array_equal(manual.activate("softplus", z, 0)[0, [0, 3]], [0, 1000])
    np.testing.assert_array_equal(manual.softmax(z), [[0, 0, 0, 1]])
    for loss, y in (("cross_entropy", np.array([0])), ("bce", one)):
        value, dZ, _ = manual.output(loss, z, y, True, 0)
        assert np.isfinite(value)
        assert np.isfinite(dZ).all()
    assert manual.output("cross_entropy", z, np.array([0]), True, 0)[0] == 2000


def test_initial_weights_have_their_variances() -> None:
    n, k = 300, 500
    bounds = {"he_uniform": 6 / n, "glorot_uniform": 6 / (n + k)}
    variances = {"he_normal": 2 / n, "glorot_normal": 2 / (n + k), "lecun_normal": 1 / n, "normal": 0.01**2}
    for name in (*bounds, *variances):
        W = getattr(manual, name)(n, k, np.random.default_rng(0))
        assert W.shape == (n, k)
        assert W.var() == pytest.approx(variances.get(name, bounds.get(name, 0) / 3), rel=0.02)
        assert abs(W.mean()) < 4 * W.std() / np.sqrt(n * k)
        if name in bounds:
            assert 0.999 < W.max() / np.sqrt(bounds[name]) <= 1
            assert -1 <= W.min() / np.sqrt(bounds[name]) < -0.999
    assert manual.normal(2, 3, np.random.default_rng(0), 2.0)[0, 0] == np.random.default_rng(0).standard_normal() * 2.0
    np.testing.assert_array_equal(manual.zeros(2, 3), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: manual.activate("selu", np.ones((1, 1)), 0), "no activation 'selu' in manual.py"),
        (lambda: manual.through_activation("selu", *[np.ones((1, 1))] * 3, 0), "no activation 'selu' in manual.py"),
        (lambda: manual.output("hinge", np.ones((1, 1)), np.zeros(1, int), True, 0), "no loss 'hinge' in manual.py"),
    ],
)
def test_unknown_names_are_refused(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        call()
