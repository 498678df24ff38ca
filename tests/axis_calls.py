"""Random calls of every function that takes an axis, axes or a shape, and what NumPy says of them: value, dtype, shape, kind of error."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from checking import STEP, joined, pair, weights

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients

Array = np.ndarray
SHAPES: tuple[tuple[int, ...], ...] = ((), (), (0,), (1,), (3,), (2, 3), (2, 0), (0, 3), (1, 1), (2, 1, 3), (2, 3, 2))
NUMBERS = (0, -1, 0, -1, 1, -2, 2, -3, 4)
TUPLES = ((0,), (-1,), (0, 1), (1, 0), (0, 0), (0, -1), (), (1, -1), (-1, -2), (0, 2), (2, 0, 1), (-3, 1))
SIZES = (0, 1, 2, 3, 6, -1, -1)


class Call(NamedTuple):
    """function(*call(*arrays), **params), and how it is told."""

    function: Callable[..., Any]
    arrays: list[Array]
    call: Callable[..., tuple[Any, ...]]
    params: dict[str, Any]

    def __call__(self, arrays: list[Any], function: Callable[..., Any] | None = None) -> Any:
        return (function or self.function)(*self.call(*arrays), **self.params)

    def __repr__(self) -> str:
        marks = [f"x{i}{list(a.shape)}" for i, a in enumerate(self.arrays)]
        text = ", ".join([*map(str, self.call(*marks)), *(f"{k}={v!r}" for k, v in self.params.items())])
        return f"{self.function.__name__}({text})"


class Random:
    """Draws parameters."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def one(self, values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def number(self) -> int:
        return int(self.one(NUMBERS))

    def axes(self) -> Any:
        return self.one((None, *TUPLES)) if self.rng.random() < 0.6 else self.number()

    def maybe(self) -> Any:
        return None if self.rng.random() < 0.2 else self.number()

    def shape(self) -> Any:
        n = int(self.rng.integers(0, 4))
        return self.one(SIZES) if self.rng.random() < 0.25 else tuple(int(self.one(SIZES)) for _ in range(n))

    def array(self, shape: tuple[int, ...] | None = None) -> Array:
        shape = self.one(SHAPES) if shape is None else shape
        return np.asarray(self.rng.permutation(int(np.prod(shape))).reshape(shape) * 0.37 - 0.4 + self.rng.random(shape) * 0.1)


def reducing(name: str) -> Callable[[Random], Call]:
    def draw(r: Random) -> Call:
        params = {"axis": r.axes()} | ({"keepdims": True} if r.rng.random() < 0.4 else {})
        return Call(named(name), [r.array()], lambda x: (x,), params)

    return draw


def along(name: str, keyword: str = "axis", drawn: str = "maybe", **more: Callable[[Random], Any]) -> Callable[[Random], Call]:
    def draw(r: Random) -> Call:
        params = {keyword: getattr(r, drawn)()} if r.rng.random() < 0.9 or drawn == "number" else {}
        return Call(named(name), [r.array()], lambda x: (x,), params | {k: make(r) for k, make in more.items()})

    return draw


def by_position(name: str, *more: Callable[[Random], Any], **params: Callable[[Random], Any]) -> Callable[[Random], Call]:
    def draw(r: Random) -> Call:
        rest = [make(r) for make in more]
        return Call(named(name), [r.array()], lambda x: (x, *rest), {k: make(r) for k, make in params.items()})

    return draw


def of_two(name: str, listed: bool, **params: Callable[[Random], Any]) -> Callable[[Random], Call]:
    def draw(r: Random) -> Call:
        shape = r.one(SHAPES)
        arrays = [r.array(shape), r.array(shape if r.rng.random() < 0.7 else None)]
        return Call(
            named(name),
            arrays,
            (lambda x, y: ([x, y],)) if listed else (lambda x, y: (x, y)),
            {k: make(r) for k, make in params.items()},
        )

    return draw


def named(name: str) -> Callable[..., Any]:
    found: Any = np
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


