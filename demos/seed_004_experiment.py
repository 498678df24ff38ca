"""The experiment of seed 004: 58 % against 54 % on random labels, repeated with the right program and with mistaken ones."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import numpy as np
import rivals
import seed_004_pictures
from report import Report
from seed_004_network import (
    BATCH_SIZE,
    EPOCHS,
    LR,
    MISTAKES,
    SIZES,
    Array,
    Parameters,
    accuracy,
    backward,
    dummy,
    held_out,
    initial,
    learnable,
    loss,
    mlp,
)

import tinygrad_mlp as tg

RUNS = 40
"""How often the document's experiment is repeated, each time with other data, weights and order."""

REPEATS = 3
"""Those that TensorFlow makes too."""

QUOTED = {"MLP from Scratch": 0.58, "TensorFlow MLP": 0.54}
"""l. 222-223."""


def told(report: Report, seed: int) -> None:
    """100 random rows, random labels, 100 epochs; with the right program and with mistaken ones, many times."""
    report.heading("What 58 % against 54 % can show")
    report.say(
        f"The document's experiment, {RUNS} times with other data, weights and orders: 100 × 10 uniform numbers, labels drawn "
        f"without looking at them, 80 rows to train and 20 held out, batches of {BATCH_SIZE}, {EPOCHS} epochs, learning rate "
        f"{LR}. Once with the right program, and with six mistaken ones on the same data. Beside them, what `tg.check.diagnose` "
        "says to their gradients of one batch, the last one of 16 rows."
    )
    found = {mistake: np.array([trained(seed, run, mistake) for run in range(RUNS)]) for mistake in MISTAKES}
    label = {mistake: diagnosed(seed, mistake) for mistake in MISTAKES}
    report.table(
        ("mistake", "train accuracy", "held out", "the doctor"),
        [(MISTAKES[mistake], *map(spread, runs.T), label[mistake]) for mistake, runs in found.items()],
    )
    named = {textwrap.fill(MISTAKES[mistake] if mistake else "no mistake", 36): runs for mistake, runs in found.items()}
    caption = (
        f"Accuracy of {RUNS} trainings of the right program, on top, and of six mistaken ones; bars: mean ± standard deviation"
    )
    report.picture("experiment", seed_004_pictures.experiment(named, QUOTED), caption)
    verdicts(report, seed, found, label)


def spread(values: Array) -> str:
    """Mean ± standard deviation."""
    return f"{values.mean():.1%} ± {values.std(ddof=1):.1%}"


class Problem(NamedTuple):
    """Rows to train and rows held out, initial weights, and the batches of each epoch."""

    data: tuple[Array, Array]
    held_out: tuple[Array, Array]
    start: Parameters
    epochs: list[list[Array]]


def problem(seed: int, run: int, labels: str = "random") -> Problem:
    """The document's, drawn anew for each run."""
    rng = np.random.default_rng([3, seed, run])
    X, y = dummy(rng)
    X, y, X_out, y_out = held_out(X, y if labels == "random" else learnable(X, rng))
    return Problem((X, y), (X_out, y_out), initial(SIZES, rng), rivals.orders(len(X), BATCH_SIZE, EPOCHS, rng))


def trained(seed: int, run: int, mistake: str = "", lr: float = LR, labels: str = "random") -> tuple[float, float]:
    """Accuracy on the rows of the training, and on those held out."""
    given = problem(seed, run, labels)
    p = mlp(given.start, *given.data, given.epochs, mistake, lr)
    return accuracy(p, *given.data), accuracy(p, *given.held_out)


def best_epoch(seed: int, run: int) -> float:
    """The accuracy on the rows held out after the epoch that is best there."""
    given = problem(seed, run)
    p, found = given.start, []
    for epoch in given.epochs:
        p = mlp(p, *given.data, [epoch])
        found.append(accuracy(p, *given.held_out))
    return max(found)


def by_tensorflow(seed: int, run: int) -> float:
    """TensorFlow's accuracy on the rows of the training, with the same data, weights and batches."""
    (X, y), _, start, epochs = problem(seed, run)
    rival = rivals.tensorflow(start, LR)
    for epoch in epochs:
        for rows in epoch:
            rival.step(X[rows], y[rows])
    return rivals.measured(rival, X, y)[1]


def diagnosed(seed: int, mistake: str) -> str:
    """The doctor's label for the gradients of the last batch."""
    rng = np.random.default_rng([3, seed, 0])
    X, y, _, _ = held_out(*dummy(rng))
    p = initial(SIZES, rng)
    found = tg.check.diagnose(loss, lambda X, y, p: backward(p, X, y, mistake=mistake), X[64:], y[64:], p)
    return ", ".join(found.labels)


