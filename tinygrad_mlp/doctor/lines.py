"""The line of the user's backprop that a cause is about; nothing where it cannot be told."""

from __future__ import annotations

import ast
import linecache
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..graph import Node
from .case import key_of
from .edit import Edit, Scene
from .program import DEPTH, Program, has_factor, names_in, operands, placed, wrapped_name

__all__ = ["line_of_cause", "line_of_exception"]


FACTORS = {
    "missing_batch_mean",
    "double_batch_mean",
    "constant_factor",
    "sign_flipped",
    "accumulated",
    "partial_batch",
    "gradient_zero",
}
"""Causes that may stand where dZ is made as well as in every line that uses it."""


def line_of_cause(manual: Callable[..., Any] | None, edit: Edit, scene: Scene | None = None, label: str = "") -> str:
    """``file:line: text`` of the line to change; empty if it cannot be told.

    Parameters
    ----------
    manual : the backprop by hand
    edit : what was done
    scene : the case whose backward pass the edit changes
    label : that of the cause, where the edit's own depends on its constant
    """
    if manual is None or scene is None:
        return ""
    try:
        program = Program.of(manual)
        line = Place(program, edit, scene, label or edit.label).line() if program is not None else None
        return program.quoted(line) if program is not None and line is not None else ""
    except Exception:  # the source may be anything; a report without this line is still a report
        return ""


def line_of_exception(error: BaseException) -> str:
    """``file:line: text`` of the last line of the user's that was running; empty if there is none."""
    package = Path(__file__).parent.parent
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        path = Path(code.co_filename)
        if package in path.parents or "site-packages" in path.parts:
            continue
        text = linecache.getline(code.co_filename, line, frame.f_globals).strip()
        place = placed(code.co_filename)
        where = f"{place}:{line}" if place else f"{code.co_name}(), line {line - code.co_firstlineno + 1}"
        found = f"{where}: {text}" if text else where
    return found


