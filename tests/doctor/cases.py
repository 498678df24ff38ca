"""The table of backprops by hand on which the doctor is measured: mistaken ones, with the label of the mistake, and right ones.

``labels`` holds a set of acceptable labels a mistake: more than one where two labels are the same formula on any data. Which parameters
are wrong is not typed: it is measured against the engine's gradients (:func:`truly_wrong`), without the doctor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn

from .forms import Loss, Manual, Net, State, activate, data_of, loss_of, manual_of, seed_002, seed_003, seed_004, sigmoid, softmax

Array = Any
S = State


@dataclass(frozen=True)
class Case:
    """One question to the doctor. ``make`` builds the backprop anew, since some keep a state; no ``labels``: it is right."""

    name: str
    loss: Loss
    make: Callable[[], Manual]
    data: tuple[Any, Any, dict[str, Array]]
    labels: tuple[frozenset[str], ...] = ()
    tolerance: float = 1e-6


MISTAKEN: list[Case] = []
RIGHT: list[Case] = []


def options(text: str) -> tuple[frozenset[str], ...]:
    """ "a|b + c": a mistake that may be called a or b, and a mistake called c."""
    return tuple(frozenset(part.strip().split("|")) for part in text.split("+"))


def tolerance_of(net: Net) -> float:
    """Below this a difference is noise of the arithmetic."""
    return 2e-4 if net.dtype == "float32" else 1e-6


def bad(name: str, labels: str, net: Net, manual: Manual | None = None, **steps: Any) -> None:
    """A mistaken backprop of a network."""
    MISTAKEN.append(
        Case(name, loss_of(net), lambda: manual or manual_of(net, **steps), data_of(net), options(labels), tolerance_of(net))
    )


def good(name: str, net: Net, manual: Manual | None = None, tolerance: float = 0.0, **steps: Any) -> None:
    """A right one."""
    RIGHT.append(
        Case(name, loss_of(net), lambda: manual or manual_of(net, **steps), data_of(net), (), tolerance or tolerance_of(net))
    )


def truth(case: Case) -> dict[str, Array]:
    """The engine's gradients."""
    X, y, params = case.data
    leaves = {n: tg.Tensor(p, requires_grad=True) for n, p in params.items()}
    case.loss(X, y, leaves).backward()
    return {n: np.zeros_like(params[n]) if t.grad is None else np.array(t.grad) for n, t in leaves.items()}


def given(case: Case, calls: int = 1) -> dict[str, Array] | None:
    """What the backprop by hand returns at the last of some calls; None if it raises."""
    X, y, params = case.data
    manual = case.make()
    result: Any = None
    for _ in range(calls):
        inputs = (
            {n: v.copy() for n, v in X.items()}
            if isinstance(X, dict)
            else tuple(x.copy() for x in X)
            if isinstance(X, tuple)
            else X.copy()
        )
        with np.errstate(all="ignore"):
            result = manual(inputs, y.copy(), {n: p.copy() for n, p in params.items()})
    if isinstance(result, tuple):
        result = next(part for part in result if isinstance(part, dict))
    if isinstance(result, list):
        result = dict(zip(params, result, strict=True))
    return {
        n: np.array(next((result[k] for k in (n, "d" + n, "grad_" + n) if k in result and result[k] is not None), 0.0))
        for n in params
    }


def differences(case: Case, calls: int = 1) -> dict[str, float]:
    """By how much each gradient is off, over the larger norm; infinite if its shape is another one."""
    true, mine = truth(case), given(case, calls)
    found = {}
    for n, t in true.items():
        g = np.asarray((mine or {})[n], dtype=float)
        if not g.any() and g.ndim == 0:
            g = np.zeros_like(t)
        if g.size != t.size or [k for k in g.shape if k > 1] != [k for k in t.shape if k > 1]:
            found[n] = float("inf")
            continue
        top = max(float(np.linalg.norm(g)), float(np.linalg.norm(t)))
        found[n] = float(np.linalg.norm(g.reshape(t.shape) - t)) / top if top > 1e-12 else 0.0
    return found


def truly_wrong(case: Case) -> list[str]:
    """The parameters whose gradient is wrong; of one that keeps a state, at the second call."""
    once = [n for n, d in differences(case).items() if d > case.tolerance]
    return once or [n for n, d in differences(case, 2).items() if d > case.tolerance]


# --- steps gone wrong ---------------------------------------------------------------------------------------------------------------------


def undivided(s: S) -> float:
    return 1.0


def divided_twice(s: S) -> float:
    return float(s.count()) ** 2


def of(function: Callable[[Array], Array]) -> Callable[[S, int], Array]:
    """A derivative as a function of the activation."""
    return lambda s, l: function(s.H[l])


def of_z(function: Callable[[Array], Array]) -> Callable[[S, int], Array]:
    """A derivative as a function of z."""
    return lambda s, l: function(s.Z[l])


def at(layer: int, step: str, function: Callable[..., Array]) -> dict[str, Any]:
    """A step replaced in one layer only."""
    return {step: lambda s, l, *rest: function(s, l, *rest) if l == layer else getattr(s, step)(l, *rest)}


def no_derivative(s: S, l: int, dA: Array) -> Array:
    return dA


def zero(s: S, l: int, dZ: Array) -> Array:
    return getattr(s, "weight")(l, dZ) * 0  # noqa: B009


def minus_output(s: S) -> Array:
    return -s.output()


def no_output_derivative(s: S, g: Array) -> Array:
    return g


def inverted(s: S, l: int) -> Array:
    return (s.Z[l] <= 0).astype(float)


def overwritten(s: S, l: int, dA: Array) -> Array:
    dA = dA.copy()
    dA[s.Z[l] > 0] = 1
    dA[s.Z[l] <= 0] = 0
    return dA


def untransposed(s: S, l: int, dZ: Array) -> Array:
    return dZ @ s.W[l]


def updating(lr: float) -> Callable[[S, int, Array], Array]:
    """W already updated when it propagates."""
    return lambda s, l, dZ: dZ @ (s.W[l] - lr * s.grads[f"W{l}"]).T


