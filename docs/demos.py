"""The pages of the demos, in docs/demos: ``python docs/demos.py`` runs every demo in its short form and writes them.

    python docs/demos.py [NAME …]                         write the pages of these demos, or of all
    python docs/demos.py --check [NAME …]                 run them, and fail if one fails or if a verdict differs from its page
    python docs/demos.py --full DIR NAME                  the page of a long run, on the data in DIR: NAME_full.md

Numbers change from machine to machine in their last digits, and so do pictures: ``--check`` compares what was judged, not these.
What could not be measured, for want of a library or of data, is no difference.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMOS, PAGES = ROOT / "demos", ROOT / "docs" / "demos"
NAMES = sorted(path.stem for path in DEMOS.glob("*.py") if f'options("{path.stem}"' in path.read_text(encoding="utf-8"))
"""The scripts that have a command line, made with options("NAME", …); the others are their helpers."""


def run(name: str, out: Path, full: Path | None) -> tuple[int, str, float]:
    """Run a demo; its exit code, what it printed, the seconds it took."""
    start = time.perf_counter()
    more = [] if full is None else ["--full", "--data-dir", str(full)]
    done = subprocess.run(  # noqa: S603  # our own scripts
        [sys.executable, str(DEMOS / f"{name}.py"), "--out", str(out), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=ROOT,
        env={"OPENBLAS_NUM_THREADS": "1"} | os.environ | {"COLUMNS": "120"},  # as many at a time as there are cores
        check=False,
    )
    return done.returncode, done.stdout, time.perf_counter() - start


def page(name: str, out: Path, full: bool) -> str:
    """The page of a demo: its report, with the links of pictures and a line that says what made it."""
    command = f"python demos/{name}.py" + (" --full --data-dir DIR" if full else "")
    lines = (out / "report.md").read_text(encoding="utf-8").splitlines()
    folder = stem(name, full)
    linked = [re.sub(r"(\]\()(?!\w+://|#|\.\./)([^)\s]+\.(?:png|svg|html|md)\))", rf"\1{folder}/\2", line) for line in lines]
    told = f"What `.venv/bin/{command}` says: this page is written by `.venv/bin/python docs/demos.py`, "
    told += f"the script is [`demos/{name}.py`](../../demos/{name}.py)."
    other = stem(name, not full)
    if (PAGES / f"{other}.md").exists():
        told += f" [The {'short' if full else 'long'} form]({other}.md) has a page of its own."
    return "\n".join([linked[0], "", told, *linked[1:]]) + "\n"


def stem(name: str, full: bool) -> str:
    """The name of a page."""
    return f"{name}_full" if full else name


def verdicts(text: str) -> list[tuple[str, str]]:
    """The claims of a page with their verdicts."""
    if "## Verdicts" not in text:
        return []
    rows = [line for line in text.partition("## Verdicts")[2].splitlines() if line.startswith("| ")][2:]
    return [(cells[2].strip(), cells[-2].strip()) for cells in (re.split(r"(?<!\\)\|", row) for row in rows)]


def write(name: str, out: Path, full: bool) -> None:
    """Put a page and its files in place of the old ones, once all are ready."""
    folder = PAGES / stem(name, full)
    PAGES.mkdir(exist_ok=True)
    text = page(name, out, full)
    with tempfile.TemporaryDirectory(dir=PAGES, prefix=".") as ready:
        new = Path(ready) / "new"  # without the pages that play: copies of viz/page, which would grow old in the repository
        shutil.copytree(out, new, ignore=shutil.ignore_patterns("report.md", "*.html"))
        if folder.exists():
            folder.rename(Path(ready) / "old")
        if any(new.iterdir()):
            new.rename(folder)
    (PAGES / f"{folder.name}.md").write_text(text, encoding="utf-8")


def compared(name: str, out: Path) -> str:
    """What differs between the verdicts of this run and those on the page; empty if nothing."""
    path = PAGES / f"{name}.md"
    if not path.exists():
        return f"docs/demos/{name}.md is missing: run python docs/demos.py {name}"
    old, new = verdicts(path.read_text(encoding="utf-8")), verdicts((out / "report.md").read_text(encoding="utf-8"))
    if [claim for claim, _ in old] != [claim for claim, _ in new]:
        return f"the claims of {name} are not those of its page: run python docs/demos.py {name}"
    pairs = zip(old, new, strict=True)
    changed = [f"  {claim}: {now}, on the page {then}" for (claim, then), (_, now) in pairs if now not in (then, "not measured")]
    return "\n".join([f"verdicts of {name} are not those of its page:", *changed]) if changed else ""


def one(name: str, full: Path | None, check: bool) -> tuple[str, float, str]:
    """Run a demo, and write its page or compare its verdicts; its name, the seconds it took, and what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / name
        code, printed, seconds = run(name, out, full and full.resolve())
        if code:
            return name, seconds, f"{name} ended with the exit code {code}:\n{printed[-4000:]}"
        if not (out / "report.md").exists():
            return name, seconds, f"{name} has written no report.md"
        if check:
            return name, seconds, compared(name, out)
        write(name, out, full is not None)
        return name, seconds, ""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog=__doc__.partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(NAMES)} (all)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a demo fails or a verdict has changed")
    parser.add_argument("--full", type=Path, metavar="DIR", help="the long run of one demo, on the data in DIR")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in NAMES:
            parser.error(f"no demo {name!r} (there are {', '.join(NAMES)})")
    if arguments.full is not None and (len(arguments.names) != 1 or arguments.check):
        parser.error("--full DIR goes with the name of one demo, and not with --check")
    failed = []
    with ThreadPoolExecutor(1 if arguments.full else os.cpu_count()) as pool:  # a process each
        for name, seconds, problem in pool.map(partial(one, full=arguments.full, check=arguments.check), arguments.names or NAMES):
            print(f"{name}: {seconds:.0f} s{', FAILED' if problem else ''}", flush=True)
            failed += [problem] if problem else []
    print(*failed, sep="\n\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
