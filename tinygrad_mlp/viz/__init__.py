"""Drawing: computations as pictures and as a page that plays them, trainings as plots."""

from __future__ import annotations

from .drawing import Drawing, draw, play

__all__ = ["Drawing", "draw", "play"]
