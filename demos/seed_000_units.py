"""What single units look at: receptive fields, by the formula and by the gradient, and the images that they like best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from layer_table import counted, resnet18, table_of
from matplotlib.figure import Figure
from numpy.typing import NDArray
from report import Report
from vision import Parts

import tinygrad_mlp as tg
from tinygrad_mlp import nn

Array = NDArray[Any]
Units = Callable[[Any], Any]
"""Of images (m, 3, 32, 32) to the values of some units for each, (m, n)."""


def conv_units(cnn: nn.Sequential, layer: int) -> Units:
    """The channels after a layer, before ReLU, in the middle of the image."""
    part = nn.Sequential(*list(cnn)[: layer + 1])

    def units(X: Any) -> Any:
        Z = part(X)
        return Z[:, :, Z.shape[2] // 2, Z.shape[3] // 2]

    return units


def slope(units: Units, X: Array, picked: bool = False) -> Array:
    """∂/∂x of the sum of the units' values, or of unit i for image i; of the shape of X."""
    images = tg.Tensor(X, requires_grad=True)
    values = units(images)
    return np.asarray(tg.gradients((values[np.arange(len(X)), np.arange(len(X))] if picked else values).sum(), images))


def sensitivity(units: Units, X: Array) -> Array:
    """|∂units/∂x|, the mean over images, summed over the colours: (32, 32)."""
    return np.asarray(np.abs(slope(units, X)).mean(axis=0).sum(axis=0))


def extent(seen: Array) -> int:
    """The side of the smallest square that holds all pixels which are not exactly 0."""
    rows, columns = np.nonzero(seen)
    return int(max(np.ptp(rows), np.ptp(columns))) + 1


def receptive_fields(report: Report, mlp: nn.MLP, cnn: nn.Sequential, data: Parts) -> None:
    """Which pixels a unit depends on."""
    report.heading("Receptive fields")
    report.say(
        """The text on receptive fields (l. 89-90) has lost its numbers, and gives no formula. It is r_l = r_{l−1} + (k_l − 1) ·
        Π s_i, the product over the strides s_i of the layers i < l, with r_0 = 1. It can be tested: a pixel outside has a
        gradient of exactly 0. Measured on the trained CNN, for the units in the middle of the image, over 300 test images:"""
    )
    X = data.X_test[:300]
    rows = dict(zip((0, 2, 3, 5, 6), counted(table_of(cnn), 32), strict=False))
    names = {0: "convolution 1", 3: "convolution 2", 6: "convolution 3"}
    seen = {layer: sensitivity(conv_units(cnn, layer), X) for layer in names}
    report.table(
        ("unit of", "by the formula", "by the gradient", "numbers that it sees"),
        [
            (name, f"{rows[l].field} × {rows[l].field}", f"{extent(seen[l])} × {extent(seen[l])}", f"{3 * rows[l].field ** 2:,}")
            for l, name in names.items()
        ],
    )
    agree = all(extent(seen[l]) == rows[l].field for l in names)
    report.check(agree, "the pixels with a gradient are those of the formula")

    end = sensitivity(cnn, X)
    whole = sensitivity(lambda X: mlp.linears[0](X.reshape(len(X), -1))[:, :1], X[:1])
    maps = {f"CNN, {name}": seen[layer] for layer, name in names.items()}
    report.picture(
        "receptive_fields",
        field_picture({**maps, "CNN, logits": end, "MLP, a hidden unit": whole}),
        "The mean size of the gradient of a unit with respect to every pixel; white where it is exactly 0",
    )
    deep = [row.field for row in counted(resnet18(10, cifar=True), 32) if row.layer.kind == "conv"]
    report.say(
        f"""ResNet-18's last convolution (stem for CIFAR) has r = {deep[-1]}, from the formula: more than the image. In the
        picture the gradient fades towards the borders of the field: the formula says what a unit can see, not how much it looks
        there."""
    )
    connected = float(np.mean(mlp.linears[0].weight.numpy() != 0))
    report.claim(
        "l. 58, 99",
        "every pixel connects to every neuron of the first hidden layer",
        f"{connected:.1%} of the {mlp.linears[0].weight.size:,} derivatives of Z1, the entries of W1, are not 0",
        connected > 0.999,
    )
    patch = extent(seen[0])
    report.claim("l. 58", "a neuron of a CNN looks at a small patch", f"{patch} × {patch} pixels of 32 × 32", patch == 3)
    filters = cnn[0].weight.numpy().reshape(-1, 9)
    report.claim(
        "l. 89",
        "only changes of colour and edges fit into a first filter's patch",
        f"{1 - plane_share(filters):.0%} of the trained filters (sum of squares) is neither constant nor a slope",
        plane_share(filters) > 0.9,
        f"any of {filters.shape[1] * 3} independent patterns fits, spots, corners and lines too; a cat's ear does not",
    )
    report.claim(
        "l. 90",
        "stacked layers see more and more, in the end the whole object",
        f"r = {', '.join(str(rows[l].field) for l in names)}, then the whole image; ResNet-18 up to {deep[-1]}",
        agree and extent(end) == 32 and deep[-1] > 32,
    )


