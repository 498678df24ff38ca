"""What demos/seed_002.py measures: the formulas of seed 002 as the document writes them, and what is true beside them."""

from __future__ import annotations

import decimal
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.chainrule import Derivation

Array: TypeAlias = NDArray[Any]
Parameters: TypeAlias = Mapping[str, Any]

# --- lines 109 to 222: the network and its gradients --------------------------------------------------------------------


class Line(NamedTuple):
    """A formula of the document: where it stands, as it is written, and the value that it defines."""

    place: str
    formula: str
    name: str


LINES = [
    Line("l. 109", "Z⁽¹⁾ = X W⁽¹⁾ + b⁽¹⁾", "Z1"),
    Line("l. 113", "A⁽¹⁾ = tanh(Z⁽¹⁾)", "A1"),
    Line("l. 119", "Z⁽²⁾ = A⁽¹⁾ W⁽²⁾ + b⁽²⁾", "Z2"),
    Line("l. 123", "A⁽²⁾ = tanh(Z⁽²⁾)", "A2"),
    Line("l. 129", "Z⁽³⁾ = A⁽²⁾ W⁽³⁾ + b⁽³⁾", "Z3"),
    Line("l. 133", "P = softmax(Z⁽³⁾)", "P"),
    Line("l. 153", "∂ℒ/∂zⱼ⁽³⁾ = pⱼ − 1[j = y], one sample", "dz3"),
    Line("l. 161", "∂J/∂Z⁽³⁾ = 1/m (P − Y)", "dZ3"),
    Line("l. 168", "∂J/∂W⁽³⁾ = A⁽²⁾ᵀ ∂J/∂Z⁽³⁾", "dW3"),
    Line("l. 172", "∂J/∂b⁽³⁾ = Σᵢ ∂J/∂Z⁽³⁾", "db3"),
    Line("l. 180", "∂J/∂A⁽²⁾ = ∂J/∂Z⁽³⁾ W⁽³⁾ᵀ", "dA2"),
    Line("l. 186, 189", "∂J/∂Z⁽²⁾ = ∂J/∂A⁽²⁾ ⊙ (1 − (A⁽²⁾)²)", "dZ2"),
    Line("l. 194", "∂J/∂W⁽²⁾ = A⁽¹⁾ᵀ ∂J/∂Z⁽²⁾", "dW2"),
    Line("l. 198", "∂J/∂b⁽²⁾ = Σᵢ ∂J/∂Z⁽²⁾", "db2"),
    Line("l. 206", "∂J/∂A⁽¹⁾ = ∂J/∂Z⁽²⁾ W⁽²⁾ᵀ", "dA1"),
    Line("l. 212", "∂J/∂Z⁽¹⁾ = ∂J/∂A⁽¹⁾ ⊙ (1 − (A⁽¹⁾)²)", "dZ1"),
    Line("l. 218", "∂J/∂W⁽¹⁾ = Xᵀ ∂J/∂Z⁽¹⁾", "dW1"),
    Line("l. 222", "∂J/∂b⁽¹⁾ = Σᵢ ∂J/∂Z⁽¹⁾", "db1"),
]
"""The formulas for the whole batch."""


EQUAL = 1e-12
"""Two float64 results that differ by no more than this, relatively, are the same formula."""


def draw_parameters(sizes: Sequence[int], rng: np.random.Generator) -> dict[str, Array]:
    """W1, b1, W2, … of random numbers: W of shape (n_in, n_out) and variance 1 / n_in, b not zero, so that nothing hides."""
    found = {}
    for l, (n, k) in enumerate(itertools.pairwise(sizes), 1):
        found[f"W{l}"] = rng.standard_normal((n, k)) / np.sqrt(n)
        found[f"b{l}"] = 0.1 * rng.standard_normal(k)
    return found


def one_hot(y: Array) -> Array:
    """Y (m, 3): 1 at the class, else 0."""
    return np.eye(3)[y]


