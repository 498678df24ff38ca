"""Composed functions: linear algebra."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..derivations.elementwise import conjugate
from ..derivations.linalg import hermitian_part, unpack
from ..errors import ShapeError, UnsupportedError
from ..kernels.linalg import eigh_shapes, qr_shapes, svd_shapes
from ..kernels.shapes import alike, floating
from ..modes import is_recording, recording
from ..primitive import TABLE, composed
from .shapes import operand

INF = float("inf")


@functools.cache
def results_of(function: Callable[..., Any]) -> type[Any]:
    """The named tuple that NumPy's function returns."""
    return type(function(np.eye(1)))


def is_tracked(x: Any) -> bool:
    """Whether gradients will be wanted of what is computed from x."""
    return bool(getattr(x, "requires_grad", False)) and is_recording()


def sides(x: Any) -> tuple[int, int]:
    """How many rows and columns the matrices x have."""
    if x.ndim < 2:
        raise np.linalg.LinAlgError(f"an array of shape {x.shape} is no matrix: it needs two axes or more")
    return x.shape[-2], x.shape[-1]


def as_real(x: Any) -> Any:
    """The real part of numbers that are real; real ones themselves."""
    return np.real(x) if x.dtype.kind == "c" else x


# --- decompositions ---------------------------------------------------------------------------------------------------


@composed(np.linalg.eigh, name="linalg.eigh")
def eigh(x: Any, /, UPLO: str = "L") -> Any:
    """Eigenvalues, ascending, and eigenvectors, the columns, of a symmetric or Hermitian matrix: x = V diag(w) Vᴴ.

    NumPy reads one triangle, ``UPLO``; the gradient is that of a symmetric matrix, shared by both.
    """
    w, v = unpack(TABLE["linalg.eigh_packed"](x, UPLO=UPLO), *eigh_shapes(x))
    return results_of(np.linalg.eigh)(as_real(w), v)


@composed(np.linalg.eig, name="linalg.eig")
def eig(x: Any, /) -> Any:
    """Eigenvalues and eigenvectors, the columns, of a square matrix: x V = V diag(w), in any order, and complex.

    The vectors have length 1, and their largest entry is real. For symmetric matrices ``eigh`` has real results.
    """
    return results_of(np.linalg.eig)(*unpack(TABLE["linalg.eig_packed"](x), *eigh_shapes(x)))


