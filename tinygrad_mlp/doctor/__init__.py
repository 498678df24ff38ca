"""The gradient doctor: which step of the chain rule went wrong in a backprop written by hand."""

from .diagnosis import Cause, Diagnosis, Row, Unexercised
from .examine import diagnose

__all__ = ["Cause", "Diagnosis", "Row", "Unexercised", "diagnose"]
