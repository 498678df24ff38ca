"""Backprops by hand: a general MLP whose every step can be replaced, and the forms of the seeds written out.

A :class:`Net` describes a network and its loss. :func:`loss_of` writes the loss with tinygrad_mlp, :func:`manual_of` the backprop with
NumPy; a mistake is a function that replaces one step of it. Nothing here looks at the doctor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn

Array = Any
Step = Callable[..., Any]
Manual = Callable[[Any, Any, dict[str, Array]], Any]
Loss = Callable[[Any, Any, dict[str, Any]], Any]


@dataclass(frozen=True)
class Net:
    """A network, its loss and its data.

    ``loss`` is one of ce, ce_composed, ce_eps (of probabilities), bce (logits), bce_p (probabilities), bce_eps, bce_clip, mse, mse_composed, mse_half.
    ``l2_kind`` is half for (λ/2)‖W‖², plain for λ‖W‖², over_m for (λ/2m)‖W‖².
    """

    sizes: tuple[int, ...] = (4, 5, 3)
    act: str = "tanh"
    loss: str = "ce"
    out: str = "identity"
    reduction: str = "mean"
    m: int = 7
    seed: int = 0
    eps: float = 1e-7
    l2: float = 0.0
    l2_kind: str = "half"
    l2_bias: bool = False
    keep: float = 1.0
    masks: str = "closure"
    scaled: bool = True
    column: bool = False
    keepdims: bool = False
    zero_bias: bool = False
    dtype: str = "float64"
    scale: float = 1.0

    @property
    def depth(self) -> int:
        """The number of layers."""
        return len(self.sizes) - 1

    def but(self, **changes: Any) -> Net:
        """The same with other settings."""
        return replace(self, **changes)


# --- data -----------------------------------------------------------------------------------------------------------------------------


def data_of(net: Net) -> tuple[Any, Any, dict[str, Array]]:
    """X, y and the parameters: random, small, and such that each ReLU is on for some samples and off for others."""
    rng = np.random.default_rng(1000 + net.seed)
    for _ in range(200):
        X = rng.standard_normal((net.m, net.sizes[0]))
        params: dict[str, Array] = {}
        A = X
        fine = True
        for l, (n, k) in enumerate(zip(net.sizes[:-1], net.sizes[1:], strict=True), 1):
            W, b = (
                rng.standard_normal((n, k)) * net.scale / np.sqrt(n) * 1.3,
                rng.standard_normal(k) * (0.0 if net.zero_bias else 0.4),
            )
            Z = A @ W + b
            if l < net.depth and net.act in ("relu", "leaky") and net.m > 2:
                fine = fine and bool(((Z > 0).any(0) & (Z < 0).any(0)).all())
            A = activate(net.act, Z)
            params[f"W{l}"] = W.T.copy() if net.column else W
            params[f"b{l}"] = b.reshape(-1, 1) if net.column else b.reshape(1, -1) if net.keepdims else b
        if fine:
            break
    k = net.sizes[-1]
    y: Array
    if net.loss.startswith("ce"):
        y = rng.permutation(np.arange(net.m) % k)
    elif net.loss.startswith("bce"):
        y = rng.permutation(np.arange(net.m * k) % 2).reshape(net.m, k).astype(float)
    else:
        y = rng.standard_normal((net.m, k)) if net.out == "identity" else rng.uniform(0.1, 0.9, (net.m, k))
    if net.column:
        X, y = X.T.copy(), y if net.loss.startswith("ce") else y.T.copy()
    dtype = np.dtype(net.dtype)
    X, params = X.astype(dtype), {n: p.astype(dtype) for n, p in params.items()}
    y = y if y.dtype.kind in "iu" else y.astype(dtype)
    if net.keep < 1 and net.masks != "closure":
        Ms = masks_of(net)
        return ((X, *Ms) if net.masks == "tuple" else {"x": X, **{f"mask{l}": M for l, M in enumerate(Ms, 1)}}), y, params
    return X, y, params


def masks_of(net: Net) -> list[Array]:
    """A 0/1 mask a hidden layer, the 1/keep in it if it is inverted dropout."""
    rng = np.random.default_rng(77 + net.seed)
    found = []
    for k in net.sizes[1:-1]:
        M = rng.permutation((np.arange(net.m * k) < round(net.keep * net.m * k)).astype(net.dtype)).reshape(net.m, k)
        found.append(M.T.copy() if net.column else M)
    return found


def taken_apart(net: Net, X: Any) -> tuple[Any, list[Array]]:
    """The input and the masks."""
    if net.keep >= 1:
        return X, []
    if net.masks == "tuple":
        return X[0], list(X[1:])
    if net.masks == "dict":
        return X["x"], [X[f"mask{l}"] for l in range(1, net.depth)]
    Ms = masks_of(net)
    rows = X.shape[1] if net.column else X.shape[0]
    return X, [(M[:, np.arange(rows) % net.m] if net.column else M[np.arange(rows) % net.m]) for M in Ms]


# --- the loss, for the engine ---------------------------------------------------------------------------------------------------------


def activate(name: str, Z: Any) -> Any:
    """An activation, of arrays and of Tensors."""
    if name == "relu":
        return tg.relu(Z) if isinstance(Z, tg.Tensor) else np.maximum(Z, 0)
    if name == "sigmoid":
        return 1 / (1 + np.exp(-Z))
    if name == "leaky":
        return np.where(Z > 0, Z, 0.1 * Z)
    if name == "tanh":
        return np.tanh(Z)
    if name == "softmax":
        e = np.exp(Z - np.max(Z, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)
    return Z


def loss_of(net: Net) -> Loss:
    """The loss, recorded by the engine."""

    def loss(X: Any, y: Any, p: dict[str, Any]) -> Any:
        A, masks = taken_apart(net, X)
        Z = A
        for l in range(1, net.depth + 1):
            Z = p[f"W{l}"] @ A + p[f"b{l}"] if net.column else A @ p[f"W{l}"] + p[f"b{l}"]
            if l < net.depth:
                A = activate(net.act, Z)
                if masks:
                    A = A * masks[l - 1] / net.keep if net.scaled else A * masks[l - 1]
        if net.column:
            Z, y = Z.T, y if net.loss.startswith("ce") else y.T
        value = head(net, Z, y)
        if net.l2:
            factor = {"half": 0.5, "plain": 1.0, "over_m": 0.5 / Z.shape[0]}[net.l2_kind] * net.l2
            for name in p:
                if name.startswith("W") or net.l2_bias:
                    value = value + factor * np.sum(p[name] ** 2)
        return value

    return loss


def head(net: Net, Z: Any, y: Any) -> Any:
    """The loss of the last layer's output."""
    m = Z.shape[0]
    count = {"mean": m, "sum": 1}[net.reduction]
    entries = {"mean": m * Z.shape[1], "sum": 1}[net.reduction]
    if net.loss == "ce":
        return nn.cross_entropy(Z, y, reduction=net.reduction)
    if net.loss == "ce_composed":
        Y = np.eye(Z.shape[1], dtype=Z.dtype)[y]
        S = Z - np.max(Z.array, axis=1, keepdims=True)
        return -np.sum(Y * (S - np.log(np.sum(np.exp(S), axis=1, keepdims=True)))) / count
    if net.loss == "ce_eps":
        Y = np.eye(Z.shape[1], dtype=Z.dtype)[y]
        return -np.sum(Y * np.log(activate("softmax", Z) + net.eps)) / count
    if net.loss == "bce":
        return nn.binary_cross_entropy_with_logits(Z, y, reduction=net.reduction)
    A = activate(net.out, Z)
    if net.loss in ("bce_p", "bce_eps", "bce_clip"):
        if net.loss == "bce_clip":
            A = np.clip(A, net.eps, 1 - net.eps)
        eps = net.eps if net.loss == "bce_eps" else 0.0
        return -np.sum(y * np.log(A + eps) + (1 - y) * np.log(1 - A + eps)) / entries
    if net.loss == "mse":
        return nn.mse_loss(A, y, reduction=net.reduction)
    if net.loss == "mse_composed":
        return np.sum((A - y) ** 2) / entries
    return np.sum((A - y) ** 2) / (2 * count)  # mse_half


