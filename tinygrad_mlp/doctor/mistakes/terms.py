"""Mistakes where a value has several users and the gradients that they send are added up: one left out, doubled, alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...graph import Node
from ...kernels.shapes import Array
from ..edit import Constant, Edit, Scene
from ..tape import Change, Edge, Leaf, Run
from .constants import name_constant, near
from .penalties import factored, penalty_edges, sent

__all__ = ["terms"]


def terms(scene: Scene) -> Iterator[Edit]:
    """At each value with several users; and parameters returned in place of their gradients."""
    tape, marks = scene.tape, scene.marks
    penalties = {edge for edges in penalty_edges(scene).values() for edge in edges}
    ends = {piece.last for piece in marks.pieces}
    insides = set().union(*(marks.inside(piece) for piece in marks.pieces))
    for node in tape.forward:
        users = [edge for edge in tape.users[node] if edge not in penalties]
        if not users or (node in marks.known and node not in ends):
            continue
        title, shared = marks.name(node), node in marks.title
        if len(users) == 1 and len(tape.users[node]) > 1:
            yield data_part(scene, node, users[0])
        if len(users) < 2:
            continue
        right = f"{title} is used {len(users)} times: its gradient is the sum of what all of them send"
        for user, i in users:
            part = f"the term of d{title} that comes from {marks.operation(user)} ({marks.name(user)})"
            key = ("term", tape.index[node], tape.index[user], i)
            whole = "act_derivative_wrong_formula" if user in insides else "partial_batch" if shared else "gradient_zero"
            if all(other is user for other, _ in users):  # x · x: one of the two factors
                whole = "constant_factor"
            constant = Constant(0.0, 1.0, naming(scene, part, whole, inner=user in insides))
            yield Edit(key, "constant_factor", title, part, factored(scene, [(user, i)]), right, constant, weight=2)
        if len(users) > 2:
            order = sorted(users, key=lambda edge: tape.index[edge[0]])
            for which, kept in (("last", order[-1]), ("first", order[0])):
                words = f"only the {which} of the {len(users)} terms of d{title} kept, as by = for +="
                changes = {Edge(*edge): sent(scene, edge, 0.0) for edge in users if edge is not kept}
                of = ("only", which)
                known = of if shared else ()
                place = (*of, tape.index[node])
                yield Edit(place, "partial_batch", title, words, changes, right, family=known, weight=3)
    for name, p in tape.parameters.items():
        yield updated(scene, name, p)
        for other, g in tape.gradients.items():
            if other != name and g.shape == p.array.shape:
                words = f"d{other} still in d{name}: a buffer that was not cleared, added to"
                changes = {Leaf(name): plus(g)}
                right = f"{marks.line(name)}, in an array of its own that starts from zero"
                yield Edit(("added", name, other), "accumulated", name, words, changes, right, weight=2, local=True)


def data_part(scene: Scene, node: Node, edge: tuple[Node, int]) -> Edit:
    """All of a parameter's gradient but that of its penalty, times a constant."""
    part = f"the part of d{scene.marks.name(node)} that comes from the data"
    constant = Constant(2.0, 1.0, lambda c: name_constant(c, scene, part))
    right = "a factor of the data's loss, such as 1/m, is none of the L2 term"
    key = ("data part", scene.tape.index[node])
    changes = factored(scene, [edge])
    return Edit(key, "constant_factor", scene.marks.name(node), part, changes, right, constant, ("data part",), 3, local=True)


def plus(other: Array) -> Change:
    """What arrives, and another gradient."""

    def change(g: Array, run: Run) -> Array:
        return g + other

    return change


def naming(scene: Scene, part: str, whole: str, inner: bool) -> Callable[[float], tuple[str, str]]:
    """The label of a term with a factor c, and what happened in words."""

    def named(c: float) -> tuple[str, str]:
        if abs(c) < 1e-9:
            return whole, f"{part} left out"
        if inner:  # a part of the derivative of one function
            return whole, f"{part} multiplied by {c:.6g}"
        if near(c, 2):
            return "accumulated", f"{part} added twice"
        return name_constant(c, scene, part)

    return named


def updated(scene: Scene, name: str, p: Node) -> Edit:
    """The parameter after a step, returned in place of its gradient."""
    g = scene.tape.gradients[name]

    def stepped(c: float) -> Change:
        def change(_: Array, run: Run) -> Array:
            return p.array - c * g

        return change

    def named(c: float) -> tuple[str, str]:
        return "updated_weights", f"the updated {name}, after a step of {c:.6g} · d{name}, returned in place of d{name}"

    return Edit(
        ("updated returned", name),
        "updated_weights",
        name,
        f"the updated {name}",
        lambda c: {Leaf(name): stepped(c)},
        f"return d{name}; the update comes after",
        Constant(0.01, 0.0, named),
        family=("updated returned",),
        weight=0.5,
        local=True,
    )
