"""The page in headless Chromium: it opens from disk without a network, plays the steps in order, and its numbers are the engine's."""

from __future__ import annotations

import colorsys
import functools
import json
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, nn
from tinygrad_mlp.viz import page as page_package
from tinygrad_mlp.viz.arrange.view import visible
from tinygrad_mlp.viz.drawing import draw
from tinygrad_mlp.viz.forms.palette import PALETTE
from tinygrad_mlp.viz.graph.formulas import shown
from tinygrad_mlp.viz.graph.ir import dumps, loads
from tinygrad_mlp.viz.graph.numbers import short
from tinygrad_mlp.viz.page import frame, page

HERE = Path(__file__).parent
FOLDER = Path(page_package.__file__).parent
SIZE = {"width": 1280, "height": 860}
HOSTILE = (
    "</script><b>x",
    "a \"quoted\" 'name' & more",
    "two\nlines",
    "\N{ROCKET} \N{FAMILY}",
    "n" * 300,
    "]]> <!-- \u2028 {{data}}",
)


# --- the graphs ---------------------------------------------------------------------------------------------------------------


def made(sizes: list[int], batch: int = 16) -> SimpleNamespace:
    """A network with its loss drawn, and the gradients that the engine gives."""
    rng = np.random.default_rng(0)
    model = nn.MLP(sizes, "relu", rng=0, dtype=np.float64)
    X, y = rng.standard_normal((batch, sizes[0])), rng.integers(0, sizes[-1], batch)
    loss = nn.cross_entropy(model(X), y)
    graph = draw(loss, names={"model": model, "X": X, "y": y, "loss": loss}).graph
    loss.backward()
    return SimpleNamespace(graph=graph, model=model, X=X, y=y, grads={name: p.grad for name, p in model.named_parameters()})


@functools.cache
def mlp() -> SimpleNamespace:
    return made([4, 8, 3])


@functools.cache
def deep() -> SimpleNamespace:
    return made([64] * 101)


@functools.cache
def scalar() -> SimpleNamespace:
    """A graph of numbers in which d and e have two users each, so that the naive order goes wrong."""
    a, b, c, f = (Tensor(v, requires_grad=True) for v in (2.0, -3.0, 10.0, -2.0))
    e = a * b
    d = e + c
    loss = tg.tanh(d * f * 0.1) + d * e
    graph = draw(loss, names={"a": a, "b": b, "c": c, "f": f, "loss": loss}).graph
    loss.backward()
    return SimpleNamespace(graph=graph, grads={"a": a.grad, "b": b.grad, "c": c.grad, "f": f.grad})


@functools.cache
def readme() -> SimpleNamespace:
    """The example of the README: e has two users."""
    a, b = (Tensor(v, requires_grad=True) for v in (2.0, -3.0))
    e = a * b
    L = tg.tanh(e) + a * e
    return SimpleNamespace(graph=draw(L, names={"a": a, "b": b, "e": e, "L": L}).graph)


def with_nan() -> Any:
    x = Tensor(np.array([-1.0, 2.0, 3.0]), requires_grad=True)
    with np.errstate(all="ignore"):
        loss = tg.sum(tg.log(x * 2.0))
    return draw(loss, names={"x": x, "loss": loss}).graph


def hostile() -> Any:
    leaves = [Tensor(np.ones(2) * i, requires_grad=True) for i, _ in enumerate(HOSTILE, 1)]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total * leaf
    return draw(tg.sum(total), names=dict(zip(HOSTILE, leaves, strict=True)), title="</title><script>bad()</script>").graph


def chain(length: int) -> Any:
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(length):
        y = y * 1.0001
    return draw(y, names={"x": x, "y": y}).graph


# --- the browser --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("no chromium is installed")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


Opener = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Opener]:
    """Opens a page from disk, offline; at the end nothing must have been complained about or asked for."""
    contexts, complaints, requests = [], [], []

    def open_page(content: Any, **settings: Any) -> Any:
        settings = {"viewport": SIZE, "offline": True, "reduced_motion": "reduce", "color_scheme": "light", **settings}
        context = browser.new_context(**settings)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(content if isinstance(content, str) else page(content), encoding="utf-8")
        tab.goto(file.as_uri())
        if not isinstance(content, str):
            tab.wait_for_selector("html[data-ready]", timeout=5000)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints
    assert [url for url in requests if not url.startswith("about:")] == [url for url in requests if url.startswith("file:")]
    assert len([url for url in requests if url.startswith("file:")]) == len(contexts)


def node_of(graph: Any, title: str) -> dict[str, Any]:
    found: dict[str, Any] = next(n for n in graph["nodes"] if n["name"] == title or n["title"] == title)
    return found


def seek(tab: Any, step: int) -> None:
    tab.evaluate("s => { const e = document.getElementById('slider'); e.value = s; e.dispatchEvent(new Event('input')); }", step)


def box(tab: Any, identifier: str) -> Any:
    return tab.locator(f"#graph [data-id='{identifier}']")


def four(x: Any) -> str:
    return short(float(x), 4).replace("-", "−")


def rms(x: Any) -> str:
    return f"RMS {four(np.sqrt(np.mean(np.square(x))))}"


# --- opening ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "seconds"), [(mlp, 1.5), (deep, 2.0)])
def test_opens_quickly_and_shows_what_the_description_says(opened: Opener, make: Any, seconds: float) -> None:
    graph = make().graph
    tab = opened(graph)
    ready = tab.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd / 1000")
    view = visible(graph)
    assert ready < seconds * 2  # the machine may be busy
    assert tab.locator("#graph .edge").count() == len(view["edges"])
    assert tab.locator("#graph .node, #graph .group").count() <= 60
    assert tab.locator("#title").inner_text() == graph["title"]


def test_every_node_and_edge_of_a_small_graph_is_seen(opened: Opener) -> None:
    graph = mlp().graph
    tab = opened(graph)
    assert tab.locator("#graph .node").count() == graph["counts"]["nodes"]
    assert tab.locator("#graph .edge").count() == graph["counts"]["edges"]
    assert tab.locator("#graph .group.open").count() == len(graph["groups"])
    for node in graph["nodes"]:
        assert box(tab, node["id"]).locator("text").all_text_contents() == [text for _, text in node["lines"]]


def test_first_view_of_a_hundred_layers_is_readable_and_says_what_is_hidden(opened: Opener) -> None:
    tab = opened(deep().graph)
    heights = tab.evaluate(
        "[...document.querySelectorAll('#graph .node text, #graph .closed text')].map(t => t.getBoundingClientRect().height)"
    )
    assert min(heights) >= 9
    assert "of 402 nodes" in tab.locator("#summary").inner_text()
    fold = next(g for g in deep().graph["groups"] if g["kind"] == "fold")
    begin = time.perf_counter()
    box(tab, fold["id"]).click()
    assert box(tab, fold["id"]).get_attribute("aria-expanded") == "true"
    assert time.perf_counter() - begin < 10
    assert tab.locator("#graph .closed").count() > 3


