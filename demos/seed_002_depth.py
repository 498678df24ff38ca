"""Seed 002 on wide and deep networks: what they approximate, how gradients vanish, how weights should start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import seed_002_parts as parts
from report import Report
from seed_002_parts import EQUAL, Array, closely, difference, small
from seed_002_pictures import approximation_picture, curve, depth_picture

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim

# --- lines 263 to 283: depth ---------------------------------------------------------------------------------------------


class Chain(NamedTuple):
    """The gradient of w₁ in a chain of single sigmoids, a_l = σ(w_l a_{l−1}), and products for it."""

    true: float
    exact: float
    written: float


def chain(w: Array, x: float, fused: bool) -> Chain:
    """J = a_L, or with ``fused`` J = −log a_L, whose derivative in z_L is a_L − 1: σ′(z_L) has cancelled."""
    weights = tg.Tensor(w, requires_grad=True)
    a: Any = x
    outputs = []
    for l in range(len(w)):
        a = tg.sigmoid(weights[l] * a)
        outputs.append(float(a))
    true = float(tg.gradients(-np.log(a) if fused else a, weights)[0])
    slopes = [a * (1 - a) for a in outputs]
    arriving = (outputs[-1] - 1) * float(np.prod(slopes[:-1])) if fused else float(np.prod(slopes))
    return Chain(true, x * float(np.prod(w[1:])) * arriving, float(np.prod(np.abs(w[1:]))) * float(np.prod(slopes[1:])))


def norms(X: Array, y: Array, sizes: Sequence[int], rng: np.random.Generator) -> tuple[float, float, float]:
    """‖∂J/∂W⁽¹⁾‖ of a random network of sigmoids with a fused softmax output; the product of line 274 in norms; the bound.

    The bound is ‖X‖ ‖∂J/∂Z⁽ᴸ⁾‖ Π_{l=2..L} ‖W⁽ˡ⁾‖ max σ′(Z⁽ˡ⁻¹⁾), spectral norms but for ∂J/∂Z and ∂J/∂W, which are Frobenius norms.
    """
    model = nn.MLP(sizes, "sigmoid", dtype=np.float64, rng=rng)
    for layer in model.linears:
        layer.weight.data *= rng.uniform(0.5, 4)
    Z: list[Any] = []
    A: Any = X
    for layer in model.linears:
        Z.append(layer(A))
        A = tg.sigmoid(Z[-1])
    J = nn.cross_entropy(Z[-1], y)
    first, last = tg.gradients(J, [model.linears[0].weight, Z[-1]])
    slopes = [float(np.max(s * (1 - s))) for s in (tg.sigmoid(z.numpy()) for z in Z)]
    sizes_of_W = [float(np.linalg.norm(layer.weight.numpy(), 2)) for layer in model.linears]
    written = float(np.prod(sizes_of_W[1:]) * np.prod(slopes[1:]))
    bound = float(np.linalg.norm(X, 2) * np.linalg.norm(last) * np.prod(sizes_of_W[1:]) * np.prod(slopes[:-1]))
    return float(np.linalg.norm(first)), written, bound


def kumar(shape: tuple[int, int], rng: Any = None, dtype: Any = np.float64) -> Array:
    """N(0, 3.6² / n_in), for sigmoids: Kumar 2017, "On weight initialization in deep neural networks"."""
    return 3.6 * nn.init.lecun_normal(shape, rng=rng, dtype=dtype)


def through_depth(activation: str, init: Any, X: Array, y: Array, seed: int, hidden: int = 8) -> tuple[Array, Array]:
    """At the start of a training: the RMS of each layer's weight gradient, and how far samples differ in each hidden layer.

    The latter is the standard deviation of an activation over the samples, RMS over the units.
    """
    model = nn.MLP([X.shape[1], *[64] * hidden, 10], activation, init, dtype=np.float64, rng=seed)
    with tg.watch(model) as seen:
        nn.cross_entropy(model(X), y).backward()
        seen.record()
    names, _, values = seen.table("gradient")
    gradients = [float(value) for name, value in zip(names, values[:, 0], strict=True) if name.endswith("weight")]
    return np.array(gradients), np.asarray(seen.table("spread", activations_only=True)[2][:, 0])


def factor_per_layer(sizes: Array) -> tuple[float, float]:
    """The factor by which sizes fall per layer on the way back, from a line through their logarithms, and that line's R²."""
    l, logs = np.arange(len(sizes)), np.log(sizes)
    slope, start = np.polyfit(l, logs, 1)
    residual = logs - (slope * l + start)
    return float(np.exp(-slope)), float(1 - np.sum(residual**2) / np.sum((logs - logs.mean()) ** 2))


