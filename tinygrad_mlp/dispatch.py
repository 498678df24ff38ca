"""The one place that speaks NumPy's protocols: what ``np.exp(x)`` and ``np.ones(3) @ x`` mean when x is one of our operands.

Ufuncs and NumPy functions become ``x._apply(primitive, inputs, params)``, or a call of a composed function that ends in such
calls; what they do (record a node, write a statement …) is up to the reading. What is not in the table is refused by name:
nothing falls back to object arrays or leaves the graph in silence.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from . import composed, rules
from .errors import UnsupportedError
from .modes import MODES
from .passthrough import CONSTANT_FUNCTIONS, INSPECTING_FUNCTIONS
from .primitive import BY_NUMPY, COMPOSED_BY_NUMPY, Primitive, is_valueless

__all__ = ["Dispatched", "composed", "plain_index"]

SYNONYMS = {"a_min": "min", "a_max": "max", "ddof": "correction", "newshape": "shape"}
"""NumPy's parameters that have another name in the array API."""


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
        if kwargs.get("out") is not None:
            refuse(
                f"np.{ufunc.__name__} with out=",
                "possible",
                "a result with a graph cannot be written into an existing array; write a = a + t in place of a += t",
            )
        if method != "__call__":
            return ufunc_method(ufunc, method, inputs, kwargs)
        op = BY_NUMPY.get(ufunc)
        function = COMPOSED_BY_NUMPY.get(ufunc)
        if op is not None or function is not None:
            if op is not None and kwargs.keys() <= op.params.keys():
                return self._apply(op, inputs, {**op.params, **kwargs})
            for name in kwargs:
                refuse(f"np.{ufunc.__name__} with {name}=", "supported on tensors", f"write it without {name}= (where: tg.where)")
            return function(*inputs) if function is not None else self._apply(op, inputs, op.params) if op is not None else None
        if ufunc in CONSTANT_FUNCTIONS:
            return self._constant(ufunc, inputs, kwargs)
        return unknown(ufunc)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        op = BY_NUMPY.get(function)
        if op is not None:
            return op(*arrays_and_axis(function, args, kwargs)) if op.variadic else call(op, function, args, kwargs)
        ours = COMPOSED_BY_NUMPY.get(function)
        if ours is not None:
            return call_composed(ours, function, args, kwargs)
        if function in CONSTANT_FUNCTIONS or function in INSPECTING_FUNCTIONS:
            if (dict(zip(signature(function), args, strict=False)) | kwargs).get("out") is not None:
                refuse(f"{name_of(function)} with out=", "possible", "a Tensor is a value; take the result instead")
            return self._constant(function, args, kwargs, wrap=function in CONSTANT_FUNCTIONS)
        return unknown(function)


REDUCE = {np.add: rules.sum, np.multiply: rules.prod, np.maximum: rules.max, np.minimum: rules.min}
ACCUMULATE = {np.add: rules.cumulative_sum, np.multiply: rules.cumulative_prod}


def ufunc_method(ufunc: np.ufunc, method: str, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """``np.add.reduce`` and its like, where a primitive means the same; ``outer`` of every binary one."""
    if method == "reduce" and ufunc in REDUCE and kwargs.keys() <= {"axis", "keepdims"}:
        return REDUCE[ufunc](inputs[0], axis=kwargs.get("axis", 0), keepdims=kwargs.get("keepdims", False))
    if method == "accumulate" and ufunc in ACCUMULATE and kwargs.keys() <= {"axis"}:
        return ACCUMULATE[ufunc](inputs[0], axis=kwargs.get("axis", 0))
    if method == "outer" and ufunc in BY_NUMPY and not kwargs:
        x, y = inputs
        return BY_NUMPY[ufunc](rules.reshape(x, shape=np.shape(x) + (1,) * np.ndim(y)), y)
    instead = {"at": "x[index] += values", "reduceat": "slices and np.sum"}.get(method, "it with array functions")
    return refuse(f"np.{ufunc.__name__}.{method}", "supported on tensors", f"write {instead}")


# --- from a NumPy call to our call ------------------------------------------------------------------------------------


def plain_index(index: Any) -> Any:
    """An index as NumPy would read it, without operands, and with every sequence of numbers as an array."""
    return tuple(plain_part(part) for part in index) if isinstance(index, tuple) else plain_part(index)


def plain_part(part: Any) -> Any:
    """One part of an index; whatever NumPy would take for an array is one, and ours, so that later changes do not matter."""
    if part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer, np.bool_)):
        return part
    if is_valueless(part):
        return part
    if isinstance(part, np.ndarray) and MODES.get().tracer is not None:
        return part  # the program of a traced function reads it anew at each call
    array = np.array(part)
    return array if array.size or hasattr(part, "dtype") else array.astype(np.intp)


