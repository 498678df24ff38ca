"""What the values of a derivation are called in mathematics, and its lines."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..symbols import Symbol
from .mathematics import Formula
from .notation import LATEX, NEGATIVE, PLAIN, SUM, Notation, Text
from .plan import Plan

__all__ = ["Letters", "lines_of"]

LONG = 64
"""Characters from which on a sum is written in several rows."""


class Letters:
    """What the values of a plan are called in mathematics.

    Parameters
    ----------
    plan : the derivation
    notation : LaTeX or plain text
    """

    def __init__(self, plan: Plan, notation: Notation = LATEX) -> None:
        self.plan, self.n = plan, notation
        self.texts: dict[Symbol, Text] = {}
        self.arrays: dict[str, Any] = {}
        lines = {line.symbol: line for line in plan.lines}
        for symbol, name in plan.names.items():
            if not name.startswith("np."):
                line = lines.get(symbol)
                of = plan.names.get(plan.moved[line.of]) if line is not None and line.of is not None else None
                self.texts[symbol] = self.n.gradient(self.word(of).text) if of is not None else self.word(name)
        if plan.names.get(plan.loss):
            self.texts[plan.loss] = Text("L", self.n.name("L").holds)
        self.recorded = {old: self.texts[plan.moved[old]] for old in plan.recorded if plan.moved[old] in self.texts}
        self.final = Formula(self.texts.get, self.array, notation, plan.sizes)
        self.forward = Formula(self.recorded.get, self.array, notation, plan.sizes)

    @functools.cached_property
    def plain(self) -> Letters:
        """The same as plain text, whose length is what is read."""
        return Letters(self.plan, PLAIN) if self.n is not PLAIN else self

    def word(self, name: str) -> Text:
        """A name; L is the loss."""
        return Text(self.n.word("L"), self.n.name("x").holds) if name == "L" else self.n.name(name)

    def array(self, array: Any) -> str:
        """An array of numbers in an index."""
        if array.ndim == 1 and array.dtype.kind == "i" and array.size > 1 and np.array_equal(array, np.arange(array.size)):
            return self.n.numbered(array.size).text
        known = {**self.plan.arrays, **self.arrays}
        same = [name for name, x in known.items() if x is array or (x.dtype == array.dtype and np.array_equal(x, array))]
        name = same[0] if same else f"index{len(known) + 1}"
        self.arrays.setdefault(name, array)
        return self.n.name(name).text

    def shape(self, symbol: Symbol) -> str:
        """The shape of a value, in brackets."""
        if not symbol.shape:
            return r"\text{a number}" if self.n is LATEX else "a number"
        return f"({self.n.shape(symbol.shape)})"

    def rows(self, symbol: Symbol) -> list[str]:
        """The right side of a value's line; a long sum in rows."""
        whole = self.final.expression(symbol)
        plain = self.plain.final
        summands = terms(symbol, self.texts)
        if len(plain.expression(symbol).text) <= LONG or len(summands) == 1:
            return [self.n.side(whole)]
        found = [""]
        length = 0
        for term in summands:
            text, size = self.final.operand(term), len(plain.operand(term).text)
            if not found[0]:
                found[0], length = self.n.at(text, SUM), size
                continue
            if text.holds == NEGATIVE and text.text.startswith(self.n.minus):
                piece = f" {self.n.minus} {text.text.removeprefix(self.n.minus)}"
            else:
                piece = f"{self.n.plus}{self.n.at(text, SUM)}"
            if length + size > LONG:
                found.append("{}" + piece if self.n is LATEX else piece)
                length = size
            else:
                found[-1] += piece
                length += size
        return found


def terms(symbol: Symbol, names: dict[Symbol, Text], top: bool = True) -> list[Symbol]:
    """The summands of a sum."""
    if (
        symbol.op is None
        or symbol.op.name != "add"
        or (symbol in names and not top)
        or any(not isinstance(x, Symbol) for x in symbol.inputs)
    ):
        return [symbol]
    return [t for x in symbol.inputs for t in terms(x, names, False)]


def lines_of(plan: Plan, notation: Notation = LATEX) -> list[tuple[str, str, bool]]:
    """The lines of the derivation in order: left side, right side, whether on the way back."""
    letters = Letters(plan, notation)
    return [(letters.texts[line.symbol].text, "".join(letters.rows(line.symbol)), line.backward) for line in plan.lines]
