"""Composed functions: elementwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import composed
from ..rules import astype, elu, sigmoid
from .shapes import operand


@composed(np.divmod)
def divmod(x: Any, y: Any, /) -> tuple[Any, Any]:
    """The floor of x / y, and what remains: x = y · quotient + remainder."""
    return np.floor_divide(x, y), np.remainder(x, y)


@composed(np.modf)
def modf(x: Any, /) -> tuple[Any, Any]:
    """The part behind the decimal point, and the whole part, both with the sign of x; for ±∞ the first one is 0."""
    x = operand(x)
    x = x if x.dtype.kind in "fc" else astype(x, dtype=np.result_type(x.dtype, np.float16))
    return np.fmod(np.where(np.isinf(x), 0.0, x), 1.0), np.trunc(x)


@composed()
def selu(x: Any, /) -> Any:
    """1.0507 · elu(x, alpha=1.6733), the constants of Klambauer et al. (2017): layers then keep mean 0 and variance 1."""
    return 1.0507009873554804934193349852946 * elu(x, alpha=1.6732632423543772848170429916717)


@composed()
def glu(x: Any, /, axis: int = -1) -> Any:
    """a · σ(b), a and b the two halves of x along axis (Dauphin et al., 2017)."""
    a, b = np.split(x, 2, axis=axis)
    return a * sigmoid(b)
