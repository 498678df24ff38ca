"""The numbers and formulas of a drawing are the engine's: gradients bit for bit, sums along edges, formulas by computing them."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from checking import arrays_of, weights
from drawn import computed
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import SAMPLES

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients, listing, nn
from tinygrad_mlp.graph import Node, topological
from tinygrad_mlp.primitive import TABLE
from tinygrad_mlp.viz import draw
from tinygrad_mlp.viz.graph.capture import Capture, backward_order
from tinygrad_mlp.viz.graph.formulas import FORWARD
from tinygrad_mlp.viz.graph.numbers import brief, json_number, short, statistics
from tinygrad_mlp.viz.graph.rehearsal import naive, rehearse

RNG = np.random.default_rng(0)


def leaf(*shape: int, seed: int = 0, dtype: Any = np.float64) -> Tensor:
    rng = np.random.default_rng([seed, *shape])
    x = rng.uniform(0.3, 1.5, shape) * rng.choice([-1, 1], shape)
    return Tensor(
        x.astype(dtype) if np.dtype(dtype).kind != "c" else (x + 1j * rng.uniform(0.2, 1, shape)).astype(dtype), requires_grad=True
    )


# --- random programs ------------------------------------------------------------------------------------------------------------

ONE: list[Callable[[Any], Any]] = [
    lambda x: np.tanh(x), lambda x: np.exp(np.tanh(x)), lambda x: x * 0.5, lambda x: -x, lambda x: x * x, lambda x: x + x,
    lambda x: x[0] if x.ndim else x, lambda x: x[..., ::-1] if x.ndim else x, lambda x: np.sum(x, axis=-1) if x.ndim else x,
    lambda x: np.mean(x, axis=0, keepdims=True) if x.ndim else x, lambda x: x[np.array([0, 0, -1])] if x.ndim and x.shape[0] else x,
    lambda x: x.T, lambda x: np.reshape(x, -1), lambda x: tg.softmax(x) if x.ndim else x, lambda x: np.max(x) + x,
    lambda x: np.where(x.array > 0, x, 1 / (x - x)), lambda x: np.where(x.array > 0.4, np.log(np.abs(x) + 1), x),
    lambda x: np.concatenate([x, x * 2]) if x.ndim else x, lambda x: np.stack([x, x]) if x.size < 40 else x, lambda x: tg.relu(x),
    lambda x: x @ x.T if x.ndim == 2 and x.size < 40 else x,
]  # fmt: skip
TWO: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / (2 + y * y), lambda x, y: np.maximum(x, y),
    lambda x, y: np.where(x.array > y.array, x, y), lambda x, y: np.hypot(x, y),
]  # fmt: skip
Step = tuple[int, int, int]
PROGRAMS = st.lists(
    st.tuples(st.integers(0, len(ONE) + len(TWO) - 1), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12
)


def values_of(program: list[Step], dtype: Any = np.float64) -> tuple[list[Tensor], list[Any]]:
    """The leaves, and all values of a program."""
    leaves = [leaf(2, 3, dtype=dtype), leaf(3, seed=1, dtype=dtype), leaf(seed=2, dtype=dtype), leaf(2, 1, seed=3, dtype=dtype)]
    values: list[Any] = list(leaves)
    with np.errstate(all="ignore"):
        for op, i, j in program:
            x, y = values[-1 - i % len(values)], values[-1 - j % len(values)]
            if op < len(ONE):
                values.append(ONE[op](x))
            else:
                try:
                    np.broadcast_shapes(x.shape, y.shape)
                except ValueError:
                    continue
                values.append(TWO[op - len(ONE)](x, y))
    return leaves, values


def total(values: list[Any]) -> Any:
    """A loss of the last values."""
    loss = np.sum(values[-1])
    for v in values[-3:-1]:
        loss = loss + np.sum(v * v)
    return loss


def bits(x: Any) -> tuple[Any, ...]:
    return (x.shape, x.dtype, np.ascontiguousarray(x).tobytes())


@settings(max_examples=80)
@given(PROGRAMS)
def test_the_rehearsal_is_the_backward_pass_bit_for_bit(program: list[Step]) -> None:
    twins, others = values_of(program)
    with np.errstate(all="ignore"):
        total(others).backward()
    leaves, values = values_of(program)
    with np.errstate(all="ignore"):
        loss = total(values)
    work = Capture([loss])
    graph = work.graph()
    assert all(x.grad is None for x in leaves)
    for x, twin in zip(leaves, twins, strict=True):
        if twin.grad is None:
            assert x not in work.passed.arrived
            continue
        assert bits(work.passed.arrived[x]) == bits(twin.grad)
        node = next(n for n in graph["nodes"] if n["id"] == work.ids[x])
        assert node["gradient"] == statistics(twin.grad)
    with np.errstate(all="ignore"):
        loss.backward()
    for x, twin in zip(leaves, twins, strict=True):
        assert (x.grad is None) == (twin.grad is None)
        assert x.grad is None or bits(x.grad) == bits(twin.grad)


@settings(max_examples=50)
@given(PROGRAMS)
def test_edges_add_up_and_running_sums_run(program: list[Step]) -> None:
    _, values = values_of(program)
    with np.errstate(all="ignore"):
        loss = total(values)
    work = Capture([loss])
    graph = work.graph()
    passed = work.passed
    for x, edges in passed.arrivals.items():
        with np.errstate(all="ignore"):
            so_far = np.zeros_like(x.array)
            for edge in edges:
                so_far = so_far + passed.sent[edge]
                np.testing.assert_allclose(passed.running[edge], so_far, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(passed.arrived[x], so_far, rtol=1e-12, atol=1e-12)
    by_source: dict[str, list[Any]] = {}
    for edge in graph["edges"]:
        if edge["of"]:
            by_source.setdefault(edge["source"], []).append(edge)
    for source, edges in by_source.items():
        assert sorted(e["order"] for e in edges) == list(range(1, edges[0]["of"] + 1))
        assert all(e["of"] == len(edges) for e in edges)
        assert all((e["running"] is None) == (len(edges) == 1) for e in edges)
        if len(edges) > 1:
            last = next(e for e in edges if e["order"] == len(edges))
            node = next(n for n in graph["nodes"] if n["id"] == source)
            assert last["running"]["preview"] == node["gradient"]["preview"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "complex64"])
def test_dtypes_stay(dtype: str) -> None:
    x, w = leaf(2, 3, dtype=dtype), leaf(3, 2, seed=1, dtype=dtype)

    def loss() -> Any:
        z = np.exp(x @ w) * w.T[:, :2] + x[:, :2] * x[:, 1:]
        return np.sum(np.abs(z) ** 2)

    work = Capture([loss()])
    graph = work.graph()
    found = dict(zip("xw", gradients(loss(), [x, w]), strict=True))
    for name, t in (("x", x), ("w", w)):
        assert bits(work.passed.arrived[t]) == bits(np.asarray(found[name]))
        assert work.passed.arrived[t].dtype == dtype
    assert {n["dtype"] for n in graph["nodes"] if n["kind"] == "parameter"} == {dtype}


@settings(max_examples=25)
@given(PROGRAMS)
def test_single_precision_is_rehearsed_in_single_precision(program: list[Step]) -> None:
    leaves, values = values_of(program, np.float32)
    with np.errstate(all="ignore"):
        work = Capture([loss := total(values)])
        loss.backward()
    for x in leaves:
        if x.grad is not None:
            assert bits(work.passed.arrived[x]) == bits(x.grad)


@settings(max_examples=25)
@given(PROGRAMS)
def test_several_outputs_with_given_gradients(program: list[Step]) -> None:
    leaves, values = values_of(program)
    outputs = list(dict.fromkeys(v for v in values[-3:] if v.op is not None))
    if not outputs:
        return
    seeds = [weights(y.shape, 5 + i) for i, y in enumerate(outputs)]
    work = Capture(outputs, seeds=seeds)
    with np.errstate(all="ignore"):
        together = sum(np.sum(y * s) for y, s in zip(outputs, seeds, strict=True))
        together.backward()
    for x in leaves:
        if x.grad is not None:
            np.testing.assert_allclose(work.passed.arrived[x], x.grad, rtol=1e-9, atol=1e-9)


def test_an_output_that_another_output_is_computed_from() -> None:
    x = leaf(3)
    y = np.tanh(x)
    z = np.sum(y * y)
    drawing = draw([np.sum(y), z])
    grads = {n["name"]: n["gradient"] for n in drawing.graph["nodes"]}
    expected = (1 - y.array**2) * (1 + 2 * y.array)
    np.testing.assert_allclose(grads["x"]["preview"], expected, rtol=1e-5)
    assert sum(n["output"] for n in drawing.graph["nodes"]) == 2
    work = Capture([y, z], seeds=[np.ones(3), np.ones(())])
    np.testing.assert_allclose(work.passed.arrived[x], expected, rtol=1e-13)
    np.testing.assert_allclose(work.passed.arrived[y], 1 + 2 * y.array, rtol=1e-13)
    work.graph()


def test_one_output_given_twice_gets_both_gradients() -> None:
    x = leaf(3)
    y = np.tanh(x)
    work = Capture([y, y], seeds=[np.ones(3), 2 * np.ones(3)])
    np.testing.assert_allclose(work.passed.arrived[y], [3, 3, 3])


def test_second_order() -> None:
    x = leaf(3)
    (g,) = gradients(np.sum(np.sin(x) * x**3), [x], create_graph=True)
    loss = np.sum(g * g)
    work = Capture([loss])
    graph = work.graph()
    loss.backward()
    assert bits(work.passed.arrived[x]) == bits(x.grad)
    a = x.array
    first = np.cos(a) * a**3 + 3 * a**2 * np.sin(a)
    second = -np.sin(a) * a**3 + 6 * a**2 * np.cos(a) + 6 * a * np.sin(a)
    np.testing.assert_allclose(work.passed.arrived[x], 2 * first * second, rtol=1e-9)
    assert graph["counts"]["operations"] == len(work.made)


def test_drawing_changes_nothing_and_shows_the_values_of_then() -> None:
    model = nn.MLP([4, 8, 3], dtype=np.float64, rng=0)
    x, labels = RNG.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])
    loss = nn.cross_entropy(model(x), labels)
    before = {name: p.data.copy() for name, p in model.named_parameters()}
    drawing = draw(loss)
    assert all(p.grad is None for p in model.parameters())
    text = drawing.json
    loss.backward()
    again = nn.cross_entropy(model(x), labels)
    again.backward()
    optimiser = tg.optim.SGD(model.parameters(), lr=0.5)
    optimiser.step()
    x[:] = 7
    assert drawing.json == text
    for node in drawing.graph["nodes"]:
        if node["kind"] == "parameter":
            assert node["value"] == statistics(before[node["name"]])
        if node["name"] == "x":
            assert node["value"]["max"] < 7
    assert not np.array_equal(model.parameters()[0].data, before["linear1.weight"])


def test_drawing_twice_and_backward_with_retained_graph() -> None:
    x = leaf(3)
    loss = np.sum(np.exp(x) * x)
    first, second = draw(loss), draw(loss)
    assert first.json == second.json
    loss.backward(retain_graph=True)
    g = x.grad.copy()
    assert draw(loss).json == first.json  # .grad is no part of it
    assert np.array_equal(x.grad, g)
    loss.backward()
    np.testing.assert_array_equal(x.grad, 2 * g)


def test_new_data_before_drawing_does_not_change_the_recorded_computation() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    loss = np.sum(w * w)
    w.data = np.array([10.0, 20.0])
    graph = draw(loss).graph
    (parameter,) = [n for n in graph["nodes"] if n["kind"] == "parameter"]
    assert parameter["value"]["preview"] == [1.0, 2.0]
    assert parameter["gradient"]["preview"] == [2.0, 4.0]


# --- the naive order ------------------------------------------------------------------------------------------------------------


def by_recursion(root: Node) -> tuple[list[tuple[Node, int, np.ndarray]], dict[Node, np.ndarray]]:
    """def visit(node): pass on what has come so far; visit the inputs, unless they have been: written without the package's help."""
    arrived: dict[Node, np.ndarray] = {root: np.ones_like(root.array)}
    count: dict[Node, int] = {root: 0}
    done: set[int] = set()
    steps: list[tuple[Node, int, np.ndarray]] = []

    def visit(node: Node) -> None:
        if node.op is None or id(node) in done:
            return
        done.add(id(node))
        g = arrived[node].copy()
        steps.append((node, count[node], g))
        inputs = []
        for i, x in node.edges:
            rule = node.op.rules[0 if node.op.variadic else i]
            if rule is None:
                continue
            gx = rule(g, node.array, *node.arrays, **node.params)
            gx = np.asarray(gx[i] if node.op.variadic else gx)
            while gx.ndim > x.array.ndim:
                gx = gx.sum(0)
            for axis, n in enumerate(x.array.shape):
                if n == 1 and gx.shape[axis] != 1:
                    gx = gx.sum(axis, keepdims=True)
            arrived[x] = arrived[x] + gx if x in arrived else gx
            count[x] = count.get(x, 0) + 1
            inputs.append(x)
        for x in inputs:
            visit(x)

    visit(root)
    return steps, {x: g for x, g in arrived.items() if x.op is None}


