"""Corners of the functions: complex numbers where a function is one of real numbers, axes of what has none, results without a gradient."""

from __future__ import annotations

import copy
import os
import pickle
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
from axis_calls import DRAWS, difference, draw, fault, outcome, silent
from checking import arrays_of, call, check_first_order, joined
from samples import SAMPLES, Sample

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, nn
from tinygrad_mlp.dispatch import is_numpys
from tinygrad_mlp.errors import GraphError, MissingExtraError, ShapeError, TensorTypeError
from tinygrad_mlp.primitive import BY_NUMPY, COMPOSED, COMPOSED_BY_NUMPY, TABLE

LONG = int(os.environ.get("TINYGRAD_MLP_FUZZ", "0"))
"""How many more random calls of each function: TINYGRAD_MLP_FUZZ=1000 pytest tests/test_corners.py."""

Z = np.array([1 + 2j, -0.3 + 0.4j, 3 - 1j, -5 + 9j])

# --- complex numbers ------------------------------------------------------------------------------------------------------

FORMULAS: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "log_sigmoid": lambda z: -np.log(1 + np.exp(-z)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "gelu": lambda z: z * scipy.special.erfc(-z / np.sqrt(2)) / 2,
    "sinc": lambda z: np.sin(np.pi * z) / (np.pi * z),
    "glu": lambda z: z[:2] / (1 + np.exp(-z[2:])),
    "logsumexp": lambda z: np.log(np.sum(np.exp(z))),
    "softmax": lambda z: np.exp(z) / np.sum(np.exp(z)),
    "log_softmax": lambda z: z - np.log(np.sum(np.exp(z))),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_analytic_is_computed_of_complex_numbers(name: str) -> None:
    f = getattr(tg, name)
    for z in (Z, Z.conj() / 2, -Z, Z / 7):
        np.testing.assert_allclose(f(z), FORMULAS[name](z), rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose(f(z.astype(np.complex64)), FORMULAS[name](z), rtol=2e-5, atol=2e-6)
        for dtype in (np.complex64, np.complex128):
            x = z.astype(dtype)
            for out in (f(x), f(Tensor(x)), f(Tensor(x, requires_grad=True)), tg.compile(f)(x), tg.compile(f, exact=True)(x)):
                assert out.dtype == dtype
                np.testing.assert_allclose(
                    np.asarray(getattr(out, "data", out)), f(x), rtol=1e-14 if dtype == np.complex128 else 3e-6
                )
        check_first_order(name, Sample((z,)))


@pytest.mark.parametrize("name", ["sigmoid", "silu", "softplus", "log_sigmoid"])
@pytest.mark.parametrize("real", [-800.0, 0.0, 800.0])
def test_exp_does_not_overflow_in_complex_activations(name: str, real: float) -> None:
    z = np.array([real + 1j, real - 3j])
    with np.errstate(all="ignore"):
        limit = {"sigmoid": real > 0, "silu": z * (real > 0), "softplus": z.real * (real > 0) + 1j * z.imag, "log_sigmoid": 0}[name]
    out = getattr(tg, name)(z)
    if name == "softplus" and real < 0:
        limit = np.zeros(2)
    if name == "log_sigmoid" and real < 0:
        limit = z
    assert np.all(np.isfinite(out))
    if real:
        np.testing.assert_allclose(out, np.broadcast_to(limit, 2), atol=1e-300)


def test_softplus_keeps_its_digits_where_one_plus_exp_would_lose_them() -> None:
    z = -40 + 1j
    np.testing.assert_allclose(tg.softplus(z), np.exp(z), rtol=1e-14)
    np.testing.assert_allclose(tg.softplus(40 + 1j), z.conjugate() * -1 + 0j, rtol=1e-15)
    near = 1j * np.pi + 1e-5 * (1 + 1j)  # 1 + exp(near) = −(exp(1e-5 (1 + i)) − 1)
    np.testing.assert_allclose(tg.softplus(near), np.log(-np.expm1(1e-5 * (1 + 1j))), rtol=1e-10)


def test_the_error_function_of_complex_numbers_is_scipys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    assert tg.erf(1.0) == pytest.approx(0.8427007929497149)
    for f in (tg.erf, tg.erfc, tg.gelu):
        with pytest.raises(MissingExtraError, match="the error function of complex numbers needs the package 'scipy'"):
            f(Z)


REAL = {
    **{op.name: op for op in TABLE.values() if op.real and len(op.rules) == 1 and op.name != "max_pool"},
    **{name: (lambda z, f=TABLE[name]: f(z, 0.5)) for name in ("maximum", "minimum", "fmax", "fmin", "clip")},
    **{f"{name} of a complex constant": (lambda z, f=TABLE[name]: f(0.5, z)) for name in ("maximum", "minimum", "fmax", "fmin", "clip")},
    "selu": tg.selu,
    "mse_loss in the table": lambda z: TABLE["mse_loss"](z, z),
}  # fmt: skip
LOSSES = {
    "mse_loss": lambda z: nn.mse_loss(z, np.ones(4)),
    "mse_loss of complex targets": lambda z: nn.mse_loss(np.ones(4), z),
    "binary_cross_entropy": lambda z: nn.binary_cross_entropy(z, np.ones(4)),
    "binary_cross_entropy_with_logits": lambda z: nn.binary_cross_entropy_with_logits(z, np.ones(4)),
    "cross_entropy": lambda z: nn.cross_entropy(np.reshape(z, (2, 2)), np.array([0, 1])),
    "cross_entropy_probabilities": lambda z: nn.cross_entropy_probabilities(np.reshape(z, (2, 2)), np.array([0, 1])),
}
REFUSED = [
    *[pytest.param(f, "is not supported for complex numbers: write it with real ones", id=name) for name, f in REAL.items()],
    *[pytest.param(f, "a loss takes real numbers, not complex128", id=name) for name, f in LOSSES.items()],
]


@pytest.mark.parametrize(("f", "words"), REFUSED)
def test_a_function_of_real_numbers_refuses_complex_ones(f: Callable[[Any], Any], words: str) -> None:
    """In the forward pass, and in every reading of it."""
    for x in (Z, Tensor(Z), Tensor(Z, requires_grad=True)):
        with pytest.raises(TensorTypeError, match=words):
            f(x)
    for compiled in (tg.compile(f), tg.compile(f, exact=True)):
        with pytest.raises(TensorTypeError, match=words):
            compiled(Z)


def test_every_flag_of_the_table_is_seen() -> None:
    """What is marked real refuses each complex argument; what is not has a gradient for complex numbers or refuses them itself."""
    for name, op in TABLE.items():
        if not op.real:
            continue
        sample = SAMPLES[name][0]
        for i in range(len(sample.inputs)):
            inputs = [a + 1j if j == i else a for j, a in enumerate(sample.inputs)]
            with pytest.raises(TensorTypeError, match=rf"{name}\(\) is not supported for complex"):
                call(name, sample, inputs)


def test_the_penalty_of_complex_weights_is_their_squared_length() -> None:
    w = Tensor(Z, requires_grad=True)
    penalty = nn.l2_penalty([w], 0.1)
    assert float(penalty) == pytest.approx(0.05 * np.sum(np.abs(Z) ** 2))
    penalty.backward()
    np.testing.assert_allclose(w.grad, 0.1 * Z)


def test_nan_to_num_of_complex_numbers_looks_at_each_part() -> None:
    x = Tensor([np.nan + 1j, complex(2, np.inf), 1 + 1j, np.nan + np.nan * 1j], requires_grad=True)
    found = tg.gradients(np.nan_to_num(x), x, seed=np.full(4, 3 + 4j))
    assert found.tolist() == [4j, 3, 3 + 4j, 0]


NUMPYS = {
    **{op.name: f for f, op in reversed(BY_NUMPY.items()) if is_numpys(f)},
    **{name: f for f, ours in COMPOSED_BY_NUMPY.items() if is_numpys(f) for name, known in COMPOSED.items() if known is ours},
}
MORE_THAN_NUMPY = {"astype", "bincount"}
"""What NumPy refuses to call by name, or casts."""
FREE_PHASE = {"linalg.eigh", "linalg.eigh_packed", "linalg.svd", "linalg.svd_packed"}
"""The phase of complex vectors is free, and counts as constant: docs/kinks.md."""


def made_complex(sample: Sample, seed: int) -> Sample:
    """The sample with imaginary parts in some of its inputs."""
    rng = np.random.default_rng(seed)
    which = rng.random(len(sample.inputs)) < 0.7
    which = which if which.any() else ~which
    return sample._replace(
        inputs=tuple(a + 1j * rng.normal(size=np.shape(a)) if yes else a for a, yes in zip(sample.inputs, which, strict=True))
    )


def complex_fault(name: str, sample: Sample) -> str:
    """In what a function of complex numbers differs from NumPy's, or its gradient from differences; empty if it does not."""
    arrays = arrays_of(sample)
    given, tracked = (
        outcome(lambda xs=xs: call(name, sample, xs)) for xs in (arrays, [Tensor(a, requires_grad=True) for a in arrays])
    )
    if isinstance(given, Exception) or isinstance(tracked, Exception):
        kinds = (TypeError, ValueError)
        alike = isinstance(given, kinds) and isinstance(tracked, kinds)
        return "" if alike else f"{name} gives {given}, with a graph {tracked}"
    if name in NUMPYS and name not in MORE_THAN_NUMPY:
        arguments = sample.call(*arrays)
        arguments = (arguments,) if name in TABLE and TABLE[name].variadic else arguments
        params = {sample.numpy_names.get(k, k): v for k, v in sample.params.items()}
        told = difference(given, outcome(lambda: joined(NUMPYS[name](*arguments, **params))), rtol=1e-9)
        if told:
            return f"{name} {told}"
    if name not in FREE_PHASE:
        try:
            with silent():
                check_first_order(name, sample, 1e-5)
        except AssertionError as error:
            return str(error)
    small = [a.astype(np.complex64 if np.iscomplexobj(a) else np.float32) for a in arrays]
    with silent():
        dtype = np.asarray(call(name, sample, small)).dtype
    return (
        f"{name} of complex64 gives {dtype}"
        if given[0].dtype == np.complex128 and dtype != np.complex64 and name not in DOUBLE
        else ""
    )


DOUBLE = {"astype", "float_power"}


@pytest.mark.parametrize("name", SAMPLES)
def test_complex_numbers_are_computed_right_or_refused(name: str) -> None:
    """NumPy's value and a gradient in both directions that is that of differences; else refused by the forward pass."""
    samples = SAMPLES[name]
    chosen = np.random.default_rng(len(name)).permutation(len(samples))[: 4 + LONG]
    faults = [told for i in chosen if (told := complex_fault(name, made_complex(samples[i], int(i) + LONG)))]
    assert not faults, "\n".join(faults)


# --- axes and shapes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRAWS)
def test_random_calls_with_axes_and_shapes(name: str) -> None:
    """Value, dtype, shape and kind of error are NumPy's; the gradient is that of differences, and that of the compiled function."""
    faults = [told for seed in range(12 + LONG) if (told := fault(draw(name, seed)))]
    assert not faults, "\n".join(dict.fromkeys(faults))


PLANTED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "value": (lambda z: 2 * z, "NumPy"),
    "shape": (np.ravel, r"NumPy float64\["),
    "dtype": (lambda z: tg.astype(z, dtype=np.float32), "gives float32"),
    "gradient": (lambda z: z.detach() if isinstance(z, Tensor) else z, "gradient 0 gives 0"),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_mistake_is_seen_by_the_random_calls(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake, words = PLANTED[kind]
    right = COMPOSED_BY_NUMPY[np.sort]
    monkeypatch.setitem(COMPOSED_BY_NUMPY, np.sort, lambda x, /, *, axis=-1: mistake(right(x, axis=axis)))
    assert re.search(words, "".join(fault(draw("sort", seed)) for seed in range(20)))


def test_an_error_that_is_missing_is_seen_by_the_random_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMPOSED_BY_NUMPY, np.sort, lambda x, /, *, axis=-1: x + 0)
    assert any("NumPy raises AxisError" in fault(draw("sort", seed)) for seed in range(20))


def of(*numbers: float) -> Tensor:
    """A vector, or of one number a number, with gradients."""
    return Tensor(numbers if len(numbers) > 1 else numbers[0], requires_grad=True)


def test_rollaxis_counts_from_the_end() -> None:
    x = Tensor(np.zeros((2, 3, 4)), requires_grad=True)
    assert np.rollaxis(x, 0, -1).shape == (3, 2, 4)
    assert tg.rollaxis(x.data, 0, -1).shape == (3, 2, 4)
    with pytest.raises(np.exceptions.AxisError):
        np.rollaxis(x, 0, 4)


def test_no_difference_is_the_array_itself_without_what_is_put_beside_it() -> None:
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    assert np.diff(x, n=0, axis=0, prepend=np.zeros((1, 2))).shape == (3, 2)


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("f", [np.sum, np.prod, np.nanprod, np.max, np.cumprod, np.cumsum, np.nancumprod, np.nanstd])
def test_a_number_has_an_axis_where_numpy_says_so(f: Any, axis: int) -> None:
    x = of(3.0)
    y = f(x, axis=axis)
    assert y.shape == f(x.data, axis=axis).shape
    y.sum().backward()
    assert x.grad == (f is not np.nanstd)
    for compiled in (tg.compile(lambda v: f(v, axis=axis)), tg.compile(lambda v: f(v, axis=axis), exact=True)):
        np.testing.assert_array_equal(compiled(np.array(3.0)), y.data)
    assert np.repeat(x, 2, axis=axis).data.tolist() == [3, 3]
    with pytest.raises(np.exceptions.AxisError):
        np.repeat(x, 2, axis=1)


def test_a_transposed_vector_with_its_axis_as_a_number() -> None:
    x = of(1.0, 2.0)
    (np.transpose(x, 0) * np.array([3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [3, 4]
    assert tg.compile(lambda v: np.transpose(v, -1) * 2)(np.ones(2)).tolist() == [2, 2]


def test_what_nothing_is_the_median_and_the_covariance_of() -> None:
    empty = Tensor(np.zeros((2, 0)), requires_grad=True)
    with pytest.warns(RuntimeWarning, match="Mean of empty slice|invalid value"):
        assert np.isnan(np.nanmedian(empty, axis=1).data).tolist() == [True, True]
    with pytest.warns(RuntimeWarning, match="Mean of empty slice|invalid value"):
        assert np.nanquantile(empty, [0.1, 0.5], axis=1).shape == (2, 2)
    with pytest.warns(RuntimeWarning):
        assert np.isnan(tg.cov(np.zeros((2, 0)))).all()
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert tg.cov(np.array([1.0, 2.0, 4.0]), correction=4) == np.inf
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert tg.cov(np.array([1.0, 2.0, 4.0]), correction=9, fweights=np.array([1, 2, 1])) == np.inf


def test_shapes_that_are_none() -> None:
    for shape in (-1, (2, -1)):
        with pytest.raises(ShapeError, match="0 or larger"):
            np.resize(of(1.0, 2.0), shape)
    for width in (-1, ((1, 0), (0, 1)), 0.5):
        with pytest.raises(ValueError, match=r"widths of pad|broadcast"):
            np.pad(of(1.0), width, mode="edge")
    assert np.pad(of(1.0), {}).shape == ()


def test_shifts_along_one_axis_add_up() -> None:
    assert np.fft.fftshift(of(0.0, 1.0, 2.0, 3.0), axes=(0, 0)).data.tolist() == [0, 1, 2, 3]
    with pytest.raises(TensorTypeError, match=r"axes=\(0,\)"):
        np.fft.fftn(of(1.0, 2.0), axes=0)
    with pytest.raises(ShapeError, match="one axis at least"):
        np.fft.rfftn(of(1.0, 2.0), axes=())
    with pytest.raises(np.exceptions.AxisError):
        np.fft.fftn(of(1.0, 2.0), s=(2, 2))


def test_a_slice_of_places_to_insert_ends_before_the_end() -> None:
    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(tg.insert(x, slice(None), 9.0), np.insert(x, slice(None), 9.0))
    with pytest.raises(IndexError, match="insert in front of the entry 3 of axis 0, which has 2"):
        tg.insert(x, 3, 9.0)


# --- infinities --------------------------------------------------------------------------------------------------------------


def test_interpolation_between_infinities_is_numpys() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300 + 10 * LONG):
        xp = np.sort(rng.normal(size=rng.integers(2, 6)))
        xp[[0, -1]] = rng.choice([-np.inf, xp[0]]), rng.choice([np.inf, xp[-1]])
        if len(xp) == 2 and np.isinf(xp).all():
            continue
        fp = rng.choice([np.inf, -np.inf, np.nan, 0, 1, 2.5, -3], size=len(xp))
        x = np.concatenate([rng.normal(size=3), xp, [np.inf, -np.inf, np.nan]])
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(tg.interp(x, xp, fp), np.interp(x, xp, fp), rtol=1e-12)


def test_infinite_values_leave_the_gradients_of_the_others_alone() -> None:
    xp, fp = np.array([0.0, 1.0, 2.0, 3.0]), of(1.0, 3.0, np.inf, 2.0)
    x = of(0.0, 0.5, 1.0, 3.0)
    y = np.interp(x, xp, fp)
    assert y.data.tolist() == [1, 2, 3, 2]
    y.sum().backward()
    np.testing.assert_array_equal(fp.grad, [1.5, 1.5, 0, 1])
    assert x.grad[:2].tolist() == [2, 2]


# --- results without a gradient, and copies ------------------------------------------------------------------------------------

TRANSFORMS: dict[str, Callable[..., Any]] = {
    "grad": lambda f, **k: tg.grad(f, **k)(np.ones(2)),
    "value_and_grad": lambda f, **k: tg.value_and_grad(f, **k)(np.ones(2))[1],
    "vjp": lambda f, **k: tg.vjp(f, np.ones(2), **k)[1](1.0)[0],
    "jvp": lambda f, **k: tg.jvp(f, (np.ones(2),), (np.ones(2),), **k)[1],
    "jacobian": lambda f, **k: tg.jacobian(f, **k)(np.ones(2)),
    "hessian": lambda f, **k: tg.hessian(f, **k)(np.ones(2)),
    "hvp": lambda f, **k: tg.hvp(f, (np.ones(2),), (np.ones(2),), **k)[0],
    "grad, compiled": lambda f, **k: tg.compile(tg.grad(f, **k))(np.ones(2)),
    "value_and_grad, compiled": lambda f, **k: tg.compile(tg.value_and_grad(f, **k))(np.ones(2))[1],
}
WHOLE = {"argmax": np.argmax, "count": lambda x: np.sum(x > 0), "any": lambda x: (x > 0).any(), "number": lambda x: 1}


@pytest.mark.parametrize("what", WHOLE)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_whole_number_or_a_boolean_has_no_gradient(name: str, what: str) -> None:
    transform, f = TRANSFORMS[name], WHOLE[what]
    title = name.partition(",")[0]
    with pytest.raises(TensorTypeError, match=rf"^{title}\(\) .* this one's is (bool|int64), .*{title}\(…, allow_constant=True\)"):
        transform(f)
    assert not np.any(transform(f, allow_constant=True))
    assert not np.any(transform(lambda x: np.sum(np.sign(x))))  # a floating number that is constant almost everywhere


def test_transforms_of_several_results_of_which_one_is_whole() -> None:
    def f(x: Any) -> Any:
        return 2 * x, np.argmax(x)

    with pytest.raises(TensorTypeError, match="int64"):
        tg.jacobian(f)(np.ones(2))
    doubled, place = tg.jacobian(f, allow_constant=True)(np.ones(2))
    assert doubled.tolist() == [[2, 0], [0, 2]]
    assert place.tolist() == [0, 0]


def test_the_change_of_a_result_has_its_dtype() -> None:
    results, changes = tg.jvp(lambda x: (2 * x, 1j * x, x.astype(np.float64), 3.0), (np.float32(1.0),), (np.float32(3.0),))
    assert [v.dtype for v in results[:3]] == [v.dtype for v in changes[:3]] == [np.float32, np.complex64, np.float64]
    assert changes == (6, 3j, 3, 0)


def test_the_derivative_of_a_constant_derivative_is_explained() -> None:
    x = of(1.0, 2.0)
    first = tg.gradients(np.sum(3 * x), x, create_graph=True)
    with pytest.raises(GraphError, match="the gradient of what is linear, a constant, whose derivative is 0"):
        tg.gradients(first.sum(), x)


def test_bounds_in_the_wrong_order_are_refused() -> None:
    for x in (np.ones(2), of(1.0, 2.0)):
        for f in (lambda v: tg.hardtanh(v, min_val=1.0, max_val=-1.0), nn.Hardtanh(1.0, -1.0)):
            with pytest.raises(ValueError, match=r"1\.0 is larger than -1\.0"):
                f(x)
    assert tg.hardtanh(np.array([0.0, 3.0]), min_val=1.0, max_val=1.0).tolist() == [1, 1]


class Tagged(Tensor):
    __slots__ = ("__secret", "missing", "tag")

    def hide(self, secret: str) -> None:
        self.__secret = secret

    def found(self) -> str:
        return self.__secret


class Both(Tagged):
    __slots__ = "more"


def test_copies_keep_the_slots_of_a_subclass() -> None:
    for cls in (Tagged, Both):
        x = cls([1.0, 2.0], requires_grad=True)
        x.tag = ["a"]
        x.hide("b")
        if cls is Both:
            x.more = 3
        for made in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):  # noqa: S301  # our own
            assert type(made) is cls
            assert made.tag == ["a"]
            assert made.found() == "b"
            assert not hasattr(made, "missing")
            assert cls is Tagged or made.more == 3
            assert made.data.tolist() == [1, 2]
            assert made.requires_grad
        assert copy.deepcopy(x).tag is not x.tag


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("exp", lambda g, z, x: g * np.conj(z)),
        ("silu", lambda g, z, x: g * np.real(z)),
        ("conj", lambda g, z, x: g),
        ("sum", lambda g, z, x, **_: np.broadcast_to(np.real(g), x.shape) if not x.ndim else np.ones_like(x)),
    ],
)
def test_a_mistake_is_seen_by_the_complex_numbers(name: str, rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TABLE[name], "rules", (rule,))
    assert any(complex_fault(name, made_complex(sample, i)) for i, sample in enumerate(SAMPLES[name][:4]))


def test_the_covariance_of_complex_numbers_with_weights_that_have_a_gradient() -> None:
    x, w = np.stack([Z, Z[::-1] ** 2]), Tensor([0.5, 1.0, 2.0, 0.7], requires_grad=True)
    found = tg.cov(Tensor(x, requires_grad=True), aweights=w)
    np.testing.assert_allclose(found.data, np.cov(x, aweights=w.data), rtol=1e-12)
    assert tg.check.gradcheck(lambda v: tg.abs(tg.cov(x, aweights=v)).sum(), w.data).ok


def test_the_gradient_checker_still_takes_complex_steps_through_functions_of_real_numbers() -> None:
    x, labels = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 1, 2, 0])
    for f in (lambda v: nn.cross_entropy(v, labels), lambda v: nn.mse_loss(tg.relu(v), np.ones((4, 3)))):
        assert "complex step" in {finding.method for finding in tg.check.gradcheck(f, x).findings}
    with pytest.raises(TensorTypeError, match="complex"):
        tg.relu(Z)
