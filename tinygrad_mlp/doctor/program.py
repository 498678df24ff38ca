"""A function's assignments in their order, read off its source and never run: what a name means where, and what it is made of."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import os
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NamedTuple

__all__ = ["Program", "has_factor", "names_in", "operands", "placed", "wrapped_name"]

DEPTH = 60
"""How many assignments are followed from a value to what it is made of."""

PRODUCTS = {"dot", "matmul", "outer", "einsum", "tensordot", "multiply"}


class Step(NamedTuple):
    """An assignment: the name, the expression, whether the name keeps its former value in part, and where it is."""

    name: str
    value: ast.expr
    partial: bool
    line: int
    block: tuple[int, ...]
    """The compound statements that it is in; those that may not run have negative numbers."""


class Program:
    """The assignments of a function in their order.

    Attributes
    ----------
    steps : all of them; of ``a, b = c, d`` one each
    arguments : the names of its arguments
    answer : the expressions that it returns by key, and the number of steps before each
    """

    def __init__(self, function: ast.FunctionDef, place: str, lines: list[str]) -> None:
        self.place, self.lines, self.first = place, lines, function.lineno
        self.arguments = [a.arg for a in (*function.args.posonlyargs, *function.args.args) if a.arg != "self"]
        self.steps: list[Step] = []
        self.entries: dict[str, dict[str, tuple[ast.expr, int]]] = {}
        self.returned: list[tuple[ast.expr, int]] = []
        self.read(function.body, ())
        self.answer = self.gradients()

    @classmethod
    def of(cls, manual: Callable[..., Any]) -> Program | None:
        """The program of a function; None if its source is not at hand, or is not what was run."""
        function: Any = inspect.unwrap(manual)
        while isinstance(function, functools.partial):
            function = function.func
        code: CodeType | None = getattr(getattr(function, "__func__", function), "__code__", None)
        if code is None or "<lambda>" in code.co_name:
            return None
        linecache.checkcache(code.co_filename)
        lines = linecache.getlines(code.co_filename, getattr(function, "__globals__", None))
        tree = ast.parse("".join(lines))
        found = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
            and node.name == code.co_name
            and min([node.lineno, *(d.lineno for d in node.decorator_list)]) == code.co_firstlineno
        ]
        same = any(
            other.co_firstlineno == code.co_firstlineno and other.co_code == code.co_code and other.co_name == code.co_name
            for other in codes(compile(tree, code.co_filename, "exec", dont_inherit=True))
        )
        return cls(found[0], placed(code.co_filename), lines) if len(found) == 1 and same else None

    def quoted(self, line: int) -> str:
        """A line with its place; of code that is in no file, counted from the line of its ``def``."""
        text = self.lines[line - 1].strip()
        return f"{self.place}:{line}: {text}" if self.place else f"manual(), line {line - self.first + 1}: {text}"

    # --- reading ------------------------------------------------------------------------------------------------------

    def read(self, body: list[ast.stmt], block: tuple[int, ...]) -> None:
        """Note the assignments of a block and of those in it."""
        for node in body:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self.assign(target, node.value, block)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                self.assign(node.target, node.value, block)
            elif isinstance(node, ast.AugAssign):
                self.augment(node, block)
            elif isinstance(node, ast.Return) and node.value is not None:
                self.returned.append((node.value, len(self.steps)))
            elif isinstance(node, ast.For):
                self.assign(node.target, node.iter, (*block, node.lineno))
            if isinstance(node, (ast.For, ast.While, ast.With, ast.If, ast.Try)):
                for i, part in enumerate(("body", "orelse", "finalbody")):
                    always = isinstance(node, ast.With) or (isinstance(node, (ast.For, ast.While)) and i == 0)
                    inside = node.lineno if always else -4 * node.lineno - i
                    self.read(getattr(node, part, []), (*block, inside))
                for handler in getattr(node, "handlers", []):
                    self.read(handler.body, (*block, -4 * handler.lineno))

    def assign(self, target: ast.expr, value: ast.expr, block: tuple[int, ...], line: int = 0) -> None:
        """Note one assignment."""
        line = line or value.lineno
        if isinstance(target, (ast.Tuple, ast.List)):
            parts = elements(value)
            for i, part in enumerate(target.elts):
                self.assign(part, parts[i] if len(parts) == len(target.elts) else value, block)
        elif isinstance(target, ast.Name):
            self.entries.pop(target.id, None)
            self.steps.append(Step(target.id, value, False, target.lineno, block))
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            name, key = target.value.id, target.slice
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                own = f"{name}[{key.value!r}]"
                self.entries.setdefault(name, {})[key.value] = (ast.copy_location(ast.Name(own), value), len(self.steps) + 1)
                self.steps.append(Step(own, value, False, target.lineno, block))
            else:
                both = ast.copy_location(ast.Tuple([value, key]), value)
                self.steps.append(Step(name, both, True, target.lineno, block))

    def augment(self, node: ast.AugAssign, block: tuple[int, ...]) -> None:
        """Note ``a += b``: a keeps its former value in part."""
        target = node.target
        name = ""
        if isinstance(target, ast.Name):
            name = target.id
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            key = target.slice.value if isinstance(target.slice, ast.Constant) else None
            name = f"{target.value.id}[{key!r}]" if isinstance(key, str) else target.value.id
            if isinstance(key, str) and key not in self.as_dict(ast.Name(target.value.id), len(self.steps)):
                self.entries.setdefault(target.value.id, {})[key] = (ast.copy_location(ast.Name(name), node), 0)
            if isinstance(key, str) and key in (own := self.entries.get(target.value.id, {})):
                own[key] = (own[key][0], len(self.steps) + 1)
        if name:
            before = target if "[" not in name and isinstance(target, ast.Subscript) else ast.Name(name)
            whole = ast.copy_location(ast.BinOp(before, node.op, node.value), node)
            self.steps.append(Step(name, whole, True, node.lineno, block))

    def gradients(self) -> dict[str, tuple[ast.expr, int]]:
        """What is returned, by key."""
        if len(self.returned) != 1:
            return {}
        value, at = self.returned[0]
        for part in value.elts if isinstance(value, ast.Tuple) else [value]:
            if found := self.as_dict(part, at):
                return found
        return {}

    def as_dict(self, value: ast.expr, at: int) -> dict[str, tuple[ast.expr, int]]:
        """The entries of a dict: a literal, ``dict(…)``, or a variable that was given them."""
        if isinstance(value, ast.Dict):
            pairs = zip(value.keys, value.values, strict=True)
            return {k.value: (v, at) for k, v in pairs if isinstance(k, ast.Constant) and isinstance(k.value, str)}
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
            return {k.arg: (k.value, at) for k in value.keywords if k.arg is not None}
        if isinstance(value, ast.Name):
            made = [(i, s) for i, s in enumerate(self.steps[:at]) if s.name == value.id and not s.partial]
            found = self.as_dict(made[-1][1].value, made[-1][0]) if made and not isinstance(made[-1][1].value, ast.Name) else {}
            return found | self.entries.get(value.id, {})
        return {}

    # --- what a value is made of --------------------------------------------------------------------------------------

    def made(self, name: str, at: int) -> list[int]:
        """The steps that made what a name means before a step: its last assignment, and what changed it since;

        the last first; none if branches did.
        """
        found: list[int] = []
        for i in range(at - 1, -1, -1):
            if self.steps[i].name == name:
                found.append(i)
                if not self.steps[i].partial:
                    break
        here = self.steps[at].block if at < len(self.steps) else ()
        perhaps = any(b < 0 for i in found for b in self.steps[i].block if b not in here)
        blocks = {self.steps[i].block for i in found if not self.is_start(self.steps[i])}
        return found if len(blocks) <= 1 and not perhaps else []

    @staticmethod
    def is_start(step: Step) -> bool:
        """Whether an assignment only makes zeros, for a sum."""
        v = step.value
        zeros = isinstance(v, ast.Call) and ast.unparse(v.func).rpartition(".")[2] in ("zeros", "zeros_like")
        return zeros or (isinstance(v, ast.Constant) and v.value in (0, None))

    def depends(self, value: ast.expr, at: int, on: str, depth: int = 0) -> bool:
        """Whether an expression is made of a name, sizes aside."""
        if depth > DEPTH:
            return False
        for name in names_in(value):
            steps = self.made(name, at)
            if (name == on and not steps) or any(self.depends(self.steps[i].value, i, on, depth + 1) for i in steps):
                return True
        return False


def elements(value: ast.expr) -> list[ast.expr]:
    """What is taken apart by ``a, b = c, d``, and by a loop over ``zip(c, d)`` or ``enumerate(d)``."""
    match value:
        case ast.Tuple(parts) | ast.List(parts) | ast.Call(ast.Name("zip"), parts, []):
            return parts
        case ast.Call(ast.Name("enumerate"), [part]):
            return [ast.copy_location(ast.Constant(0), part), part]
    return []


def codes(code: CodeType) -> Iterator[CodeType]:
    """A code object and all in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def placed(path: str) -> str:
    """How a file is called in a report: from here, if it lies below; empty for code that is in no file."""
    if not os.path.isfile(path):
        return ""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def names_in(value: ast.AST) -> list[str]:
    """The names of an expression, and ``grads['W1']``; not those of which only the size is taken."""
    if isinstance(value, ast.Name):
        return [value.id]
    if isinstance(value, ast.Attribute) and value.attr in ("shape", "size", "ndim", "dtype"):
        return []
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("len", "range"):
        return []
    own = []
    if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name) and isinstance(value.slice, ast.Constant):
        own = [f"{value.value.id}[{value.slice.value!r}]"]
    return own + [name for part in ast.iter_child_nodes(value) for name in names_in(part)]


