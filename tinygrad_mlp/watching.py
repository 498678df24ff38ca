"""A Watch looks into a model while it is trained: gradients, weights and activations, layer by layer, against time."""

from __future__ import annotations

import copy
import types
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import GraphError, SettingError, TensorTypeError, did_you_mean
from .modes import MODES
from .nn.activations import Activation
from .nn.module import Module
from .tensor import Tensor

__all__ = ["ACTIVATION_STATISTICS", "PARAMETER_STATISTICS", "Watch", "watch"]

Masked: TypeAlias = "np.ma.MaskedArray[Any, np.dtype[np.float64]]"

PARAMETER_STATISTICS = {
    "gradient": "RMS of the gradient",
    "gradient_norm": "norm of the gradient",
    "weight": "RMS of the weights",
    "ratio": "gradient / weights (RMS)",
    "update": "RMS of the change since the last record",
    "update_ratio": "change since the last record / weights (RMS)",
}
"""What is recorded of every parameter. RMS: the root of the mean square of the entries."""

ACTIVATION_STATISTICS = {
    "mean": "mean",
    "std": "standard deviation",
    "spread": "standard deviation over the samples",
    "zeros": "share of exact zeros",
    "dead": "share of units that are 0 for the whole batch",
    "saturated": "share of saturated entries",
}
"""What is recorded of every layer's output. Units: the entries of the last axis; the others are samples."""

BOUNDS: dict[str, tuple[float, float]] = {
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "hardtanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
}
"""The range of the activations that saturate; an entry within 1/200 of the range from a bound counts as saturated."""


def watch(model: Module, every: int = 1) -> Watch:
    """Watch a model while it is trained: open it with ``with``, and call ``record()`` after each ``backward()``.

    Parameters
    ----------
    model : Module
        What to look into. Inside the block its modules are followed; afterwards nothing of it is left in them.
    every : int
        Keep only each so many-th record; those between cost next to nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_mlp import nn, optim
    >>> model = nn.MLP([4, 8, 8, 3], activation="tanh", rng=0)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> X, y = np.random.default_rng(0).standard_normal((16, 4)).astype(np.float32), np.arange(16) % 3
    >>> with watch(model) as seen:
    ...     for _ in range(3):
    ...         optimizer.zero_grad()
    ...         nn.cross_entropy(model(X), y).backward()
    ...         seen.record()
    ...         optimizer.step()
    >>> names, steps, values = seen.table("gradient")
    >>> names
    ['linear1.weight', 'linear1.bias', 'linear2.weight', 'linear2.bias', 'linear3.weight', 'linear3.bias']
    >>> steps
    [1, 2, 3]
    >>> values.shape
    (6, 3)
    >>> seen.table("std")[0]
    ['linear1', 'activation (1)', 'linear2', 'activation (2)', 'linear3']
    """
    return Watch(model, every)


