"""The doctor's report: what a student reads, in three forms; and the line of their code that it points to."""

from __future__ import annotations

import doctest
import html.parser
import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

from tinygrad_mlp import nn
from tinygrad_mlp.doctor import Cause, Diagnosis, Row, Unexercised
from tinygrad_mlp.doctor.case import Case
from tinygrad_mlp.doctor.edit import Scene
from tinygrad_mlp.doctor.landmarks import Landmarks
from tinygrad_mlp.doctor.lines import line_of_cause
from tinygrad_mlp.doctor.mistakes import mistakes

EVIL = "</script><img src=x onerror=alert(1)>\"'`|*_[x](y)"


def row(name: str, verdict: str = "right", **more: Any) -> Row:
    given: dict[str, Any] = {"shape": (4, 5), "user_shape": (4, 5), "relative": 0.5, "ratio": None}
    if verdict == "right":
        given |= {"relative": 1.6e-16, "ratio": 1.0}
    return Row(name, verdict=verdict, **{**given, **more})


def cause(label: str = "act_derivative_missing", words: str = "the derivative of relu at Z1 left out", **more: Any) -> Cause:
    given: dict[str, Any] = {
        "where": "layer 1", "parameters": ("W1", "b1"), "residual": 2.2e-16, "right": "dZ1 = dA1 * (Z1 > 0)", "line": "net.py:12: dZ1 = dA1",
    }  # fmt: skip
    return Cause(label, words=words, **{**given, **more})


ROWS = [row("W1", "wrong"), row("b1", "wrong", shape=(5,), user_shape=(5,)), row("W2"), row("b2")]


def text(rows: list[Row], *causes: Cause, **more: Any) -> str:
    return str(Diagnosis(not [r for r in rows if r.verdict != "right"], rows, list(causes), **more))


def test_the_report_of_a_cause() -> None:
    assert text(ROWS, cause()).splitlines() == [
        "dW1 and db1 are wrong, dW2 and db2 are right.",
        "",
        "parameter  shape  relative difference  yours / true  verdict",
        "────────────────────────────────────────────────────────────",
        "W1         4 × 5  0.50                 -             WRONG",
        "b1         5      0.50                 -             WRONG",
        "W2         4 × 5  1.6e-16              1             right",
        "b2         4 × 5  1.6e-16              1             right",
        "",
        "[act_derivative_missing] dW1 and db1 equal, to 2e-16, the true gradients with the derivative of relu",
        "    at Z1 left out.",
        "    chain rule: dZ1 = dA1 * (Z1 > 0)",
        "    your line: net.py:12: dZ1 = dA1",
    ]


@pytest.mark.parametrize(
    ("wrong", "right", "verdict"),
    [
        ([], ["W"], "dW is right on this batch."),
        ([], ["W1", "b1"], "Both gradients are right on this batch."),
        (["W"], [], "dW is wrong."),
        (["W1"], ["b1"], "dW1 is wrong, db1 is right."),
        (["W1"], ["b1", "W2", "b2"], "dW1 is wrong; db1, W2 and b2 are right.".replace("W2 and b2", "dW2 and db2")),
        (["W1", "b1"], [], "Both gradients are wrong: dW1 and db1."),
        (["fc.weight"], ["b"], "The gradient of fc.weight is wrong, db is right."),
        ([f"W{i}" for i in range(8)], ["b"], "8 of 9 gradients are wrong: dW0, dW1, dW2, dW3, dW4, dW5 and 2 more; the other 1"),
    ],
)
def test_the_verdict_comes_first(wrong: list[str], right: list[str], verdict: str) -> None:
    found = text([row(n, "wrong") for n in wrong] + [row(n) for n in right])
    assert found.replace("\n", " ").startswith(verdict)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (cause(residual=0.0), "equal, to the last digit, the true gradients with the derivative"),
        (cause(words="all gradients 6 times too large: no 1/m"), "the true gradients 6 times too large: no 1/m."),
        (cause(words="dW1 multiplied by 3", parameters=("W1",)), "dW1 equals, to 2e-16, the true gradient multiplied by 3."),
        (cause(words="the sign of dW1 flipped", parameters=("W1",)), "the true gradient with the sign of dW1 flipped."),
        (cause(words="db1 left at zero", parameters=("b1",)), "db1 is zero in every entry: it was not computed, or not returned."),
        (cause(words="in dW1 and db1, the last sample left out"), "with the last sample left out, in dW1 and db1."),
        (cause(words="in dW1, the last sample left out", parameters=("W1",)), "with the last sample left out."),
        (cause(words="dZ2 = P − Y, without the eps"), "what comes of dZ2 = P − Y, without the eps."),
        (cause(tentative=True, residual=0.12), "The numbers are nearest to the true gradients with the derivative of relu at Z1 left out; but 0.12 of"),
        (cause("accumulated", "the gradients of an earlier call not cleared: their sum"), "[accumulated] The gradients of an earlier call were not cleared"),
    ],
)  # fmt: skip
def test_what_was_done_is_a_sentence(given: Cause, sentence: str) -> None:
    assert sentence in " ".join(text(ROWS, given).split())


