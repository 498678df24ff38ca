"""Run what ``derive`` has written, with NumPy and nothing else, and measure how far it is from the engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mlp import Tensor
from tinygrad_mlp.chainrule import Derivation


def execute(derivation: Derivation, source: str = "") -> tuple[Any, dict[str, Any]]:
    """Execute the module in an empty namespace and call its function with the arrays of the computation."""
    space: dict[str, Any] = {"__name__": "written"}
    exec(compile(source or derivation.source(), "written.py", "exec"), space)  # noqa: S102  # what is tested
    return space[derivation.function](*arguments(derivation))  # type: ignore[no-any-return]


def arguments(derivation: Derivation) -> list[Any]:
    """What the function is called with: known once the source has been written. Random generators start anew."""
    plan = derivation.plan
    extra = [np.random.default_rng(5) if isinstance(x, np.random.Generator) else x for x in plan.arrays.values()]
    return [*(array_of(s.value) for s in plan.arguments), *extra]


def array_of(value: Any) -> np.ndarray:
    """The numbers of an input."""
    return value.array if isinstance(value, Tensor) else np.asarray(value)


def units(found: Any, expected: Any) -> float:
    """The largest difference, in units of the last place of the largest entry, or of 1 if all are smaller."""
    a, b = np.asarray(found), np.asarray(expected)
    assert a.shape == b.shape, f"shapes {a.shape} and {b.shape}"
    assert a.dtype == b.dtype, f"dtypes {a.dtype} and {b.dtype}"
    if not a.size or np.array_equal(a, b, equal_nan=True):
        return 0.0
    finite = np.isfinite(b)
    assert np.array_equal(np.isfinite(a), finite), "one has NaN or ∞ where the other has not"
    assert np.array_equal(a[~finite], b[~finite], equal_nan=True)
    scale = max(1.0, float(np.max(np.abs(b[finite]), initial=0)))
    return float(np.max(np.abs(a[finite] - b[finite]))) / scale / float(np.finfo(b.dtype).eps)


def gradients_of(derivation: Derivation, found: dict[str, Any]) -> dict[int, Any]:
    """The gradients by the identity of the Tensors that they belong to."""
    return {id(p.value): g for p, g in zip(derivation.plan.parameters, found.values(), strict=True)}
