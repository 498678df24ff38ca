"""Colour images of shapes, generated: ten classes, the shape and its filling, anywhere in the picture, in any light colour.

A stand-in for CIFAR-10 where nothing may be downloaded: images 3 × 32 × 32 of bytes, ten classes. Colour, place and size
say nothing about the class; what tells is which pixels lie beside which.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SIDE = 32
FORMS = ("disc", "square", "triangle", "cross", "ring")
FILLINGS = ("plain", "striped")
CLASSES = tuple(f"{filling} {form}" for form in FORMS for filling in FILLINGS)


class Images(NamedTuple):
    """Images X ``(m, 3, 32, 32)`` of bytes, red, green and blue planes; labels y ``(m,)`` from 0 to 9."""

    X: Array
    y: Array


def draw_images(m: int, rng: np.random.Generator, noise: float = 12.0) -> Images:
    """m images, the classes in equal shares and in random order.

    Parameters
    ----------
    m : how many
    rng : draws everything
    noise : standard deviation of the noise of each of the 3072 numbers, of 255
    """
    y = rng.permutation(np.arange(m) % len(CLASSES))
    form, striped = y // len(FILLINGS), y % len(FILLINGS) == 1
    across, down, radius = offsets(m, rng)
    inside = masks(form, across, down, radius)

    ground, colour = rng.uniform(0, 130, (m, 3, 1, 1)), rng.uniform(125, 255, (m, 3, 1, 1))
    period, turn = rng.uniform(3, 5, (m, 1, 1)), rng.uniform(0, np.pi, (m, 1, 1))
    wave = np.sin(2 * np.pi * (across * np.cos(turn) + down * np.sin(turn)) / period)
    light = np.where(striped[:, None, None], 0.5 + 0.5 * wave, 1.0)[:, None]

    painted = np.where(inside[:, None], ground + light * (colour - ground), ground)
    noisy = painted + noise * rng.standard_normal((m, 3, SIDE, SIDE))
    return Images(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), y)


def offsets(m: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """For each pixel its distance to the right of and below the centre of the shape, (m, 32, 32) each; the radii, (m, 1, 1)."""
    radius = rng.uniform(5.0, 9.0, (m, 1, 1))
    middle = rng.uniform(radius, SIDE - 1 - radius, (2, m, 1, 1))
    pixels = np.arange(SIDE, dtype=np.float64)
    across = np.broadcast_to(pixels[None, None, :] - middle[0], (m, SIDE, SIDE))
    down = np.broadcast_to(pixels[None, :, None] - middle[1], (m, SIDE, SIDE))
    return across, down, radius


def masks(form: Array, across: Array, down: Array, radius: Array) -> Array:
    """Which pixels belong to the shape, (m, 32, 32)."""
    far = np.hypot(across, down)
    each = [
        far <= radius,
        np.maximum(np.abs(across), np.abs(down)) <= 0.85 * radius,
        (down <= 0.7 * radius) & (2 * np.abs(across) <= down + radius),
        np.minimum(np.abs(across), np.abs(down)) <= 0.33 * radius,
        (far <= radius) & (far >= 0.55 * radius),
    ]
    each[3] = each[3] & (np.maximum(np.abs(across), np.abs(down)) <= radius)
    return np.select([(form == i)[:, None, None] for i in range(len(FORMS))], each)
