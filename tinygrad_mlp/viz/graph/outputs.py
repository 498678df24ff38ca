"""Where a backward pass begins: the outputs, the order of the nodes behind them, and the gradients that arrive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import ShapeError, TensorTypeError
from ...graph import CLOCK, Node, topological
from ...kernels.shapes import Array

__all__ = ["backward_order", "checked_seeds"]


def backward_order(outputs: Sequence[Node]) -> list[Node]:
    """The nodes that the outputs were computed from, each after all of its users."""
    if len(outputs) == 1:
        return list(topological(outputs[0]))
    joint = Node()
    joint.arrays, joint.op, joint.inputs, joint.stamp = (), None, tuple(outputs), next(CLOCK)
    joint.edges = tuple(enumerate(dict.fromkeys(outputs)))
    return list(topological(joint))[1:]


def checked_seeds(outputs: Sequence[Node], given: Sequence[Array | None] | None) -> tuple[dict[Node, Array], str]:
    """The gradients that arrive at the outputs; without any, why."""
    found: dict[Node, Array] = {}
    whys: list[str] = []
    for i, node in enumerate(outputs):
        seed = given[i] if given is not None else None
        if seed is not None:
            if seed.shape != node.array.shape:
                raise ShapeError(f"gradient= is of the shape of the output, {node.array.shape} (got {seed.shape})")
            if not node.tracked:
                raise TensorTypeError("gradient= is given for an output that no gradient flows through: nothing requires gradients")
            if seed.dtype.kind not in "biuf" and node.array.dtype.kind != "c":
                raise TensorTypeError(f"gradient= for an output of {node.array.dtype} holds real numbers (got {seed.dtype})")
            found[node] = found[node] + seed if node in found else seed.astype(node.array.dtype)
        elif not node.tracked:
            whys.append("no input requires gradients")
        elif node.array.size != 1:
            whys.append(f"the output has {node.array.size:,} entries: draw a loss, or give gradient=")
        elif node.array.dtype.kind != "f":
            whys.append("the output is complex: give gradient=")
        elif node not in found:
            found[node] = np.ones_like(node.array)
    if len(found) > 1 and given is None:
        return found, f"the gradients are those of the sum of {len(found)} outputs; for one alone give gradient=[1, None]"
    if found and whys:
        return found, f"gradients of {len(found)} of {len(outputs)} outputs; for the rest: {whys[0]}"
    return found, "" if found else whys[0]
