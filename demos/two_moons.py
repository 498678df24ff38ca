"""A classifier from end to end: two moons, tg.fit with early stopping, the decision boundary."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from report import Report, launch, options

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim, train


def two_moons(n: int, noise: float, rng: np.random.Generator) -> tuple[Any, Any]:
    """n points on two half circles that reach into each other, with noise: X (n, 2), y (n,) of 0 and 1."""
    y = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, n)
    X = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    X[y == 1] = np.array([1.0, 0.5]) - X[y == 1]
    return X + noise * rng.standard_normal(X.shape), y


def trained(network: nn.Module, name: str, X: Any, y: Any, seed: int) -> tuple[tg.History, train.EarlyStopping]:
    """Adam on the cross-entropy; the network has its best parameters afterwards."""
    stop = train.EarlyStopping(patience=20)
    optimizer = optim.Adam(network.parameters(), lr=0.005)
    history = tg.fit(
        network, X, y, loss=nn.cross_entropy, optimizer=optimizer, epochs=200, batch_size=32, validation_split=0.2,
        metrics=["accuracy"], stop=stop, rng=seed, progress=False, history=tg.History(name),
    )  # fmt: skip
    return history, stop


def main() -> int:
    """Data, model, training, pictures."""
    chosen = options("two_moons", __doc__)
    report = Report("Two moons", chosen.out)
    rng = np.random.default_rng(chosen.seed)
    X, y = two_moons(500, 0.2, rng)
    X_test, y_test = two_moons(2000, 0.2, rng)

    line = nn.Linear(2, 2, dtype=np.float64, rng=chosen.seed)
    model = nn.MLP([2, 32, 32, 2], dtype=np.float64, rng=chosen.seed)
    report.say(
        """Two half circles that reach into each other, with noise: no straight line separates them. A network with two hidden
        layers does. The training holds a fifth of the 500 points out, stops when their loss has not fallen for 20 epochs, and
        takes the best parameters back."""
    )
    report.show(model)
    report.show(inspect.getsource(trained), "python")
    runs = {name: trained(network, name, X, y, chosen.seed) for network, name in ((line, "line"), (model, "network"))}
    for name, (_, stop) in runs.items():
        report.say(f"The {name} was best after epoch {stop.best_epoch}, validation loss {stop.best:.3f}.")
    histories = [history for history, _ in runs.values()]
    report.picture(
        "history", tg.plots.histories(histories), "Loss and accuracy of the line and of the network, train and validation"
    )

    found = {name: train.evaluate(network, X_test, y_test, loss=nn.cross_entropy, metrics=["accuracy"])
             for name, network in (("line", line), ("network", model))}  # fmt: skip
    report.table(("model", "loss on 2000 new points", "accuracy"),
                 [(name, f"{e['loss']:.3f}", f"{e['accuracy']:.1%}") for name, e in found.items()])  # fmt: skip
    history, stop = runs["network"]
    typical = float(np.median(history["validation_loss"][stop.best_epoch or 0 :]))
    hundreds = [train.evaluate(model, X_test[i : i + 100], y_test[i : i + 100], loss=nn.cross_entropy)["loss"]
                for i in range(0, len(X_test), 100)]  # fmt: skip
    report.say(
        f"""Why is the network's best validation loss {stop.best:.3f}, and {found["network"]["loss"]:.3f} on new points? The
        best epoch was chosen on those 100 points, so its loss there is too good: from that epoch on the median of the
        validation losses is {typical:.3f}. And 100 points are few: the 2000 new points, in 20 lots of 100, give the same network
        losses from {min(hundreds):.3f} to {max(hundreds):.3f}. A number to report comes from points that took no part in a choice,
        and from many of them."""
    )
    report.picture(
        "boundary", tg.plots.decision_boundary(model, X, y), "What the network answers in the plane; wrong points have a black ring"
    )
    report.check(
        found["network"]["accuracy"] > found["line"]["accuracy"] + 0.05, "the network is better than the line by more than 5 points"
    )
    return report.finish()


if __name__ == "__main__":
    launch(main)
