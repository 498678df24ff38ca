"""Mistakes between the last pre-activation and the loss: the output's derivative, softmax, the labels, the eps in a logarithm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...graph import Node
from ...kernels import activations as kernels
from ...kernels.shapes import Array
from ..case import UnjudgeableError
from ..edit import Edit, Scene
from ..landmarks import Layer
from ..tape import At, Change, Jump, Tape

__all__ = ["outputs", "targets"]


def shifted(difference: Array) -> Change:
    """What arrives, and a difference."""

    def change(g: Array, run: Any) -> Array:
        return g + difference

    return change


def replaced(other: Array) -> Change:
    """Another gradient."""

    def change(g: Array, run: Any) -> Array:
        return other

    return change


def times_slope(slope: Array) -> Change:
    """What arrives, times a derivative."""

    def change(g: Array, run: Any) -> Array:
        return g * slope

    return change


def softmax(z: Array, axis: int | None = -1) -> Array:
    """Softmax along an axis, or over all entries."""
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    p: Array = e / e.sum(axis=axis, keepdims=True)
    return p


def targets(scene: Scene, z: Array) -> Array | None:
    """The targets in the shape of the outputs: one-hot rows of labels, or the numbers themselves."""
    y = scene.case.y
    if not isinstance(y, np.ndarray) or not z.ndim:
        return None
    if y.shape == z.shape:
        return y.astype(np.float64)
    flat = y.reshape(-1)
    if z.ndim == 2 and flat.shape == z.shape[:1]:
        if z.shape[1] > 1 and y.dtype.kind in "iu" and flat.size and flat.min() >= 0 and flat.max() < z.shape[1]:
            return np.eye(z.shape[1])[flat]
        if z.shape[1] == 1:
            return flat.reshape(-1, 1).astype(np.float64)
    return flat.astype(np.float64) if z.shape == flat.shape else None


def scale_of(g: Array, difference: Array) -> float | None:
    """The number s for which g = s · difference, up to a few per cent; None if there is none."""
    norm = float(np.vdot(difference, difference))
    if norm == 0 or not np.isfinite(norm):
        return None
    s = float(np.vdot(difference, g)) / norm
    rest = float(np.linalg.norm(g - s * difference))
    return s if s and rest <= 0.2 * float(np.linalg.norm(g)) else None


def outputs(scene: Scene) -> Iterator[Edit]:
    """All of them, at each last layer."""
    for layer in scene.marks.layers:
        if layer.output and layer.pre.array.dtype.kind == "f":
            with np.errstate(all="ignore"):
                edits = [*derivative(scene, layer), *labels(scene, layer)]
            yield from edits
    yield from softmaxes(scene)


def counts(scene: Scene, z: Array) -> list[float]:
    """The factors that a loss gives its gradient: 1, 1/m, 1/entries, and twice that."""
    return [k / n for n in dict.fromkeys((1, scene.case.m, z.size)) for k in (1.0, 2.0, 0.5)]


def nearest(s: float, scene: Scene, z: Array) -> float:
    """The factor of the loss that was meant, near a fitted one."""
    best = min((c * np.sign(s) for c in counts(scene, z)), key=lambda c: abs(s - c))
    return float(best) if abs(s - best) <= 0.2 * abs(s) else s


def derivative(scene: Scene, layer: Layer) -> Iterator[Edit]:
    """The output activation's derivative: on top of a fused one, by its diagonal, along another axis; an eps not differentiated."""
    tape, marks, node = scene.tape, scene.marks, layer.pre
    z, g = node.array, tape.adjoint[node]
    Z, place = marks.name(node), tape.index[node]
    t = targets(scene, z)
    wide = z.ndim == 2 and z.shape[1] > 1
    p = softmax(z) if wide else kernels.sigmoid(z)
    f = "softmax" if wide else "sigmoid"
    fused = t is not None and (s := scale_of(g, p - t)) is not None
    right = f"d{Z} = (P - Y) / m for a mean loss: the derivative of {f} is in it already"
    if not fused and wide and t is not None and (s := scale_of(g, kernels.sigmoid(z) - t)) is not None:
        fused, p, f = True, kernels.sigmoid(z), "sigmoid"
    extra = [
        ("A * (1 - A)", p * (1 - p)),
        ("1 - A**2", 1 - p * p),
        ("Z > 0", 1.0 * (z > 0)),
        ("1 - tanh(Z)**2", 1 - np.tanh(z) ** 2),
    ]
    for variant, slope in extra:
        yield Edit(
            ("extra", variant, place),
            "output_derivative_extra",
            layer.title,
            f"a derivative of the output, {variant}, multiplied to d{Z}, which contains it already",
            {At(node): times_slope(slope)},
            right,
            weight=2,
        )
    if wide:

        def jacobian(g: Array, run: Any) -> Array:
            sent: Array = p * (g - np.sum(g * p, axis=-1, keepdims=True))
            return sent

        yield Edit(
            ("extra", "jacobian", place),
            "output_derivative_extra",
            layer.title,
            f"the softmax Jacobian applied to d{Z}, which contains it already",
            {At(node): jacobian},
            right,
            weight=1,
        )
    if t is None:
        return
    meant = nearest(s, scene, z) if fused and s is not None else None
    exact = f"d{Z} = (P - Y) · p/(p + eps) row by row, over m: the eps in the logarithm, or its clip, takes part in the derivative"
    if meant is not None and not np.allclose(g, meant * (p - t), rtol=1e-11, atol=1e-13 * float(np.max(np.abs(g), initial=0))):
        yield Edit(
            ("eps", place),
            "eps_ignored",
            layer.title,
            f"d{Z} = P − Y, without the eps or the clip of the logarithm",
            {At(node): replaced(meant * (p - t))},
            exact,
            weight=4,
        )
    scale = meant if meant is not None else 1 / scene.case.m
    dp = -t / p if f == "softmax" else (p - t) / (p * (1 - p))
    if fused:
        yield Edit(
            ("output", "missing", place),
            "output_derivative_missing",
            layer.title,
            f"dL/dP = {'−Y/P' if f == 'softmax' else '(P − Y)/(P(1 − P))'} used as d{Z}: the derivative of {f} left out",
            {At(node): replaced(scale * dp)},
            right,
            weight=3,
        )
        if wide and f == "softmax":
            yield Edit(
                ("output", "diagonal", place),
                "softmax_jacobian_diagonal",
                layer.title,
                f"only the diagonal p(1 − p) of the softmax Jacobian: d{Z} = −Y/P · P(1 − P)",
                {At(node): replaced(scale * dp * p * (1 - p))},
                f"{right}. The Jacobian is ∂pᵢ/∂zⱼ = pᵢ(δᵢⱼ − pⱼ): every output depends on every logit",
                weight=3,
            )
        yield Edit(
            ("output", "labels forgotten", place),
            "label_error",
            layer.title,
            f"the labels not subtracted: d{Z} = P",
            {At(node): replaced(scale * p)},
            right,
            weight=1,
        )
        yield Edit(
            ("output", "activation forgotten", place),
            "output_derivative_missing",
            layer.title,
            f"d{Z} = {Z} − Y: {f} not applied before Y is subtracted",
            {At(node): replaced(scale * (z - t))},
            right,
            weight=2,
        )
    else:
        yield Edit(
            ("output", "fused", place),
            "output_derivative_missing",
            layer.title,
            f"d{Z} = A − Y, as if the loss were the one that cancels the derivative of the output",
            {At(node): replaced((p - t) / scene.case.m)},
            f"d{Z} = dA * the derivative of the output activation; it cancels for cross-entropy only",
            weight=2,
        )
    if wide and f == "softmax":
        for axis, words in ((0, "down the batch, axis=0,"), (None, "over all entries")):
            other = softmax(z, axis)
            yield Edit(
                ("softmax axis", str(axis), place),
                "softmax_wrong_axis",
                layer.title,
                f"softmax normalised {words} in place of along each row",
                {At(node): replaced(scale * (other - t))},
                f"P = softmax({Z}, axis=1): each row sums to 1",
                weight=5,
            )