@settings(max_examples=80)
@given(PROGRAMS)
def test_the_naive_order_is_plain_recursion(program: list[Step]) -> None:
    _, values = values_of(program)
    with np.errstate(all="ignore"):
        loss = total(values)
        order = list(topological(loss))
        truth = rehearse(order, {loss: np.ones(())})
        found = naive(order, {loss: np.ones(())}, truth)
        steps, leaves = by_recursion(loss)
    of = {x: len(edges) for x, edges in truth.arrivals.items()}
    early = [node for node, n, _ in steps if n < of.get(node, 0)]
    if not early:
        assert found is None
        return
    assert found is not None
    assert [(v.node, v.arrived, v.of) for v in found.steps] == [(node, n, of.get(node, 0)) for node, n, _ in steps]
    for visit, (_, _, g) in zip(found.steps, steps, strict=True):
        np.testing.assert_allclose(visit.gradient, g, rtol=1e-12, atol=1e-12)
    wrong = dict(found.wrong)
    for x, g in leaves.items():
        differs = not np.allclose(g, truth.arrived[x], rtol=1e-9, atol=1e-9, equal_nan=True)
        assert (x in wrong) == differs, "what differs by rounding only is not wrong"
        if differs:
            np.testing.assert_allclose(wrong[x], g, rtol=1e-12, atol=1e-12)


