"""Samples: linear algebra.

The matrices are well conditioned, and their eigenvalues and singular values apart, but where a sample is about the opposite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .makers import Array, Sample, complex_normal, normal

Make = Callable[..., Array]


def regular(*shape: int, seed: int = 0) -> Array:
    """Square matrices far from singular."""
    return normal(*shape, seed=seed) * 0.5 + np.diag(np.arange(2.0, 2.0 + shape[-1]))


def complex_regular(*shape: int, seed: int = 0) -> Array:
    return complex_normal(*shape, seed=seed) * 0.4 + np.diag(np.arange(2.0, 2.0 + shape[-1]) + 0.5j)


def spread(*shape: int, seed: int = 0) -> Array:
    """Matrices of any shape whose singular values are apart."""
    return normal(*shape, seed=seed) * 0.3 + np.eye(*shape[-2:]) * np.arange(1.0, 1.0 + shape[-1])


def complex_spread(*shape: int, seed: int = 0) -> Array:
    return complex_normal(*shape, seed=seed) * 0.25 + np.eye(*shape[-2:]) * np.arange(1.0, 1.0 + shape[-1])


def gaps(*shape: int) -> Array:
    """Differences of values, away from 0."""
    return normal(*shape, seed=5) + np.sign(normal(*shape, seed=5))


def of_rank(rank: int, *shape: int, seed: int = 0) -> Array:
    """Matrices of a lower rank than they could have."""
    return normal(*shape[:-1], rank, seed=seed) @ normal(*shape[:-2], rank, shape[-1], seed=seed + 1)


def conjugated(x: Any) -> Any:
    return np.conj(x) if x.dtype.kind == "c" else x


def symmetric(x: Any) -> tuple[Any]:
    return (x + conjugated(x).mT,)


def definite(x: Any) -> tuple[Any]:
    return (x @ conjugated(x).mT + np.asarray(3 * np.eye(x.shape[-1]), x.dtype),)


SQUARE = ((1, 1), (2, 2), (3, 3), (4, 4), (2, 3, 3), (2, 1, 2, 2), (0, 3, 3))
RECTANGLES = ((1, 1), (3, 3), (4, 2), (2, 4), (3, 1), (1, 3), (2, 3, 2), (2, 2, 3), (0, 3, 2))


def square(make: Make = regular, complex_make: Make = complex_regular, call: Any = None, **params: Any) -> list[Sample]:
    inputs = [make(*shape) for shape in SQUARE] + [complex_make(*shape) for shape in ((1, 1), (3, 3), (2, 2, 2))]
    return [Sample((x,), params, call or (lambda *xs: xs)) for x in inputs]


def rectangular(*, imaginary: bool = True, **params: Any) -> list[Sample]:
    inputs = [spread(*shape) for shape in RECTANGLES]
    inputs += [complex_spread(*shape) for shape in ((1, 1), (3, 3), (4, 2), (2, 4), (2, 3, 2))] if imaginary else []
    return [Sample((x,), params) for x in inputs]


def real_only(samples: list[Sample]) -> list[Sample]:
    return [s for s in samples if not np.iscomplexobj(s.inputs[0])]


SYSTEMS = (
    ((2, 2), (2,)),
    ((3, 3), (3, 1)),
    ((3, 3), (3, 2)),
    ((2, 3, 3), (3,)),
    ((2, 3, 3), (2, 3, 2)),
    ((2, 3, 3), (3, 2)),
    ((3, 3), (4, 3, 2)),
    ((2, 1, 2, 2), (3, 2, 1)),
    ((0, 3, 3), (0, 3, 1)),
    ((1, 1), (1,)),
)
SINGULAR = (
    np.zeros((1, 1)),
    np.zeros((3, 3)),
    of_rank(1, 3, 3),
    of_rank(2, 3, 3),
    of_rank(2, 2, 4, 4),
    np.diag([1.0, 0.0, 2.0]),
    np.eye(3),
    np.ones((2, 2)),
)
ORDERS: tuple[Any, ...] = (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
VECTOR_ORDERS: tuple[Any, ...] = (None, 2, 1, 3, 2.5, np.inf, -np.inf)

LINEAR_ALGEBRA: dict[str, list[Sample]] = {
    "linalg.inv": square(),
    "linalg.solve": [Sample((regular(*a), normal(*b, seed=1))) for a, b in SYSTEMS]
                    + [Sample((complex_regular(*a), complex_normal(*b, seed=1))) for a, b in SYSTEMS[:5]]
                    + [Sample((regular(3, 3), complex_normal(3, 2))), Sample((complex_regular(3, 3), normal(3)))],
    "linalg.pinv": [*rectangular(), *rectangular(rcond=1e-10)[2:4], *rectangular(rtol=1e-12)[2:4], Sample((spread(4, 2),), {"rtol": None}),
                    *[Sample((regular(3, 3),), {"hermitian": True}, symmetric), Sample((complex_regular(3, 3),), {"hermitian": True}, symmetric)],
                    *[Sample((normal(4, 2), normal(2, 3)), call=lambda x, y: (x @ y,), params={"rcond": 1e-6}), Sample((complex_normal(4, 1), complex_normal(1, 3)), {"rcond": 1e-6}, lambda x, y: (x @ y,))]],
    "linalg.det": [*square(), *[Sample((x,)) for x in SINGULAR], Sample((of_rank(2, 3, 3) * (1 + 0.5j),))],
    "linalg.cofactor": square(),
    "linalg.cofactor_dx": [Sample((normal(*s, seed=1), regular(*s))) for s in SQUARE] + [Sample((complex_normal(*s, seed=1), complex_regular(*s))) for s in ((3, 3), (2, 2, 2))],
    "linalg.logabsdet": square(),
    "linalg.det_sign": square(),
    "linalg.slogdet": square(),
    "linalg.part": [Sample((make(*s, 12),), {"start": 3, "shape": shape}) for make in (normal, complex_normal) for s, shape in (((), (3, 3)), ((2,), (2,)), ((0,), (2, 3)))],
    "linalg.over_gap": [Sample((make(*s), gaps(*s)), call=lambda t, gap: (t, gap, np.ones(t.shape), np.ones(t.shape[:-1]), np.zeros(t.shape, bool)))
                        for make in (normal, complex_normal) for s in ((3, 3), (2, 2, 2), (0, 2, 2), (1, 1))],
    "linalg.cholesky": [*square(call=definite), *square(call=definite, upper=True)],
    "linalg.eigvalsh": [*square(call=symmetric), *square(call=symmetric, UPLO="U")],
    "linalg.eigh": real_only([*square(call=symmetric), *square(call=symmetric, UPLO="U")]),
    "linalg.eigh_packed": real_only(square(call=symmetric)),
    **{f"linalg.{name}": [*square(spread, complex_spread), Sample((np.array([[1.0, -2.0], [3.0, 1.5]]),))] for name in ("eig", "eig_packed", "eigvals")},
    "linalg.left_vectors": square(),
    "linalg.spectral": [Sample(tuple(make(*s, seed=i) for i in range(k)), {"f": f}, lambda x, *es: (*definite(x), *es)) for f in ("exp", "sqrt", "log")
                        for k in (1, 2, 3) for make, s in ((normal, (3, 3)), (normal, (2, 2, 2)), (complex_normal, (2, 2)))],
    "linalg.funm": [*square(call=lambda x: (*symmetric(x), np.sin)), Sample((normal(3, 3),), {"df": np.cos}, lambda x: (*symmetric(x), np.sin))],
    "linalg.expm": square(make=normal, complex_make=complex_normal, call=symmetric),
    "linalg.sqrtm": square(call=definite),
    "linalg.logm": square(call=definite),
    "linalg.polar": [s for s in rectangular() if s.inputs[0].size],
    "linalg.qr": [*rectangular(), *rectangular(mode="r"), *[Sample((spread(*s),), {"mode": "complete"}) for s in ((3, 3), (2, 4))]],
    "linalg.qr_packed": rectangular(),
    "linalg.svd": [*rectangular(imaginary=False, full_matrices=False), *[Sample((spread(*s),)) for s in ((1, 1), (3, 3), (2, 2, 2))],
                   Sample((complex_spread(3, 2),), {"compute_uv": False})],
    "linalg.svd_packed": rectangular(imaginary=False),
    "linalg.svdvals": rectangular(),
    "linalg.matrix_norm": [Sample((spread(*s),), {"ord": o, "keepdims": k}) for s, k in (((3, 3), False), ((2, 3, 2), True)) for o in ORDERS]
                          + [Sample((spread(*s),)) for s in RECTANGLES] + [Sample((complex_spread(3, 2),), {"ord": o}) for o in ORDERS],
    "linalg.norm": [Sample((normal(*s),), {"keepdims": k}) for s in ((), (3,), (2, 3), (2, 3, 2)) for k in (False, True)] + [Sample((spread(3, 2),), {"ord": o, "keepdims": True}) for o in ORDERS]
                   + [Sample((spread(2, 3, 2),), {"ord": o, "axis": a}) for o in ORDERS for a in ((-2, -1), (2, 0))] + [Sample((normal(2, 2, 3),), {"ord": 2, "axis": (0, 2), "keepdims": True})]
                   + [Sample((normal(4),), {"ord": o}) for o in VECTOR_ORDERS] + [Sample((normal(2, 4),), {"ord": o, "axis": a, "keepdims": a == 0}) for o in VECTOR_ORDERS for a in (0, -1)]
                   + [Sample((complex_normal(2, 4),), {"ord": o, "axis": 1}) for o in VECTOR_ORDERS] + [Sample((complex_spread(3, 3),), {"ord": o}) for o in ORDERS],
    "linalg.cond": [*[Sample((regular(3, 3),), {"p": p}) for p in (None, *ORDERS[1:])], Sample((regular(2, 2, 2),)), Sample((spread(4, 2),)), Sample((regular(2, 3, 3),), {"p": 1}), Sample((complex_regular(3, 3),)), Sample((complex_regular(3, 3),), {"p": "fro"})],
    "linalg.matrix_power": [Sample((x,), {"n": n}) for n in (0, 1, 2, 3, 5, 6, -1, -3) for x in (regular(3, 3) / 3, regular(2, 2, 2) / 3, complex_regular(2, 2) / 3)] + [Sample((regular(0, 3, 3),), {"n": 3})],
    "linalg.multi_dot": [Sample(tuple(normal(*s, seed=i) for i, s in enumerate(shapes)), call=lambda *xs: (list(xs),))
                         for shapes in (((2, 3), (3, 4)), ((2, 3), (3, 4), (4, 1)), ((3,), (3, 4), (4, 2)), ((2, 3), (3, 4), (4,)), ((3,), (3, 2), (2, 4), (4,)), ((5, 2), (2, 4), (4, 1), (1, 3)), ((2,), (2,)))]
                        + [Sample((complex_normal(2, 3), normal(3, 2), complex_normal(2, 2)), call=lambda *xs: (list(xs),))],
    "linalg.tensorinv": [Sample((regular(4, 4).reshape(2, 2, 4),)), Sample((regular(6, 6).reshape(6, 3, 2),), {"ind": 1}), Sample((complex_regular(4, 4).reshape(4, 2, 2),), {"ind": 1})],
    "linalg.tensorsolve": [Sample((regular(6, 6).reshape(2, 3, 6), normal(2, 3))), Sample((regular(6, 6).reshape(6, 2, 3), normal(6))), Sample((regular(6, 6).reshape(3, 2, 6).transpose(2, 0, 1), normal(3, 2)), {"axes": (0,)}),
                           Sample((complex_regular(4, 4).reshape(2, 2, 4), complex_normal(2, 2)))],
    "linalg.lstsq": [Sample((spread(*a), normal(*b, seed=1)), {"rcond": None}) for a, b in (((4, 2), (4,)), ((4, 2), (4, 3)), ((3, 3), (3, 2)), ((2, 4), (2, 2)), ((2, 4), (2,)), ((1, 1), (1,)))]
                    + [Sample((complex_spread(4, 2), complex_normal(4, 2))), Sample((complex_spread(2, 3), complex_normal(2))), Sample((spread(4, 2), complex_normal(4)))],
}  # fmt: skip
