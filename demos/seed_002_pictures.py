"""The pictures of demos/seed_002.py, with Matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from report import figure
from seed_002_parts import Array, doubled, first_nan, quotient, relative_errors

import tinygrad_mlp as tg

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Okabe and Ito's, which everybody can tell apart."""

STYLES = ("-", "--", "-.", ":")
MARKS = ("o", "s", "^", "D")


def curve(x: Array) -> Array:
    """What networks are to approximate on [−1, 1]: continuous, with a kink, and no polynomial."""
    return np.sin(4 * x) + 0.5 * np.abs(x)


def tidy(ax: Any) -> None:
    """A light grid, no box."""
    ax.grid(color="#e3e3e3", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def tanh_picture() -> Any:
    """The activations with their slopes, and the errors of the two quotients of line 59."""
    drawn = figure(9.5, 3.6)
    left, right = drawn.subplots(1, 2)
    z = np.linspace(-6, 6, 241)
    for name, f, colour in (("tanh", tg.tanh, COLOURS[0]), ("σ", tg.sigmoid, COLOURS[1])):
        slopes = tg.grad(lambda z, f=f: np.sum(f(z)))(z)
        left.plot(z, f(z), color=colour, label=f"{name}(z)")
        left.plot(z, slopes, "--", color=colour, label=f"{name}′(z)")
    left.axhline(0.25, color="#888888", linewidth=0.8)
    left.text(-5.9, 0.28, "0.25", fontsize=8, color="#555555")
    left.set(xlabel="z", ylabel="value", title="tanh and the sigmoid, with their slopes")
    left.legend(fontsize=8, loc="lower right")
    z = np.geomspace(1e-12, 1000, 241)
    known = np.spacing(1.0) / 8  # below this an error is drawn as this
    programs: dict[str, Any] = {"(eᶻ − e⁻ᶻ) / (eᶻ + e⁻ᶻ)": quotient, "(e²ᶻ − 1) / (e²ᶻ + 1)": doubled, "np.tanh(z)": np.tanh}
    for i, (name, f) in enumerate(programs.items()):
        errors = relative_errors(f, z)
        right.loglog(z, np.maximum(errors, known), MARKS[i], markersize=3, color=COLOURS[i], label=name)
        if np.isnan(errors).any():
            right.axvline(z[np.isnan(errors)][0], color=COLOURS[i], linestyle=STYLES[i], linewidth=1)
            right.text(250, (1e-9, 1e-7)[i], f"NaN from {first_nan(f):.0f} on", color=COLOURS[i], fontsize=8, ha="right")
    right.set(xlabel="z", ylabel="relative error", title="the quotients of l. 59 as programs", xlim=(None, 2e4))
    right.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 0.1))
    for ax in (left, right):
        tidy(ax)
    return drawn


def depth_picture(panels: Mapping[str, Mapping[str, tuple[Array, Array]]]) -> Any:
    """For each activation, its initialisations: the gradients of the layers, and the spread of their activations."""
    drawn = figure(10.5, 6)
    axes = drawn.subplots(2, len(panels), sharex=True, sharey="row", squeeze=False)
    for column, (activation, runs) in enumerate(panels.items()):
        for i, (name, both) in enumerate(runs.items()):
            for row, sizes in enumerate(both):
                axes[row][column].semilogy(
                    range(1, len(sizes) + 1), sizes, STYLES[i], marker=MARKS[i], markersize=4, color=COLOURS[i], label=name
                )
        axes[0][column].set_title(activation)
        axes[1][column].set_xlabel("layer")
        axes[0][column].legend(fontsize=7.5, loc="lower right")
    axes[0][0].set_ylabel("RMS of ∂J/∂W⁽ˡ⁾")
    axes[1][0].set_ylabel("spread of A⁽ˡ⁾ over the samples")
    for ax in axes.flat:
        tidy(ax)
    return drawn


def approximation_picture(
    x: Array, fits: Mapping[int, Array], widths: Sequence[int], errors: Mapping[str, Sequence[float]], bound: float
) -> Any:
    """Fits of some widths beside the curve, and the error against the width."""
    drawn = figure(9.5, 3.6)
    left, right = drawn.subplots(1, 2)
    left.plot(x, curve(x), color="#c4c4c4", linewidth=6, label="sin 4x + |x| / 2", solid_capstyle="round")
    for i, (width, values) in enumerate(fits.items()):
        left.plot(x, values, ("--", "-.", "-")[i], color=COLOURS[i], label=f"tanh, {width} unit{'s' * (width > 1)}")
    left.set(xlabel="x", ylabel="value", title="one hidden layer, fitted")
    left.legend(fontsize=8)
    for i, (name, found) in enumerate(errors.items()):
        right.loglog(widths, found, STYLES[i], marker=MARKS[i], color=COLOURS[i], label=f"activation {name}")
    right.axhline(bound, color="#888888", linewidth=0.8)
    right.text(widths[-1], bound * 0.78, "the best polynomial of degree 2", fontsize=8, color="#555555", ha="right", va="top")
    right.set_xticks(widths, [str(width) for width in widths])
    right.minorticks_off()
    right.set(xlabel="hidden units", ylabel="RMS of the error", title="width, with two activations")
    right.legend(fontsize=8, loc="lower left")
    for ax in (left, right):
        tidy(ax)
    return drawn
