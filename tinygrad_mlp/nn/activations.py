"""Activation functions as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import rules
from ..composed.elementwise import glu
from ..errors import did_you_mean
from .module import Module


class Activation(Module):
    """A function without parameters as a module. ``name`` is the function's, and that in MLP's ``activation=`` if MLP knows it."""

    name: str
    function: Callable[..., Any]
    options: tuple[str, ...] = ()
    """The attributes that the function takes as parameters, under the same names."""

    def forward(self, x: Any) -> Any:
        """The function of x."""
        return (
            type(self).function(x, **{name: getattr(self, name) for name in self.options})
            if self.options
            else type(self).function(x)
        )

    def describe(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.options)


class ReLU(Activation):
    """max(x, 0), with derivative 0 at 0."""

    name, function = "relu", rules.relu


class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ)."""

    name, function = "sigmoid", rules.sigmoid


class Tanh(Activation):
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""

    name, function = "tanh", rules.tanh


class Softplus(Activation):
    """log(1 + eˣ)."""

    name, function = "softplus", rules.softplus


class Identity(Activation):
    """x itself: a network of linear layers only."""

    name, function = "identity", rules.positive

    def forward(self, x: Any) -> Any:
        """x."""
        return x


class LeakyReLU(Activation):
    """x where x > 0, else negative_slope · x."""

    name, function = "leaky_relu", rules.leaky_relu
    options = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope


class Softmax(Activation):
    """exp(xᵢ) / Σⱼ exp(xⱼ) along axis: positive numbers that add up to 1."""

    name, function = "softmax", rules.softmax
    options = ("axis",)

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis


# --- for Sequential and models of one's own: MLP takes those only that the manual backprop knows too --------------------


class SiLU(Activation):
    """x σ(x), also called swish."""

    name, function = "silu", rules.silu


class LogSigmoid(Activation):
    """log σ(x)."""

    name, function = "log_sigmoid", rules.log_sigmoid


class Softsign(Activation):
    """x / (1 + |x|)."""

    name, function = "softsign", rules.softsign


class GELU(Activation):
    """x Φ(x), Φ the normal distribution function; ``approximate="tanh"`` for the usual approximation."""

    name, function = "gelu", rules.gelu
    options = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise did_you_mean("approximation of gelu", approximate, ("none", "tanh"))
        self.approximate = approximate


class ELU(Activation):
    """x where x > 0, else alpha (eˣ − 1)."""

    name, function = "elu", rules.elu
    options = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha


class Hardtanh(Activation):
    """x limited to [min_val, max_val], with derivative 0 at the bounds."""

    name, function = "hardtanh", rules.hardtanh
    options = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        self.min_val, self.max_val = min_val, max_val


class GLU(Activation):
    """a · σ(b), a and b the two halves of x along axis: half as many features come out."""

    name, function = "glu", glu
    options = ("axis",)

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis
