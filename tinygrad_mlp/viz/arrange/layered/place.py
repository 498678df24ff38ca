"""Places across the flow: where edges attach to boxes, which vertices stand exactly under each other, and how far right each is."""

from __future__ import annotations

from bisect import bisect_left

from .model import BORDER, BOX, DUMMY, GROUP, LABEL, PORT, Problem, Segment, Tick, Vertex
from .order import source_place, target_place
from .solve import Arc, Pull, solve

__all__ = ["place"]

BETWEEN_BOXES = 24.0
BESIDE_BOX = 16.0
BETWEEN_EDGES = 12.0
ATTACHMENTS = 28.0  # apart on a box's border, where there is room
NUDGE = 10.0  # how far an attachment may move to make an edge straight
BESIDE_END = 8.0  # and how near it may come to others and to the corner
LIGHT = 0.2  # how much a long edge pulls at a box, where another box pulls with 1


def place(problem: Problem, tick: Tick) -> None:
    """Set every vertex's `left`, and where on their vertices the segments begin and end."""
    attach(problem)
    block, shift, count = blocks(problem, aligned(problem))
    arcs = neighbours(problem, block, shift)
    order = block_order(count, arcs)
    if len(order) < count:  # cannot be, as aligned segments do not cross; but then each vertex stands alone
        block, shift, count = blocks(problem, [])
        arcs = neighbours(problem, block, shift)
        order = block_order(count, arcs)
    left = solve(arcs, forces(problem, block, shift, count), order, tick)
    for number, vertex in enumerate(problem.vertices):
        vertex.left = left[block[number]] + shift[number]
    straighten(problem)


def attach(problem: Problem) -> None:
    """Spread the segments' ends over the borders of the boxes, in the order of their other ends."""
    for vertex in problem.vertices:
        vertex.ins.sort(key=lambda index: far_source(problem, problem.segments[index]))
        vertex.outs.sort(key=lambda index: far_target(problem, problem.segments[index]))
    for number, vertex in enumerate(problem.vertices):
        if vertex.kind == LABEL:
            vertex.line = vertex.across if on_the_left(problem, vertex) else 0.0
        for segments, incoming in ((vertex.ins, True), (vertex.outs, False)):
            offsets = spread(problem, number, segments, incoming)
            for index, offset in zip(segments, offsets, strict=True):
                if incoming:
                    problem.segments[index].target_at = offset
                else:
                    problem.segments[index].source_at = offset


def straighten(problem: Problem) -> None:
    """Move ends on boxes a little where that makes a segment straight; they keep their order and some distance."""
    for index, segment in enumerate(problem.segments):
        source, target = problem.vertices[segment.source], problem.vertices[segment.target]
        off = source.left + segment.source_at - target.left - segment.target_at
        if segment.rail or off == 0 or abs(off) > NUDGE:
            continue
        if target.kind == BOX:
            ends = [problem.segments[other].target_at for other in target.ins]
            if has_room(target, ends, target.ins.index(index), segment.target_at + off):
                segment.target_at += off
                continue
        if source.kind == BOX:
            ends = [problem.segments[other].source_at for other in source.outs]
            if has_room(source, ends, source.outs.index(index), segment.source_at - off):
                segment.source_at -= off


def has_room(vertex: Vertex, ends: list[float], at: int, value: float) -> bool:
    """Whether the end of that number, of all on a border of a box, may move to a place."""
    lower = ends[at - 1] + BESIDE_END if at > 0 else BESIDE_END
    upper = ends[at + 1] - BESIDE_END if at + 1 < len(ends) else vertex.across - BESIDE_END
    return lower <= value <= upper


def far_source(problem: Problem, segment: Segment) -> float:
    """The order of segments along the upper border of their target; those that run alongside come last."""
    return float("inf") if segment.rail else source_place(problem, segment)


def far_target(problem: Problem, segment: Segment) -> float:
    """The order of segments along the lower border of their source."""
    return float("inf") if segment.rail else target_place(problem, segment)


