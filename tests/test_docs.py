"""What the documents say is true: their examples run, their commands exist, their generated pages are up to date."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from tinygrad_mlp.cli import parser
from tinygrad_mlp.listing import count

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_readme_examples_print_what_they_say() -> None:
    failed, attempted = doctest.testfile(str(ROOT / "README.md"), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert attempted > 15
    assert failed == 0


@pytest.mark.parametrize("page", ["numpy.md", "guards.md", "drawing.md", "fit.md"])
def test_the_examples_of_the_pages_print_what_they_say(page: str) -> None:
    failed, attempted = doctest.testfile(str(ROOT / "docs" / page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert attempted > 3
    assert failed == 0


def test_the_number_of_functions_is_that_of_the_table() -> None:
    number = count()["differentiable"]
    for page in ("README.md", "CHANGELOG.md", "docs/rules.md"):
        numbers = re.findall(r"(\d+) (?:differentiable )?functions\b", (ROOT / page).read_text(encoding="utf-8"))
        assert numbers
        assert set(numbers) == {str(number)}, page


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`]*`", "", page.read_text(encoding="utf-8"))  # without code
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        assert "://" in target or (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_options_and_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    subparsers = next(action for action in parser()._actions if action.dest == "command")
    known = {option for command in subparsers.choices.values() for option in command._option_string_actions}  # type: ignore[union-attr]
    for line in re.findall(r"tinygrad-mlp (?:prove)[^`\n]*", text):
        assert set(re.findall(r"--[a-z-]+", line)) <= known
    for name in re.findall(r"\b((?:tests|docs|tinygrad_mlp)/[\w/]+\.(?:py|md))\b", text):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_generated_pages_are_up_to_date() -> None:
    run = subprocess.run([sys.executable, str(ROOT / "docs" / "make.py"), "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def test_the_two_commands_are_in_the_readme_and_ci_runs_them() -> None:
    readme, ci = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", ".ci/run"))
    for command in (
        'python3 -m venv .venv && .venv/bin/pip install -e ".[demos]" && .venv/bin/tinygrad-mlp prove',
        'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/pytest',
    ):
        assert f"\n{command}\n" in readme
        assert f"\n{command}\n" in ci


def test_the_architecture_page_draws_every_file() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in (ROOT / "tinygrad_mlp").iterdir():
        if path.suffix == ".py" and not path.name.startswith("__") and path.name != "version.py":
            assert path.name in text
