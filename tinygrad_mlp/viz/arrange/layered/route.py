"""Places along the flow, and the paths: rows below each other, with gaps as high as the curves in them need."""

from __future__ import annotations

from dataclasses import dataclass

from .model import BOX, GROUP, LABEL, LABEL_HEIGHT, PADDING, TITLE, Problem, Segment

__all__ = ["Arranged", "route"]

STRAIGHT = 0.05  # differences below this are errors of rounding
ARROW = 10.0  # the last part of an edge is straight: room for the arrow's head
RAIL = 12.0  # between edges that run alongside
RAILS = 40  # columns for them
NEAR = 80.0  # curves up to here need no more room
GAPS = {  # (kind of row above, kind of row below): the gap if all edges in it are straight, and if not
    ("port", "box"): (PADDING, 40.0),
    ("box", "port"): (PADDING, 32.0),
    ("label", "port"): (PADDING, 32.0),
    ("box", "box"): (40.0, 44.0),
    ("box", "label"): (4.0, 26.0),
    ("label", "box"): (22.0, 38.0),
    ("port", "port"): (PADDING, 32.0),
}

Point = tuple[float, float]  # (across, along)


@dataclass(slots=True)
class Arranged:
    """A group's layout, in its own coordinates from its own corner."""

    across: float
    along: float
    places: list[Point]  # of the children
    paths: list[list[Point]]  # of the links
    labels: list[Point | None]  # of the links: the middle of the label


def route(problem: Problem, title: float, margins: tuple[float, float]) -> Arranged:
    """Lay the rows below each other and draw the links; `title`: what the title bar needs; margins before and after, across."""
    vertices = problem.vertices
    left = min((vertex.left for vertex in vertices), default=0.0)
    right = left
    for vertex in vertices:
        right = max(right, vertex.left + vertex.across)
    rails = rail_columns(problem)
    columns = max(rails.values(), default=-1) + 1
    edge_right = right + (16.0 + (columns - 1) * RAIL if columns else 0.0)
    start, end = left - margins[0], edge_right + margins[1]
    if problem.down and problem.ported:
        for number in problem.rows[0]:  # no edge shall run through the title
            start = min(start, vertices[number].left - title - 4.0)
        lack = title - (end - start)
        if lack > 0:
            start, end = start - lack / 2, end + lack / 2
    for vertex in vertices:
        vertex.left -= start
    tops, heights, along = row_places(problem, title)
    return Arranged(
        end - start,
        along,
        [(vertex.left, vertex.top) for vertex in vertices[: len(problem.children)]],
        [path(problem, number, tops, heights, right - start + 16.0, rails) for number in range(len(problem.links))],
        [label(problem, number, tops, heights) for number in range(len(problem.links))],
    )


def rail_columns(problem: Problem) -> dict[int, int]:
    """For each segment that runs alongside its column: edges from one source share one, others one if they do not meet."""
    spans: dict[int, list[int]] = {}
    rails: list[tuple[int, int]] = []
    for index, segment in enumerate(problem.segments):
        if segment.rail:
            first, last = problem.vertices[segment.source].row, problem.vertices[segment.target].row
            owner = problem.segments[problem.chains[segment.link][0]].source
            rails.append((index, owner))
            span = spans.setdefault(owner, [min(first, last), max(first, last)])
            span[0] = min(span[0], first, last)
            span[1] = max(span[1], first, last)
    column: dict[int, int] = {}
    ends: list[int] = []
    for owner in sorted(spans, key=lambda owner: (spans[owner][0], owner)):
        found = 0
        while found < len(ends) and found < RAILS - 1 and ends[found] >= spans[owner][0]:
            found += 1
        if found == len(ends):
            ends.append(0)
        ends[found] = max(ends[found], spans[owner][1])
        column[owner] = found
    return {index: column[owner] for index, owner in rails}


def row_kind(problem: Problem, row: int) -> str:
    """Whether a row holds ports, labels or children."""
    if problem.ported and row in (0, len(problem.rows) - 1):
        return "port"
    return "box" if any(problem.vertices[number].kind in (BOX, GROUP) for number in problem.rows[row]) else "label"


