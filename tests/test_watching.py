"""A watch sees what is there, by numbers computed by hand, changes no bit of the training, and leaves no trace."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
from tinygrad_mlp.errors import GraphError, SettingError, TensorTypeError, UnknownNameError
from tinygrad_mlp.watching import ACTIVATION_STATISTICS, PARAMETER_STATISTICS, Tap, Watch, watch

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((12, 4)), np.arange(12) % 3


def model_of(activation: str = "relu", sizes: tuple[int, ...] = (4, 6, 5, 3), dtype: type = np.float64) -> nn.MLP:
    return nn.MLP(list(sizes), activation=activation, dtype=dtype, rng=0)


def step(model: nn.Module, optimizer: optim.Optimizer | None = None) -> None:
    model.zero_grad()
    nn.cross_entropy(model(X), Y).backward()
    if optimizer is not None:
        optimizer.step()


def value(seen: Watch, statistic: str, name: str, column: int = -1) -> float:
    names, _, values = seen.table(statistic)
    return values[names.index(name), column]


def traces(model: nn.Module) -> list[str]:
    return [path for path, module in model.named_modules() if "forward" in vars(module)]


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_the_statistics_of_parameters_are_those_by_hand() -> None:
    model = model_of("tanh")
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    weights, changes = [], []
    with watch(model) as seen:
        for _ in range(3):
            step(model)
            seen.record()
            weights.append({name: p.data.copy() for name, p in model.named_parameters()})
            for name, p in model.named_parameters():
                w, g = weights[-1][name], p.grad
                assert value(seen, "gradient_norm", name) == pytest.approx(np.linalg.norm(g), rel=1e-12)
                assert value(seen, "gradient", name) == pytest.approx(np.sqrt((g**2).mean()), rel=1e-12)
                assert value(seen, "weight", name) == pytest.approx(np.sqrt((w**2).mean()), rel=1e-12)
                if w.any():
                    assert value(seen, "ratio", name) == pytest.approx(np.linalg.norm(g) / np.linalg.norm(w), rel=1e-12)
                if len(weights) > 1:
                    changes.append(np.sqrt(((w - weights[-2][name]) ** 2).mean()))
                    assert value(seen, "update", name) == pytest.approx(changes[-1], rel=1e-12)
            optimizer.step()
    assert all(changes)
    assert seen.steps == [1, 2, 3]
    names, _, update = seen.table("update")
    assert names == [name for name, _ in model.named_parameters()]
    assert update.mask[:, 0].all()  # nothing came before the first record
    assert not update.mask[:, 1:].any()
    assert np.isnan(value(seen, "ratio", "linear1.bias", 0))  # it starts at 0


def test_updates_written_into_the_array_are_seen() -> None:
    model = model_of()
    with watch(model) as seen:
        for _ in range(2):
            step(model)
            seen.record()
            model.linear1.weight.array[...] += 0.25
    assert value(seen, "update", "linear1.weight") == pytest.approx(0.25)
    assert value(seen, "update", "linear2.weight") == 0


def test_the_statistics_of_activations_are_those_by_hand() -> None:
    model = model_of("tanh")
    with watch(model) as seen:
        step(model)
        seen.record()
    Z1 = X @ model.linear1.weight.data
    A1 = np.tanh(Z1)
    A2 = np.tanh(A1 @ model.linear2.weight.data)
    for name, A in (("linear1", Z1), ("activation (1)", A1), ("activation (2)", A2)):
        assert value(seen, "mean", name) == pytest.approx(A.mean(), rel=1e-12)
        assert value(seen, "std", name) == pytest.approx(A.std(), rel=1e-12)
        assert value(seen, "spread", name) == pytest.approx(np.sqrt(A.var(axis=0).mean()), rel=1e-12)
        assert value(seen, "zeros", name) == 0
    assert value(seen, "saturated", "activation (1)") == pytest.approx((np.abs(A1) > 0.99).mean(), rel=1e-12)
    assert value(seen, "saturated", "linear1") is np.ma.masked
    assert seen.table("mean")[0] == ["linear1", "activation (1)", "linear2", "activation (2)", "linear3"]
    assert seen.table("mean", activations_only=True)[0] == ["activation (1)", "activation (2)"]


def test_planted_dead_units_are_found() -> None:
    model = model_of("relu")
    model.linear1.bias.data[[1, 4]] = -1e3
    with watch(model) as seen:
        step(model)
        seen.record()
    alive = (X @ model.linear1.weight.data + model.linear1.bias.data > 0).any(axis=0)
    assert not alive[[1, 4]].any()
    assert value(seen, "dead", "activation (1)") == pytest.approx((~alive).mean())
    assert value(seen, "dead", "activation (1)") >= 2 / 6
    A = np.maximum(X @ model.linear1.weight.data + model.linear1.bias.data, 0)
    assert value(seen, "zeros", "activation (1)") == pytest.approx((A == 0).mean())


@pytest.mark.parametrize(
    ("layer", "low", "high"),
    [(nn.Tanh(), -1, 1), (nn.Sigmoid(), 0, 1), (nn.Hardtanh(-2.0, 3.0), -2, 3), (nn.Softsign(), -1, 1)],
    ids=lambda x: type(x).__name__,
)
def test_saturation_is_near_the_bounds_of_the_activation(layer: nn.Module, low: float, high: float) -> None:
    model = nn.Sequential(nn.Linear(4, 7, dtype=np.float64, rng=0), layer)
    model[0].weight.data *= 6
    with watch(model) as seen:
        model(X).sum().backward()
        seen.record()
        out = model(X).numpy()
    margin = (high - low) / 200
    expected = ((out < low + margin) | (out > high - margin)).mean()
    assert value(seen, "saturated", "1") == pytest.approx(expected)
    assert expected > 0 or isinstance(layer, nn.Softsign)


def test_a_gradient_vanishes_in_a_deep_sigmoid_network_and_not_in_a_relu_one() -> None:
    ratios = {}
    for activation in ("sigmoid", "relu"):
        model = model_of(activation, (4, *[16] * 10, 3))
        with watch(model) as seen:
            step(model)
            seen.record()
        ratios[activation] = value(seen, "gradient", "linear1.weight") / value(seen, "gradient", "linear11.weight")
    assert ratios["sigmoid"] < 1e-5
    assert 0.05 < ratios["relu"] < 20


def test_tiny_and_huge_float32_gradients_keep_their_size() -> None:
    model = model_of(dtype=np.float32)
    seen = watch(model)
    for size in (1e-30, 1e25):  # whose squares are 0 and infinite in float32
        for parameter in model.parameters():
            parameter.grad = np.full(parameter.shape, size, np.float32)
        seen.record()
        assert value(seen, "gradient", "linear2.weight") == pytest.approx(size, rel=1e-6)


def test_nan_zero_and_no_gradient_stay_different() -> None:
    model = model_of()
    model.linear1.weight.grad = np.full((4, 6), np.nan)
    model.linear2.weight.grad = np.zeros((6, 5))
    seen = watch(model)
    seen.record()
    assert np.isnan(value(seen, "gradient", "linear1.weight"))
    assert value(seen, "gradient", "linear2.weight") == 0
    assert value(seen, "gradient", "linear3.weight") is np.ma.masked


# --- what is seen -----------------------------------------------------------------------------------------------------


def test_only_the_last_recorded_pass_counts() -> None:
    model = model_of("tanh")
    with watch(model) as seen:
        step(model)
        nn.cross_entropy(model(2 * X), Y).backward()
        with tg.no_grad():
            model(100 * X)  # an evaluation in between
        seen.record()
    assert value(seen, "mean", "linear1") == pytest.approx((2 * X @ model.linear1.weight.data).mean(), rel=1e-12)
    assert seen.table("mean")[0] == ["linear1", "activation (1)", "linear2", "activation (2)", "linear3"]


def test_every_keeps_each_so_many_th_record() -> None:
    model = model_of()
    with watch(model, every=3) as seen:
        for _ in range(7):
            step(model)
            seen.record()
    assert seen.steps == [3, 6]
    assert not seen.table("mean")[2].mask.any()
    assert len(seen) == 2


def test_shared_nested_and_reused_modules() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            self.inner = nn.Sequential(nn.Linear(4, 4, dtype=np.float64, rng=0), nn.ReLU())

        def forward(self, x):
            return self.inner(x) + x

    block = Block()
    model = nn.Sequential(block, block, nn.Linear(4, 3, dtype=np.float64, rng=1))
    with watch(model) as seen:
        step(model)
        seen.record()
        assert seen.table("mean")[0] == ["0.inner.0 (1)", "0.inner.1 (1)", "0.inner.0 (2)", "0.inner.1 (2)", "2"]
    assert traces(model) == []


def test_a_compiled_step_runs_under_a_watch() -> None:
    model = model_of()
    compiled = tg.compile(lambda x, y: nn.cross_entropy(model(x), y), optim.SGD(model.parameters(), lr=0.1))
    with watch(model):
        first = float(compiled(X, Y))
        assert float(compiled(X, Y)) < first


# --- no trace ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "tanh", "softmax"])
def test_the_training_has_the_same_bits_with_and_without(activation: str) -> None:
    results = []
    for watched in (False, True):
        model = model_of(activation, dtype=np.float32)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        losses = []
        with watch(model) as seen:
            if not watched:
                seen.__exit__()
            for _ in range(5):
                optimizer.zero_grad()
                loss = nn.cross_entropy(model(X.astype(np.float32)), Y)
                loss.backward()
                if watched:
                    seen.record()
                losses.append((loss.numpy().tobytes(), *(p.grad.tobytes() for p in model.parameters())))
                optimizer.step()
        results.append((losses, [p.data.tobytes() for p in model.parameters()]))
    assert results[0] == results[1]


def test_the_model_is_as_before_also_after_an_exception() -> None:
    model = model_of()
    before = [dict(vars(module)) for _, module in model.named_modules()]
    with pytest.raises(KeyboardInterrupt), watch(model):
        assert traces(model) == ["", "linear1", "activation", "linear2", "linear3"]
        assert list(model.state_dict()) == [name for name, _ in model_of().named_parameters()]
        assert repr(model) == repr(model_of())
        raise KeyboardInterrupt
    assert [dict(vars(module)) for _, module in model.named_modules()] == before
    assert traces(model) == []


def test_a_forward_that_fails_leaves_the_watch_usable() -> None:
    model = model_of()
    with watch(model) as seen:
        with pytest.raises(ValueError, match="columns"):
            model(np.ones((2, 9)))
        step(model)
        seen.record()
    assert seen.table("mean")[0] == ["linear1", "activation (1)", "linear2", "activation (2)", "linear3"]


@pytest.mark.parametrize("first_closed", [0, 1])
def test_two_watches_see_the_same_and_close_in_any_order(first_closed: int) -> None:
    model = model_of()
    pair = [watch(model).__enter__(), watch(model).__enter__()]
    step(model)
    for seen in pair:
        seen.record()
    assert pair[0].table("std")[2].tolist() == pair[1].table("std")[2].tolist()
    pair[first_closed].__exit__()
    step(model)
    other = pair[1 - first_closed]
    other.record()
    assert not other.table("std")[2].mask.any()
    other.__exit__()
    assert traces(model) == []
    step(model)


def test_three_watches_of_which_the_middle_one_closes_first() -> None:
    model = model_of()
    three = [watch(model).__enter__() for _ in range(3)]
    for i in (1, 2, 0):
        three[i].__exit__()
    assert traces(model) == []


def test_a_forward_of_the_users_own_is_put_back() -> None:
    model = model_of()
    model.activation.forward = lambda x: x * 0.5  # type: ignore[method-assign]
    own = model.activation.forward
    with watch(model):
        step(model)
    assert model.activation.forward is own
    assert traces(model) == ["activation"]


def test_copies_made_inside_are_not_watched_and_stand_alone() -> None:
    model = model_of()
    with watch(model) as seen:
        copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]  # noqa: S301  # our own
        for other in copies:
            assert not any(isinstance(vars(m).get("forward"), Tap) for _, m in other.named_modules())
            assert other(X).numpy().tobytes() == model(X).numpy().tobytes()
            other.linear1.weight.data[:] = 0
            assert not np.array_equal(other(X).numpy(), model(X).numpy())  # its own weights, not the model's
            step(other)
        seen._outputs = {}
        step(copies[0])
        assert seen._outputs == {}


def test_a_closed_watch_keeps_no_arrays() -> None:
    model = model_of()
    with watch(model) as seen:
        step(model)
    assert (seen._outputs, seen._before, seen._taps) == ({}, {}, [])


# --- words ------------------------------------------------------------------------------------------------------------


def test_what_cannot_be_watched() -> None:
    model = model_of()
    with pytest.raises(TensorTypeError, match="looks into a module"):
        watch(lambda x: x)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="every must be a whole number from 1 up"):
        watch(model, every=0)
    with watch(model) as seen:
        with pytest.raises(GraphError, match=r"nothing to record: call record\(\) after loss.backward\(\)"):
            seen.record()
        with pytest.raises(GraphError, match="open already"):
            seen.__enter__()
        step(model)
        seen.record(step=10)
        with pytest.raises(SettingError, match="step 10 does not lie after the last record, at step 10"):
            seen.record(step=10)
    with pytest.raises(UnknownNameError, match="did you mean 'gradient'"):
        seen.table("gradeint")


def test_repr_tells_the_last_numbers() -> None:
    model = model_of()
    assert repr(watch(model)) == "Watch of MLP: nothing recorded yet"
    with watch(model) as seen:
        step(model)
        seen.record()
    lines = repr(seen).splitlines()
    assert lines[0] == "Watch of MLP: 1 record, the last at step 1"
    assert lines[1].split() == ["gradient", "weight", "update_ratio"]
    assert lines[2].split() == [
        "linear1.weight",
        f"{value(seen, 'gradient', 'linear1.weight'):.2g}",
        f"{value(seen, 'weight', 'linear1.weight'):.2g}",
    ]
    assert [line.split()[0] for line in lines[9:]] == ["linear1", "activation", "linear2", "activation", "linear3"]
    assert {seen.table(s)[1][0] for s in PARAMETER_STATISTICS | ACTIVATION_STATISTICS} == {1}
