"""Widths of text in a wide font, so that boxes hold their lines whatever font the reader has; and long texts made short."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

__all__ = ["shorten", "visible", "width"]

# Hundredths of an em → characters. Made with fontTools and rounded up: the largest advance of DejaVu Sans, its oblique and
# Helvetica (DejaVu is the widest font of the page's list for almost all characters), and the same of their bold faces.
# tests/test_svg.py makes them again from the fonts that Matplotlib brings.
PLAIN: dict[int, str] = {
    18: "ᵢⁱⱼ",
    23: "′",
    25: "⁽⁾₍₎",
    26: "ᵣ",
    28: "'ijlı",
    29: "ł",
    30: "IΙₜ",
    32: " ,.·‘’⋅",
    34: "/:;\\|¦ι",
    36: "f",
    37: "-",
    38: "″",
    39: "ᵀ",
    40: "()[]tᵃⁿₐₙ⌈⌉⌊⌋⟨⟩",
    41: "!¡²³¹ᵤ⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉",
    42: "rᵥₑℓ",
    43: "ᵇₖ",
    45: "ₓ",
    46: '"',
    48: "ªº",
    50: "*J`¨¯°´¸‖",
    51: "▸▹▾",
    52: "“”∂",
    53: "sz⁺⁻⁼₊₋₌∫",
    55: "cεζ",
    56: "?L_§Γνξ–†",
    57: "Ł",
    58: "kυ",
    59: "κς•",
    60: "vxyγλχ",
    61: "Ρπτ─│└├",
    62: "FTaeo«»¿ðøΤΥδθοϑϵ",
    63: "ßₘ∘⋆",
    64: "$0123456789bdghnpqu{}¢£¤¥µ¶þđΕΞΣβημρσ∃√",
    66: "Καφψϕ",
    67: "EKPSYÞ∇",
    68: "∑▪",
    69: "ABVXZΑΒΔΖΛΧ∀",
    70: "ℂ",
    72: "∝",
    73: "CRℒ",
    74: "U∧∨∩∪",
    75: "NΝ",
    76: "HΗΠ∏",
    77: "Ω▲△►▼◆",
    78: "&DGÐĐ",
    79: "OQØΘΟΦΨ",
    80: "ℝ",
    82: "w",
    84: "#+<=>^~¬±×÷ω←↑→↓↔↦⇐⇒⇔⇥−∓∗∞∼≈≉≠≡≤≥⊂⊆⊕⊖⊗⊘⊙⏎✓✗",
    87: "MΜ",
    88: "∅∈∉⊤⊥○●",
    90: "∠⚠",
    96: "%",
    97: "¼½¾",
    98: "m",
    99: "W",
    100: "©®Ææ—…",
    102: "@",
    103: "œ�",
    105: "≪≫",
    107: "Œ",
}
BOLD: dict[int, str] = {
    22: "ᵢⁱⱼ",
    27: "′",
    29: "⁽⁾₍₎",
    31: "'",
    32: "ᵣ",
    35: " ijlı",
    37: "/\\|¦",
    38: ",.I·łΙ‘’⋅",
    39: "ιₜ",
    40: ":;",
    42: "-ₓ",
    43: "ᵀ",
    44: "f²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉",
    45: "″",
    46: "!()[]¡ᵃᵤⁿₐₙ⌈⌉⌊⌋⟨⟩",
    48: "tᵇₑℓ",
    49: "ₖ",
    50: "`r¨¯°´¸‖",
    51: "ᵥ▸▹▾",
    53: '"*⁺⁻⁼₊₋₌',
    55: "∂",
    56: "J_§ε–†",
    57: "ªº",
    59: "z",
    60: "csζξς",
    61: "∫─│└├",
    62: "?¿",
    63: "∘⋆",
    64: "L¤¶ΓΞλτ•",
    65: "x«»χϵ",
    66: "vy“”",
    67: "kŁϑₘ√",
    68: "aeυ▪",
    69: "EFToðøΕΣΤαγδθνο∃",
    70: "$0123456789¢£¥∇",
    72: "bdghnpqu{}ßþđβηκρ∑∝",
    73: "SYZΖΥ",
    74: "CPµΡμℂ",
    75: "Þ",
    77: "BΒ▲△►▼◆",
    78: "AKRVXΑΔΚΛΧσ∀",
    79: "φ∏",
    80: "πψϕ",
    81: "ℝ",
    82: "U∧∨∩∪",
    83: "G",
    84: "#+<=>DHN^~¬±×÷ΗΝΠ←↑→↓↔↦⇐⇒⇔⇥−∓∗∞∼≈≉≠≡≤≥⊂⊆⊕⊖⊗⊘⊙⏎✓✗",
    85: "ÐĐΨ",
    86: "OQØΘΟΦΩℒ∅",
    87: "ω",
    88: "&○●",
    90: "∈∉∠⚠",
    92: "⊤⊥",
    93: "w",
    100: "@M©®Μ—…",
    101: "%",
    104: "¼½¾",
    105: "mæ≪≫",
    109: "Æ",
    110: "œ",
    111: "W",
    112: "�",
    117: "Œ",
}

UNKNOWN, WIDE = 1.1, 1.25
"""What a character in no table takes, in em; and an emoji or a sign of East Asia."""

MARKS = 4
"""More combining marks on one letter than this are dropped: they would grow out of the box."""

ADVANCE = {
    bold: {ch: hundredths / 100 for hundredths, chars in table.items() for ch in chars}
    for bold, table in ((False, PLAIN), (True, BOLD))
}


def width(text: str, size: float, bold: bool = False) -> float:
    """The width of a line of text in px, upright or italic, at most: other fonts of the page's list are narrower.

    >>> width("dx = g Wᵀ", 12.5), width("matmul", 14, bold=True)
    (63.25, 60.62)
    """
    known = ADVANCE[bold]
    return round(sum(known.get(ch) or advance(ch, bold) for ch in text) * size, 3)


@lru_cache(maxsize=4096)
def advance(ch: str, bold: bool) -> float:
    """The width in em of a character that is not in the table: that of its letter without accents, or a guess."""
    kind = unicodedata.category(ch)
    if kind in ("Mn", "Me", "Cf"):
        return 0.0
    letter = unicodedata.normalize("NFD", ch)[0]
    if letter in ADVANCE[bold]:
        return ADVANCE[bold][letter]
    wide = unicodedata.east_asian_width(ch) in ("W", "F") or ord(ch) >= 0x1F000
    return WIDE if wide else UNKNOWN


def shorten(text: str, most: int) -> str:
    """The text in at most so many signs, cut in the middle, with nothing in it that breaks a line or a file.

    >>> shorten("encoder.layers.11.attention.weight", 16)
    'encoder.….weight'
    """
    signs = signs_of(text)
    if len(signs) <= most:
        return "".join(signs)
    head = most // 2
    return "".join(signs[:head]) + "…" + "".join(signs[len(signs) - (most - 1 - head) :])


def visible(text: str) -> str:
    """The whole text, with line breaks as ⏎ and other control characters, bidi controls and lone surrogates as �.

    >>> visible("a\\nb\\x00")
    'a⏎b�'
    """
    return "".join(signs_of(text))


JOINERS = "\u200c\u200d"
"""Invisible characters that belong to the spelling of some scripts and to emoji of several parts."""


def signs_of(text: str) -> list[str]:
    """The text sign by sign: a letter with its marks, an emoji with its parts; harmful characters are replaced."""
    signs: list[str] = []
    for ch in map(harmless, text.replace("\r\n", "\n")):
        mark = unicodedata.category(ch) in ("Mn", "Me") or "\U0001f3fb" <= ch <= "\U0001f3ff" or ch in JOINERS
        if not signs or not (mark or signs[-1][-1] == JOINERS[1]):
            signs.append("�" if ch in JOINERS else ch)
        elif len(signs[-1]) <= (MARKS if mark else 2 * MARKS):
            signs[-1] += ch
        elif not mark:
            signs.append(ch)
    return signs


def harmless(ch: str) -> str:
    """The character itself, or what stands for it where it could break a line, turn it around or spoil a file."""
    if ch in "\n\r\v\f\x85\u2028\u2029":
        return "⏎"
    if ch == "\t":
        return " "
    code, kind = ord(ch), unicodedata.category(ch)
    if kind in ("Cc", "Cs") or (kind == "Cf" and ch not in JOINERS) or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return "�"
    return ch
