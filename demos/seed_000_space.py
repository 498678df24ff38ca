"""MLP against CNN: what they cost, and what they know of the plane: the order of the pixels, and shifts of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from layer_table import compact, cost, perceptron, resnet18, table_of
from matplotlib.figure import Figure
from numpy.typing import NDArray
from report import Report
from vision import Parts, change, logits, shifted, within

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

Array = NDArray[Any]

# --- what they cost ---------------------------------------------------------------------------------------------------------


def costs(report: Report, sizes: Sequence[int], cnn: nn.Sequential) -> None:
    """Parameters and multiplications of the MLP, our CNN and ResNet-18, from their tables of layers."""
    report.heading("Parameters and cost")
    mlp = perceptron(sizes)
    report.check(
        cost(mlp, 1)[0] == nn.MLP(sizes).count_parameters() and cost(table_of(cnn), 32)[0] == cnn.count_parameters(),
        "the parameters counted from the tables of layers are those of the models",
    )
    networks = {
        "the MLP, 3072-512-256-10": cost(mlp, 1),
        "the small CNN of this page": cost(table_of(cnn), 32),
        "ResNet-18, stem for CIFAR": cost(resnet18(10, cifar=True), 32),
        "ResNet-18, stem for ImageNet": cost(resnet18(10, cifar=False), 32),
    }
    report.table(
        ("network", "parameters", "multiplications of an image (MACs)", "MACs a parameter"),
        [(name, f"{p:,}", f"{macs:,}", f"{macs / p:.1f}") for name, (p, macs) in networks.items()],
    )
    (mlp_p, mlp_macs), _, *resnets = networks.values()
    fewer, cheaper = resnets[0][0] / mlp_p, [macs / mlp_macs for _, macs in resnets]
    report.say(
        f"""Counted by `demos/layer_table.py` from the tables of the layers. The two networks that the document compares: the MLP
        has {fewer:.1f} times fewer parameters than ResNet-18, and needs {cheaper[1]:.0f} to {cheaper[0]:.0f} times fewer
        multiplications. What grows is the MLP's first layer, with the number of pixels:"""
    )
    sides = (32, 224, 1024)
    first = {side: 3 * side**2 * 512 for side in sides}
    wide = {side: (3 * side**2) ** 2 for side in sides}
    report.table(
        ("image", "W1, 512 units", "W1, as many units as inputs", "ResNet-18 (ImageNet's stem)"),
        [(f"{side} × {side}", compact(first[side]), compact(wide[side]), compact(resnets[1][0])) for side in sides],
    )
    report.claim(
        "l. 59",
        "an MLP for high-res images needs billions of weights",
        f"W1 with 512 units: {compact(first[224])} at 224 × 224, {compact(first[1024])} at 1024 × 1024",
        first[1024] > 1e9,
    )
    report.claim(
        "l. 59",
        "the MLP's parameters explode; the CNN is efficient",
        f"MLP {mlp_p:,}, ResNet-18 {resnets[0][0]:,}",
        mlp_p > resnets[0][0],
        f"with the number of pixels (a CNN does not grow); at 32 × 32 this MLP is {fewer:.1f} times smaller than ResNet-18",
    )
    report.claim(
        "l. 59",
        "weights (filters) are reused across the image",
        f"multiplications a parameter: MLP {mlp_macs / mlp_p:.1f}, ResNet-18 {resnets[0][1] / resnets[0][0]:.0f}",
        resnets[0][1] / resnets[0][0] > 10 > mlp_macs / mlp_p,
    )
    report.claim(
        "l. 104",
        "the MLP has a significantly higher computational cost",
        f"MLP {compact(mlp_macs)} MACs, ResNet-18 {' or '.join(compact(macs) for _, macs in resnets)}",
        mlp_macs > max(macs for _, macs in resnets),
        right=f"lower: {cheaper[1]:.0f} to {cheaper[0]:.0f} times fewer multiplications than ResNet-18",
    )


