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
from tinygrad_mlp.doctor.kinks import kinks
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
    assert any('raise KeyError("W9")' in remark for remark in d.remarks[1:]), "the line"


def test_an_exception_whose_cause_no_experiment_shows_stays_unknown() -> None:
    """The message speaks of (6, 3) and (6, 10) though no number of classes is to blame; and of a product that never fits."""
    for wrong in (lambda y, k: np.zeros((6, k)) - np.zeros((6, k + 7)), lambda y, k: np.zeros((6, k)) @ np.zeros((k + 1, 2))):

        def raising(X: Any, y: Any, p: Params, wrong: Any = wrong) -> Params:
            wrong(y, p["W2"].shape[1])
            return right(X, y, p)

        d = diagnose(loss, raising, X, Y, PARAMS)
        assert d.labels == ["unknown"]
        assert any("wrong" in remark and "raised" in remark for remark in d.remarks[1:])
        assert d.wrong == list(PARAMS)


@pytest.mark.parametrize("fixed", [2, 10])
@pytest.mark.parametrize("columns", [False, True])
def test_a_number_of_classes_in_the_code_is_named(fixed: int, columns: bool) -> None:
    """2 has no place for the label 2; 10 gives a matrix that no longer fits. Samples as rows, and as columns."""

    def manual(X: Any, y: Any, p: Params) -> Params:
        T = np.zeros((len(y), fixed))
        T[np.arange(len(y)), y] = 1
        if columns:
            dZ = p["W"] @ X + p["b"] - T.T
            return {"W": dZ @ X.T, "b": dZ.sum(axis=1, keepdims=True)}
        dZ = X @ p["W"] + p["b"] - T
        return {"W": X.T @ dZ, "b": dZ.sum(axis=0)}

    def of_rows(X: Any, y: Any, p: Params) -> Any:
        return nn.cross_entropy((p["W"] @ X + p["b"]).T if columns else X @ p["W"] + p["b"], y)

    W = np.random.default_rng(1).standard_normal((4, 3))
    params = {"W": W.T.copy(), "b": np.zeros((3, 1))} if columns else {"W": W, "b": np.zeros(3)}
    d = diagnose(of_rows, manual, X.T.copy() if columns else X, Y, params)
    assert d.labels == ["label_error"]
    assert f"{fixed} classes are fixed in the code, but layer 1 has 3 outputs" in str(d)
    assert "test_doctor_edges.py:" in d.causes[0].line
    assert "There is no gradient to judge: manual(X, y, params) raised" in str(d)
    assert "raised in" in d.markdown()
    assert "<dt>raised in</dt><dd><code>" in d._repr_html_()


@pytest.mark.parametrize("needed", [1, 2])
def test_labels_in_another_form_are_named_where_they_raise(needed: int) -> None:
    """The same labels in the other form let manual() return; whether its gradients are right then is said."""

    def manual(X: Any, y: Any, p: Params, times: float = 1.0) -> Params:
        if y.ndim != needed:
            raise ValueError("not of that shape")
        g = right(X, y.reshape(-1), p)
        return {**g, "W1": times * g["W1"]}

    def of_any(X: Any, y: Any, p: Params) -> Any:
        return loss(X, y.reshape(-1), p)

    y = Y.reshape(-1, 1) if needed == 1 else Y
    for times, said in ((1.0, "and they are right"), (3.0, "of which dW1 is wrong")):
        d = diagnose(of_any, lambda *a, times=times: manual(*a, times), X, y, PARAMS)
        assert d.labels == ["label_error"]
        assert said in str(d).replace("\n    ", " ")
        assert "y.reshape(-1)" in str(d) if needed == 1 else "y.reshape(-1, 1)" in str(d)


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


# --- NaN ------------------------------------------------------------------------------------------------------------------


