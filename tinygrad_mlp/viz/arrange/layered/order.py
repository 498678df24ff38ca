"""The order of the vertices in each row: sweeps up and down, by the mean place of the neighbours, to have few crossings."""

from __future__ import annotations

from bisect import bisect_right

from .model import BOX, GROUP, Problem, Segment, Tick, Vertex

__all__ = ["arrange", "source_place", "target_place"]

SWEEPS = 10
LARGE = 4000  # vertices, from which on fewer sweeps must do
FEW = 4


def source_place(problem: Problem, segment: Segment) -> float:
    """Where the segment starts, in places of the row: between its vertex's place and the next, as its port is on a group."""
    vertex = problem.vertices[segment.source]
    if vertex.kind == GROUP:
        child = problem.children[vertex.child]
        if child.exits is not None:
            return vertex.place + child.exits[problem.links[segment.link].edge] / child.across
    return vertex.place + 0.5


def target_place(problem: Problem, segment: Segment) -> float:
    """Where the segment ends, in places of the row."""
    vertex = problem.vertices[segment.target]
    if vertex.kind == GROUP:
        child = problem.children[vertex.child]
        if child.entries is not None:
            return vertex.place + child.entries[problem.links[segment.link].edge] / child.across
    return vertex.place + 0.5


def arrange(problem: Problem, tick: Tick) -> None:
    """Sort the rows. Ties keep the order there is: first leaves (so parameters are to the left of the spine), then as given."""
    vertices = problem.vertices
    for row in problem.rows:
        row.sort(key=lambda number: (0 if starts_at_leaf(problem, vertices[number]) else 1, number))
        number_places(problem, row)
    if all(len(row) < 2 for row in problem.rows):
        return
    best = crossings(problem)
    rows = [row.copy() for row in problem.rows]
    for sweep in range(SWEEPS if len(vertices) < LARGE else FEW):
        upwards = sweep % 2 == 0
        for row in reversed(problem.rows) if upwards else problem.rows:
            sort_row(problem, row, upwards)
            tick()
        now = crossings(problem)
        if now < best or sweep == 0:  # the first sweep puts leaves next to their users
            best = now
            rows = [row.copy() for row in problem.rows]
        if best == 0:
            break
    problem.rows = rows
    for row in rows:
        number_places(problem, row)


def starts_at_leaf(problem: Problem, vertex: Vertex) -> bool:
    """Whether a vertex is a child that nothing leads to, or a part of a link from such a child."""
    if vertex.kind in (BOX, GROUP):
        return not vertex.ins
    source = problem.vertices[problem.segments[problem.chains[vertex.link][0]].source]
    return source.kind in (BOX, GROUP) and not source.ins


def number_places(problem: Problem, row: list[int]) -> None:
    """Tell the vertices of a row their places."""
    for place, number in enumerate(row):
        problem.vertices[number].place = place


def sort_row(problem: Problem, row: list[int], upwards: bool) -> None:
    """Sort a row by the mean places of its vertices' neighbours in the row below (`upwards`) or above; others stay."""
    if len(row) < 2:
        return
    keys: dict[int, float] = {}
    for number in row:
        total = 0.0
        count = 0
        vertex = problem.vertices[number]
        for index in vertex.outs if upwards else vertex.ins:
            segment = problem.segments[index]
            if not segment.rail:
                total += target_place(problem, segment) if upwards else source_place(problem, segment)
                count += 1
        if count:
            keys[number] = total / count
    slots = [place for place, number in enumerate(row) if number in keys]
    moved = sorted((number for number in row if number in keys), key=lambda number: keys[number])
    for place, number in zip(slots, moved, strict=True):
        row[place] = number
    number_places(problem, row)


def crossings(problem: Problem) -> int:
    """How many pairs of segments cross."""
    total = 0
    for row in problem.rows:
        pairs: list[tuple[float, float]] = []
        for number in row:
            for index in problem.vertices[number].outs:
                segment = problem.segments[index]
                if not segment.rail:
                    pairs.append((source_place(problem, segment), target_place(problem, segment)))
        pairs.sort()
        seen: list[float] = []
        for _, end in pairs:
            place = bisect_right(seen, end)
            total += len(seen) - place
            seen.insert(place, end)
    return total
