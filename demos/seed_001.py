"""An MLP of two lines of NumPy: differentiated, trained, and measured against what its document says an MLP cannot do.

The short form takes scikit-learn's digits, enlarged to 28 × 28; ``--full --data-dir DIR`` takes MNIST from DIR: all 70,000
images, or, if the files t10k are alone there, these 10,000.
"""

from __future__ import annotations

import argparse
import inspect
from typing import Any, NamedTuple

import numpy as np
from constrained import constrained_layer
from matplotlib.figure import Figure
from numpy.typing import NDArray
from report import Report, launch, options
from seed_001_data import data_needed
from seed_001_limits import edges, independence, parameters, structure
from vision import change, within

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

Array = NDArray[Any]
Params = dict[str, Any]


class MLP:
    """As the document writes it (l. 46-60), but for the generator, which has a seed here."""

    def __init__(self, input_dim: int, hidden_dim: int, output_dim: int, rng: np.random.Generator) -> None:
        self.W1: Any = rng.standard_normal((input_dim, hidden_dim)) * 0.01
        self.b1: Any = np.zeros(hidden_dim)
        self.W2: Any = rng.standard_normal((hidden_dim, output_dim)) * 0.01
        self.b2: Any = np.zeros(output_dim)

    def relu(self, x: Any) -> Any:
        return np.maximum(0, x)

    def forward(self, x: Any) -> Any:
        self.z1 = x @ self.W1 + self.b1
        self.h = self.relu(self.z1)
        self.out = self.h @ self.W2 + self.b2
        return self.out


class Trainable(MLP):
    """The same with what the document leaves for later: the gradients of the mean cross-entropy, and gradient descent."""

    def backward(self, x: Array, y: Array) -> Params:
        """∂L/∂ of each parameter after ``forward(x)``, L = −(1/m) Σ_i log softmax(out_i)[y_i]; dQ has the shape of Q."""
        m = len(x)
        P = np.exp(self.out - self.out.max(axis=1, keepdims=True))
        d_out = P / P.sum(axis=1, keepdims=True)  # (m, k)
        d_out[np.arange(m), y] -= 1
        d_out /= m
        d_z1 = d_out @ self.W2.T * (self.z1 > 0)  # (m, hidden)
        return {"W1": x.T @ d_z1, "b1": d_z1.sum(axis=0), "W2": self.h.T @ d_out, "b2": d_out.sum(axis=0)}

    def descend(self, gradients: Params, lr: float) -> None:
        """Q ← Q − lr · dQ."""
        for name, gradient in gradients.items():
            vars(self)[name] -= lr * gradient


def main() -> int:
    """The document, from top to bottom, and the step that it promises at its end."""
    given = options("seed_001", __doc__, full="take MNIST: all its files in DIR, some minutes")
    report = Report("An MLP in NumPy, and why convolutions", given.out)
    rng = np.random.default_rng(given.seed)
    report.say(
        """The document writes down an MLP with one hidden layer, and names three limits of MLPs that convolutions were made
        for. Here its class is differentiated and trained, each limit is measured, and the step that it announces at its end is
        taken: a convolution is built as a linear layer with tied weights."""
    )
    data = digits(report, given, rng)
    as_written(report, data, rng)
    formula_and_code(report, data.X[0], rng)
    test = trained(report, data, rng)
    through_depth(report, rng)
    structure(report, data.small)
    edges(report, rng)
    parameters(report)
    data_needed(report, data.small, data.y_small, test, given.seed)
    independence(report, rng)
    constrained_layer(report, rng)
    quoted(report)
    return report.finish()


class Digits(NamedTuple):
    """Rows of 784 numbers from 0 to 1 to train on and to test on; and for the experiments the images as the data has them."""

    X: Array
    y: Array
    X_test: Array
    y_test: Array
    small: Array
    y_small: Array


