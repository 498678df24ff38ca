"""The comparison with TensorFlow, PyTorch and JAX as a test: from equal weights, on equal batches, every loss and every gradient."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

PACKAGES = ["tensorflow", "torch", "jax"]
NETWORKS = [[10, 1], [10, 16, 8, 1], [4, 5, 5, 5, 1]]
CASES = [*((sizes, "float64") for sizes in NETWORKS), ([10, 16, 8, 1], "float32")]
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


@pytest.fixture(scope="module")
def demos() -> Iterator[dict[str, ModuleType]]:
    """The modules of the demo, imported as its script does; afterwards the path and the list of modules are as they were."""
    before = set(sys.modules)
    sys.path.insert(0, str(ROOT / "demos"))
    try:
        yield {name: importlib.import_module(name) for name in ("rivals", "seed_004_network")}
    finally:
        sys.path.remove(str(ROOT / "demos"))
        for name in set(sys.modules) - before:
            if name in ("rivals", "report") or name.startswith("seed_004"):
                del sys.modules[name]


def needed(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"the optional oracle {package} is not installed")


def weights_of(sizes: list[int], dtype: str, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {}
    for l, (n, k) in enumerate(pairwise(sizes), 1):
        found[f"W{l}"] = nn.init.he_normal((n, k), rng, dtype)
        found[f"b{l}"] = (0.1 * rng.standard_normal((1, k))).astype(dtype)
    return found


def data_of(columns: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((50, columns)).astype(dtype)
    return X, (X.sum(axis=1, keepdims=True) > 0).astype(int)


def run_of(demos: dict[str, ModuleType], make: Any, sizes: list[int], dtype: str, lr: float = 0.1) -> Any:
    rivals = demos["rivals"]
    X, y = data_of(sizes[0], dtype)
    epochs = rivals.orders(40, 16, 12, np.random.default_rng(2))
    return rivals.train(make(weights_of(sizes, dtype), lr), X[:40], y[:40], (X[40:], y[40:]), epochs)


def distance(a: Any, b: Any) -> tuple[float, float]:
    """The largest differences between losses, and between the gradients of the first batch."""
    assert set(a.gradients) == set(b.gradients)
    assert all(a.gradients[name].shape == b.gradients[name].shape for name in a.gradients)
    return (
        float(np.abs(a.losses - b.losses).max()),
        max(float(np.abs(a.gradients[name] - b.gradients[name]).max()) for name in a.gradients),
    )


@pytest.mark.parametrize(("sizes", "dtype"), CASES, ids=str)
@pytest.mark.parametrize("package", PACKAGES)
def test_every_step_is_that_of_the_other_framework(demos, package, sizes, dtype):
    needed(package)
    ours = run_of(demos, demos["rivals"].tinygrad, sizes, dtype)
    theirs = run_of(demos, demos["rivals"].RIVALS[package], sizes, dtype)
    assert len(ours.losses) == 36
    assert ours.losses[-1] < 0.9 * ours.losses[0], "something is learnt, so that the losses move"
    assert max(distance(ours, theirs)) < TOLERANCE[dtype]
    assert {g.dtype.name for g in theirs.gradients.values()} == {dtype}, "the other framework computes in this dtype, too"
    for series in ours.history.names:
        np.testing.assert_allclose(ours.history[series], theirs.history[series], atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_small_difference_is_seen(demos, package):
    needed(package)
    ours = run_of(demos, demos["rivals"].tinygrad, [10, 16, 8, 1], "float64")
    theirs = run_of(demos, demos["rivals"].RIVALS[package], [10, 16, 8, 1], "float64", lr=0.1 * (1 + 1e-8))
    losses, gradients = distance(ours, theirs)
    assert losses > TOLERANCE["float64"]
    assert gradients < TOLERANCE["float64"], "the first gradients are from before any step"


@pytest.mark.parametrize("sizes", NETWORKS, ids=lambda sizes: "-".join(map(str, sizes)))
def test_the_network_by_hand_is_that_of_the_library(demos, sizes):
    ours = run_of(demos, demos["rivals"].tinygrad, sizes, "float64")
    by_hand = run_of(demos, demos["seed_004_network"].by_hand, sizes, "float64")
    assert max(distance(ours, by_hand)) < TOLERANCE["float64"]


@pytest.mark.parametrize("mistake", ["mask", "divisor", "inside", "sigmoid", "frozen", "sum"])
def test_every_planted_mistake_changes_the_numbers(demos, mistake):
    network = demos["seed_004_network"]
    assert mistake in network.MISTAKES
    ours = run_of(demos, demos["rivals"].tinygrad, [10, 16, 8, 1], "float64")
    wrong = run_of(demos, lambda p, lr: network.by_hand(p, lr, mistake), [10, 16, 8, 1], "float64")
    assert min(distance(ours, wrong)) > 1e-4


def test_all_mistakes_are_tested(demos):
    assert set(demos["seed_004_network"].MISTAKES) == {"", "mask", "divisor", "inside", "sigmoid", "frozen", "sum"}


# --- momentum, whose two forms part when the learning rate changes --------------------------------------------------------


MU = 0.875  # exact in float32, to which Keras rounds it
GRADIENTS = np.random.default_rng(3).standard_normal((6, 4))
RATES = [0.1, 0.1, 0.1, 0.02, 0.02, 0.02]


def by_sgd() -> np.ndarray:
    w = tg.Tensor(np.ones(4), requires_grad=True)
    optimizer = optim.SGD([w], lr=RATES[0], momentum=MU)
    for g, optimizer.lr in zip(GRADIENTS, RATES, strict=True):
        w.grad = g
        optimizer.step()
    return w.numpy()


def test_keras_has_the_velocity_form_of_momentum(demos):
    needed("tensorflow")
    keras, tf = demos["rivals"].imported_tensorflow()
    with demos["rivals"].keras_floats(keras, "float64"):
        optimizer = keras.optimizers.SGD(RATES[0], momentum=MU)
        w = tf.Variable(np.ones(4))
        for g, optimizer.learning_rate in zip(GRADIENTS, RATES, strict=True):
            optimizer.apply_gradients([(tf.constant(g), w)])
    np.testing.assert_allclose(w.numpy(), by_sgd(), rtol=1e-12)


def test_torch_has_the_other_form(demos):
    needed("torch")
    import torch

    w = torch.nn.Parameter(torch.ones(4, dtype=torch.float64))
    optimizer = torch.optim.SGD([w], lr=RATES[0], momentum=MU)
    u, expected = np.zeros(4), np.ones(4)
    for g, rate in zip(GRADIENTS, RATES, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        w.grad = torch.tensor(g)
        optimizer.step()
        u = MU * u + g
        expected = expected - rate * u
    np.testing.assert_allclose(w.detach().numpy(), expected, rtol=1e-12)
    assert np.abs(expected - by_sgd()).max() > 1e-2


# --- the driver -----------------------------------------------------------------------------------------------------------


def test_all_rows_are_in_each_epoch_once(demos):
    for epoch in demos["rivals"].orders(80, 32, 5, np.random.default_rng(0)):
        assert [len(rows) for rows in epoch] == [32, 32, 16]
        assert sorted(np.concatenate(epoch)) == list(range(80))


def test_what_is_not_installed_is_not_listed(demos, monkeypatch):
    rivals = demos["rivals"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jax" else object())
    assert rivals.installed() == ["tensorflow", "torch"]
