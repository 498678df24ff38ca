"""derive(): from a loss, or a function, to its derivation."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from ..errors import GraphError, ShapeError, TensorTypeError
from ..graph import Node, topological
from ..nn import Module
from ..symbols import Symbol, Trace, Traced, ancestors, symbol_of, tracing
from ..symbols.variables import variables_of
from .markdown import latex_of, markdown_of
from .names import identifier, known_objects
from .plan import Plan, plan
from .source import source_of

__all__ = ["Derivation", "derive"]


def derive(f: Any, *examples: Any, names: Mapping[str, Any] | None = None) -> Derivation:
    """The explicit chain rule of a loss, as NumPy source and as mathematics.

    ``derive(loss)`` is of a recorded computation, before its ``backward()``; ``derive(f, *examples)`` is of the function f,
    which is called once with values of the examples' shapes and dtypes, but without numbers: all branches on numbers are refused.

    The gradients are those with respect to the tensors that require them: the parameters of modules, and Tensors. If f has none,
    with respect to all floating arguments.

    Parameters
    ----------
    f : Tensor with one entry, or function that returns one
    examples : arrays, Tensors or modules, the arguments of f
    names : dict of name to Tensor, ndarray or Module, optional
        What things are called. By default their names are those of the variables where derive() is called, of the arguments of f,
        of the parameters of modules; W1, b1, Z1, A1 … for a chain of Linear layers.

    Raises
    ------
    GraphError
        If nothing requires gradients, or the graph has been freed.
    ShapeError
        If the loss has more than one entry.
    TraceError
        If f asks for a number, with the line that asks.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_mlp import Tensor
    >>> x, w = np.array([1.0, 2.0]), Tensor([0.5, 0.5], requires_grad=True)
    >>> loss = np.square(w * x).sum()
    >>> print(derive(loss).source().partition("# forward")[2])
    <BLANKLINE>
        product = w * x                  # (2,)
        loss = np.square(product).sum()  # a number
    <BLANKLINE>
        # backward: dQ is ∂loss/∂Q and has the shape of Q
        # ∂loss/∂w (2,), from product = w * x
        dw = 2 * product * x
        return loss, {"w": dw}
    <BLANKLINE>
    """
    given = dict(names or {})
    frame = sys._getframe(1)
    around = [given, variables_of(frame), frame.f_globals]
    if isinstance(f, Node):
        if examples:
            raise TensorTypeError("derive(loss) takes the loss alone: the arguments are in its graph")
        return of_loss(f, around)
    if not callable(f):
        raise TensorTypeError(f"derive() takes a Tensor or a function (got {f!r}): write tg.derive(loss) or tg.derive(f, X, y)")
    if not examples and takes_arguments(f):
        raise TensorTypeError("derive() of a function needs an example of each argument: write tg.derive(f, X, y)")
    return of_function(f, examples, given, around)


def one_number(shape: tuple[int, ...], what: str) -> None:
    """A loss is one number."""
    if shape not in ((), (1,)) and int(np.prod(shape, dtype=int)) != 1:
        raise ShapeError(f"{what} has shape {shape}, but a derivation starts at one number: write np.sum(y), or weight it first")


def of_loss(loss: Node, around: Sequence[Mapping[str, Any]]) -> Derivation:
    """The derivation of a recorded loss."""
    if not loss.tracked:
        raise GraphError("derive() of a tensor without a graph: no input requires gradients, or it was computed under no_grad()")
    one_number(loss.array.shape, "this tensor")
    trace = Trace()
    fold_seeds(trace, loss, known_objects((), *around))
    symbol = trace.tensor(loss)
    wrt = [s for s in ancestors([symbol]) if s.role == "parameter"]
    objects = known_objects(wrt, *around)
    name_arrays(trace, objects)
    return Derivation(plan(trace, symbol, in_order(wrt, objects), objects), "loss_and_gradients")


def name_arrays(trace: Trace, objects: Mapping[int, str]) -> None:
    """Arrays that were copied when they were recorded have the names of the user's own ones."""
    for key, symbol in trace.of_array.items():
        if key in objects and not symbol.name:
            symbol.name = objects[key]


def fold_seeds(trace: Trace, loss: Node, objects: Mapping[int, str]) -> None:
    """The 1 that starts an inner tg.gradients(…, create_graph=True), and what rules have made of it: numbers, no inputs.

    They are Tensors of equal entries without a graph for which the user has no name.
    """
    for node in topological(loss):
        for x in node.inputs:
            if isinstance(x, Node) and x.op is None and not x.tracked and id(x) not in objects and x.array.dtype.kind in "fc":
                array = x.array
                if array.size and np.all(array == array.flat[0]):
                    trace.of_tensor[x] = trace.full(array.shape, array.flat[0], array.dtype)


