"""Seed 003, its training: the corrected network, learning rates and batch sizes for a sum and for a mean, the first loss."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from report import Report
from seed_003_parts import (
    MLP,
    NAMES,
    Corrected,
    Images,
    Parameters,
    as_model,
    as_written,
    by_engine,
    corrected_gradients,
    initial,
    loss_as_written,
    measured,
    network,
    parameters_of,
    printed,
    steps_until,
    train,
)

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.history import History

BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
GOOD = 0.9
"""The held-out accuracy from which on a setting has worked."""


def corrected(report: Report, data: Images, start: Parameters) -> None:
    """The gradient of the loss, by hand, by the engine and by manual.py."""
    report.heading("Corrected")
    report.say(
        "The lines that change are d_output and those that depended on 10. With `eps = 0` the loss is taken from the "
        "logits; with `eps = 1e-7` it is the document's, and each row of d_output gets its factor:"
    )
    report.show(inspect.cleandoc("\n" + inspect.getsource(Corrected.gradients)), "python")
    X, y = data.X[:32], data.y[:32]
    found = [
        tg.check.diagnose(loss_as_written, lambda X, y, p: corrected_gradients(X, y, p, 1e-7), X, y, start, seconds=60),
        tg.check.diagnose(loss_from_logits, lambda X, y, p: corrected_gradients(X, y, p, 0.0), X, y, start, seconds=60),
    ]
    report.say("The doctor on both, the first against the document's own loss:")
    report.show("\n".join(str(diagnosis).partition("\n")[0] for diagnosis in found))
    report.check(
        all(diagnosis.labels == ["correct"] for diagnosis in found), "the corrected gradients are right, with and without eps"
    )
    net = network(start, Corrected)
    loss = float(net.calculate_loss(y, net.forward(X)))
    report.check(
        abs(loss / float(loss_from_logits(X, y, start)) - 1) < 1e-12, f"the loss is nn.cross_entropy of the logits, {loss:.4f}"
    )
    report.say("Its loop takes every image, the last batch a shorter one. With its learning rate, 0.1, it prints:")
    report.show("\n".join(printed(net, data.X, data.y)))
    accuracy = measured(parameters_of(net), data.X_test, data.y_test)[1]
    report.say(f"Of the held-out images it names {accuracy:.1%} rightly.")
    report.say("The chain rule, as `tg.derive` finds it from the loss from the logits alone:")
    report.show(derived_backward(X, y, start), "python")
    model = as_model(start)
    engine = tg.gradients(nn.cross_entropy(model(X), y), list(model.parameters()))
    by_hand = corrected_gradients(X, y, start, 0.0)
    off = max(tg.check.relative_difference(by_hand[name], np.atleast_2d(g)) for name, g in zip(NAMES, engine, strict=True))
    report.check(off < 1e-12, f"they are those of nn.MLP and nn.cross_entropy, to {off:.0e}")
    compared = tg.check.compare(model, "cross_entropy", X, y)
    report.say("The same model, by the engine and by the backprop of `tinygrad_mlp/manual.py`, on the same 32 images:")
    report.show(compared)
    report.check(compared.ok and all(row.equal_bits for row in compared.rows), "engine and manual backprop are equal bit for bit")
    loss = nn.cross_entropy(model(X), y)
    report.picture(
        "graph",
        tg.draw(loss, names={"X": X}, direction="LR"),
        "The corrected loss, with the gradients that flow back along its edges",
    )


def derived_backward(X: np.ndarray, y: np.ndarray, parameters: Parameters) -> str:
    """The backward lines of the program that is derived from the loss."""
    weights1, biases1, weights2, biases2 = (tg.Tensor(parameters[name], requires_grad=True) for name in NAMES)

    def loss(X: np.ndarray, y: np.ndarray) -> Any:
        layer1_input = X @ weights1 + biases1
        layer1_output = tg.relu(layer1_input)
        layer2_input = layer1_output @ weights2 + biases2
        return nn.cross_entropy(layer2_input, y)

    lines = tg.derive(loss, X, y).source().partition("    # backward")[2].splitlines()[1:]
    return inspect.cleandoc("\n" + "\n".join(line for line in lines if "return loss" not in line))


def loss_from_logits(X: np.ndarray, y: np.ndarray, parameters: Parameters) -> Any:
    """The cross-entropy of the document's logits."""
    net = network(parameters, MLP)
    net.forward(X)
    return nn.cross_entropy(net.layer2_input, y)


