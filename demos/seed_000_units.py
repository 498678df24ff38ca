"""What single units look at: receptive fields, by the formula and by the gradient, and the images that they like best."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from layer_table import counted, resnet18, table_of
from matplotlib.figure import Figure
from numpy.typing import NDArray
from report import Report
from vision import Parts, logits

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
        "The mean size of the gradient of a unit with respect to every pixel, bright where it is large, grey where it is exactly "
        "0; the first three enlarged: axes count pixels",
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
        "the only things that fit into a first filter's patch are changes of colour and edges",
        f"{1 - plane_share(filters):.0%} of the trained filters (sum of squares) is neither constant nor a slope",
        plane_share(filters) > 0.9,
        right=f"any mixture of {filters.shape[1] * 3} independent patterns fits, spots, corners, lines too; a cat's ear does not",
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
    """The maps side by side, each by its own maximum, on one logarithmic scale; small fields are enlarged."""
    figure = Figure(figsize=(9.4, 2.75), layout="constrained")
    drawn: Any = None
    axes = figure.subplots(1, len(maps))
    for ax, (title, seen) in zip(axes, maps.items(), strict=True):
        size = np.log10(seen / seen.max(), out=np.full(seen.shape, np.nan), where=seen > 0)
        drawn = ax.imshow(size, cmap="viridis", vmin=-2, vmax=0, interpolation="nearest")
        ax.set_facecolor("#d4d4d4")
        ax.set_title(f"{title}\n{extent(seen)} × {extent(seen)}", fontsize=10)
        rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
        margin = 1 if extent(seen) < min(seen.shape) else 0
        ax.set(xlim=(columns[0] - margin - 0.5, columns[-1] + margin + 0.5), ylim=(rows[-1] + margin + 0.5, rows[0] - margin - 0.5))
        ax.set_xticks([columns[0], columns[-1]])
        ax.set_yticks([rows[0], rows[-1]])
        ax.tick_params(labelsize=9)
    bar = figure.colorbar(drawn, ax=axes, ticks=[0, -1, -2], shrink=0.8, aspect=14)
    bar.ax.set_yticklabels(["1", "0.1", "≤ 0.01"], fontsize=10)
    bar.set_label("gradient, by its largest", fontsize=10)
    return figure


# --- favourite images -----------------------------------------------------------------------------------------------------


def normed(x: Array) -> Array:
    """Each image (n, 3, 32, 32) divided by its norm; an image of zeros stays."""
    sizes = np.linalg.norm(x.reshape(len(x), -1), axis=1).reshape(-1, 1, 1, 1)
    return np.asarray(x / np.where(sizes > 0, sizes, 1))


def ascend(units: Units, n: int, norm: float, blur: bool, rng: np.random.Generator, steps: int = 60) -> Array:
    """For each of n units an image (3, 32, 32) that it likes, of this norm at most, by gradient ascent from faint noise.

    A step is x ← x + 0.1 · norm · g / ‖g‖ with g = ∂unit/∂x, then the blur if there is one, then x ← x · norm / ‖x‖ if it is
    longer than that.
    """
    x = np.broadcast_to(0.01 * norm * normed(rng.standard_normal((1, 3, 32, 32))), (n, 3, 32, 32))
    for _ in range(steps):
        x = x + 0.1 * norm * normed(slope(units, x, picked=True))
        x = blurred(x) if blur else x
        longer = np.linalg.norm(x.reshape(n, -1), axis=1).reshape(n, 1, 1, 1) > norm
        x = np.where(longer, norm * normed(x), x)
    return x


def blurred(x: Array) -> Array:
    """Each pixel as the mean of itself and its neighbours, with the weights 1, 2, 1 down and across; the edges are repeated."""
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    x = (x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]) / 4
    return np.asarray((x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) / 4)


def activation_maximisation(report: Report, mlp: nn.MLP, cnn: nn.Sequential, data: Parts, rng: np.random.Generator) -> None:
    """The images that a unit likes best: the weights themselves in the first layer, something else in deeper ones."""
    report.heading("Favourite images")
    n, classes = 6, len(data.classes)
    norm = float(np.linalg.norm(data.X_test[:500].reshape(500, -1), axis=1).mean())
    W1, kernels = mlp.linears[0].weight.numpy().astype(np.float64), cnn[0].weight.numpy()[:n].astype(np.float64)
    correlation = neighbour_correlation(W1)
    at_start = neighbour_correlation(nn.init.he_normal(W1.shape, rng=rng, dtype=np.float64))
    best = np.argsort(-correlation)[:n]
    first = ascend(lambda X: mlp.linears[0](X.reshape(n, -1))[:, best], n, norm, False, rng)
    small = ascend(conv_units(cnn, 0), n, norm, False, rng)
    deep = ascend(conv_units(cnn, 6), n, norm, True, rng)
    liked = {
        "MLP": ascend(lambda X: mlp(X.reshape(classes, -1)), classes, norm, True, rng),
        "CNN": ascend(cnn, classes, norm, True, rng),
    }
    middle, field = slice(15, 18), cropped(sensitivity(conv_units(cnn, 6), data.X_test[:50]))
    rows = {
        "MLP,\nfirst layer": first,
        "CNN,\nconvolution 1\n(its 3 × 3 pixels)": small[..., middle, middle],
        f"CNN,\nconvolution 3\n(its {field[0].stop - field[0].start} × {field[1].stop - field[1].start})": deep[..., *field],
        "MLP, logits": liked["MLP"][:n],
        "CNN, logits": liked["CNN"][:n],
    }
    pairs = (first, W1[:, best].T), (small[..., middle, middle], kernels)
    least = min(float(cosine(x.reshape(n, -1), w.reshape(n, -1)).min()) for x, w in pairs)
    below = max(1 - least, 2**-53)  # it may be exactly 1
    report.show(inspect.getsource(ascend), "python")
    report.picture(
        "favourites",
        favourites_picture(rows, data.classes[:n]),
        "Images for which units are largest, found by gradient ascent; those of deeper units are blurred at every step",
    )
    said = {name: logits(model, liked[name]).argmax(axis=1) for name, model in (("MLP", mlp), ("CNN", cnn))}
    taken = {name: int(np.sum(found == np.arange(classes))) for name, found in said.items()}
    report.say(
        f"""Activation maximisation needs a bound on the image, which the document does not mention: a linear unit has no maximum
        without one. Here it is {norm:.0f}, the mean norm of the test images. Among images of that norm w · x is largest at x =
        {norm:.0f} · w / ‖w‖ (Cauchy-Schwarz), and the ascent finds it: the cosine of image and weights is 1 to within
        {below:.0e} for {2 * n} units of the first layers. So nothing is learnt about the first layer that its weights do not
        show. Deeper units like noise that no photograph has. The literature adds a preference for smooth images (Yosinski et al.
        2015); here each step of the last three rows ends with a small blur. What to look for: in the second row no two of the
        filters are alike, and few are edges; the third has patches and bars at some place and angle of the 18 × 18 pixels; the
        MLP's logits like blots of colour at fixed places, those of the CNN parts and textures, wherever they are, for what
        counts there is their mean over the image. {taken["CNN"]} of the {classes} images made for a logit of the CNN are of
        that class for it, {taken["MLP"]} of the MLP's."""
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
    unlike = 1 - plane_share(cnn[0].weight.numpy().reshape(-1, 9))
    report.claim(
        "l. 80",
        "layer 1's favourite images are always grids of lines or blocks of colour",
        f"MLP: {np.mean(correlation > 0.5):.0%} of the units have weights whose neighbours correlate above 0.5; CNN: {unlike:.0%} "
        "of the filters is neither constant nor a slope",
        bool(np.all(correlation > 0.5)) and unlike < 0.1,
        right="they are the weights themselves: noise where training has not changed it",
    )
    report.claim(
        "l. 101",
        "the MLP has to learn that neighbouring pixels are related",
        f"correlation of neighbouring weights {at_start.mean():.3f} at the start, {correlation.mean():.3f} after training",
        abs(at_start.mean()) < 0.01 and correlation.mean() > at_start.mean() + 3 * at_start.std() / np.sqrt(len(at_start)),
    )


