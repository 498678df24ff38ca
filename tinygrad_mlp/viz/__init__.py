"""Drawing: computations as pictures and as a page that plays them, trainings as plots, live or afterwards."""

from __future__ import annotations

from . import plots
from .drawing import Drawing, draw, play
from .liveview import live

__all__ = ["Drawing", "draw", "live", "play", "plots"]