def label_shift(k: int) -> Callable[[S], Array]:
    return lambda s: np.eye(s.net.sizes[-1])[(s.y + k) % s.net.sizes[-1]]


def rolled(s: S) -> Array:
    return np.roll(s.targets(), 1, axis=0)


def undropped(s: S, l: int, dA: Array) -> Array:
    return dA


def unscaled(s: S, l: int, dA: Array) -> Array:
    return dA * s.masks[l - 1]


def one_short(s: S, l: int, dZ: Array) -> Array:
    return s.A[l - 1][:-1].T @ dZ[:-1] / s.count()


def bias_one_short(s: S, l: int, dZ: Array) -> Array:
    return dZ[:-1].sum(axis=0) / s.count()


def last_only(s: S, l: int, dZ: Array) -> Array:
    for i in range(s.m):
        dW = np.outer(s.A[l - 1][i], dZ[i]) / s.count()
    return dW


def bias_last_only(s: S, l: int, dZ: Array) -> Array:
    for i in range(s.m):
        db = dZ[i] / s.count()
    return db


def running(s: S, l: int, dZ: Array) -> Array:
    """A sum that is added again at each sample."""
    total, part = np.zeros_like(s.W[l]), np.zeros_like(s.W[l])
    for i in range(s.m):
        part += np.outer(s.A[l - 1][i], dZ[i]) / s.count()
        total += part
    return total


def constant(c: float, l2: bool = False) -> Callable[[S], float]:
    return lambda s: s.count() / c


def penalised(factor: float, biases: bool = False, only: str = "") -> dict[str, Any]:
    """The L2 term times a factor, perhaps on the biases too."""

    def penalty(s: S, name: str, value: Array) -> Array:
        plain = {"half": 1.0, "plain": 2.0, "over_m": 1.0 / s.m}[s.net.l2_kind] * s.net.l2 * value
        if name.startswith("b"):
            return plain if biases else value * 0
        return plain * (factor if only in ("", name) else 1.0)

    return {"penalty": penalty}


TWO, THREE, FOUR = Net(), Net(sizes=(4, 5, 6, 3)), Net(sizes=(3, 5, 4, 6, 2), m=9)
RELU = Net(act="relu", m=9)
RELU3 = Net(sizes=(4, 6, 5, 3), act="relu", m=11, seed=2)
SIGMOID = Net(act="sigmoid", loss="mse", out="sigmoid", scale=1.5)
LEAKY = Net(act="leaky", m=8, seed=3)
LOGISTIC = Net(sizes=(5, 1), loss="bce", m=8)
SOFTMAX1 = Net(sizes=(5, 3), loss="ce", m=8)
SQUARE = Net(sizes=(5, 5, 5, 3), m=8, seed=4)
SQUARE_RELU = Net(sizes=(5, 5, 5, 3), act="relu", m=11, seed=5)
BINARY = Net(sizes=(4, 6, 5, 1), act="relu", loss="bce_p", out="sigmoid", m=10, seed=6)
MSE = Net(loss="mse", seed=7)
SUM = Net(reduction="sum", seed=8)
EPS = Net(loss="ce_eps", eps=1e-2, seed=9)
DROP = Net(sizes=(4, 8, 3), act="relu", keep=0.75, m=10, seed=10, masks="tuple")
L2 = Net(l2=0.3, seed=11)
COLUMN = Net(sizes=(4, 5, 5, 3), column=True, m=8, seed=12)

# --- 1/m and constants
for net, tag in [
    (TWO, "tanh"),
    (RELU3, "relu, 3 layers"),
    (LOGISTIC, "logistic"),
    (FOUR, "4 layers"),
    (COLUMN, "columns"),
    (RELU.but(dtype="float32"), "float32"),
]:
    bad(f"sum gradient, {tag}", "missing_batch_mean", net, count=undivided)
    bad(f"1/m twice, {tag}", "double_batch_mean", net, count=divided_twice)
bad(
    "sum gradient, eps 1e-7", "missing_batch_mean", Net(loss="ce_eps", act="relu", m=9), output=lambda s: s.P - s.Y, count=undivided
)
bad("biases not divided", "missing_batch_mean", TWO, bias=lambda s, l, dZ: dZ.sum(axis=0))
bad("one bias not divided", "missing_batch_mean", THREE, **at(2, "bias", lambda s, l, dZ: dZ.sum(axis=0)))
bad("weights not divided", "missing_batch_mean", THREE, weight=lambda s, l, dZ: s.A[l - 1].T @ dZ)
bad("biases by mean of a mean", "double_batch_mean", TWO, bias=lambda s, l, dZ: (dZ / s.m).mean(axis=0))
bad("one layer divided twice", "double_batch_mean", THREE, **at(2, "weight", lambda s, l, dZ: s.A[l - 1].T @ dZ / s.m**2))
# a mean instead of the sum: the catalogue files it under double_batch_mean, as a number it is the constant 1/m
bad("sum loss, mean gradient", "double_batch_mean|constant_factor", SUM, count=lambda s: s.m)
bad("hard-coded batch 8 of 5", "constant_factor", Net(m=5, seed=20), count=lambda s: 8)
bad("hard-coded batch 32 of 13, relu", "constant_factor", RELU.but(m=13, seed=21), count=lambda s: 32)
bad("hard-coded batch 16 of 10, logistic", "constant_factor", LOGISTIC.but(m=10), count=lambda s: 16)
bad("m − 1 for m", "constant_factor", TWO, count=lambda s: s.m - 1)
bad("the 2 of the square missing", "constant_factor", MSE, output=lambda s: s.P - s.Y)
bad("the 2 of the square too much", "constant_factor", Net(loss="mse_half", seed=22), output=lambda s: 2 * (s.P - s.Y))
bad("mse divided by m, not by entries", "constant_factor", MSE, count=lambda s: s.m)
bad("mse sum, the 2 missing", "constant_factor", Net(loss="mse", reduction="sum", seed=23), output=lambda s: s.P - s.Y)
bad("mse undivided", "missing_batch_mean|constant_factor", MSE, count=undivided)  # by entries: both names are in use
bad("seed 002 as a sum", "missing_batch_mean", THREE, seed_002("sum"))
bad("seed 002, 1/m twice", "double_batch_mean", THREE, seed_002("twice"))
bad("seed 003 as written", "missing_batch_mean", RELU.but(loss="ce_eps", keepdims=True), seed_003("as_written"))
bad("seed 004, batch_size 32 of 16", "constant_factor", BINARY.but(m=16, keepdims=True), seed_004(batch_size=32))