# --- the order of the pixels -------------------------------------------------------------------------------------------------


def blind_to_order(report: Report, sizes: Sequence[int], data: Parts, rng: np.random.Generator) -> None:
    """Permute the pixels and the rows of W1: the same network, before and after training."""
    report.heading("The order of the pixels")
    n, steps = 64, 50
    order = rng.permutation(sizes[0])
    X = data.X[: n * 20].reshape(-1, sizes[0]).astype(np.float64)
    y = data.y[: n * 20]
    model = nn.MLP(sizes, rng=rng, dtype=np.float64)
    start = change(permuted(model, order)(X[:n, order]).numpy(), model(X[:n]).numpy())
    other = permuted(model, order)
    for net, rows in ((model, X), (other, X[:, order])):
        step = tg.compile(
            lambda X, y, net=net: nn.cross_entropy(net(X), y), optim.SGD(net.parameters(), lr=0.01, momentum=0.9), exact=True
        )
        for k in range(steps):
            at = slice(k % 20 * n, (k % 20 + 1) * n)
            step(rows[at], y[at])
    away = change(other.linears[0].weight.numpy(), permuted(model, order).linears[0].weight.numpy())
    end = change(other(X[:n, order]).numpy(), model(X[:n]).numpy())
    exact = equal_bits_on_a_grid(sizes, X[:n], y[:n], order, rng)
    report.say(
        f"""Permute the 3,072 numbers of each image by one random permutation, and the rows of W1 with them. The logits differ by
        {start:.0e}, relatively; after {steps} steps of SGD on the permuted and on the original images by {end:.0e}, and W1, its
        rows put back, by {away:.0e}. These are roundings: a sum of 3,072 products is added up in another order. With inputs and
        weights that are multiples of powers of two no sum of the first layer is rounded, and of the logits and the gradient of
        W1 {exact:.0%} are equal bit for bit. So an MLP does not know which pixel lies beside which, and what it can learn from
        images it can learn from shuffled ones."""
    )
    report.check(
        start < 1e-12 and end < 1e-9, "permuted pixels and permuted rows of W1 make the same model, at the start and after training"
    )
    report.check(exact == 1, "without rounding they are equal bit for bit")
    report.claim(
        "l. 63",
        "an MLP has no idea that pixel (1,1) is next to (1,2)",
        f"pixels and rows of W1 permuted: logits equal {within(start)}, after {steps} steps {within(end)}",
        end < 1e-9,
    )


def permuted(model: nn.MLP, order: Array) -> nn.MLP:
    """The same MLP for inputs in another order: the rows of W1 are permuted."""
    other = nn.MLP(model.sizes, dtype=np.float64)
    other.load_state_dict(model.state_dict() | {"linear1.weight": model.linears[0].weight.numpy()[order]})
    return other


def equal_bits_on_a_grid(sizes: Sequence[int], X: Array, y: Array, order: Array, rng: np.random.Generator) -> float:
    """The share of equal logits, and of equal entries of dW1, where the first layer's sums are exact in float64."""
    model = nn.MLP(sizes, rng=rng, dtype=np.float64)
    model.linears[0].weight.data[...] = np.rint(model.linears[0].weight.numpy() * 2**12) / 2**12
    X = np.rint(X * 2**6) / 2**6
    other = permuted(model, order)
    results = []
    for net, rows in ((model, X), (other, X[:, order])):
        out = net(rows)
        results.append((out.numpy(), tg.gradients(nn.cross_entropy(out, y), net.linears[0].weight)))
    (a, da), (b, db) = results
    return float(np.mean(np.concatenate([(a == b).ravel(), (da[order] == db).ravel()])))


# --- shifts ----------------------------------------------------------------------------------------------------------------


