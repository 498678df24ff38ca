"""What the values of a computation are called: as the user calls them, else after the textbooks."""

from __future__ import annotations

import builtins
import itertools
import keyword
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any, TypeVar

import numpy as np

from ..graph import Node
from ..nn import MLP, Linear, Module, Sequential
from ..nn.convolution import Convolution
from ..symbols import Symbol
from ..symbols.variables import stores

__all__ = ["Names", "identifier", "known_objects", "name_values", "stored_names"]

S = TypeVar("S", Symbol, Node)

RESERVED = {*keyword.kwlist, *dir(builtins), "np", "math"}
UNARY = {
    "relu", "leaky_relu", "elu", "hardtanh", "sigmoid", "log_sigmoid", "softplus", "softsign", "silu", "gelu", "tanh", "softmax",
    "log_softmax",
}  # fmt: skip
"""Activations: A1 for the value of one of Z1."""
LAYERS = ("linear", "matmul", "conv")
"""What makes Z1 of weights W1."""


def identifier(text: str) -> str:
    """A Python name that is like the text: fc1.weight → fc1_weight, W² → W2.

    Python reads names in the normal form NFKC (PEP 3131): in any other form two different names could be one variable.
    """
    name = "".join(c if f"x{c}".isidentifier() else "_" for c in unicodedata.normalize("NFKC", text))
    return name if name.isidentifier() else f"layer{name}" if name else "x"


def parameter_names(module: Module, prefix: str = "") -> dict[Node, str]:
    """The names of a module's parameters: W1, b1, W2 … for a chain of layers, else their dotted names."""
    layers = module.linears if isinstance(module, MLP) else list(module) if isinstance(module, Sequential) else []
    weighted = [layer for layer in layers if isinstance(layer, (Linear, Convolution))]
    found: dict[Node, str] = {}
    if weighted and sum(len(layer.parameters()) for layer in weighted) == len(module.parameters()):
        for i, layer in enumerate(weighted, 1):
            found[layer.weight] = f"{prefix}W{i}"
            if layer.bias is not None:
                found[layer.bias] = f"{prefix}b{i}"
        return found
    return {p: identifier(f"{prefix}{name}") for name, p in module.named_parameters()}


def known_objects(symbols: Iterable[Symbol], *sources: Mapping[str, Any]) -> dict[int, str]:
    """Names by the identity of Tensors and arrays, from variables; modules give the names of their parameters.

    If parameters of two modules are among the values of ``symbols``, the names carry that of their module.
    """
    occur = {id(s.value) for s in symbols if s.role == "parameter"}
    found: dict[int, str] = {}
    modules: dict[Module, str] = {}
    for variables in sources:
        for name, value in variables.items():
            if isinstance(value, Module):
                modules.setdefault(value, name)
    inside = {m for module in modules for _, m in module.named_modules() if m is not module}
    outer = {m: name for m, name in modules.items() if m not in inside and any(id(p) in occur for p in m.parameters())}
    for module, name in outer.items():
        for parameter, title in parameter_names(module, f"{identifier(name)}_" if len(outer) > 1 else "").items():
            found.setdefault(id(parameter), title)
    for variables in sources:
        for name, value in variables.items():
            if isinstance(value, (Node, np.ndarray)) and not name.startswith("_"):
                found.setdefault(id(value), name)
            for title, part in parts_of(name, value):
                if isinstance(part, Node) and part.op is None:
                    found.setdefault(id(part), identifier(title))
    return found


def parts_of(name: str, value: Any, deep: bool = True) -> Iterator[tuple[str, Any]]:
    """What a list, a dict or an object of the user's holds, with names: weights0, weights1; the keys; the attributes."""
    if isinstance(value, (list, tuple)) and len(value) <= 1000:
        for i, part in enumerate(value):
            yield f"{name}{i}", part
            if deep and isinstance(part, (list, tuple, dict)):
                yield from parts_of(f"{name}{i}_", part, deep=False)
    elif isinstance(value, dict) and len(value) <= 1000:
        for key, part in value.items():
            yield (key if isinstance(key, str) else f"{name}{key}"), part
    elif (
        deep
        and isinstance(getattr(value, "__dict__", None), dict)
        and not isinstance(value, (type, ModuleType, Module, FunctionType))
    ):
        for key, part in vars(value).items():
            yield key, part
            yield from parts_of(key, part, deep=False)


