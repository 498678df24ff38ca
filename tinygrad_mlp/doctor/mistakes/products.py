"""Mistakes at the products of a layer: dW = inputᵀ dZ, d(input) = dZ Wᵀ, db = the sum of dZ over the batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...graph import Node
from ...kernels.shapes import Array
from ..edit import Constant, Edit, Scene
from ..landmarks import Layer
from ..tape import Change, Edge, Leaf

__all__ = ["products"]


def transposed(g: Array, run: Any) -> Array:
    """The gradient, transposed."""
    return g.T


def with_operand(scene: Scene, node: Node, i: int, j: int, other: Array) -> Change:
    """What is sent to input i, with another array for input j."""
    arrays = list(node.arrays or ())
    arrays[j] = other

    def change(g: Array, run: Any) -> Array:
        return scene.tape.pull(node, i, g, arrays=arrays)

    return change


def with_gradient(scene: Scene, node: Node, i: int, other: Array) -> Change:
    """What is sent to input i, with another gradient for the one that arrives."""

    def change(g: Array, run: Any) -> Array:
        return scene.tape.pull(node, i, other)

    return change


def operand(node: Node, j: int) -> Array:
    """An input's array."""
    return np.asarray((node.arrays or ())[j])


def products(scene: Scene) -> Iterator[Edit]:
    """All of them, at each layer, and at each product of two values."""
    for layer in scene.marks.layers:
        yield from weight_gradient(scene, layer)
        yield from input_gradient(scene, layer)
        yield from bias_gradient(scene, layer)
    yield from transposes(scene)
    yield from products_of_values(scene)


def transposes(scene: Scene) -> Iterator[Edit]:
    """A gradient returned transposed."""
    for name, p in scene.tape.parameters.items():
        if p.array.ndim == 2:
            right = f"d{name} has the shape of {name}, {p.array.shape}"
            yield Edit(
                ("transposed", name),
                "transposed",
                name,
                f"d{name} transposed",
                {Leaf(name): transposed},
                right,
                family=("transposed",),
                weight=3,
                local=True,
            )


def weight_gradient(scene: Scene, layer: Layer) -> Iterator[Edit]:
    """dW built from another input, or from another layer's gradient."""
    tape, marks, node = scene.tape, scene.marks, layer.product
    i, j = layer.weight, layer.source
    x = operand(node, j)
    W = layer.weights[0] if len(layer.weights) == 1 else " and ".join(layer.weights)
    source = node.inputs[j]
    X = marks.name(source) if isinstance(source, Node) else "X"
    Z = marks.name(layer.pre)
    right = f"d{W} = {X}.T @ d{Z}: entry (i, j) is the sum over the batch of {X}[:, i] * d{Z}[:, j]"
    for value in marks.values():
        if value.array.shape == x.shape and not np.array_equal(value.array, x) and value.kind != "param":
            yield Edit(
                ("weight input", tape.index[node], value.key),
                "wrong_layer_input",
                layer.title,
                f"d{W} built from {value.name} in place of {X}",
                {Edge(node, i): with_operand(scene, node, i, j, value.array)},
                right,
                family=("weight input", value.kind) if value.kind == "pre" else (),
                weight=2 + (value.kind != "value"),
                local=True,
            )
    for value in marks.deltas():
        if value.array.shape == node.array.shape and value.key not in (tape.index[layer.pre], tape.index[node]):
            own = value.layer == layer.number  # dA in place of dZ
            label = ("output_derivative_missing" if layer.output else "act_derivative_missing") if own else "wrong_layer_cache"
            yield Edit(
                ("weight delta", tape.index[node], value.key),
                label,
                layer.title,
                f"d{W} built from {value.name} in place of d{Z}",
                {Edge(node, i): with_gradient(scene, node, i, value.array)},
                right,
                weight=2,
                local=True,
            )


