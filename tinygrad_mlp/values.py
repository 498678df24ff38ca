"""What can become the value of a Tensor: arrays in and out of it, checked and converted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .errors import TensorTypeError
from .graph import CLOCK, Node
from .kernels.shapes import Array
from .operand import Operand
from .primitive import Primitive

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["NUMBERS", "check_floating", "convert", "leaf", "plain", "read_only", "unwrap"]

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
    if isinstance(x, (list, tuple)) and any(isinstance(i, Node) for i in x):
        raise TensorTypeError(f"{op.name}() got a {type(x).__name__} of tensors: join them first with tg.stack([...])")
    array = np.asarray(x)
    if array.dtype.kind not in "biufc" or isinstance(x, np.ma.MaskedArray):
        raise TensorTypeError(f"{op.name}() takes tensors, arrays and numbers, but it got {x!r} ({type(x).__name__})")
    return array


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
