"""Equal eigenvalues and singular values, zeros of norms: the right derivative, or NaN with a warning, never a wrong number.

The matrices are made with the values that they have, equal, nearly equal or apart; the oracles are closed forms of these, a power
series, and differences. ``SPECTRA=20000 pytest tests/test_spectra.py`` runs a longer fuzz, of other matrices than the ordinary run.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients
from tinygrad_mlp.check import gradcheck
from tinygrad_mlp.errors import AnomalyError, GradientWarning, ShapeError, UnsupportedError
from tinygrad_mlp.primitive import TABLE

Array = np.ndarray
LONG = int(os.environ.get("SPECTRA", "0"))
CASES = range(1000, 1000 + LONG) if LONG else range(60)
W3 = np.arange(1.0, 10.0).reshape(3, 3)
SPLITS = [0.0, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-8, 1e-6]


def orthogonal(rng: np.random.Generator, n: int, dtype: Any) -> Array:
    x = rng.standard_normal((n, n))
    x = x + 1j * rng.standard_normal((n, n)) if np.dtype(dtype).kind == "c" else x
    return np.linalg.qr(x)[0]


def values(rng: np.random.Generator, n: int, low: float = 0.4) -> Array:
    """Values of random multiplicities, those that are equal split by a little or nothing."""
    levels = low + np.arange(n) * rng.uniform(0.3, 1.0)
    groups = np.sort(rng.integers(0, max(1, n - 1), n))
    return levels[groups] * (1 + rng.choice(SPLITS) * rng.uniform(-1, 1, n))


def hermitian(x: Array) -> Array:
    return (x + np.conj(x).mT) / 2


def weights(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    w = rng.standard_normal(shape)
    return w + 1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else w


def draw(seed: int) -> tuple[np.random.Generator, Any, int]:
    rng = np.random.default_rng([14, seed])
    return rng, rng.choice([np.float64, np.complex128]), int(rng.integers(1, 7))


def grad(f: Callable[[Any], Any], x: Array, w: Array) -> Array:
    """The gradient of Re Σ w* f(x)."""
    t = Tensor(x, requires_grad=True)
    y = f(t)
    return np.asarray(gradients(y, t, seed=w.astype(y.dtype)))


def close(found: Any, right: Any, bound: float) -> None:
    scale = max(1.0, float(np.max(np.abs(right), initial=0)))
    np.testing.assert_allclose(found, right, rtol=0, atol=bound * scale)


def right_or_nan(found: Array, right: Array, bound: float) -> bool:
    """Whether found is a number; then it must be the right one."""
    if np.isnan(found).any():
        return False
    close(found, right, bound)
    return True


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientWarning)
        yield


# --- functions of symmetric matrices ------------------------------------------------------------------------------------


def taylor(a: Array, terms: int = 80) -> Array:
    """Σ Aᵏ / k! in extended precision."""
    wide = a.astype(np.clongdouble if a.dtype.kind == "c" else np.longdouble)
    total = term = np.eye(a.shape[-1], dtype=wide.dtype)
    for k in range(1, terms):
        term = term @ wide / k
        total = total + term
    return total


def blocks(a: Array, *es: Array) -> Array:
    """The matrix whose function has the k-th derivative along es in its corner (Mathias, 1996)."""
    for e in es:
        zero = np.zeros_like(a)
        copies = a.shape[-1] // e.shape[-1]
        a = np.block([[a, np.kron(np.eye(copies), e)], [zero, a]])
    return a


def derivative(function: Callable[[Array], Array], a: Array, *es: Array) -> Array:
    n = a.shape[-1]
    return np.asarray(function(blocks(a, *es))[:n, -n:]).astype(a.dtype)


def root(b: Array) -> Array:
    """The square root of a block matrix near I by Newton's iteration (Denman and Beavers, 1976)."""
    y, z = b, np.eye(b.shape[-1], dtype=b.dtype)
    for _ in range(60):
        y, z = (y + np.linalg.inv(z)) / 2, (z + np.linalg.inv(y)) / 2
    return y


