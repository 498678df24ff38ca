"""Samples: composed functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core import sums
from .makers import Array, Sample, binary, complex_normal, distinct, normal, positive, reducing, unary

NAN = np.nan


def ordered(*shape: int, seed: int = 0) -> Array:
    """No ties, as distinct, and no equal sums or means by chance."""
    return distinct(*shape, seed=seed) + 0.01 * normal(*shape, seed=seed)


def increasing(n: int, seed: int = 0) -> Array:
    return np.cumsum(positive(n, seed=seed))


def holed(*shape: int, seed: int = 0, every: int = 3) -> Array:
    """Without ties, every third entry NaN."""
    x = ordered(*shape, seed=seed)
    x.flat[seed % every :: every] = NAN
    return x


def lists(*shapes: tuple[int, ...], **params: Any) -> Sample:
    """The function of a list of arrays."""
    return Sample(tuple(normal(*s, seed=i) for i, s in enumerate(shapes)), params, lambda *xs: (list(xs),))


def each(*samples: tuple[Any, ...], **params: Any) -> list[Sample]:
    """Samples of one array: (array, {parameter: value})."""
    return [Sample((s[0],), {**params, **(s[1] if len(s) > 1 else {})}) for s in samples]


def given(*samples: tuple[Any, ...]) -> list[Sample]:
    """Samples of one array: (array, further arguments by position …); parameters in a dict at the end."""
    found = []
    for array, *rest in samples:
        params = rest.pop() if rest and isinstance(rest[-1], dict) else {}
        found.append(Sample((array,), params, lambda x, rest=tuple(rest): (x, *rest)))
    return found


def pads() -> list[Sample]:
    found = []
    for mode in ("edge", "reflect", "symmetric", "wrap", "constant", "linear_ramp", "maximum", "minimum", "mean", "median"):
        widths: list[tuple[Array, Any]] = [(ordered(4), 2), (ordered(4), (0, 3)), (ordered(2, 3), ((1, 2), (0, 1))), (ordered(3, 2).T, 1), (ordered(3), 8), (ordered(2), (7, 3)), (ordered(1), (2, 3)), (ordered(), 0), (ordered(3, 2, 2), ((0, 1), (2, 2), (1, 0)))]  # fmt: skip
        found += [Sample((x,), {"pad_width": w, "mode": mode}) for x, w in widths]
    for mode in ("reflect", "symmetric"):
        widths = [
            (ordered(4), 2),
            (ordered(4), (0, 3)),
            (ordered(2, 3), ((1, 2), (0, 1))),
            (ordered(3), (8, 9)),
            (ordered(2), (7, 3)),
            (ordered(1), (2, 3)),
            (ordered(5), (11, 4)),
        ]
        found += [Sample((x,), {"pad_width": w, "mode": mode, "reflect_type": "odd"}) for x, w in widths]
    found += [
        Sample((ordered(4, 5),), {"pad_width": 2, "mode": mode, "stat_length": n})
        for mode in ("maximum", "minimum", "mean", "median")
        for n in (2, 1, 9, ((1, 2), (3, 2)))
    ]
    found += [
        Sample((normal(2, 3),), {"pad_width": ((1, 2), (3, 0)), "mode": mode, name: ((1.0, 2.0), (-1.0, 3.0))})
        for mode, name in (("constant", "constant_values"), ("linear_ramp", "end_values"))
    ]
    found += [
        Sample((normal(2, 3),), {"pad_width": 2, "mode": mode, name: v})
        for mode, name in (("constant", "constant_values"), ("linear_ramp", "end_values"))
        for v in (1.5, (1.0, -2.0))
    ]
    found += [
        Sample((normal(0, 2),), {"pad_width": 1}),
        Sample((normal(2, 3),), {"pad_width": {-1: (1, 2)}}),
        Sample((complex_normal(3),), {"pad_width": 2, "mode": "reflect"}),
        Sample((ordered(2, 3),), {"pad_width": 0, "mode": "empty"}),
    ]
    return found


def skipping() -> list[Sample]:
    """Reductions with NaN in some rows and in none."""
    axes: list[tuple[Array, Any]] = [
        (holed(4), None),
        (holed(4), 0),
        (holed(3, 4), None),
        (holed(3, 4), 0),
        (holed(3, 4, seed=1), -1),
        (holed(2, 3, 4), (0, 2)),
        (holed(2, 3, 4).T, (-1, 0)),
        (ordered(2, 3), 1),
        (ordered(), None),
    ]
    return [Sample((x,), {"axis": axis, "keepdims": k}) for x, axis in axes for k in (False, True)]


LOST = np.array([[NAN, NAN, NAN], [0.5, NAN, 1.5]])


def quantile_samples(scale: float, make: Any) -> list[Sample]:
    methods = (
        "linear",
        "lower",
        "higher",
        "nearest",
        "midpoint",
        "hazen",
        "weibull",
        "median_unbiased",
        "normal_unbiased",
        "interpolated_inverted_cdf",
    )
    qs = np.array([0.1, 0.35, 0.5, 0.77, 0.0, 1.0]) * scale
    found = given(
        *[(make(5), qs, {"method": m}) for m in methods], *[(make(2, 4), 0.3 * scale, {"axis": 1, "method": m}) for m in methods]
    )
    found += given(
        (make(3, 4), 0.5 * scale, {}),
        (make(3, 4), qs[:2].reshape(2, 1), {"axis": 0}),
        (make(2, 3, 4), qs[:3], {"axis": (0, -1), "keepdims": True}),
        (make(2, 3), 0.2 * scale, {"axis": 1, "keepdims": True}),
        (ordered(1), 0.4 * scale, {}),
        (ordered(), 0.4 * scale, {}),
        (make(4, 2).T, 0.6 * scale, {"axis": -1}),
        (ordered(3, 0), 0.5 * scale, {"axis": 0}),
    )
    return found


def weighted() -> list[Sample]:
    samples: list[tuple[Array, Array, Any]] = [
        (normal(4), positive(4), None),
        (normal(2, 3), positive(2, 3), None),
        (normal(2, 3), positive(3), 1),
        (normal(2, 3), positive(2), 0),
        (normal(2, 3, 4), positive(2, 4), (0, 2)),
        (normal(2, 3, 4), positive(4, 2), (-1, 0)),
        (normal(2, 3), positive(2, 3), -1),
    ]
    return [Sample((x, w), {"returned": r, "keepdims": k}, lambda x, w, axis=axis: (x, axis, w)) for x, w, axis in samples for r in (False, True) for k in (False, True)]  # fmt: skip


def gradients() -> list[Sample]:
    x = increasing
    return [
        *each((normal(5),), (normal(2),), (normal(3, 4),), (normal(4, 3).T,), (normal(3, 4), {"axis": 1}), (normal(3, 4), {"axis": (1, 0)}), (normal(3, 4), {"axis": -2}), (normal(3, 4, 3), {"axis": (0, 2), "edge_order": 2}), (normal(5), {"edge_order": 2}), (complex_normal(4),)),
        *[Sample((normal(5), np.float64(0.3)), {"edge_order": e}) for e in (1, 2)],
        *[Sample((normal(5), x(5)), {"edge_order": e}) for e in (1, 2)],
        *[Sample((normal(3, 4), x(3), x(4, seed=1)), {"edge_order": e}) for e in (1, 2)],
        Sample((normal(3, 4), np.float64(2.0), x(4, seed=1))), Sample((normal(3, 4), x(4)), {"axis": 1}), Sample((normal(3, 4), np.float64(0.5))), Sample((normal(2, 3, 4), x(4), np.float64(2.0)), {"axis": (-1, 1)}), Sample((normal(2), x(2))),
    ]  # fmt: skip


def interpolations() -> list[Sample]:
    xp, at = increasing(5), np.array([0.1, 1.9, 3.0, 4.2, 9.0])
    return [
        Sample((at, xp, normal(5))), Sample((at.reshape(5, 1)[:, ::-1], xp, normal(5))), Sample((np.float64(2.1), xp, normal(5))), Sample((at, xp, normal(5)), {"left": -1.0, "right": 2.0}), Sample((at, xp, complex_normal(5))),
        Sample((np.array([-7.3, 0.2, 1.3, 5.9]), np.array([0.3, 3.1, 1.2, 2.4]), normal(4)), {"period": 4.0}), Sample((np.array([0.5, 1.5]), np.array([1.0]), normal(1))), Sample((np.zeros(0), xp, normal(5))), Sample((np.array([1.0]), np.array([0.5, 2.0]), normal(2))),
    ]  # fmt: skip


def correlations() -> list[Sample]:
    return [Sample((normal(2, 5),)), Sample((normal(1, 4),)), Sample((normal(4),)), Sample((normal(5, 2),), {"rowvar": False}), Sample((complex_normal(2, 4),)), Sample((normal(4), normal(4, seed=1))), Sample((normal(2, 4), normal(3, 4, seed=1))), Sample((normal(4, 2), normal(4, 3, seed=1)), {"rowvar": False})]  # fmt: skip


CUTS: tuple[tuple[tuple[int, ...], Any, int], ...] = (
    ((6,), 3, 0),
    ((6,), [2, 3], 0),
    ((4, 2), 2, 0),
    ((2, 4), [1], -1),
    ((2, 4, 3), [1, 1, 3], 1),
    ((3,), [5], 0),
    ((4,), [-1], 0),
    ((0, 2), [1], 0),
)

NUMPY_FUNCTIONS: dict[str, list[Sample]] = {
    # --- elementwise
    "divmod": [Sample((distinct(6) * 1.1, np.float64(0.8))), Sample((distinct(2, 3), positive(3) + 3))],
    "modf": unary(distinct),
    "selu": unary(distinct),
    "glu": each((normal(4), {"axis": 0}), (complex_normal(4), {}), (normal(2, 6), {"axis": -1}), (normal(4, 3), {"axis": 0})),
    # --- shapes
    "swapaxes": given((normal(2, 3), 0, 1), (normal(2, 3, 4), -1, 0), (normal(2), 0, 0)),
    "matrix_transpose": each((normal(2, 3),), (normal(4, 2, 3),), (normal(1, 0),)),
    "moveaxis": given((normal(2, 3, 4), 0, -1), (normal(2, 3, 4), (0, 1), (-1, 0)), (normal(2, 3), -1, 0), (normal(2, 3, 4, 2), (3, 0), (0, 2))),
    "ravel": [*unary(normal), Sample((normal(2, 3).T,)), Sample((normal(4)[::-1],))],
    "full_like": [Sample((normal(2, 3), np.float64(1.5))), Sample((normal(2, 3), normal(3))), Sample((normal(0), normal()))],
    "flip": each((normal(3),), (normal(2, 3),), (normal(2, 3), {"axis": 0}), (normal(2, 3), {"axis": -1}), (normal(2, 3, 2), {"axis": (0, -1)}), (normal(),), (normal(0, 2),)),
    "fliplr": each((normal(2, 3),), (normal(2, 3, 2),), (normal(2, 0),)),
    "flipud": each((normal(2, 3),), (normal(3),)),
    "rot90": [Sample((normal(2, 3),), {"k": k}) for k in (0, 1, 2, 3, -1, 5)] + [Sample((normal(2, 3, 4),), {"k": k, "axes": a}) for k in (1, 2, 3) for a in ((1, 2), (-1, 0))],
    "rollaxis": given((normal(2, 3, 4), 2), (normal(2, 3, 4), 0, 3), (normal(2, 3, 4), -1, 1), (normal(2, 3, 4), 1, 1), (normal(2, 3, 4), 0, 2)),
    "copy": [*unary(normal), Sample((complex_normal(2).T,))],
    "resize": [Sample((normal(*a),), {"new_shape": b}) for a, b in (((3,), (2, 4)), ((2, 3), 4), ((2, 3), (5, 2)), ((), (3,)), ((3,), ()), ((3,), (0, 2)), ((0,), (2, 2)))],
    "atleast_1d": [*unary(normal), Sample((normal(), normal(2)))],
    "atleast_2d": [*unary(normal), Sample((normal(), normal(2), normal(2, 3)))],
    "atleast_3d": [*unary(normal), Sample((normal(), normal(2), normal(2, 3), normal(1, 2, 1, 2)))],
    "broadcast_arrays": [*binary(normal), Sample((normal(2, 1), normal(3), normal())), Sample((normal(2),))],
    "meshgrid": [Sample(xs, {"indexing": i, "sparse": s}) for xs in ((normal(2), normal(3)), (normal(2), normal(3), normal(4)), (normal(3),), (normal(2), normal()), (normal(0), normal(2))) for i in ("xy", "ij") for s in (False, True)],
    # --- rearranging
    "take": given((normal(4), 2, {}), (normal(4), [0, -1, 1, 1], {}), (normal(2, 3), [[0, 5], [5, 2]], {}), (normal(2, 3), [0, 0], {"axis": 1}), (normal(2, 3), -1, {"axis": -1}), (normal(2, 3, 4), [[1, 2], [0, 1]], {"axis": -2}),
                  (normal(4), [-5, 9, 4], {"mode": "wrap"}), (normal(4), [-5, 9, 2], {"mode": "clip"}), (normal(3), np.zeros(0, int), {}), (normal(3, 2).T, [1, 0], {"axis": 0}), (normal(), 0, {}), (complex_normal(3), [0, 0], {})),
    "take_along_axis": given((normal(4), np.array([0, 0, -1]), {"axis": 0}), (normal(2, 3), np.array([[0], [2]]), {"axis": 1}), (normal(2, 3), np.array([[1, 0, 1]]), {"axis": 0}), (normal(2, 3), np.array([[0, 0, 1, 2]] * 2), {"axis": -1}),
                             (normal(2, 3), np.array([5, 0, 0]), {"axis": None}), (normal(2, 3, 2), np.array([[[1], [1]]]).reshape(1, 2, 1)[:, :1], {"axis": 1}), (normal(2, 3), np.array([[0, 1]]), {"axis": 1}), (normal(2, 3), np.zeros((2, 0), int), {"axis": 1})),
    "compress": [Sample((normal(*s),), {"axis": a}, lambda x, c=c: (c, x)) for s, c, a in (((4,), [True, False, True, True], None), ((2, 3), [True, False, True, True], None), ((2, 3), [False, True], 0), ((2, 3), [True], -1), ((2, 3), [False], 1))],
    "extract": [Sample((normal(*s),), call=lambda x, c=c: (c, x)) for s, c in (((4,), np.array([True, False, True, True])), ((2, 3), np.array([[True, False, True], [False, False, True]])), ((2,), np.array([False, False])))],
    "choose": [Sample((normal(3), normal(3, seed=1)), {"mode": m}, lambda x, y: (np.array([0, 1, 1]), [x, y])) for m in ("raise", "wrap", "clip")]
              + [Sample((normal(3), normal()), {"mode": m}, lambda x, y: (np.array([[-3, 1, 5]]), (x, y))) for m in ("wrap", "clip")] + [Sample((normal(2, 3),), call=lambda x: (np.array([[1], [0]]), x))],
    "select": [Sample((normal(3), normal(3, seed=1)), {"default": 0.5}, lambda x, y: ([np.array([True, False, False]), np.array([True, True, False])], [x, y])), Sample((normal(3),), call=lambda x: ([np.array([[True], [False]])], [x])),
               Sample((normal(3), normal(2, 1), normal()), call=lambda x, y, d: ([np.array([True, False, False]), np.array([[True], [False]])], [x, y], d))],
    "piecewise": [Sample((distinct(6),), call=lambda x: (x, [x < 0, x >= 0.5], [lambda v: v * v, lambda v: np.sin(v)])), Sample((distinct(2, 3),), call=lambda x: (x, [x < 0], [lambda v: v * v, lambda v: 3 * v])),
                  Sample((distinct(6),), call=lambda x: (x, x < 0, [2.0, lambda v, n: v**n], 3)), Sample((distinct(6),), call=lambda x: (x, [x < 1, x < 0], [lambda v: v * v, lambda v: -v]))],
    "bincount": [Sample((normal(5),), {"minlength": n}, lambda w: (np.array([1, 0, 3, 1, 1]), w)) for n in (0, 6)],
    "sort": [*each((distinct(5),), (distinct(2, 3),), (distinct(2, 3), {"axis": 0}), (distinct(2, 3), {"axis": None}), (distinct(3, 2).T, {"axis": -1}), (distinct(2, 3, 2), {"axis": 1}), (complex_normal(4),), (distinct(0),), (distinct(1),)),
             Sample((normal(2, 3),), {"axis": 0}, lambda x: (np.concatenate([x, x]),))],
    "partition": given(*[(distinct(*s), k, {"axis": a}) for s, k, a in (((5,), 2, 0), ((5,), (1, 3), -1), ((2, 3), 1, 0), ((2, 3), -1, 1), ((2, 3), 4, None))]),
    "unique": [*each((distinct(4),), (distinct(2, 3),), (distinct(0),), (distinct(3, 2), {"axis": 0}), (distinct(2, 3), {"axis": -1}), (complex_normal(4),)),
               Sample((distinct(3),), call=lambda x: (np.stack([x, x]),)), Sample((distinct(3, 2),), {"axis": 0}, lambda x: (np.concatenate([x, x]),))],
    "unique_all": each((distinct(1),)),
    "unique_counts": each((distinct(1),)),
    "unique_inverse": each((distinct(1),)),
    "unique_values": [*each((distinct(1),), (distinct(0),)), Sample((distinct(1),), call=lambda x: (np.stack([x, x]),))],
    "tile": given((normal(3), 2), (normal(3), (2, 2)), (normal(2, 3), 2), (normal(2, 3), (3, 1)), (normal(2, 3), (2, 1, 2)), (normal(), 3), (normal(2), 0), (normal(2, 0), 2), (normal(3, 2).T, (1, 2)), (normal(2, 3, 2), (2, 1)), (normal(2), ())),
    "repeat": given((normal(3), 2, {}), (normal(2, 3), 2, {}), (normal(2, 3), 2, {"axis": 0}), (normal(2, 3), 3, {"axis": -1}), (normal(2, 3), [0, 2, 1], {"axis": 1}), (normal(2, 3), 0, {"axis": 0}), (normal(), 2, {}), (normal(2, 3, 2), [1, 2, 0], {"axis": -2}), (normal(2, 3), [2], {"axis": 1})),
    "delete": given((normal(4), 1, {}), (normal(4), [0, -1], {}), (normal(2, 3), 1, {"axis": 1}), (normal(2, 3), slice(0, 3, 2), {"axis": -1}), (normal(2, 3), 4, {}), (normal(4), np.array([True, False, True, False]), {}), (normal(2, 3), [], {"axis": 0})),
    "insert": [Sample((normal(*a), normal(*v, seed=1)), {"axis": axis}, lambda x, y, obj=obj: (x, obj, y)) for a, obj, v, axis in
               (((4,), 1, (), None), ((4,), 1, (3,), None), ((4,), [1, 3], (2,), None), ((4,), [3, 1, 1], (3,), 0), ((4,), [2], (3,), 0), ((4,), slice(0, 4, 2), (2,), 0), ((4,), -1, (), 0), ((4,), 4, (2,), 0), ((2, 3), 1, (3,), 0), ((2, 3), 1, (2,), 1), ((2, 3), [1], (2, 1), 1),
                ((2, 3), [0, 2], (2, 2), 1), ((2, 3), [0, 3], (), -1), ((2, 3), 5, (2,), None), ((2, 3, 2), 1, (2, 2), 1), ((3,), [], (0,), 0), ((3,), np.array([True, False, True]), (2,), 0))],
    "append": [Sample((normal(*a), normal(*b, seed=1)), {"axis": axis}) for a, b, axis in (((3,), (2,), None), ((2, 3), (2,), None), ((2, 3), (1, 3), 0), ((2, 3), (2, 1), -1), ((3,), (), None), ((0,), (2,), 0))],
    "pad": pads(),
    "split": [Sample((normal(*s),), {"axis": a}, lambda x, i=i: (x, i)) for s, i, a in CUTS],
    "array_split": [*[Sample((normal(*s),), {"axis": a}, lambda x, i=i: (x, i)) for s, i, a in CUTS], *given((normal(7), 3), (normal(2, 5), 2, 1), (normal(2), 3))],
    "hsplit": given((normal(2, 4), 2), (normal(4), [1]), (normal(2, 3, 2), [1, 2])),
    "vsplit": given((normal(4, 2), 2), (normal(3, 2, 2), [1])),
    "dsplit": given((normal(2, 3, 4), 2), (normal(1, 2, 3), [1])),
    "unstack": each((normal(3),), (normal(2, 3), {"axis": 0}), (normal(2, 3), {"axis": -1}), (normal(2, 3, 2), {"axis": 1})),
    "hstack": [lists((2,), (3,)), lists((2, 3), (2, 1)), lists((), ()), lists((2, 3, 2), (2, 1, 2)), lists((3,)), lists((), (2,)), lists((2, 0), (2, 1))],
    "vstack": [lists((3,), (3,)), lists((2, 3), (3,)), lists((), ()), lists((2, 3, 2), (1, 3, 2)), lists((0, 3), (3,))],
    "dstack": [lists((3,), (3,)), lists((2, 3), (2, 3)), lists((), ()), lists((2, 3, 2), (2, 3, 1)), lists((2, 3), (2, 3, 2))],
    "column_stack": [lists((3,), (3,)), lists((3, 2), (3,)), lists((), ()), lists((3,))],
    "block": [lists((2,), (3,)), Sample((normal(2, 2), normal(2, 1), normal(1, 2), normal(1, 1)), call=lambda a, b, c, d: ([[a, b], [c, d]],)), Sample((normal(2), normal()), call=lambda a, b: ([[a, b], [b, a]],)), Sample((normal(2),), call=lambda a: (a,)),
              Sample((normal(2, 2, 3), normal(1, 3)), call=lambda a, b: ([a, b],) if a.shape[:-1] == b.shape[:-1] else ([[a], [np.stack([b, b])]],)), Sample((normal(), normal(2)), call=lambda a, b: ([[[a]], [[b[:1]]]],))],
    "diagonal": given((normal(3, 3),), (normal(2, 4), 1), (normal(4, 2), -1), (normal(2, 3, 4), 0, 1, 2), (normal(2, 3, 4), 1, -1, 0), (normal(2, 3), 5), (normal(2, 3), -2), (normal(0, 2),)),
    "trace": given((normal(3, 3),), (normal(2, 4), 1), (normal(4, 2), -1), (normal(2, 3, 4), 0, 1, 2), (normal(2, 3, 4), 1, -1, 0), (normal(2, 3), 5), (complex_normal(2, 2),)),
    "linalg.diagonal": each((normal(3, 3),), (normal(2, 3, 4), {"offset": 1}), (normal(2, 4, 3), {"offset": -1})),
    "linalg.trace": each((normal(3, 3),), (normal(2, 3, 4), {"offset": 1}), (normal(2, 4, 3), {"offset": -1})),
    "diag": [Sample((normal(*s),), {"k": k}) for s in ((3,), (3, 3), (2, 4), (4, 2), (1,), (0,)) for k in (0, 1, -2)],
    "diagflat": [Sample((normal(*s),), {"k": k}) for s in ((3,), (2, 2), ()) for k in (0, 1, -1)],
    "vander": each((normal(3),), (normal(3), {"N": 4, "increasing": True}), (np.array([0.0, 2.0]), {"N": 3}), (normal(2), {"N": 1}), (normal(2), {"N": 0}), (normal(0),), (complex_normal(2), {"N": 4})),
    # --- products
    "dot": [Sample((normal(*a), normal(*b, seed=1))) for a, b in (((), ()), ((), (2, 3)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 2, 3), (3,)), ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((4, 2, 3), (2, 3, 1)), ((3,), (2, 3, 2)), ((2, 0), (0, 3)))],
    "tensordot": [Sample((normal(*a), normal(*b, seed=1)), {"axes": axes}) for a, b, axes in
                  (((2, 3, 4), (3, 4, 2), 2), ((2, 3), (3, 4), 1), ((2,), (3,), 0), ((2, 3, 4), (4, 2, 5), ([0, 2], [1, 0])), ((2, 3), (3, 2), (1, 0)), ((2, 3), (2, 3), (-1, -1)), ((2, 3), (3, 2), ([0, 1], [1, 0])), ((), (2,), 0), ((2, 0), (0, 3), 1), ((2, 3), (2, 3), ((0, -1), (0, 1))))]
                 + [Sample((complex_normal(2, 3), normal(3, 2)), {"axes": 1})],
    "outer": [*binary(normal)[:5], Sample((complex_normal(2), normal(3)))],
    "linalg.outer": [Sample((normal(2), normal(3, seed=1))), Sample((normal(1), normal(0)))],
    "inner": [Sample((normal(*a), normal(*b, seed=1))) for a, b in (((), ()), ((), (2,)), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 3)), ((2, 2, 3), (4, 1, 3)))],
    "vdot": [Sample((normal(3), normal(3, seed=1))), Sample((normal(2, 3), normal(2, 3, seed=1).T.copy().reshape(2, 3))), Sample((normal(), normal(seed=1))), Sample((complex_normal(2, 2), complex_normal(4, seed=1))), Sample((normal(3, 2).T, normal(6, seed=1)))],
    "kron": [Sample((normal(*a), normal(*b, seed=1))) for a, b in (((2,), (3,)), ((2, 2), (1, 3)), ((2,), (2, 3)), ((2, 2, 1), (2, 3)), ((), (2,)), ((), ()), ((2, 3), ()), ((0, 2), (2, 2)))],
    "matvec": [Sample((normal(*a), normal(*b, seed=1))) for a, b in (((2, 3), (3,)), ((4, 2, 3), (3,)), ((2, 3), (4, 3)), ((4, 1, 2, 3), (2, 3)), ((2, 0), (0,)))],
    "vecmat": [Sample((normal(*a), normal(*b, seed=1))) for a, b in (((3,), (3, 2)), ((4, 3), (3, 2)), ((3,), (4, 3, 2)), ((0,), (0, 2)))] + [Sample((complex_normal(3), complex_normal(3, 2)))],
    "cross": [Sample((normal(*a), normal(*b, seed=1)), p) for a, b, p in (((3,), (3,), {}), ((2, 3), (2, 3), {}), ((2, 3), (3,), {}), ((3, 2), (3, 2), {"axis": 0}), ((3, 2), (2, 3), {"axisa": 0}), ((2, 3), (2, 3), {"axisc": 0}), ((4, 1, 3), (2, 3), {}), ((3, 4), (3, 4), {"axis": -2}))],
    "linalg.cross": [Sample((normal(*a), normal(*b, seed=1)), p) for a, b, p in (((3,), (3,), {}), ((2, 3), (2, 3), {"axis": -1}), ((3, 2), (3, 2), {"axis": 0}))],
    "correlate": [Sample((normal(n), normal(m, seed=1)), {"mode": mode}) for n, m in ((4, 3), (3, 4), (2, 5), (5, 2), (1, 1), (2, 4), (3, 3)) for mode in ("valid", "same", "full")] + [Sample((complex_normal(3), complex_normal(2, seed=1)), {"mode": "full"})],
    "einsum": [Sample(tuple(normal(*shape, seed=i) for i, shape in enumerate(shapes)), call=lambda *xs, s=s: (s, *xs)) for s, shapes in
               [*sums(), ("ij,jk", [(2, 3), (3, 4)]), (" i j , j k -> i k ", [(2, 3), (3, 4)]), ("ba", [(2, 3)]), ("ii", [(3, 3)]), ("Ab,bA", [(2, 3), (3, 2)]), ("...ij,...jk->...ik", [(5, 2, 3), (5, 3, 2)]), ("...ij,...jk", [(5, 2, 3), (3, 2)]), ("...ij,...jk->...ik", [(4, 1, 2, 3), (5, 3, 2)]),
                ("i...->...", [(2, 3, 4)]), ("i...,...i->...", [(2, 3), (3, 2)]), ("...i->...i", [(3,)]), ("...", [(2, 3)]), ("...,...", [(2, 1), (3,)]), ("...ii->...i", [(2, 3, 3)]), ("b...,b...->...", [(2, 3), (2, 3)]), ("ij...,j", [(2, 3, 4), (3,)]), ("...a,...b,ab->...", [(2, 3), (2, 2), (3, 2)])]]
              + [Sample((normal(2, 3), normal(3, 4)), call=lambda x, y: (x, [0, 1], y, [1, 2], [0, 2])), Sample((normal(2, 3), normal(3, 4)), call=lambda x, y: (x, [5, 30], y, [30, 2])), Sample((normal(4, 2, 3), normal(3, 2)), call=lambda x, y: (x, [Ellipsis, 1, 2], y, [2, 3], [Ellipsis, 1, 3])),
                 Sample((normal(3, 3),), call=lambda x: ("ij,jk,ki->", x, x, x)), Sample((normal(2, 3), normal(3, 2)), {"optimize": True}, lambda x, y: ("ij,jk->ik", x, y)), Sample((complex_normal(2, 3), complex_normal(3, 2)), call=lambda x, y: ("ij,jk->ik", x, y))],
    # --- statistics
    "ptp": reducing(ordered),
    "average": [*reducing(normal), *weighted(), *each((normal(2, 3), {"axis": 1, "returned": True}))],
    "cumsum": each((normal(4),), (normal(2, 3),), (normal(2, 3), {"axis": 0}), (normal(2, 3), {"axis": -1}), (normal(),), (normal(0),), (normal(3, 2).T,), (complex_normal(3),)),
    "cumprod": each((normal(4),), (normal(2, 3),), (normal(2, 3), {"axis": 0}), (normal(2, 3), {"axis": -1}), (normal(),), (normal(0),), (np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 1.0]]),), (complex_normal(3),)),
    "median": [*reducing(ordered), *reducing(normal), Sample((complex_normal(4),))],
    "quantile": [*quantile_samples(1, ordered), Sample((ordered(4), np.array([0.2, 0.55]))), Sample((ordered(2, 4), np.array([[0.2, 0.55]])), {"axis": 1}), Sample((ordered(4), np.float64(0.45)), {"method": "weibull"})],
    "percentile": [*quantile_samples(100, ordered), Sample((ordered(4), np.array([20.0, 55.0])))],
    "nansum": [*skipping(), *each((LOST, {"axis": 1}))],
    "nanprod": [*skipping(), *each((LOST, {"axis": 1}))],
    "nanmean": skipping(),
    "nanmax": skipping(),
    "nanmin": skipping(),
    "nanvar": [*skipping(), *[Sample((holed(3, 4),), {"axis": a, "correction": 1}, numpy_names={"correction": "ddof"}) for a in (None, 0, 1)]],
    "nanstd": [s for s in (*skipping(), *[Sample((holed(3, 4),), {"axis": a, "correction": 1}, numpy_names={"correction": "ddof"}) for a in (None, 1)]) if s.inputs[0].size > 1],
    "nanmedian": skipping(),
    "nanquantile": quantile_samples(1, holed),
    "nanpercentile": quantile_samples(100, holed),
    "nancumsum": each((holed(4),), (holed(2, 3),), (holed(2, 3), {"axis": 0}), (holed(2, 3), {"axis": -1})),
    "nancumprod": each((holed(4),), (holed(2, 3),), (holed(2, 3), {"axis": 0}), (holed(2, 3), {"axis": -1})),
    "cov": [*correlations(), Sample((normal(2, 5),), {"bias": True}), Sample((normal(2, 5),), {"correction": 0}, numpy_names={"correction": "ddof"}), Sample((normal(2, 4),), {"fweights": np.array([1, 2, 1, 3])}), *[Sample((normal(2, 4),), {"aweights": np.array([1.0, 2.0, 0.5, 3.0]), "correction": c, "fweights": f}, numpy_names={"correction": "ddof"}) for c in (None, 0, 1) for f in (None, np.array([1, 2, 1, 3]))]],
    "corrcoef": correlations(),
    # --- calculus
    "diff": each((normal(4),), (normal(4), {"n": 2}), (normal(4), {"n": 0}), (normal(2, 3), {"axis": 0}), (normal(2, 3), {"axis": -1, "n": 3}), (normal(1),), (normal(0),), (normal(3, 2).T,), (normal(3), {"n": 2, "prepend": 1.0, "append": 2.0}), (normal(2, 3), {"axis": 0, "prepend": 0.5}), (complex_normal(3),)),
    "ediff1d": each((normal(4),), (normal(2, 3),), (normal(3), {"to_end": [1.0, 2.0], "to_begin": 0.5}), (normal(1),)),
    "gradient": gradients(),
    "unwrap": each((np.array([0.1, 3.0, -2.8, -0.2, 6.0, 12.9, 0.3]),), (normal(3, 4) * 5, {"axis": 0}), (normal(3, 4) * 5,), (normal(6) * 5, {"discont": 4.0}), (normal(6) * 5, {"period": 2.5}), (normal(1),)),
    "trapezoid": [*each((normal(5),), (normal(2, 3),), (normal(2, 3), {"axis": 0, "dx": 0.5}), (normal(1),), (complex_normal(3),)), Sample((normal(4), increasing(4))), Sample((normal(2, 4), increasing(4))), Sample((normal(4, 2), increasing(4)), {"axis": 0}), Sample((normal(2, 4), normal(2, 4, seed=1)), {"axis": -1})],
    "interp": interpolations(),
    "polyval": [Sample((normal(3), normal(2, 3, seed=1))), Sample((normal(4), normal(seed=1))), Sample((normal(1), normal(2))), Sample((complex_normal(3), complex_normal(2, seed=1)))],
    "polyder": each((normal(4),), (normal(4), {"m": 2}), (normal(4), {"m": 0})),
    "polyint": each((normal(3),), (normal(3), {"m": 2}), (normal(3), {"m": 2, "k": [1.0, 2.0]}), (normal(3), {"m": 1, "k": 3.0})),
    "sliding_window_view": [
        *[Sample((normal(*shape),), {"window_shape": window, "axis": axis}) for shape, window, axis in (((5,), 2, None), ((4, 5), (2, 3), None), ((4, 5), 2, 1), ((4, 5), (2,), (-2,)), ((3,), 3, 0))]
    ],
}  # fmt: skip
