"""Seed 003, its gradients: against differences and the engine, with the eps of the logarithm, and before the doctor."""

from __future__ import annotations

from typing import Any

import numpy as np
from report import Report, figure
from seed_003_parts import (
    MLP,
    NAMES,
    Array,
    Images,
    Parameters,
    corrected_gradients,
    gradients_as_written,
    initial,
    loss_as_written,
    network,
)

import tinygrad_mlp as tg
from tinygrad_mlp import nn

EPS = 1e-7
QUOTED = """loss = -np.sum(y_one_hot * np.log(y_pred + 1e-7)) / batch_size

d_output = self.output - y_one_hot
d_weights2 = np.dot(self.layer1_output.T, d_output)
d_biases2 = np.sum(d_output, axis=0, keepdims=True)"""
BLUE, ORANGE = "#0072b2", "#d55e00"


def true_gradients(X: Array, y: Array, parameters: Parameters) -> Parameters:
    """Those of the document's own forward pass and loss, which are recorded as they are."""
    return dict(tg.value_and_grad(lambda p: loss_as_written(X, y, p))(parameters)[1])


def factor_of_the_batch(report: Report, data: Images, start: Parameters) -> None:
    """The loss is a mean, the gradient a sum."""
    report.heading("The gradient is that of another loss")
    report.say("The document says in lines 67 and 87 to 89, and the hidden layer follows (l. 92-95):")
    report.show(QUOTED, "python")
    report.say(
        "`calculate_loss` divides by the batch size, `backward` nowhere does. So what it subtracts is B "
        "times the gradient of the loss that is printed. The true gradient is found twice: by the engine, which records "
        "the document's own `forward` and `calculate_loss` when the weights are Tensors, and by central differences of the "
        "same NumPy code, at the largest entry of each gradient. The network is a new one."
    )
    rows, worst, ratios, mended = [], 0.0, [], 0.0
    for B in (1, 8, 32):
        X, y = data.X[:B], data.y[:B]
        true, theirs = true_gradients(X, y, start), gradients_as_written(X, y, start)
        ours = corrected_gradients(X, y, start, EPS)
        for name in NAMES:
            at = largest(true[name])
            three = numeric(X, y, start, name, at), float(true[name][at]), float(theirs[name][at])
            rows.append([B, name, *(f"{number:.6g}" for number in three), f"{three[2] / three[0]:.4f}"])
            worst = max(worst, abs(three[0] / three[1] - 1))
            ratios.append(float(np.vdot(theirs[name], true[name]) / np.vdot(true[name], true[name])) / B)
            mended = max(mended, tg.check.relative_difference(ours[name], true[name]))
    report.table(("B", "parameter", "numeric", "engine", "as written", "as written / numeric"), rows)
    report.check(worst < 1e-6, f"the engine's gradients of the document's loss are those of differences (to {worst:.0e})")
    off = max(abs(ratio - 1) for ratio in ratios)
    found = f"B times too large, all four, for B = 1, 8, 32 (to {off:.0e})" if off < 1e-3 else f"no multiple of B: {ratios}"
    report.claim(
        "l. 87-95",
        "`backward` computes the gradients of the loss",
        found,
        all(abs(B * ratio - 1) < 1e-3 for B, ratio in zip(np.repeat((1, 8, 32), 4), ratios, strict=True)),
        right=f"they are B times these; with d_output · p / (p + eps) / batch_size they are the loss's, to {mended:.0e}"
        if mended < 1e-12
        else "",
    )


def largest(a: Array) -> tuple[int, ...]:
    """The index of the entry that is farthest from 0."""
    return tuple(int(i) for i in np.unravel_index(np.abs(a).argmax(), a.shape))


def numeric(X: Array, y: Array, parameters: Parameters, name: str, at: tuple[int, ...]) -> float:
    """One entry of a gradient by central differences of the document's loss."""
    moved = {**parameters, name: parameters[name].copy()}
    return float(tg.check.numeric_gradient(lambda _: float(loss_as_written(X, y, moved)), moved[name], [at]).item())


