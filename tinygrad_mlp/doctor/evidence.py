"""What is known before any cause is looked for: the two gradients of every parameter, and how they compare."""

from __future__ import annotations

import copy
import time
from functools import cached_property
from typing import Any, Self

import numpy as np

from ..kernels.shapes import Array
from .case import Case, UnjudgeableError, as_gradients
from .diagnosis import Row
from .edit import Edit, Scene
from .families import merged
from .judge import Judge, norm
from .kinks import Slopes, conventions, derivatives
from .landmarks import Landmarks
from .mistakes import mistakes
from .tape import Tape

__all__ = ["NEAR", "Evidence"]

NEAR = 1e-3
"""Up to here a rest that remains is called small: an eps of 1e-7 in a logarithm leaves some 1e-4 on confident rows."""


ROWS = 16
"""The size of the part of a large batch that is searched."""


class Evidence:
    """The case on one batch.

    Attributes
    ----------
    case, tape, judge : the functions and data, the true backward pass, when numbers are the same
    answer : what the backprop by hand returned
    user : its gradients by name, zeros for those that are missing
    rows : a :class:`Row` a parameter
    slopes : those at the kinks, where they are others than the loss's own
    seconds : how long one recorded pass takes

    Raises
    ------
    UnjudgeableError
        If the loss fails, is no number, or is not the same when it is computed again.
    """

    def __init__(self, case: Case, gradients: Any = None) -> None:
        started = time.monotonic()
        self.case, self.tape = case, case.tape()
        self.seconds = time.monotonic() - started
        self.slopes: Slopes = {}
        again = case.tape().gradients
        if any(not np.array_equal(g, again[name], equal_nan=True) for name, g in self.tape.gradients.items()):
            raise UnjudgeableError(
                "the loss is another one each time it is computed: pass dropout's mask with the data, or make the generator inside "
                "loss(), so that both functions see the same numbers"
            )
        self.answer = case.ask() if gradients is None else as_gradients(gradients, case.params)
        self.judge = Judge.of(case, self.tape, self.answer.gradients)
        self.user: dict[str, Array] = {
            name: self.answer.gradients.get(name, np.zeros_like(g)) for name, g in self.tape.gradients.items()
        }
        self.rows = [self.row(name) for name in self.tape.parameters]

    def row(self, name: str) -> Row:
        """What is to be said of one parameter."""
        true, given = self.tape.gradients[name], self.answer.gradients.get(name)
        if given is None:
            verdict = "missing" if norm(true) > self.judge.tolerance(name) or self.answer.raised is not None else "right"
            return Row(name, true.shape, None, None, None, verdict)
        if given.shape != true.shape:
            return Row(name, true.shape, given.shape, None, None, "shape")
        if not np.isfinite(given).all():
            return Row(name, true.shape, given.shape, None, None, "NaN")
        relative = self.judge.relative(given, true)
        ratio = None
        if size := float(np.vdot(true, true)):
            c = float(np.vdot(true, given)) / size
            if c and self.judge.relative(given, c * true) <= max(NEAR, 1e3 * self.judge.eps):
                ratio = c
        verdict = "right" if self.judge.same(name, given, true) else "wrong"
        return Row(name, true.shape, given.shape, relative, ratio, verdict)

    def with_slopes(self, slopes: Slopes) -> Self:
        """The same answer beside the gradients that are true with these slopes at the kinks."""
        if not slopes:
            return self
        found = copy.copy(self)
        for name in ("scene", "sketched", "edits"):
            found.__dict__.pop(name, None)
        found.slopes = slopes
        found.tape = Tape(self.tape.loss, self.tape.parameters, derivatives(self.tape, slopes))
        found.judge = self.judge.shifted(found.tape.gradients)
        found.rows = [found.row(name) for name in found.tape.parameters]
        return found

    def forgiven(self) -> list[Self]:
        """The same answer beside each of the other gradients that are as true: those with another slope at the kinks."""
        found = [self.with_slopes(slopes) for slopes in conventions(self.tape)]
        true = self.tape.gradients
        return [e for e in found if not all(self.judge.same(name, g, true[name]) for name, g in e.tape.gradients.items())]

    @property
    def wrong(self) -> list[str]:
        """The parameters whose gradients are wrong."""
        return [row.name for row in self.rows if row.verdict != "right"]

    @cached_property
    def scene(self) -> Scene:
        """What mistakes are generated from."""
        return Scene(self.case, self.tape, Landmarks(self.tape, self.case), self.user)

    @cached_property
    def sketched(self) -> Judge:
        """The judge with which causes are looked for."""
        return self.judge.sketched()

    @cached_property
    def edits(self) -> list[Edit]:
        """The mistakes that are looked for."""
        return merged(mistakes(self.scene))

    def shapes(self) -> list[str]:
        """Which gradients have another shape than their parameters, and what grew."""
        found, m = [], self.case.m
        for row in self.rows:
            if row.verdict != "shape" or row.user_shape is None:
                continue
            text = f"the gradient of {row.name} has shape {row.user_shape}, {row.name} itself {row.shape}"
            if int(np.prod(row.user_shape)) == int(np.prod(row.shape)) and len(row.user_shape) != len(row.shape):
                grown = np.broadcast_shapes(row.user_shape, row.shape)
                how = "with keepdims=True" if len(row.user_shape) < len(row.shape) else "without keepdims, or reshape"
                text += f": {row.name} − rate · gradient would broadcast to {grown}; sum {how}"
            elif row.user_shape == row.shape[::-1]:
                text += ": transposed"
            elif row.user_shape == ():
                text += ": it was summed to one number"
            elif m in row.user_shape and m not in row.shape:
                text += (
                    f": an axis of length m = {m}, the batch, is left; it was not summed over, or it grew by broadcasting, as "
                    f"(m,) against (m, 1) does"
                )
            found.append(text)
        return found

    def smaller(self, wrong: list[str]) -> Evidence | None:
        """A part of a large batch that shows the same."""
        if self.case.m <= ROWS or self.case.manual is None:
            return None
        try:
            found = Evidence(self.case.part(range(ROWS))).with_slopes(self.slopes)
        except UnjudgeableError:  # the loss is not made for other batches
            return None
        return found if found.answer.raised is None and found.wrong == wrong else None
