"""What the command ``tinygrad-mlp draw`` does: the picture of a network, or of what a function in a user's file computes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np

from .. import check
from ..chainrule.derivation import argument_names
from ..chainrule.examples import Computation, function_in, network
from ..errors import (
    DataError,
    GraphError,
    MissingExtraError,
    SettingError,
    ShapeError,
    TensorTypeError,
    UnknownNameError,
    is_interrupt,
)
from ..options import NETWORK, add_target, network_options, target_mistake
from ..tensor import Tensor
from .drawing import DETAILS, DIRECTIONS, FORMS, LAYOUTS, THEMES, Drawing, draw, outputs_of

__all__ = ["add", "run"]

DRAW = """\
Draw a computation: its operations with their formulas and local derivatives, its parameters, and the gradients that flow back.

The computation is that of a network, by its sizes, on random numbers; or that of a function in a file of yours. The file is
run, and what the function returns is drawn. Its example inputs are the file's variable `inputs`, a tuple, or else the variables
that have the names of the function's arguments. Without -o the computation is printed in words.

An .html file is a page on which the forward and the backward pass are played step by step; it opens from disk and needs no network.
"""

EXAMPLES = """\
examples:
  tinygrad-mlp draw --sizes 4,8,3                             in words
  tinygrad-mlp draw --sizes 4,8,3 -o graph.svg                a picture; .png .pdf .dot .mmd .txt .json too
  tinygrad-mlp draw --sizes 784,128,10 -o graph.html --open   the page, shown in the browser
  tinygrad-mlp draw model.py:loss -o graph.svg --detail full  loss(X, y) in model.py, which defines X and y too

exit codes: 0, or 2 if the command or the file cannot be used
"""

REFUSED = (DataError, GraphError, MissingExtraError, SettingError, ShapeError, TensorTypeError, UnknownNameError)


def add(commands: Any) -> None:
    """Add the command to the command line."""
    draw = commands.add_parser(
        "draw",
        help="draw a network or a function: SVG, PNG, or a page that plays the backward pass",
        description=DRAW,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(draw, "float64")
    picture = draw.add_argument_group("picture")
    picture.add_argument("-o", "--out", metavar="FILE", help=f"write to FILE, of the kind that its suffix says: {' '.join(FORMS)}")
    picture.add_argument("--open", action="store_true", help="show it: FILE, or without -o a page in a temporary folder")
    picture.add_argument("--detail", choices=DETAILS, default="op", help="modules, operations (default: op), or also each result")
    picture.add_argument("--all", action="store_true", help="fold nothing and open all modules, however large it gets")
    picture.add_argument("--direction", choices=DIRECTIONS, default="TB", help="from top to bottom (default) or left to right")
    picture.add_argument("--theme", choices=THEMES, default="auto", help="auto (default) follows the reader's system")
    picture.add_argument("--layout", choices=LAYOUTS, default="own", help="own (default), or dot: placed by Graphviz")
    picture.add_argument("--title", default="", metavar="TEXT", help="what the picture is called")


def run(arguments: argparse.Namespace) -> int:
    """Draw; 2 if there is nothing that can be drawn."""
    mistake = target_mistake(arguments, "tinygrad-mlp draw --sizes 4,8,3 -o graph.svg")
    if not mistake and arguments.out and Path(arguments.out).suffix.lower() not in FORMS:
        mistake = f"-o FILE ends in one of {' '.join(FORMS)} (got {arguments.out})"
    if mistake:
        print(f"tinygrad-mlp: {mistake}", file=sys.stderr)
        return 2
    page = bool(arguments.open and not arguments.out) or Path(arguments.out or "").suffix.lower() == ".html"
    settings = {
        "detail": arguments.detail, "direction": arguments.direction, "theme": arguments.theme, "layout": arguments.layout,
        "title": arguments.title, "fold": not arguments.all, "expand": "all" if arguments.all else "auto",
    }  # fmt: skip
    try:
        if arguments.target is not None:
            drawing = of_file(arguments.target, settings, page)
        else:
            drawing = of_network(arguments.sizes, {**NETWORK, "dtype": "float64", **network_options(arguments)}, settings, page)
        path = arguments.out
        if arguments.open and not path:
            path = str(Path(tempfile.mkdtemp(prefix="tinygrad-mlp-")) / "graph.html")
        if path:
            drawing.save(path)
            print(f"Written to {path}: {drawing}", flush=True)
        else:
            print(drawing.text.rstrip("\n"), flush=True)
    except REFUSED as error:
        print(f"tinygrad-mlp: {error}", file=sys.stderr)
        return 2
    if arguments.open and not webbrowser.open(Path(path).resolve().as_uri()):
        print(f"tinygrad-mlp: no browser was found: open {path} by hand", file=sys.stderr)
    return 0


def of_network(widths: list[int], options: dict[str, Any], settings: dict[str, Any], page: bool) -> Drawing:
    """The picture of an MLP's loss; for the page its gradients are compared with the manual backprop."""
    found = network(widths, **options)
    comparison = check.compare(found.model, found.criterion, found.X, found.y) if page else None
    names = {"model": found.model, "X": found.X, "y": found.y, "loss": (loss := found.loss(found.X, found.y))}
    return draw(loss, names=names, compare=comparison, **settings)


def of_file(target: str, settings: dict[str, Any], page: bool) -> Drawing:
    """The picture of what a function returns; if nothing in it requires gradients, with those of its floating arguments."""
    found = function_in(target)
    inputs = found.inputs
    y = called(found, inputs)
    if not any(isinstance(t, Tensor) and t.requires_grad for t in outputs_of(y)):
        inputs = [as_variable(x) for x in inputs]
        y = called(found, inputs)
    names = {name: value for name, value in vars(found.module).items() if not name.startswith("_")}
    names |= dict(zip(argument_names(found.function, len(inputs)), inputs, strict=True))
    if isinstance(y, Tensor):
        names |= {found.function.__name__: y}
    return draw(y, names=names, compare="numeric" if page else None, **settings)


def called(found: Computation, inputs: list[Any]) -> Any:
    """What the function returns.

    Raises
    ------
    DataError
        If it fails.
    """
    try:
        return found.function(*inputs)
    except REFUSED:
        raise  # they say what to write instead
    except BaseException as error:
        if is_interrupt(error):
            raise
        raise DataError(f"{found.place} fails: {type(error).__name__}: {error}") from error


def as_variable(x: Any) -> Any:
    """A floating array or number as a Tensor with a gradient; anything else as it is."""
    if isinstance(x, Tensor) or not isinstance(x, (np.ndarray, float)) or np.asarray(x).dtype.kind != "f":
        return x
    return Tensor(x, requires_grad=True)
