"""Reads the printed mathematics back and computes it: an evaluator of the LaTeX that formulas are written in, with NumPy alone.

It knows nothing of the code that writes: what a sign means is said here once more.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mlp.primitive import TABLE

LETTERS = "ijklmnpqrstuvw"
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "tanh": np.tanh, "sinh": np.sinh, "cosh": np.cosh, "sin": np.sin, "cos": np.cos, "tan": np.tan, "arcsin": np.arcsin,
    "arccos": np.arccos, "arctan": np.arctan, "arsinh": np.arcsinh, "arcosh": np.arccosh, "artanh": np.arctanh, "exp": np.exp,
    "log": np.log, "ln": np.log, "det": np.linalg.det, "Re": np.real, "Im": np.imag, "max": lambda *x: functools.reduce(np.maximum, x), "min": lambda *x: functools.reduce(np.minimum, x),
    "sigma": lambda x: 1 / (1 + np.exp(-x)),
}  # fmt: skip
OVER = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min}
COMPARE = {"=": np.equal, r"\neq": np.not_equal, "<": np.less, r"\leq": np.less_equal, ">": np.greater, r"\geq": np.greater_equal}


class Parser:
    """Computes one formula; ``names`` are the values of its names, as they are written."""

    def __init__(self, text: str, names: dict[str, Any]) -> None:
        self.text, self.at, self.names = text, 0, names
        self.longest = sorted(names, key=len, reverse=True)

    def value(self) -> Any:
        found = self.condition()
        self.skip()
        assert self.at == len(self.text), f"not understood: {self.text[self.at :]!r} in {self.text!r}"
        return found

    # --- characters ---------------------------------------------------------------------------------------------------

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \n":
            self.at += 1

    def sees(self, token: str) -> bool:
        self.skip()
        if not self.text.startswith(token, self.at):
            return False
        after = self.text[self.at + len(token) : self.at + len(token) + 1]
        return not (token.startswith("\\") and token[-1].isalpha() and after.isalpha())

    def take(self, token: str) -> bool:
        if self.sees(token):
            self.at += len(token)
            return True
        return False

    def need(self, token: str) -> None:
        assert self.take(token), f"expected {token!r} at {self.text[self.at :]!r} in {self.text!r}"

    def match(self, pattern: str) -> re.Match[str] | None:
        self.skip()
        found = re.compile(pattern).match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def braces(self) -> Any:
        self.need("{")
        found = self.condition()
        self.need("}")
        return found

    # --- levels -------------------------------------------------------------------------------------------------------

    def condition(self) -> Any:
        found = self.conjunction()
        while self.take(r"\lor"):
            found = np.logical_or(found, self.conjunction())
        return found

    def conjunction(self) -> Any:
        found = self.comparison()
        while self.take(r"\land"):
            found = np.logical_and(found, self.comparison())
        return found

    def comparison(self) -> Any:
        if self.take(r"\lnot"):
            return np.logical_not(self.primary())
        left = self.sum()
        for sign, compare in COMPARE.items():
            if self.take(sign):
                return compare(left, self.sum())
        return left

    def sum(self) -> Any:
        found = -self.product() if self.take("-") else self.product()
        while True:
            if self.take("+"):
                found = found + self.product()
            elif self.take("-"):
                found = found - self.product()
            else:
                return found

    def product(self) -> Any:
        found = self.factor()
        while True:
            if self.take(r"\odot"):
                found = found * self.factor()
            elif self.take(r"\,"):
                other = self.factor()
                scalar = np.ndim(found) == 0 or np.ndim(other) == 0
                found = found * other if scalar else np.matmul(found, other)
            else:
                return found

    def factor(self) -> Any:
        found = self.primary()
        while True:
            if self.sees("^"):
                self.take("^")
                self.need("{")
                if self.take(r"-\top"):
                    found = np.matrix_transpose(np.linalg.inv(found))
                elif self.take(r"\top"):
                    found = np.matrix_transpose(found)
                elif re.match(r"-1\}", self.text[self.at :]):
                    self.take("-1")
                    found = np.linalg.inv(found)
                else:
                    found = np.power(found, self.condition())
                self.need("}")
            elif self.take("_{["):
                index = self.index()
                self.need("}")
                found = np.asarray(found)[index]
            elif column := self.match(r"_\{i\\,([^_}]+)_i\}"):
                found = np.take_along_axis(found, self.names[column[1]][:, None], 1)[:, 0]
            elif self.sees("_{"):
                letters = self.match(r"_\{((?:\\underline\{[a-z]\}|[a-z])+)\}")
                assert letters, self.text[self.at :]
                parts = re.findall(r"\\underline\{[a-z]\}|[a-z]", letters[1])
                found = np.expand_dims(found, tuple(i for i, part in enumerate(parts) if part.startswith("\\")))
            else:
                return found

    # --- parts --------------------------------------------------------------------------------------------------------

    def primary(self) -> Any:
        if number := self.match(r"(\d+(?:\.\d+)?)(?: \\cdot 10\^\{(-?\d+)\})?"):
            return (
                np.float64(number[1]) * 10.0 ** int(number[2])
                if number[2]
                else (float(number[1]) if "." in number[1] else int(number[1]))
            )
        for name in self.longest:
            if self.text.startswith(name, self.at):
                self.at += len(name)
                return self.names[name]
        if counted := self.match(r"\\left\(0, \\ldots, (\d+)\\right\)"):
            return np.arange(int(counted[1]) + 1)
        for left, right, meaning in (
            (r"\left(", r"\right)", lambda x: x), (r"\left[", r"\right]", np.asarray), (r"\lvert", r"\rvert", np.abs),
            (r"\lfloor", r"\rfloor", np.floor), (r"\lceil", r"\rceil", np.ceil), ("{", "}", lambda x: x),
        ):  # fmt: skip
            if self.take(left):
                found = self.condition()
                self.need(right)
                return meaning(found)
        if self.take(r"\frac"):
            above = self.braces()
            return np.divide(above, self.braces())
        if self.take(r"\sqrt"):
            return np.sqrt(self.braces())
        if self.take(r"\overline"):
            return np.conj(self.braces())
        if self.take(r"\begin{cases}"):
            x = self.condition()
            self.need(r"& \text{where }")
            condition = self.condition()
            self.need(r"\\")
            y = self.condition()
            self.need(r"& \text{elsewhere} \end{cases}")
            return np.where(condition, x, y)
        for token, value in ((r"\infty", np.inf), (r"\pi", np.pi), (r"\mathrm{i}", 1j), (r"\mathrm{NaN}", np.nan)):
            if self.take(token):
                return value
        if filled := self.match(r"\\mathbf\{([01])\}_\{([^}]*)\}"):
            return np.full(shape(filled[2]), float(filled[1]))
        if unit := self.match(r"I_\{([^}]*)\}"):
            return np.eye(*shape(unit[1]))
        function = self.match(r"\\operatorname\{([\w.\\]+)\}") or self.match(r"\\([a-z]+)")
        assert function, f"not understood: {self.text[self.at :]!r} in {self.text!r}"
        return self.call(function[1].replace("\\_", "_"))

    def call(self, name: str) -> Any:
        if name in OVER and self.sees("_{"):
            letters = self.match(r"_\{((?:\\underline\{[a-z]\}|[a-z]|, )+)\}")
            assert letters
            parts = letters[1].split(", ")
            axes = tuple(LETTERS.index(part.removeprefix("\\underline{").rstrip("}")) for part in parts)
            return OVER[name](self.factor(), axis=axes, keepdims=parts[0].startswith("\\"))
        below = self.match(r"_\{([^}]*)\}")
        self.need(r"\left(")
        arguments = []
        while not self.sees(r"\right)") and not self.sees(";"):
            arguments.append(None if self.take(r"\mathrm{None}") else self.condition())
            self.take(",")
        settings = self.settings() if self.take(";") else {}
        self.need(r"\right)")
        if name == "reshape":
            assert below
            return np.reshape(arguments[0], shape(below[1]))
        if name == "einsum":
            return np.einsum(settings["subscripts"], *arguments)
        if name in FUNCTIONS:
            return FUNCTIONS[name](*arguments)
        op = TABLE.get(name)
        if op is None:
            function: Any = np
            for part in name.split("."):
                function = getattr(function, part)
            return function(*arguments, **settings)
        if name == "setitem" or op.elementwise:
            return op.forward(*arguments, **{**op.params, **settings})
        return op.forward(*map(np.asarray, arguments), **{**op.params, **settings})

    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while name := self.match(r"\\mathrm\{([\w\\]+)\}="):
            found[name[1].replace("\\_", "_")] = self.setting()
            self.take(",")
        return found

    def setting(self) -> Any:
        if quoted := self.match(r"\\text\{([^}]*)\}"):
            word = quoted[1].replace("\\_", "_")
            return {"None": None, "True": True, "False": False}.get(word, word)
        if self.take("["):
            return self.index()
        if self.take("("):
            found = []
            while not self.take(")"):
                found.append(self.setting())
                self.take(",")
            return tuple(found)
        return self.sum()

    def index(self) -> Any:
        """What stands between [ and ], the first of which has been read."""
        parts: list[Any] = []
        comma = False
        while not self.take("]"):
            if comma := self.take(","):
                continue
            if self.take(r"\ldots"):
                parts.append(Ellipsis)
            elif self.take(r"\mathrm{new}"):
                parts.append(None)
            else:
                ends: list[Any] = [None]
                while not self.sees(",") and not self.sees("]"):
                    if self.take(":"):
                        ends.append(None)
                    else:
                        ends[-1] = self.sum()
                parts.append(slice(*ends) if len(ends) > 1 else ends[0])
        return parts[0] if len(parts) == 1 and not comma else tuple(parts)


def shape(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))


def value_of(text: str, names: dict[str, Any]) -> Any:
    """The value of a formula."""
    return Parser(text, names).value()
