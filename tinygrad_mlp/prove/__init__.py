"""The main job: train an MLP on real data, and at every step compute all gradients twice and compare them bit for bit."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from .. import check, data
from ..errors import DataError, did_you_mean, require
from ..history import History
from ..kernels.shapes import Array
from ..modes import no_grad
from ..nn import MLP
from ..nn import init as initialisers
from ..nn.layers import DEFAULT_INIT, activation_named
from ..nn.losses import loss_named
from ..optim import SGD
from ..train import predict
from ..train.metrics import accuracy
from ..train.progress import Progress, Steps
from ..viz import Drawing, draw
from .report import FILES, summary_table, verdict, write_files

__all__ = ["Result", "Settings", "prove"]


class Defaults(NamedTuple):
    """What suits a data set."""

    hidden: list[int]
    epochs: int
    lr: float


DEFAULTS = {
    "digits": Defaults([64, 32], 30, 0.05),
    "mnist": Defaults([128], 12, 0.02),
    "cifar10": Defaults([512, 256], 3, 0.005),
}

DTYPES = {"float32": np.float32, "float64": np.float64}


@dataclass
class Settings:
    """What ``tinygrad-mlp prove`` can be told; ``None`` means: what suits the data."""

    data: str = "digits"
    data_dir: str = "data"
    sizes: list[int] | None = None
    activation: str = "relu"
    init: str | None = None
    loss: str = "cross_entropy"
    dtype: str = "float32"
    lr: float | None = None
    momentum: float = 0.9
    weight_decay: float = 1e-3
    batch_size: int = 32
    epochs: int | None = None
    val_split: float | None = None
    seed: int = 0
    out: str = "prove"


@dataclass
class Result:
    """What a run has found."""

    settings: Settings
    sizes: list[int]
    samples: tuple[int, int]
    test_data: str
    start: check.Comparison
    end: check.Comparison
    steps: int
    worst_ulps: dict[str, int | None]
    first_difference: str
    history: History = field(default_factory=History)
    files: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Equal bits at every step, and all witnesses agree at the start and at the end."""
        return not self.first_difference

    @property
    def accuracy(self) -> float:
        """The test accuracy after the last epoch, from 0 to 1."""
        return float(self.history["test_accuracy"][-1])


def prove(settings: Settings, stream: TextIO | None = None) -> Result:
    """Train, compare at every step, print the table, write the report.

    Raises
    ------
    DataError, UnknownNameError, ShapeError, MissingExtraError
        For settings or data that cannot be used; nothing has been written then.
    """
    out = stream or sys.stdout
    for name in ("rich", "matplotlib"):  # refuse before the work, not after it
        require(name, "demos", "tinygrad-mlp prove")
    check_settings(settings)
    X, y, X_test, y_test, sizes, origin = prepare(settings)
    settings = resolved(settings, sizes)
    folder = writable(Path(settings.out))
    rng = np.random.default_rng([settings.seed, 1])
    model = MLP(sizes, settings.activation, settings.init, dtype=DTYPES[settings.dtype], rng=rng)
    targets = y if loss_named(settings.loss).name.startswith("cross_entropy") else np.eye(sizes[-1], dtype=X.dtype)[y]

    print(f"{settings.data}: {len(X):,} training and {len(X_test):,} test samples ({origin})", file=out)
    print(f"{model}\n", file=out)

    first_batch = next(data.batches(X, targets, settings.batch_size))
    start = check.compare(model, settings.loss, *first_batch, l2=settings.weight_decay, seed=settings.seed)
    loss = check.loss_of(model, settings.loss, *first_batch, l2=settings.weight_decay)
    drawing = draw(loss, names={"model": model, "X": first_batch[0], "y": first_batch[1], "loss": loss}, compare=start)
    for name in FILES:
        if (folder / name).is_dir():
            raise DataError(f"cannot write {folder / name}: a folder of that name is in the way")
    result = Result(
        settings, sizes, (len(X), len(X_test)), origin, start, start, 0, dict.fromkeys(check.manual_names(model), 0), ""
    )
    result.history.name = f"{settings.data}: MLP {' → '.join(map(str, sizes))}, {settings.activation}"
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # a training that diverges is reported in words
            train(result, model, (X, y, targets), (X_test, y_test), rng, out)
        finish(result, folder, model, first_batch, drawing, out)
    except KeyboardInterrupt:
        done = f"after {result.steps:,} steps; " + (f"written: {', '.join(result.files)}" if result.files else "nothing written")
        raise KeyboardInterrupt(done) from None
    return result


