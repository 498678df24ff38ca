"""Backpropagation of a multi-layer perceptron by hand: the chain rule, line by line, in NumPy and nothing else.

This file imports nothing of tinygrad_mlp. It is the other witness: the engine derives its gradients from a table of rules and
a graph, this file from pencil and paper, and ``tinygrad-mlp prove`` finds the two equal in every bit. It is also meant to
be read. Here is the whole idea for two layers, ReLU and softmax cross-entropy; the functions below do the same for any
number of layers.

    forward                                                    shapes
        A0 = X                                                 (m, n0)      m samples, one a row
        Z1 = A0 @ W1 + b1                                      (m, n1)      W1 (n0, n1), b1 (n1,)
        A1 = relu(Z1)                                          (m, n1)
        Z2 = A1 @ W2 + b2                                      (m, n2)      the logits
        P  = softmax(Z2)                                       (m, n2)      probabilities
        L  = -(1/m) Σ_i log P[i, y_i]                          ()           one number

    backward: each line is "what arrived, times the local derivative". dQ stands for ∂L/∂Q and has the shape of Q.
        dZ2 = (P - Y) / m                                      (m, n2)      Y: one-hot labels; softmax and log in one
        dW2 = A1.T @ dZ2                                       (n1, n2)     W2[j, k] met A1[i, j] in every sample i: sum
        db2 = sum of the rows of dZ2                           (n2,)        b2[k] was added in every sample: sum
        dA1 = dZ2 @ W2.T                                       (m, n1)      A1[i, j] went to every Z2[i, k], with W2[j, k]
        dZ1 = dA1 * (Z1 > 0)                                   (m, n1)      relu'(z) is 1 or 0
        dW1 = A0.T @ dZ1                                       (n0, n1)
        db1 = sum of the rows of dZ1                           (n1,)

Where does the transpose come from? Z2[i, k] = Σ_j A1[i, j] W2[j, k], so ∂L/∂A1[i, j] = Σ_k dZ2[i, k] W2[j, k]: the sum runs
over the second index of W2, and that is the product with W2.T. Likewise ∂L/∂W2[j, k] = Σ_i A1[i, j] dZ2[i, k] sums over
the first index of A1, the samples: A1.T.

Notation: ``W[l]``, ``b[l]``, ``Z[l]``, ``A[l]`` are the arrays of layer l = 1 … depth, in dictionaries, ``dW[l]`` their gradients.
The results are handed out under the names of the textbooks: "W1", "Z1", "dZ2" …

Run ``python -m doctest manual.py`` or:

>>> rng = np.random.default_rng(0)
>>> parameters = {"W1": he_normal(4, 5, rng), "b1": zeros(5), "W2": he_normal(5, 3, rng), "b2": zeros(3)}
>>> X, y = rng.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])
>>> result = backprop(parameters, X, y, activation="relu", loss="cross_entropy")
>>> {name: g.shape for name, g in result.gradients.items()}
{'W1': (4, 5), 'b1': (5,), 'W2': (5, 3), 'b2': (3,)}
>>> sorted(result.values)
['A0', 'A1', 'P', 'Z1', 'Z2', 'dA1', 'dZ1', 'dZ2']

One of the numbers, checked against a difference quotient, whose limit is its definition:

>>> def loss_at(w):
...     changed = parameters | {"W1": parameters["W1"].copy()}
...     changed["W1"][0, 0] += w
...     return backprop(changed, X, y).loss
>>> bool(abs((loss_at(1e-6) - loss_at(-1e-6)) / 2e-6 - result.gradients["W1"][0, 0]) < 1e-8)
True
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# --- 1. Initial weights --------------------------------------------------------------------------------------------------
# A layer sums fan_in products. For the variance of the signal to survive, a weight needs a variance of about 1 / fan_in.


def he_normal(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """N(0, 2 / fan_in): ReLU halves the mean square of the signal, so it starts with twice as much."""
    return rng.standard_normal((fan_in, fan_out)) * np.sqrt(2 / fan_in)


def he_uniform(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """U(−a, a) has the variance a²/3; a = √(6 / fan_in) makes that 2 / fan_in."""
    return rng.uniform(-np.sqrt(6 / fan_in), np.sqrt(6 / fan_in), (fan_in, fan_out))


def glorot_normal(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """N(0, 2 / (fan_in + fan_out)): between 1 / fan_in, right going forward, and 1 / fan_out, right going backward."""
    return rng.standard_normal((fan_in, fan_out)) * np.sqrt(2 / (fan_in + fan_out))


def glorot_uniform(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """U(−a, a), a = √(6 / (fan_in + fan_out))."""
    a = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-a, a, (fan_in, fan_out))


def lecun_normal(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """N(0, 1 / fan_in); some texts call this one Xavier."""
    return rng.standard_normal((fan_in, fan_out)) * np.sqrt(1 / fan_in)


def normal(fan_in: int, fan_out: int, rng: np.random.Generator, std: float = 0.01) -> Array:
    """N(0, std²)."""
    return rng.standard_normal((fan_in, fan_out)) * std


def zeros(*shape: int) -> Array:
    """All zero: right for biases; as weights, all units of a layer would stay equal."""
    return np.zeros(shape)


# --- 2. Activations, and what they do to a gradient -----------------------------------------------------------------------
# A = f(Z) acts on each number alone, so dZ = dA * f'(Z), number by number.


def sigmoid(Z: Array) -> Array:
    """1 / (1 + e^−z). For z < 0 it is e^z / (1 + e^z): exp never gets a positive number, which could overflow."""
    e = np.exp(-np.abs(Z))
    return np.where(Z >= 0, 1, e) / (1 + e)


def softmax(Z: Array) -> Array:
    """exp(z_k) / Σ_j exp(z_j) in each row. Subtracting the row's maximum changes nothing but keeps exp in range."""
    E = np.exp(Z - Z.max(axis=-1, keepdims=True))
    return E / E.sum(axis=-1, keepdims=True)