def test_code_is_small_and_strict() -> None:
    code = page(mlp().graph).encode()
    assert len(code) - len(dumps(mlp().graph).encode()) < 145_000
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">'.encode() in code
    assert "innerHTML" not in page_package.script()
    assert "eval(" not in page_package.script()
    for script in FOLDER.glob("*.js"):
        if script.name != "layout.js":
            assert len(script.read_text(encoding="utf-8").splitlines()) <= 350, script.name


def test_unknown_themes_are_refused() -> None:
    with pytest.raises(ValueError, match="dark"):
        page(mlp().graph, theme="darkk")


# --- numbers ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["hover", "focus"])
def test_pointer_and_focus_tell_the_numbers(opened: Opener, how: str) -> None:
    case = mlp()
    tab = opened(case.graph)
    for name in ("linear1.weight", "linear2.weight"):
        node, parameter = node_of(case.graph, name), dict(case.model.named_parameters())[name]
        tab.locator("#fit").click()
        getattr(box(tab, node["id"]), how)()
        told = tab.locator("#card").inner_text()
        assert f"({', '.join(map(str, parameter.shape))})" in told
        assert rms(parameter.array) in told
        assert rms(case.grads[name]) in told
    linear = next(n for n in case.graph["nodes"] if n["op"] == "linear")
    getattr(box(tab, linear["id"]), how)()
    assert linear["formula"] in tab.locator("#card").inner_text()


def test_sheet_of_a_node_has_all_its_numbers(opened: Opener) -> None:
    case = mlp()
    tab = opened(case.graph)
    name = "linear1.weight"
    box(tab, node_of(case.graph, name)["id"]).click()
    told = tab.locator("#sheet-node").inner_text()
    for array in (dict(case.model.named_parameters())[name].array, case.grads[name]):
        for x in (array.min(), array.max(), array.mean(), np.sqrt(np.mean(array**2)), np.linalg.norm(array)):
            assert four(x) in told
    assert "model.linear1" in told
    assert "float64" in told
    assert "linear" in told
    cells = tab.locator("#sheet-node .heat").first
    assert cells.locator("i").count() == 32
    cells.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowDown")
    entry = dict(case.model.named_parameters())[name].array[1, 1]
    assert tab.locator("#sheet-node .told").first.inner_text() == f"row 1, column 1: {short(float(entry), 6).replace('-', '−')}"
    assert tab.locator("#sheet-node .histogram rect").count() == 32


def test_edges_tell_their_numbers(opened: Opener) -> None:
    graph = scalar().graph
    tab = opened(graph)
    edge = next(e for e in graph["edges"] if e["of"] == 2)
    box(tab, edge["id"]).locator(".touch").dispatch_event("pointerover", {"bubbles": True})
    told = tab.locator("#card").inner_text()
    assert edge["gradient"]["text"].replace("-", "−") in told
    assert f"contribution {edge['order']} of 2" in told
    assert "gradient that flows back" in (box(tab, edge["id"]).locator("title").text_content() or "")


# --- steps --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [mlp, scalar])
def test_steps_go_forward_and_then_backward_in_order(opened: Opener, make: Any) -> None:
    graph = make().graph
    tab = opened(graph)
    nodes = {n["id"]: n for n in graph["nodes"]}
    order = [*graph["steps"]["forward"], *graph["steps"]["backward"]]
    assert graph["steps"]["backward"] == graph["steps"]["forward"][::-1]
    texts = [tab.locator("#status").inner_text()]
    for number, identifier in enumerate(order, 1):
        tab.keyboard.press("ArrowRight")
        assert tab.locator("#graph .current").get_attribute("data-id") == identifier
        text = tab.locator("#status").inner_text()
        assert text.startswith(f"step {number} of {len(order)} · {'forward' if number * 2 <= len(order) else 'backward'}")
        assert text != texts[-1]
        texts.append(text)
        formulas = (
            [shown(nodes[identifier]["formula"])]
            if number * 2 <= len(order)
            else [d["shown"] for d in nodes[identifier]["derivatives"]]
        )
        assert all(formula in tab.locator("#sheet-step").inner_text() for formula in formulas)
    tab.keyboard.press("ArrowRight")
    assert tab.locator("#slider").input_value() == str(len(order))
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("#status").inner_text() == texts[-2]
    assert tab.locator("#status").get_attribute("role") == "status"
    assert tab.locator("#status").get_attribute("aria-live") == "polite"
    tab.keyboard.press("Home")
    assert tab.locator("#status").inner_text() == texts[0]
    tab.keyboard.press("End")
    assert tab.locator("#status").inner_text() == texts[-1]


def test_last_step_sends_the_gradients_that_the_engine_gives(opened: Opener) -> None:
    case = mlp()
    tab = opened(case.graph)
    tab.keyboard.press("End")
    told = tab.locator("#sheet-step").inner_text()
    for name in ("linear1.weight", "linear1.bias"):
        assert re.search(rf"to {re.escape(name)} \(\w\): {re.escape(rms(case.grads[name]))}", told.replace("\n", " "))


def test_boxes_fill_as_the_steps_reach_them(opened: Opener) -> None:
    graph = scalar().graph
    tab = opened(graph)
    first, a = graph["steps"]["forward"][0], node_of(graph, "a")["id"]
    tab.keyboard.press("ArrowRight")
    assert any(text.endswith("−6") for text in box(tab, first).locator("text").all_text_contents())
    later = graph["steps"]["forward"][1]
    assert any(text.endswith("= ?") for text in box(tab, later).locator("text").all_text_contents())
    assert "waiting" in (box(tab, later).get_attribute("class") or "")
    assert "grad = ?" in box(tab, a).locator("text").all_text_contents()
    assert "?" in (box(tab, a).get_attribute("aria-label") or "")
    tab.keyboard.press("End")
    assert f"grad = {four(scalar().grads['a'])}" in box(tab, a).locator("text").all_text_contents()


def test_sums_over_several_users_are_kept_in_a_ledger(opened: Opener) -> None:
    graph = scalar().graph
    tab = opened(graph)
    shared = next(n for n in graph["nodes"] if n["users"] == 2 and n["op"] == "add")
    edges = sorted((e for e in graph["edges"] if e["source"] == shared["id"]), key=lambda e: e["order"])
    backward = graph["steps"]["backward"]
    halves = [len(graph["steps"]["forward"]) + 1 + backward.index(e["target"]) for e in edges]
    seek(tab, halves[0])
    ledger = tab.locator("#sheet-step .ledger").filter(has_text="gradient of ").first
    assert "1 of 2" in ledger.inner_text()
    assert "to come" in ledger.inner_text()
    assert "(1 of 2 contributions), sum so far" in tab.locator("#sheet-step").inner_text()
    assert box(tab, shared["id"]).locator(".sum text").text_content() == "1/2"
    assert any("so far" in text for text in box(tab, shared["id"]).locator("text").all_text_contents())
    seek(tab, halves[1])
    rows = tab.locator("#sheet-step .ledger").first.locator("tbody tr")
    for row, edge in zip(rows.all(), edges, strict=True):
        cells = row.locator("td").all_inner_texts()
        assert cells[2] == edge["gradient"]["text"].replace("-", "−")
        assert cells[3] == edge["running"]["text"].replace("-", "−")
    assert edges[1]["running"]["text"].replace("-", "−") == four(shared["gradient"]["mean"])
    assert box(tab, shared["id"]).locator(".sum").count() == 0
    seek(tab, halves[1] + 1)
    assert "have passed on their contributions" in tab.locator("#sheet-step details").inner_text()


