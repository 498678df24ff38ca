"""The question, put in order: the user's two functions, called with copies, and what they return made comparable."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, TensorTypeError, is_interrupt
from ..kernels.shapes import Array
from ..tensor import Tensor
from ..trees import leaves
from .tape import Tape

__all__ = ["Answer", "Case", "UnjudgeableError", "as_gradients", "described", "mapped", "read_gradients"]

Loss = Callable[[Any, Any, dict[str, Any]], Any]
Manual = Callable[[Any, Any, dict[str, Any]], Any]


class UnjudgeableError(DataError):
    """The question cannot be answered: the loss itself cannot be used."""


class Answer(NamedTuple):
    """What a backprop by hand returned.

    Attributes
    ----------
    gradients : the arrays by the parameter's name; those that are missing are not in it
    remarks : what was odd, in sentences
    raised : the exception, if it did not return
    changed : the parameters that it wrote into
    """

    gradients: dict[str, Array]
    remarks: list[str]
    raised: BaseException | None = None
    changed: tuple[str, ...] = ()


def batch_of(X: Any, y: Any) -> tuple[int, int]:
    """The number of samples and their axis: the common length of X and y, first or last; 1 for a single sample."""
    x = next((a for a in leaves(X) if isinstance(a, np.ndarray)), None)
    t = next((a for a in leaves(y) if isinstance(a, np.ndarray)), None)
    if x is None or x.ndim == 0:
        return 1, 0
    if t is None or t.ndim == 0:
        return (len(x), 0) if x.ndim > 1 else (1, 0)
    if len(x) == len(t):
        return len(x), 0
    if x.ndim > 1 and x.shape[-1] == t.shape[-1]:  # samples are columns: Z = W X + b
        return x.shape[-1], -1
    return (len(x), 0) if x.ndim > 1 else (1, 0)


def mapped(tree: Any, f: Callable[[Any], Any]) -> Any:
    """A tree with f of each of its ends."""
    if isinstance(tree, dict):
        return {key: mapped(branch, f) for key, branch in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)([mapped(branch, f) for branch in tree]) if type(tree) in (tuple, list) else tree
    return f(tree)


def as_floating(x: Any) -> Array:
    """A parameter as an array of floating numbers."""
    try:
        array = np.array(x.array if isinstance(x, Tensor) else x)
    except ValueError:
        raise UnjudgeableError("a parameter is an array of numbers; this one has rows of different lengths") from None
    if array.dtype.kind in "biu":
        array = array.astype(np.float64)
    if array.dtype.kind != "f":
        raise UnjudgeableError(f"a parameter is an array of real numbers, not {array.dtype}")
    return array


def described(error: BaseException) -> str:
    """An exception of the user's in a line, whatever its text does."""
    try:
        return f"{type(error).__name__}: {error}".rstrip()
    except Exception:  # its own __str__ fails
        return type(error).__name__


def wide(x: Any) -> Any:
    """Floating arrays in float64, everything else as it is."""

    def widened(a: Any) -> Any:
        return a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else copy.deepcopy(a)

    return mapped(x, widened)


