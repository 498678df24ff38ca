"""A backprop that is wrong and learns all the same: what the loss, a numeric check and the gradient doctor say of it.

``python demos/wrong_backprop.py``: a network with one hidden layer, 64-5-5, tanh and softmax, on the digits 0 to 4. Its backprop
is written by hand, right, and with one mistake in each of five copies.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from report import Report, figure, launch, options

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn

Array = NDArray[Any]
Parameters = dict[str, Array]
Backprop = Callable[[Array, Array, Parameters], Parameters]
CLASSES = 5
LR = 0.2


def main() -> int:
    """Each mistake before three judges."""
    given = options("wrong_backprop", __doc__.partition("\n")[0])
    report = Report("What is wrong with this backprop?", given.out)
    X, y = digits()
    start = weights(given.seed)
    histories = {f.__name__: trained(f, X, y, start) for f in (right, *MISTAKES)}
    the_loss(report, histories)
    batch = X[:16], y[:16]
    apart = {f.__name__: numeric_check(f, *batch, start) for f in (right, *MISTAKES)}
    the_numeric_check(report, apart)
    report.picture(
        "judges",
        picture(histories, apart),
        "Left: the loss falls with every one of the mistakes. Right: the numeric check tells which gradients are wrong, "
        "but not why",
    )
    the_doctor(report, *batch, start, apart)
    return report.finish()


# --- the network, its loss, its backprop -----------------------------------------------------------------------------------


def loss(X: Array, y: Array, p: Any) -> Any:
    """The mean cross-entropy of softmax(tanh(X W1 + b1) W2 + b2)."""
    A1 = np.tanh(X @ p["W1"] + p["b1"])
    return nn.cross_entropy(A1 @ p["W2"] + p["b2"], y)


def forward(X: Array, p: Parameters) -> tuple[Array, Array]:
    """The hidden layer A1 (m, 5), and the probabilities P (m, 5)."""
    A1 = np.tanh(X @ p["W1"] + p["b1"])
    Z2 = A1 @ p["W2"] + p["b2"]
    E = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
    return A1, E / E.sum(axis=1, keepdims=True)


def right(X: Array, y: Array, p: Parameters) -> Parameters:
    """The chain rule: dZ2 = (P − Y) / m, dA1 = dZ2 W2ᵀ, dZ1 = dA1 (1 − A1²)."""
    A1, P = forward(X, p)
    dZ2 = (P - np.eye(CLASSES)[y]) / len(y)
    dA1 = dZ2 @ p["W2"].T
    dZ1 = dA1 * (1 - A1**2)
    return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0)}


def missing_derivative(X: Array, y: Array, p: Parameters) -> Parameters:
    """The derivative of tanh is forgotten."""
    A1, P = forward(X, p)
    dZ2 = (P - np.eye(CLASSES)[y]) / len(y)
    dZ1 = dZ2 @ p["W2"].T
    return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0)}


def activated_twice(X: Array, y: Array, p: Parameters) -> Parameters:
    """tanh'(z) = 1 − tanh(z)², but A1, which is tanh(Z1) already, is taken for z."""
    A1, P = forward(X, p)
    dZ2 = (P - np.eye(CLASSES)[y]) / len(y)
    dA1 = dZ2 @ p["W2"].T
    dZ1 = dA1 * (1 - np.tanh(A1) ** 2)
    return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0)}


def transposed(X: Array, y: Array, p: Parameters) -> Parameters:
    """W2 in place of its transpose; W2 is square, so that no shape objects."""
    A1, P = forward(X, p)
    dZ2 = (P - np.eye(CLASSES)[y]) / len(y)
    dA1 = dZ2 @ p["W2"]
    dZ1 = dA1 * (1 - A1**2)
    return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0)}


def divided_twice(X: Array, y: Array, p: Parameters) -> Parameters:
    """1/m in dZ2 and once more in the gradients of the weights."""
    A1, P = forward(X, p)
    m = len(y)
    dZ2 = (P - np.eye(CLASSES)[y]) / m
    dA1 = dZ2 @ p["W2"].T
    dZ1 = dA1 * (1 - A1**2)
    return {"W1": X.T @ dZ1 / m, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2 / m, "b2": dZ2.sum(axis=0)}


def updated_too_early(X: Array, y: Array, p: Parameters) -> Parameters:
    """W2 takes its step before it is used to go back."""
    A1, P = forward(X, p)
    dZ2 = (P - np.eye(CLASSES)[y]) / len(y)
    dW2 = A1.T @ dZ2
    W2 = p["W2"] - LR * dW2
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": dW2, "b2": dZ2.sum(axis=0)}


