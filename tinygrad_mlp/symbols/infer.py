"""Which shape and dtype an operation's result has, found without computing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import operation_failed
from ..kernels.shapes import Array
from ..primitive import Primitive

__all__ = ["result_of"]


def result_of(op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the dtype of op(*inputs, **params); inputs have both, or are plain numbers.

    Elementwise functions are called with one entry. Others are called with arrays of the right shape that hold one number, in
    one place of the memory, and matrices like the unit matrix, which can be inverted and factorised.

    Raises
    ------
    ShapeError, TensorTypeError
        As the operation itself.
    """
    try:
        with np.errstate(all="ignore"):
            if op.elementwise:
                shapes = [np.shape(x) for x in inputs if x is not None]
                ones = [
                    (1 if x.dtype.kind == "i" else 1.5) if is_weak(x) else np.ones(1, x.dtype) if hasattr(x, "dtype") else x
                    for x in inputs
                ]
                return np.broadcast_shapes(*shapes), np.asarray(op.forward(*ones, **params)).dtype
            if op.name in ("matmul", "linear") and all(np.ndim(x) for x in inputs):
                return product(op, inputs)
            matrices = op.name.startswith("linalg.") and op.name != "linalg.vector_norm"
            result = np.asarray(op.forward(*[placeholder(x, matrices) for x in inputs], **params))
            return result.shape, result.dtype
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise operation_failed(op.name, inputs, params, error) from error


def is_weak(x: Any) -> bool:
    """Whether x stands for a Python number."""
    return getattr(x, "weak", False)


def product(op: Primitive, inputs: Sequence[Any]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Of x @ y, and x @ y + b: a dimension of length 1 at most is multiplied out."""
    x, y = inputs[:2]
    small = [np.broadcast_to(np.ones((), v.dtype), thin(v.shape, i)) for i, v in enumerate((x, y))]
    whole = np.matmul(*small)
    rows, columns = x.shape[-2:-1], y.shape[-1:] if len(y.shape) > 1 else ()
    shape = np.broadcast_shapes(x.shape[:-2], y.shape[:-2]) + rows + columns
    if len(inputs) == 2:
        return shape, whole.dtype
    b = inputs[2]
    return np.broadcast_shapes(shape, b.shape), np.result_type(whole.dtype, b.dtype)


def thin(shape: tuple[int, ...], position: int) -> tuple[int, ...]:
    """A matrix's shape with one row (of the left factor) or one column (of the right one), without leading axes."""
    if len(shape) == 1:
        return shape
    return (1, shape[-1]) if position == 0 else (shape[-2], 1)


def placeholder(x: Any, matrix: bool) -> Any:
    """An array like x, in one place of the memory if possible."""
    if not hasattr(x, "dtype"):
        return x
    if matrix and len(x.shape) >= 2:
        eye: Array = np.eye(x.shape[-2], x.shape[-1], dtype=x.dtype)
        return np.broadcast_to(eye, x.shape)
    number = np.zeros((), x.dtype) if x.dtype.kind in "iu" else np.ones((), x.dtype)  # 0 is an index and a label of anything
    return np.broadcast_to(number, x.shape)
