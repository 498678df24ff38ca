"""Edges of the engine that one test each holds: values, protocols, messages. Most were found by changing a line (tests/mutation.py)."""

from __future__ import annotations

import inspect
import math
import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from checking import call
from samples import SAMPLES

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, nn
from tinygrad_mlp.errors import ShapeError, TraceError, UnsupportedError, did_you_mean, in_short, require
from tinygrad_mlp.graph import CLOCK, calls_of, line_of, mark_call, nodes_in, topological
from tinygrad_mlp.namespace import NumPys
from tinygrad_mlp.primitive import TABLE


@pytest.mark.parametrize("name", TABLE)
def test_a_result_is_an_array_also_without_axes(name: str) -> None:
    """NumPy's reductions give scalars, which are no arrays: they have no memory of their own."""
    for sample in SAMPLES[name]:
        out = call(name, sample, [Tensor(a, requires_grad=True) for a in sample.inputs])
        assert type(out.array) is np.ndarray


def test_dlpack_hands_its_arguments_on() -> None:
    x = tg.asarray([1.0, 2.0])
    same = np.from_dlpack(x)
    assert np.shares_memory(same, x.data)
    assert not np.shares_memory(np.from_dlpack(x, copy=True), x.data)
    assert x.__dlpack__(dl_device=(1, 0), max_version=(1, 0)) is not None
    for refused in ({"dl_device": (2, 0)}, {"stream": 1}):
        with pytest.raises((BufferError, RuntimeError, ValueError)):
            x.__dlpack__(**refused)
    assert "versioned" in repr(x.__dlpack__(max_version=(1, 0)))
    assert "versioned" not in repr(x.__dlpack__(max_version=(0, 8)))
    with pytest.raises(BufferError, match=r"write t\.detach\(\)"):
        Tensor([1.0], requires_grad=True).__dlpack__()


@pytest.mark.parametrize("widths", [-1, 1.0, (1, -1), ((0, 0), (-2, 1)), 0.5])
def test_widths_of_pad_are_whole_numbers(widths: Any) -> None:
    with pytest.raises(ShapeError, match="whole numbers, 0 or larger, not"):
        tg.pad(Tensor(np.ones((2, 3)), requires_grad=True), widths)


def test_nodes_are_found_at_any_depth_in_their_order() -> None:
    a, b, c, d = (tg.asarray(float(i)) for i in range(4))
    assert [n is m for n, m in zip(nodes_in([a, {"k": (b, [c])}, 3, "text", d]), (a, b, c, d), strict=True)] == [True] * 4
    endless: list[Any] = [a]
    endless.append(endless)
    assert len(list(nodes_in(endless))) <= 10_000
    assert len(list(nodes_in([a] * 9_999))) == 9_999


class Lines:
    def __repr__(self) -> str:
        return "one\ntwo"


class WithForward:
    def __repr__(self) -> str:
        return "short"

    def forward(self) -> None: ...


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (WithForward(), "an object of type WithForward"),
        (Lines(), "an object of type Lines"),
        (object(), "an object of type object"),
        ("two\nlines", "'two\\nlines'"),
        ("x" * 1000, "an object of type str"),
        (np.ones(3), "an array of shape (3,)"),
        (tg.asarray([1.0]), "a Tensor of shape (1,)"),
        (WithForward, "the class WithForward"),
        ((1, 2), "(1, 2)"),
    ],
)
def test_what_was_given_in_short(value: Any, text: str) -> None:
    assert in_short(value) == text


def test_after_an_assignment_the_graph_holds_what_was_meant() -> None:
    """Drawings and derivations read a node's inputs, the sweep reads its edges: both are the versions of that time."""
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    t = 2 * x
    u = t * t + 1
    t[0] = 5.0
    nodes = list(topological((u * t).sum()))
    assert len(nodes) > 5
    for node in nodes:
        assert all(node.inputs[i] is x for i, x in node.edges)
        assert all(x.stamp < node.stamp for _, x in node.edges)


