"""draw(): a picture of a computation; a Drawing is its description, and writes it in every form."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from ..chainrule import Derivation
from ..errors import DataError, SettingError, TensorTypeError, UnknownNameError, did_you_mean
from ..files import replace_file
from ..modes import recording
from ..nn import Module
from ..symbols.variables import variables_of
from ..tensor import Tensor
from .arrange.folding import Expand, fit
from .arrange.layout import layout
from .arrange.view import visible
from .graph.capture import Capture
from .graph.comparing import compared
from .graph.ir import Graph, dumps, loads

__all__ = ["Drawing", "draw", "play"]

DETAILS = ("module", "op", "full")
DIRECTIONS = ("TB", "LR")
THEMES = ("auto", "light", "dark")
LAYOUTS = ("own", "dot")


def draw(
    y: Any,
    *examples: Any,
    detail: str = "op",
    expand: Expand = "auto",
    fold: bool = True,
    parameters: bool = True,
    gradients: bool = True,
    gradient: Any = None,
    names: Mapping[str, Any] | None = None,
    compare: Any = None,
    title: str = "",
    direction: str = "TB",
    theme: str = "auto",
    layout: str = "own",
) -> Drawing:
    """A picture of the computation that led to y: its values, the chain rule of each operation, and the gradients that flow back.

    The backward pass is run for the picture, without touching any ``.grad`` and without freeing the graph; draw before
    ``backward()``, which frees it. Everything is copied: what is changed afterwards does not change the picture.

    Parameters
    ----------
    y : Tensor, list of Tensors, Module, or what :func:`tinygrad_mlp.derive` returns
        What to draw; of a module, what it computes of the ``examples``.
    detail : str
        ``"module"``: modules as boxes. ``"op"``: operations, with their formulas. ``"full"``: also each result by itself.
    expand : str, int, paths or function
        Which modules are open: ``"auto"`` as many as fit, ``"all"``, ``"none"``, down to a depth, or those of given paths
        (``["model.block1"]``), or those for which a function of the group's dict returns True.
    fold : bool
        Whether runs of equal units are drawn as one: "(Linear → relu) × 98".
    parameters : bool
        Whether parameters are drawn.
    gradients : bool
        Whether gradients are computed.
    gradient : array_like, optional
        The gradient that arrives at y, if y has more than one entry; for a list of Tensors, a list.
    names : dict of name to Tensor, ndarray or Module, optional
        What things are called; by default as the variables where draw() is called, and as the parameters of modules.
    compare : Comparison, Diagnosis, dict of name to array, or "numeric", optional
        What stands beside the gradients on the page: what :func:`tinygrad_mlp.check.compare` or
        :func:`tinygrad_mlp.check.diagnose` has found, or gradients by hand, by the parameters' names; differences of the
        recorded graph are taken for the last two.
    title : str
        What the picture is called: the heading of the page, the title of the SVG for screen readers.
    direction : str
        ``"TB"`` from top to bottom, ``"LR"`` from left to right.
    theme : str
        ``"auto"`` follows the reader's system; ``"light"``, ``"dark"``.
    layout : str
        ``"own"`` needs nothing; ``"dot"`` lets Graphviz place the boxes.

    Raises
    ------
    GraphError
        If the graph has been freed by a ``backward()``.
    SettingError, UnknownNameError, TensorTypeError, ShapeError
        For what cannot be drawn, and for unknown settings.

    Examples
    --------
    >>> from tinygrad_mlp import Tensor
    >>> a, b = Tensor(2.0, requires_grad=True), Tensor(-3.0, requires_grad=True)
    >>> L = a * b + a
    >>> g = draw(L)
    >>> print(g)
    drawing of L: 2 operations, 2 parameters
    >>> g.save("graph.svg")  # doctest: +SKIP
    """
    return drawn(
        y, examples, sys._getframe(1), detail=detail, expand=expand, fold=fold, parameters=parameters, gradients=gradients,
        gradient=gradient, names=names, compare=compare, title=title, direction=direction, theme=theme, layout=layout,
    )  # fmt: skip


def play(y: Any, *examples: Any, **settings: Any) -> Drawing:
    """The same as :func:`draw`, shown as the page on which the backward pass is played, step by step, with the numbers.

    In a notebook it shows itself; elsewhere write ``tg.play(loss).save("graph.html")`` and open the file. By default its
    gradients are compared with numeric differences.
    """
    compare = None if isinstance(y, Derivation) else "numeric"
    drawing = drawn(y, examples, sys._getframe(1), **{**(draw.__kwdefaults__ or {}), "compare": compare, **settings})
    drawing.interactive = True
    return drawing


def drawn(
    y: Any,
    examples: Sequence[Any],
    frame: FrameType,
    *,
    detail: str,
    expand: Expand,
    fold: bool,
    names: Mapping[str, Any] | None,
    direction: str,
    theme: str,
    layout: str,
    **what: Any,
) -> Drawing:
    """What draw() and play() do; names are looked up in the frame of their caller."""
    settings = {
        "detail": (detail, DETAILS),
        "direction": (direction, DIRECTIONS),
        "theme": (theme, THEMES),
        "layout": (layout, LAYOUTS),
    }
    for setting, (given, known) in settings.items():
        if given not in known:
            raise did_you_mean(setting, given, known)
    if any(not isinstance(name, str) for name in names or ()):
        raise SettingError(f"names= is a dict of name to what is called so (got {list(names or ())[:3]})")
    around = [dict(names or {}), variables_of(frame), frame.f_globals]
    graph = described(y, examples, around, full=detail == "full", **what)
    graph["detail"], graph["direction"] = detail, direction
    fit(graph, expand, fold, modules=detail == "module")
    return Drawing(graph, theme=theme, layout=layout)


def described(
    y: Any,
    examples: Sequence[Any],
    around: Sequence[Mapping[str, Any]],
    *,
    full: bool,
    parameters: bool,
    gradients: bool,
    gradient: Any,
    title: str,
    compare: Any,
) -> Graph:
    """The description of whatever is drawn."""
    if isinstance(y, Derivation):
        from .graph.derived import of_derivation

        return of_derivation(y, title)
    if isinstance(y, Module):
        if not examples:
            raise TensorTypeError(
                f"draw() of a module needs an example of its input: write tg.draw(model, X) (got {type(y).__name__} alone)"
            )
        with recording(True):
            y = y(*examples)
    elif examples:
        raise TensorTypeError("draw() takes examples for a module only: of a function, draw what it returns, tg.draw(f(X))")
    outputs = outputs_of(y)
    if not outputs or any(not isinstance(t, Tensor) for t in outputs):
        kinds = ", ".join(dict.fromkeys(type(t).__name__ for t in outputs))
        told = f"{type(y).__name__}{f' of {kinds}' if kinds else ''}"
        raise TensorTypeError(f"draw() takes a Tensor, a list of Tensors, a module with an example, or a derivation (got {told})")
    seeds = None
    if gradient is not None:
        given: Any = [gradient] if isinstance(y, Tensor) else gradient
        if not isinstance(given, (list, tuple)) or len(given) != len(outputs):
            raise SettingError(f"gradient= is a list with one for each of the {len(outputs)} outputs (got {given!r})")
        seeds = [None if g is None else np.asarray(getattr(g, "array", g)) for g in given]
    work = Capture(outputs, around, seeds=seeds, gradients=gradients, full=full, parameters=parameters)
    graph = work.graph(title)
    if compare is not None:
        alone = isinstance(compare, str) and compare == "numeric"
        slopes = work.slopes() if alone or isinstance(compare, Mapping) else None
        graph["compare"] = compared(None if alone else compare, graph, work.gradients(), slopes)
    return graph


def outputs_of(y: Any) -> list[Any]:
    """What is to be drawn, as a list: a Tensor, or those of a list, a tuple or a dict."""
    several = y.values() if isinstance(y, dict) else y if isinstance(y, (list, tuple)) else ()
    return [y] if isinstance(y, Tensor) else list(several)


class Drawing:
    """A picture of a computation. Made by :func:`draw`; shows itself in a notebook.

    Attributes
    ----------
    graph : the description that all forms are made from
    theme, layout : as given to draw()
    interactive : whether a notebook shows the page in place of the picture
    """

    def __init__(self, graph: Graph, theme: str = "auto", layout: str = "own") -> None:
        self.graph, self.theme, self.layout, self.interactive = graph, theme, layout, False

    @classmethod
    def load(cls, path: str | Path) -> Drawing:
        """A drawing that was saved as JSON."""
        try:
            return cls(loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {path}: {error}") from error

    @functools.cached_property
    def view(self) -> dict[str, Any]:
        """What is seen at first: the tree of boxes, and the edges between them."""
        return visible(self.graph)

    @functools.cached_property
    def placed(self) -> dict[str, Any]:
        """Where everything is."""
        if self.layout == "dot":
            from .forms.dot import placed_by_dot

            return placed_by_dot(self.view, self.graph["direction"])
        return layout(self.view["root"], self.view["edges"], self.graph["direction"])

    @property
    def svg(self) -> str:
        """The picture as SVG, self-contained."""
        from .forms.svg import svg

        return svg(self.graph, self.view, self.placed, theme=self.theme)

    @property
    def html(self) -> str:
        """The page as one HTML file, self-contained: it plays the computation forward and backward, and needs no network."""
        from .page import page

        return page(self.graph, theme=self.theme)

    @property
    def png(self) -> bytes:
        """The picture as PNG, at twice its size. Needs the extra ``pictures``."""
        from .forms.render import png

        return png(self.light_or_dark())

    @property
    def pdf(self) -> bytes:
        """The picture as PDF. Needs the extra ``pictures``."""
        from .forms.render import pdf

        return pdf(self.light_or_dark())

    def light_or_dark(self) -> str:
        """The picture in one theme, for paper."""
        from .forms.svg import svg

        return svg(self.graph, self.view, self.placed, theme="light" if self.theme == "auto" else self.theme)

    @property
    def dot(self) -> Any:
        """The picture as a ``graphviz.Digraph`` with plain labels, for users of Graphviz."""
        from .forms.dot import digraph

        return digraph(self.graph, self.view)

    @property
    def mermaid(self) -> str:
        """The picture as a Mermaid flowchart, which GitHub and many wikis draw."""
        from .forms.mermaid import mermaid

        return mermaid(self.graph, self.view)

    @property
    def text(self) -> str:
        """The picture in words: a line an operation, in execution order."""
        from .forms.text import text

        return text(self.graph)

    describe = text

    @property
    def json(self) -> str:
        """The description as strict JSON, of version 1."""
        return dumps(self.graph)

    def save(self, path: str | Path) -> Path:
        """Write the form that the suffix names: .svg .html .png .pdf .dot .gv .mmd .txt .json. In one step, or not at all.

        Raises
        ------
        UnknownNameError
            For another suffix.
        DataError
            If the file cannot be written.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if not suffix:
            known = " ".join(FORMS)
            raise UnknownNameError(f"unknown kind of file: the suffix says what is written, one of {known} (got {path.name!r})")
        if suffix not in FORMS:
            raise did_you_mean("kind of file", suffix, FORMS)
        replace_file(path, FORMS[suffix](self))
        return path

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if self.interactive:
            from .page import frame

            return {"text/html": frame(self.html), "text/plain": str(self)}
        return {"image/svg+xml": self.svg, "text/plain": str(self)}

    def __repr__(self) -> str:
        counts = self.graph["counts"]
        parts = [f"{counts['operations']:,} operation{'s' * (counts['operations'] != 1)}"]
        parts.append(f"{counts['parameters']:,} parameter{'s' * (counts['parameters'] != 1)}")
        return f"drawing of {self.graph['title']}: {', '.join(parts)}"


FORMS = {
    ".svg": lambda d: d.svg, ".html": lambda d: d.html, ".png": lambda d: d.png, ".pdf": lambda d: d.pdf,
    ".dot": lambda d: d.dot.source, ".gv": lambda d: d.dot.source, ".mmd": lambda d: d.mermaid, ".txt": lambda d: d.text,
    ".json": lambda d: d.json,
}  # fmt: skip
"""The kinds of files, by suffix."""