class Watch:
    """The statistics of a model's layers at each record; made by :func:`watch`.

    ``record()`` reads the parameters, their gradients, and the outputs of the last recorded pass through the model: under
    ``no_grad()`` and while a program is compiled nothing is seen. The first record has no update: there was nothing before it.

    Attributes
    ----------
    model : the model
    steps : which calls of ``record()`` were kept, counted from 1 (or the steps that were given)
    """

    def __init__(self, model: Module, every: int = 1) -> None:
        if not isinstance(model, Module):
            raise TensorTypeError(f"watch() looks into a module (got {model!r})")
        if not isinstance(every, (int, np.integer)) or every < 1:
            raise SettingError(f"watch: every must be a whole number from 1 up (got {every!r})")
        self.model, self.every = model, int(every)
        self.steps: list[int] = []
        self._rows: list[dict[str, dict[str, float]]] = []
        self._calls = 0
        self._taps: list[Tap] = []
        self._depth = 0  # a model that is called inside itself does not begin a new pass
        self._outputs: dict[tuple[str, int], tuple[Module, NDArray[Any]]] = {}
        self._kinds: dict[tuple[str, int], bool] = {}  # the outputs that were ever seen, and which are an activation's
        self._before: dict[str, NDArray[Any]] = {}

    # --- open and closed --------------------------------------------------------------------------------------------

    def __enter__(self) -> Watch:
        if self._taps:
            raise GraphError("this watch is open already: make a second one with watch(model)")
        for path, module in self.model.named_modules():
            self._taps.append(Tap(self, path, module))
        return self

    def __exit__(self, *exception: object) -> None:
        while self._taps:
            self._taps.pop().remove()
        self._outputs, self._before, self._depth = {}, {}, 0

    def _begin(self) -> None:
        """A new pass through the model: what was seen of the last one is forgotten."""
        self._outputs = {}

    def _saw(self, path: str, module: Module, output: Any) -> None:
        """An output of a module that has no modules inside."""
        if isinstance(output, Tensor) and output.array.dtype.kind == "f" and output.array.size:
            number = 1
            while (path, number) in self._outputs:
                number += 1
            self._outputs[path, number] = (module, output.array)

    @property
    def _wanted(self) -> bool:
        """Whether the coming record is one that is kept, and operations are recorded."""
        modes = MODES.get()
        return not modes.paused and modes.tracer is None and (self._calls + 1) % self.every == 0

    # --- records ----------------------------------------------------------------------------------------------------

    def record(self, step: int | None = None) -> None:
        """Note where the model stands: after ``backward()``, best before the optimiser's step.

        Raises
        ------
        GraphError
            If there is nothing to see: no gradient, and no pass through the model since the watch was opened.
        SettingError
            For a step that does not lie after the last one.
        """
        self._calls += 1
        if self._calls % self.every:
            return
        step = self._calls if step is None else int(step)
        if self.steps and step <= self.steps[-1]:
            raise SettingError(f"step {step} does not lie after the last record, at step {self.steps[-1]}")
        parameters = list(self.model.named_parameters())
        if not self._outputs and all(parameter.grad is None for _, parameter in parameters):
            raise GraphError(
                "nothing to record: call record() after loss.backward(), and the model inside the with block of its watch"
            )
        row: dict[str, dict[str, float]] = {}
        with np.errstate(all="ignore"):  # NaN and infinity are what one looks for here
            for name, parameter in parameters:
                row[name] = of_parameter(parameter, self._before.get(name))
                self._before[name] = parameter.array.copy()
            for (path, number), (module, array) in self._outputs.items():
                self._kinds.setdefault((path, number), isinstance(module, Activation))
                row[f"{path}\0{number}"] = of_output(module, array)
        self.steps.append(step)
        self._rows.append(row)
        self._outputs = {}

    def table(self, statistic: str, activations_only: bool = False) -> tuple[list[str], list[int], Masked]:
        """One statistic of all layers against time: names, steps, values ``(names, steps)``, masked where there is none.

        The rows are parameters, in definition order, or the outputs of layers, in the order of the calls; a layer that is called
        several times in a pass has a row for each call, ``activation (2)``.
        """
        known = PARAMETER_STATISTICS | ACTIVATION_STATISTICS
        if statistic not in known:
            raise did_you_mean("statistic", statistic, known)
        if statistic in PARAMETER_STATISTICS:
            rows = labels = list(dict.fromkeys(name for row in self._rows for name in row if "\0" not in name))
        else:
            keys = [key for key, activation in self._kinds.items() if activation or not activations_only]
            often = {path for path, number in self._kinds if number > 1}
            rows = [f"{path}\0{number}" for path, number in keys]
            labels = [f"{path or type(self.model).__name__}{f' ({number})' if path in often else ''}" for path, number in keys]
        values: Masked = np.ma.masked_array(np.zeros((len(rows), len(self.steps))), mask=True)
        for j, row in enumerate(self._rows):
            for i, name in enumerate(rows):
                if statistic in row.get(name, {}):
                    values[i, j] = row[name][statistic]
        return labels, list(self.steps), values

    def __len__(self) -> int:
        return len(self.steps)

    def __bool__(self) -> bool:
        return True  # a watch without records is one, too

    def __repr__(self) -> str:
        if not self.steps:
            return f"Watch of {type(self.model).__name__}: nothing recorded yet"
        lines = [
            f"Watch of {type(self.model).__name__}: {len(self)} record{'s' * (len(self) != 1)}, the last at step {self.steps[-1]}"
        ]
        for shown in (("gradient", "weight", "update_ratio"), tuple(ACTIVATION_STATISTICS)):
            tables = [self.table(statistic) for statistic in shown]
            names = tables[0][0]
            columns = [["", *names]] + [
                [statistic, *("" if v is np.ma.masked else f"{v:.2g}" for v in values[:, -1])]
                for statistic, (_, _, values) in zip(shown, tables, strict=True)
            ]
            widths = [max(map(len, column)) for column in columns]
            for line in zip(*columns, strict=True):
                cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
                lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)


