"""Every entry of the table, on its samples: value, first and second order, dtypes, NumPy's protocols, other engines."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from checking import arrays_of, call, check_first_order, check_second_order, joined, vjp, weights
from samples import SAMPLES, Sample

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients, rules, sweep
from tinygrad_mlp.derivations import products
from tinygrad_mlp.dispatch import is_numpys, name_of
from tinygrad_mlp.errors import GradientError
from tinygrad_mlp.kernels.shapes import unreduce
from tinygrad_mlp.namespace import constant_almost_everywhere, gives_zero
from tinygrad_mlp.primitive import BY_NUMPY, COMPOSED, COMPOSED_BY_NUMPY, TABLE

CASES = [pytest.param(name, sample, id=f"{name}-{i}") for name, samples in SAMPLES.items() for i, sample in enumerate(samples)]
REAL_CASES = [case for case in CASES if not any(np.iscomplexobj(a) for a in case.values[1].inputs)]


def test_every_function_has_samples() -> None:
    assert {name for name, samples in SAMPLES.items() if samples} == {*TABLE, *COMPOSED}


def test_every_primitive_is_public_and_a_method_call_finds_it() -> None:
    for name in rules.PRIMITIVES:
        assert getattr(tg, name) is TABLE[name]
        assert name in dir(tg)


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_first_order(name: str, sample: Sample) -> None:
    check_first_order(name, sample)


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_second_order(name: str, sample: Sample) -> None:
    check_second_order(name, sample)


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_recording_changes_neither_value_nor_gradient(name: str, sample: Sample) -> None:
    arrays = arrays_of(sample)
    z = np.asarray(call(name, sample, arrays))
    xs = [Tensor(a, requires_grad=True) for a in arrays]
    out = call(name, sample, xs)
    np.testing.assert_array_equal(out.data, z)
    assert out.shape == z.shape
    assert out.dtype == z.dtype
    w = weights(z.shape, 1, z.dtype)
    for plain, recorded in zip(gradients(out, xs, seed=w), gradients(out, xs, seed=w, create_graph=True), strict=True):
        np.testing.assert_allclose(recorded.data, plain, rtol=1e-12, atol=1e-14)


ALWAYS_DOUBLE = {"float_power"}


@pytest.mark.parametrize(("name", "sample"), REAL_CASES)
def test_float32_stays_float32(name: str, sample: Sample) -> None:
    if name == "astype":
        sample = sample._replace(params={"dtype": np.dtype(np.float32)})
    small = [np.asarray(a, np.float32) for a in sample.inputs]
    xs = [Tensor(a, requires_grad=True) for a in small]
    out = call(name, sample, xs)
    assert out.dtype in ((np.float32, np.complex64) if name not in ALWAYS_DOUBLE else (np.float64,))
    w = weights(out.shape, 1, out.dtype)
    exact = vjp(
        name,
        sample._replace(params=sample.params if name != "astype" else {"dtype": np.dtype(np.float64)}),
        [a.astype(np.float64) for a in small],
        w,
    )
    for g, e in zip(gradients(out, xs, seed=w), exact, strict=True):
        assert g.dtype == np.float32
        np.testing.assert_allclose(g, e, rtol=3e-4, atol=1e-4 * max(1.0, np.max(np.abs(e), initial=0)))


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_gradients_own_their_memory(name: str, sample: Sample) -> None:
    arrays = arrays_of(sample)
    xs = [Tensor(a, requires_grad=True) for a in arrays]
    out = call(name, sample, xs)
    w = weights(out.shape, 1, out.dtype)
    found = gradients(out, xs, seed=w)
    for i, g in enumerate(found):
        assert g.flags.writeable
        for other in (w, *[x.data for x in xs], *found[:i]):
            assert not np.shares_memory(g, other)


NAMES = {
    **{numpy_function: name for name, op in TABLE.items() for numpy_function, entry in BY_NUMPY.items() if entry is op},
    **{numpy_function: name for name, f in COMPOSED.items() for numpy_function, entry in COMPOSED_BY_NUMPY.items() if entry is f},
}
BY_NAME = [
    pytest.param(numpy_function, name, sample, id=f"{name_of(numpy_function)}-{i}")
    for numpy_function, name in NAMES.items()
    if is_numpys(numpy_function) and numpy_function is not np.astype  # its dtype has no name
    for i, sample in enumerate(SAMPLES.get(name, []))
]


@pytest.mark.parametrize(("numpy_function", "name", "sample"), BY_NAME)
def test_numpy_itself_records(numpy_function: Any, name: str, sample: Sample) -> None:
    """np.f(tensor) gives the value of np.f(array), and has a graph."""
    xs = [Tensor(a, requires_grad=True) for a in sample.inputs]
    arguments, arrays = sample.call(*xs), sample.call(*sample.inputs)
    if name in TABLE and TABLE[name].variadic:
        arguments, arrays = (arguments,), (arrays,)
    params = {sample.numpy_names.get(k, k): v for k, v in sample.params.items()}
    out, expected = joined(numpy_function(*arguments, **params)), joined(numpy_function(*arrays, **params))
    assert isinstance(out, Tensor)
    assert out.requires_grad
    assert out.shape == np.shape(expected)
    np.testing.assert_allclose(out.data, expected, rtol=1e-13, atol=1e-14)


def test_numpy_astype_records() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    out = np.astype(x, np.float32)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(gradients(out.sum(), x), [1, 1])


HIPS = {
    "add": anp.add, "subtract": anp.subtract, "multiply": anp.multiply, "divide": anp.divide, "remainder": anp.remainder, "pow": anp.power, "negative": anp.negative,
    "square": anp.square, "sqrt": anp.sqrt, "exp": anp.exp, "expm1": anp.expm1, "log": anp.log, "log1p": anp.log1p, "sin": anp.sin, "cos": anp.cos, "tanh": anp.tanh, "abs": anp.abs,
    "maximum": anp.maximum, "minimum": anp.minimum, "where": anp.where, "matmul": anp.matmul, "sum": anp.sum, "mean": anp.mean, "max": anp.max, "min": anp.min,
    "reshape": anp.reshape, "expand_dims": anp.expand_dims, "permute_dims": anp.transpose, "softplus": lambda x: anp.logaddexp(x, 0.0),
    "linear": lambda x, w, b: anp.matmul(x, w) + b, "getitem": lambda x, index: x[index],
    "var": lambda x, axis, keepdims, correction: anp.var(x, axis=axis, keepdims=keepdims, ddof=correction),
}  # fmt: skip
HIPS_GAPS = {
    ("where", 1): "raises on a row against a number (HIPS#396)",
    ("where", 2): "likewise",
    ("where", 3): "likewise",
    ("permute_dims", 3): "wrong for negative axes",
}


@pytest.mark.parametrize("name", HIPS)
def test_hips_autograd_agrees(name: str) -> None:
    compared = 0
    for i, sample in enumerate(SAMPLES[name]):
        arrays = arrays_of(sample)
        if (name, i) in HIPS_GAPS or any(a.size == 0 for a in arrays) or any(isinstance(p, int) for p in sample.call(*arrays)):
            continue  # it has no rules for empty arrays, and refuses integer exponents
        if any(np.iscomplexobj(a) for a in arrays):
            continue  # its gradient of a complex number is the conjugate of ours
        w = weights(np.shape(call(name, sample, arrays)), 1)
        theirs = autograd.grad(lambda xs, s=sample, w=w: anp.sum(w * HIPS[name](*s.call(*xs), **s.params)))(arrays)
        for g, h in zip(vjp(name, sample, arrays, w), theirs, strict=True):
            np.testing.assert_allclose(g, h, rtol=1e-10, atol=1e-12)
        compared += 1
    assert compared


ANALYTIC = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "negative",
    "square",
    "sqrt",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "asin",
    "acos",
    "atan",
    "asinh",
    "atanh",
    "reciprocal",
    "sum",
    "mean",
    "prod",
    "cumulative_sum",
    "cumulative_prod",
    "matmul",
    "contract",
    "convolve",
    "tensordot",
    "kron",
    "einsum",
    "trapezoid",
    "diff",
    "linalg.inv",
    "linalg.solve",
    "linalg.matrix_power",
    "linalg.multi_dot",
    "fft.fft",
    "fft.ifft",
    "softmax",
    "log_softmax",
    "polyval",
    "roll",
    "tril",
    "cross",
]
"""Functions that are analytic, and which NumPy computes for complex numbers by the same formula."""


@pytest.mark.parametrize("name", ANALYTIC)
def test_complex_steps_agree(name: str) -> None:
    """Im f(x + i h v) / h has no cancellation: for analytic functions it is the derivative to the last digits."""
    h, compared = 1e-30, 0
    for sample in SAMPLES[name]:
        arrays = arrays_of(sample)
        if any(np.iscomplexobj(a) or not a.size for a in arrays) or "append" in sample.params:
            continue
        z = np.asarray(call(name, sample, arrays))
        if z.dtype.kind == "c":
            continue  # then Im is not only the step
        w = weights(z.shape, 1)
        for i, g in enumerate(vjp(name, sample, arrays, w)):
            v = weights(arrays[i].shape, 3)
            moved = [a + 1j * h * v if j == i else a for j, a in enumerate(arrays)]
            step = np.sum(w * np.imag(call(name, sample, moved))) / h
            np.testing.assert_allclose(np.sum(g * v), step, rtol=1e-10, atol=1e-11)
        compared += 1
    assert compared or name in ("fft.fft", "fft.ifft")


def test_every_rule_is_differentiable_again_and_again() -> None:
    x = Tensor(0.3, requires_grad=True)
    y = tg.tanh(x)
    values = []
    for _ in range(4):
        y = gradients(y, x, create_graph=True)
        values.append(float(y))
    t = np.tanh(0.3)
    s = 1 - t * t
    np.testing.assert_allclose(values, [s, -2 * t * s, (6 * t * t - 2) * s, (16 * t - 24 * t**3) * s], rtol=1e-12)


# --- the tester tested: a planted mistake of each kind must be caught, by name -----------------------------------------

PLANTED = {
    "factor": ("tanh", 0, lambda g, z, x: 2 * g * (1 - z * z)),
    "sign": ("subtract", 1, lambda g, z, x, y: g),
    "argument": ("sigmoid", 0, lambda g, z, x: g * (x * (1 - x))),
    "transposed": ("matmul", 1, lambda g, z, x, y: (g.mT @ x).mT if g.ndim == x.ndim == 2 and g.shape == x.shape else products.matmul_dy(g, z, x, y) * 1.0001),
    "lost term": ("softmax", 0, lambda g, z, x, *, axis: z * g),
    "lost conjugate": ("abs", 0, lambda g, z, x: g * np.sign(x)),
    "axis": ("mean", 0, lambda g, z, x, *, axis, keepdims: np.broadcast_to(unreduce(g, x, axis, keepdims) / x.size, x.shape)),
    "repeated index lost": ("getitem", 0, lambda g, z, x, *, index: written_once(g, x.shape, index)),
    "order": ("permute_dims", 0, lambda g, z, x, *, axes: np.permute_dims(g, axes)),
    "wrong dtype": ("square", 0, lambda g, z, x: (g * (2 * x)).astype(np.float16)),
    "whole numbers": ("square", 0, lambda g, z, x: (g * (2 * x)).astype(int)),
}  # fmt: skip


def written_once(g: Any, shape: tuple[int, ...], index: Any) -> Any:
    out = np.zeros(shape)
    out[index] = g
    return out


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_mistake_is_caught(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, i, wrong = PLANTED[kind]
    op = TABLE[name]
    monkeypatch.setattr(op, "rules", tuple(wrong if j == i else rule for j, rule in enumerate(op.rules)))
    with pytest.raises((AssertionError, GradientError), match=name):
        for sample in SAMPLES[name]:
            check_first_order(name, sample)


def test_an_unbroadcast_that_does_not_sum_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def first_entry(g: Any, shape: tuple[int, ...]) -> Any:
        g = g[(0,) * (g.ndim - len(shape))]
        return g[tuple(slice(0, n) for n in shape)]

    monkeypatch.setattr(sweep, "unbroadcast", first_entry)
    with pytest.raises((AssertionError, GradientError), match="multiply"):
        for sample in SAMPLES["multiply"]:
            check_first_order("multiply", sample)


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if not constant_almost_everywhere(op)])
def test_the_samples_of_every_rule_see_a_mistake_of_one_percent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    op = TABLE[name]
    for i, rule in enumerate(op.rules):
        if rule is None or gives_zero(rule):
            continue

        def wrong(*args: Any, rule: Any = rule, **params: Any) -> Any:
            right = rule(*args, **params)
            return [1.01 * g for g in right] if op.variadic else 1.01 * right

        with monkeypatch.context() as patch:
            patch.setattr(op, "rules", tuple(wrong if j == i else r for j, r in enumerate(op.rules)))
            with pytest.raises(AssertionError, match=name):
                for sample in SAMPLES[name]:
                    check_first_order(name, sample)


def test_a_mistake_that_only_the_second_order_shows_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    op = TABLE["exp"]
    monkeypatch.setattr(op, "rules", (lambda g, z, x: g * np.asarray(z.data if isinstance(z, Tensor) else z),))
    for sample in SAMPLES["exp"]:
        check_first_order("exp", sample)  # right as a number
    with pytest.raises(AssertionError, match="exp: second derivative"):
        for sample in SAMPLES["exp"]:
            check_second_order("exp", sample)


def test_a_rule_that_gives_the_wrong_shape_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TABLE["exp"], "rules", (lambda g, z, x: np.ones(7),))
    x = Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(
        GradientError, match=r"rule of <primitive exp: 1 array> gave a gradient of shape \(7,\) for an input of shape \(3,\)"
    ):
        tg.exp(x).sum().backward()
    assert x.grad is None


def test_kinks_are_written_beside_their_rules() -> None:
    for name in ("abs", "relu", "leaky_relu", "maximum", "minimum", "max", "min", "clip", "sqrt", "pow", "sign", "floor"):
        assert TABLE[name].kink
