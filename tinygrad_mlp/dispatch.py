"""The one place that speaks NumPy's protocols: what ``np.exp(x)`` and ``np.ones(3) @ x`` mean when x is one of our operands.

Ufuncs and NumPy functions become ``x._apply(primitive, inputs, params)``; what that does (record a node, write a
statement …) is up to the reading. What is not in the table is refused by name: nothing falls back to object arrays or
leaves the graph in silence.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from . import rules
from .errors import UnsupportedError
from .primitive import BY_NUMPY, Primitive

__all__ = ["Dispatched", "around", "dot", "plain_index", "swapaxes"]

SYNONYMS = {"a_min": "min", "a_max": "max", "ddof": "correction"}


class Dispatched:
    """Something that NumPy's functions hand over to. A reading gives it ``_apply`` and ``_constant``."""

    __slots__ = ()

    @classmethod
    def _apply(cls, op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """The result of a primitive in this reading."""
        raise NotImplementedError(f"{cls.__name__} is no complete reading: it lacks _apply")

    @classmethod
    def _constant(cls, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], wrap: bool = True) -> Any:
        """The result of a function without derivative in this reading."""
        raise NotImplementedError(f"{cls.__name__} is no complete reading: it lacks _constant")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            instead = {"reduce": "np.sum, np.max, np.min", "at": "x[index] and +", "outer": "x[:, None] and an operator"}
            refuse(
                f"np.{ufunc.__name__}.{method}", "supported on tensors", f"write {instead.get(method, 'it with array functions')}"
            )
        if kwargs.get("out") is not None:
            refuse(
                f"np.{ufunc.__name__} with out=",
                "possible",
                "a result with a graph cannot be written into an existing array; write a = a + t in place of a += t",
            )
        op = BY_NUMPY.get(ufunc)
        if op is not None:
            for name in kwargs:
                refuse(f"np.{ufunc.__name__} with {name}=", "supported on tensors", f"write it without {name}= (where: tg.where)")
            return self._apply(op, inputs, op.params)
        if ufunc in rules.CONSTANT:
            return self._constant(ufunc, inputs, kwargs)
        return unknown(ufunc)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        op = BY_NUMPY.get(function)
        if op is not None:
            return op(*arrays_and_axis(function, args, kwargs)) if op.variadic else call(op, function, args, kwargs)
        if function in COMPOSED:
            known = list(signature(COMPOSED[function]))
            for name in (*kwargs.keys() - known, *map(str, args[len(known) :])):
                refuse(f"{name_of(function)} with {name}", "supported on tensors", f"its arguments here are {', '.join(known)}")
            return COMPOSED[function](*args, **kwargs)
        if function in rules.CONSTANT or function in rules.INSPECTORS:
            return self._constant(function, args, kwargs, wrap=function in rules.CONSTANT)
        return unknown(function)


# --- NumPy functions that are made of primitives --------------------------------------------------------------------------


def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    order = list(range(a.ndim))
    i, j = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    order[i], order[j] = order[j], order[i]
    return rules.permute_dims(a, axes=tuple(order))


def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Axes moved to other places, the rest in order."""
    start, end = normalize_axis_tuple(source, a.ndim), normalize_axis_tuple(destination, a.ndim)
    order = [n for n in range(a.ndim) if n not in start]
    for place, axis in sorted(zip(end, start, strict=True)):
        order.insert(place, axis)
    return rules.permute_dims(a, axes=tuple(order))


def dot(a: Any, b: Any) -> Any:
    """NumPy's dot for up to two axes: a product of numbers, vectors and matrices."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return rules.multiply(a, b)
    if np.ndim(b) > 2 or (np.ndim(a) > 2 and np.ndim(b) > 1):
        refuse("np.dot of stacks of matrices", "supported", "np.dot and @ differ there; write a @ b for a batch of products")
    return rules.matmul(a, b)


def around(a: Any, decimals: int = 0) -> Any:
    """The entries rounded to so many decimals; constant almost everywhere."""
    return rules.round(a) if decimals == 0 else rules.round(a * 10.0 ** int(decimals)) / 10.0 ** int(decimals)


def full_like(a: Any, fill_value: Any) -> Any:
    """The number fill_value in the shape and dtype of a; its gradient is the sum of what arrives."""
    return rules.broadcast_to(rules.astype(fill_value, dtype=a.dtype), shape=np.shape(a))


