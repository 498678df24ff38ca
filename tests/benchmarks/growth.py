"""How the time of a training step grows with depth, width, batch and the number of operations, over three decades each.

    .venv/bin/python tests/benchmarks/growth.py     # under 3 minutes; report.py draws the plot

For hand-written NumPy, the eager engine and the compiled step, in turns, in one process for each question; the least time of
several. Results go to results.json beside this file (steps.py runs this too).
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processes import RESULTS, load, machine, progress, run, save, warn_if_busy

BUDGET = 0.5
Call = Callable[[], Any]

SWEEPS: dict[str, tuple[str, str, list[int]]] = {
    "depth": ("layers of 32, tanh, batch 32", "time a layer", [1, 3, 10, 30, 100, 300, 1000]),
    "width": ("width of 2 layers, relu, batch 32", "time a layer", [2**i for i in range(3, 13)]),
    "batch": ("rows in a batch, 784-128-10, relu", "time a row", [2**i for i in range(11)]),
    "length": ("operations in a chain, on 64 numbers", "time an operation", [1, 3, 10, 30, 100, 300, 1000]),
}
"""For each question: what is counted, what is shown, the points."""


def training(question: str, n: int) -> tuple[dict[str, Call], int]:
    """The training steps of one point, and by what their time is divided."""
    import contenders
    import makers

    w: contenders.Workload
    if question == "depth":
        w, parts = {"sizes": [32] * (n + 1), "act": "tanh", "B": 32}, n
    elif question == "width":
        w, parts = {"sizes": [n] * 3, "act": "relu", "B": 32}, 2
    else:
        w, parts = {"sizes": [784, 128, 10], "act": "relu", "B": n}, n
    kinds = {"numpy": contenders.make_numpy, "tg.eager": makers.make_eager, "tg.compile": makers.make_compiled}
    return {name: make(w) for name, make in kinds.items()}, parts


def chains(n: int) -> dict[str, Call]:
    """Value and gradient of the sum of a chain of n operations on a vector."""
    import numpy as np

    import tinygrad_mlp as tg
    from tinygrad_mlp.functional import value_and_grad

    x = np.linspace(-1, 1, 64, dtype=np.float32)

    def tanhs(x: Any) -> Any:
        for _ in range(n):
            x = np.tanh(x)
        return x.sum()

    def adds(x: Any) -> Any:
        y = x
        for _ in range(n):
            y = y + x
        return y.sum()

    def by_hand() -> Any:
        h = [x]
        for _ in range(n):
            h.append(np.tanh(h[-1]))
        loss, g = h[-1].sum(), np.ones_like(x)
        for a in reversed(h[1:]):
            g = g * (1 - a * a)
        return loss, g

    eager_tanh, eager_add, compiled = value_and_grad(tanhs), value_and_grad(adds), tg.compile(value_and_grad(tanhs))
    return {
        "numpy": by_hand,
        "tg.eager": lambda: eager_tanh(x),
        "tg.eager, adds": lambda: eager_add(x),
        "tg.compile": lambda: compiled(x),
    }


def timed(call: Call, budget: float) -> float:
    """The least time of a call, in seconds."""
    call()
    best, end = float("inf"), time.perf_counter() + budget
    while True:
        start, count = time.perf_counter(), 0
        while count == 0 or time.perf_counter() - start < 0.005:
            call()
            count += 1
        best = min(best, (time.perf_counter() - start) / count)
        if time.perf_counter() > end:
            return best


def measure(question: str, budget: float) -> dict[str, list[tuple[int, float]]]:
    """One process: for each contender the points (n, seconds of a layer, row or operation)."""
    found: dict[str, list[tuple[int, float]]] = {}
    for n in SWEEPS[question][2]:
        calls, parts = (chains(n), n) if question == "length" else training(question, n)
        for call in calls.values():
            call()  # compiles
        best = dict.fromkeys(calls, float("inf"))
        for _, (name, call) in itertools.product(range(2), calls.items()):
            best[name] = min(best[name], timed(call, budget / 2))
        for name, seconds in best.items():
            found.setdefault(name, []).append((n, seconds / parts))
    return found


def grow(path: Path, python: str, threads: int, budget: float) -> None:
    """Measure all questions and keep the answers in the file of results."""
    answers = {}
    for question in SWEEPS:
        start = time.perf_counter()
        answers[question] = run(python, __file__, "--measure", question, str(budget), threads=threads)
        progress(f"growth with {question} ({time.perf_counter() - start:.0f} s)")
    save(path, load(path) | {"growth": answers, "growth_machine": machine([python], threads)})


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the interpreter (default: the running one)")
    parser.add_argument("--budget", type=float, default=BUDGET, help=f"seconds for each point of a curve (default: {BUDGET})")
    parser.add_argument("--threads", type=int, default=2, help="threads of the matrix products (default: 2)")
    parser.add_argument("--json", type=Path, default=RESULTS, help="the file of results (default: results.json beside this file)")
    options = parser.parse_args()
    warn_if_busy()
    grow(options.json, options.python, options.threads, options.budget)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], float(sys.argv[3]))))
    else:
        main()
