"""What tg.fit costs beside the loop written by hand: the median over pairs of trainings, taken in turns.

    OPENBLAS_NUM_THREADS=1 .venv/bin/python tests/benchmarks/fit.py

fit is called with ``running=True``, which measures nothing after an epoch; the last column adds what the default does: loss and accuracy
on all training data, before the first epoch and after each. By hand no loss is made a number. A training compiles once, in both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim


def samples(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise of MNIST's form."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((m, 784)).astype(np.float32), rng.integers(0, 10, m)


def contenders(m: int, epochs: int, batch_size: int, compiled: bool) -> dict[str, Callable[[], object]]:
    """A training by hand, by fit, and by fit with all that it records."""
    X, y = samples(m)
    models = {name: nn.MLP([784, 128, 10], rng=0) for name in ("by hand", "fit", "fit, measured")}
    optimizers = {name: optim.SGD(model.parameters(), lr=0.001) for name, model in models.items()}
    model, optimizer, rng = models["by hand"], optimizers["by hand"], np.random.default_rng(0)

    def by_hand() -> None:
        step = tg.compile(lambda X, y: nn.cross_entropy(model(X), y), optimizer)  # as fit does in each call
        for _ in range(epochs):
            for X_batch, y_batch in data.batches(X, y, batch_size, rng):
                if compiled:
                    step(X_batch, y_batch)
                else:
                    optimizer.zero_grad()
                    nn.cross_entropy(model(X_batch), y_batch).backward()
                    optimizer.step()

    def by_fit(name: str, running: bool) -> Callable[[], object]:
        metrics = () if running else ("accuracy",)
        return lambda: tg.fit(
            models[name], X, y, loss=nn.cross_entropy, optimizer=optimizers[name], epochs=epochs, batch_size=batch_size, rng=0,
            running=running, metrics=metrics, compile=compiled, progress=False,
        )  # fmt: skip

    return {"by hand": by_hand, "fit": by_fit("fit", True), "fit, measured": by_fit("fit, measured", False)}


def seconds(f: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3200)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    print(
        f"784-128-10, SGD, batches of {args.batch_size}: microseconds a step (the median of {args.repeats} trainings of {args.epochs} epochs), and the ratio"
    )
    for compiled in (False, True):
        functions = contenders(args.rows, args.epochs, args.batch_size, compiled)
        times: dict[str, list[float]] = {name: [] for name in functions}
        for repeat in range(args.repeats + 1):
            for name, f in functions.items():
                taken = seconds(f)
                if repeat:  # the first warms up
                    times[name].append(taken)
        steps = args.epochs * -(-args.rows // args.batch_size)
        hand = times.pop("by hand")
        words = [f"by hand {statistics.median(hand) / steps * 1e6:.1f}"]
        for name, taken in times.items():
            ratio = statistics.median(b / a for a, b in zip(hand, taken, strict=True))
            words.append(f"{name} {statistics.median(taken) / steps * 1e6:.1f} ({ratio:.3f})")
        print(f"{'compiled' if compiled else 'eager':<10}" + "   ".join(words))


if __name__ == "__main__":
    main()
