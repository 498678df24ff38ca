"""The five write-ups, part by part: networks, initial weights, activations, losses, gradients.

What is expected is computed from the documents' formulas in NumPy (seed_programs.py), from mathematics, or by complex steps; never
by the library itself. Updates and the loop are in test_seeds_training.py, the experiments in test_seeds_experiments.py, the diagnoser in
test_seeds_doctor.py.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from seed_models import close, engine, mlp
from seed_programs import (
    EPS,
    Net,
    backward_000,
    backward_002,
    backward_003,
    backward_004,
    complex_step,
    flat,
    forward,
    mean_binary_cross_entropy,
    mean_cross_entropy,
    one_hot,
    random_batch,
    random_net,
    relu,
    sigmoid,
    softmax,
    tanh_of_double,
    tanh_of_two,
)

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, manual, nn

# --- architectures ------------------------------------------------------------------------------------------------------


def test_000_architecture_two_hidden_layers_on_flattened_colour_planes() -> None:
    images = np.random.default_rng(0).random((2, 3, 32, 32))
    flattened = nn.Flatten()(images)
    assert flattened.shape == (2, 32 * 32 * 3) == (2, 3072)
    for colour, row, column in [(0, 0, 0), (0, 0, 1), (1, 0, 0), (2, 31, 30), (1, 5, 6)]:
        assert np.asarray(flattened)[1, 1024 * colour + 32 * row + column] == images[1, colour, row, column]
    net = random_net([3072, 24, 16, 10])
    model = nn.Sequential(nn.Flatten(), mlp(net, "relu"))
    np.testing.assert_allclose(model(images).numpy(), forward(net, images.reshape(2, -1), relu)[0][-1], rtol=1e-12)
    assert model.count_parameters() == 3072 * 24 + 24 + 24 * 16 + 16 + 16 * 10 + 10


def test_001_architecture_784_512_10_with_small_weights() -> None:
    model = nn.MLP([784, 512, 10], "relu", init="normal", rng=0)
    assert model.linear1.weight.size == 784 * 512 == 401_408
    assert model.count_parameters() == 784 * 512 + 512 + 512 * 10 + 10 == 407_050
    assert model.linear1.bias.shape == (512,)
    assert model.linear2.bias.shape == (10,)
    assert not np.any(model.linear1.bias.numpy())
    assert not np.any(model.linear2.bias.numpy())
    for layer in model.linears:  # the standard deviation of n draws scatters by σ / √2n
        assert layer.weight.numpy().std() == pytest.approx(0.01, abs=5 * 0.01 / math.sqrt(2 * layer.weight.size))
    x = np.random.default_rng(1).random((3, 784)).astype(np.float32)
    W1, W2 = (layer.weight.numpy() for layer in model.linears)
    np.testing.assert_allclose(model(x).numpy(), np.maximum(0, x @ W1) @ W2, rtol=1e-4, atol=1e-6)  # logits: nothing after the last


def test_002_architecture_two_tanh_layers_and_softmax() -> None:
    net = random_net([5, 7, 6, 4])
    X, _ = random_batch(8, 5, 4)
    P = tg.softmax(mlp(net, "tanh")(X))
    np.testing.assert_allclose(P.numpy(), softmax(forward(net, X, np.tanh)[0][-1]), rtol=1e-12)
    np.testing.assert_allclose(P.numpy().sum(axis=1), 1, rtol=1e-14)


def test_002_column_convention_gives_the_transposed_gradients() -> None:
    net = random_net([4, 4, 4, 4])  # square: no shape would show a mistake
    X, y = random_batch(6, 4, 4)
    W = [Tensor(w.T.copy(), requires_grad=True) for w in net[0]]
    b = [Tensor(v[:, None].copy(), requires_grad=True) for v in net[1]]
    a: Any = X.T
    for l in range(3):
        z = W[l] @ a + b[l]
        a = np.tanh(z)
    dW, db = backward_002(net, X, y)
    found = tg.gradients(nn.cross_entropy(z.T, y), W + b)
    close((found[:3], found[3:]), ([g.T for g in dW], [g[:, None] for g in db]))
    assert not np.allclose(found[1], dW[1], rtol=0.1)


def test_003_architecture_784_128_10() -> None:
    model = nn.MLP([784, 128, 10], "relu", rng=0)
    assert model.count_parameters() == 784 * 128 + 128 + 128 * 10 + 10 == 101_770
    for layer, fan_in in zip(model.linears, (784, 128), strict=True):
        assert layer.weight.numpy().std() == pytest.approx(math.sqrt(2 / fan_in), rel=5 / math.sqrt(2 * layer.weight.size))
        assert not np.any(layer.bias.numpy())


def test_003_biases_of_one_row_keep_their_shape() -> None:
    (W, b), (X, y) = random_net([6, 5, 3]), random_batch(7, 6, 3)
    leaves = [Tensor(p, requires_grad=True) for p in (W[0], b[0][None], W[1], b[1][None])]
    weights1, biases1, weights2, biases2 = leaves
    loss = nn.cross_entropy(np.maximum(0, X @ weights1 + biases1) @ weights2 + biases2, y)
    dW1, db1, dW2, db2 = tg.gradients(loss, leaves)
    assert (db1.shape, db2.shape) == ((1, 5), (1, 3))
    close(([dW1, dW2], [db1[0], db2[0]]), backward_003((W, b), X, y, divide_by=7))


@pytest.mark.parametrize("layers", [1, 2, 3, 5])
def test_004_architecture_any_number_of_hidden_layers(layers: int) -> None:
    net = random_net([10, *[6] * layers, 1])
    X = np.random.default_rng(2).random((9, 10))
    model = mlp(net, "relu")
    assert len(model.linears) == layers + 1
    np.testing.assert_allclose(tg.sigmoid(model(X)).numpy(), sigmoid(forward(net, X, relu)[0][-1]), rtol=1e-12)


# --- initialisers -------------------------------------------------------------------------------------------------------

FAN_IN, FAN_OUT = 300, 500
GAIN = math.sqrt(2)  # torch.nn.init.calculate_gain("relu")
SPREADS = {  # the standard deviation of the documents' formulas; that of torch's, std = gain / √fan or its like; torch's name
    "he_normal": (math.sqrt(2 / FAN_IN), GAIN / math.sqrt(FAN_IN), "kaiming_normal_"),
    "he_uniform": (math.sqrt(6 / FAN_IN) / math.sqrt(3), GAIN / math.sqrt(FAN_IN), "kaiming_uniform_"),
    "glorot_normal": (math.sqrt(2 / (FAN_IN + FAN_OUT)), math.sqrt(2 / (FAN_IN + FAN_OUT)), "xavier_normal_"),
    "glorot_uniform": (math.sqrt(6 / (FAN_IN + FAN_OUT) / 3), math.sqrt(2 / (FAN_IN + FAN_OUT)), "xavier_uniform_"),
    "lecun_normal": (math.sqrt(1 / FAN_IN), 1 / math.sqrt(FAN_IN), ""),  # kaiming_normal_ with the gain of linear units
    "normal": (0.01, 0.01, ""),
    "zeros": (0.0, 0.0, "zeros_"),
}


@pytest.mark.parametrize("name", SPREADS)
def test_initialisers_have_the_spread_of_the_formula(name: str) -> None:
    W = getattr(nn.init, name)((FAN_IN, FAN_OUT), rng=3, dtype=np.float64)
    by_document, by_torch, _ = SPREADS[name]
    assert by_document == pytest.approx(by_torch, rel=1e-14)
    assert W.shape == (FAN_IN, FAN_OUT)
    assert W.std() == pytest.approx(by_document, abs=5 * by_document / math.sqrt(2 * W.size))
    assert abs(W.mean()) <= 5 * by_document / math.sqrt(W.size)
    largest = np.abs(W).max()
    if "uniform" in name:
        assert 0.999 * math.sqrt(3) * by_document < largest <= math.sqrt(3) * by_document
    elif name != "zeros":
        assert largest > 3.5 * by_document


@pytest.mark.parametrize("name", [name for name, (_, _, torchs) in SPREADS.items() if torchs])
def test_initialisers_next_to_torch(name: str) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("the optional oracle torch is not installed")
    torch = importlib.import_module("torch")
    torch.manual_seed(0)
    theirs = torch.empty(FAN_OUT, FAN_IN, dtype=torch.float64)  # torch keeps (fan_out, fan_in)
    kind = {"nonlinearity": "relu"} if "kaiming" in SPREADS[name][2] else {}
    getattr(torch.nn.init, SPREADS[name][2])(theirs, **kind)
    ours = getattr(nn.init, name)((FAN_IN, FAN_OUT), rng=3, dtype=np.float64)
    assert ours.std() == pytest.approx(float(theirs.std()), rel=0.02)
    assert np.abs(ours).max() == pytest.approx(float(theirs.abs().max()), rel=0.001 if "uniform" in name else 0.2)


def test_002_xavier_is_lecuns_and_another_than_glorots() -> None:
    lecun, glorot = (nn.init.by_name(name)((100, 400), rng=0, dtype=np.float64).std() for name in ("lecun_normal", "xavier_normal"))
    assert lecun == pytest.approx(math.sqrt(1 / 100), rel=0.02)
    assert glorot == pytest.approx(math.sqrt(2 / 500), rel=0.02)


# --- activations --------------------------------------------------------------------------------------------------------

Z = np.array([-3.0, -1.0, -0.25, 0.5, 2.0, 4.0])
ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any] | None]] = {  # f, f' of z, f' of a
    "relu": (relu, lambda z: np.where(z > 0, 1.0, 0.0), lambda a: np.where(a > 0, 1.0, 0.0)),
    "sigmoid": (sigmoid, lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2, lambda a: a * (1 - a)),
    "tanh": (tanh_of_two, lambda z: 1 / np.cosh(z) ** 2, lambda a: 1 - a**2),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_derivatives(name: str) -> None:
    f, from_z, from_a = ACTIVATIONS[name]
    function = getattr(tg, name, None) or getattr(np, name)
    np.testing.assert_allclose(function(Tensor(Z)).numpy(), f(Z), rtol=1e-14)
    slope = tg.grad(lambda z: function(z).sum())(Z)
    np.testing.assert_allclose(slope, from_z(Z), rtol=1e-13)
    np.testing.assert_allclose(slope, from_a(f(Z)), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("name", "argument"), [("relu", "z"), ("sigmoid", "a"), ("tanh", "a"), ("softplus", "z")])
def test_activations_by_hand_take_their_derivative_from_z_or_from_a(name: str, argument: str) -> None:
    """The argument that is not used may be anything: the two conventions are told apart by name."""
    A, one = manual.activate(name, Z, 0.0), np.ones_like(Z)
    known = {"Z": Z, "A": np.full_like(Z, np.nan)} if argument == "z" else {"Z": np.full_like(Z, np.nan), "A": A}
    expected = tg.grad(lambda z: getattr(tg, name)(z).sum())(Z)
    np.testing.assert_allclose(manual.through_activation(name, one, **known, slope=0.0), expected, rtol=1e-13)


@pytest.mark.parametrize("function", [tg.relu, nn.ReLU()])
def test_activations_relu_has_the_slope_0_at_0(function: Any) -> None:
    assert tg.grad(lambda z: function(z).sum())(np.array([0.0, -0.0])).tolist() == [0, 0]
    assert manual.through_activation("relu", np.ones(1), np.zeros(1), np.zeros(1), 0.0).tolist() == [0]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_activations_tanh_both_forms_and_where_they_end() -> None:
    z = np.linspace(-5, 5, 41)
    for form in (tanh_of_two, tanh_of_double):
        np.testing.assert_allclose(tg.tanh(z), form(z), rtol=1e-13, atol=1e-15)
    assert math.isnan(tanh_of_double(np.float64(356)))
    assert math.isfinite(tanh_of_double(np.float64(354)))
    assert math.isnan(tanh_of_two(np.float64(711)))
    assert math.isfinite(tanh_of_two(np.float64(-709)))
    far = np.array([-1e4, -711, 356, 711, 1e4])
    assert tg.tanh(far).tolist() == [-1, -1, 1, 1, 1]
    assert not tg.grad(lambda z: tg.tanh(z).sum())(far).any()
    assert abs(tanh_of_double(1e-9) / 1e-9 - 1) > 1e-9  # digits are lost, and not in ours
    assert float(tg.tanh(1e-9)) == pytest.approx(1e-9, rel=1e-15)


def test_activations_softmax_jacobian_is_not_diagonal() -> None:
    z = np.array([0.5, -1.0, 2.0, 0.0])
    p = softmax(z[None])[0]
    J = tg.jacobian(tg.softmax)(z)
    np.testing.assert_allclose(J, np.diag(p) - np.outer(p, p), rtol=1e-13)
    np.testing.assert_allclose(np.diag(J), p * (1 - p), rtol=1e-13)
    assert np.abs(J - np.diag(np.diag(J))).max() > 0.05
    fused = tg.grad(lambda z: nn.cross_entropy(z[None], np.array([1])))(z)
    np.testing.assert_allclose(fused, p - np.eye(4)[1], rtol=1e-13)
    np.testing.assert_allclose(J @ (-np.eye(4)[1] / p), fused, rtol=1e-12)  # through the Jacobian


# --- losses -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [0.0, 10.0, 14.0, 16.1, 20.0, 40.0])
def test_losses_003_eps_is_differentiated(gap: float) -> None:
    """−log(p + eps) has the slope −p / (p + eps) · (1 − p) in the label's logit; it saturates at −log eps."""
    z = np.array([[0.0, gap]])
    p = 1 / (1 + math.exp(gap))
    loss, slope = tg.value_and_grad(lambda z: nn.cross_entropy_probabilities(tg.softmax(z), np.array([0])))(z)
    assert float(loss) == pytest.approx(-math.log(p + EPS), rel=1e-12)
    assert float(loss) < 16.1181
    factor = p / (p + EPS)
    np.testing.assert_allclose(slope, [[factor * (p - 1), factor * (1 - p)]], rtol=1e-9)
    exact = tg.grad(lambda z: nn.cross_entropy(z, np.array([0])))(z)
    np.testing.assert_allclose(exact, [[p - 1, 1 - p]], rtol=1e-12)


