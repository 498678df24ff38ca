"""fit: the loop by hand in the same bits, what is recorded and when, what is refused before anything changes, how it ends."""

from __future__ import annotations

import copy
import io
import itertools
import math
import re
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim, train
from tinygrad_mlp.errors import DataError, GraphError, SettingError, ShapeError, TensorTypeError, TraceError, UnknownNameError
from tinygrad_mlp.history import History
from tinygrad_mlp.train import EarlyStopping, evaluate, fit, predict
from tinygrad_mlp.train.progress import Progress, Steps

M, FEATURES, CLASSES = 53, 4, 3  # 53 rows: the last batch of 8 has 5


def samples(m=M, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((m, FEATURES)).astype(dtype)
    return X, (X @ rng.standard_normal((FEATURES, CLASSES))).argmax(axis=1)


def network(dtype=np.float64, dropout=0.0):
    parts = [nn.Linear(FEATURES, 8, dtype=dtype, rng=1), nn.Tanh(), nn.Linear(8, CLASSES, dtype=dtype, rng=2)]
    return nn.Sequential(*parts[:2], nn.Dropout(dropout, rng=3), parts[2])


def by_hand(
    model, X, y, *, loss, optimizer, epochs, batch_size=8, rng=0, clip_norm=None, schedule=None, shuffle=True, drop_last=False
):
    """The loop written out, with indices of its own; returns the mean loss of each epoch."""
    rng, means = np.random.default_rng(rng), []
    for _ in range(epochs):
        order = rng.permutation(len(X)) if shuffle else np.arange(len(X))
        losses, counts = [], []
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            if drop_last and len(rows) < batch_size:
                continue
            optimizer.zero_grad()
            value = loss(model(X[rows]), y[rows])
            value.backward()
            if clip_norm is not None:
                optim.clip_grad_norm(model.parameters(), clip_norm)
            optimizer.step()
            losses.append(float(value))
            counts.append(len(rows))
        means.append(sum(a * b for a, b in zip(losses, counts, strict=True)) / sum(counts))
        if schedule is not None:
            schedule.step()
    return means


def same_bits(a, b):
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert value.dtype == b[name].dtype
        assert value.tobytes() == b[name].tobytes(), name


def sgd(p):
    return optim.SGD(p, lr=0.3)


CASES = {
    "plain": {},
    "momentum, weight decay": {"optimizer": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01)},
    "Adam": {"optimizer": lambda p: optim.Adam(p, lr=0.01)},
    "clipped": {"clip_norm": 0.3},
    "schedule": {"schedule": lambda o: optim.StepLR(o, 2, 0.5)},
    "cosine, Adam": {"optimizer": lambda p: optim.Adam(p, lr=0.01), "schedule": lambda o: optim.CosineAnnealingLR(o, 4)},
    "drop_last": {"drop_last": True},
    "in order": {"shuffle": False},
    "dropout": {"dropout": 0.4},
    "dropout, clipped, Adam": {"dropout": 0.4, "clip_norm": 0.3, "optimizer": lambda p: optim.Adam(p, lr=0.01)},
    "float32": {"dtype": np.float32},
    "one batch": {"batch_size": 1000},
    "one by one": {"batch_size": 1},
}


def trained(case, how, **more):
    """A model trained for four epochs, by hand or by fit; its parameters, the state of the optimiser, what was returned."""
    case = dict(case)
    dtype, dropout = case.pop("dtype", np.float64), case.pop("dropout", 0.0)
    X, y = samples(dtype=dtype)
    model = network(dtype, dropout)
    optimizer = case.pop("optimizer", sgd)(model.parameters())
    if "schedule" in case:
        case["schedule"] = case["schedule"](optimizer)
    options = {"loss": nn.cross_entropy, "optimizer": optimizer, "epochs": 4, "batch_size": 8, "rng": 5} | case | more
    result = how(model, X, y, **options)
    return model.state_dict(), {k: np.asarray(v) for k, v in optimizer.state_dict().items()}, result


def quiet(*args, **options):
    return fit(*args, progress=False, **options)


# --- the loop ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("running", [False, True])
def test_it_is_the_loop_by_hand_in_all_bits(case, running):
    parameters, state, means = trained(CASES[case], by_hand)
    ours, our_state, history = trained(CASES[case], quiet, running=running)
    same_bits(parameters, ours)
    same_bits(state, our_state)
    if running:
        assert history["train_loss"] == pytest.approx(means, rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_compiled_exactly_it_has_the_same_bits(case):
    parameters, state, _ = trained(CASES[case], by_hand)
    ours, our_state, _ = trained(CASES[case], quiet, compile="exact")
    same_bits(parameters, ours)
    same_bits(state, our_state)


@pytest.mark.parametrize("case", CASES)
def test_compiled_it_has_the_same_numbers(case):
    parameters, _, means = trained(CASES[case], by_hand)
    ours, _, history = trained(CASES[case], quiet, compile=True, running=True)
    tolerance = 1e-4 if CASES[case].get("dtype") == np.float32 else 1e-9
    for name, value in parameters.items():
        np.testing.assert_allclose(ours[name], value, rtol=tolerance, atol=tolerance)
    assert history["train_loss"] == pytest.approx(means, rel=tolerance)


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 12), st.booleans(), st.booleans(), st.integers(0, 2**32))
def test_any_sizes(m, batch_size, shuffle, drop_last, seed):
    X, y = samples(m)
    found = []
    for how in (by_hand, quiet):
        model = network()
        options = {"loss": nn.cross_entropy, "optimizer": sgd(model.parameters()), "epochs": 2}
        options |= {"batch_size": batch_size, "shuffle": shuffle, "drop_last": drop_last, "rng": seed}
        if drop_last and m < batch_size:
            if how is quiet:
                with pytest.raises(DataError, match=f"{m} training rows are no whole batch of {batch_size}"):
                    how(model, X, y, **options)
            continue
        how(model, X, y, **options)
        found.append(model.state_dict())
    if found:
        same_bits(*found)


def test_two_runs_of_one_seed_are_equal_in_all_bits():
    runs = [trained({"dropout": 0.3}, quiet, validation_split=0.2, metrics=["accuracy"]) for _ in range(2)]
    same_bits(runs[0][0], runs[1][0])
    assert list(runs[0][2]) == list(runs[1][2])
    assert not np.array_equal(runs[0][2]["train_loss"], trained({"dropout": 0.3}, quiet, rng=6)[2]["train_loss"])


