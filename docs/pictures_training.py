"""The pictures of training.md, in docs/images: ``python docs/pictures_training.py`` makes them, the same ones each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim
from tinygrad_mlp.history import History
from tinygrad_mlp.viz import plots
from tinygrad_mlp.watching import Watch, watch

IMAGES = Path(__file__).parent / "images"
SEED = 0


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The digits of scikit-learn, standardised, a fifth held out."""
    source = data.load_digits()
    X, y, X_test, y_test = data.split(source.X, source.y, 0.2, np.random.default_rng(SEED))
    X, X_test = data.standardise(X, X_test, dtype=np.float32, common_scale=True)
    return X, y, X_test, y_test


def measures(model: nn.Module, X: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Loss and accuracy."""
    with tg.no_grad():
        logits = model(X)
        return float(nn.cross_entropy(logits, y)), float((logits.numpy().argmax(axis=1) == y).mean())


def trained(name: str, lr: float, epochs: int = 20) -> tuple[nn.Module, History]:
    """A small network on the digits, and the history of its training."""
    X, y, X_test, y_test = digits()
    rng = np.random.default_rng(SEED)
    model = nn.MLP([64, 32, 10], rng=rng)
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    history = History(name)
    for epoch in range(1, epochs + 1):
        for X_batch, y_batch in data.batches(X, y, 32, rng):
            optimizer.zero_grad()
            nn.cross_entropy(model(X_batch), y_batch).backward()
            optimizer.step()
        (loss, accuracy), (test_loss, test_accuracy) = measures(model, X, y), measures(model, X_test, y_test)
        history.record(epoch=epoch, train_loss=loss, test_loss=test_loss, train_accuracy=accuracy, test_accuracy=test_accuracy)
    return model, history


def watched(activation: str, init: str, lr: float, steps: int = 60, shift: float = 0.0) -> Watch:
    """Eight hidden layers on the digits, looked into at every step; shift moves the biases of the first layer."""
    X, y, _, _ = digits()
    rng = np.random.default_rng(SEED)
    model = nn.MLP([64, *[32] * 8, 10], activation=activation, init=init, rng=rng)
    model.linear1.bias.data -= np.float32(shift)
    optimizer = optim.SGD(model.parameters(), lr=lr)
    with watch(model) as seen, np.errstate(all="ignore"):
        for X_batch, y_batch in (batch for _ in range(steps) for batch in data.batches(X, y, 128, rng)):
            optimizer.zero_grad()
            nn.cross_entropy(model(X_batch), y_batch).backward()
            seen.record()
            optimizer.step()
            if len(seen) == steps:
                break
    return seen


def spirals() -> tuple[np.ndarray, np.ndarray]:
    """Two arms that wind around each other."""
    rng = np.random.default_rng(SEED)
    turn = np.sqrt(rng.uniform(0.05, 1, 200)) * 2 * np.pi
    y = np.arange(200) % 2
    X = np.stack([np.cos(turn + np.pi * y), np.sin(turn + np.pi * y)], axis=1) * turn[:, None]
    return X + 0.25 * rng.standard_normal(X.shape), y


def classifier(X: np.ndarray, y: np.ndarray, steps: int = 800) -> nn.Module:
    """A network with two inputs and one logit."""
    model = nn.MLP([2, 32, 32, 1], activation="relu", dtype=np.float64, rng=SEED)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.binary_cross_entropy_with_logits(model(X), y[:, None].astype(float)).backward()
        optimizer.step()
    return model


def main(folder: Path = IMAGES) -> None:
    """Make all pictures."""
    X, y, X_test, y_test = digits()
    model, history = trained("lr 0.05", 0.05)
    pictures = {"history": history.plot()}
    pictures["runs"] = plots.histories([history, trained("lr 0.002", 0.002)[1], trained("lr 0.2", 0.2)[1]])

    sigmoid = watched("sigmoid", "glorot_normal", 0.1)
    pictures["vanishing"] = plots.gradient_flow(sigmoid)
    pictures["flow"] = plots.gradient_flow(watched("tanh", "glorot_normal", 0.1))
    pictures["exploding"] = plots.gradient_flow(watched("relu", "he_normal", 2.0, steps=15))
    pictures["activations"] = plots.activations(sigmoid)
    pictures["dead"] = plots.dead_units(watched("relu", "he_normal", 0.3, shift=3.0))

    pictures["first-layer"] = plots.first_layer(model, (8, 8))
    pictures["confusion"] = plots.confusion_matrix(model, X_test, y_test)
    points, arms = spirals()
    pictures["boundary"] = plots.decision_boundary(classifier(points, arms), points, arms)
    fresh = nn.MLP([64, 32, 10], rng=SEED)
    pictures["loss-along"] = plots.loss_along(fresh, lambda: nn.cross_entropy(fresh(X), y))
    folder.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        (folder / f"training-{name}.png").write_bytes(plots.png(picture))


if __name__ == "__main__":
    main()