# --- the backprop by hand ---------------------------------------------------------------------------------------------------------------


class State:
    """One backward pass; a step that is replaced gets it first. Rows are samples here; the column convention is turned round at the door."""

    def __init__(self, net: Net, steps: dict[str, Step], X: Any, y: Any, p: dict[str, Array]) -> None:
        self.net, self.steps = net, steps
        X, self.masks = taken_apart(net, X)
        self.L = net.depth
        self.y = y
        if net.column:
            X, self.masks = X.T, [M.T for M in self.masks]
            self.y = y if net.loss.startswith("ce") else y.T
        self.X, self.m = X, X.shape[0]
        self.W = {l: (p[f"W{l}"].T if net.column else p[f"W{l}"]) for l in range(1, self.L + 1)}
        self.b = {l: p[f"b{l}"].reshape(-1) for l in range(1, self.L + 1)}
        self.Z: dict[int, Array] = {}
        self.A: dict[int, Array] = {0: X}
        self.H: dict[int, Array] = {}  # before dropout
        self.dZ: dict[int, Array] = {}
        self.dA: dict[int, Array] = {}
        self.grads: dict[str, Array] = {}

    def do(self, name: str, *args: Any) -> Any:
        """A step: the replaced one, or the right one."""
        return self.steps[name](self, *args) if name in self.steps else getattr(self, name)(*args)

    def forward(self) -> None:
        for l in range(1, self.L + 1):
            self.Z[l] = self.A[l - 1] @ self.W[l] + self.b[l]
            if l < self.L:
                self.H[l] = activate(self.net.act, self.Z[l])
                self.A[l] = self.H[l] * self.drop(l)

    def drop(self, l: int) -> Any:
        """The factor of dropout behind layer l."""
        if not self.masks:
            return 1.0
        return self.masks[l - 1] / self.net.keep if self.net.scaled else self.masks[l - 1]

    def targets(self) -> Array:
        return np.eye(self.net.sizes[-1], dtype=self.X.dtype)[self.y] if self.net.loss.startswith("ce") else self.y

    def predict(self, Z: Array) -> Array:
        """The output from the last Z."""
        name = {"ce": "softmax", "ce_composed": "softmax", "ce_eps": "softmax", "bce": "sigmoid"}.get(self.net.loss, self.net.out)
        return activate(name, Z)

    def count(self) -> float:
        """What the sum over samples is divided by."""
        if self.net.reduction == "sum":
            return 1.0
        return float(self.m if self.net.loss.startswith("ce") or self.net.loss == "mse_half" else self.m * self.net.sizes[-1])

    def output(self) -> Array:
        """dZ of the last layer, not yet divided."""
        net, Y, P = self.net, self.Y, self.P
        if net.loss in ("ce", "ce_composed", "bce", "bce_p"):
            return P - Y
        if net.loss == "ce_eps":
            g = -Y / (P + net.eps)
            return P * (g - (g * P).sum(axis=1, keepdims=True))
        if net.loss == "bce_eps":
            return (-Y / (P + net.eps) + (1 - Y) / (1 - P + net.eps)) * P * (1 - P)
        if net.loss == "bce_clip":
            return (P - Y) * ((net.eps < P) & (1 - net.eps > P))
        g = (P - Y) * (1 if net.loss == "mse_half" else 2)
        return self.do("output_derivative", g)

    def output_derivative(self, g: Array) -> Array:
        """The loss's derivative through the output activation."""
        P = self.P
        if self.net.out == "sigmoid":
            return g * P * (1 - P)
        if self.net.out == "tanh":
            return g * (1 - P**2)
        if self.net.out == "softmax":
            return P * (g - (g * P).sum(axis=1, keepdims=True))
        return g

    def weight(self, l: int, dZ: Array) -> Array:
        return self.A[l - 1].T @ dZ / self.do("count")

    def bias(self, l: int, dZ: Array) -> Array:
        return dZ.sum(axis=0) / self.do("count")

    def propagate(self, l: int, dZ: Array) -> Array:
        """dA of layer l − 1 from dZ of layer l."""
        return dZ @ self.W[l].T

    def dropped(self, l: int, dA: Array) -> Array:
        return dA * self.drop(l)

    def derivative(self, l: int) -> Array:
        """The activation's derivative in layer l."""
        Z, H, act = self.Z[l], self.H[l], self.net.act
        if act == "tanh":
            return 1 - H**2
        if act == "sigmoid":
            return H * (1 - H)
        if act == "leaky":
            return np.where(Z > 0, 1.0, 0.1).astype(Z.dtype)
        return (Z > 0).astype(Z.dtype)

    def hidden(self, l: int, dA: Array) -> Array:
        return dA * self.do("derivative", l)

    def penalty(self, name: str, value: Array) -> Array:
        """What L2 adds to a gradient."""
        net = self.net
        if not net.l2 or not (name.startswith("W") or net.l2_bias):
            return value * 0
        return {"half": 1.0, "plain": 2.0, "over_m": 1.0 / self.m}[net.l2_kind] * net.l2 * value

    def after_layer(self, l: int) -> None:
        """At the end of each turn of the loop."""

    def finish(self) -> None:
        """After the loop."""

    def run(self) -> dict[str, Array]:
        net = self.net
        self.do("forward")
        self.Y = self.do("targets")
        self.P = self.do("predict", self.Z[self.L])
        dZ = self.do("output")
        for l in range(self.L, 0, -1):
            self.dZ[l] = dZ
            self.grads[f"W{l}"] = self.do("weight", l, dZ)
            self.grads[f"b{l}"] = self.do("bias", l, dZ)
            if net.l2:
                self.grads[f"W{l}"] = self.grads[f"W{l}"] + self.do("penalty", f"W{l}", self.W[l])
                self.grads[f"b{l}"] = self.grads[f"b{l}"] + self.do("penalty", f"b{l}", self.b[l])
            if l > 1:
                self.dA[l - 1] = self.do("dropped", l - 1, self.do("propagate", l, dZ))
                dZ = self.do("hidden", l - 1, self.dA[l - 1])
            self.do("after_layer", l)
        self.do("finish")
        if net.column:
            return {n: (g.T if n.startswith("W") else g.reshape(-1, 1) if g.ndim == 1 else g) for n, g in self.grads.items()}
        return {n: (g.reshape(1, -1) if net.keepdims and n.startswith("b") and g.ndim == 1 else g) for n, g in self.grads.items()}


