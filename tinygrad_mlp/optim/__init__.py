"""Optimisers and schedules: what turns gradients into a change of the parameters. Under PyTorch's names."""

from typing import TYPE_CHECKING, Any

from ..errors import no_attribute
from .clipping import clip_grad_norm
from .methods import SGD, Adagrad, Adam, AdamW, RMSprop
from .optimizer import Optimizer
from .schedules import CosineAnnealingLR, ExponentialLR, LambdaLR, LRScheduler, StepLR

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "Optimizer",
    "RMSprop",
    "StepLR",
    "clip_grad_norm",
]

if not TYPE_CHECKING:  # a type checker itself reports names that are not here

    def __getattr__(name: str) -> Any:
        raise no_attribute(__name__, name, __all__)
