"""The five write-ups: updates, the training loop, prediction and plots, beside the same loop in NumPy as 003 and 004 write it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from seed_models import fitted, mlp, weights_of
from seed_programs import (
    Array,
    Net,
    backward_003,
    backward_004,
    flat,
    forward,
    looped,
    mean_binary_cross_entropy,
    mean_cross_entropy,
    one_hot,
    random_batch,
    random_net,
    relu,
    sigmoid,
    softmax,
)

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, data, nn, optim
from tinygrad_mlp.errors import DataError, SettingError

# --- updates ------------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(5)
START, STEPS = RNG.standard_normal((4, 3)), RNG.standard_normal((5, 4, 3))


def trained(make: Callable[[list[Tensor]], Any]) -> Any:
    """The parameter after five given gradients."""
    p = nn.Parameter(START.copy())
    optimizer = make([p])
    for g in STEPS:
        p.grad = g.copy()
        optimizer.step()
    return p.numpy()


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_updates_sgd_momentum_and_l2_as_004_writes_them(momentum: float, l2: float) -> None:
    W, v = START.copy(), np.zeros_like(START)
    for given in STEPS:
        dW = given + l2 * W  # not in place: a second call would add it again
        v = momentum * v - 0.1 * dW
        W = W + v
    np.testing.assert_allclose(trained(lambda p: optim.SGD(p, lr=0.1, momentum=momentum, weight_decay=l2)), W, rtol=1e-13)


@pytest.mark.parametrize("factor", [pytest.param(1.0, id="half"), pytest.param(2.0, id="whole"), pytest.param(1 / 8, id="over-2m")])
def test_updates_l2_is_the_gradient_of_half_lambda_w_squared(factor: float) -> None:
    """λW is the gradient of (λ/2)‖W‖²; that of λ‖W‖² is twice, that of (λ/2m)‖W‖² 1/m of it (here m = 8)."""
    by_definition = tg.grad(lambda W: factor * 0.3 / 2 * (W * W).sum())(START)
    by_library = tg.grad(lambda W: nn.l2_penalty([W], 0.3))(START)
    np.testing.assert_allclose(by_library, 0.3 * START, rtol=1e-14)
    np.testing.assert_allclose(by_definition, factor * by_library, rtol=1e-14)


def test_updates_l2_and_weight_decay_are_one_for_sgd_and_two_for_adam() -> None:
    def with_penalty(make: Callable[..., Any]) -> Any:
        p = nn.Parameter(START.copy())
        optimizer = make([p], lr=0.1)
        for g in STEPS:
            optimizer.zero_grad()
            ((p * g).sum() + nn.l2_penalty([p], 0.3)).backward()
            optimizer.step()
        return p.numpy()

    np.testing.assert_allclose(with_penalty(optim.SGD), trained(lambda p: optim.SGD(p, lr=0.1, weight_decay=0.3)), rtol=1e-12)
    decoupled = trained(lambda p: optim.AdamW(p, lr=0.1, weight_decay=0.3))
    assert np.abs(with_penalty(optim.Adam) - decoupled).max() > 0.01


def test_updates_clip_each_tensor_or_all_together() -> None:
    given = [np.array([3.0, 4.0]), np.array([[12.0]]), np.array([0.1])]  # norms 5, 12, 0.1; together 13.0004

    def clipped(each: bool) -> list[Any]:
        parameters = [nn.Parameter(np.zeros_like(g)) for g in given]
        for p, g in zip(parameters, given, strict=True):
            p.grad = g.copy()
        for group in [[p] for p in parameters] if each else [parameters]:
            optim.clip_grad_norm(group, 6.0)
        return [p.grad for p in parameters]

    norm = math.sqrt(25 + 144 + 0.01)
    for found, g in zip(clipped(each=False), given, strict=True):
        np.testing.assert_allclose(found, g * 6 / norm, rtol=1e-14)
    for found, expected in zip(clipped(each=True), (given[0], np.array([[6.0]]), given[2]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_updates_lr_decay() -> None:
    """η / (1 + kt), set between steps: the step uses the rate of its own time."""
    p = nn.Parameter(START.copy())
    optimizer, W = optim.SGD([p], lr=0.1), START.copy()
    for t, g in enumerate(STEPS):
        optimizer.lr = 0.1 / (1 + 0.5 * t)
        p.grad = g.copy()
        optimizer.step()
        W = W - 0.1 / (1 + 0.5 * t) * g
    np.testing.assert_allclose(p.numpy(), W, rtol=1e-13)
    with pytest.raises(SettingError):
        optim.SGD([p], lr=-0.1)


# --- the loop -----------------------------------------------------------------------------------------------------------


class Recorder(nn.Module):
    """A model that notes the rows (their first number) of every training batch."""

    def __init__(self) -> None:
        self.inner, self.seen = nn.Linear(2, 2, rng=0, dtype=np.float64), []

    def forward(self, x: Any) -> Any:
        if self.training:
            self.seen.append([int(i) for i in np.asarray(x)[:, 0]])
        return self.inner(x)


@pytest.mark.parametrize(
    ("m", "drop", "lengths"),
    [(80, False, [32, 32, 16]), (80, True, [32, 32]), (100, False, [32, 32, 32, 4]), (64, True, [32, 32]), (20, False, [20])],
)
def test_loop_shuffles_each_epoch_and_keeps_or_drops_the_remainder(m: int, drop: bool, lengths: list[int]) -> None:
    model, X = Recorder(), np.stack([np.arange(m), np.ones(m)], axis=1)
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 32, "drop_last": drop, "rng": 0}
    fitted(model, X, np.arange(m) % 2, lr=1e-6, **settings)  # type: ignore[arg-type]
    n = len(lengths)
    assert len(model.seen) == 3 * n
    epochs = [model.seen[i : i + n] for i in range(0, 3 * n, n)]
    for batches in epochs:
        assert [len(batch) for batch in batches] == lengths
        rows = [row for batch in batches for row in batch]
        assert len(set(rows)) == sum(lengths)
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0][0] != sorted(epochs[0][0])


def test_loop_003_with_fewer_rows_than_a_batch() -> None:
    """As written it divides by n // batch_size = 0; here it is one batch, or refused in words."""
    model, (X, y) = mlp(random_net([4, 5, 3]), "relu"), random_batch(10, 4, 3)
    assert len(fitted(model, X, y, epochs=2, batch_size=32, rng=0)) == 3
    with pytest.raises(DataError, match="no whole batch of 32"):
        fitted(model, X, y, epochs=2, batch_size=32, drop_last=True, rng=0)


