"""The five write-ups in NumPy alone, their formulas as they stand there: what tests/test_seeds*.py compare the library with.

A network is ``(W, b)``, two lists of arrays, first layer first. Nothing here imports the library.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = Any
Net = tuple[list[Array], list[Array]]

EPS = 1e-7  # of 003


# --- arrays -------------------------------------------------------------------------------------------------------------


def random_net(sizes: Sequence[int], seed: int = 0, scale: float = 1.0) -> Net:
    """He-normal weights and biases that are not zero, so that every formula has something to show."""
    rng = np.random.default_rng(seed)
    pairs = list(itertools.pairwise(sizes))
    W = [scale * rng.standard_normal((n, k)) * np.sqrt(2 / n) for n, k in pairs]
    return W, [0.1 * rng.standard_normal(k) for _, k in pairs]


def random_batch(m: int, n: int, classes: int, seed: int = 1) -> tuple[Array, Array]:
    """Inputs (m, n) and labels (m,)."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, n)), rng.integers(0, classes, m)


# --- activations, without any care for overflow where the documents have none ------------------------------------------------


def relu(z: Array) -> Array:
    """max(0, z), also of complex z (by the real part)."""
    return z * (np.real(z) > 0)


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^−z), as in 000."""
    return 1 / (1 + np.exp(-z))


def tanh_of_two(z: Array) -> Array:
    """(e^z − e^−z) / (e^z + e^−z), the first form of 002."""
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


def tanh_of_double(z: Array) -> Array:
    """(e^2z − 1) / (e^2z + 1), the second form of 002."""
    return (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1)


def softmax(z: Array) -> Array:
    """With the maximum subtracted, as in 003."""
    e = np.exp(z - np.max(np.real(z), axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def one_hot(y: Array, classes: int) -> Array:
    """Rows of the identity."""
    return np.eye(classes)[y]


# --- forward passes and losses --------------------------------------------------------------------------------------------


def forward(net: Net, X: Array, act: Callable[[Array], Array]) -> tuple[list[Array], list[Array]]:
    """All Z and all A: A[0] = X, Z[l] = A[l] W[l] + b[l], A[l + 1] = act(Z[l]); the last Z has no activation."""
    Z: list[Array] = []
    A = [X]
    for l, (W, b) in enumerate(zip(*net, strict=True)):
        Z.append(A[-1] @ W + b)
        if l < len(net[0]) - 1:
            A.append(act(Z[-1]))
    return Z, A


def mean_cross_entropy(net: Net, X: Array, y: Array, act: Callable[[Array], Array], eps: float = 0.0) -> Array:
    """−(1/m) Σ log(p_y + eps), softmax at the end: 000, 001, 002 (eps 0) and 003 (eps 1e-7)."""
    P = softmax(forward(net, X, act)[0][-1])
    return -np.sum(one_hot(y, P.shape[1]) * np.log(P + eps)) / len(X)


def mean_binary_cross_entropy(net: Net, X: Array, y: Array) -> Array:
    """−(1/m) Σ y log a + (1 − y) log(1 − a), ReLU layers and a sigmoid at the end: 004 (and the loss of 002's text)."""
    a = sigmoid(forward(net, X, relu)[0][-1])
    return -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a)) / len(X)


# --- backward passes --------------------------------------------------------------------------------------------------------


def backward_000(net: Net, X: Array, y: Array) -> Net:
    """000, 4: the output error of softmax and cross-entropy, the hidden errors, in that order. 001 with one hidden layer."""
    Z, A = forward(net, X, relu)
    dZ = (softmax(Z[-1]) - one_hot(y, Z[-1].shape[1])) / len(X)
    dW, db = [A[-1].T @ dZ], [dZ.sum(axis=0)]
    for l in range(len(Z) - 2, -1, -1):
        dZ = (dZ @ net[0][l + 1].T) * (Z[l] > 0)
        dW.insert(0, A[l].T @ dZ)
        db.insert(0, dZ.sum(axis=0))
    return dW, db


