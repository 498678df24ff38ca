"""Optimisers: what turns gradients into a change of the parameters. Under PyTorch's names."""

from .clipping import clip_grad_norm
from .methods import SGD, Adagrad, Adam, AdamW, RMSprop
from .optimizer import Optimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "clip_grad_norm"]