def input_gradient(scene: Scene, layer: Layer) -> Iterator[Edit]:
    """What a layer sends on, with another matrix."""
    tape, marks, node = scene.tape, scene.marks, layer.product
    i, j = layer.source, layer.weight
    source = node.inputs[i]
    if not isinstance(source, Node) or not source.tracked:
        return
    w = operand(node, j)
    W, A, Z = "".join(layer.weights), marks.name(source), marks.name(layer.pre)
    right = f"d{A} = d{Z} @ {W}.T with the {W} of the forward pass: entry (i, k) is the sum over j of d{Z}[i, j] * {W}[k, j]"
    weight_node = node.inputs[j]
    direct = isinstance(weight_node, Node) and weight_node in marks.title
    place = tape.index[node]
    if w.ndim == 2 and w.shape[0] == w.shape[1]:
        yield Edit(
            ("weight transposed", place),
            "transposed",
            layer.title,
            f"d{Z} @ {W} in place of d{Z} @ {W}.T",
            {Edge(node, i): with_operand(scene, node, i, j, w.T)},
            right,
            family=("weight transposed",),
            weight=5,
        )
        yield Edit(
            ("weight left out", place),
            "wrong_weights",
            layer.title,
            f"{W} left out: d{A} = d{Z}",
            {Edge(node, i): with_operand(scene, node, i, j, np.eye(len(w)))},
            right,
        )
    for name, p in tape.parameters.items():
        if p.array.shape == w.shape and not np.array_equal(p.array, w):
            yield Edit(
                ("other weight", place, name),
                "wrong_weights",
                layer.title,
                f"{name} in place of {W} in d{A} = d{Z} @ {W}.T",
                {Edge(node, i): with_operand(scene, node, i, j, p.array)},
                right,
                weight=1,
            )
        if p.array.ndim == 2 and p.array.T.shape == w.shape and w.shape[0] != w.shape[1] and name not in layer.weights:
            yield Edit(
                ("other weight transposed", place, name),
                "wrong_weights",
                layer.title,
                f"{name}.T in place of {W} in d{A} = d{Z} @ {W}.T",
                {Edge(node, i): with_operand(scene, node, i, j, p.array.T)},
                right,
                weight=0.5,
            )
    if not direct:
        return
    for title, step in (("the gradient that was returned", scene.user.get(W)), ("the true gradient", tape.gradients.get(W))):
        if step is None or step.shape != w.shape or not np.isfinite(step).all():
            continue
        yield Edit(
            ("gradient for weight", place, title),
            "wrong_weights",
            layer.title,
            f"d{W} in place of {W} in d{A} = d{Z} @ {W}.T",
            {Edge(node, i): with_operand(scene, node, i, j, step)},
            right,
        )

        def changes(c: float, step: Array = step) -> Any:
            return {Edge(node, i): with_operand(scene, node, i, j, w - c * step)}

        def naming(c: float) -> tuple[str, str]:
            sign = "" if c > 0 else ", with the sign of the update reversed"
            return (
                "updated_weights",
                f"d{A} = d{Z} @ {W}.T with the {W} that has been updated already, by a step of {abs(c):.6g} · d{W}{sign}",
            )

        yield Edit(
            ("updated weight", place, title),
            "updated_weights",
            layer.title,
            f"the updated {W}",
            changes,
            f"{right}. Compute all gradients first, then update",
            Constant(0.01, 0.0, naming),
            family=("updated weight", title),
            weight=5,
        )


def bias_gradient(scene: Scene, layer: Layer) -> Iterator[Edit]:
    """db summed over the wrong axis, or not summed."""
    marks, tape = scene.marks, scene.tape
    Z = marks.name(layer.pre)
    for node, i, b in layer.bias_edges:
        shape = tape.parameters[b].array.shape
        right = f"d{b} = d{Z}.sum(axis=0), shape {shape}: {b} is added to every row, so its gradient is the sum over the rows"
        for variant, words, change in reductions(b, Z, shape, node.op is not None and node.op.name == "subtract"):
            yield Edit(
                ("bias", variant, tape.index[node], i),
                "bias_axis",
                b,
                words,
                {Edge(node, i): change},
                right,
                family=("bias", variant),
                weight=9,
                local=True,
            )
        yield Edit(
            ("bias", "mean", tape.index[node], i),
            "double_batch_mean",
            b,
            f"d{b} a mean over the batch, d{Z}.mean(axis=0), where the sum belongs",
            {Edge(node, i): mean_of(shape)},
            right,
            family=("bias", "mean"),
            weight=9,
            local=True,
        )


