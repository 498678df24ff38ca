"""Exercises in backprop by hand: a blank to fill in, or a mistake to find, graded step by step by the gradient doctor.

Six levels come with the package, in ``levels/``, in the same format that teachers write their own in: see ``markup.py``.
"""

from .grading import Grade, grade
from .shelf import Exercise, level, levels, of_teacher
from .writing import new

__all__ = ["Exercise", "Grade", "grade", "level", "levels", "new", "of_teacher"]
