"""The layers of convolutional networks: Conv1d, Conv2d, Conv3d."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from .. import rules
from ..errors import SettingError, ShapeError, did_you_mean
from ..kernels.windows import Lengths, per_axis, window_counts
from . import init as initialisers
from .init import RNG, Initialiser
from .module import Module, Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d"]

LENGTHS = {1: "length", 2: "height, width", 3: "depth, height, width"}


class Convolution(Module):
    """What Conv1d, Conv2d and Conv3d have in common: a convolution along ``axes`` spatial axes."""

    axes: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        init: str | Initialiser = "he_normal",
        dtype: DTypeLike = np.float32,
        rng: RNG = None,
    ) -> None:
        (self.in_channels,) = per_axis("in_channels", in_channels, 1, 1)
        (self.out_channels,) = per_axis("out_channels", out_channels, 1, 1)
        (self.groups,) = per_axis("groups", groups, 1, 1)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise SettingError(
                f"{type(self).__name__}: groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}"
            )
        self.kernel_size = per_axis("kernel_size", kernel_size, self.axes, 1)
        self.stride = per_axis("stride", stride, self.axes, 1)
        self.dilation = per_axis("dilation", dilation, self.axes, 1)
        self.padding = self.padding_of(padding)
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        weight = initialisers.by_name(init)(shape, rng=np.random.default_rng(rng), dtype=dtype)
        if weight.shape != shape:
            raise ShapeError(f"{type(self).__name__}: the initialiser gave weights of shape {weight.shape}, not {shape}")
        self.weight = Parameter(weight, dtype=dtype)
        self.bias = Parameter(np.zeros(self.out_channels, dtype)) if bias else None

    def padding_of(self, padding: int | tuple[int, ...] | str) -> Lengths:
        """The padding as numbers: "valid" is none, "same" the one that keeps the lengths."""
        if not isinstance(padding, str):
            return per_axis("padding", padding, self.axes, 0)
        if padding == "valid":
            return (0,) * self.axes
        if padding != "same":
            raise did_you_mean("padding", padding, ("valid", "same"))
        both = tuple(d * (k - 1) for k, d in zip(self.kernel_size, self.dilation, strict=True))
        if any(s != 1 for s in self.stride):
            raise SettingError(f"padding='same' keeps the lengths, stride {self.stride} does not: write the padding as numbers")
        if any(n % 2 for n in both):
            raise SettingError(
                f"padding='same' needs {both} entries on both sides together, of which one side would get more: write an odd "
                f"kernel size, or pad x yourself with np.pad"
            )
        return tuple(n // 2 for n in both)

    def forward(self, x: Any) -> Any:
        """The convolution of x, plus the bias."""
        self.output_shape(np.shape(x))
        settings = {name: short(getattr(self, name)) for name in ("stride", "padding", "dilation")}
        return rules.conv(x, self.weight, self.bias, **settings, groups=self.groups)

    def output_shape(self, shape: Lengths) -> Lengths:
        """The shape of the result for x of that shape.

        Raises
        ------
        ShapeError
            If the layer does not take such an x.
        """
        if len(shape) != self.axes + 2 or shape[1] != self.in_channels:
            wanted = f"(samples, {self.in_channels}, {LENGTHS[self.axes]})"
            raise ShapeError(f"{type(self).__name__}({self.describe()}) takes x of shape {wanted}, not {shape}: {self.cure(shape)}")
        counts = window_counts(shape[2:], self.kernel_size, self.stride, self.padding, self.dilation)
        return (shape[0], self.out_channels, *counts)

    def cure(self, shape: Lengths) -> str:
        """What to write instead of an x of that shape."""
        if len(shape) == self.axes + 1 and self.in_channels == 1:
            return "write x[:, None], which adds the axis of channels"
        if len(shape) == self.axes + 1:
            return "write x[None] for a single sample"
        if len(shape) == self.axes + 2 and shape[-1] == self.in_channels:
            return "channels come second here: write np.moveaxis(x, -1, 1)"
        if len(shape) == 2:
            side = round((shape[1] / self.in_channels) ** (1 / self.axes))
            sides = ", ".join([str(side) if side**self.axes * self.in_channels == shape[1] else "…"] * self.axes)
            return f"write x.reshape(-1, {self.in_channels}, {sides})"
        return f"write a layer with in_channels={shape[1]}" if len(shape) == self.axes + 2 else "reshape it"

    def describe(self) -> str:
        given = [f"{self.in_channels}, {self.out_channels}, {short(self.kernel_size)}"]
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1)):
            value = getattr(self, name)
            given += [f"{name}={short(value)}"] if any(v != default for v in value) else []
        given += [f"groups={self.groups}"] if self.groups > 1 else []
        return ", ".join(given + ([] if self.bias is not None else ["bias=False"]))


def short(lengths: Lengths) -> int | Lengths:
    """One number where all are the same."""
    return lengths[0] if len(set(lengths)) == 1 else lengths


class Conv1d(Convolution):
    """Convolution along one axis: x ``(m, in_channels, length)`` → z ``(m, out_channels, length')``; see :class:`Conv2d`.

    >>> from tinygrad_mlp import nn
    >>> nn.Conv1d(2, 4, 3, rng=0)(np.ones((5, 2, 10), np.float32)).shape
    (5, 4, 8)
    """

    axes = 1


class Conv2d(Convolution):
    """z = conv(x, W) + b: each output channel is the sum over a window of all input channels, weighted, at every place.

    z_not = b_o + Σ_c Σ_k W_ock · x_n,c,(t · stride + k · dilation − padding) with two-dimensional t and k: the cross-correlation
    that deep learning calls convolution (Goodfellow, Bengio and Courville 2016, "Deep Learning", eq. 9.6). Names, order and layout
    are PyTorch's, so weights can be copied over.

    Parameters
    ----------
    in_channels, out_channels : int
        W has shape (out_channels, in_channels / groups, *kernel_size), b has shape (out_channels,).
    kernel_size, stride, padding, dilation : int or pair of int
        The window; its step; the zeros put around x on each side, also "valid" (none) or, at stride 1, "same" (as many as keep the
        lengths); the distance of neighbours in the window.
    groups : int
        The channels are split into so many groups that know nothing of each other; in_channels groups are a depthwise convolution.
    bias : bool
        Whether there is a b.
    init : str or function
        How W starts, see :mod:`tinygrad_mlp.nn.init`; b starts at zero.
    dtype, rng
        The dtype of the parameters; the generator (or seed) that draws W.

    Shapes: x ``(m, in_channels, h, w)`` → z ``(m, out_channels, h', w')`` with
    h' = ⌊(h + 2 padding − dilation (kernel_size − 1) − 1) / stride⌋ + 1, and w' likewise.

    Raises
    ------
    SettingError, UnknownNameError, ShapeError
        For settings out of their range; when called, for an x that does not fit.

    Examples
    --------
    >>> from tinygrad_mlp import nn
    >>> layer = nn.Conv2d(1, 8, 3, padding="same", rng=0)
    >>> layer
    Conv2d(1, 8, 3, padding=1)         80 parameters
    >>> layer(np.ones((5, 1, 28, 28), np.float32)).shape
    (5, 8, 28, 28)
    >>> layer.output_shape((5, 1, 28, 28))
    (5, 8, 28, 28)
    """

    axes = 2


class Conv3d(Convolution):
    """Convolution along three axes: x ``(m, in_channels, depth, height, width)``; see :class:`Conv2d`.

    >>> from tinygrad_mlp import nn
    >>> nn.Conv3d(2, 4, 3, rng=0)(np.ones((5, 2, 6, 6, 6), np.float32)).shape
    (5, 4, 4, 4, 4)
    """

    axes = 3
