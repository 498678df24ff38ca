"""A trace: the operations of one computation on Symbols, each different one once, simplified as it is written down."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..dispatch import name_of, plain_part
from ..errors import TraceError, UnsupportedError
from ..graph import Node, between, origin, topological
from ..kernels.shapes import Array
from ..modes import MODES, is_recording
from ..passthrough import INSPECTING_FUNCTIONS
from ..primitive import TABLE, Primitive
from ..sweep import sweep
from ..values import NUMBERS, plain
from .infer import result_of
from .simplify import simplified
from .symbol import Symbol, refuse
from .variables import kernel_variable

__all__ = ["Trace", "ancestors", "constant_primitive"]

ABOUT_VALUES = {np.array_equal, np.array_equiv, np.allclose, np.array_repr, np.array_str, np.array2string}
FILLED = {np.zeros_like: 0, np.ones_like: 1, np.empty_like: 0}
OF_UNKNOWN_LENGTH = {np.nonzero, np.flatnonzero, np.argwhere}
CONSTANT_PRIMITIVES: dict[tuple[Any, ...], Primitive] = {}
"""The primitives that stand for NumPy's functions without derivative, such as ``np.greater``."""


def constant_primitive(function: Callable[..., Any], arity: int, params: Iterable[str]) -> Primitive:
    """The entry, outside of the table, for a function without derivative."""
    key = (function, arity, tuple(params))
    if key not in CONSTANT_PRIMITIVES:
        CONSTANT_PRIMITIVES[key] = Primitive(name_of(function), function, (None,) * arity, dict.fromkeys(key[2], ...))
    return CONSTANT_PRIMITIVES[key]


def as_array(x: float, *, dtype: Any) -> Array:
    """A number as an array of shape ()."""
    return np.asarray(x, dtype)


ARITHMETIC = {"add", "subtract", "multiply", "divide", "floor_divide", "remainder", "pow", "negative", "positive", "abs"}
"""Python's operators on numbers, which give numbers."""

TAKE_NUMBERS = {"as_array", "cross_entropy_dx"}
"""Operations that take a Python number as such, besides the elementwise ones."""

AS_ARRAY = Primitive("as_array", as_array, (lambda g, z, x, *, dtype: g,), {"dtype": ...})


