"""The numbered pitfalls of autograd libraries, at least one test each; what is asserted is the right answer, not what the code does.

Here are those of the engine, the operators and the basic functions. Those of NumPy's larger functions (norm, prod, sort, tile,
einsum …) and of writes into arrays are in ``test_pitfalls_numpy.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import math
import operator
import re
import threading
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pitfalls import INF, NAN, check, derivatives, exactly, grad, leaf, numbers, weights

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients, nn, no_grad, optim
from tinygrad_mlp.errors import DataError, GraphError, ShapeError, TensorTypeError, UnsupportedError

# --- A. broadcasting and shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [operator.add, operator.sub, operator.mul, operator.truediv, np.maximum, np.minimum])
@pytest.mark.parametrize(
    "shapes",
    [((5, 1), (1, 4)), ((3,), (2, 3)), ((), (2, 2)), ((1, 1), (3,)), ((2, 1, 3), (4, 1)), ((1,), ()), ((1, 3), (1, 3))],
    ids=str,
)
def test_01_unbroadcast_sums_added_and_stretched_axes(f, shapes):
    check(f, *(numbers(*s) for s in shapes))


@pytest.mark.parametrize("shapes", [((), (3,)), ((2, 1), ()), ((3,), (1, 1)), ((2, 3), (2, 3)), ((4, 1, 1), (3,))], ids=str)
def test_02_where_broadcasts_both_branches(shapes):
    c = np.array([[True, False, True], [False, False, True]])
    check(lambda x, y: tg.where(c, x, y), *(numbers(*s) for s in shapes))


def test_02_where_broadcasts_its_condition():
    check(lambda x, y: tg.where(np.array([[True], [False]]), x, y), numbers(3), numbers(3))


@pytest.mark.parametrize("shapes", [((3,), (4, 2, 3)), ((), (2, 3)), ((2, 1), (5, 2, 3)), ((1,), (0,))], ids=str)
def test_03_broadcast_to_with_new_leading_axes(shapes):
    check(lambda x: tg.broadcast_to(x, shape=shapes[1]), numbers(*shapes[0]))
    check(lambda x: np.broadcast_to(x, shapes[1]), numbers(*shapes[0]))


@pytest.mark.parametrize("f", [operator.add, operator.mul, operator.truediv, np.maximum, lambda x, y: tg.where(x > 0, x, y)])
def test_04_operands_of_size_zero(f):
    a, b = grad(f, np.ones((4, 0)), np.ones((4, 1)))
    exactly(a, np.zeros((4, 0)))
    exactly(b, np.zeros((4, 1)))


@pytest.mark.parametrize(("m", "k", "n"), list(itertools.product((0, 2), repeat=3)))
def test_04_matrix_products_of_size_zero(m, k, n):
    check(operator.matmul, numbers(m, k), numbers(k, n))


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x + x, 2),
        (lambda x: x * 3.0, 3),
        (lambda x: x + x + x + x, 4),
        (lambda x: (h := x * 1.0) * 2 + h * 3 + h * 4 + h, 10),
        (lambda x: +x, 1),
        (lambda x: tg.sum(tg.stack([x, x, x])), 3),
    ],
)
def test_05_a_0d_leaf_gets_a_0d_array(f, expected):
    x = leaf(2.0)
    for times in (1, 2):
        f(x).backward()
        assert type(x.grad) is np.ndarray
        assert x.grad.shape == ()
        assert x.grad == expected * times
    kept = x.grad
    kept += 1  # in place, as on any other array
    assert x.grad == 2 * expected + 1


SHAPE_OPERATIONS = {
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "swapaxes": lambda x: np.swapaxes(x, 0, -1),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "reshape": lambda x: x.reshape(4, -1),
    "reshape of T": lambda x: np.reshape(x.T, (6, 4)),
    "expand_dims": lambda x: tg.expand_dims(x, axis=(0, -1)),
    "squeeze": lambda x: tg.squeeze(x[:1], axis=0),
    "broadcast_to": lambda x: tg.broadcast_to(x, shape=(2, *x.shape)),
    "stack": lambda x: tg.stack([x, x * x], axis=-2),
    "concat": lambda x: tg.concat([x.T, 2 * x.T], axis=1),
}


@pytest.mark.parametrize("name", SHAPE_OPERATIONS)
def test_06_entries_stay_in_their_places(name):
    check(SHAPE_OPERATIONS[name], numbers(2, 3, 4))


@pytest.mark.parametrize(
    "f", [lambda x: np.ravel(x.T), lambda x: x[::-1, ::2].reshape(-1), lambda x: x.T[::-1].ravel(), lambda x: np.ravel(x[:, ::-1])]
)
def test_07_gradients_through_views_are_in_index_order(f):
    x = np.asfortranarray(numbers(3, 4))
    check(f, x)
    check(f, x[::-1])


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (lambda x, y: x @ y, "matmul"),
        (lambda x, y: x.numpy() @ y, "matmul"),
        (lambda x, y: np.matmul(x, y.numpy()), "matmul"),
        (lambda x, y: x * y, "multiply"),
        (lambda x, y: np.maximum(x, y), "maximum"),
    ],
)
def test_08_a_mismatch_names_the_operation_and_both_shapes(f, name):
    with pytest.raises(ValueError) as caught:
        f(leaf(np.ones((2, 3))), leaf(np.ones((4, 5))))
    for text in (name, "(2, 3)", "(4, 5)"):
        assert text in str(caught.value)


# --- B. ties and kinks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("f", "sign"), [(tg.max, 1), (tg.min, -1), (np.max, 1), (np.amin, -1)])
def test_09_max_with_ties_shares_the_gradient(f, sign):
    x = sign * np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0], [5.0, 5.0, 5.0]])
    share = np.array([[0, 1 / 2, 1 / 2], [1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    w = np.array([2.0, 3.0, 6.0])
    np.testing.assert_allclose(grad(lambda t: f(t, axis=1), x, w=w), w[:, None] * share, rtol=1e-15)
    exactly(grad(f, x if sign > 0 else -np.abs(x), w=6.0), np.array([[0, 0, 0], [0, 0, 0], [2, 2, 2.0]]))


@pytest.mark.parametrize("f", [np.maximum, np.minimum, tg.maximum])
def test_10_maximum_at_a_tie(f):
    w = weights((2,))
    a, b = grad(f, [1.0, 2.0], [1.0, 2.0])
    assert np.all((a >= 0) & (b >= 0))
    np.testing.assert_allclose(a + b, w, rtol=1e-15)
    exactly(grad(lambda x: f(x, x), [1.0, 2.0]), w)


@pytest.mark.parametrize("f", [tg.max, tg.min])
def test_11_max_over_copies_of_one_variable(f):
    np.testing.assert_allclose(grad(lambda x: f(tg.stack([x, x, x]), axis=0), [1.0, 2.0]), weights((2,)), rtol=1e-15)


def test_12_ties_are_counted_in_a_type_that_can_count():
    g = grad(tg.max, np.ones(70_000), w=7.0, dtype=np.float16)  # 70,000 is more than float16 can hold
    np.testing.assert_allclose(g.astype(float), 7 / 70_000, rtol=0.01)
    assert grad(lambda x: tg.max(x, axis=0), np.ones((3, 2)), dtype=np.float32).dtype == np.float32


def test_13_relu_at_zero():
    first, second = derivatives(tg.relu, [-1.0, 0.0, 2.0], 2)
    exactly(first, [0, 0, 1])
    exactly(second, [0, 0, 0])


def test_14_abs_at_zero():
    first, second = derivatives(abs, [-2.0, 0.0, 2.0], 2)
    exactly(first[[0, 2]], [-1, 1])
    assert -1 <= first[1] <= 1
    exactly(second, [0, 0, 0])


@pytest.mark.parametrize("slope", [0.01, 0.5])
def test_15_leaky_relu_at_zero(slope):
    g = derivatives(lambda x: tg.leaky_relu(x, negative_slope=slope), [-1.0, 0.0, 1.0], 1)[0]
    exactly(g[[0, 2]], [slope, 1])
    assert slope <= g[1] <= 1


@pytest.mark.parametrize(
    ("f", "inside"),
    [
        (lambda x: tg.clip(x, -1.0, 1.0), [0, None, 1, None, 0]),
        (lambda x: np.clip(x, -1.0, None), [0, None, 1, 1, 1]),
        (lambda x: tg.clip(x, max=1.0), [1, 1, 1, None, 0]),
        (lambda x: x.clip(min=-1.0), [0, None, 1, 1, 1]),
    ],
)
def test_16_clip_at_its_bounds(f, inside):
    g = derivatives(f, [-2.0, -1.0, 0.5, 1.0, 2.0], 1)[0]
    for found, expected in zip(g, inside, strict=True):
        assert found == expected if expected is not None else 0 <= found <= 1


def test_16_clip_passes_gradients_to_its_bounds():
    check(lambda x, a, b: tg.clip(x, a, b), [[-3.0, 0.2, 5.0], [0.0, 7.0, -4.0]], [-1.0, -2.0, -1.5], [[1.0], [2.0]])


def test_17_softplus_at_zero():
    exactly(derivatives(tg.softplus, [0.0], 2), [[0.5], [0.25]])


@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_18_bce_with_logits_at_zero(target):
    exactly(grad(lambda z: nn.binary_cross_entropy_with_logits(z, [target]), [0.0], w=3.0), [3 * (0.5 - target)])


@pytest.mark.parametrize("f", [lambda x: x**2, lambda x: x**2.0, tg.square, lambda x: x * x, lambda x: abs(x) ** 2])
def test_21_a_sum_of_squares_at_zero(f):
    exactly(grad(lambda x: tg.sum(f(x)), [0.0, 0.0, 3.0], w=2.0), [0, 0, 12])


def test_22_sqrt_at_zero():
    with np.errstate(divide="ignore", invalid="ignore"):
        exactly(grad(tg.sqrt, [0.0, 4.0], w=2.0), [INF, 0.5])


def test_23_variance_of_a_constant_or_of_one_element():
    exactly(grad(tg.var, [3.0], w=2.0), [0])
    exactly(grad(lambda x: tg.var(x, axis=1), [[3.0, 3.0, 3.0], [1.0, 2.0, 3.0]], w=[5.0, 3.0]), [[0, 0, 0], [-2, 0, 2]])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("f", [lambda x: tg.var(x, axis=1, correction=1), lambda x: np.var(x, axis=1, ddof=1)])
def test_24_variance_without_degrees_of_freedom(f):
    x = leaf([[1.0], [2.0]])
    y = f(x)
    assert np.all(np.isnan(y.numpy()))
    y.backward(weights(y.shape))
    assert x.grad.shape == (2, 1)
    assert np.all(np.isnan(x.grad))


@pytest.mark.parametrize(
    "f", [tg.sign, np.floor, np.ceil, np.trunc, np.round, lambda x: np.round(x, 1), np.rint, lambda x: x // 0.5, lambda x: 3.0 // x]
)
def test_27_piecewise_constant_functions_have_gradient_zero(f):
    x = np.array([-1.7, 0.3, 2.6])
    exactly(grad(f, x), np.zeros(3))
    np.testing.assert_allclose(grad(lambda t: f(t) * t, x), weights((3,)) * f(x), rtol=1e-14)  # the other path survives


@pytest.mark.parametrize(
    "f",
    [
        np.argmax,
        np.argsort,
        np.count_nonzero,
        np.isnan,
        lambda x: x.argmin(),
        lambda x: x > 0,
        lambda x: x == x,
        lambda x: ~(x < 0),
        lambda x: x.astype(np.int64),
        lambda x: tg.astype(x, dtype=np.int32),
        lambda x: tg.astype(x, dtype=bool),
    ],
)
def test_27_integer_results_never_require_gradients(f):
    y = f(leaf([1.0, -2.0, 3.0]))
    assert y.dtype.kind in "bi"
    assert not y.requires_grad


@pytest.mark.parametrize("f", [operator.mod, np.remainder, np.mod])
@pytest.mark.parametrize(("x", "y"), list(itertools.product((7.3, -7.3), (2.0, -2.0))))
def test_28_remainder(f, x, y):
    a, b = grad(f, [x, 3 * x], [y, y])
    w = weights((2,))
    exactly(a, w)
    exactly(b, -w * np.floor(np.array([x, 3 * x]) / y))
    check(f, [x, 3 * x], [y, y])


def test_28_remainder_near_a_multiple():
    x, y = 1.0, 0.1  # 0.1 is a little more than 1/10: it goes 9 times into 1, although 1 / 0.1 rounds to 10
    assert np.remainder(x, y) > 0.09
    exactly(grad(operator.mod, [x], [y], w=1.0)[1], [-9])


# --- C. powers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zero", [0, 0.0, np.zeros(3), np.float64(0), np.zeros(3, int)], ids=repr)
@pytest.mark.parametrize("tensor", [False, True])
def test_29_x_to_the_0_at_0(zero, tensor):
    if tensor:
        zero = leaf(zero, float)
    exactly((leaf([0.0, 2.0, -3.0]) ** zero).numpy(), [1, 1, 1])
    with np.errstate(invalid="ignore"):  # the logarithm of -3, for a tensor exponent
        exactly(grad(lambda x: x**zero, [0.0, 2.0, -3.0]), [0, 0, 0])


@pytest.mark.parametrize(("y", "expected"), [(1, 1), (1.0, 1), (2, 0), (2.0, 0), (3.5, 0), (0.5, INF)])
@pytest.mark.parametrize("kind", [lambda y: y, np.array, leaf], ids=["number", "array", "tensor"])
def test_30_the_powers_of_0(y, expected, kind):
    with np.errstate(divide="ignore"):
        exactly(grad(lambda x: x ** kind(y), [0.0], w=2.0), [2 * expected])


def test_31_the_exponents_gradient_at_0():
    dy = grad(lambda y: np.zeros(4) ** y, [0.5, 1.0, 2.0, 0.0])
    exactly(dy, [0, 0, 0, 0])  # 0⁰ is the convention of the table
    exactly(grad(lambda x, y: x**y, [0.0, 0.0], [1.0, 2.0])[1], [0, 0])


def test_32_negative_base_with_a_tensor_exponent():
    with np.errstate(invalid="ignore"):
        dx, dy = grad(lambda x, y: x**y, [-2.0, -3.0], [2.0, 3.0], w=[1.0, 10.0])
    np.testing.assert_allclose(dx, [-4, 270], rtol=1e-14)
    assert np.all(np.isnan(dy))
    check(lambda x: x**2.0, [-2.0, -0.5])


def test_33_a_constant_exponents_path_is_not_computed():
    with np.errstate(all="raise"):  # log(-2) and log(0) would raise
        exactly(grad(lambda x: x**3, [-2.0, 0.0, 2.0], w=[1.0, 2.0, 3.0]), [12, 0, 36])
        exactly(grad(lambda x: x ** np.array([3.0, 2.0]), [-2.0, 0.0], w=[1.0, 2.0]), [12, 0])
        exactly(grad(lambda x: x ** Tensor([3.0, 2.0]), [-2.0, 0.0], w=[1.0, 2.0]), [12, 0])


@pytest.mark.parametrize("kind", [np.array, Tensor], ids=["array", "tensor"])
def test_33_higher_derivatives_at_0(kind):
    found = derivatives(lambda x: x ** kind([0.0, 1.0, 2.0, 3.0]), [0.0, 0.0, 0.0, 0.0], 4)
    exactly(found, [[0, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 6], [0, 0, 0, 0]])
    exactly(derivatives(lambda x: x**2, [0.0], 3), [[0], [2], [0]])
    exactly(derivatives(lambda x: x**3.0, [0.0], 4), [[0], [0], [6], [0]])


# --- D. masks and NaN -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "at"), [(tg.sqrt, 0.0), (tg.log, 0.0), (lambda x: 1 / x, 0.0), (tg.log, -1.0), (lambda x: x**0.5, 0.0)]
)
def test_34_the_double_where_gives_exact_zeros(f, at):
    def safe(x):
        return tg.where(x > 0, f(tg.where(x > 0, x, 1.0)), 0.0)

    g = grad(safe, [at, 4.0])
    assert g[0] == 0
    check(safe, [4.0, 2.0])


EDGES = {
    "sqrt": (tg.sqrt, lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5),
    "log": (tg.log, lambda x: 1 / x, lambda x: -(x**-2.0)),
    "1/x": (lambda x: 1 / x, lambda x: -(x**-2.0), lambda x: 2 * x**-3.0),
    "x log x": (lambda x: x * tg.log(x), lambda x: tg.log(x) + 1, lambda x: 1 / x),
    "power": (lambda x: x**0.5, lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5),
    "of a function": (lambda x: tg.sqrt(tg.exp(tg.log(x))), lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5),
    "twice": (lambda x: (h := tg.sqrt(x)) * 3 - h * 2, lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5),
}


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("choose", [lambda c, u: tg.where(c, u, 0.0), lambda c, u: np.where(~c, 0.0, u)], ids=["x", "y"])
def test_34_a_plain_where_gives_exact_zeros_too(name, choose):
    f, slope, curvature = EDGES[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = derivatives(lambda x: choose(x > 0, f(x)), [0.0, 4.0, 0.0], 2)
    exactly(first[[0, 2]], 0)
    exactly(second[[0, 2]], 0)
    np.testing.assert_allclose([first[1], second[1]], [slope(4.0), curvature(4.0)], rtol=1e-13)


def test_34_but_what_is_indeterminate_is_not_silently_zero():
    with np.errstate(divide="ignore", invalid="ignore"):
        assert np.isnan(grad(lambda x: tg.sqrt(x) ** 2, [0.0], w=1.0))  # 0 · ∞ in truth: the limit is 1
        assert np.isnan(grad(lambda x: tg.sqrt(x) * 0.0, [0.0], w=1.0))
        assert np.isnan(grad(lambda x: tg.sqrt(tg.sum(x * x)), [0.0, 0.0], w=1.0)).all()
        r = grad(lambda x: tg.where(x > 0, h := tg.sqrt(x), 0.0) + h, [0.0, 4.0], w=1.0)
        exactly(r, [INF, 0.5])  # the second use depends on it
        assert np.isnan(grad(lambda x: tg.where(x > 0, h := tg.sqrt(x), 0.0) + 0 * h, [0.0], w=1.0))
        exactly(grad(lambda x: tg.where(x >= 0, tg.sqrt(x), 0.0), [0.0, 4.0], w=1.0), [INF, 0.25])  # selected


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_35_where_selects_and_never_multiplies(bad):
    c = np.array([True, False])
    x, y = leaf([1.0, bad]), leaf([bad, 2.0])
    z = tg.where(c, x, y)
    exactly(z.numpy(), [1, 2])
    z.backward([3.0, 4.0])
    exactly(x.grad, [3, 0])
    exactly(y.grad, [0, 4])


@pytest.mark.parametrize("bad", [NAN, INF])
def test_35_where_keeps_a_bad_upstream_gradient_on_its_side(bad):
    a, b = grad(lambda x, y: tg.where(np.array([True, False]), x, y), [1.0, 1.0], [1.0, 1.0], w=[bad, bad])
    exactly(a, [bad, 0])
    exactly(b, [0, bad])


@pytest.mark.parametrize(
    "f",
    [
        tg.relu,
        tg.leaky_relu,
        tg.max,
        tg.min,
        abs,
        tg.softplus,
        tg.sigmoid,
        lambda x: tg.maximum(x, 0.0),
        lambda x: tg.minimum(0.0, x),
        lambda x: tg.clip(x, -1.0, 1.0),
        lambda x: tg.clip(x, max=1.0),
        lambda x: tg.logsumexp(x, axis=0),
        lambda x: tg.softmax(x, axis=0),
    ],
)
def test_36_nan_is_not_hidden(f):
    with np.errstate(invalid="ignore"):  # NumPy's logaddexp warns of NaN
        assert np.isnan(f(leaf([NAN, 1.0])).numpy()).flat[0]
        assert np.isnan(f(leaf([1.0, NAN])).numpy()).flat[-1]


def test_37_masked_scores():
    scores, w = np.array([[1.0, -INF, 2.0], [-INF, -INF, 3.0]]), weights((2, 3))
    seen = np.isfinite(scores)
    for f, w_seen in ((tg.softmax, w), (tg.log_softmax, np.where(seen, w, 0))):
        g = grad(f, scores, w=w_seen)
        assert np.all(np.isfinite(g))
        exactly(g[~seen], 0)
        two = np.array([1.0, 2.0])
        np.testing.assert_allclose(g[0, [0, 2]], grad(f, two, w=w_seen[0, [0, 2]]), rtol=1e-14)  # as if it were not there
    g = grad(lambda x: tg.logsumexp(x, axis=1), scores)
    np.testing.assert_allclose(g, weights((2,))[:, None] * tg.softmax(scores), rtol=1e-14)


def test_37_a_fully_masked_row():
    x = leaf([[-INF, -INF], [0.0, 0.0]])
    y = tg.logsumexp(x, axis=1)
    np.testing.assert_allclose(y.numpy(), [-INF, np.log(2)])
    with np.errstate(invalid="ignore"):
        y.backward([1.0, 2.0])
    exactly(x.grad[1], [1, 1])  # the other row is not touched by the first one's NaN


# --- E. numerical stability -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "far"), [(np.float64, 800), (np.float32, 90), (np.float16, 20)])
@pytest.mark.parametrize("f", [tg.sigmoid, tg.tanh, tg.softplus])
def test_40_saturated_activations(dtype, far, f):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        g = grad(f, [-far, -far / 8, 0, far], w=1.0, dtype=dtype)
    assert np.all(np.isfinite(g))
    left, right = {tg.sigmoid: (0, 0), tg.tanh: (0, 0), tg.softplus: (0, 1)}[f]
    np.testing.assert_allclose(g[[0, 3]], [left, right], atol=1e-8)
    if f is not tg.tanh and dtype is np.float64:
        np.testing.assert_allclose(g[1], np.exp(-100), rtol=1e-12)


def test_41_softmax_subtracts_the_maximum_of_each_row():
    x = np.array([[1000.0, 1001.0], [-1000.0, -1001.0], [0.0, 1.0]])
    p = 1 / (1 + np.e)
    np.testing.assert_allclose(tg.softmax(leaf(x)).numpy(), [[p, 1 - p], [1 - p, p], [p, 1 - p]], rtol=1e-12)
    np.testing.assert_allclose(tg.logsumexp(leaf(x), axis=1).numpy(), x.max(1) + np.log1p(np.exp(-1)), rtol=1e-12)
    for f in (tg.softmax, tg.log_softmax, lambda t: tg.logsumexp(t, axis=1)):
        np.testing.assert_allclose(grad(f, x), grad(f, x - x.max(1, keepdims=True)), rtol=1e-12)
        check(f, numbers(2, 3))
    check(lambda t: tg.softmax(t, axis=0), numbers(3, 2))
    check(lambda t: tg.logsumexp(t, axis=(0, -1), keepdims=True), numbers(3, 2, 2))


def test_42_log_softmax_of_huge_logits():
    np.testing.assert_allclose(tg.log_softmax(leaf([1e15, 1e15])).numpy(), -np.log([2.0, 2.0]), rtol=1e-15)
    exactly(grad(tg.log_softmax, [1e15, 1e15], w=[1.0, 3.0]), [-1, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_43_fused_losses_of_huge_logits(dtype):
    z, y = [[1000.0, -1000.0], [1000.0, -1000.0]], np.array([0, 1])
    assert float(nn.cross_entropy(leaf(z, dtype), y, reduction="sum")) == 2000
    exactly(grad(lambda t: nn.cross_entropy(t, y), z, w=3.0, dtype=dtype), [[0, 0], [1.5, -1.5]])
    z, y = [1000.0, 1000.0, -1000.0, -1000.0], [0.0, 1.0, 0.0, 1.0]
    assert float(nn.binary_cross_entropy_with_logits(leaf(z, dtype), y, reduction="sum")) == 2000
    exactly(grad(lambda t: nn.binary_cross_entropy_with_logits(t, y), z, w=8.0, dtype=dtype), [2, 0, 0, -2])


def test_44_variance_far_from_zero():
    x = 1e9 + np.array([0.0, 1.0, 2.0, 3.0])
    assert float(tg.var(leaf(x))) == 1.25
    exactly(grad(tg.var, x, w=2.0), [-1.5, -0.5, 0.5, 1.5])


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_45_the_norm_of_gradients_beyond_the_range_of_squares(scale):
    p = leaf([0.0, 0.0])
    p.grad = np.array([3.0, 4.0]) * scale
    np.testing.assert_allclose(optim.clip_grad_norm([p], max_norm=scale), 5 * scale, rtol=1e-14)
    np.testing.assert_allclose(p.grad, np.array([0.6, 0.8]) * scale, rtol=1e-14)


def test_46_tiny_arguments_are_kept():
    tiny = [1e-20, -1e-20]
    for f in (tg.expm1, tg.log1p, tg.tanh):
        exactly(f(leaf(tiny)).numpy(), tiny)
        exactly(grad(f, tiny, w=[2.0, 3.0]), [2, 3])
    with np.errstate(over="raise"):
        exactly(grad(tg.tanh, [1000.0, -1000.0]), [0, 0])


def test_47_one_argument_minus_infinity():
    exactly(grad(lambda x: tg.logsumexp(x, axis=0), [-INF, 3.0], w=2.0), [0, 2])
    exactly(grad(tg.softplus, [-INF, INF], w=2.0), [0, 2])


# --- F. reductions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [tg.sum, tg.mean, tg.max, tg.min, tg.var, tg.logsumexp, np.sum, np.mean, np.max, np.var])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, 0), (-1, 1), (-2,), (-3, -2, -1)], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_48_axes(f, axis, keepdims):
    check(lambda x: f(x, axis=axis, keepdims=keepdims), numbers(2, 3, 2))


@pytest.mark.parametrize(("axis", "count"), [(None, 24), (0, 2), ((0, -1), 8), ((), 1)])
def test_49_mean_divides_by_the_number_of_reduced_elements(axis, count):
    x = numbers(2, 3, 4)
    for f in (tg.mean, np.mean):
        np.testing.assert_allclose(grad(lambda t, f=f: f(t, axis=axis), x, w=5.0), np.full(x.shape, 5 / count), rtol=1e-15)
    np.testing.assert_allclose(grad(lambda t: t.mean(axis=0), [1.0, 2.0], w=3.0), [1.5, 1.5])


def test_54_the_second_derivative_of_a_gather():
    x, w = leaf([1.0, 2.0, 3.0]), np.array([1.0, 10.0, 100.0])
    y = tg.sum(w * x[np.array([2, 0, 2])] ** 3)
    g = gradients(y, x, create_graph=True)
    exactly(g.numpy(), [30, 0, 27 * 101])
    exactly(gradients(g, x, seed=[1.0, 1.0, 2.0]), [60, 0, 2 * 18 * 101])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_55_empty_reductions():
    assert float(tg.sum(leaf(np.ones(0)))) == 0
    assert math.isnan(float(tg.mean(leaf(np.ones(0)))))
    for f in (tg.sum, tg.mean):
        assert grad(f, np.ones((0, 2))).shape == (0, 2)
        exactly(grad(lambda x, f=f: f(x, axis=1), np.ones((0, 2))), np.ones((0, 2)))
    for f in (tg.max, np.min):
        with pytest.raises(ValueError, match=r"max|min"):
            f(leaf(np.ones(0)))


# --- G. indexing ------------------------------------------------------------------------------------------------------

REPEATED = {
    "array": np.array([0, 0, 1]),
    "list": [0, 0, 1],
    "array and slice": (np.array([0, 0, 1]), slice(None)),
    "list and list": ([0, 0, 1], [1, 1, 0]),
    "tuple in a tuple": ((0, 0, 1), slice(None)),
    "tuples in a tuple": ((0, 0, 1), (1, 1, 0)),
    "2-D": np.array([[0, 0], [1, 0]]),
    "0-d array": np.array(1),
    "tensor": Tensor([0, 0, 1]),
    "tensor and slice": (Tensor([0, 0, 1]), slice(1)),
    "uint8": np.array([0, 0, 1], np.uint8),
    "mask and array": (np.array([True, True, True]), np.array([1, 1, 0])),
}


@pytest.mark.parametrize("name", REPEATED)
def test_56_repeated_indices_accumulate(name):
    index = REPEATED[name]
    plain = tuple(np.asarray(i) if isinstance(i, Tensor) else i for i in index) if isinstance(index, tuple) else np.asarray(index)
    check(lambda x: x[index] if isinstance(x, Tensor) else x[plain], numbers(3, 2))


@pytest.mark.parametrize("index", [np.array([0, -3, 2]), [-1, 2, 1, -2], range(-1, 3), (range(-1, 3), 0)], ids=str)
def test_57_repetitions_hidden_by_negative_indices(index):
    check(lambda x: x[index], numbers(3, 2))


@pytest.mark.parametrize(
    "index",
    [
        1,
        -1,
        np.int64(2),
        slice(1, None),
        slice(None, None, -2),
        (slice(None), 1),
        (..., 0),
        (None, slice(2), None),
        (),
        ...,
        np.array([True, False, True]),
        [True, False, True],
        (slice(None), np.array([False, True])),
        np.array([[True, False], [False, False], [True, True]]),
        True,
        slice(3, 3),
        (np.newaxis, 1, -1),
        range(2),
    ],
    ids=repr,
)
def test_58_basic_indices_and_masks(index):
    check(lambda x: x[index], numbers(3, 2))


@pytest.mark.parametrize("index", [[], np.array([], int), ([], slice(None)), np.zeros(3, bool)], ids=repr)
def test_58_empty_indices_pick_nothing(index):
    exactly(grad(lambda x: x[index], numbers(3, 2)), np.zeros((3, 2)))


@pytest.mark.parametrize(
    "index",
    [
        (np.array([0, 2]), slice(None), np.array([0, 2])),
        (0, slice(None), np.array([0, 0, 2])),
        (np.array([1, 1]), slice(None), 0),
        (slice(None), np.array([[0], [3]]), np.array([1, 1])),
        (np.array([0, 0]), None, np.array([1, 1])),
        (np.array([0, 0]), ..., np.array([1, 1])),
    ],
    ids=repr,
)
def test_59_advanced_indices_separated_by_a_slice(index):
    x = numbers(3, 4, 3)
    exactly(leaf(x)[index].numpy(), x[index])
    check(lambda t: t[index], x)


# --- H. shapes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [(1, 2, 0), (2, 0, 1), (-1, 0, 1), (1, -1, -3), (2, 1, 0), None], ids=str)
def test_62_transposition_is_undone_by_the_inverse_permutation(axes):
    check(lambda x: tg.permute_dims(x, axes=axes), numbers(2, 3, 4))
    check(lambda x: np.transpose(x, axes), numbers(2, 3, 4))
    check(lambda x: x.transpose() if axes is None else x.transpose(*axes), numbers(2, 3, 4))


def test_62_moveaxis_in_three_cycles():
    check(lambda x: np.moveaxis(x, (0, 1), (1, -1)), numbers(2, 3, 4))


@pytest.mark.parametrize("axis", [0, 1, -1, -2, None])
@pytest.mark.parametrize("f", [tg.concat, np.concatenate])
def test_63_concat(f, axis):
    sizes = (2, 0, 1) if axis is not None else (2, 3, 0)
    shapes = [(n, 2) if axis in (0, -2, None) else (2, n) for n in sizes]
    check(lambda *parts: f(parts, axis=axis), *(numbers(*s) for s in shapes))


def test_63_concat_and_stack_of_one_tensor_twice():
    check(lambda x: tg.concat([x, x * 1.0, x], axis=-1), numbers(2, 3))
    check(lambda x: np.stack((x, x), axis=-1), numbers(2, 3))
    exactly(grad(lambda x: tg.concat([x, x]), [1.0, 2.0], w=[1.0, 2.0, 30.0, 40.0]), [31, 42])


def test_63_concat_with_constants():
    exactly(grad(lambda x: tg.concat([np.ones(1), x, [5.0]]), [1.0, 2.0], w=[1.0, 2.0, 3.0, 4.0]), [2, 3])


# --- I. matrix products -----------------------------------------------------------------------------------------------

PRODUCTS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3, 3), (3,)),  # square: a wrong rule fits by shape
    ((3,), (3, 3)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((1, 3), (3, 2)),
    ((4, 2, 3), (3,)),
    ((3,), (4, 3, 2)),
]
BATCHED = [((4, 2, 3), (4, 3, 2)), ((4, 2, 3), (3, 2)), ((2, 3), (4, 3, 2)), ((5, 1, 2, 3), (4, 3, 2)), ((1, 1, 3), (4, 3, 2))]


@pytest.mark.parametrize("shapes", PRODUCTS, ids=str)
def test_65_products_with_vectors(shapes):
    check(operator.matmul, *(numbers(*s) for s in shapes))
    if max(map(len, shapes)) < 3:
        check(np.dot, *(numbers(*s) for s in shapes))


@pytest.mark.parametrize("shapes", BATCHED, ids=str)
def test_66_batched_products(shapes):
    check(operator.matmul, *(numbers(*s) for s in shapes))


@pytest.mark.parametrize("shapes", [*BATCHED, *PRODUCTS[1:4]], ids=str)
def test_66_batched_linear(shapes):
    x, w = (numbers(*s) for s in shapes)
    check(tg.linear, x, w, numbers(*np.matmul(x, w).shape[-1:]))


@pytest.mark.parametrize(
    "f", [lambda x: x @ x, lambda x: x @ x.T, lambda x: x.mT @ x, lambda x: x @ x @ x, lambda x: x[0] @ x @ x[1]]
)
def test_67_a_shared_operand(f):
    check(f, numbers(3, 3))


# --- J. the graph -----------------------------------------------------------------------------------------------------


def test_69_reverse_topological_order():
    def doubles(a):
        b = a + a
        return b + b

    def shared(a, b):
        c, d = a * b, a + b
        e = c + d
        return e * c * d

    exactly(grad(doubles, [3.0], w=2.0), [8])
    check(shared, [2.0, -1.0], [3.0, 0.5])


def test_70_sixty_doublings():
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad == 2.0**60
    y = x * 1.0
    for _ in range(60):
        y = y * 0.5 + y * 0.5
    assert gradients(y, x) == 1


@contextlib.contextmanager
def without_collector():
    """Memory must come back by reference counts alone."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def chain(x, n=100_000):
    first = y = x + 1e-3
    for _ in range(n - 1):
        y = y + 1e-3
    return weakref.ref(first), y


