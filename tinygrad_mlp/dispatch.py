"""The one place that speaks NumPy's protocols: what ``np.exp(x)``, ``a @ x`` and ``x.sum()`` mean for our own operands.

:class:`Operand` is the base of every reading of the rules. It turns operators, methods, ufuncs and NumPy functions into
``x._apply(primitive, inputs, params)``; what that does (record a node, write a statement …) is up to the reading.
What is not in the table is refused by name: nothing falls back to object arrays or leaves the graph in silence.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from . import rules
from .errors import UnsupportedError
from .primitive import BY_NUMPY, TABLE, Primitive

__all__ = ["Operand"]

SYNONYMS = {"a_min": "min", "a_max": "max", "ddof": "correction"}
NO_PARAMS: dict[str, Any] = {}


class Operand:
    """Anything that can stand in a rule in place of an array. Subclasses give it ``_apply``, ``_constant``, shape and dtype."""

    __slots__ = ()
    __hash__: ClassVar[Callable[[Any], int]] = object.__hash__  # by identity, also where == is elementwise

    @classmethod
    def _apply(cls, op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """The result of a primitive in this reading."""
        raise NotImplementedError(f"{cls.__name__} is no complete reading: it lacks _apply")

    @classmethod
    def _constant(cls, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], wrap: bool = True) -> Any:
        """The result of a function without derivative in this reading."""
        raise NotImplementedError(f"{cls.__name__} is no complete reading: it lacks _constant")

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        raise NotImplementedError(f"{type(self).__name__} is no complete reading: it lacks a shape")

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    # --- NumPy's protocols ----------------------------------------------------------------------------------------

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

    # --- operators ------------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        return self._apply(rules.add, (self, other), NO_PARAMS)

    def __radd__(self, other: Any) -> Any:
        return self._apply(rules.add, (other, self), NO_PARAMS)

    def __sub__(self, other: Any) -> Any:
        return self._apply(rules.subtract, (self, other), NO_PARAMS)

    def __rsub__(self, other: Any) -> Any:
        return self._apply(rules.subtract, (other, self), NO_PARAMS)

    def __mul__(self, other: Any) -> Any:
        return self._apply(rules.multiply, (self, other), NO_PARAMS)

    def __rmul__(self, other: Any) -> Any:
        return self._apply(rules.multiply, (other, self), NO_PARAMS)

    def __truediv__(self, other: Any) -> Any:
        return self._apply(rules.divide, (self, other), NO_PARAMS)

    def __rtruediv__(self, other: Any) -> Any:
        return self._apply(rules.divide, (other, self), NO_PARAMS)

    def __floordiv__(self, other: Any) -> Any:
        return self._apply(rules.floor_divide, (self, other), NO_PARAMS)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._apply(rules.floor_divide, (other, self), NO_PARAMS)

    def __mod__(self, other: Any) -> Any:
        return self._apply(rules.remainder, (self, other), NO_PARAMS)

    def __rmod__(self, other: Any) -> Any:
        return self._apply(rules.remainder, (other, self), NO_PARAMS)

    def __pow__(self, other: Any) -> Any:
        return self._apply(rules.power, (self, other), NO_PARAMS)

    def __rpow__(self, other: Any) -> Any:
        return self._apply(rules.power, (other, self), NO_PARAMS)

    def __matmul__(self, other: Any) -> Any:
        return self._apply(rules.matmul, (self, other), NO_PARAMS)

    def __rmatmul__(self, other: Any) -> Any:
        return self._apply(rules.matmul, (other, self), NO_PARAMS)

    def __neg__(self) -> Any:
        return self._apply(rules.negative, (self,), NO_PARAMS)

    def __pos__(self) -> Any:
        return self._apply(rules.positive, (self,), NO_PARAMS)

    def __abs__(self) -> Any:
        return self._apply(rules.abs, (self,), NO_PARAMS)

    def __eq__(self, other: object) -> Any:
        return self._constant(np.equal, (self, other), NO_PARAMS)

    def __ne__(self, other: object) -> Any:
        return self._constant(np.not_equal, (self, other), NO_PARAMS)

    def __lt__(self, other: Any) -> Any:
        return self._constant(np.less, (self, other), NO_PARAMS)

    def __le__(self, other: Any) -> Any:
        return self._constant(np.less_equal, (self, other), NO_PARAMS)

    def __gt__(self, other: Any) -> Any:
        return self._constant(np.greater, (self, other), NO_PARAMS)

    def __ge__(self, other: Any) -> Any:
        return self._constant(np.greater_equal, (self, other), NO_PARAMS)

    def __and__(self, other: Any) -> Any:
        return self._constant(np.bitwise_and, (self, other), NO_PARAMS)

    def __rand__(self, other: Any) -> Any:
        return self._constant(np.bitwise_and, (other, self), NO_PARAMS)

    def __or__(self, other: Any) -> Any:
        return self._constant(np.bitwise_or, (self, other), NO_PARAMS)

    def __ror__(self, other: Any) -> Any:
        return self._constant(np.bitwise_or, (other, self), NO_PARAMS)

    def __xor__(self, other: Any) -> Any:
        return self._constant(np.bitwise_xor, (self, other), NO_PARAMS)

    def __rxor__(self, other: Any) -> Any:
        return self._constant(np.bitwise_xor, (other, self), NO_PARAMS)

    def __invert__(self) -> Any:
        return self._constant(np.invert, (self,), NO_PARAMS)

    def __getitem__(self, index: Any) -> Any:
        return self._apply(rules.getitem, (self,), {"index": plain_index(index)})

    # --- methods and attributes, where ndarray has them ------------------------------------------------------------

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The sum over axis."""
        return self._apply(rules.sum, (self,), {"axis": axis, "keepdims": keepdims})

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The mean over axis."""
        return self._apply(rules.mean, (self,), {"axis": axis, "keepdims": keepdims})

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The largest entry over axis; its gradient is shared equally at a tie."""
        return self._apply(rules.max, (self,), {"axis": axis, "keepdims": keepdims})

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The smallest entry over axis; its gradient is shared equally at a tie."""
        return self._apply(rules.min, (self,), {"axis": axis, "keepdims": keepdims})

    def var(self, axis: Any = None, *, correction: float = 0, keepdims: bool = False) -> Any:
        """The variance over axis, Σ (x − mean)² / (n − correction)."""
        return self._apply(rules.var, (self,), {"axis": axis, "correction": correction, "keepdims": keepdims})

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """The entries limited to [min, max]."""
        return self._apply(rules.clip, (self, min, max), NO_PARAMS)

    def round(self, decimals: int = 0) -> Any:
        """The entries rounded to so many decimals; constant almost everywhere."""
        return around(self, decimals)

    def reshape(self, *shape: Any) -> Any:
        """The same entries in another shape, given as a tuple or as numbers; one of them may be −1."""
        return self._apply(rules.reshape, (self,), {"shape": shape[0] if len(shape) == 1 else shape})

    def ravel(self) -> Any:
        """The entries in one axis, in index order."""
        return self.reshape(-1)

    def squeeze(self, axis: Any = None) -> Any:
        """Without the axes of length 1, or without the named ones."""
        return self._apply(rules.squeeze, (self,), {"axis": axis})

    def transpose(self, *axes: Any) -> Any:
        """The axes reversed, or in the given order."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return self._apply(rules.permute_dims, (self,), {"axes": order if order is None else tuple(order)})

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Two axes exchanged."""
        return swapaxes(self, axis1, axis2)

    def dot(self, other: Any) -> Any:
        """NumPy's dot for up to two axes; for more write ``@``."""
        return dot(self, other)

    def argmax(self, axis: int | None = None) -> Any:
        """The index of the largest entry."""
        return self._constant(np.argmax, (self,), {"axis": axis})

    def argmin(self, axis: int | None = None) -> Any:
        """The index of the smallest entry."""
        return self._constant(np.argmin, (self,), {"axis": axis})

    def any(self, axis: Any = None) -> Any:
        """Whether any entry is true."""
        return self._constant(np.any, (self,), {"axis": axis})

    def all(self, axis: Any = None) -> Any:
        """Whether all entries are true."""
        return self._constant(np.all, (self,), {"axis": axis})

    @property
    def T(self) -> Any:
        """The axes reversed."""
        return self._apply(rules.permute_dims, (self,), {"axes": None})

    @property
    def mT(self) -> Any:
        """The last two axes exchanged: a matrix, or each matrix of a batch, transposed."""
        return swapaxes(self, -1, -2)

    def __getattr__(self, name: str) -> NoReturn:
        hint = f": write tg.{name}(x), a function of the package" if name in TABLE else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")


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
    return rules.round(a) if decimals == 0 else rules.round(a * 10.0**decimals) / 10.0**decimals


COMPOSED: dict[Callable[..., Any], Callable[..., Any]] = {
    np.swapaxes: swapaxes,
    np.matrix_transpose: lambda x: x.mT,
    np.moveaxis: moveaxis,
    np.ravel: lambda a: rules.reshape(a, shape=-1),
    np.dot: dot,
    np.round: around,
    np.around: around,
}


# --- from a NumPy call to a primitive's call --------------------------------------------------------------------------


def plain_index(index: Any) -> Any:
    """An index as NumPy would read it, without operands, and with every sequence of numbers as an array."""
    return tuple(plain_part(part) for part in index) if isinstance(index, tuple) else plain_part(index)


def plain_part(part: Any) -> Any:
    """One part of an index: a list, a range, a tuple within a tuple are arrays of integers, also when they are empty."""
    if isinstance(part, (list, tuple, range)):
        array = np.asarray(part)
        return array if array.size else array.astype(np.intp)
    return np.asarray(part) if isinstance(part, Operand) else part


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
