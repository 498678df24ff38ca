"""What is seen of a training: the live view of its history, with a bar over the steps of the epoch that runs."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

from ..errors import MissingExtraError
from ..history import History
from ..viz.liveview import Lines, Live, Screen, Terminal, line_of

__all__ = ["Progress", "Steps"]

BAR = 24


@dataclass
class Steps:
    """Where a training is within an epoch."""

    total: int
    epoch: int = 0
    done: int = 0
    loss: float = math.nan

    def start(self, epoch: int) -> None:
        """A new epoch."""
        self.epoch, self.done = epoch, 0

    def advance(self, loss: float) -> None:
        """One step more."""
        self.done += 1
        self.loss = loss


class Progress(Live):
    """:func:`tinygrad_mlp.viz.liveview.live`, with a bar of the steps below the table in a terminal.

    Where rich is not installed a terminal, too, gets a line for each record.

    Parameters
    ----------
    history, total, stream : as for ``live``
    steps : Steps
        Looked at whenever the table is drawn.
    line : function, optional
        How a record is written as a line, from a dict of its numbers, what is counted, and the total.

    Examples
    --------
    >>> history, steps = History(), Steps(total=2)
    >>> with Progress(history, 1, steps):
    ...     steps.start(epoch=1)
    ...     steps.advance(loss=0.9)
    ...     steps.advance(loss=0.7)
    ...     history.record(epoch=1, train_loss=0.6)
    epoch 1/1  loss 0.6 (train)
    """

    def __init__(
        self,
        history: History,
        total: float | None,
        steps: Steps,
        stream: TextIO | None = None,
        line: Callable[[dict[str, float], str, float | None], str] = line_of,
    ) -> None:
        super().__init__(history, total, stream)
        self.steps, self.line = steps, line

    def screen(self) -> Screen:
        """The screen of ``live``, with what is added here."""
        try:
            screen = super().screen()
        except MissingExtraError:
            screen = Lines(self.history, self.total, self.stream or sys.stdout)
        if isinstance(screen, Terminal):
            screen.footer = self.bar
        elif isinstance(screen, Lines):
            screen.line = self.line
        return screen

    def bar(self) -> Any:
        """The steps of this epoch, while it runs."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        steps, grid = self.steps, Table.grid(padding=(0, 2))
        if 0 < steps.done < steps.total:
            bar = ProgressBar(total=steps.total, completed=steps.done, width=BAR)
            grid.add_row(f"epoch {steps.epoch}", bar, f"{steps.done}/{steps.total} steps  loss {steps.loss:.4g}")
        return grid
