"""The losses: one number from predictions and targets, as functions and, with PyTorch's names, as modules.

The fused ones take logits, the output of the last linear layer: their derivative is "prediction minus target", and no
intermediate value overflows. The composed ones take probabilities, are made of primitives, and differentiate their ``eps``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import rules
from ..errors import DataError, ShapeError, TensorTypeError, did_you_mean
from ..graph import CLOCK, mark_call
from ..kernels.losses import check_labels, check_targets, divisor
from ..kernels.shapes import floating, narrow, wide
from ..modes import MODES
from ..operand import Operand
from ..primitive import COMPLEX_STEP
from ..tensor import Tensor
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "CrossEntropyProbabilitiesLoss",
    "MSELoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "cross_entropy_probabilities",
    "l2_penalty",
    "mse_loss",
]

EPS = 1e-7


def operand(x: Any) -> Any:
    """Predictions or targets as they are; lists and numbers as arrays."""
    return real_numbers(x if hasattr(x, "dtype") else np.asarray(x))


def real_numbers(x: Any) -> Any:
    """x, refused if it is complex: then what is computed of it is no loss, or no longer of all of it."""
    if x.dtype.kind == "c" and not COMPLEX_STEP.get():
        raise TensorTypeError(
            f"a loss takes real numbers, not {x.dtype}: write it with z.real and z.imag, or np.mean(np.abs(a - y) ** 2)"
        )
    return x


def plain_labels(y: Any) -> Any:
    """Class labels as an integer array; those of a traced function as they are."""
    y = unknown_while_traced(y)
    if is_traced(y):
        return y
    return np.array(y.array if isinstance(y, Tensor) else y)  # ours: later changes of the caller's array do not matter


def unknown_while_traced(y: Any) -> Any:
    """Labels and targets; while a function is traced no copies are made, since its program reads them anew at each call."""
    tracer = MODES.get().tracer
    return tracer.unknown(y) if tracer is not None and isinstance(y, (Tensor, np.ndarray)) else y


def is_traced(x: Any) -> bool:
    """Whether x has no numbers: a value of a function that is being traced."""
    return isinstance(x, Operand) and not isinstance(x, Tensor)


def cross_entropy(logits: Any, labels: Any, *, reduction: str = "mean") -> Any:
    """The cross-entropy of softmax(logits) against class labels, fused and stable.

    With P = softmax(Z), L = −(1/m) Σᵢ log P[i, yᵢ], and ∂L/∂Z = (P − Y) / m, Y the one-hot labels.

    Shapes: logits ``(m, k)``, labels ``(m,)`` integers in 0 … k − 1 → ``()``. ``reduction="sum"`` leaves the 1/m out.

    Raises
    ------
    ShapeError, DataError
        For labels that are not one integer a row, or out of range.

    Examples
    --------
    >>> logits = Tensor([[2.0, 0.0], [0.0, 2.0]], requires_grad=True)
    >>> loss = cross_entropy(logits, np.array([0, 0]))
    >>> round(float(loss), 4)
    1.1269
    >>> loss.backward()
    >>> logits.grad.round(4)
    array([[-0.0596,  0.0596],
           [-0.4404,  0.4404]])
    """
    return rules.cross_entropy(operand(logits), plain_labels(labels), reduction=reduction)


def cross_entropy_probabilities(p: Any, labels: Any, *, eps: float = EPS, reduction: str = "mean") -> Any:
    """The cross-entropy of probabilities against class labels, L = −(1/m) Σᵢ log(p[i, yᵢ] + eps).

    The eps is part of the function, and so of its derivative, −1 / (m (p[i, yᵢ] + eps)). Prefer :func:`cross_entropy` on
    logits: here the loss cannot exceed −log eps, and the gradient of a confident mistake vanishes.

    Shapes: p ``(m, k)``, labels ``(m,)`` → ``()``.
    """
    p, y = operand(p), plain_labels(labels)
    check_labels(y, np.shape(p))
    picked = rules.getitem(wide(p), index=(*np.indices(y.shape, sparse=True), y))
    return narrow(-rules.sum(rules.log(picked + float(eps))) / divisor(reduction, y.size), floating(p).dtype)


def binary_cross_entropy_with_logits(logits: Any, targets: Any, *, reduction: str = "mean") -> Any:
    """The binary cross-entropy of sigmoid(logits) against targets in [0, 1], fused and stable.

    With A = σ(Z), L = −(1/n) Σ y log A + (1 − y) log(1 − A), and ∂L/∂Z = (A − Y) / n, n the number of entries.

    Shapes: logits and targets of one shape → ``()``; a target of shape (m,) against logits (m, 1) is refused.

    Examples
    --------
    >>> z = Tensor([[0.0]], requires_grad=True)
    >>> binary_cross_entropy_with_logits(z, [[1.0]]).backward()
    >>> z.grad
    array([[-0.5]])
    """
    logits = operand(logits)
    return rules.binary_cross_entropy_with_logits(logits, shares(targets, logits), reduction=reduction)


def binary_cross_entropy(p: Any, targets: Any, *, eps: float = EPS, reduction: str = "mean") -> Any:
    """The binary cross-entropy of probabilities, L = −(1/n) Σ y log(p + eps) + (1 − y) log(1 − p + eps): the general form.

    ``eps=0`` is the textbook formula, whose derivative −y/p + (1 − y)/(1 − p) overflows where p reaches 0 or 1. Prefer
    :func:`binary_cross_entropy_with_logits`.
    """
    p = operand(p)
    y = shares(targets, p)
    check_targets(p, y)
    eps = float(eps)  # a NumPy float64 would turn float32 into float64
    dtype, p = np.result_type(floating(p).dtype, y.dtype), wide(p)
    terms = y * rules.log(p + eps) + (1 - y) * rules.log(1 - p + eps)
    return narrow(-rules.sum(terms) / divisor(reduction, int(np.prod(np.shape(p)))), dtype)


def mse_loss(predictions: Any, targets: Any, *, reduction: str = "mean") -> Any:
    """The mean squared error, L = (1/n) Σ (a − y)², n the number of entries; ∂L/∂a = 2 (a − y) / n.

    Shapes: predictions and targets of one shape → ``()``.

    >>> float(mse_loss(Tensor([1.0, 3.0]), [1.0, 1.0]))
    2.0
    """
    predictions = operand(predictions)
    return rules.mse_loss(predictions, like(targets, predictions), reduction=reduction)


def l2_penalty(parameters: Iterable[Tensor], l2: float) -> Any:
    """L2 regularisation, (l2 / 2) Σ ‖W‖² over the given tensors; its gradient is l2 · W.

    Give it the weights, not the biases. Added to the loss it equals weight decay for plain SGD, and only there.

    >>> W = Tensor([[3.0, 4.0]], requires_grad=True)
    >>> l2_penalty([W], 0.1).backward()
    >>> W.grad
    array([[0.3, 0.4]])
    """
    penalty: Any = None
    start = next(CLOCK)
    for w in parameters:
        size = rules.abs(w) if w.dtype.kind == "c" else wide(w)
        term = narrow(rules.sum(rules.square(size)) * (float(l2) / 2), np.finfo(w.dtype).dtype)
        penalty = term if penalty is None else penalty + term
    if penalty is None:
        raise ShapeError("l2_penalty() needs at least one tensor")
    mark_call(penalty, "L2 penalty", start)  # a frame in drawings
    return penalty


def like(targets: Any, predictions: Any) -> Any:
    """Targets as numbers of the predictions' dtype, so that an integer or float64 target does not change it."""
    targets = operand(unknown_while_traced(targets))
    if is_traced(targets):
        return targets.astype(predictions.dtype) if predictions.dtype.kind == "f" else targets
    if isinstance(targets, Tensor) and targets.requires_grad:
        return targets
    y = targets.array if isinstance(targets, Tensor) else targets
    dtype = getattr(predictions, "dtype", y.dtype)
    return y.astype(dtype, copy=False) if dtype.kind == "f" else y