class Trace:
    """What has been computed with Symbols.

    Parameters
    ----------
    inline : which primitives are taken apart: their forward functions, plain NumPy, are read with Symbols as well
    forms : other forward functions for some of them, in plain NumPy
    swap : primitives in place of others
    merge : whether equal operations that gradients flow through are one, and those that change nothing are none; then gradients are
        added up in another order than the engine's
    rewrite : rewrite(trace, op, inputs, params, shape, dtype), another Symbol for an operation, or None

    Attributes
    ----------
    symbols : all of them, in the order of their making
    quiet : those that were computed where NumPy's warnings are switched off
    """

    def __init__(
        self,
        inline: Callable[[Primitive], bool] = lambda op: False,
        forms: Mapping[str, Callable[..., Any]] | None = None,
        rewrite: Callable[..., Symbol | None] = lambda *_: None,
        swap: Mapping[Primitive, Primitive] | None = None,
        merge: bool = True,
    ) -> None:
        self.merge = merge
        self.inline, self.forms, self.rewrite, self.swap = inline, forms or {}, rewrite, swap or {}
        self.symbols: list[Symbol] = []
        self.known: dict[Any, Symbol] = {}
        self.of_tensor: dict[Node, Symbol] = {}
        self.of_array: dict[int, Symbol] = {}
        self.clock = itertools.count(1)
        self.inlining = 0
        self.modes: list[tuple[Any, bool]] = []
        self.quiet: set[Symbol] = set()
        self.checks: list[tuple[Callable[..., None], Symbol, tuple[Any, ...]]] = []

    def forget(self) -> None:
        """Let go of all Symbols: they refer to their trace, so nothing would be freed before the cycle collector runs."""
        for table in (self.known, self.of_tensor, self.of_array):
            table.clear()
        self.symbols.clear()

    # --- Symbols without an operation ---------------------------------------------------------------------------------

    def leaf(
        self, shape: tuple[int, ...], dtype: Any, role: str, value: Any = None, name: str = "", tracked: bool = False
    ) -> Symbol:
        """A new input, parameter or constant."""
        symbol = object.__new__(Symbol)
        symbol.shape, symbol.dtype, symbol.role, symbol.value, symbol.name = tuple(shape), np.dtype(dtype), role, value, name
        symbol.op, symbol.inputs, symbol.params, symbol.edges, symbol.tracked = None, (), {}, (), tracked
        symbol.stamp, symbol.origin, symbol.within, symbol.fill = next(self.clock), None, self, None
        symbol.weak = False
        self.symbols.append(symbol)
        return symbol

    def scalar(self, name: str, dtype: Any, role: str = "scalar") -> Symbol:
        """A Python number that the program is given: the optimiser's, or as an argument (role ``"input"``)."""
        symbol = self.leaf((), dtype, role, name=name)
        symbol.weak = True
        return symbol

    def full(self, shape: tuple[int, ...], fill: Any, dtype: Any) -> Symbol:
        """An array of equal entries."""
        dtype = np.dtype(dtype)
        number = dtype.type(fill)
        key = ("full", tuple(shape), dtype.str, number.tobytes())
        if key not in self.known:
            self.known[key] = self.leaf(shape, dtype, "constant")
            self.known[key].fill = number
        return self.known[key]

    def array(self, x: Array) -> Symbol:
        """The constant that an array is; the same array gives the same one."""
        if id(x) not in self.of_array:
            self.of_array[id(x)] = self.leaf(
                x.shape, x.dtype, "constant", x
            )  # the Symbol keeps x alive, so that its id stays its own
        return self.of_array[id(x)]

    def tensor(self, x: Node) -> Symbol:
        """A Tensor: a parameter or a constant; a computed one with all that it was computed from."""
        if x in self.of_tensor:
            return self.of_tensor[x]
        nodes = sorted(topological(x), key=lambda node: node.stamp) if x.op is not None else [x]
        for node in nodes:
            if node in self.of_tensor:
                continue
            if node.op is None:
                role = "parameter" if node.tracked else "constant"
                self.of_tensor[node] = self.leaf(node.array.shape, node.array.dtype, role, node, tracked=node.tracked)
                continue
            found = self.apply(node.op, [self.recorded(node, i) for i in range(len(node.inputs))], node.params)
            self.of_tensor[node] = found
            if found.origin is None or found.op is not None:
                found.origin = node.origin
        return self.of_tensor[x]

    def recorded(self, node: Node, i: int) -> Any:
        """The i-th input of a node of a recorded graph: of arrays that were copied, the user's own one names the constant."""
        x, array = node.inputs[i], (node.arrays or ())[i]
        if isinstance(x, Node):
            return self.tensor(x)
        if isinstance(x, np.ndarray) and isinstance(array, np.ndarray) and x is not array:
            symbol = self.array(x)
            symbol.value = array
            return symbol
        return array

    # --- operations ---------------------------------------------------------------------------------------------------

    def lift(self, op: Primitive, x: Any) -> Any:
        """An operand as a Symbol; numbers stay numbers."""
        if isinstance(x, Symbol):
            if x.within is not self:
                raise TraceError(f"{op.name}() got a value of another traced function: return it from that one, and pass it in")
            return x
        if isinstance(x, Node):
            return self.tensor(x)
        if isinstance(x, np.ndarray):
            return self.array(x)
        if x is None or type(x) in NUMBERS or isinstance(x, np.generic):
            return x
        x = plain(op, x)
        return self.array(x) if isinstance(x, np.ndarray) else x

    def apply(self, op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Symbol:
        """The Symbol of op(*inputs, **params): one that exists, a simpler one, or a new one."""
        inputs = tuple(self.lift(op, x) for x in inputs)
        if op.real:
            op.refuse_complex(inputs)
        op = self.swap.get(op, op)
        if not op.elementwise and op.name not in TAKE_NUMBERS:
            inputs = tuple(self.as_array(x) if isinstance(x, Symbol) and x.weak else x for x in inputs)
        if self.inline(op):
            self.inlining += 1
            try:
                return self.forms.get(op.name, op.forward)(*inputs, **params)  # type: ignore[no-any-return]  # a Symbol, as it was given Symbols
            finally:
                self.inlining -= 1
        edges = tuple((i, x) for i, x in enumerate(inputs) if isinstance(x, Symbol) and x.tracked) if is_recording() else ()
        key = (op, bool(edges), *map(identity, ordered(op, inputs)), *((name, identity(p)) for name, p in params.items()))
        if key in self.known and (self.merge or not edges):
            return self.known[key]
        shape, dtype = result_of(op, inputs, {n: self.sample_index(p) if n == "index" else p for n, p in params.items()})
        symbol = None
        if self.merge or not edges:  # else x.copy() stays a value of its own: gradients are added up at each value, in its order
            symbol = simplified(self, op, inputs, params, shape, dtype)
            if symbol is None:
                symbol = self.rewrite(self, op, inputs, params, shape, dtype)
        if symbol is None or (symbol.tracked and not edges):
            symbol = self.new(op, inputs, params, shape, dtype, edges)
        self.known[key] = symbol
        return symbol

    def as_array(self, x: Symbol) -> Symbol:
        """A Python number as an array of the dtype that it stands for."""
        return self.apply(AS_ARRAY, (x,), {"dtype": x.dtype})

    def new(
        self,
        op: Primitive,
        inputs: tuple[Any, ...],
        params: dict[str, Any],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        edges: tuple[tuple[int, Symbol], ...],
    ) -> Symbol:
        """A new Symbol, the result of an operation."""
        symbol = self.leaf(shape, dtype, "")
        symbol.op, symbol.inputs, symbol.params, symbol.origin = op, inputs, params, origin()
        symbol.name = kernel_variable() if self.inlining else ""
        symbol.edges = edges if dtype.kind in "fc" else ()
        symbol.tracked = bool(symbol.edges)
        if np.geterr()["divide"] == "ignore":
            self.quiet.add(symbol)
        weak = [x for x in inputs if isinstance(x, Symbol)]
        if weak and op.name in ARITHMETIC and all(x.weak for x in weak):  # np.sqrt of a Python number is NumPy's float64
            symbol.weak, symbol.dtype = True, weak[0].dtype if weak[0].dtype.kind == dtype.kind else dtype  # 1 / 2 is a float
        return symbol

    def constant(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], wrap: bool) -> Any:
        """The result of a function without derivative."""
        if function in ABOUT_VALUES or function in OF_UNKNOWN_LENGTH:
            return refuse(f"{name_of(function)} depends on it", "np.where, whose shape does not depend on values")
        if function in FILLED:
            shape = args[0].shape if kwargs.get("shape") is None else kwargs["shape"]
            return self.full(shape, FILLED[function], kwargs.get("dtype") or args[0].dtype)
        if function in INSPECTING_FUNCTIONS:
            return function(*[sample(x) for x in args], **kwargs)
        inputs = tuple(self.lift(TABLE["positive"], x) for x in args)
        params = {name: x for name, x in kwargs.items() if x is not None}
        if any(isinstance(x, Symbol) for x in params.values()):
            raise UnsupportedError(f"{name_of(function)} takes its arrays by position while a function is traced")
        op = constant_primitive(function, len(inputs), params)
        key = (op, False, *map(identity, inputs), *((name, identity(p)) for name, p in params.items()))
        if key not in self.known:
            shape, dtype = result_of(op, inputs, params)
            symbol = simplified(self, op, inputs, params, shape, dtype)
            self.known[key] = self.new(op, inputs, params, shape, dtype, ()) if symbol is None else symbol
        return self.known[key]

    def random(self, function: Callable[..., Any], like: Symbol, params: dict[str, Any]) -> Symbol:
        """Random numbers of like's shape and dtype, new ones whenever the program runs."""
        full = {"shape": like.shape, "dtype": like.dtype, **params}
        return self.new(Primitive(function.__name__, function, (), full), (), full, like.shape, like.dtype, ())

    def detached(self, x: Symbol) -> Symbol:
        """The same value as a constant."""
        return self.new(TABLE["positive"], (x,), {}, x.shape, x.dtype, ()) if x.tracked else x

    def index(self, index: Any, written: bool = False) -> Any:
        """An index with Symbols in it; lists of numbers as arrays. Where it is written to, the rule looks at the numbers."""
        if isinstance(index, tuple):
            return tuple(self.index(part, written) for part in index)
        if not isinstance(index, Symbol):
            part = plain_part(index)
            numbers = isinstance(part, np.ndarray) and part.dtype.kind in "iu" and MODES.get().tracer is not None and not written
            return self.array(part) if numbers else part
        if index.dtype.kind == "b":
            return refuse("it picks entries: how many, depends on it", "np.where(mask, x, 0)")
        return index

    def sample_index(self, index: Any) -> Any:
        """An index of the same shape with numbers in it."""
        if isinstance(index, tuple):
            return tuple(self.sample_index(part) for part in index)
        return np.zeros(index.shape, int) if isinstance(index, Symbol) else index

    # --- gradients ----------------------------------------------------------------------------------------------------

    def adjoints(self, y: Symbol, wrt: Sequence[Symbol], seed: Symbol | None = None) -> dict[Symbol, Symbol]:
        """The explicit chain rule: ∂y/∂x for each x of wrt, and for every value on the way there that y depends on.

        The rules are read with Symbols, by the one sweep.
        """
        root: Any = y
        targets: Any = list(wrt)
        start = self.full(y.shape, 1, y.dtype) if seed is None else seed
        path = between(root, targets) if y.tracked else {}
        found: Any = sweep(root, start, dict.fromkeys(path, True), create_graph=True) if path else {}
        return dict(found) | {x: self.full(x.shape, 0, x.dtype) for x in wrt if x not in found}

    def replayed(
        self, symbols: Iterable[Symbol], instead: Mapping[Symbol, tuple[tuple[int, ...], Any, str]] | None = None
    ) -> dict[Symbol, Symbol]:
        """The given Symbols of another trace, in the order of their making, done again in this one: its primitives may be inlined.

        ``instead`` are Symbols that become inputs here, with their shape, dtype and name.
        """
        found = {old: self.leaf(*made[:2], "parameter", name=made[2]) for old, made in (instead or {}).items()}
        for old in symbols:
            if old.op is None:
                new = self.full(old.shape, old.fill, old.dtype) if old.fill is not None else self.leaf(
                    old.shape, old.dtype, old.role, old.value, old.name, old.tracked
                )  # fmt: skip
                new.weak = old.weak
            elif old.inputs or not old.params:
                inputs = [found[x] if isinstance(x, Symbol) else x for x in old.inputs]
                params = {name: moved(p, found) for name, p in old.params.items()}
                new = self.apply(old.op, inputs, params)
            else:
                new = self.new(old.op, (), old.params, old.shape, old.dtype, ())
            if new.op is not None:
                new.origin, new.name = old.origin, new.name or old.name
            found[old] = new
        return found


