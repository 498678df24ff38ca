"""What a network costs, read from a table of its layers: parameters, multiplications with addition (MACs), receptive fields.

A layer is a line of numbers, so that networks which nobody wants to run here, ResNet-18, are counted by the function that
counts our own. A linear layer is a convolution whose kernel is the whole image.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import tinygrad_mlp as tg


class Layer(NamedTuple):
    """A layer over images: a convolution, a linear layer (an image of 1 × 1), or, without channels of its own, a pooling.

    ``parameters`` and ``weights`` count one application of the layer; a ``branch`` stands beside the chain (the shortcut of a
    residual block): it costs, but the size of the image and the receptive field go on without it.
    """

    kind: str
    c_in: int
    c_out: int
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    bias: bool = True
    normed: bool = False
    branch: bool = False

    @property
    def weights(self) -> int:
        """c_out · c_in · k² numbers; a pooling has none."""
        return 0 if self.kind == "pool" else self.c_out * self.c_in * self.kernel**2

    @property
    def parameters(self) -> int:
        """The weights, the bias, and the two numbers a channel of a batch normalisation behind it."""
        return self.weights + (self.c_out if self.bias and self.kind != "pool" else 0) + 2 * self.c_out * self.normed


class Row(NamedTuple):
    """A layer in its place: the side of the image it makes, and what it costs there."""

    layer: Layer
    side: int
    macs: int
    field: int
    """The side of the receptive field, r_l = r_{l−1} + (k_l − 1) · Π_{i<l} s_i, r_0 = 1."""


def counted(layers: Iterable[Layer], side: int) -> list[Row]:
    """Every layer in its place, for images of side × side pixels.

    A weight of a convolution is multiplied once for every pixel of the image that the layer makes: MACs = weights · side².
    """
    rows: list[Row] = []
    field, step = 1, 1
    for layer in layers:
        if layer.kind == "linear":
            rows.append(Row(layer, 1, layer.weights, field + (side - 1) * step))
            side, field = 1, field + (side - 1) * step
        elif layer.branch:  # beside the convolution before it: the same image comes out
            rows.append(Row(layer, side, layer.weights * side**2, field))
        else:
            side = (side + 2 * layer.padding - layer.kernel) // layer.stride + 1
            field += (layer.kernel - 1) * step
            step *= layer.stride
            rows.append(Row(layer, side, layer.weights * side**2, field))
    return rows


def cost(layers: Sequence[Layer], side: int) -> tuple[int, int]:
    """Parameters, and MACs of one image forward.

    >>> cost(perceptron([3072, 512, 256, 10]), 1)
    (1707274, 1706496)
    """
    rows = counted(layers, side)
    return sum(row.layer.parameters for row in rows), sum(row.macs for row in rows)


def perceptron(sizes: Sequence[int]) -> list[Layer]:
    """The table of an MLP."""
    return [Layer("linear", n, k) for n, k in itertools.pairwise(sizes)]


def resnet18(classes: int, *, cifar: bool) -> list[Layer]:
    """ResNet-18 (He et al. 2016, table 1): a stem, eight blocks of two 3 × 3 convolutions, the mean over the image, a linear layer.

    ``cifar``: the stem is one 3 × 3 convolution, as usual for images of 32 × 32; else the original's, 7 × 7 with stride 2 and a
    pooling, which leaves 8 × 8 of 32 × 32. Convolutions have a batch normalisation behind them and no bias.
    """

    def conv(c_in: int, c_out: int, kernel: int, stride: int, branch: bool = False) -> Layer:
        return Layer("conv", c_in, c_out, kernel, stride, kernel // 2, bias=False, normed=True, branch=branch)

    layers = [conv(3, 64, 3, 1)] if cifar else [conv(3, 64, 7, 2), Layer("pool", 64, 64, 3, 2, 1)]
    channels = 64
    for width, first in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for stride in (first, 1):
            layers += [conv(channels, width, 3, stride), conv(width, width, 3, 1)]
            if channels != width:
                layers.append(conv(channels, width, 1, 1, branch=True))
            channels = width
    return [*layers, Layer("linear", 512, classes)]


def table_of(model: tg.nn.Sequential) -> list[Layer]:
    """The table of a chain of our own layers; what has no weights and no window (ReLU, Flatten) has no line."""
    layers: list[Layer] = []
    for module in model:
        if isinstance(module, tg.nn.Linear):
            layers.append(Layer("linear", module.fan_in, module.fan_out, bias=module.bias is not None))
        elif isinstance(module, tg.nn.Conv2d):
            c_out, c_in, kernel, _ = module.weight.shape
            layers.append(Layer("conv", c_in, c_out, kernel, single(module.stride), single(module.padding)))
        elif isinstance(module, (tg.nn.MaxPool2d, tg.nn.AvgPool2d)):
            channels = layers[-1].c_out
            layers.append(Layer("pool", channels, channels, single(module.kernel_size), single(module.stride)))
    return layers


def single(size: object) -> int:
    """3 of 3 and of (3, 3): the windows here are squares."""
    sizes = set(size) if isinstance(size, tuple) else {size}
    if len(sizes) != 1 or not isinstance(number := sizes.pop(), int):
        raise ValueError(f"the table is for square windows, not {size!r}")
    return number


def compact(n: int) -> str:
    """12,345,678 as 12.3 M.

    >>> compact(555_422_720), compact(1234), compact(1_610_612_736)
    ('555 M', '1,234', '1.61 G')
    """
    if n < 100_000:
        return f"{n:,}"
    power = min((len(str(n)) - 1) // 3, 4)
    return f"{n / 1000**power:#.3g} {' kMGT'[power]}".replace(". ", " ")
