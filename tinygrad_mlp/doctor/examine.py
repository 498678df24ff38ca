"""The examination: from a loss and a backprop by hand to a diagnosis."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import SettingError, TensorTypeError
from .case import Case, described
from .diagnosis import Cause, Diagnosis
from .edit import Scene
from .evidence import NEAR, Evidence
from .finite import not_finite
from .judge import NUMERIC, where_finite
from .kinks import slopes_in_words
from .lines import line_of_cause, line_of_exception
from .mistakes.head import smallest_eps
from .probes import Probe, probes, unexercised
from .reading import STAGES, Reading, in_turns
from .refusal import cause_of
from .search import Explanation, Search
from .tape import At

__all__ = ["diagnose"]

CLOSE = 0.25
"""The nearest explanation is told, as a guess, if it leaves at most this part of the difference; else there is none."""

TINY = 1e-6
"""An eps up to here is only there against log(0)."""

UNLIKELY = {"op", "term", "factor", "times at"}
"""Edits of single operations, which are told only where nothing else explains the numbers."""


def diagnose(
    loss: Callable[[Any, Any, dict[str, Any]], Any],
    manual: Callable[[Any, Any, dict[str, Any]], Any] | None = None,
    X: Any = None,
    y: Any = None,
    params: Mapping[str, Any] | None = None,
    *,
    gradients: Mapping[str, Any] | None = None,
    seconds: float = 8.0,
) -> Diagnosis:
    """Say which gradients of a backprop written by hand are wrong, and which step of the chain rule made them so.

    The recorded loss gives the true backward pass, step by step. A mistake is an edit of it: a factor dropped, a sign flipped,
    another value of the same shape taken, a sum over another axis. The edits are generated from the graph, each is run, and the
    diagnosis is the edit, or the pair of edits, that gives the numbers that ``manual`` returned. Where several do, ``manual`` is
    called with other data, on which they differ.

    Parameters
    ----------
    loss : function of (X, y, params), written with tinygrad_mlp; params arrive as Tensors
    manual : function of (X, y, params), the backprop by hand: a dict of name to gradient. It gets copies
    X, y : the data, as both functions take them
    params : dict of name to array
    gradients : the gradients themselves, in place of ``manual``: a dict of name to array
    seconds : how long the search may take

    Returns
    -------
    A :class:`Diagnosis`: print it. ``ok``, ``wrong``, ``labels`` and ``causes`` say the same to a program.

    Raises
    ------
    DataError
        If the loss itself cannot be judged: it fails, is no number, depends on chance.
    SettingError
        If ``seconds`` is no time.
    TensorTypeError
        If neither ``manual`` nor ``gradients`` is given, or ``params`` is no dict.

    Examples
    --------
    >>> from tinygrad_mlp import nn
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((6, 3)), np.array([0, 1, 0, 1, 1, 0])
    >>> params = {"W": rng.standard_normal((3, 2)), "b": np.zeros(2)}
    >>> def loss(X, y, p):
    ...     return nn.cross_entropy(X @ p["W"] + p["b"], y)
    >>> def manual(X, y, p):
    ...     e = np.exp(X @ p["W"] + p["b"])
    ...     dZ = e / e.sum(axis=1, keepdims=True) - np.eye(2)[y]
    ...     return {"W": X.T @ dZ, "b": dZ.sum(axis=0)}
    >>> d = diagnose(loss, manual, X, y, params)
    >>> d.labels, d.wrong
    (['missing_batch_mean'], ['W', 'b'])
    """
    if (manual is None) == (gradients is None):
        raise TensorTypeError("diagnose() compares with manual=, a function, or with gradients=, a dict: give one of them")
    if not isinstance(seconds, (int, float)) or not seconds > 0:
        raise SettingError(f"seconds is how long the search may take, a number above 0 (got {seconds!r})")
    case = Case(loss, manual, X, y, params if params is not None else {})
    return Examination(case, gradients, time.monotonic() + seconds).diagnosis()


class Examination:
    """One examination; see :func:`diagnose`."""

    def __init__(self, case: Case, gradients: Any, deadline: float) -> None:
        self.evidence, self.deadline = Evidence(case, gradients), deadline
        self.case, self.judge, self.rows = case, self.evidence.judge, self.evidence.rows
        self.remarks = list(self.evidence.answer.remarks)

    @cached_property
    def probes(self) -> list[Probe]:
        """The functions on other data."""
        return probes(self.case)

    def left(self) -> float:
        """The seconds that remain."""
        return max(self.deadline - time.monotonic(), 0.1)

    def diagnosis(self) -> Diagnosis:
        """The whole of it."""
        answer = self.evidence.answer
        if answer.raised is not None:
            return self.of_exception(answer.raised)
        if answer.changed:
            self.remarks.append(
                f"manual() writes into its parameters: {', '.join(answer.changed)}. Here it got copies; return the gradients, and "
                f"update outside"
            )
        repeated = self.repeated() if self.case.manual is not None else None
        if repeated is not None:
            return repeated
        return self.ill() if self.evidence.wrong else self.well()

    def of_exception(self, error: BaseException) -> Diagnosis:
        """manual() did not return gradients."""
        given = {"X": self.case.X, "y": self.case.y, **self.case.params}
        shapes = ", ".join(f"{name} {x.shape}" for name, x in given.items() if isinstance(x, np.ndarray))
        self.remarks.insert(0, f"manual(X, y, params) raised {described(error)}. It was called with {shapes}")
        cause = cause_of(self.evidence, error)
        if cause is None and (line := line_of_exception(error)):
            self.remarks.append(f"it was raised at {line}")
        return Diagnosis(False, self.rows, [cause] if cause is not None else [], self.remarks)

    def repeated(self) -> Diagnosis | None:
        """Whether a second call returns something else: then something was kept from the first one."""
        user, true, second = self.evidence.user, self.evidence.tape.gradients, self.case.ask()
        if second.raised is not None:
            what = f"raised {described(second.raised)}"
            self.remarks.append(f"called a second time with the same data, manual() {what}")
            return None
        other = {name: second.gradients.get(name, np.zeros_like(u)) for name, u in user.items()}
        changed = [n for n, u in user.items() if not self.judge.same(n, *where_finite(u, other[n]))]
        grown = [n for n in changed if other[n].shape == true[n].shape and self.judge.same(n, other[n], user[n] + true[n])]
        if changed and not grown:
            self.remarks.append(
                f"called again with the same data, manual() returns other numbers ({', '.join(changed)}): it depends on chance, or "
                f"on what an earlier call left"
            )
        if not grown:
            return None
        names = ", ".join(grown)
        words = f"the gradients of an earlier call not cleared: a second call with the same data returned the sum of both ({names})"
        right = "each call starts from zero: dW = …, or dW = np.zeros_like(W) before a loop with +="
        rows = [row._replace(verdict="wrong") if row.name in grown else row for row in self.rows]
        return Diagnosis(False, rows, [Cause("accumulated", names, words, tuple(grown), 0.0, right)], self.remarks)

    # --- all is well --------------------------------------------------------------------------------------------------

    def well(self) -> Diagnosis:
        """Right on this batch: what it could not show, and what other data show."""
        rows = [row._replace(verdict="right") for row in self.rows]
        found = Diagnosis(True, rows, [], self.remarks, unexercised(self.evidence))
        for probe in self.probes:
            error = probe.answer.raised
            if error is not None:
                found.elsewhere.append(f"with {probe.words}, manual() raises {described(error)}")
            elif any(row.relative is None or row.relative > NUMERIC for row in probe.rows if row.verdict != "right"):
                self.look(probe, found)
        return found

    def look(self, probe: Probe, found: Diagnosis) -> None:
        """What is wrong on other data; what is no mistake by itself is remarked on at most."""
        readings = [probe.with_slopes(self.evidence.slopes), *probe.forgiven()]
        if not all(reading.wrong for reading in readings):  # another slope at a kink
            return
        why = "no mistake that is known here explains it"
        for reading in readings:
            search = Search(reading, reading.wrong, min(self.left(), 2.0))
            singles = search.singles()
            whole = search.complete(singles) or next(filter(None, search.pairs(singles, lambda e: e)), [])
            if not whole:
                continue
            probe = reading
            excuses = self.excuses(whole[0], search, near=1.0)
            causes = [cause for cause in self.causes(whole[0]) if cause.words not in excuses]
            if not causes:
                self.remarks += [f"with {probe.words} it would show: {words}" for words in excuses]
                return
            why = "; ".join(f"{cause.words} ({cause.label})" for cause in causes)
            break
        wrong = " and ".join(f"d{name}" for name in probe.wrong)
        found.elsewhere.append(f"with {probe.words}, {wrong} would be wrong: {why}")

    # --- something is wrong -------------------------------------------------------------------------------------------

    def ill(self) -> Diagnosis:
        """Look for the mistakes, beside the gradients of the loss and beside those with other slopes at its kinks."""
        forgiven = self.evidence.forgiven()
        blameless = next((e for e in forgiven if not e.wrong), None)
        if blameless is not None:
            self.take(blameless)
            return self.well()
        self.remarks += self.evidence.shapes()
        unusable = [row.name for row in self.rows if row.verdict == "NaN"]
        self.remarks += not_finite(self.evidence, unusable) if unusable else []
        readings = []
        for evidence in (self.evidence, *forgiven):
            wanted = [name for name in evidence.wrong if name not in unusable]
            if not wanted:  # what is wrong besides is the slope at a kink
                self.take(evidence)
                return Diagnosis(False, self.rows, [], self.remarks)
            readings.append(Reading(evidence, wanted, lambda: self.probes, self.left()))
        return self.searched(readings)

    def take(self, evidence: Evidence) -> None:
        """Judge by the gradients with these slopes at the kinks from now on."""
        if evidence is not self.evidence:
            words = slopes_in_words(self.evidence.tape, evidence.slopes, self.evidence.scene.marks)
            self.remarks += [f"{text}: at a kink every slope between the two sides is a right one" for text in words]
        self.evidence, self.judge, self.rows = evidence, evidence.judge, evidence.rows

    def searched(self, readings: list[Reading]) -> Diagnosis:
        """The stages of the search, in all readings together; then what other data contradict, or what is nearest."""
        for stage in STAGES:
            for reading, whole in in_turns(stage, readings):
                return self.explained(reading, whole)
            small = [reading for reading in readings if all_small(reading.evidence)]
            if stage is STAGES[0] and small and not any(reading.doubtful for reading in readings):
                return self.nearly(small[0].evidence)
        for reading in readings:
            if reading.doubtful:
                self.remarks.append("on other data this does not explain what manual() returns there")
                return self.explained(reading, reading.doubtful)
        return self.unexplained(min(readings, key=lambda reading: len(reading.search.wrong)))

    def nearly(self, evidence: Evidence) -> Diagnosis:
        """No mistake of the chain rule is that small."""
        self.take(evidence)
        largest = max(row.relative or 0.0 for row in self.rows if row.verdict != "right")
        self.remarks.append(
            f"the gradients agree to {largest:.0e}, which is more than rounding explains, and as little as a numeric derivative "
            f"or an eps leaves: no mistake of the chain rule gives these numbers"
        )
        return self.well()

    def explained(self, reading: Reading, whole: list[Explanation]) -> Diagnosis:
        """The mistakes are known, the likeliest explanation first."""
        self.take(reading.evidence)
        search = reading.search
        causes = self.causes(whole[0], search)
        excuses = self.excuses(whole[0], search)
        self.remarks += [f"{words}: {why}" for words, why in excuses.items()]
        causes = [cause for cause in causes if cause.words not in excuses]
        if not causes:
            return self.well()
        others: list[Cause] = []
        for other in whole[1:6]:
            known = {cause.label for cause in (*causes, *others)}
            likely = len(other.edits) == 1 and 2 * other.weight >= whole[0].weight and other.edits[0].key[0] not in UNLIKELY
            others += [c for c in self.causes(other, search) if likely and c.label not in known]
        text = " ".join([*self.remarks, *(f"{c.words} {c.right}" for c in (*causes, *others))])
        return Diagnosis(False, self.rows, causes, self.remarks, alternatives=others, legend=search.scene.marks.legend(text))

    def excuses(self, e: Explanation, search: Search, near: float | None = None) -> dict[str, str]:
        """What is no mistake by itself, by its words: a small eps."""
        found: dict[str, str] = {}
        sizes = search.effects(e)
        small = (10 * NEAR if smallest_eps(search.scene) <= TINY else NEAR) if near is None else near
        for edit, c in zip(e.edits, e.constants, strict=True):
            label, words = edit.named(c)
            if label == "eps_ignored" and sizes[words] <= small:
                found[words] = f"it moves these gradients by less than {small:.0e}, and is no mistake by itself"
        return found

    def unexplained(self, reading: Reading) -> Diagnosis:
        """No edit gives the numbers: say which step it is, and what they are nearest to."""
        self.take(reading.evidence)
        search = reading.search
        found = [e for e in reading.found if not e.broken]
        partial = [e for e in found if search.evidence_in(e) > 0]
        before = max((row.relative or 2.0 for row in self.rows if row.name in search.wrong), default=0.0)
        near = [e for e in found if e.residuals and e.residual <= CLOSE * min(before, 1.0)]
        causes = []
        if partial:
            best = max(partial, key=lambda e: (len(e.explained), e.weight))
            rest = ", ".join(n for n in search.wrong if n not in best.explained)
            self.remarks.append(f"the causes explain part of it; nothing that is known here explains {rest}")
            causes = self.causes(best, search)
        elif near:
            causes = self.causes(min(near, key=lambda e: e.residual), search, tentative=True)
        step = self.step(search.scene, set(search.wrong))
        self.remarks.append(step)
        text = " ".join([step, *(f"{c.words} {c.right}" for c in causes)])
        return Diagnosis(False, self.rows, causes, self.remarks, legend=search.scene.marks.legend(text))

    def step(self, scene: Scene, wrong: set[str]) -> str:
        """Between which values the first fault lies, told from which parameters are right."""
        for layer in reversed(scene.marks.layers):
            mine = [n for n in dict.fromkeys((*layer.weights, *layer.biases)) if n in wrong]
            if mine:
                Z, gradients = f"d{scene.marks.name(layer.pre)}", " and ".join(f"d{n}" for n in mine)
                built = "is built" if len(mine) == 1 else "are built"
                fed = set(scene.tape.touched({At(layer.pre): None}))  # what is right and comes of dZ says that dZ is right
                where = f"look at {Z}, from which {gradients} {built}, or a step before it"
                if fed - wrong:
                    where = f"look at the line that computes {gradients}: {Z} itself is right"
                return f"counted from the loss, the first wrong gradient is at {layer.title}: {where}"
        return f"look at the lines that compute {' and '.join(f'd{name}' for name in sorted(wrong))}"

    def causes(self, e: Explanation, search: Search | None = None, tentative: bool = False) -> list[Cause]:
        """An explanation as causes, the one with the largest effect first."""
        found = []
        names = tuple(n for n in self.evidence.tape.parameters if tentative or n in e.explained | e.proportional)
        residual = max((r for n, r in e.residuals.items() if n in names), default=0.0)
        for edit, c in zip(e.edits, e.constants, strict=True):
            constant = c if edit.constant is not None else None
            for label, words in edit.split(c):
                line = line_of_cause(self.case.manual, edit, search.scene if search is not None else None, label)
                found.append(Cause(label, edit.where, words, names, residual, edit.right, constant, line, tentative))
        if search is not None and len(found) > 1:
            sizes = search.effects(e)
            found.sort(key=lambda cause: -sizes.get(cause.words, 2.0))
        return found


def all_small(evidence: Evidence) -> bool:
    """Whether all differences are of the size of a difference quotient's error."""
    return all(row.relative is not None and row.relative <= NUMERIC for row in evidence.rows if row.verdict != "right")
