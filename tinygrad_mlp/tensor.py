"""A Tensor is an array that remembers how it was computed, and can be asked for gradients."""

from __future__ import annotations

import opcode
import os
import sys
import weakref
from _thread import allocate_lock  # threading.Lock itself; importing threading costs 1 ms
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .assignment import Assignable
from .errors import GraphError, ShapeError, TensorTypeError
from .graph import Extras
from .kernels.shapes import Array
from .modes import MODES
from .primitive import TABLE, Primitive
from .recording import record
from .sweep import sweep
from .values import check_floating, convert, leaf, lost, read_only, unwrap

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

__all__ = ["Tensor"]

STORE_SUBSCR = opcode.opmap["STORE_SUBSCR"]  # the instruction of a[i] = t
ADDING = allocate_lock()  # += is not atomic: threads that share parameters would lose gradients


def renew_lock() -> None:
    """In the child of a fork: the thread that may have held the lock is not in it."""
    global ADDING
    ADDING = allocate_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew_lock)


class Tensor(Assignable):
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
        if isinstance(data, Tensor):
            data._refuse_while_traced()
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
        self._refuse_while_traced()
        return read_only(self.array) if self.op is not None else self._exposed()

    @data.setter
    def data(self, value: ArrayLike) -> None:
        view = None if self.extras is None or self.extras.exposed is None else self.extras.exposed()
        if view is not None and value is view and np.may_share_memory(self.array, view):
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
        self._refuse_while_traced()
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
        self._refuse_while_traced()
        number: float | int | bool | complex = self.array.item()
        return number

    def tolist(self) -> Any:
        """The value as nested lists of Python numbers."""
        self._refuse_while_traced()
        return self.array.tolist()

    def _exposed(self) -> Array:
        """The array for writing, by whoever asked for it. No graph refers to it, then or later: see :mod:`tinygrad_mlp.guard`."""
        extras = self.extras = self.extras or Extras()
        view = extras.exposed() if extras.exposed is not None else None
        if view is None or not np.may_share_memory(view, self.array):  # an optimiser has given new data since
            # what a graph, another tensor's view or a reader holds stays as it is; this tensor goes on with a copy
            if sys.getrefcount(self.array) > UNSHARED or self.array.base is not None or not self.array.flags.writeable:
                self.array = self.array.copy()
            # through a memoryview every view of this view refers to it, so that it lives as long as anybody can write
            view = np.asarray(memoryview(self.array))  # type: ignore[arg-type]  # an ndarray is a buffer
            extras.exposed = weakref.ref(view)
        return view

    def detach(self) -> Tensor:
        """The same value without a graph: a constant."""
        if (tracer := MODES.get().tracer) is not None:
            return tracer.unknown(self).detach()  # type: ignore[no-any-return]  # a handle, for the time of the trace
        return leaf(Tensor.__new__(Tensor), self.array.copy(), requires_grad=False)

    def astype(self, dtype: DTypeLike) -> Tensor:
        """The value in another dtype. Gradients pass between floating dtypes; other dtypes carry none."""
        return record(type(self), TABLE["astype"], (self,), {"dtype": np.dtype(dtype), "copy": True, "device": None})

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
                f"{caller} on a tensor without a graph: no input requires gradients, or it was computed under no_grad(), or it is "
                f"the gradient of what is linear, a constant, whose derivative is 0; make the leaves with "
                f"Tensor(…, requires_grad=True)"
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
        return record(cls, op, inputs, params)

    @classmethod
    def _constant(cls, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], wrap: bool = True) -> Any:
        if (tracer := MODES.get().tracer) is not None:
            return tracer.constant(function, args, kwargs, wrap)
        result = function(*[unwrap(a) for a in args], **{name: unwrap(a) for name, a in kwargs.items()})
        if not wrap:
            return result
        if isinstance(result, tuple):
            return tuple(leaf(Tensor.__new__(Tensor), r, requires_grad=False) for r in result)
        return leaf(Tensor.__new__(Tensor), np.asarray(result), requires_grad=False)

    # --- Python's protocols ---------------------------------------------------------------------------------------

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        if self.requires_grad:
            raise lost()
        return np.array(self.array, dtype=dtype, copy=copy) if copy else np.asarray(self.numpy(), dtype=dtype)

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """The package, which is an array API namespace."""
        known = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
        if api_version not in (None, *known):
            raise ValueError(f"the array API's version {api_version!r} is not known here: {', '.join(known)} are")
        return sys.modules[__package__ or "tinygrad_mlp"]

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
        self._refuse_while_traced()
        return bool(np.any(self.array == unwrap(value)))

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise ShapeError(f"the truth of a tensor of shape {self.shape} is not defined: write t.any(), t.all() or t.size > 0")
        return bool(self.item())

    def _refuse_while_traced(self) -> None:
        """The program of a traced function must not depend on the value that a Tensor has at that moment."""
        if (tracer := MODES.get().tracer) is not None:
            tracer.unknown(self).item()

    def __float__(self) -> float:
        if self.array.size != 1:
            raise ShapeError(
                f"float(t) needs a tensor with one entry, this one has shape {self.shape}: Python's math calls it too, write "
                f"np.exp(t) in place of math.exp(t); t.tolist() gives all numbers"
            )
        self._refuse_if_stored()
        return float(self.item())  # type: ignore[arg-type]  # a complex number raises Python's own TypeError

    def _refuse_if_stored(self) -> None:
        """``a[i] = t`` with a plain array a asks t for its number: the graph would be lost without a word."""
        if self.tracked and MODES.get().transformed:
            raise GraphError(
                "float(t) in a function that is being differentiated would lose the derivative (Python's math calls it too): write "
                "np.exp(t) in place of math.exp(t); t.item() leaves the graph on purpose"
            )
        caller = sys._getframe(2)
        if self.tracked and caller.f_code.co_code[caller.f_lasti] == STORE_SUBSCR:
            raise GraphError(
                "a plain array cannot hold a tensor with a graph: make it a tensor, np.zeros_like(t) or tg.zeros(n), and assign "
                "to that; or write a[i] = float(t) to leave the graph on purpose"
            )

    def __int__(self) -> int:
        self._refuse_if_stored()
        return int(self.item())  # type: ignore[arg-type]  # likewise

    def __complex__(self) -> complex:
        self._refuse_if_stored()
        return complex(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.array.ndim:
            raise TensorTypeError(f"a tensor of shape {self.shape} and dtype {self.dtype} is no index: an integer of shape () is")
        return int(self.array.item())

    def __format__(self, spec: str) -> str:
        if spec and self.array.size != 1:
            raise ShapeError(f"a tensor of shape {self.shape} has no format {spec!r}: one entry has, or write np.round(t, 2)")
        return format(self.array.item(), spec) if spec else str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.op is not None and self.requires_grad:
            raise GraphError("a tensor with a graph can be neither pickled nor copied: write t.detach()")
        state = getattr(self, "__dict__", None) or None, subclass_slots(self) or None
        return rebuild, (type(self), self.array, self.requires_grad, self.grad), state if any(state) else None

    def __repr__(self) -> str:
        value = np.array2string(self.array, separator=", ", threshold=64, edgeitems=3, precision=6, prefix="Tensor(")
        told = f", shape={self.shape}, dtype={self.dtype}"
        told += f", op={self.op.name}" if self.op is not None else ", requires_grad=True" if self.requires_grad else ""
        return f"{type(self).__name__}({value}{told})"

    __str__ = __repr__


LONE = leaf(Tensor.__new__(Tensor), np.zeros(1), requires_grad=False)
UNSHARED = sys.getrefcount(LONE.array)
"""What getrefcount says of a tensor's array that only the tensor refers to."""


def subclass_slots(tensor: Tensor) -> dict[str, Any]:
    """What a subclass keeps in slots of its own."""
    found = {}
    for cls in type(tensor).__mro__[: type(tensor).__mro__.index(Tensor)]:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            private = name.startswith("__") and not name.endswith("__")
            full = f"_{cls.__name__.lstrip('_')}{name}" if private else name
            if name not in ("__dict__", "__weakref__") and hasattr(tensor, full):
                found[full] = getattr(tensor, full)
    return found


def rebuild(cls: type[Tensor], array: Array, requires_grad: bool, grad: Array | None) -> Tensor:
    """A copy of a leaf, for copy and pickle."""
    node = leaf(cls.__new__(cls), np.array(array), requires_grad)
    node.grad = None if grad is None else np.array(grad)
    return node