def test_the_naive_order_by_hand() -> None:
    x = Tensor(2.0, requires_grad=True)
    y = x * x
    loss = y * 3.0 + y * y  # the recursion reaches y through y · 3, when only 3 of 3 + 2 y has come
    work = Capture([loss])
    graph = work.graph()
    right, early = (3 + 2 * 4.0) * 4.0, 3 * 4.0
    assert graph["naive"] is not None
    at_y = next(s for s in graph["naive"]["steps"] if s["node"] == work.ids[y])
    assert (at_y["arrived"], at_y["of"], at_y["early"]) == (1, 3, True)
    assert at_y["gradient"]["preview"] == [3.0]
    (wrong,) = graph["naive"]["wrong"]
    assert wrong["node"] == work.ids[x]
    assert wrong["naive"]["preview"] == [early]
    assert wrong["right"]["preview"] == [right]


def test_no_naive_order_where_every_tensor_has_one_user() -> None:
    x = leaf(2, 3)
    assert draw(np.sum(np.tanh(x @ np.ones((3, 2))) ** 2)).graph["naive"] is None
    model = nn.MLP([3, 4, 2], dtype=np.float64)
    assert draw(nn.cross_entropy(model(np.ones((2, 3))), np.array([0, 1]))).graph["naive"] is None
    assert draw(np.sum(x * x)).graph["naive"] is None  # both parts come from one operation


