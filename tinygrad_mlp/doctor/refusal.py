"""Why manual() raised: it is asked again with one thing changed, and what lets it return was the cause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..kernels.shapes import Array
from .case import Answer, Case, UnjudgeableError
from .diagnosis import Cause
from .evidence import Evidence
from .lines import line_of_exception
from .mistakes.head import Head, head_of

__all__ = ["cause_of"]

SHAPE = re.compile(r"\((\d+), ?(\d+)\)")
OUTSIDE = re.compile(r"index (\d+) is out of bounds for axis \d with size (\d+)")
"""How NumPy names two-dimensional shapes, and an index that an axis does not have."""


def cause_of(evidence: Evidence, error: BaseException) -> Cause | None:
    """The cause of an exception in manual(); None where no experiment shows it."""
    if not isinstance(error, (ValueError, IndexError)) or evidence.case.manual is None:
        return None
    heads = [head for layer in evidence.scene.marks.layers if (head := head_of(evidence.scene, layer)) is not None]
    head = heads[0] if len(heads) == 1 else None
    found = other_form(evidence, head) or (other_classes(evidence, head, str(error)) if head is not None else None)
    if found is None:
        return None
    words, right = found
    return Cause("label_error", "the labels", words, (), 0.0, right, line=line_of_exception(error))


def answered(case: Case, X: Any, y: Any, params: Mapping[str, Array]) -> Answer | None:
    """What manual() returns for other data, if these are all gradients, in their shapes."""
    try:
        answer = case.at(X, y, params).ask()
    except UnjudgeableError:
        return None
    complete = all(name in answer.gradients and answer.gradients[name].shape == p.shape for name, p in params.items())
    return answer if answer.raised is None and complete else None


# --- labels (m,) and (m, 1) ---------------------------------------------------------------------------------------------


def other_form(evidence: Evidence, head: Head | None) -> tuple[str, str] | None:
    """The same labels as a column in place of a list, or the other way round."""
    case, y = evidence.case, evidence.case.y
    if not isinstance(y, np.ndarray) or case.m < 2 or y.shape not in ((case.m,), (case.m, 1), (1, case.m)):
        return None
    m = case.m
    other = y.reshape(-1, 1) if y.ndim == 1 else y.reshape(-1)
    answer = answered(case, case.X, other, case.params)
    if answer is None:
        return None
    true = evidence.tape.gradients
    wrong = [f"d{name}" for name, g in answer.gradients.items() if not evidence.judge.same(name, g, true[name])]
    then = f"of which {', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} wrong" if wrong else "and they are right"
    grown = f", so that a difference to outputs of shape ({m}, 1) is a matrix ({m}, {m})" if outputs_in_a_column(head, y) else ""
    words = (
        f"the labels have shape {y.shape}{grown}: with the same labels in shape {other.shape} manual() returns gradients, {then}"
    )
    return words, f"labels of shape {other.shape}: y.reshape({'-1, 1' if other.ndim == 2 else '-1'})"


def outputs_in_a_column(head: Head | None, y: Array) -> bool:
    """Whether labels (m,) stand against outputs (m, 1)."""
    return head is not None and head.z.shape == (len(y), 1) and y.ndim == 1


# --- a number of classes in the code ------------------------------------------------------------------------------------


def other_classes(evidence: Evidence, head: Head, message: str) -> tuple[str, str] | None:
    """As many outputs as the code has classes: 10 for the 10 in ``np.zeros((m, 10))``."""
    case, layer = evidence.case, head.layer
    if head.z.ndim != 2 or len(layer.weights) != 1 or not isinstance(case.y, np.ndarray) or case.y.dtype.kind not in "iu":
        return None
    m, k = head.z.shape
    if k < 2 or case.y.size != m:
        return None
    for n, shown in fixed_numbers(message, m, k, case.y):
        if answered(case, case.X, case.y % n, resized(case, head, k, n)) is None:
            continue
        (W,) = layer.weights
        width = f"{W}.shape[{0 if head.columns else 1}]"
        words = f"{n} classes are fixed in the code, but {layer.title} has {k} outputs: {shown}. With {n} outputs manual() returns"
        size, here = (f"({width}, {m})", (k, m)) if head.columns else (f"({m}, {width})", (m, k))
        return words, f"the one-hot matrix has a class for each output: np.zeros({size}), here of shape {here}"
    return None


def fixed_numbers(message: str, m: int, k: int, y: Array) -> Iterator[tuple[int, str]]:
    """The numbers of classes besides k that a message speaks of, with what it says."""
    shapes = [(int(a), int(b)) for a, b in SHAPE.findall(message)]
    for shape in dict.fromkeys(shapes):
        for own, n, same in (((m, k), shape[1], shape[0] == m), ((k, m), shape[0], shape[1] == m)):
            if own in shapes and same and n not in (k, 0, 1):
                yield n, f"a matrix {shape} meets one of {own}"
    if (found := OUTSIDE.search(message)) is not None:
        label, n = int(found[1]), int(found[2])
        if 1 < n < k and np.any(y == label):
            yield n, f"the label {label} has no place there"


def resized(case: Case, head: Head, k: int, n: int) -> dict[str, Array]:
    """The parameters with n outputs of the last layer, those that there are again and again."""
    params = dict(case.params)
    for name in (*head.layer.weights, *head.layer.biases):
        p = params[name]
        axis = 0 if head.columns or p.ndim == 1 else p.ndim - 1
        if p.shape[axis] == k:
            params[name] = np.take(p, np.arange(n) % k, axis=axis)
    return params
