"""The time of one training step of an MLP, and of the import, as ratios to hand-written NumPy in the same run.

    .venv/bin/python tests/benchmarks/steps.py              # the engine, the manual backprop, and the peers that are installed
    .venv/bin/python tests/benchmarks/steps.py --only numpy,tinygrad_mlp,torch --rounds 5

Every contender of a workload runs in processes of its own, in turns; the table shows the best of the rounds, the ratio to
``numpy`` and the peak memory. All must compute the same first loss. Settings that pin a BLAS to an older instruction set
are dropped, since a user's machine does not have them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

PINS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NPY_DISABLE_CPU_FEATURES", "MKL_DEBUG_CPU_TYPE")
for pin in PINS:
    os.environ.pop(pin, None)

import numpy as np  # noqa: E402  # after the pins are gone

LR = 1e-3
WORKLOADS: dict[str, tuple[list[int], str, int]] = {
    "2-16-16-2 tanh, batch 32": ([2, 16, 16, 2], "tanh", 32),
    "784-128-10 relu, batch 1": ([784, 128, 10], "relu", 1),
    "784-128-10 relu, batch 32": ([784, 128, 10], "relu", 32),
    "784-128-10 relu, batch 256": ([784, 128, 10], "relu", 256),
    "3072-512-256-10 relu, batch 128": ([3072, 512, 256, 10], "relu", 128),
    "64 layers of 64 tanh, batch 64": ([64] * 65, "tanh", 64),
    "3072-1024-1024-10 relu, batch 1024": ([3072, 1024, 1024, 10], "relu", 1024),
}

Step = Callable[[], float]


def problem(sizes: list[int], m: int) -> tuple[Any, Any, list[Any]]:
    """A batch and the parameters W1, b1, W2, … in float32."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((m, sizes[0]), dtype=np.float32), rng.integers(0, sizes[-1], m)
    parameters: list[Any] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        parameters += [(rng.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in)).astype(np.float32), np.zeros(fan_out, np.float32)]
    return X, y, parameters


def by_numpy(sizes: list[int], act: str, m: int) -> Step:
    """The yardstick: forward, softmax cross-entropy, the chain rule and the update, in place where NumPy makes it easy."""
    X, y, p = problem(sizes, m)
    last, rows, rate = len(sizes) - 2, np.arange(m), np.float32(LR)

    def step() -> float:
        inputs = []
        h = X
        for l in range(last + 1):
            inputs.append(h)
            h = h @ p[2 * l] + p[2 * l + 1]
            if l < last:
                h = np.tanh(h) if act == "tanh" else np.maximum(h, 0)
        h = h - h.max(axis=1, keepdims=True)
        e = np.exp(h)
        total = e.sum(axis=1, keepdims=True)
        loss = float((np.log(total[:, 0]) - h[rows, y]).mean())
        g = e / total
        g[rows, y] -= 1
        g /= m
        for l in range(last, -1, -1):
            dW, db = inputs[l].T @ g, g.sum(axis=0)
            if l:
                g = g @ p[2 * l].T
                g = g * (1 - inputs[l] * inputs[l]) if act == "tanh" else g * (inputs[l] > 0)
            p[2 * l] -= rate * dW
            p[2 * l + 1] -= rate * db
        return loss

    return step


def by_tinygrad_mlp(sizes: list[int], act: str, m: int) -> Step:
    """The eager engine as a user writes it."""
    import tinygrad_mlp as tg

    X, y, p = problem(sizes, m)
    model = tg.nn.MLP(sizes, act)
    model.load_state_dict(dict(zip(model.state_dict(), p, strict=True)))
    optimizer = tg.optim.SGD(model.parameters(), lr=LR)

    def step() -> float:
        optimizer.zero_grad()
        loss = tg.nn.cross_entropy(model(X), y)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def by_manual(sizes: list[int], act: str, m: int) -> Step:
    """tinygrad_mlp.manual, which keeps and names every intermediate value."""
    from tinygrad_mlp import manual

    X, y, p = problem(sizes, m)
    named = {f"{'Wb'[i % 2]}{i // 2 + 1}": value for i, value in enumerate(p)}

    def step() -> float:
        found = manual.backprop(named, X, y, act)
        for name, g in found.gradients.items():
            named[name] = named[name] - np.float32(LR) * g
        return found.loss

    return step


