"""The backprops of the five write-ups, as they are written there: the doctor says what is inexact in them, and accuses nothing else."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tinygrad_mlp import nn, sigmoid
from tinygrad_mlp.check import Diagnosis, diagnose

Params = dict[str, Any]


def softmax(z: Any) -> Any:
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


# --- 003: ReLU, softmax, cross-entropy with an eps of 1e-7 -----------------------------------------------------------------


def params_003(scale: float = 1.0) -> Params:
    rng = np.random.default_rng(3)
    return {
        "weights1": rng.standard_normal((20, 12)) * np.sqrt(2 / 20) * scale,
        "biases1": np.zeros((1, 12)),
        "weights2": rng.standard_normal((12, 10)) * np.sqrt(2 / 12) * scale,
        "biases2": np.zeros((1, 10)),
    }


def batch_003(m: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(4)
    return rng.uniform(0, 1, (m, 20)), rng.integers(0, 10, m)


def loss_003(X: Any, y: Any, p: Params) -> Any:
    hidden = np.maximum(0, X @ p["weights1"] + p["biases1"])
    output = softmax(hidden @ p["weights2"] + p["biases2"])
    return -np.sum(np.eye(10)[y] * np.log(output + 1e-7)) / len(X)


def backward_003(X: Any, y: Any, p: Params, over: float = 1.0) -> Params:
    hidden = np.maximum(0, X @ p["weights1"] + p["biases1"])
    output = softmax(hidden @ p["weights2"] + p["biases2"])
    one_hot = np.zeros((X.shape[0], 10))
    one_hot[np.arange(X.shape[0]), y] = 1
    d_output = (output - one_hot) / over
    d_hidden = np.dot(d_output, p["weights2"].T) * (hidden > 0)
    return {
        "weights1": np.dot(X.T, d_hidden),
        "biases1": np.sum(d_hidden, axis=0, keepdims=True),
        "weights2": np.dot(hidden.T, d_output),
        "biases2": np.sum(d_output, axis=0, keepdims=True),
    }


@pytest.mark.parametrize("scale", [1.0, 3.0])  # with larger weights rows are confident, and the eps shows
def test_003_lacks_the_mean_whatever_its_eps(scale: float) -> None:
    X, y = batch_003(32)
    found = diagnose(loss_003, backward_003, X, y, params_003(scale))
    assert found.labels[0] == "missing_batch_mean"
    assert not found.ok
    assert found.wrong == list(params_003())
    assert "m = 32" in found.causes[0].words


def test_003_with_the_mean_put_in_is_right() -> None:
    X, y = batch_003(32)
    found = diagnose(loss_003, lambda X, y, p: backward_003(X, y, p, len(X)), X, y, params_003())
    assert found.ok
    assert found.labels == ["correct"]
    assert any("eps" in remark for remark in found.remarks)


def test_003_says_that_the_eps_matters_where_rows_are_hopeless() -> None:
    X, y = batch_003(32)
    p = params_003(12.0)
    found = diagnose(loss_003, lambda X, y, p: backward_003(X, y, p, len(X)), X, y, p)
    assert found.labels == ["eps_ignored"]
    assert not found.ok


# --- 004: two ReLU layers, sigmoid, binary cross-entropy, 1/m in dW and db -------------------------------------------------


def params_004() -> Params:
    rng = np.random.default_rng(5)
    sizes = (10, 16, 8, 1)
    found: Params = {}
    for l, (n, k) in enumerate(itertools.pairwise(sizes), 1):
        found[f"W{l}"] = rng.standard_normal((n, k)) * np.sqrt(2 / n)
        found[f"b{l}"] = rng.standard_normal((1, k)) * 0.1
    return found


def loss_004(X: Any, y: Any, p: Params) -> Any:
    A1 = np.maximum(X @ p["W1"] + p["b1"], 0)
    A2 = np.maximum(A1 @ p["W2"] + p["b2"], 0)
    A3 = sigmoid(A2 @ p["W3"] + p["b3"])
    return -np.mean(y * np.log(A3) + (1 - y) * np.log(1 - A3))


def backward_004(
    X: Any, y: Any, p: Params, batch_size: int | None = None, general: bool = False, rate: float | None = None, times: float = 1.0
) -> Params:
    Z1 = X.dot(p["W1"]) + p["b1"]
    A1 = np.maximum(Z1, 0)
    Z2 = A1.dot(p["W2"]) + p["b2"]
    A2 = np.maximum(Z2, 0)
    A3 = sigmoid(A2.dot(p["W3"]) + p["b3"])
    dZ = (-(y / A3) + (1 - y) / (1 - A3)) * A3 * (1 - A3) if general else A3 - y
    dZ = dZ * times
    m = batch_size or len(X)
    found: Params = {}
    weights = {name: w.copy() for name, w in p.items()}
    for l, A, Z in ((3, A2, None), (2, A1, Z2), (1, X, Z1)):
        if Z is not None:
            dZ = dZ.dot(weights[f"W{l + 1}"].T) * (Z > 0)
        found[f"W{l}"] = A.T.dot(dZ) / m
        found[f"b{l}"] = np.sum(dZ, axis=0, keepdims=True) / m
        if rate is not None:  # the update inside the loop
            weights[f"W{l}"] -= rate * found[f"W{l}"]
    return {name: found[name] for name in p}


def batch_004(m: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(6)
    return rng.random((m, 10)), rng.integers(0, 2, (m, 1))


@pytest.mark.parametrize("general", [False, True])
def test_004_is_right_in_both_forms(general: bool) -> None:
    X, y = batch_004(32)
    found = diagnose(loss_004, lambda X, y, p: backward_004(X, y, p, general=general), X, y, params_004())
    assert found.ok
    assert found.labels == ["correct"]


def test_004_with_its_batch_size_is_right_on_a_whole_batch_and_wrong_on_the_last() -> None:
    def by_hand(X: Any, y: Any, p: Params) -> Params:
        return backward_004(X, y, p, batch_size=32)

    X, y = batch_004(80)
    whole = diagnose(loss_004, by_hand, X[:32], y[:32], params_004())
    assert whole.ok
    assert whole.elsewhere, "the fixed 32 is right here, and of other batches it is told"
    last = diagnose(loss_004, by_hand, X[64:], y[64:], params_004())
    assert last.labels == ["constant_factor"]
    assert last.wrong == list(params_004())
    assert "32" in last.causes[0].words


@pytest.mark.parametrize("rate", [0.01, 1.0])
def test_004_updates_inside_the_loop(rate: float) -> None:
    X, y = batch_004(16)
    found = diagnose(loss_004, lambda X, y, p: backward_004(X, y, p, rate=rate), X, y, params_004())
    assert found.labels == ["updated_weights"]
    assert found.wrong == ["W1", "b1", "W2", "b2"]
    assert found.causes[0].constant == pytest.approx(rate, rel=1e-6)


# --- 002: two tanh layers, softmax, 1/m in dZ; the derivative of binary cross-entropy for one sample ------------------------


def params_002() -> Params:
    rng = np.random.default_rng(7)
    sizes = (5, 6, 4, 3)
    shapes = {f"W{l}": (n, k) for l, (n, k) in enumerate(itertools.pairwise(sizes), 1)}
    found: Params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    return found | {f"b{l}": rng.standard_normal(n) * 0.1 for l, n in enumerate(sizes[1:], 1)}


def loss_002(X: Any, y: Any, p: Params) -> Any:
    A = X
    for l in (1, 2):
        A = np.tanh(A @ p[f"W{l}"] + p[f"b{l}"])
    return nn.cross_entropy(A @ p["W3"] + p["b3"], y)


def backward_002(X: Any, y: Any, p: Params, m: float | None = None) -> Params:
    A1 = np.tanh(X @ p["W1"] + p["b1"])
    A2 = np.tanh(A1 @ p["W2"] + p["b2"])
    dZ3 = (softmax(A2 @ p["W3"] + p["b3"]) - np.eye(3)[y]) / (len(X) if m is None else m)
    dZ2 = dZ3 @ p["W3"].T * (1 - A2**2)
    dZ1 = dZ2 @ p["W2"].T * (1 - A1**2)
    deltas = {"1": (X, dZ1), "2": (A1, dZ2), "3": (A2, dZ3)}
    return {f"W{l}": A.T @ dZ for l, (A, dZ) in deltas.items()} | {f"b{l}": dZ.sum(axis=0) for l, (_, dZ) in deltas.items()}


def test_002_is_right() -> None:
    rng = np.random.default_rng(8)
    X, y = rng.standard_normal((7, 5)), rng.integers(0, 3, 7)
    assert diagnose(loss_002, backward_002, X, y, params_002()).labels == ["correct"]
    once_more = diagnose(loss_002, lambda X, y, p: backward_002(X, y, p, len(X) ** 2), X, y, params_002())
    assert once_more.labels == ["double_batch_mean"]  # 002's 1/m in dZ and 004's in dW, both taken


def test_002_takes_the_derivative_of_one_sample_for_that_of_the_mean() -> None:
    X, y = batch_004(6)
    found = diagnose(loss_004, lambda X, y, p: backward_004(X, y, p, general=True, times=len(X)), X, y, params_004())
    assert found.labels == ["missing_batch_mean"]
    assert "m = 6" in found.causes[0].words


def test_two_layers_take_less_than_a_second_in_print_too() -> None:
    X, y = batch_003(32)
    found: Diagnosis = diagnose(loss_003, backward_003, X, y, params_003())
    assert "missing_batch_mean" in str(found)
    assert "| weights1" in found.markdown()