# --- line 248: universal approximation -----------------------------------------------------------------------------------


class Square(nn.Activation):
    """z², a polynomial: a network with one hidden layer of it is a polynomial of degree 2, whatever its width."""

    name, function = "square", staticmethod(tg.square)


def fitted(x: Array, width: int, activation: nn.Module, seed: int, steps: int = 4000) -> tuple[Array, float]:
    """A network 1-width-1 trained on the curve with Adam: its values, and the RMS of its error.

    The units begin as steps at places drawn from [−1, 1], which is where the curve is.
    """
    rng = np.random.default_rng(seed)
    model = nn.MLP([1, width, 1], activation, dtype=np.float64, rng=rng)
    slopes = rng.uniform(2, 8, width) * rng.choice([-1, 1], width)
    start = dict(model.named_parameters())
    start["linear1.weight"].data[...] = slopes
    start["linear1.bias"].data[...] = -slopes * rng.uniform(-1, 1, width)
    optimizer = optim.Adam(model.parameters(), lr=0.03)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=steps)
    step = tg.compile(lambda X, y: nn.mse_loss(model(X), y), optimizer)
    X, y = x[:, None], curve(x)[:, None]
    for _ in range(steps):
        step(X, y)
        schedule.step()
    with tg.no_grad():
        values = model(X).numpy()[:, 0]
    return values, float(np.sqrt(np.mean((values - curve(x)) ** 2)))


def best_fit(x: Array, width: int, activation: nn.Module, seed: int) -> tuple[Array, float]:
    """The best of three starts: what a width can do, not where one training was caught."""
    return min((fitted(x, width, activation, 3 * seed + i) for i in range(3)), key=lambda found: found[1])


# --- the sections of the report -----------------------------------------------------------------------------------------


def approximation(report: Report, rng: np.random.Generator, seed: int) -> None:
    """Lines 248 and 250: what networks can approximate, and how exact gradients are."""
    report.heading("Why it works")
    x, widths = np.linspace(-1, 1, 201), (1, 2, 4, 8, 16, 32)
    fits = {width: best_fit(x, width, nn.Tanh(), seed) for width in widths}
    squares = [best_fit(x, width, Square(), seed)[1] for width in widths]
    errors = [fits[width][1] for width in widths]
    bound = float(np.sqrt(np.mean((np.polyval(np.polyfit(x, curve(x), 2), x) - curve(x)) ** 2)))
    report.say(
        """Universal approximation (l. 248) is tried on sin 4x + |x|/2: one hidden layer, growing width, Adam, the best of three
        starts. The theorem needs an activation that is no polynomial. With z² a network with one hidden layer is a polynomial
        of degree 2, whatever its width, and cannot come below the best one. The RMS of the error:"""
    )
    report.table(
        ("hidden units", "tanh", "z²", "best polynomial of degree 2"),
        [(w, f"{a:.4f}", f"{b:.4f}", f"{bound:.4f}") for w, a, b in zip(widths, errors, squares, strict=True)],
    )
    report.picture(
        "approximation",
        approximation_picture(x, {w: fits[w][0] for w in (1, 2, 8)}, widths, {"tanh": errors, "z²": squares}, bound),
        "Fits with 1, 2 and 8 units, and the error against the width for tanh and z²",
    )
    falls, stays = errors[-1] < errors[0] / 50, min(squares) >= bound * (1 - 1e-9)
    report.claim(
        "l. 248",
        "MLPs with enough hidden units approximate any continuous function",
        f"tanh: error {errors[0]:.2f} → {errors[-1]:.4f} from 1 to 32 units; z²: {min(squares):.2f} at all widths",
        falls and not stays,
        "so for activations that are no polynomials" if falls and stays else "",
    )

    X, y, p = rng.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2]), parts.draw_parameters([4, 5, 4, 3], rng)
    narrow = {name: a.astype(np.float32) for name, a in p.items()}
    rounding = {}
    for name, there in {"float32": parts.engine(X.astype(np.float32), y, narrow)[0], "float64": parts.document(X, y, p)}.items():
        rounding[name] = difference(there["dW1"], parts.engine(X, y, p)[0]["dW1"])
    report.claim(
        "l. 250",
        "backpropagation gives exact gradients",
        f"float32 is {small(rounding['float32'])} from float64; the slope of |x| at 0, of which there is none, is given as "
        f"{float(tg.grad(np.abs)(0.0)):g}",
        rounding["float32"] == 0,
        "exact up to rounding, and where there is a derivative" if rounding["float32"] < 1e-5 else "",
    )