class Place:
    """Where in a program the step of an edit is."""

    def __init__(self, program: Program, edit: Edit, scene: Scene, label: str) -> None:
        self.program, self.edit, self.scene, self.label = program, edit, scene, label

    def line(self) -> int | None:
        """The line; None if it is not certain."""
        changes = self.edit.at(self.edit.start)
        touched = self.scene.tape.touched(changes)
        if self.edit.local:
            return self.of_parameter(touched[0]) if len(touched) == 1 else None
        layers = self.scene.marks.layers
        for (kind, node, *rest), change in changes.items():
            if kind == "edge" and any(node is layer.product and rest[0] == layer.source for layer in layers):
                return self.sent_on(next(layer for layer in layers if layer.product is node), touched)
            target: Any = node if kind == "at" else change[0] if kind == "jump" else None
            if kind == "edge":
                target = dict(node.edges).get(rest[0])
            if target is self.scene.tape.loss:
                outputs = [layer for layer in layers if layer.output]
                target = outputs[0].pre if len(outputs) == 1 else None
            if len(changes) == 1 and isinstance(target, Node) and target in self.scene.marks.layer_of:
                return self.of_delta(self.scene.marks.layer_of[target])
        return None

    # --- a parameter --------------------------------------------------------------------------------------------------

    def entry(self, name: str) -> tuple[ast.expr, int] | None:
        """What is returned for a parameter."""
        answer = self.program.answer
        key = key_of(name, answer, self.scene.case.params)
        return answer[key] if key is not None else None

    def computing(self, name: str) -> list[tuple[int, ast.expr, int]]:
        """The lines that compute what is returned for a parameter: (line, expression, steps before it)."""
        entry = self.entry(name)
        if entry is None:
            return []
        value, at = entry
        found: list[tuple[int, ast.expr, int]] = []
        for _ in range(DEPTH):
            inner = wrapped_name(value)
            if not isinstance(value, ast.Name):
                found.append((value.lineno, value, at))
                if sum(inner in names_in(step.value) for step in self.program.steps if step.name != inner) > 1:
                    break  # it is used elsewhere too: a gradient on the way, not that of the parameter
            steps = [i for i in self.program.made(inner, at) if not Program.is_start(self.program.steps[i])] if inner else []
            if not steps:
                break
            *changes, first = steps
            found += [(self.program.steps[i].line, self.program.steps[i].value, i) for i in changes]
            value, at = self.program.steps[first].value, first
            if not isinstance(value, ast.Name) and wrapped_name(value) is None:
                found.append((self.program.steps[first].line, value, first))
                break
        return found

    def of_parameter(self, name: str) -> int | None:
        """The line that computes its gradient; of several the one that the label speaks of."""
        found = {line: value for line, value, _ in self.computing(name)}
        if len(found) > 1:
            penalty = {line: value for line, value in found.items() if name in ast.unparse(value).replace(f"d{name}", "")}
            rest = {line: value for line, value in found.items() if line not in penalty}
            found = penalty if self.label.startswith("l2") and penalty else rest
        if len(found) > 1 and self.label in ("missing_batch_mean", "double_batch_mean", "constant_factor"):
            found = {line: value for line, value in found.items() if has_factor(value)}
        if len(found) > 1 and self.label == "transposed":
            found = {line: value for line, value in found.items() if ast.unparse(value).endswith(".T")}
        return next(iter(found)) if len(found) == 1 else None

    # --- the gradient of a layer --------------------------------------------------------------------------------------

    def delta(self, name: str) -> tuple[str, int] | None:
        """The name of the gradient that a parameter's is built from, and the number of steps before its use."""
        labels = self.program.arguments[1] if len(self.program.arguments) > 1 else ""
        found = set()
        for _, value, at in self.computing(name):
            for part in operands(value):
                if self.program.depends(part, at, labels):
                    found.add((part.id if isinstance(part, ast.Name) else "", at))
        return found.pop() if len(found) == 1 else None

    def of_delta(self, layer: Any) -> int | None:
        """The last assignment of dZ before dW and db are computed."""
        parameters = [*layer.weights, *layer.biases]
        uses = [self.delta(name) for name in parameters]
        known = {use[0] for use in uses if use is not None}
        if len(known) != 1 or "" in known or uses[0] is None:
            return None
        if self.label in FACTORS and any(has_factor(value) for name in parameters for _, value, _ in self.computing(name)):
            return None  # the factor may be there
        (name,) = known
        steps = [self.program.made(name, use[1]) for use in uses if use is not None]
        if not steps[0] or any(s != steps[0] for s in steps):
            return None
        made = [self.program.steps[i] for i in steps[0]]
        if self.label in ("label_error", "softmax_wrong_axis"):
            return self.forward(steps[0])
        if self.label == "double_batch_mean":
            made = [s for s in made if has_factor(s.value)]
            return made[0].line if len(made) == 1 else None
        return made[0].line

    def forward(self, start: list[int]) -> int | None:
        """Of what a gradient is made of, the one line that takes the labels, or that normalises."""
        word = self.program.arguments[1]
        seen: set[int] = set()
        front = list(start)
        while front:
            i = front.pop()
            if i not in seen:
                seen.add(i)
                front += [j for name in names_in(self.program.steps[i].value) for j in self.program.made(name, i)]
        steps = [self.program.steps[i] for i in seen]
        if self.label == "label_error":
            lines = {s.line for s in steps if word in names_in(s.value)}
        else:
            lines = {s.line for s in steps if "softmax(" in (text := ast.unparse(s.value)) or ("sum(" in text and "/" in text)}
        return lines.pop() if len(lines) == 1 else None

    def sent_on(self, layer: Any, touched: list[str]) -> int | None:
        """The assignment, on the way to the parameters below, that uses the gradient of this layer."""
        use = next((use for name in layer.weights if (use := self.delta(name)) is not None), None)
        if use is None or not use[0]:
            return None
        source = set(self.program.made(*use))
        own = {line for name in (*layer.weights, *layer.biases) for line, _, _ in self.computing(name)}
        seen: set[int] = set()
        front = [i for name in touched for _, value, at in self.computing(name) for i in self.before(value, at)]
        lines = set()
        while front:
            i = front.pop()
            if i in seen or i in source:
                continue
            seen.add(i)
            inner = self.before(self.program.steps[i].value, i)
            if source & set(inner) and self.program.steps[i].line not in own:
                lines.add(self.program.steps[i].line)
            front += inner
        return lines.pop() if len(lines) == 1 else None

    def before(self, value: ast.expr, at: int) -> list[int]:
        """The steps that made what an expression is made of."""
        return [i for name in names_in(value) for i in self.program.made(name, at)]
