"""The functions of the package as the Python array API standard wants them: creation, constants, and what NumPy answers by itself.

The standard's version 2025.12 (https://data-apis.org/array-api/2025.12) names the functions; the differentiable ones are in the
table or composed, the rest is made here from the lists in :mod:`tinygrad_mlp.passthrough`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import rules
from .errors import UnsupportedError, no_attribute
from .graph import Extras
from .passthrough import CONSTANT, CREATION, DTYPES, EXPORTED, NUMBERS, named
from .primitive import BY_NUMPY, COMPOSED, TABLE, Primitive, Rule, joined
from .tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["NumPys", "argsort", "asarray", "from_dlpack", "full", "members"]

VERSION = "2025.12"
BOTH = ["matmul", "matrix_transpose", "tensordot", "vecdot"]
"""Functions that the standard has in its main namespace and in its extension for linear algebra."""


HELPERS = """
    contract radial getitem scatter setitem recurrence sinc_slope conv_weight max_spread max_pick
    linalg.cofactor linalg.cofactor_dx linalg.det_sign linalg.logabsdet linalg.eigh_packed linalg.qr_packed linalg.svd_packed
    linalg.part linalg.over_gap linalg.spectral
    linalg.eig_packed linalg.left_vectors
""".split()
"""Primitives that only others are made of: they are not counted among the functions."""


def name_here(name: str) -> str | None:
    """The name that a function of NumPy's has in this package, if it is another."""
    function: Any = {"array": np.asarray}.get(name, getattr(np, name, None))
    if function is np.asarray:
        return "asarray"
    ours = BY_NUMPY.get(function) if callable(function) else None
    return ours.name if ours is not None else None


