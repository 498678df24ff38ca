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
from .expression import Writer, dtype_argument, filled_text, helper_name, is_own
from .helpers import Helpers
from .names import Names, name_values

__all__ = ["Line", "Plan", "plan"]

WIDE = 88
"""Characters from which on an expression is taken apart into lines."""

INLINED = {
    "cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "softmax", "log_softmax", "sigmoid", "log_sigmoid", "softsign",
    "silu", "elu", "leaky_relu", "gelu",
}  # fmt: skip
"""Own functions that are written out line by line; the others become functions of the module."""

FREE = {"permute_dims", "positive", "broadcast_to"}
"""Operations that are written where they are used, however often: they cost nothing and say little."""

ARITHMETIC = {"add", "subtract", "multiply"}
CHEAP_USES = 3
"""How often an operation of a number and a name, such as 1 - p, is written before it gets a name."""


@dataclass
class Line:
    """One line of a derivation.

    Attributes
    ----------
    symbol, name : the value and what it is called
    backward : whether it belongs to the way back
    of : the value whose gradient it is, if it is one
    users : the operations of the forward pass that use that value: where the gradient comes from
    also : further values with names that have the same gradient
    uses : of a line of the way back that is no gradient, the names of the lines that use it
    """

    symbol: Symbol
    name: str
    backward: bool = False
    of: Symbol | None = None
    users: list[Symbol] = field(default_factory=list)
    also: list[Symbol] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)


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
    return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()


