"""Schedules: the learning rate as a function of the epoch, each in closed form. Under PyTorch's names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import SettingError, ShapeError, TensorTypeError, did_you_mean, in_short
from .optimizer import Optimizer, plain

__all__ = ["CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "StepLR"]


class LRScheduler:
    """The base of all schedules. A schedule of one's own is ``lr_at``, the learning rate after n calls of ``step()``.

    η₀, ``base_lr``, is the learning rate that the optimiser has when the schedule is made. The optimiser then gets ``lr_at(0)``,
    and at each ``step()`` the next one, whatever it was set to in between. Optimisers and compiled steps read it at each step.

    Parameters
    ----------
    optimizer : Optimizer
        Whose ``lr`` is set.
    **numbers : float
        The settings of the schedule, which become its attributes.

    Attributes
    ----------
    base_lr : η₀
    last_epoch : how often ``step()`` has been called

    Raises
    ------
    SettingError, TensorTypeError
        For what is no optimiser, has no learning rate, and for numbers out of range. The optimiser is as it was then.

    Examples
    --------
    >>> from tinygrad_mlp import nn, optim
    >>> class Linear(LRScheduler):
    ...     def lr_at(self, n):
    ...         return self.base_lr * max(1 - n / 10, 0)
    >>> optimizer = optim.SGD(nn.Linear(2, 1, rng=0).parameters(), lr=0.5)
    >>> schedule = Linear(optimizer)
    >>> schedule.step()
    >>> optimizer.lr
    0.45
    """

    base_lr: float

    def __init__(self, optimizer: Optimizer, **numbers: float) -> None:
        kind = type(self).__name__
        if not isinstance(optimizer, Optimizer):
            raise TensorTypeError(
                f"{kind} takes an optimiser of tg.optim (got {in_short(optimizer)}): give the optimiser, {kind}(optimizer, …)"
            )
        if "lr" not in optimizer.numbers:
            raise SettingError(f"{kind} sets the lr of an optimiser, and {type(optimizer).__name__} has none")
        self.optimizer, self.settings = optimizer, tuple(numbers)
        self.base_lr, self.last_epoch = float(optimizer.lr), 0
        for name, value in numbers.items():
            setattr(self, name, self.checked(name, value))
        optimizer.lr = self.valid_lr(0)

    def checked(self, name: str, value: Any) -> float:
        """A setting, refused if it is out of its range; subclasses know the ranges."""
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise TensorTypeError(f"{type(self).__name__}: {name} must be a number (got {value!r})")
        if not math.isfinite(value) or value < 0:
            raise SettingError(f"{type(self).__name__}: {name} must be a number from 0 up (got {value!r})")
        return float(value)

    def whole(self, name: str, value: Any) -> int:
        """A setting that counts epochs: a whole number from 1 up."""
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < 1:
            raise SettingError(f"{type(self).__name__}: {name} must be a whole number of epochs from 1 up (got {value!r})")
        return int(value)

    def lr_at(self, n: int) -> float:
        """The learning rate after n steps of the schedule, a pure function; written by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no lr_at: write def lr_at(self, n): …")

    def valid_lr(self, n: int) -> float:
        """``lr_at(n)``; refused if it is no learning rate."""
        try:
            lr = self.lr_at(n)
        except OverflowError as error:
            raise SettingError(f"{type(self).__name__}: lr_at({n}) leaves the range of floats: {error}") from error
        if not isinstance(lr, (int, float, np.integer, np.floating)) or not math.isfinite(lr) or lr < 0:
            raise SettingError(f"{type(self).__name__}: a learning rate is a number from 0 up, but lr_at({n}) is {lr!r}")
        return float(lr)

    def step(self) -> None:
        """Count one epoch (or batch, if that is what the schedule counts) and set the learning rate of the optimiser."""
        self.optimizer.lr = self.valid_lr(self.last_epoch + 1)
        self.last_epoch += 1

    # --- state ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, float]:
        """The settings, η₀ and the count, by name; save it with ``np.savez(path, **schedule.state_dict())``."""
        return {name: getattr(self, name) for name in (*self.settings, "base_lr", "last_epoch")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the schedule was whose ``state_dict`` this is; its learning rate is given to the optimiser.

        Raises
        ------
        UnknownNameError, ShapeError, SettingError, TensorTypeError
            For a foreign or missing name, a number out of range. Nothing has been changed then.
        """
        kind, known = type(self).__name__, (*self.settings, "base_lr", "last_epoch")
        for name in state:
            if name not in known:
                raise did_you_mean(f"entry of the state of {kind}", name, known)
        if missing := [name for name in known if name not in state]:
            raise ShapeError(f"the state has no {', '.join(missing)}: it is not one of {kind}")
        new: dict[str, Any] = {name: self.checked(name, plain(state[name])) for name in self.settings}
        new["base_lr"] = LRScheduler.checked(self, "base_lr", plain(state["base_lr"]))
        count = plain(state["last_epoch"])
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
            raise SettingError(f"{kind}: last_epoch must be a whole number from 0 up (got {count!r})")
        before = dict(vars(self))
        vars(self).update(new, last_epoch=int(count))
        try:
            self.optimizer.lr = self.valid_lr(self.last_epoch)
        except BaseException:
            vars(self).update(before)
            raise

    def __repr__(self) -> str:
        told = "".join(f", {name}={getattr(self, name):g}" for name in self.settings)
        return f"{type(self).__name__}(base_lr={self.base_lr:g}{told}): lr {self.optimizer.lr:g} after {self.last_epoch} steps"


class StepLR(LRScheduler):
    """A learning rate that is multiplied by γ after every ``step_size`` epochs: η(n) = η₀ γ^⌊n / step_size⌋.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        How many epochs the learning rate stays the same, from 1 up.
    gamma : float
        The factor γ ≥ 0.

    Examples
    --------
    >>> from tinygrad_mlp import nn, optim
    >>> schedule = StepLR(optim.SGD(nn.Linear(2, 1, rng=0).parameters(), lr=0.8), step_size=2, gamma=0.5)
    >>> [schedule.lr_at(n) for n in range(6)]
    [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    """

    step_size: int
    gamma: float

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer, step_size=step_size, gamma=gamma)

    def checked(self, name: str, value: Any) -> float:
        return self.whole(name, value) if name == "step_size" else super().checked(name, value)

    def lr_at(self, n: int) -> float:
        return self.base_lr * self.gamma ** (n // self.step_size)


class ExponentialLR(LRScheduler):
    """A learning rate that is multiplied by γ after every epoch: η(n) = η₀ γⁿ.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
        The factor γ ≥ 0.

    Examples
    --------
    >>> from tinygrad_mlp import nn, optim
    >>> schedule = ExponentialLR(optim.SGD(nn.Linear(2, 1, rng=0).parameters(), lr=0.8), gamma=0.5)
    >>> [schedule.lr_at(n) for n in range(4)]
    [0.8, 0.4, 0.2, 0.1]
    """

    gamma: float

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        super().__init__(optimizer, gamma=gamma)

    def lr_at(self, n: int) -> float:
        return self.base_lr * self.gamma**n


class CosineAnnealingLR(LRScheduler):
    """Half a period of a cosine, from η₀ to ``eta_min`` in T_max epochs: η(n) = η_min + (η₀ − η_min) (1 + cos(π n / T_max)) / 2.

    After T_max the cosine goes on: the learning rate rises again, and is η₀ after 2 T_max epochs, as in PyTorch. So train for T_max
    epochs.

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        In how many epochs the least learning rate is reached, from 1 up.
    eta_min : float
        The least learning rate η_min ≥ 0.

    Examples
    --------
    >>> from tinygrad_mlp import nn, optim
    >>> schedule = CosineAnnealingLR(optim.SGD(nn.Linear(2, 1, rng=0).parameters(), lr=1.0), T_max=4)
    >>> [round(schedule.lr_at(n), 4) for n in range(5)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0]

    Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", equation 5, without restarts.
    """

    T_max: int
    eta_min: float

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        super().__init__(optimizer, T_max=T_max, eta_min=eta_min)

    def checked(self, name: str, value: Any) -> float:
        return self.whole(name, value) if name == "T_max" else super().checked(name, value)

    def lr_at(self, n: int) -> float:
        return self.eta_min + (self.base_lr - self.eta_min) * (1 + math.cos(math.pi * n / self.T_max)) / 2


class LambdaLR(LRScheduler):
    """η₀ times a function of the number of epochs: η(n) = η₀ f(n). The function is not part of the state that is saved.

    The decay of older texts, η(n) = η₀ / (1 + k n), is ``LambdaLR(optimizer, lambda n: 1 / (1 + k * n))``; a linear warm-up over 5
    epochs is ``lambda n: min((n + 1) / 5, 1.0)``.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : function of an int
        f; its values are numbers from 0 up.

    Examples
    --------
    >>> from tinygrad_mlp import nn, optim
    >>> schedule = LambdaLR(optim.SGD(nn.Linear(2, 1, rng=0).parameters(), lr=0.6), lambda n: 1 / (1 + 0.5 * n))
    >>> [round(schedule.lr_at(n), 4) for n in range(4)]
    [0.6, 0.4, 0.3, 0.24]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]) -> None:
        if not callable(lr_lambda):
            raise TensorTypeError(f"LambdaLR takes a function of the number of epochs (got {lr_lambda!r}): lambda n: 1 / (1 + n)")
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def lr_at(self, n: int) -> float:
        factor = self.lr_lambda(n)
        if not isinstance(factor, (int, float, np.integer, np.floating)):
            raise TensorTypeError(f"LambdaLR: lr_lambda({n}) must be a number (got {factor!r})")
        return float(self.base_lr * factor)
