"""Composed functions: the mean of each window."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.pooling import pool_settings
from ..primitive import composed
from ..rules import windows
from .shapes import operand


@composed()
def avg_pool(x: Any, /, size: Any, stride: Any = None, padding: Any = 0, *, count_include_pad: bool = True) -> Any:
    """The mean of each window of x (samples, channels, *spatial), the stride by default the size, with zeros beyond the border;
    ``count_include_pad=False`` divides by the number of entries inside.
    """
    x = operand(x)
    sizes, _, paddings, _ = pool_settings(x, size, stride, padding)
    axes = tuple(range(-len(sizes), 0))
    settings = {"size": sizes, "stride": size if stride is None else stride, "padding": padding}
    if count_include_pad or not any(paddings):
        return np.mean(windows(x, **settings), axis=axes)
    inside = windows(np.ones_like(x[:1, :1]), **settings)
    return np.sum(windows(x, **settings), axis=axes) / np.sum(inside, axis=axes)
