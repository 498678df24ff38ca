"""Rules of convolution: three maps, each the transpose of another one, closed under differentiation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.windows import window_settings
from ..primitive import TABLE


def conv_dx(g: Any, x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """z = conv(x, w)  ⇒  x̄ = conv_transpose(g, w): each entry of x gets back what it gave to the windows that it is in.

    A stride leaves out entries at the end that no window reaches: ``output_padding`` is their number, and their gradient is 0.
    """
    steps, borders, distances = window_settings(len(x.shape) - 2, stride, padding, dilation)
    size, counts = w.shape[2:], g.shape[2:]
    each = zip(x.shape[2:], counts, size, steps, borders, distances, strict=True)
    rest = tuple(n + 2 * p - d * (k - 1) - 1 - (count - 1) * s for n, count, k, s, p, d in each)
    settings = {"stride": stride, "padding": padding, "output_padding": rest if any(rest) else 0, "dilation": dilation}
    return TABLE["conv_transpose"](g, w, **settings, groups=groups)


def over_samples(g: Any) -> Any:
    """b̄: the bias of a channel is in every entry of it."""
    return np.sum(g, axis=(0, *range(2, len(g.shape))))
