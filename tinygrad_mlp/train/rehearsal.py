"""What the graph of the first loss says before the first step: what nothing would train, and what is applied twice."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..errors import SettingError
from ..graph import Node, topological
from ..nn import Module, Parameter
from ..nn.module import entries
from ..optim import Optimizer
from ..tensor import Tensor

__all__ = ["check_trained", "warn_of_probabilities"]

LOGITS = {"cross_entropy": "softmax", "binary_cross_entropy_with_logits": "sigmoid"}
"""The losses that take logits, and the activation that each of them applies."""

INSTEAD = {
    "cross_entropy": ", or write loss='cross_entropy_probabilities'",
    "binary_cross_entropy_with_logits": ", or write loss='bce_probabilities', for which accuracy has the threshold 0.5: "
    "that of logits is 0, and every probability lies above it",
}
MOVING = ("getitem", "reshape", "squeeze")
"""Operations that leave the numbers as they are."""


def check_trained(loss: Tensor, model: Module, criterion: Callable[..., Any], optimizer: Optimizer, since: int) -> None:
    """Refuse a loss with a leaf that nobody would train, and an optimiser of parameters on which the loss does not depend.

    The leaves are the tensors that require gradients and were not computed. The model's own may be left out of the optimiser: that
    is fine-tuning. Those that are younger than ``since`` were made by the call of the model itself, anew at each step.

    Raises
    ------
    SettingError
        Names the leaf, by its path in the model or the loss if it has one.
    """
    leaves = [node for node in topological(loss) if node.op is None and isinstance(node, Tensor) and node.stamp < since]
    changed, own = dict.fromkeys(optimizer.parameters), dict.fromkeys(model.parameters())
    for leaf in leaves:
        if leaf in changed or leaf in own:
            continue
        path = path_of(leaf, model, criterion)
        if path or not isinstance(leaf, Parameter):  # a parameter of another module may be fixed on purpose: a teacher's
            raise SettingError(untrained(leaf, path))
    used = dict.fromkeys(leaves)
    if not any(leaf in own and leaf in changed for leaf in leaves):
        names = [name for name, parameter in model.named_parameters() if parameter in used]
        told = ", ".join(names[:4]) + ", …" * (len(names) > 4) or "on none of the model"
        raise SettingError(
            f"the optimiser changes no parameter on which the loss depends ({told}): make it with model.parameters()"
        )


def path_of(leaf: Tensor, model: Module, criterion: Any) -> str:
    """Where a tensor stands among the attributes of the model, or of the loss; empty if it is not there."""
    owners = {"model": model} | ({"loss": criterion} if isinstance(criterion, Module) else {})
    for prefix, owner in owners.items():
        for path, module in owner.named_modules(prefix):
            for name, tensor in entries(vars(module), path, (Tensor,)):
                if tensor is leaf:
                    return name
    return ""


def untrained(leaf: Tensor, path: str) -> str:
    """The sentence for a leaf that nobody would train."""
    if path.startswith("model."):
        return (
            f"{path} is a Tensor that requires gradients, and no parameter: nothing would train it; write nn.Parameter(…), or "
            f"detach it"
        )
    what = path or f"a {type(leaf).__name__} of shape {leaf.shape}"
    return (
        f"the loss depends on {what}, which requires gradients, but neither the model nor the optimiser has it: nothing would "
        f"train it; give it to the optimiser, or detach it"
    )


def warn_of_probabilities(loss: Tensor, stacklevel: int) -> None:
    """A UserWarning if a loss that applies softmax or sigmoid itself is given outputs to which one was applied already."""
    for node in topological(loss):
        if node.op is not None and node.op.name in LOGITS:
            outputs = node.inputs[0]
            while isinstance(outputs, Node) and outputs.op is not None and outputs.op.name in MOVING:
                outputs = outputs.inputs[0]
            applied = outputs.op.name if isinstance(outputs, Node) and outputs.op is not None else ""
            if applied in LOGITS.values():
                own = LOGITS[node.op.name]
                cure = f"leave out the {applied} at the end of the model" + INSTEAD[node.op.name] * (applied == own)
                warnings.warn(
                    f"{node.op.name} takes logits, and applies {own} itself, but it is given what {applied} returns: {cure}",
                    stacklevel=stacklevel + 1,
                )
                return
