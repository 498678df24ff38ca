"""What the doctor found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Cause", "Diagnosis", "Row", "Unexercised"]


class Row(NamedTuple):
    """What was found for one parameter.

    Attributes
    ----------
    name, shape : the parameter
    user_shape : the shape of the gradient that was given; ``None`` if there was none
    relative : ‖given − true‖ over the larger norm; ``None`` where shapes differ
    ratio : given over true, where the one is a multiple of the other; else ``None``
    verdict : right, wrong, shape, missing, or NaN
    """

    name: str
    shape: tuple[int, ...]
    user_shape: tuple[int, ...] | None
    relative: float | None
    ratio: float | None
    verdict: str


@dataclass(frozen=True)
class Cause:
    """One mistake.

    Attributes
    ----------
    label : of the catalogue
    where : the layer, parameter or operation that it concerns
    words : what was done, a clause: "the ReLU mask of layer 1 left out"
    parameters : those whose numbers it explains
    residual : what remains: the largest ‖given − explained‖ over the larger norm
    right : the right line of the chain rule, with shapes
    constant : the number that was found for an unknown constant, if there is one
    line : the user's line to change, ``file:line: text``; empty if it was not found
    tentative : whether this is only what the numbers are nearest to
    """

    label: str
    where: str
    words: str
    parameters: tuple[str, ...]
    residual: float
    right: str = ""
    constant: float | None = None
    line: str = ""
    tentative: bool = False


@dataclass(frozen=True)
class Unexercised:
    """A mistake that this batch could not have shown, and the input that would show it."""

    label: str
    words: str
    needed: str


@dataclass
class Diagnosis:
    """The finding: prints as a report; ``ok`` says whether every gradient is right on this batch.

    Attributes
    ----------
    ok : whether all gradients are right
    rows : a :class:`Row` a parameter
    causes : the mistakes that explain the numbers, likeliest first
    remarks : what else was noticed, in sentences
    unexercised : what this batch could not show
    elsewhere : what is wrong on other data, though not on this batch
    alternatives : other single explanations that give the same numbers
    legend : what names stand for that are not the user's own, such as Z1
    """

    ok: bool
    rows: list[Row]
    causes: list[Cause] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unexercised: list[Unexercised] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    alternatives: list[Cause] = field(default_factory=list)
    legend: dict[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> list[str]:
        """The names of the parameters whose gradient is wrong."""
        return [row.name for row in self.rows if row.verdict != "right"]

    @property
    def labels(self) -> list[str]:
        """The labels of the causes, best first; ``["correct"]`` when all is well, ``["unknown"]`` if nothing gives the numbers."""
        if self.ok:
            return ["correct"]
        return list(dict.fromkeys(cause.label for cause in self.causes)) or ["unknown"]

    def __str__(self) -> str:
        from .report import as_text

        return as_text(self)

    __repr__ = __str__

    def markdown(self) -> str:
        """The report in Markdown."""
        from .report import as_markdown

        return as_markdown(self)

    def _repr_html_(self) -> str:
        from .report import as_html

        return as_html(self)
