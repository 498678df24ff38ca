"""Seed 002, "Neural Networks & Deep Learning": its formulas for a three-layer network of tanh with softmax, each checked.

The write-up derives the network by hand. This script evaluates its formulas beside the derivation that ``tg.derive`` prints,
trains the network with the learning rate that it names, and measures what it says of tanh, losses, depth and initial weights.
"""

from __future__ import annotations

import inspect
import re

import numpy as np
import seed_002_parts as parts
from report import Report, launch, options
from seed_002_depth import approximation, depth
from seed_002_parts import EQUAL, LINES, Array, closely, difference, one_hot, small
from seed_002_pictures import tanh_picture

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim


def formulas(report: Report, rng: np.random.Generator) -> None:
    """Every formula of lines 109 to 222 against the engine, beside the line that tg.derive prints."""
    report.heading("The formulas, one by one")
    X, y, p = rng.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2]), parts.draw_parameters([4, 5, 4, 3], rng)
    theirs, (ours, derivation) = parts.document(X, y, p), parts.engine(X, y, p)
    report.say(
        """The document writes the gradients of its network down. The engine gets the forward pass only: it records it, and finds
        the gradients itself. `tg.derive` prints how. Below are the document's formulas, beside the NumPy line of the printed
        derivation, for 6 samples and widths 4-5-4-3. The difference is that of the document's formula, evaluated in NumPy, and
        of the engine's value: the largest, relative to the largest entry. What the engine gets is this:"""
    )
    report.show(inspect.getsource(parts.loss), "python")
    lines, differences = (
        parts.printed(derivation.source()),
        {line.name: difference(theirs[line.name], ours[line.name]) for line in LINES},
    )
    report.table(
        ("place", "the document", "tg.derive prints", "difference", "verdict"),
        [
            (
                line.place,
                line.formula,
                f"`{line.name} = {lines[line.name]}`" if line.name in lines else "",
                f"{differences[line.name]:.1e}" if differences[line.name] else "0",
                "holds" if differences[line.name] <= EQUAL else "does not hold",
            )
            for line in LINES
        ],
    )
    report.say(
        """`E` are the exponentials of the shifted logits, so the fraction is P, and the bracket is Y; the derivation computes P
        there and only there. As mathematics, with L for J:"""
    )
    report.show(derivation.latex(), "math")
    report.say("and with a reason for each line, `derivation.markdown()`; its fifth step is the application of tanh's derivative:")
    step(report, derivation.markdown(), 5)
    forward = max(differences[line.name] for line in LINES[:6])
    backward = max(differences[line.name] for line in LINES[6:])
    report.check(max(forward, backward) <= EQUAL, f"all {len(LINES)} values of the engine are the document's, to 1e-12")
    report.claim("l. 109-133", "the forward pass, Z⁽¹⁾ … P", f"6 formulas equal the engine {closely(forward)}", forward <= EQUAL)
    report.claim(
        "l. 150-222", "the gradients, ∂J/∂Z⁽³⁾ … ∂J/∂b⁽¹⁾", f"12 formulas equal the engine {closely(backward)}", backward <= EQUAL
    )
    names(report, ours)


def step(report: Report, markdown: str, number: int) -> None:
    """One step of a derivation's Markdown, with its mathematics in the form that GitHub and the pages here show."""
    text = markdown[markdown.index(f"**{number}.**") : markdown.index(f"**{number + 1}.**")].strip()
    for i, part in enumerate(text.split("$$")):
        if i % 2:
            report.show(part.strip(), "math")
        else:
            report.say(*(re.sub(r"\$([^$]+)\$", r"$`\1`$", line) for line in part.splitlines() if line.strip()))