def along(f: Callable[[Any], Any], a: Array, *es: Array) -> Array:
    """The derivative of a function along es, by jvp of jvp."""
    e, *rest = es
    return along(lambda x: tg.jvp(f, (x,), (e,))[1], a, *rest) if rest else np.asarray(tg.jvp(f, (a,), (e,))[1])


@pytest.mark.parametrize("seed", CASES)
def test_functions_of_symmetric_matrices(seed: int) -> None:
    rng, dtype, n = draw(seed)
    q = orthogonal(rng, n, dtype)
    a = hermitian((q * values(rng, n)) @ np.conj(q).T)
    es = [hermitian(weights(rng, (n, n), dtype)) for _ in range(2)]
    functions: list[tuple[Any, Any, float]] = [
        (tg.linalg.expm, taylor, 1e-13),
        (lambda x: tg.linalg.funm(x, np.exp), taylor, 1e-13),
        (tg.linalg.sqrtm, root, 1e-10),
        (lambda x: tg.linalg.funm(x, lambda w: w**3, df=lambda w: 3 * w**2), lambda b: b @ b @ b, 1e-12),
        (lambda x: tg.linalg.funm(x, lambda w: 1 / w), np.linalg.inv, 1e-11),
        (lambda x: tg.linalg.logm(tg.linalg.expm(x)), lambda b: b, 1e-10),
    ]
    for ours, theirs, bound in functions:
        close(ours(a), derivative(theirs, a), bound)
        close(along(ours, a, es[0]), derivative(theirs, a, es[0]), bound)
        close(along(ours, a, *es), derivative(theirs, a, *es), 30 * bound)


def test_batches_and_float32() -> None:
    a = np.stack([np.eye(3), np.diag([1.0, 1.0, 2.0])])
    g = grad(tg.linalg.expm, a, np.broadcast_to(W3, a.shape))
    for i in range(2):
        close(g[i], derivative(taylor, a[i], hermitian(W3)), 1e-14)
    small = grad(tg.linalg.expm, a.astype(np.float32), np.broadcast_to(W3, a.shape))
    assert small.dtype == np.float32
    close(small, g, 1e-6)


def test_the_third_derivative() -> None:
    a, e = np.diag([1.0, 1.0, 1.0 + 1e-9]), hermitian(W3) / 5
    close(along(tg.linalg.expm, a, e, e, e), derivative(taylor, a, e, e, e), 1e-11)


def test_a_kink_between_eigenvalues_is_seen() -> None:
    """|A| of a matrix with eigenvalues of both signs: the nodes of the quadrature are all on one side of 0."""
    w = np.array([-1e-3, 1.0])
    e = np.array([[0.0, 1.0], [1.0, 0.0]])
    close(along(lambda x: tg.linalg.funm(x, np.abs), np.diag(w), e), e * (1.0 - 1e-3) / (1.0 + 1e-3), 1e-14)


def test_what_is_no_function_of_a_matrix_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError, match=r"write \(A \+ A.mT\) / 2"):
        tg.linalg.expm(W3)
    with pytest.raises(np.linalg.LinAlgError, match="square"):
        tg.linalg.expm(np.ones((2, 3)))
    with pytest.raises(
        np.linalg.LinAlgError, match="sqrtm of a matrix with the eigenvalue -1: there is no real function of negative"
    ):
        tg.linalg.sqrtm(-np.eye(2))
    with pytest.raises(np.linalg.LinAlgError, match="logm of a matrix with the eigenvalue 0"):
        tg.linalg.logm(np.diag([0.0, 1.0]))
    with pytest.raises(np.linalg.LinAlgError, match="polar factor"):
        tg.linalg.polar(np.ones((2, 2)))
    scale = Tensor(2.0, requires_grad=True)
    with pytest.raises(UnsupportedError, match="scale outside of f"):
        tg.linalg.funm(np.eye(2), lambda w: np.exp(w * scale))
    with pytest.raises(ShapeError, match=r"np.cos\) \+ 1j"):
        tg.linalg.funm(np.eye(2), lambda w: np.exp(1j * w))
    with pytest.raises(ShapeError, match="as many real numbers"):
        tg.linalg.funm(np.eye(2), np.sum)
    with pytest.raises(UnsupportedError, match="cannot be written down"):
        tg.derive(lambda x: np.sum(tg.linalg.funm(x, np.sin)), np.eye(2)).source()
    x = Tensor(np.eye(2), requires_grad=True)
    with pytest.raises(UnsupportedError, match="cannot be written down"):
        tg.derive(np.sum(tg.linalg.funm(x, np.sin))).source()