def test_naive_order_shows_where_it_goes_wrong(opened: Opener) -> None:
    graph = scalar().graph
    tab = opened(graph)
    tab.locator("#naive").check()
    for number, step in enumerate(graph["naive"]["steps"], len(graph["steps"]["forward"]) + 1):
        seek(tab, number)
        assert tab.locator("#graph .current").get_attribute("data-id") == step["node"]
        assert ("too early" in tab.locator("#status").inner_text()) == step["early"]
        assert ("early" in (box(tab, step["node"]).get_attribute("class") or "").split()) == step["early"]
        if step["early"]:
            assert (
                f"passed on {step['arrived']} of {step['of']} contributions: too early" in tab.locator("#sheet-step").inner_text()
            )
    rows = tab.locator("#sheet-step .wrong-table tbody tr").all_inner_texts()
    names = {n["id"]: n["name"] for n in graph["nodes"]}
    expected = [(names[w["node"]], w["naive"]["text"], w["right"]["text"]) for w in graph["naive"]["wrong"]]
    assert [tuple(row.split()) for row in rows] == [tuple(text.replace("-", "−") for text in row) for row in expected]
    for name, naive, right in expected:
        assert right.replace("-", "−") == four(scalar().grads[name])
        line = box(tab, node_of(graph, name)["id"]).locator("text.bad")
        assert naive.replace("-", "−") in (line.text_content() or "")
        assert line.evaluate("e => getComputedStyle(e).fill") == tab.locator("#sheet-step span.bad").first.evaluate(
            "e => getComputedStyle(e).color"
        )
    tab.locator("#naive").uncheck()
    assert "naive" not in tab.locator("#status").inner_text()
    for name, _, right in expected:
        told = box(tab, node_of(graph, name)["id"]).locator("text").all_text_contents()
        assert f"grad = {right.replace('-', '−')}" in told
    assert tab.locator("#graph .bad").count() == 0


def numbers_in(text: str) -> set[str]:
    return set(re.findall(r"−?\d+(?:\.\d+)?(?:e−?\d+)?|NaN|∞", text))


@pytest.mark.parametrize("make", [scalar, readme])
def test_naive_order_shows_its_own_numbers(opened: Opener, make: Any) -> None:
    graph = make().graph
    tab = opened(graph)
    tab.locator("#naive").check()
    nodes = {n["id"]: n for n in graph["nodes"]}
    edges = {(e["target"], e["argument"]): e for e in graph["edges"]}
    totals: dict[str, float] = {}
    tainted: set[str] = set()
    fed: dict[str, list[str]] = {}
    for number, step in enumerate(graph["naive"]["steps"], len(graph["steps"]["forward"]) + 1):
        seek(tab, number)
        if step["early"] or tainted & set(fed.get(step["node"], [])):
            tainted.add(step["node"])
        status, sheet = tab.locator("#status").inner_text(), tab.locator("#sheet-step").inner_text()
        assert step["gradient"]["text"] in status
        assert "wrong number" not in sheet
        for sent in step["sent"]:
            edge = edges[step["node"], sent["argument"]]
            totals[edge["source"]] = totals.get(edge["source"], 0.0) + sent["gradient"]["preview"][0]
            fed.setdefault(edge["source"], []).append(step["node"])
            assert sent["gradient"]["text"] in numbers_in(status)
            assert sent["gradient"]["text"] in numbers_in(sheet)
            label = box(tab, edge["id"]).locator(".label").text_content()
            value = sent["gradient"]["preview"][0]
            assert label.replace("-", "−") in (sent["gradient"]["text"], short(value, 2))
            assert ("spoilt" in (box(tab, edge["id"]).get_attribute("class") or "")) == (step["node"] in tainted)
        if step["node"] in tainted:  # the equations of the right order are not shown
            assert all(line["numbers"] not in sheet for line in nodes[step["node"]]["derivatives"] if line["numbers"])
        for sent in step["sent"]:  # the running sums of leaves
            source = nodes[edges[step["node"], sent["argument"]]["source"]]
            if source["kind"] == "parameter":
                line = box(tab, source["id"]).locator(":scope > text").last.text_content()
                assert numbers_in(line) <= {short(totals[source["id"]], digits) for digits in (2, 4)}
                assert "…" in line or "so far" in line or line.startswith("grad")
                if source["users"] > 1:
                    assert short(totals[source["id"]], 4) in tab.locator("#sheet-step .ledger").first.inner_text()


def test_naive_order_of_arrays_sums_what_it_can(opened: Opener) -> None:
    """Small arrays are summed entry by entry; of large ones, of which only a corner is known, the contribution is told."""
    for size in (3, 100):
        rng = np.random.default_rng(0)
        a, b = (Tensor(rng.standard_normal(size), requires_grad=True) for _ in range(2))
        e = a * b
        loss = tg.sum(tg.tanh(e) + a * e)
        graph = draw(loss, names={"a": a, "b": b, "loss": loss}).graph
        tab = opened(graph)
        tab.locator("#naive").check()
        for number in range(len(graph["steps"]["forward"]) + 1, int(tab.locator("#slider").get_attribute("max")) + 1):
            seek(tab, number)
            assert tab.evaluate(OVERFLOWS) == []
            assert not re.search(r"undefined|NaN|null", tab.locator("#sheet-step").inner_text())
        wrong = {w["node"]: w for w in (graph["naive"] or {})["wrong"]}
        for name in ("a", "b"):
            node = node_of(graph, name)
            box(tab, node["id"]).dispatch_event("click")
            assert f"RMS {short(wrong[node['id']]['naive']['rms'], 4)}" in tab.locator("#sheet-node .alert").inner_text()
            assert f"instead of RMS {four(node['gradient']['rms'])}" in tab.locator("#sheet-node .alert").inner_text()


def test_naive_order_is_not_offered_where_it_makes_no_difference(opened: Opener) -> None:
    tab = opened(mlp().graph)
    assert tab.locator("#naive").is_disabled()
    assert tab.locator("label.naive").get_attribute("title") == "every tensor has one user here, so any order gives the same"