def plan(trace: Trace, loss: Symbol, wrt: Sequence[Symbol], objects: Mapping[int, str], traced: bool = False) -> Plan:
    """Differentiate, take the losses apart, name the values and choose the lines.

    ``traced``: of a function, whose unnamed arrays of equal entries are its own; those of a recorded loss may be the data.
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
    if not traced:
        given = {moved[s] for s in recorded}
        known, made = {s: t for s, t in known.items() if s not in given}, {}
    inputs = [s for s in leaves if s not in known and not is_number(s, objects)]
    old_leaves = {moved[old]: wishes[old] for old in recorded if old.op is None and old.fill is None}
    for symbol in sorted((*inputs, *made), key=lambda s: (s not in old_leaves, s.stamp)):
        names.give(symbol, old_leaves.get(symbol) or symbol.name or "c")
    result = Plan(
        [s for s in inputs if s not in differentiated], parameters, [], moved[loss], {},
        {**names.of, **{s: text for s, text in known.items() if s not in made}}, {}, sizes_of(final), {}, adjoints, moved, recorded,
        names, made,
    )  # fmt: skip
    forward = {moved[s] for s in recorded} | set(ancestors([moved[loss]]))
    forward_wishes = {moved[s]: name for s, name in wishes.items() if s.op is not None}
    gradients = gradients_of(result, wrt, forward_wishes)
    lines = Lines(result, final, {moved[o] for o in outputs}, forward, forward_wishes, gradients)
    lines.choose()
    lines.write()
    result.quiet = bool((trace.quiet | target.quiet) & {*final, *(s for s in moved if moved[s] in set(final))} - set(recorded))
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


def is_number(symbol: Symbol, objects: Mapping[int, str]) -> bool:
    """Whether a constant is one number that nobody has named: it is written as one."""
    return symbol.role == "constant" and not symbol.shape and not symbol.name and id(symbol.value) not in objects


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


class Lines:
    """Which values get a line: what has a name, is used more than once, is returned, or would be too long in one piece."""

    def __init__(
        self,
        result: Plan,
        final: Sequence[Symbol],
        returned: set[Symbol],
        forward: set[Symbol],
        wishes: Mapping[Symbol, str],
        gradients: Mapping[Symbol, list[Symbol]],
    ) -> None:
        self.result, self.final, self.returned, self.forward, self.wishes = result, final, returned, forward, dict(wishes)
        self.gradients = gradients
        self.chosen: set[Symbol] = set()
        self.occurs: dict[Symbol, int] = {}
        self.back = {new: old for old, new in reversed(result.moved.items())}

    def gradient(self, symbol: Symbol) -> Symbol | None:
        """The value whose gradient a symbol of the way back is; of a value inside a line only if that has a line of its own."""
        values = self.gradients.get(symbol, ()) if symbol not in self.forward else ()
        return next((v for v in values if self.has_name(self.result.moved[v])), None)

    def has_name(self, symbol: Symbol) -> bool:
        """Whether a value of the forward pass has a name."""
        return symbol.op is None or symbol in self.wishes or symbol in self.chosen

    def choose(self) -> None:
        """Fill ``chosen``, users before what they use."""
        must = {
            s for s in self.final if s.op is not None and (s in self.returned or s in self.wishes or s.name or self.gradient(s) is not None)
        }  # fmt: skip
        self.chosen = set(must)
        self.count(must)
        named = {s for s in self.chosen if s not in self.forward and self.gradient(s) is None}
        for symbol in self.final:  # the gradient of a value inside a line: that value gets a line too, and with it a name
            if symbol in named or self.is_before_activation(symbol):
                inner = next((v for v in self.gradients.get(symbol, ()) if v.op is not None and self.can_stand_alone(v)), None)
                if inner is not None:
                    must |= {self.result.moved[inner], symbol}
        self.count(must)
        writer = Writer(self.preliminary, lambda a: "index", self.result.sizes)
        for symbol in self.final:
            if symbol.op is not None and symbol not in self.chosen and not self.is_free(symbol) and not self.continues(symbol):
                if len(writer.expression(symbol)[0]) > WIDE:
                    self.chosen.add(symbol)

    def is_before_activation(self, symbol: Symbol) -> bool:
        """Whether it is the gradient of a sum of products with parameters: textbooks write a line for it."""
        if symbol in self.forward or symbol.op is None or self.gradient(symbol) is not None:
            return False
        first = next(iter(self.gradients.get(symbol, ())), None)
        return first is not None and has_product(self.result.moved[first], self.chosen)

    def can_stand_alone(self, value: Symbol) -> bool:
        """Whether a value inside of a forward line may have a line of its own."""
        new = self.result.moved[value]
        return new in self.forward and new.op is not None and not self.is_free(new) and not self.is_cheap(new)

    def preliminary(self, symbol: Symbol) -> str | None:
        """A name of a usual length, to measure with."""
        found = self.result.names.get(symbol) or self.wishes.get(symbol)
        return found or ("x" * 9 if symbol in self.chosen else None)

    def count(self, must: set[Symbol]) -> None:
        """Choose ``must`` and what is used more than once, if it is not free of cost."""
        self.chosen = set(must)
        self.occurs = dict.fromkeys(self.final, 0)
        self.users: dict[Symbol, list[Symbol]] = {}
        for symbol in reversed(self.final):
            times = self.occurs[symbol]
            if symbol.op is None:
                continue
            if symbol not in must and times > 1 and not self.is_free(symbol) and times > self.allowed(symbol):
                self.chosen.add(symbol)
            for x in symbol.operands():
                self.occurs[x] += 1 if symbol in self.chosen else max(times, 1)
                self.users.setdefault(x, []).append(symbol)

    def is_free(self, symbol: Symbol) -> bool:
        """Whether it is a view that is written as shortly as a name."""
        op = symbol.op
        if op is None or symbol in self.wishes:
            return False
        if op.name == "getitem":
            index = symbol.params["index"]
            parts = index if isinstance(index, tuple) else (index,)
            return len(parts) <= 3 and not any(isinstance(p, (np.ndarray, Symbol)) for p in parts)
        return op.name in FREE

    def allowed(self, symbol: Symbol) -> float:
        """How often an operation is written before it gets a name."""
        assert symbol.op is not None
        return 1 if not self.is_cheap(symbol) else np.inf if symbol.op.name == "negative" else CHEAP_USES

    def is_cheap(self, symbol: Symbol) -> bool:
        """Whether it is one operation of a number and a value with a name: 1 - p."""
        op = symbol.op
        if op is None or symbol in self.wishes or symbol.name:
            return False
        parts = [x for x in symbol.inputs if isinstance(x, Symbol) and x.fill is None and not is_number(x, {})]
        if op.name == "negative" or (op.name in ARITHMETIC and len(parts) == 1 and len(symbol.inputs) == 2):
            (x,) = parts or (None,)
            return x is not None and (x.op is None or x in self.chosen or x in self.wishes or self.occurs.get(x, 0) > 1)
        return False

    def continues(self, symbol: Symbol) -> bool:
        """Whether it is the beginning of a longer sum, which is written over several lines."""
        users = self.users.get(symbol, ())
        return (
            symbol.op is not None
            and symbol.op.name in SUMS
            and any(u.op.name in SUMS and u.inputs[0] is symbol for u in users if u.op)
        )

    def write(self) -> None:
        """Name the chosen ones and make their lines."""
        result, users = self.result, {}
        for symbol in result.recorded:
            for x in symbol.operands():
                users.setdefault(x, []).append(symbol)
        for symbol in self.final:
            if symbol not in self.chosen:
                continue
            back = symbol not in self.forward
            of = self.gradient(symbol) if back else None
            also = [v for v in self.gradients.get(symbol, ()) if v is not of and result.moved[v] in result.names] if back else []
            if of is not None:
                wish = f"d{result.names[result.moved[of]]}"
            else:
                wish = self.wishes.get(symbol, "") or symbol.name or self.describe(symbol)
            name = result.titles.give(symbol, wish)
            result.names[symbol] = name
            result.lines.append(Line(symbol, name, back, of, users.get(of, []) if of is not None else [], also))

    def describe(self, symbol: Symbol) -> str:
        """A name for a value that nobody has named: after the operation, or after the line that it stands in."""
        assert symbol.op is not None
        title = symbol.op.name.rpartition(".")[2].rstrip("_")
        (operand, *others) = [x for x in symbol.inputs if isinstance(x, Symbol)] or [None]
        name = self.result.names.get(operand, "") if operand is not None and not others else ""
        if title == "equal":
            zero = any(value_of(x) == 0 for x in symbol.inputs if value_of(x) is not None)
            return (
                "is_zero" if zero else "Y" if any(isinstance(x, Symbol) and x.role == "constant" for x in symbol.inputs) else "same"
            )
        if title == "not_equal" and symbol.inputs[0] is symbol.inputs[1]:
            return "is_nan"
        if title == "setitem" and (base := self.result.names.get(symbol.inputs[0])):
            return f"{base.removesuffix('_set')}_set"
        if title in TITLES:
            return TITLES[title] if title != "exp" or not name or name == "shifted" else f"exp_{name}"
        place = self.place(symbol) if symbol in self.forward else ""
        if title in ("add", "linear", "matmul") and place and has_product(symbol, self.chosen):
            number = place[len(place.rstrip("0123456789")) :]
            z = f"{'Z' if place[0].isupper() else 'z'}{number}"
            if z not in self.result.titles.taken:
                return z
        if name.isidentifier() and len(name) < 12 and len(symbol.inputs) == 1 and title not in WORDS:
            return f"{title}_{name}"
        return f"{place}_inner" if place and place != "loss" and title in WORDS else WORDS.get(title, title)

    def place(self, symbol: Symbol) -> str:
        """The name of the forward line that a value is used in."""
        while symbol not in self.wishes:
            users = [u for u in self.users.get(symbol, ()) if u in self.forward]
            if not users:
                return ""
            symbol = users[-1]
        return self.wishes[symbol]


def value_of(x: Any) -> Any:
    """The number that an operand is; None for an array."""
    return x.fill if isinstance(x, Symbol) else x


SUMS = ("add", "subtract")
TITLES = {"softmax": "P", "exp": "E", "keep_mask": "mask"}
WORDS = {"sum": "total", "multiply": "product", "add": "sum", "subtract": "difference", "divide": "quotient", "getitem": "part",
         "matmul": "product", "pow": "power", "reshape": "reshaped", "scatter": "scattered", "bitwise_or": "either",
         "bitwise_and": "both", "where": "chosen", "expand_dims": "expanded"}  # fmt: skip


def has_product(symbol: Symbol, chosen: set[Symbol]) -> bool:
    """Whether a value is a sum of matrix products and other things: what goes into an activation."""
    if symbol.op is None:
        return False
    if symbol.op.name in ("linear", "matmul"):
        return any(isinstance(x, Symbol) and x.role == "parameter" for x in symbol.inputs)
    return symbol.op.name == "add" and any(
        has_product(x, chosen) for x in symbol.inputs if isinstance(x, Symbol) and x not in chosen
    )


def describe_uses(result: Plan) -> None:
    """Note for each line of the way back which lines use it."""
    lines = {line.symbol: line for line in result.lines}
    for line in result.lines:
        for symbol in dict.fromkeys(lines_of(line.symbol, lines)):
            lines[symbol].uses.append(line.name)


def ahead(result: Plan) -> None:
    """Move the gradients that are returned up to the line after the last one that they need: as one writes them by hand."""
    returned = set(result.gradients.values()) | {result.moved[g] for x, g in result.adjoints.items() if x.role == "parameter"}
    position: dict[Symbol, int] = {}
    ordered: list[Line] = []
    for line in result.lines:
        needed = [position[s] for s in lines_of(line.symbol, position)]
        if line.backward and line.symbol in returned and needed and max(needed) + 1 < len(ordered):
            place = max(needed) + 1
            while place < len(ordered) and ordered[place].symbol in returned:
                place += 1
            ordered.insert(place, line)
            position = {other.symbol: i for i, other in enumerate(ordered)}
        else:
            position[line.symbol] = len(ordered)
            ordered.append(line)
    result.lines = ordered


def lines_of(symbol: Symbol, position: Mapping[Symbol, Any]) -> list[Symbol]:
    """The values with lines that an expression refers to."""
    found, stack = [], list(symbol.operands())
    while stack:
        x = stack.pop()
        if x in position:
            found.append(x)
        else:
            stack.extend(x.operands())
    return found
