"""A training while it runs: a table with small curves in a terminal, a picture in a notebook, else a line for each record."""

from __future__ import annotations

import itertools
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from ..errors import SettingError, TensorTypeError, require
from ..history import PARTS, History, split_name

__all__ = ["Live", "live", "sparkline"]

PAUSE = 0.25
"""Seconds between two drawings, at least."""

DECADE = 10.0
"""Curves of what spans more than this are logarithmic."""

BARS = {"utf": "▁▂▃▄▅▆▇█", "ascii": "_.-~=+*#"}
WIDTH = 32
JUSTIFIED: tuple[Literal["left", "right"], ...] = ("left", "left", "right", "left", "left")


def live(history: History, total: float | None = None, stream: TextIO | None = None) -> Live:
    """A view that follows a history while it grows: open it with ``with``, and record as usual.

    In a terminal it is a table that is drawn in its place (rich, extra ``demos``): loss, accuracy and what else is recorded, each
    with a small curve; the epoch, the time, and with ``total`` the time that remains. In a notebook it is the picture of
    :func:`~tinygrad_mlp.viz.plots.histories`, replaced as the training goes on. Anywhere else (a pipe, a file) each record is
    a line. It is drawn at most four times a second, and once more at the end, also if the training is interrupted.

    Parameters
    ----------
    history : History
    total : number, optional
        At which epoch (or step) the training will be done.
    stream : text file, optional
        Where to write, in place of the screen.

    Examples
    --------
    >>> history = History()
    >>> with live(history, total=2):
    ...     history.record(epoch=1, train_loss=0.9, test_accuracy=0.5)
    ...     history.record(epoch=2, train_loss=0.4, test_accuracy=0.75)
    epoch 1/2  loss 0.9 (train)  accuracy 50.00% (test)
    epoch 2/2  loss 0.4 (train)  accuracy 75.00% (test)
    """
    return Live(history, total, stream)


class Live:
    """A view of a history for ``with``; made by :func:`live`."""

    def __init__(self, history: History, total: float | None = None, stream: TextIO | None = None) -> None:
        if not isinstance(history, History):
            raise TensorTypeError(f"live() follows a History (got {history!r})")
        if total is not None and (not isinstance(total, (int, float, np.number)) or not 0 < total < math.inf):
            raise SettingError(f"total must be a number above 0, the last epoch or step (got {total!r})")
        self.history, self.total, self.stream = history, total, stream
        self._screen: Screen | None = None

    def screen(self) -> Screen:
        """What the view is drawn on."""
        return screen_for(self.history, self.total, self.stream)

    def __enter__(self) -> Live:
        if self._screen is not None:
            raise SettingError("this view is open already: make another one with history.live()")
        self._screen = self.screen()
        try:
            self._screen.open()
        except BaseException:
            self._screen = None
            raise
        self.history._listeners.append(self._screen.changed)
        return self

    def __exit__(self, *exception: object) -> None:
        screen, self._screen = self._screen, None
        if screen is not None:
            self.history._listeners.remove(screen.changed)
            screen.close()


class Screen(Protocol):
    """What a view is drawn on."""

    def open(self) -> None:
        """Begin."""

    def changed(self) -> None:
        """A record has been added."""

    def close(self) -> None:
        """Draw the last state, and leave everything in order."""


def screen_for(history: History, total: float | None, stream: TextIO | None) -> Screen:
    """A notebook's display, a terminal, or lines."""
    if stream is None and (display := notebook()) is not None:
        return Notebook(history, total, display)
    out = stream or sys.stdout
    if getattr(out, "isatty", lambda: False)() and os.environ.get("TERM") != "dumb":
        return Terminal(history, total, out)
    return Lines(history, total, out)


