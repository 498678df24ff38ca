"""Where a reader of seed 004 who types its formulas in can fall: each trap run, and what tinygrad_mlp says to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import seed_004_pictures
from report import Report
from seed_004_network import (
    BATCH_SIZE,
    SIZES,
    Array,
    Parameters,
    backward,
    closely,
    dummy,
    forward,
    initial,
    relu_derivative,
    sigmoid,
    sigmoid_derivative,
    true_gradients,
    updated,
)

import tinygrad_mlp as tg
from tinygrad_mlp import nn

CLIP = 1e-7
LOOP = """for l in reversed(range(1, L)):
    dA = dZ.dot(W_next.T)
    dZ = dA * relu_derivative(Z_l)
    dW = A_{l-1}.T.dot(dZ) / batch_size
"""


def told(report: Report, seed: int) -> None:
    """The whole section."""
    report.heading("Typed in as it is written")
    saturated(report)
    clipped(report, seed)
    loop(report, seed)
    labels(report, seed)
    which_argument(report, seed)


# --- the output: general form, fused form, clip ---------------------------------------------------------------------------


def general(z: Array, y: float) -> Array:
    """DZ = dA σ'(z) with dA = −(y/a) + (1 − y)/(1 − a), as the document writes it; without NumPy's warnings."""
    with np.errstate(all="ignore"):
        a = sigmoid(z)
        found: Array = (-(y / a) + (1 - y) / (1 - a)) * sigmoid_derivative(z)
    return found


def saturated(report: Report) -> None:
    """The two forms of the derivative at the output, and the engine's, for large z."""
    rows, finite, exact = [], True, True
    for z, y in ((2.0, 0.0), (40.0, 1.0), (40.0, 0.0), (-40.0, 1.0), (-800.0, 1.0)):
        logit = tg.Tensor([[z]], requires_grad=True)
        nn.binary_cross_entropy_with_logits(logit, [[y]]).backward()
        with np.errstate(all="ignore"):
            fused = float(sigmoid(np.float64(z)) - y)
        written = float(general(np.float64(z), y))
        engine = float(np.ravel(logit.grad)[0]) if logit.grad is not None else np.nan
        finite &= bool(np.isfinite(written))
        exact &= abs(fused - engine) < 1e-15
        rows.append((f"{z:g}", f"{y:g}", f"{written:g}", f"{fused:g}", f"{engine:g}"))
    report.say(
        "The general form, −y/a + (1 − y)/(1 − a) times σ'(z), against A − y. From z = 37 up σ(z) is exactly 1 in float64, and 1 "
        "− a is 0: the general form is then 0 · ∞. The fused one is A − y everywhere."
    )
    report.table(("z", "y", "general form", "A − y", "the engine, from logits"), rows)
    report.check(exact, "binary_cross_entropy_with_logits has the derivative A − y, at z = ±40 and −800 too")
    logit = tg.Tensor([[40.0]], requires_grad=True)
    refusal = said(lambda: nn.binary_cross_entropy(tg.sigmoid(logit), [[0.0]], eps=0).backward())
    report.say(
        "Asked for the general form at z = 40, with `eps=0` and inside `tg.detect_anomaly()`, the engine stops at the cause:"
    )
    report.show(refusal)
    one = int(np.argmax(sigmoid(np.arange(60.0)) == 1))
    report.claim(
        "l. 37, 96",
        "sigmoid maps real values to (0, 1)",
        f"in float64 σ(z) is exactly 1 from z = {one} up",
        one == 0,
        correction="to [0, 1] once rounded, and so 1 − a may be 0",
    )
    report.claim(
        "l. 115",
        "dZ3 = A3 − y is numerically stable",
        f"right at all {len(rows)} z up to ±800; the general form is {'finite' if finite else 'nan at some'}",
        exact and not finite,
    )


def said(action: Any) -> str:
    """The name and the text of the exception that an action ends with."""
    try:
        with tg.detect_anomaly():
            action()
    except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
        return "\n".join(line.partition(", created at")[0] for line in f"{type(error).__name__}: {error}".splitlines())
    return "(nothing)"


