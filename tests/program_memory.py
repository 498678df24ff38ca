"""A checker of compiled programs: no statement reads a value that another one has overwritten, or writes where it must not.

A program is run once, statement by statement, in memory of its own. Each byte carries a tag: the value that was written there
last. Where a name is read, all its bytes must carry the tag of that name's value; what is written once, when the program is bound
(rows of ones), must never be written again; constants and the caller's arrays are locked. A value of an earlier call counts as
none at all. What a name shares memory with is known from its :class:`Binding`; the addresses are those of the real arrays.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from tinygrad_mlp.compiler.program import ARENA, Env, Program

__all__ = ["MemoryUseError", "check", "watched"]

NOTHING, ONES = 0, 1


class MemoryUseError(AssertionError):
    """A statement of a program reads or writes what it must not."""


class StoppedError(Exception):
    """The program itself has raised something: a check of labels."""


class Block:
    """One piece of memory with a tag for each byte."""

    def __init__(self, array: np.ndarray, tag: int, locked: bool) -> None:
        self.array, self.locked = array, locked  # the array stays alive, so that its addresses stay its own
        self.start, self.stop = byte_bounds(array)
        self.tags = np.full(self.stop - self.start, tag, np.uint16)

    def of(self, x: np.ndarray) -> np.ndarray:
        """The tags of the bytes of an array, of which no other byte."""
        first = x.__array_interface__["data"][0] - self.start
        shape, strides = (*x.shape, x.itemsize), (*(2 * n for n in x.strides), 2)
        return np.lib.stride_tricks.as_strided(self.tags[first:], shape, strides)


class Checker:
    """The run of one program under observation."""

    def __init__(self, program: Program, given: Env, args: tuple[Any, ...]) -> None:
        self.program = program
        self.env = program.environment({name: private(x) for name, x in given.items()})
        for name, x in self.env.items():
            if isinstance(x, np.random.Generator):
                self.env[name] = copy.deepcopy(x)
        self.blocks: list[Block] = []
        self.tag_of: dict[str, int] = {}
        flat = self.env.get("flat")
        self.flat = {} if flat is None else {"flat value": flat.value, "flat gradient": flat.gradient}
        self.add(self.env[ARENA], NOTHING)
        for name, x in self.flat.items():
            self.add(x, self.tag(name) if name == "flat value" else NOTHING)
        for name, binding in program.bindings.items():
            x = array_of(self.env[name])
            if x is None or not x.size:
                continue
            if self.block(x) is None:
                self.add(x, self.tag(name), locked=True)
            elif x.base is not None and name.endswith("_stored") and binding.view_of is binding.in_place_of is None:
                row = x[-1]
                if (row == 1).all():  # a new arena holds zeros
                    self.block_of(row).of(row)[...] = ONES
        for name, x in zip(program.arguments, args, strict=True):
            self.env[name] = x
            if isinstance(x, np.ndarray) and x.size:
                owned = len(program.arguments) == len(args) and "__length__" in given  # an optimiser's update: in place
                if owned:
                    self.env[name] = x = x.copy()
                if self.block(x) is None:
                    self.add(x, self.tag(name), locked=not owned)

    def add(self, x: np.ndarray, tag: int, locked: bool = False) -> None:
        if x.size:
            self.blocks.append(Block(x, tag, locked))

    def tag(self, name: str) -> int:
        """The tag of the value that a name stands for: of what it is a view of, if it is one."""
        binding = self.program.bindings.get(name)
        if binding is not None and binding.view_of is not None:
            return self.tag(binding.view_of)
        x = self.env.get(name)
        if isinstance(x, np.ndarray) and (binding is None or binding.in_place_of is None):
            name = next((whole for whole, y in self.flat.items() if np.may_share_memory(x, y)), name)
        return self.tag_of.setdefault(name, len(self.tag_of) + 2)

    def block(self, x: np.ndarray) -> Block | None:
        start, stop = byte_bounds(x)
        return next((b for b in self.blocks if b.start <= start and stop <= b.stop), None)

    def block_of(self, x: np.ndarray) -> Block:
        found = self.block(x)
        assert found is not None
        return found

    # --- one statement ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        (definition,) = ast.parse(self.program.source).body
        assert isinstance(definition, ast.FunctionDef)
        for statement in simple(definition.body):
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        text = ast.unparse(node)
        out = self.output(node)
        reads = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        if out is not None and not isinstance(node, ast.AugAssign):
            reads.remove(out)  # once: it may be an operand too
        for name in reads:
            self.read(name, text)
        if isinstance(node, ast.Return):
            return
        if out is not None:
            self.no_overlap(node, out, reads, text)
        before = {name: x for name, x in self.env.items() if isinstance(x, np.ndarray)}
        try:
            with np.errstate(all="ignore"):
                exec(compile(ast.Module([node], []), "<statement>", "exec"), self.env)  # noqa: S102  # the program under test
        except Exception as error:
            raise StoppedError from error
        if out is not None:
            self.write(out, text)
        elif isinstance(node, ast.Assign):
            (target,) = node.targets
            assert isinstance(target, ast.Name), text
            self.assigned(target.id, reads, before)

    def output(self, node: ast.stmt) -> str | None:
        """The name of the array that a statement writes into."""
        if isinstance(node, ast.AugAssign):
            return root(node.target)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            return root(node.targets[0])
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            return None
        call = node.value
        named = [k.value for k in call.keywords if k.arg == "out"]
        if named:
            return root(named[0])
        f = self.env[call.func.id] if isinstance(call.func, ast.Name) else None
        if f is np.copyto:
            return root(call.args[0])
        if isinstance(f, types.FunctionType):  # a check, which raises or does nothing
            return None
        if getattr(f, "__name__", "") == "reduce":
            return root(call.args[3])
        return root(call.args[-1])

    def read(self, name: str, text: str) -> None:
        x = array_of(self.env.get(name))
        if x is None or not x.size:
            return
        block = self.block(x)
        if block is None or block.locked:
            return
        tags = block.of(x)
        right = (tags == self.tag(name)) | (tags == ONES)
        if not right.all():
            wrong = int(tags[~right].flat[0])
            whose = next((n for n, tag in self.tag_of.items() if tag == wrong), "nobody in this call")
            raise MemoryUseError(f"{text}\n    reads {name}, but {whose} was written there last, in\n{self.program.text}")

    def write(self, name: str, text: str) -> None:
        x = array_of(self.env[name])
        assert x is not None, text
        if not x.size:
            return
        block = self.block_of(x)
        tags = block.of(x)
        if block.locked or (tags == ONES).any():
            what = "the caller's memory or a constant" if block.locked else "what is written only once"
            raise MemoryUseError(f"{text}\n    writes into {what}, in\n{self.program.text}")
        tags[...] = self.tag(name)

    def no_overlap(self, node: ast.stmt, out: str, reads: list[str], text: str) -> None:
        """A ufunc may write over an operand of the same layout; nothing else may write into what it reads."""
        x = self.env[out]
        f = self.env.get(node.value.func.id) if isinstance(getattr(node, "value", None), ast.Call) and isinstance(node.value.func, ast.Name) else None  # fmt: skip
        for name in reads:
            y = array_of(self.env.get(name))
            if y is None or isinstance(node, ast.AugAssign) or not np.shares_memory(x, y):
                continue
            alike = x.__array_interface__["data"] == y.__array_interface__["data"] and x.strides == y.strides and x.shape == y.shape
            if not (isinstance(f, np.ufunc) and f.signature is None and alike):
                raise MemoryUseError(f"{text}\n    writes into {name} while it reads it, in\n{self.program.text}")

    def assigned(self, name: str, reads: list[str], before: dict[str, np.ndarray]) -> None:
        """A name that got its value while the program runs: a view of what was read, or new memory."""
        x = self.env[name]
        if not isinstance(x, np.ndarray) or not x.size:
            return
        if self.block(x) is None:
            self.add(x, self.tag(name))
            return
        sources = [r for r in reads if (y := array_of(before.get(r))) is not None and np.may_share_memory(x, y)]
        if sources:
            self.tag_of[name] = self.tag(sources[0])


def simple(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements without those that hold others."""
    for node in body:
        if isinstance(node, (ast.With, ast.Try)):
            yield from simple(node.body)
        else:
            yield node


