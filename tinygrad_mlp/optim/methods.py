"""The methods, each with its formulas once: in ``update``, which is plain NumPy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import SettingError
from ..tensor import Tensor
from .optimizer import Optimizer, State

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "RMSprop"]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum, Nesterov's momentum and weight decay.

    For each parameter W with gradient g, learning rate η, momentum μ and weight decay λ::

        g ← g + λ W
        plain       W ← W − η g
        momentum    v ← μ v − η g,   W ← W + v
        nesterov    v ← μ v − η g,   W ← W + μ v − η g

    This is the velocity form (Sutskever et al. 2013); PyTorch keeps v / −η, which differs once the learning rate changes.
    A parameter without a gradient is left alone. Steps give the parameters new arrays: what was computed from the old
    ones keeps its values and its gradients.

    Parameters
    ----------
    parameters : iterable of Tensor
        What to change, e.g. ``model.parameters()``.
    lr : float
        The learning rate η; may be changed between steps.
    momentum, weight_decay : float
        μ in [0, 1) and λ ≥ 0. The decay acts on every parameter given, biases too.
    nesterov : bool
        Look ahead along v; needs a momentum.

    Raises
    ------
    SettingError
        For numbers out of range or no parameters.

    Examples
    --------
    >>> w = Tensor(1.0, requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     (w * w).backward()
    ...     optimizer.step()
    >>> round(float(w), 3)  # 0.8³
    0.512
    """

    complex_too = True
    momentum: float
    weight_decay: float
    nesterov: bool

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False
    ) -> None:
        super().__init__(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, flags={"nesterov": nesterov})
        if nesterov and not momentum:
            raise SettingError("SGD: nesterov needs a momentum above 0")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def start(self, parameter: Tensor) -> State:
        """A velocity of −0, which added to x is x in all bits, also where x is −0."""
        return {slot: np.full(parameter.shape, -0.0, parameter.dtype) for slot in self.slots}

    def update(
        self, w: Any, g: Any, state: State, *, lr: float, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> tuple[Any, State]:
        if self.weight_decay:
            g = g + weight_decay * w
        change = g * -lr
        if not self.momentum:
            return w + change, {}
        v = momentum * state["velocity"] + change
        return w + (momentum * v + change if self.nesterov else v), {"velocity": v}


class Adam(Optimizer):
    """Steps of about the size of the learning rate: the mean of the gradients over the root of the mean of their squares.

    For each parameter W with gradient g, learning rate η, β₁ and β₂, weight decay λ, in the t-th step with a gradient::

        g ← g + λ W
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        W ← W − η m̂ / (√v̂ + eps)    with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)

    m and v start at 0, which m̂ and v̂ make up for. t counts the gradients that the parameter has had, as in PyTorch: one whose first
    gradient comes late starts as all others did. A parameter without a gradient is left alone.

    Parameters
    ----------
    parameters : iterable of Tensor
        What to change, e.g. ``model.parameters()``: real numbers.
    lr : float
        The learning rate η; may be changed between steps.
    betas : two floats
        β₁ and β₂ in [0, 1); afterwards the attributes ``beta1`` and ``beta2``.
    eps : float
        Bounds the step where all gradients were small. In float16 the default is 0: write 1e-4 there.
    weight_decay : float
        λ ≥ 0, added to the gradient; :class:`AdamW` has the decay that acts on W itself.

    Raises
    ------
    SettingError, TensorTypeError
        For numbers out of range, no parameters, complex ones.

    Examples
    --------
    >>> w = Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> w.data.round(3)  # equal steps, however large the gradient
    array([ 0.702, 99.7  ])

    Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.
    """

    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    moving = ("size", "root")
    decoupled = False
    """Whether the decay acts on W itself: a flag, so that the state of an AdamW is not taken for one of an Adam."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise SettingError(f"{type(self).__name__}: betas must be two numbers, as betas=(0.9, 0.999) (got {betas!r})")
        beta1, beta2 = betas
        flags = {"decoupled": self.decoupled}
        super().__init__(parameters, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, flags=flags)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean", "square")

    def scalars(self, missed: int = 0) -> dict[str, float]:
        """The settings, η / (1 − β₁ᵗ) as size, and √(1 − β₂ᵗ) as root."""
        given, t = super().scalars(), self.steps - missed + 1
        size, root = given["lr"] / (1 - given["beta1"] ** t), math.sqrt(1 - given["beta2"] ** t)
        return given | {"size": size, "root": root}

    def update(
        self,
        w: Any,
        g: Any,
        state: State,
        *,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        size: float,
        root: float,
    ) -> tuple[Any, State]:
        if self.weight_decay:
            if self.decoupled:
                w = w * (1 - lr * weight_decay)
            else:
                g = g + weight_decay * w
        m = beta1 * state["mean"] + (1 - beta1) * g
        v = beta2 * state["square"] + (1 - beta2) * (g * g)
        return w - size * m / (np.sqrt(v) / root + eps), {"mean": m, "square": v}


class AdamW(Adam):
    """Adam with a weight decay that acts on the parameters themselves: W ← (1 − η λ) W, before the step.

    Added to the gradient, as :class:`Adam` has it, the decay is divided by √v̂ like the gradient: parameters with large gradients
    decay less. Here all decay alike. Parameters and errors are those of Adam, but for the default λ = 0.01.

    Examples
    --------
    >>> w = Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.1, weight_decay=0.5)
    >>> w.grad = np.array([0.0, 0.0])
    >>> optimizer.step()
    >>> w.data
    array([ 0.95, 95.  ])

    Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2, with ηλ in place of λ, as in PyTorch.
    """

    decoupled = True

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)


class RMSprop(Optimizer):
    """The gradient over the root of the mean of its squares.

    For each parameter W with gradient g, learning rate η, smoothing α, momentum μ, weight decay λ::

        g ← g + λ W
        s ← α s + (1 − α) g²
        centered    a ← α a + (1 − α) g,   d = √max(s − a², 0) + eps
        otherwise                          d = √s + eps
        plain       W ← W − η g / d
        momentum    b ← μ b + g / d,       W ← W − η b

    s, a and b start at 0 and are not corrected for it: the first steps are large, η / √(1 − α). The maximum with 0 is for s − a²
    below 0 by rounding, where PyTorch gives NaN. A parameter without a gradient is left alone.

    Parameters
    ----------
    parameters : iterable of Tensor
        What to change, e.g. ``model.parameters()``: real numbers.
    lr : float
        The learning rate η; may be changed between steps.
    alpha : float
        α in [0, 1): how much of the mean is kept.
    eps : float
        Bounds the step where all gradients were small. In float16 the default is 0: write 1e-4 there.
    weight_decay, momentum : float
        λ ≥ 0 and μ in [0, 1).
    centered : bool
        Divide by the standard deviation of the gradients, not by the root of their mean square.

    Raises
    ------
    SettingError, TensorTypeError
        For numbers out of range, no parameters, complex ones.

    Examples
    --------
    >>> w = Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = RMSprop([w], lr=0.1, alpha=0.75)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(3)  # 0.1 / √0.25
    array([ 0.8, 99.8])

    Tieleman and Hinton 2012, "Neural networks for machine learning", lecture 6.5; centered: Graves 2013, arXiv:1308.0850, eq. 38.
    """

    alpha: float
    eps: float
    weight_decay: float
    momentum: float
    centered: bool

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, flags={"centered": centered}
        )

    @property
    def slots(self) -> tuple[str, ...]:
        return ("square", *(["mean"] if self.centered else []), *(["buffer"] if self.momentum else []))

    def update(
        self, w: Any, g: Any, state: State, *, lr: float, alpha: float, eps: float, weight_decay: float, momentum: float
    ) -> tuple[Any, State]:
        if self.weight_decay:
            g = g + weight_decay * w
        s = alpha * state["square"] + (1 - alpha) * (g * g)
        new = {"square": s}
        if self.centered:
            a = new["mean"] = alpha * state["mean"] + (1 - alpha) * g
            s = np.maximum(s - a * a, 0)
        if not self.momentum:
            return w - lr * g / (np.sqrt(s) + eps), new
        b = new["buffer"] = momentum * state["buffer"] + g / (np.sqrt(s) + eps)
        return w - lr * b, new


class Adagrad(Optimizer):
    """The gradient over the root of the sum of its squares: entries whose gradients are rare keep a large step.

    For each parameter W with gradient g, learning rate η, weight decay λ, in the t-th step with a gradient::

        g ← g + λ W
        s ← s + g²
        W ← W − η / (1 + (t − 1) lr_decay) · g / (√s + eps)

    t counts the gradients that the parameter has had. A parameter without a gradient is left alone.

    Parameters
    ----------
    parameters : iterable of Tensor
        What to change, e.g. ``model.parameters()``: real numbers.
    lr : float
        The learning rate η; may be changed between steps.
    lr_decay, weight_decay : float
        How fast the learning rate falls, and λ; both ≥ 0.
    initial_accumulator_value : float
        Where s starts, ≥ 0.
    eps : float
        Keeps the quotient finite where all gradients were 0. In float16 the default is 0: write 1e-4 there.

    Raises
    ------
    SettingError, TensorTypeError
        For numbers out of range, no parameters, complex ones.

    Examples
    --------
    >>> w = Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = Adagrad([w], lr=0.1)
    >>> for _ in range(2):
    ...     w.grad = np.array([1.0, 0.01])
    ...     optimizer.step()
    >>> w.data.round(3)  # 0.1 + 0.1 / √2
    array([ 0.829, 99.829])

    Duchi, Hazan and Singer 2011, "Adaptive subgradient methods", JMLR 12, with the diagonal matrix.
    """

    moving = ("lr",)
    lr_decay: float
    weight_decay: float
    initial_accumulator_value: float
    eps: float

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(
            parameters,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )

    @property
    def slots(self) -> tuple[str, ...]:
        return ("sum",)

    def start(self, parameter: Tensor) -> State:
        """s is initial_accumulator_value."""
        return {"sum": np.full(parameter.shape, self.initial_accumulator_value, parameter.dtype)}

    def scalars(self, missed: int = 0) -> dict[str, float]:
        """The learning rate η / (1 + (t − 1) lr_decay), λ and eps."""
        t = self.steps - missed + 1
        rate = float(self.lr) / (1 + (t - 1) * float(self.lr_decay))
        return {"lr": rate, "weight_decay": float(self.weight_decay), "eps": float(self.eps)}

    def update(self, w: Any, g: Any, state: State, *, lr: float, weight_decay: float, eps: float) -> tuple[Any, State]:
        if self.weight_decay:
            g = g + weight_decay * w
        s = state["sum"] + g * g
        return w - lr * g / (np.sqrt(s) + eps), {"sum": s}
