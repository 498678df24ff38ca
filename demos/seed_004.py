"""Seed 004, an MLP from scratch against TensorFlow: compared step by step, and what 58 % against 54 % could show.

    python demos/seed_004.py [--out DIR] [--seed N]

TensorFlow and JAX come with ``pip install -e '.[compare]'``; PyTorch takes part where it is installed. Without them the other
sections run all the same.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import rivals
import seed_004_experiment
import seed_004_pictures
import seed_004_start
import seed_004_traps
import seed_004_updates
from report import Claim, Report, launch, options
from seed_004_network import (
    BATCH_SIZE,
    EPOCHS,
    SIZES,
    Array,
    backward,
    by_hand,
    closely,
    dummy,
    forward,
    held_out,
    initial,
    largest_difference,
    learnable,
    loss,
    relu_derivative,
    true_gradients,
)

import tinygrad_mlp as tg
from tinygrad_mlp import nn

LEARNING_RATE = 0.1
"""Of the comparison: ten times the document's, so that the losses move far."""


def main() -> int:
    """The demo."""
    given = options("seed_004", __doc__ or "")
    report = Report("Seed 004: from scratch against TensorFlow", given.out)
    report.say(
        "The document builds a network of two ReLU layers and a sigmoid in NumPy, trains it and a TensorFlow model on 100 rows "
        "of noise with random labels, finds 58 % and 54 %, and concludes: *the match with TensorFlow proves the math and code "
        "are correct*. The formulas are right; this page shows it in another way. The match of 58 % and 54 % shows nothing: "
        "programs with planted mistakes match as well."
    )
    formulas(report, given.seed)
    side_by_side(report, given.seed)
    seed_004_experiment.told(report, given.seed)
    seed_004_updates.told(report, given.seed)
    seed_004_start.told(report, given.seed)
    seed_004_traps.told(report, given.seed)
    report.claims.sort(key=first_line)
    return report.finish()


def first_line(claim: Claim) -> int:
    """The line of the document where a claim stands."""
    return int(re.findall(r"\d+", claim.place)[0])


# --- the formulas -------------------------------------------------------------------------------------------------------------


def formulas(report: Report, seed: int) -> None:
    """The document's gradients against the engine's and against differences."""
    report.heading("The formulas of the gradients")
    report.say(
        "The gradients of l. 114-124, with m the number of rows in the batch, against those of the engine, which gets the "
        "forward pass and the loss only. The fused form starts from dZ = A − y, the general one from dA = −(y/a) + (1 − y)/(1 − "
        "a)."
    )
    rows, worst = [], {"fused": 0.0, "general": 0.0}
    for hidden in range(7):
        rng = np.random.default_rng([1, seed, hidden])
        X, y = dummy(rng)
        p = initial((10, *[12] * hidden, 1), rng)
        true = true_gradients(p, X, y)
        off = {form: largest_difference(true, backward(p, X, y, general=form == "general")) for form in worst}
        worst = {form: max(worst[form], off[form]) for form in worst}
        rows.append((hidden, len(p), f"{off['fused']:.1e}", f"{off['general']:.1e}"))
    report.table(("hidden layers", "arrays of parameters", "fused form, largest difference", "general form"), rows)
    X, y, p = problem(seed)
    numeric = difference_quotients(p, X, y)
    report.say(
        f"Central differences of the loss of the {'-'.join(map(str, SIZES))} network, for all {sum(w.size for w in p.values())} "
        f"weights and biases, agree to {numeric:.1e}. The engine's own derivation of these gradients, as `tg.derive` prints it, "
        "has the 1/m in dZ3, once, and not in each dW and db:"
    )
    report.show(derived(p, X[:BATCH_SIZE], y[:BATCH_SIZE]), "python")
    report.check(
        max(worst.values()) < 1e-12, "the document's gradients are the engine's to 1e-12, both forms, 0 to 6 hidden layers"
    )
    report.check(numeric < 1e-7, "and those of the difference quotients")
    fused = f"the engine's, {closely(worst['fused'])}"
    report.claim("l. 114", "dA3 = −(y/a) + (1 − y)/(1 − a)", f"the engine's, {closely(worst['general'])}", worst["general"] < 1e-12)
    report.claim("l. 115", "simplifies to dZ3 = A3 − y", fused, worst["fused"] < 1e-12)
    report.claim("l. 187, 200", "layers: any number of hidden layers", f"0 to 6: {fused}", worst["fused"] < 1e-12)
    details(report, seed)


