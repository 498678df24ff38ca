"""The line of the user's backprop that a cause is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .edit import Edit

__all__ = ["line_of_cause"]


def line_of_cause(manual: Callable[..., Any] | None, edit: Edit) -> str:
    """``file:line: text`` of the line to change; empty if it cannot be told."""
    return ""
