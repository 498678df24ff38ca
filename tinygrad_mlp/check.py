"""Gradients compared: the engine's against the manual backprop's bit for bit, and both against two further witnesses.

Witnesses of the gradient of one loss:

1. the engine: the table of rules, read along the graph;
2. the manual backprop: :mod:`tinygrad_mlp.manual`, which shares no code with the engine. Equal bits are asked of it;
3. numeric: central differences in float64, on a sample of entries;
4. HIPS autograd, where installed, in float64.

The last two cannot agree in every bit; they are compared, in float64 at the same weights, by the relative difference
‖a − b‖ / max(‖b‖, 10⁻⁴ |L|); below that size a gradient drowns in the rounding of the loss.
"""

from __future__ import annotations

import copy
import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import manual
from .errors import ShapeError, TensorTypeError, UnsupportedError
from .nn.layers import MLP, Activation, Identity, LeakyReLU, Linear, Sequential, activation_named
from .nn.losses import Loss, l2_penalty, loss_named
from .nn.module import Module
from .tensor import Tensor, gradients, no_grad

__all__ = [
    "Comparison",
    "Row",
    "compare",
    "compare_gradients",
    "loss_of",
    "manual_backprop",
    "numeric_gradient",
    "relative_difference",
    "same_bits",
    "ulps",
]

Array = NDArray[Any]

NUMERIC_TOLERANCE = 1e-6
"""For central differences in float64: their own error is about 1e-10 of the loss's scale, a wrong factor is of order 1."""

HIPS_TOLERANCE = 1e-10
"""For two float64 computations of one gradient in different orders: rounding alone, 1e-16 times the number of terms."""

LOSS_TOLERANCE = 1e-5
"""For the value of the loss in float32; a hundred times its precision."""

