"""From Symbols to straight-line NumPy: a statement for each operation, every buffer planned before the first one runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..chainrule.expression import Writer, helper_name
from ..kernels.shapes import reduced
from ..symbols import Symbol, ancestors
from .memory import VIEWS, Memory
from .program import Binding, Program, bound, flattened, same

__all__ = ["Builder"]

REDUCTIONS = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}


class Builder(Memory):
    """Writes the statements of one program."""

    def build(
        self, outputs: Sequence[Symbol], result: Callable[[Builder], str], tail: Callable[[], Sequence[str]] = lambda: ()
    ) -> Program:
        """The program that computes the outputs and returns what ``result`` writes."""
        symbols = ancestors([*outputs, *(s for s, _, _ in self.targets)])
        self.target = {s: (wish, binding) for s, wish, binding in reversed(self.targets)}
        order = [s for s in symbols if s.op is not None]
        self.uses = dict.fromkeys(symbols, 0)
        for i, s in enumerate(order):
            for x in s.operands():
                self.note_use(x, i)
                self.uses[x] += 1
        for s in (*outputs, *self.target):
            self.note_use(s, len(order))
        self.position = {s: i for i, s in enumerate(order)}
        self.prepare(order)
        for s in self.arguments:
            self.name[s] = self.names.give(s, s.name or "x")
        arguments = [self.name[s] for s in self.arguments]
        for s in symbols:
            if s.op is None and s not in self.name and s.fill is None:
                self.leaf(s)
        self.check(None)
        for i, s in enumerate(order):
            if s not in self.done:
                start = len(self.lines)
                self.statement(s, i)
                if s in self.quiet and len(self.lines) > start:  # computed without NumPy's warnings
                    quiet = f'with {self.function(np.errstate, "errstate")}(divide="ignore", invalid="ignore", over="ignore"):'
                    self.lines[start:] = [quiet, *(f"    {line}" for line in self.lines[start:])]
                self.check(s)
            self.release(order, s, i)
        for s, wish, binding in self.targets:
            if self.target[s] != (wish, binding) or s not in self.done or s not in self.placed:
                place = self.bind(wish, binding)
                if s.fill is not None and s.fill == 0:
                    self.lines.append(f"{place}[...] = 0")
                elif self.name.get(s) != place:
                    self.lines.append(f"{self.function(np.copyto, 'copyto')}({place}, {self.text(s)})")
        moves = {self.name[wanted]: self.text(s) for s, wanted in self.prefer.items() if self.name.get(s) != self.name[wanted]}
        for place, value in moves.items():
            if value in moves:  # it is written over as well
                moves[place] = self.new_name(f"old_{value}")
                self.lines.append(f"{moves[place]} = {value}.copy()")
        self.lines += [f"{self.function(np.copyto, 'copyto')}({place}, {value})" for place, value in moves.items()]
        body = [*self.live, *self.lines]
        text = "\n".join(f"    {line}" for line in [*body, *tail(), f"return {result(self)}"])
        return Program(f"def run({', '.join(arguments)}):\n{text}\n", arguments, self.bindings, self.arena.size, self.notes)

    def prepare(self, order: Sequence[Symbol]) -> None:
        """Look at the whole program before the first statement is written."""

    def check(self, s: Symbol | None) -> None:
        """What is required of a value: of the arguments before anything is computed."""
        for function, value, extra in self.checks:
            if value is s or (s is None and value.op is None):
                more = "".join(f", {x!r}" for x in extra)
                self.lines.append(f"{self.function(function, function.__name__)}({self.text(value)}{more})")

    def leaf(self, s: Symbol) -> None:
        """The name of an input that is not an argument: an array that exists, or the array that a Tensor has at the time."""
        if s in self.static:
            name = self.name[s] = self.names.give(s, s.name or self.wishes.get(s, "p"))
            self.bindings[name] = self.static[s]
            self.dummy[s] = self.blank(s.shape, s.dtype)
            return
        value, name = s.value, self.names.give(s, s.name or self.wishes.get(s, "c"))
        self.name[s] = name
        if isinstance(value, np.ndarray):
            self.bindings[name] = same(value)
            self.dummy[s] = value
        else:  # a Tensor: its value may be another one at the next call
            holder = self.bind(f"{name}_tensor", same(value))
            self.live.append(f"{name} = {holder}.array")

    def statement(self, s: Symbol, i: int) -> None:
        """Write the statement, or bind the view, that s is."""
        op = s.op
        if op is None:
            return
        wish = self.wishes.get(s) or s.name or op.name.rpartition(".")[2]
        if s.weak:
            self.assign(s, wish)
        elif op.name == "permute_dims" and s.params["axes"] is None:
            self.name[s] = self.turned(s.inputs[0])
            if s.inputs[0] in self.dummy:
                self.dummy[s] = self.dummy[s.inputs[0]].T
        elif op.name in (*VIEWS, "getitem") and self.is_bound_view(s):
            x, params = s.inputs[0], s.params
            name = self.name[s] = self.names.give(s, wish if op.name != "permute_dims" else f"{self.name[x]}_T")
            source = self.name[x]
            self.bindings[name] = Binding(lambda env: op.forward(env[source], **params), view_of=source)
            self.dummy[s] = op.forward(self.dummy[x], **params)
        elif self.has_output(s):
            self.into_buffer(s, i, wish)
        else:
            self.assign(s, wish)
        self.done.add(s)

    def assign(self, s: Symbol, wish: str) -> None:
        """``name = expression``: NumPy makes a new array."""
        op = s.operation
        writer = Writer(self.name.get, self.constant, function=lambda op: self.function(op.forward, helper_name(op)))
        if not op.rules and not s.inputs:  # random numbers
            generator = self.bind("rng", same(s.params["rng"]))
            others = ", ".join(f"{k}={writer.param(v)}" for k, v in s.params.items() if k != "rng")
            expression = f"{self.function(op.forward, op.forward.__name__)}({others}, rng={generator})"
        else:
            expression = writer.expression(s)[0]
        self.name[s] = self.names.give(s, wish)
        self.lines.append(f"{self.name[s]} = {expression}")

    def is_bound_view(self, s: Symbol) -> bool:
        """Whether s is a view of an array that is there before the program runs."""
        op, x = s.operation, s.inputs[0]
        if not isinstance(x, Symbol) or x not in self.dummy or any(True for part in s.operands() if part is not x):
            return False
        if self.root(x).role == "constant":  # its numbers may be changed by whoever holds it: a view sees that, a copy does not
            return op.name != "getitem" and np.may_share_memory(op.forward(self.dummy[x], **s.params), self.dummy[x])
        return np.may_share_memory(op.forward(self.dummy[x], **s.params), self.dummy[x])

    def has_output(self, s: Symbol) -> bool:
        """Whether the operation can put its result into a given array."""
        op = s.operation
        if s.dtype.kind not in "fciub" or any(x is None for x in s.inputs):
            return False
        if op.name in ("linear", "matmul"):
            return all(isinstance(x, Symbol) for x in s.inputs) and len(s.shape) >= 2
        if not self.reorder and len(s.shape) > 1 and not all(map(self.is_by_rows, s.inputs)):
            return False  # NumPy's own result would have the operand's layout, and sums over it another order
        if op.name in REDUCTIONS:
            return isinstance(s.inputs[0], Symbol) and s.params.get("dtype") is None
        if op.name in ("concat", "stack"):
            return True
        return isinstance(op.forward, np.ufunc) and op.forward.nout == 1 and op.forward.signature is None and not s.params

    def is_by_rows(self, x: Any) -> bool:
        """Whether an operand is known to be stored row by row, in C's order (or has only one axis)."""
        if not isinstance(x, Symbol) or len(x.shape) < 2 or x.fill is not None:
            return True
        return x in self.dummy and self.dummy[x].flags.c_contiguous

    def into_buffer(self, s: Symbol, i: int, wish: str) -> None:
        """A statement that writes into a buffer."""
        op = s.operation
        if op.name in ("linear", "matmul"):
            self.product(s, i, wish)
            return
        if op.name in REDUCTIONS:
            self.reduction(s, i, wish)
            return
        floats = {x.dtype for x in s.inputs if isinstance(x, Symbol) and not x.weak and x.fill is None}
        dtype = next(iter(floats)) if len(floats) == 1 else None
        if op.name == "ldexp":  # its second operand stays an integer
            dtype = None
        inputs = [self.text(x, dtype if is_weak_number(x, dtype) else None) for x in s.inputs]
        out = self.allocate(s, i, wish)
        if op.variadic:
            f = np.concatenate if op.name == "concat" else np.stack
            self.lines.append(f"{self.function(f, f.__name__)}([{', '.join(inputs)}], axis={s.params['axis']}, out={out})")
            return
        keyword = "out=" if op.forward in (np.maximum, np.minimum) else ""  # by position it is deprecated for these two
        self.lines.append(f"{self.function(op.forward, op.forward.__name__)}({', '.join(inputs)}, {keyword}{out})")

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
        return self.method(f"{name}_dot", bound(name))

    def reduction(self, s: Symbol, i: int, wish: str) -> None:
        """A sum, a product or an extremum over axes."""
        op, x = s.operation, s.inputs[0]
        axis, keepdims = s.params["axis"], s.params["keepdims"]
        source = self.text(x)
        if axis is not None:
            axes = tuple(sorted(reduced(axis, len(x.shape))))
            axis = axes[0] if len(axes) == 1 else axes
        ufunc = REDUCTIONS[op.name]
        matrix = x in self.dummy and len(x.shape) == 2 and x.dtype.kind == "f" and x.size
        if self.reorder and op.name == "sum" and matrix and axis in (0, 1):
            out = self.allocate(s, i, wish)
            flat = self.bind(f"{out}_flat", flattened(out)) if keepdims else out
            ones = self.ones(x.shape[axis], x.dtype)
            self.lines.append(f"{self.dot(x, turned=axis == 0)}({ones}, {flat})")
            return
        out = self.allocate(s, i, wish)
        keep = ", True" if keepdims else ""
        f = self.method(f"{ufunc.__name__}_reduce", same(ufunc.reduce))
        self.lines.append(f"{f}({source}, {axis}, None, {out}{keep})")


def is_weak_number(x: Any, dtype: Any) -> bool:
    """Whether a number beside arrays of that dtype can be an array of it: Python's numbers, and constants of the same dtype."""
    if isinstance(x, Symbol):
        return x.fill is not None and not x.shape and x.dtype == dtype
    return type(x) in (int, float)