def on_the_left(problem: Problem, label: Vertex) -> bool:
    """Whether a label stands to the left of its edge: for the left ones of the edges that leave or reach a box together."""
    chain = problem.chains[label.link]
    outs = problem.vertices[problem.segments[chain[0]].source].outs
    if len(outs) > 1:
        return outs.index(chain[0]) < (len(outs) - 1) / 2
    ins = problem.vertices[problem.segments[chain[-1]].target].ins
    if len(ins) > 1:
        return ins.index(chain[-1]) < (len(ins) - 1) / 2
    return not problem.down


def spread(problem: Problem, number: int, segments: list[int], incoming: bool) -> list[float]:
    """Where on the border of a vertex its segments attach, from its left: the main one in the middle."""
    vertex = problem.vertices[number]
    if vertex.kind == GROUP:
        child = problem.children[vertex.child]
        ports = child.entries if incoming else child.exits
        return [] if ports is None else [ports[problem.links[problem.segments[index].link].edge] for index in segments]
    if vertex.kind != BOX:
        return [vertex.line for _ in segments]
    count = len(segments)
    middle = vertex.across / 2
    room = max(middle - 8.0, middle * 0.6)  # to either side
    main = main_segment(problem, segments, incoming, for_line=False)
    if main < 0:
        step = min(ATTACHMENTS + 4.0, 2 * room / max(count - 1, 1))
        return [middle + (index - (count - 1) / 2) * step for index in range(count)]
    at = segments.index(main)
    before = min(ATTACHMENTS, room / max(at, 1))
    after = min(ATTACHMENTS, room / max(count - 1 - at, 1))
    return [middle + (index - at) * (before if index < at else after) for index in range(count)]