def test_the_error_function_is_right_to_the_last_places() -> None:
    x = np.concatenate([np.linspace(-6, 27, 20_001), [0.46875, -0.46875, 4, -4, 26.5, 30, 1e300, -1e300, 0, np.inf, -np.inf]])
    for ours, true in ((tg.erf(x), np.vectorize(math.erf)(x)), (tg.erfc(x), np.vectorize(math.erfc)(x))):
        normal = np.abs(true) > 1e-300
        np.testing.assert_allclose(ours[normal], true[normal], rtol=1.2e-15)
        np.testing.assert_allclose(ours[~normal], true[~normal], atol=1e-300)
    assert np.isnan(tg.erf(np.nan))


def test_calls_are_noted_on_what_they_made() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    before = 2 * x
    outer = next(CLOCK)
    inner = next(CLOCK)
    inside = before * before
    y = inside + before
    mark_call([y, "text"], "inner", inner)
    z = y * y
    mark_call({"z": z, "x": x}, "outer", outer)
    owners = [[call.owner for call in calls_of(node)] for node in (z, y, inside, before, x)]
    assert owners == [["outer"], ["outer", "inner"], ["inner"], [], []]
    call = next(calls_of(z))
    assert call.start == outer
    assert outer < inner < next(calls_of(inside)).stop < call.stop
    assert call.thread == threading.get_ident()
    mark_call(x, "nothing was made", next(CLOCK))
    mark_call("text", "no node", next(CLOCK))
    assert list(calls_of(x)) == []


