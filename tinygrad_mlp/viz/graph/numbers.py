"""What is told of an array in a drawing: statistics, a preview of its entries, a histogram, and numbers as short texts."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from ...kernels.shapes import Array
from .ir import Brief, Statistics

__all__ = ["brief", "json_number", "short", "statistics"]

PREVIEW = 48
"""So many entries are shown, at most."""
BINS, SAMPLE = 16, 200_000


def json_number(x: Any) -> float | str:
    """A number for strict JSON: NaN and infinities as the words nan, inf and -inf."""
    value = abs(complex(x)) if isinstance(x, complex) else float(x)
    return value if math.isfinite(value) else "nan" if value != value else "inf" if value > 0 else "-inf"


def short(x: float, digits: int = 2) -> str:
    """A number in few characters, with a true minus sign.

    >>> short(0.0391), short(1.27), short(-250.4, 3), short(0.0), short(math.nan)
    ('3.9e−2', '1.3', '−250', '0', 'NaN')
    """
    if x < 0:
        return "−" + short(-x, digits)
    if x != x:
        return "NaN"
    if math.isinf(x):
        return "∞"
    if x == 0:
        return "0"
    if 0.1 <= x < 10 ** max(digits, 3):
        text = f"{x:.{digits}g}" if float(f"{x:.{digits}g}") < 10**digits else f"{x:.0f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, exponent = f"{x:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}".replace("-", "−")


def real(x: Array) -> Array:
    """Real floating numbers: of complex ones the sizes."""
    return np.abs(x) if x.dtype.kind == "c" else x.astype(np.float64) if x.dtype.kind != "f" else x


def preview(x: Array) -> tuple[int, int, list[float | str]]:
    """The corner of an array: rows, columns and the entries row by row. The last axis runs along the columns."""
    if not x.size:
        return 0, 0, []
    table = x.reshape(1, -1) if x.ndim < 2 else x.reshape(-1, x.shape[-1])
    columns = min(table.shape[1], 12 if table.shape[0] > 1 else PREVIEW)
    rows = min(table.shape[0], PREVIEW // columns)
    entries = table[:rows, :columns].ravel().tolist()
    if x.size > 1:  # six digits are read, seventeen would be most of the page
        entries = [float(f"{abs(v) if isinstance(v, complex) else v:.6g}") for v in entries]
    return rows, columns, [json_number(v) for v in entries]


def root_mean_square(x: Array) -> float:
    """√ of the mean of the squares; scaled, so that it does not overflow."""
    largest = float(np.max(np.abs(x), initial=0.0))
    if not math.isfinite(largest) or largest == 0:
        return largest
    if 1e-12 < largest < 1e12:  # no square leaves the range, of single precision neither
        return math.sqrt(float(np.dot(x, x) if x.dtype == np.float64 else np.einsum("i,i->", x, x, dtype=np.float64)) / x.size)
    return largest * float(np.sqrt(np.mean(np.square(x.astype(np.float64) / largest))))


def mean(x: Array) -> float:
    """The mean, which is finite for finite entries: sums of large ones are not."""
    with np.errstate(over="ignore"):
        found = float(np.mean(x, dtype=np.float64))
    return found if math.isfinite(found) else float(np.sum(x.astype(np.float64) / x.size))


def histogram(x: Array, low: float, high: float) -> dict[str, Any] | None:
    """How many entries there are in each of equal bins between the ends; None where they cannot be told apart."""
    x = x[:: -(-x.size // SAMPLE)]  # of large arrays a part
    width = (high / BINS) - (low / BINS)
    if not (math.isfinite(width) and low + width > low and high - width < high):
        return None
    places = np.floor(x.astype(np.float64) / width - low / width).clip(0, BINS - 1)
    return {"low": low, "high": high, "counts": np.bincount(places.astype(int), minlength=BINS).tolist()}


def bounded(x: float) -> float:
    """A number that JSON has: what is too large for a float is the largest one."""
    return min(x, sys.float_info.max)


def statistics(array: Array) -> Statistics:
    """What the panel tells of an array; NaN and infinities are counted, and left out of the rest.

    >>> s = statistics(np.array([[1.0, -2.0], [0.0, 2.0]]))
    >>> s["min"], s["max"], s["mean"], s["rms"], s["zeros"]
    (-2.0, 2.0, 0.25, 1.5, 1)
    """
    rows, columns, entries = preview(array)
    x = real(array).ravel()
    found: Statistics = {
        "size": int(array.size), "min": None, "max": None, "mean": None, "rms": None, "norm": None, "zeros": 0, "nan": 0, "inf": 0,
        "rows": rows, "columns": columns, "preview": entries, "truncated": rows * columns < array.size, "histogram": None,
    }  # fmt: skip
    if x.size == 1:  # in scalar graphs these calls would be most of the work
        value = float(x[0])
        found["nan"], found["inf"], found["zeros"] = int(value != value), int(math.isinf(value)), int(value == 0)
        if math.isfinite(value):
            found["min"] = found["max"] = found["mean"] = value
            found["rms"] = found["norm"] = abs(value)
        return found
    finite = np.isfinite(x)
    if not finite.all():
        found["nan"] = int(np.isnan(x).sum())
        found["inf"] = int(x.size - finite.sum()) - found["nan"]
        x = x[finite]
    if not x.size:
        return found
    low, high = float(x.min()), float(x.max())
    found["zeros"] = int(x.size - np.count_nonzero(x))
    found["min"], found["max"], found["mean"] = low, high, mean(x)
    rms = root_mean_square(x)
    found["rms"], found["norm"] = rms, bounded(rms * math.sqrt(x.size))
    found["histogram"] = histogram(x, low, high)
    return found


def brief(array: Array) -> Brief:
    """What is told of the gradient on an edge. Its RMS is that of the finite entries."""
    rows, columns, entries = preview(array)
    x = real(array).ravel()
    if x.size == 1:
        value = float(x[0])
        rms = largest = abs(value) if math.isfinite(value) else 0.0
        bad, text = int(not math.isfinite(value)), short(value, 4)
    else:
        finite = np.isfinite(x)
        bad = int(x.size - np.count_nonzero(finite))
        good = x[finite] if bad else x
        rms, largest = root_mean_square(good) if good.size else 0.0, float(np.max(np.abs(good), initial=0.0))
        text = short(rms)
    return {
        "rms": rms, "max": largest, "nan": bad, "zero": not bad and largest == 0, "text": text,
        "rows": rows, "columns": columns, "preview": entries,
    }  # fmt: skip
