"""The grade: each step judged by the student's own values before it, so that one mistake costs one step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..doctor import Cause, Diagnosis
from .handed_in import HandedIn, examine
from .markup import Step
from .steps import Chain, expected, same

__all__ = ["Grade", "Judged", "grade"]

GIVEN = ("right", "follows")
"""The verdicts that give the point."""


@dataclass
class Judged:
    """The verdict on one step.

    Attributes
    ----------
    step : the step
    verdict : ``right``; ``follows``: its line is right, with numbers that an earlier mistake made wrong; ``wrong``; ``blank``;
        ``not reached``; ``not seen``: there is no variable of this name
    words : more about it, a clause; may be empty
    line : the line of the student's file, if it was found
    """

    step: Step
    verdict: str
    words: str = ""
    line: int | None = None


@dataclass
class Grade:
    """What came of it: prints as a report."""

    handed_in: HandedIn
    steps: list[Judged]

    @property
    def ok(self) -> bool:
        """Whether everything is right, on other data too."""
        found = self.diagnosis
        return found is not None and found.ok and not found.elsewhere

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The doctor's; ``None`` if there were no gradients to look at."""
        return self.handed_in.diagnosis

    @property
    def points(self) -> tuple[int, int]:
        """The points, and how many there could be: one a step; steps that could not be seen are left out."""
        counted = [judged for judged in self.steps if judged.verdict != "not seen"]
        return sum(judged.verdict in GIVEN for judged in counted), len(counted)

    @property
    def first(self) -> Judged | None:
        """The first step that is not right."""
        return next((judged for judged in self.steps if judged.verdict in ("wrong", "blank")), None)

    def text(self, solution: bool = False) -> str:
        """The report; with the solution of the first step that is not right, if it is asked for."""
        from .report import as_text

        return as_text(self, solution)

    __str__ = text


def grade(folder: str | Path, seconds: float = 8.0) -> Grade:
    """Grade the exercise in a directory. Its ``manual.py`` is run.

    Parameters
    ----------
    folder : of the exercise
    seconds : how long the doctor may search for the cause of a mistake

    Raises
    ------
    DataError
        If it cannot be graded: a file is missing or was changed, or ``manual.py`` cannot be imported.
    """
    found = examine(folder, seconds)
    return Grade(found, Judging(found).all())


class Judging:
    """One pass over the steps, in the order of the solution: first what each is for itself, then what follows from what."""

    def __init__(self, found: HandedIn) -> None:
        self.found = found
        self.chain = Chain(found.marked)
        self.parameter = {name: parameter for parameter, name in found.names.items()}
        rows = {} if found.diagnosis is None else {row.name: row.verdict == "right" for row in found.diagnosis.rows}
        returned = found.student.returned
        if not rows and isinstance(returned, dict):  # no doctor: the solution's numbers are the measure
            rows = {p: same(returned.get(p), g) for p, g in found.right.returned.items()}
        self.right_rows = rows

    def all(self) -> list[Judged]:
        """The verdicts."""
        steps = self.chain.steps
        if self.found.diagnosis is not None and self.found.diagnosis.ok:
            return [Judged(step, "right", line=self.found.line_of(step.name)) for step in steps]
        judged: dict[str, Judged] = {}
        for step in steps:
            judged[step.name] = self.one(step, judged)
        return list(judged.values())

    def one(self, step: Step, before: dict[str, Judged]) -> Judged:
        """The verdict on a step, with those on the steps before it."""
        student, line = self.found.student, self.found.line_of(step.name)
        behind = [before[name] for name in self.chain.behind[step.name] if name in before]
        blank = [b.step.name for b in behind if b.verdict in ("blank", "not reached")]
        parameter = self.parameter.get(step.name)
        row = self.right_rows.get(parameter) if parameter is not None else None
        present = step.name in student.final
        if present and student.final[step.name] is None:
            return Judged(step, "blank", "", line)
        if not present and student.raised is not None:
            first = next((b.step.name for b in before.values() if b.verdict == "blank"), "")
            return Judged(step, "not reached", f"not reached: {first} is blank" if first else "not reached", line)
        if blank and present:
            return Judged(step, "not reached", f"needs {', '.join(blank)}", line)
        if row:
            return Judged(step, "right", line=line)
        wrong = [b.step.name for b in behind if b.verdict == "wrong"]
        if not present:
            return self.unseen(step, parameter, row, before)
        if self.fits(step):
            if wrong:
                return Judged(step, "follows", f"given your {' and '.join(wrong)}", line)
            if row is None:
                return Judged(step, "right", line=line)
            return self.by_cause(step, parameter, before, line)
        if parameter is None and self.confirmed(step.name):
            return Judged(step, "right", line=line)
        return Judged(step, "wrong", self.shape_words(step), line)

    def fits(self, step: Step) -> bool:
        """Whether the student's value is what the right line gives with the student's own values."""
        student = self.found.student
        mine = [run[step.name] for run in (student.bound, student.final) if step.name in run]
        for values in (student.bound, student.final):
            value = expected(step, values, self.found.module)
            if value is not None and any(same(value, m) for m in mine):
                return True
        return False

    def confirmed(self, name: str) -> bool:
        """Whether a gradient that was built from this value is right: then it is another convention, such as where 1/m sits."""
        right = self.found.right.final
        after = [n for n in self.chain.reaches(name) if n in self.parameter and np.any(right.get(n, 0))]
        return any(self.right_rows.get(self.parameter[n]) for n in after)

    def unseen(self, step: Step, parameter: str | None, row: bool | None, before: dict[str, Judged]) -> Judged:
        """There is no variable of this name: only the gradient that was returned can be judged."""
        if parameter is None or row is None:
            return Judged(step, "not seen", f"you have no variable {step.name}")
        return self.by_cause(step, parameter, before, None)

    def by_cause(self, step: Step, parameter: str | None, before: dict[str, Judged], line: int | None) -> Judged:
        """A wrong gradient whose line cannot be blamed: the first that a cause explains is wrong, the others follow from it."""
        for cause in self.causes():
            if parameter in cause.parameters:
                first = [
                    b.step.name
                    for b in before.values()
                    if b.verdict == "wrong" and self.parameter.get(b.step.name, parameter) in cause.parameters
                ]
                if first:
                    return Judged(step, "follows", f"wrong by the same cause as {first[0]}", line)
        return Judged(step, "wrong", self.shape_words(step), line)

    def causes(self) -> list[Cause]:
        """What the doctor found."""
        return [] if self.found.diagnosis is None else self.found.diagnosis.causes

    def shape_words(self, step: Step) -> str:
        """What is to be said of shapes: they come before numbers."""
        mine: Any = self.found.student.final.get(step.name)
        true = np.shape(self.found.right.final[step.name])
        try:
            shape = np.shape(mine)
        except ValueError:
            return "it is no array: its rows have different lengths"
        if step.name in self.found.student.final and shape != true:
            return f"it has shape {shape}, and should have {true}"
        return ""
