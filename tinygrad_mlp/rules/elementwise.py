"""The table, elementwise functions: each entry of the result depends on one entry of each input."""
# The names of the table are the array API's, so ``abs``, ``pow`` and ``round`` below are ours, not Python's.

from __future__ import annotations

import numpy as np

from ..derivations import elementwise as d
from ..derivations.elementwise import ratio
from ..kernels import elementwise as k
from ..kernels.elementwise import DEGREE, LN2, LN10
from ..kernels.shapes import floating
from ..primitive import TABLE, Primitive, primitive
from .activations import sigmoid

LENGTH = (
    "the second derivative of a length",
    "the norm, hypot, std or complex absolute value of zeros has none, unless it is squared",
    "write np.sum(x * x) in place of a squared norm, np.var for np.std(x) ** 2, np.real(z * np.conj(z)) for np.abs(z) ** 2, or keep zeros out "
    "before: np.where(row_is_zero, 1.0, x)",
)
"""Why a second derivative is NaN, and the cure."""

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
fmod        = primitive("fmod",        np.fmod,         lambda g, z, x, y: g,
                                                        lambda g, z, x, y: -g * np.rint((x - z) / y),
                        kink="at a multiple of y, where the remainder jumps: (1, −trunc(x / y))")
pow         = primitive("pow",         np.power,        d.power_dx,
                                                        d.power_dy,
                        kink="x⁰ has slope 0 in x, also at x = 0; ∂/∂y is 0 at x = 0 for y ≥ 0, NaN for x < 0 and at x = 0 for y < 0")
float_power = primitive("float_power", np.float_power,  d.power_dx,
                                                        d.power_dy, kink="as pow")
negative    = primitive("negative",    np.negative,     lambda g, z, x: -g)
positive    = primitive("positive",    np.positive,     lambda g, z, x: g)
reciprocal  = primitive("reciprocal",  np.reciprocal,   lambda g, z, x: -g * z * z)
square      = primitive("square",      np.square,       lambda g, z, x: g * (2 * x))
hypot       = primitive("hypot",       np.hypot,        lambda g, z, x, y: d.length_dx(g, z, x),
                                                        lambda g, z, x, y: d.length_dx(g, z, y),
                        kink="0 at (0, 0); second order as radial")
radial      = primitive("radial",      k.radial,        lambda g, z, h, x, length: TABLE["radial"](g, x, length),
                                                        d.radial_dx,
                                                        d.radial_dlength, elementwise=True, singular=LENGTH,
                        kink="where the length of a vector is 0: 0 as its gradient; NaN as the second derivative, unless the graph shows that it is the "
                             "square of the length, or a higher power, that is differentiated")

# --- roots, exponentials, logarithms ----------------------------------------------------------------------------------
sqrt        = primitive("sqrt",        np.sqrt,         lambda g, z, x: g / (2 * z),
                        kink="∞ at 0, the limit from the right")
cbrt        = primitive("cbrt",        np.cbrt,         lambda g, z, x: g / (3 * z * z),
                        kink="∞ at 0, the limit from both sides")
exp         = primitive("exp",         np.exp,          lambda g, z, x: g * z)
exp2        = primitive("exp2",        np.exp2,         lambda g, z, x: g * (z * LN2))
expm1       = primitive("expm1",       np.expm1,        lambda g, z, x: g * np.exp(x))
log         = primitive("log",         np.log,          lambda g, z, x: g / x)
log2        = primitive("log2",        np.log2,         lambda g, z, x: g / (x * LN2))
log10       = primitive("log10",       np.log10,        lambda g, z, x: g / (x * LN10))
log1p       = primitive("log1p",       np.log1p,        lambda g, z, x: g / (1 + x))
logaddexp   = primitive("logaddexp",   np.logaddexp,    lambda g, z, x, y: g * sigmoid(d.gap(x, y)),
                                                        lambda g, z, x, y: g * sigmoid(d.gap(y, x)),
                        kink="half to each where both are the same infinity")
