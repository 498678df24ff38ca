"""The layout: nothing overlaps, edges go forward and around boxes, labels are free, and JavaScript gives the same numbers."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinygrad_mlp.viz.arrange import layout as layout_module
from tinygrad_mlp.viz.arrange.layered import rows as rows_module
from tinygrad_mlp.viz.arrange.layered.rows import sweep_order
from tinygrad_mlp.viz.arrange.layout import layout, path

Graph = tuple[list[dict[str, Any]], list[dict[str, Any]]]
Rectangle = tuple[float, float, float, float]  # left, upper, right, lower
HERE = Path(__file__).parent
SCRIPT = Path(layout_module.__file__).parent.parent / "page" / "layout.js"
EXACT = 1e-6
SEEDS = range(48)


def box(name: str, width: float = 90.0, height: float = 60.0) -> dict[str, Any]:
    return {"id": name, "width": width, "height": height}


def group(name: str, *children: dict[str, Any], title: float = 110.0) -> dict[str, Any]:
    return {"id": name, "title_width": title, "children": list(children)}


def arrows(text: str, label: float = 42.0) -> list[dict[str, Any]]:
    """Edges "x>y y>z"."""
    pairs = [word.split(">") for word in text.split()]
    return [{"id": f"e{number}", "source": a, "target": b, "label_width": label} for number, (a, b) in enumerate(pairs)]


def random_graph(seed: int, most: int = 40) -> Graph:
    """Boxes in groups in groups, and edges from earlier boxes to later ones, some of them double, most with a label."""
    random_ = random.Random(seed)  # noqa: S311
    root: list[dict[str, Any]] = []
    places = [root]
    names = []
    for number in range(random_.randint(1, most)):
        if random_.random() < 0.25:
            inner = group(f"g{number}", title=random_.choice([40.0, 120.0, 260.0]))
            random_.choice(places).append(inner)
            places.append(inner["children"])
        else:
            name = f"n{number}"
            random_.choice(places[-3:]).append(box(name, random_.uniform(10, 160), random_.uniform(10, 130)))
            names.append(name)
    edges = []
    for number in range(random_.randint(0, 2 * len(names)) if len(names) > 1 else 0):
        first, second = sorted(random_.sample(range(len(names)), 2))
        if random_.random() < 0.7:
            first = max(first, second - 3)
        edges.append(
            {
                "id": f"e{number}",
                "source": names[first],
                "target": names[second],
                "label_width": random_.choice([0.0, 21.5, 42.0, 60.0]),
            }
        )
    return root, edges


def leaves_and_groups(root: list[dict[str, Any]]) -> tuple[list[str], dict[str, dict[str, Any]], dict[str, list[str]]]:
    """The boxes, the open groups, and for each item the groups around it."""
    leaves, groups, around = [], {}, {}
    waiting = [(item, list[str]()) for item in root]
    while waiting:
        item, outer = waiting.pop()
        around[item["id"]] = outer
        if "children" in item:
            groups[item["id"]] = item
            waiting += [(child, [*outer, item["id"]]) for child in item["children"]]
        else:
            leaves.append(item["id"])
    return leaves, groups, around


def rectangle(place: list[float]) -> Rectangle:
    return (place[0], place[1], place[0] + place[2], place[1] + place[3])


def overlap(first: Rectangle, second: Rectangle) -> bool:
    return (
        first[0] < second[2] - EXACT
        and second[0] < first[2] - EXACT
        and first[1] < second[3] - EXACT
        and second[1] < first[3] - EXACT
    )


def inside(outer: Rectangle, inner: Rectangle) -> bool:
    return (
        outer[0] <= inner[0] + EXACT
        and outer[1] <= inner[1] + EXACT
        and inner[2] <= outer[2] + EXACT
        and inner[3] <= outer[3] + EXACT
    )


def samples(text: str) -> list[tuple[float, float]]:
    """Points on an SVG path of M, L and C."""
    points: list[tuple[float, float]] = []
    for part in text.replace("M", " M").replace("L", " L").replace("C", " C").replace(" C", "|C").replace(" L", "|L").split("|"):
        numbers = [float(word) for word in part.strip()[1:].split()]
        if part.strip()[0] == "M":
            points.append((numbers[0], numbers[1]))
            continue
        ends = [points[-1], *zip(numbers[::2], numbers[1::2], strict=True)]
        if part.strip()[0] == "L":
            ends = [ends[0], ends[0], ends[1], ends[1]]
        for step in range(1, 17):
            t = step / 16
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            points.append(tuple(sum(w * end[axis] for w, end in zip(weights, ends, strict=True)) for axis in (0, 1)))  # type: ignore[arg-type]
    return points


def problems(root: list[dict[str, Any]], edges: list[dict[str, Any]], direction: str) -> list[str]:
    """What is wrong with a layout."""
    drawn = layout(root, edges, direction)
    leaves, groups, around = leaves_and_groups(root)
    spots = {name: rectangle(place) for name, place in drawn["boxes"].items()}
    assert sorted(spots) == sorted([*leaves, *groups])
    assert list(drawn["edges"]) == [edge["id"] for edge in edges]
    found = []
    whole = (0.0, 0.0, drawn["width"], drawn["height"])
    for name, spot in spots.items():
        if not inside(whole, spot):
            found.append(f"{name} is outside of the picture")
        for outer in around[name]:
            x, y, right, lower = spots[outer]
            if not inside((x + 14, y + 26 + 14, right - 14, lower - 14), spot):
                found.append(f"{name} is not well inside of {outer}")
        if name in groups and spot[2] - spot[0] < groups[name]["title_width"] - EXACT:
            found.append(f"{name} is too narrow for its title")
    for first, second in itertools.combinations(spots, 2):
        if first not in around[second] and second not in around[first] and overlap(spots[first], spots[second]):
            found.append(f"{first} and {second} overlap")
    down = direction == "TB"
    labels = {}
    for edge in edges:
        line = drawn["edges"][edge["id"]]
        if (line["label"] is not None) != (edge["label_width"] > 0):
            found.append(f"{edge['id']} has a label {line['label']}")
        if line["label"] is not None:
            x, y = line["label"]
            labels[edge["id"]] = (x - edge["label_width"] / 2, y - 7, x + edge["label_width"] / 2, y + 7)
            found += [f"the label of {edge['id']} is over {name}" for name in leaves if overlap(labels[edge["id"]], spots[name])]
            if not inside(whole, labels[edge["id"]]):
                found.append(f"the label of {edge['id']} is outside of the picture")
    for one, two in itertools.combinations(labels, 2):
        if overlap(labels[one], labels[two]):
            found.append(f"the labels of {one} and {two} overlap")
    for edge in edges:
        line = drawn["edges"][edge["id"]]
        source, target = spots[edge["source"]], spots[edge["target"]]
        if not line["flipped"] and (target[1] < source[3] if down else target[0] < source[2]):
            found.append(f"{edge['id']} goes back")
        (x, y), (to_x, to_y) = line["points"][0], line["points"][-1]
        if not down:
            x, y, to_x, to_y = y, x, to_y, to_x
            source, target = ((spot[1], spot[0], spot[3], spot[2]) for spot in (source, target))
        if abs(y - source[3]) > EXACT or not source[0] < x < source[2]:
            found.append(f"{edge['id']} does not start on the border of {edge['source']}")
        if abs(to_y - target[1]) > EXACT or not target[0] < to_x < target[2]:
            found.append(f"{edge['id']} does not end on the border of {edge['target']}")
        obstacles = {name: spots[name] for name in spots if name not in (*around[edge["source"]], *around[edge["target"]])}
        for name, item in groups.items():  # no edge through a title either
            if down:
                obstacles["the title of " + name] = (
                    spots[name][0],
                    spots[name][1],
                    spots[name][0] + item["title_width"],
                    spots[name][1] + 26,
                )
        obstacles.update({"the label of " + name: spot for name, spot in labels.items()})
        for point_x, point_y in samples(path(line["points"], direction)):
            if not (-0.01 <= point_x <= whole[2] + 0.01 and -0.01 <= point_y <= whole[3] + 0.01):
                found.append(f"{edge['id']} leaves the picture")
            for name, spot in obstacles.items():
                if spot[0] + 0.01 < point_x < spot[2] - 0.01 and spot[1] + 0.01 < point_y < spot[3] - 0.01:
                    found.append(f"{edge['id']} runs through {name}")
    return found


@pytest.mark.parametrize("direction", ["TB", "LR"])
@pytest.mark.parametrize("seed", SEEDS)
def test_random_graphs(seed: int, direction: str) -> None:
    assert problems(*random_graph(seed), direction) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(100, 10**9), st.integers(1, 25), st.sampled_from(["TB", "LR"]))
def test_random_graphs_of_any_seed(seed: int, most: int, direction: str) -> None:
    assert problems(*random_graph(seed, most), direction) == []


@pytest.mark.parametrize("direction", ["TB", "LR"])
@pytest.mark.parametrize("seed", range(8))
def test_long_edges_beyond_the_budget_run_alongside(seed: int, direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "BUDGET", -100)
    assert problems(*random_graph(seed, 60), direction) == []


def test_two_uses_are_two_edges() -> None:
    root, edges = [box("x"), box("square")], arrows("x>square x>square")
    drawn = layout(root, edges)
    first, second = (drawn["edges"][name]["points"] for name in ("e0", "e1"))
    assert problems(root, edges, "TB") == []
    assert len(first) == len(second) == 2  # both straight
    assert abs(first[0][0] - second[0][0]) > 15
    assert (first[0][0] + second[0][0]) / 2 == pytest.approx(middle(drawn, "x"))


def linear(name: str) -> tuple[dict[str, Any], str]:
    """A linear layer as an open group, and its edges."""
    inner = group(
        name, box(f"{name}.W", 104, 55), box(f"{name}.mm", 92, 115), box(f"{name}.b", 94, 55), box(f"{name}.add", 88, 115)
    )
    return inner, f"{name}.W>{name}.mm {name}.mm>{name}.add {name}.b>{name}.add "


def perceptron() -> Graph:
    one, inside_one = linear("fc1")
    two, inside_two = linear("fc2")
    root = [box("x", 112, 55), group("model", one, box("relu", 124, 96), two), box("y", 92, 55), box("loss", 210, 96)]
    return root, arrows("x>fc1.mm " + inside_one + "fc1.add>relu relu>fc2.mm " + inside_two + "fc2.add>loss y>loss")


def middle(drawn: dict[str, Any], name: str, axis: int = 0) -> float:
    place = drawn["boxes"][name]
    return float(place[axis] + place[axis + 2] / 2)


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_spine_of_a_perceptron_is_straight_and_equal_modules_look_equal(direction: str) -> None:
    root, edges = perceptron()
    assert problems(root, edges, direction) == []
    drawn = layout(root, edges, direction)
    axis = 0 if direction == "TB" else 1
    spine = ["x", "fc1.mm", "fc1.add", "relu", "fc2.mm", "fc2.add", "loss"]
    assert [middle(drawn, name, axis) for name in spine] == pytest.approx([middle(drawn, "x", axis)] * len(spine), abs=EXACT)
    for edge in edges:
        straight = edge["source"] in spine
        assert (len(drawn["edges"][edge["id"]]["points"]) == 2) == straight, edge
    for part in ("W", "mm", "b", "add"):
        here, there = drawn["boxes"][f"fc1.{part}"], drawn["boxes"][f"fc2.{part}"]
        corner, other = drawn["boxes"]["fc1"], drawn["boxes"]["fc2"]
        assert [here[0] - corner[0], here[1] - corner[1]] == pytest.approx([there[0] - other[0], there[1] - other[1]])
    for parameter, user in (("W", "mm"), ("b", "add")):  # above and to the left of its user
        for side in (0, 1):
            assert middle(drawn, f"fc1.{parameter}", side) < middle(drawn, f"fc1.{user}", side)
    if direction == "TB":
        assert drawn["width"] < 480
        assert drawn["height"] < 1500


def test_parents_are_centred() -> None:
    root, edges = [box("a", 80), box("b", 80), box("mul", 100), box("l", 80), box("r", 80)], arrows("a>mul b>mul mul>l mul>r")
    drawn = layout(root, edges)
    for pair in ("ab", "lr"):
        assert (middle(drawn, pair[0]) + middle(drawn, pair[1])) / 2 == pytest.approx(middle(drawn, "mul"), abs=0.5)
        assert abs(middle(drawn, pair[0]) - middle(drawn, pair[1])) == pytest.approx(104, abs=2)


def test_skip_edge_runs_beside_the_block() -> None:
    root = [box("x"), group("block", box("f"), box("g"), box("add")), box("out")]
    edges = arrows("x>f f>g g>add x>add add>out")
    assert problems(root, edges, "TB") == []
    drawn = layout(root, edges)
    assert len({middle(drawn, name) for name in ("x", "f", "g", "add", "out")}) == 1
    assert len(drawn["edges"]["e3"]["points"]) <= 6  # two curves, and straight between
    assert not any(line["flipped"] for line in drawn["edges"].values())


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_data_that_leaves_a_group_and_comes_back(direction: str) -> None:
    root, edges = [box("x"), group("g", box("p"), box("q")), box("r"), box("s")], arrows("x>p p>r r>q q>s")
    drawn = layout(root, edges, direction)
    assert [drawn["edges"][edge["id"]]["flipped"] for edge in edges] == [False, False, True, False]
    assert problems(root, edges, direction) == []


def test_cycles_of_boxes_are_survived() -> None:
    root, edges = [box("a"), box("b"), box("c")], arrows("a>b b>c c>a b>b")
    drawn = layout(root, edges)
    assert [line["flipped"] for line in drawn["edges"].values()] == [False, False, True, True]
    assert problems(root, edges, "TB") == []


def test_sweep_order_leaves_out_only_edges_of_cycles() -> None:
    order, flipped = sweep_order(4, [(2, 0), (0, 1), (1, 0), (1, 3)])
    assert flipped == [False, False, True, False]
    assert order == [2, 0, 1, 3]


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_small_inputs(direction: str) -> None:
    assert layout([], [], direction) == {"width": 0, "height": 0, "boxes": {}, "edges": {}}
    assert layout([box("a", 30, 20)], [], direction)["boxes"] == {"a": [0, 0, 30, 20]}
    assert problems([group("g")], [], direction) == []
    assert problems([group("g", group("h"), box("a")), box("b")], [], direction) == []


def test_path_is_svg() -> None:
    assert path([]) == ""
    assert path([[10, 0], [10, 20.126], [30, 40], [30, 50]]) == "M10 0L10 20.13C10 30.06 30 30.06 30 40L30 50"
    assert path([[0, 10], [20, 10], [40, 30.5]], "LR") == "M0 10L20 10C30 10 30 30.5 40 30.5"
    assert path([[0, 0], [0, 9], [50, 9], [50, 0], [70, 0], [70, 5]]) == "M0 0L0 9C0 25 50 25 50 9L50 0C50 -16 70 -16 70 0L70 5"
    assert path([[-0.001, -1.256]]) == "M0 -1.26"


CHAIN = 10_000


def giants() -> dict[str, Graph]:
    """Graphs that break recursion, or steps that are not near linear."""
    doubling = " ".join(f"n{level}>f{level} n{level}>g{level} f{level}>n{level + 1} g{level}>n{level + 1}" for level in range(50))
    deep = box("b")
    for level in range(1200):
        deep = group(f"g{level}", deep)
    return {
        "chain": (
            [box(f"n{number}") for number in range(CHAIN)],
            arrows(" ".join(f"n{number}>n{number + 1}" for number in range(CHAIN - 1))),
        ),
        "fan-in": (
            [*(box(f"n{number}") for number in range(500)), box("sum")],
            arrows(" ".join(f"n{number}>sum" for number in range(500))),
        ),
        "doubling": ([box(f"{kind}{level}") for level in range(51) for kind in "nfg"], arrows(doubling)),
        "deep": ([box("a"), deep], arrows("a>b")),
        "one source for all": (
            [box(f"n{number}") for number in range(1500)],
            arrows(" ".join(f"n{number}>n{number + 1} n0>n{number + 1}" for number in range(1499))),
        ),
    }


@pytest.mark.parametrize(
    ("name", "most"), [("chain", 10.0), ("fan-in", 10.0), ("doubling", 10.0), ("deep", 10.0), ("one source for all", 20.0)]
)
def test_giants(name: str, most: float) -> None:
    root, edges = giants()[name]
    begin = time.process_time()
    drawn = layout(root, edges)
    assert time.process_time() - begin < most
    assert len(drawn["edges"]) == len(edges)
    if name == "chain":
        assert len({middle(drawn, edge["source"]) for edge in edges}) == 1


def test_doublings_are_symmetric() -> None:
    drawn = layout(*giants()["doubling"])
    for level in range(50):
        both = (middle(drawn, f"f{level}") + middle(drawn, f"g{level}")) / 2
        assert both == pytest.approx(middle(drawn, f"n{level}"), abs=1)
        assert both == pytest.approx(middle(drawn, f"n{level + 1}"), abs=2)


def test_deadline_stops_the_layout() -> None:
    def late() -> None:
        raise TimeoutError("layout took too long")

    with pytest.raises(TimeoutError, match="took too long"):
        layout(*perceptron(), deadline=late)


def digest() -> str:
    """A number for what comes out of many graphs; it is also computed in other processes."""
    drawn = [layout(*random_graph(seed), direction) for seed in range(12) for direction in ("TB", "LR")]
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()


def test_same_input_same_output_under_other_hash_seeds() -> None:
    code = f"import importlib.util as u; s = u.spec_from_file_location('t', {__file__!r}); m = u.module_from_spec(s); s.loader.exec_module(m); print(m.digest())"
    expected = digest()
    for seed in ("0", "1", "77"):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


def in_javascript(cases: list[dict[str, Any]]) -> list[Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    done = subprocess.run(
        [node, str(HERE / "layout_parity.js"), str(SCRIPT)], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers


def same(first: Any, second: Any) -> bool:
    if isinstance(first, dict):
        return isinstance(second, dict) and list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return isinstance(second, list) and len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, int | float) and not isinstance(first, bool):
        return not isinstance(second, bool) and abs(first - second) < EXACT
    return bool(first == second)


def test_javascript_gives_the_same_numbers() -> None:
    graphs = [
        *(random_graph(seed) for seed in SEEDS),
        perceptron(),
        giants()["fan-in"],
        giants()["doubling"],
        ([], []),
    ]
    graphs.append(giants()["one source for all"])  # beyond the budget
    cases: list[dict[str, Any]] = [
        {"root": root, "edges": edges, "direction": direction} for root, edges in graphs for direction in ("TB", "LR")
    ]
    answers = in_javascript(cases)
    assert len(answers) == len(cases)
    for case, answer in zip(cases, answers, strict=True):
        drawn = layout(case["root"], case["edges"], case["direction"])
        assert same(answer["layout"], drawn), case["edges"][:5]
        assert answer["paths"] == [path(line["points"], case["direction"]) for line in drawn["edges"].values()]


def test_javascript_writes_the_same_paths() -> None:
    turns = [[-0.001, -1.256], [-0.001, 20.126], [30, 40], [30, 50.1], [70.5, 50.1], [70.5, -8]]
    cases: list[dict[str, Any]] = [
        {"points": points, "direction": direction} for points in (turns, []) for direction in ("TB", "LR")
    ]
    assert in_javascript(cases) == [path(case["points"], case["direction"]) for case in cases]


def test_javascript_can_be_stopped() -> None:
    root, edges = perceptron()
    assert in_javascript([{"root": root, "edges": edges, "direction": "TB", "late": True}]) == [{"error": "layout took too long"}]
