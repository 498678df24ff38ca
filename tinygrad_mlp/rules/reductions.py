"""The table, reductions and scans: many entries make one."""
# The names of the table are the array API's, so ``sum``, ``max`` and ``min`` below are ours, not Python's.

from __future__ import annotations

import numpy as np

from ..derivations import reductions as d
from ..kernels import reductions as k
from ..kernels.shapes import count, over, unreduce
from ..primitive import primitive

# fmt: off
sum         = primitive("sum",         np.add.reduce,   lambda g, z, x, *, axis, dtype, keepdims: np.broadcast_to(unreduce(g, x, axis, keepdims), x.shape),
                        numpy=(np.sum,), axis=None, dtype=None, keepdims=False)
mean        = primitive("mean",        np.mean,         lambda g, z, x, *, axis, keepdims: np.broadcast_to(over(unreduce(g, x, axis, keepdims), count(x, axis)), x.shape),
                        axis=None, keepdims=False)
prod        = primitive("prod",        np.multiply.reduce, lambda g, z, x, *, axis, dtype, keepdims: unreduce(g, x, axis, keepdims) * d.product_of_others(x, axis),
                        numpy=(np.prod,), axis=None, dtype=None, keepdims=False)
max         = primitive("max",         np.maximum.reduce, lambda g, z, x, *, axis, keepdims: d.extremum_dx(g, z, x, axis, keepdims),
                        kink="equal parts at a tie", numpy=(np.max, np.amax), axis=None, keepdims=False)
min         = primitive("min",         np.minimum.reduce, lambda g, z, x, *, axis, keepdims: d.extremum_dx(g, z, x, axis, keepdims),
                        kink="equal parts at a tie", numpy=(np.min, np.amin), axis=None, keepdims=False)
var         = primitive("var",         np.var,          lambda g, z, x, *, axis, correction, keepdims: unreduce(g, x, axis, keepdims) * d.var_slope(x, axis, correction),
                        axis=None, correction=0, keepdims=False)
std         = primitive("std",         np.std,          lambda g, z, x, *, axis, correction, keepdims: d.std_dx(g, z, x, axis, correction, keepdims),
                        kink="0 where all entries are equal; second order as radial", axis=None, correction=0, keepdims=False)
vector_norm = primitive("linalg.vector_norm", k.vector_norm, lambda g, z, x, *, axis, keepdims, ord: d.norm_dx(g, z, x, axis, keepdims, ord),
                        kink="0 at the zero vector, second order as radial; for ord=±inf equal parts at a tie; for ord=0 zero everywhere", numpy=(np.linalg.vector_norm,), axis=None, keepdims=False, ord=2)
cumulative_sum  = primitive("cumulative_sum",  k.cumulative_sum,  lambda g, z, x, *, axis, dtype, include_initial: d.cumulative_sum_dx(g, x, axis, include_initial),
                        numpy=(np.cumulative_sum,), axis=None, dtype=None, include_initial=False)
cumulative_prod = primitive("cumulative_prod", k.cumulative_prod, lambda g, z, x, *, axis, dtype, include_initial: d.cumulative_prod_dx(g, x, axis, include_initial),
                        numpy=(np.cumulative_prod,), axis=None, dtype=None, include_initial=False)
recurrence  = primitive("recurrence",  k.recurrence,    lambda g, z, a, b, *, axis: d.recurrence_da(g, z, a, axis),
                                                        lambda g, z, a, b, *, axis: d.recurrence_db(g, a, axis), axis=-1)
# fmt: on
