"""The rules that need more than a line, each with its derivation.

Like the one-line rules of the table they are written in plain NumPy calls and operators, ask only for shapes and dtypes, and
work for arrays, Tensors and every other reading alike. ``g`` is the gradient that arrives at the output ``z``.
"""
