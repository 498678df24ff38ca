"""A training as it runs: the loop that one would write by hand, and what is recorded of each epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from .. import compiler
from ..data import batches
from ..errors import DataError, GraphError, describe
from ..graph import CLOCK
from ..history import History
from ..nn import Module
from ..nn.prediction import called, mode
from ..optim import LRScheduler, Optimizer, clip_grad_norm
from ..tensor import Tensor
from .evaluation import LossFunction, Part, measured, one_number
from .metrics import Metric
from .progress import Steps
from .rehearsal import check_trained, warn_of_probabilities

__all__ = ["Run"]

Step: TypeAlias = Callable[[Any, Any], float]


@dataclass
class Run:
    """A model, how it is trained, and on what: everything is checked already."""

    model: Module
    optimizer: Optimizer
    loss: LossFunction
    training: Part
    validation: Part | None
    metrics: dict[str, Metric]
    schedule: LRScheduler | None
    batch_size: int
    clip_norm: float | None
    drop_last: bool
    running: bool
    history: History
    steps: Steps = field(init=False)

    def __post_init__(self) -> None:
        m = len(self.training.X)
        self.steps = Steps(m // self.batch_size if self.drop_last else -(-m // self.batch_size))
        if not self.steps.total:
            raise DataError(f"{m} training rows are no whole batch of {self.batch_size}, and drop_last leaves out smaller ones")

    # --- a step -----------------------------------------------------------------------------------------------------

    def step(self, X: Any, y: Any) -> float:
        """One step of gradient descent; returns the loss before it. Where that is not finite, nothing is changed."""
        self.optimizer.zero_grad()
        loss = self.loss(self.model(X), y)
        value = float(loss)
        if math.isfinite(value):
            loss.backward()
            if self.clip_norm is not None:
                clip_grad_norm(self.optimizer.parameters, self.clip_norm)
            self.optimizer.step()
        return value

    def compiled(self, exact: bool) -> Step:
        """The same as a program, which changes the parameters also where the loss is not finite."""
        model, loss = self.model, self.loss
        return compiler.compile(lambda X, y: loss(model(X), y), self.optimizer, clip_norm=self.clip_norm, exact=exact)

    # --- an epoch ---------------------------------------------------------------------------------------------------

    def epoch(self, number: int, step: Step, rng: np.random.Generator | None) -> dict[str, float]:
        """Train for one epoch, and record what came of it."""
        mean = self.trained(number, step, rng)
        values = ({"train_loss": mean} if self.running else {}) | self.measured()
        if self.schedule is not None:
            values["lr"] = self.optimizer.lr
        self.history.record(epoch=number, **values)
        if not math.isfinite(values["train_loss"]):
            raise self.diverged(f"the training loss after epoch {number} is {values['train_loss']}")
        if self.schedule is not None:
            self.schedule.step()
        return values

    def trained(self, number: int, step: Step, rng: np.random.Generator | None) -> float:
        """The steps of one epoch; returns the mean of their losses, weighted by rows."""
        self.model.train()
        steps, total, seen = self.steps, 0.0, 0
        steps.start(number)
        for X, y in batches(*self.training, self.batch_size, rng, drop_last=self.drop_last):
            try:
                loss = step(X, y)
            except Exception as error:
                error.add_note(f"in step {steps.done + 1} of epoch {number}{self.with_lr}")
                raise
            if not math.isfinite(loss):
                raise self.diverged(f"the loss of step {steps.done + 1} of epoch {number} is {loss}")
            steps.advance(loss)
            total += loss * len(X)
            seen += len(X)
        return total / seen

    def diverged(self, what: str) -> DataError:
        """The error for a loss that is NaN or infinite."""
        return DataError(
            f"training diverged: {what}{self.with_lr}; choose a smaller lr or clip_norm=1.0, or see with "
            f"tg.detect_anomaly() which operation made it"
        )

    @property
    def with_lr(self) -> str:
        """The learning rate of now, in words; an optimiser of one's own need not have one."""
        return f", with lr {self.optimizer.lr:g}" if "lr" in self.optimizer.numbers else ""

    # --- what is recorded -------------------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The series that will be recorded."""
        quantities = ["loss", *self.metrics]
        return [
            *(f"train_{name}" for name in (["loss"] if self.running else quantities)),
            *(f"validation_{name}" for name in quantities if self.validation is not None),
            *(["lr"] if self.schedule is not None else []),
        ]

    def measured(self) -> dict[str, float]:
        """Loss and metrics of the model as it is, on each part of the data."""
        parts = {"train": None if self.running else self.training, "validation": self.validation}
        return {
            f"{part}_{name}": value
            for part, data in parts.items()
            if data is not None
            for name, value in measured(self.model, data, self.loss, self.metrics).items()
        }

    def rehearsed(self) -> dict[str, float]:
        """What is measured before the first step, so that what does not fit together is refused before anything changes."""
        values, since = self.measured(), next(CLOCK)
        X, y = (a[: self.batch_size] for a in self.training)
        with mode(self.model, training=False):  # so that no random numbers are drawn
            loss = self.loss(called(self.model, X), y)
        value = values.get("train_loss", one_number("the loss", loss))
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise GraphError(
                f"the loss has no graph to differentiate (it is {describe(loss)}): compute it from the outputs by functions of tg "
                f"or NumPy, without float() and .numpy(), and call fit outside of tg.no_grad()"
            )
        check_trained(loss, self.model, self.loss, self.optimizer, since)
        if not math.isfinite(value):
            raise DataError(f"the training loss is {value} before the first step: look for NaN or infinity in X, y, parameters")
        warn_of_probabilities(loss, stacklevel=3)  # at the line that calls fit
        return values