def mean_of(shape: tuple[int, ...]) -> Change:
    """The mean over the rows."""

    def change(g: Array, run: Any) -> Array:
        return g.mean(axis=0).reshape(shape) if g.ndim and g.shape[-1] == int(np.prod(shape)) else g

    return change


def reductions(b: str, Z: str, shape: tuple[int, ...], negative: bool) -> Iterator[tuple[str, str, Change]]:
    """Other ways to reduce dZ."""
    sign = -1.0 if negative else 1.0

    def make(function: Any) -> Change:
        return lambda g, run: sign * np.asarray(function(g))

    n = int(np.prod(shape))
    yield "scalar", f"d{Z} summed over both axes, to one number, in place of d{b}", make(lambda g: np.full(shape, g.sum()))
    yield "number", f"d{Z} summed over both axes, to one number, in place of d{b}", make(lambda g: g.sum())
    yield "scalar mean", f"the mean of all entries of d{Z} in place of d{b}", make(lambda g: np.full(shape, g.mean()))
    yield "number mean", f"the mean of all entries of d{Z} in place of d{b}", make(lambda g: g.mean())
    yield (
        "rows",
        f"d{Z} summed along its rows, axis=1, in place of axis=0",
        make(lambda g: g.sum(axis=-1).reshape(shape) if g.size // g.shape[-1] == n else g.sum(axis=-1)),
    )
    yield "rows kept", f"d{Z} summed along its rows, axis=1, in place of axis=0", make(lambda g: g.sum(axis=-1, keepdims=True))
    yield "rows mean", f"the mean of d{Z} along its rows, axis=1, in place of the sum over axis=0", make(lambda g: g.mean(axis=-1))
    yield (
        "rows mean kept",
        f"the mean of d{Z} along its rows, axis=1, in place of the sum over axis=0",
        make(lambda g: g.mean(axis=-1, keepdims=True)),
    )
    yield (
        "rows repeated",
        f"d{Z} summed along its rows, axis=1, and broadcast",
        make(lambda g: np.broadcast_to(g.sum(axis=-1, keepdims=True), g.shape).sum(axis=0).reshape(shape)),
    )
    yield "not summed", f"d{Z} itself, not summed over the batch, in place of d{b}", make(lambda g: g)


def products_of_values(scene: Scene) -> Iterator[Edit]:
    """A product of two values of the forward pass, such as attention's scores: another value for one, transposed or not."""
    tape, marks = scene.tape, scene.marks
    layers = {layer.product for layer in marks.layers}
    values = marks.values()
    for node in tape.forward:
        if node.op is None or len(node.edges) != 2 or node in layers or node not in marks.data:
            continue
        if node.op.name not in ("matmul", "multiply", "divide", "vecdot"):
            continue
        for i, x in node.edges:
            j = 1 - i
            other, name = operand(node, j), node.op.name
            title = marks.name(node.edges[j][1])
            where, place = f"{name}, {marks.name(node)}", (tape.index[node], i)
            right = f"the gradient of {marks.name(x)} is built from {title}, the other factor of the {name}"
            if other.ndim >= 2 and other.shape[-1] == other.shape[-2] and name == "matmul":
                yield Edit(
                    ("factor transposed", *place),
                    "transposed",
                    where,
                    f"{title} transposed in the gradient of {marks.name(x)}",
                    {Edge(node, i): with_operand(scene, node, i, j, np.swapaxes(other, -1, -2))},
                    right,
                    weight=3,
                )
            for value in values:
                if value.array.shape == other.shape and not np.array_equal(value.array, other):
                    label = "wrong_weights" if value.kind == "param" else "wrong_layer_cache"
                    yield Edit(
                        ("factor", *place, value.key),
                        label,
                        where,
                        f"{value.name} in place of {title} in the gradient of {marks.name(x)}",
                        {Edge(node, i): with_operand(scene, node, i, j, value.array)},
                        right,
                    )