def finish(result: Result, folder: Path, model: MLP, first_batch: tuple[Array, Array], drawing: Drawing, out: TextIO) -> None:
    """The last comparison, the table, the files."""
    settings, start = result.settings, result.start
    result.end = check.compare(model, settings.loss, *first_batch, l2=settings.weight_decay, seed=settings.seed)
    for when, report in (("before the first step", start), ("after the last step", result.end)):
        if not report.ok and not result.first_difference:
            result.first_difference = f"{when}: {report.first_difference}"

    print(f"\n{summary_table(result)}\n\n{verdict(result)}", file=out)
    write_files(result, folder, model, first_batch, drawing)
    print(f"\nWritten to {folder}{os.sep}: {', '.join(result.files)}", file=out)


# --- before ------------------------------------------------------------------------------------------------------------


def check_settings(settings: Settings) -> None:
    """Refuse unknown names and numbers out of range."""
    if settings.data not in data.SOURCES:
        raise did_you_mean("data set", settings.data, data.SOURCES)
    if settings.dtype not in DTYPES:
        raise did_you_mean("dtype", settings.dtype, DTYPES)
    activation_named(settings.activation)
    loss_named(settings.loss)
    if settings.init is not None:
        initialisers.by_name(settings.init)
    for name, low in (("lr", 0.0), ("weight_decay", 0.0), ("batch_size", 1), ("epochs", 1), ("seed", 0)):
        value = getattr(settings, name)
        if value is not None and not low <= value < np.inf:
            raise DataError(f"--{name.replace('_', '-')} must be at least {low:g} (got {value})")
    if not 0 <= settings.momentum < 1:
        raise DataError(f"--momentum must be at least 0 and below 1 (got {settings.momentum})")
    if settings.val_split is not None and not 0 < settings.val_split < 1:
        raise DataError(f"--val-split is a fraction between 0 and 1 (got {settings.val_split})")


def resolved(settings: Settings, sizes: list[int]) -> Settings:
    """The settings with what suits the data in place of ``None``."""
    suits = DEFAULTS[settings.data]
    return replace(
        settings,
        sizes=sizes,
        init=settings.init or DEFAULT_INIT.get(settings.activation, "glorot_normal"),
        lr=suits.lr if settings.lr is None else settings.lr,
        epochs=settings.epochs or suits.epochs,
    )


def prepare(settings: Settings) -> tuple[Array, Array, Array, Array, list[int], str]:
    """Standardised training and test data, the widths of the network, and where the test data come from."""
    source = data.SOURCES[settings.data](settings.data_dir)
    if source.X_test is not None and source.y_test is not None and settings.val_split is None:
        X, y, X_test, y_test = source.X, source.y, source.X_test, source.y_test
        origin = "the data's own test files"
    else:
        fraction = 0.2 if settings.val_split is None else settings.val_split
        X, y, X_test, y_test = data.split(source.X, source.y, fraction, np.random.default_rng([settings.seed, 0]))
        origin = "held out at random"
    features, classes = int(np.prod(X.shape[1:])), len(source.classes)
    sizes = settings.sizes or [features, *DEFAULTS[settings.data].hidden, classes]
    if sizes[0] != features or sizes[-1] != classes or min(sizes) < 1:
        raise DataError(
            f"--sizes {','.join(map(str, sizes))} does not fit {settings.data}: it must start with {features} (numbers a sample), "
            f"end with {classes} (classes), and have widths from 1 up between"
        )
    X, X_test = data.standardise(X, X_test, dtype=DTYPES[settings.dtype], common_scale=True)
    return X, y, X_test, y_test, sizes, origin


