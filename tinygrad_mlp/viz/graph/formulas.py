"""The formula of each operation in a graph and its local derivatives, printed from the rules; of scalars with their numbers."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...chainrule.forms import operation
from ...chainrule.local import Input, Local, LocalDerivative, local
from ...chainrule.notation import ATOM, NEGATIVE, PLAIN, Plain, Text
from ...graph import Node
from ...kernels.shapes import Array
from ...primitive import TABLE, Primitive
from ...symbols.trace import identity
from .ir import LocalLine
from .numbers import short

__all__ = ["Formulas", "Told", "category", "letters", "shown"]

CHAPTERS = {
    "activations": "activation", "products": "linear", "linalg": "linear", "fft": "linear", "reductions": "reduction",
    "shapes": "shape", "losses": "loss", "elementwise": "arithmetic", "convolution": "linear",
}  # fmt: skip
"""The chapters of the table of rules, as kinds of operations."""


@functools.cache
def categories() -> dict[str, str]:
    """The kind of each primitive of the table."""
    found = {"tanh": "activation", "max_pool": "reduction", "windows": "shape", "fold": "shape"}  # not as their chapter
    for chapter, kind in CHAPTERS.items():
        for value in vars(importlib.import_module(f"...rules.{chapter}", __package__)).values():
            if isinstance(value, Primitive):
                found.setdefault(value.name, kind)
    return found


def category(op: Primitive) -> str:
    """The kind of an operation, which gives it its colour."""
    return categories().get(op.name, "other") if TABLE.get(op.name) is op else "custom"


def letters(op: Primitive, count: int) -> list[str]:
    """The letters of an operation's inputs, as its rules name them."""
    if op.variadic or len(op.arrays) != count:
        return [f"x{i}" for i in range(1, count + 1)] if count > 1 else ["x"]
    return list(op.arrays)


class Told(NamedTuple):
    """What is told of an operation: its formula, the same with numbers, its local derivatives."""

    formula: str
    numbers: str
    derivatives: list[LocalLine]


def mean_of(node: Node, size: int) -> str:
    """What stands before the sum of a loss that is a mean."""
    return f"1/{size} " if node.params.get("reduction", "mean") == "mean" and size != 1 else ""


FORWARD: dict[str, Callable[[Node], str]] = {
    "cross_entropy": lambda n: f"−{mean_of(n, n.arrays[1].size)}Σ log softmax(x)[y]" if n.arrays else "",
    "mse_loss": lambda n: f"{mean_of(n, n.arrays[0].size)}Σ (x − y)²" if n.arrays else "",
    "binary_cross_entropy_with_logits": lambda n: f"{mean_of(n, n.arrays[0].size)}Σ (log(1 + eˣ) − x ⊙ y)" if n.arrays else "",
    "softmax": lambda n: "eˣ / Σ eˣ",
    "log_softmax": lambda n: "x − log Σ eˣ",
    "logsumexp": lambda n: "log Σ eˣ",
    "sigmoid": lambda n: "1 / (1 + e⁻ˣ)",
    "softplus": lambda n: "log(1 + eˣ)",
}
"""What functions compute whose names do not say it to everybody. A sum without an index is over the function's axis, or all."""


class Digits(Plain):
    """Numbers in place of letters: a product needs a sign."""

    times = by = " · "


DIGITS = Digits()


class Formulas:
    """The formulas of one graph; operations of one kind at equal shapes are read once."""

    def __init__(self) -> None:
        self.known: dict[Any, Local] = {}

    def of(self, node: Node, sent: dict[int, Array | None], arrived: Array | None, with_numbers: bool) -> Told:
        """The formulas of an operation.

        Parameters
        ----------
        node : the operation
        sent : the places of inputs to which a gradient flows, with what flows there, if it is known
        arrived : the gradient of the node
        with_numbers : whether the numbers of a scalar operation are put in
        """
        op, arrays = operation(node), node.arrays or ()
        names = letters(op, len(arrays))
        places = list(sent)
        given = [described(name, x) for name, x in zip(names, arrays, strict=True)]
        key = (
            op,
            tuple((x.shape, str(x.dtype), repr(x.number)) for x in given),
            tuple(places),
            identity(tuple(node.params.items())),
        )
        if key not in self.known:
            self.known[key] = read(op, given, node.params, places)
        found = self.known[key]
        lines: list[LocalLine] = [
            {
                "argument": d.place, "of": d.letter, "before": [f"{left} = {right}" for left, right in d.before],
                "text": (text := f"d{PLAIN.name(d.letter).text} = {d.text}"), "shown": shown(text), "numbers": "",
            }
            for d in found.derivatives
        ]  # fmt: skip
        numbers = ""
        if with_numbers and is_scalar(node):
            numbers = self.put_in(node, given, places, sent, arrived, lines)
        forward = FORWARD[op.name](node) if op.name in FORWARD and TABLE.get(op.name) is op else found.forward
        return Told(f"z = {forward}", numbers, lines)

    def put_in(
        self,
        node: Node,
        given: list[Input],
        places: Sequence[int],
        sent: dict[int, Array | None],
        arrived: Array | None,
        lines: list[LocalLine],
    ) -> str:
        """The numbers of a scalar operation in its formulas: those of the lines are entered, that of the operation returned."""
        values = {x.letter: float(a) for x, a in zip(given, node.arrays or (), strict=True) if x.number is ...}
        values |= {"z": float(node.array.ravel()[0])} | ({} if arrived is None else {"g": float(np.ravel(arrived)[0])})
        op = operation(node)
        digits = digits_needed(op, given, node, values, sent)
        texts = {name: Text(short(v, digits), ATOM if v >= 0 else NEGATIVE) for name, v in values.items()}
        found = read(op, given, node.params, places if arrived is not None else (), DIGITS, texts)
        for line, d in zip(lines, found.derivatives, strict=False):
            gradient = sent.get(d.place)
            if gradient is not None and not d.before:
                line["numbers"] = equation(f"d{PLAIN.name(d.letter).text}", d.text, decimal(float(np.ravel(gradient)[0])))
        return equation("z", found.forward, texts["z"].text)