# --- signs
bad("y − a", "sign_flipped", TWO, output=minus_output)
bad("y − a, logistic", "sign_flipped", LOGISTIC, output=minus_output)
bad("sign of one bias", "sign_flipped", THREE, **at(1, "bias", lambda s, l, dZ: -s.bias(l, dZ)))
bad("sign when propagating", "sign_flipped", RELU3, **at(3, "propagate", lambda s, l, dZ: -s.propagate(l, dZ)))
bad("sign of one weight, sigmoid", "sign_flipped", SIGMOID, **at(1, "weight", lambda s, l, dZ: -s.weight(l, dZ)))

# --- activations' derivatives
for net, tag in [
    (TWO, "tanh"),
    (RELU, "relu"),
    (SIGMOID, "sigmoid"),
    (LEAKY, "leaky"),
    (RELU3.but(keepdims=True), "relu 3"),
    (COLUMN, "columns"),
]:
    bad(f"no derivative, {tag}", "act_derivative_missing", net, hidden=no_derivative)
bad("no derivative in layer 2 of 3", "act_derivative_missing", RELU3, **at(2, "hidden", no_derivative))
bad("no derivative in layer 1 of 4", "act_derivative_missing", FOUR, **at(1, "hidden", no_derivative))
bad("seed 003 without the mask", "act_derivative_missing", RELU.but(keepdims=True), seed_003("no_mask"))
bad("seed 004 without masks", "act_derivative_missing", BINARY.but(keepdims=True), seed_004("no_mask"))
bad("1 − Z²", "act_derivative_wrong_argument", TWO, derivative=of_z(lambda z: 1 - z**2))
bad("1 − tanh(A)²", "act_derivative_wrong_argument", THREE, derivative=of(lambda a: 1 - np.tanh(a) ** 2))
bad("1 − tanh(A)², layer 1 of 3", "act_derivative_wrong_argument", THREE, **at(1, "derivative", of(lambda a: 1 - np.tanh(a) ** 2)))
bad("sigmoid'(A)", "act_derivative_wrong_argument", SIGMOID, derivative=of(lambda a: sigmoid(a) * (1 - sigmoid(a))))
bad("Z (1 − Z)", "act_derivative_wrong_argument", SIGMOID, derivative=of_z(lambda z: z * (1 - z)))
bad("1 − Z², columns", "act_derivative_wrong_argument", COLUMN, **at(2, "derivative", of_z(lambda z: 1 - z**2)))
bad("A²", "act_derivative_wrong_formula", TWO, derivative=of(lambda a: a**2))
bad("seed 002, A²", "act_derivative_wrong_formula", THREE, seed_002("no_one"))
bad("1 − A", "act_derivative_wrong_formula", TWO, derivative=of(lambda a: 1 - a))
bad("1 + A²", "act_derivative_wrong_formula", TWO, derivative=of(lambda a: 1 + a**2))
bad("A (1 − A) for tanh", "act_derivative_wrong_formula", THREE, derivative=of(lambda a: a * (1 - a)))
bad("1 − A² for sigmoid", "act_derivative_wrong_formula", SIGMOID, derivative=of(lambda a: 1 - a**2))
bad("A (1 + A) for sigmoid", "act_derivative_wrong_formula", SIGMOID, derivative=of(lambda a: a * (1 + a)))
bad("mask inverted", "act_derivative_wrong_formula", RELU, derivative=inverted)
bad("mask inverted in one layer", "act_derivative_wrong_formula", RELU3, **at(2, "derivative", inverted))
bad("seed 003, mask inverted", "act_derivative_wrong_formula", RELU.but(keepdims=True), seed_003("inverted"))
bad("upstream overwritten", "act_derivative_wrong_formula", RELU, hidden=overwritten)
bad("seed 003, upstream overwritten", "act_derivative_wrong_formula", RELU.but(keepdims=True), seed_003("overwritten"))
bad("ReLU's mask for leaky", "act_derivative_wrong_formula", LEAKY, derivative=of_z(lambda z: (z > 0).astype(float)))
bad("ReLU's mask for tanh", "act_derivative_wrong_formula", TWO, derivative=of_z(lambda z: (z > 0).astype(float)))
bad("tanh's derivative for relu", "act_derivative_wrong_formula", RELU, derivative=of(lambda a: 1 - a**2))

