"""A mistake as an edit of the true backward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..kernels.shapes import Array
from .case import Case
from .landmarks import Landmarks
from .tape import Changes, Tape

__all__ = ["Constant", "Edit", "Scene"]


class Scene(NamedTuple):
    """What mistakes are generated from: one case, its true backward pass, what its values are, and the user's numbers."""

    case: Case
    tape: Tape
    marks: Landmarks
    user: Mapping[str, Array]


class Constant(NamedTuple):
    """An unknown number of an edit, which is found from the user's numbers.

    Attributes
    ----------
    start : where its search starts
    neutral : the number with which nothing is changed
    naming : the label and the words, when it is known
    """

    start: float
    neutral: float
    naming: Callable[[float], tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Edit:
    """One step of the backward pass done otherwise.

    Attributes
    ----------
    key : what it is, in terms that hold for other data too
    label : of the catalogue
    where : the step, in words: "layer 1", "b2"
    words : what was done, in a clause: "the derivative of tanh at Z1 left out"
    changes : the changed steps; of an unknown constant c, a function of it
    right : the right line of the chain rule
    constant : the unknown constant, if there is one
    family : the same for one mistake at several places
    weight : how often it is seen, from the catalogue; larger first
    local : whether it concerns one parameter only, at its own last step
    """

    key: tuple[Any, ...]
    label: str
    where: str
    words: str
    changes: Changes | Callable[[float], Changes]
    right: str = ""
    constant: Constant | None = None
    family: tuple[Any, ...] = ()
    weight: float = 1.0
    local: bool = False

    def at(self, c: float) -> Changes:
        """The changed steps."""
        return self.changes(c) if callable(self.changes) else self.changes

    @property
    def start(self) -> float:
        """A constant with which it changes something."""
        return self.constant.start if self.constant is not None else 0.0

    def split(self, c: float) -> list[tuple[str, str]]:
        """Labels and words; a factor −c is two mistakes: a factor c, and a sign."""
        if self.constant is None or c > -1e-9 or self.label != "constant_factor":
            return [self.named(c)]
        sign, factor = self.named(-1.0), self.named(-c)
        return [sign] if c == -1 or self.named(c) == sign else [factor, sign]

    def named(self, c: float) -> tuple[str, str]:
        """The label and the words, with its constant."""
        return self.constant.naming(c) if self.constant is not None else (self.label, self.words)
