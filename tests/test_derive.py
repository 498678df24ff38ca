"""The written chain rule: the source computes what the engine does, reads like a backprop by hand, and needs NumPy alone."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
import textwrap
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checking import arrays_of, call, weights
from derivations import arguments, execute, gradients_of, units
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import SAMPLES, Sample
from test_identity import Case

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients, manual, nn
from tinygrad_mlp.chainrule import Derivation, derive, expression, forms, source
from tinygrad_mlp.check import same_bits
from tinygrad_mlp.errors import GraphError, ShapeError, TensorTypeError, TraceError, UnsupportedError
from tinygrad_mlp.nn.layers import ACTIVATIONS
from tinygrad_mlp.nn.losses import LOSSES
from tinygrad_mlp.primitive import TABLE

OWN_ULPS = 4
"""How far one operation's gradient may be from the engine's, in units of the last place of its largest entry (or of 1)."""

GRAPH_ULPS = 16
"""The same for random graphs, where a difference in a last bit is handed on through all further operations."""

ROOT = Path(__file__).resolve().parents[1]


def weighted(z: Any, seed: int) -> Tensor:
    """Σ w z with weights that are not uniform, Re Σ w* z for complex z."""
    w = weights(z.shape, seed, z.dtype)
    return tg.real(tg.conj(w) * z).sum() if z.dtype.kind == "c" else (w * z).sum()  # type: ignore[no-any-return]


def compare(loss: Tensor, wrt: list[Tensor], bound: float, derivation: Derivation | None = None) -> float:
    """The source of a loss against the engine: the largest difference in units of the last place."""
    derivation = derivation or derive(loss)
    found, grads = execute(derivation)
    given = gradients_of(derivation, grads)
    worst = units(found, loss.data)
    for x, g in zip(wrt, gradients(loss, wrt), strict=True):
        if id(x) in given:
            worst = max(worst, units(given[id(x)], g))
        else:
            assert not np.any(g), f"{derivation.source()}\nhas no gradient where the engine has one"
    assert worst <= bound, f"{worst} units\n{derivation.source()}"
    return worst


# --- every function ---------------------------------------------------------------------------------------------------------


def recorded(name: str, sample: Sample) -> tuple[Tensor, list[Tensor]]:
    xs = [Tensor(a, requires_grad=True) for a in arrays_of(sample)]
    return weighted(call(name, sample, xs), 1), xs


WRITTEN = sorted({*SAMPLES} - {"linalg.funm"})  # it takes a function of the user's, which is refused: see test_spectra.py


@pytest.mark.parametrize("name", WRITTEN)
def test_every_function_at_first_order(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for sample in SAMPLES[name]:
            loss, xs = recorded(name, sample)
            if loss.requires_grad:
                compare(loss, xs, OWN_ULPS)


@pytest.mark.parametrize("name", WRITTEN)
def test_every_function_at_second_order(name: str) -> None:
    step = max(1, len(SAMPLES[name]) // 6)
    for sample in SAMPLES[name][::step]:
        loss, xs = recorded(name, sample)
        if not loss.requires_grad:
            continue
        first = [g for g in gradients(loss, xs, create_graph=True) if g.requires_grad]
        if first:
            second: Any = sum((weighted(g, 5 + i) for i, g in enumerate(first)), Tensor(0.0))
            compare(second, xs, OWN_ULPS)


@pytest.mark.parametrize("name", sorted(name for name in SAMPLES if name in TABLE))
def test_every_primitive_in_a_function(name: str) -> None:
    """A function is traced without numbers: its derivation is that of the recorded loss."""
    for sample in SAMPLES[name][:: max(1, len(SAMPLES[name]) // 4)]:
        loss, xs = recorded(name, sample)
        if loss.requires_grad:
            compare(loss, xs, OWN_ULPS, derive(lambda *given, s=sample: weighted(call(name, s, list(given)), 1), *xs))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(
    "name", ["add", "divide", "pow", "tanh", "mean", "var", "softmax", "sigmoid", "gelu", "matmul", "mse_loss"]
)
def test_other_precisions_stay_what_they_are(name: str, dtype: Any) -> None:
    for sample in SAMPLES[name][:6]:
        if any(np.iscomplexobj(a) for a in sample.inputs):
            continue
        xs = [Tensor(np.asarray(a, dtype), requires_grad=True) for a in sample.inputs]
        compare((call(name, sample, xs) * dtype(2)).sum(), xs, OWN_ULPS)


# --- random programs --------------------------------------------------------------------------------------------------------

UNARY: dict[str, Any] = {
    "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "exp": lambda x: np.exp(np.tanh(x)), "log1p": lambda x: np.log1p(x * x),
    "sqrt": lambda x: np.sqrt(1 + x * x), "square": lambda x: np.square(np.sin(x)), "abs": np.abs, "negative": lambda x: -x,
    "arctan": np.arctan, "sigmoid": tg.sigmoid, "relu": tg.relu, "softplus": tg.softplus, "power": lambda x: np.cos(x) ** 3,
    "sum": lambda x: np.sum(x, axis=-1, keepdims=True) if x.ndim else x, "mean": lambda x: x.mean(axis=0, keepdims=True) if x.ndim else x,
    "max": lambda x: x.max(axis=-1, keepdims=True) if x.ndim else x, "softmax": lambda x: tg.softmax(x, axis=-1) if x.ndim else x,
    "logsumexp": lambda x: tg.logsumexp(x, axis=-1, keepdims=True) if x.ndim else x, "slice": lambda x: x[..., ::-1] if x.ndim else x,
    "transpose": lambda x: (x.T * 2).T, "cumsum": lambda x: np.cumsum(x, axis=-1) if x.ndim else x, "scale": lambda x: 3 * x + 1,
    "reshape": lambda x: np.reshape(x.reshape(-1), x.shape), "no gradient": lambda x: x.detach() + x,
}  # fmt: skip
BINARY: dict[str, Any] = {
    "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: np.sin(x) * y, "divide": lambda x, y: x / (2 + y * y),
    "maximum": np.maximum, "where": lambda x, y: np.where(x > y, x * y, y), "hypot": lambda x, y: np.hypot(x, y + 2),
    "logaddexp": np.logaddexp, "outer": lambda x, y: np.tanh(x) @ np.ones((4, 4), x.dtype) * y if x.ndim == 2 and x.shape[-1] == 4 else x - 2 * y,
    "concat": lambda x, y: np.concatenate([x, y]).sum(axis=0) if x.ndim == y.ndim == 2 and x.shape[1] == y.shape[1] else y,
}  # fmt: skip
LEAVES = ((3, 4), (4,), (3, 1), (), (1, 4))

program = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 50)),
        st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 50), st.integers(0, 50)),
    ),
    min_size=1,
    max_size=14,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_random_programs(dtype: Any) -> None:
    seen: set[str] = set()
    worst = [0.0]

    @settings(max_examples=150)
    @given(program, st.integers(0, 2**16), st.booleans())
    def equal(steps: list[tuple[Any, ...]], seed: int, twice: bool) -> None:
        rng = np.random.default_rng(seed)
        leaves = [Tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in LEAVES]
        values: list[Any] = [*leaves]
        for name, *places in steps:
            picked = [values[-1 - place % len(values)] for place in places]
            values.append({**UNARY, **BINARY}[name](*picked))
            seen.add(name)
        loss: Any = sum((v * w for v, w in zip(values[::-1], (1, 0.5, -2), strict=False)), Tensor(dtype(0))).sum()
        if twice:
            parts = [g for g in gradients(loss, leaves, create_graph=True) if g.requires_grad]
            loss = sum((np.sum(np.tanh(g)) for g in parts), Tensor(dtype(0)))
        if loss.requires_grad:
            worst[0] = max(worst[0], compare(loss, leaves, GRAPH_ULPS))

    equal()
    assert seen == {*UNARY, *BINARY}


# --- multi-layer perceptrons: to the bit ------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_a_perceptron_to_the_bit(activation: str, loss: str) -> None:
    """Depth 1 to 4, one row and more, both precisions: the source, the engine and the backprop by hand give the same bits."""
    for dtype, m, depth in itertools.product((np.float32, np.float64), (1, 7), (1, 2, 3, 4)):
        case = Case(sizes=[*[6, 5, 4, 7][:depth], 3], activation=activation, loss=loss, dtype=dtype, m=m, l2=0)
        model, criterion, X, y = case.build()
        X, y = X.astype(dtype), y if loss.startswith("cross") else y.astype(dtype)
        out = model(X)
        if loss.endswith("probabilities"):
            out = tg.softmax(out) if loss.startswith("cross") else tg.sigmoid(out)
        value = criterion(out, y)
        derivation = derive(value)
        found, grads = execute(derivation)
        value.backward()
        titles = [f"{letter}{n}" for n in range(1, depth + 1) for letter in "Wb"]
        parameters = dict(zip(titles, model.parameters(), strict=True))
        by_hand = manual.backprop({name: p.data for name, p in parameters.items()}, X, y, activation, loss)
        assert list(grads) == titles
        assert same_bits(np.asarray(found), value.data), case
        for name, p in parameters.items():
            assert same_bits(np.asarray(grads[name]), np.asarray(p.grad)), f"{name}, {case}\n{derivation.source()}"
            assert same_bits(np.asarray(grads[name]), np.asarray(by_hand.gradients[name])), f"{name}, {case}"


# --- how it reads -----------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
X64, LABELS = RNG.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])


def tensor(*shape: int) -> Tensor:
    return Tensor(RNG.standard_normal(shape), requires_grad=True)


class Block(nn.Module):
    def __init__(self) -> None:
        self.fc1, self.fc2, self.head = nn.Linear(4, 8, rng=0), nn.Linear(8, 4, rng=1), nn.Linear(4, 3, rng=2)

    def forward(self, x: Any) -> Any:
        h = self.fc1(x)
        h = np.tanh(h)
        r = x + self.fc2(h)
        return self.head(r)


def perceptron() -> Derivation:
    model = nn.MLP([4, 5, 3], activation="relu", rng=0, dtype=np.float64)

    def loss(X: Any, y: Any) -> Any:
        return nn.cross_entropy(model(X), y)

    return derive(loss, X64, LABELS)


def residual() -> Derivation:
    block = Block()
    X = X64.astype(np.float32)
    return derive(nn.cross_entropy(block(X), LABELS))


def attention() -> Derivation:
    Wq, Wk, Wv = tensor(4, 4), tensor(4, 4), tensor(4, 4)

    def loss(tokens: Any, target: Any) -> Any:
        Q, K, V = tokens @ Wq, tokens @ Wk, tokens @ Wv
        scores = Q @ K.T / np.sqrt(4)
        weights = tg.softmax(scores)
        out = weights @ V
        return np.mean((out - target) ** 2)

    return derive(loss, X64, X64[::-1].copy())


def logistic() -> Derivation:
    w, b = tensor(4, 1), Tensor(0.0, requires_grad=True)

    def loss(X: Any, y: Any) -> Any:
        p = 1 / (1 + np.exp(-(X @ w + b)))
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    return derive(loss, X64, (LABELS[:, None] > 0).astype(float))


def recurrent() -> Derivation:
    Wx, Wh, bh = tensor(3, 4), tensor(4, 4), tensor(4)

    def loss(seq: Any) -> Any:
        h = np.zeros((2, 4))
        for t in range(5):
            h = np.tanh(seq[t] @ Wx + h @ Wh + bh)
        return np.sum(h**2)

    return derive(loss, RNG.standard_normal((5, 2, 3)))


def layer_norm() -> Derivation:
    W, gamma, beta = tensor(4, 4), tensor(4), tensor(4)

    def loss(X: Any, target: Any) -> Any:
        H = X @ W
        mu = H.mean(axis=-1, keepdims=True)
        var = ((H - mu) ** 2).mean(axis=-1, keepdims=True)
        out = gamma * (H - mu) / np.sqrt(var + 1e-5) + beta
        return nn.mse_loss(out, target)

    return derive(loss, X64, X64[::-1].copy())


def convolution() -> Derivation:
    kernel, bias = tensor(3, 3, 3), tensor(3)

    def loss(images: Any) -> Any:
        windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
        out = np.einsum("bijkl,ckl->bijc", windows, kernel) + bias
        return np.sum(np.maximum(out, 0) ** 2) / 2

    return derive(loss, RNG.standard_normal((2, 6, 6)))


def gaussian() -> Derivation:
    mu, logsigma = Tensor(0.3, requires_grad=True), Tensor(0.1, requires_grad=True)

    def loss(x: Any) -> Any:
        sigma = np.exp(logsigma)
        return np.sum(0.5 * ((x - mu) / sigma) ** 2 + logsigma + 0.5 * np.log(2 * np.pi))

    return derive(loss, RNG.standard_normal(10))


def oscillator() -> Derivation:
    k, c = Tensor(1.0, requires_grad=True), Tensor(0.1, requires_grad=True)

    def loss(x0: Any) -> Any:
        x, v = x0, np.zeros_like(x0)
        for _ in range(20):
            a = -k * x - c * v
            v = v + 0.05 * a
            x = x + 0.05 * v
        return np.sum((x - 1) ** 2)

    return derive(loss, np.array([1.0, 2.0]))


def dropped() -> Derivation:
    model = nn.Sequential(nn.Linear(4, 5, rng=0), nn.GELU(), nn.Dropout(0.5, rng=0), nn.Linear(5, 3, rng=1))

    def loss(X: Any, y: Any) -> Any:
        return nn.cross_entropy(model(X), y)

    return derive(loss, X64.astype(np.float32), LABELS)


def second_order() -> Derivation:
    x = tensor(3)
    y = np.sum(np.sin(x) * x**3)
    g = gradients(y, x, create_graph=True)
    return derive(np.sum(g * g))


MODELS = (
    perceptron, residual, attention, logistic, recurrent, layer_norm, convolution, gaussian, oscillator, dropped, second_order,
)  # fmt: skip


def body(derivation: Derivation) -> list[str]:
    """The statements and comments of the written function, without its docstring."""
    text = derivation.source()
    return [line.strip() for line in text[text.index("    # forward") :].splitlines() if line.strip()]


def statements(derivation: Derivation) -> list[str]:
    return [line.partition("  # ")[0] for line in body(derivation) if not line.startswith("#")]


def test_a_perceptron_reads_like_the_backprop_by_hand() -> None:
    assert body(perceptron()) == [
        "# forward",
        "Z1 = X @ W1 + b1                               # (6, 5)",
        "A1 = np.maximum(Z1, 0)                         # (6, 5)",
        "Z2 = A1 @ W2 + b2                              # (6, 3)",
        "shifted = Z2 - Z2.max(axis=-1, keepdims=True)  # (6, 3)",
        "picked = shifted[np.arange(6), y]              # (6,)",
        "E = np.exp(shifted)                            # (6, 3)",
        "losses = np.log(E.sum(axis=-1)) - picked       # (6,)",
        "loss = losses.sum() / 6                        # a number",
        "# backward: dQ is ∂loss/∂Q and has the shape of Q",
        "# ∂loss/∂Z2 (6, 3), from loss = mean cross-entropy of softmax(Z2) against y",
        "dZ2 = (E / E.sum(axis=-1, keepdims=True) - (y[..., None] == np.arange(3))) / 6",
        "# ∂loss/∂W2 (5, 3), from Z2 = A1 @ W2 + b2",
        "dW2 = A1.T @ dZ2",
        "# ∂loss/∂b2 (3,), from Z2 = A1 @ W2 + b2",
        "db2 = dZ2.sum(axis=0)",
        "# ∂loss/∂A1 (6, 5), from Z2 = A1 @ W2 + b2",
        "dA1 = dZ2 @ W2.T",
        "# ∂loss/∂Z1 (6, 5), from A1 = np.maximum(Z1, 0)",
        "dZ1 = dA1 * (Z1 > 0)",
        "# ∂loss/∂W1 (4, 5), from Z1 = X @ W1 + b1",
        "dW1 = X.T @ dZ1",
        "# ∂loss/∂b1 (5,), from Z1 = X @ W1 + b1",
        "db1 = dZ1.sum(axis=0)",
        'return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}',
    ]


def test_modules_give_their_names() -> None:
    names = [line.partition(" = ")[0] for line in statements(residual())]
    assert names[:4] == ["fc1", "fc1_tanh", "fc2", "r"]
    assert "dfc1_weight" in names
    assert "block" not in residual().source()
    first, second = nn.Linear(4, 3, rng=0), nn.MLP([3, 2], rng=1)
    both = derive(nn.cross_entropy(second(first(X64.astype(np.float32))), LABELS % 2))
    assert list(both.plan.gradients) == ["first_weight", "first_bias", "second_W1", "second_b1"]


def test_a_recurrent_cell_reads_like_a_textbook() -> None:
    lines = statements(recurrent())
    assert [line.rstrip() for line in lines[:5]] == [
        "h0 = np.zeros((2, 4))",
        "z1 = seq[0] @ Wx + h0 @ Wh + bh",
        "h1 = np.tanh(z1)",
        "z2 = seq[1] @ Wx + h1 @ Wh + bh",
        "h2 = np.tanh(z2)",
    ]
    assert "dz5 = dh5 * (1 - h5 * h5)" in lines
    assert "dh4 = dz5 @ Wh.T" in lines
    assert "dWh = h4.T @ dz5 + h3.T @ dz4 + h2.T @ dz3 + h1.T @ dz2 + h0.T @ dz1" in lines
    assert "# ∂loss/∂Wh (4, 4), from z1, z2, … z5" in body(recurrent())


def test_logistic_regression_reads_like_a_textbook() -> None:
    lines = statements(logistic())
    assert "dp = 1 / 6 * (1 - y) / (1 - p) - 1 / 6 * y / p" in lines
    assert "db = dz.sum()" in lines
    assert "dw = X.T @ dz" in lines


def test_attention_reads_like_a_textbook() -> None:
    lines = statements(attention())
    assert [line.rstrip() for line in lines[:3]] == ["Q = tokens @ Wq", "K = tokens @ Wk", "V = tokens @ Wv"]
    assert "dout = 2 / 24 * difference" in lines
    assert "dscores = weights * (dweights - (dweights * weights).sum(axis=-1, keepdims=True))" in lines


def test_the_seed_of_an_inner_gradient_is_no_input() -> None:
    assert [second_order().plan.names[s] for s in second_order().plan.inputs] == []
    assert "cos_x = np.cos(x)" in second_order().source()


USELESS = re.compile(r"\* 1\b(?!\.)|\b1 \* |\+ 0\b(?!\.)|- 0\b(?!\.)|\.copy\(\)|np\.ones\(\(\)|np\.float64\(")


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_every_line_is_of_use(model: Any) -> None:
    derivation = model()
    lines = statements(derivation)
    names = [line.partition(" = ")[0].strip() for line in lines if " = " in line]
    assert len(names) == len(set(names))
    for line in lines:
        assert not USELESS.search(line), line
    tree = ast.parse(derivation.source())
    (function,) = [f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == derivation.function]
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    used = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    assert stored <= used, f"dead lines: {stored - used}"
    products = [ast.unparse(n) for n in ast.walk(function) if isinstance(n, (ast.BinOp, ast.Call)) and is_costly(n)]
    repeated = {p for p in products if products.count(p) > 1}
    assert not repeated, f"computed more than once: {repeated}"
    for line in body(derivation):
        assert len(line) <= (110 if line.startswith("#") else 132), line


def is_costly(node: ast.AST) -> bool:
    """A matrix product or a function of NumPy: what a person would not compute twice."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.MatMult)
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.exp", "np.tanh", "np.log", "np.einsum", "np.sqrt")


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_every_backward_line_says_what_it_is(model: Any) -> None:
    lines = body(model())
    start = lines.index("# backward: dQ is ∂loss/∂Q and has the shape of Q")
    depth = 0
    for before, line in itertools.pairwise(lines[start:]):
        if " = " in line and not line.startswith("#") and not depth:
            assert re.match(
                r"# (∂loss/∂\w+( = ∂loss/∂\w+)* (a number|\([\d, ]*\)), from .+|\w+ (a number|\([\d, ]*\)), a part of .+)$", before
            )
        depth += line.count("(") - line.count(")") if not line.startswith("#") else 0


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_the_models_compute_what_the_engine_does(model: Any) -> None:
    derivation = model()
    loss, grads = execute(derivation)
    for s, (name, g) in zip(derivation.plan.parameters, grads.items(), strict=True):
        assert g.shape == s.shape, name
        numeric = differences(derivation, name)
        assert numeric == pytest.approx(
            float(np.sum(g * weights(s.shape, 3))),
            rel=2e-2 if g.dtype == np.float32 else 1e-5,
            abs=2e-3 if g.dtype == np.float32 else 1e-6,
        ), name
    assert np.ndim(loss) == 0


