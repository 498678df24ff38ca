"""What seed 004 lists beside plain gradient descent: momentum, a learning rate that decays, L2, clipping; each measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import rivals
import seed_004_pictures
from report import Report
from seed_004_network import (
    EPOCHS,
    SIZES,
    SPLIT,
    Array,
    Parameters,
    backward,
    closely,
    dummy,
    initial,
    learnable,
    true_gradients,
    updated,
)

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

MU, L2 = 0.9, 0.01
RATES = ("lr 0.1", "lr 0.5", "lr 1")
"""With and without decay."""

REPEATS = 6
"""Trainings with other data, weights and orders, behind each number on how well something learns."""

Schedule = Callable[[optim.Optimizer], optim.LRScheduler]


def told(report: Report, seed: int) -> None:
    """The whole section."""
    report.heading("Momentum, decay, L2, clipping")
    momentum(report, seed)
    learning(report, seed)
    l2_penalty(report, seed)
    weight_decay(report, seed)
    clipping(report, seed)


def problem(seed: int) -> tuple[Array, Array, Parameters]:
    """X, labels that can be learnt from it, initial weights."""
    rng = np.random.default_rng([4, seed])
    X, _ = dummy(rng)
    return X, learnable(X, rng), initial(SIZES, rng)


def stepped(optimizer_of: Callable[[list[tg.Tensor]], optim.Optimizer], p: Parameters, gradients: list[Parameters]) -> Parameters:
    """Parameters after an optimiser's steps along given gradients."""
    tensors = {name: tg.Tensor(w, requires_grad=True) for name, w in p.items()}
    optimizer = optimizer_of(list(tensors.values()))
    for g in gradients:
        for name, tensor in tensors.items():
            tensor.grad = g[name]
        optimizer.step()
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def apart(a: Parameters, b: Parameters) -> float:
    """The largest difference between two sets of parameters."""
    return max(float(np.abs(a[name] - b[name]).max()) for name in a)


# --- momentum and the learning rate -----------------------------------------------------------------------------------------


def momentum(report: Report, seed: int) -> None:
    """The document's momentum, v = μ v − η dW and W += v, against optim.SGD, and against the form that PyTorch has."""
    X, y, p = problem(seed)
    model = {name: tg.Tensor(w, requires_grad=True) for name, w in p.items()}
    optimizer = optim.SGD(model.values(), lr=0.05, momentum=MU)
    document, other = dict(p), dict(p)
    v, u = ({name: np.zeros_like(w) for name, w in p.items()} for _ in range(2))
    before = 0.0
    for step in range(60):
        if step == 30:
            before = apart(document, other)
            optimizer.lr = 0.005  # the learning rate decays
        lr = optimizer.lr
        gradients = backward({name: tensor.numpy() for name, tensor in model.items()}, X, y)
        for name, tensor in model.items():
            tensor.grad = gradients[name]
            v[name] = MU * v[name] - lr * gradients[name]
            document[name] = document[name] + v[name]
            u[name] = MU * u[name] + gradients[name]
            other[name] = other[name] - lr * u[name]
        optimizer.step()
    ours = apart(document, {name: tensor.numpy() for name, tensor in model.items()})
    report.say(
        f"`v = momentum * v - learning_rate * dW; W += v` is `optim.SGD(momentum={MU})`: after 60 steps, with the learning rate "
        f"divided by ten in the middle, the parameters agree {closely(ours)}. Keras has this form too, with μ rounded to float32. "
        f"PyTorch's is u = μ u + dW, W −= η u: the same while η stays the same (apart by {before:.1e} after 30 steps), another "
        f"method once η changes (by {apart(document, other):.2g} after 60)."
    )
    report.check(ours < 1e-12 and before < 1e-12, "the document's momentum is that of optim.SGD")
    report.claim("l. 166-167", "v = momentum·v − lr·dW; W += v", f"optim.SGD(momentum), {closely(ours)}", ours < 1e-12)
    plain = stepped(lambda tensors: optim.SGD(tensors, lr=0.05), p, [true_gradients(p, X, y)])
    same = apart(plain, updated(p, true_gradients(p, X, y), 0.05))
    report.claim("l. 156-157", "W = W − lr·dW, b = b − lr·db", f"optim.SGD, {closely(same)}", same < 1e-15)