def by_torch(sizes: list[int], act: str, m: int) -> Step:
    """PyTorch, eager."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    X, y, p = (torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in problem(sizes, m))  # the parameters: a list
    layers: list[Any] = []
    for l in range(len(sizes) - 1):
        linear = torch.nn.Linear(sizes[l], sizes[l + 1])
        linear.weight.data, linear.bias.data = torch.from_numpy(p[2 * l].T.copy()), torch.from_numpy(p[2 * l + 1])
        layers += [linear, torch.nn.Tanh() if act == "tanh" else torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(X), y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def by_autograd(sizes: list[int], act: str, m: int) -> Step:
    """HIPS autograd."""
    import autograd
    import autograd.numpy as anp

    X, y, p = problem(sizes, m)
    rows, last = np.arange(m), len(sizes) - 2

    def loss_of(p: list[Any]) -> Any:
        h = X
        for l in range(last + 1):
            h = anp.dot(h, p[2 * l]) + p[2 * l + 1]
            if l < last:
                h = anp.tanh(h) if act == "tanh" else anp.maximum(h, 0)
        h = h - anp.max(h, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(h), axis=1)) - h[rows, y])

    both = autograd.value_and_grad(loss_of)

    def step() -> float:
        loss, gradients = both(p)
        for i, g in enumerate(gradients):
            p[i] = p[i] - np.float32(LR) * g
        return float(loss)

    return step


CONTENDERS = {
    "numpy": by_numpy,
    "tinygrad_mlp": by_tinygrad_mlp,
    "manual.py": by_manual,
    "torch": by_torch,
    "autograd": by_autograd,
}


def measure(name: str, workload: str, budget: float) -> None:
    """One process: the best time of a step in seconds, the first loss, the peak memory in MB, as JSON."""
    step = CONTENDERS[name](*WORKLOADS[workload])
    first, best = step(), float("inf")
    for _ in range(20 if workload.startswith(("2-16", "784")) else 2):
        step()
    end = time.perf_counter() + budget
    while time.perf_counter() < end:
        start, count = time.perf_counter(), 0
        while count == 0 or time.perf_counter() - start < 0.02:
            step()
            count += 1
        best = min(best, (time.perf_counter() - start) / count)
    print(json.dumps([best, first, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def in_process(*arguments: str) -> tuple[list[float] | None, str]:
    """What a process of its own measured, or why it could not."""
    run = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if run.returncode:
        return None, (run.stderr.strip().splitlines() or ["failed"])[-1]
    return json.loads(run.stdout.strip().splitlines()[-1]), ""


def timed(program: str) -> float:
    """The number that a program prints."""
    return float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)


def imports(rounds: int) -> None:
    """The time of ``import tinygrad_mlp`` against ``import numpy``."""
    program = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
    best = {name: min(timed(program.format(name)) for _ in range(5 * rounds)) for name in ("numpy", "tinygrad_mlp")}
    print(f"import numpy {best['numpy'] * 1e3:.0f} ms, import tinygrad_mlp {best['tinygrad_mlp'] * 1e3:.0f} ms: "
          f"{best['tinygrad_mlp'] / best['numpy']:.2f} times\n")  # fmt: skip


def main() -> None:
    """Print the table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(CONTENDERS), help="contenders, with commas between")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each figure (default: 3)")
    parser.add_argument("--budget", type=float, default=0.6, help="seconds a process (default: 0.6)")
    parser.add_argument("--threads", default="2", help="threads of the matrix products (default: 2)")
    options = parser.parse_args()
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = options.threads
    names = list(dict.fromkeys(["numpy", *options.only.split(",")]))
    print(f"NumPy {np.__version__}, Python {platform.python_version()}, {platform.machine()}, {options.threads} threads\n")
    imports(options.rounds)
    missing: dict[str, str] = {}
    print("| workload | " + " | ".join(names) + " |\n|" + " --- |" * (len(names) + 1))
    for workload in WORKLOADS:
        found: dict[str, list[list[float]]] = {}
        for _ in range(options.rounds):
            for name in names:
                if name in missing:
                    continue
                result, why = in_process(__file__, "--measure", name, workload, str(options.budget))
                if result is None:
                    missing[name] = why
                else:
                    found.setdefault(name, []).append(result)
        base = min(found["numpy"])[0]
        cells = []
        for name in names:
            if name not in found:
                cells.append("-")
                continue
            seconds, first, _ = min(found[name])
            if abs(first - found["numpy"][0][1]) > 1e-3 * abs(first):
                raise SystemExit(f"{name} computes another loss on {workload}: {first}, not {found['numpy'][0][1]}")
            cells.append(f"{seconds / base:.2f} ({seconds * 1e6:,.0f} µs, {min(r[2] for r in found[name]):.0f} MB)")
        print(f"| {workload} | " + " | ".join(cells) + " |", flush=True)
    for name, why in missing.items():
        print(f"\n{name} not measured: {why}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], sys.argv[3], float(sys.argv[4]))
    else:
        main()
