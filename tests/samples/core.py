"""Samples: primitives of the elementwise, activation, product, reduction, shape and loss chapters."""

from __future__ import annotations

from typing import Any

import numpy as np

from .makers import PAIRS, Sample, binary, complex_normal, distinct, normal, positive, reducing, rowwise, unary


def matrices() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((1, 3), (3, 4)), ((3, 3), (3,)), ((2, 3), (3, 1)), ((1, 1), (1, 1)),
        ((5, 2, 3), (5, 3, 4)), ((5, 1, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 4)), ((4, 1, 2, 3), (5, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)),
    ]  # fmt: skip


def indices() -> list[tuple[tuple[int, ...], Any]]:
    mask = np.array([[True, False, True], [False, True, True]])
    i, j = np.array([0, 1, 1, -1]), np.array([2, 0, 0, 1])
    return [
        ((4,), 2), ((4,), -1), ((4,), slice(1, 3)), ((4,), slice(None, None, -2)), ((2, 3), (slice(None), 1)), ((2, 3), (1, 2)), ((2, 3), Ellipsis),
        ((2, 3), (None, 0)), ((2, 3), (Ellipsis, None, 1)), ((2, 3), mask), ((2, 3), (i, j)), ((3,), i), ((3,), np.array([0, -3, 0])), ((3, 2), np.array([[0, 2], [2, 2]])),
        ((3, 2, 4), (i, slice(None), j)), ((3, 2, 4), (0, slice(None), j)), ((3, 2, 4), (slice(1, 3), np.array([0, 1, 1]))), ((3,), np.array([], int)), ((), ()), ((2, 3), (np.array([True, False]), 1)),
    ]  # fmt: skip


def fraction(*shape: int, seed: int = 0) -> np.ndarray:
    """Between −0.9 and 0.9."""
    return np.random.default_rng([seed, *shape]).uniform(-0.9, 0.9, shape)


def above_one(*shape: int, seed: int = 0) -> np.ndarray:
    return positive(*shape, seed=seed) + 1


def with_complex(samples: list[Sample]) -> list[Sample]:
    """The samples, and every second one with imaginary parts."""
    return [
        *samples,
        *[s._replace(inputs=tuple(a + 1j * normal(*a.shape, seed=200 + i) for i, a in enumerate(s.inputs))) for s in samples[::2]],
    ]


def sums() -> list[tuple[str, list[tuple[int, ...]]]]:
    """Subscripts and shapes: products, diagonals, labels that are summed away or stretched, more than two factors."""
    return [
        ("ij,jk->ik", [(2, 3), (3, 4)]), ("ij,jk->ki", [(2, 3), (3, 4)]), ("i,i->", [(3,), (3,)]), ("i,j->ij", [(2,), (3,)]), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 2)]),
        ("ij->ji", [(2, 3)]), ("ij->", [(2, 3)]), ("ij->j", [(2, 3)]), ("ii->", [(3, 3)]), ("ii->i", [(3, 3)]), ("iij->ij", [(2, 2, 3)]), ("iijj->ij", [(2, 2, 3, 3)]), ("ijiki->jk", [(2, 3, 2, 2, 2)]),
        ("ij,ik->i", [(2, 3), (2, 4)]), ("ij,kl->il", [(2, 3), (2, 4)]), ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 3)]), ("ij,jk->ik", [(2, 1), (3, 4)]), ("ij,ij->ij", [(1, 3), (2, 1)]), ("ii,i->i", [(1, 1), (3,)]),
        ("ii,ij->j", [(3, 3), (3, 2)]), (",i->i", [(), (3,)]), ("->", [()]), ("ij,j->i", [(0, 3), (3,)]), ("ij,j->i", [(2, 0), (0,)]), ("aB,Bc->ac", [(2, 3), (3, 2)]), ("ik,jkl,il->ij", [(5, 2), (3, 2, 4), (5, 4)]),
    ]  # fmt: skip


