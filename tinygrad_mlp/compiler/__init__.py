"""Compiled functions and training steps: straight-line NumPy, written from the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import TensorTypeError
from ..optim import Optimizer
from .step import Step

__all__ = ["Step", "compile"]


def compile(f: Callable[..., Any], optimizer: Optimizer | None = None, **options: Any) -> Any:
    """A faster form of a training step."""
    if optimizer is None:
        raise TensorTypeError("not yet")
    return Step(f, optimizer, **options)