def activate(name: str, Z: Array, slope: float) -> Array:
    """A = f(Z)."""
    if name == "relu":
        return np.maximum(Z, 0)
    if name == "leaky_relu":
        return np.where(Z > 0, Z, slope * Z)
    if name == "sigmoid":
        return sigmoid(Z)
    if name == "tanh":
        return np.tanh(Z)
    if name == "softplus":
        return np.logaddexp(Z, 0)  # log(e^z + e^0)
    if name == "softmax":
        return softmax(Z)
    if name == "identity":
        return Z
    raise ValueError(f"no activation {name!r} in manual.py")


def through_activation(name: str, dA: Array, Z: Array, A: Array, slope: float) -> Array:
    """dZ from dA, for A = f(Z). All shapes are (m, n)."""
    if name == "relu":  # f = max(z, 0): slope 1 for z > 0, else 0 (at 0 itself there is none; we take 0)
        return dA * (Z > 0)
    if name == "leaky_relu":  # slope 1 for z > 0, else the small slope
        return np.where(Z > 0, dA, slope * dA)
    if name == "sigmoid":  # σ' = σ (1 − σ), from the output
        return dA * (A * (1 - A))
    if name == "tanh":  # tanh' = 1 − tanh², from the output
        return dA * (1 - A * A)
    if name == "softplus":  # log(1 + e^z)' = σ(z), from the input
        return dA * sigmoid(Z)
    if name == "softmax":  # not number by number: ∂A_j/∂Z_k = A_j (δ_jk − A_k), summed over j in each row
        return A * (dA - (dA * A).sum(axis=-1, keepdims=True))
    if name == "identity":
        return dA
    raise ValueError(f"no activation {name!r} in manual.py")


# --- 3. The layer -----------------------------------------------------------------------------------------------------------


def weight_gradient(A_prev: Array, dZ: Array) -> Array:
    """dW = A_prevᵀ dZ: (n_in, m) times (m, n_out) → (n_in, n_out), a sum over the m samples of outer products.

    np.dot and @ mean the same here; for one sample, a single outer product, np.dot is faster.
    """
    return np.dot(A_prev.T, dZ) if len(A_prev) == 1 else A_prev.T @ dZ


