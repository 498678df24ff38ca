"""The network of seed 004 by hand, in NumPy: ReLU, a sigmoid, binary cross-entropy; and mistakes that can be planted in it.

The formulas and their names are those of the document, for any number of hidden layers. Two things are not as written there: the
loop keeps every layer's W until all gradients are made, and m is the number of rows of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import rivals
from numpy.typing import NDArray

import tinygrad_mlp as tg
from tinygrad_mlp import nn

Array = NDArray[Any]
Parameters = dict[str, Array]

SIZES = (10, 16, 8, 1)
BATCH_SIZE, EPOCHS, SPLIT, LR = 32, 100, 0.2, 0.01
"""Those of ``mlp(X, y, 32, 100, 3, 0.2)``, and the larger of the two learning rates that the document names."""

MISTAKES = {
    "": "none",
    "mask": "the ReLU mask left out: dZ = dA",
    "divisor": "divided by the argument batch_size, also in the shorter last batch",
    "inside": "W updated inside the loop, before dA is made of it",
    "sigmoid": "sigmoid' applied to A − y once more",
    "frozen": "no gradient for the hidden layers",
    "sum": "no division by batch_size",
}


# --- the data -----------------------------------------------------------------------------------------------------------------


def dummy(rng: np.random.Generator) -> tuple[Array, Array]:
    """The document's data, l. 20-21: X uniform in [0, 1), (100, 10); y drawn without looking at X, (100, 1)."""
    return rng.random((100, 10)), rng.integers(0, 2, (100, 1))


def learnable(X: Array, rng: np.random.Generator) -> Array:
    """Labels that X does decide: on which side of a plane through the middle of the rows; half of them are 1."""
    score = X @ rng.standard_normal((X.shape[1], 1))
    return (score > np.median(score)).astype(int)


def held_out(X: Array, y: Array, split: float = SPLIT) -> tuple[Array, Array, Array, Array]:
    """X, y to train, and the last rows, as Keras' ``validation_split`` takes them."""
    rows = round(len(X) * (1 - split))
    return X[:rows], y[:rows], X[rows:], y[rows:]


def initial(sizes: Sequence[int], rng: np.random.Generator) -> Parameters:
    """He for the layers with ReLU, Glorot for the sigmoid, l. 67-68; biases (1, n) of zeros."""
    parameters = {}
    for l, shape in enumerate(pairwise(sizes), 1):
        start = nn.init.he_normal if l < len(sizes) - 1 else nn.init.glorot_normal
        parameters |= {f"W{l}": start(shape, rng, np.float64), f"b{l}": np.zeros((1, shape[1]))}
    return parameters


# --- forward and back -----------------------------------------------------------------------------------------------------------


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^−z)."""
    return 1 / (1 + np.exp(-z))


def sigmoid_derivative(z: Array) -> Array:
    """σ'(z) = σ(z) (1 − σ(z)), from z."""
    return sigmoid(z) * (1 - sigmoid(z))


def relu_derivative(z: Array) -> Array:
    """0 for z ≤ 0, 1 for z > 0, l. 122."""
    return (z > 0).astype(z.dtype)


def binary_cross_entropy(y: Array, a: Array) -> float:
    """−mean(y log a + (1 − y) log(1 − a))."""
    return float(-np.mean(y * np.log(a) + (1 - y) * np.log(1 - a)))


def forward(p: Parameters, X: Array) -> tuple[list[Array], list[Array]]:
    """Z_l = A_{l−1} W_l + b_l and A_l: lists by the number of the layer, A[0] = X, Z[0] unused; l. 84-96."""
    depth, Z, A = len(p) // 2, [X], [X]
    for l in range(1, depth + 1):
        Z.append(A[l - 1].dot(p[f"W{l}"]) + p[f"b{l}"])
        A.append(np.maximum(Z[l], 0) if l < depth else sigmoid(Z[l]))
    return Z, A