# --- the wrong layer's
other = lambda s, l: S.derivative(s, 3 - l)  # noqa: E731
bad("the other layer's derivative", "wrong_layer_cache", SQUARE, **at(2, "derivative", other))
bad("the other layer's derivative, below", "wrong_layer_cache", SQUARE, **at(1, "derivative", other))
bad("the other layer's mask", "wrong_layer_cache", SQUARE_RELU, **at(1, "derivative", other))
bad("seed 002, A1 for A2", "wrong_layer_cache", SQUARE, seed_002("cache"))
bad("dW1 from dZ2", "wrong_layer_cache", SQUARE, **at(1, "weight", lambda s, l, dZ: s.weight(1, s.dZ[2])))
bad("db1 from dZ2", "wrong_layer_cache", SQUARE_RELU, **at(1, "bias", lambda s, l, dZ: s.bias(1, s.dZ[2])))
bad("dW2 from Z1", "wrong_layer_input", TWO, **at(2, "weight", lambda s, l, dZ: s.Z[1].T @ dZ / s.m))
bad("dW3 from Z2, relu", "wrong_layer_input", RELU3, **at(3, "weight", lambda s, l, dZ: s.Z[2].T @ dZ / s.m))
bad("dW2 from X", "wrong_layer_input", SQUARE, **at(2, "weight", lambda s, l, dZ: s.X.T @ dZ / s.m))
bad("dW3 from A1", "wrong_layer_input", SQUARE_RELU, **at(3, "weight", lambda s, l, dZ: s.A[1].T @ dZ / s.m))
bad("dW2 from A2", "wrong_layer_input", SQUARE, **at(2, "weight", lambda s, l, dZ: s.A[2].T @ dZ / s.m))
bad("dW2 from the undropped", "wrong_layer_input", DROP, **at(2, "weight", lambda s, l, dZ: s.H[1].T @ dZ / s.m))
bad("dW2 from Z1, columns", "wrong_layer_input", COLUMN, **at(2, "weight", lambda s, l, dZ: s.Z[1].T @ dZ / s.m))

# --- the output
fused_extra = lambda s: (s.P - s.Y) * s.P * (1 - s.P)  # noqa: E731
bad("sigmoid' on top of the fused", "output_derivative_extra", LOGISTIC, output=fused_extra)
bad("sigmoid' on top, 3 layers", "output_derivative_extra", BINARY.but(loss="bce"), output=fused_extra)
bad("seed 004, sigmoid' on top", "output_derivative_extra", BINARY.but(keepdims=True), seed_004("extra"))
bad("P (1 − P) on top of p − y", "output_derivative_extra", TWO, output=fused_extra)


def jacobian_on_top(s: S) -> Array:
    g = s.P - s.Y
    return s.P * (g - (g * s.P).sum(axis=1, keepdims=True))


bad("softmax' on top of p − y", "output_derivative_extra", RELU, output=jacobian_on_top)
bad("softmax' on top, eps", "output_derivative_extra", Net(loss="ce_composed", seed=30), output=jacobian_on_top)
bad("mse of a sigmoid without sigmoid'", "output_derivative_missing", SIGMOID, output_derivative=no_output_derivative)
bad("mse of a tanh without tanh'", "output_derivative_missing", MSE.but(out="tanh"), output_derivative=no_output_derivative)
bad(
    "mse of a softmax without its Jacobian",
    "output_derivative_missing",
    MSE.but(out="softmax"),
    output_derivative=no_output_derivative,
)
bad("bce without sigmoid'", "output_derivative_missing", BINARY, output=lambda s: -s.Y / s.P + (1 - s.Y) / (1 - s.P))
bad(
    "seed 004 general without sigmoid'",
    "output_derivative_missing",
    BINARY.but(keepdims=True),
    seed_004("no_sigmoid", general=True),
)
bad("ce without softmax'", "output_derivative_missing", Net(loss="ce_eps", seed=31), output=lambda s: -s.Y / s.P)
# the output's sigmoid is no hidden activation, but it is a derivative fed with A for Z: the catalogue has no other name for it
bad(
    "seed 004 general, sigmoid'(a)",
    "act_derivative_wrong_argument",
    BINARY.but(keepdims=True),
    seed_004("sigmoid_of_a", general=True),
)
bad("ce, softmax diagonal", "softmax_jacobian_diagonal", Net(loss="ce_eps", seed=32), output=lambda s: -s.Y / s.P * s.P * (1 - s.P))
bad("ce of logits, softmax diagonal", "softmax_jacobian_diagonal", RELU, output=lambda s: -s.Y * (1 - s.P))
bad(
    "mse, softmax diagonal", "softmax_jacobian_diagonal", MSE.but(out="softmax"), output_derivative=lambda s, g: g * s.P * (1 - s.P)
)
bad("softmax over samples", "softmax_wrong_axis", TWO, predict=lambda s, Z: softmax(Z, 0))
bad("softmax over everything", "softmax_wrong_axis", RELU, predict=lambda s, Z: softmax(Z, None))
bad("seed 002, softmax over samples", "softmax_wrong_axis", THREE, seed_002("axis"))
bad("softmax regression over samples", "softmax_wrong_axis", SOFTMAX1, predict=lambda s, Z: softmax(Z, 0))

# --- products
bad("W2 without T", "transposed", SQUARE, **at(2, "propagate", untransposed))
bad("W2 without T, relu", "transposed", SQUARE_RELU, **at(2, "propagate", untransposed))
bad("dW2 transposed", "transposed", SQUARE, **at(2, "weight", lambda s, l, dZ: s.weight(l, dZ).T))
bad("dW2 transposed, not square", "transposed", THREE, **at(2, "weight", lambda s, l, dZ: s.weight(l, dZ).T))
bad("W2 without T, columns", "transposed", COLUMN, **at(2, "propagate", untransposed))
bad(
    "all weights' gradients transposed",
    "transposed",
    Net(sizes=(5, 5, 5), loss="mse", m=8, seed=33),
    weight=lambda s, l, dZ: dZ.T @ s.A[l - 1] / s.count(),
)
bad("seed 002, square, without T", "transposed", Net(sizes=(4, 4, 4, 4), m=9, seed=34), seed_002("no_T"))
bad("W1 for W2", "wrong_weights", SQUARE, **at(2, "propagate", lambda s, l, dZ: dZ @ s.W[1].T))
bad("W2 for W3", "wrong_weights", Net(sizes=(3, 4, 4, 4), m=7, seed=35), **at(3, "propagate", lambda s, l, dZ: dZ @ s.W[2].T))
bad("dW2 for W2", "wrong_weights", TWO, propagate=lambda s, l, dZ: dZ @ s.grads[f"W{l}"].T)
bad("dW3 for W3", "wrong_weights", RELU3, **at(3, "propagate", lambda s, l, dZ: dZ @ s.grads["W3"].T))
bad(
    "seed 004, W_next not advanced",
    "wrong_weights",
    Net(sizes=(4, 4, 4, 4), act="relu", loss="bce_p", out="sigmoid", m=16, seed=36),
    seed_004("not_advanced"),
)
for net, lr, tag in [
    (TWO, 0.1, "lr 0.1"),
    (RELU3, 0.5, "relu 3, lr 0.5"),
    (FOUR, 1.0, "4 layers, lr 1"),
    (COLUMN, 0.01, "columns, lr 0.01"),
    (LEAKY, 0.3, "leaky"),
]:
    bad(f"updated before use, {tag}", "updated_weights", net, propagate=updating(lr))
