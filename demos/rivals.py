"""One network in four frameworks: tinygrad_mlp, TensorFlow (Keras), PyTorch and JAX, from the same weights, on the same batches.

A multi-layer perceptron for two classes: ReLU in the hidden layers, a sigmoid at the end, binary cross-entropy, plain gradient
descent. Each framework uses its own layers, loss, differentiation and optimiser; all are driven through the same three functions of
NumPy arrays, a :class:`Rival`. :func:`train` runs one, and notes the loss at every step.

TensorFlow and JAX come with ``pip install 'tinygrad_mlp[compare]'``, PyTorch by itself; a framework is imported when it is built.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

Array = NDArray[Any]
Parameters = Mapping[str, Array]
"""W1 (n0, n1), b1 (n1,) or (1, n1), W2 …; their dtype is that of the whole training."""


class Rival(NamedTuple):
    """A network of some framework, as functions of NumPy arrays: X (m, n0), y (m, 1) with entries 0 and 1."""

    name: str
    step: Callable[[Array, Array], float]
    """One update by a batch; the loss before it."""
    gradients: Callable[[Array, Array], dict[str, Array]]
    """Of the mean loss of a batch; biases (n,). Nothing changes."""
    probabilities: Callable[[Array], Array]
    """σ(Z) of the last layer, (m, 1)."""


class Run(NamedTuple):
    """What a training has left."""

    losses: Array
    """(steps,): the mean loss of each batch, before its update."""
    gradients: dict[str, Array]
    """Of the first batch."""
    history: tg.History
    """Loss and accuracy after each epoch."""


def layers(weights: Parameters) -> list[tuple[Array, Array]]:
    """(W, b) of each layer, b of shape (n,)."""
    return [(weights[f"W{l}"], weights[f"b{l}"].ravel()) for l in range(1, len(weights) // 2 + 1)]


def names(weights: Parameters) -> list[str]:
    """W1, b1, W2, b2, …: the order in which all frameworks list their parameters."""
    return [f"{letter}{l}" for l in range(1, len(weights) // 2 + 1) for letter in "Wb"]


# --- the frameworks -----------------------------------------------------------------------------------------------------------


def tinygrad(weights: Parameters, lr: float) -> Rival:
    """This library: nn.MLP, the fused loss, optim.SGD."""
    pairs = layers(weights)
    model = nn.MLP([len(pairs[0][0]), *(len(b) for _, b in pairs)], dtype=weights["W1"].dtype, rng=0)
    for parameter, array in zip(model.parameters(), (array for pair in pairs for array in pair), strict=True):
        parameter.data = array.copy()
    optimizer = optim.SGD(model.parameters(), lr=lr)

    def step(X: Array, y: Array) -> float:
        optimizer.zero_grad()
        loss = nn.binary_cross_entropy_with_logits(model(X), y)
        loss.backward()
        optimizer.step()
        return float(loss)

    def gradients(X: Array, y: Array) -> dict[str, Array]:
        found = tg.gradients(nn.binary_cross_entropy_with_logits(model(X), y), list(model.parameters()))
        return {name: np.asarray(g) for name, g in zip(names(weights), found, strict=True)}

    def probabilities(X: Array) -> Array:
        with tg.no_grad():
            return np.asarray(tg.sigmoid(model(X)).numpy())

    return Rival("tinygrad_mlp", step, gradients, probabilities)


def tensorflow(weights: Parameters, lr: float) -> Rival:
    """TensorFlow: a Keras ``Sequential`` of Dense layers, BinaryCrossentropy, keras.optimizers.SGD, ``train_on_batch``."""
    keras, tf = imported_tensorflow()
    pairs, dtype = layers(weights), weights["W1"].dtype.name
    with keras_floats(keras, dtype):  # also for the learning rate: as float32 it is 0.01 but for 2e-10
        model = keras.Sequential([keras.Input((len(pairs[0][0]),))])
        for l, (_, b) in enumerate(pairs, 1):
            model.add(keras.layers.Dense(len(b), activation="sigmoid" if l == len(pairs) else "relu"))
        model.compile(optimizer=keras.optimizers.SGD(lr), loss=keras.losses.BinaryCrossentropy())
    for layer, pair in zip(model.layers, pairs, strict=True):
        layer.set_weights(pair)

    def step(X: Array, y: Array) -> float:
        model.reset_metrics()  # it returns the mean since the last reset
        return float(model.train_on_batch(X, y.astype(dtype)))

    def gradients(X: Array, y: Array) -> dict[str, Array]:
        with tf.GradientTape() as tape:
            loss = model.loss(y.astype(dtype), model(X))
        found = tape.gradient(loss, model.trainable_variables)
        return {name: g.numpy() for name, g in zip(names(weights), found, strict=True)}

    return Rival(f"TensorFlow {tf.__version__}", step, gradients, lambda X: model(X).numpy())


def imported_tensorflow() -> tuple[Any, Any]:
    """The modules keras and tensorflow, imported without a word."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read once, at the import: no notes about the processor
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the plain kernels: their order of summation does not vary
    import keras
    import tensorflow as tf

    return keras, tf


