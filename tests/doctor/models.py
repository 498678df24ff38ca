"""Backprops by hand of models that are no plain MLPs, right and mistaken: a set on which the doctor is measured.

A model is a loss, data, and a backprop that is right. A mistaken one is the text of the right one with a few words replaced, compiled
anew, so that each is a plain NumPy function with a source of its own. ``wrong`` names the parameters whose gradient it gets wrong;
``labels`` holds, for each mistake in it, the labels of the catalogue that a fair judge accepts; where none fits, the empty set: any.
"""

from __future__ import annotations

import inspect
import linecache
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn

Params = dict[str, Any]
Function = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Model:
    """A loss, its data, and the backprop by hand that is right."""

    name: str
    loss: Function
    manual: Function
    X: Any
    y: Any
    params: Params


@dataclass(frozen=True)
class Case:
    """A backprop by hand; ``wrong`` and ``labels`` are empty where it is right."""

    name: str
    model: Model
    manual: Function
    wrong: tuple[str, ...] = ()
    labels: tuple[frozenset[str], ...] = field(default=())

    @property
    def first(self) -> frozenset[str]:
        """The labels that may come first; empty for any."""
        return frozenset().union(*self.labels) if all(self.labels) else frozenset()


MODELS: dict[str, Model] = {}


def model(loss: Function, X: Any, y: Any, **params: Any) -> Callable[[Function], Function]:
    """Enter a backprop under its name, with its loss and data; a shape stands for normal numbers of that shape."""
    name = loss.__name__.removesuffix("_loss")
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    arrays = {n: 0.7 * rng.standard_normal(v) if isinstance(v, tuple) else np.asarray(v, float) for n, v in params.items()}

    def enter(manual: Function) -> Function:
        MODELS[name] = Model(name, loss, manual, X, y, arrays)
        return manual

    return enter


def numbers(*shape: int) -> np.ndarray:
    """Data: normal numbers, others for each shape."""
    return np.random.default_rng(sum(3**i * n for i, n in enumerate(shape))).standard_normal(shape)


def labels(m: int, k: int) -> np.ndarray:
    """Class labels, all of which occur."""
    return np.random.default_rng(m).permutation(np.arange(m) % k)


