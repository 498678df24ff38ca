"""The limits that the document names, measured: spatial structure, parameters, inductive bias."""

from __future__ import annotations

from typing import Any

import numpy as np
from constrained import places
from layer_table import cost, perceptron, table_of
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
        "pixels that were neighbours become arbitrarily distant in the input vector",
        f"the distances that occur: {', '.join(map(str, across + down))}",
        len(across + down) > 2,
        right="always 1 and 28 places apart; but the network is not told, and no permutation makes a difference to it",
    )
    side = images.shape[-1]
    alike = {d: neighbours_alike(images, d) for d in (1, 2, 4, 8) if d < side - 2}
    lent, own = explained(images)
    far = max(alike)
    report.say(
        f"""Pixels of images depend on each other (l. 128); of these, {side} × {side}, too. The correlation of pixels that
        lie so many apart, in a row or in a column, each taken as its difference from its mean over the images:"""
    )
    report.table(("pixels apart", *map(str, alike)), [("correlation", *(f"{v:.2f}" for v in alike.values()))])
    if side == 8:
        report.say(
            """A pixel of these digits is the sum of a cell of 4 × 4 of the scan, so that neighbours are four dots of the scan
            apart. In MNIST, in the long form, neighbours are more alike."""
        )
    report.claim(
        "l. 129",
        "nearby pixels are correlated",
        f"correlation {alike[1]:.2f} for neighbours, {alike[far]:.2f} for pixels {far} apart",
        alike[1] > 0.25 and alike[1] > abs(alike[far]) + 0.2,
    )
    report.claim(
        "l. 130",
        "patterns repeat across locations",
        f"the best three of nine patterns of 3 × 3 pixels, found in the upper halves, hold {lent:.1%} of the variance in the "
        f"lower halves; their own best three {own:.1%}, any three on average 33.3%",
        lent > 0.9 * own and lent > 0.5,
    )


def explained(images: Array, kept: int = 3) -> tuple[float, float]:
    """The shares of the variance of the lower half's 3 × 3 patches along the upper half's best three directions, and their own."""
    half = images.shape[1] // 2
    covariances = []
    for part in (images[:2000, :half], images[:2000, half:]):
        patches = np.lib.stride_tricks.sliding_window_view(part, (3, 3), axis=(1, 2)).reshape(-1, 9)
        covariances.append(np.cov(patches.T))
    best = [np.linalg.eigh(covariance)[1][:, -kept:] for covariance in covariances]  # eigenvalues come in rising order
    shares = [float(np.trace(V.T @ covariances[1] @ V) / np.trace(covariances[1])) for V in best]
    return shares[0], shares[1]


def neighbours_alike(images: Array, distance: int) -> float:
    """The correlation of pixels so many apart, each as its difference from its mean over the images; mean of across and down."""
    X = images - images.mean(axis=0)
    pairs = (X[..., :-distance], X[..., distance:]), (X[:, :-distance], X[:, distance:])
    return float(np.mean([(a * b).mean() / np.sqrt(np.square(a).mean() * np.square(b).mean()) for a, b in pairs]))


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
        "none built in; an MLP can represent edge detectors, and learn them",
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
        product, a label with which each input alone has a correlation of at most {alone:.2f}, an MLP with 16 units classifies
        {right["MLP 2-16-2"]:.1%} of the points correctly, a linear model {right["linear"]:.1%}. What it has not is a
        *preference* for neighbours over any other two pixels."""
    )
    report.claim(
        "l. 125",
        "MLPs assume every input dimension is independent",
        f"the sign of x1 · x2: MLP {right['MLP 2-16-2']:.1%}, linear {right['linear']:.1%}",
        right["MLP 2-16-2"] < 0.6,
        right="they assume nothing of the kind: any inputs may belong together, and neighbours are not preferred",
    )
    away = permutation_distance(rng)
    report.claim(
        "l. 132",
        "an MLP has no built-in bias to exploit correlated neighbours",
        f"pixels and rows of W1 permuted: logits equal {within(away)}",
        away < 1e-12,
    )


def permutation_distance(rng: np.random.Generator) -> float:
    """How far the logits are from each other when the pixels, and the rows of W1, are permuted."""
    order, X = rng.permutation(784), rng.standard_normal((20, 784))
    model, other = nn.MLP([784, 512, 10], dtype=np.float64, rng=rng), nn.MLP([784, 512, 10], dtype=np.float64)
    other.load_state_dict(model.state_dict() | {"linear1.weight": model.linears[0].weight.numpy()[order]})
    with tg.no_grad():
        return change(other(X[:, order]).numpy(), model(X).numpy())


# --- 2. parameters ----------------------------------------------------------------------------------------------------------


def parameters(report: Report) -> None:
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
