"""The report of a comparison: a row a parameter, a verdict, where the first difference is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..kernels.shapes import Array
from .measures import HIPS_TOLERANCE, NUMERIC_TOLERANCE, as_bits, same_bits, ulps

__all__ = ["Comparison", "Row", "compare_gradients"]

LOSS_TOLERANCE = 1e-5
"""For the value of the loss in float32; a hundred times its precision."""


class Row(NamedTuple):
    """What was found for one parameter."""

    name: str
    """The textbook's name, W1."""
    path: str
    """The name in the model, linear1.weight."""
    shape: tuple[int, ...]
    manual_shape: tuple[int, ...]
    equal_bits: bool
    ulps: int | None
    """The largest distance between engine and manual; ``None`` where shapes or dtypes differ."""
    first: tuple[int, ...] | None
    """The first entry that differs."""
    numeric: float | None = None
    """Relative difference, engine against central differences (float64)."""
    hips: float | None = None
    """Relative difference, engine against HIPS autograd (float64)."""

    @property
    def ok(self) -> bool:
        """Equal bits, and close to the other witnesses where they were heard."""
        numeric = self.numeric is None or self.numeric <= NUMERIC_TOLERANCE
        return self.equal_bits and numeric and (self.hips is None or self.hips <= HIPS_TOLERANCE)


class Comparison:
    """The report of a comparison: prints as a table, a row a parameter; ``ok`` says whether all witnesses agree.

    Attributes
    ----------
    rows : the findings, a :class:`Row` a parameter
    loss, manual_loss : the value of the loss by the engine and by hand
    """

    def __init__(self, rows: Sequence[Row], loss: float, manual_loss: float) -> None:
        self.rows, self.loss, self.manual_loss = tuple(rows), loss, manual_loss

    @property
    def ok(self) -> bool:
        """Whether the losses agree, and every row does."""
        return self.same_loss and all(row.ok for row in self.rows)

    @property
    def same_loss(self) -> bool:
        """Whether both computed the same loss, up to rounding: their sums may run in another order."""
        return bool(np.isclose(self.loss, self.manual_loss, rtol=LOSS_TOLERANCE, atol=LOSS_TOLERANCE, equal_nan=True))

    @property
    def equal_bits(self) -> bool:
        """Whether the engine's and the manual gradients are equal in every bit."""
        return all(row.equal_bits for row in self.rows)

    @property
    def first_difference(self) -> str:
        """Where the first disagreement is, in words; empty if there is none."""
        if not self.same_loss:
            return f"the loss itself: {self.loss} by the engine, {self.manual_loss} by hand"
        for row in self.rows:
            if row.ok:
                continue
            if row.shape != row.manual_shape:
                return f"{row.name} ({row.path}): engine {row.shape}, manual {row.manual_shape}: the shapes differ"
            if not row.equal_bits:
                far = "another dtype" if row.ulps is None else f"up to {row.ulps} ULPs"
                return f"{row.name} ({row.path}), first at entry {row.first}: engine and manual differ by {far}"
            if row.numeric is not None and row.numeric > NUMERIC_TOLERANCE:
                return f"{row.name} ({row.path}): the numeric derivative differs by {row.numeric:.1e} of its size"
            return f"{row.name} ({row.path}): HIPS autograd differs by {row.hips:.1e} of its size"
        return ""

    def cells(self) -> list[list[str]]:
        """The table as text: a header, and a row a parameter."""
        table = [["parameter", "in the model", "shape", "equal bits", "ULPs", "vs numeric", "vs HIPS"]]
        for row in self.rows:
            shape = " × ".join(str(n) for n in row.shape) or "()"
            if row.manual_shape != row.shape:
                shape += f", manual {row.manual_shape}"
            far = "-" if row.ulps is None else str(row.ulps)
            table.append(
                [row.name, row.path, shape, "yes" if row.equal_bits else "NO", far, decimal(row.numeric), decimal(row.hips)]
            )
        keep = [i for i in range(len(table[0])) if any(line[i] for line in table[1:])]
        return [[line[i] for i in keep] for line in table]

    def markdown(self) -> str:
        """The table in Markdown."""
        head, *body = self.cells()
        lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        return "\n".join(lines + ["| " + " | ".join(line) + " |" for line in body])

    def _repr_markdown_(self) -> str:
        return f"{self.markdown()}\n\n{self.verdict()}"

    def verdict(self) -> str:
        """The finding in a sentence."""
        if self.ok:
            return f"All {len(self.rows)} gradients agree: engine and manual backprop are equal bit for bit."
        return f"They differ. {self.first_difference}."

    def __str__(self) -> str:
        table = self.cells()
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
        return "\n".join([lines[0], "─" * max(len(line) for line in lines), *lines[1:], "", self.verdict()])

    __repr__ = __str__


def decimal(x: float | None) -> str:
    """A relative difference in two digits, empty for a witness that was not heard."""
    return "" if x is None else "0" if x == 0 else f"{x:.1e}"


def compare_gradients(
    engine: Mapping[str, Array], by_hand: Mapping[str, Array], paths: Mapping[str, str] | None = None
) -> list[Row]:
    """A row a parameter: the engine's gradients against those computed by hand, bit for bit.

    >>> for row in compare_gradients({"W1": np.zeros(2)}, {"W1": np.array([0.0, 5e-324])}):
    ...     print(row.equal_bits, row.ulps, row.first)
    False 1 (1,)
    """
    rows = []
    for name, g in engine.items():
        other = np.asarray(by_hand[name]) if name in by_hand else np.empty((0,) * (g.ndim + 1), g.dtype)
        equal, comparable = same_bits(g, other), g.shape == other.shape and g.dtype == other.dtype
        first = None
        if comparable and not equal:
            different = as_bits(g) != as_bits(other)
            first = tuple(int(i) for i in np.unravel_index(int(different.argmax()), g.shape))
        rows.append(
            Row(name, (paths or {}).get(name, name), g.shape, other.shape, equal, ulps(g, other) if comparable else None, first)
        )
    return rows