def softmax(Z):
    e = np.exp(Z - Z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def normal_cdf(z):
    return 0.5 * (1 + np.vectorize(math.erf)(z / np.sqrt(2)))


# --- a residual block -----------------------------------------------------------------------------------------------------


def residual_loss(X, y, p):
    E = X @ p["W0"]
    R = E + tg.relu(E @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
    return nn.cross_entropy(R @ p["V"], y)


@model(residual_loss, numbers(7, 5), labels(7, 3), W0=(5, 5), W1=(5, 5), b1=(5,), W2=(5, 5), b2=(5,), V=(5, 3))
def residual(X, y, p):
    m = len(X)
    E = X @ p["W0"]
    Z = E @ p["W1"] + p["b1"]
    H = np.maximum(Z, 0)
    R = E + H @ p["W2"] + p["b2"]
    dS = softmax(R @ p["V"])
    dS[np.arange(m), y] -= 1
    dS /= m
    dV = R.T @ dS
    dR = dS @ p["V"].T
    dW2 = H.T @ dR
    db2 = dR.sum(axis=0)
    dH = dR @ p["W2"].T
    dZ = dH * (Z > 0)
    dW1 = E.T @ dZ
    db1 = dZ.sum(axis=0)
    dE = dR + dZ @ p["W1"].T
    dW0 = X.T @ dE
    return {"W0": dW0, "W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "V": dV}


# --- a recurrent cell, four steps -----------------------------------------------------------------------------------------


def recurrent_loss(X, y, p):
    h = np.zeros((len(X), len(p["b"])))
    for t in range(X.shape[1]):
        h = np.tanh(X[:, t] @ p["Wx"] + h @ p["Wh"] + p["b"])
    return np.mean((h @ p["Wy"] + p["by"] - y) ** 2)


@model(recurrent_loss, numbers(6, 4, 3), numbers(6, 2), Wx=(3, 5), Wh=(5, 5), b=(5,), Wy=(5, 2), by=(2,))
def recurrent(X, y, p):
    m, T, _ = X.shape
    hs = [np.zeros((m, len(p["b"])))]
    for t in range(T):
        hs.append(np.tanh(X[:, t] @ p["Wx"] + hs[t] @ p["Wh"] + p["b"]))
    out = hs[T] @ p["Wy"] + p["by"]
    dout = 2 * (out - y) / out.size
    g = {name: np.zeros_like(value) for name, value in p.items()}
    g["Wy"] = hs[T].T @ dout
    g["by"] = dout.sum(axis=0)
    dh = dout @ p["Wy"].T
    for t in reversed(range(T)):
        dz = dh * (1 - hs[t + 1] ** 2)
        g["Wx"] += X[:, t].T @ dz
        g["Wh"] += hs[t].T @ dz
        g["b"] += dz.sum(axis=0)
        dh = dz @ p["Wh"].T
    return g


# --- a gate as an LSTM has it ---------------------------------------------------------------------------------------------


def gate_loss(X, y, p):
    h = tg.sigmoid(X @ p["Wi"] + p["bi"]) * np.tanh(X @ p["Wg"] + p["bg"])
    return nn.binary_cross_entropy_with_logits(h @ p["v"] + p["c"], y)


@model(gate_loss, numbers(8, 4), labels(8, 2).astype(float), Wi=(4, 3), bi=(3,), Wg=(4, 3), bg=(3,), v=(3,), c=0.3)
def gate(X, y, p):
    z1 = X @ p["Wi"] + p["bi"]
    z2 = X @ p["Wg"] + p["bg"]
    i = sigmoid(z1)
    g = np.tanh(z2)
    h = i * g
    dout = (sigmoid(h @ p["v"] + p["c"]) - y) / len(X)
    dh = np.outer(dout, p["v"])
    dz1 = dh * g * i * (1 - i)
    dz2 = dh * i * (1 - g**2)
    return {
        "Wi": X.T @ dz1,
        "bi": dz1.sum(axis=0),
        "Wg": X.T @ dz2,
        "bg": dz2.sum(axis=0),
        "v": h.T @ dout,
        "c": dout.sum(),
    }


# --- single-head attention ------------------------------------------------------------------------------------------------


def attention_loss(X, y, p):
    E = X @ p["We"]
    Q, K, V = E @ p["Wq"], E @ p["Wk"], E @ p["Wv"]
    A = tg.softmax(Q @ K.mT / np.sqrt(Q.shape[-1]), axis=-1)
    return np.mean((E + A @ V @ p["Wo"] - y) ** 2)


@model(attention_loss, numbers(3, 4, 5), numbers(3, 4, 6), We=(5, 6), Wq=(6, 6), Wk=(6, 6), Wv=(6, 6), Wo=(6, 6))
def attention(X, y, p):
    E = X @ p["We"]
    Q, K, V = E @ p["Wq"], E @ p["Wk"], E @ p["Wv"]
    scale = 1 / np.sqrt(Q.shape[-1])
    A = softmax(Q @ K.mT * scale)
    C = A @ V
    out = E + C @ p["Wo"]
    dout = 2 * (out - y) / out.size
    dWo = np.einsum("mni,mnj->ij", C, dout)
    dC = dout @ p["Wo"].T
    dV = A.mT @ dC
    dA = dC @ V.mT
    dS = A * (dA - (dA * A).sum(axis=-1, keepdims=True))
    dQ = dS @ K * scale
    dK = dS.mT @ Q * scale
    dWq = np.einsum("mni,mnj->ij", E, dQ)
    dWk = np.einsum("mni,mnj->ij", E, dK)
    dWv = np.einsum("mni,mnj->ij", E, dV)
    dE = dout + dQ @ p["Wq"].T + dK @ p["Wk"].T + dV @ p["Wv"].T
    dWe = np.einsum("mni,mnj->ij", X, dE)
    return {"We": dWe, "Wq": dWq, "Wk": dWk, "Wv": dWv, "Wo": dWo}


# --- layer norm and batch norm --------------------------------------------------------------------------------------------


def layer_norm_loss(X, y, p):
    Z = X @ p["W1"] + p["b1"]
    N = (Z - Z.mean(axis=1, keepdims=True)) / np.sqrt(Z.var(axis=1, keepdims=True) + 1e-5)
    return nn.cross_entropy((p["gamma"] * N + p["beta"]) @ p["W2"] + p["b2"], y)


@model(layer_norm_loss, numbers(10, 4), labels(10, 3), W1=(4, 6), b1=(6,), gamma=(6,), beta=(6,), W2=(6, 3), b2=(3,))
def layer_norm(X, y, p):
    Z = X @ p["W1"] + p["b1"]
    mu = Z.mean(axis=1, keepdims=True)
    std = np.sqrt(((Z - mu) ** 2).mean(axis=1, keepdims=True) + 1e-5)
    N = (Z - mu) / std
    Y = p["gamma"] * N + p["beta"]
    dS = (softmax(Y @ p["W2"] + p["b2"]) - np.eye(3)[y]) / len(X)
    dY = dS @ p["W2"].T
    dN = dY * p["gamma"]
    dZ = (dN - dN.mean(axis=1, keepdims=True) - N * (dN * N).mean(axis=1, keepdims=True)) / std
    return {
        "W1": X.T @ dZ,
        "b1": dZ.sum(axis=0),
        "gamma": (dY * N).sum(axis=0),
        "beta": dY.sum(axis=0),
        "W2": Y.T @ dS,
        "b2": dS.sum(axis=0),
    }


def batch_norm_loss(X, y, p):
    Z = X @ p["W1"]
    N = (Z - Z.mean(axis=0)) / np.sqrt(Z.var(axis=0) + 1e-5)
    return np.mean((tg.relu(p["gamma"] * N + p["beta"]) @ p["W2"] + p["b2"] - y) ** 2)


@model(batch_norm_loss, numbers(10, 4), numbers(10, 2), W1=(4, 5), gamma=(5,), beta=(5,), W2=(5, 2), b2=(2,))
def batch_norm(X, y, p):
    m = X.shape[0]
    Z = X @ p["W1"]
    xmu = Z - Z.mean(axis=0)
    ivar = 1 / np.sqrt((xmu**2).mean(axis=0) + 1e-5)
    xhat = xmu * ivar
    Y = p["gamma"] * xhat + p["beta"]
    H = np.maximum(Y, 0)
    dO = 2 * (H @ p["W2"] + p["b2"] - y) / y.size
    dW2 = H.T @ dO
    db2 = dO.sum(axis=0)
    dY = dO @ p["W2"].T
    dY[Y <= 0] = 0
    dgamma = (dY * xhat).sum(axis=0)
    dbeta = dY.sum(axis=0)
    dxhat = dY * p["gamma"]
    dvar = (dxhat * xmu * -0.5 * ivar**3).sum(axis=0)
    dmu = -(dxhat * ivar).sum(axis=0)
    dZ = dxhat * ivar + dvar * 2 * xmu / m + dmu / m
    dW1 = X.T @ dZ
    return {"W1": dW1, "gamma": dgamma, "beta": dbeta, "W2": dW2, "b2": db2}


# --- convolution, pooling, embedding --------------------------------------------------------------------------------------


def convolution_loss(X, y, p):
    S = np.lib.stride_tricks.sliding_window_view(X, 3, axis=1)
    H = tg.relu(np.einsum("mlk,kc->mlc", S, p["F"]) + p["b"])
    return nn.cross_entropy(H.mean(axis=1) @ p["W"] + p["c"], y)


@model(convolution_loss, numbers(6, 10), labels(6, 3), F=(3, 4), b=(4,), W=(4, 3), c=(3,))
def convolution(X, y, p):
    S = np.lib.stride_tricks.sliding_window_view(X, 3, axis=1)
    L = S.shape[1]
    Z = np.einsum("mlk,kc->mlc", S, p["F"]) + p["b"]
    H = np.maximum(Z, 0)
    P = H.mean(axis=1)
    dS = softmax(P @ p["W"] + p["c"]) - np.eye(3)[y]
    dS = dS / len(X)
    dP = dS @ p["W"].T
    dH = np.repeat(dP[:, None, :], L, axis=1) / L
    dZ = dH * (Z > 0)
    dF = np.zeros_like(p["F"])
    for l in range(L):
        dF += X[:, l : l + 3].T @ dZ[:, l]
    return {"F": dF, "b": dZ.sum(axis=(0, 1)), "W": P.T @ dS, "c": dS.sum(axis=0)}


def embedding_loss(X, y, p):
    h = np.take(p["E"], X, axis=0).mean(axis=1)
    return nn.cross_entropy(h @ p["W"] + p["b"], y)


@model(embedding_loss, np.random.default_rng(3).integers(0, 7, (6, 4)), labels(6, 3), E=(8, 5), W=(5, 3), b=(3,))
def embedding(X, y, p):
    m, L = X.shape
    h = p["E"][X].mean(axis=1)
    dS = softmax(h @ p["W"] + p["b"])
    dS[range(m), y] -= 1
    dS = dS / m
    dW = h.T @ dS
    db = dS.sum(axis=0)
    dh = dS @ p["W"].T
    dE = np.zeros_like(p["E"])
    for i in range(m):
        for t in range(L):
            dE[X[i, t]] += dh[i] / L
    return {"E": dE, "W": dW, "b": db}


# --- factors and tied weights ---------------------------------------------------------------------------------------------


def factors_loss(R, mask, p):
    return (mask * (R - p["U"] @ p["V"].T) ** 2).sum() + 0.1 * ((p["U"] ** 2).sum() + (p["V"] ** 2).sum())


@model(factors_loss, numbers(6, 6), (numbers(6, 6, 1)[..., 0] > -0.5).astype(float), U=(6, 3), V=(6, 3))
def factors(R, mask, p):
    U, V = p["U"], p["V"]
    err = mask * (R - U @ V.T)
    dU = -2 * err @ V + 0.2 * U
    dV = -2 * err.T @ U + 0.2 * V
    return {"U": dU, "V": dV}


def autoencoder_loss(X, y, p):
    H = np.tanh(X @ p["W"] + p["b"])
    return ((H @ p["W"].T + p["c"] - X) ** 2).sum() / (2 * len(X))


@model(autoencoder_loss, numbers(7, 4), None, W=(4, 4), b=(4,), c=(4,))
def autoencoder(X, y, p):
    m = X.shape[0]
    H = np.tanh(X @ p["W"] + p["b"])
    dO = (H @ p["W"].T + p["c"] - X) / m
    dc = dO.sum(axis=0)
    dH = dO @ p["W"]
    dZ = dH * (1 - H**2)
    db = dZ.sum(axis=0)
    dW = X.T @ dZ + dO.T @ H
    return {"W": dW, "b": db, "c": dc}


# --- regressions ----------------------------------------------------------------------------------------------------------


def polynomial_loss(X, y, p):
    F = np.stack([X[:, 0], X[:, 1], X[:, 0] ** 2, X[:, 0] * X[:, 1], X[:, 1] ** 2], axis=1)
    a = tg.sigmoid(F @ p["w"] + p["b"])
    return -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a)) + 0.05 * (p["w"] ** 2).sum()


@model(polynomial_loss, numbers(9, 2), labels(9, 2).astype(float), w=(5,), b=0.2)
def polynomial(X, y, p):
    F = np.stack([X[:, 0], X[:, 1], X[:, 0] ** 2, X[:, 0] * X[:, 1], X[:, 1] ** 2], axis=1)
    m = len(y)
    a = sigmoid(F @ p["w"] + p["b"])
    dz = a - y
    dw = F.T @ dz / m + 0.1 * p["w"]
    db = dz.sum() / m
    return {"w": dw, "b": db}


def huber_loss(X, y, p):
    r = X @ p["w"] + p["b"] - y
    return np.mean(np.where(np.abs(r) <= 1.0, 0.5 * r**2, np.abs(r) - 0.5))


@model(huber_loss, numbers(11, 3), 2 * numbers(11), w=(3,), b=0.4)
def huber(X, y, p):
    m = X.shape[0]
    r = X @ p["w"] + p["b"] - y
    dr = np.where(np.abs(r) <= 1.0, r, np.sign(r))
    dw = X.T @ dr / m
    db = dr.mean()
    return {"w": dw, "b": db}


# --- smooth activations ---------------------------------------------------------------------------------------------------


def softplus_loss(X, y, p):
    return np.mean((tg.softplus(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"] - y) ** 2)


@model(softplus_loss, numbers(8, 3), numbers(8, 1), W1=(3, 4), b1=(4,), W2=(4, 1), b2=(1,))
def softplus(X, y, p):
    m = len(X)
    Z = X @ p["W1"] + p["b1"]
    A = np.log1p(np.exp(Z))
    dO = 2 / m * (A @ p["W2"] + p["b2"] - y)
    dA = dO @ p["W2"].T
    dZ = dA * sigmoid(Z)
    return {"W1": X.T @ dZ, "b1": dZ.sum(axis=0), "W2": A.T @ dO, "b2": dO.sum(axis=0)}


def gelu_loss(X, y, p):
    A = tg.gelu(tg.gelu(X @ p["W1"]) @ p["W2"])
    return nn.cross_entropy(A @ p["W3"], y)


@model(gelu_loss, numbers(8, 4), labels(8, 3), W1=(4, 5), W2=(5, 5), W3=(5, 3))
def gelu(X, y, p):
    Z1 = X @ p["W1"]
    A1 = Z1 * normal_cdf(Z1)
    Z2 = A1 @ p["W2"]
    A2 = Z2 * normal_cdf(Z2)
    dS = (softmax(A2 @ p["W3"]) - np.eye(3)[y]) / len(y)
    dA2 = dS @ p["W3"].T
    dZ2 = dA2 * (normal_cdf(Z2) + Z2 * np.exp(-(Z2**2) / 2) / np.sqrt(2 * np.pi))
    dA1 = dZ2 @ p["W2"].T
    dZ1 = dA1 * (normal_cdf(Z1) + Z1 * np.exp(-(Z1**2) / 2) / np.sqrt(2 * np.pi))
    return {"W1": X.T @ dZ1, "W2": A1.T @ dZ2, "W3": A2.T @ dS}


def silu_loss(X, y, p):
    Z = X @ p["W1"] + p["b1"]
    return nn.binary_cross_entropy_with_logits((Z * tg.sigmoid(Z)) @ p["W2"] + p["b2"], y)


@model(silu_loss, numbers(9, 3), labels(9, 2).astype(float)[:, None], W1=(3, 5), b1=(5,), W2=(5, 1), b2=(1,))
def silu(X, y, p):
    m = len(X)
    Z = X @ p["W1"] + p["b1"]
    s = sigmoid(Z)
    A = Z * s
    dO = (sigmoid(A @ p["W2"] + p["b2"]) - y) / m
    dA = dO @ p["W2"].T
    dZ = dA * (s + Z * s * (1 - s))
    return {"W1": X.T @ dZ, "b1": dZ.sum(axis=0), "W2": A.T @ dO, "b2": dO.sum(axis=0)}


# --- several branches -----------------------------------------------------------------------------------------------------


def heads_loss(X, y, p):
    H = np.tanh(X @ p["W"] + p["b"])
    return nn.cross_entropy(H @ p["Wc"], y) + 0.3 * np.mean((H @ p["Wr"] - X[:, :2]) ** 2)


@model(heads_loss, numbers(7, 4), labels(7, 3), W=(4, 5), b=(5,), Wc=(5, 3), Wr=(5, 2))
def heads(X, y, p):
    m = len(X)
    H = np.tanh(X @ p["W"] + p["b"])
    dC = (softmax(H @ p["Wc"]) - np.eye(3)[y]) / m
    dR = 0.3 * (H @ p["Wr"] - X[:, :2]) / m
    dWc = H.T @ dC
    dWr = H.T @ dR
    dH = dC @ p["Wc"].T + dR @ p["Wr"].T
    dZ = dH * (1 - H**2)
    return {"W": X.T @ dZ, "b": dZ.sum(axis=0), "Wc": dWc, "Wr": dWr}


def siamese_loss(X, y, p):
    f1 = np.tanh(X[:, 0] @ p["W"] + p["b"]) @ p["V"]
    f2 = np.tanh(X[:, 1] @ p["W"] + p["b"]) @ p["V"]
    d = ((f1 - f2) ** 2).sum(axis=1)
    return np.mean(y * d + (1 - y) * tg.relu(4.0 - d))


@model(siamese_loss, numbers(8, 2, 4), labels(8, 2).astype(float), W=(4, 5), b=(5,), V=(5, 3))
def siamese(X, y, p):
    m = len(y)
    H1 = np.tanh(X[:, 0] @ p["W"] + p["b"])
    H2 = np.tanh(X[:, 1] @ p["W"] + p["b"])
    diff = H1 @ p["V"] - H2 @ p["V"]
    d = (diff**2).sum(axis=1)
    dd = (y - (1 - y) * (d < 4.0)) / m
    df1 = 2 * diff * dd[:, None]
    df2 = -df1
    dV = H1.T @ df1 + H2.T @ df2
    dZ1 = df1 @ p["V"].T * (1 - H1**2)
    dZ2 = df2 @ p["V"].T * (1 - H2**2)
    dW = X[:, 0].T @ dZ1 + X[:, 1].T @ dZ2
    db = dZ1.sum(axis=0) + dZ2.sum(axis=0)
    return {"W": dW, "b": db, "V": dV}


def mixture_loss(X, y, p):
    G = tg.softmax(X @ p["Wg"], axis=1)
    O = np.einsum("md,edk->mek", X, p["We"])
    return np.mean(((G[:, :, None] * O).sum(axis=1) - y) ** 2)


@model(mixture_loss, numbers(7, 4), numbers(7, 2), Wg=(4, 3), We=(3, 4, 2))
def mixture(X, y, p):
    G = softmax(X @ p["Wg"])
    O = np.einsum("md,edk->mek", X, p["We"])
    out = np.einsum("me,mek->mk", G, O)
    dout = 2 * (out - y) / y.size
    dO = G[:, :, None] * dout[:, None, :]
    dWe = np.einsum("md,mek->edk", X, dO)
    dG = (dout[:, None, :] * O).sum(axis=2)
    dS = G * (dG - (dG * G).sum(axis=1, keepdims=True))
    dWg = X.T @ dS
    return {"Wg": dWg, "We": dWe}


def highway_loss(X, y, p):
    E = X @ p["We"]
    T = tg.sigmoid(E @ p["Wt"] + p["bt"])
    return np.mean(((T * np.tanh(E @ p["Wh"]) + (1 - T) * E) @ p["V"] - y) ** 2)


@model(highway_loss, numbers(9, 3), numbers(9, 2), We=(3, 5), Wt=(5, 5), bt=(5,), Wh=(5, 5), V=(5, 2))
def highway(X, y, p):
    E = X @ p["We"]
    T = sigmoid(E @ p["Wt"] + p["bt"])
    H = np.tanh(E @ p["Wh"])
    R = T * H + (1 - T) * E
    dO = 2 * (R @ p["V"] - y) / y.size
    dV = R.T @ dO
    dR = dO @ p["V"].T
    dT = dR * (H - E)
    dA = dT * T * (1 - T)
    dH = dR * T
    dB = dH * (1 - H**2)
    dE = dA @ p["Wt"].T + dB @ p["Wh"].T + dR * (1 - T)
    return {"We": X.T @ dE, "Wt": E.T @ dA, "bt": dA.sum(axis=0), "Wh": E.T @ dB, "V": dV}


def max_pool_loss(X, y, p):
    H = np.tanh(X @ p["W1"] + p["b1"])
    return nn.cross_entropy(np.max(H, axis=1) @ p["W2"] + p["b2"], y)


@model(max_pool_loss, numbers(7, 4, 3), labels(7, 3), W1=(3, 5), b1=(5,), W2=(5, 3), b2=(3,))
def max_pool(X, y, p):
    m = len(X)
    H = np.tanh(X @ p["W1"] + p["b1"])
    P = H.max(axis=1)
    dS = (softmax(P @ p["W2"] + p["b2"]) - np.eye(3)[y]) / m
    dP = dS @ p["W2"].T
    dH = dP[:, None, :] * (P[:, None, :] == H)
    dZ = dH * (1 - H**2)
    dW1 = np.tensordot(X, dZ, axes=([0, 1], [0, 1]))
    db1 = dZ.sum(axis=(0, 1))
    return {"W1": dW1, "b1": db1, "W2": P.T @ dS, "b2": dS.sum(axis=0)}


def scalar_loss(X, y, p):
    d = p["a"] * p["b"] + p["c"] ** 2
    e = np.tanh(d) * p["a"]
    return e * e + np.exp(-p["b"]) * p["c"]


@model(scalar_loss, None, None, a=0.8, b=-0.6, c=1.1)
def scalar(X, y, p):
    a, b, c = p["a"], p["b"], p["c"]
    d = a * b + c**2
    t = np.tanh(d)
    e = t * a
    de = 2 * e
    da = de * t
    dt = de * a
    dd = dt * (1 - t**2)
    da += dd * b
    db = dd * a
    dc = dd * 2 * c
    db += -np.exp(-b) * c
    dc += np.exp(-b)
    return {"a": da, "b": db, "c": dc}


# --- the mistakes ---------------------------------------------------------------------------------------------------------

# model | what was done | parameters that are wrong | labels of each mistake, "+" between two, none for any | old -> new, ";;" between two
MISTAKEN = r"""
residual | the skip path forgotten | W0 | | dE = dR + dZ @ -> dE = dZ @
residual | the block's path forgotten | W0 | | dE = dR + dZ @ p["W1"].T -> dE = dR
residual | no mask | W0 W1 b1 | act_derivative_missing | dZ = dH * (Z > 0) -> dZ = dH
residual | mask inverted | W0 W1 b1 | act_derivative_wrong_formula | (Z > 0) -> (Z <= 0)
residual | upstream overwritten by the mask | W0 W1 b1 | act_derivative_wrong_formula | dZ = dH * (Z > 0) -> dZ = 1.0 * (Z > 0)
residual | mask of the block's input | W0 W1 b1 | wrong_layer_cache act_derivative_wrong_argument | (Z > 0) -> (E > 0)
residual | W2 without its transpose | W0 W1 b1 | transposed | dR @ p["W2"].T -> dR @ p["W2"]
residual | W1 where W2 belongs | W0 W1 b1 | wrong_weights | dR @ p["W2"].T -> dR @ p["W1"].T
residual | dW1 from X | W1 | wrong_layer_input | dW1 = E.T -> dW1 = X.T
residual | dW2 from Z | W2 | wrong_layer_input | dW2 = H.T -> dW2 = Z.T
residual | no mean | W0 W1 b1 W2 b2 V | missing_batch_mean | dS /= m -> pass
residual | mean twice in dV | V | double_batch_mean | dV = R.T @ dS -> dV = R.T @ dS / m
residual | db1 a scalar | b1 | bias_axis | db1 = dZ.sum(axis=0) -> db1 = dZ.sum()
residual | db2 a mean | b2 | double_batch_mean | db2 = dR.sum(axis=0) -> db2 = dR.mean(axis=0)
residual | no mask, dV negative | W0 W1 b1 V | act_derivative_missing + sign_flipped | dZ = dH * (Z > 0) -> dZ = dH ;; dV = R -> dV = -R
residual | no mean, W2 without its transpose | W0 W1 b1 W2 b2 V | missing_batch_mean + transposed | dS /= m -> pass ;; dR @ p["W2"].T -> dR @ p["W2"]
residual | the skip path forgotten, db1 over axis 1 | W0 b1 | + bias_axis | dE = dR + dZ -> dE = dZ ;; dZ.sum(axis=0) -> dZ.sum(axis=1)
recurrent | = for += | Wx Wh b | partial_batch | g["Wx"] += -> g["Wx"] = ;; g["Wh"] += -> g["Wh"] = ;; g["b"] += -> g["b"] =
recurrent | = for += in dWx | Wx | partial_batch | g["Wx"] += -> g["Wx"] =
recurrent | only the last step | Wx Wh b | partial_batch | reversed(range(T)) -> [T - 1]
recurrent | the loop one short | Wx b | partial_batch | reversed(range(T)) -> reversed(range(1, T))
recurrent | no derivative | Wx Wh b | act_derivative_missing | dz = dh * (1 - hs[t + 1] ** 2) -> dz = dh
recurrent | derivative at the state before | Wx Wh b | wrong_layer_cache act_derivative_wrong_argument | (1 - hs[t + 1] ** 2) -> (1 - hs[t] ** 2)
recurrent | tanh twice | Wx Wh b | act_derivative_wrong_argument | (1 - hs[t + 1] ** 2) -> (1 - np.tanh(hs[t + 1]) ** 2)
recurrent | the sigmoid's derivative | Wx Wh b | act_derivative_wrong_formula | (1 - hs[t + 1] ** 2) -> hs[t + 1] * (1 - hs[t + 1])
recurrent | the square without 1 - | Wx Wh b | act_derivative_wrong_formula | (1 - hs[t + 1] ** 2) -> (hs[t + 1] ** 2)
recurrent | Wh without its transpose | Wx Wh b | transposed | dz @ p["Wh"].T -> dz @ p["Wh"]
recurrent | Wh forgotten on the way back | Wx Wh b | | dz @ p["Wh"].T -> dz
recurrent | dh accumulated | Wx Wh b | | dh = dz @ -> dh = dh + dz @
recurrent | dWh from the state after | Wh | wrong_layer_input | hs[t].T @ dz -> hs[t + 1].T @ dz
recurrent | no 2 | Wx Wh b Wy by | constant_factor | 2 * (out - y) -> (out - y)
recurrent | over m alone | Wx Wh b Wy by | constant_factor | / out.size -> / m
recurrent | no mean | Wx Wh b Wy by | missing_batch_mean constant_factor | / out.size -> * 1
recurrent | dby forgotten | by | gradient_zero | g["by"] = dout.sum(axis=0) -> pass
recurrent | no 2, Wh without its transpose | Wx Wh b Wy by | constant_factor + transposed | 2 * (out - y) -> (out - y) ;; dz @ p["Wh"].T -> dz @ p["Wh"]
recurrent | = for += in dWx, db a scalar | Wx b | partial_batch + bias_axis | g["Wx"] += -> g["Wx"] = ;; dz.sum(axis=0) -> dz.sum()
gate | the wrong gate | Wi bi | wrong_layer_cache wrong_layer_input act_derivative_wrong_argument | dz1 = dh * g * i -> dz1 = dh * i * i
gate | the other gate's value in the derivative | Wi bi | wrong_layer_cache act_derivative_wrong_argument | i * (1 - i) -> g * (1 - g)
gate | the other gate's derivative | Wi bi | act_derivative_wrong_formula wrong_layer_cache | i * (1 - i) -> (1 - g**2)
gate | sigmoid's derivative from z | Wi bi | act_derivative_wrong_argument | i * (1 - i) -> z1 * (1 - z1)
gate | sigmoid twice | Wi bi | act_derivative_wrong_argument | i * (1 - i) -> sigmoid(i) * (1 - sigmoid(i))
gate | plus in sigmoid's derivative | Wi bi | act_derivative_wrong_formula | i * (1 - i) -> i * (1 + i)
gate | tanh's derivative from z | Wg bg | act_derivative_wrong_argument | (1 - g**2) -> (1 - z2**2)
gate | tanh's derivative without the square | Wg bg | act_derivative_wrong_formula | (1 - g**2) -> (1 - g)
gate | no derivative of tanh | Wg bg | act_derivative_missing | dz2 = dh * i * (1 - g**2) -> dz2 = dh * i
gate | the product's other side forgotten | Wg bg | | dz2 = dh * i * (1 -> dz2 = dh * (1
gate | dWi and dWg exchanged | Wi Wg | wrong_layer_cache | "Wi": X.T @ dz1 -> "Wi": X.T @ dz2 ;; "Wg": X.T @ dz2 -> "Wg": X.T @ dz1
gate | dWg from dz1 | Wg | wrong_layer_cache | "Wg": X.T @ dz2 -> "Wg": X.T @ dz1
gate | dc a mean | c | double_batch_mean | dout.sum() -> dout.mean()
gate | dv negative | v | sign_flipped | h.T @ dout -> -h.T @ dout
gate | y - a | Wi bi Wg bg v c | sign_flipped | dout = (sigmoid(h @ p["v"] + p["c"]) - y) -> dout = (y - sigmoid(h @ p["v"] + p["c"]))
gate | no mean | Wi bi Wg bg v c | missing_batch_mean | / len(X) -> * 1
gate | sigmoid's derivative on top | Wi bi Wg bg v c | output_derivative_extra | dh = -> a = sigmoid(h @ p["v"] + p["c"]); dout *= a * (1 - a); dh =
gate | dv from i | v | wrong_layer_input | h.T @ dout -> i.T @ dout
gate | tanh from z, no mean | Wi bi Wg bg v c | act_derivative_wrong_argument + missing_batch_mean | (1 - g**2) -> (1 - z2**2) ;; / len(X) -> * 1
attention | the scale forgotten | We Wq Wk | constant_factor | dS @ K * scale -> dS @ K ;; dS.mT @ Q * scale -> dS.mT @ Q
attention | the scale forgotten in dK | We Wk | constant_factor | dS.mT @ Q * scale -> dS.mT @ Q
attention | the scale squared | We Wq Wk | constant_factor | dS @ K * scale -> dS @ K * scale**2 ;; Q * scale\n -> Q * scale**2\n
attention | diagonal of softmax | We Wq Wk | softmax_jacobian_diagonal | dS = A * (dA - (dA * A).sum(axis=-1, keepdims=True)) -> dS = dA * A * (1 - A)
attention | softmax without its sum | We Wq Wk | softmax_jacobian_diagonal act_derivative_wrong_formula | dS = A * (dA - (dA * A).sum(axis=-1, keepdims=True)) -> dS = A * dA
attention | no derivative of softmax | We Wq Wk | output_derivative_missing act_derivative_missing | dS = A * (dA - (dA * A).sum(axis=-1, keepdims=True)) -> dS = dA
attention | softmax over the queries | We Wq Wk | softmax_wrong_axis act_derivative_wrong_formula | sum(axis=-1, keepdims -> sum(axis=1, keepdims
attention | dS not transposed in dK | We Wk | transposed | dS.mT @ Q -> dS @ Q
attention | A not transposed in dV | We Wv | transposed | dV = A.mT -> dV = A
attention | dQ and dK exchanged | Wq Wk | wrong_layer_cache | dWq = np.einsum("mni,mnj->ij", E, dQ) -> dWq = np.einsum("mni,mnj->ij", E, dK) ;; dWk = np.einsum("mni,mnj->ij", E, dK) -> dWk = np.einsum("mni,mnj->ij", E, dQ)
attention | Wo without its transpose | We Wq Wk Wv | transposed | dC = dout @ p["Wo"].T -> dC = dout @ p["Wo"]
attention | Wq without its transpose | We | transposed | dQ @ p["Wq"].T -> dQ @ p["Wq"]
attention | the skip path forgotten | We | | dE = dout + -> dE =
attention | the value path forgotten | We | | + dV @ p["Wv"].T -> #
attention | dWo from V | Wo | wrong_layer_input | ("mni,mnj->ij", C, dout) -> ("mni,mnj->ij", V, dout)
attention | dWq from Q | Wq | wrong_layer_input | dWq = np.einsum("mni,mnj->ij", E, dQ) -> dWq = np.einsum("mni,mnj->ij", Q, dQ)
attention | one sequence alone | We | partial_batch | dWe = np.einsum("mni,mnj->ij", X, dE) -> dWe = X[0].T @ dE[0]
attention | no mean | We Wq Wk Wv Wo | missing_batch_mean constant_factor | / out.size -> * 1
attention | diagonal of softmax, no 2 | We Wq Wk Wv Wo | softmax_jacobian_diagonal + constant_factor | dS = A * (dA - (dA * A).sum(axis=-1, keepdims=True)) -> dS = dA * A * (1 - A) ;; dout = 2 * -> dout = 1 *
attention | the scale forgotten, A not transposed | We Wq Wk Wv | constant_factor + transposed | dS @ K * scale -> dS @ K ;; dS.mT @ Q * scale -> dS.mT @ Q ;; dV = A.mT -> dV = A
layer_norm | statistics constant | W1 b1 | | (dN - dN.mean(axis=1, keepdims=True) - N * (dN * N).mean(axis=1, keepdims=True)) / std -> dN / std
layer_norm | the mean's term forgotten | W1 b1 | | dN - dN.mean(axis=1, keepdims=True) - -> dN -
layer_norm | the variance's term forgotten | W1 b1 | | - N * (dN * N).mean(axis=1, keepdims=True)) -> )
layer_norm | the division forgotten | W1 b1 | | keepdims=True)) / std -> keepdims=True))
layer_norm | the mean over the batch | W1 b1 | | dN.mean(axis=1, -> dN.mean(axis=0,
layer_norm | gamma forgotten | W1 b1 | | dN = dY * p["gamma"] -> dN = dY
layer_norm | dgamma from Z | gamma | wrong_layer_input | (dY * N).sum -> (dY * Z).sum
layer_norm | dgamma a scalar | gamma | bias_axis | (dY * N).sum(axis=0) -> (dY * N).sum()
layer_norm | dbeta a mean | beta | double_batch_mean | dY.sum(axis=0) -> dY.mean(axis=0)
layer_norm | dW2 from N | W2 | wrong_layer_input | Y.T @ dS -> N.T @ dS
layer_norm | one-hot off by one | W1 b1 gamma beta W2 b2 | label_error | np.eye(3)[y] -> np.eye(3)[(y + 1) % 3]
layer_norm | no mean, dgamma from Z | W1 b1 gamma beta W2 b2 | missing_batch_mean + wrong_layer_input | / len(X) -> * 1 ;; (dY * N).sum -> (dY * Z).sum
batch_norm | statistics constant | W1 | | dZ = dxhat * ivar + dvar * 2 * xmu / m + dmu / m -> dZ = dxhat * ivar
batch_norm | the mean's term forgotten | W1 | | xmu / m + dmu / m -> xmu / m
batch_norm | the variance's term forgotten | W1 | | + dvar * 2 * xmu / m -> + 0
batch_norm | the variance's term positive | W1 | sign_flipped | -0.5 -> 0.5
batch_norm | the mean's term negative | W1 | sign_flipped | dmu = -( -> dmu = (
batch_norm | the variance's term without 1/m | W1 | missing_batch_mean constant_factor | xmu / m + -> xmu +
batch_norm | no mask | W1 gamma beta | act_derivative_missing | dY[Y <= 0] = 0 -> pass
batch_norm | mask before gamma | W1 gamma beta | act_derivative_wrong_argument wrong_layer_cache | dY[Y <= 0] -> dY[xhat <= 0]
batch_norm | dgamma from Z | gamma | wrong_layer_input | dgamma = (dY * xhat) -> dgamma = (dY * Z)
batch_norm | dgamma a mean | gamma | double_batch_mean | dgamma = (dY * xhat).sum -> dgamma = (dY * xhat).mean
batch_norm | dbeta over axis 1 | beta | bias_axis | dbeta = dY.sum(axis=0) -> dbeta = dY.sum(axis=1)
batch_norm | over m alone | W1 gamma beta W2 b2 | constant_factor | / y.size -> / m
batch_norm | no mask, db2 a mean | W1 gamma beta b2 | act_derivative_missing + double_batch_mean | dY[Y <= 0] = 0 -> pass ;; dO.sum -> dO.mean
convolution | the pool not divided | F b | constant_factor missing_batch_mean | axis=1) / L -> axis=1)
convolution | no mask | F b | act_derivative_missing | dZ = dH * (Z > 0) -> dZ = dH
convolution | = for += | F | partial_batch | dF += X -> dF = X
convolution | the loop one short | F | partial_batch | for l in range(L) -> for l in range(L - 1)
convolution | the kernel flipped | F | | {"F": dF, -> {"F": dF[::-1],
convolution | the windows off by one | F | | X[:, l : l + 3] -> np.roll(X, 1, axis=1)[:, l : l + 3]
convolution | db a mean over the length | b | constant_factor double_batch_mean bias_axis | dZ.sum(axis=(0, 1)) -> dZ.mean(axis=1).sum(axis=0)
convolution | db over the batch alone | b | bias_axis | dZ.sum(axis=(0, 1)) -> dZ.sum(axis=0)
convolution | no mean | F b W c | missing_batch_mean | dS = dS / len(X) -> pass
convolution | mean twice in dW | W | double_batch_mean | P.T @ dS -> P.T @ dS / len(X)
convolution | softmax's derivative on top | F b W c | output_derivative_extra | dP = -> Q = softmax(P @ p["W"] + p["c"]); dS = dS * Q * (1 - Q); dP =
convolution | no mask, the pool not divided | F b | act_derivative_missing + constant_factor missing_batch_mean | dZ = dH * (Z > 0) -> dZ = dH ;; axis=1) / L -> axis=1)
embedding | assigned, not added | E | partial_batch | dE[X[i, t]] += -> dE[X[i, t]] =
embedding | += with repeated indices | E | partial_batch | dE = np.zeros_like(p["E"]) -> dE = np.zeros_like(p["E"]); dE[X] += dh[:, None] / L ;; dE[X[i, t]] += dh[i] / L -> pass
embedding | the mean of the words forgotten | E | constant_factor missing_batch_mean | dh[i] / L -> dh[i]
embedding | the last sample left out | E | partial_batch | for i in range(m) -> for i in range(m - 1)
embedding | only the first word | E | partial_batch | for t in range(L) -> for t in [0]
embedding | no mean | E W b | missing_batch_mean | dS = dS / m -> pass
embedding | mean twice in dE | E | double_batch_mean | dh[i] / L -> dh[i] / L / m
embedding | dW from a sum | W | constant_factor wrong_layer_input missing_batch_mean | dW = h.T -> dW = p["E"][X].sum(axis=1).T
embedding | zero | E | gradient_zero | dh[i] / L -> 0
embedding | words off by one | E | | dE[X[i, t]] -> dE[X[i, t] + 1]
factors | no mask | U V | | mask * (R -> 1 * (R
factors | no 2 | U V | constant_factor | -2 * err @ V -> -err @ V ;; -2 * err.T -> -err.T
factors | dU negative | U | sign_flipped | dU = -2 -> dU = 2
factors | the error not transposed | V | transposed | err.T @ U -> err @ U
factors | no L2 | U V | l2_missing | + 0.2 * U -> # ;; + 0.2 * V -> #
factors | half of the L2 | U V | l2_scale | 0.2 * U -> 0.1 * U ;; 0.2 * V -> 0.1 * V
factors | L2 subtracted | U V | l2_sign | + 0.2 * U -> - 0.2 * U ;; + 0.2 * V -> - 0.2 * V
factors | U already updated | V | updated_weights | dV = -> U = U - 0.1 * dU; dV =
factors | divided by the number of entries | U V | double_batch_mean constant_factor | (R - U @ V.T) -> (R - U @ V.T) / R.size
factors | L2 of the other factor | U | | 0.2 * U -> 0.2 * V
factors | no mask, no L2 in dV | U V | + l2_missing | mask * (R -> 1 * (R ;; + 0.2 * V -> #
autoencoder | the decoder's use forgotten | W | | X.T @ dZ + dO.T @ H -> X.T @ dZ
autoencoder | the encoder's use forgotten | W | | X.T @ dZ + dO.T @ H -> dO.T @ H
autoencoder | the decoder's not transposed | W | transposed | dO.T @ H -> H.T @ dO
autoencoder | W for its transpose | W b | transposed | dO @ p["W"]\n -> dO @ p["W"].T\n
autoencoder | no derivative | W b | act_derivative_missing | dZ = dH * (1 - H**2) -> dZ = dH
autoencoder | tanh twice | W b | act_derivative_wrong_argument | 1 - H**2 -> 1 - np.tanh(H) ** 2
autoencoder | the sigmoid's derivative | W b | act_derivative_wrong_formula | (1 - H**2) -> H * (1 - H)
autoencoder | the decoder's negative | W | sign_flipped | + dO.T @ H -> - dO.T @ H
autoencoder | the square's 2 | W b c | constant_factor | dO = ( -> dO = 2 * (
autoencoder | no mean | W b c | missing_batch_mean | - X) / m -> - X)
autoencoder | dc a scalar | c | bias_axis | dO.sum(axis=0) -> dO.sum()
autoencoder | no derivative, dc a mean | W b c | act_derivative_missing + double_batch_mean | dZ = dH * (1 - H**2) -> dZ = dH ;; dO.sum(axis=0) -> dO.mean(axis=0)
polynomial | sigmoid's derivative on top | w b | output_derivative_extra | dz = a - y -> dz = (a - y) * a * (1 - a)
polynomial | no mean in dw | w | missing_batch_mean | F.T @ dz / m -> F.T @ dz
polynomial | no mean | w b | missing_batch_mean | F.T @ dz / m -> F.T @ dz ;; dz.sum() / m -> dz.sum()
polynomial | L2 missing | w | l2_missing | + 0.1 * p["w"] -> #
polynomial | half of the L2 | w | l2_scale | 0.1 * p -> 0.05 * p
polynomial | L2 subtracted | w | l2_sign | + 0.1 * p -> - 0.1 * p
polynomial | L2 on the bias | b | l2_on_bias | dz.sum() / m -> dz.sum() / m + 0.1 * p["b"]
polynomial | y - a | w b | sign_flipped | dz = a - y -> dz = y - a
polynomial | labels in another order | w | label_error | dz = a - y -> dz = a - np.roll(y, 1)
polynomial | (m,) against (m, 1) | w | label_error | dz = a - y -> dz = (a - y[:, None]).mean(axis=0)
polynomial | a sample left out | w | partial_batch | F.T @ dz -> F[:-1].T @ dz[:-1]
polynomial | L2 missing, no mean | w b | l2_missing + missing_batch_mean | + 0.1 * p["w"] -> # ;; F.T @ dz / m -> F.T @ dz ;; dz.sum() / m -> dz.sum()
huber | as if it were the square | w b | | np.where(np.abs(r) <= 1.0, r, np.sign(r)) -> r
huber | outside without the sign | w b | | np.sign(r)) -> 1.0)
huber | outside zero | w b | | np.sign(r)) -> 0.0)
huber | another threshold | w b | | <= 1.0 -> <= 0.5
huber | y - prediction | w b | sign_flipped | dr = -> dr = -
huber | no mean in dw | w | missing_batch_mean | X.T @ dr / m -> X.T @ dr
huber | twice | w b | constant_factor | dr = -> dr = 2 *
huber | a sample left out | w | partial_batch | X.T @ dr -> X[1:].T @ dr[1:]
softplus | sigmoid of A | W1 b1 | act_derivative_wrong_argument | sigmoid(Z) -> sigmoid(A)
softplus | sigmoid of -Z | W1 b1 | act_derivative_wrong_formula | sigmoid(Z) -> sigmoid(-Z)
softplus | ReLU's derivative | W1 b1 | act_derivative_wrong_formula | sigmoid(Z) -> (Z > 0)
softplus | sigmoid's derivative | W1 b1 | act_derivative_wrong_formula | sigmoid(Z) -> sigmoid(Z) * sigmoid(-Z)
softplus | no derivative | W1 b1 | act_derivative_missing | dZ = dA * sigmoid(Z) -> dZ = dA
softplus | no 2 | W1 b1 W2 b2 | constant_factor | 2 / m -> 1 / m
softplus | no mean | W1 b1 W2 b2 | missing_batch_mean | 2 / m -> 2
softplus | sigmoid of A, dW2 from Z | W1 b1 W2 | act_derivative_wrong_argument + wrong_layer_input | sigmoid(Z) -> sigmoid(A) ;; A.T @ dO -> Z.T @ dO
gelu | only the first term, in layer 1 | W1 | act_derivative_wrong_formula | + Z1 * np.exp(-(Z1**2) / 2) / np.sqrt(2 * np.pi) ->
gelu | only the first term | W1 W2 | act_derivative_wrong_formula | + Z1 * np.exp(-(Z1**2) / 2) / np.sqrt(2 * np.pi) -> ;; + Z2 * np.exp(-(Z2**2) / 2) / np.sqrt(2 * np.pi) ->
gelu | the density without its factor | W1 W2 | act_derivative_wrong_formula | + Z2 * np.exp -> + np.exp
gelu | layer 1's from A | W1 | act_derivative_wrong_argument | (normal_cdf(Z1) + Z1 * np.exp(-(Z1**2) -> (normal_cdf(A1) + A1 * np.exp(-(A1**2)
gelu | layer 1's from Z2 | W1 | wrong_layer_cache | (normal_cdf(Z1) + Z1 * np.exp(-(Z1**2) -> (normal_cdf(Z2) + Z2 * np.exp(-(Z2**2)
gelu | no derivative in layer 1 | W1 | act_derivative_missing | dZ1 = dA1 * -> dZ1 = dA1 + 0 *
gelu | dA2 where dZ2 belongs | W1 | act_derivative_missing wrong_layer_cache | dA1 = dZ2 -> dA1 = dA2
gelu | W2 without its transpose | W1 | transposed | dZ2 @ p["W2"].T -> dZ2 @ p["W2"]
gelu | W2 already updated | W1 | updated_weights | dA1 = dZ2 @ p["W2"].T -> dA1 = dZ2 @ (p["W2"] - 0.1 * A1.T @ dZ2).T
gelu | dW2 from Z1 | W2 | wrong_layer_input | A1.T @ dZ2 -> Z1.T @ dZ2
silu | sigmoid alone | W1 b1 | act_derivative_wrong_formula | (s + Z * s * (1 - s)) -> s
silu | sigmoid's derivative | W1 b1 | act_derivative_wrong_formula | (s + Z * s * (1 - s)) -> s * (1 - s)
silu | the factor Z forgotten | W1 b1 | act_derivative_wrong_formula | (s + Z * s -> (s + s
silu | from A | W1 b1 | act_derivative_wrong_argument | (s + Z * s * (1 - s)) -> (sigmoid(A) + A * sigmoid(A) * (1 - sigmoid(A)))
silu | no mean, db1 a mean | W1 b1 W2 b2 | missing_batch_mean + double_batch_mean | - y) / m -> - y) ;; dZ.sum(axis=0) -> dZ.sum(axis=0) / m**2
heads | the second loss's weight forgotten | W b Wr | constant_factor | 0.3 * (H -> 1.0 * (H
heads | the weight squared in dWr | Wr | constant_factor | H.T @ dR -> H.T @ dR * 0.3
heads | the first head alone | W b | | + dR @ p["Wr"].T -> #
heads | the second head alone | W b | | dC @ p["Wc"].T + dR -> dR
heads | the second head negative | W b | sign_flipped | + dR @ -> - dR @
heads | tanh twice | W b | act_derivative_wrong_argument | 1 - H**2 -> 1 - np.tanh(H) ** 2
heads | no mean in the first | W b Wc | missing_batch_mean | - np.eye(3)[y]) / m -> - np.eye(3)[y])
heads | the first head alone, no derivative | W b | + act_derivative_missing | + dR @ p["Wr"].T -> # ;; dH * (1 - H**2) -> dH
siamese | one branch in dW | W | | + X[:, 1].T @ dZ2 -> #
siamese | one branch in all | W b V | | + X[:, 1].T @ dZ2 -> # ;; + H2.T @ df2 -> # ;; + dZ2.sum(axis=0) -> #
siamese | both branches positive | W b V | sign_flipped | df2 = -df1 -> df2 = df1
siamese | no 2 | W b V | constant_factor | 2 * diff -> diff
siamese | no mask of the hinge | W b V | act_derivative_missing | * (d < 4.0) -> * 1
siamese | the hinge's mask inverted | W b V | act_derivative_wrong_formula | (d < 4.0) -> (d > 4.0)
siamese | the other branch's derivative | W b | wrong_layer_cache | (1 - H2**2) -> (1 - H1**2)
siamese | the other branch's input | W | wrong_layer_input | X[:, 1].T @ dZ2 -> X[:, 0].T @ dZ2
siamese | similar and dissimilar exchanged | W b V | label_error sign_flipped | (y - (1 - y) * (d < 4.0)) -> ((1 - y) - y * (d < 4.0))
siamese | no mean, one branch in dV | W b V | missing_batch_mean + | * (d < 4.0)) / m -> * (d < 4.0)) ;; + H2.T @ df2 -> #
mixture | diagonal of softmax | Wg | softmax_jacobian_diagonal | dS = G * (dG - (dG * G).sum(axis=1, keepdims=True)) -> dS = dG * G * (1 - G)
mixture | no derivative of softmax | Wg | output_derivative_missing act_derivative_missing | dS = G * (dG - (dG * G).sum(axis=1, keepdims=True)) -> dS = dG
mixture | softmax over the batch | Wg | softmax_wrong_axis act_derivative_wrong_formula | (dG * G).sum(axis=1 -> (dG * G).sum(axis=0
mixture | the gate forgotten | We | | dO = G[:, :, None] * -> dO = np.ones_like(G)[:, :, None] *
mixture | dG a mean | Wg | constant_factor | .sum(axis=2) -> .mean(axis=2)
mixture | no 2 | Wg We | constant_factor | dout = 2 * -> dout =
mixture | dWg negative | Wg | sign_flipped | dWg = X -> dWg = -X
mixture | diagonal of softmax, no 2 | Wg We | softmax_jacobian_diagonal + constant_factor | dS = G * (dG - (dG * G).sum(axis=1, keepdims=True)) -> dS = dG * G * (1 - G) ;; dout = 2 * -> dout =
scalar | = for += in a | a | | da += -> da =
scalar | = for += in b | b | | db += -> db =
scalar | the exponential's sign | b | sign_flipped | db += -np -> db += np
scalar | the square of c without 2 | c | constant_factor | dd * 2 * c -> dd * c
scalar | the square of e without 2 | a b c | constant_factor | de = 2 * e -> de = e
scalar | no derivative of tanh | a b c | act_derivative_missing | dt * (1 - t**2) -> dt
scalar | tanh's derivative from d | a b c | act_derivative_wrong_argument | (1 - t**2) -> (1 - d**2)
scalar | the product's factors exchanged | a b | | dd * b -> dd * a ;; db = dd * a -> db = dd * b
highway | the gate's complement forgotten in dT | We Wt bt | | dR * (H - E) -> dR * H
highway | the carry path forgotten | We | | + dR * (1 - T) -> #
highway | the carry path without its factor | We | | + dR * (1 - T) -> + dR
highway | no derivative of the gate | We Wt bt | act_derivative_missing | dA = dT * T * (1 - T) -> dA = dT
highway | the gate's derivative from H | We Wt bt | wrong_layer_cache act_derivative_wrong_argument | dT * T * (1 - T) -> dT * H * (1 - H)
highway | tanh twice | We Wh | act_derivative_wrong_argument | 1 - H**2 -> 1 - np.tanh(H) ** 2
highway | Wt without its transpose | We | transposed | dA @ p["Wt"].T -> dA @ p["Wt"]
highway | Wh and Wt exchanged on the way back | We | wrong_weights | dA @ p["Wt"].T + dB @ p["Wh"].T -> dA @ p["Wh"].T + dB @ p["Wt"].T
highway | dWt from H | Wt | wrong_layer_input | "Wt": E.T -> "Wt": H.T
highway | dWh from dH | Wh | act_derivative_missing wrong_layer_cache | E.T @ dB -> E.T @ dH
highway | dV from H | V | wrong_layer_input | dV = R.T -> dV = H.T
highway | dbt negative | bt | sign_flipped | dA.sum(axis=0) -> -dA.sum(axis=0)
highway | over m alone | We Wt bt Wh V | constant_factor | / y.size -> / len(y)
highway | no derivative of the gate, dV over m again | We Wt bt V | act_derivative_missing + double_batch_mean | dA = dT * T * (1 - T) -> dA = dT ;; dV = R.T @ dO -> dV = R.T @ dO / len(y)
max_pool | to all positions | W1 b1 | | * (P[:, None, :] == H) -> * np.ones_like(H)
max_pool | to the first position | W1 b1 | | (P[:, None, :] == H) -> (np.arange(4) == 0)[:, None]
max_pool | a mean's derivative | W1 b1 | | * (P[:, None, :] == H) -> * np.full_like(H, 1 / 4)
max_pool | tanh's derivative without the square | W1 b1 | act_derivative_wrong_formula | (1 - H**2) -> (1 - H)
max_pool | no derivative | W1 b1 | act_derivative_missing | dZ = dH * (1 - H**2) -> dZ = dH
max_pool | db1 over all axes | b1 | bias_axis | dZ.sum(axis=(0, 1)) -> dZ.sum()
max_pool | db1 of one position | b1 | partial_batch bias_axis | dZ.sum(axis=(0, 1)) -> dZ[:, 0].sum(axis=0)
max_pool | dW2 from a mean | W2 | wrong_layer_input | P.T @ dS -> H.mean(axis=1).T @ dS
max_pool | labels in another order | W1 b1 W2 | label_error | np.eye(3)[y] -> np.eye(3)[y[::-1]]
max_pool | no mean, no derivative | W1 b1 W2 b2 | missing_batch_mean + act_derivative_missing | np.eye(3)[y]) / m -> np.eye(3)[y]) ;; dZ = dH * (1 - H**2) -> dZ = dH
layer_norm | dbeta from dN | beta | wrong_layer_cache wrong_weights | dY.sum(axis=0) -> dN.sum(axis=0)
layer_norm | dW1 twice | W1 | accumulated constant_factor | X.T @ dZ -> 2 * X.T @ dZ
embedding | only the last sample | E | partial_batch | for i in range(m) -> for i in [m - 1]
factors | mean over the rows | U V | double_batch_mean constant_factor | (R - U @ V.T) -> (R - U @ V.T) / len(R)
heads | db a mean | b | double_batch_mean | dZ.sum(axis=0) -> dZ.mean(axis=0)
mixture | experts' gradient of the first sample | We | partial_batch | np.einsum("md,mek->edk", X, dO) -> np.einsum("md,mek->edk", X[:1], dO[:1])
attention | softmax's derivative from S | We Wq Wk | act_derivative_wrong_argument wrong_layer_cache | dS = A * (dA - -> A = Q @ K.mT * scale; dS = A * (dA -
attention | V for K in dQ | We Wq | wrong_layer_cache wrong_layer_input wrong_weights | dS @ K * -> dS @ V *
recurrent | dWx from the first input | Wx | wrong_layer_input | X[:, t].T @ dz -> X[:, 0].T @ dz
siamese | dV from inputs exchanged | V | wrong_layer_input sign_flipped | H1.T @ df1 + H2.T @ df2 -> H2.T @ df1 + H1.T @ df2
"""

# as above, but right: other ways to write the same
RIGHT = r"""
residual | mask from H | | | (Z > 0) -> (H > 0)
recurrent | derivative factored | | | (1 - hs[t + 1] ** 2) -> (1 - hs[t + 1]) * (1 + hs[t + 1])
recurrent | the mean at the end | | | / out.size -> * 1 ;; return g -> return {n: v / out.size for n, v in g.items()}
gate | derivative from z | | | (1 - g**2) -> 1 / np.cosh(z2) ** 2
attention | the scale in dS | | | dQ = -> dS = dS * scale; dQ = ;; dS @ K * scale -> dS @ K ;; Q * scale\n -> Q\n
attention | the Jacobian in full | | | dS = A * (dA - (dA * A).sum(axis=-1, keepdims=True)) -> dS = np.einsum("mnij,mnj->mni", A[..., None] * np.eye(4) - A[..., None] * A[..., None, :], dA)
layer_norm | sums over n | | | dN.mean(axis=1, keepdims=True) -> dN.sum(axis=1, keepdims=True) / dN.shape[1]
batch_norm | the variance's mean with its own path | | | dmu = -(dxhat * ivar).sum(axis=0) -> dmu = -(dxhat * ivar).sum(axis=0) - 2 * dvar * xmu.mean(axis=0)
convolution | einsum | | | return -> dF = np.einsum("mlk,mlc->kc", S, dZ); return
embedding | np.add.at | | | dE[X[i, t]] += -> np.add.at(dE, X[i, t], 0); dE[X[i, t]] +=
factors | the sign inside | | | mask * (R - U @ V.T) -> -mask * (U @ V.T - R)
autoencoder | derivative factored | | | (1 - H**2) -> (1 + H) * (1 - H)
huber | clipped | | | np.where(np.abs(r) <= 1.0, r, np.sign(r)) -> np.clip(r, -1, 1)
softplus | derivative from A | | | sigmoid(Z) -> (1 - np.exp(-A))
silu | derivative from A and s | | | (s + Z * s * (1 - s)) -> (A + s * (1 - A))
siamese | branches stacked | | | X[:, 0].T @ dZ1 + X[:, 1].T @ dZ2 -> np.concatenate([X[:, 0], X[:, 1]]).T @ np.concatenate([dZ1, dZ2])
"""


def rewritten(m: Model, words: str, edits: str) -> Function:
    """The text of a backprop with words replaced, as a function of its own."""
    source = inspect.getsource(m.manual)
    source = source[source.index("def ") :]
    for edit in edits.split(" ;; "):
        old, _, new = edit.replace("\\n", "\n").partition(" ->")
        new = new.removeprefix(" ")
        if source.count(old) != 1:
            raise ValueError(f"{m.name}, {words}: {old!r} occurs {source.count(old)} times")
        source = source.replace(old, new)
    file = f"<{m.name}, {words}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    space = dict(globals())
    exec(compile(source, file, "exec"), space)  # noqa: S102  # the table above
    return space[m.name]  # type: ignore[no-any-return]


def read(table: str) -> list[Case]:
    """The cases of a table."""
    found = []
    for line in table.strip().splitlines():
        name, words, wrong, accepted, edits = (part.strip() for part in line.split("|", 4))
        m = MODELS[name]
        sets = tuple(frozenset(part.split()) for part in accepted.split("+"))
        found.append(Case(f"{name}: {words}", m, rewritten(m, words, edits), tuple(wrong.split()), sets if wrong else ()))
    return found


MISTAKEN_CASES = read(MISTAKEN)
RIGHT_CASES = [Case(f"{m.name}: as it is", m, m.manual) for m in MODELS.values()] + read(RIGHT)
