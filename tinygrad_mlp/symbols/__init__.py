"""The third reading of a rule: Symbols, which write statements."""

from .handle import Traced, symbol_of, tracing
from .symbol import Symbol
from .trace import Trace, ancestors

__all__ = ["Symbol", "Trace", "Traced", "ancestors", "symbol_of", "tracing"]
