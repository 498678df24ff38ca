"""What a drawing shows: nodes, edges, names, groups by call, folding, what is open, states, JSON, errors, comparisons."""

from __future__ import annotations

import copy
import gc
import json
import math
import pickle
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from conftest import ROOT
from drawn import boxes_of, has_cycle, items_of
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, check, gradients, nn
from tinygrad_mlp.chainrule.letters import Letters
from tinygrad_mlp.chainrule.notation import PLAIN
from tinygrad_mlp.errors import DataError, GraphError, SettingError, ShapeError, TensorTypeError, UnknownNameError
from tinygrad_mlp.viz import Drawing, draw, play
from tinygrad_mlp.viz.arrange.folding import BUDGET
from tinygrad_mlp.viz.arrange.view import visible
from tinygrad_mlp.viz.graph.capture import Capture
from tinygrad_mlp.viz.graph.ir import dumps, loads

RNG = np.random.default_rng(0)
X, LABELS = RNG.standard_normal((16, 4)), np.arange(16) % 3


def tensor(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


class Layer(nn.Module):
    """x @ W + b, written out."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.W = nn.Parameter(np.random.default_rng(inputs).standard_normal((inputs, outputs)))
        self.b = nn.Parameter(np.zeros(outputs))

    def forward(self, x: Any) -> Any:
        return x @ self.W + self.b


class ByHand(nn.Module):
    def __init__(self) -> None:
        self.fc1, self.fc2 = Layer(4, 8), Layer(8, 3)

    def forward(self, x: Any) -> Any:
        return self.fc2(tg.relu(self.fc1(x)))


def by_name(graph: Any) -> dict[str, Any]:
    return {n["name"]: n for n in graph["nodes"] if n["name"]}


def paths(graph: Any) -> list[str]:
    return [g["path"] for g in graph["groups"] if g["kind"] == "module"]


def group_path(graph: Any, node: Any) -> str:
    return next((g["path"] for g in graph["groups"] if g["id"] == node["group"]), "")


def sound(graph: Any) -> None:
    """What holds for every description."""
    ids = [n["id"] for n in graph["nodes"]]
    assert len(set(ids)) == len(ids)
    place = {name: i for i, name in enumerate(ids)}
    groups = {g["id"]: i for i, g in enumerate(graph["groups"])}
    assert len(groups) == len(graph["groups"])
    for i, g in enumerate(graph["groups"]):
        assert g["parent"] is None or groups[g["parent"]] < i
    for n in graph["nodes"]:
        assert n["group"] is None or n["group"] in groups
        assert n["width"] > 0
        assert n["height"] > 0
        assert n["users"] == sum(
            e["source"] == n["id"] and (graph["detail"] != "full" or n["kind"] != "op") for e in graph["edges"]
        ) or (graph["detail"] == "full")
    assert len({e["id"] for e in graph["edges"]}) == len(graph["edges"])
    for e in graph["edges"]:
        assert place[e["source"]] < place[e["target"]]
        assert e["state"] in ("flow", "zero", "nan", "none", "unknown")
        assert 0 <= e["level"] <= 4
    assert graph["counts"]["nodes"] == len(graph["nodes"])
    assert graph["counts"]["edges"] == len(graph["edges"])
    assert graph["counts"]["operations"] == len(graph["steps"]["forward"]) == sum(n["kind"] == "op" for n in graph["nodes"])
    strict(dumps(graph))


def strict(text: str) -> Any:
    def refuse(word: str) -> Any:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


# --- nodes, edges, names --------------------------------------------------------------------------------------------------------


def test_a_network_by_hand_has_12_nodes_and_11_edges() -> None:
    model = ByHand()
    loss = nn.cross_entropy(model(X), LABELS)
    graph = draw(loss, fold=False).graph
    sound(graph)
    assert (len(graph["nodes"]), len(graph["edges"])) == (12, 11)
    assert paths(graph) == ["model", "model.fc1", "model.fc2"]
    nodes = by_name(graph)
    assert {name for name, n in nodes.items() if n["kind"] == "parameter"} == {"fc1.W", "fc1.b", "fc2.W", "fc2.b"}
    assert [n["op"] for n in graph["nodes"] if n["kind"] == "op"] == ["matmul", "add", "relu", "matmul", "add", "cross_entropy"]
    assert [tuple(n["shape"]) for n in graph["nodes"] if n["kind"] == "op"] == [(16, 8)] * 3 + [(16, 3)] * 2 + [()]
    assert (nodes["X"]["kind"], nodes["X"]["shape"], nodes["X"]["dtype"], nodes["X"]["group"]) == (
        "input",
        [16, 4],
        "float64",
        None,
    )
    assert (nodes["y"]["kind"], nodes["y"]["dtype"], nodes["y"]["group"]) == ("constant", LABELS.dtype.name, None)
    assert nodes["fc1.W"]["shape"] == [4, 8]
    assert group_path(graph, nodes["fc1.W"]) == "model.fc1"
    assert group_path(graph, next(n for n in graph["nodes"] if n["op"] == "relu")) == "model"
    assert graph["counts"]["parameters"] == 4
    assert graph["counts"]["numbers"] == model.count_parameters()
    assert graph["loss"] == float(loss.data)
    assert graph["steps"]["backward"] == graph["steps"]["forward"][::-1]
    subtitles = {g["path"]: g["subtitle"] for g in graph["groups"]}
    assert subtitles["model.fc1"].startswith("Layer(")


def test_nn_mlp() -> None:
    model = nn.MLP([4, 8, 3], dtype=np.float32, rng=0)
    graph = draw(nn.cross_entropy(model(X.astype(np.float32)), LABELS)).graph
    sound(graph)
    assert [n["op"] for n in graph["nodes"] if n["kind"] == "op"] == ["linear", "relu", "linear", "cross_entropy"]
    assert {n["name"] for n in graph["nodes"] if n["kind"] == "parameter"} == {name for name, _ in model.named_parameters()}
    assert paths(graph) == ["model", "model.linear1", "model.linear2"]
    assert {n["dtype"] for n in graph["nodes"] if n["kind"] in ("op", "parameter")} == {"float32"}
    assert graph["title"] == "output of model"


def test_equal_inputs_are_two_edges() -> None:
    a = Tensor(3.0, requires_grad=True)
    for y in (a + a, a * a):
        graph = draw(y).graph
        assert len(graph["nodes"]) == 2
        assert [(e["source"], e["target"], e["argument"]) for e in graph["edges"]] == [("n0", "n1", 0), ("n0", "n1", 1)]
        assert [(e["order"], e["of"]) for e in graph["edges"]] == [(1, 2), (2, 2)]
        assert [e["sign"] for e in graph["edges"]] == ["x", "y"]
        assert len(visible(graph)["edges"]) == 2


def test_diamond_of_fifty_doublings_is_linear() -> None:
    x = y = Tensor(1.0, requires_grad=True)
    for _ in range(50):
        y = y + y
    start = time.perf_counter()
    graph = draw(y).graph
    assert time.perf_counter() - start < 10
    assert graph["counts"]["operations"] == 50
    assert len(graph["edges"]) == 100
    assert graph["naive"] is None
    assert next(n for n in graph["nodes"] if n["id"] == "n0")["gradient"]["preview"] == [2.0**50]
    assert x.grad is None


def test_naive_order_of_nested_diamonds_takes_no_exponential_time() -> None:
    y = Tensor(1.0, requires_grad=True)
    for _ in range(60):
        y = y * 1.0 + y * 2.0
    start = time.perf_counter()
    graph = draw(y).graph
    assert time.perf_counter() - start < 15
    assert graph["naive"] is not None
    assert len(graph["naive"]["steps"]) == graph["counts"]["operations"]


def test_chain_of_ten_thousand_operations() -> None:
    x = y = Tensor(np.ones(3), requires_grad=True)
    for _ in range(5_000):
        y = y * 1.0001
        y = np.tanh(y)
    loss = np.sum(y)
    start = time.process_time()
    Capture([loss]).graph()
    assert time.process_time() - start < 15  # a machine may be slow; a step that is not linear is slower still
    drawing = draw(loss)
    assert drawing.graph["counts"]["operations"] == 10_001
    assert len(boxes_of(drawing.view)) <= BUDGET
    loss.backward()
    assert x.grad is not None
    preview = next(n for n in drawing.graph["nodes"] if n["name"] == "x")["gradient"]["preview"]
    np.testing.assert_allclose(preview, x.grad, rtol=1e-5)
    strict(drawing.json)
    everything = draw(np.sum(Tensor(np.ones(3), requires_grad=True) * 2), fold=False, expand="all")
    assert len(boxes_of(everything.view)) == 3


def test_fan_in_of_five_hundred() -> None:
    xs = [Tensor(float(i), requires_grad=True) for i in range(500)]
    graph = draw(np.sum(np.stack(xs) ** 2)).graph
    sound(graph)
    assert graph["counts"]["parameters"] == 500
    stack = next(n for n in graph["nodes"] if n["op"] == "stack")
    assert len(stack["derivatives"]) == 500
    assert len(stack["lines"]) < 12
    assert len([e for e in graph["edges"] if e["target"] == stack["id"]]) == 500
    y: Any = 0.0
    w = Tensor(2.0, requires_grad=True)
    for i in range(500):
        y = y + w * float(i)
    graph = draw(y).graph
    (node,) = [n for n in graph["nodes"] if n["name"] == "w"]
    assert node["users"] == 500
    assert sorted(e["order"] for e in graph["edges"] if e["source"] == node["id"]) == list(range(1, 501))
    assert len(boxes_of(visible(graph))) <= BUDGET


HASHED = """
import numpy as np, tinygrad_mlp as tg
from tinygrad_mlp import nn, Tensor
from tinygrad_mlp.viz import draw
model = nn.MLP([4] + [6] * 60 + [3], dtype=np.float64, rng=0)
x = np.linspace(0, 1, 8).reshape(2, 4)
h = model(x)
mask = np.ones(3)
g = draw([nn.cross_entropy(h * mask, np.array([0, 1])), np.sum(h * h * mask)], compare="numeric")
print(g.json)
print(draw(tg.derive(lambda a: np.sum(np.tanh(a @ np.ones((3, 2)))), Tensor(np.ones((2, 3)), requires_grad=True))).json)
"""


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    found = set()
    for seed in ("0", "1", "4242"):
        run = subprocess.run(
            [sys.executable, "-c", HASHED],
            capture_output=True,
            cwd=ROOT,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin"},
        )
        assert not run.stderr
        found.add(run.stdout)
    assert len(found) == 1
    assert len(found.pop()) > 10_000


def test_names_given_and_found() -> None:
    a, b = tensor(2), tensor(2)
    c = a * b
    graph = draw(np.sum(c), names={"left": a}).graph
    assert {n["name"] for n in graph["nodes"] if n["kind"] == "parameter"} == {"left", "b"}
    assert next(n for n in graph["nodes"] if n["op"] == "multiply")["name"] == "c"
    graph = draw(np.sum(tensor(2, 2) @ tensor(2, 2))).graph
    assert all(n["title"] for n in graph["nodes"])


HOSTILE = ["</script><b>", '"', "&amp;", "a\u2028b", "line\nbreak", "😀", "x" * 300, "]]>", "\x00\x07", "${x}", "-->", "‮abc"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(name: str) -> None:
    a = tensor(2)
    drawing = draw(np.sum(a * 2), names={name: a}, title=name)
    node = next(n for n in drawing.graph["nodes"] if n["kind"] == "parameter")
    assert node["name"] == name
    assert node["width"] < 400
    assert strict(drawing.json)["nodes"][0]["name"] == name
    assert all("\n" not in text for n in drawing.graph["nodes"] for _, text in n["lines"])


def test_the_source_line_is_told() -> None:
    x = tensor(2)
    y = np.sum(x)
    node = next(n for n in draw(y).graph["nodes"] if n["kind"] == "op")
    name, line = node["source"].split(":")
    assert name == "test_draw.py"
    assert "np.sum(x)" in Path(__file__).read_text(encoding="utf-8").splitlines()[int(line) - 1]


# --- modules by call ------------------------------------------------------------------------------------------------------------


class Shared(nn.Module):
    def __init__(self) -> None:
        self.first, self.second = Layer(4, 4), Layer(4, 4)
        self.second.W = self.first.W

    def forward(self, x: Any) -> Any:
        return self.second(np.tanh(self.first(x)))


def test_a_shared_parameter_is_one_node_in_the_common_group() -> None:
    model = Shared()
    graph = draw(np.sum(model(X))).graph
    sound(graph)
    weights = [n for n in graph["nodes"] if n["kind"] == "parameter" and n["shape"] == [4, 4]]
    assert len(weights) == 1
    assert weights[0]["users"] == 2
    assert group_path(graph, weights[0]) == "model"
    assert graph["counts"]["numbers"] == model.count_parameters()


class Recurrent(nn.Module):
    def __init__(self) -> None:
        self.cell, self.head = Layer(4, 4), Layer(4, 3)

    def forward(self, x: Any) -> Any:
        h = x
        for _ in range(3):
            h = np.tanh(self.cell(h))
        return self.head(h)


def test_a_cell_that_is_called_again_has_a_number() -> None:
    model = Recurrent()
    graph = draw(np.sum(model(X))).graph
    sound(graph)
    assert paths(graph) == ["model", "model.cell", "model.cell@2", "model.cell@3", "model.head"]
    (w,) = [n for n in graph["nodes"] if n["name"] == "cell.W"]
    assert w["users"] == 3
    assert group_path(graph, w) == "model"
    parts = [e for e in graph["edges"] if e["source"] == w["id"]]
    assert sorted((e["order"], e["of"]) for e in parts) == [(1, 3), (2, 3), (3, 3)]


def test_a_model_that_is_called_twice() -> None:
    model = ByHand()
    graph = draw(np.sum(model(X)) + np.sum(model(2 * X))).graph
    assert [p for p in paths(graph) if "." not in p] == ["model", "model@2"]
    assert {p for p in paths(graph) if p.startswith("model@2.")} == {"model@2.fc1", "model@2.fc2"}
    assert {group_path(graph, n) for n in graph["nodes"] if n["kind"] == "parameter"} == {""}


def test_two_outer_modules_put_their_names_before_those_of_parameters() -> None:
    encoder, decoder = Layer(4, 2), Layer(2, 4)
    graph = draw(nn.mse_loss(decoder(encoder(X)), X)).graph
    assert {n["name"] for n in graph["nodes"] if n["kind"] == "parameter"} == {"encoder.W", "encoder.b", "decoder.W", "decoder.b"}
    assert paths(graph) == ["encoder", "decoder"]


def test_sequential_lists_and_dicts_of_modules() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            self.blocks = [Layer(4, 4), Layer(4, 4)]
            self.heads = {"a": Layer(4, 2), "b": (Layer(4, 2),)}

        def forward(self, x: Any) -> Any:
            for block in self.blocks:
                x = tg.relu(block(x))
            return self.heads["a"](x) + self.heads["b"][0](x)

    model = Listed()
    graph = draw(np.sum(model(X))).graph
    sound(graph)
    assert paths(graph) == ["model", "model.blocks.0", "model.blocks.1", "model.heads.a", "model.heads.b.0"]
    assert {n["name"] for n in graph["nodes"] if n["kind"] == "parameter"} == {n for n, _ in model.named_parameters()}
    net = nn.Sequential(nn.Linear(4, 4, dtype=np.float64), nn.ReLU(), nn.Linear(4, 2, dtype=np.float64))
    graph = draw(np.sum(net(X))).graph
    assert {n["name"] for n in graph["nodes"] if n["kind"] == "parameter"} == {n for n, _ in net.named_parameters()}
    assert paths(graph)[0] == "net"
    assert len(paths(graph)) == 3


class Returning(nn.Module):
    def __init__(self, kind: str) -> None:
        self.kind, self.w = kind, nn.Parameter(np.ones((4, 4)))

    def forward(self, x: Any) -> Any:
        a, b = x @ self.w, np.tanh(x @ self.w)
        return {"tuple": (a, b), "list": [a, [b]], "dict": {"a": a, "b": b}, "nested": ({"a": a}, (b, None, 3))}[self.kind]


@pytest.mark.parametrize("kind", ["tuple", "list", "dict", "nested"])
def test_modules_that_return_several(kind: str) -> None:
    module = Returning(kind)
    found = module(X)
    parts: list[Tensor] = []

    def collect(x: Any) -> None:
        if isinstance(x, Tensor):
            parts.append(x)
        for part in x.values() if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else ():
            collect(part)

    collect(found)
    graph = draw(np.sum(parts[0]) + np.sum(parts[1])).graph
    sound(graph)
    assert paths(graph) == ["module"]
    assert sum(n["kind"] == "op" and group_path(graph, n) == "module" for n in graph["nodes"]) == 3
    graph = draw(np.sum(parts[0])).graph  # one of them alone
    assert group_path(graph, next(n for n in graph["nodes"] if n["op"] == "matmul")) == "module"


class Pair(NamedTuple):
    first: Any
    second: Any


def test_modules_that_return_a_named_tuple() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            self.w = nn.Parameter(np.ones((4, 4)))

        def forward(self, x: Any) -> Pair:
            return Pair(x @ self.w, np.tanh(x @ self.w))

    named = Named()
    pair = named(X)
    assert paths(draw(np.sum(pair.first * pair.second)).graph) == ["named"]


def test_draw_of_a_module_with_examples() -> None:
    model = ByHand()
    graph = draw(model, X).graph
    assert paths(graph) == ["model", "model.fc1", "model.fc2"]
    assert not graph["gradients"]
    assert "48 entries" in graph["why"]
    two = draw(Returning("tuple"), X).graph
    assert sum(n["output"] for n in two["nodes"]) == 2
    with tg.no_grad():
        assert draw(model, X).graph["counts"]["operations"] == 5


def test_modules_without_parameters_and_such_that_return_their_input() -> None:
    class Identity(nn.Module):
        def forward(self, x: Any) -> Any:
            return x

    class Twice(nn.Module):
        def forward(self, x: Any) -> Any:
            return np.tanh(np.tanh(x))

    x = tensor(3)
    identity, twice = Identity(), Twice()
    graph = draw(np.sum(identity(twice(identity(x) * 2)))).graph
    sound(graph)
    assert paths(graph) == ["twice"]
    assert sum(group_path(graph, n) == "twice" for n in graph["nodes"]) == 2
    assert group_path(graph, by_name(graph)["x"]) == ""
    y = x * 1.0
    assert identity(y) is y
    assert draw(np.sum(y)).graph["groups"] == []


def test_a_module_that_returns_an_earlier_result() -> None:
    class Last(nn.Module):
        def forward(self, xs: Any) -> Any:
            self.new = xs[-1] * 3
            return xs[0]

    x = tensor(3)
    h = np.exp(x)
    last = Last()
    graph = draw(np.sum(last([h, h * 2]) * 1.5)).graph
    assert graph["groups"] == []
    assert graph["counts"]["operations"] == 3


def test_nested_modules_that_return_the_same_node() -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            self.w = nn.Parameter(np.ones(4))

        def forward(self, x: Any) -> Any:
            return np.tanh(x * self.w)

    class Outer(nn.Module):
        def __init__(self) -> None:
            self.inner = Inner()

        def forward(self, x: Any) -> Any:
            return self.inner(x)

    class Outermost(nn.Module):
        def __init__(self) -> None:
            self.outer = Outer()

        def forward(self, x: Any) -> Any:
            return self.outer(x)

    net = Outermost()
    graph = draw(np.sum(net(X))).graph
    assert paths(graph) == ["net", "net.outer", "net.outer.inner"]
    assert by_name(graph)["outer.inner.w"]["kind"] == "parameter"


def test_arrays_of_modules_have_their_names() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            self.mixing = np.full((4, 4), 0.5)
            self.lin = nn.Linear(4, 4, dtype=np.float64)

        def forward(self, x: Any) -> Any:
            return self.lin(x) @ self.mixing

    mixed = Mixed()
    graph = draw(np.sum(mixed(X))).graph
    (buffer,) = [n for n in graph["nodes"] if n["kind"] in ("input", "constant") and n["shape"] == [4, 4]]
    assert group_path(graph, buffer) == "mixed"
    assert buffer["name"].endswith("mixing"), "the module knows its name"


def test_modules_under_no_grad_leave_no_mark() -> None:
    model = ByHand()
    with tg.no_grad():
        h = model(X)
    w = tensor(3)
    graph = draw(np.sum(h * w)).graph
    assert graph["groups"] == []
    assert graph["counts"]["operations"] == 2


def test_results_of_calls_that_are_assigned_to_keep_their_group() -> None:
    model = Layer(4, 3)
    out = model(X)
    out[0] = 0.0
    out[1] = out[2] * 2.0
    graph = draw(np.sum(out)).graph
    sound(graph)
    assert paths(graph) == ["model"]
    assert {n["op"] for n in graph["nodes"] if group_path(graph, n) == "model" and n["op"]} == {"matmul", "add"}
    assert group_path(graph, next(n for n in graph["nodes"] if n["op"] == "setitem")) == ""


def test_assignment_inside_of_a_module() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            self.w = nn.Parameter(np.ones((4, 3)))

        def forward(self, x: Any) -> Any:
            y = x @ self.w
            y[:, 0] = 0.0
            return y

    masked = Masked()
    loss = np.sum(masked(X) ** 2)
    graph = draw(loss).graph
    assert {n["op"] for n in graph["nodes"] if group_path(graph, n) == "masked" and n["op"]} == {"matmul", "setitem"}
    loss.backward()
    assert masked.w.grad is not None
    assert by_name(graph)["w"]["gradient"]["rms"] == pytest.approx(np.sqrt(np.mean(masked.w.grad**2)))


def test_threads_have_groups_of_their_own() -> None:
    """One call begins and ends while another one, in another thread, is under way."""

    class Slow(nn.Module):
        def __init__(self, before: threading.Event, after: threading.Event) -> None:
            self.w, self.before, self.after = nn.Parameter(np.ones((4, 4))), before, after

        def forward(self, x: Any) -> Any:
            h = x @ self.w
            self.before.set()
            assert self.after.wait(10)
            return np.tanh(h)

    begun, done = threading.Event(), threading.Event()
    slow, quick = Slow(begun, done), Layer(4, 4)
    results: dict[str, Any] = {}

    def run() -> None:
        results["slow"] = slow(X)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(10)
    results["quick"] = quick(X)
    done.set()
    thread.join()
    graph = draw(np.sum(results["slow"]) + np.sum(results["quick"])).graph
    sound(graph)
    visible(graph)
    assert sorted(paths(graph)) == ["quick", "slow"]
    quick_nodes = [n for n in graph["nodes"] if n["name"].startswith("quick.")]
    assert {group_path(graph, n) for n in quick_nodes} == {"quick"}


def test_many_threads_draw_what_they_computed() -> None:
    model = nn.MLP([4, 8, 3], dtype=np.float64, rng=0)
    expected = draw(nn.cross_entropy(model(X), LABELS), names={"model": model}).graph
    found: list[Any] = []

    def run() -> None:
        graph = draw(nn.cross_entropy(model(X), LABELS), names={"model": model}).graph
        found.append((paths(graph), [n["value"] for n in graph["nodes"]], [n["gradient"] for n in graph["nodes"]]))

    threads = [threading.Thread(target=run) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 6
    for seen in found:
        assert seen == (paths(expected), [n["value"] for n in expected["nodes"]], [n["gradient"] for n in expected["nodes"]])


# --- Node.call is no burden -------------------------------------------------------------------------------------------------------


@pytest.fixture
def _no_collector() -> Any:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("after", ["backward", "nothing", "draw"])
def test_graphs_are_freed_without_the_cycle_collector(after: str) -> None:
    model = nn.MLP([4, 8, 3], dtype=np.float64, rng=0)
    hidden = model(X)
    loss = nn.cross_entropy(hidden, LABELS)
    alive = [weakref.ref(hidden), weakref.ref(loss), *(weakref.ref(x) for _, x in hidden.edges if x.op is not None)]
    assert len(alive) > 2
    if after == "backward":
        loss.backward()
        del hidden
        assert alive[0]() is None
    elif after == "draw":
        drawing = draw(loss)
        assert drawing.graph["nodes"]
        del hidden
    else:
        del hidden
    del loss
    assert all(r() is None for r in alive)
    gone = weakref.ref(model)
    del model
    assert gone() is None


@pytest.mark.usefixtures("_no_collector")
def test_a_model_that_keeps_its_output_is_freed_as_before() -> None:
    class Keeps(nn.Module):
        def __init__(self) -> None:
            self.w = nn.Parameter(np.ones((4, 4)))
            self.out: Any = None

        def forward(self, x: Any) -> Any:
            self.out = x @ self.w
            return self.out

    model = Keeps()
    loss = np.sum(model(X))
    loss.backward()
    gone = weakref.ref(model)
    del model, loss
    assert gone() is None, "the output refers to the model that refers to the output"


@pytest.mark.usefixtures("_no_collector")
def test_a_result_that_is_kept_keeps_no_graph_after_backward() -> None:
    model = nn.MLP([4, 8, 3], dtype=np.float64, rng=0)
    losses = []
    first: Any = None
    for _ in range(3):
        hidden = model(X)
        first = first or weakref.ref(hidden)
        loss = nn.cross_entropy(hidden, LABELS)
        loss.backward()
        losses.append(loss)
    del hidden
    assert first() is None


def test_copies_and_pickles_of_models_are_unaffected() -> None:
    model = ByHand()
    out = model(X)
    twin = copy.deepcopy(model)
    again = pickle.loads(pickle.dumps(nn.MLP([4, 3], dtype=np.float64)))  # noqa: S301  # our own
    assert np.array_equal(twin(X).data, out.data)
    assert again.count_parameters() == 15
    plain = pickle.dumps(out.detach())
    assert len(plain) < 16 * 3 * 8 + 1000
    assert draw(np.sum(twin(X))).graph["counts"]["operations"] == 6


# --- folding ----------------------------------------------------------------------------------------------------------------------


def deep(layers: int) -> Tensor:
    model = nn.MLP([4] + [8] * (layers - 1) + [3], dtype=np.float64, rng=0)
    return nn.cross_entropy(model(X), LABELS)


def test_a_hundred_layers_fit_and_nothing_is_lost() -> None:
    model = nn.MLP([4] + [8] * 99 + [3], dtype=np.float64, rng=0)
    loss = nn.cross_entropy(model(X), LABELS)
    drawing = draw(loss)
    graph = drawing.graph
    sound(graph)
    assert len(boxes_of(drawing.view)) <= 40
    top = {g["path"]: g for g in graph["groups"]}["model"]
    assert top["operations"] == 199
    assert top["numbers"] == model.count_parameters() == graph["counts"]["numbers"]
    assert top["parameters"] == 200 == graph["counts"]["parameters"]
    folds = [g for g in graph["groups"] if g["kind"] == "fold"]
    assert len(folds) == 1
    assert "×" in folds[0]["subtitle"]
    assert "relu" in folds[0]["subtitle"]
    assert "Linear(8, 8)" in folds[0]["subtitle"]
    whole = draw(loss, fold=False, expand="all")
    assert len(boxes_of(whole.view)) == len(whole.graph["nodes"]) == 200 + 200 + 2
    assert not [g for g in whole.graph["groups"] if g["kind"] in ("fold", "run")]


@settings(max_examples=20)
@given(st.data())
def test_folds_open_into_all_of_their_nodes(data: st.DataObject) -> None:
    graph = DEEP.graph
    names = [g["id"] for g in graph["groups"]]
    shown = data.draw(st.sets(st.sampled_from(names)))
    complete(graph, shown)


DEEP = draw(deep(60))


def complete(graph: Any, shown: set[str]) -> None:
    """Each node is in the tree exactly once: as a box, or inside a closed group; and no edge is lost."""
    view = visible(graph, shown)
    parent = {g["id"]: g["parent"] for g in graph["groups"]} | {n["id"]: n["group"] for n in graph["nodes"]}
    boxes = boxes_of(view)
    assert len(set(boxes)) == len(boxes)
    seen = [item["id"] for item in items_of(view["root"])]
    assert len(set(seen)) == len(seen)

    def box(item: str) -> str:
        chain = [item]
        while (up := parent[chain[-1]]) is not None:
            chain.append(up)
        return next((c for c in reversed(chain) if c not in shown), item)

    assert {box(n["id"]) for n in graph["nodes"]} == set(boxes)
    members = [m for e in view["edges"] for m in e["members"]]
    assert len(set(members)) == len(members)
    expected = {e["id"] for e in graph["edges"] if box(e["source"]) != box(e["target"])}
    assert set(members) == expected
    for e in view["edges"]:
        assert {e["source"], e["target"]} <= set(boxes)
        for m in e["members"]:
            edge = next(x for x in graph["edges"] if x["id"] == m)
            assert (box(edge["source"]), box(edge["target"])) == (e["source"], e["target"])
    for item in items_of(view["root"]):
        assert ("children" in item) == (item["id"] in shown)


class Random(nn.Module):
    def __init__(self, depth: int) -> None:
        self.w = nn.Parameter(np.full((3, 3), 0.5))
        self.parts = [Random(depth - 1) for _ in range(2)] if depth else []

    def forward(self, x: Any, plan: Any) -> Any:
        for step in plan:
            if isinstance(step, tuple) and self.parts:
                x = self.parts[step[0] % 2](x, step[1])
            elif step == 1:
                x = x @ self.w
            elif step == 2:
                x = x + x
            elif step == 3:
                x = np.concatenate([x, x])[: x.shape[0]] * 0.5
            else:
                x = np.tanh(x)
        return x


PLANS = st.recursive(
    st.lists(st.integers(0, 3), min_size=1, max_size=6),
    lambda inner: st.lists(st.one_of(st.integers(0, 3), st.tuples(st.integers(0, 1), inner)), min_size=1, max_size=5),
    max_leaves=12,
)


@settings(max_examples=60, phases=[Phase.generate])
@given(PLANS, st.booleans(), st.sampled_from(["op", "full"]), st.data())
def test_random_nested_modules(plan: Any, repeat: bool, detail: str, data: st.DataObject) -> None:
    model = Random(3)
    with np.errstate(all="ignore"):
        y = np.sum(model(np.ones((2, 3)), plan * (12 if repeat else 1)))
    if not isinstance(y, Tensor) or not y.requires_grad:
        return
    drawing = draw(y, detail=detail)
    graph = drawing.graph
    sound(graph)
    assert len(boxes_of(drawing.view)) <= BUDGET
    names = [g["id"] for g in graph["groups"]]
    for _ in range(3):
        shown = data.draw(st.sets(st.sampled_from(names))) if names else set()
        complete(graph, shown)
        seen = visible(graph, shown)
        assert not has_cycle([(e["source"], e["target"]) for e in seen["edges"]]), "a closed group leads back to itself"
    for name in names:
        inside = [n for n in graph["nodes"] if within(graph, n["group"], name)]
        group = next(g for g in graph["groups"] if g["id"] == name)
        assert group["operations"] == sum(n["kind"] == "op" for n in inside)
        assert group["parameters"] == sum(n["kind"] == "parameter" for n in inside)
        assert group["numbers"] == sum(n["value"]["size"] for n in inside if n["kind"] == "parameter")


@settings(max_examples=40, phases=[Phase.generate])  # to shrink a large graph takes minutes
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=12),
    st.integers(1, 14),
    st.integers(0, 40),
    st.sampled_from(["op", "full"]),
    st.data(),
)
def test_random_graphs_without_modules(steps: Any, repeats: int, back: int, detail: str, data: st.DataObject) -> None:
    """A pattern of operations again and again, with links to recent values and now and then to old ones."""
    values: list[Any] = [tensor(2, 2), tensor(2, 2, seed=1), np.ones((2, 2))]
    with np.errstate(all="ignore"):
        for r in range(repeats):
            for op, i, j in steps:
                x, y = values[-1 - i % len(values)], values[-1 - j % len(values)]
                if back and r == repeats // 2:
                    y = values[back % len(values)]
                values.append(
                    [lambda x, y: np.tanh(x + y), lambda x, y: x * y, lambda x, y: x @ y, lambda x, y: x + tensor(2, 2)][op](x, y)
                )
    with np.errstate(all="ignore"):
        z = np.sum(np.stack(values[-3:]))
        if not isinstance(z, Tensor) or not z.requires_grad:
            return
        drawing = draw(z, detail=detail)
    graph = drawing.graph
    sound(graph)
    assert len(boxes_of(drawing.view)) <= BUDGET
    names = [g["id"] for g in graph["groups"]]
    for shown in (
        {g["id"] for g in graph["groups"] if g["open"]},
        set(),
        data.draw(st.sets(st.sampled_from(names))) if names else set(),
    ):
        complete(graph, shown)
        seen = visible(graph, shown)
        assert not has_cycle([(e["source"], e["target"]) for e in seen["edges"]]), "a closed group leads back to itself"
    for g in graph["groups"]:
        if g["kind"] == "fold":  # one way in and one way out, as far as results go
            kinds = {n["id"]: n["kind"] for n in graph["nodes"]}
            inside = {n["id"] for n in graph["nodes"] if within(graph, n["group"], g["id"])}
            order = [n["id"] for n in graph["nodes"]]
            first, last = min(map(order.index, inside)), max(map(order.index, inside))
            for e in graph["edges"]:
                if kinds[e["source"]] in ("op", "tensor") and e["source"] not in inside and e["target"] not in inside:
                    assert not (order.index(e["source"]) < first and order.index(e["target"]) > last), "a link skips a fold"


def within(graph: Any, group: str | None, name: str) -> bool:
    parent = {g["id"]: g["parent"] for g in graph["groups"]}
    while group is not None:
        if group == name:
            return True
        group = parent[group]
    return False


def test_a_skip_connection_over_a_run_is_not_folded() -> None:
    layers = [Layer(4, 4) for _ in range(20)]
    h = start = np.tanh(tensor(2, 4) * 1.0)
    for layer in layers:
        h = tg.relu(layer(h))
    graph = draw(np.sum(h + start)).graph
    assert not [g for g in graph["groups"] if g["kind"] == "fold"]
    h = start = np.tanh(tensor(2, 4) * 1.0)
    for layer in layers:
        h = tg.relu(layer(h))
    assert [g for g in draw(np.sum(h)).graph["groups"] if g["kind"] == "fold"]


def test_a_skip_connection_from_inside_of_a_run_is_not_folded_away() -> None:
    layers = [Layer(4, 4) for _ in range(20)]
    h: Any = X[:2]
    middle: Any = None
    for i, layer in enumerate(layers):
        h = tg.relu(layer(h))
        middle = h if i == 10 else middle
    graph = draw(np.sum(h + middle)).graph
    for g in graph["groups"]:
        if g["kind"] == "fold":
            inside = {n["id"] for n in graph["nodes"] if within(graph, n["group"], g["id"])}
            out = {e["source"] for e in graph["edges"] if e["source"] in inside and e["target"] not in inside}
            assert len(out) == 1


def test_equal_operations_in_branches_are_not_folded() -> None:
    x = tensor(3)
    y: Any = 0.0
    for _ in range(30):
        y = y + np.sum(tg.relu(x * 2.0))
    graph = draw(y).graph
    relus = {n["id"] for n in graph["nodes"] if n["op"] == "relu"}
    for g in graph["groups"]:
        if g["kind"] == "fold":
            assert not any(within(graph, n["group"], g["id"]) for n in graph["nodes"] if n["id"] in relus) or "add" in g["subtitle"]
    branches = [tg.relu(x * float(i)) for i in range(1, 40)]
    graph = draw(np.sum(np.stack(branches))).graph
    assert not [g for g in graph["groups"] if g["kind"] == "fold"]


class Block(nn.Module):
    def __init__(self) -> None:
        self.q, self.k, self.v, self.up, self.down = (nn.Linear(8, 8, dtype=np.float64, rng=i) for i in range(5))

    def forward(self, x: Any, mask: Any) -> Any:
        weights = tg.softmax(self.q(x) @ self.k(x).T / np.sqrt(8) + mask)
        x = x + weights @ self.v(x)
        return x + self.down(tg.relu(self.up(x)))


class Stack(nn.Module):
    def __init__(self, depth: int) -> None:
        self.blocks = [Block() for _ in range(depth)]

    def forward(self, x: Any) -> Any:
        mask = np.triu(np.full((5, 5), -1e9), 1)
        for block in self.blocks:
            x = block(x, mask)
        return x


def test_a_transformer_with_a_shared_mask_is_folded() -> None:
    model = Stack(12)
    drawing = draw(np.mean(model(RNG.standard_normal((5, 8))) ** 2))
    graph = drawing.graph
    sound(graph)
    assert len(boxes_of(drawing.view)) <= BUDGET
    (fold,) = [g for g in graph["groups"] if g["kind"] == "fold"]
    assert fold["subtitle"] in ("(Block()) × 9", "(Block()) × 10")  # the mask may stand between the first two
    (mask,) = [n for n in graph["nodes"] if n["shape"] == [5, 5] and n["kind"] in ("input", "constant")]
    assert mask["users"] == 12
    assert not within(graph, mask["group"], fold["id"])
    assert next(g for g in graph["groups"] if g["path"] == "model")["numbers"] == model.count_parameters()


def test_different_shapes_are_not_folded_together() -> None:
    sizes = [4, *range(5, 40), 3]
    model = nn.MLP(sizes, dtype=np.float64, rng=0)
    graph = draw(nn.cross_entropy(model(X), LABELS)).graph
    assert not [g for g in graph["groups"] if g["kind"] == "fold" and "Linear" in g["subtitle"]]
    assert len(boxes_of(visible(graph))) <= BUDGET


def test_small_graphs_are_not_folded() -> None:
    drawing = draw(deep(6))
    assert all(g["kind"] == "module" and g["open"] for g in drawing.graph["groups"])
    assert len(boxes_of(drawing.view)) == len(drawing.graph["nodes"])


def test_which_groups_are_open() -> None:
    model = ByHand()
    loss = nn.cross_entropy(model(X), LABELS)

    def opened(**settings: Any) -> set[str]:
        return {g["path"] for g in draw(loss, names={"model": model}, **settings).graph["groups"] if g["open"]}

    assert opened() == opened(expand="all") == {"model", "model.fc1", "model.fc2"}
    assert opened(expand="none") == opened(expand=0) == opened(detail="module", expand="none") == set()
    assert opened(expand=1) == opened(detail="module") == {"model"}
    assert opened(expand=2) == {"model", "model.fc1", "model.fc2"}
    assert opened(expand=["model.fc2"]) == {"model", "model.fc2"}
    assert opened(expand={"model"}) == {"model"}
    assert opened(expand=("model.fc1", "model.fc2")) == {"model", "model.fc1", "model.fc2"}
    assert opened(expand=lambda g: g["title"] != "fc1") == {"model", "model.fc2"}
    assert opened(detail="module", expand=["model"]) == {"model"}


@pytest.mark.parametrize("expand", ["everything", 2.5, None, object()])
def test_a_wrong_expand_is_refused(expand: Any) -> None:
    model = ByHand()
    with pytest.raises(SettingError, match="expand="):
        draw(nn.cross_entropy(model(X), LABELS), expand=expand)


def test_paths_of_no_module_are_refused() -> None:
    model = ByHand()
    with pytest.raises((SettingError, UnknownNameError), match=r"model\.fc1"):
        draw(nn.cross_entropy(model(X), LABELS), expand=["model.fc11"])


def test_a_path_inside_of_a_fold_is_opened() -> None:
    model = nn.MLP([4] + [8] * 99 + [3], dtype=np.float64, rng=0)
    drawing = draw(nn.cross_entropy(model(X), LABELS), expand=["model.linear50"])
    group = next(g for g in drawing.graph["groups"] if g["path"] == "model.linear50")
    assert group["id"] in {item["id"] for item in items_of(drawing.view["root"])}, "what was asked for is hidden in a fold"


# --- the view ---------------------------------------------------------------------------------------------------------------------


def test_edges_to_closed_groups_are_merged() -> None:
    model = Recurrent()
    x = tensor(2, 4)
    graph = draw(np.sum(model(x) * np.sum(x)), expand="none").graph
    view = visible(graph)
    assert len([e for e in view["edges"] if e["target"] == "g0"]) == 1
    two = Layer(4, 4)
    h = tensor(2, 4) * 2.0
    loss = np.sum(two(h) * 1.0)
    shown = visible(draw(loss, expand="none").graph)["edges"]
    assert all(len(e["members"]) == 1 for e in shown)
    assert not any("×" in e["label"] for e in shown)

    class Pair(nn.Module):
        def forward(self, x: Any) -> Any:
            return np.sum(x * 3.0) + np.sum(x * 5.0) + np.sum(np.tanh(x) * 0.0)

    pair = Pair()
    h = np.exp(tensor(2, 2))
    graph = draw(pair(h), expand="none").graph
    (edge,) = [e for e in visible(graph)["edges"] if e["target"] == "g0"]
    assert len(edge["members"]) == 3
    assert edge["label"] == "5 × 3"
    assert edge["state"] == "flow"
    assert edge["id"].endswith("+2")
    assert edge["level"] == max(e["level"] for e in graph["edges"] if e["id"] in edge["members"] and e["state"] == "flow")
    assert edge["label_width"] > 0
    assert edge["sign"] == ""


def test_nan_on_one_of_the_merged_edges_is_seen() -> None:
    class Bad(nn.Module):
        def forward(self, x: Any) -> Any:
            return np.sum(x * 3.0) + np.sum(np.sqrt(x - x) * 2.0) + np.sum(x)

    bad = Bad()
    h = np.exp(tensor(2, 2))
    with np.errstate(all="ignore"):
        graph = draw(bad(h), expand="none").graph
    (edge,) = [e for e in visible(graph)["edges"] if e["target"] == "g0"]
    assert edge["state"] == "nan"
    assert edge["label"].startswith(("NaN!", "∞!"))
    (group,) = graph["groups"]
    assert group["warn"] == "nan"
    assert ("warn", "⚠ NaN or ∞ inside") in [tuple(line) for line in group["lines"]]


def test_states_and_labels_of_edges() -> None:
    a, b = Tensor(2.0, requires_grad=True), Tensor(-3.0, requires_grad=True)
    c = np.array([1.0, 2.0])
    graph = draw(a * b + np.sum(c * a * 0.0)).graph
    by_source = {(e["source"], e["target"]): e for e in graph["edges"]}
    names = {n["id"]: n["name"] or n["op"] for n in graph["nodes"]}
    told = {(names[s], names[t]): (e["state"], e["label"]) for (s, t), e in by_source.items()}
    assert told["a", "multiply"] in [("flow", "-3"), ("zero", "0"), ("flow", "−3")]
    assert ("none", "") in told.values()  # the constant
    assert ("zero", "0") in told.values()
    plain = draw(a * b, gradients=False).graph
    assert {e["state"] for e in plain["edges"]} == {"unknown"}
    assert plain["why"] == "gradients were not asked for"


def test_full_detail_has_a_box_for_each_result() -> None:
    model = ByHand()
    graph = draw(nn.cross_entropy(model(X), LABELS), detail="full", fold=False).graph
    assert len([n for n in graph["nodes"] if n["kind"] == "tensor"]) == 6
    assert graph["counts"]["operations"] == 6
    assert sum(n["output"] for n in graph["nodes"]) == 1
    assert next(n for n in graph["nodes"] if n["output"])["kind"] == "tensor"
    kinds = {n["id"]: n["kind"] for n in graph["nodes"]}
    for e in graph["edges"]:
        assert (kinds[e["source"]] == "op") == (kinds[e["target"]] == "tensor")


def test_without_parameters() -> None:
    model = ByHand()
    graph = draw(nn.cross_entropy(model(X), LABELS), parameters=False).graph
    assert not [n for n in graph["nodes"] if n["kind"] == "parameter"]
    assert graph["counts"]["operations"] == 6
    assert graph["gradients"]


# --- special states -----------------------------------------------------------------------------------------------------------------


def test_an_output_with_several_entries_says_why_there_are_no_gradients() -> None:
    x = tensor(2, 3)
    graph = draw(x * 2).graph
    assert not graph["gradients"]
    assert graph["why"] == "the output has 6 entries: draw a loss, or give gradient="
    assert {e["state"] for e in graph["edges"]} == {"unknown"}
    assert all(n["gradient"] is None for n in graph["nodes"])
    assert graph["steps"]["backward"] == []
    given_one = draw(x * 2, gradient=np.full((2, 3), 0.5)).graph
    assert given_one["gradients"]
    assert given_one["why"] == ""
    assert by_name(given_one)["x"]["gradient"]["preview"] == [1.0] * 6
    assert draw(x * 2, gradient=Tensor(np.ones((2, 3)))).graph["gradients"]


def test_gradients_of_complex_outputs_are_refused_with_a_reason() -> None:
    z = Tensor(1 + 2j, requires_grad=True)
    graph = draw(z * 2).graph
    assert not graph["gradients"]
    assert graph["why"]
    with_seed = draw(z * 2, gradient=1 + 0j).graph
    assert with_seed["gradients"]


def test_an_output_that_takes_no_part_in_the_gradients_is_told() -> None:
    x = tensor(3)
    graph = draw([x * 2, np.sum(x)]).graph
    assert graph["gradients"]
    assert "3 entries" in graph["why"]


def test_nan_in_the_forward_pass_is_located() -> None:
    x = Tensor([-1.0, 2.0], requires_grad=True)
    with np.errstate(all="ignore"):
        loss = np.sum(np.log(x) * 2)
    drawing = draw(loss)
    graph = drawing.graph
    bad = graph["bad"]
    assert bad["phase"] == "forward"
    node = next(n for n in graph["nodes"] if n["id"] == bad["node"])
    assert node["op"] == "log"
    assert bad["words"].startswith("NaN begins at log")
    assert graph["loss"] == "nan"
    assert any(style == "warn" for style, _ in node["lines"])
    assert node["value"]["nan"] == 1
    strict(drawing.json)


@pytest.mark.parametrize(
    ("make", "op", "what"),
    [
        (lambda x: np.sum(np.sqrt(x * 0.0) * 0.0), "sqrt", "NaN"),
        (lambda x: np.sum(np.sqrt(x * 0.0)), "sqrt", "∞"),
        (lambda x: np.sum((x * 0.0) ** 0.5), "pow", "∞"),
    ],
)
def test_nan_in_the_backward_pass_only_is_located(make: Any, op: str, what: str) -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    with np.errstate(all="ignore"):
        graph = draw(make(x)).graph
    bad = graph["bad"]
    assert bad is not None
    assert bad["phase"] == "backward"
    assert next(n for n in graph["nodes"] if n["id"] == bad["node"])["op"] == op
    assert bad["words"].startswith(what)
    assert {"nan"} <= {e["state"] for e in graph["edges"]}


def test_nan_in_the_data_is_not_blamed_on_an_operation() -> None:
    data = X.copy()
    data[3, 1] = np.nan
    model = ByHand()
    with np.errstate(all="ignore"):
        graph = draw(nn.cross_entropy(model(data), LABELS)).graph
    assert graph["bad"] is not None
    node = next(n for n in graph["nodes"] if n["id"] == graph["bad"]["node"])
    assert node["op"] != "cross_entropy", graph["bad"]["words"]
    assert node["name"] == "data" or node["op"] == "matmul"


def test_infinities_of_a_mask_are_nobodys_fault() -> None:
    scores = tensor(3, 3)
    mask = np.triu(np.full((3, 3), -np.inf), 1)
    graph = draw(np.sum(tg.softmax(scores + mask) ** 2)).graph
    assert graph["bad"] is None
    assert "nan" not in {e["state"] for e in graph["edges"]}


def test_infinite_values() -> None:
    x = Tensor([1e308, 1.0], requires_grad=True)
    with np.errstate(all="ignore"):
        drawing = draw(np.sum(x * 10.0))
    assert drawing.graph["bad"]["words"].startswith("∞ begins at multiply")
    assert drawing.graph["loss"] == "inf"
    strict(drawing.json)


def test_dead_units_have_zero_gradients() -> None:
    class Dead(nn.Module):
        def __init__(self) -> None:
            self.w = nn.Parameter(-np.ones((4, 3)))

        def forward(self, x: Any) -> Any:
            return tg.relu(x @ self.w)

    dead = Dead()
    loss = np.sum(dead(np.abs(X)) * 1.0 + 1.0)
    graph = draw(loss).graph
    zero = [e for e in graph["edges"] if e["state"] == "zero"]
    assert {e["label"] for e in zero} == {"0"}
    assert by_name(graph)["w"]["gradient"]["zeros"] == 12
    assert any(e["state"] == "flow" for e in graph["edges"])
    w = Tensor([-1.0, -2.0], requires_grad=True)
    everything = draw(np.sum(tg.relu(w)) * 0.0).graph
    assert everything["ramp"] is None or everything["ramp"]["low"] > 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: Tensor(2.0, requires_grad=True) * 3, lambda: np.sum(Tensor(np.zeros((0, 3)), requires_grad=True) * 2),
        lambda: np.sum(Tensor(np.zeros((3, 0)), requires_grad=True) * 2), lambda: np.sum(Tensor(np.zeros((2, 0, 3)), requires_grad=True)),
        lambda: Tensor(np.zeros((3, 0)), requires_grad=True) @ np.zeros((0, 2)), lambda: Tensor([5.0], requires_grad=True) * 2,
        lambda: Tensor(np.arange(6).reshape(2, 3)), lambda: Tensor(np.array([True, False])), lambda: Tensor(3), lambda: Tensor(1.5),
        lambda: Tensor(2.0, requires_grad=True), lambda: Tensor(np.ones((2, 2), np.float16), requires_grad=True) * 2,
        lambda: np.sum(Tensor(np.ones(3), requires_grad=True)[np.array([True, False, True])]), lambda: Tensor([[1.0]], requires_grad=True) + 1,
        lambda: tensor(3)[np.array([2, 0, 0])], lambda: np.sum(tensor(3) * np.array([1, 0, 1])), lambda: Tensor(1j, requires_grad=True) * 2,
        lambda: np.sum(np.where(np.array([True, False, True]), tensor(3), 0.0)), lambda: np.sum(tensor(3) * np.float32(2)),
        lambda: tensor(2, 2).T, lambda: np.sum(Tensor(np.full(3, 1e308), requires_grad=True) * 1e-300), lambda: np.max(tensor(3, 4), axis=1),
        lambda: np.sum(Tensor(np.array([0.1, 0.1 + 1.4e-17]), requires_grad=True)), lambda: np.sum(tensor(2, 3, 4, 5)),
        lambda: np.max(Tensor([1.7e308, 1.7e308], requires_grad=True)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("detail", ["op", "full", "module"])
def test_every_kind_of_tensor_is_drawn(make: Callable[[], Any], detail: str) -> None:
    drawing = draw(make(), detail=detail)
    sound(drawing.graph)
    again = loads(drawing.json)
    assert again == strict(drawing.json)
    assert drawing.view["root"]
    assert str(drawing).startswith("drawing of ")


def test_a_freed_graph_is_refused() -> None:
    x = tensor(3)
    loss = np.sum(np.exp(x))
    loss.backward()
    with pytest.raises(GraphError, match="retain_graph"):
        draw(loss)
    part = np.exp(x)
    a, b = np.sum(part), np.sum(part * 2)
    a.backward()
    with pytest.raises(GraphError, match="freed"):
        draw([np.sum(x), b])


def test_second_order_has_its_backward_pass_as_a_group() -> None:
    x = tensor(3)
    (g,) = gradients(np.sum(np.sin(x) * x**3), [x], create_graph=True)
    graph = draw(np.sum(g * g)).graph
    sound(graph)
    phases = [p for p in graph["groups"] if p["kind"] == "phase"]
    assert [p["title"] for p in phases] == ["backward"]
    assert phases[0]["operations"] >= 4


# --- wrong arguments ----------------------------------------------------------------------------------------------------------------

A = tensor(3)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: draw(3.0), TensorTypeError, r"draw\(\) takes a Tensor"),
        (lambda: draw([]), TensorTypeError, r"draw\(\) takes a Tensor"),
        (lambda: draw(None), TensorTypeError, r"draw\(\) takes a Tensor"),
        (lambda: draw([A, 2]), TensorTypeError, r"draw\(\) takes a Tensor"),
        (lambda: draw(np.ones(3)), TensorTypeError, r"draw\(\) takes a Tensor"),
        (lambda: draw(nn.MLP([3, 2])), TensorTypeError, "an example of its input"),
        (lambda: draw(A * 2, X), TensorTypeError, "a module only"),
        (lambda: draw(A * 2, detail="ops"), UnknownNameError, "did you mean 'op'"),
        (lambda: draw(A * 2, detail=3), UnknownNameError, "detail"),
        (lambda: draw(A * 2, direction="tb"), UnknownNameError, "TB"),
        (lambda: draw(A * 2, theme="drak"), UnknownNameError, "did you mean 'dark'"),
        (lambda: draw(A * 2, layout="dott"), UnknownNameError, "did you mean 'dot'"),
        (lambda: draw(A * 2, layout=["own"]), (UnknownNameError, SettingError), "layout"),
        (lambda: draw(A * 2, gradient=np.ones(2)), ShapeError, r"of the shape of the output, \(3,\)"),
        (lambda: draw(Tensor(np.ones(3)) * 2, gradient=np.ones(3)), TensorTypeError, "nothing requires gradients"),
        (lambda: draw([A * 2, A * 3], gradient=[np.ones(3)]), SettingError, "one for each of the 2 outputs"),
        (lambda: draw([A * 2, A * 3], gradient=1.0), (SettingError, ShapeError, TensorTypeError), "gradient="),
        (lambda: draw(A * 2, gradient=np.ones(3) * 1j), (TensorTypeError, SettingError), "complex"),
        (lambda: draw(A * 2, gradient="abc"), (SettingError, ShapeError, TensorTypeError), "gradient="),
        (lambda: draw(np.sum(A), compare="numerics"), SettingError, "compare="),
        (lambda: draw(np.sum(A), compare=3), SettingError, "compare="),
        (lambda: draw(np.sum(A), compare={"B": np.ones(3)}), UnknownNameError, "parameter of the graph"),
        (lambda: draw(np.sum(A), colour="red"), TypeError, "colour"),
        (lambda: draw(np.sum(A), names=[A]), (SettingError, TensorTypeError, TypeError, ValueError), "."),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        call()
    assert len(str(caught.value)) < 400
    assert A.grad is None


def test_a_module_that_returns_a_dict_is_refused_in_few_words() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            self.w = nn.Parameter(np.ones((4, 200)))

        def forward(self, x: Any) -> Any:
            h = x @ self.w
            return {f"part{i}": h * float(i) for i in range(20)}

    try:
        drawing = draw(Wide(), X)
    except TensorTypeError as error:
        assert len(str(error)) < 400  # noqa: PT017
    else:
        assert sum(n["output"] for n in drawing.graph["nodes"]) == 20


def test_a_failing_draw_changes_nothing() -> None:
    x = tensor(3)
    y = np.exp(x)
    for _ in range(2):
        with pytest.raises(ShapeError):
            draw(y, gradient=np.ones((3, 3)))
    np.sum(y).backward()
    np.testing.assert_array_equal(x.grad, y.data)


# --- JSON and files -----------------------------------------------------------------------------------------------------------------


def test_json_is_read_again(tmp_path: Path) -> None:
    drawing = draw(deep(30))
    path = drawing.save(tmp_path / "graph.json")
    assert path == tmp_path / "graph.json"
    again = Drawing.load(path)
    assert again.json == drawing.json
    assert again.view == drawing.view
    assert path.read_bytes().endswith(b"\n")
    assert strict(path.read_text(encoding="utf-8"))["version"] == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"), ("[1, 2]", "no description of a graph"), ("{}", "no description of a graph"), ("3", "no description"), ("", "no JSON"),
        ('{"version": 2, "nodes": [], "edges": [], "groups": []}', "has version 2, but version 1"),
        ('{"version": "1", "nodes": [], "edges": [], "groups": []}', "version"),
    ],
)  # fmt: skip
def test_other_files_are_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        Drawing.load(path)


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises((DataError, FileNotFoundError), match="nowhere"):
        Drawing.load(tmp_path / "nowhere.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError):
        Drawing.load(tmp_path / "binary.json")


@pytest.mark.parametrize("suffix", [".svg", ".json", ".txt", ".mmd", ".dot", ".gv", ".SVG"])
def test_save_writes_the_form_that_the_suffix_names(suffix: str, tmp_path: Path) -> None:
    drawing = draw(np.sum(A * 2), names={"A": A})
    path = drawing.save(str(tmp_path / f"picture{suffix}"))
    text = path.read_text(encoding="utf-8")
    expected = {
        ".svg": lambda: drawing.svg, ".json": lambda: drawing.json, ".txt": lambda: drawing.text, ".mmd": lambda: drawing.mermaid,
        ".dot": lambda: drawing.dot.source, ".gv": lambda: drawing.dot.source,
    }[suffix.lower()]()  # fmt: skip
    assert text.rstrip("\n") == expected.rstrip("\n")
    assert "A" in text
    assert [p.name for p in tmp_path.iterdir()] == [f"picture{suffix}"]


def test_unknown_kinds_of_files_and_folders_that_are_none(tmp_path: Path) -> None:
    drawing = draw(np.sum(A * 2))
    with pytest.raises(UnknownNameError, match=r"did you mean '\.svg'"):
        drawing.save(tmp_path / "g.svgg")
    with pytest.raises(UnknownNameError, match="kind of file"):
        drawing.save(tmp_path / "graph")
    with pytest.raises(DataError, match="cannot write"):
        drawing.save(tmp_path / "none" / "g.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        drawing.save(tmp_path / "file" / "g.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(DataError, match="cannot write"):
        drawing.save(tmp_path / "folder.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.json"]


def test_a_file_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = draw(np.sum(A * 2))
    path = tmp_path / "g.json"
    path.write_text("old", encoding="utf-8")

    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fails)
        with pytest.raises(DataError, match="No space left"):
            drawing.save(path)
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["g.json"]
    drawing.save(path)
    assert strict(path.read_text(encoding="utf-8"))["version"] == 1


def test_forms_that_are_shown() -> None:
    drawing = draw(np.sum(A * 2))
    bundle = drawing._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "text/plain"}
    assert bundle["image/svg+xml"].startswith("<svg")
    assert play(np.sum(A * 2)).interactive


# --- comparisons --------------------------------------------------------------------------------------------------------------------


def smooth() -> tuple[Any, dict[str, Any]]:
    w, b = tensor(4, 3), tensor(3, seed=1)
    return np.sum(np.tanh(X @ w + b) ** 2), {"w": w, "b": b}


def engine(loss: Any, leaves: dict[str, Any]) -> dict[str, np.ndarray]:
    return {k: np.asarray(g) for k, g in zip(leaves, gradients(loss, list(leaves.values()), retain_graph=True), strict=True)}


def exact() -> tuple[Any, dict[str, Any], dict[str, np.ndarray]]:
    loss, leaves = smooth()
    twin, others = smooth()
    found = gradients(twin, list(others.values()))
    return loss, leaves, {k: np.array(g) for k, g in zip(leaves, found, strict=True)}


def test_right_gradients_by_hand_agree() -> None:
    loss, leaves, right = exact()
    drawing = draw(loss, names=leaves, compare=right)
    table = drawing.graph["compare"]
    assert [row["ok"] for row in table["rows"]] == [True, True]
    assert all("equal" in " ".join(row["cells"]) for row in table["rows"])
    ids = {n["id"]: n["name"] for n in drawing.graph["nodes"]}
    assert [ids[row["node"]] for row in table["rows"]] == [row["cells"][0] for row in table["rows"]]
    assert {len(row["cells"]) for row in table["rows"]} == {len(table["header"])}
    strict(drawing.json)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda g: g * 1.01, lambda g: -g, lambda g: g.T, lambda g: np.zeros_like(g), lambda g: g[:, :2], lambda g: np.full_like(g, np.nan),
        lambda g: g + 1e-3, lambda g: 3.0, lambda g: g * 1j, lambda g: np.full_like(g, np.inf),
    ],
)  # fmt: skip
def test_wrong_gradients_by_hand_are_found(spoil: Callable[[Any], Any]) -> None:
    loss, leaves, right = exact()
    drawing = draw(loss, names=leaves, compare={**right, "w": spoil(right["w"])})
    table = drawing.graph["compare"]
    ok = {row["cells"][0]: row["ok"] for row in table["rows"]}
    assert ok == {"w": False, "b": True}
    assert "w" in table["verdict"]
    assert "differs" in table["verdict"] or "disagree" in table["verdict"]
    strict(drawing.json)


def test_gradients_by_hand_of_some_parameters_and_other_kinds() -> None:
    loss, leaves, right = exact()
    table = draw(loss, names=leaves, compare={"w": right["w"].tolist()}).graph["compare"]
    assert [row["ok"] for row in table["rows"]] == [True, True]
    assert "not given" in table["rows"][1]["cells"] + table["rows"][0]["cells"]
    assert draw(loss, names=leaves, compare={"w": Tensor(right["w"])}).graph["compare"]["rows"][0]["ok"]
    with pytest.raises(UnknownNameError, match="did you mean"):
        draw(loss, names=leaves, compare={"W": right["w"]})
    try:
        table = draw(loss, names=leaves, compare={"w": "abc"}).graph["compare"]
    except (SettingError, TensorTypeError, DataError):
        return
    assert [row["ok"] for row in table["rows"] if row["cells"][0] == "w"] == [False]


def test_nothing_is_said_to_agree_where_there_are_no_gradients() -> None:
    w = tensor(3)
    for settings_of in ({"gradients": False}, {}):
        y = np.sum(w * 2) if settings_of else w * 2
        try:
            table = draw(y, names={"w": w}, compare={"w": np.full(3, 99.0)}, **settings_of).graph["compare"]
        except (SettingError, TensorTypeError):
            continue
        assert table is None or "agree" not in table["verdict"], table["verdict"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numeric_differences_agree_with_a_right_engine(dtype: str) -> None:
    model = nn.MLP([4, 8, 3], "tanh", dtype=np.dtype(dtype), rng=0)
    table = draw(nn.cross_entropy(model(X.astype(dtype)), LABELS), compare="numeric").graph["compare"]
    assert len(table["rows"]) == 4
    assert all(row["ok"] for row in table["rows"]), table["verdict"]
    assert "agree" in table["verdict"]


def test_numeric_differences_find_a_wrong_rule() -> None:
    def cube(x: Any) -> Any:
        return x**3

    wrong = tg.primitive(lambda g, z, x: g * 3 * x**2, example=[np.array([0.5, 1.5])])(cube)
    wrong.rules = (lambda g, z, x: g * 2 * x**2,)
    w = tensor(3)
    table = draw(np.sum(wrong(w)), compare="numeric").graph["compare"]
    assert [row["ok"] for row in table["rows"]] == [False]


@pytest.mark.parametrize(
    "make",
    [
        lambda w: np.sum(tg.relu(w)), lambda w: np.sum(np.abs(w)), lambda w: np.max(w), lambda w: np.sum(np.maximum(w, 0.0)),
    ],
)  # fmt: skip
def test_numeric_differences_at_a_kink_accuse_nobody(make: Callable[[Any], Any]) -> None:
    w = Tensor(np.zeros(3), requires_grad=True)
    table = draw(make(w), compare="numeric").graph["compare"]
    assert table is None or all(row["ok"] for row in table["rows"]) or "kink" in str(table), table["verdict"]


@pytest.mark.parametrize(
    "make",
    [
        lambda w: np.sum(np.tanh(X.astype(np.float32) @ w.astype(np.float32))), lambda w: np.sum((1e6 + w) ** 2) - 12e12,
        lambda w: np.sum(w * 1e-12), lambda w: np.sum(np.exp(w) * 1e12), lambda w: np.sum(w[np.array([0, 0, 1])] ** 2), lambda w: np.sum(w * 0.0),
        lambda w: np.sum(np.where(w.array > 0, w, 2 * w)), lambda w: np.prod(w), lambda w: np.sum(w) * 0.0 + 5.0, lambda w: np.sum(w.T @ w) - np.sum(w.T @ w),
        lambda w: np.mean(np.sort(np.exp(w), axis=0)[0]), lambda w: np.sum(np.real(np.exp(1j * w))), lambda w: np.sum(np.cumsum(w)),
    ],
)  # fmt: skip
def test_numeric_differences_do_not_accuse_right_gradients(make: Callable[[Any], Any]) -> None:
    w = tensor(4, 3)
    table = draw(make(w), compare="numeric").graph["compare"]
    assert table is None or all(row["ok"] for row in table["rows"]), (table["verdict"], table["rows"])


def test_numeric_differences_where_numbers_are_not_finite() -> None:
    w = Tensor([-1.0, 2.0], requires_grad=True)
    with np.errstate(all="ignore"):
        drawing = draw(np.sum(np.log(w)), compare="numeric")
    strict(drawing.json)
    table = drawing.graph["compare"]
    assert table is None or not all(row["ok"] for row in table["rows"]) or "not finite" in str(table)


def test_numeric_differences_of_complex_outputs() -> None:
    x = tensor(3)
    with np.errstate(all="ignore"):
        drawing = draw(np.exp(1j * x), gradient=np.array([1 + 1j, 2 - 1j, 0.5j]), compare="numeric")
    table = drawing.graph["compare"]
    assert table is None or all(row["ok"] for row in table["rows"])


def test_complex_gradients_by_hand() -> None:
    c = Tensor(np.array([1 + 1j, 3 - 4j]), requires_grad=True)
    for factor, ok in ((1.0, True), (1j, False)):
        table = draw(np.sum(np.abs(c)), names={"c": c}, compare={"c": factor * c.data / np.abs(c.data)}).graph["compare"]
        assert [row["ok"] for row in table["rows"]] == [ok]


def test_numeric_differences_of_large_graphs_are_left_out() -> None:
    y: Any = 0.0
    ws = [Tensor(float(i), requires_grad=True) for i in range(200)]
    for w in ws:
        y = y + w * 2.0
    compared = draw(y, compare="numeric").graph["compare"]
    assert compared is not None
    assert compared["rows"] == []
    assert compared["verdict"].startswith("Not compared")
    (w,) = [tensor(2)]
    assert play(np.sum(w * w)).graph["compare"] is not None


def test_numeric_differences_change_nothing() -> None:
    w = tensor(3)
    before = w.data.copy()
    loss = np.sum(np.exp(w))
    draw(loss, compare="numeric")
    assert np.array_equal(w.data, before)
    loss.backward()
    np.testing.assert_array_equal(w.grad, np.exp(before))


def test_comparison_of_check() -> None:
    model = nn.MLP([4, 5, 3], dtype=np.float64, rng=0)
    comparison = check.compare(model, "cross_entropy", X, LABELS)
    drawing = draw(nn.cross_entropy(model(X), LABELS), compare=comparison)
    table = drawing.graph["compare"]
    assert len(table["rows"]) == len(comparison.rows)
    names = {n["id"]: n["name"] for n in drawing.graph["nodes"]}
    assert {names.get(row["node"]) for row in table["rows"]} == {"linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"}
    assert all(row["ok"] for row in table["rows"])
    assert table["verdict"] == comparison.verdict()
    strict(drawing.json)


def loss_of_two(X: Any, y: Any, p: Any) -> Any:
    return np.sum((np.tanh(X @ p["W"] + p["b"]) - y) ** 2)


def right_backprop(X: Any, y: Any, p: Any) -> dict[str, Any]:
    h = np.tanh(X @ p["W"] + p["b"])
    d = (1 - h**2) * 2 * (h - y)
    return {"W": X.T @ d, "b": d.sum(0)}


def wrong_backprop(X: Any, y: Any, p: Any) -> dict[str, Any]:
    h = np.tanh(X @ p["W"] + p["b"])
    return {"W": X.T @ ((1 - h) * 2 * (h - y)), "b": ((1 - h**2) * 2 * (h - y)).sum(0)}


@pytest.mark.parametrize(("by_hand", "right"), [(right_backprop, True), (wrong_backprop, False)])
def test_diagnosis_of_check(by_hand: Any, right: bool) -> None:
    params = {"W": RNG.standard_normal((4, 3)), "b": np.zeros(3)}
    targets = np.full((16, 3), 0.25)
    diagnosis = check.diagnose(loss_of_two, by_hand, X, targets, params)
    leaves = {k: Tensor(v, requires_grad=True) for k, v in params.items()}
    drawing = draw(loss_of_two(X, targets, leaves), names=leaves, compare=diagnosis)
    table = drawing.graph["compare"]
    assert table["verdict"]
    assert {row["cells"][0]: row["ok"] for row in table["rows"]} == {"W": right, "b": True}
    assert {row["cells"][0]: row["node"] for row in table["rows"]} == {k: by_name(drawing.graph)[k]["id"] for k in params}
    assert {len(row["cells"]) for row in table["rows"]} == {len(table["header"])}
    strict(drawing.json)


# --- derivations --------------------------------------------------------------------------------------------------------------------


def derivation_of_network() -> Any:
    model = nn.MLP([4, 5, 3], dtype=np.float64, rng=0)

    def loss(X: Any, y: Any) -> Any:
        return nn.cross_entropy(model(X), y)

    return tg.derive(loss, X, LABELS)


def derivation_of_function() -> Any:
    return tg.derive(lambda a, b: np.sum(np.tanh(a @ b) * a[:, :2]), tensor(3, 4), tensor(4, 2))


@pytest.mark.parametrize("make", [derivation_of_network, derivation_of_function])
def test_a_derivation_has_a_box_for_each_line(make: Callable[[], Any]) -> None:
    derivation = make()
    drawing = draw(derivation)
    graph = drawing.graph
    letters = Letters(derivation.plan, PLAIN)
    lines = derivation.plan.lines
    boxes = [n for n in graph["nodes"] if n["kind"] == "op"]
    assert [n["formula"] for n in boxes] == [f"{letters.texts[s.symbol].text} = {''.join(letters.rows(s.symbol))}" for s in lines]
    assert graph["counts"]["operations"] == len(lines) == len(graph["steps"]["forward"])
    phases = {n["id"]: group_path(graph, n) for n in boxes}
    assert [phases[n["id"]] for n in boxes] == ["backward" if line.backward else "forward" for line in lines]
    assert {n["name"] for n in graph["nodes"] if n["kind"] == "parameter"} == {
        letters.texts[p].text for p in derivation.plan.parameters
    }
    ids = {n["id"]: n for n in graph["nodes"]}
    for n in boxes:
        _, _, right = n["formula"].partition(" = ")
        used = [ids[e["source"]]["name"] for e in graph["edges"] if e["target"] == n["id"]]
        assert used
        for name in used:
            assert name in right, (name, n["formula"])
    for n in graph["nodes"]:
        assert n["users"] == sum(e["source"] == n["id"] for e in graph["edges"])
    assert sum(n["output"] for n in graph["nodes"]) == 1
    assert not graph["gradients"]
    strict(drawing.json)
    complete(graph, {g["id"] for g in graph["groups"]})
    complete(graph, set())


def test_derivations_are_played_and_take_settings() -> None:
    derivation = derivation_of_function()
    assert play(derivation).graph["compare"] is None
    assert draw(derivation, title="mine", direction="LR").graph["title"] == "mine"
    assert draw(derivation, expand="none").graph["groups"][0]["open"] is False
    with pytest.raises(UnknownNameError):
        draw(derivation, detail="ops")


def test_ramp_and_labels_grow_with_the_gradient() -> None:
    xs = [Tensor(1.0, requires_grad=True) for _ in range(9)]
    y: Any = 0.0
    for i, x in enumerate(xs):
        y = y + x * 10.0 ** (-i)
    graph = draw(y).graph
    levels = {}
    for e in graph["edges"]:
        if next(n for n in graph["nodes"] if n["id"] == e["source"])["kind"] == "parameter":
            levels[e["gradient"]["rms"]] = e["level"]
    ordered = [levels[k] for k in sorted(levels)]
    assert ordered == sorted(ordered)
    assert (ordered[0], ordered[-1]) == (0, 4)
    assert math.isclose(graph["ramp"]["low"], 1e-8)
    assert graph["ramp"]["high"] == 1.0


# --- what a newcomer stumbled over ------------------------------------------------------------------------------------------------


def test_a_penalty_has_a_frame_and_leaves_the_weights_in_their_layers() -> None:
    model = nn.MLP([4, 5, 3], dtype=np.float64, rng=0)
    loss = nn.cross_entropy(model(X), LABELS) + nn.l2_penalty([layer.weight for layer in model.linears], 0.1)
    graph = draw(loss).graph
    path = {g["id"]: g["path"] for g in graph["groups"]}
    assert set(path.values()) == {"model", "model.linear1", "model.linear2", "L2 penalty"}
    for node in graph["nodes"]:
        if node["kind"] == "parameter":
            assert path[node["group"] or ""] == f"model.{node['name'].split('.')[0]}"
        if node["op"] == "square":
            assert path[node["group"] or ""] == "L2 penalty"


def test_a_gradient_that_is_a_sum_has_its_size_in_the_box() -> None:
    x = Tensor([1.0, 2.0, 3.0, 4.0, 5.0], requires_grad=True)
    graph = draw(np.sum(x * x)).graph
    (leaf,) = [n for n in graph["nodes"] if n["kind"] == "parameter"]
    rms = float(np.sqrt(np.mean((2 * x.array) ** 2)))
    assert ("gradient", f"grad RMS {rms:.2g}, a sum of 2") in leaf["lines"]
    (leaf,) = [n for n in draw(np.sum(x * 2.0)).graph["nodes"] if n["kind"] == "parameter"]
    assert not [text for _, text in leaf["lines"] if "a sum of" in text]


def test_a_leaf_that_a_module_holds_is_a_parameter() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.linear = nn.Linear(4, 3, dtype=np.float64, rng=0)
            self.scale = Tensor(2.0, requires_grad=True)

        def forward(self, x: Any) -> Any:
            return self.linear(x) * self.scale

    model, outside = Scaled(), Tensor(np.ones((5, 4)), requires_grad=True)
    kinds = {n["name"]: n["kind"] for n in draw(np.sum(model(outside))).graph["nodes"]}
    assert kinds["scale"] == kinds["linear.weight"] == "parameter"
    assert kinds["outside"] == "input"


def test_lines_with_numbers_come_out_by_their_own_digits() -> None:
    e = Tensor(-6.0, requires_grad=True)
    (step,) = [n for n in draw(np.tanh(e)).graph["nodes"] if n["kind"] == "op"]
    inner = float(step["numbers"].rpartition("= ")[2].replace("−", "-"))
    assert step["derivatives"][0]["numbers"].startswith(f"dx = 1 · (1 − (−{-inner})²) = ")
    assert abs((1 - inner**2) / (1 - np.tanh(-6.0) ** 2) - 1) < 0.02


def test_long_networks_have_short_names() -> None:
    assert nn.MLP([64] * 101).describe() == "64 → 64 → 64 → … → 64 → 64, relu"
    assert nn.MLP([2] * 8).describe() == " → ".join("2" * 8) + ", relu"


# --- what real models showed --------------------------------------------------------------------------------------------------------


def test_results_of_parameters_are_no_parameters() -> None:
    layer = nn.Linear(3, 3, dtype=np.float64, rng=0)
    with tg.no_grad():
        before = layer(np.ones((2, 3)))
    graph = draw(np.sum(layer(before))).graph
    assert {n["name"]: n["kind"] for n in graph["nodes"] if n["kind"] != "op"} == {
        "before": "input", "layer.weight": "parameter", "layer.bias": "parameter",
    }  # fmt: skip
    model = nn.MLP([4, 5, 3], dtype=np.float64, rng=0)
    graph = draw(nn.cross_entropy(model(X), LABELS), parameters=False).graph
    assert [n["kind"] for n in graph["nodes"]].count("parameter") == 0
    assert len(graph["edges"]) == 5  # X, linear → relu → linear → loss, the labels


def test_modules_keep_their_names_where_their_results_take_no_part() -> None:
    critic = nn.MLP([2, 4, 1], activation="tanh", dtype=np.float64, rng=0)
    x = Tensor(np.ones((5, 2)), requires_grad=True)
    (slope,) = tg.gradients(np.sum(critic(x)), [x], create_graph=True)
    graph = draw(np.mean(np.square(slope))).graph
    names = {n["name"] for n in graph["nodes"] if n["kind"] == "parameter"}
    assert names == {"linear1.weight", "linear1.bias", "linear2.weight"}
    assert {"critic", "critic.linear1", "backward"} <= {g["path"] for g in graph["groups"]}


def test_each_backward_pass_has_its_frame() -> None:
    a = Tensor(1.3, requires_grad=True)
    y = np.sin(a) * a**3
    first = tg.gradients(y, a, create_graph=True)
    second = tg.gradients(first, a, create_graph=True)
    assert [g["path"] for g in draw(second).graph["groups"]] == ["backward", "backward@2"]


def test_models_in_a_list_are_told_apart() -> None:
    models = [nn.MLP([4, 2, 1], dtype=np.float64, rng=i) for i in range(2)]
    graph = draw(np.sum(models[0](X)) + np.sum(models[1](X))).graph
    assert [p for p in paths(graph) if p.count(".") == 1] == ["models.0", "models.1"]
    assert "models.1.linear2.bias" in {n["name"] for n in graph["nodes"]}


def test_a_mask_of_infinities_is_no_alarm() -> None:
    x = Tensor(np.arange(9.0).reshape(3, 3), requires_grad=True)
    mask = np.where(np.tril(np.ones((3, 3), bool)), 0.0, -np.inf)
    loss = np.sum(tg.softmax(x + mask, axis=-1)[:, 0])
    graph = draw(loss).graph
    assert graph["bad"] is None
    assert not [line for n in graph["nodes"] for line in n["lines"] if line[0] == "warn"]


def test_given_names_come_first() -> None:
    vector = Tensor([1.0, 2.0], requires_grad=True)
    inner = vector * 2
    graph = draw(np.sum(inner), names={"hidden": inner, "vec": vector}).graph
    assert {"hidden", "vec"} <= {n["name"] for n in graph["nodes"]}
    assert "inner" not in {n["name"] for n in graph["nodes"]}


def test_two_losses_say_that_their_sum_is_differentiated() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    first, second = np.sum(w * 2), -np.sum(w * 2)
    graph = draw([first, second]).graph
    assert graph["why"].startswith("the gradients are those of the sum of 2 outputs")
    assert draw([first, second], gradient=[1.0, None]).graph["why"] == ""


def test_what_is_not_finite_is_not_compared() -> None:
    for start in ([0.0, 1.0], [1.0, -1.0]):
        x = Tensor(start, requires_grad=True)
        with np.errstate(all="ignore"):
            told = draw(np.sum(np.log(x)), compare="numeric").graph["compare"]
        assert told is not None
        assert told["verdict"] == "x: not finite, so there is nothing to compare."


def test_a_recurrent_network_shows_its_first_and_last_steps() -> None:
    class Cell(nn.Module):
        def __init__(self) -> None:
            self.w, self.u = nn.Linear(3, 4, dtype=np.float64, rng=0), nn.Linear(4, 4, dtype=np.float64, rng=1)

        def forward(self, x: Any, h: Any) -> Any:
            return np.tanh(self.w(x) + self.u(h))

    class Network(nn.Module):
        def __init__(self) -> None:
            self.cell = Cell()

        def forward(self, xs: Any) -> Any:
            h: Any = np.zeros((6, 4))
            for x in xs:
                h = self.cell(x, h)
            return h

    steps = [np.full((6, 3), float(i)) for i in range(50)]
    network = Network()
    drawing = draw(np.sum(network(steps)))
    titles = {g["title"]: g["open"] for g in drawing.graph["groups"] if g["kind"] != "run"}
    assert titles["cell"]
    assert titles["cell@50"]
    assert not titles["cell@3 … cell@49"]
    assert [t for t in titles if t.endswith(" inputs")] == ["47 inputs"]
    assert len(boxes_of(drawing.view)) <= BUDGET


def test_drawing_needs_nothing_but_numpy() -> None:
    program = """
import sys
for name in ("graphviz", "matplotlib", "IPython", "rich", "scipy", "playwright"):
    sys.modules[name] = None  # importing it fails
import numpy as np, tinygrad_mlp as tg
from tinygrad_mlp import nn
model = nn.MLP([4, 8, 3], rng=0)
drawing = tg.play(nn.cross_entropy(model(np.ones((2, 4), np.float32)), [0, 1]))
assert drawing.svg.startswith("<svg") and drawing.html and drawing.text and drawing.mermaid and drawing.json
for form in ("png", "dot"):
    try:
        getattr(drawing, form)
    except tg.errors.MissingExtraError as error:
        print(error)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PATH": ""})
    png, dot = run.stdout.splitlines()
    assert "pip install 'tinygrad_mlp[pictures]'" in png
    assert "graphviz" in dot
