"""The diagnosis as a report for a person: text, Markdown, HTML, all three of one page of sentences."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from .diagnosis import Cause, Diagnosis, Row, Unexercised

__all__ = ["as_html", "as_markdown", "as_text"]

WIDTH = 100
MANY = 6
"""More names than this are counted in a sentence; more lines than this of what could not be shown are left out."""

VERDICTS = {"right": "right", "wrong": "WRONG", "shape": "WRONG SHAPE", "missing": "MISSING", "NaN": "NaN"}
REFUSED = "manual(X, y, params) "
"""How the remark begins that no gradients came back."""


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


# --- sentences --------------------------------------------------------------------------------------------------------


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
    """A sentence begins with a capital letter, but not if its first word is the name of a gradient."""
    return text[:1].upper() + text[1:] if text[:2] in ("al", "it", "no", "th", "wi") else text


def shape_of(shape: tuple[int, ...] | None) -> str:
    """``4 × 5``; of a number ``()``."""
    return "-" if shape is None else " × ".join(str(n) for n in shape) or "()"


def decimal(x: float) -> str:
    """A relative difference in a digit."""
    return "0" if x == 0 else f"{x:.0e}"


def verdict(d: Diagnosis) -> str:
    """The finding in a sentence."""
    wrong, right = d.wrong, [row.name for row in d.rows if row.verdict == "right"]
    n = len(d.rows)
    if not wrong:
        every = f"All {n} gradients are right" if n > 1 else f"{called(d.rows[0].name)} is right" if n else "Nothing is wrong"
        return f"{every} on this batch, but not on other data." if d.elsewhere else f"{every} on this batch."
    if len(wrong) == n and all(row.verdict == "missing" for row in d.rows):
        refused = next((plain(text) for text in d.remarks if text.startswith(REFUSED)), "manual() returned no gradient")
        return f"There is no gradient to judge: {refused}."
    if not right:
        all_of = f"All {n} gradients are wrong" if n > 1 else f"{called(wrong[0])} is wrong"
        return all_of + (f": {listed([called(name) for name in wrong])}." if 1 < n <= MANY else ".")
    if n > 2 * MANY or len(wrong) > MANY:
        some = [called(name) for name in wrong[:MANY]] + ([f"{len(wrong) - MANY} more"] if len(wrong) > MANY else [])
        return f"{len(wrong)} of {n} gradients are wrong: {listed(some)}; the other {len(right)} are right."
    parts = [(wrong, "wrong"), (right, "right")]
    return ", ".join(f"{listed([called(x) for x in names])} {'is' if len(names) == 1 else 'are'} {what}" for names, what in parts) + "."


def table(rows: Iterable[Row]) -> list[list[str]]:
    """A header, and a row a parameter; a column that says nothing is left out."""
    cells = [["parameter", "shape", "your shape", "relative difference", "yours / true", "verdict"]]
    for row in rows:
        differs = row.user_shape is not None and row.user_shape != row.shape
        cells.append(
            [
                plain(row.name), shape_of(row.shape), shape_of(row.user_shape) if differs else "",
                "-" if row.relative is None else "0" if row.relative == 0 else f"{row.relative:.1e}",
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
    """How near the explained numbers are to those that were given."""
    return "to the last digit" if residual == 0 else f"to {decimal(residual)}"


def sentence(cause: Cause) -> str:
    """What the numbers say the code did."""
    words = plain(cause.words)
    if "earlier call" in words:
        return capital(words.replace("earlier call not cleared", "earlier call were not cleared")) + "."
    names = list(cause.parameters)
    one = len(names) == 1
    subject = listed([called(name) for name in names]) if 0 < len(names) <= 2 * MANY else "the gradients"
    gradients = "gradient" if one else "gradients"
    for start in ("all gradients ", f"{called(names[0])} " if one else "all gradients "):
        if words.startswith(start) and "left at zero" not in words:
            how = f"the true {gradients} {words.removeprefix(start)}"
            break
    else:
        how = f"the true {gradients} with {reordered(words)}"
    if cause.tentative:
        return (
            f"I do not know what was done, but it is at the step below. The numbers are nearest to {how}; "
            f"{decimal(cause.residual)} of their size then remains unexplained."
        )
    return capital(f"{subject} {'equals' if one else 'equal'}, {how_well(cause.residual)}, {how}.")


def finding(cause: Cause, alone: bool) -> Finding:
    """A cause, with the right line of the chain rule and the user's."""
    said = sentence(cause) if alone or cause.tentative else reordered(plain(cause.words)) + "."
    lines = (("right", plain(cause.right)), ("yours", plain(cause.line)))
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
    return f"{count} mistakes at once: {subject} {verb}, {how_well(max(c.residual for c in certain))}, the true {true} with all of"


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
    remarks = [plain(text) for text in d.remarks if not said.endswith(f"{plain(text)}.")]
    silent = bool(d.rows) and said.startswith("There is no gradient")
    certain = sum(not cause.tentative for cause in d.causes)
    findings = [finding(cause, certain == 1) for cause in d.causes]
    lead = together(d.causes)
    if lead:
        lead += " these:"
    elif not d.ok and not findings and not silent:
        lead = "I do not know what was done: no mistake that I know of gives these numbers."
    same = [f"[{cause.label}] {reordered(plain(cause.words))}." for cause in d.alternatives]
    sections = [
        ("Noticed", [capital(text) + ("" if text.endswith((".", "!", "?")) else ".") for text in remarks]),
        ("On other data", [capital(plain(text)) + "." for text in d.elsewhere]),
        ("The same numbers would come from", same if len(same) <= MANY else [*same[:MANY], f"and {len(same) - MANY} more."]),
        ("What this batch cannot show", unseen(d.unexercised)),
    ]
    return Page(said, [] if silent else table(d.rows), lead, findings, [(title, lines) for title, lines in sections if lines])