def document(X: Array, y: Array, p: Parameters) -> dict[str, Array]:
    """The formulas of LINES in NumPy, as the document writes them; the gradient with respect to Q is called dQ."""
    W1, b1, W2, b2, W3, b3 = (p[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
    m, Y = len(X), one_hot(y)
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    Z2 = A1 @ W2 + b2
    A2 = np.tanh(Z2)
    Z3 = A2 @ W3 + b3
    P = np.exp(Z3) / np.exp(Z3).sum(axis=1, keepdims=True)
    dZ3 = (P - Y) / m
    dW3 = A2.T @ dZ3
    db3 = dZ3.sum(axis=0)
    dA2 = dZ3 @ W3.T
    dZ2 = dA2 * (1 - A2**2)
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    forward = {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2, "Z3": Z3, "P": P, "dz3": P[0] - Y[0]}
    backward = {"dZ3": dZ3, "dW3": dW3, "db3": db3, "dA2": dA2, "dZ2": dZ2, "dW2": dW2, "db2": db2}
    return forward | backward | {"dA1": dA1, "dZ1": dZ1, "dW1": dW1, "db1": db1}


def engine(X: Array, y: Array, p: Parameters) -> tuple[dict[str, Array], Derivation]:
    """The same values by tinygrad_mlp: only the forward pass is written, the gradients are found; and how, written out."""
    W1, b1, W2, b2, W3, b3 = (tg.Tensor(p[name], requires_grad=True) for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    Z2 = A1 @ W2 + b2
    A2 = np.tanh(Z2)
    Z3 = A2 @ W3 + b3
    J = nn.cross_entropy(Z3, y)
    values = {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2, "Z3": Z3, "P": tg.softmax(Z3, axis=1)}
    found = {name: value.numpy() for name, value in values.items()}
    wanted = {"Z3": Z3, "W3": W3, "b3": b3, "A2": A2, "Z2": Z2, "W2": W2, "b2": b2, "A1": A1, "Z1": Z1, "W1": W1, "b1": b1}
    gradients = tg.gradients(J, list(wanted.values()))
    found |= {f"d{name}": g for name, g in zip(wanted, gradients, strict=True)}
    found["dz3"] = tg.grad(lambda z: nn.cross_entropy(z, y[:1]))(found["Z3"][:1])[0]
    return found, tg.derive(J)


def printed(source: str) -> dict[str, str]:
    """The lines of a program by the name on the left: what stands on the right of it, without the comment."""
    lines = [line.split("#")[0].strip().partition(" = ") for line in source.splitlines()]
    return {left: right for left, equals, right in lines if equals and left.isidentifier()}


def difference(a: Any, b: Any) -> float:
    """The largest |a − b|, relative to the largest |b|."""
    return float(np.max(np.abs(np.asarray(a) - b)) / np.max(np.abs(b)))


def small(x: float) -> str:
    """A number with one digit."""
    return f"{x:.0e}" if x else "0"


def closely(x: float) -> str:
    """How closely two things are equal that differ by x."""
    return f"to {x:.0e}" if x else "in every bit"


def columns(X: Array, y: Array, p: Parameters) -> dict[str, Array]:
    """The layer of line 39, z = W a + b with W of shape (n_out, n_in) and samples in columns; gradients of the same form."""
    m, a0, Y = len(X), X.T, one_hot(y).T
    b1, b2, b3 = (p[f"b{l}"][:, None] for l in (1, 2, 3))
    a1 = np.tanh(p["W1"] @ a0 + b1)
    a2 = np.tanh(p["W2"] @ a1 + b2)
    z3 = p["W3"] @ a2 + b3
    dz3 = (np.exp(z3) / np.exp(z3).sum(axis=0) - Y) / m
    dz2 = (p["W3"].T @ dz3) * (1 - a2**2)
    dz1 = (p["W2"].T @ dz2) * (1 - a1**2)
    return {"Z3": z3, "dW3": dz3 @ a2.T, "dW2": dz2 @ a1.T, "dW1": dz1 @ a0.T}


# --- backprops with the mistakes that the document invites -----------------------------------------------------------------

NAMES = ("W1", "b1", "W2", "b2", "W3", "b3")


def loss(X: Any, y: Any, p: Any) -> Any:
    """The network's cross-entropy, forward only."""
    A1 = np.tanh(X @ p["W1"] + p["b1"])
    A2 = np.tanh(A1 @ p["W2"] + p["b2"])
    return nn.cross_entropy(A2 @ p["W3"] + p["b3"], y)


def as_written(X: Any, y: Any, p: Any) -> dict[str, Any]:
    """The document's gradients."""
    values = document(X, y, p)
    return {name: values[f"d{name}"] for name in NAMES}


def mean_twice(X: Any, y: Any, p: Any) -> dict[str, Any]:
    """1/m in ∂J/∂Z⁽³⁾, as here, and in the gradients of W and b, as seed 004 has it: once too often."""
    return {name: g / len(X) for name, g in as_written(X, y, p).items()}


def mixed(X: Any, y: Any, p: Any) -> dict[str, Any]:
    """Row convention in the forward pass, W of the column convention on the way back: fits where W⁽²⁾ and W⁽³⁾ are square."""
    values = document(X, y, p)
    A1, A2, dZ3 = values["A1"], values["A2"], values["dZ3"]
    dZ2 = (dZ3 @ p["W3"]) * (1 - A2**2)
    dZ1 = (dZ2 @ p["W2"]) * (1 - A1**2)
    found = {"W3": A2.T @ dZ3, "b3": dZ3.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0)}
    return found | {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0)}


def binary_loss(X: Any, y: Any, p: Any) -> Any:
    """Line 87: the mean binary cross-entropy of a sigmoid unit."""
    a = tg.sigmoid(X @ p["W"] + p["b"])
    return -np.mean(y * np.log(a) + (1 - y) * np.log(1 - a))


def binary_backprop(X: Any, y: Any, p: Any) -> dict[str, Any]:
    """Line 94, ∂L/∂a = (a − y) / (a (1 − a)), used for the loss of line 87."""
    a = 1 / (1 + np.exp(-(X @ p["W"] + p["b"])))
    da = (a - y) / (a * (1 - a))
    dz = da * a * (1 - a)
    return {"W": X.T @ dz, "b": dz.sum(axis=0)}


# --- lines 54 to 80: tanh ------------------------------------------------------------------------------------------------


def quotient(z: Array) -> Array:
    """Line 59, in the middle: (e^z − e^−z) / (e^z + e^−z)."""
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


def doubled(z: Array) -> Array:
    """Line 59, on the right: (e^2z − 1) / (e^2z + 1)."""
    return (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1)


def exact_tanh(z: float) -> decimal.Decimal:
    """tanh with 60 digits."""
    with decimal.localcontext(decimal.Context(prec=60)):
        e = (2 * decimal.Decimal(z)).exp()
        return (e - 1) / (e + 1)


def relative_errors(f: Callable[[Array], Array], z: Array) -> Array:
    """|f(z) − tanh z| / tanh z, NaN where f is."""
    with np.errstate(all="ignore"):
        values = f(z)
    exact = [exact_tanh(float(x)) for x in z]
    return np.array([float(abs(decimal.Decimal(float(v)) / t - 1)) for v, t in zip(values, exact, strict=True)])


def first_nan(f: Callable[[Array], Array], above: float = 1000.0) -> float:
    """Where f stops to be a number, by bisection from 1 up."""
    low, high = 1.0, above
    with np.errstate(all="ignore"):
        while high - low > 1e-9 * high:
            middle = (low + high) / 2
            low, high = (low, middle) if np.isnan(f(np.array([middle]))[0]) else (middle, high)
    return high