def root(node: ast.expr) -> str:
    """The name of the array in ``a[i:j]``, ``a.T``, ``a``."""
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    assert isinstance(node, ast.Name), ast.dump(node)
    return node.id


def array_of(x: Any) -> np.ndarray | None:
    """An array, or the one whose method x is."""
    if isinstance(x, types.BuiltinMethodType):
        x = x.__self__
    return x if isinstance(x, np.ndarray) else None


def private(x: Any) -> Any:
    """A copy of the flat arrays, so that a check changes nothing; None is what a function's program is given."""
    if hasattr(x, "gradient"):
        return types.SimpleNamespace(value=x.value.copy(), gradient=x.gradient.copy())
    return x


def check(program: Program, given: Env, args: tuple[Any, ...]) -> None:
    """Run the program once under observation.

    Raises
    ------
    MemoryUseError
        If a statement reads or writes what it must not.
    """
    try:
        Checker(program, given, args).run()
    except StoppedError:  # it will stop there again, in the call that follows
        return


BIND = Program.bind


def bind_and_check(program: Program, given: Env) -> Callable[..., Any]:
    """The function of a program, checked before its first call."""
    run, checked = BIND(program, given), False

    def first(*args: Any) -> Any:
        nonlocal checked
        if not checked:
            checked = True
            check(program, given, args)
        return run(*args)

    return first


@contextlib.contextmanager
def watched(on: bool = True) -> Iterator[None]:
    """Whether every program that is bound meanwhile is checked before its first call."""
    before = Program.bind
    Program.bind = bind_and_check if on else BIND  # type: ignore[method-assign]
    try:
        yield
    finally:
        Program.bind = before  # type: ignore[method-assign]
