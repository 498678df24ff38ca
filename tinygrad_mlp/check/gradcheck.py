"""A gradient checker for any function: directions and entries against differences, kinks recognised, the wrong operation named."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, GradientError, GradientWarning, SettingError, ShapeError, TensorTypeError
from ..extend import direction
from ..graph import Node, line_of, topological
from ..kernels.shapes import Array
from ..modes import symmetric
from ..tensor import Tensor
from .examination import Derived, Examination, Recorded, weights
from .report import Fault, Finding, GradientCheck

__all__ = ["gradcheck"]


def gradcheck(
    f: Callable[..., Any],
    inputs: ArrayLike | Tensor | Sequence[ArrayLike | Tensor],
    *,
    order: int = 1,
    entries: int = 64,
    draws: int = 3,
    seed: int = 0,
) -> GradientCheck:
    """Check the gradients of a function against differences; on a failure, name the operation whose rule is wrong.

    For z = f(x) with Jacobian J the engine gives g = Jᵀ w. Along random directions v one number is computed from both sides,
    ⟨g, v⟩ = ⟨w, J v⟩, for several draws of v and w; entry by entry, gᵢ = ⟨w, J eᵢ⟩. The right-hand sides are central differences
    with steps near ε^⅓ max(1, |x|). Their tolerance is no constant: two step sizes and the slopes to both sides say how
    far the differences themselves may be off. Where f takes complex numbers and is analytic, so that Im f(x + ih v) / h agrees
    with the differences, that is compared instead, to about 1e-12. Where a derivative does not exist (a kink, a jump, a tie)
    smaller steps are tried; what is at a kink itself is reported and not judged, and then a point beside it is checked too.

    Parameters
    ----------
    f : a function of arrays that is written with NumPy, or with this package; it may return several arrays
    inputs : its arguments: one array or Tensor, or a list or tuple of them, of any shapes, floating
    order : 2 to check the gradient of ⟨u, Jᵀ w⟩ against differences of Jᵀ w as well
    entries : how many entries of each input are checked one by one: all if there are no more, else a random sample
    draws : how many random directions
    seed : of the sample, of v and of w

    Returns
    -------
    A report: prints as a table; ``.ok`` says whether nothing disagrees, ``.fault`` names the operation that does.

    Raises
    ------
    TensorTypeError, ShapeError, DataError
        For inputs that are whole numbers, empty, or not finite; for a result that is not finite or holds no floating numbers; for
        an f that gives other results when it is called again, or that does not depend on its inputs.

    Notes
    -----
    Inputs in float32 (or float16) are checked in float64, which tells a wrong rule from rounding, if f computes in float64
    when it is given that; then their own gradient is compared with the one in float64, to the rounding that a change of the
    inputs in the last bit shows. A function that converts to float32 itself is checked there, with the coarser tolerance that its
    differences have.

    Cholesky, ``eigh``, ``eigvalsh`` and functions of symmetric matrices (``linalg.expm`` …) take one triangle for the whole; their
    gradient is that of a symmetric change, shared by both triangles. Here they are given (A + Aᴴ) / 2, whose derivative by a single
    entry is half of what a change of that entry and its mirror image makes.

    Examples
    --------
    >>> import tinygrad_mlp as tg
    >>> report = gradcheck(lambda x, w: np.tanh(x @ w), [np.ones((2, 3)), np.full((3, 2), 0.5)], order=2)
    >>> report.ok, report.verdict()
    (True, 'All 30 numbers agree.')
    >>> cube = tg.primitive(lambda g, z, x: g * x**2, example=(np.ones(1) * 0,), name="cube_example")(lambda x: x**3)
    >>> report = gradcheck(lambda x: np.sum(cube(x)), np.array([1.0, 2.0]))
    >>> report.ok, report.fault.operation, f"{report.fault.exact / report.fault.numeric:.3f}"
    (False, 'cube_example', '0.333')
    """
    if order not in (1, 2):
        raise SettingError(f"gradcheck() checks order 1 or 2, not {order!r}")
    if entries < 0 or draws < 1:
        raise SettingError(f"gradcheck() needs draws from 1 up and entries from 0 up, not draws={draws}, entries={entries}")
    with np.errstate(all="ignore"), symmetric(True), warnings.catch_warnings():  # steps may leave the domain, entries the symmetry
        warnings.simplefilter("ignore", GradientWarning)  # NaN where there is no derivative is told in the report
        return examined(f, usable(inputs), order, entries, draws, seed)


def examined(f: Callable[..., Any], given: list[Array], order: int, entries: int, draws: int, seed: int) -> GradientCheck:
    """The report, for inputs that can be used."""
    names, first = names_of(f, len(given)), Recorded(f)
    arrays = doubled(first, given, steady(first, given))
    findings: list[Finding] = []
    failure = ""
    try:
        for level in range(1, order + 1):
            subject, at = subject_of(f, arrays, level, seed)
            found = Examination(subject, at, level, seed).all(entries, draws, len(arrays))
            findings += found
            if any(x.status in ("kink", "edge") for x in found):
                findings += beside(subject, at, level, seed, draws, len(arrays))
            if level == 1 and arrays is not given:
                findings += lower_precision(first, given, seed)
    except GradientError as error:
        failure = str(error)
    if not failure and all(x.exact == 0 == x.numeric for x in findings) and not depends(first, arrays):
        raise DataError(
            "gradcheck(): f does not depend on its inputs, there is nothing to check: does it use its arguments, or variables of "
            "the same names from outside?"
        )
    fault = None
    if failure or any(x.status == "wrong" for x in findings):
        fault = first_wrong(first, arrays, order, seed)
        fault = Fault("", "", "", failure) if failure and not fault.operation else fault
    return GradientCheck(findings, names, [a.shape for a in given], fault)


def usable(inputs: Any) -> list[Array]:
    """The inputs as arrays, or what is wrong with them."""
    several = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    arrays = [np.array(x.array if isinstance(x, Tensor) else x) for x in several]
    if not arrays:
        raise ShapeError("gradcheck() needs inputs: gradcheck(f, [x, y])")
    for n, a in enumerate(arrays):
        if a.dtype.kind not in "fc":
            raise TensorTypeError(
                f"gradcheck(): input {n} is {a.dtype} and has no gradient: write x.astype(float), or lambda x: f(x, labels)"
            )
        if a.size == 0:
            raise ShapeError(f"gradcheck(): input {n} of shape {a.shape} has no entries")
        if not np.isfinite(a).all():
            raise DataError(f"gradcheck(): input {n} holds NaN or infinity: nothing can be said of gradients there")
    return arrays


def names_of(f: Callable[..., Any], n: int) -> list[str]:
    """The names of the first n parameters of f, as far as it tells them."""
    try:
        known = [p.name for p in inspect.signature(f).parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        known = []
    return [known[i] if i < len(known) else f"input {i}" for i in range(n)]


def steady(subject: Recorded, arrays: list[Array]) -> Array:
    """The value of f; refused if it is not finite, or another one when f is called again."""
    middle, again = subject.values(arrays), subject.values(arrays)
    if not np.isfinite(middle).all():
        raise DataError("gradcheck(): f is not finite at these inputs: choose them inside its domain")
    if middle.shape != again.shape or not np.array_equal(middle, again):
        raise DataError(
            "gradcheck(): f gives another result when it is called again with the same inputs: make its random numbers "
            "inside f from a fixed seed, np.random.default_rng(0), put a model with dropout into model.eval(), keep no state"
        )
    return middle


def doubled(subject: Recorded, arrays: list[Array], middle: Array) -> list[Array]:
    """The inputs in double precision, if f computes in it then, the same function; else as they are."""
    if all(np.finfo(a.dtype).bits >= 64 for a in arrays):
        return arrays
    wide = [a.astype(np.complex128 if a.dtype.kind == "c" else np.float64) if np.finfo(a.dtype).bits < 64 else a for a in arrays]
    try:
        better = subject.values(wide)
        eps = max(float(np.finfo(a.dtype).eps) for a in arrays)
        same = better.shape == middle.shape and np.allclose(better, middle, rtol=eps**0.5, atol=eps**0.5 * np.max(np.abs(middle)))
    except (TypeError, ValueError):
        return arrays
    return wide if same and subject.precision(wide) < 1e-12 else arrays


def beside(subject: Recorded, arrays: list[Array], order: int, seed: int, draws: int, inputs: int) -> list[Finding]:
    """Random directions at two opposite points near by, where ties are broken: the first of three pairs that has no kink."""
    found: list[Finding] = []
    for number in range(3):
        found = []
        for side in (1, -1):
            rng = np.random.default_rng([seed, number])
            moved = [shifted(a, rng, side) if i < inputs else a for i, a in enumerate(arrays)]
            if np.isfinite(subject.values(moved)).all():
                found += Examination(subject, moved, order, seed, "beside the kinks").all(0, draws, 0)
        if found and all(x.status in ("ok", "wrong") for x in found):
            break
    return found


def shifted(a: Array, rng: np.random.Generator, side: int = 1) -> Array:
    """A point at about a hundredth of the size of a."""
    return np.asarray(a + side * 0.01 * np.maximum(1, np.abs(a)) * direction(rng, a)).astype(a.dtype)


def lower_precision(subject: Recorded, given: list[Array], seed: int) -> list[Finding]:
    """The gradients in the precision that was given against those in double precision: the entry of each input that is farthest.

    Rounding may put a number on the other side of a kink, so that three points must agree that something is wrong.
    """
    found: list[Finding] = []
    for number in range(3):
        rng = np.random.default_rng([seed, number])
        at = [shifted(a, rng) for a in given] if number else given
        low = Examination(subject, at, 1, seed)
        wide = [a.astype(np.result_type(a, np.float64)) for a in at]
        exact = subject.gradients(wide, low.w.astype(np.result_type(low.w, np.float64)))
        found = []
        for n, (a, b, j) in enumerate(zip(low.g, exact, low.jitter, strict=True)):
            apart = np.where(np.isfinite(a) == np.isfinite(b), np.nan_to_num(np.abs(a - b)), np.inf)  # ∞ in both is the same
            worst = int(np.argmax(apart))
            index = tuple(int(i) for i in np.unravel_index(worst, a.shape))
            tolerance = 4 * low.floor() + 64 * (low.eps * float(np.max(np.abs(b[np.isfinite(b)]), initial=0)) + float(np.max(j)))
            status = "ok" if apart[index] <= tolerance else "wrong"
            numbers = (
                (float(np.abs(a[index])), float(np.abs(b[index]))) if a.dtype.kind == "c" else (float(a[index]), float(b[index]))
            )
            found.append(Finding("dtype", n, index, 1, str(a.dtype), *numbers, tolerance, "float64", status))
        if all(x.status == "ok" for x in found):
            break
    return found


def depends(subject: Recorded, arrays: list[Array]) -> bool:
    """Whether the recorded graph reaches an input."""
    xs, flat = subject.record(arrays)
    return isinstance(flat, Tensor) and flat.requires_grad and not set(xs).isdisjoint(topological(flat))


def first_wrong(subject: Recorded, arrays: list[Array], order: int, seed: int) -> Fault:
    """The first operation of the graph whose rule disagrees with its own forward function, at the inputs that it was given there.

    Each is examined as f was, alone: one random direction for each of its inputs, first and second order.
    """
    flat = subject.record(arrays)[1]
    nodes = list(topological(flat)) if isinstance(flat, Tensor) and flat.requires_grad else []
    operations = [node for node in reversed(nodes) if node.op is not None]
    for node in operations:
        fault = wrong_rule(node, order, seed)
        if fault is not None:
            return fault
    return Fault("", "", "", lost(len(operations)))


def lost(operations: int) -> str:
    """What it means if no rule is wrong."""
    if not operations:
        told = "The result has no graph at all"
    else:
        told = f"Every rule of the graph ({operations} operations) agrees with differences, so the graph does not hold everything"
    return (
        f"{told}: somewhere a value has left the graph, through no_grad(), .data, .numpy(), .detach(), float(t), int(t) or "
        f"t.item(), a plain array that was written into, or an operation that has no derivative, as a comparison"
    )


def wrong_rule(node: Node, order: int, seed: int) -> Fault | None:
    """What is wrong with the rule of a node, if something is."""
    op, given = node.op, node.arrays or ()
    assert op is not None  # noqa: S101  # the caller asks for operations only
    places = [i for i, _ in node.edges]

    def alone(*xs: Tensor) -> Any:
        args = list(given)
        for i, x in zip(places, xs, strict=True):
            args[i] = x
        return Tensor._apply(op, args, node.params)

    arrays = [np.array(given[i]) for i in places]
    for level in range(1, order + 1):
        subject, at = subject_of(alone, arrays, level, seed)
        try:
            found = Examination(subject, at, level, seed).each_input()
        except GradientError as error:
            return Fault(op.name, "", line_of(node), str(error.__cause__ or error), order=level)
        for x in found:
            if x.status == "wrong":
                n = x.input or 0
                name = "its arriving gradient g" if n >= len(places) else named(op.arrays, places[n], op.variadic)
                return Fault(op.name, name, line_of(node), "", x.exact, x.numeric, level)
    return None


def named(names: Sequence[str], i: int, variadic: bool) -> str:
    """An argument of an operation: x, or its number."""
    return names[i] if i < len(names) and not variadic else f"number {i + 1}"


def subject_of(f: Callable[..., Any], arrays: list[Array], order: int, seed: int) -> tuple[Recorded, list[Array]]:
    """The function whose first derivatives are those of f of that order, and the point: at order 2 with a seed w."""
    first = Recorded(f)
    if order == 1:
        return first, arrays
    return Derived(f), [*arrays, weights(first.values(arrays), np.random.default_rng(seed))]
