"""Mistakes between the last pre-activation and the loss: the output's derivative, softmax, the eps in a logarithm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...kernels.shapes import Array
from ..edit import Edit, Scene
from ..tape import Changes, Run
from .head import Head, head_of, output_line, softmax

__all__ = ["outputs"]


def outputs(scene: Scene) -> Iterator[Edit]:
    """At each last layer."""
    for layer in scene.marks.layers:
        head = head_of(scene, layer)
        if head is None:
            continue
        with np.errstate(all="ignore"):
            found = [*extra(scene, head), *(fused(scene, head) if head.scale is not None else unfused(scene, head))]
        yield from found


def edit(head: Head, variant: str, label: str, words: str, changes: Changes, right: str, weight: float) -> Edit:
    """An edit at the end of the network."""
    return Edit(("output", variant, head.place), label, head.layer.title, words, changes, right, weight=weight)


def extra(scene: Scene, head: Head) -> Iterator[Edit]:
    """A derivative on top of the gradient that contains it already."""
    z, p, Z = head.z, head.p, head.name
    right = f"{output_line(scene)}: the derivative of the output is in it already"
    slopes = [
        ("A * (1 − A)", p * (1 - p)),
        ("1 − A**2", 1 - p * p),
        (f"{Z} > 0", 1.0 * (z > 0)),
        (f"1 − tanh({Z})**2", 1 - np.tanh(z) ** 2),
    ]
    for text, slope in slopes:

        def change(g: Array, run: Run, slope: Array = slope) -> Array:
            return g * slope

        words = f"a derivative of the output, {text}, multiplied to d{Z}, which contains it already"
        yield edit(head, f"extra {text[-9:]}", "output_derivative_extra", words, head.through(change), right, 2)
    if head.f == "softmax":

        def jacobian(g: Array, run: Run) -> Array:
            sent: Array = p * (g - np.sum(g * p, axis=-1, keepdims=True))
            return sent

        words = f"the softmax Jacobian applied to d{Z}, which contains it already"
        yield edit(head, "extra jacobian", "output_derivative_extra", words, head.through(jacobian), right, 1)


def fused(scene: Scene, head: Head) -> Iterator[Edit]:
    """Where the true gradient is s · (P − Y), but for an eps."""
    z, p, t, s, Z = head.z, head.p, head.t, head.scale, head.name
    if t is None or s is None:
        return
    right = f"{output_line(scene)}: the derivative of {head.f} and that of the logarithm are both in it"
    whole = s * (p - t)
    if not np.allclose(head.g, whole, rtol=1e-11, atol=1e-13 * float(np.max(np.abs(head.g), initial=0))):
        exact = f"the eps in the logarithm, or its clip, takes part: d{Z} = (P − Y) · p/(p + eps), row by row, over m"
        yield edit(
            head, "eps", "eps_ignored", f"d{Z} = P − Y, without the eps or the clip of the logarithm", head.instead(whole), exact, 4
        )
    wide = head.f == "softmax"
    dp = -t / p if wide else (p - t) / (p * (1 - p))
    formula = "−Y/P" if wide else "(P − Y)/(P(1 − P))"
    missing = "output_derivative_missing"
    words = f"dP = {formula} used as d{Z}: the derivative of {head.f} left out"
    yield edit(head, "missing", missing, words, head.instead(s * dp), right, 3)
    words = f"d{Z} = {Z} − Y: {head.f} not applied before Y is subtracted"
    yield edit(head, "not applied", missing, words, head.instead(s * (z - t)), right, 2)
    words = f"the labels not subtracted: d{Z} = P"
    yield edit(head, "labels forgotten", "label_error", words, head.instead(s * p), right, 3)
    if not wide:
        return
    jacobian = f"{right}. The Jacobian is ∂pᵢ/∂zⱼ = pᵢ(δᵢⱼ − pⱼ): every output depends on every logit"
    words = f"only the diagonal p(1 − p) of the softmax Jacobian: d{Z} = −Y/P · P(1 − P)"
    yield edit(head, "diagonal", "softmax_jacobian_diagonal", words, head.instead(s * dp * p * (1 - p)), jacobian, 3)
    rows = f"P = softmax({Z}) along the classes: the outputs of each sample sum to 1"
    for axis, where in ((0, "over the batch"), (None, "over all entries")):
        words = f"softmax normalised {where} in place of over the classes"
        if np.allclose(softmax(z, axis), p):
            continue
        yield edit(head, f"softmax {axis}", "softmax_wrong_axis", words, head.instead(s * (softmax(z, axis) - t)), rows, 5)
        e = np.exp(z - z.max(axis=-1, keepdims=True))  # the largest of each row subtracted, as if the sum were along the row
        q = e / e.sum(axis=axis, keepdims=True)
        yield edit(head, f"softmax shifted {axis}", "softmax_wrong_axis", words, head.instead(s * (q - t)), rows, 4)


def unfused(scene: Scene, head: Head) -> Iterator[Edit]:
    """Where it is something else: P − Y as if the loss were the logarithm that cancels the derivative."""
    if head.t is None:
        return
    Z, m = head.name, scene.case.m
    right = output_line(scene)
    yield from without_targets(scene, head, right)
    for piece in scene.marks.pieces:
        if piece.first is head.node:
            a = piece.last.array.T if head.columns else piece.last.array
            words = f"d{Z} = A − Y, as if the loss were the one that cancels the derivative of {piece.name}"
            yield edit(
                head,
                "as if fused",
                "output_derivative_missing",
                words,
                head.instead((a - head.t) / m),
                f"{right}: it cancels for cross-entropy alone",
                2,
            )
            return


def without_targets(scene: Scene, head: Head, right: str) -> Iterator[Edit]:
    """For a squared error, the targets not subtracted."""
    piece = next((p for p in scene.marks.pieces if p.first is head.node), None)
    a, slope = (head.z, np.ones_like(head.z)) if piece is None else (piece.last.array, piece.slope)
    if piece is not None and head.columns:
        a, slope = a.T, slope.T
    difference = (a - head.t) * slope
    norm = float(np.vdot(difference, difference))
    s = float(np.vdot(difference, head.g)) / norm if norm else 0.0
    if s and np.linalg.norm(head.g - s * difference) <= 1e-9 * np.linalg.norm(head.g):
        words = f"the targets not subtracted in d{head.name}"
        yield edit(head, "targets forgotten", "label_error", words, head.instead(s * a * slope), right, 2)
