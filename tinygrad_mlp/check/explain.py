"""Where one number of a gradient comes from: the terms that add up to it, by the operations that send them and by the sample.

A rule is read with Tensors, so that what it computes is a graph, and a number of that graph is taken apart as far as it is a sum.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias, overload

import numpy as np

from ..derivative import gradients
from ..errors import GraphError, ShapeError, TensorTypeError, UnsupportedError
from ..graph import Node, between, line_of, topological
from ..kernels.shapes import Array
from ..modes import recording
from ..sweep import fit, sweep
from ..tensor import Tensor
from .report import markdown_table, text_table
from .terms import SAME, Piece, name_of, pieces

__all__ = ["Explanation", "Path", "Term", "explain"]

Index: TypeAlias = int | tuple[int, ...]


class Term(NamedTuple):
    """One of the numbers that add up."""

    path: int
    """The number of its path."""
    factors: tuple[tuple[str, float], ...]
    """What it is the product of: (("x[4, 0]", 1.5), ("g[4, 2]", −0.25)); a single one where it is no product."""
    scale: float
    """A constant that stands before the factors: −1 of a difference, 1 / n of a mean."""
    value: float


class Path(NamedTuple):
    """A way on which a part of the gradient arrives: an operation that uses the tensor."""

    operation: str
    argument: str
    line: str
    value: float
    """What it sends, as the engine computes it."""


@overload
def explain(loss: Tensor, tensor: Tensor, index: Index | None = None, *, limit: int = 10) -> Explanation: ...
@overload
def explain(loss: Tensor, tensor: Index | None = None, index: Index | None = None, *, limit: int = 10) -> Explanation: ...
def explain(loss: Tensor, tensor: Tensor | Index | None = None, index: Index | None = None, *, limit: int = 10) -> Explanation:
    """Take one number of a gradient apart: which operations, and which samples, contribute how much.

    ∂L/∂x arrives at x by every operation that uses it, and these parts are added. In each part a product leaves a sum: for Z = X W
    with the gradient G at Z the number ∂L/∂Wᵣ꜀ = Σᵢ Xᵢᵣ Gᵢ꜀ has a term for every row i of the batch, and a bias has Σᵢ Gᵢ꜀. The
    terms are found by reading the rule with Tensors, for every operation alike; where a rule computes no sum there is one term.

    Parameters
    ----------
    loss : a recorded Tensor with one entry, whose graph has not been freed: call this before ``backward()``
    tensor : the Tensor of its graph whose gradient is asked for
    index : the entry; by default the one with the largest gradient
    limit : how many terms are printed; all of them are in ``.terms``

    ``explain(t, index)`` takes apart an entry of a computed Tensor itself. For a gradient that was computed with
    ``gradients(loss, tensor, create_graph=True)`` that is the same question, asked of the graph of the gradient.

    Returns
    -------
    An :class:`Explanation`, which prints as a table.

    Raises
    ------
    GraphError
        For a tensor that was given, not computed, a freed graph, or a loss and a tensor in the wrong order.
    ShapeError, IndexError, TensorTypeError, UnsupportedError
        For a loss with several entries, an index outside, an index that is none, and complex numbers.

    Examples
    --------
    >>> X = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> W = Tensor([[1.0], [-1.0]], requires_grad=True)
    >>> found = explain(((X @ W) ** 2).sum(), W, (0, 0))
    >>> found.number, [term.value for term in found.terms]
    (-8.0, [-2.0, -6.0])
    >>> found.terms[1].factors
    (('x[1, 0]', 3.0), ('g[1, 0]', -2.0))
    """
    for t in (loss, *((tensor,) if isinstance(tensor, Tensor) else ())):
        if not isinstance(t, Tensor):
            raise TensorTypeError(f"explain() takes a recorded Tensor, not a {type(t).__name__}: explain(loss, tensor, index)")
        if t.dtype.kind == "c":
            raise UnsupportedError("explain() does not take complex numbers apart: ask for their real and imaginary parts")
    if isinstance(tensor, Tensor):
        return explain_gradient(loss, tensor, index, limit)
    if tensor is not None and index is not None:
        raise TensorTypeError("explain() takes a loss, a tensor and an index, or a computed tensor and an index")
    return explain_number(loss, index if tensor is None else tensor, limit)


def explain_gradient(loss: Tensor, x: Tensor, index: Index | None, limit: int) -> Explanation:
    """An entry of ∂loss/∂x, by the operations that use x."""
    nodes = list(topological(loss))
    if not any(node is x for node in nodes):
        if x.op is not None and any(node is loss for node in topological(x)):
            raise GraphError("explain(): the second tensor was computed from the first: write explain(loss, tensor, index)")
        raise GraphError("explain(): the loss was not computed from this tensor, so that its gradient is zero")
    if x is loss:
        raise GraphError("explain(): the gradient of a loss with respect to itself is 1: give a tensor that it was computed from")
    total = gradients(loss, x)
    place = flat_index(index, total)
    users = [node for node in nodes if any(y is x for _, y in node.edges)]
    wanted = between(loss, [x]) | dict.fromkeys(users, True)
    arrived = sweep(loss, loss._seed(None, "explain()"), wanted)
    paths: list[Path] = []
    parts: list[tuple[list[Piece], dict[Node, str]]] = []
    for user in reversed(users):
        if user not in arrived or user.op is None:
            continue
        for i in [i for i, y in user.edges if y is x]:
            sent, names = read(user, i, x, arrived[user])
            if sent is None:
                continue
            value = sent.array if isinstance(sent, Node) else np.asarray(sent)
            argument = names.get(None, f"number {i + 1}")
            paths.append(Path(user.op.name, argument, line_of(user), float(value.reshape(-1)[place])))
            parts.append((list(pieces(sent, np.array([place]), np.ones(1))), {k: v for k, v in names.items() if k is not None}))
    return Explanation("gradient", total, place, paths, parts, limit)


def read(node: Node, i: int, x: Node, g: Array) -> tuple[Any, dict[Node | None, str]]:
    """What a node's rule sends to its input number i, with its graph, and the names of what the rule was given.

    The name of the input itself is that of ``None``. A rule that cannot be read with Tensors is called with arrays.
    """
    op, given = node.op, node.arrays or ()
    assert op is not None  # noqa: S101  # a user has an operation
    rule = op.rules[0 if op.variadic else i]
    if rule is None:
        return None, {}
    letters = [f"x{n + 1}" for n in range(len(given))] if op.variadic else list(op.arrays)
    names: dict[Node | None, str] = {None: letters[i] if i < len(letters) else f"number {i + 1}"}

    def fitting(sent: Any) -> Any:
        sent = sent[i] if op.variadic else sent
        return fit(sent, node, x) if sent.shape != x.array.shape or sent.dtype != x.array.dtype else sent

    if node.array.dtype.kind == "c":  # the gradient is of one number, the terms of two
        return fitting(rule(np.conj(g), node.array, *given, **node.params)), names

    def known(a: Any) -> Any:
        return Tensor(a, requires_grad=True) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a

    with recording(True):
        arriving, z, args = known(g), known(node.array), [known(a) for a in given]
        names |= {a: n for a, n in zip(args, letters, strict=False) if isinstance(a, Node)}
        names |= {arriving: "g", z: "z"}
        try:
            return fitting(rule(arriving, z, *args, **node.params)), names
        except Exception:  # a rule of the user's, for arrays only
            return fitting(rule(g, node.array, *given, **node.params)), names


def explain_number(t: Tensor, index: Index | None, limit: int) -> Explanation:
    """An entry of a computed tensor: the additions at the end of its graph are the paths."""
    if t.op is None:
        raise GraphError(
            "explain(tensor, index): this tensor was given, not computed. For its gradient write explain(loss, tensor, index) "
            "before backward() frees the graph, or explain(g, index) with g = tg.gradients(loss, tensor, create_graph=True)"
        )
    list(topological(t))  # refuses a freed graph
    place = flat_index(index, t.array)
    paths: list[Path] = []
    parts: list[tuple[list[Piece], dict[Node, str]]] = []
    open_: list[Any] = [t]
    while open_:
        a = open_.pop()
        if isinstance(a, Node) and a.op is not None and a.op.name == "add" and all(np.shape(y) == t.shape for y in a.inputs):
            open_ += reversed(a.inputs)
            continue
        if isinstance(a, Node) and a.op is not None and a.op.name in SAME:
            open_.append(a.inputs[0])
            continue
        told = (a.op.name, "", line_of(a)) if isinstance(a, Node) and a.op is not None else ("as given", "", "")
        array = np.asarray(a.array if isinstance(a, Node) else a)
        paths.append(Path(*told, float(array.reshape(-1)[place])))
        parts.append((list(pieces(a, np.array([place]), np.ones(1))), {}))
    return Explanation("value", t.array, place, paths, parts, limit)


def flat_index(index: Index | None, array: Array) -> int:
    """The number of an entry, counted through; of the largest one by default."""
    if not array.size:
        raise ShapeError(f"explain(): a tensor of shape {array.shape} has no entries")
    if index is None:
        return int(np.argmax(np.abs(array)))
    try:
        place = tuple(operator.index(i) for i in (index if isinstance(index, (tuple, list)) else (index,)))
    except TypeError as error:
        raise TensorTypeError(f"explain() takes the index of one entry, whole numbers such as (0, 2), not {index!r}") from error
    if len(place) != array.ndim or not all(-n <= i < n for i, n in zip(place, array.shape, strict=True)):
        raise IndexError(f"explain(): {index!r} is no entry of a tensor of shape {array.shape}")
    return int(np.ravel_multi_index([i % n for i, n in zip(place, array.shape, strict=True)], array.shape)) if place else 0


class Explanation:
    """The terms of one number: prints as a table; ``ok`` says whether they add up to it, to rounding.

    Attributes
    ----------
    number, index : the number, and the entry that it is
    paths : the operations that send a part of it, a :class:`Path` each
    sum : the sum of all terms
    tolerance : how far rounding may bring the sum from the number: ε times the sizes of the terms
    """

    def __init__(
        self,
        what: str,
        total: Array,
        place: int,
        paths: Sequence[Path],
        parts: Sequence[tuple[list[Piece], dict[Node, str]]],
        limit: int,
    ) -> None:
        self.what, self.paths, self.limit = what, tuple(paths), limit
        self.index = tuple(int(i) for i in np.unravel_index(place, total.shape))
        self.number = float(total.reshape(-1)[place])
        self.parts = parts
        self.values = [np.concatenate([p.values for p in found]) if found else np.zeros(0) for found, _ in parts]
        self.sum = math.fsum(v for values in self.values for v in values.tolist())
        self.size = math.fsum(abs(v) for values in self.values for v in values.tolist())
        self.tolerance = float(np.finfo(total.dtype).eps) * (8 + sum(map(len, self.values))) * self.size

    @property
    def ok(self) -> bool:
        """Whether the terms add up to the number."""
        return abs(self.sum - self.number) <= self.tolerance

    @property
    def terms(self) -> tuple[Term, ...]:
        """All terms, path by path."""
        return tuple(self.term(n, i) for n, values in enumerate(self.values) for i in range(len(values)))

    def term(self, path: int, i: int) -> Term:
        """Term number i of a path."""
        found, names = self.parts[path]
        value = float(self.values[path][i])
        for piece in found:
            if i < len(piece.scale):
                factors = tuple(
                    (name_of(a, int(at[i]), names), float(np.asarray(a.array if isinstance(a, Node) else a).reshape(-1)[at[i]]))
                    for a, at in piece.factors
                )
                return Term(path, factors, float(piece.scale[i]), value)
            i -= len(piece.scale)
        raise IndexError(i)

    def cells(self) -> list[list[str]]:
        """The table as text: each path with its share, its largest terms, and the sum of the others."""
        shown = self.largest()
        table = [["term", "factors", "value", "share"]]
        for n, (path, values) in enumerate(zip(self.paths, self.values, strict=True)):
            argument = f", its {path.argument}" if path.argument else ""
            table.append(
                [f"{path.operation}{argument}, {path.line}".removesuffix(", "), "", compact(path.value), self.share(path.value)]
            )
            if len(values) == 1 and len(self.term(n, 0).factors) == 1:
                continue
            for i in shown[n]:
                t = self.term(n, i)
                scale = [] if t.scale == 1 else [compact(t.scale)]
                table.append(
                    [
                        "  " + " · ".join([*scale, *(name for name, _ in t.factors)]),
                        " · ".join([*scale, *(compact(v) for _, v in t.factors)]),
                        compact(t.value),
                        self.share(t.value),
                    ]
                )
            others = math.fsum(values.tolist()) - math.fsum(values[shown[n]].tolist())
            if len(shown[n]) < len(values):
                table.append([f"  … {len(values) - len(shown[n])} others", "", compact(others), self.share(others)])
        return table

    def largest(self) -> list[list[int]]:
        """The terms to print of each path, largest first; all of them in their order if there are few."""
        if sum(map(len, self.values)) <= self.limit:
            return [list(range(len(values))) for values in self.values]
        everything = sorted((-abs(v), n, i) for n, values in enumerate(self.values) for i, v in enumerate(values.tolist()))
        shown: list[list[int]] = [[] for _ in self.values]
        for _, n, i in everything[: self.limit]:
            shown[n].append(i)
        return shown

    def share(self, value: float) -> str:
        """A part of the number in percent."""
        return f"{100 * value / self.number:.1f} %" if self.number else ""

    def verdict(self) -> str:
        """Whether the terms add up, and how much they cancel."""
        count = sum(map(len, self.values))
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        told = f"{self.what}{place} = {compact(self.number)}. {count} term{'s' * (count != 1)} add up to "
        told += "it, to rounding." if self.ok else f"{self.sum:.10g}, not to {self.number:.10g}."
        if self.ok and self.size > 10 * abs(self.number):
            told += f" They cancel: their sizes add up to {compact(self.size)}."
        return told

    def markdown(self) -> str:
        """The table in Markdown."""
        return markdown_table(self.cells())

    def _repr_markdown_(self) -> str:
        return f"{self.markdown()}\n\n{self.verdict()}"

    def __str__(self) -> str:
        return f"{text_table(self.cells())}\n\n{self.verdict()}"

    __repr__ = __str__


def compact(x: float) -> str:
    """A number in four digits."""
    return f"{x:.4g}"
