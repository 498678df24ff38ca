"""The explicit chain rule of a computation: as NumPy source, as mathematics.

``derive`` reads the rules of the table with Symbols. What they write is the backpropagation that one would write by hand.
"""

from .derivation import Derivation, derive

__all__ = ["Derivation", "derive"]