# --- measures ---------------------------------------------------------------------------------------------------------


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays have one dtype, one shape and the same bits: stricter than ``==``, which takes −0 for 0.

    >>> same_bits(np.array([0.0]), np.array([-0.0]))
    False
    """
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return bool(np.array_equal(as_bits(a), as_bits(b)))


def as_bits(a: Array) -> Array:
    """The entries in one axis, as unsigned integers with the same bits."""
    return np.ascontiguousarray(a).reshape(-1).view(f"u{a.dtype.itemsize}")


def ulps(a: ArrayLike, b: ArrayLike) -> int:
    """The largest distance between entries of two arrays of one floating dtype, counted in representable numbers.

    0 for equal numbers (−0 and 0 are one apart, so that 0 means equal bits), 1 for neighbours; NaN against NaN counts by
    its bits.

    Raises
    ------
    ShapeError, TensorTypeError
        For different shapes or dtypes.

    Example
    -------
    >>> ulps(np.float32(1.0), np.nextafter(np.float32(1.0), np.float32(2.0)))
    1
    """
    x, y = np.asarray(a), np.asarray(b)
    if x.shape != y.shape:
        raise ShapeError(f"ulps() of arrays of shapes {x.shape} and {y.shape}: they must be equal")
    if x.dtype != y.dtype or x.dtype.kind != "f" or x.dtype.itemsize > 8:
        raise TensorTypeError(f"ulps() needs two arrays of float16, float32 or float64, not {x.dtype} and {y.dtype}")
    if x.size == 0:
        return 0

    def rank(v: Array) -> list[int]:  # the number of a float among all floats in order; Python integers cannot overflow
        bits = v.astype(v.dtype.newbyteorder("=")).ravel().view(f"i{v.dtype.itemsize}")
        lowest = int(np.iinfo(bits.dtype).min)
        return [n if n >= 0 else lowest - 1 - n for n in bits.tolist()]

    if same_bits(x, y):
        return 0
    different = as_bits(x) != as_bits(y)
    pairs = zip(rank(x.ravel()[different]), rank(y.ravel()[different]), strict=True)
    return max(abs(m - n) for m, n in pairs)


def relative_difference(a: Array, b: Array, floor: float = 0.0) -> float:
    """‖a − b‖ / max(‖b‖, floor) in float64; 0 where both are zero, ∞ where only b is; NaN is never close."""
    x, y = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    scale = float(max(np.max(np.abs(x), initial=0), np.max(np.abs(y), initial=0)))
    if not math.isfinite(scale):
        return math.inf
    if scale == 0:
        return 0.0
    norm = max(float(np.linalg.norm(y / scale)), floor / scale)
    difference = float(np.linalg.norm(x / scale - y / scale))
    return difference / norm if norm else math.inf


def numeric_gradient(f: Callable[[Array], float], x: Array, entries: Sequence[tuple[int, ...]]) -> Array:
    """∂f/∂x at some entries of x by central differences, (f(x + h) − f(x − h)) / 2h; NaN where f has a kink within reach.

    The step is h = ε^⅓ · max(1, |xᵢ|), which balances truncation against rounding (error about ε^⅔). At a kink (of ReLU,
    say) the slopes on the left and on the right differ by their own size; then smaller steps are tried.

    Parameters
    ----------
    f : function of an array like x, to a number; x is changed in place around the call and restored
    x : a float64 array
    entries : indices into x

    Example
    -------
    >>> x = np.array([1.0, 2.0])
    >>> numeric_gradient(lambda v: float((v**3).sum()), x, [(0,), (1,)]).round(6)
    array([ 3., 12.])
    """
    found = np.empty(len(entries))
    middle = f(x)
    noise = np.finfo(np.float64).eps * max(abs(middle), 1e-8)
    for number, entry in enumerate(entries):
        kept = x[entry]
        found[number] = np.nan
        for shrink in (1, 16, 256):
            h = np.cbrt(np.finfo(np.float64).eps) * max(1.0, abs(kept)) / shrink
            try:
                x[entry] = kept + h
                right, width = f(x), x[entry]
                x[entry] = kept - h
                left, width = f(x), width - x[entry]
            finally:
                x[entry] = kept
            slopes = (right - middle) / h, (middle - left) / h
            if abs(slopes[0] - slopes[1]) <= 1e-3 * max(abs(slopes[0]), abs(slopes[1])) + 1e2 * noise / h:
                found[number] = (right - left) / width
                break
    return found


# --- an MLP and its loss, read in each of the four ways -----------------------------------------------------------------


class Parts(NamedTuple):
    """What a model is made of, as far as the manual backprop can follow it."""

    linears: list[Linear]
    activation: Activation
    output: Activation | None


def parts_of(model: Module) -> Parts:
    """The linear layers and the activation of an MLP, or of a Sequential that is one.

    Raises
    ------
    UnsupportedError
        For a model that is not "Linear, activation, Linear, …, Linear" with one activation, and perhaps one at the end.
    """
    if isinstance(model, MLP):
        if not isinstance(model.activation, Activation):
            raise UnsupportedError(f"the manual backprop does not know the activation {model.activation!r}")
        return Parts(model.linears, model.activation, None)
    if isinstance(model, Sequential):
        modules = list(model)
        linears = [m for m in modules[::2] if isinstance(m, Linear)]
        between = [m for m in modules[1::2] if isinstance(m, Activation)]
        if modules and len(linears) == len(modules[::2]) and len(between) == len(modules[1::2]):
            output = between.pop() if len(between) == len(linears) else None
            if len({repr(a) for a in between}) <= 1:
                return Parts(linears, between[0] if between else Identity(), output)
    raise UnsupportedError(
        f"the manual backprop is that of an MLP: give nn.MLP, or nn.Sequential(Linear, activation, Linear, …) with one activation "
        f"(got {type(model).__name__})"
    )


def manual_names(model: Module) -> dict[str, Tensor]:
    """The parameters under the textbook's names: W1, b1, W2, …"""
    named: dict[str, Tensor] = {}
    for l, linear in enumerate(parts_of(model).linears, start=1):
        named[f"W{l}"] = linear.weight
        if linear.bias is not None:
            named[f"b{l}"] = linear.bias
    return named


def as_loss(loss: str | Loss) -> Loss:
    """A loss given by name or as a module."""
    if isinstance(loss, str):
        return loss_named(loss)
    if not isinstance(loss, Loss):
        raise TensorTypeError(
            f"a loss is a name, such as 'cross_entropy', or a module, such as nn.CrossEntropyLoss(), not {loss!r}"
        )
    return loss


def loss_of(model: Module, loss: str | Loss, X: Any, y: Any, l2: float = 0.0) -> Tensor:
    """Witness 1, forward: the loss of a batch, with its graph. ``l2`` adds (l2 / 2) Σ ‖W‖² over the weights."""
    criterion, parts = as_loss(loss), parts_of(model)
    predictions = model(X)
    if criterion.output is not None and parts.output is None:
        predictions = activation_named(criterion.output)(predictions)
    value = criterion(predictions, y)
    if l2:
        value = value + l2_penalty([linear.weight for linear in parts.linears], l2)
    total: Tensor = value
    return total


