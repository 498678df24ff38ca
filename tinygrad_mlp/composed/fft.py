"""Composed functions: Fourier transforms of several axes, and shifts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..errors import ShapeError, TensorTypeError
from ..kernels.fft import OPPOSITE
from ..primitive import TABLE, composed

fft, ifft, rfft, irfft = (TABLE[name] for name in ("fft.fft", "fft.ifft", "fft.rfft", "fft.irfft"))


def sizes(x: Any, s: Any, axes: Any) -> tuple[list[int], list[int]]:
    """The lengths and the axes of a transform of several axes: by default all, or the last len(s); −1 is the present length."""
    if axes is None:
        axes = range(x.ndim) if s is None else range(-len(s), 0)
    if isinstance(axes, int):
        raise TensorTypeError(f"a transform of several axes takes them as a tuple: write axes=({axes},)")
    axes = [normalize_axis_index(axis, x.ndim) for axis in axes]
    if s is None:
        return [x.shape[axis] for axis in axes], axes
    if len(s) != len(axes):
        raise ShapeError(f"s has {len(s)} lengths for {len(axes)} axes")
    return [x.shape[axis] if n == -1 else int(n) for n, axis in zip(s, axes, strict=True)], axes


def one_axis_or_more(lengths: list[int], axes: list[int]) -> tuple[list[int], list[int]]:
    """The same, refused if there is none."""
    if not axes:
        raise ShapeError("a transform between real and complex numbers needs one axis at least")
    return lengths, axes


@composed(np.fft.fftn, name="fft.fftn")
def fftn(x: Any, /, s: Any = None, axes: Any = None, norm: str | None = "backward") -> Any:
    """The Fourier transform along several axes, by default all."""
    for n, axis in reversed(list(zip(*sizes(x, s, axes), strict=True))):
        x = fft(x, n=n, axis=axis, norm=norm)
    return x


@composed(np.fft.ifftn, name="fft.ifftn")
def ifftn(x: Any, /, s: Any = None, axes: Any = None, norm: str | None = "backward") -> Any:
    """The inverse of fftn."""
    for n, axis in reversed(list(zip(*sizes(x, s, axes), strict=True))):
        x = ifft(x, n=n, axis=axis, norm=norm)
    return x


@composed(np.fft.rfftn, name="fft.rfftn")
def rfftn(x: Any, /, s: Any = None, axes: Any = None, norm: str | None = "backward") -> Any:
    """The Fourier transform of real numbers along several axes; of the last one only the half that determines the other."""
    (*first, n), (*others, last) = one_axis_or_more(*sizes(x, s, axes))
    return fftn(rfft(x, n=n, axis=last, norm=norm), s=first, axes=others, norm=norm)


@composed(np.fft.irfftn, name="fft.irfftn")
def irfftn(x: Any, /, s: Any = None, axes: Any = None, norm: str | None = "backward") -> Any:
    """The inverse of rfftn; the length of the last axis is even unless ``s`` says otherwise."""
    (*first, n), (*others, last) = one_axis_or_more(*sizes(x, s, axes))
    n = 2 * (x.shape[last] - 1) if s is None or s[-1] == -1 else n
    for length, axis in zip(first, others, strict=True):
        x = ifft(x, n=length, axis=axis, norm=norm)
    return irfft(x, n=n, axis=last, norm=norm)


@composed(np.fft.fft2, name="fft.fft2")
def fft2(x: Any, /, s: Any = None, axes: Any = (-2, -1), norm: str | None = "backward") -> Any:
    """The Fourier transform along two axes."""
    return fftn(x, s=s, axes=axes, norm=norm)


@composed(np.fft.ifft2, name="fft.ifft2")
def ifft2(x: Any, /, s: Any = None, axes: Any = (-2, -1), norm: str | None = "backward") -> Any:
    """The inverse of fft2."""
    return ifftn(x, s=s, axes=axes, norm=norm)


@composed(np.fft.rfft2, name="fft.rfft2")
def rfft2(x: Any, /, s: Any = None, axes: Any = (-2, -1), norm: str | None = "backward") -> Any:
    """The Fourier transform of real numbers along two axes."""
    return rfftn(x, s=s, axes=axes, norm=norm)


@composed(np.fft.irfft2, name="fft.irfft2")
def irfft2(x: Any, /, s: Any = None, axes: Any = (-2, -1), norm: str | None = "backward") -> Any:
    """The inverse of rfft2."""
    return irfftn(x, s=s, axes=axes, norm=norm)


@composed(np.fft.hfft, name="fft.hfft")
def hfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Any:
    """The real spectrum of a signal with x(−t) = x(t)*, of which one half is given."""
    return irfft(np.conj(x), n=n, axis=axis, norm=OPPOSITE[norm])


@composed(np.fft.ihfft, name="fft.ihfft")
def ihfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Any:
    """The inverse of hfft."""
    return np.conj(rfft(x, n=n, axis=axis, norm=OPPOSITE[norm]))


@composed(np.fft.fftshift, name="fft.fftshift")
def fftshift(x: Any, /, axes: Any = None) -> Any:
    """Frequency 0 in the middle."""
    axes = tuple(range(x.ndim)) if axes is None else normalize_axis_tuple(axes, x.ndim, allow_duplicate=True)
    return np.roll(x, tuple(x.shape[axis] // 2 for axis in axes), axes)


@composed(np.fft.ifftshift, name="fft.ifftshift")
def ifftshift(x: Any, /, axes: Any = None) -> Any:
    """The inverse of fftshift."""
    axes = tuple(range(x.ndim)) if axes is None else normalize_axis_tuple(axes, x.ndim, allow_duplicate=True)
    return np.roll(x, tuple(-(x.shape[axis] // 2) for axis in axes), axes)
