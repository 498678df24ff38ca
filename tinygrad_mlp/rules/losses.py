"""The table, losses fused with the output activation: the derivative is "prediction minus target", and nothing overflows."""

from __future__ import annotations

from ..kernels import losses as k
from ..kernels.losses import divisor, one_hot
from ..kernels.shapes import over
from ..primitive import primitive
from .activations import sigmoid, softmax

# fmt: off
cross_entropy = primitive("cross_entropy", k.cross_entropy,
    lambda g, z, x, y, *, reduction: over(g * (softmax(x) - one_hot(y, x.shape[-1])), divisor(reduction, y.size)),
    None, real=True, reduction="mean")
binary_cross_entropy_with_logits = primitive("binary_cross_entropy_with_logits", k.binary_cross_entropy_with_logits,
    lambda g, z, x, y, *, reduction: over(g * (sigmoid(x) - y), divisor(reduction, x.size)),
    lambda g, z, x, y, *, reduction: over(-g * x, divisor(reduction, x.size)), real=True, reduction="mean")
mse_loss = primitive("mse_loss", k.mse_loss,
    lambda g, z, x, y, *, reduction: over(g * (2 * (x - y)), divisor(reduction, x.size)),
    lambda g, z, x, y, *, reduction: over(g * (2 * (y - x)), divisor(reduction, x.size)), real=True, reduction="mean")
# fmt: on
