"""The parts of the roadmap that need no images: initial weights, activation functions, backpropagation by hand."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from report import Report
from vision import Parts, change, within

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

Array = NDArray[Any]
Arrays = dict[str, Array]


def initialisation(report: Report, rng: np.random.Generator) -> None:
    """What He's and Xavier's weights do to the signal on its way, and to the gradient on its way back."""
    report.heading("Initial weights")
    he, xavier = (draw((3072, 512), rng=rng, dtype=np.float64).std() for draw in (nn.init.he_normal, nn.init.xavier_normal))
    report.say(
        f"""The document names the two without a formula. He: N(0, 2 / n_in), for W1 a standard deviation of √(2/3072) = {
            (2 / 3072) ** 0.5:.5f} (drawn: {he:.5f}). Xavier, or Glorot: N(0, 2 / (n_in + n_out)), √(2/3584) = {
            (2 / 3584) ** 0.5:.5f}
        (drawn: {xavier:.5f}). What they are for shows in depth: ten layers of 256 units, and a random gradient sent back from
        the last."""
    )
    cases = {
        ("He", "relu"): nn.init.he_normal, ("Xavier", "relu"): nn.init.xavier_normal, ("Xavier", "tanh"): nn.init.xavier_normal,
        ("Xavier", "sigmoid"): nn.init.xavier_normal, ("4 × Xavier", "sigmoid"): four_times_xavier,
    }  # fmt: skip
    found = {case: through_depth(case[1], init, rng) for case, init in cases.items()}
    report.table(
        ("weights", "activation", "std of layer 1", "of layer 2", "of layer 10", "gradient of W1 / of W10"),
        [(*case, *(f"{v:.2g}" for v in values)) for case, values in found.items()],
    )
    zeros = nn.MLP([8, 6, 6, 3], init="zeros", rng=rng, dtype=np.float64)
    nn.cross_entropy(zeros(rng.standard_normal((12, 8))), np.arange(12) % 3).backward()
    weights_move = max(float(np.abs(layer.weight.grad).max()) for layer in zeros.linears if layer.weight.grad is not None)
    report.claim(
        "l. 11",
        "the initialisation strategy is critical",
        f"from zero weights the gradients of all weights are {weights_move:.0f}, and stay so; a factor √2 too small in ten "
        f"layers of ReLU leaves {found['Xavier', 'relu'][2] / found['He', 'relu'][2]:.1%} of the signal",
        weights_move == 0 and found["Xavier", "relu"][2] < 0.2 * found["He", "relu"][2],
    )
    first, _, last, back = found["He", "relu"]
    report.claim(
        "l. 13",
        "He for ReLU",
        f"std {first:.2f} in layer 1, {last:.2f} in layer 10; with Xavier {found['Xavier', 'relu'][2]:.3f}",
        0.4 < last / first < 2.5 and 0.1 < back < 10 and found["Xavier", "relu"][2] < 0.2 * last,
    )
    tanh, sigmoid, scaled = (found[case][3] for case in (("Xavier", "tanh"), ("Xavier", "sigmoid"), ("4 × Xavier", "sigmoid")))
    report.claim(
        "l. 14",
        "Xavier for sigmoid or tanh",
        f"gradient of W1 by that of W10: tanh {tanh:.2g}, sigmoid {sigmoid:.1g}",
        0.1 < tanh < 10 and 0.1 < sigmoid < 10,
        f"for tanh: the derivation assumes a slope of 1 at 0, sigmoid's is 1/4; weights four times as large help it: {scaled:.2g}",
    )


def four_times_xavier(shape: tuple[int, ...], rng: np.random.Generator, dtype: Any) -> Array:
    """Weights for sigmoid, whose slope at 0 is 1/4."""
    return 4 * nn.init.xavier_normal(shape, rng=rng, dtype=dtype)


def through_depth(activation: str, init: Any, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """The activations' standard deviations after layers 1, 2 and 10; the size of the gradient of W1 by that of W10."""
    model = nn.MLP([256] * 12, activation, init=init, rng=rng, dtype=np.float64)
    X = rng.standard_normal((256, 256))
    A, stds = tg.Tensor(X), []
    for layer in model.linears[:10]:
        A = model.activation(layer(A))
        stds.append(float(A.numpy().std()))
    (A * rng.standard_normal(A.shape)).sum().backward()
    first, last = (np.linalg.norm(model.linears[l].weight.grad) for l in (0, 9))
    return stds[0], stds[1], stds[9], float(first / last)


