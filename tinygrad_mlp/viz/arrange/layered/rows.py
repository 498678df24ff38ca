"""From children and links to rows: which layer a child is in, and what takes room between the layers."""

from __future__ import annotations

from .model import BORDER, BOX, DUMMY, GROUP, LABEL, LABEL_HEIGHT, PORT, Child, Link, Problem, Segment, Vertex

__all__ = ["build", "sweep_order"]

BUDGET = 8000  # dummies in one group, and one for each child; the longest edges beyond run alongside
LABEL_GAP = 5.0  # between an edge and its label


def sweep_order(count: int, pairs: list[tuple[int, int]]) -> tuple[list[int], list[bool]]:
    """The vertices in topological order, and which of the pairs had to be left out for that, because they close a cycle."""
    outs: list[list[int]] = [[] for _ in range(count)]
    for number, (source, _) in enumerate(pairs):
        outs[source].append(number)
    flipped = [False] * len(pairs)
    state = [0] * count  # 1: on the stack, 2: done
    cursor = [0] * count
    order: list[int] = []
    for root in range(count):
        if state[root]:
            continue
        state[root] = 1
        stack = [root]
        while stack:
            vertex = stack[-1]
            if cursor[vertex] == len(outs[vertex]):
                state[vertex] = 2
                order.append(stack.pop())
                continue
            number = outs[vertex][cursor[vertex]]
            cursor[vertex] += 1
            target = pairs[number][1]
            if state[target] == 0:
                state[target] = 1
                stack.append(target)
            elif state[target] == 1:
                flipped[number] = True
    order.reverse()
    return order, flipped


def layers(count: int, links: list[Link]) -> tuple[list[int], list[bool]]:
    """Each child's layer, by longest paths; what hangs on sources alone is pulled down to its first user."""
    inner = [number for number, link in enumerate(links) if link.source != BORDER and link.target != BORDER]
    order, back = sweep_order(count, [(links[number].source, links[number].target) for number in inner])
    flipped = [False] * len(links)
    befores: list[list[int]] = [[] for _ in range(count)]
    afters: list[list[int]] = [[] for _ in range(count)]
    for number, is_back in zip(inner, back, strict=True):
        flipped[number] = is_back
        if not is_back:
            befores[links[number].target].append(links[number].source)
            afters[links[number].source].append(links[number].target)
    held = [False] * count  # something from outside comes in
    for link in links:
        if link.source == BORDER:
            held[link.target] = True
    layer = [0] * count
    for child in order:
        for before in befores[child]:
            layer[child] = max(layer[child], layer[before] + 1)
    latest = layer.copy()
    for child in reversed(order):
        if afters[child]:
            latest[child] = min(latest[after] for after in afters[child]) - 1
    for child in order:
        held[child] = held[child] or latest[child] == layer[child] or any(held[before] for before in befores[child])
    for child in reversed(order):
        if not held[child]:
            layer[child] = min(layer[after] for after in afters[child]) - 1
    return layer, flipped


def build(children: list[Child], links: list[Link], down: bool, ported: bool) -> Problem:
    """Rows of vertices, in a first order, with the segments between them."""
    layer, flipped = layers(len(children), links)
    depth = max(layer, default=-1) + 1
    starts = [-1 if link.source == BORDER else layer[link.source] for link in links]
    ends = [depth if link.target == BORDER else layer[link.target] for link in links]
    rails = flipped.copy()
    spans = [end - start for start, end in zip(starts, ends, strict=True)]
    total = 0
    for span in spans:
        total += max(span - 1, 0)
    for number in sorted(range(len(links)), key=lambda number: -spans[number]):
        if total <= BUDGET + len(children) or spans[number] < 2:
            break
        rails[number] = True
        total -= spans[number] - 1
    gaps = label_gaps(len(children), links, starts, ends, rails)
    label_row = [False] * depth
    for gap in gaps:
        if gap >= 0:
            label_row[gap] = True
    problem = Problem(children, links, flipped, down, ported)
    first = 1 if ported else 0
    row_of: list[int] = []
    for number in range(depth):
        row_of.append(first)
        first += 2 if label_row[number] else 1
    problem.rows = [[] for _ in range(first + 1 if ported else first)]
    fill(problem, [row_of[number] for number in layer], row_of, gaps, rails)
    return problem


def label_gaps(count: int, links: list[Link], starts: list[int], ends: list[int], rails: list[bool]) -> list[int]:
    """For each link the layer below which its label stands, −1 for none: at that end where there are fewer other edges."""
    outs = [0] * count
    ins = [0] * count
    for link in links:
        if link.source != BORDER and link.target != BORDER:
            outs[link.source] += 1
            ins[link.target] += 1
    gaps = []
    for number, link in enumerate(links):
        if link.label <= 0:
            gaps.append(-1)
        elif rails[number] or ins[link.target] > outs[link.source]:
            gaps.append(starts[number])
        else:
            gaps.append(ends[number] - 1)
    return gaps


def fill(problem: Problem, rows: list[int], row_of: list[int], gaps: list[int], rails: list[bool]) -> None:
    """Vertices for the children, and for each link the chain of vertices and segments between its ends."""
    for number, child in enumerate(problem.children):
        kind = BOX if child.entries is None else GROUP
        add(problem, Vertex(kind, rows[number], child.across, child.along, child=number))
    for number, link in enumerate(problem.links):
        source, target = link.source, link.target
        if source == BORDER:
            source = add(problem, Vertex(PORT, 0, link=number))
        if target == BORDER:
            target = add(problem, Vertex(PORT, len(problem.rows) - 1, link=number))
        label = -1 if gaps[number] < 0 else row_of[gaps[number]] + 1
        end = problem.vertices[target].row
        if rails[number]:
            end = problem.vertices[source].row + (1 if label < 0 else 2)
        chain = []
        last = source
        for row in range(problem.vertices[source].row + 1, end):
            vertex = Vertex(DUMMY, row, link=number)
            if row == label:
                vertex.kind = LABEL
                vertex.across = LABEL_GAP + (link.label if problem.down else LABEL_HEIGHT)
                vertex.along = LABEL_HEIGHT if problem.down else link.label
            dummy = add(problem, vertex)
            chain.append(join(problem, Segment(number, last, dummy, False)))
            last = dummy
        chain.append(join(problem, Segment(number, last, target, rails[number])))
        problem.chains.append(chain)


def add(problem: Problem, vertex: Vertex) -> int:
    """Put a vertex at the end of its row."""
    number = len(problem.vertices)
    problem.vertices.append(vertex)
    problem.rows[vertex.row].append(number)
    return number


def join(problem: Problem, segment: Segment) -> int:
    """Add a segment, and tell its ends."""
    number = len(problem.segments)
    problem.segments.append(segment)
    problem.vertices[segment.source].outs.append(number)
    problem.vertices[segment.target].ins.append(number)
    return number
