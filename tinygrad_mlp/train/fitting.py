"""fit: mini-batch training from end to end, with everything checked before it begins."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..data import split
from ..errors import SettingError, TensorTypeError, in_short
from ..history import History
from ..nn import Module
from ..nn.init import RNG
from ..nn.prediction import mode
from ..optim import LRScheduler, Optimizer
from .evaluation import LossFunction, Part, check_batch_size, check_model, loss_function, part, threshold_for
from .metrics import Metric, metrics_named
from .progress import Progress
from .run import Run
from .stopping import EarlyStopping

__all__ = ["fit"]


def fit(
    model: Module,
    X: ArrayLike,
    y: ArrayLike,
    *,
    loss: LossFunction | str,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int = 32,
    validation_split: float = 0.0,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    metrics: Iterable[str] | Mapping[str, Metric] = (),
    schedule: LRScheduler | None = None,
    stop: EarlyStopping | None = None,
    clip_norm: float | None = None,
    shuffle: bool = True,
    drop_last: bool = False,
    rng: RNG = None,
    running: bool = False,
    compile: bool | Literal["exact"] = False,
    progress: bool = True,
    history: History | None = None,
) -> History:
    """Train a model on mini-batches for a number of epochs, and record what came of each.

    An epoch is this loop, in these bits (``data`` is :mod:`tinygrad_mlp.data`)::

        for X_batch, y_batch in data.batches(X, y, batch_size, rng, drop_last=drop_last):
            optimizer.zero_grad()
            loss(model(X_batch), y_batch).backward()
            optim.clip_grad_norm(optimizer.parameters, clip_norm)      # with clip_norm
            optimizer.step()

    After it loss and metrics are measured in evaluation mode on the training data, as ``train_loss``, ``train_accuracy`` …, and on
    the validation data, as ``validation_loss`` …; before the first epoch as well, as epoch 0. Then the schedule makes its step,
    and ``stop`` decides. At the end each module is again in the mode, training or evaluation, in which it was.

    Parameters
    ----------
    model : Module
    X, y : arrays with a sample in each row
    loss : function of the outputs and the y of a batch, a loss module, or its name (``"cross_entropy"``, ``"mse"`` …)
    optimizer : an optimiser of the model's parameters
    epochs, batch_size : int
        The last batch of an epoch is smaller if the rows do not divide; with ``drop_last`` it is left out.
    validation_split : float
        The fraction of the rows that is held out, drawn at random by ``rng`` before the first epoch. To go on with a history, the
        rows must be the same: ``rng`` must then be a seed.
    validation_data : (X, y), optional
        Or the validation data themselves.
    metrics : names, or a dict of functions
        ``["accuracy"]``; or ``{"name": f}`` with f(outputs, y) → a number, for arrays of all outputs and all y of a part. For
        accuracy of one output a sample the threshold is 0, or 0.5 where the loss is a binary cross-entropy of probabilities.
    schedule : a schedule of :mod:`tinygrad_mlp.optim`, of the same optimiser
        Its step is made after each epoch, also the last; ``lr`` in the record is that of the epoch.
    stop : EarlyStopping, optional
    clip_norm : float, optional
        Scale the gradients of a step together so that their norm is at most this.
    shuffle : bool
        Draw a new order in each epoch, by ``rng``; else the rows stay in order.
    rng : Generator or int, optional
        What draws the held-out rows and the orders, or its seed. Dropout draws from its own.
    running : bool
        Record as ``train_loss`` the mean of the losses of the batches, each before its update and weighted by its rows. It costs no
        pass over the training data, lags behind the model and includes dropout. There are no metrics of the training data then.
    compile : bool or ``"exact"``
        Make the steps with :func:`tinygrad_mlp.compile`: faster, the same numbers up to rounding, with ``"exact"`` the same bits.
    progress : bool
        A live view: in a terminal the table of ``history.live`` and a bar of the steps, elsewhere a line for each record.
    history : History, optional
        The record to go on with, from its last epoch; by default a new one.

    Returns
    -------
    History
        With a record for epoch 0 (unless ``history`` has records) and for each epoch.

    Raises
    ------
    TensorTypeError, ShapeError, SettingError, DataError, GraphError, UnknownNameError
        For what does not fit together, and for a loss that depends on a tensor which requires gradients and which nobody would
        train; no parameter, state, record or random number has been touched then. DataError as well if a
        loss becomes NaN or infinite: model, optimiser and ``history`` are then as the steps before have left them. A compiled step
        knows its loss only after it has changed the parameters. What only a training step meets (a TraceError of ``compile``, a
        Dropout that is given whole numbers) comes in the first one, when epoch 0 has been recorded.

    Warns
    -----
    UserWarning
        If a loss that takes logits is given what a softmax or a sigmoid returns.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_mlp import nn, optim
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((400, 2)); y = (X[:, 0] * X[:, 1] > 0).astype(int)
    >>> model = nn.MLP([2, 32, 2], dtype=np.float64, rng=0)
    >>> history = fit(model, X, y, loss=nn.cross_entropy, optimizer=optim.Adam(model.parameters(), lr=0.02), epochs=3,
    ...               validation_split=0.25, metrics=["accuracy"], rng=0)
    epoch 0/3  loss 0.7496 (train) 0.8539 (validation)  accuracy 65.00% (train) 58.00% (validation)
    epoch 1/3  loss 0.2415 (train) 0.2355 (validation)  accuracy 94.00% (train) 96.00% (validation)
    epoch 2/3  loss 0.1662 (train) 0.1832 (validation)  accuracy 97.00% (train) 97.00% (validation)
    epoch 3/3  loss 0.1344 (train) 0.1363 (validation)  accuracy 97.00% (train) 97.00% (validation)
    """
    check_model(model)
    check_optimizer(model, optimizer, schedule)
    check_options(epochs=epochs, batch_size=batch_size, clip_norm=clip_norm, compile=compile)
    generator = generator_of(rng)
    drawn = copy.deepcopy(generator)  # what is refused below leaves the generator as it was
    training, validation = parts(X, y, validation_split, validation_data, drawn)
    if validation_split and history is not None and len(history) and not isinstance(rng, (int, np.integer)):
        raise SettingError(
            "going on with a history, validation_split would draw other rows, and train on those that were held out before: "
            "hold rows out once with tg.data.split and give validation_data, or give the same seed as rng"
        )
    run = Run(
        model, optimizer, loss_function(loss), training, validation, metrics_named(metrics, threshold_for(loss)), schedule,
        int(batch_size), clip_norm, drop_last, running, history_to_go_on_with(history),
    )  # fmt: skip
    if stop is not None:
        check_stop(stop, run.names)
    step = run.compiled(exact=compile == "exact") if compile else run.step
    start = run.rehearsed()
    generator.bit_generator.state = drawn.bit_generator.state

    history, first = run.history, math.floor(run.history.at[-1]) if len(run.history) else 0
    last = first + int(epochs)
    view = Progress(history, last, run.steps) if progress else contextlib.nullcontext()
    with view, mode(model, training=True), np.errstate(over="ignore", invalid="ignore"):  # divergence is reported in words
        if start and not len(history):
            history.record(epoch=0, **start)
        if stop is not None:
            stop.start(first, start, model)
        for epoch in range(first + 1, last + 1):
            values = run.epoch(epoch, step, generator if shuffle else None)
            if stop is not None and stop.observe(epoch, values, model):
                break
    if stop is not None and stop.restore_best:
        stop.restore(model)
    return history


# --- what is refused, before anything changes -----------------------------------------------------------------------------


def check_optimizer(model: Module, optimizer: Any, schedule: Any) -> None:
    """Refuse an optimiser that does not train this model, and a schedule of another optimiser."""
    if not isinstance(optimizer, Optimizer):
        raise TensorTypeError(
            f"optimizer is an optimiser of tg.optim (got {in_short(optimizer)}): optim.SGD(model.parameters(), lr=0.1)"
        )
    trained = dict.fromkeys(optimizer.parameters)
    if not any(p in trained for p in model.parameters()):
        raise SettingError("the optimiser changes no parameter of this model: make it with model.parameters()")
    if schedule is None:
        return
    if not isinstance(schedule, LRScheduler):
        raise TensorTypeError(
            f"schedule is a schedule of tg.optim (got {in_short(schedule)}): optim.StepLR(optimizer, step_size=10)"
        )
    if schedule.optimizer is not optimizer:
        raise SettingError("the schedule sets the learning rate of another optimiser: make it with the one given here")


def check_options(*, epochs: Any, batch_size: Any, clip_norm: Any, compile: Any) -> None:
    """Refuse numbers out of range."""
    check_batch_size(batch_size)
    if isinstance(epochs, bool) or not isinstance(epochs, (int, np.integer)) or epochs < 1:
        raise SettingError(f"epochs must be a whole number from 1 up (got {epochs!r})")
    if clip_norm is not None and not (isinstance(clip_norm, (int, float, np.integer, np.floating)) and clip_norm > 0):
        raise SettingError(f"clip_norm must be a number above 0, or None (got {clip_norm!r})")
    if not (isinstance(compile, bool) or (isinstance(compile, str) and compile == "exact")):
        raise SettingError(f"compile must be True, False or 'exact' (got {compile!r})")


def generator_of(rng: RNG) -> np.random.Generator:
    """The generator, or a new one from a seed."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise SettingError(f"rng must be a seed or np.random.default_rng(seed) (got {rng!r})") from error