def test_a_tentative_cause_says_that_it_is_not_known() -> None:
    step = "counted from the loss, the first wrong gradient is at layer 1: look at dZ1"
    found = " ".join(text(ROWS, cause(tentative=True, residual=0.3), remarks=[step]).split())
    assert f"I do not know what was done, but it is at this step: {step}." in found
    assert found.count("counted from") == 1
    assert "[act_derivative_missing?]" in found
    assert "no mistake that I know of gives these numbers" in text(ROWS)


def test_two_mistakes_are_explained_together() -> None:
    both = ("W1", "b1", "W2", "b2")
    found = text(ROWS, cause(parameters=both), cause("sign_flipped", "the sign of all gradients flipped", parameters=both))
    assert "Two mistakes at once: dW1, db1, dW2 and db2 equal, to 2e-16, the true gradients with both of these:" in found
    assert "[sign_flipped] the sign of all gradients flipped.\n    chain rule:" in found


def test_shapes_and_what_is_missing_are_in_the_table() -> None:
    rows = [
        row("W1", "shape", user_shape=(5, 4), relative=None),
        row("b1", "missing", user_shape=None, relative=None),
        row("W2", "NaN", relative=None),
    ]
    lines = text(rows).splitlines()
    assert lines[2].split() == "parameter shape your shape relative difference yours / true verdict".split()
    assert lines[4].split() == "W1 4 × 5 5 × 4 - - WRONG SHAPE".split()
    assert lines[5].endswith("MISSING")
    assert lines[6].endswith("NaN")


def test_an_exception_is_the_verdict() -> None:
    rows = [row("W1", "missing", user_shape=None, relative=None)]
    found = text(rows, remarks=["manual(X, y, params) raised ValueError: shapes\n(3,) and (4,)", "X is (6, 4)"])
    assert found.startswith("There is no gradient to judge: manual(X, y, params) raised ValueError: shapes (3,) and (4,).")
    assert "X is (6, 4)." in found
    assert found.count("ValueError") == 1


def test_what_could_not_be_shown_is_grouped_and_short() -> None:
    many = [Unexercised("relu_kink", f"relu taken at Z{i} would change nothing here", "a row of zeros") for i in range(3)]
    found = " ".join(text([row("W")], unexercised=many).split())
    assert "What this batch cannot show: - [relu_kink] relu taken at Z0, and 2 like it. It shows with a row of zeros." in found
    many += [Unexercised(f"label{i}", "words", "data") for i in range(8)]
    found = text([row("W")], unexercised=many)
    assert len(re.findall("^  - ", found, re.MULTILINE)) == 6
    assert "- and 4 more." in found


def test_other_data_and_alternatives() -> None:
    found = text([row("W")], elsewhere=["with a batch of 7 rows, W would be wrong"])
    assert found.startswith("dW is right on this batch, but not on other data.")
    assert "With a batch of 7 rows, W would be wrong." in found
    found = text(ROWS, cause(), alternatives=[cause("sign_flipped", "the sign flipped")])
    assert "The same numbers would come from:\n  - [sign_flipped] the sign flipped." in found


def test_no_line_is_longer_than_100_columns() -> None:
    long = "word " * 60
    d = Diagnosis(False, ROWS, [cause(words=long, right=long, line=f"a/long/path/net.py:12: x = {'+'.join('abcdefgh' * 20)}")], [long], [Unexercised("a", long, long)], [long], [cause(words=long)])  # fmt: skip
    lines = str(d).splitlines()
    assert max(map(len, lines)) <= 100
    place = lines.index("    your line: a/long/path/net.py:12:")
    assert lines[place + 1].endswith("…")


class Reader(html.parser.HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] != "style":
            self.words += data