bad("seed 003, updated before use", "updated_weights", RELU.but(keepdims=True), seed_003("updated"))
bad("seed 004, updated before use", "updated_weights", BINARY.but(keepdims=True), seed_004("updated"))

# --- biases, zeros
bad(
    "db over the wrong axis, m = width",
    "bias_axis",
    Net(sizes=(4, 7, 3), m=7, seed=40),
    **at(1, "bias", lambda s, l, dZ: dZ.sum(axis=1) / s.m),
)
bad("db over the wrong axis, shape (m,)", "bias_axis", TWO, bias=lambda s, l, dZ: dZ.sum(axis=1) / s.m)
bad("db a scalar", "bias_axis", THREE, bias=lambda s, l, dZ: dZ.sum() / s.m)
bad("db the same scalar everywhere", "bias_axis", RELU3, **at(2, "bias", lambda s, l, dZ: np.full(dZ.shape[1], dZ.sum() / s.m)))
bad(
    "seed 003, np.sum without axis, mean of it",
    "bias_axis",
    RELU.but(keepdims=True),
    **at(1, "bias", lambda s, l, dZ: np.sum(dZ) / s.m),
)
bad("db not reduced", "bias_axis", TWO, **at(1, "bias", lambda s, l, dZ: dZ / s.m))
bad("dW1 zero", "gradient_zero", TWO, **at(1, "weight", zero))
bad("biases zero", "gradient_zero", RELU, bias=lambda s, l, dZ: np.zeros(dZ.shape[1]))
bad("db2 zero", "gradient_zero", THREE, **at(2, "bias", lambda s, l, dZ: np.zeros(dZ.shape[1])))
bad("nothing below the output", "gradient_zero", RELU3, **at(3, "propagate", lambda s, l, dZ: np.zeros((s.m, 5))))
bad("b1 not returned", "gradient_zero", TWO, finish=lambda s: s.grads.pop("b1"))
bad("first layer None", "gradient_zero", SIGMOID, finish=lambda s: s.grads.pop("W1") is s.grads.pop("b1"))

# --- L2
bad("no L2", "l2_missing", L2, **penalised(0.0))
bad("no L2 on W1", "l2_missing", L2, **penalised(0.0, only="W1"))
bad("no L2, λ/2m", "l2_missing", L2.but(l2_kind="over_m", l2=0.9, act="relu", m=9), **penalised(0.0))
bad("λW for λ‖W‖²", "l2_scale", L2.but(l2_kind="plain"), **penalised(0.5))
bad("2λW for (λ/2)‖W‖²", "l2_scale", L2, **penalised(2.0))
bad("λW for (λ/2m)‖W‖²", "l2_scale", L2.but(l2_kind="over_m", l2=0.9), **penalised(7.0))
bad("λW/m for (λ/2)‖W‖²", "l2_scale", L2, **penalised(1 / 7))
bad("−λW", "l2_sign", L2, **penalised(-1.0))
bad("−λW, logistic", "l2_sign", LOGISTIC.but(l2=0.2), **penalised(-1.0))
bad("λb too", "l2_on_bias", L2, **penalised(1.0, biases=True))
bad("λb too, plain, relu", "l2_on_bias", RELU.but(l2=0.2, l2_kind="plain"), **penalised(1.0, biases=True))
bad("λb too, logistic", "l2_on_bias", LOGISTIC.but(l2=0.4), **penalised(1.0, biases=True))

# --- eps and clip
fused = lambda s: s.P - s.Y  # noqa: E731
bad("eps 1e-2 ignored, ce", "eps_ignored", EPS, output=fused)
bad("eps 1e-1 ignored, ce, relu", "eps_ignored", EPS.but(eps=0.1, act="relu", m=9), output=fused)
bad("eps 1e-2 ignored, wide logits", "eps_ignored", EPS.but(scale=2.5), output=fused)
bad("eps 1e-2 ignored, bce", "eps_ignored", LOGISTIC.but(loss="bce_eps", out="sigmoid", eps=1e-2), output=fused)
bad("eps 1e-3 ignored, bce, confident", "eps_ignored", BINARY.but(loss="bce_eps", eps=1e-3, scale=2.0), output=fused)
bad("clip 0.1 ignored", "eps_ignored", LOGISTIC.but(loss="bce_clip", out="sigmoid", eps=0.1, scale=2.0), output=fused)
bad(
    "clip 0.2 ignored, 2 layers",
    "eps_ignored",
    Net(sizes=(4, 5, 1), loss="bce_clip", out="sigmoid", eps=0.2, m=9, scale=2.0),
    output=fused,
)
bad("eps 1e-7 ignored, gaps of 16", "eps_ignored", SOFTMAX1.but(loss="ce_eps", scale=12.0, seed=1), output=fused)

# --- dropout
bad("mask not applied", "dropout_mask", DROP, dropped=undropped)
bad("mask not applied, dict", "dropout_mask", DROP.but(masks="dict", act="tanh"), dropped=undropped)
bad("mask not applied, closure", "dropout_mask", DROP.but(masks="closure"), dropped=undropped)
bad("1/keep not applied", "dropout_mask", DROP, dropped=unscaled)
bad("1/keep not applied, 3 layers", "dropout_mask", DROP.but(sizes=(4, 8, 7, 3), act="tanh", masks="dict"), dropped=unscaled)
bad("mask not applied, not inverted", "dropout_mask", DROP.but(scaled=False), dropped=undropped)
bad("mask not applied in layer 1 of 3", "dropout_mask", DROP.but(sizes=(4, 8, 7, 3)), **at(1, "dropped", undropped))

