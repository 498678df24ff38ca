"""Rules of linear algebra.

Each follows from a differential. A gradient g of a matrix Z pairs with a change dZ as ⟨g, dZ⟩ = Re Σ gᵢⱼ dZᵢⱼ = Re tr(gᵀ dZ):
this is what the sweep's convention for complex numbers says, and transposes without conjugation come from it. Xᴴ is the
conjugate transpose, X* the conjugate. Real matrices are the special case without asterisks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..kernels.linalg import eigh_shapes, qr_shapes, svd_shapes
from ..primitive import TABLE
from .elementwise import conjugate


def as_matrix(g: Any) -> Any:
    """A number for each matrix, as a 1 × 1 matrix that broadcasts against it."""
    return np.expand_dims(g, (-2, -1))


def hermitian_part(x: Any) -> Any:
    """(X + Xᴴ) / 2: the gradient of a function of X = Xᴴ, of which NumPy reads one triangle only, shared by both triangles."""
    return (x + conjugate(x).mT) / 2


def diagonal_mask(x: Any) -> Any:
    """True on the diagonal of the matrices x."""
    return np.eye(x.shape[-2], x.shape[-1], dtype=bool)


# --- several arrays in one --------------------------------------------------------------------------------------------


def unpack(packed: Any, *shapes: tuple[int, ...]) -> list[Any]:
    """What pack has joined, given the shapes behind the batch axes; for every reading of an array."""
    found, start = [], 0
    for shape in shapes:
        found.append(TABLE["linalg.part"](packed, start=start, shape=shape))
        start += math.prod(shape)
    return found


def part_dx(g: Any, z: Any, x: Any, *, start: int, shape: tuple[int, ...]) -> Any:
    """g at its place among zeros. A 0 is sent as the smallest number, so that the decomposition's rule sees which parts are used.

    Whether a limit exists where values are equal depends on what is used together, also where the gradient happens to be 0.
    """
    flat = np.reshape(g, (*x.shape[:-1], math.prod(shape)))
    flat = flat + np.where(flat == 0, tiny(flat), 0)
    return np.concatenate([np.zeros_like(x[..., :start]), flat, np.zeros_like(x[..., start + math.prod(shape) :])], axis=-1)


def tiny(g: Any) -> float:
    """The smallest number of a dtype."""
    return float(np.finfo(g.dtype).smallest_subnormal)


def noted(g: Any) -> tuple[Any, Any]:
    """A gradient from part_dx without its notes, and where it is used at all."""
    return g - np.where(g == tiny(g), tiny(g), 0), g != 0


def together(values: Any, vectors: Any) -> Any:
    """Whether two vectors, or one and the other's value, are used together with their values: for each pair of them."""
    vectors = np.any(vectors, axis=-2)
    return either(values) & either(vectors)


def beside(vectors: Any, values: Any) -> Any:
    """What arrives at vectors, and at their values in the same unit: all that a difference of it was rounded from."""
    return np.concatenate([vectors, np.expand_dims(values, -2)], axis=-2)


def either(used: Any) -> Any:
    """Whether i or j is used, for each pair."""
    return np.expand_dims(used, -1) | np.expand_dims(used, -2)


def skew(x: Any) -> Any:
    """(X − Xᴴ) / 2."""
    return (x - conjugate(x).mT) / 2


def over_gap_dt(g: Any, z: Any, t: Any, gap: Any, sent: Any, values: Any, shared: Any, *, order: int) -> Any:
    """z = t / gap  ⇒  t̄ = g / gap."""
    return TABLE["linalg.over_gap"](g, gap, g, values, shared, order=order)


def over_gap_dgap(g: Any, z: Any, t: Any, gap: Any, sent: Any, values: Any, shared: Any, *, order: int) -> Any:
    """z = t / gap  ⇒  gap‾ = −g z / gap."""
    return -TABLE["linalg.over_gap"](g * z, gap, g * z, values, shared, order=order + 1)


