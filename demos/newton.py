"""Newton's method with exact second derivatives: the Hessian for two variables, Hessian-vector products for many."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from report import Report, figure, launch, options

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn


def rosenbrock(x: Any) -> Any:
    """(1 − x₀)² + 100 (x₁ − x₀²)²: a narrow curved valley, its lowest point at (1, 1) (Rosenbrock 1960)."""
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def newton(f: Callable[[Any], Any], x: Any, steps: int) -> list[Any]:
    """x ← x − H⁻¹ ∇f."""
    path = [x]
    for _ in range(steps):
        path.append(path[-1] - np.linalg.solve(tg.hessian(f)(path[-1]), tg.grad(f)(path[-1])))
    return path


def product(f: Callable[[Any], Any], w: Any, v: Any) -> Any:
    """H v, the Hessian of f at w times v."""
    return tg.hvp(f, (w,), (v,))[0]


def conjugate_gradients(multiply: Callable[[Any], Any], b: Any, tolerance: float) -> tuple[Any, int]:
    """p with H p = b up to a residual of tolerance ‖b‖, and the number of products: H is never formed (Hestenes, Stiefel 1952)."""
    p, residual, direction = np.zeros_like(b), b, b
    for n in range(len(b)):
        if np.linalg.norm(residual) <= tolerance * np.linalg.norm(b):
            return p, n
        turned = multiply(direction)
        step = residual @ residual / (direction @ turned)
        p, before, residual = p + step * direction, residual, residual - step * turned
        direction = residual + (residual @ residual) / (before @ before) * direction
    return p, len(b)


def newton_cg(f: Callable[[Any], Any], w: Any, steps: int) -> tuple[list[tuple[Any, ...]], Any]:
    """Newton's method with products H v in place of H; a row of the table for each step, and the last w."""
    rows = []
    for n in range(steps):
        value, g = tg.value_and_grad(f)(w)
        size = float(np.linalg.norm(g))
        p, products = conjugate_gradients(partial(product, f, w), -g, min(0.1, size))
        rows.append((n, f"{float(value):.6f}", f"{size:.1e}", products))
        w = w + p
    return rows, w


def path_picture(paths: dict[str, list[Any]]) -> Any:
    """Level lines of Rosenbrock's function, and the ways to its lowest point."""
    ax = figure(6.4, 4.6).subplots()
    x, y = np.meshgrid(np.linspace(-1.6, 1.6, 161), np.linspace(-3.4, 1.8, 161))
    ax.contour(x, y, np.log10(rosenbrock([x, y])), levels=12, colors="#bbbbbb", linewidths=0.7)
    for (name, path), style, colour in zip(paths.items(), ("o-", "--"), ("#0072b2", "#d55e00"), strict=True):
        ax.plot(*np.array(path).T, style, color=colour, markersize=5, label=name)
    ax.plot(1, 1, "*", color="#000000", markersize=12, label="the lowest point")
    ax.set(xlabel="x₀", ylabel="x₁", title="Rosenbrock's function, levels of log₁₀ f")
    ax.legend(fontsize=8, loc="lower left")
    return ax.figure


def main() -> int:
    """Two variables, then 650."""
    chosen = options("newton", __doc__)
    report = Report("Newton's method", chosen.out)
    path = newton(rosenbrock, np.array([-1.2, 1.0]), 7)
    report.heading("Two variables: the Hessian")
    report.say(
        """`tg.grad` and `tg.hessian` give ∇f and H of any function written with NumPy. The function here is Rosenbrock's, with a
        narrow curved valley and its lowest point at (1, 1); the method is x ← x − H⁻¹ ∇f:"""
    )
    report.show("f(x) = (1 - x_0)^2 + 100 \\, (x_1 - x_0^2)^2", "math")
    report.show(f"{inspect.getsource(rosenbrock)}\n\n{inspect.getsource(newton)}", "python")
    report.say("From (−1.2, 1):")
    errors = [float(np.linalg.norm(x - 1)) for x in path]
    ratios = ["", *(f"{b / a**2:.2g}" for a, b in itertools.pairwise(errors))]
    rows = [(n, f"{rosenbrock(path[n]):.3g}", f"{e:.2e}", r) for n, (e, r) in enumerate(zip(errors, ratios, strict=True))]
    report.table(("step", "f", "distance e to (1, 1)", "e / e² of the step before"), rows)
    descent = [path[0]]
    for _ in range(2000):
        descent.append(descent[-1] - 0.001 * tg.grad(rosenbrock)(descent[-1]))
    report.say(
        f"""Near the end the error is squared at each step: the last ratios stay bounded while e falls by many decades. Gradient
        descent with a rate of 0.001 is still {np.linalg.norm(descent[-1] - 1):.2f} away after {len(descent) - 1} steps. The
        high value at step 2 is right: pure Newton solves for the zero of ∇f and may climb on its way; a line search would
        forbid it."""
    )
    drawn = path_picture({"Newton, 7 steps": path, "gradient descent, 2000 steps": descent})
    report.picture("path", drawn, "Newton's method and gradient descent on the way to the lowest point")
    report.check(errors[-1] < 1e-9, "seven steps lead to (1, 1), to 1e-9")

    report.heading("650 variables: products with the Hessian")
    source = data.load_digits()
    (X,) = data.standardise(source.X, dtype=np.float64, common_scale=True)

    def loss(w: Any) -> Any:
        """Softmax regression on the digits with the penalty 0.005 ‖w‖², for all parameters in one vector: convex."""
        return nn.cross_entropy(X @ w[:640].reshape(64, 10) + w[640:], source.y) + 0.005 * np.sum(w**2)

    steps, w = newton_cg(loss, np.zeros(650), 7)
    report.say(
        f"""The function is the loss of a softmax regression on scikit-learn's {len(X):,} digits: the mean cross-entropy of X W + b,
        with a penalty that makes it strictly convex. W (64, 10) and b (10,) stand in one vector w of 650 numbers:"""
    )
    report.show(
        "f(w) = -\\frac{1}{m} \\sum_{i=1}^{m} \\log \\operatorname{softmax}(X W + b)_{i, y_i} + 0.005 \\, \\lVert w \\rVert^2",
        "math",
    )
    report.show(inspect.cleandoc("\n" + inspect.getsource(loss)), "python")
    report.say(
        """Its Hessian has 422,500 entries. Newton's equation H p = −∇f needs only products H v, which `tg.hvp` computes at the cost
        of about two gradients; conjugate gradients solve it, the more exactly the nearer the end:"""
    )
    report.show(f"{inspect.getsource(product)}\n\n{inspect.getsource(newton_cg)}", "python")
    report.table(("step", "loss", "‖∇f‖", "products H v"), steps)
    v = np.random.default_rng(chosen.seed).standard_normal(650)
    slope = (tg.grad(loss)(w + 1e-5 * v) - tg.grad(loss)(w - 1e-5 * v)) / 2e-5
    report.check(np.allclose(product(loss, w, v), slope, rtol=1e-6, atol=1e-8), "H v is the slope of the gradient along v")
    report.check(float(steps[-1][2]) < 1e-8, "six steps bring the gradient below 1e-8")
    return report.finish()


if __name__ == "__main__":
    launch(main)
