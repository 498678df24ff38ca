"""Composed functions: joining, splitting, and diagonals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..errors import ShapeError
from ..primitive import composed
from ..rules import astype, broadcast_to, concat, reshape, scatter
from .shapes import along, operand, ravel

# --- joining ----------------------------------------------------------------------------------------------------------


def listed(arrays: Any, function: str) -> list[Any]:
    """The arrays of a list, at least one."""
    found = [operand(x) for x in arrays]
    if not found:
        raise ShapeError(f"{function} takes a list of arrays, at least one")
    return found


@composed(np.hstack)
def hstack(arrays: Any, /) -> Any:
    """The arrays side by side: joined along axis 1, vectors along their only one."""
    parts = [np.atleast_1d(x) for x in listed(arrays, "hstack")]
    return concat(parts, axis=0 if parts[0].ndim == 1 else 1)


@composed(np.vstack)
def vstack(arrays: Any, /) -> Any:
    """The arrays below each other: joined along axis 0, vectors as rows."""
    return concat([np.atleast_2d(x) for x in listed(arrays, "vstack")], axis=0)


@composed(np.dstack)
def dstack(arrays: Any, /) -> Any:
    """The arrays behind each other: joined along axis 2."""
    return concat([np.atleast_3d(x) for x in listed(arrays, "dstack")], axis=2)


@composed(np.column_stack)
def column_stack(arrays: Any, /) -> Any:
    """The arrays side by side, vectors as columns."""
    return concat([x if x.ndim > 1 else reshape(x, shape=(-1, 1)) for x in listed(arrays, "column_stack")], axis=1)


@composed(np.block)
def block(arrays: Any, /) -> Any:
    """A matrix of blocks: the innermost lists are joined along the last axis, those around them along the one before, …"""

    def depths(part: Any) -> set[int]:
        return {1 + d for p in part for d in depths(p)} if isinstance(part, list) else {0}

    def leaves(part: Any) -> list[Any]:
        return [leaf for p in part for leaf in leaves(p)] if isinstance(part, list) else [operand(part)]

    def join(part: Any, axis: int) -> Any:
        if isinstance(part, list):
            return concat([join(p, axis + 1) for p in part], axis=axis)
        x = operand(part)
        return reshape(x, shape=(1,) * (ndim - x.ndim) + x.shape)

    found = depths(arrays)
    if len(found) != 1:
        raise ShapeError("block takes lists of one depth, none of them empty")
    depth = found.pop()
    ndim = max(depth, *[x.ndim for x in leaves(arrays)])
    return join(arrays, -depth)


# --- splitting --------------------------------------------------------------------------------------------------------


@composed(np.split)
def split(x: Any, /, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """x in so many equal parts along axis, or cut at the given indices."""
    if np.ndim(indices_or_sections) == 0 and x.shape[axis] % int(indices_or_sections):
        raise ShapeError(f"{x.shape[axis]} entries cannot be split into {indices_or_sections} equal parts: array_split can")
    return array_split(x, indices_or_sections, axis)


@composed(np.array_split)
def array_split(x: Any, /, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As split; where the parts cannot be equal, the first ones are longer by one."""
    axis = normalize_axis_index(axis, x.ndim)
    if np.ndim(indices_or_sections):
        cuts = [int(i) for i in indices_or_sections]
    else:
        sections = int(indices_or_sections)
        if sections < 1:
            raise ShapeError(f"x is split into 1 part or more, not {sections}")
        size, longer = np.divmod(x.shape[axis], sections)
        cuts = [int(i * size + min(i, longer)) for i in range(1, sections)]
    return [x[along(axis, slice(start, stop))] for start, stop in zip([0, *cuts], [*cuts, None], strict=True)]


@composed(np.hsplit)
def hsplit(x: Any, /, indices_or_sections: Any) -> list[Any]:
    """Split along axis 1, a vector along its only one."""
    if not x.ndim:
        raise ShapeError("hsplit takes one axis or more, not a number")
    return split(x, indices_or_sections, axis=1 if x.ndim > 1 else 0)


@composed(np.vsplit)
def vsplit(x: Any, /, indices_or_sections: Any) -> list[Any]:
    """Split along axis 0 of two and more."""
    if x.ndim < 2:
        raise ShapeError(f"vsplit takes two axes or more, not shape {x.shape}")
    return split(x, indices_or_sections, axis=0)


@composed(np.dsplit)
def dsplit(x: Any, /, indices_or_sections: Any) -> list[Any]:
    """Split along axis 2."""
    if x.ndim < 3:
        raise ShapeError(f"dsplit takes three axes or more, not shape {x.shape}")
    return split(x, indices_or_sections, axis=2)


@composed(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The slices along axis, one by one."""
    axis = normalize_axis_index(axis, x.ndim)
    return tuple(x[along(axis, i)] for i in range(x.shape[axis]))


# --- diagonals --------------------------------------------------------------------------------------------------------


def diagonal_index(rows: int, columns: int, offset: int) -> tuple[Any, Any]:
    """Where the diagonal of a matrix lies that is offset to the right."""
    offset = int(offset)
    i = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    return i + max(-offset, 0), i + max(offset, 0)


@composed(np.diagonal)
def diagonal(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonals of the matrices in the plane of two axes, along a new last axis."""
    x = operand(x)
    axis1, axis2 = normalize_axis_tuple((axis1, axis2), x.ndim)
    moved = np.moveaxis(x, (axis1, axis2), (-2, -1))
    return moved[(..., *diagonal_index(x.shape[axis1], x.shape[axis2], offset))]


@composed(np.trace)
def trace(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    """The sum of the diagonal."""
    return np.sum(diagonal(x, offset, axis1, axis2), axis=-1, dtype=dtype)


@composed(np.linalg.diagonal, name="linalg.diagonal")
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonal of a matrix, or of each one of a stack."""
    return diagonal(x, offset, -2, -1)


@composed(np.linalg.trace, name="linalg.trace")
def linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The sum of the diagonal of a matrix, or of each one of a stack."""
    return trace(x, offset, -2, -1, dtype)


@composed(np.diag)
def diag(x: Any, /, k: int = 0) -> Any:
    """The matrix with the vector x on its k-th diagonal, or the k-th diagonal of the matrix x."""
    x = operand(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ShapeError(f"diag takes a vector or a matrix, not shape {x.shape}: np.diagonal takes more axes")
    n = x.shape[0] + abs(int(k))
    return scatter(x, shape=(n, n), index=diagonal_index(n, n, k))


@composed(np.diagflat)
def diagflat(x: Any, /, k: int = 0) -> Any:
    """The matrix with all entries of x on its k-th diagonal."""
    return diag(ravel(x), k)


@composed(np.vander)
def vander(x: Any, /, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of each entry in a row: x^(N−1) … x, 1, or 1, x … with ``increasing``."""
    x = operand(x)
    if x.ndim != 1:
        raise ShapeError(f"vander takes a vector, not shape {x.shape}")
    n = x.shape[0] if N is None else N
    if n < 0:
        raise ShapeError(f"vander makes 0 columns or more, not {n}")
    x = x if x.dtype.kind in "fc" else astype(x, dtype=np.result_type(x.dtype, int))
    factors = broadcast_to(x[:, None], shape=(x.shape[0], max(n - 1, 0)))
    powers = np.cumulative_prod(factors, axis=1, include_initial=True)[:, :n]
    return powers if increasing else np.flip(powers, axis=1)
