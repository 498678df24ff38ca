"""The table of the compare tab: autograd against manual backprop and against numeric differences, parameter by parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...chainrule.forms import operation
from ...check import Comparison, Diagnosis, relative_difference, same_bits
from ...doctor.sentences import page
from ...errors import SettingError, did_you_mean
from ...graph import Node
from ...kernels.shapes import Array
from .ir import Graph
from .labels import shape_text
from .numbers import short

__all__ = ["Slope", "compared", "numeric_slopes"]

AFFORDABLE = 60_000
"""So many operations are run again for the numeric differences, at most."""

TOLERANCE = 1e-5
STEP = 1e-6


class Slope(NamedTuple):
    """The derivative of the output along a random direction of one parameter.

    Attributes
    ----------
    numeric, autograd : by central differences, and by the gradient
    left, right : by differences to either side: at a kink they are far apart
    noise : what rounding may do to the differences
    """

    numeric: float
    autograd: float
    left: float
    right: float
    noise: float

    @property
    def difference(self) -> float:
        """Relative to the larger of the two."""
        return abs(self.numeric - self.autograd) / max(abs(self.numeric), abs(self.autograd), 1e-300)

    @property
    def finite(self) -> bool:
        """Whether there is something to compare."""
        return math.isfinite(self.numeric) and math.isfinite(self.autograd)

    @property
    def ok(self) -> bool:
        """Whether the gradient is the derivative, as far as differences can tell; at a kink, between those of both sides."""
        if not self.finite:
            return True  # there is nothing to compare
        if self.difference <= TOLERANCE or abs(self.numeric - self.autograd) <= self.noise:
            return True
        low, high = sorted((self.left, self.right))
        room = self.noise + TOLERANCE * max(abs(low), abs(high))
        return high - low > 10 * room and low - room <= self.autograd <= high + room


def numeric_slopes(
    order: Sequence[Node], seeds: Mapping[Node, Array], gradients: Mapping[Node, Array], seed: int = 0
) -> dict[Node, Slope]:
    """Differences in float64 along one random direction of each leaf; empty if that would take too long, or for complex numbers.

    The recorded operations are run again with the leaf moved: no function is needed. ``order`` has users before their inputs.
    """
    made = sorted((n for n in order if n.op is not None), key=lambda n: n.stamp)
    leaves = [n for n in order if n.op is None and n in gradients and n.array.dtype.kind == "f"]
    if 5 * len(made) * len(leaves) > AFFORDABLE or any(n.array.dtype.kind == "c" for n in order):
        return {}
    rng = np.random.default_rng(seed)
    weights = {node: g.astype(np.float64) for node, g in seeds.items()}

    def output(moved: dict[Node, Array]) -> float:
        values: dict[Node, Any] = dict(moved)
        for node in made:
            tracked, op = dict(node.edges), operation(node)
            if any(x in values for x in tracked.values()):
                given = [
                    values.get(tracked[i], doubled(a)) if i in tracked else doubled(a) for i, a in enumerate(node.arrays or ())
                ]
                # a conversion to single precision would only round
                values[node] = given[0] if op.name == "astype" else np.asarray(op.forward(*given, **node.params))
        return float(sum(np.sum(values.get(node, doubled(node.array)) * w) for node, w in weights.items()))

    found = {}
    with np.errstate(all="ignore"):
        for leaf in leaves:
            start = leaf.array.astype(np.float64)
            direction = rng.standard_normal(start.shape)
            direction /= max(float(np.sqrt(np.sum(direction**2))), 1e-300)
            h = STEP * max(1.0, float(np.sqrt(np.mean(start**2))) if start.size else 1.0)
            here = output({leaf: start})
            near = [output({leaf: start + step * h * direction}) for step in (1, -1, 2, -2)]
            numeric, wider = (near[0] - near[1]) / (2 * h), (near[2] - near[3]) / (4 * h)
            slope = float(np.sum(gradients[leaf].astype(np.float64) * direction))
            # the gradient has the rounding of its own dtype; that of the function is seen in how two steps differ
            rounding = 50 * float(np.finfo(leaf.array.dtype).eps) * float(np.sum(np.abs(gradients[leaf] * direction)))
            noise = 1e-15 * (abs(near[0]) + abs(near[1])) / h + 10 * abs(numeric - wider) + rounding
            found[leaf] = Slope(numeric, slope, (here - near[1]) / h, (near[0] - here) / h, noise)
    return found


def doubled(x: Any) -> Any:
    """Single precision as double precision."""
    return x.astype(np.float64) if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind == "f" else x


def compared(
    given: Any, graph: Graph, gradients: Mapping[str, Array] | None = None, slopes: Mapping[str, Slope] | None = None
) -> dict[str, Any]:
    """The table, from a Comparison, a Diagnosis, a dict of gradients by hand, or (None) numeric differences alone.

    Parameters
    ----------
    given : what the gradients are compared with
    graph : the description, whose nodes the rows are linked to by the parameters' names
    gradients, slopes : the engine's gradients and the numeric derivatives, by node

    Raises
    ------
    SettingError, UnknownNameError
        For something else, and for gradients of unknown names.
    """
    by_name = {n["name"]: n["id"] for n in graph["nodes"] if n["tracked"] and n["kind"] in ("parameter", "input")}
    if isinstance(given, Comparison):
        table = given.cells()
        rows = [
            row_of(cells, row.ok, by_name.get(row.path) or by_name.get(row.name))
            for cells, row in zip(table[1:], given.rows, strict=True)
        ]
        return {"verdict": given.verdict(), "header": table[0], "rows": rows, "notes": []}
    if isinstance(given, Diagnosis):
        report = page(given)
        notes = [f"{f.sentence} {' '.join(f'{title}: {text}' for title, text in f.lines)}".strip() for f in report.findings]
        notes += [f"{title}: {line}" for title, lines in report.sections for line in lines]
        rows = [
            row_of(cells, row.verdict == "right", by_name.get(row.name))
            for cells, row in zip(report.table[1:], given.rows, strict=False)
        ]
        return {"verdict": report.verdict, "header": report.table[0] if report.table else [], "rows": rows, "notes": notes}
    if given is not None and not isinstance(given, Mapping):
        raise SettingError(f"compare= is what check.compare or check.diagnose has returned, or a dict of gradients (got {given!r})")
    return by_hand(dict(given or {}), by_name, graph, gradients or {}, slopes or {})


def by_hand(
    manual: dict[str, Any], by_name: dict[str, str], graph: Graph, gradients: Mapping[str, Array], slopes: Mapping[str, Slope]
) -> dict[str, Any]:
    """Gradients by hand and numeric differences beside the engine's."""
    for name in manual:
        if name not in by_name:
            raise did_you_mean("parameter of the graph", name, by_name)
    why = "" if gradients else f"There are no gradients to compare with: {graph['why']}."
    if gradients and not manual and not slopes:
        why = "Not compared: numeric differences are of real numbers, and of graphs that can be run again often enough."
    if why:
        return {"verdict": why, "header": [], "rows": [], "notes": []}
    header = ["parameter", "shape", "‖gradient‖"]
    header += ["by hand"] * bool(manual) + ["numeric slope", "autograd's", "difference"] * bool(slopes)
    rows: list[dict[str, Any]] = []
    wrong: dict[str, list[str]] = {"by hand": [], "numerically": []}
    for node in graph["nodes"]:
        if node["id"] not in gradients:
            continue
        g, slope = gradients[node["id"]], slopes.get(node["id"])
        cells, ok = [node["name"], shape_text(node["shape"]), short(float(np.sqrt(np.sum(np.abs(g) ** 2))), 3)], True
        if manual:
            cells.append(told := hand_word(manual.get(node["name"]), g))
            if told.startswith(("differs", "shape", "no numbers")):
                ok = False
                wrong["by hand"].append(node["name"])
        if slopes:
            cells += (
                ["", "", ""] if slope is None else [short(slope.numeric, 5), short(slope.autograd, 5), short(slope.difference, 1)]
            )
            if slope is not None and not slope.ok:
                ok = False
                wrong["numerically"].append(node["name"])
        rows.append(row_of(cells, ok, node["id"]))
    named = [(node["name"], slopes[node["id"]]) for node in graph["nodes"] if node["id"] in slopes]
    said = [f"{', '.join(names)}: the gradient {how} differs from autograd's." for how, names in wrong.items() if names]
    agreed = " and with ".join([f"the {len(manual)} by hand"] * bool(manual) + ["numeric differences"] * bool(slopes))
    open_ones = [graph_name for graph_name, slope in named if not slope.finite]
    whole = f"All {len(rows)} gradients" if len(rows) > 1 else "The gradient"
    if open_ones and not said:
        said = [f"{', '.join(open_ones)}: not finite, so there is nothing to compare."]
    verdict = " ".join(said) or f"{whole}: autograd agrees with {agreed}."
    notes = ["Numeric: central differences in float64 along one random direction of each parameter."] if slopes else []
    return {"verdict": verdict, "header": header, "rows": rows, "notes": notes}


def hand_word(given: Any, g: Array) -> str:
    """How a gradient by hand compares with the engine's."""
    if given is None:
        return "not given"
    x = np.asarray(getattr(given, "array", given))
    if x.shape != g.shape:
        return f"shape {x.shape}"
    if x.dtype.kind not in "biufc":
        return f"no numbers, but {x.dtype}"
    if "c" in (x.dtype.kind, g.dtype.kind):  # both as pairs of real numbers
        x, g = (np.stack([np.real(a), np.imag(a)]) for a in (x, g))
    elif same_bits(g, x):
        return "equal bits"
    far = relative_difference(x.astype(np.float64), g.astype(np.float64))
    return f"equal to {far:.0e}" if far <= TOLERANCE else f"differs by {far:.0e}"


def row_of(cells: list[str], ok: bool, node: str | None) -> dict[str, Any]:
    """A row, linked to its box."""
    return {"cells": cells, "ok": ok, "node": node}
