"""Why a gradient is what it is: one sentence for each kind of operation, and the local derivative in the same letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..symbols import Symbol, Trace
from .mathematics import Formula
from .notation import ATOM, LATEX, Text
from .templates import transposed

__all__ = ["entrywise", "local", "numbers", "reason", "reduced"]

Told = Callable[[Symbol, int, str, str], str]


def reason(user: Symbol, place: int, text: Callable[[Symbol], Text]) -> str:
    """How the gradient of an operation's result becomes that of one of its inputs."""
    z, x = text(user).text, text(user.inputs[place]).text
    if user.op is None:
        return ""
    if user.op.name in ("linear", "matmul") and place < 2 and isinstance(user.inputs[1 - place], Symbol):
        return product(user, place, text)
    told = REASONS.get(user.op.name)
    if told is not None:
        return told(user, place, z, x)
    if user.op.elementwise:
        return elementwise(user, place, z, x)
    kink = f"; where there is no derivative it gives: {user.op.kink}" if user.op.kink else ""
    return f"This is the rule of `{user.op.name}`{kink}."


def product(user: Symbol, place: int, text: Callable[[Symbol], Text]) -> str:
    """Where the transposes of Z = X W come from."""
    left, right = user.inputs[:2]
    z, x, w = (indexed(text(s)) for s in (user, left, right))
    if len(left.shape) != 2 or len(right.shape) != 2:
        return (
            f"Every entry of ${text(user).text}$ is a sum of products over the index that both factors share: the gradient is "
            f"multiplied "
            f"with the other factor, and summed over the index that ${text(user.inputs[place]).text}$ does not have."
        )
    start = f"${z}_{{ij}} = \\sum_k {x}_{{ik}}\\,{w}_{{kj}}$" + (
        " + bias" if user.op is not None and user.op.name == "linear" else ""
    )
    if place == 0:
        return (
            f"{start}: ${x}_{{ik}}$ is in every column $j$ of row $i$, with the weight ${w}_{{kj}}$. The sum over $j$, the "
            f"second index of "
            f"${text(right).text}$, is a product with ${LATEX.raised(text(right), 'T').text}$."
        )
    batch = "a sum over the batch" if user.op is not None and user.op.name == "linear" else "a sum over the rows"
    return (
        f"{start}: ${w}_{{kj}}$ is in every row $i$, with the weight ${x}_{{ik}}$. The sum over $i$, the first index of "
        f"${text(left).text}$, is "
        f"a product with ${LATEX.raised(text(left), 'T').text}$: {batch}, {left.shape[0]} terms."
    )


def bias(user: Symbol, place: int, z: str, x: str) -> str:
    count = user.size // max(user.inputs[2].size, 1)
    return f"${x}$ was added to every one of the {count} rows of the product, so every row's gradient counts: they are summed."


def reduced(user: Symbol, x: Symbol, z: str, name: str) -> str:
    """What broadcasting adds; empty if there was none."""
    if user.op is None or not (user.op.elementwise) or x.shape == user.shape:
        return ""
    count = user.size // max(x.size, 1)
    return f"${name}$ was broadcast, each entry into {count} places of ${z}$: the gradients of the places are summed."


def elementwise(user: Symbol, place: int, z: str, x: str) -> str:
    kink = user.op.kink if user.op is not None and len(user.op.kink) < 40 else ""
    return entrywise(z, x) + (f" At a kink of `{user.op.name}`: {kink}." if kink and user.op is not None else "")


def entrywise(z: str, x: str) -> str:
    """Why a product is elementwise."""
    return (
        f"Each entry of ${z}$ depends on one entry of ${x}$: the matrix of all derivatives is diagonal, and a product with it "
        f"is one of "
        f"entries, $\\odot$."
    )


def sum_of(user: Symbol, place: int, z: str, x: str) -> str:
    return f"${z}$ is a sum, in which every entry of ${x}$ counts once: each gets the gradient of its sum."


def mean_of(user: Symbol, place: int, z: str, x: str) -> str:
    count = user.inputs[0].size // max(user.size, 1)
    return (
        f"${z}$ is a mean of {count} entries, in which each counts $\\frac{{1}}{{{count}}}$: that is where the fraction comes from."
    )