MISTAKES: dict[Backprop, str] = {
    missing_derivative: "act_derivative_missing",
    activated_twice: "act_derivative_wrong_argument",
    transposed: "transposed",
    divided_twice: "double_batch_mean",
    updated_too_early: "updated_weights",
}
"""Each wrong copy, with the doctor's name for its mistake."""


def digits() -> tuple[Array, Array]:
    """scikit-learn's digits 0 to 4, grey values in [0, 1]."""
    source = data.load_digits()
    few = source.y < CLASSES
    return source.X[few] / 16, source.y[few]


def weights(seed: int) -> Parameters:
    """Glorot's weights; small random biases, since zeros could hide a mistake."""
    rng = np.random.default_rng(seed)
    W1, W2 = (nn.init.glorot_normal(shape, rng, np.float64) for shape in ((64, CLASSES), (CLASSES, CLASSES)))
    return {"W1": W1, "b1": 0.1 * rng.standard_normal(CLASSES), "W2": W2, "b2": 0.1 * rng.standard_normal(CLASSES)}


# --- three judges ------------------------------------------------------------------------------------------------------------


def trained(backprop: Backprop, X: Array, y: Array, start: Parameters, epochs: int = 10) -> tuple[Array, float]:
    """Gradient descent in batches of 16: the loss of all images before the first epoch and after each, the accuracy in the end."""
    p, rng = dict(start), np.random.default_rng(0)
    losses = [float(loss(X, y, p))]
    for _ in range(epochs):
        for X_batch, y_batch in data.batches(X, y, 16, rng):
            gradients = backprop(X_batch, y_batch, p)
            p = {name: p[name] - LR * gradients[name] for name in p}
        losses.append(float(loss(X, y, p)))
    return np.array(losses), float(np.mean(forward(X, p)[1].argmax(axis=1) == y))


def the_loss(report: Report, histories: dict[str, tuple[Array, float]]) -> None:
    """It falls, whatever the mistake."""
    report.heading("The loss goes down")
    report.say(
        "A network 64-5-5 with tanh and softmax learns the digits 0 to 4 of scikit-learn, 901 images, in 10 epochs with "
        "batches of 16 and the learning rate 0.2. Its backprop is written by hand in `demos/wrong_backprop.py`: `right()`, "
        "and five copies with one mistake each:"
    )
    report.show(inspect.getsource(right), "python")
    report.table(("copy", "its mistake"), [[f.__name__, (f.__doc__ or "").rstrip(".")] for f in MISTAKES])
    report.say(
        "The five were chosen among the mistakes with which the training still goes down and no shape objects; with others the "
        "loss may rise, or the program stop. So the next table shows that such mistakes exist, not "
        "how many of all mistakes are of this kind:"
    )
    rows = [[name, f"{losses[0]:.3f}", f"{losses[-1]:.3f}", f"{accuracy:.1%}"] for name, (losses, accuracy) in histories.items()]
    report.table(("backprop", "first loss", "last loss", "accuracy"), rows)
    fell = [name for name, (losses, _) in histories.items() if losses[-1] < losses[0] / 2 and name != "right"]
    report.claim(
        "often said",
        "the loss goes down, so the backprop is right",
        f"with {len(fell)} of {len(MISTAKES)} mistakes, chosen for that, it falls to less than half: {', '.join(fell)}",
        not fell,
        right="a falling loss shows that steps go downhill, not that they are along the gradient" if fell else "",
    )


def numeric_check(backprop: Backprop, X: Array, y: Array, p: Parameters) -> dict[str, float]:
    """‖by hand − numeric‖ over the larger of the two norms, as the doctor has it; central differences of every entry."""
    by_hand = backprop(X, y, p)
    return {name: relative(by_hand[name].ravel(), differences(X, y, p, name)) for name in p}


def relative(a: Array, b: Array) -> float:
    """‖a − b‖ / max(‖a‖, ‖b‖): 0 for equal, at most 2."""
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(a), np.linalg.norm(b)))


def differences(X: Array, y: Array, p: Parameters, name: str) -> Array:
    """The gradient of one parameter, entry by entry, (L(w + h) − L(w − h)) / 2h."""
    moved = {**p, name: p[name].copy()}
    return tg.check.numeric_gradient(lambda _: float(loss(X, y, moved)), moved[name], list(np.ndindex(p[name].shape)))