def moved(param: Any, found: dict[Symbol, Symbol]) -> Any:
    """A parameter with the new Symbols in place of the old ones."""
    if isinstance(param, tuple):
        return tuple(moved(part, found) for part in param)
    return found[param] if isinstance(param, Symbol) else param


def sample(x: Any) -> Any:
    """An array of the shape and dtype of a Symbol."""
    return np.broadcast_to(np.ones((), x.dtype), x.shape) if isinstance(x, Symbol) else x


def ordered(op: Primitive, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands of a sum or a product in one order, so that a + b and b + a are one: they are equal to the last bit."""
    if op.name not in ("add", "multiply") or not all(isinstance(x, Symbol) for x in inputs):
        return inputs
    return tuple(sorted(inputs, key=lambda x: x.stamp))


def identity(x: Any) -> Any:
    """What tells an operand or a parameter from others."""
    if isinstance(x, (Symbol, Primitive)) or callable(x):
        return x
    if isinstance(x, np.ndarray):
        return ("array", x.shape, x.dtype.str, x.tobytes())
    if isinstance(x, (tuple, list)):
        return tuple(identity(part) for part in x)
    if isinstance(x, slice):
        return ("slice", identity(x.start), identity(x.stop), identity(x.step))
    return (type(x), repr(x))


def ancestors(roots: Iterable[Symbol]) -> list[Symbol]:
    """The Symbols that the given ones are computed from, and they themselves, in the order of their making."""
    seen: dict[Symbol, None] = {}
    stack = list(roots)
    while stack:
        symbol = stack.pop()
        if symbol not in seen:
            seen[symbol] = None
            stack.extend(symbol.operands())
    return sorted(seen, key=lambda symbol: symbol.stamp)