# --- the formulas are true ------------------------------------------------------------------------------------------------------

SQUARE = {"linalg.inv", "linalg.det", "linalg.cofactor", "linalg.logabsdet", "linalg.det_sign", "linalg.cholesky", "linalg.eigvalsh",
          "linalg.eigh_packed", "linalg.svdvals", "linalg.svd_packed", "linalg.pinv", "linalg.solve", "linalg.cofactor_dx", "linalg.spectral"}  # fmt: skip
ABOVE_ONE = {"acosh"}
WHOLE = {("ldexp", 1), ("cross_entropy", 1)}
CONDITIONS = {("where", 0)}
INFINITE_SLOPE = {"nextafter"}


def input_of(name: str, place: int, shape: tuple[int, ...]) -> Any:
    rng = np.random.default_rng([place, len(name), *shape])
    if (name, place) in WHOLE:
        return rng.integers(0, 3, shape)
    if (name, place) in CONDITIONS:
        return rng.random(shape) > 0.5
    if name in SQUARE and len(shape) == 2 and shape[0] == shape[1]:
        a = rng.standard_normal(shape)
        return a @ a.T + np.diag([1.0, 2.5, 4.0][: shape[0]])
    x = rng.uniform(0.15, 0.85, shape)
    return x + 1 if name in ABOVE_ONE else x


def checked(name: str, args: list[Any], params: dict[str, Any]) -> int:
    """Draw an operation by itself, and compute each formula that is shown; returns how many were."""
    op = TABLE[name]
    tensors = [
        Tensor(a, requires_grad=True)
        if isinstance(a, np.ndarray) and a.dtype.kind in "fc" and op.rules[0 if op.variadic else i] is not None
        else a
        for i, a in enumerate(args)
    ]
    with np.errstate(all="ignore"):
        z = op(tensors, **params) if op.variadic else op(*tensors, **params)
        if not isinstance(z, Tensor) or not z.requires_grad:
            return 0
        work = Capture([z], seeds=[weights(z.shape, 1, z.dtype)])
    graph = work.graph()
    node = next(n for n in graph["nodes"] if n["kind"] == "op")
    names = {"z": z.array, "g": np.conj(work.passed.arrived[z])}
    given_names = (
        [f"x{i}" for i in range(1, len(args) + 1)] if op.variadic and len(args) > 1 else ["x"] if op.variadic else op.arrays
    )
    for letter, a in zip(given_names, args, strict=True):
        names[re.sub(r"\d", lambda d: "₀₁₂₃₄₅₆₇₈₉"[int(d[0])], letter)] = a
    (told,) = work.formulas.known.values()
    names |= {re.sub(r"\d", lambda d: "₀₁₂₃₄₅₆₇₈₉"[int(d[0])], k): v for k, v in told.arrays.items()}
    assert node["formula"].startswith("z = ")
    with np.errstate(all="ignore"):
        forward = node["formula"].removeprefix("z = ")
        same(by_table(node["op"], forward, args, params) if name in FORWARD else computed(forward, names), z.array, node["formula"])
        assert [d["argument"] for d in node["derivatives"]] == [
            i for i, _ in z.edges if op.rules[0 if op.variadic else i] is not None
        ]
        for d in node["derivatives"]:
            for line in d["before"]:
                left, right = line.split(" = ", 1)
                names[left] = computed(right, names)
            left, right = d["text"].split(" = ", 1)
            assert left == "d" + re.sub(r"\d", lambda k: "₀₁₂₃₄₅₆₇₈₉"[int(k[0])], d["of"])
            assert d["of"] == given_names[d["argument"]]
            assert "rule of" not in right, f"{name} has no formula"
            same(computed(right, names), np.conj(work.passed.sent[z, d["argument"]]), d["text"])
    return len(node["derivatives"])


