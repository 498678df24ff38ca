"""Gradients as a function of tensors, with graphs of their own where they are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from .errors import GraphError, TensorTypeError
from .graph import CLOCK, Node, between, mark_call, topological
from .kernels.shapes import Array
from .modes import recording
from .sweep import sweep
from .tensor import Tensor
from .values import leaf

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["gradients"]


@overload
def gradients(
    y: Tensor, wrt: Sequence[Tensor], *, seed: ArrayLike | Tensor | None = None, create_graph: Literal[False] = False
) -> tuple[Array, ...]: ...
@overload
def gradients(
    y: Tensor, wrt: Sequence[Tensor], *, seed: ArrayLike | Tensor | None = None, create_graph: Literal[True]
) -> tuple[Tensor, ...]: ...
@overload
def gradients(y: Tensor, wrt: Tensor, *, seed: ArrayLike | Tensor | None = None, create_graph: Literal[False] = False) -> Array: ...
@overload
def gradients(y: Tensor, wrt: Tensor, *, seed: ArrayLike | Tensor | None = None, create_graph: Literal[True]) -> Tensor: ...
def gradients(
    y: Tensor, wrt: Tensor | Sequence[Tensor], *, seed: ArrayLike | Tensor | None = None, create_graph: bool = False
) -> Any:
    """The gradients of y with respect to tensors, without touching any ``.grad``, and without freeing the graph.

    For ``y = f(x)`` and a seed v of y's shape the result is vᵀ ∂y/∂x, of x's shape and dtype.

    Parameters
    ----------
    y : Tensor
        The output.
    wrt : Tensor or sequence of Tensors
        What to differentiate with respect to; leaves or not. Where y does not depend on one, its gradient is zero.
    seed : array_like, optional
        The gradient that arrives at y, of y's shape. 1 for an output with one entry.
    create_graph : bool
        Return Tensors with a graph of their own, which can be differentiated again: second and higher order.

    Returns
    -------
    A gradient for a Tensor, a tuple for a sequence: ndarrays, or Tensors with ``create_graph=True``.

    Raises
    ------
    GraphError, ShapeError, GradientError
        As :meth:`Tensor.backward`.

    Examples
    --------
    >>> x = Tensor(2.0, requires_grad=True)
    >>> y = x**3
    >>> g = gradients(y, x, create_graph=True)
    >>> float(g), float(gradients(g, x))
    (12.0, 12.0)
    """
    wanted = [wrt] if isinstance(wrt, Tensor) else list(wrt)
    if not isinstance(y, Tensor):
        raise TensorTypeError(f"gradients() are those of a Tensor, not of a {type(y).__name__}")
    for x in wanted:
        if not isinstance(x, Tensor):
            raise TensorTypeError(f"gradients() are with respect to Tensors, not {type(x).__name__}")
        if not x.requires_grad:
            raise GraphError("gradients() with respect to a tensor that does not require them: make it with requires_grad=True")
    start = y._seed(seed, "gradients()")
    path = between(y, wanted)
    for x in wanted:
        if x.extras is not None and x.extras.past is not None:
            refuse_an_older_version(y, x)
    if create_graph:
        began = next(CLOCK)
        with recording(True):
            root = seed.astype(y.dtype) if isinstance(seed, Tensor) else leaf(Tensor.__new__(Tensor), start, requires_grad=False)
            found = sweep(y, root, path, create_graph=True)
        result: list[Any] = [found[x] if x in found else Tensor(np.zeros(x.shape, x.dtype)) for x in wanted]
        mark_call(recorded_since(began, result), "backward", began)  # a drawing puts the pass in a frame
    else:
        found = sweep(y, start, path)
        result = [np.zeros(x.shape, x.dtype) if x not in found else found[x] for x in wanted]
        result = [g.copy() if any(x is w for w in wanted[:i]) else g for i, (g, x) in enumerate(zip(result, wanted, strict=True))]
    return result[0] if isinstance(wrt, Tensor) else tuple(result)


def recorded_since(began: int, results: Sequence[Node]) -> list[Node]:
    """What some results were computed from since a moment."""
    seen: dict[Node, None] = {}
    stack = list(results)
    while stack:
        node = stack.pop()
        if node not in seen and node.stamp > began and node.op is not None:
            seen[node] = None
            stack.extend(x for _, x in node.edges)
    return list(seen)


def refuse_an_older_version(y: Tensor, x: Tensor) -> None:
    """y was computed from what x was before an assignment: the gradient with respect to x as it is now would be zero in silence."""
    nodes = set(topological(y))
    past: Node | None = None if x in nodes else x
    while past is not None:
        if past in nodes:
            raise GraphError(
                "gradients() with respect to a tensor that was assigned to after y was computed from it: take them before the "
                "assignment, or keep the old value, old = t.copy()"
            )
        past = past.extras.past if past.extras is not None else None