def epsilon(report: Report, data: Images, start: Parameters) -> None:
    """The eps of the logarithm is in the loss and not in the gradient."""
    report.heading("The eps in the logarithm")
    report.say(
        "The ratio is not exactly B, because the loss has log(p + 1e-7) and `output - y_one_hot` is the derivative of log "
        "p. The true derivative has the factor p / (p + 1e-7) more, p the probability of the right class. One image, whose "
        "logits are 0 but for one wrong class that leads by a gap:"
    )
    net = network(initial(0, 2, 2), MLP)
    gaps = np.array([-40.0, 0.0, 10.0, 14.0, 16.1, 20.0, 40.0, 800.0])
    found = {gap: wrong_by(net, gap) for gap in gaps}
    report.table(
        ("gap", "p", "loss as written", "loss from logits", "p / (p + eps)", "true derivative", "as written"),
        [
            [f"{g:g}", f"{p:.2e}", f"{l:.7g}", f"{fused:.7g}", f"{p / (p + EPS):.3f}", f"{true:.3g}", f"{p - 1:.3g}"]
            for g, (p, l, fused, true) in found.items()
        ],
    )
    top, best = found[800.0][1], found[-40.0][1]
    report.say(
        "The last two columns are derivatives by the right class's logit, the first of them taken by the engine. The loss "
        f"cannot exceed -log(1e-7) = {-np.log(EPS):.3f}, and where it saturates its gradient is zero: a confident mistake "
        "would never be corrected. The document's p - y corrects it, since it is the gradient of another loss. A perfect "
        f"prediction has the loss {best:.2g}, below zero. The cross-entropy from the logits, log Σ exp(z) - z_y, has "
        "neither trouble, and p - y is its gradient."
    )
    report.picture(
        "eps",
        epsilon_picture(net),
        "Left: beyond a gap of 16 the loss as written is flat, from the logits it grows. Right: the derivative of the loss "
        "as written falls to 0 there, the document's 1 − p stays at 1",
    )
    confident_mistakes(report, data, start)
    (p, lost, fused, true) = found[40.0]
    report.claim(
        "l. 67, 173",
        "an epsilon in the log makes it numerically stable",
        f"finite at a gap of 800 ({top:.3f}), but at a gap of 40 the loss is {lost:.2f} in place of {fused:.2f}, its "
        f"derivative {true:.1g} in place of -1",
        abs(true + 1) < 0.01,
        right=f"it prevents log(0) only; the loss from the logits is stable: {fused:.2f} there, derivative {p - 1:.3g}"
        if np.isfinite(top) and abs(fused - 40) < 1e-6
        else "",
    )


def confident_mistakes(report: Report, data: Images, start: Parameters) -> None:
    """How nearly the ratio is B: the more confident the mistakes, the less."""
    report.say(
        "So the ratio is the nearer to B, the less confident the mistakes are. The same 32 images, with the `weights2` of "
        "the new network taken several times; what remains is ‖as written − 32 · true‖ / ‖as written‖, the largest of the "
        "four parameters:"
    )
    X, y, rows = data.X[:32], data.y[:32], []
    for times in (1, 2, 4, 8):
        p = {**start, "weights2": times * start["weights2"]}
        true, theirs = true_gradients(X, y, p), gradients_as_written(X, y, p)
        ratios = [float(np.vdot(theirs[name], true[name]) / np.vdot(true[name], true[name])) for name in NAMES]
        rest = max(float(np.linalg.norm(theirs[name] - 32 * true[name]) / np.linalg.norm(theirs[name])) for name in NAMES)
        rows.append([f"{times} ×", f"{min(ratios):.4f}", f"{max(ratios):.4f}", f"{rest:.0e}"])
    report.table(("weights2", "smallest ratio", "largest ratio", "what remains"), rows)


def wrong_by(net: MLP, gap: float) -> tuple[float, float, float, float]:
    """The right class's probability, the document's loss, that from logits, and the document's loss's derivative by z_y."""
    z = tg.Tensor([[0.0, gap, *[0.0] * 8]] if gap > 0 else [[-gap, *[0.0] * 9]], requires_grad=True)
    y = np.array([0])
    p = net.softmax(z)
    loss = net.calculate_loss(y, p)
    return float(p[0, 0]), float(loss), float(nn.cross_entropy(z, y)), float(tg.gradients(loss, z)[0, 0])


def epsilon_picture(net: MLP) -> Any:
    """The loss and the size of its derivative against the gap."""
    gaps = np.linspace(0.01, 30, 200)
    p, loss, fused, true = np.array([wrong_by(net, gap) for gap in gaps]).T
    drawn = figure(8.4, 3.2)
    left, right = drawn.subplots(1, 2)
    left.plot(gaps, fused, "--", color=ORANGE, label="from logits")
    left.plot(gaps, loss, color=BLUE, label="as written, log(p + 1e-7)")
    right.plot(gaps, 1 - p, "--", color=ORANGE, label="as written, 1 − p")
    right.plot(gaps, -true, color=BLUE, label="true")
    places = (left, "loss of one image", "upper left"), (right, "|derivative| by the right logit", "lower left")
    for ax, what, place in places:
        ax.set(xlabel="lead of a wrong class (logits)", ylabel=what)
        ax.legend(frameon=False, loc=place)
        ax.spines[["top", "right"]].set_visible(False)
    return drawn


def what_the_doctor_says(report: Report, data: Images, start: Parameters) -> None:
    """The two findings, from the numbers alone."""
    report.heading("What the gradient doctor says")
    report.say("`tg.check.diagnose` gets the document's loss and what its `backward` subtracts, on 32 images, and nothing else:")
    X, y = data.X[:32], data.y[:32]
    found = tg.check.diagnose(loss_as_written, gradients_as_written, X, y, start, seconds=60)
    report.show(found)
    report.check(found.labels == ["missing_batch_mean"], "the doctor names the missing 1/m, and takes the eps for no mistake here")
    hopeless = {**start, "weights2": 100 * start["weights2"]}
    found = tg.check.diagnose(loss_as_written, gradients_as_written, X, y, hopeless, seconds=60)
    report.say(
        "Where many rows are confidently wrong, the eps is no trifle. With `weights2` a hundred times larger, the doctor "
        "finds both; the exact gradients of the loss are nearly zero there, so nothing but the eps can explain the numbers:"
    )
    report.show("\n".join(f"[{cause.label}] {cause.words}\n    chain rule: {cause.right}" for cause in found.causes))
    report.check(set(found.labels) == {"missing_batch_mean", "eps_ignored"}, "both causes are found where rows are hopeless")
