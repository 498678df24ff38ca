"""A program: straight-line NumPy, and what the names in it stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .arena import aligned

__all__ = ["Env", "Make", "Program", "bound", "flattened", "in_arena", "lookup", "piece", "same", "transpose"]

Env = dict[str, Any]
"""What names stand for."""

Make = Callable[[Env], Any]
"""How to find, or to make, what a name stands for, given the names before it."""

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
        self, source: str, arguments: Sequence[str], bindings: Mapping[str, Make], nbytes: int, notes: Sequence[str]
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
        env: Env = dict(given)
        env["np"] = np
        env[ARENA] = aligned(self.nbytes)
        for name, make in self.bindings.items():
            env[name] = make(env)
        exec(compile(self.source, "<tinygrad_mlp.compile>", "exec"), env)  # noqa: S102  # our own text: names and numbers
        function: Callable[..., Any] = env["run"]
        return function


def same(x: Any) -> Make:
    """x itself."""
    return lambda env: x


def piece(name: str, start: int = 0, stop: int | None = None) -> Make:
    """Some rows of an array; all of them by default."""
    return lambda env: env[name][start:stop]


def flattened(name: str) -> Make:
    """A contiguous array as one axis."""
    return lambda env: env[name].reshape(-1)


def lookup(name: str) -> Make:
    """What another name stands for."""
    return lambda env: env[name]


def transpose(name: str, without_last: bool = False) -> Make:
    """The transpose, of an array without its last row if that is one of ones."""
    return lambda env: env[name][:-1].T if without_last else env[name].T


def bound(name: str, title: str = "dot", turned: bool = False) -> Make:
    """A method of an array, or of its transpose."""
    return lambda env: getattr(env[name].T if turned else env[name], title)


def in_arena(start: int, shape: tuple[int, ...], dtype: np.dtype[Any], row_of_ones: bool = False) -> Make:
    """A buffer; with a row of ones as its last. A flat one is cut where the program is bound to shorter pieces."""
    nbytes = int(np.prod(shape, dtype=int)) * dtype.itemsize

    def make(env: Env) -> Any:
        memory = env[ARENA][start : start + nbytes].view(dtype).reshape(shape)
        if row_of_ones:
            memory[-1] = 1
        return memory[: env[LENGTH]] if LENGTH in env else memory

    return make
