"""The gradient checker checked: planted faults are found and named, kinks and rounding raise no alarm, bad input is refused."""

from __future__ import annotations

import doctest
import inspect
from itertools import count, pairwise
from typing import Any

import numpy as np
import pytest
from checking import arrays_of, call
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import SAMPLES

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, nn, no_grad
from tinygrad_mlp.check import gradcheck
from tinygrad_mlp.check.measures import slope, step_of
from tinygrad_mlp.errors import DataError, GradientError, SettingError, ShapeError, TensorTypeError
from tinygrad_mlp.primitive import TABLE

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 3))
EPS = float(np.finfo(np.float64).eps)


def own(*rules: Any, forward: Any, name: str, **settings: Any) -> Any:
    """A primitive that the definition's own check lets pass, because its example is 0."""
    return tg.primitive(*rules, example=settings.pop("example", (np.zeros(1),) * len(rules)), name=name, **settings)(forward)


def scaled_cube(factor: float, name: str = "cube_wrong") -> Any:
    return own(lambda g, z, x: g * (factor * 3 * x**2), forward=lambda x: x**3, name=name)


# --- right gradients: no alarm ------------------------------------------------------------------------------------------

NOISE = {"linalg.cofactor_dx"}  # of a 1 × 1 matrix: constant, computed as a sum of rounding errors


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in NOISE])
@pytest.mark.filterwarnings("ignore")
def test_every_function_of_the_table_passes(name: str) -> None:
    for sample in SAMPLES[name][:2]:
        arrays = arrays_of(sample)
        if not arrays or any(a.size == 0 or not np.isfinite(a).all() for a in arrays):
            continue
        z = call(name, sample, arrays)
        if np.asarray(z).dtype.kind not in "fc" or not np.asarray(z).size:
            continue
        report = gradcheck(lambda *xs: call(name, sample, list(xs)), arrays, order=2, entries=3, draws=1)  # noqa: B023
        assert report.ok, f"{sample.params}: {report}"
        assert any(x.status == "ok" for x in report.findings)


KINKS: dict[str, tuple[Any, Any]] = {
    "relu": (tg.relu, [0.0, 1.0, -1.0, 0.0]),
    "all at the kink": (tg.relu, np.zeros((2, 2))),
    "abs": (np.abs, [0.0, 2.0, -1e-7, 1e-9]),
    "max": (np.max, [1.0, 3.0, 3.0]),
    "max of rows": (lambda x: np.max(x, axis=1), [[1.0, 1.0], [0.0, 2.0]]),
    "maximum": (lambda x: np.maximum(x, 1.0), [1.0, 0.5]),
    "minimum of itself": (lambda x: np.minimum(x, x[::-1]), [1.0, 1.0, 2.0]),
    "clip": (lambda x: np.clip(x, 0, 1), [0.0, 0.5, 1.0]),
    "floor": (lambda x: np.floor(x) * x, [1.0, 1.5]),
    "sign": (lambda x: np.sign(x) * x, [0.0, 1.5]),
    "norm": (np.linalg.norm, np.zeros(3)),
    "sqrt": (np.sqrt, [0.0, 4.0]),
    "cbrt": (np.cbrt, [0.0, 4.0]),
    "log at the edge": (np.log, [1e-12, 1e-30, 1.0]),
    "hinge": (lambda x: np.sum(tg.relu(1 - x)), [1.0, 1.0, 0.0]),
    "sort": (lambda x: np.sort(x) * np.arange(3.0), [1.0, 1.0, 0.0]),
    "median": (np.median, [1.0, 1.0, 2.0, 5.0]),
    "near, on the left": (tg.relu, [-2e-6, -5e-6, 1e-7]),
    "near, at u = 2/3": (lambda x: np.sum(np.abs(x - 2 / 3 * step_of(EPS))), np.zeros(2)),
    "std of equals": (np.std, np.ones(4)),
    "remainder": (lambda x: np.remainder(x, 1.0), [1.0, 0.5, 2.0]),
    "where": (lambda x: np.where(x > 0, x * x, -x), [0.0, 1.0]),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", KINKS)
def test_kinks_raise_no_alarm(name: str, dtype: Any) -> None:
    f, x = KINKS[name]
    for seed in range(5):
        report = gradcheck(f, [np.array(x, dtype)], order=2, seed=seed)
        assert report.ok, report


def test_what_is_at_a_kink_is_told_and_a_point_beside_it_is_checked() -> None:
    report = gradcheck(tg.relu, np.array([0.0, 1.0]))
    assert report.verdict() == "All 10 numbers agree. Not judged: 1 at a kink."
    assert "3 directions, beside the kinks" in str(report)
    wrong = own(lambda g, z, x: g * (2.0 * (x > 0)), forward=lambda x: np.maximum(x, 0), name="relu_twice", example=(-np.ones(2),))
    hidden = gradcheck(wrong, np.zeros(3))
    assert not hidden.ok  # at 0 itself nothing could be said
    assert {x.where for x in hidden.wrong} == {"beside the kinks"}


@st.composite
def networks(draw: st.DrawFn) -> tuple[Any, list[np.ndarray]]:
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    batch = draw(st.integers(1, 9))
    activation = draw(st.sampled_from(["relu", "tanh", "sigmoid", "leaky_relu", "abs", "softplus", "elu", "hardtanh"]))
    seed, tied = draw(st.integers(0, 2**32 - 1)), draw(st.booleans())
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal(s).astype(dtype) for m, n in pairwise(sizes) for s in ((m, n), (n,))]
    data = rng.standard_normal((batch, sizes[0])).astype(dtype)
    if tied:  # pre-activations of exactly 0, and equal columns
        weights[0][:, 0], weights[1][0] = 0, 0
        weights[-1][:] = weights[-1][0]

    def f(x: Any, *ws: Any) -> Any:
        for w, b in zip(ws[::2], ws[1::2], strict=True):
            x = getattr(tg, activation)(x @ w + b)
        return np.max(x, axis=1), np.sum(x * x)

    return f, [data, *weights]


