"""Running the files of an exercise: they are code of their authors, imported and called, and watched line by line."""

from __future__ import annotations

import contextlib
import copy
import io
import linecache
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np

from ..errors import DataError, is_interrupt

__all__ = ["Run", "data_of", "function_of", "load", "watched"]

MISSING = object()


def load(path: Path, text: str | None = None) -> ModuleType:
    """A file as a module. Files beside it can be imported by it; what they bring is forgotten afterwards, so that the next
    exercise gets its own.

    Raises
    ------
    DataError
        If there is no such file, if it is not Python, or fails when it is imported.
    """
    if text is None:
        if not path.is_file():
            raise DataError(f"there is no file {path}")
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {path}: {error}") from error
    linecache.checkcache(str(path))  # the lines that are shown are those of now
    module = ModuleType(f"exercise_{path.stem}")
    module.__file__ = str(path)
    try:
        code = compile(text, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise DataError(f"{path}{f':{line}' if line else ''} is not Python: {getattr(error, 'msg', error)}") from error
    with beside(path.resolve().parent):
        try:
            exec(code, module.__dict__)  # noqa: S102  running the user's file is what was asked for
        except BaseException as error:
            if is_interrupt(error):
                raise
            raise DataError(f"{place(error, path)} fails when it is imported: {type(error).__name__}: {error}") from error
    return module


@contextlib.contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Imports find the files of a folder, without leaving a trace."""
    path, bytecode, known = list(sys.path), sys.dont_write_bytecode, set(sys.modules)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.path[:] = path
        sys.dont_write_bytecode = bytecode
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).resolve().is_relative_to(folder):
                del sys.modules[name]


def place(error: BaseException, path: Path) -> str:
    """``file:line`` where a file of the user's failed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}:{frames[-1].lineno}" if frames else str(path)


def function_of(module: ModuleType, name: str) -> Callable[..., Any]:
    """The function that a file must define."""
    function = getattr(module, name, None)
    if not callable(function):
        arguments = "seed" if name == "data" else "X, y, params"
        raise DataError(f"{module.__file__} defines no function {name}({arguments})")
    return function  # type: ignore[no-any-return]


def data_of(folder: Path, name: str, seed: int) -> tuple[Any, Any, dict[str, Any]]:
    """X, y and the parameters: what ``data(seed)`` returns, or the arrays of data.npz, of which X and y are the data.

    Raises
    ------
    DataError
        If the file cannot be used.
    """
    path = folder / name
    if name.endswith(".npz"):
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
        except Exception as error:  # a zip that is none, a pickle, an array cut short: each has an exception of its own
            raise DataError(f"{path} is no file of plain arrays: write it with np.savez (got {type(error).__name__})") from error
        found: Any = (arrays.pop("X", None), arrays.pop("y", None), arrays)
    else:
        try:
            found = function_of(load(path), "data")(seed)
        except DataError:
            raise
        except BaseException as error:
            if is_interrupt(error):
                raise
            raise DataError(f"{place(error, path)} fails: {type(error).__name__}: {error}") from error
    if not (isinstance(found, tuple) and len(found) == 3 and isinstance(found[2], Mapping) and found[2]):
        raise DataError(f"{path} must give X, y and a dict of parameters: def data(seed): … return X, y, {{'W1': …}}")
    return found[0], found[1], dict(found[2])


@dataclass
class Run:
    """One call of ``manual(X, y, params)``, watched.

    Attributes
    ----------
    bound : the local variables as they were when they were assigned
    final : the local variables as they were at the end: an array may have been written into meanwhile
    returned : what came back; ``None`` if it raised
    raised : what it raised
    where : the file and line of that
    printed : what it printed
    """

    bound: dict[str, Any] = field(default_factory=dict)
    final: dict[str, Any] = field(default_factory=dict)
    returned: Any = None
    raised: BaseException | None = None
    where: str = ""
    printed: str = ""


def watched(manual: Callable[..., Any], X: Any, y: Any, params: Mapping[str, Any], path: Path) -> Run:
    """Call ``manual`` with copies, and note its local variables."""
    run = Run()
    code = getattr(manual, "__code__", None)
    seen: dict[str, Any] = {}

    def look(frame: FrameType) -> None:
        for name, value in frame.f_locals.items():
            if seen.get(name, MISSING) is not value:
                seen[name] = value
                run.bound[name] = value.copy() if isinstance(value, np.ndarray) else value
        run.final = dict(frame.f_locals)

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        look(frame)
        return line

    def call(frame: FrameType, event: str, argument: Any) -> Any:
        return line if isinstance(code, CodeType) and frame.f_code is code else None

    arguments = copy.deepcopy((X, y, dict(params)))
    before, printed = sys.gettrace(), io.StringIO()
    with np.errstate(all="ignore"), contextlib.redirect_stdout(printed), beside(path.resolve().parent):
        sys.settrace(call)
        try:
            run.returned = manual(*arguments)
        except BaseException as error:
            if is_interrupt(error):
                raise
            run.raised, run.where = error, place(error, path)
        finally:
            sys.settrace(before)
    run.printed = printed.getvalue()
    return run
