"""What the diagnoser must catch in the five write-ups, and what it must not call wrong. More of the same: test_doctor_seeds.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from seed_programs import (
    Net,
    backward_002,
    backward_003,
    backward_004,
    forward,
    one_hot,
    random_batch,
    random_net,
    relu,
    sigmoid,
    softmax,
)

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.check import diagnose
from tinygrad_mlp.errors import DataError

Params = dict[str, Any]


def named(net: Net) -> Params:
    """An oracle's network, or its gradients, as the doctor wants them; biases (1, n)."""
    found = {f"W{l}": W for l, W in enumerate(net[0], 1)}
    return found | {f"b{l}": b.reshape(1, -1) for l, b in enumerate(net[1], 1)}


def net_of(p: Params) -> Net:
    """The way back."""
    depth = len(p) // 2
    return [p[f"W{l}"] for l in range(1, depth + 1)], [p[f"b{l}"][0] for l in range(1, depth + 1)]


def by_hand(backward: Callable[..., Net], **settings: Any) -> Callable[..., Params]:
    return lambda X, y, p: named(backward(net_of(p), X, y, **settings))


def logits(X: Any, p: Params, act: Callable[[Any], Any] = tg.relu) -> Any:
    """The output of the recorded network."""
    for l in range(1, len(p) // 2 + 1):
        Z = X @ p[f"W{l}"] + p[f"b{l}"]
        X = act(Z)
    return Z


def cross_entropy(X: Any, y: Any, p: Params) -> Any:
    return nn.cross_entropy(logits(X, p), y.reshape(-1))


def tanh_loss(X: Any, y: Any, p: Params) -> Any:
    return nn.cross_entropy(logits(X, p, np.tanh), y)


def binary(X: Any, y: Any, p: Params) -> Any:
    return nn.binary_cross_entropy_with_logits(logits(X, p), y.reshape(-1, 1))


TEN_TWO = random_net([10, 6, 5, 1])
X_004 = np.random.default_rng(7).standard_normal((16, 10))
Y_004 = np.random.default_rng(8).integers(0, 2, (16, 1)).astype(float)


# --- caught ---------------------------------------------------------------------------------------------------------------


def test_caught_flat_labels_against_a_column() -> None:
    """y (m,) for (m, 1): A3 − y is (m, m). The next product fails, and the report says with which shapes."""
    found = diagnose(binary, by_hand(backward_004), X_004, Y_004.ravel(), named(TEN_TWO))
    assert found.labels == ["label_error"]
    assert "y (16,)" in str(found)
    assert "matrix (16, 16)" in found.causes[0].words
    assert "with the same labels in shape (16, 1) manual() returns gradients, and they are right" in found.causes[0].words
    assert "seed_programs.py:" in found.causes[0].line


def test_caught_flat_labels_that_give_a_gradient_of_another_shape() -> None:
    """Without a hidden layer nothing fails: dW is (n, m), and W = W − lr · dW would become that too."""
    p = named(random_net([10, 1]))

    def manual(X: Any, y: Any, p: Params) -> Params:
        dZ = sigmoid(X @ p["W1"] + p["b1"]) - y
        return {"W1": X.T @ dZ / len(X), "b1": np.sum(dZ, axis=0, keepdims=True) / len(X)}

    assert diagnose(binary, manual, X_004, Y_004, p).ok
    found = diagnose(binary, manual, X_004, Y_004.ravel(), p)
    assert found.wrong == ["W1", "b1"]
    assert "10 × 16" in str(found)


def test_caught_flat_labels_in_the_loss_before_anything_is_computed() -> None:
    def loss(X: Any, y: Any, p: Params) -> Any:
        return nn.binary_cross_entropy_with_logits(logits(X, p), y)

    with pytest.raises(DataError, match=r"\(16, 1\) and targets of shape \(16,\) differ"):
        diagnose(loss, by_hand(backward_004), X_004, Y_004.ravel(), named(TEN_TWO))


def literal_ten(X: Any, y: Any, p: Params) -> Params:
    """003 with its literal 10, whatever the output's width, and its way to set the ones."""
    (_, W2), _ = net = net_of(p)
    (_, Z2), (_, hidden) = forward(net, X, relu)
    Y = np.zeros((len(X), 10))
    Y[np.arange(len(X)), y] = 1
    d_output = (softmax(Z2) - Y) / len(X)
    d_hidden = d_output @ W2.T * (hidden > 0)
    return named(([X.T @ d_hidden, hidden.T @ d_output], [d_hidden.sum(axis=0), d_output.sum(axis=0)]))


def test_caught_the_literal_10_with_three_classes() -> None:
    X, y = random_batch(8, 9, 3)
    found = diagnose(cross_entropy, literal_ten, X, y, named(random_net([9, 7, 3])))
    assert found.labels == ["label_error"]
    assert "(8,3) (8,10)" in str(found)
    assert "10 classes are fixed in the code, but layer 2 has 3 outputs" in found.causes[0].words
    assert found.causes[0].line.endswith("d_output = (softmax(Z2) - Y) / len(X)")
    X, y = random_batch(8, 9, 10)
    assert diagnose(cross_entropy, literal_ten, X, y, named(random_net([9, 7, 10]))).ok


def test_caught_labels_in_a_column_set_several_ones_in_a_row() -> None:
    X, y = random_batch(8, 9, 10)
    Y = np.zeros((8, 10))
    Y[np.arange(8), y[:, None]] = 1
    assert Y.sum(axis=1).tolist() == [len(set(y.tolist()))] * 8
    found = diagnose(cross_entropy, literal_ten, X, y[:, None], named(random_net([9, 7, 10])))
    assert found.wrong == ["W1", "W2", "b1", "b2"]
    assert found.labels == ["label_error"]
    assert "several ones in each row of the one-hot matrix: the labels have shape (8, 1)" in found.causes[0].words
    assert "y.reshape(-1)" in found.causes[0].right

    def summed(X: Any, y: Any, p: Params) -> Params:
        return {name: len(X) * g for name, g in literal_ten(X, y, p).items()}

    both = diagnose(cross_entropy, summed, X, y[:, None], named(random_net([9, 7, 10])))
    assert set(both.labels) == {"label_error", "missing_batch_mean"}


def test_caught_a_transposed_weight_between_square_layers() -> None:
    """002's column formula in a program of rows: no shape shows it."""
    net, (X, y) = random_net([4, 4, 4, 4]), random_batch(9, 4, 4)

    def manual(X: Any, y: Any, p: Params) -> Params:
        (_, W2, W3), _ = net_of(p)
        (_, _, Z3), (_, A1, A2) = forward(net_of(p), X, np.tanh)
        dZ3 = (softmax(Z3) - one_hot(y, 4)) / len(X)
        dZ2 = dZ3 @ W3.T * (1 - A2**2)
        dZ1 = dZ2 @ W2 * (1 - A1**2)  # W2.T is right
        return named(([X.T @ dZ1, A1.T @ dZ2, A2.T @ dZ3], [d.sum(axis=0) for d in (dZ1, dZ2, dZ3)]))

    found = diagnose(tanh_loss, manual, X, y, named(net))
    assert found.labels == ["transposed"]
    assert found.wrong == ["W1", "b1"]


@pytest.mark.parametrize(("times", "label"), [(1.0, "correct"), (2.0, "l2_scale"), (1 / 16, "l2_scale")])
def test_caught_the_l2_term_of_another_loss(times: float, label: str) -> None:
    """λW belongs to (λ/2)‖W‖²; the losses here are ``times`` as large: λ‖W‖², and (λ/2m)‖W‖²."""

    def loss(X: Any, y: Any, p: Params) -> Any:
        return binary(X, y, p) + times * nn.l2_penalty([p["W1"], p["W2"], p["W3"]], 0.3)

    def manual(X: Any, y: Any, p: Params) -> Params:
        g = by_hand(backward_004)(X, y, p)
        return {name: d + 0.3 * p[name] if name[0] == "W" else d for name, d in g.items()}

    found = diagnose(loss, manual, X_004, Y_004, named(TEN_TWO))
    assert found.labels == [label]
    assert found.wrong == ([] if label == "correct" else ["W1", "W2", "W3"])


@pytest.mark.parametrize("consistent", [False, True])
def test_caught_a_clipped_loss_with_a_gradient_that_is_not(consistent: bool) -> None:
    """Beyond the clip the loss is flat, so its gradient is 0; A − y is −1 there."""
    net = random_net([10, 6, 5, 1], scale=5.0)
    low, high = 1e-7, 1 - 1e-7

    def loss(X: Any, y: Any, p: Params) -> Any:
        a = np.clip(tg.sigmoid(logits(X, p)), low, high)
        return -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))

    def manual(X: Any, y: Any, p: Params) -> Params:
        (_, W2, W3), _ = net_of(p)
        (_, _, Z3), (_, A1, A2) = forward(net_of(p), X, relu)
        a = sigmoid(Z3)
        dZ3 = (a - y) / len(X)
        if consistent:
            dZ3 = dZ3 * ((a >= low) & (a <= high))
        dZ2 = dZ3 @ W3.T * (A2 > 0)
        dZ1 = dZ2 @ W2.T * (A1 > 0)
        return named(([X.T @ dZ1, A1.T @ dZ2, A2.T @ dZ3], [d.sum(axis=0) for d in (dZ1, dZ2, dZ3)]))

    a = sigmoid(forward(net, X_004, relu)[0][-1])
    clipped = (a < low) | (a > high)
    assert clipped.any()
    assert not clipped.all()
    y = np.where(clipped, a < 0.5, Y_004)  # the clipped rows are wrong ones, where the gradient matters
    found = diagnose(loss, manual, X_004, y.astype(float), named(net))
    assert found.labels == (["correct"] if consistent else ["eps_ignored"])