def test_loop_004_divides_by_the_true_size_of_the_last_batch() -> None:
    """80 rows in batches of 32: the last has 16, and its gradient is that of a mean over 16."""
    net = random_net([10, 6, 5, 1])
    X, y = np.random.default_rng(1).random((80, 10)), np.random.default_rng(2).integers(0, 2, (80, 1)).astype(float)
    model = mlp(net, "relu")
    fitted(model, X, y, "bce", 0.5, epochs=4, batch_size=32, rng=7)
    settings: dict[str, Any] = {"epochs": 4, "batch_size": 32, "lr": 0.5, "rng": np.random.default_rng(7)}
    expected, _ = looped(net, X, y, backward_004, mean_binary_cross_entropy, **settings)
    np.testing.assert_allclose(flat(weights_of(model)), flat(expected), rtol=1e-11, atol=1e-13)
    settings["rng"] = np.random.default_rng(7)
    by_argument, _ = looped(net, X, y, lambda *a: backward_004(*a, batch_size=32), mean_binary_cross_entropy, **settings)
    assert np.abs(flat(by_argument) - flat(expected)).max() > 1e-3


@pytest.mark.parametrize("drop", [True, False])
def test_loop_prints_epoch_and_average_loss(drop: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """003's line, "Epoch i/n, Average Loss": the mean of the losses before each update."""
    net, (X, y) = random_net([9, 7, 4]), random_batch(77, 9, 4)
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 32}

    def loss(net: Net, X: Array, y: Array) -> Any:
        return mean_cross_entropy(net, X, y, relu)

    rng = np.random.default_rng(5)
    _, averages = looped(net, X, y, lambda n, X, y: backward_003(n, X, y, len(X)), loss, lr=0.1, rng=rng, drop=drop, **settings)
    history = fitted(mlp(net, "relu"), X, y, lr=0.1, rng=5, drop_last=drop, running=True, progress=True, **settings)
    np.testing.assert_allclose(history["train_loss"], averages, rtol=1e-12)
    printed = re.findall(r"epoch (\d)/3 +loss ([\d.]+) \(train\)", capsys.readouterr().out)
    assert [(int(i), float(value)) for i, value in printed] == [
        (i, pytest.approx(average, rel=1e-3)) for i, average in enumerate(averages, 1)
    ]


