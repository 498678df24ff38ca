"""How seed 004 starts: the variances of its four initialisers, and what they do to gradients through ten layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import rivals
from report import Report

import tinygrad_mlp as tg
from tinygrad_mlp import nn

FAN_IN, FAN_OUT = 300, 200
WIDTH, DEPTH = 128, 10


def four_times_glorot(shape: tuple[int, int], rng: Any = None, dtype: Any = np.float32) -> Any:
    """Glorot's weights, made up for a slope of 1/4."""
    return 4 * nn.init.glorot_normal(shape, rng, dtype)


PAIRS: dict[str, tuple[str, str | Callable[..., Any]]] = {
    "ReLU, He": ("relu", "he_normal"),
    "ReLU, Glorot": ("relu", "glorot_normal"),
    "tanh, Glorot": ("tanh", "glorot_normal"),
    "tanh, He": ("tanh", "he_normal"),
    "sigmoid, Glorot": ("sigmoid", "glorot_normal"),
    "sigmoid, 4 × Glorot": ("sigmoid", four_times_glorot),
}


def told(report: Report, seed: int) -> None:
    """The whole section."""
    report.heading("Initial weights")
    variances(report, seed)
    through_depth(report, seed)


def variances(report: Report, seed: int) -> None:
    """The variances of the four initialisers, ours and Keras', against their formulas."""
    keras = rivals.imported_tensorflow()[0] if "tensorflow" in rivals.installed() else None
    rows, off = [], []
    for name in ("glorot_uniform", "glorot_normal", "he_uniform", "he_normal"):
        formula = 2 / (FAN_IN + FAN_OUT) if name.startswith("glorot") else 2 / FAN_IN
        drawn = [nn.init.by_name(name)((FAN_IN, FAN_OUT), rng=seed, dtype=np.float64)]
        if keras is not None:
            drawn.append(np.asarray(getattr(keras.initializers, name)(seed=seed)((FAN_IN, FAN_OUT))))
        ratios = [float(np.var(weights) / formula) for weights in drawn]
        off += [abs(ratio - 1) for ratio in ratios]
        rows.append(
            (name, "2 / (n_in + n_out)" if name.startswith("glorot") else "2 / n_in", *(f"{ratio:.3f}" for ratio in ratios))
        )
    report.say(f"Variances of {FAN_IN} × {FAN_OUT} weights, in units of their formula:")
    report.table(("initialiser", "formula", "tinygrad_mlp", *(["Keras"] if keras is not None else [])), rows)
    worst = f"variances within {max(off):.1%} of 2/(n_in + n_out) and 2/n_in"
    report.claim("l. 59-63", "Glorot and He, uniform and normal", worst, max(off) < 0.03)


def through_depth(report: Report, seed: int) -> None:
    """What is left of a gradient after ten layers, for an activation and an initialiser."""
    left = {name: gradient_left(*pair, seed) for name, pair in PAIRS.items()}
    report.say(
        "Lines 67 and 68 say: *glorot for tanh and sigmoid*, *he for relu*. "
        f"A gradient is sent back through {DEPTH} layers of {WIDTH} units: its norm at the input, over that at the output. "
        "Glorot's derivation assumes a slope of 1 at 0, which tanh has; that of a sigmoid is 1/4. ReLU lets half of the squares "
        "through, which He makes up for. "
        f"For tanh either will do: {left['tanh, Glorot']:.2g} is left with Glorot's, the customary one, and "
        f"{left['tanh, He']:.2g} with He's."
    )
    report.table(("activation, initialiser", "norm left"), [(name, f"{value:.2g}") for name, value in left.items()])
    good = {name: 0.1 < value < 10 for name, value in left.items()}
    report.claim(
        "l. 67-68, 176",
        "Glorot for tanh and sigmoid, He for ReLU, keeps gradients stable",
        ", ".join(f"{name} {value:.1g}" for name, value in left.items()),
        good["ReLU, He"] and good["tanh, Glorot"] and good["sigmoid, Glorot"],
        correction="He for ReLU; for tanh Glorot, the customary one, or He; neither for sigmoids, of which even four times Glorot "
        "loses much"
        if good["ReLU, He"] and good["tanh, Glorot"] and good["tanh, He"]
        else "",
    )


def gradient_left(activation: str, init: str | Callable[..., Any], seed: int) -> float:
    """‖∂/∂x‖ / ‖∂/∂z‖ for a random gradient at the output z."""
    rng = np.random.default_rng([5, seed])
    model = nn.MLP([WIDTH] * (DEPTH + 1), activation, init, dtype=np.float64, rng=rng)
    x = tg.Tensor(rng.standard_normal((64, WIDTH)), requires_grad=True)
    g = rng.standard_normal((64, WIDTH))
    return float(np.linalg.norm(np.asarray(tg.gradients((model(x) * g).sum(), x))) / np.linalg.norm(g))
