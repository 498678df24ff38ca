"""The limits that the document names, measured: spatial structure, parameters and data, inductive bias; and a constrained layer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from constrained import places
from layer_table import cost, perceptron, table_of
from matplotlib.figure import Figure
from numpy.typing import NDArray
from report import Report
from vision import change, small_cnn, within

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

Array = NDArray[Any]
SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])

# --- 1. spatial structure --------------------------------------------------------------------------------------------------


def structure(report: Report, images: Array) -> None:
    """Where the neighbours of a pixel are in the flattened image, and whether neighbours are alike."""
    report.heading("Limit 1: spatial structure")
    index = np.arange(784).reshape(28, 28)
    across, down = (np.unique(np.diff(index, axis=axis)).tolist() for axis in (1, 0))
    report.say(
        f"""Flattened row by row, pixel (i, j) is number 28 i + j. The distance to the neighbour on the right is {across[0]}, to the
        one below {down[0]}, everywhere: two fixed strides, nothing arbitrary. What flattening takes away is that the network is
        told of it: its rows of W1 can be permuted with the pixels and nothing changes (the demo seed_000 shows it, bit for
        bit)."""
    )
    report.claim(
        "l. 89",
        "neighbours become arbitrarily distant in the vector",
        f"the distances that occur: {', '.join(map(str, across + down))}",
        len(across + down) > 2,
        "always 1 and 28; the network is not told, and a permutation would make no difference to it",
    )
    alike = {d: neighbours_alike(images, d) for d in (1, 2, 4, 8)}
    report.table(("pixels apart", *map(str, alike)), [("correlation", *(f"{v:.2f}" for v in alike.values()))])
    lent, own = explained(images)
    report.claim(
        "l. 129-130",
        "nearby pixels are correlated, and patterns repeat across locations",
        f"correlation {alike[1]:.2f} for neighbours, {alike[8]:.2f} at 8 pixels; three of nine patterns, found in the left "
        f"halves, hold {lent:.1%} of the variance of 3 × 3 patches in the right halves (their own best three {own:.1%})",
        alike[1] > 0.5 and alike[1] > alike[8] + 0.3 and lent > 0.9 * own,
    )


def explained(images: Array, kept: int = 3) -> tuple[float, float]:
    """The shares of the variance of the right half's 3 × 3 patches along the left half's best three directions, and their own."""
    half = images.shape[-1] // 2
    covariances = []
    for part in (images[:500, :, :half], images[:500, :, half:]):
        patches = np.lib.stride_tricks.sliding_window_view(part, (3, 3), axis=(1, 2)).reshape(-1, 9)
        covariances.append(np.cov(patches.T))
    best = [np.linalg.eigh(covariance)[1][:, -kept:] for covariance in covariances]  # eigenvalues come in rising order
    shares = [float(np.trace(V.T @ covariances[1] @ V) / np.trace(covariances[1])) for V in best]
    return shares[0], shares[1]


def neighbours_alike(images: Array, distance: int) -> float:
    """The correlation of pixels in a row, so many apart, each as its difference from its mean over the images."""
    X = images - images.mean(axis=0)
    a, b = X[..., :-distance], X[..., distance:]
    return float((a * b).mean() / np.sqrt(np.square(a).mean() * np.square(b).mean()))


def edges(report: Report, rng: np.random.Generator) -> None:
    """An edge detector as an MLP: written down, and learnt."""
    edge = nn.Conv2d(1, 1, 3, bias=False, dtype=np.float64)
    edge.weight.data[...] = SOBEL
    S = places(1, 8, edge).reshape(9, -1).T @ SOBEL.reshape(-1)
    S = S.reshape(64, 36)
    model = nn.MLP([64, 72, 36], bias=False, dtype=np.float64)
    model.load_state_dict({"linear1.weight": np.hstack([S, -S]), "linear2.weight": np.vstack([np.eye(36), np.eye(36)])})
    X = rng.standard_normal((400, 1, 8, 8))
    with tg.no_grad():
        target = np.abs(edge(X).numpy()).reshape(400, 36)
        written = float(np.abs(model(X.reshape(400, 64)).numpy() - target).max())
    layer = nn.Linear(64, 36, bias=False, dtype=np.float64, rng=rng)
    step = tg.compile(lambda X, Y: nn.mse_loss(layer(X), Y), optim.SGD(layer.parameters(), lr=5.0))
    for _ in range(400):
        rows = rng.standard_normal((64, 64))
        step(rows, rows @ S)
    learnt = change(layer.weight.numpy(), S)
    report.say(
        f""""No notion of edges": no *built-in* one. |s| = relu(s) + relu(−s), so an MLP with 72 hidden units is the edge
        detector |Sobel| for 8 × 8 images: written down, its outputs are the convolution's {within(written)}. A linear
        layer that is shown random images and their edges learns it too: after 400 steps of SGD its {layer.weight.size:,}
        weights are the matrix of Sobel's 9, zeros included, to {learnt:.0e}."""
    )
    report.check(written < 1e-12, "an MLP with the weights of Sobel's filter is an edge detector")
    report.claim(
        "l. 11, 93-94",
        "what MLPs cannot: no notion of edges, no understanding of shapes",
        f"|Sobel| as an MLP {within(written)}; learnt to {learnt:.0e}",
        written > 1e-6 and learnt > 0.1,
        "none at the start; it can represent edge detectors and learn them",
    )
    W1 = nn.init.normal((784, 512), rng=rng, dtype=np.float64)
    near, far = (float(np.corrcoef(W1[:-d].ravel(), W1[d:].ravel())[0, 1]) for d in (1, 400))
    report.claim(
        "l. 99-101",
        "corner and centre are equally unrelated until it learns otherwise",
        f"correlation of the first weights of neighbours {near:.3f}, of pixels 400 apart {far:.3f}",
        max(abs(near), abs(far)) < 0.01,
    )
    report.claim("l. 158", "MLPs are powerful function approximators", f"|Sobel| {within(written)}", written < 1e-12)


