"""Linear algebra: the array API's extension and NumPy's further functions, all differentiable but ``matrix_rank``."""

from __future__ import annotations

from typing import Any

from .namespace import members

globals().update(members("linalg"))

__all__ = sorted(members("linalg"))  # names from the table


def __getattr__(name: str) -> Any:
    from .errors import did_you_mean

    raise AttributeError(str(did_you_mean("function of tinygrad_mlp.linalg", name, __all__)))


def __dir__() -> list[str]:
    return __all__
