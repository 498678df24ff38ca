"""The layers: Linear, the activations, Sequential and MLP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import rules
from ..errors import ShapeError, TensorTypeError, did_you_mean, in_short
from . import activations
from . import init as initialisers
from .activations import Activation, Identity, LeakyReLU, ReLU, Sigmoid, Softmax, Softplus, Tanh
from .init import RNG, Initialiser
from .module import Module, Parameter, without_return

__all__ = [
    "MLP",
    "Activation",
    "Flatten",
    "Identity",
    "LeakyReLU",
    "Linear",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


class Linear(Module):
    """z = x W + b: each row of x times the weights, plus the bias.

    Parameters
    ----------
    fan_in, fan_out : int
        The lengths of a row of x and of z. W has shape (fan_in, fan_out), b has shape (fan_out,).
    bias : bool
        Whether there is a b.
    init : str or function
        How W starts, see :mod:`tinygrad_mlp.nn.init`; b starts at zero.
    dtype, rng
        The dtype of the parameters; the generator (or seed) that draws W.

    Shapes: x ``(..., fan_in)`` → z ``(..., fan_out)``.

    Examples
    --------
    >>> from tinygrad_mlp import nn
    >>> layer = nn.Linear(3, 2, rng=0)
    >>> layer(np.ones((5, 3), np.float32)).shape
    (5, 2)
    """

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        bias: bool = True,
        *,
        init: str | Initialiser = "he_normal",
        dtype: DTypeLike = np.float32,
        rng: RNG = None,
    ) -> None:
        for name, n in (("fan_in", fan_in), ("fan_out", fan_out)):
            if not isinstance(n, (int, np.integer)) or n < 1:
                raise ShapeError(f"Linear: {name} must be a whole number from 1 up (got {n!r})")
        self.fan_in, self.fan_out = int(fan_in), int(fan_out)
        weight = initialisers.by_name(init)((self.fan_in, self.fan_out), rng=np.random.default_rng(rng), dtype=dtype)
        if weight.shape != (self.fan_in, self.fan_out):
            raise ShapeError(f"Linear: the initialiser gave weights of shape {weight.shape}, not {(self.fan_in, self.fan_out)}")
        self.weight = Parameter(weight, dtype=dtype)
        self.bias = Parameter(np.zeros(self.fan_out, dtype)) if bias else None

    def forward(self, x: Any) -> Any:
        """x W + b."""
        return rules.matmul(x, self.weight) if self.bias is None else rules.linear(x, self.weight, self.bias)

    def describe(self) -> str:
        return f"{self.fan_in}, {self.fan_out}{'' if self.bias is not None else ', bias=False'}"


ACTIVATIONS: dict[str, type[Activation]] = {a.name: a for a in (ReLU, LeakyReLU, Sigmoid, Tanh, Softplus, Softmax, Identity)}
DEFAULT_INIT = {"relu": "he_normal", "leaky_relu": "he_normal", "softplus": "he_normal", "identity": "lecun_normal"}


class Flatten(Module):
    """All axes but the first joined into one, last axis fastest: (m, 3, 32, 32) → (m, 3072), red, green, blue planes in turn."""

    def forward(self, x: Any) -> Any:
        """x of shape (m, …) as (m, n)."""
        shape = np.shape(x)
        if not shape:
            raise ShapeError("Flatten needs an axis of samples first: a batch of shape (m, …), not a single number")
        return rules.reshape(x, shape=(shape[0], int(np.prod(shape[1:]))))


class Sequential(Module):
    """Modules applied one after the other. Indexable: ``model[0]``.

    >>> from tinygrad_mlp import nn
    >>> model = nn.Sequential(nn.Linear(4, 8, rng=0), nn.Tanh(), nn.Linear(8, 2, rng=1))
    >>> [name for name, _ in model.named_parameters()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *modules: Module) -> None:
        for i, module in enumerate(modules):
            setattr(self, str(i), checked_module(module, f"Sequential: item {i}"))
        self._length = len(modules)

    def forward(self, x: Any) -> Any:
        """The last module of … the first module of x."""
        for i, module in enumerate(self):
            x = module(x)
            if x is None:
                raise TensorTypeError(f"item {i} of this Sequential gives None: {without_return(module)}")
        return x

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Module]:
        return (self[i] for i in range(self._length))

    def __getitem__(self, i: int) -> Module:
        if not isinstance(i, (int, np.integer)):
            raise TensorTypeError(
                f"Sequential is indexed by a number (got {i!r}); for a part write nn.Sequential(*list(model)[1:3])"
            )
        if not -self._length <= i < self._length:
            raise IndexError(f"Sequential has {self._length} modules, there is no number {i}")
        module: Module = vars(self)[str(i % self._length)]
        return module