# --- labels
bad("labels off by one", "label_error", TWO, targets=label_shift(1))
bad("labels off by one, downwards", "label_error", RELU.but(sizes=(4, 5, 4)), targets=label_shift(-1))
bad("seed 003, labels off by one", "label_error", RELU.but(keepdims=True), seed_003("shifted"))
bad("labels of the row before", "label_error", THREE, targets=rolled)
bad("targets of the row before, mse", "label_error", MSE, targets=rolled)
bad("(m, 1) against (m,)", "label_error", LOGISTIC, output=lambda s: s.P - s.Y.reshape(-1))
bad("(m, 1) against (m,), averaged", "label_error", LOGISTIC, output=lambda s: (s.P - s.Y.reshape(-1)).mean(axis=1, keepdims=True))

# --- samples
bad("the loop one short", "partial_batch", TWO, weight=one_short, bias=bias_one_short)
bad("the loop one short, weights, relu", "partial_batch", RELU3, weight=one_short)
bad("= for +=", "partial_batch", TWO, weight=last_only, bias=bias_last_only)
bad("= for += in one weight", "partial_batch", THREE, **at(2, "weight", last_only))
bad("= for += in the biases", "partial_batch", LOGISTIC, bias=bias_last_only)
bad(
    "the first sample left out",
    "partial_batch",
    SOFTMAX1,
    weight=lambda s, l, dZ: s.A[l - 1][1:].T @ dZ[1:] / s.m,
    bias=lambda s, l, dZ: dZ[1:].sum(0) / s.m,
)
# twice the gradient is the constant 2, on any data
bad("dW1 added twice", "accumulated|constant_factor", TWO, **at(1, "weight", lambda s, l, dZ: s.weight(l, dZ) + s.weight(l, dZ)))
bad(
    "everything added twice",
    "accumulated|constant_factor",
    RELU,
    weight=lambda s, l, dZ: 2 * s.weight(l, dZ),
    bias=lambda s, l, dZ: 2 * s.bias(l, dZ),
)
bad("the running sum added", "accumulated", TWO, weight=running)
bad(
    "dW3's buffer not cleared",
    "accumulated",
    Net(sizes=(4, 5, 5, 5), seed=41),
    **at(2, "weight", lambda s, l, dZ: s.weight(l, dZ) + s.grads["W3"]),
)


def keeping(net: Net) -> Callable[[], Manual]:
    """Gradients that are added to those of the call before."""

    def make() -> Manual:
        kept: dict[str, Array] = {}
        plain = manual_of(net)

        def manual(X: Any, y: Any, p: dict[str, Array]) -> dict[str, Array]:
            for n, g in plain(X, y, p).items():
                kept[n] = kept.get(n, 0) + g
            return {n: g.copy() for n, g in kept.items()}

        return manual

    return make


MISTAKEN.extend(
    Case(f"not cleared between calls, {net.act}", loss_of(net), keeping(net), data_of(net), options("accumulated"))
    for net in (TWO, BINARY)
)


def at_kink(net: Net) -> tuple[Any, Any, dict[str, Array]]:
    """Data on which some Z1 are exactly 0."""
    X, y, params = data_of(net)
    X[:2] = 0
    params["b1"][...] = 0
    return X, y, params


for net in (RELU, RELU3, RELU.but(sizes=(3, 6, 2), loss="mse", m=8)):
    name = "x".join(map(str, net.sizes))
    steps = {"derivative": of_z(lambda z: (z >= 0).astype(float))}
    MISTAKEN.append(
        Case(
            f"Z >= 0, {name}",
            loss_of(net),
            lambda net=net, steps=steps: manual_of(net, **steps),
            at_kink(net),
            options("relu_kink"),
        )
    )

# --- two at once
bad("pair: no 1/m, no derivative", "missing_batch_mean + act_derivative_missing", RELU, count=undivided, hidden=no_derivative)
bad("pair: no 1/m, sign", "missing_batch_mean + sign_flipped", TWO, count=undivided, output=minus_output)
bad(
    "pair: 1/m twice, inverted mask",
    "double_batch_mean + act_derivative_wrong_formula",
    RELU,
    count=divided_twice,
    derivative=inverted,
)
bad(
    "pair: no derivative, db2 zero",
    "act_derivative_missing + gradient_zero",
    TWO,
    hidden=no_derivative,
    **at(2, "bias", lambda s, l, dZ: np.zeros(3)),
)
bad("pair: labels, no 1/m", "label_error + missing_batch_mean", TWO, targets=label_shift(1), count=undivided)
bad("pair: no L2, sum", "l2_missing + missing_batch_mean", L2, count=undivided, **penalised(0.0))
bad(
    "pair: L2 on biases, no derivative",
    "l2_on_bias + act_derivative_missing",
    L2,
    hidden=no_derivative,
    **penalised(1.0, biases=True),
)
bad(
    "pair: W without T, no derivative in layer 2",
    "transposed + act_derivative_missing",
    SQUARE,
    **at(2, "propagate", untransposed),
    **at(2, "hidden", no_derivative),
)
bad(
    "pair: hard-coded batch, no derivative",
    "constant_factor + act_derivative_missing",
    RELU.but(m=11),
    count=lambda s: 16,
    hidden=no_derivative,
)
bad("pair: no mask, sum", "dropout_mask + missing_batch_mean", DROP, dropped=undropped, count=undivided)
bad("pair: softmax axis, sum", "softmax_wrong_axis + missing_batch_mean", TWO, predict=lambda s, Z: softmax(Z, 0), count=undivided)
bad(
    "pair: updated, wrong argument",
    "updated_weights + act_derivative_wrong_argument",
    TWO,
    propagate=updating(0.2),
    derivative=of(lambda a: 1 - np.tanh(a) ** 2),
)
bad(
    "pair: dW2 from Z1, sign of db1",
    "wrong_layer_input + sign_flipped",
    TWO,
    **at(2, "weight", lambda s, l, dZ: s.Z[1].T @ dZ / s.m),
    **at(1, "bias", lambda s, l, dZ: -s.bias(l, dZ)),
)
bad("pair: sigmoid' on top, sum", "output_derivative_extra + missing_batch_mean", LOGISTIC, output=fused_extra, count=undivided)
bad("pair: output' missing, the 2 missing", "output_derivative_missing + constant_factor", SIGMOID, output=lambda s: s.P - s.Y)
bad(
    "pair: partial biases, A²",
    "partial_batch + act_derivative_wrong_formula",
    TWO,
    bias=bias_one_short,
    derivative=of(lambda a: a**2),
)
bad(
    "pair: other layer's derivative, dW1 zero",
    "wrong_layer_cache + gradient_zero",
    SQUARE,
    **at(2, "derivative", other),
    **at(1, "weight", zero),
)
bad("pair: eps ignored, no derivative", "eps_ignored + act_derivative_missing", EPS, output=fused, hidden=no_derivative)
bad(
    "pair: bias over the wrong axis, no 1/m in weights",
    "bias_axis + missing_batch_mean",
    TWO,
    bias=lambda s, l, dZ: np.full(dZ.shape[1], dZ.sum() / s.m),
    weight=lambda s, l, dZ: s.A[l - 1].T @ dZ,
)
bad(
    "pair: seed 003 as written, no mask",
    "missing_batch_mean + act_derivative_missing",
    RELU.but(loss="ce_eps", keepdims=True),
    seed_003("as_written_and_no_mask"),
)

