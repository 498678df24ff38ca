"""What a program was made of: which tensors required gradients, which parameters and modules stood in which attributes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter, is_
from typing import Any

from ..graph import Node
from ..nn import Module
from ..nn import module as modules
from ..symbols import Trace
from ..tensor import Tensor

__all__ = ["Parts"]

TRACKED = attrgetter("tracked")


class Parts:
    """Notes the parts when a program is made, and tells whether they are the same still."""

    def __init__(self, trace: Trace, called: Iterable[tuple[Module, bool]], parameters: list[Tensor]) -> None:
        self.tensors = [node for node in trace.of_tensor if node.op is None]
        self.tracked = list(map(TRACKED, self.tensors))
        self.modules = list(dict.fromkeys([*(m for m, _ in called), *(m for m, _ in trace.modes)]))
        self.attributes = [attributes(module) for module in self.modules]
        self.parameters, self.listed = parameters, list(parameters)
        self.changes = modules.changes

    def hold(self) -> bool:
        """Whether nothing was frozen, replaced or regrouped since."""
        if list(map(TRACKED, self.tensors)) != self.tracked:
            return False
        if len(self.parameters) != len(self.listed) or not all(map(is_, self.parameters, self.listed)):
            return False
        if self.changes != modules.changes:  # somewhere; here?
            now = [attributes(module) for module in self.modules]
            if any(len(a) != len(b) or not all(map(is_, a, b)) for a, b in zip(now, self.attributes, strict=True)):
                return False
            self.changes = modules.changes
        return True


def attributes(module: Module) -> Sequence[Any]:
    """The parameters and modules in a module's attributes."""
    return [value for value in vars(module).values() if isinstance(value, (Node, Module))]