def same(value: Any, number: Any, what: str) -> None:
    """The formula's value is the number's: also of its shape, but for what is broadcast to it."""
    value = np.asarray(value)
    assert np.broadcast_shapes(value.shape, np.shape(number)) == np.shape(number), f"{what}: {value.shape} for {np.shape(number)}"
    scale = max(1.0, float(np.max(np.abs(number), initial=0, where=np.isfinite(number))))
    if np.asarray(number).dtype.kind != "c" and value.dtype.kind == "c":
        value = value.real
    np.testing.assert_allclose(np.broadcast_to(value, np.shape(number)), number, rtol=1e-10, atol=1e-10 * scale, err_msg=what)


@pytest.mark.parametrize("name", TABLE)
def test_formulas_of_the_table_are_true_at_the_examples(name: str) -> None:
    op = TABLE[name]
    shapes, params = listing.EXAMPLES.get(name, ([(2, 3)] * len(op.rules), {}))
    kinds = listing.KINDS.get(name, {})
    args = [input_of(name, i, shape) for i, shape in enumerate(shapes)]
    assert checked(name, args, dict(params)) == (len(args) if op.variadic else sum(r is not None for r in op.rules))
    if "D" in kinds.values():
        args = [a + 0.3j * np.arange(1.0, a.size + 1).reshape(a.shape) if kinds.get(i) == "D" else a for i, a in enumerate(args)]
        assert checked(name, args, dict(params))


@pytest.mark.parametrize(("name", "number"), [pytest.param(n, i, id=f"{n}-{i}") for n in TABLE for i in range(len(SAMPLES[n]))])
def test_formulas_of_the_table_are_true_on_the_samples(name: str, number: int) -> None:
    sample = SAMPLES[name][number]
    args = sample.call(*arrays_of(sample))
    params = {k: tuple(v) if isinstance(v, list) else v for k, v in sample.params.items()}
    checked(name, list(args), params)


PAIRS = [
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((2, 1), (1, 3)),
    ((2, 3), ()),
    ((), (2, 3)),
    ((1, 1), (2, 3)),
    ((4, 2, 3), (2, 1)),
    ((1,), ()),
]