# --- 3. inductive bias -----------------------------------------------------------------------------------------------------


def independence(report: Report, rng: np.random.Generator) -> None:
    """XOR: a label that no input tells anything about, only both together."""
    report.heading("Limit 3: inductive bias")
    X = rng.standard_normal((1000, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    alone = max(abs(float(np.corrcoef(x, y)[0, 1])) for x in X.T)
    right = {}
    for name, sizes in (("MLP 2-16-2", [2, 16, 2]), ("linear", [2, 2])):
        model = nn.MLP(sizes, dtype=np.float64, rng=rng)
        adam = optim.Adam(model.parameters(), lr=0.05)
        tg.fit(model, X, y, loss=nn.cross_entropy, optimizer=adam, epochs=15, rng=rng, progress=False, compile=True)
        right[name] = float(np.mean(tg.train.predict(model, X).argmax(axis=1) == y))
    report.say(
        f"""To assume that inputs are independent is what naive Bayes does. An MLP assumes nothing of the kind: of the sign of a
        product, a label with which each input alone has a correlation of at most {alone:.2f}, an MLP with 16 units gets
        {right["MLP 2-16-2"]:.1%} right, a linear model {right["linear"]:.1%}. What it has not is a *preference* for neighbours
        over any other two pixels."""
    )
    report.claim(
        "l. 125",
        "MLPs assume every input dimension is independent",
        f"the sign of x1 · x2: MLP {right['MLP 2-16-2']:.1%}, linear {right['linear']:.1%}",
        right["MLP 2-16-2"] < 0.6,
        "they assume nothing about which inputs belong together",
    )
    report.claim(
        "l. 132",
        "an MLP has no built-in bias to exploit correlated neighbours",
        f"permuting pixels and rows of W1 changes nothing: {permutation_distance(rng):.0e}",
        permutation_distance(rng) < 1e-12,
    )


def permutation_distance(rng: np.random.Generator) -> float:
    """How far the logits are from each other when the pixels, and the rows of W1, are permuted."""
    order, X = rng.permutation(784), rng.standard_normal((20, 784))
    model, other = nn.MLP([784, 512, 10], dtype=np.float64, rng=rng), nn.MLP([784, 512, 10], dtype=np.float64)
    other.load_state_dict(model.state_dict() | {"linear1.weight": model.linears[0].weight.numpy()[order]})
    with tg.no_grad():
        return change(other(X[:, order]).numpy(), model(X).numpy())


# --- 2. parameters and data -------------------------------------------------------------------------------------------------


def parameters(report: Report, test: float) -> None:
    """How parameters and multiplications grow with the image, for an MLP and a CNN."""
    report.heading("Limit 2: parameters")
    rows, first = [], {}
    for side in (28, 56, 112, 224):
        cnn = table_of(small_cnn(1, side, 10, (8, 16, 32), np.random.default_rng(0)))
        mlp = cost(perceptron([side * side, 512, 10]), 1)
        first[side] = mlp, cost(cnn, side)
        rows.append((f"{side} × {side}", *(f"{n:,}" for n in (*first[side][0], *first[side][1]))))
    report.table(("image", "MLP n-512-10: parameters", "MACs", "CNN 8-16-32: parameters", "MACs"), rows)
    (mlp_p, mlp_macs), (cnn_p, cnn_macs) = first[28]
    report.say(
        f"""In parameters the document is right: the MLP's grow with the number of pixels, the CNN's not at all. In
        multiplications it is the other way round: a parameter of the MLP is used once an image, one of the CNN at every place.
        At 28 × 28 the CNN has {mlp_p / cnn_p:.0f} times fewer parameters and needs {cnn_macs / mlp_macs:.1f} times as many
        multiplications."""
    )
    growth = first[224][0][0] / mlp_p, first[224][1][0] / cnn_p
    report.claim(
        "l. 113",
        "the hidden layer of 512 is expensive",
        f"MACs of an image: MLP {mlp_macs:,}, CNN {cnn_macs:,}",
        mlp_macs > cnn_macs,
        f"in memory ({mlp_p:,} against {cnn_p:,} numbers), not in computation",
    )
    report.claim(
        "l. 143",
        "MLPs scale poorly with image size",
        f"from 28 to 224 pixels a side: MLP × {growth[0]:.0f}, CNN × {growth[1]:.0f} parameters",
        growth[0] > 10 * growth[1],
    )
    report.claim(
        "l. 163",
        "for images MLPs are the wrong tool",
        f"784-512-10 on these images: {test:.1%}",
        test < 0.9,
        f"not for small centred ones ({test:.1%}); below, where the digits move, they are",
    )


class Curve(NamedTuple):
    """Accuracies of a kind of model: (sizes, seeds), on test and on training images."""

    test: Array
    train: Array


def data_needed(report: Report, data: tuple[Array, Array], seed: int) -> None:
    """Test accuracy against the number of training images, for a CNN and an MLP of as many parameters."""
    report.heading("How much data they need")
    images, labels = data
    sizes, seeds = (50, 100, 200, 500, 1000), 3
    rng = np.random.default_rng(seed)
    tasks = {"as they are": images, "anywhere": moved(images, images.shape[1] // 2, rng)}
    curves: dict[tuple[str, str], Curve] = {}
    counts: dict[str, list[int]] = {}
    for task, X in tasks.items():
        pair = rivals(X.shape[1])
        counts[task] = [build(rng).count_parameters() for build in pair.values()]
        for name, build in pair.items():
            found = np.array([[learnt(build, X, labels, n, seed + s) for s in range(seeds)] for n in sizes])
            curves[task, name] = Curve(found[..., 0], found[..., 1])
    report.picture(
        "data",
        curves_picture(sizes, curves, counts),
        "Test accuracy against the number of training images; mean and range of three seeds",
    )
    report.table(
        ("digits", "model", *(f"{n} images" for n in sizes)),
        [(task, name, *(f"{a.mean():.1%} ± {a.std():.1%}" for a in curve.test)) for (task, name), curve in curves.items()],
    )
    behind = {task: curves[task, "CNN"].test.mean(axis=1) - curves[task, "MLP"].test.mean(axis=1) for task in tasks}
    still, anywhere = (float(gaps[-1]) for gaps in behind.values())
    overfit = {name: float((curves["anywhere", name].train - curves["anywhere", name].test).mean()) for name in ("MLP", "CNN")}
    (small_cnn_p, small_mlp_p), (large_cnn_p, large_mlp_p) = counts.values()
    report.say(
        f"""A CNN (two convolutions with pooling, a linear layer) and an MLP with as many parameters: {small_cnn_p:,} and
        {small_mlp_p:,} for the images as they are, {large_cnn_p:,} and {large_mlp_p:,} for larger ones in which the digit is
        somewhere. With {sizes[-1]:,} images the MLP is {still:.1%} behind where the digits are centred, and {anywhere:.1%} where
        they are anywhere: the difference is what the sharing of weights is worth."""
    )
    report.claim(
        "l. 97, 144",
        "no translation awareness",
        f"{sizes[-1]:,} images, digits anywhere: MLP {anywhere:.1%} behind the CNN; as they are {still:.1%}",
        anywhere > 0.1 and anywhere > still + 0.05,
    )
    report.claim(
        "l. 114",
        "MLPs are data-hungry",
        f"behind a CNN of as many parameters: {still:.1%} on centred digits, {anywhere:.1%} on digits that move",
        still > 0.05,
        "where things move" if anywhere > 0.1 else "",
    )
    report.claim(
        "l. 115",
        "MLPs are prone to overfitting",
        f"digits anywhere, mean over the sizes: training minus test accuracy {overfit['MLP']:.1%}, CNN {overfit['CNN']:.1%}",
        overfit["MLP"] > overfit["CNN"] + 0.05,
    )


def moved(images: Array, room: int, rng: np.random.Generator) -> Array:
    """Each image (h, w) somewhere in an empty one that is larger by ``room`` in both directions."""
    m, h, w = images.shape
    places = rng.integers(0, room + 1, (m, 2))
    larger = np.zeros((m, h + room, w + room), images.dtype)
    for image, whole, (i, j) in zip(images, larger, places, strict=True):
        whole[i : i + h, j : j + w] = image
    return larger


def rivals(side: int) -> dict[str, Any]:
    """Functions that make a CNN, and an MLP with as many parameters (or a few fewer), for images (m, side, side)."""
    flat = 16 * (side // 4) ** 2

    def cnn(rng: np.random.Generator) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, rng=rng), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1, rng=rng), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(flat, 10, rng=rng),
        )  # fmt: skip

    hidden = (cnn(np.random.default_rng(0)).count_parameters() - 10) // (side * side + 11)
    return {"CNN": cnn, "MLP": lambda rng: nn.MLP([side * side, hidden, 10], rng=rng)}


def learnt(build: Any, X: Array, y: Array, n: int, seed: int, steps: int = 300) -> tuple[float, float]:
    """Accuracy on 500 test images, and on the n training images, after so many steps of Adam on batches of 32."""
    rng = np.random.default_rng([seed, n])
    order = rng.permutation(len(X))
    train, test = order[:n], order[-500:]
    model = build(rng)
    X = X.reshape(len(X), -1) if isinstance(model, nn.MLP) else X[:, None]
    step = tg.compile(lambda X, y: nn.cross_entropy(model(X), y), optim.Adam(model.parameters(), lr=0.01))
    for _ in range(steps):
        rows = rng.choice(train, 32)
        step(X[rows], y[rows])
    right = [float(np.mean(tg.train.predict(model, X[part]).argmax(axis=1) == y[part])) for part in (test, train)]
    return right[0], right[1]


def curves_picture(sizes: tuple[int, ...], curves: dict[tuple[str, str], Curve], counts: dict[str, list[int]]) -> Figure:
    """A panel a task: means, and the range between the seeds."""
    figure = Figure(figsize=(7.4, 3.3), layout="constrained")
    axes = figure.subplots(1, len(counts), sharey=True)
    for ax, task in zip(axes, counts, strict=True):
        for name, colour, mark in (("CNN", "#d55e00", "s"), ("MLP", "#0072b2", "o")):
            values = curves[task, name].test
            ax.plot(sizes, values.mean(axis=1), color=colour, marker=mark, label=name)
            ax.fill_between(sizes, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.2, linewidth=0)
        ax.set_xscale("log")
        ax.set_xticks(sizes, [str(n) for n in sizes])
        ax.minorticks_off()
        ax.set(xlabel="training images (log scale)", ylim=(0, 1))
        ax.set_title(f"digits {task}", fontsize=10, loc="left")
        ax.grid(color="#e3e3e3", linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False)
    axes[0].set_ylabel("accuracy on 500 test images")
    return figure
