"""A recorded function beside its difference quotients: one number of its gradients at a time, from both sides."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import rules
from ..derivative import gradients
from ..errors import TensorTypeError
from ..extend import direction
from ..graph import topological
from ..kernels.shapes import Array
from ..modes import recording
from ..primitive import COMPLEX_STEP
from ..tensor import Tensor
from ..trees import leaves
from .measures import SHRINK, Slope, scatter, slope, step_of
from .report import Finding

__all__ = ["Derived", "Examination", "Recorded", "weights"]

EXACT = 1e-12
"""The tolerance of the complex step, relative to the terms of the number: it has no truncation and cancels nothing."""

TINY = 2.0**-100
"""The complex step: its square is nothing beside 1."""


class Recorded:
    """A function of arrays, with its values in one array, and its gradients by the engine."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f

    def record(self, arrays: Sequence[Array]) -> tuple[list[Tensor], Any]:
        """The variables, and the result, several in one axis; f gets copies of the variables, to which it may assign."""
        with recording(True):
            xs = [Tensor(a, requires_grad=True) for a in arrays]
            ends = [e if isinstance(e, Tensor) else np.asarray(e) for e in leaves(self.f(*map(rules.positive, xs)))]
            ends = [e for e in ends if e.dtype.kind in "fc" and e.size]
            if not ends:
                raise TensorTypeError("gradcheck(): the result of f holds no floating numbers, so it has no gradient")
            return xs, ends[0] if len(ends) == 1 else rules.concat([rules.reshape(e, -1) for e in ends])

    def values(self, arrays: Sequence[Array]) -> Array:
        """The results."""
        flat = self.record(arrays)[1]
        return flat.array if isinstance(flat, Tensor) else np.asarray(flat)

    def gradients(self, arrays: Sequence[Array], w: Array) -> list[Array]:
        """The gradients of Re ⟨w, f⟩."""
        xs, flat = self.record(arrays)
        if not isinstance(flat, Tensor) or not flat.requires_grad:
            return [np.zeros_like(a) for a in arrays]
        return list(gradients(flat, xs, seed=w.astype(flat.dtype)))

    def graph(self, arrays: Sequence[Array]) -> tuple[list[Tensor], Any]:
        """The variables, and the values that were computed from them."""
        return self.record(arrays)

    def scattered(self, arrays: Sequence[Array], w: Array, key: Sequence[int], limits: Sequence[float]) -> list[Array]:
        """What rounding inside may do to the values and to the gradients; zeros where the graph does not tell."""
        xs, end = self.graph(arrays)
        nothing = [np.zeros(w.shape), *(np.zeros(a.shape) for a in arrays)]
        if not isinstance(end, Tensor) or not end.requires_grad or end.shape != w.shape:
            return nothing
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return scatter(end, xs, w, key, limits)
        except Exception:  # whatever a user's operation says to other numbers
            return nothing

    def precision(self, arrays: Sequence[Array]) -> float:
        """The coarsest ε of the inputs and of what is computed from them."""
        flat = self.record(arrays)[1]
        met = [flat.dtype, *(a.dtype for a in arrays)]
        if isinstance(flat, Tensor) and flat.requires_grad:
            met += [n.array.dtype for n in topological(flat) if n.op is not None]
        return max(float(np.finfo(d).eps) for d in met)

    def scale(self, arrays: Sequence[Array]) -> float:
        """The size of the numbers that the results are computed from, as far as it can be told."""
        return float(np.max(np.abs(self.values(arrays))))