def parts(X: Any, y: Any, fraction: Any, given: Any, rng: np.random.Generator) -> tuple[Part, Part | None]:
    """The training and the validation data, which are given or drawn."""
    training = part("", X, y)
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float, np.integer, np.floating)) or not 0 <= fraction < 1:
        raise SettingError(f"validation_split is a fraction of the rows, from 0 up and below 1 (got {fraction!r})")
    if given is not None:
        if fraction:
            raise SettingError("give validation_data or validation_split, not both: with data there is nothing to hold out")
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise TensorTypeError(f"validation_data is a pair (X, y) (got {type(given).__name__})")
        return training, part("validation ", *given)
    if not fraction:
        return training, None
    X, y, X_held, y_held = split(*training, float(fraction), rng)
    return Part(X, y), Part(X_held, y_held)


def history_to_go_on_with(history: Any) -> History:
    """The history given, which must count epochs, or a new one."""
    if history is None:
        return History()
    if not isinstance(history, History):
        raise TensorTypeError(f"history is a tg.History (got {in_short(history)})")
    if history.by == "step":
        raise SettingError("this history counts steps, and fit records by epoch: give it a new History()")
    return history


def check_stop(stop: Any, names: list[str]) -> None:
    """Refuse what does not stop a training, or looks at what is never recorded."""
    if not isinstance(stop, EarlyStopping):
        raise TensorTypeError(f"stop is a tg.train.EarlyStopping (got {in_short(stop)})")
    stop.check(names)
