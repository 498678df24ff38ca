"""A training step of small convolutional networks: the engine, its compiled step, and PyTorch where it is installed.

.venv/bin/python tests/benchmarks/convolution.py

Each figure is the best step of three processes, which take turns: thread pools disturb each other inside one.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

for pin in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NPY_DISABLE_CPU_FEATURES", "MKL_DEBUG_CPU_TYPE"):
    os.environ.pop(pin, None)
THREADS = os.environ.get("NT", "2")
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = THREADS

import numpy as np  # noqa: E402  # after the number of threads is set

import tinygrad_mlp as tg  # noqa: E402
from tinygrad_mlp import nn, optim  # noqa: E402

SECONDS, ROUNDS, RATE = 1.0, 3, 1e-3
WORKLOADS: dict[str, tuple[int, int, list[tuple[int, int]], int]] = {
    # channels and side of the images, channels and kernel size of each convolution (then relu, pool 2), batch size
    "digits 1x8x8, 3x3: 8, 16, batch 32": (1, 8, [(8, 3), (16, 3)], 32),
    "LeNet 1x28x28, 5x5: 6, 16, batch 64": (1, 28, [(6, 5), (16, 5)], 64),
    "1x28x28, 3x3: 16, 32, batch 64": (1, 28, [(16, 3), (32, 3)], 64),
    "3x32x32, 3x3: 32, 64, 64, batch 64": (3, 32, [(32, 3), (64, 3), (64, 3)], 64),
}


def layers(module: Any, workload: str) -> list[Any]:
    """The layers, from a library that has PyTorch's names."""
    channels, side, kernels, _ = WORKLOADS[workload]
    found: list[Any] = []
    for out, size in kernels:
        found += [module.Conv2d(channels, out, size, padding=size // 2), module.ReLU(), module.MaxPool2d(2)]
        channels, side = out, side // 2
    return [*found, module.Flatten(), module.Linear(channels * side * side, 10)]


def data(workload: str) -> tuple[Any, Any]:
    """A batch of noise."""
    channels, side, _, m = WORKLOADS[workload]
    rng = np.random.default_rng(0)
    return rng.standard_normal((m, channels, side, side), dtype=np.float32), rng.integers(0, 10, m)


def engine(workload: str) -> Callable[[], Any]:
    """A step of ours."""
    X, y = data(workload)
    model = nn.Sequential(*layers(nn, workload))
    optimizer = optim.SGD(model.parameters(), lr=RATE)

    def step() -> None:
        optimizer.zero_grad()
        nn.cross_entropy(model(X), y).backward()
        optimizer.step()

    return step


def compiled(workload: str) -> Callable[[], Any]:
    """The same, compiled."""
    X, y = data(workload)
    model = nn.Sequential(*layers(nn, workload))
    program = tg.compile(lambda X, y: nn.cross_entropy(model(X), y), optim.SGD(model.parameters(), lr=RATE))
    return lambda: program(X, y)


def pytorch(workload: str) -> Callable[[], Any]:
    """The same in PyTorch."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(int(THREADS))
    X, y = (torch.from_numpy(a) for a in data(workload))
    model = torch.nn.Sequential(*layers(torch.nn, workload))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(X), y).backward()
        optimizer.step()

    return step


MAKERS = {"engine": engine, "compiled": compiled, "pytorch": pytorch}


def best(step: Callable[[], Any]) -> float:
    """The shortest step, in milliseconds."""
    found, end = [], time.perf_counter() + SECONDS
    step()
    while time.perf_counter() < end or len(found) < 5:
        start = time.perf_counter()
        step()
        found.append(time.perf_counter() - start)
    return 1e3 * min(found)


def main() -> None:
    """Print the table, or, with the names of a maker and a workload, one figure."""
    if len(sys.argv) == 3:
        print(best(MAKERS[sys.argv[1]](sys.argv[2])))
        return
    makers = [name for name in MAKERS if name != "pytorch" or importlib.util.find_spec("torch") is not None]
    print(f"| workload, {THREADS} threads | {' | '.join(f'{name}, ms' for name in makers)} |\n|{' --- |' * (1 + len(makers))}")
    for workload in WORKLOADS:
        figures = dict.fromkeys(makers, float("inf"))
        for _ in range(ROUNDS):
            for name in makers:
                run = subprocess.run([sys.executable, __file__, name, workload], capture_output=True, text=True, check=True)
                figures[name] = min(figures[name], float(run.stdout))
        base = figures.get("pytorch", figures["engine"])
        print(f"| {workload} | {' | '.join(f'{t:.2f} ({t / base:.2f})' for t in figures.values())} |", flush=True)


if __name__ == "__main__":
    main()
