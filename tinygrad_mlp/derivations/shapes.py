"""Rules of assignment."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.shapes import last_writes


def assigned(g: Any, y: Any, index: Any) -> Any:
    """z = x with z[index] = y  ⇒  ȳ = g[index]. Where an index occurs twice the last value stays, and only that one gets g."""
    written = last_writes(g.shape, index)
    gy = g[index] if written is None else np.where(written, g[index], 0)
    surplus = np.ndim(y) - gy.ndim  # x[0] = y also takes a y of shape (1, n)
    return np.expand_dims(gy, tuple(range(surplus))) if surplus > 0 else gy