def cropped(seen: Array) -> tuple[slice, slice]:
    """The rows and the columns of the smallest rectangle that holds all pixels which are not exactly 0."""
    rows, columns = np.nonzero(seen)
    return slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)


def cosine(a: Array, b: Array) -> Array:
    """The cosine of the angle between each row of a and that of b."""
    return np.asarray((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))


def neighbour_correlation(W1: Array) -> Array:
    """For each unit, the correlation of its weights (3072, n) for pixels that lie side by side, of one colour: (n,)."""
    w = W1.T.reshape(-1, 3, 32, 32)
    w = w - w.mean(axis=(2, 3), keepdims=True)
    products = (w[..., 1:] * w[..., :-1]).mean(axis=(1, 2, 3)) + (w[..., 1:, :] * w[..., :-1, :]).mean(axis=(1, 2, 3))
    return np.asarray(products / 2 / np.square(w).mean(axis=(1, 2, 3)))


def favourites_picture(rows: dict[str, Array], classes: Sequence[str]) -> Figure:
    """A row for each kind of unit, the last two with the class of each logit; 0 is grey, each image on its own scale."""
    figure = Figure(figsize=(1.15 * len(classes) + 1.3, 1.2 * len(rows) + 0.2), layout="constrained")
    axes = figure.subplots(len(rows), len(classes))
    for line, (title, images) in zip(axes, rows.items(), strict=True):
        for ax, x, name in zip(line, images, classes, strict=True):
            ax.imshow(np.clip(0.5 + 0.5 * x.transpose(1, 2, 0) / np.abs(x).max(), 0, 1), interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            if title.endswith("logits"):
                ax.set_title(name, fontsize=8, pad=3)
        line[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
    return figure
