"""The scale of gradients: five steps, logarithmic, between the smallest and the largest one of a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .ir import Edge

__all__ = ["graded"]


def graded(edges: Sequence[Edge]) -> dict[str, float] | None:
    """Give every edge its step on the logarithmic ramp of gradient sizes; returns the ends of the ramp."""
    sizes = [e["gradient"]["rms"] for e in edges if e["state"] == "flow" and e["gradient"] is not None and e["gradient"]["rms"] > 0]
    if not sizes:
        return None
    low, high = min(sizes), max(sizes)
    for e in edges:
        if e["state"] == "flow" and e["gradient"] is not None:
            e["level"] = 2
            if low <= high / 2 and e["gradient"]["rms"] > 0:
                above, whole = (math.log(x) - math.log(low) for x in (e["gradient"]["rms"], high))
                e["level"] = min(4, int(5 * above / whole))
    return {"low": low, "high": high}
