"""What people write by habit from elsewhere: taken where it can be, else answered with a sentence that says what to write here."""

from __future__ import annotations

import copy
import functools
import math
import operator
import pickle
import re
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, nn, optim
from tinygrad_mlp.dispatch import BY_SCIPY, is_scipys
from tinygrad_mlp.elsewhere import ELSEWHERE
from tinygrad_mlp.errors import GraphError, ShapeError, TensorTypeError, TraceError, UnsupportedError, distance, nearest
from tinygrad_mlp.primitive import BY_NUMPY, COMPOSED_BY_NUMPY


def cubed(w: Any) -> Any:
    return np.sum(w**3)


def repickled(x: Any) -> Any:
    return pickle.loads(pickle.dumps(x))  # noqa: S301  # our own


class Gated(nn.Module):
    def __init__(self) -> None:
        self.weight = nn.Parameter([[2.0]])

    def forward(self, x: Any, *, scale: float = 1.0, residual: Any = None) -> Any:
        y = x @ self.weight * scale
        return y if residual is None else y + residual


# --- copies and pickles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tg.grad, tg.value_and_grad, tg.jacobian, tg.hessian])
def test_transforms_are_copied_and_pickled(make: Any) -> None:
    x = np.array([1.0, 2.0])
    for argnums in (0, (0,)):
        f = make(cubed, argnums=argnums)
        for again in (repickled(f), copy.deepcopy(f), copy.copy(f)):
            assert again.request == (make.__name__, cubed, argnums, False)
            assert repr(again(x)) == repr(f(x))
    assert (f.__name__, f.__wrapped__, repr(f)) == ("cubed", cubed, f"<tg.{make.__name__} of cubed>")


def test_a_transform_in_a_class_is_a_method() -> None:
    class Model:
        power = 3

        def loss(self, w: Any) -> Any:
            return w**self.power

        slope = tg.grad(loss, argnums=1)

    assert Model().slope(2.0) == 12
    assert Model.slope(Model(), 2.0) == 12


