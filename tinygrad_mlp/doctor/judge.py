"""When two gradients are the same: the tolerance is what rounding can do to this computation in the dtype of its data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..kernels.shapes import Array
from .case import Case
from .tape import Tape

__all__ = ["NUMERIC", "Judge", "discrete", "distance", "norm", "where_finite"]

NUMERIC = 1e-5
"""Relative difference up to which a difference quotient may be the cause: forward ones with a step of 1e-5 and less."""

DRAWS = 3
SKETCH = 512
"""Of larger gradients so many entries are compared while causes are looked for."""


def norm(a: Array) -> float:
    """The Euclidean norm; infinite where an entry is not finite."""
    x = np.asarray(a, np.float64).ravel()
    with np.errstate(all="ignore"):
        square = float(np.dot(x, x))
    if 1e-280 < square < 1e280:
        return math.sqrt(square)
    largest = float(np.max(np.abs(x), initial=0.0))  # an overflow, an underflow, or not finite
    if not math.isfinite(largest):
        return math.inf
    return largest * float(np.linalg.norm(x / largest)) if largest else 0.0


def distance(a: Array, b: Array) -> float:
    """‖a − b‖; infinite for different shapes."""
    with np.errstate(all="ignore"):
        return norm(np.asarray(a, np.float64) - b) if np.shape(a) == np.shape(b) else float("inf")


def where_finite(a: Array, b: Array) -> tuple[Array, Array]:
    """Two arrays with zeros where both are the same NaN or infinity: what of them can be compared."""
    if np.shape(a) != np.shape(b):
        return a, b
    equal = (np.isnan(a) & np.isnan(b)) | (np.isinf(a) & (a == b))
    return np.where(equal, 0, a), np.where(equal, 0, b)


def discrete(x: Array) -> bool:
    """Whether an array looks like a mask or like labels: no more than two different numbers."""
    return x.size > 2 and len(np.unique(x)) <= 2


def sketch(true: Array) -> Array | None:
    """Which entries of a large gradient are compared while causes are looked for: the largest, and others at random."""
    if true.size <= SKETCH:
        return None
    largest = np.argpartition(np.abs(true).ravel(), -SKETCH // 4)[-SKETCH // 4 :]
    others = np.random.default_rng(0).choice(true.size, SKETCH, replace=False)
    return np.unique(np.concatenate([largest, others]))


class Judge:
    """What rounding can do.

    Attributes
    ----------
    noise : by how much the true gradient of each parameter moves when every operation is rounded at random
    size : the norm of the true gradient of each parameter
    eps : the unit of the last bit of the user's arithmetic
    """

    def __init__(self, true: Mapping[str, Array], moved: Sequence[Mapping[str, Array]], eps: float, sketched: bool = False) -> None:
        self.true, self.moved, self.eps = true, moved, eps
        self.picks = {name: sketch(g) if sketched else None for name, g in true.items()}
        self.size = {name: norm(self.view(name, g)) for name, g in true.items()}
        self.noise = {
            name: min(max((distance(self.view(name, g), self.view(name, o[name])) for o in moved), default=0.0), self.lost(name))
            for name, g in true.items()
        }

    def lost(self, name: str) -> float:
        """Rounding does not take more than three quarters of the digits: beyond that a tie was broken, or a kink crossed."""
        return float(self.eps**0.25) * self.size[name]

    @classmethod
    def of(cls, case: Case, tape: Tape, user: Mapping[str, Array]) -> Judge:
        """Measured by computing the gradient again with every operation rounded at random."""
        kinds = [case.precision, *(u.dtype for u in user.values() if u.dtype.kind == "f")]
        eps = float(max(np.finfo(kind).eps for kind in kinds))
        rng = np.random.default_rng(0)
        return cls(tape.gradients, [tape.rounded(rng, eps) for _ in range(DRAWS)], eps)

    def shifted(self, true: Mapping[str, Array]) -> Judge:
        """One for other true gradients, of the same computation with another slope at its kinks: rounding does the same to them."""
        moved = [{name: g + (true[name] - self.true[name]) for name, g in draw.items()} for draw in self.moved]
        return Judge(true, moved, self.eps)

    def sketched(self) -> Judge:
        """One that looks at some entries of large gradients only."""
        return Judge(self.true, self.moved, self.eps, sketched=True)

    def view(self, name: str, a: Array) -> Array:
        """What is looked at of a gradient."""
        picks = self.picks[name]
        return a.ravel()[picks] if picks is not None and a.shape == self.true[name].shape else a

    def tolerance(self, name: str, size: float = 0.0) -> float:
        """How far two ways to compute one gradient may be apart; of a gradient of another size, in proportion."""
        own, all_of_them = self.size[name], max(self.size.values())
        grown = min(max(1.0, size / own), 1e6) if own else 1.0
        return (16 * self.noise[name] + 64 * self.eps * own) * grown + 4 * self.eps * max(all_of_them, size)

    def same(self, name: str, a: Array, b: Array) -> bool:
        """Whether two arrays, of which what is looked at was taken, are one gradient, rounding aside."""
        d = distance(a, b)
        return d < math.inf and d <= self.tolerance(name, max(norm(a), norm(b)))

    def relative(self, a: Array, b: Array) -> float:
        """‖a − b‖ over the larger norm: 0 for equal, at most 2."""
        size = max(norm(a), norm(b))
        d = distance(a, b)
        return 0.0 if d == 0 else d / size if np.isfinite(d) and size else float("inf")
