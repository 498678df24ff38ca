"""A Tensor is an array that remembers how it was computed, and can be asked for gradients."""

from __future__ import annotations

import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .dispatch import plain_index
from .errors import GraphError, ShapeError, TensorTypeError, operation_failed
from .graph import Extras, Node, between, origin, sweep
from .guard import SMALL, entries
from .kernels.shapes import Array
from .modes import DEFAULT, MODES, is_recording, recording
from .operand import Operand
from .primitive import TABLE, Primitive

__all__ = ["Tensor", "gradients"]

NEW, ndarray = object.__new__, np.ndarray  # what record() looks up at every operation
CLOCK = itertools.count(1)
ADDING = threading.Lock()  # += is not atomic: threads that share parameters would lose gradients
NUMBERS = frozenset({np.ndarray, float, int, bool, complex, np.float64, np.float32, np.int64, np.bool_})


class Tensor(Node, Operand):
    """An n-dimensional array that records the operations on it, so that gradients can be computed through them.

    Parameters
    ----------
    data : array_like
        Numbers, of any shape. They are copied: later changes of ``data`` do not reach the tensor.
    requires_grad : bool
        Whether gradients with respect to this tensor are wanted. Needs a floating dtype.
    dtype : dtype, optional
        As for ``np.array``. Python floats become float64, arrays keep their dtype.

    Raises
    ------
    TensorTypeError
        For data that NumPy would hold as objects or text, and for ``requires_grad`` with a dtype that is not floating.

    Examples
    --------
    >>> from tinygrad_mlp import Tensor
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    array([2., 4., 6.])
    """

    __slots__ = ()

    def __init__(self, data: ArrayLike | Tensor, requires_grad: bool = False, dtype: DTypeLike | None = None) -> None:
        try:
            array = np.array(data.array if isinstance(data, Tensor) else data, dtype=dtype)
        except ValueError as error:
            raise ShapeError(f"a Tensor needs rows of one length, of numbers: {error}") from error
        if isinstance(data, np.ma.MaskedArray):
            raise TensorTypeError("a masked array has no place in a Tensor: write a.filled(0), and tg.where for the mask")
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        if array.dtype.kind not in "biufc":
            cure = (
                "no None or other objects; tensors are joined with tg.stack([...])" if array.dtype == object else "convert it first"
            )
            raise TensorTypeError(f"a Tensor holds numbers, but this data has dtype {array.dtype}: {cure}")
        if requires_grad:
            check_floating(array.dtype)
        leaf(self, array, requires_grad)

    # --- data -----------------------------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The value, an ndarray: of a leaf writable, of a computed tensor read-only. Assigning gives a leaf new data of the same
        shape. Gradients of what was computed before stay those of the old data, however the data is changed: by assignment,
        ``t.data -= step``, ``t.data[i] = v``, or through a view of it.
        """
        return read_only(self.array) if self.op is not None else self._exposed()

    @data.setter
    def data(self, value: ArrayLike) -> None:
        if self.extras is not None and self.extras.exposed is not None and value is self.extras.exposed():
            return  # t.data -= step: NumPy has written into the array already
        if self.op is not None:
            raise GraphError(f"the data of a computed tensor ({self.op.name}) cannot be replaced: write t = t.detach() first")
        new = convert(value, self.array.dtype, "data")
        if new.shape != self.array.shape:
            raise ShapeError(f"data of shape {new.shape} cannot replace data of shape {self.array.shape}: make a new Tensor")
        self.array = new

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor; may be set on a leaf of a floating dtype."""
        return self.tracked

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self.op is not None:
            raise GraphError(f"requires_grad of a computed tensor ({self.op.name}) cannot be set: write t.detach()")
        if value:
            check_floating(self.array.dtype)
        self.tracked = bool(value)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the entries."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.array.size

    def numpy(self) -> Array:
        """The value as a read-only view, without a graph; ``.copy()`` it to write into it."""
        return read_only(self.array)

    def item(self) -> float | int | bool | complex:
        """The only entry, as a Python number.

        Raises
        ------
        ShapeError
            If there is not exactly one.
        """
        if self.array.size != 1:
            raise ShapeError(f"item() needs a tensor with one entry, this one has shape {self.shape}: index it, or write .tolist()")
        number: float | int | bool | complex = self.array.item()
        return number

    def tolist(self) -> Any:
        """The value as nested lists of Python numbers."""
        return self.array.tolist()

    def _exposed(self) -> Array:
        """The array for writing, by whoever asked for it. No graph refers to it, then or later: see :mod:`tinygrad_mlp.guard`."""
        extras = self.extras = self.extras or Extras()
        view = extras.exposed() if extras.exposed is not None else None
        if view is None:
            # what a graph, another tensor's view or a reader holds stays as it is; this tensor goes on with a copy
            if sys.getrefcount(self.array) > UNSHARED or self.array.base is not None or not self.array.flags.writeable:
                self.array = self.array.copy()
            # through a memoryview every view of this view refers to it, so that it lives as long as anybody can write
            view = np.asarray(memoryview(self.array))
            extras.exposed = weakref.ref(view)
        return view

    def detach(self) -> Tensor:
        """The same value without a graph: a constant."""
        return leaf(Tensor.__new__(Tensor), self.array.copy(), requires_grad=False)

    def astype(self, dtype: DTypeLike) -> Tensor:
        """The value in another dtype. Gradients pass between floating dtypes; other dtypes carry none."""
        return record(TABLE["astype"], (self,), {"dtype": np.dtype(dtype), "copy": True, "device": None})

    # --- gradients ------------------------------------------------------------------------------------------------

    def backward(self, gradient: ArrayLike | None = None, *, retain_graph: bool = False) -> None:
        """Compute the gradients of this tensor with respect to every leaf that requires them, and add them to ``.grad``.

        The mathematics is reverse-mode differentiation: from g = ∂L/∂L = 1 each operation's rule turns the gradient of its
        output into those of its inputs, in reverse topological order; where a tensor has several users, they are added.

        Parameters
        ----------
        gradient : array_like, optional
            What arrives at this tensor, of its shape. 1 for a tensor with one entry; must be given for any other.
        retain_graph : bool
            Keep the graph, for a second ``backward()`` (which adds the same gradients again). By default its arrays are
            let go on the way.

        Raises
        ------
        GraphError
            Without a graph, or when an earlier ``backward()`` has freed it.
        ShapeError
            If ``gradient`` is missing or has another shape.
        GradientError
            If a rule fails; names the operation and the line that created it. No ``.grad`` is changed then.

        Examples
        --------
        >>> w = Tensor([1.0, -1.0], requires_grad=True)
        >>> (3 * w).backward(gradient=[1.0, 10.0])
        >>> w.grad
        array([ 3., 30.])
        """
        seed = self._seed(gradient, "backward()")
        arrived = sweep(self, seed, free=not retain_graph)
        with ADDING:  # only now: a failing rule must not leave half of the gradients added
            for node, g in arrived.items():
                node.grad = g if node.grad is None else np.asarray(node.grad + g)

    def retain_grad(self) -> Tensor:
        """Keep the gradient of this tensor too when ``backward()`` passes, although it is no leaf. Returns the tensor.

        >>> x = Tensor(3.0, requires_grad=True)
        >>> h = (x * x).retain_grad()
        >>> (h * h).backward()
        >>> h.grad
        array(18.)
        """
        if not self.requires_grad:
            raise GraphError("retain_grad() on a tensor that does not require gradients: nothing will arrive here")
        self.extras = self.extras or Extras()
        self.extras.retains_grad = True
        return self

    def zero_grad(self) -> None:
        """Forget the accumulated gradient."""
        self.grad = None

    def _seed(self, gradient: ArrayLike | Tensor | None, caller: str) -> Array:
        """The gradient to start from, checked."""
        if not self.requires_grad:
            raise GraphError(
                f"{caller} on a tensor without a graph: no input requires gradients, or it was computed under no_grad(); "
                f"make the leaves with Tensor(…, requires_grad=True)"
            )
        if gradient is None:
            if self.array.size != 1:
                raise ShapeError(
                    f"{caller} on a tensor of shape {self.shape} needs the gradient that arrives there: "
                    f"reduce it to one number, t.sum().backward(), or pass an array of that shape"
                )
            if self.array.dtype.kind == "c":
                raise GraphError(
                    f"{caller} on a complex tensor needs the gradient that arrives there: only a real number can be a loss; "
                    f"write tg.real(t) or tg.abs(t) first, or pass ∂L/∂a + i ∂L/∂b"
                )
            return np.ones(self.shape, self.dtype)
        seed = convert(gradient, self.dtype, "a gradient")
        if seed.shape != self.shape:
            raise ShapeError(
                f"the gradient that arrives at a tensor of shape {self.shape} has shape {seed.shape}: they must be equal"
            )
        return seed

    # --- the reading: a call of a primitive records a node --------------------------------------------------------

    @classmethod
    def _apply(cls, op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Tensor:
        return record(op, inputs, params)

    @classmethod
    def _constant(cls, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], wrap: bool = True) -> Any:
        result = function(*[unwrap(a) for a in args], **{name: unwrap(a) for name, a in kwargs.items()})
        if not wrap:
            return result
        if isinstance(result, tuple):
            return tuple(leaf(Tensor.__new__(Tensor), r, requires_grad=False) for r in result)
        return leaf(Tensor.__new__(Tensor), np.asarray(result), requires_grad=False)

    # --- Python's protocols ---------------------------------------------------------------------------------------

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        if self.requires_grad:
            raise GraphError(
                "a tensor with a graph would lose it as a NumPy array: write t.numpy() to leave the graph on purpose, "
                "or tg.stack([...]) to join tensors"
            )
        return np.array(self.array, dtype=dtype, copy=copy) if copy else np.asarray(self.numpy(), dtype=dtype)

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """The package, which is an array API namespace."""
        import tinygrad_mlp

        known = ("2021.12", "2022.12", "2023.12", "2024.12")
        if api_version not in (None, *known):
            raise ValueError(f"the array API's version {api_version!r} is not known here: {', '.join(known)} are")
        return tinygrad_mlp

    @property
    def device(self) -> str:
        """Where the numbers are: on the CPU."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: Any = None) -> Tensor:
        """The tensor itself: there is no device but the CPU."""
        if device != "cpu" or stream is not None:
            raise ValueError(f"there is no device {device!r} with stream {stream!r}: NumPy computes on the 'cpu'")
        return self

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """The numbers for another library, by the DLPack protocol; a tensor with a graph would lose it."""
        if self.requires_grad:
            raise BufferError("a tensor with a graph would lose it on the way: write t.detach()")
        return self._exposed().__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def __len__(self) -> int:
        if not self.shape:
            raise TensorTypeError("a tensor of shape () has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return iter([self[i] for i in range(len(self))])

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self.array == unwrap(value)))

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise ShapeError(f"the truth of a tensor of shape {self.shape} is not defined: write t.any(), t.all() or t.size > 0")
        return bool(self.array.item())

    def __float__(self) -> float:
        return float(self.item())  # type: ignore[arg-type]  # a complex number raises Python's own TypeError

    def __int__(self) -> int:
        return int(self.item())  # type: ignore[arg-type]  # likewise

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.array.ndim:
            raise TensorTypeError(f"a tensor of shape {self.shape} and dtype {self.dtype} is no index: an integer of shape () is")
        return int(self.array.item())

    def __format__(self, spec: str) -> str:
        if spec and self.array.size != 1:
            raise ShapeError(f"a tensor of shape {self.shape} has no format {spec!r}: one entry has, or write np.round(t, 2)")
        return format(self.array.item(), spec) if spec else str(self)

    def __setitem__(self, index: Any, value: Any) -> None:
        """``t[index] = value``: this tensor becomes the result of the assignment. What was computed from it before is not
        affected, and gradients flow to the value and to the entries that were left.

        Raises
        ------
        GraphError
            For a leaf that requires gradients, which would stop being one.
        """
        index = plain_index(index)
        if not isinstance(value, Tensor):
            value = plain(TABLE["setitem"], value)
        recorded = is_recording() and (self.tracked or getattr(value, "tracked", False))
        if self.tracked and self.op is None and is_recording():
            raise GraphError(
                "a leaf that requires gradients is not assigned to: write t.data[i] = v to change the parameter itself, or "
                "u = t * 1; u[i] = v for a computation with a changed copy"
            )
        if self.tracked and self.op is not None and not recorded:
            raise GraphError("a computed tensor is not assigned to under no_grad(): write t = t.detach() first")
        if not recorded:
            target = self._exposed()
            try:
                target[index] = unwrap(value)
            except (ValueError, TypeError, IndexError) as error:
                raise operation_failed("setitem", [self.array, unwrap(value)], {"index": index}, error) from error
            return
        if self.array.dtype.kind not in "fc" or (self.array.dtype.kind == "f" and np.result_type(unwrap(value)).kind == "c"):
            raise TensorTypeError(
                f"a value of dtype {np.result_type(unwrap(value))} with a gradient does not fit a tensor of dtype {self.dtype}: "
                f"make that one with the dtype of the value"
            )
        spare = np.ndim(unwrap(value)) - np.ndim(self.array[index])
        if spare > 0:  # NumPy ignores leading axes of length 1 here
            value = TABLE["reshape"](value, shape=np.shape(unwrap(value))[spare:])
        old = Tensor.__new__(Tensor)
        for slot in Node.__slots__[1:]:
            setattr(old, slot, getattr(self, slot))
        new = record(TABLE["setitem"], (old, value), {"index": index})
        for slot in Node.__slots__[1:]:
            setattr(self, slot, getattr(new, slot))
        self.extras = self.extras or Extras()
        self.extras.past = old

    def _in_place(self, op: Primitive, other: Any) -> Tensor:
        """``t += v`` makes a new tensor of the shape and dtype of t, and calls it t; who else holds the old one keeps it."""
        if self.tracked and self.op is None and is_recording():
            raise GraphError(
                "a leaf that requires gradients is not changed in place: write t.data -= step for an update, or u = t - step"
            )
        result = op(self, other)
        if result.shape != self.shape:
            raise ShapeError(f"{op.name} in place would change the shape {self.shape} to {result.shape}: write t = t … instead")
        if result.dtype != self.dtype:
            if not np.can_cast(result.dtype, self.dtype, "same_kind"):
                raise TensorTypeError(f"{op.name} in place would turn {self.dtype} into {result.dtype}: write t = t … instead")
            result = result.astype(self.dtype)
        if self.tracked and self.op is None:  # under no_grad(), a leaf stays the leaf it is
            self.data = result.array
            return self
        return result

    def __iadd__(self, other: Any) -> Any:
        return self._in_place(TABLE["add"], other)

    def __isub__(self, other: Any) -> Any:
        return self._in_place(TABLE["subtract"], other)

    def __imul__(self, other: Any) -> Any:
        return self._in_place(TABLE["multiply"], other)

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place(TABLE["divide"], other)

    def __ifloordiv__(self, other: Any) -> Any:
        return self._in_place(TABLE["floor_divide"], other)

    def __imod__(self, other: Any) -> Any:
        return self._in_place(TABLE["remainder"], other)

    def __ipow__(self, other: Any) -> Any:
        return self._in_place(TABLE["pow"], other)

    def __imatmul__(self, other: Any) -> Any:
        return self._in_place(TABLE["matmul"], other)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.op is not None and self.requires_grad:
            raise GraphError("a tensor with a graph can be neither pickled nor copied: write t.detach()")
        return rebuild, (type(self), self.array, self.requires_grad, self.grad), getattr(self, "__dict__", None) or None

    def __repr__(self) -> str:
        value = np.array2string(self.array, separator=", ", threshold=64, edgeitems=3, precision=6, prefix="Tensor(")
        told = f", shape={self.shape}, dtype={self.dtype}"
        told += f", op={self.op.name}" if self.op is not None else ", requires_grad=True" if self.requires_grad else ""
        return f"{type(self).__name__}({value}{told})"

    __str__ = __repr__


def leaf(node: Tensor, array: Array, requires_grad: bool) -> Tensor:
    """Make node a leaf with this array."""
    node.array, node.tracked = array, requires_grad
    node.op, node.inputs, node.arrays, node.edges, node.params = None, (), (), (), {}
    node.grad, node.extras, node.origin, node.stamp = None, None, None, 0
    return node


def read_only(array: Array) -> Array:
    """A view that cannot be written into, nor be made writable."""
    return np.asarray(memoryview(array).toreadonly())


LONE = leaf(Tensor.__new__(Tensor), np.zeros(1), requires_grad=False)
UNSHARED = sys.getrefcount(LONE.array)
"""What getrefcount says of a tensor's array that only the tensor refers to."""


