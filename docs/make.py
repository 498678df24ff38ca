"""The pages that are made from the code: ``python docs/make.py`` writes them, ``--check`` fails if they are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
from tinygrad_mlp.chainrule.letters import lines_of
from tinygrad_mlp.chainrule.notation import PLAIN
from tinygrad_mlp.listing import count, entries, formulas, rules_as_written
from tinygrad_mlp.primitive import TABLE

DOCS = Path(__file__).parent


def kinks() -> str:
    """The table of subgradients, from the notes beside the rules."""
    rows = ["| `{}` | {} |".format(name, op.kink.replace("|", "\\|")) for name, op in TABLE.items() if op.kink]
    return "\n".join(
        [
            "# Kinks and ties",
            "",
            "Where a function has no derivative, a rule must still answer. This is what each one answers: finite wherever a finite",
            "subgradient exists, and at a tie never more than the gradient that arrived. The notes stand beside the rules, in",
            "`tinygrad_mlp/rules/`; this page is printed from them by `.venv/bin/python docs/make.py`.",
            "",
            "| function | value |",
            "| --- | --- |",
            *rows,
            "",
            "Composed functions follow from these. Those that pick entries (`sort`, `median`, `quantile`, `take`, `nanmax` …) send the gradient to",
            "the entries that were picked; sorting is stable, so at a tie the first one comes first. `norm` of the zero vector or matrix has the",
            "gradient 0. Entries that a `where` did not select get exactly 0, whatever the slopes before it ([Guards](guards.md)).",
            "",
            "## Where the chain rule cannot know",
            "",
            "Some derivatives exist, and yet no chain of rules can find them: each rule sees its own numbers only. There the gradient is NaN, with a",
            "`GradientWarning` (once a place) that names the operation, the line and what to write instead; `tg.detect_anomaly` stops there and explains.",
            "",
            "**Equal eigenvalues and singular values**, in floats nearly equal ones: pairs whose gap is within n ε of the largest value, and pairs so near that",
            "fewer than a quarter of the digits are left (a relative gap of n ε^¾; n ε^⅜ at second order). Their vectors are any basis. What is the same with",
            "every basis is right: functions of the eigenvalues alone, projectors on all vectors of an eigenvalue, vectors of simple eigenvalues, `U Vᴴ`, the",
            "nuclear norm and its Hessian. What depends on the basis has no derivative: NaN. `V diag(f(w)) Vᴴ` has one, but it needs f′ between the two, which is",
            "not in the gradients that arrive at V and w: NaN, also where their numbers happen to be 0. Write `tg.linalg.funm(A, f)`, or `expm`, `sqrtm`, `logm`,",
            "`polar`: they are made of divided differences of f, right at all orders wherever f is smooth. Hessians through `eigh` at equal eigenvalues, and of",
            "functions of `eigvalsh` and `svdvals` that are not constant slopes, are NaN for the same reason; `funm` has them. `eig` and `eigvals` follow the",
            "same rules; a defective matrix has NaN.",
            "",
            "**Lengths at 0**: the second derivative of a norm, of `hypot`, `std` and a complex `abs` is infinite at 0, but ‖x‖² is smooth. Where the graph shows",
            "the square or a higher power (`norm(x) ** 2`, `n * n`, `3 * n**4`, `np.sqrt(1 + n**2)`) the Hessian is right, else NaN. A program of `compile` or `derive`",
            "of a function does not look into the graph: it has NaN there, and no warnings.",
            "",
            "Choices remain: of an eigenvalue or singular value that is one of several equal ones, and is not treated like the others (the largest, `w[-1]`), the gradient",
            "is that of the vectors which LAPACK returns, a subgradient for the largest; a singular value 0 has the gradient 0, as |x| has at 0; what is piecewise",
            "linear (`abs` and the norms of order 1 and ∞, `relu`, `max`) has the second derivative 0 at its kinks.",
            "",
            "`cholesky`, `eigh`, `eigvalsh` and the functions of symmetric matrices are functions of symmetric (Hermitian) matrices. NumPy reads one triangle; the",
            "gradient is symmetric, shared by both triangles, so that a step against it keeps the matrix symmetric.",
            "",
        ]
    )


def rules() -> str:
    """The table of rules as it is written, and the list of the composed functions."""
    numbers, written = count(), rules_as_written()
    lines = [
        "# Rules",
        "",
        f"**{numbers['differentiable']} differentiable functions**: {numbers['primitive']} primitives with rules of their own, and",
        f"{numbers['composed']} composed of them, whose derivatives follow. {numbers['constant almost everywhere']} more are constant almost everywhere, and the",
        f"table has {numbers['helper']} helpers that only others are made of. `tinygrad-mlp functions` prints the list, `tinygrad-mlp functions NAME` one entry.",
        "",
        "A rule is the gradient that goes on to an input: `g` is the gradient ∂L/∂z that arrives at the output `z`, the other letters are the inputs.",
        "What begins with `d.` is a derivation of several lines in `tinygrad_mlp/derivations/`, with its mathematics. For complex numbers see",
        "[NumPy code on Tensors](numpy.md#complex-numbers). This page is printed from the table by `.venv/bin/python docs/make.py`.",
        "",
        "The formula is the rule itself, read with symbols in place of numbers, at one choice of shapes and parameters, mostly matrices of shape",
        "(2, 3): rules that ask for shapes, as that of `matmul`, have more cases than the one that is shown. It is written so: `⊙` multiplies entry by",
        "entry, a product without a sign is that of matrices (or with a number), `ᵀ` transposes the last two axes; fractions, powers and functions are of",
        "each entry; `[c]` is 1 where the condition `c` is true, else 0; `i, j, k` count along the first, second and third axis, and an underlined one",
        "stands for an axis of length 1, kept by a sum (`Σ_j̲`) or put in (`g_ij̲`); `0[2×3]` and `1[2×3]` are arrays of zeros and ones, `I[3]` is the",
        "unit matrix; `x[…, 0:3]` picks as NumPy does; `T₁, T₂ …` are values that the next lines use. `tinygrad-mlp functions NAME` prints it too.",
        "",
        "## Primitives",
        "",
        "| function | in NumPy | rules, and the same as formulas |",
        "| --- | --- | --- |",
    ]
    for entry in entries():
        if entry.kind == "composed":
            continue
        op, names = TABLE[entry.name], ", ".join(f"`{name}`" for name in entry.numpy)
        told = []
        for i, rule in enumerate(written[entry.name]):
            letter = "inputs" if op.variadic else op.arrays[i] if i < len(op.arrays) else f"input {i + 1}"
            told.append(f"∂L/∂{letter} = `{rule}`".replace("|", "\\|") if rule != "no derivative" else f"{letter}: none")
        told += [f"`{line}`" for line in formulas(entry.name)]
        lines.append(f"| `{entry.name}` | {names} | {'<br>'.join(told)} |")
    lines += ["", "## Composed functions", "", "| function | in NumPy | what it computes |", "| --- | --- | --- |"]
    for entry in entries():
        if entry.kind == "composed":
            names = ", ".join(f"`{name}`" for name in entry.numpy)
            lines.append(f"| `{entry.name}` | {names} | {entry.text} |".replace("|w|", "\\|w\\|"))
    return "\n".join([*lines, ""])


NETWORK = """import numpy as np
import tinygrad_mlp as tg
from tinygrad_mlp import nn

