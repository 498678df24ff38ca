"""The report of a comparison: a row a parameter, a verdict, where the first difference is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..kernels.shapes import Array
from .measures import HIPS_TOLERANCE, NUMERIC_TOLERANCE, as_bits, same_bits, ulps

__all__ = ["Comparison", "Fault", "Finding", "GradientCheck", "Row", "compare_gradients", "markdown_table", "text_table"]

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
            shape = shape_of(row.shape)
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
        return markdown_table(self.cells())

    def _repr_markdown_(self) -> str:
        return f"{self.markdown()}\n\n{self.verdict()}"

    def verdict(self) -> str:
        """The finding in a sentence."""
        if self.ok:
            return f"All {len(self.rows)} gradients agree: engine and manual backprop are equal bit for bit."
        return f"They differ. {self.first_difference}."

    def __str__(self) -> str:
        return f"{text_table(self.cells())}\n\n{self.verdict()}"

    __repr__ = __str__


def text_table(cells: Sequence[Sequence[str]]) -> str:
    """A header and rows in columns."""
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "─" * max(len(line) for line in lines), *lines[1:]])


def markdown_table(cells: Sequence[Sequence[str]]) -> str:
    """A header and rows in Markdown."""
    head, *body = cells
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(line) + " |" for line in body])


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


class Finding(NamedTuple):
    """One number of a gradient from both sides."""

    kind: str
    """entry, direction, or dtype: a gradient in float32 against the one in float64."""
    input: int | None
    """The number of the input; ``None`` for a direction of all inputs together."""
    place: tuple[int, ...]
    """The entry, or the number of the direction."""
    order: int
    where: str = ""
    exact: float = 0.0
    """By the engine."""
    numeric: float = 0.0
    """By differences."""
    tolerance: float = 0.0
    method: str = ""
    status: str = ""
    """ok, wrong, or not judged: kink, edge (of the domain), noise (rounding hides the number)."""


class Fault(NamedTuple):
    """What a wrong gradient comes from: the operation whose rule is wrong, if one is."""

    operation: str
    argument: str
    line: str
    text: str
    """In words, where there are no numbers: a rule that fails, a value that has left the graph."""
    exact: float | None = None
    numeric: float | None = None
    order: int = 1

    def __str__(self) -> str:
        if not self.operation:
            return self.text
        which = f"{self.operation}, created at {self.line}"
        if self.exact is None or self.numeric is None:
            return f"The rule of {which}, fails{' when it is differentiated again' * (self.order > 1)}: {self.text}"
        rule = "rule" if self.order == 1 else "second derivative (its rule, differentiated again)"
        ratio = f" (ratio {self.exact / self.numeric:.3g})" if self.numeric else ""
        return (
            f"The {rule} of {which}, is wrong for the argument {self.argument}: it gives {self.exact:.10g} along a random "
            f"direction, differences give {self.numeric:.10g}{ratio}"
        )


class GradientCheck:
    """The report of :func:`~tinygrad_mlp.check.gradcheck`: prints as a table; ``ok`` says whether nothing disagrees.

    Attributes
    ----------
    findings : every number that was compared, a :class:`Finding` each
    fault : if some are wrong, what they come from, a :class:`Fault`
    """

    def __init__(
        self, findings: Sequence[Finding], names: Sequence[str], shapes: Sequence[tuple[int, ...]], fault: Fault | None
    ) -> None:
        self.findings, self.names, self.shapes, self.fault = tuple(findings), tuple(names), tuple(shapes), fault

    @property
    def ok(self) -> bool:
        """Whether nothing disagrees; what could not be judged does not count."""
        return self.fault is None and not self.wrong

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The numbers that disagree."""
        return tuple(x for x in self.findings if x.status == "wrong")

    def cells(self) -> list[list[str]]:
        """The table as text: a header, and a row for each input, order and kind of comparison."""
        groups: dict[tuple[object, ...], list[Finding]] = {}
        for x in self.findings:
            groups.setdefault((x.order, x.input, x.kind, x.where), []).append(x)
        table = [["gradient", "order", "compared", "by", "difference", "tolerance", "verdict"]]
        for (order, n, kind, where), found in groups.items():
            judged = [x for x in found if x.status in ("ok", "wrong")]
            worst = max(judged, key=lambda x: abs(x.exact - x.numeric) / x.tolerance if x.tolerance else 0.0, default=None)
            size = int(np.prod(self.shapes[n])) if isinstance(n, int) else 0
            units = len({x.place for x in found})
            compared = {
                "entry": f"{'all' if units == size else f'{units} of'} {size} entries",
                "direction": f"{units} directions",
                "dtype": f"{where} against float64",
            }[str(kind)]
            table.append(
                [
                    "all inputs" if not isinstance(n, int) else f"{self.names[n]} ({shape_of(self.shapes[n])})",
                    str(order),
                    f"{compared}, {where}" if where and kind != "dtype" else compared,
                    ", ".join(dict.fromkeys(x.method for x in judged)),
                    decimal(abs(worst.exact - worst.numeric)) if worst else "",
                    decimal(worst.tolerance) if worst else "",
                    outcome(found),
                ]
            )
        return table

    def markdown(self) -> str:
        """The table in Markdown."""
        return markdown_table(self.cells())

    def _repr_markdown_(self) -> str:
        return f"{self.markdown()}\n\n{self.verdict()}"

    def verdict(self) -> str:
        """The finding in sentences."""
        open_ = [x for x in self.findings if x.status in NOT_JUDGED]
        judged = len(self.findings) - len(open_)
        left = f" Not judged: {', '.join(counted(open_))}." if open_ else ""
        if self.ok:
            return f"All {judged} numbers agree.{left}" if judged else f"Nothing could be judged.{left}"
        found = [f"{len(self.wrong)} of {judged} numbers disagree."] if self.wrong else []
        found += [f"{self.told(x)}." for x in self.wrong[:3]]
        return "\n".join([*found, *([f"{self.fault}."] if self.fault else []), *([left.strip()] if left else [])])

    def told(self, x: Finding) -> str:
        """One number that disagrees, in words."""
        name = "the inputs" if x.input is None else self.names[x.input]
        place = f"{name}[{', '.join(map(str, x.place))}]" if x.place and x.kind != "direction" else name
        along = " along a random direction" if x.kind == "direction" else ""
        second = "second derivative" if x.order == 2 else "gradient"
        return f"The {second} of {place}{along} is {x.exact:.10g}, by {x.method} {x.numeric:.10g}"

    def __str__(self) -> str:
        return f"{text_table(self.cells())}\n\n{self.verdict()}" if self.findings else self.verdict()

    __repr__ = __str__


NOT_JUDGED = {"kink": "at a kink", "edge": "at the edge of the domain", "noise": "hidden by rounding"}


def counted(found: Sequence[Finding]) -> list[str]:
    """How many numbers were not judged, and why."""
    counts = {why: sum(x.status == status for x in found) for status, why in NOT_JUDGED.items()}
    return [f"{n} {why}" for why, n in counts.items() if n]


def outcome(found: Sequence[Finding]) -> str:
    """The verdict of a row."""
    wrong, ok = (sum(x.status == status for x in found) for status in ("wrong", "ok"))
    told = [f"{wrong} DISAGREE"] if wrong else ["agree"] if ok else []
    return ", ".join(told + counted(found))


def shape_of(shape: tuple[int, ...]) -> str:
    """4 × 3, or () for a number."""
    return " × ".join(str(n) for n in shape) or "()"
