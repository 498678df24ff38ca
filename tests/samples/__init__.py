"""Sample inputs for every function of the table and every composed one: what the tests of the rules run on.

To add a function, add its entry and its samples in the chapter here; ``test_every_function_has_samples`` insists. Samples keep
clear of kinks (ties and jumps have tests of their own) and of the edge of the domain.
"""

from __future__ import annotations

from .convolution import CONVOLUTION
from .core import CORE
from .fourier import FOURIER
from .linear_algebra import LINEAR_ALGEBRA
from .makers import Sample
from .numpy_functions import NUMPY_FUNCTIONS

__all__ = ["SAMPLES", "Sample"]

SAMPLES: dict[str, list[Sample]] = {**CORE, **CONVOLUTION, **NUMPY_FUNCTIONS, **LINEAR_ALGEBRA, **FOURIER}
