"""Seed 003, "Understanding MLP Implementation from Scratch": the network 784-128-10 run as written, measured, and corrected.

``python demos/seed_003.py`` takes scikit-learn's digits, enlarged to 28 × 28; ``--full --data-dir DIR`` MNIST.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from report import Report, figure, launch, options
from seed_003_gradient import epsilon, factor_of_the_batch, what_the_doctor_says
from seed_003_parts import (
    MLP,
    Array,
    Images,
    Parameters,
    as_model,
    gradients_as_written,
    images,
    initial,
    measured,
    network,
    parameters_of,
    printed,
)
from seed_003_training import batch_sizes, corrected, first_loss, learning_rates

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.viz import plots

FULL = (
    "on MNIST, from the files in --data-dir: with its train and t10k files 60,000 images and 10,000 held out; with t10k alone "
    "8,000 of its 10,000 images and 2,000 (some minutes)"
)


def main() -> int:
    """The demo, section by section."""
    given = options("seed_003", __doc__.partition("\n")[0], full=FULL)
    report = Report("Seed 003: an MLP for handwritten digits, 784-128-10", given.out)
    data = images(given.seed, given.data_dir)
    start = initial(given.seed)
    first_run = system_as_written(report, data, given.seed)
    factor_of_the_batch(report, data, start)
    epsilon(report, data, start)
    what_the_doctor_says(report, data, start)
    fixed_sizes(report, given.seed)
    corrected(report, data, start)
    model = learning_rates(report, data, start, given.seed, first_run)
    batch_sizes(report, data, start, given.seed)
    first_loss(report, data, given.seed)
    what_is_right(report, data, start)
    trained_model(report, data, start, model)
    return report.finish()


# --- 1. as written -------------------------------------------------------------------------------------------------------------


def system_as_written(report: Report, data: Images, seed: int) -> float:
    """The class and the loop of the document, on real images; the accuracy on those held out."""
    report.heading("The system, as the document writes it")
    report.say(
        "The class `MLP` of the document (l. 6-149) stands in `demos/seed_003_parts.py`, statement by statement. It is "
        f"trained here on {len(data.X):,} images of {data.what}; {len(data.X_test):,} are held out. {data.remark} Values lie in "
        "[0, 1], arithmetic is in float64. `train(X, y)` with the document's settings, 10 epochs, batches of 32, learning "
        "rate 0.01, prints:"
    )
    net = network(initial(seed), MLP)
    lines = printed(net, data.X, data.y)
    report.show("\n".join(lines))
    count = sum(value.size for value in parameters_of(net).values())
    accuracy = measured(parameters_of(net), data.X_test, data.y_test)[1]
    report.say(f"The network has {count:,} parameters, and classifies {accuracy:.1%} of the held-out images correctly. It works.")
    hidden, out = net.forward(data.X[:32]).shape, net.layer1_output.shape
    report.claim(
        "l. 7-12, 166-168",
        "784 inputs, 128 hidden units, 10 outputs; biases of shape (1, n)",
        f"a batch of 32 gives {out} and {hidden}; {count:,} parameters",
        (out, hidden, count) == ((32, 128), (32, 10), 101_770),
    )
    again = network(initial(seed), MLP)
    told = float(printed(again, data.X, data.y, epochs=1)[0].split()[-1])
    after = measured(parameters_of(again), data.X, data.y)[0]
    report.claim(
        "l. 147-149",
        "the average loss is the statistic of the epoch",
        f"epoch 1 prints {told:.4f}, the loss of the same images after it is {after:.4f}",
        abs(told / after - 1) < 0.05,
        "it is the mean of losses before each of the epoch's updates; measure again after the epoch",
    )
    return float(accuracy)


# --- 2. sizes that are written down ---------------------------------------------------------------------------------------------


class Counting(MLP):
    """Counts the images that training sees."""

    seen = 0

    def forward(self, X: Array) -> Array:
        """One more batch."""
        self.seen += len(X)
        return np.asarray(super().forward(X))


def fixed_sizes(report: Report, seed: int) -> None:
    """The literal 10, the shape of the labels, the remainder of the batches."""
    report.heading("Sizes that are written down")
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((8, 4)), rng.integers(0, 3, 8)
    net = network(initial(seed, 4, 5, 3), MLP)
    net.forward(X)
    report.say(
        "`output_size` is an argument, but the one-hot labels have ten columns, whatever it is (l. 63, 83). `MLP(4, 5, 3)` says:"
    )
    told = message(lambda: net.backward(X, y))
    report.show(told)
    ten = network(initial(seed, 4, 5, 10), MLP)
    ten.forward(X)
    flat, column = (float(ten.calculate_loss(labels, ten.output)) for labels in (y, y[:, None]))
    report.say(
        "Labels of shape (m, 1), as they come from a table, are not refused: `y_one_hot[np.arange(m), y]` broadcasts to "
        f"(m, m) and sets in every row the classes of all rows. The loss of these 8 rows is {column:.3f} then, in place of "
        f"{flat:.3f}."
    )
    report.claim(
        "l. 62-64, 82-84",
        "labels are converted to one-hot",
        f"3 classes: {told.partition(':')[0]}; labels (m, 1): loss {column:.3f} for {flat:.3f}",
        not told and column == flat,
        "for 10 classes and labels of shape (m,)",
    )
    report.say(
        "The loop takes `n // batch_size` batches and leaves the rest of the epoch's order out (l. 119). Counted in one epoch:"
    )
    rows = []
    for n in (100, 1_797, 60_000):
        small = network(initial(seed, 2, 2), Counting)
        printed(small, rng.standard_normal((n, 2)), np.zeros(n, int), epochs=1)
        rows.append([n, small.seen, n - small.seen])
    report.table(("images", "seen in an epoch", "left out"), rows)
    few = message(lambda: printed(network(initial(seed, 2, 2), MLP), np.zeros((20, 2)), np.zeros(20, int)))
    report.say(f"Each epoch leaves out others, so little is lost. With fewer images than a batch the loop ends with `{few}`.")
    report.claim(
        "l. 119, 155-160",
        "an epoch: split into batches, for each batch …",
        ", ".join(f"{n:,}: {left} left out" for n, _, left in rows) + f"; 20: {few.partition(':')[0]}",
        not any(left for *_, left in rows) and not few,
        "for a number of images that the batch size divides",
    )


def message(act: Callable[[], object]) -> str:
    """The error that it ends with, empty if there is none."""
    try:
        act()
    except (ValueError, IndexError, ArithmeticError) as error:
        return f"{type(error).__name__}: {error}".strip()
    return ""


# --- 3. what is right, and what came of it --------------------------------------------------------------------------------------


def what_is_right(report: Report, data: Images, start: Parameters) -> None:
    """The softmax, the mask and the order of the updates."""
    report.heading("What is right in the document")
    net = network(start, MLP)
    net.forward(data.X)
    masks = np.array_equal(net.layer1_output > 0, net.layer1_input > 0)
    z = np.random.default_rng(0).standard_normal((100, 10))
    plain = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    apart = float(np.abs(net.softmax(z) - plain).max())
    with np.errstate(over="ignore", invalid="ignore"):  # that is the point
        unshifted = np.exp(1000 + z) / np.exp(1000 + z).sum(axis=1, keepdims=True)
    shifted = net.softmax(1000 + z)
    report.say(
        f"Softmax with the maximum subtracted (l. 42) equals exp(z) / Σ exp(z), here to {apart:.0e}; for logits near 1000 "
        f"that formula gives {np.isnan(unshifted).mean():.0%} NaN, the document's none. The mask from the output, "
        f"`layer1_output > 0` (l. 93), is the mask from the input, in all {net.layer1_output.size:,} places. `backward` "
        "computes all gradients before it changes a weight (l. 97-101); were `weights2` updated before `d_hidden` is "
        "computed, `d_weights1` would be another:"
    )
    report.claim(
        "l. 42, 172",
        "subtract the maximum for numerical stability",
        f"logits of 1000: {np.isnan(shifted).sum()} NaN, without it {np.isnan(unshifted).sum()} of {z.size}; equal to "
        f"{apart:.0e} elsewhere",
        not np.isnan(shifted).any() and bool(np.isnan(unshifted).any()) and apart < 1e-15,
    )
    report.claim(
        "l. 93",
        "the ReLU derivative is `layer1_output > 0`",
        "the mask from layer1_input is the same" if masks else "the mask differs",
        masks,
    )
    updates(report, data, start)


def updates(report: Report, data: Images, start: Parameters) -> None:
    """What the order of the updates is worth: d_weights1 with the old weights2, and with those that have taken their step."""
    X, y = data.X[:32], data.y[:32]
    model = as_model(start)
    true = tg.gradients(nn.cross_entropy(model(X), y, reduction="sum"), [model.linears[0].weight])[0]
    theirs = gradients_as_written(X, y, start)
    off = tg.check.relative_difference(theirs["weights1"], true)
    net = network(start, MLP)
    d_output = net.forward(X) - np.eye(10)[y]
    early = {}
    for lr in (0.001, 0.01, 0.1):
        after = start["weights2"] - lr * theirs["weights2"]
        gradient = X.T @ (d_output @ after.T * (net.layer1_output > 0))
        early[lr] = tg.check.relative_difference(gradient, true)
    report.table(
        ("learning rate", "d_weights1 as written, off by", "with weights2 updated first, off by"),
        [[lr, f"{off:.0e}" if off else "0", f"{apart:.3f}"] for lr, apart in early.items()],
    )
    report.claim(
        "l. 97-101",
        "weights are updated after all gradients",
        f"d_weights1 is that of the old weights2, {f'to {off:.0e}' if off else 'in every bit'}; with weights2 updated "
        f"first it would be {early[0.01]:.0%} off",
        off < 1e-12 < min(early.values()),
    )


def trained_model(report: Report, data: Images, start: Parameters, model: nn.MLP) -> None:
    """What the corrected network has learned."""
    report.heading("What the network has learned")
    report.say(
        "The corrected network, trained with the learning rate 0.1, on the held-out images; and what the training has "
        "added to the weights of its first hidden units, as images of 28 × 28. The weights themselves are mostly still the "
        "random ones of the start:"
    )
    drawn = figure(10.4, 4.1)
    drawn.get_layout_engine().set(wspace=0.12)  # so that the label of the left colour bar is not taken for the right panel's
    left, right = drawn.subplots(1, 2)
    plots.confusion_matrix(model, data.X_test, data.y_test, ax=left)
    added = as_model({**start, "weights1": model.linears[0].weight.numpy() - start["weights1"]})
    plots.first_layer(added, ax=right, limit=36)
    right.set_title("Added to the weights of the first 36 of 128 units", loc="left", fontsize=10)
    report.picture(
        "learned",
        drawn,
        "Left: what is taken for what, of the held-out images. Right: the change of the weights of 36 hidden units in "
        "training, red up and blue down; spots and strokes where the images differ, nothing at the border, which is black "
        "in all of them",
    )


if __name__ == "__main__":
    launch(main)
