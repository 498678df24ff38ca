"""The derivation as mathematics: in Markdown, step by step, and as one block of LaTeX."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import DataError
from ..graph import Node
from ..symbols import Symbol
from .letters import Letters
from .notation import CALL, POWER, SUM, Text
from .plan import Line, Plan
from .sentences import REASONS, entrywise, local, numbers, reason, reduced

__all__ = ["latex_of", "markdown_of", "values_of"]

FUSED = ("cross_entropy", "binary_cross_entropy_with_logits", "mse_loss")
ENTRYWISE = (
    "These operations act entry by entry: the matrices of their derivatives are diagonal, and a product with one is one of "
    "entries, $\\odot$."
)

INTRODUCTION = r"""
A product without a sign, $X\,W$, is the matrix product, and $\top$ the transpose. $\odot$ multiplies entry by entry; functions,
fractions and powers of arrays are taken of each entry, with NumPy's broadcasting. $\left[c\right]$ is 1 where the condition $c$
is true and 0 elsewhere. $i, j, k$ count along the first, second and third axis: $\sum_{i}$ sums over the rows; an underlined
index stands for an axis of length 1, kept by a sum or put in. $\frac{\partial L}{\partial Q}$ has the shape of $Q$.
"""


# --- the loss in one piece --------------------------------------------------------------------------------------------------


def losses(plan: Plan, letters: Letters, only: Symbol | None = None) -> list[tuple[list[str], str]]:
    """For every loss that is taken apart into lines: its formula and its derivative in one piece, and what the letters are."""
    found = []
    write = letters.n
    for symbol in plan.recorded if only is None else [only]:
        if symbol.op is None or symbol.op.name not in FUSED:
            continue
        z, y = (letters.forward.operand(x) for x in symbol.inputs)
        is_loss = plan.moved[symbol] is plan.loss
        left = letters.recorded[symbol].text if symbol in letters.recorded else r"\ell"
        gradient = rf"\frac{{\partial {'L' if is_loss else left}}}{{\partial {z.text}}}"
        mean = symbol.params.get("reduction") == "mean"
        part, two = (r"\frac{1}{m}", r"\frac{2}{m}") if mean else ("", "2")
        if symbol.op.name == "cross_entropy":
            m = symbol.inputs[1].size
            minus = f"-{part}"
            formulas = [rf"{left} &= {minus} \sum_{{i=1}}^{{m}} \log P_{{i\,y_i}}", rf"{gradient} &= {part}\left(P - Y\right)"]
            note = (
                rf"$P = \operatorname{{softmax}}\left({z.text}\right)$ row by row, "
                rf"{f'$y = {y.text}$' if y.text != 'y' else '$y$'} the labels, "
                rf"$Y$ their one-hot rows: $Y_{{ij}} = 1$ for $j = y_i$, else 0; $m = {m}$ rows. Before the exponential each "
                rf"row's maximum "
                rf"is taken away, which changes nothing in $P$ and keeps it from overflowing."
            )
        elif symbol.op.name == "mse_loss":
            m = symbol.inputs[0].size
            difference = rf"\left({write.at(z, SUM)} - {write.at(y, SUM + 1)}\right)"
            formulas = [
                rf"{left} &= {part} \sum_{{i,j}} {difference}_{{ij}}^{{2}}",
                rf"{gradient} &= {two}{difference}",
            ]
            note = f"$m = {m}$ entries."
        else:
            m = symbol.inputs[0].size
            softplus = rf"\log\left(1 + \exp\left({z.text}\right)\right)"
            formulas = [
                rf"{left} &= {part} \sum_{{i,j}} \left({softplus} - {write.at(z, POWER)} \odot {write.at(y, POWER)}\right)_{{ij}}",
                rf"{gradient} &= {part}\left(\sigma\left({z.text}\right) - {write.at(y, SUM + 1)}\right)",
            ]
            note = f"$m = {m}$ entries; written in a form that does not overflow."
        found.append((formulas, note))
    return found


# --- numbers ----------------------------------------------------------------------------------------------------------------


def values_of(plan: Plan) -> dict[Symbol, Any]:
    """The values of all lines on the example data.

    Raises
    ------
    DataError
        If an input has no example, or random numbers are drawn.
    """
    found: dict[Symbol, Any] = {}

    def leaf(symbol: Symbol) -> Any:
        if symbol.fill is not None:
            return np.full(symbol.shape, symbol.fill, symbol.dtype)
        value = symbol.value.array if isinstance(symbol.value, Node) else symbol.value
        if value is None:
            name = plan.names.get(symbol, "an input")
            raise DataError(f"there are no numbers for {name}: write tg.derive(f, X, y) with arrays, or derive a recorded loss")
        return value

    def index(part: Any) -> Any:
        return tuple(map(index, part)) if isinstance(part, tuple) else found[part] if isinstance(part, Symbol) else part

    for symbol in in_order(plan):
        if symbol.op is None:
            found[symbol] = leaf(symbol)
        elif not any(True for _ in symbol.operands()) and not symbol.inputs:
            raise DataError(f"{symbol.op.name} draws new random numbers each time: derive the function without them to see numbers")
        else:
            inputs = [found[x] if isinstance(x, Symbol) else x for x in symbol.inputs]
            params = {name: index(p) if name == "index" else p for name, p in symbol.params.items()}
            with np.errstate(all="ignore"):
                found[symbol] = np.asarray(symbol.op.forward(*inputs, **params))
    return found


def in_order(plan: Plan) -> Iterable[Symbol]:
    """All values of a plan, each after its operands."""
    from ..symbols import ancestors

    return ancestors([*(line.symbol for line in plan.lines), *plan.inputs, *plan.parameters, *plan.gradients.values()])


# --- the texts --------------------------------------------------------------------------------------------------------------


def aligned(rows: Iterable[str]) -> str:
    """An environment that KaTeX and MathJax know."""
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def row(letters: Letters, line: Line) -> list[str]:
    """A line with its shape, in one row or more."""
    first, *rest = letters.rows(line.symbol)
    shape = f" && {letters.shape(line.symbol)}"
    return [f"{letters.texts[line.symbol].text} &= {first}" + shape, *[rf"&\quad {more}" for more in rest]]


def latex_of(plan: Plan) -> str:
    """The derivation as one block of LaTeX."""
    letters = Letters(plan)
    rows = [r"&\textbf{forward}"]
    for line in plan.lines:
        if not line.backward:
            rows += row(letters, line)
    for formulas, _ in losses(plan, letters):
        rows += [r"&\textbf{the loss in one piece}", *formulas]
    rows.append(r"&\textbf{backward}")
    for line in plan.lines:
        if line.backward:
            rows += row(letters, line)
    rows += [f"{left} &= {right}" for left, right in without_lines(plan, letters)]
    return aligned(rows)


def without_lines(plan: Plan, letters: Letters) -> list[tuple[str, str]]:
    """The gradients that are returned and have no line of their own: an array that was there before."""
    found = []
    for name, gradient in plan.gradients.items():
        left = letters.n.gradient(letters.word(name).text).text
        right = letters.n.side(letters.final.operand(gradient))
        if left != right:
            found.append((left, right))
    return found


def block(text: str) -> list[str]:
    """A formula on a line of its own."""
    return ["$$", text, "$$", ""]


def markdown_of(plan: Plan, with_numbers: bool = False) -> str:
    """The derivation in Markdown, with the reason of every step."""
    letters = Letters(plan)
    values = values_of(plan) if with_numbers else {}
    out = ["**How to read it.** " + " ".join(INTRODUCTION.split()), "", "### Given", ""]
    differentiated = set(plan.parameters)
    for symbol in plan.arguments:
        what = ", differentiated" if symbol in differentiated else ""
        out.append(f"- ${letters.texts[symbol].text}$, shape ${letters.shape(symbol)}$, {symbol.dtype}{what}")
        if values:
            out += ["", *block(f"{letters.texts[symbol].text} = {numbers(values[symbol])}")]
    out += ["", "### Forward", ""]
    forward = [line for line in plan.lines if not line.backward]
    if values:
        for line in forward:
            left, right = letters.texts[line.symbol].text, letters.n.side(letters.final.expression(line.symbol))
            out += block(rf"{left} = {right} = {numbers(values[line.symbol])} \quad {letters.shape(line.symbol)}")
    elif forward:
        out += block(aligned(r for line in forward for r in row(letters, line)))
    for formulas, note in losses(plan, letters):
        out += ["The loss in one piece, and its derivative:", "", *block(aligned(formulas)), note, ""]
    out += ["### Backward", "", r"From the loss, where $\frac{\partial L}{\partial L} = 1$, back to the parameters.", ""]
    for number, line in enumerate((line for line in plan.lines if line.backward), 1):
        out += step(plan, letters, number, line)
        if values:
            out += block(f"{letters.texts[line.symbol].text} = {numbers(values[line.symbol])}")
    for left, right in without_lines(plan, letters):
        out += block(f"{left} = {right}")
    return "\n".join(out)


def step(plan: Plan, letters: Letters, number: int, line: Line) -> list[str]:
    """One line of the way back: where it comes from, what arrives there, what results, and why."""
    title = letters.texts[line.symbol].text
    told = "" if line.of is not None else " (used below)"
    out = [f"**{number}.** ${title}$, shape ${letters.shape(line.symbol)}${told}", ""]
    because: dict[str, None] = {}
    if line.of is not None:
        of = line.of
        same = [v for v in plan.recorded if v in plan.adjoints and plan.moved.get(plan.adjoints[v]) is line.symbol]
        if len(same) > 1:  # z = x + c: the gradient of z goes on to x as it is
            of = same[-1]
            others = [letters.n.gradient(letters.recorded[v].text).text for v in same if v in letters.recorded and v is not line.of]
            if others:
                out[0] += ", which is also " + ", ".join(f"${text}$" for text in others)
            through = [v for v in same[1:] if v in letters.recorded and v.op is not None]
            out += [f"- goes on as it is through ${short(letters, v)} = {letters.forward.expression(v).text}$" for v in through]
        uses = places(plan, letters, of)
        for place, users in uses.items():
            parts = arrival(plan, letters, place, users[0], of)
            out += [f"- {part}" for part in parts] if len(uses) == 1 else [f"- {'; '.join(parts)}"]
        because = reasons(letters, uses, of)
    first, *rest = letters.rows(line.symbol)
    text = f"{title} = {first}" if not rest else aligned([f"{title} &= {first}", *[rf"&\quad {more}" for more in rest]])
    return [*out, "", *block(text), *(["*Why:* " + " ".join(because), ""] if because else [])]


def places(plan: Plan, letters: Letters, of: Symbol) -> dict[Symbol, list[Symbol]]:
    """The lines of the forward pass that use a value, and the operations in each that do."""
    found: dict[Symbol, list[Symbol]] = {}
    for user in plan.recorded:
        if user not in plan.adjoints or not any(x is of for x in user.inputs):
            continue
        for place in plan.recorded:  # the first value with a name that is computed from the user
            if place in letters.recorded and leads(user, place, letters):
                found.setdefault(place, []).append(user)
                break
    return found


def leads(start: Symbol, end: Symbol, letters: Letters) -> list[Symbol]:
    """The operations without names from one to another, both included; empty if there is no such way."""
    stack = [[end]] if end in letters.plan.adjoints else []  # a mask hands no gradient on
    while stack:
        path = stack.pop()
        if path[0] is start:
            return path
        stack += [
            [x, *path]
            for x in path[0].operands()
            if x in letters.plan.adjoints and (x is start or x not in letters.recorded) and x.stamp >= start.stamp
        ]
    return []


def arrival(plan: Plan, letters: Letters, place: Symbol, user: Symbol, of: Symbol) -> list[str]:
    """Of one line that uses a value: the line, the local derivative, the gradient that arrives."""
    out = [f"used in ${letters.recorded[place].text} = {letters.n.side(letters.forward.expression(place))}$"]
    if user.op is not None and user.op.name in FUSED and place is user:
        out.append(f"local derivative, in one piece: ${losses(plan, letters, user)[0][0][1].replace('&', '')}$")
    derivative = local(place, user, of, letters.recorded.get, letters.forward)
    if derivative and len(derivative) < 400:
        out.append(f"local derivative: ${derivative}$")
    gradient = plan.moved.get(plan.adjoints[place])
    if gradient is not None and gradient in letters.texts:
        out.append(f"arrives: ${letters.texts[gradient].text}$, shape ${letters.shape(gradient)}$")
    return out


def reasons(letters: Letters, uses: dict[Symbol, list[Symbol]], of: Symbol) -> dict[str, None]:
    """Why the gradient is what it is, a sentence for each kind of operation on the way."""
    found: dict[str, None] = {}
    told: set[tuple[str, int]] = set()
    for place, users in uses.items():
        for user in users:
            path = leads(user, place, letters)
            if len(path) > 1 and all(s.op is not None and s.op.elementwise and s.shape == of.shape for s in path):
                found.setdefault(entrywise(short(letters, place), short(letters, of)) if len(uses) == 1 else ENTRYWISE)
                continue
            value = of
            for operation in path:
                i = next((i for i, x in enumerate(operation.inputs) if x is value), 0)
                key = (operation.op.name if operation.op is not None else "", i)
                plainly = (
                    len(path) > 1 and key[0] in ("add", "reshape", "squeeze", "expand_dims") and value.shape == operation.shape
                )
                if operation.op is not None and operation.op.elementwise and len(uses) > 1 and key[0] not in REASONS:
                    found.setdefault(ENTRYWISE)
                elif key not in told and not plainly:
                    told.add(key)
                    found[reason(operation, i, lambda s: brief(letters, s))] = None
                    found[reduced(operation, value, short(letters, operation), short(letters, value))] = None
                value = operation
    if sum(len(users) for users in uses.values()) > 1:
        name, count = letters.forward.operand(of).text, sum(len(users) for users in uses.values())
        found[
            f"${name}$ is used in {count} places, and a small change of it has an effect through each: the contributions add up."
        ] = None
    found.pop("", None)
    return found


def brief(letters: Letters, symbol: Symbol) -> Text:
    """The text of a recorded value, if it is not long."""
    text = letters.forward.operand(symbol)
    return text if len(text.text) <= 60 or symbol in letters.recorded else Text(r"\left(\ldots\right)", CALL)


def short(letters: Letters, symbol: Symbol) -> str:
    """Likewise, the text alone."""
    return brief(letters, symbol).text