class Derived(Recorded):
    """The function (x, w) ↦ Jᵀ w, the gradients of f."""

    def precision(self, arrays: Sequence[Array]) -> float:
        """The coarsest ε on the way to the results of f."""
        return super().precision(arrays[:-1])

    def scale(self, arrays: Sequence[Array]) -> float:
        """That of f and of its gradients."""
        return float(max(np.max(np.abs(Recorded.values(self, arrays[:-1]))), np.max(np.abs(self.values(arrays)))))

    def values(self, arrays: Sequence[Array]) -> Array:
        """Jᵀ w for all inputs, in one axis."""
        *xs, w = arrays
        return np.concatenate([g.reshape(-1) for g in super().gradients(xs, w)])

    def gradients(self, arrays: Sequence[Array], w: Array) -> list[Array]:
        """The gradients of Re ⟨u, Jᵀ w⟩ in x and w, from the graph of the gradients; w here is that seed u."""
        xs, first = self.graph(arrays)
        if first is None or not first.requires_grad:
            return [np.zeros_like(a) for a in arrays]
        return list(gradients(first, xs, seed=w.astype(first.dtype)))

    def graph(self, arrays: Sequence[Array]) -> tuple[list[Tensor], Any]:
        """x and w, and Jᵀ w as it was computed from them."""
        *points, seed = arrays
        xs, flat = self.record(points)
        if not isinstance(flat, Tensor) or not flat.requires_grad:
            return xs, None
        arriving = Tensor(seed.astype(flat.dtype), requires_grad=True)
        first = rules.concat([rules.reshape(g, -1) for g in gradients(flat, xs, seed=arriving, create_graph=True)])
        return [*xs, arriving], first

    def scattered(self, arrays: Sequence[Array], w: Array, key: Sequence[int], limits: Sequence[float]) -> list[Array]:
        """The same; where f itself has lost its digits, what looks like a jump of the gradients is rounding as well."""
        *points, seed = arrays
        xs, end = self.record(points)
        if isinstance(end, Tensor) and end.requires_grad:
            values = Recorded(self.f).scattered(points, seed, key, [0.0] * (1 + len(xs)))[0]
            if np.any(values > 1e-3 * np.maximum(1, np.abs(end.array))):
                limits = [np.inf] * len(limits)
        return super().scattered(arrays, w, key, limits)


def weights(like: Array, rng: np.random.Generator) -> Array:
    """A gradient that arrives: not uniform, so that a transposed or shifted result shows."""
    return direction(rng, like).astype(like.dtype)


def paired(g: Sequence[Array], v: Sequence[Array]) -> tuple[float, float]:
    """Re Σ g* v, and the sum of its terms' sizes; an infinite slope across the direction does not count."""
    terms = [np.real(np.conj(a[d != 0]) * d[d != 0]) for a, d in zip(g, v, strict=True)]
    return float(sum(t.sum() for t in terms)), float(sum(np.abs(t).sum() for t in terms))


