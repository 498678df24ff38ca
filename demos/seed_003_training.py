"""Seed 003, its training: the corrected network, learning rates and batch sizes for a sum and for a mean, the first loss."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from report import Report, figure
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
SIZES = (32, 64, 128)
NAMED = {"sum": "sum, as written", "mean": "mean, corrected"}


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
    report.say(f"It classifies {accuracy:.1%} of the held-out images correctly.")
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


def learning_rates(report: Report, data: Images, start: Parameters, seed: int, first_run: float) -> nn.MLP:
    """Which scaling a learning rate belongs to; returns the corrected network that was trained.

    ``first_run`` is the accuracy of the first section's training, with the same settings as one of these.
    """
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
    report.say(
        f"The first section trained with 0.01 too, from the same weights, and came to {first_run:.1%}, here it is "
        f"{runs['sum', 0.01]['test_accuracy'][-1]:.1%}: the batches come in another order. Smaller differences say nothing."
    )
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


def curves(runs: dict[tuple[str, float], History]) -> Any:
    """The training losses that tell the story."""
    drawn = figure(7.4, 3.8)
    ax = drawn.subplots()
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
    return drawn


def batch_sizes(report: Report, data: Images, start: Parameters, seed: int) -> None:
    """A sum makes the step grow with the batch: which learning rates work, for each batch size, for the sum and for the mean."""
    report.heading("Batch sizes, and raw pixels")
    report.say(
        "The sum also grows with the batch: one learning rate for the sum is another one for each batch size. So a fair "
        f"comparison tries several rates for each. Accuracy on the held-out images of {data.what}, 10 epochs each:"
    )
    ways = {"sum": (0.001, 0.002, 0.005, 0.01), "mean": (0.032, 0.1, 0.32, 1.0)}
    found = {(way, lr): [trained_with(data, start, seed, way, lr, size) for size in SIZES] for way in ways for lr in ways[way]}
    report.table(
        ("gradient", "learning rate", *(f"batches of {size}" for size in SIZES)),
        [[NAMED[way], f"{lr:g}", *(f"{accuracy:.1%}" for accuracy in row)] for (way, lr), row in found.items()],
    )
    best, highest = (
        {way: [of(found, way, rates, i) for i in range(len(SIZES))] for way, rates in ways.items()} for of in (best_of, highest_of)
    )
    report.say(
        "The sum with the rate η takes the steps of the mean with η B, as the check above has shown, so at its best rate neither "
        f"is better. The best here give {listed(best['sum'])} for the sum and {listed(best['mean'])} for the mean, in the "
        f"order of the batch sizes. What differs is the largest rate that still reaches {GOOD:.0%}: "
        f"{', '.join(f'{lr:g}' for lr in highest['sum'])} for the sum, {', '.join(f'{lr:g}' for lr in highest['mean'])} for the "
        "mean. Who changes the batch size has to change the rate of the sum with it."
    )
    serving = [f"{lr:g}" for lr in ways["sum"] if min(found["sum", lr]) > GOOD]
    at = found["sum", 0.01]
    report.claim(
        "l. 182-183",
        "learning rate 0.01-0.001, batch size 32-128",
        f"as written with 0.01: {', '.join(f'{size}: {a:.0%}' for size, a in zip(SIZES, at, strict=True))}; with 0.001: "
        f"{', '.join(f'{a:.0%}' for a in found['sum', 0.001])}",
        min(min(found["sum", lr]) for lr in ways["sum"]) > GOOD,
        f"not each rate with each size: {', '.join(serving)} serve all three, 0.01 batches of "
        f"{', '.join(str(size) for size, a in zip(SIZES, at, strict=True) if a > GOOD) or 'none'}"
        if serving
        else "",
    )
    raw = data._replace(X=data.brightest * data.X, X_test=data.brightest * data.X_test)
    unscaled = train("", as_written(start, 0.01), raw, seed)["test_accuracy"][-1]
    scaled = found["sum", 0.01][SIZES.index(32)]
    report.say(
        f"Pixels as the file has them, from 0 to {data.brightest}: as written with 0.01, {unscaled:.1%} of the held-out "
        "images are classified correctly."
    )
    report.claim(
        "l. 179",
        "normalise the input data",
        f"pixels in [0, 1]: {scaled:.0%}; from 0 to {data.brightest}: {unscaled:.0%}",
        bool(unscaled < scaled - 0.05),
    )


def trained_with(data: Images, start: Parameters, seed: int, way: str, lr: float, size: int) -> float:
    """The held-out accuracy after 10 epochs, by the document's sum or by the mean."""
    learner = as_written(start, lr) if way == "sum" else by_engine(start, lr)[0]
    return float(train("", learner, data, seed, batch_size=size)["test_accuracy"][-1])