UNDERLINE = "\u0332"
SUBSCRIPTS = {"i": "ᵢ", "j": "ⱼ", "k": "ₖ", "l": "ₗ", "m": "ₘ", "n": "ₙ", "p": "ₚ"}


def shown(text: str) -> str:
    """A formula as a person would write it, where shapes are seen in the picture and need not be told.

    >>> shown("dx = (g / 48) 1[6×8]"), shown("dy = Σ_i,j g"), shown("dx = 1/16 g (softmax(x) − [y_ij\u0332 = (0, …, 2)])")
    ('dx = g / 48 for each entry', 'dy = Σᵢⱼ g', 'dx = 1/16 g (softmax(x) − onehot(y))')
    >>> shown("z = x / 2.8284271247461903")
    'z = x / 2.8284…'
    """
    text = re.sub(rf"\[(\w)_ij{UNDERLINE} = \(0, …, \d+\)\]", r"onehot(\1)", text)
    text = text.replace(UNDERLINE, "")
    text = re.sub(r"^(\w+ = )(?:\((.*)\)|(\S+)) (?:⊙ )?1\[[^\]]*\]$", lambda m: f"{m[1]}{m[2] or m[3]} for each entry", text)
    text = re.sub(r"(?<=[ΣΠ])_([a-z](?:,[a-z])*)(?= )", lambda m: "".join(SUBSCRIPTS.get(c, "") for c in m[1] if c != ","), text)
    return re.sub(r"\d+\.\d{5,}(?!\d*e)", lambda m: f"{m[0][: m[0].index('.') + 5]}…", text)


def equation(left: str, middle: str, right: str) -> str:
    """Left = middle = right, without the middle if it is what stands on the right."""
    return f"{left} = {right}" if middle == right else f"{left} = {middle} = {right}"


def rule_of(op: Primitive, place: int) -> Callable[..., Any]:
    """The rule of an input that has one."""
    rule = op.rules[place]
    if rule is None:
        raise ValueError(f"{op.name} has no derivative by input {place}")
    return rule


def digits_needed(op: Primitive, given: list[Input], node: Node, values: dict[str, float], sent: dict[int, Array | None]) -> int:
    """With how many digits the numbers must be written so that the lines come out: 1 − tanh² may cancel many."""
    for digits in (4, 7, 10, 13):
        near = {name: np.float64(f"{v:.{digits}g}") for name, v in values.items()}
        inputs = [near[x.letter] if x.number is ... else x.number for x in given]
        with np.errstate(all="ignore"):
            told = [
                (float(rule_of(op, i)(near["g"], near["z"], *inputs, **node.params)), float(np.ravel(g)[0]))
                for i, g in sent.items()
                if g is not None and "g" in near and not op.variadic and TABLE.get(op.name) is op
            ]
        if all(abs(a - b) <= 0.02 * abs(b) or not np.isfinite(b) for a, b in told):
            return digits
    return 4


def decimal(x: float) -> str:
    """A number for a formula."""
    return short(x, 4)


def is_scalar(node: Node) -> bool:
    """Whether an operation takes and gives single real numbers only."""
    return node.array.dtype.kind == "f" and node.array.size == 1 and all(
        isinstance(a, (int, float)) or (isinstance(a, (np.ndarray, np.generic)) and np.ndim(a) == 0 and a.dtype.kind in "fiub")
        for a in node.arrays or ()
    )  # fmt: skip


def described(letter: str, x: Any) -> Input:
    """An input for the reading with Symbols."""
    if isinstance(x, np.ndarray):
        return Input(letter, x.shape, x.dtype)
    return Input(letter, (), None, x.item() if isinstance(x, np.generic) else x)


def read(
    op: Primitive,
    given: list[Input],
    params: dict[str, Any],
    places: Sequence[int],
    notation: Plain = PLAIN,
    texts: dict[str, Text] | None = None,
) -> Local:
    """The formulas of an operation; where its rules cannot be read with Symbols, as a user's own may not, its name."""
    try:
        return local(op, given, params, notation, texts, places, summed=True)
    except Exception:  # a user's rule may raise anything when it is given Symbols; nothing is lost but the formula
        whose = "the rule of " + op.name if TABLE.get(op.name) is op else f"the custom rule of {op.name}"
        call = f"{op.name}({', '.join(PLAIN.name(x.letter).text for x in given)})"
        return Local(call, [LocalDerivative(i, given[i].letter, [], whose) for i in places], {})