def test_losses_003_eps_makes_a_perfect_prediction_negative() -> None:
    assert float(nn.cross_entropy_probabilities(np.array([[1.0, 0.0]]), np.array([0]))) == pytest.approx(-1e-7, rel=1e-6)


TARGETS = np.array([[1.0], [0.0], [0.0], [1.0], [1.0]])
LOGITS = np.array([[0.3], [-2.0], [1.5], [4.0], [-0.7]])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_binary_cross_entropy_general_and_fused(reduction: str) -> None:
    a, y = sigmoid(LOGITS), TARGETS
    m = len(y) if reduction == "mean" else 1
    expected = -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a)) / m
    fused, slope = tg.value_and_grad(lambda z: nn.binary_cross_entropy_with_logits(z, y, reduction=reduction))(LOGITS)
    assert float(fused) == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(slope, (a - y) / m, rtol=1e-13)
    general, dA = tg.value_and_grad(lambda a: nn.binary_cross_entropy(a, y, eps=0, reduction=reduction))(a)
    assert float(general) == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(dA, (-(y / a) + (1 - y) / (1 - a)) / m, rtol=1e-12)  # 004
    np.testing.assert_allclose(dA, (a - y) / (a * (1 - a)) / m, rtol=1e-12)  # 002, which leaves the 1/m out


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_cross_entropy_and_squares(reduction: str) -> None:
    z, y = np.random.default_rng(4).standard_normal((6, 3)), np.array([0, 2, 1, 1, 0, 2])
    P, Y = softmax(z), one_hot(y, 3)
    m, n = (len(z), z.size) if reduction == "mean" else (1, 1)
    loss, slope = tg.value_and_grad(lambda z: nn.cross_entropy(z, y, reduction=reduction))(z)
    assert float(loss) == pytest.approx(-np.sum(Y * np.log(P)) / m, rel=1e-13)
    np.testing.assert_allclose(slope, (P - Y) / m, rtol=1e-12)
    squares, slope = tg.value_and_grad(lambda z: nn.mse_loss(z, Y, reduction=reduction))(z)
    assert float(squares) == pytest.approx(np.sum((z - Y) ** 2) / n, rel=1e-13)
    np.testing.assert_allclose(slope, 2 * (z - Y) / n, rtol=1e-13)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("z", "y", "dZ"), [(40.0, 1.0, 0.0), (40.0, 0.0, 1.0), (-800.0, 1.0, -1.0)])
