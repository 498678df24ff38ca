"""Fourier transforms: the array API's extension, all differentiable."""

from __future__ import annotations

from typing import Any

from .namespace import members

globals().update(members("fft"))

__all__ = sorted(members("fft"))  # names from the table


def __getattr__(name: str) -> Any:
    from .errors import did_you_mean

    raise AttributeError(str(did_you_mean("function of tinygrad_mlp.fft", name, __all__)))


def __dir__() -> list[str]:
    return __all__