rng = np.random.default_rng(0)
X = rng.standard_normal((6, 4))
y = np.array([0, 1, 2, 0, 1, 2])
model = nn.MLP([4, 5, 4, 3], activation="tanh", dtype=np.float64, rng=0)


def loss(X, y):
    return nn.cross_entropy(model(X), y)


d = tg.derive(loss, X, y)
"""
"""The network of seed 002 with small layers."""

SEED_LINES = [
    ("layer 1", "Z⁽¹⁾ = X W⁽¹⁾ + b⁽¹⁾", "Z₁"),
    ("", "A⁽¹⁾ = tanh(Z⁽¹⁾)", "A₁"),
    ("layer 2", "Z⁽²⁾ = A⁽¹⁾ W⁽²⁾ + b⁽²⁾", "Z₂"),
    ("", "A⁽²⁾ = tanh(Z⁽²⁾)", "A₂"),
    ("output layer", "Z⁽³⁾ = A⁽²⁾ W⁽³⁾ + b⁽³⁾", "Z₃"),
    ("its gradient", "∂J/∂Z⁽³⁾ = 1/m (P − Y), P = softmax(Z⁽³⁾)", "∂L/∂Z₃"),
    ("", "∂J/∂W⁽³⁾ = A⁽²⁾ᵀ ∂J/∂Z⁽³⁾", "∂L/∂W₃"),
    ("", "∂J/∂b⁽³⁾ = Σᵢ ∂J/∂Z⁽³⁾", "∂L/∂b₃"),
    ("hidden layer 2", "∂J/∂A⁽²⁾ = ∂J/∂Z⁽³⁾ W⁽³⁾ᵀ", "∂L/∂A₂"),
    ("", "∂J/∂Z⁽²⁾ = ∂J/∂A⁽²⁾ ⊙ (1 − (A⁽²⁾)²)", "∂L/∂Z₂"),
    ("", "∂J/∂W⁽²⁾ = A⁽¹⁾ᵀ ∂J/∂Z⁽²⁾", "∂L/∂W₂"),
    ("", "∂J/∂b⁽²⁾ = Σᵢ ∂J/∂Z⁽²⁾", "∂L/∂b₂"),
    ("hidden layer 1", "∂J/∂A⁽¹⁾ = ∂J/∂Z⁽²⁾ W⁽²⁾ᵀ", "∂L/∂A₁"),
    ("", "∂J/∂Z⁽¹⁾ = ∂J/∂A⁽¹⁾ ⊙ (1 − (A⁽¹⁾)²)", "∂L/∂Z₁"),
    ("", "∂J/∂W⁽¹⁾ = Xᵀ ∂J/∂Z⁽¹⁾", "∂L/∂W₁"),
    ("", "∂J/∂b⁽¹⁾ = Σᵢ ∂J/∂Z⁽¹⁾", "∂L/∂b₁"),
]
"""The formulas of seed 002 for the whole batch, and the line of the derivation that each is."""


def network() -> tg.Derivation:
    """What the page's program makes."""
    space: dict[str, object] = {}
    exec(NETWORK, space)
    return space["d"]  # type: ignore[return-value]


