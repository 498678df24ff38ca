"""The catalogue: every mistake that is looked for, generated from the recorded loss itself."""

from __future__ import annotations

from ..edit import Edit, Scene
from .activations import activations
from .batch import batch
from .biases import biases
from .constants import constants
from .dropout import dropout
from .indexing import indexing
from .labels import labels
from .operations import operations
from .outputs import outputs
from .penalties import penalties
from .products import products
from .softmaxes import softmaxes
from .terms import terms

__all__ = ["mistakes"]

CHAPTERS = (
    constants, activations, operations, products, biases, outputs, softmaxes, labels, batch, indexing, penalties, dropout, terms,
)  # fmt: skip


def mistakes(scene: Scene) -> list[Edit]:
    """All of them, each once."""
    found: dict[tuple[object, ...], Edit] = {}
    for chapter in CHAPTERS:
        for edit in chapter(scene):
            found.setdefault(edit.key, edit)
    return list(found.values())
