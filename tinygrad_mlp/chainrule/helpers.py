"""The source of forward functions that NumPy has not, with what they call: what a written module needs to stand alone."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from ..errors import UnsupportedError

__all__ = ["Helpers"]


class Helpers:
    """Collects functions and constants, each once, in an order in which they can stand."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.imports: dict[str, None] = {}
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
        try:
            source = textwrap.dedent(inspect.getsource(function))
            (tree,) = ast.parse(source).body
        except (OSError, TypeError, SyntaxError, ValueError) as error:
            raise UnsupportedError(
                f"the source of {name}() is not at hand, so it cannot be written into a module: define it with def in a file"
            ) from error
        if not isinstance(tree, ast.FunctionDef) or not isinstance(function, FunctionType):
            raise UnsupportedError(f"{name} is no plain function, so it cannot be written into a module: define it with def")
        if function.__code__.co_freevars:
            raise UnsupportedError(f"{name}() refers to variables of the function around it: pass them as parameters")
        tree.decorator_list = []
        for node in ast.walk(tree):
            if isinstance(node, ast.arg):
                node.annotation = None
            elif isinstance(node, ast.FunctionDef):
                node.returns = None
        for used in sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}):
            if used in function.__globals__:
                self.refer(used, function.__globals__[used], name)
        self.texts[name] = ast.unparse(tree)

    def refer(self, name: str, value: Any, user: str) -> None:
        """Make a global name known that a function uses."""
        if isinstance(value, ModuleType):
            if value is not np:
                self.imports[f"import {value.__name__}" + (f" as {name}" if name != value.__name__ else "")] = None
        elif isinstance(value, BuiltinFunctionType) and isinstance(getattr(value, "__self__", None), np.ufunc):
            self.constant(name, f"np.{value.__self__.__name__}.{value.__name__}")
        elif isinstance(value, FunctionType) and value.__module__.startswith("numpy"):
            self.imports[f"from {value.__module__.replace('._array_utils_impl', '.array_utils')} import {value.__name__}"] = None
        elif isinstance(value, FunctionType):
            self.add(value, name)
        elif isinstance(value, (int, float, complex, str, tuple)):
            self.constant(name, repr(value))
        elif name not in ("Array", "Any"):
            raise UnsupportedError(f"{user}() refers to {name}, a {type(value).__name__}, which a module cannot be given")

    def constant(self, name: str, text: str) -> None:
        """A line ``name = text``."""
        self.objects[name] = text
        self.texts[name] = f"{name} = {text}"