def notebook() -> Any:
    """IPython's module for display, inside a kernel only; outside nothing is imported."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if getattr(shell, "kernel", None) is None:
        return None
    import importlib

    return importlib.import_module("IPython.display")


# --- the screens ------------------------------------------------------------------------------------------------------


class Lines:
    """A line for each record: for pipes and files, which are read later."""

    def __init__(self, history: History, total: float | None, out: TextIO) -> None:
        self.history, self.total, self.out = history, total, out
        self.told = len(history)
        self.names: list[str] = []
        self.line: Callable[[dict[str, float], str, float | None], str] = line_of

    def open(self) -> None:
        """Nothing to begin."""

    def changed(self) -> None:
        """Write what is new: records, or the series that a later call has added to the last one."""
        rows, by = list(self.history), self.history.by
        if rows and len(rows) == self.told:
            rows[-1] = {name: value for name, value in rows[-1].items() if name == by or name not in self.names}
            self.told -= 1
        for row in rows[self.told :]:
            print(self.line(row, by, self.total), file=self.out, flush=True)
        self.told, self.names = len(rows), list([*self.history][-1]) if rows else []

    def close(self) -> None:
        """All is written."""


class Terminal:
    """A table that is drawn in its place by rich, whose thread looks at the history four times a second."""

    def __init__(self, history: History, total: float | None, out: TextIO) -> None:
        require("rich", "demos", "the live view in a terminal")
        from rich.console import Console
        from rich.live import Live as RichLive

        self.history, self.total = history, total
        self.clock = Clock(history, total)
        self.console = Console(file=out)
        self.footer: Callable[[], Any] | None = None  # what else is drawn, below
        self.bars = BARS["utf" if "utf" in (self.console.encoding or "").lower() else "ascii"]
        self.view = RichLive(console=self.console, refresh_per_second=1 / PAUSE, get_renderable=self.table)

    def table(self) -> Any:
        """What is seen: a title, and a row for each series."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        title = Text(" ".join(filter(None, (self.history.name, self.clock.told()))))
        title.stylize("bold", 0, len(self.history.name))
        grid = Table.grid(padding=(0, 2))
        for justify in JUSTIFIED:
            grid.add_column(justify=justify, no_wrap=True)
        seen = ""
        for quantity, part, name in rows_of(self.history):
            at, values = self.history.series(name)
            best = best_of(quantity, at, values, self.history.by)
            colour = {"train": "blue", "validation": "yellow", "test": "green"}.get(part, "")
            curve = Text(sparkline(scaled(values), WIDTH, self.bars), style=colour)
            grid.add_row("" if quantity == seen else quantity, part, shown(quantity, float(values[-1])), curve, best)
            seen = quantity
        return Group(title, grid, *([self.footer()] if self.footer else []))

    def open(self) -> None:
        """Take the place."""
        self.view.start(refresh=True)

    def changed(self) -> None:
        """The thread draws."""
        self.clock.changed()

    def close(self) -> None:
        """The last state stays on the screen; rich gives the cursor back."""
        self.view.stop()


class Notebook:
    """One output of a cell, a picture that is replaced."""

    def __init__(self, history: History, total: float | None, display: Any) -> None:
        require("matplotlib", "pictures", "the live view in a notebook")
        self.history, self.total, self.display = history, total, display
        self.clock = Clock(history, total)
        self.handle: Any = None
        self.drawn = -math.inf
        self.pending = False

    def open(self) -> None:
        """Nothing is shown before the first record."""
        self.pending = bool(len(self.history))

    def changed(self) -> None:
        """Draw, unless something was drawn just now."""
        self.clock.changed()
        self.pending = True
        if time.monotonic() - self.drawn >= PAUSE:
            self.draw()

    def draw(self) -> None:
        """The picture of now, in the place of the one before."""
        from .plots import histories
        from .plots.figures import wrapped

        panels = histories(self.history)
        if self.total is not None:
            first, end = min(self.history.at[0], 1), max(self.total, self.history.at[-1])
            for ax in panels:
                ax.set_xlim(first - 0.03 * (end - first), end)
        title = "  ".join(filter(None, (self.history.name, self.clock.told())))
        panels.figure.suptitle(wrapped(title, 50 * len(panels)), fontsize=10)
        picture = self.display.Image(data=panels._repr_png_(), format="png")
        if self.handle is None:
            self.handle = self.display.display(picture, display_id=True)
        else:
            self.handle.update(picture)
        self.drawn, self.pending = time.monotonic(), False

    def close(self) -> None:
        """The last state, if it has not been drawn yet."""
        if self.pending:
            self.draw()


