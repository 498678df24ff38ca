"""Convolution and pooling: against loops, against a matrix, against PyTorch; the transposes; layers, errors; faults that are planted."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from checking import check_first_order, check_second_order
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import SAMPLES
from samples.convolution import CONVOLUTIONS, POOLS, TRANSPOSED

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients, nn, optim
from tinygrad_mlp.errors import GradientError, SettingError, ShapeError, TensorTypeError, UnknownNameError, UnsupportedError
from tinygrad_mlp.kernels import convolution as kernel
from tinygrad_mlp.kernels import pooling as pooling_kernel
from tinygrad_mlp.kernels import windows as windows_kernel
from tinygrad_mlp.primitive import TABLE

Array = np.ndarray
DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1}


def per_axis(value: Any, n: int) -> tuple[int, ...]:
    return (value,) * n if isinstance(value, int) else tuple(value)


def by_loops(x: Array, w: Array, *, groups: int = 1, **given: Any) -> Array:
    """The definition, entry by entry."""
    n = x.ndim - 2
    stride, padding, dilation = (per_axis({**DEFAULTS, **given}[name], n) for name in DEFAULTS)
    lengths = [(x.shape[2 + a] + 2 * padding[a] - dilation[a] * (w.shape[2 + a] - 1) - 1) // stride[a] + 1 for a in range(n)]
    z = np.zeros((len(x), len(w), *lengths))
    for m, o, *t in np.ndindex(*z.shape):
        first = o // (len(w) // groups) * w.shape[1]
        for c, *k in np.ndindex(*w.shape[1:]):
            at = [t[a] * stride[a] + k[a] * dilation[a] - padding[a] for a in range(n)]
            if all(0 <= i < length for i, length in zip(at, x.shape[2:], strict=True)):
                z[(m, o, *t)] += w[(o, c, *k)] * x[(m, first + c, *at)]
    return z


def pooled_by_loops(
    x: Array, function: Callable[[list[float]], float], *, size: Any, stride: Any = None, padding: Any = 0
) -> Array:
    """A function of the entries of each window that are inside."""
    n = x.ndim - 2
    size, padding = per_axis(size, n), per_axis(padding, n)
    stride = size if stride is None else per_axis(stride, n)
    lengths = [(x.shape[2 + a] + 2 * padding[a] - size[a]) // stride[a] + 1 for a in range(n)]
    z = np.zeros((*x.shape[:2], *lengths))
    for m, c, *t in np.ndindex(*z.shape):
        inside = []
        for k in np.ndindex(*size):
            at = [t[a] * stride[a] + k[a] - padding[a] for a in range(n)]
            if all(0 <= i < length for i, length in zip(at, x.shape[2:], strict=True)):
                inside.append(x[(m, c, *at)])
        z[(m, c, *t)] = function(inside)
    return z


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


# --- the definition -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("x_shape", "w_shape", "params"), CONVOLUTIONS)
def test_conv_is_its_definition(x_shape: tuple[int, ...], w_shape: tuple[int, ...], params: dict[str, Any]) -> None:
    x, w, b = normal(*x_shape), normal(*w_shape, seed=1), normal(w_shape[0], seed=2)
    expected = by_loops(x, w, **params)
    np.testing.assert_allclose(tg.conv(x, w, **params), expected, rtol=1e-12, atol=1e-12)
    with_bias = expected + b.reshape(-1, *(1,) * (x.ndim - 2))
    np.testing.assert_allclose(tg.conv(x, w, b, **params), with_bias, rtol=1e-12, atol=1e-12)


@st.composite
def geometries(draw: Any) -> tuple[Array, Array, dict[str, Any]]:
    """x, w and settings that fit together."""
    n = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(n))  # noqa: E731
    size, stride, padding, dilation = each(1, 3), each(1, 3), each(0, 2), each(1, 2)
    lengths = tuple(
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 3)) for k, p, d in zip(size, padding, dilation, strict=True)
    )
    x = normal(draw(st.integers(0, 3)), groups * draw(st.integers(1, 2)), *lengths)
    w = normal(groups * draw(st.integers(1, 2)), x.shape[1] // groups, *size, seed=1)
    return x, w, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


@settings(max_examples=60, deadline=None)
@given(geometries())
def test_the_three_maps_are_transposes_of_each_other(case: tuple[Array, Array, dict[str, Any]]) -> None:
    """⟨conv(x, w), g⟩ = ⟨x, conv_transpose(g, w)⟩ = ⟨w, conv_weight(x, g)⟩, whatever the settings."""
    x, w, params = case
    z = tg.conv(x, w, **params)
    np.testing.assert_allclose(z, by_loops(x, w, **params), rtol=1e-11, atol=1e-11)
    g = normal(*z.shape, seed=2)
    dx, dw = gradients(tg.conv(*(xs := [Tensor(a, requires_grad=True) for a in (x, w)]), **params), xs, seed=g)
    np.testing.assert_allclose([np.sum(x * dx), np.sum(w * dw)], np.sum(z * g), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dw, tg.conv_weight(x, g, size=w.shape[2:], **params), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("x_shape", "w_shape", "params"), TRANSPOSED)
def test_conv_transpose_adds_each_entry_to_a_window(x_shape: Any, w_shape: Any, params: dict[str, Any]) -> None:
    x, w = normal(*x_shape), normal(*w_shape, seed=1)
    z = tg.conv_transpose(x, w, **params)
    back = {name: value for name, value in params.items() if name != "output_padding"}
    y = normal(*z.shape, seed=2)
    np.testing.assert_allclose(np.sum(z * y), np.sum(x * by_loops(y, w, **back)), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("columns", [1, 1 << 8, 1 << 18])
@pytest.mark.parametrize("few", [0, 4, 1 << 30])
def test_how_the_work_is_divided_changes_nothing(columns: int, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = normal(5, 4, 6, 7), normal(6, 2, 3, 2, seed=1)
    for params in ({"groups": 2, "padding": 1}, {"groups": 2, "stride": 2}):
        z = tg.conv(x, w, **params)
        g = normal(*z.shape, seed=2)
        compute = lambda params=params, g=g: (  # noqa: E731
            tg.conv(x, w, **params), tg.conv_transpose(g, w, **params), tg.conv_weight(x, g, size=(3, 2), **params)
        )  # fmt: skip
        expected = compute()
        with monkeypatch.context() as patch:
            patch.setattr(kernel, "COLUMNS", columns)
            patch.setattr(kernel, "FEW", few)
            for found, wanted in zip(compute(), expected, strict=True):
                np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_a_convolution_is_a_linear_layer_with_shared_weights() -> None:
    """Values and all gradients of x M + b, where M holds each weight in many places; its gradient is summed over these."""
    x, w, b = normal(3, 2, 4, 5), normal(3, 2, 3, 2, seed=1), normal(3, seed=2)
    where = np.zeros((2, 4, 5, 3, 2, 4, w.size))  # which weight stands between an input and an output
    number = np.arange(w.size).reshape(w.shape)
    for o, i, j, c, a, d in itertools.product(range(3), range(2), range(4), range(2), range(3), range(2)):
        where[c, i + a, j + d, o, i, j, number[o, c, a, d]] = 1
    flat = where.reshape(40, 24, -1)
    inputs = [Tensor(v, requires_grad=True) for v in (x, w, b)]
    z = tg.conv(*inputs)
    dense = tg.linear(
        tg.reshape(inputs[0], (3, 40)), tg.einsum("ijk,k->ij", flat, tg.reshape(inputs[1], -1)), tg.repeat(inputs[2], 8)
    )
    np.testing.assert_allclose(np.reshape(z.data, (3, 24)), dense.data, rtol=1e-12, atol=1e-12)
    g = normal(*z.shape, seed=3)
    for ours, theirs in zip(gradients(z, inputs, seed=g), gradients(dense, inputs, seed=g.reshape(3, 24)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


# --- PyTorch --------------------------------------------------------------------------------------------------------------------


def oracle() -> Any:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("the optional oracle torch is not installed")
    return importlib.import_module("torch")


def compared(ours: Callable[..., Any], theirs: Callable[..., Any], arrays: list[Array]) -> None:
    """Values, gradients, and the gradients of a function of these."""
    torch = oracle()
    xs, ts = [Tensor(a, requires_grad=True) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
    z, t = ours(*xs), theirs(*ts)
    np.testing.assert_allclose(z.data, t.detach().numpy(), rtol=1e-10, atol=1e-11)
    w = normal(*z.shape, seed=9)
    first = gradients(z, xs, seed=w, create_graph=True)
    expected = torch.autograd.grad(t, ts, torch.tensor(w), create_graph=True)
    for g, e in zip(first, expected, strict=True):
        np.testing.assert_allclose(g.data, e.detach().numpy(), rtol=1e-9, atol=1e-10)
    loss = sum(((g * g * g).sum() for g in first), Tensor(0.0))
    second = torch.autograd.grad(sum((e**3).sum() for e in expected), ts, allow_unused=True)
    for g, e in zip(gradients(loss, xs), second, strict=True):
        np.testing.assert_allclose(g, np.zeros(g.shape) if e is None else e.numpy(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("x_shape", "w_shape", "params"), CONVOLUTIONS)
def test_conv_agrees_with_pytorch(x_shape: Any, w_shape: Any, params: dict[str, Any]) -> None:
    f = getattr(oracle().nn.functional, f"conv{len(x_shape) - 2}d")
    arrays = [normal(*x_shape), normal(*w_shape, seed=1), normal(w_shape[0], seed=2)]
    compared(lambda *xs: tg.conv(*xs, **params), lambda *ts: f(*ts, **params), arrays)


@pytest.mark.parametrize(("x_shape", "w_shape", "params"), TRANSPOSED)
def test_conv_transpose_agrees_with_pytorch(x_shape: Any, w_shape: Any, params: dict[str, Any]) -> None:
    f = getattr(oracle().nn.functional, f"conv_transpose{len(x_shape) - 2}d")
    arrays = [normal(*x_shape), normal(*w_shape, seed=1), normal(w_shape[1] * params.get("groups", 1), seed=2)]
    compared(lambda *xs: tg.conv_transpose(*xs, **params), lambda *ts: f(*ts, **params), arrays)


@pytest.mark.parametrize(("shape", "params"), POOLS)
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pooling_agrees_with_pytorch(kind: str, shape: tuple[int, ...], params: dict[str, Any]) -> None:
    f = getattr(oracle().nn.functional, f"{kind}_pool{len(shape) - 2}d")
    theirs = {"kernel_size" if name == "size" else name: value for name, value in params.items()}
    ours, x = tg.max_pool if kind == "max" else tg.avg_pool, [normal(*shape)]
    for more in ({}, {"count_include_pad": False}) if kind == "avg" else ({},):
        compared(lambda x, more=more: ours(x * x, **params, **more), lambda t, more=more: f(t * t, **theirs, **more), x)


def test_weights_can_be_copied_from_pytorch() -> None:
    torch = oracle()
    theirs = torch.nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2)
    ours = nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = normal(2, 4, 7, 8).astype(np.float32)
    np.testing.assert_allclose(ours(x).data, theirs(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5)


# --- pooling --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "params"), POOLS)
def test_pooling_is_its_definition(shape: tuple[int, ...], params: dict[str, Any]) -> None:
    x = normal(*shape)
    size = int(np.prod(per_axis(params["size"], x.ndim - 2)))
    np.testing.assert_array_equal(tg.max_pool(x, **params), pooled_by_loops(x, max, **params))
    mean = lambda values: sum(values) / size  # noqa: E731
    np.testing.assert_allclose(tg.avg_pool(x, **params), pooled_by_loops(x, mean, **params), rtol=1e-12, atol=1e-14)
    inside = tg.avg_pool(x, **params, count_include_pad=False)
    np.testing.assert_allclose(inside, pooled_by_loops(x, lambda v: sum(v) / len(v), **params), rtol=1e-12, atol=1e-14)


def test_a_tie_in_a_window_shares_the_gradient_as_max_does() -> None:
    x = Tensor(np.array([[[1.0, 3.0, 3.0, 3.0, 0.0, 0.0]]]), requires_grad=True)
    np.testing.assert_array_equal(gradients(tg.max_pool(x, size=3).sum(), x), [[[0, 0.5, 0.5, 1, 0, 0]]])
    by_max = tg.max(tg.reshape(x, (2, 3)), axis=1).sum()
    np.testing.assert_array_equal(gradients(tg.max_pool(x, size=3).sum(), x), gradients(by_max, x))
    shared = [0, 1 / 2 + 1 / 3, 1 / 2 + 1 / 3 + 1 / 2, 1 / 3 + 1 / 2 + 1, 0, 0]
    np.testing.assert_allclose(gradients(tg.max_pool(x, size=3, stride=1).sum(), x), [[shared]], rtol=1e-15)


def test_nan_and_infinity_in_a_window() -> None:
    x = Tensor(np.array([[[1.0, np.nan, -np.inf, -np.inf]]]), requires_grad=True)
    z = tg.max_pool(x, size=2)
    np.testing.assert_array_equal(z.data, [[[np.nan, -np.inf]]])
    np.testing.assert_array_equal(gradients(z, x, seed=np.ones((1, 1, 2))), [[[0, 1, 0.5, 0.5]]])
    border = tg.max_pool(x[..., 2:], size=2, padding=1)  # what is beyond the border takes no part
    np.testing.assert_array_equal(gradients(border, x, seed=np.ones((1, 1, 2))), [[[0, 0, 1, 1]]])


def test_an_infinite_gradient_reaches_the_maxima_only() -> None:
    x = Tensor(np.array([[[1.0, 2.0, 3.0, 4.0]]]), requires_grad=True)
    np.testing.assert_array_equal(gradients(tg.max_pool(x, size=2), x, seed=np.array([[[np.inf, 1.0]]])), [[[0, np.inf, 0, 1]]])


def test_whole_numbers_and_truth_values_are_pooled() -> None:
    x = np.arange(-8, 8).reshape(1, 1, 4, 4)
    np.testing.assert_array_equal(tg.max_pool(x, size=2, padding=1), pooled_by_loops(x, max, size=2, padding=1))
    np.testing.assert_array_equal(tg.max_pool(x > 3, size=2), [[[[False, False], [True, True]]]])
    np.testing.assert_array_equal(tg.conv(x, np.ones((1, 1, 2, 2), int)), by_loops(x, np.ones((1, 1, 2, 2))))


def test_lists_are_taken_as_arrays() -> None:
    row = [[[1.0, 3.0, 2.0]]]
    np.testing.assert_array_equal(tg.conv(row, [[[1.0, 1.0]]], [1.0]), [[[5.0, 6.0]]])
    np.testing.assert_array_equal(tg.conv_transpose(row, [[[1.0, 1.0]]]), [[[1.0, 4.0, 5.0, 2.0]]])
    np.testing.assert_array_equal(tg.max_pool(row, size=2, stride=1), [[[3.0, 3.0]]])
    np.testing.assert_array_equal(tg.fold(tg.windows(row, size=2), shape=3), [[[1.0, 6.0, 2.0]]])


def test_windows_are_numpys_and_fold_is_their_sum() -> None:
    x = normal(2, 5, 4)
    views = np.lib.stride_tricks.sliding_window_view
    np.testing.assert_array_equal(tg.windows(x, size=(3, 2)), views(x, (3, 2), (1, 2)))
    for shape, axis in (((2, 2), (1, 1)), ((3, 2), (2, 0)), ((2, 3, 1), None), (2, 1)):
        np.testing.assert_array_equal(tg.sliding_window_view(x, shape, axis), views(x, shape, axis))  # type: ignore[call-overload]
    times = tg.fold(tg.windows(np.ones((5, 4)), size=(3, 2)), shape=(5, 4))
    np.testing.assert_array_equal(times, np.outer([1, 2, 3, 2, 1], [1, 2, 2, 1]))


# --- layers -----------------------------------------------------------------------------------------------------------------------


def small_network(dtype: Any = np.float64) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same", dtype=dtype, rng=0), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, dtype=dtype, rng=1), nn.Tanh(), nn.AvgPool2d(2, stride=1), nn.Flatten(), nn.Linear(6, 3, dtype=dtype, rng=2),
    )  # fmt: skip


IMAGES, LABELS = normal(6, 1, 10, 11), np.arange(6) % 3


def test_the_gradient_of_a_network_is_that_of_differences() -> None:
    model = small_network()
    assert tg.check.gradcheck(lambda x: nn.cross_entropy(model(x), LABELS), (IMAGES,))


@pytest.mark.parametrize("exact", [True, False])
def test_a_compiled_step_trains_like_the_engine(exact: bool) -> None:
    model, twin = small_network(np.float32), small_network(np.float32)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    step = tg.compile(lambda X, y: nn.cross_entropy(twin(X), y), optim.SGD(twin.parameters(), lr=0.1), exact=exact)
    X = IMAGES.astype(np.float32)
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(X), LABELS)
        loss.backward()
        optimizer.step()
        value = step(X, LABELS)
        assert value == float(loss) if exact else np.isclose(value, float(loss), rtol=1e-5)
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, q.data) if exact else np.testing.assert_allclose(p.data, q.data, rtol=1e-4, atol=1e-6)


def test_the_written_source_computes_the_same_bits() -> None:
    from derivations import execute

    model = small_network()
    derivation = tg.derive(lambda X, y: nn.cross_entropy(model(X), y), IMAGES, LABELS)
    loss, found = execute(derivation)
    expected = nn.cross_entropy(model(IMAGES), LABELS)
    expected.backward()
    assert loss == float(expected)
    assert list(found) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    for p, g in zip(model.parameters(), found.values(), strict=True):
        np.testing.assert_array_equal(p.grad, g)
    assert "Z1 = conv(X, W1, b1" in derivation.source()
    assert r"\operatorname{conv}\left(X, W_1, b_1; \mathrm{padding}=1\right)" in derivation.latex()


def test_a_network_is_drawn_with_the_formulas_of_its_rules() -> None:
    text = tg.draw(nn.cross_entropy(small_network()(IMAGES), LABELS)).svg
    for formula in (
        "dx = conv_transpose(g, w; stride=2",
        "dw = conv_weight(x, g; size=(3, 3)",
        "dx = max_spread(g, z, x; size=2)",
        "db = Σᵢₖₗ g",
    ):
        assert formula in text


def test_hessian_times_vector() -> None:
    x, w, v = normal(2, 2, 5, 4), normal(3, 2, 3, 3, seed=1), normal(2, 2, 5, 4, seed=2)
    f = lambda x: tg.sum(tg.conv(x, w, padding=1) ** 3)  # noqa: E731
    slope, h = tg.grad(f), 1e-5
    (found,) = tg.hvp(f, (x,), (v,))
    np.testing.assert_allclose(found, (slope(x + h * v) - slope(x - h * v)) / (2 * h), rtol=1e-5, atol=1e-6)


def test_a_network_learns_where_the_bright_pixel_is() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 200)
    X = 0.3 * rng.standard_normal((200, 1, 8, 8)).astype(np.float32)
    X[np.arange(200), 0, 1 + 4 * (labels // 2), 1 + 4 * (labels % 2)] += 2
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, rng=0), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(16, 4, rng=1))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.cross_entropy(model(X[:150]), labels[:150]).backward()
        optimizer.step()
    assert np.mean(np.argmax(model(X[150:]).data, axis=1) == labels[150:]) > 0.9


def test_layers_say_what_they_are() -> None:
    assert repr(nn.Conv2d(4, 6, (3, 2), stride=2, groups=2, bias=False, rng=0)).startswith(
        "Conv2d(4, 6, (3, 2), stride=2, groups=2, bias=False)"
    )
    assert repr(nn.MaxPool2d(3, stride=2, padding=1)) == "MaxPool2d(3, stride=2, padding=1)"
    assert repr(nn.AvgPool1d(2, count_include_pad=False)) == "AvgPool1d(2, count_include_pad=False)"
    layer = nn.Conv3d(2, 4, 3, padding=(1, 0, 2), dilation=(1, 2, 1), rng=0)
    x = np.zeros((2, 2, 5, 6, 7), np.float32)
    assert layer.output_shape(x.shape) == layer(x).shape
    assert {name: value.shape for name, value in layer.state_dict().items()} == {"weight": (4, 2, 3, 3, 3), "bias": (4,)}
    for pool in (nn.MaxPool1d(2), nn.MaxPool3d(2), nn.AvgPool1d(2), nn.AvgPool3d(2)):
        y = np.zeros((2, 3, 6, 4, 8)[: pool.axes + 2])
        assert pool.output_shape(y.shape) == pool(y).shape
    assert nn.Conv2d(3, 5, (3, 5), padding="same", dilation=2, rng=0).padding == (2, 4)
    assert nn.Conv2d(3, 5, 4, padding="valid", rng=0).padding == (0, 0)


def test_initial_weights_have_the_variance_of_their_fans() -> None:
    assert nn.init.fans((32, 16, 3, 5)) == (240, 480)
    assert nn.init.fans((784, 128)) == (784, 128)
    for init, variance in (("he_normal", 2 / 144), ("glorot_uniform", 2 / (144 + 288)), ("lecun_normal", 1 / 144)):
        weight = nn.Conv2d(16, 32, 3, init=init, rng=0).weight.data
        assert np.isclose(np.var(weight), variance, rtol=0.05)
        assert weight.dtype == np.float32


# --- errors -----------------------------------------------------------------------------------------------------------------------

LAYER = nn.Conv2d(3, 8, 3, rng=0)
ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: nn.Conv2d(1, 8, 3, rng=0)(np.ones((5, 28, 28))), ShapeError, r"takes x of shape \(samples, 1, height, width\), not \(5, 28, 28\): write x\[:, None\]"),
    (lambda: nn.Conv2d(1, 8, 3, rng=0)(np.ones((5, 784))), ShapeError, r"write x\.reshape\(-1, 1, 28, 28\)"),
    (lambda: LAYER(np.ones((3, 28, 28))), ShapeError, r"write x\[None\]"),
    (lambda: LAYER(np.ones((5, 28, 28, 3))), ShapeError, r"channels come second here: write np\.moveaxis\(x, -1, 1\)"),
    (lambda: LAYER(np.ones((5, 4, 9, 9))), ShapeError, r"write a layer with in_channels=4"),
    (lambda: LAYER(np.ones((5, 3, 2, 9))), ShapeError, r"a window of \(3, 3\) does not fit into \(2, 9\): write a smaller window, or padding=\(1, 0\)"),
    (lambda: nn.Conv2d(3, 8, 3, groups=2), SettingError, r"groups=2 must divide in_channels=3 and out_channels=8"),
    (lambda: nn.Conv2d(0, 8, 3), SettingError, r"in_channels is a whole number from 1 up \(got 0\)"),
    (lambda: nn.Conv2d(1, 8, (3, 3, 3)), SettingError, r"kernel_size is a whole number from 1 up, or a tuple of 2"),
    (lambda: nn.Conv2d(1, 8, 3, stride=0), SettingError, r"stride is a whole number from 1 up"),
    (lambda: nn.Conv2d(1, 8, 3, padding=1.5), SettingError, r"padding is a whole number from 0 up"),  # type: ignore[arg-type]
    (lambda: nn.Conv2d(1, 8, 3, padding="sane"), UnknownNameError, r"did you mean 'same'"),
    (lambda: nn.Conv2d(1, 8, 4, padding="same"), SettingError, r"write an odd kernel size, or pad x yourself"),
    (lambda: nn.Conv2d(1, 8, 3, padding="same", stride=2), SettingError, r"padding='same' keeps the lengths, stride \(2, 2\) does not"),
    (lambda: nn.Conv2d(1, 8, 3, init="he_norml"), UnknownNameError, r"did you mean 'he_normal'"),
    (lambda: nn.MaxPool2d(2, ceil_mode=True), SettingError, r"ceil_mode=True, windows that are cut off at the end, is not supported"),
    (lambda: nn.MaxPool2d(2, padding=2), SettingError, r"padding=2 must be at most half of kernel_size=2"),
    (lambda: nn.MaxPool2d(2)(np.ones((5, 40))), ShapeError, r"not \(5, 40\): put it before Flatten"),
    (lambda: tg.max_pool(np.ones((5, 40)), size=2), ShapeError, r"pooling takes x of shape \(samples, channels, \*spatial\), not \(5, 40\)"),
    (lambda: tg.conv(np.ones((2, 3, 5, 5)), np.ones((4, 3, 3))), ShapeError, r"shapes \(2, 3, 5, 5\) and \(4, 3, 3\) do not fit"),
    (lambda: tg.conv(np.ones((2, 3, 5)), np.ones((4, 2, 3))), ShapeError, r"x of shape \(2, 3, 5\) has 3 channels, but weights of shape \(4, 2, 3\) in 1 group take 2"),
    (lambda: tg.conv(np.ones((2, 4, 5)), np.ones((3, 2, 3)), groups=2), SettingError, r"weights of shape \(3, 2, 3\) cannot be split into 2 groups: write a divisor of 3"),
    (lambda: tg.conv(np.ones((2, 3, 5)), np.ones((4, 3, 3)), np.ones(3)), ShapeError, r"a bias of shape \(3,\) does not fit 4 channels"),
    (lambda: tg.conv(np.ones((2, 3, 5)), np.ones((4, 3, 3)), dilation=3, padding=0), ShapeError, r"which dilation \(3,\) spreads over \(7,\), does not fit into \(5,\)"),
    (lambda: tg.conv_transpose(np.ones((2, 3, 5)), np.ones((4, 3, 3))), ShapeError, r"conv_transpose: x of shape \(2, 3, 5\) has 3 channels, but weights of shape \(4, 3, 3\) in 1 group take 4"),
    (lambda: tg.conv_transpose(np.ones((2, 3, 5, 5)), np.ones((3, 4, 3))), ShapeError, r"shapes \(2, 3, 5, 5\) and \(3, 4, 3\) do not fit"),
    (lambda: tg.conv_transpose(np.ones((2, 3, 5)), np.ones((3, 4, 3)), output_padding=1), SettingError, r"output_padding=\(1,\) must be less than stride=\(1,\)"),
    (lambda: tg.conv_transpose(np.ones((2, 3, 1)), np.ones((3, 4, 2)), padding=1), ShapeError, r"would have the lengths \(0,\): write a smaller padding"),
    (lambda: tg.conv_weight(np.ones((2, 3, 5)), np.ones((2, 4, 4)), size=3), ShapeError, r"has \(3,\) windows of \(3,\), but y has shape \(2, 4, 4\)"),
    (lambda: tg.conv_weight(np.ones((2, 3, 5)), np.ones((3, 4, 3)), size=3), ShapeError, r"with the same samples"),
    (lambda: tg.windows(np.ones(5), size=(2, 2)), ShapeError, r"a window of \(2, 2\) has 2 axes, but the array has shape \(5,\)"),
    (lambda: tg.fold(np.ones((4, 3)), shape=(5,)), ShapeError, r"an array of \(5,\) has \(3,\) windows of \(3,\), but \(4,\) are given"),
    (lambda: tg.fold(np.ones(3), shape=(5,)), ShapeError, r"fold to \(5,\) takes windows of 1 axes"),
    (lambda: tg.sliding_window_view(np.ones((4, 4)), (2, 2), 0), ShapeError, r"window_shape \(2, 2\) has 2 axes, axis=0 names 1"),
    (lambda: nn.init.he_normal((5,)), ShapeError, r"weights of shape \(5,\) have no fan_in and fan_out"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), ERRORS, ids=range(len(ERRORS)))
def test_errors_say_what_to_write(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_an_error_of_a_recorded_convolution_names_its_shapes() -> None:
    w = Tensor(np.ones((4, 2, 3)), requires_grad=True)
    with pytest.raises(ShapeError, match=r"conv\(float64\[2, 3, 5\], float64\[4, 2, 3\], None, stride=1.*failed: conv: x of shape"):
        tg.conv(np.ones((2, 3, 5)), w)


# --- the tester tested: faults in rules and kernels, each of which some test must see ----------------------------------------------

Rule = Callable[..., Any]
RULES: dict[str, tuple[str, int, Callable[[Rule], Rule]]] = {  # each makes a wrong rule of the right one
    "padding forgotten": ("conv", 0, lambda rule: lambda *a, **p: rule(*a, **{**p, "padding": 0})),
    "kernel reversed": ("conv", 0, lambda rule: lambda g, z, x, w, b, **p: rule(g, z, x, np.flip(w, -1), b, **p)),
    "x reversed": ("conv", 1, lambda rule: lambda g, z, x, w, b, **p: rule(g, z, np.flip(x, -1), w, b, **p)),
    "groups forgotten": ("conv", 1, lambda rule: lambda *a, **p: rule(*a, **{**p, "groups": 1})),
    "bias averaged": ("conv", 2, lambda rule: lambda *a, **p: rule(*a, **p) / len(a[2])),
    "stride forgotten": ("conv_transpose", 0, lambda rule: lambda *a, **p: rule(*a, **{**p, "stride": 1})),
    "dilation forgotten": ("conv_weight", 0, lambda rule: lambda *a, **p: rule(*a, **{**p, "dilation": 1})),
    "channels reversed": ("conv_weight", 1, lambda rule: lambda *a, **p: np.flip(rule(*a, **p), 1)),
    "halved": ("max_pool", 0, lambda rule: lambda *a, **p: rule(*a, **p) / 2),
    "not at the maxima": ("max_pick", 0, lambda rule: lambda g, z, y, m, x, **p: rule(g, z, y, m, np.flip(x, -1), **p)),
    "windows turned": ("windows", 0, lambda rule: lambda g, z, x, **p: rule(np.flip(g, -1), z, x, **p)),
    "a border too many": ("fold", 0, lambda rule: lambda *a, **p: np.roll(rule(*a, **p), 1, -1)),
}


@pytest.mark.parametrize("fault", RULES)
def test_a_fault_in_a_rule_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, place, make = RULES[fault]
    right = TABLE[name].rules
    rule = right[place]
    assert rule is not None
    monkeypatch.setattr(TABLE[name], "rules", tuple(make(rule) if i == place else r for i, r in enumerate(right)))
    with pytest.raises((AssertionError, GradientError, ShapeError, SettingError)):
        for sample in SAMPLES[name]:
            check_first_order(name, sample)


PLACES, TURNED = windows_kernel.window_places, kernel.turned


def late(shape: Any, size: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """Windows whose places are counted from one too late."""
    return PLACES(shape, size, stride, tuple(max(0, p - 1) for p in padding), dilation)


def last_is_first(shape: Any, size: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    places = PLACES(shape, size, stride, padding, dilation)
    return [*places[:-1], places[0]] if len(places) > 1 else places


KERNELS: dict[str, tuple[Any, str, Any, str]] = {
    "a place of the window is another one": (kernel, "window_places", last_is_first, "conv"),
    "channels not exchanged": (kernel, "turned", lambda w, groups: np.flip(w.swapaxes(0, 1), tuple(range(2, w.ndim))) if groups == 1 else np.flip(w, -1), "conv_transpose"),
    "kernel not reversed": (kernel, "turned", lambda w, groups: np.flip(TURNED(w, groups), tuple(range(2, w.ndim))), "conv"),
    "bias lost": (kernel, "with_bias", lambda z, b: z, "conv"),
    "ties not counted": (pooling_kernel, "over_ties", lambda y, found, places: y / 2, "max_pool"),
    "every entry a maximum": (pooling_kernel, "hits", lambda m, x, places: [np.ones_like(x[at], bool) for _, at, _ in places], "max_pool"),
    "a border of one less": (kernel, "window_places", late, "conv"),
}  # fmt: skip


@pytest.mark.parametrize("fault", KERNELS)
def test_a_fault_in_a_kernel_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, attribute, wrong, name = KERNELS[fault]
    monkeypatch.setattr(module, attribute, wrong)
    with pytest.raises((AssertionError, GradientError, ShapeError, ValueError, IndexError)):
        for sample in SAMPLES[name]:
            check_first_order(name, sample)
            check_second_order(name, sample)
        for shape, w_shape, params in CONVOLUTIONS:
            test_conv_is_its_definition(shape, w_shape, params)
        test_windows_are_numpys_and_fold_is_their_sum()


def test_a_written_average_needs_nothing_that_nobody_has() -> None:
    """The counts of entries inside are computed by the program, and are no argument of it."""
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 5))
    derivation = tg.derive(lambda x: (tg.avg_pool(x, 2, 1, 1, count_include_pad=False) ** 2).sum(), x)
    found: dict[str, Any] = {}
    exec(derivation.source(), found)  # noqa: S102  # our own source
    loss, gradients_ = found["loss_and_gradients"](x)
    t = Tensor(x, requires_grad=True)
    expected = (tg.avg_pool(t, 2, 1, 1, count_include_pad=False) ** 2).sum()
    assert loss == pytest.approx(float(expected), rel=1e-14)
    np.testing.assert_allclose(gradients_["x"], gradients(expected, t), rtol=1e-13)


def test_many_ties_keep_their_gradient_in_half_precision() -> None:
    x = Tensor(np.ones((1, 1, 257, 257), np.float16), requires_grad=True)
    assert gradients(tg.max_pool(x, size=257).sum(), x).astype(float).sum() == pytest.approx(1.0, abs=1e-2)


@pytest.mark.parametrize("seed", range(20))
def test_a_clipped_exact_step_has_the_bits_of_the_eager_one(seed: int) -> None:
    def stepped(exact: bool) -> Array:
        rng = np.random.default_rng(seed)
        layer = nn.Conv2d(1, 4, 3, dtype=np.float64, rng=seed)
        optimizer = optim.SGD(layer.parameters(), lr=0.1)
        X = rng.standard_normal((8, 1, 8, 8))

        def loss(X: Any) -> Any:
            return (tg.tanh(layer(X)) ** 2).sum()

        if exact:
            tg.compile(loss, optimizer, exact=True, clip_norm=0.01)(X)
        else:
            loss(X).backward()
            optim.clip_grad_norm(optimizer.parameters, 0.01)
            optimizer.step()
        return layer.weight.numpy()

    np.testing.assert_array_equal(stepped(True), stepped(False))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: tg.conv(np.ones((2, 1, 0)), np.ones((1, 1, 2)), padding=1), ShapeError, "empty spatial axis"),
        (lambda: tg.conv(np.ones((2, 1, 3)), np.ones((1, 1, 0))), ShapeError, "empty spatial axis"),
        (lambda: tg.conv(np.ones((2, 1, 3)), np.ones((1, 1, 2)), groups=(1,)), SettingError, "groups is one whole number"),
        (lambda: tg.conv(np.ones((2, 1, 3), object), np.ones((1, 1, 2))), TensorTypeError, "takes numbers, not x of object"),
        (
            lambda: tg.max_pool(np.ones((1, 1, 3), complex), size=2),
            TensorTypeError,
            "max_pool.. is not supported for complex numbers",
        ),
    ],
)
def test_what_cannot_be_convolved_or_pooled_is_refused_at_once(call: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def convolutional_network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3, rng=1))


def test_a_drawing_knows_a_convolution_and_what_is_data() -> None:
    X = np.random.default_rng(0).standard_normal((2, 1, 6, 6)).astype(np.float32)
    graph = tg.draw(nn.cross_entropy(convolutional_network()(X), np.array([0, 1]))).graph
    kinds = {node["op"]: node["category"] for node in graph["nodes"] if node["kind"] == "op"}
    assert kinds["conv"] == "linear"
    assert kinds["max_pool"] == "reduction"
    (data,) = (node for node in graph["nodes"] if node["shape"] == [2, 1, 6, 6])
    assert data["kind"] == "input"


def test_the_manual_backprop_says_that_it_is_none_of_a_convolution() -> None:
    with pytest.raises(UnsupportedError, match=r"is that of an MLP: .* \(got Conv2d for a Linear\)"):
        tg.check.compare(convolutional_network(), "cross_entropy", np.ones((2, 1, 6, 6), np.float32), np.array([0, 1]))