def the_numeric_check(report: Report, apart: dict[str, dict[str, float]]) -> None:
    """It says that something is wrong, and where it shows."""
    report.heading("The numeric check says: wrong")
    report.say(
        "Relative differences of the gradients of 16 images from central differences of the loss, ‖by hand − numeric‖ over the "
        "larger of the two norms:"
    )
    report.table(
        ("backprop", *next(iter(apart.values()))), [[name, *(f"{d:.1e}" for d in found.values())] for name, found in apart.items()]
    )
    wrong = {name: [p for p, d in found.items() if d > 1e-6] for name, found in apart.items()}
    report.check(not wrong["right"], "right() agrees with differences")
    same = [name for name, parameters in wrong.items() if parameters == ["W1", "b1"]]
    report.say(
        f"So the mistakes are seen. But {len(same)} of them look alike: W2 and b2 are right, W1 and b1 are wrong. That is "
        "the usual report, and it has many causes."
    )
    report.claim(
        "often said",
        "a numeric check finds a wrong gradient",
        f"{sum(map(bool, wrong.values()))} of {len(MISTAKES)} mistakes found, right() passed",
        sum(map(bool, wrong.values())) == len(MISTAKES) and not wrong["right"],
    )
    report.claim(
        "often said",
        "… and which parameters fail tells the mistake",
        f"{len(same)} different mistakes fail in W1 and b1 alone",
        len(same) < 2,
        right="it tells in which layer to look; the numbers of the wrong gradients tell the mistake" if len(same) > 1 else "",
    )


def the_doctor(report: Report, X: Array, y: Array, start: Parameters, apart: dict[str, dict[str, float]]) -> None:
    """It says which step of the chain rule it was."""
    report.heading("The doctor says: what, and in which line")
    report.say(
        "`tg.check.diagnose(loss, backprop, X, y, params)` on the same 16 images; the whole report for the first, the "
        "cause for the others:"
    )
    named, agree = 0, True
    for n, (backprop, label) in enumerate(MISTAKES.items()):
        found = tg.check.diagnose(loss, backprop, X, y, start, seconds=60)
        named += found.labels == [label]
        its = {row.name: row.relative or 0.0 for row in found.rows}
        agree &= all(abs(its[name] - apart[backprop.__name__][name]) < 1e-6 for name in start)
        told = str(found)
        report.show(told if n == 0 else told.splitlines()[0] + "\n\n" + told[told.index("[") :].partition("\n\n")[0])
        report.check(found.labels == [label], f"{backprop.__name__}() is diagnosed as {label}")
    healthy = tg.check.diagnose(loss, right, X, y, start, seconds=60)
    report.say("And the right one:")
    report.show(healthy)
    report.check(healthy.ok, "right() is called right")
    report.check(agree, "the doctor's relative differences are those of the numeric check")
    report.claim(
        "here",
        "the doctor names the mistake",
        f"{named} of {len(MISTAKES)} by their names, right() is `{healthy.labels[0]}`",
        named == len(MISTAKES) and healthy.ok,
    )


def picture(histories: dict[str, tuple[Array, float]], apart: dict[str, dict[str, float]]) -> Any:
    """The losses, and the relative differences as a matrix."""
    drawn = figure(10.5, 4.0)
    left, right_ax = drawn.subplots(1, 2, width_ratios=(1.2, 1))
    colours = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
    styles = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
    for (name, (losses, _)), colour, style in zip(histories.items(), colours, styles, strict=True):
        left.plot(losses, color=colour, linestyle=style, label=name, linewidth=1.8)
    left.set(xlabel="epoch", ylabel="loss (log scale)", yscale="log", title="the loss falls with every one of them")
    left.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=8)
    values = np.array([list(found.values()) for found in apart.values()])
    image = right_ax.imshow(np.log10(values), cmap="cividis", vmin=-12, vmax=0, aspect="auto")
    right_ax.set_xticks(range(values.shape[1]), list(next(iter(apart.values()))))
    right_ax.set_yticks(range(len(apart)), list(apart))
    right_ax.set_title("gradients: by hand against numeric")
    for (i, j), value in np.ndenumerate(values):
        right_ax.text(j, i, f"{value:.1e}", ha="center", va="center", fontsize=8, color="white" if value < 1e-6 else "black")
    drawn.colorbar(image, ax=right_ax, label="log₁₀ of the relative difference")
    return drawn


if __name__ == "__main__":
    launch(main)
