"""The schedules: closed forms against their recursions and against PyTorch, state, refusals, training steps that read them."""

from __future__ import annotations

import copy
import inspect
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
from tinygrad_mlp.errors import SettingError, ShapeError, TensorTypeError, UnknownNameError
from tinygrad_mlp.optim import CosineAnnealingLR, ExponentialLR, LambdaLR, LRScheduler, StepLR


def optimizer(lr=0.1):
    return optim.SGD([nn.Parameter([1.0])], lr=lr)


def inverse(n):
    return 1 / (1 + 0.3 * n)


MAKERS = {
    "step": ("StepLR", {"step_size": 3, "gamma": 0.5}),
    "step by default": ("StepLR", {"step_size": 2}),
    "exponential": ("ExponentialLR", {"gamma": 0.9}),
    "cosine": ("CosineAnnealingLR", {"T_max": 7}),
    "cosine to a floor": ("CosineAnnealingLR", {"T_max": 4, "eta_min": 0.01}),
    "lambda": ("LambdaLR", {"lr_lambda": inverse}),
}
every = pytest.mark.parametrize("case", MAKERS)


def made(case, lr=0.1):
    name, settings = MAKERS[case]
    return getattr(optim, name)(optimizer(lr), **settings)


# --- values -----------------------------------------------------------------------------------------------------------

RATES, FACTORS = st.floats(1e-6, 10), st.floats(0, 1)


@given(RATES, st.integers(1, 9), FACTORS, st.integers(0, 40))
def test_step_lr_multiplies_at_every_step_size(lr, step_size, gamma, n):
    schedule, expected = StepLR(optimizer(lr), step_size, gamma), lr
    for epoch in range(1, n + 1):
        schedule.step()
        if epoch % step_size == 0:
            expected *= gamma
    assert schedule.optimizer.lr == pytest.approx(expected, rel=1e-12)


@given(RATES, FACTORS, st.integers(0, 40))
def test_exponential_lr_multiplies_at_every_epoch(lr, gamma, n):
    schedule, expected = ExponentialLR(optimizer(lr), gamma), lr
    for _ in range(n):
        schedule.step()
        expected *= gamma
    assert schedule.optimizer.lr == pytest.approx(expected, rel=1e-12)


@given(RATES, st.integers(1, 30), FACTORS, st.integers(0, 70))
def test_the_cosine_starts_at_the_rate_and_falls_to_the_least_one(lr, period, share, n):
    low = lr * share
    schedule = CosineAnnealingLR(optimizer(lr), period, eta_min=low)
    assert schedule.lr_at(0) == pytest.approx(lr)
    assert schedule.lr_at(period) == pytest.approx(low)
    assert low * (1 - 1e-12) <= schedule.lr_at(n) <= lr * (1 + 1e-12)
    assert schedule.lr_at(n) == pytest.approx(
        schedule.lr_at(2 * period - n if n <= 2 * period else n % (2 * period)), rel=1e-9, abs=1e-12
    )
    falling = [schedule.lr_at(i) for i in range(period + 1)]
    assert falling == sorted(falling, reverse=True)


@given(RATES, st.integers(2, 30), FACTORS)
def test_the_closed_form_of_the_cosine_is_its_recursion(lr, period, share):
    """η(n) − η_min = (η(n−1) − η_min) (1 + cos(πn/T)) / (1 + cos(π(n−1)/T)), the form that PyTorch steps by, up to T_max."""
    low = lr * share
    schedule, rate = CosineAnnealingLR(optimizer(lr), period, eta_min=low), lr
    for n in range(1, period):
        rate = low + (rate - low) * (1 + math.cos(math.pi * n / period)) / (1 + math.cos(math.pi * (n - 1) / period))
        schedule.step()
        assert schedule.optimizer.lr == pytest.approx(rate, rel=1e-8)


def test_lr_decay_of_the_textbooks_is_a_lambda():
    schedule = LambdaLR(optimizer(0.6), lambda n: 1 / (1 + 0.5 * n))
    assert [schedule.lr_at(n) for n in range(3)] == pytest.approx([0.6, 0.6 / 1.5, 0.3])


def test_a_warm_up_holds_from_the_first_epoch():
    o = optimizer(1.0)
    LambdaLR(o, lambda n: min((n + 1) / 5, 1.0))
    assert o.lr == 0.2


