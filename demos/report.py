"""What the demos share: their options, and a report that is printed, and written as a page with its pictures and its verdicts.

A demo is a script on the public API of tinygrad_mlp. It tells what it does with a :class:`Report`, which prints it and writes the
same as Markdown, ``report.md``, beside the pictures; ``python docs/demos.py`` makes the pages of the documentation of these.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from tinygrad_mlp.errors import DataError, MissingExtraError, require

WIDTH = 120

HOLDS, CORRECTED, FAILS, QUOTED = "holds", "holds with a correction", "does not hold", "not measured"


class Claim(NamedTuple):
    """A sentence of a document, and what was found."""

    place: str
    claim: str
    measured: str
    right: str
    verdict: str


def options(
    name: str, about: str, *, full: str = "", arguments: Sequence[str] | None = None, **flags: dict[str, Any]
) -> argparse.Namespace:
    """The command line of a demo: ``--out``, ``--seed``, and with ``full`` also ``--full`` and ``--data-dir``.

    Parameters
    ----------
    name : the name of the script, and of its folder under ``demos_out``
    about : what it does, for ``--help``
    full : what ``--full`` does, empty if there is no such run
    flags : more options, as keyword arguments of ``add_argument``; ``data_dir={…}`` is ``--data-dir``
    """
    parser = argparse.ArgumentParser(
        prog=f"{name}.py", description=about, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demos_out") / name, help="folder for the page and its pictures (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="where the random numbers start (%(default)s)")
    if full:
        parser.add_argument("--full", action="store_true", help=full)
        parser.add_argument("--data-dir", type=Path, help="the folder with the data's files, for --full")
    for flag, settings in flags.items():
        parser.add_argument(f"--{flag.replace('_', '-')}", **settings)
    found = parser.parse_args(arguments)
    if not str(found.out).strip("."):
        parser.error("--out is a folder of its own for the page and its pictures")
    if found.seed < 0:
        parser.error(f"--seed is a whole number from 0 up (got {found.seed})")
    if full and found.full and found.data_dir is None:
        parser.error("--full needs --data-dir, the folder with the data's files")
    if full and found.data_dir is not None and not found.full:
        parser.error("--data-dir is used by --full only: give both")
    return found


class Report:
    """What a demo says, line by line; at the end a table of verdicts, a page and an exit code.

    Parameters
    ----------
    title : the first line of the page
    out : the folder of the page and its pictures, made if needed
    """

    def __init__(self, title: str, out: Path) -> None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"cannot write to --out {out}: {error.strerror or error}") from error
        self.title, self.out = title, out
        self.page: list[str] = [f"# {title}", ""]
        self.top = len(self.page)
        self.claims: list[Claim] = []
        self.failed: list[str] = []
        self.pictures: list[str] = []
        print(f"{title}\n{'=' * len(title)}\n")

    # --- what is told -----------------------------------------------------------------------------------------------------

    def heading(self, text: str) -> None:
        """A section begins."""
        print(f"{text}\n{'-' * len(text)}\n")
        self.page += [f"## {text}", ""]

    def say(self, *paragraphs: str) -> None:
        """Prose, wrapped; Markdown."""
        for paragraph in paragraphs:
            text = " ".join(paragraph.split())
            print(textwrap.fill(text, WIDTH), end="\n\n", flush=True)
            self.page += [text, ""]

    def show(self, text: Any, language: str = "text") -> None:
        """Lines as they are: a printed object, code, an error's text."""
        lines = str(text).rstrip("\n")
        print(textwrap.indent(lines, "    "), end="\n\n", flush=True)
        self.page += [f"```{language}", lines, "```", ""]

    def table(self, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows under a header; numbers are aligned to the right."""
        cells = [[str(cell) for cell in row] for row in rows]
        right = [bool(cells) and all(is_number(row[i]) for row in cells) for i in range(len(header))]
        widths = [max(len(text) for text in column) for column in zip(header, *cells, strict=True)]

        def line(row: Sequence[str]) -> str:
            return "  ".join(t.rjust(w) if r else t.ljust(w) for t, w, r in zip(row, widths, right, strict=True)).rstrip()

        print("\n".join(f"    {text}" for text in (line(header), "─" * len(line(["─" * w for w in widths])), *map(line, cells))))
        print(flush=True)
        self.page += markdown_table(header, cells, right)

    def picture(self, name: str, picture: Any, caption: str) -> None:
        """Save a picture in the folder and show it on the page: a Drawing as SVG, Matplotlib's figure, axes or panels as PNG.

        Parameters
        ----------
        name : the file's name without suffix
        caption : what is to be seen, in a sentence; also read where a picture cannot be seen
        """
        if hasattr(picture, "svg"):
            file = f"{name}.svg"
            picture.save(self.out / file)
        else:
            file = f"{name}.png"
            figure = getattr(picture, "figure", picture)
            figure.savefig(self.out / file, dpi=110, metadata={"Software": None})
        self.keep(file, caption)
        self.page += [f"![{caption}]({file})", ""]

    def keep(self, file: str, what: str) -> None:
        """Mention a file that was written to the folder."""
        self.pictures.append(file)
        print(f"    [{self.out / file}] {what}\n", flush=True)

    # --- what is judged ---------------------------------------------------------------------------------------------------

    def claim(self, place: str, claim: str, measured: str, holds: bool | None, correction: str = "", *, right: str = "") -> str:
        """A claim of the document, and the verdict on it, from what was measured.

        Parameters
        ----------
        place : where it stands, "l. 87-95"
        claim : the sentence, shortened
        measured : the numbers found here
        holds : whether they bear it out; None if it cannot be measured here
        correction : what makes it true, where that is little: a narrower case, a factor, a name
        right : what is true in its place, where the claim itself is not

        Returns the verdict: holds, holds with a correction, does not hold, not measured.
        """
        if correction and right:
            raise ValueError("a claim that does not hold has either a correction or something else that is right")
        verdict = QUOTED if holds is None else HOLDS if holds else CORRECTED if correction else FAILS
        self.claims.append(Claim(place, claim, measured, "" if holds else correction or right, verdict))
        return verdict

    def check(self, true: Any, text: str) -> None:
        """Something that must be true of tinygrad_mlp itself; if it is not, the demo ends with the exit code 1."""
        mark = "ok" if bool(true) else "FAILED"
        if not bool(true):
            self.failed.append(text)
        print(textwrap.fill(f"[{mark}] {text}", WIDTH, subsequent_indent=" " * (len(mark) + 3)), end="\n\n", flush=True)
        self.page += [f"- [{mark}] {text}", ""]

    def finish(self) -> int:
        """Print the table of verdicts, write ``report.md``; returns the exit code, 1 if a check failed."""
        if self.claims:
            self.heading("Verdicts")
            for n, claim in enumerate(self.claims, 1):
                print(f"{n:>2}. {claim.place}: {claim.claim}")
                for text in (claim.measured, f"right: {claim.right}" if claim.right else ""):
                    print(textwrap.fill(text, WIDTH, initial_indent="      ", subsequent_indent="      "), end="\n" if text else "")
                print(f"    → {claim.verdict}\n")
            self.page += markdown_table(("place", "claim", "measured here", "right is", "verdict"), self.claims, [False] * 5)
            print(f"{self.summary}\n")
            self.page[self.top : self.top] = [f"{self.summary} [The verdicts](#verdicts) stand at the end.", ""]
        (self.out / "report.md").write_text("\n".join(self.page).rstrip("\n") + "\n", encoding="utf-8")
        print(f"Written to {self.out}: report.md{''.join(f', {file}' for file in self.pictures)}")
        for text in self.failed:
            print(f"A check failed: {text}", file=sys.stderr)
        return 1 if self.failed else 0

    @property
    def summary(self) -> str:
        """How many claims have which verdict."""
        counts = {verdict: sum(c.verdict == verdict for c in self.claims) for verdict in (HOLDS, CORRECTED, FAILS, QUOTED)}
        return f"{len(self.claims)} claims. " + "; ".join(f"{verdict}: {n}" for verdict, n in counts.items() if n) + "."


def launch(main: Callable[[], int]) -> NoReturn:
    """Run a demo, and leave with its exit code: 2 for data or packages that are not there, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "→" gets "?", not a traceback
    try:
        raise SystemExit(main())
    except BrokenPipeError:  # the reader of our output has gone: `python demos/newton.py | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except (DataError, MissingExtraError) as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("\nStopped. What was saved stays; there is no page of this run.", file=sys.stderr)
        raise SystemExit(130) from None


def figure(width: float, height: float) -> Any:
    """An empty figure of Matplotlib, in inches; without Matplotlib, the error that says what to install."""
    return require("matplotlib.figure", "demos", "a demo").Figure(figsize=(width, height), layout="constrained")


def is_number(text: str) -> bool:
    """Whether a cell is a number, with or without a unit sign behind it."""
    try:
        float(text.replace(",", "").replace("−", "-").rstrip(" %×"))
    except ValueError:
        return not text
    return True


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """The lines of a Markdown table."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", "<br>") for cell in cells) + " |"

    return [line(header), "| " + " | ".join("---:" if r else "---" for r in right) + " |", *map(line, rows), ""]
