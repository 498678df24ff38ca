"""What was measured, for reading: prints the tables and verdicts in Markdown, draws the plots, and fills docs/speed.md.

.venv/bin/python tests/benchmarks/report.py                # after steps.py
.venv/bin/python tests/benchmarks/report.py --print        # writes nothing
.venv/bin/python tests/benchmarks/report.py --check        # fails if docs/speed.md is not what results.json says
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processes import RESULTS, ROOT, load
from requirements import Row, rows_of, verdicts
from steps import NAMES


def columns(rows: list[Row]) -> list[str]:
    """The contenders that were measured anywhere."""
    return [name for name in NAMES if any(name in row.seconds for row in rows)]


def times(results: dict[str, Any]) -> str:
    """The table of times: multiples of hand-written NumPy, the fastest in bold."""
    rows = rows_of(results)
    names = [name for name in columns(rows) if name != "numpy"]
    lines = ["| workload | numpy | " + " | ".join(names) + " | compile / products |", "| --- |" + " ---: |" * (len(names) + 2)]
    for row in rows:
        fastest = min((seconds for name, seconds in row.seconds.items() if name != "products only"), default=0.0)
        cells = []
        for name in names:
            ratio = row.ratio(name)
            cell = "-" if ratio is None else f"{ratio:.2f}"
            cells.append(f"**{cell}**" if row.seconds.get(name) == fastest else cell)
        floor = row.ratio("tg.compile", "products only")
        cells.append("-" if floor is None else f"{floor:.2f}")
        lines.append(f"| {row.workload} | {row.seconds['numpy'] * 1e6:,.0f} µs | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def memory(results: dict[str, Any]) -> str:
    """The table of the memory, in MB above the imports."""
    rows = rows_of(results)
    names = [name for name in columns(rows) if name != "products only"]
    lines = ["| workload | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    cells = ([row.workload, *(f"{row.memory[name]:.1f}" if name in row.memory else "-" for name in names)] for row in rows)
    return "\n".join([*lines, *(f"| {' | '.join(line)} |" for line in cells)])


def machine(results: dict[str, Any]) -> str:
    """The machine, the versions, the settings."""
    settings = results["settings"]
    facts = settings["machine"]
    lines = [f"- {facts['cpu']}, {facts['cores']} cores, {facts['system']}; {settings['threads']} threads"]
    for i, found in enumerate(facts["interpreters"]):
        versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
        told = f"Python {found['python']}, NumPy {found['numpy']} with {found['blas']}" + (f", {versions}" if versions else "")
        lines.append(f"- {told}" if i == 0 else f"- for what the first interpreter does not have: {told}")
    lines.append(
        f"- {settings['rounds']} processes for each figure, {settings['budget']} s of measuring in each, after a warm-up of half of that"
    )
    return "\n".join(lines)


def spread(results: dict[str, Any]) -> str:
    """How far the processes of one figure lie apart."""
    found = [
        (max(times) / statistics.median(times) - 1, 1 - min(times) / statistics.median(times))
        for workload in results["workloads"].values()
        for times in ([run[0] for run in runs] for runs in workload["runs"].values())
    ]
    above, below = (sorted(side)[len(found) * 9 // 10] for side in zip(*found, strict=True))
    return f"In nine of ten figures the slowest process was at most {100 * above:.0f} % above the median, the fastest at most {100 * below:.0f} % below it."


def imports(results: dict[str, Any]) -> str:
    """The times of the imports."""
    ours, numpys = (statistics.median(results["imports"][name]) * 1e3 for name in ("tinygrad_mlp", "numpy"))
    return (
        f"`import tinygrad_mlp` takes {ours:.0f} ms, `import numpy` {numpys:.0f} ms (medians): {ours / numpys:.2f} times as long."
    )


def failures(results: dict[str, Any]) -> str:
    """What could not be measured, and why."""
    told = [f"- {name} on {w}: {why}" for w, found in results["workloads"].items() for name, why in found["failed"].items()]
    return "\n\nNot measured:\n\n" + "\n".join(told) if told else ""


PARTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "machine": machine,
    "table": lambda results: times(results) + "\n\n" + spread(results) + failures(results),
    "plot": lambda _: "![A dot for each contender and workload: time as a multiple of hand-written NumPy](images/speed.svg)",
    "memory": memory,
    "imports": imports,
    "verdicts": lambda results: "\n".join(verdicts(results)),
    "growth": lambda results: (
        "![Four log-log plots: time a layer, a row and an operation](images/growth.svg)" if "growth" in results else "Not measured."
    ),
}
"""The parts of the page, between ``<!-- name -->`` and ``<!-- end of name -->``."""


def filled(page: str, results: dict[str, Any]) -> str:
    """The page with its parts made anew."""
    for name, part in PARTS.items():
        pattern = re.compile(f"(<!-- {name} -->).*?(<!-- end of {name} -->)", re.DOTALL)
        text = part(results)
        page, count = pattern.subn(lambda found, text=text: f"{found[1]}\n\n{text}\n\n{found[2]}", page)  # type: ignore[misc]
        if count != 1:
            raise SystemExit(
                f"The page must have the marks <!-- {name} --> and <!-- end of {name} --> once; it has them {count} times."
            )
    return page


def main() -> None:
    """Print, draw, fill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=RESULTS, help="the file of results (default: results.json beside this file)")
    parser.add_argument(
        "--page", type=Path, default=ROOT / "docs" / "speed.md", help="the page to fill; plots go to images/ beside it"
    )
    parser.add_argument("--print", action="store_true", help="only print")
    parser.add_argument("--check", action="store_true", help="only compare the page with the results")
    options = parser.parse_args()
    results = load(options.json)
    if not results.get("workloads"):
        raise SystemExit(f"{options.json} has no results: run steps.py first.")
    page = options.page.read_text(encoding="utf-8")
    if options.check:
        if page != filled(page, results):
            raise SystemExit(f"{options.page} is not what {options.json} says: run report.py.")
        return
    for name in ("machine", "table", "memory", "imports", "verdicts"):
        print(PARTS[name](results) + "\n")
    if options.print:
        return
    import plots

    plots.contest(results, options.page.parent / "images" / "speed.svg")
    if "growth" in results:
        plots.growth(results, options.page.parent / "images" / "growth.svg")
    options.page.write_text(filled(page, results), encoding="utf-8")


if __name__ == "__main__":
    main()
