"""The mutation tool sees what it must: a mistake that a test catches, one that none catches, one that runs for ever."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import mutation
import pytest

TOOL = Path(mutation.__file__)
SOURCE = '''"""Three functions."""


def add(x, y=1):
    return x + y


def never_tested(x, y):
    return x - y


def countdown(n):
    while n > 0:
        n -= 1
    return n
'''
TESTS = """from tinygrad_mlp.small import add, countdown


def test_add():
    assert add(2, 3) == 5
    assert add(2) == 3


def test_countdown():
    assert countdown(3) == 0
"""
LISTED = """[[equivalent]]
file = "tinygrad_mlp/small.py"
old = 'return x - y'
new = 'return x + y'
why = "a reason"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small project of the same form."""
    for name, text in {"tinygrad_mlp/__init__.py": "", "tinygrad_mlp/small.py": SOURCE, "tests/test_small.py": TESTS}.items():
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "checkout"


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        str(TOOL),
        str(checkout.parent / "kept"),
        "--root",
        str(checkout),
        "--count",
        "99",
        "--patience",
        "1",
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=checkout)


def test_it_kills_what_is_tested_and_reports_what_is_not(checkout: Path) -> None:
    first = run(checkout)
    assert first.returncode == 1, first.stderr
    record = checkout.parent / "kept" / "mutants.jsonl"
    found = {tuple(entry["diff"]): entry for entry in map(json.loads, record.read_text().splitlines())}
    assert found["-    return x + y", "+    return x - y"]["by"] == "tests/test_small.py::test_add"
    assert found["-def add(x, y=1):", "+def add(x, y=2):"]["result"] == "killed"
    assert found["-        n -= 1", "+        pass"]["result"] == "timeout"
    assert found["-        n -= 1", "+        n -= 2"]["result"] == "killed"
    assert found["-    return x - y", "+    return x + y"]["result"] == "survived"
    assert "tinygrad_mlp/small.py:9: operator SURVIVES\n-    return x - y\n+    return x + y\n" in first.stdout
    assert (checkout / "tinygrad_mlp" / "small.py").read_text() == SOURCE

    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join(lines[:-1]) + lines[-1][:20])  # interrupted while it wrote the last line
    (checkout / "tests" / "mutation.toml").write_text(LISTED)
    again = run(checkout)
    assert again.returncode == 1
    assert [line for line in again.stdout.splitlines() if line.startswith("tests/")] == []  # nothing is measured twice
    assert len(re.findall(r"^\d+/\d+ ", again.stdout, re.MULTILINE)) == 1
    assert "operator survives: a reason" in again.stdout
    numbers = [text.splitlines()[-1] for text in (first.stdout, again.stdout)]
    assert ", 0 argued, 2 survived" in numbers[0]
    assert ", 1 argued, 1 survived" in numbers[1]


def test_usage(checkout: Path) -> None:
    listed = run(checkout, "--list", "--only", "tinygrad_mlp/small.py")
    assert listed.returncode == 0
    assert listed.stdout.count("tinygrad_mlp/small.py:") > 10
    assert not (checkout.parent / "kept").exists()
    assert run(checkout, "--only", "tinygrad_mlp/nothing.py").returncode == 2
    assert run(checkout, "--only", "tinygrad_mlp/__init__.py").returncode == 2
    (checkout / "tests" / "test_small.py").write_text("def test_nothing():\n    raise AssertionError\n")
    broken = run(checkout)
    assert broken.returncode == 2
    assert "no test passed" in broken.stderr
    assert run(checkout, "--help").stdout.startswith("usage: mutation.py")


def kinds(text: str) -> set[str]:
    """Each change of one line of Python, as its new text."""
    source = mutation.Source("x.py", text.encode())
    return {mutant.apply(source.text).decode() for mutant in source.mutants()}


def test_every_kind_of_change() -> None:
    assert kinds("a + b") == {"a - b"}
    assert kinds("a @ b") == {"(b) @ (a)"}
    assert kinds("a < b") == {"a <= b", "a > b"}
    assert kinds("a is b") == {"a is not b"}
    assert kinds("a not in b") == {"a in b"}
    assert kinds("a and b or c") == {"a or b or c", "a and b and c"}
    assert kinds("-a") == {"a"}
    assert kinds("not a") == {"a"}
    assert kinds("a[1:]") == {"a[2:]", "a[0:]"}
    assert kinds("a[0]") == {"a[1]", "a[(-1)]"}
    assert kinds("b if a else c") == {"b if (not (a)) else c"}
    assert kinds("[a for a in b if a]") == {"[a for a in b if (not (a))]"}
    assert kinds("x = f(a, b, key=c, flag=True)") == {
        "x = f((b), (a), key=c, flag=True)",
        "x = f(a, b, flag=True)",
        "x = f(a, b, key=c)",
        "x = f(a, b, key=c, flag=False)",
    }
    assert kinds("raise Error('words')") == {"pass", "raise Error('')"}
    assert kinds("a.b = c") == {"pass"}
    assert kinds("a += b") == {"pass", "a -= b"}
    assert kinds("f(a)") == {"pass"}
    assert kinds("def f(x: 'a < b' = 1) -> 2:\n    '''Words.'''") == {
        f"def f(x: 'a < b' = {n}) -> 2:\n    '''Words.'''" for n in (0, 2)
    }
    assert kinds("__all__ = [1]\nif TYPE_CHECKING:\n    x = 1") == set()
