"""tinygrad_mlp: reverse-mode automatic differentiation on NumPy whose every gradient can be checked, read and seen.

    import tinygrad_mlp as tg

``tg.grad(f)`` is the gradient of a function that is written with NumPy; ``tg.hessian``, ``tg.jvp`` and others are its like.
``tg.Tensor`` records a graph, ``tensor.backward()`` and ``tg.gradients`` walk it; ``tg.nn`` and ``tg.optim`` are built on it;
``tg.manual`` is the same backpropagation by hand, and ``tg.check.compare`` finds both equal. The functions of the array API, and
every primitive of the table in ``tinygrad_mlp.rules``, are functions here: ``tg.exp``, ``tg.linalg.inv``, ``tg.softmax`` …
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .derivative import gradients as gradients
from .extend import primitive as primitive
from .guard import guard as guard
from .modes import is_recording as is_recording
from .modes import no_grad as no_grad
from .namespace import members
from .tensor import Tensor as Tensor
from .version import __version__ as __version__

if TYPE_CHECKING:  # "as": type checkers take these names for public, since they cannot read __all__ below
    from . import check as check
    from . import data as data
    from . import fft as fft
    from . import functional as functional
    from . import linalg as linalg
    from . import manual as manual
    from . import nn as nn
    from . import optim as optim
    from . import train as train
    from . import viz as viz
    from .anomaly import detect_anomaly as detect_anomaly
    from .chainrule import derive as derive
    from .compiler import compile as compile  # noqa: A004  # its name here
    from .functional import grad as grad
    from .functional import hessian as hessian
    from .functional import hvp as hvp
    from .functional import jacobian as jacobian
    from .functional import jvp as jvp
    from .functional import value_and_grad as value_and_grad
    from .functional import vjp as vjp
    from .history import History as History
    from .train import fit as fit
    from .viz import draw as draw
    from .viz import play as play
    from .viz import plots as plots
    from .watching import watch as watch

FUNCTIONS = members()
"""Every function of the table, every composed one, and the rest of the array API: the tables are the list."""
globals().update(FUNCTIONS)
globals().pop("tensor", None)  # the module of Tensor: tg.tensor([1.0]) is to say what to write

ENGINE = ("Tensor", "__version__", "gradients", "guard", "is_recording", "no_grad", "primitive")

# what is imported when it is first used, so that ``import tinygrad_mlp`` costs little: modules, and functions of modules
LIBRARY = ("check", "data", "fft", "functional", "linalg", "manual", "nn", "optim", "train", "viz")
LATER = {
    "History": "history", "compile": "compiler", "derive": "chainrule", "detect_anomaly": "anomaly", "draw": "viz", "fit": "train",
    "play": "viz", "plots": "viz", "watch": "watching",
    **dict.fromkeys(("grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"), "functional"),
}  # fmt: skip

__all__ = [*ENGINE, *LATER, *LIBRARY, *FUNCTIONS]  # names from the table


def __getattr__(name: str) -> Any:
    import importlib

    if name in LIBRARY:
        return importlib.import_module(f".{name}", __name__)
    if name in LATER:
        return getattr(importlib.import_module(f".{LATER[name]}", __name__), name)
    from .errors import no_attribute

    raise no_attribute(__name__, name, __all__)


def __dir__() -> list[str]:
    return sorted(__all__)