def has_factor(value: ast.AST) -> bool:
    """Whether an expression multiplies or divides, or takes a mean."""
    return any(
        (isinstance(n, ast.BinOp) and isinstance(n.op, (ast.Div, ast.Mult)))
        or (isinstance(n, ast.Attribute) and n.attr in ("mean", "average"))
        for n in ast.walk(value)
    )


def wrapped_name(value: ast.expr) -> str | None:
    """The name in ``dW``, ``dW.T``, ``dW.copy()``, ``dW / m``, ``dW + lam * W``; None if the expression computes more."""
    match value:
        case ast.Name(name):
            return name
        case ast.Subscript(ast.Name(name), ast.Constant(str() as key)):
            return f"{name}[{key!r}]"
        case ast.Attribute(inner, "T") | ast.Call(ast.Attribute(inner, "copy" | "reshape" | "astype")):
            return wrapped_name(inner)
        case ast.BinOp(inner, ast.Div() | ast.Mult() | ast.Add() | ast.Sub()):
            return wrapped_name(inner)
    return None


def operands(value: ast.expr) -> list[ast.expr]:
    """The factors of the products in an expression, and what is summed; transposes and constant factors aside."""
    found: list[ast.expr] = []
    for node in ast.walk(value):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            found += [node.left, node.right]
        elif isinstance(node, ast.Call):
            title = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            own = [node.func.value] if isinstance(node.func, ast.Attribute) else []
            if title in PRODUCTS:
                found += [*own, *node.args]
            elif title in ("sum", "mean"):
                found += node.args[:1] if own and isinstance(own[0], ast.Name) and own[0].id in ("np", "numpy") else own
    if not found and isinstance(value, ast.BinOp):
        found = [value.right if isinstance(value.op, ast.Add) else value]  # db += d / m, sample by sample
    return [bare(part) for part in found if not isinstance(part, ast.Constant)]


def bare(value: ast.expr) -> ast.expr:
    """Without transposes, and without a number that multiplies or divides."""
    match value:
        case ast.Attribute(inner, "T") | ast.Call(ast.Attribute(inner, "transpose" | "reshape" | "squeeze")):
            return bare(inner)
        case ast.BinOp(inner, ast.Div(), by) if isinstance(by, ast.Name) or not names_in(by):
            return bare(inner)
        case ast.Subscript(ast.Name() as inner, ast.Slice() | ast.Tuple()):
            return inner
    return value
