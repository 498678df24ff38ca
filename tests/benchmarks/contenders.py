"""The workloads, and who competes: hand-written NumPy, its matrix products alone, and the peers. Ours are in makers.py.

``make(workload)`` returns ``step()``: one training step (forward, softmax cross-entropy, backward, SGD), which returns the
loss as a float. ``data(workload)`` gives X (float32), y (int) and the parameters [W1, b1, W2, b2, …], W : (fan_in, fan_out).
The first seven workloads, and their data, are those of the shared benchmark, peers.py.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

Workload = dict[str, Any]
Step = Callable[[], float]

LR = np.float32(1e-3)
WORKLOADS: dict[str, Workload] = {
    "tiny 2-16-16-2 tanh b32": {"sizes": [2, 16, 16, 2], "act": "tanh", "B": 32},
    "mnist 784-128-10 relu b1": {"sizes": [784, 128, 10], "act": "relu", "B": 1},
    "mnist 784-128-10 relu b32": {"sizes": [784, 128, 10], "act": "relu", "B": 32},
    "mnist 784-128-10 relu b256": {"sizes": [784, 128, 10], "act": "relu", "B": 256},
    "cifar 3072-512-256-10 relu b128": {"sizes": [3072, 512, 256, 10], "act": "relu", "B": 128},
    "deep 64x[64] tanh b64": {"sizes": [64] * 65, "act": "tanh", "B": 64},
    "wide 3072-1024-1024-10 relu b1024": {"sizes": [3072, 1024, 1024, 10], "act": "relu", "B": 1024},
    "64-64-32-10 sigmoid b100": {"sizes": [64, 64, 32, 10], "act": "sigmoid", "B": 100},
    "8 layers of 256 relu b128": {"sizes": [256] * 9, "act": "relu", "B": 128},
    "10-16-8-2 tanh b8": {"sizes": [10, 16, 8, 2], "act": "tanh", "B": 8},
}


def data(w: Workload) -> tuple[Any, Any, list[Any]]:
    """A batch and the parameters, the same for all."""
    rng, sizes = np.random.default_rng(0), w["sizes"]
    X, y = rng.standard_normal((w["B"], sizes[0]), dtype=np.float32), rng.integers(0, sizes[-1], w["B"])
    parameters: list[Any] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        W = (rng.standard_normal((fan_in, fan_out)) * np.sqrt(1 / fan_in)).astype(np.float32)
        parameters += [W, np.zeros(fan_out, np.float32)]
    return X, y, parameters


FORWARD: dict[str, Callable[[Any], Any]] = {
    "relu": lambda Z: np.maximum(Z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda Z: 1 / (1 + np.exp(-Z)),
}
BACKWARD: dict[str, Callable[[Any, Any], Any]] = {
    "relu": lambda d, A: d * (A > 0),
    "tanh": lambda d, A: d * (1 - A * A),
    "sigmoid": lambda d, A: d * A * (1 - A),
}


def make_numpy(w: Workload) -> Step:
    """What a careful person writes by hand: the yardstick, 1.00."""
    X, y, P = data(w)
    n, rows, forward, backward = len(P) // 2, np.arange(w["B"]), FORWARD[w["act"]], BACKWARD[w["act"]]

    def step() -> float:
        A = [X]
        for i in range(n):
            Z = A[-1] @ P[2 * i] + P[2 * i + 1]
            A.append(Z if i == n - 1 else forward(Z))
        Z = A[-1] - A[-1].max(1, keepdims=True)
        E = np.exp(Z)
        S = E.sum(1, keepdims=True)
        loss = (np.log(S[:, 0]) - Z[rows, y]).mean()
        d = E / S
        d[rows, y] -= 1
        d /= w["B"]
        for i in reversed(range(n)):
            dW, db = A[i].T @ d, d.sum(0)
            if i:
                d = backward(d @ P[2 * i].T, A[i])
            P[2 * i] -= LR * dW
            P[2 * i + 1] -= LR * db
        return float(loss)

    return step


def make_products(w: Workload) -> Step:
    """The matrix products alone: a floor for everything that calls NumPy's matmul."""
    X, _, P = data(w)
    n = len(P) // 2
    H = [X] + [np.full((w["B"], s), 0.1, np.float32) for s in w["sizes"][1:]]
    out, gradients = [np.empty_like(h) for h in H], [np.empty_like(p) for p in P]

    def step() -> float:
        for i in range(n):
            np.matmul(H[i], P[2 * i], out=out[i + 1])
        for i in reversed(range(n)):
            np.matmul(H[i].T, H[i + 1], out=gradients[2 * i])
            if i:
                np.matmul(H[i + 1], P[2 * i].T, out=out[i])
        return 0.0

    return step


