"""Compiled functions: arrays in, arrays out; also the value and the gradients of a function."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..chainrule.derivation import inside
from ..chainrule.names import known_objects, name_values
from ..errors import ShapeError, TensorTypeError
from ..functional import Request
from ..symbols import Symbol, ancestors
from ..trees import leaves, like
from .builder import Builder
from .cache import Programs
from .capture import by_position, capture, plain, signature
from .fast import FastBuilder
from .guards import Guards
from .lowering import lowered, new_trace

__all__ = ["Function"]


class Function:
    """What :func:`tinygrad_mlp.compile` makes of a function; called as that one, with arrays and Python numbers.

    Attributes
    ----------
    source : the program that ran last, as text
    programs : the compiled programs, at most ``cache``
    """

    def __init__(self, f: Callable[..., Any], *, exact: bool = False, cache: int = 8) -> None:
        self.transform: Request | None = getattr(f, "transform", None)
        self.f, self.exact = f, exact
        self.programs: Programs[CompiledFunction] = Programs(cache)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """The function's result: new arrays."""
        by_position(named)
        ends = [plain(end) for arg in args for end in leaves(arg)]
        key = (signature(ends), form_of(args))
        with self.programs.lock:
            compiled = self.programs.find(key)
            return (self.programs.add(key, CompiledFunction(self, args), stacklevel=2) if compiled is None else compiled)(ends)

    @property
    def source(self) -> str:
        """The program that ran last, as text."""
        latest = self.programs.latest
        return "# nothing is compiled yet: call the function once" if latest is None else latest.program.text

    def __reduce__(self) -> tuple[Callable[..., Function], tuple[Callable[..., Any]]]:
        # the programs are written anew at the first call
        return functools.partial(Function, exact=self.exact, cache=self.programs.size), (self.f,)

    def __repr__(self) -> str:
        name = getattr(self.f, "__name__", type(self.f).__name__)
        return f"<compiled function {name}: {len(self.programs)} programs>"


def form_of(tree: Any) -> Any:
    """The form of a tree: what nested tuples, lists and dicts it is made of."""
    if isinstance(tree, dict):
        return ("dict", *((key, form_of(branch)) for key, branch in tree.items()))
    return (type(tree).__name__, *map(form_of, tree)) if isinstance(tree, (tuple, list)) else None


class CompiledFunction:
    """The program for one combination of shapes."""

    def __init__(self, function: Function, args: tuple[Any, ...]) -> None:
        transform = function.transform
        f = function.f if transform is None else transform.function
        given = like(args, iter([plain(end) for end in leaves(args)]))
        wrt, many = ((), False) if transform is None else (transform.numbers(len(args)), transform.many)
        self.guards = Guards(f, [])
        captured = capture(f, given, lambda: new_trace(function.exact), wrt, many)
        self.guards.settle(captured.trace, captured.modes)
        self.result = captured.result
        ends = list(leaves(captured.result))
        if transform is not None:
            ends, self.result = self.differentiated(captured, transform, ends)
        first = next((s for s in ends if s.op is not None), None)
        forward = ancestors(leaves(captured.result))
        names = name_values(forward, first, known_objects(forward, inside(f))) if first is not None else {}
        found, quiet, checks = lowered(captured.trace, [*ends, *leaves(captured.result)], captured.arguments, names, function.exact)
        arguments = [found[s] for s in captured.arguments]
        # a Python number to differentiate with respect to is an array of shape ()
        self.numbers = [
            i
            for i, (s, x) in enumerate(zip(captured.arguments, leaves(given), strict=True))
            if type(x) in (int, float) and not s.weak
        ]
        builder = Builder(arguments, {}, []) if function.exact else FastBuilder(arguments, {}, [], {}, {})
        builder.quiet, builder.checks = quiet, checks
        outputs = [found[s] for s in ends]
        computed = [found[s] for s in leaves(captured.result) if s in found]  # the gradient of a fused loss is computed by the loss
        self.program = builder.build([*outputs, *computed, *(s for _, s, _ in checks)], lambda b: returned(b, outputs))
        self.run = self.program.bind({})
        self.result = like(self.result, itertools.repeat(None))  # only its form is needed
        captured.trace.forget()

    def differentiated(self, captured: Any, transform: Request, ends: list[Symbol]) -> tuple[list[Symbol], Any]:
        """The value and the gradients in place of the value."""
        if len(ends) != 1 or ends[0].size != 1:
            raise ShapeError(f"{transform.name}() is of a function with one number as result: write the sum of it")
        transform.check([ends[0].dtype])
        if not captured.variables or any(s.dtype.kind not in "fc" for s in captured.variables):
            raise TensorTypeError(f"{transform.name}() is with respect to floating numbers: name the right arguments, argnums=…")
        adjoints = captured.trace.adjoints(ends[0], captured.variables)
        gradients = [adjoints[s] for s in captured.variables]
        tree = like(captured.tree, iter(gradients))
        if transform.name == "grad":
            return gradients, tree
        return [*ends, *gradients], (captured.result, tree)

    def fits(self) -> bool:
        """Whether modules are in their modes, and all that the function reads is what the program was made for."""
        return self.guards.hold()

    def __call__(self, ends: list[Any]) -> Any:
        for i in self.numbers:
            ends[i] = np.asarray(ends[i], np.float64)
        return like(self.result, iter(self.run(*ends)))


def returned(b: Builder, outputs: list[Symbol]) -> str:
    """The results as new arrays."""
    if not outputs:
        return "()"
    array = b.function(np.array, "array")
    return f"({', '.join(f'{array}({b.text(s)}, {b.dtype_name(s)})' for s in outputs)},)"
