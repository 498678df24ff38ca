"""The statements of fast programs: what fewer calls, fewer passes over memory and the better forms of products are worth.

A matrix can be stored column by column (as its transpose, row by row): then a row of ones below it makes its product with
weights that lie directly before their bias add that bias, and its product with a gradient give both gradients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..kernels.losses import check_labels
from ..symbols import Symbol, ancestors
from .builder import Builder, Make

__all__ = ["FastBuilder"]

FEW_ROWS, FEW_COLUMNS = 128, 32
"""Batches of so many rows, and results of so few columns, are stored column by column. Measured, tests/benchmarks/layouts.py."""

SAFE = 6000.0
"""While the squares of all logits add up to less, every exp and every sum of them is a normal number: |z| < 77.5."""


class FastBuilder(Builder):
    """Writes fast statements.

    Parameters
    ----------
    pairs : for weights the bias that lies directly behind them, with how to find both as one matrix: values and gradients
    """

    def __init__(
        self,
        arguments: Sequence[Symbol],
        static: Mapping[Symbol, Make],
        targets: Sequence[tuple[Symbol, str, Make]],
        pairs: Mapping[Symbol, tuple[Symbol, Make]],
        couples: Mapping[Symbol, tuple[Symbol, Make]],
        *,
        wishes: Mapping[Symbol, str] | None = None,
    ) -> None:
        super().__init__(arguments, static, targets, wishes=wishes, reorder=True, columns=columns)
        self.pairs, self.couples = pairs, couples
        self.rowed: set[Symbol] = set()
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
                while isinstance(x, Symbol) and x.op is not None and x.shape == s.inputs[0].shape:
                    self.rowed.add(x)
                    x = x.inputs[0] if isinstance(x.op.forward, np.ufunc) and x.op.name != "matmul" else None

    def wants_row(self, s: Symbol) -> bool:
        return s in self.rowed

    def statement(self, s: Symbol, i: int) -> None:
        if s.op is not None and s.op.name == "fused_cross_entropy":
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
            if x in self.extra_row and self.pairs.get(w, (None,))[0] is b:
                self.allocate(s, i, wish)
                if not self.dummy[s].flags.c_contiguous or self.dummy[s].flags.f_contiguous:
                    self.lines.append(f"{self.whole_weights(w)}({self.stored(x)}, {self.turned(s)})")
                else:
                    self.lines.append(f"{self.stored(x)}_T_dot({self.whole_name(w)}, {self.name[s]})")
                    self.bound_method(f"{self.stored(x)}_T_dot", lambda env, n=self.stored(x): env[n].T.dot)
                return
        couple = self.couples.get(s)
        if couple is not None and s in self.target and s not in self.placed:
            db, make = couple
            left, d = s.inputs
            x = left.inputs[0] if left.op is not None and left.op.name == "permute_dims" else None
            if x in self.extra_row and db in self.target and self.is_sum_of(db, d):
                self.allocate(s, i, wish)
                self.allocate(db, i, self.target[db][0])
                self.done.add(db)
                both = self.bind(f"{self.name[s]}_{self.name[db]}", make)
                method = f"{self.stored(x)}_dot"
                self.bound_method(method, lambda env, n=self.stored(x): env[n].dot)
                self.lines.append(f"{method}({self.text(d)}, {both})")
                return
        super().product(s, i, wish)

    def is_sum_of(self, db: Symbol, d: Symbol) -> bool:
        """Whether db is the sum of the rows of d."""
        return db.op is not None and db.op.name == "sum" and db.inputs[0] is d and db.params["axis"] in (0, (0,))

    def stored(self, x: Symbol | None) -> str:
        """The name of the whole buffer of a value with a row of ones."""
        assert x is not None
        return self.buffer[x]

    def bound_method(self, name: str, make: Make) -> None:
        """A name for a method."""
        if name not in self.bindings:
            self.bindings[name] = make
            self.names.taken.add(name)

    def whole_name(self, w: Symbol) -> str:
        """Weights and bias as one matrix."""
        if w not in self.both:
            self.both[w] = self.bind(f"{self.name[w]}_{self.name[self.pairs[w][0]]}", self.pairs[w][1])
        return self.both[w]

    def whole_weights(self, w: Symbol) -> str:
        """The product with the transpose of weights and bias."""
        name = self.whole_name(w)
        self.bound_method(f"{name}_T_dot", lambda env: env[name].T.dot)
        return f"{name}_T_dot"

    # --- softmax and cross-entropy ------------------------------------------------------------------------------------------

    def cross_entropy(self, s: Symbol, i: int) -> None:
        """The loss, and the gradient in the place of the logits.

        softmax(z) does not change when a number is subtracted from a row. That is necessary only where exp could leave the range
        of its dtype, so it is done only where the squares of the logits add up to much.
        """
        x, y = s.inputs
        m, n = x.shape
        dtype = x.dtype
        dx = next((other for other in self.partners.get(s, ()) if other.inputs[0] is x and other.inputs[1] is y), None)
        source, labels = self.text(x), self.text(y)
        own = x in self.space and (self.last[x] <= i or (dx is not None and self.last[x] <= self.position[dx])) and self.uses[x] <= 1 + (dx is not None)
        if own and self.dummy[x].flags.f_contiguous:
            z, z_symbol = f"{source}_T", x
            z = self.turned(x)
        else:
            start = self.arena.take(m * n * dtype.itemsize)
            nbytes = m * n * dtype.itemsize
            z = self.bind("z", lambda env: env["__arena__"][start : start + nbytes].view(dtype).reshape(n, m))
            self.kept.append((start, nbytes))
            self.lines.append(f"{self.function(np.copyto, 'copyto')}({z}, {self.turned(x)})")
            z_symbol = None
        flat = self.bind(f"{z}_flat", lambda env: env[z].reshape(-1))
        buffers = {}
        for title in ("total", "logs"):
            start_of = self.arena.take(m * dtype.itemsize)
            self.kept.append((start_of, m * dtype.itemsize))
            buffers[title] = self.bind(title, lambda env, a=start_of: env["__arena__"][a : a + m * dtype.itemsize].view(dtype))
        total, logs = buffers["total"], buffers["logs"]
        rows = self.bind("rows", lambda env: np.arange(m))
        shape = self.bind("shape", lambda env: (n, m))
        place, refuse = self.function(np.ravel_multi_index, "ravel_multi_index"), self.function(check_labels, "check_labels")
        exp, log, divide, subtract = (self.function(f, f.__name__) for f in (np.exp, np.log, np.divide, np.subtract))
        self.bindings.setdefault("maximum_reduce", lambda env: np.maximum.reduce)
        ones_n, ones_m = self.ones(n, dtype), self.ones(m, dtype)
        add_rows = f"{ones_n}_dot"
        self.bound_method(add_rows, lambda env: env[ones_n].dot)
        add_up = f"{ones_m}_dot"
        self.bound_method(add_up, lambda env: env[ones_m].dot)
        mean = s.params["reduction"] == "mean"
        name = self.name[s] = self.names.give(s, self.wishes.get(s, "loss"))
        self.lines += [
            "try:",
            f"    at = {place}(({labels}, {rows}), {shape})",
            "except (ValueError, TypeError):",
            f"    {refuse}({labels}, ({m}, {n}))",
            "    raise",
            f"if not {flat}.dot({flat}) < {SAFE}:",
            f"    maximum_reduce({z}, 0, None, {total})",
            f"    {subtract}({z}, {total}, {z})",
            f"picked = {flat}[at]",
            f"{exp}({z}, {z})",
            f"{add_rows}({z}, {total})",
            f"{log}({total}, {logs})",
            f"{name} = ({add_up}({logs}).item() - {add_up}(picked).item()){f' / {m}' if mean else ''}",
        ]
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
        if z_symbol is not None:
            self.name[dx], self.dummy[dx], self.space[dx] = source, self.dummy[x], self.space.pop(x)
            if x in self.extra_row:
                self.extra_row.add(dx)
        else:
            self.name[dx] = self.bind("dz", lambda env: env[z].T)
            self.dummy[dx] = np.empty((n, m), dtype).T
        self.transposed[dx] = z
        self.done.add(dx)


def columns(shape: tuple[int, ...]) -> bool:
    """Whether a result of this shape is stored column by column."""
    return shape[0] <= FEW_ROWS or shape[1] <= FEW_COLUMNS


