"""A History is the record of a training: named series of numbers by epoch or by step, to be read, kept and plotted."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, SettingError, ShapeError, TensorTypeError, UnknownNameError, did_you_mean
from .files import replace_file

__all__ = ["PARTS", "History", "split_name"]

PARTS = ("train", "validation", "test")
MEASURED = ("loss", "accuracy")
"""Quantities that are measured on a part of the data: without one, nobody knows on which."""

UNITS = ("epoch", "step")
LIMIT = 2**28  # bytes: the longest file that is read
FORMAT = "tinygrad_mlp.history"


class History:
    """The numbers of one training: loss, accuracy and others, of the parts train, validation and test.

    A series is named by its part and its quantity, ``train_loss``, ``validation_accuracy``; what belongs to the run as a whole has
    no part and no underscore, ``lr``. A loss and an accuracy need a part. All are recorded by epoch, or all by step; an epoch may
    be a fraction, 2.5. Not every record needs every series.

    Parameters
    ----------
    name : str
        What the run is called in legends: what makes it different from the others.

    Attributes
    ----------
    by : ``"epoch"`` or ``"step"``; empty before the first record
    names : the series, in the order in which they came

    Examples
    --------
    >>> history = History("lr 0.1")
    >>> history.record(epoch=1, train_loss=0.9, validation_loss=1.0, train_accuracy=0.5)
    >>> history.record(epoch=2, train_loss=0.3, validation_loss=0.6, train_accuracy=0.75)
    >>> history["train_loss"]
    array([0.9, 0.3])
    >>> history
    History 'lr 0.1': 2 records, the last at epoch 2
                train  validation
    loss          0.3         0.6
    accuracy     0.75
    """

    def __init__(self, name: str = "") -> None:
        if not isinstance(name, str):
            raise TensorTypeError(f"History: the name of a run is text (got {name!r})")
        self.name = name
        self.by = ""
        self.names: list[str] = []
        self._rows: list[tuple[float, dict[str, float]]] = []
        self._listeners: list[Callable[[], None]] = []

    # --- writing ----------------------------------------------------------------------------------------------------

    def record(self, *, epoch: Any = None, step: Any = None, **values: Any) -> None:
        """Add numbers, at the epoch or step given, or else at the next one. At the same epoch a second call adds other series.

        Raises
        ------
        UnknownNameError, TensorTypeError, SettingError
            For an unknown part, a loss or accuracy without a part, what is no number, an epoch that lies before the last. Nothing
            has been recorded then.
        """
        for name in values:
            if name in MEASURED:
                known = " or ".join(f"{part}_{name}=…" for part in PARTS[1:])
                raise UnknownNameError(f"the {name} of which part of the data? write {PARTS[0]}_{name}=… ({known})")
        by, at = self._place(epoch, step)
        checked = {name: number(name, value) for name, value in values.items() if split_name(name)}
        if not checked:
            raise SettingError("record() needs a number to record: history.record(epoch=1, train_loss=0.5)")
        again = bool(self._rows) and at == self._rows[-1][0]
        if again and (twice := [name for name in checked if name in self._rows[-1][1]]):
            raise SettingError(f"{twice[0]} of {by} {at:g} is recorded already: give the next {by}")
        self.by = by
        if again:  # a new dict: a view that draws just now, in its thread, reads the old one
            self._rows[-1] = (at, self._rows[-1][1] | checked)
        else:
            self._rows.append((at, checked))
        self.names = list(dict.fromkeys([*self.names, *checked]))  # after the values: a view looks for those of each name
        for listener in list(self._listeners):
            listener()

    def extend(self, *, epoch: Sequence[Any] | None = None, step: Sequence[Any] | None = None, **series: Sequence[Any]) -> None:
        """Add whole series at once: lists of one length, all of them or, if something is wrong, none.

        >>> history = History()
        >>> history.extend(epoch=[1, 2, 3], train_loss=[0.9, 0.5, 0.4])
        >>> len(history)
        3
        """
        given = {name: values for name, values in {"epoch": epoch, "step": step, **series}.items() if values is not None}
        for name, values in given.items():
            if not isinstance(values, (list, tuple, range, np.ndarray)):
                raise TensorTypeError(f"extend() takes lists: {name} is {values!r}")
        lengths = {name: len(values) for name, values in given.items()}
        if len(set(lengths.values())) > 1:
            raise ShapeError(f"the series have different lengths: {', '.join(f'{name} {n}' for name, n in lengths.items())}")
        trial = History(self.name)
        trial.by, trial.names, trial._rows = self.by, self.names, list(self._rows)
        for numbers in zip(*given.values(), strict=True):
            trial.record(**dict(zip(given, numbers, strict=True)))
        self.by, self._rows, self.names = trial.by, trial._rows, trial.names
        for listener in list(self._listeners):
            listener()

    def _place(self, epoch: Any, step: Any) -> tuple[str, float]:
        """What is counted, and where the next record stands."""
        if epoch is not None and step is not None:
            raise SettingError("a record stands at an epoch or at a step, not at both: epoch=2.5 is the middle of the third epoch")
        by = "step" if step is not None else "epoch" if epoch is not None else self.by or "epoch"
        if self.by and by != self.by:
            raise SettingError(f"this history counts {self.by}s: record(…, {self.by}=…), not {by}")
        last = self._rows[-1][0] if self._rows else 0.0
        given = step if by == "step" else epoch
        if given is None:
            return by, math.floor(last) + 1.0
        at = number(by, given)
        if not 0 <= at < math.inf or (by == "step" and at % 1):
            raise SettingError(f"{by} must be a {'whole ' * (by == 'step')}number from 0 up (got {given!r})")
        if self._rows and at < last:
            raise SettingError(f"{by} {at:g} lies before the last record, at {by} {last:g}: records are added in order")
        return by, at

    # --- reading ----------------------------------------------------------------------------------------------------

    @property
    def at(self) -> NDArray[np.float64]:
        """The epoch or step of every record."""
        return np.array([at for at, _ in self._rows], np.float64)

    def series(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where a series was recorded (epochs or steps), and its values there: two arrays of one length."""
        rows = list(self._rows)
        pairs = [(at, values[name]) for at, values in rows if name in values]
        if not pairs:
            raise did_you_mean("series", name, self.names) if self.names else UnknownNameError(f"no {name!r}: nothing is recorded")
        where, values = np.array(pairs, np.float64).T
        return where.copy(), values.copy()

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """The values of a series."""
        return self.series(name)[1]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __len__(self) -> int:
        return len(self._rows)

    def __bool__(self) -> bool:
        return True  # an empty history is one, too

    def __iter__(self) -> Iterator[dict[str, float]]:
        """The records, each a dict with its epoch or step and its numbers."""
        names = list(self.names)
        return iter([{self.by: at} | {name: values[name] for name in names if name in values} for at, values in list(self._rows)])

    @property
    def quantities(self) -> list[str]:
        """What was measured, whatever the part: loss, accuracy …"""
        return list(dict.fromkeys(split_name(name)[1] for name in self.names))

    def __repr__(self) -> str:
        title = " ".join(["History", *([repr(self.name)] if self.name else [])])
        if not self._rows:
            return f"{title}: nothing recorded yet"
        count = f"{len(self)} record{'s' * (len(self) != 1)}"
        parts = list(dict.fromkeys(part for part in ("", *PARTS) for name in self.names if split_name(name)[0] == part))
        table = [["", *(part or "run" for part in parts)]]
        for quantity in self.quantities:
            names = ["_".join(filter(None, (part, quantity))) for part in parts]
            table.append([quantity, *(f"{self[name][-1]:.4g}" if name in self else "" for name in names)])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]) for row in table
        ]
        return "\n".join([f"{title}: {count}, the last at {self.by} {self._rows[-1][0]:g}", *(line.rstrip() for line in lines)])

    def __getstate__(self) -> dict[str, Any]:
        """For copy and pickle: without the views that follow it."""
        return vars(self) | {"names": list(self.names), "_rows": list(self._rows), "_listeners": []}

    # --- files --------------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the history as JSON, in one go: a reader sees the old file or the new one, never half of one.

        NaN and infinity are written as the text "nan", "inf", "-inf", since JSON has no numbers for them.
        """
        rows = list(self._rows)
        content = {
            "format": FORMAT,
            "version": 1,
            "name": self.name,
            "by": self.by,
            "at": [plain(at) for at, _ in rows],
            "series": {name: [plain(values[name]) if name in values else None for _, values in rows] for name in self.names},
        }
        replace_file(Path(path), json.dumps(content, allow_nan=False, ensure_ascii=False))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> History:
        """Read what :meth:`save` has written.

        Raises
        ------
        DataError
            If the file is missing, is no history, or is damaged.
        """
        try:
            with open(path, "rb") as stream:
                text = stream.read(LIMIT + 1)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
        if len(text) > LIMIT:
            raise DataError(f"{path} is longer than {LIMIT:,} bytes: no history")
        try:
            return rebuilt(json.loads(text.decode(), parse_constant=not_json, object_pairs_hook=without_doubles))
        except (ValueError, TypeError, RecursionError) as error:
            raise DataError(f"{path} is no history of tinygrad_mlp: {error}") from error

    # --- pictures -----------------------------------------------------------------------------------------------------

    def plot(self, ax: Any = None, quantities: Sequence[str] | None = None) -> Any:
        """Loss, accuracy and what else there is, train, validation and test: see :func:`tinygrad_mlp.viz.plots.histories`."""
        from .viz.plots import histories

        return histories([self], ax=ax, quantities=quantities)

    def live(self, total: float | None = None, stream: Any = None) -> Any:
        """A view that follows this history while it grows, for ``with``: see :func:`tinygrad_mlp.viz.liveview.live`."""
        from .viz.liveview import live

        return live(self, total=total, stream=stream)


def split_name(name: str) -> tuple[str, str]:
    """The part and the quantity of a series' name.

    >>> split_name("train_loss"), split_name("lr")
    (('train', 'loss'), ('', 'lr'))
    """
    part, _, quantity = name.partition("_") if "_" in name else ("", "", name)
    if not quantity:
        raise UnknownNameError(f"{name!r} is no name of a series: write a part and a quantity, train_loss")
    if "_" in name and part not in PARTS:
        cure = f": write validation_{quantity}; known are {', '.join(PARTS)}"
        what = f"unknown part of a run 'val'{cure}" if part == "val" else did_you_mean("part of a run", part, PARTS)
        raise UnknownNameError(f"{what}. A series is a part and a quantity, train_loss; one of the whole run has no underscore, lr")
    return part, quantity


def number(name: str, value: Any) -> float:
    """A value as a Python float; what is no single real number is refused."""
    array = value.numpy() if hasattr(value, "numpy") else np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "iuf":
        raise TensorTypeError(f"{name} must be one number (got {value!r})")
    return float(array.reshape(()))


def plain(value: float) -> float | int | str:
    """A number as JSON has it: NaN and infinities as text, whole numbers without a point."""
    if not math.isfinite(value):
        return str(value)
    return int(value) if value == int(value) and abs(value) < 2**53 and math.copysign(1, value) > 0 else value


def rebuilt(content: Any) -> History:
    """The history that a JSON file describes, everything checked."""
    expected = {"format": str, "version": int, "name": str, "by": str, "at": list, "series": dict}
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'the entry "format": "{FORMAT}" is missing')
    if content.get("version") != 1:
        raise ValueError(f"its version is {content.get('version')!r}, and this program reads version 1")
    if set(content) != set(expected) or not all(isinstance(content[key], kind) for key, kind in expected.items()):
        raise ValueError(f"it must have exactly the entries {', '.join(expected)}, each of its type")
    at, series = content["at"], content["series"]
    if not all(isinstance(values, list) and len(values) == len(at) for values in series.values()):
        raise ValueError(f"every series must be a list of {len(at)} entries, as 'at' is")
    if content["by"] not in (UNITS if at else ("", *UNITS)):
        raise ValueError(f"'by' is {content['by']!r}, neither epoch nor step")
    history = History(content["name"])
    for i, where in enumerate(at):
        values = {name: unplain(values[i]) for name, values in series.items() if values[i] is not None}
        if len(history) and unplain(where) == history._rows[-1][0]:
            raise ValueError(f"{content['by']} {where} is there twice")
        history.record(**{content["by"]: unplain(where)}, **values)
    history.names = [name for name in series if name in history.names]
    history.by = content["by"]
    return history


def unplain(value: Any) -> Any:
    """The number that :func:`plain` wrote."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"{value!r} is no number")
    if isinstance(value, str) and value not in ("nan", "inf", "-inf"):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def not_json(constant: str) -> Any:
    """Python's reader would take NaN and Infinity, which are no JSON."""
    raise ValueError(f"{constant} is no JSON")


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; refused if it has a name twice."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError(f"an entry is there twice among {', '.join(key for key, _ in pairs)}")
    return dict(pairs)