def manual_backprop(model: Module, loss: str | Loss, X: Array, y: Array, l2: float = 0.0) -> manual.Backprop:
    """Witness 2: the loss and its gradients, by :func:`tinygrad_mlp.manual.backprop`, at the model's present weights."""
    criterion, parts = as_loss(loss), parts_of(model)
    if parts.output is not None and parts.output.name != criterion.output:
        raise UnsupportedError(f"the manual backprop has no {criterion.name} after {parts.output!r}: leave it out")
    return manual.backprop(
        {name: p.array for name, p in manual_names(model).items()},
        X,
        y,
        parts.activation.name,
        criterion.name,
        mean=criterion.reduction == "mean",
        l2=l2,
        eps=getattr(criterion, "eps", 0.0),
        slope=parts.activation.negative_slope if isinstance(parts.activation, LeakyReLU) else 0.0,
    )


def in_float64(model: Module) -> Module:
    """A copy of the model with its parameters in float64."""
    twin = copy.deepcopy(model)
    for p in twin.parameters():
        p.array, p.grad = p.array.astype(np.float64), None
    return twin


def hips_gradients(model: Module, loss: str | Loss, X: Array, y: Array, l2: float) -> dict[str, Array]:
    """Witness 4: the gradients by HIPS autograd, in the dtype of the model, from formulas written for it here."""
    import autograd
    import autograd.numpy as anp

    criterion, parts = as_loss(loss), parts_of(model)
    slope = parts.activation.negative_slope if isinstance(parts.activation, LeakyReLU) else 0.0

    def softmax(z: Any) -> Any:
        e = anp.exp(z - anp.max(z, axis=1, keepdims=True))
        return e / anp.sum(e, axis=1, keepdims=True)

    def sigmoid(z: Any) -> Any:
        return 0.5 * (1 + anp.tanh(z / 2))

    functions: dict[str, Callable[[Any], Any]] = {
        "relu": lambda z: z * (z > 0),
        "leaky_relu": lambda z: anp.where(z > 0, z, slope * z),
        "sigmoid": sigmoid,
        "tanh": anp.tanh,
        "softplus": lambda z: anp.logaddexp(z, 0.0),
        "softmax": softmax,
        "identity": lambda z: z,
    }
    rows = np.arange(len(X))

    def total(p: dict[str, Any]) -> Any:
        z, depth = X, len(parts.linears)
        for l in range(1, depth + 1):
            z = anp.dot(z, p[f"W{l}"]) + p.get(f"b{l}", 0.0)
            z = functions[parts.activation.name](z) if l < depth else z
        if criterion.name == "cross_entropy":
            shifted = z - anp.max(z, axis=1, keepdims=True)
            terms = anp.log(anp.sum(anp.exp(shifted), axis=1)) - shifted[rows, y]
        elif criterion.name == "bce":
            terms = anp.logaddexp(0.0, z) - z * y
        elif criterion.name == "mse":
            terms = (z - y) ** 2
        elif criterion.name == "cross_entropy_probabilities":
            terms = -anp.log(softmax(z)[rows, y] + getattr(criterion, "eps", 0.0))
        else:
            a, eps = sigmoid(z), getattr(criterion, "eps", 0.0)
            terms = -(y * anp.log(a + eps) + (1 - y) * anp.log(1 - a + eps))
        value = anp.mean(terms) if criterion.reduction == "mean" else anp.sum(terms)
        return value + sum(l2 / 2 * anp.sum(p[f"W{l}"] ** 2) for l in range(1, depth + 1))

    found: dict[str, Array] = autograd.grad(total)({name: p.array for name, p in manual_names(model).items()})
    return found


# --- the comparison -----------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """What was found for one parameter."""

    name: str
    """The textbook's name, W1."""
    path: str
    """The name in the model, linear1.weight."""
    shape: tuple[int, ...]
    manual_shape: tuple[int, ...]
    equal_bits: bool
    ulps: int | None
    """The largest distance between engine and manual; ``None`` where shapes or dtypes differ."""
    first: tuple[int, ...] | None
    """The first entry that differs."""
    numeric: float | None = None
    """Relative difference, engine against central differences (float64)."""
    hips: float | None = None
    """Relative difference, engine against HIPS autograd (float64)."""

    @property
    def ok(self) -> bool:
        """Equal bits, and close to the other witnesses where they were heard."""
        numeric = self.numeric is None or self.numeric <= NUMERIC_TOLERANCE
        return self.equal_bits and numeric and (self.hips is None or self.hips <= HIPS_TOLERANCE)


