"""Gradients made smaller before a step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..errors import SettingError, TensorTypeError
from ..tensor import Tensor

__all__ = ["clip_grad_norm"]


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
