"""Samples: Fourier transforms."""

from __future__ import annotations

from typing import Any

from .makers import Sample, complex_normal, normal

LINES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((4,), {}), ((5,), {}), ((2,), {}), ((4,), {"n": 6}), ((4,), {"n": 3}), ((5,), {"n": 4, "norm": "ortho"}), ((4,), {"norm": "forward"}), ((5,), {"norm": "ortho"}),
    ((2, 3, 4), {"axis": 1, "norm": "backward"}), ((2, 3, 4), {"axis": 0, "n": 3}), ((3, 4), {"axis": -2, "n": 2, "norm": "forward"}), ((0, 3), {}),
]  # fmt: skip
LENGTH_ONE: list[tuple[tuple[int, ...], dict[str, Any]]] = [((1,), {}), ((2, 1), {"n": 2}), ((3,), {"n": 1})]
PLANES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((3, 4), {}), ((2, 5), {}), ((2, 3, 4), {}), ((3, 4), {"s": (4, 3), "axes": (0, 1)}), ((2, 3, 4), {"axes": (2, 0), "norm": "ortho"}), ((2, 3, 4), {"s": (-1, 5), "axes": (0, 1), "norm": "forward"}),
    ((0, 2, 3), {"axes": (-2, -1)}),
]  # fmt: skip
VOLUMES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    *PLANES,
    ((4,), {}),
    ((2, 3, 4), {"axes": (1,)}),
    ((2, 1, 2, 3), {"norm": "ortho"}),
]
SHIFTS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((4,), {}),
    ((5,), {}),
    ((3, 4), {}),
    ((3, 4), {"axes": 0}),
    ((2, 3, 4), {"axes": (0, -1)}),
    ((0, 3), {}),
]


def real(cases: list[tuple[tuple[int, ...], dict[str, Any]]]) -> list[Sample]:
    return [Sample((normal(*shape),), params) for shape, params in cases]


def imaginary(cases: list[tuple[tuple[int, ...], dict[str, Any]]]) -> list[Sample]:
    return [Sample((complex_normal(*shape),), params) for shape, params in cases]


def both(cases: list[tuple[tuple[int, ...], dict[str, Any]]]) -> list[Sample]:
    return [*real(cases), *imaginary(cases)]


FOURIER: dict[str, list[Sample]] = {
    "fft.fft": both(LINES + LENGTH_ONE),
    "fft.ifft": both(LINES + LENGTH_ONE),
    "fft.rfft": real(LINES + LENGTH_ONE),
    "fft.irfft": both([*LINES, *LENGTH_ONE[1:], ((4,), {"n": 7}), ((4,), {"n": 1})]),
    "fft.hfft": both([*LINES, *LENGTH_ONE[1:]]),
    "fft.ihfft": real(LINES + LENGTH_ONE),
    "fft.fft2": both(PLANES),
    "fft.ifft2": both(PLANES),
    "fft.rfft2": real(PLANES),
    "fft.irfft2": both(PLANES),
    "fft.fftn": both(VOLUMES),
    "fft.ifftn": both(VOLUMES),
    "fft.rfftn": real(VOLUMES),
    "fft.irfftn": both(VOLUMES),
    "fft.fftshift": both(SHIFTS),
    "fft.ifftshift": both(SHIFTS),
}
