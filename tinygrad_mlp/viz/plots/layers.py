"""Layers against time, as maps: a row for each layer, the first at the top, a column for each record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import SettingError, TensorTypeError, did_you_mean, in_short
from ...watching import ACTIVATION_STATISTICS, PARAMETER_STATISTICS, Masked, Watch
from .figures import one_ax, percent, wrapped

__all__ = ["activations", "dead_units", "gradient_flow"]

ZERO, BROKEN, NONE = "#000000", "#d40055", "#dddddd"
DECADES = 4.0
"""A logarithmic scale spans so many decades at least, so that layers that are much alike look alike."""

FAR = 1e-3
"""First and last layer's gradients that differ by this factor are remarked upon."""

SHARES = (0.1, 0.25, 0.5, 1.0)
"""Where the scale of shares may end."""

LABELS = 24
"""More rows than this are not all labelled."""

BAR, TITLE = 24, 64
"""So many letters have room in a line beside the colour bar of the smallest figure, and above a map."""

PAD = 12
"""Points between a map and its title, where the word "last" stands."""


def gradient_flow(watch: Watch, ax: Any = None, statistic: str = "gradient", biases: bool = False) -> Any:
    """How large the gradient of each layer is against time, on a logarithmic scale: vanishing and exploding at a glance.

    Rows are the weights, in definition order, so that the backward pass comes from below: colours that darken towards the top are
    a gradient that vanishes on its way. The size is the RMS, that of a typical entry, whatever the number of entries; the norm is
    the statistic ``"gradient_norm"``. Exactly 0, NaN or infinite, and missing have colours of their own; beside each row
    stands its last value.

    Parameters
    ----------
    watch : Watch
    statistic : str
        ``"gradient"`` (RMS), ``"gradient_norm"``, ``"ratio"`` (gradient to weights), ``"update"``, ``"update_ratio"``, or
        ``"weight"``.
    biases : bool
        Whether parameters that are vectors or numbers have rows too.
    """
    if statistic not in PARAMETER_STATISTICS:
        raise did_you_mean("statistic of a parameter", statistic, PARAMETER_STATISTICS)
    names, steps, values = told(watch).table(statistic)
    shapes = {name: len(parameter.shape) for name, parameter in watch.model.named_parameters()}
    rows = [i for i, name in enumerate(names) if biases or shapes.get(name, 2) > 1] or list(range(len(names)))
    names, values = [names[i] for i in rows], values[rows]
    if all(name.endswith(".weight") for name in names):
        names = [name.removesuffix(".weight") for name in names]
    ax = one_ax(ax, *size(names))
    draw(ax, names, steps, values, PARAMETER_STATISTICS[statistic], log=True)
    whose = "weights and biases" if biases else "weights"
    title = {"gradient": f"Gradients of the {whose}, layer by layer"}.get(statistic, f"{PARAMETER_STATISTICS[statistic]}, by layer")
    remark = verdict(names, steps, values) if statistic in ("gradient", "gradient_norm") else ""
    lines = [wrapped(line, TITLE) for line in (title[0].upper() + title[1:], remark) if line]
    ax.set_title("\n".join(lines), fontsize=10, loc="left", pad=PAD)
    return ax


def activations(watch: Watch, ax: Any = None, statistic: str = "spread", all_layers: bool = False) -> Any:
    """What comes out of each activation against time: ``"spread"``, ``"std"``, ``"mean"``, ``"zeros"``, ``"saturated"``, or
    ``"dead"``.

    The spread is the standard deviation over the samples: where it fades from row to row, the layers say the same to every
    sample, and the signal dies on its way forward. With ``all_layers`` (or where the
    model has no activation modules) the outputs of linear layers and others have rows too.
    """
    if statistic not in ACTIVATION_STATISTICS:
        raise did_you_mean("statistic of an activation", statistic, ACTIVATION_STATISTICS)
    names, steps, values = told(watch).table(statistic, activations_only=not all_layers)
    if not names:
        names, steps, values = watch.table(statistic)
    if not names:
        raise SettingError("no activation was seen: call the model inside the with block of its watch, and not under no_grad()")
    known = np.asarray(~np.ma.getmaskarray(values).all(axis=1))
    if not known.any():
        raise SettingError(f"no layer of this model has the statistic {statistic!r}: only tanh, sigmoid and their like saturate")
    names, values = [name for name, has in zip(names, known.tolist(), strict=True) if has], values[known]
    ax = one_ax(ax, *size(names))
    what, log = ACTIVATION_STATISTICS[statistic], statistic in ("spread", "std")
    draw(
        ax,
        names,
        steps,
        values,
        what,
        log=log,
        centred=statistic == "mean",
        share=what.startswith("share"),
    )
    ax.set_title(f"Activations: {what}", fontsize=10, loc="left", pad=PAD)
    return ax


def dead_units(watch: Watch, ax: Any = None) -> Any:
    """The share of units that are 0 for every sample of the batch, against time. A ReLU unit that stays so learns no more."""
    ax = activations(watch, ax, "dead")
    ax.set_title("Dead units: 0 for the whole batch", fontsize=10, loc="left", pad=PAD)
    return ax


def told(watch: Watch) -> Watch:
    """The watch, if it has records."""
    if not isinstance(watch, Watch):
        raise TensorTypeError(f"this picture is drawn from a watch, tg.watch(model) (got {in_short(watch)})")
    if not watch.steps:
        raise SettingError("this watch has no records yet: call watch.record() after backward()")
    return watch


