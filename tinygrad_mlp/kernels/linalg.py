"""Linear algebra that NumPy has not: decompositions as one array, and the minors behind the derivatives of det."""

from __future__ import annotations

import math
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


def over_gap(t: Array, gap: Array, sent: Array, values: Array, shared: Array) -> Array:
    """t / gap for the vectors i and j of a decomposition: how far a gradient turns them into each other, NaN where nobody can know.

    ``gap`` is the difference of their values; equal means nearly equal, by ``values``, n ε of the largest; t counts as 0 by
    ``sent``, the gradient that it was computed from. Equal values and a t that is not 0: these vectors are any basis, and something
    depends on which: NaN. 0/0 is 0, as for a projector, which is the same for each basis, unless the vectors are used together
    with the values (``shared``): then the limit is a slope of how they are used, f′ in V diag(f(w)) Vᴴ, which is not here. There
    NaN too, already where fewer than a quarter of the digits are left.
    """
    n, eps = t.shape[-1], float(np.finfo(t.dtype).eps)
    exact, rough = 8 * n * eps, n * max(eps**0.75, 8 * eps)
    sizes = [np.max(np.abs(x), axis=tuple(range(1 - k, 0)), initial=0, keepdims=True) for x, k in ((sent, 3), (values, 2))]
    size, scale = sizes[0], sizes[1][..., None]
    noise, faint = (np.abs(t) <= bound * size for bound in (exact, rough))
    equal, near = (np.abs(gap) <= bound * scale for bound in (exact, rough))
    z = np.where(near & noise, 0, t / np.where(equal, 1, gap))
    return np.where((equal & ~noise) | (near & faint & shared), np.asarray(np.nan, t.dtype), z)


def eigh_shapes(x: Any) -> tuple[tuple[int, ...], ...]:
    """Of w and V in A = V diag(w) Vᴴ."""
    n = x.shape[-1]
    return (n,), (n, n)


def eigh_packed(x: Array, *, UPLO: str) -> Array:
    """Eigenvalues and eigenvectors of Hermitian matrices, packed."""
    w, v = np.linalg.eigh(x, UPLO)  # type: ignore[call-overload]  # NumPy checks the letter
    return pack(x.ndim - 2, w, v)


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