def clipped(report: Report, seed: int) -> None:
    """The loss with A clipped to [1e-7, 1 − 1e-7]: its slope beyond, and A − y."""
    z = np.linspace(-45, 45, 901)
    logits = tg.Tensor(z, requires_grad=True)
    slope = np.asarray(tg.gradients(clipped_loss(logits).sum(), logits))
    h = 1e-5
    differences = (np.asarray(clipped_loss(z + h)) - np.asarray(clipped_loss(z - h))) / (2 * h)
    edge = np.log((1 - CLIP) / CLIP)
    beyond = z < -edge - h
    report.say(
        f"Clipping `A` before the log: the loss of a row with y = 1 is then constant, {-np.log(CLIP):.2f}, for all z below "
        f"−{edge:.2f}; its slope is 0. The fused A − y stays at −1 there. To apply the clip consistently is to let the gradient of "
        "such a row vanish: a confident mistake is not corrected any more. From logits, without a clip, nothing overflows and the "
        "slope is right."
    )
    picture = seed_004_pictures.output(z, sigmoid(z) - 1, general(z, 1.0), slope)
    report.picture(
        "output", picture, "Derivative at the output, y = 1: both forms agree up to z = 37, the clipped loss is flat below −16"
    )
    rng = np.random.default_rng([6, seed])
    X, y = dummy(rng)
    p = initial(SIZES, rng)
    p["W3"] *= 20 / np.abs(forward(p, X)[0][-1]).max()  # logits up to ±20: some rows beyond the clip
    found = tg.check.diagnose(clipped_network, lambda X, y, p: backward(p, X, y), X, y, p)
    report.say(f"The doctor's word on A − y under a loss with the clip: `{', '.join(found.labels)}`.")
    flat = float(np.abs(differences[beyond]).max())
    smooth = np.abs(np.abs(z) - edge) > 0.1
    report.check(
        np.allclose(slope[smooth], differences[smooth], atol=1e-7), "the engine's slope of the clipped loss is that of differences"
    )
    report.claim(
        "l. 147",
        "if A is clipped before log in BCE, apply it consistently to avoid NaNs",
        f"beyond the clip the loss has slope {flat:.1g} and A − y is {sigmoid(z[beyond][-1]) - 1:.2f}; the doctor: "
        f"{found.labels[0]}",
        found.ok,
        correction="the gradient is then 0 there; better no clip, and the loss from logits",
    )


def clipped_loss(z: Any) -> Any:
    """−log a for y = 1, with a clipped."""
    return -np.log(np.clip(tg.sigmoid(z), CLIP, 1 - CLIP))


def clipped_network(X: Any, y: Any, p: Any) -> Any:
    """The network's loss from clipped probabilities."""
    A1 = tg.relu(X @ p["W1"] + p["b1"])
    A2 = tg.relu(A1 @ p["W2"] + p["b2"])
    A3 = np.clip(tg.sigmoid(A2 @ p["W3"] + p["b3"]), CLIP, 1 - CLIP)
    return -np.mean(y * np.log(A3) + (1 - y) * np.log(1 - A3))


# --- the loop over the layers ---------------------------------------------------------------------------------------------


def loop(report: Report, seed: int) -> None:
    """The loop as pseudocode: no Python, W_next stands still, and what an update inside does."""
    try:
        compile(LOOP, "the loop", "exec")
        syntax = ""
    except SyntaxError as error:
        syntax = f"SyntaxError, line {error.lineno} of these: {error.text.strip() if error.text else ''}"
    rng = np.random.default_rng([7, seed])
    X, y = dummy(rng)
    p = initial(SIZES, rng)
    Z, A = forward(p, X)
    stands = said(lambda: ((A[3] - y).dot(p["W3"].T) * relu_derivative(Z[2])).dot(p["W3"].T))  # the second turn, W_next still W3
    true = true_gradients(p, X, y)

    def off(lr: float) -> float:
        wrong = backward(p, X, y, mistake="inside", lr=lr)
        return max(float(np.linalg.norm(wrong[name] - true[name]) / np.linalg.norm(true[name])) for name in ("W1", "W2"))

    report.say(
        "The loop of l. 135-139 is a sketch. `A_{l-1}` is no Python; `W_next` is the same in every turn; and `dW`, `db` are "
        "overwritten in the next turn, so that a reader puts the update inside."
    )
    report.table(
        ("what is typed", "what comes of it"),
        [("the loop as it stands", syntax), ("W_next not advanced", stands)]
        + [(f"W ← W − lr dW inside the loop, lr {lr:g}", f"dW1 or dW2 off by {off(lr):.2%}") for lr in (0.01, 0.1, 1.0)],
    )
    right = max(float(np.abs(backward(p, X, y)[name] - true[name]).max()) for name in p)
    report.claim(
        "l. 130-139",
        "a typical backprop loop over the layers",
        f"as it stands {syntax.partition(',')[0]}; with W_next = W3 in the second turn {stands.partition(':')[0]}",
        not syntax,
        correction=f"with W_(l+1) of the forward pass in each turn, right {closely(right)}" if right < 1e-12 else "",
    )


# --- labels, and arguments of derivatives ---------------------------------------------------------------------------------