def test_nan_twice_is_no_chance() -> None:
    """NaN differs from itself; the two calls do not."""
    d = diagnose(loss, lambda *a: {**right(*a), "W1": np.full((4, 5), np.nan)}, X, Y, PARAMS)
    assert d.wrong == ["W1"]
    assert "chance" not in " ".join(d.remarks)
    assert "W1 (every entry)" in d.remarks[0]
    rng = np.random.default_rng()

    def partly(X: Any, y: Any, p: Params) -> Params:
        g = right(X, y, p)
        g["W1"] *= rng.uniform(0.5, 2)
        g["W1"][0] = np.nan
        return g

    d = diagnose(loss, partly, X, Y, PARAMS)
    assert "chance" in " ".join(d.remarks), "the other entries are compared"
    assert "W1 (5 of 20 entries)" in " ".join(d.remarks)


def sigmoid_net(scale: float) -> tuple[Any, Params]:
    """One output, whose logits are as large as ``scale``."""

    def binary(X: Any, y: Any, p: Params) -> Any:
        return nn.binary_cross_entropy_with_logits(np.tanh(X @ p["W1"]) @ p["W2"], y)

    return binary, {"W1": PARAMS["W1"], "W2": -scale * PARAMS["W2"][:, :1]}


def general_form(X: Any, y: Any, p: Params) -> Params:
    """∂L/∂a = −y/a + (1 − y)/(1 − a), then a(1 − a)."""
    A = np.tanh(X @ p["W1"])
    a = 1 / (1 + np.exp(-A @ p["W2"]))
    dZ2 = (-y / a + (1 - y) / (1 - a)) / len(X) * a * (1 - a)
    return {"W1": X.T @ (dZ2 @ p["W2"].T * (1 - A * A)), "W2": A.T @ dZ2}


def test_the_general_form_of_binary_cross_entropy_is_named_where_it_divides_by_zero() -> None:
    y = np.ones((6, 1))
    binary, params = sigmoid_net(60.0)
    z = np.tanh(X @ params["W1"]) @ params["W2"]
    full = int(np.sum(1 / (1 + np.exp(-z)) == 1))
    assert 0 < full < 6
    d = diagnose(binary, general_form, X, y, params)
    assert d.wrong == ["W1", "W2"]
    assert f"rounded to exactly 0 or 1: {full} of the 6" in str(d).replace("\n    ", " ")
    assert "(P − Y) / 6" in str(d)
    assert diagnose(binary, general_form, X, y, sigmoid_net(1.0)[1]).ok


@pytest.mark.parametrize("nan_if", [lambda z: True, lambda z: len(z) < 6 or z.max() > 0])
def test_no_cause_is_named_for_nan_that_comes_of_something_else(nan_if: Any) -> None:
    """NaN without the saturated samples too."""
    binary, params = sigmoid_net(60.0)

    def manual(X: Any, y: Any, p: Params) -> Params:
        z = np.tanh(X @ p["W1"]) @ p["W2"]
        return {n: np.full(w.shape, np.nan if nan_if(z) else 0.0) for n, w in p.items()}

    d = diagnose(binary, manual, X, np.ones((6, 1)), params)
    assert d.wrong == ["W1", "W2"]
    assert "rounded to exactly" not in str(d)
    assert "0/0" in str(d)


# --- kinks ----------------------------------------------------------------------------------------------------------------


RELUS = {
    "np.maximum": (lambda z: np.maximum(0, z), 0.5),
    "tg.relu": (tg.relu, 0.0),
    "where": (lambda z: np.where(z > 0, z, 0.0), 0.0),
    "where ≥": (lambda z: np.where(z >= 0, z, 0.0), 1.0),
    "abs": (lambda z: (z + abs(z)) / 2, 0.5),
}


