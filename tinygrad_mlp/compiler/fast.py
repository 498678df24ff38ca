"""The statements of fast programs: what fewer calls, fewer passes over memory and the better forms of products are worth.

A matrix can be stored column by column (as its transpose, row by row): then a row of ones below it makes its product with
weights that lie directly before their bias add that bias, and its product with a gradient give both gradients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..kernels.losses import check_labels
from ..symbols import Symbol, ancestors
from .builder import Builder
from .program import Binding, bound, flattened, in_arena, instead, piece, same, transpose

__all__ = ["FastBuilder"]

FEW_ROWS, FEW_COLUMNS = 128, 32
"""Results of so few rows, or of so few columns, are stored column by column: measured."""

LARGE, BLOCK = 1 << 20, 1536 * 512
"""Weights of so many entries are updated in blocks of so many, each as soon as its part of the gradient is there: while it is in
the cache, and without an array for the whole gradient."""

SMALL = 4096
"""Arguments of so many entries are copied, for the sake of a row of ones."""


class FastBuilder(Builder):
    """Writes fast statements.

    Parameters
    ----------
    weights : for changes that only have to be added to a parameter, that parameter
    pairs : for weights the bias that lies directly behind them, with how to find both as one matrix: values and gradients
    """

    def __init__(
        self,
        arguments: Sequence[Symbol],
        static: Mapping[Symbol, Binding],
        targets: Sequence[tuple[Symbol, str, Binding]],
        pairs: Mapping[Symbol, tuple[Symbol, Binding]],
        couples: Mapping[Symbol, tuple[Symbol, Binding]],
        *,
        wishes: Mapping[Symbol, str] | None = None,
        weights: Mapping[Symbol, Symbol] | None = None,
    ) -> None:
        super().__init__(arguments, static, targets, wishes=wishes, reorder=True, columns=columns)
        self.pairs, self.couples, self.weights = pairs, couples, weights or {}
        self.updated: list[Symbol] = []
        self.rowed: set[Symbol] = set()
        self.copied: set[Symbol] = set()
        self.both: dict[Symbol, str] = {}

    def prepare(self, order: Sequence[Symbol]) -> None:
        """Find the values that a layer with a bias takes: they get a row of ones."""
        for s in order:
            if s.op is not None and s.op.name == "cross_entropy_dx":
                for loss in order:
                    if loss.op is not None and loss.op.name == "fused_cross_entropy" and loss.inputs[0] is s.inputs[0]:
                        self.partners.setdefault(loss, []).append(s)
            if s.op is not None and s.op.name == "linear" and s.inputs[1] in self.pairs:
                x = s.inputs[0]
                if isinstance(x, Symbol) and x.role == "input" and len(x.shape) == 2 and x.size <= SMALL and columns(x.shape):
                    self.copied.add(x)
                while isinstance(x, Symbol) and x.op is not None and x.shape == s.inputs[0].shape:
                    self.rowed.add(x)
                    x = x.inputs[0] if isinstance(x.op.forward, np.ufunc) and x.op.name != "matmul" else None

    def wants_row(self, s: Symbol) -> bool:
        return s in self.rowed

    def statement(self, s: Symbol, i: int) -> None:
        if s.op is not None and s.op.name == "fused_cross_entropy" and can_be_fused(s.inputs[0]):
            self.cross_entropy(s, i)
        elif s.op is not None and s.op.name == "cross_entropy_dx":
            pass  # computed by the loss
        else:
            super().statement(s, i)
            return
        self.done.add(s)

    def product(self, s: Symbol, i: int, wish: str) -> None:
        if s.op is not None and s.op.name == "linear":
            x, w, b = s.inputs
            if x in self.copied:
                self.copy_with_row(x)
            if x in self.with_row and self.pairs.get(w, (None,))[0] is b:
                self.allocate(s, i, wish)
                if not self.dummy[s].flags.c_contiguous or self.dummy[s].flags.f_contiguous:
                    self.lines.append(f"{self.whole_weights(w)}({self.with_row[x]}, {self.turned(s)})")
                else:
                    product = self.method(f"{self.with_row[x]}_T_dot", bound(self.with_row[x], turned=True))
                    self.lines.append(f"{product}({self.whole_name(w)}, {self.name[s]})")
                return
        couple = self.couples.get(s)
        if couple is not None and s in self.target and s not in self.placed:
            db, binding = couple
            left, d = s.inputs
            x = left.inputs[0] if left.op is not None and left.op.name == "permute_dims" else None
            if x in self.with_row and db in self.target and db not in self.placed and self.is_sum_of(db, d):
                self.allocate(s, i, wish)
                self.allocate(db, i, self.target[db][0])
                self.done.add(db)
                both = self.bind(f"{self.name[s]}_{self.name[db]}", binding)
                product = self.method(f"{self.with_row[x]}_dot", bound(self.with_row[x]))
                self.lines.append(f"{product}({self.text(d)}, {both})")
                return
        w = self.weights.get(s)
        large = w is not None and w.size >= LARGE and len(w.shape) == 2
        if w is not None and large and s in self.target and self.last.get(w, -1) < i and not self.uses[s]:
            self.add_in_blocks(s, w)
            return
        super().product(s, i, wish)

    def add_in_blocks(self, s: Symbol, w: Symbol) -> None:
        """w += x @ d, some rows at a time."""
        x, d = self.text(s.inputs[0]), self.text(s.inputs[1])
        rows = max(1, min(w.shape[0], BLOCK // w.shape[1]))
        nbytes = rows * w.shape[1] * w.dtype.itemsize
        start = self.arena.take(nbytes)
        matmul, add = self.function(np.matmul, "matmul"), self.function(np.add, "add")
        name = self.name[w]
        for i in range(0, w.shape[0], rows):
            n = min(rows, w.shape[0] - i)
            part = self.bind(f"{name}_rows{i}", instead(piece(name, i, i + n)))
            change = self.bind("change", in_arena(start, (n, w.shape[1]), w.dtype))
            self.lines += [f"{matmul}({x}[{i}:{i + n}], {d}, {change})", f"{add}({part}, {change}, {part})"]
        self.arena.give(start, nbytes)
        self.placed.add(s)
        self.updated.append(w)

    def copy_with_row(self, x: Symbol) -> None:
        """Copy a small argument to where it has a row of ones."""
        self.copied.discard(x)
        m, n = x.shape
        start = self.arena.take((n + 1) * m * x.dtype.itemsize, lasting=True)
        name = self.name[x]
        stored = self.with_row[x] = self.bind(f"{name}_stored", in_arena(start, (n + 1, m), x.dtype, row_of_ones=True))
        turned = self.bind(f"{name}_copy_T", piece(stored, 0, -1))
        self.lines.append(f"{self.function(np.copyto, 'copyto')}({turned}, {name}.T)")
        self.transposed[x] = turned
        self.name[x] = self.bind(f"{name}_copy", transpose(stored, without_last=True))
        self.dummy[x] = self.blank((n, m), x.dtype).T

    def is_sum_of(self, db: Symbol, d: Symbol) -> bool:
        """Whether db is the sum of the rows of d."""
        return db.op is not None and db.op.name == "sum" and db.inputs[0] is d and db.params["axis"] in (0, (0,))

    def whole_name(self, w: Symbol) -> str:
        """Weights and bias as one matrix."""
        if w not in self.both:
            self.both[w] = self.bind(f"{self.name[w]}_{self.name[self.pairs[w][0]]}", self.pairs[w][1])
        return self.both[w]

    def whole_weights(self, w: Symbol) -> str:
        """The product with the transpose of weights and bias."""
        name = self.whole_name(w)
        return self.method(f"{name}_T_dot", bound(name, turned=True))

    # --- softmax and cross-entropy ------------------------------------------------------------------------------------------

    def cross_entropy(self, s: Symbol, i: int) -> None:
        """The loss, and the gradient in the place of the logits, which are shifted by the largest of their row as in eager code."""
        x, y = s.inputs
        m, n = x.shape
        dtype = x.dtype
        dx = next((other for other in self.partners.get(s, ()) if other.inputs[0] is x and other.inputs[1] is y), None)
        source, labels = self.text(x), self.text(y)
        last = i if dx is None else self.position[dx]
        own = x in self.space and self.last[x] <= last and self.uses[x] <= 1 + (dx is not None)
        own = own and self.dummy[x].flags.f_contiguous
        z = self.new_name("z")
        if own:
            self.bindings[z] = instead(transpose(source))
        else:
            self.bindings[z] = in_arena(self.arena.take(m * n * dtype.itemsize), (n, m), dtype)
            self.lines.append(f"{self.function(np.copyto, 'copyto')}({z}, {self.turned(x)})")
        flat = self.bind(f"{z}_flat", flattened(z))
        total, logs = (self.bind(title, in_arena(self.arena.take(m * dtype.itemsize), (m,), dtype)) for title in ("total", "logs"))
        rows = self.bind("rows", same(np.arange(m)))
        shape = self.bind("shape", same((n, m)))
        place, refuse = self.function(np.ravel_multi_index, "ravel_multi_index"), self.function(check_labels, "check_labels")
        exp, log, divide, subtract = (self.function(f, f.__name__) for f in (np.exp, np.log, np.divide, np.subtract))
        maximum_reduce = self.method("maximum_reduce", same(np.maximum.reduce))
        ones_n, ones_m = self.ones(n, dtype), self.ones(m, dtype)
        add_rows = self.method(f"{ones_n}_dot", bound(ones_n))
        add_up = self.method(f"{ones_m}_dot", bound(ones_m))
        mean = s.params["reduction"] == "mean"
        name = self.name[s] = self.names.give(s, self.wishes.get(s, "loss"))
        self.lines += [
            "try:",
            f"    at = {place}(({labels}, {rows}), {shape})",
            "except (ValueError, TypeError):",
            f"    {refuse}({labels}, ({m}, {n}))",
            "    raise",
            f"{maximum_reduce}({self.turned(x) if own else z}, 0, None, {total})",
            f"{subtract}({self.turned(x) if own else z}, {total}, {z})",
            f"picked = {flat}[at]",
            f"{exp}({z}, {z})",
            f"{add_rows}({z}, {total})",
            f"{log}({total}, {logs})",
            f"{subtract}({logs}, picked, {logs})",
            f"{name} = {add_up}({logs}).item(){f' / {m}' if mean else ''}",
        ]
        if self.uses[s]:  # in further operations: a number of its dtype
            self.lines.append(f"{name} = {self.dtype_name(s)}({name})")
        if dx is None:
            return
        scale = dx.inputs[2]
        for number in ancestors([scale]) if isinstance(scale, Symbol) else ():
            if number.op is not None and number not in self.done:
                self.statement(number, i)
        factor = self.text(scale)
        self.lines += [
            f"{divide}({factor}, {total}, {total})",
            f"{self.function(np.multiply, 'multiply')}({z}, {total}, {z})",
            f"{flat}[at] -= {factor}",
        ]
        if own:
            self.space[dx] = self.space.pop(x)
        self.name[dx] = self.bind("dz", transpose(z))
        self.dummy[dx] = self.blank((n, m), dtype).T
        self.transposed[dx] = z
        self.done.add(dx)


def can_be_fused(x: object) -> bool:
    """Whether the fused form is of these logits: rows of them, and more than one class."""
    rows = isinstance(x, Symbol) and x.fill is None and len(x.shape) == 2 and x.shape[0] > 0 and x.shape[1] > 1
    return rows and x.dtype in (np.float32, np.float64)  # type: ignore[attr-defined]  # a Symbol


def columns(shape: tuple[int, ...]) -> bool:
    """Whether a result of this shape is stored column by column."""
    return shape[0] <= FEW_ROWS or shape[1] <= FEW_COLUMNS