def bias_gradient(dZ: Array) -> Array:
    """db = Σ_i dZ[i]: (m, n_out) → (n_out,), because the one b was added to every row."""
    return dZ.sum(axis=0)


# --- 4. The losses: the number L, and the gradient dZ (or dA) that starts the way back ------------------------------------


def one_hot(y: Array, classes: int, dtype: Any) -> Array:
    """Y[i, k] = 1 where k is the label of sample i, else 0."""
    Y = np.zeros((len(y), classes), dtype)
    Y[np.arange(len(y)), y] = 1
    return Y


def output(loss: str, Z: Array, y: Array, mean: bool, eps: float) -> tuple[float, Array, dict[str, Array]]:
    """From the last Z (m, k) to L, back to dZ (m, k); and the values on the way, by name.

    ``mean`` divides the loss, and with it every gradient, by the number of terms (m or n; a sum is "divided" by 1). It happens
    here, once, and nowhere else. Constants such as −1/n stand where the chain rule, read from the loss, puts them first.
    """
    rows = np.arange(len(Z))
    if loss == "cross_entropy":
        # L = −(1/m) Σ_i log P[i, y_i].   −log p_y = log Σ_j e^{z_j} − z_y. The derivative of the logarithm with respect to
        # z_k is p_k, that of z_y is 1 for k = y, else 0: so dZ = (P − Y) / m. No eps: no log of a small number is taken.
        m = len(Z) if mean else 1
        shifted = Z - Z.max(axis=-1, keepdims=True)
        L = (np.log(np.exp(shifted).sum(axis=-1)) - shifted[rows, y]).sum() / m
        P, Y = softmax(Z), one_hot(y, Z.shape[1], Z.dtype)
        dZ = (P - Y) / m
        return float(L), dZ, {"P": P}
    if loss == "bce":
        # L = −(1/n) Σ y log a + (1 − y) log(1 − a), a = σ(z), which is (1/n) Σ log(1 + e^z) − y z: dZ = (A − Y) / n.
        n = Z.size if mean else 1
        L = (np.maximum(Z, 0) - Z * y + np.log1p(np.exp(-np.abs(Z)))).sum() / n
        A = sigmoid(Z)
        dZ = (A - y) / n
        return float(L), dZ, {"A_out": A}
    if loss == "mse":
        # L = (1/n) Σ (z − y)²: the square brings the factor 2.
        n = Z.size if mean else 1
        L = ((Z - y) ** 2).sum() / n
        dZ = 2 * (Z - y) / n
        return float(L), dZ, {}
    if loss == "cross_entropy_probabilities":
        # L = −(1/m) Σ_i log(P[i, y_i] + eps), P = softmax(Z). Two steps of the chain: through the log, where the eps stays
        # in the denominator, and through the whole Jacobian of softmax, of which p(1 − p) is only the diagonal.
        m = len(Z) if mean else 1
        P = softmax(Z)
        L = -np.log(P[rows, y] + eps).sum() / m
        dP = np.zeros_like(P)
        dP[rows, y] = -1 / m / (P[rows, y] + eps)  # the derivative of −(1/m) log(p + eps)
        dZ = through_activation("softmax", dP, Z, P, 0)
        return float(L), dZ, {"P": P, "dP": dP}
    if loss == "bce_probabilities":
        # L = −(1/n) Σ y log(a + eps) + (1 − y) log(1 − a + eps), a = σ(z): the general form, then σ' = a (1 − a).
        n = Z.size if mean else 1
        A = sigmoid(Z)
        L = -(y * np.log(A + eps) + (1 - y) * np.log(1 - A + eps)).sum() / n
        dA = (-1 / n * y) / (A + eps) - (-1 / n * (1 - y)) / (1 - A + eps)  # −(1/n) (y / (a + eps) − (1 − y) / (1 − a + eps))
        dZ = through_activation("sigmoid", dA, Z, A, 0)
        return float(L), dZ, {"A_out": A, "dA_out": dA}
    raise ValueError(f"no loss {loss!r} in manual.py")


# --- 5. The network ---------------------------------------------------------------------------------------------------------


