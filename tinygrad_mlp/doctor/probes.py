"""Other data: on them explanations differ that agree on one batch, and mistakes show that one batch hides."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .case import Case, UnjudgeableError
from .diagnosis import Unexercised
from .edit import Edit, Scene
from .evidence import Evidence
from .judge import Judge
from .mistakes import mistakes
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
        if not isinstance(a, np.ndarray) or a.dtype.kind != "f":
            return a
        return (a * (1 + by * rng.uniform(-1, 1, a.shape)) + by * rng.uniform(-1, 1, a.shape)).astype(a.dtype)

    params = {name: shaken(p, 0.3) for name, p in case.params.items()}
    tries: list[tuple[str, Any, Any]] = []
    if isinstance(case.X, np.ndarray) and isinstance(case.y, np.ndarray) and case.y.ndim and len(case.y) == len(case.X) == case.m:
        sizes = {n for p in case.params.values() for n in p.shape}
        m = next(
            k
            for k in (*range(max(case.m // 2, 2), case.m), *range(case.m + 1, case.m + 20))
            if k not in sizes and k != case.m and k > 1
        )
        rows = np.arange(m) % case.m
        tries.append((f"a batch of {m} rows and other weights", shaken(case.X[rows], 0.2), case.y[rows].copy()))
    tries.append(("other weights and inputs", shaken(case.X, 0.2), case.y))
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
    """The explanations that hold on other data too, the likeliest first; all of them if none does."""
    deadline = time.monotonic() + seconds
    left = list(explanations)
    for probe in others:
        if probe.answer.raised is not None:
            continue
        if time.monotonic() > deadline:
            break
        scene = probe.scene()
        known = {edit.key: edit for edit in Search(scene, probe.judge, [], 1.0).edits}
        wrong = probe.wrong
        kept = [again for e in left[:40] if (again := holds(e, scene, probe, known, wrong, deadline, m)) is not None]
        left = kept or left
    return sorted(left, key=lambda e: -e.weight)


def holds(
    e: Explanation, scene: Scene, probe: Probe, known: dict[Any, Edit], wrong: list[str], deadline: float, m: int
) -> Explanation | None:
    """The explanation, if the same edits explain the numbers of a probe; a factor that is no 1/m there is none here."""
    if any(edit.key not in known for edit in e.edits):
        return None
    search = Search.with_edits(scene, probe.judge, wrong, deadline)
    best: list[Explanation] = [search.explain((), (), scene.tape.gradients)]
    for edit in (known[edit.key] for edit in e.edits):
        best = [more for first in best[:4] for more in search.fitted(first.edits, first.constants, edit)]
    whole = [x for x in best if x.explained == set(wrong) and not x.broken]
    if not whole:
        return None
    return renamed(e, whole[0], probe, m)


def renamed(e: Explanation, there: Explanation, probe: Probe, m: int) -> Explanation:
    """A factor that was m here, and is the same number where m is another, is a constant."""
    edits = []
    for edit, c, other in zip(e.edits, e.constants, there.constants, strict=True):
        label, words = edit.named(c)
        of_batch = label in ("missing_batch_mean", "double_batch_mean")
        if edit.constant is not None and of_batch and probe.case.m != m and np.isclose(c, other, rtol=1e-6):
            text = words.split(" times too large")[0].split(" divided by")[0]
            fixed = "constant_factor", f"{text} multiplied by {c:.6g}, whatever the size of the batch"
            edit = replace(edit, constant=edit.constant._replace(naming=always(fixed)))
        edits.append(edit)
    return Explanation(tuple(edits), e.constants, e.gradients, e.residuals, e.explained, e.proportional, e.broken)


def always(fixed: tuple[str, str]) -> Callable[[float], tuple[str, str]]:
    """A naming that is known already."""
    return lambda _: fixed


NEEDED = {
    "act_derivative_missing": "an input or a bias that takes pre-activations below 0, where the derivative is not 1",
    "act_derivative_wrong_formula": "an input that takes the pre-activations to other sizes",
    "act_derivative_wrong_argument": "larger pre-activations, where f' at Z and at A differ",
    "relu_kink": "a row of zeros with zero biases, which makes a pre-activation exactly 0",
    "transposed": "weights that are not symmetric",
    "wrong_weights": "weights that differ from each other",
    "updated_weights": "a gradient that is not zero",
    "partial_batch": "a batch of several rows",
    "accumulated": "a batch of several rows",
    "label_error": "rows with different labels",
    "dropout_mask": "a mask that drops something",
    "eps_ignored": "a confident row: a probability near 0 or 1",
    "missing_batch_mean": "a batch of two or more rows",
}


def unexercised(scene: Scene, judge: Judge) -> list[Unexercised]:
    """The mistakes that would leave every number of this batch as it is, one a label and place."""
    found: dict[tuple[str, str], Unexercised] = {}
    if scene.case.m == 1:
        found["missing_batch_mean", ""] = Unexercised(
            "missing_batch_mean",
            "with m = 1 a 1/m that is missing, or applied twice, changes nothing",
            NEEDED["missing_batch_mean"],
        )
    search = Search.with_edits(scene, judge, list(scene.tape.parameters), time.monotonic() + 2.0)
    for edit in mistakes(scene):
        if (
            edit.constant is not None
            or edit.label not in NEEDED
            or edit.weight < 1
            or search.late()
            or edit.label == "act_derivative_wrong_formula"
        ):
            continue
        gradients = search.run((edit,), (0.0,))
        if gradients is not None and all(
            np.shape(g) == np.shape(gradients[n]) and judge.same(n, g, gradients[n]) for n, g in scene.tape.gradients.items()
        ):
            found.setdefault(
                (edit.label, edit.where), Unexercised(edit.label, f"{edit.words} would change nothing here", NEEDED[edit.label])
            )
    return list(found.values())