def fitted(seed: int, name: str, lr: float, mu: float = 0.0, schedule: Schedule | None = None) -> tg.History:
    """The document's loop of 100 epochs, on labels that can be learnt, by tg.fit."""
    X, y, p = problem(seed)
    model = nn.MLP(SIZES, dtype=np.float64, rng=0)
    for parameter, array in zip(model.parameters(), p.values(), strict=True):
        parameter.data = array.reshape(parameter.shape).copy()
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=mu)
    return tg.fit(
        model, X, y, loss="bce", optimizer=optimizer, epochs=EPOCHS, validation_split=SPLIT, metrics=["accuracy"],
        schedule=None if schedule is None else schedule(optimizer), rng=seed, progress=False, history=tg.History(name),
    )  # fmt: skip


def learning(report: Report, seed: int) -> None:
    """What learning rate, momentum and decay do in the 300 steps that the document makes."""
    cosine: Schedule = lambda optimizer: optim.CosineAnnealingLR(optimizer, T_max=EPOCHS)  # noqa: E731
    step: Schedule = lambda optimizer: optim.StepLR(optimizer, step_size=30, gamma=0.3)  # noqa: E731
    settings: dict[str, tuple[float, float, Schedule | None]] = {
        "lr 0.001": (0.001, 0, None),
        "lr 0.01": (0.01, 0, None),
        "lr 0.01, momentum 0.9": (0.01, MU, None),
        "lr 0.1": (0.1, 0, None),
        "lr 0.1, cosine decay": (0.1, 0, cosine),
        "lr 0.5": (0.5, 0, None),
        "lr 0.5, cosine decay": (0.5, 0, cosine),
        "lr 1": (1.0, 0, None),
        "lr 1, × 0.3 every 30 epochs": (1.0, 0, step),
        "lr 1, cosine decay": (1.0, 0, cosine),
    }
    runs = {name: [fitted(seed + i, name, *setting) for i in range(REPEATS)] for name, setting in settings.items()}

    def mean(name: str, series: str, last: int = 1) -> float:
        return float(np.mean([run[series][-last:] for run in runs[name]]))

    def change(name: str) -> float:
        return float(np.mean([np.abs(np.diff(run["train_loss"][-20:])).mean() for run in runs[name]]))

    wobble = {name: change(name) for name in settings}
    report.say(
        f"On labels that X decides the same loop can learn. The table has means over {REPEATS} trainings (data, weights and order "
        "differ), 80 rows to train, 100 epochs of 3 steps; the last column is how much the loss changes from one epoch to the "
        "next, at the end."
    )
    report.table(
        ("setting", "train loss", "train accuracy", "held-out accuracy", "change per epoch"),
        [
            (name, f"{mean(name, 'train_loss'):.3f}", f"{mean(name, 'train_accuracy'):.1%}",
             f"{mean(name, 'validation_accuracy'):.1%}", f"{wobble[name]:.4f}")
            for name in settings
        ],
    )  # fmt: skip
    shown = (("lr 0.01", "lr 0.01, momentum 0.9", "lr 0.1"), ("lr 1", "lr 1, cosine decay"))
    report.picture(
        "improvements",
        seed_004_pictures.improvements(
            [{name: np.mean([run["train_loss"] for run in runs[name]], axis=0) for name in panel} for panel in shown]
        ),
        f"Means of {REPEATS} trainings. Left: momentum 0.9 at lr 0.01 goes as fast as lr 0.1, on a smoother path. Right: decay "
        "ends the jumps of lr 1",
    )
    slow, fast, ten = (mean(name, "train_loss") for name in ("lr 0.01", "lr 0.01, momentum 0.9", "lr 0.1"))
    report.say(
        "Where gradients agree, momentum 0.9 makes steps 1/(1 − 0.9) = 10 times as long, and so does a learning rate ten times as "
        f"large: the loss is {fast:.3f} and {ten:.3f}, against {slow:.3f}. What only momentum has is the smoother path: the loss "
        f"changes by {wobble['lr 0.01, momentum 0.9']:.4f} an epoch, against {wobble['lr 0.1']:.4f}."
    )
    report.claim(
        "l. 169",
        "momentum accelerates convergence and smooths noisy updates",
        f"train loss {fast:.2f} against {slow:.2f} at lr 0.01 ({ten:.2f} at lr 0.1 without); there the loss changes "
        f"by {wobble['lr 0.1'] / wobble['lr 0.01, momentum 0.9']:.0f} times smaller with momentum",
        fast < slow and wobble["lr 0.01, momentum 0.9"] < wobble["lr 0.1"],
    )
    accuracies = {name: mean(name, "train_accuracy") for name in settings}
    document, best = {name: accuracies[name] for name in ("lr 0.001", "lr 0.01")}, max(accuracies.values())
    near = [name for name, (_, mu, schedule) in settings.items() if not mu and schedule is None and accuracies[name] > best - 0.05]
    report.claim(
        "l. 163",
        "a sensible learning rate, 1e-3 or 1e-2",
        f"after these 300 plain steps train accuracy {document['lr 0.001']:.0%} and {document['lr 0.01']:.0%}, where {best:.0%} "
        "can be had",
        max(document.values()) > best - 0.05,
        right=f"for a mean loss and so few steps larger ones: {', '.join(near)}" if near else "",
    )
    decay_claim(report, runs, wobble)