class Backprop(NamedTuple):
    """What one pass forward and back has found."""

    loss: float
    gradients: dict[str, Array]
    """"W1", "b1", "W2", …: ∂L/∂ of each parameter, of its shape."""
    values: dict[str, Array]
    """Everything on the way: "Z1", "A1", …, "P", …, "dZ2", "dA1", "dZ1"."""


def forward(
    parameters: Mapping[str, Array], X: Array, activation: str = "relu", slope: float = 0.01
) -> tuple[dict[int, Array], dict[int, Array]]:
    """Z[l] = A[l−1] W[l] + b[l] and A[l] = f(Z[l]) for the layers l = 1 … depth; the last one's Z is the result, without f.

    ``parameters``: W1 (n0, n1), b1 (n1,), W2 … in order; leave the biases out for a network without. X: (m, n0).
    """
    depth = sum(name.startswith("W") for name in parameters)
    A, Z = {0: X}, {}
    for l in range(1, depth + 1):
        Z[l] = A[l - 1] @ parameters[f"W{l}"]  # (m, n_{l-1}) @ (n_{l-1}, n_l) = (m, n_l)
        if f"b{l}" in parameters:
            Z[l] = Z[l] + parameters[f"b{l}"]  # b_l is added to each of the m rows
        if l < depth:
            A[l] = activate(activation, Z[l], slope)
    return Z, A


def backprop(
    parameters: Mapping[str, Array],
    X: Array,
    y: Array,
    activation: str = "relu",
    loss: str = "cross_entropy",
    *,
    mean: bool = True,
    l2: float = 0.0,
    eps: float = 1e-7,
    slope: float = 0.01,
) -> Backprop:
    """The loss of a batch and its gradients with respect to all parameters.

    Parameters
    ----------
    parameters : {"W1": (n0, n1), "b1": (n1,), "W2": …}
    X, y : (m, n0), and labels (m,) for the cross-entropies, targets (m, k) for the other losses
    activation : relu, leaky_relu, sigmoid, tanh, softplus, softmax or identity, for the hidden layers
    loss : cross_entropy, bce, mse (fused with the output), cross_entropy_probabilities, bce_probabilities (with eps)
    mean : divide by the number of terms, or (``False``) leave the sum
    l2 : adds (l2 / 2) Σ ‖W‖² to the loss, and so l2 · W to each dW; biases are not penalised
    """
    depth = sum(name.startswith("W") for name in parameters)
    W = {l: parameters[f"W{l}"] for l in range(1, depth + 1)}
    b = {l: parameters[f"b{l}"] for l in range(1, depth + 1) if f"b{l}" in parameters}

    # Forward: keep every Z and A, the way back needs them.
    Z, A = forward(parameters, X, activation, slope)

    # The loss, and the first gradient.
    dZ, dA, dW, db = {}, {}, {}, {}
    cost, dZ[depth], at_output = output(loss, Z[depth], y, mean, eps)

    # Backward: l = depth, depth − 1, …, 1. Every W used here is the one that was used forward; updates come after the last line.
    for l in range(depth, 0, -1):
        dW[l] = weight_gradient(A[l - 1], dZ[l])  # Z_l = A_{l-1} W_l + b_l, with respect to W_l
        if l in b:
            db[l] = bias_gradient(dZ[l])  # … with respect to b_l
        if l > 1:
            dA[l - 1] = dZ[l] @ W[l].T  # … with respect to A_{l-1}: (m, n_l) @ (n_l, n_{l-1})
            dZ[l - 1] = through_activation(activation, dA[l - 1], Z[l - 1], A[l - 1], slope)  # A_{l-1} = f(Z_{l-1})

    # L2: the derivative of (l2 / 2) W² is l2 · W. A second term of the loss, so its gradient is added.
    if l2:
        for l in range(1, depth + 1):
            cost += l2 / 2 * float((W[l] * W[l]).sum())
            dW[l] = dW[l] + l2 * W[l]

    gradients = {name: (dW if name[0] == "W" else db)[int(name[1:])] for name in parameters}
    named = {"Z": Z, "A": A, "dZ": dZ, "dA": dA}
    values = {f"{letter}{l}": array for letter, arrays in named.items() for l, array in arrays.items()}
    return Backprop(cost, gradients, values | at_output)