def backward_002(net: Net, X: Array, y: Array) -> Net:
    """002: 1/m stands in ∂J/∂Z3 and nowhere else."""
    (_, W2, W3), _ = net
    (_, _, Z3), (_, A1, A2) = forward(net, X, np.tanh)
    dL_dZ3 = (softmax(Z3) - one_hot(y, Z3.shape[1])) / len(X)
    dL_dZ2 = dL_dZ3 @ W3.T * (1 - A2**2)
    dL_dZ1 = dL_dZ2 @ W2.T * (1 - A1**2)
    deltas = [dL_dZ1, dL_dZ2, dL_dZ3]
    return [A.T @ dZ for A, dZ in zip((X, A1, A2), deltas, strict=True)], [dZ.sum(axis=0) for dZ in deltas]


def backward_003(net: Net, X: Array, y: Array, divide_by: float = 1.0) -> Net:
    """003 as it is written (``divide_by=1``): no 1/m, no eps, the mask from the layer's output."""
    (_, W2), _ = net
    (_, Z2), (_, hidden) = forward(net, X, relu)
    d_output = (softmax(Z2) - one_hot(y, Z2.shape[1])) / divide_by
    d_hidden = d_output @ W2.T * (hidden > 0)
    return [X.T @ d_hidden, hidden.T @ d_output], [d_hidden.sum(axis=0), d_output.sum(axis=0)]


def backward_004(net: Net, X: Array, y: Array, *, general: bool = False, batch_size: int | None = None, mask: bool = True) -> Net:
    """004: 1/m stands in dW and db. ``general`` starts from dA3, ``batch_size`` is the argument of its mlp()."""
    m = batch_size or len(X)
    Z, A = forward(net, X, relu)
    a = sigmoid(Z[-1])
    dZ = (-(y / a) + (1 - y) / (1 - a)) * a * (1 - a) if general else a - y
    dW, db = [A[-1].T @ dZ / m], [dZ.sum(axis=0) / m]
    for l in range(len(Z) - 2, -1, -1):
        dZ = (dZ @ net[0][l + 1].T) * ((Z[l] > 0) if mask else 1)
        dW.insert(0, A[l].T @ dZ / m)
        db.insert(0, dZ.sum(axis=0) / m)
    return dW, db


# --- the loop of 003 and 004 -------------------------------------------------------------------------------------------


def descended(net: Net, gradients: Net, lr: float) -> Net:
    """W − lr · dW, as new arrays."""
    return tuple([p - lr * g for p, g in zip(*pair, strict=True)] for pair in zip(net, gradients, strict=True))  # type: ignore[return-value]


def looped(
    net: Net, X: Array, y: Array, backward: Callable[[Net, Array, Array], Net], loss: Callable[[Net, Array, Array], Any],
    *, epochs: int, batch_size: int, lr: float, rng: np.random.Generator, drop: bool = False,
) -> tuple[Net, list[float]]:  # fmt: skip
    """003's and 004's loop: shuffle, batches, loss, gradients, update; and the average loss of each epoch, by rows."""
    averages = []
    for _ in range(epochs):
        order, total, rows = rng.permutation(len(X)), 0.0, 0
        for start in range(0, len(X) // batch_size * batch_size if drop else len(X), batch_size):
            batch = order[start : start + batch_size]
            total += float(loss(net, X[batch], y[batch])) * len(batch)
            rows += len(batch)
            net = descended(net, backward(net, X[batch], y[batch]), lr)
        averages.append(total / rows)
    return net, averages


# --- the definition of a derivative ---------------------------------------------------------------------------------------


def complex_step(loss: Callable[[Net], Array], net: Net, h: float = 1e-30) -> Net:
    """∂loss/∂w = Im loss(w + ih) / h for every entry: no difference is taken, so no digit is lost (Squire and Trapp 1998)."""
    arrays = [p.astype(complex) for part in net for p in part]
    found = [np.zeros(p.shape) for p in arrays]
    split = len(net[0])
    for p, g in zip(arrays, found, strict=True):
        for i in np.ndindex(p.shape):
            p[i] += 1j * h
            g[i] = np.imag(loss((arrays[:split], arrays[split:]))) / h
            p[i] = p[i].real
    return found[:split], found[split:]


def flat(net: Net) -> Array:
    """All numbers in one row: weights, then biases."""
    return np.concatenate([p.ravel() for part in net for p in part])
