"""The witnesses of a gradient: one MLP and its loss, read by the engine, by hand, numerically, and by HIPS autograd."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import manual
from ..derivative import gradients
from ..errors import TensorTypeError, UnsupportedError
from ..kernels.shapes import Array
from ..modes import no_grad
from ..nn.layers import ACTIVATIONS, MLP, Activation, Identity, LeakyReLU, Linear, Sequential, activation_named
from ..nn.losses import Loss, l2_penalty, loss_named
from ..nn.module import Module
from ..tensor import Tensor
from .measures import NUMERIC_TOLERANCE, numeric_gradient, relative_difference

__all__ = ["as_loss", "hear", "loss_of", "manual_backprop", "manual_names"]


SHAPE = "give nn.MLP, or nn.Sequential(Linear, activation, Linear, …) with one activation"


class Parts(NamedTuple):
    """What a model is made of, as far as the manual backprop can follow it."""

    linears: list[Linear]
    activation: Activation
    output: Activation | None


def parts_of(model: Module) -> Parts:
    """The linear layers and the activation of an MLP, or of a Sequential that is one.

    Raises
    ------
    UnsupportedError
        For a model that is not "Linear, activation, Linear, …, Linear" with one activation, and perhaps one at the end.
    """
    if isinstance(model, MLP) and type(model).forward is MLP.forward:
        found = Parts(model.linears, model.activation, None)  # type: ignore[arg-type]  # its activation is checked below
    elif isinstance(model, Sequential) and type(model).forward is Sequential.forward:
        modules = list(model)
        linears, between = modules[::2], modules[1::2]
        output = between.pop() if len(between) == len(linears) and between else None
        if len({repr(a) for a in between}) > 1 and all(isinstance(layer, Linear) for layer in linears):
            raise UnsupportedError("the manual backprop knows one activation for all hidden layers")
        found = Parts(linears, between[0] if between else Identity(), output)  # type: ignore[arg-type]  # likewise
    else:
        raise UnsupportedError(f"the manual backprop is that of an MLP: {SHAPE} (got {type(model).__name__})")
    for layer in found.linears:
        if not isinstance(layer, Linear) or type(layer).forward is not Linear.forward:
            raise UnsupportedError(f"the manual backprop is that of an MLP: {SHAPE} (got {type(layer).__name__} for a Linear)")
    for activation in (found.activation, found.output):
        if activation is not None and (type(activation) not in ACTIVATIONS.values() or getattr(activation, "axis", -1) != -1):
            raise UnsupportedError(
                f"the manual backprop does not know the activation {activation!r}: it knows {', '.join(ACTIVATIONS)}"
            )
    weights = [layer.weight for layer in found.linears]
    if len(dict.fromkeys(weights)) < len(weights):
        raise UnsupportedError("the manual backprop does not know shared weights: its gradients are those of each use")
    return found


def manual_names(model: Module) -> dict[str, Tensor]:
    """The parameters under the textbook's names: W1, b1, W2, …"""
    named: dict[str, Tensor] = {}
    for l, linear in enumerate(parts_of(model).linears, start=1):
        named[f"W{l}"] = linear.weight
        if linear.bias is not None:
            named[f"b{l}"] = linear.bias
    return named


def as_loss(loss: str | Loss) -> Loss:
    """A loss given by name or as a module."""
    if isinstance(loss, str):
        return loss_named(loss)
    if not isinstance(loss, Loss):
        raise TensorTypeError(
            f"a loss is a name, such as 'cross_entropy', or a module, such as nn.CrossEntropyLoss(), not {loss!r}"
        )
    return loss


def loss_of(model: Module, loss: str | Loss, X: Any, y: Any, l2: float = 0.0) -> Tensor:
    """Witness 1, forward: the loss of a batch, with its graph. ``l2`` adds (l2 / 2) Σ ‖W‖² over the weights."""
    criterion, parts = as_loss(loss), parts_of(model)
    predictions = model(X)
    if criterion.output is not None and parts.output is None:
        predictions = activation_named(criterion.output)(predictions)
    value = criterion(predictions, y)
    if l2:
        value = value + l2_penalty([linear.weight for linear in parts.linears], l2)
    total: Tensor = value
    return total


def manual_backprop(model: Module, loss: str | Loss, X: Array, y: Array, l2: float = 0.0) -> manual.Backprop:
    """Witness 2: the loss and its gradients, by :func:`tinygrad_mlp.manual.backprop`, at the model's present weights."""
    criterion, parts = as_loss(loss), parts_of(model)
    if parts.output is not None and parts.output.name != criterion.output:
        raise UnsupportedError(f"the manual backprop has no {criterion.name} after {parts.output!r}: leave it out")
    return manual.backprop(
        {name: p.array for name, p in manual_names(model).items()},
        X,
        y,
        parts.activation.name,
        criterion.name,
        mean=criterion.reduction == "mean",
        l2=float(l2),
        eps=float(getattr(criterion, "eps", 0.0)),
        slope=float(parts.activation.negative_slope) if isinstance(parts.activation, LeakyReLU) else 0.0,
    )