def activations(report: Report, rng: np.random.Generator) -> None:
    """ReLU, sigmoid and softmax, forward and backward."""
    report.heading("Activation functions")
    x = rng.standard_normal(100)
    relu = np.array_equal(tg.grad(lambda x: tg.relu(x).sum())(x), (x > 0).astype(float))
    sigma = tg.sigmoid(x)
    sigmoid = float(np.abs(tg.grad(lambda x: tg.sigmoid(x).sum())(x) - sigma * (1 - sigma)).max())
    report.check(relu and sigmoid < 1e-15, f"relu' is 1 where x > 0, else 0; sigmoid' is σ(1 − σ) {within(sigmoid)}")
    at_zero = float(tg.grad(tg.relu)(0.0))
    with warnings.catch_warnings(record=True) as naive:
        warnings.simplefilter("always")
        value = 1 / (1 + np.exp(-np.array(-800.0)))
    with warnings.catch_warnings(record=True) as ours:
        warnings.simplefilter("always")
        stable = float(tg.sigmoid(-800.0))
    report.say(
        f"""The document asks for "forward and backward (derivative) versions". ReLU has no derivative at 0; this library, like
        most, takes {at_zero:g}. The formula of sigmoid, typed as it stands, computes e⁸⁰⁰ at x = −800: NumPy warns
        "{naive[0].message if naive else ""}", and the value, {value:g}, is right. `tg.sigmoid` never takes exp of a positive
        number: {stable:g}, and {len(ours)} warnings."""
    )
    z = rng.standard_normal(4)
    p, J = tg.softmax(z), tg.jacobian(tg.softmax)(z)
    formula = float(np.abs(J - (np.diag(p) - np.outer(p, p))).max())
    outside = float(np.abs(J - np.diag(np.diag(J))).max())
    report.check(formula < 1e-15, f"the Jacobian of softmax is diag(p) − p pᵀ, {within(formula)}")
    report.say(
        f"""Softmax has no derivative entry by entry, but a Jacobian: ∂pᵢ/∂zⱼ = pᵢ (δᵢⱼ − pⱼ). Its largest entry off the diagonal
        is {outside:.2f} here. Who takes p (1 − p) alone, as for sigmoid, gets another gradient, in all layers. The gradient
        doctor, shown such a backprop of a small network, says:"""
    )
    diagnosis = diagonal_softmax(rng)
    report.show(diagnosis)
    report.claim(
        "l. 20-22",
        "sigmoid as 1 / (1 + e⁻ˣ)",
        f"{len(naive)} overflow warning at −800, value {value:g}",
        not naive,
        "e⁻ˣ for x ≥ 0 and eˣ / (1 + eˣ) below: no warning",
    )
    report.claim(
        "l. 18, 22",
        "softmax has a derivative version, like ReLU and sigmoid",
        f"off the diagonal up to {outside:.2f}; p(1 − p) alone: {', '.join(diagnosis.labels)}",
        outside < 1e-12,
        f"a Jacobian, diag(p) − p pᵀ ({within(formula)}); fused with the cross-entropy it is p − y",
    )


def diagonal_softmax(rng: np.random.Generator) -> tg.check.Diagnosis:
    """What the doctor says of p (1 − p) in the place of softmax's Jacobian."""
    X, y = rng.standard_normal((8, 6)), np.arange(8) % 3
    params = {"W1": rng.standard_normal((6, 5)), "b1": rng.standard_normal(5), "W2": rng.standard_normal((5, 3)), "b2": np.zeros(3)}

    def loss(X: Any, y: Any, p: Any) -> Any:
        P = tg.softmax(tg.relu(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"])
        return nn.cross_entropy_probabilities(P, y)

    def manual(X: Array, y: Array, p: dict[str, Array]) -> dict[str, Array]:
        Z1 = X @ p["W1"] + p["b1"]
        A1 = np.maximum(Z1, 0)
        P = tg.manual.softmax(A1 @ p["W2"] + p["b2"])
        Y = np.eye(3)[y]
        dP = -Y / P / len(y)
        dZ2 = dP * P * (1 - P)
        dZ1 = dZ2 @ p["W2"].T * (Z1 > 0)
        return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0)}

    return tg.check.diagnose(loss, manual, X, y, params)


