"""Training as a function: ``fit``, what it measures, when it stops, and what is seen of it meanwhile."""

from typing import TYPE_CHECKING, Any

from ..errors import no_attribute
from . import metrics
from .evaluation import evaluate, predict
from .fitting import fit
from .stopping import EarlyStopping

__all__ = ["EarlyStopping", "evaluate", "fit", "metrics", "predict"]

if not TYPE_CHECKING:  # a type checker itself reports names that are not here

    def __getattr__(name: str) -> Any:
        raise no_attribute(__name__, name, __all__)