def labels(report: Report, seed: int) -> None:
    """Labels of shape (m,) instead of (m, 1)."""
    rng = np.random.default_rng([8, seed])
    X, y = dummy(rng)
    X, flat = X[:BATCH_SIZE], y[:BATCH_SIZE, 0]
    p = initial(SIZES, rng)
    _, A = forward(p, X)
    shallow = initial((10, 1), rng)
    grown = updated(shallow, backward(shallow, X, flat))["W1"].shape
    inside = updated(p, backward(p, X, flat, mistake="inside"))["W3"].shape

    def in_place() -> None:
        shallow["W1"] -= 0.01 * backward(shallow, X, flat)["W1"]

    report.say(
        "The document's y is a column, (100, 1). With y of shape (m,), as `randint(0, 2, 100)` has it, A3 − y is broadcast to "
        f"{(A[3] - flat).shape}: every prediction against every label. Whether that is noticed depends on what comes next:"
    )
    report.table(
        ("with y of shape (m,)", "what comes of it"),
        [
            ("two hidden layers", said(lambda: backward(p, X, flat))),
            ("two hidden layers, W = W − lr * dW inside the loop", f"no word: W3 {p['W3'].shape} has become {inside}"),
            ("no hidden layer, W = W − lr * dW", f"no word: W1 {shallow['W1'].shape} has become {grown}"),
            ("no hidden layer, W -= lr * dW", said(in_place)),
        ],
    )
    report.say("The library refuses such labels:")
    refusal = said(lambda: nn.binary_cross_entropy_with_logits(tg.Tensor(A[3]), flat))
    report.show(refusal)
    report.check("ShapeError" in refusal and "(32, 1)" in refusal, "labels (m,) for logits (m, 1) are refused, with what to write")
    gradients = backward(p, X, y[:BATCH_SIZE])
    report.claim(
        "l. 145-146",
        "dW_l has the shape of W_l, db_l of b_l",
        f"with y of shape (m, 1) all {len(p)} have; with (m,) dW1 of a single layer has {grown}",
        all(gradients[name].shape == w.shape for name, w in p.items()),
    )


def which_argument(report: Report, seed: int) -> None:
    """``sigmoid_derivative(x)``: is x z, or σ(z) already? And ReLU's mask from A."""
    rng = np.random.default_rng([9, seed])
    X, y = dummy(rng)
    p = initial(SIZES, rng)
    Z, A = forward(p, X)

    def mixed(X: Array, y: Array, p: Parameters) -> Parameters:
        Z, A = forward(p, X)
        dA3 = -(y / A[3]) + (1 - y) / (1 - A[3])
        dZ3 = dA3 * sigmoid_derivative(A[3])  # from z by its definition, but fed σ(z)
        dZ2 = dZ3.dot(p["W3"].T) * relu_derivative(Z[2])
        dZ1 = dZ2.dot(p["W2"].T) * relu_derivative(Z[1])
        layers = {1: (X, dZ1), 2: (A[1], dZ2), 3: (A[2], dZ3)}
        made = {f"W{l}": A.T.dot(dZ) / len(X) for l, (A, dZ) in layers.items()}
        return made | {f"b{l}": dZ.sum(axis=0, keepdims=True) / len(X) for l, (_, dZ) in layers.items()}

    found = tg.check.diagnose(from_probabilities, mixed, X, y, p)
    same = float(np.abs(sigmoid_derivative(Z[3]) - A[3] * (1 - A[3])).max())
    mask = bool(np.array_equal(relu_derivative(Z[2]), relu_derivative(A[2])))
    report.say(
        "`sigmoid_derivative(x)` and `relu_derivative(x)`, l. 32 and 34, do not say what x is. l. 102 says: the pre-activation "
        f"Z. From A it goes as well: a (1 − a) is σ'(z) {closely(same)}, and the mask A > 0 is the mask Z > 0. What does not go is "
        "a function that expects z and is given a:"
    )
    report.show(found)
    report.claim(
        "l. 102",
        "keep Z because activation derivatives are computed from it",
        f"from A they are the same: σ' {closely(same)}, ReLU's mask {'equal' if mask else 'not'}; a function of z fed a: "
        f"{found.labels[0]}",
        not (same < 1e-15 and mask),
        correction="Z or A will do, each with its own formula",
    )


def from_probabilities(X: Any, y: Any, p: Any) -> Any:
    """The network's loss in the general form."""
    A1 = tg.relu(X @ p["W1"] + p["b1"])
    A2 = tg.relu(A1 @ p["W2"] + p["b2"])
    return nn.binary_cross_entropy(tg.sigmoid(A2 @ p["W3"] + p["b3"]), y, eps=0)
