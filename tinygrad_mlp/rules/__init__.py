"""THE TABLE of rules: every differentiable function, NumPy's own, with one line an argument.

How to read a line: ``z`` is the output, ``g`` the gradient ∂L/∂z that arrives at it, ``x, y`` are the inputs, and the
value is what goes on to that input, ∂L/∂x. Parameters are keyword-only. The sum over broadcast axes, the check of
shape and dtype, and the accumulation are done once, by the sweep in :mod:`tinygrad_mlp.graph`, never in a rule.

The lines are plain NumPy. Read with arrays they compute; read with Tensors they record, and a gradient can be
differentiated again. For that the table is closed: every function that a rule calls is in the table, is composed of functions
of the table (:mod:`tinygrad_mlp.composed`), or is constant. Inside a rule: operators, ``np.`` functions, ``.shape``, ``.dtype``
and ``.mT``; ``if`` on shapes and dtypes, never on values.

A complex number z = a + ib is differentiated like two real ones. Between the ends of a sweep a gradient stands for
∂L/∂a − i ∂L/∂b; for an analytic function the chain rule is then the one of real numbers, ``g * f'(x)``, and its rule is written
once. Conjugation occurs only where it belongs to the mathematics: abs, conj, vecdot …

To add a primitive, add an entry in its chapter and its sample inputs in ``tests/samples``. It is then ``tg.name(x)``, and
``np.name(x)`` where NumPy has it, and is tested at first and second order.
"""

from __future__ import annotations

from ..primitive import TABLE
from .activations import *
from .convolution import *
from .elementwise import *
from .fft import *
from .linalg import *
from .losses import *
from .products import *
from .reductions import *
from .shapes import *

PRIMITIVES = [name for name in TABLE if "." not in name]
"""The names of the table's variables that are public functions of the package; ``linalg.inv`` and the like are in tg.linalg."""

__all__ = PRIMITIVES