# --- text -------------------------------------------------------------------------------------------------------------


def wrapped(text: str, first: str = "", others: str | None = None) -> str:
    """A paragraph of at most 100 columns with a hanging indent."""
    rest = " " * len(first) if others is None else others
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def code_line(line: str, first: str) -> str:
    """The user's line: its place, and its text below if both do not fit side by side; what is very long is cut."""
    if len(first) + len(line) <= WIDTH:
        return first + line
    found = re.match(r"(.*?:\d+|.*?, line \d+): ", line)
    place, text = (found[0].rstrip(), line[found.end() :]) if found else ("", line)
    space = " " * len(first)
    room = WIDTH - len(first)
    return f"{first}{place}\n{space}{text if len(text) <= room else text[: room - 1] + '…'}"


def as_text(d: Diagnosis) -> str:
    """Plain text of at most 100 columns."""
    p = page(d)
    blocks = [wrapped(p.verdict)]
    if p.table:
        widths = [max(len(line[i]) for line in p.table) for i in range(len(p.table[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in p.table]
        blocks.append("\n".join([lines[0], "─" * max(len(line) for line in lines), *lines[1:]]))
    if p.lead:
        blocks.append(wrapped(p.lead))
    for f in p.findings:
        lines = [wrapped(f.sentence, f"[{f.label}] ", "    ")]
        for title, text in f.lines:
            start = f"    {title}: "
            lines.append(code_line(text, start) if title == "yours" else wrapped(text, start))
        blocks.append("\n".join(lines))
    blocks += ["\n".join([f"{title}:", *(wrapped(text, "  - ") for text in lines)]) for title, lines in p.sections]
    return "\n\n".join(blocks)


# --- Markdown ---------------------------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    """Text in which no character means anything to Markdown."""
    return re.sub(r"([\\`*_\[\]<>|#~$&])", r"\\\1", text)


def code_span(text: str) -> str:
    """Code, whatever backticks are in it."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def labelled(text: str) -> str:
    """A sentence with its label in brackets, as code."""
    found = re.match(r"\[(\w+\??)\] ", text)
    return f"**{code_span(found[1])}** {escaped(text[found.end() :])}" if found else escaped(text)


def as_markdown(d: Diagnosis) -> str:
    """Markdown, as GitHub reads it."""
    p = page(d)
    blocks = [f"**{escaped(p.verdict)}**"]
    if p.table:
        head, *body = [[escaped(cell) for cell in line] for line in p.table]
        lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        blocks.append("\n".join(lines + ["| " + " | ".join(line) + " |" for line in body]))
    if p.lead:
        blocks.append(escaped(p.lead))
    for f in p.findings:
        lines = [f"- {labelled(f'[{f.label}] {f.sentence}')}"]
        lines += [f"  - {title}: {code_span(text) if title == 'yours' else escaped(text)}" for title, text in f.lines]
        blocks.append("\n".join(lines))
    blocks += ["\n".join([f"{title}:", "", *(f"- {labelled(text)}" for text in lines)]) for title, lines in p.sections]
    return "\n\n".join(blocks)


# --- HTML -------------------------------------------------------------------------------------------------------------

STYLE = """\
.tg-doctor { --ink: #1c2330; --soft: #566074; --rule: #d5dae3; --paper: #ffffff; --good: #17693a; --bad: #b3261e; --code: #f2f4f8;
  color: var(--ink); background: var(--paper); border: 1px solid var(--rule); border-radius: 6px; padding: 0.8em 1.1em;
  max-width: 56em; font: 14px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; text-align: left; }
.tg-doctor p { margin: 0.5em 0; }
.tg-doctor .tg-verdict { font-size: 1.1em; font-weight: 600; border-left: 4px solid var(--bad); padding-left: 0.6em; }
.tg-doctor .tg-verdict.tg-right { border-color: var(--good); }
.tg-doctor .tg-scroll { overflow-x: auto; }
.tg-doctor table { border-collapse: collapse; margin: 0.8em 0; color: inherit; font-variant-numeric: tabular-nums; }
.tg-doctor tr, .tg-doctor tbody tr:nth-child(odd) { background: transparent; }
.tg-doctor th, .tg-doctor td { padding: 0.25em 1.2em 0.25em 0; text-align: left; border: 0; border-bottom: 1px solid var(--rule);
  overflow-wrap: normal; white-space: nowrap; color: inherit; }
.tg-doctor thead th { color: var(--soft); font-weight: 500; }
.tg-doctor td.tg-wrong { color: var(--bad); font-weight: 600; }
.tg-doctor td.tg-right { color: var(--good); }
.tg-doctor code { font: 0.93em/1.5 ui-monospace, monospace; background: var(--code); color: inherit; padding: 0.1em 0.35em; border-radius: 3px;
  white-space: pre-wrap; }
.tg-doctor dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2em 0.8em; margin: 0.3em 0 1em 1.2em; }
.tg-doctor dt { color: var(--soft); font-weight: 400; }
.tg-doctor dd { margin: 0; }
.tg-doctor .tg-title { color: var(--soft); margin: 0.9em 0 0.1em; font-weight: 600; }
.tg-doctor ul { margin: 0.1em 0 0.6em; padding-left: 1.4em; }
.tg-doctor caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media (prefers-color-scheme: dark) {
  .tg-doctor { --ink: #e4e8ef; --soft: #a3adbe; --rule: #3a4353; --paper: #171b23; --good: #6fd394; --bad: #ff8a80; --code: #262d3a; }
}"""  # noqa: E501  # a style sheet
TITLES = {"right": "The right line", "yours": "Your line"}


def html_labelled(text: str) -> str:
    """A sentence with its label, as code."""
    found = re.match(r"\[(\w+\??)\] ", text)
    return f"<code>{escape(found[1])}</code> {escape(text[found.end() :])}" if found else escape(text)


def html_table(cells: list[list[str]]) -> str:
    """The table, with a caption for those who do not see it, and headers of columns and rows."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in cells[0])
    rows = []
    for name, *middle, last in cells[1:]:
        kind = "tg-right" if last == "right" else "tg-wrong"
        inner = "".join(f"<td>{escape(cell)}</td>" for cell in middle)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{inner}<td class="{kind}">{escape(last)}</td></tr>')
    caption = "<caption>The gradients, parameter by parameter</caption>"
    return f'<div class="tg-scroll"><table>{caption}<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def as_html(d: Diagnosis) -> str:
    """HTML for a notebook: one element with its own style, for light and dark."""
    p = page(d)
    good = d.ok and not d.elsewhere
    parts = [f'<p class="tg-verdict{" tg-right" if good else ""}">{escape(p.verdict)}</p>']
    if p.table:
        parts.append(html_table(p.table))
    if p.lead:
        parts.append(f"<p>{escape(p.lead)}</p>")
    for f in p.findings:
        parts.append(f"<p>{html_labelled(f'[{f.label}] {f.sentence}')}</p>")
        lines = [(TITLES[title], f"<code>{escape(text)}</code>" if title == "yours" else escape(text)) for title, text in f.lines]
        if lines:
            parts.append("<dl>" + "".join(f"<dt>{title}</dt><dd>{text}</dd>" for title, text in lines) + "</dl>")
    for title, texts in p.sections:
        items = "".join(f"<li>{html_labelled(text)}</li>" for text in texts)
        parts.append(f'<p class="tg-title">{escape(title)}</p><ul>{items}</ul>')
    return f'<div class="tg-doctor"><style>{STYLE}</style>{"".join(parts)}</div>'