# --- not flagged ------------------------------------------------------------------------------------------------------------


def test_not_flagged_a_sum_whose_gradient_is_one() -> None:
    """003's gradient is right for the loss without 1/m."""
    net, (X, y) = random_net([9, 7, 4]), random_batch(8, 9, 4)
    summed = diagnose(lambda X, y, p: nn.cross_entropy(logits(X, p), y, reduction="sum"), by_hand(backward_003), X, y, named(net))
    assert summed.labels == ["correct"]
    assert diagnose(cross_entropy, by_hand(backward_003), X, y, named(net)).labels == ["missing_batch_mean"]


def test_not_flagged_1_over_m_in_dz_or_in_dw() -> None:
    X, y = random_batch(9, 5, 3)
    in_dz = diagnose(tanh_loss, by_hand(backward_002), X, y, named(random_net([5, 6, 4, 3])))
    in_dw = diagnose(binary, by_hand(backward_004), X_004, Y_004, named(TEN_TWO))
    assert in_dz.labels == in_dw.labels == ["correct"]


MASKS = {
    "from A": lambda Z, A: A > 0,
    "from Z": lambda Z, A: Z > 0,
    "from A by its sign": lambda Z, A: np.sign(A),
}
TANHS = {
    "from a": lambda Z, A: 1 - A**2,
    "from z": lambda Z, A: 1 - np.tanh(Z) ** 2,
    "from z by cosh": lambda Z, A: 1 / np.cosh(Z) ** 2,
}