def rebuild(cls: type[Tensor], array: Array, requires_grad: bool, grad: Array | None) -> Tensor:
    """A copy of a leaf, for copy and pickle."""
    node = leaf(cls.__new__(cls), np.array(array), requires_grad)
    node.grad = None if grad is None else np.array(grad)
    return node


def record(op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Tensor:
    """Compute op(*inputs, **params) and, if an input requires gradients, note how."""
    arrays: list[Any] = []
    edges: list[tuple[int, Tensor]] = []
    open_to_writes: list[int] | None = None  # the inputs whose arrays somebody else may hold
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor):
            arrays.append(x.array)
            if x.tracked:
                edges.append((i, x))
            if x.extras is not None:
                open_to_writes = [*(open_to_writes or ()), i]
        elif type(x) is ndarray:
            arrays.append(x)
            open_to_writes = [*(open_to_writes or ()), i]
        elif type(x) in NUMBERS or (x is None and i >= len(op.rules) - op.optional):
            arrays.append(x)
        else:
            return record(op, tuple(x if x is None and op.optional else plain(op, x) for x in inputs), params)
    modes = MODES.get()
    if modes is not DEFAULT and modes.anomaly:
        from .anomaly import inspect_inputs, inspect_value

        inspect_inputs(op, arrays, params)
    try:
        array = op.forward(*arrays, **params)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise operation_failed(op.name, arrays, params, error) from error
    if type(array) is not ndarray:
        array = np.asarray(array)
    node: Tensor = NEW(Tensor)
    kind = array.dtype.kind
    if kind not in "fciub":
        raise operation_failed(op.name, arrays, params, TypeError(f"the result is no number but {array.dtype}"))
    if modes is not DEFAULT and modes.anomaly:
        inspect_value(op, arrays, params, array)
    if not edges or (modes is not DEFAULT and modes.paused) or kind not in "fc":  # integers and booleans carry no gradient
        return leaf(node, array, requires_grad=False)
    node.array, node.tracked, node.op, node.params = array, True, op, params
    node.extras = None if open_to_writes is None else protect(inputs, arrays, open_to_writes, modes.full_guard)
    node.inputs, node.arrays, node.edges = tuple(inputs), tuple(arrays), tuple(edges)
    node.grad, node.origin, node.stamp = None, origin(), next(CLOCK)
    return node


