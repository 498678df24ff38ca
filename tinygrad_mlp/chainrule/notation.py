"""Two ways to write mathematics: LaTeX, and a line of plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

__all__ = [
    "AND", "ATOM", "BIG", "CALL", "CASES", "COMPARE", "HADAMARD", "LATEX", "LETTERS", "NEGATIVE", "NOT", "OR", "PLAIN", "POWER",
    "PRODUCT", "RATIO", "SCALED", "SUM", "Notation", "Plain", "Text",
]  # fmt: skip

# how tightly a text holds together: names, f(x), fractions, powers, 2 x, X Y, x ⊙ y, Σ x, x + y, −x, ¬c, x > y, c ∧ d, c ∨ d, cases
ATOM, CALL, RATIO, POWER, SCALED, PRODUCT, HADAMARD, BIG = range(20, 12, -1)
SUM, NEGATIVE, NOT, COMPARE, AND, OR, CASES = range(12, 5, -1)

LETTERS = "ijklmnpqrstuvw"
"""The axes of an array, the first one first."""

CONDITIONS = (NOT, COMPARE, AND, OR)


class Text(NamedTuple):
    """A text and how tightly it holds together."""

    text: str
    holds: int


class Notation:
    """LaTeX. Every part of a formula is written by one method, so that another notation is another class."""

    times, by, minus, plus = r" \odot ", r"\,", "-", " + "
    signs: ClassVar[dict[str, str]] = {
        "==": "=", "!=": r"\neq", "<": "<", "<=": r"\leq", ">": ">", ">=": r"\geq", "&": r"\land", "|": r"\lor", "~": r"\lnot ",
        "inf": r"\infty", "nan": r"\mathrm{NaN}", "i": r"\mathrm{i}", "...": r"\ldots", "None": r"\mathrm{new}", "pi": r"\pi",
        "sigmoid": r"\sigma",
    }  # fmt: skip
    standard: ClassVar[set[str]] = {
        "tanh",
        "sinh",
        "cosh",
        "sin",
        "cos",
        "tan",
        "arcsin",
        "arccos",
        "arctan",
        "exp",
        "log",
        "max",
        "min",
        "det",
        "ln",
    }

    def group(self, text: Text) -> Text:
        """In brackets; a condition in square ones: 1 where it is true, else 0."""
        if text.holds in CONDITIONS:
            return Text(rf"\left[{text.text}\right]", ATOM)
        return Text(rf"\left({text.text}\right)", ATOM)

    def at(self, text: Text, holds: int) -> str:
        """A text that must hold at least so tightly."""
        return text.text if text.holds >= holds else self.group(text).text

    def side(self, text: Text) -> str:
        """A side of an equation: a condition as the array of 1 and 0 that it is."""
        return self.group(text).text if text.holds in CONDITIONS else text.text

    # --- names and numbers --------------------------------------------------------------------------------------------

    def name(self, name: str) -> Text:
        """W1 → W with the index 1; words upright."""
        found = re.fullmatch(r"([A-Za-z])_?(\d+)", name)
        if found:
            return Text(f"{found[1]}_{found[2]}" if len(found[2]) == 1 else f"{found[1]}_{{{found[2]}}}", ATOM)
        if re.fullmatch(r"[Wb][a-z]", name):  # the weights of q, of h …
            return Text(f"{name[0]}_{name[1]}", ATOM)
        return Text(name if len(name) == 1 else self.word(name), ATOM)

    def word(self, word: str) -> str:
        """A word among the letters."""
        return rf"\mathrm{{{escaped(word)}}}"

    def gradient(self, of: str) -> Text:
        """∂L/∂ of a value."""
        return Text(rf"\frac{{\partial L}}{{\partial {of}}}", RATIO)

    def scientific(self, digits: str, exponent: int) -> Text:
        """1.5 · 10⁻⁷."""
        return Text(rf"{digits} \cdot 10^{{{exponent}}}", SCALED)

    # --- operations ---------------------------------------------------------------------------------------------------

    def fraction(self, above: Text, below: Text) -> Text:
        """A quotient, entry by entry."""
        return Text(rf"\frac{{{above.text}}}{{{below.text}}}", RATIO)

    def power(self, base: Text, exponent: Text) -> Text:
        """A power of each entry."""
        return Text(f"{self.at(base, ATOM)}^{{{exponent.text}}}", POWER)

    def raised(self, base: Text, sign: str) -> Text:
        """A matrix transposed or inverted: ``T``, ``-1`` or ``-T``."""
        return self.power(base, Text({"T": r"\top", "-1": "-1", "-T": r"-\top"}[sign], ATOM))

    def root(self, x: Text) -> Text:
        """A square root."""
        return Text(rf"\sqrt{{{x.text}}}", RATIO)

    def call(self, function: str, arguments: Sequence[str], below: str = "") -> Text:
        """A function of arguments."""
        title = self.signs.get(function) or (
            rf"\{function}" if function in self.standard else rf"\operatorname{{{escaped(function)}}}"
        )
        return Text(f"{title}{below and f'_{{{below}}}'}" + rf"\left({', '.join(arguments)}\right)", CALL)

    def enclosed(self, kind: str, x: Text) -> Text:
        """|x|, ⌊x⌋, ⌈x⌉, the conjugate of x."""
        if kind == "conj":
            return Text(rf"\overline{{{x.text}}}", ATOM)
        left, right = {"abs": (r"\lvert ", r" \rvert"), "floor": (r"\lfloor ", r" \rfloor"), "ceil": (r"\lceil ", r" \rceil")}[kind]
        return Text(f"{left}{x.text}{right}", ATOM)

    def over(self, kind: str, letters: Sequence[str], x: Text, keep: bool) -> Text:
        """A sum, product, maximum or minimum over axes; the letters of axes that stay, with length 1, are underlined."""
        below = ", ".join(rf"\underline{{{letter}}}" if keep else letter for letter in letters)
        return Text(rf"\{kind}_{{{below}}} {self.at(x, POWER)}", BIG)

    def axes(self, x: Text, axes: Sequence[tuple[str, bool]]) -> Text:
        """The array with new axes of length 1, whose letters are underlined."""
        below = "".join(rf"\underline{{{letter}}}" if new else letter for letter, new in axes)
        base = x.text if x.holds == ATOM else self.group(x).text
        return Text((f"{{{base}}}" if "_" in base else base) + f"_{{{below}}}", ATOM)

    def picked(self, x: Text, index: str) -> Text:
        """x[index]."""
        base = x.text if x.holds == ATOM else self.group(x).text
        return Text((f"{{{base}}}" if "_" in base else base) + f"_{{[{index}]}}", ATOM)

    def row_by_row(self, x: Text, column: str) -> Text:
        """Of each row i of x the entry in the column that belongs to the row."""
        base = x.text if x.holds == ATOM else self.group(x).text
        return Text((f"{{{base}}}" if "_" in base else base) + rf"_{{i\,{column}_i}}", ATOM)

    def filled(self, number: str, shape: tuple[int, ...]) -> Text:
        """An array of zeros or ones."""
        return Text(rf"\mathbf{{{number}}}_{{{self.shape(shape)}}}", ATOM)

    def shape(self, shape: tuple[int, ...]) -> str:
        """2 × 3."""
        return r" \times ".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]}" if shape else "()"

    def unit(self, shape: tuple[int, ...]) -> Text:
        """The unit matrix."""
        return Text(f"I_{{{self.shape(shape if shape[0] != shape[1] else shape[:1])}}}", ATOM)

    def numbered(self, n: int) -> Text:
        """0, 1, …, n − 1."""
        return Text(rf"\left(0, \ldots, {n - 1}\right)", ATOM)

    def cases(self, condition: Text, x: Text, y: Text) -> Text:
        """x where the condition holds, else y."""
        rows = rf"{x.text} & \text{{where }} {condition.text} \\ {y.text} & \text{{elsewhere}}"
        return Text(rf"\begin{{cases}} {rows} \end{{cases}}", CASES)

    def setting(self, name: str, value: str) -> str:
        """A parameter of a function."""
        return rf"{self.word(name)}={value}"

    def quoted(self, word: str) -> str:
        """A word that is a parameter's value."""
        return rf"\text{{{escaped(word)}}}"


SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
UNDERLINE = "\u0332"
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Plain(Notation):
    """One line of Unicode text."""

    times, by, minus, plus = " ⊙ ", " ", "−", " + "
    signs: ClassVar[dict[str, str]] = {
        "==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥", "&": "∧", "|": "∨", "~": "¬",
        "inf": "∞", "nan": "NaN", "i": "i", "...": "…", "None": "new", "pi": "π", "sigmoid": "σ",
    }  # fmt: skip

    def group(self, text: Text) -> Text:
        return Text(f"[{text.text}]" if text.holds in CONDITIONS else f"({text.text})", ATOM)

    def name(self, name: str) -> Text:
        found = re.fullmatch(r"([A-Za-z])_?(\d+)", name)
        return Text(found[1] + found[2].translate(SUBSCRIPTS) if found else name, ATOM)

    def word(self, word: str) -> str:
        return word

    def gradient(self, of: str) -> Text:
        return Text(f"∂L/∂{of}", POWER)

    def scientific(self, digits: str, exponent: int) -> Text:
        return Text(f"{digits}e{exponent}", ATOM)

    def fraction(self, above: Text, below: Text) -> Text:
        if len(above.text) <= 3 and len(below.text) <= 3 and above.text.isdecimal() and below.holds >= POWER:  # a number: 1/2, 2/√π
            return Text(f"{above.text}/{below.text}", RATIO)
        divisor = self.group(below).text if below.holds == RATIO else self.at(below, POWER)
        return Text(f"{self.at(above, POWER)} / {divisor}", SCALED)

    def power(self, base: Text, exponent: Text) -> Text:
        if re.fullmatch(r"-?\d+", exponent.text):
            return Text(self.at(base, ATOM) + exponent.text.translate(SUPERSCRIPTS), POWER)
        return Text(f"{self.at(base, ATOM)}^{self.at(exponent, ATOM)}", POWER)

    def raised(self, base: Text, sign: str) -> Text:
        return Text(self.at(base, ATOM) + {"T": "ᵀ", "-1": "⁻¹", "-T": "⁻ᵀ"}[sign], POWER)

    def root(self, x: Text) -> Text:
        return Text(f"√{self.at(x, ATOM)}", POWER)

    def call(self, function: str, arguments: Sequence[str], below: str = "") -> Text:
        return Text(f"{self.signs.get(function, function)}{below and f'[{below}]'}({', '.join(arguments)})", CALL)

    def enclosed(self, kind: str, x: Text) -> Text:
        if kind == "conj":
            return Text(self.at(x, ATOM) + "*", ATOM)
        left, right = {"abs": ("∣", "∣"), "floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉")}[kind]
        return Text(f"{left}{x.text}{right}", ATOM)

    def over(self, kind: str, letters: Sequence[str], x: Text, keep: bool) -> Text:
        sign = {"sum": "Σ", "prod": "Π"}.get(kind, kind)
        return Text(f"{sign}_{','.join(letter + keep * UNDERLINE for letter in letters)} {self.at(x, POWER)}", BIG)

    def axes(self, x: Text, axes: Sequence[tuple[str, bool]]) -> Text:
        return Text(f"{self.at(x, ATOM)}_{''.join(letter + new * UNDERLINE for letter, new in axes)}", ATOM)

    def picked(self, x: Text, index: str) -> Text:
        return Text(f"{self.at(x, ATOM)}[{index}]", ATOM)

    def row_by_row(self, x: Text, column: str) -> Text:
        return Text(f"{self.at(x, ATOM)}[i, {column}ᵢ]", ATOM)

    def filled(self, number: str, shape: tuple[int, ...]) -> Text:
        return Text(f"{number}[{self.shape(shape)}]", ATOM)

    def shape(self, shape: tuple[int, ...]) -> str:
        return "×".join(map(str, shape)) if shape else "()"

    def unit(self, shape: tuple[int, ...]) -> Text:
        return Text(f"I[{self.shape(shape if shape[0] != shape[1] else shape[:1])}]", ATOM)

    def numbered(self, n: int) -> Text:
        return Text(f"(0, …, {n - 1})", ATOM)

    def cases(self, condition: Text, x: Text, y: Text) -> Text:
        return Text(f"{{{x.text} where {condition.text}, else {y.text}}}", ATOM)

    def setting(self, name: str, value: str) -> str:
        return f"{name}={value}"

    def quoted(self, word: str) -> str:
        return word


def escaped(word: str) -> str:
    """With the characters that LaTeX reads in its own way."""
    return word.replace("_", r"\_").replace("%", r"\%").replace("#", r"\#").replace("&", r"\&")


LATEX, PLAIN = Notation(), Plain()
