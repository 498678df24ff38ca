"""Which call of which module made which nodes, read off the stamps: a call's nodes were made between its start and its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...graph import Node, calls_of
from ...nn import Module
from ...nn.module import entries

__all__ = ["Stretch", "attribute_name", "call_tree", "common", "dissolve", "lineage", "owners", "parameter_titles", "variable_of"]


@dataclass(eq=False)
class Stretch:
    """A call: its owner, what it is called, and the calls that were made from inside it.

    ``path`` is dotted, ``model.blocks.0.linear1``; a module that its parent calls a second time is ``linear1@2``. ``results``
    are the nodes that it returned.
    """

    owner: Any
    start: int
    stop: int
    thread: int
    parent: Stretch | None = None
    title: str = ""
    path: str = ""
    inside: list[Stretch] = field(default_factory=list)
    results: list[Node] = field(default_factory=list)

    @property
    def module(self) -> Module | None:
        """The module that was called, if it was one."""
        return self.owner if isinstance(self.owner, Module) else None


def call_tree(nodes: Iterable[Node], variables: Sequence[Mapping[str, Any]]) -> list[Stretch]:
    """The outermost calls in the order of their start, with those inside; ``variables`` give the outermost modules their names."""
    found: dict[tuple[int, int], Stretch] = {}
    for node in nodes:
        for call in calls_of(node):
            key = (call.start, call.stop)
            if key not in found:
                found[key] = Stretch(call.owner, call.start, call.stop, call.thread)
            found[key].results.append(node)
    roots: list[Stretch] = []
    above: dict[int, list[Stretch]] = {}
    for (start, _), stretch in sorted(found.items(), key=lambda item: (item[0][0], -item[0][1])):
        running = above.setdefault(stretch.thread, [])
        while running and running[-1].stop < start:
            running.pop()
        stretch.parent = running[-1] if running else None
        (stretch.parent.inside if stretch.parent is not None else roots).append(stretch)
        running.append(stretch)
    name_calls(roots, variables)
    return roots


def name_calls(roots: list[Stretch], variables: Sequence[Mapping[str, Any]]) -> None:
    """Give every call its title and path. A module that is called again is ``name@2``, another one of the same name ``name#2``."""
    stack: list[tuple[list[Stretch], Stretch | None]] = [(roots, None)]
    while stack:
        siblings, parent = stack.pop()
        seen: dict[str, dict[Any, int]] = {}
        names = names_inside(parent.module) if parent is not None and parent.module is not None else {}
        for call in siblings:
            title = names.get(call.owner, "") if call.module is not None else str(call.owner)
            title = title or (variable_of(call.owner, variables) if parent is None else "") or type(call.owner).__name__.lower()
            owners = seen.setdefault(title, {})
            owners[call.owner] = times = owners.get(call.owner, 0) + 1
            number = list(owners).index(call.owner) + 1 if call.module is not None else 1
            call.title = title + (f"#{number}" if number > 1 else "") + (f"@{times}" if times > 1 else "")
            call.path = f"{parent.path}.{call.title}" if parent is not None else call.title
            stack.append((call.inside, call))


def names_inside(module: Module) -> dict[Any, str]:
    """What a module calls those inside it: its own ones by their attribute, deeper ones by their dotted names."""
    found: dict[Any, str] = {}
    for name, part in entries(vars(module), ""):
        if isinstance(part, Module):
            found.setdefault(part, name)
    for name, part in module.named_modules():
        found.setdefault(part, name)
    return found


def variable_of(owner: Any, variables: Sequence[Mapping[str, Any]]) -> str:
    """The variable that holds an object, or holds it inside a list, a dict or a module: ``models.0``; empty if none does."""
    for space in variables:
        for name, value in space.items():
            if value is owner and not name.startswith("_") and name != "self":
                return name
    for space in variables:
        for name, value in space.items():
            if not name.startswith("_"):
                for part, thing in held_by(value):
                    if thing is owner:
                        return part if name == "self" else f"{name}.{part}"
    return ""


