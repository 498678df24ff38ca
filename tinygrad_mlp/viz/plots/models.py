"""Pictures of a model: its first weights, what it confuses, where it draws the line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, SettingError, ShapeError, TensorTypeError, in_short, require
from ...nn.module import Module
from ...nn.prediction import outputs_of
from ...values import unwrap
from .figures import COLOURS, MARKS, one_ax, wrapped

__all__ = ["confusion_matrix", "decision_boundary", "first_layer"]

CHUNK = 4096
"""So many rows go through a model at once."""

CLASSES = 1000
"""More classes than these are a picture that nobody can read."""

GAP = "#bdbdbd"
"""Between the images, since white is a weight of 0."""

ON_TOP = 3
"""Samples on the wrong side are drawn over the others, of whatever class, and over the boundary."""

WRITTEN = 15
"""A confusion matrix with more classes has colours only: its numbers would not fit."""


# --- weights ----------------------------------------------------------------------------------------------------------


def first_layer(model: Module, shape: tuple[int, ...] = (28, 28), ax: Any = None, limit: int = 100) -> Any:
    """What each unit of the first layer looks for: its weights as an image, all on one scale, white where they are 0.

    Parameters
    ----------
    model : Module
        Its first parameter that is a matrix, (fan_in, units), is drawn.
    shape : tuple of int
        The shape of an input: (height, width), or (3, height, width) for colours, of which 0 is grey.
    limit : int
        No more units than this are drawn; the title says of how many.
    """
    name, parameter = next(((n, p) for n, p in model.named_parameters() if len(p.shape) == 2), ("", None))
    if parameter is None:
        raise SettingError(f"{type(model).__name__} has no weights that are a matrix")
    weights, colours = parameter.array.astype(np.float64), len(shape) == 3
    if len(shape) not in (2, 3) or (colours and shape[0] != 3) or math.prod(shape) != len(weights):
        raise ShapeError(
            f"{name} takes {len(weights)} numbers a sample, which are no image of shape {tuple(shape)}: "
            "give shape=(height, width), or (3, height, width)"
        )
    units = weights.shape[1]
    shown = min(units, max(int(limit), 1))
    images = weights.T[:shown].reshape(shown, *shape)
    scale = float(np.abs(images[np.isfinite(images)]).max(initial=0)) or 1.0
    if colours:
        images = np.clip((images / scale + 1) / 2, 0, 1).transpose(0, 2, 3, 1)
    columns = math.ceil(math.sqrt(shown))
    rows = -(-shown // columns)
    height = 0.6 + 4.6 * rows / columns * shape[-2] / shape[-1]
    ax = one_ax(ax, 5.4, min(max(height, 2.2), 9.0))
    sheet = mosaic(images, rows, columns)
    if colours:
        ax.imshow(np.where(np.isnan(sheet), 1.0, sheet), interpolation="nearest")
    else:
        ax.set_facecolor(GAP)
        drawn = ax.imshow(sheet, cmap="RdBu_r", vmin=-scale, vmax=scale, interpolation="nearest")
        ax.figure.colorbar(drawn, ax=ax, label="weight", shrink=0.8)
    some = f"the first {shown} of {units} units" if shown < units else f"{units} unit{'s' * (units != 1)}"
    ax.set_title(wrapped(f"Weights of {name.removesuffix('.weight')}, {some}", 50), fontsize=10, loc="left")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def mosaic(images: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Images (n, h, w, …) side by side, with one pixel of NaN between them."""
    n, height, width, *rest = images.shape
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, *rest), np.nan)
    for i in range(n):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = images[i]
    return sheet


# --- predictions ------------------------------------------------------------------------------------------------------


def scores_of(model: Callable[[Any], Any], X: NDArray[Any]) -> NDArray[Any]:
    """The outputs of a model, (m, k) or one a row."""
    scores = outputs_of(model, X, CHUNK)
    if scores.ndim > 2:
        raise ShapeError(f"the model turns {len(X)} samples into an output of shape {scores.shape}: expected a row for each")
    return scores