@pytest.mark.parametrize(("act", "slope"), [("relu", s) for s in MASKS] + [("tanh", s) for s in TANHS])
def test_not_flagged_the_derivative_from_z_or_from_a(act: str, slope: str) -> None:
    f, of = (relu, MASKS[slope]) if act == "relu" else (np.tanh, TANHS[slope])

    def manual(X: Any, y: Any, p: Params) -> Params:
        (_, W2), _ = net_of(p)
        (Z1, Z2), (_, A1) = forward(net_of(p), X, f)
        dZ2 = (softmax(Z2) - one_hot(y, 4)) / len(X)
        dZ1 = dZ2 @ W2.T * of(Z1, A1)
        return named(([X.T @ dZ1, A1.T @ dZ2], [dZ1.sum(axis=0), dZ2.sum(axis=0)]))

    X, y = random_batch(8, 9, 4)
    loss = cross_entropy if act == "relu" else tanh_loss
    assert diagnose(loss, manual, X, y, named(random_net([9, 7, 4]))).labels == ["correct"]


def test_not_flagged_y_minus_a_if_the_step_is_added() -> None:
    """W += lr · (what y − a gives) is descent: the gradient is what the step shows, −step / lr."""

    def step(X: Any, y: Any, p: Params, rate: float = 0.5) -> Params:
        g = backward_004(net_of(p), X, y)
        uphill = named(([-d for d in g[0]], [-d for d in g[1]]))  # y − a
        return {name: p[name] + rate * d for name, d in uphill.items()}

    def shown(X: Any, y: Any, p: Params) -> Params:
        moved = step(X, y, p)
        return {name: (p[name] - moved[name]) / 0.5 for name in p}

    found = diagnose(binary, shown, X_004, Y_004, named(TEN_TWO))
    assert found.labels == ["correct"]


