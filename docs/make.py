"""The pages that are made from the code: ``python docs/make.py`` writes them, ``--check`` fails if they are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from tinygrad_mlp.listing import count, entries, rules_as_written
from tinygrad_mlp.primitive import TABLE

DOCS = Path(__file__).parent


def kinks() -> str:
    """The table of subgradients, from the notes beside the rules."""
    rows = ["| `{}` | {} |".format(name, op.kink.replace("|", "\\|")) for name, op in TABLE.items() if op.kink]
    return "\n".join(
        [
            "# Kinks and ties",
            "",
            "Where a function has no derivative, a rule must still answer. This is what each one answers: finite wherever a finite",
            "subgradient exists, and at a tie never more than the gradient that arrived. The notes stand beside the rules, in",
            "`tinygrad_mlp/rules/`; this page is printed from them by `.venv/bin/python docs/make.py`.",
            "",
            "| function | value |",
            "| --- | --- |",
            *rows,
            "",
            "Composed functions follow from these. Those that pick entries (`sort`, `median`, `quantile`, `take`, `nanmax` …) send the gradient to",
            "the entries that were picked; sorting is stable, so at a tie the first one comes first. `norm` of the zero vector or matrix has the",
            "gradient 0. Entries that a `where` did not select get exactly 0, whatever the slopes before it ([Guards](guards.md)).",
            "",
        ]
    )


def rules() -> str:
    """The table of rules as it is written, and the list of the composed functions."""
    numbers, written = count(), rules_as_written()
    lines = [
        "# Rules",
        "",
        f"**{numbers['differentiable']} differentiable functions**: {numbers['primitive']} primitives with rules of their own, and",
        f"{numbers['composed']} composed of them, whose derivatives follow. {numbers['constant almost everywhere']} more are constant almost everywhere, and the",
        f"table has {numbers['helper']} helpers that only others are made of. `tinygrad-mlp functions` prints the list, `tinygrad-mlp functions NAME` one entry.",
        "",
        "A rule is the gradient that goes on to an input: `g` is the gradient ∂L/∂z that arrives at the output `z`, the other letters are the inputs.",
        "What begins with `d.` is a derivation of several lines in `tinygrad_mlp/derivations/`, with its mathematics. For complex numbers see",
        "[NumPy code on Tensors](numpy.md#complex-numbers). This page is printed from the table by `.venv/bin/python docs/make.py`.",
        "",
        "## Primitives",
        "",
        "| function | in NumPy | rules |",
        "| --- | --- | --- |",
    ]
    for entry in entries():
        if entry.kind == "composed":
            continue
        op, names = TABLE[entry.name], ", ".join(f"`{name}`" for name in entry.numpy)
        told = []
        for i, rule in enumerate(written[entry.name]):
            letter = "inputs" if op.variadic else op.arrays[i] if i < len(op.arrays) else f"input {i + 1}"
            told.append(f"∂L/∂{letter} = `{rule}`".replace("|", "\\|") if rule != "no derivative" else f"{letter}: none")
        lines.append(f"| `{entry.name}` | {names} | {'<br>'.join(told)} |")
    lines += ["", "## Composed functions", "", "| function | in NumPy | what it computes |", "| --- | --- | --- |"]
    for entry in entries():
        if entry.kind == "composed":
            names = ", ".join(f"`{name}`" for name in entry.numpy)
            lines.append(f"| `{entry.name}` | {names} | {entry.text} |".replace("|w|", "\\|w\\|"))
    return "\n".join([*lines, ""])


PAGES = {"kinks.md": kinks, "rules.md": rules}


def main() -> int:
    """Write the pages, or compare them with what would be written."""
    stale = []
    for name, make in PAGES.items():
        path, text = DOCS / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"out of date: {', '.join(stale)}; run python docs/make.py")
        return 1
    print(f"{'up to date' if not stale else 'written'}: {', '.join(stale or PAGES)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
