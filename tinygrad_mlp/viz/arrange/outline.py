"""The boxes of a graph as a tree: what is inside what, in execution order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..graph.ir import Edge, Graph, Group, Node

__all__ = ["Outline"]


class Outline:
    """The tree of groups and nodes of a graph.

    Attributes
    ----------
    nodes, groups : by their identifiers
    children : of each group, and of the whole (None), the nodes and groups inside, in the order of their first nodes
    parent : of each node and group, the group around it
    """

    def __init__(self, graph: Graph) -> None:
        self.nodes: dict[str, Node] = {n["id"]: n for n in graph["nodes"]}
        self.groups: dict[str, Group] = {g["id"]: g for g in graph["groups"]}
        self.edges: list[Edge] = graph["edges"]
        self.parent: dict[str, str | None] = {n["id"]: n["group"] for n in graph["nodes"]}
        self.parent |= {g["id"]: g["parent"] for g in graph["groups"]}
        self.children: dict[str | None, list[str]] = {None: [], **{g: [] for g in self.groups}}
        placed: set[str] = set()
        for node in graph["nodes"]:
            item: str | None = node["id"]
            while item is not None and item not in placed:
                placed.add(item)
                self.children[self.parent[item]].append(item)
                item = self.parent[item]

    def lineage(self, item: str | None) -> Iterator[str]:
        """A node or group and the groups around it, the innermost first."""
        while item is not None:
            yield item
            item = self.parent[item]

    def inside(self, item: str) -> Iterator[Node]:
        """The nodes in a group, in execution order; of a node, itself."""
        stack = [item]
        while stack:
            top = stack.pop()
            if top in self.nodes:
                yield self.nodes[top]
            else:
                stack.extend(reversed(self.children[top]))

    def depth(self, group: str) -> int:
        """How many groups are around it."""
        return sum(1 for _ in self.lineage(self.parent[group]))

    def below(self, parent: str | None) -> dict[str, str]:
        """Of each node in a group, the child of the group that it is in."""
        found = {}
        for child in self.children[parent]:
            for node in self.inside(child):
                found[node["id"]] = child
        return found

    def put_around(self, group: Group, items: Iterable[str]) -> None:
        """Put neighbours among the children of a group into a new group."""
        members = list(items)
        siblings = self.children[group["parent"]]
        start = siblings.index(members[0])
        self.groups[group["id"]] = group
        self.parent[group["id"]] = group["parent"]
        siblings[start : start + len(members)] = [group["id"]]
        self.children[group["id"]] = members
        for item in members:
            self.parent[item] = group["id"]
            if item in self.nodes:
                self.nodes[item]["group"] = group["id"]
            else:
                self.groups[item]["parent"] = group["id"]