def names(report: Report, values: dict[str, Array]) -> None:
    """What the text calls the output, and what the formulas do; the picture of the network."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((16, 64)), rng.integers(0, 10, 16)
    model = nn.MLP([64, 32, 32, 10], activation="tanh", dtype=np.float64, rng=0)
    report.picture(
        "network",
        tg.draw(nn.cross_entropy(model(X), y), title="64-32-32-10, tanh, softmax"),
        "The network 64-32-32-10, drawn by tg.draw: each operation with its rule, each arrow with its gradient",
    )
    A2, P = values["A2"].shape, values["P"].shape
    report.say(
        """The text of lines 105 and 145 is about another network: it gives W⁽¹⁾ and W⁽²⁾ only, and calls a⁽²⁾ the output and a⁽¹⁾
        the hidden activation. The formulas have three matrices, and in them A⁽²⁾ is hidden."""
    )
    report.claim(
        "l. 105, 145",
        "given W⁽¹⁾, W⁽²⁾: a⁽²⁾ is the output activation",
        f"A⁽²⁾ has the shape {A2}, the output P {P}",
        A2 == P,
        f"three matrices; P = a⁽³⁾ is the output, {P}, a⁽¹⁾ and a⁽²⁾ are hidden",
    )


def conventions(report: Report, rng: np.random.Generator) -> None:
    """z = W a + b beside Z = X W + b."""
    report.heading("Rows or columns")
    report.say(
        """Lines 36 and 39 write a layer with columns, z = W a + b, where W has a row for each unit: (n_out, n_in). All other
        formulas have a sample in each row, Z = X W + b, where W is (n_in, n_out). Both call it W. One is the other transposed:"""
    )
    X, y, p = rng.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2]), parts.draw_parameters([4, 5, 4, 3], rng)
    rows, turned = parts.document(X, y, p), parts.columns(X, y, {name: a.T for name, a in p.items()})
    transposed = max(difference(turned[name].T, rows[name]) for name in turned)
    square = parts.draw_parameters([3, 3, 3, 3], rng)
    S = rng.standard_normal((6, 3))
    rows, turned = parts.document(S, y, square), parts.columns(S, y, square)
    mixed = difference(turned["Z3"].T, rows["Z3"])
    try:
        parts.columns(X, y, p)
        refused = "no error"
    except ValueError as error:
        refused = f"a {type(error).__name__}: the shapes do not fit"
    report.table(
        ("what", "result"),
        [
            ("W transposed: Z⁽³⁾ and all dW, differ by", small(transposed)),
            ("the same W, widths 4-5-4-3", refused),
            ("the same W, widths 3-3-3-3", f"no error, and Z⁽³⁾ differs by {mixed:.0%}"),
        ],
    )
    report.say("With square layers no shape tells. The gradient doctor does; here the way back uses W where the rows need Wᵀ:")
    found = tg.check.diagnose(parts.loss, parts.mixed, S, y, square)
    report.show(found)
    report.check(transposed <= EQUAL, "the column form with every W transposed is the row form, to 1e-12")
    report.check(found.labels == ["transposed"], "the doctor names the mix-up of conventions: transposed")
    report.claim(
        "l. 36-39",
        "z⁽ˡ⁾ = W⁽ˡ⁾ a⁽ˡ⁻¹⁾ + b⁽ˡ⁾, with the W of l. 109",
        f"the same square W in both differs by {mixed:.0%}",
        mixed <= EQUAL,
        f"the W of l. 39 is that of l. 109 transposed; then equal {closely(transposed)}",
    )


def activation(report: Report, rng: np.random.Generator) -> None:
    """tanh: two ways to write it, its properties, its derivative."""
    report.heading("tanh")
    z = np.array([1e-9, 1e-4, 0.1, 1.0, 20.0, 354.0, 356.0, 709.0, 711.0])
    errors = {
        name: parts.relative_errors(f, z)
        for name, f in (("first", parts.quotient), ("second", parts.doubled), ("np.tanh", np.tanh))
    }
    ends = parts.first_nan(parts.quotient), parts.first_nan(parts.doubled)
    report.say(
        """Line 59 has two quotients for tanh. As mathematics they are equal. As programs they overflow, and near 0 they subtract
        two numbers near 1. The relative errors, against 60 digits:"""
    )
    report.table(
        ("z", "(eᶻ − e⁻ᶻ)/(eᶻ + e⁻ᶻ)", "(e²ᶻ − 1)/(e²ᶻ + 1)", "np.tanh(z)"),
        [(f"{x:g}", *(f"{e:.1e}" for e in row)) for x, *row in zip(z, *errors.values(), strict=True)],
    )
    report.say(f"The first is NaN from z = {ends[0]:.2f} up, where eᶻ overflows, the second from z = {ends[1]:.2f}, half of it.")
    report.picture("tanh", tanh_picture(), "tanh and the sigmoid with their slopes, and the errors of the two quotients of line 59")
    worst = max(np.nanmax(errors["first"]), np.nanmax(errors["second"]))
    good = bool(np.isfinite(errors["np.tanh"]).all() and errors["np.tanh"].max() < 1e-15)
    report.claim(
        "l. 59",
        "tanh z as either quotient",
        f"NaN from z = {ends[0]:.0f} and {ends[1]:.0f}; error {small(worst)} at z = 1e-9",
        bool(worst < 1e-15 and np.isinf(ends).all()),
        f"the formulas hold; compute np.tanh, error {small(errors['np.tanh'].max())}" if good else "",
    )

    x = np.linspace(-18, 18, 10_001)
    inside, odd = float(np.abs(np.tanh(x)).max()), bool(np.all(np.tanh(-x) == -np.tanh(x)))
    x = rng.standard_normal(5_000)
    x = np.concatenate([x, -x])  # symmetric: what is left of a mean is the function's
    means = float(np.tanh(x).mean()), float(tg.sigmoid(x).mean())
    report.claim(
        "l. 64-66",
        "range (−1, 1), zero-centred unlike the sigmoid, odd",
        f"|tanh z| < 1 up to |z| = 18 (from about 19 on it rounds to 1); tanh(−z) = −tanh(z) in every bit: {odd}; "
        f"means over ±z of N(0, 1) {abs(means[0]):.2f} and {means[1]:.2f}",
        inside < 1 and odd and abs(means[0]) < 1e-12 and abs(means[1] - 0.5) < 1e-12,
    )

    z = rng.uniform(-3, 3, 200)
    plus, minus = np.exp(z) + np.exp(-z), np.exp(z) - np.exp(-z)
    engine = tg.grad(lambda z: np.sum(np.tanh(z)))(z)
    proof = max(difference((plus**2 - minus**2) / plus**2, engine), difference(1 - np.tanh(z) ** 2, engine))
    checked = tg.check.gradcheck(np.tanh, z, order=2)
    report.check(checked.ok, "tanh' and tanh'' of the engine agree with differences (tg.check.gradcheck)")
    report.claim(
        "l. 71-77",
        "d tanh/dz = 1 − tanh², and its proof",
        f"its members and the engine's derivative are equal {closely(proof)} at 200 points",
        proof <= EQUAL,
    )


def losses(report: Report, rng: np.random.Generator) -> None:
    """Binary cross-entropy and its 1/m, the loss that the network has, softmax."""
    report.heading("The loss")
    X, y, p = (
        rng.standard_normal((6, 4)),
        np.array([[0.0], [1], [1], [0], [1], [0]]),
        {"W": rng.standard_normal((4, 1)), "b": np.zeros(1)},
    )
    a = tg.Tensor(tg.sigmoid(X @ p["W"]), requires_grad=True)
    true = tg.gradients(-np.mean(y * np.log(a) + (1 - y) * np.log(1 - a)), a)
    written = (a.numpy() - y) / (a.numpy() * (1 - a.numpy()))
    ratio = float(np.mean(written / true))
    report.say(
        f"""Line 87 defines L as a mean over m samples; line 94 gives ∂L/∂a "for a single sample", without the 1/m. Used with the L
        of line 87 it is m times too large: for m = 6 the ratio to the true gradient is {ratio:.12g}. A backprop that takes both
        as they stand:"""
    )
    found = tg.check.diagnose(parts.binary_loss, parts.binary_backprop, X, y, p)
    report.show(found)
    report.check(found.labels == ["missing_batch_mean"], "the doctor names it: missing_batch_mean")
    report.claim(
        "l. 87-97",
        "∂L/∂a = (a − y) / (a (1 − a)), L a mean",
        f"ratio to the true gradient {ratio:.10g} at m = 6",
        abs(ratio - 1) < 1e-9,
        f"(a − y) / (m a (1 − a)), equal {closely(difference(written / len(X), true))}",
    )

    X, y, p = rng.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2]), parts.draw_parameters([4, 5, 4, 3], rng)
    sound, twice = (
        tg.check.diagnose(parts.loss, parts.as_written, X, y, p),
        tg.check.diagnose(parts.loss, parts.mean_twice, X, y, p),
    )
    report.say(
        f"""The network's own gradients have the 1/m in ∂J/∂Z⁽³⁾ (l. 161) and nowhere else; for the whole of them the doctor says:
        {", ".join(sound.labels)}. Seed 004 has it in the gradients of W and b instead. Who takes one half from each divides by
        m²: {", ".join(twice.labels)}."""
    )
    report.check(sound.labels == ["correct"], "the doctor finds the document's backprop correct")
    report.check(twice.labels == ["double_batch_mean"], "the doctor names the 1/m that was taken twice")

    Z3 = tg.Tensor(parts.document(X, y, p)["Z3"], requires_grad=True)
    P, Y = tg.softmax(Z3, axis=1), one_hot(y)
    fused = (P.numpy() - Y) / len(X)
    binary, cross = -np.sum(Y * np.log(P) + (1 - Y) * np.log(1 - P)) / len(X), -np.sum(Y * np.log(P)) / len(X)
    off, equal = difference(tg.gradients(binary, Z3), fused), difference(tg.gradients(cross, Z3), fused)
    report.claim(
        "l. 82-161",
        "the loss L, of which ∂J/∂Z⁽³⁾ = (P − Y)/m is the gradient",
        f"the L of l. 87 on the softmax has another gradient, {off:.0%} off; J is not defined",
        off <= EQUAL,
        f"J = −1/m Σᵢ log P[i, yᵢ]; its gradient is (P − Y)/m {closely(equal)}" if equal <= EQUAL else "",
    )

    big = np.array([[1000.0, 999.0, 0.0]])
    with np.errstate(all="ignore"):
        plain = np.exp(big) / np.exp(big).sum(axis=1, keepdims=True)
    stable = tg.softmax(big, axis=1)
    gradient = tg.grad(lambda z: nn.cross_entropy(z, np.array([1])))(big)
    report.say(
        f"""Softmax is named in line 133 and not written out. The quotient of exponentials that everybody writes next overflows from
        a logit of 710: for logits 1000, 999, 0 it is {plain[0].tolist()}. The maximum of each row is taken away first; the
        engine gives {np.round(stable[0], 4).tolist()}."""
    )
    report.claim(
        "l. 133",
        "P = softmax(Z⁽³⁾), as a program",
        f"e^Z / Σ e^Z as it stands, logits 1000, 999, 0: {int(np.isnan(plain).sum())} of 3 entries are NaN",
        not np.isnan(plain).any(),
        "the formula holds; subtract the row's maximum first: finite, and so is the gradient"
        if np.isfinite(stable).all() and np.isfinite(gradient).all()
        else "",
    )


def training(report: Report, seed: int) -> None:
    """α = 0.1 on the digits."""
    report.heading("α = 0.1")
    source = data.load_digits()
    X, y, X_test, y_test = data.split(source.X, source.y, 0.2, seed)
    X, X_test = data.standardise(X, X_test, common_scale=True)
    histories = []
    for name, lr in (("mean", 0.1), ("sum", 3.2)):
        model = nn.MLP([64, 32, 32, 10], activation="tanh", rng=seed)
        history = tg.History(name)
        tg.fit(
            model,
            X,
            y,
            loss=nn.cross_entropy,
            optimizer=optim.SGD(model.parameters(), lr=lr),
            epochs=20,
            batch_size=32,
            drop_last=True,
            validation_data=(X_test, y_test),
            metrics=["accuracy"],
            rng=seed,
            compile=True,
            progress=False,
            history=history,
        )
        histories.append(history)
    mean, total = (float(history["validation_accuracy"][-1]) for history in histories)
    report.say(
        f"""Line 232 sets α = 0.1; line 235 calls it η. 64-32-32-10 is trained so on scikit-learn's digits for 20 epochs, with
        batches of 32: it classifies {mean:.1%} of the held-out fifth correctly. This α belongs to the mean of l. 161. With the
        sum in its place (seed 003 has it so) the same α is a step 32 times as long: {total:.1%}."""
    )
    report.picture(
        "training", tg.plots.histories(histories), "Loss and accuracy with α = 0.1, for the gradient of the mean and of the sum"
    )
    report.claim(
        "l. 232", "α = 0.1", f"accuracy on held-out digits {mean:.1%} after 20 epochs; with a sum gradient {total:.1%}", mean > 0.9
    )


def main() -> int:
    """The document from its first formula to its last."""
    chosen = options("seed_002", __doc__)
    report = Report("Seed 002: three layers of tanh, formula by formula", chosen.out)
    rng = np.random.default_rng(chosen.seed)
    formulas(report, rng)
    conventions(report, rng)
    activation(report, rng)
    losses(report, rng)
    training(report, chosen.seed)
    approximation(report, rng, chosen.seed)
    depth(report, rng, chosen.seed)
    return report.finish()


if __name__ == "__main__":
    launch(main)