def main_segment(problem: Problem, segments: list[int], incoming: bool, for_line: bool) -> int:
    """The one segment that carries the spine on, −1 if there is none: that with the longest path behind it.

    Of equals it is the middle one; of an even number none, unless all join the same two vertices and it is asked for
    what may stand in one line.
    """
    top = -1.0
    best: list[int] = []
    for index in segments:
        link = problem.links[problem.segments[index].link]
        # what comes from outside is the data, what starts within most often a parameter
        rank = (link.depth + (0.5 if link.source == BORDER else 0.0)) if incoming else link.reach
        if problem.segments[index].rail or rank < top:
            continue
        if rank > top:
            top = rank
            best = []
        best.append(index)
    if len(best) == 1 or (len(best) % 2 == 1 and len(best) == len(segments)):
        return best[len(best) // 2]
    if not best or not for_line:
        return -1
    ends = [
        (problem.links[problem.segments[index].link].source, problem.links[problem.segments[index].link].target) for index in best
    ]
    return best[(len(best) - 1) // 2] if all(end == ends[0] for end in ends) else -1


def aligned(problem: Problem) -> list[int]:
    """The segments that shall be straight: main ones on both ends, that do not cross each other."""
    main_in = [main_segment(problem, vertex.ins, True, for_line=True) for vertex in problem.vertices]
    main_out = [main_segment(problem, vertex.outs, False, for_line=True) for vertex in problem.vertices]
    chosen: list[int] = []
    for row in problem.rows:
        wanted: list[tuple[int, int, int]] = []
        for number in row:
            index = main_out[number]
            if index >= 0 and main_in[problem.segments[index].target] == index:
                inner = problem.vertices[number].kind in (DUMMY, LABEL) and problem.vertices[
                    problem.segments[index].target
                ].kind in (DUMMY, LABEL)
                wanted.append((0 if inner else 1, index, number))
        wanted.sort()
        above: list[int] = []
        below: list[int] = []
        for _, index, number in wanted:
            start = problem.vertices[number].place
            end = problem.vertices[problem.segments[index].target].place
            at = bisect_left(above, start)
            if (at == 0 or below[at - 1] < end) and (at == len(above) or end < below[at]):
                above.insert(at, start)
                below.insert(at, end)
                chosen.append(index)
    return chosen


def blocks(problem: Problem, straight: list[int]) -> tuple[list[int], list[float], int]:
    """Chains of vertices that move together: the block of each vertex, and how far to the right it stands in its block."""
    block = [-1] * len(problem.vertices)
    shift = [0.0] * len(problem.vertices)
    above = [-1] * len(problem.vertices)
    for index in straight:
        above[problem.segments[index].target] = index
    count = 0
    for row in problem.rows:
        for number in row:
            index = above[number]
            if index < 0:
                block[number] = count
                count += 1
            else:
                segment = problem.segments[index]
                block[number] = block[segment.source]
                shift[number] = shift[segment.source] + segment.source_at - segment.target_at
    return block, shift, count


def separation(first: Vertex, second: Vertex) -> float:
    """The gap between neighbours in a row."""
    boxes = (1 if first.kind in (BOX, GROUP) else 0) + (1 if second.kind in (BOX, GROUP) else 0)
    if first.kind == PORT or second.kind == PORT:
        return BESIDE_BOX
    return (BETWEEN_EDGES, BESIDE_BOX, BETWEEN_BOXES)[boxes]


def neighbours(problem: Problem, block: list[int], shift: list[float]) -> list[Arc]:
    """(left block, right block, least distance) of all neighbours in the rows."""
    arcs = []
    for row in problem.rows:
        for place in range(1, len(row)):
            first, second = row[place - 1], row[place]
            left, right = problem.vertices[first], problem.vertices[second]
            distance = shift[first] + left.across + separation(left, right) - shift[second]
            arcs.append((block[first], block[second], distance))
    return arcs


def block_order(count: int, arcs: list[Arc]) -> list[int]:
    """The blocks from left to right; some are missing if there is none such order."""
    outs: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for left, right, _ in arcs:
        outs[left].append(right)
        waiting[right] += 1
    order = [number for number in range(count) if waiting[number] == 0]
    for number in order:  # grows while it is read
        for right in outs[number]:
            waiting[right] -= 1
            if waiting[right] == 0:
                order.append(right)
    return order


def free_label(problem: Problem, block: list[int], above: Segment, below: Segment) -> bool:
    """Whether a label, between two segments, is in line with neither: then it is pulled to the child below."""
    last = problem.vertices[below.target].kind in (BOX, GROUP) and not below.rail
    return last and block[above.source] != block[above.target] != block[below.target]


def forces(problem: Problem, block: list[int], shift: list[float], count: int) -> list[list[Pull]]:
    """What pulls at each block: (other block, how far to the right of that it would be straight, weight)."""
    pulls: list[list[Pull]] = [[] for _ in range(count)]
    vertices = problem.vertices
    for chain in problem.chains:
        for place, index in enumerate(chain):
            segment = problem.segments[index]
            source, target = segment.source, segment.target
            start = segment.source_at
            if segment.rail or block[source] == block[target]:
                continue
            above = problem.segments[chain[place - 1]] if place > 0 else segment
            below = problem.segments[chain[place + 1]] if place + 1 < len(chain) else segment
            if vertices[target].kind == LABEL and free_label(problem, block, segment, below):
                continue
            if vertices[source].kind == LABEL and free_label(problem, block, above, segment):
                distance = shift[source] + start - shift[target] - segment.target_at
                pulls[block[source]].append((block[target], -distance, 1.0))
                pulls[block[target]].append((block[source], distance, 1.0))
                source, start = above.source, above.source_at
            light = (vertices[source].kind == DUMMY) != (vertices[target].kind == DUMMY)
            distance = shift[source] + start - shift[target] - segment.target_at
            pulls[block[source]].append((block[target], -distance, LIGHT if light else 1.0))
            pulls[block[target]].append((block[source], distance, LIGHT if light else 1.0))
    return pulls