def off_diagonal(x: Any) -> Any:
    """x with zeros on the diagonal."""
    return np.where(diagonal_mask(x), 0, x)


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

    Transposed: Ā = V* (diag(w̄) + F ∘ (Vᵀ V̄)) Vᵀ, its Hermitian part, for which of Vᵀ V̄ the skew one counts. Where eigenvalues are
    equal see ``over_gap``. A complex eigenvector has a free phase, which dV above leaves as it is: right for every result that
    does not depend on the phases.
    """
    (w, v), (gw, gv) = (unpack(a, *eigh_shapes(x)) for a in (z, g))
    (gw, used_w), (gv, used_v) = noted(gw), noted(gv)
    w, gw = np.real(w), np.real(gw)
    gap, sent = np.expand_dims(w, -2) - np.expand_dims(w, -1), beside(gv, gw * w)
    turn = TABLE["linalg.over_gap"](off_diagonal(skew(v.mT @ gv)), gap, sent, w, off_diagonal(together(used_w, used_v)))
    inner = np.where(diagonal_mask(x), np.expand_dims(gw, -2), turn)
    return hermitian_part(conjugate(v) @ inner @ v.mT)


def depending(g: Any, w: Any) -> Any:
    """The gradient g of values w; one that is computed itself may depend on them, which is noted in the graph."""
    return g + 0 * w if getattr(g, "tracked", False) else g


def eigvalsh_dx(g: Any, z: Any, x: Any, *, UPLO: str) -> Any:
    """dwₖ = vₖᴴ dA vₖ  ⇒  Ā = V* diag(g) Vᵀ."""
    w, v = np.linalg.eigh(x, UPLO=UPLO)  # type: ignore[call-overload]  # a word of NumPy's, checked by it
    return (conjugate(v) * np.expand_dims(depending(g, w), -2)) @ v.mT


def eig_dx(g: Any, z: Any, x: Any) -> Any:
    """A V = V diag(w)  ⇒  with M = V⁻¹ dA V:  dwₖ = Mₖₖ  and  dV = V N − V diag(α), N = F ∘ M, Fᵢⱼ = 1 / (wⱼ − wᵢ), 0 for i = j.

    α keeps what LAPACK does to each column: length 1, so that Re αₖ = Re vₖᴴ (V N)ₖ, and the largest entry p real, so that
    Im αₖ = Im (V N)ₚₖ / vₚₖ. Transposed, with hₖ = V̄ₖᵀ vₖ: V̂ = V̄ − Re(h) V* − i Im(h) / vₚ in row p, and
    Ā = V⁻ᵀ (diag(w̄) + F ∘ (Vᵀ V̂)) Vᵀ. Where eigenvalues are equal see ``over_gap``.
    """
    (w, v), (gw, gv) = (unpack(a, *eigh_shapes(x)) for a in (z, g))
    (gw, used_w), (gv, used_v) = noted(gw), noted(gv)
    size = np.where(np.imag(v) == 0, np.abs(np.real(v)), -1)
    largest = size == np.max(size, axis=-2, keepdims=True)
    largest = largest / np.sum(largest, axis=-2, keepdims=True)
    h = np.sum(gv * v, axis=-2, keepdims=True)
    gv = gv - np.real(h) * np.conj(v) - 1j * np.imag(h) * largest / np.where(largest == 0, 1, v)
    gap, sent = np.expand_dims(w, -2) - np.expand_dims(w, -1), beside(gv, gw * w)
    turn = TABLE["linalg.over_gap"](off_diagonal(v.mT @ gv), gap, sent, w, off_diagonal(together(used_w, used_v)))
    inner = np.where(diagonal_mask(x), np.expand_dims(gw, -2), turn)
    return TABLE["linalg.left_vectors"](v).mT @ inner @ v.mT


def eigvals_dx(g: Any, z: Any, x: Any) -> Any:
    """dwₖ = (V⁻¹ dA V)ₖₖ  ⇒  Ā = V⁻ᵀ diag(g) Vᵀ."""
    w, v = np.linalg.eig(x)
    return TABLE["linalg.left_vectors"](v).mT @ (np.expand_dims(depending(g, w), -1) * v.mT)


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

    With G = g* and P, Q twice the skew parts of Uᴴ G_U, Vᴴ G_V the conjugate of Ā is
    U [F ∘ (P S + S Q) + diag(G_S)] Vᴴ + (1 − UUᴴ) G_U S⁻¹ Vᴴ + U S⁻¹ G_Vᴴ (1 − VVᴴ).
    Here Fᵢⱼ (Pᵢⱼ sⱼ + sᵢ Qᵢⱼ) = (P + Q)ᵢⱼ / 2(sⱼ − sᵢ) + (P − Q)ᵢⱼ / 2(sⱼ + sᵢ): how far U and V turn together, and against each
    other, as in U Vᴴ, which equal singular values do not disturb. For the quotients see ``over_gap``. For complex matrices Im Mₖₖ
    turns the phases of uₖ and vₖ against each other, by Im Mₖₖ / sₖ in all, here half of it each: (P − Q)ₖₖ / 4sₖ more on the
    diagonal. Their common phase is free.
    """
    (u, s, vh), (gu, gs, gvh) = (unpack(a, *svd_shapes(x, full_matrices)) for a in (z, g))
    (gu, used_u), (gs, used_s), (gvh, used_v) = noted(gu), noted(gs), noted(gvh)
    uh, gu, gv = conjugate(u).mT, conjugate(gu), gvh.mT  # G_V = (G_Vᴴ)ᴴ, and conjugated g, is the transpose
    s, gs = np.real(s), np.real(gs)
    row, column = np.expand_dims(s, -2), np.expand_dims(s, -1)
    on_u, on_v = uh @ gu, vh @ gv
    p, q = skew(on_u), skew(on_v)
    sent, vectors = beside(np.concatenate([gu, gv], axis=-2), gs * s), np.concatenate([used_u, used_v.mT], axis=-2)
    shared = together(used_s, vectors)
    over = TABLE["linalg.over_gap"]
    alike = over(off_diagonal(p + q), row - column, sent, s, off_diagonal(shared))
    against = over(p - q, row + column, sent, s, shared if x.dtype.kind == "c" else off_diagonal(shared))
    gx = u @ (np.where(diagonal_mask(alike), np.expand_dims(gs, -2), alike) + against) @ vh
    m, n = x.shape[-2:]
    if m > n:
        gx = gx + over(gu - u @ on_u, row, gu, s, np.expand_dims(used_s & np.any(used_u, axis=-2), -2)) @ vh
    if m < n:
        rest = conjugate(gv - conjugate(vh).mT @ on_v).mT
        gx = gx + u @ over(rest, column, gvh, s, np.expand_dims(used_s & np.any(used_v, axis=-1), -1))
    return conjugate(gx)