def details(report: Report, seed: int) -> None:
    """The divisor, ReLU's derivative, and two headings."""
    X, y, p = problem(seed)
    last = slice(64, 80)
    true, wrong = true_gradients(p, X[last], y[last]), backward(p, X[last], y[last], mistake="divisor")
    report.claim(
        "l. 116-124",
        "divide dW and db by batch_size",
        f"mlp(…, 32, …) on 80 rows has batches of 32, 32 and 16: divided by the argument, the last gradients are "
        f"{float(wrong['b3'].item() / true['b3'].item()):.3g} of the true ones",
        largest_difference(true, wrong) < 1e-12,
        correction="divide by the rows of the batch, len(X)",
    )
    at = tg.Tensor([-1.0, 0.0, 1.0], requires_grad=True)
    mask = np.asarray(tg.gradients(tg.relu(at).sum(), at))
    same = np.array_equal(mask, relu_derivative(at.numpy()))
    report.claim("l. 122", "ReLU's derivative: 0 for Z ≤ 0, 1 for Z > 0", f"tg.relu at −1, 0 and 1: {mask.tolist()}", same)
    Z, A = forward(p, X)
    single = np.asarray(tg.softmax(Z[-1]))
    double = np.asarray(tg.softmax(np.hstack([Z[-1], np.zeros_like(Z[-1])])))[:, :1]
    report.claim(
        "l. 44",
        "the heading: Softmax and Cross-Entropy",
        f"the softmax of the one output is {single.min():g} for every row; that of (z, 0) is the sigmoid, "
        f"{closely(float(np.abs(double - A[-1]).max()))}",
        np.allclose(single, A[-1]),
        correction="binary cross-entropy of a sigmoid, which is a softmax of two",
    )
    used = [name for name in p if name[0] == "W"]
    report.claim(
        "l. 66",
        "W1, b1, W2, b2 for the two layers, small random numbers",
        f"the forward pass of l. 84-96 uses {', '.join(used)} and as many biases",
        used == ["W1", "W2"],
        correction="three layers; and biases start at zero, as those of Keras",
    )


def problem(seed: int) -> tuple[Array, Array, dict[str, Array]]:
    """The document's data, and initial weights."""
    rng = np.random.default_rng([1, seed])
    X, y = dummy(rng)
    return X, y, initial(SIZES, rng)


def difference_quotients(p: dict[str, Array], X: Array, y: Array) -> float:
    """The largest difference between central differences and the document's gradients."""
    gradients, h, off = backward(p, X, y), 1e-6, 0.0
    for name, w in p.items():
        for i in np.ndindex(w.shape):
            step = np.zeros_like(w)
            step[i] = h
            up, down = (float(loss(X, y, p | {name: w + side * step})) for side in (1, -1))
            off = max(off, abs((up - down) / (2 * h) - float(gradients[name][i])))
    return off


def derived(p: dict[str, Array], X: Array, y: Array) -> str:
    """The backward half of what tg.derive writes for this network."""
    W1, b1, W2, b2, W3, b3 = (tg.Tensor(w, requires_grad=True) for w in p.values())

    def forward(X: Any, y: Any) -> Any:
        A1 = tg.relu(X @ W1 + b1)
        A2 = tg.relu(A1 @ W2 + b2)
        Z3 = A2 @ W3 + b3
        return nn.binary_cross_entropy_with_logits(Z3, y)

    source = tg.derive(forward, X, y.astype(float)).source()
    lines = source[source.index("    # backward") : source.index("    return")].splitlines()
    return "\n".join(line.strip() for line in lines)