@pytest.mark.parametrize(
    "loss", ["mse", nn.MSELoss(), nn.mse_loss, lambda a, y: ((a - y) ** 2).mean()], ids=["name", "module", "f", "λ"]
)
@pytest.mark.parametrize("compile", [False, True])
def test_the_loss_may_be_a_name_a_module_or_a_function(loss, compile):
    X, _ = samples()
    y = X @ np.ones((FEATURES, 1))
    model = nn.Linear(FEATURES, 1, dtype=np.float64, rng=0)
    history = quiet(
        model, X, y, loss=loss, optimizer=sgd(model.parameters()), epochs=20, rng=0, compile=compile, metrics=["r2_score"]
    )
    assert history["train_loss"][-1] < 1e-6
    assert history["train_r2_score"][-1] == pytest.approx(1)


@pytest.mark.parametrize("function", [nn.mse_loss, nn.binary_cross_entropy_with_logits, nn.binary_cross_entropy])
def test_the_name_of_a_loss_may_be_that_of_its_function(function):
    X, y = samples()
    model, y = nn.Sequential(nn.Linear(FEATURES, 1, dtype=np.float64, rng=0), nn.Hardtanh(0.1, 0.9)), (y == 1)[:, None]
    named, given = (evaluate(model, X, y, loss, ["accuracy"]) for loss in (function.__name__, function))
    assert named == given


def test_for_one_sample_predict_says_how_to_write_it():
    with pytest.raises(ShapeError, match=r"shape \(3,\) for 4 rows\. X has shape \(4,\), .*; for one sample write X\[None\]"):
        predict(network(), samples()[0][0])
    assert predict(network(), samples()[0][0][None]).shape == (1, CLASSES)


def test_a_misspelt_name_of_the_module_comes_with_the_nearest():
    with pytest.raises(AttributeError, match=r"tinygrad_mlp\.train 'EarlyStoping': did you mean 'EarlyStopping'"):
        tg.train.EarlyStoping  # noqa: B018


def test_a_penalty_in_the_loss_is_trained_and_recorded():
    X, y = samples()
    model = network()
    weights = [p for p in model.parameters() if p.ndim == 2]
    loss = lambda z, y: nn.cross_entropy(z, y) + nn.l2_penalty(weights, 0.1)  # noqa: E731
    history = quiet(model, X, y, loss=loss, optimizer=sgd(model.parameters()), epochs=1, rng=0)
    plain = evaluate(model, X, y, nn.cross_entropy)["loss"]
    assert history["train_loss"][-1] == pytest.approx(plain + 0.05 * sum(np.sum(w.numpy() ** 2) for w in weights))


def test_images_lists_and_tensors_are_data_too():
    X, y = samples()
    found = []
    for pair in (
        (X.reshape(M, 2, 2), y),
        (X.reshape(M, 2, 2).tolist(), y.tolist()),
        (tg.Tensor(X.reshape(M, 2, 2)), tg.Tensor(y)),
    ):
        model = nn.Sequential(nn.Flatten(), network())
        quiet(model, *pair, loss=nn.cross_entropy, optimizer=sgd(model.parameters()), epochs=2, rng=0)
        found.append(model.state_dict())
    same_bits(found[0], found[1])
    same_bits(found[0], found[2])


def test_parameters_that_the_optimiser_does_not_have_stay():
    X, y = samples()
    model = network()
    before = model.state_dict()
    quiet(model, X, y, loss=nn.cross_entropy, optimizer=sgd(list(model.parameters())[2:]), epochs=1, rng=0, clip_norm=0.1)
    after = model.state_dict()
    changed = [not np.array_equal(before[name], after[name]) for name in before]
    assert changed == [False, False, True, True]


# --- what is recorded -------------------------------------------------------------------------------------------------


def test_each_epoch_is_measured_in_evaluation_mode_after_it():
    X, y = samples()
    model = network(dropout=0.5)
    twin = copy.deepcopy(model)
    history = quiet(
        model, X, y, loss=nn.cross_entropy, optimizer=sgd(model.parameters()), epochs=2, batch_size=8, rng=0, metrics=["accuracy"]
    )
    rng, optimizer = np.random.default_rng(0), sgd(twin.parameters())
    assert history.at.tolist() == [0, 1, 2]
    for epoch in range(3):
        if epoch:
            by_hand(twin.train(), X, y, loss=nn.cross_entropy, optimizer=optimizer, epochs=1, rng=rng)
        with tg.no_grad():
            z = twin.eval()(X)
        assert history["train_loss"][epoch] == pytest.approx(float(nn.cross_entropy(z, y)), rel=1e-12)
        assert history["train_accuracy"][epoch] == np.mean(z.numpy().argmax(axis=1) == y)
    assert history.names == ["train_loss", "train_accuracy"]


def test_validation_data_and_the_rate_are_recorded():
    X, y = samples()
    model = network()
    optimizer = sgd(model.parameters())
    schedule = optim.ExponentialLR(optimizer, 0.5)
    history = quiet(
        model, X[:40], y[:40], loss="cross_entropy", optimizer=optimizer, epochs=3, rng=0,
        validation_data=(X[40:], y[40:]), metrics={"hits": lambda z, y: np.sum(z.argmax(axis=1) == y)}, schedule=schedule,
    )  # fmt: skip
    assert history.names == ["train_loss", "train_hits", "validation_loss", "validation_hits", "lr"]
    assert history.series("lr")[0].tolist() == [1, 2, 3]
    assert history["lr"].tolist() == [0.3, 0.15, 0.075]
    assert (schedule.last_epoch, optimizer.lr) == (3, 0.0375)
    found = evaluate(model, X[40:], y[40:], nn.cross_entropy, ["accuracy"])
    assert history["validation_loss"][-1] == found["loss"]
    assert history["validation_hits"][-1] == round(found["accuracy"] * 13)
    assert [ax.get_ylabel() for ax in history.plot()] == ["loss", "hits", "lr"]


