"""What the command ``tinygrad-mlp exercise`` does: new, grade, list."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from ..errors import DataError, SettingError, UnknownNameError
from .grading import grade
from .shelf import level, levels, of_teacher
from .writing import new

__all__ = ["add", "run"]

EXERCISE = """\
Exercises in backprop by hand. Each is a directory with a small network, its loss, and a file manual.py that computes
the gradients in plain NumPy, with one step left blank, or with one mistake to find. The gradient doctor grades it, step
by step.
"""

EXAMPLES = """\
examples:
  tinygrad-mlp exercise list
  tinygrad-mlp exercise new first --level 1         read first/exercise.md, edit first/manual.py
  tinygrad-mlp exercise grade first

exit codes: 0 all is well, 1 something is not right yet, 2 the command or the files cannot be used
"""

NEW = """\
Write an exercise into DIR, which must be empty or not exist yet. All files appear at once: exercise.md (the task),
manual.py (yours to edit), loss.py, data.py or data.npz, exercise.json. The seed chooses the numbers, and which step is
blank or which mistake is planted.

With --from, the exercise is a teacher's own: a directory with loss.py, manual.py (the right solution, in which lines are
marked `# step: NAME`, and mistakes as `# mistake LABEL: line`), data.py or data.npz, and perhaps task.md. Its files are
run.
"""

NEW_EXAMPLES = """\
examples:
  tinygrad-mlp exercise new relu --level 3                          a step of the seed's choice is blank
  tinygrad-mlp exercise new relu --level 3 --step dZ1               this one
  tinygrad-mlp exercise new hunt --level 4 --plant --seed 7         a mistake to find, of the seed's choice
  tinygrad-mlp exercise new hunt --level 4 --plant transposed       this one
  tinygrad-mlp exercise new mine --from TEACHER_DIR --step dZ1      a teacher's own

exit codes: 0 written, 2 the command, the directory or the teacher's files cannot be used
"""

GRADE = """\
Run DIR/manual.py and grade it. Every step is judged with your own values before it, so that a mistake counts once and
not again in each step behind it. The first step that is not right comes with a hint and with what the doctor reads from
the numbers; --solution adds the right line.

The files in DIR are imported and run, with all that they may do: grade only what you would run yourself.
"""

GRADE_EXAMPLES = """\
examples:
  tinygrad-mlp exercise grade relu
  tinygrad-mlp exercise grade relu --solution

exit codes: 0 all right, 1 something is wrong or still blank, 2 cannot be graded (a file is missing, was changed, or is not Python)
"""

LIST = """\
Show the levels: the steps that can be left blank, and the mistakes that can be planted.
"""

LIST_EXAMPLES = """\
exit codes: 0
"""


def add(commands: Any) -> None:
    """Add ``exercise`` to the subparsers of the command line."""

    def parser(where: Any, name: str, short: str, text: str, examples: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = where.add_parser(
            name, help=short, description=text, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        return made

    top = parser(commands, "exercise", "backprop exercises: fill in a step, find a mistake, be graded", EXERCISE, EXAMPLES)
    actions = top.add_subparsers(dest="action", metavar="action", required=True)
    making = parser(actions, "new", "write an exercise into a directory", NEW, NEW_EXAMPLES)
    making.add_argument("folder", metavar="DIR", help="where to; it must be empty or not exist yet")
    source = making.add_mutually_exclusive_group(required=True)
    source.add_argument("--level", type=int, metavar="N", help="1 to 6: see tinygrad-mlp exercise list")
    source.add_argument("--from", dest="teacher", metavar="TEACHER_DIR", help="a teacher's own exercise; its files are run")
    making.add_argument(
        "--step", metavar="NAME", help="the step to leave blank, or to plant a mistake in (default: chosen by the seed)"
    )
    making.add_argument(
        "--plant", nargs="?", const=True, default=False, metavar="LABEL", help="a mistake to find, in place of a blank"
    )
    making.add_argument("--seed", type=int, default=0, metavar="S", help="for the numbers and the choice (default: 0)")
    grading = parser(actions, "grade", "run the student's file and grade it, step by step", GRADE, GRADE_EXAMPLES)
    grading.add_argument("folder", metavar="DIR", help="the exercise; its files are run")
    grading.add_argument("--solution", action="store_true", help="show the right line of the first step that is not right")
    parser(actions, "list", "show the levels", LIST, LIST_EXAMPLES)


def run(arguments: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    try:
        code, text = ACTIONS[arguments.action](arguments)
    except (DataError, SettingError, UnknownNameError) as error:
        print(f"tinygrad-mlp: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tinygrad-mlp: interrupted", file=sys.stderr)
        return 130
    print(text, flush=True)
    return code


def make(arguments: argparse.Namespace) -> tuple[int, str]:
    """``exercise new``."""
    exercise = level(arguments.level) if arguments.teacher is None else of_teacher(arguments.teacher)
    new(arguments.folder, exercise, step=arguments.step, plant=arguments.plant, seed=arguments.seed)
    folder = Path(arguments.folder)
    return 0, (
        f"Written to {folder}{os.sep}. Read {folder / 'exercise.md'}, edit {folder / 'manual.py'}, then:\n"
        f"    tinygrad-mlp exercise grade {shlex.quote(str(folder))}"
    )


def judge(arguments: argparse.Namespace) -> tuple[int, str]:
    """``exercise grade``."""
    found = grade(arguments.folder)
    return 0 if found.ok else 1, found.text(arguments.solution)


def show(arguments: argparse.Namespace) -> tuple[int, str]:
    """``exercise list``."""
    parts = []
    for exercise in levels():
        steps = ", ".join(step.name for step in exercise.marked.steps)
        mistakes = ", ".join(dict.fromkeys(mistake.label for mistake in exercise.marked.mistakes))
        parts.append(f"{exercise.number}  {exercise.title}\n   steps: {steps}\n   mistakes: {mistakes}")
    return 0, "\n".join(parts)


ACTIONS = {"new": make, "grade": judge, "list": show}