def test_naive_order_with_results_by_themselves(opened: Opener) -> None:
    a, b = (Tensor(v, requires_grad=True) for v in (2.0, -3.0))
    e = a * b
    graph = draw(tg.tanh(e) + a * e, detail="full", names={"a": a, "b": b, "e": e}).graph
    tab = opened(graph)
    tab.locator("#naive").check()
    result = next(n for n in graph["nodes"] if n["kind"] == "tensor" and n["name"] == "e")
    steps: Any = (graph["naive"] or {})["steps"]
    early = next(s for s in steps if s["early"])
    edge = next(each for each in graph["edges"] if each["target"] == result["id"])
    seek(tab, len(graph["steps"]["forward"]) + 1 + steps.index(early))
    label = box(tab, edge["id"]).locator(".label").text_content()
    assert label in (early["gradient"]["text"], short(early["gradient"]["preview"][0], 2))
    assert "1/2" in box(tab, result["id"]).locator(".sum text").text_content()
    assert "2.5e−5" in box(tab, result["id"]).locator("text.bad").text_content().replace("458", "5")
    assert tab.evaluate(OVERFLOWS) == []


def test_why_the_naive_order_is_not_offered(opened: Opener) -> None:
    x = np.ones(3)
    a = Tensor(x, requires_grad=True)
    cases = {
        "whatever is used more than once here passes nothing on, so any order gives the same": tg.sum(tg.tanh(a) + a * 2.0),
        "plain recursion happens to be right here": tg.sum((b := tg.tanh(a)) * b),
    }
    for text, loss in cases.items():
        graph = draw(loss, names={"a": a}).graph
        assert any(n["users"] > 1 for n in graph["nodes"])
        assert text in (opened(graph).locator("label.naive").get_attribute("title") or "")
    tab = opened(readme().graph)
    assert "visits no operation twice" in (tab.locator("label.naive").get_attribute("title") or "")
    tab.locator("#naive").check()
    assert "no operation is visited twice" in tab.locator("#sheet-step").inner_text()


def test_plays_by_itself(opened: Opener) -> None:
    tab = opened(mlp().graph)
    tab.locator("#speed").select_option("5")
    tab.locator("#speed").blur()
    tab.keyboard.press(" ")
    assert tab.locator("#play").get_attribute("aria-label") == "pause"
    tab.wait_for_selector("#play[aria-label='play']", timeout=8000)
    assert tab.locator("#slider").input_value() == "8"


# --- opening and closing modules ----------------------------------------------------------------------------------------------


def test_modules_close_and_open(opened: Opener) -> None:
    graph = mlp().graph
    tab = opened(graph)
    group = next(g for g in graph["groups"] if g["title"] == "linear1")["id"]
    before = tab.locator("#graph .node, #graph .closed").count()
    place = box(tab, group).bounding_box()
    box(tab, group).click(position={"x": 20, "y": 8})
    inside = sum(n["group"] == group for n in graph["nodes"])
    assert tab.locator("#graph .node, #graph .closed").count() == before - inside + 1
    assert box(tab, group).get_attribute("aria-expanded") == "false"
    after = box(tab, group).bounding_box()
    assert abs(after["y"] - place["y"]) < 2  # it stays where it was clicked
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    assert box(tab, group).get_attribute("aria-expanded") == "false"
    seek(tab, 1)
    assert "current" in (box(tab, group).get_attribute("class") or "").split()
    tab.get_by_role("button", name="open it").click()
    assert box(tab, group).get_attribute("aria-expanded") == "true"
    assert tab.locator("#graph .current").get_attribute("data-id") == graph["steps"]["forward"][0]
    box(tab, group).focus()
    tab.keyboard.press("Enter")
    assert box(tab, group).get_attribute("aria-expanded") == "false"
    assert tab.evaluate("document.activeElement.dataset.id") == group
    tab.keyboard.press("Enter")
    assert tab.locator("#graph .node").count() == graph["counts"]["nodes"]
    tab.locator("#collapse").click()
    assert tab.locator("#graph .group.open").count() == 0
    tab.locator("#expand").click()
    assert tab.locator("#graph .group.open").count() == len(graph["groups"])
    tab.locator("#collapse").click()
    tab.locator("#reset").click()
    assert tab.locator("#graph .node").count() == graph["counts"]["nodes"]


@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_what_is_opened_stays_under_the_pointer(opened: Opener, direction: str) -> None:
    graph = {**deep().graph, "direction": direction}
    tab = opened(graph)
    fold = next(g for g in graph["groups"] if g["kind"] == "fold")["id"]
    if direction == "LR":
        tab.keyboard.press("f")
    moved = []
    for _ in range(2):
        before = box(tab, fold).locator("rect").last.bounding_box()
        world = tab.locator("#world").get_attribute("style")
        box(tab, fold).dispatch_event("click")
        after = box(tab, fold).locator("rect").last.bounding_box()
        moved.append(tab.locator("#world").get_attribute("style") != world)
        zoom = tab.evaluate("new DOMMatrix(getComputedStyle(document.getElementById('world')).transform).a")
        middles = [place["x"] + min(place["width"], 160 * zoom) / 2 for place in (before, after)]
        assert middles[0] == pytest.approx(middles[1], abs=3)
        assert before["y"] == pytest.approx(after["y"], abs=8)
    assert all(moved)


def test_a_long_chain_neither_hangs_nor_loses_its_picture(opened: Opener) -> None:
    graph = chain(10_000)
    tab = opened(graph)
    count = tab.locator("#graph .node, #graph .closed").count()
    assert 0 < count <= 60
    begin = time.perf_counter()
    tab.locator("#expand").click()
    tab.wait_for_selector("#toast:not([hidden])", timeout=8000)
    assert time.perf_counter() - begin < 30
    assert tab.locator("#toast").inner_text() == "layout took too long: close some modules"
    assert tab.locator("#graph .node, #graph .closed").count() == count
    seek(tab, 12_345)
    assert "step 12345 of 20000 · backward" in tab.locator("#status").inner_text()


# --- the camera ---------------------------------------------------------------------------------------------------------------


def test_wheel_zooms_around_the_pointer(opened: Opener) -> None:
    tab = opened(mlp().graph)
    target = box(tab, node_of(mlp().graph, "linear1.weight")["id"])
    place = target.bounding_box()
    corner = (place["x"] + 1, place["y"] + 1)
    tab.mouse.move(*corner)
    tab.mouse.wheel(0, -300)
    tab.wait_for_timeout(100)
    larger = target.bounding_box()
    assert larger["width"] > 1.3 * place["width"]
    assert abs(larger["x"] + 1 - corner[0]) < 2
    assert abs(larger["y"] + 1 - corner[1]) < 2
    tab.mouse.wheel(0, 30_000)
    tab.wait_for_timeout(100)
    assert tab.evaluate("new DOMMatrix(getComputedStyle(document.getElementById('world')).transform).a") == pytest.approx(0.1)


