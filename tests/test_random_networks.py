"""Random networks trained by compiled steps are trained as by eager ones, and their programs use memory as they must."""

from __future__ import annotations

from typing import Any

import program_memory
import pytest
import random_networks

from tinygrad_mlp.compiler.arena import Arena
from tinygrad_mlp.compiler.fast import FastBuilder

SHARES = 20


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("share", range(SHARES))
def test_random_networks(share: int, request: pytest.FixtureRequest) -> None:
    """400 by default; ``pytest --networks 20000``, or the command of tests/random_networks.py, for more."""
    steps = 0
    for seed in range(share, request.config.getoption("--networks"), SHARES):
        done, kind, text = random_networks.attempt(seed)
        assert kind in ("", "only with these data"), text
        steps += done
    assert steps > request.config.getoption("--networks") // SHARES // 2  # most networks train


def failing(seeds: range) -> list[str]:
    """What the fuzz says of some networks; the first fault is enough."""
    for seed in seeds:
        _, kind, text = random_networks.attempt(seed)
        if kind:
            return [kind, text]
    return []


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_fuzz_and_the_checker_see_rows_of_ones_that_are_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mistake that was there once: a row of ones in a gap that an earlier value of the same call has left."""
    take = Arena.take
    monkeypatch.setattr(Arena, "take", lambda self, nbytes, lasting=False: take(self, nbytes))
    kind, text = failing(range(60))
    assert kind == "error"
    assert "MemoryUseError" in text  # the checker comes first
    with program_memory.watched(False):
        kind, _ = failing(range(60))
    assert kind == "difference"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_fuzz_and_the_checker_see_operands_overwritten_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    def note_use(self: Any, x: Any, i: int) -> None:
        self.last.setdefault(x, i)  # the first use, for the last

    monkeypatch.setattr(FastBuilder, "note_use", note_use)
    kind, text = failing(range(60))
    assert kind == "error"
    assert "MemoryUseError" in text
    with program_memory.watched(False):
        kind, _ = failing(range(60))
    assert kind == "difference"
