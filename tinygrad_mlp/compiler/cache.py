"""The programs of a compiled function: by the form of the arguments, and for one form several, for different modes and settings."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Programs"]


class Conditional(Protocol):
    """A program that holds under conditions."""

    def fits(self) -> bool:
        """Whether it holds now."""


P = TypeVar("P", bound=Conditional)


class Programs(Generic[P]):
    """At most ``size`` programs; the least recently used go first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.by_form: OrderedDict[Any, list[P]] = OrderedDict()
        self.latest: P | None = None

    def find(self, form: Any) -> P | None:
        """The program for arguments of this form that holds now."""
        for program in self.by_form.get(form, ()):
            if program.fits():
                self.by_form.move_to_end(form)
                self.latest = program
                return program
        return None

    def add(self, form: Any, program: P) -> P:
        """Keep a program; returns it."""
        self.latest = program
        self.by_form.setdefault(form, []).append(program)
        self.by_form.move_to_end(form)
        while len(self) > self.size:
            oldest = next(iter(self.by_form))
            self.by_form[oldest].pop(0)
            if not self.by_form[oldest]:
                del self.by_form[oldest]
        return program

    def __len__(self) -> int:
        return sum(map(len, self.by_form.values()))

    def __iter__(self) -> Iterator[P]:
        for programs in self.by_form.values():
            yield from programs