COMPOSED: dict[Callable[..., Any], Callable[..., Any]] = {
    np.swapaxes: swapaxes,
    np.matrix_transpose: lambda x: x.mT,
    np.moveaxis: moveaxis,
    np.ravel: lambda a: rules.reshape(a, shape=-1),
    np.dot: dot,
    np.full_like: full_like,
    np.round: around,
    np.around: around,
}


# --- from a NumPy call to a primitive's call --------------------------------------------------------------------------


def plain_index(index: Any) -> Any:
    """An index as NumPy would read it, without operands, and with every sequence of numbers as an array."""
    return tuple(plain_part(part) for part in index) if isinstance(index, tuple) else plain_part(index)


def plain_part(part: Any) -> Any:
    """One part of an index; whatever NumPy would take for an array is one, and ours, so that later changes do not matter."""
    if part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer, np.bool_)):
        return part
    array = np.array(part)
    return array if array.size or isinstance(part, np.ndarray) else array.astype(np.intp)


@functools.cache
def signature(function: Callable[..., Any]) -> dict[str, Any]:
    """The parameters of a NumPy function, in order, with their defaults."""
    import inspect

    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # written in C, without a signature
        return {}
    return {name: p.default for name, p in parameters.items()}


def call(op: Primitive, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call a primitive as a NumPy function was called; arguments that it cannot honour are refused by name."""
    if len(args) == len(op.rules) and kwargs.keys() <= op.params.keys():
        return op(*args, **kwargs)
    known = signature(function)
    if not known:
        takes = f"{len(op.rules)} arrays, by position"
        refuse(name_of(function) + f" with {len(args)} arguments", "supported on tensors", f"it takes {takes}")
    given = dict(zip(known, args, strict=False)) | kwargs
    names = [SYNONYMS.get(name, name) for name in known]
    inputs: list[Any] = [None] * len(op.rules)
    params: dict[str, Any] = {}
    for name, value in given.items():
        meaning = SYNONYMS.get(name, name)
        if meaning in op.params:
            params[meaning] = value
        elif meaning in names[: len(op.rules)]:
            inputs[names.index(meaning)] = value
        elif name not in known or value is not known[name]:
            cure = "convert with t.astype(dtype) first" if name == "dtype" else f"write it without {name}="
            refuse(f"{name_of(function)} with {name}=", "supported on tensors", cure)
    absent = [name for name, x in zip(names, inputs[: len(inputs) - op.optional], strict=False) if x is None]
    if absent:
        refuse(f"{name_of(function)} without {' and '.join(absent)}", "supported on tensors", f"give all {len(op.rules)} arrays")
    return op(*inputs, **params)


def arrays_and_axis(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """The arguments of np.concatenate and np.stack."""
    for name in kwargs.keys() - {"axis", "arrays"}:
        refuse(f"{name_of(function)} with {name}=", "supported on tensors", f"write it without {name}=")
    if len(args) > 2:
        refuse(f"{name_of(function)} with out=", "supported on tensors", "write it without")
    return (args[0] if args else kwargs["arrays"]), (args[1] if len(args) > 1 else kwargs.get("axis", 0))


def refuse(what: str, able: str, instead: str) -> NoReturn:
    """Say that something cannot be done with operands, and what to write instead."""
    raise UnsupportedError(f"{what} is not {able}: {instead}")


def name_of(function: Callable[..., Any]) -> str:
    """A NumPy function's name as one writes it: np.sum, np.linalg.norm."""
    module = getattr(function, "__module__", None) or "numpy"
    return (
        f"np{module.removeprefix('numpy')}.{function.__name__}"
        if module in ("numpy.linalg", "numpy.fft")
        else f"np.{function.__name__}"
    )


def unknown(function: Callable[..., Any]) -> NoReturn:
    """Refuse a NumPy function that is not in the table, with the nearest ones that are."""
    import difflib

    known: list[Callable[..., Any]] = [*BY_NUMPY, *COMPOSED, *rules.CONSTANT]
    names = sorted({f.__name__ for f in known if hasattr(np, f.__name__)})
    near = difflib.get_close_matches(function.__name__, names, n=3, cutoff=0.6)
    hint = f"nearest supported names: {', '.join('np.' + n for n in near)}; " if near else ""
    raise UnsupportedError(
        f"{name_of(function)} has no derivative rule in tinygrad_mlp: {hint}to leave the graph on purpose, "
        f"pass t.numpy() in place of t"
    )
