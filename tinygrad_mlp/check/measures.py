"""How far apart two gradients are: in bits, in ULPs, relatively; and the derivative as a difference quotient."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ShapeError, TensorTypeError
from ..graph import Node, topological
from ..kernels.shapes import Array
from ..rounding import rerun

__all__ = [
    "SHRINK",
    "Slope",
    "as_bits",
    "numeric_gradient",
    "relative_difference",
    "same_bits",
    "scatter",
    "slope",
    "step_of",
    "ulps",
]

NUMERIC_TOLERANCE = 1e-6
"""For central differences in float64: their own error is about 1e-10 of the loss's scale, a wrong factor is of order 1."""

SHRINK = (1.0, 1 / 2, 1 / 16, 1 / 256)
"""Factors of the step that are tried one after the other; powers of two, so that no step is rounded."""

MOVES = (1, 4, 32)
"""How many last bits every result is moved by: what rounding does grows with them, what a jump or a kink does not."""

HIPS_TOLERANCE = 1e-10
"""For two float64 computations of one gradient in different orders: rounding alone, 1e-16 times the number of terms."""


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays have one dtype, one shape and the same bits: stricter than ``==``, which takes −0 for 0.

    >>> same_bits(np.array([0.0]), np.array([-0.0]))
    False
    """
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return bool(np.array_equal(as_bits(a), as_bits(b)))


def as_bits(a: Array) -> Array:
    """The entries in one axis, as unsigned integers with the same bits."""
    if a.dtype.itemsize > 8:
        raise TensorTypeError(f"bits are compared of numbers of up to 64 of them, not of {a.dtype}")
    return np.ascontiguousarray(a).reshape(-1).view(f"u{a.dtype.itemsize}")


def ulps(a: ArrayLike, b: ArrayLike) -> int:
    """The largest distance between entries of two arrays of one floating dtype, counted in representable numbers.

    0 for equal numbers (−0 and 0 are one apart, so that 0 means equal bits), 1 for neighbours; NaN against NaN counts by
    its bits.

    Raises
    ------
    ShapeError, TensorTypeError
        For different shapes or dtypes.

    Examples
    --------
    >>> ulps(np.float32(1.0), np.nextafter(np.float32(1.0), np.float32(2.0)))
    1
    """
    x, y = np.asarray(a), np.asarray(b)
    if x.shape != y.shape:
        raise ShapeError(f"ulps() of arrays of shapes {x.shape} and {y.shape}: they must be equal")
    if x.dtype != y.dtype or x.dtype.kind != "f" or x.dtype.itemsize > 8:
        raise TensorTypeError(f"ulps() needs two arrays of float16, float32 or float64, not {x.dtype} and {y.dtype}")
    if x.size == 0:
        return 0

    def rank(v: Array) -> list[int]:  # the number of a float among all floats in order; Python integers cannot overflow
        bits = v.astype(v.dtype.newbyteorder("=")).ravel().view(f"i{v.dtype.itemsize}")
        lowest = int(np.iinfo(bits.dtype).min)
        return [n if n >= 0 else lowest - 1 - n for n in bits.tolist()]

    if same_bits(x, y):
        return 0
    different = as_bits(x) != as_bits(y)
    pairs = zip(rank(x.ravel()[different]), rank(y.ravel()[different]), strict=True)
    return max(abs(m - n) for m, n in pairs)


def relative_difference(a: Array, b: Array, floor: float = 0.0) -> float:
    """‖a − b‖ / max(‖b‖, floor) in float64; 0 where both are zero, ∞ where only b is; NaN is never close."""
    x, y = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    scale = float(max(np.max(np.abs(x), initial=0), np.max(np.abs(y), initial=0)))
    if not math.isfinite(scale):
        return math.inf
    if scale == 0:
        return 0.0
    norm = max(float(np.linalg.norm(y / scale)), floor / scale)
    difference = float(np.linalg.norm(x / scale - y / scale))
    return difference / norm if norm else math.inf


class Slope(NamedTuple):
    """A derivative by differences, and how far it may be off."""

    value: float
    error: float
    """What the differences themselves leave open: truncation, rounding, and kinks within reach; ∞ outside the domain."""
    rounding: float
    """The part of it that the rounding of the function's values explains."""

    @property
    def smooth(self) -> bool:
        """Whether a derivative was seen: the error is small, or no larger than rounding makes it."""
        return self.error <= max(1e-3 * abs(self.value), 100 * self.rounding)

    @property
    def sharp(self) -> bool:
        """Whether no other step is going to say much more."""
        return self.error <= max(1e-6 * abs(self.value), 50 * self.rounding)