def plane_share(filters: Array) -> float:
    """The share of filters (n, 9) that lies in the span of a constant and the slopes across and down, in squares."""
    down, across = (axis.reshape(-1) - 1.0 for axis in np.indices((3, 3)))
    basis = np.stack([np.full(9, 1 / 3), down / np.linalg.norm(down), across / np.linalg.norm(across)])
    return float(np.square(filters @ basis.T).sum() / np.square(filters).sum())


def field_picture(maps: dict[str, Array]) -> Figure:
    """The maps side by side, on one logarithmic scale of their own maximum."""
    figure = Figure(figsize=(9.0, 2.05), layout="constrained")
    drawn: Any = None
    axes = figure.subplots(1, len(maps))
    for ax, (title, seen) in zip(axes, maps.items(), strict=True):
        size = np.log10(seen / seen.max(), out=np.full(seen.shape, np.nan), where=seen > 0)
        drawn = ax.imshow(size, cmap="viridis_r", vmin=-2, vmax=0, interpolation="nearest")
        ax.set_title(f"{title}\n{extent(seen)} × {extent(seen)}", fontsize=8)
        ax.set(xticks=[], yticks=[])
    figure.colorbar(drawn, ax=axes, label="log₁₀ of |∂u/∂x|,\nby its largest", shrink=0.8)
    return figure


# --- favourite images -----------------------------------------------------------------------------------------------------


def ascend(units: Units, n: int, rng: np.random.Generator, steps: int = 50, rate: float = 1.0) -> Array:
    """For each of n units an image (3, 32, 32) of norm 1, by gradient ascent: x ← x + rate · g / ‖g‖, then x ← x / ‖x‖."""

    def normed(x: Array) -> Array:
        sizes = np.linalg.norm(x.reshape(n, -1), axis=1).reshape(n, 1, 1, 1)
        return np.asarray(x / np.where(sizes > 0, sizes, 1))

    x = normed(np.broadcast_to(rng.standard_normal((1, 3, 32, 32)), (n, 3, 32, 32)))
    for _ in range(steps):
        x = normed(x + rate * normed(slope(units, x, picked=True)))
    return x


