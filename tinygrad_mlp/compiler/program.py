"""A program: straight-line NumPy, and what the names in it stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .arena import aligned

__all__ = ["Binding", "Env", "Program", "bound", "flattened", "in_arena", "instead", "lookup", "piece", "same", "transpose"]

Env = dict[str, Any]
"""What names stand for."""


class Binding(NamedTuple):
    """How to find, or to make, what a name stands for, given the names before it.

    A name stands for one value. Two names share memory where one is a view of the other, the same value, or where its value has
    taken the place of the other's, which nobody reads any more. The tests check each program that they compile by these facts.
    """

    make: Callable[[Env], Any]
    view_of: str | None = None
    in_place_of: str | None = None


ARENA, LENGTH = "__arena__", "__length__"


class Program:
    """Statements with what their names mean.

    Attributes
    ----------
    source : the function's text
    bindings : how to make what each other name in it stands for, in order
    nbytes : the memory of the buffers
    """

    def __init__(
        self, source: str, arguments: Sequence[str], bindings: Mapping[str, Binding], nbytes: int, notes: Sequence[str]
    ) -> None:
        self.source, self.arguments, self.bindings = source, list(arguments), dict(bindings)
        self.nbytes, self.notes = nbytes, list(notes)

    @property
    def text(self) -> str:
        """The function under a comment that says where its values live."""
        buffers = [f"#   {note}" for note in self.notes]
        return "\n".join([f"# buffers: {self.nbytes:,} bytes in one block", *buffers, self.source])

    def bind(self, given: Env) -> Callable[..., Any]:
        """The function, with buffers of its own, and with the given arrays in the places of parameters and gradients."""
        env = self.environment(given)
        exec(compile(self.source, "<tinygrad_mlp.compile>", "exec"), env)  # noqa: S102  # our own text: names and numbers
        function: Callable[..., Any] = env["run"]
        return function

    def environment(self, given: Env) -> Env:
        """What all names stand for: new buffers, and what was given."""
        env: Env = {**given, "np": np, ARENA: aligned(self.nbytes)}
        for name, binding in self.bindings.items():
            env[name] = binding.make(env)
        return env


def same(x: Any) -> Binding:
    """x itself."""
    return Binding(lambda env: x)


def lookup(name: str) -> Binding:
    """What another name stands for."""
    return Binding(lambda env: env[name], view_of=name)


def piece(name: str, start: int = 0, stop: int | None = None) -> Binding:
    """Some rows of an array."""
    return Binding(lambda env: env[name][start:stop], view_of=name)


def flattened(name: str) -> Binding:
    """A contiguous array as one axis."""
    return Binding(lambda env: env[name].reshape(-1), view_of=name)


def transpose(name: str, without_last: bool = False) -> Binding:
    """The transpose, of an array without its last row if that is one of ones."""
    return Binding(lambda env: env[name][:-1].T if without_last else env[name].T, view_of=name)


def bound(name: str, title: str = "dot", turned: bool = False) -> Binding:
    """A method of an array, or of its transpose."""
    return Binding(lambda env: getattr(env[name].T if turned else env[name], title), view_of=name)


def instead(view: Binding) -> Binding:
    """The place of another value, or of a part of it, for a new one."""
    return Binding(view.make, in_place_of=view.view_of)


def in_arena(start: int, shape: tuple[int, ...], dtype: np.dtype[Any], row_of_ones: bool = False) -> Binding:
    """A buffer; with a row of ones as its last. A flat one is cut where the program is bound to shorter pieces."""
    nbytes = int(np.prod(shape, dtype=int)) * dtype.itemsize

    def make(env: Env) -> Any:
        memory = env[ARENA][start : start + nbytes].view(dtype).reshape(shape)
        if row_of_ones:
            memory[-1] = 1
        return memory[: env[LENGTH]] if LENGTH in env else memory

    return Binding(make)
