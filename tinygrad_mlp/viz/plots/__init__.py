"""Training pictures with matplotlib (extra ``pictures``): each function draws on the ``ax`` that it is given, and returns it.

Without an ``ax`` a figure is made that fits its content and belongs to nobody else: no pyplot, no window, nothing to close.
``ax.figure.savefig(path)`` writes it, and ``panels.save(path)`` a picture of several axes; a notebook shows what is returned.
With an ``ax`` of your own, make its figure with ``layout="constrained"``, which leaves room for labels and colour bars.
"""

from .curves import histories
from .figures import Panels, png
from .landscape import loss_along
from .layers import activations, dead_units, gradient_flow
from .models import confusion_matrix, decision_boundary, first_layer

__all__ = [
    "Panels",
    "activations",
    "confusion_matrix",
    "dead_units",
    "decision_boundary",
    "first_layer",
    "gradient_flow",
    "histories",
    "loss_along",
    "png",
]