@functools.cache
def signature(function: Callable[..., Any]) -> dict[str, Any]:
    """The parameters of a function, in order, with their defaults (``inspect.Parameter.empty``: none)."""
    import inspect

    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # written in C, without a signature
        return {}
    return {name: p.default for name, p in parameters.items()}


@functools.cache
def positional(function: Callable[..., Any]) -> tuple[list[str], bool]:
    """Our function's parameters that are given by position only, and whether it takes any number of arrays."""
    import inspect

    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY], any(p.kind is p.VAR_POSITIONAL for p in parameters)


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
        else:
            only_default(function, name, value, known)
    absent = [name for name, x in zip(names, inputs[: len(inputs) - op.optional], strict=False) if x is None]
    if absent:
        refuse(f"{name_of(function)} without {' and '.join(absent)}", "supported on tensors", f"give all {len(op.rules)} arrays")
    return op(*inputs, **params)


def call_composed(ours: Callable[..., Any], function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call a composed function as a NumPy function was called: arrays by position, everything else by name."""
    theirs, mine = signature(function), signature(ours)
    arrays, variadic = positional(ours)
    if variadic or not theirs:
        return ours(*args, **kwargs)
    given = dict(zip(theirs, args, strict=False)) | kwargs
    if len(args) > len(theirs):
        refuse(f"{name_of(function)} with {len(args)} arguments", "supported on tensors", f"it takes {', '.join(theirs)}")
    by_position: dict[str, Any] = {}
    by_name: dict[str, Any] = {}
    order = list(theirs)
    for name, value in given.items():
        meaning = SYNONYMS.get(name, name)
        place = order.index(name) if name in order else len(arrays)
        if meaning in arrays:
            by_position[meaning] = value
        elif place < len(arrays) and order[place] not in mine:
            by_position[arrays[place]] = value
        elif meaning in mine:
            by_name[meaning] = value
        else:
            only_default(function, name, value, theirs)
    leading = [by_position[name] for name in arrays if name in by_position]
    return ours(*leading, **by_name)


def only_default(function: Callable[..., Any], name: str, value: Any, known: dict[str, Any]) -> None:
    """An argument that we do not have may be given if it says what is the case anyway."""
    if name not in known or value is not known[name]:
        cures = {"dtype": "convert with t.astype(dtype) first", "where": "write np.where(mask, t, 0) in place of t, or t[mask]"}
        refuse(f"{name_of(function)} with {name}=", "supported on tensors", cures.get(name, f"write it without {name}="))


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


def is_numpys(function: Callable[..., Any]) -> bool:
    """Whether a function is NumPy's; ufuncs do not always know their module."""
    module = getattr(function, "__module__", None)
    return getattr(np, function.__name__, None) is function if module is None else module.startswith("numpy")


def name_of(function: Callable[..., Any]) -> str:
    """A NumPy function's name as one writes it: np.sum, np.linalg.norm."""
    module = getattr(function, "__module__", None) or "numpy"
    return (
        f"np{module.removeprefix('numpy')}.{function.__name__}"
        if module in ("numpy.linalg", "numpy.fft", "numpy.lib.stride_tricks")
        else f"np.{function.__name__}"
    )


NEAREST = {"apply_along_axis": "stack", "vectorize": "stack"}
"""For names whose meaning is near, though their spelling is not."""


def unknown(function: Callable[..., Any]) -> NoReturn:
    """Refuse a NumPy function that is not in the table, with the nearest ones that are."""
    import difflib

    known = sorted({name_of(f) for f in (*BY_NUMPY, *COMPOSED_BY_NUMPY, *CONSTANT_FUNCTIONS) if is_numpys(f)})
    near = [f"np.{NEAREST[function.__name__]}"] if function.__name__ in NEAREST else []
    near += difflib.get_close_matches(name_of(function), known, n=3, cutoff=0.7)
    near = list(dict.fromkeys(near))
    hint = f"nearest supported names: {', '.join(near)}; " if near else ""
    name = name_of(function) if is_numpys(function) else function.__name__
    raise UnsupportedError(
        f"{name} has no derivative rule in tinygrad_mlp: {hint}give it one with tg.primitive; to leave the graph on purpose, "
        f"pass t.numpy() in place of t"
    )
