"""Dropout: noise for training that the mean over many passes does not see."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import rules
from ..errors import SettingError, TensorTypeError, describe
from ..kernels.random import keep_mask
from .init import RNG
from .module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """x with each entry set to 0 with probability p and the others divided by 1 − p; x itself in evaluation mode.

    "Inverted" dropout: z = x · mask, with a mask of 0 and 1 / (1 − p), whose mean is 1, so that nothing has to be scaled after
    training. The gradient is g · mask. Every call in training mode draws a new mask; ``model.eval()`` switches it off.

    Parameters
    ----------
    p : float
        The probability in [0, 1) that an entry is dropped; 0 is the identity.
    rng : Generator or int, optional
        What draws the masks, or its seed. It is no parameter: ``state_dict`` does not hold it, so that a model that was loaded
        goes on with the masks of its own generator.

    Shapes: x of any shape and floating dtype → z of the same.

    Raises
    ------
    SettingError, TensorTypeError
        For a p out of range, an rng that is neither a generator nor a seed, an x that holds no floating numbers.

    Examples
    --------
    >>> from tinygrad_mlp import nn
    >>> layer = nn.Dropout(0.5, rng=0)
    >>> layer(np.ones(8))
    array([2., 2., 2., 0., 0., 0., 0., 0.])
    >>> layer.eval()(np.ones(8))
    array([1., 1., 1., 1., 1., 1., 1., 1.])

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """

    def __init__(self, p: float = 0.5, rng: RNG = None) -> None:
        if not isinstance(p, (int, float, np.integer, np.floating)):
            raise TensorTypeError(f"Dropout: p must be a number (got {p!r})")
        if not 0 <= p < 1:
            raise SettingError(f"Dropout: p must be in [0, 1), the probability that an entry is dropped (got {p!r})")
        try:
            self.rng = np.random.default_rng(rng)
        except (TypeError, ValueError) as error:
            raise SettingError(f"Dropout: rng must be a seed or np.random.default_rng(seed) (got {rng!r})") from error
        self.p = float(p)

    def forward(self, x: Any) -> Any:
        """x · mask in training mode, else x."""
        if not self.training or not self.p:
            return x
        x = x if hasattr(x, "dtype") else np.asarray(x)
        if x.dtype.kind not in "fc":
            raise TensorTypeError(f"Dropout divides by 1 − p: it takes floating numbers, not {describe(x)}; write x.astype(float)")
        return rules.multiply(x, draw(x, self.p, self.rng))

    def describe(self) -> str:
        return f"p={self.p}"


def draw(x: Any, p: float, rng: np.random.Generator) -> Any:
    """A mask for x, a constant: an array, or what another reading of operands makes of drawing one (its ``_random``)."""
    reading = getattr(type(x), "_random", None)
    if reading is not None:
        return reading(keep_mask, x, {"p": p, "rng": rng})
    return keep_mask(x.shape, x.dtype, p, rng)
