"""NaN and infinity are explained: the operation, the line, the numbers, the cause and the fix; and what is harmless passes."""

from __future__ import annotations

import inspect
import pickle
import threading
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, nn
from tinygrad_mlp.errors import AnomalyError


def leaf(*values: float, dtype: Any = float) -> Tensor:
    return Tensor(np.array(values, dtype), requires_grad=True)


MASK = np.array([False, True])
CASES: dict[str, tuple[Any, str, str, str]] = {
    # what is computed, the operation, words of the cause, words of the fix
    "sqrt of a negative": (lambda: np.sqrt(leaf(-1.0, 4.0)), "sqrt", "negative", "np.maximum"),
    "log of 0": (lambda: np.log(leaf(0.0, 1.0)), "log", "logarithm of 0", "log_softmax"),
    "log of a negative": (lambda: np.log(leaf(-2.0, 1.0)), "log", "not positive", "np.where"),
    "log1p of -1": (lambda: np.log1p(leaf(-1.0)), "log1p", "not positive", "np.where"),
    "overflow of exp": (lambda: np.exp(leaf(1000.0)), "exp", "overflow of an exponential", "softmax"),
    "overflow of exp, float32": (lambda: np.exp(leaf(89.0, dtype=np.float32)), "exp", "88.7 in float32", "softmax"),
    "0/0": (lambda: leaf(0.0, 1.0) / leaf(0.0, 1.0), "divide", "0/0", "np.where(y == 0"),
    "1/0": (lambda: 1 / leaf(0.0, 1.0), "divide", "division by 0", "np.where(y == 0"),
    "mean of nothing": (lambda: np.mean(leaf(1.0)[:0]), "mean", "empty axis", "x.shape[axis]"),
    "var of nothing": (lambda: np.var(Tensor(np.ones((2, 0))), axis=1), "var", "empty axis", "x.shape[axis]"),
    "one entry, correction 1": (lambda: np.var(leaf(1.0), ddof=1), "var", "degrees of freedom", "correction=0"),
    "root of a negative base": (lambda: leaf(-8.0) ** (1 / 3), "pow", "negative base", "np.abs"),
    "0 to -1": (lambda: leaf(0.0) ** -1.0, "pow", "negative power", "eps"),
    "outside the domain": (lambda: np.arccos(leaf(1.5)), "acos", "domain", "np.clip"),
    "0 times infinity": (lambda: leaf(0.0) * np.inf, "multiply", "0 · ∞", "np.where"),
    "infinity minus infinity": (lambda: leaf(1.0) + np.inf - np.inf, "subtract", "∞ − ∞", "infinities come from"),
    "NaN in the data": (lambda: leaf(1.0, 2.0) * np.array([np.nan, 1.0]), "multiply", "holds NaN already", "np.isnan"),
    "overflow of a product": (lambda: leaf(1e200) * 1e200, "multiply", "overflow", "float64"),
    "overflow in float16": (lambda: leaf(300.0, dtype=np.float16) * np.float16(300), "multiply", "overflow", "float64"),
    "backward: root at 0": (lambda: np.sqrt(leaf(0.0, 4.0)).sum().backward(), "sqrt", "slope of a root at 0", "x + eps"),
    "backward: cube root at 0": (lambda: np.cbrt(leaf(0.0, 4.0)).sum().backward(), "cbrt", "slope of a root at 0", "eps"),
    "backward: power at 0": (lambda: (leaf(0.0, 4.0) ** 0.5).sum().backward(), "pow", "power below 1", "eps"),
    "backward: norm by hand": (lambda: np.sqrt(np.sum(leaf(0.0, 0.0) ** 2)).backward(), "sqrt", "norm of a zero vector", "np.linalg.norm"),
    "backward: a mask by multiplication": (lambda: (np.sqrt(leaf(0.0, 4.0)) * MASK).sum().backward(), "sqrt", "0 · ∞", "safe = np.where"),
    "backward: where behind a reshape": (
        lambda: np.where(MASK, np.sqrt(leaf(0.0, 4.0)).reshape(1, 2)[0], 0.0).sum().backward(), "sqrt", "behind a where()", "safe = np.where"),
    "backward: through a create_graph": (lambda: tg.gradients(np.sqrt(x := leaf(0.0)).sum(), x, create_graph=True), "sqrt", "slope of a root", "eps"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_causes(name: str) -> None:
    compute, operation, cause, fix = CASES[name]
    with pytest.raises(AnomalyError) as caught, tg.detect_anomaly():
        compute()
    error = caught.value
    assert error.operation == operation
    assert cause in error.cause
    assert fix in error.fix
    assert error.cause in str(error)
    assert error.fix in str(error)
    first = inspect.getsourcelines(compute)[1]
    assert error.line.rpartition(":")[0] == __file__
    assert first <= int(error.line.rpartition(":")[2]) <= first + 1
    assert ("backward through" in str(error)) == name.startswith("backward")


def test_the_text_has_the_numbers() -> None:
    with pytest.raises(AnomalyError) as caught, tg.detect_anomaly():
        np.log(leaf(3.0, 0.0, 5.0))
    assert "log gave an infinity (1 of 3 entries, the first at (1,))" in str(caught.value)
    assert "input 1: float64[3] from 0 to 5, 1 zero; 0 there" in str(caught.value)


HARMLESS = {
    "a mask of -inf": lambda: tg.softmax(np.where(MASK, leaf(1.0, 2.0), -np.inf)).sum().backward(),
    "log_softmax behind a mask": lambda: tg.log_softmax(leaf(1.0, 2.0) + np.where(MASK, 0.0, -np.inf))[1].backward(),
    "NaN left out": lambda: np.nansum(leaf(1.0, np.nan)).backward(),
    "NaN replaced": lambda: np.where(MASK, leaf(np.nan, 2.0), 0.0).sum().backward(),
    "where by itself": lambda: np.where(MASK, np.sqrt(leaf(0.0, 4.0)), 0.0).sum().backward(),
    "double where": lambda: np.where(MASK, np.sqrt(np.where(MASK, leaf(0.0, 4.0), 1.0)), 0.0).sum().backward(),
    "norm": lambda: np.linalg.norm(leaf(0.0, 0.0)).backward(),
    "std of a constant": lambda: np.std(leaf(2.0, 2.0)).backward(),
    "large logits": lambda: nn.cross_entropy(Tensor([[1e4, -1e4]], True), np.array([1])).backward(),
    "prod with zeros": lambda: np.prod(leaf(0.0, 0.0, 3.0)).backward(),
    "integers": lambda: tg.zeros(3, dtype=tg.int64) + 1,
}


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless(name: str) -> None:
    with tg.detect_anomaly():
        HARMLESS[name]()


def test_no_gradient_is_left_behind() -> None:
    x, y = leaf(0.0), leaf(1.0)
    with pytest.raises(AnomalyError), tg.detect_anomaly():
        (y + np.sqrt(x)).sum().backward()
    assert x.grad is None
    assert y.grad is None


def test_the_mode_is_of_this_thread_nests_and_ends() -> None:
    found: list[Any] = []
    with tg.detect_anomaly():
        with tg.detect_anomaly(), tg.no_grad(), pytest.raises(AnomalyError):
            np.exp(leaf(1000.0))
        with pytest.raises(AnomalyError):
            np.exp(leaf(1000.0))

        def elsewhere() -> None:
            with np.errstate(over="ignore"):
                found.append(float(np.exp(leaf(1000.0)[0])))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert found == [np.inf]
    with np.errstate(over="ignore"):
        assert float(np.exp(leaf(1000.0)[0])) == np.inf
    with pytest.warns(RuntimeWarning, match="overflow"):
        np.exp(leaf(1000.0))


def test_the_error_can_be_pickled() -> None:
    with pytest.raises(AnomalyError) as caught, tg.detect_anomaly():
        np.log(leaf(0.0))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301  # our own bytes


def test_a_training_step_is_unchanged() -> None:
    def gradients() -> list[Any]:
        model = nn.MLP([4, 8, 3], activation="tanh", rng=0)
        nn.cross_entropy(model(np.random.default_rng(0).normal(size=(5, 4))), np.array([0, 1, 2, 0, 1])).backward()
        return [p.grad for p in model.parameters()]

    plain = gradients()
    with tg.detect_anomaly():
        watched = gradients()
    for a, b in zip(plain, watched, strict=True):
        np.testing.assert_array_equal(a, b)


def test_functions_that_leave_nan_out_are_no_anomaly() -> None:
    with tg.detect_anomaly():
        for f in (
            np.nansum,
            np.nanmean,
            np.nanstd,
            np.nanvar,
            np.nanmedian,
            np.nanmax,
            np.nanprod,
            lambda x: np.nanquantile(x, 0.3),
        ):
            f(leaf(1.0, np.nan, 3.0)).backward()


def test_a_row_of_minus_infinities_and_a_seed_of_nan() -> None:
    with pytest.raises(AnomalyError, match="all entries of a row are −∞"), tg.detect_anomaly():
        tg.softmax(leaf(-np.inf, -np.inf))
    with pytest.raises(AnomalyError, match="passed in to backward"), tg.detect_anomaly():
        (leaf(1.0) * 2).backward([np.nan])


def test_the_same_context_can_be_entered_again() -> None:
    watch = tg.detect_anomaly()
    with watch, watch, pytest.raises(AnomalyError):
        np.log(leaf(0.0))
    with watch, pytest.raises(AnomalyError):
        np.log(leaf(0.0))
    with np.errstate(divide="ignore"):
        np.log(leaf(0.0))


@pytest.mark.parametrize(
    "f",
    [
        lambda x, c: np.where(c, np.sqrt(x), 0.0),
        lambda x, c: np.where(c[:, None] & np.ones((1, 3), bool), np.sqrt(x.reshape(2, 1)), 0.0),
        lambda x, c: np.where(c, np.sqrt(x).astype(np.float64), 0.0),
        lambda x, c: np.where(c.reshape(1, 2), np.sqrt(x.reshape(2, 1)).T, 0.0),
        lambda x, c: np.where((n := np.sqrt(np.sum(x.reshape(2, 1) ** 2, axis=1, keepdims=True))) > 0, x.reshape(2, 1) / n, 0.0),
    ],
)
def test_where_is_right_by_itself(f: Any) -> None:
    x, c = leaf(0.0, 4.0), np.array([False, True])
    with np.errstate(invalid="ignore"):
        g = tg.gradients(f(x, c).sum(), x)
    assert g[0] == 0
    assert np.isfinite(g[1])


BACKWARD: dict[str, tuple[Any, str, str, str]] = {
    # what is computed outside, where nothing is looked at; then only its backward() is
    "log at 0": (lambda: np.log(leaf(0.0, 1.0)), "log", "slope of a logarithm", "x + eps"),
    "log1p at -1": (lambda: np.log1p(leaf(-1.0)), "log1p", "slope of a logarithm", "x + eps"),
    "asin at 1": (lambda: np.arcsin(leaf(1.0)), "asin", "end of the domain", "np.clip"),
    "acosh at 1": (lambda: np.arccosh(leaf(1.0)), "acosh", "end of the domain", "np.clip"),
    "1/0": (lambda: leaf(1.0) / leaf(0.0), "divide", "division by 0", "denominator"),
    "reciprocal of 0": (lambda: np.reciprocal(leaf(0.0)), "reciprocal", "division by 0", "denominator"),
    "an exponent of a negative base": (lambda: np.float64(-2.0) ** leaf(2.0), "pow", "no derivative in its exponent", "t.detach()"),
    "std of one": (lambda: np.std(leaf(1.0), ddof=1), "std", "too few entries", "correction="),
    "a product that overflows": (lambda: leaf(1e-200) * 1e200 * 1e200, "multiply", "overflow, or a slope", "float64"),
    "tan": (lambda: np.tan(leaf(1.5)) * 1.7e308, "tan", "overflow, or a slope", "float64"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", BACKWARD)
def test_causes_in_the_backward_pass_alone(name: str) -> None:
    compute, operation, cause, fix = BACKWARD[name]
    y = compute().sum()
    with pytest.raises(AnomalyError) as caught, tg.detect_anomaly():
        y.backward()
    assert (caught.value.operation, cause in caught.value.cause, fix in caught.value.fix) == (operation, True, True)


FORWARD: dict[str, tuple[Any, str, str]] = {
    "softmax of nothing": (lambda: tg.softmax(leaf(-np.inf, -np.inf)), "softmax", "all entries of a row are −∞"),
    "matmul": (lambda: leaf(0.0, 1.0) @ np.array([np.inf, 1.0]), "matmul", "one factor is infinite"),
    "sum": (lambda: np.sum(leaf(np.inf, -np.inf)), "sum", "∞ − ∞"),
    "mean": (lambda: np.mean(leaf(np.inf, -np.inf)), "mean", "∞ − ∞"),
    "1/0 by reciprocal": (lambda: np.reciprocal(leaf(0.0)), "reciprocal", "division by 0"),
    "0/5 beside 1/0": (lambda: leaf(0.0, 1.0) / leaf(5.0, 0.0), "divide", "division by 0"),
    "0 to 2 beside 2 to -5000": (lambda: leaf(0.0, 1e-300) ** leaf(2.0, -3.0), "pow", "overflow"),
    "0 modulo 0": (lambda: np.remainder(leaf(0.0), 0.0), "remainder", "0/0"),
    "std of nothing": (lambda: np.std(Tensor(np.ones((0, 2))), axis=0), "std", "empty axis"),
    "std, not along the empty axis": (lambda: np.std(Tensor(np.ones((2, 1))), axis=1, ddof=1), "std", "degrees of freedom"),
    "atanh": (lambda: np.arctanh(leaf(2.0)), "atanh", "outside the domain"),
    "cosh": (lambda: np.cosh(leaf(1000.0)), "cosh", "overflow of an exponential"),
}


@pytest.mark.parametrize("name", FORWARD)
def test_further_causes_in_the_forward_pass(name: str) -> None:
    compute, operation, cause = FORWARD[name]
    with pytest.raises(AnomalyError) as caught, tg.detect_anomaly():
        compute()
    assert (caught.value.operation, cause in caught.value.cause) == (operation, True), caught.value.cause