SENTENCES: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: nn.cross_entropy(np.ones((2, 3)), np.zeros((4, 1), int)),
        "labels of shape (4, 1) do not fit predictions of shape (2, 3): expected one integer a row, shape (2,) (write y.reshape(-1) "
        "for a column, y.argmax(-1) for one-hot rows)",
    ),
    (
        lambda: nn.cross_entropy(np.ones((2, 3)), [1.0, 0.0]),
        "class labels must be integers, one a row, but they are float64: write y.argmax(-1) for one-hot rows, y.astype(int) for whole numbers",
    ),
    (lambda: nn.cross_entropy(np.ones((2, 3)), [0, 5]), "label 5 is out of range: 3 classes are numbered 0 to 2"),
    (lambda: nn.mse_loss(np.ones(2), np.ones((2, 1))), "predictions of shape (2,) and targets of shape (2, 1) differ: write y.reshape((2,))"),
    (
        lambda: tg.concat([]),
        "concat() takes a list of arrays, at least one: write concat([x, y], axis=0)",
    ),
    (
        lambda: tg.conv_weight(np.ones((2, 4, 5)), np.ones((2, 4, 4)), size=2, groups=(2,)),
        "groups is one whole number from 1 up (got (2,))",
    ),
    (
        lambda: tg.conv_weight(np.ones((2, 4, 5)), np.ones((2, 4, 3)), size=2),
        "conv_weight: x of shape (2, 4, 5) has (4,) windows of (2,), but y has shape (2, 4, 3)",
    ),
    (
        lambda: tg.conv_weight(np.ones((2, 3, 5)), np.ones((2, 4, 4)), size=2, groups=2),
        "conv_weight takes x and y of shape (samples, channels, *spatial) with the same samples, and channels that can be split into "
        "groups=2: not the shapes (2, 3, 5) and (2, 4, 4)",
    ),
    (
        lambda: tg.ones((2, 3)) @ np.ones((4, 5)),
        "matmul(float64[2, 3], float64[4, 5]) failed: shapes (2, 3) and (4, 5) do not fit, 3 columns meet 4 rows; write 4 columns on the left "
        "or 3 rows on the right",
    ),
    (
        lambda: tg.ones((2, 3)) @ np.ones((5, 3)),
        "matmul(float64[2, 3], float64[5, 3]) failed: shapes (2, 3) and (5, 3) do not fit, 3 columns meet 5 rows; write 5 columns on the left "
        "or 3 rows on the right, or transpose one side with .mT",
    ),
    (
        lambda: tg.ones((5, 3)) @ np.ones((5, 4)),
        "matmul(float64[5, 3], float64[5, 4]) failed: shapes (5, 3) and (5, 4) do not fit, 3 columns meet 5 rows; write 5 columns on the left "
        "or 3 rows on the right, or transpose one side with .mT",
    ),
    (
        lambda: tg.ones((3,)) @ np.ones((5,)),
        "matmul(float64[3], float64[5]) failed: shapes (3,) and (5,) do not fit, 3 columns meet 5 rows; write 5 columns on the left "
        "or 3 rows on the right",
    ),
    (
        lambda: tg.linear(tg.ones((2, 3)), np.ones((3, 4)), np.ones(5)),
        "linear(float64[2, 3], float64[3, 4], float64[5]) failed: a bias of shape (5,) does not fit weights of shape (3, 4): it needs shape (4,)",
    ),
    (
        lambda: tg.linear(tg.ones((2, 3)), np.ones(3), np.ones(5)),
        "linear(float64[2, 3], float64[3], float64[5]) failed: a bias of shape (5,) does not fit weights of shape (3,): it needs shape ()",
    ),
    (
        lambda: tg.linear(tg.ones((2, 3)), np.ones((7, 3, 4)), np.ones(5)),
        "linear(float64[2, 3], float64[7, 3, 4], float64[5]) failed: a bias of shape (5,) does not fit weights of shape (7, 3, 4): "
        "it needs shape (4,)",
    ),
    (
        lambda: np.linalg.cond(tg.ones((0, 3))),
        "matrices without entries have no condition number: the shape is (0, 3)",
    ),
    (
        lambda: tg.ones((2, 3)) + np.ones((4,)),
        "add(float64[2, 3], float64[4]) failed: shapes (2, 3) and (4,) do not broadcast together; axes are matched from the right and must be "
        "equal or 1: reshape one of them, or add an axis with x[:, None]",
    ),
    (
        lambda: tg.linalg.outer(np.ones((2, 2)), np.ones(3)),
        "linalg.outer takes two vectors, not shapes (2, 2) and (3,): np.outer flattens them",
    ),
    (
        lambda: tg.zeros(3).__setitem__(5, 1.0),
        "setitem(float64[3], 1.0, index=5) failed: index 5 is out of bounds for axis 0 with size 3",
    ),
    (lambda: tg.gradients(1.0, tg.ones(1)), "gradients() are those of a Tensor, not of a float"),
    (
        lambda: require("no_such_module.part", "demos", "a picture"),
        "a picture needs the package 'no_such_module', which is not installed: pip install 'tinygrad_mlp[demos]'",
    ),
    (
        lambda: tg.linear(tg.ones((2, 3)), np.ones((3, 4, 5)), np.ones(4)),
        "linear(float64[2, 3], float64[3, 4, 5], float64[4]) failed: shapes (2, 3) and (3, 4, 5) do not fit, 3 columns meet 4 rows; write 4 "
        "columns on the left or 3 rows on the right",
    ),
    (lambda: tg.clip(), "clip() takes 3 arrays, but 0 were given by position"),
    (lambda: tg.sum(), "sum() takes 1 array and the parameters axis, dtype, keepdims, but 0 were given by position"),
    (lambda: tg.exp(1.0, 2.0), "exp() takes 1 array, but 2 were given by position"),
    (lambda: tg.sum(np.ones(2), 0, axis=0), "sum() got 'axis' twice, by position and by name"),
    (lambda: tg.reshape(np.ones(2)), "reshape() needs the parameter 'shape': write reshape(…, shape=…)"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "sentence"), SENTENCES, ids=[sentence[:30] for _, sentence in SENTENCES])
