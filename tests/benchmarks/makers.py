"""Our makers, for steps.py and, as ``EXTRA=makers`` in this folder, for the shared benchmark, peers.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contenders import LR, Step, Workload, data

import tinygrad_mlp as tg
from tinygrad_mlp import manual


def model_and_optimizer(w: Workload, P: list[Any]) -> tuple[Any, Any]:
    """The network with the given parameters, and plain SGD."""
    model = tg.nn.MLP(w["sizes"], w["act"])
    for p, value in zip(model.parameters(), P, strict=True):
        p.data = value
    return model, tg.optim.SGD(model.parameters(), lr=float(LR))


def make_eager(w: Workload) -> Step:
    """The eager engine, as a user writes it: nn.MLP, cross_entropy, SGD."""
    X, y, P = data(w)
    model, optimizer = model_and_optimizer(w, P)

    def step() -> float:
        optimizer.zero_grad()
        loss = tg.nn.cross_entropy(model(X), y)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def make_compiled(w: Workload, exact: bool = False) -> Step:
    """The compiled step."""
    X, y, P = data(w)
    model, optimizer = model_and_optimizer(w, P)
    step = tg.compile(lambda X, y: tg.nn.cross_entropy(model(X), y), optimizer, exact=exact)
    return lambda: step(X, y)


def make_exact(w: Workload) -> Step:
    """The compiled step that keeps the order of all operations: equal to eager in every bit."""
    return make_compiled(w, exact=True)


def make_manual(w: Workload) -> Step:
    """tinygrad_mlp.manual, which keeps and names every intermediate value."""
    X, y, P = data(w)
    named = {f"{'Wb'[i % 2]}{i // 2 + 1}": value for i, value in enumerate(P)}

    def step() -> float:
        found = manual.backprop(named, X, y, w["act"])
        for name, g in found.gradients.items():
            named[name] -= LR * g
        return found.loss

    return step


MAKERS: dict[str, Callable[[Workload], Step]] = {
    "tg.compile": make_compiled,
    "tg.compile exact": make_exact,
    "tg.eager": make_eager,
    "manual.py": make_manual,
}
IMPORTS = ["tinygrad_mlp", "tinygrad_mlp.nn", "tinygrad_mlp.optim", "tinygrad_mlp.manual", "tinygrad_mlp.compiler"]
