"""The table, convolution and pooling: x has shape (samples, channels, *spatial), with any number of spatial axes.

conv is linear in x and in w. conv_transpose is its transpose in x, conv_weight the one in w, and the derivatives of these three
are again these three. windows and fold are transposes of each other, and so are max_spread and max_pick.
"""

from __future__ import annotations

from ..derivations import convolution as d
from ..kernels import convolution as k
from ..kernels import pooling as p
from ..kernels import windows as sliding
from ..primitive import Primitive, primitive

# fmt: off
conv           = primitive("conv",           k.conv,
    lambda g, z, x, w, b, **settings: d.conv_dx(g, x, w, **settings),
    lambda g, z, x, w, b, **settings: conv_weight(x, g, size=w.shape[2:], **settings),
    lambda g, z, x, w, b, **settings: d.over_samples(g), optional=1, stride=1, padding=0, dilation=1, groups=1)
conv_transpose = primitive("conv_transpose", k.conv_transpose,
    lambda g, z, x, w, b, *, output_padding, **settings: conv(g, w, **settings),
    lambda g, z, x, w, b, *, output_padding, **settings: conv_weight(g, x, size=w.shape[2:], **settings),
    lambda g, z, x, w, b, *, output_padding, **settings: d.over_samples(g), optional=1, stride=1, padding=0, output_padding=0, dilation=1, groups=1)
conv_weight: Primitive = primitive("conv_weight", k.conv_weight,
    lambda g, z, x, y, *, size, **settings: d.conv_dx(y, x, g, **settings),
    lambda g, z, x, y, *, size, **settings: conv(x, g, **settings), size=..., stride=1, padding=0, dilation=1, groups=1)

windows        = primitive("windows",        sliding.windows,
    lambda g, z, x, *, size, **settings: fold(g, shape=x.shape[2 * len(x.shape) - len(g.shape):], **settings), size=..., stride=1, padding=0, dilation=1)
fold: Primitive = primitive("fold",          sliding.fold,
    lambda g, z, x, *, shape, **settings: windows(g, size=x.shape[len(g.shape):], **settings), shape=..., stride=1, padding=0, dilation=1)

max_pool       = primitive("max_pool",       p.max_pool,
    lambda g, z, x, **settings: max_spread(g, z, x, **settings),
    kink="equal parts at a tie in a window", real=True, size=..., stride=None, padding=0)
max_spread: Primitive = primitive("max_spread", p.max_spread,
    lambda g, z, y, m, x, **settings: max_pick(g, m, x, **settings), None, None, real=True, size=..., stride=None, padding=0)
max_pick: Primitive = primitive("max_pick",  p.max_pick,
    lambda g, z, y, m, x, **settings: max_spread(g, m, x, **settings), None, None, real=True, size=..., stride=None, padding=0)
# fmt: on
