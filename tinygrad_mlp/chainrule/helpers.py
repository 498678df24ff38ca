"""The source of forward functions that NumPy has not, with what they call: what a written module needs to stand alone."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..primitive import Primitive

__all__ = ["Helpers"]

IGNORED = ("Array", "Any")
"""Names that only annotations use."""


class Helpers:
    """Collects functions and constants, each once, in an order in which they can stand.

    Attributes
    ----------
    texts : the definitions by name
    imports : the import lines
    objects, imported : what the names stand for, and those names that imports bring
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.imports: dict[str, None] = {}
        self.imported: dict[str, Any] = {}
        self.objects: dict[str, Any] = {}

    def add(self, function: Callable[..., Any], name: str = "") -> None:
        """A function with everything that it refers to.

        Raises
        ------
        UnsupportedError
            If its source is not at hand, or refers to something that is neither NumPy's, a function nor a number.
        """
        name = name or function.__name__
        if name in self.objects:
            if self.objects[name] is not function:
                raise UnsupportedError(f"two functions of the name {name!r} in one module: rename one of them")
            return
        self.objects[name] = function
        tree = definition(function, name)
        for node in ast.walk(tree):
            if isinstance(node, ast.arg):
                node.annotation = None
            elif isinstance(node, ast.FunctionDef):
                node.returns = None
        known = dict(inspect.getclosurevars(function).nonlocals)
        local = {*function.__code__.co_varnames, *function.__code__.co_cellvars}
        for used in sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - local):
            if used in known or used in function.__globals__:
                self.refer(used, known.get(used, function.__globals__.get(used)), name)
        self.texts[name] = ast.unparse(tree)

    def refer(self, name: str, value: Any, user: str) -> None:
        """Make a name known that a function uses and does not define."""
        value = value.forward if isinstance(value, Primitive) else value
        if isinstance(value, ModuleType):
            if value is not np or name != "np":
                self.bring(name, value, f"import {value.__name__}" + (f" as {name}" if name != value.__name__ else ""))
        elif isinstance(value, BuiltinFunctionType) and isinstance(getattr(value, "__self__", None), np.ufunc):
            self.constant(name, value, f"np.{getattr(value.__self__, '__name__', '')}.{value.__name__}")
        elif isinstance(value, np.ufunc):
            self.constant(name, value, f"np.{value.__name__}")
        elif callable(value) and (getattr(value, "__module__", None) or "").startswith("numpy"):
            module = value.__module__.replace("._array_utils_impl", ".array_utils")
            self.bring(name, value, f"from {module} import {value.__name__}" + (f" as {name}" if name != value.__name__ else ""))
        elif isinstance(value, FunctionType):
            self.add(value, name)
        elif isinstance(value, (bool, int, float, complex, str, tuple)):
            self.constant(name, value, repr(value))
        elif isinstance(value, np.generic):
            self.constant(name, value, f"np.{value.dtype.name}({value.item()!r})")
        elif isinstance(value, type) and issubclass(value, Exception):
            self.constant(name, value, value.__mro__[1].__name__ if value.__module__ != "builtins" else name)
        elif name not in IGNORED:
            raise UnsupportedError(f"{user}() refers to {name}, a {type(value).__name__}, which a module cannot be given")

    def bring(self, name: str, value: Any, line: str) -> None:
        """An import line."""
        self.unequal(name, value)
        self.imported[name] = value
        self.imports[line] = None

    def constant(self, name: str, value: Any, text: str) -> None:
        """A line ``name = text``."""
        if self.unequal(name, value):
            self.objects[name] = value
            self.texts[name] = f"{name} = {text}"

    def unequal(self, name: str, value: Any) -> bool:
        """Whether a name is new; refused if it stands for something else already."""
        known = self.objects.get(name, self.imported.get(name, value))
        if known is not value and not (type(known) is type(value) and known == value):
            raise UnsupportedError(f"two things of the name {name!r} in one module: rename one of them")
        return name not in self.objects


def definition(function: Callable[..., Any], name: str) -> ast.FunctionDef:
    """The syntax tree of a function, under the given name, without decorators and docstring's indentation.

    Raises
    ------
    UnsupportedError
        If its source is not at hand.
    """
    if not isinstance(function, FunctionType):
        raise UnsupportedError(f"{name} is no plain function, so it cannot be written into a module: define it with def")
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise UnsupportedError(
            f"the source of {name}() is not at hand, so it cannot be written into a module: define it with def in a file"
        ) from error
    if function.__name__ == "<lambda>":
        return of_lambda(function, source, name)
    try:
        (tree,) = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise UnsupportedError(f"the source of {name}() cannot be read: define it with def in a file") from error
    if not isinstance(tree, ast.FunctionDef):
        raise UnsupportedError(f"{name} is no plain function, so it cannot be written into a module: define it with def")
    tree.decorator_list, tree.name = [], name
    return tree


def of_lambda(function: FunctionType, source: str, name: str) -> ast.FunctionDef:
    """The lambda expression in the lines of source that has the function's code, as a def."""
    starts = [found.start() for found in re.finditer(r"\blambda\b", source)]
    for start, end in itertools.product(starts, range(len(source), 0, -1)):  # the lines may be the middle of a statement
        try:
            node = ast.parse(source[start:end].strip(), mode="eval").body if start < end else None
        except SyntaxError:
            continue
        if isinstance(node, ast.Lambda):
            code = compile(ast.Expression(node), "lambda", "eval").co_consts[0]
            if code.co_code == function.__code__.co_code and (code.co_names, code.co_consts) == (
                function.__code__.co_names,
                function.__code__.co_consts,
            ):
                made = ast.FunctionDef(name, node.args, [ast.Return(node.body)], [])
                return ast.fix_missing_locations(made)
    raise UnsupportedError(f"the source of the lambda of {name} cannot be read: define it with def in a file")