def test_a_root_at_a_singular_matrix_has_no_finite_slope() -> None:
    with pytest.warns(GradientWarning, match="function of a symmetric matrix"):
        assert not np.isfinite(grad(tg.linalg.sqrtm, np.diag([0.0, 1.0]), np.ones((2, 2)))).all()


@pytest.mark.parametrize("seed", CASES)
def test_polar(seed: int) -> None:
    rng, dtype, n = draw(seed)
    m = n + int(rng.integers(0, 3))
    u, v = orthogonal(rng, m, dtype)[:, :n], orthogonal(rng, n, dtype)
    s = values(rng, n)
    a, e, w = (u * s) @ np.conj(v).T, weights(rng, (m, n), dtype), weights(rng, (m, n), dtype)
    factor, p = tg.linalg.polar(a)
    close(factor, u @ np.conj(v).T, 1e-13)
    close(p, (v * s) @ np.conj(v).T, 1e-13)
    inner = np.conj(u).T @ e @ v
    turn = u @ ((inner - np.conj(inner).T) / (s[:, None] + s)) @ np.conj(v).T
    right = turn + (e - u @ (np.conj(u).T @ e)) @ (v / s) @ np.conj(v).T
    for f in (lambda x: tg.linalg.polar(x)[0], lambda x: np.conj(tg.linalg.polar(np.conj(x).mT)[0]).mT):
        np.testing.assert_allclose(
            np.real(np.sum(np.conj(grad(f, a, w)) * e)), np.real(np.sum(np.conj(w) * right)), rtol=1e-9, atol=1e-10
        )
    h = 1e-5  # the derivative is smooth here, so that differences of it tell the second one
    first = [along(lambda x: tg.linalg.polar(x)[0], a + step * e, e) for step in (h, -h)]
    close(along(lambda x: tg.linalg.polar(x)[0], a, e, e), (first[0] - first[1]) / (2 * h), 1e-6)


# --- eigenvectors and eigenvalues ---------------------------------------------------------------------------------------


def by_hand(x: Any, f: Callable[[Any], Any]) -> Any:
    w, v = np.linalg.eigh(x)
    return (v * f(w)) @ np.conj(v).mT


FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "w": (lambda w: w, lambda a: a),
    "exp": (np.exp, tg.linalg.expm),
    "log": (np.log, tg.linalg.logm),
    "w - 1": (lambda w: w - 1, lambda a: a - np.eye(a.shape[-1])),
}


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("seed", CASES)
def test_a_function_by_hand_is_right_or_nan(seed: int) -> None:
    rng, dtype, n = draw(seed)
    q, w = orthogonal(rng, n, dtype), values(rng, n)
    q = np.eye(n, dtype=dtype) if seed % 4 == 0 else q
    w = np.ones(n) if seed % 8 == 0 else w
    a, seeds = hermitian((q * w) @ np.conj(q).T), [weights(rng, (n, n), dtype), np.ones((n, n)), np.eye(n)[:1].T @ np.eye(n)[-1:]]
    for hand, ours in FUNCTIONS.values():
        for g in seeds:
            right = grad(ours, a, hermitian(g))
            found = grad(lambda x, hand=hand: by_hand(x, hand), a, g)
            finite = right_or_nan(found, hermitian(right), 2e-3)  # a quarter of the digits is what over_gap asks for
            if np.min(np.diff(np.sort(w)), initial=np.inf) > 1e-5:
                assert finite


