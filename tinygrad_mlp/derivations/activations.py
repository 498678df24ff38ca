"""Rules of activation functions that need more than a line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..kernels.activations import CUBIC, SQRT_HALF, SQRT_TWO_OVER_PI
from ..primitive import TABLE

ERF_SLOPE = 2 / math.sqrt(math.pi)


def gelu_slope(x: Any, approximate: str) -> Any:
    """The derivative of x Φ(x): Φ(x) + x φ(x), φ the normal density; or that of the tanh form ½ x (1 + tanh u).

    u = √(2/π) (x + c x³)  ⇒  ½ (1 + tanh u) + ½ x (1 − tanh² u) √(2/π) (1 + 3 c x²).
    """
    if approximate == "none":
        return 0.5 * TABLE["erfc"](-SQRT_HALF * x) + x * np.exp(-0.5 * x * x) * (SQRT_TWO_OVER_PI / 2)
    t = np.tanh(SQRT_TWO_OVER_PI * (x + CUBIC * x * x * x))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * (SQRT_TWO_OVER_PI * (1 + 3 * CUBIC * x * x))
