"""The loss along a direction in the space of all weights, and the tangent that the gradient says it has."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...derivative import gradients
from ...errors import GraphError, SettingError, ShapeError, TensorTypeError, did_you_mean
from ...modes import no_grad
from ...nn.module import Module, Parameter
from ...nn.prediction import mode
from ...tensor import Tensor
from ...values import unwrap
from .figures import COLOURS, one_ax, tidy

__all__ = ["loss_along"]

REACH = 0.3
"""By default the weights move, at the end of the range, by this share of their length."""


def loss_along(
    model: Module,
    loss: Callable[[], Any],
    direction: Mapping[str, ArrayLike] | None = None,
    ax: Any = None,
    span: tuple[float, float] | None = None,
    points: int = 61,
) -> Any:
    """L(w + t d) against t, and its tangent at the weights of now, t = 0, whose slope is ⟨∇L, d⟩.

    Where the two touch without crossing, the gradient is right. Without a direction it is d = −∇L: then t is the learning rate
    of one step of plain gradient descent, and the picture says which learning rates would lower the loss.

    The model is in evaluation mode meanwhile. Its parameters are afterwards the very arrays that they were, whatever happens;
    no ``.grad`` is touched.

    Parameters
    ----------
    model : Module
    loss : function
        Without arguments; gives the loss, ``lambda: nn.cross_entropy(model(X), y)``.
    direction : dict of name to array, optional
        d, by the names of the parameters; those that are not named stand still.
    span : (low, high), optional
        The range of t; by default as far as moves the weights by three tenths of their length, and a third of that backwards.
    points : int
        In so many points the loss is computed.
    """
    if not isinstance(model, Module):
        raise TensorTypeError(f"loss_along() moves the parameters of a module (got {model!r})")
    if not isinstance(points, (int, np.integer)) or points < 3:
        raise SettingError(f"loss_along() needs at least 3 points (got {points!r})")
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    given = None if direction is None else checked(direction, named)
    with mode(model, training=False):
        here = loss()
        if not isinstance(here, Tensor) or here.size != 1 or not here.requires_grad:
            raise GraphError("loss_along() needs a function that computes the loss: lambda: nn.cross_entropy(model(X), y)")
        slopes = dict(zip(named, gradients(here, list(named.values())), strict=True))
        d = {name: -g.astype(np.float64) for name, g in slopes.items()} if given is None else given
        slope = float(sum(np.sum(slopes[name].astype(np.float64) * d[name]) for name in d))
        length, weights = norm(d.values()), norm([named[name].array for name in d])
        if not np.isfinite(length) or not length:
            raise SettingError("the direction has length 0 or is not finite: there is nowhere to go")
        low, high = span if span is not None else (-REACH / 3 * (weights or 1) / length, REACH * (weights or 1) / length)
        if not low < high or not np.isfinite([low, high]).all():
            raise SettingError(f"span must be two numbers, the smaller one first (got {span!r})")
        at = np.unique(np.append(np.linspace(low, high, int(points)), [0.0] if low <= 0 <= high else []))
        losses = np.array([float(here) if t == 0 else moved(named, d, t, loss) for t in at])

    ax = one_ax(ax, 5.4, 3.6)
    ax.plot(at, np.where(np.isfinite(losses), losses, np.nan), color=COLOURS[0], label="loss", gid="loss")
    tangent, told = float(here) + slope * at, f"tangent, slope {slope:.3g}".replace("-", "−")
    ax.plot(
        at,
        tangent,
        color=COLOURS[1],
        linestyle="--",
        linewidth=1.2,
        label=told,
        gid="tangent",
    )
    ax.plot([0], [float(here)], color=COLOURS[1], marker="o", linestyle="none", label="the weights now", gid="here")
    low, high = limits(losses, float(here))
    ax.set_ylim(low, high)
    own = direction is None
    ax.set(ylabel="loss", xlabel="t, the learning rate of one step: w − t ∇L" if own else "t, steps along the direction: w + t d")
    ax.set_title("Loss along the negative gradient" if own else "Loss along a direction", fontsize=10, loc="left")
    tidy(ax)
    ax.legend(frameon=False, fontsize="small")
    return ax


def checked(direction: Mapping[str, ArrayLike], named: Mapping[str, Parameter]) -> dict[str, NDArray[np.float64]]:
    """The direction as arrays of the parameters' shapes."""
    if not isinstance(direction, Mapping):
        raise TensorTypeError("a direction is a dict of arrays by the names of parameters, as model.state_dict() is")
    found: dict[str, NDArray[np.float64]] = {}
    for name, array in direction.items():
        if name not in named:
            raise did_you_mean("parameter", name, named)
        found[name] = np.asarray(unwrap(array), np.float64)
        if found[name].shape != named[name].shape:
            raise ShapeError(f"the direction of {name} has shape {found[name].shape}, the parameter {named[name].shape}")
    return found


def norm(arrays: Any) -> float:
    """The length of all entries together."""
    return float(np.sqrt(sum(np.sum(np.square(a, dtype=np.float64)) for a in arrays)))


@contextlib.contextmanager
def kept(parameters: Sequence[Tensor]) -> Iterator[None]:
    """Whatever happens inside, the parameters have the same arrays afterwards: nothing is written into those."""
    arrays = [parameter.array for parameter in parameters]
    try:
        yield
    finally:
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.array = array


def moved(named: Mapping[str, Parameter], d: Mapping[str, NDArray[np.float64]], t: float, loss: Callable[[], Any]) -> float:
    """The loss at w + t d."""
    with kept([named[name] for name in d]), no_grad(), np.errstate(all="ignore"):
        for name, step in d.items():
            w = named[name]
            w.array = np.asarray(w.array + t * step).astype(w.dtype)
        return float(loss())


def limits(losses: NDArray[np.float64], here: float) -> tuple[float, float]:
    """The range of the vertical axis: that of the loss, which a steep tangent must not stretch."""
    finite = np.append(losses[np.isfinite(losses)], here)
    room = 0.08 * (finite.max() - finite.min()) or 0.1 * (abs(here) or 1.0)
    return float(finite.min() - room), float(finite.max() + room)