def backward(p: Parameters, X: Array, y: Array, *, general: bool = False, mistake: str = "", lr: float = LR) -> Parameters:
    """The gradients of the mean loss, by the formulas of l. 114-124; with ``general`` from dA, without from dZ = A − y.

    ``mistake`` is one of MISTAKES; ``lr`` is used by the one that updates inside the loop.
    """
    Z, A = forward(p, X)
    depth, m, gradients = len(p) // 2, len(X), {}
    if mistake in ("divisor", "sum"):
        m = BATCH_SIZE if mistake == "divisor" else 1
    if general:
        dA = -(y / A[depth]) + (1 - y) / (1 - A[depth])
        dZ = dA * sigmoid_derivative(Z[depth])
    else:
        dZ = A[depth] - y
    if mistake == "sigmoid":
        dZ = dZ * sigmoid_derivative(Z[depth])
    for l in range(depth, 0, -1):
        gradients[f"W{l}"] = A[l - 1].T.dot(dZ) / m
        gradients[f"b{l}"] = np.sum(dZ, axis=0, keepdims=True) / m
        if l > 1:
            W = p[f"W{l}"] - lr * gradients[f"W{l}"] if mistake == "inside" else p[f"W{l}"]
            dA = dZ.dot(W.T)
            dZ = dA if mistake == "mask" else dA * relu_derivative(Z[l - 1])
        if mistake == "frozen" and l < depth:
            gradients |= {f"W{l}": np.zeros_like(p[f"W{l}"]), f"b{l}": np.zeros_like(p[f"b{l}"])}
    return {name: gradients[name] for name in p}


def loss(X: Any, y: Any, p: Any) -> Any:
    """The same network with the engine: only the way forward, for its gradients are found from it. Any number of layers."""
    depth = len(p) // 2
    A = X
    for l in range(1, depth):
        A = tg.relu(A @ p[f"W{l}"] + p[f"b{l}"])  # relu'(0) = 0, as in the document; np.maximum(z, 0) has 1/2 there
    return nn.binary_cross_entropy_with_logits(A @ p[f"W{depth}"] + p[f"b{depth}"], y)


def true_gradients(p: Parameters, X: Array, y: Array) -> Parameters:
    """The engine's."""
    found: Parameters = tg.grad(lambda q: loss(X, y, q))(p)
    return found


def largest_difference(a: Parameters, b: Parameters) -> float:
    """Over all entries of all parameters."""
    return max(float(np.abs(a[name] - b[name].reshape(a[name].shape)).max()) for name in a)


def closely(difference: float) -> str:
    """How closely two things are equal that differ by so much."""
    return f"to {difference:.1g}" if difference else "in every bit"


# --- training -------------------------------------------------------------------------------------------------------------------


def updated(p: Parameters, gradients: Parameters, lr: float = LR) -> Parameters:
    """W − η dW, b − η db, l. 156-157."""
    return {name: p[name] - lr * gradients[name] for name in p}


def by_hand(p: rivals.Parameters, lr: float, mistake: str = "") -> rivals.Rival:
    """This network as one of the rivals."""
    held = [dict(p)]

    def step(X: Array, y: Array) -> float:
        before = binary_cross_entropy(y, forward(held[0], X)[1][-1])
        held[0] = updated(held[0], backward(held[0], X, y, mistake=mistake, lr=lr), lr)
        return before

    def gradients(X: Array, y: Array) -> Parameters:
        return {name: g.ravel() if name[0] == "b" else g for name, g in backward(held[0], X, y, mistake=mistake, lr=lr).items()}

    return rivals.Rival("by hand, in NumPy", step, gradients, lambda X: forward(held[0], X)[1][-1])


def mlp(p: Parameters, X: Array, y: Array, epochs: Iterable[Iterable[Array]], mistake: str = "", lr: float = LR) -> Parameters:
    """Train on these batches, without measuring anything on the way; returns the parameters."""
    for epoch in epochs:
        for rows in epoch:
            p = updated(p, backward(p, X[rows], y[rows], mistake=mistake, lr=lr), lr)
    return p


def accuracy(p: Parameters, X: Array, y: Array) -> float:
    """The share of rows on the right side of 1/2."""
    return float(np.mean((forward(p, X)[1][-1] > 0.5) == (y == 1)))