class Comparison:
    """The report of a comparison: prints as a table, a row a parameter; ``ok`` says whether all witnesses agree.

    Attributes
    ----------
    rows : the findings, a :class:`Row` a parameter
    loss, manual_loss : the value of the loss by the engine and by hand
    """

    def __init__(self, rows: Sequence[Row], loss: float, manual_loss: float) -> None:
        self.rows, self.loss, self.manual_loss = tuple(rows), loss, manual_loss

    @property
    def ok(self) -> bool:
        """Whether the losses agree, and every row does."""
        return self.same_loss and all(row.ok for row in self.rows)

    @property
    def same_loss(self) -> bool:
        """Whether both computed the same loss, up to rounding: their sums may run in another order."""
        return bool(np.isclose(self.loss, self.manual_loss, rtol=LOSS_TOLERANCE, atol=LOSS_TOLERANCE, equal_nan=True))

    @property
    def equal_bits(self) -> bool:
        """Whether the engine's and the manual gradients are equal in every bit."""
        return all(row.equal_bits for row in self.rows)

    @property
    def first_difference(self) -> str:
        """Where the first disagreement is, in words; empty if there is none."""
        if not self.same_loss:
            return f"the loss itself: {self.loss} by the engine, {self.manual_loss} by hand"
        for row in self.rows:
            if row.ok:
                continue
            if row.shape != row.manual_shape:
                return f"{row.name} ({row.path}): engine {row.shape}, manual {row.manual_shape}: the shapes differ"
            if not row.equal_bits:
                far = "another dtype" if row.ulps is None else f"up to {row.ulps} ULPs"
                return f"{row.name} ({row.path}), first at entry {row.first}: engine and manual differ by {far}"
            if row.numeric is not None and row.numeric > NUMERIC_TOLERANCE:
                return f"{row.name} ({row.path}): the numeric derivative differs by {row.numeric:.1e} of its size"
            return f"{row.name} ({row.path}): HIPS autograd differs by {row.hips:.1e} of its size"
        return ""

    def cells(self) -> list[list[str]]:
        """The table as text: a header, and a row a parameter."""
        table = [["parameter", "in the model", "shape", "equal bits", "ULPs", "vs numeric", "vs HIPS"]]
        for row in self.rows:
            shape = " × ".join(str(n) for n in row.shape) or "()"
            if row.manual_shape != row.shape:
                shape += f", manual {row.manual_shape}"
            far = "-" if row.ulps is None else str(row.ulps)
            table.append(
                [row.name, row.path, shape, "yes" if row.equal_bits else "NO", far, decimal(row.numeric), decimal(row.hips)]
            )
        keep = [i for i in range(len(table[0])) if any(line[i] for line in table[1:])]
        return [[line[i] for i in keep] for line in table]

    def markdown(self) -> str:
        """The table in Markdown."""
        head, *body = self.cells()
        lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        return "\n".join(lines + ["| " + " | ".join(line) + " |" for line in body])

    def _repr_markdown_(self) -> str:
        return f"{self.markdown()}\n\n{self.verdict()}"

    def verdict(self) -> str:
        """The finding in a sentence."""
        if self.ok:
            return f"All {len(self.rows)} gradients agree: engine and manual backprop are equal bit for bit."
        return f"They differ. {self.first_difference}."

    def __str__(self) -> str:
        table = self.cells()
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
        return "\n".join([lines[0], "─" * max(len(line) for line in lines), *lines[1:], "", self.verdict()])

    __repr__ = __str__


def decimal(x: float | None) -> str:
    """A relative difference in two digits, empty for a witness that was not heard."""
    return "" if x is None else "0" if x == 0 else f"{x:.1e}"


def compare_gradients(
    engine: Mapping[str, Array], by_hand: Mapping[str, Array], paths: Mapping[str, str] | None = None
) -> list[Row]:
    """A row a parameter: the engine's gradients against those computed by hand, bit for bit.

    >>> for row in compare_gradients({"W1": np.zeros(2)}, {"W1": np.array([0.0, 5e-324])}):
    ...     print(row.equal_bits, row.ulps, row.first)
    False 1 (1,)
    """
    rows = []
    for name, g in engine.items():
        other = np.asarray(by_hand[name]) if name in by_hand else np.empty((0,) * (g.ndim + 1), g.dtype)
        equal, comparable = same_bits(g, other), g.shape == other.shape and g.dtype == other.dtype
        first = None
        if comparable and not equal:
            different = as_bits(g) != as_bits(other)
            first = tuple(int(i) for i in np.unravel_index(int(different.argmax()), g.shape))
        rows.append(
            Row(name, (paths or {}).get(name, name), g.shape, other.shape, equal, ulps(g, other) if comparable else None, first)
        )
    return rows