def writable(folder: Path) -> Path:
    """The output folder, made if needed; refused in one sentence if it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise DataError(f"cannot write to --out {folder}: {error.strerror or error}") from error


# --- the run -----------------------------------------------------------------------------------------------------------


def train(
    result: Result,
    model: MLP,
    training: tuple[Array, Array, Array],
    test: tuple[Array, Array],
    rng: np.random.Generator,
    out: TextIO,
) -> None:
    """Mini-batch SGD; every step's gradients are computed by the engine and by hand, and compared before they are used."""
    settings, (X, _, targets) = result.settings, training
    named = check.manual_names(model)
    lr, epochs = settings.lr or 0.0, settings.epochs or 1
    optimizer = SGD(model.parameters(), lr, settings.momentum)
    paths = {name: path for path, p in model.named_parameters() for name, q in named.items() if p is q}
    record(result, model, settings, training, test)
    steps = Steps(total=-(-len(X) // settings.batch_size))
    with Progress(result.history, epochs, steps, out, line):
        for epoch in range(1, epochs + 1):
            steps.start(epoch)
            for X_batch, y_batch in data.batches(X, targets, settings.batch_size, rng):
                loss = check.loss_of(model, settings.loss, X_batch, y_batch, l2=settings.weight_decay)
                optimizer.zero_grad()
                loss.backward()
                engine = {name: p.grad for name, p in named.items() if p.grad is not None}
                by_hand = check.manual_backprop(model, settings.loss, X_batch, y_batch, l2=settings.weight_decay).gradients
                result.steps += 1
                if not math.isfinite(float(loss)):
                    raise DataError(
                        f"training diverged: the loss of step {result.steps} is {float(loss)}; choose a smaller --lr than {lr:g}"
                    )
                if len(engine) != len(by_hand) or not all(check.same_bits(g, by_hand[name]) for name, g in engine.items()):
                    note_difference(result, check.compare_gradients(engine, by_hand, paths), epoch)
                optimizer.step()
                steps.advance(float(loss))
            record(result, model, settings, training, test)


def note_difference(result: Result, rows: list[check.Row], epoch: int) -> None:
    """Remember how far apart the gradients of this step are, and where the first difference was."""
    report = check.Comparison(rows, 0.0, 0.0)
    for row in rows:
        worst = result.worst_ulps[row.name]
        result.worst_ulps[row.name] = None if worst is None or row.ulps is None else max(worst, row.ulps)
    if not result.first_difference:
        result.first_difference = f"step {result.steps} (epoch {epoch}): {report.first_difference}"


def record(result: Result, model: MLP, settings: Settings, training: tuple[Array, Array, Array], test: tuple[Array, Array]) -> None:
    """Loss and accuracy on both parts, after an epoch (and before the first)."""
    found: dict[str, float] = {}
    for part, X, y in (("train", training[0], training[1]), ("test", *test)):
        loss, right = evaluate(model, settings.loss, X, y)
        found |= {f"{part}_loss": loss, f"{part}_accuracy": right}
    result.history.record(epoch=len(result.history), **found)


def evaluate(model: MLP, loss: str, X: Array, y: Array) -> tuple[float, float]:
    """The loss (without the L2 term) and the accuracy."""
    criterion, logits = loss_named(loss), predict(model, X)
    targets = y if loss.startswith("cross_entropy") else np.eye(model.sizes[-1], dtype=X.dtype)[y]
    with no_grad():
        value = criterion(activation_named(criterion.output)(logits) if criterion.output else logits, targets)
    return float(value), accuracy(logits, y)


def line(row: dict[str, float], by: str, epochs: float | None) -> str:
    """The record of an epoch, where there is no terminal."""
    return (
        f"epoch {row[by]:>3g}/{epochs:g}  loss {row['train_loss']:.4f} (test {row['test_loss']:.4f})  "
        f"accuracy {row['train_accuracy']:.2%} (test {row['test_accuracy']:.2%})"
    )
