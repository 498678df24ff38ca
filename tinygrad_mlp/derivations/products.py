"""Rules of products: sums over a shared index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kernels.shapes import alike
from ..primitive import TABLE


def matmul_dx(g: Any, z: Any, x: Any, y: Any) -> Any:
    """Z = X Y, Zᵢⱼ = Σₖ Xᵢₖ Yₖⱼ  ⇒  X̄ᵢₖ = Σⱼ gᵢⱼ Yₖⱼ: X̄ = g Yᵀ. Leading axes are a batch of such products.

    A 1-D x is a row, a 1-D y a column: the missing axis is put in, and taken out of the result.
    """
    if y.ndim == 1:
        return np.expand_dims(g, -1) * y
    if x.ndim == 1:
        return g @ y.mT if y.ndim == 2 else np.squeeze(np.expand_dims(g, -2) @ y.mT, -2)
    return g @ y.mT


def matmul_dy(g: Any, z: Any, x: Any, y: Any) -> Any:
    """Z = X Y  ⇒  Ȳₖⱼ = Σᵢ Xᵢₖ gᵢⱼ: Ȳ = Xᵀ g.

    A single row i leaves one outer product, for which np.dot is faster than @ (and slower for anything else).
    """
    if x.ndim == 2 and x.shape[0] == 1 and y.ndim == 2:
        return np.dot(x.T, g)
    if x.ndim == 1:
        return x * g if y.ndim == 1 else np.expand_dims(x, -1) * np.expand_dims(g, -2)
    if y.ndim == 1:
        return x.mT @ g if x.ndim == 2 else np.squeeze(x.mT @ np.expand_dims(g, -1), -1)
    return x.mT @ g


def einsum_dx(g: Any, xs: Sequence[Any], subscripts: str, i: int) -> Any:
    """Z_out = Σ Π X_labels  ⇒  X̄ of one factor is the einsum of g with all others, indexed by that factor's labels.

    Three things need care. A label that occurs in this factor only was summed away: its gradient is the same for each value, a
    broadcast. A label twice in the factor picks its diagonal: the gradient is scattered there. An axis of length 1 was
    broadcast: the sweep sums over it, and we before a diagonal.
    """
    terms, out = subscripts.split("->")
    labels = terms.split(",")
    mine, others = labels[i], [*labels[:i], *labels[i + 1 :]]
    unique = "".join(dict.fromkeys(mine))
    kept = "".join(label for label in unique if label in out or any(label in other for other in others))
    gx = np.einsum(",".join([out, *others]) + "->" + kept, *alike([g, *xs[:i], *xs[i + 1 :]]), optimize=True)
    sizes = {label: xs[i].shape[mine.index(label)] for label in unique}
    gx = np.expand_dims(gx, tuple(n for n, label in enumerate(unique) if label not in kept))
    full = tuple(max(m, sizes[label]) for m, label in zip(gx.shape, unique, strict=True))
    gx = gx if gx.shape == full else np.broadcast_to(gx, full)
    if unique == mine:
        return gx
    gx = np.sum(gx, axis=tuple(n for n, label in enumerate(unique) if sizes[label] < full[n]), keepdims=True)
    grid = np.ix_(*[np.arange(sizes[label]) for label in unique])
    return TABLE["scatter"](gx, shape=xs[i].shape, index=tuple(grid[unique.index(label)] for label in mine))


def convolve_dx(g: Any, x: Any, y: Any, mode: str) -> Any:
    """zₖ = Σᵢ xᵢ yₖ₋ᵢ  ⇒  x̄ᵢ = Σₖ gₖ yₖ₋ᵢ: the convolution of g with the reversed y.

    ``same`` and ``valid`` return a middle part of the full result; the rest of g is zero.
    """
    n, m = np.size(x), np.size(y)
    if mode != "full":
        start = min(n, m) - 1 if mode == "valid" else (min(n, m) - 1) // 2
        g = TABLE["scatter"](g, shape=(n + m - 1,), index=(slice(start, start + g.shape[0]),))
    return np.convolve(g, np.flip(y), "valid")