def derive() -> str:
    """The page on derive: one network as source and as mathematics, beside the formulas of seed 002."""
    d = network()
    ours = {left: right for left, right, _ in lines_of(d.plan, PLAIN)}
    rows = [f"| {layer} | `{theirs}` | `{left} = {ours[left]}` |" for layer, theirs, left in SEED_LINES]
    text = d.markdown()
    steps = text[text.index("**1.**") : text.index("**6.**")].strip()
    return "\n".join(
        [
            "# The chain rule, written out",
            "",
            "`tg.derive` writes down the backpropagation of a computation: as a NumPy program that stands alone, and as mathematics. Nothing in it is",
            "a template for networks. The rules of the [table](rules.md) are read with symbols in place of numbers, and what they write is simplified",
            "as a person would: no `* 1`, no `+ 0`, common values once. So it works for every computation of functions of the table.",
            "",
            "- `tg.derive(loss)`: of a loss that has been computed;",
            "- `tg.derive(f, X, y)`: of a function, which is called once with values that have shapes and no numbers.",
            "",
            "What comes back has `source()`, `latex()` and `markdown()`; in a notebook it shows itself. `markdown(with_numbers=True)` puts the numbers",
            "of the example beside every line. A gradient can be derived again: record it with `create_graph=True`, and derive a loss made of it.",
            "",
            "## A network with three layers",
            "",
            "This page is made by `.venv/bin/python docs/make.py`, which runs",
            "",
            "```python",
            NETWORK.rstrip(),
            "```",
            "",
            "### `print(d.source())`",
            "",
            "```python",
            d.source().rstrip(),
            "```",
            "",
            "### `print(d.latex())`",
            "",
            "```math",
            d.latex(),
            "```",
            "",
            "### `print(d.markdown())`",
            "",
            "gives a reason for each line. The first five steps of the way back:",
            "",
            fenced(steps),
            "",
            "## Beside the formulas of seed 002",
            "",
            "Seed 002 derives the same network by hand: tanh, tanh, softmax, cross-entropy. Its formulas for the whole batch, and the lines above, one by",
            "one; `J` there is `L` here, and a layer's number in brackets is an index. `tests/test_mathematics.py` computes both columns and compares the",
            "numbers.",
            "",
            "| | seed 002 | `tg.derive` |",
            "| --- | --- | --- |",
            *rows,
            "",
            "In the line of `∂L/∂Z₃` the fraction is `P` and the bracket is `Y`: the softmax is computed from `E`, the exponentials of the",
            "shifted logits, as the forward pass has them already.",
            "",
            "The seed writes a single neuron's layer with columns, z = W a + b with W of shape (n_out, n_in), and the batch with rows, Z = X W + b with W",
            "of shape (n_in, n_out). One is the other transposed: z = Zᵀ, a = Aᵀ, and the column form's W is the row form's Wᵀ. The gradients follow:",
            "∂L/∂W = ∂L/∂z aᵀ in columns is (Aᵀ ∂L/∂Z)ᵀ in rows, ∂L/∂a = Wᵀ ∂L/∂z is (∂L/∂Z Wᵀ)ᵀ, and the sum for b runs over the columns. With square",
            "layers no shape tells the two apart.",
            "",
            "Where the seed is not exact:",
            "",
            "- The derivative of the binary cross-entropy is given for one example, its loss as a mean over m: as they stand the derivative is m times too large.",
            "- The 1/m stands in ∂J/∂Z here; in seed 004 it stands in the gradients of W and b. Taking both gives 1/m².",
            "- The loss section is about binary cross-entropy and a sigmoid, while the network ends in a softmax; its cross-entropy J is not defined.",
            "- The algorithm's text is about two layers of weights, with a⁽²⁾ the output; the formulas have three, with P the output.",
            "- The product for vanishing gradients begins one layer too late: σ′(z⁽¹⁾) and the input are missing. It is a bound, no proportion.",
            "- What it calls Xavier's initialisation, a variance of 1/n_in, is LeCun's; Glorot's is 2/(n_in + n_out).",
            "- Both quotients for tanh overflow for large |z|, and the softmax is given without taking the maximum away.",
            "- Gradients are exact up to rounding, and where there is a derivative.",
            "",
        ]
    )


