"""The recording of an operation: compute it, and if an input requires gradients, note how. It is the engine's hot path."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from .errors import operation_failed
from .graph import Extras, Node, origin
from .guard import SMALL, entries
from .modes import DEFAULT, MODES
from .primitive import Primitive
from .values import NUMBERS, leaf, plain

__all__ = ["record"]

NEW, ndarray = object.__new__, np.ndarray  # what record() looks up at every operation
CLOCK = itertools.count(1)
N = TypeVar("N", bound=Node)


def record(cls: type[N], op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> N:
    """Compute op(*inputs, **params) and, if an input requires gradients, note how."""
    arrays: list[Any] = []
    edges: list[tuple[int, Node]] = []
    open_to_writes: list[int] | None = None  # the inputs whose arrays somebody else may hold
    for i, x in enumerate(inputs):
        if isinstance(x, Node):
            arrays.append(x.array)
            if x.tracked:
                edges.append((i, x))
            if x.extras is not None:
                open_to_writes = [*(open_to_writes or ()), i]
        elif type(x) is ndarray:
            arrays.append(x)
            open_to_writes = [*(open_to_writes or ()), i]
        elif type(x) in NUMBERS or (x is None and i >= len(op.rules) - op.optional):
            arrays.append(x)
        else:
            return record(cls, op, tuple(x if x is None and op.optional else plain(op, x) for x in inputs), params)
    modes = MODES.get()
    if modes is not DEFAULT and modes.anomaly:
        from .anomaly import inspect_inputs, inspect_value

        inspect_inputs(op, arrays, params)
    try:
        array = op.forward(*arrays, **params)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise operation_failed(op.name, arrays, params, error) from error
    if type(array) is not ndarray:
        array = np.asarray(array)
    node: N = NEW(cls)
    kind = array.dtype.kind
    if kind not in "fciub":
        raise operation_failed(op.name, arrays, params, TypeError(f"the result is no number but {array.dtype}"))
    if modes is not DEFAULT and modes.anomaly:
        inspect_value(op, arrays, params, array)
    if not edges or (modes is not DEFAULT and modes.paused) or kind not in "fc":  # integers and booleans carry no gradient
        return leaf(node, array, requires_grad=False)
    node.array, node.tracked, node.op, node.params = array, True, op, params
    node.extras = None if open_to_writes is None else protect(inputs, arrays, open_to_writes, modes.full_guard)
    node.inputs, node.arrays, node.edges = tuple(inputs), tuple(arrays), tuple(edges)
    node.grad, node.origin, node.stamp = None, origin(), next(CLOCK)
    return node


def protect(inputs: Sequence[Any], arrays: list[Any], places: list[int], full: bool) -> Extras | None:
    """Put copies into arrays where somebody else could write into them; of large ones of the user's, note some entries."""
    extras = None
    for i in places:
        x = inputs[i]
        if type(x) is np.ndarray:
            if full or x.nbytes <= SMALL or (noted := entries(x)) is None:
                arrays[i] = x.copy()
            else:
                extras = extras or Extras()
                extras.samples.append((i, noted))
        elif x.extras is not None and x.extras.exposed is not None:
            if x.extras.exposed() is None:
                x.extras.exposed = None  # nobody holds the view any more
            else:
                arrays[i] = arrays[i].copy()
    return extras
