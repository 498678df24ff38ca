"""The table, Fourier transforms along one axis. The matrix e^(∓2πijk/n) of a transform is symmetric: its transpose is itself."""

from __future__ import annotations

import numpy as np

from ..derivations import fft as d
from ..primitive import primitive

# fmt: off
fft   = primitive("fft.fft",   np.fft.fft,
                  lambda g, z, x, *, n, axis, norm: d.fit(np.fft.fft(g, axis=axis, norm=norm), x, axis),
                  n=None, axis=-1, norm="backward")
ifft  = primitive("fft.ifft",  np.fft.ifft,
                  lambda g, z, x, *, n, axis, norm: d.fit(np.fft.ifft(g, axis=axis, norm=norm), x, axis),
                  n=None, axis=-1, norm="backward")
rfft  = primitive("fft.rfft",  np.fft.rfft,  d.rfft_dx,  n=None, axis=-1, norm="backward")
irfft = primitive("fft.irfft", np.fft.irfft, d.irfft_dx, n=None, axis=-1, norm="backward")
# fmt: on