def test_71_a_chain_of_100_000_operations():
    x = leaf(0.0)
    with without_collector():
        first, y = chain(x)
        y.backward(3.0)
        assert x.grad == 3
        assert abs(float(y) - 100) < 1e-6
        assert first() is None  # freed on the way, although the result is still there


@pytest.mark.parametrize("retain_graph", [False, True])
def test_71_a_chain_is_freed_without_recursion(retain_graph):
    x = leaf(0.0)
    with without_collector():
        first, y = chain(x)
        if retain_graph:
            y.backward(3.0, retain_graph=True)
            assert x.grad == 3
        assert first() is not None
        del y
        assert first() is None


def test_72_a_second_backward_is_right_or_refused():
    x = leaf(2.0)
    y = (x * x) * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad == 24
    with pytest.raises(GraphError, match="freed"):
        y.backward()
    assert x.grad == 24


def test_72_two_losses_that_share_a_value():
    def losses(x):
        k = 2 * x
        return 2 * k, 3 * k

    x = leaf(1.0)
    first, second = losses(x)
    first.backward(retain_graph=True)
    second.backward()
    assert x.grad == 10
    x.zero_grad()
    first, second = losses(x)
    first.backward()
    with pytest.raises(GraphError, match="freed"):
        second.backward()
    assert x.grad == 4


