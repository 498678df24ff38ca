"""The loss of level 1, written with tinygrad_mlp: it is what your gradients are compared with."""

from typing import Any

import numpy as np

from tinygrad_mlp import nn


def loss(X: Any, y: Any, params: dict[str, Any]) -> Any:
    """The mean squared error of a neuron, one number."""
    a = 1 / (1 + np.exp(-(X @ params["w"] + params["b"])))
    return nn.mse_loss(a, y)