def differences(derivation: Derivation, name: str) -> float:
    """The change of the written loss along a direction of one parameter."""
    space: dict[str, Any] = {}
    exec(compile(derivation.source(), "written.py", "exec"), space)  # noqa: S102
    given, titles = (
        arguments(derivation),
        [derivation.plan.names[s] for s in derivation.plan.arguments],
    )
    i, given = titles.index(name), arguments(derivation)
    step = 1e-3 if given[i].dtype == np.float32 else 1e-6
    v = weights(given[i].shape, 3).astype(given[i].dtype)
    ends = []
    for s in (step, -step):
        moved = [a + s * v if j == i else a for j, a in enumerate(arguments(derivation))]
        ends.append(space[derivation.function](*moved)[0])
    return (float(ends[0]) - float(ends[1])) / (2 * step)


def test_the_modules_need_numpy_alone(tmp_path: Path) -> None:
    """Every model's module under ``python -I``, without this package on the path; and the linter finds nothing."""
    for model in MODELS:
        (tmp_path / f"{model.__name__}.py").write_text(model().source(), encoding="utf-8")
    script = textwrap.dedent("""
        import importlib.util, pathlib, sys
        for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
            spec = importlib.util.spec_from_file_location(path.stem, path)
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
            print(path.stem)
        assert not any(name.startswith("tinygrad_mlp") for name in sys.modules)
    """)
    command = [sys.executable, "-I", "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == sorted(m.__name__ for m in MODELS)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,E9", tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


# --- odd cases --------------------------------------------------------------------------------------------------------------


def test_one_array_may_be_the_gradient_of_two_parameters() -> None:
    a, b = tensor(4), tensor(4)
    derivation = derive(np.sum((a + b) * X64), names={"X": X64})
    assert '{"a": da, "b": da}' in derivation.source()
    assert "# ∂loss/∂a = ∂loss/∂b (4,), from loss = ((a + b) * X).sum()" in derivation.source()
    compare(np.sum((a + b) * X64), [a, b], 0)


def test_gradients_that_are_numbers() -> None:
    a, b = tensor(4), tensor(4)
    derivation = derive(np.sum(np.sign(a) * 3 + b))
    assert 'return loss, {"a": np.zeros_like(a), "b": np.ones_like(b)}' in derivation.source()
    w = Tensor(3.0, requires_grad=True)
    assert 'return w, {"w": np.ones_like(w)}' in derive(w).source()
    assert execute(derive(w)) == (3, {"w": 1})
    assert '"b": np.full_like(b, 2)' in derive(np.sum(a * a + 2 * b)).source()


def test_losses_with_one_entry_and_numbers_as_parameters() -> None:
    w, u, v = tensor(4), Tensor(2.0, requires_grad=True), Tensor(3.0, requires_grad=True)
    for loss in ((w * X64)[0, :1], u**2 * v, np.sum(w[np.array([2, 0])] * np.array([1, 2])), (w * w * u).sum(keepdims=True)):
        compare(loss, [w, u, v], OWN_ULPS)


def test_a_parameter_used_twice_and_lists_of_parameters() -> None:
    layers = [tensor(4, 4), tensor(4, 4)]

    def loss(X: Any) -> Any:
        for w in (*layers, layers[0]):
            X = np.tanh(X @ w)
        return X.sum()

    derivation = derive(loss, X64)
    assert list(derivation.plan.gradients) == ["layers0", "layers1"]
    assert "dlayers0 = X2.T @ dZ3 + X.T @ dZ1" in derivation.source()
    assert re.search(r"^    X       : \(6, 4\), float64$", derivation.source(), re.MULTILINE)


def test_without_parameters_all_floating_arguments_are_differentiated() -> None:
    def f(x: Any, n: Any) -> Any:
        return np.sum(x * n)

    derivation = derive(f, X64, LABELS[:4])
    assert list(derivation.plan.gradients) == ["x"]
    assert derivation.function == "f_and_gradients"


class Model:
    def __init__(self) -> None:
        self.a, self.W = Tensor(1.5, requires_grad=True), tensor(4, 2)

    def loss(self, X: Any) -> Any:
        return np.mean((X @ self.W) ** 2) * self.a


def test_parameters_in_objects_of_the_user() -> None:
    model = Model()
    assert list(derive(model.loss, X64).plan.gradients) == ["a", "W"]
    assert list(derive(model.loss(X64)).plan.gradients) == ["a", "W"]


FACTOR = 3


def third(x: Any) -> Any:
    return x**FACTOR


@tg.primitive(lambda g, z, x, *, k: g * (k * FACTOR * x**2), example=(np.array([1.0, -2.0]),), elementwise=True, k=1.0)
def scaled_cube(x: Any, *, k: float) -> Any:
    """k x³."""
    return k * third(x)


doubled_square = tg.primitive(lambda g, z, x: g * (4 * x), example=(np.array([1.0, -2.0]),), name="doubled_square")(
    lambda x: 2 * x * x
)


def rooted(x: Any) -> Any:
    return np.sin(x) + 0 * len(ROOT.parts)


def test_primitives_of_the_user_bring_their_source() -> None:
    x = tensor(4)
    compare(np.sum(scaled_cube(x, k=2.0) * doubled_square(x)), [x], OWN_ULPS)
    source = derive(np.sum(scaled_cube(x))).source()
    assert "FACTOR = 3" in source
    assert "def third(x):" in source
    built_in = tg.primitive(lambda g, z, x: g * np.cos(x), example=(np.array([1.0, -2.0]),), name="sinus")(rooted)
    with pytest.raises(UnsupportedError, match=r"rooted\(\) refers to ROOT, a PosixPath, which a module cannot be given"):
        derive(np.sum(built_in(x))).source()


def test_a_variable_beside_an_attribute_keeps_its_name() -> None:
    def f(x: Any) -> Any:
        place = types.SimpleNamespace()
        K, place.q = np.exp(x), np.sin(x)
        return np.sum(K * place.q)

    assert "K = exp(x)" in tg.derive(f, np.ones(3)).source().replace("np.", "")


def test_assignments_constants_and_methods() -> None:
    w, v = tensor(4), tensor(4)

    def f(X: Any) -> Any:
        u = X * w
        u[0] = 0.0
        u[1:, 2] = u[0, 0] + v[1]
        u += 2 * u
        with tg.no_grad():
            scale = np.sum(w * w)
        c = u.detach()
        return np.sum(np.where(c > 0, c * v, w).T) * scale + tg.sigmoid(u).mean() + u.reshape(-1).max()

    derivation = derive(f, X64)
    found, grads = execute(derivation)
    loss = f(X64)
    assert units(found, loss.data) <= OWN_ULPS
    assert list(grads) == ["w", "v"]
    for g, expected in zip(grads.values(), gradients(loss, [w, v]), strict=True):
        assert units(g, expected) <= OWN_ULPS


def test_slopes_that_where_does_not_select_are_computed_without_a_warning() -> None:
    x = Tensor([0.0, 1.0, 4.0], requires_grad=True)
    loss = np.sum(np.where(x.data > 0, np.sqrt(x), 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, grads = execute(derive(loss))
    assert grads["x"].tolist() == [0, 0.5, 0.25]


def test_names_that_are_taken() -> None:
    loss, np_, d_loss = tensor(3), tensor(3), tensor(3)
    derivation = derive(np.sum(loss * np_ * d_loss), names={"loss": loss, "np": np_, "dloss": d_loss, "len": tensor(1)})
    _, grads = execute(derivation)
    assert list(grads) == ["loss", "np_2", "dloss"]


def test_a_source_is_the_same_each_time() -> None:
    derivation = attention()
    assert derivation.source() == derivation.source()
    strip = re.compile(r"\d+")
    assert strip.sub("", derivation.source()) == strip.sub("", attention().source())


# --- refusals ---------------------------------------------------------------------------------------------------------------

ASKS = {
    "bool": (
        lambda x: np.sum(x) if np.sum(x) > 0 else -np.sum(x),
        r"whether it is true decides what is computed.*np\.where\(condition, a, b\)",
    ),
    "float": (lambda x: np.sum(x) * float(np.sum(x)), r"its number is asked for.*with the array itself"),
    "int": (lambda x: np.sum(x) * int(x[0]), r"its number is asked for.*with the array itself"),
    "asarray": (lambda x: np.sum(np.asarray(x) * x), r"asked for as an array.*np\. functions and operators"),
    "mask": (lambda x: np.sum(x[x > 0]), r"it picks entries: how many, depends on it.*np\.where\(mask, x, 0\)"),
    "nonzero": (lambda x: np.sum(x[np.nonzero(x)]), r"np\.nonzero depends on it.*np\.where"),
    "item": (lambda x: np.sum(x) * x[0].item(), r"its number is asked for.*with the array itself"),
    "index": (lambda x: np.sum(x * [1, 2, 3][np.argmax(x)]), r"a length or an index of a list.*np\.take"),
}


@pytest.mark.parametrize("question", ASKS)
def test_questions_that_only_numbers_answer_name_the_line(question: str) -> None:
    function, text = ASKS[question]
    with pytest.raises(TraceError, match=rf"test_derive\.py:{function.__code__.co_firstlineno}: .*{text}.*tg\.derive\(loss\)$"):
        derive(function, np.array([1.0, 2.0, 3.0]))


def test_mistakes_are_named() -> None:
    w = tensor(4)
    with pytest.raises(
        ShapeError, match=r"the result of the function has shape \(6, 4\), but a derivation starts at one number: write np\.sum"
    ):
        derive(lambda X: X * w, X64)
    with pytest.raises(ShapeError, match=r"this tensor has shape \(6, 4\)"):
        derive(w * X64)
    with pytest.raises(TensorTypeError, match=r"it returned 3\.0"):
        derive(lambda X: 3.0, X64)
    with pytest.raises(GraphError, match="without a graph"):
        derive(Tensor(2.0))
    with pytest.raises(TensorTypeError, match=r"takes a Tensor or a function \(got 3\)"):
        derive(3)
    with pytest.raises(TensorTypeError, match="takes the loss alone"):
        derive(np.sum(w), X64)
    with pytest.raises(TensorTypeError, match="the example for s is an array, a Tensor or a Module"):
        derive(lambda s: np.sum(w), "abc")
    loss = np.sum(w * w)
    loss.backward()
    with pytest.raises(GraphError, match=r"has been freed by an earlier backward\(\).*retain_graph=True"):
        derive(loss)
    with pytest.raises(GraphError, match="depends on nothing that requires gradients"):
        derive(lambda n: np.sum(n), LABELS)


# --- faults in the writer must show -----------------------------------------------------------------------------------------


def swapped(self: Any, symbol: Any, sign: str, strength: int) -> tuple[str, int]:
    x, y = symbol.inputs
    return f"{self.at(y, strength + 1, symbol)} {sign} {self.at(x, strength + 1, symbol)}", strength


def test_planted_faults_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> None:
        for name in ("subtract", "divide", "matmul", "tanh", "var", "softmax", "logaddexp", "std", "atanh"):
            for sample in SAMPLES[name][3:7]:
                loss, xs = recorded(name, sample)
                compare(loss, xs, OWN_ULPS)

    check()
    faults: list[tuple[Any, str, Any]] = [
        (expression, "OPERATORS", {**expression.OPERATORS, "subtract": ("+", expression.SUM)}),
        (expression, "OPERATORS", {**expression.OPERATORS, "divide": ("*", expression.PRODUCT)}),
        (expression.Writer, "infix", swapped),
        (expression.Writer, "at", lambda self, x, strength, user=None: self.operand(x, user)[0]),
        (expression, "negative", None),
    ]
    for owner, name, fault in faults:
        with monkeypatch.context() as patch:
            if fault is None:
                patch.setitem(expression.TEMPLATES, name, forms.positive)
            else:
                patch.setattr(owner, name, fault)
            with pytest.raises((AssertionError, ValueError, TypeError)):
                check()


def test_a_deep_graph_is_written_too() -> None:
    """A parameter that is used 2,000 times: no recursion, no line without end."""
    w = Tensor(np.eye(2) * 0.9, requires_grad=True)

    def loss(x: Any) -> Any:
        for _ in range(1000):
            x = np.tanh(x @ w) + 0.1 * x
        return x.sum()

    x = np.ones((1, 2))
    derivation = derive(loss, x)
    found, grads = execute(derivation)
    expected = loss(x)
    assert units(found, expected.data) <= OWN_ULPS
    assert units(grads["w"], gradients(expected, w)) <= GRAPH_ULPS


def test_a_long_sum_is_wrapped() -> None:
    assert source.listed(["a", "b", "c", "d", "e"]) == "a, b, … e"
    assert source.listed(["a", "b"]) == "a and b"
    ws = [tensor(4) for _ in range(12)]
    x = tensor(4)
    loss = sum((np.sum(np.tanh(w * x)) for w in ws), Tensor(0.0))
    text = derive(loss, names={f"weight{i}": w for i, w in enumerate(ws)} | {"x": x}).source()
    assert max(map(len, text.splitlines())) <= 120
    compare(loss, [*ws, x], OWN_ULPS)


def test_the_arguments_stand_in_the_order_of_the_function() -> None:
    p, q = Tensor([1.0, 2.0], requires_grad=True), np.array([3.0, 4.0])
    module: dict[str, Any] = {}
    d = tg.derive(lambda a, b: (a * a * b).sum(), p + 0, q)
    exec(d.source(), module)  # noqa: S102  # what derive() wrote
    loss, gradients = module[d.function](p.numpy(), q)
    assert float(loss) == 19.0
    np.testing.assert_array_equal(gradients["a"], [6.0, 16.0])


def test_another_shape_is_refused() -> None:
    module: dict[str, Any] = {}
    d = tg.derive(lambda x: np.mean(x * x), np.ones(3))
    exec(d.source(), module)  # noqa: S102  # what derive() wrote
    with pytest.raises(ValueError, match=r"x has shape \(4,\), but this is written for \(3,\)"):
        module[d.function](np.ones(4))


def test_every_gradient_has_its_formula() -> None:
    z = Tensor([1.0, -2.0, 3.0], requires_grad=True)
    x = np.array([1.0, 2.0, 3.0])
    assert r"\frac{\partial L}{\partial z} &= x" in tg.derive(np.sum(z * x)).latex()
    lines = tg.derive(np.sum(np.maximum(z * 2, 0) ** 2)).latex().splitlines()
    assert not [line for line in lines if (left := line.partition(" &= ")[0]) and f"{left} &= {left} " in line]
