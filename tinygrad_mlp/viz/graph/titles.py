"""What values and whole pictures are called: after the variables of the user's lines, else after their use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...graph import Node, line_of
from .calls import Stretch, variable_of

__all__ = ["by_use", "heading", "source_line"]

COMMON_LETTERS = {
    "linear": ("X", "W", "b"), "matmul": ("X", "W"), "conv": ("X", "W", "b"), "cross_entropy": ("X", "y"), "mse_loss": ("X", "y"),
    "binary_cross_entropy_with_logits": ("X", "y"),
}  # fmt: skip
"""What leaves without a name are called, after their place in the first operation that uses them."""


def by_use(user: Node | None, place: int, kind: str) -> str:
    """The name of a leaf that has none."""
    common = COMMON_LETTERS.get(user.op.name, ()) if user is not None and user.op is not None else ()
    return common[place] if place < len(common) else kind


def source_line(node: Node) -> str:
    """The user's line, with the name of its file only; empty if it is in no file of Python's, but in the program that runs it."""
    path, colon, line = line_of(node).rpartition(":")
    name = Path(path).name
    is_source = name.endswith(".py") or (name.startswith("<") and not name.startswith("<frozen"))
    return f"{name}:{line}" if colon and is_source else ""


def heading(outputs: Sequence[Node], roots: Sequence[Stretch], variables: Sequence[Mapping[str, Any]]) -> str:
    """A title: the output's variable and the modules."""
    names = [variable_of(y, variables) for y in outputs]
    modules = dict.fromkeys(c.title.partition("@")[0] for c in roots if c.module is not None and c.module.parameters())
    what = ", ".join(name or "output" for name in names)
    return f"{what} of {', '.join(modules)}" if modules else what
