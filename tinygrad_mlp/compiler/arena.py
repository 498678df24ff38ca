"""Where values live: one block of memory, in which a place is used again as soon as its value has been read for the last time."""

from __future__ import annotations

import numpy as np

from ..kernels.shapes import Array

__all__ = ["ALIGNMENT", "Arena", "aligned"]

ALIGNMENT = 64
"""Bytes: the length of a cache line, and of the widest vector registers."""


class Arena:
    """Plans places in a block of memory: the smallest free gap that is large enough, else at the end.

    What is written once, when a program is bound, must be found there in every call: a lasting place is no gap that a value of
    the same call has left, and never becomes one.
    """

    def __init__(self) -> None:
        self.size = 0
        self.gaps: list[tuple[int, int]] = []  # (start, length), in order
        self.lasting: set[int] = set()

    def take(self, nbytes: int, lasting: bool = False) -> int:
        """The offset of a free place of so many bytes."""
        need = -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT
        if lasting:
            self.lasting.add(self.size)
            self.size += need
            return self.size - need
        fitting = [(length, start) for start, length in self.gaps if length >= need]
        if fitting:
            length, start = min(fitting)
            self.gaps.remove((start, length))
            if length > need:
                self.insert(start + need, length - need)
            return start
        if self.gaps and sum(self.gaps[-1]) == self.size:  # the last gap can grow
            start, _ = self.gaps.pop()
            self.size = start + need
            return start
        self.size += need
        return self.size - need

    def give(self, start: int, nbytes: int) -> None:
        """Free a place that was taken; a lasting one stays."""
        if start not in self.lasting:
            self.insert(start, -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT)

    def insert(self, start: int, length: int) -> None:
        """Add a gap, joined with its neighbours."""
        gaps = sorted([*self.gaps, (start, length)])
        self.gaps = [gaps[0]]
        for begin, n in gaps[1:]:
            before, m = self.gaps[-1]
            if before + m == begin:
                self.gaps[-1] = (before, m + n)
            else:
                self.gaps.append((begin, n))


def aligned(nbytes: int) -> Array:
    """New memory of zeros, as bytes, that starts at a multiple of ALIGNMENT."""
    raw = np.zeros(nbytes + ALIGNMENT, np.uint8)  # pages that are never touched take no memory
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + nbytes]
