"""A computation graph as a ``graphviz.Digraph``: operations, parameters and constants as nodes, data flowing along the edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import require
from ..graph import Node, topological

__all__ = ["to_graphviz"]


def shape_of(x: Any) -> str:
    """The shape of an operand, in words for a label."""
    shape = tuple(getattr(x, "shape", ()))
    return " × ".join(str(n) for n in shape) or "scalar"


def to_graphviz(root: Node, names: Mapping[str, Any] | None = None) -> Any:
    """The graph that root was computed by, as a ``graphviz.Digraph`` with plain-text labels.

    Every operation is a box with its name and the shape of its result; parameters are ellipses with the names given; arrays
    and numbers that carry no gradient are plain text. An input that is used twice has two edges.

    Parameters
    ----------
    root : Tensor
        The output, before its graph is freed.
    names : dict of name to Tensor or ndarray, optional
        Names for leaves and for arrays.

    Examples
    --------
    >>> from tinygrad_mlp import Tensor
    >>> x = Tensor(2.0, requires_grad=True)
    >>> print(to_graphviz(x * x, {"x": x}).source)
    digraph {
        graph [rankdir=TB]
        n1 [label="multiply\\nscalar" shape=box]
        n0 -> n1
        n0 -> n1
        n0 [label="x\\nscalar" shape=ellipse]
    }
    <BLANKLINE>
    """
    graphviz = require("graphviz", "demos", "drawing a graph")
    digraph = graphviz.Digraph(graph_attr={"rankdir": "TB"})
    order = list(topological(root))
    number = {node: f"n{len(order) - 1 - i}" for i, node in enumerate(order)}
    constants = 0
    for node in order:
        title = node.op.name if node.op else called(node, names)
        digraph.node(number[node], graphviz.escape(title) + "\\n" + shape_of(node.array), shape="box" if node.op else "ellipse")
        for x in node.inputs:
            if isinstance(x, Node) and x in number:
                digraph.edge(number[x], number[node])
                continue
            value = x.array if isinstance(x, Node) else x
            label = graphviz.escape(called(value, names)) + "\\n" + shape_of(value) if hasattr(value, "shape") else f"{value:.6g}"
            digraph.node(f"c{constants}", label, shape="plaintext")
            digraph.edge(f"c{constants}", number[node])
            constants += 1
    return digraph


def called(x: Any, names: Mapping[str, Any] | None) -> str:
    """The name given to a leaf or an array; else its kind."""
    found = [name for name, value in (names or {}).items() if value is x or same_array(value, x)]
    return found[0] if found else "leaf" if isinstance(x, Node) else str(x.dtype)


def same_array(a: Any, b: Any) -> bool:
    """Whether two arrays hold the same: a loss keeps a copy of the labels that it was given."""
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