def test_the_whole_sentence(wrong: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(Exception, match=f"^{re.escape(sentence)}$"):
        wrong()


@pytest.mark.parametrize("name", ["quantile", "percentile", "nanquantile", "nanpercentile"])
@pytest.mark.parametrize("method", ["linear", "lower", "higher", "nearest", "midpoint", "median_unbiased", "weibull", "hazen"])
def test_quantiles_of_arrays_have_numpys_values_and_shapes(name: str, method: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 5))
    x[0, 1, 2] = np.nan if name.startswith("nan") else 0.5
    numpys = getattr(np, name)
    for axis in (None, 0, 1, -1, (0, 2)):
        for q in (0.3, np.array([0.0, 0.25, 0.9]), np.array([[0.5, 1.0], [0.2, 0.7]])):
            times = 100 if name.endswith("percentile") else 1
            for keepdims in (False, True):
                arguments = {"axis": axis, "method": method, "keepdims": keepdims}
                found = getattr(tg, name)(Tensor(x, requires_grad=True), q * times, **arguments)
                each = np.array(
                    [numpys(x, one * times, **arguments) for one in np.ravel(q)]
                )  # all at once nanquantile mixes up axes
                np.testing.assert_allclose(found.data, each.reshape((*np.shape(q), *each.shape[1:])), rtol=1e-12, atol=1e-14)


def test_a_long_tensor_shows_three_numbers_of_each_end() -> None:
    x = tg.asarray(np.arange(65) / 4)
    assert repr(x) == "Tensor([ 0.  ,  0.25,  0.5 , ..., 15.5 , 15.75, 16.  ], shape=(65,), dtype=float64)"
    assert "..." not in repr(x[:64])
    assert repr(tg.ones((2, 2))).splitlines() == ["Tensor([[1., 1.],", "        [1., 1.]], shape=(2, 2), dtype=float64)"]


READS: dict[str, Callable[[Tensor], Any]] = {
    "data": lambda t: t.data, "numpy": lambda t: t.numpy(), "item": lambda t: t.item(), "tolist": lambda t: t.tolist(), "in": lambda t: 1.0 in t,
    "bool": bool, "float": float, "int": int, "Tensor": Tensor,
}  # fmt: skip


@pytest.mark.parametrize("name", READS)
def test_numbers_cannot_be_read_while_a_function_is_traced(name: str) -> None:
    w = tg.asarray([2.0])

    def f(x: Any) -> Any:
        READS[name](w)
        return x * w

    with pytest.raises(TraceError):
        tg.compile(f)(Tensor([1.0, 2.0]))
    READS[name](w)  # else they can


UFUNCS = sorted({f.__name__: f for f in vars(np).values() if isinstance(f, np.ufunc)}.items())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.bool_])
@pytest.mark.parametrize(("name", "ufunc"), UFUNCS, ids=[name for name, _ in UFUNCS])
def test_every_ufunc_gives_numpys_result_or_its_refusal(name: str, ufunc: np.ufunc, dtype: Any) -> None:
    arrays = [np.array([[0.25, 0.75], [0.5, 2.0]]).astype(dtype), np.array([[2, 1], [1, 0.5]]).astype(dtype)][: ufunc.nin]
    tensors = [tg.asarray(a) for a in arrays]
    try:
        expected = ufunc(*arrays)
    except TypeError:
        with pytest.raises(TypeError, match=name.rstrip("_") if name != "arctan2" else "atan2"):
            ufunc(*tensors)
        return
    if name in ("frexp", "spacing"):
        with pytest.raises(UnsupportedError, match=f"np.{name} has no derivative rule in tinygrad_mlp"):
            ufunc(*tensors)
        return
    found = ufunc(*tensors)
    for ours, theirs in zip(*((r if isinstance(r, tuple) else (r,)) for r in (found, expected)), strict=True):
        assert isinstance(ours, Tensor)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours.data, theirs)


def test_the_pass_of_a_recorded_gradient_is_noted_on_its_own_nodes() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = np.sum(x * x * x)
    before = set(topological(y))
    g = tg.gradients(y, x, create_graph=True)
    assert not any(call.owner == "backward" for node in before for call in calls_of(node))
    new = [node for node in topological(g) if node.op is not None and node not in before]
    assert len(new) > 2
    assert all({call.owner for call in calls_of(node)} == {"backward"} for node in new)


