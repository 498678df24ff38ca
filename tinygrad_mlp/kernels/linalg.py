"""Linear algebra that NumPy has not: decompositions as one array, and the minors behind the derivatives of det."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .shapes import Array


def pack(batch: int, *parts: Array) -> Array:
    """The entries of several arrays, behind ``batch`` common axes, in one last axis: a primitive has one output."""
    return np.concatenate([np.reshape(p, (*p.shape[:batch], math.prod(p.shape[batch:]))) for p in parts], axis=-1)


def unpack(packed: Any, *shapes: tuple[int, ...]) -> list[Any]:
    """What pack has joined, given the shapes behind the batch axes; for every reading of an array."""
    found, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        found.append(np.reshape(packed[..., start:stop], (*packed.shape[:-1], *shape)))
        start = stop
    return found


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