def another_loss(scene: Scene, y: Any) -> Tape | None:
    """The backward pass of the same loss with other targets; None if it refuses them."""
    try:
        tape = scene.case.at(scene.case.X, y, scene.case.params).tape()
    except UnjudgeableError:
        return None
    same = len(tape.forward) == len(scene.tape.forward)
    return tape if same else None


def labels(scene: Scene, layer: Layer) -> Iterator[Edit]:
    """Misaligned labels: the gradient of the same loss with other targets."""
    tape, marks, node = scene.tape, scene.marks, layer.pre
    Z, place, y = marks.name(node), tape.index[node], scene.case.y
    if not isinstance(y, np.ndarray) or y.ndim == 0 or y.shape[0] != scene.case.m:
        return
    z = node.array
    others: list[tuple[str, Any]] = []
    if len(y) > 1:
        others += [("the labels of the next row", np.roll(y, -1, axis=0)), ("the labels of the row before", np.roll(y, 1, axis=0))]
        others += [
            ("the labels in reversed order", y[::-1].copy()),
            ("the first label for every row", np.repeat(y[:1], len(y), axis=0)),
        ]
        others += [("the last label for every row", np.repeat(y[-1:], len(y), axis=0))]
    if y.dtype.kind in "iu" and z.ndim == 2 and z.shape[1] > 1 and y.ndim == 1:
        classes = z.shape[1]
        others += [(f"one-hot labels off by {k:+d}", (y + k) % classes) for k in (1, -1) if classes > 1]
        clipped = np.clip(y + 1, 0, classes - 1), np.clip(y - 1, 0, classes - 1)
        others += [
            ("one-hot labels off by +1, the last class kept", clipped[0]),
            ("one-hot labels off by −1, the first class kept", clipped[1]),
        ]
        others += [("the classes in reversed order", classes - 1 - y)]
    if y.ndim == 2 and y.shape[1] > 1:
        others += [(f"one-hot labels off by {k:+d}", np.roll(y, k, axis=1)) for k in (1, -1)]
    if y.size and set(np.unique(y)) <= {0, 1}:
        others += [("0 and 1 exchanged in the labels", 1 - y), ("the labels −1 and 1 in place of 0 and 1", 2 * y - 1)]
    right = f"row i of the output belongs to label i: d{Z}[i] = (p − y)[i]"
    for words, other in others:
        if np.array_equal(other, y):
            continue
        second = another_loss(scene, other)
        if second is None:
            continue
        difference = second.adjoint[second.forward[place]] - tape.adjoint[node]
        yield Edit(
            ("labels", words, place),
            "label_error",
            layer.title,
            f"{words} used in d{Z}",
            {At(node): shifted(difference)},
            right,
            weight=2,
        )
    yield from grown(scene, layer)


