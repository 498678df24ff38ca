"""Mistakes in the gradient of a penalty, such as (λ/2)‖W‖²: left out, with another factor or sign, added without being asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...graph import Node
from ...kernels.shapes import Array
from ..edit import Constant, Edit, Scene
from ..tape import Change, Changes, Edge, Leaf, Run
from .constants import near

__all__ = ["penalties", "penalty_edges", "sent"]

RIGHT = "a term (λ/2)‖W‖² of the loss adds λ W to dW, once"


def penalty_edges(scene: Scene) -> dict[str, list[tuple[Node, int]]]:
    """For each parameter, the edges that bring the gradient of a term without data."""
    found: dict[str, list[tuple[Node, int]]] = {}
    for name, p in scene.tape.parameters.items():
        edges = [edge for edge in scene.tape.users.get(p, ()) if ends_in_number(scene, edge[0])]
        if edges:
            found[name] = edges
    return found


def ends_in_number(scene: Scene, node: Node) -> bool:
    """Whether what is computed from parameters alone here becomes a number that is added to the loss."""
    while node not in scene.marks.data:
        users = list(dict.fromkeys(user for user, _ in scene.tape.users[node]))
        if len(users) != 1:
            return False
        if node.array.size == 1 and users[0] in scene.marks.data:  # a term of the loss
            return users[0].op is not None and users[0].op.name in ("add", "subtract") and users[0].array.size == 1
        node = users[0]
    return False


def sent(scene: Scene, edge: tuple[Node, int], c: float) -> Change:
    """What an edge sends, times c."""

    def change(g: Array, run: Run) -> Array:
        return c * scene.tape.pull(edge[0], edge[1], g)

    return change


def added(p: Array, c: float) -> Change:
    """What arrives, and c times the parameter."""

    def change(g: Array, run: Run) -> Array:
        return g + c * p

    return change


def naming(scene: Scene, where: str) -> Callable[[float], tuple[str, str]]:
    """The label of a penalty that is multiplied by c, and what happened in words."""

    def named(c: float) -> tuple[str, str]:
        m = scene.case.m
        if abs(c) < 1e-9:
            return "l2_missing", f"the L2 term left out of {where}"
        if near(c, -1):
            return "l2_sign", f"the L2 term subtracted in {where}"
        half = " (λ W is the gradient of (λ/2)‖W‖², 2 λ W that of λ‖W‖²)" if near(abs(c), 2) or near(abs(c), 0.5) else ""
        over = f", as if by m = {m}" if m > 1 and (near(abs(c), m) or near(abs(c), 1 / m)) else ""
        return ("l2_scale" if c > 0 else "l2_sign"), f"the L2 term in {where} multiplied by {c:.6g}{over}{half}"

    return named


def penalties(scene: Scene) -> Iterator[Edit]:
    """The L2 term of each parameter, of all of them, and one where the loss has none."""
    edges = penalty_edges(scene)
    groups = [[name] for name in edges] + ([list(edges)] if len(edges) > 1 else [])
    for names in groups:
        where = "all weights" if len(names) > 1 else f"d{names[0]}"
        yield Edit(
            ("l2", *names),
            "l2_scale",
            where,
            "the L2 term",
            factored(scene, [edge for name in names for edge in edges[name]]),
            RIGHT,
            Constant(0.0, 1.0, naming(scene, where)),
            weight=5 + (len(names) > 1),
            local=len(names) == 1,
        )
    biases = {name for layer in scene.marks.layers for name in layer.biases}
    without = [name for name in scene.tape.parameters if name not in edges]
    kinds = [[n for n in without if n in biases], [n for n in without if n not in biases]]
    for names in [*([name] for name in without), *(kind for kind in kinds if len(kind) > 1)]:
        listed = ", ".join(names)
        yield Edit(
            ("l2 added", *names),
            "l2_on_bias",
            listed,
            "an L2 term",
            parameters_added(scene, names),
            f"the loss has no L2 term of {listed}",
            Constant(0.0, 0.0, unasked("l2_on_bias" if set(names) <= biases else "l2_scale", listed)),
            weight=3,
            local=len(names) == 1,
        )


def factored(scene: Scene, edges: Sequence[tuple[Node, int]]) -> Callable[[float], Changes]:
    """Some edges' terms times an unknown constant."""
    return lambda c: {Edge(*edge): sent(scene, edge, c) for edge in edges}


def parameters_added(scene: Scene, names: Sequence[str]) -> Callable[[float], Changes]:
    """An unknown multiple of each parameter added to its gradient."""
    return lambda c: {Leaf(name): added(scene.tape.parameters[name].array, c) for name in names}


def unasked(label: str, listed: str) -> Callable[[float], tuple[str, str]]:
    """The words for a penalty that the loss has not."""
    return lambda c: (label, f"{c:.6g} times the parameter added to the gradient of {listed}: the loss has no such term")
