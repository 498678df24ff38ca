"""From the computation that was traced to the one that is written: primitives taken apart; rewritten, unless every bit counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..kernels.shapes import count
from ..primitive import Primitive
from ..symbols import Symbol, Trace, ancestors
from .rewrite import SWAP, rewritten

__all__ = ["Check", "Lowered", "lowered", "new_trace"]

Check = tuple[Callable[..., None], Symbol, tuple[Any, ...]]
"""What is required of a value whenever the program runs: check(array, *more) raises if it cannot be used."""

INLINED = {
    "relu", "leaky_relu", "elu", "hardtanh", "sigmoid", "log_sigmoid", "softplus", "softsign", "silu", "softmax", "log_softmax",
    "cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "mean", "radial",
}  # fmt: skip
"""Functions that are taken apart, so that their parts have buffers and share what they have in common."""


def mean(x: Any, *, axis: Any, keepdims: bool) -> Any:
    """Σ x / n, as np.mean computes it."""
    if x.dtype == np.float16:
        return (np.sum(x, axis=axis, dtype=np.float32, keepdims=keepdims) / count(x, axis)).astype(x.dtype)
    return np.sum(x, axis=axis, keepdims=keepdims) / count(x, axis)


def is_inlined(op: Primitive) -> bool:
    """Whether a primitive is taken apart."""
    return op.name in INLINED


class Lowered(NamedTuple):
    """What is to be written."""

    found: dict[Symbol, Symbol]  # the Symbols of the trace, and what each one is now
    quiet: set[Symbol]
    checks: list[Check]


def new_trace(exact: bool) -> Trace:
    """What a function is traced with. Equal parts of it are one, unless every bit counts: that changes the order of sums."""
    return Trace(merge=not exact, swap={} if exact else SWAP)


def lowered(trace: Trace, outputs: Sequence[Symbol], others: Iterable[Symbol], names: Mapping[Symbol, str], exact: bool) -> Lowered:
    """The outputs, with all that they are computed from, in the form in which they are written."""
    target = Trace(is_inlined, {"mean": mean}) if exact else Trace(is_inlined, {"mean": mean}, rewritten)
    found = target.replayed(ancestors([*outputs, *others, *(s for _, s, _ in trace.checks)]))
    for old, name in names.items():
        if old in found:
            found[old].name = name
    required = [*((check, found[s], more) for check, s, more in trace.checks), *target.checks]
    whole = ancestors(found[s] for s in outputs)
    checked = {s.inputs[1] for s in whole if s.op is not None and s.op.name == "fused_cross_entropy"}  # by the loss itself
    checks = [check for check in dict.fromkeys(required) if check[1] not in checked]
    target.forget()
    return Lowered(found, {found[s] for s in trace.quiet if s in found} | target.quiet, checks)
