"""From Symbols to straight-line NumPy: a statement for each operation, every buffer planned before the first one runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..chainrule.expression import Writer
from ..chainrule.names import Names
from ..dispatch import is_numpys
from ..kernels.shapes import Array
from ..symbols import Symbol, ancestors
from .arena import Arena, aligned

__all__ = ["Builder", "Program"]

VIEWS = ("reshape", "permute_dims", "broadcast_to", "expand_dims", "squeeze", "positive")
REDUCTIONS = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}
Env = dict[str, Any]
Make = Callable[[Env], Any]


class Program:
    """Statements with what their names mean.

    Attributes
    ----------
    source : the function's text
    bindings : how to make what each other name in it stands for, in order
    nbytes : the memory of the buffers
    """

    def __init__(self, source: str, arguments: Sequence[str], bindings: Mapping[str, Make], nbytes: int, notes: Sequence[str]) -> None:
        self.source, self.arguments, self.bindings = source, list(arguments), dict(bindings)
        self.nbytes, self.notes = nbytes, list(notes)

    def bind(self, given: Env) -> Callable[..., Any]:
        """The function, with buffers of its own, and with the given arrays in the places of parameters and gradients."""
        env: Env = dict(given)
        env["np"] = np
        env["__arena__"] = aligned(self.nbytes)
        env["__arena__"][:] = 0
        for name, make in self.bindings.items():
            env[name] = make(env)
        exec(compile(self.source, "<tinygrad_mlp.compile>", "exec"), env)  # noqa: S102  # our own text: names and numbers
        function: Callable[..., Any] = env["run"]
        return function


class Builder:
    """Collects the statements of one program.

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
        static: Mapping[Symbol, Make],
        targets: Sequence[tuple[Symbol, str, Make]],
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
        self.names.taken |= {"run", "np"}
        self.name: dict[Symbol, str] = {}
        self.lines: list[str] = []
        self.notes: list[str] = []
        self.bindings: dict[str, Make] = {}
        self.dummy: dict[Symbol, Array] = {}
        self.base: dict[Symbol, Symbol] = {}
        self.arena = Arena()
        self.space: dict[Symbol, tuple[int, int]] = {}
        self.functions: dict[str, Any] = {}
        self.transposed: dict[Symbol, str] = {}
        self.done: set[Symbol] = set()
        self.live: list[str] = []
        self.extra_row: set[Symbol] = set()
        self.owned = set(owned)
        self.placed: set[Symbol] = set()
        self.buffer: dict[Symbol, str] = {}
        self.checks: list[tuple[Callable[..., None], Symbol, tuple[Any, ...]]] = []
        self.kept: list[tuple[int, int]] = []
        self.partners: dict[Symbol, list[Symbol]] = {}
        self.position: dict[Symbol, int] = {}

        self.names.taken |= {name for name, f in vars(np).items() if callable(f) and len(name) > 2}  # values are not called like functions

    # --- names ------------------------------------------------------------------------------------------------------------

    def new_name(self, wish: str) -> str:
        """A name that is free."""
        return self.names.give(object.__new__(Symbol), wish)

    def bind(self, wish: str, make: Make) -> str:
        """A name for something that is made before the program runs."""
        name = self.new_name(wish)
        self.bindings[name] = make
        return name

    def function(self, f: Any, name: str) -> str:
        """The name of a function."""
        for known, g in self.functions.items():
            if g is f or (known == name and getattr(g, "__self__", g) is getattr(f, "__self__", f)):
                return known
        title = name if name not in self.bindings else self.new_name(name)
        self.bindings[title] = lambda env: f
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
        title = self.bind(wish.replace("-", "minus_").replace(".", "_").replace("+", ""), lambda env: array)
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
                self.transposed[x] = self.bind(f"{name}_T", lambda env: env[name].T)
            else:
                self.transposed[x] = self.new_name(f"{name}_T")
                self.lines.append(f"{self.transposed[x]} = {name}.T")
        return self.transposed[x]

    # --- values -----------------------------------------------------------------------------------------------------------

    def root(self, x: Symbol) -> Symbol:
        """The value whose memory x lies in."""
        while x.op is not None and x.op.name in (*VIEWS, "getitem") and x not in self.space and isinstance(x.inputs[0], Symbol):
            x = x.inputs[0]
        return x

    def build(self, outputs: Sequence[Symbol], result: Callable[[Builder], str], tail: Sequence[str] = ()) -> Program:
        """The program that computes the outputs and returns what ``result`` writes."""
        symbols = ancestors([*outputs, *(s for s, _, _ in self.targets)])
        self.target = {s: (wish, make) for s, wish, make in reversed(self.targets)}
        order = [s for s in symbols if s.op is not None]
        self.last: dict[Symbol, int] = {}
        self.uses: dict[Symbol, int] = {}
        for i, s in enumerate(order):
            for x in s.operands():
                self.last[self.root(x)] = i
                self.uses[x] = self.uses.get(x, 0) + 1
        for s in (*outputs, *self.target):
            self.last[self.root(s)] = len(order)
        self.position = {s: i for i, s in enumerate(order)}
        self.prepare(order)
        for s in self.arguments:
            self.name[s] = self.names.give(s, s.name or "x")
        for s in symbols:
            if s.op is None and s not in self.name and s.fill is None:
                self.leaf(s)
        self.check(None)
        for i, s in enumerate(order):
            if s not in self.done:
                self.statement(s, i)
                self.check(s)
            self.release(order, s, i)
        for s, wish, make in self.targets:
            if self.target[s] != (wish, make) or s not in self.done or not self.in_target(s):
                place = self.bind(wish, make)
                if s.fill is not None and s.fill == 0:
                    self.lines.append(f"{place}[...] = 0")
                elif self.name.get(s) != place:
                    self.lines.append(f"{self.function(np.copyto, 'copyto')}({place}, {self.text(s)})")
        for s, place in self.prefer.items():
            if self.name.get(s) != self.name[place]:
                self.lines.append(f"{self.function(np.copyto, 'copyto')}({self.name[place]}, {self.text(s)})")
        body = [*self.live, *self.lines]
        arguments = [self.name[s] for s in self.arguments]
        text = "\n".join(f"    {line}" for line in [*body, *tail, f"return {result(self)}"])
        return Program(f"def run({', '.join(arguments)}):\n{text}\n", arguments, self.bindings, self.arena.size, self.notes)

    def prepare(self, order: Sequence[Symbol]) -> None:
        """Look at the whole program before the first statement is written."""

    def check(self, s: Symbol | None) -> None:
        """What is required of a value: of the arguments before anything is computed."""
        for function, value, extra in self.checks:
            if value is s or (s is None and value.op is None):
                more = "".join(f", {x!r}" for x in extra)
                self.lines.append(f"{self.function(function, function.__name__)}({self.text(value)}{more})")

    def in_target(self, s: Symbol) -> bool:
        """Whether s was computed into the array that it was wanted in."""
        return s in self.placed

    def leaf(self, s: Symbol) -> None:
        """The name of an input that is not an argument: an array that exists, or the array that a Tensor has at the time."""
        if s in self.static:
            name = self.name[s] = self.names.give(s, s.name or self.wishes.get(s, "p"))
            self.bindings[name] = self.static[s]
            self.dummy[s] = np.empty(s.shape, s.dtype)
            self.base[s] = s
            return
        value, name = s.value, self.names.give(s, s.name or self.wishes.get(s, "c"))
        self.name[s] = name
        if isinstance(value, np.ndarray):
            self.bindings[name] = lambda env: value
            self.dummy[s] = value
        else:  # a Tensor: its value may be another one at the next call
            holder = self.bind(f"{name}_tensor", lambda env: value)
            self.live.append(f"{name} = {holder}.array")

    def release(self, order: Sequence[Symbol], s: Symbol, i: int) -> None:
        """Free the places of values that have been used for the last time."""
        for x in {self.root(x): None for x in (*s.operands(), s)}:
            if self.last.get(x, i) <= i and x in self.space:
                place = self.space.pop(x)
                if x not in self.extra_row:  # whose ones must stay
                    self.arena.give(*place)

    # --- statements ---------------------------------------------------------------------------------------------------------

    def statement(self, s: Symbol, i: int) -> None:
        """Write the statement, or bind the view, that s is."""
        op = s.op
        if op is None:
            return
        wish = self.wishes.get(s) or s.name or op.name.rpartition(".")[2]
        if s.weak:
            self.assign(s, wish)
        elif op.name == "permute_dims" and s.params["axes"] is None and isinstance(s.inputs[0], Symbol) and s.inputs[0] not in self.dummy:
            self.name[s] = self.turned(s.inputs[0])
        elif op.name in (*VIEWS, "getitem") and self.is_bound_view(s):
            x, params = s.inputs[0], s.params
            name = self.name[s] = self.names.give(s, wish if op.name != "permute_dims" else f"{self.name[x]}_T")
            source = self.name[x]
            self.bindings[name] = lambda env: op.forward(env[source], **params)
            self.dummy[s] = op.forward(self.dummy[x], **params)
        elif self.has_output(s):
            self.into_buffer(s, i, wish)
        else:
            self.assign(s, wish)
        self.done.add(s)

    def assign(self, s: Symbol, wish: str) -> None:
        """``name = expression``: NumPy makes a new array."""
        op = s.op
        assert op is not None
        writer = Writer(lambda x: self.name.get(x), self.constant)
        if not is_numpys(op.forward) and op.name not in VIEWS:
            self.function(op.forward, op.forward.__name__)
        if not op.rules and not s.inputs:  # random numbers
            generator = self.bind("rng", lambda env: s.params["rng"])
            others = ", ".join(f"{k}={writer.param(v)}" for k, v in s.params.items() if k != "rng")
            expression = f"{self.function(op.forward, op.forward.__name__)}({others}, rng={generator})"
        else:
            expression = writer.expression(s)[0]
        self.name[s] = self.names.give(s, wish)
        self.lines.append(f"{self.name[s]} = {expression}")

    def is_bound_view(self, s: Symbol) -> bool:
        """Whether s is a view of an array that is there before the program runs."""
        x = s.inputs[0]
        if not isinstance(x, Symbol) or x not in self.dummy or any(True for part in s.operands() if part is not x):
            return False
        assert s.op is not None
        if self.root(x).role == "constant":  # its numbers may be changed by whoever holds it: a view sees that, a copy does not
            return s.op.name != "getitem" and np.may_share_memory(s.op.forward(self.dummy[x], **s.params), self.dummy[x])
        return np.may_share_memory(s.op.forward(self.dummy[x], **s.params), self.dummy[x])

    def has_output(self, s: Symbol) -> bool:
        """Whether the operation can put its result into a given array."""
        op = s.op
        assert op is not None
        if s.dtype.kind not in "fciub" or any(x is None for x in s.inputs):
            return False
        if op.name in ("linear", "matmul"):
            return all(isinstance(x, Symbol) for x in s.inputs) and len(s.shape) >= 2
        if op.name in REDUCTIONS:
            return isinstance(s.inputs[0], Symbol) and s.params.get("dtype") is None
        if op.name in ("concat", "stack"):
            return True
        return isinstance(op.forward, np.ufunc) and op.forward.nout == 1 and op.forward.signature is None and not s.params

    def allocate(self, s: Symbol, i: int, wish: str) -> str:
        """A place for the result, and its name."""
        shape, dtype = s.shape, s.dtype
        if s in self.target and s not in self.placed:
            title, make = self.target[s]
            name = self.name[s] = self.names.give(s, title)
            self.bindings[name] = make
            self.dummy[s] = np.empty(shape, dtype)
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
            self.bindings[name] = lambda env: env[source]
            self.dummy[s] = self.dummy[over]
            if over in self.space:
                self.space[s] = self.space.pop(over)
            if over in self.extra_row:
                self.extra_row.add(s)
                self.buffer[s] = self.buffer[over]
            self.notes.append(f"{name}: in the place of {source}")
            return name
        columns = len(shape) == 2 and self.keeps_columns(s)
        nbytes = s.size * dtype.itemsize
        extra = columns and self.wants_row(s)
        if extra:
            nbytes += shape[0] * dtype.itemsize
            self.extra_row.add(s)
        start = self.arena.take(nbytes)
        self.space[s] = (start, nbytes)
        stored = shape[::-1] if columns else shape
        full = (stored[0] + 1, stored[1]) if extra else stored

        def make_buffer(env: Env) -> Any:
            memory = env["__arena__"][start : start + nbytes].view(dtype).reshape(full)
            if extra:
                memory[-1] = 1
            return memory

        if columns or extra:
            stored_name = self.bind(f"{name}_stored", make_buffer)
            self.buffer[s] = stored_name
            self.bindings[name] = (lambda env: env[stored_name][:-1].T) if extra else (lambda env: env[stored_name].T)
        else:
            self.bindings[name] = make_buffer
        self.dummy[s] = np.empty(stored, dtype).T if columns else np.empty(shape, dtype)
        self.notes.append(f"{name}: {shape} {dtype}, bytes {start} to {start + nbytes}")
        return name

    def keeps_columns(self, s: Symbol) -> bool:
        """Whether a matrix is stored column by column."""
        assert s.op is not None
        if s.op.name in ("linear", "matmul"):
            return self.columns(s.shape)
        alike = [x for x in s.inputs if isinstance(x, Symbol) and x.shape == s.shape and x in self.dummy]
        return bool(alike) and all(self.dummy[x].flags.f_contiguous and not self.dummy[x].flags.c_contiguous for x in alike)

    def wants_row(self, s: Symbol) -> bool:
        """Whether a row of ones beside the value saves the additions of a bias."""
        return False

    def overwritten(self, s: Symbol, i: int) -> Symbol | None:
        """An operand that is read here for the last time and whose place the result can take."""
        op = s.op
        assert op is not None
        if not isinstance(op.forward, np.ufunc) or op.name == "matmul":
            return None
        wanted = self.prefer.get(s)
        candidates = [x for x in s.inputs if isinstance(x, Symbol) and x.shape == s.shape and x.dtype == s.dtype]
        for x in sorted(candidates, key=lambda x: x is not wanted):
            owned = x in self.space or x in self.owned
            if owned and self.last[x] <= i and not any(self.root(y) is x and y is not x for y in s.operands()):
                return x
        return None

    def into_buffer(self, s: Symbol, i: int, wish: str) -> None:
        """A statement that writes into a buffer."""
        op = s.op
        assert op is not None
        if op.name in ("linear", "matmul"):
            self.product(s, i, wish)
            return
        if op.name in REDUCTIONS:
            self.reduction(s, i, wish)
            return
        floats = {x.dtype for x in s.inputs if isinstance(x, Symbol) and not x.weak and x.fill is None}
        dtype = next(iter(floats)) if len(floats) == 1 else None
        inputs = [self.text(x, dtype if is_weak_number(x, dtype) else None) for x in s.inputs]
        out = self.allocate(s, i, wish)
        if op.variadic:
            f = np.concatenate if op.name == "concat" else np.stack
            self.lines.append(f"{self.function(f, f.__name__)}([{', '.join(inputs)}], axis={s.params['axis']}, out={out})")
            return
        self.lines.append(f"{self.function(op.forward, op.forward.__name__)}({', '.join(inputs)}, {out})")

    def product(self, s: Symbol, i: int, wish: str) -> None:
        """A matrix product; with a bias it is added in place."""
        x, w = s.inputs[:2]
        names = self.text(x), self.text(w)
        out = self.allocate(s, i, wish)
        flags = self.dummy[s].flags
        plain = self.reorder and all(len(v.shape) == 2 for v in (x, w, s)) and all(v.fill is None for v in (x, w))
        if plain and flags.f_contiguous and not flags.c_contiguous:
            self.lines.append(f"{self.dot(w, turned=True)}({self.turned(x)}, {self.turned(s)})")
        elif plain and flags.c_contiguous:
            self.lines.append(f"{self.dot(x)}({names[1]}, {out})")
        else:
            self.lines.append(f"{self.function(np.matmul, 'matmul')}({names[0]}, {names[1]}, {out})")
        if len(s.inputs) == 3:
            self.lines.append(f"{self.function(np.add, 'add')}({out}, {self.text(s.inputs[2])}, {out})")

    def dot(self, x: Symbol, turned: bool = False) -> str:
        """The method ``dot`` of x or x.T, which costs less than a call of np.matmul."""
        name = self.turned(x) if turned else self.text(x)
        if not self.is_fixed(x):
            return f"{name}.dot"
        method = f"{name}_dot"
        if method not in self.bindings:
            self.bindings[method] = lambda env: env[name].dot
            self.names.taken.add(method)
        return method

    def is_fixed(self, x: Symbol) -> bool:
        """Whether the name of x means the same array at every call."""
        return x in self.dummy

    def reduction(self, s: Symbol, i: int, wish: str) -> None:
        """A sum, a product or an extremum over axes."""
        op, x = s.op, s.inputs[0]
        assert op is not None
        axis, keepdims = s.params["axis"], s.params["keepdims"]
        source = self.text(x)
        if axis is not None:
            axes = tuple(sorted(a % len(x.shape) for a in (axis if isinstance(axis, tuple) else (axis,))))
            axis = axes[0] if len(axes) == 1 else axes
        ufunc = REDUCTIONS[op.name]
        if self.reorder and op.name == "sum" and x in self.dummy and len(x.shape) == 2 and axis in (0, 1) and x.dtype.kind == "f" and x.size:
            out = self.allocate(s, i, wish)
            flat = self.bind(f"{out}_flat", lambda env: env[out].reshape(-1)) if keepdims else out
            ones = self.ones(x.shape[axis], x.dtype)
            self.lines.append(f"{self.dot(x, turned=axis == 0)}({ones}, {flat})")
            return
        out = self.allocate(s, i, wish)
        keep = ", True" if keepdims else ""
        f = f"{ufunc.__name__}_reduce"
        self.bindings.setdefault(f, lambda env: ufunc.reduce)
        self.lines.append(f"{f}({source}, {axis}, None, {out}{keep})")


def is_weak_number(x: Any, dtype: Any) -> bool:
    """Whether a number beside arrays of that dtype can be an array of it: Python's numbers, and constants of the same dtype."""
    if isinstance(x, Symbol):
        return x.fill is not None and not x.shape and x.dtype == dtype
    return type(x) in (int, float)