def learning_rates(report: Report, data: Images, start: Parameters, seed: int) -> nn.MLP:
    """Which scaling a learning rate belongs to; returns the corrected network that was trained."""
    report.heading("Learning rates")
    report.say(
        "A gradient that is 32 times too large with the learning rate 0.01 is a right one with 0.32. All runs start from "
        "the same weights and see the same batches of 32; the sum is the document's `backward`, the mean is `nn.MLP` with "
        "`nn.cross_entropy` and `optim.SGD`, compiled. Loss (from the logits), accuracy and dead hidden units are measured "
        "after 10 epochs:"
    )
    runs: dict[tuple[str, float], History] = {}
    models: dict[float, nn.MLP] = {}
    for lr in (0.1, 0.01, 0.001):
        runs["sum", lr] = train(f"as written, lr {lr:g}", as_written(start, lr), data, seed)
    for lr in (0.32, 0.1, 0.032, 0.01, 0.001):
        learner, models[lr] = by_engine(start, lr)
        runs["mean", lr] = train(f"corrected, lr {lr:g}", learner, data, seed)
    table = [
        [run.name, f"{run['train_loss'][-1]:.4f}", f"{run['test_accuracy'][-1]:.1%}", f"{run['dead'][-1]:.0%}"]
        for run in runs.values()
    ]
    report.table(("run", "training loss", "held-out accuracy", "dead units"), table)
    one, other = runs["sum", 0.01]["train_loss"], runs["mean", 0.32]["train_loss"]
    apart = float(np.abs(one / other - 1).max())
    report.check(
        apart < 1e-9, f"as written with 0.01 and corrected with 0.32 have the same losses after each epoch (to {apart:.0e})"
    )
    report.picture(
        "learning",
        curves(runs),
        "As written with 0.01 and corrected with 0.32 lie on each other; corrected with 0.01 learns slowly; as written "
        "with 0.1, the rate of seed 002, nothing is learned",
    )
    slow = steps_until(1.0, by_engine(start, 0.001)[0], data, seed, every=8)
    fast = steps_until(1.0, as_written(start, 0.001), data, seed)
    report.say(
        f"With one learning rate, 0.001, the mean needs {slow:,} steps to a training loss of 1, the sum {fast}: "
        f"{slow / fast:.0f} times fewer. So who mends the gradient must multiply the learning rate by the batch size. With "
        f"0.01 as written, an effective 0.32, {runs['sum', 0.01]['dead'][-1]:.0%} of the hidden units are dead after 10 "
        f"epochs, for 0.001 {runs['sum', 0.001]['dead'][-1]:.0%}."
    )
    works = {key: bool(run["test_accuracy"][-1] > GOOD) for key, run in runs.items()}
    accuracy = {key: f"{run['test_accuracy'][-1]:.0%}" for key, run in runs.items()}
    report.claim(
        "l. 182",
        "learning rate: typically 0.01-0.001",
        f"as written {accuracy['sum', 0.01]} and {accuracy['sum', 0.001]}; the gradient of the printed loss, with the same "
        f"rates: {accuracy['mean', 0.01]} and {accuracy['mean', 0.001]}, {slow / fast:.0f} times slower at 0.001",
        works["sum", 0.01] and works["sum", 0.001] and slow < 2 * fast,
        "for the sum over a batch of 32; for the mean it is 0.32-0.032"
        if apart < 1e-9 and works["mean", 0.32] and works["mean", 0.032]
        else "",
    )
    return models[0.1]


