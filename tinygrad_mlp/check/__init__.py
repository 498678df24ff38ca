"""Gradients compared: the engine's against the manual backprop's bit for bit, and both against two further witnesses.

Witnesses of the gradient of one loss:

1. the engine: the table of rules, read along the graph;
2. the manual backprop: :mod:`tinygrad_mlp.manual`, which shares no code with the engine. Equal bits are asked of it;
3. numeric: central differences in float64, on a sample of entries;
4. HIPS autograd, where installed, in float64.

The last two cannot agree in every bit; they are compared, in float64 at the same weights, by the relative difference
‖a − b‖ / max(‖b‖, 10⁻⁴ |L|); below that size a gradient drowns in the rounding of the loss.

For any function: :func:`gradcheck` compares its gradients with differences, and names the operation whose rule is wrong;
:func:`explain` takes one number of a gradient apart, into the terms that add up to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..derivative import gradients
from ..doctor import Cause, Diagnosis, diagnose
from ..errors import DataError, ShapeError
from ..nn.losses import Loss
from ..nn.module import Module
from .explain import Explanation, explain
from .gradcheck import gradcheck
from .measures import numeric_gradient, relative_difference, same_bits, ulps
from .report import Comparison, Fault, Finding, GradientCheck, Row, compare_gradients
from .witnesses import as_loss, hear, loss_of, manual_backprop, manual_names

__all__ = [
    "Cause",
    "Comparison",
    "Diagnosis",
    "Explanation",
    "Fault",
    "Finding",
    "GradientCheck",
    "Row",
    "compare",
    "compare_gradients",
    "diagnose",
    "explain",
    "gradcheck",
    "loss_of",
    "manual_backprop",
    "manual_names",
    "numeric_gradient",
    "relative_difference",
    "same_bits",
    "ulps",
]


def compare(
    model: Module,
    loss: str | Loss,
    X: ArrayLike,
    y: ArrayLike,
    *,
    l2: float = 0.0,
    witnesses: bool = True,
    entries: int = 8,
    seed: int = 0,
) -> Comparison:
    """Compute the gradients of an MLP's loss by the engine and by the manual backprop, and compare them bit for bit.

    Parameters
    ----------
    model : nn.MLP, or an nn.Sequential that is one
    loss : a name (cross_entropy, bce, mse, cross_entropy_probabilities, bce_probabilities) or a loss module
    X, y : a batch, (m, n) and labels or targets; X is taken in the dtype of the parameters
    l2 : adds (l2 / 2) Σ ‖W‖² to the loss
    witnesses : also compare with central differences and, where installed, HIPS autograd, in float64
    entries, seed : how many entries of each parameter are differentiated numerically, half of them the largest, half random

    Returns
    -------
    A :class:`Comparison`. The model's ``.grad`` and data are not touched.

    Examples
    --------
    >>> from tinygrad_mlp import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.MLP([4, 5, 3], rng=rng)
    >>> report = compare(model, "cross_entropy", rng.standard_normal((6, 4)), [0, 1, 2, 0, 1, 2], witnesses=False)
    >>> print(report)
    parameter  in the model    shape  equal bits  ULPs
    ──────────────────────────────────────────────────
    W1         linear1.weight  4 × 5  yes         0
    b1         linear1.bias    5      yes         0
    W2         linear2.weight  5 × 3  yes         0
    b2         linear2.bias    3      yes         0
    <BLANKLINE>
    All 4 gradients agree: engine and manual backprop are equal bit for bit.
    >>> report.ok
    True
    """
    named = manual_names(model)
    dtype = next(iter(named.values())).dtype
    batch, targets = np.asarray(X, dtype), np.asarray(y)
    if batch.ndim != 2 or not len(batch):
        raise ShapeError(f"compare() needs a batch of rows, (m, n) with m from 1 up, not shape {batch.shape}")
    if not np.isfinite(batch).all():
        raise DataError("compare() needs finite numbers, but X holds NaN or infinity: nothing can be said of gradients there")
    if as_loss(loss).name in ("bce", "bce_probabilities", "mse"):
        targets = targets.astype(dtype)
    value = loss_of(model, loss, batch, targets, l2)
    engine = dict(zip(named, gradients(value, list(named.values())), strict=True))
    by_hand = manual_backprop(model, loss, batch, targets, l2)
    paths = {name: path for path, p in model.named_parameters() for name, q in named.items() if p is q}
    rows = compare_gradients(engine, by_hand.gradients, paths)
    if witnesses:
        rows = [
            row._replace(**heard) for row, heard in zip(rows, hear(model, loss, batch, targets, l2, entries, seed), strict=True)
        ]
    return Comparison(rows, float(value), by_hand.loss)
