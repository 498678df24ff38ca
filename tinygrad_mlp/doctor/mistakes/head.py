"""The end of a network: the last pre-activation, what the loss sends back to it, and what p − y would be; samples in rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...graph import Node
from ...kernels import activations as kernels
from ...kernels.shapes import Array
from ..edit import Scene
from ..parts import Layer
from ..tape import At, Change, Changes, Run

__all__ = ["Head", "head_of", "output_line", "smallest_eps", "softmax"]

LOGARITHMS = {
    "cross_entropy", "binary_cross_entropy_with_logits", "log", "log1p", "log2", "log_softmax", "logsumexp", "logaddexp",
    "softplus", "log_sigmoid",
}  # fmt: skip


def softmax(z: Array, axis: int | None = -1) -> Array:
    """Softmax along an axis, or over all entries."""
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    p: Array = e / e.sum(axis=axis, keepdims=True)
    return p


class Head(NamedTuple):
    """One last layer; arrays have a row for each sample.

    Attributes
    ----------
    layer, node : the layer, and its pre-activation in the graph
    name, place : what that is called, and its key
    z, g : its value, and the true gradient that arrives
    p, f : the output that fits the loss, and the activation that gives it: softmax or sigmoid
    t : the targets in the shape of z, if there are any
    scale : the number s for which g = s · (p − t) but for an eps, if the loss is a logarithm of p
    columns : whether samples are columns in the graph
    """

    layer: Layer
    node: Node
    name: str
    place: int
    z: Array
    g: Array
    p: Array
    f: str
    t: Array | None
    scale: float | None
    columns: bool

    def instead(self, g: Array) -> Changes:
        """Another gradient of the pre-activation."""
        back = np.ascontiguousarray(g.T) if self.columns else g

        def change(_: Array, run: Run) -> Array:
            return back.reshape(self.node.array.shape)

        return {At(self.node): change}

    def through(self, change: Change) -> Changes:
        """What arrives, changed; the change sees rows."""

        def turned(g: Array, run: Run) -> Array:
            return change(g.T, run).T if self.columns else change(g, run)

        return {At(self.node): turned}


def head_of(scene: Scene, layer: Layer) -> Head | None:
    """The end of the network at a last layer; None if its values are not one row or column a sample."""
    tape, node = scene.tape, layer.pre
    z, columns = node.array, layer.axis == -1
    if not layer.output or z.ndim not in (1, 2) or z.dtype.kind != "f":
        return None
    rows = z.T if columns else z
    g = tape.adjoint[node].T if columns else tape.adjoint[node]
    t = targets(scene.case.y, rows, columns)
    logarithm = any(n.op is not None and n.op.name in LOGARITHMS for n in tape.above(node))
    with np.errstate(all="ignore"):
        wide = rows.ndim == 2 and rows.shape[1] > 1
        p, f = (softmax(rows), "softmax") if wide else (kernels.sigmoid(rows), "sigmoid")
        scale = scale_of(scene, rows, g, p - t, wide) if t is not None and logarithm else None
        if scale is None and wide and t is not None and logarithm:
            other = kernels.sigmoid(rows)
            if (scale := scale_of(scene, rows, g, other - t, False)) is not None:
                p, f = other, "sigmoid"
    return Head(layer, node, scene.marks.name(node), tape.index[node], rows, g, p, f, t, scale, columns)


def targets(y: object, z: Array, columns: bool) -> Array | None:
    """The targets in the shape of the outputs: one-hot rows of labels, or the numbers themselves."""
    if not isinstance(y, np.ndarray) or not z.ndim or y.dtype.kind not in "biuf":
        return None
    y = y.T if columns and y.ndim == 2 and y.T.shape == z.shape else y
    if y.shape == z.shape:
        return y.astype(np.float64)
    flat = y.reshape(-1)
    if z.ndim == 2 and flat.shape == z.shape[:1]:
        if z.shape[1] > 1 and y.dtype.kind in "iu" and flat.size and flat.min() >= 0 and flat.max() < z.shape[1]:
            return np.eye(z.shape[1])[flat]
        if z.shape[1] == 1:
            return flat.reshape(-1, 1).astype(np.float64)
    return flat.astype(np.float64) if z.shape == flat.shape else None


def scale_of(scene: Scene, z: Array, g: Array, difference: Array, wide: bool) -> float | None:
    """The factor of the loss, s in g = s · (p − t), where an eps may have made rows smaller; None if g is something else."""
    g2, d2 = (g, difference) if wide else (g.reshape(-1, 1), difference.reshape(-1, 1))
    norms = np.sum(d2 * d2, axis=1)
    rows = norms > 0
    if not rows.any() or not np.isfinite(norms).all():
        return None
    ratios = np.sum(g2 * d2, axis=1)[rows] / norms[rows]
    rest = np.linalg.norm(g2[rows] - ratios[:, None] * d2[rows])
    if rest > 1e-6 * np.linalg.norm(g2) or not ratios.any():
        return None
    largest = float(ratios[np.argmax(np.abs(ratios))])
    counts = [k / n for n in (1, scene.case.m, z.size) for k in (1.0, 2.0, 0.5)]
    best = float(min(counts, key=lambda c: abs(abs(largest) - c)) * np.sign(largest))
    if abs(largest - best) <= 0.05 * abs(best):
        return best
    if np.ptp(ratios) <= 1e-6 * abs(largest):
        return largest
    above = [1 / n for n in (1, scene.case.m, z.size) if 1 / n >= abs(largest)]  # an eps makes every row smaller
    return float(min(above) * np.sign(largest)) if above else None


def output_line(scene: Scene) -> str:
    """The line of the chain rule at the end of the network, as the recorded loss has it: dZ2 = (P − Y) / m, 2 (A − Y) / m …"""
    for layer in scene.marks.layers:
        head = head_of(scene, layer)
        if head is None:
            continue
        m, size = scene.case.m, head.z.size
        if head.scale is not None:
            return f"d{head.name} = {over(head.scale, '(P − Y)', m, size)}, where P is the {head.f} of {head.name}"
        piece = next((p for p in scene.marks.pieces if p.first is head.node), None)
        a = head.z if piece is None else piece.last.array.T if head.columns else piece.last.array
        slope = np.ones_like(head.z) if piece is None else piece.slope.T if head.columns else piece.slope
        difference = None if head.t is None else (a - head.t) * slope
        norm = 0.0 if difference is None else float(np.vdot(difference, difference))
        if difference is None or norm == 0 or not np.isfinite(norm):
            continue
        s = float(np.vdot(difference, head.g)) / norm
        if np.linalg.norm(head.g - s * difference) <= 1e-9 * np.linalg.norm(head.g):
            A = head.name if piece is None else scene.marks.name(piece.last)
            times = "" if piece is None else f" * {piece.name}'({head.name})"
            return f"d{head.name} = {over(s, f'({A} − Y)', m, size)}{times}"
    return "the gradient of the loss carries its factor, 1/m for a mean and none for a sum: once, there or in every dW and db"


def over(s: float, difference: str, m: int, size: int) -> str:
    """A difference times a number, written as people do: 2 (A − Y) / m."""
    for k in (1, 2):
        for n, text in ((1, ""), (m, f" / {m}, the size of the batch"), (size, f" / {size}, the number of all outputs")):
            if np.isclose(s, k / n, rtol=1e-9):
                return f"{'2 ' if k == 2 else ''}{difference}{text}"
    return f"{s:.6g} {difference}"


def smallest_eps(scene: Scene) -> float:
    """The smallest number that is added, or clipped to, between the last layers and the loss; infinite if there is none."""
    found = [np.inf]
    for layer in scene.marks.layers:
        for node in scene.tape.above(layer.pre) if layer.output else ():
            if node.op is not None and node.op.name in ("add", "clip", "maximum"):
                found += [float(a) for a in node.arrays or () if np.ndim(a) == 0 and isinstance(a, (float, np.floating)) and a > 0]
    return min(found)