def test_loop_validation_split_holds_rows_out_of_training() -> None:
    m, model = 100, Recorder()
    X, y = np.stack([np.arange(m), np.ones(m)], axis=1), np.random.default_rng(0).integers(0, 2, m)
    history = fitted(model, X, y, lr=1e-6, epochs=2, validation_split=0.2, metrics=["accuracy"], rng=0)  # type: ignore[arg-type]
    trained = sorted({row for batch in model.seen for row in batch})
    held = sorted(set(range(m)) - set(trained))
    assert (len(trained), len(held)) == (80, 20)
    z = X @ model.inner.weight.numpy() + model.inner.bias.numpy()
    losses = -np.log(softmax(z)[np.arange(m), y])
    right = z.argmax(axis=1) == y
    for part, rows in (("train", trained), ("validation", held)):
        assert history[f"{part}_loss"][-1] == pytest.approx(losses[rows].mean(), rel=1e-12)
        assert history[f"{part}_accuracy"][-1] == pytest.approx(right[rows].mean(), rel=1e-15)


def test_loop_004_records_and_prints_accuracy_and_loss_of_each_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    net = random_net([10, 6, 5, 1])
    X, y = np.random.default_rng(1).random((60, 10)), np.random.default_rng(2).integers(0, 2, (60, 1)).astype(float)
    history = fitted(mlp(net, "relu"), X, y, "bce", 0.5, epochs=5, batch_size=20, metrics=["accuracy"], rng=7, progress=True)
    printed = re.findall(r"epoch (\d)/5 +loss ([\d.]+) \(train\) +accuracy ([\d.]+)% \(train\)", capsys.readouterr().out)
    assert [int(i) for i, _, _ in printed] == [0, 1, 2, 3, 4, 5]
    assert [float(loss) for _, loss, _ in printed] == pytest.approx(history["train_loss"], rel=1e-3)
    assert [float(share) / 100 for _, _, share in printed] == pytest.approx(history["train_accuracy"], abs=1e-4)
    assert history.at.tolist() == [0, 1, 2, 3, 4, 5]
    rng = np.random.default_rng(7)
    for epoch in range(6):
        assert history["train_loss"][epoch] == pytest.approx(float(mean_binary_cross_entropy(net, X, y)), rel=1e-10)
        a = sigmoid(forward(net, X, relu)[0][-1])
        assert history["train_accuracy"][epoch] == pytest.approx(np.mean((a > 0.5) == (y == 1)), rel=1e-15)
        net, _ = looped(net, X, y, backward_004, mean_binary_cross_entropy, epochs=1, batch_size=20, lr=0.5, rng=rng)


@pytest.mark.parametrize("batch_size", [32, 64, 128])
@pytest.mark.parametrize("lr", [0.01, 0.001])
def test_loop_003_learning_rate_belongs_to_the_sum(batch_size: int, lr: float) -> None:
    """A gradient without 1/m and lr is the gradient of the mean and batch_size · lr: 0.01 is 0.32 for batches of 32."""
    net, (X, y) = random_net([12, 8, 5]), random_batch(256, 12, 5)
    settings: dict[str, Any] = {"epochs": 3, "batch_size": batch_size, "rng": 1, "drop_last": True}

    def summed(z: Any, y: Any) -> Any:
        return nn.cross_entropy(z, y, reduction="sum")

    by_sum, by_mean = mlp(net, "relu"), mlp(net, "relu")
    fitted(by_sum, X, y, summed, lr, **settings)
    fitted(by_mean, X, y, "cross_entropy", lr * batch_size, **settings)
    rng = np.random.default_rng(1)
    written, _ = looped(net, X, y, backward_003, lambda *a: 0, epochs=3, batch_size=batch_size, lr=lr, rng=rng, drop=True)
    for model in (by_sum, by_mean):
        np.testing.assert_allclose(flat(weights_of(model)), flat(written), rtol=1e-11, atol=1e-13)