def digits(report: Report, given: argparse.Namespace, rng: np.random.Generator) -> Digits:
    """scikit-learn's digits, or what there is of MNIST; a fifth is held out where no test set is there."""
    found = tg.data.load_mnist(given.data_dir) if given.full else tg.data.load_digits()
    small = found.X / 255 if given.full else found.X.reshape(-1, 8, 8) / 16
    large = (small if given.full else enlarged(small)).reshape(-1, 784)
    if found.X_test is not None and found.y_test is not None:
        X, y, X_test, y_test = large, found.y, found.X_test.reshape(-1, 784) / 255, found.y_test
        told = f"MNIST, {len(X):,} images to train on and its {len(X_test):,} to test on"
    else:
        X, y, X_test, y_test = tg.data.split(large, found.y, 0.2, rng)
        told = f"""the {len(small):,} of the one pair of MNIST's files that DIR holds (its test set has 10,000, its training set
            60,000), of which {len(X):,}, drawn at random, are to train on and {len(X_test):,} to test on"""
    if given.full:
        report.say(f"The images: {told}.")
    else:
        report.say(
            f"""The images: scikit-learn's {len(small):,} digits of 8 × 8 pixels, each enlarged to 24 × 24 with an empty border
            of 2, 28 × 28 like MNIST; {len(X):,} to train on, {len(X_test):,} to test on. Where the size does not matter, in the
            sections on spatial structure and on data, they stay 8 × 8. `--full --data-dir DIR` takes MNIST."""
        )
    return Digits(X, y, X_test, y_test, small.astype(np.float32), found.y)


def enlarged(small: Array) -> Array:
    """Images (m, 8, 8) as (m, 28, 28): linear between the pixels, 24 × 24, and a border of zeros."""
    at = np.clip((np.arange(24) + 0.5) / 3 - 0.5, 0, 7)
    low = np.minimum(at.astype(int), 6)
    matrix = np.zeros((24, 8))
    matrix[np.arange(24), low], matrix[np.arange(24), low + 1] = 1 - (at - low), at - low
    return np.pad(matrix @ small @ matrix.T, ((0, 0), (2, 2), (2, 2)))


def as_written(report: Report, data: Digits, rng: np.random.Generator) -> None:
    """The class, its shapes, its parameters, its first logits."""
    report.heading("The class as written")
    model = MLP(784, 512, 10, rng)
    X, y = data.X[:500], data.y[:500]
    out = model.forward(X)
    loss = float(nn.cross_entropy(out, y))
    weights, layer = model.W1.size, model.W1.size + model.b1.size
    total = layer + model.W2.size + model.b2.size
    report.show(nn.MLP([784, 512, 10], rng=0))
    report.say(
        f"""784 · 512 = {weights:,} weights; with b1, of shape {model.b1.shape}, {layer:,}; with the second layer {total:,}. It
        returns logits, of shape {out.shape}; with weights 0.01 · randn their standard deviation is {out.std():.3f}, and the
        loss begins at {loss:.4f}, by ln 10 = {np.log(10):.4f}: all classes are equally likely, as they should be."""
    )
    report.check(nn.MLP([784, 512, 10]).count_parameters() == total == 407_050, f"nn.MLP has {total:,} parameters too")
    tensors = MLP(784, 512, 10, rng)
    for name in ("W1", "b1", "W2", "b2"):
        setattr(tensors, name, tg.Tensor(getattr(model, name), requires_grad=True))
    nn.cross_entropy(tensors.forward(X), y).backward()
    report.say(
        """"NumPy-style operations" is just what this library differentiates: the class above, unchanged, with Tensors for its four
        arrays, has gradients."""
    )
    report.show(
        "model.W1 = tg.Tensor(model.W1, requires_grad=True)  # and so on\nnn.cross_entropy(model.forward(X), "
        f"y).backward()\nmodel.W1.grad.shape  # {tensors.W1.grad.shape}",
        "python",
    )
    report.claim(
        "l. 41, 63",
        "only NumPy-style operations",
        f"forward runs on arrays and on Tensors; gradients of shapes {tensors.W1.grad.shape}, {tensors.b1.grad.shape} …",
        tensors.W1.grad.shape == (784, 512) and np.array_equal(tensors.out.numpy(), out),
    )
    report.claim("l. 73-78", "an image of 28 × 28 is flattened to 784 numbers", f"{X.shape[1]}", X.shape[1] == 784)
    report.claim(
        "l. 110",
        "784 × 512 ≈ 400,000 parameters",
        f"{weights:,} weights, {layer:,} with the biases, {total:,} in the whole network",
        abs(weights - 400_000) < 0.01 * 400_000,
    )


