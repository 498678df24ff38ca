"""The diagnosis in sentences: a page that has no form yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .diagnosis import Cause, Diagnosis, Row, Unexercised

__all__ = ["CODE", "Finding", "Page", "page"]

MANY = 6
"""More names than this are counted in a sentence; more lines than this of what could not be shown are left out."""

VERDICTS = {"right": "right", "wrong": "WRONG", "shape": "WRONG SHAPE", "missing": "MISSING", "NaN": "NaN"}
REFUSED = "manual(X, y, params) "
"""How the remark begins that no gradients came back."""
YOURS = "your line"
RAISED = "raised in"
CODE = (YOURS, RAISED)
"""The titles of what is code."""
STEP = "counted from the loss"
"""How the remark begins that says at which step the fault lies."""


class Finding(NamedTuple):
    """One cause in sentences: its label, what was done, and lines with a title."""

    label: str
    sentence: str
    lines: tuple[tuple[str, str], ...]


class Page(NamedTuple):
    """A report before it has a form."""

    verdict: str
    table: list[list[str]]
    lead: str
    findings: list[Finding]
    sections: list[tuple[str, list[str]]]


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def called(name: str) -> str:
    """The gradient of a parameter: dW1, if that is a name."""
    return f"d{name}" if name.isidentifier() else f"the gradient of {name}"


def plain(text: str) -> str:
    """One line: what the user's code raised or is called may hold any characters."""
    return " ".join("".join(c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text).split())


def capital(text: str) -> str:
    """A sentence begins with a capital letter, but not with a name such as dW1 or ``manual()``."""
    first = text.partition(" ")[0].rstrip(",:;")
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def sentence_start(text: str) -> str:
    """A capital letter for "the gradient of …", none for dW1."""
    return "T" + text[1:] if text.startswith("the gradient") else text


def shape_of(shape: tuple[int, ...] | None) -> str:
    """``4 × 5``; of a number ``()``."""
    return "-" if shape is None else " × ".join(str(n) for n in shape) or "()"


def two_digits(x: float) -> str:
    """A relative difference in the table."""
    return "0" if x == 0 else f"{x:.2f}" if x >= 0.01 else f"{x:.1e}"


def decimal(x: float) -> str:
    """A relative difference in a digit."""
    return "0" if x == 0 else f"{x:.2g}" if x >= 0.01 else f"{x:.0e}"


def every_of(n: int) -> str:
    """``Both``, ``All 3`` …"""
    return "Both" if n == 2 else f"All {n}"


def verdict(d: Diagnosis) -> str:
    """The finding in a sentence."""
    wrong, right = d.wrong, [row.name for row in d.rows if row.verdict == "right"]
    n = len(d.rows)
    if not wrong:
        every = f"{every_of(n)} gradients are right" if n > 1 else sentence_start(f"{called(d.rows[0].name)} is right")
        return f"{every} on this batch, but not on other data." if d.elsewhere else f"{every} on this batch."
    if len(wrong) == n and all(row.verdict == "missing" for row in d.rows):
        refused = next((plain(text) for text in d.remarks if text.startswith(REFUSED)), "manual() returned no gradient")
        return f"There is no gradient to judge: {refused}."
    if not right:
        all_of = f"{every_of(n)} gradients are wrong" if n > 1 else sentence_start(f"{called(wrong[0])} is wrong")
        return all_of + (f": {listed([called(name) for name in wrong])}." if 1 < n <= MANY else ".")
    if n > 2 * MANY or len(wrong) > MANY:
        some = [called(name) for name in wrong[:MANY]] + ([f"{len(wrong) - MANY} more"] if len(wrong) > MANY else [])
        return f"{len(wrong)} of {n} gradients are wrong: {listed(some)}; the other {len(right)} are right."
    one, other = (
        f"{listed([called(x) for x in names])} {'is' if len(names) == 1 else 'are'} {what}"
        for names, what in ((wrong, "wrong"), (right, "right"))
    )
    return sentence_start(f"{one}{',' if max(len(wrong), len(right)) < 3 else ';'} {other}.")


def table(rows: Iterable[Row]) -> list[list[str]]:
    """A header, and a row a parameter; a column that says nothing is left out."""
    cells = [["parameter", "shape", "your shape", "relative difference", "yours / true", "verdict"]]
    for row in rows:
        differs = row.user_shape is not None and row.user_shape != row.shape
        cells.append(
            [
                plain(row.name), shape_of(row.shape), shape_of(row.user_shape) if differs else "",
                "-" if row.relative is None else two_digits(row.relative),
                "-" if row.ratio is None else f"{row.ratio:.6g}", VERDICTS.get(row.verdict, row.verdict),
            ]
        )  # fmt: skip
    keep = [i for i in range(6) if i != 2 or any(line[i] for line in cells[1:])]
    return [[line[i] for i in keep] for line in cells]


def reordered(words: str) -> str:
    """``in dW1, a sample left out`` as what can follow "with": ``a sample left out, in dW1``."""
    found = re.fullmatch(r"in (d\S+(?: and (?:d\S+|all that follows))*), (.*)", words)
    return f"{found[2]}, in {found[1]}" if found else words


def how_well(residual: float) -> str:
    """How near the explained numbers are to those that were given; a large rest is that of parameters that are not explained."""
    return "to the last digit" if residual == 0 else f"to {decimal(residual)}" if residual < 0.01 else "rounding aside"


