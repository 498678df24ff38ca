"""The drawing as PNG and PDF, by Matplotlib: it brings its fonts along, so the picture is the same on every machine."""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

from ...errors import require
from ..graph.measure import width

__all__ = ["pdf", "png"]

LARGEST = 32_000
"""No side of a PNG is longer than this, in pixels; a larger drawing is scaled down."""

PIXELS = 60_000_000
"""Nor has it more pixels than this, a quarter of a gigabyte in memory."""

PAGE = 14_000.0
"""Readers of PDF show no larger pages, in points."""

SETTINGS: dict[Any, Any] = {
    "text.usetex": False,
    "text.parse_math": False,  # a name may hold dollar signs
    "lines.scale_dashes": False,
    "path.simplify": False,
    "font.family": ["DejaVu Sans"],
    "pdf.fonttype": 42,  # text that can be searched and copied
    "pdf.compression": 6,
}
"""The user's own settings of Matplotlib change nothing here."""

Shape = tuple[ET.Element, float, float]
"""An element of the drawing, and how far it is moved."""


def png(svg: str, scale: float = 2.0) -> bytes:
    """The pixels of a drawing, ``scale`` for each px of it.

    Raises
    ------
    MissingExtraError
        If Matplotlib is not installed.
    """
    require("matplotlib", "pictures", "a drawing as PNG")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    w, h = size_of(svg)
    dpi = 72 * min(scale, LARGEST / max(w, h), (PIXELS / (w * h)) ** 0.5)
    return printed(svg, FigureCanvasAgg, 1.0, format="png", dpi=dpi, metadata={"Software": None})


def pdf(svg: str) -> bytes:
    """A drawing as one page of vectors and text, 1 point for a px unless that is more than readers can show.

    Raises
    ------
    MissingExtraError
        If Matplotlib is not installed.
    """
    require("matplotlib", "pictures", "a drawing as PDF")
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    return printed(svg, FigureCanvasPdf, min(1.0, PAGE / max(size_of(svg))), format="pdf", dpi=72, metadata={"CreationDate": None})


def size_of(svg: str) -> tuple[float, float]:
    """The width and height of a drawing in px."""
    root = ET.fromstring(svg)  # noqa: S314 - a drawing of our own
    return float(root.attrib["width"]), float(root.attrib["height"])


def printed(svg: str, canvas: Any, zoom: float, **how: Any) -> bytes:
    """The drawing on a canvas of Matplotlib, ``zoom`` points for a px."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

    w, h = size_of(svg)
    out = io.BytesIO()
    with warnings.catch_warnings(), matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box stands for a sign that is in no font
        figure = Figure(figsize=(zoom * w / 72, zoom * h / 72), dpi=72, facecolor="none")
        canvas(figure)
        to_points = Affine2D().scale(zoom / 72, -zoom / 72).translate(0, zoom * h / 72) + figure.dpi_scale_trans
        for element, dx, dy in shapes(ET.fromstring(svg)):  # noqa: S314 - a drawing of our own
            add(figure, element, Affine2D().translate(dx, dy) + to_points, zoom)
        figure.savefig(out, **how)
    return out.getvalue()


def shapes(root: ET.Element) -> Iterator[Shape]:
    """The elements that are drawn, in their order, with the sum of the translations around them."""
    stack = [(root, 0.0, 0.0)]
    while stack:
        element, dx, dy = stack.pop()
        moved = re.fullmatch(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", ""))
        if moved:
            dx, dy = dx + float(moved[1]), dy + float(moved[2])
        name = element.tag.rpartition("}")[2]
        if name in ("svg", "g"):
            stack += [(child, dx, dy) for child in reversed(element)]
        else:
            yield element, dx, dy


def add(figure: Any, element: ET.Element, transform: Any, zoom: float) -> None:
    """One element as an artist of the figure."""
    from matplotlib import patches

    def at(name: str, default: float = 0.0) -> float:
        return float(element.get(name, default))

    name = element.tag.rpartition("}")[2]
    stroke, dashes = element.get("stroke", "none"), element.get("stroke-dasharray")
    look = {
        "facecolor": element.get("fill", "black"),
        "edgecolor": stroke,
        "linewidth": zoom * at("stroke-width", 1.0) if stroke != "none" else 0.0,
        "linestyle": (0, [zoom * float(v) for v in dashes.split()]) if dashes else "solid",
        "transform": transform,
    }
    if name == "rect":
        rx = min(at("rx"), at("width") / 2, at("height") / 2)
        style = f"round,pad=0,rounding_size={rx}" if rx else "square,pad=0"
        figure.add_artist(patches.FancyBboxPatch((at("x"), at("y")), at("width"), at("height"), boxstyle=style, **look))
    elif name == "circle":
        figure.add_artist(patches.Circle((at("cx"), at("cy")), at("r"), **look))
    elif name == "polygon":
        corners = [tuple(map(float, pair.split(","))) for pair in element.get("points", "").split()]
        figure.add_artist(patches.Polygon(corners, closed=True, **look))
    elif name == "path":
        figure.add_artist(patches.PathPatch(track(element.get("d", "")), capstyle="butt", **look))
    elif name == "text":
        write(figure, element, transform, zoom)


def track(d: str) -> Any:
    """A path of the commands that our drawings use: M, L, H and C."""
    from matplotlib.path import Path

    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    for command, numbers in re.findall(r"([MLHC])([^MLHC]*)", d):
        values = [float(v) for v in numbers.replace(",", " ").split()]
        pairs = [(values[0], points[-1][1])] if command == "H" else list(zip(values[::2], values[1::2], strict=True))
        points += pairs
        codes += [{"M": Path.MOVETO, "C": Path.CURVE4}.get(command, Path.LINETO)] * len(pairs)
    return Path(points, codes)


def write(figure: Any, element: ET.Element, transform: Any, zoom: float) -> None:
    """A text, or several after each other, with a halo where it has a stroke."""
    from matplotlib.patheffects import withStroke

    spans = list(element) or [element]
    x, y = float(element.get("x", 0)), float(element.get("y", 0))
    for span in spans:
        size, bold, text = float(span.get("font-size", 12)), span.get("font-weight") == "bold", span.text or ""
        halo = span.get("stroke")
        figure.text(
            x, y, text, transform=transform, fontsize=zoom * size, color=span.get("fill", "black"), va="baseline",
            ha="center" if element.get("text-anchor") == "middle" else "left", fontweight="bold" if bold else "normal",
            fontstyle=span.get("font-style", "normal"),
            path_effects=[withStroke(linewidth=zoom * float(span.get("stroke-width", 1)), foreground=halo)] if halo else None,
        )  # fmt: skip
        x += width(f"{text} ", size, bold)