def classes_of(scores: NDArray[Any], threshold: float) -> NDArray[np.intp]:
    """The class of each row: the largest score, or, with one score a row, whether it exceeds the threshold."""
    if silent := int(np.isnan(scores).reshape(len(scores), -1).any(axis=1).sum()):
        raise DataError(f"{silent:,} of {len(scores):,} outputs of the model are NaN, which is no class")
    if scores.ndim == 1 or scores.shape[1] == 1:
        return (scores.reshape(len(scores)) > threshold).astype(np.intp)
    return np.asarray(scores.argmax(axis=1))


def labels_of(y: Any, samples: int) -> NDArray[np.intp]:
    """Class labels, checked: one whole number from 0 up for each sample."""
    labels = np.asarray(unwrap(y))
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.shape != (samples,):
        raise ShapeError(f"{samples} samples need as many labels, these have shape {labels.shape}")
    if labels.dtype.kind not in "biuf" or (labels % 1 != 0).any() or (labels < 0).any():
        raise DataError(f"labels are whole numbers from 0 up (these are {labels.dtype} such as {labels.flat[0]!r})")
    if labels.size and labels.max() >= CLASSES:
        raise DataError(f"labels go up to {labels.max()}: {CLASSES:,} classes are the most that can be drawn; number them from 0")
    return labels.astype(np.intp)


