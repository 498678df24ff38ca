"""The printed mathematics is true: read back by a parser of its own, it gives the numbers of the rules, of the source and of the engine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checking import arrays_of, call, weights
from conftest import ROOT
from formula_parser import value_of
from samples import SAMPLES, Sample
from test_derive import weighted
from test_programs import PROGRAMS

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, cli, gradients, listing, nn
from tinygrad_mlp.chainrule import Derivation
from tinygrad_mlp.chainrule import mathematics as m
from tinygrad_mlp.chainrule import templates as t
from tinygrad_mlp.chainrule.expression import Writer
from tinygrad_mlp.chainrule.letters import Letters
from tinygrad_mlp.chainrule.markdown import values_of
from tinygrad_mlp.chainrule.notation import LATEX, Notation
from tinygrad_mlp.errors import DataError, GraphError, TraceError
from tinygrad_mlp.primitive import TABLE
from tinygrad_mlp.symbols import Symbol, Trace, ancestors

CASES = [pytest.param(name, s, id=f"{name}-{i}") for name in TABLE for i, s in enumerate(SAMPLES[name])]


# --- every rule: number, source and formula ---------------------------------------------------------------------------------


class Reading:
    """The rules of a primitive on a sample, read with arrays and with Symbols of the same shapes."""

    def __init__(self, name: str, sample: Sample) -> None:
        self.op = TABLE[name]
        self.params = {**self.op.params, **{k: tuple(v) if isinstance(v, list) else v for k, v in sample.params.items()}}
        self.args = sample.call(*arrays_of(sample))
        with np.errstate(all="ignore"):
            self.z = np.asarray(self.op.forward(*self.args, **self.params))
        self.g = weights(self.z.shape, 1, self.z.dtype)
        self.letters = [f"x{i}" for i in range(1, len(self.args) + 1)] if self.op.variadic else list(self.op.arrays)
        self.arrays: dict[str, Any] = {}

    def array(self, x: Any) -> str:
        name = next((name for name, known in self.arrays.items() if known is x), f"C_{{{len(self.arrays) + 100}}}")
        self.arrays[name] = x
        return name

    def check(self) -> int:
        """Compare the three for every rule."""
        compared = 0
        for place, rule in enumerate(self.op.rules):
            if rule is None or (not self.op.variadic and self.args[place] is None):
                continue
            with np.errstate(all="ignore"):
                number = rule(self.g, self.z, *self.args, **self.params)
                compared += self.compare(list(number) if self.op.variadic else [number], rule)
        return compared

    def compare(self, numbers: list[Any], rule: Any) -> int:
        trace = Trace()
        leaves: dict[Symbol, tuple[str, Any]] = {}

        def leaf(name: str, value: Any) -> Any:
            if not isinstance(value, (np.ndarray, np.generic)):
                return value
            symbol = trace.leaf(value.shape, value.dtype, "input", name=name)
            leaves[symbol] = (name, value)
            return symbol

        inputs = [leaf(name, x) for name, x in zip(self.letters, self.args, strict=True)]
        found = rule(leaf("g", self.g), leaf("z", self.z), *inputs, **self.params)
        symbols = list(found) if self.op.variadic else [found]
        names = {symbol: LATEX.name(name) for symbol, (name, _) in leaves.items()}
        lines, texts = m.steps(symbols, names, self.array, LATEX)
        known = {names[symbol].text: value for symbol, (_, value) in leaves.items()} | self.arrays
        for left, right in lines:
            known[left] = value_of(right, known)
        for number, text, symbol in zip(numbers, texts, symbols, strict=True):
            agree(value_of(text, known), number, f"formula {text}")
            agree(self.source(symbol, leaves), number, "source")
        return len(symbols)

    def source(self, symbol: Any, leaves: dict[Symbol, tuple[str, Any]]) -> Any:
        """The value of the NumPy text."""
        if not isinstance(symbol, Symbol):
            return symbol
        space: dict[str, Any] = {"np": np} | dict(leaves.values())
        constants: dict[str, Any] = {}

        def array(x: Any) -> str:
            constants[f"constant{len(constants)}"] = x
            return list(constants)[-1]

        def name(s: Symbol) -> str | None:
            if s in leaves:
                return leaves[s][0]
            return array(s.value) if s.op is None and s.fill is None else None

        for s in ancestors([symbol]):
            if s.op is not None:
                space[s.op.forward.__name__] = s.op.forward
        text = Writer(name, array).operand(symbol)[0]
        return eval(text, space | constants)  # noqa: S307  # what is tested


def agree(value: Any, number: Any, what: str) -> None:
    value = np.asarray(value)
    assert np.broadcast_shapes(value.shape, np.shape(number)) == np.shape(number), what
    scale = max(1.0, np.max(np.abs(number), initial=0, where=np.isfinite(number)))
    np.testing.assert_allclose(np.broadcast_to(value, np.shape(number)), number, rtol=1e-9, atol=1e-10 * scale, err_msg=what)


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_formula_source_and_number_agree(name: str, sample: Sample) -> None:
    assert Reading(name, sample).check()


def fails(name: str) -> bool:
    """Whether the comparison finds fault with one of a primitive's samples."""
    try:
        for sample in SAMPLES[name]:
            Reading(name, sample).check()
    except (AssertionError, ValueError):  # other numbers, or shapes that do not fit
        return True
    return False