def backpropagation(report: Report, sizes: list[int], data: Parts, rng: np.random.Generator) -> None:
    """The three steps by hand, beside the engine."""
    report.heading("Backpropagation by hand")
    report.say(
        """The chain rule for X → Z1 → A1 → Z2 → A2 → Z3 → the mean cross-entropy, in the document's three steps. Derived by the
        library from the loss alone (`tg.derive`), for a small network of the same kind:"""
    )
    small = nn.MLP([6, 5, 4, 3], rng=rng, dtype=np.float64)
    source = tg.derive(lambda X, y: nn.cross_entropy(small(X), y), rng.standard_normal((8, 6)), np.arange(8) % 3).source()
    report.show(source[source.index("    # backward") :].replace("\n    ", "\n").strip(), "python")
    report.say("The same typed by hand, in `demos/seed_000_roadmap.py`, for the network of the document:")
    report.show(inspect.getsource(by_hand), "python")
    report.say("On 64 images its gradients, and those of the library's own NumPy script for this network, beside the engine's:")

    model = nn.MLP(sizes, rng=rng, dtype=np.float64)
    X, y = data.X[:64].reshape(64, -1).astype(np.float64), data.y[:64]
    found = tg.check.compare(model, "cross_entropy", X, y, entries=4)
    report.show(found)
    loss = nn.cross_entropy(model(X), y)
    engine = dict(zip(tg.check.manual_names(model), tg.gradients(loss, model.parameters()), strict=True))
    _, manual = by_hand(arrays(model), X, y)
    away = {name: change(manual[name], engine[name]) for name in engine}
    steps = {
        "output error: dW3, db3": ("W3", "b3"),
        "hidden layers: dW2, db2": ("W2", "b2"),
        "hidden layers: dW1, db1": ("W1", "b1"),
    }
    report.table(
        ("step", "by_hand and the engine: relative difference"),
        [(step, within(max(away[name] for name in names)).removeprefix("to ")) for step, names in steps.items()],
    )
    report.check(found.ok, "manual.py's gradients equal the engine's bit for bit, and two more witnesses agree")
    report.check(max(away.values()) < 1e-12, f"by_hand's gradients equal the engine's {within(max(away.values()))}")
    after = updates(model, X, y)
    report.check(
        after < 1e-12, f"after 20 updates W ← W − lr · dW by hand and by optim.SGD the parameters are equal {within(after)}"
    )
    report.claim(
        "l. 28",
        "output error: the gradient of the cross-entropy",
        f"(P − Y) / m; dW3, db3 equal {within(max(away['W3'], away['b3']))}",
        max(away["W3"], away["b3"]) < 1e-12,
    )
    hidden = max(away[name] for name in ("W1", "b1", "W2", "b2"))
    report.claim(
        "l. 29",
        "hidden error: back through the weights and the derivatives",
        f"dZ Wᵀ · (Z > 0); equal {within(hidden)}",
        hidden < 1e-12,
    )
    report.claim("l. 30", "update by stochastic gradient descent", f"20 updates, equal {within(after)}", after < 1e-12)


def by_hand(p: Arrays, X: Array, y: Array) -> tuple[float, Arrays]:
    """The loss and its gradients. X (m, 3072), y (m,); dQ is ∂loss/∂Q and has the shape of Q."""
    m, rows = len(X), np.arange(len(X))
    Z1 = X @ p["W1"] + p["b1"]  # (m, 512)
    A1 = np.maximum(Z1, 0)
    Z2 = A1 @ p["W2"] + p["b2"]  # (m, 256)
    A2 = np.maximum(Z2, 0)
    Z3 = A2 @ p["W3"] + p["b3"]  # (m, 10)
    P = tg.manual.softmax(Z3)
    loss = -float(np.log(P[rows, y]).mean())

    dZ3 = P.copy()  # 1. output error: softmax and cross-entropy together, (P − Y) / m
    dZ3[rows, y] -= 1
    dZ3 /= m
    dZ2 = dZ3 @ p["W3"].T * (Z2 > 0)  # 2. hidden errors: back through the weights, then through ReLU
    dZ1 = dZ2 @ p["W2"].T * (Z1 > 0)
    return loss, {
        "W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0), "W3": A2.T @ dZ3, "b3": dZ3.sum(axis=0),
    }  # fmt: skip


def arrays(model: nn.Module) -> Arrays:
    """The parameters of an MLP as W1, b1, W2 …"""
    return {name: p.numpy().copy() for name, p in tg.check.manual_names(model).items()}


def updates(model: nn.MLP, X: Array, y: Array, lr: float = 0.01, steps: int = 20) -> float:
    """How far the parameters are from each other after some steps by hand and as many by the library."""
    p, optimizer = arrays(model), optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        _, gradients = by_hand(p, X, y)
        for name, gradient in gradients.items():  # 3. update, when all gradients are there
            p[name] -= lr * gradient
        optimizer.zero_grad()
        nn.cross_entropy(model(X), y).backward()
        optimizer.step()
    return max(change(p[name], q) for name, q in arrays(model).items())