def decay_claim(report: Report, runs: dict[str, list[tg.History]], wobble: dict[str, float]) -> None:
    """Decay at three learning rates, by the loss after the last epoch: constant, and with the cosine."""
    rows, told, gains, flat = [], [], {}, {}
    for rate in RATES:
        constant, decayed = (np.array([run["train_loss"][-1] for run in runs[name]]) for name in (rate, f"{rate}, cosine decay"))
        less = constant - decayed
        gains[rate] = float(less.mean() / (less.std(ddof=1) / np.sqrt(REPEATS)))
        flat[rate] = float(np.mean([run["train_loss"][-20:].mean() / run["train_loss"][-40:-20].mean() for run in runs[rate]]))
        before, after = (f"{losses.mean():.3f} ± {losses.std(ddof=1):.3f}" for losses in (constant, decayed))
        rows.append((rate, before, after, f"{less.mean():+.3f} ± {less.std(ddof=1):.3f}", f"{flat[rate]:.2f}"))
        told.append(f"{rate}: {before} → {after}")
    plateaus = [rate for rate in RATES if flat[rate] > 0.95]
    worse = [rate for rate in RATES if gains[rate] < -2]
    report.say(
        "Does decay help? Line 163 says: *consider decaying it over epochs if training plateaus*. The loss after the last epoch, "
        f"mean ± standard deviation over the {REPEATS} trainings, and of their differences; and the mean loss of the last 20 "
        "epochs over that of the 20 before, which is 1 on a plateau:"
    )
    report.table(("rate", "constant", "cosine decay", "gained by decay", "last 20 epochs / 20 before"), rows)
    report.say(
        f"On a plateau (more than 0.95) is {', '.join(plateaus) or 'none of them'}. In standard errors of the difference decay "
        f"gains {', '.join(f'{gain:.1f} at {rate}' for rate, gain in gains.items())}; less than 2 may be chance. Where the loss is "
        "still falling, smaller steps come too early. What decay does for sure is to end the jumps: at lr 1 the loss changes by "
        f"{wobble['lr 1']:.3f} an epoch at the end, with decay by {wobble['lr 1, cosine decay']:.4f}."
    )
    calmer = wobble["lr 1, cosine decay"] < wobble["lr 1"] / 5
    report.claim(
        "l. 163",
        "consider decaying it over epochs if training plateaus",
        f"last train loss without and with: {'; '.join(told)}",
        any(gains[rate] > 2 for rate in plateaus),
        correction=f"it ends the jumps of lr 1; no plateau here; at {' and '.join(worse)}, where the loss falls, it costs"
        if calmer and worse and not plateaus
        else "",
    )


# --- L2 and clipping ----------------------------------------------------------------------------------------------------------


def l2_penalty(report: Report, seed: int) -> None:
    """Whose gradient λW is."""
    X, y, p = problem(seed)
    W = tg.Tensor(p["W2"], requires_grad=True)
    unit = L2 * p["W2"]
    half = float(np.mean(tg.gradients(nn.l2_penalty([W], L2), W) / unit))
    whole = float(np.mean(tg.gradients(L2 * (W * W).sum(), W) / unit))
    dW = true_gradients(p, X, y)["W2"]
    twice = dW.copy()
    for _ in range(2):
        twice += unit
    report.say(
        f"The gradient of (λ/2)‖W‖², which is `nn.l2_penalty`, is {half:.4g} λW, that of λ‖W‖² is {whole:.4g} λW. The document "
        "gives λW and no loss. `dW += l2_lambda * W` works in place: run twice on one array, it adds "
        f"{float(np.mean((twice - dW) / unit)):.4g} λW."
    )
    if "tensorflow" in rivals.installed():
        report.say(
            f"The gradient of Keras' `regularizers.L2(λ)` is {keras_l2(p['W2']):.4g} λW: with the same λ in both, a TensorFlow "
            "model and the document's program are two different trainings."
        )
    report.check(abs(half - 1) < 1e-9, "nn.l2_penalty has the gradient λW")
    report.claim(
        "l. 170",
        "L2: add lambda * W to the gradient",
        f"the gradient of (λ/2)‖W‖² is {half:.4g} λW, that of λ‖W‖² {whole:.4g} λW",
        abs(whole - 1) < 1e-9,
        correction="λW goes with (λ/2)‖W‖², which must be the term in the loss",
    )


