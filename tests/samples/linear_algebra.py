"""Samples: linear algebra."""

from __future__ import annotations

from .makers import Sample

LINEAR_ALGEBRA: dict[str, list[Sample]] = {
}
