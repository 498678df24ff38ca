"""The recording of an operation: compute it, and if an input requires gradients, note how. It is the engine's hot path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from .derivations.linalg import hermitian_part
from .errors import operation_failed
from .graph import CLOCK, Extras, Node, origin
from .guard import SMALL, entries
from .kernels.shapes import Array
from .modes import DEFAULT, MODES, symmetric
from .operand import Operand
from .primitive import Primitive
from .values import NUMBERS, leaf, plain

__all__ = ["record"]

NEW, ndarray = object.__new__, np.ndarray  # what record() looks up at every operation
N = TypeVar("N", bound=Node)


def record(cls: type[N], op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> N:
    """Compute op(*inputs, **params) and, if an input requires gradients, note how."""
    arrays: list[Any] = []
    edges: list[tuple[int, Node]] = []
    users: list[int] | None = None  # the inputs that are arrays of the user's, who may write into them
    for i, x in enumerate(inputs):
        if isinstance(x, Node):
            arrays.append(x.array if x.extras is None else safe(x, x.extras))
            if x.tracked:
                edges.append((i, x))
        elif type(x) is ndarray:
            arrays.append(x)
            users = [*(users or ()), i]
        elif type(x) in NUMBERS or (x is None and i >= len(op.rules) - op.optional):
            arrays.append(x)
        else:
            if isinstance(x, Operand):  # of another reading, which takes Tensors in
                return x._apply(op, inputs, params)  # type: ignore[no-any-return]  # what that reading returns
            return record(cls, op, tuple(x if x is None and op.optional else plain(op, x) for x in inputs), params)
    modes = MODES.get()
    if modes is not DEFAULT and modes.tracer is not None:
        return modes.tracer.apply(op, inputs, params)  # type: ignore[no-any-return]  # a handle, for the time of the trace
    if modes is not DEFAULT and modes.symmetric and edges and edges[0][0] == 0 and op.reads_triangle(params):
        with symmetric(False):
            return record(cls, op, (hermitian_part(inputs[0]), *inputs[1:]), params)
    extras = protect(arrays, users, modes.full_guard) if users is not None and edges and not modes.paused else None
    if modes is not DEFAULT and modes.anomaly:
        from .anomaly import inspect_inputs, inspect_value

        inspect_inputs(op, arrays, params)
    if op.real:
        for a in arrays:
            if a.dtype.kind == "c" if type(a) is ndarray else type(a) is complex:
                op.refuse_complex(arrays)
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
    node.tracked, node.op, node.params = True, op, params
    if extras is not None and array.base is not None:
        array = array.copy()  # a view of a large array of the user's, perhaps
    node.extras, node.array = extras, array
    node.inputs, node.arrays, node.edges = tuple(inputs), tuple(arrays), tuple(edges)
    node.grad, node.call, node.origin, node.stamp = None, None, origin(), next(CLOCK)
    return node


def safe(x: Node, extras: Extras) -> Array:
    """The array of a node, or a copy of it while somebody holds a writable view: neither the graph nor a result refers to that."""
    if extras.exposed is None:
        return x.array
    if extras.exposed() is None:
        extras.exposed = None  # nobody holds the view any more
        return x.array
    return x.array.copy("K")


def protect(arrays: list[Any], places: list[int], full: bool) -> Extras | None:
    """Put copies in place of the user's arrays; of large ones, note some entries."""
    extras = None
    for i in places:
        x = arrays[i]
        if full or x.nbytes <= SMALL or (noted := entries(x)) is None:
            arrays[i] = x.copy("K")  # in its own layout: sums then take their order
        else:
            extras = extras or Extras()
            extras.samples.append((i, noted))
    return extras