@pytest.mark.parametrize(("fraction", "held"), [(0.2, 11), (0.5, 26), (0.01, 1), (0.99, 52)])
def test_a_fraction_is_held_out_at_random(fraction, held):
    X, _ = samples()
    X[:, 0] = np.arange(M)  # a number that tells the rows apart
    seen = {"train": set(), "validation": set()}

    def count(z, y):
        seen["validation" if len(y) == held else "train"] |= set(y[:, 0].tolist())
        return len(y)

    model = nn.Linear(FEATURES, FEATURES, dtype=np.float64, rng=0)
    history = quiet(
        model,
        X,
        X,
        loss="mse",
        optimizer=optim.SGD(model.parameters(), lr=1e-5),
        epochs=1,
        rng=0,
        validation_split=fraction,
        metrics={"n": count},
    )
    assert (history["train_n"][-1], history["validation_n"][-1]) == (M - held, held)
    assert seen["train"] | seen["validation"] == set(range(M))
    assert not seen["train"] & seen["validation"]
    if held > 1:
        assert seen["validation"] != set(range(M - held, M))  # not the last rows


def test_training_never_sees_what_is_held_out():
    X, y = samples()
    rows = []

    class Spy(nn.Module):
        def __init__(self):
            self.inner = network()

        def forward(self, x):
            if tg.is_recording() and self.training:
                rows.extend(map(tuple, x))
            return self.inner(x)

    model = Spy()
    quiet(model, X, y, loss=nn.cross_entropy, optimizer=sgd(model.parameters()), epochs=2, rng=0, validation_split=0.3)
    assert len(rows) == 2 * 37
    assert len(set(rows)) == 37


def test_the_split_and_the_orders_are_drawn_from_one_generator():
    X, y = samples()
    by_fit, twin, rng = network(), network(), np.random.default_rng(5)
    quiet(
        by_fit, X, y, loss=nn.cross_entropy, optimizer=sgd(by_fit.parameters()), epochs=2, batch_size=8, rng=5, validation_split=0.3
    )
    X_train, y_train, _, _ = data.split(X, y, 0.3, rng)
    by_hand(twin, X_train, y_train, loss=nn.cross_entropy, optimizer=sgd(twin.parameters()), epochs=2, rng=rng)
    same_bits(twin.state_dict(), by_fit.state_dict())


def test_a_generator_that_was_given_goes_on():
    X, y = samples()
    rng, twin = np.random.default_rng(5), np.random.default_rng(5)
    model = network()
    quiet(model, X, y, loss=nn.cross_entropy, optimizer=sgd(model.parameters()), epochs=2, rng=rng)
    twin.permutation(M), twin.permutation(M)
    assert rng.bit_generator.state == twin.bit_generator.state


def test_a_metric_that_switches_the_mode_does_not_switch_that_of_training():
    def careless(z, y):
        model.eval()
        return 0.0

    X, y = samples()
    found = []
    for metrics in ({}, {"careless": careless}):
        model = network(dropout=0.5)
        quiet(model, X, y, loss=nn.cross_entropy, optimizer=sgd(model.parameters()), epochs=3, rng=0, metrics=metrics)
        found.append(model.state_dict())
    same_bits(*found)


def test_running_records_no_metrics_of_the_training_data():
    X, y = samples()
    model = network()
    options = {"loss": nn.cross_entropy, "optimizer": sgd(model.parameters()), "rng": 0, "running": True, "metrics": ["accuracy"]}
    history = quiet(model, X, y, epochs=2, validation_split=0.2, **options)
    assert history.names == ["validation_loss", "validation_accuracy", "train_loss"]
    assert history.series("train_loss")[0].tolist() == [1, 2]
    assert history.series("validation_loss")[0].tolist() == [0, 1, 2]
    assert quiet(model, X, y, epochs=2, **options).at.tolist() == [1, 2]


def test_running_costs_no_pass_over_the_training_data():
    X, y = samples(64)
    calls = []
    loss = lambda z, y: calls.append(len(y)) or nn.cross_entropy(z, y)  # noqa: E731
    model = network()
    quiet(model, X, y, loss=loss, optimizer=sgd(model.parameters()), epochs=2, batch_size=32, rng=0, running=True)
    assert calls == [32] * 5  # one before the first step, to see that it fits


def test_a_history_goes_on():
    X, y = samples()
    history = tg.History("mine")
    model = network()
    options = {"loss": nn.cross_entropy, "optimizer": sgd(model.parameters()), "history": history, "rng": 0}
    assert quiet(model, X, y, epochs=2, **options) is history
    quiet(model, X, y, epochs=3, **options)
    assert history.at.tolist() == [0, 1, 2, 3, 4, 5]
    history.record(epoch=6.5, train_loss=1)
    quiet(model, X, y, epochs=1, **options)
    assert history.at.tolist()[-2:] == [6.5, 7]


def test_a_metric_that_is_no_mean_over_rows_is_that_of_all_rows():
    X, _ = samples(700)
    y = X.sum(axis=1, keepdims=True)
    model = nn.Linear(FEATURES, 1, dtype=np.float64, rng=0)
    seen = []
    history = quiet(
        model, X, y, loss=nn.MSELoss(reduction="sum"), optimizer=optim.SGD(model.parameters(), lr=1e-6), epochs=1, rng=0,
        metrics={"largest": lambda z, y: seen.append(type(z)) or np.abs(z - y).max()},
    )  # fmt: skip
    z = model(X).numpy()
    assert history["train_largest"][-1] == pytest.approx(np.abs(z - y).max(), rel=1e-12)
    assert history["train_loss"][-1] == pytest.approx(np.sum((z - y) ** 2), rel=1e-12)
    assert set(seen) == {np.ndarray}


@pytest.mark.parametrize("loss", ["bce_probabilities", nn.BCELoss(), nn.binary_cross_entropy])
def test_the_threshold_of_accuracy_is_that_of_the_loss(loss):
    X, _ = samples()
    y = (X[:, :1] > 0).astype(float)
    model = nn.Sequential(nn.Linear(FEATURES, 1, dtype=np.float64, rng=0), nn.Sigmoid())
    history = quiet(
        model, X, y, loss=loss, optimizer=optim.Adam(model.parameters(), lr=0.1), epochs=20, rng=0, metrics=["accuracy"]
    )
    assert history["train_accuracy"][-1] == np.mean((model(X).numpy() > 0.5) == y) > 0.9
    logits = nn.Linear(FEATURES, 1, dtype=np.float64, rng=0)
    found = quiet(
        logits, X, y, loss="bce", optimizer=optim.Adam(logits.parameters(), lr=0.1), epochs=20, rng=0, metrics=["accuracy"]
    )
    assert found["train_accuracy"][-1] == np.mean((logits(X).numpy() > 0) == y)


