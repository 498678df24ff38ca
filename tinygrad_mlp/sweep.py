"""The one sweep over a graph that computes gradients: the nodes in reverse topological order, each rule called once.

It is the only place where broadcasting is undone, where the shape and dtype of a gradient are checked, and where gradients are
added up. Its rules may be read with arrays or with Tensors.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from . import rules
from .errors import GradientError, GradientWarning, GraphError, describe
from .graph import Node, line_of, topological
from .guard import changed
from .kernels.linalg import within
from .kernels.shapes import inverse, is_unique
from .modes import MODES
from .primitive import TABLE, Primitive

__all__ = ["sweep", "unbroadcast"]

ndarray = np.ndarray
PART = TABLE["linalg.part"]
VIEWS = (rules.permute_dims, rules.reshape, rules.squeeze, rules.expand_dims, rules.real)
TOLD: dict[Any, Any] = {}  # which warnings were given, for the warnings module


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """The sum of g over the axes along which an operand of the given shape was broadcast: the transpose of broadcasting.

    >>> unbroadcast(np.ones((4, 3)), (3,))
    array([4., 4., 4.])
    >>> unbroadcast(np.ones((4, 3)), (4, 1)).shape
    (4, 1)
    """
    added = g.ndim - len(shape)
    stretched = tuple(i + added for i, n in enumerate(shape) if n == 1 and g.shape[i + added] != 1)
    g = np.add.reduce(g, axis=(*range(added), *stretched))
    return np.reshape(g, shape) if stretched else g


def fit(g: Any, node: Node, x: Node) -> Any:
    """Bring g, which node's rule computed for its input x, to the shape and dtype of x, or say what is wrong with it."""
    given, shape, dtype = g.shape, x.array.shape, x.array.dtype
    if given != shape:
        if len(given) >= len(shape):
            g = unbroadcast(g, shape)
        if g.shape != shape:
            raise GradientError(f"the rule of {node.op} gave a gradient of shape {given} for an input of shape {shape}")
    if g.dtype != dtype:
        if g.dtype.kind == "c" and dtype.kind != "c":
            g = rules.real(g)  # of a + ib only a is there
        g = g.astype(dtype)
    return g


def sweep(
    root: Node,
    seed: Any,
    wanted: dict[Node, bool] | None = None,
    *,
    create_graph: bool = False,
    free: bool = False,
) -> dict[Node, Any]:
    """Reverse-mode differentiation: the gradients of root, weighted by seed, with respect to nodes of its graph.

    Parameters
    ----------
    root, seed : the output and the gradient that arrives at it, of its shape and dtype
    wanted : the nodes to visit, and whether each one's gradient is wanted; by default all are visited, and the gradients of
        leaves, and of nodes with ``retains_grad``, are wanted
    create_graph : read the rules with Tensors, so that the gradients have a graph of their own
    free : let go of each node's arrays and inputs as soon as it has been visited

    Returns
    -------
    The gradients by node: arrays that nothing else refers to, or Tensors with ``create_graph``.

    Notes
    -----
    The gradient with respect to a complex a + ib is ∂L/∂a + i ∂L/∂b, PyTorch's convention, in which a step against it is the
    steepest descent. Between the ends of the sweep its conjugate is handed on: with that the rule of an analytic function
    is the one of real numbers.
    """
    modes = MODES.get()
    if modes.anomaly:  # the rules of a recorded sweep are not watched themselves: what they give is
        token = MODES.set(modes.but(anomaly=False))
        try:
            return walk(root, seed, wanted, create_graph, free, watch=True)
        finally:
            MODES.reset(token)
    return walk(root, seed, wanted, create_graph, free, watch=False)


