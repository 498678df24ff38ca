"""A Tensor is an array that remembers how it was computed, and can be asked for gradients."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NoReturn, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .errors import GraphError, ShapeError, TensorTypeError, operation_failed
from .graph import Node, between, origin, sweep
from .kernels import Array
from .modes import NOT_RECORDING, recording
from .operand import Operand
from .primitive import TABLE, Primitive

__all__ = ["Tensor", "gradients"]

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
        """The value, an ndarray. Assigning gives a leaf new data of the same shape, and gradients of what was computed before
        stay those of the old data. ``t.data -= step`` writes into the old data; a graph that still needs it then refuses.
        """
        return self.array

    @data.setter
    def data(self, value: ArrayLike) -> None:
        if value is self.array and self.op is None:  # t.data -= step: NumPy has written into the array already
            self.stamp = next(CLOCK)
            return
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
        view = self.array.view()
        view.flags.writeable = False
        return view

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

    def detach(self) -> Tensor:
        """The same value without a graph: a constant."""
        return leaf(Tensor.__new__(Tensor), self.array.copy(), requires_grad=False)

    def astype(self, dtype: DTypeLike) -> Tensor:
        """The value in another dtype. Gradients pass between floating dtypes; other dtypes carry none."""
        return record(TABLE["astype"], (self,), {"dtype": np.dtype(dtype)})

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
        self.retains_grad = True
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

    def _in_place(self, other: Any) -> Any:
        """``t += v`` makes a new tensor and calls it t; a leaf that requires gradients would be lost by that."""
        if self.requires_grad and self.op is None:
            raise GraphError(
                "a leaf that requires gradients is not changed in place: write t.data -= step for an update, or u = t - step"
            )
        return NotImplemented  # Python goes on with t = t + v

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __imod__ = __ifloordiv__ = __imatmul__ = _in_place

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TensorTypeError(
            "tensors are not assigned to in place: write t = tg.where(mask, value, t), or join parts with tg.concat"
        )

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
    node.grad, node.retains_grad, node.origin, node.stamp = None, False, None, 0
    return node


def rebuild(cls: type[Tensor], array: Array, requires_grad: bool, grad: Array | None) -> Tensor:
    """A copy of a leaf, for copy and pickle."""
    node = leaf(cls.__new__(cls), np.array(array), requires_grad)
    node.grad = None if grad is None else np.array(grad)
    return node


def record(op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Tensor:
    """Compute op(*inputs, **params) and, if an input requires gradients, note how."""
    arrays: list[Any] = []
    edges: list[tuple[int, Tensor]] = []
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor):
            arrays.append(x.array)
            if x.tracked:
                edges.append((i, x))
        elif type(x) in NUMBERS or (x is None and i >= len(op.rules) - op.optional):
            arrays.append(x)
        else:
            return record(op, tuple(x if x is None and op.optional else plain(op, x) for x in inputs), params)
    try:
        array = op.forward(*arrays, **params)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise operation_failed(op.name, arrays, params, error) from error
    if type(array) is not np.ndarray:
        array = np.asarray(array)
    node = Tensor.__new__(Tensor)
    kind = array.dtype.kind
    if kind not in "fciub":
        raise operation_failed(op.name, arrays, params, TypeError(f"the result is no number but {array.dtype}"))
    if not edges or NOT_RECORDING.get() or kind not in "fc":  # integers and booleans carry no gradient
        return leaf(node, array, requires_grad=False)
    node.array, node.tracked, node.op, node.params = array, True, op, params
    node.inputs, node.arrays, node.edges = tuple(inputs), tuple(arrays), tuple(edges)
    node.grad, node.retains_grad, node.origin, node.stamp = None, False, origin(), next(CLOCK)
    return node


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
    """Only real floating numbers have gradients here."""
    if dtype.kind != "f":
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
