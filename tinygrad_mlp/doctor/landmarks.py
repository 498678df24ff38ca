"""What the values of a recorded loss are: layers, pre-activations, activations, outputs; found by what they compute."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..graph import Node
from ..kernels import activations as kernels
from ..kernels.shapes import Array
from ..symbols.variables import stores
from ..trees import leaves
from .case import Case
from .tape import Tape

__all__ = ["SLOPES", "Function", "Landmarks", "Layer", "Piece", "Value"]

RECTIFIERS = {"relu", "maximum", "where", "multiply", "clip"}
"""The operations of which a result that equals max(0, x) is a ReLU, also where all x are positive."""

SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@", "pow": "**"}
SHORT = 28
"""Longer expressions are no names."""

LINEAR = {"add", "subtract", "positive", "negative"}

PRODUCTS = {"matmul", "linear", "contract", "vecdot"}


class Function(NamedTuple):
    """A well-known activation: itself, its derivative from z, and from a = f(z)."""

    value: Callable[[Array], Array]
    from_z: Callable[[Array], Array]
    from_a: Callable[[Array], Array]
    of_z: str
    of_a: str


def sigmoid(z: Array) -> Array:
    return kernels.sigmoid(z)


SLOPES: dict[str, Function] = {
    "relu": Function(lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0), lambda a: 1.0 * (a > 0), "(Z > 0)", "(A > 0)"),
    "tanh": Function(np.tanh, lambda z: 1 - np.tanh(z) ** 2, lambda a: 1 - a * a, "1 - np.tanh(Z)**2", "1 - A**2"),
    "sigmoid": Function(
        sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z)), lambda a: a * (1 - a), "sigmoid(Z) * (1 - sigmoid(Z))", "A * (1 - A)"
    ),
    "leaky_relu": Function(
        lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01), lambda a: np.where(a > 0, 1, 0.01),
        "np.where(Z > 0, 1, 0.01)", "np.where(A > 0, 1, 0.01)",
    ),
    "softplus": Function(
        lambda z: np.logaddexp(0, z), lambda z: sigmoid(z), lambda a: 1 - np.exp(-a), "sigmoid(Z)", "1 - np.exp(-A)"
    ),
}  # fmt: skip


def leaky(k: float) -> Function:
    """Leaky ReLU with a slope k."""
    text = f"np.where({{}} > 0, 1, {k:g})"
    return Function(
        lambda z: np.where(z > 0, z, k * z),
        lambda z: np.where(z > 0, 1, k),
        lambda a: np.where(a > 0, 1, k),
        text.format("Z"),
        text.format("A"),
    )


class Value(NamedTuple):
    """A value that a backprop might take in place of another.

    ``kind`` is data, pre (before the activation), act (after it), param, value (another one of the forward pass), or delta (a
    gradient); ``layer`` is the number of the layer that it belongs to, 0 for none.
    """

    array: Array
    name: str
    kind: str
    layer: int
    key: Any


@dataclass
class Layer:
    """A product with parameters, and what belongs to it.

    Attributes
    ----------
    number : 1 for the first
    product : the node of the product; ``weight`` and ``source`` are the positions of the weight and of the input in it
    pre : the value before the activation: the product, with its bias
    weights, biases : names of parameters
    bias_edges : where gradients are sent to the biases
    """

    number: int
    product: Node
    weight: int
    source: int
    pre: Node
    weights: list[str]
    biases: list[str] = field(default_factory=list)
    bias_edges: list[tuple[Node, int, str]] = field(default_factory=list)
    output: bool = False

    @property
    def axis(self) -> int:
        """The axis of the samples in its values: rows in Z = X W + b, columns in Z = W X + b."""
        return -1 if self.weight == 0 and self.pre.array.ndim == 2 else 0

    @property
    def title(self) -> str:
        """What it is called in a sentence."""
        return f"layer {self.number}"


class Piece(NamedTuple):
    """A piece of the computation from one value to one other of the same shape.

    Attributes
    ----------
    first, last : the values at its ends
    name : of a well-known function, or of the operation
    function : the well-known function, or None
    layer : the layer whose pre-activation is ``first``, if it is one
    slope : the derivative, entry by entry
    wider : whether a shorter piece from the same value is a well-known function
    """

    first: Node
    last: Node
    name: str
    function: Function | None
    layer: Layer | None
    slope: Array
    wider: bool = False


def free(name: str, taken: set[str]) -> str:
    """A name that is not taken yet: Z1, else Z1_2 …"""
    number = 1
    while (found := name if number == 1 else f"{name}_{number}") in taken:
        number += 1
    taken.add(found)
    return found


class Landmarks:
    """The layers and pieces of one recorded loss."""

    def __init__(self, tape: Tape, case: Case) -> None:
        self.tape, self.case, self.m = tape, case, case.m
        self.title = {p: name for name, p in tape.parameters.items()}
        self.data = self.on_data()
        self.layers = self.find_layers()
        self.layer_of = {layer.pre: layer for layer in self.layers}
        self.known: set[Node] = set()
        """The values inside a piece that is a well-known function, its result included."""
        self.pieces = self.find_pieces()
        self.names = self.name_values()

    def on_data(self) -> set[Node]:
        """The values that depend on arrays besides the parameters."""
        found: set[Node] = set()
        for node in self.tape.forward:
            inputs = node.inputs if node.op is not None else ()
            arrays = [x for x in inputs if isinstance(x, np.ndarray) and x.ndim]
            if arrays or any(
                isinstance(x, Node) and (x in found or (x.op is None and x not in self.title and x.array.size > 1)) for x in inputs
            ):
                found.add(node)
        if self.tape.loss not in found:  # an expression of the parameters alone: then all of it is what is computed
            return {node for node in self.tape.forward if node.op is not None}
        return found

    def pure(self, x: Any) -> bool:
        """Whether an operand is made of parameters only."""
        return isinstance(x, Node) and x.tracked and x not in self.data

    def roots(self, x: Node) -> list[str]:
        """The parameters that a value is made of."""
        return [self.title[n] for n in self.tape.below([x]) if n in self.title]

    def find_layers(self) -> list[Layer]:
        """The products of data with parameters, in the order of the computation."""
        found: list[Layer] = []
        for node in self.tape.forward:
            if node.op is None or node.op.name not in PRODUCTS or node not in self.data or len(node.inputs) < 2:
                continue
            edges = [i for i, x in node.edges if self.pure(x) and i < 2]
            if len(edges) != 1:
                continue
            layer = Layer(len(found) + 1, node, edges[0], 1 - edges[0], node, sorted(self.roots(node.inputs[edges[0]])))
            if node.op.name == "linear" and any(i == 2 for i, _ in node.edges):
                self.add_bias(layer, node, 2)
            while (user := self.only_bias_added(layer.pre)) is not None:
                side = next(i for i, x in user.edges if self.pure(x))
                self.add_bias(layer, user, side)
                layer.pre = user
            found.append(layer)
        above = {layer.number: self.tape.above(layer.pre) for layer in found}
        for layer in found:
            layer.output = not any(other.product in above[layer.number] and other is not layer for other in found)
        return found

    def add_bias(self, layer: Layer, node: Node, i: int) -> None:
        """Note a bias of a layer."""
        x = next(x for j, x in node.edges if j == i)
        for name in self.roots(x):
            layer.biases.append(name)
            if self.tape.parameters[name] is x:
                layer.bias_edges.append((node, i, name))

    def only_bias_added(self, node: Node) -> Node | None:
        """The sum of a value and a bias, if that is all that happens to it next."""
        users = self.tape.users[node]
        if len(users) != 1:
            return None
        user = users[0][0]
        others = [x for _, x in user.edges if x is not node]
        fits = user.op is not None and user.op.name in ("add", "subtract") and user.array.shape == node.array.shape
        return user if fits and len(others) == 1 and self.pure(others[0]) else None

    # --- pieces -------------------------------------------------------------------------------------------------------

    def starts(self, last: Node) -> Iterator[Node]:
        """The values from which ``last`` is computed entry by entry, the nearest first."""
        front, newest = {last}, last
        while newest.op is not None and newest.op.elementwise and newest.array.shape == last.array.shape:
            front.discard(newest)
            front.update(x for _, x in newest.edges)
            if len(front) == 1:
                (first,) = front
                if first.array.shape != last.array.shape or first not in self.data:
                    return
                yield first
            newest = max(front, key=lambda n: self.tape.index[n])

    def slope(self, first: Node, last: Node) -> Array:
        """∂last/∂first, entry by entry."""
        arrived = {last: np.ones_like(last.array)}
        inside = self.tape.below([last])
        for node in self.tape.order:
            if node in arrived and node is not first and node in inside:
                for i, x in node.edges:
                    sent = self.tape.pull(node, i, arrived[node])
                    arrived[x] = arrived[x] + sent if x in arrived else sent
        return arrived[first]

    def find_pieces(self) -> list[Piece]:
        """Well-known activations wherever they are, other elementwise operations between layers, one by one and together."""
        found: list[Piece] = []
        ends: dict[Node, Node] = {}
        for node in self.tape.forward:
            for first in self.starts(node):
                layer = self.layer_of.get(first)
                known = self.recognised(first.array, node.array) if layer is not None or self.tape.users[first] else None
                trivial = known is not None and known[0] == "relu" and node.op is not None and node.op.name not in RECTIFIERS
                if known is not None and not trivial:
                    found.append(Piece(first, node, *known, layer, self.slope(first, node)))
                    self.known |= self.tape.below([node]) - self.tape.below([first])
                    break
                if layer is not None:
                    ends[first] = node
        for first, last in ends.items():
            linear = last.op is not None and last.op.name in LINEAR
            if last not in self.known and not linear and not self.layer_of[first].output:
                wider = any(piece.first is first and self.masks_only(piece.last, last) for piece in found)
                slope = self.slope(first, last)
                found.append(Piece(first, last, self.operation(last), None, self.layer_of[first], slope, wider))
        return found

    def masks_only(self, a: Node, b: Node) -> bool:
        """Whether b is a, times or divided by constants: an activation behind which dropout comes."""
        between = self.tape.below([b]) - self.tape.below([a])
        return all(len(n.edges) == 1 and n.op is not None and n.op.name in ("multiply", "divide", "where") for n in between)

    def inside(self, piece: Piece) -> set[Node]:
        """The values of a piece after its first one."""
        return self.tape.below([piece.last]) - self.tape.below([piece.first])

    def layer_number(self, piece: Piece) -> int:
        """The number of the layer that a piece belongs to, 0 for none."""
        return piece.layer.number if piece.layer is not None else 0

    def replayed(self, piece: Piece, array: Array) -> tuple[Array, Array]:
        """A piece computed from another array: its value and its slope."""
        values: dict[Node, Array] = {piece.first: array}
        inside = self.inside(piece)
        order = [node for node in self.tape.forward if node in inside]
        inputs: dict[Node, list[Any]] = {}
        with np.errstate(all="ignore"):
            for node in order:
                inputs[node] = list(node.arrays or ())
                for i, x in node.edges:
                    inputs[node][i] = values.get(x, x.array)
                if node.op is not None:
                    values[node] = np.asarray(node.op.forward(*inputs[node], **node.params))
            arrived: dict[Node, Array] = {piece.last: np.ones_like(array)}
            for node in reversed(order):
                for i, x in node.edges if node in arrived else ():
                    sent = self.tape.pull(node, i, arrived[node], values[node], inputs[node])
                    arrived[x] = arrived[x] + sent if x in arrived else sent
        return values[piece.last], arrived[piece.first]

    def recognised(self, z: Array, a: Array) -> tuple[str, Function] | None:
        """The well-known function that a is of z, by its values."""
        scale = float(np.max(np.abs(a), initial=0))
        if not np.isfinite(scale) or z.dtype.kind != "f":
            return None
        with np.errstate(all="ignore"):
            for name, function in SLOPES.items():
                if np.allclose(function.value(z), a, rtol=1e-12, atol=1e-14 * scale):
                    return name, function
            below = z < 0
            if below.any() and (z > 0).any() and np.array_equal(a[z > 0], z[z > 0]):
                k = float(np.median(a[below] / z[below]))
                if 0 < k < 1 and np.allclose(a[below], k * z[below], rtol=1e-12):
                    return "leaky_relu", leaky(k)
        return None

    # --- names --------------------------------------------------------------------------------------------------------

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

    def values(self) -> list[Value]:
        """All values of the forward pass, and the gradients of the pre-activations and activations."""
        found: list[Value] = []
        for x in leaves(self.case.X):
            if isinstance(x, np.ndarray) and x.dtype.kind in "biuf":
                found.append(Value(x.astype(np.float64), "X", "data", 0, ("X", len(found))))
        given = [value.array for value in found]
        seen: set[int] = set()
        acts = {piece.last: piece.layer for piece in self.pieces if piece.layer is not None}
        for node in self.tape.forward:
            key = self.tape.index[node]
            if node in self.title:
                found.append(Value(node.array, self.title[node], "param", 0, key))
            elif node in self.layer_of:
                found.append(Value(node.array, self.name(node), "pre", self.layer_of[node].number, key))
            elif node in acts:
                layer = acts[node]
                found.append(Value(node.array, self.name(node), "act", layer.number if layer else 0, key))
            elif node in self.data and node not in self.known and (node.array.ndim or not self.layers):
                found.append(Value(node.array, self.name(node), "value", 0, key))
            for i, x in enumerate(node.inputs or ()):
                if (
                    isinstance(x, np.ndarray)
                    and x.ndim
                    and x.dtype.kind == "f"
                    and id(x) not in seen
                    and not any(x.shape == a.shape and np.array_equal(x, a) for a in given)
                ):
                    seen.add(id(x))
                    found.append(Value(x, "a constant array", "data", 0, (key, i)))
        return found

    def deltas(self) -> list[Value]:
        """The gradients of the values of the forward pass."""
        found = []
        acts = {piece.last: piece.layer for piece in self.pieces if piece.layer is not None}
        for node in self.tape.forward:
            inner = node in self.known and node not in acts
            if node not in self.title and node in self.data and node.array.ndim and not inner:
                layer = self.layer_of.get(node) or acts.get(node)
                found.append(
                    Value(
                        self.tape.adjoint[node], f"d{self.name(node)}", "delta", layer.number if layer else 0, self.tape.index[node]
                    )
                )
        return found