@settings(max_examples=40)
@given(networks(), st.integers(0, 1000))
def test_random_networks_raise_no_alarm(network: tuple[Any, list[np.ndarray]], seed: int) -> None:
    f, inputs = network
    report = gradcheck(f, inputs, order=1 + seed % 2, entries=6, draws=2, seed=seed)
    assert report.ok, report


# --- planted faults: found and named ------------------------------------------------------------------------------------


def test_a_wrong_rule_is_found_and_named_with_its_line() -> None:
    cube = scaled_cube(1 / 3)

    def f(x: Any) -> Any:
        y = np.tanh(x)
        return np.sum(cube(y) * x)

    line = inspect.getsourcelines(f)[1] + 2
    report = gradcheck(f, X)
    assert not report.ok
    fault = report.fault
    assert fault is not None
    assert (fault.operation, fault.argument, fault.order) == ("cube_wrong", "x", 1)
    assert fault.line == f"{__file__}:{line}"
    assert fault.exact is not None
    assert fault.numeric is not None
    assert fault.exact / fault.numeric == pytest.approx(1 / 3)
    assert f"The rule of cube_wrong, created at {__file__}:{line}, is wrong for the argument x: it gives" in str(report)
    assert "(ratio 0.333)" in report.verdict()


@settings(max_examples=30)
@given(st.floats(1e-6, 0.5), st.sampled_from([-1, 1]), st.integers(0, 3), st.integers(0, 1000), st.booleans())
def test_a_factor_near_1_anywhere_in_a_chain(delta: float, sign: int, place: int, seed: int, single: bool) -> None:
    cube = scaled_cube(1 + sign * delta)
    steps: list[Any] = [np.tanh, np.exp, tg.sigmoid, np.sin]
    steps.insert(place, cube)
    x = np.random.default_rng(seed).uniform(0.5, 1.5, 4).astype(np.float32 if single else np.float64)

    def f(x: Any) -> Any:
        for step in steps:
            x = step(x)
        return x

    report = gradcheck(f, x, seed=seed)
    assert not report.ok
    assert report.fault is not None
    assert report.fault.operation == "cube_wrong"


FLAT = set(
    "sign floor ceil trunc round rint floor_divide heaviside imag angle linalg.det_sign linalg.cofactor_dx".split()
)  # 0, or noise


@pytest.mark.parametrize("name", [name for name in TABLE if name not in FLAT])
@pytest.mark.filterwarnings("ignore")
def test_a_wrong_rule_anywhere_in_the_table_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    op = TABLE[name]
    sample = next(s for s in SAMPLES[name] if all(np.size(a) > 1 for a in arrays_of(s)))

    def wrong(rule: Any) -> Any:
        def changed(*args: Any, **params: Any) -> Any:
            found = rule(*args, **params)
            return [1.001 * f for f in found] if op.variadic else 1.001 * found

        return rule and changed

    monkeypatch.setattr(op, "rules", tuple(wrong(r) for r in op.rules))
    report = gradcheck(lambda *xs: call(name, sample, list(xs)), arrays_of(sample), entries=3, draws=1)
    assert not report.ok, report
    assert report.fault is not None
    assert report.fault.operation == name