def verdicts(report: Report, seed: int, found: dict[str, Array], label: dict[str, str]) -> None:
    """The document's conclusions against these numbers."""
    right, held = found[""].T
    mean, std = right.mean(), right.std(ddof=1)
    gap = QUOTED["MLP from Scratch"] - QUOTED["TensorFlow MLP"]
    apart = np.abs(right[:, None] - right[None, :])[np.triu_indices(RUNS, 1)]
    as_far = f"{(apart >= gap - 1e-9).mean():.0%}"
    mistaken = [mistake for mistake in MISTAKES if mistake]
    passing = [mistake for mistake in mistaken if abs(found[mistake][:, 0].mean() - mean) <= gap]
    caught = [mistake for mistake in mistaken if label[mistake] != "correct"]
    in_80 = " and ".join(f"{round(80 * value)} ({round(80 * value) / 80:.1%})" for value in QUOTED.values())
    best = max(MISTAKES, key=lambda mistake: float(found[mistake][:, 0].mean()))
    report.say(
        f"The right program ends between {right.min():.0%} and {right.max():.0%} on its training rows. Two runs of it, which "
        f"differ in nothing but the random numbers, are {100 * gap:.0f} points or more apart in {as_far} of all pairs. Of the six "
        f"mistaken programs {len(passing)} have a mean within {100 * gap:.0f} points of that of the right one. The best training "
        "accuracy is that of "
        + (f"a mistaken one ({MISTAKES[best]}: its steps are up to 32 times as long). " if best else "the right one. ")
        + f"On the rows held out all are at chance, {spread(held)} for the right one: in random labels there is nothing to learn. "
        f"58 % and 54 % are no shares of 20 rows, but near to {in_80} of 80: they will be those of the training rows.",
        f"One look at the gradients of one batch names {len(caught)} of the {len(mistaken)} mistakes, and calls the right program "
        "correct.",
    )
    report.check(label[""] == "correct" and caught == mistaken, "the doctor catches all six mistakes, and accuses no right program")
    chosen = np.array([best_epoch(seed, run) for run in range(RUNS)])
    gained = float((chosen - held).mean() / ((chosen - held).std(ddof=1) / np.sqrt(RUNS)))
    report.say(
        "Line 185 calls the rows of `validation_split` *testing data*. They are, as long as nothing is chosen by them. If the "
        f"epoch is chosen that is best on them, the same trainings have {spread(chosen)} there, "
        f"{100 * (chosen - held).mean():.0f} points more than at the end, and in random labels there is nothing to gain."
    )
    report.claim(
        "l. 185",
        "validation_split: the fraction of X used as testing data",
        f"at the last epoch {spread(held)} on these {len(problem(seed, 0).held_out[0])} rows, at the epoch chosen by them "
        f"{spread(chosen)}: {gained:.0f} standard errors more",
        gained < 2,
        correction="validation data; testing data only if nothing is chosen by them",
    )
    value = QUOTED["MLP from Scratch"]
    off = abs(value - mean) / std
    report.claim(
        "l. 222",
        f"MLP from Scratch: ~{value:.0%}",
        f"{spread(right)} of the training rows: {off:.1f} standard deviations off",
        off < 2,
    )
    tensorflow_claim(report, seed, right)
    report.claim(
        "l. 225",
        "the similarity in results confirms correctness of implementation",
        f"{len(passing)} of {len(mistaken)} mistaken programs are as similar ({', '.join(label[mistake] for mistake in passing)})",
        not passing,
        right="equal gradients confirm it, and equal losses at every step from the same weights" if passing else "",
    )
    report.claim(
        "l. 239",
        "the match with TensorFlow proves the math and code are correct",
        f"{len(passing)} mistaken programs match as well, and {as_far} of the pairs of right runs are {100 * gap:.0f} points or "
        "more apart",
        not passing,
        right=f"what tells is equal gradients: they show all {len(caught)} mistakes" if len(caught) == len(mistaken) else "",
    )
    decided = float(np.mean([trained(seed, run, lr=0.1, labels="learnable")[1] for run in range(RUNS)]))
    errors = abs(held.mean() - 0.5) / (held.std(ddof=1) / np.sqrt(RUNS))
    report.claim(
        "l. 239",
        "the project shows how neural networks learn",
        f"accuracy on the rows held out {spread(held)}, {errors:.1f} standard errors from chance",
        held.mean() > 0.6,
        correction=f"on labels that X decides it does: {decided:.0%} of the rows held out, at lr 0.1" if decided > 0.7 else "",
    )


def tensorflow_claim(report: Report, seed: int, right: Array) -> None:
    """TensorFlow's own accuracies, where it is installed."""
    value, there = QUOTED["TensorFlow MLP"], "tensorflow" in rivals.installed()
    found = np.array([by_tensorflow(seed, run) for run in range(REPEATS)] if there else [])
    told, off = "TensorFlow is not installed", 0.0
    if there:
        listed, same = ("; ".join(f"{accuracy:.1%}" for accuracy in part) for part in (found, right[:REPEATS]))
        off = float(abs(value - found.mean()) / right.std(ddof=1))
        told = f"TensorFlow, {REPEATS} times: {listed}, by hand on the same {same}; {off:.1f} standard deviations off"
        report.check(
            np.array_equal(found, right[:REPEATS]), f"TensorFlow and the program by hand end with the same accuracies, {listed}"
        )
    report.claim("l. 223", f"TensorFlow MLP: ~{value:.0%}", told, off < 2 if there else None)