class Names:
    """Gives every value a name of its own."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken: set[str] = {*RESERVED, *taken}
        self.of: dict[Symbol, str] = {}

    def give(self, symbol: Symbol, wish: str) -> str:
        """The wished-for name, with a number behind it if it is taken."""
        self.of[symbol] = self.free(wish)
        return self.of[symbol]

    def free(self, wish: str) -> str:
        """The wished-for name or one like it, taken from now on."""
        wish = identifier(wish)
        candidates = itertools.chain([wish], (f"{wish}_{i}" for i in itertools.count(2)))
        name = next(name for name in candidates if name not in self.taken)
        self.taken.add(name)
        return name


def name_values(symbols: Iterable[Symbol], loss: Symbol, objects: Mapping[int, str]) -> dict[Symbol, str]:
    """Wishes for the names of inputs and of the values of the forward pass; values without a wish are left out."""
    wishes: dict[Symbol, str] = {}
    listed = list(symbols)
    for symbol in listed:
        if symbol.op is None and symbol.fill is None:
            wishes[symbol] = symbol.name or objects.get(id(symbol.value)) or by_use(symbol, listed)
    stored = stored_names(listed)
    by_line: dict[str, list[Symbol]] = {}
    with_bias = biased(listed)
    products = set(with_bias.values())
    for symbol in listed:
        if symbol.op is None or symbol is loss:
            continue
        layer = "" if symbol in products else of_layer(with_bias.get(symbol, symbol), wishes)
        name = symbol.name or layer or stored.get(symbol, "")
        if name:
            by_line.setdefault(name, []).append(symbol)
            wishes[symbol] = name
    inputs = {wishes[s] for s in listed if s.op is None and s in wishes}
    for name, same in by_line.items():  # a variable that was assigned to again and again: h1, h2, h3
        if len(same) > 1 or name in inputs:
            for i, symbol in enumerate(same, 1):
                wishes[symbol] = f"{name}{i}" if not name[-1].isdigit() else f"{name}_{i}"
            start = beginning(same[0], wishes)
            if start is not None and len(same) > 1 and not objects.get(id(start.value)) and not start.name:
                wishes[start] = f"{name}0" if not name[-1].isdigit() else f"{name}_0"
    if loss.op is not None:
        wishes[loss] = "loss" if "loss" not in inputs else "L"
    return wishes


def biased(symbols: Sequence[Symbol]) -> dict[Symbol, Symbol]:
    """The sums X @ W + b that are written with operators, each with its product: the sum is the layer's result."""
    users: dict[Symbol, list[Symbol]] = {}
    for symbol in symbols:
        for x in symbol.operands():
            users.setdefault(x, []).append(symbol)
    found: dict[Symbol, Symbol] = {}
    for symbol in symbols:
        after = users.get(symbol, [])
        if symbol.op is not None and symbol.op.name == "matmul" and len(after) == 1 and (total := after[0]).op is not None:
            others = [x for x in total.operands() if x is not symbol]
            if total.op.name == "add" and len(others) == 1 and others[0].op is None:
                found[total] = symbol
    return found


def stored_names(symbols: Iterable[S]) -> dict[S, str]:
    """The variables that the user's lines store values in: of a call that computes several values, the last one.

    A line that runs again and again (in a loop) is one run of values after the other, or, if nothing else is computed in between, a
    sequence of operations that repeats itself.
    """
    found: dict[S, str] = {}
    computed = [s for s in symbols if s.op is not None]
    for origin, group in itertools.groupby(computed, key=lambda s: s.origin):
        run = list(group)
        name = stores(origin[0]).get(origin[1], "") if origin is not None else ""
        if name and not name.startswith("_"):
            ops = [s.op for s in run]
            period = next(n for n in range(1, len(run) + 1) if len(run) % n == 0 and ops == ops[:n] * (len(run) // n))
            found.update(dict.fromkeys(run[period - 1 :: period], name))
    return found


def beginning(first: Symbol, wishes: Mapping[Symbol, str]) -> Symbol | None:
    """The constant that a loop's variable starts with: of the shape of its first value, which is computed from it."""
    stack, seen = [*first.operands()], set()
    while stack:
        symbol = stack.pop()
        if symbol in seen:
            continue
        seen.add(symbol)
        if symbol.role == "constant" and symbol.fill is None and symbol.shape == first.shape and symbol.dtype == first.dtype:
            return symbol
        if symbol.op is not None and symbol not in wishes:
            stack.extend(symbol.operands())
    return None


def of_layer(symbol: Symbol, wishes: Mapping[Symbol, str]) -> str:
    """Z1 for the result of a layer with the weights W1, A1 for the activation of Z1; fc1 and fc1_tanh for fc1_weight."""
    if symbol.op is None:
        return ""
    if symbol.op.name in LAYERS:
        weight = wishes.get(symbol.inputs[1], "") if isinstance(symbol.inputs[1], Symbol) else ""
        if re.fullmatch(r"(\w*_)?W\d+", weight):
            return weight.replace("W", "Z")
        return weight.removesuffix("_weight") if weight.endswith("_weight") else ""
    if symbol.op.name in UNARY:
        before = wishes.get(symbol.inputs[0], "")
        if re.fullmatch(r"(\w*_)?Z\d+", before):
            return before.replace("Z", "A")
        origin = symbol.inputs[0]
        if origin.op is not None and origin.op.name in LAYERS and before:
            return f"{before}_{symbol.op.name}"
    return ""


def by_use(symbol: Symbol, symbols: Iterable[Symbol]) -> str:
    """A constant's name after its place in the first operation that uses it: X of a layer, y of a loss; w1 for a parameter."""
    for user in symbols:
        i = next((i for i, x in enumerate(user.inputs) if x is symbol), None)
        if user.op is not None and i is not None:
            if user.op.name in ("linear", "conv"):
                return ("X", "W", "b")[i]
            if i < len(user.op.arrays) and user.op.name in ("cross_entropy", "mse_loss", "binary_cross_entropy_with_logits"):
                return user.op.arrays[i]
    return "w" if symbol.role == "parameter" else "c" if symbol.shape else "k"
