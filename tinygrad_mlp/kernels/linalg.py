"""Linear algebra that NumPy has not: decompositions as one array, and the minors behind the derivatives of det."""

from __future__ import annotations

import itertools
import math
import string
from typing import Any

import numpy as np

from .shapes import Array


def pack(batch: int, *parts: Array) -> Array:
    """The entries of several arrays, behind ``batch`` common axes, in one last axis: a primitive has one output."""
    return np.concatenate([np.reshape(p, (*p.shape[:batch], math.prod(p.shape[batch:]))) for p in parts], axis=-1)


def part(packed: Array, *, start: int, shape: tuple[int, ...]) -> Array:
    """One of the arrays that pack has joined, which begins at the entry start of the last axis."""
    return np.reshape(packed[..., start : start + math.prod(shape)], (*packed.shape[:-1], *shape))


def within(dead: Array, whole: tuple[int, ...], *, start: int, shape: tuple[int, ...]) -> Array:
    """A condition on the entries of a part as one on all that was packed, False outside the part."""
    found = np.zeros(whole, bool)
    found[..., start : start + math.prod(shape)] = np.reshape(dead, (*whole[:-1], math.prod(shape)))
    return found


def over_gap(t: Array, gap: Array, sent: Array, values: Array, shared: Array, *, order: int) -> Array:
    """t / gap for the vectors i and j of a decomposition: how far a gradient turns them into each other, NaN where nobody can know.

    ``gap`` is the difference of their values; equal means nearly equal, by ``values``, n ε of the largest; t counts as 0 by
    ``sent``, the gradient that it was computed from. Equal values and a t that is not 0: these vectors are any basis, and something
    depends on which: NaN. 0/0 is 0, as for a projector, which is the same for each basis, unless the vectors are used together
    with the values (``shared``): then the limit is a slope of how they are used, f′ in V diag(f(w)) Vᴴ, which is not here. There
    NaN too, already where fewer than a quarter of the digits are left. Of the second ``order`` is what divides by the gap once
    more, where the digits are gone sooner.
    """
    n, eps = t.shape[-1], float(np.finfo(t.dtype).eps)
    exact, rough = 8 * n * eps, n * max(eps ** (0.75 / order), 8 * eps)
    sizes = [np.max(np.abs(x), axis=tuple(range(1 - k, 0)), initial=0, keepdims=True) for x, k in ((sent, 3), (values, 2))]
    size, scale = sizes[0], sizes[1][..., None]
    noise, faint = (np.abs(t) <= bound * size for bound in (exact, rough))
    equal, near = (np.abs(gap) <= bound * scale for bound in (exact, rough))
    z = np.where(noise & (np.abs(gap) <= n * eps**0.375 * scale), 0, t / np.where(equal, 1, gap))
    return np.where((equal & ~noise) | (near & ((faint & (shared != 0)) if order == 1 else t != 0)), np.asarray(np.nan, t.dtype), z)


def eigh_shapes(x: Any) -> tuple[tuple[int, ...], ...]:
    """Of w and V in A = V diag(w) Vᴴ."""
    n = x.shape[-1]
    return (n,), (n, n)


def eigh_packed(x: Array, *, UPLO: str) -> Array:
    """Eigenvalues and eigenvectors of Hermitian matrices, packed."""
    w, v = np.linalg.eigh(x, UPLO)  # type: ignore[call-overload]  # NumPy checks the letter
    return pack(x.ndim - 2, w, v)


def as_complex(x: Array) -> Array:
    """x in the complex dtype of its precision: whether eigenvalues are real depends on numbers, a dtype does not."""
    return x.astype(np.result_type(x.dtype, np.complex64))


def eig_packed(x: Array) -> Array:
    """Eigenvalues and eigenvectors of square matrices, complex, packed."""
    w, v = np.linalg.eig(x)
    return pack(x.ndim - 2, as_complex(w), as_complex(v))


def eigvals(x: Array) -> Array:
    """The eigenvalues of square matrices, complex."""
    return as_complex(np.linalg.eigvals(x))


def left_vectors(v: Array) -> Array:
    """V⁻¹ for the eigenvectors V; NaN where they are no basis, up to rounding: of a defective matrix."""
    n, eps = v.shape[-1], float(np.finfo(v.dtype).eps)
    s = np.linalg.svd(v, compute_uv=False)
    basis = np.all(s > n * max(eps**0.75, 8 * eps) * np.max(s, axis=-1, initial=0, keepdims=True), axis=-1)[..., None, None]
    return np.where(basis, np.linalg.inv(np.where(basis, v, np.eye(n, dtype=v.dtype))), np.asarray(np.nan, v.dtype))


def qr_shapes(x: Any, mode: str) -> tuple[tuple[int, ...], ...]:
    """Of Q and R in A = Q R."""
    m, n = x.shape[-2:]
    k = m if mode == "complete" else min(m, n)
    return (m, k), (k, n)


