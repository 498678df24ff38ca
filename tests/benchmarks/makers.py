"""Our makers for the peer benchmark: ``EXTRA=makers`` in this folder; see steps.py for one that stands alone.

``make(workload)`` returns ``step()``, one training step (forward, loss, backward, SGD), which returns the loss as a float.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tinygrad_mlp as tg
from __main__ import LR, data  # the running benchmark


def make_eager(workload: dict[str, Any]) -> Callable[[], float]:
    """The eager engine, as a user writes it: nn.MLP, cross_entropy, SGD."""
    X, y, parameters = data(workload)
    model = tg.nn.MLP(workload["sizes"], workload["act"])
    for p, value in zip(model.parameters(), parameters, strict=True):
        p.data = value
    optimizer = tg.optim.SGD(model.parameters(), lr=float(LR))

    def step() -> float:
        optimizer.zero_grad()
        loss = tg.nn.cross_entropy(model(X), y)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def make_compiled(workload: dict[str, Any]) -> Callable[[], float]:
    """The compiled step."""
    X, y, parameters = data(workload)
    model = tg.nn.MLP(workload["sizes"], workload["act"])
    for p, value in zip(model.parameters(), parameters, strict=True):
        p.data = value
    step = tg.compile(lambda X, y: tg.nn.cross_entropy(model(X), y), tg.optim.SGD(model.parameters(), lr=float(LR)))
    return lambda: step(X, y)  # type: ignore[no-any-return]  # a float


MAKERS = {"tg.eager": make_eager, "tg.compile": make_compiled}
