"""Fourier transforms: the array API's extension, all differentiable."""

from __future__ import annotations

from .namespace import members, refuse_name

globals().update(members("fft"))

__all__ = sorted(members("fft"))  # names from the table
__getattr__ = refuse_name("fft")


def __dir__() -> list[str]:
    return __all__
