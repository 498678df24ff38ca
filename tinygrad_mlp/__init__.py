"""tinygrad_mlp: reverse-mode automatic differentiation on NumPy whose every gradient can be checked, read and seen.

    import tinygrad_mlp as tg

``tg.Tensor`` records a graph, ``tensor.backward()`` and ``tg.gradients`` walk it; ``tg.nn`` and ``tg.optim`` are built on it;
``tg.manual`` is the same backpropagation by hand, and ``tg.check.compare`` finds both equal. Every primitive of the table in
``tinygrad_mlp.rules`` is a function here: ``tg.exp``, ``tg.matmul``, ``tg.softmax`` …
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import rules
from .modes import is_recording, no_grad
from .rules import *  # noqa: F403  # every primitive is a public function: the table is the list
from .tensor import Tensor, gradients
from .version import __version__

if TYPE_CHECKING:
    from . import check, data, manual, nn, optim

LIBRARY = ("check", "data", "manual", "nn", "optim")
"""The floors above the engine: imported when they are first used, so that ``import tinygrad_mlp`` costs little."""

__all__ = ["Tensor", "__version__", "gradients", "is_recording", "no_grad", *LIBRARY, *rules.PRIMITIVES]


def __getattr__(name: str) -> Any:
    import importlib

    if name in LIBRARY:
        return importlib.import_module(f".{name}", __name__)
    from .errors import did_you_mean

    raise AttributeError(str(did_you_mean(f"attribute of {__name__}", name, __all__)))


def __dir__() -> list[str]:
    return sorted({*__all__, *globals()})
