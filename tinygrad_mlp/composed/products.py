"""Composed functions: products of vectors, matrices and tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..errors import ShapeError
from ..primitive import composed
from ..rules import contract, convolve, matmul, multiply, vecdot
from .shapes import operand, ravel


@composed(np.dot)
def dot(x: Any, y: Any, /) -> Any:
    """NumPy's dot, Σₖ x[i, j, k] y[l, k, m]: for up to two axes the product of numbers, vectors and matrices.

    For stacks it is not ``@``: the leading axes of both are in the result, side by side.
    """
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return multiply(x, y)
    if np.ndim(y) > 2 or (np.ndim(x) > 2 and np.ndim(y) > 1):
        return tensordot(x, y, axes=(-1, -2))
    return matmul(x, y)


@composed(np.tensordot, np.linalg.tensordot)
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """The sum over pairs of axes: the last ``axes`` of x1 with the first ones of x2, or those that two lists name.

    One matrix product: the summed axes are moved together and made one, the others likewise.
    """
    x, y = operand(x1), operand(x2)
    if isinstance(axes, (int, np.integer)):
        axes = range(x.ndim - int(axes), x.ndim), range(int(axes))
    a, b = (normalize_axis_tuple(np.atleast_1d(given), v.ndim) for given, v in zip(axes, (x, y), strict=True))
    if [x.shape[i] for i in a] != [y.shape[j] for j in b]:
        raise ShapeError(f"tensordot of shapes {x.shape} and {y.shape} over the axes {a} and {b}: their lengths differ")
    rows, columns = [i for i in range(x.ndim) if i not in a], [j for j in range(y.ndim) if j not in b]
    outer_shape = [x.shape[i] for i in rows], [y.shape[j] for j in columns]
    n = math.prod(x.shape[i] for i in a)
    left = np.reshape(np.permute_dims(x, (*rows, *a)), (math.prod(outer_shape[0]), n))
    right = np.reshape(np.permute_dims(y, (*b, *columns)), (n, math.prod(outer_shape[1])))
    return np.reshape(matmul(left, right), (*outer_shape[0], *outer_shape[1]))


@composed(np.outer)
def outer(x1: Any, x2: Any, /) -> Any:
    """The products of every entry of x1 with every entry of x2, a matrix."""
    return ravel(x1)[:, None] * ravel(x2)


@composed(np.linalg.outer, name="linalg.outer")
def linalg_outer(x1: Any, x2: Any, /) -> Any:
    """The outer product of two vectors, a matrix."""
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ShapeError(f"linalg.outer takes two vectors, not shapes {np.shape(x1)} and {np.shape(x2)}: np.outer flattens them")
    return outer(x1, x2)


@composed(np.inner)
def inner(x: Any, y: Any, /) -> Any:
    """Σₖ x[i, k] y[j, k], over the last axis of both; the product if one is a number."""
    return multiply(x, y) if np.ndim(x) == 0 or np.ndim(y) == 0 else tensordot(x, y, axes=(-1, -1))


@composed(np.vdot)
def vdot(x: Any, y: Any, /) -> Any:
    """Σ x* y over all entries, in index order."""
    return vecdot(ravel(x), ravel(y))


@composed(np.kron)
def kron(x: Any, y: Any, /) -> Any:
    """The Kronecker product: every entry of x times a copy of y."""
    x, y = operand(x), operand(y)
    ndim = max(x.ndim, y.ndim)
    a, b = (1,) * (ndim - x.ndim) + x.shape, (1,) * (ndim - y.ndim) + y.shape
    spread = np.reshape(x, [n for length in a for n in (length, 1)]) * np.reshape(y, [n for length in b for n in (1, length)])
    return np.reshape(spread, [m * n for m, n in zip(a, b, strict=True)])


@composed(*filter(None, [getattr(np, "matvec", None)]))
def matvec(x1: Any, x2: Any, /) -> Any:
    """A v, for stacks of matrices and of vectors."""
    return np.squeeze(matmul(x1, np.expand_dims(x2, -1)), -1)


@composed(*filter(None, [getattr(np, "vecmat", None)]))
def vecmat(x1: Any, x2: Any, /) -> Any:
    """v* A, for stacks of vectors and of matrices; a complex v is conjugated."""
    x = operand(x1)
    return np.squeeze(matmul(np.expand_dims(np.conj(x) if x.dtype.kind == "c" else x, -2), x2), -2)


@composed(np.cross)
def cross(x1: Any, x2: Any, /, *, axis: int | None = None, axisa: int = -1, axisb: int = -1, axisc: int = -1) -> Any:
    """The vector product in three dimensions: (x₂y₃ − x₃y₂, x₃y₁ − x₁y₃, x₁y₂ − x₂y₁), by default along the last axis."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = operand(x1), operand(x2)
    x, y = np.moveaxis(x, axisa, -1), np.moveaxis(y, axisb, -1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise ShapeError(f"cross takes vectors of 3 entries, not {x.shape[-1]} and {y.shape[-1]}: append a zero to those of 2")
    following, last = np.array([1, 2, 0]), np.array([2, 0, 1])
    return np.moveaxis(x[..., following] * y[..., last] - x[..., last] * y[..., following], -1, axisc)


@composed(np.linalg.cross, name="linalg.cross")
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """The vector product in three dimensions, along axis."""
    return cross(x1, x2, axis=axis)


@composed(np.correlate)
def correlate(a: Any, v: Any, /, mode: str = "valid") -> Any:
    """cₖ = Σₙ aₙ₊ₖ vₙ*: the convolution with the reversed conjugate of v."""
    a, v = np.atleast_1d(operand(a)), np.atleast_1d(operand(v))
    reverse = np.flip(np.conj(v) if v.dtype.kind == "c" else v)
    n, m = a.shape[0], v.shape[0]
    if mode == "same" and n < m:  # NumPy then exchanges a and v, and the middle of an even length is the other one
        return convolve(a, reverse, mode="full")[n // 2 : n // 2 + m]
    return convolve(a, reverse, mode=mode)


# --- einsum -----------------------------------------------------------------------------------------------------------


@composed(np.einsum)
def einsum(*operands: Any, optimize: Any = None) -> Any:
    """Einstein's summation: the sum of products over the labels that are not in the result.

    ``einsum("ij,jk->ik", a, b)``, or with lists of numbers as labels, ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.
    """
    if not operands:
        raise ShapeError('einsum takes subscripts and arrays: write np.einsum("ij,jk->ik", a, b)')
    text, arrays = (operands[0], operands[1:]) if isinstance(operands[0], str) else from_lists(operands)
    xs = [operand(x) for x in arrays]
    return contract(xs, subscripts=canonical(text, [x.ndim for x in xs]))


def from_lists(operands: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """The form with lists of labels, as a string and the arrays: numbers become letters in the order of the alphabet."""

    def term(labels: Sequence[Any]) -> str:
        return "".join("..." if label is Ellipsis else LABELS[int(label)] for label in labels)

    inputs = ",".join(term(labels) for labels in operands[1::2])
    out = "->" + term(operands[-1]) if len(operands) % 2 else ""
    return inputs + out, operands[: len(operands) // 2 * 2 : 2]


LABELS = "".join(sorted(ascii_letters))


def canonical(subscripts: str, ndims: Sequence[int]) -> str:
    """The subscripts in full: no spaces, the result named, ``...`` in the letters that are free.

    >>> canonical("ij, jk", [2, 2])
    'ij,jk->ik'
    >>> canonical("...i,...i", [3, 2])
    'ABi,Bi->AB'
    """
    inputs, arrow, out = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise ShapeError(f"einsum {subscripts!r} names {len(terms)} arrays, but {len(ndims)} were given")
    free = [label for label in LABELS if label not in subscripts]
    hidden = [n - len(term.replace("...", "")) for term, n in zip(terms, ndims, strict=True)]  # the axes that ... stands for
    for term, n, h in zip(terms, ndims, hidden, strict=True):
        if h < 0 or (h and "..." not in term):
            raise ShapeError(f"einsum {subscripts!r}: the labels {term!r} do not fit an array with {n} axes")
    most = max((h for term, h in zip(terms, hidden, strict=True) if "..." in term), default=0)
    rest = "".join(free[:most])
    full = [term.replace("...", rest[most - h :]) for term, h in zip(terms, hidden, strict=True)]
    if not arrow:
        labels = "".join(terms).replace("...", "")
        out = "..." + "".join(label for label in sorted(set(labels)) if labels.count(label) == 1)
    elif most and "..." not in out:
        raise ShapeError(f"einsum {subscripts!r}: the axes of '...' are in no place of the result: write '->...{out}'")
    return ",".join(full) + "->" + out.replace("...", rest)
