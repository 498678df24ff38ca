"""The names of variables, read off the code that assigns to them."""

from __future__ import annotations

import ast
import dis
import functools
import inspect
import itertools
import linecache
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

__all__ = ["kernel_variable", "stores", "variables_of"]

KERNELS = str(Path(__file__).parent.parent / "kernels")
CONVERSIONS = ("floating", "wide", "narrow")


@functools.lru_cache(maxsize=256)
def stores(code: CodeType) -> dict[int, str]:
    """For each instruction whose result is stored in a variable right away: the variable's name."""
    found: dict[int, str] = {}
    instructions = [i for i in dis.get_instructions(code) if i.opname not in ("CACHE", "EXTENDED_ARG")]
    for first, second in itertools.pairwise(instructions):
        if second.opname.startswith("STORE_") and second.opname not in ("STORE_ATTR", "STORE_SUBSCR", "STORE_SLICE"):
            name = second.argval[0] if isinstance(second.argval, tuple) else second.argval
            if isinstance(name, str):  # a call of a Python function is left at the end of the instruction, behind its caches
                found.update(dict.fromkeys(range(first.offset, second.offset, 2), name))
    return tuple_stores(code) | found


def tuple_stores(code: CodeType) -> dict[int, str]:
    """The same for Q, K = f(x), g(x), of which the source says which value is stored where."""
    lines = linecache.getlines(code.co_filename)
    places: dict[tuple[int | None, ...], str] = {}
    opcodes = [i.opname.partition("_")[0] for i in dis.get_instructions(code)]
    if ("STORE", "STORE") in itertools.pairwise(opcodes) or "SWAP" in opcodes:
        for node in ast.walk(ast.parse("".join(lines))):
            target, value = (node.targets[0], node.value) if isinstance(node, ast.Assign) else (None, None)
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
                for name, x in zip(target.elts, value.elts, strict=True):
                    if isinstance(name, ast.Name):
                        places[x.lineno, x.end_lineno, x.col_offset, x.end_col_offset] = name.id
    return {2 * i: places[p] for i, p in enumerate(code.co_positions()) if p in places} if places else {}


def kernel_variable() -> str:
    """What the forward function that is being read with Symbols will call the result of its running line; empty if nothing."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        if frame.f_code.co_filename.startswith(KERNELS) and frame.f_code.co_name not in CONVERSIONS:
            return stores(frame.f_code).get(frame.f_lasti, "")
        frame = frame.f_back
    return ""


def variables_of(frame: FrameType) -> dict[str, Any]:
    """The local variables of a running function, as they are now.

    Before Python 3.13 a frame keeps what it was last asked for, and with it the objects, until its function returns: it is
    asked to forget them.
    """
    given = frame.f_locals
    found = dict(given)
    if frame.f_code.co_flags & inspect.CO_OPTIMIZED and type(given) is dict:
        given.clear()
    return found
