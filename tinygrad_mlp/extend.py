"""Primitives of one's own: a function, one rule for each of its array arguments, and an example on which they are checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .derivative import gradients
from .errors import GradientError, SettingError, TensorTypeError
from .kernels.shapes import Array
from .primitive import BY_NUMPY, OWN, TABLE, Primitive, Rule
from .sweep import unbroadcast
from .tensor import Tensor

__all__ = ["primitive"]

STEP = 6e-6  # the cube root of float64's precision: differences are then right to about its square
TOLERANCE = 1e-5


def primitive(
    *rules: Rule | None,
    example: Sequence[Any],
    example_params: dict[str, Any] | None = None,
    name: str = "",
    order: int = 2,
    kink: str = "",
    elementwise: bool = False,
    real: bool = False,
    **params: Any,
) -> Callable[[Callable[..., Any]], Primitive]:
    """Make a function differentiable by giving its derivative: a decorator, with the rules in the form of the library's own table.

    A rule is a vector-Jacobian product in plain NumPy: ``g`` is the gradient ∂L/∂z that arrives at the output ``z``, then come
    all inputs, and parameters by keyword; its value is ∂L/∂x for the input it belongs to. Broadcasting is undone for it.

    Parameters
    ----------
    *rules : one function for each array argument, ``None`` for one without derivative (labels, a mask)
    example : the array arguments of one call, away from kinks; the rules are checked there against central differences
    example_params : the parameters of that call that have no default
    name : by default the function's own
    order : 2 to check the second derivative as well, which needs rules that are plain NumPy; 1 if it is not wanted
    kink : the value that the rules give where there is no derivative, in words
    elementwise : whether each entry of the result depends on one entry of each input only
    real : whether the function is one of real numbers only; complex ones are then refused
    **params : the parameters with their defaults, ``...`` for one that must be given

    Returns
    -------
    A decorator; the function becomes a :class:`~tinygrad_mlp.primitive.Primitive`, which is called as before.

    Raises
    ------
    GradientError
        If a rule fails on the example, or gives a gradient of the wrong shape or dtype, or a wrong number.
    TensorTypeError, SettingError
        If the function does not compute numbers from the example, or the number of rules differs from that of the arrays.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_mlp as tg
    >>> @tg.primitive(lambda g, z, x: g * (3 * x**2), example=(np.array([1.0, -2.0]),), elementwise=True)
    ... def cube(x):
    ...     return x**3
    >>> tg.grad(cube)(2.0)
    array(12.)
    >>> try:
    ...     tg.primitive(lambda g, z, x: np.ones(7), example=(np.ones(3),), name="wrong")(np.exp)
    ... except tg.errors.GradientError as error:
    ...     print(error)
    wrong: the rule of argument 1 gave a gradient of shape (7,) for an input of shape (3,)
    """

    def define(forward: Callable[..., Any]) -> Primitive:
        title = name or getattr(forward, "__name__", "")
        if not title.isidentifier():
            raise SettingError(f"a primitive needs a name: primitive(…, name='my_function'), not {title!r}")
        if title in TABLE:
            raise SettingError(f"the library has a primitive {title!r}: choose another name")
        for rule in rules:
            if rule is not None and not callable(rule):
                raise TensorTypeError(f"{title}: a rule is a function lambda g, z, x: …, not {rule!r}")
        entry = Primitive(title, forward, rules, params, kink=kink, elementwise=elementwise, real=real)
        if not isinstance(example, (tuple, list)):
            raise SettingError(
                f"{title}: the example is a tuple of all array arguments: example=(x,), not {type(example).__name__}"
            )
        check(entry, [np.asarray(x) for x in example], {**params, **(example_params or {})}, order)
        OWN[title] = entry
        if forward not in BY_NUMPY or BY_NUMPY[forward].name in OWN:
            BY_NUMPY[forward] = entry
        return entry

    return define


def check(op: Primitive, arrays: list[Array], params: dict[str, Any], order: int) -> None:
    """The contract of a primitive, on one call: a rule for each array, gradients of their shapes and dtypes, right numbers."""
    if len(arrays) != len(op.rules):
        raise SettingError(
            f"{op.name}: {len(op.rules)} rules for {len(arrays)} arrays in the example: one for each, None for no derivative"
        )
    missing = [name for name, value in params.items() if value is ...]
    if missing:
        raise SettingError(f"{op.name}: the example needs a value for {', '.join(missing)}: example_params={{{missing[0]!r}: …}}")
    z = np.asarray(op.forward(*arrays, **params))
    if z.dtype.kind not in "fc":
        raise TensorTypeError(f"{op.name}: the function gives {z.dtype} on the example; only floating numbers have gradients")
    if op.elementwise:
        check_elementwise(op, arrays, params, z)
    rng = np.random.default_rng(0)
    w = rng.uniform(0.5, 1.5, z.shape).astype(z.dtype)
    for i, rule in enumerate(op.rules):
        if rule is not None and arrays[i].dtype.kind in "fc":
            check_form(op, rule, i, arrays, params, z, w)
            check_numbers(op, i, arrays, params, w, order)


def check_elementwise(op: Primitive, arrays: list[Array], params: dict[str, Any], z: Array) -> None:
    """A change of one entry of an input reaches only the entries of the result that it was broadcast to."""
    for i, x in enumerate(arrays):
        if x.dtype.kind not in "fc":
            continue
        for place in list(np.ndindex(x.shape))[:8]:
            moved, reached = x.copy(), np.zeros(x.shape, bool)
            moved[place] *= 1.001
            reached[place] = True
            after = np.asarray(op.forward(*[moved if j == i else a for j, a in enumerate(arrays)], **params))
            if after.shape != z.shape or bool(np.any((after != z) & ~np.broadcast_to(reached, z.shape))):
                raise SettingError(
                    f"{op.name}: elementwise=True, but entry {place} of argument {i + 1} changes other entries of the result: "
                    f"leave it out"
                )


def check_form(op: Primitive, rule: Rule, i: int, arrays: list[Array], params: dict[str, Any], z: Array, w: Array) -> None:
    """The rule can be called, and its result fits the input."""
    try:
        g = np.asarray(rule(w, z, *arrays, **params))
    except Exception as error:
        raise GradientError(
            f"{op.name}: the rule of argument {i + 1} failed on the example: {type(error).__name__}: {error} (a rule is called "
            f"with g, z, all inputs, and the parameters by keyword)"
        ) from error
    shape = arrays[i].shape
    fits = g.shape == shape or (g.shape == z.shape and np.broadcast_shapes(shape, z.shape) == z.shape)
    if not fits or unbroadcast(g, shape).shape != shape:
        raise GradientError(
            f"{op.name}: the rule of argument {i + 1} gave a gradient of shape {g.shape} for an input of shape {shape}"
        )
    if g.dtype.kind not in "fc":
        raise GradientError(
            f"{op.name}: the rule of argument {i + 1} gave a gradient of dtype {g.dtype} for an input of {arrays[i].dtype}"
        )


def check_numbers(op: Primitive, i: int, arrays: list[Array], params: dict[str, Any], w: Array, order: int) -> None:
    """The rule's gradient, and the gradient of that, along random directions against central differences in double precision."""
    double = [a.astype(np.complex128 if a.dtype.kind == "c" else np.float64) if a.dtype.kind in "fc" else a for a in arrays]
    rng = np.random.default_rng(1)
    v, u = (direction(rng, double[i]) for _ in range(2))

    def moved(step: float) -> list[Array]:
        return [np.asarray(a + step * v) if j == i else a for j, a in enumerate(double)]

    def value(at: list[Array]) -> float:
        return float(np.real(np.sum(np.conj(w) * op.forward(*at, **params))))

    def first(at: list[Array], create_graph: bool = False) -> tuple[Tensor, Any]:
        x = Tensor(at[i], requires_grad=True)
        out = op(*[x if j == i else a for j, a in enumerate(at)], **params)
        found = gradients(out, x, seed=w, create_graph=True) if create_graph else gradients(out, x, seed=w)
        return x, found

    compare(
        op,
        i,
        "gives",
        float(np.real(np.sum(np.conj(first(double)[1]) * v))),
        (value(moved(STEP)) - value(moved(-STEP))) / (2 * STEP),
    )
    if order < 2:
        return
    try:
        x, g = first(double, create_graph=True)
        second = gradients(g, x, seed=u) if g.requires_grad else np.zeros(x.shape, x.dtype)
    except Exception as error:
        raise GradientError(
            f"{op.name}: the rule of argument {i + 1} cannot be differentiated again: {error}; write it with plain NumPy calls and "
            f"operators only, or order=1 if second derivatives are not wanted"
        ) from error
    ends = [float(np.real(np.sum(np.conj(u) * first(moved(step))[1]))) for step in (STEP, -STEP)]
    compare(op, i, "has a derivative that gives", float(np.real(np.sum(np.conj(second) * v))), (ends[0] - ends[1]) / (2 * STEP))


def direction(rng: np.random.Generator, x: Array) -> Array:
    """A random direction in the space of x, with no small component."""
    v = rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1, 1], x.shape)
    return np.asarray(v + 1j * rng.uniform(0.5, 1.5, x.shape)) if x.dtype.kind == "c" else np.asarray(v)


def compare(op: Primitive, i: int, what: str, exact: float, numeric: float) -> None:
    """Refuse a number that differs from the differences."""
    if not np.isfinite(numeric):
        raise GradientError(f"{op.name}: the function is not finite around the example: choose one inside its domain")
    if not abs(exact - numeric) <= TOLERANCE * max(1.0, abs(numeric), abs(exact)):
        ratio = f" (ratio {exact / numeric:.3g})" if numeric else ""
        raise GradientError(
            f"{op.name}: the rule of argument {i + 1} {what} {exact:.10g} along a random direction, "
            f"differences give {numeric:.10g}{ratio}"
        )