def without_transposes(self: Notation, base: t.Text, sign: str) -> t.Text:
    return base


def wrong_product(f: m.Formula, s: Symbol) -> t.Text:
    return t.Text(f"{f.at(s.inputs[0], t.PRODUCT)}{f.n.times}{f.at(s.inputs[1], t.POWER)}", t.PRODUCT)


def wrong_sum(f: m.Formula, s: Symbol) -> t.Text:
    x, y = s.inputs
    return t.Text(f"{f.at(x, t.SUM)} + {f.at(y, t.SUM + 1)}", t.SUM)


def wrong_negative(f: m.Formula, s: Symbol) -> t.Text:
    return f.operand(s.inputs[0])


def test_the_comparison_finds_planted_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("matmul", "linear", "tanh", "cos", "linalg.inv", "softmax")
    assert not any(map(fails, names))
    with monkeypatch.context() as patch:
        patch.setattr(Notation, "raised", without_transposes)
        assert fails("matmul")
        assert fails("linear")
        assert fails("linalg.inv")
    with monkeypatch.context() as patch:
        patch.setitem(t.TEMPLATES, "matmul", wrong_product)
        assert fails("matmul")
    with monkeypatch.context() as patch:
        patch.setattr(Notation, "times", r"\,")  # matrix products in place of ⊙
        assert fails("tanh")
    with monkeypatch.context() as patch:
        patch.setitem(t.TEMPLATES, "subtract", wrong_sum)
        assert fails("tanh")
    with monkeypatch.context() as patch:
        patch.setitem(t.TEMPLATES, "negative", wrong_negative)
        assert fails("linalg.inv")
    with monkeypatch.context() as patch:
        patch.setattr(Notation, "minus", "+")
        assert fails("cos")


def test_the_table_of_rules_has_a_formula_for_every_rule() -> None:
    for name, op in TABLE.items():
        lines, arrays = listing.read(op)
        expected = len(listing.EXAMPLES[name][0]) if op.variadic else sum(rule is not None for rule in op.rules)
        assert sum(left.startswith(r"\frac{\partial L}") for _, left, _ in lines) == expected
        assert len(lines) - expected <= 14
        assert all(isinstance(a, np.ndarray) for a in arrays.values())
    assert listing.formulas("tanh") == ["∂L/∂x = g ⊙ (1 − z²)"]
    assert listing.formulas("matmul") == ["∂L/∂x = g yᵀ", "∂L/∂y = xᵀ g"]
    assert listing.formulas("softmax") == ["∂L/∂x = z ⊙ (g − Σ_j̲ (g ⊙ z))"]
    assert listing.formulas("linalg.inv", LATEX) == [r"\frac{\partial L}{\partial x} = -z^{\top}\,g\,z^{\top}"]


def test_the_command_shows_the_formula(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["functions", "hypot"]) == 0
    assert "∂L/∂y = radial(g, y, z)" in capsys.readouterr().out


# --- derivations ------------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])


class Block(nn.Module):
    def __init__(self) -> None:
        self.fc1, self.fc2, self.head = (nn.Linear(*n, dtype=np.float64, rng=0) for n in ((4, 8), (8, 4), (4, 3)))

    def forward(self, x: Any) -> Any:
        return self.head(x + self.fc2(np.tanh(self.fc1(x))))