# --- modes ------------------------------------------------------------------------------------------------------------


def modes(model):
    return [module.training for _, module in model.named_modules()]


@pytest.mark.parametrize("end", ["done", "interrupt", "error"])
def test_every_module_has_its_own_mode_again(end):
    X, y = samples()
    model = network(dropout=0.5)
    model.eval()
    list(model.named_modules())[2][1].training = True
    before = modes(model)

    def loss(z, y):
        if tg.is_recording() and model.training and end != "done":
            raise KeyboardInterrupt if end == "interrupt" else RuntimeError("mine")
        return nn.cross_entropy(z, y)

    options = {"loss": loss, "optimizer": sgd(model.parameters()), "epochs": 1, "rng": 0}
    if end == "done":
        quiet(model, X, y, **options)
    else:
        with pytest.raises((KeyboardInterrupt, RuntimeError)) as caught:
            quiet(model, X, y, **options)
        if end == "error":
            assert caught.value.__notes__ == ["in step 1 of epoch 1, with lr 0.3"]
    assert modes(model) == before


def test_training_is_in_training_mode_in_every_epoch_also_after_a_model_in_evaluation_mode():
    X, y = samples()
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            self.inner = network()

        def forward(self, x):
            seen.append((tg.is_recording(), self.training, self.inner.training))
            return self.inner(x)

    model = Spy()
    quiet(model.eval(), X, y, loss=nn.cross_entropy, optimizer=sgd(model.parameters()), epochs=2, rng=0)
    assert seen.count((True, False, False)) == 1  # to see whether the loss has a graph, without drawing random numbers
    assert set(seen) == {(True, True, True), (False, False, False), (True, False, False)}


def test_predict_and_evaluate_leave_modes_random_numbers_and_gradients_alone():
    X, y = samples()
    model = network(dropout=0.5)
    list(model.named_modules())[1][1].eval()
    before, draws = modes(model), copy.deepcopy(model[2].rng.bit_generator.state) if hasattr(model, "__getitem__") else None
    outputs = predict(model, X, batch_size=10)
    assert type(outputs) is np.ndarray
    assert outputs.shape == (M, CLASSES)
    twin = copy.deepcopy(model).eval()
    np.testing.assert_allclose(outputs, twin(X).numpy(), rtol=1e-12)
    assert evaluate(model, X, y, "cross_entropy")["loss"] == pytest.approx(float(nn.cross_entropy(twin(X), y)), rel=1e-12)
    assert modes(model) == before
    assert all(p.grad is None for p in model.parameters())
    if draws is not None:
        assert model[2].rng.bit_generator.state == draws


@pytest.mark.parametrize("m", [0, 1, 5, 12, 13])
@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_predict_has_all_rows_in_order_and_owns_them(m, batch_size):
    X = np.arange(m * 2.0).reshape(m, 2)
    outputs = predict(nn.Identity(), X, batch_size)
    assert np.array_equal(outputs, X)
    assert not np.shares_memory(outputs, X)


# --- early stopping ---------------------------------------------------------------------------------------------------


def scripted(values, **options):
    """A training whose validation metric follows a script, and the parameters after each epoch."""
    X, y = samples()
    model, told, states = network(), iter(values), []

    def metric(z, y):
        if len(y) == 13:
            states.append(model.state_dict())
            return next(told)
        return 0.0

    stop = EarlyStopping("validation_script", **options)
    history = quiet(
        model, X[:40], y[:40], loss=nn.cross_entropy, optimizer=sgd(model.parameters()), epochs=len(values) - 1, rng=0,
        validation_data=(X[40:], y[40:]), metrics={"script": metric}, stop=stop,
    )  # fmt: skip
    return stop, history, model, states


@pytest.mark.parametrize(
    ("values", "options", "best", "best_epoch", "stopped"),
    [
        ([5, 4, 3, 3, 3, 3], {"patience": 2, "mode": "min"}, 3, 2, 4),
        ([5, 4, 3, 4, 2, 4, 4, 4], {"patience": 3, "mode": "min"}, 2, 4, 7),
        ([5, 4, 3, 2], {"patience": 1, "mode": "min"}, 2, 3, None),
        ([1, 2, 3, 2, 2, 9], {"patience": 2, "mode": "max"}, 3, 2, 4),
        ([5, 4.5, 4, 3.9, 3.8, 3], {"patience": 2, "min_delta": 0.5, "mode": "min"}, 4, 2, 4),
        ([5, 4, 3.4, 3], {"patience": 2, "min_delta": 0.5, "mode": "min"}, 3.4, 2, None),
        ([1, 2, 3, 4], {"patience": 2, "mode": "min"}, 1, 0, 2),
        ([math.nan, math.nan, 5, math.nan, math.nan, 1], {"patience": 2, "mode": "min"}, 5, 2, 4),
        ([math.nan, math.nan, math.nan, 1], {"patience": 2, "mode": "min"}, None, None, 2),
        ([math.inf, 4, 5, 5], {"patience": 2, "mode": "min"}, 4, 1, 3),
    ],
)
@pytest.mark.parametrize("restore", [True, False])
def test_early_stopping_follows_the_script(values, options, best, best_epoch, stopped, restore):
    stop, history, model, states = scripted(values, restore_best=restore, **options)
    assert (stop.best_epoch, stop.stopped_epoch) == (best_epoch, stopped)
    assert stop.best == best or (best is None and math.isnan(stop.best))
    last = len(values) - 1 if stopped is None else stopped
    assert history.at[-1] == last
    same_bits(model.state_dict(), states[best_epoch if restore and best_epoch is not None else last])