def weight_decay(report: Report, seed: int) -> None:
    """Where L2 in the gradient, g + λW, and weight decay, W ← (1 − ηλ) W, part."""
    X, y, p = problem(seed)
    lr = 0.01
    steps = [true_gradients(p, X[i : i + 8], y[i : i + 8]) for i in range(0, 80, 8)] * 10

    def after(mu: float, l2: float = 0.0, decay: float = 0.0) -> Parameters:
        q, v = dict(p), {name: np.zeros_like(w) for name, w in p.items()}
        for g in steps:
            v = {name: mu * v[name] - lr * (g[name] + l2 * q[name]) for name in q}
            q = {name: (1 - lr * decay) * q[name] + v[name] for name in q}
        return q

    gaps = {name: apart(after(mu, l2=L2), after(mu, decay=L2)) for name, mu in (("plain SGD", 0.0), ("momentum 0.9", MU))}
    adam, adamw = (
        stepped(lambda tensors, kind=kind: kind(tensors, lr=lr, weight_decay=L2), p, steps) for kind in (optim.Adam, optim.AdamW)
    )
    gaps["Adam against AdamW"] = apart(adam, adamw)
    report.say(
        "L2 is called weight decay in the document. With the term λW in the gradient, against W ← (1 − ηλ) W, after 100 steps:"
    )
    report.table(("method", "largest difference of a weight"), [(name, f"{gap:.1e}") for name, gap in gaps.items()])
    report.check(gaps["plain SGD"] < 1e-12, "for plain SGD, L2 in the gradient is weight decay")
    report.claim(
        "l. 170",
        "L2 regularization (weight decay): one thing",
        ", ".join(f"{name}: {gap:.1g} apart" for name, gap in gaps.items()),
        max(gaps.values()) < 1e-12,
        correction="one thing for plain SGD only",
    )


def keras_l2(W: Array) -> float:
    """The gradient of Keras' L2(λ), in units of λW."""
    keras, tf = rivals.imported_tensorflow()
    variable = tf.Variable(W)
    with tf.GradientTape() as tape:
        penalty = keras.regularizers.L2(L2)(variable)
    return float(np.mean(tape.gradient(penalty, variable).numpy() / (L2 * W)))


def clipping(report: Report, seed: int) -> None:
    """To a norm: each gradient alone, or all of them together."""
    X, y, p = problem(seed)
    gradients = true_gradients({name: 2 * w for name, w in p.items()}, X, y)
    norms = {name: float(np.linalg.norm(g)) for name, g in gradients.items()}
    limit = float(np.median(list(norms.values())))
    ways: dict[str, Callable[[list[tg.Tensor]], object]] = {
        "each alone": lambda tensors: [optim.clip_grad_norm([tensor], limit) for tensor in tensors],
        "all together": lambda tensors: optim.clip_grad_norm(tensors, limit),
    }
    rows, cosines = [], {}
    for name, clip in ways.items():
        tensors = [tg.Tensor(w, requires_grad=True) for w in p.values()]
        for tensor, g in zip(tensors, gradients.values(), strict=True):
            tensor.grad = g
        clip(tensors)
        flat = np.concatenate([np.ravel(tensor.grad) for tensor in tensors if tensor.grad is not None])
        true = np.concatenate([g.ravel() for g in gradients.values()])
        cosines[name] = float(flat @ true / np.linalg.norm(flat) / np.linalg.norm(true))
        rows.append((name, f"{np.linalg.norm(flat):.3f}", f"{np.degrees(np.arccos(min(cosines[name], 1.0))):.1f}"))
    report.say(
        "Clip `dW` to a maximum norm: each alone, or all together? The gradients of this network, with weights twice as large, "
        f"have norms from {min(norms.values()):.2f} to {max(norms.values()):.2f}; clipped to {limit:.2f}:"
    )
    report.table(("clip_grad_norm", "joint norm afterwards", "turned by, degrees"), rows)
    report.claim(
        "l. 175",
        "clip dW to a maximum norm",
        f"each dW alone: cosine {cosines['each alone']:.3f} with the true gradient; all together: {cosines['all together']:.3f}",
        cosines["each alone"] > 1 - 1e-9,
        correction="over all parameters together the direction stays" if cosines["all together"] > 1 - 1e-9 else "",
    )