def test_fit_and_drag(opened: Opener) -> None:
    tab = opened(mlp().graph)
    tab.keyboard.press("f")
    pane = tab.locator("#graph").bounding_box()
    zoom = "new DOMMatrix(getComputedStyle(document.getElementById('world')).transform).a"
    assert tab.evaluate(zoom) >= 0.5
    for place in (each.bounding_box() for each in tab.locator("#graph .node").all()):
        assert place["x"] >= pane["x"]
        assert place["x"] + place["width"] <= pane["x"] + pane["width"]
        assert place["y"] >= pane["y"]
        assert place["y"] + place["height"] <= pane["y"] + pane["height"]
    assert not tab.locator("#map").is_visible()
    target = box(tab, node_of(mlp().graph, "X")["id"])
    before = target.bounding_box()
    tab.mouse.move(pane["x"] + 30, pane["y"] + 30)
    tab.mouse.down()
    tab.mouse.move(pane["x"] + 430, pane["y"] + 130, steps=4)
    tab.mouse.up()
    after = target.bounding_box()
    assert after["x"] - before["x"] == pytest.approx(400, abs=1)
    assert after["y"] - before["y"] == pytest.approx(100, abs=1)
    assert tab.locator("#map").is_visible()
    tab.keyboard.press("+")
    tab.keyboard.press("-")