# --- right ones, written in other ways --------------------------------------------------------------------------------------------------

for tag, net in {
    "tanh": TWO, "3 layers": THREE, "4 layers": FOUR, "relu": RELU, "relu 3": RELU3, "sigmoid mse": SIGMOID, "leaky": LEAKY, "logistic": LOGISTIC,
    "softmax regression": SOFTMAX1, "square": SQUARE, "sum": SUM, "mse": MSE, "mse sum": MSE.but(reduction="sum"), "mse of softmax": MSE.but(out="softmax"),
    "mse half": Net(loss="mse_half"), "mse of tanh": MSE.but(out="tanh", loss="mse_composed"), "columns": COLUMN, "columns, bce": LOGISTIC.but(sizes=(4, 3, 1), column=True),
    "dropout tuple": DROP, "dropout dict": DROP.but(masks="dict"), "dropout closure": DROP.but(masks="closure"), "dropout unscaled": DROP.but(scaled=False),
    "l2 half": L2, "l2 plain": L2.but(l2_kind="plain"), "l2 over m": L2.but(l2_kind="over_m"), "l2 on biases too": L2.but(l2_bias=True),
    "float32": RELU3.but(dtype="float32"), "float32 columns": COLUMN.but(dtype="float32"), "keepdims": RELU.but(keepdims=True), "m = 1": TWO.but(m=1), "m = 1, relu": RELU.but(m=1),
    "m = 1, logistic": LOGISTIC.but(m=1), "layers of one unit": Net(sizes=(3, 1, 1, 2), m=6), "one input, one unit": Net(sizes=(1, 1), loss="mse", m=5),
    "zero biases": RELU3.but(zero_bias=True), "eps differentiated": EPS, "bce eps differentiated": BINARY.but(loss="bce_eps", eps=1e-2), "clip differentiated": LOGISTIC.but(loss="bce_clip", out="sigmoid", eps=0.1, scale=2.0),
    "ce composed": RELU3.but(loss="ce_composed"), "bce of several": Net(sizes=(4, 5, 3), loss="bce"), "two classes": Net(sizes=(4, 5, 2)),
}.items():  # fmt: skip
    good(f"right: {tag}", net)


def deltas_divided(s: S) -> Array:
    return s.output() / s.count()


in_delta = {"output": deltas_divided, "weight": lambda s, l, dZ: s.A[l - 1].T @ dZ, "bias": lambda s, l, dZ: dZ.sum(axis=0)}
good("right: 1/m in dZ", THREE, **in_delta)
good("right: 1/m in dZ, relu", RELU3, **in_delta)
good("right: mask from A", RELU3, derivative=of(lambda a: a > 0))
good("right: np.sign(A)", RELU, derivative=of(np.sign))
good("right: tanh' from z", THREE, derivative=of_z(lambda z: 1 / np.cosh(z) ** 2))
good("right: sigmoid' from z", SIGMOID, derivative=of_z(lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2))
good(
    "right: y − a, sign restored",
    TWO,
    output=minus_output,
    weight=lambda s, l, dZ: -(s.A[l - 1].T @ dZ) / s.m,
    bias=lambda s, l, dZ: -dZ.mean(axis=0),
)
good("right: bias by mean", RELU3, bias=lambda s, l, dZ: dZ.mean(axis=0))
good("right: bias by a product with ones", TWO, bias=lambda s, l, dZ: np.ones(s.m) @ dZ / s.m)
good("right: einsum", THREE, weight=lambda s, l, dZ: np.einsum("mi,mj->ij", s.A[l - 1], dZ) / s.m)


def loop(s: S, l: int, dZ: Array) -> Array:
    dW = np.zeros_like(s.W[l])
    for i in range(s.m):
        dW += np.outer(s.A[l - 1][i], dZ[i])
    return dW / s.m


good("right: a loop over samples", TWO, weight=loop)
good("right: a loop over samples, relu", RELU3, weight=loop)


def full_jacobian(s: S) -> Array:
    J = np.einsum("mi,ij->mij", s.P, np.eye(s.P.shape[1])) - np.einsum("mi,mj->mij", s.P, s.P)
    return np.einsum("mij,mj->mi", J, -s.Y / s.P)


def jacobian_loop(s: S) -> Array:
    return np.stack([(np.diag(q) - np.outer(q, q)) @ (-t / q) for q, t in zip(s.P, s.Y, strict=True)])


