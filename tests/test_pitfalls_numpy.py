"""The numbered pitfalls, continued: NumPy's larger functions, writes into arrays, and assignment.

What is asserted is the right answer: at kinks the value that the table names, and the second order where there is one.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from pitfalls import INF, NAN, check, check_twice, closely, derivatives, exactly, grad, leaf, numbers, weights

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients, no_grad, rules
from tinygrad_mlp.errors import GradientWarning, GraphError, ShapeError, TensorTypeError

# --- B. ties and kinks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("f", "scale"), [(np.logaddexp, 1.0), (np.logaddexp2, np.log(2))])
def test_17_logaddexp_at_equal_arguments(f, scale):
    for at in (0.0, 3.0, -800.0, 1e15):
        exactly(grad(f, [at], [at], w=3.0), [[1.5], [1.5]])
        exactly(grad(lambda x: f(x, x), [at], w=3.0), [3])
    exactly(derivatives(lambda x: f(x, 0.0), [0.0], 2), [[0.5], [0.25 * scale]])
    check_twice(f, [0.3, -1.0], [[0.3], [2.0]])


NORMS = {
    "norm": np.linalg.norm,
    "axis": lambda x: np.linalg.norm(x, axis=-1),
    "keepdims": lambda x: np.linalg.norm(x, axis=0, keepdims=True),
    "2": lambda x: np.linalg.norm(x[0], 2),
    "1": lambda x: np.linalg.norm(x, 1, axis=-1),
    "3": lambda x: np.linalg.norm(x, 3, axis=-1),
    "fro": lambda x: np.linalg.norm(x, "fro"),
    "vector_norm": tg.linalg.vector_norm,
    "matrix_norm": tg.linalg.matrix_norm,
}


@pytest.mark.parametrize("name", NORMS)
def test_19_the_norm_of_zeros_has_gradient_zero(name):
    x = leaf(np.zeros((2, 3)))
    y = NORMS[name](x)
    first = gradients(y, x, seed=weights(y.shape), create_graph=True)
    exactly(first.numpy(), np.zeros((2, 3)))
    if name == "1":  # piecewise linear
        exactly(gradients(tg.sum(first * (1 + x)), x), np.zeros((2, 3)))
    else:
        with pytest.warns(GradientWarning, match=r"the second derivative of a length .* is NaN.* write np.sum\(x \* x\)"):
            assert np.isnan(gradients(tg.sum(first * (1 + x)), x)).any()
    check_twice(NORMS[name], numbers(2, 3))


def test_19_a_row_of_zeros_concerns_no_other_row():
    rows = np.array([[3.0, 4.0], [0.0, 0.0], [-5.0, 12.0]])
    g = grad(lambda x: np.linalg.norm(x, axis=1), rows, w=[1.0, 2.0, 13.0])
    closely(g, [[0.6, 0.8], [0, 0], [-5, 12]], rtol=1e-15)
    unit = grad(lambda x: x / np.where((n := np.linalg.norm(x, axis=1, keepdims=True)) == 0, 1.0, n), rows)
    assert np.isfinite(unit).all()


@pytest.mark.parametrize(
    ("order", "x", "expected"),
    [
        (INF, [1.0, -3.0, 2.0], [0, -1, 0]),
        (-INF, [2.0, -0.5, 3.0], [0, -1, 0]),
        (INF, [1.0, -3.0, 3.0], [0, -0.5, 0.5]),
        (-INF, [2.0, 2.0, -2.0], [1 / 3, 1 / 3, -1 / 3]),
        (INF, [0.0, 0.0], [0, 0]),
    ],
)
def test_20_the_largest_entry_as_norm(order, x, expected):
    for f in (lambda t: np.linalg.norm(t, order), lambda t: tg.linalg.vector_norm(t, ord=order)):
        closely(grad(f, x, w=6.0), 6 * np.array(expected), rtol=1e-15)
    rows = np.array([x, np.roll(x, 1)])
    g = grad(lambda t: np.linalg.norm(t, order, axis=1), rows, w=[6.0, 12.0])
    closely(g, [6 * np.array(expected), 12 * np.roll(expected, 1)], rtol=1e-15)


def test_22_the_norm_is_the_answer_to_the_root_of_a_sum():
    with np.errstate(invalid="ignore", divide="ignore"):
        assert np.isnan(grad(lambda x: np.sqrt(np.sum(x * x)), [0.0, 0.0], w=1.0)).all()
    exactly(grad(np.linalg.norm, [0.0, 0.0], w=1.0), [0, 0])


@pytest.mark.parametrize("f", [tg.std, np.std])
def test_23_the_deviation_of_a_constant_or_of_one_element(f):
    exactly(grad(f, [3.0], w=2.0), [0])
    exactly(grad(f, [3.0, 3.0, 3.0], w=2.0), [0, 0, 0])
    g = grad(lambda x: f(x, axis=1), [[3.0, 3.0, 3.0], [1.0, 2.0, 3.0]], w=[5.0, 3.0])
    slope = 1 / np.sqrt(6)
    closely(g, [[0, 0, 0], [-3 * slope, 0, 3 * slope]], rtol=1e-14)
    x = leaf([3.0, 3.0])
    with pytest.warns(GradientWarning, match="np.var for np.std"):
        assert np.isnan(gradients(gradients(f(x), x, create_graph=True), x, seed=[1.0, 2.0])).any()
    check_twice(lambda x: f(x, axis=0), numbers(4, 2))
    check_twice(lambda x: np.std(x, ddof=1), numbers(4))


@pytest.mark.parametrize("f", [np.hypot, np.arctan2])
def test_25_hypot_and_arctan2_at_the_origin(f):
    a, b = grad(f, [0.0, 3.0], [0.0, 4.0], w=25.0)
    exactly([a[0], b[0]], [0, 0])
    closely([a[1], b[1]], [15, 20] if f is np.hypot else [4, -3], rtol=1e-14)
    for g in grad(lambda x, y: np.where(x > 0, f(x, y), x * y), [0.0, 3.0], [0.0, 4.0]):  # no poison behind a where
        assert np.isfinite(g).all()
    check_twice(f, numbers(3), numbers(2, 3))
    for k, v in itertools.product((1.0, -1.0), repeat=2):
        check(f, [3.0 * k], [4.0 * v])


def test_26_sinc_at_zero():
    pi = np.pi
    found = derivatives(np.sinc, [0.0], 6)
    expected = [[0], [-(pi**2) / 3], [0], [pi**4 / 5], [0], [-(pi**6) / 7]]
    closely(found, expected, rtol=1e-13, atol=1e-12)
    check_twice(np.sinc, [1e-8, -1e-3, 0.1, 1.0, -2.5, 30.0])


# --- D. masks and NaN -------------------------------------------------------------------------------------------------


def test_38_nan_to_num_cleans_values_and_not_the_gradients_upstream():
    exactly(grad(np.nan_to_num, [NAN, INF, -INF, 2.0], w=[1.0, 2.0, 3.0, 4.0]), [0, 0, 0, 4])
    exactly(np.nan_to_num(leaf([NAN, 2.0]), nan=7.0).numpy(), [7, 2])
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.nan_to_num(np.log(x := leaf([0.0, 2.0])))
        assert np.isfinite(y.numpy()).all()
        y.backward([1.0, 1.0])
    assert np.isnan(x.grad[0])  # 0 · ∞; where() is the cure, see 34
    assert x.grad[1] == 0.5
    assert "not gradients" in rules.TABLE["nan_to_num"].kink  # and it says so


@pytest.mark.parametrize(("f", "right"), [(tg.elu, 1), (tg.selu, 1.0507009873554805), (tg.gelu, 1), (tg.silu, 1), (tg.softplus, 1)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_39_the_branch_that_is_not_used_does_not_overflow(f, right, dtype):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = f(x := leaf([1000.0, -1000.0], dtype))
        first = gradients(y, x, seed=np.ones(2, dtype), create_graph=True)
        second = gradients(first, x, seed=np.ones(2, dtype))
    closely(y.numpy()[0], 1000 * right, rtol=1e-6)
    closely(first.numpy(), [right, 0], rtol=1e-6, atol=1e-30)
    exactly(second, [0, 0])


# --- E. numerical stability -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, 1e200), (np.float64, 1e-200), (np.float32, 1e25), (np.float32, 1e-25)])
def test_45_hypot_and_norm_beyond_the_range_of_squares(dtype, scale):
    a, b = np.array([3.0, 0.0]) * scale, np.array([4.0, 2.0]) * scale
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        closely(grad(np.hypot, a, b, w=1.0, dtype=dtype), [[0.6, 0], [0.8, 1]], rtol=1e-6)
        closely(grad(np.linalg.norm, [a[0], b[0]], w=1.0, dtype=dtype), [0.6, 0.8], rtol=1e-6)
        closely(grad(lambda x: np.linalg.norm(x, axis=0), [a, b], w=1.0, dtype=dtype), [[0.6, 0], [0.8, 1]], rtol=1e-6)
        value = np.linalg.norm(leaf([a[0], b[0]], dtype))
    closely(value.numpy(), 5 * scale, rtol=1e-6)


def test_45_arctan2_beyond_the_range_of_squares():
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        closely(grad(np.arctan2, [3e200], [4e200], w=1e200), [[0.16], [-0.12]], rtol=1e-14)


@pytest.mark.parametrize("f", [np.logaddexp, np.logaddexp2])
def test_47_logaddexp_with_one_minus_infinity(f):
    exactly(grad(f, [-INF, 3.0], [3.0, -INF], w=2.0), [[0, 2], [2, 0]])
    exactly(f(leaf([-INF]), leaf([-INF])).numpy(), [-INF])
    exactly(grad(lambda x: f(x, -INF), [1.0, 2.0], w=2.0), [2, 2])


# --- F. reductions, scans, sorting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [np.prod, tg.prod])
def test_50_products_with_zeros(f):
    with np.errstate(all="raise"):
        exactly(grad(f, [2.0, 0.0, 3.0], w=2.0), [0, 12, 0])
        exactly(grad(f, [0.0, 0.0, 3.0], w=2.0), [0, 0, 0])
        exactly(
            grad(lambda x: f(x, axis=1), [[2.0, 0.0, 5.0], [0.0, 7.0, 0.0], [1.0, 2.0, 3.0]], w=[1.0, 2.0, 3.0]),
            [[0, 10, 0], [0, 0, 0], [18, 9, 6]],
        )
        g = grad(f, [1e13] * 20 + [0.0], w=1.0)  # pytorch#194699
    exactly(g[:-1], np.zeros(20))
    closely(g[-1], 1e260, rtol=1e-13)


@pytest.mark.parametrize("x", [[2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [2.0, -1.0, 3.0], [0.0]], ids=str)
def test_50_the_hessian_of_a_product_with_zeros(x):
    n = len(x)
    expected = [[0.0 if i == j else np.prod([x[k] for k in range(n) if k not in (i, j)]) for j in range(n)] for i in range(n)]
    exactly(tg.hessian(np.prod)(np.array(x)), expected)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)], ids=str)
def test_50_products_along_axes(axis):
    x = numbers(2, 3, 2)
    x[0, 1, 0] = x[1, 1, 1] = x[0, 0, 0] = 0
    check_twice(lambda t: np.prod(t, axis=axis), x)
    check(lambda t: np.prod(t, axis=axis, keepdims=True), x)


ZEROS = {
    "one": [2.0, 0.0, 3.0, 4.0],
    "first": [0.0, 2.0, 3.0],
    "last": [2.0, 3.0, 0.0],
    "two": [2.0, 0.0, 3.0, 0.0, 5.0],
    "all": [0.0, 0.0, 0.0],
    "single": [0.0],
    "none": [2.0, -1.0, 3.0],
}


@pytest.mark.parametrize("name", ZEROS)
def test_51_running_products_with_zeros(name):
    x = ZEROS[name]
    with np.errstate(all="raise"):
        check_twice(np.cumprod, x)
        check(lambda t: np.cumulative_prod(t, include_initial=True), x)
        check(lambda t: np.cumprod(t, axis=0), np.outer(x, [1.0, 0.0, 2.0]))
        check(lambda t: np.cumprod(t, axis=-1), np.outer([1.0, 2.0], x))
        check(np.cumprod, np.outer([1.0, 2.0], x))  # without an axis: flattened
    assert grad(np.cumprod, np.ones(0)).shape == (0,)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, -2])
def test_52_running_sums(axis):
    check_twice(lambda x: np.cumsum(x, axis=axis), numbers(3, 2))
    check(lambda x: np.cumsum(x.T, axis=axis), numbers(3, 2))
    for shape in ((0, 2), (2, 0), (1, 1)):
        assert grad(lambda x: np.cumsum(x, axis=axis), np.ones(shape)).shape == shape
    if axis is not None:
        check(lambda x: np.cumulative_sum(x, axis=axis, include_initial=True), numbers(3, 2))
    exactly(grad(np.cumsum, [5.0, 6.0, 7.0], w=[1.0, 10.0, 100.0]), [111, 110, 100])


def test_53_sorting_ties_sends_each_gradient_to_one_position():
    x, w = np.array([[2.0, 1.0, 2.0, 2.0], [3.0, 3.0, 3.0, 0.0]]), np.array([[1.0, 10.0, 100.0, 1000.0]] * 2)
    for f, axis in ((np.sort, -1), (np.sort, 1), (lambda t, axis: np.partition(t, 1, axis=axis), -1)):
        g = grad(lambda t, f=f, axis=axis: f(t, axis=axis), x, w=w)
        exactly(np.sort(g, axis=1), w)  # a permutation of what arrived
        exactly(grad(lambda t, f=f, axis=axis: f(t, axis=axis), x, w=w), g)  # the same one every time
    assert grad(np.sort, x, w=w)[0, 1] == 1
    assert grad(np.sort, x, w=w)[1, 3] == 1
    check(lambda t: np.sort(t, axis=None), numbers(2, 3))
    check(lambda t: np.sort(t, axis=0), numbers(4, 2))


def test_53_medians_and_quantiles():
    exactly(grad(np.median, [1.0, 4.0, 2.0, 3.0], w=2.0), [0, 0, 1, 1])  # half each
    exactly(grad(np.median, [1.0, 4.0, 2.0], w=2.0), [0, 0, 2])
    closely(grad(lambda x: np.quantile(x, 0.4), [10.0, 40.0, 20.0, 30.0], w=1.0), [0, 0, 0.8, 0.2], atol=1e-15)
    closely(grad(lambda x: np.percentile(x, [0, 100]), [10.0, 40.0, 20.0], w=[3.0, 5.0]), [3, 5, 0], atol=1e-15)
    for f in (np.median, lambda x: np.quantile(x, 0.3), lambda x: np.percentile(x, 90)):
        g = grad(f, [2.0, 2.0, 2.0, 2.0, 1.0], w=6.0)  # not to all that are equal, but six in all
        closely(g.sum(), 6, rtol=1e-14)
        assert 1 <= np.count_nonzero(g) <= 2
    check(lambda x: np.median(x, axis=1, keepdims=True), numbers(3, 4))
    check(lambda x: np.quantile(x, [0.1, 0.7], axis=0), numbers(5, 2))


@pytest.mark.parametrize(
    "f",
    [
        np.sort,
        np.median,
        lambda x: np.quantile(x, 0.3),
        lambda x: np.take(x, [2, 0, 2, 1]),
        lambda x: np.take_along_axis(x, np.argsort(x), 0),
        lambda x: x[np.argsort(-x)],
        lambda x: np.partition(x, 2),
    ],
)
def test_54_the_second_derivative_does_not_differentiate_indices(f):
    check_twice(lambda x: f(x) ** 3 + f(x**2), [1.3, -0.4, 2.2, 0.7])


def test_55_empty_products():
    for f in (np.prod, tg.prod):
        assert float(f(leaf(np.ones(0)))) == 1
        assert grad(f, np.ones((0, 2))).shape == (0, 2)
        exactly(grad(lambda x, f=f: f(x, axis=0), np.ones((0, 2))), np.ones((0, 2)))
        exactly(f(leaf(np.ones((0, 2))), axis=0).numpy(), [1, 1])
    exactly(np.cumsum(leaf(np.ones(0))).numpy(), [])


# --- G. indexing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [[0, 0, 1], [-1, 2, 1, -2], [[0, 0], [1, 0]], 1, np.array([2, 2], np.uint8)], ids=str)
@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_56_take_with_repetitions(index, axis):
    check_twice(lambda x: np.take(x, index, axis=axis), numbers(3, 3))
    exactly(grad(lambda x: np.take(x, [0, 0, -3]), [1.0, 2.0, 3.0], w=[1.0, 10.0, 100.0]), [111, 0, 0])


@pytest.mark.parametrize("axis", [0, 1, -2])
def test_56_take_along_axis_with_repetitions(axis):
    index = np.array([[0, 0, 1], [1, -1, 1], [0, -2, 0]])
    check_twice(lambda x: np.take_along_axis(x, index, axis), numbers(3, 3))
    exactly(grad(lambda x: np.take_along_axis(x, np.array([0, 0, -2]), 0), [1.0, 2.0], w=[1.0, 10.0, 100.0]), [111, 0])


def test_56_overlapping_windows():
    places = np.arange(4)[:, np.newaxis] + np.arange(3)
    check_twice(lambda x: x[places] ** 2, numbers(6))
    exactly(grad(lambda x: x[places], np.ones(6), w=1.0), [1, 2, 3, 3, 2, 1])


@pytest.mark.parametrize(
    ("window", "axis", "shape"), [(3, None, (6,)), (2, 1, (2, 4)), ((2, 3), None, (3, 4)), ((2, 2), (0, 0), (5,))], ids=str
)
def test_56_sliding_window_view(window, axis, shape):
    check(lambda x: np.lib.stride_tricks.sliding_window_view(x, window, axis=axis), numbers(*shape))


# --- H. shapes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reps", [2, (2,), (1, 2), (2, 1), (3, 2, 1), (2, 1, 1, 2), (0, 2), ()], ids=str)
@pytest.mark.parametrize("shape", [(2, 3), (3,), ()], ids=str)
def test_60_tile_aligns_its_repetitions_to_the_right(shape, reps):
    check_twice(lambda x: np.tile(x, reps), numbers(*shape))


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize("counts", [2, [2], [1, 3], [0, 2], [2, 0], 0, [0, 0]], ids=str)
def test_61_repeat(counts, axis):
    check_twice(lambda x: np.repeat(x, counts, axis=axis), numbers(2, 2))


@pytest.mark.parametrize("counts", [2, 0, [1, 0, 3, 2]], ids=str)
def test_61_repeat_without_an_axis_flattens(counts):
    x = numbers(2, 2)
    check(lambda t: np.repeat(t, counts), x)
    check(lambda t: np.repeat(t.T, counts), x)


SPLITS = {
    "first": lambda x: np.split(x, 3)[0],
    "last": lambda x: np.split(x, [1, 4])[-1],
    "two of three": lambda x: (p := np.split(x, 3))[0] * p[2],
    "none": lambda x: np.split(x, [0, 6])[1],
    "axis": lambda x: np.split(x, 2, axis=-1)[1],
    "array_split": lambda x: np.array_split(x, 4)[1],
    "hsplit": lambda x: np.hsplit(x, 2)[0],
    "vsplit": lambda x: np.vsplit(x, 2)[1],
    "unstack": lambda x: np.unstack(x, axis=1)[1],
}


@pytest.mark.parametrize("name", SPLITS)
def test_63_the_unused_parts_of_a_split_contribute_zeros(name):
    check_twice(SPLITS[name], numbers(6, 2))


def test_63_an_empty_part_of_a_split():
    exactly(grad(lambda x: np.split(x, [0, 2])[0], np.ones(3)), [0, 0, 0])
    check(lambda x: np.concatenate(np.split(x, [0, 2, 2])[::-1]), numbers(3))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap", "linear_ramp"])
@pytest.mark.parametrize("width", [1, (2, 0), ((1, 0), (0, 2)), ((0, 0), (2, 1))], ids=str)
def test_63_pad_on_unequal_sides(mode, width):
    check_twice(lambda x: np.pad(x, width, mode=mode), numbers(3, 4))


@pytest.mark.parametrize(("n", "shape"), [(1, (4,)), (2, (4,)), (1, (1,)), (3, (2,)), (0, (3,)), (1, (0,)), (1, (3, 2))], ids=str)
def test_63_diff_also_of_one_element(n, shape):
    check(lambda x: np.diff(x, n=n), numbers(*shape))
    assert grad(lambda x: np.diff(x, n=n), np.ones(shape)).shape == shape


def test_63_diff_with_ends():
    check_twice(lambda x: np.diff(x, axis=0, prepend=x[-1:], append=0.0), numbers(3, 2))


@pytest.mark.parametrize(
    ("shift", "axis"), [(1, None), (-2, 0), ((1, 2), (0, 1)), ((1, 1), (0, 0)), (2, (0, 1)), ((1, -2), (-1, 0)), (7, 1)], ids=str
)
def test_63_roll(shift, axis):
    check_twice(lambda x: np.roll(x, shift, axis=axis), numbers(3, 4))


@pytest.mark.parametrize("k", [-4, -2, -1, 0, 1, 3, 5])
@pytest.mark.parametrize("shape", [(2, 4), (4, 2), (3, 3), (1, 3)], ids=str)
def test_64_diagonals_of_matrices_that_are_not_square(shape, k):
    x = numbers(*shape)
    check(lambda t: np.diag(t, k), x)
    check(lambda t: np.diagonal(t, k), x)
    check_twice(lambda t: np.trace(t, k) * np.sum(t), x)
    if -shape[0] < k < shape[1]:
        g = grad(lambda t: np.trace(t, k), x, w=3.0)
        exactly(g, 3 * np.eye(*shape, k=k))  # no entry beside the diagonal


@pytest.mark.parametrize("k", [-1, 0, 2])
def test_64_diag_of_a_vector(k):
    check_twice(lambda x: np.diag(x, k), numbers(3))
    check(lambda x: np.diagonal(x, k, axis1=2, axis2=0), numbers(3, 2, 4))


# --- I. einsum --------------------------------------------------------------------------------------------------------

EINSUMS = [
    ("ii->", [(3, 3)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("iij->ij", [(2, 2, 3)]),
    ("iij->j", [(2, 2, 3)]),
    ("iii->i", [(2, 2, 2)]),
    ("ij->j", [(2, 3)]),
    ("ij->", [(2, 3)]),
    ("ij->ji", [(2, 3)]),
    ("ba", [(2, 3)]),  # implicit output: in alphabetical order
    ("ij,jk", [(2, 3), (3, 2)]),
    (" i j , j k -> i k ", [(2, 3), (3, 2)]),
    ("ij,ij->ij", [(1, 3), (2, 3)]),
    ("ij,j->i", [(2, 1), (3,)]),
    ("ij,kl->", [(2, 3), (3, 2)]),
    ("ii,ij->j", [(3, 3), (3, 2)]),
    ("i,i,i->", [(3,), (3,), (3,)]),
    ("i,j,k->kji", [(2,), (3,), (2,)]),
    ("...ij,...jk->...ik", [(4, 2, 3), (3, 2)]),
    ("i...->...", [(2, 3, 4)]),
    ("...i,...i", [(2, 3), (3,)]),
    ("...,i...", [(3,), (2, 3)]),
    (",ij->ij", [(), (2, 3)]),
    ("bhqd,bhkd->bhqk", [(2, 1, 2, 3), (2, 1, 4, 3)]),
]


@pytest.mark.parametrize(("subscripts", "shapes"), EINSUMS, ids=str)
def test_68_einsum(subscripts, shapes):
    arrays = [numbers(*s) for s in shapes]
    y = np.einsum(subscripts, *(leaf(a) for a in arrays))
    assert type(y) is Tensor
    closely(y.numpy(), np.einsum(subscripts, *arrays), rtol=1e-13)
    check_twice(lambda *at: np.einsum(subscripts, *at), *arrays)


def test_68_einsum_of_the_same_tensor_twice():
    check_twice(lambda x: np.einsum("ij,ij->", x, x), numbers(2, 3))
    check_twice(lambda x: np.einsum("ij,jk->ik", x, x), numbers(3, 3))
    check_twice(lambda x: np.einsum("ij,kj->ik", x, x), numbers(2, 3))
    check(lambda x: np.einsum("ij,jk,kl->il", x, np.ones((3, 2)), x.T[:2]), numbers(2, 3))


def test_68_einsum_with_lists_of_axes_and_a_path():
    check(lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2]), numbers(2, 3), numbers(3, 2))
    check(lambda x, y: np.einsum("ij,jk,kl->il", x, y, x, optimize=True), numbers(2, 3), numbers(3, 2))


# --- K. mutation ------------------------------------------------------------------------------------------------------

WRITES = {
    "all": lambda a: a.__setitem__(..., 9),
    "one": lambda a: a.__setitem__(0, 9),
    "view": lambda a: a[1:].__setitem__(0, 9),
    "out": lambda a: np.add(a, 1, out=a),
    "in place": lambda a: a.__imul__(2),
    "sort": lambda a: a[::-1].sort(),
    "raw": lambda a: memoryview(a).__setitem__(1, 9.0),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_83_writes_into_the_data_of_a_leaf(name, when):
    x, k = leaf([1.0, 2.0, 3.0]), leaf(2.0)
    view = x.data if when == "before" else None  # handed out before the computation, or after it
    y = x * x * k
    z = np.exp(k * x)
    view = x.data if view is None else view
    WRITES[name](view)
    exactly(x.numpy(), view)  # it is the tensor's data that has changed
    assert not np.array_equal(view, [1, 2, 3])
    y.backward([1.0, 10.0, 100.0])
    exactly(x.grad, [4, 80, 1200])  # but the gradients are those of the old
    assert k.grad == 1 + 40 + 900
    closely(gradients(z, x, seed=np.ones(3)), 2 * np.exp([2.0, 4.0, 6.0]), rtol=1e-14)
    exactly(gradients(x * x, x, seed=np.ones(3)), 2 * view)  # and those of what is computed now of the new


def test_83_writes_by_assignment_to_data():
    x = leaf([1.0, 2.0])
    y = x * x
    x.data -= 0.5
    x.data[0] = 7.0
    x.data[1:] *= 2
    exactly(x.numpy(), [7, 3])
    u = x * x
    part = x.data[1:]  # a view of what .data gave, which nobody else holds
    v = x * x
    part[0] = 8
    exactly(x.numpy(), [7, 8])
    for t, expected in ((y, [2, 40]), (u, [14, 60]), (v, [14, 60])):
        exactly(gradients(t, x, seed=[1.0, 10.0]), expected)


def test_83_writes_into_a_constant_tensor():
    x, c, d = leaf([1.0, 2.0]), Tensor([3.0, 4.0]), Tensor([3.0, 4.0])
    y, z = x * c, x * d
    shared = c.reshape(2, 1)
    c.data[0] = 9
    c[1] = 9
    np.from_dlpack(d)[...] = 9
    exactly(gradients(y, x, seed=[1.0, 1.0]), [3, 4])
    exactly(gradients(z, x, seed=[1.0, 1.0]), [3, 4])
    exactly(c.numpy(), [9, 9])
    exactly(shared.numpy(), [[3], [4]])


CONSTANTS = {
    "product": (lambda x, a: x * a, np.array([3.0, 4.0, 5.0]), [3, 4, 5]),
    "on the left": (lambda x, a: a / x, np.array([1.0, 4.0, 9.0]), [-1, -1, -1]),
    "power": (lambda x, a: x**a, np.array([1.0, 2.0, 2.0]), [1, 4, 6]),
    "matmul": (lambda x, a: a @ x, np.eye(3)[::-1], [1, 1, 1]),
    "view": (lambda x, a: x * a[::2], np.array([3.0, 0.0, 4.0, 0.0, 5.0]), [3, 4, 5]),
    "condition": (lambda x, a: np.where(a, x, 0), np.array([True, False, True]), [1, 0, 1]),
    "index": (lambda x, a: x[a], np.array([2, 2, 0]), [1, 0, 2]),
    "mask": (lambda x, a: x[a], np.array([True, False, True]), [1, 0, 1]),
    "take": (lambda x, a: np.take(x, a), np.array([2, 2, 0]), [1, 0, 2]),
    "maximum": (lambda x, a: np.maximum(x, a), np.array([0.0, 5.0, 0.0]), [1, 0, 1]),
    "einsum": (lambda x, a: np.einsum("i,i->", x, a), np.array([3.0, 4.0, 5.0]), [3, 4, 5]),
    "repeat": (lambda x, a: np.repeat(x, a), np.array([1, 0, 2]), [1, 0, 2]),
    "concat": (lambda x, a: np.sum(np.concatenate([x, a]) ** 2), np.array([3.0]), [2, 4, 6]),
    "convolve": (lambda x, a: np.convolve(x, a), np.array([3.0, 1.0]), [4, 4, 4]),
    "interp": (lambda x, a: np.interp(x, [0.0, 9.0], a), np.array([0.0, 18.0]), [2, 2, 2]),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_84_writes_into_a_small_array_do_not_reach_the_gradient(name):
    f, a, expected = CONSTANTS[name]
    a, x = a.copy(), leaf([1.0, 2.0, 3.0])
    y = f(x, a)
    a[...] = a.dtype.type(1) if name in ("index", "take") else ~a if a.dtype == bool else 7
    y.backward(np.ones(y.shape), retain_graph=True)
    exactly(x.grad, expected)
    exactly(gradients(y, x, seed=np.ones(y.shape), create_graph=True).numpy(), expected)


def test_84_writes_into_the_labels():
    labels, z = np.array([0, 2]), leaf(np.zeros((2, 3)))
    loss = tg.cross_entropy(z, labels)
    labels[:] = 1
    loss.backward()
    closely(z.grad, (np.full((2, 3), 1 / 3) - np.eye(3)[[0, 2]]) / 2, rtol=1e-14)


LARGE = 20_000


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("write", [lambda a: a.fill(2.0), lambda a: a[:, : a.shape[1] // 2].fill(2.0), lambda a: a.__imul__(2)])
def test_84_writes_into_a_large_array_are_detected(order, write):
    a, w = np.ones((100, LARGE // 100), order=order), leaf(3.0)
    y = np.sum(w * a)
    write(a)
    with pytest.raises(GraphError, match=r"multiply .*written into"):
        y.backward()
    assert w.grad is None
    np.sum(w * a).backward()  # now it is the data
    assert w.grad == a.sum()


def test_84_a_large_array_that_nobody_writes_into_is_not_in_the_way():
    a, w = np.ones(LARGE), leaf(3.0)
    y = np.sum(w * a)
    y.backward(retain_graph=True)
    y.backward()
    assert w.grad == 2 * LARGE


def test_84_the_full_guard_copies_large_arrays_too():
    a, w = np.ones(LARGE), leaf(3.0)
    with tg.guard("full"):
        y = np.sum(w * a)
    a[17] = 1e9
    y.backward()
    assert w.grad == LARGE


def test_84_a_tensor_copies_what_it_was_built_from():
    a = np.array([1.0, 2.0])
    x, y = Tensor(a, requires_grad=True), Tensor(a)
    z = Tensor(x)
    square = x * x
    a[:] = 9
    for t in (x, y, z):
        exactly(t.numpy(), [1, 2])
    square.backward([1.0, 10.0])
    exactly(x.grad, [2, 40])
    new = np.array([5.0, 6.0])
    x.data = new
    new[:] = 0
    exactly(x.numpy(), [5, 6])


def test_84_replaced_data_leaves_earlier_gradients_right():
    x = leaf([1.0, 2.0])
    y = x * x
    x.data = [5.0, 6.0]
    y.backward([1.0, 10.0])
    exactly(x.grad, [2, 40])


@pytest.mark.parametrize("f", [lambda x: x, lambda x: x * 2, lambda x: x.reshape(1, 2), lambda x: x.T, lambda x: x.detach()])
def test_85_numpy_is_read_only_for_good(f):
    t = f(leaf([1.0, 2.0]))
    for a in (t.numpy(), t.numpy()[...], np.asarray(t.detach())):
        with pytest.raises(ValueError, match="read-only"):
            a[...] = 5
        with pytest.raises(ValueError, match="WRITEABLE"):
            a.setflags(write=True)
    for copy in (np.array(t.detach()), t.numpy().copy()):
        copy[...] = 5
    assert not np.any(t.numpy() == 5)


def test_85_the_data_of_a_computed_tensor_is_read_only():
    x = leaf([1.0, 2.0])
    y = np.exp(x)
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 5
    with pytest.raises(ValueError, match="WRITEABLE"):
        y.data.setflags(write=True)
    with pytest.raises((GraphError, ValueError)):
        y.data -= 1
    with pytest.raises(GraphError, match="detach"):
        y.data = [1.0, 2.0]
    y.backward([1.0, 10.0])
    closely(x.grad, np.exp([1.0, 2.0]) * [1, 10], rtol=1e-15)


def test_85_what_was_read_does_not_change_with_the_data():
    x = leaf([1.0, 2.0])
    before = x.numpy()
    x.data = [5.0, 6.0]
    exactly(before, [1, 2])


def test_85_a_detached_tensor_is_independent():
    x = leaf([1.0, 2.0])
    y = x * x
    y.detach().data[...] = 7
    x.detach().data[...] = 7
    y.backward([1.0, 10.0])
    exactly(x.grad, [2, 40])


INDICES = {
    "number": 1,
    "negative": -1,
    "slice": slice(1, None),
    "step": slice(None, None, -2),
    "all": ...,
    "row and column": (0, 1),
    "column": (slice(None), 1),
    "list": [2, 0],
    "pairs": ([2, 0], [1, 1]),
    "mask": np.array([True, False, True]),
    "entries": np.eye(3, 2, dtype=bool),
    "new axis": (None, 1),
    "nothing": slice(0, 0),
}


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("value", ["number", "fitting", "one", "constant"])
def test_86_assignment_to_an_index(name, value):
    index = INDICES[name]
    target = np.zeros((3, 2))[index].shape
    shape = {"number": (), "one": (1,) * len(target), "fitting": target, "constant": (2,)}[value]

    def f(x, v):
        t = x * x
        before = t * 3 + t[index].sum() * v.sum()
        t[index] = v * v if value != "constant" else 5.0
        return before * t + t

    check_twice(f, numbers(3, 2), numbers(*shape))


@pytest.mark.parametrize("make", [np.zeros_like, np.ones_like, lambda x: Tensor(np.zeros(3)), lambda x: x.detach()])
def test_86_assignment_into_a_constant(make):
    def f(x):
        t = make(x) if isinstance(x, Tensor) else np.array([0.0, 0, 0] if make is not np.ones_like else [1.0, 1, 1])
        t[1] = x[0] * x[2]
        t[2:] = x[:1] ** 2 + t[1]
        t[0] = t[2] * t[1]
        return t

    check_twice(f, numbers(3))


def test_86_earlier_uses_keep_the_old_value():
    x = leaf([1.0, 2.0, 3.0])
    t = x * 2
    square, part, row = t * t, t[1:], iter(t)
    t[1] = 10.0
    exactly(part.numpy(), [4, 6])
    exactly([float(v) for v in row], [2, 4, 6])
    exactly(t.numpy(), [2, 10, 6])
    (square + t * t).backward([1.0, 10.0, 100.0])
    exactly(x.grad, [16, 160, 4800])  # 8 x, and 8 x again but for the entry that was replaced
    with pytest.raises(GraphError, match="freed"):
        part.backward([1.0, 1.0])


def test_86_a_repeated_index_takes_the_last_value():
    def f(x, v):
        t = x * 1
        t[[0, 0, 1]] = v
        return t

    exactly(f(leaf([1.0, 2.0, 3.0]), leaf([4.0, 5.0, 6.0])).numpy(), [5, 6, 3])
    dx, dv = grad(f, [1.0, 2.0, 3.0], [4.0, 5.0, 6.0], w=[1.0, 10.0, 100.0])
    exactly(dx, [0, 0, 100])
    exactly(dv, [0, 1, 10])


def test_86_overlapping_and_augmented_assignments():
    def shifted(x):
        t = x * x
        t[1:] = t[:-1]
        t[0] += x[1]
        t[1:3] *= t[2:4]
        t[[0, 3]] -= x[:2] ** 2
        return t

    check_twice(shifted, numbers(5))


def test_86_assignment_to_a_leaf_is_refused():
    x = leaf([1.0, 2.0])
    for value in (5.0, np.array(5.0), x[1] * 2):
        with pytest.raises(GraphError, match=r"t\.data\[i\] = v"):
            x[0] = value
    exactly(x.numpy(), [1, 2])
    y = x * x
    with no_grad():
        x[0] = 5.0  # an update, as to data
    exactly(x.numpy(), [5, 2])
    y.backward([1.0, 10.0])
    exactly(x.grad, [2, 40])


def test_86_a_computed_tensor_is_not_assigned_to_without_recording():
    t = leaf([1.0, 2.0]) * 2
    with no_grad(), pytest.raises(GraphError, match="detach"):
        t[0] = 5.0
    exactly(t.numpy(), [2, 4])


@pytest.mark.parametrize(
    ("index", "value", "error"),
    [
        (0, np.ones(3), ShapeError),
        (slice(None), np.ones((2, 2)), ShapeError),
        (7, 1.0, IndexError),
        ([0, 9], 1.0, IndexError),
        (0, "one", TensorTypeError),
        (0, None, TensorTypeError),
    ],
    ids=str,
)
@pytest.mark.parametrize("tracked", [True, False])
def test_86_a_failed_assignment_changes_nothing(index, value, error, tracked):
    t = leaf([1.0, 2.0]) * 2 if tracked else Tensor([2.0, 4.0])
    with pytest.raises(error):
        t[index] = value
    exactly(t.numpy(), [2, 4])
    assert t.requires_grad == tracked


def test_86_a_value_with_a_gradient_does_not_go_into_integers():
    t = Tensor([1, 2])
    with pytest.raises(TensorTypeError, match="int64"):
        t[0] = leaf(1.5)
    exactly(t.numpy(), [1, 2])
