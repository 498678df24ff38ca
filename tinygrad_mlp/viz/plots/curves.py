"""Curves of training: what a History holds against epochs or steps, one run or several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...errors import SettingError, ShapeError, TensorTypeError, did_you_mean, in_short
from ...history import PARTS, History, split_name
from .figures import COLOURS, MARKS, Panels, figure_of, one_ax, percent, tidy, wrapped

__all__ = ["histories"]

STYLES = {"train": "-", "validation": (0, (4, 1.5)), "test": (0, (1, 1)), "": "-"}
DECADE = 10.0
"""Losses that span more than this are drawn on a logarithmic axis."""

FEW = 40
"""So many records have a mark each; more would be a thick line."""

INSIDE, LONG, NAME = 8, 24, 40
"""A legend with more entries than this, or longer ones, stands beside the curves; the longest names have several lines."""


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
    runs = [runs] if isinstance(runs, History) or not isinstance(runs, Iterable) else list(runs)
    for run in runs:
        if not isinstance(run, History):
            raise TensorTypeError(f"histories() draws History objects (got {in_short(run)})")
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
        room, height = beside(runs, wanted)
        figure = figure_of((4.5 + room) * len(wanted) + 0.4, height)
        axes = Panels(figure.subplots(1, len(wanted), squeeze=False)[0])
    elif isinstance(ax, (list, tuple, np.ndarray)):
        axes = Panels(np.ravel(np.array(ax, object)))
        if len(axes) != len(wanted):
            raise ShapeError(f"{len(wanted)} quantities ({', '.join(wanted)}) need as many axes, these are {len(axes)}")
    else:
        axes, wanted = Panels([one_ax(ax)]), wanted[:1]
    for one, quantity in zip(axes, wanted, strict=True):
        draw_quantity(one, runs, quantity, outside=ax is None and room > 0)
    if ax is None and len(runs) == 1 and runs[0].name:
        axes.figure.suptitle(wrapped(runs[0].name, 50 * len(wanted)), fontsize=11)
    return axes if ax is None or len(axes) > 1 else axes[0]


def entry(runs: Sequence[History], i: int, name: str) -> str:
    """What the legend says of a series of the i-th run."""
    part, quantity = split_name(name)
    run = (runs[i].name or f"run {i + 1}") if len(runs) > 1 else ""
    return wrapped(" ".join(filter(None, [run, part])) or quantity, NAME)


def beside(runs: Sequence[History], quantities: Sequence[str]) -> tuple[float, float]:
    """Inches: how wide legends are that have no room among the curves, else 0, and how high the figure must be."""
    told = [[entry(runs, i, n) for i, run in enumerate(runs) for n in run.names if split_name(n)[1] == q] for q in quantities]
    most, lines = max(map(len, told)), [line for entries in told for one in entries for line in one.split("\n")]
    longest = max(map(len, lines))
    if most <= INSIDE and longest <= LONG:
        return 0.0, 3.4
    return 0.6 + 0.075 * longest, max(3.4, 0.7 + 0.19 * max(sum(one.count("\n") + 1 for one in entries) for entries in told))


def draw_quantity(ax: Any, runs: Sequence[History], quantity: str, outside: bool = False) -> None:
    """One quantity, all runs, all parts; the legend where there is room among the curves, or beside them."""
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
            finite = np.isfinite(values)
            ax.plot(at, np.where(finite, values, np.nan), linestyle=STYLES[part], label=entry(runs, i, name), **look)
            drawn.append(values[finite])
            if not finite.all():
                broken.append((at[~finite], look["color"], "_" if broken else "NaN or infinite"))
    for at, colour, label in broken:
        ax.plot(at, np.full(len(at), 0.97), "x", color=colour, markersize=6, transform=ax.get_xaxis_transform(), label=label)
    values = np.concatenate(drawn)
    if values.size and quantity.endswith("accuracy") and values.min() >= 0 and values.max() <= 1:
        percent(ax.yaxis)
    elif values.size and values.min() > 0 and values.max() > DECADE * values.min():
        ax.set_yscale("log")
    ax.set(xlabel=runs[0].by, ylabel=quantity)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    tidy(ax)
    where: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if outside else {}
    ax.legend(frameon=False, fontsize="small", **where)


def order(name: str) -> int:
    """Train, validation, test, and then what belongs to the run."""
    return (*PARTS, "").index(split_name(name)[0])
