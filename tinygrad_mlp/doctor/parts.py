"""What the values of a recorded loss are called here: layers, pieces, values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..graph import Node
from ..kernels.shapes import Array
from .functions import Function

__all__ = ["Layer", "Piece", "Value"]


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
