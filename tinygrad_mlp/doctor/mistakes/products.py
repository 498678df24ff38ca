"""Mistakes at the products of a layer: dW = inputᵀ dZ and d(input) = dZ Wᵀ; and at other products."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ...graph import Node
from ...kernels.shapes import Array
from ..edit import Constant, Edit, Scene
from ..parts import Layer
from ..tape import Change, Changes, Edge, Leaf, Run

__all__ = ["products"]

FACTORS = {"matmul", "multiply", "divide", "vecdot", "linear"}


def transposed(g: Array, run: Run) -> Array:
    """The gradient, transposed."""
    return g.T


def with_operand(scene: Scene, node: Node, i: int, j: int, other: Array) -> Change:
    """What is sent to input i, with another array for input j."""
    arrays = list(node.arrays or ())
    arrays[j] = other

    def change(g: Array, run: Run) -> Array:
        return scene.tape.pull(node, i, g, arrays=arrays)

    return change


def with_gradient(scene: Scene, node: Node, i: int, other: Array | None = None) -> Change:
    """What is sent to input i, with another gradient for the one that arrives; by default with that transposed."""

    def change(g: Array, run: Run) -> Array:
        return scene.tape.pull(node, i, np.swapaxes(g, -1, -2) if other is None else other)

    return change


def operand(node: Node, j: int) -> Array:
    """An input's array."""
    return np.asarray((node.arrays or ())[j])


def products(scene: Scene) -> Iterator[Edit]:
    """All of them, at each layer, and at each product of two values."""
    for layer in scene.marks.layers:
        yield from weight_gradient(scene, layer)
        yield from other_deltas(scene, layer)
        yield from input_gradient(scene, layer)
    yield from shifted_inputs(scene)
    layers = {layer.product for layer in scene.marks.layers}
    for node in scene.tape.forward:
        if node.op is not None and node.op.name in FACTORS and node not in scene.marks.known:
            for i, x in node.edges:
                if i < 2:
                    yield from turned(scene, node, i, x)
                    if node not in layers:
                        yield from other_factor(scene, node, i, x)
    for name, p in scene.tape.parameters.items():
        if p.array.ndim == 2:
            right = f"d{name} has the shape of {name}, {p.array.shape}"
            changes = {Leaf(name): transposed}
            words = f"d{name} transposed"
            yield Edit(
                ("transposed", name), "transposed", name, words, changes, right, family=("transposed",), weight=3, local=True
            )


# --- dW ---------------------------------------------------------------------------------------------------------------


def weight_gradient(scene: Scene, layer: Layer) -> Iterator[Edit]:
    """dW built from another input."""
    tape, marks, node = scene.tape, scene.marks, layer.product
    i, j = layer.weight, layer.source
    x, source = operand(node, j), node.inputs[j]
    W, Z = " and ".join(layer.weights), marks.name(layer.pre)
    X = marks.name(source) if isinstance(source, Node) else "X"
    for value in marks.values():
        if value.array.shape == x.shape and not np.array_equal(value.array, x) and value.kind != "param":
            yield Edit(
                ("weight input", tape.index[node], value.key),
                "wrong_layer_input",
                layer.title,
                f"d{W} built from {value.name} in place of {X}",
                {Edge(node, i): with_operand(scene, node, i, j, value.array)},
                right_of_weight(layer, W, X, Z),
                family=("weight input", value.kind) if value.kind == "pre" else (),
                weight=2 + (value.kind != "value"),
                local=True,
            )


def right_of_weight(layer: Layer, W: str, X: str, Z: str) -> str:
    """The line of the chain rule for a weight."""
    if layer.weight == 0:  # Z = W X, samples in columns
        return f"d{W} = d{Z} @ {X}.T: entry (i, j) is the sum over the batch of d{Z}[i, :] * {X}[j, :]"
    return f"d{W} = {X}.T @ d{Z}: entry (i, j) is the sum over the batch of {X}[:, i] * d{Z}[:, j]"