def test_losses_general_form_is_nan_where_the_fused_one_is_right(z: float, y: float, dZ: float) -> None:
    a = sigmoid(np.float64(z))
    general = (-(y / a) + (1 - y) / (1 - a)) * a * (1 - a) if z > 0 else -(y / a) * a * (1 - a)
    assert math.isnan(general)
    fused = tg.grad(lambda z: nn.binary_cross_entropy_with_logits(z, np.array([[y]])))(np.array([[z]]))
    assert fused == pytest.approx(dZ, abs=1e-17)


# --- backpropagation by hand ----------------------------------------------------------------------------------------------


def cross_entropy(model: nn.MLP, X: Any, y: Any) -> Any:
    return nn.cross_entropy(model(X), y)


def binary(model: nn.MLP, X: Any, y: Any) -> Any:
    return nn.binary_cross_entropy_with_logits(model(X), y)


def with_eps(model: nn.MLP, X: Any, y: Any) -> Any:
    return nn.cross_entropy_probabilities(tg.softmax(model(X)), y)


# sizes, activation, the library's loss, the loss as a formula, the document's backward pass
BACKWARD: dict[str, tuple[list[int], str, Callable[..., Any], Callable[..., Any], Callable[..., Net]]] = {
    "000": ([12, 8, 6, 4], "relu", cross_entropy, lambda *a: mean_cross_entropy(*a, relu), backward_000),
    "001": ([9, 7, 4], "relu", cross_entropy, lambda *a: mean_cross_entropy(*a, relu), backward_000),
    "002": ([5, 6, 4, 3], "tanh", cross_entropy, lambda *a: mean_cross_entropy(*a, np.tanh), backward_002),
    "003": ([9, 7, 4], "relu", cross_entropy, lambda *a: mean_cross_entropy(*a, relu), lambda n, X, y: backward_003(n, X, y, len(X))),
    "004": ([10, 6, 5, 1], "relu", binary, mean_binary_cross_entropy, backward_004),
    "004-general": ([10, 6, 5, 1], "relu", binary, mean_binary_cross_entropy, lambda *a: backward_004(*a, general=True)),
}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", BACKWARD)
def test_backprop_by_hand_autograd_and_definition_are_equal(name: str, seed: int) -> None:
    sizes, activation, loss, formula, backward = BACKWARD[name]
    net = random_net(sizes, seed)
    X, y = random_batch(7, sizes[0], 2 if sizes[-1] == 1 else sizes[-1], seed + 10)
    y = y.reshape(-1, 1) if sizes[-1] == 1 else y
    model = mlp(net, activation)
    value = loss(model, X, y)
    assert float(value) == pytest.approx(float(formula(net, X, y)), rel=1e-13)
    found = engine(model, value)
    close(found, backward(net, X, y))
    close(found, complex_step(lambda n: formula(n, X, y), net))
    kind = "bce" if sizes[-1] == 1 else "cross_entropy"
    assert tg.check.compare(model, kind, X, y, witnesses=False).ok  # and the library's own program by hand, in every bit


