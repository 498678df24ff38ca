"""Where blocks stand from left to right: near to where their edges pull them, and apart from their neighbours."""

from __future__ import annotations

from .model import Tick

__all__ = ["Arc", "Pull", "solve"]

Arc = tuple[int, int, float]  # left block, right block, least distance
Pull = tuple[int, float, float]  # another block, how far to the right of it one would stand straight, weight

MOST, LEAST = 60, 6  # rounds
WORK = 150_000  # rounds times blocks and neighbours: of many, fewer rounds must do
STILL = 1e-4
FAR = 1e9
NO_WEIGHT = 0.01  # of a block that nothing pulls at


def solve(arcs: list[Arc], pulls: list[list[Pull]], order: list[int], tick: Tick) -> list[float]:
    """The blocks' places. `order`: from left to right.

    The sum of the squares of what edges are off a straight line, times their weights, shall be small. That is a quadratic
    program. Each round moves all blocks halfway to where they are pulled, and then pushes neighbours apart, the heavier one less,
    remembering for each pair how hard it was pushed (Hildreth's method). What is then still too near is repaired, and in the
    last rounds each block alone moves to where it is pulled, as far as there is room.
    """
    count = len(order)
    lefts: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    rights: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    for left, right, distance in arcs:
        lefts[right].append((left, distance))
        rights[left].append((right, distance))
    weights = [NO_WEIGHT] * count
    for number in range(count):
        for _, _, weight in pulls[number]:
            weights[number] += weight
    rounds = max(LEAST, min(MOST, WORK // (count + len(arcs) + 1)))
    at = [0.0] * count
    for number in order:
        for other, distance in lefts[number]:
            at[number] = max(at[number], at[other] + distance)
    forces = [0.0] * len(arcs)
    for _ in range(2 * rounds):
        moved = [(at[number] + wish(at, number, pulls)) / 2 for number in range(count)]
        push(moved, arcs, weights, forces)
        still = all(abs(moved[number] - at[number]) < STILL for number in range(count))
        at = moved
        tick()
        if still:
            break
    at = spaced(at, order, lefts, rights)
    for turn in range(rounds):
        # the mean of both directions has no bias; at last there is none, so that what can be straight is exactly straight
        first, second = at.copy(), at.copy()
        settle(first, order, pulls, lefts, rights)
        settle(second, order[::-1], pulls, lefts, rights)
        at = first if turn >= rounds - 2 else [(first[number] + second[number]) / 2 for number in range(count)]
        tick()
    return at


def wish(at: list[float], number: int, pulls: list[list[Pull]]) -> float:
    """Where a block is pulled: the mean of the places that would make its edges straight."""
    total = 0.0
    weights = 0.0
    for other, distance, weight in pulls[number]:
        total += weight * (at[other] + distance)
        weights += weight
    return total / weights if weights > 0 else at[number]


def push(at: list[float], arcs: list[Arc], weights: list[float], forces: list[float]) -> None:
    """Push neighbours apart that are too near, and let those come back that were pushed too hard."""
    for (left, right, _), force in zip(arcs, forces, strict=True):  # as hard as the last time
        at[left] -= force / weights[left]
        at[right] += force / weights[right]
    for _ in range(3):
        for number, (left, right, distance) in enumerate(arcs):
            lack = (distance - at[right] + at[left]) / (1 / weights[left] + 1 / weights[right])
            lack = max(lack, -forces[number])
            forces[number] += lack
            at[left] -= lack / weights[left]
            at[right] += lack / weights[right]


def spaced(
    at: list[float], order: list[int], lefts: list[list[tuple[int, float]]], rights: list[list[tuple[int, float]]]
) -> list[float]:
    """Places that keep all distances: the mean of those found by pushing to the right and by pushing to the left."""
    low, high = at.copy(), at.copy()
    for number in order:
        for other, distance in lefts[number]:
            low[number] = max(low[number], low[other] + distance)
    for number in reversed(order):
        for other, distance in rights[number]:
            high[number] = min(high[number], high[other] - distance)
    return [(low[number] + high[number]) / 2 for number in range(len(at))]


def settle(
    at: list[float],
    order: list[int],
    pulls: list[list[Pull]],
    lefts: list[list[tuple[int, float]]],
    rights: list[list[tuple[int, float]]],
) -> None:
    """Move each block in its turn to where it is pulled, as far as there is room."""
    for number in order:
        value = wish(at, number, pulls)
        if not pulls[number]:  # it stands next to a neighbour
            value = -FAR if lefts[number] else FAR if rights[number] else value
        for other, distance in rights[number]:
            value = min(value, at[other] - distance)
        for other, distance in lefts[number]:
            value = max(value, at[other] + distance)
        at[number] = value