def test_a_gain_of_exactly_min_delta_is_none():
    stop, *_ = scripted([5, 4, 4, 2], patience=2, min_delta=1, mode="min")
    assert (stop.best, stop.stopped_epoch) == (5, 2)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=20),
    st.integers(1, 4),
    st.sampled_from([0, 1, 2.5]),
    st.sampled_from(["min", "max"]),
)
def test_early_stopping_is_its_definition(values, patience, min_delta, mode):
    sign = 1 if mode == "min" else -1
    records = [0]  # the epochs that are better than all before, by more than min_delta than the last of them
    for epoch, value in enumerate(values):
        if sign * (values[records[-1]] - value) > min_delta:
            records.append(epoch)
    ends = [a + patience for a, b in itertools.pairwise([*records, math.inf]) if b - a > patience and a + patience < len(values)]
    stop, model = EarlyStopping("train_x", patience, min_delta, mode=mode), nn.Identity()
    stop.start(0, {"train_x": values[0]}, model)
    seen = next((epoch for epoch in range(1, len(values)) if stop.observe(epoch, {"train_x": values[epoch]}, model)), None)
    assert seen == stop.stopped_epoch == (ends[0] if ends else None)
    assert stop.best_epoch == max(r for r in records if seen is None or r <= seen)


def test_a_stop_may_be_used_again():
    X, y = samples()
    stop = EarlyStopping("train_loss", patience=1)
    for lr in (0.2, 0.01):  # the second run is the worse one
        model = network()
        history = quiet(
            model, X, y, loss=nn.cross_entropy, optimizer=optim.SGD(model.parameters(), lr=lr), epochs=2, rng=0, stop=stop
        )
        assert (stop.best_epoch, stop.best) == (2, history["train_loss"][-1])


