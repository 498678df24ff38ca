"""The array API standard: what the public suite (docs/array-api.md) does not ask of a library with gradients."""

from __future__ import annotations

import inspect
import operator
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, gradients
from tinygrad_mlp.errors import GraphError, UnsupportedError
from tinygrad_mlp.namespace import BOTH
from tinygrad_mlp.passthrough import CONSTANT, CREATION, EXPORTED, named


def test_the_namespace_is_the_package() -> None:
    x = tg.asarray([1.0, 2.0])
    assert x.__array_namespace__() is tg
    for version in ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12"):
        assert x.__array_namespace__(api_version=version) is tg
    for version in ("2020.01", "2025.11", "2026.12", ""):
        with pytest.raises(ValueError, match=rf"version '{version}' is not known here: 2021\.12, .*, 2025\.12 are"):
            x.__array_namespace__(api_version=version)
    assert tg.__array_api_version__ == "2025.12"
    assert tg.__array_namespace_info__().default_device() == "cpu"
    assert x.device == "cpu"
    assert x.to_device("cpu") is x
    with pytest.raises(ValueError, match="gpu"):
        x.to_device("gpu")
    with pytest.raises(ValueError, match="no device 'cpu' with stream 7"):
        x.to_device("cpu", stream=7)
    with pytest.raises(ValueError, match="gpu"):
        tg.asarray([1.0], device="gpu")


def test_generic_code_keeps_the_graph() -> None:
    """A function of the array API consumers' kind: it takes the namespace from its argument."""

    def standardise(x: Any) -> Any:
        xp = x.__array_namespace__()
        y = (x - xp.mean(x, axis=0, keepdims=True)) / (xp.std(x, axis=0, keepdims=True) + xp.finfo(x.dtype).eps)
        return xp.linalg.vector_norm(xp.concat([y, xp.ones((1, x.shape[1]))]), axis=-1)

    x0 = np.random.default_rng(0).normal(size=(4, 3))
    x = Tensor(x0, requires_grad=True)
    np.testing.assert_allclose(standardise(x).data, standardise(x0), rtol=1e-14)
    assert standardise(x).requires_grad


@pytest.mark.parametrize("name", EXPORTED)
def test_functions_without_gradient(name: str) -> None:
    function: Any = tg
    for part in name.split("."):
        function = getattr(function, part)
    assert function.function is named(name)
    inspect.signature(function)
    assert name.rpartition(".")[2] in repr(function)


def test_constants_given_tensors_are_constant_tensors() -> None:
    x = Tensor([[1.0, 0.0], [3.0, 4.0]], requires_grad=True)
    for result in (
        tg.isnan(x),
        tg.argmax(x),
        tg.argsort(x, axis=0),
        tg.any(x),
        tg.zeros_like(x),
        tg.linalg.matrix_rank(x),
        *tg.nonzero(x),
    ):
        assert isinstance(result, Tensor)
        assert not result.requires_grad
    assert isinstance(tg.isnan(np.ones(2)), np.ndarray)
    assert tg.allclose(x, x) is True
    assert tg.searchsorted(tg.asarray([1.0, 2.0]), tg.asarray([1.5])).tolist() == [1]


@pytest.mark.parametrize("name", CONSTANT)
def test_no_constant_function_gives_numbers_that_would_need_a_gradient(name: str) -> None:
    function = named(name)
    assert function is not None, "this NumPy lacks it"
    if name.rpartition(".")[2] in ("zeros_like", "ones_like", "empty_like", "fftfreq", "rfftfreq"):
        return
    x: Any = np.array([[1.5, 2.0, 2.0], [0.0, 1.0, 3.0]])
    attempts: list[tuple[Any, ...]] = [
        (x,),
        (x, x),
        (x > 1,),
        (x > 1, x > 0),
        (x.astype(int),),
        (x.astype(int), x.astype(int)),
        (x, 1),
        (x[0], x[0]),
    ]
    attempts += [(np.array([1, 2]), (2, 3)), ((np.array([1]), np.array([2])), (2, 3))]
    done = 0
    for arguments in attempts:
        if (isinstance(function, np.ufunc) and len(arguments) != function.nin) or (
            name in ("isneginf", "isposinf") and len(arguments) > 1
        ):
            continue  # the rest would be out=
        try:
            result = function(*arguments)
        except (TypeError, ValueError, IndexError, np.exceptions.AxisError):
            continue
        done += 1
        for part in result if isinstance(result, tuple) else (result,):
            assert np.asarray(part).dtype.kind in "biu"
    assert done


@pytest.mark.parametrize("name", [n for n in CREATION if n in EXPORTED])
def test_creation_refuses_to_lose_a_graph(name: str) -> None:
    t = Tensor(3.0, requires_grad=True)
    with pytest.raises(UnsupportedError, match="would leave its graph"):
        getattr(tg, name)(t)
    with pytest.raises((UnsupportedError, TypeError, GraphError)):
        named(name)(t)  # type: ignore[misc]