def test_not_flagged_zeros_of_dead_units() -> None:
    W, b = random_net([10, 6, 5, 1])
    b[0][:3] = -1e3
    p = named((W, b))
    dead = named(backward_004((W, b), X_004, Y_004))
    assert not dead["W1"][:, :3].any()
    assert dead["W1"][:, 3:].any()
    assert diagnose(binary, by_hand(backward_004), X_004, Y_004, p).labels == ["correct"]


@pytest.mark.parametrize("seed", range(4))
def test_not_flagged_the_rounding_of_float32(seed: int) -> None:
    narrow = {name: p.astype(np.float32) for name, p in named(random_net([20, 32, 16, 4], seed)).items()}
    X, y = random_batch(32, 20, 4, seed)

    def manual(X: Any, y: Any, p: Params) -> Params:
        W, b = net_of(p)
        X = X.astype(np.float32)
        (_, _, Z3), (_, A1, A2) = forward((W, b), X, np.tanh)
        dZ3 = ((softmax(Z3) - one_hot(y, 4)) / np.float32(len(X))).astype(np.float32)
        dZ2 = dZ3 @ W[2].T * (1 - A2**2)
        dZ1 = dZ2 @ W[1].T * (1 - A1**2)
        g = named(([X.T @ dZ1, A1.T @ dZ2, A2.T @ dZ3], [d.sum(axis=0) for d in (dZ1, dZ2, dZ3)]))
        assert all(d.dtype == np.float32 for d in g.values())
        return g

    assert diagnose(tanh_loss, manual, X.astype(np.float32), y, narrow).labels == ["correct"]


def test_not_flagged_the_slope_at_a_tie_beside_what_003_lacks() -> None:
    """np.maximum(0, Z) has the slope 1/2 at a tie here, 003's mask has 0; a row of zeros and zero biases make ties."""

    def loss(X: Any, y: Any, p: Params) -> Any:
        return nn.cross_entropy(logits(X, p, lambda Z: np.maximum(0, Z)), y)

    W, b = random_net([9, 12, 4])
    p = named((W, [0 * b[0], 0 * b[1]]))
    X, y = random_batch(8, 9, 4)
    X[2] = 0
    found = diagnose(loss, by_hand(backward_003), X, y, p)
    assert found.labels == ["missing_batch_mean"]
    assert "at a kink every slope between the two sides is a right one" in " ".join(found.remarks)
    mean = diagnose(loss, lambda *a: {n: g / 8 for n, g in by_hand(backward_003)(*a).items()}, X, y, p)
    assert mean.labels == ["correct"]