def other_deltas(scene: Scene, layer: Layer) -> Iterator[Edit]:
    """dW, or db, or both built from another gradient than dZ: that of another layer, or dA."""
    tape, marks, node = scene.tape, scene.marks, layer.product
    W, b, Z = " and ".join(layer.weights), " and ".join(layer.biases), marks.name(layer.pre)
    X = marks.name(node.inputs[layer.source]) if isinstance(node.inputs[layer.source], Node) else "X"
    right = right_of_weight(layer, W, X, Z) + (f"; d{b} is the sum of d{Z} over the batch" if b else "")
    for value in marks.deltas():
        if value.array.shape != node.array.shape or value.key in (tape.index[layer.pre], tape.index[node]):
            continue
        missing = "output_derivative_missing" if layer.output else "act_derivative_missing"
        label = missing if value.layer == layer.number else "wrong_layer_cache"
        of_weight = {Edge(node, layer.weight): with_gradient(scene, node, layer.weight, value.array)}
        of_bias = {Edge(user, i): with_gradient(scene, user, i, value.array) for user, i, _ in layer.bias_edges}
        parts = [("weight", f"d{W}", of_weight)]
        if any(i == layer.source for i, _ in node.edges):
            of_input = {Edge(node, layer.source): with_gradient(scene, node, layer.source, value.array)}
            parts.append(("input", f"d{X}", of_input))
        parts += [("bias", f"d{b}", of_bias), ("both", f"d{W} and d{b}", of_weight | of_bias)] if of_bias else []
        for part, gradients, changes in parts:
            key = (f"{part} delta", tape.index[node], value.key)
            weight = 0.5 if part == "input" else 2
            words = f"{gradients} built from {value.name} in place of d{Z}"
            yield Edit(key, label, layer.title, words, changes, right, weight=weight, local=part in ("weight", "bias"))


def shifted_inputs(scene: Scene) -> Iterator[Edit]:
    """A weight that is used again and again, as over time: its gradient built from the input one step earlier or later."""
    uses: dict[tuple[str, ...], list[Layer]] = {}
    for layer in scene.marks.layers:
        uses.setdefault(tuple(layer.weights), []).append(layer)
    for names, layers in uses.items():
        inputs = [operand(layer.product, layer.source) for layer in layers]
        if len(layers) < 2 or len({x.shape for x in inputs}) > 1:
            continue
        later = [piece.last.array for piece in scene.marks.pieces if piece.last.array.shape == inputs[0].shape]
        before = [np.zeros_like(inputs[0]), *inputs[:-1]]
        after = [*inputs[1:], later[-1] if later else inputs[-1]]
        W = " and ".join(names)
        for which, others in (("before", before), ("after", after)):
            changes = {
                Edge(layer.product, layer.weight): with_operand(scene, layer.product, layer.weight, layer.source, other)
                for layer, other in zip(layers, others, strict=True)
            }
            words = f"each term of d{W} built from the input of the step {which} it"
            right = f"d{W} is the sum over the steps of the input of a step, transposed, times the gradient of that step"
            yield Edit(("shifted input", which, W), "wrong_layer_input", f"d{W}", words, changes, right, weight=2, local=True)


# --- d(input) ---------------------------------------------------------------------------------------------------------


def input_gradient(scene: Scene, layer: Layer) -> Iterator[Edit]:
    """What a layer sends on, with another matrix."""
    tape, marks, node = scene.tape, scene.marks, layer.product
    i, j = layer.source, layer.weight
    source = node.inputs[i]
    if not isinstance(source, Node) or not source.tracked:
        return
    w, place = operand(node, j), tape.index[node]
    W, A, Z = " and ".join(layer.weights), marks.name(source), marks.name(layer.pre)
    sent, plain = (f"d{Z} @ {W}.T", f"d{Z} @ {W}") if j == 1 else (f"{W}.T @ d{Z}", f"{W} @ d{Z}")
    right = f"d{A} = {sent} with the {W} of the forward pass: a unit of {A} gets what each unit of {Z} sends, times their weight"
    matrices: list[tuple[str, str, str, Array, float]] = []
    if w.ndim == 2 and w.shape[0] == w.shape[1]:
        matrices.append(("transposed", "transposed", f"d{A} = {plain} in place of {sent}", w.T, 5))
        matrices.append(("left out", "wrong_weights", f"{W} left out: d{A} = d{Z}", np.eye(len(w)), 1))
    for name, p in tape.parameters.items():
        if p.array.shape == w.shape and not np.array_equal(p.array, w):
            matrices.append((name, "wrong_weights", f"{name} in place of {W} in d{A} = {sent}", p.array, 1))
        elif p.array.ndim == 2 and p.array.T.shape == w.shape and name not in layer.weights:
            matrices.append((f"{name}.T", "wrong_weights", f"{name}.T in place of {W} in d{A} = {sent}", p.array.T, 0.5))
    for whose, step in steps(scene, node.inputs[j]):
        matrices.append((f"gradient {whose}", "wrong_weights", f"d{W} in place of {W} in d{A} = {sent}", step, 1))
    for variant, label, words, matrix, weight in matrices:
        changes = {Edge(node, i): with_operand(scene, node, i, j, matrix)}
        family = ("weight", variant) if variant in ("transposed", "left out") else ()
        yield Edit(("weight", variant, place), label, layer.title, words, changes, right, family=family, weight=weight)
    yield from updated(scene, node, i, j, f"d{A} = {sent}", W, right)


