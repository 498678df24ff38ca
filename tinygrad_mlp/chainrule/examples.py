"""The computations that commands work on: a network by its sizes, a function in a user's file; each with example inputs."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, SettingError, did_you_mean, is_interrupt
from ..kernels.shapes import Array
from ..nn import MLP
from ..nn.losses import loss_named
from ..options import ADDRESSES
from ..rules import sigmoid, softmax

__all__ = ["Computation", "Network", "function_in", "loaded", "network"]


class Network(NamedTuple):
    """An MLP, the name of its loss and the loss as a function, and a batch of random numbers."""

    model: MLP
    criterion: str
    loss: Callable[[Any, Any], Any]
    X: Array
    y: Array


def network(sizes: Sequence[int], activation: str, loss_name: str, batch_size: int, dtype: str) -> Network:
    """An MLP by its sizes, the same one every time.

    Raises
    ------
    SettingError, UnknownNameError
        If the sizes make no network, or a name is not known.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise SettingError(f"a network needs two widths at least, input first, all positive: --sizes 784,128,10 (got {sizes})")
    if batch_size < 1:
        raise SettingError(f"the batch size must be at least 1 (got {batch_size})")
    if batch_size * max(sizes) >= ADDRESSES:
        raise SettingError(f"a batch of {batch_size} rows does not fit into any memory: choose a smaller one")
    if dtype not in ("float32", "float64"):
        raise did_you_mean("dtype", dtype, ("float32", "float64"))
    criterion = loss_named(loss_name)
    rng = np.random.default_rng(0)
    model = MLP(list(sizes), activation, dtype=np.dtype(dtype), rng=rng)
    X = rng.standard_normal((batch_size, sizes[0])).astype(dtype)
    labels = rng.integers(0, sizes[-1], batch_size)
    y = labels if criterion.name.startswith("cross_entropy") else np.eye(sizes[-1], dtype=dtype)[labels]
    output = {"cross_entropy_probabilities": softmax, "bce_probabilities": sigmoid}.get(criterion.name)

    def loss(X: Any, y: Any) -> Any:
        out = model(X)
        return criterion(out if output is None else output(out), y)

    return Network(model, criterion.name, loss, X, y)


class Computation(NamedTuple):
    """A function of a user's file with its example inputs, and the module that the file is."""

    function: Callable[..., Any]
    inputs: list[Any]
    module: ModuleType
    place: str


def function_in(target: str) -> Computation:
    """What FILE:FUNCTION names. The file is run.

    Raises
    ------
    DataError
        If there is no such file or function, if the file fails, or has no example inputs.
    """
    path, _, title = target.rpartition(":")
    if not path or not title.isidentifier():
        raise DataError(f"expected FILE:FUNCTION, such as model.py:loss (got {target!r})")
    module = loaded(Path(path))
    function = getattr(module, title, None)
    if function is None:
        known = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        raise DataError(f"{path}: {did_you_mean('function', title, known)}")
    if not callable(function):
        raise DataError(f"{path}: {title} is no function but {type(function).__name__}")
    if inspect.iscoroutinefunction(function):
        raise DataError(f"{path}: {title} is a coroutine: define a function that returns the loss itself")
    if isinstance(function, type):
        raise DataError(f"{path}: {title} is a class: define a function that returns the loss")
    return Computation(function, examples(module, function, path), module, f"{path}:{title}")


def loaded(path: Path) -> ModuleType:
    """The file as a module; files beside it can be imported by it."""
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise DataError(f"{path} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    kept, sys.path[:] = list(sys.path), [str(path.resolve().parent), *sys.path]
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        if is_interrupt(error):
            raise
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = f"{path}:{frames[-1].lineno}" if frames else str(path)
        raise DataError(f"{line} fails: {type(error).__name__}: {error}") from error
    finally:
        sys.path[:] = kept
    return module


def examples(module: ModuleType, function: Any, path: str) -> list[Any]:
    """The example inputs of a function: the variable ``inputs``, or the variables that are called like its arguments."""
    given = vars(module)
    if "inputs" in given:
        found = given["inputs"]
        return list(found) if isinstance(found, (tuple, list)) else [found]
    found, missing = [], []
    for p in inspect.signature(function).parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.KEYWORD_ONLY):
            continue
        if p.name in given:
            found.append(given[p.name])
        elif p.default is p.empty:
            missing.append(p.name)
        else:
            break
    if missing:
        raise DataError(
            f"{path}: {function.__name__}() takes {' and '.join(missing)}, of which there is no example: define a variable "
            f"of that name in the file, {missing[0]} = np.zeros((32, 10)), or inputs = (…,) with all of them"
        )
    return found