def shares(targets: Any, predictions: Any) -> Any:
    """Targets of a binary cross-entropy: numbers in [0, 1]."""
    y = like(targets, predictions)
    if is_traced(y):
        y.require(check_shares)
        return y
    values = y.array if isinstance(y, Tensor) else y
    check_shares(values)
    return y


def check_shares(values: Any) -> None:
    """Refuse targets that are no shares."""
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise DataError(f"targets of a binary cross-entropy lie in [0, 1], these from {values.min()} to {values.max()}")


class Loss(Module):
    """A loss as a module: ``reduction`` is ``"mean"`` or ``"sum"``.

    ``name`` is its short name, ``output`` the activation that turns logits into what it takes (``None``: it takes logits).
    """

    name: str
    output: str | None = None

    def __init__(self, reduction: str = "mean") -> None:
        divisor(reduction, 1)  # refuses unknown names
        self.reduction = reduction

    def describe(self) -> str:
        return f"reduction={self.reduction!r}"


class CrossEntropyLoss(Loss):
    """:func:`cross_entropy` as a module."""

    name = "cross_entropy"

    def forward(self, logits: Any, labels: Any) -> Any:
        """The loss of logits against labels."""
        return cross_entropy(logits, labels, reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    """:func:`binary_cross_entropy_with_logits` as a module."""

    name = "bce"

    def forward(self, logits: Any, targets: Any) -> Any:
        """The loss of logits against targets."""
        return binary_cross_entropy_with_logits(logits, targets, reduction=self.reduction)


class MSELoss(Loss):
    """:func:`mse_loss` as a module."""

    name = "mse"

    def forward(self, predictions: Any, targets: Any) -> Any:
        """The loss of predictions against targets."""
        return mse_loss(predictions, targets, reduction=self.reduction)


class CrossEntropyProbabilitiesLoss(Loss):
    """:func:`cross_entropy_probabilities` as a module."""

    name = "cross_entropy_probabilities"
    output = "softmax"

    def __init__(self, reduction: str = "mean", eps: float = EPS) -> None:
        super().__init__(reduction)
        self.eps = eps

    def forward(self, p: Any, labels: Any) -> Any:
        """The loss of probabilities against labels."""
        return cross_entropy_probabilities(p, labels, eps=self.eps, reduction=self.reduction)


class BCELoss(Loss):
    """:func:`binary_cross_entropy` as a module."""

    name = "bce_probabilities"
    output = "sigmoid"

    def __init__(self, reduction: str = "mean", eps: float = EPS) -> None:
        super().__init__(reduction)
        self.eps = eps

    def forward(self, p: Any, targets: Any) -> Any:
        """The loss of probabilities against targets."""
        return binary_cross_entropy(p, targets, eps=self.eps, reduction=self.reduction)


LOSSES: dict[str, type[Loss]] = {
    loss.name: loss for loss in (CrossEntropyLoss, BCEWithLogitsLoss, MSELoss, CrossEntropyProbabilitiesLoss, BCELoss)
}

FUNCTIONS: dict[str, type[Loss]] = {
    mse_loss.__name__: MSELoss,
    binary_cross_entropy_with_logits.__name__: BCEWithLogitsLoss,
    binary_cross_entropy.__name__: BCELoss,
}
"""The losses whose functions have a longer name, which :func:`loss_named` takes too."""


def loss_named(name: str, reduction: str = "mean") -> Loss:
    """A new loss module of that name, or of the name of its function.

    >>> loss_named("mse"), loss_named("mse_loss")
    (MSELoss(reduction='mean'), MSELoss(reduction='mean'))

    Raises
    ------
    UnknownNameError
        With the nearest names.
    """
    known = LOSSES | FUNCTIONS
    if name not in known:
        raise did_you_mean("loss", name, known)
    return known[name](reduction)
