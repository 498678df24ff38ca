"""A convolution as a linear layer whose weights are tied: which entries of its matrix are which weight, and which are 0. z =
conv(x, w) + b is linear in x. With x and z as rows it is z = x W + B, and W, (c_in · h · w, c_out · h' · w'), holds each weight
of the filter once for every place of the window, and zeros elsewhere: W = Σ_k w_k E_k with fixed matrices E_k of zeros and
ones.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from report import Report
from vision import change, within

import tinygrad_mlp as tg
from tinygrad_mlp import nn

Array = NDArray[Any]


def places(channels: int, side: int, layer: nn.Conv2d) -> Array:
    """Where each weight stands in the matrix: (c_out · c_in · k · k, c_in · side², c_out · side'²), zeros and ones. E_(o, c, p, q)
    has a one where input pixel (c, i, j) meets output pixel (o, s, t): i = s · stride + p − padding, j = t · stride + q − padding.
    Pixels of the padding have no row.
    """
    c_out, c_in, k, _ = layer.weight.shape
    (stride, _), (padding, _) = layer.stride, layer.padding
    small = layer.output_shape((1, channels, side, side))[-1]
    o, c, p, q, s, t = np.indices((c_out, c_in, k, k, small, small)).reshape(6, -1)
    i, j = s * stride + p - padding, t * stride + q - padding
    inside = (i >= 0) & (i < side) & (j >= 0) & (j < side)
    E = np.zeros((c_out * c_in * k * k, c_in * side * side, c_out * small * small))
    weight = ((o * c_in + c) * k + p) * k + q
    E[weight[inside], ((c * side + i) * side + j)[inside], ((o * small + s) * small + t)[inside]] = 1
    return E


class ConstrainedLinear(nn.Module):
    """A linear layer whose matrix is W = Σ_k w_k E_k, and whose bias repeats b over the places: the convolution it was made from.

    Shapes: x ``(m, c_in · side²)`` → z ``(m, c_out · side'²)``. Its parameters are w and b; autograd goes through the sum to them:
    ∂L/∂w_k = ⟨E_k, ∂L/∂W⟩, the sum of the gradient of all entries that share w_k.
    """

    def __init__(self, layer: nn.Conv2d, side: int) -> None:
        c_out, c_in, *_ = layer.weight.shape
        self.E = places(c_in, side, layer)
        self.w = nn.Parameter(layer.weight.numpy().reshape(-1).copy())
        bias = np.zeros(c_out) if layer.bias is None else layer.bias.numpy().copy()
        self.b = nn.Parameter(bias)
        self.copies = np.repeat(np.eye(c_out), self.E.shape[2] // c_out, axis=1)  # (c_out, n): which entries of B are which b

    def matrix(self) -> Any:
        """W, (c_in · side², c_out · side'²), of the shared weights."""
        return tg.tensordot(self.w, self.E, axes=1)

    def forward(self, x: Any) -> Any:
        """x W + B."""
        return x @ self.matrix() + self.b @ self.copies


# --- the section of the page ----------------------------------------------------------------------------------------------


def constrained_layer(report: Report, rng: np.random.Generator) -> None:
    """A convolution and the linear layer with tied weights: outputs, gradients, and the picture of the matrix."""
    report.heading("What comes next: a convolution as a constrained linear layer")
    side = 8
    conv = nn.Conv2d(1, 2, 3, dtype=np.float64, rng=rng)
    conv.bias.data[...] = rng.standard_normal(2)
    linear = ConstrainedLinear(conv, side)
    outputs, gradients = distances(conv, linear, rng.standard_normal((32, 1, side, side)), rng)
    worst = 0.0
    for c_in, c_out, k, stride, padding in ((3, 4, 3, 1, 1), (2, 3, 3, 2, 1), (1, 2, 5, 1, 0)):
        other = nn.Conv2d(c_in, c_out, k, stride=stride, padding=padding, dtype=np.float64, rng=rng)
        worst = max(worst, *distances(other, ConstrainedLinear(other, 7), rng.standard_normal((8, c_in, 7, 7)), rng))

    W = linear.matrix().numpy()
    used, values = int(np.count_nonzero(W)), len(np.unique(W[W != 0]))
    report.say(
        f"""z = conv(x, w) + b is linear in x, so with x and z as rows there is a matrix: z = x W + B. It is W = Σ_k w_k E_k,
        with fixed matrices E_k that have a one wherever weight k meets a pixel. `demos/constrained.py` builds them. For one
        image of {side} × {side} and two filters of 3 × 3, W is {W.shape[0]} × {W.shape[1]}: {W.size:,} entries, {used:,} of
        them not 0 (local connectivity), with {values} different values (weight sharing). The layer has the convolution's
        outputs {within(outputs)}. Its gradients go through the constraint, ∂L/∂w_k = ⟨E_k, ∂L/∂W⟩, and are the convolution's
        {within(gradients)}; with padding, stride and more channels {within(worst)}."""
    )
    report.show(inspect.getsource(ConstrainedLinear), "python")
    report.picture(
        "matrix", matrix_picture(W, side), "The matrix of a convolution: bands of the same nine numbers, all else 0 (grey)"
    )
    report.check(max(outputs, gradients, worst) < 1e-12, "the constrained linear layer has the convolution's outputs and gradients")
    big = 28 * 28 * 26 * 26
    report.table(
        ("layer, 28 × 28 → 26 × 26", "weights"),
        [("linear", f"{big:,}"), ("local: zeros outside the windows", f"{26 * 26 * 9:,}"), ("convolution: local and shared", "9")],
    )
    report.say(
        "Each constraint takes weights away: locality a factor of 87, sharing another one of 676. The next document would go on "
        "here."
    )
    report.claim(
        "l. 146-149",
        "convolutions introduce local connectivity and weight sharing",
        f"{used / W.size:.1%} of the matrix is not 0, with {values} different values",
        used < W.size / 5 and values == conv.weight.size,
    )
    report.claim(
        "l. 176",
        "convolutions are constrained linear layers",
        f"outputs {within(outputs)}, gradients {within(max(gradients, worst))}",
        max(outputs, gradients, worst) < 1e-12,
    )


def distances(conv: nn.Conv2d, linear: ConstrainedLinear, X: Array, rng: np.random.Generator) -> tuple[float, float]:
    """How far a convolution and its constrained layer are from each other on X (m, c, h, w): in outputs, in gradients."""
    Z, rows = conv(X), linear(X.reshape(len(X), -1))
    G = rng.standard_normal(Z.shape)  # a gradient that arrives from above
    w, b = tg.gradients((Z * G).sum(), [conv.weight, conv.bias])
    tied_w, tied_b = tg.gradients((rows * G.reshape(len(X), -1)).sum(), [linear.w, linear.b])
    outputs = change(rows.numpy(), Z.numpy().reshape(len(X), -1))
    return outputs, max(change(tied_w, w.reshape(-1)), change(tied_b, b))


def matrix_picture(W: Array, side: int) -> Figure:
    """W transposed, so that a row is an output pixel; grey is 0."""
    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    ax = figure.add_subplot()
    scale = np.abs(W).max()
    drawn = ax.imshow(np.where(W.T == 0, np.nan, W.T), cmap="RdBu_r", vmin=-scale, vmax=scale, interpolation="nearest")
    ax.set_facecolor("#d4d4d4")
    out = side - 2
    ax.axhline(out * out - 0.5, color="black", linewidth=1.2)
    for filter_ in range(2):
        middle = 1 - (filter_ + 0.5) / 2  # of its half, from the bottom of the axes
        ax.text(1.02, middle, f"filter {filter_ + 1}", rotation=-90, va="center", fontsize=11, transform=ax.transAxes)
    ax.set_xticks(np.arange(0, side * side, side), range(0, side * side, side))
    ax.set_yticks(np.arange(0, 2 * out * out, out), [n % (out * out) for n in range(0, 2 * out * out, out)])
    ax.set(xlabel=f"input pixel, {side} i + j", ylabel=f"output pixel, {out} s + t")
    figure.colorbar(drawn, ax=ax, label="weight", shrink=0.7, pad=0.03)
    return figure
