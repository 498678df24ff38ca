"""Compiled functions and training steps: straight-line NumPy, written from the graph, with every buffer planned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from ..errors import SettingError, TensorTypeError
from ..optim import Optimizer
from .function import Function
from .step import Step

__all__ = ["Function", "Step", "compile"]


@overload
def compile(f: Callable[..., Any], optimizer: None = None, *, exact: bool = False, cache: int = 8) -> Function: ...
@overload
def compile(
    f: Callable[..., Any],
    optimizer: Optimizer,
    *,
    exact: bool = False,
    clip_norm: float | None = None,
    keep_gradients: bool = False,
    cache: int = 8,
) -> Step: ...
def compile(f: Callable[..., Any], optimizer: Optimizer | None = None, **options: Any) -> Any:
    """A training step, or a function, as a straight-line NumPy program that is written once and then only run.

    ``step = compile(loss, optimizer)``: ``step(X, y)`` does what ``optimizer.zero_grad(); l = loss(X, y); l.backward();
    optimizer.step()`` does, and returns l as a float. ``compile(f)`` is f; ``compile(tg.value_and_grad(f))`` and
    ``compile(tg.grad(f))`` are these transforms of f; they take and return arrays, also in tuples, lists and dicts.

    For each combination of shapes and dtypes the function is called, twice, with values that have no numbers: shapes may decide
    what is computed, values may not. Tensors that it uses are read anew at each call, also those that are no parameters. Python
    numbers that it refers to are constants of the program; pass what changes as an argument. Random numbers of nn.Dropout are
    drawn anew in each step.

    Parameters
    ----------
    f : function of arrays; with an optimiser, of a batch, with one number as result
    optimizer : an optimiser of :mod:`tinygrad_mlp.optim`, or a subclass with its own ``update``
        Its settings may change between steps. The parameters and its state become views of flat arrays; eager steps,
        ``state_dict`` and ``load_state_dict`` can be used in between.
    exact : bool
        Keep the order of all operations, so that every bit is that of the eager step. By default sums may be taken in another
        order; docs/compile.md lists them.
    clip_norm : float, optional
        Scale the gradients of a step together so that their norm is at most this, as :func:`tinygrad_mlp.optim.clip_grad_norm`.
    keep_gradients : bool
        Leave the gradients of a step in ``.grad``. By default there are none afterwards, and the step is faster.
    cache : int
        How many programs are kept (default 8), one for each combination of shapes, modes and settings; the least recently used goes
        first.

    Raises
    ------
    TraceError
        If f asks for a number, with the line that asks.
    GraphError, ShapeError, TensorTypeError, SettingError
        If the loss does not depend on the parameters or is not one number; for other optimisers and options.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_mlp import nn, optim
    >>> model = nn.MLP([2, 8, 2], rng=0)
    >>> step = compile(lambda X, y: nn.cross_entropy(model(X), y), optim.SGD(model.parameters(), lr=0.5))
    >>> X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0])
    >>> losses = [step(X, y) for _ in range(200)]
    >>> losses[0] > 0.5, losses[-1] < 0.05
    (True, True)
    >>> print(step.source[step.source.index("def"):].splitlines()[0])
    def run(X, y, lr):
    """
    known = ("exact", "cache") if optimizer is None else ("exact", "clip_norm", "keep_gradients", "cache")
    for name in options:
        if name not in known:
            raise SettingError(f"compile() has no option {name!r} here: it takes {', '.join(known)}")
    if not callable(f):
        raise TensorTypeError(
            f"compile() takes a function (got {f!r}): write compile(lambda X, y: nn.cross_entropy(model(X), y), optimizer)"
        )
    if options.get("cache", 1) < 1:
        raise SettingError(f"compile(): cache must be 1 or more (got {options['cache']!r})")
    clip_norm = options.get("clip_norm")
    if clip_norm is not None and not clip_norm > 0:
        raise SettingError(f"compile(): clip_norm must be above 0 (got {clip_norm!r})")
    if optimizer is None:
        return Function(f, **options)
    if not isinstance(optimizer, Optimizer):
        raise TensorTypeError(f"compile(loss, optimizer) takes an optimiser of tg.optim (got {optimizer!r})")
    return Step(f, optimizer, **options)
