"""The marks in a teacher's ``manual.py``: which lines are steps, their hints, and the mistakes that can be planted in them.

    dZ1 = dA1 * (Z1 > 0)  # step: dZ1
    # hint: the derivative of ReLU is 1 where its input was positive, and 0 elsewhere
    # mistake act_derivative_missing: dZ1 = dA1

A step is one line, ``NAME = expression``. Hints and mistakes are comments of their own lines below it. The student's file is
this one without the marks, and with one line changed.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from ..errors import DataError, did_you_mean

__all__ = ["Marked", "Mistake", "Step", "parse"]

STEP = re.compile(r"^(?P<indent>\s*)(?P<code>\S.*?)\s*#\s*step:\s*(?P<name>.*?)\s*$")
HINT = re.compile(r"^\s*#\s*hint:\s*(?P<text>.*?)\s*$")
MISTAKE = re.compile(r"^\s*#\s*mistake\b\s*(?P<label>[^:]*?)\s*:\s*(?P<code>.*?)\s*$")


@dataclass(frozen=True)
class Mistake:
    """A wrong line for a step, and the doctor's label of what is wrong with it."""

    label: str
    step: str
    code: str


@dataclass
class Step:
    """A line that can be left blank.

    Attributes
    ----------
    name : the variable that it computes
    code : the right line, without its indentation
    line : where it is in the student's file, from 0
    hint : a sentence that helps without telling; may be empty
    mistakes : what can be planted in its place
    """

    name: str
    code: str
    line: int
    indent: str = ""
    hint: str = ""
    mistakes: list[Mistake] = field(default_factory=list)


@dataclass
class Marked:
    """A solution with its marks read: the lines without them, and the steps, in the order of the file."""

    lines: list[str]
    steps: list[Step]

    @property
    def mistakes(self) -> list[Mistake]:
        """All mistakes that can be planted."""
        return [mistake for step in self.steps for mistake in step.mistakes]

    @property
    def solution(self) -> str:
        """The right file, without marks."""
        return "\n".join(self.lines) + "\n"

    def step(self, name: str) -> Step:
        """A step by its name; UnknownNameError if there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise did_you_mean("step", name, [step.name for step in self.steps])

    def blanked(self, name: str, shape: tuple[int, ...] | None = None) -> str:
        """The file with one step blank."""
        step = self.step(name)
        shapes = "" if shape is None else f", {shape_in_words(shape)}"
        return self.replaced(step, f"{step.name} = None  # TODO(you): compute {step.name}{shapes}")

    def planted(self, mistake: Mistake) -> str:
        """The file with one mistake."""
        return self.replaced(self.step(mistake.step), mistake.code)

    def replaced(self, step: Step, code: str) -> str:
        """The file with another line in the place of a step."""
        return "\n".join([*self.lines[: step.line], step.indent + code, *self.lines[step.line + 1 :]]) + "\n"


def shape_in_words(shape: tuple[int, ...]) -> str:
    """``shape (3, 2)``, or ``one number``."""
    return f"shape {shape}" if shape else "one number"


def parse(text: str, title: str = "manual.py") -> Marked:
    """Read the marks.

    >>> marked = parse("dz = da * a  # step: dz\\n# hint: σ'\\n# mistake sign_flipped: dz = -da * a\\nreturn_this = dz\\n")
    >>> print(marked.blanked("dz", (3,)))
    dz = None  # TODO(you): compute dz, shape (3,)
    return_this = dz
    <BLANKLINE>
    >>> marked.mistakes
    [Mistake(label='sign_flipped', step='dz', code='dz = -da * a')]

    Raises
    ------
    DataError
        If a mark cannot be read, in a sentence with its line; if there is no step at all.
    """
    found = Marked([], [])
    open_step: Step | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        where = f"{title}:{number}"
        if (hint := HINT.match(raw)) or (mistake := MISTAKE.match(raw)):
            if open_step is None:
                raise DataError(f"{where}: a hint or mistake belongs directly below the line of a step (got {raw.strip()!r})")
            if hint:
                open_step.hint = f"{open_step.hint} {hint['text']}".strip()
            elif mistake:
                open_step.mistakes.append(read_mistake(mistake["label"], mistake["code"], open_step, where))
            continue
        if step := STEP.match(raw):
            open_step = read_step(step, len(found.lines), where)
            if open_step.name in [other.name for other in found.steps]:
                raise DataError(f"{where}: there are two steps called {open_step.name}: give each a variable of its own")
            found.steps.append(open_step)
            found.lines.append(open_step.indent + open_step.code)
            continue
        open_step = None
        found.lines.append(raw)
    if not found.steps:
        raise DataError(f"{title} has no step: mark lines that can be left blank, dZ1 = dA1 * (Z1 > 0)  # step: dZ1")
    try:
        ast.parse(found.solution)
    except SyntaxError as error:
        raise DataError(f"{title} is not Python: {error.msg}, near {(error.text or '').strip()!r}") from error
    return found


def read_step(match: re.Match[str], line: int, where: str) -> Step:
    """A step out of its line."""
    name, code = match["name"], match["code"]
    if target(code) != name or not name.isidentifier():
        raise DataError(
            f"{where}: a step is one line NAME = expression, marked with the same name: {name or 'dZ1'} = …  "
            f"# step: {name or 'dZ1'} (got {code!r} for the step {name!r})"
        )
    return Step(name, code, line, match["indent"])


def read_mistake(label: str, code: str, step: Step, where: str) -> Mistake:
    """A mistake out of its line."""
    if not label.isidentifier() or target(code) != step.name:
        raise DataError(
            f"{where}: a mistake is a label and a line for the step {step.name}: # mistake sign_flipped: {step.name} = … "
            f"(got {label!r} and {code!r})"
        )
    return Mistake(label, step.name, code)


def target(code: str) -> str:
    """The variable that a line assigns to; empty if it is another kind of line."""
    try:
        body = ast.parse(code).body
    except SyntaxError:
        return ""
    if len(body) == 1 and isinstance(body[0], ast.Assign) and len(body[0].targets) == 1:
        name = body[0].targets[0]
        return name.id if isinstance(name, ast.Name) else ""
    return ""
