"""What ``prove`` leaves behind: the table, the verdict, report.md, curves.png, the graph, the gradients."""

from __future__ import annotations

import io
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import check
from ..files import replace_file
from ..kernels.shapes import Array
from ..nn import MLP
from ..version import __version__
from ..viz import Drawing, plots

if TYPE_CHECKING:
    from . import Result

__all__ = ["FILES", "summary_table", "verdict", "write_files"]

FILES = ("report.md", "curves.png", "graph.svg", "graph.html", "graph.dot", "gradients.npz")
"""The names of all files that are written."""


def summary_table(result: Result) -> check.Comparison:
    """The table: equal bits and ULPs over all steps, the other witnesses at the end of training."""
    return check.Comparison(
        [
            row._replace(
                equal_bits=row.equal_bits and result.worst_ulps[row.name] == 0,
                ulps=None if row.ulps is None or (worst := result.worst_ulps[row.name]) is None else max(row.ulps, worst),
            )
            for row in result.end.rows
        ],
        result.end.loss,
        result.end.manual_loss,
    )


def verdict(result: Result) -> str:
    """What was found, in sentences."""
    steps, parameters = f"{result.steps:,} step{'s' * (result.steps != 1)}", len(result.worst_ulps)
    lines = [f"Test accuracy {result.accuracy:.2%} ({result.samples[1]:,} samples, {result.test_data})."]
    if result.ok:
        lines.append(
            f"{steps} compared: at every one all {parameters} gradients, by the engine and by hand, were equal bit for bit."
        )
    else:
        lines.append(f"{steps} compared: THE GRADIENTS DIFFER. First at {result.first_difference}.")
    return "\n".join(lines)


def write_files(result: Result, folder: Path, model: MLP, batch: tuple[Array, Array], drawing: Drawing) -> None:
    """The report and what it links to; the drawing is that of the first training step."""
    put(result, folder, "curves.png", plots.png(result.history.plot()))
    for name in ("graph.svg", "graph.html", "graph.dot"):
        drawing.save(folder / name)
        result.files.append(name)
    loss = check.loss_of(model, result.settings.loss, *batch, l2=result.settings.weight_decay)
    model.zero_grad()
    loss.backward()
    by_hand = check.manual_backprop(model, result.settings.loss, *batch, l2=result.settings.weight_decay).gradients
    arrays = {f"engine/{name}": p.grad for name, p in check.manual_names(model).items() if p.grad is not None}
    stream = io.BytesIO()
    np.savez(stream, **arrays, **{f"manual/{name}": g for name, g in by_hand.items()})  # type: ignore[arg-type]  # names with a slash
    put(result, folder, "gradients.npz", stream.getvalue())
    put(result, folder, "report.md", report(result).encode())


def put(result: Result, folder: Path, name: str, content: bytes) -> None:
    """Write a file in one go, and note it."""
    replace_file(folder / name, content)
    result.files.append(name)


def report(result: Result) -> str:
    """The report in Markdown."""
    settings = result.settings
    history = [
        f"| {record['epoch']:g} | "
        + " | ".join(f"{record[name]:.2%}" if "accuracy" in name else f"{record[name]:.4f}" for name in result.history.names)
        + " |"
        for record in result.history
    ]
    told = {name: value for name, value in vars(settings).items() if value is not None and name not in ("out", "data_dir", "sizes")}
    return "\n".join(
        [
            "# Two backprops, one gradient",
            "",
            verdict(result).replace("\n", "  \n"),
            "",
            "## The gradients",
            "",
            summary_table(result).markdown(),
            "",
            "*Equal bits*, *ULPs* (units in the last place): engine against manual backprop, the worst of all steps.",
            "*vs numeric*: relative difference to central differences on a sample of entries; *vs HIPS*: to HIPS autograd;",
            "both in float64, at the weights after the last step. Before the first step:",
            "",
            result.start.markdown(),
            "",
            "## Training",
            "",
            f"MLP {' → '.join(map(str, result.sizes))}; "
            + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items())
            + ".",
            "`weight decay` λ is the L2 term (λ/2) Σ ‖W‖² of what is minimised; both backprops differentiate it.",
            "The losses below are without it.",
            "",
            "![Loss and accuracy against epoch](curves.png)",
            "",
            "| epoch | " + " | ".join(name.replace("_", " ") for name in result.history.names) + " |",
            "|" + " --- |" * (1 + len(result.history.names)),
            *history,
            "",
            "## The graph of the first step",
            "",
            "[graph.html](graph.html) plays it in the browser, forward and backward, with the numbers; it needs no network.",
            "For Graphviz: [graph.dot](graph.dot).",
            "",
            "![The operations of one step, their formulas, and the gradients that flow back](graph.svg)",
            "",
            "The gradients of the first batch at the final weights, by both: [gradients.npz](gradients.npz),",
            "under `engine/W1`, `manual/W1` …",
            "",
            f"tinygrad_mlp {__version__}, NumPy {np.__version__}, Python {platform.python_version()}, {platform.machine()}.",
            "",
        ]
    )
