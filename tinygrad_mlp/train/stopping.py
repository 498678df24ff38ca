"""Early stopping: the end of a training that no longer gets better, and the way back to its best epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SettingError, TensorTypeError, did_you_mean
from ..nn import Module
from .metrics import FALLING, RISING

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """Stop when a series of the record has not got better for ``patience`` epochs: ``fit(…, stop=EarlyStopping())``.

    An epoch is better if its value is below the best one by more than ``min_delta`` (above it, for ``mode="max"``); NaN never is.
    The state before the first epoch counts as epoch 0. The object is set back at the start of each ``fit``.

    Parameters
    ----------
    monitor : str
        A series that ``fit`` records: ``"validation_loss"``, ``"train_loss"``, ``"validation_accuracy"`` …
    patience : int
        After how many epochs in a row that are not better to stop, from 1 up.
    min_delta : float
        What counts as no difference, from 0 up.
    restore_best : bool
        Whether the model gets back the parameters of the best epoch when ``fit`` ends, stopped or not. The optimiser's state stays
        that of the last epoch. An interrupted ``fit`` leaves the parameters of now; then :meth:`restore` may be called.
    mode : ``"auto"``, ``"min"`` or ``"max"``
        Whether less or more is better. ``"auto"`` knows names that end in loss or error, and in accuracy or r2_score.

    Attributes
    ----------
    best : the best value, NaN before there is one
    best_epoch : its epoch, or None
    stopped_epoch : the epoch after which the training was stopped, None if it was not

    Raises
    ------
    SettingError, TensorTypeError
        For a patience, a min_delta or a mode out of range, a name of which "auto" does not know the direction.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> from tinygrad_mlp import nn, optim
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((40, 5)); y = rng.standard_normal((40, 1))          # noise: nothing can be learned
    >>> model = nn.MLP([5, 32, 1], dtype=np.float64, rng=0)
    >>> stop = EarlyStopping(patience=3)
    >>> history = tg.fit(model, X, y, loss="mse", optimizer=optim.SGD(model.parameters(), lr=0.02), epochs=500,
    ...                  validation_split=0.5, stop=stop, rng=1, progress=False)
    >>> stop.stopped_epoch - stop.best_epoch
    3
    >>> float(history["validation_loss"].min()) == stop.best
    True
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
        mode: str = "auto",
    ) -> None:
        if isinstance(patience, bool) or not isinstance(patience, (int, np.integer)) or patience < 1:
            raise SettingError(f"EarlyStopping: patience must be a whole number of epochs from 1 up (got {patience!r})")
        if not isinstance(min_delta, (int, float, np.integer, np.floating)) or not 0 <= min_delta < math.inf:
            raise SettingError(f"EarlyStopping: min_delta must be a number from 0 up (got {min_delta!r})")
        if not isinstance(monitor, str):
            raise TensorTypeError(f"EarlyStopping: monitor is the name of a series, as 'validation_loss' (got {monitor!r})")
        if mode not in ("auto", "min", "max"):
            raise did_you_mean("mode of EarlyStopping", mode, ("auto", "min", "max"))
        self.monitor, self.patience, self.min_delta = monitor, int(patience), float(min_delta)
        self.restore_best, self.mode = bool(restore_best), direction(monitor) if mode == "auto" else mode
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self.best, self.waited = math.nan, 0
        self.best_epoch: int | None = None
        self.stopped_epoch: int | None = None
        self.best_state: dict[str, NDArray[Any]] | None = None

    def check(self, names: Iterable[str]) -> None:
        """Refuse a monitor that is not among the series that will be recorded."""
        if self.monitor not in (known := list(names)):
            error = did_you_mean("series", self.monitor, known)
            if self.monitor.startswith("validation_"):
                error = type(error)(f"{error}. Give validation_data or validation_split to have validation_…")
            raise error

    def start(self, epoch: int, values: Mapping[str, float], model: Module) -> None:
        """Forget what was seen, and see the state before the first epoch."""
        self.reset()
        self.note_best(epoch, values, model)

    def observe(self, epoch: int, values: Mapping[str, float], model: Module) -> bool:
        """See the record of an epoch; whether to stop now."""
        if self.note_best(epoch, values, model):
            self.waited = 0
            return False
        self.waited += 1
        if self.waited < self.patience:
            return False
        self.stopped_epoch = epoch
        return True

    def note_best(self, epoch: int, values: Mapping[str, float], model: Module) -> bool:
        """Note a record, with a copy of the parameters, if it is the best so far; whether it is."""
        value = values.get(self.monitor, math.nan)  # before the first epoch not every series has a value
        gain = self.best - value if self.mode == "min" else value - self.best
        if math.isnan(value) or not (self.best_epoch is None or gain > self.min_delta):
            return False
        self.best, self.best_epoch = value, epoch
        if self.restore_best:
            self.best_state = model.state_dict()
        return True

    def restore(self, model: Module) -> None:
        """Give the model the parameters of the best epoch, if there are any."""
        if self.best_state is not None:
            model.load_state_dict(self.best_state)

    def __repr__(self) -> str:
        found = "nothing seen yet" if self.best_epoch is None else f"best {self.best:.4g} at epoch {self.best_epoch}"
        end = f", stopped after epoch {self.stopped_epoch}" if self.stopped_epoch is not None else ""
        return f"EarlyStopping({self.monitor!r}, patience={self.patience}, mode={self.mode!r}): {found}{end}"


def direction(monitor: str) -> str:
    """Whether less or more of a quantity is better, by its name."""
    if monitor.endswith(FALLING):
        return "min"
    if monitor.endswith(RISING):
        return "max"
    raise SettingError(f"EarlyStopping: is less or more of {monitor!r} better? write mode='min' or mode='max'")