def walk(root: Node, seed: Any, wanted: dict[Node, bool] | None, create_graph: bool, free: bool, watch: bool) -> dict[Node, Any]:
    """The sweep itself."""
    results: dict[Node, Any] = {}
    unused: dict[Node, Any] = {}  # where it is known that the result does not depend on a node's entries at all
    where, getitem = rules.where, rules.getitem
    # what has arrived, and whether that is in a buffer of its own: rules may hand on views, g itself, an input
    arrived: dict[Node, tuple[Any, bool]] = {root: (rules.conj(seed) if seed.dtype.kind == "c" else seed, True)}
    for node in topological(root):
        arrival = arrived.pop(node, None)
        if arrival is None:
            continue  # no rule sent anything here
        g, mine = arrival
        op, extras = node.op, node.extras
        if (op is None or (extras is not None and extras.retains_grad)) if wanted is None else wanted.get(node, False):
            results[node] = result(g, mine, create_graph)
        if op is None:
            continue
        dead = unused.pop(node, None) if unused else None
        for x, gx, new in pull_back(node, op, g, wanted, create_graph, watch, dead):
            before = arrived.get(x)
            if unused or op is where or dead is not None or (op is getitem and is_part(x)):
                note_unused(unused, node, x, dead, first=before is None)
            if before is None:
                arrived[x] = (gx, new)
            elif before[1]:
                np.add(before[0], gx, out=before[0])
            else:
                both = before[0] + gx
                arrived[x] = (both, False) if create_graph else (np.asarray(both), True)
        if free:
            node.inputs, node.edges, node.arrays, node.call = (), (), None, None
            if extras is not None:
                extras.past = None
    return results


def result(g: Any, mine: bool, create_graph: bool) -> Any:
    """What has arrived at a node, for the caller: in a buffer of its own, and of a complex number ∂L/∂a + i ∂L/∂b."""
    if g.dtype.kind == "c":
        return rules.conj(g) if create_graph else np.array(np.conjugate(g))
    return g if mine or create_graph else np.array(g)


def is_part(x: Node) -> bool:
    """Whether x holds the vectors or values of a decomposition, of which it matters which ones are used."""
    while x.op in VIEWS:
        x = x.edges[0][1]
    return x.op is PART


def note_unused(unused: dict[Node, Any], node: Node, x: Node, dead: Any, first: bool) -> None:
    """Note which entries of x nothing depends on, as far as node knows: those that a where() did not select.

    There the gradient is 0 whatever the slopes before are, also where one is infinite: 0 · ∞ is then 0, not NaN. That is no
    convention but the chain rule: a function that does not depend on u does not depend on what u is computed from. Entry by
    entry it passes elementwise functions; where a node has several users, all must agree.
    """
    if node.op is rules.where:
        condition = np.broadcast_to(truth(node.arrays[0]), node.array.shape) if node.arrays is not None else None
        branches = [i for i, y in node.edges if y is x]
        mine = None if condition is None or len(branches) != 1 else ~condition if branches == [1] else condition
        dead = mine if dead is None or mine is None else mine | dead
    elif node.op is rules.getitem and is_part(x):  # eigenvectors, say, that an index did not pick
        index = node.params["index"]
        rest = dead if type(dead) is ndarray and is_unique(index) else False
        dead = np.ones(x.array.shape, bool)
        dead[index] = rest
    elif dead is not None and node.op in (rules.reshape, rules.squeeze, rules.expand_dims):
        dead = dead.reshape(x.array.shape)
    elif dead is not None and node.op is rules.real:
        pass
    elif dead is not None and node.op is rules.permute_dims:
        dead = dead.transpose(inverse(node.params["axes"]))
    elif node.op is None or not node.op.elementwise:
        dead = None
    if dead is not None and dead.shape != x.array.shape:  # an entry that was broadcast is unused where all its copies are
        added = dead.ndim - x.array.ndim
        axes = (*range(added), *(i + added for i, n in enumerate(x.array.shape) if n == 1))
        dead = np.all(dead, axis=axes).reshape(x.array.shape)
    if dead is None:
        unused.pop(x, None)
    elif first:
        unused[x] = dead
    elif x in unused:
        unused[x] = unused[x] & dead


def is_shift_or_scale(op: Primitive, args: Sequence[Any]) -> bool:
    """Whether the slopes are plain finite numbers: a gradient that is 0 stays 0 without being told to."""
    if op in (rules.multiply, rules.divide):
        return type(args[1]) in (int, float) and math.isfinite(args[1]) and args[1] != 0
    return op in (rules.add, rules.subtract, rules.negative, rules.positive)


def truth(condition: Any) -> Any:
    """A condition as booleans, for every reading of it."""
    return condition.astype(bool) if hasattr(condition, "astype") else np.asarray(condition, bool)


