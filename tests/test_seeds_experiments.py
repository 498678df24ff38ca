"""The five write-ups: their numbers, and what their experiments and claims come to when they are measured."""

from __future__ import annotations

import io
import math
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from seed_models import fitted, mlp, weights_of
from seed_programs import (
    EPS,
    Array,
    Net,
    backward_004,
    flat,
    forward,
    looped,
    random_net,
    relu,
    sigmoid,
)

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim

# --- experiments and numbers ------------------------------------------------------------------------------------------------


def test_numbers_sigmoid_slope_is_at_most_a_quarter() -> None:
    z = np.linspace(-20, 20, 8001)  # 0 is one of them
    slope = tg.grad(lambda z: tg.sigmoid(z).sum())(z)
    assert slope.max() == slope[4000] == 0.25
    assert np.all((slope > 0) & (slope <= 0.25))


def test_numbers_tanh_range_zero_centred_odd_and_its_derivative() -> None:
    z = np.linspace(-8, 8, 1601)
    a = tg.tanh(z)
    assert np.all((a > -1) & (a < 1))
    assert np.array_equal(tg.tanh(-z), -a)
    assert tg.tanh(np.zeros(1))[0] == 0
    assert abs(a.mean()) < 1e-15 < 0.4 < sigmoid(z).mean()  # sigmoid is not zero-centred
    slope = tg.grad(lambda z: np.tanh(z).sum())(z)
    np.testing.assert_allclose(slope, 1 - a**2, rtol=1e-9, atol=1e-16)
    np.testing.assert_allclose(slope, np.imag(np.tanh(z + 1e-30j)) / 1e-30, rtol=1e-9, atol=1e-16)  # the definition
    quotient = ((np.exp(z) + np.exp(-z)) ** 2 - (np.exp(z) - np.exp(-z)) ** 2) / (np.exp(z) + np.exp(-z)) ** 2
    np.testing.assert_allclose(slope, quotient, rtol=1e-8, atol=1e-13)  # the middle of 002's proof


MISTAKES: dict[str, dict[str, Any]] = {"none": {}, "mask": {"mask": False}, "divisor": {"batch_size": 32}}


def experiment_004(seed: int, **mistake: Any) -> tuple[Net, Net, float, float, tuple[Array, Array]]:
    """100 × 10 uniform inputs, random labels, batches of 32, 100 epochs, split 0.2: start, end, both accuracies, training data."""
    rng = np.random.default_rng(seed)
    X, y = rng.random((100, 10)), rng.integers(0, 2, (100, 1)).astype(float)
    start = random_net([10, 16, 8, 1], seed)
    settings: dict[str, Any] = {"epochs": 100, "batch_size": 32, "lr": 0.01, "rng": np.random.default_rng(seed)}
    end, _ = looped(start, X[:80], y[:80], lambda *a: backward_004(*a, **mistake), lambda *a: 0, **settings)
    right = (forward(end, X, relu)[0][-1] > 0) == (y == 1)
    return start, end, float(right[:80].mean()), float(right[80:].mean()), (X[:80], y[:80])


