"""Measure the doctor on the table: ``python -m tests.doctor.measure`` (a part of a name as argument: those cases only).

Prints the time of each, the misses with what the doctor said, and the shares; exit code 1 if a floor is missed.
"""

from __future__ import annotations

import sys
import time
import warnings
from dataclasses import dataclass

from tinygrad_mlp.check import Diagnosis, diagnose

from .cases import MISTAKEN, RIGHT, Case, truly_wrong

FOUND, FIRST, PAIRS, FALSE_ALARMS = 1.0, 0.97, 0.9, 0
"""The floors: of exactly the wrong parameters named, of the first label, of both labels of a pair; and how many false alarms may be."""


@dataclass(frozen=True)
class Outcome:
    """What the doctor said of one case."""

    case: Case
    diagnosis: Diagnosis
    wrong: list[str]
    seconds: float

    @property
    def found(self) -> bool:
        """Whether exactly the wrong parameters were named."""
        return sorted(self.diagnosis.wrong) == sorted(self.wrong)

    @property
    def first(self) -> bool:
        """Whether the first label is one that may be given."""
        return self.diagnosis.labels[0] in (frozenset().union(*self.case.labels) if self.case.labels else {"correct"})

    @property
    def all_labels(self) -> bool:
        """Whether each mistake is among the labels."""
        return all(options & set(self.diagnosis.labels) for options in self.case.labels)

    @property
    def good(self) -> bool:
        """Whether there is nothing to complain of."""
        return self.found and self.first and self.all_labels


def examine(case: Case) -> Outcome:
    """Ask the doctor."""
    X, y, params = case.data
    manual = case.make()
    start = time.perf_counter()
    d = diagnose(case.loss, manual, X, y, params)
    seconds = time.perf_counter() - start
    return Outcome(case, d, truly_wrong(case) if case.labels else [], seconds)


def described(o: Outcome) -> str:
    """A miss in a few lines."""
    expected = " + ".join("|".join(sorted(options)) for options in o.case.labels) or "correct"
    lines = [
        f"{o.case.name}: expected {expected}, wrong {o.wrong}; said {o.diagnosis.labels}, wrong {o.diagnosis.wrong}, {o.seconds:.2f} s"
    ]
    lines += [
        f"    {c.label}: {c.words} ({c.where}; {', '.join(c.parameters)}; rest {c.residual:.1e}{'; tentative' if c.tentative else ''})"
        for c in o.diagnosis.causes[:3]
    ]
    lines += [f"    also {c.label}: {c.words}" for c in o.diagnosis.alternatives[:3]]
    lines += [f"    remark: {text}" for text in o.diagnosis.remarks[:3]]
    return "\n".join(lines)


def main(part: str = "") -> int:
    """The command."""
    warnings.simplefilter("ignore")
    outcomes: list[Outcome] = []
    failed: list[str] = []
    for case in MISTAKEN + RIGHT:
        if part in case.name:
            try:
                outcomes.append(examine(case))
            except Exception as error:  # a doctor who falls ill is a miss
                failed.append(f"{case.name}: diagnose() raised {type(error).__name__}: {error}")
    mistaken, right = [o for o in outcomes if o.case.labels], [o for o in outcomes if not o.case.labels]
    pairs = [o for o in mistaken if len(o.case.labels) > 1]
    count = len(mistaken) or 1
    found, first = sum(o.found for o in mistaken), sum(o.first for o in mistaken)
    both, alarms = sum(o.all_labels for o in pairs), sum(not o.diagnosis.ok for o in right)
    if not outcomes:
        print(f"no case has {part!r} in its name", *failed, sep="\n")
        return 2
    slow = max(outcomes, key=lambda o: o.seconds)
    misses = [o for o in outcomes if not o.good]
    for o in outcomes:
        print(f"{o.seconds:6.2f} s  {'right' if o.good else 'MISS '}  {o.case.name}: {', '.join(o.diagnosis.labels)}")
    print()
    for text in failed + [described(o) for o in misses]:
        print(text)
    print(f"mistaken {len(mistaken)}: exactly the wrong parameters {found}, first label {first} ({first / count:.1%})")
    print(f"pairs {len(pairs)}: both labels {both}")
    print(f"right {len(right)}: false alarms {alarms}")
    print(
        f"seconds: {sum(o.seconds for o in outcomes):.1f} in all, at most {slow.seconds:.2f} ({slow.case.name}); raised {len(failed)}; misses {len(misses)}"
    )
    met = found / count >= FOUND and first / count >= FIRST and both >= PAIRS * len(pairs) and alarms <= FALSE_ALARMS and not failed
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
