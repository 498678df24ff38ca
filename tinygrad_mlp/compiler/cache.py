"""The programs of a compiled function: by the form of the arguments, and for one form several, for different modes and settings."""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar

from .guards import Guards

__all__ = ["Programs"]


MANY = 8
"""After compiling so often for the same shapes, what is to blame is named once."""


EVERY: weakref.WeakSet[Programs[Any]] = weakref.WeakSet()
FORKING = threading.RLock()
HELD: list[Programs[Any]] = []


def hold_all() -> None:
    """Before a fork: wait for the calls of other threads, whose locks, half done updates and BLAS the child would inherit."""
    FORKING.acquire()
    HELD[:] = EVERY
    for programs in HELD:
        programs.lock.acquire()


def release_all() -> None:
    """After a fork, in both processes."""
    for programs in HELD:
        programs.lock.release()
    HELD.clear()
    FORKING.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=hold_all, after_in_parent=release_all, after_in_child=release_all)


class Conditional(Protocol):
    """A program that holds under conditions."""

    guards: Guards

    def fits(self) -> bool:
        """Whether it holds now."""


P = TypeVar("P", bound=Conditional)


class Programs(Generic[P]):
    """At most ``size`` programs; the least recently used go first. ``lock`` is held in a call: the buffers are of one at a time."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.lock = threading.RLock()
        EVERY.add(self)
        self.by_form: OrderedDict[Any, list[P]] = OrderedDict()
        self.latest: P | None = None
        self.again: dict[str, int] = {}  # how often which change led to one more program

    def find(self, form: Any) -> P | None:
        """The program for arguments of this form that holds now."""
        for program in self.by_form.get(form, ()):
            if program.fits():
                self.by_form.move_to_end(form)
                self.latest = program
                return program
        return None

    def add(self, form: Any, program: P, stacklevel: int) -> P:
        """Keep a program; returns it. ``stacklevel`` is that of a warning, seen from the caller."""
        self.latest = program
        if (before := self.by_form.get(form)) and (changed := before[-1].guards.changed):
            self.again[changed] = self.again.get(changed, 0) + 1
            if self.again[changed] == MANY:
                warnings.warn(
                    f"what tg.compile made was compiled {MANY} times more, since {changed} was another each time: pass what "
                    f"changes from call to call as an argument",
                    RuntimeWarning,
                    stacklevel=stacklevel + 1,
                )
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