@every
@pytest.mark.parametrize("lr", [0.1, 3.0])
def test_pytorch_has_the_same_rates(case, lr):
    torch = pytest.importorskip("torch", reason="the optional oracle torch is not installed")
    name, settings = MAKERS[case]
    schedule, theirs = made(case, lr), torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=lr)
    peer = getattr(torch.optim.lr_scheduler, name)(theirs, **settings)
    for n in range(20):
        assert schedule.last_epoch == peer.last_epoch == n
        assert schedule.optimizer.lr == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9, abs=1e-15)
        schedule.step()
        theirs.step()
        peer.step()


def test_arguments_have_pytorchs_names_and_defaults():
    torch = pytest.importorskip("torch", reason="the optional oracle torch is not installed")
    for kind in (StepLR, ExponentialLR, CosineAnnealingLR, LambdaLR):
        theirs = inspect.signature(getattr(torch.optim.lr_scheduler, kind.__name__)).parameters
        for name, p in inspect.signature(kind).parameters.items():
            assert theirs[name].default == p.default, (kind, name)


# --- behaviour --------------------------------------------------------------------------------------------------------


@every
def test_a_step_sets_the_rate_and_lr_at_changes_nothing(case):
    schedule = made(case)
    for n in range(9):
        assert (schedule.last_epoch, schedule.optimizer.lr) == (n, schedule.lr_at(n))
        assert type(schedule.optimizer.lr) is float
        before = dict(vars(schedule))
        schedule.lr_at(100)
        assert (vars(schedule), schedule.optimizer.lr) == (before, schedule.lr_at(n))
        schedule.optimizer.lr = 77.0  # what was set in between does not matter
        schedule.step()


@every
def test_the_state_goes_on_after_a_file(case):
    schedule = made(case)
    for _ in range(5):
        schedule.step()
    file = io.BytesIO()
    np.savez(file, **schedule.state_dict())
    file.seek(0)
    other = made(case, lr=0.7)
    with np.load(file) as state:
        other.load_state_dict(dict(state))
    assert other.optimizer.lr == schedule.optimizer.lr
    assert other.state_dict() == schedule.state_dict()
    for _ in range(4):
        schedule.step()
        other.step()
        assert other.optimizer.lr == schedule.optimizer.lr


def test_settings_are_part_of_the_state():
    schedule = StepLR(optimizer(), step_size=3, gamma=0.5)
    other = StepLR(optimizer(), step_size=9, gamma=0.1)
    other.load_state_dict(schedule.state_dict())
    assert (other.step_size, other.gamma) == (3, 0.5)
    assert type(other.step_size) is int


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"gamma": -1.0}, SettingError, "gamma must be a number from 0 up"),
        ({"step_size": 0}, SettingError, "step_size must be a whole number of epochs from 1 up"),
        ({"step_size": 2.5}, SettingError, "whole number"),
        ({"base_lr": math.nan}, SettingError, "base_lr"),
        ({"last_epoch": -1}, SettingError, "last_epoch"),
        ({"last_epoch": 1.5}, SettingError, "last_epoch"),
        ({"gama": 0.5}, UnknownNameError, "did you mean 'gamma'"),
        ({"gamma": None}, ShapeError, "the state has no gamma"),
    ],
)
def test_a_wrong_state_changes_nothing(change, error, words):
    schedule = StepLR(optimizer(), step_size=3)
    schedule.step()
    state = {name: value for name, value in (schedule.state_dict() | change).items() if value is not None}
    before, lr = copy.copy(vars(schedule)), schedule.optimizer.lr
    with pytest.raises(error, match=words):
        schedule.load_state_dict(state)
    assert (vars(schedule), schedule.optimizer.lr) == (before, lr)