def convolutions() -> list[Sample]:
    pairs = ((4, 3), (3, 4), (4, 4), (5, 2), (2, 5), (1, 3), (3, 1), (1, 1), (6, 3), (3, 6))
    return [Sample((normal(n), normal(m, seed=1)), {"mode": mode}) for n, m in pairs for mode in ("full", "same", "valid")]


def scans() -> list[Sample]:
    shapes: list[tuple[tuple[int, ...], int | None]] = [
        ((4,), None),
        ((1,), 0),
        ((0,), 0),
        ((2, 3), 0),
        ((2, 3), -1),
        ((3, 2, 4), 1),
        ((2, 0), 0),
    ]
    return [Sample((normal(*shape),), {"axis": axis, "include_initial": i}) for shape, axis in shapes for i in (False, True)]


def with_zeros(*positions: int) -> np.ndarray:
    x = normal(2, 4)
    x.flat[list(positions)] = 0
    return x


LABELS = np.array([0, 2, 1, 2])
TARGETS = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.25]])

CORE: dict[str, list[Sample]] = {
    "add": binary(normal),
    "subtract": binary(normal),
    "multiply": binary(normal),
    "divide": binary(normal, positive),
    "remainder": [Sample((distinct(6) * 1.1, np.float64(0.8))), Sample((distinct(2, 3), positive(3) + 3))],
    "pow": [*binary(positive, normal), *[Sample((normal(2, 3),), call=lambda x, n=n: (x, n)) for n in (2, 3, -1, 1, 0)],
            Sample((positive(3),), call=lambda x: (x, 0.5)), Sample((normal(3),), call=lambda y: (2.0, y))],
    "fmod": [Sample((distinct(6) * 1.1, np.float64(0.8))), Sample((distinct(2, 3), positive(3) + 3)), Sample((distinct(7) * 2.3, np.float64(-1.1)))],
    "float_power": binary(positive, normal),
    "reciprocal": unary(positive),
    "hypot": binary(normal),
    "radial": [Sample((normal(*a), normal(*b, seed=1), positive(*a, seed=2))) for a, b in PAIRS] + [Sample((complex_normal(3), complex_normal(3, seed=1), positive(3)))],
    "negative": unary(normal),
    "positive": unary(normal),
    "square": unary(normal),
    "sqrt": unary(positive),
    "cbrt": [*unary(positive), Sample((-positive(3),))],
    "exp": unary(normal),
    "exp2": unary(normal),
    "expm1": unary(normal),
    "log": unary(positive),
    "log2": unary(positive),
    "log10": unary(positive),
    "log1p": unary(positive),
    "logaddexp": binary(normal),
    "logaddexp2": binary(normal),
    "sin": unary(normal),
    "cos": unary(normal),
    "tan": unary(fraction),
    "asin": unary(fraction),
    "acos": unary(fraction),
    "atan": unary(normal),
    "atan2": binary(normal),
    "sinh": unary(normal),
    "cosh": unary(normal),
    "tanh": unary(normal),
    "asinh": unary(normal),
    "acosh": unary(above_one),
    "atanh": unary(fraction),
    "sinc": [*unary(normal), Sample((np.array([0.0, 1.0, -2.0, 1e-3, 0.4, -5.5]),))],
    "sinc_slope": [Sample((np.array([0.0, 1.0, -2.0, 1e-3, 0.4, 0.7, 1.1, -5.5]),), {"order": n}) for n in (1, 2, 3)],
    "deg2rad": unary(normal),
    "rad2deg": unary(normal),
    "fabs": unary(normal),
    "copysign": [*binary(distinct), Sample((distinct(3),), call=lambda x: (x, -2.0))],
    "real": unary(normal),
    "imag": unary(normal),
    "conj": unary(normal),
    "angle": unary(normal),
    "abs": unary(normal),
    "maximum": binary(normal),
    "minimum": binary(normal),
    "fmax": [*binary(normal), Sample((np.array([np.nan, 1.0, 2.0]), np.array([3.0, np.nan, 1.0])))],
    "fmin": [*binary(normal), Sample((np.array([np.nan, 1.0, 2.0]), np.array([3.0, np.nan, 1.0])))],
    "nan_to_num": [*unary(normal, nan=0.0), Sample((np.array([1.0, np.nan, np.inf, -np.inf, -2.0]),), {"nan": 5.0, "posinf": 2.0, "neginf": -3.0})],
    "clip": [Sample((distinct(8), np.float64(-0.4), np.float64(0.4))), Sample((distinct(2, 4), distinct(4, seed=3) - 0.1, np.float64(0.6))),
             *[Sample((distinct(8),), call=lambda x, b=b: (x, *b)) for b in ((None, 0.3), (0.3, None), (None, None), (-0.3, 0.3), (0.3, -0.3))]],
    "where": [Sample((normal(*a), normal(*b, seed=1)), call=lambda x, y, c=c: (c, x, y))
              for a, b, c in (((3,), (3,), np.array([True, False, True])), ((2, 3), (), np.array([True, False, True])), ((), (3,), np.array([[True], [False]])), ((1, 3), (2, 1), np.array(True)))],
    "astype": unary(normal, dtype=np.dtype(np.float64)),
    "sign": unary(distinct),
    "floor": unary(distinct),
    "ceil": unary(distinct),
    "trunc": unary(distinct),
    "round": [*unary(distinct), *unary(distinct, decimals=1), *unary(distinct, decimals=-1)],
    "rint": unary(distinct),
    "heaviside": [*binary(distinct), Sample((normal(),), call=lambda y: (np.array([-1, 0, 2], np.int8), y))],
    "nextafter": binary(normal),
    "ldexp": [Sample((normal(3),), call=lambda x: (x, np.array([1, -2, 0]))), Sample((normal(),), call=lambda x: (x, np.array([[3], [1]]))), Sample((normal(2, 0),), call=lambda x: (x, 1))],
    "floor_divide": [Sample((distinct(6) * 1.1, np.float64(0.8))), Sample((distinct(2, 3), positive(3) + 3))],
    "relu": unary(distinct),
    "leaky_relu": [*unary(distinct, negative_slope=0.01), *unary(distinct, negative_slope=1.5)],
    "elu": [*unary(distinct, alpha=1.0), *unary(distinct, alpha=0.5)],
    "hardtanh": [*unary(distinct), Sample((distinct(9),), {"min_val": -0.5, "max_val": 0.25})],
    "sigmoid": unary(normal),
    "log_sigmoid": unary(normal),
    "softsign": unary(normal),
    "silu": unary(normal),
    "erf": [*unary(normal), Sample((np.array([-6.0, -4.1, -3.9, -0.5, -0.4, 0.0, 0.3, 0.6, 2.0, 3.9, 4.1, 5.5]),))],
    "erfc": [*unary(normal), Sample((np.array([-6.0, -4.1, -3.9, -0.5, -0.4, 0.0, 0.3, 0.6, 2.0, 3.9, 4.1, 5.5]),))],
    "gelu": [*unary(normal, approximate="none"), *unary(normal, approximate="tanh")],
    "softplus": unary(normal),
    "softmax": rowwise(),
    "log_softmax": rowwise(),
    "logsumexp": [s._replace(params={**s.params, "keepdims": k}) for s in rowwise() for k in (False, True)],
    "matmul": [Sample((normal(*a), normal(*b, seed=1))) for a, b in matrices()],
    "linear": [Sample((normal(*a), normal(*b, seed=1), normal(b[-1], seed=2))) for a, b in matrices() if len(b) == 2],
    "vecdot": [Sample((normal(*a), normal(*b, seed=1)), {"axis": axis}) for a, b, axis in
               (((3,), (3,), -1), ((2, 3), (3,), -1), ((3,), (4, 1, 3), -1), ((2, 3), (2, 3), 0), ((3, 1), (1, 3, 2), -2), ((0,), (0,), -1), ((1,), (1,), 0), ((0, 3), (3,), -1))],
    "contract": [Sample(tuple(normal(*shape, seed=i) for i, shape in enumerate(shapes)), {"subscripts": subscripts}) for subscripts, shapes in sums()],
    "convolve": convolutions(),
    "sum": [*reducing(normal), Sample((normal(0, 3),), {"axis": 0, "keepdims": False}), Sample((normal(2, 3),), {"axis": (), "keepdims": False})],
    "mean": reducing(normal),
    "prod": [*reducing(normal), *[Sample((with_zeros(*zeros),), {"axis": a}) for zeros in ((1,), (1, 2), (0, 1, 2, 3), (1, 5)) for a in (None, 0, 1)],
             Sample((normal(0, 3),), {"axis": 0}), Sample((normal(2, 3),), {"axis": ()})],
    "max": reducing(distinct),
    "min": reducing(distinct),
    "var": [*reducing(normal, correction=0), *[Sample((normal(3, 4),), {"axis": a, "correction": 1, "keepdims": k}) for a in (0, None) for k in (False, True)]],
    "std": [*[s for s in reducing(normal, correction=0) if s.inputs[0].size > 3], *[Sample((normal(3, 4),), {"axis": a, "correction": 1, "keepdims": k}) for a in (0, None) for k in (False, True)]],
    "linalg.vector_norm": [s for ord in (2, 1, 3, 0.5, -1, np.inf, -np.inf, 0) for s in reducing(normal, ord=ord) if s.inputs[0].size > 3 or ord == 2],
    "cumulative_sum": scans(),
    "cumulative_prod": [*scans(), *[Sample((with_zeros(*zeros),), {"axis": a}) for zeros in ((1,), (1, 2), (0, 1, 2, 3), (1, 5)) for a in (0, 1)]],
    "recurrence": [Sample((normal(*a), normal(*b, seed=1)), {"axis": axis}) for a, b, axis in
                   (((4,), (4,), 0), ((2, 3), (2, 3), 0), ((2, 3), (2, 3), -1), ((3,), (2, 3), 1), ((2, 3), (2, 1, 3), -1), ((1,), (4,), 0), ((4,), (1,), -1), ((), (3,), 0), ((2, 1), (3,), -1), ((1,), (1,), 0), ((0,), (0,), 0))],
    "roll": [Sample((normal(*shape),), {"shift": shift, "axis": axis}) for shape, shift, axis in
             (((5,), 2, None), ((5,), -7, 0), ((2, 3), 1, None), ((2, 3), 1, 0), ((2, 3), -1, -1), ((2, 3, 2), (1, 2), (0, 1)), ((2, 3), (1, 1), (1, 1)), ((2, 3), 1, (0, 1)), ((), 1, None), ((0, 2), 1, 0), ((3,), 0, 0))],
    "tril": [Sample((normal(*shape),), {"k": k}) for shape in ((3, 3), (2, 4), (4, 2), (2, 3, 3), (1, 1), (0, 2)) for k in (0, 1, -1)],
    "triu": [Sample((normal(*shape),), {"k": k}) for shape in ((3, 3), (2, 4), (4, 2), (2, 3, 3), (1, 1), (0, 2)) for k in (0, 1, -1)],
    "reshape": [Sample((normal(2, 3),), {"shape": s}) for s in ((3, 2), (6,), -1, (1, 6, 1))] + [Sample((normal(),), {"shape": (1, 1)}), Sample((normal(0, 2),), {"shape": (2, 0)})],
    "expand_dims": [Sample((normal(2, 3),), {"axis": a}) for a in (0, -1, (0, 2))] + [Sample((normal(),), {"axis": 0})],
    "squeeze": [Sample((normal(1, 3, 1),), {"axis": a}) for a in (None, 0, -1, (0, 2))],
    "permute_dims": [Sample((normal(2, 3, 4),), {"axes": a}) for a in (None, (1, 2, 0), (2, 0, 1), (0, -1, 1))] + [Sample((normal(3),), {"axes": None}), Sample((normal(),), {"axes": None})],
    "broadcast_to": [Sample((normal(*a),), {"shape": b}) for a, b in (((), (2, 3)), ((3,), (2, 3)), ((2, 1), (4, 2, 3)), ((1, 1), (1, 1)), ((1,), (0,)))],
    "getitem": [Sample((normal(*shape),), {"index": index}) for shape, index in indices()],
    "scatter": [Sample((np.asarray(normal(*shape)[index]),), {"shape": shape, "index": index}) for shape, index in indices()],
    "setitem": [*[Sample((normal(*shape), np.asarray(normal(*shape, seed=1)[index])), {"index": index}) for shape, index in indices()],
                *[Sample((normal(*shape), normal(*value, seed=1)), {"index": index}) for shape, value, index in
                  (((2, 3), (), slice(None)), ((2, 3), (3,), Ellipsis), ((2, 3), (2, 1), (slice(None), slice(1, 3))), ((3, 2), (2,), np.array([0, 2, 0])), ((4,), (), np.array([1, 1, -3])), ((2, 3), (1, 3), 1))]],
    "concat": [Sample((normal(2, 3), normal(2, 1, seed=1), normal(2, 0, seed=2)), {"axis": a}) for a in (1, -1)]
              + [Sample((normal(2, 3), normal(1, 3, seed=1)), {"axis": 0}), Sample((normal(2, 3), normal(4, seed=1)), {"axis": None}), Sample((normal(2),), {"axis": 0})],
    "stack": [Sample((normal(2, 3), normal(2, 3, seed=1)), {"axis": a}) for a in (0, 1, -1)] + [Sample((normal(), normal(seed=1)), {"axis": 0})],
    "cross_entropy": [Sample((normal(4, 3),), {"reduction": r}, lambda x: (x, LABELS)) for r in ("mean", "sum")]
                     + [Sample((normal(3),), {"reduction": "mean"}, lambda x: (x, np.array(1))), Sample((normal(2, 2, 3),), {"reduction": "mean"}, lambda x: (x, LABELS.reshape(2, 2)))],
    "binary_cross_entropy_with_logits": [Sample((normal(2, 3), TARGETS), {"reduction": r}) for r in ("mean", "sum")] + [Sample((normal(), np.float64(0.3)), {"reduction": "mean"})],
    "mse_loss": [Sample((normal(2, 3), normal(2, 3, seed=1)), {"reduction": r}) for r in ("mean", "sum")],
}  # fmt: skip