def test_compiled_training_restores_the_best_parameters_too():
    X, y = samples()
    found = []
    for compile in (False, "exact"):
        model = network()
        stop = EarlyStopping("train_loss", patience=2)
        o = optim.SGD(model.parameters(), lr=15.0)
        quiet(model, X, y, loss=nn.cross_entropy, optimizer=o, epochs=9, rng=0, stop=stop, compile=compile)
        assert stop.stopped_epoch is not None
        assert evaluate(model, X, y, nn.cross_entropy)["loss"] == stop.best
        found.append(model.state_dict())
    same_bits(*found)


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [("train_loss", "min"), ("validation_accuracy", "max"), ("train_mean_absolute_error", "min"), ("train_r2_score", "max")],
)
def test_auto_knows_the_direction(monitor, mode):
    assert EarlyStopping(monitor).mode == mode


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: EarlyStopping(patience=0), SettingError, "patience must be a whole number of epochs from 1 up (got 0)"),
        (lambda: EarlyStopping(patience=2.5), SettingError, "patience"),
        (lambda: EarlyStopping(min_delta=-1), SettingError, "min_delta must be a number from 0 up"),
        (lambda: EarlyStopping(min_delta=math.nan), SettingError, "min_delta"),
        (lambda: EarlyStopping(mode="mni"), UnknownNameError, "did you mean 'min'"),
        (lambda: EarlyStopping("train_fancy"), SettingError, "write mode='min' or mode='max'"),
        (lambda: EarlyStopping(3), TensorTypeError, "monitor is the name of a series"),
    ],
)
def test_early_stopping_refuses(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert words in str(caught.value)


# --- refusals ---------------------------------------------------------------------------------------------------------


def others(model, **changes):
    return {"loss": nn.cross_entropy, "optimizer": sgd(model.parameters()), "epochs": 2, "rng": 0} | changes


def stranger():
    return sgd(nn.Linear(2, 2, rng=0).parameters())


class Silent(nn.Module):
    """A model whose forward was not finished."""

    def __init__(self):
        self.inner = network(dropout=0.5)
        self.training = False

    def forward(self, x):
        self.inner(x)


X0, Y0 = samples()
NAN = np.where(np.arange(M)[:, None] == 50, np.nan, X0)
REFUSED = {
    "no model": ((lambda x: x, X0, Y0), {}, TensorTypeError, "a model is an nn.Module"),
    "rows": ((None, X0, Y0[:-1]), {}, ShapeError, "X has 53 rows and y has 52"),
    "no rows": ((None, X0[:0], Y0[:0]), {}, DataError, "X has no rows"),
    "a number": ((None, X0, 3.0), {}, ShapeError, "y must have a row for each sample"),
    "the model last": ((X0, Y0, nn.Identity()), {}, TensorTypeError, "(got an array of shape (53, 4)): the model comes first"),
    "words": ((None, X0, np.array(["a"] * M)), {}, TensorTypeError, "for labels, np.unique(y, return_inverse=True)[1]"),
    "numbers as text": ((None, X0.astype(str), Y0), {}, TensorTypeError, "X must be an array of numbers (got <U32, shape (53, 4)): write X.astype(float)"),
    "objects": ((None, X0.astype(object), Y0), {}, TensorTypeError, "(got object, shape (53, 4)): write X.astype(float)"),
    "ragged": ((None, [[1.0], [1.0, 2.0]], [0, 1]), {}, ShapeError, "X must be an array of numbers, with rows of one length"),
    "one axis": ((None, X0[:, 0], Y0), {}, ShapeError, "X has shape (53,), and needs a row for each sample: X[:, None]"),
    "one axis, running": ((None, X0[:, 0], Y0), {"running": True}, ShapeError, "needs a row for each sample: X[:, None]"),
    "no return": ((Silent(), X0, Y0), {}, TensorTypeError, "Silent.forward returns None: end it with return …"),
    "no return, running": ((Silent(), X0, Y0), {"running": True}, TensorTypeError, "Silent.forward returns None"),
    "loss without return": ((None, X0, Y0), {"loss": lambda z, y: None}, TensorTypeError, "the loss is None: end its function with return …"),
    "targets of a row": ((None, X0, Y0), {"loss": "mse"}, ShapeError, "for class labels write np.eye(3)[y]; for one target a row"),
    "targets in a row": ((None, X0, np.zeros(3 * M)[:M]), {"loss": lambda z, y: nn.mse_loss(z[:, :1], y)}, ShapeError, "write y.reshape((53, 1))"),
    "features": ((None, X0[:, :3], Y0), {}, ShapeError, "3 columns meet 4 rows"),
    "features, running": ((None, X0[:, :3], Y0), {"running": True}, ShapeError, "3 columns meet 4 rows"),
    "labels": ((None, X0, Y0 + (np.arange(M) == 52)), {}, DataError, "0"),
    "targets": ((None, X0, X0), {}, DataError, "class labels must be integers"),
    "targets, running": ((None, X0, X0), {"running": True}, DataError, "class labels must be integers"),
    "NaN": ((None, NAN, Y0), {}, DataError, "the training loss is nan before the first step"),
    "loss": ((None, X0, Y0), {"loss": "crossentropy"}, UnknownNameError, "did you mean 'cross_entropy'"),
    "loss model": ((None, X0, Y0), {"loss": [network()]}, TensorTypeError, "a loss module or a name (got an object of type list)"),
    "optimizer model": ((None, X0, Y0), {"optimizer": network()}, TensorTypeError, "(got an object of type Sequential): optim.SGD(model.parameters(), lr=0.1)"),
    "loss class": ((None, X0, Y0), {"loss": nn.CrossEntropyLoss}, TensorTypeError, "the loss is a function"),
    "loss without graph": ((None, X0, Y0), {"loss": lambda z, y: float(nn.cross_entropy(z, y))}, GraphError, "without float() and .numpy()"),
    "loss of nothing": ((None, X0, Y0), {"loss": lambda z, y: tg.Tensor(1.0)}, GraphError, "the loss has no graph"),
    "loss of rows": ((None, X0, Y0), {"loss": lambda z, y: z.sum(axis=1)}, ShapeError, "the loss must be one number"),
    "optimizer": ((None, X0, Y0), {"optimizer": 0.1}, TensorTypeError, "optim.SGD(model.parameters(), lr=0.1)"),
    "another's": ((None, X0, Y0), {"optimizer": stranger()}, SettingError, "changes no parameter of this model"),
    "epochs": ((None, X0, Y0), {"epochs": 0}, SettingError, "epochs must be a whole number from 1 up (got 0)"),
    "half epochs": ((None, X0, Y0), {"epochs": 1.5}, SettingError, "epochs"),
    "batch": ((None, X0, Y0), {"batch_size": 0}, SettingError, "batch_size must be a whole number"),
    "clip": ((None, X0, Y0), {"clip_norm": 0}, SettingError, "clip_norm must be a number above 0"),
    "compile": ((None, X0, Y0), {"compile": "fast"}, SettingError, "compile must be True, False or 'exact'"),
    "rng": ((None, X0, Y0), {"rng": "seed"}, SettingError, "rng must be a seed"),
    "drop": ((None, X0, Y0), {"batch_size": 54, "drop_last": True}, DataError, "53 training rows are no whole batch of 54"),
    "split": ((None, X0, Y0), {"validation_split": 1.0}, SettingError, "validation_split is a fraction"),
    "tiny split": ((None, X0, Y0), {"validation_split": 0.001}, DataError, "cannot hold out"),
    "both": ((None, X0, Y0), {"validation_split": 0.1, "validation_data": (X0, Y0)}, SettingError, "not both"),
    "pair": ((None, X0, Y0), {"validation_data": X0}, TensorTypeError, "a pair (X, y)"),
    "validation rows": ((None, X0, Y0), {"validation_data": (X0, Y0[1:])}, ShapeError, "validation X has 53 rows"),
    "validation": ((None, X0, Y0), {"validation_data": (X0[:, :3], Y0)}, ShapeError, "3 columns meet 4 rows"),
    "held-out labels": ((None, X0, Y0 + (np.arange(M) == 52)), {"validation_split": 0.9}, DataError, "0"),
    "metric": ((None, X0, Y0), {"metrics": ["acuracy"]}, UnknownNameError, "did you mean 'accuracy'"),
    "metric text": ((None, X0, Y0), {"metrics": "accuracy"}, TensorTypeError, "write metrics=['accuracy']"),
    "metric function": ((None, X0, Y0), {"metrics": [max]}, TensorTypeError, "write metrics={'max': max}"),
    "our metric": ((None, X0, Y0), {"metrics": [tg.train.metrics.accuracy]}, TensorTypeError, "write metrics=['accuracy'], or metrics={'accuracy': accuracy}"),
    "metric without a name": ((None, X0, Y0), {"metrics": [lambda z, y: 0]}, TensorTypeError, "write metrics={'name': f}"),
    "metric without return": ((None, X0, Y0), {"metrics": {"m": lambda z, y: None}}, TensorTypeError, "metric 'm' is None: end its function with return"),
    "metric name": ((None, X0, Y0), {"metrics": {"loss": max}}, SettingError, "not 'loss'"),
    "metric number": ((None, X0, Y0), {"metrics": {"m": 3}}, TensorTypeError, "must be a function of outputs and y"),
    "metric result": ((None, X0, Y0), {"metrics": {"m": lambda z, y: z}}, ShapeError, "metric 'm' must be one number"),
    "metric fails": ((None, X0, Y0), {"metrics": ["r2_score"]}, ShapeError, "r2_score: outputs (53, 3) and y (53,)"),
    "schedule": ((None, X0, Y0), {"schedule": 0.9}, TensorTypeError, "optim.StepLR(optimizer, step_size=10)"),
    "its optimizer": ((None, X0, Y0), {"schedule": optim.ExponentialLR(stranger(), 0.9)}, SettingError, "another optimiser"),
    "stop": ((None, X0, Y0), {"stop": 3}, TensorTypeError, "stop is a tg.train.EarlyStopping"),
    "monitor": ((None, X0, Y0), {"stop": EarlyStopping("train_los", mode="min")}, UnknownNameError, "did you mean 'train_loss'"),
    "no validation": ((None, X0, Y0), {"stop": EarlyStopping()}, UnknownNameError, "Give validation_data or validation_split"),
    "running monitor": (
        (None, X0, Y0),
        {"stop": EarlyStopping("train_accuracy"), "running": True, "metrics": ["accuracy"]},
        UnknownNameError,
        "unknown series 'train_accuracy'",
    ),
    "no history": ((None, X0, Y0), {"history": []}, TensorTypeError, "history is a tg.History"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_changes_nothing(case, capsys):
    (given, X, y), changes, error, words = REFUSED[case]
    model = given if isinstance(given, nn.Module) else network(dropout=0.5)
    list(model.named_modules())[1][1].eval()
    dropout = next(m for _, m in model.named_modules() if isinstance(m, nn.Dropout))
    history, rng = tg.History(), np.random.default_rng(4)
    options = others(model, rng=rng, history=history) | changes
    stop, schedule = options.get("stop"), options.get("schedule")
    before = (
        model.state_dict(), modes(model), copy.deepcopy(dropout.rng.bit_generator.state), rng.bit_generator.state,
        copy.copy(vars(stop)) if isinstance(stop, EarlyStopping) else None, getattr(schedule, "last_epoch", None), list(history),
    )  # fmt: skip
    with pytest.raises(error) as caught:
        fit(model if given is None else given, X, y, **options)
    assert words in str(caught.value)
    after = (
        model.state_dict(), modes(model), dropout.rng.bit_generator.state, rng.bit_generator.state,
        vars(stop) if isinstance(stop, EarlyStopping) else None, getattr(schedule, "last_epoch", None), list(history),
    )  # fmt: skip
    same_bits(before[0], after[0])
    assert before[1:] == after[1:]
    assert all(p.grad is None for p in model.parameters())
    assert getattr(options["optimizer"], "steps", 0) == 0
    assert capsys.readouterr().out == ""


def test_without_recording_nothing_is_trained():
    model = network()
    history = tg.History()
    with tg.no_grad(), pytest.raises(GraphError, match=r"call fit outside of tg\.no_grad\(\)"):
        quiet(model, X0, Y0, **others(model, history=history))
    assert len(history) == 0


def test_a_history_of_steps_is_refused():
    history = tg.History()
    history.record(step=1, train_loss=1)
    model = network()
    with pytest.raises(SettingError, match="this history counts steps"):
        fit(model, X0, Y0, **others(model, history=history))


def test_what_cannot_be_compiled_is_refused_with_its_line():
    model = network()
    before = model.state_dict()
    with pytest.raises(TraceError):
        quiet(
            model,
            X0,
            Y0,
            **others(model, loss=lambda z, y: nn.cross_entropy(z, y) * (2 if float(z.sum()) > 0 else 1), compile=True),
        )
    same_bits(model.state_dict(), before)


# --- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compile", [False, True])
def test_divergence_is_reported_with_step_epoch_and_rate(compile):
    X, _ = samples()
    y = X @ np.ones((FEATURES, 1))
    model = nn.Linear(FEATURES, 1, dtype=np.float64, rng=0)
    history = tg.History()
    optimizer = optim.SGD(model.parameters(), lr=1e12)
    with pytest.raises(
        DataError, match=r"training diverged: the loss of step \d of epoch \d is (inf|nan), with lr 1e\+12; choose a smaller lr"
    ) as caught:
        quiet(model, X, y, loss="mse", optimizer=optimizer, epochs=50, batch_size=8, rng=0, history=history, compile=compile)
    assert len(history) >= 1
    assert np.isfinite(history["train_loss"][0])
    step, epoch = map(int, re.search(r"step (\d) of epoch (\d)", str(caught.value)).groups())
    assert optimizer.steps == 7 * (epoch - 1) + step - (not compile)  # by eager steps: the one that failed has changed nothing
    assert history.at[-1] == epoch - 1


def test_divergence_in_the_last_step_of_an_epoch_is_reported_too():
    X, _ = samples()
    y = X @ np.ones((FEATURES, 1))
    model = nn.Linear(FEATURES, 1, dtype=np.float64, rng=0)
    optimizer, history = optim.SGD(model.parameters(), lr=1e200), tg.History()
    with pytest.raises(DataError, match=r"the training loss after epoch 1 is inf"):
        quiet(model, X, y, loss="mse", optimizer=optimizer, epochs=3, batch_size=100, rng=0, history=history)
    assert history.at.tolist() == [0, 1]


def test_a_gradient_that_cannot_be_clipped_names_its_step():
    X, _ = samples()
    model = nn.Linear(FEATURES, 1, dtype=np.float64, rng=0)
    loss = lambda z, y: tg.sqrt(tg.sum(z - z) ** 2)  # noqa: E731  # 0, with an infinite slope
    with np.errstate(divide="ignore"), pytest.raises(SettingError, match="NaN or infinite") as caught:
        quiet(model, X, X, loss=loss, optimizer=sgd(model.parameters()), epochs=1, rng=0, clip_norm=1.0)
    assert caught.value.__notes__ == ["in step 1 of epoch 1, with lr 0.3"]


def test_an_interrupt_leaves_the_history_and_a_model_that_can_go_on():
    X, y = samples()
    model, history, steps = network(), tg.History(), []

    def loss(z, y):
        if tg.is_recording():
            steps.append(len(y))
            if len(steps) == 19:  # one before the first step, and 7 steps an epoch
                raise KeyboardInterrupt
        return nn.cross_entropy(z, y)

    optimizer, stop = sgd(model.parameters()), EarlyStopping("train_loss")
    options = {"loss": loss, "optimizer": optimizer, "batch_size": 8, "rng": 0, "history": history, "stop": stop}
    with pytest.raises(KeyboardInterrupt):
        quiet(model, X, y, epochs=5, **options)
    assert history.at.tolist() == [0, 1, 2]
    assert optimizer.steps == 17
    stop.restore(model)
    assert evaluate(model, X, y, nn.cross_entropy)["loss"] == stop.best == history["train_loss"].min()
    quiet(model, X, y, epochs=1, **options)
    assert history.at.tolist() == [0, 1, 2, 3]


def test_an_optimiser_without_lr_can_be_used():
    class Halving(optim.Optimizer):
        def update(self, w, g, state, *, rate):
            return w - rate * g, {}

    X, y = samples()
    model = network()
    history = quiet(model, X, y, loss=nn.cross_entropy, optimizer=Halving(model.parameters(), rate=0.5), epochs=5, rng=0)
    assert history["train_loss"][-1] < history["train_loss"][0]


# --- what is seen -----------------------------------------------------------------------------------------------------


def test_a_pipe_gets_a_line_an_epoch(capsys):
    model = network()
    history = fit(model, X0, Y0, **others(model, metrics=["accuracy"], schedule=None))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"epoch 0/2  loss {history['train_loss'][0]:.4g} (train)  accuracy ")
    assert lines[2].startswith("epoch 2/2  loss ")
    fit(model, X0, Y0, **others(model, history=history))
    assert capsys.readouterr().out.splitlines()[0].startswith("epoch 3/4  ")
    quiet(model, X0, Y0, **others(model))
    assert capsys.readouterr() == ("", "")


class Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return Tty()


def drawn(view):
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=120).print(view._screen.table())
    return out.getvalue()


def test_a_terminal_has_the_table_and_a_bar_of_the_steps(terminal):
    history, steps = tg.History("mine"), Steps(total=8)
    with Progress(history, 2, steps, terminal) as view:
        history.record(epoch=1, train_loss=0.5)
        steps.start(2)
        assert "steps" not in drawn(view)
        for loss in (0.4, 0.35, 0.25):
            steps.advance(loss)
        text = drawn(view)
        assert "mine epoch 1/2" in text
        assert "3/8 steps  loss 0.25" in text
        assert "epoch 2 " in text
        assert "loss  train" in text
        for _ in range(5):
            steps.advance(0.2)
        assert "steps" not in drawn(view)  # the epoch is over
    assert terminal.getvalue().endswith("\x1b[?25h")


def test_a_bar_that_was_interrupted_does_not_stay(terminal):
    history, steps = tg.History(), Steps(total=8)
    with pytest.raises(KeyboardInterrupt), Progress(history, 2, steps, terminal):
        steps.start(1)
        steps.advance(0.5)
        raise KeyboardInterrupt
    assert history._listeners == []
    assert terminal.getvalue().endswith("\x1b[?25h")


def test_a_terminal_without_rich_has_lines(terminal, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setattr(sys, "stdout", terminal)
    model = network()
    fit(model, X0, Y0, **others(model))
    assert terminal.getvalue().splitlines()[-1].startswith("epoch 2/2  loss ")
    assert "\x1b" not in terminal.getvalue()


def test_fit_needs_numpy_alone():
    import subprocess

    program = (
        "import sys, numpy as np, tinygrad_mlp as tg\n"
        "m = tg.nn.Linear(2, 2, rng=0)\n"
        "tg.fit(m, np.ones((9, 2), np.float32), np.zeros(9, int), loss='cross_entropy', optimizer=tg.optim.SGD(m.parameters(), lr=0.1), epochs=1)\n"
        "print({'rich', 'matplotlib'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "set()"


# --- found by somebody who tried to break it ---------------------------------------------------------------------------


def small() -> tuple[nn.Module, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return nn.MLP([4, 6, 2], rng=0), rng.standard_normal((40, 4)).astype(np.float32), rng.integers(0, 2, 40)


def test_rows_that_were_held_out_are_not_drawn_anew() -> None:
    model, X, y = small()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    settings: dict[str, Any] = {
        "loss": "cross_entropy",
        "optimizer": optimizer,
        "epochs": 1,
        "validation_split": 0.25,
        "progress": False,
    }
    history = tg.fit(model, X, y, rng=3, **settings)
    before = model.state_dict()
    for rng in (None, np.random.default_rng(3)):
        with pytest.raises(SettingError, match="train on those that were held out before"):
            tg.fit(model, X, y, rng=rng, history=history, **settings)
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    assert len(tg.fit(model, X, y, rng=3, history=history, **settings)) == 3


def test_metrics_see_the_model_in_evaluation_mode_and_cannot_write_into_y() -> None:
    X, y = small()[1:]
    finals = []
    for metrics in ({}, {"seen": None}):
        model = nn.Sequential(nn.Linear(4, 6, rng=0), nn.Dropout(0.5, rng=1), nn.Linear(6, 2, rng=2))
        seen: list[tuple[bool, bool]] = []

        def metric(outputs: Any, y: Any, model: nn.Module = model, seen: list[tuple[bool, bool]] = seen) -> float:
            seen.append((model.training, getattr(model(X), "requires_grad", False)))
            with pytest.raises(ValueError, match="read-only"):
                y[:] = 0
            return 0.0

        optimizer = optim.SGD(model.parameters(), lr=0.1)
        tg.fit(
            model,
            X,
            y,
            loss=nn.cross_entropy,
            optimizer=optimizer,
            epochs=2,
            rng=0,
            progress=False,
            metrics=dict.fromkeys(metrics, metric),
        )
        finals.append(model[0].weight.numpy().copy())
        assert seen == [(False, False)] * (3 if metrics else 0)
    np.testing.assert_array_equal(*finals)


def test_the_last_epoch_is_recorded_whatever_the_schedule_does_after_it() -> None:
    model, X, y = small()
    optimizer, history = optim.SGD(model.parameters(), lr=1.0), History()
    schedule = optim.LambdaLR(optimizer, lambda n: [0.1, 0.05, 0.01][n])
    with pytest.raises(IndexError):
        tg.fit(
            model,
            X,
            y,
            loss=nn.cross_entropy,
            optimizer=optimizer,
            epochs=3,
            schedule=schedule,
            rng=0,
            progress=False,
            history=history,
        )
    assert history.at.tolist() == [0, 1, 2, 3]
    assert history["lr"].tolist() == [0.1, 0.05, 0.01]


def test_outputs_whose_rows_change_their_form_are_refused_and_their_dtype_is_promoted() -> None:
    class Changing(nn.Module):
        def __init__(self, later: Any) -> None:
            self.later, self.calls = later, 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return np.ones((len(x), 2), np.float32) if self.calls == 1 else self.later(len(x))

    with pytest.raises(ShapeError, match=r"rows of shape \(2,\), then, for later rows of X, of \(1,\)"):
        train.predict(Changing(lambda m: np.ones((m, 1), np.float32)), np.ones((4, 3)), batch_size=2)
    found = train.predict(Changing(lambda m: np.full((m, 2), 0.1)), np.ones((4, 3)), batch_size=2)
    assert found.dtype == np.float64
    assert found[-1, 0] == 0.1


def test_the_parameters_of_a_fixed_teacher_may_be_in_the_loss() -> None:
    model, X, y = small()
    teacher = nn.MLP([4, 6, 2], rng=9)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    loss = lambda z, y: nn.cross_entropy(z, y) + 0 * teacher.parameters()[0].sum()  # noqa: E731
    assert len(tg.fit(model, X, y, loss=loss, optimizer=optimizer, epochs=1, rng=0, progress=False)) == 2