def at_kinks(relu: Any) -> tuple[Any, Any, Params]:
    """A loss, inputs with rows of zeros, and zero biases: ties in the first layer."""

    def of_relu(X: Any, y: Any, p: Params) -> Any:
        A = relu(X @ p["W1"] + p["b1"])
        return nn.cross_entropy(relu(A @ p["W2"] + p["b2"]) @ p["W3"] + p["b3"], y)

    rng = np.random.default_rng(3)
    sizes = [(4, 7), (7, 5), (5, 3)]
    params: Params = {}
    for l, (n, k) in enumerate(sizes, 1):
        params |= {f"W{l}": rng.standard_normal((n, k)), f"b{l}": 0.1 * rng.standard_normal(k)}
    params["b1"] = np.zeros(7)
    inputs = rng.standard_normal((6, 4))
    inputs[[1, 4]] = 0
    return of_relu, inputs, params


def relu_backward(tie: float, mean: bool = True, sign: float = 1.0) -> Any:
    """By hand, with a slope at the tie; without 1/m, or with another sign for dW1, on demand."""

    def manual(X: Any, y: Any, p: Params) -> Params:
        def slope(z: Any) -> Any:
            return 1.0 * (z > 0) + tie * (z == 0)

        Z1 = X @ p["W1"] + p["b1"]
        A1 = np.maximum(0, Z1)
        Z2 = A1 @ p["W2"] + p["b2"]
        A2 = np.maximum(0, Z2)
        e = np.exp(A2 @ p["W3"] + p["b3"])
        dZ3 = (e / e.sum(axis=1, keepdims=True) - np.eye(3)[y]) / (len(X) if mean else 1)
        dZ2 = dZ3 @ p["W3"].T * slope(Z2)
        dZ1 = dZ2 @ p["W2"].T * slope(Z1)
        dW = [sign * X.T @ dZ1, A1.T @ dZ2, A2.T @ dZ3]
        return {f"W{l}": d for l, d in enumerate(dW, 1)} | {f"b{l}": d.sum(axis=0) for l, d in enumerate((dZ1, dZ2, dZ3), 1)}

    return manual


@pytest.mark.parametrize("name", RELUS)
@pytest.mark.parametrize("tie", [0.0, 0.5])
def test_a_kink_is_forgiven_alone_and_beside_mistakes(name: str, tie: float) -> None:
    relu, own = RELUS[name]
    of_relu, inputs, params = at_kinks(relu)
    found = {
        (mean, sign): diagnose(of_relu, relu_backward(tie, mean, sign), inputs, Y, params)
        for mean, sign in ((True, 1.0), (False, 1.0), (True, -1.0), (False, -1.0))
    }
    assert found[True, 1.0].labels == ["correct"]
    assert found[False, 1.0].labels == ["missing_batch_mean"]
    assert found[True, -1.0].labels == ["sign_flipped"]
    assert found[True, -1.0].wrong == ["W1"], "the bias differs by the kink alone, and is right"
    assert set(found[False, -1.0].labels) == {"missing_batch_mean", "sign_flipped"}
    for d in found.values():
        assert ("at a kink every slope" in " ".join(d.remarks)) == (tie != own)
        assert ("exactly 0" in str(d)) == (tie != own)


@pytest.mark.parametrize("mean", [True, False])
def test_the_slope_1_is_a_mistake_where_the_loss_has_another(mean: bool) -> None:
    for name, (relu, own) in RELUS.items():
        of_relu, inputs, params = at_kinks(relu)
        d = diagnose(of_relu, relu_backward(1.0, mean), inputs, Y, params)
        forgiven = own == 1.0 or name == "abs"  # −1 and 1 are both right for abs
        expected = {label for label, there in (("missing_batch_mean", not mean), ("relu_kink", not forgiven)) if there}
        assert set(d.labels) == (expected or {"correct"}), name


def test_gradients_alone_are_compared_at_kinks_too() -> None:
    of_relu, inputs, params = at_kinks(RELUS["np.maximum"][0])
    g = relu_backward(0.0)(inputs, Y, params)
    assert diagnose(of_relu, None, inputs, Y, params, gradients=g).labels == ["correct"]
    d = diagnose(of_relu, None, inputs, Y, params, gradients={n: 6 * a for n, a in g.items()})
    assert d.labels == ["missing_batch_mean"]


