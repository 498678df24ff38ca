"""A primitive is a NumPy function with the derivative rules that belong to it; what a call means depends on what is passed in.

The table itself is in :mod:`tinygrad_mlp.rules`; this file only says what one of its entries is. A rule is one
vector-Jacobian product, written in plain NumPy::

    z = f(x, y)                       the forward pass, NumPy's own function
    x̄ = lambda g, z, x, y: …          the gradient of a scalar L with respect to x, given g = ∂L/∂z

Called with arrays, a primitive computes. Called with any other reading of an operand (a Tensor, which records), it
hands itself to that operand's class, through the one method that every reading has: ``_apply(primitive, inputs, params)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sized
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar

import numpy as np

from .errors import TensorTypeError, did_you_mean, not_complex

__all__ = [
    "BY_NUMPY",
    "COMPLEX_STEP",
    "COMPOSED",
    "COMPOSED_BY_NUMPY",
    "OWN",
    "TABLE",
    "Primitive",
    "Rule",
    "composed",
    "is_valueless",
    "primitive",
]

Rule: TypeAlias = Callable[..., Any]

TABLE: dict[str, Primitive] = {}
"""Every primitive by name, in the order of the table."""

OWN: dict[str, Primitive] = {}
"""The primitives that users have defined, by name; a later one replaces an earlier one."""

BY_NUMPY: dict[Callable[..., Any], Primitive] = {}
"""The primitive behind each NumPy function."""

COMPOSED: dict[str, Callable[..., Any]] = {}
"""The functions that are made of primitives, by name: their derivatives follow."""

COMPOSED_BY_NUMPY: dict[Callable[..., Any], Callable[..., Any]] = {}
"""The composed function behind each NumPy function."""


COMPLEX_STEP: ContextVar[bool] = ContextVar("tinygrad_mlp.complex_step", default=False)
"""Whether functions of real numbers take complex ones, x + ih with a tiny h: the imaginary part is then a derivative."""


class Primitive:
    """One entry of the table: a name, a forward function, a rule for each array argument.

    Attributes
    ----------
    name : the function's name in the Python array API standard (or the field's usual one)
    forward : the function on arrays; arrays positional, parameters by keyword
    rules : one vector-Jacobian product an array argument, ``None`` where there is no derivative (a condition, labels).
        A variadic primitive (``concat``) has one rule, which gives the gradients of all its arguments in a list.
    params : the parameters with their default values (``...`` marks one that must be given)
    kink : the value that the rules give where no derivative exists, in words; empty for smooth functions
    elementwise : whether each entry of the result depends on one entry of each input only
    optional : how many of the last array arguments may be left out (``clip(x, 0)``: ``max`` is then ``None``)
    real : whether the function is one of real numbers only; complex ones are then refused
    symmetric : whether the matrices x count as symmetric (Hermitian), of which one triangle is read; or the parameter that says so
    singular : where the rules give NaN since the chain rule cannot know the gradient: what is NaN, why, and what to write instead

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_mlp.rules import tanh
    >>> tanh
    <primitive tanh: 1 array>
    >>> g, x = np.float64(1.0), np.float64(0.5)
    >>> float(tanh.rules[0](g, tanh(x), x))  # 1 - tanh(0.5)²
    0.7864477329659274
    """

    __slots__ = (
        "arrays",
        "elementwise",
        "forward",
        "kink",
        "name",
        "optional",
        "params",
        "real",
        "rules",
        "singular",
        "symmetric",
        "variadic",
    )

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        rules: tuple[Rule | None, ...],
        params: dict[str, Any],
        *,
        elementwise: bool = False,
        kink: str = "",
        optional: int = 0,
        real: bool = False,
        singular: tuple[str, str, str] | None = None,
        symmetric: bool | str = False,
        variadic: bool = False,
    ) -> None:
        self.name, self.forward, self.rules, self.params = name, forward, rules, params
        self.kink, self.optional, self.real, self.variadic = kink, optional, real, variadic
        self.singular, self.symmetric = singular, symmetric
        self.elementwise = elementwise or (isinstance(forward, np.ufunc) and forward.signature is None)
        self.arrays = next((r.__code__.co_varnames[2 : 2 + len(rules)] for r in rules if r is not None), ())
        """The names of the array arguments, read off the rules."""

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        if self.variadic:
            if not inputs or not isinstance(inputs[0], Iterable) or (isinstance(inputs[0], Sized) and not len(inputs[0])):
                raise TensorTypeError(f"{self.name}() takes a list of arrays, at least one: write {self.name}([x, y], axis=0)")
            inputs, params = tuple(map(joined, inputs[0])), dict(zip(self.params, inputs[1:], strict=False)) | params
        elif len(inputs) != len(self.rules):
            inputs, params = self.sort(inputs, params)
        if len(params) != len(self.params) or (params and params.keys() != self.params.keys()):
            params = self.complete(params)
        if params:
            params = {name: frozen(name, value) for name, value in params.items()}
        nested = False
        for x in inputs:
            kind = type(x)
            apply = getattr(kind, "_apply", None)
            if apply is not None:
                return apply(self, inputs, params)
            nested = nested or kind is list or kind is tuple
        if nested and any(joined(x) is not x for x in inputs):  # lists of Tensors
            return self(*map(joined, inputs), **params)
        if self.real:
            self.refuse_complex(inputs)
        return self.forward(*inputs, **params)

    def refuse_complex(self, inputs: Iterable[Any]) -> None:
        """Refuse complex inputs: the function is one of real numbers."""
        for x in inputs:
            if x is None or isinstance(x, (int, float)):
                continue
            if (x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype).kind == "c" and not COMPLEX_STEP.get():
                raise not_complex(self.name)

    def reads_triangle(self, params: Mapping[str, Any]) -> bool:
        """Whether x counts as symmetric, so that changes of single entries are none of what the function is of."""
        return bool(params[self.symmetric] if isinstance(self.symmetric, str) else self.symmetric)

    def sort(self, inputs: tuple[Any, ...], params: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Parameters given by position (``sum(x, 0)``) and arrays given by name (``clip(x, max=1)``), in their places."""
        arity, names = len(self.rules), list(self.params)
        extra = inputs[arity:]
        if arity - self.optional <= len(inputs) < arity:
            inputs = (*inputs, *[params.pop(name, None) for name in self.arrays[len(inputs) :]])
        if len(inputs) < arity or len(extra) > len(names):
            wanted = f"{arity} array{'s' * (arity != 1)}" + (f" and the parameters {', '.join(names)}" if names else "")
            raise TensorTypeError(f"{self.name}() takes {wanted}, but {len(inputs)} were given by position")
        by_position = dict(zip(names, extra, strict=False))
        for name in by_position.keys() & params.keys():
            raise TensorTypeError(f"{self.name}() got {name!r} twice, by position and by name")
        return inputs[:arity], by_position | params

    def complete(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters in the table's order, defaults filled in; unknown and missing ones are refused."""
        for name in params:
            if name not in self.params:
                raise TensorTypeError(str(did_you_mean(f"parameter of {self.name}()", name, self.params)))
        full = {**self.params, **params}
        for name, value in full.items():
            if value is ...:
                raise TensorTypeError(f"{self.name}() needs the parameter {name!r}: write {self.name}(…, {name}=…)")
        return full

    def __repr__(self) -> str:
        arrays = "any number of arrays" if self.variadic else f"{len(self.rules)} array{'s' * (len(self.rules) != 1)}"
        return f"<primitive {self.name}: {arrays}{''.join(f', {p}=' for p in self.params)}>"

    @property
    def __signature__(self) -> Any:
        """The call's signature in the array API's form, for ``help`` and ``inspect``."""
        from inspect import Parameter, Signature

        names = ("arrays",) if self.variadic else self.arrays
        free = len(names) - self.optional
        arrays = [Parameter(n, Parameter.POSITIONAL_ONLY) for n in names[:free]]
        arrays += [Parameter(n, Parameter.POSITIONAL_OR_KEYWORD, default=None) for n in names[free:]]
        params = [
            Parameter(n, Parameter.POSITIONAL_OR_KEYWORD, default=Parameter.empty if d is ... else d)
            for n, d in sorted(self.params.items(), key=lambda item: item[1] is not ...)
        ]
        return Signature([*arrays, *params])

    def __reduce__(self) -> tuple[Callable[[str], Primitive], tuple[str]]:
        return known, (self.name,)  # a primitive is a constant: copies and pickles are the entry itself


def primitive(
    name: str,
    forward: Callable[..., Any],
    *rules: Rule | None,
    elementwise: bool = False,
    kink: str = "",
    numpy: tuple[Callable[..., Any], ...] = (),
    optional: int = 0,
    real: bool = False,
    singular: tuple[str, str, str] | None = None,
    symmetric: bool | str = False,
    variadic: bool = False,
    **params: Any,
) -> Primitive:
    """Enter a primitive in the table: name, forward function, one rule an array argument, parameters with defaults.

    ``forward`` is NumPy's own function where NumPy has one, and is then recognised when users call it; ``numpy=``
    names further NumPy functions that mean the same (``np.amax`` for ``max``).
    """
    if name in TABLE:
        raise ValueError(f"the table has a primitive {name!r} already")
    entry = TABLE[name] = Primitive(
        name,
        forward,
        rules,
        params,
        elementwise=elementwise,
        kink=kink,
        optional=optional,
        real=real,
        singular=singular,
        symmetric=symmetric,
        variadic=variadic,
    )
    for function in (forward, *numpy):
        BY_NUMPY[function] = entry
    return entry


def joined(x: Any) -> Any:
    """A list that holds Tensors (or another reading), at any depth, as one of them; everything else as it is."""
    if not isinstance(x, (list, tuple)):
        return x
    parts = [joined(i) for i in x]
    return TABLE["stack"](parts) if any(hasattr(type(part), "_apply") for part in parts) else x


def is_valueless(x: Any) -> bool:
    """Whether x is an operand without numbers, a value of a function that is being traced."""
    return getattr(type(x), "_valueless", False)


FROZEN = frozenset({list, np.ndarray, *(np.dtype(c).type for c in np.typecodes["AllInteger"])})
"""The types of parameters that are not kept as they are."""


def frozen(name: str, value: Any) -> Any:
    """A parameter that nobody can change afterwards: axes given as a list, a shift given as an array.

    NumPy's whole numbers become Python's: rules compute −k and 2k, which wrap in small ones.
    """
    if type(value) not in FROZEN:
        return value
    if isinstance(value, np.integer):
        return int(value)
    return np.array(value) if name == "index" or isinstance(value, np.ndarray) else tuple(value)


def known(name: str) -> Primitive:
    """The primitive of that name, the library's or the user's."""
    return TABLE[name] if name in TABLE else OWN[name]


F = TypeVar("F", bound=Callable[..., Any])


def composed(*numpy: Callable[..., Any], name: str = "") -> Callable[[F], F]:
    """Enter a function that is made of primitives: under its own name (or ``name``), and as what each function of ``numpy`` means.

    Its parameters are named and ordered as NumPy's or the array API's. It is written in plain NumPy, so that it computes
    with arrays and records with Tensors.
    """

    def enter(function: F) -> F:
        title = name or function.__name__
        if title in TABLE or title in COMPOSED:
            raise ValueError(f"there is a function {title!r} already")
        COMPOSED[title] = function
        for other in numpy:
            COMPOSED_BY_NUMPY[other] = function
        return function

    return enter