def qr_packed(x: Array, *, mode: str) -> Array:
    """The QR decomposition, packed; ``mode`` is reduced or complete."""
    q, r = np.linalg.qr(x, mode)  # type: ignore[call-overload]  # one of two words, which return two arrays
    return pack(x.ndim - 2, q, r)


def svd_shapes(x: Any, full_matrices: bool) -> tuple[tuple[int, ...], ...]:
    """Of U, S and Vᴴ in A = U diag(S) Vᴴ."""
    m, n = x.shape[-2:]
    k = min(m, n)
    return (m, m if full_matrices else k), (k,), (n if full_matrices else k, n)


def svd_packed(x: Array, *, full_matrices: bool) -> Array:
    """The singular value decomposition, packed."""
    u, s, vh = np.linalg.svd(x, full_matrices)
    return pack(x.ndim - 2, u, s, vh)


def logabsdet(x: Array) -> Array:
    """log |det X|."""
    return np.linalg.slogdet(x).logabsdet


def det_sign(x: Array) -> Array:
    """det X / |det X|, and 0 for a singular matrix."""
    return np.linalg.slogdet(x).sign


def products(factors: Array) -> Array:
    """The products along the last axis of numbers ≥ 0; through logarithms, as NumPy's det, since a part of one may overflow."""
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        return np.exp(np.sum(np.log(factors), axis=-1))


def cofactor(x: Array) -> Array:
    """The cofactors Cᵢⱼ = (−1)ⁱ⁺ʲ det(X without row i and column j), also of singular matrices.

    In X = U S Vᴴ the cofactors of the diagonal matrix S are products of all singular values but one, and cofactors of products
    are products of cofactors, those of U and Vᴴ being det(U) U* and det(Vᴴ) (Vᴴ)*. Nothing is divided by.
    """
    u, s, vh = np.linalg.svd(x)
    others = products(np.where(np.eye(x.shape[-1], dtype=bool), 1, s[..., None, :]))
    turn = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
    return turn * ((np.conj(u) * others[..., None, :]) @ np.conj(vh))


def cofactor_dx(h: Array, x: Array) -> Array:
    """The gradient of Σ hᵢⱼ Cᵢⱼ(X), that is the second derivative of det X along h, also for singular matrices.

    For a diagonal S it consists of pᵢⱼ = Π sₖ over k ≠ i, j: det depends on sᵢᵢ sⱼⱼ − sᵢⱼ sⱼᵢ with that factor. Other matrices are
    turned into diagonal ones, as for the cofactors.
    """
    u, s, vh = np.linalg.svd(x)
    eye = np.eye(x.shape[-1], dtype=bool)
    pairs = products(np.where(eye[:, None, :] | eye[None, :, :], 1, s[..., None, None, :]))
    pairs = np.where(eye, 0, pairs)
    turned = np.conj(u).mT @ h @ np.conj(vh).mT
    on_diagonal = pairs @ np.diagonal(turned, axis1=-2, axis2=-1)[..., None]
    inner = np.where(eye, on_diagonal, -pairs * turned.mT)
    turn = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
    return turn * (np.conj(u) @ inner @ np.conj(vh))


# --- functions of symmetric matrices ------------------------------------------------------------------------------------


def nth_slope(f: Any, x: Array, k: int) -> Array:
    """f⁽ᵏ⁾(x), of a function that has a name here, or of a function f(x, k)."""
    if f == "exp":
        return np.exp(x)
    if f == "sqrt":
        return np.sqrt(x) if not k else math.prod(0.5 - i for i in range(k)) * x ** (0.5 - k)
    if f == "log":
        return np.log(x) if not k else -math.factorial(k - 1) * (-1.0) ** k * x**-k
    if f == "sign":
        return np.sign(x) if not k else np.zeros_like(x)
    return f(x, k)


def spectral(*matrices: Array, f: Any, null: int = 0) -> Array:
    """The k-th derivative of A ↦ f(A) = V diag(f(w)) Vᴴ along Hermitian E₁ … Eₖ, for Hermitian A; f(A) itself for A alone.

    In the basis V it is Σ f[wᵢ, …, wⱼ] (E₁)ᵢ… ⋯ (Eₖ)…ⱼ, over the indices between and all orders of E₁ … Eₖ (Daleckii and Krein,
    1965), with the divided differences f[…] of :func:`divided`: no eigenvalue needs to be apart from another.

    Parameters
    ----------
    f : exp, sqrt, log or sign, or a function f(x, k) that gives f⁽ᵏ⁾ of real numbers
    null : of a sign, how many eigenvalues are 0
    """
    a, *ends = matrices
    w, v = np.linalg.eigh(symmetrical(a))
    w = domain(w.astype(np.result_type(w, np.float64)), float(np.finfo(a.dtype).eps), f, null)
    k, vh = len(ends), np.conj(v).mT
    axes = [np.reshape(w, (*w.shape[:-1], *(w.shape[-1] if i == m else 1 for i in range(k + 1)))) for m in range(k + 1)]
    with np.errstate(all="ignore"):
        slopes = divided(np.stack(np.broadcast_arrays(*axes), axis=-1), f)
        if not k:
            z = (v * slopes[..., None, :]) @ vh
        else:
            turned = [vh @ ((e + np.conj(e).mT) / 2) @ v for e in ends]
            letters = string.ascii_lowercase[: k + 1]
            pairs = [f"...{letters[i : i + 2]}" for i in range(k)]
            form = f"...{letters},{','.join(pairs)}->...{letters[0]}{letters[-1]}"
            z = v @ sum(np.einsum(form, slopes, *order) for order in itertools.permutations(turned)) @ vh
        return ((z + np.conj(z).mT) / 2).astype(a.dtype)


