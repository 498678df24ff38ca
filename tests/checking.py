"""The checker of rules: derivatives along random directions against differences of second-order accuracy.

A complex number is two real ones: the scalar that is differentiated is Re Σ w* f(x), and the change along v is Re Σ g* v.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from samples import Sample

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients
from tinygrad_mlp.primitive import COMPOSED, TABLE

STEP = 6e-6  # ε^⅓ for float64


def function(name: str) -> Callable[..., Any]:
    """The primitive or composed function of that name."""
    return TABLE[name] if name in TABLE else COMPOSED[name]


def call(name: str, sample: Sample, inputs: list[Any]) -> Any:
    """The function on the sample's arguments, with the given arrays in place of its inputs; several results joined to one."""
    arguments = sample.call(*inputs)
    if name in TABLE and TABLE[name].variadic:
        arguments = (arguments,)
    return joined(function(name)(*arguments, **sample.params))


def joined(result: Any) -> Any:
    """Several results as one array, so that one seed reaches all of them; whole numbers (indices, a rank) carry no gradient."""
    if not isinstance(result, (tuple, list)):
        return result
    arrays = [r if isinstance(r, Tensor) else np.asarray(r) for r in result]
    return tg.concat([tg.reshape(a, -1) for a in arrays if a.dtype.kind in "fc"])


def weights(shape: tuple[int, ...], seed: int, dtype: Any = np.float64) -> np.ndarray:
    """A gradient that arrives: not uniform, so that a transposed or shifted result shows."""
    w = np.random.default_rng(seed).uniform(0.5, 1.5, shape) * np.random.default_rng(seed + 1).choice([-1, 1], shape)
    if np.dtype(dtype).kind == "c":
        w = w + 1j * np.random.default_rng(seed + 2).uniform(-1.5, 1.5, shape)
    return np.asarray(w)


def arrays_of(sample: Sample) -> list[np.ndarray]:
    """The inputs in double precision, real or complex."""
    return [np.asarray(a, np.complex128 if np.iscomplexobj(a) else np.float64) for a in sample.inputs]


def vjp(name: str, sample: Sample, arrays: list[np.ndarray], w: np.ndarray) -> list[np.ndarray]:
    """The gradients of Re Σ w* f(arrays) by the engine."""
    xs = [Tensor(a, requires_grad=True) for a in arrays]
    return list(gradients(call(name, sample, xs), xs, seed=w))


def pair(w: Any, z: Any) -> float:
    """Re Σ w* z."""
    return float(np.real(np.sum(np.conj(w) * z)))


def check_first_order(name: str, sample: Sample, tolerance: float = 1e-7) -> None:
    """Re ⟨w, J v⟩ by central differences equals Re ⟨g, v⟩ by the rule, for each input alone."""
    arrays = arrays_of(sample)
    z = np.asarray(call(name, sample, arrays))
    w = weights(z.shape, 1, z.dtype)
    for i, g in enumerate(vjp(name, sample, arrays, w)):
        assert g.shape == arrays[i].shape
        assert g.dtype == arrays[i].dtype
        v = weights(arrays[i].shape, 3, arrays[i].dtype)
        ends = [pair(w, call(name, sample, [a + s * v if j == i else a for j, a in enumerate(arrays)])) for s in (STEP, -STEP)]
        numeric, exact = (ends[0] - ends[1]) / (2 * STEP), pair(g, v)
        assert abs(numeric - exact) <= tolerance * max(1.0, abs(numeric), np.sum(np.abs(g * v))), (
            f"{name}: rule of input {i} gives {exact}, differences give {numeric} ({sample.params}, {[a.shape for a in arrays]})"
        )


def check_second_order(name: str, sample: Sample, tolerance: float = 1e-6) -> None:
    """The same for h(x) = Re ⟨u, g(x)⟩, the gradient itself: the rules are differentiated once more."""
    arrays = arrays_of(sample)
    z = np.asarray(call(name, sample, arrays))
    w = weights(z.shape, 1, z.dtype)
    us = [weights(a.shape, 5, a.dtype) for a in arrays]

    def h(at: list[np.ndarray]) -> float:
        return sum(pair(u, g) for u, g in zip(us, vjp(name, sample, at, w), strict=True))

    xs = [Tensor(a, requires_grad=True) for a in arrays]
    arriving = Tensor(w, requires_grad=True)
    first = gradients(call(name, sample, xs), xs, seed=arriving, create_graph=True)
    scalar = sum((tg.real(tg.conj(g) * u).sum() for g, u in zip(first, us, strict=True)), Tensor(0.0))
    if not scalar.requires_grad:  # constant rules: the second derivative is zero
        assert abs(h([a + STEP for a in arrays]) - h(arrays)) <= tolerance
        return
    for i, second in enumerate(gradients(scalar, [*xs, arriving])[:-1]):
        v = weights(arrays[i].shape, 7, arrays[i].dtype)
        ends = [h([a + s * v if j == i else a for j, a in enumerate(arrays)]) for s in (STEP, -STEP)]
        numeric, exact = (ends[0] - ends[1]) / (2 * STEP), pair(second, v)
        assert abs(numeric - exact) <= tolerance * max(1.0, abs(numeric), np.sum(np.abs(second * v))), (
            f"{name}: second derivative by input {i} is {exact}, differences give {numeric} ({sample.params})"
        )
