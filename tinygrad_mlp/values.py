"""What can become the value of a Tensor: arrays in and out of it, checked and converted."""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .errors import GraphError, TensorTypeError, in_short
from .graph import CLOCK, Node
from .kernels.shapes import Array
from .operand import Operand
from .primitive import COMPOSED, TABLE, Primitive, joined

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["NUMBERS", "check_floating", "convert", "leaf", "lost", "plain", "read_only", "unwrap"]

NUMBERS = frozenset({np.ndarray, float, int, bool, complex, np.float64, np.float32, np.int64, np.bool_})
N = TypeVar("N", bound=Node)


def leaf(node: N, array: Array, requires_grad: bool) -> N:
    """Make node a leaf with this array."""
    node.array, node.tracked = array, requires_grad
    node.op, node.inputs, node.arrays, node.edges, node.params = None, (), (), (), {}
    node.grad, node.call, node.extras, node.origin, node.stamp = None, None, None, None, next(CLOCK)
    return node


def read_only(array: Array) -> Array:
    """A view that cannot be written into, nor be made writable."""
    return np.asarray(memoryview(array).toreadonly())  # type: ignore[arg-type]  # an ndarray is a buffer


def plain(op: Primitive, x: Any) -> Any:
    """An operand that is neither a Tensor nor a number: a list becomes an array, and what holds no numbers is refused."""
    if isinstance(x, (Node, np.generic)) or type(x) in NUMBERS:
        return np.asarray(x) if isinstance(x, np.generic) and type(x) not in NUMBERS else x
    if isinstance(x, Operand):
        raise TensorTypeError(f"{op.name}() got a Tensor and a {type(x).__name__}: one computation has one reading")
    if isinstance((made := joined(x)), Operand):
        return made
    array = np.asarray(x)
    if array.dtype.kind not in "biufc" or isinstance(x, np.ma.MaskedArray):
        cure = container(x) and f": write {container(x)}"
        raise TensorTypeError(f"{op.name}() takes tensors, arrays and numbers, but it got {in_short(x)} ({type(x).__name__}){cure}")
    return array


CONTAINERS = {"toarray": "S.toarray()", "filled": "a.filled(0) and tg.where", "to_numpy": "s.to_numpy()"}
"""What sparse matrices, masked arrays, and pandas' series and frames are told by, and how each becomes an array."""


def container(x: Any) -> str:
    """How something that holds an array gives it; empty if it is no such thing."""
    return next((cure for method, cure in CONTAINERS.items() if hasattr(x, method)), "")


def lost() -> GraphError:
    """The error where other code asks a tensor with a graph for its numbers: who asks, and what to write instead.

    That is the function that was called, the outermost frame of a library, such as scipy.special.softmax; or it is an operator of
    an object that holds an array, such as ``S @ t`` with a sparse S.
    """
    frame: FrameType | None = sys._getframe(2)  # behind __array__
    who, instead = "a NumPy array", ""
    joining = "; to join tensors in nested lists write tg.stack([...]) or tg.asarray([...]), since NumPy does not hand those over"
    while frame is not None:
        module, code = str(frame.f_globals.get("__name__", "")), frame.f_code
        operator = code.co_name.startswith("__") and code.co_argcount == 2
        if operator and (cure := container(owner := frame.f_locals.get(code.co_varnames[0]))):
            who, instead, joining = f"an operand of this {type(owner).__name__}", f"{cure} in its place, or ", ""
        elif "-packages" not in code.co_filename or module.startswith("tinygrad_mlp"):
            break  # the user's
        elif not code.co_name.startswith("_") and callable(frame.f_globals.get(code.co_name)):
            who, instead = f"an array in {module.partition('._')[0]}.{code.co_name}()", known_as(code.co_name, module)
        frame = frame.f_back
    return GraphError(
        f"a tensor with a graph would lose it as {who}: write {instead}t.numpy() to leave the graph on purpose{joining}"
    )


def known_as(name: str, module: str) -> str:
    """The function of the package that has the name of a library's; of linear algebra if that is one of linear algebra."""
    names = [f"{part}.{name}" for part in ("linalg", "fft") if part in module] + [name]
    return next((f"tg.{n}(…), or " for n in names if n in TABLE or n in COMPOSED), "")


def unwrap(x: Any) -> Any:
    """The arrays in place of Tensors, in lists and tuples too."""
    if isinstance(x, Node):
        return x.array
    return type(x)(unwrap(i) for i in x) if type(x) in (list, tuple) else x


def convert(value: ArrayLike | Node, dtype: np.dtype[Any], what: str) -> Array:
    """A copy of value in dtype; refused if the kind of number would change (3.7 → 3, 2j → 0)."""
    given = value.array if isinstance(value, Node) else np.asarray(value)
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
