"""Samples: composed functions."""

from __future__ import annotations

from .makers import Sample

NUMPY_FUNCTIONS: dict[str, list[Sample]] = {
}