@pytest.mark.parametrize("name", [n for n, op in TABLE.items() if op.elementwise and len(op.rules) > 1 and not op.variadic])
@pytest.mark.parametrize("shapes", PAIRS, ids=str)
def test_formulas_are_true_where_shapes_are_broadcast(name: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    count = len(TABLE[name].rules)
    args = [input_of(name, i, shape) for i, shape in enumerate((*shapes, shapes[0])[:count])]
    assert checked(name, args, {})


@pytest.mark.parametrize(
    ("x", "labels"),
    [((4, 3), (4,)), ((3,), ()), ((2, 5, 3), (2, 5)), ((1, 3), (1,))],
    ids=["matrix", "one", "batch of rows", "one row"],
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_cross_entropy_in_all_shapes(x: tuple[int, ...], labels: tuple[int, ...], reduction: str) -> None:
    rng = np.random.default_rng(0)
    assert checked("cross_entropy", [rng.standard_normal(x), np.asarray(rng.integers(0, 3, labels))], {"reduction": reduction}) == 1


def log_softmax(x: Any, axis: Any = -1) -> Any:
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


MEANING: dict[str, Callable[[str, list[Any], dict[str, Any]], Any]] = {
    "cross_entropy": lambda text, a, p: (
        coefficient(text, "Σ log softmax(x)[y]") * np.sum(np.take_along_axis(log_softmax(a[0]), np.asarray(a[1])[..., None], -1))
    ),
    "mse_loss": lambda text, a, p: coefficient(text, "Σ (x − y)²") * np.sum((a[0] - a[1]) ** 2),
    "binary_cross_entropy_with_logits": lambda text, a, p: (
        coefficient(text, "Σ (log(1 + eˣ) − x ⊙ y)") * np.sum(np.log(1 + np.exp(a[0])) - a[0] * a[1])
    ),
    "softmax": lambda text, a, p: fixed(text, "eˣ / Σ eˣ", np.exp(log_softmax(a[0], p.get("axis", -1)))),
    "log_softmax": lambda text, a, p: fixed(text, "x − log Σ eˣ", log_softmax(a[0], p.get("axis", -1))),
    "logsumexp": lambda text, a, p: fixed(
        text, "log Σ eˣ", np.log(np.sum(np.exp(a[0]), axis=p.get("axis"), keepdims=p.get("keepdims", False)))
    ),
    "sigmoid": lambda text, a, p: fixed(text, "1 / (1 + e⁻ˣ)", 1 / (1 + np.exp(-a[0]))),
    "softplus": lambda text, a, p: fixed(text, "log(1 + eˣ)", np.log(1 + np.exp(a[0]))),
}


def coefficient(text: str, rest: str) -> float:
    """The number before the rest: "", "−", "1/6 ", "−1/6 "."""
    found = re.fullmatch(r"(−?)(?:1/(\d+) )?" + re.escape(rest), text)
    assert found, text
    return (-1 if found[1] else 1) / int(found[2] or 1)


def fixed(text: str, expected: str, value: Any) -> Any:
    assert text == expected
    return value


def by_table(name: str, text: str, args: list[Any], params: dict[str, Any]) -> Any:
    return MEANING[name](text, args, params)


def test_every_text_of_formulas_by_hand_is_checked() -> None:
    assert set(MEANING) == set(FORWARD)


# --- the numbers of scalars -----------------------------------------------------------------------------------------------------

SCALARS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y, "divide": lambda x, y: x / y,
    "pow": lambda x, y: np.abs(x).item() ** y, "square": lambda x, y: x**2, "tanh": lambda x, y: np.tanh(x), "exp": lambda x, y: np.exp(x),
    "relu": lambda x, y: tg.relu(x), "sigmoid": lambda x, y: tg.sigmoid(x), "reciprocal": lambda x, y: 1 / x,
    "half": lambda x, y: x * 0.5, "negative": lambda x, y: -x, "minus one": lambda x, y: x - 1, "hypot": lambda x, y: np.hypot(x, y),
    "cube": lambda x, y: x**3, "maximum": lambda x, y: np.maximum(x, y), "minus negative": lambda x, y: x - (-3.0), "sin": lambda x, y: np.sin(x),
    "double": lambda x, y: x + x, "self": lambda x, y: x * x, "power of itself": lambda x, y: (x * x) ** (x * x),
    "where": lambda x, y: np.where(x.array > y.array, x, y), "abs": lambda x, y: np.abs(x), "inverse square": lambda x, y: x**-2,
}  # fmt: skip
SIMPLE = st.builds(lambda a, s: s * a / 100, st.integers(5, 420), st.sampled_from([-1, 1]))


def holds(text: str) -> int:
    """Whether a = b = c is true, b and c being numbers or formulas of numbers; returns how many parts were computed."""
    depth, flat = 0, ""
    for c in text:
        depth += (c in "({[") - (c in ")}]")
        flat += "\n" if c == "=" and not depth else c
    _, *parts = map(str.strip, flat.split("\n"))
    assert parts, text
    values = [float(computed(part, {})) for part in parts]
    for value in values[1:]:
        assert value == pytest.approx(values[0], rel=6e-3, abs=6e-3 * max(1e-3, abs(values[0]))), text
    return len(values)


@settings(max_examples=25)
@given(SIMPLE, SIMPLE)
@pytest.mark.parametrize("name", SCALARS)
def test_the_numbers_of_scalars_are_arithmetic_that_holds(name: str, a: float, b: float) -> None:
    if name in ("tanh", "sigmoid", "power of itself"):  # 1 − z² has few digits where z is close to 1
        a /= 4
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    z = SCALARS[name](x, y)
    if not isinstance(z, Tensor) or not z.requires_grad:
        return
    drawing = draw(z, gradient=1.25)
    for node in drawing.graph["nodes"]:
        if node["kind"] == "op":
            assert node["numbers"].startswith("z = "), node
            holds(node["numbers"])
            final = float(computed(node["numbers"].split(" = ")[-1], {}))
            assert final == pytest.approx(node["value"]["mean"], rel=6e-4)
            for d in node["derivatives"]:
                assert d["numbers"], (name, d)
                holds(d["numbers"])
    for edge in drawing.graph["edges"]:
        node = next(n for n in drawing.graph["nodes"] if n["id"] == edge["target"])
        line = next(d for d in node["derivatives"] if d["argument"] == edge["argument"])
        sent = edge["gradient"]["preview"][0]
        assert float(computed(line["numbers"].split(" = ")[-1], {})) == pytest.approx(sent, rel=6e-4, abs=1e-9)


CONSTANTS: dict[str, Callable[[Any], Any]] = {
    "x^1.5": lambda x: x**1.5, "1.5^x": lambda x: 1.5**x, "x^0.5": lambda x: x**0.5, "x^-0.5": lambda x: x**-0.5, "x^-3": lambda x: x**-3,
    "x^0.3": lambda x: x**0.3, "0.25^x": lambda x: 0.25**x, "x^1e-9": lambda x: x**1e-9, "1e-9^x": lambda x: 1e-9**x, "x/0.5": lambda x: x / 0.5,
    "2.5/x": lambda x: 2.5 / x, "0.5/x": lambda x: 0.5 / x, "x/-3": lambda x: x / -3.0, "-3/x": lambda x: -3.0 / x, "x-(-2)": lambda x: x - (-2.0),
    "x+(-2)": lambda x: x + (-2.0), "(-2)x": lambda x: x * -2.0, "x/3": lambda x: x / 3, "x*1e-9": lambda x: x * 1e-9, "x/1e-9": lambda x: x / 1e-9,
    "max(x,-0.5)": lambda x: np.maximum(x, -0.5), "x*pi": lambda x: x * np.pi, "x^2": lambda x: x**2, "x^-1": lambda x: x**-1, "0*x": lambda x: x * 0,
    "x^0": lambda x: x**0, "x^1": lambda x: x**1, "x%0.7": lambda x: x % 0.7, "1-x": lambda x: 1 - x, "-1.5-x": lambda x: -1.5 - x, "x/1.5": lambda x: x / 1.5,
    "x/(1/3)": lambda x: x / (1 / 3), "1/x": lambda x: 1 / x, "hypot": lambda x: np.hypot(x, 0.75), "clip": lambda x: np.clip(x, 0.5, 1.25), "2^x": lambda x: 2.0**x,
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTANTS)
@pytest.mark.parametrize("scalar", [False, True], ids=["array", "scalar"])
def test_formulas_with_constants_are_true(name: str, scalar: bool) -> None:
    x = Tensor(1.6 if scalar else np.array([0.4, 0.9, 1.6]), requires_grad=True)
    z = CONSTANTS[name](x)
    work = Capture([z], seeds=[np.asarray(1.25) if scalar else np.array([1.25, -0.5, 2.0])])
    graph = work.graph()
    (node,) = [n for n in graph["nodes"] if n["kind"] == "op"]
    names = {"z": z.array, "g": work.passed.arrived[z], node["derivatives"][0]["of"]: x.array}
    same(computed(node["formula"].removeprefix("z = "), names), z.array, node["formula"])
    (d,) = node["derivatives"]
    same(computed(d["text"].partition(" = ")[2], names), work.passed.arrived[x], d["text"])
    if scalar:
        holds(node["numbers"])
        holds(d["numbers"])


def test_the_numbers_of_a_negative_base_and_factor_are_in_brackets() -> None:
    x = Tensor(-2.0, requires_grad=True)
    (square,) = [n for n in draw(x**2).graph["nodes"] if n["kind"] == "op"]
    assert square["numbers"] == "z = (−2)² = 4"
    (product,) = [n for n in draw(x * Tensor(-3.0, requires_grad=True)).graph["nodes"] if n["kind"] == "op"]
    assert holds(product["numbers"]) == 2
    assert product["numbers"].endswith("= 6")


def test_no_numbers_for_arrays_and_in_large_graphs() -> None:
    assert all(n["numbers"] == "" for n in draw(np.sum(leaf(3) * 2)).graph["nodes"])
    y = Tensor(1.0, requires_grad=True)
    for _ in range(2100):
        y = y * 1.0001
    assert all(n["numbers"] == "" for n in draw(y).graph["nodes"])


def test_a_quotient_by_a_product_is_not_written_as_a_half() -> None:
    @tg.primitive(lambda g, z, x: -g * (1 / (2 * x)) * (1 / x), example=[np.array([0.5, 1.5])], elementwise=True)
    def half_reciprocal(x: Any) -> Any:
        return 1 / (2 * x)

    x = leaf(3)
    node = next(n for n in draw(np.sum(half_reciprocal(x))).graph["nodes"] if n["op"] == "half_reciprocal")
    (line,) = node["derivatives"]
    value = computed(line["text"].partition(" = ")[2], {"x": x.array, "g": np.ones(3), "z": half_reciprocal(x.array)})
    np.testing.assert_allclose(value, -1 / (2 * x.array**2), err_msg=line["text"])
    derivation = tg.derive(lambda x: np.sum(1 / (2 * x)), x)
    formula = next(n["formula"] for n in draw(derivation).graph["nodes"] if n["formula"].startswith("quotient"))
    np.testing.assert_allclose(computed(formula.partition(" = ")[2], {"x": x.array}), 1 / (2 * x.array), err_msg=formula)


def test_rules_that_symbols_cannot_read_are_named() -> None:
    @tg.primitive(lambda g, z, x: g * np.array([float(v) for v in np.ravel(x)]).reshape(x.shape) * 2, example=[np.ones(3)], order=1)
    def opaque(x: Any) -> Any:
        return np.asarray(x) ** 2

    node = next(n for n in draw(np.sum(opaque(leaf(3)))).graph["nodes"] if n["op"] == "opaque")
    assert node["category"] == "custom"
    assert node["formula"] == "z = opaque(x)"
    assert [d["text"] for d in node["derivatives"]] == ["dx = the custom rule of opaque"]


# --- statistics -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "digits", "text"),
    [
        (0.0391, 2, "3.9e-2"), (1.27, 2, "1.3"), (99.4, 2, "99"), (99.6, 2, "100"), (99.96, 3, "100"), (9999.6, 4, "10000"), (0.0996, 2, "1e-1"),
        (-99.9, 2, "-100"), (250.4, 2, "250"), (1e5, 2, "1e5"), (0.1, 2, "0.1"), (5e-324, 2, "4.9e-324"), (1.7e308, 2, "1.7e308"),
        (-0.0, 2, "0"), (math.inf, 2, "∞"), (-math.inf, 2, "-∞"), (math.nan, 2, "NaN"), (100.0, 2, "100"), (120.0, 2, "120"), (10.0, 4, "10"),
    ],
)  # fmt: skip
def test_short_numbers(x: float, digits: int, text: str) -> None:
    found = short(x, digits).replace("−", "-")
    assert found == text or (found, text) in (("0.1", "1e-1"), ("1e4", "10000"))