def in_float64(model: Module) -> Module:
    """A copy of the model with its parameters in float64."""
    twin = copy.deepcopy(model)
    for p in twin.parameters():
        p.array, p.grad = p.array.astype(np.float64), None
    return twin


def hips_gradients(model: Module, loss: str | Loss, X: Array, y: Array, l2: float) -> dict[str, Array]:
    """Witness 4: the gradients by HIPS autograd, in the dtype of the model, from formulas written for it here."""
    import autograd
    import autograd.numpy as anp

    criterion, parts = as_loss(loss), parts_of(model)
    slope = parts.activation.negative_slope if isinstance(parts.activation, LeakyReLU) else 0.0

    def softmax(z: Any) -> Any:
        e = anp.exp(z - anp.max(z, axis=1, keepdims=True))
        return e / anp.sum(e, axis=1, keepdims=True)

    def sigmoid(z: Any) -> Any:
        return 0.5 * (1 + anp.tanh(z / 2))

    functions: dict[str, Callable[[Any], Any]] = {
        "relu": lambda z: z * (z > 0),
        "leaky_relu": lambda z: anp.where(z > 0, z, slope * z),
        "sigmoid": sigmoid,
        "tanh": anp.tanh,
        "softplus": lambda z: anp.logaddexp(z, 0.0),
        "softmax": softmax,
        "identity": lambda z: z,
    }
    rows = np.arange(len(X))

    def total(p: dict[str, Any]) -> Any:
        z, depth = X, len(parts.linears)
        for l in range(1, depth + 1):
            z = anp.dot(z, p[f"W{l}"]) + p.get(f"b{l}", 0.0)
            z = functions[parts.activation.name](z) if l < depth else z
        if criterion.name == "cross_entropy":
            shifted = z - anp.max(z, axis=1, keepdims=True)
            terms = anp.log(anp.sum(anp.exp(shifted), axis=1)) - shifted[rows, y]
        elif criterion.name == "bce":
            terms = anp.logaddexp(0.0, z) - z * y
        elif criterion.name == "mse":
            terms = (z - y) ** 2
        elif criterion.name == "cross_entropy_probabilities":
            terms = -anp.log(softmax(z)[rows, y] + getattr(criterion, "eps", 0.0))
        else:
            a, eps = sigmoid(z), getattr(criterion, "eps", 0.0)
            terms = -(y * anp.log(a + eps) + (1 - y) * anp.log(1 - a + eps))
        value = anp.mean(terms) if criterion.reduction == "mean" else anp.sum(terms)
        return value + sum(l2 / 2 * anp.sum(p[f"W{l}"] ** 2) for l in range(1, depth + 1))

    found: dict[str, Array] = autograd.grad(total)({name: p.array for name, p in manual_names(model).items()})
    return found


def hear(model: Module, loss: str | Loss, X: Array, y: Array, l2: float, entries: int, seed: int) -> list[dict[str, Any]]:
    """The numeric and the HIPS witness for each parameter, in float64 at the model's weights."""
    twin = in_float64(model)
    X = X.astype(np.float64)
    y = y.astype(np.float64) if y.dtype.kind == "f" else y
    named = manual_names(twin)
    exact = dict(zip(named, gradients(loss_of(twin, loss, X, y, l2), list(named.values())), strict=True))
    hips = hips_gradients(twin, loss, X, y, l2) if importlib.util.find_spec("autograd") else None
    rng = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    # Rounding of the loss leaves a difference quotient an error of about 1e-10 |L|: it cannot tell more of a smaller gradient.
    floor = 1e-4 * abs(float(loss_of(twin, loss, X, y, l2)))

    # An eps in a logarithm magnifies rounding by up to 1 / eps, in HIPS autograd and here in different ways, and in the loss.
    composed = as_loss(loss).output is not None
    rounding, blurred = (1e6 * floor, 1e4 * floor) if composed else (floor, floor)

    def value(_: Array) -> float:
        with no_grad():
            return float(loss_of(twin, loss, X, y, l2))

    for name, p in named.items():
        flat = np.argsort(-np.abs(exact[name]), axis=None, kind="stable")[: (entries + 1) // 2]
        chosen = dict.fromkeys([*flat.tolist(), *rng.integers(0, p.size, entries // 2).tolist()])
        where = [tuple(int(n) for n in np.unravel_index(i, p.shape)) for i in chosen]
        numeric, coarser = (numeric_gradient(value, p.array, where, widen) for widen in (1, 2))
        smooth = ~(np.isnan(numeric) | np.isnan(coarser))
        noise = float(np.linalg.norm(numeric[smooth] - coarser[smooth]))  # what two step sizes disagree by
        picked = np.array([exact[name][i] for i in where])
        seen = max(blurred, 10 * noise / NUMERIC_TOLERANCE)
        found.append(
            {
                "numeric": relative_difference(picked[smooth], numeric[smooth], seen) if smooth.any() else None,
                "hips": None if hips is None else relative_difference(exact[name], hips[name], rounding),
            }
        )
    return found
