"""What is asked of the speed, and whether the measured numbers meet it."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

EAGER_PEERS = ("torch", "autograd", "mygrad")
"""Those that record a graph; scikit-learn has one fixed network, written by hand."""

OTHERS = ("numpy", "torch", "torch.compile", "jax.jit", "autograd", "mygrad", "sklearn")


@dataclass(frozen=True)
class Row:
    """The medians of one workload: seconds of a step, MB of the run."""

    workload: str
    seconds: dict[str, float]
    memory: dict[str, float]

    @property
    def batch(self) -> int:
        """The size of the batch, which ends the name (or the activation before it)."""
        return int(self.workload.rsplit(" b", 1)[1])

    def ratio(self, name: str, to: str = "numpy") -> float | None:
        """Time as a multiple of another's, if both were measured."""
        return self.seconds[name] / self.seconds[to] if {name, to} <= self.seconds.keys() else None


def rows_of(results: dict[str, Any]) -> list[Row]:
    """The medians over the processes."""
    return [
        Row(
            workload,
            {name: statistics.median(run[0] for run in runs) for name, runs in found["runs"].items()},
            {name: statistics.median(run[2] for run in runs) for name, runs in found["runs"].items()},
        )
        for workload, found in results["workloads"].items()
    ]


def against(figures: dict[str, float], name: str, others: tuple[str, ...]) -> tuple[float, str] | None:
    """A figure as a multiple of the least among the others, and whose that is."""
    there = [other for other in others if other in figures]
    if name not in figures or not there:
        return None
    least = min(there, key=lambda other: figures[other])
    return figures[name] / figures[least], least


def fixed(row: Row, name: str, to: str) -> tuple[float, str] | None:
    """A time as a multiple of another's."""
    value = row.ratio(name, to)
    return None if value is None else (value, to)


REQUIREMENTS: list[tuple[str, float, Callable[[Row], tuple[float, str] | None]]] = [
    ("tg.compile is the fastest of all on every workload", 1.0, lambda r: against(r.seconds, "tg.compile", OTHERS)),
    (
        "tg.compile takes at most 1.15 of the matrix products alone from batch 256 up",
        1.15,
        lambda r: fixed(r, "tg.compile", "products only") if r.batch >= 256 else None,
    ),
    (
        "tg.compile takes at most 1.9 of the matrix products alone at 784-128-10, batch 32",
        1.9,
        lambda r: fixed(r, "tg.compile", "products only") if r.workload == "mnist 784-128-10 relu b32" else None,
    ),
    (
        "eager takes at most 1.15 of hand-written NumPy from batch 128 up",
        1.15,
        lambda r: fixed(r, "tg.eager", "numpy") if r.batch >= 128 else None,
    ),
    (
        "eager takes at most 1.3 of hand-written NumPy at batch 32",
        1.3,
        lambda r: fixed(r, "tg.eager", "numpy") if r.batch == 32 else None,
    ),
    ("eager is faster than every eager peer on every workload", 1.0, lambda r: against(r.seconds, "tg.eager", EAGER_PEERS)),
    ("the memory of an eager run is at most PyTorch's", 1.0, lambda r: against(r.memory, "tg.eager", ("torch",))),
    ("the memory of a compiled run is at most PyTorch's", 1.0, lambda r: against(r.memory, "tg.compile", ("torch",))),
    ("the memory of a compiled run is at most that of eager", 1.0, lambda r: against(r.memory, "tg.compile", ("tg.eager",))),
]


def verdict(text: str, limit: float, found: list[tuple[str, float, str]]) -> str:
    """One line: met, with the tightest case, or missed, with every case and by how much."""
    if not found:
        return f"- **not measured**: {text}"
    worst = sorted(found, key=lambda case: -case[1])
    told = [f"{value:.2f} of {to} at {where}" for where, value, to in worst]
    over = [
        f"{line} ({100 * (value / limit - 1):.0f} % over)" for line, (_, value, _) in zip(told, worst, strict=True) if value > limit
    ]
    if over:
        return f"- **missed** in {len(over)} of {len(found)}: {text}. " + "; ".join(over)
    return f"- **met**: {text}. " + ("Tightest: " if len(found) > 1 else "") + told[0]


def verdicts(results: dict[str, Any]) -> list[str]:
    """One line for each requirement."""
    rows = rows_of(results)
    lines = []
    for text, limit, value in REQUIREMENTS:
        pairs = [(row.workload, value(row)) for row in rows]
        lines.append(verdict(text, limit, [(workload, pair[0], pair[1]) for workload, pair in pairs if pair]))
    times = {name: statistics.median(found) for name, found in results.get("imports", {}).items()}
    cases = [("the import", times["tinygrad_mlp"] / times["numpy"], "numpy")] if times else []
    return [*lines, verdict("`import tinygrad_mlp` takes at most 1.3 of `import numpy`", 1.3, cases)]