HOW = re.compile(r"(−?\d|multiplied|divided|transposed|built|twice)")
"""What can follow "the true gradient" without a "with"."""


def done(cause: Cause) -> str:
    """What the numbers are, as it follows "equal" or "nearest to"."""
    words, names = plain(cause.words), [called(name) for name in cause.parameters]
    gradients = "gradient" if len(names) == 1 else "gradients"
    for start in ("all gradients ", *(f"{name} " for name in names[:1] if len(names) == 1)):
        if words.startswith(start) and HOW.match(words.removeprefix(start)):
            return f"the true {gradients} {words.removeprefix(start)}"
    if re.match(r"d\w+ = ", words):
        return f"what comes of {words}"
    words = reordered(words)
    return f"the true {gradients} with {words.removesuffix(f', in {names[0]}') if len(names) == 1 else words}"


def sentence(cause: Cause) -> str:
    """What the numbers say the code did."""
    words = plain(cause.words)
    if "earlier call" in words:
        return capital(words.replace("earlier call not cleared", "earlier call were not cleared")) + "."
    if words.endswith("left at zero"):
        what = words.removesuffix(" left at zero")
        if what.startswith("all "):
            return f"{capital(what)} are zero in every entry: they were not computed, or not returned."
        return f"{capital(what) if ' ' in what else what} is zero in every entry: it was not computed, or not returned."
    if not cause.parameters:  # of an exception: there are no numbers
        return capital(words) + "."
    if cause.tentative:
        return f"The numbers are nearest to {done(cause)}; but {decimal(cause.residual)} of their size then remains unexplained."
    names = [called(name) for name in cause.parameters]
    subject = listed(names) if 0 < len(names) <= 2 * MANY else "the gradients"
    return sentence_start(f"{subject} {'equals' if len(names) == 1 else 'equal'}, {how_well(cause.residual)}, {done(cause)}.")


def finding(cause: Cause, alone: bool) -> Finding:
    """A cause, with the right line of the chain rule and the user's."""
    said = sentence(cause) if alone or cause.tentative else reordered(plain(cause.words)) + "."
    lines = (("chain rule", plain(cause.right)), (YOURS if cause.parameters else RAISED, cause.line.strip()))
    return Finding(cause.label + ("?" if cause.tentative else ""), said, tuple((title, text) for title, text in lines if text))


def together(causes: Sequence[Cause]) -> str:
    """What several mistakes explain as one; empty for a single one."""
    certain = [cause for cause in causes if not cause.tentative]
    if len(certain) < 2:
        return ""
    names = list(dict.fromkeys(name for cause in certain for name in cause.parameters))
    count = {2: "Two", 3: "Three"}.get(len(certain), str(len(certain)))
    subject = listed([called(name) for name in names]) if 0 < len(names) <= 2 * MANY else "the gradients"
    verb, true = ("equals", "gradient") if len(names) == 1 else ("equal", "gradients")
    how = how_well(max(cause.residual for cause in certain))
    these = "both of these" if len(certain) == 2 else "all of these"
    return f"{count} mistakes at once: {subject} {verb}, {how}, the true {true} with {these}:"


def unseen(found: Sequence[Unexercised]) -> list[str]:
    """What this batch could not show, one line for mistakes of one kind."""
    groups: dict[tuple[str, str], list[str]] = {}
    for u in found:
        groups.setdefault((u.label, u.needed), []).append(plain(u.words).removesuffix(" would change nothing here"))
    lines = []
    for (label, needed), words in groups.items():
        more = f", and {len(words) - 1} like it" if len(words) > 1 else ""
        lines.append(f"[{label}] {words[0]}{more}. It shows with {plain(needed)}.")
    return lines if len(lines) <= MANY else [*lines[: MANY - 1], f"and {len(lines) - MANY + 1} more."]


def page(d: Diagnosis) -> Page:
    """The report in sentences."""
    said = verdict(d)
    silent = bool(d.rows) and said.startswith("There is no gradient")
    remarks = [plain(text) for text in d.remarks if not said.endswith(f"{plain(text)}.")]
    step = next((text for text in remarks if text.startswith(STEP)), "")
    certain = sum(not cause.tentative for cause in d.causes)
    findings = [finding(cause, certain == 1) for cause in d.causes]
    lead = together(d.causes)
    if not (d.ok or certain or silent or all(row.verdict in ("right", "NaN") for row in d.rows)):
        lead = "I do not know what was done: no mistake that I know of gives these numbers."
        if step:
            lead = f"I do not know what was done, but it is at this step: {step}."
            remarks.remove(step)
    same = [f"[{cause.label}] {reordered(plain(cause.words))}." for cause in d.alternatives]
    names = ", ".join(f"{plain(name)} = {plain(formula)}" for name, formula in d.legend.items())
    sections = [
        ("Names that are not yours", [names] if names else []),
        ("Noticed", [capital(text) + ("" if text.endswith((".", "!", "?")) else ".") for text in remarks]),
        ("On other data", [capital(plain(text)) + "." for text in d.elsewhere]),
        ("The same numbers would come from", same if len(same) <= MANY else [*same[:MANY], f"and {len(same) - MANY} more."]),
        ("What this batch cannot show", unseen(d.unexercised)),
    ]
    return Page(said, [] if silent else table(d.rows), lead, findings, [(title, lines) for title, lines in sections if lines])
