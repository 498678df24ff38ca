"""Mistakes in the sum over the batch: samples that were not counted, or counted more than once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...graph import Node
from ...kernels.shapes import Array
from ..edit import Edit, Scene
from ..parts import Layer
from ..tape import At, Change, Changes, Edge, Run

__all__ = ["batch", "counts"]

MANY, ENOUGH = 32, 8
"""Up to this size of a batch it is found out how often each sample was counted, from so many equations a sample."""

RIGHT = "the gradient is the sum over all samples: += in a loop over them, or one product with the whole batch"


def weighted(weights: Array, axis: int) -> Change:
    """The gradient times weights along one axis."""

    def change(g: Array, run: Run) -> Array:
        shape = [1] * g.ndim
        shape[axis] = -1
        return g * weights.reshape(shape)

    return change


def into(scene: Scene, node: Node, i: int, weights: Array, axis: int) -> Change:
    """What is sent to one input, with weights along one axis."""
    weigh = weighted(weights, axis)

    def change(g: Array, run: Run) -> Array:
        return scene.tape.pull(node, i, weigh(g, run))

    return change


def weightings(m: int) -> Iterator[tuple[str, str, str, Array, float]]:
    """(variant, label, words, the weight of each sample, how often it is seen)."""
    ones, rows = np.ones(m), np.arange(m)
    yield "only last", "partial_batch", "only the last sample counted, as by = for +=", 1.0 * (rows == m - 1), 7
    yield "only first", "partial_batch", "only the first sample counted", 1.0 * (rows == 0), 6
    if m > 2:
        yield "without last", "partial_batch", "the last sample left out, as by a loop one short", 1.0 * (rows < m - 1), 7
        yield "without first", "partial_batch", "the first sample left out, as by a loop that starts at 1", 1.0 * (rows > 0), 6
    if m > 3:
        yield "half", "partial_batch", f"only the first {m // 2} of {m} samples counted", 1.0 * (rows < m // 2), 3
        yield "second half", "partial_batch", f"only the last {m - m // 2} of {m} samples counted", 1.0 * (rows >= m // 2), 2
        yield "every second", "partial_batch", "only every second sample counted", 1.0 * (rows % 2 == 0), 1
    yield "running", "accumulated", "running sums added up: sample i is counted m − i times", (m - rows) * ones, 5
    yield "running back", "accumulated", "running sums added up: sample i is counted i + 1 times", (rows + 1) * ones, 3
    yield "last twice", "accumulated", "the last sample counted twice", ones + (rows == m - 1), 3
    yield "first twice", "accumulated", "the first sample counted twice", ones + (rows == 0), 3


def batch(scene: Scene) -> Iterator[Edit]:
    """For the whole pass, for a layer, for one weight, for one bias; along the batch, and along time or positions."""
    m = scene.case.m
    for layer in scene.marks.layers:
        axis = layer.axis
        shape, place = layer.pre.array.shape, scene.tape.index[layer.pre]
        axes = [axis] if m > 1 and shape and shape[axis] == m else []
        axes += [k for k in range(1, len(shape) - 1) if shape[k] > 1]
        for k in axes:
            along = "" if k == axis else f"along axis {k}, "
            for variant, label, words, weights, weight in weightings(shape[k]):
                for part, where, changes, local in places(scene, layer, weights, k):
                    family = (f"batch {part}", variant, k)
                    text = f"in {where}, {along}{words}"
                    known = family if part != "all" else ()
                    yield Edit((*family, place), label, layer.title, text, changes, RIGHT, family=known, weight=weight, local=local)


def places(scene: Scene, layer: Layer, weights: Array, axis: int) -> Iterator[tuple[str, str, Changes, bool]]:
    """(part, words, changes, whether it concerns one parameter alone)."""
    W, b, Z = " and ".join(layer.weights), " and ".join(layer.biases), scene.marks.name(layer.pre)
    if layer.output:
        yield "all", f"d{Z} and all that follows", {At(layer.pre): weighted(weights, axis)}, False
    of_weight = {Edge(layer.product, layer.weight): into(scene, layer.product, layer.weight, weights, axis)}
    of_bias = {Edge(user, i): into(scene, user, i, weights, axis) for user, i, _ in layer.bias_edges}
    yield "weight", f"d{W}", of_weight, True
    if of_bias:
        yield "bias", f"d{b}", of_bias, True
        yield "layer", f"d{W} and d{b}", of_weight | of_bias, False


def counts(scene: Scene) -> Iterator[Edit]:
    """How often each sample was counted, found from the user's numbers: whole numbers that are not all the same."""
    m = scene.case.m
    for layer in scene.marks.layers:
        if 1 < m <= MANY and layer.pre.array.ndim and layer.pre.array.shape[layer.axis] == m:
            yield from counted(scene, layer)


def counted(scene: Scene, layer: Layer) -> Iterator[Edit]:
    """The same for one layer."""
    m, axis = scene.case.m, layer.axis
    for part, where, changes, local in places(scene, layer, np.ones(m), axis):
        true = scene.tape.gradients
        names = [n for n in scene.tape.touched(changes) if n in scene.user and scene.user[n].shape == true[n].shape]
        if part == "bias" or not names or sum(true[n].size for n in names) <= 2 * m:
            continue
        if all(np.array_equal(scene.user[n], true[n]) for n in names):
            continue

        def flat(weights: Array, part: str = part, names: list[str] = names) -> Array:
            change = next(c for p, _, c, _ in places(scene, layer, weights, axis) if p == part)
            found = scene.tape.run(change)
            return np.concatenate([found[n].ravel()[: ENOUGH * m] for n in names])

        rest = flat(np.zeros(m))
        columns = np.stack([flat(row) - rest for row in np.eye(m)], axis=1)
        given = np.concatenate([np.asarray(scene.user[n], np.float64).ravel()[: ENOUGH * m] for n in names])
        if not np.isfinite(given).all() or not np.isfinite(columns).all():
            continue
        weights = np.linalg.lstsq(columns, given - rest, rcond=None)[0]
        whole: Array = np.asarray(np.round(weights))
        if np.max(np.abs(weights - whole)) > 1e-4 or np.ptp(whole) == 0 or whole.min() < 0:
            continue
        found = next(c for p, _, c, _ in places(scene, layer, whole, axis) if p == part)
        left, more = np.flatnonzero(whole == 0), np.flatnonzero(whole > 1)
        which = ", ".join(str(n) for n in (left if left.size else more))
        words = f"in {where}, sample {which} {'not counted' if left.size else 'counted more than once'}"
        label = "partial_batch" if left.size else "accumulated"
        key = (f"counted {part}", scene.tape.index[layer.pre])
        yield Edit(key, label, layer.title, words, found, RIGHT, weight=2, local=local)