def of_function(f: Callable[..., Any], examples: tuple[Any, ...], names: Mapping[str, Any], around: list[Any]) -> Derivation:
    """The derivation of a function at the shapes of the examples."""
    titles = argument_names(f, len(examples))
    trace, result = traced(f, titles, examples, names, every=False)
    if not result.tracked and not any(isinstance(e, Node) and e.tracked for e in examples):
        trace, result = traced(f, titles, examples, names, every=True)
    one_number(result.shape, "the result of the function")
    if not result.tracked:
        raise GraphError("the function's result depends on nothing that requires gradients: pass Tensors with requires_grad=True")
    modules = {t: e for t, e in zip(titles, examples, strict=True) if isinstance(e, Module)}
    wrt = [s for s in ancestors([result]) if s.role == "parameter"]
    objects = known_objects(wrt, names, modules, inside(f), *around)
    name_arrays(trace, objects)
    given = trace.symbols[: sum(not isinstance(e, Module) for e in examples)]  # they were made first
    title = identifier(getattr(f, "__name__", type(f).__name__))
    title = f"{title}_and_gradients" if title.isidentifier() and not title.startswith("_lambda") else "loss_and_gradients"
    return Derivation(plan(trace, result, in_order(wrt, objects), objects, given), title)


def traced(
    f: Callable[..., Any], titles: Sequence[str], examples: Sequence[Any], names: Mapping[str, Any], every: bool
) -> tuple[Trace, Symbol]:
    """Call f with Symbols in place of the examples. ``every``: differentiate with respect to all floating ones."""
    trace = Trace()
    arguments: list[Any] = []
    for title, example in zip(titles, examples, strict=True):
        if isinstance(example, Module):
            arguments.append(example)
            continue
        array = example.array if isinstance(example, Node) else as_array(example, title)
        tracked = bool(getattr(example, "tracked", False)) or (every and array.dtype.kind in "fc")
        title = next((wished for wished, value in names.items() if value is example), title)
        value = example if isinstance(example, (Node, np.ndarray)) else array
        symbol = trace.leaf(array.shape, array.dtype, "parameter" if tracked else "input", value, identifier(title), tracked)
        arguments.append(Traced(symbol))
    with tracing(trace):
        result = symbol_of(f(*arguments))
    if isinstance(result, Node):
        raise GraphError("the function's result does not depend on its arguments or parameters: it is a constant Tensor")
    if not isinstance(result, Symbol):
        raise TensorTypeError(f"derive() is of a function whose result depends on its arguments; it returned {result!r}")
    return trace, result


def as_array(example: Any, title: str) -> Any:
    """An example as an array of numbers."""
    try:
        array = np.asarray(example)
    except ValueError as error:
        raise TensorTypeError(f"the example for {title} is an array, a Tensor or a Module (got {example!r})") from error
    if array.dtype.kind not in "biufc":
        raise TensorTypeError(f"the example for {title} is an array, a Tensor or a Module (got {example!r})")
    return array


def in_order(wrt: list[Symbol], objects: Mapping[int, str]) -> list[Symbol]:
    """The parameters in the order in which modules and variables name them; others behind."""
    order = {key: i for i, key in enumerate(objects)}
    return sorted(wrt, key=lambda s: (s.role == "parameter" and not s.name, order.get(id(s.value), len(order)), s.stamp))


def takes_arguments(f: Callable[..., Any]) -> bool:
    """Whether a function cannot be called without arguments."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def argument_names(f: Callable[..., Any], n: int) -> list[str]:
    """What a function calls its n first arguments."""
    try:
        named = [p.name for p in inspect.signature(f).parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        named = []
    return named[:n] + [f"x{i}" for i in range(len(named[:n]), n)]


def inside(f: Callable[..., Any]) -> dict[str, Any]:
    """What a function refers to by name: the variables of its closure, its globals, the object that it is a method of."""
    found: dict[str, Any] = {}
    owner = f if isinstance(f, Module) else getattr(f, "__self__", None)
    if owner is not None:
        found["self"] = owner
    function = inspect.unwrap(getattr(f, "__func__", f))
    code = getattr(function, "__code__", None)
    if code is not None:
        found.update({n: function.__globals__[n] for n in code.co_names if n in function.__globals__})
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
            try:
                found[name] = cell.cell_contents
            except ValueError:  # a variable that has no value yet
                continue
    return dict(sorted(found.items(), key=lambda item: item[1].stamp if isinstance(item[1], Node) else 0))  # as they were made


class Derivation:
    """The chain rule of one computation, written out. Made by :func:`derive`."""

    def __init__(self, plan: Plan, function: str) -> None:
        self.plan, self.function = plan, plan.titles.free(function)

    def source(self) -> str:
        """A Python module that needs NumPy only, with one function: the loss and the gradients by name, a line for each step."""
        return source_of(self.plan, self.function)

    def latex(self) -> str:
        """The lines as mathematics: one ``aligned`` environment, which KaTeX and MathJax render."""
        return latex_of(self.plan)

    def markdown(self, with_numbers: bool = False) -> str:
        """The derivation step by step: each forward line, its local derivative, the gradient that arrives, what results, and why.

        ``with_numbers`` adds the values on the example data; of arrays with more than 64 entries the corner.

        Raises
        ------
        DataError
            If there are no numbers: an input without an example.
        """
        return markdown_of(self.plan, with_numbers)

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def __reduce__(self) -> NoReturn:
        raise TensorTypeError(
            "a derivation can be neither pickled nor copied, since it refers to the graph and its arrays: keep what it writes, "
            "d.source(), d.latex() or d.markdown()"
        )

    def __repr__(self) -> str:
        names = ", ".join(self.plan.gradients)
        return f"<derivation: {len(self.plan.lines)} lines, gradients of {names}; see .source(), .markdown()>"
