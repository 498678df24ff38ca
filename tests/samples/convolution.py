"""Samples: convolution, windows, pooling."""

from __future__ import annotations

from typing import Any

from .makers import Array, Sample, complex_normal, distinct, normal

Settings = dict[str, Any]

CONVOLUTIONS: list[tuple[tuple[int, ...], tuple[int, ...], Settings]] = [
    # the shapes of x and w, and the settings
    ((2, 3, 5, 4), (4, 3, 3, 2), {}),
    ((2, 2, 6, 7), (3, 2, 3, 3), {"stride": 2, "padding": 1}),
    ((1, 2, 7, 6), (2, 2, 2, 3), {"stride": (3, 2), "padding": (0, 2), "dilation": (2, 1)}),
    ((2, 4, 5, 5), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
    ((2, 3, 4, 5), (6, 1, 2, 2), {"groups": 3, "stride": 2}),  # depthwise, two kernels each
    ((2, 3, 3, 4), (2, 3, 1, 1), {}),
    ((2, 3, 5, 4), (2, 3, 1, 1), {"stride": 2}),
    ((2, 3, 3, 2), (4, 3, 3, 2), {}),  # the kernel is the input
    ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    ((0, 2, 4, 4), (3, 2, 3, 3), {}),
    ((2, 1, 2, 2), (1, 1, 3, 3), {"padding": 3}),  # windows that see nothing but the border
    ((3, 2, 7), (4, 2, 3), {"stride": 2, "padding": 1}),
    ((2, 1, 3, 4, 3), (2, 1, 2, 2, 3), {"padding": (1, 0, 1), "stride": (1, 2, 1)}),
]
TRANSPOSED: list[tuple[tuple[int, ...], tuple[int, ...], Settings]] = [
    ((2, 3, 3, 2), (3, 2, 3, 2), {}),
    ((2, 3, 2, 3), (3, 2, 3, 3), {"stride": 2, "padding": 1, "output_padding": (1, 0)}),
    ((1, 2, 3, 2), (2, 3, 2, 3), {"stride": (3, 2), "padding": (0, 1), "dilation": (2, 1), "output_padding": (2, 1)}),
    ((2, 4, 3, 3), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
    ((0, 2, 2, 2), (2, 3, 2, 2), {}),
    ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    ((3, 2, 4), (2, 4, 3), {"stride": 2, "output_padding": 1}),
    ((1, 2, 2, 1, 2), (2, 1, 2, 2, 1), {}),
]
WEIGHTS: list[tuple[tuple[int, ...], tuple[int, ...], Settings]] = [
    # the shapes of x and of what arrives at the result, and the settings
    ((2, 3, 5, 4), (2, 4, 3, 3), {"size": (3, 2)}),
    ((2, 2, 6, 7), (2, 3, 3, 4), {"size": 3, "stride": 2, "padding": 1}),
    ((1, 2, 7, 6), (1, 2, 2, 4), {"size": (2, 3), "stride": (3, 2), "padding": (0, 2), "dilation": (2, 1)}),
    ((2, 4, 4, 4), (2, 6, 4, 4), {"size": (3, 3), "groups": 2, "padding": 1}),
    ((2, 3, 3, 2), (2, 4, 1, 1), {"size": (3, 2)}),
    ((0, 2, 4, 4), (0, 3, 2, 2), {"size": (3, 3)}),
    ((3, 2, 7), (3, 4, 4), {"size": (3,), "stride": 2, "padding": 1}),
]
WINDOWS: list[tuple[tuple[int, ...], Settings]] = [
    ((5,), {"size": (3,)}),
    ((5,), {"size": 2, "stride": 2}),
    ((2, 5, 4), {"size": (3, 2)}),
    ((2, 5, 4), {"size": (2, 3), "stride": (2, 1), "padding": (1, 2), "dilation": (3, 1)}),
    ((2, 5, 4), {"size": (3,), "padding": 1}),
    ((3, 4), {"size": (3, 4)}),
    ((0, 4), {"size": (2,)}),
    ((2, 3, 3, 2), {"size": (2, 1, 2), "padding": 1}),
]
FOLDS: list[tuple[tuple[int, ...], Settings]] = [
    ((3, 3), {"shape": (5,)}),
    ((2, 2), {"shape": 5, "stride": 2}),
    ((2, 3, 3, 3, 2), {"shape": (5, 4)}),
    ((2, 2, 6, 2, 3), {"shape": (5, 4), "stride": (2, 1), "padding": (1, 2), "dilation": (3, 1)}),
    ((0, 3, 2), {"shape": (4,)}),
]
POOLS: list[tuple[tuple[int, ...], Settings]] = [
    ((2, 3, 4, 6), {"size": 2}),
    ((2, 2, 5, 5), {"size": 3, "stride": 2}),
    ((1, 2, 5, 4), {"size": (3, 2), "stride": 1}),
    ((2, 2, 5, 4), {"size": (3, 2), "stride": (2, 1), "padding": (1, 1)}),
    ((2, 1, 3, 4), {"size": (3, 4)}),
    ((0, 2, 4, 4), {"size": 2}),
    ((1, 1, 1, 1), {"size": 1}),
    ((2, 3, 7), {"size": 3, "stride": 2, "padding": 1}),
    ((1, 2, 4, 3, 4), {"size": (2, 3, 2)}),
]


def pairs(cases: list[tuple[tuple[int, ...], tuple[int, ...], Settings]], channels: Any) -> list[Sample]:
    """Samples with and without a bias (of so many channels), real and complex."""
    found = []
    alone = {} if channels is None else {"call": lambda x, w: (x, w, None)}
    for i, (x, w, settings) in enumerate(cases):
        found.append(Sample((normal(*x), normal(*w, seed=1)), settings, **alone))
        if i < 3:
            found.append(Sample((complex_normal(*x), complex_normal(*w, seed=1)), settings, **alone))
        if channels is not None and i < 5:
            found.append(Sample((normal(*x), normal(*w, seed=1), normal(channels(w, settings), seed=2)), settings))
    return found


def beside_maxima(make_gradient: bool) -> list[Sample]:
    """What goes between windows and the places of their maxima: g is differentiated, x and its maxima are constants."""
    import tinygrad_mlp as tg

    found = []
    for shape, settings in POOLS:
        x = distinct(*shape)
        z: Array = tg.max_pool(x, **settings)
        g = normal(*(z if make_gradient else x).shape)
        found.append(Sample((g,), settings, call=lambda g, z=z, x=x: (g, z, x)))
    return found


CONVOLUTION: dict[str, list[Sample]] = {
    "conv": pairs(CONVOLUTIONS, lambda w, settings: w[0]),
    "conv_transpose": pairs(TRANSPOSED, lambda w, settings: w[1] * settings.get("groups", 1)),
    "conv_weight": pairs(WEIGHTS, None),
    "windows": [Sample((make(*shape),), settings) for shape, settings in WINDOWS for make in (normal, complex_normal)],
    "fold": [Sample((make(*shape),), settings) for shape, settings in FOLDS for make in (normal, complex_normal)],
    "max_pool": [Sample((distinct(*shape),), settings) for shape, settings in POOLS],
    "max_spread": beside_maxima(True),
    "max_pick": beside_maxima(False),
    "avg_pool": [
        Sample((normal(*shape),), {**settings, **more})
        for shape, settings in POOLS
        for more in ({}, {"count_include_pad": False})
        if not more or "padding" in settings
    ],
}
