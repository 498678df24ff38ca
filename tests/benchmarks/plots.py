"""The two plots: the table of steps.py, and the curves of growth.py. Colours by Okabe and Ito, and a mark of its own for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from growth import SWEEPS
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from requirements import rows_of

STYLES: dict[str, tuple[str, str]] = {
    "products only": ("#999999", "|"),
    "tg.compile": ("#d55e00", "o"),
    "tg.eager": ("#0072b2", "s"),
    "tg.eager, adds": ("#56b4e9", "D"),
    "numpy": ("#000000", "x"),
    "torch": ("#cc79a7", "^"),
    "torch.compile": ("#cc79a7", "v"),
    "jax.jit": ("#009e73", "*"),
    "mygrad": ("#e69f00", "P"),
    "autograd": ("#56b4e9", "X"),
    "sklearn": ("#8a7a00", "d"),
}
"""Colour and mark of each contender."""

SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text: small files, and searchable
    "svg.hashsalt": "tinygrad_mlp",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
}
UNITS = ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"))


def duration(seconds: float, _: Any = None) -> str:
    """A time with its unit: 20 µs."""
    size, unit = next(((size, unit) for size, unit in reversed(UNITS) if seconds >= size * 0.9999), UNITS[0])
    return f"{seconds / size:.4g} {unit}"


def keep(figure: Figure, path: Path) -> None:
    """Write a plot, the same bytes for the same numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, facecolor="white", dpi=110)


def contest(results: dict[str, Any], path: Path) -> None:
    """One line for each workload, one mark for each contender: time as a multiple of hand-written NumPy."""
    rows = rows_of(results)
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(8, 0.42 * len(rows) + 1.7), layout="constrained")
        axes = figure.add_subplot()
        for name, (colour, mark) in STYLES.items():
            points = [(row.seconds[name] / row.seconds["numpy"], i) for i, row in enumerate(rows) if name in row.seconds]
            if points and name != "numpy":
                size = {"products only": 15, "tg.compile": 9, "jax.jit": 10}.get(name, 6.5)
                x, y = zip(*points, strict=True)
                line = axes.plot(x, y, mark, color=colour, label=name, markersize=size, markeredgewidth=2 if mark == "|" else 0.6)
                if mark != "|":
                    line[0].set_markeredgecolor("white")
                line[0].set_zorder(4 if name == "tg.compile" else 2 if mark == "|" else 3)
        axes.axvline(1, color="black", linewidth=1, label="hand-written NumPy")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_yticks(range(len(rows)), [row.workload for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel("time of a training step, as a multiple of hand-written NumPy's (left is faster)")
        figure.legend(loc="outside upper center", ncols=5, frameon=False)
        keep(figure, path)


def growth(results: dict[str, Any], path: Path) -> None:
    """Four log-log panels: time a layer, a row, an operation."""
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(8, 6.4), layout="constrained")
        handles: dict[str, Any] = {}
        for i, (question, curves) in enumerate(results["growth"].items()):
            counted, shown, _ = SWEEPS[question]
            axes = figure.add_subplot(2, 2, i + 1)
            low, high = [], []
            for name, points in curves.items():
                colour, mark = STYLES[name]
                n, seconds = zip(*points, strict=True)
                style = {"linestyle": "--" if name == "numpy" else "-", "linewidth": 1.3, "markersize": 5}
                (handles[name],) = axes.loglog(n, seconds, marker=mark, color=colour, **style)
                low.append(min(seconds))
                high.append(max(seconds))
            axes.set_xlabel(counted)
            axes.set_ylabel(shown)
            axes.set_title(f"{shown} against {question}", fontsize=10, loc="left")
            factors = (1,) if max(high) > 300 * min(low) else (1, 3)
            ticks = [f * 10.0**k for k in range(-9, 2) for f in factors if min(low) / 2 <= f * 10.0**k <= max(high) * 2]
            axes.yaxis.set_major_locator(FixedLocator(ticks))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(duration))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_locator(NullLocator())
        label = {
            "numpy": "hand-written NumPy",
            "tg.eager": "eager",
            "tg.eager, adds": "eager, a chain of adds",
            "tg.compile": "compiled",
        }
        figure.legend(handles.values(), [label[name] for name in handles], loc="outside upper center", ncols=4, frameon=False)
        keep(figure, path)