def test_72_gradients_of_interior_nodes_do_not_persist():
    x = leaf(2.0)
    k = (x * x).retain_grad()
    y = 3 * k
    y.backward(retain_graph=True)
    assert k.grad == 3
    y.backward(10.0)
    assert x.grad == 12 + 120


def test_73_gradients_accumulate_until_zeroed():
    x = leaf([1.0, 2.0])
    for _ in range(3):
        (x * x).backward([1.0, 10.0])
    exactly(x.grad, [6, 120])
    x.zero_grad()
    (3 * x).backward([1.0, 2.0])
    exactly(x.grad, [3, 6])


def test_74_one_buffer_for_both_operands():
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = a + b
    (y + a + a).backward([1.0, 10.0])
    exactly(a.grad, [3, 30])
    exactly(b.grad, [1, 10])
    (a + b).backward([1.0, 10.0])
    a.grad *= 0
    exactly(b.grad, [2, 20])


SHARING = {
    "add": lambda a, b: a + b,
    "positive": lambda a, b: +a + +b,
    "reshape": lambda a, b: (a.reshape(4) + b.T.reshape(4)).reshape(2, 2),
    "transpose": lambda a, b: (a.T + b.T).T,
    "product": lambda a, b: a * b,
    "index": lambda a, b: a[:] + b[::-1],
    "where": lambda a, b: tg.where(True, a, b),
    "stack": lambda a, b: tg.stack([a, b])[0] + tg.stack([a, b])[1],
    "clip": lambda a, b: tg.clip(a, -9.0, 9.0) + b,
    "twice": lambda a, b: (a + b) + (a + b),
    "broadcast": lambda a, b: tg.broadcast_to(a, shape=(2, 2)) + b,
    "astype": lambda a, b: tg.astype(a, dtype=np.float64) + b,
}