def svdvals_dx(g: Any, z: Any, x: Any) -> Any:
    """dsₖ = Re uₖᴴ dA vₖ  ⇒  Ā = U* diag(g) (Vᴴ)*; 0 for a singular value 0, which has a kink as |x| at 0 has."""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    g = np.where(z == 0, 0 * s, depending(g, s))  # not 0 alone: the vectors of a kink are used with their values
    return (conjugate(u) * np.expand_dims(g, -2)) @ conjugate(vh)


# --- functions of symmetric matrices ------------------------------------------------------------------------------------


class Each(Sequence[Any]):
    """The gradients of any number of arrays, each computed when it is asked for."""

    def __init__(self, size: int, make: Callable[[int], Any]) -> None:
        self.size, self.make = size, make

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, i: Any) -> Any:
        return self.make(range(self.size)[i])


def spectral_dx(g: Any, z: Any, *xs: Any, f: Any, null: int) -> Sequence[Any]:
    """The k-th derivative of f(A) along E₁ … Eₖ, paired with a Hermitian G, is the same for all orders of E₁ … Eₖ, G:

    Ēᵢ is the derivative along the others and G, and Ā that along all of them and G, G = g*. So one function has all derivatives.
    """

    def gradient(i: int) -> Any:
        others = [x for j, x in enumerate(xs) if j != i or not i]
        return conjugate(TABLE["linalg.spectral"]([*others, conjugate(g)], f=f, null=null))

    return Each(len(xs), gradient)
