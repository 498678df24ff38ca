"""The lines of a derivation: which values get a line, in which order, and which gradient each line of the way back is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..graph import Node
from ..kernels import activations as kernels
from ..kernels.activations import SQRT_HALF
from ..primitive import TABLE
from ..symbols import Symbol, Trace, ancestors
from .expression import Writer, dtype_argument, filled_text, helper_name, is_number, is_own
from .helpers import Helpers
from .lines import Line, Lines, ahead, describe_uses
from .names import Names, name_values

__all__ = ["Line", "Plan", "plan"]

INLINED = {
    "cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "softmax", "log_softmax", "sigmoid", "log_sigmoid", "softsign",
    "silu", "elu", "leaky_relu", "gelu", "softplus", "radial",
}  # fmt: skip
"""Own functions that are written out line by line; the others become functions of the module."""


@dataclass
class Plan:
    """A derivation, ready to be written.

    Attributes
    ----------
    inputs, parameters : what the program is given, with names; ``constants`` are arrays that were found in the graph
    lines : the program
    loss, gradients : what it returns, the gradients by the name of what they belong to
    names : of all values that have one
    forward_names : the names of the forward pass as it was recorded, ``recorded``, with losses in one piece
    adjoints : the gradient of each recorded value, as recorded
    moved : for what was recorded, the Symbol of the program that is written
    made : the texts of constants that the program makes itself, such as np.zeros((2, 4))
    quiet : whether the way back divides by zeros whose results np.where does not select
    """

    inputs: list[Symbol]
    parameters: list[Symbol]
    lines: list[Line]
    loss: Symbol
    gradients: dict[str, Symbol]
    names: dict[Symbol, str]
    arrays: dict[str, Any]
    sizes: list[int]
    forward_names: dict[Symbol, str]
    adjoints: dict[Symbol, Symbol]
    moved: dict[Symbol, Symbol]
    recorded: list[Symbol]
    titles: Names
    made: dict[Symbol, str] = field(default_factory=dict)
    quiet: bool = False
    arguments: list[Symbol] = field(default_factory=list)
    """The inputs and parameters in the order in which the written function takes them: those of the user's function first."""

    def writer(self) -> Writer:
        """Writes expressions with the names of this plan."""
        return Writer(self.names.get, self.array_name, self.sizes)

    def array_name(self, array: Any) -> str:
        """The text of an array of numbers in an index: np.arange(n), or a constant of the module."""
        if (
            isinstance(array, np.ndarray)
            and array.ndim == 1
            and array.dtype.kind == "i"
            and array.size > 1
            and np.array_equal(array, np.arange(array.size))
        ):
            return f"np.arange({array.size})"
        for name, known in self.arrays.items():
            if known is array or (isinstance(known, np.ndarray) and isinstance(array, np.ndarray) and same_array(known, array)):
                return name
        if isinstance(array, np.random.Generator):
            name = self.titles.free("rng")
            self.arrays[name] = array
            return name
        name = self.titles.free(f"index{len(self.arrays) + 1}")
        self.arrays[name] = array
        return name


def same_array(x: Any, y: Any) -> bool:
    """Whether two arrays are equal in every respect."""
    return bool(x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes())