def shifts(report: Report, mlp: nn.MLP, cnn: nn.Sequential, data: Parts) -> None:
    """Images moved by some pixels: what the logits do, and the layers of the CNN one by one."""
    report.heading("Shifts")
    X, y = data.X_test[:500], data.y_test[:500]
    models: dict[str, nn.Module] = {"MLP": mlp, "CNN": cnn}
    pixels = list(range(9))
    said = {name: [logits(model, shifted(X, k)) for k in pixels] for name, model in models.items()}
    changes = {name: [change(z, zs[0]) for z in zs] for name, zs in said.items()}
    right = {name: [float(np.mean(z.argmax(axis=1) == y)) for z in zs] for name, zs in said.items()}
    others = {name: change(np.roll(zs[0], 1, axis=0), zs[0]) for name, zs in said.items()}
    report.picture(
        "shifts", shift_picture(pixels, changes, right, others), "Logits and accuracy when the test images are moved to the right"
    )
    agree = {name: float(np.mean(zs[1].argmax(axis=1) == zs[0].argmax(axis=1))) for name, zs in said.items()}
    report.say(
        f"""Moved by one pixel, the test images change the logits of the MLP by {changes["MLP"][1]:.0%}, in the norm over all
        images, and those of the CNN by {changes["CNN"][1]:.0%}. Another image changes them by {others["MLP"]:.0%} and
        {others["CNN"]:.0%} (dashed). {agree["MLP"]:.0%} and {agree["CNN"]:.0%} of the images keep their class."""
    )
    report.claim(
        "l. 57",
        "shifted by one pixel, an image is a totally different one to the MLP",
        f"its logits change by {changes['MLP'][1]:.0%}, by another image {others['MLP']:.0%}; {agree['MLP']:.0%} keep their class",
        changes["MLP"][1] > 0.8 * others["MLP"],
        right=f"a somewhat different one: after one pixel {changes['MLP'][1] / others['MLP']:.0%} as different as another image, "
        f"after {pixels[-1]} {changes['MLP'][-1] / others['MLP']:.0%} (CNN {changes['CNN'][1] / others['CNN']:.0%} and "
        f"{changes['CNN'][-1] / others['CNN']:.0%})",
    )
    corner_to_corner(report, models, X)
    layer_by_layer(report, mlp, cnn)


def shift_picture(
    pixels: list[int], changes: dict[str, list[float]], right: dict[str, list[float]], others: dict[str, float]
) -> Any:
    """Two panels against the shift: the change of the logits, and the accuracy."""
    figure = Figure(figsize=(7.4, 3.0), layout="constrained")
    left, second = figure.subplots(1, 2)
    for name, colour, mark in (("MLP", "#0072b2", "o"), ("CNN", "#d55e00", "s")):
        left.plot(pixels, changes[name], color=colour, marker=mark, label=name)
        left.axhline(others[name], color=colour, linestyle="--", linewidth=1, label=f"{name}, another image")
        second.plot(pixels, right[name], color=colour, marker=mark, label=name)
    left.set(xlabel="shift in pixels", ylabel="relative change of the logits", ylim=(0, None))
    second.set(xlabel="shift in pixels", ylabel="accuracy on the test images", ylim=(0, 1))
    for ax in (left, second):
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="#e3e3e3", linewidth=0.6)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False, fontsize="small")
    return figure


