"""Several edits as one: one after the other, and the same mistake in all layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..kernels.shapes import Array
from .edit import Edit
from .tape import Change, Changes, Run

__all__ = ["merged", "together"]


def together(all_changes: Sequence[Changes]) -> dict[Any, Any] | None:
    """Several changes at once: at one value or parameter one after the other; None if two replace the same step."""
    found: dict[Any, Any] = {}
    for changes in all_changes:
        for site, change in changes.items():
            if site not in found:
                found[site] = change
            elif site[0] in ("at", "leaf"):
                found[site] = after(found[site], change)
            else:
                return None
    return found


def after(first: Change, second: Change) -> Change:
    """One change, then another."""

    def change(g: Array, run: Run) -> Array:
        return second(first(g, run), run)

    return change


def merged(edits: Sequence[Edit]) -> list[Edit]:
    """The edits, and for each mistake that several layers may share, the edit that makes it in all of them."""
    families: dict[tuple[Any, ...], list[Edit]] = {}
    for edit in edits:
        if edit.family:
            families.setdefault((edit.family, edit.label), []).append(edit)
    found = list(edits)
    for (family, label), members in families.items():
        places: dict[str, list[Edit]] = {}
        for edit in members:
            places.setdefault(edit.where, []).append(edit)
        found += [joined((*family, where), label, group) for where, group in places.items() if 1 < len(group) < len(members)]
        if len(members) > 1:
            found.append(joined(family, label, members))
    return found


def joined(family: tuple[Any, ...], label: str, members: Sequence[Edit]) -> Edit:
    """One mistake in several layers."""
    first = members[0]
    where = ", ".join(dict.fromkeys(edit.where for edit in members))
    words = listed([edit.words for edit in members])

    def changes(c: float) -> Changes:
        return together([edit.at(c) for edit in members]) or {}

    def named(c: float) -> tuple[str, str]:
        return members[0].named(c)[0], listed([edit.named(c)[1] for edit in members])

    constant = first.constant._replace(naming=named) if first.constant is not None else None
    together_ = changes if constant is not None else changes(0.0)
    local = all(edit.local for edit in members)
    return Edit(("all", *family), label, where, words, together_, first.right, constant, weight=first.weight, local=local)


def listed(words: Sequence[str]) -> str:
    """What was done at several places, each different thing once."""
    different = list(dict.fromkeys(words))
    return "; ".join(different) + (f" (at {len(words)} places)" if len(different) < len(words) else "")