def formula_and_code(report: Report, x: Array, rng: np.random.Generator) -> None:
    """W1 x in the formula, x @ W1 in the code."""
    report.heading("The formula and the code")
    model = MLP(784, 512, 10, rng)
    try:
        model.W1 @ x + model.b1
        raised = ""
    except ValueError as error:
        raised = str(error).partition("(size")[0].strip()
    away = float(np.abs(model.W1.T @ x - x @ model.W1).max())
    report.say(
        f"""The formula has h = σ(W1 x + b1), for a column x; the code has `x @ self.W1 + self.b1`, for samples in rows, and its
        W1 is (784, 512). The code's W1 in the formula raises: "{raised}". The two agree with W1 transposed: W1ᵀ x and x W1
        are equal {within(away)}."""
    )
    report.claim(
        "l. 24",
        "h = σ(W1 x + b1), with the code's W1",
        "raises" if raised else "runs",
        not raised,
        f"W1ᵀ x + b1, or the code's x @ W1 + b1 (equal {within(away)})",
    )


def trained(report: Report, data: Digits, rng: np.random.Generator) -> float:
    """The backward pass added, compared, and used; the accuracy on test images."""
    report.heading("The backward pass, and training")
    X, y, X_test, y_test = data.X, data.y, data.X_test, data.y_test
    report.say(
        "The document has no backward pass and no loss yet. `Trainable` in this script adds both, and plain gradient descent:"
    )
    report.show(inspect.getsource(Trainable), "python")
    report.say("First the gradients, on 16 images, as the gradient doctor sees them:")
    model = Trainable(784, 512, 10, rng)
    start = {name: getattr(model, name).copy() for name in ("W1", "b1", "W2", "b2")}

    def loss(X: Any, y: Any, p: Params) -> Any:
        return nn.cross_entropy(np.maximum(0, X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"], y)

    def manual(X: Array, y: Array, p: Params) -> Params:
        other = Trainable(784, 512, 10, np.random.default_rng(0))
        vars(other).update(p)
        other.forward(X)
        return other.backward(X, y)

    diagnosis = tg.check.diagnose(loss, manual, X[:16], y[:16], start)
    report.show(diagnosis)
    engine = tg.grad(lambda p: loss(X[:64], y[:64], p))(start)
    by_hand = manual(X[:64], y[:64], start)
    away = max(change(by_hand[name], np.asarray(engine[name])) for name in start)
    report.check(diagnosis.ok and away < 1e-12, f"the gradients by hand equal the engine's {within(away)}")

    twin = nn.MLP([784, 512, 10], dtype=np.float64)
    twin.load_state_dict(
        {"linear1.weight": start["W1"], "linear1.bias": start["b1"], "linear2.weight": start["W2"], "linear2.bias": start["b2"]}
    )
    history = tg.History("784-512-10")
    orders = np.random.default_rng(1), np.random.default_rng(1)
    epochs = 20 if len(X) < 20_000 else 5
    for _ in range(epochs):
        for rows, y_rows in tg.data.batches(X, y, 32, orders[0]):
            model.forward(rows)
            model.descend(model.backward(rows, y_rows), lr=0.1)
        found = {part: judged(model, *pair) for part, pair in (("train", (X, y)), ("test", (X_test, y_test)))}
        history.record(**{f"{part}_{name}": v for part, values in found.items() for name, v in values.items()})
    sgd = optim.SGD(twin.parameters(), lr=0.1)
    tg.fit(
        twin, X, y, loss=nn.cross_entropy, optimizer=sgd, epochs=epochs, batch_size=32, rng=orders[1], running=True, progress=False
    )
    apart = change(model.W1, twin.linears[0].weight.numpy())
    report.check(apart < 1e-9, f"{epochs} epochs by hand and by tg.fit, from the same weights, end at the same W1, {within(apart)}")
    report.picture("training", history.plot(), "Loss and accuracy of the class, trained by hand")
    train, test = float(history["train_accuracy"][-1]), float(history["test_accuracy"][-1])
    report.say(
        f"""Plain gradient descent with lr 0.1 and batches of 32, {epochs} epochs: {train:.1%} of the {len(X):,} training images
        classified correctly, {test:.1%} of the {len(X_test):,} others."""
    )
    report.claim(
        "l. 33",
        "parameters are learned via gradient descent",
        f"the class has no backward pass; with the one added here {test:.1%} of the test images are classified correctly",
        hasattr(MLP, "backward"),
        f"once a backward pass is there: its gradients are the engine's {within(away)}" if test > 0.9 else "",
    )
    return test


def judged(model: MLP, X: Array, y: Array) -> dict[str, float]:
    """Loss and accuracy."""
    out = model.forward(X)
    return {"loss": float(nn.cross_entropy(out, y)), "accuracy": float(np.mean(out.argmax(axis=1) == y))}


def through_depth(report: Report, rng: np.random.Generator) -> None:
    """0.01 · randn in one hidden layer, and in more."""
    report.heading("The weights 0.01 · randn, in depth")
    X = rng.standard_normal((256, 512))
    stds = {name: deep(X, init, 8, rng) for name, init in (("0.01 · randn", nn.init.normal), ("He", nn.init.he_normal))}
    figure = Figure(figsize=(5.4, 3.2), layout="constrained")
    ax = figure.add_subplot()
    for (name, values), colour, mark in zip(stds.items(), ("#d55e00", "#0072b2"), ("s", "o"), strict=True):
        ax.semilogy(range(1, len(values) + 1), values, color=colour, marker=mark, label=name)
    ax.set(xlabel="hidden layer (512 units, ReLU)", ylabel="standard deviation of its activations")
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#e3e3e3", linewidth=0.6)
    report.picture("depth", figure, "The activations of eight layers, with weights 0.01 · randn and with He's")
    (small, he), factor = stds.values(), 0.01 * 256**0.5
    report.table(
        ("weights", *(f"layer {l}" for l in range(1, 6))),
        [(name, *(f"{v:.2g}" for v in values[:5])) for name, values in stds.items()],
    )
    report.say(
        f"""For inputs of variance 1. Each layer multiplies the standard deviation by about 0.01 · √(512 / 2) = {factor:.2f}. One
        hidden layer bears that; after five the signal is {small[4]:.0e}. He's N(0, 2 / n_in) keeps {he[4]:.2f}."""
    )
    report.claim(
        "l. 48-50",
        "weights 0.01 · randn",
        f"std after 1 layer {small[0]:.2f}, after 5 layers {small[4]:.0e}; He {he[4]:.2f}",
        small[4] > 0.1 * small[0],
        f"fine with one hidden layer, as here; deeper, take He: std {he[4]:.2f} after 5",
    )


def deep(X: Array, init: Any, layers: int, rng: np.random.Generator) -> list[float]:
    """The standard deviations of the activations of 512-wide ReLU layers."""
    stds = []
    for _ in range(layers):
        X = tg.relu(X @ init((512, 512), rng=rng, dtype=np.float64))
        stds.append(float(X.std()))
    return stds


def quoted(report: Report) -> None:
    """What cannot be measured here."""
    report.claim(
        "l. 138-144",
        "CNNs were invented because of these limits",
        "quoted; the history is another matter: Fukushima's Neocognitron (1980) followed Hubel and Wiesel, LeCun et al. (1989) "
        "trained it by backpropagation",
        None,
    )
    report.claim("l. 184-186", "the full implementation lives in a repository", "not looked at: the text alone was used", None)


if __name__ == "__main__":
    launch(main)
