"""The table, products: sums over a shared index."""

from __future__ import annotations

import numpy as np

from ..derivations import products as d
from ..derivations.elementwise import conjugate
from ..kernels import products as k
from ..primitive import primitive

# fmt: off
matmul      = primitive("matmul",      np.matmul,       d.matmul_dx,
                                                        d.matmul_dy, numpy=(np.linalg.matmul,))
linear      = primitive("linear",      k.linear,        lambda g, z, x, w, b: d.matmul_dx(g, z, x, w),
                                                        lambda g, z, x, w, b: d.matmul_dy(g, z, x, w),
                                                        lambda g, z, x, w, b: g)
vecdot      = primitive("vecdot",      k.vecdot,        lambda g, z, x, y, *, axis: conjugate(np.expand_dims(g, axis) * y),
                                                        lambda g, z, x, y, *, axis: np.expand_dims(g, axis) * conjugate(x),
                        numpy=(np.vecdot, np.linalg.vecdot), axis=-1)
contract    = primitive("contract",    k.einsum,        lambda g, z, *xs, subscripts: [d.einsum_dx(g, xs, subscripts, i) for i in range(len(xs))],
                        variadic=True, subscripts=...)
convolve    = primitive("convolve",    k.convolve,      lambda g, z, x, y, *, mode: d.convolve_dx(g, x, y, mode),
                                                        lambda g, z, x, y, *, mode: d.convolve_dx(g, y, x, mode), mode="full", numpy=(np.convolve,))
# fmt: on
