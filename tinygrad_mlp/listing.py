"""The list of all functions with a gradient: what each is, its rules as they are written, its NumPy names, its kinks."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from .dispatch import is_numpys, name_of
from .namespace import HELPERS, constant_almost_everywhere
from .primitive import BY_NUMPY, COMPOSED, COMPOSED_BY_NUMPY, TABLE

__all__ = ["Entry", "count", "entries", "rules_as_written", "table"]


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
            lines += [f"    {line}" for line in (entry.text, f"at a kink: {entry.kink}" if entry.kink else "") if line]
    numbers = count()
    if not search:
        lines.append("")
        lines.append(
            f"{numbers['differentiable']} differentiable functions: {numbers['primitive']} primitives, each with its rules, and "
            f"{numbers['composed']} composed of them; {numbers['constant almost everywhere']} more are constant almost everywhere"
        )
    return "\n".join(lines)