logaddexp2  = primitive("logaddexp2",  np.logaddexp2,   lambda g, z, x, y: g * sigmoid(d.gap(x, y) * LN2),
                                                        lambda g, z, x, y: g * sigmoid(d.gap(y, x) * LN2),
                        kink="as logaddexp")

# --- circular and hyperbolic functions --------------------------------------------------------------------------------
sin         = primitive("sin",         np.sin,          lambda g, z, x: g * np.cos(x))
cos         = primitive("cos",         np.cos,          lambda g, z, x: -g * np.sin(x))
tan         = primitive("tan",         np.tan,          lambda g, z, x: g * (1 + z * z))
asin        = primitive("asin",        np.arcsin,       lambda g, z, x: g / np.sqrt((1 - x) * (1 + x)),
                        kink="∞ at −1 and 1, the limit from inside")
acos        = primitive("acos",        np.arccos,       lambda g, z, x: -g / np.sqrt((1 - x) * (1 + x)),
                        kink="−∞ at −1 and 1, the limit from inside")
atan        = primitive("atan",        np.arctan,       lambda g, z, x: g / (1 + x * x))
atan2       = primitive("atan2",       np.arctan2,      lambda g, z, x, y: g * ratio(ratio(y, np.hypot(x, y)), np.hypot(x, y)),
                                                        lambda g, z, x, y: -g * ratio(ratio(x, np.hypot(x, y)), np.hypot(x, y)),
                        kink="0 at (0, 0)")
sinh        = primitive("sinh",        np.sinh,         lambda g, z, x: g * np.cosh(x))
cosh        = primitive("cosh",        np.cosh,         lambda g, z, x: g * np.sinh(x))
tanh        = primitive("tanh",        np.tanh,         lambda g, z, x: g * (1 - z * z))
asinh       = primitive("asinh",       np.arcsinh,      lambda g, z, x: g / np.cosh(z))
acosh       = primitive("acosh",       np.arccosh,      lambda g, z, x: g / np.sinh(z),
                        kink="∞ at 1, the limit from the right")
atanh       = primitive("atanh",       np.arctanh,      lambda g, z, x: g / ((1 - x) * (1 + x)))
sinc        = primitive("sinc",        np.sinc,         lambda g, z, x: g * sinc_slope(x, order=1))
sinc_slope: Primitive = primitive("sinc_slope",  k.sinc_slope,    lambda g, z, x, *, order: g * sinc_slope(x, order=order + 1), order=1)
deg2rad     = primitive("deg2rad",     np.deg2rad,      lambda g, z, x: g * DEGREE, numpy=(np.radians,))
rad2deg     = primitive("rad2deg",     np.rad2deg,      lambda g, z, x: g / DEGREE, numpy=(np.degrees,))

# --- parts of a number: for a complex x = a + ib a gradient is ∂L/∂a − i ∂L/∂b ----------------------------------------
abs         = primitive("abs",         np.absolute,     lambda g, z, x: d.abs_dx(g, z, x),
                        kink="0 at 0")
fabs        = primitive("fabs",        np.fabs,         lambda g, z, x: d.abs_dx(g, z, x),
                        kink="0 at 0")
sign        = primitive("sign",        np.sign,         lambda g, z, x: d.sign_dx(g, z, x),
                        kink="0 at the jump")
copysign    = primitive("copysign",    np.copysign,     lambda g, z, x, y: g * np.copysign(np.sign(x), np.sign(x) * np.copysign(1.0, y)),
                                                        lambda g, z, x, y: np.zeros_like(g),
                        kink="0 at x = 0, where |x| has no slope")
real        = primitive("real",        np.real,         lambda g, z, x: g)
imag        = primitive("imag",        np.imag,         lambda g, z, x: -1j * g if x.dtype.kind == "c" else np.zeros_like(g))
conj        = primitive("conj",        np.conjugate,    lambda g, z, x: np.conj(g) if g.dtype.kind == "c" else g)
angle       = primitive("angle",       k.angle,         lambda g, z, x: d.angle_dx(g, z, x),
                        kink="0 for real numbers, where it jumps at 0", numpy=(np.angle,))