@pytest.mark.parametrize("name", SHARING)
@pytest.mark.parametrize("through", ["backward", "gradients"])
def test_75_gradients_share_memory_with_nothing(name, through):
    a, b = leaf([[1.0, 2.0], [3.0, 4.0]]), leaf([[5.0, 6.0], [7.0, 8.0]])
    seed = np.ones((2, 2))
    y = SHARING[name](a, b)
    if through == "backward":
        y.backward(seed)
        found = [a.grad, b.grad]
    else:
        found = list(gradients(y, [a, b], seed=seed))
    others = [seed, a.data, b.data, y.data]
    for g in found:
        assert not any(np.shares_memory(g, other) for other in others)
        others.append(g)


def test_75_the_gradient_of_the_seeded_tensor_itself():
    x, seed = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    x.backward(seed)
    seed[:] = 0
    exactly(x.grad, [3, 4])
    x.backward(np.array([1.0, 1.0]))
    exactly(x.grad, [4, 5])


def test_76_the_same_tensor_asked_for_twice():
    x = leaf([1.0, 2.0])
    for g in (found := gradients(x * x, [x, x], seed=[1.0, 10.0])):
        g *= 0.5  # as clipping does: once each
    exactly(found, [[1, 20], [1, 20]])


@pytest.mark.parametrize("f", [tg.sum, tg.mean, lambda x: tg.sum(tg.broadcast_to(x, shape=(5, 2, 3))), lambda x: tg.sum(x.T)])
def test_76_gradients_can_be_written_to(f):
    x = leaf(np.ones((2, 3)))
    f(x).backward()
    before = x.grad.copy()
    x.grad *= 0.5
    exactly(x.grad, before / 2)
    assert optim.clip_grad_norm([x], 1e-3) > 1e-3
    np.testing.assert_allclose(np.linalg.norm(x.grad), 1e-3)