def hostile() -> Diagnosis:
    return Diagnosis(
        False, [row(EVIL, "wrong"), row("W")], [cause(words=EVIL, right=EVIL, line=EVIL, parameters=(EVIL,))], [EVIL],
        [Unexercised("relu_kink", EVIL, EVIL)], [EVIL], [cause(words=EVIL)],
    )  # fmt: skip


def test_html_escapes_what_is_hostile_and_says_all_of_it() -> None:
    reader = Reader(hostile()._repr_html_())
    assert not reader.open
    assert set(reader.tags) == set("div style p table caption thead tr th tbody td dl dt dd code ul li".split())
    assert reader.words.count(EVIL) >= 8
    assert {name for name, _ in reader.attributes} == {"class", "scope"}
    assert ("scope", "col") in reader.attributes
    assert ("scope", "row") in reader.attributes


def test_the_style_is_for_this_element_alone_in_light_and_dark() -> None:
    style = re.search(r"<style>(.*?)</style>", Diagnosis(True, [row("W")])._repr_html_(), re.DOTALL)
    assert style
    assert "prefers-color-scheme: dark" in style[1]
    for selector in re.findall(r"(?:^|\})\s*([^{}@]+)\{", style[1].replace("@media (prefers-color-scheme: dark) {", "")):
        assert all(part.strip().startswith(".tg-doctor") for part in selector.split(","))


def test_markdown_has_a_table_that_renders() -> None:
    lines = Diagnosis(False, ROWS, [cause()]).markdown().splitlines()
    assert lines[0] == "**dW1 and db1 are wrong, dW2 and db2 are right.**"
    assert lines[2:5] == ["| parameter | shape | relative difference | yours / true | verdict |", "| --- | --- | --- | --- | --- |", "| W1 | 4 × 5 | 0.50 | - | WRONG |"]  # fmt: skip
    assert "  - your line: `net.py:12: dZ1 = dA1`" in lines
    table = [line for line in hostile().markdown().splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {6}
    assert "<img" not in re.sub(r"`+ ?.*? ?`+|\\<", "", hostile().markdown())


# --- the line of the user's code ----------------------------------------------------------------------------------------

X, Y = np.random.default_rng(0).standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])
RNG = np.random.default_rng(1)
PARAMS = {
    "W1": RNG.standard_normal((4, 5)),
    "b1": RNG.standard_normal(5),
    "W2": RNG.standard_normal((5, 3)),
    "b2": RNG.standard_normal(3),
}


def loss(X: Any, y: Any, p: Any) -> Any:
    return nn.cross_entropy(np.maximum(X @ p["W1"] + p["b1"], 0) @ p["W2"] + p["b2"], y) + 0.05 * np.sum(p["W1"] ** 2)


BACKPROP = """\
import numpy as np

def manual(X, y, p):
    W1, b1, W2, b2 = p["W1"], p["b1"], p["W2"], p["b2"]
    m = len(y)
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0)
    E = np.exp(A1 @ W2 + b2)
    P = E / E.sum(axis=1, keepdims=True)
    dZ2 = P.copy()
    dZ2[np.arange(m), y] -= 1
    dZ2 /= m
    dW2 = A1.T @ dZ2
    db2 = np.sum(dZ2, axis=0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * (Z1 > 0)
    dW1 = np.dot(X.T, dZ1)
    dW1 += 0.1 * W1
    db1 = dZ1.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
"""
FORMS = {
    "a literal": (),
    "dict()": ('{"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}', "dict(W1=dW1, b1=db1, W2=dW2, b2=db2)"),
    "entries": ('return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}', 'g = {"W1": dW1, "b1": db1}\n    g["dW2"] = dW2\n    g["db2"] = db2\n    return None, g'),
    "one name": ("dZ1", "delta", "dZ2", "delta"),
}  # fmt: skip


def backprop(folder: Path, source: str) -> Any:
    path = folder / "net.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("net", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.manual


