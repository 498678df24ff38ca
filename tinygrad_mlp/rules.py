"""The table of rules: every differentiable function, NumPy's own, with one line an argument.

How to read a line: ``z`` is the output, ``g`` the gradient ∂L/∂z that arrives at it, ``x, y`` are the inputs, and the
value is what goes on to that input, ∂L/∂x. Parameters are keyword-only. The sum over broadcast axes, the check of
shape and dtype, and the accumulation are done once, by the sweep in :mod:`tinygrad_mlp.graph`, never in a rule.

The lines are plain NumPy. Read with arrays they compute; read with Tensors they record, and a gradient can be
differentiated again. For that the table is closed: every function that a rule calls is in the table, or constant.
Inside a rule: operators, ``np.`` functions, ``.shape`` and ``.mT``; ``if`` on shapes, never on values.

To add a primitive, add an entry here and its sample inputs in ``tests/samples.py``. It is then ``tg.name(x)``, and
``np.name(x)`` where NumPy has it, and is tested at first and second order.
"""
# The names of the table are the array API's, so ``sum``, ``max``, ``min`` and ``abs`` below are ours, not Python's.

from __future__ import annotations

import numpy as np

from . import derivations as d
from . import kernels as k
from .kernels import count, divisor, inverse, layers, one_hot, over, parts, unreduce
from .primitive import Primitive, primitive

# fmt: off
# --- arithmetic -------------------------------------------------------------------------------------------------------
add         = primitive("add",         np.add,          lambda g, z, x, y: g,
                                                        lambda g, z, x, y: g)
subtract    = primitive("subtract",    np.subtract,     lambda g, z, x, y: g,
                                                        lambda g, z, x, y: -g)
multiply    = primitive("multiply",    np.multiply,     lambda g, z, x, y: g * y,
                                                        lambda g, z, x, y: g * x)
divide      = primitive("divide",      np.divide,       lambda g, z, x, y: g / y,
                                                        lambda g, z, x, y: -g * (z / y))
remainder   = primitive("remainder",   np.remainder,    lambda g, z, x, y: g,
                                                        lambda g, z, x, y: -g * np.floor_divide(x, y),
                        kink="at a multiple of y, where the remainder jumps: as on the right of it, (1, −floor(x / y))")
pow         = primitive("pow",         np.power,        d.power_dx,
                                                        d.power_dy,
                        kink="x⁰ has slope 0 in x, also at x = 0; ∂/∂y is 0 at x = 0 for y ≥ 0, NaN for x < 0 and at x = 0 for y < 0")
negative    = primitive("negative",    np.negative,     lambda g, z, x: -g)
positive    = primitive("positive",    np.positive,     lambda g, z, x: g)

# --- elementwise ------------------------------------------------------------------------------------------------------
square      = primitive("square",      np.square,       lambda g, z, x: g * (2 * x))
sqrt        = primitive("sqrt",        np.sqrt,         lambda g, z, x: g / (2 * z),
                        kink="∞ at 0, the limit from the right")
exp         = primitive("exp",         np.exp,          lambda g, z, x: g * z)
expm1       = primitive("expm1",       np.expm1,        lambda g, z, x: g * np.exp(x))
log         = primitive("log",         np.log,          lambda g, z, x: g / x)
log1p       = primitive("log1p",       np.log1p,        lambda g, z, x: g / (1 + x))
sin         = primitive("sin",         np.sin,          lambda g, z, x: g * np.cos(x))
cos         = primitive("cos",         np.cos,          lambda g, z, x: -g * np.sin(x))
tanh        = primitive("tanh",        np.tanh,         lambda g, z, x: g * (1 - z * z))
abs         = primitive("abs",         np.absolute,     lambda g, z, x: g * np.sign(x),
                        kink="0 at 0")
maximum     = primitive("maximum",     np.maximum,      lambda g, z, x, y: d.maximum_share(g, x, y),
                                                        lambda g, z, x, y: d.maximum_share(g, y, x),
                        kink="half to each at a tie")
