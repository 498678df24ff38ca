"""Where a derivative does not exist, the rules give what the entry says: a value for every kink of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients
from tinygrad_mlp.errors import GradientError
from tinygrad_mlp.primitive import TABLE

INF, NAN = np.inf, np.nan
DIAGONAL = np.diag([2.0, 0.0])

# name, inputs, parameters, the seed (a number or an array), the gradient of each input
KINKS: list[tuple[str, tuple[Any, ...], dict[str, Any], Any, tuple[Any, ...]]] = [
    ("relu", ([-1, 0.0, -0.0, 1],), {}, 3, ([0, 0, 0, 3],)),
    ("leaky_relu", ([-1, 0.0, 1],), {}, 3, ([0.03, 0.03, 3],)),
    ("leaky_relu", ([-1, 0.0, 1],), {"negative_slope": 0.5}, 3, ([1.5, 1.5, 3],)),
    ("elu", ([0.0, 1],), {}, 3, ([3, 3],)),
    ("elu", ([0.0, 1],), {"alpha": 0.5}, 3, ([1.5, 3],)),
    ("hardtanh", ([-1, 0, 1, 2.0],), {}, 3, ([0, 3, 0, 0],)),
    ("hardtanh", ([-1, -0.5, 1, 2.0],), {"min_val": -0.5, "max_val": 2.0}, 3, ([0, 0, 3, 0],)),
    ("max_pool", ([[[[1, 1.0], [0, 1]]]],), {"size": 2}, 3, ([[[[1, 1], [0, 1]]]],)),
    ("remainder", ([6.0, -6, 7], [3.0, 3, 3]), {}, 5, ([5, 5, 5], [-10, 10, -10])),
    ("fmod", ([6.0, -6, -7], [3.0, 3, 3]), {}, 5, ([5, 5, 5], [-10, 10, 10])),
    ("pow", ([0.0, -2, 3], [0.0, 0, 0]), {}, 5, ([0, 0, 0], [0, NAN, 5 * np.log(3)])),
    ("pow", ([0.0, 0, -2], [2.0, -1, 2]), {}, 5, ([0, -INF, -20], [0, NAN, NAN])),
    ("float_power", ([0.0, 0, -2], [0.0, 2, 2]), {}, 5, ([0, 0, -20], [0, 0, NAN])),
    ("hypot", ([0.0, 3], [0.0, 4]), {}, 5, ([0, 3], [0, 4])),
    ("sqrt", ([0.0, 4],), {}, 4, ([INF, 1],)),
    ("cbrt", ([0.0, -0.0, 8],), {}, 12, ([INF, INF, 1],)),
    ("logaddexp", ([INF, -INF, INF, 0.0], [INF, -INF, 0, 0]), {}, 4, ([2, 2, 4, 2], [2, 2, 0, 2])),
    ("logaddexp2", ([INF, -INF, -INF, 0.0], [INF, -INF, 0, 0]), {}, 4, ([2, 2, 0, 2], [2, 2, 4, 2])),
    ("asin", ([-1.0, 0, 1],), {}, 3, ([INF, 3, INF],)),
    ("acos", ([-1.0, 0, 1],), {}, 3, ([-INF, -3, -INF],)),
    ("atan2", ([0.0, 1, 0], [0.0, 0, -2]), {}, 4, ([0, 0, -2], [0, -4, 0])),
    ("acosh", ([1.0],), {}, 3, ([INF],)),
    ("abs", ([-2.0, -0.0, 0, 2],), {}, 3, ([-3, 0, 0, 3],)),
    ("abs", ([0j, 3 + 4j],), {}, 5, ([0, 3 + 4j],)),
    ("fabs", ([-2.0, -0.0, 0, 2],), {}, 3, ([-3, 0, 0, 3],)),
    ("sign", ([-2.0, 0, 2],), {}, 3, ([0, 0, 0],)),
    ("copysign", ([0.0, 2, -2, 2], [-1.0, -1, -1, 0.0]), {}, 3, ([0, -3, 3, 3], [0, 0, 0, 0])),
    ("angle", ([-2.0, 0, 2],), {}, 3, ([0, 0, 0],)),
    ("maximum", ([1.0, 2, 3, 2, NAN], [2.0, 2, 2, NAN, 2]), {}, 4, ([0, 2, 4, 0, 4], [4, 2, 0, 4, 0])),
    ("minimum", ([1.0, 2, 3, 2, NAN], [2.0, 2, 2, NAN, 2]), {}, 4, ([4, 2, 0, 0, 4], [0, 2, 4, 4, 0])),
    ("fmax", ([1.0, 2, 3, NAN, 2], [2.0, 2, 2, 2, NAN]), {}, 4, ([0, 2, 4, 0, 4], [4, 2, 0, 4, 0])),
    ("fmin", ([1.0, 2, 3, NAN, 2], [2.0, 2, 2, 2, NAN]), {}, 4, ([4, 2, 0, 0, 4], [0, 2, 4, 4, 0])),
    ("clip", ([-1, 0, 1, 2, 3.0], 0.0, 2.0), {}, 3, ([0, 3, 3, 3, 0], 3, 3)),
    ("nan_to_num", ([NAN, INF, -INF, 1.0],), {}, 3, ([0, 0, 0, 3],)),
    *[(name, ([-0.5, 0, 1.0, 1.5],), {}, 3, ([0, 0, 0, 0],)) for name in ("floor", "ceil", "trunc", "round", "rint")],
    ("floor_divide", ([6.0, 7], [3.0, 2]), {}, 3, ([0, 0], [0, 0])),
    ("heaviside", ([-1.0, 0, 1], [7.0, 7, 7]), {}, 3, ([0, 0, 0], [0, 3, 0])),
    ("linalg.pinv", (DIAGONAL,), {}, 4, ([[-1, 1], [1, 0]],)),
    ("linalg.det_sign", (np.diag([2.0, -3.0]),), {}, 3, (np.zeros((2, 2)),)),
    ("linalg.eigvalsh", (np.eye(3),), {}, 3, (3 * np.eye(3),)),
    ("linalg.svdvals", (DIAGONAL,), {}, 3, (np.diag([3.0, 0.0]),)),
    ("linalg.svdvals", (np.diag([3.0, 3.0]),), {}, 5, (5 * np.eye(2),)),
    ("linalg.svdvals", (np.zeros((2, 3)),), {}, 3, (np.zeros((2, 3)),)),
    ("max", ([[1, 3, 3.0], [2, 0, 1]],), {"axis": 1}, 4, ([[0, 2, 2], [4, 0, 0]],)),
    ("max", ([[1, 3, 3.0], [3, 0, 3]],), {}, 4, ([[0, 1, 1], [1, 0, 1]],)),
    ("min", ([[1, 3, 1.0], [2, 0, 1]],), {"axis": 1}, 4, ([[2, 0, 2], [0, 4, 0]],)),
    ("std", ([2.0, 2, 2],), {}, 4, ([0, 0, 0],)),
    ("linalg.vector_norm", ([0.0, 0],), {}, 4, ([0, 0],)),
    ("radial", ([2, 2.0], [0, 3.0], [0, 5.0]), {}, 3, ([0, 1.8], [NAN, 1.2], [NAN, -0.72])),
    ("linalg.vector_norm", ([3.0, 0],), {"ord": 1}, 4, ([4, 0],)),
    ("linalg.vector_norm", ([3.0, -3, 1],), {"ord": INF}, 4, ([2, -2, 0],)),
    ("linalg.vector_norm", ([3.0, -1, 1],), {"ord": -INF}, 4, ([0, -2, 2],)),
    ("linalg.vector_norm", ([3.0, 0, 1],), {"ord": 0}, 4, ([0, 0, 0],)),
]
REFUSED = {"linalg.logabsdet", "linalg.cofactor_dx", "linalg.qr_packed"}
"""There is no value."""
SPECTRA = {f"linalg.{name}" for name in ("eigh_packed", "svd_packed", "eig_packed", "eigvals", "over_gap", "spectral")}
"""Equal eigenvalues and singular values have a file of tests, test_spectra.py."""


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::tinygrad_mlp.errors.GradientWarning")
@pytest.mark.parametrize(
    ("name", "inputs", "params", "seed", "expected"), KINKS, ids=[f"{kink[0]}-{i}" for i, kink in enumerate(KINKS)]
)
def test_the_gradient_at_a_kink_is_the_one_that_the_table_names(
    name: str, inputs: tuple[Any, ...], params: dict[str, Any], seed: Any, expected: tuple[Any, ...]
) -> None:
    xs = [Tensor(np.asarray(x), requires_grad=True) for x in inputs]
    out = TABLE[name](*xs, **params)
    for found, right in zip(gradients(out, xs, seed=np.full(out.shape, float(seed))), expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-14, atol=1e-15)


def test_every_kink_has_a_value_here() -> None:
    assert {name for name, *_ in KINKS} | REFUSED | SPECTRA == {name for name, op in TABLE.items() if op.kink}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("make", [lambda x: tg.linalg.slogdet(x)[1], lambda x: tg.linalg.qr(x)[0]], ids=["logabsdet", "qr"])
def test_singular_matrices_are_refused(make: Any) -> None:
    x = Tensor(np.zeros((2, 2)), requires_grad=True)
    with pytest.raises(GradientError, match="LinAlgError: Singular matrix"):
        make(x).sum().backward()
    assert x.grad is None