def activation_maximisation(report: Report, mlp: nn.MLP, cnn: nn.Sequential, rng: np.random.Generator) -> None:
    """The images that a unit likes best: the weights themselves in the first layer, something else in deeper ones."""
    report.heading("Favourite images")
    n = 6
    W1, kernels = mlp.linears[0].weight.numpy().astype(np.float64), cnn[0].weight.numpy()[:n].astype(np.float64)
    correlation = neighbour_correlation(W1)
    at_start = neighbour_correlation(nn.init.he_normal(W1.shape, rng=rng, dtype=np.float64))
    best = np.argsort(-correlation)[:n]
    first = ascend(lambda X: mlp.linears[0](X.reshape(n, -1))[:, best], n, rng)
    small = ascend(conv_units(cnn, 0), n, rng)
    rows = {
        "MLP, first layer": first,
        "CNN, convolution 1": small,
        "CNN, convolution 3": ascend(conv_units(cnn, 6), n, rng, rate=0.3),
        "MLP, logits": ascend(lambda X: mlp(X.reshape(n, -1)), n, rng, rate=0.3),
        "CNN, logits": ascend(cnn, n, rng, rate=0.3),
    }
    pairs = (first, W1[:, best].T), (small[..., 15:18, 15:18], kernels)
    least = min(float(cosine(x.reshape(n, -1), w.reshape(n, -1)).min()) for x, w in pairs)
    below = max(1 - least, 2**-53)  # it may be exactly 1
    report.picture(
        "favourites", favourites_picture(rows), "Images of one norm for which units are largest, found by gradient ascent"
    )
    report.say(
        f"""Activation maximisation needs a bound on the image, which the document does not mention: a linear unit has no maximum
        without one. Among images of norm 1 the maximum of w · x is at x = w / ‖w‖ (Cauchy-Schwarz), and the ascent finds it:
        the cosine of image and weights is 1 to within {below:.0e} for {2 * n} units of the first layers. So nothing is learnt
        about the first layer that its weights do not show. Deeper units are another matter: the last three rows."""
    )
    report.say(
        f"""Is a first layer always "grids of lines or blocks of color"? The correlation of neighbouring pixels in a unit's
        weights is {at_start.mean():.2f} ± {at_start.std():.2f} at the start, and {correlation.mean():.2f} ±
        {correlation.std():.2f} after training, at most {correlation.max():.2f}: the weights are still mostly the noise that
        they began with. What training added to them was drawn above."""
    )
    report.claim(
        "l. 79",
        "gradient ascent finds the image that makes a neuron fire most",
        f"first layers: cosine with the weights, which are the maximum, 1 to within {below:.0e}, given a bound on the norm",
        below < 1e-4,
    )
    report.claim(
        "l. 80",
        "layer 1's favourite images are always lines or blocks of colour",
        f"{np.mean(correlation > 0.5):.0%} of the MLP's units have weights whose neighbours correlate above 0.5; of the CNN's "
        f"filters {1 - plane_share(cnn[0].weight.numpy().reshape(-1, 9)):.0%} is neither constant nor a slope",
        bool(np.all(correlation > 0.5)) and plane_share(cnn[0].weight.numpy().reshape(-1, 9)) > 0.9,
        "they are the weights themselves, noise where training has not changed it",
    )
    report.claim(
        "l. 101",
        "the MLP has to learn that neighbouring pixels are related",
        f"correlation of neighbouring weights {at_start.mean():.3f} at the start, {correlation.mean():.3f} after training",
        abs(at_start.mean()) < 0.01 and correlation.mean() > at_start.mean() + 3 * at_start.std() / np.sqrt(len(at_start)),
    )


def cosine(a: Array, b: Array) -> Array:
    """The cosine of the angle between each row of a and that of b."""
    return np.asarray((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))


def neighbour_correlation(W1: Array) -> Array:
    """For each unit, the correlation of its weights (3072, n) for pixels that lie side by side, of one colour: (n,)."""
    w = W1.T.reshape(-1, 3, 32, 32)
    w = w - w.mean(axis=(2, 3), keepdims=True)
    products = (w[..., 1:] * w[..., :-1]).mean(axis=(1, 2, 3)) + (w[..., 1:, :] * w[..., :-1, :]).mean(axis=(1, 2, 3))
    return np.asarray(products / 2 / np.square(w).mean(axis=(1, 2, 3)))


def favourites_picture(rows: dict[str, Array]) -> Figure:
    """A row for each kind of unit; 0 is grey, each image on its own scale."""
    columns = max(len(images) for images in rows.values())
    figure = Figure(figsize=(1.15 * columns + 1.3, 1.12 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns)
    for line, (title, images) in zip(axes, rows.items(), strict=True):
        for ax, x in zip(line, images, strict=True):
            ax.imshow(np.clip(0.5 + 0.5 * x.transpose(1, 2, 0) / np.abs(x).max(), 0, 1), interpolation="nearest")
            ax.set(xticks=[], yticks=[])
        line[0].set_ylabel(title.replace(", ", ",\n"), rotation=0, ha="right", va="center", fontsize=8)
    return figure