def test_77_equal_tensors_are_not_one():
    a, b = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    (a * 2 + b * 3).backward([1.0, 10.0])
    exactly(a.grad, [2, 20])
    exactly(b.grad, [3, 30])
    for _ in range(200):  # the temporaries of one round take the place, and the id, of those of the last
        a.zero_grad()
        (a * 1.0 * 2.0 + a).backward([1.0, 10.0])
        exactly(a.grad, [3, 30])


def test_78_thousands_of_uses():
    n, uses = 1000, 5000
    x = leaf(np.ones(n))
    total = sum((x * float(i) for i in range(uses)), start=Tensor(np.zeros(n)))
    tracemalloc.start()
    try:
        total.backward(np.arange(n, dtype=float), retain_graph=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    exactly(x.grad, np.arange(n) * (uses * (uses - 1) / 2.0))
    assert peak < 8 * n * uses / 4  # the gradients of the uses are not collected first and added afterwards


def test_79_a_seed_is_needed_for_more_than_one_number():
    x = leaf([1.0, 2.0])
    with pytest.raises(ValueError, match=r"\(2,\)"):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"\(2,\)"):
        gradients(x * x, x)
    assert x.grad is None


@pytest.mark.parametrize("shape", [(4, 2), (1,), (), (2, 1), (1, 2), (3,)], ids=str)
def test_80_a_seed_of_another_shape_is_refused(shape):
    x = leaf([1.0, 2.0])
    with pytest.raises(ValueError) as caught:
        (x * x).backward(np.ones(shape))
    assert str(shape) in str(caught.value)
    assert "(2,)" in str(caught.value)
    assert x.grad is None


