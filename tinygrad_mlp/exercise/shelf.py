"""Where exercises come from: the levels of the package, and directories of teachers, in one format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError, did_you_mean
from .markup import Marked, parse

__all__ = ["Exercise", "level", "levels", "of_teacher", "read"]

SHELF = Path(__file__).parent / "levels"
DATA = ("data.py", "data.npz")


@dataclass
class Exercise:
    """An exercise as its author wrote it.

    Attributes
    ----------
    folder : where it is
    number : its level; ``None`` for a teacher's own
    title : the first heading of task.md, or the folder's name
    task : what the student is told: task.md, or else the docstring of manual.py
    text : manual.py with its marks
    marked : the same, read
    loss : the text of loss.py
    data : the name of the file with the data, and its bytes
    """

    folder: Path
    number: int | None
    title: str
    task: str
    text: str
    marked: Marked
    loss: str
    data: tuple[str, bytes]


def levels() -> list[Exercise]:
    """The levels of the package, the easiest first."""
    folders = [folder for folder in SHELF.iterdir() if folder.name[:1].isdigit()]
    return [
        read(folder, int(folder.name.partition("_")[0])) for folder in sorted(folders, key=lambda f: int(f.name.partition("_")[0]))
    ]


def level(number: int) -> Exercise:
    """One level of the package.

    Raises
    ------
    UnknownNameError
        If there is no such level.
    """
    for folder in SHELF.glob(f"{number}_*"):
        return read(folder, number)
    known = sorted(folder.name.partition("_")[0] for folder in SHELF.iterdir() if folder.name[:1].isdigit())
    raise did_you_mean("level", number, known)


def of_teacher(folder: str | Path) -> Exercise:
    """An exercise in a directory of a teacher's own.

    Raises
    ------
    DataError
        If a file is missing, or cannot be read.
    """
    return read(Path(folder), None)


def read(folder: Path, number: int | None) -> Exercise:
    """The files of an exercise."""
    if not folder.is_dir():
        raise DataError(f"there is no directory {folder}: it holds loss.py, manual.py, and data.py or data.npz")
    names = [name for name in DATA if (folder / name).is_file()]
    missing = [name for name in ("loss.py", "manual.py") if not (folder / name).is_file()] + (["data.py"] if not names else [])
    if missing:
        raise DataError(f"{folder} has no {' and no '.join(missing)}: an exercise is loss.py, manual.py, and data.py or data.npz")
    if len(names) > 1:
        raise DataError(f"{folder} has data.py and data.npz: keep one of them")
    text = read_text(folder / "manual.py")
    marked = parse(text, str(folder / "manual.py"))
    task = read_text(folder / "task.md") if (folder / "task.md").is_file() else ""
    first = task.partition("\n")[0]
    title = first.lstrip("# ") if first.startswith("#") else folder.resolve().name
    if not task:
        task = f"# {title}\n\nThe computation is that of `loss.py`; `manual.py` computes its gradients by hand."
    return Exercise(
        folder, number, title, task, text, marked, read_text(folder / "loss.py"), (names[0], read_bytes(folder / names[0]))
    )


def read_text(path: Path) -> str:
    """A text file, or a DataError that says why not."""
    try:
        return read_bytes(path).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: save it as UTF-8") from error


def read_bytes(path: Path) -> bytes:
    """A file's bytes, or a DataError that says why not."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
