"""Writing an exercise: all of its files appear at once, or none."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..doctor import diagnose
from ..errors import DataError, SettingError, did_you_mean
from ..version import __version__
from .markup import Marked, Mistake, Step, shape_in_words
from .running import data_of, function_of, load, watched
from .shelf import Exercise

__all__ = ["FORMAT", "covered", "new", "uncovered"]

FORMAT = 1
"""The version of exercise.json."""

GRADE = """\
## How to work on it

`manual.py` is your file; leave `loss.py`, `{data}` and `exercise.json` as they are. Save, and run, from the directory above,

    tinygrad-mlp exercise grade {name}

It says for each step whether it is right, taken for itself: a mistake is counted once, not again in each step that uses its
result. When you are stuck, `--solution` shows the answer to the first step that is not right.
"""


def new(
    folder: str | Path,
    exercise: Exercise,
    *,
    step: str | None = None,
    plant: str | bool = False,
    seed: int = 0,
) -> Path:
    """Write an exercise into a directory that is empty, or does not exist yet.

    Parameters
    ----------
    folder : where to
    exercise : of :func:`level` or :func:`of_teacher`
    step : the step to leave blank, or to plant the mistake in; chosen by the seed if it is not given
    plant : a mistake to find in place of a blank: its label, or ``True`` for one that the seed chooses
    seed : for the numbers, and for what is chosen

    Raises
    ------
    DataError, SettingError, UnknownNameError
        If there is no such step or mistake, if the directory cannot be used, or the author's solution is not right.
    """
    if seed < 0:
        raise SettingError(f"--seed must be at least 0 (got {seed})")
    out = usable(Path(folder))
    marked = exercise.marked
    rng = np.random.default_rng([seed, 1])
    name = step if step is not None else marked.steps[int(rng.integers(len(marked.steps)))].name
    candidates = shuffled_mistakes(marked, plant, step, rng) if plant else []
    blank = marked.step(name)
    shapes, mistake = proven(exercise, candidates, seed)
    if mistake is not None:
        blank = marked.step(mistake.step)
    text = marked.planted(mistake) if mistake is not None else marked.blanked(blank.name, shapes.get(blank.name))
    files = {
        "manual.py": text.encode(),
        "loss.py": exercise.loss.encode(),
        exercise.data[0]: exercise.data[1],
        "exercise.md": sheet(exercise, blank, mistake, shapes.get(blank.name), out.name).encode(),
    }
    about = {
        "format": FORMAT,
        "version": __version__,
        "level": exercise.number,
        "title": exercise.title,
        "kind": "blank" if mistake is None else "mistake",
        "step": blank.name if mistake is None else None,
        "seed": seed,
        "data": exercise.data[0],
        "unchanged": {name: digest(files[name]) for name in ("loss.py", exercise.data[0])},
        "answers": covered({"manual": exercise.text, "label": mistake and mistake.label}),
    }
    files["exercise.json"] = (json.dumps(about, indent=2) + "\n").encode()
    write(out, files)
    return out


def shuffled_mistakes(marked: Marked, plant: str | bool, step: str | None, rng: np.random.Generator) -> list[Mistake]:
    """The mistakes that can be planted, in the order in which the seed would have them."""
    if step is not None:
        marked.step(step)
    here = [mistake for mistake in marked.mistakes if step is None or mistake.step == step]
    if not here:
        where = "this exercise" if step is None else f"the step {step}"
        raise DataError(f"no mistakes are written down for {where}: leave a step blank, without --plant")
    fitting = [mistake for mistake in here if plant is True or mistake.label == plant]
    if not fitting:
        raise did_you_mean("mistake", plant, dict.fromkeys(mistake.label for mistake in here))
    return [fitting[int(i)] for i in rng.permutation(len(fitting))]


def proven(exercise: Exercise, candidates: list[Mistake], seed: int) -> tuple[dict[str, tuple[int, ...]], Mistake | None]:
    """The shapes of the steps, and the first mistake that shows; refused if the author's solution is wrong, or none shows."""
    path = exercise.folder / "manual.py"
    manual = function_of(load(path, exercise.marked.solution), "manual")
    X, y, params = data_of(exercise.folder, exercise.data[0], seed)
    run = watched(manual, X, y, params, path)
    if run.raised is not None:
        raise DataError(f"{run.where}: the solution itself fails: {type(run.raised).__name__}: {run.raised}")
    if not isinstance(run.returned, dict):
        raise DataError(f"{path}: manual must return a dict of name to gradient (got {type(run.returned).__name__})")
    loss = function_of(load(exercise.folder / "loss.py"), "loss")
    found = diagnose(loss, manual, X, y, params, seconds=2.0)
    if not found.ok or found.elsewhere:
        what = ", ".join(found.wrong) or "; ".join(found.elsewhere)
        raise DataError(f"{path}: the solution itself is not right ({what}): print tg.check.diagnose(…) of it to see why")
    shapes = {step.name: np.shape(run.final[step.name]) for step in exercise.marked.steps if step.name in run.final}
    for mistake in candidates:
        planted = function_of(load(path, exercise.marked.planted(mistake)), "manual")
        if not diagnose(loss, planted, X, y, params, seconds=0.1).ok:
            return shapes, mistake
    if candidates:
        raise DataError(
            f"{path}: the mistake {candidates[0].label} ({candidates[0].code}) changes no gradient with seed {seed}: "
            f"take another --seed"
        )
    return shapes, None