def manual_of(net: Net, **steps: Step) -> Manual:
    """The backprop by hand, with some of its steps replaced."""
    for name in steps:
        assert hasattr(State, name), name

    def manual(X: Any, y: Any, p: dict[str, Array]) -> dict[str, Array]:
        return State(net, steps, X, y, p).run()

    return manual


# --- the seeds, written out -------------------------------------------------------------------------------------------------------------


def softmax(Z: Array, axis: int | None = 1) -> Array:
    """Softmax, shifted."""
    e = np.exp(Z - Z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def sigmoid(Z: Array) -> Array:
    """The logistic function."""
    return 1 / (1 + np.exp(-Z))


def seed_002(bug: str = "") -> Manual:
    """002: tanh, tanh, softmax; the 1/m stands in dZ."""

    def manual(X: Any, y: Any, p: dict[str, Array]) -> dict[str, Array]:
        m = X.shape[0]
        W1, b1, W2, b2, W3, b3 = (p[n] for n in ("W1", "b1", "W2", "b2", "W3", "b3"))
        A1 = np.tanh(X @ W1 + b1)
        A2 = np.tanh(A1 @ W2 + b2)
        Y = np.eye(W3.shape[1])[y]
        P = softmax(A2 @ W3 + b3, axis=0 if bug == "axis" else 1)
        dZ3 = (P - Y) / m
        if bug == "sum":
            dZ3 = P - Y
        dW3, db3 = A2.T @ dZ3, dZ3.sum(axis=0)
        if bug == "twice":
            dW3, db3 = dW3 / m, db3 / m
        dZ2 = (dZ3 @ (W3 if bug == "no_T" else W3.T)) * (1 - A2**2)
        if bug == "cache":
            dZ2 = (dZ3 @ W3.T) * (1 - A1**2)
        if bug == "no_one":
            dZ2 = (dZ3 @ W3.T) * A2**2
        dW2, db2 = A1.T @ dZ2, dZ2.sum(axis=0)
        if bug == "twice":
            dW2, db2 = dW2 / m, db2 / m
        dZ1 = (dZ2 @ W2.T) * (1 - A1**2)
        if bug == "no_T":
            dZ1 = (dZ2 @ W2) * (1 - A1**2)
        dW1, db1 = X.T @ dZ1, dZ1.sum(axis=0)
        if bug == "twice":
            dW1, db1 = dW1 / m, db1 / m
        return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}

    return manual


