"""The list of all functions with a gradient: what each is, its rules as they are written, its NumPy names, its kinks."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .chainrule.local import Input, local
from .chainrule.notation import LATEX, PLAIN, Notation
from .dispatch import is_numpys, name_of
from .namespace import HELPERS, constant_almost_everywhere
from .primitive import BY_NUMPY, COMPOSED, COMPOSED_BY_NUMPY, TABLE, Primitive

__all__ = ["EXAMPLES", "Entry", "count", "entries", "formulas", "read", "rules_as_written", "table"]


class Entry(NamedTuple):
    """One function."""

    name: str
    kind: str  # "primitive", "composed", "constant almost everywhere" or "helper"
    numpy: tuple[str, ...]  # what it is called in NumPy
    text: str  # one sentence: what it computes
    kink: str


def numpy_names(function: Any, table: dict[Callable[..., Any], Any]) -> tuple[str, ...]:
    """The NumPy functions that mean this one, as one writes them."""
    return tuple(dict.fromkeys(name_of(other) for other, entry in table.items() if entry is function and is_numpys(other)))


def first_sentence(function: Callable[..., Any]) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")


def entries() -> list[Entry]:
    """Every function, primitives first, in the order of the tables."""
    found = []
    for name, op in TABLE.items():
        kind = "helper" if name in HELPERS else "constant almost everywhere" if constant_almost_everywhere(op) else "primitive"
        text = "" if is_numpys(op.forward) else first_sentence(op.forward)
        found.append(Entry(name, kind, numpy_names(op, BY_NUMPY), text, op.kink))
    for name, function in COMPOSED.items():
        found.append(Entry(name, "composed", numpy_names(function, COMPOSED_BY_NUMPY), first_sentence(function), ""))
    return found


def count() -> dict[str, int]:
    """How many functions of each kind there are; ``differentiable`` are the primitives and the composed ones."""
    kinds = [entry.kind for entry in entries()]
    numbers = {kind: kinds.count(kind) for kind in ("primitive", "composed", "constant almost everywhere", "helper")}
    return {"differentiable": numbers["primitive"] + numbers["composed"], **numbers}


def rules_as_written() -> dict[str, list[str]]:
    """The source of each primitive's rules, from the chapters of the table: ``g * (1 - z * z)``, or the name of a derivation."""
    found: dict[str, list[str]] = {}
    for path in sorted((Path(__file__).parent / "rules").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        for call in ast.walk(ast.parse(source)):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "primitive":
                name, _, *rules = call.args
                if isinstance(name, ast.Constant):
                    found[str(name.value)] = [written(source, rule) for rule in rules]
    return found


def written(source: str, rule: ast.expr) -> str:
    """A rule's text: the body of a lambda, or the name of a function."""
    if isinstance(rule, ast.Constant):
        return "no derivative"
    body = rule.body if isinstance(rule, ast.Lambda) else rule
    return " ".join((ast.get_source_segment(source, body) or "").split())


EXAMPLES: dict[str, tuple[list[tuple[int, ...]], dict[str, Any]]] = {
    "matmul": ([(2, 3), (3, 4)], {}), "linear": ([(2, 3), (3, 4), (4,)], {}), "vecdot": ([(2, 3), (2, 3)], {}),
    "contract": ([(2, 3), (3, 4)], {"subscripts": "ij,jk->ik"}), "convolve": ([(4,), (3,)], {}),
    "cross_entropy": ([(4, 3), (4,)], {}), "concat": ([(2, 3), (2, 1)], {"axis": 1}), "stack": ([(2, 3), (2, 3)], {}),
    "reshape": ([(2, 3)], {"shape": (6,)}), "broadcast_to": ([(1, 3)], {"shape": (2, 3)}), "squeeze": ([(2, 1, 3)], {"axis": 1}),
    "permute_dims": ([(2, 3)], {}), "roll": ([(4,)], {"shift": 1}), "getitem": ([(4, 3)], {"index": (slice(1, 3), 0)}),
    "scatter": ([(2,)], {"shape": (4, 3), "index": (slice(1, 3), 0)}), "setitem": ([(4, 3), (2,)], {"index": (slice(1, 3), 0)}),
    "astype": ([(2, 3)], {"dtype": np.dtype(np.float64)}), "recurrence": ([(4,), (4,)], {}),
    "cumulative_sum": ([(4,)], {"axis": 0}), "cumulative_prod": ([(4,)], {"axis": 0}),
    **{name: ([(2, 3)], {"axis": 1}) for name in ("sum", "mean", "prod", "max", "min", "var", "std", "logsumexp")},
    "linalg.vector_norm": ([(2, 3)], {"axis": 1}),
    **{f"linalg.{name}": ([(3, 3)], {}) for name in
       ("inv", "det", "cofactor", "logabsdet", "det_sign", "cholesky", "eigvalsh", "eigh_packed", "svdvals", "svd_packed", "pinv",
        "eig_packed", "eigvals", "left_vectors")},
    "linalg.part": ([(12,)], {"start": 3, "shape": (3, 3)}), "linalg.spectral": ([(3, 3)], {"f": "exp"}),
    "linalg.over_gap": ([(3, 3), (3, 3), (3, 3), (3,), (3, 3)], {}),
    "linalg.solve": ([(3, 3), (3, 2)], {}), "linalg.cofactor_dx": ([(3, 3), (3, 3)], {}), "linalg.qr_packed": ([(4, 3)], {}),
    **{f"fft.{name}": ([(4,)], {}) for name in ("fft", "ifft", "rfft", "irfft")},
    "conv": ([(2, 3, 8, 8), (4, 3, 3, 3), (4,)], {"stride": 2}),
    "conv_transpose": ([(2, 3, 4, 4), (3, 4, 3, 3), (4,)], {"stride": 2}),
    "conv_weight": ([(2, 3, 8, 8), (2, 4, 3, 3)], {"size": (3, 3), "stride": 2}), "windows": ([(5, 8)], {"size": (3,)}),
    "fold": ([(5, 6, 3)], {"shape": (8,)}), "max_pool": ([(2, 3, 4, 4)], {"size": 2}),
    **{name: ([places, (2, 3, 2, 2), (2, 3, 4, 4)], {"size": 2}) for name, places in
       (("max_spread", (2, 3, 2, 2)), ("max_pick", (2, 3, 4, 4)))},
}  # fmt: skip
"""The shapes and parameters at which a rule is read to print its formula, where they are not (2, 3) and the defaults."""

KINDS = {"cross_entropy": {1: "i"}, "where": {0: "?"}, "ldexp": {1: "i"}, "imag": {0: "D"}, "angle": {0: "D"}, "conj": {0: "D"},
         "linalg.over_gap": {4: "?"}, "linalg.det_sign": {0: "D"}, "sign": {0: "D"}, "fft.irfft": {0: "D"}}  # fmt: skip
"""Arguments of a formula that are not real numbers: integers, conditions, complex ones, for which the rule says more."""


def read(op: Primitive, notation: Notation = LATEX) -> tuple[list[tuple[str, str, str]], dict[str, Any]]:
    """The formulas of a primitive's rules, read with Symbols: what it is the gradient of, the left and the right side of each line.

    The last line of each rule is the gradient; lines before it are values that it uses, T₁ … The dict has the arrays of numbers
    that occur in them, by name.
    """
    shapes, given = EXAMPLES.get(op.name, ([(2, 3)] * len(op.rules), {}))
    letters = [f"x{i}" for i in range(1, len(shapes) + 1)] if op.variadic else list(op.arrays)
    kinds = KINDS.get(op.name, {})
    inputs = [Input(name, shape, kinds.get(i, "d")) for i, (name, shape) in enumerate(zip(letters, shapes, strict=True))]
    found = local(op, inputs, {**op.params, **given}, notation)
    lines: list[tuple[str, str, str]] = []
    for d in found.derivatives:
        lines += [("" if op.variadic else d.letter, left, right) for left, right in d.before]
        lines.append((d.letter, notation.gradient(notation.name(d.letter).text).text, d.text))
    return lines, found.arrays


def formulas(name: str, notation: Notation = PLAIN) -> list[str]:
    """The formulas of one primitive, a line each."""
    return [f"{left} = {right}" for _, left, right in read(TABLE[name], notation)[0]]


def table(search: str = "") -> str:
    """The list as text, for the command line; only the names that contain the search."""
    shown = [entry for entry in entries() if search in entry.name or any(search in name for name in entry.numpy)]
    rules = rules_as_written()
    lines = []
    for entry in shown:
        if entry.kind == "helper" and not search:
            continue
        lines.append(f"{entry.name:36} {entry.kind:28} {', '.join(entry.numpy)}")
        if search:
            op = TABLE.get(entry.name)
            names = op.arrays if op is not None else ()
            for i, rule in enumerate(rules.get(entry.name, [])):
                lines.append(f"    ∂L/∂{names[i] if i < len(names) and op and not op.variadic else 'inputs'} = {rule}")
                derivation = (
                    first_sentence(rule_itself) if rule.startswith("d.") and (rule_itself := op.rules[i] if op else None) else ""
                )
                lines += [f"        {derivation}"] if derivation else []
            if op is not None:
                lines += [f"    {'as a formula:' if i == 0 else '':13} {line}" for i, line in enumerate(formulas(entry.name))]
            lines += [f"    {line}" for line in (entry.text, f"at a kink: {entry.kink}" if entry.kink else "") if line]
    numbers = count()
    if not search:
        lines.append("")
        lines.append(
            f"{numbers['differentiable']} differentiable functions: {numbers['primitive']} primitives, each with its rules, and "
            f"{numbers['composed']} composed of them; {numbers['constant almost everywhere']} more are constant almost everywhere"
        )
    return "\n".join(lines)
