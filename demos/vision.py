"""What the demos of images share: an MLP and a small CNN for them, and their training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

Array = NDArray[Any]


class Parts(NamedTuple):
    """Images ``(m, c, h, w)`` in float32, standardised, and labels ``(m,)``: a part to train on, one to test on; the classes."""

    X: Array
    y: Array
    X_test: Array
    y_test: Array
    classes: Sequence[str]


def standardised(X: Array, y: Array, X_test: Array, y_test: Array, classes: Sequence[str]) -> Parts:
    """Each pixel shifted to the mean 0 over the training images; all divided by one number, so that faint pixels stay faint."""
    rows = tg.data.standardise(X, X_test, common_scale=True)
    return Parts(rows[0].reshape(X.shape), y, rows[1].reshape(X_test.shape), y_test, classes)


def small_cnn(channels: int, side: int, classes: int, widths: tuple[int, int, int], rng: np.random.Generator) -> nn.Sequential:
    """Three convolutions 3 × 3 with ReLU, the largest of 2 × 2 after the first two, the mean over the image, a linear layer.

    Shapes: x ``(m, channels, side, side)``, side a multiple of 4 → logits ``(m, classes)``.
    """
    a, b, c = widths
    return nn.Sequential(
        nn.Conv2d(channels, a, 3, padding=1, rng=rng), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(a, b, 3, padding=1, rng=rng), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(b, c, 3, padding=1, rng=rng), nn.ReLU(), nn.AvgPool2d(side // 4),
        nn.Flatten(), nn.Linear(c, classes, rng=rng),
    )  # fmt: skip


def trained(
    model: nn.Module, parts: Parts, optimizer: optim.Optimizer, epochs: int, batch_size: int, rng: np.random.Generator, name: str
) -> tg.History:
    """Train on mini-batches by compiled steps; loss and accuracy of both parts, train and test, after every epoch.

    The learning rate falls along half a cosine to nought; an MLP gets its images flattened. The test images choose nothing.
    """
    X, X_test = (inputs(model, part) for part in (parts.X, parts.X_test))
    found = tg.fit(
        model, X, parts.y, validation_data=(X_test, parts.y_test), loss=nn.cross_entropy, optimizer=optimizer, epochs=epochs,
        batch_size=batch_size, schedule=optim.CosineAnnealingLR(optimizer, epochs), metrics=["accuracy"], rng=rng, compile=True,
        progress=False,
    )  # fmt: skip
    history = tg.History(name)
    names = {"train_loss": "train_loss", "validation_loss": "test_loss"}
    names |= {"train_accuracy": "train_accuracy", "validation_accuracy": "test_accuracy"}
    for k, epoch in enumerate(found.at):
        history.record(epoch=epoch, **{ours: found[theirs][k] for theirs, ours in names.items()})
    return history


def inputs(model: nn.Module, X: Array) -> Array:
    """Images as the model takes them: rows of numbers for an MLP."""
    return X.reshape(len(X), -1) if isinstance(model, nn.MLP) else X


def logits(model: nn.Module, X: Array) -> Array:
    """What the model says of images, without a graph."""
    return np.asarray(tg.train.predict(model, inputs(model, X), batch_size=256))


def shifted(X: Array, pixels: int) -> Array:
    """Images moved to the right by whole pixels; at the left the first column is repeated."""
    columns = np.clip(np.arange(X.shape[-1]) - pixels, 0, X.shape[-1] - 1)
    return X[..., columns]


def shuffled(X: Array, order: Array) -> Array:
    """Images (m, c, h, w) with their pixels in another order, the colours of a pixel together: order (h · w,)."""
    return np.ascontiguousarray(X.reshape(*X.shape[:2], -1)[:, :, order].reshape(X.shape))


def within(distance: float) -> str:
    """A distance in words.

    >>> within(0.0), within(3.4e-16)
    ('in every bit', 'to 3e-16')
    """
    return f"to {distance:.0e}" if distance else "in every bit"


def change(a: Array, b: Array) -> float:
    """‖a − b‖ / ‖b‖, over all entries."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))
