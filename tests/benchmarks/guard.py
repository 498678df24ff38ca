"""What the guard against writes costs: training steps with and without it, in turns, in one process.

.venv/bin/python tests/benchmarks/guard.py
"""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

for pin in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NPY_DISABLE_CPU_FEATURES", "MKL_DEBUG_CPU_TYPE"):
    os.environ.pop(pin, None)

import numpy as np  # noqa: E402  # after the pins are gone

import tinygrad_mlp as tg  # noqa: E402
from tinygrad_mlp import nn, optim, recording  # noqa: E402

WORKLOADS = {
    "2-16-16-2 tanh, batch 32": ([2, 16, 16, 2], "tanh", 32, 200),
    "784-128-10 relu, batch 1": ([784, 128, 10], "relu", 1, 100),
    "784-128-10 relu, batch 32": ([784, 128, 10], "relu", 32, 60),
    "784-128-10 relu, batch 256": ([784, 128, 10], "relu", 256, 20),
    "3072-512-256-10 relu, batch 128": ([3072, 512, 256, 10], "relu", 128, 5),
}


def steps(sizes: list[int], activation: str, m: int) -> Any:
    """One training step of an MLP in float32."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((m, sizes[0]), dtype=np.float32), rng.integers(0, sizes[-1], m)
    model = nn.MLP(sizes, activation=activation, rng=rng)
    optimizer = optim.SGD(model.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        nn.cross_entropy(model(X), y).backward()
        optimizer.step()

    return step


def main() -> None:
    """Print a table: the step without the guard, and what the default and the full guard add."""
    protect = recording.protect
    print("| workload | without | default guard | full guard |\n| --- | --- | --- | --- |")
    for name, (sizes, activation, m, n) in WORKLOADS.items():
        step = steps(sizes, activation, m)
        times: dict[str, list[float]] = {"without": [], "default": [], "full": []}
        for _ in range(40):
            for kind, found in times.items():
                recording.protect = (lambda *_: None) if kind == "without" else protect  # type: ignore[assignment]
                with tg.guard("full" if kind == "full" else "default"):
                    start = time.perf_counter()
                    for _ in range(n):
                        step()
                    found.append((time.perf_counter() - start) / n)
        base = min(times["without"])
        ratios = [
            100 * (statistics.median(a / b for a, b in zip(times[k], times["without"], strict=True)) - 1)
            for k in ("default", "full")
        ]
        print(f"| {name} | {base * 1e6:,.0f} µs | {ratios[0]:+.1f} % | {ratios[1]:+.1f} % |", flush=True)


if __name__ == "__main__":
    main()