def symmetrical(a: Array) -> Array:
    """The Hermitian part of a matrix that is Hermitian up to rounding; others are refused."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"only square matrices have functions, not an array of shape {a.shape}")
    other = np.conj(a).mT
    bound = 100 * a.shape[-1] * float(np.finfo(a.dtype).eps) * np.max(np.abs(a), initial=0)
    if bool(np.any(np.abs(a - other) > bound)):
        raise np.linalg.LinAlgError(
            "functions of matrices are those of symmetric (Hermitian) ones here, and this matrix is none: write (A + A.mT) / 2 "
            "if that is what is meant"
        )
    return np.asarray((a + other) / 2)


def domain(w: Array, eps: float, f: Any, null: int) -> Array:
    """Eigenvalues for a function that has an edge at 0: 0 up to rounding is 0; refused where it is not defined."""
    if f not in ("sqrt", "log", "sign"):
        return w
    w = np.where(np.abs(w) <= w.shape[-1] * eps * np.max(np.abs(w), axis=-1, keepdims=True, initial=0), 0, w)
    if f == "sign":
        w = np.where(np.argsort(np.argsort(np.abs(w))) < null, 0, w)
        if bool(np.any(np.count_nonzero(w == 0, axis=-1) > null)):
            raise np.linalg.LinAlgError("a matrix of lower rank has no polar factor of its own: some of its singular values are 0")
    elif bool(np.any(w < 0)) or (f == "log" and bool(np.any(w == 0))):
        kind = "negative ones" if f == "sqrt" else "0 or negative ones"
        raise np.linalg.LinAlgError(f"{f}m of a matrix with the eigenvalue {np.min(w):.6g}: there is no real function of {kind}")
    return w


def divided(x: Array, f: Any) -> Array:
    """The divided differences f[x₀, …, xₖ], x in the last axis, to about the precision of f, however near the points are.

    f[x₀ … xₖ] = (f[x₁ … xₖ] − f[x₀ … xₖ₋₁]) / (xₖ − x₀) cancels where points are near; there it is ∫ f⁽ᵏ⁾ over the simplex of the
    means of the points (Hermite and Genocchi), by Gauss's quadrature. The quotient knows how far rounding may have taken it: where
    the integral lies within, it is taken, so that nobody decides how near is near; at a jump or a kink in between it does not.
    """
    x = np.sort(x, axis=-1)
    eps = float(np.finfo(x.dtype).eps)
    found = [nth_slope(f, x[..., i], 0) for i in range(x.shape[-1])]
    errors = [16 * eps * np.abs(y) for y in found]
    for k in range(1, x.shape[-1]):
        values, bounds = [], []
        for i in range(x.shape[-1] - k):
            gap = x[..., i + k] - x[..., i]
            quotient, bound = (found[i + 1] - found[i]) / gap, (errors[i + 1] + errors[i]) / gap
            integral = over_simplex(x[..., i : i + k + 1], f)
            taken = (gap == 0) | (np.abs(integral - quotient) <= bound)
            values.append(np.where(taken, integral, quotient))
            bounds.append(16 * eps * np.abs(values[-1]) + np.where(taken, 0, bound))
        found, errors = values, bounds
    return found[0]


def over_simplex(x: Array, f: Any) -> Array:
    """∫ f⁽ᵏ⁾(x₀ + t₁ (x₁ − x₀) + … + tₖ (xₖ − xₖ₋₁)) over 1 ≥ t₁ ≥ … ≥ tₖ ≥ 0, with tᵢ = u₁ ⋯ uᵢ and 8 points for each u."""
    k = x.shape[-1] - 1
    steps = np.diff(x, axis=-1)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    u = np.stack(np.meshgrid(*[(nodes + 1) / 2] * k), axis=-1).reshape(-1, k)
    weight = np.stack(np.meshgrid(*[weights / 2] * k), axis=-1).reshape(-1, k) * u ** np.arange(k - 1, -1, -1)
    total, few = np.zeros(x.shape[:-1], x.dtype), max(1, 2**20 // max(1, x.size))
    for start in range(0, len(u), few):  # as many points at once as memory has room for
        points = x[..., :1] + steps @ np.cumprod(u[start : start + few], axis=-1).T
        total = total + nth_slope(f, points, k) @ np.prod(weight[start : start + few], axis=-1)
    return total
