"""The doctor on plain MLPs: for each backprop of the table, which gradients are wrong, and the label of the mistake."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from doctor.cases import CASES, MISTAKEN, RIGHT, Case, differences, truly_wrong
from doctor.measure import examine

LABELS = """
missing_batch_mean double_batch_mean constant_factor sign_flipped act_derivative_missing act_derivative_wrong_argument
act_derivative_wrong_formula wrong_layer_cache wrong_layer_input output_derivative_extra output_derivative_missing
softmax_jacobian_diagonal softmax_wrong_axis transposed wrong_weights updated_weights bias_axis gradient_zero l2_missing l2_scale l2_sign
l2_on_bias eps_ignored dropout_mask label_error partial_batch accumulated relu_kink
""".split()


def named(case: Case) -> str:
    """The case's name as pytest prints it."""
    return re.sub(r"[^\w']+", "-", case.name)


def test_the_table_has_every_label_and_enough_cases() -> None:
    expected = [options for case in MISTAKEN for options in case.labels]
    assert {label for options in expected for label in options} == set(LABELS)
    assert all(sum(label in options for options in expected) >= 2 for label in LABELS)
    assert len(MISTAKEN) >= 130
    assert len(RIGHT) >= 50
    assert sum(len(case.labels) == 2 for case in MISTAKEN) >= 15


@pytest.mark.parametrize("case", MISTAKEN, ids=named)
def test_the_mistaken_case_is_wrong(case: Case) -> None:
    """Without the doctor: the table itself is right."""
    assert truly_wrong(case)


@pytest.mark.parametrize("case", RIGHT, ids=named)
def test_the_right_case_is_right(case: Case) -> None:
    """Without the doctor: the table itself is right."""
    assert all(math.isfinite(d) and d <= case.tolerance for d in differences(case).values()), differences(case)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_diagnosis(case: Case) -> None:
    outcome = examine(case)
    d = outcome.diagnosis
    assert sorted(d.wrong) == sorted(outcome.wrong), str(d)
    if not case.labels:
        assert d.ok, str(d)
        assert d.labels == ["correct"]
        assert d.causes == []
        return
    assert not d.ok
    assert d.labels[0] in frozenset().union(*case.labels), str(d)
    for options in case.labels:
        assert options & set(d.labels), str(d)


def test_no_case_looks_at_the_doctor() -> None:
    """What is measured must not be known to those who wrote the table."""
    for name in ("forms", "cases"):
        text = (Path(__file__).parent / "doctor" / f"{name}.py").read_text(encoding="utf-8")
        assert "tinygrad_mlp.doctor" not in text
        assert "diagnose" not in text