class MLP(Module):
    """A multi-layer perceptron: Linear layers with an activation between them; the last layer's output is left as it is.

    With A₀ = X it computes Z_l = A_{l−1} W_l + b_l and A_l = activation(Z_l) for the hidden layers, and returns the last
    Z: logits, which the fused losses take. :mod:`tinygrad_mlp.manual` is the same network and its gradients by hand.

    Parameters
    ----------
    sizes : sequence of int
        The widths, input first, output last: ``[784, 128, 10]``.
    activation : str or Module
        ``"relu"``, ``"leaky_relu"``, ``"sigmoid"``, ``"tanh"``, ``"softplus"``, ``"softmax"``, ``"identity"``, or a module.
    init : str or function, optional
        How the weights start; the default fits the activation: He for ReLU and its kind, LeCun for none, else Glorot.
    bias : bool
        Whether the layers have biases (which start at zero).
    dtype, rng
        The dtype of the parameters; the generator or seed that draws them.

    Shapes: x ``(m, sizes[0])`` → logits ``(m, sizes[-1])``. The layers are ``linear1``, ``linear2``, …

    Examples
    --------
    >>> from tinygrad_mlp import nn
    >>> nn.MLP([64, 64, 32, 10], rng=0)
    MLP(64 → 64 → 32 → 10, relu)    6,570 parameters
      (linear1): Linear(64, 64)     4,160 parameters
      (activation): ReLU()
      (linear2): Linear(64, 32)     2,080 parameters
      (linear3): Linear(32, 10)       330 parameters
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Module = "relu",
        init: str | Initialiser | None = None,
        bias: bool = True,
        dtype: DTypeLike = np.float32,
        rng: RNG = None,
    ) -> None:
        widths = [n for n in sizes if isinstance(n, (int, np.integer)) and n >= 1] if isinstance(sizes, Iterable) else []
        if len(widths) < 2 or len(widths) != len(sizes):
            raise ShapeError(
                f"MLP: sizes are an input width, any hidden widths, an output width, whole numbers from 1 up (got {sizes!r})"
            )
        self.sizes = [int(n) for n in widths]
        chosen = activation_named(activation) if isinstance(activation, str) else checked_module(activation, "MLP: activation")
        if init is None:
            init = DEFAULT_INIT.get(getattr(chosen, "name", ""), "glorot_normal")
        generator = np.random.default_rng(rng)
        for i, (fan_in, fan_out) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            setattr(self, f"linear{i + 1}", Linear(fan_in, fan_out, bias, init=init, dtype=dtype, rng=generator))
            if i == 0:
                self.activation = chosen

    @property
    def linears(self) -> list[Linear]:
        """The linear layers, first to last."""
        return [layer for layer in vars(self).values() if isinstance(layer, Linear)]

    def forward(self, x: Any) -> Any:
        """The logits of a batch x."""
        *hidden, last = self.linears
        for layer in hidden:
            x = self.activation(layer(x))
        return last(x)

    def describe(self) -> str:
        widths = [str(n) for n in self.sizes]
        if len(widths) > 8:
            widths = [*widths[:3], "…", *widths[-2:]]
        return f"{' → '.join(widths)}, {getattr(self.activation, 'name', type(self.activation).__name__)}"


def checked_module(module: Any, what: str) -> Module:
    """The module itself; a class, a function, or anything else, is refused."""
    if isinstance(module, Module):
        return module
    given = function_name(module)
    activation = next((a for a in vars(activations).values() if getattr(a, "name", "") == given), None) if given else None
    cure = ""
    if isinstance(module, type):
        cure = f": write {'nn.' if module.__name__ in vars(activations) else ''}{module.__name__}()"
    elif isinstance(module, (list, tuple)):
        cure = ": write the modules with commas between, or *modules"
    elif activation is not None:
        cure = f": write nn.{activation.__name__}()"
    elif callable(module):
        cure = ": call the function in the forward of an nn.Module"
    got = given if given and not isinstance(module, str) else in_short(module)
    raise TensorTypeError(f"{what} must be a module (got {got}){cure}")


def function_name(value: Any) -> str:
    """The name of a function, one of ours or NumPy's, or the text itself; empty for what has none."""
    if isinstance(value, str):
        return value
    name = getattr(value, "name", None) or getattr(value, "__name__", "")
    return name if callable(value) and not isinstance(value, type) and isinstance(name, str) else ""


def activation_named(name: str) -> Activation:
    """A new activation module of that name.

    Raises
    ------
    UnknownNameError
        With the nearest names.
    """
    if name not in ACTIVATIONS:
        raise did_you_mean("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()