def step_of(eps: float) -> float:
    """The power of two nearest to ε^⅓, which balances the truncation of central differences against rounding.

    >>> step_of(float(np.finfo(np.float64).eps)), step_of(float(np.finfo(np.float32).eps))
    (3.814697265625e-06, 0.00390625)
    """
    return float(2.0 ** np.floor(np.log2(np.cbrt(eps))))


def slope(f: Callable[[float], Array], middle: Array, weights: Array, h: float, noise: Array) -> Slope:
    """The derivative of Re ⟨w, f(t)⟩ at t = 0 by central differences of two step sizes, and a bound of its error.

    With D(h) = (φ(h) − φ(−h)) / 2h = φ' + h² φ‴ / 6 + … Richardson's D(h) + (D(h) − D(2h)) / 3 is right to order h⁴, and
    D(h) − D(2h) is more than its error where φ is smooth. A kink in between shows in two ways: D(h) − D(2h) does not go down
    with h, and s(h) = φ'(right) − φ'(left) does not double with h, as h φ″ would. For a jump J of the slope at distance u h
    the error of D(h) is J (1 − u) / 2, the differences 2 s(h) − s(2h) = J (1 − 3u/2) and D(h) − D(2h) = −J u / 4 are never both
    smaller. Rounding of φ is sampled by the same differences; Σ |w| noise / h stands for what they miss by luck.

    Parameters
    ----------
    f : function of a number, to an array; w and ``middle = f(0)`` have its shape
    h : the step
    noise : how far each entry of f may be off by rounding

    Examples
    --------
    >>> y = np.sin(np.array([1.0]))
    >>> found = slope(lambda t: np.sin(np.array([1.0 + t])), y, np.ones(1), 2.0**-18, 1e-16 * y)
    >>> found.smooth, abs(found.value - np.cos(1.0)) < found.error < 1e-8
    (True, True)
    """
    right, left, far_right, far_left = (f(t) for t in (h, -h, 2 * h, -2 * h))
    ends = (right, left, far_right, far_left)
    if any(end.shape != middle.shape for end in ends) or not all(bool(np.isfinite(end).all()) for end in ends):
        return Slope(math.nan, math.inf, 0.0)

    def pair(z: Array) -> float:  # of differences: what t does not reach cancels before it can leave rounding
        return float(np.real(np.sum(np.conj(weights) * z)))

    near, far = pair(right - left) / (2 * h), pair(far_right - far_left) / (4 * h)
    bend = pair((right - middle) - (middle - left)) / h, pair((far_right - middle) - (middle - far_left)) / (2 * h)
    reached = (far_right != middle) | (far_left != middle)
    blur = np.abs(weights) * noise  # of what t does not reach, or changes by less than its last bit: in quadrature
    rounding = (float(np.sum(blur[reached])) + 4 * float(np.linalg.norm(blur[~reached]))) / h
    error = 4 * (abs(2 * bend[0] - bend[1]) + 4 * abs(near - far)) + 8 * rounding
    return Slope(near + (near - far) / 3, error, rounding)


