"""A number of a recorded graph taken apart as far as it is a sum: terms, and the factors of each.

Entries are counted through, 0 … size − 1 (flat), so that one array of integers says which entries of a node are meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..graph import Node
from ..kernels.shapes import Array

__all__ = ["SAME", "Piece", "name_of", "pieces"]

MOVES = ("reshape", "expand_dims", "squeeze", "permute_dims", "broadcast_to", "getitem", "roll")
"""Operations whose entries are entries of their input."""

SAME = ("positive", "astype")
"""Operations that change no number."""

FEW = 64
"""More entries than this are not looked up one by one."""


class Piece(NamedTuple):
    """Terms of one form: number i is cᵢ Π a[atᵢ] over the factors (a, at)."""

    factors: tuple[tuple[Any, Array], ...]
    scale: Array

    @property
    def values(self) -> Array:
        """The terms, in double precision."""
        product = self.scale
        for a, at in self.factors:
            product = product * entries(a)[at].astype(np.float64)
        return product


def entries(a: Any) -> Array:
    """The entries of a node, an array or a number in one axis."""
    return np.asarray(a.array if isinstance(a, Node) else a).reshape(-1)


def shape_of(a: Any) -> tuple[int, ...]:
    return tuple(np.shape(a.array if isinstance(a, Node) else a))


def numbered(shape: Sequence[int]) -> Array:
    """The flat numbers of the entries in their places."""
    return np.arange(int(np.prod(shape))).reshape(shape)


def stretched(a: Any, shape: tuple[int, ...], at: Array) -> Array:
    """Which entries of an operand the entries of a broadcast result come from."""
    return np.asarray(np.broadcast_to(numbered(shape_of(a)), shape).reshape(-1)[at])


def pieces(a: Any, at: Array, scale: Array) -> Iterator[Piece]:
    """The terms that scale · a[at] is the sum of."""
    op = a.op if isinstance(a, Node) else None
    if op is None or a.arrays is None:
        yield Piece(((a, at),), scale)
        return
    inputs, params, shape = a.inputs, a.params, a.array.shape
    if op.name in (*MOVES, *SAME):
        yield from pieces(*moved(a, at), scale)
    elif op.name == "negative":
        yield from pieces(inputs[0], at, -scale)
    elif op.name in ("add", "subtract"):
        yield from pieces(inputs[0], stretched(inputs[0], shape, at), scale)
        yield from pieces(inputs[1], stretched(inputs[1], shape, at), -scale if op.name == "subtract" else scale)
    elif op.name in ("sum", "mean"):
        ways = reduced(shape_of(inputs[0]), params["axis"], a.array.size)[at]
        width = ways.shape[1]
        yield from pieces(inputs[0], ways.reshape(-1), np.repeat(scale, width) / (width if op.name == "mean" else 1))
    elif op.name == "multiply":
        x, y = inputs
        if is_number(y):
            yield from pieces(x, stretched(x, shape, at), scale * float(y))
        elif is_number(x):
            yield from pieces(y, stretched(y, shape, at), scale * float(x))
        else:
            yield Piece(((x, stretched(x, shape, at)), (y, stretched(y, shape, at))), scale)
    elif op.name == "divide" and is_number(inputs[1]):
        yield from pieces(inputs[0], at, scale / float(inputs[1]))
    elif op.name in ("matmul", "linear"):
        yield products(inputs[0], inputs[1], at, scale)
        if op.name == "linear":
            yield from pieces(inputs[2], stretched(inputs[2], shape, at), scale)
    elif op.name == "contract":
        yield contraction(inputs, params["subscripts"], at, scale)
    elif op.name == "scatter" and len(at) <= FEW:
        yield from gathered(inputs[0], params, at, scale)
    else:
        yield Piece(((a, at),), scale)


def is_number(x: Any) -> bool:
    """Whether x is a plain constant number."""
    return not isinstance(x, Node) and np.ndim(x) == 0


def moved(a: Node, at: Array) -> tuple[Any, Array]:
    """The input of an operation that only moves entries, and where in it these entries are."""
    x = a.inputs[0]
    if a.op is None or a.op.name in SAME:
        return x, at
    return x, np.asarray(a.op.forward(numbered(shape_of(x)), **a.params)).reshape(-1)[at]


def reduced(shape: tuple[int, ...], axis: int | tuple[int, ...] | None, size: int) -> Array:
    """For each entry of a reduction the entries that it is made of: (size, width)."""
    axes = tuple(range(len(shape))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return np.moveaxis(numbered(shape), axes, tuple(range(-len(axes), 0))).reshape(size, -1)


def products(x: Any, y: Any, at: Array, scale: Array) -> Piece:
    """Zᵢⱼ = Σₖ Xᵢₖ Yₖⱼ, leading axes are a batch: a term for each k."""
    rows, columns = numbered(shape_of(x)), numbered(shape_of(y))
    rows, columns = rows[None] if rows.ndim == 1 else rows, columns[:, None] if columns.ndim == 1 else columns
    batch = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    (m, k), n = rows.shape[-2:], columns.shape[-1]
    rows = np.broadcast_to(rows, (*batch, m, k)).reshape(-1, m, k)
    columns = np.broadcast_to(columns, (*batch, k, n)).reshape(-1, k, n)
    number, i, j = np.unravel_index(at, (len(rows), m, n))
    return Piece(((x, rows[number, i].reshape(-1)), (y, columns[number, :, j].reshape(-1))), np.repeat(scale, k))


def contraction(xs: Sequence[Any], subscripts: str, at: Array, scale: Array) -> Piece:
    """Z_out = Σ Π X_labels: a term for each value of the labels that are summed over."""
    terms, out = subscripts.split("->")
    labels = terms.split(",")
    sizes: dict[str, int] = {}
    for x, mine in zip(xs, labels, strict=True):
        for label, n in zip(mine, shape_of(x), strict=True):
            sizes[label] = max(n, sizes.get(label, 1))
    inner = [label for label in sizes if label not in out]
    grid = np.unravel_index(np.arange(int(np.prod([sizes[n] for n in inner]))), [sizes[n] for n in inner]) if inner else ()
    width = len(grid[0]) if inner else 1
    outer = np.unravel_index(at, [sizes[n] for n in out]) if out else ()
    index = {label: np.repeat(i, width) for label, i in zip(out, outer, strict=True)}
    index |= {label: np.tile(i, len(at)) for label, i in zip(inner, grid, strict=True)}
    found = []
    for x, mine in zip(xs, labels, strict=True):
        flat = np.zeros(len(at) * width, int)
        for label, n in zip(mine, shape_of(x), strict=True):
            flat = flat * n + (index[label] if n > 1 else 0)
        found.append((x, flat))
    return Piece(tuple(found), np.repeat(scale, width))


def gathered(g: Any, params: dict[str, Any], at: Array, scale: Array) -> Iterator[Piece]:
    """z = 0 with z[index] += g: the entries of g that land there."""
    targets = np.broadcast_to(numbered(params["shape"])[params["index"]], shape_of(g)).reshape(-1)
    for place, factor in zip(at, scale, strict=True):
        sources = np.nonzero(targets == place)[0]
        if len(sources):
            yield from pieces(g, sources, np.full(len(sources), factor))


def name_of(a: Any, at: int, names: dict[Node, str]) -> str:
    """An entry of a factor: that of the array it was moved from, by its name or by the operation that computed it."""
    place = np.array([at])
    while isinstance(a, Node) and a not in names and a.op is not None and a.op.name in (*MOVES, *SAME):
        a, place = moved(a, place)
    name = names.get(a) if isinstance(a, Node) else None
    if name is None:
        name = a.op.name if isinstance(a, Node) and a.op is not None else "tensor" if isinstance(a, Node) else "constant"
    index = ", ".join(str(int(i)) for (i,) in np.unravel_index(place, shape_of(a))) if shape_of(a) else ""
    return f"{name}[{index}]" if index else name