minimum     = primitive("minimum",     np.minimum,      lambda g, z, x, y: d.maximum_share(g, y, x),
                                                        lambda g, z, x, y: d.maximum_share(g, x, y),
                        kink="half to each at a tie")
clip        = primitive("clip",        np.clip,         lambda g, z, x, min, max: np.where(d.clip_inside(x, min, max), g, 0),
                                                        lambda g, z, x, min, max: np.where(d.clip_below(x, min, max), g, 0),
                                                        lambda g, z, x, min, max: np.where(d.clip_above(x, min, max), g, 0),
                        kink="1 at the bounds, which count as inside", optional=2)
where       = primitive("where",       np.where,        None,
                                                        lambda g, z, c, x, y: np.where(c, g, 0),
                                                        lambda g, z, c, x, y: np.where(c, 0, g))
astype      = primitive("astype",      k.astype,        lambda g, z, x, *, dtype: g, dtype=...)

# --- constant almost everywhere: the gradient is zero, and no other path is disturbed -------------------------------
sign        = primitive("sign",        np.sign,         lambda g, z, x: np.zeros_like(g), kink="0 at the jump")
floor       = primitive("floor",       np.floor,        lambda g, z, x: np.zeros_like(g), kink="0 at the jumps")
ceil        = primitive("ceil",        np.ceil,         lambda g, z, x: np.zeros_like(g), kink="0 at the jumps")
trunc       = primitive("trunc",       np.trunc,        lambda g, z, x: np.zeros_like(g), kink="0 at the jumps")
round       = primitive("round",       np.rint,         lambda g, z, x: np.zeros_like(g), kink="0 at the jumps")
floor_divide= primitive("floor_divide",np.floor_divide, lambda g, z, x, y: np.zeros_like(g),
                                                        lambda g, z, x, y: np.zeros_like(g), kink="0 at the jumps")

# --- activations ------------------------------------------------------------------------------------------------------
relu        = primitive("relu",        k.relu,          lambda g, z, x: g * (x > 0),
                        kink="0 at 0")
leaky_relu  = primitive("leaky_relu",  k.leaky_relu,    lambda g, z, x, *, negative_slope: np.where(x > 0, g, float(negative_slope) * g),
                        kink="negative_slope at 0", negative_slope=0.01)
sigmoid     = primitive("sigmoid",     k.sigmoid,       lambda g, z, x: g * (z * (1 - z)))
softplus    = primitive("softplus",    k.softplus,      lambda g, z, x: g * sigmoid(x))
softmax     = primitive("softmax",     k.softmax,       lambda g, z, x, *, axis: z * (g - np.sum(g * z, axis=axis, keepdims=True)), axis=-1)
log_softmax = primitive("log_softmax", k.log_softmax,   lambda g, z, x, *, axis: g - np.exp(z) * np.sum(g, axis=axis, keepdims=True), axis=-1)
logsumexp   = primitive("logsumexp",   k.logsumexp,     lambda g, z, x, *, axis, keepdims: unreduce(g, x, axis, keepdims) * softmax(x, axis=axis),
                        axis=None, keepdims=False)

# --- products ---------------------------------------------------------------------------------------------------------
matmul      = primitive("matmul",      np.matmul,       d.matmul_dx,
                                                        d.matmul_dy)
linear      = primitive("linear",      k.linear,        lambda g, z, x, w, b: d.matmul_dx(g, z, x, w),
                                                        lambda g, z, x, w, b: d.matmul_dy(g, z, x, w),
                                                        lambda g, z, x, w, b: g)

# --- reductions -------------------------------------------------------------------------------------------------------
sum         = primitive("sum",         np.add.reduce,   lambda g, z, x, *, axis, keepdims: np.broadcast_to(unreduce(g, x, axis, keepdims), x.shape),
                        numpy=(np.sum,), axis=None, keepdims=False)
mean        = primitive("mean",        np.mean,         lambda g, z, x, *, axis, keepdims: np.broadcast_to(over(unreduce(g, x, axis, keepdims), count(x, axis)), x.shape),
                        axis=None, keepdims=False)