def test_compiled_functions_are_copied_and_pickled_and_written_anew() -> None:
    x = np.array([1.0, 2.0])
    c = tg.compile(tg.grad(cubed), exact=True, cache=3)
    c(x)
    for again in (repickled(c), copy.deepcopy(c)):
        assert (len(again.programs), again.exact, again.programs.size) == (0, True, 3)
        np.testing.assert_array_equal(again(x), c(x))
    model = nn.MLP([2, 3, 1], rng=0)
    c = tg.compile(model)
    again = copy.deepcopy(c)  # of the copied model
    model.parameters()[-1].data[:] = 5
    X = np.ones((1, 2), np.float32)
    assert not np.array_equal(again(X), c(X))


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_cannot_be_copied_says_why(way: Any) -> None:
    model = nn.MLP([2, 3, 1], rng=0)
    step = tg.compile(lambda X, y: nn.mse_loss(model(X), y), optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(
        TensorTypeError, match=r"neither pickled nor copied: .* copy\.deepcopy\(\(model, optimizer\)\), and compile"
    ):
        way(step)
    with pytest.raises(TensorTypeError, match=r"neither pickled nor copied, .* keep what it writes, d\.source\(\)"):
        way(tg.derive(cubed, np.ones(2)))


# --- transforms, modules ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hessian", "jacobian"])
def test_other_transforms_in_compile_say_their_name(name: str) -> None:
    with pytest.raises(TraceError, match=rf"tg\.{name} cannot be compiled.*call it as it is.*tg\.compile\(tg\.grad\(f\)\)"):
        tg.compile(getattr(tg, name)(cubed))(np.ones(2))
    with pytest.raises(TraceError, match=r"tg\.jvp cannot be compiled"):
        tg.derive(lambda x: tg.jvp(cubed, (x,), (x,))[1], np.ones(2))


def test_the_gradient_of_what_is_linear_is_a_constant() -> None:
    x = Tensor(1.0, requires_grad=True)
    with pytest.raises(GraphError, match="the gradient of what is linear, a constant, whose derivative is 0"):
        tg.gradients(tg.gradients(3 * x, x, create_graph=True), x)


def test_modules_pass_settings_on_to_forward() -> None:
    model, x = Gated(), np.ones((1, 1))
    assert model(x, scale=2).item() == 4
    assert nn.Sequential(model)(x).item() == 2
    with tg.watch(model):
        y = model(x, scale=3, residual=model(x))
    assert y.item() == 8
    y.sum().backward()
    assert model.weight.grad == 4
    np.testing.assert_array_equal(tg.compile(lambda x: model(x, scale=0.5))(x), [[1.0]])
    assert "Gated" in tg.draw(model(x, scale=2)).text
    with pytest.raises(TypeError, match=r"Linear\.forward\(\) got an unexpected keyword argument 'scale'"):
        nn.Linear(2, 2, rng=0)(np.ones((1, 2)), scale=2)


# --- SciPy, sparse and masked arrays, pandas ---------------------------------------------------------------------------------


def test_scipys_ufuncs_are_ours_by_name() -> None:
    special = pytest.importorskip("scipy.special")
    x = np.array([-0.375, 0.25, 2.125])
    for name in BY_SCIPY:
        function = getattr(special, name)
        t = Tensor(x, requires_grad=True)
        y = function(t)
        np.testing.assert_allclose(y.numpy(), function(x), rtol=1e-14)
        y.sum().backward()
        np.testing.assert_allclose(t.grad, (function(x + 1e-6) - function(x - 1e-6)) / 2e-6, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(tg.compile(function)(x), y.numpy(), rtol=1e-15)
    with pytest.raises(UnsupportedError, match=r"scipy\.special\.erf with dtype= is not supported on tensors: write it without"):
        special.erf(Tensor(x, requires_grad=True), dtype=np.float32)


def test_a_ufunc_of_scipys_name_is_scipys_only_if_it_is() -> None:
    for erf in (np.frompyfunc(lambda x: x, 1, 1), SimpleNamespace(__name__="erf")):
        assert not is_scipys(erf)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="has no derivative rule"):
        np.frompyfunc(lambda x: x, 1, 1)(Tensor(1.0, requires_grad=True))


ONE_ARGUMENT = {"logit", "entr", "ndtr", "exp10", "cosm1", "sindg", "cosdg", "tandg"}


@pytest.mark.parametrize("name", sorted(ELSEWHERE["scipy.special"]))
def test_what_is_written_in_place_of_scipys_functions_is_true(name: str) -> None:
    special = pytest.importorskip("scipy.special")
    function, cure = getattr(special, name), ELSEWHERE["scipy.special"][name]
    a, b = np.array([0.25, 0.5, 0.75]), np.array([0.5, 2.0, 1.25])
    given = (a,) if name in ONE_ARGUMENT else (b, a)
    first, last = given[0], given[-1]
    names = {"np": np, "tg": tg, "t": first, "x": first, "y": last, "d": first, "r": last, "p": last}
    np.testing.assert_allclose(eval(cure, names), function(*given), rtol=1e-12)  # noqa: S307  # of the table
    told = rf"scipy\.special\.{name} has no derivative rule in tinygrad_mlp: write {re.escape(cure)}; or give it one with tg\."
    with pytest.raises(UnsupportedError, match=told):
        function(*[Tensor(g, requires_grad=True) for g in given])


@pytest.mark.parametrize(
    ("module", "name", "instead"),
    [
        ("scipy.special", "logsumexp", r"tg\.logsumexp\(…\), or t\.numpy\(\)"),
        ("scipy.special", "softmax", r"tg\.softmax\(…\), or t\.numpy\(\)"),
        ("scipy.linalg", "inv", r"tg\.linalg\.inv\(…\), or t\.numpy\(\)"),
        ("scipy.linalg", "expm", r"(tg\.linalg\.expm\(…\), or )?t\.numpy\(\)"),
    ],
)
def test_functions_that_take_arrays_say_their_names(module: str, name: str, instead: str) -> None:
    function = getattr(pytest.importorskip(module), name)
    with pytest.raises(GraphError, match=rf"as an array in {re.escape(module)}\.{name}\(\): write {instead}"):
        function(Tensor(np.eye(2), requires_grad=True))


class Series:
    """What pandas' objects do: an operator takes the other side as an array."""

    def __init__(self, x: Any) -> None:
        self.x = np.asarray(x)

    def to_numpy(self) -> Any:
        return self.x

    def __mul__(self, other: Any) -> Any:
        return self.x * np.asarray(other)


def test_operands_that_hold_arrays() -> None:
    t = Tensor(np.eye(2), requires_grad=True)
    with pytest.raises(GraphError, match=r"as an operand of this Series: write s\.to_numpy\(\) in its place, or t\.numpy\(\)"):
        Series([1.0, 2.0]) * t
    with pytest.raises(TensorTypeError, match=r"multiply\(\) takes .*\(Series\): write s\.to_numpy\(\)"):
        t * Series([1.0, 2.0])
    masked = np.ma.masked_array([1.0, 2.0], [False, True])
    for call in (lambda: masked * t, lambda: masked + t, lambda: masked < t):
        with pytest.raises(GraphError, match=r"an operand of this MaskedArray: write a\.filled\(0\) and tg\.where in its place"):
            call()
    with pytest.raises(TensorTypeError, match=r"MaskedArray\): write a\.filled\(0\) and tg\.where"):
        t * masked
    with pytest.raises(GraphError, match=r"lose it as a NumPy array: write t\.numpy\(\).*tg\.stack\(\[\.\.\.\]\)"):
        np.array([t, t])


def test_sparse_operands() -> None:
    S = pytest.importorskip("scipy.sparse").csr_array(np.eye(2))
    t = Tensor(np.eye(2), requires_grad=True)
    with pytest.raises(GraphError, match=r"as an operand of this csr_array: write S\.toarray\(\) in its place"):
        S @ t
    for call in (lambda: t @ S, lambda: S + t, lambda: t * S):
        with pytest.raises(TensorTypeError, match=r"csr_array\): write S\.toarray\(\)"):
            call()


def test_lists_of_tensors_are_what_numpy_makes_of_them() -> None:
    a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([5.0, 3.0], requires_grad=True)
    for f in (tg.mean, tg.sum, tg.max, tg.prod, tg.median, tg.sort, tg.linalg.norm, tg.cumsum, tg.exp):
        y = f([a, b])
        np.testing.assert_allclose(y.numpy(), f(np.array([[1.0, 2.0], [5.0, 3.0]])))
        assert y.requires_grad
    tg.mean([a, b], axis=0).sum().backward()
    np.testing.assert_array_equal(a.grad, [0.5, 0.5])
    assert tg.sum([[a, 1.0 * b], (b, a)]).item() == 22
    np.testing.assert_array_equal((tg.add([a, b], 1.0) + [b, a]).numpy(), [[7.0, 6.0], [7.0, 6.0]])
    assert isinstance(tg.mean([Tensor(1.0), 2.0]), Tensor)
    assert tg.compile(lambda x: tg.sum([x, 2 * x]))(np.ones(2)) == 6
    with pytest.raises(ShapeError, match=r"stack\(float64\[2\], float64\[1\]"):
        tg.mean([a, b[:1]])


# --- names and arguments from elsewhere ---------------------------------------------------------------------------------------


def test_no_name_of_the_table_is_one_of_the_package() -> None:
    for name in ELSEWHERE["tg"]:
        assert not any(name in vars(module) or name in module.__all__ for module in (tg, nn, optim, tg.linalg, tg.fft)), name
    assert not ELSEWHERE["tinygrad_mlp.nn"].keys() & vars(nn).keys()
    model = nn.MLP([2, 2], rng=0)
    owners = {"Tensor": Tensor(1.0), "Module": model, "Optimizer": optim.SGD(model.parameters(), lr=0.1)}
    for place, owner in owners.items():
        for name, cure in ELSEWHERE[place].items():
            told = f"{type(owner).__name__!r} object has no attribute {name!r}: write {cure}"
            with pytest.raises(AttributeError, match=f"^{re.escape(told)}$"):
                getattr(owner, name)
    for name in ELSEWHERE["np"]:
        function = operator.attrgetter(name)(np)
        assert function not in BY_NUMPY
        assert function not in COMPOSED_BY_NUMPY
    assert not ELSEWHERE["scipy.special"].keys() & BY_SCIPY.keys()


@pytest.mark.parametrize(
    ("module", "name", "text"),
    [
        (tg, "Value", r"tinygrad_mlp has no Value: write tg\.Tensor\(x, requires_grad=True\)"),
        (tg, "vmap", r"tinygrad_mlp has no vmap: write the batch as one more axis"),
        (tg, "jit", r"tinygrad_mlp has no jit: write tg\.compile\(f\)"),
        (tg, "cat", r"has no cat: write tg\.concat\(\[a, b\], axis=0\)"),
        (tg, "tensor", r"has no tensor: write tg\.Tensor\(data, requires_grad=True\)"),
        (nn, "BatchNorm1d", r"tinygrad_mlp\.nn has no BatchNorm1d: write it by hand in a Module's forward"),
        (tg, "Linear", r"tinygrad_mlp has no Linear: write tg\.nn\.Linear$"),
        (nn, "relu", r"tinygrad_mlp\.nn has no relu: write tg\.relu$"),
        (tg, "concatenate", r"tinygrad_mlp has no concatenate: write tg\.concat, its name in the array API"),
        (tg.linalg, "softmax", r"tinygrad_mlp\.linalg has no softmax: write tg\.softmax$"),
        (tg.linalg, "chloesky", r"did you mean 'cholesky'\?"),
        (tg, "exxp", r"unknown attribute of tinygrad_mlp 'exxp': did you mean 'exp'\? \(known: \d+ names, see help\(\)\)"),
        (tg, "frobnicate", r"unknown attribute of tinygrad_mlp 'frobnicate': known are \d+ names, see help\(\)"),
    ],
)
def test_names_from_elsewhere(module: Any, name: str, text: str) -> None:
    with pytest.raises(AttributeError, match=text):
        getattr(module, name)


def test_submodules_are_imported_without_looking_for_their_names_elsewhere() -> None:
    program = "import sys; from tinygrad_mlp import rules, cli; print('tinygrad_mlp.nn' in sys.modules, 'tinygrad_mlp.viz' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False False\n"
    from tinygrad_mlp import tensor

    assert tensor.Tensor is Tensor


def test_did_you_mean_only_at_small_distance() -> None:
    known = ["fit", "grad", "gradient", "vecmat", "concat", "angle", "relu", "glorot_normal", "glorot_uniform"]
    assert nearest("rleu", known) == ["relu"]
    assert nearest("gradeint", known) == ["gradient"]
    assert nearest("GLOROT", known) == ["glorot_normal", "glorot_uniform"]
    assert [nearest(name, known) for name in ("cat", "vmap", "randn", "Value", "realize", "", "re")] == [[]] * 7
    letters = np.random.default_rng(0)
    for _ in range(300):
        a, b = ("".join(letters.choice(list("abc"), letters.integers(0, 6))) for _ in range(2))
        assert distance(a, b) == distance(b, a) == slowly(a, b)


@functools.cache
def slowly(a: str, b: str) -> int:
    """The distance by its definition."""
    if not a or not b:
        return len(a) + len(b)
    found = [slowly(a[:-1], b) + 1, slowly(a, b[:-1]) + 1, slowly(a[:-1], b[:-1]) + (a[-1] != b[-1])]
    if len(a) > 1 and len(b) > 1 and a[-1] == b[-2] and a[-2] == b[-1]:
        found.append(slowly(a[:-2], b[:-2]) + 1)
    return min(found)


def test_a_failing_property_of_a_module_keeps_its_own_error() -> None:
    class Broken(nn.Module):
        @property
        def width(self) -> int:
            return self.weight.shape[0]

    with pytest.raises(AttributeError, match=r"'Broken' object has no attribute 'weight'$") as caught:
        _ = Broken().width
    assert caught.value.name == "weight"
    assert not hasattr(nn.Linear(2, 2, rng=0), "_anything")


def test_numpys_functions_are_named_as_they_are_written() -> None:
    t = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(
        UnsupportedError, match=r"np\.emath\.sqrt has no derivative rule in tinygrad_mlp: write np\.sqrt\(t\), and "
    ):
        np.emath.sqrt(t)
    with pytest.raises(UnsupportedError, match=r"np\.emath\.arccos has no derivative rule in tinygrad_mlp: give it one"):
        np.emath.arccos(t)
    with pytest.raises(UnsupportedError, match=r"np\.i0 has no derivative rule in tinygrad_mlp: give it one with tg\.primitive"):
        np.i0(t)


@pytest.mark.parametrize("call", [lambda t: t.reshape((3, 2), order="F"), lambda t: t.ravel("F"), lambda t: t.flatten(order="F")])
def test_fortrans_order(call: Any) -> None:
    x = np.arange(6.0).reshape(2, 3)
    with pytest.raises(UnsupportedError, match=r"order='F' is not .*: for Fortran's order write t\.T\.reshape\(shape\[::-1\]\)\.T"):
        call(Tensor(x))
    np.testing.assert_array_equal(x.reshape((3, 2), order="F"), x.T.reshape((3, 2)[::-1]).T)
    assert Tensor(x).reshape(3, 2, order="C").shape == np.reshape(Tensor(x), (3, 2), order="C").shape == (3, 2)
    with pytest.raises(UnsupportedError, match=r"np\.reshape with order= is not .*t\.T\.reshape"):
        np.reshape(Tensor(x), (3, 2), order="F")


def test_pythons_math_asks_for_one_number() -> None:
    with pytest.raises(ShapeError, match=r"float\(t\) needs .* shape \(2,\): .* write np\.exp\(t\) in place of math\.exp\(t\)"):
        math.exp(Tensor([1.0, 2.0]))
