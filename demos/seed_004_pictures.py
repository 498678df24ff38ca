"""The pictures of seed_004.py that tg.plots does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import rivals
from numpy.typing import NDArray
from report import figure

Array = NDArray[Any]

COLOURS = ("#4d4d4d", "#0072b2", "#d55e00", "#009e73", "#cc79a7")
MARKS = ("", "o", "s", "^", "D")
"""Okabe and Ito's colours, and marks, so that colour is not all there is to tell programs apart."""


def axes(width: float, height: float, columns: int = 1, **settings: Any) -> list[Any]:
    """The axes of a new figure, side by side, without a box around them."""
    found: list[Any] = list(figure(width, height).subplots(1, columns, squeeze=False, **settings)[0])
    for ax in found:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="#e3e3e3", linewidth=0.6)
        ax.set_axisbelow(True)
    return found


def comparison(hand: rivals.Run, others: Sequence[rivals.Run]) -> Any:
    """Loss and accuracy against epoch: a broad line by hand, the others as marks on it. And their distance at each step."""
    loss_ax, accuracy_ax, gap_ax = axes(13, 4.0, 3)
    panels = ((loss_ax, "train_loss"), (accuracy_ax, "train_accuracy"), (accuracy_ax, "validation_accuracy"))
    farthest = max(float(np.abs(run.losses - hand.losses).max()) for run in others)
    looks: tuple[dict[str, Any], ...] = ({"linewidth": 5}, {"linewidth": 3}, {"linewidth": 1.6, "linestyle": "--"})
    for (ax, series), look in zip(panels, looks, strict=True):
        ax.plot(*hand.history.series(series), color="#bdbdbd", label=hand.history.name, **look)
    for i, run in enumerate(others, 1):
        marks: dict[str, Any] = {"color": COLOURS[i], "marker": MARKS[i], "linestyle": "none", "label": run.history.name}
        for ax, series in panels:
            ax.plot(*run.history.series(series), **marks, markersize=5, markevery=(4 * i, 20))
        gap = np.abs(run.losses - hand.losses)
        gap_ax.plot(np.arange(len(gap)) + 1, np.maximum(gap, 1e-17), **marks, markersize=3, markevery=(i, 5))
    loss_ax.set(xlabel="epoch", ylabel="loss, rows of the training")
    loss_ax.legend(frameon=False, fontsize="small")
    accuracy_ax.set(xlabel="epoch", ylabel="accuracy (dashed: rows held out)", ylim=(None, 1.02))
    accuracy_ax.yaxis.set_major_formatter("{x:.0%}")
    gap_ax.set(
        xlabel="step", ylabel="|loss − loss by hand|  (0 is drawn at 1e-17)", yscale="log", ylim=(5e-18, max(1e-15, 3 * farthest))
    )
    return loss_ax.figure


def experiment(found: Mapping[str, Array], quoted: Mapping[str, float], chance: float = 0.5) -> Any:
    """A dot a training, a bar for mean ± standard deviation; a row for each program, the right one on top."""
    panels = axes(11, 4.8, 2, sharey=True)
    for k, (ax, part) in enumerate(zip(panels, ("80 rows of the training", "20 rows held out"), strict=True)):
        for i, runs in enumerate(found.values()):
            values = runs[:, k]
            jitter = np.random.default_rng(0).uniform(-0.28, 0.28, len(values))
            colour = COLOURS[1] if i == 0 else COLOURS[2]
            ax.plot(values, -i + jitter, "o", color=colour, alpha=0.4, markersize=3.5, markeredgewidth=0)
            ax.errorbar(values.mean(), -i, xerr=values.std(ddof=1), fmt="|", color="black", markersize=14, capsize=4)
        for (name, value), line in zip(quoted.items(), ("-", "--"), strict=True):
            ax.axvline(
                value, color=COLOURS[3], linestyle=line, linewidth=1.4, zorder=0, label=f"the document's {name}, {value:.0%}"
            )
        ax.axvline(chance, color="#4d4d4d", linestyle=":", linewidth=1.4, zorder=0, label="chance")
        ax.set(xlabel=f"accuracy, {part}", xlim=(0.15, 1))
        ax.xaxis.set_major_formatter("{x:.0%}")
    panels[0].set_yticks([-i for i in range(len(found))], list(found), fontsize=8)
    panels[0].figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return panels[0].figure


def improvements(panels: Sequence[Mapping[str, Array]]) -> Any:
    """The training loss against the epoch, by the name of the setting: (epochs + 1,); panels share their axes."""
    found, colours = axes(10, 3.8, len(panels), sharey=True), iter((*COLOURS[1:], "#000000"))
    for ax, runs in zip(found, panels, strict=True):
        for (name, losses), style in zip(runs.items(), ("-", "--", "-."), strict=False):
            ax.plot(losses, style, color=next(colours), label=name, linewidth=1.8)
        ax.set(xlabel="epoch", yscale="log")
        ax.legend(frameon=False, fontsize="small", loc="lower left")
    found[0].set_ylabel("training loss, mean of trainings (log scale)")
    return found[0].figure


def output(z: Array, fused: Array, general: Array, clipped: Array) -> Any:
    """The derivative of the loss of one row with y = 1, in three forms."""
    ax = axes(6.4, 3.6)[0]
    ax.plot(z, fused, color="#56b4e9", linewidth=6, label="A − y, fused")
    ax.plot(z, general, color=COLOURS[0], linewidth=1.8, label="general form: 0 · ∞ from z = 37 up")
    ax.plot(z, clipped, "--", color=COLOURS[2], label="slope of the loss with A clipped")
    ax.set(xlabel="z", ylabel="∂loss/∂z, for y = 1")
    ax.legend(frameon=False, fontsize="small", loc="center right")
    return ax.figure
