"""What each step of a solution computes from what: which variables it uses, and which steps stand behind it."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from .markup import Marked, Step

__all__ = ["Chain", "expected", "same"]

TOLERANCE = 1e-5
"""Relative difference up to which two arrays are the same step: rounding in float64, an eps in a logarithm, float32 in places."""


class Chain:
    """The steps of a solution, and for each the steps whose results reach it."""

    def __init__(self, marked: Marked) -> None:
        self.steps = marked.steps
        reached: dict[str, set[str]] = {}
        names = {step.name for step in marked.steps}
        for node in statements(marked.solution):
            used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
            behind: set[str] = set()
            for name in used:
                behind |= ({name} & names) | reached.get(name, set())
            for n in ast.walk(node):
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store):
                    again = reached.get(n.id, set()) if isinstance(node, ast.AugAssign) else set()
                    reached[n.id] = behind | again
        self.behind = {step.name: reached.get(step.name, set()) - {step.name} for step in self.steps}

    def reaches(self, name: str) -> set[str]:
        """The steps that a step's result goes into."""
        return {other for other, behind in self.behind.items() if name in behind}


def statements(text: str) -> list[ast.stmt]:
    """The assignments of ``manual``, in the order of the file."""
    body = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef) and n.name == "manual"]
    found = [n for f in body[:1] for n in ast.walk(f) if isinstance(n, (ast.Assign, ast.AugAssign, ast.AnnAssign))]
    return sorted(found, key=lambda node: node.lineno)


def expected(step: Step, values: dict[str, Any], module: dict[str, Any]) -> Any:
    """What the right line of a step gives with somebody's own values; ``None`` if it cannot be computed from them."""
    right = step.code.partition("=")[2].strip()
    try:
        with np.errstate(all="ignore"):
            return eval(right, {**module, **values})  # noqa: S307  the author's line, in a file that was run already
    except Exception:  # the values are whatever the student made them
        return None


def same(a: Any, b: Any) -> bool:
    """Whether two values are one, rounding aside."""
    try:
        x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    except (TypeError, ValueError):
        return False
    if x.shape != y.shape:
        return False
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return False
    return bool(np.linalg.norm(x - y) <= TOLERANCE * max(np.linalg.norm(x), np.linalg.norm(y)) + 1e-300)