@pytest.mark.parametrize("seed", CASES)
def test_what_no_basis_changes_stays_right(seed: int) -> None:
    """Eigenvalues alone, a projector on equal ones, the vector of a simple one with its value, though others are equal."""
    rng, dtype, n = draw(seed)
    n = max(n, 3)
    q = orthogonal(rng, n, dtype)
    w = np.concatenate([1 + rng.choice(SPLITS[:4]) * rng.uniform(-1, 1, n - 1), [2.5]])
    a, c = hermitian((q * w) @ np.conj(q).T), weights(rng, (n, n), dtype)
    c = hermitian(c)
    p = np.outer(q[:, -1], np.conj(q[:, -1]))
    rest = np.eye(n) - p
    cross = (p @ c @ rest + rest @ c @ p) / 1.5  # the derivative of p, for eigenvalues 1 and 2.5

    def projector(x: Any) -> Any:
        v = np.linalg.eigh(x)[1][:, :-1]
        return v @ np.conj(v).mT

    def simple(x: Any) -> Any:
        w, v = np.linalg.eigh(x)
        return (v[:, -1:] * w[-1:]) @ np.conj(v[:, -1:]).mT

    close(grad(projector, a, c), -cross, 1e-12)
    close(grad(simple, a, c), 2.5 * cross + p * np.real(np.sum(np.conj(p) * c)), 1e-12)
    close(grad(lambda x: np.sum(np.linalg.eigvalsh(x) ** 3), a, np.ones(())), 3 * a @ a, 1e-12)
    close(grad(lambda x: np.sum(np.linalg.eigh(x)[0] ** 3), a, np.ones(())), 3 * a @ a, 1e-12)


def test_the_vectors_of_equal_eigenvalues_have_no_gradient() -> None:
    with pytest.warns(
        GradientWarning, match=r"the gradient of linalg.eigh \(created at .*test_spectra.py:\d+\) is NaN.*linalg.funm"
    ) as told:
        g = grad(lambda x: np.linalg.eigh(x)[1], np.eye(3), W3)
    assert np.isnan(g).all()
    assert len(told) == 1


def test_the_unit_matrix_by_hand_is_nan_and_the_cure_is_right() -> None:
    with pytest.warns(GradientWarning, match="write tg.linalg.funm"):
        assert np.isnan(grad(lambda x: by_hand((x + x.T) / 2, lambda w: w), np.eye(3), W3)).all()
    close(grad(lambda x: tg.linalg.funm((x + x.T) / 2, lambda w: w), np.eye(3), W3), hermitian(W3), 1e-15)
    with tg.detect_anomaly(), pytest.raises(AnomalyError, match=r"backward through linalg.eigh_packed gave NaN") as caught:
        grad(lambda x: by_hand((x + x.T) / 2, lambda w: w), np.eye(3), W3)
    assert "tg.linalg.funm" in caught.value.fix
    assert "any basis" in caught.value.cause
    assert "test_spectra.py" in caught.value.line


def test_once_a_place() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(3):
            grad(lambda x: by_hand(x, np.exp), np.eye(2), np.ones((2, 2)))
    assert len(told) == 1


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("seed", CASES)
def test_second_order_of_eigenvalues_is_right_or_nan(seed: int) -> None:
    rng, dtype, n = draw(seed)
    q, w = orthogonal(rng, n, dtype), values(rng, n)
    a, e = hermitian((q * w) @ np.conj(q).T), hermitian(weights(rng, (n, n), dtype))

    def hvp(f: Callable[[Any], Any]) -> Array:
        x = Tensor(a, requires_grad=True)
        g = gradients(f(x), x, create_graph=True)
        return np.asarray(gradients(tg.real(tg.sum(tg.conj(g) * e)), x))

    found = hvp(lambda x: np.sum(np.exp(np.linalg.eigvalsh(x))))  # its gradient is exp(A)*
    right_or_nan(found, along(tg.linalg.expm, a, e), 2e-3)
    found = hvp(lambda x: np.real(np.sum(by_hand(x, np.exp) * np.conj(e))))
    right_or_nan(found, hvp(lambda x: np.real(np.sum(tg.linalg.expm(x) * np.conj(e)))), 2e-2)