def test_a_state_whose_rate_is_refused_changes_nothing():
    schedule = LambdaLR(optimizer(), lambda n: 1.0 if n < 5 else -1.0)
    before = dict(vars(schedule))
    with pytest.raises(SettingError, match=r"lr_at\(7\) is -0.1"):
        schedule.load_state_dict({"base_lr": 0.1, "last_epoch": 7})
    assert vars(schedule) == before


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda o: StepLR(o, 0), SettingError, "StepLR: step_size must be a whole number of epochs from 1 up (got 0)"),
        (lambda o: StepLR(o, 2.0), SettingError, "step_size"),
        (lambda o: StepLR(o, True), SettingError, "step_size"),
        (lambda o: StepLR(o, 2, -0.1), SettingError, "StepLR: gamma must be a number from 0 up (got -0.1)"),
        (lambda o: StepLR(o, 2, "0.1"), TensorTypeError, "StepLR: gamma must be a number (got '0.1')"),
        (lambda o: ExponentialLR(o, math.inf), SettingError, "gamma"),
        (lambda o: ExponentialLR(o, math.nan), SettingError, "gamma"),
        (lambda o: CosineAnnealingLR(o, -3), SettingError, "T_max"),
        (lambda o: CosineAnnealingLR(o, 3, eta_min=-1), SettingError, "eta_min"),
        (lambda o: LambdaLR(o, 0.5), TensorTypeError, "LambdaLR takes a function of the number of epochs (got 0.5)"),
        (lambda o: LambdaLR(o, lambda n: -1.0), SettingError, "a learning rate is a number from 0 up, but lr_at(0) is -0.1"),
        (lambda o: LRScheduler(o), NotImplementedError, "LRScheduler has no lr_at: write def lr_at(self, n)"),
        (lambda o: StepLR(o.parameters, 2), TensorTypeError, "StepLR takes an optimiser of tg.optim"),
        (
            lambda o: StepLR(nn.MLP([2, 2]), 2),
            TensorTypeError,
            "(got an object of type MLP): give the optimiser, StepLR(optimizer, …)",
        ),
    ],
)
def test_refusals_leave_the_optimiser_alone(make, error, words):
    o = optimizer()
    with pytest.raises(error) as caught:
        make(o)
    assert words in str(caught.value)
    assert o.lr == 0.1


def test_an_optimiser_without_a_learning_rate_is_refused():
    class Fixed(optim.Optimizer):
        def update(self, w, g, state, *, rate):
            return w - rate * g, {}

    with pytest.raises(SettingError, match="Fixed has none"):
        StepLR(Fixed([nn.Parameter([1.0])], rate=0.1), 3)


def test_a_refused_step_changes_nothing():
    schedule = LambdaLR(optimizer(), lambda n: 1.0 if n == 0 else math.nan)
    with pytest.raises(SettingError, match=r"lr_at\(1\) is nan"):
        schedule.step()
    assert (schedule.last_epoch, schedule.optimizer.lr) == (0, 0.1)


def test_the_repr_says_where_it_is():
    schedule = StepLR(optimizer(0.5), 2, 0.1)
    schedule.step()
    schedule.step()
    assert repr(schedule) == "StepLR(base_lr=0.5, step_size=2, gamma=0.1): lr 0.05 after 2 steps"


@every
def test_compiled_steps_read_the_rate_of_each_step(case):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((16, 4)), rng.integers(0, 3, 16)
    found = []
    for compiled in (False, True):
        model = nn.MLP([4, 8, 3], dtype=np.float64, rng=0)
        o = optim.Adam(model.parameters(), lr=0.05)
        name, settings = MAKERS[case]
        schedule = getattr(optim, name)(o, **settings)
        loss = lambda X, y, model=model: nn.cross_entropy(model(X), y)  # noqa: E731
        step = tg.compile(loss, o, exact=True) if compiled else None
        for _ in range(8):
            if step is None:
                o.zero_grad()
                loss(X, y).backward()
                o.step()
            else:
                step(X, y)
            schedule.step()
        found.append(model.state_dict())
    for name, value in found[0].items():
        assert np.array_equal(value, found[1][name]), name


def test_a_learning_rate_beyond_the_floats_is_refused() -> None:
    optimizer = optim.SGD(nn.Linear(2, 1, rng=0).parameters(), lr=0.1)
    schedule = optim.ExponentialLR(optimizer, 1e300)
    schedule.step()
    with pytest.raises(SettingError, match=r"lr_at\(2\)"):
        schedule.step()
    assert schedule.last_epoch == 1
    with pytest.raises(TensorTypeError, match=r"lr_lambda\(0\) must be a number \(got None\)"):
        optim.LambdaLR(optimizer, lambda n: None)
    with pytest.raises(SettingError, match="last_epoch must be a whole number"):
        schedule.load_state_dict({**schedule.state_dict(), "last_epoch": True})
