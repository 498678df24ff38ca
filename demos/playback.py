"""A backward pass that plays in the browser, step by step, with the numbers."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from report import Report, launch, options

import tinygrad_mlp as tg
from tinygrad_mlp import nn


def expression(a: Any, b: Any, c: Any, f: Any) -> Any:
    """L = tanh(d f) + d e."""
    e = a * b
    d = e + c
    return np.tanh(d * f) + d * e


SAVED = """

a, b, c, f = (tg.Tensor(value, requires_grad=True) for value in (2.0, -3.0, 10.0, -0.2))
tg.play(expression(a, b, c, f), title="L = tanh(d f) + d e, e = a b, d = e + c").save("expression.html")"""


def main() -> int:
    """An expression and a network, each as a page."""
    chosen = options("playback", __doc__)
    report = Report("A backward pass, played", chosen.out)
    report.say(
        """`tg.play` makes a page of a computation: one file, without a server and without a network, that opens in any browser.
        → and ← go through the forward pass in the order of execution, and through the backward pass in exactly the reverse;
        space plays. Each step says the formula, the gradient that arrives, and what goes to each input. `?` shows all keys.
        The pages are written to the folder of the run; `docs/drawing.md` shows such ones."""
    )
    report.heading("An expression")
    a, b, c, f = (tg.Tensor(value, requires_grad=True) for value in (2.0, -3.0, 10.0, -0.2))
    L = expression(a, b, c, f)
    report.show(inspect.getsource(expression) + SAVED, "python")
    page = tg.play(L, title="L = tanh(d f) + d e, e = a b, d = e + c")
    page.save(chosen.out / "expression.html")
    report.keep("expression.html", "open this file in a browser")
    report.picture("expression", page, "The graph that the page plays: d and e have two users each")
    report.say(
        """The page is the file `expression.html`. d and e have two users each, so each gets two contributions, and passes its
        gradient on when both have come. The box "naive recursive order" plays what happens without that: a plain recursion passes
        on what has arrived so far, and ends with wrong gradients, which the page shows beside the right ones."""
    )
    gradients = tg.gradients(L, [a, b, c, f])
    numbers = zip("abcf", (a, b, c, f), gradients, strict=True)
    report.table(("", "value", "∂L/∂·"), [(name, f"{float(t):g}", f"{float(g):.6f}") for name, t, g in numbers])

    report.heading("A network")
    rng = np.random.default_rng(chosen.seed)
    X, y = rng.standard_normal((16, 4)), rng.integers(0, 3, 16)
    model = nn.MLP([4, 8, 3], dtype=np.float64, rng=chosen.seed)
    compared = tg.check.compare(model, "cross_entropy", X, y)
    page = tg.play(nn.cross_entropy(model(X), y), compare=compared)
    page.save(chosen.out / "network.html")
    report.keep("network.html", "open this file in a browser")
    report.picture("network", page, "A network with one hidden layer, as the page draws it")
    report.say(
        """The page is the file `network.html`. The panel of a box shows its value and its gradient as numbers, a heat map, a
        histogram, and the line of the program. *Compare* shows autograd's gradients beside those of the hand-written backprop:"""
    )
    report.show(compared)
    report.check(compared.ok, "autograd and the hand-written backprop agree")
    sizes = [(chosen.out / name).stat().st_size for name in ("expression.html", "network.html")]
    report.check(max(sizes) < 400_000, "each page is one file of less than 400 KB")
    return report.finish()


if __name__ == "__main__":
    launch(main)
