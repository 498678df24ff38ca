"""The pages that are made from the code: ``python docs/make.py`` writes them, ``--check`` fails if they are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

from tinygrad_mlp.primitive import TABLE

DOCS = Path(__file__).parent


def kinks() -> str:
    """The table of subgradients, from the notes beside the rules."""
    rows = [f"| `{name}` | {op.kink} |" for name, op in TABLE.items() if op.kink]
    return "\n".join(
        [
            "# Kinks and ties",
            "",
            "Where a function has no derivative, a rule must still answer. This is what each one answers: finite wherever a finite",
            "subgradient exists, and at a tie never more than the gradient that arrived. The notes stand beside the rules, in",
            "`tinygrad_mlp/rules.py`; this page is printed from them by `.venv/bin/python docs/make.py`.",
            "",
            "| function | value |",
            "| --- | --- |",
            *rows,
            "",
        ]
    )


PAGES = {"kinks.md": kinks}


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
