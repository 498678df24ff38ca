"""The network of seed 003: as its document writes it, corrected, and by the engine; and the images that the demo gives to it."""
# ruff: noqa: NPY002  # the document draws from NumPy's global generator

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim
from tinygrad_mlp.history import History

Array = NDArray[Any]


class MLP:
    """The class of the document, l. 6-149, every statement as it stands there; type hints and this line are ours."""

    def __init__(self, input_size: int = 784, hidden_size: int = 128, output_size: int = 10) -> None:
        self.weights1: Any = np.random.randn(input_size, hidden_size) * np.sqrt(2 / input_size)
        self.biases1: Any = np.zeros((1, hidden_size))
        self.weights2: Any = np.random.randn(hidden_size, output_size) * np.sqrt(2 / hidden_size)
        self.biases2: Any = np.zeros((1, output_size))

    def forward(self, X: Any) -> Any:
        """l. 27-36."""
        self.layer1_input = np.dot(X, self.weights1) + self.biases1
        self.layer1_output = self.relu(self.layer1_input)
        self.layer2_input = np.dot(self.layer1_output, self.weights2) + self.biases2
        self.output = self.softmax(self.layer2_input)
        return self.output

    def relu(self, x: Any) -> Any:
        """l. 38-39."""
        return np.maximum(0, x)

    def softmax(self, x: Any) -> Any:
        """l. 41-43."""
        exp_x = np.exp(x - np.max(x, axis=1, keepdims=True))
        return exp_x / np.sum(exp_x, axis=1, keepdims=True)

    def calculate_loss(self, y_true: Array, y_pred: Any) -> Any:
        """l. 60-68."""
        batch_size = y_true.shape[0]
        y_one_hot = np.zeros((batch_size, 10))
        y_one_hot[np.arange(batch_size), y_true] = 1
        loss = -np.sum(y_one_hot * np.log(y_pred + 1e-7)) / batch_size
        return loss  # noqa: RET504  # as it stands there

    def backward(self, X: Array, y: Array, learning_rate: float = 0.01) -> None:
        """l. 79-101."""
        batch_size = X.shape[0]
        y_one_hot = np.zeros((batch_size, 10))
        y_one_hot[np.arange(batch_size), y] = 1
        d_output = self.output - y_one_hot
        d_weights2 = np.dot(self.layer1_output.T, d_output)
        d_biases2 = np.sum(d_output, axis=0, keepdims=True)
        d_hidden = np.dot(d_output, self.weights2.T)
        d_hidden_relu = d_hidden * (self.layer1_output > 0)
        d_weights1 = np.dot(X.T, d_hidden_relu)
        d_biases1 = np.sum(d_hidden_relu, axis=0, keepdims=True)
        self.weights2 -= learning_rate * d_weights2
        self.biases2 -= learning_rate * d_biases2
        self.weights1 -= learning_rate * d_weights1
        self.biases1 -= learning_rate * d_biases1

    def train(self, X_train: Array, y_train: Array, epochs: int = 10, batch_size: int = 32, learning_rate: float = 0.01) -> None:
        """l. 117-149."""
        n_samples = X_train.shape[0]
        n_batches = n_samples // batch_size
        for epoch in range(epochs):
            total_loss: Any = 0
            indices = np.random.permutation(n_samples)
            X_train = X_train[indices]
            y_train = y_train[indices]
            for i in range(n_batches):
                start_idx = i * batch_size
                end_idx = start_idx + batch_size
                X_batch = X_train[start_idx:end_idx]
                y_batch = y_train[start_idx:end_idx]
                output = self.forward(X_batch)
                loss = self.calculate_loss(y_batch, output)
                total_loss += loss
                self.backward(X_batch, y_batch, learning_rate)
            avg_loss = total_loss / n_batches
            print(f"Epoch {epoch + 1}/{epochs}, Average Loss: {avg_loss:.4f}")


