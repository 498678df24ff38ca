"""Mistakes in the sum over the batch: samples that were not counted, or counted more than once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...kernels.shapes import Array
from ..edit import Edit, Scene
from ..tape import At, Change, Edge

__all__ = ["batch", "weighted"]


def weighted(weights: Array) -> Change:
    """Each sample's gradient times its weight."""

    def change(g: Array, run: Any) -> Array:
        return g * weights.reshape((-1,) + (1,) * (g.ndim - 1))

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
    """All of them: for the whole pass, for a layer, for one weight, for one bias."""
    tape, marks, m = scene.tape, scene.marks, scene.case.m
    if m < 2:
        return
    right = "the gradient is the sum over all samples: += over the batch, or one product with the whole batch"
    for layer in marks.layers:
        node = layer.pre
        if node.array.ndim < 2 or node.array.shape[0] != m:
            continue
        Z, place = marks.name(node), tape.index[node]
        for variant, label, words, w, weight in weightings(m):
            if layer.output:
                yield Edit(
                    ("batch", variant, place),
                    label,
                    layer.title,
                    f"in d{Z} and all that follows, {words}",
                    {At(node): weighted(w)},
                    right,
                    weight=weight,
                )

            def into_weight(g: Array, run: Any, layer: Any = layer, w: Array = w) -> Array:
                return tape.pull(layer.product, layer.weight, weighted(w)(g, run))

            W = " and ".join(layer.weights)
            change = {Edge(layer.product, layer.weight): into_weight}
            yield Edit(
                ("batch weight", variant, place),
                label,
                layer.title,
                f"in d{W}, {words}",
                change,
                right,
                family=("batch weight", variant),
                weight=weight,
                local=True,
            )
            biases = {}
            for user, i, _ in layer.bias_edges:

                def into_bias(g: Array, run: Any, user: Any = user, i: int = i, w: Array = w) -> Array:
                    return tape.pull(user, i, weighted(w)(g, run))

                biases[Edge(user, i)] = into_bias
            if biases:
                names = " and ".join(layer.biases)
                yield Edit(
                    ("batch bias", variant, place),
                    label,
                    layer.title,
                    f"in d{names}, {words}",
                    biases,
                    right,
                    family=("batch bias", variant),
                    weight=weight,
                    local=True,
                )
                yield Edit(
                    ("batch layer", variant, place),
                    label,
                    layer.title,
                    f"in d{W} and d{names}, {words}",
                    change | biases,
                    right,
                    family=("batch layer", variant),
                    weight=weight,
                )
