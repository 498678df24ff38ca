"""The table, activation functions of neural networks."""

from __future__ import annotations

import numpy as np

from ..derivations import activations as d
from ..kernels import activations as k
from ..kernels.shapes import unreduce, wide
from ..primitive import primitive

# fmt: off
relu        = primitive("relu",        k.relu,          lambda g, z, x: g * (x > 0),
                        kink="0 at 0", elementwise=True, real=True)
leaky_relu  = primitive("leaky_relu",  k.leaky_relu,    lambda g, z, x, *, negative_slope: np.where(x > 0, g, float(negative_slope) * g),
                        kink="negative_slope at 0", elementwise=True, real=True, negative_slope=0.01)
elu         = primitive("elu",         k.elu,           lambda g, z, x, *, alpha: np.where(x > 0, g, g * (z + float(alpha))),
                        kink="alpha at 0", elementwise=True, real=True, alpha=1.0)
hardtanh    = primitive("hardtanh",    k.hardtanh,      lambda g, z, x, *, min_val, max_val: np.where((x > min_val) & (x < max_val), g, 0),
                        kink="0 at the bounds", elementwise=True, real=True, min_val=-1.0, max_val=1.0)
sigmoid     = primitive("sigmoid",     k.sigmoid,       lambda g, z, x: g * (z * (1 - z)), elementwise=True)
log_sigmoid = primitive("log_sigmoid", k.log_sigmoid,   lambda g, z, x: g * sigmoid(-x), elementwise=True)
softplus    = primitive("softplus",    k.softplus,      lambda g, z, x: g * sigmoid(x), elementwise=True)
softsign    = primitive("softsign",    k.softsign,      lambda g, z, x: g * np.square(1 / (1 + np.abs(x))), elementwise=True, real=True)
silu        = primitive("silu",        k.silu,          lambda g, z, x: g * (sigmoid(x) + z * sigmoid(-x)), elementwise=True)
erf         = primitive("erf",         k.erf,           lambda g, z, x: g * (d.ERF_SLOPE * np.exp(-x * x)), elementwise=True)
erfc        = primitive("erfc",        k.erfc,          lambda g, z, x: -g * (d.ERF_SLOPE * np.exp(-x * x)), elementwise=True)
gelu        = primitive("gelu",        k.gelu,          lambda g, z, x, *, approximate: g * d.gelu_slope(x, approximate),
                        elementwise=True, approximate="none")
softmax     = primitive("softmax",     k.softmax,       lambda g, z, x, *, axis: z * (g - np.sum(g * z, axis=axis, keepdims=True)), axis=-1)
log_softmax = primitive("log_softmax", k.log_softmax,   lambda g, z, x, *, axis: g - np.exp(z) * np.sum(wide(g), axis=axis, keepdims=True), axis=-1)
logsumexp   = primitive("logsumexp",   k.logsumexp,     lambda g, z, x, *, axis, keepdims: unreduce(g, x, axis, keepdims) * softmax(x, axis=axis),
                        axis=None, keepdims=False)
# fmt: on