def test_the_first_of_two_is_named() -> None:
    first, second = scaled_cube(2.0, "first_wrong_one"), scaled_cube(3.0, "second_wrong_one")
    report = gradcheck(lambda x: second(np.sin(first(x))), X)
    assert report.fault is not None
    assert report.fault.operation == "first_wrong_one"


def test_a_missing_unbroadcast() -> None:
    outer = own(
        lambda g, z, x, y: g * y, lambda g, z, x, y: g * x[:, None], forward=lambda x, y: x[:, None] * y, name="outer_wrong"
    )
    square = gradcheck(lambda x, y: np.exp(outer(x, y)), [X[0], X[1]])
    assert not square.ok  # the shapes fit by accident
    assert square.fault is not None
    assert (square.fault.operation, square.fault.argument) == ("outer_wrong", "x")
    assert {x.input for x in square.wrong} == {0, None}
    oblong = gradcheck(lambda x, y: np.exp(outer(x, y)), [X[:, 0], X[1]])
    assert not oblong.ok
    assert oblong.fault is not None
    assert oblong.fault.operation == "outer_wrong"
    assert "gave a gradient of shape (4, 3) for an input of shape (4,)" in str(oblong)


def test_one_wrong_entry_of_many() -> None:
    mask = np.ones((30, 30))
    mask[17, 4] = 1.001
    wrong = own(lambda g, z, x: g * (mask if x.shape == mask.shape else 1.0), forward=lambda x: x * 1.0, name="one_entry")
    report = gradcheck(lambda x: np.sin(wrong(x)), RNG.standard_normal((30, 30)))
    assert not report.ok
    assert report.fault is not None
    assert report.fault.operation == "one_entry"
    assert "64 of 900 entries" in str(report)


