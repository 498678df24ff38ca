"""Parts of one's own: a primitive with its rule and a layer with its parameters, checked, trained and compiled."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Literal

import numpy as np
from report import Report, launch, options

import tinygrad_mlp as tg
from tinygrad_mlp import data, nn, optim


def newton_omega(x: Any) -> Any:
    """ω with ω + log ω = x, entry by entry: Newton's method for u = log ω, which solves e^u + u = x."""
    u = np.where(x < 1, x, np.log(np.maximum(x, 1)))  # above the root of a convex function, so Newton comes down to it
    for _ in range(12):
        e = np.exp(u)
        u = u - (e + u - x) / (e + 1)
    return np.exp(u)


POINTS = (np.array([-3.0, -0.5, 0.8, 4.0]),)
omega = tg.primitive(lambda g, z, x: g * (z / (1 + z)), example=POINTS, elementwise=True, real=True, name="omega")(newton_omega)


class Omega(nn.Activation):
    """ω as an activation: near 0 far to the left, near x far to the right."""

    name, function = "omega", omega


class Normalise(nn.Module):
    """(x − mean) / √(variance + 1e-5) · gain + shift, row by row: layer normalisation (Ba et al. 2016)."""

    def __init__(self, n: int, dtype: Any = np.float64) -> None:
        self.gain, self.shift = nn.Parameter(np.ones(n, dtype)), nn.Parameter(np.zeros(n, dtype))

    def forward(self, x: Any) -> Any:
        """(m, n) → (m, n)."""
        centred = x - np.mean(x, axis=-1, keepdims=True)
        return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5) * self.gain + self.shift


def network(rng: np.random.Generator) -> nn.Sequential:
    """64 → 32 → 10, with the layer and the activation of this file."""
    first, last = (nn.Linear(n, k, dtype=np.float64, rng=rng) for n, k in ((64, 32), (32, 10)))
    return nn.Sequential(first, Normalise(32), Omega(), last)


def trained(seed: int, compile: bool | Literal["exact"]) -> tuple[tg.History, nn.Sequential]:
    """Five epochs on the digits."""
    source, model = data.load_digits(), network(np.random.default_rng(seed))
    (X,) = data.standardise(source.X, dtype=np.float64, common_scale=True)
    history = tg.fit(model, X, source.y, loss=nn.cross_entropy, optimizer=optim.Adam(model.parameters(), lr=0.003), epochs=5,
                     validation_split=0.2, metrics=["accuracy"], rng=seed, progress=False, compile=compile)  # fmt: skip
    return history, model


def main() -> int:
    """A primitive, a wrong one, a layer, a training."""
    chosen = options("custom_parts", __doc__)
    report = Report("A primitive and a layer of one's own", chosen.out)
    report.heading("A primitive")
    report.say(
        """What is written with NumPy is differentiated as it is. A rule is for what is better differentiated in another way than
        it is computed. ω(x), defined by ω + log ω = x, is computed by twelve steps of Newton's method; the derivative follows
        from the equation, ω′ (1 + 1/ω) = 1. A rule gets the gradient g that arrives, the result z, and the input:"""
    )
    made = [line for line in Path(__file__).read_text(encoding="utf-8").splitlines() if line.startswith(("POINTS =", "omega ="))]
    report.show("\n".join([inspect.getsource(newton_omega), "", *made]), "python")
    x = np.linspace(-6, 6, 25)
    report.check(np.allclose(omega(x) + np.log(omega(x)), x, rtol=0, atol=1e-12), "ω + log ω = x, to 1e-12")
    checked = tg.check.gradcheck(omega, x, order=2)
    report.show(checked)
    report.check(checked.ok, "first and second derivatives agree with differences")
    report.say("A rule is checked where it is defined, on the example. A wrong one, here 1 / (1 + ω), does not become a primitive:")
    try:
        tg.primitive(lambda g, z, x: g / (1 + z), example=POINTS, name="wrong")(newton_omega)
        report.check(False, "the wrong rule is refused")
    except tg.errors.GradientError as error:
        report.show(f"{type(error).__name__}: {error}")

    report.heading("A layer")
    report.say(
        "A module has parameters and a `forward`; their names, gradients, files, drawings and compiled steps follow from that. "
        "An array that is to be trained is an `nn.Parameter`. An activation needs its function only:"
    )
    report.show("\n\n".join(inspect.getsource(part) for part in (Normalise, Omega, network)), "python")
    model, rows = network(np.random.default_rng(chosen.seed)), np.random.default_rng(chosen.seed).standard_normal((8, 64))
    report.show(model)
    layer, some = Normalise(5), tg.Tensor(rows[:, :5], requires_grad=True)
    mean = np.mean(omega(layer(some)))
    report.picture(
        "layer",
        tg.draw(mean, names={"x": some}),
        "The layer in its frame, with its parameters, and omega with its rule",
    )
    report.check(tg.check.gradcheck(layer, rows[:, :5], order=2).ok, "the layer's derivatives agree with differences")

    report.heading("Trained, and compiled")
    (eager, first), (compiled, second) = trained(chosen.seed, False), trained(chosen.seed, "exact")
    report.show(inspect.getsource(trained), "python")
    report.say("After five epochs; a model that holds parts of one's own is compiled as any other:")
    report.show(eager)
    same = all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    report.check(same, 'compiled with `compile="exact"`, the training ends with the same parameters in every bit')
    report.picture("training", compiled.plot(), "Loss and accuracy on the digits, train and validation")
    return report.finish()


if __name__ == "__main__":
    launch(main)
