"""The derivation as a Python module that needs nothing but NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..graph import Node
from ..primitive import Primitive
from ..symbols import Symbol
from ..version import __version__
from .expression import Writer, helper_name, is_own
from .helpers import Helpers
from .plan import Line, Plan

__all__ = ["shape_text", "source_of", "story"]

TITLE = "The loss and its gradients, forward and then backward by the chain rule."
WIDTH = 110
"""Characters of a line."""


def shape_text(shape: tuple[int, ...]) -> str:
    """(32, 128), and "a number" for ()."""
    return str(shape) if shape else "a number"


def source_of(plan: Plan, function: str) -> str:
    """The whole module."""
    writer = plan.writer()
    helpers = Helpers()
    for op in own_functions(plan):
        helpers.add(op.forward, helper_name(op))
    parts = [part for part in (forward(plan, writer), backward(plan, writer)) if part]
    body = [line for i, part in enumerate(parts) for line in ([""] * (i > 0) + part)]
    loss = plan.names.get(plan.loss) or writer.operand(plan.loss)[0]
    found = [f'"{name}": {gradient_text(plan, writer, name, g)}' for name, g in plan.gradients.items()]
    body.append("    return " + loss + ", " + wrapped("{", found, "}", 11 + len(loss)))
    arguments = [plan.names[s] for s in plan.arguments]
    arguments += plan.arrays
    return "\n".join(
        [
            f'"""{TITLE} Written by tinygrad_mlp {__version__}."""',
            "",
            *sorted(helpers.imports),
            "import numpy as np",
            *definitions(list(helpers.texts.values())),
            "",
            "",
            wrapped(f"def {function}(", arguments, "):", 0),
            *docstring(plan),
            *guard(plan),
            *body,
            "",
        ]
    )


def guard(plan: Plan) -> list[str]:
    """The lines that refuse other shapes: the counts in the formulas (of a mean, of the labels) would be wrong for them."""
    arrays = [s for s in plan.arguments if s.dtype.kind in "biufc"]
    if not arrays:
        return []
    parts = [f'("{plan.names[s]}", {plan.names[s]}, {s.shape})' for s in arrays]
    return [
        wrapped("    for _name, _array, _shape in (", parts, ",):" if len(parts) == 1 else "):", 0),
        "        if np.shape(_array) != _shape:",
        '            raise ValueError(f"{_name} has shape {np.shape(_array)}, but this is written for {_shape}: derive it again")',
        "",
    ]


def definitions(texts: list[str]) -> list[str]:
    """The lines of constants, then of functions; what a constant needs is no function."""
    constants = [text for text in texts if not text.startswith("def")]
    functions = [text for text in texts if text.startswith("def")]
    return [*([""] if constants else []), *constants, *[line for text in functions for line in ("", "", *text.splitlines())]]


def gradient_text(plan: Plan, writer: Writer, name: str, gradient: Symbol) -> str:
    """What is returned as a gradient: a name, or an array of zeros or ones like the parameter."""
    if gradient in plan.names:
        return plan.names[gradient]
    if gradient.fill is not None and gradient.fill in (0, 1):
        return f"np.{'ones' if gradient.fill else 'zeros'}_like({name})"
    if gradient.fill is not None:
        number = gradient.fill.item()
        whole = isinstance(number, float) and number.is_integer() and abs(number) < 1e6
        return f"np.full_like({name}, {int(number) if whole else writer.number(number)[0]})"
    return writer.operand(gradient)[0]


def own_functions(plan: Plan) -> list[Primitive]:
    """The primitives on the lines that NumPy has not."""
    found: dict[str, Primitive] = {}
    seen: set[Symbol] = set()
    stack = [line.symbol for line in plan.lines]
    while stack:
        symbol = stack.pop()
        if symbol in seen:
            continue
        seen.add(symbol)
        stack.extend(symbol.operands())
        if symbol.op is not None and is_own(symbol.op):
            found.setdefault(symbol.op.name, symbol.op)
    return [found[name] for name in sorted(found)]


def wrapped(start: str, parts: list[str], end: str, indent: int) -> str:
    """A list in brackets on one line, or with lines of a readable length."""
    line = start + ", ".join(parts) + end
    if len(line) + indent <= WIDTH:
        return line
    inner = "        "
    lines, current = [], inner
    for part in parts:
        if current.strip() and len(current) + len(part) > WIDTH - 10:
            lines.append(current.rstrip())
            current = inner
        current += f"{part}, "
    return "\n".join([start, *lines, current.rstrip(), ("    " if start.endswith("{") else "") + end])


def docstring(plan: Plan) -> list[str]:
    """What goes in and what comes out, with shapes."""
    lines = ['    """The loss, and its gradients by name.', ""]
    differentiated = set(plan.parameters)
    width = max((len(plan.names[s]) for s in plan.arguments), default=1)
    for symbol in plan.arguments:
        what = ", differentiated" if symbol in differentiated else ", a constant" if is_anonymous(symbol) else ""
        lines.append(f"    {plan.names[symbol]:{width}} : {shape_text(symbol.shape)}, {symbol.dtype}{what}")
    for name, array in plan.arrays.items():
        if isinstance(array, np.random.Generator):
            lines.append(f"    {name:{width}} : a numpy.random.Generator")
            continue
        lines.append(f"    {name:{width}} : {shape_text(array.shape)}, {array.dtype}, an index")
    return [*lines, '    """']