def make_torch(w: Workload, compiled: bool = False) -> Step:
    """PyTorch: Linear layers, cross_entropy and SGD as in its tutorials."""
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    X, y, P = data(w)
    activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}[w["act"]]
    layers: list[Any] = []
    for W in P[::2]:
        linear = torch.nn.Linear(*W.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T.copy()))
            linear.bias.zero_()
        layers += [linear, activation()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=float(LR))
    X, y = torch.from_numpy(X), torch.from_numpy(y)

    def loss_of(X: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(model(X), y)

    if compiled:
        loss_of = torch.compile(loss_of)

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of(X, y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def make_jax(w: Workload) -> Step:
    """JAX: value, gradients and update in one jitted function, with donated parameters."""
    import jax
    import jax.numpy as jnp

    X, y, P = data(w)
    n, act = len(P) // 2, {"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}[w["act"]]

    def loss_of(P: Any, X: Any, y: Any) -> Any:
        h = X
        for i in range(n):
            h = h @ P[2 * i] + P[2 * i + 1]
            h = act(h) if i < n - 1 else h
        return -jnp.take_along_axis(jax.nn.log_softmax(h), y[:, None], 1).mean()

    @functools.partial(jax.jit, donate_argnums=0)
    def update(P: Any, X: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(P, X, y)
        return [p - LR * g for p, g in zip(P, gradients, strict=True)], loss

    state, X, y = [jnp.asarray(p) for p in P], jnp.asarray(X), jnp.asarray(y)

    def step() -> float:
        nonlocal state
        state, loss = update(state, X, y)
        return float(loss)

    return step


def make_autograd(w: Workload) -> Step:
    """HIPS autograd."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    X, y, P = data(w)
    n, rows = len(P) // 2, np.arange(w["B"])
    act = {"relu": lambda h: anp.maximum(h, 0), "tanh": anp.tanh, "sigmoid": lambda h: 1 / (1 + anp.exp(-h))}[w["act"]]

    def loss_of(P: list[Any]) -> Any:
        h = X
        for i in range(n):
            h = anp.dot(h, P[2 * i]) + P[2 * i + 1]
            h = act(h) if i < n - 1 else h
        h = h - anp.max(h, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(h), axis=1)) - h[rows, y])

    both = value_and_grad(loss_of)

    def step() -> float:
        loss, gradients = both(P)
        for p, g in zip(P, gradients, strict=True):
            p -= LR * g
        return float(loss)

    return step


def make_mygrad(w: Workload) -> Step:
    """MyGrad, with its fused softmax_crossentropy."""
    import mygrad as mg
    from mygrad.nnet import softmax_crossentropy
    from mygrad.nnet.activations import relu, sigmoid

    X, y, parameters = data(w)
    P = [mg.tensor(p) for p in parameters]
    n, act = len(P) // 2, {"relu": relu, "tanh": mg.tanh, "sigmoid": sigmoid}[w["act"]]

    def step() -> float:
        h = X
        for i in range(n):
            h = mg.matmul(h, P[2 * i]) + P[2 * i + 1]
            h = act(h) if i < n - 1 else h
        loss = softmax_crossentropy(h, y)
        loss.backward()
        for p in P:
            p.data -= LR * p.grad
        return float(loss)

    return step


def make_sklearn(w: Workload) -> Step:
    """scikit-learn: what ``MLPClassifier.partial_fit`` does for a batch, without its checks of the input and the result.

    Its parts are called one by one (private names), since partial_fit gives two classes a single output, another network.
    Like partial_fit, it adds up the squares of all weights for the L2 term (here 0) and keeps velocities (momentum 0).
    """
    from sklearn.neural_network import MLPClassifier
    from sklearn.neural_network._stochastic_optimizers import SGDOptimizer
    from sklearn.preprocessing import LabelBinarizer

    X, y, P = data(w)
    sizes, act = w["sizes"], {"sigmoid": "logistic"}.get(w["act"], w["act"])
    settings = {"solver": "sgd", "alpha": 0.0, "momentum": 0.0, "nesterovs_momentum": False, "learning_rate_init": float(LR)}
    model = MLPClassifier(sizes[1:-1], activation=act, random_state=0, **settings)
    targets = y[:, None] == np.arange(sizes[-1])
    model._label_binarizer = LabelBinarizer().fit([0, 1, 2])  # more than two classes: softmax
    model._random_state, model.n_outputs_ = np.random.RandomState(0), sizes[-1]
    model._initialize(targets, sizes, X.dtype)
    model.coefs_, model.intercepts_ = P[::2], P[1::2]
    parameters = model.coefs_ + model.intercepts_
    gradients = [np.empty_like(p) for p in P[::2]], [np.empty_like(p) for p in P[1::2]]
    activations: list[Any] = [X] + [None] * (len(sizes) - 1)
    deltas: list[Any] = [None] * (len(sizes) - 1)
    optimizer = SGDOptimizer(parameters, float(LR), "constant", 0.0, False)

    def step() -> float:
        loss, dW, db = model._backprop(X, targets, None, activations, deltas, *gradients)
        optimizer.update_params(parameters, dW + db)
        return float(loss)

    return step


MAKERS: dict[str, Callable[[Workload], Step]] = {
    "numpy": make_numpy,
    "products only": make_products,
    "torch": make_torch,
    "torch.compile": functools.partial(make_torch, compiled=True),
    "jax.jit": make_jax,
    "autograd": make_autograd,
    "mygrad": make_mygrad,
    "sklearn": make_sklearn,
}
IMPORTS = {
    "torch": ["torch"],
    "torch.compile": ["torch", "torch._dynamo", "torch._inductor.compile_fx"],
    "jax.jit": ["jax", "jax.numpy"],
    "autograd": ["autograd", "autograd.numpy"],
    "mygrad": ["mygrad", "mygrad.nnet"],
    "sklearn": ["sklearn.neural_network", "sklearn.preprocessing"],
}
"""What a contender imports beside NumPy; its memory is counted from there."""
