"""The catalogue: every mistake that is looked for, generated from the recorded loss itself."""

from __future__ import annotations

from ..edit import Edit, Scene
from .activations import activations
from .batch import batch, counts
from .biases import biases
from .constants import constants
from .dropout import dropout
from .formulas import formulas
from .indexing import indexing
from .kinks import kinks
from .labels import labels
from .operations import operations
from .outputs import outputs
from .penalties import penalties
from .products import products
from .softmaxes import softmaxes
from .terms import terms

__all__ = ["fitted", "mistakes"]

CHAPTERS = (
    constants, activations, operations, products, biases, outputs, softmaxes, labels, batch, indexing, penalties, dropout, terms,
    kinks,
)  # fmt: skip


def fitted(scene: Scene) -> list[Edit]:
    """What is found from the user's numbers: how often samples were counted, an unknown formula for a derivative."""
    return [*counts(scene), *formulas(scene)]


def mistakes(scene: Scene) -> list[Edit]:
    """All of them, each once."""
    found: dict[tuple[object, ...], Edit] = {}
    for chapter in CHAPTERS:
        for edit in chapter(scene):
            found.setdefault(edit.key, edit)
    return list(found.values())
