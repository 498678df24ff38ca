"""How long it takes to draw: ``python tests/benchmarks/drawing.py`` prints seconds, the best of three, description, layout and SVG."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn


def layers(n: int) -> tg.Tensor:
    """The loss of an MLP with n layers of 64."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((16, 64)), rng.integers(0, 64, 16)
    return nn.cross_entropy(nn.MLP([64] * (n + 1), rng=rng, dtype=np.float64)(X), y)


def chain(n: int) -> tg.Tensor:
    """n operations, one after the other."""
    h = tg.Tensor(1.0, requires_grad=True)
    for _ in range(n // 2):
        h = h * 1.0001 + 0.1
    return h


def seconds(make: Callable[[int], tg.Tensor], n: int) -> float:
    """The best of three."""
    found = []
    for _ in range(3):
        y = make(n)
        start = time.perf_counter()
        assert tg.draw(y).svg
        found.append(time.perf_counter() - start)
    return min(found)


if __name__ == "__main__":
    seconds(chain, 10)  # what is imported at the first time
    print(f"100 layers:        {seconds(layers, 100):.2f} s")
    print(f"10,000 operations: {seconds(chain, 10_000):.2f} s")