# --- the comparison, step by step ----------------------------------------------------------------------------------------------


def side_by_side(report: Report, seed: int) -> None:
    """All frameworks from the same weights on the same batches."""
    report.heading("The comparison with TensorFlow, step by step")
    here = rivals.installed()
    report.say(
        f"The same weights at the start, the same batches in the same order, learning rate {LEARNING_RATE}, {EPOCHS} epochs of 80 "
        "rows in batches of 32, 32 and 16: 300 updates. Each framework uses its own layers, loss, gradients and optimiser "
        "(TensorFlow: Keras' `Sequential`, `train_on_batch`). Then each of the 300 losses can be compared, and the gradients of "
        "the first batch. The labels are random as in the document, or learnable: decided by X. All differences are those from "
        "the program by hand."
    )
    missing = [package for package in rivals.RIVALS if package not in here]
    report.say(
        "`pip install -e '.[compare]'` brings TensorFlow and JAX. PyTorch takes part where it is installed: its wheels for Linux "
        "on PyPI bring gigabytes of CUDA, those of its own index for the CPU do not."
        + (f" Not installed here: {', '.join(missing)}." if missing else "")
    )
    rows, gaps = [], dict[tuple[str, str], float]()
    for labels, dtype in (("random", "float64"), ("learnable", "float32"), ("learnable", "float64")):
        runs = compared(seed, labels, dtype, here)
        hand = runs.pop("by hand")
        for name, run in runs.items():
            gap = float(np.abs(run.losses - hand.losses).max()), largest_difference(hand.gradients, run.gradients)
            gaps[name, dtype] = max(*gap, gaps.get((name, dtype), 0.0))
            rows.append((run.history.name, labels, dtype, f"{run.losses[-1]:.6f}", *(f"{g:.1e}" if g else "0" for g in gap)))
    header = ("program", "labels", "dtype", "loss at step 300", "losses differ by at most", "gradients of step 1 by")
    report.table(header, rows)
    caption = (
        "Learnable labels, float64: the curves of all programs lie on top of each other, their losses differ by rounding alone"
    )
    report.picture("comparison", seed_004_pictures.comparison(hand, list(runs.values())), caption)
    for name in ("tinygrad_mlp", *here):
        double, single = gaps[name, "float64"], gaps[name, "float32"]
        report.check(
            double < 1e-11 and single < 1e-4, f"{name} and the program by hand: {double:.1g} in float64, {single:.1g} in float32"
        )
    there = "tensorflow" in here
    report.claim(
        "l. 213-214",
        "an equivalent TensorFlow model, trained on the same data, is compared",
        f"300 losses and the gradients equal to {gaps['tensorflow', 'float64']:.1g} in float64, "
        f"{gaps['tensorflow', 'float32']:.1g} in float32: such a comparison can be made"
        if there
        else "TensorFlow is not installed",
        gaps["tensorflow", "float64"] < 1e-11 if there else None,
    )


def compared(seed: int, labels: str, dtype: str, here: list[str]) -> dict[str, rivals.Run]:
    """All programs on one problem."""
    rng = np.random.default_rng([2, seed])
    X, y = dummy(rng)
    if labels == "learnable":
        y = learnable(X, rng)
    X_train, y_train, X_out, y_out = held_out(X.astype(dtype), y)
    p = {name: w.astype(dtype) for name, w in initial(SIZES, rng).items()}
    batches = rivals.orders(len(X_train), BATCH_SIZE, EPOCHS, rng)
    makers: dict[str, rivals.Maker] = {"by hand": by_hand, "tinygrad_mlp": rivals.tinygrad}
    makers |= {name: rivals.RIVALS[name] for name in here}
    return {name: rivals.train(make(p, LEARNING_RATE), X_train, y_train, (X_out, y_out), batches) for name, make in makers.items()}


if __name__ == "__main__":
    launch(main)
