"""Curves of training: what a History holds against epochs or steps, one run or several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...errors import SettingError, ShapeError, TensorTypeError, did_you_mean
from ...history import PARTS, History, split_name
from .figures import COLOURS, MARKS, Panels, figure_of, one_ax, percent, tidy

__all__ = ["histories"]

STYLES = {"train": "-", "validation": (0, (4, 1.5)), "test": (0, (1, 1)), "": "-"}
DECADE = 10.0
"""Losses that span more than this are drawn on a logarithmic axis."""

FEW = 40
"""So many records have a mark each; more would be a thick line."""


def histories(runs: Iterable[History] | History, ax: Any = None, quantities: Sequence[str] | None = None) -> Any:
    """Loss, accuracy and what else was recorded, of one run or of several in the same picture.

    Of one run, each part (train, validation, test) has a colour; of several, each run has one, and parts differ by their lines.
    The axis is logarithmic where a quantity spans more than a decade; epochs without a finite value are marked at the top.

    Parameters
    ----------
    runs : History, or several
    ax : Axes or sequence of Axes, optional
        One for each quantity. One Axes gets the first quantity (the loss); without any, a figure is made for all.
    quantities : sequence of str, optional
        Which to draw, ``["loss"]``; without it, all of the first run, then of the others.

    Returns
    -------
    Axes or Panels
        The one given; else the axes as a tuple with ``figure``.
    """
    runs = [runs] if isinstance(runs, History) else list(runs)
    for run in runs:
        if not isinstance(run, History):
            raise TensorTypeError(f"histories() draws History objects (got {run!r})")
    runs = [run for run in runs if len(run)]
    if not runs:
        raise SettingError("there is nothing to draw: no history has a record yet")
    if len({run.by for run in runs}) > 1:
        raise SettingError("some histories count epochs and some steps: draw them in two pictures")
    known = list(dict.fromkeys(quantity for run in runs for quantity in run.quantities))
    wanted = known if quantities is None else [quantities] if isinstance(quantities, str) else list(quantities)
    for quantity in wanted:
        if quantity not in known:
            raise did_you_mean("quantity", quantity, known)
    if ax is None:
        figure = figure_of(4.5 * len(wanted) + 0.4, 3.4)
        axes = Panels(figure.subplots(1, len(wanted), squeeze=False)[0])
    elif isinstance(ax, (list, tuple, np.ndarray)):
        axes = Panels(np.ravel(np.array(ax, object)))
        if len(axes) != len(wanted):
            raise ShapeError(f"{len(wanted)} quantities ({', '.join(wanted)}) need as many axes, these are {len(axes)}")
    else:
        axes, wanted = Panels([one_ax(ax)]), wanted[:1]
    for one, quantity in zip(axes, wanted, strict=True):
        draw_quantity(one, runs, quantity)
    if ax is None and len(runs) == 1 and runs[0].name:
        axes.figure.suptitle(runs[0].name, fontsize=11)
    return axes if ax is None or len(axes) > 1 else axes[0]


def draw_quantity(ax: Any, runs: Sequence[History], quantity: str) -> None:
    """One quantity, all runs, all parts."""
    from matplotlib.ticker import MaxNLocator

    drawn: list[Any] = []
    broken: list[tuple[Any, str, str]] = []
    for i, run in enumerate(runs):
        for name in sorted((n for n in run.names if split_name(n)[1] == quantity), key=order):
            part = split_name(name)[0]
            at, values = run.series(name)
            which = i if len(runs) > 1 else order(name) % len(PARTS)
            look: dict[str, Any] = {"color": COLOURS[which % len(COLOURS)], "linewidth": 1.6}
            look |= {"marker": MARKS[which % len(MARKS)], "markersize": 3.5} if len(at) <= FEW else {}
            label = " ".join(filter(None, [(run.name or f"run {i + 1}") if len(runs) > 1 else "", part])) or quantity
            finite = np.isfinite(values)
            ax.plot(at, np.where(finite, values, np.nan), linestyle=STYLES[part], label=label, **look)
            drawn.append(values[finite])
            if not finite.all():
                broken.append((at[~finite], look["color"], "_" if broken else "NaN or infinite"))
    for at, colour, label in broken:
        ax.plot(at, np.full(len(at), 0.97), "x", color=colour, markersize=6, transform=ax.get_xaxis_transform(), label=label)
    values = np.concatenate(drawn)
    if values.size and quantity == "accuracy" and values.min() >= 0 and values.max() <= 1:
        percent(ax.yaxis)
    elif values.size and values.min() > 0 and values.max() > DECADE * values.min():
        ax.set_yscale("log")
    ax.set(xlabel=runs[0].by, ylabel=quantity)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(ax)
    ax.legend(frameon=False, fontsize="small")


def order(name: str) -> int:
    """Train, validation, test, and then what belongs to the run."""
    return (*PARTS, "").index(split_name(name)[0])