def added(user: Symbol, place: int, z: str, x: str) -> str:
    if place == 1 and user.op is not None and user.op.name == "subtract":
        return f"${x}$ is subtracted: its derivative is $-1$."
    return f"${x}$ is a summand of ${z}$: its derivative is 1, and the gradient goes on as it is."


def negated(user: Symbol, place: int, z: str, x: str) -> str:
    return "The derivative of $-x$ is $-1$."


def multiplied(user: Symbol, place: int, z: str, x: str) -> str:
    return (
        "The derivative of a product by one factor is the other factor, entry by entry: $\\odot$, or a multiple if that is a "
        "number."
    )


def moved(user: Symbol, place: int, z: str, x: str) -> str:
    if transposed(user):
        return f"${z}$ is ${x}$ transposed: the gradient is transposed back."
    return "The entries only change their places: those of the gradient go back to the places they came from."


def picked(user: Symbol, place: int, z: str, x: str) -> str:
    return (
        "Only entries that were picked have an influence: the gradient goes to their places (added up where one was picked "
        "twice), all others get 0."
    )


def softmax(user: Symbol, place: int, z: str, x: str) -> str:
    return (
        f"In a row $p$ of ${z}$ every entry depends on every entry of the row: the matrix of derivatives is "
        f"$\\operatorname{{diag}}(p) - p\\,p^{{\\top}}$, and its product with the gradient takes the row's mean, weighted with "
        f"$p$, away."
    )


def cross_entropy(user: Symbol, place: int, z: str, x: str) -> str:
    m = user.inputs[1].size
    fraction = (
        f" The $\\frac{{1}}{{m}}$ is that of the mean over the $m = {m}$ rows." if user.params.get("reduction") == "mean" else ""
    )
    return (
        f"The derivative of $-\\log$ of the softmax is prediction minus target: $-\\log P_{{i\\,y_i}} = \\log \\sum_j \\exp "
        f"Z_{{ij}} - Z_{{i\\,y_i}}$ "
        f"has the derivative $P_{{ij}}$ from the first term and $-1$ at $j = y_i$ from the second.{fraction}"
    )


def binary(user: Symbol, place: int, z: str, x: str) -> str:
    m = user.inputs[0].size
    fraction = (
        f" The $\\frac{{1}}{{m}}$ is that of the mean over the $m = {m}$ entries." if user.params.get("reduction") == "mean" else ""
    )
    return f"$\\log(1 + \\exp z) - z\\,y$ has the derivative $\\sigma(z) - y$: prediction minus target.{fraction}"


def squares(user: Symbol, place: int, z: str, x: str) -> str:
    m = user.inputs[0].size
    fraction = (
        f" The $\\frac{{1}}{{m}}$ is that of the mean over the $m = {m}$ entries." if user.params.get("reduction") == "mean" else ""
    )
    return f"The square of a difference has twice the difference as its derivative.{fraction}"


REASONS: dict[str, Told] = {
    "linear": bias, "sum": sum_of, "mean": mean_of, "add": added, "subtract": added, "negative": negated,
    "multiply": multiplied, "permute_dims": moved, "reshape": moved, "expand_dims": moved, "squeeze": moved, "concat": moved,
    "stack": moved, "roll": moved, "getitem": picked, "softmax": softmax, "cross_entropy": cross_entropy,
    "binary_cross_entropy_with_logits": binary, "mse_loss": squares,
}  # fmt: skip


def local(place: Symbol, user: Symbol, of: Symbol, names: Callable[[Symbol], Text | None], write: Formula) -> str:
    """The local derivative of a line of the forward pass: of products in index form, of elementwise operations in one piece.

    ``place`` is the value that has the line, ``user`` the operation in it that uses the value ``of``.
    """
    z, x = names(place), names(of)
    if z is None or x is None or user.op is None:
        return ""
    if place is user and user.op.name in ("linear", "matmul") and all(len(v.shape) == 2 for v in user.inputs[:2]):
        i = next(i for i, v in enumerate(user.inputs) if v is of)
        left = ("{ik}", "{kj}", "j")[i]
        value = "1" if i == 2 else f"{indexed(write.operand(user.inputs[1 - i]))}_{{{'kj' if i == 0 else 'ik'}}}"
        return rf"\frac{{\partial {indexed(z)}_{{ij}}}}{{\partial {indexed(x)}_{left}}} = {value}"
    derivative = chain(place, of, names, write)
    return rf"\frac{{\partial {z.text}}}{{\partial {x.text}}} = {derivative}" if derivative else ""