def test_81_backward_without_a_graph_is_refused():
    x = leaf([2.0])
    with no_grad():
        unrecorded = x * x
    for y in (Tensor(1.0), unrecorded, (x * x).detach(), x > 0, Tensor([1.0]) * 2):
        with pytest.raises(GraphError):
            y.backward()
        with pytest.raises(GraphError):
            gradients(y, x)
    with pytest.raises(GraphError):
        gradients(x * x, Tensor([2.0]))


@pytest.mark.parametrize("data", [1, [1, 2], [True], np.array([1, 2], np.uint8)], ids=repr)
def test_82_only_floats_require_gradients(data):
    with pytest.raises(TypeError, match="float"):
        Tensor(data, requires_grad=True)


@pytest.mark.parametrize("k", [3, np.array([1, 2]), np.int64(3), Tensor([1, 2]), [1, 2], np.array([True, False])], ids=repr)
def test_82_integer_constants_do_not_make_gradients_integer(k):
    w = [0.5, 0.25]
    exactly(grad(lambda x: x * k, [1.5, 2.5], w=w), np.asarray(k) * np.array(w))
    exactly(grad(lambda x: tg.maximum(x, k) + k, [9.5, 9.5], w=w), w)
    exactly(grad(lambda x: tg.where(True, x, k), [9.5, 9.5], w=w, dtype=np.float32), w)


# --- K. mutation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iadd", "isub", "imul", "itruediv", "ipow", "ifloordiv", "imod", "imatmul"])
def test_86_augmented_assignment_rebinds(name):
    x = leaf([[2.0, 3.0], [4.0, 5.0]])
    h = x * 1
    saved = h * h
    y = getattr(operator, name)(h, h.detach())
    assert y is not h
    exactly(h.numpy(), [[2, 3], [4, 5]])
    assert y.requires_grad
    saved.backward(weights((2, 2)))
    np.testing.assert_allclose(x.grad, 2 * x.numpy() * weights((2, 2)))
    with pytest.raises(RuntimeError, match=r"write t\.data -= step"):  # the leaf would be lost under its name
        getattr(operator, name)(x, 1.0)
    exactly(x.numpy(), [[2, 3], [4, 5]])


def test_86_augmented_assignment_is_differentiated():
    def f(x):
        y = +x
        y += 1
        y *= x
        y /= 2
        return y

    exactly(grad(f, [1.5, -2.0], w=[1.0, 10.0]), [2, -15])  # of (x + 1) x / 2


def test_86_a_refused_assignment_changes_nothing():
    x, a = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    with pytest.raises(GraphError, match=r"write t\.data\[i\] = v"):
        x[0] = 5.0
    with pytest.raises(TypeError):
        a += x
    with pytest.raises(TypeError):
        np.multiply(x, 2.0, out=a)
    exactly(x.numpy(), [1, 2])
    exactly(a, [3, 4])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_87_a_step_before_backward(momentum):
    w = leaf([1.0, 2.0])
    optimizer = optim.SGD([w], lr=0.5, momentum=momentum, weight_decay=0.1)
    first, second = w**2, w**3
    for _ in range(2):  # with momentum the second step goes another way
        w.grad = np.array([1.0, 1.0])
        optimizer.step()
    assert np.all(w.numpy() != [1, 2])
    w.zero_grad()
    (first + second).backward([1.0, 10.0])
    exactly(w.grad, [2 + 3, 40 + 120])


def test_87_a_step_before_a_recorded_backward_is_detected():
    w = leaf(2.0)
    y = w**3
    w.data = 5.0
    with pytest.raises(GraphError, match="new data"):
        gradients(y, w, create_graph=True)
    assert gradients(y, w) == 12


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x**1,
        lambda x: +x,
        lambda x: x + 0,
        lambda x: x * 1,
        lambda x: x.astype(x.dtype),
        lambda x: x.reshape(x.shape),
        lambda x: x[...],
        lambda x: x.T,
        lambda x: tg.squeeze(x),
        lambda x: tg.broadcast_to(x, shape=x.shape),
        lambda x: tg.clip(x, None, None),
        lambda x: tg.sum(x, axis=()),
        lambda x: tg.concat([x]),
        lambda x: np.round(x),
        lambda x: x.detach(),
    ],
)
def test_88_without_recording_the_result_is_new_and_detached(f):
    x = leaf([1.0, 2.0])
    with no_grad():
        y = f(x)
    assert y is not x
    assert not y.requires_grad
    assert x.requires_grad
    assert f(x) is not x


# --- L. modes, threads, memory ----------------------------------------------------------------------------------------


def records():
    recorded = (leaf(1.0) * 2).requires_grad
    assert recorded == tg.is_recording()
    return recorded


def test_89_no_grad_nests():
    with no_grad():
        assert not records()
        with no_grad():
            assert not records()
        assert not records()
    assert records()
    switch = no_grad()
    with switch, switch:  # one object, entered twice
        assert not records()
    assert records()


def test_89_no_grad_survives_exceptions():
    @no_grad()
    def fails():
        assert not records()
        raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert records()
    with pytest.raises(KeyError), no_grad(), no_grad():
        raise KeyError
    assert records()


def test_89_no_grad_as_a_decorator_recurses():
    @no_grad()
    def down(n):
        """Doc."""
        assert not records()
        if n:
            down(n - 1)
        assert not records()
        return n

    assert (down.__name__, down.__doc__, down(3), down(2)) == ("down", "Doc.", 3, 2)
    assert records()