Found = dict[tuple[str, float], list[float]]
"""Accuracies by way and learning rate, one for each batch size."""


def best_of(found: Found, way: str, rates: tuple[float, ...], i: int) -> float:
    """The best accuracy with the i-th batch size."""
    return max(found[way, lr][i] for lr in rates)


def highest_of(found: Found, way: str, rates: tuple[float, ...], i: int) -> float:
    """The largest rate that works with the i-th batch size."""
    return max((lr for lr in rates if found[way, lr][i] > GOOD), default=0.0)


def listed(accuracies: list[float]) -> str:
    """Shares in percent."""
    return ", ".join(f"{accuracy:.1%}" for accuracy in accuracies)


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
    report.say(
        "One hidden layer is too few for anything to vanish or explode. Ten layers of 128 ReLU units, on the same images; how "
        "much of the mean square is left at the output, and of the square of a random gradient back at the input (medians of "
        "9 draws):"
    )
    deep = {
        variance: np.median([through_layers(data.X[:64], variance, [seed, n]) for n in range(9)], axis=0) for variance in (1, 2, 4)
    }
    report.table(
        ("variance of the weights", "mean square, output / input", "square of the gradient, input / output"),
        [[f"{variance}/n{', He' if variance == 2 else ''}", *(f"{left:.2g}" for left in both)] for variance, both in deep.items()],
    )
    (down, _), (kept_up, kept_back), (up, _) = deep[1], deep[2], deep[4]
    report.claim(
        "l. 15-17",
        "He's √(2/n) helps against vanishing and exploding, and suits ReLU",
        f"ten layers keep {kept_up:.2g} of the mean square and {kept_back:.2g} of the gradient's; of the mean square √(1/n) "
        f"keeps {down:.1g}, √(4/n) makes {up:,.0f} times as much",
        min(kept_up, kept_back) > 0.1 and max(kept_up, kept_back) < 10 and down < 0.02 and up > 50,
    )


def through_layers(X: np.ndarray, variance: float, seed: list[int], layers: int = 10, width: int = 128) -> tuple[float, float]:
    """Mean square of the output over that of X, and ‖gradient by X‖² over that of a random gradient at the output."""
    rng = np.random.default_rng(seed)
    x = A = tg.Tensor(X, requires_grad=True)
    for _ in range(layers):
        A = tg.relu(A @ (np.sqrt(variance / A.shape[1]) * rng.standard_normal((A.shape[1], width))))
    g = rng.standard_normal(A.shape)
    back = np.asarray(tg.gradients((A * g).sum(), x))
    return float(np.mean(A.numpy() ** 2) / np.mean(X**2)), float(np.sum(back**2) / np.sum(g**2))


def beginning(X: np.ndarray, y: np.ndarray, parameters: Parameters) -> tuple[float, float, float]:
    """How much of the mean square the hidden layer keeps, the standard deviation of the logits, the loss."""
    net = network(parameters, MLP)
    net.forward(X)
    kept = float(np.mean(net.layer1_output**2) / np.mean(X**2))
    return kept, float(net.layer2_input.std()), float(nn.cross_entropy(net.layer2_input, y))