def curves(runs: dict[tuple[str, float], History]) -> Figure:
    """The training losses that tell the story."""
    figure = Figure(figsize=(7.4, 3.8), layout="constrained")
    ax = figure.subplots()
    for key, colour, style in (
        (("sum", 0.1), PURPLE, "-"),
        (("mean", 0.001), GREEN, ":"),
        (("mean", 0.01), GREEN, "-"),
        (("sum", 0.01), BLUE, "-"),
        (("mean", 0.32), ORANGE, "o"),
    ):
        epochs, loss = runs[key].series("train_loss")
        ax.plot(epochs, loss, style, color=colour, label=runs[key].name, markerfacecolor="none", markersize=8)
    ax.set(xlabel="epoch", ylabel="training loss (log scale)", yscale="log")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def batch_sizes(report: Report, data: Images, start: Parameters, seed: int) -> None:
    """A sum makes the step grow with the batch."""
    report.heading("Batch sizes, and raw pixels")
    report.say(
        "The sum also grows with the batch: one learning rate for the sum is another one for each batch size. 10 epochs each:"
    )
    rows, written, mean = [], {}, {}
    for size in (32, 64, 128):
        written[size] = train("", as_written(start, 0.01), data, seed, batch_size=size)["test_accuracy"][-1]
        mean[size] = train("", by_engine(start, 0.1)[0], data, seed, batch_size=size)["test_accuracy"][-1]
        rows.append([size, f"{0.01 * size:g}", f"{written[size]:.1%}", f"{mean[size]:.1%}"])
    report.table(("batch size", "0.01 as written is, for the mean", "as written, lr 0.01", "corrected, lr 0.1"), rows)
    report.claim(
        "l. 182-183",
        "batch size: typically 32-128, with learning rates from 0.01 on",
        "as written with 0.01: " + ", ".join(f"{size}: {a:.0%}" for size, a in written.items()),
        min(written.values()) > GOOD,
        "with the mean one rate, 0.1, serves all: " + ", ".join(f"{a:.0%}" for a in mean.values())
        if min(mean.values()) > GOOD
        else "",
    )
    raw = data._replace(X=data.brightest * data.X, X_test=data.brightest * data.X_test)
    unscaled = train("", as_written(start, 0.01), raw, seed)["test_accuracy"][-1]
    report.say(
        f"Pixels as the file has them, from 0 to {data.brightest}: as written with 0.01, {unscaled:.1%} of the held-out "
        "images are right."
    )
    report.claim(
        "l. 179",
        "normalise the input data",
        f"pixels in [0, 1]: {written[32]:.0%}; from 0 to {data.brightest}: {unscaled:.0%}",
        bool(unscaled < written[32]),
    )


def first_loss(report: Report, data: Images, seed: int) -> None:
    """He's initialisation, and where the loss begins."""
    report.heading("The initial weights")
    report.say(
        "Before any step, 20 draws of the weights each (mean ± standard deviation). A network that knows nothing would "
        "best give each class 0.1, and its loss would be ln 10 = 2.303. He's factor √(2/n) keeps the mean square from the "
        "input of a layer to its output behind a ReLU. The last layer has no ReLU, so its logits vary more than they need "
        "to, and the loss begins above ln 10:"
    )
    standard = tg.data.standardise(data.X, dtype=np.float64, common_scale=True)[0]
    draws = [initial(1000 * seed + draw) for draw in range(20)]
    settings = (
        ("He, as written", data.X, 1.0, 1.0),
        ("He, images standardised", standard, 1.0, 1.0),
        ("√(1/n) in place of √(2/n)", data.X, 0.5**0.5, 0.5**0.5),
        ("0.01 in the last layer", data.X, 1.0, 0.08),
    )
    kept, begins, rows = {}, {}, []
    for name, X, first, last in settings:
        at = np.array(
            [beginning(X, data.y, {**p, "weights1": first * p["weights1"], "weights2": last * p["weights2"]}) for p in draws]
        )
        (kept[name], spread, begins[name]), off = at.mean(axis=0), at.std(axis=0)
        rows.append(
            [name, f"{kept[name]:.2f} ± {off[0]:.2f}", f"{spread:.2f} ± {off[1]:.2f}", f"{begins[name]:.2f} ± {off[2]:.2f}"]
        )
    report.table(("weights", "mean square, hidden / input", "standard deviation of the logits", "first loss"), rows)
    he, half = (kept[name] for name in ("He, as written", "√(1/n) in place of √(2/n)"))
    report.claim(
        "l. 15-17",
        "He's √(2/n) helps against vanishing and exploding, and suits ReLU",
        f"hidden / input mean square {he:.2f}, with √(1/n) {half:.2f}",
        0.8 < he < 1.25 and abs(half / he - 0.5) < 0.05,
    )


def beginning(X: np.ndarray, y: np.ndarray, parameters: Parameters) -> tuple[float, float, float]:
    """How much of the mean square the hidden layer keeps, the standard deviation of the logits, the loss."""
    net = network(parameters, MLP)
    net.forward(X)
    kept = float(np.mean(net.layer1_output**2) / np.mean(X**2))
    return kept, float(net.layer2_input.std()), float(nn.cross_entropy(net.layer2_input, y))
