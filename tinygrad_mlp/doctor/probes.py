"""Other data: on them explanations differ that agree on one batch, and mistakes show that one batch hides."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from .case import Case, UnjudgeableError, mapped
from .diagnosis import Unexercised
from .edit import Edit
from .evidence import Evidence
from .judge import discrete
from .mistakes.batch import counts
from .mistakes.formulas import formulas
from .search import Explanation, Search

__all__ = ["Probe", "confirmed", "probes", "unexercised"]


class Probe(Evidence):
    """The user's two functions on other data, which ``words`` describe."""

    def __init__(self, words: str, case: Case) -> None:
        super().__init__(case)
        self.words = words


def probes(case: Case) -> list[Probe]:
    """A batch of another size, and other numbers in the same shapes; what the loss refuses is left out."""
    if case.manual is None:
        return []
    rng = np.random.default_rng(1)
    found: list[Probe] = []

    def shaken(a: Any, by: float) -> Any:
        if not isinstance(a, np.ndarray) or a.dtype.kind != "f" or discrete(a):
            return a
        return (a * (1 + by * rng.uniform(-1, 1, a.shape)) + by * rng.uniform(-1, 1, a.shape)).astype(a.dtype)

    params = {name: shaken(p, 0.3) for name, p in case.params.items()}
    inputs = mapped(case.X, lambda a: shaken(a, 0.2))
    tries: list[tuple[str, Any, Any]] = []
    if case.m > 1:
        sizes = {n for p in case.params.values() for n in p.shape}
        m = next(
            k for k in (*range(max(min(case.m // 2, 12), 2), case.m), *range(case.m + 1, 99999)) if k not in sizes and k != case.m
        )
        rows = np.arange(m) % case.m

        def picked(a: Any) -> Any:
            has = isinstance(a, np.ndarray) and a.ndim and a.shape[case.axis] == case.m
            return np.take(a, rows, axis=case.axis) if has else a

        more = mapped(mapped(case.X, picked), lambda a: shaken(a, 0.2))
        tries.append((f"a batch of {m} rows and other weights", more, mapped(case.y, picked)))
    tries.append(("other weights and inputs", inputs, case.y))
    tries.append(("other weights", case.X, case.y))
    for words, X, y in tries:
        try:
            found.append(Probe(words, case.at(X, y, params)))
        except UnjudgeableError:  # the loss is not made for such data: another probe is tried
            continue
        if len(found) == 2:
            break
    return found


def confirmed(explanations: list[Explanation], others: list[Probe], seconds: float, m: int) -> list[Explanation]:
    """The explanations that hold on other data too, the likeliest first; all of them where there are no other data."""
    deadline = time.monotonic() + seconds
    left = list(explanations)
    for probe in others:
        if probe.answer.raised is None and left and time.monotonic() < deadline:
            search = Search(probe, probe.wrong, deadline - time.monotonic())
            edits = {
                edit.key: edit
                for edit in (*search.edits, *(chain(counts(probe.scene), formulas(probe.scene)) if any_fitted(left) else ()))
            }
            left = [again for e in left[:40] if (again := holds(e, search, edits, m)) is not None]
    return left


def any_fitted(explanations: list[Explanation]) -> bool:
    """Whether an edit was found from the user's numbers, and has to be found again."""
    return any(str(edit.key[0]).startswith(("counted", "formula")) for e in explanations for edit in e.edits)


def holds(e: Explanation, search: Search, edits: dict[Any, Edit], m: int) -> Explanation | None:
    """The explanation, if the same edits with the same constants explain the numbers of a probe."""
    if any(edit.key not in edits for edit in e.edits):
        return None
    best: list[Explanation] = [search.explain((), (), search.true)]
    for edit in e.edits:
        best = [more for first in best[:6] for more in search.fitted(first.edits, first.constants, edits[edit.key])]
    there = [x for x in best if x.explained == set(search.wrong) and not x.broken]
    for found in there:
        again = [same_constant(*pair, m, search.scene.case.m) for pair in zip(e.edits, e.constants, found.constants, strict=True)]
        if all(edit is not None for edit in again):
            return replace(e, edits=tuple(edit for edit in again if edit is not None))
    return None


def same_constant(edit: Edit, c: float, other: float, m: int, n: int) -> Edit | None:
    """The edit, if its constant is the same for batches of m and of n, or goes with their size; named by which of these."""
    if edit.constant is None or m == n:
        return edit if edit.constant is None or np.isclose(c, other, rtol=1e-3, atol=1e-9) else None
    label, words = edit.named(c)
    if m > 1 and n > 1 and np.isclose(abs(c), m / (m - 1), rtol=1e-6) and np.isclose(abs(other), n / (n - 1), rtol=1e-6):
        fixed = "constant_factor", f"{edit.where} divided by m − 1 = {m - 1} in place of m = {m}"
        return replace(edit, constant=edit.constant._replace(naming=always(fixed)))
    if np.isclose(c, other, rtol=1e-3, atol=1e-9):
        if label not in ("missing_batch_mean", "double_batch_mean"):
            return edit
        text = words.split(" times too large")[0].split(" divided by")[0]  # the number m by chance
        fixed = "constant_factor", f"{text} multiplied by {c:.6g}, whatever the size of the batch"
        return replace(edit, constant=edit.constant._replace(naming=always(fixed)))
    ratio = other / c if c else float("inf")
    divisor = m / c if c else 0.0
    if label == "constant_factor" and np.isclose(ratio, n / m, rtol=1e-6) and divisor > 1 and np.isclose(divisor, round(divisor)):
        words = f"{edit.where} divided by a fixed {round(divisor)}, whatever the size of the batch: here it is m = {m}"
        return replace(edit, constant=edit.constant._replace(naming=always((label, words))))
    return edit if any(np.isclose(ratio, (n / m) ** k, rtol=1e-3) for k in (-2, -1, 1, 2)) else None


def always(fixed: tuple[str, str]) -> Callable[[float], tuple[str, str]]:
    """A naming that is known already."""
    return lambda _: fixed


NEEDED = {
    ("slope", "missing"): "an input or a bias that takes some pre-activations to where the derivative is not 1",
    ("weight", "transposed"): "weights that are not symmetric",
    ("transposed", ""): "a gradient that is not symmetric",
    ("dropout", "mask"): "a mask that drops something",
}
"""For the mistakes that one batch may hide, the input that shows them."""


def unexercised(evidence: Evidence) -> list[Unexercised]:
    """The mistakes that would leave every number of this batch as it is, and what would show them."""
    case, true = evidence.case, evidence.tape.gradients
    found: list[Unexercised] = []
    silent = [name for name, g in true.items() if not g.any()]
    if silent:
        names = ", ".join(f"d{name}" for name in silent)
        needed = "weights that are not zero, and units that are active"
        found.append(Unexercised("gradient_zero", f"the true {names} is zero here: no mistake on its way can show", needed))
    if case.m == 1:
        words = "with m = 1 a 1/m that is missing, or applied twice, changes nothing"
        found.append(Unexercised("missing_batch_mean", words, "a batch of two or more rows"))
    rows = isinstance(case.y, np.ndarray) and case.y.ndim > case.axis and case.y.shape[case.axis] == case.m > 1
    if rows and np.all(case.y == np.take(case.y, [0], axis=case.axis)):
        found.append(Unexercised("label_error", "all labels are the same: no misplaced one can show", "rows with different labels"))
    search = Search(evidence, list(true), 2.0)
    for edit in evidence.edits:
        shows = NEEDED.get((edit.key[0], edit.key[1] if edit.key[0] != "transposed" else ""))
        if shows is None or search.late() or set(search.touched(edit)) <= {*silent}:
            continue
        gradients = search.run((edit,), (0.0,))
        if gradients is not None and all(search.judge.same(name, g, gradients[name]) for name, g in search.true.items()):
            found.append(Unexercised(edit.label, f"{edit.words} would change nothing here", shows))
    return found