@settings(max_examples=300)
@given(st.floats(-1e307, 1e307), st.integers(2, 5))
def test_short_numbers_are_near_and_of_one_form(x: float, digits: int) -> None:
    text = short(x, digits).replace("−", "-")
    assert float(text) == pytest.approx(x, rel=0.51 * 10.0 ** (1 - digits), abs=1e-323)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", text), text
    assert not re.search(r"e-?0|\.\d*0(e|$)", text), text


ARRAYS = [
    np.zeros((0,)), np.zeros((0, 3)), np.zeros((3, 0)), np.zeros((2, 0, 3)), np.array(2.5), np.array([1.0]), np.arange(3), np.array([True, False]),
    np.array(True), np.full(4, 1.7e308), np.array([1.7e308, -1.7e308]), np.array([1.0, 1 + 2.3e-16]), np.array([5e-324, 0.0]),
    np.array([np.nan, 1.0, np.inf, -np.inf]), np.full((2, 2), np.nan), np.array([1 + 2j, -3j]), np.array(1 + 2j), np.array([complex(np.nan, 1)]),
    np.float32([3e38, 3e38, 1]), np.array([1e200, 1e-200]), np.ones((50, 50)), np.ones((1, 100)), np.ones((100, 1)), np.ones((3, 4, 5)),
    np.full(3, np.finfo(np.float16).max, np.float16), np.array([2**62, -(2**62)]), np.array([1e308 + 1e308j] * 3), np.array([0.1] * 5 + [0.1 + 1e-17]),
    np.array([0.1, 0.1 + 1.4e-17]), np.array(np.inf), np.array(-np.inf), np.array(np.nan), np.uint8([1, 255]),
]  # fmt: skip