# --- choices ----------------------------------------------------------------------------------------------------------
maximum     = primitive("maximum",     np.maximum,      lambda g, z, x, y: d.maximum_share(g, x, y),
                                                        lambda g, z, x, y: d.maximum_share(g, y, x),
                        kink="half to each at a tie", real=True)
minimum     = primitive("minimum",     np.minimum,      lambda g, z, x, y: d.minimum_share(g, x, y),
                                                        lambda g, z, x, y: d.minimum_share(g, y, x),
                        kink="half to each at a tie", real=True)
fmax        = primitive("fmax",        np.fmax,         lambda g, z, x, y: d.fmax_share(g, x, y),
                                                        lambda g, z, x, y: d.fmax_share(g, y, x),
                        kink="half to each at a tie; nothing to a NaN beside a number", real=True)
fmin        = primitive("fmin",        np.fmin,         lambda g, z, x, y: d.fmin_share(g, x, y),
                                                        lambda g, z, x, y: d.fmin_share(g, y, x),
                        kink="half to each at a tie; nothing to a NaN beside a number", real=True)
clip        = primitive("clip",        k.clip,          lambda g, z, x, min, max: np.where(d.clip_inside(x, min, max), g, 0),
                                                        lambda g, z, x, min, max: np.where(d.clip_below(x, min, max), g, 0),
                                                        lambda g, z, x, min, max: np.where(d.clip_above(x, min, max), g, 0),
                        kink="1 at the bounds, which count as inside", elementwise=True, optional=2, real=True, numpy=(np.clip,))
where       = primitive("where",       np.where,        None,
                                                        lambda g, z, c, x, y: np.where(c, g, 0),
                                                        lambda g, z, c, x, y: np.where(c, 0, g), elementwise=True)
nan_to_num  = primitive("nan_to_num",  k.nan_to_num,    lambda g, z, x, *, nan, posinf, neginf: d.nan_to_num_dx(g, x),
                        kink="0 at NaN and ±∞; what makes them NaN upstream stays NaN: it cleans values, not gradients",
                        numpy=(np.nan_to_num,), nan=0.0, posinf=None, neginf=None)
astype      = primitive("astype",      k.astype,        lambda g, z, x, *, dtype, copy, device: g, elementwise=True, numpy=(np.astype,), dtype=..., copy=True, device=None)

# --- constant almost everywhere: the gradient is zero, and no other path is disturbed -------------------------------
floor       = primitive("floor",       np.floor,        lambda g, z, x: np.zeros_like(g), kink="0 at the jumps")
ceil        = primitive("ceil",        np.ceil,         lambda g, z, x: np.zeros_like(g), kink="0 at the jumps")
trunc       = primitive("trunc",       np.trunc,        lambda g, z, x: np.zeros_like(g), kink="0 at the jumps", numpy=(np.fix,))
round       = primitive("round",       np.round,        lambda g, z, x, *, decimals: np.zeros_like(g), kink="0 at the jumps",
                        numpy=(np.around,), decimals=0)
rint        = primitive("rint",        np.rint,         lambda g, z, x: np.zeros_like(g), kink="0 at the jumps")
floor_divide= primitive("floor_divide",np.floor_divide, lambda g, z, x, y: np.zeros_like(g),
                                                        lambda g, z, x, y: np.zeros_like(g), kink="0 at the jumps")
heaviside   = primitive("heaviside",   np.heaviside,    lambda g, z, x, y: np.zeros_like(g),
                                                        lambda g, z, x, y: np.where(x == 0, g, 0), kink="0 in x at the jump")
nextafter   = primitive("nextafter",   np.nextafter,    lambda g, z, x, y: g,
                                                        lambda g, z, x, y: np.zeros_like(g))
ldexp       = primitive("ldexp",       np.ldexp,        lambda g, z, x, n: g * np.exp2(floating(n)),
                                                        None)
# fmt: on
