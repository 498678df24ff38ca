"""Samples: primitives of the elementwise, activation, product, reduction, shape and loss chapters."""

from __future__ import annotations

from typing import Any

import numpy as np

from .makers import Sample, binary, complex_normal, distinct, normal, positive, reducing, rowwise, unary


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
    "negative": unary(normal),
    "positive": unary(normal),
    "square": unary(normal),
    "sqrt": unary(positive),
    "exp": unary(normal),
    "expm1": unary(normal),
    "log": unary(positive),
    "log1p": unary(positive),
    "sin": unary(normal),
    "cos": unary(normal),
    "tanh": unary(normal),
    "abs": unary(normal),
    "maximum": binary(normal),
    "minimum": binary(normal),
    "clip": [Sample((distinct(8), np.float64(-0.4), np.float64(0.4))), Sample((distinct(2, 4), distinct(4, seed=3) - 0.1, np.float64(0.6))),
             *[Sample((distinct(8),), call=lambda x, b=b: (x, *b)) for b in ((None, 0.3), (0.3, None), (None, None), (-0.3, 0.3), (0.3, -0.3))]],
    "where": [Sample((normal(*a), normal(*b, seed=1)), call=lambda x, y, c=c: (c, x, y))
              for a, b, c in (((3,), (3,), np.array([True, False, True])), ((2, 3), (), np.array([True, False, True])), ((), (3,), np.array([[True], [False]])), ((1, 3), (2, 1), np.array(True)))],
    "astype": unary(normal, dtype=np.dtype(np.float64)),
    "sign": unary(distinct),
    "floor": unary(distinct),
    "ceil": unary(distinct),
    "trunc": unary(distinct),
    "round": unary(distinct),
    "floor_divide": [Sample((distinct(6) * 1.1, np.float64(0.8))), Sample((distinct(2, 3), positive(3) + 3))],
    "relu": unary(distinct),
    "leaky_relu": [*unary(distinct, negative_slope=0.01), *unary(distinct, negative_slope=1.5)],
    "sigmoid": unary(normal),
    "softplus": unary(normal),
    "softmax": rowwise(),
    "log_softmax": rowwise(),
    "logsumexp": [s._replace(params={**s.params, "keepdims": k}) for s in rowwise() for k in (False, True)],
    "matmul": [Sample((normal(*a), normal(*b, seed=1))) for a, b in matrices()],
    "linear": [Sample((normal(*a), normal(*b, seed=1), normal(b[-1], seed=2))) for a, b in matrices() if len(b) == 2],
    "sum": [*reducing(normal), Sample((normal(0, 3),), {"axis": 0, "keepdims": False}), Sample((normal(2, 3),), {"axis": (), "keepdims": False})],
    "mean": reducing(normal),
    "max": reducing(distinct),
    "min": reducing(distinct),
    "var": [*reducing(normal, correction=0), *[Sample((normal(3, 4),), {"axis": a, "correction": 1, "keepdims": k}) for a in (0, None) for k in (False, True)]],
    "reshape": [Sample((normal(2, 3),), {"shape": s}) for s in ((3, 2), (6,), -1, (1, 6, 1))] + [Sample((normal(),), {"shape": (1, 1)}), Sample((normal(0, 2),), {"shape": (2, 0)})],
    "expand_dims": [Sample((normal(2, 3),), {"axis": a}) for a in (0, -1, (0, 2))] + [Sample((normal(),), {"axis": 0})],
    "squeeze": [Sample((normal(1, 3, 1),), {"axis": a}) for a in (None, 0, -1, (0, 2))],
    "permute_dims": [Sample((normal(2, 3, 4),), {"axes": a}) for a in (None, (1, 2, 0), (2, 0, 1), (0, -1, 1))] + [Sample((normal(3),), {"axes": None}), Sample((normal(),), {"axes": None})],
    "broadcast_to": [Sample((normal(*a),), {"shape": b}) for a, b in (((), (2, 3)), ((3,), (2, 3)), ((2, 1), (4, 2, 3)), ((1, 1), (1, 1)), ((1,), (0,)))],
    "getitem": [Sample((normal(*shape),), {"index": index}) for shape, index in indices()],
    "scatter": [Sample((np.asarray(normal(*shape)[index]),), {"shape": shape, "index": index}) for shape, index in indices()],
    "concat": [Sample((normal(2, 3), normal(2, 1, seed=1), normal(2, 0, seed=2)), {"axis": a}) for a in (1, -1)]
              + [Sample((normal(2, 3), normal(1, 3, seed=1)), {"axis": 0}), Sample((normal(2, 3), normal(4, seed=1)), {"axis": None}), Sample((normal(2),), {"axis": 0})],
    "stack": [Sample((normal(2, 3), normal(2, 3, seed=1)), {"axis": a}) for a in (0, 1, -1)] + [Sample((normal(), normal(seed=1)), {"axis": 0})],
    "cross_entropy": [Sample((normal(4, 3),), {"reduction": r}, lambda x: (x, LABELS)) for r in ("mean", "sum")]
                     + [Sample((normal(3),), {"reduction": "mean"}, lambda x: (x, np.array(1))), Sample((normal(2, 2, 3),), {"reduction": "mean"}, lambda x: (x, LABELS.reshape(2, 2)))],
    "binary_cross_entropy_with_logits": [Sample((normal(2, 3), TARGETS), {"reduction": r}) for r in ("mean", "sum")] + [Sample((normal(), np.float64(0.3)), {"reduction": "mean"})],
    "mse_loss": [Sample((normal(2, 3), normal(2, 3, seed=1)), {"reduction": r}) for r in ("mean", "sum")],
}  # fmt: skip