class Tap:
    """What stands in for the forward of one module while a watch is open, in the module's own attributes, and nowhere else."""

    def __init__(self, watch: Watch, path: str, module: Module) -> None:
        self.watch, self.path, self.module = watch, path, module
        self.inside = any(m is not module for _, m in module.named_modules())
        self.inner = module.forward
        self.replaced = vars(module).get("forward")
        vars(module)["forward"] = self  # no parameter or module: nothing else has to know

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        watch, whole = self.watch, self.module is self.watch.model
        if not watch._wanted:
            return self.inner(*inputs, **settings)
        if whole and not watch._depth:
            watch._begin()
        watch._depth += whole
        try:
            output = self.inner(*inputs, **settings)
        finally:
            watch._depth -= whole
        if not self.inside:
            watch._saw(self.path, self.module, output)
        return output

    def remove(self) -> None:
        """Undo: also if another watch was opened later and stands before this one."""
        above = vars(self.module).get("forward")
        if above is self:
            if self.replaced is None:
                del vars(self.module)["forward"]
            else:
                vars(self.module)["forward"] = self.replaced
            return
        while isinstance(above, Tap) and above.replaced is not self:
            above = above.replaced
        if isinstance(above, Tap):
            above.replaced, above.inner = self.replaced, self.inner

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A copy of the model is not watched: its forward is its class's, or what stood there before."""
        if self.replaced is not None:
            return copy.deepcopy(self.replaced, memo)
        return bound(type(self.module).forward, copy.deepcopy(self.module, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as what stood there before."""
        if self.replaced is not None:
            return same, (self.replaced,)
        return bound, (type(self.module).forward, self.module)


def bound(function: Any, module: Module) -> Any:
    """A method; methods themselves can be pickled only by their name, which leads to the watched one."""
    return types.MethodType(function, module)


def same(x: Any) -> Any:
    """The thing itself."""
    return x


# --- the statistics ---------------------------------------------------------------------------------------------------


def rms(array: NDArray[Any]) -> float:
    """The root of the mean square, in float64: the squares of float32 numbers below 1e-23 would vanish, above 1e19 overflow."""
    wide = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64, copy=False).ravel()
    return float(np.sqrt(np.vdot(wide, wide).real / wide.size)) if wide.size else 0.0


def share(part: float, whole: float) -> float:
    """part / whole, NaN where whole is 0: weights that start at 0 have no ratio."""
    return part / whole if whole else float("nan")


def of_parameter(parameter: Tensor, before: NDArray[Any] | None) -> dict[str, float]:
    """What is recorded of a parameter; without a gradient, or without an earlier value, less."""
    found = {"weight": rms(parameter.array)}
    if parameter.grad is not None:
        g = rms(parameter.grad)
        found |= {"gradient": g, "gradient_norm": g * float(np.sqrt(parameter.size)), "ratio": share(g, found["weight"])}
    if before is not None and before.shape == parameter.shape:
        change = rms(parameter.array - before)
        found |= {"update": change, "update_ratio": share(change, found["weight"])}
    return found


def of_output(module: Module, array: NDArray[Any]) -> dict[str, float]:
    """What is recorded of a layer's output."""
    units = array.reshape(-1, array.shape[-1] if array.ndim else 1)
    zero = units == 0
    found = {
        "mean": float(np.mean(array, dtype=np.float64)),
        "std": float(np.std(array, dtype=np.float64)),
        "spread": float(np.sqrt(np.var(units, axis=0, dtype=np.float64).mean())),
        "zeros": float(zero.mean()),
        "dead": float(zero.all(axis=0).mean()),
    }
    bounds = BOUNDS.get(getattr(module, "name", "")) if isinstance(module, Activation) else None
    if bounds is not None:
        low, high = (getattr(module, name, bound) for name, bound in zip(("min_val", "max_val"), bounds, strict=True))
        margin = (high - low) / 200
        found["saturated"] = float(((array < low + margin) | (array > high - margin)).mean())
    return found
