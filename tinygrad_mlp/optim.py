"""Optimisers: what turns gradients into a change of the parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import GraphError, SettingError, TensorTypeError
from .tensor import Tensor

__all__ = ["SGD", "clip_grad_norm"]


class SGD:
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

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False
    ) -> None:
        self.parameters = list(dict.fromkeys(checked(parameters)))
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if not isinstance(value, (int, float, np.integer, np.floating)):
                raise TensorTypeError(f"SGD: {name} must be a number (got {value!r})")
        if not math.isfinite(lr) or lr < 0:
            raise SettingError(f"SGD: lr must be a number from 0 up (got {lr!r})")
        if not 0 <= momentum < 1:
            raise SettingError(f"SGD: momentum must be in [0, 1) (got {momentum!r})")
        if not math.isfinite(weight_decay) or weight_decay < 0:
            raise SettingError(f"SGD: weight_decay must be a number from 0 up (got {weight_decay!r})")
        if nesterov and not momentum:
            raise SettingError("SGD: nesterov needs a momentum above 0")
        self.lr, self.momentum, self.weight_decay, self.nesterov = float(lr), float(momentum), float(weight_decay), nesterov
        self.velocity: list[NDArray[Any] | None] = [None] * len(self.parameters)

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        # Python's floats: a NumPy float64 would turn float32 parameters into float64
        lr, momentum, weight_decay = float(self.lr), float(self.momentum), float(self.weight_decay)
        for i, parameter in enumerate(self.parameters):
            g = parameter.grad
            if g is None:
                continue
            if type(g) is not np.ndarray or g.shape != parameter.shape or g.dtype != parameter.dtype:
                g = fitting(g, parameter)
            if weight_decay:
                g = g + weight_decay * parameter.array
            if momentum:
                v, change = self.velocity[i], -lr * g
                v = self.velocity[i] = change if v is None else momentum * v + change
                parameter.array = np.asarray(parameter.array + (momentum * v + change if self.nesterov else v))
            else:
                parameter.array = moved(parameter.array, g, -lr)

    def zero_grad(self) -> None:
        """Forget all accumulated gradients."""
        for parameter in self.parameters:
            parameter.grad = None


BLOCK = 1 << 16
"""Entries that are updated at a time: three arrays of that length fit into a processor core's own cache."""


def fitting(g: Any, parameter: Tensor) -> NDArray[Any]:
    """A gradient that was set by hand, in the dtype of its parameter; refused if its shape is another."""
    array = g.array if isinstance(g, Tensor) else np.asarray(g)
    if array.shape != parameter.shape:
        raise SettingError(f"a gradient of shape {array.shape} was set for a parameter of shape {parameter.shape}")
    return array.astype(parameter.dtype)


def moved(w: NDArray[Any], g: NDArray[Any], scale: float) -> NDArray[Any]:
    """The new array w + scale · g; large ones block by block, so that the product is still in the cache when w is added."""
    out = np.empty_like(w, order="C")
    if w.size <= 2 * BLOCK or not (w.flags.c_contiguous and g.flags.c_contiguous):
        np.add(w, np.multiply(g, scale, out=out), out=out)
        return out
    to, start, step = out.reshape(-1), w.reshape(-1), g.reshape(-1)
    for i in range(0, w.size, BLOCK):
        part = to[i : i + BLOCK]
        np.add(start[i : i + BLOCK], np.multiply(step[i : i + BLOCK], scale, out=part), out=part)
    return out


def checked(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The parameters as a list, each a leaf that requires gradients."""
    if isinstance(parameters, Tensor):
        raise TensorTypeError("give the optimiser a list: [parameter]")
    if hasattr(parameters, "parameters"):
        raise TensorTypeError("give the optimiser the parameters of the model: model.parameters()")
    found = list(parameters)
    if not found:
        raise SettingError("the optimiser has no parameters to change")
    for p in found:
        if not isinstance(p, Tensor):
            raise TensorTypeError(f"an optimiser changes Tensors, not {type(p).__name__}: give it model.parameters()")
        if not p.requires_grad or p.op is not None:
            raise GraphError("an optimiser changes leaves that require gradients: make them with requires_grad=True")
    return found


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients together so that their joint Euclidean norm is at most max_norm; returns the norm before.

    With n = √(Σ ‖gᵢ‖²) every gᵢ becomes gᵢ · max_norm / n if n > max_norm. To clip one tensor alone, pass a list of it.

    Raises
    ------
    SettingError
        If max_norm is not a positive number, or a gradient is NaN or infinite; nothing has been changed then.

    Examples
    --------
    >>> w = Tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> clip_grad_norm([w], max_norm=1.0)
    5.0
    >>> w.grad
    array([0.6, 0.8])
    """
    if not max_norm > 0:
        raise SettingError(f"clip_grad_norm: max_norm must be above 0 (got {max_norm!r})")
    if isinstance(parameters, Tensor):
        raise TensorTypeError("clip_grad_norm takes a list: to clip one tensor alone write [parameter]")
    gradients = {p: p.grad for p in parameters if p.grad is not None}
    if not all(np.isfinite(g).all() for g in gradients.values()):
        raise SettingError("clip_grad_norm: a gradient is NaN or infinite, and cannot be scaled")
    largest = max((float(np.max(np.abs(g), initial=0)) for g in gradients.values()), default=0.0)
    if largest == 0:
        return 0.0
    # divided by the largest entry first: squares of very large or very small numbers leave the range
    scaled = {p: g / largest for p, g in gradients.items()}
    root = math.sqrt(math.fsum(float(np.sum(np.square(g, dtype=np.float64))) for g in scaled.values()))
    if largest * root > max_norm:
        for p, g in scaled.items():
            p.grad = np.asarray(g * (float(max_norm) / root))
    return largest * root