# --- words and bars ---------------------------------------------------------------------------------------------------


class Clock:
    """How far the training is, how long it has taken, and how long it will still take."""

    def __init__(self, history: History, total: float | None, now: Callable[[], float] = time.monotonic) -> None:
        self.history, self.total, self.now = history, total, now
        self.start = self.last = now()
        self.first = float(history.at[-1]) if len(history) else 0.0

    def changed(self) -> None:
        """A record has come."""
        self.last = self.now()

    def told(self) -> str:
        """Epoch 3/12, the time so far, the time that remains."""
        if not len(self.history):
            return "waiting for the first record"
        at = float(self.history.at[-1])
        words = [f"{self.history.by} {at:g}" + (f"/{self.total:g}" if self.total is not None else "")]
        words.append(duration(self.now() - self.start))
        if self.total is not None and self.first < at < self.total:
            each = (self.last - self.start) / (at - self.first)
            words.append(f"{duration(max(each * (self.total - at) - (self.now() - self.last), 0.0))} left")
        return "  ".join(words)


def duration(seconds: float) -> str:
    """A time: 0:07, 12:30, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rows_of(history: History) -> list[tuple[str, str, str]]:
    """Quantity, part and name of each series, by quantity, train first."""
    return [
        (quantity, part, name)
        for quantity in history.quantities
        for part in (*PARTS, "")
        for name in list(history.names)
        if split_name(name) == (part, quantity)
    ]


def shown(quantity: str, value: float) -> str:
    """A value: accuracies from 0 to 1 as per cent."""
    return f"{value:.2%}" if quantity.endswith("accuracy") and 0 <= value <= 1 else f"{value:.4g}"


def best_of(quantity: str, at: NDArray[np.float64], values: NDArray[np.float64], by: str) -> str:
    """Where a loss was least or an accuracy largest; of others nobody knows which is better."""
    if not quantity.endswith(("loss", "accuracy")) or not np.isfinite(values).any():
        return ""
    best = int(np.nanargmin(values) if quantity.endswith("loss") else np.nanargmax(values))
    return f"best {shown(quantity, float(values[best]))}, {by} {at[best]:g}"


def line_of(row: dict[str, float], by: str, total: float | None) -> str:
    """One record as a line: epoch 3/12  loss 0.1 (train) 0.2 (test)."""
    words = [f"{by} {row[by]:g}" + (f"/{total:g}" if total is not None else "")]
    names = [name for name in row if name != by]
    for quantity in dict.fromkeys(split_name(name)[1] for name in names):
        told = []
        for part in (*PARTS, ""):
            name = f"{part}_{quantity}" if part else quantity
            if name in row:
                told.append(shown(quantity, row[name]) + (f" ({part})" if part else ""))
        words.append(f"{quantity} {' '.join(told)}")
    return "  ".join(words)


def scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of what spans more than a decade, as the pictures have it; else the values."""
    finite = values[np.isfinite(values)]
    spans = finite.size > 0 and finite.min() > 0 and finite.max() > DECADE * finite.min()
    return np.log(np.where(np.isfinite(values), values, np.nan)) if spans else values


def sparkline(values: NDArray[np.float64], width: int = WIDTH, bars: str = BARS["utf"]) -> str:
    """A curve in one line of text: its range in eight steps; more values than places are averaged, ``!`` is not finite.

    >>> sparkline(np.array([4.0, 2.0, 1.0, float("nan"), 0.0]))
    '█▅▃!▁'
    """
    values = np.asarray(values, np.float64)
    if len(values) > width:
        borders = np.linspace(0, len(values), width + 1).astype(int)
        values = np.array([values[a:b].mean() for a, b in itertools.pairwise(borders)])
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "!" * len(values)
    low, reach = finite.min(), finite.max() - finite.min()
    steps = [round(float((v - low) / reach) * (len(bars) - 1)) if reach and np.isfinite(v) else 0 for v in values]
    return "".join(bars[step] if np.isfinite(v) else "!" for step, v in zip(steps, values, strict=True))
