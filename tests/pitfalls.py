"""What the tests of the numbered pitfalls share: leaves, weights that arrive, and gradients against differences."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_mlp import Tensor, gradients

NAN, INF = np.nan, np.inf
exactly = np.testing.assert_array_equal
closely = np.testing.assert_allclose
rng = np.random.default_rng(0)


def leaf(values, dtype=None):
    return Tensor(np.array(values, dtype if dtype or np.asarray(values).dtype.kind == "f" else float), requires_grad=True)


def numbers(*shape):
    return rng.uniform(0.5, 2.0, shape) * rng.choice([-1, 1], shape)


def weights(shape, dtype=float):
    """An upstream gradient in which no two entries are alike (item 6)."""
    n = math.prod(shape)
    return (1.5 + np.cos(1.0 + np.arange(n)) + 0.01 * np.arange(n)).reshape(shape).astype(dtype)


def grad(f, *values, w=None, dtype=None):
    """The gradients of f at the values, as backward() leaves them: of each leaf's shape and dtype, plain arrays."""
    leaves = [leaf(v, dtype) for v in values]
    y = f(*leaves)
    y.backward(weights(y.shape) if w is None else np.broadcast_to(w, y.shape))
    for x in leaves:
        assert type(x.grad) is np.ndarray
        assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
    return leaves[0].grad if len(leaves) == 1 else [x.grad for x in leaves]


def differences(scalar, arrays, step):
    """The gradients of a function of arrays with a number as result, entry by entry, by central differences."""
    for x in arrays:
        expected = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            kept, h = x[i], step * max(1.0, abs(x[i]))
            ends = []
            for x[i] in (kept + h, kept - h):
                ends.append(scalar(*arrays))
            x[i] = kept
            expected[i] = (ends[0] - ends[1]) / (2 * h)
        yield expected


def check(f, *values):
    """The gradients of Σ W f against central differences."""
    arrays = [np.array(v, float) for v in values]
    found = grad(f, *arrays)

    def weighted(*at):
        z = np.asarray(f(*at))
        return np.sum(weights(z.shape) * z)

    expected = differences(weighted, arrays, 1e-5)
    for e, g in zip(expected, [found] if len(arrays) == 1 else found, strict=True):
        closely(g, e, rtol=1e-6, atol=1e-7)


def check_twice(f, *values):
    """Likewise, and the gradients of Σ V ∂(Σ W f) as well."""
    check(f, *values)
    arrays = [np.array(v, float) for v in values]

    def slope(*at, create_graph=False):
        leaves = [leaf(v) for v in at]
        y = f(*leaves)
        first = gradients(y, leaves, seed=weights(y.shape), create_graph=create_graph)
        return leaves, sum(np.sum(weights(g.shape) * g) for g in first)

    leaves, total = slope(*arrays, create_graph=True)
    found = gradients(total, leaves) if total.requires_grad else [np.zeros(x.shape) for x in leaves]
    for g, expected in zip(found, differences(lambda *at: slope(*at)[1], arrays, 1e-5), strict=True):
        closely(g, expected, rtol=1e-6, atol=1e-6)


def derivatives(f, x, order):
    """f′, f″, … of an elementwise f at x."""
    x = leaf(x)
    y, found = f(x), []
    for _ in range(order):
        y = gradients(y, x, seed=np.ones(y.shape), create_graph=True)
        found.append(y.numpy())
        if not y.requires_grad:  # a constant: all further derivatives are zero
            y = y + 0 * x
    return found
