"""Gradients that are NaN or infinite: which, and why, where an experiment with manual() tells it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..kernels import activations as kernels
from .case import UnjudgeableError
from .evidence import Evidence
from .mistakes.head import Head, head_of, output_line

__all__ = ["not_finite"]

TRIED = 3
"""So many samples are asked about one by one."""


def not_finite(evidence: Evidence, names: Sequence[str]) -> list[str]:
    """What is to be said of them, in sentences."""
    amounts = []
    for name in names:
        bad = ~np.isfinite(evidence.user[name])
        amounts.append(f"{name} ({'every entry' if bad.all() else f'{int(bad.sum())} of {bad.size} entries'})")
    why = saturated(evidence)
    known = [] if why else ["such numbers come of 0 · ∞, of 0/0, of a division by 0 or of an overflow, as in np.exp(800)"]
    return [f"NaN or infinity in the gradient of {', '.join(amounts)}", *why, *known]


def saturated(evidence: Evidence) -> list[str]:
    """Whether it comes of samples whose sigmoid is rounded to 0 or 1, where y/a or (1 − y)/(1 − a) divides by zero.

    manual() is asked for the other samples together, and for each of these alone.
    """
    case, scene = evidence.case, evidence.scene
    heads = [head for layer in scene.marks.layers if (head := head_of(scene, layer)) is not None]
    if case.manual is None or len(heads) != 1 or heads[0].f != "sigmoid" or heads[0].scale is None:
        return []
    head = heads[0]
    full = rounded(head, case.precision)
    some, others = np.flatnonzero(full).tolist(), np.flatnonzero(~full).tolist()
    if not some or not others or len(full) != case.m:
        return []
    if not finite(evidence, others) or any(finite(evidence, [row]) is not False for row in some[:TRIED]):
        return []
    return [
        f"it comes of the samples whose output, P = the sigmoid of {head.name}, is rounded to exactly 0 or 1: {len(some)} of the "
        f"{case.m}. Without them manual() returns numbers, with one of them alone it does not: Y/P or (1 − Y)/(1 − P) divides by "
        f"zero there, and P(1 − P) is 0. Multiplied out it cancels, and is finite everywhere: {output_line(scene)}"
    ]


def rounded(head: Head, precision: np.dtype[np.floating]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Of each sample, whether its sigmoid is 0 or 1 in the user's arithmetic, though np.exp(|z|) does not overflow."""
    z = head.z.reshape(len(head.z), -1).astype(precision)
    a = kernels.sigmoid(z)
    limit = float(np.log(np.finfo(precision).max))
    return np.asarray(np.any(((a == 0) | (a == 1)) & (np.abs(z) < limit), axis=1))


def finite(evidence: Evidence, rows: Sequence[int]) -> bool | None:
    """Whether manual() returns finite numbers for some of the samples; None if it does not return."""
    try:
        answer = evidence.case.part(rows).ask()
    except UnjudgeableError:
        return None
    if answer.raised is not None or not answer.gradients:
        return None
    return all(np.isfinite(g).all() for g in answer.gradients.values())