def pull_back(
    node: Node, op: Primitive, g: Any, wanted: dict[Node, bool] | None, create_graph: bool, watch: bool, dead: Any
) -> list[tuple[Node, Any, bool]]:
    """The gradients of one node's inputs, given its own: each input, what goes to it, and whether that is a new array.

    ``watch``: look for NaN and infinities. ``dead`` marks entries of the node that nothing depends on; of an elementwise
    function they send 0, whatever the slope.
    """
    found = []
    if node.extras is not None and changed(node.arrays or (), node.extras.samples):
        refuse_changed(node, op)
    z: Any = node if create_graph else node.array
    args: Sequence[Any] = graph_inputs(node) if create_graph else node.arrays or ()
    together: Sequence[Any] | None = None  # the gradients of all inputs, which a variadic rule gives at once
    rules_of, variadic, singular = op.rules, op.variadic, op.singular
    for i, x in node.edges:
        rule = rules_of[0 if variadic else i]
        if rule is None or (wanted is not None and x not in wanted):
            continue
        try:
            if variadic:
                together = together or rule(g, z, *args, **node.params)
                gx = together[i]
            elif dead is not None and op.elementwise and not is_shift_or_scale(op, args):
                with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                    gx = rule(g, z, *args, **node.params)
                gx = rules.where(dead, 0, gx) if gx.shape == dead.shape else gx
            elif type(dead) is ndarray and op is PART:
                gx = rules.where(within(dead, x.array.shape, **node.params), 0, rule(g, z, *args, **node.params))
            else:
                gx = rule(g, z, *args, **node.params)
        except Exception as error:
            shapes = ", ".join(describe(a) for a in node.arrays or ())
            raise GradientError(
                f"backward through {op.name}({shapes}), created at {line_of(node)}, failed: {type(error).__name__}: {error}"
            ) from error
        if gx.shape != x.array.shape or gx.dtype is not x.array.dtype:
            gx = fit(gx, node, x)
        if type(gx) is not ndarray and not create_graph:
            gx = np.asarray(gx)  # NumPy turns 0-d results into scalars
        if watch:
            from .anomaly import inspect_gradient

            inspect_gradient(node, op, i, g, gx)
        if singular is not None and type(node.array) is ndarray:
            warn_if_nan(node, op, g, gx)
        # of use for leaves only; a user's rule may keep what it gives
        new = x.op is None and not create_graph and not variadic and TABLE.get(op.name) is op and is_new(gx, g, z, args)
        found.append((x, gx, new))
    return found


def warn_if_nan(node: Node, op: Primitive, g: Any, gx: Any) -> None:
    """Say, once a place, that a rule has given NaN because the chain rule cannot know the gradient."""
    if op.singular is None or not np.isnan(getattr(gx, "array", gx)).any() or np.isnan(getattr(g, "array", g)).any():
        return
    file, _, line = line_of(node).rpartition(":")
    what, cause, cure = op.singular
    text = f"{what} (created at {line_of(node)}) is NaN: {cause}; {cure}"
    warnings.warn_explicit(text, GradientWarning, file, int(line) if line.isdigit() else 0, registry=TOLD)


def refuse_changed(node: Node, op: Primitive) -> NoReturn:
    """An array that the rule needs holds other numbers now."""
    raise GraphError(
        f"an array that {op.name} (created at {line_of(node)}) was given has been written into since: its gradient needs the "
        f"old values; run backward() first, or give {op.name} a copy"
    )


def is_new(gx: Any, g: Any, z: Any, args: Sequence[Any]) -> bool:
    """Whether a rule's result lives in a buffer that nothing else sees: neither a view nor one of the things it was given."""
    if gx.base is not None or gx is g or gx is z:
        return False
    for a in args:  # noqa: SIM110  # a generator costs more than the loop, and this runs for every leaf
        if gx is a:
            return False
    return True


def graph_inputs(node: Node) -> Sequence[Any]:
    """The inputs of a node for rules that record: nodes where gradients flow, the arrays of that time everywhere else.

    Refused if a node has been given new data in between.
    """
    arrays = node.arrays or ()
    args = list(arrays)
    for i, x in node.edges:
        if x.array is not arrays[i] and not np.array_equal(x.array, arrays[i], equal_nan=True):
            raise GraphError(
                f"an input of {node.op} (created at {line_of(node)}) was given new data after it was used: "
                f"take create_graph=True gradients before the update, or compute the output again"
            )
        args[i] = x
    return args
