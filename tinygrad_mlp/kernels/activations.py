"""The activation functions, in forms that neither overflow nor cancel."""

from __future__ import annotations

import math

import numpy as np

from ..errors import SettingError, did_you_mean, require
from .shapes import Array, Axis, floating, largest, narrow, total, wide

SQRT_HALF, SQRT_TWO_OVER_PI, CUBIC = math.sqrt(0.5), math.sqrt(2 / math.pi), 0.044715  # of gelu; the last for its tanh form


def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + e⁻ˣ), as eˣ / (1 + eˣ) for negative x: exp never sees a positive number, so nothing overflows."""
    x = floating(x)
    e = np.exp(falling(x))
    return np.where(x.real >= 0, 1, e) / (1 + e)


def falling(x: Array) -> Array:
    """−|x|; of complex numbers −x or x, the one whose real part is not positive."""
    return -np.abs(x) if x.dtype.kind != "c" else np.where(x.real >= 0, -x, x)


def relu(x: Array) -> Array:
    """max(x, 0); NaN stays NaN."""
    return np.maximum(x, 0)


def leaky_relu(x: Array, *, negative_slope: float) -> Array:
    """x where x > 0, else negative_slope · x."""
    return np.where(x > 0, x, float(negative_slope) * x)


def softplus(x: Array) -> Array:
    """log(1 + eˣ), through logaddexp, which does not overflow and is for real numbers.

    Of a complex x the principal logarithm: with e the smaller one of eˣ and e⁻ˣ, max(Re x, 0) + log |1 + e| + i arg(1 + eˣ).
    """
    x = floating(x)
    if x.dtype.kind != "c":
        return np.logaddexp(x, 0)
    e = np.exp(falling(x))
    a, b, size, beyond = e.real, e.imag, np.abs(1 + e), np.maximum(x.real, 0)
    near = size < 0.5  # where |1 + e|² − 1 = a (2 + a) + b² would cancel
    length = np.where(near, np.log(size), np.log1p(np.where(near, 0, a * (2 + a) + b * b)) / 2)
    turned = np.where(x.real >= 0, np.exp(-beyond) + np.exp(1j * x.imag), 1 + e)
    return beyond + length + 1j * np.angle(turned)


def softmax(x: Array, *, axis: Axis) -> Array:
    """exp(xᵢ) / Σⱼ exp(xⱼ), the maximum of each row subtracted first (the quotient is the same, the range is safe)."""
    given, x = floating(x), wide(x)
    e = np.exp(x - largest(x, axis=axis, keepdims=True))
    return narrow(e / total(e, axis=axis, keepdims=True), given.dtype)


def log_softmax(x: Array, *, axis: Axis) -> Array:
    """(x − m) − log Σ exp(x − m), m the row's maximum; never x − logsumexp(x), which cancels for large x."""
    given, x = floating(x), wide(x)
    shifted = x - largest(x, axis=axis, keepdims=True).real
    return narrow(shifted - np.log(total(np.exp(shifted), axis=axis, keepdims=True)), given.dtype)


def logsumexp(x: Array, *, axis: Axis, keepdims: bool) -> Array:
    """log Σ exp(x), shifted by the row's maximum where that is finite (a row of −inf gives −inf)."""
    given, x = floating(x), wide(x)
    m = largest(x, axis=axis, keepdims=True)
    m = np.where(np.isfinite(m), m, np.zeros_like(m)).real  # shifted by a real number, a complex logarithm stays the principal one
    with np.errstate(divide="ignore"):  # log 0 = −inf is the answer for a row of −inf
        z = np.log(total(np.exp(x - m), axis=axis, keepdims=True)) + m
    return narrow(z if keepdims else np.squeeze(z, axis=axis), given.dtype)


def elu(x: Array, *, alpha: float) -> Array:
    """x where x > 0, else alpha (eˣ − 1); exp never sees a positive number."""
    x = floating(x)
    return np.where(x > 0, x, float(alpha) * np.expm1(np.minimum(x, 0)))


def hardtanh(x: Array, *, min_val: float, max_val: float) -> Array:
    """x limited to [min_val, max_val]."""
    if min_val > max_val:
        raise SettingError(f"hardtanh limits numbers to [min_val, max_val], but {min_val} is larger than {max_val}")
    return np.clip(x, float(min_val), float(max_val))


def log_sigmoid(x: Array) -> Array:
    """log σ(x) = −log(1 + e⁻ˣ)."""
    return -softplus(-floating(x))


def softsign(x: Array) -> Array:
    """x / (1 + |x|)."""
    x = floating(x)
    return x / (1 + np.abs(x))


def silu(x: Array) -> Array:
    """x σ(x), also called swish."""
    return floating(x) * sigmoid(x)


def gelu(x: Array, *, approximate: str) -> Array:
    """x Φ(x), Φ the normal distribution function; with ``approximate="tanh"`` the usual approximation of it."""
    x = floating(x)
    if approximate == "none":
        return 0.5 * x * erfc(-SQRT_HALF * x)
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(SQRT_TWO_OVER_PI * (x + CUBIC * x * x * x)))
    raise did_you_mean("approximation of gelu", approximate, ("none", "tanh"))


# --- the error function: rational approximations of W. J. Cody, Math. Comp. 23 (1969) 631, in descending powers ----------

SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2,
     8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
LARGE = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2,
     6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip


def quotient(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    """P(x) / Q(x) by Horner's rule."""
    values = []
    for polynomial in coefficients:
        value = np.full_like(x, polynomial[0])
        for c in polynomial[1:]:
            value = value * x + c
        values.append(value)
    return values[0] / values[1]


def erfc_positive(x: Array) -> Array:
    """erfc(x) for x ≥ 0.46875: e^(−x²) times a quotient. The square is split so that its rounding is not magnified by exp."""
    x = np.minimum(x, 30)  # from 27 on it is 0, and the square of a large number overflows
    middle = quotient(MIDDLE, np.minimum(x, 4))
    far = np.maximum(x, 4)
    y = 1 / (far * far)
    large = (1 / math.sqrt(math.pi) - y * quotient(LARGE, y)) / far
    head = np.trunc(x * 16) / 16
    tail = (x - head) * (x + head)
    return np.exp(-head * head) * np.exp(-tail) * np.where(x <= 4, middle, large)


def error_function(x: Array, complement: bool) -> Array:
    """erf(x) = 2/√π ∫₀ˣ e^(−t²) dt, or 1 − erf(x), computed in float64 to a few units in the last place; SciPy's of complex x."""
    given = floating(x)
    if given.dtype.kind == "c":
        special = require("scipy.special", "", "the error function of complex numbers")
        return np.asarray(special.erfc(given) if complement else special.erf(given))
    v = given.astype(np.float64)
    size = np.abs(v)
    near = np.where(size <= 0.46875, v, 0)
    small = near * quotient(SMALL, near * near)
    rest = erfc_positive(np.maximum(size, 0.46875))
    if complement:
        out = np.where(size <= 0.46875, 1 - small, np.where(v > 0, rest, 2 - rest))
    else:
        out = np.where(size <= 0.46875, small, np.sign(v) * (1 - rest))
    return np.asarray(out).astype(given.dtype)


def erf(x: Array) -> Array:
    """The error function."""
    return error_function(x, complement=False)


def erfc(x: Array) -> Array:
    """The complementary error function 1 − erf(x), without its cancellation for large x."""
    return error_function(x, complement=True)
