"""The whole table and all composed functions at once: their defaults, and what becomes of complex numbers."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from checking import check_first_order, function
from samples import SAMPLES

from tinygrad_mlp import Tensor, gradients, rules
from tinygrad_mlp.primitive import BY_NUMPY, COMPOSED, COMPOSED_BY_NUMPY, TABLE

NAMES = [*TABLE, *COMPOSED]

# --- defaults -----------------------------------------------------------------------------------------------------------

OURS: dict[str, dict[str, Any]] = {
    "leaky_relu": {"negative_slope": 0.01}, "elu": {"alpha": 1.0}, "hardtanh": {"min_val": -1.0, "max_val": 1.0}, "gelu": {"approximate": "none"}, "glu": {"axis": -1},
    "softmax": {"axis": -1}, "log_softmax": {"axis": -1}, "logsumexp": {"axis": None, "keepdims": False},
    "conv": {"b": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1}, "conv_weight": {"stride": 1, "padding": 0, "dilation": 1, "groups": 1},
    "conv_transpose": {"b": None, "stride": 1, "padding": 0, "output_padding": 0, "dilation": 1, "groups": 1},
    "windows": {"stride": 1, "padding": 0, "dilation": 1}, "fold": {"stride": 1, "padding": 0, "dilation": 1},
    "max_pool": {"stride": None, "padding": 0}, "max_spread": {"stride": None, "padding": 0}, "max_pick": {"stride": None, "padding": 0},
    "avg_pool": {"stride": None, "padding": 0, "count_include_pad": True}, "pad": {"constant_values": 0, "end_values": 0, "stat_length": None, "reflect_type": "even"},
    "cross_entropy": {"reduction": "mean"}, "binary_cross_entropy_with_logits": {"reduction": "mean"}, "mse_loss": {"reduction": "mean"},
    "linalg.over_gap": {"order": 1}, "linalg.spectral": {"null": 0}, "linalg.funm": {"df": None}, "linalg.eigh_packed": {"UPLO": "L"}, "linalg.svd_packed": {"full_matrices": False}, "linalg.qr_packed": {"mode": "reduced"},
    "sinc_slope": {"order": 1}, "recurrence": {"axis": -1}, "expand_dims": {"axis": 0}, "sort": {"descending": False, "stable": True},
    "clip": {"min": None, "max": None}, "diff": {"prepend": None, "append": None}, "cov": {"correction": None}, "einsum": {"optimize": None},
}  # fmt: skip
"""Defaults that NumPy's function of the name has not, or has under another name: the array API's, PyTorch's, ours."""
LEFT_OUT = {"keepdims": False, "correction": 0, "norm": "backward"}
"""What NumPy means where its signature shows no value, or ``None``."""


def defaults(of: Any) -> dict[str, Any]:
    try:
        parameters = inspect.signature(of).parameters.values()
    except ValueError:  # written in C
        return {}
    return {p.name: p.default for p in parameters if p.default is not p.empty}


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_numpys_or_listed_here(name: str) -> None:
    found = defaults(function(name))
    both = [*BY_NUMPY.items(), *COMPOSED_BY_NUMPY.items()]
    namesakes = [f for f, entry in both if entry is function(name) and (getattr(f, "__module__", "") or "").startswith("numpy")]
    numpys: dict[str, Any] = {}
    for namesake in namesakes:
        numpys |= defaults(namesake)
    for parameter, value in found.items():
        if parameter in OURS.get(name, {}):
            assert value == OURS[name][parameter], parameter
            assert type(value) is type(OURS[name][parameter]), parameter
        elif parameter in LEFT_OUT and numpys.get(parameter, None) in (None, np._NoValue):
            assert value == LEFT_OUT[parameter], parameter
        else:
            assert parameter in numpys, parameter
            assert repr(value) == repr(numpys[parameter]), parameter
    assert OURS.get(name, {}).keys() <= found.keys(), "a default went"


# --- complex numbers: right or refused -------------------------------------------------------------------------------------

ORDERED = (
    "relu leaky_relu elu hardtanh max_pool max_spread max_pick maximum minimum fmax fmin clip "
    "cross_entropy binary_cross_entropy_with_logits mse_loss quantile percentile nanquantile nanpercentile"
).split()
"""They compare numbers, or give a loss: there is no gradient through complex ones."""
UP_TO_A_PHASE = {"linalg.eigh_packed", "linalg.svd_packed", "linalg.eigh", "linalg.svd"}
"""Not every matrix is Hermitian, and singular vectors of a complex one have a free phase: their own tests have the right ones."""


def complex_samples(name: str) -> list[Any]:
    """The real samples with imaginary parts."""
    samples = [s for s in SAMPLES[name] if not any(np.iscomplexobj(a) for a in s.inputs)]
    rng = np.random.default_rng(0)
    turned = [tuple(a + 1j * rng.uniform(-0.4, 0.4, np.shape(a)) for a in s.inputs) for s in samples]
    return [s._replace(inputs=inputs) for s, inputs in zip(samples, turned, strict=True)]


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize("name", [name for name in NAMES if name not in UP_TO_A_PHASE])
def test_a_gradient_through_complex_numbers_is_right_or_refused(name: str) -> None:
    for sample in complex_samples(name)[:5]:
        try:
            check_first_order(name, sample)
        except TypeError:  # NumPy's, or our sentence
            continue
        except ValueError as error:
            assert "complex numbers have no" in str(error)  # noqa: PT017 -- most functions do not raise
            continue
        assert name not in ORDERED or not any(a.size for a in sample.inputs)


def test_the_parts_of_a_complex_number_are_cleaned_apart() -> None:
    x = Tensor(np.array([complex(np.nan, 2), complex(1, np.inf), 1 + 2j]), requires_grad=True)
    for part, expected in ((np.real, [0, 1, 1]), (np.imag, [1j, 0, 1j])):
        try:
            found = gradients(np.sum(part(rules.nan_to_num(x))), x)
        except TypeError:  # refused
            continue
        np.testing.assert_array_equal(found, expected)