def corner_to_corner(report: Report, models: dict[str, nn.Module], X: Array) -> None:
    """The middle of each image on an empty ground, at the top left and at the bottom right."""
    top, bottom = np.zeros_like(X), np.zeros_like(X)
    top[..., 4:16, 4:16] = bottom[..., 16:28, 16:28] = X[..., 10:22, 10:22]
    same = {}
    for name, model in models.items():
        a, b = logits(model, top), logits(model, bottom)
        same[name] = float(np.mean(a.argmax(axis=1) == b.argmax(axis=1))), change(b, a)
    report.say(
        f"""The middle of each test image, 12 × 12 pixels on an empty ground, at the top left and 12 pixels further down and to
        the right: the CNN gives {same["CNN"][0]:.0%} of them the same class at both places, its logits change by
        {same["CNN"][1]:.1%}; the MLP {same["MLP"][0]:.0%}, by {same["MLP"][1]:.0%}."""
    )
    report.claim(
        "l. 57",
        "a CNN recognises a cat ear at the top left and at the bottom right",
        f"same class at both places: CNN {same['CNN'][0]:.0%} of the patches, MLP {same['MLP'][0]:.0%}",
        same["CNN"][0] > 0.95 > same["MLP"][0],
        "mostly, far more than an MLP; it sees the zeros around the image too" if same["CNN"][0] > same["MLP"][0] + 0.2 else "",
    )


def layer_by_layer(report: Report, mlp: nn.MLP, cnn: nn.Sequential) -> None:
    """Equivariance, f(shifted x) = shifted f(x), and invariance, f(shifted x) = f(x), of every layer."""
    rng = np.random.default_rng(0)
    x = np.zeros((1, 3, 32, 32))
    x[..., 12:20, 8:16] = rng.standard_normal((3, 8, 8))
    rows, found = [], {}
    names = {0: "convolution 1", 2: "pooling 1", 3: "convolution 2", 5: "pooling 2", 6: "convolution 3", 8: "mean over the image"}
    with tg.no_grad():
        for layer, name in names.items():
            part = nn.Sequential(*list(cnn)[: layer + 1])
            here, by_one, by_four = (np.asarray(part(np.roll(x, k, axis=-1))) for k in (0, 1, 4))
            side = here.shape[-1]
            step = 4 * side // 32  # of the result's pixels, as 4 are of the image's; the mean is one pixel, which stays
            moved = np.roll(here, step, axis=-1)
            edge = side // 4
            inside = (..., slice(edge, side - edge), slice(edge + step, side - edge))  # where no padding was seen, before or after
            found[layer] = change(by_one, here), change(by_four, here), change(by_four[inside], moved[inside])
            rows.append((name, *(f"{v:.1%}" if v > 1e-12 else f"{v:.0e}" if v else "exactly 0" for v in found[layer])))
        flat = [np.asarray(mlp(np.roll(x, k, axis=-1).reshape(1, -1))) for k in (0, 1, 4)]
    rows.append(("MLP, logits", f"{change(flat[1], flat[0]):.1%}", f"{change(flat[2], flat[0]):.1%}", "-"))
    report.say(
        """Layer by layer, for a random patch of 8 × 8 on an empty ground (away from the borders): how far is the result of the
        moved image from the result, and from the result moved along? A convolution is *equivariant*: its result moves with the
        image, exactly. It is not *invariant*: its result is another one. What makes the end nearly invariant is pooling, and
        exactly so, but for the borders, only for shifts by its strides (4 = 2 · 2 here)."""
    )
    report.table(("after", "moved by 1: change", "moved by 4: change", "moved by 4: from the result moved along"), rows)
    report.check(found[0][2] < 1e-12 and found[6][2] < 1e-12, "convolution is equivariant away from the borders")
    report.claim(
        "l. 104",
        "translation invariance, due to the convolutional kernels",
        f"moved by 1, the first convolution's result changes by {found[0][0]:.0%}; after the mean at the end {found[8][0]:.1%}",
        found[0][0] < 0.01,
        f"equivariance (the result moves along, {within(found[6][2])}); invariance comes from pooling, best for shifts by its "
        f"strides (by 4: {found[8][1]:.1%})",
    )
    report.claim(
        "l. 108",
        "an MLP is spatially invariant",
        f"moved by one pixel, a patch changes its logits by {change(flat[1], flat[0]):.0%}",
        change(flat[1], flat[0]) < 0.01,
        right="blind to geometry, yes: one fixed permutation of all pixels, with the rows of W1, changes nothing; a shift does",
    )