def depth(report: Report, rng: np.random.Generator, seed: int) -> None:
    """Lines 263 to 283: vanishing gradients and initial weights."""
    report.heading("Depth")
    z = np.linspace(-10, 10, 2001)
    slope = tg.grad(lambda z: np.sum(tg.sigmoid(z)))(z)
    report.claim(
        "l. 268",
        "|σ′(z)| ≤ 0.25",
        f"the largest slope is {slope.max():.6f}, at z = {abs(z[slope.argmax()]):.0f}",
        bool(slope.max() <= 0.25),
    )

    w = rng.uniform(0.5, 2, 6)
    plain, fused = chain(w, 1.5, False), chain(w, 1.5, True)
    report.say(
        """Line 274 has the gradient of the first weights proportional to Π_{l=2..L} |W⁽ˡ⁾| |σ′(z⁽ˡ⁾)|. In a chain of six single
        sigmoids, with x = 1.5, the product can be compared with the gradient itself. By the chain rule it is x Π_{l=2..L} w_l
        Π_{l=1..L} σ′(z_l) ∂J/∂a_L: the formula has left out σ′(z⁽¹⁾) and x. With a softmax and cross-entropy at the end, as in
        this document, it has also one σ′ too many: σ′(z⁽ᴸ⁾) has cancelled, and ∂J/∂z_L = a_L − y stands in its place."""
    )
    report.table(
        ("output", "engine", "exact product", "as written", "written / true"),
        [
            (name, f"{c.true:.4e}", f"{c.exact:.4e}", f"{c.written:.4e}", f"{abs(c.written / c.true):.2f}")
            for name, c in (("J = a_L", plain), ("J = −log a_L", fused))
        ],
    )
    equal = max(abs(c.exact / c.true - 1) for c in (plain, fused))
    report.check(equal <= EQUAL, "the engine's gradient of a chain is the product of its local derivatives, to 1e-12")
    report.claim(
        "l. 142",
        "the chain rule, ∂L/∂w = ∂L/∂a · ∂a/∂z · ∂z/∂w",
        f"6 layers of it equal the engine {closely(equal)}",
        equal <= EQUAL,
    )
    off = [abs(c.written / c.true) for c in (plain, fused)]
    report.claim(
        "l. 274",
        "the factors of |∂J/∂W⁽¹⁾| are |W⁽ˡ⁾| |σ′(z⁽ˡ⁾)|, l = 2..L",
        f"off by a factor of {off[0]:.1f} in a chain of 6, {off[1]:.1f} with the fused output",
        max(abs(f - 1) for f in off) < 1e-9,
        f"σ′(z⁽¹⁾) and x belong to it, σ′(z⁽ᴸ⁾) not with a fused output: equal {closely(equal)}" if equal <= EQUAL else "",
    )

    draws = np.array([norms(rng.standard_normal((16, 8)), rng.integers(0, 3, 16), [8] * 5 + [3], rng) for _ in range(100)])
    ratio, share = draws[:, 0] / draws[:, 1], draws[:, 0] / draws[:, 2]
    report.claim(
        "l. 274",
        "|∂J/∂W⁽¹⁾| is proportional to that product",
        f"100 networks 8-8-8-8-8-3: the ratio goes from {ratio.min():.4f} to {ratio.max():.4f}",
        bool(ratio.max() / ratio.min() < 1.5),
        right=f"a bound: ‖∂J/∂W⁽¹⁾‖ ≤ ‖X‖ ‖∂J/∂Z⁽ᴸ⁾‖ Π_{{l=2..L}} ‖W⁽ˡ⁾‖ max σ′(Z⁽ˡ⁻¹⁾); at most {share.max():.0%} of it was met"
        if share.max() <= 1
        else "",
    )
    initialisation(report, seed)


