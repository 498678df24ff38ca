"""What all pictures share: figures without pyplot, colours that everybody can tell apart, PNG files."""

from __future__ import annotations

import functools
import io
import textwrap
from pathlib import Path
from typing import Any

from ...errors import TensorTypeError, UnknownNameError, did_you_mean, require
from ...files import replace_file

__all__ = ["COLOURS", "MARKS", "Panels", "figure_of", "one_ax", "percent", "png", "tidy", "wrapped"]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d", "#8a7a00")
"""Okabe and Ito's colours, in an order in which neighbours differ in brightness too; after the last, the first again."""

MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""A mark of its own for each, so that colour is never all there is to tell them apart."""

FORMS = {".png": "Software", ".svg": "Date", ".pdf": "CreationDate"}
"""The kinds of files, and the entry of each that changes with the time or the version."""


class Panels(tuple[Any, ...]):
    """The axes of a picture with several, left to right; ``figure`` is their figure, which a notebook shows.

    ``repr`` says how many there are, since the axes' own says nothing.
    """

    __slots__ = ()

    @property
    def figure(self) -> Any:
        """The figure of the first, which is that of all if we made them."""
        return self[0].figure

    def save(self, path: str | Path) -> Path:
        """Write the picture as the suffix says: .png .svg .pdf. In one step, or not at all; the same numbers give the same bytes.

        Raises
        ------
        UnknownNameError
            For another suffix.
        DataError
            If the file cannot be written.
        """
        path = Path(path)
        form = path.suffix.lower()
        if not form:
            known = " ".join(FORMS)
            raise UnknownNameError(f"unknown kind of file: the suffix says what is written, one of {known} (got {path.name!r})")
        if form not in FORMS:
            raise did_you_mean("kind of file", form, FORMS)
        replace_file(path, png(self) if form == ".png" else printed(self.figure, form[1:]))
        return path

    def _repr_png_(self) -> bytes:
        return png(self)

    def __repr__(self) -> str:
        return f"Panels({', '.join(repr(ax.get_ylabel()) for ax in self)})"


def figure_of(width: float, height: float) -> Any:
    """A new figure, in inches, drawn by Agg: it is not pyplot's, and is gone when nobody holds it."""
    require("matplotlib", "pictures", "a training picture")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def one_ax(ax: Any, width: float = 5.0, height: float = 3.6) -> Any:
    """The ax given, or that of a new figure, which a notebook shows."""
    if ax is None:
        ax = figure_of(width, height).add_subplot()
        ax._repr_png_ = functools.partial(png, ax)
    if not hasattr(ax, "get_xaxis_transform"):
        raise TensorTypeError(f"ax must be one Axes of matplotlib (got {type(ax).__name__})")
    return ax


def png(picture: Any, dpi: int = 110) -> bytes:
    """A picture as a PNG file: of an ax, of Panels, or of a figure. The same numbers give the same bytes."""
    return printed(getattr(picture, "figure", picture), "png", dpi)


def printed(figure: Any, form: str, dpi: int = 110) -> bytes:
    """A figure as a file of a kind, without the time and the random names that would make each file another."""
    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "tinygrad_mlp"}):
        figure.savefig(stream, format=form, dpi=dpi, facecolor="white", metadata={FORMS[f".{form}"]: None})
    return stream.getvalue()


def wrapped(text: str, width: int) -> str:
    """A text in lines of so many letters at most, which fit where one long line would be cut; numbers such as 1e-5 stay whole."""
    return textwrap.fill(text, width, break_on_hyphens=False)


def tidy(ax: Any) -> None:
    """No box around the curves, and a light grid behind them."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#e3e3e3", linewidth=0.6)
    ax.set_axisbelow(True)


def percent(axis: Any) -> None:
    """Shares as per cent along an axis."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=None))