class Case:
    """A loss, a backprop by hand, and the data on which they are compared.

    Raises
    ------
    UnjudgeableError
        If the loss fails, is no number, is not the same when it is computed again, or depends on none of the parameters.
    """

    def __init__(self, loss: Loss, manual: Manual | None, X: Any, y: Any, params: Mapping[str, Any]) -> None:
        if not callable(loss) or not (manual is None or callable(manual)):
            raise TensorTypeError("diagnose(loss, manual, X, y, params) takes two functions of (X, y, params), loss and manual")
        if not isinstance(params, Mapping) or not params:
            raise TensorTypeError(f"params is a dict of name to array, with at least one parameter (got {type(params).__name__})")
        self.loss, self.manual = loss, manual
        self.X, self.y = as_data(X), as_data(y)
        self.params = {str(name): as_floating(value) for name, value in params.items()}
        self.keys = {str(name): name for name in params}
        """The user's own names, which may be no strings."""
        self.m, self.axis = batch_of(self.X, self.y)
        given = [*(("X", a) for a in leaves(self.X)), *(("y", a) for a in leaves(self.y)), *self.params.items()]
        for name, array in given:
            if isinstance(array, np.ndarray) and array.dtype.kind == "f" and not np.isfinite(array).all():
                raise UnjudgeableError(f"{name} holds NaN or infinity: no gradient can be judged there")
        floating = [a.dtype for a in (*leaves(self.X), *self.params.values()) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
        self.precision = np.dtype(min(floating, key=lambda dtype: dtype.itemsize))
        """The coarsest dtype of the data: that of the user's arithmetic."""

    def at(self, X: Any, y: Any, params: Mapping[str, Any]) -> Case:
        """The same functions with other data."""
        return Case(self.loss, self.manual, X, y, {self.keys.get(str(n), n): p for n, p in params.items()})

    def part(self, rows: Sequence[int]) -> Case:
        """The same functions with some of the samples."""

        def taken(a: Any) -> Any:
            has = isinstance(a, np.ndarray) and a.ndim and a.shape[self.axis] == self.m
            return np.take(a, rows, axis=self.axis) if has else a

        return self.at(mapped(self.X, taken), mapped(self.y, taken), self.params)

    def tape(self) -> Tape:
        """The true backward pass, in float64."""
        leaves = {name: Tensor(wide(p), requires_grad=True) for name, p in self.params.items()}
        try:
            value = self.loss(wide(self.X), copy.deepcopy(self.y), {self.keys[n]: leaf for n, leaf in leaves.items()})
        except Exception as error:
            raise UnjudgeableError(
                f"the loss cannot be computed: loss(X, y, params) raised {type(error).__name__}: {error}"
            ) from error
        if not isinstance(value, Tensor):
            raise UnjudgeableError(
                f"loss(X, y, params) returned {type(value).__name__}, not a Tensor: write it with tinygrad_mlp's functions, "
                f"operators and NumPy's; the parameters arrive as Tensors"
            )
        if value.array.size != 1:
            raise UnjudgeableError(
                f"loss(X, y, params) returned shape {value.shape}, but a loss is one number: end with a mean or a sum"
            )
        if not np.isfinite(value.array).all():
            raise UnjudgeableError(f"the loss is {float(value)}: no gradient can be judged there")
        if not any(p.op is None and p.tracked for p in leaves.values()) or not value.tracked:
            raise UnjudgeableError("the loss depends on none of the parameters: it must compute with params[name]")
        return Tape(value, leaves)

    def ask(self) -> Answer:
        """Call the backprop by hand with copies of the data."""
        if self.manual is None:
            raise TensorTypeError("there is no function to ask: only gradients were given")
        X, y, params = copy.deepcopy(self.X), copy.deepcopy(self.y), {n: p.copy() for n, p in self.params.items()}
        kept = {n: p.copy() for n, p in params.items()}
        given = {self.keys[n]: p for n, p in params.items()}
        try:
            with np.errstate(all="ignore"):
                result = self.manual(X, y, given)
        except BaseException as error:  # whatever the user's code raises is the finding
            if is_interrupt(error):
                raise
            return Answer({}, [], error)
        changed = tuple(n for n, p in params.items() if not np.array_equal(p, kept[n], equal_nan=True))
        replaced = tuple(n for n in params if given.get(self.keys[n], params[n]) is not params[n])
        answer = read_gradients(result, self.params)
        return answer._replace(changed=tuple(dict.fromkeys((*changed, *replaced))))


def as_data(x: Any) -> Any:
    """Data as the user's functions get them: lists of numbers as arrays; Tensors as their arrays; others untouched."""
    if isinstance(x, Tensor):
        return x.array.copy()
    if isinstance(x, (list, tuple)):
        if any(isinstance(part, (np.ndarray, Tensor, dict, str)) for part in leaves(x)):
            return mapped(x, as_data)
        try:
            array = np.asarray(x)
        except ValueError:
            return x
        return array if array.dtype.kind in "biuf" else x
    return x.copy() if isinstance(x, np.ndarray) else x


def read_gradients(result: Any, params: Mapping[str, Array]) -> Answer:
    """The gradients by name out of what was returned: a dict, a dict beside a loss, or a list in the order of the parameters."""
    remarks: list[str] = []
    if isinstance(result, (tuple, list)):
        dicts = [part for part in result if isinstance(part, Mapping)]
        if len(dicts) == 1:
            result = dicts[0]
        elif len(result) == len(params):
            remarks.append("the gradients came as a list: they were taken in the order of the parameters")
            result = dict(zip(params, result, strict=True))
    if not isinstance(result, Mapping):
        error = TensorTypeError(f"manual(X, y, params) returned {type(result).__name__}, not a dict of name to array")
        return Answer({}, remarks, error)
    found: dict[str, Array] = {}
    used: set[Any] = set()
    for name, p in params.items():
        key = key_of(name, result, params)
        if key is None or result[key] is None:
            remarks.append(f"no gradient of {name} was returned")
            continue
        used.add(key)
        value = result[key]
        try:
            array = np.array(value.array if isinstance(value, Tensor) else value)
        except ValueError:
            remarks.append(f"the gradient of {name} is no array: its rows have different lengths")
            continue
        if array.dtype.kind in "biu":
            array = array.astype(np.float64)
        if array.dtype.kind in "cO":
            array = real_numbers(name, array, remarks)
        if array.dtype.kind != "f":
            remarks.append(f"the gradient of {name} is not an array of real numbers but {array.dtype}")
            continue
        if array.shape != p.shape and squeezed(array.shape) == squeezed(p.shape) and fits(array.shape, p.shape):
            remarks.append(f"the gradient of {name} has shape {array.shape}, its parameter {p.shape}: the same numbers")
            array = array.reshape(p.shape)
        found[name] = array
    extra = [str(key) for key in result if key not in used and str(key) not in params]
    if extra:
        remarks.append(f"returned besides, and not looked at: {', '.join(extra)}")
    return Answer(found, remarks)


def real_numbers(name: str, array: Array, remarks: list[str]) -> Array:
    """Numbers that came as objects, or as complex ones whose imaginary parts are 0; else the array as it is."""
    if array.dtype.kind == "c" and np.imag(array).any():
        return array
    try:
        numbers = np.real(array).astype(np.float64)
    except (TypeError, ValueError):  # objects that are no numbers
        return array
    remarks.append(f"the gradient of {name} came as {array.dtype}: its numbers were taken")
    return numbers


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its ones."""
    return tuple(n for n in shape if n != 1)


def fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether W − dW keeps the number of entries: (1, n) beside (n,) does, (n,) beside (n, 1) grows to (n, n)."""
    return math.prod(np.broadcast_shapes(shape, wanted)) == math.prod(wanted)


def key_of(name: str, result: Mapping[Any, Any], params: Mapping[str, Any]) -> Any:
    """Under which key a gradient was returned: the parameter's name, or dW1, grad_W1, W1_grad …"""
    if name in result:
        return name
    by_text = {str(key): key for key in result}
    if name in by_text:
        return by_text[name]
    wanted = {
        form.lower()
        for form in (f"d{name}", f"d_{name}", f"grad_{name}", f"{name}_grad", f"dL_d{name}", f"dL{name}", f"d{name}_", name)
    }
    for key in result:
        if key not in params and re.sub(r"\W", "_", str(key)).lower() in wanted:
            return key
    return None


def as_gradients(gradients: Any, params: Mapping[str, Array]) -> Answer:
    """Gradients that were given as numbers."""
    answer = read_gradients(gradients, params)
    if answer.raised is not None:
        raise TensorTypeError("gradients= is a dict of name to array, as manual(X, y, params) returns it")
    return answer