def initialisation(report: Report, seed: int) -> None:
    """Gradients and activations through eight hidden layers, for activations and initial weights."""
    source = data.load_digits()
    (X,) = data.standardise(source.X[:256], dtype=np.float64, common_scale=True)
    inits: dict[str, Any] = {"N(0, 0.01²)": "normal", "N(0, 1/n): the document": "lecun_normal", "N(0, 2/n): He": "he_normal"}
    kinds = {"sigmoid": inits | {"N(0, 3.6²/n): Kumar": kumar}, "tanh": inits, "relu": inits}
    panels = {
        kind: {name: through_depth(kind, init, X, source.y[:256], seed) for name, init in chosen.items()}
        for kind, chosen in kinds.items()
    }
    report.say(
        """Now depth itself: 64, eight hidden layers of 64 units, 10 classes, on 256 digits before the first step. A gradient that
        falls by one factor at each layer on its way back falls exponentially. "Spread" is how far an activation differs between
        samples (the standard deviation): what has lost its spread says the same about every image. At equal widths Glorot's
        variance is the document's."""
    )
    rows = [
        (kind, name, f"{factor_per_layer(g)[0]:.3f}", f"{g[0]:.1e}", f"{spread[0]:.2g}", f"{spread[-1]:.1e}")
        for kind, runs in panels.items()
        for name, (g, spread) in runs.items()
    ]
    report.table(
        ("activation", "weights", "gradient, factor per layer", "RMS of ∂J/∂W⁽¹⁾", "spread, layer 1", "spread, layer 8"), rows
    )
    report.picture("depth", depth_picture(panels), "Gradients and spread of the activations, layer by layer, for three activations")
    document = "N(0, 1/n): the document"
    factor, straight = factor_per_layer(panels["sigmoid"][document][0])
    report.say(
        """With N(0, 0.01²) and tanh all layers have equally small gradients: what the forward pass loses towards the output and
        the backward pass towards the input is the same, layer by layer. Equal gradients are not enough; the spread tells."""
    )
    report.claim(
        "l. 271",
        "gradients can vanish exponentially with sigmoids",
        f"a factor of {factor:.2f} per layer with the document's weights (log-linear, R² = {straight:.3f})",
        factor < 0.5 and straight > 0.95,
    )
    lost = {(kind, name): float(s[-1] / s[0]) for kind, runs in panels.items() for name, (_, s) in runs.items()}
    he, his = "N(0, 2/n): He", "N(0, 3.6²/n): Kumar"
    report.say(
        f"""Line 279 says: *For sigmoid networks, Xavier initialization*, and line 282 gives N(0, 1/n_in). 1/n_in is LeCun's
        (1998), Xavier Glorot's and Yoshua Bengio's (2010) is 2/(n_in + n_out), the same where widths are equal. Neither is for
        sigmoids: Glorot's derivation takes an activation with slope 1 at 0, as tanh has; the sigmoid's is 1/4. With tanh,
        N(0, 1/n) and He's N(0, 2/n) both keep the spread: {lost["tanh", document]:.2f} and {lost["tanh", he]:.2f} of that of
        layer 1 is left in layer 8. 1/n is the customary one. With sigmoids {small(lost["sigmoid", document])} is left, and with
        Kumar's N(0, 3.6²/n), which is made for them, {lost["sigmoid", his]:.2f}."""
    )
    lecun = nn.init.lecun_normal((100, 400), rng=seed).std()
    glorot = nn.init.glorot_normal((100, 400), rng=seed).std()
    wrong = np.random.default_rng(seed).normal(0, 1 / 100, (100, 400)).std()
    report.claim(
        "l. 279-282",
        "Xavier initialisation is N(0, 1/n_in)",
        f"100 → 400: standard deviation {lecun:.3f}, Glorot and Bengio's is {glorot:.3f}",
        bool(abs(lecun / glorot - 1) < 0.05),
        right=f"1/n_in is LeCun's, Xavier Glorot's is 2/(n_in + n_out); a variance: as NumPy's scale it would give {wrong:.3f}",
    )
    tanh = lost["tanh", document], lost["tanh", he]
    report.claim(
        "l. 279",
        "the initialisation for sigmoid networks",
        f"the spread of layer 8 is {small(lost['sigmoid', document])} of that of layer 1",
        lost["sigmoid", document] > 0.1,
        right=f"for tanh: {tanh[0]:.2f}, with He's 2/n {tanh[1]:.2f}; for sigmoids Kumar's 3.6²/n: {lost['sigmoid', his]:.2f}"
        if min(tanh) > 0.1 and lost["sigmoid", his] > 100 * lost["sigmoid", document]
        else "",
    )
