"""The functions that have no derivative and are NumPy's own: lists of names, from which the package's functions are made.

Their results carry no gradient. Given Tensors, the functions of :data:`CONSTANT` hand their results on as constant Tensors;
the answers of :data:`INSPECTORS` are no arrays. Those of :data:`CREATION` make new Tensors out of numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["CONSTANT", "CREATION", "DTYPES", "EXPORTED", "INSPECTORS", "NUMBERS", "named"]

CONSTANT = """
    equal not_equal less less_equal greater greater_equal isnan isinf isfinite isneginf isposinf isreal iscomplex signbit
    isclose logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_invert
    bitwise_left_shift bitwise_right_shift bitwise_count gcd lcm any all count_nonzero nonzero flatnonzero argmax argmin
    nanargmax nanargmin argsort lexsort argpartition argwhere searchsorted digitize isin unravel_index ravel_multi_index
    zeros_like ones_like empty_like linalg.matrix_rank fft.fftfreq fft.rfftfreq
""".split()
"""Questions and counts, and arrays of a given shape: yes-or-no and whole-number answers have no gradient."""

INSPECTORS = """
    shape ndim size array_equal array_equiv allclose result_type can_cast may_share_memory shares_memory array_repr array_str
    array2string iscomplexobj isrealobj isscalar broadcast_shapes
""".split()
"""Questions whose answer is no array, and NumPy's printing."""

CREATION = """
    arange linspace zeros ones empty eye identity tri logspace geomspace indices fromfunction tril_indices triu_indices
    diag_indices hanning hamming blackman bartlett kaiser
""".split()
"""New arrays out of numbers."""

EXPORTED = """
    equal not_equal less less_equal greater greater_equal isnan isinf isfinite signbit isclose logical_and logical_or
    logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_invert bitwise_left_shift bitwise_right_shift any all
    count_nonzero nonzero argmax argmin searchsorted isin allclose array_equal zeros_like ones_like empty_like arange
    linspace zeros ones empty eye result_type can_cast broadcast_shapes linalg.matrix_rank fft.fftfreq fft.rfftfreq
""".split()
"""Those of the lists above that are functions of the package too; the rest is for NumPy code that meets a Tensor."""

DTYPES = """
    bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128 finfo iinfo isdtype
""".split()
"""The types of numbers, and what is known about them: NumPy's own objects."""

NUMBERS = """
    e inf nan newaxis pi
""".split()
"""The constants."""


def named(name: str) -> Callable[..., Any] | None:
    """NumPy's function of that name (``linalg.matrix_rank``), or None where this version of NumPy has none."""
    found: Any = np
    for part in name.split("."):
        found = getattr(found, part, None)
    return found  # type: ignore[no-any-return]  # an attribute of a module


CONSTANT_FUNCTIONS = {f for f in map(named, CONSTANT) if f is not None}
INSPECTING_FUNCTIONS = {f for f in map(named, INSPECTORS) if f is not None}
