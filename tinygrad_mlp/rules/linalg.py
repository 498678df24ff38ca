"""The table, linear algebra: matrices, and batches of matrices along the leading axes.

Decompositions have several results, a primitive has one: ``eigh_packed`` and the like put them into one array, from which the
functions of :mod:`tinygrad_mlp.composed.linalg` take them.
"""

from __future__ import annotations

import numpy as np

from ..derivations import linalg as d
from ..kernels import linalg as k
from ..primitive import TABLE, primitive

# fmt: off
# --- systems of equations ---------------------------------------------------------------------------------------------
inv         = primitive("linalg.inv",         np.linalg.inv,      lambda g, z, x: -(z.mT @ g @ z.mT))
solve       = primitive("linalg.solve",       np.linalg.solve,    d.solve_da,
                                                                  d.solve_db)
pinv        = primitive("linalg.pinv",        np.linalg.pinv,     d.pinv_dx,
                        kink="where the rank changes, the function jumps: the derivative at constant rank",
                        rcond=None, hermitian=False, rtol=np._NoValue)

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

# --- decompositions ---------------------------------------------------------------------------------------------------
cholesky    = primitive("linalg.cholesky",    np.linalg.cholesky, d.cholesky_dx, upper=False)
eigvalsh    = primitive("linalg.eigvalsh",    np.linalg.eigvalsh, d.eigvalsh_dx,
                        kink="equal eigenvalues: those of the eigenvectors that LAPACK returns; second order as eigh", UPLO="L")
eigh_packed = primitive("linalg.eigh_packed", k.eigh_packed,      d.eigh_dx,
                        kink="equal eigenvalues: 1 / (wⱼ − wᵢ) counts as 0, their vectors do not turn into each other; a complex "
                             "eigenvector's phase is free, and counts as constant", UPLO="L")
svdvals     = primitive("linalg.svdvals",     np.linalg.svdvals,  d.svdvals_dx,
                        kink="0 for a singular value 0; equal ones: those of the vectors that LAPACK returns; second order as svd")
svd_packed  = primitive("linalg.svd_packed",  k.svd_packed,       d.svd_dx,
                        kink="equal singular values: 1 / (sⱼ² − sᵢ²) counts as 0, and 1 / s for s = 0; the common phase of complex "
                             "vectors uₖ, vₖ is free, and counts as constant", full_matrices=False)
qr_packed   = primitive("linalg.qr_packed",   k.qr_packed,        d.qr_dx,
                        kink="refused where R (for wide matrices its left square) is singular", mode="reduced")
# fmt: on