def tensor(*shape: int) -> Tensor:
    return Tensor(RNG.standard_normal(shape), requires_grad=True)


def mlp(activation: str, *sizes: int) -> Derivation:
    model = nn.MLP(list(sizes), activation=activation, dtype=np.float64, rng=0)

    def loss(X: Any, y: Any) -> Any:
        return nn.cross_entropy(model(X), y)

    return tg.derive(loss, X, Y)


def residual() -> Derivation:
    block = Block()
    loss = nn.cross_entropy(block(X), Y)
    return tg.derive(loss)


def attention() -> Derivation:
    Wq, Wk, Wv = tensor(4, 4), tensor(4, 4), tensor(4, 4)

    def f(tokens: Any, target: Any) -> Any:
        Q, K, V = tokens @ Wq, tokens @ Wk, tokens @ Wv
        weights = tg.softmax(Q @ K.T / np.sqrt(4))
        return np.mean((weights @ V - target) ** 2)

    return tg.derive(f, RNG.standard_normal((5, 4)), RNG.standard_normal((5, 4)))


def logistic() -> Derivation:
    w, b = tensor(4, 1), Tensor(0.5, requires_grad=True)

    def f(X: Any, labels: Any) -> Any:
        p = 1 / (1 + np.exp(-(X @ w + b)))
        return -np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p))

    return tg.derive(f, X, RNG.integers(0, 2, (6, 1)).astype(float))


def recurrent() -> Derivation:
    Wx, Wh, bh = tensor(3, 4), tensor(4, 4), tensor(4)

    def f(sequence: Any) -> Any:
        h = np.zeros((2, 4))
        for step in range(5):
            h = np.tanh(sequence[step] @ Wx + h @ Wh + bh)
        return np.sum(h**2)

    return tg.derive(f, RNG.standard_normal((5, 2, 3)))


def second_order() -> Derivation:
    x = tensor(3)
    (g,) = gradients(np.sum(np.sin(x) * x**3), [x], create_graph=True)
    return tg.derive(np.sum(g * g))


def regression() -> Derivation:
    w = tensor(4, 3)
    return tg.derive(lambda X, t: nn.mse_loss(X @ w, t), X, RNG.standard_normal((6, 3)))


def labels_of_two_kinds() -> Derivation:
    w, scale = tensor(4, 3), tensor(3)
    return tg.derive(lambda X, t: nn.binary_cross_entropy_with_logits(X @ w * scale, t), X, RNG.uniform(size=(6, 3)))


def algebra() -> Derivation:
    w = tensor(4, 3)
    return tg.derive(lambda X: np.sum(np.linalg.inv(w.T @ w)) + np.sum(X @ w[::-1]) + 0.1 * np.sum(w**2), X)


def complex_numbers() -> Derivation:
    z = Tensor(RNG.standard_normal(3) + 1j, requires_grad=True)
    return tg.derive(np.sum(np.abs(np.exp(z) * (2 - 1j))))


MODELS = {
    "logistic regression": logistic,
    "MLP": lambda: mlp("relu", 4, 5, 3),
    "seed 002": lambda: mlp("tanh", 4, 5, 4, 3),
    "residual block": residual,
    "attention": attention,
    "recurrent cell": recurrent,
    "second order": second_order,
    "mean squared error": regression,
    "binary cross-entropy": labels_of_two_kinds,
    "linear algebra": algebra,
    "complex numbers": complex_numbers,
}


def evaluated(d: Derivation) -> dict[str, Any]:
    """The values of all lines, as the mathematics gives them, by their left sides."""
    letters, values = Letters(d.plan), values_of(d.plan)
    known = {letters.texts[s].text: values[s] for s in values if s.op is None and s in letters.texts}
    for line in d.plan.lines:
        text = letters.final.expression(line.symbol).text
        known |= {letters.n.name(k).text: v for k, v in {**d.plan.arrays, **letters.arrays}.items()}
        known[letters.texts[line.symbol].text] = value_of(text, known)
        agree(known[letters.texts[line.symbol].text], values[line.symbol], text)
    return known


