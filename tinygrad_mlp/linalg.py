"""Linear algebra: the array API's extension and NumPy's further functions, all differentiable but ``matrix_rank``."""

from __future__ import annotations

from .namespace import members, refuse_name

globals().update(members("linalg"))

__all__ = sorted(members("linalg"))  # names from the table
__getattr__ = refuse_name("linalg")


def __dir__() -> list[str]:
    return __all__
