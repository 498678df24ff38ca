"""The drawing as plain text, as Mermaid and for Graphviz, and places found by dot."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import Any

import graphs_by_hand as by_hand
import pytest

from tinygrad_mlp.errors import DataError, MissingExtraError
from tinygrad_mlp.viz.arrange.view import visible
from tinygrad_mlp.viz.forms import dot
from tinygrad_mlp.viz.forms.mermaid import mermaid, quoted
from tinygrad_mlp.viz.forms.svg import svg
from tinygrad_mlp.viz.forms.text import text

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="the dot program (Graphviz) is not installed")
SVG = "{http://www.w3.org/2000/svg}"


# --- text --------------------------------------------------------------------------------------------------------------


def test_text_of_a_network() -> None:
    assert (
        text(by_hand.mlp())
        == """\
loss of an MLP
6 operations, 4 parameters with 67 numbers; 12 nodes, 11 edges
loss 1.267

operations in execution order
  model: MLP
    linear1: Linear(4, 8)
      1  matmul   z = x W   (16, 8)   gradient RMS 1e−2
      2  add   z = x + y   (16, 8)   gradient RMS 1e−2
    3  relu   z = max(0, x)   (16, 8)   gradient RMS 1e−2
    linear2: Linear(8, 3)
      4  matmul   z = x W   (16, 3)   gradient RMS 1e−2
      5  add   z = x + y   (16, 3)   gradient RMS 1e−2
  6  cross_entropy   z = −mean log softmax(x)[y]   scalar   = 1.267   gradient RMS 1e−2

inputs and parameters
  x   input   (16, 4)   gradient RMS 1e−2
  linear1.weight   parameter   (4, 8)   gradient RMS 1e−2
  linear1.bias   parameter   (8,)   gradient RMS 1e−2
  linear2.weight   parameter   (8, 3)   gradient RMS 1e−2
  linear2.bias   parameter   (3,)   gradient RMS 1e−2
  y   constant   (16,)   no gradient
"""
    )


def test_text_tells_what_is_wrong() -> None:
    told = text(by_hand.ailing())
    assert "⚠ NaN first in log, forward" in told
    assert "log   z = log x   (16, 4)   ⚠ value: 3 NaN of 64" in told
    assert "loss NaN" in told
    assert "no gradients: call loss.backward()" in text(by_hand.unknown())


def test_text_of_hostile_names_has_a_line_for_each() -> None:
    description = by_hand.hostile()
    told = text(description)
    assert told.encode("utf-8")
    after = told.split("inputs and parameters\n")[1]
    assert len(after.splitlines()) == len(by_hand.HOSTILE)
    assert max(map(len, told.splitlines())) < 200
    assert not set("\x00\x1b\u2028\u202e\r") & set(told)


# --- Mermaid -----------------------------------------------------------------------------------------------------------


def test_mermaid_of_a_deep_network() -> None:
    description = by_hand.folded()
    assert (
        mermaid(description, visible(description))
        == """\
flowchart TD
  n0(["x<br/>(16, 64) float64"]):::input
  subgraph g0 ["model MLP"]
    n1("relu<br/>z = max(0, x)<br/>dx = g ⊙ #91;x #62; 0#93;<br/>(16, 64)"):::activation
    g1[["▸ relu2 … relu6<br/>(Linear → relu) × 5<br/>2 ops, 40 numbers"]]:::module
    g2[["▸ head<br/>Sequential<br/>2 ops, 40 numbers"]]:::module
  end
  n0 -->|"1.0e-3"| n1
  n1 -->|"2.0e-3"| g1
  g1 -->|"7.0e-3"| g2
  classDef input fill:#eceff2,stroke:#57606a,color:#1b1f24
  classDef activation fill:#ffe8cc,stroke:#c65d00,color:#1b1f24
  classDef module fill:#e6ebf1,stroke:#4a5563,color:#1b1f24
  classDef frame fill:#f6f8fa,stroke:#818b98,color:#1b1f24
  class g0 frame
  linkStyle 0 stroke:#a06d14,stroke-width:2px
  linkStyle 1 stroke:#b8530e,stroke-width:2.8px
  linkStyle 2 stroke:#b8530e,stroke-width:2.8px