@pytest.mark.parametrize("model", MODELS)
def test_the_lines_of_a_derivation_compute_what_the_engine_does(model: str) -> None:
    d = MODELS[model]()
    known = evaluated(d)
    letters = Letters(d.plan)
    run: dict[str, Any] = {}
    exec(d.source(), run)  # noqa: S102  # what is tested
    values = values_of(d.plan)
    _, found = run[d.function](*[values[s] for s in d.plan.arguments], *d.plan.arrays.values())
    assert found
    for name, gradient in found.items():
        agree(known[letters.n.gradient(letters.word(name).text).text], gradient, name)


@pytest.mark.parametrize("model", MODELS)
def test_every_line_is_in_the_markdown_with_its_shape_and_reason(model: str) -> None:
    d = MODELS[model]()
    letters, text = Letters(d.plan), d.markdown()
    back = [line for line in d.plan.lines if line.backward]
    for i, line in enumerate(back, 1):
        assert f"**{i}.** ${letters.texts[line.symbol].text}$, shape ${letters.shape(line.symbol)}$" in text
    assert text.count("*Why:*") >= len([line for line in back if line.of is not None])
    assert d._repr_markdown_() == text
    assert text.count("$$") % 2 == 0


CORPUS = sorted(
    {**dict.fromkeys(PROGRAMS), **dict.fromkeys(SAMPLES)}.keys() - {"linalg.funm"}
)  # which is refused, as it takes a function
UNTRACEABLE = {"polynomial_fit", "kepler_by_newton", "dynamic_time_warping"}  # they ask for numbers, or write into a part
SAMPLES_EACH = 100 if os.environ.get("TINYGRAD_MLP_FUZZ") else 1


def derivations_of(name: str) -> Iterator[Derivation]:
    """A program of the corpus, or a function on its samples, as a traced function: its masks are operations, not arrays."""
    if name in PROGRAMS and name not in UNTRACEABLE:
        yield tg.derive(PROGRAMS[name].function, *PROGRAMS[name].inputs)
    found = 0
    for sample in SAMPLES.get(name, ()):
        xs = [Tensor(a, requires_grad=True) for a in arrays_of(sample)]
        with contextlib.suppress(TraceError, GraphError):  # a sample that converts its results to arrays
            yield tg.derive(lambda *given, s=sample: weighted(call(name, s, list(given)), 1), *xs)
            found += 1
        if found == SAMPLES_EACH:
            return


@pytest.mark.parametrize("name", CORPUS)
def test_all_printers_on_the_corpus(name: str) -> None:
    """Source, mathematics and Markdown of every program and function; what the lines say is true."""
    for d in derivations_of(name):
        assert d.source()
        assert d.latex()
        text = d.markdown(with_numbers=True)
        assert text.count("$$") % 2 == 0
        if name != "corrcoef":  # its last step is clipped to [-1, 1], and rounding decides whether the diagonal is inside
            with np.errstate(all="ignore"):  # slopes that no case selects
                evaluated(d)


def test_a_condition_is_a_number_in_brackets() -> None:
    d = tg.derive(lambda x: np.sum(tg.relu(x)), np.arange(4.0))
    for text in (d.latex(), d.markdown(), d.markdown(with_numbers=True)):
        assert r"= \left[x > 0\right]" in text.replace("&", "")
        assert "= x > 0" not in text.replace("&", "")


def test_what_a_mask_is_computed_from_is_no_place_where_a_gradient_arrives() -> None:
    text = tg.derive(lambda x: np.median(x), np.arange(4.0)).markdown()
    assert r"\frac{\partial L}{\partial x} = \operatorname{scatter}" in text
    assert r"\partial \mathrm{isnan}" not in text


def test_the_reasons() -> None:
    text = MODELS["seed 002"]().markdown()
    assert r"The sum over $i$, the first index of $A_2$, is a product with $A_2^{\top}$: a sum over the batch, 6 terms." in text
    assert r"The sum over $j$, the second index of $W_3$, is a product with $W_3^{\top}$." in text
    assert "$b_3$ was added to every one of the 6 rows of the product, so every row's gradient counts: they are summed." in text
    assert r"L &= -\frac{1}{m} \sum_{i=1}^{m} \log P_{i\,y_i}" in text
    assert r"\frac{\partial L}{\partial Z_3} &= \frac{1}{m}\left(P - Y\right)" in text
    assert "that of the mean over the $m = 6$ rows" in text
    assert "$W_h$ is used in 5 places" in MODELS["recurrent cell"]().markdown()
    assert r"\frac{\partial E}{\partial z} = -E" in MODELS["logistic regression"]().markdown()