def seed_003(bug: str = "", lr: float = 0.5) -> Manual:
    """003: ReLU, softmax, cross-entropy with eps 1e-7; keepdims biases; as written it is a sum."""

    def manual(X: Any, y: Any, p: dict[str, Array]) -> dict[str, Array]:
        m = X.shape[0]
        W1, b1, W2, b2 = (p[n].copy() for n in ("W1", "b1", "W2", "b2"))
        layer1_input = np.dot(X, W1) + b1
        layer1_output = np.maximum(0, layer1_input)
        output = softmax(np.dot(layer1_output, W2) + b2)
        y_one_hot = np.zeros((m, W2.shape[1]))
        y_one_hot[np.arange(m), y if bug != "shifted" else y - 1] = 1
        d_output = output - y_one_hot
        if bug not in ("as_written", "as_written_and_no_mask"):
            d_output = d_output / m
        d_weights2 = np.dot(layer1_output.T, d_output)
        d_biases2 = np.sum(d_output, axis=0, keepdims=True)
        if bug == "updated":
            W2 -= lr * d_weights2
            b2 -= lr * d_biases2
        d_hidden = np.dot(d_output, W2.T)
        d_hidden_relu = d_hidden * (layer1_output > 0)
        if bug in ("no_mask", "as_written_and_no_mask"):
            d_hidden_relu = d_hidden
        if bug == "inverted":
            d_hidden_relu = d_hidden * (layer1_output <= 0)
        if bug == "overwritten":
            d_hidden[layer1_output > 0] = 1
            d_hidden[layer1_output <= 0] = 0
            d_hidden_relu = d_hidden
        d_weights1 = np.dot(X.T, d_hidden_relu)
        d_biases1 = np.sum(d_hidden_relu, axis=0, keepdims=True)
        return {"W1": d_weights1, "b1": d_biases1, "W2": d_weights2, "b2": d_biases2}

    return manual


