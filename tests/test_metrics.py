"""The metrics: against scikit-learn on random data, against counting by hand, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import DataError, SettingError, ShapeError, TensorTypeError, UnknownNameError
from tinygrad_mlp.train.metrics import METRICS, accuracy, mean_absolute_error, metrics_named, r2_score, top_k_accuracy

SIZES = {"m": st.integers(1, 30), "k": st.integers(3, 6), "seed": st.integers(0, 2**32)}
few = settings(max_examples=60)


def drawn(m, k, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, k)), rng.integers(0, k, m)


@few
@given(**SIZES)
def test_accuracy_of_classes_is_scikit_learns(m, k, seed):
    z, y = drawn(m, k, seed)
    expected = theirs.accuracy_score(y, z.argmax(axis=1))
    assert accuracy(z, y) == pytest.approx(expected, rel=1e-15)
    assert accuracy(z, np.eye(k)[y]) == accuracy(z, np.eye(k, dtype=int)[y]) == accuracy(tg.Tensor(z), y.tolist()) == accuracy(z, y)


@few
@given(**SIZES, threshold=st.sampled_from([-0.5, 0.0, 0.5]))
def test_accuracy_of_one_output_is_scikit_learns(m, k, seed, threshold):
    z, y = drawn(m, k, seed)
    z, y = z[:, :1], y % 2
    expected = theirs.accuracy_score(y, z[:, 0] > threshold)
    for outputs in (z, z[:, 0]):
        for labels in (y, y[:, None], y.astype(float), y.astype(bool)):
            assert accuracy(outputs, labels, threshold=threshold) == pytest.approx(expected, rel=1e-15)


@few
@given(**SIZES, data=st.data())
def test_top_k_accuracy_is_scikit_learns(m, k, seed, data):
    z, y = drawn(m, k, seed)  # no ties
    top = data.draw(st.integers(1, k - 1))
    expected = theirs.top_k_accuracy_score(y, z, k=top, labels=range(k))
    assert top_k_accuracy(z, y, k=top) == pytest.approx(expected, rel=1e-15)
    assert top_k_accuracy(z, np.eye(k)[y], k=top) == top_k_accuracy(z, y, k=top)
    assert top_k_accuracy(z, y, k=k) == 1


@few
@given(**SIZES)
def test_the_first_of_equal_outputs_is_the_largest(m, k, seed):
    z, y = drawn(m, k, seed)
    z = np.round(z)  # many ties
    assert top_k_accuracy(z, y, k=1) == accuracy(z, y)
    for top in range(1, k):
        by_sorting = np.mean([label in sorted(range(k), key=lambda j: (-row[j], j))[:top] for row, label in zip(z, y, strict=True)])
        assert top_k_accuracy(z, y, k=top) == pytest.approx(by_sorting, rel=1e-15)


def test_classes_of_each_step_of_a_sequence():
    z, y = drawn(24, 4, 0)
    assert accuracy(z.reshape(6, 4, 4), y.reshape(6, 4)) == accuracy(z, y)
    assert top_k_accuracy(z.reshape(6, 4, 4), y.reshape(6, 4), k=2) == top_k_accuracy(z, y, k=2)


@few
@given(**SIZES)
def test_regression_metrics_are_scikit_learns(m, k, seed):
    z, _ = drawn(m + 1, k, seed)
    y, _ = drawn(m + 1, k, seed + 1)
    assert mean_absolute_error(z, y) == pytest.approx(theirs.mean_absolute_error(y, z), rel=1e-12)
    assert r2_score(z, y) == pytest.approx(theirs.r2_score(y, z), rel=1e-9)
    assert r2_score(z[:, 0], y[:, 0]) == pytest.approx(theirs.r2_score(y[:, 0], z[:, 0]), rel=1e-9)


@pytest.mark.parametrize("value", [3.0, 0.1])
def test_r2_of_a_constant_column_is_scikit_learns(value):
    y = np.column_stack([np.full(7, value), np.arange(7.0)])
    z = y.copy()
    assert r2_score(z, y) == 1
    z[0, 0] += 1
    assert r2_score(z, y) == 0.5
    if value == 3:  # the computed mean of seven times 0.1 is another number, by which scikit-learn divides
        assert theirs.r2_score(y, z) == 0.5


def test_sums_are_taken_in_float64():
    y = np.full(100_000, 0.1, np.float32)
    y[::2] = 0.3
    z = y + np.float32(1000)
    expected = np.mean(np.abs(z.astype(np.float64) - y))
    assert mean_absolute_error(z, y) == pytest.approx(expected, rel=1e-12)
    assert r2_score(z, y) == pytest.approx(theirs.r2_score(y.astype(np.float64), z.astype(np.float64)), rel=1e-9)


Z, Y = drawn(5, 3, 0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: accuracy(Z, Y[:4]), ShapeError, "outputs (5, 3) and y (4,) must have a row for each sample"),
        (
            lambda: accuracy(Z, np.stack([Y, Y], axis=1)),
            ShapeError,
            "need y of shape (5,) (classes) or (5, 3) (one-hot), not (5, 2)",
        ),
        (lambda: accuracy(Z, Y + 0.0), TensorTypeError, "classes are integers, not float64: write y.astype(int)"),
        (lambda: accuracy(Z, Y + 3), DataError, "classes are 0 … 2, these go from"),
        (lambda: accuracy(Z, Y - 3), DataError, "classes are 0 … 2"),
        (lambda: accuracy(Z, np.ones((5, 3))), DataError, "must be one-hot: a single 1 in each row"),
        (lambda: accuracy(Z, np.full((5, 3), 1 / 3)), DataError, "must be one-hot"),
        (lambda: accuracy(Z[:, :1], Y), DataError, "with one output a sample y must be 0 or 1"),
        (lambda: accuracy(Z[:, :1], np.zeros((5, 2))), ShapeError, "one number a sample"),
        (lambda: accuracy(Z[:0], Y[:0]), DataError, "there are no samples"),
        (lambda: accuracy(3.0, 1), ShapeError, "must have a row for each sample"),
        (lambda: top_k_accuracy(Z, Y, k=4), SettingError, "k must be a whole number from 1 to 3"),
        (lambda: top_k_accuracy(Z, Y, k=0), SettingError, "k must be"),
        (lambda: top_k_accuracy(Z, Y + 3, k=2), DataError, "classes are"),
        (lambda: mean_absolute_error(Z[:, :1], Z[:, 0]), ShapeError, "must have one shape: write y.reshape((5, 1))"),
        (lambda: r2_score(Z[:, 0], Z[:, :1]), ShapeError, "must have one shape"),
        (lambda: metrics_named(["acuracy"]), UnknownNameError, "did you mean 'accuracy'"),
    ],
)
def test_refusals(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)


def test_names_are_those_of_the_functions():
    assert list(metrics_named(METRICS)) == [f.__name__ for f in METRICS.values()]
    assert metrics_named(["accuracy"], threshold=0.5)["accuracy"]([[0.4], [0.6]], [0, 1]) == 1


def test_nan_is_no_right_answer() -> None:
    nan = np.nan
    assert accuracy([[nan, 1.0], [1.0, nan], [0.0, 1.0]], [0, 1, 1]) == 1 / 3
    assert accuracy([nan, -1.0], [0, 0]) == 0.5
    assert top_k_accuracy([[nan, 1.0, 0.0], [2.0, 1.0, 0.0]], [1, 1], k=2) == 0.5
