"""The doctor on models that are no plain MLPs: which gradients are wrong, exactly; never a false alarm; which mistake, mostly."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from doctor.models import MISTAKEN_CASES, RIGHT_CASES, Case

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor
from tinygrad_mlp.check import Diagnosis, diagnose

CASES = {case.name: case for case in MISTAKEN_CASES + RIGHT_CASES}
SHARE = 0.95
"""Share of the mistakes that fit a label of the catalogue whose first label is acceptable, rounded down to 5 %."""


@cache
def examined(name: str) -> Diagnosis:
    """The diagnosis; what nothing explains is given up after two seconds."""
    case = CASES[name]
    return diagnose(case.model.loss, case.manual, case.model.X, case.model.y, case.model.params, seconds=2.0)


def true_gradients(case: Case) -> dict[str, np.ndarray]:
    leaves = {n: Tensor(p.copy(), requires_grad=True) for n, p in case.model.params.items()}
    loss = case.model.loss(case.model.X, case.model.y, leaves)
    return dict(zip(leaves, tg.gradients(loss, list(leaves.values())), strict=True))


def relative(case: Case) -> Mapping[str, float]:
    """‖given − true‖ over the larger norm; infinite for another shape."""
    given: dict[str, Any] = case.manual(case.model.X, case.model.y, {n: p.copy() for n, p in case.model.params.items()})
    found = {}
    for name, true in true_gradients(case).items():
        g = np.asarray(given[name])
        same = g.shape == true.shape
        found[name] = np.linalg.norm(g - true) / max(np.linalg.norm(g), np.linalg.norm(true)) if same else np.inf
    return found


def test_there_are_enough_cases() -> None:
    assert len(CASES) == len(MISTAKEN_CASES) + len(RIGHT_CASES)
    assert len(MISTAKEN_CASES) >= 60
    assert len(RIGHT_CASES) >= 20


@pytest.mark.parametrize("case", MISTAKEN_CASES, ids=lambda case: case.name)
def test_mistaken_in_what_is_named_and_nowhere_else(case: Case) -> None:
    found = relative(case)
    assert [n for n, r in found.items() if r > 1e-6] == [n for n in found if n in case.wrong]
    assert all(r <= 1e-9 for n, r in found.items() if n not in case.wrong)
    assert set(case.wrong) <= set(found)


@pytest.mark.parametrize("case", RIGHT_CASES, ids=lambda case: case.name)
def test_right_is_right(case: Case) -> None:
    assert max(relative(case).values()) <= 1e-9


@pytest.mark.parametrize("case", MISTAKEN_CASES, ids=lambda case: case.name)
def test_the_wrong_gradients_are_named(case: Case) -> None:
    d = examined(case.name)
    assert not d.ok
    assert sorted(d.wrong) == sorted(case.wrong)
    assert d.labels != ["correct"]
    assert str(d).strip()


@pytest.mark.parametrize("case", RIGHT_CASES, ids=lambda case: case.name)
def test_no_false_alarm(case: Case) -> None:
    d = examined(case.name)
    assert d.ok
    assert d.wrong == []
    assert d.labels == ["correct"]
    assert not d.elsewhere
    assert str(d).strip()


def test_the_mistake_is_named_mostly() -> None:
    judged = [case for case in MISTAKEN_CASES if case.first]
    hits = [case for case in judged if examined(case.name).labels[0] in case.first]
    print(f"first label acceptable: {len(hits)} of {len(judged)}, {len(hits) / len(judged):.1%}")
    assert len(hits) >= SHARE * len(judged)