class Corrected(MLP):
    """The same network with the gradient of its own loss, for any number of classes; every sample is used.

    With P = softmax(Z2) and Y the one-hot labels, ∂L/∂Z2 = (P − Y) / m for L = −(1/m) Σ log p_y, which is computed from the
    logits. With ``eps`` the loss is the document's, −(1/m) Σ log(p_y + eps), and each row gets the factor p_y / (p_y + eps).
    """

    eps = 0.0

    def calculate_loss(self, y_true: Array, y_pred: Any) -> Any:
        """The mean of −log(p_y + eps); for eps = 0 that is log Σ exp(z) − z_y, without a logarithm of a small number."""
        rows = np.arange(len(y_true))
        if self.eps:
            return -np.mean(np.log(y_pred[rows, y_true] + self.eps))
        shifted = self.layer2_input - np.max(self.layer2_input, axis=1, keepdims=True)
        return np.mean(np.log(np.sum(np.exp(shifted), axis=1)) - shifted[rows, y_true])

    def gradients(self, X: Array, y: Array) -> dict[str, Array]:
        """The gradients of the loss after ``forward(X)``; y holds a class for each row."""
        m, classes = self.output.shape
        if y.shape != (m,):
            raise ValueError(f"labels have shape {y.shape}: give {m} classes, of shape ({m},)")
        d_output = (self.output - np.eye(classes)[y]) / m
        if self.eps:
            p = self.output[np.arange(m), y][:, None]
            d_output *= p / (p + self.eps)
        d_hidden = d_output @ self.weights2.T * (self.layer1_output > 0)
        return {
            "weights1": X.T @ d_hidden,
            "biases1": d_hidden.sum(axis=0, keepdims=True),
            "weights2": self.layer1_output.T @ d_output,
            "biases2": d_output.sum(axis=0, keepdims=True),
        }

    def backward(self, X: Array, y: Array, learning_rate: float = 0.1) -> None:
        """All gradients first, then all updates."""
        for name, gradient in self.gradients(X, y).items():
            setattr(self, name, getattr(self, name) - learning_rate * gradient)

    def train(self, X_train: Array, y_train: Array, epochs: int = 10, batch_size: int = 32, learning_rate: float = 0.1) -> None:
        """The last batch may be a short one; each sample counts the same in the average."""
        n = len(X_train)
        for epoch in range(1, epochs + 1):
            total, order = 0.0, np.random.permutation(n)
            for start in range(0, n, batch_size):
                rows = order[start : start + batch_size]
                total += len(rows) * self.calculate_loss(y_train[rows], self.forward(X_train[rows]))
                self.backward(X_train[rows], y_train[rows], learning_rate)
            print(f"Epoch {epoch}/{epochs}, Average Loss: {total / n:.4f}")


def printed(net: MLP, X: Array, y: Array, **settings: Any) -> list[str]:
    """Train by the document's loop; the lines that it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as lines:
        net.train(X, y, **settings)
    return lines.getvalue().splitlines()


# --- the network as functions of its parameters ----------------------------------------------------------------------------

NAMES = ("weights1", "biases1", "weights2", "biases2")
Parameters = dict[str, Array]
Kind = TypeVar("Kind", bound=MLP)


def initial(seed: int, *sizes: int) -> Parameters:
    """The parameters of a new network of the document."""
    np.random.seed(seed)
    return parameters_of(MLP(*sizes))


def parameters_of(net: MLP) -> Parameters:
    """Copies of the four arrays."""
    return {name: np.array(getattr(net, name)) for name in NAMES}


def network(parameters: Mapping[str, Any], kind: type[Kind]) -> Kind:
    """A network with these parameters: arrays, or Tensors, with which the document's own lines are recorded."""
    net = kind.__new__(kind)
    for name in NAMES:
        value = parameters[name]
        setattr(net, name, value.copy() if isinstance(value, np.ndarray) else value)
    return net


def loss_as_written(X: Any, y: Array, parameters: Mapping[str, Any]) -> Any:
    """The document's forward pass and its loss."""
    net = network(parameters, MLP)
    return net.calculate_loss(y, net.forward(X))


def gradients_as_written(X: Array, y: Array, parameters: Parameters) -> Parameters:
    """What ``backward`` subtracts, divided by the learning rate; with a large power of two no digit is lost beside the weights."""
    net, lr = network(parameters, MLP), 2.0**40
    net.forward(X)
    net.backward(X, y, learning_rate=lr)
    return {name: (parameters[name] - getattr(net, name)) / lr for name in NAMES}


def corrected_gradients(X: Array, y: Array, parameters: Parameters, eps: float) -> Parameters:
    """Those of :class:`Corrected`."""
    net = network(parameters, Corrected)
    net.eps = eps
    net.forward(X)
    return net.gradients(X, y)


def as_model(parameters: Parameters) -> nn.MLP:
    """The same network of the library: biases of shape (n,), logits out."""
    W1, b1, W2, b2 = (parameters[name] for name in NAMES)
    model = nn.MLP([*W1.shape, W2.shape[1]], dtype=np.float64, rng=0)
    for parameter, value in zip(model.parameters(), (W1, b1[0], W2, b2[0]), strict=True):
        parameter.data[...] = value
    return model


# --- images ------------------------------------------------------------------------------------------------------------------