def chain(place: Symbol, of: Symbol, names: Callable[[Symbol], Text | None], write: Formula) -> str:
    """The derivative of one value by another through elementwise operations: the rules are read with the gradient 1."""
    inside: dict[Symbol, None] = {}
    stack = [place]
    while stack:
        symbol = stack.pop()
        if symbol in inside or symbol is of or (symbol is not place and (symbol.op is None or names(symbol) is not None)):
            continue
        inside[symbol] = None
        stack.extend(symbol.operands())
    depends = {of}
    trace = Trace()
    letters: dict[Symbol, Symbol] = {}
    made: dict[Symbol, Symbol] = {}

    def leaf(s: Symbol) -> Symbol:
        if s not in made:
            made[s] = (
                trace.full(s.shape, s.fill, s.dtype)
                if s.fill is not None
                else trace.leaf(s.shape, s.dtype, "input", tracked=s is of)
            )
            letters[made[s]] = s
        return made[s]

    for symbol in sorted(inside, key=lambda s: s.stamp):
        if symbol.op is None:
            continue
        if any(x in depends for x in symbol.operands()):
            depends.add(symbol)
            if not symbol.op.elementwise or symbol.shape != of.shape:
                return ""
        inputs = [(made[x] if x in inside else leaf(x)) if isinstance(x, Symbol) else x for x in symbol.inputs]
        made[symbol] = trace.apply(symbol.op, inputs, symbol.params)
    letters[made[place]] = place
    result = trace.adjoints(made[place], [leaf(of)])[leaf(of)]
    text = Formula(
        lambda s: write.operand(letters[s]) if s in letters and s.fill is None and (s.op is None or letters[s] is place) else None,
        write.array, write.n, sorted(write.sizes),
    )  # fmt: skip
    return write.n.side(text.number(result.fill) if result.fill is not None else text.operand(result))


def indexed(text: Text) -> str:
    """A name that takes an index."""
    return text.text if text.holds == ATOM and "_" not in text.text.replace("\\_", "") else rf"\left({text.text}\right)"


def numbers(x: Any) -> str:
    """A small array as a matrix; of a large one the corner."""
    x = np.asarray(x)
    if not x.ndim:
        return digits(x)
    if not x.size:
        return rf"\text{{no entries, shape }} {LATEX.shape(x.shape)}"
    if x.ndim > 2:
        x, note = x.reshape(-1, x.shape[-1]), rf"\;(\text{{shape }} {LATEX.shape(x.shape)}\text{{, as rows}})"
    else:
        note = ""
    rows = x.reshape(1, -1) if x.ndim == 1 else x
    large = rows.size > 64
    height, width = (min(rows.shape[0], 4), min(rows.shape[1], 4)) if large else rows.shape
    lines = [" & ".join([digits(v) for v in row[:width]] + [r"\cdots"] * (width < rows.shape[1])) for row in rows[:height]]
    if height < rows.shape[0]:
        lines.append(" & ".join([r"\vdots"] * width))
    whole = rf"\;(\text{{the corner of }} {LATEX.shape(rows.shape)})" if large else ""
    return r"\begin{bmatrix} " + r" \\ ".join(lines) + r" \end{bmatrix}" + whole + note


def digits(x: Any) -> str:
    """Three significant digits."""
    if np.asarray(x).dtype.kind in "biu":
        return str(int(x))
    if np.iscomplexobj(x):
        return rf"{digits(np.real(x))} + {digits(np.imag(x))}\,\mathrm{{i}}"
    text = f"{float(x) + 0.0:.3g}"
    text = "0" if text == "-0" else text
    mantissa, _, exponent = text.partition("e")
    return (
        rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
        if exponent
        else {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\mathrm{NaN}"}.get(text, text)
    )
