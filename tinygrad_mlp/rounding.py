"""Monte Carlo arithmetic: a recorded graph run again, forward and backward, with every result moved at random by its last bits.

Where digits are lost inside a computation, as in 1 − a for an a near 1, the results of such runs scatter (Parker 1997), though the
inputs' own last bits may not reach so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .graph import Node
from .kernels.shapes import Array
from .sweep import pull_back

__all__ = ["Replayed", "rerun"]


class Replayed:
    """A node with other arrays, for its rules: those of all its inputs, or of one."""

    __slots__ = ("array", "arrays", "edges", "extras", "op", "origin", "params")

    def __init__(self, node: Node, array: Array | None, arrays: Sequence[Any] | None, only: int | None = None) -> None:
        self.array = node.array if array is None else array
        self.arrays = node.arrays if arrays is None else tuple(arrays)
        self.edges = node.edges if only is None else tuple((i, x) for i, x in node.edges if i == only)
        self.op, self.params, self.origin, self.extras = node.op, node.params, node.origin, None


def rerun(
    order: Sequence[Node], seed: Array, rng: np.random.Generator | None = None, move: float = 1.0, eps: float | None = None
) -> tuple[Array, dict[Node, Array]]:
    """The value of a graph, and the gradients of ⟨seed, value⟩ by node, with every result moved.

    Parameters
    ----------
    order : the nodes, the end first, each before its inputs
    seed : of the shape of the end
    rng : the random moves; without one nothing is moved
    move : by about so many last bits
    eps : the unit of the last bit; by default that of each result's dtype
    """

    def moved(x: Array) -> Array:
        if rng is None or x.dtype.kind not in "fc":
            return x
        bits = move * rng.uniform(0.75, 1.25, x.shape) * rng.choice([-1, 1], x.shape)
        unit = np.finfo(x.dtype).eps if eps is None else eps
        return np.asarray(np.where(np.isfinite(x), x + x * (unit * bits), x)).astype(x.dtype)

    values: dict[Node, Array] = {}
    arrived: dict[Node, Array] = {order[0]: seed.astype(order[0].array.dtype)}
    again: dict[Node, Any] = {}
    for node in sorted(order, key=lambda n: n.stamp):
        if node.op is not None:
            given = list(node.arrays or ())
            for i, x in node.edges:
                given[i] = values.get(x, given[i])
            result = np.asarray(node.op.forward(*given, **node.params))
            values[node] = result if copied(result, given) else moved(result)
            again[node] = Replayed(node, values[node], given)
    for node in order:
        if node.op is not None and node in arrived:
            for x, sent, _ in pull_back(again[node], node.op, arrived[node], None, False, False, None):
                arrived[x] = arrived[x] + moved(sent) if x in arrived else moved(sent)
    return values.get(order[0], order[0].array), arrived


def copied(result: Array, inputs: Sequence[Any]) -> bool:
    """Whether a result holds entries of its inputs as they are, as a maximum or a slice does: such an operation rounds nothing."""
    some = result.ravel()[:: max(1, result.size // 16)]
    given = [np.zeros(1), *(np.asarray(x).ravel() for x in inputs if isinstance(x, (np.ndarray, float, int)))]
    return bool(np.isin(some, np.concatenate(given)).all())