@composed(np.linalg.svd, name="linalg.svd")
def svd(x: Any, /, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """U, S, Vᴴ with x = U diag(S) Vᴴ, singular values descending.

    The further columns of the full matrices of a tall or wide x are any basis, and have no derivative: where gradients are
    wanted, ``full_matrices=False``.
    """
    if not compute_uv:
        return TABLE["linalg.svdvals"](x)
    m, n = sides(x)
    if full_matrices and m != n and is_tracked(x):
        raise UnsupportedError(
            f"linalg.svd with full_matrices=True has no derivative for {m} × {n} matrices: write linalg.svd(x, full_matrices=False)"
        )
    full = bool(full_matrices) and m != n
    u, s, vh = unpack(TABLE["linalg.svd_packed"](x, full_matrices=full), *svd_shapes(x, full))
    return results_of(np.linalg.svd)(u, as_real(s), vh)


@composed(np.linalg.qr, name="linalg.qr")
def qr(x: Any, /, mode: str = "reduced") -> Any:
    """Q with orthonormal columns, and an upper triangular R: x = Q R; mode "r" gives R alone.

    The further columns of the "complete" Q of a tall x are any basis, and have no derivative.
    """
    if mode not in ("reduced", "complete", "r"):
        raise UnsupportedError(f"linalg.qr with mode={mode!r} is not supported on tensors: write mode='reduced', 'complete' or 'r'")
    m, n = sides(x)
    complete = mode == "complete" and m > n
    if complete and is_tracked(x):
        raise UnsupportedError(
            f"linalg.qr with mode='complete' has no derivative for {m} × {n} matrices: write linalg.qr(x, mode='reduced')"
        )
    kind = "complete" if complete else "reduced"
    q, r = unpack(TABLE["linalg.qr_packed"](x, mode=kind), *qr_shapes(x, kind))
    return r if mode == "r" else results_of(np.linalg.qr)(q, r)


@composed(np.linalg.slogdet, name="linalg.slogdet")
def slogdet(x: Any, /) -> Any:
    """The sign of det x, or its direction det x / |det x| for complex numbers, and log |det x|."""
    return results_of(np.linalg.slogdet)(TABLE["linalg.det_sign"](x), TABLE["linalg.logabsdet"](x))


# --- functions of symmetric matrices ----------------------------------------------------------------------------------


class Scalar:
    """A function of numbers with its derivatives, the first by ``df`` where that is given, the others by the rules."""

    def __init__(self, f: Callable[[Any], Any], df: Callable[[Any], Any] | None) -> None:
        self.known = (f,) if df is None else (f, df)

    def __call__(self, x: Any, order: int) -> Any:
        from ..derivative import gradients
        from ..tensor import Tensor

        at = min(order, len(self.known) - 1)
        if order == at:
            return self.checked(self.known[at](x), x)
        with recording(True):
            t = Tensor(x, requires_grad=True)
            y = self.known[at](t)
            for _ in range(order - at):
                if not getattr(y, "requires_grad", False):
                    return np.zeros_like(x)
                y = gradients(np.sum(y), t, create_graph=True)
        return y.numpy()

    def checked(self, y: Any, x: Any) -> Any:
        """The values; refused if they are no real numbers, one for each of x, or depend on something that needs a gradient."""
        if getattr(y, "requires_grad", False):
            raise UnsupportedError(
                "funm(A, f): f depends on a tensor that requires gradients, which would be lost: scale outside of f, or write "
                "t.numpy() in f to leave the graph on purpose"
            )
        y = np.asarray(y)
        if y.shape != x.shape or y.dtype.kind not in "fiu":
            raise ShapeError(
                f"funm(A, f): f takes real numbers, an array of shape {x.shape}, to as many real numbers, not to {y.dtype} of "
                f"shape {y.shape}; a complex function is written in two parts, funm(A, np.cos) + 1j * funm(A, np.sin)"
            )
        return y.astype(x.dtype)


@composed(name="linalg.funm")
def funm(x: Any, f: Callable[[Any], Any], /, df: Callable[[Any], Any] | None = None) -> Any:
    """The function of a symmetric or Hermitian matrix, f(A) = V diag(f(w)) Vᴴ, for a function f of real numbers in plain NumPy.

    Its derivatives of all orders are right also where eigenvalues are equal, where those of V do not exist: they are made of
    divided differences of f. These need f′, f″ …, which follow from f by the rules; ``df`` gives f′ in another way. Matrices that
    are not symmetric are refused; the gradient is symmetric.

    >>> import tinygrad_mlp as tg
    >>> tg.grad(lambda a: np.sum(tg.linalg.funm(a, np.tanh)))(np.eye(2)).round(4)
    array([[0.42, 0.42],
           [0.42, 0.42]])
    """
    return TABLE["linalg.spectral"]([x], f=Scalar(f, df))


@composed(name="linalg.expm")
def expm(x: Any, /) -> Any:
    """The exponential Σ Aᵏ / k! of a symmetric or Hermitian matrix; with derivatives of all orders, as ``funm``."""
    return TABLE["linalg.spectral"]([x], f="exp")


@composed(name="linalg.sqrtm")
def sqrtm(x: Any, /) -> Any:
    """The root R = Rᴴ, R R = A, of a symmetric or Hermitian matrix without negative eigenvalues; as ``funm``.

    At a singular matrix the slope is infinite.
    """
    return TABLE["linalg.spectral"]([x], f="sqrt")


@composed(name="linalg.logm")
def logm(x: Any, /) -> Any:
    """The logarithm L = Lᴴ, expm(L) = A, of a positive definite matrix; as ``funm``."""
    return TABLE["linalg.spectral"]([x], f="log")


@composed(name="linalg.polar")
def polar(x: Any, /) -> Any:
    """U, P with x = U P: U the nearest matrix with orthonormal columns (rows, if x is wide), P = (xᴴ x)^½, for x of full rank.

    U is U Vᴴ of the singular value decomposition. Here it is the corner of the sign of [[0, x], [xᴴ, 0]], whose eigenvalues are the
    singular values and their negatives: equal ones do no harm, at no order.
    """
    m, n = sides(x)
    over = np.concatenate([np.zeros_like(x @ x.mT), x], axis=-1)
    under = np.concatenate([conjugate(x).mT, np.zeros_like(x.mT @ x)], axis=-1)
    whole = np.concatenate([over, under], axis=-2)
    u = TABLE["linalg.spectral"]([whole], f="sign", null=abs(m - n))[..., :m, m:]
    return u, hermitian_part(conjugate(u).mT @ x)


# --- norms ------------------------------------------------------------------------------------------------------------


@composed(np.linalg.matrix_norm, name="linalg.matrix_norm")
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """The norm of the matrices in the last two axes.

    "fro" or ``None``: √Σ |xᵢⱼ|²; "nuc": the sum of the singular values; 2 and −2: the largest and the smallest of them;
    1 and −1: the largest and the smallest sum of a column's absolute values; inf and −inf: of a row's.
    """
    if x.ndim < 2:
        raise ShapeError(f"matrix_norm takes matrices, not shape {x.shape}")
    x = floating(x)
    if ord is None or ord in ("fro", "f"):
        return TABLE["linalg.vector_norm"](x, axis=(-2, -1), keepdims=keepdims, ord=2)
    if ord not in ("nuc", 1, -1, 2, -2, INF, -INF):
        raise ValueError(f"a matrix has no norm of order {ord!r}: the orders are 'fro', 'nuc', 1, -1, 2, -2, inf and -inf")
    if 0 in x.shape[-2:] and (ord == "nuc" or ord > 0):
        z = np.sum(np.abs(x), axis=(-2, -1))  # of no entries: 0
    elif ord == "nuc":
        z = np.sum(TABLE["linalg.svdvals"](x), axis=-1)
    elif 0 in x.shape[-2:] and ord == -2:
        raise ShapeError(f"the smallest of no singular values is not defined: a matrix of shape {x.shape} has no norm of order -2")
    else:
        lengths = TABLE["linalg.svdvals"](x) if abs(ord) == 2 else np.sum(np.abs(x), axis=-2 if abs(ord) == 1 else -1)
        if abs(ord) == 2:  # they are in order, and of equal ones one is taken, which has no second derivative
            z = lengths[..., 0] if ord > 0 else lengths[..., -1]
        else:
            z = np.max(lengths, axis=-1) if ord > 0 else np.min(lengths, axis=-1)
    return np.expand_dims(z, (-2, -1)) if keepdims else z


@composed(np.linalg.norm, name="linalg.norm")
def norm(x: Any, /, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of vectors along one axis, of matrices along two; without ``axis`` and ``ord`` of all entries as one vector."""
    if axis is None and ord is None:
        return TABLE["linalg.vector_norm"](x, axis=None, keepdims=keepdims, ord=2)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    if len(axes) == 1:
        if isinstance(ord, str):
            raise ValueError(f"a vector has no norm of order {ord!r}: that is one of matrices")
        return TABLE["linalg.vector_norm"](x, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(f"a norm of order {ord} is one of vectors or matrices: name one or two axes, axis=, not {len(axes)}")
    z = matrix_norm(np.moveaxis(x, axes, (-2, -1)), ord=ord)
    return np.expand_dims(z, tuple(sorted(axes))) if keepdims else z


@composed(np.linalg.cond, name="linalg.cond")
def cond(x: Any, /, p: Any = None) -> Any:
    """The condition number ‖x‖ ‖x⁻¹‖ in the matrix norm p; by default the largest singular value over the smallest.

    It is ∞ for a singular matrix, and has no finite gradient there.
    """
    if 0 in sides(x):
        raise np.linalg.LinAlgError(f"matrices without entries have no condition number: the shape is {x.shape}")
    with np.errstate(all="ignore"):
        if p is None or p == 2 or p == -2:
            s = TABLE["linalg.svdvals"](x)
            c = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
        else:
            singular = TABLE["linalg.det_sign"](x) == 0
            regular = np.where(np.expand_dims(singular, (-2, -1)), np.eye(x.shape[-1], dtype=x.dtype), x)
            c = np.where(singular, INF, matrix_norm(x, ord=p) * matrix_norm(TABLE["linalg.inv"](regular), ord=p))
    return np.where(np.isnan(c) & np.logical_not(np.any(np.isnan(x), axis=(-2, -1))), INF, c)


# --- products and systems of equations --------------------------------------------------------------------------------


@composed(np.linalg.matrix_power, name="linalg.matrix_power")
def matrix_power(x: Any, /, n: int) -> Any:
    """x @ x @ … @ x, n times, in about log₂ n products; the inverse to the power −n for n < 0."""
    n, (rows, columns) = operator.index(n), sides(x)
    if rows != columns:
        raise np.linalg.LinAlgError(f"only square matrices have powers, not an array of shape {x.shape}")
    if n == 0:
        return np.where(True, np.eye(x.shape[-1], dtype=x.dtype), x)  # x takes part, so that the result has the gradient 0
    square = TABLE["linalg.inv"](x) if n < 0 else x if x.dtype == bool else np.positive(x)
    n, power = abs(n), None
    while True:
        if n % 2:
            power = square if power is None else power @ square
        n //= 2
        if not n:
            return power
        square = square @ square


@composed(np.linalg.multi_dot, name="linalg.multi_dot")
def multi_dot(arrays: Sequence[Any], /) -> Any:
    """The product of two or more matrices, in the order that needs the fewest multiplications.

    The first may be a row and the last a column of one axis.
    """
    count = len(arrays)
    if count < 2:
        raise ValueError(f"multi_dot() is a product of at least two arrays, not of {count}")
    ndims = [np.ndim(a) for a in arrays]
    if any(d != 2 for d in ndims[1:-1]) or not {ndims[0], ndims[-1]} <= {1, 2}:
        raise np.linalg.LinAlgError(f"multi_dot() takes matrices, and vectors at its ends, not arrays of {ndims} axes")
    arrays = alike([operand(a) for a in arrays])
    sizes = [1 if ndims[0] == 1 else np.shape(arrays[0])[0], *[np.shape(a)[0] for a in arrays[1:]]]
    sizes = [sizes[0], np.shape(arrays[0])[-1], *sizes[2:], 1 if ndims[-1] == 1 else np.shape(arrays[-1])[1]]

    @functools.cache
    def best(i: int, j: int) -> tuple[int, int]:
        """The cost of the product of arrays i to j, and after which of them its last multiplication comes."""
        if i == j:
            return 0, i
        return min((best(i, k)[0] + best(k + 1, j)[0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))

    def product(i: int, j: int) -> Any:
        if i == j:
            return arrays[i]
        k = best(i, j)[1]
        return product(i, k) @ product(k + 1, j)

    return product(0, count - 1)


@composed(np.linalg.tensorinv, name="linalg.tensorinv")
def tensorinv(x: Any, /, ind: int = 2) -> Any:
    """The inverse of x as a linear map from its last axes to its first ``ind``: tensordot(result, x, ind) is the identity."""
    if ind <= 0:
        raise ValueError(f"ind is the number of axes on the left, at least 1, not {ind}")
    left, right = x.shape[:ind], x.shape[ind:]
    matrix = np.reshape(x, (math.prod(right), math.prod(left)))
    return np.reshape(TABLE["linalg.inv"](matrix), (*right, *left))


@composed(np.linalg.tensorsolve, name="linalg.tensorsolve")
def tensorsolve(x: Any, y: Any, /, axes: Any = None) -> Any:
    """z with tensordot(x, z, z.ndim) = y; ``axes`` of x are moved to its end first."""
    order = list(range(x.ndim))
    for axis in axes or ():
        order.remove(axis)
        order.append(axis)
    x = np.permute_dims(x, tuple(order)) if axes else x
    shape = x.shape[np.ndim(y) :]
    n = math.prod(shape)
    if math.prod(x.shape) != n * n:
        raise np.linalg.LinAlgError(f"arrays of shapes {x.shape} and {np.shape(y)} are no square system of equations")
    return np.reshape(TABLE["linalg.solve"](np.reshape(x, (n, n)), np.reshape(y, (n,))), shape)


@composed(np.linalg.lstsq, name="linalg.lstsq")
def lstsq(x: Any, y: Any, /, rcond: float | None = None) -> tuple[Any, Any, int, Any]:
    """The z of least ‖y − x z‖, of those the shortest: z, the squared residuals of each column, the rank, the singular values of x.

    z is x⁺ y, with a gradient at every rank as long as the rank stays. There are residuals for tall x of full rank only.
    """
    if x.ndim != 2:
        raise np.linalg.LinAlgError(f"lstsq() takes one matrix, not an array of shape {x.shape}")
    m, n = x.shape
    if rcond is None:
        rcond = float(np.finfo(np.float64).eps) * max(m, n)
    z = TABLE["linalg.pinv"](x, rcond=rcond) @ y
    s = TABLE["linalg.svdvals"](x)
    rank = int(np.count_nonzero(s > rcond * s[0])) if min(m, n) else 0
    rest = y - x @ z
    residuals = np.sum(as_real(rest * np.conj(rest)), axis=0) if rank == n < m else s[:0]
    return z, np.reshape(residuals, (-1,)) if rank == n < m else residuals, rank, s
