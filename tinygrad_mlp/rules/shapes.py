"""The table, shapes and indices: the entries stay what they are, and change their places."""

from __future__ import annotations

import numpy as np

from ..derivations import shapes as d
from ..kernels import shapes as k
from ..kernels.shapes import inverse, layers, parts
from ..primitive import Primitive, primitive

# fmt: off
reshape     = primitive("reshape",     k.reshape,       lambda g, z, x, *, shape, copy: np.reshape(g, x.shape), numpy=(np.reshape,), shape=..., copy=None)
expand_dims = primitive("expand_dims", np.expand_dims,  lambda g, z, x, *, axis: np.reshape(g, x.shape), axis=0)
squeeze     = primitive("squeeze",     np.squeeze,      lambda g, z, x, *, axis: np.reshape(g, x.shape), axis=None)
permute_dims= primitive("permute_dims",np.permute_dims, lambda g, z, x, *, axes: np.permute_dims(g, inverse(axes)), axes=None)
broadcast_to= primitive("broadcast_to",np.broadcast_to, lambda g, z, x, *, shape: g, shape=...)
roll        = primitive("roll",        np.roll,         lambda g, z, x, *, shift, axis: np.roll(g, k.opposite(shift), axis), shift=..., axis=None)
tril        = primitive("tril",        k.tril,          lambda g, z, x, *, k: np.tril(g, k=k), numpy=(np.tril,), k=0)
triu        = primitive("triu",        k.triu,          lambda g, z, x, *, k: np.triu(g, k=k), numpy=(np.triu,), k=0)
getitem     = primitive("getitem",     k.getitem,       lambda g, z, x, *, index: scatter(g, shape=x.shape, index=index), index=...)
scatter: Primitive = primitive("scatter",     k.scatter,       lambda g, z, x, *, shape, index: g[index], shape=..., index=...)
setitem: Primitive = primitive("setitem",     k.setitem,       lambda g, z, x, y, *, index: setitem(g, 0, index=index),
                                                        lambda g, z, x, y, *, index: d.assigned(g, y, index), index=...)
concat      = primitive("concat",      k.concat,        lambda g, z, *xs, axis: parts(g, xs, axis),
                        variadic=True, numpy=(np.concat,), axis=0)
stack       = primitive("stack",       k.stack,         lambda g, z, *xs, axis: layers(g, xs, axis),
                        variadic=True, numpy=(np.stack,), axis=0)
# fmt: on
