"""Helpers of the tests of drawings: reads the plain formulas back and computes them, walks what is seen, plays plain recursion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from formula_parser import FUNCTIONS, LETTERS

from tinygrad_mlp.primitive import TABLE

UNDERLINE = "\u0332"
SMALL_DIGITS = "₀₁₂₃₄₅₆₇₈₉"
RAISED = {"⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8", "⁹": "9", "⁻": "-"}
COMPARE = {"≠": np.not_equal, "≤": np.less_equal, "≥": np.greater_equal, "=": np.equal, "<": np.less, ">": np.greater}
OVER = {"Σ": np.sum, "Π": np.prod, "max": np.max, "min": np.min}
WORDS = {"None": None, "True": True, "False": False}


class Reader:
    """Computes a formula of plain text: each sign holds as tightly as it is read on paper, · ⊙ and blanks before + and −."""

    def __init__(self, text: str, names: dict[str, Any]) -> None:
        self.text, self.at, self.names = text, 0, names

    def value(self) -> Any:
        found = self.condition()
        self.skip()
        assert self.at == len(self.text), f"not understood: {self.text[self.at :]!r} in {self.text!r}"
        return found

    def rest(self) -> str:
        return self.text[self.at :]

    def skip(self) -> None:
        while self.rest().startswith(" "):
            self.at += 1

    def take(self, token: str, blanks: bool = True) -> bool:
        if blanks:
            self.skip()
        if self.rest().startswith(token):
            self.at += len(token)
            return True
        return False

    def need(self, token: str) -> None:
        assert self.take(token), f"expected {token!r} at {self.rest()!r} in {self.text!r}"

    def match(self, pattern: str) -> re.Match[str] | None:
        found = re.compile(pattern).match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    # --- levels -------------------------------------------------------------------------------------------------------

    def condition(self) -> Any:
        found = self.conjunction()
        while self.take("∨"):
            found = np.logical_or(found, self.conjunction())
        return found

    def conjunction(self) -> Any:
        found = self.comparison()
        while self.take("∧"):
            found = np.logical_and(found, self.comparison())
        return found

    def comparison(self) -> Any:
        if self.take("¬"):
            return np.logical_not(self.factor())
        left = self.sum()
        for sign, compare in COMPARE.items():
            if self.take(sign):
                return compare(left, self.sum())
        return left

    def sum(self) -> Any:
        found = -self.entrywise() if self.take("−") else self.entrywise()
        while True:
            if self.take("+ "):
                found = found + self.entrywise()
            elif self.take("− "):
                found = found - self.entrywise()
            else:
                return found

    def entrywise(self) -> Any:
        found = self.product()
        while self.take("⊙") or self.take("·"):
            found = found * (-self.product() if self.take("−") else self.product())
        return found

    def product(self) -> Any:
        found = self.ratio()
        while self.rest().startswith(" ") and re.match(r" (?!where\b|else\b)[\w(\[{Σ√∣σ⌊⌈πΠ]", self.rest()):
            self.skip()
            other = self.ratio()
            single = np.ndim(found) == 0 or np.ndim(other) == 0
            found = found * other if single else np.matmul(found, other)
        return found

    def ratio(self) -> Any:
        found = self.factor()
        while self.take(" / ", blanks=False) or self.take("/", blanks=False):
            found = np.divide(found, self.factor(inline=False))  # x / 1/2 is x / 1 / 2
        return found

    def factor(self, inline: bool = True) -> Any:
        found = self.primary(inline)
        while True:
            if self.take("⁻ᵀ", False):
                found = np.matrix_transpose(np.linalg.inv(found))
            elif self.take("⁻¹", False):
                found = np.linalg.inv(found)
            elif self.take("ᵀ", False):
                found = np.matrix_transpose(found)
            elif raised := self.match("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+"):
                found = np.power(found, float("".join(RAISED[c] for c in raised[0])))
            elif self.take("^", False):
                found = np.power(found, self.primary(inline=False))  # x^3/2 is x^3 / 2
            elif self.take("*", False):
                found = np.conj(found)
            elif self.take("[", False):
                found = np.asarray(found)[self.index()]
            elif re.match(rf"_([{LETTERS}]{UNDERLINE}?)+", self.rest()):
                self.need("_")
                parts = re.findall(rf"[{LETTERS}]{UNDERLINE}?", self.match(rf"([{LETTERS}]{UNDERLINE}?)+")[0])  # type: ignore[index]
                assert [p[0] for p in parts] == list(LETTERS[: len(parts)])
                assert np.ndim(found) == sum(len(p) == 1 for p in parts), f"{self.text!r}: axes of an array of {np.ndim(found)}"
                found = np.expand_dims(found, tuple(i for i, p in enumerate(parts) if len(p) == 2))
            else:
                return found

    # --- parts --------------------------------------------------------------------------------------------------------

    def primary(self, inline: bool = True) -> Any:
        self.skip()
        if filled := self.match(r"([01])\[([\d×()]+)\]"):
            return np.full(sizes(filled[2]), float(filled[1]))
        if unit := self.match(r"I\[([\d×]+)\]"):
            n = sizes(unit[1])
            return np.eye(*n)
        if counted := self.match(r"\(0, …, (\d+)\)"):
            return np.arange(int(counted[1]) + 1)
        if number := self.match(r"\d+(\.\d+)?(e[-−]?\d+)?"):
            text = number[0].replace("−", "-")
            found: Any = int(text) if text.isdecimal() else float(text)
            if not inline or not self.rest().startswith("/"):
                return float(found) if self.rest().startswith("^") else found
            self.need("/")
            return np.divide(found, self.factor(inline=False))
        if name := self.name():
            return self.names[name]
        for left, right, meaning in (
            ("(", ")", lambda x: x), ("[", "]", lambda x: np.asarray(x, float)), ("∣", "∣", np.abs), ("⌊", "⌋", np.floor), ("⌈", "⌉", np.ceil),
        ):  # fmt: skip
            if self.take(left):
                found = self.condition()
                self.need(right)
                return meaning(found)
        if self.take("{"):
            x = self.condition()
            self.need("where")
            condition = self.condition()
            self.need(", else")
            y = self.condition()
            self.need("}")
            return np.where(condition, x, y)
        if self.take("√"):
            return np.sqrt(self.primary())
        for token, value in (("∞", np.inf), ("π", np.pi), ("NaN", np.nan)):
            if self.take(token):
                return value
        if over := self.match(rf"(Σ|Π|max|min)_((?:[{LETTERS}]{UNDERLINE}?,?)+) "):
            parts = over[2].split(",")
            axes = tuple(LETTERS.index(p[0]) for p in parts)
            return OVER[over[1]](self.factor(), axis=axes, keepdims=len(parts[0]) == 2)
        if self.match(r"i(?![\w(])"):
            return 1j
        function = self.match(r"[A-Za-zσ][\w.]*")
        assert function, f"not understood: {self.rest()!r} in {self.text!r}"
        return self.call(function[0])

    def name(self) -> str:
        found = self.match(rf"[A-Za-z]+(_?\d+|[{SMALL_DIGITS}]+)?(?![A-Za-z0-9(.])")
        if found and found[0] in self.names and not (found[0] in ("max", "min") and self.rest().startswith("_")):
            return found[0]
        if found:
            self.at -= len(found[0])
        return ""

    def call(self, name: str) -> Any:
        below = self.match(r"\[([\d×()]+)\]")
        self.need("(")
        arguments: list[Any] = []
        while not self.take(")"):
            if self.take(";"):
                settings = self.settings()
                break
            arguments.append(None if self.take("None") else self.condition())
            self.take(",")
        else:
            settings = {}
        if name == "reshape":
            assert below
            return np.reshape(arguments[0], sizes(below[1]))
        if name == "einsum":
            return np.einsum(settings["subscripts"], *arguments)
        if name == "σ":
            return FUNCTIONS["sigma"](*arguments)
        if name in FUNCTIONS and name not in ("max", "min"):
            return FUNCTIONS[name](*arguments)
        if name in ("max", "min") and len(arguments) == 1:
            return arguments[0]  # of a single number
        if name in ("max", "min"):
            return (np.maximum if name == "max" else np.minimum)(*arguments)
        op = TABLE.get(name)
        if op is None:
            function: Any = np
            for part in name.split("."):
                function = getattr(function, part)
            return function(*arguments, **settings)
        return op(arguments, **settings) if op.variadic else op.forward(*arguments, **{**op.params, **settings})

    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self.take(")"):
            self.skip()
            name = self.match(r"\w+")
            assert name, self.rest()
            self.need("=")
            if name[0] == "subscripts":
                found[name[0]] = self.match(r"[a-zA-Z.,]*->[a-zA-Z.]*")[0]  # type: ignore[index]
            else:
                found[name[0]] = self.setting()
            self.take(",")
        return found

    def setting(self) -> Any:
        if self.take("["):
            return self.index()
        if self.take("("):
            found = []
            while not self.take(")"):
                found.append(self.setting())
                self.take(",")
            return tuple(found)
        if word := self.match(r"[A-Za-z]\w*"):
            return WORDS.get(word[0], word[0])
        return self.sum()

    def index(self) -> Any:
        """What stands between [ and ], the first of which has been read."""
        if column := self.match(r"i, ([a-z])ᵢ\]"):
            labels = np.asarray(self.names[column[1]])
            return np.arange(len(labels)), labels
        parts: list[Any] = []
        comma = False
        while not self.take("]"):
            if self.take(","):
                comma = True
            elif self.take("…"):
                parts.append(Ellipsis)
            elif self.take("new"):
                parts.append(None)
            else:
                ends: list[Any] = [None]
                while not re.match(r" *[,\]]", self.rest()):
                    if self.take(":"):
                        ends.append(None)
                    else:
                        ends[-1] = self.sum()
                parts.append(slice(*ends) if len(ends) > 1 else ends[0])
        return parts[0] if len(parts) == 1 and not comma else tuple(parts)


def sizes(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))


def computed(text: str, names: dict[str, Any]) -> Any:
    """The value of a formula of plain text."""
    return Reader(text, names).value()


# --- what is seen ---------------------------------------------------------------------------------------------------------------


def boxes_of(view: dict[str, Any]) -> list[str]:
    """The identifiers of the boxes that are seen, without the open groups."""
    return [item["id"] for item in items_of(view["root"]) if "children" not in item]


def items_of(root: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All items, the open groups too."""
    stack = list(root)[::-1]
    while stack:
        item = stack.pop()
        yield item
        stack.extend(item.get("children", [])[::-1])


def has_cycle(edges: list[tuple[Any, Any]]) -> bool:
    """Whether following edges leads back."""
    users: dict[Any, list[Any]] = {}
    waiting: dict[Any, int] = {}
    for a, b in edges:
        users.setdefault(a, []).append(b)
        waiting[b] = waiting.get(b, 0) + 1
        waiting.setdefault(a, 0)
    ready = [n for n, k in waiting.items() if not k]
    done = 0
    while ready:
        n = ready.pop()
        done += 1
        for m in users.get(n, ()):
            waiting[m] -= 1
            if not waiting[m]:
                ready.append(m)
    return done < len(waiting)