def test_experiment_004_accuracy_cannot_tell_a_mistake_and_the_gradients_can() -> None:
    found = {name: np.array([experiment_004(seed, **m)[2:4] for seed in range(20)]) for name, m in MISTAKES.items()}
    train, held = found["none"].T
    assert abs(held.mean() - 0.5) < 4 * 0.5 / math.sqrt(20 * 20)  # labels are random: nothing can be learnt of other rows
    assert held.std() > 0.04
    assert train.std() > 0.02  # the gap between 58 % and 54 % is one such spread
    for name in ("mask", "divisor"):
        wrong = found[name][:, 0]
        assert abs(wrong.mean() - train.mean()) < max(train.std(), wrong.std()), name
        start, _, _, _, (X, y) = experiment_004(0)
        params = {f"{kind}{l}": p for kind, part in zip("Wb", start, strict=True) for l, p in enumerate(part, 1)}

        def manual(X: Any, y: Any, p: Any, name: str = name) -> Any:
            given = [p[f"W{l}"] for l in (1, 2, 3)], [p[f"b{l}"] for l in (1, 2, 3)]
            dW, db = backward_004(given, X, y, **MISTAKES[name])
            return {f"W{l}": g for l, g in enumerate(dW, 1)} | {f"b{l}": g for l, g in enumerate(db, 1)}

        def loss(X: Any, y: Any, p: Any) -> Any:
            A = tg.relu(tg.relu(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"])
            return nn.binary_cross_entropy_with_logits(A @ p["W3"] + p["b3"], y)

        assert not tg.check.diagnose(loss, manual, X[64:], y[64:], params).ok, name


@pytest.mark.parametrize("seed", range(3))
def test_experiment_004_repeated_by_the_library(seed: int) -> None:
    start, end, accuracy, _, (X, y) = experiment_004(seed)
    model = mlp(start, "relu")
    history = fitted(model, X, y, "bce", 0.01, epochs=100, batch_size=32, metrics=["accuracy"], rng=seed)
    np.testing.assert_allclose(flat(weights_of(model)), flat(end), rtol=1e-9, atol=1e-11)
    assert history["train_accuracy"][-1] == accuracy


@pytest.mark.parametrize(
    ("init", "activation"), [("normal", "relu"), ("he_normal", "relu"), ("lecun_normal", "tanh"), ("lecun_normal", "identity")]
)
def test_experiment_initialisation_and_the_spread_through_depth(init: str, activation: str) -> None:
    """The spread of each layer follows from the variances: Var z = n Var w E[a²]; with ReLU E[a²] = Var z / 2."""
    n, X = 512, np.random.default_rng(0).standard_normal((256, 512))
    model = nn.MLP([n] * 6, activation, init=init, dtype=np.float64, rng=1)
    variance = {"normal": 1e-4, "he_normal": 2 / n, "lecun_normal": 1 / n}[init]
    square, A = 1.0, X
    spreads = []
    for layer in model.linears:
        z = n * variance * square  # its variance
        A = model.activation(layer(A)).numpy()
        spreads.append(A.std())
        if activation == "relu":
            square = z / 2
            expected = math.sqrt(z * (0.5 - 0.5 / math.pi))
        elif activation == "identity":
            square, expected = z, math.sqrt(z)
        else:  # E tanh² of a normal number, by quadrature
            t, w = np.polynomial.hermite_e.hermegauss(80)
            square = float(w @ np.tanh(math.sqrt(z) * t) ** 2 / w.sum())
            expected = math.sqrt(square)
        assert spreads[-1] == pytest.approx(expected, rel=0.06)
    if init == "normal":  # 001's weights
        np.testing.assert_allclose(spreads, [0.13, 0.021, 0.0033, 0.00054, 0.00008], rtol=0.12)
    if init == "he_normal":
        np.testing.assert_allclose(spreads, 0.82, rtol=0.06)


def test_experiment_vanishing_product_with_the_right_index() -> None:
    """A chain of six sigmoids: ∂a₆/∂w₁ = x σ'(z₁) Π_{l≥2} w_l σ'(z_l). As 002 writes it, x and σ'(z₁) are not there."""
    rng = np.random.default_rng(0)
    x, w = 0.7, rng.standard_normal(6)

    def chain(w: Any) -> Any:
        a: Any = x
        for l in range(6):
            a = tg.sigmoid(w[l] * a)
        return a

    a, slopes = x, []
    for factor in w:
        z = factor * a
        a = 1 / (1 + math.exp(-z))
        slopes.append(a * (1 - a))
    exact, written = x * np.prod(w[1:]) * np.prod(slopes), np.prod(w[1:]) * np.prod(slopes[1:])
    found = tg.grad(chain)(w)[0]
    assert found == pytest.approx(exact, rel=1e-12)
    assert written / found == pytest.approx(1 / (x * slopes[0]), rel=1e-12)
    assert abs(found) <= abs(x * np.prod(w[1:])) * 0.25**6


# --- pixels -------------------------------------------------------------------------------------------------------------


def test_experiment_a_permutation_of_pixels_changes_nothing_and_a_shift_does() -> None:
    rng = np.random.default_rng(0)
    images, y = rng.random((96, 8, 8)), rng.integers(0, 10, 96)
    X, order = images.reshape(96, 64), rng.permutation(64)
    W, b = random_net([64, 24, 10])
    plain, permuted = mlp((W, b), "relu"), mlp(([W[0][order], W[1]], b), "relu")
    np.testing.assert_allclose(permuted(X[:, order]).numpy(), plain(X).numpy(), rtol=1e-10, atol=1e-13)
    for model, inputs in ((plain, X), (permuted, X[:, order])):  # 51 steps
        fitted(model, inputs, y, epochs=17, batch_size=32, rng=1)
    assert np.abs(plain.linear1.weight.numpy() - W[0]).max() > 0.05
    np.testing.assert_allclose(permuted.linear1.weight.numpy(), plain.linear1.weight.numpy()[order], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(permuted(X[:, order]).numpy(), plain(X).numpy(), rtol=1e-9, atol=1e-12)
    shifted = np.roll(images, 1, axis=2).reshape(96, 64)
    before, after = plain(X).numpy(), plain(shifted).numpy()
    assert np.linalg.norm(after - before) > 0.3 * np.linalg.norm(before)


def test_experiment_a_convolution_follows_a_shift() -> None:
    """Equivariance: the convolution of the shifted image is the shifted convolution, away from the border."""
    layer = nn.Conv2d(3, 4, 3, dtype=np.float64, rng=0)
    image = np.random.default_rng(1).random((2, 3, 9, 9))
    z, moved = (np.asarray(layer(x).numpy()) for x in (image, np.roll(image, 1, axis=3)))
    assert z.shape == (2, 4, 7, 7)
    np.testing.assert_allclose(moved[..., 1:], z[..., :-1], rtol=1e-12)


def third_of_cifar10(archive: Path) -> dict[str, tuple[Array, Array]]:
    """Every third image of the training and of the test part, (m, 3, 32, 32), and their classes."""
    images: dict[str, list[Array]] = {"train": [], "test": []}
    labels: dict[str, list[int]] = {"train": [], "test": []}
    with tarfile.open(archive) as members:
        for i, member in enumerate(m for m in members if m.isfile()):
            if i % 3 == 0:
                part, name, _ = member.name.split("/")
                stream = members.extractfile(member)
                assert stream is not None
                images[part].append(np.asarray(Image.open(io.BytesIO(stream.read()))).transpose(2, 0, 1))
                labels[part].append(data.CIFAR10_CLASSES.index(name))
    return {part: (np.stack(images[part]), np.array(labels[part])) for part in images}


def test_numbers_000_an_mlp_reaches_40_to_50_percent_on_cifar10(real_cifar10: Path) -> None:
    (X, y), (X_test, y_test) = third_of_cifar10(real_cifar10).values()
    X, X_test = data.standardise(X, X_test, common_scale=True)
    model = nn.MLP([3072, 512, 256, 10], rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)
    settings = {"epochs": 4, "batch_size": 128, "rng": 0, "running": True, "compile": True, "progress": False}
    history = tg.fit(
        model, X, y, loss=nn.cross_entropy, optimizer=optimizer, validation_data=(X_test, y_test), metrics=["accuracy"], **settings
    )
    assert len(X) > 16_000
    assert history["validation_accuracy"][0] < 0.15
    assert 0.40 < history["validation_accuracy"][-1] < 0.55


def test_numbers_neighbours_are_one_and_28_apart() -> None:
    """001: neighbours do not become arbitrarily distant; the strides are fixed."""
    image = np.arange(784).reshape(1, 28, 28)
    flattened = np.asarray(nn.Flatten()(image))[0]
    place = {int(value): i for i, value in enumerate(flattened)}
    for row, column in [(0, 0), (5, 5), (26, 26)]:
        here = place[image[0, row, column]]
        assert place[image[0, row, column + 1]] - here == 1
        assert place[image[0, row + 1, column]] - here == 28


def resnet_18(stem: int) -> list[tuple[nn.Conv2d, int]]:
    """The convolutions of a ResNet-18 for 32 × 32 images (He et al. 2016, table 1), each with the side of its output.

    ``stem``: 3 for the CIFAR variant (3 × 3, stride 1), 7 for ImageNet's (7 × 7, stride 2, then a max-pooling of stride 2).
    """
    small = {"bias": False, "init": "zeros"}
    side = 32 if stem == 3 else 8  # behind the stem
    found = [(nn.Conv2d(3, 64, stem, padding=stem // 2, **small), 32 if stem == 3 else 16)]  # type: ignore[arg-type]
    before = 64
    for stage, width in enumerate((64, 128, 256, 512)):
        for block in range(2):
            stride = 2 if stage and not block else 1
            side //= stride
            found += [(nn.Conv2d(n, width, 3, stride, 1, **small), side) for n in (before, width)]  # type: ignore[arg-type]
            if before != width:
                found.append((nn.Conv2d(before, width, 1, stride, **small), side))  # type: ignore[arg-type]
            before = width
    return found


@pytest.mark.parametrize(("stem", "parameters", "macs"), [(3, 11_173_962, 555e6), (7, 11_181_642, 37e6)])
def test_numbers_parameters_and_products_of_the_mlp_and_of_the_cnn(stem: int, parameters: int, macs: float) -> None:
    """000's claim that the MLP costs more, counted: it has fewer parameters and does fewer multiplications."""
    model = nn.MLP([3072, 512, 256, 10], init="zeros")
    products = sum(layer.weight.size for layer in model.linears)  # each weight once a sample
    assert model.count_parameters() == products + 512 + 256 + 10 == 1_707_274
    convolutions = resnet_18(stem)
    normalised = sum(2 * layer.weight.shape[0] for layer, _ in convolutions)  # scale and shift of each channel
    head = nn.Linear(512, 10, init="zeros")
    counted = sum(layer.count_parameters() for layer, _ in convolutions) + normalised + head.count_parameters()
    assert counted == parameters
    done = sum(layer.weight.size * side**2 for layer, side in convolutions) + head.weight.size
    assert done == pytest.approx(macs, rel=0.01)
    assert counted / model.count_parameters() == pytest.approx(6.5, rel=0.01)
    assert 20 < done / products < 330


# --- overflow -------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_overflow_softmax_and_sigmoid_as_written_and_here(dtype: Any) -> None:
    z = np.array([[1000.0, 999.0, 0.0]], dtype)
    assert np.isnan(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)).any()  # 002, without the shift
    P = tg.softmax(z)
    assert P.dtype == dtype
    np.testing.assert_allclose(P, [[1 / (1 + math.exp(-1)), 1 / (1 + math.e), 0]], rtol=1e-6)
    with np.errstate(over="raise"):
        with pytest.raises(FloatingPointError):
            sigmoid(np.array(-800.0))  # 000: the value 0 is right, on the way e^800 is not
        far = np.array([-800.0, 800.0], dtype)
        assert tg.sigmoid(far).tolist() == [0, 1]
        assert tg.grad(lambda z: tg.sigmoid(z).sum())(far).tolist() == [0, 0]


def test_overflow_003_loss_is_finite_at_a_probability_of_0() -> None:
    P = np.array([[0.0, 1.0]])
    assert float(nn.cross_entropy_probabilities(P, np.array([0]))) == pytest.approx(-math.log(EPS))
    assert float(nn.cross_entropy(np.array([[0.0, 1e4]]), np.array([0]))) == 1e4