def test_creation() -> None:
    for made, expected in (
        (tg.arange(1, 7, 2), np.arange(1, 7, 2)),
        (tg.linspace(0, 1, 5), np.linspace(0, 1, 5)),
        (tg.zeros((2, 3), dtype=tg.float32), np.zeros((2, 3), np.float32)),
        (tg.eye(2, 3, k=1), np.eye(2, 3, k=1)),
        (tg.full((2,), 7, device="cpu"), np.full(2, 7)),
        (tg.full_like(tg.ones(2), 3), np.full(2, 3.0)),
    ):
        assert isinstance(made, Tensor)
        assert made.dtype == expected.dtype
        np.testing.assert_array_equal(made.data, expected)
    x = Tensor(2.0, requires_grad=True)
    np.testing.assert_array_equal(gradients(tg.full((2, 3), x).sum() + tg.full_like(tg.ones(2), x).sum(), x), 8)


def test_asarray() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert tg.asarray(x) is x
    copy = tg.asarray(x, copy=True)
    assert copy is not x
    np.testing.assert_array_equal(gradients(copy.sum(), x), [1, 1])
    assert tg.asarray(x, dtype=tg.float32).dtype == np.float32
    assert tg.asarray(x, dtype=tg.float32).requires_grad
    nested = tg.asarray([[x[0], 1], [2, x[1] * x[1]]])
    np.testing.assert_array_equal(nested.data, [[1, 1], [2, 4]])
    np.testing.assert_array_equal(gradients(nested.sum(), x), [1, 4])
    a = np.ones(2)
    b = tg.asarray(a)
    a[0] = 5
    assert b.tolist() == [1, 1]
    with pytest.raises(ValueError, match="copy=False"):
        tg.asarray(a, copy=False)
    assert tg.asarray(x, copy=False) is x


def test_dlpack() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(BufferError, match="detach"):
        np.from_dlpack(x)
    a = np.array([1.0, 2.0])
    copied, shared = tg.from_dlpack(a), tg.from_dlpack(a, copy=False)
    y = (x * shared).sum()
    a[0] = 100.0
    assert copied.tolist() == [1, 2]
    assert shared.tolist() == [100, 2]
    np.testing.assert_array_equal(gradients(y, x), [1, 2])
    shared[1] = 7.0
    assert a.tolist() == [100, 7]


@pytest.mark.parametrize("name", BOTH)
def test_functions_of_both_namespaces_are_one(name: str) -> None:
    assert getattr(tg, name) is getattr(tg.linalg, name)


@pytest.mark.parametrize(
    "op", [operator.lshift, operator.rshift, operator.and_, operator.or_, operator.xor, operator.floordiv, operator.mod]
)
def test_operators_of_whole_numbers(op: Any) -> None:
    a, b = np.array([5, 9, 12]), np.array([1, 2, 3])
    for result in (op(tg.asarray(a), tg.asarray(b)), op(tg.asarray(a), 2), op(77, tg.asarray(b))):
        assert isinstance(result, Tensor)
        assert result.dtype == np.int64
    np.testing.assert_array_equal(op(tg.asarray(a), tg.asarray(b)).data, op(a, b))


def test_signatures_are_those_of_the_standard() -> None:
    assert str(inspect.signature(tg.clip)) == "(x, /, min=None, max=None)"
    assert str(inspect.signature(tg.reshape)) == "(x, /, shape, copy=None)"
    assert str(inspect.signature(tg.where)) == "(c, x, y, /)"
    assert str(inspect.signature(tg.concat)) == "(arrays, /, axis=0)"


def test_modules_know_their_names() -> None:
    with pytest.raises(AttributeError, match="did you mean 'inv'"):
        tg.linalg.inw  # noqa: B018
    with pytest.raises(AttributeError, match="rfft"):
        tg.fft.rft  # noqa: B018
    assert "svd" in tg.linalg.__all__
    assert "irfftn" in dir(tg.fft)
    assert not [name for name in (*tg.__all__, *tg.linalg.__all__) if name.endswith("_packed")]


@pytest.mark.parametrize(
    ("numpys", "ours"),
    [("power", "pow"), ("arcsinh", "asinh"), ("concatenate", "concat"), ("absolute", "abs"), ("array", "asarray")],
)
def test_numpys_names_lead_to_ours(numpys: str, ours: str) -> None:
    with pytest.raises(AttributeError, match=f"write tg.{ours}"):
        getattr(tg, numpys)


def test_errors_do_not_list_hundreds_of_names() -> None:
    with pytest.raises(AttributeError) as caught:
        tg.tanhh  # noqa: B018
    assert "'tanh'" in str(caught.value)
    assert len(str(caught.value)) < 200


def test_dir_shows_what_is_public() -> None:
    for module in (tg, tg.linalg, tg.fft):
        assert not {"Any", "annotations", "members", "LATER", "det_sign", "cofactor"} & set(dir(module))