def fenced(text: str) -> str:
    """Formulas in the form that GitHub renders and that no Markdown changes."""
    parts = text.split("$$")
    parts[1::2] = [f"```math\n{part.strip()}\n```" for part in parts[1::2]]
    inline = [part.split("$") for part in parts[::2]]
    parts[::2] = ["".join(f"$`{p}`$" if i % 2 else p for i, p in enumerate(pieces)) for pieces in inline]
    return "".join(parts)


def compiled() -> str:
    """The page on compile, which is written by hand, with the program that it shows."""
    model = nn.MLP([784, 128, 10], rng=0)
    step = tg.compile(lambda X, y: nn.cross_entropy(model(X), y), optim.SGD(model.parameters(), lr=0.1))
    step(np.zeros((32, 784), np.float32), np.arange(32) % 10)
    program = "\n".join(["```python", "# nn.MLP([784, 128, 10]), cross_entropy, SGD, a batch of 32", step.source.rstrip(), "```"])
    before, _, rest = (DOCS / "compile.md").read_text(encoding="utf-8").partition("<!-- source -->\n")
    return f"{before}<!-- source -->\n{program}\n<!-- end -->\n{rest.partition('<!-- end -->' + chr(10))[2]}"


PAGES = {"kinks.md": kinks, "rules.md": rules, "derive.md": derive, "compile.md": compiled}


def main() -> int:
    """Write the pages, or compare them with what would be written."""
    stale = []
    for name, make in PAGES.items():
        path, text = DOCS / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"out of date: {', '.join(stale)}; run python docs/make.py")
        return 1
    print(f"{'up to date' if not stale else 'written'}: {', '.join(stale or PAGES)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
