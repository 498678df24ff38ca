"""A directory that a student hands in: its files checked, run, and given to the doctor."""

from __future__ import annotations

import contextlib
import functools
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..doctor import Diagnosis, diagnose
from ..errors import DataError, is_interrupt
from .markup import Marked, parse
from .running import Run, data_of, function_of, load, watched
from .shelf import read_bytes
from .writing import FORMAT, digest, uncovered

__all__ = ["HandedIn", "examine"]

NO_EXERCISE = "write one: tinygrad-mlp exercise new NAME --level 1"


@dataclass
class HandedIn:
    """What was found in the directory.

    Attributes
    ----------
    folder : where
    about : exercise.json
    marked, label : the author's solution with its marks; the label of the planted mistake, if there is one
    names : the variable that holds each parameter's gradient in the solution
    right, student : the solution and the student's function, run and watched
    lines : the student's file
    module : the names of the author's module, for single lines of it
    diagnosis : the doctor's; ``None`` where the student's function failed or a blank is left
    """

    folder: Path
    about: dict[str, Any]
    marked: Marked
    label: str | None
    names: dict[str, str]
    right: Run
    student: Run
    lines: list[str]
    module: dict[str, Any]
    diagnosis: Diagnosis | None = None

    def line_of(self, name: str) -> int | None:
        """The line of the student's file that assigns a variable, counted from 1: the last one if there are several."""
        found = [i for i, text in enumerate(self.lines, 1) if text.strip().partition("=")[0].strip() == name and "=" in text]
        return found[-1] if found else None


def examine(folder: str | Path, seconds: float = 8.0) -> HandedIn:
    """Read the directory, run its files, call the doctor.

    Raises
    ------
    DataError
        If it cannot be graded: no exercise, a file that is missing, was changed, or is not Python.
    """
    folder = Path(folder)
    about = read_about(folder)
    for name, mark in about["unchanged"].items():
        if not (folder / name).is_file():
            raise DataError(f"{folder / name} is missing: it belongs to the exercise")
        if digest(read_bytes(folder / name)) != mark:
            raise DataError(f"{folder / name} is not the file that the exercise came with: put it back, and change manual.py alone")
    answers = uncovered(about["answers"])
    marked = parse(answers["manual"])
    path = folder / "manual.py"
    module = load(path)
    manual = function_of(module, "manual")
    author = load(path, marked.solution)
    X, y, params = data_of(folder, about["data"], about["seed"])
    right = watched(function_of(author, "manual"), X, y, params, path)
    if right.raised is not None:
        raise DataError(
            f"the exercise's own solution fails here: {type(right.raised).__name__}: {right.raised}: write the exercise anew"
        )
    names = {
        parameter: name
        for parameter, gradient in right.returned.items()
        for name, value in right.final.items()
        if value is gradient
    }
    student = watched(manual, X, y, params, path)
    lines = read_bytes(path).decode("utf-8-sig", errors="replace").splitlines()
    found = HandedIn(folder, about, marked, answers.get("label"), names, right, student, lines, vars(author))
    blank = any(step.name in student.final and student.final[step.name] is None for step in marked.steps)
    if student.raised is None and not blank:
        loss = function_of(load(folder / "loss.py"), "loss")

        @functools.wraps(manual)
        def ask(X: Any, y: Any, params: Any) -> Any:
            with contextlib.redirect_stdout(io.StringIO()):  # what it prints was seen in the first call
                return manual(X, y, params)

        try:
            found.diagnosis = diagnose(loss, manual if not student.printed else ask, X, y, params, seconds=seconds)
        except BaseException as error:
            if isinstance(error, Exception) or is_interrupt(error):
                raise
            raise DataError(f"{path} ends the program on some data ({type(error).__name__}): return the gradients") from error
    return found


def read_about(folder: Path) -> dict[str, Any]:
    """exercise.json, checked."""
    path = folder / "exercise.json"
    if not folder.is_dir():
        raise DataError(f"there is no directory {folder}: {NO_EXERCISE}")
    if not path.is_file():
        raise DataError(f"{folder} is no exercise, it has no exercise.json: {NO_EXERCISE}")
    try:
        about = json.loads(read_bytes(path))
        if about["format"] != FORMAT:
            raise DataError(
                f"{path} has format {about['format']}, this version of tinygrad_mlp reads format {FORMAT}: write the exercise anew"
            )
        uncovered(about["answers"])
        fits = isinstance(about["seed"], int) and about["data"] in about["unchanged"] and "loss.py" in about["unchanged"]
        plain = all(Path(name).name == name for name in about["unchanged"])
        if not (fits and plain and isinstance(about["title"], str) and about["kind"] in ("blank", "mistake")):
            raise ValueError
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} was changed or cut short: put back the one that the exercise came with") from error
    return dict(about)
