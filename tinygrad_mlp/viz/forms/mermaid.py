"""The drawing as Mermaid text, for Markdown pages that draw it (GitHub, GitLab, MkDocs)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..graph.measure import visible
from .palette import PALETTE
from .svg import strokes
from .words import items

__all__ = ["mermaid"]

FORMS = {"input": ('(["', '"])'), "constant": ('(["', '"])'), "parameter": ('["', '"]'), "tensor": ('["', '"]'), "op": ('("', '")')}
CLOSED = ('[["', '"]]')


def mermaid(graph: Mapping[str, Any], view: Mapping[str, Any]) -> str:
    """What is seen of a graph as a Mermaid flowchart; open groups are subgraphs.

    Mermaid itself draws no more than 500 edges and 50,000 characters unless the page allows it.
    """
    nodes = {node["id"]: node for node in graph["nodes"]}
    groups = {group["id"]: group for group in graph["groups"]}
    out = [f"flowchart {'LR' if graph['direction'] == 'LR' else 'TD'}"]
    depth, classes, opened = 0, dict[str, None](), []
    for item, level in items(view["root"]):
        out += ["  " * (d + 1) + "end" for d in reversed(range(level, depth))]
        depth = level
        indent, name = "  " * (level + 1), item["id"]
        if "children" in item:
            out.append(f'{indent}subgraph {name} ["{quoted(joined(groups[name]))}"]')
            opened.append(name)
            depth += 1
        elif name in groups:
            classes["module"] = None
            out.append(f"{indent}{name}{boxed(CLOSED, groups[name]['lines'])}:::module")
        else:
            node = nodes[name]
            kind = node["category"] if node["kind"] == "op" else node["kind"]
            classes[kind] = None
            out.append(f"{indent}{name}{boxed(FORMS[node['kind']], node['lines'])}:::{kind}")
    out += ["  " * (d + 1) + "end" for d in reversed(range(depth))]
    styles = []
    for i, seen in enumerate(view["edges"]):
        name, line, _ = strokes(seen["state"], seen["level"])
        arrow = "-.->" if seen["state"] in ("none", "zero") else "-->"
        text = f'|"{quoted(seen["label"])}"|' if seen["label"] else ""
        out.append(f"  {seen['source']} {arrow}{text} {seen['target']}")
        styles.append(f"  linkStyle {i} stroke:{PALETTE['light'][name]},stroke-width:{line:g}px")
    c = PALETTE["light"]
    frames = [
        f"  classDef frame fill:{c['group-a']},stroke:{c['group-line']},color:{c['text']}",
        f"  class {','.join(opened)} frame",
    ]
    return "\n".join([*out, *map(class_of, classes), *(frames if opened else []), *styles]) + "\n"


def boxed(form: tuple[str, str], lines: Sequence[Sequence[str]]) -> str:
    """The lines of a box in the brackets of its form."""
    return form[0] + "<br/>".join(quoted(text) for _, text in lines) + form[1]


def joined(group: Mapping[str, Any]) -> str:
    """The title of an open group."""
    return f"{group['title']} {group['subtitle']}".strip()


def class_of(kind: str) -> str:
    """The colours of a kind of box."""
    c = PALETTE["light"]
    return f"  classDef {kind} fill:{c[f'{kind}-fill']},stroke:{c[f'{kind}-line']},color:{c['text']}"


def quoted(text: str) -> str:
    """Any text for a label in quotes: what Mermaid, Markdown or HTML would read as markup stands as #34; and the like.

    >>> quoted('1. a "b" <c> #d')
    '#49;#46; a #34;b#34; #60;c#62; #35;d'
    """
    return re.sub(MARKUP, coded, visible(text)) or " "


MARKUP = r"[\"#<>&*~`\\$|{}\[\];%@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[-+](?= )|^\d+[.)](?= )|://|www(?=\.)"
"""What is markup to Mermaid, to Markdown (emphasis, lists) or to HTML, or would become a link."""


def coded(match: re.Match[str]) -> str:
    """The characters as numbers."""
    return "".join(f"#{ord(ch)};" for ch in match[0])
