"""An expression of numbers: its value, its gradients, its graph and its derivation."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from report import Report, launch, options

import tinygrad_mlp as tg


def expression(x: Any, y: Any) -> Any:
    """L = s² + y tanh(s) with s = x y + sin(x): x, y and s are each used twice."""
    s = x * y + np.sin(x)
    return s**2 + y * np.tanh(s)


USE = """x, y = (tg.Tensor(value, requires_grad=True) for value in (1.5, -0.5))
tg.gradients(expression(x, y), [x, y])"""


def difference(i: int, at: tuple[float, float], h: float = 1e-6) -> float:
    """The slope along the i-th argument, by central differences."""
    up, down = list(at), list(at)
    up[i], down[i] = at[i] + h, at[i] - h
    return float((expression(*up) - expression(*down)) / (2 * h))


def main() -> int:
    """Compute, differentiate, draw, derive."""
    chosen = options("scalar_expression", __doc__)
    report = Report("A scalar expression", chosen.out)
    at = (1.5, -0.5)
    x, y = (tg.Tensor(value, requires_grad=True) for value in at)
    s = x * y + np.sin(x)
    L = s**2 + y * np.tanh(s)
    report.say(
        """Two numbers, x and y, and an expression of them in plain NumPy: s = x y + sin(x), L = s² + y tanh(s). Because x and y
        are Tensors, the expression is recorded while it is computed, and the chain rule can be walked backwards through it."""
    )
    report.show(f"{inspect.getsource(expression)}\n\n{USE}", "python")
    gradients = dict(zip("xys", tg.gradients(L, [x, y, s]), strict=True))
    rows = [(name, f"{float(t):.6f}", f"{float(gradients[name]):.6f}") for name, t in (("x", x), ("y", y), ("s", s))]
    report.table(("", "value", "∂L/∂·"), [*rows, ("L", f"{float(L):.6f}", "1")])
    slopes = [difference(i, at) for i in range(2)]
    same = [float(g) for g in tg.gradients(expression(x, y), [x, y])] == [float(gradients[name]) for name in "xy"]
    report.check(same, "the function above and the same lines written out have the same gradients in every bit")
    close = all(abs(slope - gradients[name]) < 1e-8 for name, slope in zip("xy", slopes, strict=True))
    report.check(close, f"central differences agree: {slopes[0]:.6f} and {slopes[1]:.6f}")

    report.heading("The graph")
    drawing = tg.draw(L, title="L = s² + y tanh(s), s = x y + sin(x)")
    report.picture("graph", drawing, "The graph of L: values and gradients in the boxes, each operation with its rule")
    report.say(
        """Arrows point forward. Beside an arrow stands the gradient that flows back along it: what the operation at its head
        sends to the value at its tail. A value with two users, as s, gets one from each, and its own gradient is their sum.
        The same in words:"""
    )
    report.show(drawing.text)

    report.heading("The derivation")
    derivation = tg.derive(L)
    report.say("`tg.derive` writes the same down, as mathematics and as a program that needs NumPy only:")
    report.show(derivation.latex(), "math")
    report.show(derivation.source(), "python")

    report.heading("Higher derivatives")
    report.say("A gradient can be differentiated again. The Hessian of L at (x, y):")
    hessian = tg.hessian(lambda v: expression(v[0], v[1]))(np.array(at))
    report.show(np.array2string(hessian, precision=6))
    report.check(np.allclose(hessian, hessian.T, rtol=1e-14), "it is symmetric, to rounding")
    return report.finish()


if __name__ == "__main__":
    launch(main)
