"""When two gradients are the same: the tolerance is what rounding can do to this computation in the dtype of its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..kernels.shapes import Array
from .case import Case, UnjudgeableError, mapped
from .tape import Tape

__all__ = ["NUMERIC", "Judge", "discrete", "distance", "norm"]

NUMERIC = 1e-5
"""Relative difference up to which a difference quotient may be the cause: forward ones with a step of 1e-5 and less."""

DRAWS = 3


def norm(a: Array) -> float:
    """The Euclidean norm; infinite where an entry is not finite."""
    x = np.asarray(a, np.float64).ravel()
    largest = float(np.max(np.abs(x), initial=0.0))
    if not np.isfinite(largest):
        return float("inf")
    return largest * float(np.linalg.norm(x / largest)) if largest else 0.0


def distance(a: Array, b: Array) -> float:
    """‖a − b‖; infinite for different shapes."""
    return norm(np.asarray(a, np.float64) - b) if np.shape(a) == np.shape(b) else float("inf")


def discrete(x: Array) -> bool:
    """Whether an array looks like a mask or like labels: no more than two different numbers."""
    return x.size > 2 and len(np.unique(x)) <= 2


@dataclass
class Judge:
    """What rounding can do.

    Attributes
    ----------
    noise : by how much the true gradient of each parameter moves when every number of the data moves by its last bit
    size : the norm of the true gradient of each parameter
    eps : the unit of the last bit of the user's arithmetic
    """

    noise: dict[str, float]
    size: dict[str, float]
    eps: float

    @classmethod
    def of(cls, case: Case, tape: Tape, user: Mapping[str, Array]) -> Judge:
        """Measured by computing the gradient again with data changed in their last bits."""
        kinds = [case.precision, *(u.dtype for u in user.values() if u.dtype.kind == "f")]
        eps = float(max(np.finfo(kind).eps for kind in kinds))
        noise = dict.fromkeys(tape.gradients, 0.0)
        rng = np.random.default_rng(0)

        def moved(x: Array) -> Array:
            if not isinstance(x, np.ndarray) or x.dtype.kind != "f" or discrete(x):
                return x
            return np.asarray(x * (1 + eps * rng.uniform(-1, 1, x.shape)), np.float64)

        for _ in range(DRAWS):
            try:
                other = case.at(mapped(case.X, moved), case.y, {name: moved(p) for name, p in case.params.items()}).tape()
            except UnjudgeableError:  # the loss insists on a dtype or a value: then only the sizes tell
                break
            for name, g in tape.gradients.items():
                noise[name] = max(noise[name], distance(g, other.gradients[name]))
        return cls(noise, {name: norm(g) for name, g in tape.gradients.items()}, eps)

    def tolerance(self, name: str, size: float = 0.0) -> float:
        """How far two ways to compute one gradient may be apart; of a gradient of another size, in proportion."""
        own, all_of_them = self.size[name], max(self.size.values())
        grown = max(1.0, size / own) if own else 1.0
        return (16 * self.noise[name] + 64 * self.eps * own) * grown + 4 * self.eps * max(all_of_them, size)

    def same(self, name: str, a: Array, b: Array) -> bool:
        """Whether two arrays are one gradient, rounding aside."""
        return distance(a, b) <= self.tolerance(name, max(norm(a), norm(b)))

    def relative(self, a: Array, b: Array) -> float:
        """‖a − b‖ over the larger norm: 0 for equal, at most 2."""
        size = max(norm(a), norm(b))
        d = distance(a, b)
        return 0.0 if d == 0 else d / size if np.isfinite(d) and size else float("inf")
