"""The grade as a text for the student: the steps, what to do next, a hint, and the solution if it was asked for."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from .grading import Grade, Judged

if TYPE_CHECKING:
    from ..doctor import Cause

__all__ = ["as_text"]

WIDTH = 100
SIGNS = {"right": "right", "follows": "right", "wrong": "WRONG", "blank": "blank", "not reached": "-", "not seen": "?"}


def as_text(grade: Grade, solution: bool) -> str:
    """The whole report."""
    parts = [heading(grade), table(grade), advice(grade)]
    if solution:
        parts.append(answer(grade))
    elif not grade.ok and grade.first is not None:
        parts.append("Stuck? --solution shows the right line.")
    printed = grade.handed_in.student.printed
    if printed.strip():
        parts.append("Your manual.py printed:\n" + textwrap.indent(printed.rstrip(), "    "))
    return "\n\n".join(part for part in parts if part)


def heading(grade: Grade) -> str:
    """Which exercise this is."""
    about = grade.handed_in.about
    level = f"Level {about['level']}: " if about["level"] is not None else ""
    kind = f"{about['step']} was left blank" if about["kind"] == "blank" else "one mistake was planted"
    return f"{level}{about['title']} ({kind}, seed {about['seed']})"


def table(grade: Grade) -> str:
    """A line a step, and the points."""
    width = max(len(judged.step.name) for judged in grade.steps)
    lines = []
    for judged in grade.steps:
        where = f"line {judged.line}" if judged.line is not None else ""
        lines.append(f"  {judged.step.name:<{width}}  {where:<8}  {SIGNS[judged.verdict]:<5}  {judged.words}".rstrip())
    got, total = grade.points
    return "\n".join([*lines, f"\n{got} of {total} points"])


def advice(grade: Grade) -> str:
    """What to do next."""
    raised, first = grade.handed_in.student.raised, grade.first
    if grade.ok:
        return "All right: every gradient is that of the loss, on this data and on other data."
    if first is not None and first.verdict == "blank":
        line = f" in line {first.line}" if first.line is not None else ""
        return paragraphs(
            f"{first.step.name} is still blank: write it{line} of manual.py, and grade again. What needs it is not graded yet."
            if line
            else f"{first.step.name} is None: compute it, and grade again.",
            hint(first),
        )
    if raised is not None:
        said = f"{type(raised).__name__}: {raised}"
        return paragraphs(f"{grade.handed_in.student.where} stopped: {said}", "" if first is None else hint(first))
    found = grade.diagnosis
    if found is not None and found.ok:
        return paragraphs("Every gradient is right on this data, and something is wrong on other data:", *found.elsewhere)
    if first is None:
        return paragraphs("Some gradients are wrong, and every line that can be seen is right.", *doctor(grade, None))
    words = f"The first step that is not right is {first.step.name}"
    return paragraphs(f"{words}: {first.words}." if first.words else f"{words}.", hint(first), *doctor(grade, first))


def hint(judged: Judged) -> str:
    """The author's hint."""
    return f"Hint: {judged.step.hint}." if judged.step.hint else ""


def doctor(grade: Grade, first: Judged | None) -> list[str]:
    """What the doctor says of the numbers, without the right line."""
    found = grade.diagnosis
    if found is None:
        return []
    causes: list[Cause] = found.causes
    sure = "from your numbers" if not causes or not causes[0].tentative else "who is not sure, finds your numbers nearest to"
    said = [f"The doctor, {sure}: {cause.words} [{cause.label}]." for cause in causes[:1]]
    said += [f"And: {cause.words} [{cause.label}]." for cause in causes[1:3]]
    return said + [f"Note: {remark}." for remark in found.remarks[:3]]


def answer(grade: Grade) -> str:
    """The right line of the first step that is not right, and the whole report of the doctor."""
    if grade.ok or grade.first is None:
        return "" if grade.diagnosis is None or grade.ok else str(grade.diagnosis)
    first = grade.first
    line = f"line {first.line} of manual.py" if first.line is not None else "the step"
    parts = [f"Solution: {line} should be\n\n    {first.step.code}"]
    if grade.diagnosis is not None:
        parts.append("The doctor's report:\n\n" + textwrap.indent(str(grade.diagnosis), "    "))
    return "\n\n".join(parts)


def paragraphs(*texts: str) -> str:
    """Texts, wrapped, with what is empty left out."""
    return "\n".join(textwrap.fill(text, WIDTH, subsequent_indent="  ", break_long_words=False) for text in texts if text)
