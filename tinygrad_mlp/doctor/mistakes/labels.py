"""Misaligned labels: the gradient of the same loss with other targets, or with targets that grew by broadcasting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...kernels import activations as kernels
from ...kernels.shapes import Array
from ..case import UnjudgeableError
from ..edit import Edit, Scene
from ..tape import Change, Edge, Leaf, Run, Tape
from .head import Head, head_of, output_line

__all__ = ["labels"]


def labels(scene: Scene) -> Iterator[Edit]:
    """At each last layer."""
    heads = [head for layer in scene.marks.layers if (head := head_of(scene, layer)) is not None]
    for head in heads:
        yield from other_targets(scene, head)
        yield from grown(scene, head)
        yield from several_ones(scene, head)
    if not heads:
        yield from for_all(scene)


def another_loss(scene: Scene, y: Array) -> Tape | None:
    """The backward pass of the same loss with other targets; None if it refuses them."""
    try:
        tape = scene.case.at(scene.case.X, y, scene.case.params).tape()
    except UnjudgeableError:  # the loss is not made for such targets: nobody can have computed this
        return None
    return tape if len(tape.forward) == len(scene.tape.forward) else None


def misaligned(y: Array, axis: int, classes: int) -> Iterator[tuple[str, Array]]:
    """Other targets, in words."""
    m = y.shape[axis]
    if m > 1:
        yield "the labels of the next sample", np.roll(y, -1, axis=axis)
        yield "the labels of the sample before", np.roll(y, 1, axis=axis)
        yield "the labels in reversed order", np.flip(y, axis=axis).copy()
        yield "the first label for every sample", np.take(y, [0] * m, axis=axis)
        yield "the last label for every sample", np.take(y, [m - 1] * m, axis=axis)
    if y.dtype.kind in "iu" and y.ndim == 1 and classes > 1:
        yield "one-hot labels off by +1", (y + 1) % classes
        yield "one-hot labels off by −1", (y - 1) % classes
        yield "one-hot labels off by +1, the last class kept", np.clip(y + 1, 0, classes - 1)
        yield "one-hot labels off by −1, the first class kept", np.clip(y - 1, 0, classes - 1)
        yield "the classes in reversed order", classes - 1 - y
    if y.ndim == 2 and y.shape[1 + axis] > 1:
        yield "one-hot labels off by +1", np.roll(y, 1, axis=1 + axis)
        yield "one-hot labels off by −1", np.roll(y, -1, axis=1 + axis)
    if y.size and set(np.unique(y)) <= {0, 1} and (y.ndim == 1 or 1 in y.shape):
        yield "0 and 1 exchanged in the labels", 1 - y
        yield "the labels −1 and 1 in place of 0 and 1", 2 * y - 1


def other_targets(scene: Scene, head: Head) -> Iterator[Edit]:
    """The gradient of the same loss with each of them."""
    y, axis = scene.case.y, scene.case.axis
    if not isinstance(y, np.ndarray) or y.ndim == 0 or y.shape[axis] != scene.case.m or y.dtype.kind not in "biuf":
        return
    right = f"sample i of the output belongs to label i: d{head.name}[i] = (p − y)[i]"
    for words, other in misaligned(y, axis, head.z.shape[1] if head.z.ndim == 2 else 1):
        tape = None if np.array_equal(other, y) else another_loss(scene, other)
        if tape is None:
            continue
        difference = tape.adjoint[tape.forward[head.place]] - scene.tape.adjoint[head.node]

        def change(g: Array, run: Run, difference: Array = difference) -> Array:
            return g + (difference.T if head.columns else difference)

        key = ("labels", words, head.place)
        yield Edit(key, "label_error", head.layer.title, f"{words} used in d{head.name}", head.through(change), right, weight=2)


def several_ones(scene: Scene, head: Head) -> Iterator[Edit]:
    """The ones of all labels in every row of the one-hot matrix: an index that takes all columns in all rows."""
    y, t, s, m = scene.case.y, head.t, head.scale, scene.case.m
    if t is None or s is None or head.f != "softmax" or not isinstance(y, np.ndarray) or y.dtype.kind not in "iu":
        return
    if y.ndim == 1:
        words = "1 subtracted in the columns of all labels in every row, P[:, y] −= 1, in place of P[np.arange(m), y] −= 1"
        right = f"{output_line(scene)}: the derivative of {head.f} and that of the logarithm are both in it"
    elif y.shape == (m, 1):
        words = (
            f"several ones in each row of the one-hot matrix: the labels have shape {y.shape}, with which Y[np.arange(m), y] = 1 "
            f"sets the columns of all labels in every row"
        )
        right = f"one 1 in each row: Y[np.arange(m), y.reshape(-1)] = 1, with labels of shape ({m},)"
    else:
        return
    changes = head.instead(s * (head.p - np.broadcast_to(t.max(axis=0), t.shape)))
    yield Edit(("labels", "everywhere", head.place), "label_error", head.layer.title, words, changes, right, weight=2)


def kept(scene: Scene, head: Head, square: Array, right: str) -> Iterator[Edit]:
    """The (m, m) matrix taken on into dW and db of the last layer."""
    layer, m = head.layer, scene.case.m
    x = np.asarray((layer.product.arrays or ())[layer.source])
    if layer.weight != 1 or x.ndim != 2 or head.columns:
        return
    for turn, matrix in (("outputs down", square), ("outputs across", square.T)):
        changes = {Edge(layer.product, layer.weight): replaced(x.T @ matrix)}
        changes |= {Edge(user, i): replaced(matrix.sum(axis=0)) for user, i, _ in layer.bias_edges}
        words = f"labels (m,) against outputs (m, 1), or the other way round: a matrix ({m}, {m}), from which dW and db are built"
        yield Edit(("kept", turn, head.place), "label_error", layer.title, words, changes, right, weight=2)


def for_all(scene: Scene) -> Iterator[Edit]:
    """The same for a model without a last layer that is known: the gradients of all parameters at once."""
    y, axis = scene.case.y, scene.case.axis
    if not isinstance(y, np.ndarray) or y.ndim == 0 or y.shape[axis] != scene.case.m or y.dtype.kind not in "biuf":
        return
    for words, other in misaligned(y, axis, int(y.max(initial=0)) + 1 if y.dtype.kind in "iu" else 1):
        tape = None if np.array_equal(other, y) else another_loss(scene, other)
        if tape is not None:
            changes = {Leaf(name): replaced(g) for name, g in tape.gradients.items()}
            right = "sample i of the output belongs to label i"
            yield Edit(("labels", words), "label_error", "the labels", f"{words} used", changes, right, weight=2)


def replaced(other: Array) -> Change:
    """Another gradient."""

    def change(g: Array, run: Run) -> Array:
        return other

    return change


def grown(scene: Scene, head: Head) -> Iterator[Edit]:
    """(m,) labels against (m, 1) outputs: the difference is (m, m)."""
    m, y, shape = scene.case.m, scene.case.y, head.z.shape
    if shape not in ((m, 1), (m,)) or m < 2 or not isinstance(y, np.ndarray) or y.size != m:
        return
    t = y.reshape(-1).astype(np.float64)
    right = f"labels of shape {y.shape} against outputs of shape {shape}: in different forms they broadcast to ({m}, {m})"
    for output in (kernels.sigmoid(head.z), head.z):
        a, g = output.reshape(-1), head.g.reshape(-1)
        norm = float(np.vdot(a - t, a - t))
        s = float(np.vdot(a - t, g)) / norm if norm else 0.0
        if not s or np.linalg.norm(g - s * (a - t)) > 1e-3 * np.linalg.norm(g):
            continue
        square = s * (a[:, None] - t[None, :])
        yield from kept(scene, head, square, right)
        for variant, other in (
            ("each row summed", square.sum(axis=1)),
            ("the mean of each row", square.mean(axis=1)),
            ("each column summed", square.sum(axis=0)),
            ("the mean of each column", square.mean(axis=0)),
        ):
            words = f"labels (m,) against outputs (m, 1), or the other way round: a matrix ({m}, {m}), then {variant}"
            yield Edit(
                ("grown", variant, head.place),
                "label_error",
                head.layer.title,
                words,
                head.instead(other.reshape(shape)),
                right,
                weight=2,
            )