def row_places(problem: Problem, title: float) -> tuple[list[float], list[float], float]:
    """The upper edge and the height of each row, and the height of all; sets the vertices' `top`."""
    count = len(problem.rows)
    bends = [0.0] * (count + 1)  # of each gap, the one above the row of that number: how far its curves go
    for segment in problem.segments:
        source, target = problem.vertices[segment.source], problem.vertices[segment.target]
        far = abs(source.left + segment.source_at - target.left - segment.target_at)
        if segment.rail:
            bends[source.row + 1] = max(bends[source.row + 1], NEAR)
            bends[target.row] = max(bends[target.row], NEAR)
        elif far >= STRAIGHT:
            bends[target.row] = max(bends[target.row], far)
    heights = []
    kinds = [row_kind(problem, row) for row in range(count)]
    for members in problem.rows:
        height = 0.0
        for number in members:
            height = max(height, problem.vertices[number].along)
        heights.append(height)
    if problem.ported and problem.down:
        heights[0] = TITLE
    tops = []
    along = 0.0
    for row in range(count + 1):
        bent = bends[row] > 0
        if 0 < row < count:
            gap = GAPS[kinds[row - 1], kinds[row]][1 if bent else 0]
        else:
            gap = 32.0 if bent and not problem.ported else 0.0
        along += gap + (min(48.0, max(0.0, bends[row] - NEAR) * 0.12) if bent else 0.0)
        if row == count - 1 and problem.ported and not problem.down:
            along = max(along, title)
        if row < count:
            tops.append(along)
            along += heights[row]
    for vertex in problem.vertices:
        slack = heights[vertex.row] - vertex.along
        if vertex.kind in (BOX, GROUP) and (not vertex.ins) != (not vertex.outs):
            slack = 0.0 if vertex.ins else 2 * slack  # results stand near to what they come from, parameters near to their users
        vertex.top = tops[vertex.row] + slack / 2
    return tops, heights, along


def path(problem: Problem, number: int, tops: list[float], heights: list[float], rail: float, rails: dict[int, int]) -> list[Point]:
    """The points of a link; see :func:`tinygrad_mlp.viz.arrange.layout.path`."""
    points: list[Point] = []
    for index in problem.chains[number]:
        segment = problem.segments[index]
        source, target = problem.vertices[segment.source], problem.vertices[segment.target]
        x = source.left + segment.source_at
        to = target.left + segment.target_at
        if points and abs(points[-1][0] - x) < STRAIGHT:
            x = points[-1][0]
        if abs(x - to) < STRAIGHT:
            to = x
        upper = tops[source.row] + heights[source.row]
        lower = tops[target.row] - (ARROW if target.kind in (BOX, GROUP) else 0.0)
        if not points:
            points.append((x, source.top + source.along if source.kind in (BOX, GROUP) else tops[source.row]))
        points.append((x, upper))
        if segment.rail:
            points += rail_points(problem, segment, rail + RAIL * rails[index], upper, lower)
        points += [(to, lower), (to, target.top if target.kind in (BOX, GROUP) else tops[target.row] + heights[target.row])]
    return points


def rail_points(problem: Problem, segment: Segment, rail: float, upper: float, lower: float) -> list[Point]:
    """The two ends of the straight part of an edge that runs alongside, down or, in a cycle, up."""
    if problem.vertices[segment.target].row <= problem.vertices[segment.source].row:
        return [(rail, upper), (rail, lower)]  # two turns, see the rule for points at equal heights
    return [(rail, upper + 24.0), (rail, lower - 16.0)]


def label(problem: Problem, number: int, tops: list[float], heights: list[float]) -> Point | None:
    """The middle of a link's label."""
    for index in problem.chains[number]:
        vertex = problem.vertices[problem.segments[index].target]
        if vertex.kind == LABEL:
            wide = problem.links[number].label if problem.down else LABEL_HEIGHT
            middle = wide / 2 if vertex.line > 0 else vertex.across - wide / 2
            return (vertex.left + middle, tops[vertex.row] + heights[vertex.row] / 2)
    return None