def test_up_to_forty_names_are_listed() -> None:
    names = [f"n{i}" for i in range(41)]
    assert str(did_you_mean("thing", "zebra", names[:40])) == f"unknown thing 'zebra': known are {', '.join(names[:40])}"
    assert str(did_you_mean("thing", "zebra", names)) == "unknown thing 'zebra': known are 41 names, see help()"


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf, None])
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (2, 0, 3), (2, 3, 3)])
def test_norms_of_empty_matrices_are_numpys(shape: tuple[int, ...], ord: Any) -> None:
    x = np.arange(float(np.prod(shape))).reshape(shape)
    for keepdims in (False, True):
        try:
            expected = np.linalg.norm(x, ord, axis=(-2, -1), keepdims=keepdims)
        except ValueError:
            with pytest.raises(ValueError, match=r"zero-size|empty|no "):
                tg.linalg.norm(Tensor(x), ord, axis=(-2, -1), keepdims=keepdims)
            continue
        np.testing.assert_allclose(tg.linalg.norm(Tensor(x), ord, axis=(-2, -1), keepdims=keepdims).data, expected)


def test_no_correlation_leaves_its_bounds_by_rounding() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        z = rng.standard_normal(5) + 1j * rng.standard_normal(5)
        for x in (z, z.real):
            for factor in (3.7, -3.7, 3.7j, -3.7j):
                r = np.asarray(tg.corrcoef(x, x * factor))
                for part in (r.real, r.imag):
                    assert -1 <= part.min() <= part.max() <= 1


@pytest.mark.parametrize("wrong", [(), (3.0,), ([],), ((),), (np.ones((0, 2)),)], ids=repr)
def test_a_list_of_arrays_is_needed(wrong: tuple[Any, ...]) -> None:
    for name in ("concat", "stack"):
        with pytest.raises(
            TypeError, match=rf"^{name}\(\) takes a list of arrays, at least one: write {name}\(\[x, y\], axis=0\)$"
        ):
            getattr(tg, name)(*wrong)
    assert tg.concat(iter([np.ones(1), np.ones(2)])).shape == (3,)


def test_a_node_knows_its_line() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    lines = [line_of(node) for node in (x * 2, np.exp(x))]
    first = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
    y = [
        x + 1,
        x - 1,
    ]
    lines += [line_of(node) for node in y]
    assert lines == [f"{__file__}:{first + n}" for n in (0, 0, 3, 4)]


def test_functions_without_derivative_wrap_what_is_an_array() -> None:
    x = tg.asarray([1.0, np.nan])
    assert isinstance(NumPys("isnan")(x), Tensor)
    assert isinstance(NumPys("isnan")(x.data), np.ndarray)
    assert isinstance(NumPys("zeros")(3), Tensor)
    assert NumPys("allclose")(x, x) is False
    assert NumPys("isnan").__doc__ == "NumPy's ``isnan``; the result carries no gradient."
    with pytest.raises(AttributeError, match=r"^NumPy [\d.]+\S* has no nothing_such$"):
        NumPys("nothing_such")
    with pytest.raises(UnsupportedError, match=r"^tg\.linspace\(\) makes constants, and this tensor would leave its graph"):
        NumPys("linspace")(0, Tensor(1.0, requires_grad=True), num=3)


@pytest.mark.parametrize("method", ["lower", "higher", "nearest", "midpoint", "linear"])
def test_quantiles_between_two_numbers(method: str) -> None:
    """Places that end in a half, exactly: the nearest one is the even one."""
    x, q = np.array([3.0, 1.0, 0.0, 2.0, 4.0]), np.array([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.875, 1])
    np.testing.assert_array_equal(tg.quantile(Tensor(x), q, method=method).data, np.quantile(x, q, method=method))
