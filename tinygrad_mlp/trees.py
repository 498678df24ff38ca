"""Trees: tuples, lists and dicts of arrays, taken apart and put together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .errors import ShapeError

__all__ = ["leaves", "like", "matched"]


def leaves(tree: Any) -> Iterator[Any]:
    """What is at the ends of nested tuples, lists and dicts, in order."""
    if isinstance(tree, dict):
        for key in tree:
            yield from leaves(tree[key])
    elif isinstance(tree, (tuple, list)):
        for branch in tree:
            yield from leaves(branch)
    else:
        yield tree


def matched(tree: Any, form: Any, name: str) -> Iterator[Any]:
    """The ends of a tree in the order of another one of the same form; of dicts, the keys decide, not their order."""
    if isinstance(form, dict):
        if not isinstance(tree, dict) or tree.keys() != form.keys():
            raise ShapeError(f"{name}(): the keys {list(tree) if isinstance(tree, dict) else tree!r} do not fit {list(form)}")
        for key in form:
            yield from matched(tree[key], form[key], name)
    elif isinstance(form, (tuple, list)):
        if not isinstance(tree, (tuple, list)) or len(tree) != len(form):
            raise ShapeError(f"{name}(): {tree!r} does not fit a {type(form).__name__} of {len(form)}")
        for branch, part in zip(tree, form, strict=True):
            yield from matched(branch, part, name)
    else:
        yield tree


def like(tree: Any, values: Iterator[Any]) -> Any:
    """The values in the form of the tree."""
    if isinstance(tree, dict):
        return {key: like(branch, values) for key, branch in tree.items()}
    if isinstance(tree, (tuple, list)):
        branches = [like(branch, values) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    return next(values)