class Examination:
    """The comparison of a function's gradients with differences, at one point.

    Parameters
    ----------
    subject, arrays : the function, and the point
    order, seed, where : noted in the findings; the seed decides about v and w
    """

    def __init__(self, subject: Recorded, arrays: list[Array], order: int, seed: int, where: str = "") -> None:
        self.subject, self.arrays, self.order, self.where = subject, arrays, order, where
        self.key = [seed, order]
        self.rng = np.random.default_rng(self.key)
        self.middle = subject.values(arrays)
        self.eps = subject.precision(arrays)
        self.draw()
        self.scale = self.subject.scale(arrays)
        self.noise, self.jitter = self.rounding()
        self.complex = order == 1 and all(a.dtype == np.float64 for a in (*arrays, self.middle))  # until it does not agree

    def draw(self) -> None:
        """Another seed w, and the gradients that belong to it."""
        self.w = weights(self.middle, self.rng)
        self.g = self.subject.gradients(self.arrays, self.w)
        self.typical = max(float(np.max(np.abs(g[np.isfinite(g)]), initial=0)) for g in self.g)

    def rounding(self) -> tuple[Array, list[Array]]:
        """What rounding leaves open of the values and of the gradients: how they change with the last bits of the inputs, and how
        far Jᵀ w is from Jᵀ u + Jᵀ (w − u), to which it would be equal without rounding; and how they scatter when every operation
        inside is moved by its last bit.

        A change beyond half of the digits is a kink, a jump or a wrong rule, and does not count.
        """
        scale = max(1.0, self.scale)
        noise, jitter = self.eps * np.abs(self.middle), [np.zeros(a.shape) for a in self.arrays]
        if self.order > 1:  # these values are gradients, whose terms may have cancelled
            noise = noise + self.eps * self.scale / 4
        limits = [scale] + [max(scale, self.typical)] * (2 * len(self.g))
        n = len(self.g)
        for _ in range(2):
            at = [(a * (1 + 2 * np.finfo(a.dtype).eps * self.rng.choice([-1, 1], a.shape))).astype(a.dtype) for a in self.arrays]
            now = [self.subject.values(at), *self.subject.gradients(at, self.w)]
            u = weights(self.middle, self.rng)
            halves = zip(self.subject.gradients(self.arrays, u), self.subject.gradients(self.arrays, self.w - u), strict=True)
            changes = [np.abs(a - b) for a, b in zip(now, [self.middle, *self.g], strict=True)]
            changes += [np.abs(a + b - g) for (a, b), g in zip(halves, self.g, strict=True)]
            changes = [np.where(c < self.eps**0.5 * limit, c, 0) for c, limit in zip(changes, limits, strict=True)]
            noise, jitter = (
                np.maximum(noise, changes[0]),
                list(map(np.maximum, jitter, map(np.add, changes[1 : 1 + n], changes[1 + n :]))),
            )
        values, *inside = self.subject.scattered(self.arrays, self.w, self.key, [self.eps**0.5 * x for x in limits[: 1 + n]])
        # a scatter is not missed by luck, as a change of the inputs may be: a quarter of it stands for that
        return np.maximum(noise, values), [np.maximum(j, s / 4) for j, s in zip(jitter, inside, strict=True)]

    def all(self, entries: int, draws: int, inputs: int) -> list[Finding]:
        """The entries of the first so many inputs, one by one; then random directions, which keep still what is at a kink."""
        found = []
        free = [np.ones(a.shape) for a in self.arrays]
        for n, a in enumerate(self.arrays[:inputs]):
            places = range(a.size) if a.size <= entries else sorted(self.rng.choice(a.size, entries, replace=False).tolist())
            for number in places:
                place = tuple(int(i) for i in np.unravel_index(number, a.shape))
                for unit in (1.0, 1j) if a.dtype.kind == "c" else (1.0,):
                    found.append(self.entry(n, place, unit))
                    if found[-1].status in ("kink", "edge"):
                        free[n][place] = 0
        for number in range(draws):
            if number:
                self.draw()
            found.append(self.along([direction(self.rng, a) * m for a, m in zip(self.arrays, free, strict=True)], None, number))
        return found

    def entry(self, n: int, place: tuple[int, ...], unit: complex) -> Finding:
        """One entry of the gradient of input n; of a complex one, along 1 or along i."""
        v = [np.zeros_like(a) for a in self.arrays]
        v[n][place] = unit
        size = float(abs(self.arrays[n][place]))
        widths = [power_of_two(max(1.0, size))] + ([power_of_two(size)] if 0 < size < 0.5 else [])
        return self.compare([(v, width) for width in widths], Finding("entry", n, place, self.order, self.where))

    def along(self, units: list[Array], n: int | None, number: int) -> Finding:
        """The gradients along a random direction, with steps in proportion to max(1, |x|), then to |x|."""
        ways = [([u * np.maximum(1, np.abs(a)) for u, a in zip(units, self.arrays, strict=True)], 1.0)]
        ways.append(([u * np.abs(a) for u, a in zip(units, self.arrays, strict=True)], 1.0))
        return self.compare(ways, Finding("direction", n, (number,), self.order, self.where))

    def each_input(self) -> list[Finding]:
        """One random direction for each input alone."""
        still = [np.zeros(a.shape) for a in self.arrays]
        return [
            self.along([direction(self.rng, a) if i == n else still[i] for i, a in enumerate(self.arrays)], n, 0)
            for n in range(len(self.arrays))
        ]

    def compare(self, ways: list[tuple[list[Array], float]], asked: Finding) -> Finding:
        """The number of the gradients along a direction against the best difference quotients.

        All steps that are about as good as the best must contradict the gradient: no single one is believed alone.
        """
        finite = False
        for v, width in ways:
            tried, noise = [], self.noise
            for shrink in SHRINK:
                h = step_of(self.eps) * width
                exact_v = [on_grid(a, d, h * SHRINK[-1]) for a, d in zip(self.arrays, v, strict=True)]
                move = self.mover(exact_v)
                found = slope(move, self.middle, self.w, h * shrink, noise)
                if noise is self.noise and 8 * found.rounding > 1e-4 * abs(found.value):
                    noise = np.where(self.reached(move, width), self.noise, 0)
                    found = slope(move, self.middle, self.w, h * shrink, noise)
                finite = finite or bool(np.isfinite(found.error))
                if found.smooth:
                    tried.append(self.judged(found, exact_v, asked))
                    if found.sharp and tried[-1].status == "ok":
                        break
            if tried:
                best = min(x.tolerance for x in tried)
                return min((x for x in tried if x.tolerance <= 100 * best), key=lambda x: (x.status == "wrong", x.tolerance))
        exact = paired(self.g, ways[0][0])[0]
        return asked._replace(exact=exact, status="kink" if finite else "edge")

    def reached(self, move: Callable[[float], Array], width: float) -> Array:
        """Which values depend on t at all, also where a staircase of rounding hides it from small steps; in doubt, all."""
        try:
            ends = [move(side * width * far) for far in (1 / 16, 1, 16, 1024) for side in (1, -1)]
        except Exception:  # so far away f may refuse
            ends = []
        if not ends or any(end.shape != self.middle.shape for end in ends):
            return np.ones(self.middle.shape, bool)
        return np.asarray(np.any([end != self.middle for end in ends], axis=0))

    def judged(self, found: Slope, v: list[Array], asked: Finding) -> Finding:
        """The verdict from one difference quotient, or from the complex step where that agrees with it."""
        exact, size = paired(self.g, v)
        size = max(size, self.typical) if np.isfinite(size) else 0.0
        least = 64 * self.eps * size + self.floor() * sum(
            float(np.sum(np.abs(d) / np.maximum(1, np.abs(a)))) for a, d in zip(self.arrays, v, strict=True)
        )
        rounding = least + 64 * sum(float(np.sum(j * np.abs(d))) for j, d in zip(self.jitter, v, strict=True))
        numeric, tolerance, method = found.value, found.error + rounding, "differences"
        if self.complex:
            steps = [self.complex_step(v, step) for step in (TINY, TINY / 3, TINY / 7)]
            better = [x for x in steps if x is not None]
            if len(better) < len(steps) or abs(better[0] - found.value) > found.error + EXACT * size:
                self.complex = False
            elif found.error <= 1e-3 * abs(better[0]):  # else the differences see too little to agree with anything
                blur = 64 * (max(better) - min(better))
                closer = EXACT * size + rounding + blur
                doubtful = closer < abs(exact - better[0]) < 20 * closer  # rounding inside f, perhaps: the differences decide
                if not doubtful:
                    numeric, tolerance, method = better[0], closer, "complex step"
        status = "ok" if abs(exact - numeric) <= tolerance else "wrong"
        if status == "ok" and found.error > 1e-2 * max(abs(exact), abs(numeric), self.typical) and abs(exact) > least:
            status = "noise"
        return asked._replace(exact=exact, numeric=numeric, tolerance=tolerance, method=method, status=status)

    def floor(self) -> float:
        """The rounding of a gradient whose terms cancel, per unit of a direction: ε times the size of f."""
        return 16 * self.eps * self.scale * float(np.max(np.abs(self.w)))

    def mover(self, v: list[Array]) -> Callable[[float], Array]:
        """t ↦ f(x + t v)."""
        moving = [bool(np.any(d)) for d in v]

        def at(t: float) -> Array:
            return self.subject.values(
                [(a + t * d).astype(a.dtype) if m else a for a, d, m in zip(self.arrays, v, moving, strict=True)]
            )

        return at

    def complex_step(self, v: list[Array], step: float) -> float | None:
        """⟨w, Im f(x + ih v) / h⟩, or ``None`` where f does not take complex numbers, or turns them into real ones."""
        token = COMPLEX_STEP.set(True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                z = self.subject.values([a + 1j * step * d for a, d in zip(self.arrays, v, strict=True)])
        except Exception:  # whatever the user's function says to them
            return None
        finally:
            COMPLEX_STEP.reset(token)
        if z.dtype.kind != "c" or z.shape != self.middle.shape or not np.isfinite(z).all():
            return None
        return float(np.sum(self.w * z.imag) / step)


def power_of_two(x: float) -> float:
    """The largest power of two that is not above x."""
    return float(2.0 ** np.floor(np.log2(x)))


def on_grid(x: Array, v: Array, h: float) -> Array:
    """v rounded such that x + h v, and x with larger steps, are free of rounding (as far as they stay in one binade)."""
    return np.asarray(((x + h * v).astype(x.dtype) - x) / h)
