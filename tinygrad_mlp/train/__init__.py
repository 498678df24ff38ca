"""Training as a function: ``fit``, what it measures, when it stops, and what is seen of it meanwhile."""

from . import metrics
from .evaluation import evaluate, predict
from .fitting import fit
from .stopping import EarlyStopping

__all__ = ["EarlyStopping", "evaluate", "fit", "metrics", "predict"]
