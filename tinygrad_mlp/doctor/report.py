"""The diagnosis as a report for a person: text, Markdown, HTML, all three of one page of sentences."""

from __future__ import annotations

import re
import textwrap
from html import escape

from .diagnosis import Diagnosis
from .sentences import CODE, page

__all__ = ["as_html", "as_markdown", "as_text"]

WIDTH = 100
"""Columns of the text."""

# --- text -------------------------------------------------------------------------------------------------------------


def wrapped(text: str, first: str = "", others: str | None = None) -> str:
    """A paragraph of at most 100 columns with a hanging indent."""
    rest = " " * len(first) if others is None else others
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)


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
            lines.append(code_line(text, start) if title in CODE else wrapped(text, start))
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
        lines += [f"  - {title}: {code_span(text) if title in CODE else escaped(text)}" for title, text in f.lines]
        blocks.append("\n".join(lines))
    blocks += ["\n".join([f"{title}:", "", *(f"- {labelled(text)}" for text in lines)]) for title, lines in p.sections]
    return "\n\n".join(blocks)


# --- HTML -------------------------------------------------------------------------------------------------------------

STYLE = """\
.tg-doctor { --ink: #1c2330; --soft: #566074; --rule: #d5dae3; --paper: #ffffff; --good: #17693a; --bad: #b3261e; --code: #f2f4f8;
  color-scheme: light dark; color: var(--ink); background: var(--paper); border: 1px solid var(--rule); border-radius: 6px; padding: 0.8em 1.1em;
  max-width: 56em; font: 14px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; text-align: left; }
.tg-doctor p { margin: 0.5em 0; }
.tg-doctor .tg-verdict { font-size: 1.1em; font-weight: 600; border-left: 4px solid var(--bad); padding-left: 0.6em; }
.tg-doctor .tg-verdict.tg-right { border-color: var(--good); }
.tg-doctor .tg-scroll { overflow-x: auto; }
.tg-doctor table { border-collapse: collapse; margin: 0.8em 0; color: inherit; font-variant-numeric: tabular-nums; }
.tg-doctor tr, .tg-doctor tbody tr:nth-child(odd) { background: transparent; }
.tg-doctor th, .tg-doctor td { padding: 0.25em 1.2em 0.25em 0; text-align: left; border: 0; border-bottom: 1px solid var(--rule);
  overflow-wrap: normal; white-space: nowrap; color: inherit; }
.tg-doctor thead th { color: var(--soft); font-weight: 500; white-space: normal; vertical-align: bottom; }
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
        lines = [(title, f"<code>{escape(text)}</code>" if title in CODE else escape(text)) for title, text in f.lines]
        if lines:
            parts.append("<dl>" + "".join(f"<dt>{title}</dt><dd>{text}</dd>" for title, text in lines) + "</dl>")
    for title, texts in p.sections:
        items = "".join(f"<li>{html_labelled(text)}</li>" for text in texts)
        parts.append(f'<p class="tg-title">{escape(title)}</p><ul>{items}</ul>')
    return f'<div class="tg-doctor"><style>{STYLE}</style>{"".join(parts)}</div>'
