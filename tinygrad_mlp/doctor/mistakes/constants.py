"""A wrong constant: the gradient of one step times a number that is found from the user's numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...kernels.shapes import Array
from ..edit import Constant, Edit, Scene
from ..tape import At, Change, Changes, Leaf, Site
from .head import output_line

__all__ = ["constants", "name_constant", "times"]

CLOSE = 1e-6
"""How near a found constant has to be to a number with a meaning."""


def times(c: float) -> Change:
    """Multiply what arrives."""

    def change(g: Array, run: Any) -> Array:
        return c * g

    return change


def near(a: float, b: float, close: float = CLOSE) -> bool:
    """Whether two constants are one."""
    return math.isclose(a, b, rel_tol=close, abs_tol=1e-12)


def sizes_in(scene: Scene) -> list[tuple[float, str]]:
    """Numbers that occur in this computation: what a factor may come from."""
    m = scene.case.m
    found: list[tuple[float, str]] = []
    for layer in scene.marks.layers:
        shape, size = layer.pre.array.shape, layer.pre.array.size
        if shape:
            found.append((float(shape[0 if scene.case.axis == -1 else -1]), f"the {shape[-1]} outputs of {layer.title}"))
        entries = f"{size} entries of {scene.marks.name(layer.pre)}"
        found.append((float(size), f"the mean over all {entries}" if layer.output else f"the {entries}"))
    if has_square(scene):
        found.append((2.0, "the 2 of a square"))
    return [(number, meaning) for number, meaning in found if number not in (1.0, float(m))]


def has_square(scene: Scene) -> bool:
    """Whether a square of data is in the loss: then a lost or added 2 is its 2."""
    for node in scene.marks.data:
        if node.op is not None and (
            node.op.name in ("square", "mse_loss", "pow") or (node.op.name == "multiply" and node.inputs[0] is node.inputs[1])
        ):
            return True
    return False


def name_constant(c: float, scene: Scene, where: str, close: float = CLOSE, local: bool = False) -> tuple[str, str]:
    """The label of a factor c, and what it is in words. ``local``: of one parameter's gradient alone."""
    m = scene.case.m
    size = abs(c)
    if near(c, -1, close):
        return "sign_flipped", f"the sign of {where} flipped"
    if near(c, 0, close):
        return "gradient_zero", f"{where} left at zero"
    flipped = ", with its sign flipped" if c < 0 else ""
    if m > 1 and has_square(scene) and near(size, m / 2, close) and m != 4:
        both = f"the 2 of the square is missing, and the 1/m of the mean, m = {m}"
        return "missing_batch_mean", f"{where} {size:.6g} times too large{flipped}: {both}"
    if m > 1 and near(size, m, close):
        return "missing_batch_mean", f"{where} {m} times too large{flipped}: the 1/m of the mean, m = {m}, is missing"
    if m > 1 and near(size, 1 / m, close):
        return "double_batch_mean", f"{where} divided by m = {m} once more{flipped}"
    if m > 1 and near(size, 1 / m**2, close):
        return "double_batch_mean", f"{where} divided by m = {m} twice more{flipped}"
    if near(c, 2, close) and (local or not has_square(scene)):
        return "accumulated", f"{where} twice as large: added twice, or onto an old one that was not cleared"
    if m > 2 and near(size, m / (m - 1), close):
        return "constant_factor", f"{where} divided by m − 1 = {m - 1} in place of m = {m}{flipped}"
    large = [meaning for number, meaning in sizes_in(scene) if near(size, number, close)]
    small = [meaning for number, meaning in sizes_in(scene) if near(size, 1 / number, close)]
    if large:
        label = "missing_batch_mean" if large[0].startswith("the mean over all") else "constant_factor"
        return label, f"{where} {size:.6g} times too large{flipped}, as if by {' or '.join(large)}"
    if small:
        return "constant_factor", f"{where} {1 / size:.6g} times too small{flipped}, as if by {' or '.join(small)}"
    for n in range(2, 4097):
        if near(size * n, m, close):
            return "constant_factor", f"{where} divided by {n} in place of m = {m}{flipped}"
    return "constant_factor", f"{where} multiplied by {c:.6g}"


def scaled(sites: Sequence[Site]) -> Callable[[float], Changes]:
    """The gradients at some sites times an unknown constant."""
    return lambda c: {site: times(c) for site in sites}


def factor(scene: Scene, key: str, where: str, sites: Sequence[Site], right: str, weight: float, local: bool = False) -> Edit:
    """A factor at some sites."""
    nodes = [site[1] for site in sites if site[0] == "at"]
    shared = any(len(scene.tape.users[p]) > 1 for node in nodes for p in scene.tape.below([node]) if p in scene.marks.title)

    def named(c: float) -> tuple[str, str]:
        if c == 0 and shared and key != "loss":
            return "partial_batch", f"{where} left at zero: not all uses of the parameters counted, as by = for +="
        return name_constant(c, scene, where, local=local)

    constant = Constant(2.0, 1.0, named)
    return Edit(("times", key), "constant_factor", where, where, scaled(sites), right, constant, weight=weight, local=local)


def constants(scene: Scene) -> Iterator[Edit]:
    """A factor at the start, at each layer, and at each parameter; at all layers; at all weights or all biases."""
    tape, marks = scene.tape, scene.marks
    yield factor(scene, "loss", "all gradients", [At(tape.loss)], output_line(scene), 12)
    once = "no further factor and no other sign: the 1/m is in the gradient of the loss already"
    hidden = [layer.pre for layer in marks.layers if not layer.output]
    for layer in marks.layers:
        Z = f"d{marks.name(layer.pre)}"
        right = output_line(scene) if layer.output else f"{Z} = dA * f'(Z), with {once}"
        yield factor(scene, f"pre {tape.index[layer.pre]}", Z, [At(layer.pre)], right, 6)
    if len(hidden) > 1:
        yield factor(
            scene, "hidden", "the gradient of every hidden layer", [At(z) for z in hidden], f"dZ = dA * f'(Z), with {once}", 4
        )
    for name in tape.parameters:
        yield factor(scene, f"leaf {name}", f"d{name}", [Leaf(name)], marks.line(name), 3, local=True)
    weights = sorted({name for layer in marks.layers for name in layer.weights})
    biases = sorted({name for layer in marks.layers for name in layer.biases} - {*weights})
    for kind, names in (("weights", weights), ("biases", biases)):
        if len(names) > 1:
            right = f"the gradients of the {kind} take no further factor"
            yield factor(scene, kind, f"the gradients of all {kind}", [Leaf(n) for n in names], right, 3, local=True)
