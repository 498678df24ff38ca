"""tinygrad_mlp: reverse-mode automatic differentiation on NumPy whose every gradient can be checked, read and seen.

    import tinygrad_mlp as tg

``tg.Tensor`` records a graph, ``tensor.backward()`` and ``tg.gradients`` walk it; ``tg.nn`` and ``tg.optim`` are built on it;
``tg.manual`` is the same backpropagation by hand, and ``tg.check.compare`` finds both equal. Every primitive of the table in
``tinygrad_mlp.rules`` is a function here: ``tg.exp``, ``tg.matmul``, ``tg.softmax`` …
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import fft, linalg
from .anomaly import detect_anomaly
from .derivative import gradients
from .extend import primitive
from .functional import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .guard import guard
from .modes import is_recording, no_grad
from .namespace import members
from .tensor import Tensor
from .version import __version__

if TYPE_CHECKING:
    from . import check, data, manual, nn, optim

FUNCTIONS = members()
"""Every function of the table, every composed one, and the rest of the array API: the tables are the list."""
globals().update(FUNCTIONS)

LIBRARY = ("check", "data", "manual", "nn", "optim")
"""The floors above the engine: imported when they are first used, so that ``import tinygrad_mlp`` costs little."""

ENGINE = ("Tensor", "__version__", "detect_anomaly", "fft", "gradients", "guard", "is_recording", "linalg", "no_grad", "primitive")
TRANSFORMS = ("grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp")

__all__ = [*ENGINE, *TRANSFORMS, *LIBRARY, *FUNCTIONS]  # names from the table


def __getattr__(name: str) -> Any:
    import importlib

    if name in LIBRARY:
        return importlib.import_module(f".{name}", __name__)
    from .errors import did_you_mean

    raise AttributeError(str(did_you_mean(f"attribute of {__name__}", name, __all__)))


def __dir__() -> list[str]:
    return sorted({*__all__, *globals()})