def line(manual: Any, words: str, label: str = "") -> str:
    """The text of the line that is found for the first mistake that has these words."""
    case = Case(loss, None, X, Y, PARAMS)
    tape = case.tape()
    scene = Scene(case, tape, Landmarks(tape, case), {})
    edit = next(edit for edit in mistakes(scene) if re.match(words, edit.words))
    found = line_of_cause(manual, edit, scene, label)
    return found.partition(": ")[2] if found else ""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("words", "label", "expected"),
    [
        ("the derivative of relu at Z1 left out", "", "dZ1 = dA1 * (Z1 > 0)"),
        ("all gradients", "missing_batch_mean", "dZ2 /= m"),
        ("dW2 built from", "", "dW2 = A1.T @ dZ2"),
        ("dZ2 summed", "bias_axis", "db2 = np.sum(dZ2, axis=0)"),
        ("dW1 transposed", "", "dW1 = np.dot(X.T, dZ1)"),
        ("the updated W2", "updated_weights", "dA1 = dZ2 @ W2.T"),
        ("the L2 term", "l2_missing", "dW1 += 0.1 * W1"),
        ("softmax", "softmax_wrong_axis", "P = E / E.sum(axis=1, keepdims=True)"),
        ("the labels of the next", "label_error", "dZ2[np.arange(m), y] -= 1"),
    ],
)
def test_the_line_to_change_is_found(words: str, label: str, expected: str, form: str, tmp_path: Path) -> None:
    source = BACKPROP
    for old, new in zip(FORMS[form][::2], FORMS[form][1::2], strict=True):
        assert old in source
        source, expected = source.replace(old, new), expected.replace(old, new)
    assert line(backprop(tmp_path, source), words, label) == expected


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    dZ1 = dA1 * (Z1 > 0)", "    if m > 1:\n        dZ1 = dA1 * (Z1 > 0)\n    else:\n        dZ1 = dA1", "the derivative of relu"),
        ("    return {", "    return {**{}} if m else {", "the derivative of relu"),
        ("    return {", "    if m > 3:\n        return {}\n    return {", "the derivative of relu"),
        ("    dZ1 = dA1 * (Z1 > 0)\n    dW1 = np.dot(X.T, dZ1)", "    dZ1 = dA1 * (Z1 > 0)\n    dW1 = np.dot(X.T, dA1 * (Z1 > 0))", "the derivative of relu"),
        ('{"W1": dW1', '{f"W{1}": dW1', "dW1 transposed"),
    ],
)  # fmt: skip
def test_no_line_is_better_than_a_wrong_one(old: str, new: str, words: str, tmp_path: Path) -> None:
    assert old in BACKPROP
    assert line(backprop(tmp_path, BACKPROP.replace(old, new)), words) == ""


LOOP = """\
import numpy as np

class Net:
    def manual(self, X, y, p):
        grads = {name: np.zeros_like(value) for name, value in p.items()}
        for x, label in zip(X, y):
            z1 = x @ p["W1"] + p["b1"]
            a1 = np.maximum(z1, 0)
            e = np.exp(a1 @ p["W2"] + p["b2"])
            d2 = e / e.sum()
            d2[label] -= 1
            grads["W2"] += np.outer(a1, d2) / len(X)
            grads["b2"] += d2 / len(X)
            d1 = (p["W2"] @ d2) * (z1 > 0)
            grads["W1"] += np.outer(x, d1) / len(X)
            grads["b1"] = d1 / len(X)
        return 0.5, grads

manual = Net().manual
"""


def test_the_line_is_found_in_a_loop_over_samples(tmp_path: Path) -> None:
    manual = backprop(tmp_path, LOOP)
    assert line(manual, "the derivative of relu at Z1 left out") == 'd1 = (p["W2"] @ d2) * (z1 > 0)'
    assert line(manual, "dZ1 summed", "bias_axis") == 'grads["b1"] = d1 / len(X)'
    assert line(manual, "dW2 built from") == 'grads["W2"] += np.outer(a1, d2) / len(X)'
    assert line(manual, "all gradients", "missing_batch_mean") == ""  # the 1/m is in every line


def test_source_that_is_not_what_runs_is_not_quoted(tmp_path: Path) -> None:
    manual = backprop(tmp_path, BACKPROP)
    (tmp_path / "net.py").write_text(BACKPROP.replace("(Z1 > 0)", "(Z1 > 1)").replace("W2.T", "W2.T * 2"), encoding="utf-8")
    assert line(manual, "the derivative of relu") == ""
    (tmp_path / "net.py").write_text("this is no Python", encoding="utf-8")
    assert line(manual, "the derivative of relu") == ""
    space: dict[str, Any] = {}
    exec(BACKPROP, space)  # noqa: S102  # a function without a file
    assert line(space["manual"], "the derivative of relu") == ""
    for odd in (np.sum, lambda X, y, p: {}, None, 3, print):
        assert line(odd, "the derivative of relu") == ""


def test_the_examples_of_the_page_print_what_they_say() -> None:
    failed, attempted = doctest.testfile(
        str(ROOT / "docs" / "doctor.md"), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert attempted > 3
    assert failed == 0
