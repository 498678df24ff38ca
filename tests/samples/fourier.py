"""Samples: Fourier transforms."""

from __future__ import annotations

from .makers import Sample

FOURIER: dict[str, list[Sample]] = {
}