def test_89_no_grad_on_a_generator_holds_for_its_own_code_only():
    log = []

    @no_grad()
    def steps():
        while True:
            log.append(records())
            try:
                yield "step"
            except KeyError:
                log.append(records())

    running = steps()
    for _ in range(3):
        assert next(running) == "step"
        assert records()
    running.throw(KeyError)
    assert records()
    assert log == [False] * 5


def test_89_no_grad_on_a_generator_holds_when_it_is_closed():
    log = []

    @no_grad()
    def steps():
        try:
            yield
        finally:
            log.append(records())

    running = steps()
    next(running)
    running.close()
    assert log == [False]
    assert records()


def test_89_no_grad_on_a_coroutine():
    @no_grad()
    async def coroutine():
        await asyncio.sleep(0)
        return records()

    async def main():
        return await coroutine(), records()

    assert asyncio.run(main()) == (False, True)


def test_89_no_grad_on_an_async_generator():
    @no_grad()
    async def steps():
        for _ in range(2):
            await asyncio.sleep(0)
            yield records()

    async def main():
        return [(inside, records()) async for inside in steps()]

    assert asyncio.run(main()) == [(False, True), (False, True)]


def test_90_no_grad_holds_for_its_own_thread():
    inside, done = threading.Event(), threading.Event()

    def without():
        with no_grad():
            inside.set()
            assert done.wait(10)
            return records()

    def beside():
        assert inside.wait(10)
        try:
            return records()
        finally:
            done.set()

    with ThreadPoolExecutor(2) as pool:
        found = pool.submit(without), pool.submit(beside)
        assert [f.result() for f in found] == [False, True]
    with no_grad(), ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: None).result()
    assert records()


def test_90_backward_in_many_threads():
    def work(k):
        x = leaf(np.arange(4.0))
        for _ in range(100):
            x.zero_grad()
            with no_grad():
                x * x
            (x * x * k + x).backward(weights((4,)))
            np.testing.assert_allclose(x.grad, weights((4,)) * (2 * k * np.arange(4.0) + 1))
        return k

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))


def test_90_no_grad_holds_for_its_own_task():
    async def without(inside, done):
        with no_grad():
            inside.set()
            await done.wait()
            return records()

    async def beside(inside, done):
        await inside.wait()
        recorded = records()
        done.set()
        return recorded

    async def main():
        events = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(without(*events), beside(*events))

    assert asyncio.run(main()) == [False, True]


def growth(step, n):
    """By how many bytes n steps make the memory grow, with the cycle collector off."""
    with without_collector():
        tracemalloc.start()
        try:
            for _ in range(50):
                step()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(n):
                step()
            return tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()


def test_91_memory_stays_flat_over_10_000_steps():
    x, w = np.ones((2, 2)), leaf(np.ones((2, 1)))
    optimizer = optim.SGD([w], lr=0.01)

    def step():
        optimizer.zero_grad()
        tg.mean(tg.tanh(x @ w)).backward()
        optimizer.step()

    assert growth(step, 10_000) < 10_000  # less than a byte a step


def test_91_nor_do_graphs_leak_that_are_used_in_other_ways():
    x = leaf([1.0, 2.0])

    def unused():
        tg.sum(tg.exp(x) * x)

    def retained():
        tg.sum(x * x).backward(retain_graph=True)

    def second_order():
        y = tg.sum(tg.tanh(x) * x)
        g = gradients(y, x, create_graph=True)
        tg.sum(g * g).backward()

    def failing():
        with contextlib.suppress(ValueError):
            (x * x).backward(np.ones(3))

    for step in (unused, retained, second_order, failing):
        assert growth(step, 500) < 10_000, step.__name__


@pytest.mark.parametrize("keep", ["list", "total"])
def test_92_kept_losses_do_not_keep_their_graphs(keep):
    x, losses = leaf(np.ones(1000)), [Tensor(0.0)]

    def step():
        loss = tg.sum(tg.exp(x) * x)
        loss.backward()
        losses.append(loss if keep == "list" else losses.pop() + loss)

    assert growth(step, 500) < 500 * 3000  # not the 8000 bytes of each array


def test_93_ordinary_gradients_are_plain_data():
    x = leaf([1.0, 2.0])
    g = gradients(tg.sum(x**3), x, create_graph=True)
    assert g.requires_grad
    g.backward([1.0, 10.0])
    assert type(x.grad) is np.ndarray
    exactly(x.grad, [6, 120])
    assert type(gradients(tg.sum(x**3), x)) is np.ndarray


# --- M. NumPy and dtypes ----------------------------------------------------------------------------------------------

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod, operator.floordiv]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
LEFT = [
    np.array([1.5, 2.5]),
    np.float64(2.5),
    np.float32(2.5),
    np.array(2.5),
    np.int64(2),
    np.array([2, 3]),
    np.array([[1.5], [2.5]]),
]


@pytest.mark.parametrize("left", LEFT, ids=repr)
@pytest.mark.parametrize("f", BINARY)
def test_94_numpy_on_the_left(f, left):
    t = leaf([0.7, 1.3])
    y = f(left, t)
    assert type(y) is Tensor
    assert y.requires_grad
    np.testing.assert_allclose(y.numpy(), f(left, t.numpy()), rtol=1e-7)
    check(lambda x: f(left, x), t.numpy())


@pytest.mark.parametrize("left", LEFT, ids=repr)
@pytest.mark.parametrize("f", COMPARISONS)
def test_94_comparisons_with_numpy_on_the_left(f, left):
    t = leaf([1.5, 9.0])
    y = f(left, t)
    assert type(y) is Tensor
    assert y.dtype == bool
    exactly(y.numpy(), f(left, t.numpy()))


def test_94_matmul_with_numpy_on_the_left():
    a, t = numbers(2, 3), numbers(3, 2)
    assert type(a @ leaf(t)) is Tensor
    check(lambda x: a @ x, t)
    check(lambda x: a[0] @ x, t)


@pytest.mark.parametrize("f", [np.exp, np.sum, np.tanh, np.mean, np.transpose, np.absolute, lambda x: np.multiply(2.0, x), np.max])
def test_95_numpy_functions_keep_the_graph(f):
    t = leaf(numbers(2, 2))
    y = f(t)
    assert type(y) is Tensor
    assert y.requires_grad
    check(f, t.numpy())


WITHOUT_RULE = {
    "i0": np.i0,
    "roots": np.roots,
    "apply_along_axis": lambda t: np.apply_along_axis(np.sum, 0, t),
    "copyto": lambda t: np.copyto(np.zeros((2, 2)), t),
    "place": lambda t: np.place(np.zeros((2, 2)), np.ones((2, 2), bool), t),
    "fill_diagonal": lambda t: np.fill_diagonal(t, 0.0),
    "put_along_axis": lambda t: np.put_along_axis(t, np.array([[0]]), 0.0, 0),
    "vectorized": lambda t: np.frompyfunc(math.exp, 1, 1)(t),
    "sum with out": lambda t: np.sum(t, out=np.zeros(())),
    "sum with where": lambda t: np.sum(t, where=np.ones((2, 2), bool)),
    "max with initial": lambda t: np.max(t, initial=0.0),
    "exp with out": lambda t: np.exp(t, out=np.zeros((2, 2))),
    "exp with where": lambda t: np.exp(t, where=np.ones((2, 2), bool)),
    "add.at": lambda t: np.add.at(np.zeros((2, 2)), 0, t),
    "add.reduceat": lambda t: np.add.reduceat(t, [0, 1]),
}


