"""The recorded loss as a program that can be run backward with a step changed.

The backward pass is linear in what arrives: a change at one place moves only the gradients below it. The true pass is run once
and every contribution kept; a changed pass computes again what lies below the change, and takes the rest as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..graph import Node, topological
from ..kernels.shapes import Array
from ..rounding import Replayed, rerun
from ..sweep import pull_back

__all__ = ["At", "Changes", "Edge", "Jump", "Leaf", "Run", "Site", "Tape"]

Site = tuple[Any, ...]
"""A place where a pass can be changed: made by one of the four functions below."""

Change = Callable[[Array, "Run"], Array]
"""What happens there instead: a function of what arrives."""

Changes = Mapping[Site, Any]


def At(node: Node) -> Site:
    """The gradient of a value, once all its users have sent their part: ``change(g, run)`` is handed on instead."""
    return ("at", node)


def Edge(node: Node, i: int) -> Site:
    """What an operation sends to its i-th input: ``change(g, run)`` is sent instead; g is the gradient of its result."""
    return ("edge", node, i)


def Jump(last: Node) -> Site:
    """A piece of the computation passed in one step: a pair (first, change); ``change(g, run)`` arrives at the value ``first``."""
    return ("jump", last)


def Leaf(name: str) -> Site:
    """The gradient of a parameter, as it is returned: ``change(g, run)`` is returned instead."""
    return ("leaf", name)


class Tape:
    """The true backward pass of a loss, step by step.

    Parameters
    ----------
    loss : the recorded loss, a number
    parameters : the Tensors of which gradients are asked, by name
    slopes : of an edge, another derivative of its operation, entry by entry: another right one at a kink

    Attributes
    ----------
    order : all nodes, the loss first, each before its inputs
    forward : the same in the order of their making
    index : each node's place in ``forward``: the name of a place that holds for another run of the same function
    users : of each node, the edges that its gradient comes from
    gradients : the true ones, by the parameter's name
    """

    def __init__(self, loss: Node, parameters: Mapping[str, Node], slopes: Mapping[tuple[Node, int], Array] | None = None) -> None:
        self.loss, self.parameters, self.slopes = loss, dict(parameters), dict(slopes or {})
        self.order = list(topological(loss))
        self.forward = sorted(self.order, key=lambda node: node.stamp)
        self.index = {node: i for i, node in enumerate(self.forward)}
        self.users: dict[Node, list[tuple[Node, int]]] = {node: [] for node in self.order}
        for node in self.order:
            for i, x in node.edges:
                self.users[x].append((node, i))
        self.sent: dict[tuple[Node, int], Array] = {}
        self.adjoint: dict[Node, Array] = {loss: np.ones_like(loss.array)}
        for node in self.order:
            if node is not loss:
                self.adjoint[node] = total([self.sent[edge] for edge in self.users[node]])
            for i, _ in node.edges:
                self.sent[node, i] = self.pull(node, i, self.adjoint[node])
        self.idle = {
            edge for edge, sent in self.sent.items() if edge[0].op is not None and edge[0].op.name == "max" and idle(sent, self)
        }
        """Maxima that only keep an exponential from overflowing: nothing depends on them, and nobody differentiates them."""
        self.gradients = {
            name: self.adjoint[p] if p in self.adjoint else np.zeros_like(p.array) for name, p in self.parameters.items()
        }

    def pull(self, node: Node, i: int, g: Array, array: Array | None = None, arrays: Sequence[Any] | None = None) -> Array:
        """What the rule of one edge sends, given g; with another value of the node, or other inputs, where given."""
        if array is None and arrays is None and (node, i) in self.slopes:
            return g * self.slopes[node, i]
        shadow: Any = Replayed(node, array, arrays, only=i)
        found: Array = pull_back(shadow, shadow.op, g, None, False, False, None)[0][1]
        return found

    def rounded(self, rng: np.random.Generator, eps: float) -> dict[str, Array]:
        """The gradients with every result, forward and backward, moved at random by its last bit: what rounding may do.

        Monte Carlo arithmetic (Parker 1997): where digits are lost, as in 1 − a for an a near 1, the results scatter.
        """
        with np.errstate(all="ignore"):
            _, found = rerun(self.order, np.ones_like(self.loss.array), rng, eps=eps)
        return {name: found.get(p, np.zeros_like(p.array)) for name, p in self.parameters.items()}

    def below(self, start: Sequence[Node]) -> set[Node]:
        """The nodes whose gradients depend on those of the given ones, and they themselves."""
        seen: set[Node] = set()
        stack = list(start)
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                stack.extend(x for _, x in node.edges)
        return seen

    def above(self, node: Node) -> set[Node]:
        """The nodes that depend on the given one, and it itself."""
        seen: set[Node] = set()
        stack = [node]
        while stack:
            n = stack.pop()
            if n not in seen:
                seen.add(n)
                stack.extend(user for user, _ in self.users.get(n, ()))
        return seen

    def touched(self, changes: Changes) -> list[str]:
        """The parameters whose gradients a change can move."""
        nodes, names = self.moved(changes)
        return [n for n, p in self.parameters.items() if p in nodes or n in names]

    def moved(self, changes: Changes) -> tuple[set[Node], set[str]]:
        """The nodes, and the parameters by name, that a change can move."""
        start: list[Node] = []
        names: set[str] = set()
        for site, change in changes.items():
            match site:
                case ("at", node):
                    start.append(node)
                case ("edge", node, i):
                    start.extend(x for j, x in node.edges if j == i)
                case ("jump", node):
                    start.extend(x for _, x in node.edges)
                    start.append(change[0])
                case (_, name):
                    names.add(name)
        return self.below(start), names

    def run(self, changes: Changes) -> dict[str, Array]:
        """The gradients with the changed steps; those that a change cannot move are the true ones."""
        moved, names = self.moved(changes)
        run = Run(self, changes, moved)
        found = {n: run.gradient(p) if p in moved else self.gradients[n] for n, p in self.parameters.items()}
        for name in names:
            found[name] = changes[Leaf(name)](found[name], run)
        return found


class Run:
    """One changed pass: the gradients so far.

    Attributes
    ----------
    tape : the program
    g : the gradients of the nodes that were computed again
    """

    def __init__(self, tape: Tape, changes: Changes, moved: set[Node]) -> None:
        self.tape, self.changes = tape, changes
        self.g: dict[Node, Array | None] = {}
        jumps: dict[Node, list[Node]] = {}
        for site, change in changes.items():
            if site[0] == "jump":
                jumps.setdefault(change[0], []).append(site[1])
        for node in tape.order:
            if node in moved:
                parts = [self.part(user, i, moved) for user, i in tape.users[node]] if node is not tape.loss else []
                arrivals = [(last, self.of(last)) for last in jumps.get(node, ())]
                parts += [changes[Jump(last)][1](g, self) for last, g in arrivals if g is not None]
                arrived = [part for part in parts if part is not None]
                g = tape.adjoint[node] if node is tape.loss else total(arrived) if arrived else None
                change = changes.get(At(node))
                self.g[node] = change(g, self) if change is not None and g is not None else g

    def of(self, node: Node) -> Array | None:
        """The gradient of a value in this pass; None if nothing arrives."""
        return self.g[node] if node in self.g else self.tape.adjoint[node]

    def part(self, user: Node, i: int, moved: set[Node]) -> Array | None:
        """What one user sends to one of its inputs."""
        if Jump(user) in self.changes or (user, i) in self.tape.idle:
            return None
        change = self.changes.get(Edge(user, i))
        if change is None and user not in moved:
            return self.tape.sent[user, i]
        g = self.of(user)
        if g is None:
            return None
        found: Array = change(g, self) if change is not None else self.tape.pull(user, i, g)
        return found

    def gradient(self, parameter: Node) -> Array:
        """The gradient of a parameter; zeros if nothing arrives."""
        g = self.of(parameter)
        return np.zeros_like(parameter.array) if g is None else g


def idle(sent: Array, tape: Tape) -> bool:
    """Whether what is sent is nothing but rounding."""
    largest = max(float(np.max(np.abs(g), initial=0)) for g in tape.adjoint.values())
    return float(np.max(np.abs(sent), initial=0)) <= 1e-13 * largest


def total(parts: Sequence[Array]) -> Array:
    """The sum of what arrives, in the order in which it was sent."""
    g = parts[0]
    for part in parts[1:]:
        g = g + part
    return g