def grown(scene: Scene, layer: Layer) -> Iterator[Edit]:
    """(m,) labels against (m, 1) outputs: the difference is (m, m)."""
    tape, node = scene.tape, layer.pre
    z, m, y = node.array, scene.case.m, scene.case.y
    if z.ndim != 2 or z.shape[1] != 1 or m < 2:
        return
    flat = y.reshape(-1).astype(np.float64)
    p = kernels.sigmoid(z)
    place = tape.index[node]
    right = f"labels of shape ({m},) against outputs of shape ({m}, 1) broadcast to ({m}, {m}): write y.reshape(-1, 1)"
    for title, a in (("sigmoid", p), ("identity", z)):
        s = scale_of(tape.adjoint[node], a - flat[:, None])
        if s is None:
            continue
        square = nearest(s, scene, z) * (a - flat[None, :])
        words = f"labels of shape ({m},) subtracted from outputs of shape ({m}, 1): a matrix ({m}, {m})"
        for variant, other in (
            ("rows summed", square.sum(axis=1, keepdims=True)),
            ("rows mean", square.mean(axis=1, keepdims=True)),
            ("columns summed", square.sum(axis=0)[:, None]),
            ("columns mean", square.mean(axis=0)[:, None]),
        ):
            yield Edit(
                ("grown", title, variant, place),
                "label_error",
                layer.title,
                f"{words}, {variant}",
                {At(node): replaced(other)},
                right,
                weight=2,
            )


