"""What values are called in a sentence: as the user's loss calls them, else Z1, A1, or the expression that they are."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

from ..graph import Node
from ..symbols.variables import stores
from .case import Case
from .parts import Layer, Piece
from .tape import Tape

__all__ = ["Naming"]

SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@", "pow": "**"}
SHORT = 28
"""Longer expressions are no names."""


def free(name: str, taken: set[str]) -> str:
    """A name that is not taken yet: Z1, else Z1_2 …"""
    number = 1
    while (found := name if number == 1 else f"{name}_{number}") in taken:
        number += 1
    taken.add(found)
    return found


class Naming:
    """The names of the values of one recorded loss; :class:`Landmarks` finds what is named.

    Attributes
    ----------
    tape, case, title, layers, pieces : as of :class:`Landmarks`
    names : the names of the values that have one
    """

    tape: Tape
    case: Case
    title: dict[Node, str]
    layers: list[Layer]
    pieces: list[Piece]
    names: dict[Node, str]

    def number(self, layer: Layer) -> str:
        """The number in the names of a layer's weights, W1 → 1, else its place."""
        digits = {d for name in layer.weights[:1] for d in re.findall(r"\d+", name)[-1:]}
        return digits.pop() if len(digits) == 1 else str(layer.number)

    def name_values(self) -> dict[Node, str]:
        """What the values are called: as the user's loss calls them, where a name is given once; else Z1, A1 …"""
        names: dict[Node, str] = dict(self.title)
        stored = {node: self.variable(node) for node in self.tape.forward}
        often = Counter(stored.values())
        names |= {node: name for node, name in stored.items() if name and often[name] == 1 and name not in self.tape.parameters}
        taken = set(names.values())
        for layer in self.layers:
            names.setdefault(layer.pre, free(f"Z{self.number(layer)}", taken))
        for piece in sorted(self.pieces, key=lambda piece: piece.wider):
            if piece.layer is not None and piece.last is not self.tape.loss:
                names.setdefault(piece.last, free(f"{'D' if piece.wider else 'A'}{self.number(piece.layer)}", taken))
        return names

    def variable(self, node: Node) -> str:
        """The variable in which the user's loss keeps a value."""
        if node.origin is None or node.op is None:
            return ""
        code, instruction = node.origin
        return stores(code).get(instruction, "")

    def name(self, node: Node) -> str:
        """A value's name in a sentence; of what has none, the expression if it is short."""
        if node in self.names:
            return self.names[node]
        text = self.expression(node)
        if text and len(text) <= SHORT:
            return text
        after = next((piece.name for piece in self.pieces if piece.first is node and piece.function is not None), "")
        return f"[the argument of {after}]" if after else f"[the result of {self.operation(node)}]"

    def expression(self, node: Node, depth: int = 3) -> str:
        """What a value is computed by, from values that have names; empty where that is not to be said in a line."""
        if node.op is None or depth == 0:
            return self.title.get(node, "")
        parts = [self.operand(x, depth) for x in node.inputs]
        plain = all(p is None or p is False or (isinstance(p, str) and p in ("mean", "sum")) for p in node.params.values())
        if not plain or not all(parts):
            return ""
        if len(parts) == 2 and node.op.name in SIGNS:
            return f"({parts[0]} {SIGNS[node.op.name]} {parts[1]})"
        if node.op.name == "linear":
            return f"({parts[0]} @ {parts[1]} + {parts[2]})"
        return f"{node.op.name}({', '.join(parts)})"

    def operand(self, x: Any, depth: int) -> str:
        """An operand in an expression."""
        if isinstance(x, Node):
            return self.names.get(x) or self.expression(x, depth - 1)
        if isinstance(x, (bool, int, float)) or (isinstance(x, np.ndarray) and x.ndim == 0):
            return f"{float(x):.4g}"
        if (
            isinstance(x, np.ndarray)
            and isinstance(self.case.X, np.ndarray)
            and x.shape == self.case.X.shape
            and np.array_equal(x, self.case.X)
        ):
            return "X"
        return "mask" if isinstance(x, np.ndarray) and x.ndim and len(np.unique(x)) <= 2 and 0 in x else ""

    def legend(self, text: str) -> dict[str, str]:
        """What the names in a text stand for that are not the user's own."""
        found = {}
        for node, name in self.names.items():
            formula = "" if node in self.title or name == self.variable(node) else self.expression(node)
            if formula and re.search(rf"\bd?{re.escape(name)}\b", text):
                found[name] = formula[1:-1] if formula.startswith("(") and formula.endswith(")") else formula
        return found

    def line(self, parameter: str) -> str:
        """The line of the chain rule that gives a parameter's gradient."""
        for layer in self.layers:
            over = 0 if layer.axis == 0 else 1
            Z, source = f"d{self.name(layer.pre)}", layer.product.inputs[layer.source]
            X = self.name(source) if isinstance(source, Node) else "X"
            if parameter in layer.biases:
                keep = ", keepdims=True" if self.tape.parameters[parameter].array.ndim > 1 else ""
                return f"d{parameter} = {Z}.sum(axis={over}{keep})"
            if parameter in layer.weights:
                return f"d{parameter} = {X}.T @ {Z}" if layer.weight == 1 else f"d{parameter} = {Z} @ {X}.T"
        return f"d{parameter} is the sum of what each use of {parameter} sends back"

    def operation(self, node: Node) -> str:
        """What computes a value."""
        return node.op.name if node.op is not None else self.title.get(node, "a constant")