"""
    )


@pytest.mark.parametrize("name", by_hand.ALL)
def test_mermaid_lines_are_what_its_grammar_takes(name: str) -> None:
    description = by_hand.ALL[name]()
    label = r'"(?:[^"#<>`;]|#\d+;|<br/>)+"'
    node = rf"[ng]\d+(?:\(\[{label}\]\)|\[\[{label}\]\]|\[{label}\]|\({label}\)):::[a-z]+"
    edge = rf"[ng]\d+ (?:-->|-\.->)(?:\|{label}\|)? [ng]\d+"
    style = r"classDef [a-z]+ fill:#\w{6},stroke:#\w{6},color:#\w{6}|linkStyle \d+ stroke:#\w{6},stroke-width:[\d.]+px"
    allowed = re.compile(rf" +(?:{node}|{edge}|{style}|class g[g\d,]+ frame|subgraph g\d+ \[{label}\]|end)")
    drawn = mermaid(description, visible(description))
    lines = drawn.split("\n")
    assert lines[0] == "flowchart TD"
    assert [line for line in lines[1:-1] if not allowed.fullmatch(line)] == []
    assert sum(" subgraph " in line for line in lines) == sum(line.strip() == "end" for line in lines)


def test_mermaid_takes_no_markup() -> None:
    assert quoted("- item") == "#45; item"
    assert quoted("12. item 1.5") == "#49;#50;#46; item 1.5"
    assert quoted("`**a**` __b__ a_b") == "#96;#42;#42;a#42;#42;#96; #95;#95;b#95;#95; a_b"
    assert quoted("https://x.org www.x.org") == "https#58;#47;#47;x.org #119;#119;#119;.x.org"
    assert quoted("") == " "


def test_mermaid_from_left_to_right() -> None:
    description = {**by_hand.square(), "direction": "LR"}
    assert mermaid(description, visible(description)).startswith("flowchart LR\n")


# --- Graphviz ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", by_hand.ALL)
def test_digraph_has_plain_labels_only(name: str) -> None:
    graphviz = pytest.importorskip("graphviz")
    description = by_hand.ALL[name]()
    drawn = dot.digraph(description, visible(description))
    assert isinstance(drawn, graphviz.Digraph)
    assert not re.search(r"=\s*<", drawn.source)
    assert "record" not in drawn.source
    assert drawn.source.count(" -> ") >= len(visible(description)["edges"])
    assert drawn.source.encode("utf-8")


@needs_dot
@pytest.mark.parametrize("name", by_hand.ALL)
def test_dot_reads_the_digraph(name: str) -> None:
    description = by_hand.ALL[name]()
    seen = visible(description)
    run = subprocess.run(
        [shutil.which("dot") or "", "-Tsvg"],
        input=dot.digraph(description, seen).source,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    root = by_hand.parsed(run.stdout)
    found = {kind: {g.get("id") for g in root.iter(f"{SVG}g") if g.get("class") == kind} for kind in ("node", "edge", "cluster")}
    closed = {g["id"] for g in description["groups"] if not g["open"]}
    assert found["edge"] == {e["id"] for e in seen["edges"]}
    assert found["cluster"] == {g["id"] for g in description["groups"]} - closed
    assert len(found["node"]) >= 3
    labels = ["".join(t.itertext()) for t in root.iter(f"{SVG}text")]
    if name == "hostile":
        for part in ("</script><b>", "\"quoted\" & 'single'", "]]>", "two⏎lines⏎ tab", '\\N\\l\\"', "<!--", "%"):
            assert part in [label.replace("\xa0", " ") for label in labels], part


@needs_dot
@pytest.mark.parametrize(("name", "direction"), [(n, d) for n in by_hand.ALL for d in ("TB", "LR")])
def test_places_found_by_dot(name: str, direction: str) -> None:
    description = {**by_hand.ALL[name](), "direction": direction}
    seen = visible(description)
    placed = dot.placed_by_dot(seen, direction)
    parents: dict[str, str] = {}

    def walk(items: list[dict[str, Any]], parent: str) -> None:
        for item in items:
            parents[item["id"]] = parent
            if "children" in item:
                walk(item["children"], item["id"])
            else:
                assert placed["boxes"][item["id"]][2:] == pytest.approx([item["width"], item["height"]], abs=1.01)

    walk(seen["root"], "")
    assert placed["boxes"].keys() == parents.keys()
    for name_, (x, y, w, h) in placed["boxes"].items():
        left, top, wide, high = placed["boxes"][parents[name_]] if parents[name_] else (0, 0, placed["width"], placed["height"])
        assert left - 1 <= x <= x + w <= left + wide + 1
        assert top - 1 <= y <= y + h <= top + high + 1
    assert placed["edges"].keys() == {e["id"] for e in seen["edges"]}
    for edge in seen["edges"]:
        points = placed["edges"][edge["id"]]["points"]
        assert len(points) % 3 == 1
        for (px, py), end in ((points[0], "source"), (points[-1], "target")):  # an edge begins and ends at its own boxes
            x, y, w, h = placed["boxes"][edge[end]]
            assert x - 2 <= px <= x + w + 2
            assert y - 2 <= py <= y + h + 2
        assert (placed["edges"][edge["id"]]["label"] is not None) == bool(edge["label_width"])
    drawn = svg(description, seen, placed)
    assert drawn.count('<g class="edge ') == len(seen["edges"])
    assert by_hand.parsed(drawn) is not None


def test_layout_by_dot_where_there_is_no_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(MissingExtraError) as caught:
        dot.placed_by_dot(visible(by_hand.mlp()), "TB")
    told = str(caught.value)
    for cure in (
        "apt install graphviz",
        "brew install graphviz",
        "conda install",
        "choco install graphviz",
        "pip install 'pygraphviz>=2'",
    ):
        assert cure in told
    assert "our own layout needs nothing" in told


def test_pygraphviz_takes_the_place_of_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    class Graphs:
        def __init__(self, string: str) -> None:
            assert string.startswith("digraph {")

        def draw(self, format: str, prog: str) -> bytes:
            assert (format, prog) == ("json0", "dot")
            box = {"name": "n0", "id": "n0", "pos": "36,18", "width": "1", "height": "0.5"}
            return json.dumps({"bb": "0,0,72,36", "objects": [box]}).encode()

    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", type(sys)("pygraphviz"))
    monkeypatch.setattr(sys.modules["pygraphviz"], "AGraph", Graphs, raising=False)
    placed = dot.placed_by_dot({"root": [{"id": "n0", "width": 72, "height": 36}], "edges": []}, "TB")
    assert placed["boxes"] == {"n0": [0, 0, 72, 36]}


def test_dot_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> Any:
        return subprocess.CompletedProcess(command, 1, "", "out of memory")

    monkeypatch.setattr(dot.subprocess, "run", run)
    with pytest.raises(DataError, match="dot failed with code 1: out of memory"):
        dot.placed_by_dot(visible(by_hand.mlp()), "TB")

    def slow(command: list[str], **_: Any) -> Any:
        raise subprocess.TimeoutExpired(command, 60)

    monkeypatch.setattr(dot.subprocess, "run", slow)
    with pytest.raises(DataError, match="took longer than 60 seconds: close some groups"):
        dot.placed_by_dot(visible(by_hand.mlp()), "TB")


def test_without_the_package_graphviz_its_own_name_is_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(MissingExtraError, match=r"needs the package 'graphviz', which is not installed: pip install graphviz$"):
        dot.digraph(by_hand.mlp(), visible(by_hand.mlp()))
