"""What the steps of the layout of one group hand to each other: vertices in rows, and segments between the rows.

*Across* and *along* are directions relative to the flow of the data: x and y where it flows down, y and x where it flows right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = [
    "BORDER",
    "BOX",
    "DUMMY",
    "GROUP",
    "LABEL",
    "LABEL_HEIGHT",
    "PADDING",
    "PORT",
    "TITLE",
    "Child",
    "Link",
    "Problem",
    "Segment",
    "Tick",
    "Vertex",
]

TITLE = 26.0  # the height of a group's title bar
PADDING = 14.0  # between a group's border and what is in it
LABEL_HEIGHT = 14.0
BORDER = -1  # as an end of a link: the group's own border

BOX, GROUP, DUMMY, LABEL, PORT = range(5)  # kinds of vertices

Tick = Callable[[], None]  # called now and then; it may raise, to stop a layout that takes too long


@dataclass(slots=True)
class Child:
    """A box, or a group that has been laid out: then `entries` and `exits` say where on its border which edge passes."""

    across: float
    along: float
    entries: dict[int, float] | None = None
    exits: dict[int, float] | None = None


@dataclass(slots=True)
class Link:
    """The part of an edge within one group: from child to child, or from or to the group's border.

    `depth` is the length of the longest path to the edge's source, `reach` of that from its target: they tell the spine.
    """

    edge: int
    source: int
    target: int
    label: float
    depth: float
    reach: float


@dataclass(slots=True)
class Vertex:
    """Something that takes room in a row: a child, a port on the border, a label, or a long edge that passes by (a dummy)."""

    kind: int
    row: int
    across: float = 0.0
    along: float = 0.0
    child: int = -1
    link: int = -1
    place: int = 0  # in its row
    line: float = 0.0  # where the edge passes a label
    left: float = 0.0
    top: float = 0.0
    ins: list[int] = field(default_factory=list)  # segments
    outs: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Segment:
    """A piece of a link from one row to the next; a `rail` may pass any rows, alongside of everything."""

    link: int
    source: int
    target: int
    rail: bool
    source_at: float = 0.0  # from the left of the vertex
    target_at: float = 0.0


@dataclass(slots=True)
class Problem:
    """One group's contents. `down`: the flow is downwards, so labels are wide across and thin along the flow."""

    children: list[Child]
    links: list[Link]
    flipped: list[bool]
    down: bool
    ported: bool  # the first and the last row are the border
    vertices: list[Vertex] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    chains: list[list[int]] = field(default_factory=list)  # of each link: its segments