def test_loop_learning_rates_of_the_documents_belong_to_their_scaling() -> None:
    """0.1 (002) is for a mean: with a sum it diverges. 0.01 (003) is for a sum: with a mean it is 32 times slower."""
    rng = np.random.default_rng(0)
    centres = rng.random((10, 128))
    y = rng.integers(0, 10, 640)
    X = np.clip(centres[y] + 0.3 * rng.standard_normal((640, 128)), 0, 1)  # like grey values

    def final(reduction: str, lr: float) -> float:
        model = mlp(random_net([128, 32, 10]), "relu")
        try:
            history = fitted(model, X, y, lambda z, y: nn.cross_entropy(z, y, reduction=reduction), lr, epochs=5, rng=0)
        except DataError:  # NaN or infinity
            return math.inf
        return float(history["train_loss"][-1]) / (len(y) if reduction == "sum" else 1)

    assert final("mean", 0.1) < 0.2
    assert final("sum", 0.01) < 0.1
    assert final("mean", 0.01) > 10 * final("sum", 0.01)
    assert final("sum", 0.1) > 1.5  # ln 10 is the loss of knowing nothing


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_loop_lr_decay_over_epochs(decay: float) -> None:
    """004: decay the learning rate over the epochs; here η / (1 + k · epoch), by a schedule."""
    net, (X, y) = random_net([9, 7, 4]), random_batch(64, 9, 4)
    model = mlp(net, "relu")
    optimizer = optim.SGD(model.parameters(), lr=0.2)
    schedule = optim.LambdaLR(optimizer, lambda n: 1 / (1 + decay * n))
    history = tg.fit(model, X, y, loss="cross_entropy", optimizer=optimizer, epochs=3, schedule=schedule, rng=2, progress=False)
    rates = [0.2 / (1 + decay * n) for n in range(3)]
    np.testing.assert_allclose(history["lr"], rates, rtol=1e-14)
    rng = np.random.default_rng(2)
    for lr in rates:
        step = {"epochs": 1, "batch_size": 32, "lr": lr, "rng": rng}
        net, _ = looped(net, X, y, lambda n, X, y: backward_003(n, X, y, len(X)), lambda *a: 0, **step)  # type: ignore[arg-type]
    np.testing.assert_allclose(flat(weights_of(model)), flat(net), rtol=1e-11, atol=1e-13)


# --- prediction and plots -------------------------------------------------------------------------------------------------


def test_prediction_and_accuracy() -> None:
    net, (X, y) = random_net([9, 7, 4]), random_batch(301, 9, 4)
    outputs = tg.train.predict(mlp(net, "relu"), X, batch_size=50)
    expected = forward(net, X, relu)[0][-1]
    np.testing.assert_allclose(outputs, expected, rtol=1e-12)
    right = np.mean(softmax(expected).argmax(axis=1) == y)
    assert tg.train.metrics.accuracy(outputs, y) == right
    assert tg.train.metrics.accuracy(outputs, one_hot(y, 4)) == right


def test_plots_loss_and_accuracy_by_epoch_from_scratch_beside_the_framework() -> None:
    """004's three pictures: the two curves of each, drawn as recorded."""
    net = random_net([10, 6, 5, 1])
    X, y = np.random.default_rng(1).random((60, 10)), np.random.default_rng(2).integers(0, 2, (60, 1)).astype(float)
    scratch, by_hand = tg.History("scratch"), net
    rng = np.random.default_rng(7)
    for epoch in range(4):
        a = sigmoid(forward(by_hand, X, relu)[0][-1])
        loss = mean_binary_cross_entropy(by_hand, X, y)
        scratch.record(epoch=epoch, train_loss=loss, train_accuracy=np.mean((a > 0.5) == (y == 1)))
        by_hand, _ = looped(by_hand, X, y, backward_004, mean_binary_cross_entropy, epochs=1, batch_size=20, lr=0.5, rng=rng)
    model = mlp(net, "relu")
    framework = fitted(model, X, y, "bce", 0.5, epochs=3, batch_size=20, metrics=["accuracy"], rng=7, history=None)
    framework.name = "framework"
    panels = tg.plots.histories([scratch, framework])
    assert [(ax.get_xlabel(), ax.get_ylabel()) for ax in panels] == [("epoch", "loss"), ("epoch", "accuracy")]
    for ax, quantity in zip(panels, ("loss", "accuracy"), strict=True):
        first, second = ax.get_lines()[:2]
        assert list(first.get_xdata()) == list(second.get_xdata()) == [0, 1, 2, 3]
        np.testing.assert_allclose(first.get_ydata(), scratch[f"train_{quantity}"], rtol=1e-14)
        np.testing.assert_allclose(second.get_ydata(), first.get_ydata(), rtol=1e-10)


def test_data_batches_are_those_of_an_epoch() -> None:
    """The generator draws one permutation an epoch: what the loops above rely on."""
    X, y = np.arange(10.0)[:, None], np.arange(10)
    order = np.random.default_rng(3).permutation(10)
    found = [list(labels) for _, labels in data.batches(X, y, 4, np.random.default_rng(3))]
    assert found == [list(order[:4]), list(order[4:8]), list(order[8:])]
