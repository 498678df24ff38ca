"""Edges of the engine that one test each holds: values, protocols, messages. Most were found by changing a line (tests/mutation.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from checking import call
from samples import SAMPLES

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor
from tinygrad_mlp.errors import ShapeError, in_short
from tinygrad_mlp.graph import nodes_in
from tinygrad_mlp.primitive import TABLE


@pytest.mark.parametrize("name", TABLE)
def test_a_result_is_an_array_also_without_axes(name: str) -> None:
    """NumPy's reductions give scalars, which are no arrays: they have no memory of their own."""
    for sample in SAMPLES[name]:
        out = call(name, sample, [Tensor(a, requires_grad=True) for a in sample.inputs])
        assert type(out.array) is np.ndarray


def test_dlpack_hands_its_arguments_on() -> None:
    x = tg.asarray([1.0, 2.0])
    same = np.from_dlpack(x)
    assert np.shares_memory(same, x.data)
    assert not np.shares_memory(np.from_dlpack(x, copy=True), x.data)
    assert x.__dlpack__(dl_device=(1, 0), max_version=(1, 0)) is not None
    for refused in ({"dl_device": (2, 0)}, {"stream": 1}):
        with pytest.raises((BufferError, RuntimeError, ValueError)):
            x.__dlpack__(**refused)
    assert "versioned" in repr(x.__dlpack__(max_version=(1, 0)))
    assert "versioned" not in repr(x.__dlpack__(max_version=(0, 8)))
    with pytest.raises(BufferError, match=r"write t\.detach\(\)"):
        Tensor([1.0], requires_grad=True).__dlpack__()


@pytest.mark.parametrize("widths", [-1, 1.0, (1, -1), ((0, 0), (-2, 1)), 0.5])
def test_widths_of_pad_are_whole_numbers(widths: Any) -> None:
    with pytest.raises(ShapeError, match="whole numbers, 0 or larger, not"):
        tg.pad(Tensor(np.ones((2, 3)), requires_grad=True), widths)


def test_nodes_are_found_at_any_depth_in_their_order() -> None:
    a, b, c, d = (tg.asarray(float(i)) for i in range(4))
    assert [n is m for n, m in zip(nodes_in([a, {"k": (b, [c])}, 3, "text", d]), (a, b, c, d), strict=True)] == [True] * 4
    endless: list[Any] = [a]
    endless.append(endless)
    assert len(list(nodes_in(endless))) <= 10_000
    assert len(list(nodes_in([a] * 9_999))) == 9_999


class WithForward:
    def __repr__(self) -> str:
        return "short"

    def forward(self) -> None: ...


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (WithForward(), "an object of type WithForward"),
        (object(), "an object of type object"),
        ("two\nlines", "'two\\nlines'"),
        ("x" * 1000, "an object of type str"),
        (np.ones(3), "an array of shape (3,)"),
        (tg.asarray([1.0]), "a Tensor of shape (1,)"),
        (WithForward, "the class WithForward"),
        ((1, 2), "(1, 2)"),
    ],
)
def test_what_was_given_in_short(value: Any, text: str) -> None:
    assert in_short(value) == text