def test_losses_in_one_piece() -> None:
    text = MODELS["mean squared error"]().markdown()
    assert r"\frac{\partial L}{\partial z} &= \frac{2}{m}\left(z - t\right)" in text
    text = MODELS["binary cross-entropy"]().markdown()
    assert r"&= \frac{1}{m}\left(\sigma\left(" in text


def test_a_mask_has_no_numbers_but_mathematics() -> None:
    w, drop = tensor(4, 3), nn.Dropout(0.5)
    d = tg.derive(lambda X: np.sum(drop(X @ w) ** 2), X)
    assert r"\operatorname{keep\_mask}" in d.latex()
    with pytest.raises(DataError, match="keep_mask draws new random numbers each time"):
        d.markdown(with_numbers=True)


def test_numbers_beside_the_lines() -> None:
    w = Tensor([1.0, -2.0], requires_grad=True)
    x = np.array([0.5, 0.25])
    loss = np.sum(np.square(w * x))
    text = tg.derive(loss).markdown(with_numbers=True)
    assert r"w = \begin{bmatrix} 1 & -2 \end{bmatrix}" in text
    assert r"\frac{\partial L}{\partial w} = \begin{bmatrix} 0.5 & -0.25 \end{bmatrix}" in text
    big = Tensor(np.ones((9, 9)), requires_grad=True)
    text = tg.derive(np.sum(big * big)).markdown(with_numbers=True)
    assert r"1 & 1 & 1 & 1 & \cdots \\ \vdots & \vdots & \vdots & \vdots \end{bmatrix}\;(\text{the corner of } 9 \times 9)" in text


def test_numbers_are_refused_where_there_are_none() -> None:
    d = mlp("relu", 4, 5, 3)
    d.plan.inputs[0].value = None
    with pytest.raises(DataError, match=r"there are no numbers for X: write tg\.derive\(f, X, y\) with arrays"):
        d.markdown(with_numbers=True)
    assert d.markdown()


# --- seed 002 ---------------------------------------------------------------------------------------------------------------


def by_rows(X: Any, y: Any, W: list[Any], b: list[Any]) -> dict[str, Any]:
    """The seed's formulas for the batch, as they stand there; named as in the derivation."""
    n = len(y)
    Z1 = X @ W[0] + b[0]
    A1 = np.tanh(Z1)
    Z2 = A1 @ W[1] + b[1]
    A2 = np.tanh(Z2)
    Z3 = A2 @ W[2] + b[2]
    P = np.exp(Z3) / np.exp(Z3).sum(axis=1, keepdims=True)
    J_Z3 = (P - np.eye(3)[y]) / n
    J_A2 = J_Z3 @ W[2].T
    J_Z2 = J_A2 * (1 - A2**2)
    J_A1 = J_Z2 @ W[1].T
    J_Z1 = J_A1 * (1 - A1**2)
    return {
        "Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2, "Z3": Z3, "dZ3": J_Z3, "dA2": J_A2, "dZ2": J_Z2, "dA1": J_A1, "dZ1": J_Z1,
        "dW3": A2.T @ J_Z3, "dW2": A1.T @ J_Z2, "dW1": X.T @ J_Z1, "db3": J_Z3.sum(0), "db2": J_Z2.sum(0), "db1": J_Z1.sum(0),
    }  # fmt: skip


def by_columns(x: Any, y: Any, W: list[Any], b: list[Any]) -> dict[str, Any]:
    """The same in the seed's form for a neuron, z = W a + b: every array transposed, an example a column."""
    n = len(y)
    z1 = W[0] @ x + b[0][:, None]
    a1 = np.tanh(z1)
    z2 = W[1] @ a1 + b[1][:, None]
    a2 = np.tanh(z2)
    z3 = W[2] @ a2 + b[2][:, None]
    p = np.exp(z3) / np.exp(z3).sum(axis=0)
    d3 = (p - np.eye(3)[y].T) / n
    d2 = (W[2].T @ d3) * (1 - a2**2)
    d1 = (W[1].T @ d2) * (1 - a1**2)
    return {
        "Z1": z1.T, "A1": a1.T, "Z2": z2.T, "A2": a2.T, "Z3": z3.T, "dZ3": d3.T, "dA2": (W[2].T @ d3).T, "dZ2": d2.T, "dA1": (W[1].T @ d2).T,
        "dZ1": d1.T, "dW3": (d3 @ a2.T).T, "dW2": (d2 @ a1.T).T, "dW1": (d1 @ x.T).T, "db3": d3.sum(1), "db2": d2.sum(1), "db1": d1.sum(1),
    }  # fmt: skip