REDUCTIONS = (
    "sum mean prod max min var std ptp median nanmedian nansum nanprod nanmean nanvar nanstd nanmax nanmin average "
    "linalg.vector_norm linalg.norm any all count_nonzero".split()
)
ALONG = "cumsum cumprod nancumsum nancumprod cumulative_sum cumulative_prod sort argmax argmin argsort unwrap trapezoid".split()
R = Random
DRAWS: dict[str, Callable[[Random], Call]] = {
    **{name: reducing(name) for name in REDUCTIONS},
    **{name: along(name) for name in ALONG},
    **{name: by_position(name, lambda r: r.one((0.0, 0.3, 1.0, [0.2, 0.7])), axis=R.axes) for name in ("quantile", "nanquantile")},
    **{name: by_position(name, lambda r: r.one((0.0, 30.0, [20, 70])), axis=R.axes) for name in ("percentile", "nanpercentile")},
    **{name: along(name, drawn="axes") for name in ("squeeze", "flip", "gradient", "expand_dims")},
    **{name: along(f"fft.{name}", drawn="number", n=lambda r: r.one((None, None, 1, 2, 4))) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
    **{name: along(f"fft.{name}", "axes", "axes") for name in ("fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2", "fftshift", "ifftshift")},
    "cumulative_sum initial": along("cumulative_sum", include_initial=lambda r: True),
    "cumulative_prod initial": along("cumulative_prod", include_initial=lambda r: True),
    "fft.fftn s": along("fft.fftn", "axes", "axes", s=lambda r: r.one(((2,), (1, 2), (-1, 2), (3, -1)))),
    "diff": along("diff", n=lambda r: r.one((0, 1, 1, 2, 4, -1))),
    "diff with ends": along("diff", n=lambda r: r.one((0, 1, 2)), prepend=lambda r: r.one((1.0, np.zeros((1, 3)), [1.0, 2.0])), append=lambda r: r.one((1.0, np.zeros((2, 1))))),
    "transpose": along("transpose", "axes", "axes"),
    "swapaxes": by_position("swapaxes", R.number, R.number),
    "moveaxis": by_position("moveaxis", lambda r: r.one((*TUPLES, 0, -1)), lambda r: r.one((*TUPLES, 0, -1))),
    "rollaxis": by_position("rollaxis", R.number, R.number),
    "rot90": by_position("rot90", lambda r: r.one((0, 1, -1, 2, 3, 6)), axes=lambda r: r.one(TUPLES)),
    "roll": by_position("roll", lambda r: r.one((0, 1, -2, 7, (1, 2), (1,))), axis=R.axes),
    "repeat": by_position("repeat", lambda r: r.one((0, 1, 2, -1, [2], [1, 2], [1, 0, 2], [[2]])), axis=R.maybe),
    "tile": by_position("tile", lambda r: r.one((0, 1, 2, (2, 1), (1, 0), (), (2, 1, 2), -1))),
    "take": by_position("take", lambda r: r.one((0, -1, 5, [], [0, 0], [[1, -1]], [2, -4])), axis=R.maybe, mode=lambda r: r.one(("raise", "wrap", "clip"))),
    "delete": by_position("delete", lambda r: r.one((0, -1, [0], [], [0, 0], slice(None, None, 2), 7)), axis=R.maybe),
    "insert": by_position("insert", lambda r: r.one((0, -1, [0], [0, 1], 7, slice(0, 1))), lambda r: r.one((5.0, [1.0], [1.0, 2.0])), axis=R.maybe),
    "partition": by_position("partition", lambda r: r.one((0, -1, (0, 1), 5)), axis=R.maybe),
    "compress": lambda r: Call(np.compress, [r.array()], (lambda c: lambda x: (c, x))(r.one(([True], [False, True], [], [True] * 3))), {"axis": r.maybe()}),
    "split": by_position("split", lambda r: r.one((1, 2, 3, 0, [1], [1, 1], [5], [])), axis=R.number),
    "array_split": by_position("array_split", lambda r: r.one((1, 2, 3, 0, [1], [2, 1], [5], [])), axis=R.number),
    "hsplit": by_position("hsplit", lambda r: r.one((1, 2, [1]))),
    "vsplit": by_position("vsplit", lambda r: r.one((1, 2, [1]))),
    "dsplit": by_position("dsplit", lambda r: r.one((1, 2, [1]))),
    "unstack": along("unstack", drawn="number"),
    "reshape": by_position("reshape", R.shape),
    "resize": by_position("resize", R.shape),
    "broadcast_to": by_position("broadcast_to", R.shape),
    "concatenate": of_two("concatenate", True, axis=R.maybe),
    "stack": of_two("stack", True, axis=R.number),
    "hstack": of_two("hstack", True),
    "vstack": of_two("vstack", True),
    "dstack": of_two("dstack", True),
    "column_stack": of_two("column_stack", True),
    "block": of_two("block", True),
    "append": of_two("append", False, axis=R.maybe),
    "vecdot": of_two("vecdot", False, axis=R.number),
    "cross": of_two("cross", False, axis=R.number),
    "tensordot": of_two("tensordot", False, axes=lambda r: r.one((0, 1, 2, 3, -1, ([0], [0]), ([0, 1], [1, 0]), ([-1], [0]), ([0, 0], [0, 0])))),
    "take_along_axis": by_position("take_along_axis", lambda r: np.zeros(r.one(SHAPES), int), axis=R.maybe),
    "diagonal": by_position("diagonal", lambda r: r.one((0, 1, -1, 5)), R.number, R.number),
    "trace": by_position("trace", lambda r: r.one((0, 1, -1, 5)), R.number, R.number),
    "linalg.diagonal": along("linalg.diagonal", "offset", "number"),
    "linalg.trace": along("linalg.trace", "offset", "number"),
    "tril": along("tril", "k", "number"),
    "triu": along("triu", "k", "number"),
    "diag": along("diag", "k", "number"),
    "diagflat": along("diagflat", "k", "number"),
    "matrix_transpose": by_position("matrix_transpose"),
    "fliplr": by_position("fliplr"),
    "flipud": by_position("flipud"),
    "ravel": by_position("ravel"),
    "pad": by_position("pad", lambda r: r.one((0, 1, (1, 2), ((1, 0), (0, 1)), ((1, 2),), -1)), mode=lambda r: r.one(("constant", "edge", "reflect", "wrap", "mean", "linear_ramp"))),
    "sliding_window_view": by_position("lib.stride_tricks.sliding_window_view", lambda r: r.one((1, 2, (2,), (1, 2), 5, 0, -1)), axis=R.axes),
    "linalg.norm ord": along("linalg.norm", drawn="axes", ord=lambda r: r.one((1, 2, np.inf, -np.inf, 0, 3, "fro", "nuc", -2))),
    "linalg.matrix_norm": by_position("linalg.matrix_norm", ord=lambda r: r.one(("fro", 1, 2, np.inf, "nuc")), keepdims=lambda r: r.one((True, False))),
    "linalg.vector_norm ord": along("linalg.vector_norm", drawn="axes", ord=lambda r: r.one((1, 2, np.inf, -np.inf, 0, 3))),
    "var ddof": along("var", drawn="axes", ddof=lambda r: r.one((0, 1, 2, 5))),
    "std ddof": along("std", drawn="axes", ddof=lambda r: r.one((0, 1, 2, 5))),
    "nanvar ddof": along("nanvar", drawn="axes", ddof=lambda r: r.one((0, 1, 2, 5))),
    "cov": by_position("cov", rowvar=lambda r: r.one((True, False)), ddof=lambda r: r.one((None, 0, 1, 2, 3, 7))),
    "corrcoef": by_position("corrcoef", rowvar=lambda r: r.one((True, False))),
    "ediff1d": by_position("ediff1d"),
    "atleast_1d": by_position("atleast_1d"),
    "atleast_2d": by_position("atleast_2d"),
    "atleast_3d": by_position("atleast_3d"),
    "unique": along("unique"),
    "meshgrid": of_two("meshgrid", False, indexing=lambda r: r.one(("xy", "ij"))),
    "broadcast_arrays": of_two("broadcast_arrays", False),
    "vander": along("vander", "N", "maybe"),
}  # fmt: skip


def draw(name: str, seed: int) -> Call:
    """A call of that function."""
    return DRAWS[name](Random(seed))


@contextmanager
def silent() -> Iterator[None]:
    """Means of nothing, and divisions by it."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def outcome(f: Callable[[], Any]) -> Any:
    """What comes out: arrays in a list, or the exception."""
    try:
        with silent():
            out = f()
    except Exception as error:
        return error
    return [np.asarray(o.data if isinstance(o, Tensor) else o) for o in (out if isinstance(out, (tuple, list)) else [out])]


KINDS = (ValueError, TypeError, IndexError, ZeroDivisionError)


def difference(given: Any, wanted: Any, rtol: float = 1e-12) -> str:
    """In what an outcome differs from NumPy's; empty if it is the same."""
    if isinstance(wanted, Exception):
        if isinstance(given, Exception) and type(wanted) in (IndexError, ZeroDivisionError):
            return ""  # an accident in NumPy's own code
        if not isinstance(given, Exception):
            return f"gives shape {[g.shape for g in given]}, NumPy raises {type(wanted).__name__}: {wanted}"
        alike = any(isinstance(wanted, kind) and isinstance(given, kind) for kind in KINDS)
        return "" if alike else f"raises {type(given).__name__}: {given}; NumPy {type(wanted).__name__}: {wanted}"
    if isinstance(given, Exception):
        return f"raises {type(given).__name__}: {given}; NumPy gives {[w.shape for w in wanted]}"
    if len(given) != len(wanted):
        return f"gives {len(given)} results, NumPy {len(wanted)}"
    for g, w in zip(given, wanted, strict=True):
        if (g.shape, g.dtype) != (w.shape, w.dtype):
            return f"gives {g.dtype}{list(g.shape)}, NumPy {w.dtype}{list(w.shape)}"
        if not np.allclose(g, w, rtol=rtol, atol=rtol / 10, equal_nan=True):
            return f"gives {g.tolist()}, NumPy {w.tolist()}"
    return ""


def argued(c: Call) -> bool:
    """Whether we do something else on purpose."""
    name, x, params = c.function.__name__, c.arrays[0], c.params
    given = c.call(*c.arrays)
    return (
        (name == "cross" and any(2 in a.shape or 0 in a.shape for a in c.arrays))  # of two entries: NumPy is going to refuse them
        or (name == "sliding_window_view" and np.any(np.asarray(given[1]) == 0))  # windows of nothing
        or (name == "tile" and np.any(np.asarray(given[1]) < 0))  # NumPy takes −1 where there are no entries
        or (
            name in ("average", "median", "quantile", "percentile") and not x.size
        )  # NumPy divides by the size of the result, and reshapes to −1
        or (name in ("diff", "unwrap") and params.get("axis", 0) is None)  # a TypeError, of numbers a ValueError
        or (name in ("nanquantile", "nanpercentile") and not x.size and isinstance(given[1], list))  # NumPy forgets the axis of q
    )


def fault(c: Call) -> str:
    """What is wrong with a call on Tensors, tracked or not, compiled, and with its gradient; empty if nothing is."""
    if argued(c):
        return ""
    wanted = outcome(lambda: c(c.arrays))
    readings = {
        "tracked": lambda: c([Tensor(a, requires_grad=True) for a in c.arrays]),
        "untracked": lambda: c([Tensor(a) for a in c.arrays]),
    }
    for how, f in readings.items():
        told = difference(outcome(f), wanted)
        if told:
            return f"{c} {how}: {told}"
    if isinstance(wanted, Exception) or not wanted or not all(w.dtype.kind in "fc" for w in wanted):
        return ""
    return wrong_gradient(c)


def scalar(c: Call, arrays: list[Any]) -> Any:
    """Re Σ w* f(arrays), for Tensors with a graph."""
    z = joined(c(arrays))
    z = z if isinstance(z, Tensor) else np.asarray(z)
    w = weights(z.shape, 1, z.dtype)
    return np.sum(np.real(np.conj(w) * z)) if z.dtype.kind == "c" else np.sum(w * z)


def wrong_gradient(c: Call) -> str:
    """In what the gradient, of the engine and of the compiled function, differs from differences of NumPy's values."""
    xs = [Tensor(a, requires_grad=True) for a in c.arrays]
    try:
        with silent():
            loss = scalar(c, xs)
            found = list(gradients(loss, xs)) if loss.requires_grad else [np.zeros(a.shape) for a in c.arrays]
    except Exception as error:
        return f"{c}: its gradient raises {type(error).__name__}: {error}"
    for i, g in enumerate(found):
        v = weights(g.shape, 3)
        with silent():
            ends = [scalar(c, [a + s * v if j == i else a for j, a in enumerate(c.arrays)]) for s in (STEP, -STEP)]
            numeric, exact = float((ends[0] - ends[1]) / (2 * STEP)), pair(g, v)
        if np.isfinite(numeric) and not abs(numeric - exact) <= 1e-6 * max(1.0, abs(numeric), float(np.sum(np.abs(g * v)))):
            return f"{c}: gradient {i} gives {exact}, differences {numeric}"
    for exact in (True, False):
        try:
            with silent():
                value, compiled = tg.compile(tg.value_and_grad(lambda *a: scalar(c, list(a)), tuple(range(len(xs)))), exact=exact)(
                    *c.arrays
                )
        except (tg.errors.TraceError, tg.errors.UnsupportedError):
            return ""  # what depends on values cannot be traced
        except Exception as error:
            return f"{c}: compiled, exact={exact}, it raises {type(error).__name__}: {error}"
        same = zip([loss.data, *found], [value, *compiled], strict=True)
        if not all(
            np.array_equal(a, b, equal_nan=True) if exact else np.allclose(a, b, rtol=1e-12, equal_nan=True) for a, b in same
        ):
            return f"{c}: compiled, exact={exact}, {value} {compiled}, eager {loss.data} {found}"
    return ""
