"""The search for the edits of the true backward pass that give the user's numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import GradientError
from ..kernels.shapes import Array
from .edit import Edit
from .evidence import Evidence
from .families import together
from .judge import distance, norm

__all__ = ["Explanation", "Search"]

Accept = Callable[[list["Explanation"]], list["Explanation"]]
"""What is left of explanations when other data have been asked."""

BEAM = 24
"""How many first mistakes are followed by a second one."""

PLAIN = {"missing_batch_mean", "double_batch_mean", "sign_flipped", "gradient_zero", "l2_missing", "l2_sign", "accumulated"}
"""Labels of constants that are no free numbers."""

STEPS = 12
"""How often an unknown constant is improved."""


@dataclass
class Explanation:
    """One or more edits, their constants, and how well they give the user's numbers.

    Attributes
    ----------
    edits, constants : what was done; the constant of an edit that has none is 0
    residuals : ‖user − given‖ relative to the larger, by parameter
    explained : the wrong parameters whose numbers it gives, rounding aside
    proportional : those whose numbers it gives up to a factor
    """

    edits: tuple[Edit, ...]
    constants: tuple[float, ...]
    residuals: dict[str, float] = field(default_factory=dict)
    explained: set[str] = field(default_factory=set)
    proportional: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)

    @property
    def labels(self) -> list[str]:
        """The labels of its edits."""
        return [edit.named(c)[0] for edit, c in zip(self.edits, self.constants, strict=True)]

    @property
    def weight(self) -> float:
        """How often such a thing is seen; several edits and free constants count against it."""
        w = 1.0
        for edit, c in zip(self.edits, self.constants, strict=True):
            odd = edit.constant is not None and edit.named(c)[0] not in PLAIN
            w *= edit.weight / 20 * (0.5 if odd else 1.0)
        return w

    @property
    def residual(self) -> float:
        """The largest of those of the parameters."""
        return max(self.residuals.values(), default=0.0)


class Search:
    """One search.

    Parameters
    ----------
    evidence : the case
    wrong : the parameters whose gradients are wrong
    seconds : how long it may take
    """

    def __init__(self, evidence: Evidence, wrong: Sequence[str], seconds: float) -> None:
        self.scene, self.judge, self.wrong = evidence.scene, evidence.sketched, list(wrong)
        self.user = {name: self.judge.view(name, u) for name, u in evidence.user.items()}
        self.true = {name: self.judge.view(name, g) for name, g in evidence.tape.gradients.items()}
        self.edits = evidence.edits
        self.deadline = time.monotonic() + seconds
        self.right = [name for name in self.true if name not in self.wrong]
        self.halves: list[Explanation] = []
        """Two mistakes that explain more than one of them, though not everything."""

    # --- one combination ----------------------------------------------------------------------------------------------

    def run(self, edits: Sequence[Edit], constants: Sequence[float]) -> dict[str, Array] | None:
        """The gradients of a changed pass; None if the changes do not fit together, or cannot be computed."""
        changes = together([edit.at(c) for edit, c in zip(edits, constants, strict=True)])
        if changes is None:
            return None
        try:
            with np.errstate(all="ignore"):
                found = self.scene.tape.run(changes)
        except (ValueError, IndexError, TypeError, GradientError):  # the arrays do not fit: nobody can have computed this
            return None
        return {name: self.judge.view(name, g) for name, g in found.items()}

    def explain(self, edits: Sequence[Edit], constants: Sequence[float], found: dict[str, Array]) -> Explanation:
        """How well a changed pass gives the user's numbers."""
        e = Explanation(tuple(edits), tuple(constants))
        for name in self.wrong:
            u, g = self.user[name], found[name]
            if np.any(g) != np.any(u):  # zeros are exact
                e.residuals[name] = 1.0
                continue
            e.residuals[name] = self.judge.relative(u, g)
            if self.judge.same(name, u, g):
                e.explained.add(name)
            elif np.shape(u) == np.shape(g) and (s := float(np.vdot(g, g))) > 0 and np.isfinite(s):
                factor = float(np.vdot(g, u)) / s
                if factor and self.judge.same(name, u, factor * g):
                    e.proportional.add(name)
        e.broken = {name for name in self.right if not self.judge.same(name, self.user[name], found[name])}
        return e

    def fitted(self, edits: Sequence[Edit], constants: Sequence[float], extra: Edit) -> Iterable[Explanation]:
        """The edits and a further one; if that has an unknown constant, it is found from each wrong parameter that it moves."""
        if extra.constant is None:
            found = self.run((*edits, extra), (*constants, 0.0))
            if found is not None:
                yield self.explain((*edits, extra), (*constants, 0.0), found)
            return
        touched = [name for name in self.touched(extra) if name in self.wrong]
        seen: list[float] = []
        for name in touched[:6]:
            c = self.constant(lambda c: self.run((*edits, extra), (*constants, c)), name, extra.start)
            if c is None or any(abs(c - other) <= 1e-9 * max(abs(c), abs(other)) for other in seen):
                continue
            seen.append(c)
            if abs(c - extra.constant.neutral) <= (1e-3 if extra.constant.neutral == 1 else 1e-12):  # nobody errs by so little
                continue
            found = self.run((*edits, extra), (*constants, c))
            if found is not None:
                e = self.explain((*edits, extra), (*constants, c), found)
                yield e
                if len(e.explained) == len(self.wrong):
                    return

    def touched(self, edit: Edit) -> list[str]:
        """The parameters that an edit can move."""
        return self.scene.tape.touched(edit.at(edit.start))

    def constant(self, f: Callable[[float], dict[str, Array] | None], name: str, start: float) -> float | None:
        """The constant with which f(c) comes nearest to the user's numbers of one parameter (Gauss–Newton; linear ones at once)."""
        c, step = start, 1.0
        u = self.user[name]
        for turn in range(STEPS):
            here = f(c)
            there = f(c + step)
            if here is None or there is None or here[name].shape != u.shape or there[name].shape != u.shape:
                return None
            slope = (there[name] - here[name]) / step
            size = float(np.vdot(slope, slope))
            if size == 0 or not np.isfinite(size):
                return None
            move = float(np.vdot(slope, u - here[name])) / size
            if not np.isfinite(move):
                return None
            if turn == 0:
                landed = f(c + move)
                if landed is None:
                    return None
                straight = here[name] + move * slope
                if distance(landed[name], straight) <= 1e-9 * max(norm(straight), norm(here[name])):
                    return tidy(c + move)
                step = 1e-4  # not linear: with small steps from now on
                continue
            c += move
            if abs(move) <= 1e-13 * max(abs(c), 1e-3):
                break
            step = 1e-4 * max(abs(c), 1e-2)
        return tidy(c)

    # --- the search ---------------------------------------------------------------------------------------------------

    def left(self) -> float:
        """The seconds that remain."""
        return max(self.deadline - time.monotonic(), 0.1)

    def late(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self.deadline

    def singles(self, edits: Iterable[Edit] | None = None) -> list[Explanation]:
        """Every edit by itself."""
        wrong = set(self.wrong)
        found: list[Explanation] = []
        for edit in self.edits if edits is None else edits:
            if self.late():
                break
            if wrong.isdisjoint(self.touched(edit)):
                continue
            found.extend(self.fitted((), (), edit))
        return found

    def complete(self, explanations: Iterable[Explanation]) -> list[Explanation]:
        """Those that explain everything, the likeliest first."""
        whole = [e for e in explanations if e.explained == set(self.wrong) and not e.broken and self.evidence_in(e) > 0]
        zero = not any(np.any(self.user[name]) for name in self.wrong)  # then that is what it is, whatever else gives zeros
        return sorted(whole, key=lambda e: (zero and e.labels != ["gradient_zero"], -e.weight))

    def evidence_in(self, e: Explanation) -> int:
        """How many more numbers it gives than it takes: a factor that is found from one number explains nothing by itself."""
        given = sum(self.true[name].size for name in e.explained)
        odd = [c for edit, c in zip(e.edits, e.constants, strict=True) if edit.constant is not None and not is_plain(c)]
        return given - len(odd)

    def promising(self, explanations: Iterable[Explanation]) -> list[Explanation]:
        """What may be the first of two mistakes: it gives some of the numbers, or all of some parameter up to a factor."""
        some = [e for e in explanations if (e.explained or e.proportional) and not e.broken]
        return sorted(some, key=lambda e: (-len(e.explained), -len(e.explained | e.proportional), -e.weight))

    def followed(self, first: Explanation) -> list[Explanation]:
        """One explanation and every further edit that moves what it leaves open."""
        open_ = set(self.wrong) - first.explained
        found: list[Explanation] = []
        for edit in self.edits:
            if self.late():
                break
            if edit in first.edits or open_.isdisjoint(self.touched(edit)):
                continue
            found.extend(self.fitted(first.edits, first.constants, edit))
        return found

    def pairs(self, singles: Sequence[Explanation], sure: Accept) -> Iterator[list[Explanation]]:
        """Two mistakes, one first mistake after the other: those that explain everything and that are sure."""
        for first in self.promising(singles)[:BEAM]:
            if self.late():
                return
            seconds = self.followed(first)
            yield sure(self.complete(seconds))
            self.halves += [e for e in seconds if len(e.explained) > len(first.explained) and not e.broken]

    def triples(self, sure: Accept) -> Iterator[list[Explanation]]:
        """Three mistakes, of which two are among the best pairs."""
        for pair in sorted(self.halves, key=lambda e: (-len(e.explained), -e.weight))[: BEAM // 4]:
            if self.late():
                return
            yield sure(self.complete(self.followed(pair)))

    def almost(self, found: Iterable[Explanation], near: float) -> list[Explanation]:
        """Explanations that leave a small rest, where much was to be explained."""
        before = min((self.judge.relative(self.user[n], self.true[n]) for n in self.wrong), default=0.0)
        good = [e for e in found if not e.broken and e.residuals and e.residual <= near and 30 * e.residual <= before]
        least = min((e.residual for e in good), default=0.0)
        return sorted(good, key=lambda e: (e.residual > 10 * least, -e.weight))

    def effects(self, e: Explanation) -> dict[str, float]:
        """By how much each of several edits moves the gradients, relative to them, by its words: the others stay."""
        sizes: dict[str, float] = {}
        whole = self.run(e.edits, e.constants) or {}
        for i, (edit, c) in enumerate(zip(e.edits, e.constants, strict=True)):
            rest = self.run(e.edits[:i] + e.edits[i + 1 :], e.constants[:i] + e.constants[i + 1 :]) or {}
            moved = [self.judge.relative(whole[name], g) for name, g in rest.items()]
            sizes[edit.named(c)[1]] = max(moved, default=float("inf"))
        return sizes

    def blind_pairs(self, singles: Sequence[Explanation], sure: Accept) -> Iterator[list[Explanation]]:
        """Every two edits: for two mistakes of which neither alone gives any of the numbers."""
        fitting = {e.edits[0].key: e.edits[0] for e in singles if not e.broken}
        edits = sorted(fitting.values(), key=lambda e: -e.weight)
        for total in range(1, 2 * len(edits) - 2):  # the likelier both of them, the earlier
            for i in range(max(0, total - len(edits) + 1), (total + 1) // 2):
                first, second = sorted((edits[i], edits[total - i]), key=lambda e: e.constant is not None)
                if self.late():
                    return
                if first.constant is None:  # two unknown constants explain too much
                    yield sure(self.complete(self.fitted((first,), (0.0,), second)))


def tidy(c: float) -> float:
    """Zero for what is zero but for rounding: zeros are exact."""
    return 0.0 if abs(c) < 1e-12 else c


def is_plain(c: float) -> bool:
    """Whether a constant is a number that people write: a whole one, or one over a whole one."""
    return any(abs(x - round(x)) <= 1e-6 * abs(x) for x in (c, 1 / c if c else 0.0)) and abs(c) < 1e6