def test_the_network_of_seed_002_line_by_line() -> None:
    model = nn.MLP([4, 5, 4, 3], activation="tanh", dtype=np.float64, rng=0)

    def loss(X: Any, y: Any) -> Any:
        return nn.cross_entropy(model(X), y)

    known = evaluated(tg.derive(loss, X, Y))
    W, b = [layer.weight.numpy() for layer in model.linears], [layer.bias.numpy() + 0.0 for layer in model.linears]
    rows, columns = by_rows(X, Y, W, b), by_columns(X.T, Y, [w.T for w in W], b)
    assert len(rows) == len(columns) == 16
    for name in rows:
        left = f"{name[0]}_{name[1]}" if name[0] != "d" else rf"\frac{{\partial L}}{{\partial {name[1]}_{name[2]}}}"
        np.testing.assert_allclose(known[left], rows[name], rtol=1e-12, atol=1e-15, err_msg=name)
        np.testing.assert_allclose(known[left], columns[name], rtol=1e-12, atol=1e-15, err_msg=name)
    page = (ROOT / "docs" / "derive.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\|.*⁾.*\| `(?:Z|A|∂L/∂[ZAWb])[₁₂₃] = .*$", page, re.MULTILINE)) == 16


# --- a real renderer --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def katex() -> Path:
    """The folder of KaTeX, which .ci/run installs with npm."""
    folder = Path(os.environ.get("KATEX", ROOT / ".katex" / "node_modules" / "katex"))
    if shutil.which("node") is None or not (folder / "package.json").exists():
        pytest.skip("KaTeX is not installed: npm install --prefix .katex katex")
    return folder


def rendering_errors(katex: Path, formulas: list[str]) -> list[str]:
    run = subprocess.run(
        ["node", str(ROOT / "tests" / "katex" / "render.js"), str(katex)],  # noqa: S607  # the reader's own node
        input=json.dumps(formulas),
        capture_output=True,
        text=True,
        check=True,
    )
    return [f"{error}: {formula}" for formula, error in zip(formulas, json.loads(run.stdout), strict=True) if error]


def formulas_in(markdown: str) -> list[str]:
    """The contents of $$…$$ and $…$."""
    blocks = re.findall(r"\$\$\n(.*?)\n\$\$", markdown, re.DOTALL)
    rest = re.sub(r"\$\$\n.*?\n\$\$", "", markdown, flags=re.DOTALL)
    return blocks + re.findall(r"\$([^$]+)\$", rest)


def test_katex_renders_every_rule(katex: Path) -> None:
    texts = [text for name in TABLE for text in listing.formulas(name, LATEX)]
    assert len(texts) > 150
    assert rendering_errors(katex, texts) == []


@pytest.mark.parametrize("model", MODELS)
def test_katex_renders_derivations(katex: Path, model: str) -> None:
    d = MODELS[model]()
    texts = [d.latex(), *formulas_in(d.markdown()), *formulas_in(d.markdown(with_numbers=True))]
    assert len(texts) > 8
    assert rendering_errors(katex, texts) == []


def test_katex_renders_the_page(katex: Path) -> None:
    page = (ROOT / "docs" / "derive.md").read_text(encoding="utf-8")
    texts = re.findall(r"```math\n(.*?)\n```", page, re.DOTALL) + re.findall(r"\$`([^`]+)`\$", page)
    assert len(texts) > 20
    assert rendering_errors(katex, texts) == []


def test_katex_refuses_what_is_wrong(katex: Path) -> None:
    assert len(rendering_errors(katex, [r"\frac{1}{2}", r"\frac{1}{", r"\nosuch{x}"])) == 2