def plan(
    trace: Trace, loss: Symbol, wrt: Sequence[Symbol], objects: Mapping[int, str], given: Sequence[Symbol] | None = None
) -> Plan:
    """Differentiate, take the losses apart, name the values and choose the lines.

    ``given`` are the arguments of a function, whose unnamed arrays of equal entries are its own; those of a recorded loss may be
    the data.
    """
    recorded = ancestors([loss])
    adjoints = trace.adjoints(loss, wrt) if wrt else {}
    wishes = name_values(recorded, loss, objects)
    outputs = [loss, *(adjoints[x] for x in wrt)]
    target = Trace(inline=lambda op: op.name in INLINED, forms={"gelu": gelu})
    moved = target.replayed(ancestors([*outputs, *wrt]))
    final = ancestors([moved[s] for s in (*outputs, *wrt)])
    parameters = [moved[x] for x in wrt]
    differentiated = set(parameters)
    names = Names(helper_names(final))
    leaves = [s for s in final if s.op is None and s.fill is None]
    known = {s: text for s in leaves if not (s.name or id(s.value) in objects) and (text := known_array(s))}
    made = {s: text for s, text in known.items() if text.startswith(MADE)}
    if given is None:  # a recorded loss: its arrays are the user's
        before = {moved[s] for s in recorded}
        known, made = {s: t for s, t in known.items() if s not in before}, {}
    inputs = [s for s in leaves if s not in known and not is_number(s, objects)]
    old_leaves = {moved[old]: wishes[old] for old in recorded if old.op is None and old.fill is None}
    for symbol in sorted((*inputs, *made), key=lambda s: (s not in old_leaves, s.stamp)):
        names.give(symbol, old_leaves.get(symbol) or symbol.name or "c")
    result = Plan(
        [s for s in inputs if s not in differentiated], parameters, [], moved[loss], {},
        {**names.of, **{s: text for s, text in known.items() if s not in made}}, {}, sizes_of(final), {}, adjoints, moved, recorded,
        names, made,
    )  # fmt: skip
    ours = [*result.inputs, *result.parameters]
    first = [moved[s] for s in given or () if s in moved and any(moved[s] is x for x in ours)]
    result.arguments = [*first, *(s for s in ours if s not in set(first))]
    forward = {moved[s] for s in recorded} | set(ancestors([moved[loss]]))
    forward_wishes = {moved[s]: name for s, name in wishes.items() if s.op is not None}
    gradients = gradients_of(result, wrt, forward_wishes)
    lines = Lines(result, final, {moved[o] for o in outputs}, forward, forward_wishes, gradients)
    lines.choose()
    lines.write()
    result.quiet = is_quiet(result, trace, target, final)
    result.gradients = {result.names[moved[x]]: moved[adjoints[x]] for x in wrt}
    result.forward_names = {s: result.names[moved[s]] for s in recorded if moved[s] in result.names}
    ahead(result)
    describe_uses(result)
    return result


def gelu(x: Any, *, approximate: str) -> Any:
    """gelu with the table's erfc, of which a Symbol can be given."""
    return 0.5 * x * TABLE["erfc"](-SQRT_HALF * x) if approximate == "none" else kernels.gelu(x, approximate=approximate)


def helper_names(symbols: Sequence[Symbol]) -> set[str]:
    """The names that the module's own functions take."""
    helpers = Helpers()
    for symbol in symbols:
        if symbol.op is not None and is_own(symbol.op):
            with contextlib.suppress(UnsupportedError):  # said when the source is asked for
                helpers.add(symbol.op.forward, helper_name(symbol.op))
    return {*helpers.objects, *helpers.imported}


def is_quiet(result: Plan, trace: Trace, target: Trace, final: Sequence[Symbol]) -> bool:
    """Whether a value of the way back was computed where NumPy's warnings are switched off."""
    written = set(final)
    silent = {result.moved[s] for s in trace.quiet if s in result.moved} | target.quiet
    return bool((silent & written) - {result.moved[s] for s in result.recorded})


def gradients_of(result: Plan, wrt: Sequence[Symbol], wishes: Mapping[Symbol, str]) -> dict[Symbol, list[Symbol]]:
    """For each gradient, the values whose gradient it is: first those that the user has named, then parameters, then others."""
    parameters = {x: i for i, x in enumerate(wrt)}
    found: dict[Symbol, list[Symbol]] = {}
    for value, gradient in result.adjoints.items():
        new = result.moved.get(gradient)
        if new is not None and new.fill is None and value in result.moved and (value.op is not None or value in parameters):
            found.setdefault(new, []).append(value)
    for values in found.values():
        values.sort(key=lambda v: (0, 0) if result.moved[v] in wishes else (1, parameters[v]) if v in parameters else (2, 0))
    return found


MADE = ("np.zeros(", "np.ones(", "np.full(")


def known_array(symbol: Symbol) -> str:
    """np.arange(n), np.zeros(shape) and the like for a constant that is one."""
    x = symbol.value.array if isinstance(symbol.value, Node) else symbol.value
    if symbol.role != "constant" or not isinstance(x, np.ndarray) or x.size < 2 or x.dtype.kind not in "biufc":
        return ""
    if x.ndim == 1 and x.dtype == np.arange(1).dtype and np.array_equal(x, np.arange(x.size)):
        return f"np.arange({x.size})"
    if x.ndim == 2 and x.shape[0] > 1 and np.array_equal(x, np.eye(*x.shape, dtype=x.dtype)):
        size = f"{x.shape[0]}" if x.shape[0] == x.shape[1] else f"{x.shape[0]}, {x.shape[1]}"
        return f"np.eye({size}{dtype_argument(x.dtype)})"
    first = x.flat[0]
    if x.dtype.kind == "f" and np.array_equal(x, np.full_like(x, first)) and not np.any(np.signbit(x)):
        return filled_text(x.shape, first)
    return ""


def sizes_of(symbols: Sequence[Symbol]) -> list[int]:
    """The lengths and counts that occur."""
    return sorted({n for s in symbols for n in (*s.shape, s.size)})