def steps(scene: Scene, weight: object) -> Iterator[tuple[str, Array]]:
    """The gradients of an operand that is a parameter, or one transposed: the one that was returned, and the true one."""
    turn = isinstance(weight, Node) and weight.op is not None and weight.op.name in ("permute_dims", "swapaxes")
    p = weight.edges[0][1] if isinstance(weight, Node) and turn else weight
    name = scene.marks.title.get(p) if isinstance(p, Node) else None
    if name is None:
        return
    for whose, g in (("returned", scene.user.get(name)), ("true", scene.tape.gradients[name])):
        if g is not None and g.shape == scene.tape.parameters[name].array.shape and np.isfinite(g).all():
            yield whose, g.T if turn and g.ndim == 2 else g


def updated(scene: Scene, node: Node, i: int, j: int, line: str, W: str, right: str) -> Iterator[Edit]:
    """A weight that has taken its step already."""
    w = operand(node, j)
    for whose, step in steps(scene, node.inputs[j]):

        def changes(c: float, step: Array = step) -> Changes:
            return {Edge(node, i): with_operand(scene, node, i, j, w - c * step)}

        yield Edit(
            ("updated weight", scene.tape.index[node], i, whose),
            "updated_weights",
            line,
            f"the updated {W}",
            changes,
            f"{right}. Compute all gradients first, then update",
            Constant(0.01, 0.0, stepped(line, W)),
            family=("updated weight", whose),
            weight=5,
        )


def stepped(line: str, W: str) -> Callable[[float], tuple[str, str]]:
    """The words for a step of size c."""

    def named(c: float) -> tuple[str, str]:
        sign = "" if c > 0 else ", with the sign of the update reversed"
        return "updated_weights", f"{line} with the {W} that has been updated already, by a step of {abs(c):.6g} · d{W}{sign}"

    return named


# --- any product ------------------------------------------------------------------------------------------------------


def turned(scene: Scene, node: Node, i: int, x: Node) -> Iterator[Edit]:
    """The gradient, or the other factor, transposed in a product."""
    j = 1 - i
    g, other, marks, place = scene.tape.adjoint[node], operand(node, j), scene.marks, (scene.tape.index[node], i)
    if marks.operation(node) not in ("matmul", "linear") or other.ndim < 2:
        return
    of, where = f"the gradient of {marks.name(x)}", f"{marks.operation(node)}, {marks.name(node)}"
    right = f"in Z = X Y the gradients are dX = dZ @ Y.T and dY = X.T @ dZ: here for {of}"
    if g.ndim >= 2 and g.shape[-1] == g.shape[-2]:
        changes = {Edge(node, i): with_gradient(scene, node, i)}
        words = f"d{marks.name(node)} transposed in {of}"
        yield Edit(("gradient transposed", *place), "transposed", where, words, changes, right, weight=2)
    second = node.inputs[j]
    if other.shape[-1] == other.shape[-2] and not (isinstance(second, Node) and marks.pure(second)):
        changes = {Edge(node, i): with_operand(scene, node, i, j, np.swapaxes(other, -1, -2))}
        words = f"{marks.name(second) if isinstance(second, Node) else 'X'} transposed in {of}"
        yield Edit(("factor transposed", *place), "transposed", where, words, changes, right, weight=3)


def other_factor(scene: Scene, node: Node, i: int, x: Node) -> Iterator[Edit]:
    """A product of two values, such as attention's scores: another value for one of them."""
    tape, marks, j = scene.tape, scene.marks, 1 - i
    other, second = operand(node, j), node.inputs[j]
    if len(node.edges) < 2 or not isinstance(second, Node):
        return
    title, of = marks.name(second), f"the gradient of {marks.name(x)}"
    where, place = f"{marks.operation(node)}, {marks.name(node)}", (tape.index[node], i)
    right = f"{of} is built from {title}, the other factor"
    for value in marks.values():
        if value.array.shape == other.shape and not np.array_equal(value.array, other):
            label = "wrong_layer_input" if marks.pure(x) else "wrong_weights" if value.kind == "param" else "wrong_layer_cache"
            words = f"{value.name} in place of {title} in {of}"
            changes = {Edge(node, i): with_operand(scene, node, i, j, value.array)}
            yield Edit(("factor", *place, value.key), label, where, words, changes, right)
        if (
            value.array.ndim > 1
            and value.array.mT.shape == other.shape
            and marks.operation(node) == "matmul"
            and value.array.size > 1
        ):
            words = f"{value.name}, transposed, in place of {title} in {of}"
            changes = {Edge(node, i): with_operand(scene, node, i, j, value.array.mT)}
            key = ("factor", *place, value.key, "transposed")
            if not np.array_equal(value.array.mT, other):
                yield Edit(key, "wrong_layer_cache", where, words, changes, right, weight=0.5)
    yield from updated(scene, node, i, j, of, title, right)
