"""What the values of a recorded loss are: layers, pre-activations, activations, outputs; found by what they compute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..graph import Node
from ..kernels.shapes import Array
from ..trees import leaves
from .case import Case
from .functions import recognised
from .naming import Naming
from .parts import Layer, Piece, Value
from .tape import Tape

__all__ = ["Landmarks"]

RECTIFIERS = {"relu", "maximum", "where", "multiply"}
"""The operations of which a result that equals max(0, x) is a ReLU, also where all x are positive."""

LINEAR = {"add", "subtract", "positive", "negative"}

PRODUCTS = {"matmul", "linear", "contract", "vecdot"}


class Landmarks(Naming):
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
        lasts: set[Node] = set()
        for node in self.tape.forward:
            for first in self.starts(node):
                if first in self.known and first not in lasts:  # inside another one: 1 − sigmoid(z) is sigmoid(−z)
                    continue
                layer = self.layer_of.get(first)
                known = recognised(first.array, node.array) if layer is not None or self.tape.users[first] else None
                trivial = known is not None and known[0] == "relu" and node.op is not None and node.op.name not in RECTIFIERS
                if known is not None and not trivial:
                    found.append(Piece(first, node, *known, layer, self.slope(first, node)))
                    lasts.add(node)
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