ANALYTIC = [
    "negative", "positive", "reciprocal", "square", "sqrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos",
    "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "abs", "sign", "real", "imag", "conj",
    "angle", "sigmoid", "log_sigmoid", "softplus", "silu", "erf", "erfc", "sinc", "sinc_slope", "nan_to_num",
]  # fmt: skip
for name in ANALYTIC:
    CORE[name] = [*CORE[name], *unary(complex_normal, **CORE[name][0].params)]
CORE["gelu"] += [*unary(complex_normal, approximate="none"), *unary(complex_normal, approximate="tanh")]
for name in ("add", "subtract", "multiply", "divide", "pow", "float_power"):
    CORE[name] = [*CORE[name], *[Sample((complex_normal(*a), complex_normal(*b, seed=1))) for a, b in PAIRS]]
    # a complex and a real one
    CORE[name] += [Sample((complex_normal(2, 3), positive(3))), Sample((positive(3), complex_normal(2, 1)))]
CORE["where"].append(Sample((complex_normal(3), normal(3)), call=lambda x, y: (np.array([True, False, True]), x, y)))
ARRAYS = [
    "matmul", "linear", "vecdot", "contract", "convolve", "sum", "mean", "prod", "var", "std", "linalg.vector_norm",
    "cumulative_sum", "cumulative_prod", "recurrence", "reshape", "expand_dims", "squeeze", "permute_dims", "broadcast_to",
    "roll", "tril", "triu", "getitem", "scatter", "setitem", "concat", "stack", "softmax", "log_softmax", "logsumexp",
]  # fmt: skip
for name in ARRAYS:
    CORE[name] = with_complex(CORE[name])
