"""The doctor where things are odd: what manual() may return, what a loss may not be, what is never changed, what one batch hides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from doctor.models import MISTAKEN_CASES, RIGHT_CASES, Case

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, nn
from tinygrad_mlp.check import diagnose
from tinygrad_mlp.doctor.case import Case as Asked
from tinygrad_mlp.doctor.evidence import Evidence
from tinygrad_mlp.doctor.tape import At, Edge, Jump, Leaf, Tape

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])
PARAMS = {"W1": RNG.standard_normal((4, 5)), "b1": RNG.standard_normal(5), "W2": RNG.standard_normal((5, 3)), "b2": np.zeros(3)}
Params = dict[str, Any]


def loss(X: Any, y: Any, p: Params) -> Any:
    return nn.cross_entropy(np.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"], y)


def right(X: Any, y: Any, p: Params) -> Params:
    A = np.tanh(X @ p["W1"] + p["b1"])
    e = np.exp(A @ p["W2"] + p["b2"])
    dZ2 = (e / e.sum(axis=1, keepdims=True) - np.eye(3)[y]) / len(X)
    dZ1 = dZ2 @ p["W2"].T * (1 - A * A)
    return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A.T @ dZ2, "b2": dZ2.sum(axis=0)}


# --- the tape -----------------------------------------------------------------------------------------------------------


def tape_of(case: Case) -> Tape:
    return Evidence(Asked(case.model.loss, case.manual, case.model.X, case.model.y, case.model.params)).tape


@pytest.mark.parametrize("case", RIGHT_CASES, ids=lambda case: case.name)
def test_the_tape_has_the_gradients_of_the_engine(case: Case) -> None:
    leaves = {n: Tensor(np.array(p, float), requires_grad=True) for n, p in case.model.params.items()}
    engine = tg.gradients(case.model.loss(case.model.X, case.model.y, leaves), list(leaves.values()))
    tape = tape_of(case)
    for name, g in zip(leaves, engine, strict=True):
        np.testing.assert_array_equal(tape.gradients[name], g)
    assert all(tape.run({})[name] is g for name, g in tape.gradients.items()), "what no change touches is not computed again"


@pytest.mark.parametrize("case", RIGHT_CASES[::4], ids=lambda case: case.name)
def test_an_edit_moves_what_it_touches_and_nothing_else(case: Case) -> None:
    evidence = Evidence(Asked(case.model.loss, case.manual, case.model.X, case.model.y, case.model.params))
    moved = 0
    for edit in evidence.edits:
        changes = edit.at(edit.start)
        try:
            with np.errstate(all="ignore"):
                found = evidence.tape.run(changes)
        except (ValueError, IndexError, TypeError):
            continue
        untouched = set(found) - set(evidence.tape.touched(changes))
        assert all(found[name] is evidence.tape.gradients[name] for name in untouched), edit.key
        moved += any(not np.array_equal(found[n], g) for n, g in evidence.tape.gradients.items() if found[n].shape == g.shape)
    assert moved > 20


def test_changes_are_what_they_say() -> None:
    tape = Evidence(Asked(loss, right, X, Y, PARAMS)).tape
    doubled = tape.run({At(tape.loss): lambda g, run: 2 * g})
    assert all(np.array_equal(doubled[n], 2 * g) for n, g in tape.gradients.items())
    assert not tape.run({Leaf("W1"): lambda g, run: 0 * g})["W1"].any()
    user, i = tape.users[tape.parameters["b1"]][0]
    silent = tape.run({Edge(user, i): lambda g, run: np.zeros(5)})
    assert not silent["b1"].any()
    assert silent["W1"] is tape.gradients["W1"]
    tanh = next(node for node in tape.forward if node.op is not None and node.op.name == "tanh")
    passed = tape.run({Jump(tanh): (tanh.edges[0][1], lambda g, run: g)})  # without 1 − A²
    np.testing.assert_allclose(passed["b1"], tape.adjoint[tanh].sum(axis=0), rtol=1e-12)
    assert passed["W2"] is tape.gradients["W2"]


# --- what manual() may return ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        lambda g: {f"d{n}": a for n, a in g.items()},
        lambda g: {f"grad_{n}": a for n, a in g.items()},
        lambda g: {n: a.tolist() for n, a in g.items()},
        lambda g: {n: Tensor(a) for n, a in g.items()},
        lambda g: (0.5, g),
        lambda g: list(g.values()),
        lambda g: {**g, "X": 3},
        lambda g: {n: np.asfortranarray(a) for n, a in g.items()},
        lambda g: {n: a.reshape(1, -1) if a.ndim == 1 else a for n, a in g.items()},
        lambda g: {n: a.astype(np.float32) for n, a in g.items()},
        lambda g: {n: a.astype(np.longdouble) for n, a in g.items()},
    ],
)
def test_right_in_every_form(form: Any) -> None:
    d = diagnose(loss, lambda *a: form(right(*a)), X, Y, PARAMS)
    assert d.labels == ["correct"], d


def test_a_bias_that_would_broadcast_is_wrong() -> None:
    columns = diagnose(loss, lambda *a: {n: g.reshape(-1, 1) if g.ndim == 1 else g for n, g in right(*a).items()}, X, Y, PARAMS)
    assert columns.labels == ["bias_axis"]
    assert columns.wrong == ["b1", "b2"]
    assert any("broadcast to (5, 5)" in remark for remark in columns.remarks)
    columns_wanted = {n: p.reshape(1, -1).T if p.ndim == 1 else p for n, p in PARAMS.items()}

    def of_columns(X: Any, y: Any, p: Params) -> Any:
        return nn.cross_entropy((p["W2"].T @ np.tanh(p["W1"].T @ X.T + p["b1"]) + p["b2"]).T, y)

    flat = diagnose(
        of_columns, lambda X, y, p: right(X, y, {n: w.ravel() if n[0] == "b" else w for n, w in p.items()}), X, Y, columns_wanted
    )
    assert flat.wrong == ["b1", "b2"]


@pytest.mark.parametrize(
    "result",
    [
        None,
        3,
        "gradients",
        [],
        [1, 2],
        {"W1": "text"},
        {"W1": [[1, 2], [3]]},
        {"W1": 1j},
        {"W1": object()},
        {},
        {"W1": np.zeros((0, 3))},
    ],
)
def test_what_is_no_gradient_is_told(result: Any) -> None:
    d = diagnose(loss, lambda *_: result, X, Y, PARAMS)
    assert not d.ok
    assert set(d.wrong) == set(PARAMS)
    assert d.remarks
    assert "W1" in str(d)
    assert d.markdown()
    assert d._repr_html_()


def test_an_exception_is_reported_and_not_raised() -> None:
    def raising(X: Any, y: Any, p: Params) -> Params:
        raise KeyError("W9")

    d = diagnose(loss, raising, X, Y, PARAMS)
    assert not d.ok
    assert d.labels == ["unknown"]
    assert "KeyError" in d.remarks[0]


def test_nan_is_named_and_the_others_are_judged() -> None:
    def with_nan(X: Any, y: Any, p: Params) -> Params:
        g = right(X, y, p)
        return {**g, "W1": g["W1"] * np.nan, "b2": 6 * g["b2"]}

    d = diagnose(loss, with_nan, X, Y, PARAMS)
    assert d.wrong == ["W1", "b2"]
    assert any("NaN" in remark for remark in d.remarks)
    assert d.labels


def test_state_kept_between_calls_is_found() -> None:
    kept: Params = {}

    def adding(X: Any, y: Any, p: Params) -> Params:
        for name, g in right(X, y, p).items():
            kept[name] = kept.get(name, 0) + g
        return dict(kept)

    d = diagnose(loss, adding, X, Y, PARAMS)
    assert d.labels == ["accumulated"]
    assert d.wrong == list(PARAMS)


def test_chance_in_manual_is_told() -> None:
    rng = np.random.default_rng()
    d = diagnose(loss, lambda X, y, p: {n: g * rng.uniform(0.5, 2) for n, g in right(X, y, p).items()}, X, Y, PARAMS)
    assert any("chance" in remark for remark in d.remarks)


# --- what a loss may not be -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda X, y, p: 1.0, "not a Tensor"),
        (lambda X, y, p: X @ p["W1"], "one number"),
        (lambda X, y, p: loss(X, y, p) * np.nan, "nan"),
        (lambda X, y, p: loss(X, y, p) * np.random.default_rng().uniform(), "another one each time"),
        (lambda X, y, p: loss(X, y, p["W9"]), "KeyError"),
        (lambda X, y, p: Tensor(3.0), "none of the parameters"),
    ],
)
def test_a_loss_that_cannot_be_judged(bad: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        diagnose(bad, right, X, Y, PARAMS)


def test_bad_questions_are_refused() -> None:
    with pytest.raises(TypeError, match="one of them"):
        diagnose(loss, None, X, Y, PARAMS)
    with pytest.raises(TypeError, match="one of them"):
        diagnose(loss, right, X, Y, PARAMS, gradients={})
    with pytest.raises(TypeError, match="dict of name to array"):
        diagnose(loss, right, X, Y, {})
    with pytest.raises(ValueError, match="NaN"):
        diagnose(loss, right, X * np.inf, Y, PARAMS)


# --- nothing of the caller's is changed ----------------------------------------------------------------------------------


def test_the_callers_arrays_stay_as_they_are() -> None:
    def destructive(X: Any, y: Any, p: Params) -> Params:
        g = right(X, y, p)
        X *= 0
        y *= 0
        for name, w in p.items():
            w -= g[name]
        p.clear()
        return g

    given, labels, params = X.copy(), Y.copy(), {n: p.copy() for n, p in PARAMS.items()}
    d = diagnose(loss, destructive, given, labels, params)
    assert d.ok
    assert any("writes into its parameters" in remark for remark in d.remarks)
    np.testing.assert_array_equal(given, X)
    np.testing.assert_array_equal(labels, Y)
    assert all(np.array_equal(params[n], p) for n, p in PARAMS.items())
    assert list(params) == list(PARAMS)


# --- what one batch hides -------------------------------------------------------------------------------------------------


def test_what_could_not_be_exercised_is_said() -> None:
    one = diagnose(loss, right, X[:1], Y[:1], PARAMS)
    assert one.ok
    assert "missing_batch_mean" in {u.label for u in one.unexercised}
    symmetric = {**PARAMS, "W2": np.eye(3), "W1": RNG.standard_normal((4, 3)), "b1": np.zeros(3)}
    found = diagnose(loss, right, X, Y, symmetric)
    assert found.ok
    assert "transposed" in {u.label for u in found.unexercised}


def test_a_mask_that_no_unit_needs_is_said_and_found_on_other_data() -> None:
    def of_relu(X: Any, y: Any, p: Params) -> Any:
        return nn.cross_entropy(np.maximum(X @ p["W1"] + p["b1"], 0) @ p["W2"] + p["b2"], y)

    def unmasked(X: Any, y: Any, p: Params) -> Params:
        A = np.maximum(X @ p["W1"] + p["b1"], 0)
        e = np.exp(A @ p["W2"] + p["b2"])
        dZ2 = (e / e.sum(axis=1, keepdims=True) - np.eye(3)[y]) / len(X)
        dZ1 = dZ2 @ p["W2"].T
        return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A.T @ dZ2, "b2": dZ2.sum(axis=0)}

    positive = {**PARAMS, "W1": np.abs(PARAMS["W1"]) * 0.05, "b1": np.full(5, 0.02)}
    d = diagnose(of_relu, unmasked, np.abs(X), Y, positive)
    assert d.ok
    assert "act_derivative_missing" in {u.label for u in d.unexercised}
    assert "act_derivative_missing" in " ".join(d.elsewhere)


def test_gradients_alone_are_judged() -> None:
    g = right(X, Y, PARAMS)
    assert diagnose(loss, None, X, Y, PARAMS, gradients=g).ok
    d = diagnose(loss, None, X, Y, PARAMS, gradients={n: 6 * a for n, a in g.items()})
    assert d.labels == ["missing_batch_mean"]


def test_there_are_models_enough() -> None:
    assert len({case.model.loss for case in MISTAKEN_CASES}) >= 20