def size(names: list[str]) -> tuple[float, float]:
    """Inches for so many rows with such names, a title of two lines, a colour bar and a legend."""
    longest = max(map(len, names))
    return 6.4 + 0.08 * max(longest - 14, 0), min(max(1.7 + 0.26 * len(names), 3.0), 9.0)


def draw(
    ax: Any,
    names: list[str],
    steps: list[int],
    values: Masked,
    what: str,
    log: bool = False,
    centred: bool = False,
    share: bool = False,
) -> None:
    """The map, its colour bar, the last values, and a legend of the colours that are no numbers."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap, LogNorm, Normalize
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator
    from matplotlib.transforms import ScaledTranslation

    missing, plain = np.ma.getmaskarray(values), np.asarray(values.filled(0.0))
    broken = ~missing & ~np.isfinite(plain)
    zero = ~missing & (plain == 0) & log
    numbers = np.ma.masked_array(plain, missing | broken | zero)
    edges, rows = edges_of(steps), np.arange(len(names) + 1)
    found = numbers.compressed()
    norm: Normalize
    if log:
        norm = LogNorm(*decades(found))
    elif share:
        norm = Normalize(0, min(top for top in SHARES if top >= found.max(initial=0)))
    else:
        limit = float(np.abs(found).max(initial=0)) or 1.0
        norm = Normalize(-limit if centred else 0, limit)
    cmap = mpl.colormaps["RdBu_r" if centred else "viridis"]
    mesh = ax.pcolormesh(edges, rows, numbers, cmap=cmap, norm=norm)
    legend = []
    for where, colour, words in (
        (zero, ZERO, "exactly 0"),
        (broken, BROKEN, "NaN or infinite"),
        (missing, NONE, "none"),
    ):
        if where.any():
            shown = np.ma.masked_array(np.ones(where.shape), ~where)
            ax.pcolormesh(edges, rows, shown, cmap=ListedColormap([colour]), gid=words)
            legend.append(Patch(facecolor=colour, label=words))
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.11, label=wrapped(what, BAR))
    if share:
        percent(bar.ax.yaxis)
    every = -(-len(names) // LABELS)
    ax.set_yticks(rows[:-1:every] + 0.5, names[::every])
    ax.set_ylim(len(names), 0)  # the first layer at the top
    ax.set_xlabel("step")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.tick_params(axis="y", length=0)
    for i in range(0, len(names), every):
        last = values[i, -1]
        text = "none" if last is np.ma.masked else f"{last:.0%}" if share else f"{last:.1e}" if log and last else f"{last:.2g}"
        ax.text(1.01, i + 0.5, text, transform=ax.get_yaxis_transform(), va="center", fontsize="x-small")
    ax.annotate("last", (1.01, 1.0), (0, 3), xycoords="axes fraction", textcoords="offset points", fontsize="x-small")
    if legend:
        # under the word "step", however low the map is
        below = ax.transAxes + ScaledTranslation(0, -34 / 72, ax.figure.dpi_scale_trans)
        look = {"loc": "upper left", "borderaxespad": 0, "ncols": 3, "frameon": False, "fontsize": "small"}
        ax.legend(handles=legend, bbox_to_anchor=(0, 0), bbox_transform=below, **look)


def edges_of(steps: list[int]) -> NDArray[np.float64]:
    """The borders between the columns: halfway between the steps."""
    at = np.array(steps, np.float64)
    if len(at) == 1:
        return np.array([at[0] - 0.5, at[0] + 0.5])
    middle = (at[1:] + at[:-1]) / 2
    return np.concatenate([[at[0] - (middle[0] - at[0])], middle, [at[-1] + (at[-1] - middle[-1])]])


def decades(found: NDArray[Any]) -> tuple[float, float]:
    """The range of a logarithmic scale: that of the numbers, widened to some decades."""
    if not found.size:
        return 1e-4, 1.0
    low, high = np.log10(found.min()), np.log10(found.max())
    room = max(DECADES - (high - low), 0.0) / 2
    return float(10 ** max(low - room, -300.0)), float(10 ** min(high + room, 300.0))


def verdict(names: list[str], steps: list[int], values: Masked) -> str:
    """What the eye should not miss, in words: of the last quarter of the records."""
    plain = values.filled(0.0)
    broken = ~np.ma.getmaskarray(values) & ~np.isfinite(plain)
    if broken.any():
        column = int(broken.any(axis=0).argmax())
        row = len(names) - 1 - int(broken[::-1, column].argmax())  # the backward pass comes from below
        count = int(broken[:, column].sum())
        where = "all layers" if 1 < count == len(names) else names[row] + " and others" * (count > 1)
        return f"NaN or infinite from step {steps[column]}, in {where}"
    recent = values[:, -max(len(steps) // 4, 1) :]
    first, last = (float(np.median(recent[i].compressed())) if recent[i].count() else np.nan for i in (0, -1))
    if len(names) < 2 or np.isnan(first + last) or not last:
        return ""
    if not first:
        return f"no gradient arrives in {names[0]}"
    ratio = first / last
    if FAR < ratio < 1 / FAR:
        return ""
    return f"{'vanishing' if ratio < 1 else 'exploding'}: {names[0]} has {ratio:.0e} of the gradient of {names[-1]}"