def protect(inputs: Sequence[Any], arrays: list[Any], places: list[int], full: bool) -> Extras | None:
    """Put copies into arrays where somebody else could write into them; of large ones of the user's, note some entries."""
    extras = None
    for i in places:
        x = inputs[i]
        if type(x) is np.ndarray:
            if full or x.nbytes <= SMALL:
                arrays[i] = x.copy()
            elif (noted := entries(x)) is None:
                arrays[i] = x.copy()
            else:
                extras = extras or Extras()
                extras.samples.append((i, noted))
        elif x.extras is not None and x.extras.exposed is not None:
            if x.extras.exposed() is None:
                x.extras.exposed = None  # nobody holds the view any more
            else:
                arrays[i] = arrays[i].copy()
    return extras


def plain(op: Primitive, x: Any) -> Any:
    """An operand that is neither a Tensor nor a number: a list becomes an array, and what holds no numbers is refused."""
    if isinstance(x, (Tensor, np.generic)) or type(x) in NUMBERS:
        return np.asarray(x) if isinstance(x, np.generic) and type(x) not in NUMBERS else x
    if isinstance(x, Operand):
        raise TensorTypeError(f"{op.name}() got a Tensor and a {type(x).__name__}: one computation has one reading")
    if isinstance(x, (list, tuple)) and any(isinstance(i, Tensor) for i in x):
        raise TensorTypeError(f"{op.name}() got a {type(x).__name__} of tensors: join them first with tg.stack([...])")
    array = np.asarray(x)
    if array.dtype.kind not in "biufc" or isinstance(x, np.ma.MaskedArray):
        raise TensorTypeError(f"{op.name}() takes tensors, arrays and numbers, but it got {x!r} ({type(x).__name__})")
    return array