def test_a_numeric_derivative_is_right_at_a_kink() -> None:
    """Central differences give 1/2 there, and an error of their own."""
    of_relu, inputs, params = at_kinks(tg.relu)

    def numeric(X: Any, y: Any, p: Params, h: float = 1e-6) -> Params:
        found = {n: np.zeros_like(w) for n, w in p.items()}
        for n, w in p.items():
            for i in np.ndindex(w.shape):
                step = np.zeros_like(w)
                step[i] = h
                up, down = (float(of_relu(X, y, {**p, n: w + s * step})) for s in (1, -1))
                found[n][i] = (up - down) / (2 * h)
        return found

    d = diagnose(of_relu, numeric, inputs, Y, params)
    assert d.labels == ["correct"], d
    assert "taken as 0.5" in " ".join(d.remarks)
    assert "as little as a numeric derivative" in " ".join(d.remarks)


def test_a_forgiven_kink_hides_nothing_on_other_data() -> None:
    """A hard-coded batch size shows on a batch of another one."""
    of_relu, inputs, params = at_kinks(RELUS["np.maximum"][0])
    by_hand = relu_backward(0.0)
    d = diagnose(of_relu, lambda X, y, p: {n: g * len(X) / 6 for n, g in by_hand(X, y, p).items()}, inputs, Y, params)
    assert d.ok
    assert "constant_factor" in " ".join(d.elsewhere)
    assert not diagnose(of_relu, by_hand, inputs, Y, params).elsewhere


def test_a_product_with_ones_is_no_kink() -> None:
    """max(0, A) = A · 1 for A ≥ 0; yet a mask of ones has a slope of 1 everywhere."""
    _, inputs, params = at_kinks(tg.relu)

    def masked(X: Any, y: Any, p: Params) -> Any:
        A = tg.relu(X @ p["W1"] + p["b1"])
        return nn.cross_entropy(np.ones((len(X), 7)) * A @ p["W2"] + p["b2"], y)

    two = {name: p if "2" not in name else p[..., :3] for name, p in params.items() if "3" not in name}
    evidence = Evidence(Asked(masked, None, inputs, Y, two), gradients={})
    assert [kink.edge[0].op.name for kink in kinks(evidence.tape) if kink.edge[0].op] == ["relu"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [(complex, "came as complex128: its numbers were taken"), (object, "came as object: its numbers were taken")],
)
def test_numbers_that_came_as_something_else_are_taken(kind: Any, told: str) -> None:
    X, y = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 1))
    p = {"c": RNG.standard_normal((3, 1))}
    right = lambda X, y, p: {"c": (2 * X.T @ (X @ p["c"] - y) / y.size).astype(kind)}  # noqa: E731
    found = diagnose(lambda X, y, p: tg.nn.mse_loss(X @ p["c"], y), right, X, y, p)
    assert found.labels == ["correct"]
    assert any(told in remark for remark in found.remarks)
    text = diagnose(lambda X, y, p: tg.nn.mse_loss(X @ p["c"], y), lambda X, y, p: {"c": np.full((3, 1), "0.5")}, X, y, p)
    assert not text.ok
    assert any("not an array of real numbers but" in remark for remark in text.remarks)
    assert "All gradients are zero in every entry: they were not computed, or not returned." in str(text)


def test_labels_in_a_row_of_their_own_are_not_called_all_the_same() -> None:
    X, y = RNG.standard_normal((3, 6)), np.arange(6.0)[None]
    p = {"w": RNG.standard_normal((1, 3))}
    right = lambda X, y, p: {"w": 2 * (p["w"] @ X - y) @ X.T / y.size}  # noqa: E731
    found = diagnose(lambda X, y, p: tg.nn.mse_loss(p["w"] @ X, y), right, X, y, p)
    assert found.ok
    assert not any("all labels are the same" in u.words for u in found.unexercised)