good("right: the full Jacobian", TWO, output=full_jacobian)
good("right: the Jacobian a sample", RELU3, output=jacobian_loop)
good("right: labels subtracted in place", TWO, output=lambda s: s.P - s.targets())
good("right: seed 002", THREE, seed_002())
good("right: seed 003, eps 1e-7 ignored", RELU.but(loss="ce_eps", keepdims=True), seed_003(), tolerance=1e-3)
good("right: eps 1e-7 ignored, tanh", Net(loss="ce_eps", seed=50), output=fused, tolerance=1e-3)
good("right: eps 1e-7 ignored, bce", BINARY.but(loss="bce_eps"), output=fused, tolerance=1e-3)
good("right: seed 004", BINARY.but(keepdims=True), seed_004())
good("right: seed 004, general form", BINARY.but(keepdims=True), seed_004(general=True))
good("right: seed 004, fused loss", BINARY.but(keepdims=True, loss="bce"), seed_004(general=True))


def wrapped(net: Net, wrap: Callable[[dict[str, Array]], Any]) -> Manual:
    """The right gradients in another container."""
    return lambda X, y, p: wrap(manual_of(net)(X, y, p))


good("right: nested lists", TWO, wrapped(TWO, lambda g: {n: v.tolist() for n, v in g.items()}))
good("right: names dW1", THREE, wrapped(THREE, lambda g: {f"d{n}": v for n, v in g.items()}))
good("right: extra names", RELU, wrapped(RELU, lambda g: {**g, "dZ2": np.zeros((9, 3)), "loss": 0.5}))
good("right: beside the loss", TWO, wrapped(TWO, lambda g: (0.7, g)))
good("right: a list in order", TWO, wrapped(TWO, lambda g: [g[n] for n in ("W1", "b1", "W2", "b2")]))
good(
    "right: biases (1, n) for (n,)", TWO, wrapped(TWO, lambda g: {n: v.reshape(1, -1) if n[0] == "b" else v for n, v in g.items()})
)


def numeric(net: Net, central: bool, h: float) -> Manual:
    """Differences of the loss, entry by entry."""
    loss = loss_of(net)

    def manual(X: Any, y: Any, p: dict[str, Array]) -> dict[str, Array]:
        def value(n: str, i: tuple[int, ...], d: float) -> float:
            q = {k: v.copy() for k, v in p.items()}
            q[n][i] += d
            return float(loss(X, y, {k: tg.Tensor(v) for k, v in q.items()}))

        found = {}
        for n, v in p.items():
            found[n] = np.zeros_like(v)
            for i in np.ndindex(v.shape):
                back = value(n, i, -h) if central else value(n, i, 0.0)
                found[n][i] = (value(n, i, h) - back) / (2 * h if central else h)
        return found

    return manual


SMALL = Net(sizes=(2, 3, 2), m=4, seed=51)
good("right: central differences", SMALL, numeric(SMALL, True, 1e-5), tolerance=1e-5)
good("right: forward differences", SMALL.but(act="sigmoid"), numeric(SMALL.but(act="sigmoid"), False, 1e-6), tolerance=1e-4)
good("right: differences, mse", SMALL.but(loss="mse"), numeric(SMALL.but(loss="mse"), True, 1e-4), tolerance=1e-5)


def dead(net: Net) -> tuple[Any, Any, dict[str, Array]]:
    """A ReLU that is never on."""
    X, y, params = data_of(net)
    params["b1"][..., 0] = -50.0
    return X, y, params


for net in (RELU, RELU3):
    RIGHT.append(Case(f"right: a dead ReLU, {net.depth} layers", loss_of(net), lambda net=net: manual_of(net), dead(net)))
    RIGHT.append(Case(f"right: Z = 0 in places, {net.depth} layers", loss_of(net), lambda net=net: manual_of(net), at_kink(net)))


def twin(net: Net) -> tuple[Any, Any, dict[str, Array]]:
    """Two units and two samples alike: ties everywhere."""
    X, y, params = data_of(net)
    X[1], y[1] = X[0], y[0]
    params["W1"][:, 1], params["b1"][..., 1], params["W2"][1] = params["W1"][:, 0], params["b1"][..., 0], params["W2"][0]
    return X, y, params


RIGHT.extend(Case(f"right: twins, {net.act}", loss_of(net), lambda net=net: manual_of(net), twin(net)) for net in (TWO, RELU))


def plain_loss(X: Any, y: Any, p: dict[str, Any]) -> Any:
    """A logistic regression with labels (m,), as books write it."""
    return nn.binary_cross_entropy_with_logits(X @ p["w"] + p["b"], y)


def plain_manual(X: Any, y: Any, p: dict[str, Array]) -> dict[str, Array]:
    """The same by hand; b is a scalar."""
    error = sigmoid(X @ p["w"] + p["b"]) - y
    return {"w": X.T @ error / len(y), "b": np.mean(error)}


rng = np.random.default_rng(3)
vectors = (rng.standard_normal((9, 4)), np.array([0.0, 1, 1, 0, 1, 0, 0, 1, 1]), {"w": rng.standard_normal(4), "b": np.array(0.3)})
RIGHT.append(Case("right: a vector of weights", plain_loss, lambda: plain_manual, vectors))
MISTAKEN.append(
    Case(
        "vector of weights, no 1/m",
        plain_loss,
        lambda: lambda X, y, p: {n: len(y) * g for n, g in plain_manual(X, y, p).items()},
        vectors,
        options("missing_batch_mean"),
    )
)
MISTAKEN.append(
    Case(
        "vector of weights, b not summed",
        plain_loss,
        lambda: lambda X, y, p: {**plain_manual(X, y, p), "b": sigmoid(X @ p["w"] + p["b"]) - y},
        vectors,
        options("bias_axis"),
    )
)
CASES = MISTAKEN + RIGHT
assert len({case.name for case in CASES}) == len(CASES), "two cases of one name"
assert activate("identity", 1) == 1