def test_two_fingers_zoom(opened: Opener) -> None:
    tab = opened(mlp().graph, has_touch=True)
    zoom = "new DOMMatrix(getComputedStyle(document.getElementById('world')).transform).a"
    before = tab.evaluate(zoom)
    fingers = tab.context.new_cdp_session(tab)

    def touch(what: str, *places: float) -> None:
        points = [{"x": x, "y": 400, "id": i} for i, x in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": what, "touchPoints": points})

    touch("touchStart", 300, 400)
    for apart in range(5, 55, 5):
        touch("touchMove", 300 - apart, 400 + apart)
    touch("touchEnd")
    assert tab.evaluate(zoom) == pytest.approx(2 * before, rel=0.02)


def test_small_screens_have_the_panel_below(opened: Opener) -> None:
    tab = opened(mlp().graph, viewport={"width": 420, "height": 800})
    graph, panel = tab.locator("#graph").bounding_box(), tab.locator("#panel").bounding_box()
    assert panel["y"] >= graph["y"] + graph["height"]
    assert tab.evaluate("document.documentElement.scrollWidth") <= 420
    tab.locator("#next").click()
    assert "step 1" in tab.locator("#status").inner_text()


def test_from_left_to_right(opened: Opener) -> None:
    graph = {**mlp().graph, "direction": "LR"}
    tab = opened(graph)
    assert tab.evaluate(OVERLAPS) == 0
    first, last = (box(tab, node_of(graph, name)["id"]).bounding_box() for name in ("X", "cross_entropy"))
    assert first["x"] < last["x"]


def test_fit_of_a_long_graph_keeps_it_readable_and_shows_the_top(opened: Opener) -> None:
    tab = opened(chain(30))
    tab.locator("#expand").click()
    tab.keyboard.press("f")
    assert tab.evaluate("new DOMMatrix(getComputedStyle(document.getElementById('world')).transform).a") == pytest.approx(0.5)
    assert tab.locator("#map").is_visible()
    first = tab.locator("#graph .node").first.bounding_box()
    assert first["y"] >= tab.locator("#graph").bounding_box()["y"]


# --- the look -----------------------------------------------------------------------------------------------------------------

OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll('#graph .node > .box, #graph .closed > .box:first-of-type')].map(b => b.getBoundingClientRect());
  let found = 0;
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) found += 1;
  }));
  return found;
}"""
OVERFLOWS = """() => [...document.querySelectorAll('#graph .node, #graph .closed')].flatMap((box) => {
  const width = Number(box.querySelector('.box').getAttribute('width'));
  return [...box.querySelectorAll(':scope > text')].filter(t => t.getBBox().width > width).map(t => t.textContent);
})"""


@pytest.mark.parametrize("family", ["Helvetica", "Liberation Sans", "DejaVu Sans"])
def test_nothing_overlaps_and_text_fits(opened: Opener, family: str) -> None:
    for graph in (scalar().graph, mlp().graph, deep().graph):
        tab = opened(graph)
        tab.add_style_tag(content=f"#graph text {{ font-family: '{family}' !important; }}")
        assert tab.evaluate(OVERLAPS) == 0
        for step in (0, 3, 9, 10, 11, 12):
            seek(tab, step)
            assert tab.evaluate(OVERFLOWS) == []
    for graph in (scalar().graph, readme().graph):
        tab = opened(graph)
        tab.add_style_tag(content=f"#graph text {{ font-family: '{family}' !important; }}")
        tab.locator("#naive").check()
        for step in range(1, int(tab.locator("#slider").get_attribute("max")) + 1):
            seek(tab, step)
            assert tab.evaluate(OVERFLOWS) == []


def test_arrows_without_a_number_yet_are_light_and_explained(opened: Opener) -> None:
    graph = mlp().graph
    tab = opened(graph)
    later = tab.locator("#legend .later")
    assert not later.is_visible()
    seek(tab, 5)
    assert later.inner_text() == "not yet"
    edge = next(e for e in graph["edges"] if e["state"] == "flow" and e["target"] == graph["steps"]["forward"][0])
    assert "edge-later" in (box(tab, edge["id"]).get_attribute("class") or "").split()
    assert float(box(tab, edge["id"]).locator(".line").get_attribute("stroke-width")) < 1.4
    data = next(e for e in graph["edges"] if e["state"] == "none")
    assert "edge-none" in (box(tab, data["id"]).get_attribute("class") or "").split()
    tab.keyboard.press("End")
    assert not later.is_visible()
    assert tab.locator("#graph .edge-later").count() == 0


def test_legend_names_the_numbers_and_marks_the_loss(opened: Opener) -> None:
    scalars, arrays = opened(scalar().graph).locator("#legend"), opened(mlp().graph).locator("#legend")
    assert "size of the gradient" in scalars.inner_text()
    assert "output" in scalars.inner_text()
    assert "gradient RMS" in arrays.inner_text()
    assert float(arrays.locator(".loss .box").get_attribute("stroke-width")) == 2.8
    assert float(arrays.locator(".activation .box").get_attribute("stroke-width")) == 1.6


def test_small_map_is_small_and_beside_the_boxes(opened: Opener) -> None:
    for graph in (scalar().graph, deep().graph):
        tab = opened(graph)
        small, pane = tab.locator("#map").bounding_box(), tab.locator("#graph").bounding_box()
        assert small["width"] <= 0.15 * pane["width"] + 2
        for place in (each.bounding_box() for each in tab.locator("#graph .node, #graph .group").all()):
            assert place["x"] + place["width"] <= small["x"]
    narrow = opened(scalar().graph, viewport={"width": 500, "height": 800})
    assert not narrow.locator("#map").is_visible()
    assert "not below half size" in (tab.locator("#fit").get_attribute("title") or "")


def test_heat_maps_are_low_in_the_step_and_whole_at_the_node(opened: Opener) -> None:
    graph = made([3, 1, 2], batch=40).graph
    tab = opened(graph)
    seek(tab, len(graph["steps"]["forward"]) + 2)
    assert tab.locator("#sheet-step .heat").first.bounding_box()["height"] <= 125
    assert tab.locator("#sheet-step h3").first.is_visible()
    box(tab, node_of(graph, "X")["id"]).dispatch_event("click")
    assert tab.locator("#sheet-node .heat").first.bounding_box()["height"] > 200


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const found = [];
  for (const text of document.querySelectorAll('#graph .node > text, #graph .closed > text, #graph .sum text')) {
    const back = text.parentElement.querySelector('rect');
    found.push([text.textContent, ratio(getComputedStyle(text).fill, getComputedStyle(back).fill)]);
  }
  for (const element of document.querySelectorAll('header *, #panel *, #legend *, footer *')) {
    if (![...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !element.getClientRects().length || element.closest('svg, .off')) continue;
    let back = element;
    while (back && getComputedStyle(back).backgroundColor === 'rgba(0, 0, 0, 0)') back = back.parentElement;
    found.push([element.textContent.slice(0, 40), ratio(getComputedStyle(element).color, getComputedStyle(back ?? document.body).backgroundColor)]);
  }
  return found.filter(([, r]) => r < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(opened: Opener, scheme: str) -> None:
    for graph, step in ((mlp().graph, 0), (scalar().graph, 2), (scalar().graph, 9), (deep().graph, 399)):
        tab = opened(graph, color_scheme=scheme)
        seek(tab, step)
        assert tab.evaluate(CONTRAST) == []
    tab = opened(scalar().graph, color_scheme=scheme)
    tab.locator("#naive").check()
    tab.keyboard.press("End")
    assert tab.evaluate(CONTRAST) == []


@pytest.mark.parametrize("theme", PALETTE)
def test_kinds_have_distinct_hues(theme: str) -> None:
    """Those that are coloured: 15 degrees apart, the fills and the lines."""
    kinds = ("parameter", "linear", "arithmetic", "activation", "reduction", "loss", "custom", "other")
    for part in ("fill", "line"):
        colours = [PALETTE[theme][f"{kind}-{part}"] for kind in kinds]
        hues = [360 * colorsys.rgb_to_hsv(*(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)))[0] for c in colours]
        apart = {(a, b): abs((hues[i] - hues[j] + 180) % 360 - 180) for j, b in enumerate(kinds) for i, a in enumerate(kinds[:j])}
        assert {pair: round(d) for pair, d in apart.items() if d < 15} == {}


def test_theme_follows_the_reader_and_can_be_changed(opened: Opener) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    tab = opened(mlp().graph, color_scheme="dark")
    dark = tab.evaluate(background)
    tab.locator("#theme").click()
    light = tab.evaluate(background)
    assert light == "rgb(255, 255, 255)" != dark
    tab.locator("#theme").click()
    assert tab.evaluate(background) == dark
    tab.emulate_media(media="print")
    assert tab.evaluate(background) == light
    assert opened(page(mlp().graph, theme="dark")).evaluate(background) == dark


def test_forced_colours_keep_borders_and_reduced_motion_stands_still(opened: Opener) -> None:
    tab = opened(mlp().graph, forced_colors="active")
    assert tab.evaluate("getComputedStyle(document.querySelector('#graph .node > .box')).stroke") != "none"
    seek(tab, 6)
    assert tab.evaluate("getComputedStyle(document.querySelector('.stream')).animationName") == "none"
    moving = opened(mlp().graph, reduced_motion="no-preference")
    seek(moving, 6)
    assert moving.evaluate("getComputedStyle(document.querySelector('.stream')).animationName") == "along"


# --- for everybody ------------------------------------------------------------------------------------------------------------


def test_every_box_has_a_name_and_is_reached_by_tab(opened: Opener) -> None:
    graph = mlp().graph
    tab = opened(graph)
    for node in graph["nodes"]:
        label = box(tab, node["id"]).get_attribute("aria-label")
        assert all(text in label for _, text in node["lines"])
        assert box(tab, node["id"]).get_attribute("role") == "button"
    tab.locator("#help").focus()
    reached = set()
    for _ in range(len(graph["nodes"]) + len(graph["groups"]) + 2):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.dataset.id ?? null"))
    assert {n["id"] for n in graph["nodes"]} | {g["id"] for g in graph["groups"]} <= reached
    unnamed = "[...document.querySelectorAll('button, input, select')].filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).length"
    assert tab.evaluate(unnamed) == 0


def test_list_has_every_node(opened: Opener) -> None:
    graph = deep().graph
    tab = opened(graph)
    tab.locator("#tab-list").click()
    rows = tab.locator("#sheet-list tbody tr")
    assert rows.count() == len(graph["nodes"])
    labels = graph["nodes"].index(node_of(graph, "y"))
    assert re.fullmatch(r"\d+ … \d+", rows.nth(labels).locator("td").nth(4).inner_text())
    assert rows.nth(labels).locator("td").nth(2).inner_text() == "-"
    assert rows.nth(1).locator("td").all_inner_texts()[0] == graph["nodes"][1]["name"]
    tab.locator("#tab-list").focus()
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("#tab-compare").get_attribute("aria-selected") == "true"


def test_list_is_sorted_by_its_headings(opened: Opener) -> None:
    graph = mlp().graph
    tab = opened(graph)
    tab.locator("#tab-list").click()
    heads = tab.locator("#sheet-list th")
    assert tab.locator("#sheet-list th[aria-sort]").count() == 0
    for column, key in ((0, str.lower), (3, lambda text: int(np.prod([int(n) for n in re.findall(r"\d+", text)])))):
        for way in ("ascending", "descending"):
            heads.nth(column).locator("button").click()
            assert heads.nth(column).get_attribute("aria-sort") == way
            assert tab.locator("#sheet-list th[aria-sort]").count() == 1
            found = [key(text) for text in tab.locator(f"#sheet-list tbody td:nth-child({column + 1})").all_inner_texts()]
            assert found == sorted(found, reverse=way == "descending")


def test_names_tell_results_apart(opened: Opener) -> None:
    """A result with a name is pointed at with its operation, and two of one name with their lines."""
    tab = opened(readme().graph)
    tab.keyboard.press("End")
    assert "gradient of e (multiply)" not in tab.locator("#sheet-step .ledger").first.inner_text()
    assert "e (multiply) as x" in tab.locator("#sheet-step .ledger").first.inner_text()
    a = Tensor(2.0, requires_grad=True)
    y = tg.tanh(a)
    y = tg.tanh(y * a)
    z = y * a
    graph = draw(z, names={"a": a, "z": z}).graph
    twice = [n for n in graph["nodes"] if n["op"] == "tanh"]
    assert len({n["source"] for n in twice}) == 2
    tab = opened({**graph, "nodes": [{**n, "name": "y"} if n["op"] == "tanh" else n for n in graph["nodes"]]})
    box(tab, node_of(graph, "a")["id"]).click()
    assert f"y (tanh), {twice[0]['source']}" in tab.locator("#sheet-node").inner_text()


def test_why_contributions_are_added(opened: Opener) -> None:
    tab = opened(readme().graph)
    why = "reaches L along both ways, and the two changes add, so the gradients of the ways add"
    assert f"A small change of a {why}" in tab.locator("#sheet-step").inner_text()
    tab.keyboard.press("End")
    assert f"A small change of e {why}" in tab.locator("#sheet-step details").inner_text()
    assert f"A small change of a {why}" in tab.locator("#sheet-step .ledger").first.inner_text()


def test_help_opens_with_a_key(opened: Opener) -> None:
    tab = opened(mlp().graph)
    tab.keyboard.press("?")
    assert "one step on" in tab.locator("#keys").inner_text()
    tab.keyboard.press("Escape")
    assert not tab.locator("#keys").is_visible()


def test_search_opens_what_is_around_and_goes_there(opened: Opener) -> None:
    graph = deep().graph
    tab = opened(graph)
    wanted = node_of(graph, "linear50.weight")["id"]
    assert box(tab, wanted).count() == 0
    tab.keyboard.press("/")
    tab.keyboard.type("linear50.w")
    tab.keyboard.press("Enter")
    assert box(tab, wanted).is_visible()
    assert "linear50.weight" in tab.locator("#sheet-node h2").inner_text()
    place, pane = box(tab, wanted).bounding_box(), tab.locator("#graph").bounding_box()
    assert pane["y"] <= place["y"] <= pane["y"] + pane["height"]
    tab.keyboard.press("/")
    tab.locator("#search").fill("relu (16, 64)")
    assert tab.locator("#hits li").count() > 3
    tab.locator("#search").fill("no such thing")
    assert tab.locator("#hits").inner_text() == "nothing found"


def test_only_paths_to_a_parameter(opened: Opener) -> None:
    graph = mlp().graph
    tab = opened(graph)
    tab.locator("#paths").select_option(label="linear2.bias")
    lit = {each.get_attribute("data-id") for each in tab.locator("#graph .node:not(.dim)").all()}
    ops = graph["steps"]["forward"]
    assert lit == {node_of(graph, "linear2.bias")["id"], *ops[2:]}
    tab.locator("#paths").select_option("")
    assert tab.locator("#graph .dim").count() == 0


# --- what can go wrong --------------------------------------------------------------------------------------------------------


def test_nan_is_announced_and_found(opened: Opener) -> None:
    graph = with_nan()
    tab = opened(graph)
    assert graph["bad"]["words"] in tab.locator("#banner").inner_text()
    tab.get_by_role("button", name="go there").click()
    assert "selected" in (box(tab, graph["bad"]["node"]).get_attribute("class") or "").split()
    assert "1 NaN" in tab.locator("#sheet-node").inner_text()


def test_before_any_gradient(opened: Opener) -> None:
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    graph = draw(tg.relu(x), names={"x": x}).graph
    assert not graph["gradients"]
    tab = opened(graph)
    assert graph["why"] in tab.locator("#sheet-step").inner_text()
    tab.keyboard.press("End")
    assert "step 1 of 1 · forward" in tab.locator("#status").inner_text()


def test_several_outputs(opened: Opener) -> None:
    a = Tensor(2.0, requires_grad=True)
    b = a * 3.0
    c = tg.exp(b)
    graph = draw([b, c], names={"a": a, "b": b, "c": c}).graph
    tab = opened(graph)
    tab.keyboard.press("End")
    box(tab, node_of(graph, "b")["id"]).click()
    assert four(1 + np.exp(6.0)) in tab.locator("#sheet-node").inner_text()


def test_derivations_have_formulas_and_no_numbers(opened: Opener) -> None:
    rng = np.random.default_rng(0)
    found = tg.derive(lambda x, w: np.sum(np.tanh(x @ w) ** 2), rng.standard_normal((3, 4)), rng.standard_normal((4, 2)))
    graph = draw(found).graph
    tab = opened(graph)
    assert "flow back" not in tab.locator("#sheet-step").inner_text()
    for step, identifier in enumerate(graph["steps"]["forward"], 1):
        seek(tab, step)
        told = tab.locator("#sheet-step").inner_text()
        assert shown(next(n["formula"] for n in graph["nodes"] if n["id"] == identifier)) in told
        assert "none" not in told + tab.locator("#status").inner_text()


def test_empty_arrays(opened: Opener) -> None:
    a = Tensor(np.zeros((0, 3)), requires_grad=True)
    graph = draw(tg.sum(a * 2.0), names={"a": a}).graph
    tab = opened(graph)
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    box(tab, node_of(graph, "a")["id"]).click()
    assert "(0, 3)" in tab.locator("#sheet-node").inner_text()


def test_every_result_by_itself(opened: Opener) -> None:
    a = Tensor(2.0, requires_grad=True)
    c = a * 3.0
    loss = c * c + tg.tanh(c)
    graph = draw(loss, detail="full", names={"a": a, "c": c, "loss": loss}).graph
    tab = opened(graph)
    result = next(n for n in graph["nodes"] if n["kind"] == "tensor" and n["users"] == 3)
    forward = len(graph["steps"]["forward"])
    seek(tab, forward + 2)
    assert "3" in box(tab, result["id"]).locator(".sum text").text_content()
    seek(tab, forward + len(graph["steps"]["backward"]))
    assert "the sum of 3 contributions" in tab.locator("#sheet-step").inner_text()


def test_hostile_names_are_text(opened: Opener) -> None:
    graph = hostile()
    text = page(graph)
    assert text.count("</script>") == 2
    assert "<b>x" not in text
    assert "\u2028" not in text
    tab = opened(graph)
    assert tab.locator("#graph b, script:not([type]) b").count() == 0
    assert tab.title() == graph["title"]
    tab.locator("#tab-list").click()
    names = tab.locator("#sheet-list tbody tr td:first-child").all_text_contents()
    assert set(HOSTILE) <= set(names)
    for name in HOSTILE:
        box(tab, node_of(graph, name)["id"]).focus()
        tab.keyboard.press("Enter")
        assert tab.locator("#sheet-node h2").text_content() == name
    assert tab.evaluate("typeof bad") == "undefined"
    assert tab.evaluate("document.documentElement.scrollWidth") <= SIZE["width"]


def test_two_frames_do_not_disturb_each_other(opened: Opener) -> None:
    both = frame(page(mlp().graph, theme="light")) + frame(page(scalar().graph, theme="dark")).replace('loading="lazy"', "")
    tab = opened(
        f"<!doctype html><html><head><link rel='icon' href='data:,'></head><body>{both}</body></html>",
        viewport={"width": 1280, "height": 1700},
    )
    one, two = tab.frame_locator("iframe").nth(0), tab.frame_locator("iframe").nth(1)
    assert one.locator("#graph .node").count() == len(mlp().graph["nodes"])
    assert two.locator("#graph .node").count() == len(scalar().graph["nodes"])
    two.locator("#next").click()
    assert "step 1" in two.locator("#status").inner_text()
    assert "step 1" not in one.locator("#status").inner_text()
    colour = "e => getComputedStyle(e).backgroundColor"
    assert one.locator("body").evaluate(colour) != two.locator("body").evaluate(colour)


# --- the comparison -----------------------------------------------------------------------------------------------------------


def test_without_a_comparison_the_page_says_how_to_make_one(opened: Opener) -> None:
    tab = opened(mlp().graph)
    tab.locator("#tab-compare").click()
    assert 'tg.play(loss, compare=tg.check.compare(model, "cross_entropy", X, y))' in tab.locator("#sheet-compare").inner_text()


def test_comparison_by_hand(opened: Opener) -> None:
    weight = node_of(mlp().graph, "linear1.weight")["id"]
    rows = [
        {"cells": ["linear1.weight", "1.2e-17"], "ok": True, "node": weight},
        {"cells": ["linear1.bias", "0.3"], "ok": False, "node": None},
    ]
    compare = {"verdict": "1 of 2 agree", "header": ["parameter", "largest difference"], "rows": rows, "notes": ["a factor of 16"]}
    tab = opened({**mlp().graph, "compare": compare})
    tab.locator("#tab-compare").click()
    told = tab.locator("#sheet-compare").inner_text()
    assert "1 of 2 agree" in told
    assert "a factor of 16" in told
    assert "✗" in told
    tab.locator("#sheet-compare button").click()
    assert tab.locator("#sheet-node h2").inner_text() == "linear1.weight"


def arrays_of(model: Any) -> dict[str, Any]:
    return {name: p.array for name, p in model.named_parameters()}


def loss_of(X: Any, y: Any, p: Any) -> Any:
    hidden = tg.relu(X @ p["linear1.weight"] + p["linear1.bias"])
    return nn.cross_entropy(hidden @ p["linear2.weight"] + p["linear2.bias"], y)


@pytest.mark.parametrize("way", ["compare", "diagnose"])
def test_comparison_of_the_checks(opened: Opener, way: str) -> None:
    case = mlp()
    if way == "compare":
        found: Any = tg.check.compare(case.model, "cross_entropy", case.X, case.y)
    else:
        found = tg.check.diagnose(
            loss_of,
            None,
            case.X,
            case.y,
            arrays_of(case.model),
            gradients={**case.grads, "linear1.weight": 16 * case.grads["linear1.weight"]},
        )
    loss = nn.cross_entropy(case.model(case.X), case.y)
    graph = draw(loss, compare=found, names={"model": case.model, "loss": loss}).graph
    assert graph["compare"] is not None
    tab = opened(graph)
    tab.locator("#tab-compare").click()
    told = tab.locator("#sheet-compare").inner_text()
    assert graph["compare"]["verdict"] in told
    assert all(cell in told for row in graph["compare"]["rows"] for cell in row["cells"])
    assert ("✗" in told) == (way == "diagnose")


# --- the same in both languages -----------------------------------------------------------------------------------------------


def run_node(program: str, script: str, cases: Any) -> Any:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    done = subprocess.run(
        [node, HERE / program, FOLDER / script], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def random_description(seed: int) -> dict[str, Any]:
    """Groups in groups, nodes in them, and edges of all states."""
    rng = random.Random(seed)  # noqa: S311
    groups: list[dict[str, Any]] = [
        {"id": f"g{i}", "parent": rng.choice([None, *(f"g{j}" for j in range(i))]), "open": rng.random() < 0.6, "width": 90.0 + i,
         "height": 40.0, "title_width": 50.5 + i} for i in range(rng.randint(0, 8))
    ]  # fmt: skip
    nodes = [
        {"id": f"n{i}", "group": rng.choice([None, *(g["id"] for g in groups)]), "width": 60.5 + i, "height": 30.0}
        for i in range(rng.randint(2, 25))
    ]
    edges = []
    for i in range(rng.randint(0, 40)):
        source, target = sorted(rng.sample(range(len(nodes)), 2))
        state = rng.choice(["none", "unknown", "zero", "flow", "nan"])
        size = {"flow": rng.choice([1.5, 0.25, 3e-9]), "zero": 0.0, "nan": 0.0}.get(state)
        edges.append({
            "id": f"e{i}", "source": f"n{source}", "target": f"n{target}", "label": "" if size is None else f"{size:g}", "state": state,
            "label_width": 0.0 if size is None else 21.3, "level": rng.randint(0, 4), "sign": rng.choice(["", "x", "w"]),
            "gradient": None if size is None else {"rms": size},
        })  # fmt: skip
    return {"nodes": nodes, "edges": edges, "groups": groups}


def test_view_is_the_same_in_both_languages() -> None:
    cases = []
    for seed in range(60):
        graph = random_description(seed)
        names = [g["id"] for g in graph["groups"]]
        rng = random.Random(seed)  # noqa: S311
        cases += [{"graph": graph, "open": which} for which in (None, [], names, [name for name in names if rng.random() < 0.5])]
    cases += [{"graph": case.graph, "open": which} for case in (mlp(), deep(), scalar()) for which in (None, [])]
    expected = [visible(case["graph"], case["open"]) for case in cases]
    assert run_node("page_parity.js", "view.js", cases) == json.loads(json.dumps(expected))


def test_numbers_are_written_the_same_in_both_languages() -> None:
    rng = random.Random(0)  # noqa: S311
    cases = [[rng.uniform(-10, 10) * 10.0 ** rng.randint(-9, 9), rng.choice([2, 3, 4, 6])] for _ in range(500)]
    cases += [[x, 4] for x in (0, 1, -1, 0.1, 0.5, 100, 1234.0, 99999.0, 1e-300)]
    assert run_node("page_words.js", "words.js", cases) == [short(x, digits).replace("-", "−") for x, digits in cases]


def test_formulas_are_written_the_same_in_both_languages() -> None:
    texts = [
        "dx = (g / 48) 1[6×8]",
        "dx = g 1[3]",
        "dx = g ⊙ 1[3×(2)]",
        "dy = Σ_i,j g",
        "T₁ = Σ_j\u0332 (g ⊙ z)",
        "z = x / 2.8284271247461903",
    ]
    texts += ["dx = 1/16 g (softmax(x) − [y_ij\u0332 = (0, …, 2)])", "z = 1.2345678e−9 x", "z = max(x, 0)", ""]
    for make in (mlp, scalar):
        for node in make().graph["nodes"]:
            texts += [node["formula"], *(line for d in node["derivatives"] for line in (*d["before"], d["text"]))]
    assert run_node("page_words.js", "words.js", texts) == [shown(text) for text in texts]


def test_the_description_survives() -> None:
    text = page(hostile())
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    assert not set("<>&\u2028\u2029") & set(data[1])
    assert loads(data[1]) == loads(dumps(hostile()))