def held_by(value: Any) -> Iterator[tuple[str, Any]]:
    """The modules in a list, a dict, a module, or an object whose method is running, with their names."""
    if isinstance(value, Module):
        yield from ((name, part) for name, part in value.named_modules() if name)
    elif isinstance(value, (list, tuple)) and len(value) <= 1000:
        yield from ((str(i), part) for i, part in enumerate(value) if isinstance(part, Module))
    elif isinstance(value, dict) and len(value) <= 1000:
        yield from ((str(key), part) for key, part in value.items() if isinstance(part, Module))
    elif not isinstance(value, type) and isinstance(inside := getattr(value, "__dict__", None), dict) and len(inside) <= 1000:
        yield from ((name, part) for name, part in inside.items() if isinstance(part, Module))


def owners(nodes: Iterable[Node], roots: list[Stretch]) -> dict[Node, Stretch]:
    """The innermost call during which each node was made; nodes that were made outside of all calls are left out."""
    flat: list[Stretch] = []
    stack = list(reversed(roots))
    while stack:
        call = stack.pop()
        flat.append(call)
        stack.extend(reversed(call.inside))
    if len({call.thread for call in flat}) > 1:
        return owners_by_results(flat)
    found: dict[Node, Stretch] = {}
    running: list[Stretch] = []
    i = 0
    for node in sorted(nodes, key=lambda n: n.stamp):
        while i < len(flat) and flat[i].start < node.stamp:
            while running and running[-1].stop < flat[i].start:
                running.pop()
            running.append(flat[i])
            i += 1
        while running and running[-1].stop < node.stamp:
            running.pop()
        if running:
            found[node] = running[-1]
    return found


def dissolve(roots: list[Stretch]) -> None:
    """Let go of what refers to each other: else the nodes would live until the cycle collector runs."""
    stack = list(roots)
    while stack:
        call = stack.pop()
        stack.extend(call.inside)
        call.inside, call.results = [], []


def owners_by_results(calls: Sequence[Stretch]) -> dict[Node, Stretch]:
    """The same where several threads compute at one time: of a call is what its results were computed from, since its start."""
    found: dict[Node, Stretch] = {}
    for call in calls:  # the outer ones first
        stack, seen = list(call.results), set[Node]()
        while stack:
            node = stack.pop()
            if node not in seen and node.stamp > call.start:
                seen.add(node)
                found[node] = call
                stack.extend(x for x in node.inputs if isinstance(x, Node))
    return found


def parameter_titles(roots: list[Stretch]) -> dict[Node, str]:
    """The dotted names of the parameters of all modules that were called, with the module's in front if there are several."""
    once = {call.module: call.title.partition("@")[0] for call in reversed(roots) if call.module is not None}
    outer = {module: title for module, title in reversed(once.items()) if module.parameters()}
    found: dict[Node, str] = {}
    for module, title in outer.items():
        bare = type(module).__module__.startswith(f"{__name__.partition('.')[0]}.nn") and len(list(module.named_modules())) == 1
        alone = len(outer) == 1 and "." not in title and not bare  # one layer by itself has no frame that would tell its name
        for name, parameter in module.named_parameters():
            found.setdefault(parameter, name if alone else f"{title}.{name}")
    return found


def lineage(call: Stretch | None) -> Iterator[Stretch]:
    """A call and those around it, the innermost first."""
    while call is not None:
        yield call
        call = call.parent


def common(places: Sequence[Stretch | None]) -> Stretch | None:
    """The innermost call around all of the places."""
    first, *others = places or [None]
    for call in lineage(first):
        if all(any(c is call for c in lineage(place)) for place in others):
            return call
    return None


def attribute_name(x: Any, call: Stretch | None) -> str:
    """The dotted name of an array that is an attribute of a module that was being called; empty if it is none."""
    for c in lineage(call):
        for name, value in vars(c.module).items() if c.module is not None else ():
            if value is x:
                return ".".join([*c.path.split(".")[1:], name])
    return ""
