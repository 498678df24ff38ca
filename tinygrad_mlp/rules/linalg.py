"""The table, linear algebra: matrices, and batches of matrices along the leading axes.

Decompositions have several results, a primitive has one: ``eigh_packed`` and the like put them into one array, from which the
functions of :mod:`tinygrad_mlp.composed.linalg` take them.
"""

from __future__ import annotations

import numpy as np

from ..derivations import linalg as d
from ..kernels import linalg as k
from ..primitive import TABLE, primitive

EQUAL = (
    "the gradient of linalg.eigh",
    "eigenvalues are equal, or nearly, so that their vectors are any basis, and the gradient depends on which, or on a limit that a chain "
    "of rules cannot see",
    "for a function of a symmetric matrix write tg.linalg.funm(A, f), expm, sqrtm or logm in place of V diag(f(w)) Vᵀ",
)
EQUAL_SINGULAR = (
    "the gradient of linalg.svd",
    "singular values are equal, or nearly, or 0, so that their vectors are any basis, and the gradient depends on which, or on a limit "
    "that a chain of rules cannot see",
    "write tg.linalg.polar(A) in place of U Vᴴ, a function of A.mT @ A by tg.linalg.funm in place of U f(S) Vᴴ, np.sum(A * A) in place of Σ s²",
)
"""What is NaN, why, and the cure."""

EQUAL_GENERAL = (
    "the gradient of linalg.eig",
    "the matrix is defective, or nearly, or eigenvalues are equal, so that their vectors are any basis, and the gradient depends on which, "
    "or on a limit that a chain of rules cannot see",
    "write np.trace(A), np.linalg.det(A), matrix_power or solve where that is meant, tg.linalg.funm for a symmetric matrix",
)
SINGULAR = (
    "the gradient of a function of a symmetric matrix",
    "the function has no finite derivative at one of the eigenvalues, as a root at 0",
    "keep the eigenvalues away from there: A + eps * np.eye(n)",
)

# fmt: off
# --- systems of equations ---------------------------------------------------------------------------------------------
inv         = primitive("linalg.inv",         np.linalg.inv,      lambda g, z, x: -(z.mT @ g @ z.mT))
solve       = primitive("linalg.solve",       np.linalg.solve,    d.solve_da,
                                                                  d.solve_db)
pinv        = primitive("linalg.pinv",        np.linalg.pinv,     d.pinv_dx,
                        kink="where the rank changes, the function jumps: the derivative at constant rank",
                        symmetric="hermitian", rcond=None, hermitian=False, rtol=np._NoValue)

# --- determinants -----------------------------------------------------------------------------------------------------
det         = primitive("linalg.det",         np.linalg.det,      lambda g, z, x: d.as_matrix(g) * TABLE["linalg.cofactor"](x))
cofactor    = primitive("linalg.cofactor",    k.cofactor,         lambda g, z, x: TABLE["linalg.cofactor_dx"](g, x))
cofactor_dx = primitive("linalg.cofactor_dx", k.cofactor_dx,      lambda g, z, h, x: TABLE["linalg.cofactor_dx"](g, x),
                                                                  d.cofactor_d2x,
                        kink="its own derivative, the third of det, is refused for singular matrices")
logabsdet   = primitive("linalg.logabsdet",   k.logabsdet,        lambda g, z, x: d.as_matrix(g) * np.linalg.inv(x).mT,
                        kink="refused for singular matrices, where it is −∞")
det_sign    = primitive("linalg.det_sign",    k.det_sign,         d.det_sign_dx,
                        kink="0 for real matrices, where it jumps from −1 to 1")

# --- several results in one array ---------------------------------------------------------------------------------------
part        = primitive("linalg.part",        k.part,             d.part_dx, start=..., shape=...)
over_gap    = primitive("linalg.over_gap",    k.over_gap,         d.over_gap_dt,
                                                                  d.over_gap_dgap, None, None, None,
                        kink="0/0 is 0 as far as that is known to be the limit, else NaN", order=1)

# --- decompositions ---------------------------------------------------------------------------------------------------
cholesky    = primitive("linalg.cholesky",    np.linalg.cholesky, d.cholesky_dx, symmetric=True, upper=False)
eigvalsh    = primitive("linalg.eigvalsh",    np.linalg.eigvalsh, d.eigvalsh_dx,
                        kink="equal eigenvalues: those of the eigenvectors that LAPACK returns; second order as eigh", symmetric=True, UPLO="L")
eigh_packed = primitive("linalg.eigh_packed", k.eigh_packed,      d.eigh_dx,
                        kink="equal eigenvalues: right for what is the same with every basis of their vectors; NaN where it depends on the basis, "
                             "or on both vectors and eigenvalues; a complex eigenvector's phase is free, and counts as constant",
                        symmetric=True, singular=EQUAL, UPLO="L")
svdvals     = primitive("linalg.svdvals",     np.linalg.svdvals,  d.svdvals_dx,
                        kink="0 for a singular value 0; equal ones: those of the vectors that LAPACK returns; second order as svd")
svd_packed  = primitive("linalg.svd_packed",  k.svd_packed,       d.svd_dx,
                        kink="equal singular values, and those that are 0: right for what is the same with every basis of their vectors, NaN where it depends "
                             "on the basis, or on both vectors and values; the common phase of complex vectors uₖ, vₖ is free, and counts as constant",
                        singular=EQUAL_SINGULAR, full_matrices=False)
eigvals     = primitive("linalg.eigvals",     k.eigvals,          d.eigvals_dx,
                        kink="equal eigenvalues: those of the eigenvectors that LAPACK returns; NaN for a defective matrix; second order as eig",
                        numpy=(np.linalg.eigvals,), singular=EQUAL_GENERAL)
eig_packed  = primitive("linalg.eig_packed",  k.eig_packed,       d.eig_dx,
                        kink="equal eigenvalues as eigh_packed; NaN for a defective matrix, which has no basis of eigenvectors; phases as LAPACK's",
                        singular=EQUAL_GENERAL)
left_vectors = primitive("linalg.left_vectors", k.left_vectors,   lambda g, z, x: -(z.mT @ g @ z.mT))
qr_packed   = primitive("linalg.qr_packed",   k.qr_packed,        d.qr_dx,
                        kink="refused where R (for wide matrices its left square) is singular", mode="reduced")

# --- functions of symmetric matrices ------------------------------------------------------------------------------------
spectral    = primitive("linalg.spectral",    k.spectral,         d.spectral_dx,
                        kink="∞ or NaN where the function's slope is infinite at an eigenvalue, as that of a root at 0; equal eigenvalues do no harm",
                        symmetric=True, singular=SINGULAR, variadic=True, f=..., null=0)
# fmt: on
