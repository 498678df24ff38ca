"""The pooling layers of convolutional networks: the largest entry or the mean of each window."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import rules
from ..composed.pooling import avg_pool
from ..errors import SettingError, ShapeError
from ..kernels.windows import Lengths, per_axis, window_counts
from .convolution import LENGTHS, short
from .module import Module

__all__ = ["AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d"]


class Pooling(Module):
    """What the pooling layers have in common: windows along ``axes`` spatial axes, each channel for itself."""

    axes: ClassVar[int]

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        *,
        ceil_mode: bool = False,
    ) -> None:
        name = type(self).__name__
        if ceil_mode:
            raise SettingError(f"{name}: ceil_mode=True, windows that are cut off at the end, is not supported: pad x with np.pad")
        self.kernel_size = per_axis("kernel_size", kernel_size, self.axes, 1)
        self.stride = self.kernel_size if stride is None else per_axis("stride", stride, self.axes, 1)
        self.padding = per_axis("padding", padding, self.axes, 0)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise SettingError(f"{name}: padding={padding} must be at most half of kernel_size={kernel_size}")

    def output_shape(self, shape: Lengths) -> Lengths:
        """The shape of the result for x of that shape.

        Raises
        ------
        ShapeError
            If the layer does not take such an x.
        """
        if len(shape) != self.axes + 2:
            raise ShapeError(
                f"{type(self).__name__}({self.describe()}) takes x of shape (samples, channels, {LENGTHS[self.axes]}), "
                f"not {shape}: put it before Flatten, or reshape x"
            )
        ones = (1,) * self.axes
        return (*shape[:2], *window_counts(shape[2:], self.kernel_size, self.stride, self.padding, ones))

    def describe(self) -> str:
        given = [str(short(self.kernel_size))]
        given += [f"stride={short(self.stride)}"] if self.stride != self.kernel_size else []
        return ", ".join(given + ([f"padding={short(self.padding)}"] if any(self.padding) else []))


class MaxPool(Pooling):
    """The largest entry of each window; what is beyond the border counts as −∞."""

    def forward(self, x: Any) -> Any:
        """The largest entry of each window of x."""
        self.output_shape(np.shape(x))
        stride = None if self.stride == self.kernel_size else short(self.stride)
        return rules.max_pool(x, size=short(self.kernel_size), stride=stride, padding=short(self.padding))


class AvgPool(Pooling):
    """The mean of each window."""

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        *,
        count_include_pad: bool = True,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode=ceil_mode)
        self.count_include_pad = bool(count_include_pad)

    def forward(self, x: Any) -> Any:
        """The mean of each window of x."""
        self.output_shape(np.shape(x))
        return avg_pool(x, self.kernel_size, self.stride, self.padding, count_include_pad=self.count_include_pad)

    def describe(self) -> str:
        return super().describe() + ("" if self.count_include_pad else ", count_include_pad=False")


class MaxPool1d(MaxPool):
    """The largest entry of each window along one axis; see :class:`MaxPool2d`."""

    axes = 1


class MaxPool2d(MaxPool):
    """The largest entry of each window.

    Shapes: x ``(m, c, h, w)`` → z ``(m, c, h', w')`` with h' = ⌊(h + 2 padding − kernel_size) / stride⌋ + 1, and w' likewise.

    Parameters
    ----------
    kernel_size, stride, padding : int or pair of int
        The window; its step, by default the window, so that windows do not overlap; the border, which counts as −∞, at most half
        of the window.

    The gradient of a window goes to its largest entry, in equal parts at a tie.

    Raises
    ------
    SettingError, ShapeError
        For settings out of their range; when called, for an x that does not fit.

    Examples
    --------
    >>> from tinygrad_mlp import nn
    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> print(nn.MaxPool2d(2)(x)[0, 0])
    [[ 5.  7.]
     [13. 15.]]
    """

    axes = 2


class MaxPool3d(MaxPool):
    """The largest entry of each window along three axes; see :class:`MaxPool2d`."""

    axes = 3


class AvgPool1d(AvgPool):
    """The mean of each window along one axis; see :class:`AvgPool2d`."""

    axes = 1


class AvgPool2d(AvgPool):
    """The mean of each window.

    Shapes: x ``(m, c, h, w)`` → z ``(m, c, h', w')`` with h' = ⌊(h + 2 padding − kernel_size) / stride⌋ + 1, and w' likewise.

    Parameters
    ----------
    kernel_size, stride, padding : int or pair of int
        The window; its step, by default the window; the border of zeros, at most half of the window.
    count_include_pad : bool
        Whether the zeros of the border are counted, as in PyTorch; else the mean is that of the entries inside.

    Raises
    ------
    SettingError, ShapeError
        For settings out of their range; when called, for an x that does not fit.

    Examples
    --------
    >>> from tinygrad_mlp import nn
    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> print(nn.AvgPool2d(2)(x)[0, 0])
    [[ 2.5  4.5]
     [10.5 12.5]]
    """

    axes = 2


class AvgPool3d(AvgPool):
    """The mean of each window along three axes; see :class:`AvgPool2d`."""

    axes = 3