@pytest.mark.parametrize("name", WITHOUT_RULE)
@pytest.mark.parametrize("requires_grad", [True, False])
def test_95_what_has_no_rule_is_refused_by_name(name, requires_grad):
    t = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=requires_grad)
    with pytest.raises(UnsupportedError, match=name.split()[0]) as caught:
        WITHOUT_RULE[name](t)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    "f", [np.asarray, np.array, lambda t: np.array([t, t]), lambda t: np.full(2, t), lambda t: np.zeros(2) + [t, t]]
)
@pytest.mark.parametrize("data", [1.0, [1.0, 2.0]], ids=str)
def test_95_a_tracked_tensor_does_not_become_an_array_in_silence(f, data):
    with pytest.raises((GraphError, TypeError)):
        f(leaf(data))


def test_95_in_place_operations_of_arrays_are_refused():
    a = np.zeros(2)
    with pytest.raises(TypeError):
        a += leaf([1.0, 2.0])
    with pytest.raises((GraphError, TypeError)):
        a[:] = leaf([1.0, 2.0])
    exactly(a, [0, 0])


def test_95_where_with_a_condition_alone_finds_the_indices_or_is_refused():
    t = leaf([1.0, -1.0, 2.0])
    try:
        found = np.where(t > 0)
    except UnsupportedError:
        return
    exactly(np.asarray(found[0]), [0, 2])


@pytest.mark.parametrize("f", [lambda t: tg.where(t > 0, t, None), lambda t: np.where(t > 0, None, t), lambda t: t + None])
def test_95_no_tensor_holds_objects(f):
    with pytest.raises(TypeError):
        f(leaf([1.0, -1.0]))


FLOAT32 = {
    "+": lambda x: x + 1.0,
    "-": lambda x: 1 - x,
    "*": lambda x: 2.0 * x,
    "/": lambda x: x / 3.0,
    "1/x": lambda x: 1.0 / x,
    "**2": lambda x: x**2,
    "**0.5": lambda x: x**0.5,
    "2**": lambda x: 2.0**x,
    "%": lambda x: x % 0.3,
    "//": lambda x: x // 0.3,
    "maximum": lambda x: tg.maximum(x, 0.5),
    "minimum": lambda x: np.minimum(0.5, x),
    "where": lambda x: tg.where(x > 0.5, x, 0.0),
    "clip": lambda x: tg.clip(x, 0.1, 0.9),
    "relu": tg.relu,
    "leaky_relu": tg.leaky_relu,
    "sigmoid": tg.sigmoid,
    "softplus": tg.softplus,
    "softmax": lambda x: tg.softmax(x, axis=None),
    "logsumexp": tg.logsumexp,
    "mean": tg.mean,
    "var": tg.var,
    "max": tg.max,
    "round": lambda x: np.round(x, 1),
    "abs": abs,
    "mse": lambda x: nn.mse_loss(x, np.zeros(x.shape)),
    "bce": lambda x: nn.binary_cross_entropy_with_logits(x, np.ones(x.shape, int)),
    "bce of p": lambda x: nn.binary_cross_entropy(x, np.ones(x.shape)),
    "l2": lambda x: nn.l2_penalty([x], 0.1),
}


@pytest.mark.parametrize("name", FLOAT32)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_96_float32_stays_float32(name, dtype):
    for data in (0.7, [0.7, 0.2]):
        x = leaf(data, dtype)
        y = FLOAT32[name](x)
        assert y.dtype == dtype
        y.backward(weights(y.shape))
        assert x.grad.dtype == dtype
        if name != "round":
            x.zero_grad()
            g = gradients(FLOAT32[name](x), x, seed=weights(y.shape), create_graph=True)
            assert g.dtype == dtype


@pytest.mark.parametrize("f", [operator.add, operator.mul, operator.truediv, np.maximum, operator.pow])
def test_97_gradients_have_the_parameters_dtype(f):
    a, b = leaf([1.5, 2.5], np.float32), leaf([2.0, 1.0], np.float64)
    y = f(a, b)
    assert y.dtype == np.float64
    for _ in range(2):
        y.backward(weights((2,)), retain_graph=True)
        assert (a.grad.dtype, b.grad.dtype) == (np.float32, np.float64)
    expected = grad(f, a.numpy(), b.numpy(), dtype=np.float64)
    np.testing.assert_allclose(a.grad, 2 * expected[0], rtol=1e-6)
    np.testing.assert_allclose(b.grad, 2 * expected[1], rtol=1e-6)


def test_97_parameters_that_meet_float64_data():
    w, b = leaf([[1.0], [2.0]], np.float32), leaf([0.5], np.float32)
    x = numbers(3, 2)
    for f in (lambda: x @ w + b, lambda: tg.linear(x, w, b)):
        w.zero_grad()
        b.zero_grad()
        y = f()
        y.backward(weights(y.shape))
        assert (w.grad.dtype, b.grad.dtype) == (np.float32, np.float32)
        np.testing.assert_allclose(w.grad, x.T @ weights(y.shape), rtol=1e-5)


@pytest.mark.parametrize("f", [tg.cross_entropy, nn.cross_entropy, nn.CrossEntropyLoss(), nn.cross_entropy_probabilities])
@pytest.mark.parametrize("labels", [[0, -1], [3, 0]], ids=str)
def test_98_labels_out_of_range_are_refused(f, labels):
    p = leaf(np.full((2, 3), 1 / 3))
    with pytest.raises(DataError, match=f"{labels[0] or labels[1]}"):
        f(p, np.array(labels))


@pytest.mark.parametrize("labels", [[0.0, 1.0], [True, False], [[0], [1]], [0, 1, 2], [[1, 0, 0], [0, 1, 0]]], ids=str)
def test_98_labels_that_are_none_are_refused(labels):
    with pytest.raises((DataError, ShapeError)):
        nn.cross_entropy(leaf(np.zeros((2, 3))), np.array(labels))


def test_98_labels_in_range():
    y = np.array([2, 0])
    check(lambda z: tg.cross_entropy(z, y), numbers(2, 3))
    check(lambda p: nn.cross_entropy_probabilities(p, y), np.abs(numbers(2, 3)))


def test_99_the_protocols_of_a_sequence():
    t = leaf([1.0, 2.0])
    for f in (bool, Tensor.item, float, int):
        with pytest.raises(ValueError, match=r"\(2,\)"):
            f(t)
    for n in (2, -3):
        with pytest.raises(IndexError):
            t[n]
    assert [float(x) for x in t] == [1, 2]
    assert len(t) == 2
    for f in (len, list):
        with pytest.raises(TypeError):
            f(leaf(1.0))
    with pytest.raises(ValueError):
        bool(leaf(np.ones(0)))
    assert bool(leaf([[3.0]]))
    a, b = t
    exactly(grad(lambda x: sum([x, x]), [1.0, 2.0]), 2 * weights((2,)))
    assert (a * b).requires_grad
    exactly(grad(lambda x: sum(x), [1.0, 2.0], w=3.0), [3, 3])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 1 - x,
        lambda x: 1 / x,
        lambda x: 2**abs(x),
        lambda x: +x,
        lambda x: -x,
        abs,
        lambda x: x % 0.7,
        lambda x: 5.0 % x,
        lambda x: 1 + x,
        lambda x: 3 * x,
    ],
)  # fmt: skip
def test_100_operators_with_the_number_on_the_left(f):
    x = np.array([[1.2, -0.4], [2.6, 0.3]])
    assert (f(leaf(x))).requires_grad
    check(f, x)


def test_100_errors_have_their_builtin_type():
    with pytest.raises(TensorTypeError):
        leaf([1.0]) + "one"
    with pytest.raises(TensorTypeError):
        Tensor(["one"])


def test_all_of_the_hundred_have_a_test():
    source = "".join(Path(__file__).with_name(name).read_text("utf-8") for name in ("test_pitfalls.py", "test_pitfalls_numpy.py"))
    assert {int(n) for n in re.findall(r"^def test_(\d+)_", source, re.MULTILINE)} == set(range(1, 101))