def confusion_matrix(
    model: Any, X: Any, y: Any, classes: Sequence[str] | None = None, ax: Any = None, threshold: float = 0.0
) -> Any:
    """What is taken for what: rows are the true classes, columns what the model says; counts, and the share of each row.

    Parameters
    ----------
    model : Module, function, or array
        A model of scores (m, k), or of one logit a row; or its predictions: labels (m,), for which X may be None.
    X, y : samples and labels ``(m,)``
    classes : sequence of str, optional
        The name of each class.
    threshold : float
        Where there is one score a row: class 1 begins above it. 0 for logits, 0.5 for probabilities.
    """
    if callable(model):
        predicted = classes_of(scores_of(model, np.asarray(unwrap(X))), threshold)
    else:
        given = np.asarray(unwrap(model))
        if given.ndim == 0 or given.dtype.kind not in "biuf":
            raise TensorTypeError(f"confusion_matrix() takes a model, or its predictions (got {in_short(model)})")
        labelled = given.ndim == 1 and given.dtype.kind != "f"
        predicted = labels_of(given, len(given)) if labelled else classes_of(given, threshold)
    true = labels_of(y, len(predicted))
    if not len(true):
        raise DataError("a confusion matrix needs samples: there are none")
    k = max(int(true.max()), int(predicted.max())) + 1
    if classes is not None and len(classes) < k:
        raise ShapeError(f"there are labels up to {k - 1}, but only {len(classes)} names of classes")
    names = [str(i) for i in range(k)] if classes is None else [str(name) for name in classes]
    k = len(names)
    counts = np.bincount(true * k + predicted, minlength=k * k).reshape(k, k)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros((k, k)), where=totals > 0)

    side = min(max(2.0 + 0.42 * k, 3.4), 8.0)
    ax = one_ax(ax, side + 0.8, side)
    drawn = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    bar = ax.figure.colorbar(drawn, ax=ax, label="share of the true class", shrink=0.8)
    bar.ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    if k <= WRITTEN:
        for (i, j), count in np.ndenumerate(counts):
            if count:
                text = f"{count:,}\n{shares[i, j]:.0%}"
                ax.text(j, i, text, ha="center", va="center", fontsize=7, color="white" if shares[i, j] > 0.5 else "black")
    every = -(-k // 30)
    ax.set_xticks(range(0, k, every), names[::every], rotation=0 if max(map(len, names)) < 4 else 90)
    ax.set_yticks(range(0, k, every), names[::every])
    right = int(np.trace(counts))
    ax.set(xlabel="the model says", ylabel="true class")
    ax.set_title(f"{right / len(true):.1%} right: {right:,} of {len(true):,}", fontsize=10, loc="left")
    return ax


# --- the plane --------------------------------------------------------------------------------------------------------


def decision_boundary(model: Any, X: Any, y: Any, ax: Any = None, resolution: int = 200, threshold: float = 0.0) -> Any:
    """Where a model with two inputs changes its mind: its class in every point, and the samples.

    The stronger the colour, the larger the model's lead. Samples that lie in the wrong region have a black ring; where there are
    two classes, the boundary is drawn as a line.

    Parameters
    ----------
    model : Module or function
        Of (m, 2) to scores (m, k), or to one logit a row.
    X, y : samples ``(m, 2)`` and labels ``(m,)``
    resolution : int
        The model is asked at so many points in each direction.
    threshold : float
        Where there is one score a row: class 1 begins above it. 0 for logits, 0.5 for probabilities.
    """
    to_rgb = require("matplotlib.colors", "pictures", "a training picture").to_rgb
    points = np.asarray(unwrap(X))
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ShapeError(f"a decision boundary is drawn for models with 2 inputs, X has shape {points.shape}")
    if not np.isfinite(points).all():
        raise DataError("a decision boundary is drawn around the samples, but some of X are NaN or infinite")
    labels = labels_of(y, len(points))
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.08 * np.where(high > low, high - low, 1.0)
    across, up = (np.linspace(a, b, int(resolution)) for a, b in zip(low - room, high + room, strict=True))
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2).astype(points.dtype if points.dtype.kind == "f" else float)
    scores, at_samples = scores_of(model, grid), classes_of(scores_of(model, points), threshold)
    regions = classes_of(scores, threshold).reshape(len(up), len(across))
    lead = lead_of(scores, threshold)

    k = max(int(regions.max()), int(labels.max()), 1) + 1
    ax = one_ax(ax, 5.0, max(4.2, 0.8 + 0.2 * k))  # a line of the legend for each class
    palette = np.array([to_rgb(COLOURS[i % len(COLOURS)]) for i in range(k)])
    strength = (0.12 + 0.38 * np.abs(lead) / (np.abs(lead).max() or 1.0)).reshape(*regions.shape, 1)
    extent = (across[0], across[-1], up[0], up[-1])
    ax.imshow(1 - strength * (1 - palette[regions]), extent=extent, origin="lower", aspect="auto", interpolation="bilinear")
    if scores.ndim == 1 or scores.shape[1] <= 2:
        ax.contour(across, up, lead.reshape(regions.shape), levels=[0.0], colors="black", linewidths=1.0)
    wrong = at_samples != labels
    for i in np.unique(labels):
        look = {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[i % len(MARKS)], "s": 26}
        ax.scatter(*points[(labels == i) & ~wrong].T, edgecolors="white", linewidths=0.5, label=f"class {i}", **look)
        if (mistaken := (labels == i) & wrong).any():
            ax.scatter(*points[mistaken].T, edgecolors="black", linewidths=1.4, zorder=ON_TOP, **look)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=extent[:2], ylim=extent[2:])
    told = f", {wrong.sum():,} of them wrong (black rings)" if wrong.any() else ""
    ax.set_title(f"{len(points):,} samples{told}", fontsize=10, loc="left")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize="small")
    return ax


def lead_of(scores: NDArray[Any], threshold: float) -> NDArray[np.float64]:
    """By how much the model prefers its class: of two classes signed, class 1 positive; squeezed so that far away is not all."""
    scores = scores.astype(np.float64)
    if scores.ndim == 1 or scores.shape[1] == 1:
        lead = scores.reshape(len(scores)) - threshold
    elif scores.shape[1] == 2:
        lead = scores[:, 1] - scores[:, 0]
    else:
        two = np.partition(scores, -2, axis=1)[:, -2:]
        lead = two[:, 1] - two[:, 0]
    return np.asarray(np.tanh(lead / 2))
