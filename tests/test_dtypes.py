"""Operands of every dtype: values as NumPy's, or the right ones where its small numbers wrap, and gradients beside small constants."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dtypes import MORE, faults
from samples import SAMPLES

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients, nn
from tinygrad_mlp.derivations import elementwise
from tinygrad_mlp.primitive import COMPOSED, TABLE

DRAWS, SEED = int(os.environ.get("DTYPES_DRAWS", "4")), int(os.environ.get("DTYPES_SEED", "0"))
"""A long run: DTYPES_DRAWS=200 DTYPES_SEED=7 pytest tests/test_dtypes.py"""

U8, I8 = np.array([200, 100], np.uint8), np.array([[100, -100, 120], [127, -128, 90]], np.int8)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_function_with_operands_of_every_dtype(name: str) -> None:
    found = faults(name, SEED, DRAWS * (3 if name in MORE else 1))
    assert not found, "\n".join(f"{f.name}, {f.check}: {f.text}" for f in found)


# --- values that small numbers would wrap -----------------------------------------------------------------------------

WRAPPED: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "median": (np.median, U8, 150.0),
    "median of booleans": (np.median, np.array([True, True]), 1.0),
    "average": (lambda x: np.average(x, weights=x), U8, 500 / 3),
    "bincount": (lambda x: np.bincount([0, 0], x), U8, [300.0]),
    "quantile, midpoint": (lambda x: np.quantile(x, 0.5, method="midpoint"), U8, 150.0),
    "quantile, linear": (lambda x: np.quantile(x, 0.3), I8, -5.0),
    "quantile of whole numbers that is one": (lambda x: np.quantile(x, 0.3, method="lower"), U8, np.uint8(100)),
    "nanquantile of whole numbers that is one": (lambda x: np.nanquantile(x, 0.3, method="lower"), U8, np.uint8(100)),
    "polyder": (np.polyder, np.array([100, 100, 1], np.int8), [200, 100]),
    "polyder of more than 127": (lambda x: np.polyder(x)[0], np.ones(300, np.int8), 299),
    "polyint": (lambda x: np.polyint(x)[0], np.ones(300, np.int8), 1 / 300),
    "pad, median": (lambda x: np.pad(x, 1, "median"), U8, np.array([150, 200, 100, 150], np.uint8)),
    "pad, ramp": (
        lambda x: np.pad(x, (2, 0), "linear_ramp", end_values=255),
        np.array([5], np.uint8),
        np.array([255, 130, 5], np.uint8),
    ),
    "gradient": (lambda x: np.gradient(np.array([0.0, 1.0, 3.0]), x), np.array([200, 100, 0], np.uint8), [-0.01, -0.015, -0.02]),
    "trapezoid": (np.trapezoid, U8, 150.0),
    "trapezoid over falling places": (lambda x: np.trapezoid(np.ones(2), x), U8, -100.0),
    "interp": (lambda x: np.interp(0.5, [0.0, 1.0], x), U8, 150.0),
    "unwrap of whole numbers": (lambda x: np.unwrap(x, period=4), np.array([0, 3, 6]), [0, -1, -2]),
    "diff of booleans": (np.diff, np.array([True, False, False]), np.array([True, False])),
    "cov": (np.cov, U8, 5000.0),
    "vander": (lambda x: np.vander(x, 3)[0], U8, [40000, 200, 1]),
    "matrix norm": (lambda x: np.linalg.norm(x, 1), np.full((2, 2), -128, np.int8), 256.0),
    "multi_dot": (lambda x: np.linalg.multi_dot([x, x, np.ones((2, 1))]), np.full((2, 2), 100, np.uint8), [[40000.0]] * 2),
    "softsign": (tg.softsign, np.array([255], np.uint8), [255 / 256]),
    "softplus": (tg.softplus, np.array([1], np.int8), [np.log1p(np.e)]),
    "mse_loss": (lambda x: tg.mse_loss(x, x[::-1]), U8, 10000.0),
    "linear": (lambda x: tg.linear(x, np.full((2, 1), 2, np.uint8), np.array([0.5])), U8, [600.5]),
    "modf": (lambda x: np.modf(x)[1], U8, U8.astype(np.float16)),
    "select": (lambda x: np.select([np.array([True, False])], [x], 0.5), np.float32([1, 2]), np.float32([1, 0.5])),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_small_whole_numbers_do_not_wrap(name: str) -> None:
    f, x, right = WRAPPED[name]
    z = f(Tensor(x)).numpy()
    np.testing.assert_allclose(z, right, rtol=2e-7)
    assert z.dtype == np.asarray(right).dtype


def test_small_whole_numbers_do_not_wrap_in_plain_arrays() -> None:
    assert COMPOSED["median"](U8) == 150
    np.testing.assert_array_equal(COMPOSED["interp"](np.array([0.5]), np.array([0.0, 1.0]), U8), [150])


# --- gradients beside small constants ---------------------------------------------------------------------------------


def slope(f: Callable[[Tensor], Any], at: Any = 1.5) -> np.ndarray:
    x = Tensor(at, requires_grad=True)
    return gradients(f(x).sum(), x)


BESIDE: dict[str, tuple[Callable[[Tensor], Any], Any]] = {
    "ldexp by 20": (lambda x: np.ldexp(x, np.array([20], np.int8)), 2.0**20),
    "ldexp by a boolean": (lambda x: np.ldexp(x, np.array([True])), 2.0),
    "power of a uint8": (lambda x: np.array([7], np.uint8) ** x, 7**1.5 * np.log(7)),
    "float_power of an int16": (lambda x: np.float_power(np.array([300], np.int16), x), 300**1.5 * np.log(300)),
    "interp in a uint8 table": (lambda x: np.interp(x - 1, np.array([0.0, 1.0]), U8), -100.0),
    "interp between int8 places": (lambda x: np.interp(x, np.array([-128, 127], np.int8), np.array([0.0, 255.0])), 1.0),
    "average with uint8 weights": (lambda x: np.average(x * np.array([1.0, 0.0]), weights=U8), 2 / 3),
    "einsum of three": (lambda x: tg.einsum("i,i,->", U8, U8, x), 50000.0),
    "a boolean power": (lambda x: np.array([True]) ** x, 0.0),
}


@pytest.mark.parametrize("name", BESIDE)
def test_gradients_beside_small_constants(name: str) -> None:
    f, right = BESIDE[name]
    np.testing.assert_allclose(slope(f), right, rtol=1e-14)


# --- small whole numbers as parameters --------------------------------------------------------------------------------


def test_parameters_may_be_small_whole_numbers() -> None:
    x = np.arange(300.0)
    for shift in (np.uint8(200), np.int8(-128), np.array(3, np.uint8), np.array([3], np.uint8)):
        axis = 0 if np.ndim(shift) else None
        g = slope(lambda x, s=shift, a=axis: np.roll(x, s, a) * np.arange(300.0), x)
        np.testing.assert_array_equal(g, np.roll(np.arange(300.0), -int(np.ravel(shift)[0])))
    np.testing.assert_array_equal(np.diag(Tensor([1.0, 2.0]), np.uint8(1)).numpy(), np.diag([1.0, 2.0], 1))
    np.testing.assert_array_equal(tg.triu(Tensor(np.ones((3, 3))), k=np.uint8(1)).numpy(), np.triu(np.ones((3, 3)), 1))
    assert type(np.roll(Tensor(x, requires_grad=True), np.int8(1)).params["shift"]) is int


# --- float16 ends at 65504 --------------------------------------------------------------------------------------------

N = 100_000
HALVES = (0.01 * (1 + 0.1 * np.random.default_rng(0).standard_normal(N))).astype(np.float16)

MANY: dict[str, Callable[[Any], Any]] = {
    "mean": tg.mean,
    "nanmean": np.nanmean,
    "nanvar": lambda x: np.nanvar(100 * x),
    "nanstd": lambda x: np.nanstd(100 * x),
    "std": tg.std,
    "var": lambda x: tg.var(10 * x),
    "average": lambda x: np.average(x, weights=np.ones(N, np.float16)),
    "average, weights of uint8": lambda x: np.average(x, weights=np.full(N, 200, np.uint8)),
    "median": np.median,
    "quantile": lambda x: np.quantile(x, 0.3),
    "softmax": lambda x: tg.softmax(x)[0],
    "log_softmax": lambda x: tg.log_softmax(x)[0],
    "logsumexp": tg.logsumexp,
    "norm": np.linalg.norm,
    "norm of order 3": lambda x: np.linalg.norm(1000 * x, 3),
    "cov": lambda x: np.cov(100 * x),
    "corrcoef": lambda x: np.corrcoef(x, x * x)[0, 1],
    "mse_loss": lambda x: tg.mse_loss(x, np.zeros(N, np.float16)),
    "binary_cross_entropy": lambda x: tg.binary_cross_entropy_with_logits(x, np.zeros(N, np.float16)),
    "cross_entropy": lambda x: tg.cross_entropy(x.reshape(N // 2, 2), np.arange(N // 2) % 2),
    "cross_entropy of probabilities": lambda x: nn.cross_entropy_probabilities(x.reshape(N // 2, 2), np.arange(N // 2) % 2),
    "binary_cross_entropy of probabilities": lambda x: nn.binary_cross_entropy(x, np.ones(N)),
    "l2_penalty": lambda x: nn.l2_penalty([1000 * x], 1e-4),
    "cross_entropy of many classes": lambda x: tg.cross_entropy(x.reshape(1, N), np.array([3])),
}


@pytest.mark.parametrize("name", MANY)
def test_float16_counts_beyond_its_end(name: str) -> None:
    """Values and gradients of 100,000 halves are those of the same numbers in float64, to what float16 can say."""

    def both(dtype: Any) -> tuple[Any, Any]:
        x = Tensor(HALVES.astype(dtype), requires_grad=True)
        z = MANY[name](x)
        assert z.dtype == dtype
        return z.numpy(), gradients(z, x, seed=np.asarray(100, dtype))

    (z, g), (right, exact) = both(np.float16), both(np.float64)
    np.testing.assert_allclose(z, right, rtol=0.02)
    np.testing.assert_allclose(g, exact, rtol=0.02, atol=0.02 * np.max(np.abs(exact)) + 1e-7)


def test_the_mean_of_many_halves_is_compiled_as_it_is_computed() -> None:
    x = (200 * HALVES).astype(np.float16)
    for exact in (True, False):
        np.testing.assert_array_equal(tg.compile(tg.mean, exact=exact)(x), np.mean(x))


def test_a_division_by_more_than_float16_holds() -> None:
    x = Tensor(np.full(10_000_000, 1, np.float16), requires_grad=True)
    np.testing.assert_allclose(gradients(tg.mean(x), x, seed=np.float16(60000))[0], 0.006, rtol=1e-3)


# --- the tester tested ------------------------------------------------------------------------------------------------


def old_power_dy(g: Any, z: Any, x: Any, y: Any) -> Any:
    return g * (z * np.log(np.where(x == 0, 1, x)))


def unwidened(x: Any) -> Any:
    return x


PLANTED: dict[str, tuple[str, list[str]]] = {
    "floating": ("calculus", ["interp", "trapezoid", "gradient", "unwrap"]),
    "wide": ("statistics", ["median", "average", "quantile", "cov"]),
}


@pytest.mark.parametrize("helper", PLANTED)
def test_the_fuzz_sees_that_small_numbers_are_computed_with(helper: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chapter, names = PLANTED[helper]
    monkeypatch.setattr(f"tinygrad_mlp.composed.{chapter}.{helper}", unwidened)
    for name in names:
        assert faults(name, 0, 40), name


def test_the_fuzz_sees_a_logarithm_in_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TABLE["pow"].rules[1] is elementwise.power_dy
    monkeypatch.setattr(TABLE["pow"], "rules", (TABLE["pow"].rules[0], old_power_dy))
    assert any(f.check == "gradient" for f in faults("pow", 0, 40))