# --- singular values ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("seed", CASES)
def test_the_singular_value_decomposition_by_hand(seed: int) -> None:
    rng, dtype, n = draw(seed)
    m = n + int(rng.integers(0, 3))
    u, v, s = orthogonal(rng, m, dtype)[:, :n], orthogonal(rng, n, dtype), values(rng, n, low=rng.choice([0.0, 0.4]))
    a, g = (u * s) @ np.conj(v).T, weights(rng, (m, n), dtype)

    def product(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def of(x: Any) -> Any:
            left, middle, right = np.linalg.svd(x, full_matrices=False)
            return (left * f(middle)) @ right

        return of

    for x, w in ((a, g), (np.conj(a).T, np.conj(g).T)):
        right_or_nan(grad(product(lambda s: s), x, w), w, 2e-3)
        if np.min(s) > 0.1:
            close(grad(product(lambda s: np.ones(n)), x, w), grad(lambda t: tg.linalg.polar(t)[0], x, w), 1e-9)
            close(grad(lambda t: np.linalg.norm(t, "nuc"), x, np.ones(())), tg.linalg.polar(x)[0], 1e-12)


def test_second_order_of_norms_of_matrices() -> None:
    def polar_change(e: Array) -> Array:
        return (e - e.T) / 2

    nuclear = tg.hessian(lambda x: np.linalg.norm(x, "nuc"))(np.eye(3))
    close(np.tensordot(nuclear, W3, 2), polar_change(W3), 1e-14)  # at I, where all singular values are equal
    close(tg.hessian(lambda x: np.linalg.norm(x, "fro") ** 2)(np.zeros((2, 2))).reshape(4, 4), 2 * np.eye(4), 0)
    for norm in ("nuc", "fro", 2):
        with pytest.warns(GradientWarning):
            assert np.isnan(tg.hessian(lambda x, norm=norm: np.linalg.norm(x, norm))(np.zeros((2, 2)))).any()
    with pytest.warns(GradientWarning):
        assert np.isnan(tg.hessian(lambda x: np.linalg.norm(x, 2))(np.eye(2))).any()
    with pytest.warns(GradientWarning, match="np.sum"):
        squares = tg.hessian(lambda x: np.sum(np.linalg.svd(x, compute_uv=False) ** 2))(np.eye(2))
    right_or_nan(squares.reshape(4, 4), 2 * np.eye(4), 1e-12)


# --- zeros of norms -----------------------------------------------------------------------------------------------------


def both(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: f(x[0], x[1])


SQUARES: dict[str, tuple[Callable[[Any], Any], float]] = {
    "norm ** 2": (lambda x: np.linalg.norm(x) ** 2, 2),
    "norm ** 2.0": (lambda x: np.linalg.norm(x) ** 2.0, 2),
    "square": (lambda x: np.square(np.linalg.norm(x)), 2),
    "norm * norm": (lambda x: (lambda n: n * n)(np.linalg.norm(x)), 2),
    "computed twice": (lambda x: np.linalg.norm(x) * np.linalg.norm(x), 2),
    "scaled": (lambda x: (3 * np.linalg.norm(x)) ** 2 / 2 - np.linalg.norm(x) ** 2, 7),
    "keepdims": (lambda x: np.sum(np.linalg.norm(x, axis=0, keepdims=True) ** 2), 2),
    "rows": (lambda x: np.sum(tg.linalg.vector_norm(np.reshape(x, (1, 2)), axis=1) ** 2), 2),
    "cube": (lambda x: np.linalg.norm(x) ** 3, 0),
    "fourth power": (lambda x: np.linalg.norm(x) ** 4, 0),
    "root": (lambda x: np.sqrt(4 + np.linalg.norm(x) ** 2), 0.5),
    "hypot": (both(lambda a, b: np.hypot(a, b) ** 2), 2),
    "abs": (lambda x: np.sum(np.abs(x) ** 2), 2),
    "fabs": (lambda x: np.sum(np.fabs(x) ** 2), 2),
    "complex abs": (both(lambda a, b: np.abs(a + 1j * b) ** 2), 2),
}


@pytest.mark.parametrize("name", SQUARES)
def test_the_hessian_of_a_squared_length_at_0(name: str) -> None:
    f, factor = SQUARES[name]
    close(tg.hessian(f)(np.zeros(2)), factor * np.eye(2), 1e-15)
    x, v = np.array([0.3, -0.4]), np.array([1.0, 2.0])
    h = 1e-5
    differences = (tg.grad(f)(x + h * v) - tg.grad(f)(x - h * v)) / (2 * h)
    close(tg.hvp(f, (x,), (v,))[0], differences, 1e-8)


def test_the_hessian_of_a_squared_deviation_is_that_of_the_variance() -> None:
    for ddof in (0, 1):
        close(
            tg.hessian(lambda x, d=ddof: np.std(x, ddof=d) ** 2)(np.ones(3)),
            tg.hessian(lambda x, d=ddof: np.var(x, ddof=d))(np.ones(3)),
            1e-15,
        )


UNKNOWN: dict[str, Callable[[Any], Any]] = {
    "norm": np.linalg.norm,
    "hypot": both(np.hypot),
    "std": np.std,
    "complex abs": both(lambda a, b: np.abs(a + 1j * b)),
    "norm of order 3": lambda x: np.linalg.norm(x, 3),
    "norm of order 3, squared": lambda x: np.linalg.norm(x, 3) ** 2,
    "norm ** 1.5": lambda x: np.linalg.norm(x) ** 1.5,
    "through a sine": lambda x: 1 - np.cos(np.linalg.norm(x)),
    "nanstd": lambda x: np.nanstd(x) ** 2,
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_where_the_limit_is_not_known_it_is_nan(name: str) -> None:
    f = UNKNOWN[name]
    np.testing.assert_array_equal(tg.grad(f)(np.zeros(2)), [0, 0])  # a subgradient
    assert tg.jvp(f, (np.zeros(2),), (np.ones(2),))[1] == 0  # jvp is a double vjp, but no second derivative
    with np.errstate(all="ignore"), pytest.warns(GradientWarning, match="the second derivative of a length"):
        assert np.isnan(tg.hessian(f)(np.zeros(2))).all()


def test_a_masked_row_of_zeros_does_no_harm_at_second_order() -> None:
    x = np.array([[1.0, 2.0], [0.0, 0.0]])
    h = tg.hessian(lambda t: np.sum(np.where([True, False], np.linalg.norm(t, axis=1), 0.0)))(x).reshape(4, 4)
    np.testing.assert_array_equal(h[2:], 0)
    close(h[:2, :2], (np.eye(2) - np.outer(x[0], x[0]) / 5) / np.sqrt(5), 1e-15)


# --- eigenvalues of any matrix -----------------------------------------------------------------------------------------


def general(x: Any) -> Any:
    w, v = np.linalg.eig(x)
    return v @ (np.expand_dims(np.exp(w), -1) * np.linalg.inv(v))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("seed", CASES)
def test_eig_is_right_or_nan(seed: int) -> None:
    rng, dtype, n = draw(seed)
    a = weights(rng, (n, n), dtype)
    if seed % 3 == 0:  # equal eigenvalues, with a basis of vectors
        a = a @ np.diag(values(rng, n)) @ np.linalg.inv(a) if np.linalg.cond(a) < 100 else np.eye(n)
    e, w = weights(rng, (n, n), dtype), weights(rng, (n, n), np.complex128)
    right = np.real(np.sum(np.conj(w) * derivative(taylor, a, e)))
    g = grad(general, a, w)
    if not np.isnan(g).any():
        scale = max(1.0, np.sum(np.abs(g * e)))
        assert abs(np.real(np.sum(np.conj(g) * e)) - right) <= 1e-2 * scale
    if seed % 3:
        assert not np.isnan(g).any()
        assert abs(np.real(np.sum(np.conj(g) * e)) - right) <= 1e-7 * scale
    g = grad(lambda x: np.sum(np.linalg.eigvals(x) ** 3), a, np.ones(()))
    if not np.isnan(g).any():
        close(g, 3 * np.conj(a @ a).T, 1e-6)


def test_eig_is_complex_and_numpys() -> None:
    a = np.diag([1.0, 2.0])
    found = tg.linalg.eig(a)
    assert found.eigenvalues.dtype == found.eigenvectors.dtype == np.complex128
    assert tg.linalg.eigvals(a.astype(np.float32)).dtype == np.complex64
    np.testing.assert_array_equal(np.linalg.eig(Tensor(a)).eigenvalues.numpy(), [1, 2])


@pytest.mark.parametrize("a", [[[1.0, 1.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 0.0]]])
def test_a_defective_matrix_has_nan(a: Any) -> None:
    for f in (lambda x: np.real(np.sum(np.linalg.eigvals(x))), lambda x: np.real(np.sum(np.linalg.eig(x)[0]))):
        with pytest.warns(GradientWarning, match=r"linalg.eig .*defective.*np.trace"):
            assert np.isnan(tg.grad(f)(np.array(a))).all()


# --- gradcheck ----------------------------------------------------------------------------------------------------------

TRIANGLES: dict[str, Callable[[Any], Any]] = {
    "cholesky": np.linalg.cholesky,
    "upper": lambda a: np.linalg.cholesky(a, upper=True),
    "eigvalsh": np.linalg.eigvalsh,
    "eigh": lambda a: np.linalg.eigh(a, "U")[1],
    "inside": lambda a: np.linalg.cholesky(a * a + np.eye(2)) @ a,
    "pinv": lambda a: np.linalg.pinv(a, hermitian=True),
    "expm": tg.linalg.expm,
    "funm": lambda a: tg.linalg.funm(a, np.sin),
}


@pytest.mark.parametrize("name", TRIANGLES)
@pytest.mark.parametrize("order", [1, 2])
def test_gradcheck_takes_symmetric_matrices_as_such(name: str, order: int) -> None:
    report = gradcheck(TRIANGLES[name], np.array([[2.0, 0.5], [0.5, 1.0]]), order=order)
    assert report.ok, report


def test_gradcheck_of_hermitian_matrices() -> None:
    for f in (np.linalg.cholesky, tg.linalg.sqrtm, np.linalg.eigvalsh):
        assert gradcheck(f, np.array([[2.0, 0.5 + 0.3j], [0.5 - 0.3j, 1.0]])).ok


@pytest.mark.parametrize("wrong", [lambda g: 1.01 * g, np.tril, lambda g: g.mT + np.triu(g, 1)])
def test_gradcheck_still_sees_a_wrong_rule(wrong: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    op = TABLE["linalg.cholesky"]
    rule: Any = op.rules[0]
    monkeypatch.setattr(op, "rules", (lambda *args, **params: wrong(rule(*args, **params)),))
    report = gradcheck(np.linalg.cholesky, np.array([[2.0, 0.5], [0.5, 1.0]]))
    assert not report.ok
    assert report.fault is not None
    assert report.fault.operation == "linalg.cholesky"
