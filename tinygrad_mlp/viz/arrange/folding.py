"""What is open at first: runs of equal units are folded, modules closed and long sequences divided, until the picture fits.

Nothing is left out: whatever is not shown is in a closed group that says how much it holds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from ...errors import SettingError, did_you_mean
from ..graph.ir import Graph, Group
from ..graph.labels import box_size, group_lines, number_word, title_width
from .outline import Outline

__all__ = ["BUDGET", "Expand", "fit"]

BUDGET = 40
"""So many boxes a reader takes in."""

LONGEST_UNIT = 12
"""Boxes in a unit that is repeated, at most."""

FEWEST = 4
"""Repetitions from which on they are folded: the first and the last one stay visible."""

AT_ONCE = 24
"""A folded run or a stretch opens into so many parts, at most; longer ones are divided again."""

Expand = str | int | Collection[str] | Callable[[Group], bool]
"""Which groups are open: "auto", "all", "none", those up to a depth, of given paths, or for which a function says so."""


def fit(graph: Graph, expand: Expand = "auto", fold: bool = True, budget: int = BUDGET, modules: bool = False) -> None:
    """Fold what is repeated, decide which groups are open, and write on each closed box what is in it.

    With ``modules``, and if nothing else is asked for, modules that have no modules inside are closed.

    Raises
    ------
    SettingError, UnknownNameError
        For an ``expand`` that is none of the above, and for paths of no module.
    """
    outline = Outline(graph)
    expand = checked(outline, expand)
    if modules and expand == "auto":
        close_innermost(outline)
    if fold and boxes(outline) > budget:
        fold_runs(outline)
    open_groups(outline, expand, budget)
    if expand == "auto" and fold and boxes(outline) > budget:
        divide(outline, budget)
    graph["groups"] = in_order(outline)
    for group in graph["groups"]:
        describe(outline, group)


def boxes(outline: Outline) -> int:
    """How many boxes are seen."""
    count, stack = 0, [*outline.children[None]]
    while stack:
        item = stack.pop()
        if item in outline.groups and outline.groups[item]["open"]:
            stack.extend(outline.children[item])
        else:
            count += 1
    return count


def close_innermost(outline: Outline) -> None:
    """Close the modules that have no modules inside."""
    for name, group in outline.groups.items():
        group["open"] = any(child in outline.groups for child in outline.children[name])


# --- equal units, one after the other -----------------------------------------------------------------------------------------


class Run(NamedTuple):
    """Equal units among the children of a group: where they begin, how many boxes one has, how many there are."""

    start: int
    period: int
    repeats: int


def fold_runs(outline: Outline) -> None:
    """Fold all runs in all groups, the outer ones first."""
    for parent in [None, *outline.groups]:
        children = outline.children[parent]
        signs = signatures(outline, children)
        links = Links(outline, parent)
        for run in reversed(runs(signs)):
            first = run.start + run.period
            units = [children[i : i + run.period] for i in range(first, run.start + run.period * (run.repeats - 1), run.period)]
            leaves = all(is_leaf(outline, item) for unit in units for item in unit)
            if units and (leaves or links.is_chain(first, run.period, len(units))):
                fold(outline, parent, units)


def signatures(outline: Outline, items: Sequence[str]) -> list[int]:
    """A number for each item: equal ones are of the same kind, with equal operations and shapes inside."""
    known: dict[Any, int] = {}
    found = []
    for item in items:
        group = outline.groups.get(item)
        inside = tuple((n["kind"], n["op"], tuple(n["shape"]), n["dtype"], n["formula"]) for n in outline.inside(item))
        key = (group["kind"], group["subtitle"], inside) if group is not None else inside
        found.append(known.setdefault(key, len(known)))
    return found


def runs(signs: Sequence[int]) -> list[Run]:
    """The runs of equal units, from left to right, the longest at each place, and of these that of the shortest units."""
    n = len(signs)
    equal: dict[int, list[int]] = {}
    for period in range(1, min(LONGEST_UNIT, n // FEWEST) + 1):
        ahead = [0] * (n + 1)  # for how many items on from i the item a period later is equal
        for i in range(n - period - 1, -1, -1):
            ahead[i] = ahead[i + 1] + 1 if signs[i] == signs[i + period] else 0
        equal[period] = ahead
    found, i = [], 0
    while i < n:
        best = Run(i, 1, 1)
        for period, ahead in equal.items():
            repeats = ahead[i] // period + 1
            if repeats >= FEWEST and repeats * period > best.period * best.repeats:
                best = Run(i, period, repeats)
        if best.repeats >= FEWEST:
            found.append(best)
            i += best.period * best.repeats
        else:
            i += 1
    return found


class Links:
    """Between which children of a group results flow. Leaves do not count: all layers may share a mask.

    Attributes
    ----------
    into, out_of : of each child, by its place, the places that results come from and go to; −1 and ``len`` are outside
    reach : how far results go at most that come from a place or from one before it
    """

    def __init__(self, outline: Outline, parent: str | None) -> None:
        siblings = outline.children[parent]
        index = {item: i for i, item in enumerate(siblings)}
        place = {node: index[child] for node, child in outline.below(parent).items()}
        end = len(siblings)
        self.into: list[set[int]] = [set() for _ in siblings]
        self.out_of: list[set[int]] = [set() for _ in siblings]
        for edge in outline.edges:
            source, target = place.get(edge["source"], -1), place.get(edge["target"], end)
            if source != target and outline.nodes[edge["source"]]["kind"] in ("op", "tensor"):
                if target < end:
                    self.into[target].add(source)
                if source >= 0:
                    self.out_of[source].add(target)
        self.reach = list(itertools.accumulate((max(targets, default=-1) for targets in self.out_of), max))

    def is_chain(self, start: int, period: int, units: int) -> bool:
        """Whether results flow from each unit to the next one only: in at the head, out at the tail, none past them all."""
        stop = start + period * units
        if start > 0 and self.reach[start - 1] >= stop:
            return False  # a connection that skips the run
        for i in range(start, stop):
            unit = (i - start) // period
            first, last = unit == 0, unit == units - 1
            near = range(start + (unit - 1) * period, start + (unit + 1) * period)
            if not first and any(j not in near for j in self.into[i]):
                return False  # from outside, or from an earlier unit than the last one
            if not last and any(j not in range(start, start + (unit + 2) * period) for j in self.out_of[i]):
                return False
        bounds = range(start + period, stop, period)
        return all(any(j < k for i in range(k, k + period) for j in self.into[i]) for k in bounds)  # else branches side by side


def fold(outline: Outline, parent: str | None, units: Sequence[Sequence[str]]) -> None:
    """Put a run into a closed group, which opens into its units, or into stretches of them."""
    group = new_group(outline, parent, "fold")
    outline.put_around(group, [item for unit in units for item in unit])
    if all(is_leaf(outline, item) for item in units[0]):
        kinds = {outline.nodes[item]["kind"] for unit in units for item in unit}
        group["title"] = number_word(sum(map(len, units)), kinds.pop() if len(kinds) == 1 else "input")
    else:
        unit = " → ".join(title_of(outline, item) for item in units[0] if not is_leaf(outline, item))
        ends = [
            outline.groups[i]["title"] if i in outline.groups else outline.nodes[i]["name"] for i in (units[0][0], units[-1][0])
        ]
        group["title"] = " … ".join(ends) if all(ends) and ends[0] != ends[1] else f"{len(units):,} times the same"
        group["subtitle"] = f"({unit}) × {len(units):,}"
    for item in outline.children[group["id"]]:
        if item in outline.groups:
            outline.groups[item]["open"] = False
    halve(outline, group["id"], len(units[0]), lambda start, stop: f"units {start + 2:,} … {stop + 1:,}")


def title_of(outline: Outline, item: str) -> str:
    """What an item in a folded unit is called: the kind of the module, the operation."""
    return (
        outline.groups[item]["subtitle"] or outline.groups[item]["title"] if item in outline.groups else outline.nodes[item]["op"]
    )


def is_leaf(outline: Outline, item: str) -> bool:
    """Whether an item is an input, a parameter or a constant."""
    return item in outline.nodes and outline.nodes[item]["kind"] not in ("op", "tensor")


# --- long sequences without a structure ---------------------------------------------------------------------------------------


def divide(outline: Outline, budget: int) -> None:
    """Put the middle of long sequences of boxes into closed groups, until the picture fits."""
    for parent in [None, *outline.groups]:
        seen = parent is None or all(outline.groups[g]["open"] for g in outline.lineage(parent))
        length = len(outline.children[parent])
        if not seen or length <= AT_ONCE or boxes(outline) <= budget:
            continue
        keep = max(3, min(10, budget // 4))
        group = new_group(outline, parent, "run")
        outline.put_around(group, outline.children[parent][keep : length - keep])
        name_stretch(outline, group)
        halve(outline, group["id"], 1, None)


def halve(outline: Outline, parent: str, step: int, title: Callable[[int, int], str] | None) -> None:
    """Divide the children of a group into stretches, and these again, until each opens into few parts; units stay whole."""
    todo = [parent]
    while todo:
        group = todo.pop()
        children = list(outline.children[group])
        units = math.ceil(len(children) / step)
        if units <= AT_ONCE:
            continue
        parts = min(AT_ONCE // 2, max(4, math.isqrt(units)))
        size = math.ceil(units / parts)
        for start in range(0, units, size):
            stop = min(units, start + size)
            part = new_group(outline, group, "run")
            outline.put_around(part, children[start * step : stop * step])
            if title is not None and group == parent:
                part["title"] = title(start, stop)
            else:
                name_stretch(outline, part)
            todo.append(part["id"])


def name_stretch(outline: Outline, group: Group) -> None:
    """A stretch is called after its first and last operation."""
    steps = [n for n in outline.inside(group["id"]) if n["kind"] == "op"]
    group["title"] = f"{steps[0]['op']} … {steps[-1]['op']}" if steps else "inputs and parameters"


def new_group(outline: Outline, parent: str | None, kind: str) -> Group:
    """A closed group; its identifier is that of all groups, counted on."""
    return {
        "id": f"g{len(outline.groups)}", "parent": parent, "kind": kind, "title": "", "subtitle": "", "path": "", "lines": [],
        "width": 0.0, "height": 0.0, "title_width": 0.0, "operations": 0, "parameters": 0, "numbers": 0, "shape": None, "warn": "",
        "open": False,
    }  # fmt: skip


# --- which groups are open ----------------------------------------------------------------------------------------------------


def open_groups(outline: Outline, expand: Expand, budget: int) -> None:
    """Open and close the groups of modules as asked; "auto" closes the deepest ones until the picture fits."""
    modules = [g for g in outline.groups.values() if g["kind"] in ("module", "phase")]
    if expand == "auto":
        for depth in sorted({outline.depth(g["id"]) for g in modules}, reverse=True):
            if boxes(outline) <= budget:
                break
            for g in modules:
                if outline.depth(g["id"]) == depth:
                    g["open"] = False
        return
    for g in outline.groups.values():
        if expand in ("all", "none"):
            g["open"] = expand == "all"
        elif callable(expand):
            g["open"] = bool(expand(g))
        elif isinstance(expand, int):
            g["open"] = g["kind"] in ("module", "phase") and outline.depth(g["id"]) < expand
        else:
            g["open"] = bool(g["path"]) and any(p == g["path"] or p.startswith(f"{g['path']}.") for p in expand)
    if callable(expand) or not isinstance(expand, (str, int)):
        for name, g in outline.groups.items():  # what is open inside a closed fold would not be seen
            if g["open"]:
                for around in outline.lineage(name):
                    outline.groups[around]["open"] = True


def checked(outline: Outline, expand: Any) -> Expand:
    """What was asked for, if that can be done."""
    known = ("auto", "all", "none")
    number = isinstance(expand, int) and not isinstance(expand, bool)
    if number or callable(expand) or (isinstance(expand, str) and expand in known):
        found: Expand = expand
        return found
    if isinstance(expand, (list, tuple, set, frozenset, dict)) and all(isinstance(path, str) for path in expand):
        paths = [g["path"] for g in outline.groups.values() if g["path"]]
        for path in expand:
            if path not in paths:
                raise did_you_mean("module", path, paths)
        return list(expand)
    raise SettingError(
        f"expand= is one of {', '.join(known)}, a depth, paths such as ['model.fc1'], or a function (got {expand!r})"
    )


# --- what closed boxes say ----------------------------------------------------------------------------------------------------


def in_order(outline: Outline) -> list[Group]:
    """The groups, parents before children."""
    found: list[Group] = []
    stack = [g for g in reversed(outline.children[None]) if g in outline.groups]
    while stack:
        group = stack.pop()
        found.append(outline.groups[group])
        stack.extend(g for g in reversed(outline.children[group]) if g in outline.groups)
    return found


def describe(outline: Outline, group: Group) -> None:
    """Count what is in a group, and write it on the box."""
    nodes = list(outline.inside(group["id"]))
    steps = [n for n in nodes if n["kind"] == "op"]
    parameters = [n for n in nodes if n["kind"] == "parameter"]
    group["operations"], group["parameters"] = len(steps), len(parameters)
    group["numbers"] = sum(n["value"]["size"] for n in parameters)
    group["shape"] = list(steps[-1]["shape"]) if steps else None
    gradients = [n["gradient"] for n in nodes if n["gradient"] is not None]
    if any(s["nan"] or s["inf"] for s in gradients) or any(n["value"]["nan"] for n in nodes):
        group["warn"] = "nan"
    elif gradients and all(s["zeros"] == s["size"] for s in gradients):
        group["warn"] = "zero"
    group["lines"] = group_lines(group)
    group["width"], group["height"] = box_size(group["lines"])
    group["title_width"] = title_width(group["title"], group["subtitle"])