@pytest.mark.parametrize("m", [1, 8, 32])
def test_backprop_003_as_written_is_m_times_the_gradient(m: int) -> None:
    net, (X, y) = random_net([9, 7, 4]), random_batch(m, 9, 4)
    model = mlp(net, "relu")
    written, true = backward_003(net, X, y), engine(model, cross_entropy(model, X, y))
    close(written, ([m * g for g in true[0]], [m * g for g in true[1]]))


def test_backprop_003_against_the_definition_with_eps() -> None:
    """Confident rows: the ratio is near m = 32, and not exactly; the library, which differentiates the eps, is exact."""
    net, (X, y) = random_net([9, 12, 4], scale=1.4), random_batch(32, 9, 4)
    true = complex_step(lambda n: mean_cross_entropy(n, X, y, relu, EPS), net)
    model = mlp(net, "relu")
    close(engine(model, with_eps(model, X, y)), true, 1e-11)
    written = flat(backward_003(net, X, y))
    ratio = float(written @ flat(true) / (flat(true) @ flat(true)))
    assert ratio == pytest.approx(32, rel=0.01)
    assert ratio != pytest.approx(32, rel=1e-6)
    assert np.linalg.norm(written - ratio * flat(true)) > 1e-6 * np.linalg.norm(written)


def test_backprop_1_over_m_stands_in_dz_or_in_dw_and_twice_is_wrong() -> None:
    """002 has it in dZ, 004 in dW and db; both are the gradient of the mean, and together it is m times too small."""
    net, (X, y) = random_net([10, 6, 5, 1]), random_batch(6, 10, 2)
    y = y.reshape(-1, 1)
    model = mlp(net, "relu")
    true = flat(engine(model, binary(model, X, y)))
    twice = flat(backward_004(net, X, y, batch_size=len(X) ** 2))
    np.testing.assert_allclose(twice * len(X), true, rtol=1e-11, atol=1e-14)
