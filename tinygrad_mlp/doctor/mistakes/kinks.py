"""Other slopes where there is none: of |x| at 0. They are right ones, too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..edit import Edit, Scene
from ..tape import Edge
from .activations import by

__all__ = ["kinks"]


def kinks(scene: Scene) -> Iterator[Edit]:
    """At each absolute value of an exact zero."""
    for node in scene.tape.forward:
        if node.op is None or node.op.name != "abs" or not node.edges or node.array.all():
            continue
        i, x = node.edges[0]
        title = scene.marks.name(x)
        for slope in (1.0, -1.0):
            words = f"the derivative of abs taken as {slope:+g} where {title} is exactly 0"
            changes = {Edge(node, i): by(np.where(x.array == 0, slope, np.sign(x.array)))}
            right = f"the derivative of abs at {title} is its sign"
            yield Edit((f"abs {slope:+g}", scene.tape.index[node], "at kink"), "relu_kink", title, words, changes, right, weight=3)