max         = primitive("max",         np.maximum.reduce, lambda g, z, x, *, axis, keepdims: d.extremum_dx(g, z, x, axis, keepdims),
                        kink="equal parts at a tie", numpy=(np.max, np.amax), axis=None, keepdims=False)
min         = primitive("min",         np.minimum.reduce, lambda g, z, x, *, axis, keepdims: d.extremum_dx(g, z, x, axis, keepdims),
                        kink="equal parts at a tie", numpy=(np.min, np.amin), axis=None, keepdims=False)
var         = primitive("var",         np.var,          lambda g, z, x, *, axis, correction, keepdims: d.var_dx(g, z, x, axis, keepdims, correction),
                        axis=None, correction=0, keepdims=False)

# --- shapes and indices -----------------------------------------------------------------------------------------------
reshape     = primitive("reshape",     np.reshape,      lambda g, z, x, *, shape: np.reshape(g, x.shape), shape=...)
expand_dims = primitive("expand_dims", np.expand_dims,  lambda g, z, x, *, axis: np.reshape(g, x.shape), axis=...)
squeeze     = primitive("squeeze",     np.squeeze,      lambda g, z, x, *, axis: np.reshape(g, x.shape), axis=None)
permute_dims= primitive("permute_dims",np.permute_dims, lambda g, z, x, *, axes: np.permute_dims(g, inverse(axes)), axes=None)
broadcast_to= primitive("broadcast_to",np.broadcast_to, lambda g, z, x, *, shape: g, shape=...)
scatter     = primitive("scatter",     k.scatter,       lambda g, z, x, *, shape, index: g[index], shape=..., index=...)
getitem     = primitive("getitem",     k.getitem,       lambda g, z, x, *, index: scatter(g, shape=x.shape, index=index), index=...)
concat      = primitive("concat",      k.concat,        lambda g, z, *xs, axis: parts(g, xs, axis),
                        variadic=True, numpy=(np.concat,), axis=0)
stack       = primitive("stack",       k.stack,         lambda g, z, *xs, axis: layers(g, xs, axis),
                        variadic=True, numpy=(np.stack,), axis=0)

# --- losses, fused with the output activation: the derivative is "prediction minus target", and nothing overflows ------
cross_entropy = primitive("cross_entropy", k.cross_entropy,
    lambda g, z, x, y, *, reduction: over(g * (softmax(x) - one_hot(y, x.shape[-1])), divisor(reduction, y.size)),
    None, reduction="mean")
binary_cross_entropy_with_logits = primitive("binary_cross_entropy_with_logits", k.binary_cross_entropy_with_logits,
    lambda g, z, x, y, *, reduction: over(g * (sigmoid(x) - y), divisor(reduction, x.size)),
    lambda g, z, x, y, *, reduction: over(-g * x, divisor(reduction, x.size)), reduction="mean")
mse_loss = primitive("mse_loss", k.mse_loss,
    lambda g, z, x, y, *, reduction: over(g * (2 * (x - y)), divisor(reduction, x.size)),
    lambda g, z, x, y, *, reduction: over(g * (2 * (y - x)), divisor(reduction, x.size)), reduction="mean")
# fmt: on

CONSTANT = (
    # yes-or-no and counting functions: their results carry no gradient, and are handed on as constant Tensors
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.isnan, np.isinf, np.isfinite, np.signbit, np.isclose,
    np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert,
    np.any, np.all, np.count_nonzero, np.nonzero, np.argmax, np.argmin, np.argsort, np.argwhere, np.searchsorted,
    np.zeros_like, np.ones_like, np.empty_like,
)  # fmt: skip
INSPECTORS = (
    # questions about a Tensor whose answer is no array, and NumPy's printing: plain NumPy answers them
    np.shape, np.ndim, np.size, np.array_equal, np.allclose, np.result_type, np.may_share_memory, np.shares_memory,
    np.array_repr, np.array_str, np.array2string, np.iscomplexobj, np.isrealobj,
)  # fmt: skip

PRIMITIVES = [name for name, value in list(globals().items()) if isinstance(value, Primitive)]
"""The names of the table's variables: the public functions."""

__all__ = PRIMITIVES
