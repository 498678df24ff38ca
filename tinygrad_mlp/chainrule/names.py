"""What the values of a computation are called: as the user calls them, else after the textbooks."""

from __future__ import annotations

import builtins
import itertools
import keyword
import re
from collections.abc import Iterable, Mapping
from types import CodeType
from typing import Any

import numpy as np

from ..graph import Node
from ..nn import MLP, Linear, Module, Sequential
from ..symbols import Symbol
from ..symbols.variables import stores

__all__ = ["Names", "identifier", "known_objects", "name_values"]

RESERVED = {*keyword.kwlist, *dir(builtins), "np", "math"}
UNARY = {"relu", "leaky_relu", "elu", "hardtanh", "sigmoid", "log_sigmoid", "softplus", "softsign", "silu", "gelu", "tanh", "softmax",
         "log_softmax"}  # fmt: skip


def identifier(text: str) -> str:
    """A Python name that is like the text: fc1.weight → fc1_weight."""
    name = re.sub(r"\W", "_", text)
    return f"layer{name}" if name[:1].isdigit() else name or "x"


def parameter_names(module: Module, prefix: str = "") -> dict[Node, str]:
    """The names of a module's parameters: W1, b1, W2 … for a chain of Linear layers, else their dotted names."""
    layers = module.linears if isinstance(module, MLP) else list(module) if isinstance(module, Sequential) else []
    linears = [layer for layer in layers if isinstance(layer, Linear)]
    found: dict[Node, str] = {}
    if linears and sum(len(layer.parameters()) for layer in linears) == len(module.parameters()):
        for i, layer in enumerate(linears, 1):
            found[layer.weight] = f"{prefix}W{i}"
            if layer.bias is not None:
                found[layer.bias] = f"{prefix}b{i}"
        return found
    return {p: identifier(f"{prefix}{name}") for name, p in module.named_parameters()}


def known_objects(*sources: Mapping[str, Any]) -> dict[int, str]:
    """Names by the identity of Tensors and arrays, from variables; modules give the names of their parameters.

    With two modules, the names carry that of their module.
    """
    found: dict[int, str] = {}
    modules: dict[Module, str] = {}
    for variables in sources:
        for name, value in variables.items():
            if isinstance(value, Module):
                modules.setdefault(value, name)
    inside = {m for module in modules for _, m in module.named_modules() if m is not module}
    outer = {module: name for module, name in modules.items() if module not in inside}
    for module, name in outer.items():
        for parameter, title in parameter_names(module, f"{identifier(name)}_" if len(outer) > 1 else "").items():
            found.setdefault(id(parameter), title)
    for variables in sources:
        for name, value in variables.items():
            if isinstance(value, (Node, np.ndarray)) and not name.startswith("_"):
                found.setdefault(id(value), name)
            elif isinstance(value, (list, tuple, dict)) and len(value) <= 1000:
                for key, part in value.items() if isinstance(value, dict) else enumerate(value):
                    if isinstance(part, Node) and part.op is None:
                        found.setdefault(id(part), identifier(str(key)) if isinstance(key, str) else f"{identifier(name)}{key}")
    return found


class Names:
    """Gives every value a name of its own."""

    def __init__(self) -> None:
        self.taken: set[str] = set(RESERVED)
        self.of: dict[Symbol, str] = {}

    def give(self, symbol: Symbol, wish: str) -> str:
        """The wished-for name, with a number or an underscore behind it if it is taken."""
        wish = identifier(wish)
        candidates = itertools.chain([wish], (f"{wish}_{i}" for i in itertools.count(2)))
        name = next(name for name in candidates if name not in self.taken)
        self.taken.add(name)
        self.of[symbol] = name
        return name


def name_values(symbols: Iterable[Symbol], loss: Symbol, objects: Mapping[int, str]) -> dict[Symbol, str]:
    """Wishes for the names of inputs and of the values of the forward pass; values without a wish are left out."""
    wishes: dict[Symbol, str] = {}
    listed = list(symbols)
    for symbol in listed:
        if symbol.op is None and symbol.fill is None:
            wishes[symbol] = symbol.name or objects.get(id(symbol.value)) or by_use(symbol, listed)
    last_of: dict[tuple[CodeType, int], Symbol] = {}
    for symbol in listed:
        if symbol.op is not None and symbol.origin is not None:
            last_of[symbol.origin] = symbol
    by_line: dict[str, list[Symbol]] = {}
    for symbol in listed:
        if symbol.op is None or symbol is loss:
            continue
        name = symbol.name or of_layer(symbol, wishes)
        if not name and symbol.origin is not None:
            stored = stores(symbol.origin[0]).get(symbol.origin[1], "")
            name = stored if stored and last_of.get(symbol.origin) is symbol and not stored.startswith("_") else ""
        if name:
            by_line.setdefault(name, []).append(symbol)
            wishes[symbol] = name
    inputs = {wishes[s] for s in listed if s.op is None and s in wishes}
    for name, same in by_line.items():  # a variable that was assigned to again and again: h1, h2, h3
        if len(same) > 1 or name in inputs:
            for i, symbol in enumerate(same, 1):
                wishes[symbol] = f"{name}{i}" if not name[-1].isdigit() else f"{name}_{i}"
    wishes[loss] = "loss" if "loss" not in inputs else "L"
    return wishes


def of_layer(symbol: Symbol, wishes: Mapping[Symbol, str]) -> str:
    """Z1 for the result of a layer with the weights W1, A1 for the activation of Z1; fc1 and fc1_tanh for fc1_weight."""
    assert symbol.op is not None
    if symbol.op.name in ("linear", "matmul"):
        weight = wishes.get(symbol.inputs[1], "") if isinstance(symbol.inputs[1], Symbol) else ""
        if re.fullmatch(r"(\w*_)?W\d+", weight):
            return weight.replace("W", "Z")
        return weight.removesuffix("_weight") if weight.endswith("_weight") else ""
    if symbol.op.name in UNARY:
        before = wishes.get(symbol.inputs[0], "")
        if re.fullmatch(r"(\w*_)?Z\d+", before):
            return before.replace("Z", "A")
        origin = symbol.inputs[0]
        if origin.op is not None and origin.op.name in ("linear", "matmul") and before:
            return f"{before}_{symbol.op.name}"
    return ""


def by_use(symbol: Symbol, symbols: Iterable[Symbol]) -> str:
    """A constant's name after its place in the first operation that uses it: X of a layer, y of a loss; w1 for a parameter."""
    for user in symbols:
        i = next((i for i, x in enumerate(user.inputs) if x is symbol), None)
        if user.op is not None and i is not None:
            if user.op.name == "linear":
                return ("X", "W", "b")[i]
            if i < len(user.op.arrays) and user.op.name in ("cross_entropy", "mse_loss", "binary_cross_entropy_with_logits"):
                return user.op.arrays[i]
    return "w" if symbol.role == "parameter" else "c" if symbol.shape else "k"
