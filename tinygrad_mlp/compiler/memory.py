"""Names and places: what every value of a program is called, and where it lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..chainrule.expression import Writer
from ..chainrule.names import Names
from ..kernels.shapes import Array
from ..symbols import Symbol
from .arena import Arena
from .program import Binding, in_arena, instead, lookup, same, transpose

__all__ = ["VIEWS", "Memory"]

VIEWS = ("reshape", "permute_dims", "broadcast_to", "expand_dims", "squeeze", "positive")
"""Operations whose result is a view of their operand, where NumPy can give one."""

NEW = ("sum", "prod", "max", "min", "concat", "stack", "linear", "matmul")
"""Operations of one array, other than ufuncs, whose result is a new one."""

FUNCTIONS = {name for name, f in vars(np).items() if callable(f) and len(name) > 2} | {"run", "np"}
"""What no value is called."""


class Memory:
    """The names, the places and the lines of one program while it is written.

    A value is computed into an array of the program's one block of memory, into an existing array (a gradient), or, where NumPy
    cannot write into a given array, into a new one in each call. An elementwise result takes the place of an operand that
    nobody reads afterwards.

    Parameters
    ----------
    arguments : the Symbols that are given with each call
    static : Symbols that live in arrays which exist already, and how to find those
    targets : Symbols whose values are to be put into existing arrays, and how to find those
    prefer : Symbols that are best computed into the place of another one (the new value of a parameter)
    owned : arguments whose arrays may be written into once they have been read for the last time
    reorder : whether sums may be taken in another order where that is faster
    """

    def __init__(
        self,
        arguments: Sequence[Symbol],
        static: Mapping[Symbol, Binding],
        targets: Sequence[tuple[Symbol, str, Binding]],
        *,
        wishes: Mapping[Symbol, str] | None = None,
        prefer: Mapping[Symbol, Symbol] | None = None,
        reorder: bool = False,
        columns: Callable[[tuple[int, ...]], bool] = lambda shape: False,
        owned: Sequence[Symbol] = (),
    ) -> None:
        self.arguments, self.static, self.targets = arguments, static, targets
        self.wishes, self.prefer, self.reorder, self.columns = wishes or {}, prefer or {}, reorder, columns
        self.names = Names()
        self.names.taken |= FUNCTIONS
        self.name: dict[Symbol, str] = {}
        self.lines: list[str] = []
        self.notes: list[str] = []
        self.bindings: dict[str, Binding] = {}
        self.dummy: dict[Symbol, Array] = {}
        self.arena = Arena()
        self.space: dict[Symbol, tuple[int, int]] = {}
        self.functions: dict[str, Any] = {}
        self.methods: dict[str, str] = {}
        self.quiet: set[Symbol] = set()
        self.transposed: dict[Symbol, str] = {}
        self.done: set[Symbol] = set()
        self.live: list[str] = []
        self.with_row: dict[Symbol, str] = {}  # values that have a row of ones beside them, and the name of the whole
        self.owned = set(owned)
        self.placed: set[Symbol] = set()
        self.checks: list[tuple[Callable[..., None], Symbol, tuple[Any, ...]]] = []
        self.partners: dict[Symbol, list[Symbol]] = {}
        self.position: dict[Symbol, int] = {}
        self.untouched = np.empty(0, np.uint8)
        self.target: dict[Symbol, tuple[str, Binding]] = {}
        self.last: dict[Symbol, int] = {}
        self.uses: dict[Symbol, int] = {}

    def new_name(self, wish: str) -> str:
        """A name that is free."""
        return self.names.give(object.__new__(Symbol), wish)

    def bind(self, wish: str, binding: Binding) -> str:
        """A name for something that is made before the program runs."""
        name = self.new_name(wish)
        self.bindings[name] = binding
        return name

    def method(self, wish: str, binding: Binding) -> str:
        """The name of a bound method; the user may have a value of the wished-for name."""
        if wish not in self.methods:
            self.methods[wish] = self.bind(wish, binding)
        return self.methods[wish]

    def function(self, f: Any, name: str) -> str:
        """The name of a function."""
        for known, g in self.functions.items():
            if g is f or (known == name and getattr(g, "__self__", g) is getattr(f, "__self__", f)):
                return known
        title = name if name not in self.bindings and name not in self.name.values() else self.new_name(name)
        self.bindings[title] = same(f)
        self.functions[title] = f
        self.names.taken.add(title)
        return title

    def text(self, x: Any, dtype: np.dtype[Any] | None = None) -> str:
        """An operand: the name of a value; a number, as an array of shape () where the dtype is known (calls are faster then)."""
        if isinstance(x, Symbol) and x.fill is None:
            return self.name[x]
        value = x.fill if isinstance(x, Symbol) else x
        if isinstance(x, Symbol) and x.shape:
            return self.constant(np.full(x.shape, value, x.dtype))
        if dtype is not None and dtype.kind == "f" and isinstance(value, (int, float, np.floating)) and not isinstance(value, bool):
            return self.constant(np.array(value, dtype))
        return Writer(lambda s: None, self.constant).number(value)[0]

    def constant(self, array: Any) -> str:
        """The name of an array of numbers."""
        key = ("constant", array.shape, array.dtype.str, array.tobytes())
        for title, g in self.functions.items():
            if g == key:
                return title
        wish = f"number_{array.item():g}" if not array.shape else "ones" if array.ndim == 1 and (array == 1).all() else "constant"
        title = self.bind(wish.replace("-", "minus_").replace("+", ""), same(array))
        self.functions[title] = key
        return title

    def ones(self, n: int, dtype: np.dtype[Any]) -> str:
        """A vector of ones, with which a product is a sum."""
        return self.constant(np.ones(n, dtype))

    def turned(self, x: Symbol) -> str:
        """The name of x.T."""
        if x.op is not None and x.op.name == "permute_dims" and x.params["axes"] is None and x.inputs[0] in self.name:
            return self.name[x.inputs[0]]
        if x not in self.transposed:
            name = self.name[x]
            if self.is_fixed(x):
                self.transposed[x] = self.bind(f"{name}_T", transpose(name))
            else:
                self.transposed[x] = self.new_name(f"{name}_T")
                self.lines.append(f"{self.transposed[x]} = {name}.T")
        return self.transposed[x]

    def is_fixed(self, x: Symbol) -> bool:
        """Whether the name of x means the same array at every call."""
        return x in self.dummy

    def blank(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array that stands for a value while its strides and views are planned; all lie in one place, which nobody touches."""
        nbytes = int(np.prod(shape, dtype=int)) * dtype.itemsize
        if nbytes > self.untouched.nbytes:
            self.untouched = np.empty(2 * nbytes, np.uint8)
        return self.untouched[:nbytes].view(dtype).reshape(shape)

    def dtype_name(self, s: Symbol) -> str:
        """The name of a dtype."""
        return self.function(s.dtype.type, f"{s.dtype.name}_")

    def root(self, x: Symbol) -> Symbol:
        """The value whose memory x lies in."""
        while x not in self.space and may_be_view(x):
            x = x.inputs[0]
        return x

    def note_use(self, x: Symbol, i: int) -> None:
        """x, and whatever it may be a view of, is read in statement i."""
        self.last[x] = i
        while may_be_view(x):
            x = x.inputs[0]
            self.last[x] = i

    def allocate(self, s: Symbol, i: int, wish: str) -> str:
        """A place for the result, and its name."""
        shape, dtype = s.shape, s.dtype
        if s in self.target and s not in self.placed:
            title, binding = self.target[s]
            name = self.name[s] = self.names.give(s, title)
            self.bindings[name] = binding
            self.dummy[s] = self.blank(shape, dtype)
            self.placed.add(s)
            return name
        over = self.overwritten(s, i)
        if over is not None and over in self.owned:
            self.owned.discard(over)
            self.owned.add(s)
            self.name[s] = self.name[over]
            return self.name[s]
        name = self.name[s] = self.names.give(s, wish)
        if over is not None:
            source = self.name[over]
            if over in self.with_row:
                self.with_row[s] = self.bind(f"{name}_stored", instead(lookup(self.with_row[over])))
                self.bindings[name] = transpose(self.with_row[s], without_last=True)
            else:
                self.bindings[name] = instead(lookup(source))
            self.dummy[s] = self.dummy[over]
            if over in self.space:
                self.space[s] = self.space.pop(over)
            self.notes.append(f"{name}: in the place of {source}")
            return name
        columns = len(shape) == 2 and self.keeps_columns(s)
        nbytes = s.size * dtype.itemsize
        extra = columns and self.wants_row(s)
        if extra:
            nbytes += shape[0] * dtype.itemsize
        start = self.arena.take(nbytes, lasting=extra)
        self.space[s] = (start, nbytes)
        stored = shape[::-1] if columns else shape
        buffer = in_arena(start, (stored[0] + 1, stored[1]) if extra else stored, dtype, extra)
        if columns:
            whole = self.bind(f"{name}_stored", buffer)
            self.bindings[name] = transpose(whole, without_last=extra)
            if extra:
                self.with_row[s] = whole
        else:
            self.bindings[name] = buffer
        self.dummy[s] = self.blank(stored, dtype).T if columns else self.blank(shape, dtype)
        self.notes.append(f"{name}: {shape} {dtype}, bytes {start} to {start + nbytes}")
        return name

    def keeps_columns(self, s: Symbol) -> bool:
        """Whether a matrix is stored column by column."""
        if s.operation.name in ("linear", "matmul"):
            return self.columns(s.shape)
        alike = [x for x in s.inputs if isinstance(x, Symbol) and x.shape == s.shape and x in self.dummy]
        return bool(alike) and all(self.dummy[x].flags.f_contiguous and not self.dummy[x].flags.c_contiguous for x in alike)

    def wants_row(self, s: Symbol) -> bool:
        """Whether a row of ones beside the value saves the additions of a bias."""
        return False

    def overwritten(self, s: Symbol, i: int) -> Symbol | None:
        """An operand that is read here for the last time and whose place the result can take."""
        op = s.operation
        if not isinstance(op.forward, np.ufunc) or op.name == "matmul":
            return None
        wanted = self.prefer.get(s)
        candidates = [x for x in s.inputs if isinstance(x, Symbol) and x.shape == s.shape and x.dtype == s.dtype]
        for x in sorted(candidates, key=lambda x: x is not wanted):
            owned = x in self.space or x in self.owned
            if owned and self.last[x] <= i and not any(self.root(y) is x and y is not x for y in s.operands()):
                return x
        return None

    def release(self, order: Sequence[Symbol], s: Symbol, i: int) -> None:
        """Free the places of values that have been used for the last time."""
        for x in {self.root(x): None for x in (*s.operands(), s)}:
            if self.last.get(x, i) <= i and x in self.space:
                self.arena.give(*self.space.pop(x))


def may_be_view(x: Symbol) -> bool:
    """Whether x may lie in the memory of its operand: z.real and np.diagonal(z) do. What is not known to make a new array may."""
    op = x.op
    if op is None or not x.inputs or not isinstance(x.inputs[0], Symbol):
        return False
    if op.name in (*VIEWS, "getitem"):
        return True
    alone = sum(isinstance(y, Symbol) for y in x.inputs) == 1
    return alone and not isinstance(op.forward, np.ufunc) and op.name not in NEW