@contextmanager
def keras_floats(keras: Any, dtype: str) -> Iterator[None]:
    """Keras with this dtype for what is made inside: layers have it from the policy, optimisers and losses from floatx."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def pytorch(weights: Parameters, lr: float) -> Rival:
    """PyTorch: Linear layers, binary_cross_entropy_with_logits, torch.optim.SGD. Its Linear keeps W transposed."""
    import torch

    parts: list[Any] = []
    for W, b in layers(weights):
        linear = torch.nn.Linear(*W.shape, dtype=getattr(torch, W.dtype.name))
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(W.T))
            linear.bias.copy_(torch.tensor(b))
        parts += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*parts[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)

    def loss_of(X: Array, y: Array) -> Any:
        return torch.nn.functional.binary_cross_entropy_with_logits(model(torch.tensor(X)), torch.tensor(y.astype(X.dtype)))

    def step(X: Array, y: Array) -> float:
        optimizer.zero_grad()
        loss = loss_of(X, y)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    def gradients(X: Array, y: Array) -> dict[str, Array]:
        found = torch.autograd.grad(loss_of(X, y), list(model.parameters()))
        return {name: g.numpy().T for name, g in zip(names(weights), found, strict=True)}

    def probabilities(X: Array) -> Array:
        with torch.no_grad():
            return np.asarray(torch.sigmoid(model(torch.tensor(X))).numpy())

    return Rival(f"PyTorch {torch.__version__.partition('+')[0]}", step, gradients, probabilities)


def jax(weights: Parameters, lr: float) -> Rival:
    """JAX, which has no layers and no optimiser: the loss as a function of the parameters, value_and_grad, jit."""
    import jax as framework
    from jax import numpy as jnp

    framework.config.update("jax_enable_x64", True)  # else it makes float32 of float64
    held = [[(jnp.asarray(W), jnp.asarray(b)) for W, b in layers(weights)]]

    def logits(pairs: Any, X: Any) -> Any:
        for W, b in pairs[:-1]:
            X = framework.nn.relu(X @ W + b)
        return X @ pairs[-1][0] + pairs[-1][1]

    def loss_of(pairs: Any, X: Any, y: Any) -> Any:
        z = logits(pairs, X)
        return jnp.mean(framework.nn.softplus(z) - y * z)  # −y log σ(z) − (1 − y) log(1 − σ(z))

    def descend(pairs: Any, X: Any, y: Any) -> Any:
        loss, found = framework.value_and_grad(loss_of)(pairs, X, y)
        return loss, framework.tree.map(lambda w, g: w - lr * g, pairs, found)

    def step(X: Array, y: Array) -> float:
        loss, held[0] = updated(held[0], X, y.astype(X.dtype))
        return float(loss)

    def gradients(X: Array, y: Array) -> dict[str, Array]:
        found = framework.grad(loss_of)(held[0], X, y.astype(X.dtype))
        return {name: np.asarray(g) for name, g in zip(names(weights), (g for pair in found for g in pair), strict=True)}

    updated = framework.jit(descend)
    outputs = framework.jit(lambda pairs, X: framework.nn.sigmoid(logits(pairs, X)))

    return Rival(f"JAX {framework.__version__}", step, gradients, lambda X: np.asarray(outputs(held[0], X)))


Maker = Callable[[Parameters, float], Rival]
"""From initial weights and a learning rate."""

RIVALS: dict[str, Maker] = {"tensorflow": tensorflow, "torch": pytorch, "jax": jax}
"""By the name of the package to import."""


def installed() -> list[str]:
    """Those of RIVALS that are here."""
    return [package for package in RIVALS if importlib.util.find_spec(package) is not None]


# --- the training -------------------------------------------------------------------------------------------------------------


def orders(rows: int, batch_size: int, epochs: int, rng: np.random.Generator) -> list[list[Array]]:
    """For each epoch the rows of its batches, shuffled; the last batch is shorter if need be.

    >>> [[len(batch) for batch in epoch] for epoch in orders(80, 32, 2, np.random.default_rng(0))]
    [[32, 32, 16], [32, 32, 16]]
    """
    shuffled = [rng.permutation(rows) for _ in range(epochs)]
    return [[order[start : start + batch_size] for start in range(0, rows, batch_size)] for order in shuffled]


def train(rival: Rival, X: Array, y: Array, held_out: tuple[Array, Array], epochs: Iterable[Iterable[Array]]) -> Run:
    """Run a rival on these batches; loss and accuracy of both parts of the data are measured after each epoch."""
    history, losses, first = tg.History(rival.name), [], None
    for epoch in epochs:
        for rows in epoch:
            if first is None:
                first = rival.gradients(X[rows], y[rows])
            losses.append(rival.step(X[rows], y[rows]))
        (loss, accuracy), (loss_out, accuracy_out) = measured(rival, X, y), measured(rival, *held_out)
        history.record(
            train_loss=loss, train_accuracy=accuracy, validation_loss=loss_out, validation_accuracy=accuracy_out
        )  # fmt: skip
    return Run(np.array(losses), first or {}, history)


def measured(rival: Rival, X: Array, y: Array) -> tuple[float, float]:
    """Mean loss and accuracy, from the probabilities."""
    p = rival.probabilities(X)
    right = np.where(y == 1, p, 1 - p)
    return float(-np.log(right).mean()), float(((p > 0.5) == (y == 1)).mean())
