"""The engine and the manual backprop give the same bits: random architectures, and planted mistakes that must be seen.

More of them: ``pytest tests/test_identity.py --examples 5000``.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_mlp import check, manual, nn
from tinygrad_mlp.check import witnesses
from tinygrad_mlp.errors import DataError, ShapeError, UnsupportedError
from tinygrad_mlp.nn.init import INITIALISERS
from tinygrad_mlp.nn.layers import ACTIVATIONS
from tinygrad_mlp.nn.losses import LOSSES, loss_named


class Case(dict[str, Any]):
    """An architecture, its data and its loss; what is not said has the value below."""

    def __init__(self, settings: Mapping[str, Any] | None = None, **changes: Any) -> None:
        usual = {
            "sizes": [6, 6, 6],
            "activation": "tanh",
            "init": None,
            "loss": "cross_entropy",
            "reduction": "mean",
            "dtype": np.float32,
        }
        super().__init__({**usual, "bias": True, "l2": 0.1, "m": 7, "scale": 1.0, "seed": 5, **(settings or {}), **changes})

    def build(self) -> tuple[nn.MLP, nn.losses.Loss, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(self["seed"])
        model = nn.MLP(self["sizes"], self["activation"], self["init"], self["bias"], self["dtype"], rng)
        X = rng.standard_normal((self["m"], self["sizes"][0])) * self["scale"]
        X[rng.random(X.shape) < 0.2] *= 0  # zeros of both signs: −0 and 0 are different bits
        k = self["sizes"][-1]
        labels = rng.integers(0, k, self["m"])
        y = (
            labels
            if self["loss"].startswith("cross")
            else rng.random((self["m"], k))
            if self["loss"] == "mse"
            else np.eye(k)[labels]
        )
        for p in model.parameters():
            if p.ndim == 1:
                p.data = rng.standard_normal(p.shape) * 0.1
        return model, loss_named(self["loss"], self["reduction"]), X, y


cases = st.fixed_dictionaries(
    {
        "sizes": st.lists(st.one_of(st.integers(1, 9), st.sampled_from([16, 33, 64, 130])), min_size=2, max_size=8),
        "activation": st.sampled_from(sorted(ACTIVATIONS)),
        "init": st.sampled_from([None, *sorted(INITIALISERS)]),
        "loss": st.sampled_from(sorted(LOSSES)),
        "reduction": st.sampled_from(["mean", "sum"]),
        "dtype": st.sampled_from([np.float32, np.float64]),
        "bias": st.booleans(),
        "l2": st.sampled_from([0.0, 0.0, 1e-4, 0.1, 1.0]),
        "m": st.one_of(st.integers(1, 8), st.sampled_from([31, 32, 100])),
        "scale": st.sampled_from([1.0, 1.0, 0.01, 30.0]),
        "seed": st.integers(0, 2**32),
    }
).map(Case)


def test_random_architectures_are_equal_bit_for_bit(examples: int) -> None:
    seen: dict[str, set[Any]] = {}

    @settings(max_examples=examples)
    @given(cases)
    def identical(case: Case) -> None:
        model, loss, X, y = case.build()
        report = check.compare(model, loss, X, y, l2=case["l2"], witnesses=False)
        assert report.ok, f"{case}\n{report}"
        assert {row.path for row in report.rows} == {name for name, _ in model.named_parameters()}
        for key in ("activation", "loss", "dtype", "bias", "reduction"):
            seen.setdefault(key, set()).add(case[key])
        seen.setdefault("depth", set()).add(len(case["sizes"]) - 2)

    identical()
    assert seen["activation"] == set(ACTIVATIONS)
    assert seen["loss"] == set(LOSSES)
    assert seen["depth"] >= set(range(7))


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_activation_and_loss(activation: str, loss: str, dtype: Any) -> None:
    for m, sizes in ((1, [5, 4, 3]), (7, [5, 1, 3]), (32, [20, 16, 16, 1]), (32, [784, 128, 10])):
        case = Case(sizes=sizes, activation=activation, loss=loss, dtype=dtype, l2=0.01, m=m, seed=m)
        model, criterion, X, y = case.build()
        assert check.compare(model, criterion, X, y, l2=0.01, witnesses=False).ok


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_the_other_witnesses_agree(activation: str, loss: str) -> None:
    case = Case(sizes=[6, 5, 4, 3], activation=activation, loss=loss, dtype=np.float64, seed=3)
    model, criterion, X, y = case.build()
    report = check.compare(model, criterion, X, y, l2=0.1)
    assert report.ok, report
    assert all(row.numeric is not None and row.hips is not None for row in report.rows)
    assert report.loss == pytest.approx(report.manual_loss, rel=1e-14)


def test_sequential_models_are_compared_too() -> None:
    model = nn.Sequential(nn.Linear(4, 5, rng=0), nn.Tanh(), nn.Linear(5, 3, rng=1))
    rng = np.random.default_rng(0)
    report = check.compare(model, "cross_entropy", rng.standard_normal((6, 4)), [0, 1, 2, 0, 1, 2])
    assert report.ok
    assert [row.path for row in report.rows] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    ended = nn.Sequential(nn.Linear(4, 3, rng=0), nn.Softmax())
    assert check.compare(ended, "cross_entropy_probabilities", rng.standard_normal((6, 4)), [0, 1, 2, 0, 1, 2]).ok


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        (nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 3)), "cross_entropy"),
        (nn.Sequential(nn.Tanh(), nn.Linear(4, 3)), "cross_entropy"),
        (nn.Linear(4, 3), "cross_entropy"),
        (nn.Sequential(nn.Linear(4, 3), nn.Softmax()), "cross_entropy"),
    ],
)
def test_models_beyond_the_manual_backprop_are_refused(model: nn.Module, loss: str) -> None:
    with pytest.raises(TypeError, match="manual backprop"):
        check.compare(model, loss, np.zeros((2, 4)), [0, 1])


def test_what_the_manual_backprop_cannot_follow_is_refused_by_name() -> None:
    X, y = np.random.default_rng(0).standard_normal((4, 4)), [0, 1, 2, 0]

    class Swish(nn.Activation):
        name = "swish"

    class Odd(nn.Linear):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * 2

    tied = nn.MLP([4, 4, 4, 3], rng=0)
    tied.linear2.weight = tied.linear1.weight  # type: ignore[attr-defined]
    for model in (
        tied,
        nn.MLP([4, 4, 3], Swish()),
        nn.MLP([4, 4, 3], nn.Softmax(axis=0)),
        nn.Sequential(Odd(4, 4), nn.ReLU(), nn.Linear(4, 3)),
    ):
        with pytest.raises(UnsupportedError, match="manual backprop"):
            check.compare(model, "cross_entropy", X, y)
    model = nn.MLP([4, 3], rng=0)
    with pytest.raises(ShapeError, match="a batch of rows"):
        check.compare(model, "cross_entropy", X[:0], y[:0])
    with pytest.raises(ShapeError, match="a batch of rows"):
        check.compare(model, "cross_entropy", X[0], y)
    with pytest.raises(DataError, match="NaN"):
        check.compare(model, "cross_entropy", X * np.nan, y)


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_the_witnesses_do_not_cry_wolf_on_large_inputs(loss: str) -> None:
    for seed in range(25):
        rng = np.random.default_rng(seed)
        model = nn.MLP([5, 3], dtype=np.float64, rng=seed)
        X, labels = 10 * rng.standard_normal((6, 5)), rng.integers(0, 3, 6)
        report = check.compare(model, loss, X, labels if loss.startswith("cross") else np.eye(3)[labels])
        assert report.ok, f"seed {seed}\n{report}"


def test_compare_changes_nothing() -> None:
    model = nn.MLP([4, 5, 3], rng=0)
    before = {name: array.tobytes() for name, array in model.state_dict().items()}
    X, y = np.random.default_rng(0).standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])
    kept = X.tobytes()
    check.compare(model, "cross_entropy", X, y)
    assert {name: array.tobytes() for name, array in model.state_dict().items()} == before
    assert X.tobytes() == kept
    assert all(p.grad is None for p in model.parameters())


# --- mistakes planted in a copy of the manual backprop ------------------------------------------------------------------

SOURCE = Path(manual.__file__).read_text(encoding="utf-8")

MISTAKES = {
    "1/m missing": ("dZ = (P - Y) / m\n", "dZ = P - Y\n"),
    "1/m twice": ("dZ = (P - Y) / m\n", "dZ = (P - Y) / m / m\n"),
    "sign": ("dZ = (P - Y) / m\n", "dZ = (Y - P) / m\n"),
    "mask missing": ("return dA * (Z > 0)", "return dA"),
    "mask inverted": ("return dA * (Z > 0)", "return dA * (Z < 0)"),
    "mask at the kink": ("return dA * (Z > 0)", "return dA * (Z >= 0)"),
    "tanh' from Z": ("return dA * (1 - A * A)", "return dA * (1 - Z * Z)"),
    "tanh' without the 1": ("return dA * (1 - A * A)", "return dA * (A * A)"),
    "sigma' from Z": ("return dA * (A * (1 - A))", "return dA * (Z * (1 - Z))"),
    "softmax diagonal": ("return A * (dA - (dA * A).sum(axis=-1, keepdims=True))", "return dA * A * (1 - A)"),
    "leaky slope": ("np.where(Z > 0, dA, slope * dA)", "np.where(Z > 0, dA, 0 * dA)"),
    "bias axis": ("return dZ.sum(axis=0)", "return dZ.sum(axis=1)"),
    "bias mean": ("return dZ.sum(axis=0)", "return dZ.mean(axis=0)"),
    "wrong input": ("weight_gradient(A[l - 1], dZ[l])", "weight_gradient(A[0], dZ[l])"),
    "wrong weights": ("dA[l - 1] = dZ[l] @ W[l].T", "dA[l - 1] = dZ[l] @ W[depth].T"),
    "no transpose": ("dA[l - 1] = dZ[l] @ W[l].T", "dA[l - 1] = dZ[l] @ W[l]"),
    "another layer's cache": ("dA[l - 1], Z[l - 1], A[l - 1], slope)  #", "dA[l - 1], Z[1], A[1], slope)  #"),
    "updated weights": ("dA[l - 1] = dZ[l] @ W[l].T", "dA[l - 1] = dZ[l] @ (W[l] - np.asarray(1e-6, W[l].dtype) * dW[l]).T"),
    "l2 missing": ("dW[l] = dW[l] + l2 * W[l]", "dW[l] = dW[l]"),
    "l2 factor": ("dW[l] = dW[l] + l2 * W[l]", "dW[l] = dW[l] + 2 * l2 * W[l]"),
    "l2 on bias": ("dW[l] = dW[l] + l2 * W[l]", "dW[l] = dW[l] + l2 * W[l]; db[l] = db[l] + l2 * parameters[f'b{l}']"),
    "square's 2": ("dZ = 2 * (Z - y) / n", "dZ = (Z - y) / n"),
    "eps ignored": ("-1 / m / (P[rows, y] + eps)", "-1 / m / P[rows, y]"),
    "eps ignored (bce)": ("(-1 / n * y) / (A + eps)", "(-1 / n * y) / A"),
    "label off by one": ("Y[np.arange(len(y)), y] = 1", "Y[np.arange(len(y)), y - 1] = 1"),
    "a last bit": ("dZ = (P - Y) / m\n", "dZ = (P - Y) * np.asarray(1 / m, Z.dtype)\n"),
}


def with_mistake(old: str, new: str) -> types.ModuleType:
    assert SOURCE.count(old) == 1, f"the text {old!r} stands {SOURCE.count(old)} times in manual.py"
    module = types.ModuleType("mistaken")
    module.__file__ = "mistaken.py"
    exec(compile(SOURCE.replace(old, new), "mistaken.py", "exec"), vars(module))  # noqa: S102  # our own source, one line changed
    return module


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_planted_mistake_is_seen(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mistaken = with_mistake(*MISTAKES[kind])
    monkeypatch.setattr(manual, "backprop", mistaken.backprop)
    seen = 0
    for activation in ("relu", "leaky_relu", "tanh", "sigmoid", "softmax"):
        for loss in LOSSES:
            case = Case(sizes=[6, 6, 6, 6], activation=activation, loss=loss)  # fmt: skip
            model, criterion, X, y = case.build()
            X[0] = 0
            model.linear1.bias.data = np.zeros(6)  # type: ignore[attr-defined]  # pre-activations of exactly 0, at the kink
            try:
                report = check.compare(model, criterion, X, y, l2=0.1, witnesses=False)
            except (ValueError, IndexError):  # the mistake does not even fit the shapes
                seen += 1
                continue
            if not report.ok:
                seen += 1
                assert re.search(r"[Wb]\d \(linear\d\.(weight|bias)\)", report.first_difference)
                assert "NO" in str(report)
    assert seen


def test_the_copy_without_a_mistake_is_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manual, "backprop", with_mistake("db[l] = bias_gradient(dZ[l])", "db[l] = bias_gradient(dZ[l]) ").backprop)
    for loss in LOSSES:
        case = Case(sizes=[6, 6, 6], activation="tanh", loss=loss)
        model, criterion, X, y = case.build()
        assert check.compare(model, criterion, X, y, l2=0.1, witnesses=False).ok


# --- the measures ---------------------------------------------------------------------------------------------------------


def test_ulps() -> None:
    one = np.float32(1)
    assert check.ulps(one, one) == 0
    assert check.ulps(one, np.nextafter(one, np.float32(2))) == 1
    assert check.ulps(np.float64(0.0), np.float64(-0.0)) == 1
    assert check.ulps(np.nextafter(np.float64(0), -1), np.nextafter(np.float64(0), 1)) == 3
    assert check.ulps(np.float64(np.inf), np.finfo(np.float64).max) == 1
    assert check.ulps(np.float16([1, 2]), np.float16([1, 4])) == 1024
    assert check.ulps(np.zeros((0, 2)), np.zeros((0, 2))) == 0
    assert check.ulps(-np.finfo(np.float64).max, np.finfo(np.float64).max) > 2**63
    with pytest.raises(TypeError, match="float32 and float64"):
        check.ulps(one, np.float64(1))
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        check.ulps(np.zeros(2), np.zeros(3))


def test_relative_difference() -> None:
    assert check.relative_difference(np.zeros(3), np.zeros(3)) == 0
    assert check.relative_difference(np.ones(3), np.zeros(3)) == np.inf
    assert check.relative_difference(np.array([np.nan]), np.array([1.0])) == np.inf
    assert check.relative_difference(np.array([1e200, 0]), np.array([1e200, 1e190])) == pytest.approx(1e-10)


def test_numeric_gradient_steps_around_kinks() -> None:
    x = np.array([0.0, 1e-8, 2.0])
    found = check.numeric_gradient(lambda v: float(np.maximum(v, 0).sum()), x, [(0,), (1,), (2,)])
    assert np.isnan(found[0])
    assert found[2] == pytest.approx(1)
    assert x.tolist() == [0.0, 1e-8, 2.0]
    assert np.isnan(found[1]) or found[1] == pytest.approx(1)


def test_a_wrong_witness_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.MLP([4, 5, 3], rng=0)
    X, y = np.random.default_rng(0).standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])
    real = check.numeric_gradient
    monkeypatch.setattr(witnesses, "numeric_gradient", lambda *a: real(*a) * 1.01)
    report = check.compare(model, "cross_entropy", X, y)
    assert not report.ok
    assert report.equal_bits
    assert "numeric derivative differs" in report.first_difference