class Images(NamedTuple):
    """Images as rows of 784 numbers in [0, 1], with their labels; some are held out. In the file a pixel goes up to brightest."""

    what: str
    remark: str
    brightest: int
    X: Array
    y: Array
    X_test: Array
    y_test: Array


def images(seed: int, mnist: Path | None) -> Images:
    """MNIST, or scikit-learn's digits made as large: each of their 8 × 8 pixels as 3 × 3, and a border of 2.

    MNIST's own test images are held out where both pairs of files are there; with one pair only, a fifth of its images are.
    """
    if mnist is None:
        source = data.load_digits()
        large = np.kron(source.X.reshape(-1, 8, 8) / 16, np.ones((3, 3)))
        enlarged = np.pad(large, ((0, 0), (2, 2), (2, 2))).reshape(-1, 784)
        remark = "Each pixel is made 3 × 3, with a border of 2 around them, so that they are 28 × 28 as in MNIST."
        return Images("scikit-learn's digits", remark, 16, *data.split(enlarged, source.y, 0.2, seed))
    source = data.load_mnist(mnist)
    X = source.X.reshape(-1, 784) / 255
    if source.X_test is not None and source.y_test is not None:
        remark = "These are the images of its training file and of its test file."
        return Images("MNIST", remark, 255, X, source.y, source.X_test.reshape(-1, 784) / 255, source.y_test)
    remark = (
        f"Only one pair of MNIST's files was found, of {len(X):,} images, and both parts come from it. MNIST's training file has "
        "60,000 images."
    )
    return Images("MNIST", remark, 255, *data.split(X, source.y, 0.2, seed))


# --- training ----------------------------------------------------------------------------------------------------------------


class Learner(NamedTuple):
    """A way to train: a step on a batch, and the parameters as they are now."""

    step: Callable[[Array, Array], Any]
    parameters: Callable[[], Parameters]


def as_written(parameters: Parameters, lr: float) -> Learner:
    """The document's forward and backward."""
    net = network(parameters, MLP)

    def step(X: Array, y: Array) -> None:
        net.forward(X)
        net.backward(X, y, lr)

    return Learner(step, lambda: parameters_of(net))


def by_engine(parameters: Parameters, lr: float) -> tuple[Learner, nn.MLP]:
    """The mean cross-entropy of the logits and SGD, as a compiled step."""
    model = as_model(parameters)
    step = tg.compile(lambda X, y: nn.cross_entropy(model(X), y), optim.SGD(model.parameters(), lr=lr))

    def now() -> Parameters:
        return {name: np.atleast_2d(p.numpy()) for name, p in zip(NAMES, model.parameters(), strict=True)}

    return Learner(step, now), model


def measured(parameters: Parameters, X: Array, y: Array) -> tuple[float, float, float]:
    """The cross-entropy, the accuracy, and the share of hidden units that are 0 for every row."""
    net = network(parameters, MLP)
    net.forward(X)
    right = np.mean(net.layer2_input.argmax(axis=1) == y)
    return float(nn.cross_entropy(net.layer2_input, y)), float(right), float(np.mean(~net.layer1_output.any(axis=0)))


def train(name: str, learner: Learner, images: Images, seed: int, *, epochs: int = 10, batch_size: int = 32) -> History:
    """Shuffled batches, the same for every learner, without the remainder, as the document has them; measured after each epoch."""
    history, rng = History(name), np.random.default_rng(seed)
    X, y, X_test, y_test = images[3:]
    for epoch in range(epochs + 1):
        if epoch:
            for X_batch, y_batch in data.batches(X, y, batch_size, rng, drop_last=True):
                learner.step(X_batch, y_batch)
        now = learner.parameters()
        (loss, accuracy, dead), (test_loss, test_accuracy, _) = measured(now, X, y), measured(now, X_test, y_test)
        history.record(
            epoch=epoch, train_loss=loss, test_loss=test_loss, train_accuracy=accuracy, test_accuracy=test_accuracy, dead=dead
        )
    return history


def steps_until(bound: float, learner: Learner, images: Images, seed: int, *, every: int = 1, limit: int = 6000) -> int:
    """How many steps on batches of 32 bring the loss of 500 images below the bound; it is measured every so many steps."""
    rng = np.random.default_rng(seed)
    for step in range(1, limit + 1):
        rows = rng.choice(len(images.X), 32, replace=False)
        learner.step(images.X[rows], images.y[rows])
        if step % every == 0 and measured(learner.parameters(), images.X[:500], images.y[:500])[0] < bound:
            return step
    return limit
