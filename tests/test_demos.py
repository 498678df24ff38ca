"""The report that the demos share, the command that makes their pages, and what stands on these."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from conftest import ROOT

import tinygrad_mlp as tg
from tinygrad_mlp.errors import DataError, MissingExtraError


def loaded(path: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REPORT, PAGES = loaded(ROOT / "demos" / "report.py"), loaded(ROOT / "docs" / "demos.py")
SEEDS = ["seed_000", "seed_001", "seed_002", "seed_003", "seed_004"]
FURTHER = ["custom_parts", "newton", "playback", "scalar_expression", "two_moons", "wrong_backprop"]


# --- the report ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def report(tmp_path):
    return REPORT.Report("A title", tmp_path / "out")


def written(report):
    return (report.out / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("holds", "given", "verdict", "told"),
    [
        (True, {}, "holds", ""),
        (True, {"correction": "13"}, "holds", ""),
        (False, {"correction": "13"}, "holds with a correction", "13"),
        (False, {"right": "13"}, "does not hold", "13"),
        (False, {}, "does not hold", ""),
        (None, {}, "not measured", ""),
        (np.False_, {}, "does not hold", ""),
    ],
)
def test_a_verdict_follows_from_what_was_measured(report, capsys, holds, given, verdict, told):
    assert report.claim("l. 1", "there are 12 | bits", "12", holds, **given) == verdict
    assert report.finish() == 0
    page = written(report)
    assert f"| l. 1 | there are 12 \\| bits | 12 | {told} | {verdict} |" in page
    assert page.startswith(f"# A title\n\n1 claims. {verdict}: 1. [The verdicts](#verdicts) stand at the end.\n\n")
    assert PAGES.verdicts(page) == [("there are 12 \\| bits", verdict)]
    assert ("right: 13" in capsys.readouterr().out) == bool(told)


def test_a_claim_has_one_correction(report):
    with pytest.raises(ValueError, match="either a correction or"):
        report.claim("l. 1", "c", "m", False, "a", right="b")


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (None, 3, ""),
        (DataError("no MNIST in x"), 2, "no MNIST in x\n"),
        (MissingExtraError("a demo needs rich"), 2, "a demo needs rich\n"),
        (KeyboardInterrupt(), 130, "Stopped."),
    ],
)
def test_a_demo_ends_with_an_exit_code_and_a_sentence(raised, code, told, capsys):
    def main():
        if raised is not None:
            raise raised
        return 3

    with pytest.raises(SystemExit) as left:
        REPORT.launch(main)
    assert left.value.code == code
    assert told in capsys.readouterr().err


def test_a_failed_check_is_the_exit_code_and_is_told(report, capsys):
    report.check(True, "one is one")
    report.check(np.False_, "one is two")
    assert report.finish() == 1
    told = capsys.readouterr()
    assert "[ok] one is one" in told.out
    assert "[FAILED] one is two" in told.out
    assert told.err == "A check failed: one is two\n"
    assert "- [FAILED] one is two" in written(report)


def test_what_is_told_is_printed_and_is_on_the_page(report, capsys):
    report.heading("Part")
    report.say("Some   words\n  in a line.")
    report.show("a = 1\nb = 2", "python")
    report.table(("name", "size"), [("w", "1,200"), ("bias", "3 %")])
    assert report.finish() == 0
    page, printed = written(report), capsys.readouterr().out
    assert page.startswith("# A title\n\n## Part\n\nSome words in a line.\n\n```python\na = 1\nb = 2\n```\n")
    assert "| name | size |\n| --- | ---: |\n| w | 1,200 |\n| bias | 3 % |\n" in page
    assert "    name   size\n    ───────────\n    w     1,200\n    bias    3 %\n" in printed
    assert "Verdicts" not in page


def test_pictures_are_saved_and_shown(report):
    from matplotlib.figure import Figure

    x = tg.Tensor(2.0, requires_grad=True)
    report.picture("graph", tg.draw(x * x), "a square")
    ax = Figure().subplots()
    report.picture("axes", ax, "an axis")
    report.finish()
    assert (report.out / "graph.svg").read_text(encoding="utf-8").startswith("<svg")
    assert (report.out / "axes.png").read_bytes().startswith(b"\x89PNG")
    assert "![a square](graph.svg)\n\n![an axis](axes.png)" in written(report)


def test_a_figure_needs_matplotlib_and_says_so(monkeypatch):
    assert REPORT.figure(4, 3).get_size_inches().tolist() == [4, 3]
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"a demo needs the package 'matplotlib'.*tinygrad_mlp\[demos\]"):
        REPORT.figure(4, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--full"], "--full needs --data-dir"),
        (["--data-dir", "x"], "--data-dir is used by --full only"),
        (["--seed", "-1"], "from 0 up"),
        (["--nonsense"], "unrecognized"),
        (["--out", ""], "a folder of its own"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments, words, capsys):
    with pytest.raises(SystemExit) as refused:
        REPORT.options("name", "about", full="long", arguments=arguments)
    assert refused.value.code == 2
    assert words in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot write to --out"):
        REPORT.Report("t", tmp_path / "file" / "out")


# --- the command and its pages ------------------------------------------------------------------------------------------


def test_the_demos_are_those_that_the_documentation_names():
    assert sorted([*SEEDS, *FURTHER]) == PAGES.NAMES


@pytest.mark.parametrize("name", [*SEEDS, *FURTHER])
def test_every_demo_has_a_page_and_says_what_it_does(name):
    page = (PAGES.PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert f"demos/{name}.py" in page
    assert "[FAILED]" not in page
    listed = (PAGES.PAGES / "index.md").read_text(encoding="utf-8")
    assert f"({name}.md)" in listed
    run = subprocess.run([sys.executable, str(ROOT / "demos" / f"{name}.py"), "--help"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0
    assert "--out" in run.stdout


WITH_EXAMPLES = sorted(path.name for path in (ROOT / "demos").glob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


def test_some_helpers_have_examples():
    assert {"layer_table.py", "vision.py"} <= {*WITH_EXAMPLES}


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_helpers_print_what_they_say(name):
    run = subprocess.run([sys.executable, "-m", "doctest", str(ROOT / "demos" / name)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", SEEDS)
def test_every_write_up_is_judged(name):
    found = PAGES.verdicts((PAGES.PAGES / f"{name}.md").read_text(encoding="utf-8"))
    kinds = {verdict for _, verdict in found}
    assert len(found) >= 8
    assert kinds <= {"holds", "holds with a correction", "does not hold", "not measured"}
    assert {"holds", "holds with a correction"} <= kinds


def test_the_tests_and_functions_of_the_checklist_exist():
    page = (PAGES.PAGES / "checklist.md").read_text(encoding="utf-8")
    tests = re.findall(r"`(tests/\w+\.py)::(\w+)", page)
    assert len(tests) > 60
    for path, name in tests:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path} has no {name}"
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "demos").glob("*.py")}
    shown = re.findall(r"\[(seed_\d{3})\]\(\1\.md\)((?:, `\w+`)+)", page)
    assert len(shown) > 40
    for demo, names in shown:
        text = "".join(source for stem, source in scripts.items() if stem.startswith(demo))
        for name in re.findall(r"`(\w+)`", names):
            assert f"def {name}(" in text, f"the scripts of {demo} have no {name}"


def page_of(tmp_path, *rows):
    lines = ["# x", "", "## Verdicts", "", "| place | the document | measured here | verdict |", "| --- | --- | --- | --- |"]
    text = "\n".join([*lines, *(f"| l. 1 | {claim} | 1 | {verdict} |" for claim, verdict in rows), "", "2 claims: |", ""])
    (tmp_path / "report.md").write_text(text, encoding="utf-8")
    return text


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ([("a", "holds"), ("b", "does not hold")], ""),
        ([("a", "not measured"), ("b", "does not hold")], ""),
        ([("a", "holds"), ("b", "holds")], "b: holds, on the page does not hold"),
        ([("a", "holds")], "the claims of demo are not those"),
        ([("a", "holds"), ("c", "does not hold")], "the claims of demo are not those"),
    ],
)
def test_a_verdict_that_has_changed_is_seen(tmp_path, monkeypatch, now, words):
    monkeypatch.setattr(PAGES, "PAGES", tmp_path)
    (tmp_path / "demo.md").write_text(page_of(tmp_path, ("a", "holds"), ("b", "does not hold")), encoding="utf-8")
    page_of(tmp_path, *now)
    told = PAGES.compared("demo", tmp_path)
    assert words in told
    assert bool(words) == bool(told)


def test_a_page_has_links_to_its_folder_and_says_what_made_it(tmp_path):
    (tmp_path / "report.md").write_text(
        "# T\n\n![c](a.png) [p](graph.html) [d](../doctor.md) [h](https://x.org/a.png)\n", encoding="utf-8"
    )
    text = PAGES.page("seed_003", tmp_path, full=True)
    assert "![c](seed_003_full/a.png) [p](seed_003_full/graph.html) [d](../doctor.md) [h](https://x.org/a.png)" in text
    assert "python demos/seed_003.py --full --data-dir DIR" in text


def test_a_page_takes_the_place_of_the_old_one_with_its_pictures_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(PAGES, "PAGES", tmp_path / "pages")
    old, out = tmp_path / "pages" / "demo", tmp_path / "out"
    old.mkdir(parents=True)
    (old / "gone.png").write_bytes(b"old")
    out.mkdir()
    (out / "report.md").write_text("# T\n\n![c](a.png)\n", encoding="utf-8")
    (out / "a.png").write_bytes(b"new")
    (out / "play.html").write_text("a page that plays", encoding="utf-8")
    PAGES.write("demo", out, full=False)
    assert [path.name for path in old.iterdir()] == ["a.png"]
    assert "![c](demo/a.png)" in (tmp_path / "pages" / "demo.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == ["demo", "demo.md"]