def unwrap(x: Any) -> Any:
    """The arrays in place of Tensors, in lists and tuples too."""
    if isinstance(x, Tensor):
        return x.array
    return type(x)(unwrap(i) for i in x) if type(x) in (list, tuple) else x


def convert(value: ArrayLike | Tensor, dtype: np.dtype[Any], what: str) -> Array:
    """A copy of value in dtype; refused if the kind of number would change (3.7 → 3, 2j → 0)."""
    given = value.array if isinstance(value, Tensor) else np.asarray(value)
    if not np.can_cast(given.dtype, dtype, "same_kind"):
        raise TensorTypeError(
            f"{what} of dtype {given.dtype} does not fit a tensor of dtype {dtype}: convert it with astype() first"
        )
    return given.astype(dtype)


def check_floating(dtype: np.dtype[Any]) -> None:
    """Only floating numbers, real or complex, have gradients."""
    if dtype.kind not in "fc":
        raise TensorTypeError(
            f"only floating tensors can require gradients, not {dtype}: write Tensor(data, True, dtype=np.float64)"
        )


# --- gradients as a function ----------------------------------------------------------------------------------------------


@overload
def gradients(
    y: Tensor, wrt: Sequence[Tensor], *, seed: ArrayLike | Tensor | None = None, create_graph: Literal[False] = False
) -> tuple[Array, ...]: ...
@overload
def gradients(
    y: Tensor, wrt: Sequence[Tensor], *, seed: ArrayLike | Tensor | None = None, create_graph: Literal[True]
) -> tuple[Tensor, ...]: ...
@overload
def gradients(y: Tensor, wrt: Tensor, *, seed: ArrayLike | Tensor | None = None, create_graph: Literal[False] = False) -> Array: ...
@overload
def gradients(y: Tensor, wrt: Tensor, *, seed: ArrayLike | Tensor | None = None, create_graph: Literal[True]) -> Tensor: ...
def gradients(
    y: Tensor, wrt: Tensor | Sequence[Tensor], *, seed: ArrayLike | Tensor | None = None, create_graph: bool = False
) -> Any:
    """The gradients of y with respect to tensors, without touching any ``.grad``, and without freeing the graph.

    For ``y = f(x)`` and a seed v of y's shape the result is vᵀ ∂y/∂x, of x's shape and dtype.

    Parameters
    ----------
    y : Tensor
        The output.
    wrt : Tensor or sequence of Tensors
        What to differentiate with respect to; leaves or not. Where y does not depend on one, its gradient is zero.
    seed : array_like, optional
        The gradient that arrives at y, of y's shape. 1 for an output with one entry.
    create_graph : bool
        Return Tensors with a graph of their own, which can be differentiated again: second and higher order.

    Returns
    -------
    A gradient for a Tensor, a tuple for a sequence: ndarrays, or Tensors with ``create_graph=True``.

    Raises
    ------
    GraphError, ShapeError, GradientError
        As :meth:`Tensor.backward`.

    Examples
    --------
    >>> x = Tensor(2.0, requires_grad=True)
    >>> y = x**3
    >>> g = gradients(y, x, create_graph=True)
    >>> float(g), float(gradients(g, x))
    (12.0, 12.0)
    """
    wanted = [wrt] if isinstance(wrt, Tensor) else list(wrt)
    if not isinstance(y, Tensor):
        raise TensorTypeError(f"gradients() are those of a Tensor, not of a {type(y).__name__}")
    for x in wanted:
        if not isinstance(x, Tensor):
            raise TensorTypeError(f"gradients() are with respect to Tensors, not {type(x).__name__}")
        if not x.requires_grad:
            raise GraphError("gradients() with respect to a tensor that does not require them: make it with requires_grad=True")
    start = y._seed(seed, "gradients()")
    path = between(y, wanted)
    if create_graph:
        with recording(True):
            root = seed.astype(y.dtype) if isinstance(seed, Tensor) else leaf(Tensor.__new__(Tensor), start, requires_grad=False)
            found = sweep(y, root, path, create_graph=True)
        result: list[Any] = [found[x] if x in found else Tensor(np.zeros(x.shape, x.dtype)) for x in wanted]
    else:
        found = sweep(y, start, path)
        result = [np.zeros(x.shape, x.dtype) if x not in found else found[x] for x in wanted]
        result = [g.copy() if any(x is w for w in wanted[:i]) else g for i, (g, x) in enumerate(zip(result, wanted, strict=True))]
    return result[0] if isinstance(wrt, Tensor) else tuple(result)
