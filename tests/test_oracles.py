"""Other engines as oracles: the same function by the same name, its value and its gradient on our samples.

HIPS autograd is always there; JAX and PyTorch are compared where they are installed. A call that an oracle does not have, or
understands differently (its value is another), says nothing and is passed over; how many functions must be comparable is fixed.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from checking import arrays_of, call, vjp, weights
from samples import SAMPLES, Sample
from test_rules import NAMES

from tinygrad_mlp.primitive import TABLE

NUMPY_NAMES: dict[str, list[str]] = {}
for numpy_function, our_name in NAMES.items():
    module = (getattr(numpy_function, "__module__", None) or "numpy").removeprefix("numpy").lstrip(".")
    NUMPY_NAMES.setdefault(our_name, []).append(f"{module}.{numpy_function.__name__}".lstrip("."))

Gradients = tuple[Any, list[Any]]


def found(root: Any, name: str) -> Any:
    """root.a.b for "a.b", or None."""
    for part in name.split("."):
        root = getattr(root, part, None)
    return root


def arguments(sample: Sample, name: str, xs: list[Any]) -> tuple[Any, ...]:
    given = sample.call(*xs)
    return (given,) if name in TABLE and TABLE[name].variadic else given


def by_autograd(name: str, sample: Sample, arrays: list[np.ndarray], w: np.ndarray) -> Gradients | None:
    """HIPS autograd; its gradient of a complex number is the conjugate of ours."""
    autograd, anp = importlib.import_module("autograd"), importlib.import_module("autograd.numpy")
    for numpy_name in NUMPY_NAMES.get(name, []):
        f = found(anp, numpy_name)
        if f is None:
            continue
        params = {sample.numpy_names.get(k, {"correction": "ddof"}.get(k, k)): v for k, v in sample.params.items()}
        z = f(*arguments(sample, name, list(arrays)), **params)
        if not isinstance(z, (np.ndarray, np.generic)):
            return None
        loss = lambda xs, f=f, params=params: anp.real(anp.sum(np.conj(w) * f(*arguments(sample, name, list(xs)), **params)))  # noqa: E731
        return z, [np.conj(g) for g in autograd.grad(loss)(tuple(arrays))]
    return None


def by_jax(name: str, sample: Sample, arrays: list[np.ndarray], w: np.ndarray) -> Gradients | None:
    """JAX; likewise."""
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
    jax.config.update("jax_enable_x64", True)
    for numpy_name in [*NUMPY_NAMES.get(name, []), f"nn.{name}"]:
        f = found(jax.nn, name) if numpy_name.startswith("nn.") else found(jnp, numpy_name)
        if f is None:
            continue
        params = {sample.numpy_names.get(k, {"correction": "ddof"}.get(k, k)): v for k, v in sample.params.items()}
        z = f(*arguments(sample, name, [jnp.asarray(a) for a in arrays]), **params)
        if not hasattr(z, "dtype"):
            return None
        loss = lambda xs, f=f, params=params: jnp.real(jnp.sum(np.conj(w) * f(*arguments(sample, name, list(xs)), **params)))  # noqa: E731
        return np.asarray(z), [np.conj(np.asarray(g)) for g in jax.grad(loss)(tuple(jnp.asarray(a) for a in arrays))]
    return None


def by_torch(name: str, sample: Sample, arrays: list[np.ndarray], w: np.ndarray) -> Gradients | None:
    """PyTorch; its convention for complex numbers is ours."""
    torch = importlib.import_module("torch")
    short = name.rpartition(".")[2]
    for f in (found(torch, name), found(torch.nn.functional, short), found(torch.special, short)):
        if f is None:
            continue
        params = {{"axis": "dim", "keepdims": "keepdim"}.get(k, k): v for k, v in sample.params.items()}
        xs = [torch.tensor(a, requires_grad=True) for a in arrays]
        given = tuple(torch.as_tensor(x) if isinstance(x, np.ndarray) else x for x in arguments(sample, name, xs))
        z = f(*given, **params)
        if not isinstance(z, torch.Tensor) or tuple(z.shape) != w.shape:
            return None
        z.backward(torch.tensor(w, dtype=z.dtype))
        return z.detach().numpy(), [np.zeros(x.shape) if x.grad is None else x.grad.resolve_conj().numpy() for x in xs]
    return None


ORACLES: dict[str, tuple[Callable[..., Gradients | None], int, set[str]]] = {
    # the oracle, how many functions it must be able to judge, and those that it is known to have wrong on our samples
    "autograd": (
        by_autograd,
        120,
        {
            "acosh",
            "sign",
            "linalg.pinv",  # of complex numbers
            "sinc",
            "prod",
            "linalg.norm",  # NaN at 0, with zeros, for ord=inf
            "full_like",
            "tile",
            "repeat",
            "fft.rfft",
            "fft.irfft",
        },
    ),
    "jax": (by_jax, 150, {"sign", "unique", "unique_values"}),  # of complex numbers; it gives 0 for what unique picks
    "torch": (by_torch, 140, {"ldexp", "linalg.det"}),  # negative powers of 2; a singular matrix
}


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.filterwarnings("ignore")
def test_other_engines_agree(oracle: str) -> None:
    if importlib.util.find_spec(oracle) is None:
        pytest.skip(f"the optional oracle {oracle} is not installed")
    gradient, least, known_wrong = ORACLES[oracle]
    judged: set[str] = set()
    differing: dict[str, str] = {}
    for name, samples in SAMPLES.items():
        for i, sample in enumerate(samples):
            if oracle == "jax" and i % max(1, len(samples) // 2):
                continue  # it compiles every shape
            arrays = arrays_of(sample)
            z = np.asarray(call(name, sample, arrays))
            w = weights(z.shape, 1, z.dtype)
            try:
                answer = gradient(name, sample, [a.copy() for a in arrays], w)
            except Exception:  # noqa: S112  # whatever an oracle raises for a call that it does not have
                continue
            if answer is None or np.shape(answer[0]) != z.shape or not np.allclose(answer[0], z, rtol=1e-9, atol=1e-12):
                continue
            judged.add(name)
            for k, (ours, theirs) in enumerate(zip(vjp(name, sample, arrays, w), answer[1], strict=True)):
                if np.shape(theirs) != ours.shape or not np.allclose(ours, theirs, rtol=1e-8, atol=1e-9):
                    differing[name] = f"sample {i}, input {k}: ours {ours}, {oracle} {theirs}"
    assert set(differing) <= known_wrong, {name: differing[name] for name in set(differing) - known_wrong}
    assert len(judged) >= least, (len(judged), sorted(judged))