def scatter(end: Node, variables: Sequence[Node], seed: Array, key: Sequence[int], limits: Sequence[float]) -> list[Array]:
    """How far rounding inside a recorded graph moves its value, and the gradients of ⟨seed, value⟩ in the variables.

    Monte Carlo arithmetic (Parker 1997): the graph is run again, forward and backward, with every operation's result moved at
    random by its last bits. Where digits are lost inside, as in 1 − a for an a near 1, or in (x + 10⁴)² − 10⁸, the results
    scatter, though the inputs' own last bits may not reach so far. The same moves several times larger tell rounding, which
    grows with them, from a jump or a kink in between, which does not: of that only what is below its limit counts. The result
    is the largest of several draws, for moves of one bit.

    Parameters
    ----------
    end : the value
    variables : leaves that it is computed from
    seed : of the shape of the value
    key : of the random moves
    limits : for the value and for each gradient
    """
    order = list(topological(end))
    still = replay(order, variables, seed, None, 0.0)
    found = [np.zeros(x.shape) for x in still]
    if not np.allclose(still[0], end.array, equal_nan=True):  # an operation with a state of its own, say
        return found
    for number in range(4):
        runs = [replay(order, variables, seed, np.random.default_rng([*key, number]), move) for move in MOVES]
        for i, (a, limit) in enumerate(zip(still, limits, strict=True)):
            apart = [np.abs(run[i] - a) for run in runs]
            for small, large, move, wider in zip(apart, apart[1:], MOVES, MOVES[1:], strict=False):
                grows = (large >= 2 * small) & (large <= (wider / move) ** 2 * small)
                jump = (large < 2 * small) & (small > limit)
                change = np.where(grows, large / wider, np.where(jump, 0, small / move))
                change = np.where(np.isfinite(small), change, np.maximum(1, np.abs(a)))
                found[i] = np.maximum(found[i], np.where(np.isfinite(a), change, 0))
    return found


def replay(
    order: Sequence[Node], variables: Sequence[Node], seed: Array, rng: np.random.Generator | None, move: float
) -> list[Array]:
    """The value of a graph and its gradients, with every result moved at random by so many last bits."""
    value, gradients = rerun(order, seed, rng, move)
    return [value, *(gradients.get(x, np.zeros_like(x.array)) for x in variables)]


def numeric_gradient(f: Callable[[Array], float], x: Array, entries: Sequence[tuple[int, ...]], widen: float = 1.0) -> Array:
    """∂f/∂x at some entries of x by central differences, (f(x + h) − f(x − h)) / 2h; NaN where f has a kink within reach.

    The step is h = ε^⅓ · max(1, |xᵢ|), which balances truncation against rounding (error about ε^⅔). At a kink (of ReLU,
    say) the slopes on the left and on the right differ by their own size; then smaller steps are tried.

    Parameters
    ----------
    f : function of an array like x, to a number; x is changed in place around the call and restored
    x : a float64 array
    entries : indices into x
    widen : a factor for the step; two step sizes tell how much of the result is noise

    Examples
    --------
    >>> x = np.array([1.0, 2.0])
    >>> numeric_gradient(lambda v: float((v**3).sum()), x, [(0,), (1,)]).round(6)
    array([ 3., 12.])
    """
    if x.dtype != np.float64:
        raise TensorTypeError(f"a difference quotient needs float64, not {x.dtype}: write x.astype(np.float64)")
    found = np.empty(len(entries))
    middle = f(x)
    noise = np.finfo(np.float64).eps * max(abs(middle), 1e-8)
    for number, entry in enumerate(entries):
        kept = x[entry]
        found[number] = np.nan
        for shrink in (1, 16, 256):
            h = np.cbrt(np.finfo(np.float64).eps) * max(1.0, abs(kept)) * widen / shrink
            try:
                x[entry] = kept + h
                right, width = f(x), x[entry]
                x[entry] = kept - h
                left, width = f(x), width - x[entry]
            finally:
                x[entry] = kept
            slopes = (right - middle) / h, (middle - left) / h
            if abs(slopes[0] - slopes[1]) <= 1e-3 * max(abs(slopes[0]), abs(slopes[1])) + 1e2 * noise / h:
                found[number] = (right - left) / width
                break
    return found
