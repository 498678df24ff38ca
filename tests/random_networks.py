"""Random networks, losses and optimisers, trained by compiled steps and by eager ones: the same numbers.

    python tests/random_networks.py --count 20000 --seed 1 --jobs 2

Each number of a network is one training of up to three steps with batches of changing size. Five copies of its model take part:

    exact     tg.compile(exact=True): loss and parameters equal to the eager step's in every bit
    kept      tg.compile(keep_gradients=True): its loss and gradients may be at most a small multiple as far from the
              same in more digits (float64 for float32, longdouble for float64) as the eager step's are
    default   tg.compile: the step of ``kept``, to a few units in the last place; to the bit where the update needs the
              whole gradient
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import functools
import math
import multiprocessing
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import program_memory

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

__all__ = ["DifferenceError", "train"]

MULTIPLE, FLOOR = 8, 64
"""A compiled gradient may be this many times as far from the truth as the eager one, or so many ε of the largest gradient."""

MORE = {np.dtype(np.float32): np.float64, np.dtype(np.float64): np.longdouble}

ACTIVATIONS: list[Callable[[np.random.Generator], Any]] = [
    lambda r: nn.ReLU(), lambda r: nn.LeakyReLU(float(r.choice([0.01, 0.1, 0.3]))), lambda r: nn.ELU(float(r.choice([1.0, 0.5]))),
    lambda r: nn.Sigmoid(), lambda r: nn.Tanh(), lambda r: nn.Softplus(), lambda r: nn.Softsign(), lambda r: nn.SiLU(),
    lambda r: nn.GELU(), lambda r: nn.Hardtanh(-0.7, 0.9), lambda r: nn.LogSigmoid(), lambda r: nn.Softmax(), lambda r: nn.Identity(),
    lambda r: Function(np.sin), lambda r: Function(lambda x: np.exp(-x * x)), lambda r: Function(np.abs),
    lambda r: Function(lambda x: x * tg.sigmoid(x)), lambda r: Function(lambda x: x / np.sqrt(1 + x**2)),
    lambda r: Function(lambda x: np.maximum(x, 0.2)), lambda r: Function(lambda x: np.where(x > 0.1, x, 0.3 * x - 0.05)),
    lambda r: Function(lambda x: np.log1p(np.square(x))), lambda r: Function(lambda x: np.clip(x, -0.5, 2)), lambda r: Function(lambda x: -x),
    lambda r: Function(lambda x: (x - 1) * (x + 0.5)), lambda r: Function(lambda x: np.arctan(x) - 0.1 * x),
]  # fmt: skip


class Function(nn.Module):
    """A function as a layer."""

    def __init__(self, f: Callable[[Any], Any]) -> None:
        self.f = f

    def forward(self, x: Any) -> Any:
        return self.f(x)


class Make:
    """Draws the layers of a network; the numbers are drawn in float64, so that every dtype gets the same ones."""

    def __init__(self, seed: Any, dtype: Any) -> None:
        self.r, self.dtype = np.random.default_rng(seed), np.dtype(dtype)

    def parameter(self, *shape: int, scale: float = 0.6) -> nn.Parameter:
        small = (self.r.standard_normal(shape) * scale).astype(np.float32)
        return nn.Parameter(small.astype(self.dtype))

    def linear(self, n: int, k: int, bias: bool | None = None) -> nn.Linear:
        layer = nn.Linear(n, k, bias=bool(self.r.random() < 0.8) if bias is None else bias, rng=0, dtype=self.dtype)
        layer.weight = self.parameter(n, k, scale=1 / math.sqrt(n))
        if layer.bias is not None:
            layer.bias = self.parameter(k)
        return layer

    def activation(self) -> nn.Module:
        chosen: nn.Module = ACTIVATIONS[self.r.integers(len(ACTIVATIONS))](self.r)
        return chosen

    def size(self) -> int:
        return int(self.r.choice([1, 2, 3, 4, 5, 7, 8, 16, 33]))

    def block(self, n: int, depth: int = 0) -> tuple[nn.Module, int]:
        """A layer from n features to so many."""
        kinds = [*("linear",) * 6, *("activation",) * 6, "norm", "rms", "batch_norm", "gate", "glu", "dropout", "scale", "bias", "turn",
                 "parts", "statistics", "outer", "table"]  # fmt: skip
        if depth < 2:
            kinds += ["residual", "branches", "twice", "tied", "highway"]
        kind = str(self.r.choice(kinds))
        if kind == "linear":
            k = self.size()
            return self.linear(n, k), k
        if kind == "activation":
            return self.activation(), n
        if kind == "dropout":
            return nn.Dropout(float(self.r.choice([0.2, 0.5])), rng=int(self.r.integers(1000))), n
        if kind in ("residual", "highway"):
            body, k = self.chain(n, int(self.r.integers(1, 4)), depth + 1)
            back = self.linear(k, n)
            return (Residual(body, back) if kind == "residual" else Highway(body, back, self.linear(n, n))), n
        if kind == "branches":
            (a, j), (b, k) = self.chain(n, 2, depth + 1), self.chain(n, int(self.r.integers(1, 3)), depth + 1)
            return Branches(a, b), j + k
        if kind == "twice":
            return Twice(self.linear(n, n), self.activation()), n
        if kind == "tied":
            k = self.size()
            return Tied(self.linear(n, k, bias=True), self.activation()), n
        if kind == "gate":
            k = self.size()
            return Gate(self.linear(n, k), self.linear(n, k)), k
        if kind == "glu" and n % 2 == 0:
            return nn.GLU(), n // 2
        if kind == "scale":
            return Scale(self.parameter(*([] if self.r.random() < 0.5 else [n]))), n
        if kind == "bias":
            return Add(self.parameter(n)), n
        if kind == "turn":
            k = self.size()
            return Turn(self.parameter(k, n)), k
        if kind == "parts" and n > 1:
            return Function(lambda x: np.concatenate([x[:, 1:] * 2, x[:, :1]], axis=1)), n
        if kind == "statistics":
            f = [
                lambda x: x - np.max(x, axis=1, keepdims=True), lambda x: np.cumsum(x, axis=1), lambda x: x + np.sum(x, axis=0),
                lambda x: x * np.mean(x, axis=1, keepdims=True), lambda x: np.sort(x, axis=1), lambda x: x - tg.logsumexp(x, axis=1, keepdims=True),
            ][self.r.integers(6)]  # fmt: skip
            return Function(f), n
        if kind == "outer" and n <= 5:
            return Function(lambda x: (x[:, :, None] * x[:, None, :]).reshape(x.shape[0], -1)), n * n
        if kind == "table" and n > 1:
            order = self.r.permutation(n)
            return Function(lambda x: x[:, order]), n
        if kind in ("norm", "rms") and n > 2:
            return Norm(self.parameter(n), self.parameter(n), centered=kind == "norm"), n
        if kind == "batch_norm":
            return BatchNorm(self.parameter(n), self.parameter(n)), n
        return self.activation(), n

    def chain(self, n: int, length: int, depth: int = 0) -> tuple[nn.Module, int]:
        parts = []
        for _ in range(length):
            part, n = self.block(n, depth)
            parts.append(part)
        return nn.Sequential(*parts), n

    def images(self, channels: int, side: int) -> tuple[nn.Module, int]:
        """Convolutions, activations and pooling, and the flat features."""
        parts: list[nn.Module] = []
        for _ in range(int(self.r.integers(1, 4))):
            kind = str(self.r.choice(["conv", "conv", "activation", "activation", "max", "avg"]))
            if kind == "conv":
                k, size, padding = int(self.r.integers(1, 5)), int(self.r.choice([1, 2, 3])), int(self.r.integers(0, 2))
                stride = int(self.r.integers(1, 3))
                if side + 2 * padding < size:
                    continue
                layer = nn.Conv2d(channels, k, size, stride, padding, bias=bool(self.r.random() < 0.8), rng=0, dtype=self.dtype)
                layer.weight = self.parameter(*layer.weight.shape, scale=0.4)
                if layer.bias is not None:
                    layer.bias = self.parameter(k)
                parts.append(layer)
                channels, side = k, (side + 2 * padding - size) // stride + 1
            elif kind == "activation":
                parts.append(ACTIVATIONS[self.r.integers(11)](self.r))
            elif side >= 2:
                parts.append((nn.MaxPool2d if kind == "max" else nn.AvgPool2d)(2))
                side //= 2
        return nn.Sequential(*parts, nn.Flatten()), channels * side * side


class Residual(nn.Module):
    def __init__(self, body: nn.Module, back: nn.Module) -> None:
        self.body, self.back = body, back

    def forward(self, x: Any) -> Any:
        return x + self.back(self.body(x))


class Highway(nn.Module):
    def __init__(self, body: nn.Module, back: nn.Module, gate: nn.Module) -> None:
        self.body, self.back, self.gate = body, back, gate

    def forward(self, x: Any) -> Any:
        t = tg.sigmoid(self.gate(x))
        return t * self.back(self.body(x)) + (1 - t) * x


class Branches(nn.Module):
    def __init__(self, a: nn.Module, b: nn.Module) -> None:
        self.a, self.b = a, b

    def forward(self, x: Any) -> Any:
        return np.concatenate([self.a(x), self.b(x)], axis=1)


class Twice(nn.Module):
    def __init__(self, layer: nn.Module, f: nn.Module) -> None:
        self.layer, self.f = layer, f

    def forward(self, x: Any) -> Any:
        return self.layer(self.f(self.layer(x)))


class Tied(nn.Module):
    def __init__(self, layer: nn.Linear, f: nn.Module) -> None:
        self.layer, self.f = layer, f

    def forward(self, x: Any) -> Any:
        return self.f(self.layer(x)) @ self.layer.weight.T


class Gate(nn.Module):
    def __init__(self, a: nn.Module, b: nn.Module) -> None:
        self.a, self.b = a, b

    def forward(self, x: Any) -> Any:
        return np.tanh(self.a(x)) * tg.sigmoid(self.b(x))


class Scale(nn.Module):
    def __init__(self, factor: nn.Parameter) -> None:
        self.factor = factor

    def forward(self, x: Any) -> Any:
        return x * self.factor


class Add(nn.Module):
    def __init__(self, b: nn.Parameter) -> None:
        self.b = b

    def forward(self, x: Any) -> Any:
        return x + self.b


class Turn(nn.Module):
    def __init__(self, w: nn.Parameter) -> None:
        self.w = w

    def forward(self, x: Any) -> Any:
        return (self.w @ x.T).T


class Norm(nn.Module):
    """Each row made to mean 0 and variance 1, or to mean square 1."""

    def __init__(self, gamma: nn.Parameter, beta: nn.Parameter, centered: bool) -> None:
        self.gamma, self.beta, self.centered = gamma, beta, centered

    def forward(self, x: Any) -> Any:
        if self.centered:
            x = x - np.mean(x, axis=1, keepdims=True)
        return x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 0.01) * self.gamma + self.beta


class BatchNorm(nn.Module):
    """Each column made to mean 0 and variance 1."""

    def __init__(self, gamma: nn.Parameter, beta: nn.Parameter) -> None:
        self.gamma, self.beta = gamma, beta

    def forward(self, x: Any) -> Any:
        return (x - x.mean(axis=0)) / np.sqrt(np.var(x, axis=0) + 0.01) * self.gamma + self.beta


class Network(nn.Module):
    """A random body with one or two heads, each with a loss of its own; sometimes a penalty."""

    def __init__(self, seed: Any, dtype: Any) -> None:
        make = Make([seed, 1], dtype)
        r = make.r
        self.image = bool(r.random() < 0.25)
        self.n = int(r.choice([1, 3])) if self.image else make.size()
        self.side = int(r.integers(2, 7)) if self.image else 0
        front, n = make.images(self.n, self.side) if self.image else (nn.Identity(), self.n)
        body, n = make.chain(n, int(r.integers(1, 8)))
        self.body = nn.Sequential(front, body)
        kinds = ["classes", "classes", "classes", "numbers", "numbers", "bits", "own"]
        self.heads = []
        for _ in range(1 if r.random() < 0.8 else 2):
            k = int(r.integers(2, 6))
            self.heads.append(
                [str(r.choice(kinds)), make.linear(n, k) if r.random() < 0.9 else nn.Sequential(make.linear(n, k)), k]
            )
        self.reduction = str(r.choice(["mean", "mean", "sum"]))
        self.penalty = float(r.choice([0, 0, 0, 0.01]))
        self.after = int(r.integers(6))
        for p in self.parameters()[: int(r.choice([0, 0, 0, 1, 2]))]:
            if len(self.parameters()) > 2:
                p.requires_grad = False

    def loss(self, X: Any, *targets: Any) -> Any:
        features = self.body(X)
        total = None
        for (kind, head, _), y in zip(self.heads, targets, strict=True):
            z = head(features)
            if kind == "classes":
                part = nn.cross_entropy(z, y, reduction=self.reduction)
            elif kind == "numbers":
                part = nn.mse_loss(z, y, reduction=self.reduction)
            elif kind == "bits":
                part = nn.binary_cross_entropy_with_logits(z, y, reduction=self.reduction)
            else:
                part = np.mean(np.abs(z - y) ** 1.5) + 0.1 * np.mean(np.square(z))
            total = part if total is None else total + 0.5 * part
        if self.penalty:
            total = total + self.penalty * sum(np.sum(p**2) for p in self.parameters() if p.ndim > 1)
        return [total, total * 2, total / 3, total, np.sqrt(total * total + 1), 0 - (0 - total)][self.after]

    def batch(self, m: int, seed: Any, dtype: Any) -> list[Any]:
        r = np.random.default_rng([seed, 2])
        shape = (m, self.n, self.side, self.side) if self.image else (m, self.n)
        given = [r.standard_normal(shape).astype(np.float32).astype(dtype)]
        for kind, _, k in self.heads:
            if kind == "classes":
                given.append(r.integers(0, k, m))
            elif kind == "bits":
                given.append(r.integers(0, 2, (m, k)).astype(dtype))
            else:
                given.append(r.standard_normal((m, k)).astype(np.float32).astype(dtype))
        return given


class Setting(NamedTuple):
    """What a training is besides the network."""

    dtype: np.dtype[Any]
    optimizer: Callable[[Any], optim.Optimizer]
    clip_norm: float | None
    rows: list[int]


def setting(seed: int) -> Setting:
    r = np.random.default_rng([seed, 0])
    optimizers: list[Callable[[Any], optim.Optimizer]] = [
        lambda p: optim.SGD(p, lr=0.1), lambda p: optim.SGD(p, lr=0.03), lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01),
        lambda p: optim.SGD(p, lr=0.05, momentum=0.9), lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda p: optim.Adam(p, lr=0.01), lambda p: optim.AdamW(p, lr=0.01), lambda p: optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
        lambda p: optim.Adagrad(p, lr=0.05),
    ]  # fmt: skip
    dtype = np.dtype(np.float32 if r.random() < 0.6 else np.float64)
    optimizer = optimizers[r.integers(len(optimizers))]
    clip_norm = None if r.random() < 0.75 else float(r.choice([0.1, 1.0, 100.0]))
    sizes = r.choice([1, 2, 3, 5, 8, 13, 32, 130], 2, p=[0.05, 0.1, 0.15, 0.2, 0.2, 0.15, 0.1, 0.05])
    m, other = (int(n) for n in sizes)
    return Setting(dtype, optimizer, clip_norm, [m] if r.random() < 0.75 else [m, other, m])


class DifferenceError(AssertionError):
    """A compiled step that is not what the eager one is."""


def gradients(model: Network, args: list[Any], clip_norm: float | None) -> tuple[float, list[Any]]:
    """The loss and the gradients of an eager step."""
    model.zero_grad()
    loss = model.loss(*args)
    loss.backward()
    reached = [p for p in model.parameters() if p.grad is not None]
    if clip_norm is not None:
        optim.clip_grad_norm(reached, clip_norm)
    return loss.item(), [p.grad for p in model.parameters()]


def trained(model: Network) -> list[Any]:
    return [p for p in model.parameters() if p.requires_grad]


def give(model: Network, values: list[Any]) -> None:
    for p, value in zip(model.parameters(), values, strict=True):
        p.data = value.astype(p.dtype)


def finite(arrays: list[Any]) -> bool:
    return all(g is None or bool(np.isfinite(g).all()) for g in arrays)


def train(seed: int, data: int = 0) -> int:
    """Train the network of this number; returns how many steps were compared.

    Raises
    ------
    DifferenceError
        With the program's text.
    """
    s = setting(seed)
    exact, eager, kept, default, here, more = (Network(seed, dtype) for dtype in (*(s.dtype,) * 5, MORE[s.dtype]))
    oe, oq, ok, od = (s.optimizer(trained(model)) for model in (exact, eager, kept, default))
    with_exact = tg.compile(exact.loss, oe, exact=True, clip_norm=s.clip_norm)
    with_kept = tg.compile(kept.loss, ok, clip_norm=s.clip_norm, keep_gradients=True)
    with_default = tg.compile(default.loss, od, clip_norm=s.clip_norm)
    eps = float(np.finfo(s.dtype).eps)
    steps = 0
    for i, m in enumerate(s.rows):
        args = eager.batch(m, [seed, data, i], s.dtype)
        wide = [a.astype(MORE[s.dtype]) if a.dtype.kind == "f" else a for a in args]
        # in every bit
        oq.zero_grad()
        loss, grads = gradients(eager, args, None)
        if not np.isfinite(loss) or not finite(grads):
            return steps
        if s.clip_norm is not None:
            optim.clip_grad_norm([p for p in eager.parameters() if p.grad is not None], s.clip_norm)
        oq.step()
        found = with_exact(*args)
        where = f"network {seed}, data {data}, step {i} of {s.rows}, {s.dtype}, {oq!r}, clip_norm {s.clip_norm}"
        if not (
            found == loss
            and all(np.array_equal(p.array, q.array) for p, q in zip(exact.parameters(), eager.parameters(), strict=True))
        ):
            raise DifferenceError(f"{where}: exact=True differs from the eager step\n{eager}\n{with_exact.source}")
        # within the rounding of an eager step
        before, state = [p.array.copy() for p in kept.parameters()], copy.deepcopy(ok.state_dict())
        give(here, before)
        give(more, before)
        loss, grads = gradients(here, args, s.clip_norm)
        truth, true = gradients(more, wide, s.clip_norm)
        if not np.isfinite(loss) or not finite(grads) or not finite(true):
            return steps
        found = with_kept(*args)
        mine = [p.grad.copy() if p.grad is not None else None for p in kept.parameters()]
        size = max([1.0, *(float(np.max(np.abs(t), initial=0)) for t in true if t is not None)])
        error = lambda g, t: float(np.max(np.abs(g - t), initial=0))  # noqa: E731
        usual = max(
            [
                abs(loss - truth) / max(1, abs(truth)),
                *(error(g, t) / size for g, t in zip(grads, true, strict=True) if t is not None),
            ]
        )
        allowed = (MULTIPLE * float(usual) + FLOOR * eps) * size
        if not abs(found - truth) <= (MULTIPLE * float(usual) + FLOOR * eps) * max(1, abs(truth)):
            raise DifferenceError(f"{where}: loss {found}, eager {loss}, in more digits {truth}\n{eager}\n{with_kept.source}")
        for (name, _), g, h, t in zip(kept.named_parameters(), mine, grads, true, strict=True):
            if (g is None) is not (t is None):
                raise DifferenceError(f"{where}: {name} has a gradient in one of the steps only\n{eager}\n{with_kept.source}")
            if t is not None and not error(g, t) <= allowed:
                raise DifferenceError(
                    f"{where}: {name} is off by {error(g, t):.3g}, eager by {error(h, t):.3g}, allowed {allowed:.3g}\n{g}\n{t}\n{eager}\n{with_kept.source}"
                )
        # the update, and the step without gradients
        twin = Network(seed, s.dtype)
        give(twin, before)
        ot = s.optimizer(trained(twin))
        ot.load_state_dict(state)
        for p, g in zip(twin.parameters(), mine, strict=True):
            p.grad = g
        ot.step()
        for (name, p), q in zip(kept.named_parameters(), twin.parameters(), strict=True):
            if not np.array_equal(p.array, q.array):
                raise DifferenceError(f"{where}: the update of {name} is not the optimiser's\n{with_kept.source}")
        give(default, before)
        od.load_state_dict(state)
        found = with_default(*args)
        linear = isinstance(od, optim.SGD)
        for (name, p), q, old in zip(default.named_parameters(), kept.parameters(), before, strict=True):
            scale = max(float(np.max(np.abs(x), initial=0)) for x in (old, q.array))
            room = (allowed + 8 * eps * scale) if linear or s.clip_norm is not None else 0.0
            if not error(p.array, q.array) <= room:
                raise DifferenceError(
                    f"{where}: {name} after the step without kept gradients is off by {error(p.array, q.array):.3g}\n{eager}\n{with_default.source}"
                )
        steps += 1
    return steps


def attempt(seed: int, memory: bool = False) -> tuple[int, str, str]:
    """Train once; a difference that other data do not have is one of rounding at a kink."""
    warnings.simplefilter("ignore", RuntimeWarning)  # not errstate: a program that is traced there is another one
    try:
        with program_memory.watched() if memory else contextlib.nullcontext():
            return train(seed), "", ""
    except DifferenceError as difference:
        again = 0
        for data in (1, 2, 3):
            try:
                train(seed, data)
            except DifferenceError:
                again += 1
        return 0, "difference" if again else "only with these data", str(difference)
    except Exception as error:
        return 0, "error", f"network {seed}: {type(error).__name__}: {error}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Train random networks with compiled and with eager steps; exit code 1 if they differ."
    )
    parser.add_argument("--count", type=int, default=400, help="how many networks (default: 400)")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first one (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--show", type=int, default=1, help="of how many failures the whole text is printed (default: 1)")
    parser.add_argument(
        "--memory", action="store_true", help="run every program under the checker of memory first, at twice the time"
    )
    parser.add_argument("--stop", action="store_true", help="stop at the first failure")
    options = parser.parse_args(argv)
    seeds = range(options.seed, options.seed + options.count)
    counts, steps, networks = {"difference": 0, "only with these data": 0, "error": 0}, 0, 0

    def results() -> Iterator[tuple[int, str, str]]:
        if options.jobs == 1:
            yield from map(functools.partial(attempt, memory=options.memory), seeds)
            return
        with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
            yield from pool.imap_unordered(functools.partial(attempt, memory=options.memory), seeds, chunksize=8)

    for done, kind, text in results():
        networks, steps = networks + 1, steps + done
        if kind:
            counts[kind] += 1
            print(f"{kind}: {text if sum(counts.values()) <= options.show else text.splitlines()[0]}", flush=True)
            if options.stop:
                break
        if networks % 500 == 0:
            print(f"{networks} networks, {steps} steps, {counts}", file=sys.stderr, flush=True)
    print(f"{networks} networks, {steps} steps: {', '.join(f'{n} {kind}' for kind, n in counts.items())}")
    return int(counts["difference"] + counts["error"] > 0)


if __name__ == "__main__":
    sys.exit(main())
