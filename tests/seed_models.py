"""The library's side of the comparison with the five write-ups: models with given weights, their gradients, their training."""

from __future__ import annotations

from typing import Any

import numpy as np
from seed_programs import Array, Net

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim


def mlp(net: Net, activation: str) -> nn.MLP:
    """The library's network with the weights of an oracle's."""
    sizes = [net[0][0].shape[0], *(W.shape[1] for W in net[0])]
    model = nn.MLP(sizes, activation, dtype=np.float64, rng=0)
    for layer, W, b in zip(model.linears, *net, strict=True):
        layer.weight.data, layer.bias.data = W.copy(), b.copy()
    return model


def engine(model: nn.MLP, loss: Any) -> Net:
    """The gradients of a loss, in the order of an oracle's network."""
    weights, biases = [layer.weight for layer in model.linears], [layer.bias for layer in model.linears]
    found = tg.gradients(loss, weights + biases)
    return found[: len(weights)], found[len(weights) :]


def close(found: Net, expected: Net, tolerance: float = 1e-12) -> None:
    """Every array of the one equals that of the other, up to a rounding error of its largest entry."""
    for ours, theirs in zip(found[0] + found[1], expected[0] + expected[1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * np.abs(theirs).max())


def weights_of(model: nn.MLP) -> Net:
    """The weights as an oracle's network."""
    return [layer.weight.numpy() for layer in model.linears], [layer.bias.numpy() for layer in model.linears]


def fitted(model: nn.MLP, X: Array, y: Array, loss: Any = "cross_entropy", lr: float = 0.1, **settings: Any) -> tg.History:
    """tg.fit with plain SGD, in silence."""
    optimizer = optim.SGD(model.parameters(), lr=lr)
    return tg.fit(model, X, y, loss=loss, optimizer=optimizer, **{"progress": False, **settings})