@pytest.mark.parametrize("x", ARRAYS, ids=lambda x: f"{x.dtype}{x.shape}-{np.array2string(x.ravel()[:2])}")
def test_statistics_of_every_kind_of_array(x: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, told = statistics(x), brief(x)
    for value in (*found.values(), *told.values()):
        assert not isinstance(value, float) or math.isfinite(value), "no NaN or ∞ in strict JSON"
    sizes = np.abs(x) if x.dtype.kind == "c" else x.astype(float)
    finite = sizes[np.isfinite(sizes)]
    assert found["size"] == x.size
    assert len(found["preview"]) == found["rows"] * found["columns"] <= 48
    assert found["truncated"] == (len(found["preview"]) < x.size)
    assert found["nan"] == np.isnan(x).sum()
    assert told["nan"] == np.sum(~np.isfinite(sizes))
    if finite.size:
        assert found["min"] == finite.min()
        assert found["max"] == finite.max()
        with np.errstate(over="ignore"):
            scale = max(float(np.max(np.abs(finite))), 1e-300)
            assert found["mean"] == pytest.approx(float(np.mean(finite / scale) * scale), rel=1e-6, abs=1e-12 * scale)
            assert found["rms"] == pytest.approx(float(np.sqrt(np.mean((finite / scale) ** 2)) * scale), rel=1e-6)
        assert found["zeros"] == np.sum(finite == 0)
        assert told["max"] == np.max(np.abs(finite))
    else:
        assert found["min"] is found["max"] is found["mean"] is None
    if found["histogram"] is not None:
        assert sum(found["histogram"]["counts"]) == finite.size
        assert len(found["histogram"]["counts"]) <= 16


@settings(max_examples=150)
@given(st.lists(st.floats(), max_size=60), st.sampled_from([1, 2, 3]))
def test_statistics_of_random_numbers(numbers: list[float], rows: int) -> None:
    x = np.array(numbers[: len(numbers) // rows * rows]).reshape(rows, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = statistics(x)
    for key in ("min", "max", "mean", "rms", "norm"):
        assert found[key] is None or math.isfinite(found[key]), key
    finite = x[np.isfinite(x)]
    if finite.size:
        assert found["min"] <= found["mean"] <= found["max"] or found["mean"] == pytest.approx(found["min"], rel=1e-9)


def test_numbers_of_json() -> None:
    assert [json_number(v) for v in (1.5, math.nan, math.inf, -math.inf, True, 3)] == [1.5, "nan", "inf", "-inf", 1.0, 3.0]
    assert json_number(3 + 4j) == 5.0
    assert json_number(complex(math.nan, 0)) == "nan"


def test_the_ramp_bears_gradients_that_vanish() -> None:
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(40):
        y = y * 1e-8
    graph = draw(y).graph
    assert graph["ramp"] is not None
    levels = [e["level"] for e in graph["edges"] if e["state"] == "flow"]
    assert min(levels) == 0
    assert max(levels) == 4
    assert levels == sorted(levels)
    assert {e["state"] for e in graph["edges"]} >= {"flow"}


def test_the_ramp_has_one_middle_step_where_nothing_differs() -> None:
    a, b = Tensor(1.0, requires_grad=True), Tensor(1.0, requires_grad=True)
    assert {e["level"] for e in draw(a + b * 1.5).graph["edges"]} == {2}


def test_the_order_of_several_outputs_has_users_first() -> None:
    x = leaf(3)
    y = x * 2
    z = np.sum(y)
    order = backward_order([y, z, np.sum(x)])
    place = {n: i for i, n in enumerate(order)}
    assert all(place[n] < place[u] for n in order for _, u in n.edges)
    assert len(order) == len(set(order))