def softmaxes(scene: Scene) -> Iterator[Edit]:
    """Softmax as a step of its own, in the output or inside: its Jacobian left out, by its diagonal, along another axis."""
    tape, marks = scene.tape, scene.marks
    for last in tape.forward:
        first = softmax_source(scene, last)
        if first is None:
            continue
        layer = marks.layer_of.get(first)
        output = layer is not None and layer.output
        p, Z, P = last.array, marks.name(first), marks.name(last)
        where = layer.title if layer is not None else f"softmax, {P}"
        place = tape.index[first], tape.index[last]
        right = f"d{Z} = {P} * (d{P} - (d{P} * {P}).sum(axis=-1, keepdims=True)): every output depends on every logit of its row"
        missing = "output_derivative_missing" if output else "act_derivative_missing"

        def whole(g: Array, run: Any) -> Array:
            return g

        def diagonal(g: Array, run: Any, p: Array = p) -> Array:
            return g * p * (1 - p)

        def one(g: Array, run: Any, p: Array = p) -> Array:
            return g * p

        def wrong(g: Array, run: Any, p: Array = p) -> Array:
            sent: Array = p * (g - np.sum(g * p, axis=0, keepdims=True))
            return sent

        def unweighted(g: Array, run: Any, p: Array = p) -> Array:
            sent: Array = p * (g - np.sum(g, axis=-1, keepdims=True))
            return sent

        for variant, label, words, change, weight in (
            ("missing", missing, "the derivative of softmax left out", whole, 3.0),
            ("diagonal", "softmax_jacobian_diagonal", "only the diagonal p(1 − p) of the softmax Jacobian", diagonal, 3.0),
            (
                "one term",
                "softmax_jacobian_diagonal",
                "only the first term of the softmax Jacobian: the sum over the row left out",
                one,
                2.0,
            ),
            ("axis", "softmax_wrong_axis", "the sum in the softmax Jacobian taken along axis=0", wrong, 3.0),
            (
                "sum",
                "softmax_jacobian_diagonal",
                f"the sum in the softmax Jacobian over d{P} in place of d{P} * {P}",
                unweighted,
                1.0,
            ),
        ):
            yield Edit(("softmax", variant, *place), label, where, words, {Jump(last): (first, change)}, right, weight=weight)


def softmax_source(scene: Scene, last: Node) -> Node | None:
    """The value of which another one is the softmax along its last axis."""
    if (
        last.array.ndim < 1
        or last.op is None
        or last.op.name not in ("softmax", "divide", "exp", "multiply")
        or last.array.shape[-1] < 2
    ):
        return None
    if not np.allclose(last.array.sum(axis=-1), 1, rtol=1e-9):
        return None
    below = scene.tape.below([last])
    for node in reversed(scene.tape.forward):
        if (
            node in below
            and node is not last
            and node.array.shape == last.array.shape
            and np.allclose(softmax(node.array), last.array, rtol=1e-9, atol=1e-14)
        ):
            shifted = [
                x for _, x in node.edges if x.array.shape == node.array.shape and node.op is not None and node.op.name == "subtract"
            ]
            return shifted[0] if shifted and np.allclose(softmax(shifted[0].array), last.array, rtol=1e-9, atol=1e-14) else node
    return None