def seed_004(bug: str = "", batch_size: int | None = None, general: bool = False, lr: float = 1.0) -> Manual:
    """004: ReLU, ReLU, sigmoid, binary cross-entropy; the 1/m stands in dW and db; general form or fused."""

    def manual(X: Any, y: Any, p: dict[str, Array]) -> dict[str, Array]:
        m = batch_size or y.size  # with one output, the number of samples
        W = [p["W1"].copy(), p["W2"].copy(), p["W3"].copy()]
        b = [p["b1"], p["b2"], p["b3"]]
        A, Z = [X], []
        for l in range(3):
            Z.append(A[-1].dot(W[l]) + b[l])
            A.append(sigmoid(Z[-1]) if l == 2 else np.maximum(Z[-1], 0))
        a = A[3]
        dZ = a - y
        if general:
            dA = -(y / a) + (1 - y) / (1 - a)
            dZ = dA if bug == "no_sigmoid" else dA * a * (1 - a)
        if bug == "sigmoid_of_a":  # sigmoid_derivative(x) takes z, and is given a
            s = sigmoid(a)
            dZ = dA * s * (1 - s)
        if bug == "extra":
            dZ = (a - y) * a * (1 - a)
        grads: dict[str, Array] = {}
        for l in reversed(range(3)):
            grads[f"W{l + 1}"] = A[l].T.dot(dZ) / m
            grads[f"b{l + 1}"] = np.sum(dZ, axis=0, keepdims=True) / m
            if bug == "updated":
                W[l] = W[l] - lr * grads[f"W{l + 1}"]
            if l:
                W_next = W[2] if bug == "not_advanced" else W[l]
                dA = dZ.dot(W_next.T)
                dZ = dA if bug == "no_mask" else dA * (Z[l - 1] > 0)
        return grads

    return manual
