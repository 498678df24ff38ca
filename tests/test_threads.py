"""Threads and async tasks that mix nested gradients, no_grad and shared parameters give the answers of one thread, bit for bit."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, nn
from tinygrad_mlp.errors import AnomalyError

WEIGHTS = np.random.default_rng(0).normal(size=(3, 3))


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def job(seed: int, W: Tensor) -> list[Any]:
    """A mixture of everything that a mode or a counter of the whole process would disturb."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=3)
    results: list[Any] = []
    f = lambda x: np.sum(np.tanh(x @ WEIGHTS) ** 2)  # noqa: E731
    match seed % 6:
        case 0:
            results.append(tg.grad(lambda a: a * tg.grad(lambda b: a * np.sin(b))(a * 2.0))(x[0]))  # nested
        case 1:
            results.append(tg.hessian(f)(x))
        case 2:
            with tg.no_grad():
                y = np.sum(W @ x)
                assert not y.requires_grad
                with pytest.raises(AnomalyError), tg.detect_anomaly():
                    np.log(Tensor(0.0))
            results.append(y.data)
        case 3:
            loss = np.sum(np.tanh(W @ x))
            results.append(tg.gradients(loss, W))
            results.append(tg.gradients(np.sum(tg.gradients(loss, W, create_graph=True) ** 2), W))
        case 4:
            y = Tensor(x, requires_grad=True) * 1
            for i in range(1, 3):
                y[i] = y[i - 1] * y[i]
            results.append(tg.gradients(y.sum(), y))
            with tg.guard("full"):
                results.append(tg.jvp(f, (x,), (x,))[1])
        case _:
            model = nn.MLP([3, 4, 2], activation="tanh", rng=seed)
            nn.cross_entropy(model(x[None]), np.array([seed % 2])).backward()
            results += [p.grad for p in model.parameters()]
    assert tg.is_recording()
    return results


def equal(found: list[list[Any]], expected: list[list[Any]]) -> None:
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


SEEDS = range(900)


def test_eight_threads() -> None:
    W = Tensor(WEIGHTS, requires_grad=True)
    expected = [job(seed, W) for seed in SEEDS]
    with ThreadPoolExecutor(8) as pool:
        equal(list(pool.map(lambda seed: job(seed, W), SEEDS)), expected)
    assert W.grad is None


def test_tasks() -> None:
    W = Tensor(WEIGHTS, requires_grad=True)
    expected = [job(seed, W) for seed in range(120)]

    async def task(seed: int) -> list[Any]:
        if seed % 3 == 0:
            with tg.no_grad():
                await asyncio.sleep(0)
                assert not tg.is_recording()
        elif seed % 3 == 1:
            with tg.detect_anomaly():
                await asyncio.sleep(0)
                with pytest.raises(AnomalyError):
                    np.log(Tensor(0.0))
        await asyncio.sleep(0)
        return job(seed, W)

    async def main() -> list[list[Any]]:
        return await asyncio.gather(*(task(seed) for seed in range(120)))

    equal(asyncio.run(main()), expected)


def test_tasks_in_threads() -> None:
    W = Tensor(WEIGHTS, requires_grad=True)
    expected = [job(seed, W) for seed in range(80)]

    async def main() -> list[list[Any]]:
        return await asyncio.gather(*(asyncio.to_thread(job, seed, W) for seed in range(80)))

    equal(asyncio.run(main()), expected)


def test_shared_parameters_lose_no_gradient() -> None:
    W = Tensor(np.zeros((3, 3)), requires_grad=True)
    rows = np.eye(3)

    def add(n: int) -> None:
        for _ in range(200):
            np.sum(W * rows[n % 3][:, None]).backward()

    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(W.grad, np.array([[600.0] * 3, [600.0] * 3, [400.0] * 3]))


FORKING = """
import os, signal, sys, threading, time
import numpy as np
import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim

sys.setswitchinterval(1e-6)
X, y = np.ones((4, 3), np.float32), np.array([0, 1, 0, 1])
w = tg.Tensor(np.ones(3), requires_grad=True)
model = nn.MLP([3, 4, 2], rng=0)
step = tg.compile(lambda X, y: nn.cross_entropy(model(X), y), optim.SGD(model.parameters(), lr=0.1))
double = tg.compile(lambda x: 2 * x)
end = False

def load(work):
    while not end:
        work()

works = [lambda: np.sum(w * 2).backward(), lambda: step(X, y), lambda: double(X)]
threads = [threading.Thread(target=load, args=(work,), daemon=True) for work in works]
step(X, y)
for thread in threads:
    thread.start()
for i in range(200):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # a child that waits for ever is killed
        w.grad = None
        np.sum(w * 2).backward()
        right = w.grad.tolist() == [2.0] * 3 and np.isfinite(step(X, y)) and double(X)[0, 0] == 2
        os._exit(0 if right else 1)
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(f"child {i} ended with {status}")
end = True
print("200 children")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_of_a_fork_waits_for_no_thread_of_its_parent() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKING], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "200 children\n"), done.stderr
