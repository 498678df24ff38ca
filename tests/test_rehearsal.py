"""Before the first step: fit refuses tensors that nothing would train, and warns of a softmax or a sigmoid that comes twice."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
from tinygrad_mlp.errors import SettingError
from tinygrad_mlp.train import fit

RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 4))
Y = (X[:, 0] > 0).astype(int)
COLUMN = Y[:, None].astype(float)


def linear(outputs=2, rng=0):
    return nn.Linear(4, outputs, dtype=np.float64, rng=rng)


class Gain(nn.Module):
    """x times a factor, kept as one likes."""

    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        return x * (self.factor["of all"][0] if isinstance(self.factor, dict) else self.factor)


def leaf():
    return tg.Tensor(np.full(2, 0.5), requires_grad=True)


def trained(model, *, y=Y, loss=nn.cross_entropy, parameters=None, **options):
    optimizer = optim.SGD(model.parameters() if parameters is None else parameters, lr=0.1)
    return fit(model, X, y, loss=loss, optimizer=optimizer, epochs=2, progress=False, rng=0, **options)


# --- what nothing would train -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"running": True}, {"compile": True}], ids=["plain", "running", "compiled"])
def test_a_tensor_that_is_no_parameter_is_refused_by_its_path(options):
    model = nn.Sequential(linear(), Gain(leaf()))
    before = model[0].weight.numpy().copy()
    with pytest.raises(SettingError, match=r"^model\.1\.factor is a Tensor .*: nothing would train it; write nn\.Parameter\(…\)"):
        trained(model, **options)
    assert np.array_equal(model[0].weight.numpy(), before)
    assert model[1].factor.grad is None


def test_the_path_goes_through_dicts_and_lists():
    with pytest.raises(SettingError, match=r"^model\.1\.factor\.of all\.0 is a Tensor"):
        trained(nn.Sequential(linear(), Gain({"of all": [leaf()]})))


def test_a_parameter_in_its_place_is_trained():
    model = nn.Sequential(linear(), Gain(nn.Parameter(np.full(2, 0.5))))
    trained(model)
    assert (model[1].factor.numpy() != 0.5).all()


def test_a_tensor_that_the_optimiser_has_is_trained():
    model = nn.Sequential(linear(), Gain(leaf()))
    trained(model, parameters=[*model.parameters(), model[1].factor])
    assert (model[1].factor.numpy() != 0.5).all()


def test_a_detached_tensor_is_a_constant():
    model = nn.Sequential(linear(), Gain(leaf().detach()))
    trained(model)
    assert (model[1].factor.numpy() == 0.5).all()


class Scaled(nn.Module):
    """A loss with a parameter of its own."""

    def __init__(self):
        self.scale = nn.Parameter(1.0)

    def forward(self, z, y):
        return nn.cross_entropy(z * self.scale, y)


def test_what_the_loss_alone_has_must_be_given_to_the_optimiser():
    model, outside, loss = linear(), leaf(), Scaled()
    with pytest.raises(SettingError, match=r"depends on a Tensor of shape \(2,\), which requires gradients, but neither the model"):
        trained(model, loss=lambda z, y: nn.cross_entropy(z * outside, y))
    with pytest.raises(SettingError, match=r"depends on loss\.scale, .*; give it to the optimiser, or detach it"):
        trained(model, loss=loss)
    trained(model, loss=loss, parameters=[*model.parameters(), *loss.parameters()])
    assert float(loss.scale) != 1


def test_what_a_call_makes_anew_each_time_is_no_mistake():
    class Fresh(nn.Module):
        def __init__(self):
            self.inner = linear()

        def forward(self, x):
            return self.inner(tg.Tensor(x, requires_grad=True))  # as for a loss of derivatives by x

    assert len(trained(Fresh())) == 3


class Halves(nn.Module):
    """Two parts, of which one is used."""

    def __init__(self):
        self.used, self.unused = linear(), linear()

    def forward(self, x):
        return self.used(x)


def test_an_optimiser_of_parameters_that_the_loss_does_not_use_is_refused():
    model = Halves()
    with pytest.raises(SettingError, match=r"changes no parameter on which the loss depends \(used\.weight, used\.bias\)"):
        trained(model, parameters=model.unused.parameters())
    trained(model, parameters=[model.used.bias])  # fine-tuning: the weights stay as they are
    assert np.array_equal(model.used.weight.numpy(), linear().weight.numpy())
    assert (model.used.bias.numpy() != 0).any()


# --- what is applied twice --------------------------------------------------------------------------------------------


def ended(outputs, last):
    return nn.Sequential(linear(outputs), last)


class Indexed(nn.Module):
    """One output a sample without its axis."""

    def __init__(self):
        self.inner = linear(1)

    def forward(self, x):
        return tg.sigmoid(self.inner(x))[:, 0]


TWICE = {
    "cross-entropy": (
        lambda: ended(2, nn.Softmax()),
        Y,
        "cross_entropy",
        "leave out the softmax .*, or write loss='cross_entropy_prob",
    ),
    "its function": (lambda: ended(2, nn.Softmax()), Y, lambda z, y: nn.cross_entropy(z, y) * 2, "cross_entropy takes logits"),
    "binary": (lambda: ended(1, nn.Sigmoid()), COLUMN, "bce", "loss='bce_probabilities', for which accuracy has the threshold 0.5"),
    "indexed": (Indexed, Y, "bce", "applies sigmoid itself, but it is given what sigmoid returns"),
    "the other": (
        lambda: ended(2, nn.Sigmoid()),
        Y,
        "cross_entropy",
        "given what sigmoid returns: leave out the sigmoid at the end of the model$",
    ),
}


@pytest.mark.parametrize("case", TWICE)
def test_a_softmax_or_sigmoid_before_a_loss_of_logits_is_told_once(case):
    make, y, loss, words = TWICE[case]
    with pytest.warns(UserWarning, match=words) as told:
        trained(make(), y=y, loss=loss)
    assert len(told) == 1
    assert told[0].filename == __file__


@pytest.mark.parametrize(
    ("make", "y", "loss"),
    [
        (lambda: ended(2, nn.Softmax()), Y, "cross_entropy_probabilities"),
        (lambda: ended(1, nn.Sigmoid()), COLUMN, "binary_cross_entropy"),
        (lambda: ended(1, nn.Sigmoid()), COLUMN, "mse"),
        (lambda: nn.Sequential(linear(4), nn.Softmax(), linear(2)), Y, "cross_entropy"),
    ],
)
def test_where_it_comes_once_there_is_no_warning(make, y, loss):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(make(), y=y, loss=loss)
