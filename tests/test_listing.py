"""The list of differentiable functions: complete, true to the table, and printed by the command."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import cli, listing
from tinygrad_mlp.primitive import COMPOSED, TABLE

AT_LEAST = 170  # HIPS autograd has 153


def test_every_function_is_listed_once() -> None:
    names = [entry.name for entry in listing.entries()]
    assert sorted(names) == sorted([*TABLE, *COMPOSED])
    assert set(listing.HELPERS) <= set(TABLE)
    numbers = listing.count()
    assert numbers["differentiable"] == numbers["primitive"] + numbers["composed"] >= AT_LEAST
    assert sum(numbers.values()) - numbers["differentiable"] == len(names)


def test_what_is_counted_is_public_and_has_a_gradient() -> None:
    for entry in listing.entries():
        owner = tg
        for part in entry.name.split(".")[:-1]:
            owner = getattr(owner, part)
        if entry.kind != "helper":
            assert callable(getattr(owner, entry.name.rpartition(".")[2]))
        if entry.kind == "primitive":
            assert any(rule is not None for rule in TABLE[entry.name].rules)
        if entry.kind == "composed":
            assert entry.text, f"{entry.name} has no docstring"


def test_rules_as_written_are_those_of_the_table() -> None:
    written = listing.rules_as_written()
    assert set(written) == set(TABLE)
    for name, op in TABLE.items():
        assert len(written[name]) == len(op.rules)
        assert [text == "no derivative" for text in written[name]] == [rule is None for rule in op.rules]
    assert written["tanh"] == ["g * (1 - z * z)"]
    x, z, g = np.float64(0.3), np.tanh(0.3), np.float64(2.0)
    assert eval(written["tanh"][0], {"g": g, "z": z, "x": x}) == TABLE["tanh"].rules[0](g, z, x)  # type: ignore[misc]  # noqa: S307  # our own source


def test_the_command_prints_the_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["functions"]) == 0
    text = capsys.readouterr().out
    assert f"{listing.count()['differentiable']} differentiable functions" in text
    assert "np.linalg.svd" in text
    assert "eigh_packed" not in text


def test_the_command_shows_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["functions", "hypot"]) == 0
    text = capsys.readouterr().out
    assert "∂L/∂x = d.length_dx(g, z, x)" in text
    assert "at a kink: 0 at (0, 0)" in text
    assert cli.main(["functions", "linalg.solve"]) == 0
    assert "⇒" in capsys.readouterr().out  # the derivation, from its docstring


def test_an_unknown_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["functions", "hypto"]) == 2
    assert "did you mean 'hypot'" in capsys.readouterr().err


def test_a_closed_pipe_is_no_traceback() -> None:
    program = "import sys; from tinygrad_mlp.cli import main; sys.exit(main(['functions']))"
    run = subprocess.run(
        ["/bin/sh", "-c", f'{sys.executable} -c "{program}" | head -1'], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in run.stderr
    assert run.stdout.startswith("relu")
