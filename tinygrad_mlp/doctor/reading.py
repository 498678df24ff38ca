"""One reading of the numbers: beside the loss's own gradients, or those with other slopes at its kinks; and how it is searched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from .evidence import NEAR, Evidence
from .mistakes.batch import counts
from .mistakes.formulas import formulas
from .probes import Probe, confirmed
from .search import Explanation, Search

__all__ = ["STAGES", "Reading", "in_turns"]

Stage = Iterator[list[Explanation]]
"""A part of the search, step by step: in each what explains everything, mostly nothing."""

LARGE = 0.02
"""Seconds for one recorded pass from which on a smaller batch is searched."""


class Reading:
    """The search for what explains the numbers, in stages.

    Attributes
    ----------
    evidence : the gradients that count as true
    search : that of the mistakes beside them; of a large batch, on a part of it
    singles : what each mistake by itself explains
    doubtful : what explains the numbers, but not those on other data
    """

    def __init__(self, evidence: Evidence, wanted: Sequence[str], probes: Callable[[], list[Probe]], seconds: float) -> None:
        smaller = evidence.smaller(list(wanted)) if evidence.seconds > LARGE else None
        self.evidence, self.probes = evidence, probes
        self.search = Search(smaller or evidence, wanted, seconds)
        self.singles: list[Explanation] = []
        self.doubtful: list[Explanation] = []

    @cached_property
    def others(self) -> list[Probe]:
        """The same reading of the numbers on other data."""
        return [probe.with_slopes(self.evidence.slopes) for probe in self.probes()]

    def sure(self, found: list[Explanation]) -> list[Explanation]:
        """What holds on other data too."""
        if not found:
            return []
        left = confirmed(found, self.others, self.search.left(), self.search.scene.case.m)
        self.doubtful += [] if left else found
        return left

    def one(self) -> Stage:
        """One mistake."""
        self.singles = self.search.singles()
        yield self.sure(self.search.complete(self.singles))

    def miscounted(self) -> Stage:
        """Samples, steps or uses left out or counted twice, found from the numbers."""
        yield self.sure(self.search.complete(self.search.singles(counts(self.search.scene))))

    def two(self) -> Stage:
        """Two mistakes, of which one gives some of the numbers."""
        return self.search.pairs(self.singles, self.sure)

    def three(self) -> Stage:
        """Three."""
        return self.search.triples(self.sure)

    def formula(self) -> Stage:
        """A derivative that no list knows."""
        yield self.sure(self.search.complete(self.search.singles(formulas(self.search.scene))))

    def almost(self) -> Stage:
        """What leaves a small rest."""
        yield self.sure(self.search.almost(self.found, NEAR))

    def blind(self) -> Stage:
        """Two mistakes of which neither alone gives any of the numbers."""
        return self.search.blind_pairs(self.singles, self.sure)

    @property
    def found(self) -> list[Explanation]:
        """What explains a part, or nothing."""
        return self.singles + self.search.halves


STAGES = (Reading.one, Reading.miscounted, Reading.two, Reading.three, Reading.formula, Reading.almost, Reading.blind)
"""From what is likely and quickly tried to what is neither."""


def in_turns(stage: Callable[[Reading], Stage], readings: Sequence[Reading]) -> Iterator[tuple[Reading, list[Explanation]]]:
    """What explains everything in one of the readings: a step of the stage in each of them, then the next, so that none waits."""
    running = [(reading, stage(reading)) for reading in readings]
    while running:
        for pair in tuple(running):
            found = next(pair[1], None)
            if found is None:
                running.remove(pair)
            elif found:
                yield pair[0], found