class NumPys:
    """A function of NumPy's whose result has no gradient. Given Tensors, or asked for a new array, it returns constant Tensors."""

    def __init__(self, name: str) -> None:
        self.__name__ = name.rpartition(".")[2]
        found = named(name)
        if found is None:
            raise AttributeError(f"NumPy {np.__version__} has no {name}")
        self.function: Callable[..., Any] = found
        self.creates = name in CREATION
        self.wraps = name in CREATION or name in CONSTANT
        self.__doc__ = f"NumPy's ``{name}``; the result carries no gradient."

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.creates and any(x.requires_grad for x in (*args, *kwargs.values()) if isinstance(x, Tensor)):
            raise UnsupportedError(
                f"tg.{self.__name__}() makes constants, and this tensor would leave its graph: compute with it afterwards, "
                f"start + (stop - start) * tg.linspace(0, 1, n), or write t.numpy() to leave the graph on purpose"
            )
        if self.creates or holds_tensor(args) or holds_tensor(kwargs.values()):
            return Tensor._constant(self.function, args, kwargs, wrap=self.wraps)
        return self.function(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        from inspect import Parameter, Signature, signature

        if isinstance(self.function, np.ufunc):
            names = ("x1", "x2") if self.function.nin == 2 else ("x",)
            return Signature([Parameter(name, Parameter.POSITIONAL_ONLY) for name in names])
        try:
            return signature(self.function)
        except ValueError:  # written in C; older versions of NumPy do not say
            return Signature([Parameter("args", Parameter.VAR_POSITIONAL), Parameter("kwargs", Parameter.VAR_KEYWORD)])

    def __repr__(self) -> str:
        return f"<NumPy's {self.__name__}, without gradient>"


def holds_tensor(values: Any) -> bool:
    """Whether a Tensor is among the values, or in a list or tuple among them."""
    return any(isinstance(v, Tensor) or (isinstance(v, (list, tuple)) and holds_tensor(v)) for v in values)


def asarray(obj: Any, /, *, dtype: DTypeLike | None = None, device: str | None = None, copy: bool | None = None) -> Tensor:
    """A Tensor of numbers, arrays or tensors, also in nested lists. Tensors keep their graph.

    Parameters
    ----------
    obj : Tensor, array_like, or nested lists of them
        A Tensor of the right dtype is returned itself, unless ``copy`` is true; everything else is copied.
    dtype : dtype, optional
        The dtype of the result.
    device : "cpu", optional
        There is no other.
    copy : bool, optional
        ``True``: always a new Tensor. ``False``: an error where the numbers would have to be copied.

    Raises
    ------
    ValueError
        If ``copy=False`` cannot be honoured, or the lists are ragged, or there is no such device.

    Examples
    --------
    >>> import tinygrad_mlp as tg
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> a = tg.asarray([[x, 1.0], [0.0, x * x]])
    >>> tg.gradients(a.sum(), x)
    array(5.)
    """
    check_device(device)
    if copy is False and not (isinstance(obj, Tensor) and (dtype is None or obj.dtype == dtype)):
        raise ValueError(
            "asarray(copy=False) of what is no Tensor of that dtype: a Tensor owns its numbers, so they must be copied"
        )
    if isinstance(obj, Tensor):
        if dtype is not None and obj.dtype != dtype:
            return obj.astype(dtype)
        if not copy:
            return obj
        return rules.positive(obj) if obj.requires_grad else obj.detach()
    if isinstance(obj, (list, tuple)) and holds_tensor(obj):
        return asarray(joined(obj), dtype=dtype)
    return Tensor(obj, dtype=dtype)


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> Tensor:
    """A Tensor with the numbers of another library's array, by the DLPack protocol.

    They are copied, unless ``copy=False``: then both see what the other writes, and what is computed from the Tensor is
    computed from copies, so that gradients stay right.
    """
    check_device(device)
    array = np.from_dlpack(x)
    shared = Tensor(array)
    if copy is False:
        shared.array, shared.extras = array, Extras()
        shared.extras.exposed = lambda: array  # somebody else can write into it, for ever
    return shared


def full(shape: Any, fill_value: Any, *, dtype: DTypeLike | None = None, device: str | None = None) -> Tensor:
    """A Tensor of that shape with the number everywhere; if the number is a Tensor, its gradient is the sum of what arrives."""
    check_device(device)
    if isinstance(fill_value, Tensor):
        return rules.broadcast_to(asarray(fill_value, dtype=dtype), shape=shape)  # type: ignore[no-any-return]
    return Tensor(np.full(shape, fill_value, dtype=dtype))


def argsort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """The indices that sort x along axis; whole numbers, without gradient. ``sort`` has one. Equal entries keep their order."""
    if not descending:
        return np.argsort(x, axis=axis, stable=True)
    turned = np.flip(np.argsort(np.flip(x, axis=axis), axis=axis, stable=True), axis=axis)
    return x.shape[axis] - 1 - turned


def check_device(device: str | None) -> None:
    """Only the CPU is there."""
    if device not in (None, "cpu"):
        raise ValueError(f"there is no device {device!r}: NumPy computes on the 'cpu'")


def members(extension: str = "") -> dict[str, Any]:
    """The public functions of the package, or of its extension ``linalg`` or ``fft``, by name."""
    prefix = f"{extension}." if extension else ""
    names = [name for name in (*TABLE, *COMPOSED, *EXPORTED) if name.startswith(prefix) and "." not in name[len(prefix) :]]
    found = {name[len(prefix) :]: member(name) for name in names if name not in HELPERS or not extension}
    if extension == "linalg":
        found |= {name: member(name) for name in BOTH}
    elif not extension:
        found |= {name: named(name) for name in DTYPES} | {name: getattr(np, name) for name in NUMBERS}
        found |= {"asarray": asarray, "from_dlpack": from_dlpack, "full": full, "argsort": argsort}
        found |= {"__array_api_version__": VERSION, "__array_namespace_info__": np.__array_namespace_info__}
    return found


def constant_almost_everywhere(op: Primitive) -> bool:
    """Whether the gradients of a primitive are zero wherever they exist: floor, sign …"""
    return all(gives_zero(rule) for rule in op.rules if rule is not None)


def gives_zero(rule: Rule) -> bool:
    """Whether a rule is ``np.zeros_like(g)``."""
    return rule.__code__.co_names == ("np", "zeros_like")


def refuse_name(extension: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of an extension's module: an error with the nearest names."""

    def missing(name: str) -> Any:
        raise no_attribute(f"tinygrad_mlp.{extension}", name, members(extension))

    return missing


@functools.cache
def member(name: str) -> Any:
    """One function, made once: ``tg.all is tg.all``."""
    return TABLE.get(name) or COMPOSED.get(name) or NumPys(name)
