"""A Symbol is a value of which only the shape and the dtype are known: rules that are read with Symbols write statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..errors import TensorTypeError, TraceError
from ..graph import origin, place
from ..operand import Operand
from ..primitive import TABLE, Primitive

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["Symbol", "Valueless", "refuse"]


class Valueless(Operand):
    """An operand without numbers: what only a number can answer is refused, with the line that asks."""

    __slots__ = ()
    _valueless = True

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.prod(self.shape, dtype=int))

    def __len__(self) -> int:
        if not self.shape:
            raise TensorTypeError("a value of shape () has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(len(self))])

    def __bool__(self) -> bool:
        return refuse("whether it is true decides what is computed", "np.where(condition, a, b) for both branches")

    def __float__(self) -> float:
        return refuse("its number is asked for", "the computation with the array itself")

    def __int__(self) -> int:
        return refuse("its number is asked for", "the computation with the array itself")

    def __index__(self) -> int:
        return refuse("it is to be a length or an index of a list", "x.shape for lengths, np.take(x, i) for entries")

    def __complex__(self) -> complex:
        return refuse("its number is asked for", "the computation with the array itself")

    def __contains__(self, value: Any) -> bool:
        return refuse("it is searched for a value", "np.any(x == value) inside np.where")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return refuse("its numbers are asked for as an array", "np. functions and operators, which take it as it is")

    def item(self) -> Any:
        """Refused: there is no number."""
        return refuse("its number is asked for", "the computation with the array itself")

    def tolist(self) -> Any:
        """Refused: there are no numbers."""
        return refuse("its numbers are asked for", "the computation with the array itself")

    numpy = item


class Symbol(Valueless):
    """An array that has no numbers yet: an input of a computation, a constant, or the result of an operation on others.

    It has the attributes of a node of the graph, so that the one sweep differentiates a graph of Symbols too; since its
    ``array`` is the Symbol itself, the rules are read with Symbols then. Symbols are made by a :class:`Trace` only.

    Attributes
    ----------
    shape, dtype : what is known of the value
    op, inputs, params, edges, tracked, stamp, origin : as of :class:`tinygrad_mlp.graph.Node`; constants are inputs too
    within : the trace that it belongs to
    role : of a Symbol without an operation, ``"input"``, ``"parameter"`` or ``"constant"``; else empty
    value : of a constant the array, of an input its example if there is one
    fill : the number that all entries equal, where they are known to be equal
    name : what it is to be called, as far as that is known
    weak : whether it is a Python number, which takes the dtype of the arrays beside it
    """

    __slots__ = (
        "dtype",
        "edges",
        "fill",
        "inputs",
        "name",
        "op",
        "origin",
        "params",
        "role",
        "shape",
        "stamp",
        "tracked",
        "value",
        "weak",
        "within",
    )

    extras = None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    op: Primitive | None
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    edges: tuple[tuple[int, Symbol], ...]
    tracked: bool
    stamp: int
    origin: tuple[CodeType, int] | None
    within: Trace
    role: str
    value: Any
    fill: Any
    weak: bool
    name: str

    # --- as a node of the graph -------------------------------------------------------------------------------------

    @property
    def array(self) -> Symbol:
        """What a rule is given for this value."""
        return self

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What a rule is given for the inputs."""
        return self.inputs

    @property
    def operation(self) -> Primitive:
        """The operation, of a Symbol that has one."""
        if self.op is None:
            raise TensorTypeError(f"{self!r} is no result of an operation")
        return self.op

    def operands(self) -> Iterator[Symbol]:
        """All Symbols that this one is computed from, those in an index too."""
        for x in self.inputs:
            if isinstance(x, Symbol):
                yield x
        index = self.params.get("index") if self.params else None
        for part in index if isinstance(index, tuple) else (index,):
            if isinstance(part, Symbol):
                yield part

    def require(self, check: Callable[..., None], *args: Any) -> None:
        """What is checked of the value whenever the program runs: check(array, *args) raises if it cannot be used."""
        self.within.checks.append((check, self, args))

    # --- the reading --------------------------------------------------------------------------------------------------

    @classmethod
    def _apply(cls, op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Symbol:
        return trace_of(inputs, params).apply(op, inputs, params)

    @classmethod
    def _constant(cls, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], wrap: bool = True) -> Any:
        return trace_of(args, kwargs).constant(function, args, kwargs, wrap)

    @classmethod
    def _random(cls, function: Callable[..., Any], like: Symbol, params: dict[str, Any]) -> Symbol:
        return like.within.random(function, like, params)

    def __getitem__(self, index: Any) -> Symbol:
        return self.within.apply(TABLE["getitem"], (self,), {"index": self.within.index(index)})

    def astype(self, dtype: Any) -> Symbol:
        """The value in another dtype."""
        return self.within.apply(TABLE["astype"], (self,), {"dtype": np.dtype(dtype), "copy": True, "device": None})

    def __repr__(self) -> str:
        made = f", op={self.op.name}" if self.op is not None else f", {self.role}" if self.role else ""
        return f"Symbol({self.name or '…'}, shape={self.shape}, dtype={self.dtype}{made})"


def trace_of(args: Sequence[Any], kwargs: dict[str, Any]) -> Trace:
    """The trace that the first Symbol among the arguments belongs to."""
    for x in (*args, *kwargs.values()):
        if isinstance(x, Symbol):
            return x.within
        if isinstance(x, (list, tuple)):
            for part in x:
                if isinstance(part, Symbol):
                    return part.within
    raise TensorTypeError("no symbol among the arguments")


def refuse(why: str, instead: str) -> NoReturn:
    """While a function is traced its values are not known: name the line that asks for one."""
    raise TraceError(
        f"{place(origin())}: a value is not known while the function is traced, but {why}. The program must be the same for all "
        f"values; shapes may decide. Write {instead}; for one recorded run, derive its loss: tg.derive(loss)"
    )
