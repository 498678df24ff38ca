"""Rules of linear algebra.

Each follows from a differential. A gradient g of a matrix Z pairs with a change dZ as ⟨g, dZ⟩ = Re Σ gᵢⱼ dZᵢⱼ = Re tr(gᵀ dZ):
this is what the sweep's convention for complex numbers says, and transposes without conjugation come from it. Xᴴ is the
conjugate transpose, X* the conjugate. Real matrices are the special case without asterisks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.linalg import eigh_shapes, qr_shapes, svd_shapes, unpack
from .elementwise import conjugate, ratio


def as_matrix(g: Any) -> Any:
    """A number for each matrix, as a 1 × 1 matrix that broadcasts against it."""
    return np.expand_dims(g, (-2, -1))


def hermitian_part(x: Any) -> Any:
    """(X + Xᴴ) / 2: the gradient of a function of X = Xᴴ, of which NumPy reads one triangle only, shared by both triangles."""
    return (x + conjugate(x).mT) / 2


def diagonal_mask(x: Any) -> Any:
    """True on the diagonal of the matrices x."""
    return np.eye(x.shape[-2], x.shape[-1], dtype=bool)


# --- systems of equations ---------------------------------------------------------------------------------------------


def solve_db(g: Any, z: Any, a: Any, b: Any) -> Any:
    """A Z = B  ⇒  dZ = A⁻¹ dB: B̄ = A⁻ᵀ g, one more system. A 1-D b is one column, for every matrix of A."""
    if b.ndim == 1:
        return np.squeeze(np.linalg.solve(a.mT, np.expand_dims(g, -1)), -1)
    return np.linalg.solve(a.mT, g)


def solve_da(g: Any, z: Any, a: Any, b: Any) -> Any:
    """A Z = B  ⇒  dA Z + A dZ = 0, dZ = −A⁻¹ dA Z: Ā = −A⁻ᵀ g Zᵀ = −B̄ Zᵀ."""
    column = solve_db(g, z, a, b)
    if b.ndim == 1:
        return -np.expand_dims(column, -1) * np.expand_dims(z, -2)
    return -(column @ z.mT)


def pinv_dx(g: Any, z: Any, x: Any, *, rcond: Any, hermitian: bool, rtol: Any) -> Any:
    """P = X⁺  ⇒  dP = −P dX P + P Pᴴ dXᴴ (1 − X P) + (1 − P X) dXᴴ Pᴴ P (Golub and Pereyra, 1973), as long as the rank stays.

    Here G = g*, ⟨G, A dX B⟩ = ⟨Aᴴ G Bᴴ, dX⟩ and ⟨G, A dXᴴ B⟩ = ⟨B Gᴴ A, dX⟩, so that the conjugate of X̄ is the sum of
    −Pᴴ G Pᴴ,  (1 − X P) Gᴴ P Pᴴ  and  Pᴴ P Gᴴ (1 − P X). No singular value is divided by, so that equal and zero ones do no harm.
    """
    gh, ph = g.mT, conjugate(z).mT  # G = g*, so Gᴴ is gᵀ
    left, right = gh @ z @ ph, ph @ z @ gh
    gx = conjugate(left - x @ (z @ left) + right - (right @ z) @ x - ph @ conjugate(g) @ ph)
    return hermitian_part(gx) if hermitian else gx


# --- determinants -----------------------------------------------------------------------------------------------------


def det_sign_dx(g: Any, z: Any, x: Any) -> Any:
    """z = det X / |det X| = e^(iφ): constant for real X; else dφ = Im tr(X⁻¹ dX), dz = i z dφ, X̄ = Re(i g z) · (−i X⁻ᵀ)."""
    if x.dtype.kind != "c":
        return np.zeros_like(x)
    return as_matrix(np.real(1j * g * z)) * (-1j * np.linalg.inv(x).mT)


def cofactor_d2x(g: Any, z: Any, h: Any, x: Any) -> Any:
    """The third derivative of det, for an invertible X: with Y = X⁻ᵀ, dY = −Y dXᵀ Y, the cofactors are det X · Y, and

    φ = ⟨g, z⟩ = det X (⟨g, Y⟩⟨h, Y⟩ − ⟨g, Y hᵀ Y⟩). Its gradient is
    φ Y − det X (⟨g, Y⟩ Y hᵀ Y + ⟨h, Y⟩ Y gᵀ Y − Y hᵀ Y gᵀ Y − Y gᵀ Y hᵀ Y).
    """
    y, det = np.linalg.inv(x).mT, as_matrix(np.linalg.det(x))
    along_g, along_h = y @ g.mT @ y, y @ h.mT @ y
    by_g, by_h, both = (np.sum(a * b, axis=(-2, -1), keepdims=True) for a, b in ((g, y), (h, y), (g, along_h)))
    mixed = along_h @ g.mT @ y
    other = along_g @ h.mT @ y
    return det * ((by_g * by_h - both) * y - by_g * along_h - by_h * along_g + mixed + other)


# --- decompositions ---------------------------------------------------------------------------------------------------


def cholesky_dx(g: Any, z: Any, x: Any, *, upper: bool) -> Any:
    """A = L Lᴴ  ⇒  L⁻¹ dA L⁻ᴴ = L⁻¹ dL + (L⁻¹ dL)ᴴ, of which the lower triangle is L⁻¹ dL and the diagonal twice that:

    dL = L Φ(L⁻¹ dA L⁻ᴴ), Φ = the lower triangle with half the diagonal. Transposed: Ā = L⁻ᵀ Φ(Lᵀ g) (L*)⁻¹, its Hermitian part.
    The upper factor is R = Lᴴ.
    """
    lower, gl = (conjugate(z).mT, conjugate(g).mT) if upper else (z, g)
    phi = np.tril(lower.mT @ gl)
    phi = np.where(diagonal_mask(x), phi / 2, phi)
    left = np.linalg.solve(lower.mT, phi)
    return hermitian_part(np.linalg.solve(conjugate(lower).mT, left.mT).mT)


def eigh_dx(g: Any, z: Any, x: Any, *, UPLO: str) -> Any:
    """A V = V diag(w)  ⇒  with M = Vᴴ dA V:  dwₖ = Mₖₖ  and  dV = V (F ∘ M), Fᵢⱼ = 1 / (wⱼ − wᵢ), 0 for i = j.

    Transposed: Ā = V* (diag(w̄) + F ∘ (Vᵀ V̄)) Vᵀ, its Hermitian part. Where eigenvalues are equal F is 0: eigenvectors have no
    derivative there. A complex eigenvector has a free phase, which dV above leaves as it is: right for every result that
    does not depend on the phases.
    """
    (w, v), (gw, gv) = (unpack(a, *eigh_shapes(x)) for a in (z, g))
    w, gw = np.real(w), np.real(gw)
    gap = np.expand_dims(w, -2) - np.expand_dims(w, -1)
    inner = np.where(diagonal_mask(x), np.expand_dims(gw, -2), ratio(v.mT @ gv, gap))
    return hermitian_part(conjugate(v) @ inner @ v.mT)


def eigvalsh_dx(g: Any, z: Any, x: Any, *, UPLO: str) -> Any:
    """dwₖ = vₖᴴ dA vₖ  ⇒  Ā = V* diag(g) Vᵀ."""
    v = np.linalg.eigh(x, UPLO=UPLO).eigenvectors  # type: ignore[call-overload]  # a word of NumPy's, checked by it
    return (conjugate(v) * np.expand_dims(g, -2)) @ v.mT


def qr_dx(g: Any, z: Any, x: Any, *, mode: str) -> Any:
    """A = Q R, R upper triangular with a real diagonal, QᴴQ = 1, A of full rank.

    Tall or square: dQ = Q Ω + (1 − QQᴴ) dA R⁻¹ with Ω = −Ωᴴ and dR = Qᴴ dA − Ω R, where Ω is what makes dR upper triangular.
    Transposed (Seeger et al., 2017): Ā = (Q̄ + Q* S) R⁻ᵀ, S the Hermitian matrix whose upper triangle is that of R̄ Rᵀ − Qᵀ Q̄.

    Wide: A = [A₁ A₂], R = [R₁ R₂], and R₂ = Qᴴ A₂ is a product: Ā₂ = Q* R̄₂, and A₂* R̄₂ᴴ is added to Q̄ (Roberts and Roberts, 2020).
    """
    m, n = x.shape[-2:]
    (q, r), (gq, gr) = (unpack(a, *qr_shapes(x, mode)) for a in (z, g))
    if m >= n:
        return tall_qr_dx(gq, gr, q, r)
    g2 = gr[..., m:]
    gq = gq + conjugate(x[..., m:]) @ conjugate(g2).mT
    return np.concatenate([tall_qr_dx(gq, gr[..., :m], q, r[..., :m]), conjugate(q) @ g2], axis=-1)


def tall_qr_dx(gq: Any, gr: Any, q: Any, r: Any) -> Any:
    """The rule of A = Q R for as many rows as columns, or more: (Q̄ + Q* S) R⁻ᵀ."""
    inner = gr @ r.mT - q.mT @ gq
    above = np.triu(inner, k=1)
    s = above + conjugate(above).mT + np.where(diagonal_mask(inner), np.real(inner), 0)
    return np.linalg.solve(r, (gq + conjugate(q) @ s).mT).mT


def svd_dx(g: Any, z: Any, x: Any, *, full_matrices: bool) -> Any:
    """A = U S Vᴴ  ⇒  with M = Uᴴ dA V and Fᵢⱼ = 1 / (sⱼ² − sᵢ²), 0 for i = j:

    dS = Re diag M,  dU = U (F ∘ (M S + S Mᴴ)) + (1 − UUᴴ) dA V S⁻¹,  dV = V (F ∘ (S M + Mᴴ S)) + (1 − VVᴴ) dAᴴ U S⁻¹.

    With G = g* and J = F ∘ (Uᴴ G_U), K = F ∘ (Vᴴ G_V) the conjugate of Ā is
    U [(J + Jᴴ) S + S (K + Kᴴ) + diag(G_S)] Vᴴ + (1 − UUᴴ) G_U S⁻¹ Vᴴ + U S⁻¹ G_Vᴴ (1 − VVᴴ).
    For complex matrices Im Mₖₖ turns the phases of uₖ and vₖ against each other, by Im Mₖₖ / sₖ in all, here half of it each:
    i Im(Uᴴ G_U − Vᴴ G_V)ₖₖ / 2sₖ more on the diagonal. Their common phase is free. F is 0 where singular values are equal, and
    1/s where they are 0.
    """
    (u, s, vh), (gu, gs, gvh) = (unpack(a, *svd_shapes(x, full_matrices)) for a in (z, g))
    uh, gu, gv = conjugate(u).mT, conjugate(gu), gvh.mT  # G_V = (G_Vᴴ)ᴴ, and conjugated g, is the transpose
    row, column = np.expand_dims(np.real(s), -2), np.expand_dims(np.real(s), -1)
    gap = (row - column) * (row + column)
    on_u, on_v = uh @ gu, vh @ gv
    j, k = ratio(on_u, gap), ratio(on_v, gap)
    inner = (j + conjugate(j).mT) * row + column * (k + conjugate(k).mT)
    diagonal = np.expand_dims(np.real(gs), -2)
    if x.dtype.kind == "c":
        diagonal = diagonal + 1j * ratio(np.imag(on_u - on_v), 2 * row)
    gx = u @ np.where(diagonal_mask(inner), diagonal, inner) @ vh
    m, n = x.shape[-2:]
    if m > n:
        gx = gx + ratio(gu - u @ on_u, row) @ vh
    if m < n:
        gx = gx + u @ ratio(conjugate(gv - conjugate(vh).mT @ on_v).mT, column)
    return conjugate(gx)


def svdvals_dx(g: Any, z: Any, x: Any) -> Any:
    """dsₖ = Re uₖᴴ dA vₖ  ⇒  Ā = U* diag(g) (Vᴴ)*; 0 for a singular value 0, which has a kink as |x| at 0 has."""
    u, _, vh = np.linalg.svd(x, full_matrices=False)
    return (conjugate(u) * np.expand_dims(np.where(z == 0, 0, g), -2)) @ conjugate(vh)