def sheet(exercise: Exercise, step: Step, mistake: Mistake | None, shape: tuple[int, ...] | None, name: str) -> str:
    """exercise.md."""
    if mistake is None:
        size = "" if shape is None else f" It has {shape_in_words(shape)}." if shape else " It is one number."
        task = (
            f"## Your task: fill in {step.name}\n\n`manual.py` computes the gradients of the loss by hand, all but one step. In "
            f"line {step.line + 1} it says `{step.name} = None`: write what it should be, in plain NumPy.{size} "
            "What is above it in the file is right and can be used."
        )
    else:
        task = (
            "## Your task: find the mistake\n\n`manual.py` computes the gradients by hand, completely, and with one mistake. "
            "One line is wrong. Find it by thinking, or by looking at numbers and shapes, and correct it."
        )
    return f"{exercise.task.rstrip()}\n\n{task}\n\n{GRADE.format(data=exercise.data[0], name=name)}"


def covered(answers: dict[str, Any]) -> str:
    """The answers so that nobody reads them by accident. It is no lock: ``--solution`` shows them anyway."""
    return base64.b64encode(zlib.compress(json.dumps(answers).encode())).decode()


def uncovered(text: str) -> dict[str, Any]:
    """The answers again; ValueError if the text is none of ours."""
    try:
        found = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict) or not isinstance(found.get("manual"), str):
        raise ValueError("no answers")
    return found


def digest(content: bytes) -> str:
    """A fingerprint, line endings aside: an editor or git may have changed those."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()[:16]


def usable(folder: Path) -> Path:
    """The directory, resolved; refused if something is in it."""
    try:
        out = folder.resolve()
        if out.is_dir():
            if any(out.iterdir()):
                raise DataError(f"{folder} is not empty: name a new directory")
            if out == Path.cwd():
                raise DataError(f"{folder} is where you are: name a directory inside it, tinygrad-mlp exercise new NAME")
        elif out.exists():
            raise DataError(f"{folder} is a file: name a new directory")
    except OSError as error:
        raise DataError(f"cannot use {folder}: {error.strerror or error}") from error
    return out


def write(out: Path, files: dict[str, bytes]) -> None:
    """All files at once: they are written into a directory beside, which then takes the name."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name[:50]}.", dir=out.parent))
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror or error}") from error
    try:
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o777 & ~mask)
        if os.name == "nt" and out.is_dir():  # there a rename does not replace an empty directory
            out.rmdir()
        temporary.rename(out)
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        if temporary.exists():
            with contextlib.suppress(OSError):
                shutil.rmtree(temporary)
