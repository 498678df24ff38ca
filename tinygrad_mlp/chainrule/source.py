"""The derivation as a Python module that needs nothing but NumPy."""

from __future__ import annotations

from ..primitive import Primitive
from ..symbols import Symbol
from ..version import __version__
from .expression import is_own
from .helpers import Helpers
from .plan import Line, Plan

__all__ = ["shape_text", "source_of"]


def shape_text(shape: tuple[int, ...]) -> str:
    """(32, 128), and "a number" for ()."""
    return str(shape) if shape else "a number"


def source_of(plan: Plan, function: str) -> str:
    """The whole module."""
    writer = plan.writer()
    helpers = Helpers()
    for op in own_functions(plan):
        helpers.add(op.forward)
    body = [*forward(plan), "", *backward(plan)]
    loss = plan.names.get(plan.loss) or writer.operand(plan.loss)[0]
    found = [f'"{name}": {plan.names.get(g) or writer.operand(g)[0]}' for name, g in plan.gradients.items()]
    body.append("    return " + loss + ", " + wrapped("{", found, "}", 11 + len(loss)))
    arguments = [plan.names[s] for s in (*plan.inputs, *plan.parameters)]
    arguments += plan.arrays
    signature = wrapped(f"def {function}(", arguments, "):", 0)
    return "\n".join(
        [
            f'"""The loss and its gradients, forward and then backward by the chain rule. Written by tinygrad_mlp {__version__}."""',
            "",
            *sorted(helpers.imports),
            "import numpy as np",
            "",
            *[line for text in helpers.texts.values() for line in ("", "", *text.splitlines())],
            "",
            "",
            signature,
            *docstring(plan),
            *body,
            "",
        ]
    ).replace("\n\n\n\n", "\n\n\n")


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
    if len(line) + indent <= 110:
        return line
    lines, current = [], "       "
    for part in parts:
        if len(current) + len(part) > 100:
            lines.append(current)
            current = "       "
        current += f" {part},"
    return "\n".join([start, *lines, current, ("    " if start.endswith("{") else "") + end])


def docstring(plan: Plan) -> list[str]:
    """What goes in and what comes out, with shapes."""
    lines = ['    """The loss, and its gradients by name.', ""]
    differentiated = set(plan.parameters)
    width = max((len(plan.names[s]) for s in (*plan.inputs, *plan.parameters)), default=1)
    for symbol in (*plan.inputs, *plan.parameters):
        what = ", differentiated" if symbol in differentiated else ""
        lines.append(f"    {plan.names[symbol]:{width}} : {shape_text(symbol.shape)}, {symbol.dtype}{what}")
    for name, array in plan.arrays.items():
        lines.append(f"    {name:{width}} : {shape_text(array.shape)}, {array.dtype}, an index")
    return [*lines, '    """']


def forward(plan: Plan) -> list[str]:
    """The lines of the forward pass, each with its shape."""
    writer = plan.writer()
    texts = [
        (f"    {line.name} = {writer.expression(line.symbol)[0]}", line.symbol.shape) for line in plan.lines if not line.backward
    ]
    column = min(max((len(text) for text, _ in texts), default=0), 64)
    return ["    # forward", *(f"{text:{column}}  # {shape_text(shape)}" for text, shape in texts)]


def backward(plan: Plan) -> list[str]:
    """The lines of the way back, each under a comment that says which gradient it is, and of which line."""
    writer = plan.writer()
    found = ["    # backward: dQ is ∂loss/∂Q and has the shape of Q"]
    for line in plan.lines:
        if line.backward:
            found.append(f"    # {comment(plan, line)}")
            found.append(f"    {line.name} = {writer.expression(line.symbol)[0]}")
    return found


def comment(plan: Plan, line: Line) -> str:
    """Which gradient a line is."""
    shape = shape_text(line.symbol.shape)
    if line.of is None:
        return f"{line.name} {shape}, used below"
    of = plan.names[plan.moved[line.of]]
    return f"∂loss/∂{of} {shape}, from {'; '.join(dict.fromkeys(use(plan, user) for user in line.users))}"


def use(plan: Plan, user: Symbol) -> str:
    """The line of the forward pass in which an operation stands, losses in one piece."""
    place = user
    while place not in plan.forward_names:
        place = next(s for s in plan.recorded if place in set(s.operands()))
    writer = type(plan.writer())(lambda s: plan.forward_names.get(s), plan.array_name, plan.sizes)
    return f"{plan.forward_names[place]} = {writer.expression(place)[0]}"