def half(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x


def test_wrong_at_second_order_only() -> None:
    op = own(lambda g, z, x: g * (3 * half(x) ** 2), forward=lambda x: x**3, name="half_right", order=1)
    assert gradcheck(lambda x: np.sin(op(x)), X).ok
    report = gradcheck(lambda x: np.sin(op(x)), X, order=2)
    assert {x.order for x in report.wrong} == {2}
    assert report.fault is not None
    assert (report.fault.operation, report.fault.order) == ("half_right", 2)
    assert "The second derivative (its rule, differentiated again) of half_right, created at" in str(report)
    arriving = own(lambda g, z, x: half(g) * (3 * x**2), forward=lambda x: x**3, name="half_g", order=1)
    assert gradcheck(arriving, X, order=1).ok
    assert gradcheck(arriving, X, order=2).fault.argument == "its arriving gradient g"  # type: ignore[union-attr]


def test_a_rule_that_cannot_be_differentiated_again() -> None:
    op = own(lambda g, z, x: g * np.array([3 * float(v) ** 2 for v in half(x)]) + 0 / g.shape[0] * ord("a" if isinstance(g, np.ndarray) else ""),
             forward=lambda x: x**3, name="no_second", order=1)  # fmt: skip
    assert gradcheck(op, X[0]).ok
    report = gradcheck(lambda x: op(np.exp(x)), X[0], order=2)
    assert not report.ok
    assert report.fault is not None
    assert (report.fault.operation, report.fault.order) == ("no_second", 2)
    assert "fails when it is differentiated again" in str(report)


def in_place(x: Any) -> Any:
    out = np.zeros(3)
    for i in range(3):
        out[i] = x[0, i].item()
    return out * x[0]


LOST: dict[str, Any] = {
    "data": lambda x: np.asarray(x.data) * x,
    "all of it": lambda x: np.asarray(x.data) * 2,
    "numpy": lambda x: np.sum(x.numpy() ** 2) + np.sum(x),
    "detach": lambda x: np.tanh(x).detach() * x,
    "no_grad": no_grad()(lambda x: x * x),
    "item": lambda x: np.max(x).item() * x,
    "float": lambda x: float(np.max(x)) * x,
    "in place": in_place,
    "int": lambda x: x * np.argmax(x.numpy()) + x.numpy().sum(),
}


@pytest.mark.parametrize("name", LOST)
def test_a_value_that_has_left_the_graph(name: str) -> None:
    report = gradcheck(LOST[name], X)
    assert not report.ok
    assert report.fault is not None
    assert report.fault.operation == ""
    assert "somewhere a value has left the graph, through no_grad(), .data" in str(report)


# --- dtypes, forms, input -----------------------------------------------------------------------------------------------


def test_float32() -> None:
    x = X.astype(np.float32)
    report = gradcheck(lambda x: np.tanh(x) @ np.ones(3), x, order=2)
    assert report.ok
    assert "float32 against float64" in str(report)
    forced = gradcheck(lambda x: np.tanh(x).astype(np.float32) * 2, x)
    assert forced.ok
    assert "float64" not in str(forced)
    assert all(1e-6 < f.tolerance < 0.1 for f in forced.findings)
    only_there = own(
        lambda g, z, x: g * (2 * x) * (1.001 if x.dtype == np.float32 else 1.0), forward=lambda x: x * x, name="float32_wrong"
    )
    report = gradcheck(only_there, x)
    assert {f.kind for f in report.wrong} == {"dtype"}
    assert not gradcheck(lambda x: only_there(x).astype(np.float32) + scaled_cube(1.1)(x).astype(np.float32), x).ok


def test_complex_inputs() -> None:
    z = X[0] + 1j * X[1]
    assert gradcheck(lambda z: np.abs(np.exp(z) * z), z, order=2).ok
    wrong = own(lambda g, z, x: g * 2 * np.conj(x), forward=lambda x: x * x, name="conjugated")
    report = gradcheck(lambda z: np.exp(wrong(z)), z)
    assert report.fault is not None
    assert report.fault.operation == "conjugated"


def test_the_complex_step_is_used_where_it_agrees_and_only_there() -> None:
    smooth = gradcheck(lambda x: np.sum(np.exp(x) * np.sin(x)), X)
    assert {f.method for f in smooth.findings} == {"complex step"}
    assert all(f.tolerance < 1e-10 for f in smooth.findings)
    assert "complex step" not in {f.method for f in gradcheck(lambda x: np.abs(x) * 2, X).findings}
    assert "complex step" not in {f.method for f in gradcheck(lambda x: np.sum(np.real(x) ** 2), X).findings}
    assert not gradcheck(scaled_cube(1 + 1e-10), X).ok  # differences would not see it


def test_several_inputs_and_results_and_names() -> None:
    report = gradcheck(lambda a, b: {"sum": a + b, "both": (a * b, 3.0, np.arange(3))}, [Tensor(X[0]), 2.0])
    assert report.ok
    assert "a (3) " in str(report)
    assert "b (()) " in str(report)
    assert gradcheck(np.exp, 1.0).ok
    model = nn.MLP([3, 4, 2], activation="relu", rng=np.random.default_rng(0))
    assert gradcheck(lambda x: nn.cross_entropy(model(x), np.array([0, 1, 1, 0])), X, order=2).ok
    assert all(p.grad is None for p in model.parameters())


def test_inputs_are_left_alone_and_reports_repeat() -> None:
    def f(x: Any) -> Any:
        x += 1
        x[0] = 2.0
        return x * x

    t = Tensor(X, requires_grad=True)
    assert gradcheck(f, t, order=2).ok
    np.testing.assert_array_equal(t.data, X)
    assert t.grad is None
    big = RNG.standard_normal(300)
    assert str(gradcheck(np.exp, big, seed=3)) == str(gradcheck(np.exp, big, seed=3))
    places = [{f.place for f in gradcheck(np.exp, big, seed=s, entries=5).findings if f.kind == "entry"} for s in (1, 2)]
    assert places[0] != places[1]


def test_the_report_in_markdown() -> None:
    report = gradcheck(np.exp, X)
    assert report.markdown().startswith("| gradient | order | compared | by | difference | tolerance | verdict |\n| --- |")
    assert report._repr_markdown_().endswith("All 15 numbers agree.")
    assert repr(report) == str(report)


def test_rounding_can_hide_a_number() -> None:
    report = gradcheck(lambda x: 1e10 + x * x, 2.0)
    assert report.ok
    assert "hidden by rounding" in report.verdict()
    assert gradcheck(lambda x: np.sum(tg.softmax(x)), X).ok  # all zero


CALLS = count(1)
REFUSED: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "integers": (np.exp, np.arange(3), TensorTypeError, "input 0 is int64 and has no gradient"),
    "booleans": (np.exp, [X, X > 0], TensorTypeError, "input 1 is bool"),
    "empty": (np.exp, np.zeros((0, 2)), ShapeError, r"shape \(0, 2\) has no entries"),
    "none": (lambda: 1.0, [], ShapeError, "needs inputs"),
    "NaN": (np.exp, np.array([np.nan]), DataError, "NaN or infinity"),
    "outside the domain": (np.log, np.array([-1.0]), DataError, "not finite at these inputs"),
    "whole results": (lambda x: np.argmax(x), X, TensorTypeError, "no floating numbers"),
    "independent": (lambda x: np.ones(3), X, DataError, "does not depend on its inputs"),
    "random": (lambda x: x * RNG.standard_normal(), X, DataError, "another result when it is called again"),
    "random shape": (lambda x: np.sum(x) * np.ones(next(CALLS)), X, DataError, "another result"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unusable_input_is_refused(name: str) -> None:
    f, inputs, error, text = REFUSED[name]
    with pytest.raises(error, match=text):
        gradcheck(f, inputs)


def test_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="order 1 or 2"):
        gradcheck(np.exp, X, order=3)
    with pytest.raises(SettingError, match="draws"):
        gradcheck(np.exp, X, draws=0)


def test_dropout_asks_for_eval() -> None:
    layer = nn.Dropout(0.5, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match=r"model\.eval\(\)"):
        gradcheck(layer, X)
    layer.eval()
    assert gradcheck(layer, X).ok


# --- the quotient itself ------------------------------------------------------------------------------------------------


@given(st.floats(-1.5, 1.5), st.floats(0.1, 10), st.floats(-3, 3))
def test_a_kink_within_reach_never_hides_in_the_error(distance: float, jump: float, tilt: float) -> None:
    h = step_of(EPS)

    def f(t: float) -> np.ndarray:
        return np.array([tilt * t + jump * max(t - distance * h, 0.0)])

    found = slope(f, f(0.0), np.ones(1), h, np.full(1, 1e-18))
    right = tilt + jump * (distance < 0)
    wrong = abs(found.value - right)
    if distance == 0:
        wrong = min(wrong, abs(found.value - tilt - jump))
    assert wrong <= found.error + 1e-9


def test_the_page_prints_what_it_says() -> None:
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, attempted = doctest.testfile(str(ROOT / "docs" / "gradcheck.md"), module_relative=False, optionflags=options)
    assert attempted > 6
    assert failed == 0


def test_a_rule_that_raises() -> None:
    broken = own(lambda g, z, x: g * (1 / (0 if x.size > 1 else 1)), forward=lambda x: x * 1.0, name="raises_there")
    report = gradcheck(broken, X)
    assert report.fault is not None
    assert report.fault.operation == "raises_there"
    assert "division by zero" in str(report)
    with pytest.raises(GradientError):
        tg.grad(lambda x: np.sum(broken(x)))(X)


# --- digits that are lost inside ----------------------------------------------------------------------------------------


def naive_loss(x: Any) -> Any:
    return -np.log(1 - 1 / (1 + np.exp(-x)))


@pytest.mark.parametrize("x", [20.0, 25.74825412, 29.61688679, 32.0, 33.0, 34.14399354, 35.0, 36.0])
@pytest.mark.parametrize("seed", [0, 43, 105])
def test_a_staircase_of_rounding_is_not_judged(x: float, seed: int) -> None:
    report = gradcheck(naive_loss, np.array([x]), seed=seed, order=2)
    assert report.ok, report
    assert "hidden by rounding" in report.verdict()
    assert gradcheck(naive_loss, np.array([x, 19.5, 17.7]), seed=seed, order=2).ok


@pytest.mark.parametrize("x", [3.0, 8.0, 12.0, 15.0, 16.0])
def test_a_staircase_in_float32(x: float) -> None:
    assert gradcheck(naive_loss, np.array([x], np.float32)).ok


def test_a_staircase_beside_it_hides_no_other_number() -> None:
    x = np.array([1.0, 10.0, 20.0, 30.0])
    report = gradcheck(naive_loss, x)
    assert [f.status for f in report.findings if f.kind == "entry"][:2] == ["ok", "ok"]
    wrong = scaled_cube(1.001)
    assert not gradcheck(lambda x: naive_loss(x) + wrong(x), x).ok


@pytest.mark.parametrize("shift", [1e2, 1e4, 1e5, 1e6, 1e7])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_squares_that_cancel(shift: float, dtype: type) -> None:
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal((4, 3)).astype(dtype)
        assert gradcheck(lambda x: (x + shift) ** 2 - shift**2, x, order=2, seed=seed).ok


@pytest.mark.parametrize("shift", [1e2, 1e4, 1e5, 1e6])
def test_a_fault_shows_where_squares_cancel(shift: float) -> None:
    square = own(lambda g, z, x: g * (2.002 * x), forward=lambda x: x * x, name="square_wrong")
    report = gradcheck(lambda x: square(x + shift) - shift**2, X)
    assert not report.ok
    assert report.fault is not None
    assert report.fault.operation == "square_wrong"
    assert not gradcheck(lambda x: (np.asarray(x.data) + shift) * (x + shift) - shift**2, X).ok
