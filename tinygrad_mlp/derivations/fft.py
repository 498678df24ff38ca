"""Rules of Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..kernels.fft import OPPOSITE, multiplicity
from ..primitive import TABLE
from .elementwise import conjugate


def fit(g: Any, x: Any, axis: int) -> Any:
    """g cut to the length of x along axis, or filled up with zeros: with ``n=`` a transform does the opposite to x."""
    axis = normalize_axis_index(axis, x.ndim)
    m, n = g.shape[axis], x.shape[axis]
    if m == n:
        return g
    kept = (*(slice(None),) * axis, slice(0, min(m, n)))
    return g[kept] if m > n else TABLE["scatter"](g, shape=x.shape, index=kept)


def rfft_dx(g: Any, z: Any, x: Any, *, n: int | None, axis: int, norm: str | None) -> Any:
    """zₖ = Σⱼ xⱼ e^(−2πijk/n), k ≤ n/2, x real  ⇒  x̄ⱼ = Re Σₖ gₖ e^(−2πijk/n) = Re Σₖ gₖ* e^(2πijk/n).

    That is an inverse transform of g* without its 1/n, where irfft would count the bins between 0 and n/2 twice.
    """
    n = x.shape[axis] if n is None else n
    half = conjugate(g) / multiplicity(n, g.ndim, axis, g.dtype)
    return fit(np.fft.irfft(half, n=n, axis=axis, norm=OPPOSITE[norm]), x, axis)  # type: ignore[arg-type]


def irfft_dx(g: Any, z: Any, x: Any, *, n: int | None, axis: int, norm: str | None) -> Any:
    """zⱼ = 1/n Σₖ wₖ Re(xₖ e^(2πijk/n)), k ≤ n/2  ⇒  x̄ₖ = wₖ/n Σⱼ gⱼ e^(2πijk/n) = wₖ/n (Σⱼ gⱼ e^(−2πijk/n))*.

    wₖ is 1 at k = 0 and k = n/2, else 2. In those two bins the sum is real: their imaginary parts do not count.
    """
    spectrum = np.fft.rfft(g, axis=axis, norm=OPPOSITE[norm])  # type: ignore[arg-type]
    return fit(multiplicity(z.shape[axis], g.ndim, axis, g.dtype) * np.conj(spectrum), x, axis)
