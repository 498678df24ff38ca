"""The checker of rules: derivatives along random directions against differences of second-order accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from samples import Sample

from tinygrad_mlp import Tensor, gradients
from tinygrad_mlp.primitive import Primitive

STEP = 6e-6  # ε^⅓ for float64


def call(op: Primitive, sample: Sample, inputs: list[Any]) -> Any:
    arguments = sample.call(*inputs)
    return op(arguments, **sample.params) if op.variadic else op(*arguments, **sample.params)


def weights(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A gradient that arrives: not uniform, so that a transposed or shifted result shows."""
    return np.asarray(np.random.default_rng(seed).uniform(0.5, 1.5, shape) * np.random.default_rng(seed + 1).choice([-1, 1], shape))


def vjp(op: Primitive, sample: Sample, arrays: list[np.ndarray], w: np.ndarray) -> list[np.ndarray]:
    """The gradients of ⟨w, op(arrays)⟩ by the engine."""
    xs = [Tensor(a, requires_grad=True) for a in arrays]
    return list(gradients(call(op, sample, xs), xs, seed=w))


def check_first_order(op: Primitive, sample: Sample, tolerance: float = 1e-7) -> None:
    """⟨w, J v⟩ by central differences equals ⟨Jᵀ w, v⟩ by the rule, for each input alone."""
    arrays = [np.asarray(a, np.float64) for a in sample.inputs]
    z = np.asarray(call(op, sample, arrays))
    w = weights(z.shape, 1)
    for i, g in enumerate(vjp(op, sample, arrays, w)):
        assert g.shape == arrays[i].shape
        assert g.dtype == np.float64
        v = weights(arrays[i].shape, 3)
        ends = [np.sum(w * call(op, sample, [a + s * v if j == i else a for j, a in enumerate(arrays)])) for s in (STEP, -STEP)]
        numeric, exact = (ends[0] - ends[1]) / (2 * STEP), np.sum(g * v)
        assert abs(numeric - exact) <= tolerance * max(1.0, abs(numeric), np.sum(np.abs(g * v))), (
            f"{op.name}: rule of input {i} gives {exact}, differences give {numeric} ({sample.params}, {[a.shape for a in arrays]})"
        )


def check_second_order(op: Primitive, sample: Sample, tolerance: float = 1e-6) -> None:
    """The same for h(x) = ⟨u, Jᵀ w⟩, the gradient itself: the rules are differentiated once more."""
    arrays = [np.asarray(a, np.float64) for a in sample.inputs]
    z = np.asarray(call(op, sample, arrays))
    w = weights(z.shape, 1)
    us = [weights(a.shape, 5) for a in arrays]

    def h(at: list[np.ndarray]) -> float:
        return float(sum(np.sum(u * g) for u, g in zip(us, vjp(op, sample, at, w), strict=True)))

    xs = [Tensor(a, requires_grad=True) for a in arrays]
    arriving = Tensor(w, requires_grad=True)
    first = gradients(call(op, sample, xs), xs, seed=arriving, create_graph=True)
    scalar = sum(((g * u).sum() for g, u in zip(first, us, strict=True)), Tensor(0.0))
    if not scalar.requires_grad:  # constant rules: the second derivative is zero
        assert abs(h([a + STEP for a in arrays]) - h(arrays)) <= tolerance
        return
    for i, second in enumerate(gradients(scalar, [*xs, arriving])[:-1]):
        v = weights(arrays[i].shape, 7)
        ends = [h([a + s * v if j == i else a for j, a in enumerate(arrays)]) for s in (STEP, -STEP)]
        numeric, exact = (ends[0] - ends[1]) / (2 * STEP), np.sum(second * v)
        assert abs(numeric - exact) <= tolerance * max(1.0, abs(numeric), np.sum(np.abs(second * v))), (
            f"{op.name}: second derivative by input {i} is {exact}, differences give {numeric} ({sample.params})"
        )