def compare(
    model: Module,
    loss: str | Loss,
    X: ArrayLike,
    y: ArrayLike,
    *,
    l2: float = 0.0,
    witnesses: bool = True,
    entries: int = 8,
    seed: int = 0,
) -> Comparison:
    """Compute the gradients of an MLP's loss by the engine and by the manual backprop, and compare them bit for bit.

    Parameters
    ----------
    model : nn.MLP, or an nn.Sequential that is one
    loss : a name (cross_entropy, bce, mse, cross_entropy_probabilities, bce_probabilities) or a loss module
    X, y : a batch, (m, n) and labels or targets; X is taken in the dtype of the parameters
    l2 : adds (l2 / 2) Σ ‖W‖² to the loss
    witnesses : also compare with central differences and, where installed, HIPS autograd, in float64
    entries, seed : how many entries of each parameter are differentiated numerically, half of them the largest, half random

    Returns
    -------
    A :class:`Comparison`. The model's ``.grad`` and data are not touched.

    Example
    -------
    >>> from tinygrad_mlp import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.MLP([4, 5, 3], rng=rng)
    >>> report = compare(model, "cross_entropy", rng.standard_normal((6, 4)), [0, 1, 2, 0, 1, 2], witnesses=False)
    >>> print(report)
    parameter  in the model    shape  equal bits  ULPs
    ──────────────────────────────────────────────────
    W1         linear1.weight  4 × 5  yes         0
    b1         linear1.bias    5      yes         0
    W2         linear2.weight  5 × 3  yes         0
    b2         linear2.bias    3      yes         0
    <BLANKLINE>
    All 4 gradients agree: engine and manual backprop are equal bit for bit.
    >>> report.ok
    True
    """
    named = manual_names(model)
    dtype = next(iter(named.values())).dtype
    batch, targets = np.asarray(X, dtype), np.asarray(y)
    if as_loss(loss).name in ("bce", "bce_probabilities", "mse"):
        targets = targets.astype(dtype)
    value = loss_of(model, loss, batch, targets, l2)
    engine = dict(zip(named, gradients(value, list(named.values())), strict=True))
    by_hand = manual_backprop(model, loss, batch, targets, l2)
    paths = {name: path for path, p in model.named_parameters() for name, q in named.items() if p is q}
    rows = compare_gradients(engine, by_hand.gradients, paths)
    if witnesses:
        rows = [
            row._replace(**heard) for row, heard in zip(rows, hear(model, loss, batch, targets, l2, entries, seed), strict=True)
        ]
    return Comparison(rows, float(value), by_hand.loss)


def hear(model: Module, loss: str | Loss, X: Array, y: Array, l2: float, entries: int, seed: int) -> list[dict[str, Any]]:
    """The numeric and the HIPS witness for each parameter, in float64 at the model's weights."""
    twin = in_float64(model)
    X = X.astype(np.float64)
    y = y.astype(np.float64) if y.dtype.kind == "f" else y
    named = manual_names(twin)
    exact = dict(zip(named, gradients(loss_of(twin, loss, X, y, l2), list(named.values())), strict=True))
    hips = hips_gradients(twin, loss, X, y, l2) if importlib.util.find_spec("autograd") else None
    rng = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    # Rounding of the loss leaves a difference quotient an error of about 1e-10 |L|: it cannot tell more of a smaller gradient.
    floor = 1e-4 * abs(float(loss_of(twin, loss, X, y, l2)))

    def value(_: Array) -> float:
        with no_grad():
            return float(loss_of(twin, loss, X, y, l2))

    for name, p in named.items():
        flat = np.argsort(-np.abs(exact[name]), axis=None, kind="stable")[: (entries + 1) // 2]
        chosen = dict.fromkeys([*flat.tolist(), *rng.integers(0, p.size, entries // 2).tolist()])
        where = [tuple(int(n) for n in np.unravel_index(i, p.shape)) for i in chosen]
        numeric = numeric_gradient(value, p.array, where)
        smooth = ~np.isnan(numeric)
        picked = np.array([exact[name][i] for i in where])
        found.append(
            {
                "numeric": relative_difference(picked[smooth], numeric[smooth], floor) if smooth.any() else None,
                "hips": None if hips is None else relative_difference(exact[name], hips[name], floor),
            }
        )
    return found