def is_anonymous(symbol: Symbol) -> bool:
    """Whether an input is an array that the computation has made itself."""
    return symbol.role == "constant" and not symbol.name and not isinstance(symbol.value, Node) and symbol.value is None


def forward(plan: Plan, writer: Writer) -> list[str]:
    """The lines of the forward pass, each with its shape."""
    texts = [(f"    {plan.names[s]} = {text}", s.shape) for s, text in plan.made.items()]
    texts += [(assignment(writer, line), line.symbol.shape) for line in plan.lines if not line.backward]
    column = min(max((len(text) for text, _ in texts if "\n" not in text), default=0), 64)
    if not texts:
        return []
    return ["    # forward", *(f"{text:{column}}  # {shape_text(shape)}" for text, shape in texts)]


def assignment(writer: Writer, line: Line) -> str:
    """name = expression, over several lines where it is a long sum."""
    text = f"    {line.name} = {writer.expression(line.symbol)[0]}"
    if len(text) <= WIDTH:
        return text
    parts = writer.terms(line.symbol)
    if len(parts) < 3:
        return text
    lines, current = [], "       "
    for part in parts:
        if current.strip() and len(current) + len(part) + 1 > WIDTH - 10:
            lines.append(current)
            current = "       "
        current += f" {part}"
    return "\n".join([f"    {line.name} = (", *lines, current, "    )"])


def backward(plan: Plan, writer: Writer) -> list[str]:
    """The lines of the way back, each under a comment that says which gradient it is, and of which line."""
    found = ["    # backward: dQ is ∂loss/∂Q and has the shape of Q"]
    lines = []
    for line in plan.lines:
        if line.backward:
            lines.append(f"    # {comment(plan, line)}")
            lines += assignment(writer, line).splitlines()
    if plan.quiet and lines:
        found.append(
            '    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # slopes that np.where does not select'
        )
        lines = [f"    {line}" for line in lines]
    return found + lines if lines else []


def comment(plan: Plan, line: Line) -> str:
    """Which gradient a line is."""
    shape = shape_text(line.symbol.shape)
    if line.of is None:
        return f"{line.name} {shape}, a part of {listed(line.uses)}" if line.uses else f"{line.name} {shape}"
    names = [plan.names[plan.moved[v]] for v in (line.of, *line.also)]
    start = " = ".join(f"∂loss/∂{name}" for name in dict.fromkeys(names)) + f" {shape}, from "
    places = list(dict.fromkeys(place(plan, user) for user in line.users))
    for write in (lambda p: f"{plan.forward_names[p]} = {story(plan, p)}", lambda p: plan.forward_names[p]):
        text = start + "; ".join(map(write, places))
        if len(text) <= WIDTH - 6 and (len(places) < 4 or "=" in text[len(start) :]):
            return text
    return start + listed([plan.forward_names[p] for p in places])


def listed(names: list[str]) -> str:
    """a, b and c; with many names the first ones and the last."""
    if len(names) > 4:
        return f"{names[0]}, {names[1]}, … {names[-1]}"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def place(plan: Plan, user: Symbol) -> Symbol:
    """The value with a line of the forward pass, as it was recorded, in which an operation stands."""
    found = user
    while found not in plan.forward_names:
        found = next(s for s in plan.recorded if found in set(s.operands()))
    return found


STORIES: dict[str, Callable[[str, str], str]] = {
    "cross_entropy": lambda x, y: f"cross-entropy of softmax({x}) against {y}",
    "binary_cross_entropy_with_logits": lambda x, y: f"binary cross-entropy of sigmoid({x}) against {y}",
    "mse_loss": lambda x, y: f"squared error of {x} against {y}",
}


def story(plan: Plan, symbol: Symbol) -> str:
    """The right-hand side of a line as it was recorded, losses in words."""
    writer = Writer(plan.forward_names.get, plan.array_name, plan.sizes)
    if symbol.op is not None and symbol.op.name in STORIES:
        x, y = (writer.operand(v)[0] for v in symbol.inputs)
        return f"{'mean' if symbol.params['reduction'] == 'mean' else 'total'} {STORIES[symbol.op.name](x, y)}"
    return writer.expression(symbol)[0]
